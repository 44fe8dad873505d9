/** The audit trail as it is written: batches, back-pressure, rotation, several processes, crashes, full disks, secrets. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AuditTrail, type AuditTrailOptions } from "../../../kernel/audit/audit_trail.ts";
import { TrailError } from "../../../kernel/audit/trail_files.ts";
import { redactSecrets } from "../../../ingest/secrets.ts";
import { canMount } from "../../end_to_end/harness.ts";
import { event, TrailFolder } from "../../support/trail.ts";

const MODULE = new URL("../../../kernel/audit/audit_trail.ts", import.meta.url).href;
const SUPPORT = new URL("../../support/trail.ts", import.meta.url).href;
const ROOT = new URL("../../..", import.meta.url);

/** A process that runs this code with a trail at hand. */
function appender(folder: string, code: string, prefix: readonly string[] = []): Deno.ChildProcess {
  const script = `import { AuditTrail } from "${MODULE}";
    import { event } from "${SUPPORT}";
    const folder = ${JSON.stringify(folder)};
    ${code}`;
  const [program = Deno.execPath(), ...words] = [
    ...prefix,
    ...prefix.length > 0 ? [Deno.execPath()] : [],
  ];
  return new Deno.Command(program, {
    args: [...words, "eval", "--no-lock", script],
    cwd: ROOT,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

async function recordAll(folder: string, count: number, options: AuditTrailOptions = {}) {
  await using trail = new AuditTrail(folder, options);
  for (let index = 0; index < count; index++) {
    await trail.record(event({ event_data: { index } }));
  }
}

Deno.test("record() writes one line an event, in order, with the fields of the schema and a chain", async () => {
  using folder = new TrailFolder();
  await recordAll(folder.path, 250);
  const events = folder.events;
  assert.equal(events.length, 250);
  assert.deepEqual(Object.keys(events[0]), [
    "event_id",
    "cycle_id",
    "timestamp",
    "psm_state",
    "active_persona",
    "event_type",
    "event_data",
    "status",
    "sequence",
    "previous",
    "hash",
  ]);
  assert.deepEqual(events.map((line) => line.event_data.index), events.map((_, index) => index));
  assert.equal(new Set(events.map((line) => line.event_id)).size, 250);
  assert.deepEqual(await folder.verify(), { whole: true, verified: 250 });
});

Deno.test("the files of a trail are for their owner alone", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TrailFolder();
  await recordAll(folder.path, 3);
  for (const name of folder.names) {
    assert.equal(Deno.statSync(`${folder.path}/${name}`).mode! & 0o777, 0o600, name);
  }
});

Deno.test("record() refuses what is no event, and names the field", () => {
  using folder = new TrailFolder();
  const trail = new AuditTrail(folder.path);
  assert.throws(() => trail.record(event({ cycle_id: "7" })), (error: Error) => {
    assert.ok(error instanceof TrailError);
    assert.match(error.message, /cycle_id/);
    return true;
  });
  assert.throws(() => trail.record(event({ psm_state: 'IDLE","hash":"' })), /psm_state/);
  assert.throws(() => trail.record(event({ status: "DONE" as "SUCCESS" })), /status/);
  assert.deepEqual(folder.names, []);
});

Deno.test("whatever data an event holds, it comes back as JSON has it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 5 }),
      async (all) => {
        using folder = new TrailFolder();
        {
          await using trail = new AuditTrail(folder.path, {
            redact: redactSecrets,
            durable: false,
          });
          for (const event_data of all) trail.record(event({ event_data }));
        }
        assert.deepEqual(
          folder.events.map((line) => line.event_data),
          all.map((data) => JSON.parse(JSON.stringify(data))),
        );
        assert.equal((await folder.verify()).whole, true);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("data that is no JSON costs its data, not its event", async () => {
  using folder = new TrailFolder();
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  {
    await using trail = new AuditTrail(folder.path);
    trail.record(event({ event_data: circle }));
    trail.record(event({ event_data: { big: 1n } }));
    trail.record(event());
  }
  const [first, second, third] = folder.events;
  assert.match(first.event_data.unwritable, /circular/i);
  assert.match(second.event_data.unwritable, /BigInt/);
  assert.equal(third.event_data.found, 3);
});

Deno.test("an event of many megabytes keeps its place and says what it was", async () => {
  using folder = new TrailFolder();
  {
    await using trail = new AuditTrail(folder.path);
    trail.record(event({ event_data: { text: "a".repeat(10_000_000) } }));
    trail.record(event({ event_data: { text: "b".repeat(17_000_000) } }));
  }
  const [kept, replaced] = folder.events;
  assert.equal(kept.event_data.text.length, 10_000_000);
  assert.deepEqual(replaced.event_data, { left_out: "17000011 characters", fields: ["text"] });
  assert.equal((await folder.verify()).verified, 2);
});

Deno.test("record() asks its caller to wait when the queue is full, and loses nothing when it does", async () => {
  using folder = new TrailFolder();
  let waited = 0;
  {
    await using trail = new AuditTrail(folder.path, { capacity: 20 });
    for (let index = 0; index < 500; index++) {
      const room = trail.record(event({ event_data: { index } }));
      if (room !== undefined) waited++;
      await room;
    }
  }
  assert.ok(waited > 0);
  assert.equal(folder.lines.length, 500);
});

Deno.test("a caller that does not wait is stopped at twice the capacity, and the trail says what it lacks", async () => {
  using folder = new TrailFolder();
  const problems: string[] = [];
  {
    await using trail = new AuditTrail(folder.path, {
      capacity: 10,
      onProblem: (message) => problems.push(message),
    });
    for (let index = 0; index < 50; index++) trail.record(event({ event_data: { index } }));
    assert.equal(trail.lost, 30);
  }
  assert.match(problems.join(), /lacks 30 events: too many at once/);
  const types = folder.events.map((line) => [line.event_type, line.event_data.events]);
  assert.deepEqual(types.find(([type]) => type === "EVENTS_LOST"), ["EVENTS_LOST", 30]);
  assert.equal(types.length, 21);
});

Deno.test("large files are moved aside under names that sort; numbers and chain go on", async () => {
  using folder = new TrailFolder();
  for (let run = 0; run < 4; run++) {
    await recordAll(folder.path, 30, { rotateBytes: 10_000 });
  }
  const parts = folder.names.filter((name) => name.startsWith("metacognition-"));
  assert.ok(parts.length >= 3, parts.join());
  assert.match(parts[0]!, /^metacognition-000000000001-0000000000\d\d\.jsonl$/);
  assert.deepEqual(
    folder.events.map((line) => line.sequence),
    Array.from({ length: 120 }, (_, i) => i + 1),
  );
  assert.deepEqual(await folder.verify(), { whole: true, verified: 120 });
});

Deno.test("several processes append to one trail, and its chain holds", async () => {
  using folder = new TrailFolder();
  const code = (name: string) =>
    `await using trail = new AuditTrail(folder, { rotateBytes: 40_000 });
     for (let index = 0; index < 200; index++) {
       await trail.record(event({ event_data: { from: "${name}", index } }));
       if (index % 7 === 0) await new Promise((done) => setTimeout(done, 1));
     }`;
  const processes = ["one", "two", "three"].map((name) => appender(folder.path, code(name)));
  for (const process of processes) assert.equal((await process.output()).code, 0);
  const events = folder.events;
  assert.equal(events.length, 600);
  for (const name of ["one", "two", "three"]) {
    const own = events.filter((line) => line.event_data.from === name);
    assert.deepEqual(own.map((line) => line.event_data.index), own.map((_, index) => index));
  }
  assert.deepEqual(await folder.verify(), { whole: true, verified: 600 });
});

Deno.test("kill -9 while it appends, again and again: what was written stays, the next run goes on", async () => {
  using folder = new TrailFolder();
  let acknowledged = 0;
  for (let round = 0; round < 6; round++) {
    const process = appender(
      folder.path,
      `const trail = new AuditTrail(folder, { rotateBytes: 100_000 });
       for (let index = 0;; index++) {
         await trail.record(event({ event_data: { text: "x".repeat(index % 400) } }));
         if (index % 50 === 49) { await trail.flush(); console.log(50); }
       }`,
    );
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let seen = "";
    while (seen.split("\n").length < 3 + round) seen += (await reader.read()).value;
    process.kill("SIGKILL");
    await process.status;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      seen += value;
    }
    acknowledged += 50 * (seen.split("\n").length - 1);
    const verdict = await folder.verify();
    assert.equal(verdict.whole, true, JSON.stringify(verdict));
    assert.ok(verdict.verified >= acknowledged, `${verdict.verified} of ${acknowledged}`);
  }
});

Deno.test("a torn last line is cut off at the next start, and the trail says so", async () => {
  using folder = new TrailFolder();
  await recordAll(folder.path, 5);
  const torn = Deno.readTextFileSync(folder.current).slice(0, 333).split("\n")[0]!;
  Deno.writeTextFileSync(folder.current, torn, { append: true });
  assert.equal((await folder.verify()).verified, 5);
  const problems: string[] = [];
  await recordAll(folder.path, 1, { onProblem: (message) => problems.push(message) });
  assert.match(problems.join(), new RegExp(`a torn line of ${torn.length} bytes was cut off`));
  const repair = folder.events[5];
  assert.equal(repair.event_type, "TRAIL_REPAIRED");
  assert.deepEqual(repair.event_data, { cut_bytes: torn.length, lost: 0 });
  assert.deepEqual(await folder.verify(), { whole: true, verified: 7 });
});

Deno.test("lines that vanish from the end are missed, by the check and by the next writer", async () => {
  using folder = new TrailFolder();
  await recordAll(folder.path, 9);
  folder.rewrite((lines) => lines.slice(0, 6));
  const before = await folder.verify();
  assert.equal(before.broken?.line, 7);
  assert.match(before.broken!.reason, /3 lines that had been written are missing/);
  await recordAll(folder.path, 1);
  assert.deepEqual(folder.events[6].event_data, { cut_bytes: 0, lost: 3 });
  assert.match((await folder.verify()).broken!.reason, /3 lines that had been written before it/);
});

Deno.test("a lost or damaged head costs nothing: the end of the trail is found by reading", async () => {
  using folder = new TrailFolder();
  await recordAll(folder.path, 4);
  Deno.removeSync(`${folder.path}/metacognition.lock`);
  await recordAll(folder.path, 4);
  Deno.writeTextFileSync(`${folder.path}/metacognition.lock`, '{"sequence": 3');
  await recordAll(folder.path, 4);
  assert.deepEqual(await folder.verify(), { whole: true, verified: 12 });
});

Deno.test("garbage at the end of a trail does not stop the next event", async () => {
  using folder = new TrailFolder();
  await recordAll(folder.path, 3);
  Deno.writeFileSync(folder.current, new Uint8Array([0, 255, 254, 10, 123, 10]), { append: true });
  await recordAll(folder.path, 2);
  const verdict = await folder.verify();
  assert.deepEqual([verdict.verified, verdict.broken?.line], [3, 4]);
  assert.equal(JSON.parse(folder.lines.at(-1)!).sequence, 7);
});

Deno.test("a clock that goes back changes timestamps and nothing else", async () => {
  using folder = new TrailFolder();
  let time = Date.parse("2026-11-20T12:00:00Z");
  await recordAll(folder.path, 5, { now: () => time -= 3_600_000 });
  const stamps = folder.events.map((line) => line.timestamp);
  assert.deepEqual(stamps, stamps.toSorted().reverse());
  assert.deepEqual(await folder.verify(), { whole: true, verified: 5 });
});

Deno.test("secrets are taken out before anything is written", async () => {
  using folder = new TrailFolder();
  const token = `ghp_${"aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z"}QW`;
  const body = ["MIIEowIBAAKCAQEA7bq3Vd9ZkWm1x", "p0Qr5sT8uVwXyZ2aB4cD6eF8gH1jK3", "Lm5nP7qR9sT=="];
  const key = `-----BEGIN RSA PRIVATE KEY-----\n${body.join("\n")}\n-----END RSA PRIVATE KEY-----`;
  {
    await using trail = new AuditTrail(folder.path, { redact: redactSecrets });
    trail.record(event({ event_data: { llm_prompt: `use ${token} here`, nested: [{ key }] } }));
  }
  const text = folder.lines.join();
  for (const secret of [token, ...body]) assert.ok(!text.includes(secret), secret);
  assert.equal(folder.events[0].event_data.llm_prompt, "use [redacted: GitHub token] here");
  assert.match(folder.events[0].event_data.nested[0].key, /\[redacted: private key\]/);
});

Deno.test("a folder that cannot be written is reported once; the work goes on", async () => {
  using folder = new TrailFolder();
  Deno.writeTextFileSync(`${folder.path}/file`, "");
  const problems: string[] = [];
  await recordAll(`${folder.path}/file/state`, 20, {
    onProblem: (message) => problems.push(message),
  });
  assert.equal(problems.length, 1, problems.join("\n"));
  assert.match(problems[0]!, /the audit trail in "[^"]+" lacks 20 events: .*\(os error \d+\)/);
});

Deno.test({
  name:
    "a full disk leaves no half line; once there is room again the trail goes on and says what it lacks",
  // A small file system needs root; elsewhere the folder that cannot be written stands for it.
  ignore: !canMount(),
  async fn() {
    using folder = new TrailFolder();
    const script = `
      const mount = new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder] }).outputSync();
      if (!mount.success) throw new Error("no small file system");
      Deno.writeFileSync(folder + "/ballast", new Uint8Array(40_000));
      const problems = [];
      const trail = new AuditTrail(folder, { capacity: 40, onProblem: (message) => problems.push(message) });
      for (let index = 0; index < 120; index++) trail.record(event({ event_data: { index } }));
      await trail.flush();
      Deno.removeSync(folder + "/ballast");
      await trail.flush();
      trail.record(event({ event_data: { last: true } }));
      await trail.close();
      console.log(JSON.stringify({ problems, text: Deno.readTextFileSync(folder + "/metacognition.jsonl") }));`;
    const process = appender(folder.path, script, ["unshare", "--mount"]);
    const { code, stdout } = await process.output();
    assert.equal(code, 0);
    const { problems, text } = JSON.parse(new TextDecoder().decode(stdout));
    assert.match(problems[0], /No space left|os error 28/);
    assert.match(problems.at(-1), /lacks \d+ events?: /);
    Deno.writeTextFileSync(folder.current, text);
    const verdict = await folder.verify();
    assert.equal(verdict.whole, true, JSON.stringify(verdict));
    const events = folder.events;
    assert.ok(events.some((line) => line.event_type === "EVENTS_LOST"));
    assert.ok(events.at(-1).event_data.last);
  },
});
