/** The audit trail as its users meet it: recorded by commands, shown, followed, verified, asked about. */
import assert from "node:assert/strict";
import { event } from "../support/trail.ts";
import { command, Repository } from "./harness.ts";

const FILES = {
  "src/parser.ts":
    "/** Reads a text and recovers from errors in it. */\nexport function parseText(text: string): string[] {\n  return text.split(' ');\n}\n",
  "src/lock.ts":
    "/** Keeps a second writer out. */\nexport function lockFile(path: string): void {\n  console.log(path);\n}\n",
};

// deno-lint-ignore no-explicit-any
const typesOf = (events: any[]) => events.map(({ event_type }) => event_type);

Deno.test("a question leaves its start, its steps and its answer; other commands one line; --no-audit nothing", async () => {
  using repository = new Repository(FILES);
  const asked = await repository.run(["ask", "how does the parser recover from errors?", "--json"]);
  assert.equal(asked.code, 0, asked.err);
  await repository.run(["search", "lockFile", "-k", "1"]);
  await repository.run(["search", "lockFile", "--no-audit"]);
  await repository.run(["ask", "where is lockFile defined?", "--no-audit"]);
  const { json, code } = await repository.run(["audit", "--json"]);
  assert.equal(code, 0);
  const [answer] = asked.json;
  const types = typesOf(json);
  assert.equal(types[0], "CYCLE_STARTED");
  assert.deepEqual(types.slice(-2), ["ANSWER", "COMMAND"]);
  assert.equal(types.filter((type) => type === "RETRIEVAL_ACTION").length, answer.steps.length - 1);
  assert.ok(json.slice(0, -1).every(({ cycle_id }) => cycle_id === answer.cycle_id));
  const search = json.find(({ event_data }) => event_data.retrieved_chunk_ids?.length > 0);
  assert.ok(search.event_data.retrieved.includes("src/parser.ts:1-4"), JSON.stringify(search));
  assert.deepEqual(json.at(-1).event_data.found, ["src/lock.ts:1-4"]);
  const cycle = await repository.run(["audit", "--json", "--cycle", answer.cycle_id.slice(0, 8)]);
  assert.equal(cycle.json.length, json.length - 1);
});

Deno.test("ask answers about its own past, with citations into the trail that hold", async () => {
  using repository = new Repository(FILES);
  await repository.run(["ask", "how does the parser recover from errors?"]);
  await repository.run(["ask", "where is the flumox of the parser defined?"]);
  await repository.run(["ask", "who locks files?"]);
  const question = "what did I ask about the parser today and what was missing?";
  const { json, code, err } = await repository.run(["ask", question, "--json"]);
  assert.equal(code, 0, err);
  const [{ answer, citations, steps }] = json;
  assert.match(answer, /2 questions about “parser” \(today\)/);
  assert.match(answer, /how does the parser recover from errors\?”: answered/);
  assert.match(answer, /Missing: .*flumox/);
  assert.doesNotMatch(answer, /who locks files/);
  assert.deepEqual(steps.map(({ action }: { action: string }) => action), ["audit", "answer"]);
  // deno-lint-ignore no-explicit-any
  assert.deepEqual(citations.map(({ path, status }: any) => [path, status]), [
    [".batos/metacognition.jsonl", "verified"],
    [".batos/metacognition.jsonl", "verified"],
  ]);
  const lines = Deno.readTextFileSync(repository.at(".batos/metacognition.jsonl")).split("\n");
  for (const { start_line, end_line } of citations) {
    assert.equal(JSON.parse(lines[start_line - 1]!).event_type, "CYCLE_STARTED");
    assert.equal(JSON.parse(lines[end_line - 1]!).event_type, "ANSWER");
  }
  const never = await repository.run(["ask", "what did I ask about zebras?", "--json"]);
  assert.equal(never.code, 1);
  assert.match(
    never.json[0].answer,
    /Nothing found: no question about “zebras” in the audit trail/,
  );
});

Deno.test("deleting the index loses nothing of the past", async () => {
  using repository = new Repository(FILES);
  await repository.run(["ask", "how does the parser recover?"]);
  const past = ["ask", "what did I ask about the parser today?", "--json", "--no-audit"];
  const before = await repository.run(past);
  Deno.removeSync(repository.at(".batos/image.db"));
  const after = await repository.run(past);
  assert.equal(after.json[0].answer, before.json[0].answer);
  assert.match(after.json[0].answer, /1 question about/);
});

Deno.test("audit --verify proves the trail, and names the line that somebody changed", async () => {
  using repository = new Repository(FILES);
  await repository.run(["ask", "how does the parser recover?"]);
  const whole = await repository.run(["audit", "--verify"]);
  assert.deepEqual(
    [whole.code, /^whole {2}\d+ lines in 1 file\n$/.test(whole.out)],
    [0, true],
    whole.out,
  );
  const path = repository.at(".batos/metacognition.jsonl");
  const lines = Deno.readTextFileSync(path).split("\n");
  lines.splice(2, 1);
  Deno.writeTextFileSync(path, lines.join("\n"));
  const broken = await repository.run(["audit", "--verify", "--json"]);
  assert.equal(broken.code, 2);
  assert.deepEqual([broken.json[0].whole, broken.json[0].broken.line], [false, 3]);
  const text = await repository.run(["audit", "--verify"]);
  assert.match(text.out, /^broken {2}metacognition\.jsonl, line 3: it was written as line 4/);
});

