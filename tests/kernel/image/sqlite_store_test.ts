/** The image over SQLite: the conformance suite, and what can go wrong with a file. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { DamagedImageError, ImageError, NewerImageError } from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
import type { ImageStore, Writing } from "../../../kernel/image/image_store.ts";
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import { SqliteImageStore } from "../../../kernel/image/sqlite_store.ts";
import { imageConformance } from "./conformance.ts";

imageConformance({
  name: "sqlite",
  open: (folder, options) => new SqliteImageStore(join(folder, "image.db"), options),
  persists: true,
  damage(folder, text) {
    const path = join(folder, "image.db");
    const bytes = Deno.readFileSync(path);
    const at = new TextDecoder("latin1").decode(bytes).indexOf(text);
    assert.ok(at > 0, "the record is in the file");
    bytes[at]! ^= 0x01;
    Deno.writeFileSync(path, bytes);
  },
  skips: {},
});

/** Bytes of a page of the file. */
const PAGE = 4096;

function fileTest(name: string, run: (path: string) => Promise<void>): void {
  Deno.test(`sqlite: ${name}`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "batos_image_" });
    try {
      await run(join(folder, "image.db"));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

/** An image with some objects, closed. */
async function makeImage(path: string, objects = 50): Promise<number[]> {
  using image = await Image.open(new SqliteImageStore(path));
  return await image.transact((unit) =>
    Array.from({ length: objects }, (_, n) => unit.create({ slots: { n, text: "x".repeat(300) } }))
  );
}

fileTest("an image of a newer version is refused and not touched", async (path) => {
  await makeImage(path);
  const database = new DatabaseSync(path);
  database.exec("UPDATE image_meta SET value = 99 WHERE key = 'format'");
  database.close();
  const before = Deno.readFileSync(path);
  for (const readOnly of [false, true]) {
    assert.throws(
      () => new SqliteImageStore(path, { readOnly }),
      (error) =>
        error instanceof NewerImageError &&
        /format 99, this version reads up to 2/.test(error.message),
    );
  }
  assert.deepEqual(Deno.readFileSync(path), before);
});

fileTest("a file that is no database is refused and not touched", async (path) => {
  await Promise.resolve();
  Deno.writeTextFileSync(path, "no database at all, but long enough to be looked at ".repeat(200));
  const before = Deno.readFileSync(path);
  assert.throws(
    () => new SqliteImageStore(path),
    (error) => error instanceof DamagedImageError && !error.message.includes("\n"),
  );
  assert.deepEqual(Deno.readFileSync(path), before);
});

fileTest("of a truncated file is said what is lost, and saved what is there", async (path) => {
  const oids = await makeImage(path, 400);
  const { size } = Deno.statSync(path);
  assert.ok(size > 100_000);
  for (const share of [0.9, 0.6, 0.3]) {
    const copy = `${path}.${share}`;
    Deno.copyFileSync(path, copy);
    Deno.truncateSync(copy, Math.floor(size * share / PAGE) * PAGE);
    let store: SqliteImageStore;
    try {
      store = new SqliteImageStore(copy, { readOnly: true });
    } catch (error) {
      assert.ok(error instanceof DamagedImageError);
      continue;
    }
    const image = await Image.open(store).catch((error) => {
      assert.ok(error instanceof DamagedImageError, String(error));
    });
    if (image === undefined) continue;
    using _image = image;
    const { problems } = await image.check();
    assert.ok(problems.length > 0);
    const saved = new MemoryImageStore();
    const { revisions, lost } = await image.copyTo(saved, { skipDamaged: true });
    assert.ok(revisions + lost.length > 0);
    assert.ok(revisions < oids.length + 10);
  }
});

fileTest(
  "a flipped bit anywhere is a report or a clean error, never another value",
  async (path) => {
    const oids = await makeImage(path, 30);
    const whole = Deno.readFileSync(path);
    const copy = `${path}.flipped`;
    let noticed = 0;
    for (let at = 0; at < whole.length; at += 397) {
      const bytes = whole.slice();
      bytes[at]! ^= 1 << at % 8;
      Deno.writeFileSync(copy, bytes);
      try {
        using image = await Image.open(new SqliteImageStore(copy, { readOnly: true }));
        using unit = image.view();
        for (const [n, oid] of oids.entries()) {
          try {
            if (unit.has(oid)) {
              assert.equal(unit.get(oid, "n"), n);
              assert.equal(unit.get(oid, "text"), "x".repeat(300));
            }
          } catch (error) {
            if (!(error instanceof ImageError)) throw error;
            noticed++;
          }
        }
        await image.check();
      } catch (error) {
        assert.ok(error instanceof ImageError, `${at}: ${error}`);
        noticed++;
      }
    }
    assert.ok(noticed > 0);
  },
);

fileTest(
  "when the disk is full the commit is refused, and everything before it stays",
  async (path) => {
    const [oid] = await makeImage(path);
    const store = new SqliteImageStore(path);
    using image = await Image.open(store);
    using unit = image.begin();
    // The limit of the file stands for that of the disk: SQLite reports both as full.
    unit.join({
      name: "limit",
      apply: (database) => {
        const pages = Object.values(database!.prepare("PRAGMA page_count").get()!)[0];
        database!.exec(`PRAGMA max_page_count = ${pages}`);
      },
    });
    await unit.commit();
    unit.set(oid!, "text", "y".repeat(1_000_000));
    await assert.rejects(
      unit.commit(),
      (error) =>
        error instanceof ImageError &&
        /no space is left on the disk, nothing was changed/.test(error.message),
    );
    unit.abort();
    assert.equal(unit.get(oid!, "text"), "x".repeat(300));
    assert.deepEqual((await image.check()).problems, []);
  },
);

fileTest("the image and other tables share the file and the transaction", async (path) => {
  using image = await Image.open(new SqliteImageStore(path));
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE chunk(text TEXT)");
  using unit = image.begin();
  const insert = (text: string) => ({
    name: "memory",
    apply: (database: DatabaseSync | undefined, tid: number) => {
      database!.prepare("INSERT INTO chunk VALUES (?)").run(`${text} of ${tid}`);
    },
  });
  unit.join(insert("chunk"));
  const tid = await unit.commit();
  unit.join(insert("aborted chunk"));
  unit.abort();
  unit.join(insert("failed chunk"));
  unit.join({
    name: "broken",
    apply: (database) => database!.exec("INSERT INTO no_such_table VALUES (1)"),
  });
  await assert.rejects(unit.commit(), /no such table/);
  assert.deepEqual(
    other.prepare("SELECT text FROM chunk").all().map(({ text }) => text),
    [`chunk of ${tid}`],
  );
  other.close();
});

fileTest("an open transaction of somebody else does not keep readers", async (path) => {
  const [oid] = await makeImage(path);
  using image = await Image.open(new SqliteImageStore(path));
  await image.transact((unit) => unit.set(oid!, "n", 1));
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE; CREATE TABLE busy(x)");
  using unit = image.begin();
  assert.equal(unit.get(oid!, "n"), 1);
  other.exec("ROLLBACK");
  other.close();
});

fileTest(
  "small and large transactions of two connections are what a store in memory has, in any order",
  async (path) => {
    await Promise.resolve();
    const stores = [new SqliteImageStore(path), new SqliteImageStore(path)];
    const step = fc.record({
      by: fc.nat(1),
      repeat: fc.nat(40),
      puts: fc.uniqueArray(fc.record({ oid: fc.nat(9), data: fc.option(fc.string()) }), {
        selector: ({ oid }) => oid,
        maxLength: 3,
      }),
      isLarge: fc.boolean(),
      restart: fc.nat(5).map((n) => n === 0),
    });
    const expected = new MemoryImageStore();
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 20 }), (steps) => {
        for (const { by, repeat, puts, isLarge, restart } of steps) {
          // Enough of them, one after the other, that they are moved to their places now and then.
          for (let n = 0; n <= repeat; n++) {
            const info = { time: n, user: "ann", description: `${n}`, force: true };
            const write = (store: ImageStore) =>
              store.write(info, ({ newest, previous, put }) => {
                for (const { oid, data } of puts) {
                  put(oid, data === null ? null : isLarge ? data.repeat(500) : data + n);
                }
                return [previous, ...puts.map(({ oid }) => newest(oid))];
              });
            assert.deepEqual(write(stores[by]!), write(expected));
          }
          if (restart) {
            stores[by]!.close();
            stores[by] = new SqliteImageStore(path);
          }
          const newest = expected.newestTransaction();
          for (const store of stores) {
            assert.equal(store.newestTransaction(), newest);
            const some = { after: newest - 50, upTo: newest - 2, limit: 30, newestFirst: isLarge };
            assert.deepEqual(store.transactions(some), expected.transactions(some));
            for (const tid of [newest, newest - 1, newest - 60]) {
              assert.deepEqual(store.transaction(tid), expected.transaction(tid));
              assert.deepEqual(store.oids(tid, 2, 4), expected.oids(tid, 2, 4));
              for (let oid = 0; oid < 10; oid++) {
                assert.deepEqual(store.load(oid, tid), expected.load(oid, tid));
              }
            }
            assert.deepEqual(store.revisions(3), expected.revisions(3));
            assert.deepEqual(store.revisionIds(4), expected.revisionIds(4));
          }
        }
      }),
      { numRuns: 3 },
    );
    assert.deepEqual(stores[0]!.transactions({}), expected.transactions({}));
    assert.deepEqual([...stores[0]!.problems()], []);
    for (const store of stores) store.close();
  },
);

