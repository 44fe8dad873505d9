/** What is thrown at the command line that it must survive: every refusal one line, nothing lost, nothing half done. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { WorkspaceLock } from "../../kernel/mod.ts";
import {
  assertDone,
  assertRefused,
  canMount,
  command,
  outcome,
  PROJECT,
  Repository,
  run,
} from "./harness.ts";

/** Many files, so that an ingest takes long enough to be interrupted. */
function largeProject(files: number): Record<string, string> {
  const project: Record<string, string> = {};
  for (let n = 0; n < files; n++) {
    const functions = Array.from(
      { length: 40 },
      (_, f) =>
        `/** Step ${f} of part ${n}. */\nexport function step${n}x${f}(input: number[]): number {\n` +
        `  return input.map((value) => value * ${f} + ${n}).reduce((a, b) => a + b, 0);\n}\n`,
    );
    project[`src/part${n % 20}/file${n}.ts`] = functions.join("\n");
  }
  return project;
}

const shared = new Repository(PROJECT);
await shared.ingest();
globalThis.addEventListener("unload", () => shared[Symbol.dispose]());

Deno.test("a folder that is no repository is refused, unless it is named or ingested", async () => {
  using folder = new Repository({ "notes.txt": "The harbour opens at six.\n" }, { git: false });
  for (const words of [["ask", "x"], ["search", "x"], ["refs", "x"], ["status"]]) {
    assertRefused(
      await folder.run(words),
      /neither a repository nor ingested.*--repo.*"batos ingest"/,
    );
  }
  assert.throws(() => Deno.statSync(folder.at(".batos")), Deno.errors.NotFound);
  assertDone(await folder.run(["ingest"]));
  assertDone(await folder.run(["search", "harbour"]));
  using pointed = new Repository({ "docs/a.txt": "The lighthouse is white.\n" }, { git: false });
  assertDone(await run(["ingest", pointed.at("docs")], { cwd: "/" }));
  assertDone(await run(["search", "lighthouse"], { cwd: pointed.at("docs") }));
  using named = new Repository({ "notes.txt": "The harbour opens at six.\n" }, { git: false });
  assertDone(await run(["search", "harbour", "--repo", named.path]));
});

Deno.test("--repo that is no folder is refused", async () => {
  assertRefused(
    await run(["status", "--repo", "/no/such/folder"]),
    /--repo "\/no\/such\/folder": no such folder/,
  );
  assertRefused(
    await run(["status", "--repo", shared.at("README.md")]),
    /it is a file; name the folder/,
  );
  assertRefused(
    await run(["ingest", "--repo", shared.path, "--root", "nothing"]),
    /--root "nothing": no such folder/,
  );
  assertRefused(await run(["ingest", "/etc", "--repo", shared.path]), /outside the workspace/);
});

Deno.test("status without an index says what to run", async () => {
  using repository = new Repository(PROJECT);
  assertRefused(await repository.run(["status"]), /ingest/);
});

Deno.test("an empty repository is ingested, and nothing is found in it", async () => {
  using repository = new Repository();
  const report = await repository.ingest();
  assert.equal(report.files, 0);
  assertDone(await repository.run(["search", "anything"]), [1]);
  const asked = await repository.run(["ask", "What is this?"]);
  assertDone(asked, [1]);
  assert.match(asked.err, /there is no file in the index; "batos ingest --dry-run" says/);
  assertDone(await repository.run(["refs", "anything"]), [1]);
  const status = await repository.status();
  assert.deepEqual([status.files, status.chunks, status.stale], [0, 0, 0]);
});

Deno.test("flags, commands and queries that mean nothing are refused with what would be right", async () => {
  const cases: [string[], RegExp][] = [
    [["search", "--limt", "3", "x"], /unknown option '--limt'; did you mean --limit\?/],
    [["ingset"], /unknown command 'ingset'; did you mean ingest\?/],
    [["search", ""], /QUERY: it is empty/],
    [["ask", "  "], /QUESTION: it is empty/],
    [["refs", ""], /it is empty/],
    [["search", "x", "-k", "-1"], /--limit "-1": expected a whole number from 1 to 1000/],
    [["search", "--queries", "/no/such/file"], /--queries "\/no\/such\/file"/],
    [["outline", "no/such/file.ts"], /"no\/such\/file.ts": not in the index/],
  ];
  for (const [words, expected] of cases) assertRefused(await shared.run(words), expected);
});

