/** Memory and objects in one commit: both or neither, whatever goes wrong between. The image and the index are real, in one file. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readTree, type SourceFile } from "../../ingest/mod.ts";
import { type Image, openImage } from "../../kernel/mod.ts";
import { openMemory } from "../../rag/memory.ts";
import { JoinedMemory } from "../../rag/joined_memory.ts";

/** A workspace that was ingested, its image, and files that were not. */
class Place implements AsyncDisposable {
  readonly root: string = Deno.makeTempDirSync({ prefix: "batos_joined_" });
  readonly path: string = join(this.root, ".batos", "image.db");
  image!: Image;

  static async make(): Promise<Place> {
    const place = new Place();
    Deno.writeTextFileSync(join(place.root, "old.ts"), "export const kept = 1;\n");
    using memory = openMemory(place.root);
    await memory.absorb(readTree(place.root, memory.known()));
    place.image = await openImage(place.path, { mode: "shared" });
    return place;
  }

  /** A file of the workspace, parsed and not stored. */
  async parsed(path: string, text: string): Promise<SourceFile> {
    Deno.writeTextFileSync(join(this.root, path), text);
    for await (const event of readTree(this.root, new Map(), { scope: [path] })) {
      if (event.type === "file") return event.file;
    }
    throw new Error(`"${path}" was not read`);
  }

  paths(): string[] {
    using memory = openMemory(this.root, { readOnly: true });
    return memory.paths();
  }

  finds(query: string): string[] {
    using memory = openMemory(this.root, { readOnly: true });
    return memory.search(query).map(({ path }) => path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.image[Symbol.dispose]();
    await Deno.remove(this.root, { recursive: true });
  }
}

Deno.test("one commit makes objects and chunks visible, and neither is before", async () => {
  await using place = await Place.make();
  using unit = place.image.begin();
  const memory = new JoinedMemory(place.path);
  unit.join(memory);
  memory.put(await place.parsed("fresh.ts", "export function quokka(): void {}\n"));
  const oid = unit.create({ slots: { note: "about quokkas" } });
  assert.deepEqual(memory.pending, ["fresh.ts"]);
  assert.deepEqual(place.paths(), ["old.ts"]);
  assert.deepEqual(place.finds("quokka"), []);
  await unit.commit();
  assert.deepEqual(place.paths(), ["fresh.ts", "old.ts"]);
  assert.deepEqual(place.finds("quokka"), ["fresh.ts"]);
  using view = place.image.view();
  assert.equal(view.get(oid, "note"), "about quokkas");
  assert.deepEqual(memory.pending, []);
});

Deno.test("an abort leaves neither objects nor chunks", async () => {
  await using place = await Place.make();
  using unit = place.image.begin();
  const before = place.image.newest;
  const memory = new JoinedMemory(place.path);
  unit.join(memory);
  memory.put(await place.parsed("fresh.ts", "export const quokka = 1;\n"));
  memory.forget("old.ts");
  unit.create();
  unit.abort();
  assert.deepEqual(memory.pending, []);
  assert.deepEqual(place.paths(), ["old.ts"]);
  assert.equal(place.image.newest, before);
});

Deno.test("a rollback to a savepoint forgets what was written to memory since", async () => {
  await using place = await Place.make();
  using unit = place.image.begin();
  const memory = new JoinedMemory(place.path);
  unit.join(memory);
  memory.put(await place.parsed("first.ts", "export const first = 1;\n"));
  const savepoint = unit.savepoint();
  memory.put(await place.parsed("second.ts", "export const second = 1;\n"));
  memory.forget("old.ts");
  savepoint.rollback();
  assert.deepEqual(memory.pending, ["first.ts"]);
  await unit.commit();
  assert.deepEqual(place.paths(), ["first.ts", "old.ts"]);
});

Deno.test("a conflict over an object leaves memory as it was", async () => {
  await using place = await Place.make();
  const oid = await place.image.transact((unit) => unit.create({ slots: { n: 0 } }));
  using unit = place.image.begin();
  const memory = new JoinedMemory(place.path);
  unit.join(memory);
  memory.put(await place.parsed("fresh.ts", "export const quokka = 1;\n"));
  unit.set(oid, "n", 1);
  await place.image.transact((other) => other.set(oid, "n", 2));
  await assert.rejects(unit.commit(), /changed meanwhile/);
  assert.deepEqual(place.paths(), ["old.ts"]);
});

Deno.test("a write to memory that fails takes the objects of the commit with it", async () => {
  await using place = await Place.make();
  const before = place.image.newest;
  using unit = place.image.begin();
  const memory = new JoinedMemory(place.path);
  unit.join(memory);
  const file = await place.parsed("fresh.ts", "export const quokka = 1;\n");
  memory.put(file);
  memory.put({ ...file, path: "broken.ts", bytes: "many" as unknown as number, mtime: null! });
  const oid = unit.create();
  await assert.rejects(unit.commit());
  assert.deepEqual(place.paths(), ["old.ts"]);
  assert.equal(place.image.newest, before);
  unit.abort();
  assert.equal(unit.has(oid), false);
});

Deno.test("put and forget of one path: the last one counts; the next ingest finds nothing wrong", async () => {
  await using place = await Place.make();
  await place.image.transact(async (unit) => {
    const memory = new JoinedMemory(place.path);
    unit.join(memory);
    memory.forget("old.ts");
    memory.put(await place.parsed("old.ts", "export const wombat = 2;\n"));
    memory.put(await place.parsed("gone.ts", "export const gone = 1;\n"));
    memory.forget("gone.ts");
  });
  assert.deepEqual(place.paths(), ["old.ts"]);
  assert.deepEqual(place.finds("wombat"), ["old.ts"]);
  Deno.removeSync(join(place.root, "gone.ts"));
  using memory = openMemory(place.root);
  const report = await memory.absorb(readTree(place.root, memory.known()));
  assert.deepEqual([report.changed, report.removed], [0, 0]);
  const { fingerprint } = memory.status();
  memory.close();
  using again = openMemory(place.root, { rebuild: true });
  await again.absorb(readTree(place.root, again.known()));
  assert.equal(again.status().fingerprint, fingerprint);
});

Deno.test("without an index there is nothing to write to, and the commit says so", async () => {
  await using place = await Place.make();
  const file = await place.parsed("fresh.ts", "export const quokka = 1;\n");
  const root = Deno.makeTempDirSync({ prefix: "batos_joined_" });
  try {
    const path = join(root, ".batos", "image.db");
    using image = await openImage(path, { mode: "shared" });
    using unit = image.begin();
    const memory = new JoinedMemory(path);
    unit.join(memory);
    memory.put(file);
    await assert.rejects(unit.commit(), /it holds no index; run "ingest" first/);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});
