/**
 * Embedders as a person meets them: named on the command line, remembered, exchanged, interrupted, missing.
 *
 * What must hold: models are tiny but real, and run by the runtimes that a person would have; a hub is on loopback; no run reads or
 * writes the models of whoever runs the tests.
 */
import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { commands } from "../../kernel/mod.ts";
import { LoopbackHub } from "../support/hub.ts";
import { tinyModel } from "../support/tiny_gguf.ts";
import { writeTinyOnnx } from "../support/tiny_onnx.ts";
import config from "../../deno.json" with { type: "json" };
import {
  assertDone,
  assertRefused,
  canMount,
  command,
  type Outcome,
  outcome,
  Repository,
  ROOT,
} from "./harness.ts";

/** Files that say what they are about in few words, none of which the questions below use. */
const SHOP: Record<string, string> = {
  "src/pixels.ts":
    "/** Shrinks an image to a thumbnail of so many pixels. */\nexport function shrinkImage(image: Image, width: number): Image {\n  return image.resize(width);\n}\n",
  "src/session.ts":
    "/** Checks the password of a user who signs in. */\nexport function login(user: User, password: string): boolean {\n  return user.password === password;\n}\n",
  "src/backoff.ts":
    "/** Pause before the next attempt: doubles with every failure. */\nexport function retryDelay(attempt: number): number {\n  return 100 * 2 ** attempt;\n}\n",
  "src/outbox.ts":
    "/** Sends an email to a recipient. */\nexport function sendEmail(recipient: string, subject: string): void {\n  outbox.push({ recipient, subject });\n}\n",
  ".gitignore": "*.gguf\nmodel*/\n",
};
/** Words of the tiny models that are in no file: what finds a file by them can only be vectors. */
const UNSEEN = "open socket tree";

/** So many chunks, each long enough that a tiny model takes a millisecond or two for it. */
function longProject(files: number): Record<string, string> {
  const project: Record<string, string> = { ".gitignore": "model*/\n" };
  for (let n = 0; n < files; n++) {
    project[`src/file${n}.ts`] = Array.from(
      { length: 8 },
      (_, f) =>
        `/** Reads the file of session ${n}. */\nexport function read${n}x${f}(path: string): string {\n` +
        `  path = open(path) + read(token, ${f}) + "user login password of the session ${n}";\n`
          .repeat(
            12,
          ) +
        "  return path;\n}\n",
    ).join("\n");
  }
  return project;
}

/** As `UNSEEN`, for these. */
const UNSEEN_IN_LONG = "retry socket tree";

/** Runs a command with no more permissions than its task in deno.json has. */
async function asTask(
  name: "search" | "ingest",
  { path }: Repository,
  ...words: string[]
): Promise<Outcome> {
  const [deno, ...args] = config.tasks[name].command.split(" ");
  assert.equal(deno, "deno");
  return outcome(
    await new Deno.Command(Deno.execPath(), {
      args: [...args, ...words, "--repo", path],
      cwd: ROOT,
      env: { NO_COLOR: "1", BATOS_DEBUG: "" },
      stdin: "null",
    }).output(),
  );
}

/** Paths that a search finds, best first. */
async function found(repository: Repository, ...words: string[]): Promise<string[]> {
  const ended = await repository.run(["search", "--json", ...words]);
  assertDone(ended, [0, 1]);
  return paths(ended);
}

function paths({ json }: Outcome): string[] {
  return json[0].results.map(({ path }: { path: string }) => path);
}

/** Asserts whose vectors the index has, and for how many of its chunks. */
async function assertVectors(
  repository: Repository,
  embedder: string | null,
  state: "none" | "partial" | "complete",
) {
  const status = commands.status.result.parse(await repository.status());
  assert.deepEqual([status.embedder, status.vectors_state], [embedder, state]);
  if (state === "none") assert.equal(status.vectors, 0);
  if (state === "complete") assert.equal(status.vectors, status.chunks);
  if (state === "partial") assert.ok(status.vectors < status.chunks, JSON.stringify(status));
  return status;
}

function remembered(repository: Repository): string {
  return JSON.parse(Deno.readTextFileSync(repository.at(".batos/settings.json"))).embedder;
}