Deno.test("audit filters by type and time, takes the latest, and says 1 where nothing fits", async () => {
  using repository = new Repository(FILES);
  for (const query of ["one", "two", "three"]) await repository.run(["search", query]);
  // deno-lint-ignore no-explicit-any
  const subjects = (json: any[]) => json.map(({ event_data }) => event_data.subject);
  const latest = await repository.run(["audit", "--json", "--limit", "2", "--type", "command"]);
  assert.deepEqual(subjects(latest.json), ["two", "three"]);
  assert.equal((await repository.run(["audit", "--since", "1h", "--json"])).json.length, 3);
  const none = await repository.run(["audit", "--until", "yesterday"]);
  assert.deepEqual([none.code, none.out], [1, ""]);
  const wrong = await repository.run(["audit", "--since", "soonish"]);
  assert.equal(wrong.code, 2);
  assert.match(
    wrong.err,
    /^batos: audit: --since "soonish": no time that is known here; write 2h, /,
  );
  const order = await repository.run(["audit", "--since", "1h", "--until", "2h"]);
  assert.equal(order.code, 2);
});

Deno.test("audit --follow shows what others do, and ends with Ctrl-C", async () => {
  using repository = new Repository(FILES);
  await repository.run(["search", "parseText"]);
  const child = command(["audit", "--follow", "--json"], { cwd: repository.path }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let seen = (await reader.read()).value ?? "";
  await repository.run(["search", "lockFile"]);
  while (!seen.includes("lockFile")) {
    const { value, done } = await reader.read();
    assert.ok(!done);
    seen += value;
  }
  child.kill("SIGINT");
  const { code } = await child.status;
  await reader.cancel();
  await child.stderr.cancel();
  assert.equal(code, 130);
  assert.equal(seen.trim().split("\n").length, 2);
});

Deno.test("secrets that are typed into a question or a search do not reach the trail", async () => {
  using repository = new Repository(FILES);
  const token = `ghp_${"aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zQW"}`;
  await repository.run(["ask", `how does the parser handle ${token} in a text?`]);
  await repository.run(["search", `parser ${token}`]);
  const trail = Deno.readTextFileSync(repository.at(".batos/metacognition.jsonl"));
  assert.ok(!trail.includes(token));
  assert.match(trail, /the parser handle \[redacted: GitHub token\] in a text/);
  assert.match(trail, /parser \[redacted: GitHub token\]/);
});

Deno.test("a cited line of the trail is read by its number, whichever file holds it", async () => {
  using repository = new Repository(FILES);
  await repository.ingest();
  const { AuditTrail } = await import("../../kernel/audit/audit_trail.ts");
  for (let run = 0; run < 6; run++) {
    await using trail = new AuditTrail(repository.at(".batos"), { rotateBytes: 1_000 });
    for (let line = 0; line < 3; line++) trail.record(event({ event_data: { run, line } }));
  }
  const text = (place: string) => repository.run(["read", `.batos/metacognition.jsonl:${place}`]);
  for (const line of [2, 9, 19]) {
    const { out, code } = await text(String(line));
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).sequence, line);
  }
  assert.equal((await text("3-4")).out.trim().split("\n").length, 2);
  const beyond = await text("99");
  assert.equal(beyond.code, 2);
  assert.match(beyond.err, /no such lines; the file has lines \d+ to 19/);
});

Deno.test("a question whose run was killed is left open, and the next finds it", async () => {
  using repository = new Repository(FILES);
  await repository.ingest();
  const { AuditTrail } = await import("../../kernel/audit/audit_trail.ts");
  {
    // A run that was killed: its start is there, its end is not.
    await using trail = new AuditTrail(repository.at(".batos"));
    trail.record({
      cycle_id: crypto.randomUUID(),
      psm_state: "IDLE",
      active_persona: "ORCHESTRATOR",
      event_type: "CYCLE_STARTED",
      event_data: { kind: "question", question: "how are tokens counted" },
      status: "IN_PROGRESS",
    });
  }
  const { json } = await repository.run(["ask", "which questions failed today?", "--json"]);
  assert.match(json[0].answer, /how are tokens counted”: did not end/);
});

Deno.test("a workspace that cannot be written still answers, and says that nothing was noted", async () => {
  using repository = new Repository(FILES);
  await repository.ingest();
  new Deno.Command("chmod", { args: ["-R", "a-w", repository.at(".batos")] }).outputSync();
  const { code, out, err } = await repository.run(["ask", "how does the parser recover?"], {
    unprivileged: true,
  });
  assert.equal(code, 0, err);
  assert.match(out, /src\/parser\.ts/);
  assert.match(err, /audit trail in "[^"]+" lacks \d+ events: Permission denied/);
  const found = await repository.run(["search", "parseText"], { unprivileged: true });
  assert.deepEqual([found.code, found.err], [0, ""]);
});
