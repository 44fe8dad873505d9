/** Blobs: streamed both ways, invisible until kept, verified when read, swept after a kill. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { BlobError, type BlobErrorKind, BlobFolder } from "../../../kernel/image/blobs.ts";
import { pattern, sha256, temporaryFolder } from "../../support/models.ts";

const MODULE = new URL("../../../kernel/image/blobs.ts", import.meta.url).href;
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));
const BLOCK = 256 * 1024;
const MB = 1024 * 1024;
const HELLO = new TextEncoder().encode("hello");

interface Fixture extends Disposable {
  readonly path: string;
  readonly blobs: BlobFolder;
}

/** A folder of blobs that does not exist yet. */
function fixture(): Fixture {
  const folder = temporaryFolder();
  const path = join(folder.path, "workspace", "blobs");
  return { path, blobs: new BlobFolder(path), [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

async function bytesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    yield bytes.slice(at, at + size);
    at += size;
  }
}

/** All files below `pending/`. */
function leftovers(path: string): string[] {
  return [...Deno.readDirSync(join(path, "pending"))].map(({ name }) => name);
}

async function refused(work: Promise<unknown>, kind: BlobErrorKind, text: RegExp) {
  await assert.rejects(work, (error) => isRefusal(error, kind, text));
}

function isRefusal(error: unknown, kind: BlobErrorKind, text: RegExp): true {
  assert.ok(error instanceof BlobError, String(error));
  assert.equal(error.kind, kind);
  assert.match(error.message, text);
  assert.match(error.message, /^(read|write|keep) blob/);
  assert.doesNotMatch(error.message, /\n|\.$/);
  return true;
}

function damage(path: string, at: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(at, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0]! ^= 1;
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(byte);
}

/** A process that has `folder`, a `BlobFolder`, and `say`, which prints a line. */
function program(path: string, body: string): Deno.ChildProcess {
  const code = `import { BlobFolder } from "${MODULE}";
    const folder = new BlobFolder(${JSON.stringify(path)});
    const say = (line) => Deno.stdout.writeSync(new TextEncoder().encode(line + "\\n"));
    ${body}`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", `--config=${CONFIG}`, code],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

async function outputOf(child: Deno.ChildProcess): Promise<string> {
  const { stdout, code } = await child.output();
  assert.equal(code, 0);
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("a blob is read back as it was written, from one array and from pieces of any size", async () => {
  using f = fixture();
  const sizes = fc.array(fc.integer({ min: 1, max: 2 * BLOCK }), { minLength: 1, maxLength: 4 });
  const length = fc.oneof(
    fc.integer({ min: 0, max: 3 * BLOCK }),
    fc.constantFrom(0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK),
  );
  await fc.assert(
    fc.asyncProperty(length, sizes, async (length, sizes) => {
      const bytes = pattern(length, length);
      const sources = [bytes, pieces(bytes, sizes), ReadableStream.from(pieces(bytes, sizes))];
      for (const source of sources) {
        const pending = await f.blobs.write(source);
        assert.equal(pending.hash, sha256(bytes));
        assert.equal(pending.size, length);
        pending.keep();
        assert.equal(f.blobs.size(pending.hash), length);
        assert.equal(sha256(await bytesOf(f.blobs.open(pending.hash))), pending.hash);
      }
    }),
    { numRuns: 25 },
  );
  assert.deepEqual(leftovers(f.path), []);
});

Deno.test("a pending blob is seen by its writer alone, until it is kept", async () => {
  using f = fixture();
  const pending = await f.blobs.write(HELLO);
  assert.equal(f.blobs.has(pending.hash), false);
  assert.deepEqual(f.blobs.list(), []);
  assert.deepEqual(await bytesOf(pending.open()), HELLO);
  pending.keep();
  pending.keep();
  pending.discard();
  assert.equal(f.blobs.has(pending.hash), true);
  assert.deepEqual(new BlobFolder(f.path).list(), [sha256(HELLO)]);
  assert.deepEqual(await bytesOf(pending.open()), HELLO);
  assert.deepEqual(leftovers(f.path), []);
});

Deno.test("a blob that is discarded, or disposed of unkept, leaves nothing and cannot be kept", async () => {
  using f = fixture();
  const discarded = await f.blobs.write(HELLO);
  discarded.discard();
  discarded.discard();
  assert.throws(() => discarded.keep(), (error) => isRefusal(error, "failed", /was discarded/));
  {
    using _disposed = await f.blobs.write(HELLO);
  }
  assert.deepEqual(f.blobs.list(), []);
  assert.deepEqual(leftovers(f.path), []);
});

Deno.test("many blobs are kept at once", async () => {
  using f = fixture();
  const pending = await Promise.all(
    Array.from({ length: 200 }, (_, index) => f.blobs.write(pattern(index, index))),
  );
  f.blobs.keep(pending);
  assert.deepEqual(f.blobs.list(), [...new Set(pending.map(({ hash }) => hash))].sort());
  assert.deepEqual(leftovers(f.path), []);
});

Deno.test("files are the owner's alone", async () => {
  if (Deno.build.os === "windows") return;
  using f = fixture();
  const pending = await f.blobs.write(HELLO);
  const [file] = leftovers(f.path).filter((name) => !name.endsWith(".lock"));
  assert.equal(Deno.statSync(join(f.path, "pending", file!)).mode! & 0o777, 0o600);
  pending.keep();
  assert.equal(Deno.statSync(f.blobs.path(pending.hash)).mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(f.path).mode! & 0o777, 0o700);
});

Deno.test("what is missing, and what is no hash, is refused by its name", async () => {
  using f = fixture();
  const hash = sha256(HELLO);
  assert.equal(f.blobs.has(hash), false);
  assert.equal(f.blobs.delete(hash), false);
  assert.deepEqual(f.blobs.list(), []);
  assert.equal(f.blobs.sweep(), 0);
  assert.throws(() => f.blobs.open(hash), (error) => isRefusal(error, "missing", RegExp(hash)));
  assert.throws(() => f.blobs.size(hash), (error) => isRefusal(error, "missing", RegExp(hash)));
  assert.equal((await f.blobs.verify(hash))?.kind, "missing");
  for (const name of ["", "../settings.json", hash.toUpperCase(), `${hash}0`, `${hash}\n`]) {
    for (const call of ["open", "has", "size", "delete", "path"] as const) {
      assert.throws(() => f.blobs[call](name), TypeError);
    }
  }
});

Deno.test("a flipped bit anywhere is found, and the end of the damaged bytes never comes out", async () => {
  using f = fixture();
  for (const length of [1, 1000, BLOCK, 3 * BLOCK + 5]) {
    const pending = await f.blobs.write(pattern(length, length));
    pending.keep();
    for (const at of new Set([0, length >> 1, length - 1])) {
      damage(f.blobs.path(pending.hash), at);
      let received = 0;
      await refused(
        (async () => {
          for await (const piece of f.blobs.open(pending.hash)) received += piece.length;
        })(),
        "damaged",
        /have the SHA-256/,
      );
      assert.ok(received < length);
      if (length < BLOCK) assert.equal(received, 0);
      assert.equal((await f.blobs.verify(pending.hash))?.kind, "damaged");
      damage(f.blobs.path(pending.hash), at);
      assert.equal(await f.blobs.verify(pending.hash), undefined);
    }
  }
});

Deno.test("a truncated blob is damaged, and writing its content again heals it", async () => {
  using f = fixture();
  const bytes = pattern(2 * BLOCK, 3);
  (await f.blobs.write(bytes)).keep();
  const hash = sha256(bytes);
  Deno.truncateSync(f.blobs.path(hash), BLOCK);
  assert.equal((await f.blobs.verify(hash))?.kind, "damaged");
  (await f.blobs.write(bytes)).keep();
  assert.equal(await f.blobs.verify(hash), undefined);
});

Deno.test("deleting is told apart from nothing to delete, and does not disturb a reader", async () => {
  using f = fixture();
  const bytes = pattern(4 * BLOCK, 5);
  (await f.blobs.write(bytes)).keep();
  const hash = sha256(bytes);
  const reading = f.blobs.open(hash);
  assert.equal(f.blobs.delete(hash), true);
  assert.equal(f.blobs.delete(hash), false);
  assert.equal(sha256(await bytesOf(reading)), hash);
});

Deno.test("an aborted write ends at once, even while its source hangs, and leaves nothing", async () => {
  using f = fixture();
  for (const kind of ["stream", "generator"]) {
    const controller = new AbortController();
    let isCancelled = false;
    const source = kind === "stream"
      ? new ReadableStream<Uint8Array>({
        start: (stream) => stream.enqueue(HELLO),
        pull: () => new Promise(() => {}),
        cancel: () => {
          isCancelled = true;
        },
      })
      : (async function* () {
        yield HELLO;
        await new Promise(() => {});
      })();
    const writing = f.blobs.write(source, { signal: controller.signal });
    setTimeout(() => controller.abort(new DOMException("enough", "AbortError")), 5);
    await assert.rejects(writing, { name: "AbortError", message: "enough" });
    assert.equal(isCancelled, kind === "stream");
    assert.deepEqual(leftovers(f.path), []);
  }
  await assert.rejects(f.blobs.write(HELLO, { signal: AbortSignal.abort(new Error("before")) }), {
    message: "before",
  });
  assert.deepEqual(f.blobs.list(), []);
});

Deno.test("what a source throws comes out unchanged, and leaves nothing", async () => {
  using f = fixture();
  const failure = Object.assign(new Error("the wire broke"), { code: "ECONNRESET" });
  const broken = async function* () {
    yield HELLO;
    throw failure;
  };
  await assert.rejects(f.blobs.write(broken()), (error) => error === failure);
  const text = async function* () {
    yield "hello";
  } as unknown as () => AsyncGenerator<Uint8Array>;
  await assert.rejects(f.blobs.write(text()), /piece 1 of the source is of type "string"/);
  assert.deepEqual(leftovers(f.path), []);
});

Deno.test("no room is a refusal that says so, and leaves nothing", async () => {
  if (Deno.build.os === "windows") return;
  using f = fixture();
  // The shell limits files to 512 kB; ignoring its signal makes the limit an error of the write, as a full disk is one.
  const script = `import { BlobFolder } from "${MODULE}";
    const error = await new BlobFolder(${JSON.stringify(f.path)})
      .write(new Uint8Array(${MB})).catch((error) => error);
    console.log(error.name, error.kind, error.message);`;
  const path = join(dirname(f.path), "..", "write.ts");
  Deno.writeTextFileSync(path, script);
  // Compiled before, without the limit.
  const cached = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--no-lock", `--config=${CONFIG}`, path],
  }).output();
  assert.equal(cached.code, 0);
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", `trap "" XFSZ; ulimit -f 512; exec "$0" run -A --no-lock --config="$1" "$2"`]
      .concat(Deno.execPath(), CONFIG, path),
  }).output();
  assert.match(new TextDecoder().decode(stdout), /^BlobError full write blob: there is no room/);
  assert.deepEqual(leftovers(f.path), []);
});

