/** Logs that end in the middle of a write, as a machine that loses power or a process that is killed leaves them. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Image } from "../../../kernel/image/image.ts";
import { cutLog, describeTail, logTail } from "../../../kernel/image/log_tail.ts";
import { SqliteImageStore } from "../../../kernel/image/sqlite_store.ts";

const FRAME_BYTES = 4_096 + 24;

/** A file and its log as they were in the middle of somebody's work, and where each transaction ends in the log. */
class Interrupted implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "batos_log_" });
  readonly path = join(this.folder, "image.db");
  #log = new Uint8Array();
  /** Size of the log after each commit, by transaction. */
  readonly ends = new Map<number, number>();
  /** The object that each commit sets to its transaction. */
  oid = 0;

  /** @param large whether the last transaction takes several pages */
  static async make(commits = 3, large = false): Promise<Interrupted> {
    const made = new Interrupted();
    const live = join(made.folder, "live.db");
    using image = await Image.open(new SqliteImageStore(live));
    made.oid = await image.transact((unit) => unit.create({ slots: { n: 0 } }));
    for (let n = 0; n < commits; n++) {
      await image.transact((unit) => {
        unit.set(made.oid, "n", image.newest + 1);
        if (large && n === commits - 1) unit.create({ slots: { text: "x".repeat(20_000) } });
      });
      made.ends.set(image.newest, Deno.statSync(`${live}-wal`).size);
    }
    copyFileSync(live, `${made.path}.before`);
    made.#log = Deno.readFileSync(`${live}-wal`);
    return made;
  }

  get size(): number {
    return this.#log.length;
  }

  /** Puts the file and its log back, the log changed. */
  put(change: (log: Uint8Array) => Uint8Array): void {
    copyFileSync(`${this.path}.before`, this.path);
    Deno.writeFileSync(`${this.path}-wal`, change(this.#log.slice()));
    if (existsSync(`${this.path}-shm`)) Deno.removeSync(`${this.path}-shm`);
  }

  /** What SQLite finds: the newest transaction, and that the object holds it. */
  newest(): number {
    const store = new SqliteImageStore(this.path, { readOnly: true });
    try {
      const tid = store.newestTransaction();
      if (this.ends.has(tid)) {
        assert.match(store.load(this.oid, tid)!.data!, new RegExp(`,${tid}]`));
      }
      return tid;
    } finally {
      store.close();
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("a whole log has no tail, and neither has a file without one", async () => {
  using file = await Interrupted.make();
  file.put((log) => log);
  assert.equal(logTail(file.path), undefined);
  assert.equal(cutLog(file.path), undefined);
  assert.equal(file.newest(), 5);
  assert.equal(logTail(join(file.folder, "none.db")), undefined);
  assert.equal(cutLog(join(file.folder, "none.db")), undefined);
});

for (const large of [false, true]) {
  Deno.test(`a log that is cut anywhere in ${large ? "a large" : "the last"} commit is told, and costs that commit alone`, async () => {
    using file = await Interrupted.make(3, large);
    const [before, end] = [file.ends.get(4)!, file.ends.get(5)!];
    assert.equal((end - before) / FRAME_BYTES > 1, large);
    file.put((log) => log);
    const step = large ? 13 : 1;
    for (let size = end - 1; size > before; size -= step) {
      Deno.truncateSync(`${file.path}-wal`, size);
      assert.deepEqual(logTail(file.path), {
        frames: Math.ceil((size - before) / FRAME_BYTES),
        bytes: size - before,
      });
    }
    // SQLite is asked at some of them.
    for (const size of [before, end - 1, end, ...places(before + 1, end, 12)]) {
      file.put((log) => log.subarray(0, size));
      const tail = logTail(file.path);
      assert.equal(tail === undefined, size === before || size === end);
      const newest = size === end ? 5 : 4;
      assert.equal(file.newest(), newest);
      // Told once, and nothing is lost by it.
      assert.deepEqual(cutLog(file.path), tail && { ...tail, transaction: newest });
      assert.equal(cutLog(file.path), undefined);
      assert.equal(file.newest(), newest);
    }
  });
}

/** Some places from one on to before another. */
function places(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => from + Math.floor(at * (to - from) / count));
}

Deno.test("a bit flipped in the last commit makes a tail of all of it; in an earlier one, of all that follows", async () => {
  using file = await Interrupted.make(4, true);
  for (const damaged of [6, 5, 4]) {
    const [from, to] = [file.ends.get(damaged - 1)!, file.ends.get(damaged)!];
    for (const at of places(from, to, 12)) {
      file.put((log) => {
        log[at]! ^= 1 << at % 8;
        return log;
      });
      const tail = logTail(file.path);
      assert.equal(file.newest(), damaged - 1, `${at}`);
      // Where the salts are hit, the frame cannot be told from one of an earlier round.
      const isSalt = (at - 32) % FRAME_BYTES >= 8 && (at - 32) % FRAME_BYTES < 16;
      if (!isSalt) assert.equal(tail!.bytes, file.size - from);
    }
  }
});

Deno.test("a transaction that was killed with pages of it in the log is told, and leaves nothing", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos_log_" });
  try {
    const path = join(folder, "image.db");
    {
      using image = await Image.open(new SqliteImageStore(path));
      await image.transact((unit) => unit.create());
    }
    const writer = new DatabaseSync(path);
    // A cache of no size: pages go into the log before the transaction ends.
    writer.exec(
      "PRAGMA journal_mode = WAL; PRAGMA cache_size = 1; CREATE TABLE other(x); BEGIN; ",
    );
    const insert = writer.prepare("INSERT INTO other VALUES (?)");
    for (let n = 0; n < 200; n++) insert.run("x".repeat(1_000));
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, `${path}.killed${suffix}`);
    writer.exec("ROLLBACK");
    writer.close();
    const tail = logTail(`${path}.killed`)!;
    assert.ok(tail.frames > 40);
    assert.match(
      describeTail(tail, 2),
      /^a process died or gave up while it wrote: \d+ bytes of a transaction that was never finished are ignored behind transaction 2; nothing that was committed is lost$/,
    );
    assert.deepEqual(cutLog(`${path}.killed`), { ...tail, transaction: 2 });
    const after = new DatabaseSync(`${path}.killed`);
    assert.deepEqual(after.prepare("SELECT x FROM other").all(), []);
    after.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a log that was used again has whole frames of an earlier round behind its end, which are no tail", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos_log_" });
  try {
    const path = join(folder, "image.db");
    using image = await Image.open(new SqliteImageStore(path));
    const oid = await image.transact((unit) => unit.create({ slots: { n: 0 } }));
    for (let n = 0; n < 1_100; n++) await image.transact((unit) => unit.set(oid, "n", n));
    copyFileSync(path, `${path}.copy`);
    copyFileSync(`${path}-wal`, `${path}.copy-wal`);
    assert.ok(Deno.statSync(`${path}-wal`).size > 900 * FRAME_BYTES);
    assert.equal(logTail(`${path}.copy`), undefined);
    // Torn in the middle of that.
    const log = Deno.readFileSync(`${path}-wal`);
    const salts = log.subarray(16, 24).toString();
    let last = 32;
    while (log.subarray(last + 8, last + 16).toString() === salts) last += FRAME_BYTES;
    assert.ok(last + FRAME_BYTES < log.length);
    log[last - 100]! ^= 1;
    Deno.writeFileSync(`${path}.copy-wal`, log);
    const cut = cutLog(`${path}.copy`);
    assert.deepEqual(cut, {
      frames: 1,
      bytes: FRAME_BYTES,
      transaction: image.newest - 1,
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a log whose header is no header counts for nothing", async () => {
  using file = await Interrupted.make();
  for (const change of [1, 9, 25]) {
    file.put((log) => {
      log[change]! ^= 0x10;
      return log;
    });
    assert.deepEqual(logTail(file.path), { frames: 0, bytes: file.size });
  }
  file.put((log) => log.subarray(0, 20));
  assert.deepEqual(logTail(file.path), { frames: 0, bytes: 20 });
});