fileTest(
  "whatever another connection writes while a transaction is prepared comes before it, and is seen by it",
  async (path) => {
    await Promise.resolve();
    const [store, other] = [new SqliteImageStore(path), new SqliteImageStore(path)];
    const expected = new MemoryImageStore();
    // One that has never looked prepares nothing before it locks the others out.
    store.newestTransaction();
    const info = { time: 0, user: "", description: "" };
    const small = (one: ImageStore, oid: number) =>
      one.write(info, ({ tid, put }) => put(oid, `small ${tid}`));
    const meanwhile: Readonly<Record<string, (one: ImageStore, oid: number) => void>> = {
      nothing: () => {},
      small,
      "small ones, until they are moved": (one, oid) => {
        // As many as that, so that it happens once for sure.
        for (let n = 0; n < 130; n++) small(one, oid);
      },
      large: (one, oid) => void one.write(info, ({ put }) => put(oid, "x".repeat(5_000))),
      "large, then small": (one, oid) => {
        one.write(info, ({ put }) => put(oid, "x".repeat(5_000)));
        small(one, oid);
      },
      pack: (one, oid) => {
        const newest = one.newestTransaction();
        const [, ...older] = one.revisionIds(oid);
        const revisions = older.map((tid) => ({ oid, tid }));
        one.drop(newest, () => ({ revisions, transactions: [] }));
      },
      "another table": (one) => {
        if (one !== other) return;
        const index = new DatabaseSync(path);
        index.exec("CREATE TABLE IF NOT EXISTS chunk(n); INSERT INTO chunk VALUES (1)");
        index.close();
      },
    };
    const step = fc.record({
      before: fc.nat(3),
      event: fc.constantFrom(...Object.keys(meanwhile)),
      looks: fc.boolean(),
      theirs: fc.nat(3),
      ours: fc.nat(3),
      isLarge: fc.boolean(),
      isLocked: fc.boolean(),
    });
    const put = (oid: number, isLarge: boolean) => (writing: Writing) => {
      const { tid, previous, drops, newest, put } = writing;
      put(oid, isLarge ? "y".repeat(5_000) : `ours, after ${newest(oid)}`);
      return { tid, previous, drops, newest: newest(oid) };
    };
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 15 }), (steps) => {
        for (const { before, event, looks, theirs, ours, isLarge, isLocked } of steps) {
          for (let n = 0; n < before; n++) for (const one of [store, expected]) small(one, n);
          let runs = 0;
          if (isLocked) meanwhile[event]!(other, theirs);
          const written = store.write({ ...info, locked: isLocked }, (writing) => {
            assert.equal(writing.database !== undefined, isLocked);
            if (runs++ === 0 && !isLocked) {
              meanwhile[event]!(other, theirs);
              // Whoever writes may look in between.
              if (looks) store.newestTransaction();
            }
            return put(ours, isLarge)(writing);
          });
          assert.ok(runs <= (isLocked ? 1 : 2));
          meanwhile[event]!(expected, theirs);
          assert.deepEqual(written, expected.write(info, put(ours, isLarge)));
          assert.deepEqual(other.revisions(ours), expected.revisions(ours));
        }
      }),
      { numRuns: 6 },
    );
    for (const one of [store, other]) {
      for (let oid = 0; oid < 4; oid++) {
        assert.deepEqual(one.revisions(oid), expected.revisions(oid));
      }
    }
    assert.deepEqual(other.transactions({}), expected.transactions({}));
    store.close();
    other.close();
  },
);