Deno.test("a folder that cannot be made is a refusal that names it", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "file");
  Deno.writeTextFileSync(file, "");
  await refused(new BlobFolder(join(file, "blobs")).write(HELLO), "failed", /file.*blobs/);
});

Deno.test("processes that write the same content at once all succeed, and one file is left", async () => {
  using f = fixture();
  const body = `const bytes = new Uint8Array(${MB}).fill(7);
    for (let turn = 0; turn < 10; turn++) {
      const all = await Promise.all([folder.write(bytes), folder.write(bytes)]);
      for (const each of all) each.keep();
    }
    say("done");`;
  const children = [program(f.path, body), program(f.path, body), program(f.path, body)];
  assert.deepEqual(await Promise.all(children.map(outputOf)), ["done", "done", "done"]);
  const hash = sha256(new Uint8Array(MB).fill(7));
  assert.deepEqual(f.blobs.list(), [hash]);
  assert.equal(await f.blobs.verify(hash), undefined);
  assert.deepEqual(leftovers(f.path), []);
});

Deno.test("what a killed writer left is swept by the next one, what a living one writes is not", async () => {
  using f = fixture();
  const body = `const pending = await folder.write(new Uint8Array(1000));
    folder.write(async function* () { yield new Uint8Array(${MB}); say("begun"); await new Promise(() => {}); }());
    setInterval(() => pending, 1000);`;
  const children = [program(f.path, body), program(f.path, body)];
  for (const child of children) {
    const reader = child.stdout.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "begun\n");
    reader.releaseLock();
  }
  assert.equal(f.blobs.sweep(), 0);
  assert.equal(leftovers(f.path).length, 6);
  children[0]!.kill("SIGKILL");
  await children[0]!.output();
  const pending = await new BlobFolder(f.path).write(HELLO);
  // Of the living process, and ours.
  assert.equal(leftovers(f.path).length, 3 + 2);
  pending.discard();
  children[1]!.kill("SIGKILL");
  await children[1]!.output();
  assert.equal(f.blobs.sweep(), 2);
  assert.deepEqual(leftovers(f.path), []);
  assert.deepEqual(f.blobs.list(), []);
});