Deno.test("ingest gives every chunk a vector, search finds by them, and none is remembered until static is named", async () => {
  using repository = new Repository(SHOP);
  await repository.ingest();
  const first = await assertVectors(repository, "static", "complete");
  for (
    const [question, path] of [
      ["authentication credentials", "src/session.ts"],
      ["photo picture", "src/pixels.ts"],
    ]
  ) {
    assert.equal((await found(repository, question!))[0], path);
  }
  await repository.ingest("--embedder", "none");
  await assertVectors(repository, null, "none");
  assert.deepEqual(await found(repository, "authentication credentials"), []);
  repository.write("src/outbox.ts", SHOP["src/outbox.ts"] + "\n");
  assert.equal((await repository.ingest()).changed, 1);
  await assertVectors(repository, null, "none");
  repository.write("src/outbox.ts", SHOP["src/outbox.ts"]!);
  await repository.ingest("--embedder", "static");
  const last = await assertVectors(repository, "static", "complete");
  assert.equal(last.fingerprint, first.fingerprint);
});

Deno.test("an ONNX model of one's own, named by a path, is used from every folder until another is named with --rebuild", async () => {
  using repository = new Repository(SHOP);
  writeTinyOnnx(repository.at("model"));
  const inner = { cwd: repository.at("src") };
  assertDone(await repository.run(["ingest", "--embedder", "transformers:../model"], inner));
  assert.equal(remembered(repository), "transformers:./model");
  const { fingerprint } = await assertVectors(repository, "transformers:./model", "complete");

  const [seen, asked, task, byWord] = await Promise.all([
    repository.run(["search", "--json", UNSEEN], inner),
    repository.run(["ask", `Where does it ${UNSEEN}?`], inner),
    asTask("search", repository, "--json", UNSEEN),
    asTask("search", repository, "--json", "retry delay"),
  ]);
  assertDone(seen);
  assert.equal(seen.err, "");
  assertDone(asked, [0, 1]);
  assert.doesNotMatch(asked.err, /without vectors/);
  // Without native code words alone are left, and one line says why.
  for (const { err } of [task, byWord]) {
    assert.match(err, /^[^\n]*"\.\/model": native code is not permitted[^\n]*without vectors\n$/);
  }
  assertDone(task, [1]);
  assertDone(byWord);
  assert.equal(paths(byWord)[0], "src/backoff.ts");

  assertRefused(
    await repository.run(["ingest", "--embedder", "static"]),
    /"static" on this index: its vectors are of "transformers:\.\/model".*ingest --rebuild.*--embedder/,
  );
  assert.equal(remembered(repository), "transformers:./model");

  Deno.renameSync(repository.at("model"), repository.at("model-gone"));
  repository.write("src/late.ts", "export const late = 1;\n");
  const without = await repository.run(["ask", "What is the retry delay?"]);
  assertDone(without);
  assert.match(
    without.err,
    /^model "[^"]*model": no such file or folder; going on without vectors\n$/,
  );
  Deno.removeSync(repository.at("src/late.ts"));
  // What cannot be made again is not thrown away.
  assertRefused(await repository.run(["ingest", "--rebuild"]), /model": no such file or folder/);
  assert.ok((await repository.status()).vectors > 0);
  Deno.renameSync(repository.at("model-gone"), repository.at("model"));
  await repository.ingest();
  const again = await assertVectors(repository, "transformers:./model", "complete");
  assert.equal(again.fingerprint, fingerprint);

  await repository.ingest("--rebuild", "--embedder", "static");
  assert.equal(remembered(repository), "static");
  await assertVectors(repository, "static", "complete");
});

Deno.test("a GGUF model of one's own is used, and refused as every other where the index is another's", async () => {
  using repository = new Repository(SHOP);
  repository.write("tiny.gguf", tinyModel({ architecture: "bert" }));
  await repository.ingest("--embedder", "llama:./tiny.gguf");
  assert.equal(remembered(repository), "llama:./tiny.gguf");
  const [seen, task, refused] = await Promise.all([
    repository.run(["search", "--json", UNSEEN]),
    asTask("search", repository, "--json", "retry delay"),
    repository.run(["ingest", "--embedder", "static"]),
  ]);
  assertDone(seen);
  assert.equal(seen.err, "");
  assertDone(task);
  assert.match(
    task.err,
    /^[^\n]*tiny\.gguf": native code is not permitted[^\n]*without vectors\n$/,
  );
  assertRefused(refused, /of "llama:\.\/tiny\.gguf".*ingest --rebuild.*--embedder/);
  await assertVectors(repository, "llama:./tiny.gguf", "complete");
  await repository.ingest("--embedder", "static", "--rebuild");
  await assertVectors(repository, "static", "complete");
});

