/** Memory seen through the image: chunks, files and summaries as objects that delegate, can be asked, and cannot be written. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { memoryOid, mountMemory } from "../../agent/memory_mount.ts";
import { readTree } from "../../ingest/mod.ts";
import { openImage, Ref, type Value } from "../../kernel/mod.ts";
import { openMemory } from "../../rag/memory.ts";
import { MemoryRef } from "../../rag/memory_objects.ts";

const ROUTER =
  "/** Finds the handler of a path. */\nexport function route(path: string): string {\n  return path;\n}\n";

/** Runs `test` over a workspace of two files with its image and its memory. */
async function inWorkspace(
  test: (parts: {
    image: Awaited<ReturnType<typeof openImage>>;
    find: (place: string) => number;
  }) => Promise<void> | void,
): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "batos_mount_" });
  try {
    Deno.mkdirSync(join(root, "src"));
    Deno.writeTextFileSync(join(root, "src/router.ts"), ROUTER);
    Deno.writeTextFileSync(join(root, "README.md"), "# Parcels\n\nThey are routed.\n");
    const writable = openMemory(root);
    await writable.absorb(readTree(root, writable.known()));
    writable.close();
    using memory = openMemory(root, { readOnly: true });
    using image = await openImage(join(root, ".batos", "image.db"), { mode: "shared" });
    using mount = await mountMemory(image, memory);
    await test({ image, find: (place) => mount.find(place)! });
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("a chunk is an object with the fields of its kind, found by a place in its file", () =>
  inWorkspace(({ image, find }) => {
    using unit = image.view();
    const chunk = find("src/router.ts:3");
    const slots = unit.slots(chunk);
    const value = (name: string) => (slots.get(name) as { value: Value }).value;
    assert.equal(value("file_path"), "src/router.ts");
    assert.deepEqual([value("start_line"), value("end_line")], [1, 4]);
    assert.equal(value("node_name"), "route");
    assert.equal(value("source_text"), ROUTER);
    assert.deepEqual(value("parent*"), new Ref(image.named("memory_chunk")));
    assert.deepEqual(value("file"), new Ref(find("src/router.ts")));
  }));

Deno.test("summaries lead from the workspace down to files, and back up", () =>
  inWorkspace(({ image, find }) => {
    using unit = image.view();
    const ref = (oid: number, name: string) => unit.get(oid, name) as Ref;
    const summary = ref(find("src/router.ts"), "summary").oid;
    assert.match(unit.get(summary, "summary_text") as string, /Finds the handler of a path/);
    const folder = ref(summary, "above").oid;
    assert.equal(unit.get(folder, "level"), "folder");
    const workspace = ref(folder, "above").oid;
    assert.equal(unit.get(workspace, "level"), "workspace");
    const children = unit.get(workspace, "children") as readonly Ref[];
    assert.ok(children.some(({ oid }) => oid === folder));
  }));

Deno.test("things of memory answer messages by delegation", () =>
  inWorkspace(async ({ image, find }) => {
    using unit = image.begin();
    assert.equal(
      await unit.send(find("src/router.ts:1"), "printString"),
      "src/router.ts:1-4 route",
    );
    assert.equal(await unit.send(find("README.md"), "printString"), "README.md");
    // What the prototype learns, all of them understand.
    unit.define(image.named("memory_chunk"), "isCode", true);
    assert.equal(await unit.send(find("src/router.ts:1"), "isCode"), true);
  }));

Deno.test("writing to one is refused with the reason, and numbers without a thing are no objects", () =>
  inWorkspace(({ image, find }) => {
    using unit = image.begin();
    const chunk = find("src/router.ts:1");
    assert.throws(() => unit.set(chunk, "note", 1), /belongs to "memory" and is only shown here/);
    assert.throws(() => unit.set(chunk, "source_text", ""), /read-only|only shown here/);
    assert.equal(unit.has(memoryOid(new MemoryRef("memory_chunk", 999_999))), false);
    assert.equal(find("src/nothing.ts"), undefined);
    // An object of the image can refer to a chunk.
    const note = unit.create({ slots: { about: new Ref(chunk) } });
    assert.equal((unit.get(note, "about") as Ref).oid, chunk);
  }));
