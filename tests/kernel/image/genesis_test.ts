/** Objects that come with the program: they get in once, follow its versions, and leave alone what a person made of them. */
import assert from "node:assert/strict";
import { Image } from "../../../kernel/image/image.ts";
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import type { GenesisDefinition } from "../../../kernel/image/genesis.ts";
import { method } from "../../../kernel/image/slot_spec.ts";
import { Ref } from "../../../kernel/image/values.ts";

Deno.test("every image begins with the same objects, as its first transaction", async () => {
  using image = await Image.open(new MemoryImageStore());
  assert.equal(image.newest, 1);
  const names = ["lobby", "traits", "genesis", "nil", "true", "false", "block"];
  assert.deepEqual(names.map((name) => image.named(name)), [0, 1, 2, 3, 4, 5, 6]);
  using unit = image.begin();
  for (
    const { name, parent } of [
      { name: "traits", parent: [] },
      { name: "lobby", parent: [1] },
      { name: "list", parent: [image.named("collection")] },
    ]
  ) assert.deepEqual(unit.parents(image.named(name)), parent);
  // Every method of a first object is a function that this program has.
  for (const oid of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
    for (const [name, slot] of unit.slots(oid)) {
      if (slot.type !== "primitive") continue;
      await unit.send(oid, name, [1, 2, 3, 4, 5]).catch((error) =>
        assert.doesNotMatch(error.message, /does not have/)
      );
    }
  }
});

Deno.test("definitions get in by name, once, and may refer to each other", async () => {
  using image = await Image.open(new MemoryImageStore());
  const definitions: GenesisDefinition[] = [
    { name: "brick", parent: "persona", slots: (named) => ({ colleague: named("robin") }) },
    { name: "robin", parent: "persona" },
    { name: "persona", slots: { greet: method("hello") } },
  ];
  await image.defineObjects(definitions);
  const tid = image.newest;
  assert.equal(tid, 2);
  using unit = image.begin();
  assert.deepEqual(unit.get(image.named("brick"), "colleague"), new Ref(image.named("robin")));
  assert.equal(unit.lookup(image.named("brick"), "greet")?.holder, image.named("persona"));
  assert.equal(unit.get(image.named("brick"), "name"), "brick");
  await image.defineObjects(definitions);
  assert.equal(image.newest, tid);
  await assert.rejects(
    image.defineObjects([{ name: "lost", parent: "nobody" }]),
    /the lobby has no such object/,
  );
  assert.equal(image.newest, tid);
});

Deno.test("a later version replaces what it shipped, never what a person changed", async () => {
  using image = await Image.open(new MemoryImageStore());
  const version = (n: number) => [
    { name: "persona", slots: { a: `a${n}`, b: `b${n}`, c: `c${n}`, ...(n > 1 && { d: "new" }) } },
  ];
  await image.defineObjects(version(1));
  const oid = image.named("persona");
  await image.transact((unit) => {
    unit.set(oid, "b", "mine");
    unit.remove(oid, "c");
    unit.set(oid, "own", "mine too");
  });
  await image.defineObjects(version(2));
  const seen = () => {
    using unit = image.begin();
    return ["a", "b", "c", "d", "own"].map((name) => unit.get(oid, name));
  };
  assert.deepEqual(seen(), ["a2", "mine", undefined, "new", "mine too"]);
  await image.defineObjects(version(3));
  assert.deepEqual(seen(), ["a3", "mine", undefined, "new", "mine too"]);
  // What a person put back to what is shipped follows again.
  await image.transact((unit) => unit.set(oid, "b", "b3"));
  await image.defineObjects(version(4));
  assert.deepEqual(seen(), ["a4", "b4", undefined, "new", "mine too"]);
  // An object that a person took out stays out.
  await image.transact((unit) => unit.remove(0, "persona"));
  await image.defineObjects(version(5));
  assert.throws(() => image.named("persona"), /no such object/);
});