Deno.test("a model of a hub that stops half way changes nothing; the next run goes on, and then no hub is needed", async () => {
  using repository = new Repository(SHOP);
  await repository.ingest();
  const before = await repository.status();
  using cache = new Repository({}, { git: false });
  writeTinyOnnx(cache.at("served"), { dimensions: 1024 });
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  const served = ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"];
  for (const file of served) {
    files[`acme/tiny/${file}`] = Deno.readFileSync(cache.at(`served/${file}`));
  }
  const size = files["acme/tiny/onnx/model.onnx"]!.length;
  const name = "transformers:acme/tiny";
  const change = ["ingest", "--rebuild", "--embedder", name];
  const info = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  const { denoDir } = JSON.parse(new TextDecoder().decode(info.stdout));
  const env = { XDG_CACHE_HOME: cache.path, HOME: cache.path, DENO_DIR: denoDir, HF_TOKEN: "" };
  const isWeights = ({ method, path }: { method: string; path: string }) =>
    method === "GET" && path.endsWith("/onnx/model.onnx");
  {
    await using hub = new LoopbackHub(files);
    const options = { env: { ...env, HF_ENDPOINT: hub.url } };
    let asked = 0;
    hub.fault = (request, answer) => {
      if (!isWeights(request)) return undefined;
      if (asked++ === 0) return hub.cut(answer(), size / 2);
      return new Response(null, { status: 503, headers: { "retry-after": "7200" } });
    };
    assertRefused(
      await repository.run(change, options),
      /"onnx\/model\.onnx".*answered 503.*what has come is kept, and the next pull goes on/,
    );
    assert.deepEqual(await repository.status(), before);

    const seen = hub.requests.length;
    hub.fault = (request, answer) =>
      isWeights(request)
        // Progress is told where somebody waits longer than two seconds.
        ? new Promise((done) => setTimeout(() => done(answer()), 2_100))
        : undefined;
    const ended = await repository.run(change, options);
    assertDone(ended);
    assert.match(ended.err, new RegExp(`^downloading \\d+ of ${size} onnx/model\\.onnx$`, "m"));
    const gets = hub.requests.slice(seen).filter(({ method }) => method === "GET");
    assert.deepEqual(gets.map(({ range }) => range?.replace(/\d+/, "n")), ["bytes=n-"]);
  }
  // The hub is closed.
  await assertVectors(repository, name, "complete");
  assert.equal(remembered(repository), name);
  repository.write("src/late.ts", "export const late = 1;\n");
  const options = { env: { ...env, HF_ENDPOINT: "http://127.0.0.1:1" } };
  assertDone(await repository.run(["ingest"], options));
  await assertVectors(repository, name, "complete");
  const seen = await repository.run(["search", "--json", UNSEEN], options);
  assertDone(seen);
  assert.equal(seen.err, "");
});

/** Bytes of vectors that are committed. */
function vectorBytes(repository: Repository): number {
  try {
    using index = new DatabaseSync(repository.at(".batos/image.db"), { readOnly: true });
    return Number(index.prepare("SELECT coalesce(sum(length(data)), 0) AS n FROM vector").get()!.n);
  } catch {
    return 0; // not made yet, or busy
  }
}

Deno.test("kill -9 while a model embeds: vectors rest until the next ingest has them all, and are those of one run", async () => {
  using repository = new Repository(longProject(40));
  writeTinyOnnx(repository.at("model"), { dimensions: 512 });
  const name = "transformers:./model";
  const child = command(["ingest", "--embedder", name], { cwd: repository.path }).spawn();
  while (vectorBytes(repository) === 0) await new Promise((done) => setTimeout(done, 10));
  child.kill("SIGKILL");
  assert.equal((await child.output()).signal, "SIGKILL");
  const partial = await assertVectors(repository, name, "partial");
  assert.ok(partial.vectors > 0);
  const count = `${partial.vectors} of ${partial.chunks}`;

  repository.write(".batos/queries.txt", `read token\n${UNSEEN_IN_LONG}\n`);
  const query = ["--json", "--queries", repository.at(".batos/queries.txt")];
  const [status, doctor, early] = await Promise.all([
    repository.run(["status"]),
    repository.run(["doctor", "--json"]),
    repository.run(["search", ...query]),
  ]);
  assert.match(status.out, new RegExp(`^vectors +${count}; "batos ingest" goes on$`, "m"));
  assert.deepEqual(
    doctor.json[0].checks.find((check: { name: string }) => check.name === "vectors"),
    {
      name: "vectors",
      status: "warning",
      detail: `${count} by "${name}": not used until they are complete`,
      remedy: 'run "batos ingest"',
    },
  );
  assert.equal(doctor.code, 0);
  assertDone(early);
  assert.deepEqual(early.json.map(({ results }) => results.length), [10, 0]);

  await repository.ingest();
  const resumed = await assertVectors(repository, name, "complete");
  const [late, words] = await Promise.all([
    repository.run(["search", ...query]),
    asTask("search", repository, ...query),
  ]);
  assert.deepEqual(early.json, words.json);
  assert.ok(late.json[1].results.length > 0);
  await repository.ingest("--rebuild");
  assert.equal((await repository.status()).fingerprint, resumed.fingerprint);
});

