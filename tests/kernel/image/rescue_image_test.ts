/** Files that are damaged: what is said of them, and what gets into the new file. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { DamagedImageError, NewerImageError, NoImageError } from "../../../kernel/image/errors.ts";
import { openImage } from "../../../kernel/image/open_image.ts";
import { checkImageFile, rescueImage } from "../../../kernel/image/rescue_image.ts";
import { Ref } from "../../../kernel/image/values.ts";

const TEXT = "what stands here is long enough to fill some pages ".repeat(6);

/** A folder with an image of transactions with some objects each, all of which a named object refers to. */
class Damaged implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "batos_rescue_" });
  readonly path = join(this.folder, "image.db");
  /** Every object with what it holds. */
  readonly held = new Map<number, number>();

  static async make(transactions = 12, objects = 40): Promise<Damaged> {
    const made = new Damaged();
    using image = await openImage(made.path, { mode: "exclusive" });
    for (let t = 0; t < transactions; t++) {
      await image.transact((unit) => {
        for (let n = 0; n < objects; n++) {
          made.held.set(
            unit.create({ slots: { n: t * objects + n, text: TEXT } }),
            t * objects + n,
          );
        }
      });
    }
    // Too large to be kept beside its transaction, so everything before it is put in its place too.
    await image.transact((unit) => {
      const todo = unit.create({ slots: { owner: "Ada", text: TEXT.repeat(20) } });
      unit.define(0, "todo", new Ref(todo));
    });
    return made;
  }

  get blobs(): BlobFolder {
    return new BlobFolder(join(this.folder, "blobs"));
  }

  /** Turns one bit wherever a text stands: pages that are free now may have it too. */
  flip(text: string): void {
    const bytes = Deno.readFileSync(this.path);
    const all = new TextDecoder("latin1").decode(bytes);
    assert.ok(all.includes(text), `"${text}" is in the file`);
    for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + 1)) bytes[at]! ^= 1;
    Deno.writeFileSync(this.path, bytes);
  }

  /** Objects that are there and hold what they held; fails for one that holds anything else. */
  async whole(): Promise<number> {
    using image = await openImage(this.path, { mode: "shared" });
    using unit = image.view();
    let whole = 0;
    for (const [oid, n] of this.held) {
      if (!unit.has(oid)) continue;
      assert.deepEqual([unit.get(oid, "n"), unit.get(oid, "text")], [n, TEXT]);
      whole++;
    }
    return whole;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("a whole file stays as it is, and one that is not there too", async () => {
  using file = await Damaged.make(2);
  const before = Deno.readFileSync(file.path);
  assert.equal(await rescueImage(file.path), undefined);
  assert.deepEqual(Deno.readFileSync(file.path), before);
  assert.equal(await rescueImage(join(file.folder, "none.db")), undefined);
  assert.deepEqual((await checkImageFile(file.path, file.blobs)).problems, []);
});

Deno.test("of a truncated file all objects on the pages that are left get into the new one, which is sound", async () => {
  for (const share of [0.98, 0.95]) {
    using file = await Damaged.make();
    const { size } = Deno.statSync(file.path);
    // Not at the end of a page.
    Deno.truncateSync(file.path, Math.floor(size * share) + 7);
    const { problems } = await checkImageFile(file.path, file.blobs);
    assert.ok(problems.length > 0);
    for (const { problem } of problems) assert.doesNotMatch(problem, /\n|\*\*\*/);
    const damaged = Deno.readFileSync(file.path);
    const report = await rescueImage(file.path);
    assert.ok(report !== undefined && report.lost.length > 0);
    assert.deepEqual(Deno.readFileSync(report.aside), damaged);
    const whole = await file.whole();
    // The lost ones are those of the lost pages.
    assert.ok(whole >= file.held.size * (share - 0.1), `${share}: ${whole}`);
    assert.deepEqual((await checkImageFile(file.path, file.blobs)).problems, []);
    assert.equal(await rescueImage(file.path), undefined);
  }
});

Deno.test("a flipped bit in what the file says of itself costs no object", async () => {
  using file = await Damaged.make(3, 20);
  const whole = Deno.readFileSync(file.path);
  // The size of a page, the versions, what is kept of each page for extensions; how many pages there are.
  for (const byte of [16, 17, 18, 19, 20, 28, 29, 30, 31]) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = whole.slice();
      bytes[byte]! ^= 1 << bit;
      Deno.writeFileSync(file.path, bytes);
      await rescueImage(file.path);
      assert.equal(await file.whole(), file.held.size, `bit ${bit} of byte ${byte}`);
    }
  }
});

Deno.test("a flipped bit in a record costs that revision, and in a transaction who and why", async () => {
  using file = await Damaged.make(3, 5);
  file.flip('"n","d",7]');
  assert.deepEqual(
    (await checkImageFile(file.path, file.blobs)).problems.map(({ problem }) =>
      /checksum/.test(problem)
    ),
    [true],
  );
  const report = await rescueImage(file.path);
  assert.equal(report!.lost.length, 1);
  assert.equal(await file.whole(), file.held.size - 1);

  file.flip("first objects");
  const again = await rescueImage(file.path);
  assert.deepEqual(again!.lost.map(({ tid }) => tid), [1]);
  assert.equal(await file.whole(), file.held.size - 1);
  assert.deepEqual((await checkImageFile(file.path, file.blobs)).problems, []);
});

