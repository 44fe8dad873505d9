/** Rows read from pages, where no tree leads to them any more: whatever page is lost, what stands on the others is saved. */
import assert from "node:assert/strict";
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Image } from "../../../kernel/image/image.ts";
import { ImagePages } from "../../../kernel/image/image_pages.ts";
import { PageReader } from "../../../kernel/image/page_reader.ts";
import { rescueImage } from "../../../kernel/image/rescue_image.ts";
import { SqliteImageStore } from "../../../kernel/image/sqlite_store.ts";

const PAGE = 4_096;

/** The file of a small image, as it is and as it was taken from under a process. */
class SmallImage implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "batos_pages_" });
  readonly path = join(this.folder, "image.db");
  /** All revisions: the text by `OID TID`. */
  readonly written = new Map<string, string | null>();
  #files: { suffix: string; bytes: Uint8Array }[] = [];

  /** @param withLog whether the newest transactions are still in the log */
  static async make(withLog: boolean): Promise<SmallImage> {
    const made = new SmallImage();
    const live = join(made.folder, "live.db");
    {
      using image = await Image.open(new SqliteImageStore(live));
      // Several leaves, two records over several pages, an object that is changed and one that goes, and small ones that stay recent.
      const oids = await image.transact((unit) =>
        Array.from(
          { length: 40 },
          (_, n) => unit.create({ slots: { n, text: "small ".repeat(50) } }),
        )
      );
      await image.transact((unit) => {
        unit.set(oids[3]!, "text", "large ".repeat(2_500));
        unit.set(oids[4]!, "text", "ä".repeat(3_000));
      });
      for (let n = 0; n < 12; n++) {
        await image.transact((unit) => unit.set(oids[n]!, "n", `changed ${n}`), {
          user: "ann",
          description: `change ${n}`,
        });
      }
      if (withLog) {
        // What is written from now on is in the log alone.
        const other = new DatabaseSync(live);
        other.exec("PRAGMA wal_checkpoint(PASSIVE)");
        other.close();
        for (let n = 20; n < 24; n++) {
          await image.transact((unit) => unit.set(oids[n]!, "n", "new"));
        }
        made.#take(live);
      }
    }
    if (!withLog) made.#take(live);
    made.restore();
    const database = new DatabaseSync(made.path);
    for (const { oid, tid, data } of database.prepare("SELECT * FROM image_revision").all()) {
      made.written.set(`${oid} ${tid}`, data as string | null);
    }
    database.close();
    made.restore();
    const store = new SqliteImageStore(made.path, { readOnly: true });
    for (const { tid, oids } of store.transactions({})) {
      for (const oid of oids) made.written.set(`${oid} ${tid}`, store.load(oid, tid)!.data);
    }
    store.close();
    made.restore();
    return made;
  }

  #take(live: string): void {
    this.#files = ["", "-wal"].flatMap((suffix) => {
      try {
        return [{ suffix, bytes: Deno.readFileSync(live + suffix) }];
      } catch {
        return [];
      }
    });
  }

  /** Everything as it was. */
  restore(): void {
    for (const name of readdirSync(this.folder)) {
      if (name.startsWith("image.db")) Deno.removeSync(join(this.folder, name));
    }
    for (const { suffix, bytes } of this.#files) Deno.writeFileSync(this.path + suffix, bytes);
  }

  get pages(): number {
    return this.#files[0]!.bytes.length / PAGE;
  }

  get hasLog(): boolean {
    return this.#files.length > 1;
  }

  /** What stands on each page, as `OID TID`; transactions as their number. */
  places(): string[][] {
    using pages = new ImagePages(this.path);
    return Array.from({ length: pages.count }, (_, at) => {
      const { revisions, recent, transactions } = pages.page(at + 1);
      return [...revisions, ...recent].map(({ oid, tid }) => `${oid} ${tid}`)
        .concat(transactions.map(({ tid }) => String(tid)));
    });
  }

  /** Overwrites one page of the file with zeros. */
  zero(page: number): void {
    const file = Deno.openSync(this.path, { write: true });
    file.seekSync((page - 1) * PAGE, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(PAGE));
    file.close();
  }

  /** Rescues the file and compares; gives what is lost. */
  async rescue(): Promise<{ lost: string[]; named: Set<string> } | undefined> {
    const report = await rescueImage(this.path);
    if (report === undefined) return undefined;
    const named = new Set(
      report.lost.map(({ oid, tid, problem }) =>
        oid !== undefined ? `${oid} ${tid}` : tid !== undefined ? `${tid}` : problem
      ),
    );
    // Without a single record there is no new file.
    if (report.revisions === 0) return { lost: [...this.written.keys()], named };
    const store = new SqliteImageStore(this.path, { readOnly: true });
    const lost = [...this.written].flatMap(([key, data]) => {
      const [oid, tid] = key.split(" ").map(Number);
      const found = store.load(oid!, tid!);
      if (found?.tid !== tid) return [key];
      assert.equal(found!.data, data, key);
      return [];
    });
    assert.deepEqual([...store.problems()], []);
    store.close();
    return { lost, named };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("pages hold just the rows that SQLite finds, with and without a log", async () => {
  for (const withLog of [false, true]) {
    using image = await SmallImage.make(withLog);
    assert.equal(image.hasLog, withLog);
    const found = image.places().flat().filter((key) => key.includes(" "));
    assert.deepEqual(found.sort(), [...image.written.keys()].sort());
  }
});

for (const withLog of [false, true]) {
  Deno.test(`whatever page is lost of a small image ${withLog ? "with a log" : "that was closed"}, all rows on the others are saved, and those on it are named`, async () => {
    using image = await SmallImage.make(withLog);
    const places = image.places();
    assert.ok(image.pages > (withLog ? 1 : 10), `${image.pages} pages`);
    let overflows = 0;
    for (let page = 1; page <= image.pages; page++) {
      image.restore();
      image.zero(page);
      const rescued = await image.rescue();
      if (rescued === undefined) {
        // It is in the log too, or free.
        assert.ok(withLog || places[page - 1]!.length === 0);
        continue;
      }
      const { lost, named } = rescued;
      const here = new Set(places[page - 1]!);
      if (here.size === 0 && lost.length > 0) {
        // The next page of one record.
        assert.equal(lost.length, 1, `page ${page}`);
        overflows++;
      } else assert.ok(lost.every((key) => here.has(key)), `page ${page}: ${lost}`);
      const unnamed = lost.filter((key) => !named.has(key) && !named.has(key.split(" ")[1]!));
      // Of the newest nothing but their own page tells.
      const isRecent = [...named].some((one) => one.endsWith("how many are lost is not known"));
      assert.ok(isRecent || unnamed.length === 0, `page ${page}: ${unnamed}`);
    }
    if (!withLog) assert.ok(overflows >= 3);
  });
}

Deno.test("of a small image that is cut short, all rows on the pages that are left are saved", async () => {
  using image = await SmallImage.make(false);
  const places = image.places();
  for (let pages = image.pages - 1; pages > 1; pages--) {
    image.restore();
    Deno.truncateSync(image.path, pages * PAGE);
    const { lost } = (await image.rescue())!;
    const left = new Set(places.slice(0, pages).flat());
    const cut = lost.filter((key) => left.has(key));
    // Of the two that go on over other pages.
    assert.ok(cut.every((key) => image.written.get(key)!.length > 2_000), `${pages}: ${cut}`);
  }
});

Deno.test("what is no page and what leads in circles ends, and gives no rows", async () => {
  using image = await SmallImage.make(false);
  const sound = Deno.readFileSync(image.path);
  const noise = sound.slice();
  let state = 1;
  for (let at = 0; at < noise.length; at++) {
    // What kind a page is stays: all else is noise.
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    if (at % PAGE > 0 && at > 100) noise[at] = state >> 16;
  }
  Deno.writeFileSync(image.path, noise);
  {
    using reader = new PageReader(image.path);
    for (let page = 1; page <= reader.pages; page++) [...reader.rows(page, () => true)];
  }
  // A list of free pages that leads back to itself.
  const circle = sound.slice();
  new DataView(circle.buffer).setUint32(32, 2);
  new DataView(circle.buffer).setUint32(PAGE, 2);
  Deno.writeFileSync(image.path, circle);
  using pages = new ImagePages(image.path);
  const found = Array.from({ length: pages.count }, (_, at) => pages.page(at + 1).revisions);
  assert.ok(found.flat().length > 30);
});

Deno.test("a row that a transaction took from the file is not given back by a page that is free", async () => {
  using image = await SmallImage.make(false);
  const path = join(image.folder, "packed.db");
  copyFileSync(image.path, path);
  {
    using packed = await Image.open(new SqliteImageStore(path));
    await packed.pack();
  }
  const database = new DatabaseSync(path);
  const rows = database.prepare("SELECT oid, tid FROM image_revision ORDER BY oid, tid").all()
    .map(({ oid, tid }) => `${oid} ${tid}`);
  database.close();
  using pages = new ImagePages(path);
  const found = Array.from({ length: pages.count }, (_, at) => pages.page(at + 1));
  assert.deepEqual(
    found.flatMap(({ revisions }) => revisions.map(({ oid, tid }) => `${oid} ${tid}`)).sort(),
    rows.sort(),
  );
  assert.ok(Math.max(...found.map(({ packed }) => packed)) > 0);
});
