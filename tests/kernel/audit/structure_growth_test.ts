/** Growth of the image: what counts, what does not, over spans that add up, over real images in memory. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { elementsOf, keepsCycle, structureGrowth } from "../../../kernel/audit/structure_growth.ts";
import { CycleEngine } from "../../../kernel/cycle/cycle_engine.ts";
import type { Image } from "../../../kernel/image/image.ts";
import { openMemoryImage } from "../../../kernel/image/open_image.ts";
import { method } from "../../../kernel/image/slot_spec.ts";
import { Ref } from "../../../kernel/image/values.ts";

const NONE = { objects: 0, slots: 0, methods: 0, parents: 0 };
const RECORDS = { prototypes: ["cognitive_cycle"], objects: ["diary"] };

function grown(image: Image, after: number, upTo = image.newest) {
  return structureGrowth(image, after, upTo, RECORDS);
}

Deno.test("objects, slots, methods and parents count; values do not, nor what came and went", async () => {
  using image = await openMemoryImage();
  const start = image.newest;
  assert.deepEqual(grown(image, start), NONE);
  const oid = await image.transact((unit) =>
    unit.create({
      parent: image.named("traits"),
      slots: { size: 1, "double:": method("return n * 2;", { parameters: ["n"] }) },
    })
  );
  assert.deepEqual(grown(image, start), { objects: 1, slots: 1, methods: 1, parents: 1 });
  const made = image.newest;
  await image.transact((unit) => unit.set(oid, "size", 2));
  assert.deepEqual(grown(image, made), NONE);
  await image.transact((unit) => unit.set(oid, "other*", new Ref(image.named("list"))));
  await image.transact((unit) => unit.set(oid, "colour", "red"));
  assert.deepEqual(grown(image, made), { ...NONE, slots: 1, parents: 1 });
  await image.undo(image.newest, {});
  await image.transact((unit) => unit.remove(oid, "other*"));
  assert.deepEqual(grown(image, made), NONE);
  await image.transact((unit) => unit.remove(oid, "size"));
  assert.deepEqual(grown(image, made), { ...NONE, slots: -1 });
  assert.equal(elementsOf(grown(image, start)), 3);
});

Deno.test("what questions leave and what a version brings is no structure of anybody's", async () => {
  using image = await openMemoryImage();
  const engine = await CycleEngine.on(image);
  const start = image.newest;
  await image.defineObjects([{ name: "diary", slots: { turns: [] } }, { name: "tool" }]);
  const id = crypto.randomUUID();
  const end = await engine.run({ type: "question", selector: "who locks?" }, {
    DECOMPOSING: () => Promise.resolve("DELEGATING"),
    DELEGATING({ unit }) {
      unit.set(image.named("diary"), "more", 1);
      unit.create({ parent: image.named("diary") });
      return Promise.resolve("SYNTHESIZING");
    },
    SYNTHESIZING: () => Promise.resolve("COMPLETE"),
  }, { id });
  assert.deepEqual(grown(image, start), NONE);
  assert.equal(keepsCycle(image, end.tid, id), true);
  assert.equal(keepsCycle(image, end.tid, crypto.randomUUID()), false);
  assert.equal(keepsCycle(image, end.tid + 1, id), false);
  assert.equal(keepsCycle(image, 1_000_000, id), false);
  // What a cycle makes beside its records is structure, and so is a method of the prototype of records.
  await engine.run({ type: "message", selector: "grow" }, {
    DECOMPOSING: () => Promise.resolve("DELEGATING"),
    DELEGATING({ unit }) {
      unit.create({ parent: image.named("tool"), slots: { size: 1 } });
      unit.set(image.named("cognitive_cycle"), "colour", "red");
      return Promise.resolve("SYNTHESIZING");
    },
    SYNTHESIZING: () => Promise.resolve("COMPLETE"),
  });
  assert.deepEqual(grown(image, start), { objects: 1, slots: 2, methods: 0, parents: 1 });
});

Deno.test("growth over spans that follow each other adds up, whatever is made, changed, taken away and undone", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("make", "slot", "parent", "drop", "undo", "value"), {
        maxLength: 12,
      }),
      fc.nat(),
      async (steps, cut) => {
        using image = await openMemoryImage();
        const start = image.newest;
        let last = await image.transact((unit) => unit.create({ slots: { kept: 1 } }));
        for (const [at, step] of steps.entries()) {
          if (step === "undo") await image.undo(image.newest, {}).catch(() => {});
          else {
            await image.transact((unit) => {
              if (step === "make" || !unit.has(last)) last = unit.create({ slots: { at } });
              else if (step === "slot") unit.set(last, `slot${at}`, at);
              else if (step === "value") unit.set(last, "kept", at);
              else if (step === "parent") unit.set(last, `p${at}*`, new Ref(image.named("list")));
              else for (const [name] of unit.slots(last)) unit.remove(last, name);
            });
          }
        }
        const middle = start + cut % (image.newest - start + 1);
        const [one, two, all] = [
          grown(image, start, middle),
          grown(image, middle),
          grown(image, start),
        ];
        for (const kind of ["objects", "slots", "methods", "parents"] as const) {
          assert.equal(one[kind] + two[kind], all[kind], kind);
        }
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("what a pack has forgotten is an error that says so", async () => {
  using image = await openMemoryImage();
  const start = image.newest;
  await image.transact((unit) => unit.set(image.named("lobby"), "colour", "red"));
  await image.pack();
  assert.throws(() => grown(image, start), /a pack kept nothing before transaction/);
});