Deno.test("queries of punctuation, query syntax and enormous length are queries like any other", async () => {
  const odd = [
    '"',
    "*",
    "NEAR(",
    'NEAR("a" "b", 3)',
    "AND OR NOT",
    "path: foo",
    "-parcel",
    "^parcel",
    "(",
    "'; DROP TABLE chunk; --",
    "{}[]",
    "\\",
    "%_",
    "?!.,;:",
    "🚚",
    "\u0000",
    "parcel\u0000parcel",
    "ﬁ Ⅷ ½",
    "a".repeat(100_000),
    "parcel ".repeat(15_000),
  ];
  const file = shared.at(".batos/odd.txt");
  Deno.writeTextFileSync(file, odd.join("\n"));
  const ended = await shared.run(["search", "--queries", file, "--json"]);
  assertDone(ended, [0]);
  assert.deepEqual(ended.json.map(({ query }) => query), odd);
  assert.ok(ended.json.at(-1).results.length > 0);
  assertDone(await shared.run(["search", "parcel ".repeat(14_000)]), [0]);
  assertDone(await shared.run(["search", "--", '-"*']), [0, 1]);
  assertDone(await shared.run(["ask", '"NEAR( * parcel']), [0, 1]);
  assertDone(await shared.run(["search", "x", "--path", "[[[{"]), [1]);
});

Deno.test("files that are not what they seem lose nothing else", async () => {
  using repository = new Repository(PROJECT);
  const binary = Uint8Array.from({ length: 4000 }, (_, n) => (n * 7919) % 256);
  repository.write("src/binary.ts", binary);
  repository.write("src/deep.ts", `const x = ${"[".repeat(50_000)}${"]".repeat(50_000)};\n`);
  repository.write("src/deep.json", `${"[".repeat(20_000)}${"]".repeat(20_000)}\n`);
  repository.write(
    "src/broken.ts",
    "export function almost( {\n  return }}}} class\nexport const survivor = 1;\n",
  );
  const latin = new TextEncoder().encode("// grüße\nexport const greeting = 'caf_';\n");
  latin[latin.indexOf(0x5f)] = 0xe9;
  repository.write("src/latin.ts", latin);
  repository.write("src/empty.ts", "");
  repository.write(
    "src/bom.ts",
    "\ufeffexport const withMark = 1;\r\nexport const second = 2;\r\n",
  );
  const report = await repository.ingest();
  assert.ok(report.files >= 10, JSON.stringify(report));
  const dry = await repository.run(["ingest", "--dry-run", "--json"]);
  assert.match(dry.json.find(({ path }) => path === "src/binary.ts").reason, /binary/);
  for (const name of ["survivor", "greeting", "withMark", "retryDelay"]) {
    const { json } = await repository.run(["search", name, "--json"]);
    assert.ok(json[0].results.some(({ text }: { text: string }) => text.includes(name)), name);
  }
  assert.equal((await repository.status()).stale, 0);
});

Deno.test("a line of 20 MB is taken in or left out with a reason, and the rest is found", async () => {
  using repository = new Repository(PROJECT);
  repository.write("src/huge.ts", `export const data = "${"abcdefghi ".repeat(2_000_000)}";\n`);
  repository.write("huge.txt", "word ".repeat(4_000_000));
  assertDone(await repository.run(["ingest"]));
  const { json } = await repository.run(["search", "retryDelay", "--json", "-k", "1"]);
  assert.equal(json[0].results[0].path, "src/backoff.ts");
});

Deno.test("links in circles and links that lead out are not followed", async () => {
  using outside = new Repository({ "secret.txt": "The treasure lies below the lighthouse.\n" }, {
    git: false,
  });
  using repository = new Repository(PROJECT);
  Deno.symlinkSync("..", repository.at("src/parent"));
  Deno.symlinkSync("self", repository.at("self"));
  Deno.symlinkSync(outside.path, repository.at("outside"));
  Deno.symlinkSync(outside.at("secret.txt"), repository.at("secret.txt"));
  await repository.ingest();
  const { out } = await repository.run(["search", "treasure lighthouse", "--json"]);
  assert.doesNotMatch(out, /secret|The treasure/);
  assertRefused(await repository.run(["read", "secret.txt"]), /leads out of the workspace/);
  assertRefused(await repository.run(["read", "outside/secret.txt"]), /leads out of the workspace/);
  assertRefused(await repository.run(["read", "self"]), /"self"/);
});