Deno.test("small transactions that are not in their places yet are saved as well, but for what is damaged", async () => {
  using file = await Damaged.make(1, 1);
  {
    using image = await openImage(file.path, { mode: "exclusive" });
    for (const n of [100, 101, 102, 103]) {
      await image.transact(
        (unit) => void file.held.set(unit.create({ slots: { n, text: TEXT } }), n),
        { description: `small ${n}` },
      );
    }
  }
  file.flip('"n","d",101]');
  file.flip("small 102");
  const check = await checkImageFile(file.path, file.blobs);
  assert.equal(check.problems.length, 2);
  const report = await rescueImage(file.path);
  assert.equal(report!.lost.length, 2);
  assert.equal(await file.whole(), file.held.size - 1);
  assert.deepEqual((await checkImageFile(file.path, file.blobs)).problems, []);
});

Deno.test("objects of the kernel that are lost are there again, at their OIDs, with their slots", async () => {
  using file = await Damaged.make(1, 5);
  const database = new DatabaseSync(file.path);
  // "list", and the object that notes what was shipped before.
  database.exec("UPDATE image_revision SET crc = crc + 1 WHERE oid IN (1, 8)");
  database.close();
  assert.ok(await rescueImage(file.path) !== undefined);
  using image = await openImage(file.path, { mode: "shared" });
  await image.transact(async (unit) => {
    const list = unit.create({ parent: 8 });
    await unit.send(list, "add:", ["item"]);
    assert.equal(await unit.send(list, "size", []), 1);
  });
  assert.deepEqual((await image.check()).problems, []);
});

Deno.test("a lost lobby costs the names that people gave, nothing else", async () => {
  using file = await Damaged.make(1, 5);
  const database = new DatabaseSync(file.path);
  database.exec("UPDATE image_revision SET crc = crc + 1 WHERE oid = 0");
  database.close();
  assert.ok((await rescueImage(file.path))!.lost.length > 0);
  assert.equal(await file.whole(), file.held.size);
  using image = await openImage(file.path, { mode: "shared" });
  assert.equal(image.named("list"), 8);
  assert.throws(() => image.named("todo"), /the lobby has no such object/);
});

Deno.test("a bit flipped anywhere is never another value in the new file", async () => {
  using file = await Damaged.make(2, 15);
  const sound = Deno.readFileSync(file.path);
  let rescued = 0;
  // A prime stride, so that all kinds of places are met.
  for (let at = 0; at < sound.length; at += 4_001) {
    const bytes = sound.slice();
    bytes[at]! ^= 1 << at % 8;
    Deno.writeFileSync(file.path, bytes);
    try {
      const report = await rescueImage(file.path);
      if (report !== undefined) rescued++;
      if (report === undefined || report.transactions > 0) await file.whole();
    } catch (error) {
      assert.ok(error instanceof NewerImageError, `${at}: ${error}`);
    }
  }
  assert.ok(rescued > 0);
});

Deno.test("a file without an image or without sense is moved aside only where it is damaged", async () => {
  using file = await Damaged.make(1, 1);
  Deno.removeSync(file.path);
  const database = new DatabaseSync(file.path);
  database.exec("CREATE TABLE other(x)");
  database.close();
  assert.equal(await rescueImage(file.path), undefined);
  await assert.rejects(
    checkImageFile(file.path, file.blobs),
    (error) => error instanceof NoImageError,
  );
  Deno.writeTextFileSync(file.path, "no database at all ".repeat(2_000));
  const { problems } = await checkImageFile(file.path, file.blobs);
  assert.match(problems[0]!.problem, /not a database/);
  const report = await rescueImage(file.path);
  assert.equal(report!.transactions, 0);
  assert.ok(readdirSync(file.folder).every((name) => name !== "image.db"));
  assert.equal(
    Deno.readTextFileSync(report!.aside).length,
    "no database at all ".length * 2_000,
  );
});

Deno.test("a rescue that is cancelled leaves the file and nothing beside it", async () => {
  using file = await Damaged.make(30, 50);
  file.flip('"n","d",700]');
  const names = readdirSync(file.folder);
  const before = Deno.readFileSync(file.path);
  const cancel = new AbortController();
  await assert.rejects(
    rescueImage(file.path, {
      signal: cancel.signal,
      onProgress: () => cancel.abort(new DOMException("interrupted", "AbortError")),
    }),
    { name: "AbortError" },
  );
  assert.deepEqual(readdirSync(file.folder), names);
  assert.deepEqual(Deno.readFileSync(file.path), before);
});

Deno.test("an image of a newer version is refused by a check, and left alone by a rescue", async () => {
  using file = await Damaged.make(1, 1);
  const database = new DatabaseSync(file.path);
  database.exec("UPDATE image_meta SET value = 99 WHERE key = 'format'");
  database.close();
  const before = Deno.readFileSync(file.path);
  for (const look of [() => checkImageFile(file.path, file.blobs), () => rescueImage(file.path)]) {
    await assert.rejects(
      look(),
      (error) => error instanceof NewerImageError && !(error instanceof DamagedImageError),
    );
  }
  assert.deepEqual(Deno.readFileSync(file.path), before);
});
