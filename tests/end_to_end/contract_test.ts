/** What tools outside rely on: every command as a process of its own, on a small repository, field by field. */
import assert from "node:assert/strict";
import { type CommandName, commands } from "../../kernel/mod.ts";
import { assertDone, command, outcome, PROJECT, Repository, ROOT, run } from "./harness.ts";

/** One ingested repository for the tests that only read. */
const shared = new Repository(PROJECT);
await shared.ingest();
globalThis.addEventListener("unload", () => shared[Symbol.dispose]());

/** Runs with --json and checks every line against the result schema of the command. */
async function results(name: CommandName, ...words: string[]) {
  const ended = await shared.run([name, ...words, "--json"]);
  assertDone(ended, [0, 1]);
  for (const line of ended.json) commands[name].result.parse(line);
  return { ...ended, first: ended.json[0] };
}

Deno.test("ingest ends with its report, and reads nothing again when nothing has changed", async () => {
  using repository = new Repository(PROJECT);
  const first = await repository.ingest();
  commands.ingest.result.parse(first);
  assert.equal(first.changed, first.files);
  assert.ok(first.files >= 8 && first.chunks >= first.files, JSON.stringify(first));
  assert.deepEqual(first.problems, []);
  const second = await repository.ingest();
  assert.equal(second.changed, 0);
  assert.equal(second.files, first.files);
  assert.equal(second.chunks, first.chunks);
  assert.equal(Deno.readTextFileSync(repository.at(".batos/.gitignore")).trim(), "*");
});

Deno.test("ingest takes in what changed, and forgets what vanished", async () => {
  using repository = new Repository(PROJECT);
  const before = await repository.ingest();
  repository.write("src/parcel.ts", "export function insured(): boolean {\n  return true;\n}\n");
  Deno.removeSync(repository.at("tools/report.py"));
  assert.equal((await repository.status()).stale, 2);
  const after = await repository.ingest();
  assert.equal(after.changed, 1);
  assert.equal(after.removed, 1);
  assert.equal(after.files, before.files - 1);
  const { json } = await repository.run(["search", "insured", "--json"]);
  assert.equal(json[0].results[0].path, "src/parcel.ts");
  assert.equal(
    (await repository.run(["search", "summarize", "--path", "tools/**", "--json"])).code,
    1,
  );
  const { fingerprint, stale } = await repository.status();
  assert.equal(stale, 0);
  await repository.ingest("--rebuild");
  assert.equal((await repository.status()).fingerprint, fingerprint);
});

Deno.test("ingest PATH looks at that path alone", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  repository.write("src/backoff.ts", "export const MAX_DELAY = 1;\n");
  repository.write("tools/report.py", "class Report2:\n    pass\n");
  const report = await repository.ingest("tools");
  assert.equal(report.changed, 1);
  assert.equal(report.removed, 0);
  assert.equal((await repository.run(["search", "--symbol", "Report2", "Report2"])).code, 0);
  assert.equal((await repository.status()).stale, 1);
});

Deno.test("ingest --root limits the workspace to a subfolder, and later runs remember it", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest("--root", "src");
  const { json } = await repository.run(["search", "retry delay", "--json", "--refresh"]);
  assert.ok(json[0].results.length > 0);
  for (const { path } of json[0].results) assert.match(path, /^src\//);
  const { files, stale } = await repository.status();
  assert.equal(files, 4);
  assert.equal(stale, 0);
  assert.ok((await repository.ingest("--root", ".")).files > 4);
});

Deno.test("ingest --dry-run lists files with reasons and writes nothing", async () => {
  using repository = new Repository({ ...PROJECT, "logo.png": new Uint8Array([0x89, 0x50, 0, 1]) });
  const { json, code } = await repository.run(["ingest", "--dry-run", "--json"]);
  assert.equal(code, 0);
  const entries = json.slice(0, -1);
  for (const line of json) commands.ingest.result.parse(line);
  assert.equal(entries.find(({ path }) => path === "src/tracker.ts").reason, undefined);
  assert.match(entries.find(({ path }) => path === "logo.png").reason, /binary/);
  assert.ok(!entries.some(({ path }) => path.startsWith("build/") && path.endsWith(".js")));
  assert.equal(typeof json.at(-1).files, "number");
  assert.throws(() => Deno.statSync(repository.at(".batos")), Deno.errors.NotFound);
});

Deno.test("search finds by words and by name, in the contract's fields", async () => {
  const { first, code } = await results("search", "when is a failed delivery tried again");
  assert.equal(code, 0);
  assert.equal(first.query, "when is a failed delivery tried again");
  const paths = first.results.map(({ path }: { path: string }) => path);
  assert.ok(paths.includes("src/backoff.ts") || paths.includes("src/tracker.ts"), paths.join());
  const named = (await results("search", "retryDelay", "-k", "1")).first.results;
  assert.equal(named.length, 1);
  assert.equal(named[0].path, "src/backoff.ts");
  const lines = PROJECT["src/backoff.ts"]!.split("\n").slice(
    named[0].start_line - 1,
    named[0].end_line,
  );
  assert.equal(named[0].text.trimEnd(), lines.join("\n").trimEnd());
});

