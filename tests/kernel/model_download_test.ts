/** Files from a real hub on loopback that breaks, stalls, lies, asks for patience or a token: what comes and what stays. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type HubRequest, LoopbackHub } from "../support/hub.ts";
import {
  beganIn,
  FILE,
  filesIn,
  firstTimes,
  HALF,
  holds,
  isGet,
  pattern,
  pullingProcess,
  refuses,
  sha256,
  storeOf,
  temporaryFolder,
  TOKEN,
  WEIGHTS,
} from "../support/models.ts";

Deno.test("pull() goes on where a broken connection ended, with the rest only", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => true);
  const store = storeOf(hub, folder.path);
  const isFile = ({ host, method }: HubRequest) => host === "storage" && method === "GET";
  hub.fault = firstTimes(1, isFile, (answer) => hub.cut(answer, HALF));
  await refuses(store.pull(FILE), /"weights\.gguf"/, /the next pull goes on from there$/);
  assert.equal(store.find(FILE), undefined);
  assert.deepEqual(store.list().map(({ complete }) => complete), [false]);
  const [part] = filesIn(folder.path).filter((path) => path.endsWith(".part"));
  assert.equal(part, "weights.gguf.part");

  hub.requests.length = 0;
  const path = await store.pull(FILE);
  holds(path, WEIGHTS);
  assert.deepEqual(filesIn(folder.path), ["model.json", "weights.gguf"]);
  const [request] = hub.requests.filter(isFile);
  assert.equal(request!.range, `bytes=${HALF}-`);
  assert.match(request!.ifRange!, /^"/);
});

Deno.test("pull() goes on by itself after a broken connection", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  hub.fault = firstTimes(2, isGet, (answer) => hub.cut(answer, 60_000));
  const path = await storeOf(hub, folder.path, { retries: 2 }).pull(FILE);
  holds(path, WEIGHTS);
  const ranges = hub.requests.filter(isGet).map(({ range }) => range);
  assert.equal(ranges.length, 3);
  assert.ok(ranges[1] !== null && ranges[2] !== null);
});

for (const where of ["of the hub", "behind the hub", "of an address"]) {
  Deno.test(`pull() joins no bytes of two versions: a file ${where} that changed comes from its start`, async () => {
    using folder = temporaryFolder();
    const isLarge = where === "behind the hub";
    await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => isLarge);
    if (where === "of an address") hub.commit = undefined;
    const reference = where === "of an address" ? `${hub.storageUrl}/acme/tiny/weights.gguf` : FILE;
    const store = storeOf(hub, folder.path);
    hub.fault = firstTimes(
      1,
      ({ host }) => (host === "storage") === (where !== "of the hub"),
      (answer) => hub.cut(answer, HALF),
    );
    await refuses(store.pull(reference), /the next pull goes on/);
    const changed = pattern(WEIGHTS.length, 2);
    hub.files.set("acme/tiny/weights.gguf", changed);
    const path = await store.pull(reference);
    holds(path, changed);
    assert.equal(store.list()[0]!.files[0]!.sha256, sha256(changed));
  });
}

Deno.test("pull() starts again where the server ignores If-Range and serves another version", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  hub.fault = firstTimes(1, isGet, (answer) => hub.cut(answer, HALF));
  await refuses(store.pull(FILE));
  const changed = pattern(WEIGHTS.length, 3);
  hub.files.set("acme/tiny/weights.gguf", changed);
  hub.fault = ({ range }) =>
    range === null ? undefined : new Response(changed.subarray(HALF), {
      status: 206,
      headers: {
        etag: '"other"',
        "content-range": `bytes ${HALF}-${changed.length - 1}/${changed.length}`,
      },
    });
  holds(await store.pull(FILE), changed);
});

Deno.test("pull() starts again where the hub says another digest, whatever the storage behind it says", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => true);
  const store = storeOf(hub, folder.path);
  const isStorage = ({ host }: HubRequest) => host === "storage";
  hub.fault = firstTimes(1, isStorage, (answer) => hub.cut(answer, HALF));
  await refuses(store.pull(FILE));
  const changed = pattern(WEIGHTS.length, 4);
  hub.files.set("acme/tiny/weights.gguf", changed);
  const contentRange = `bytes ${HALF}-${changed.length - 1}/${changed.length}`;
  hub.fault = ({ host, range }) =>
    host === "storage" && range !== null
      ? new Response(changed.subarray(HALF), {
        status: 206,
        headers: { "content-range": contentRange },
      })
      : undefined;
  holds(await store.pull(FILE), changed);
});

Deno.test("pull() notices an answer without a length that is too short", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => true);
  hub.fault = ({ host }) =>
    host === "storage" ? new Response(ReadableStream.from([WEIGHTS.subarray(0, HALF)])) : undefined;
  await refuses(storeOf(hub, folder.path).pull(FILE), /ended after 150000 of 300000 bytes/);
});

Deno.test("pull() keeps no part of a file whose version the server does not tell, and promises nothing", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  hub.fault = firstTimes(1, isGet, (answer) => {
    answer.headers.delete("etag");
    return hub.cut(answer, HALF);
  });
  await refuses(store.pull(FILE), /; pull again later$/);
  assert.deepEqual(filesIn(folder.path), []);
  holds(await store.pull(FILE), WEIGHTS);
});

Deno.test("pull() finishes a part that lacks nothing", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  hub.fault = firstTimes(1, isGet, (answer) => hub.cut(answer, HALF));
  await refuses(store.pull(FILE));
  const [model] = [...Deno.readDirSync(folder.path)].filter(({ name }) => name !== ".locks");
  Deno.writeFileSync(join(folder.path, model!.name, "weights.gguf.part"), WEIGHTS);
  holds(await store.pull(FILE), WEIGHTS);
  assert.equal(hub.requests.at(-1)!.range, `bytes=${WEIGHTS.length - 1}-`);
});

Deno.test("pull() refuses bytes of another digest than the hub says, and removes them", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => true);
  const store = storeOf(hub, folder.path);
  const spoilt = pattern(WEIGHTS.length, 9);
  hub.fault = firstTimes(
    1,
    ({ host }) => host === "storage",
    (answer) => new Response(spoilt, answer),
  );
  await refuses(
    store.pull(FILE),
    /damaged/,
    new RegExp(sha256(spoilt)),
    new RegExp(sha256(WEIGHTS)),
  );
  assert.deepEqual(filesIn(folder.path), []);
  holds(await store.pull(FILE), WEIGHTS);
});

Deno.test("pull() refuses a file whose size is not the one that the hub says", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => true);
  hub.fault = ({ host }) =>
    host === "storage"
      ? new Response("version https://git-lfs.example/spec/v1", {
        headers: { "content-length": "39" },
      })
      : undefined;
  await refuses(storeOf(hub, folder.path).pull(FILE), /has 300000 bytes by the word of the hub/);
  assert.deepEqual(filesIn(folder.path), []);
});

Deno.test("pull() waits as long as a busy server asks", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const times: number[] = [];
  hub.fault = () => {
    times.push(performance.now());
    return times.length === 1
      ? new Response(null, { status: 429, headers: { "retry-after": "1" } })
      : undefined;
  };
  await storeOf(hub, folder.path, { retries: 1 }).pull(FILE);
  assert.ok(times[1]! - times[0]! >= 990, `${times[1]! - times[0]!} ms`);
});

Deno.test("pull() does not wait where a busy server asks for an hour", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  hub.fault = () => new Response(null, { status: 429, headers: { "retry-after": "3600" } });
  await refuses(
    storeOf(hub, folder.path, { retries: 3 }).pull(FILE),
    /answered 429/,
    /left alone for 3600 s/,
  );
  assert.equal(hub.requests.length, 1);
});

Deno.test("pull() tries again after a fault of the server, and not forever", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const broken = () => new Response("oops", { status: 500 });
  hub.fault = firstTimes(2, () => true, broken);
  const store = storeOf(hub, folder.path, { retries: 2 });
  holds(await store.pull(FILE), WEIGHTS);
  await store.remove(FILE);
  hub.requests.length = 0;
  hub.fault = broken;
  await refuses(store.pull(FILE), /answered 500 \(tried 3 times\)/);
  assert.equal(hub.requests.length, 3);
});

Deno.test("pull() takes no web page for a model", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  hub.fault = () =>
    new Response("<html>Sign in</html>", {
      headers: { "content-type": "text/html; charset=utf-8" },
    });
  await refuses(storeOf(hub, folder.path).pull(FILE), /web page instead of "weights\.gguf"/);
  assert.deepEqual(filesIn(folder.path), []);
});

for (const status of [401, 403]) {
  Deno.test(`pull() names HF_TOKEN and the terms of the model when the hub answers ${status}`, async () => {
    using folder = temporaryFolder();
    await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
    hub.fault = () => new Response(null, { status });
    const error = await refuses(
      storeOf(hub, folder.path, { token: "" }).pull(FILE),
      new RegExp(`answered ${status}`),
      /put a token of yours in HF_TOKEN/,
      new RegExp(`open ${hub.url}/acme/tiny to accept its terms`),
    );
    assert.equal(error.kind, "denied");
    await refuses(storeOf(hub, folder.path).pull(FILE), /see that the token in HF_TOKEN may read/);
  });
}

Deno.test("pull() sends the token to the hub and to nobody else", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub(
    { "acme/tiny/weights.gguf": WEIGHTS, "acme/tiny/config.json": "{}" },
    (file) => file.endsWith(".gguf"),
  );
  const store = storeOf(hub, folder.path);
  await store.pull("hf:acme/tiny", { files: { required: ["weights.gguf", "config.json"] } });
  await store.pull(`${hub.storageUrl}/acme/tiny/config.json`);
  assert.deepEqual(
    new Set(hub.requests.map(({ host, authorization }) => `${host} ${authorization}`)),
    new Set([`hub Bearer ${TOKEN}`, "storage null"]),
  );
  assert.ok(!Deno.inspect(store, { depth: 9, showHidden: true }).includes(TOKEN));
  assert.ok(!JSON.stringify(store.list()).includes(TOKEN));
});

Deno.test("pull() follows no redirect to what is no web address, and none forever", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({});
  const store = storeOf(hub, folder.path);
  hub.fault = () =>
    new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } });
  await refuses(store.pull(FILE), /redirected from .* to "file:\/\/"; refused/);
  hub.fault = ({ path }) => new Response(null, { status: 302, headers: { location: path } });
  await refuses(store.pull(FILE), /redirected 10 times/);
});

Deno.test("pull() gives up on a server that falls silent, and goes on from there the next time", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path, { stallMs: 200, retries: 3 });
  hub.fault = firstTimes(1, isGet, (answer) => hub.stall(answer, HALF));
  await refuses(
    store.pull(FILE),
    /nothing of "weights\.gguf" came for 0\.2 s; what has come is kept, and the next pull goes on/,
  );
  assert.equal(hub.requests.length, 1);
  holds(await store.pull(FILE), WEIGHTS);
  assert.notEqual(hub.requests.at(-1)!.range, null);
});

Deno.test("pull() says that what has come is kept where the hub is gone after it stopped half way", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  // Nobody listens at this port.
  const gone = new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } });
  let asked = 0;
  hub.fault = (_, answer) => asked++ === 0 ? hub.cut(answer(), HALF) : gone;
  const error = await refuses(
    storeOf(hub, folder.path, { retries: 1 }).pull(FILE),
    /cannot reach 127\.0\.0\.1:1 .*; what has come is kept, and the next pull goes on from there/,
  );
  assert.equal(error.kind, "unreachable");
});

Deno.test("pull() gives up on a server that never answers", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const never = Promise.withResolvers<Response>();
  hub.fault = () => never.promise;
  await refuses(
    storeOf(hub, folder.path, { stallMs: 100 }).pull(FILE),
    /came for 0\.1 s; pull again/,
  );
  never.resolve(new Response(null));
});

Deno.test("pull() ends with the reason of an abort, and keeps what has come", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  const store = storeOf(hub, folder.path);
  hub.fault = firstTimes(1, isGet, (answer) => hub.stall(answer, HALF));
  const abort = new AbortController();
  const reason = new Error("the user pressed Ctrl-C");
  const pull = assert.rejects(
    store.pull(FILE, { signal: abort.signal }),
    (error) => error === reason,
  );
  await beganIn(store);
  abort.abort(reason);
  await pull;
  holds(await store.pull(FILE), WEIGHTS);
  assert.notEqual(hub.requests.at(-1)!.range, null);
  await assert.rejects(
    store.pull("hf:acme/tiny/other.gguf", { signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
});

Deno.test("pull() ends a wait between two attempts when it is aborted", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS });
  hub.fault = () => new Response(null, { status: 503, headers: { "retry-after": "100" } });
  const signal = AbortSignal.timeout(100);
  await assert.rejects(
    storeOf(hub, folder.path, { retries: 9 }).pull(FILE, { signal }),
    { name: "TimeoutError" },
  );
});

Deno.test("pull() goes on where a killed process ended", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({ "acme/tiny/weights.gguf": WEIGHTS }, () => true);
  hub.fault = firstTimes(1, ({ host }) => host === "storage", (answer) => hub.stall(answer, HALF));
  const store = storeOf(hub, folder.path);
  const child = pullingProcess(hub, folder.path).spawn();
  await beganIn(store);
  child.kill("SIGKILL");
  await child.output();
  holds(await store.pull(FILE), WEIGHTS);
  assert.equal(hub.requests.at(-1)!.range, `bytes=${HALF}-`);
});

Deno.test("pull() looks for room first, and gives both numbers", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub(
    { "acme/tiny/weights.gguf": WEIGHTS, "acme/tiny/more.gguf": WEIGHTS },
    () => true,
  );
  const store = storeOf(hub, folder.path, { freeBytes: () => Promise.resolve(67_500_000) });
  await refuses(
    store.pull("hf:acme/tiny", { files: { required: ["weights.gguf", "more.gguf"] } }),
    /600\.0 kB to come/,
    /67\.5 MB free/,
  );
  assert.ok(hub.requests.every(({ method }) => method === "HEAD"), "not a byte was brought");
  await store.pull(FILE);
});

Deno.test("pull() asks the file system for room by itself", async () => {
  using folder = temporaryFolder();
  await using hub = new LoopbackHub({});
  hub.fault = () =>
    new Response(null, {
      status: 302,
      headers: { location: hub.storageUrl, "x-linked-size": String(9e15) },
    });
  const files = { required: ["a.gguf", "b.gguf"] };
  await refuses(
    storeOf(hub, folder.path, { freeBytes: undefined }).pull("hf:acme/tiny", { files }),
    /18\.0 PB to come .* free in/,
  );
});