fileTest("a flipped bit among the newest transactions never shows an older state", async (path) => {
  const oids = await makeImage(path, 3);
  {
    using image = await Image.open(new SqliteImageStore(path));
    for (let n = 10; n < 13; n++) {
      for (const oid of oids) {
        await image.transact((unit) => {
          unit.set(oid, "n", n + oid);
          unit.set(oid, "text", "still a small object");
          unit.create({ slots: { n, other: "beside it" } });
        });
      }
    }
  }
  const whole = Deno.readFileSync(path);
  const text = new TextDecoder("latin1").decode(whole);
  const page = Math.floor(text.indexOf("still a small object") / PAGE) * PAGE;
  const copy = `${path}.flipped`;
  let [read, refused] = [0, 0];
  for (let at = page; at < page + PAGE; at += 13) {
    const bytes = whole.slice();
    bytes[at]! ^= 1 << at % 8;
    Deno.writeFileSync(copy, bytes);
    try {
      using image = await Image.open(new SqliteImageStore(copy, { readOnly: true }));
      using unit = image.view();
      // Where the newest transaction itself is hidden, all of the image is as it was before it.
      if (image.newest < 2 + 9) continue;
      for (const oid of oids) {
        try {
          assert.equal(unit.get(oid, "n"), 12 + oid, `byte ${at - page}`);
          read++;
        } catch (error) {
          if (!(error instanceof ImageError)) throw error;
          refused++;
        }
      }
      await image.check();
    } catch (error) {
      assert.ok(error instanceof ImageError, `${at - page}: ${error}`);
      refused++;
    }
  }
  assert.ok(read > 100 && refused > 20, `${read} read, ${refused} refused`);
});