Deno.test("search filters act inside the query", async () => {
  for (const { path } of (await results("search", "parcel", "--path", "src/**")).first.results) {
    assert.match(path, /^src\//);
  }
  for (const { path } of (await results("search", "parcel", "--lang", "python")).first.results) {
    assert.match(path, /\.py$/);
  }
  assert.ok((await results("search", "parcels", "--lang", "python")).first.results.length > 0);
  const files = (await results("search", "parcel", "--files", "-k", "50")).first.results;
  assert.equal(new Set(files.map(({ path }: { path: string }) => path)).size, files.length);
  assert.equal((await results("search", "parcel", "--lang", "cobol")).code, 1);
});

Deno.test("search --queries answers one line a query, in order", async () => {
  const queries = ["postage", "", "retry delay", 'NEAR("', "?!"];
  const file = shared.at(".batos/queries.txt");
  Deno.writeTextFileSync(file, queries.join("\n") + "\n");
  const fromFile = await results("search", "--queries", file);
  assert.deepEqual(fromFile.json.map(({ query }) => query), queries);
  assert.equal(fromFile.json[0].results[0].path, "src/parcel.ts");
  assert.deepEqual(fromFile.json[1].results, []);
  const fromInput = await shared.run(["search", "--queries", "-", "--json"], {
    stdin: queries.join("\r\n"),
  });
  assert.deepEqual(fromInput.json, fromFile.json);
});

Deno.test("search says nothing was found with exit code 1", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest("--embedder", "none");
  // With vectors there is always something that is nearest to words, and never to what holds none.
  for (
    const { code, out } of [
      await repository.run(["search", "zzzqqqxxx"]),
      await shared.run(["search", "?!"]),
    ]
  ) {
    assert.equal(code, 1);
    assert.match(out, /nothing found/);
  }
});

Deno.test("ask on a workspace without an index ingests first, and cites lines that hold", async () => {
  using repository = new Repository(PROJECT);
  const { code, json, err } = await repository.run([
    "ask",
    "How long is the pause before the next attempt?",
    "--json",
  ]);
  assert.equal(code, 0, err);
  const answer = commands.ask.result.parse(json[0]);
  assert.equal(answer.driver, "extractive");
  assert.ok(answer.citations.length > 0);
  for (const { path, start_line, end_line, status } of answer.citations) {
    assert.equal(status, "verified");
    const lines = Deno.readTextFileSync(repository.at(path)).split("\n").length;
    assert.ok(
      1 <= start_line && start_line <= end_line && end_line <= lines,
      `${path}:${start_line}-${end_line}`,
    );
  }
  assert.ok(
    answer.citations.some(({ path }) => path === "src/backoff.ts"),
    JSON.stringify(answer.citations),
  );
  assert.match(answer.cycle_id, /^[0-9a-f-]{36}$/);
});

Deno.test("ask takes in changed files first, and --no-refresh does not", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  repository.write(
    "src/customs.ts",
    "/** Duty on imported goods. */\nexport function customsDuty() {\n  return 42;\n}\n",
  );
  const cited = async (...flags: string[]) => {
    const { json } = await repository.run([
      "ask",
      "How is customs duty computed?",
      "--json",
      ...flags,
    ]);
    return json[0].citations.map(({ path }: { path: string }) => path);
  };
  assert.ok(!(await cited("--no-refresh")).includes("src/customs.ts"));
  assert.ok((await cited()).includes("src/customs.ts"));
});