Deno.test("a file that cannot be read is reported, and the others are taken in", async () => {
  using repository = new Repository(PROJECT);
  Deno.chmodSync(repository.at("src/parcel.ts"), 0);
  const { json, code } = await repository.run(["ingest", "--json"], { unprivileged: true });
  assert.equal(code, 0);
  assert.ok(json.at(-1).files >= 7);
  const dry = await repository.run(["ingest", "--dry-run", "--json"], { unprivileged: true });
  assert.match(dry.json.find(({ path }) => path === "src/parcel.ts").reason, /permission/);
});

Deno.test("a folder that cannot be written: refused without an index, searched with one", async () => {
  using repository = new Repository(PROJECT);
  Deno.chmodSync(repository.path, 0o555);
  for (const words of [["ingest"], ["ask", "x"], ["search", "x"]]) {
    assertRefused(
      await repository.run(words, { unprivileged: true }),
      /cannot write ".*\.batos".*permission denied/,
    );
  }
  Deno.chmodSync(repository.path, 0o755);
  await repository.ingest();
  repository.write("src/parcel.ts", "export const changed = 1;\n");
  const frozen = ["-R", "a-w", repository.path];
  assert.ok(new Deno.Command("chmod", { args: frozen }).outputSync().success);
  const options = { unprivileged: true };
  const found = await repository.run(["search", "retryDelay", "--json"], options);
  assertDone(found);
  assert.equal(found.json[0].results[0].path, "src/backoff.ts");
  const answered = await repository.run(["ask", "What is the retry delay?"], options);
  assertDone(answered);
  assert.match(answered.err, /going on with the index as it is/);
  assertDone(await repository.run(["status"], options));
  assertDone(await repository.run(["refs", "retryDelay"], options));
  assertRefused(await repository.run(["ingest"], options), /cannot write/);
});

Deno.test("an index of a newer version is left alone, and the refusal says so", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  const path = repository.at(".batos/image.db");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 9999");
  database.close();
  const before = Deno.readFileSync(path);
  for (
    const words of [["search", "x"], ["ask", "x"], ["ingest"], ["ingest", "--rebuild"], ["status"]]
  ) {
    assertRefused(await repository.run(words), /9999.*update batos/);
  }
  assert.deepEqual(Deno.readFileSync(path), before);
});

Deno.test("a damaged index is named, rebuilt on demand, and kept", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  const { fingerprint } = await repository.status();
  const path = repository.at(".batos/image.db");
  const garbage = crypto.getRandomValues(new Uint8Array(4096));
  Deno.writeFileSync(path, garbage);
  for (const suffix of ["-wal", "-shm"]) await Deno.remove(path + suffix).catch(() => {}); // may not be there
  for (const words of [["search", "x"], ["ask", "x"], ["ingest"], ["status"]]) {
    assertRefused(await repository.run(words), /image\.db.*--rebuild/);
  }
  assert.deepEqual(Deno.readFileSync(path), garbage);
  await repository.ingest("--rebuild");
  assert.equal((await repository.status()).fingerprint, fingerprint);
  const kept = [...Deno.readDirSync(repository.at(".batos"))].filter(({ name }) =>
    name.startsWith("image.db.damaged")
  );
  assert.equal(kept.length, 1);
  assert.deepEqual(Deno.readFileSync(join(repository.at(".batos"), kept[0]!.name)), garbage);
});

Deno.test("an index that lost its second half never brings a wrong answer or a stack trace", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  const path = repository.at(".batos/image.db");
  Deno.truncateSync(path, Math.floor(Deno.statSync(path).size / 2 / 4096) * 4096);
  for (const words of [["search", "parcel"], ["ask", "parcel"], ["status"]]) {
    const { code, err } = await repository.run(words);
    assert.doesNotMatch(err, /^\s+at |defect/m);
    if (code === 2) assert.match(err, /--rebuild/);
  }
  await repository.ingest("--rebuild");
  assertDone(await repository.run(["search", "retryDelay"]));
});

Deno.test("settings that nobody can read are named", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  repository.write(".batos/settings.json", "{ root: src }");
  assertRefused(await repository.run(["ingest"]), /settings\.json/);
});

