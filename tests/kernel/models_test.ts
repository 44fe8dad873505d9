/** The store of models against a real hub on loopback: what comes, what is found without a network, what is refused. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { type DownloadProgress, ModelError } from "../../kernel/mod.ts";
import { ModelStore } from "../../kernel/models.ts";
import { LoopbackHub } from "../support/hub.ts";
import {
  beganIn,
  CONFIG,
  FILE,
  filesIn,
  firstTimes,
  HALF,
  holds,
  isGet,
  pullingProcess,
  refuses,
  sha256,
  storeOf,
  temporaryFolder,
  WEIGHTS,
} from "../support/models.ts";

Deno.test("pull() brings a file, whole and checked, and says how far it is", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => true);
  const store = storeOf(hub, folder.path);
  assert.equal(store.find(FILE), undefined);
  const seen: DownloadProgress[] = [];
  const path = await store.pull(FILE, { onProgress: (progress) => seen.push(progress) });
  holds(path, WEIGHTS);
  assert.equal(store.find(FILE), path);
  assert.deepEqual(filesIn(folder.path), ["model.json", "weights.gguf"]);
  const [first, last] = [seen[0]!, seen.at(-1)!];
  assert.deepEqual([first.done, first.total, first.file], [0, WEIGHTS.length, "weights.gguf"]);
  assert.deepEqual([last.done, last.total], [WEIGHTS.length, WEIGHTS.length]);
  assert.ok(last.bytesPerSecond > 0);
  const [model] = store.list();
  const { date, bytes, ...rest } = model!;
  assert.deepEqual(rest, {
    reference: FILE,
    path,
    revision: hub.commit,
    complete: true,
    files: [{ path: "weights.gguf", size: WEIGHTS.length, sha256: sha256(WEIGHTS) }],
  });
  assert.ok(bytes > WEIGHTS.length && Math.abs(Date.parse(date) - Date.now()) < 60_000);
});

Deno.test("pull() brings a folder of one revision, with what is optional where there is such a thing", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({
    "acme/tiny/config.json": "{}",
    "acme/tiny/onnx/model.onnx": WEIGHTS,
    "acme/tiny/tokenizer.json": "[]",
  }, (file) => file.endsWith(".onnx"));
  const store = storeOf(hub, folder.path);
  const files = {
    required: ["config.json", "onnx/model.onnx"],
    optional: ["tokenizer.json", "special.json"],
  };
  const path = await store.pull("hf:acme/tiny", { files });
  assert.equal(Deno.readTextFileSync(join(path, "tokenizer.json")), "[]");
  holds(join(path, "onnx", "model.onnx"), WEIGHTS);
  assert.deepEqual(filesIn(folder.path), [
    "config.json",
    "model.json",
    "onnx/model.onnx",
    "tokenizer.json",
  ]);
  const first = hub.requests.findIndex(isGet);
  for (const request of hub.requests.slice(first).filter(({ host }) => host === "hub")) {
    assert.match(request.path, new RegExp(`^/acme/tiny/resolve/${hub.commit}/`));
  }
  const asked = hub.requests.length;
  assert.equal(await store.pull("hf:acme/tiny", { files }), path);
  assert.equal(hub.requests.length, asked, "what is here is not asked for again");
  assert.equal(store.find("hf:acme/tiny", ["config.json"]), path);
  assert.equal(store.find("hf:acme/tiny", ["onnx/model_quantized.onnx"]), undefined);
});

Deno.test("pull() adds a file to a folder in the revision of those that are here", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/a.json": "1", "acme/tiny/b.json": "2" });
  const store = storeOf(hub, folder.path);
  await store.pull("hf:acme/tiny", { files: { required: ["a.json"] } });
  const commit = hub.commit;
  hub.commit = "f".repeat(40);
  hub.requests.length = 0;
  await store.pull("hf:acme/tiny", { files: { required: ["a.json", "b.json"] } });
  assert.deepEqual(hub.requests.map(({ path }) => path), [`/acme/tiny/resolve/${commit}/b.json`]);
  assert.equal(store.list()[0]!.revision, commit);
});

Deno.test("pull() asks again for a file that was optional and missing when it is required", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/a.json": "1" });
  const store = storeOf(hub, folder.path);
  await store.pull("hf:acme/tiny", { files: { required: ["a.json"], optional: ["b.json"] } });
  hub.files.set("acme/tiny/b.json", new TextEncoder().encode("2"));
  const path = await store.pull("hf:acme/tiny", { files: { required: ["a.json", "b.json"] } });
  assert.equal(Deno.readTextFileSync(join(path, "b.json")), "2");
});

Deno.test("pull() brings all parts of a split GGUF and names the first", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({
    "acme/split/q4/m-00001-of-00003.gguf": "one",
    "acme/split/q4/m-00002-of-00003.gguf": "two",
    "acme/split/q4/m-00003-of-00003.gguf": "three",
  });
  const store = storeOf(hub, folder.path);
  const path = await store.pull("hf:acme/split/q4/m-00002-of-00003.gguf");
  assert.match(path, /m-00001-of-00003\.gguf$/);
  const third = (first: string) => join(dirname(first), "m-00003-of-00003.gguf");
  assert.equal(Deno.readTextFileSync(third(path)), "three");
  assert.equal(store.find("hf:acme/split/q4/m-00001-of-00003.gguf"), path);
  const address = await store.pull(`${hub.storageUrl}/acme/split/q4/m-00001-of-00003.gguf`);
  assert.equal(Deno.readTextFileSync(third(address)), "three");
});

Deno.test("pull() says what was not found", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  const file = await refuses(store.pull("hf:acme/tiny/nope.gguf"), /no file "nope\.gguf"/, /404/);
  assert.equal(file.kind, "missing");
  await refuses(store.pull("hf:acme/other/nope.gguf"), /no such model/);
  await refuses(
    store.pull("hf:acme/tiny", { files: { required: ["weights.gguf", "config.json"] } }),
    /no file "config\.json"/,
  );
  assert.ok(!hub.requests.some(({ method, path }) => method === "GET" && path.endsWith("s.gguf")));
  await refuses(store.pull("hf:acme/tiny"), /name the one to bring/);
});

Deno.test("two pulls at once bring a file once, and the second says what it waits for", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const waited: string[] = [];
  const [first, second] = await Promise.all([
    storeOf(hub, folder.path).pull(FILE),
    storeOf(hub, folder.path).pull(FILE, {
      onWait: (holder) => waited.push(holder?.command ?? ""),
    }),
  ]);
  assert.equal(first, second);
  holds(first, WEIGHTS);
  assert.equal(hub.requests.length, 1);
  assert.deepEqual(waited, [`model ${FILE}`]);
});

Deno.test("two processes at once bring a file once", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const run = async () => {
    const { stdout, stderr, success } = await pullingProcess(hub, folder.path).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim();
  };
  const paths = await Promise.all([run(), run()]);
  assert.equal(paths[0], paths[1]);
  holds(paths[0]!, WEIGHTS);
  assert.equal(hub.requests.filter(isGet).length, 1);
});

Deno.test("find() needs no network, and pull() without one says what is here", async () => {
  using folder = temporaryFolder();
  let store: ModelStore;
  let path: string;
  {
    await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
    store = storeOf(hub, folder.path);
    path = await store.pull(FILE);
  }
  assert.equal(store.find(FILE), path);
  assert.equal(await store.pull(FILE), path);
  const error = await refuses(
    store.pull("hf:acme/other/x.gguf"),
    /cannot reach 127\.0\.0\.1/,
    /here already: "hf:acme\/tiny\/weights\.gguf"$/,
  );
  assert.equal(error.kind, "unreachable");
  await store.remove(FILE);
  await refuses(store.pull("hf:acme/other/x.gguf"), /no model is in ".*" yet$/);
});

Deno.test("find() finds nothing where a file is missing, short, or the manifest is damaged", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  const path = await store.pull(FILE);
  Deno.truncateSync(path, 10);
  assert.equal(store.find(FILE), undefined);
  assert.equal(store.list()[0]!.complete, false);
  holds(await store.pull(FILE), WEIGHTS);
  Deno.writeTextFileSync(join(path, "..", "model.json"), "{ torn");
  assert.equal(store.find(FILE), undefined);
  assert.deepEqual(store.list(), []);
  assert.equal(await store.pull(FILE), path);
  Deno.removeSync(path);
  assert.equal(store.find(FILE), undefined);
});

Deno.test("list() and remove() know what is here, by revision", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  assert.deepEqual(store.list(), []);
  const address = `${hub.storageUrl}/acme/tiny/weights.gguf`;
  await store.pull("hf:acme/tiny@v1/weights.gguf");
  await store.pull("hf:acme/tiny@main/weights.gguf");
  await store.pull(address);
  assert.deepEqual(
    store.list().map(({ reference }) => reference),
    [FILE, "hf:acme/tiny@v1/weights.gguf", address].sort(),
  );
  assert.ok(hub.requests.some(({ path }) => path === "/acme/tiny/resolve/v1/weights.gguf"));
  assert.equal(await store.remove("hf:acme/tiny@v1/weights.gguf"), true);
  assert.equal(await store.remove("hf:acme/tiny@v1/weights.gguf"), false);
  assert.equal(store.list().length, 2);
  assert.notEqual(store.find(FILE), undefined);
});

Deno.test("a pull that gives up waiting takes nothing from under the one that it waited for", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  // The first has asked for the file and has not one byte of it yet.
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  hub.fault = async (_request, right) => {
    ask();
    await answered;
    return right();
  };
  const first = store.pull(FILE);
  await asked;
  await assert.rejects(
    storeOf(hub, folder.path).pull(FILE, { signal: AbortSignal.timeout(50) }),
    { name: "TimeoutError" },
  );
  answer();
  holds(await first, WEIGHTS);
});

Deno.test("remove() takes nothing from under a pull", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  hub.fault = firstTimes(1, isGet, (answer) => hub.stall(answer, HALF));
  const abort = new AbortController();
  const pull = assert.rejects(
    store.pull(FILE, { signal: abort.signal }),
    { name: "AbortError" },
  );
  await beganIn(store);
  await assert.rejects(store.remove(FILE), { name: "WorkspaceLockedError" });
  abort.abort();
  await pull;
  assert.equal(await store.remove(FILE), true);
  assert.deepEqual(filesIn(folder.path), []);
});

Deno.test("a path is a person's own file: found where it is, never removed", async () => {
  using folder = temporaryFolder();
  const store = new ModelStore({ folder: join(folder.path, "store") });
  const path = join(folder.path, "mine.gguf");
  assert.equal(store.find(path), undefined);
  await refuses(store.pull(path), /no such file or folder/);
  Deno.writeTextFileSync(path, "GGUF");
  assert.equal(store.find(path), path);
  assert.equal(await store.pull(path), path);
  await refuses(store.remove(path), /a file of yours/);
  assert.equal(Deno.readTextFileSync(path), "GGUF");
});

Deno.test("no file name leads out of the folder of its model", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({});
  const store = storeOf(hub, folder.path);
  for (
    const name of [
      "../x",
      "a/../../x",
      "/etc/x",
      "a//b",
      "..\\x",
      "C:x",
      "model.json",
      "x.part",
      "a\0b",
      "x.",
      "",
    ]
  ) {
    await refuses(
      store.pull("hf:acme/tiny", { files: { required: ["a", name] } }),
      /the file name ".*" (leads out|holds|is one)/s,
    );
  }
  await refuses(store.pull(`${hub.url}/%2e%2e%2fx`), /the name of the file leads out/);
  await refuses(store.pull(`${hub.url}/folder/`), /the name of the file is missing/);
  assert.deepEqual(hub.requests, []);
});

Deno.test("without permission to connect, pull() says what to run instead", async () => {
  using folder = temporaryFolder();
  const module = new URL("../../kernel/models.ts", import.meta.url).href;
  const code = `import { ModelStore } from "${module}";
    const store = new ModelStore({ folder: ${JSON.stringify(folder.path)} });
    for (const howToPermit of ["run deno task model", undefined]) {
      await store.pull("${FILE}", { howToPermit }).catch((error) => console.log(error.message));
    }
    const elsewhere = new ModelStore({ folder: ${JSON.stringify(folder.path + "_not")} });
    await elsewhere.pull("${FILE}", { howToPermit: "run deno task model" })
      .catch((error) => console.log(error.message));`;
  const script = join(folder.path, "pull.ts");
  Deno.writeTextFileSync(script, code);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-lock",
      `--config=${CONFIG}`,
      "--deny-net",
      "--ignore-env",
      "--allow-read",
      `--allow-write=${folder.path}`,
      script,
    ],
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assert.deepEqual(lines, [
    `pull "${FILE}": this process may not connect to "huggingface.co"; run deno task model`,
    `pull "${FILE}": this process may not connect to "huggingface.co"; start it with --allow-net=huggingface.co`,
    `pull "${FILE}": this process may not write "${folder.path}_not"; run deno task model`,
  ], new TextDecoder().decode(stderr));
  assert.deepEqual(new ModelStore({ folder: folder.path }).list(), [], "nothing to go on with");
});

Deno.test("a hub that is no address and a token that cannot be one are refused at once", () => {
  const folder = "/nowhere";
  assert.throws(() => new ModelStore({ folder, hub: "ftp://x" }), /"ftp:\/\/x" .*expected one/);
  assert.throws(
    () => new ModelStore({ folder, token: "a\nb" }),
    (error) => error instanceof ModelError && !error.message.includes("a\nb"),
  );
});