Deno.test("memory does not grow with the size of a blob, in either direction", async () => {
  if (Deno.build.os !== "linux") return;
  using f = fixture();
  const body = `
    const peak = () => Number(/VmHWM:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))[1]) / 1024;
    const through = async (megabytes) => {
      const source = async function* () {
        for (let at = 0; at < megabytes; at++) yield new Uint8Array(${MB}).fill(at);
      };
      const pending = await folder.write(source());
      pending.keep();
      let size = 0;
      for await (const piece of folder.open(pending.hash)) size += piece.length;
      return size;
    };
    await through(16);
    const before = peak();
    const size = await through(96);
    say(JSON.stringify({ size, growth: peak() - before }));`;
  const { size, growth } = JSON.parse(await outputOf(program(f.path, body)));
  assert.equal(size, 96 * MB);
  // Of the 96 MB that went through twice; what grows is garbage that is not yet collected.
  assert.ok(growth < 48, `it grew by ${growth} MB`);
});

Deno.test("the hash of a blob is that of its bytes, however they were cut", async () => {
  using f = fixture();
  const bytes = pattern(3 * BLOCK + 17, 11);
  const hash = createHash("sha256").update(bytes).digest("hex");
  const pending = await f.blobs.write(pieces(bytes, [1, 4095, 100_000]));
  assert.equal(pending.hash, hash);
  pending.discard();
});