Deno.test("a second writer waits for the first, or says who it is", async () => {
  using repository = new Repository(PROJECT);
  {
    using _held = await WorkspaceLock.acquire(repository.at(".batos/lock"), {
      command: "batos ingest",
    });
    const refused = await repository.run(["ingest", "--wait", "0"]);
    assertRefused(refused, new RegExp(`held by process ${Deno.pid} \\("batos ingest"`));
  }
  const both = await Promise.all([
    repository.run(["ingest", "--json"]),
    repository.run(["ingest", "--json"]),
  ]);
  for (const ended of both) assertDone(ended);
  assert.equal(both[0]!.json.at(-1).files, both[1]!.json.at(-1).files);
  assert.equal(
    both[0]!.json.at(-1).changed + both[1]!.json.at(-1).changed,
    both[0]!.json.at(-1).files,
  );
});

Deno.test("readers are not disturbed by a writer, and see whole states only", async () => {
  using repository = new Repository(largeProject(60));
  await repository.ingest("src/part0");
  const writer = repository.run(["ingest", "--json"]);
  for (let n = 0; n < 3; n++) {
    const found = await repository.run(["search", "step0x7", "--json", "-k", "1"]);
    assertDone(found);
    assert.match(found.json[0].results[0].text, /step0x7/);
  }
  assertDone(await writer);
});

Deno.test("kill -9 at any moment: readers work, the next run continues, the result is that of a rebuild", async () => {
  using repository = new Repository(largeProject(150));
  for (const ms of [300, 450, 600]) {
    const child = command(["ingest"], { cwd: repository.path }).spawn();
    await new Promise((done) => setTimeout(done, ms));
    try {
      child.kill("SIGKILL");
    } catch {
      // It was faster than that.
    }
    await child.output();
    if (ms === 450) assertDone(await repository.run(["search", "step3x3"]), [0, 1]);
  }
  const report = await repository.ingest();
  assert.equal(report.files, 150);
  const { fingerprint, stale } = await repository.status();
  assert.equal(stale, 0);
  await repository.ingest("--rebuild");
  assert.equal((await repository.status()).fingerprint, fingerprint);
});

Deno.test("Ctrl-C ends an ingest with one line and exit code 130; the next run continues", async () => {
  using repository = new Repository(largeProject(150));
  const child = command(["ingest"], { cwd: repository.path }).spawn();
  // The lock is taken before the first file is read.
  while (!(await Deno.stat(repository.at(".batos/lock")).catch(() => undefined))?.size) {
    await new Promise((done) => setTimeout(done, 5));
  }
  child.kill("SIGINT");
  const ended = outcome(await child.output());
  assert.equal(ended.code, 130);
  assert.equal(ended.err, "batos: ingest: interrupted\n");
  assert.equal((await repository.ingest()).files, 150);
});

Deno.test("files that change while they are read end up as they are on disk", async () => {
  using repository = new Repository(largeProject(80));
  const child = repository.run(["ingest", "--json"]);
  let running = true;
  child.finally(() => running = false);
  for (let n = 0; running; n++) {
    repository.write("src/part1/file1.ts", `export const revision = ${n};\n`.repeat(1 + n % 50));
    await new Promise((done) => setTimeout(done, 1));
  }
  assertDone(await child);
  repository.write("src/part1/file1.ts", "export const lastRevision = 1;\n");
  await repository.ingest();
  const { json } = await repository.run(["search", "lastRevision", "--json", "-k", "1"]);
  assert.equal(json[0].results[0].text, "export const lastRevision = 1;\n");
  const { fingerprint } = await repository.status();
  await repository.ingest("--rebuild");
  assert.equal((await repository.status()).fingerprint, fingerprint);
});

Deno.test({
  name: canMount()
    ? "a full disk ends ingest with one line and loses nothing"
    : "a full disk (skipped: needs root to mount)",
  ignore: !canMount(),
  async fn() {
    using repository = new Repository(largeProject(30));
    Deno.mkdirSync(repository.at(".batos"));
    const mount = (...args: string[]) =>
      assert.ok(new Deno.Command("mount", { args }).outputSync().success);
    const target = repository.at(".batos");
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", target);
    try {
      await repository.ingest();
      const { fingerprint } = await repository.status();
      for (const [path, text] of Object.entries(largeProject(300))) repository.write(path, text);
      assertRefused(await repository.run(["ingest", "--quiet"]), /disk is full|no space/i);
      assertDone(await repository.run(["search", "step3x3"]));
      for (let n = 30; n < 300; n++) {
        Deno.removeSync(repository.at(`src/part${n % 20}/file${n}.ts`));
      }
      mount("-o", "remount,size=64m", target);
      await repository.ingest();
      assert.equal((await repository.status()).fingerprint, fingerprint);
    } finally {
      new Deno.Command("umount", { args: [target] }).outputSync();
    }
  },
});
