/** The trail in memory, over real trails and a real index: cycles, search by words and time, citations, kills, edits, rotation. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { AuditTrail, type AuditTrailOptions } from "../../kernel/audit/audit_trail.ts";
import { listTrailFiles } from "../../kernel/audit/chain.ts";
import { type NewEvent, parseTrailLine } from "../../kernel/audit/event.ts";
import { type Memory, openMemory } from "../../rag/mod.ts";
import { TrailFolder } from "../support/trail.ts";

const DAY = 86_400_000;
const NOON = Date.parse("2026-11-20T12:00:00Z");

/** UUID of the cycle with this number. */
const cycle = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

function event(
  number: number,
  event_type: string,
  event_data: NewEvent["event_data"],
  failed = false,
): NewEvent {
  return {
    cycle_id: cycle(number),
    psm_state: "DELEGATING",
    active_persona: "BABS",
    event_type,
    event_data,
    status: failed ? "FAILURE" : "SUCCESS",
  };
}

/** The events of a question that was answered, or was not. */
function asked(number: number, question: string, found = true): NewEvent[] {
  return [
    event(number, "CYCLE_STARTED", { kind: "question", question }),
    event(number, "RETRIEVAL_ACTION", {
      action: "search",
      arguments: { query: question },
      observation: found ? "2 chunks: src/a.ts:1-9" : "nothing matches",
    }, !found),
    event(number, "ANSWER", {
      answer: found ? "It is in `src/a.ts:1-9`." : "Nothing found.",
      citations: found
        ? [{ path: "src/a.ts", start_line: 1, end_line: 9, status: "verified" }]
        : [],
      found,
      driver: "extractive",
      tokens: 12,
      missing: found ? [] : ["Nothing found: words looked for: flux."],
    }, !found),
  ];
}

/** A workspace with a trail and an index. */
class Place implements Disposable {
  readonly trail = new TrailFolder();
  readonly root = Deno.makeTempDirSync({ prefix: "batos_fractals_" });
  memory: Memory = openMemory(this.root);
  readonly list = () => listTrailFiles(this.trail.path);

  async record(events: readonly NewEvent[], options: AuditTrailOptions = {}): Promise<void> {
    await using trail = new AuditTrail(this.trail.path, { durable: false, ...options });
    for (const each of events) await trail.record(each);
  }

  async absorb() {
    return await this.memory.trail.absorb(this.list, parseTrailLine);
  }

  rebuild(): void {
    this.memory.close();
    this.memory = openMemory(this.root, { rebuild: true });
  }

  get fingerprint(): string {
    const hash = createHash("sha256");
    this.memory.trail.digest((part) => hash.update(part));
    return hash.digest("hex");
  }

  subjects(query: string, filter = {}): string[] {
    return this.memory.trail.search(query, filter).map(({ digest }) => digest.subject);
  }

  [Symbol.dispose](): void {
    this.memory.close();
    this.trail[Symbol.dispose]();
    Deno.removeSync(this.root, { recursive: true });
  }
}

Deno.test("a cycle becomes one fractal, however its events are mixed with others and in how many pieces they come", async () => {
  using place = new Place();
  const [one, two] = [
    asked(1, "how does the parser recover"),
    asked(2, "where is flux defined", false),
  ];
  await place.record([one[0]!, two[0]!, one[1]!]);
  assert.deepEqual((await place.absorb()).events, 3);
  assert.equal(place.memory.trail.cycle(cycle(1))!.digest.outcome, "open");
  await place.record([two[1]!, two[2]!, one[2]!]);
  await place.absorb();
  assert.equal(place.memory.trail.count(), 2);
  const first = place.memory.trail.cycle(cycle(1))!;
  assert.deepEqual([first.firstLine, first.lastLine], [1, 6]);
  assert.deepEqual(place.memory.trail.content(first.oid).map(({ line }) => line), [1, 3, 6]);
  assert.equal(first.digest.outcome, "done");
  assert.deepEqual(first.digest.citations, ["src/a.ts:1-9"]);
  const second = place.memory.trail.cycle(cycle(2))!;
  assert.equal(second.digest.outcome, "nothing");
  assert.deepEqual(second.digest.missing, [
    "search where is flux defined: nothing matches",
    "Nothing found: words looked for: flux.",
  ]);
  assert.match(second.summary, /^Question: where is flux defined\n.*found nothing/);
});

Deno.test("search finds cycles by words, by time, by how they ended; questions about the past come last", async () => {
  using place = new Place();
  await place.record(asked(1, "how does the parser recover"), { now: () => NOON - 9 * DAY });
  await place.record(asked(2, "parse errors: who reports them"), { now: () => NOON - 2 * DAY });
  await place.record(asked(3, "where is flux defined", false), { now: () => NOON });
  await place.record([
    event(4, "CYCLE_STARTED", { kind: "question", question: "what did I ask about the parser" }),
    event(4, "RETRIEVAL_ACTION", {
      action: "audit",
      arguments: { query: "parser" },
      observation: "2 cycles",
    }),
  ], { now: () => NOON + 1 });
  await place.record([
    event(5, "COMMAND", { command: "search", subject: "parser", exit: 1, found: [] }),
  ], {
    now: () => NOON + 2,
  });
  await place.absorb();
  const { subjects } = { subjects: place.subjects.bind(place) };
  assert.equal(subjects("parser").length, 4);
  assert.equal(subjects("parser").at(-1), "what did I ask about the parser");
  assert.deepEqual(subjects("parser", { since: NOON - 3 * DAY, until: NOON }), [
    "parse errors: who reports them",
  ]);
  assert.deepEqual(subjects("parser", { only: "commands" }), ["parser"]);
  assert.deepEqual(subjects("", { only: "failed" }).toSorted(), [
    "parser",
    "what did I ask about the parser",
    "where is flux defined",
  ]);
  assert.deepEqual(subjects("", { only: "questions", limit: 1 }), ["where is flux defined"]);
  assert.deepEqual(subjects("flux", { except: cycle(3) }), []);
  assert.deepEqual(subjects('"; DROP NEAR( *'), []);
});