Deno.test("ask in text names its sources as path:start-end", async () => {
  const { out, code } = await shared.run(["ask", "What does postage cost?"]);
  assert.equal(code, 0);
  assert.match(out, /\nSources:?\n(?:(?: {2}|- `)\S+:\d+-\d+`?\n)+/);
});

Deno.test("refs gives definitions and one reference a line of code", async () => {
  const { first, code } = await results("refs", "retryDelay");
  assert.equal(code, 0);
  assert.equal(first.target, "retryDelay");
  assert.deepEqual(
    first.definitions.map((
      d: { path: string; name: string; kind: string },
    ) => [d.path, d.name, d.kind]),
    [["src/backoff.ts", "retryDelay", "function"]],
  );
  const places = first.references.map((r: { path: string; line: number; kind: string }) =>
    `${r.path}:${r.line} ${r.kind}`
  );
  for (
    const place of [
      "src/tracker.ts:1 import",
      "src/tracker.ts:16 call",
      "tests/backoff_test.ts:1 import",
      "tests/backoff_test.ts:4 call",
    ]
  ) assert.ok(places.includes(place), `${place} in ${places.join("; ")}`);
  const lines = first.references.map((r: { path: string; line: number }) => `${r.path}:${r.line}`);
  assert.equal(new Set(lines).size, lines.length);
});

Deno.test("refs takes a place, and knows nothing about an unknown name", async () => {
  const { first } = await results("refs", "src/backoff.ts:5");
  assert.equal(first.definitions[0].name, "retryDelay");
  const unknown = await results("refs", "zzzqqqxxx");
  assert.equal(unknown.code, 1);
  assert.equal(unknown.first.target, "zzzqqqxxx");
  assert.deepEqual([...unknown.first.definitions, ...unknown.first.references], []);
  const near = await shared.run(["refs", "retryDelai"]);
  assert.match(near.err, /near ones: .*retryDelay/);
});

Deno.test("impact follows references to files and tests", async () => {
  const { first, code } = await results("impact", "retryDelay");
  assert.equal(code, 0);
  const affected = first.affected.map(({ path }: { path: string }) => path);
  assert.ok(affected.includes("src/tracker.ts"), affected.join());
  assert.deepEqual(first.tests, ["tests/backoff_test.ts"]);
  assert.ok((await results("impact", "src/backoff.ts")).first.affected.length > 0);
});

Deno.test("outline lists definitions in order", async () => {
  const { first } = await results("outline", "src/tracker.ts");
  assert.equal(first.path, "src/tracker.ts");
  const names = first.definitions.map(({ name }: { name: string }) => name);
  for (const name of ["Tracker", "add", "nextAttempt"]) {
    assert.ok(names.includes(name), names.join());
  }
  const lines = first.definitions.map((d: { start_line: number }) => d.start_line);
  assert.deepEqual(lines, lines.toSorted((a: number, b: number) => a - b));
});

Deno.test("read gives exact lines, and only of the workspace", async () => {
  const { first } = await results("read", "src/backoff.ts:5-7");
  assert.equal(first.text, PROJECT["src/backoff.ts"]!.split("\n").slice(4, 7).join("\n") + "\n");
  assert.equal(first.status, "verified");
  assert.equal((await shared.run(["read", "src/backoff.ts"])).out, PROJECT["src/backoff.ts"]);
  assert.equal((await results("read", "build/out.js")).first.status, "unindexed");
  for (
    const place of [
      "../outside.txt",
      "/etc/hostname",
      "src/nothing.ts",
      "src/backoff.ts:90-95",
      "src",
    ]
  ) {
    const refused = await shared.run(["read", place]);
    assert.equal(refused.code, 2, place);
    assert.match(refused.err, /^batos: read: [^\n]+\n$/);
  }
});

Deno.test("status counts, and its fingerprint does not depend on how the index came to be", async () => {
  const { first } = await results("status");
  assert.equal(first.stale, 0);
  assert.ok(first.index_bytes > 0 && first.source_bytes > 0 && first.summaries > 0);
  assert.equal(first.vectors, first.chunks);
  assert.equal(first.embedder, "static");
  using copy = new Repository(PROJECT);
  await copy.ingest("src");
  await copy.ingest();
  assert.equal((await copy.status()).fingerprint, first.fingerprint);
});

Deno.test("doctor finds a sound workspace sound", async () => {
  const { first, code } = await results("doctor");
  assert.equal(code, 0);
  const names = first.checks.map(({ name }: { name: string }) => name);
  for (const name of ["deno", "git", "workspace", "index", "lock"]) {
    assert.ok(names.includes(name), names.join());
  }
});

Deno.test("commands find the workspace around the current folder, and --repo points elsewhere", async () => {
  const inside = await shared.run(["search", "postage", "--json"], { cwd: shared.at("src") });
  assert.equal(inside.json[0].results[0].path, "src/parcel.ts");
  const elsewhere = await run(["search", "postage", "--json", "--repo", shared.path], { cwd: "/" });
  assert.deepEqual(elsewhere.json, inside.json);
});

Deno.test("a reader that stops early ends the command without a word", async () => {
  const script =
    `"${Deno.execPath()}" run -A "${ROOT}main.ts" search parcel -k 50 --full --repo "${shared.path}" | head -c 1`;
  const ended = outcome(
    await new Deno.Command("sh", { args: ["-c", script], stdin: "null" }).output(),
  );
  assert.equal(ended.err, "");
  assert.equal(ended.out.length, 1);
});

Deno.test("ingest --watch takes in what changes, until it is interrupted", async () => {
  using repository = new Repository(PROJECT);
  const child = command(["ingest", "--watch", "--json"], { cwd: repository.path }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const nextReport = async () => {
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) assert.fail("it ended before its report");
      text += value;
    }
    const line = text.slice(0, text.indexOf("\n"));
    text = text.slice(line.length + 1);
    return JSON.parse(line);
  };
  const first = await nextReport();
  assert.ok(first.files > 0);
  repository.write("src/new.ts", "export function brandNew() {}\n");
  const second = await nextReport();
  assert.equal(second.files, first.files + 1);
  Deno.removeSync(repository.at("src/new.ts"));
  assert.equal((await nextReport()).removed, 1);
  child.kill("SIGINT");
  await reader.cancel();
  const err = await new Response(child.stderr).text();
  assert.equal((await child.status).code, 130);
  assert.doesNotMatch(err, /^\s+at |defect/m);
  assert.equal((await repository.status()).stale, 0);
});