fileTest("an image of the first version is brought up to date by whoever writes", async (path) => {
  const [oid] = await makeImage(path);
  const database = new DatabaseSync(path);
  database.exec("DROP TABLE image_recent; UPDATE image_meta SET value = 1 WHERE key = 'format'");
  database.close();
  assert.throws(
    () => new SqliteImageStore(path, { readOnly: true }),
    (error) => error instanceof ImageError && /open it for writing once/.test(error.message),
  );
  using image = await Image.open(new SqliteImageStore(path));
  await image.transact((unit) => unit.set(oid!, "n", "changed"));
  using reader = await Image.open(new SqliteImageStore(path, { readOnly: true }));
  using unit = reader.view();
  assert.equal(unit.get(oid!, "n"), "changed");
  assert.deepEqual((await reader.check()).problems, []);
});

fileTest(
  "damage among the newest transactions stays where it is when they are moved",
  async (path) => {
    const [oid] = await makeImage(path);
    let tid: number;
    {
      using image = await Image.open(new SqliteImageStore(path));
      await image.transact((unit) => unit.set(oid!, "text", "an older one"));
      await image.transact((unit) => unit.set(oid!, "text", "the damaged one"));
      tid = image.newest;
    }
    const bytes = Deno.readFileSync(path);
    const at = new TextDecoder("latin1").decode(bytes).indexOf("the damaged one");
    bytes[at]! ^= 0x01;
    Deno.writeFileSync(path, bytes);
    using image = await Image.open(new SqliteImageStore(path));
    const checked = async () => (await image.check()).problems.map(({ oid, tid }) => [oid, tid]);
    assert.deepEqual(await checked(), [[oid, tid]]);
    // Too large to stay among the newest, so all of them move.
    await image.transact((unit) => unit.create({ slots: { text: "x".repeat(10_000) } }));
    assert.deepEqual(await checked(), [[oid, tid]]);
    using past = image.at(tid - 1);
    assert.equal(past.get(oid!, "text"), "an older one");
  },
);
