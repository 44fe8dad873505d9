/** The image over SQLite: the conformance suite, and what can go wrong with a file. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DamagedImageError, ImageError, NewerImageError } from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
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
        /format 99, this version reads up to 1/.test(error.message),
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
    Deno.truncateSync(copy, Math.floor(size * share / 8192) * 8192);
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