Deno.test("a rebuild from the files gives the same, whatever the pieces were", async () => {
  using place = new Place();
  for (let number = 1; number <= 12; number++) {
    await place.record(asked(number, `question ${number} about words`, number % 3 > 0), {
      rotateBytes: 6_000,
    });
    if (number % 4 !== 0) await place.absorb();
  }
  await place.absorb();
  assert.ok(place.list().length > 2);
  const before = place.fingerprint;
  assert.equal(place.memory.trail.nextLine(), 37);
  place.rebuild();
  assert.equal(place.memory.trail.count(), 0);
  assert.deepEqual((await place.absorb()).events, 36);
  assert.equal(place.fingerprint, before);
  assert.deepEqual(await place.absorb(), { events: 0, problems: [], again: false });
});

Deno.test("bad lines are reported once and passed over; a torn one is read when it is whole", async () => {
  using place = new Place();
  await place.record(asked(1, "first"));
  Deno.writeTextFileSync(place.trail.current, 'garbage\n{"event_id":1}\n', { append: true });
  const line = place.trail.lines[0]!.replaceAll(cycle(1), cycle(2)) + "\n";
  Deno.writeTextFileSync(place.trail.current, line.slice(0, 100), { append: true });
  const { events, problems } = await place.absorb();
  assert.equal(events, 3);
  assert.deepEqual(problems.map(({ line }) => line), [4, 5]);
  Deno.writeTextFileSync(place.trail.current, line.slice(100), { append: true });
  assert.deepEqual(await place.absorb(), { events: 1, problems: [], again: false });
  assert.equal(place.memory.trail.cycle(cycle(2))!.firstLine, 6);
});

Deno.test("where the files are not those that were read, everything is made again", async () => {
  using place = new Place();
  await place.record([...asked(1, "first"), ...asked(2, "second")], { rotateBytes: 500 });
  await place.record(asked(3, "third"));
  await place.absorb();
  place.trail.rewrite((lines) => lines.slice(0, -1));
  const shorter = await place.absorb();
  assert.deepEqual([shorter.again, shorter.events], [true, 8]);
  const [part] = place.list();
  Deno.removeSync(part!.path);
  const fewer = await place.absorb();
  assert.equal(fewer.again, true);
  assert.equal(place.memory.trail.cycle(cycle(1)), undefined);
});

Deno.test("cited lines are compared with the trail on disk, and stay true when files are moved aside", async () => {
  using place = new Place();
  await place.record(asked(1, "first"));
  await place.absorb();
  const check = (first: number, last: number) => place.memory.trail.check(first, last, place.list);
  assert.equal(await check(1, 3), "verified");
  for (let number = 2; number < 9; number++) {
    await place.record(asked(number, `question ${number}`), { rotateBytes: 500 });
  }
  assert.ok(place.list().length > 3);
  assert.equal(await check(1, 3), "verified");
  assert.equal(await check(4, 6), "removed", "not read yet");
  await place.absorb();
  assert.equal(await check(2, 11), "verified", "over files");
  for (const [first, last] of [[0, 1], [3, 2], [24, 25], [1, 1e9]]) {
    assert.equal(await check(first!, last!), "removed", `${first}-${last}`);
  }
  const [part] = place.list();
  const text = Deno.readTextFileSync(part!.path);
  Deno.writeTextFileSync(part!.path, text.replace("first", "worst"));
  assert.equal(await check(1, 3), "stale");
  Deno.removeSync(part!.path);
  assert.equal(await check(1, 3), "removed");
});

Deno.test("kill -9 while the trail is taken in: no line is lost, none counts twice", async () => {
  using place = new Place();
  const events = Array.from({ length: 4_000 }, (_, number) => [
    event(number % 300, "CYCLE_STARTED", { question: `question ${number % 300}` }),
    event(number % 300, "RETRIEVAL_ACTION", {
      action: "search",
      arguments: {},
      observation: "x".repeat(2_000),
    }),
  ]).flat();
  await place.record(events, { rotateBytes: 5_000_000 });
  place.memory.close();
  const url = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);
  const script = `
    import { openMemory } from ${url("rag/mod.ts")};
    import { listTrailFiles } from ${url("kernel/audit/chain.ts")};
    import { parseTrailLine } from ${url("kernel/audit/event.ts")};
    const memory = openMemory(${JSON.stringify(place.root)});
    await memory.trail.absorb(() => listTrailFiles(${
    JSON.stringify(place.trail.path)
  }), parseTrailLine, {
      onProgress: () => console.log("batch"),
    });
    console.log("end");`;
  for (let round = 0; round < 2; round++) {
    const process = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", script],
      cwd: new URL("../..", import.meta.url),
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = process.stdout.getReader();
    await reader.read();
    process.kill("SIGKILL");
    await process.status;
    await reader.cancel();
  }
  place.memory = openMemory(place.root);
  await place.absorb();
  const counted = place.memory.trail.search("", { limit: 1_000 }).reduce(
    (sum, { digest }) => sum + digest.events,
    0,
  );
  assert.equal(counted, 8_000);
  const killed = place.fingerprint;
  place.rebuild();
  await place.absorb();
  assert.equal(place.fingerprint, killed);
});