Deno.test("a name that is none and a model that embeds nothing are refused before anything is thrown away", async () => {
  using repository = new Repository(SHOP);
  await repository.ingest();
  const { fingerprint } = await repository.status();
  writeTinyOnnx(repository.at("model-cut"), { files: { "tokenizer.json": null } });
  writeTinyOnnx(repository.at("model-judge"), { output: "flat" });
  repository.write("text.gguf", "This is a text.\n");
  const cases: [string, RegExp][] = [
    ["foo", /embedder "foo": expected "static", "none", "transformers:/],
    ["transformers:./missing", /"[^"]*missing": no such file or folder/],
    ["transformers:./model-cut", /"\.\/model-cut": "tokenizer\.json" is missing/],
    ["transformers:./model-judge", /"\.\/model-judge"/],
    ["llama:./text.gguf", /text\.gguf" as a GGUF model: it starts with "This", expected "GGUF"/],
    ["llama:./model-cut", /model-cut": it is no file, expected a GGUF model/],
  ];
  for (const [name, expected] of cases) {
    assertRefused(await repository.run(["ingest", "--rebuild", "--embedder", name]), expected);
  }
  const after = await assertVectors(repository, "static", "complete");
  assert.equal(after.fingerprint, fingerprint);
  assert.throws(() => Deno.statSync(repository.at(".batos/settings.json")), Deno.errors.NotFound);
});

Deno.test("a model that gives no numbers for some text stores none of its vectors, and words go on finding", async () => {
  using repository = new Repository({ ...SHOP, "src/read.ts": "export const read = 1;\n" });
  writeTinyOnnx(repository.at("model"), { notANumber: true });
  const name = "transformers:./model";
  assertRefused(
    await repository.run(["ingest", "--embedder", name]),
    /"\.\/model": value 0 of one is NaN, expected finite numbers/,
  );
  await assertVectors(repository, name, "partial");
  assert.equal((await found(repository, "retry delay"))[0], "src/backoff.ts");
  await repository.ingest("--embedder", "none");
  await repository.ingest("--embedder", "static");
  await assertVectors(repository, "static", "complete");
});

Deno.test({
  name: canMount()
    ? "a disk that fills up while a model embeds ends ingest with one line, and the next goes on"
    : "a disk that fills up while a model embeds (skipped: needs root to mount)",
  ignore: !canMount(),
  async fn() {
    using repository = new Repository(longProject(20));
    writeTinyOnnx(repository.at("model"), { dimensions: 2048 });
    const target = repository.at(".batos");
    Deno.mkdirSync(target);
    const mount = (...args: string[]) =>
      assert.ok(new Deno.Command("mount", { args }).outputSync().success);
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", target);
    try {
      await repository.ingest("--embedder", "none");
      const { bavail, bsize } = statfsSync(target);
      // Room for settings and a few pages, but not for 160 vectors of 2 kB.
      repository.write(".batos/ballast", new Uint8Array(bavail * bsize - 128_000));
      const name = "transformers:./model";
      assertRefused(
        await repository.run(["ingest", "--quiet", "--embedder", name]),
        /disk is full|no space/i,
      );
      await assertVectors(repository, name, "partial");
      assert.ok((await found(repository, "read3x3")).includes("src/file3.ts"));
      Deno.removeSync(repository.at(".batos/ballast"));
      await repository.ingest();
      await assertVectors(repository, name, "complete");
    } finally {
      new Deno.Command("umount", { args: [target] }).outputSync();
    }
  },
});
