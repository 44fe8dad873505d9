/** Any sequence of commits, undos and packs, beside a list of plain tables: what was at each transaction, and what is now. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { ConflictError, UndoError } from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import { openImage } from "../../../kernel/image/open_image.ts";
import type { UnitOfWork } from "../../../kernel/image/unit_of_work.ts";
import { Ref } from "../../../kernel/image/values.ts";

/** A slot holds a number, or refers to an object: then it is `@OID`. */
type Table = ReadonlyMap<number, ReadonlyMap<string, number | string>>;

const NAMES = ["a", "b"];

const CHANGE = fc.record({
  do: fc.constantFrom("set" as const, "refer" as const, "remove" as const, "create" as const),
  object: fc.nat(),
  other: fc.nat(),
  name: fc.constantFrom(...NAMES),
  value: fc.nat(9),
});
const STEP = fc.oneof(
  { weight: 4, arbitrary: fc.array(CHANGE, { minLength: 1, maxLength: 3 }) },
  { weight: 3, arbitrary: fc.record({ undo: fc.array(fc.nat(), { minLength: 1, maxLength: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ pack: fc.nat() }) },
);
type Step = typeof STEP extends fc.Arbitrary<infer S> ? S : never;

/** What can be reached from the roots. */
function reachable(table: Table, roots: readonly number[]): number[] {
  const seen = new Set(roots);
  for (const oid of seen) {
    for (const value of table.get(oid)?.values() ?? []) {
      if (typeof value === "string") seen.add(Number(value.slice(1)));
    }
  }
  return [...seen];
}

function shown(unit: UnitOfWork, oid: number): Map<string, number | string> | undefined {
  if (!unit.has(oid)) return undefined;
  return new Map(NAMES.flatMap((name) => {
    const value = unit.get(oid, name);
    if (value === undefined) return [];
    return [[name, value instanceof Ref ? `@${value.oid}` : value as number] as const];
  }));
}

/** Does a commit to the image, and gives the table that it leaves. */
async function change(
  image: Image,
  table: Table,
  roots: readonly number[],
  changes: Extract<Step, unknown[]>,
): Promise<Table> {
  const next = new Map([...table].map(([oid, slots]) => [oid, new Map(slots)]));
  using unit = image.begin();
  for (const one of changes) {
    const there = reachable(next, roots);
    const oid = there[one.object % there.length]!;
    const other = there[one.other % there.length]!;
    const slots = next.get(oid)!;
    if (one.do === "set") {
      unit.set(oid, one.name, one.value);
      slots.set(one.name, one.value);
    } else if (one.do === "refer") {
      unit.set(oid, one.name, new Ref(other));
      slots.set(one.name, `@${other}`);
    } else if (one.do === "remove") {
      unit.remove(oid, one.name);
      slots.delete(one.name);
    } else {
      const made = unit.create({ slots: { a: one.value } });
      next.set(made, new Map([["a", one.value]]));
      unit.set(oid, one.name, new Ref(made));
      slots.set(one.name, `@${made}`);
    }
  }
  await unit.commit();
  return next;
}

async function holds(image: Image, steps: readonly Step[]): Promise<void> {
  const roots = await image.transact((unit) =>
    ["one", "two"].map((name) => {
      const oid = unit.create();
      unit.define(0, name, new Ref(oid));
      return oid;
    })
  );
  const first = image.newest;
  /** What was there after each transaction since. */
  const tables = new Map<number, Table>([[first, new Map(roots.map((oid) => [oid, new Map()]))]]);
  let packed = first;
  for (const step of steps) {
    const newest = image.newest;
    const now = tables.get(newest)!;
    if (Array.isArray(step)) {
      const next = await change(image, now, roots, step);
      if (image.newest > newest) tables.set(image.newest, next);
    } else if ("pack" in step) {
      const upTo = packed + step.pack % (newest - packed + 1);
      await image.pack({ upTo });
      packed = upTo;
    } else if (newest > packed) {
      const tids = [...new Set(step.undo.map((n) => packed + 1 + n % (newest - packed)))];
      const next = new Map(now);
      for (const tid of tids.toSorted((a, b) => b - a)) {
        const [did, was] = [tables.get(tid)!, tables.get(tid - 1)!];
        for (const [oid, slots] of did) {
          const before = was.get(oid);
          if (before === slots || sameSlots(before, slots)) continue;
          if (before === undefined) next.delete(oid);
          else next.set(oid, before);
        }
        for (const [oid, slots] of was) if (!did.has(oid)) next.set(oid, slots);
      }
      try {
        await image.undo(tids);
        if (image.newest > newest) tables.set(image.newest, next);
      } catch (error) {
        assert.ok(error instanceof UndoError, String(error));
        assert.equal(image.newest, newest, "a refused undo wrote nothing");
      }
    }
    for (const [tid, table] of tables) {
      if (tid < packed) continue;
      using unit = image.at(tid);
      for (const oid of reachable(table, roots)) {
        assert.ok(table.has(oid), `object ${oid}, which is referred to at ${tid}, is not there`);
        assert.deepEqual(shown(unit, oid), table.get(oid), `object ${oid} at transaction ${tid}`);
      }
    }
  }
  assert.deepEqual((await image.check()).problems, []);
}

function sameSlots(
  one: ReadonlyMap<string, number | string> | undefined,
  other: ReadonlyMap<string, number | string>,
): boolean {
  return one !== undefined && one.size === other.size &&
    [...one].every(([name, value]) => other.get(name) === value);
}

const STEPS = fc.array(STEP, { minLength: 1, maxLength: 12 });

Deno.test("in memory: whatever is committed, undone and packed, every transaction that is kept shows what was", async () => {
  await fc.assert(
    fc.asyncProperty(STEPS, async (steps) => {
      using image = await Image.open(new MemoryImageStore());
      await holds(image, steps);
    }),
    { numRuns: 300 },
  );
});

Deno.test("in a file: whatever is committed, undone and packed, every transaction that is kept shows what was", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos_past_" });
  let files = 0;
  try {
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        using image = await openImage(join(folder, `${files++}.db`), { mode: "exclusive" });
        await holds(image, steps);
      }),
      { numRuns: 30 },
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("an undo that waits for its turn takes nothing away that somebody refers to by then", async () => {
  using image = await Image.open(new MemoryImageStore(), {
    // As between processes: nobody commits at once.
    exclusively: async (_action, commit) => {
      await Promise.resolve();
      return commit();
    },
  });
  const owner = await image.transact((unit) => unit.create());
  const part = await image.transact((unit) => unit.create());
  const creation = image.newest;
  using unit = image.begin();
  unit.set(owner, "part", new Ref(part));
  const [made, undone] = await Promise.allSettled([unit.commit(), image.undo(creation)]);
  assert.equal(made.status, "fulfilled");
  assert.ok(undone.status === "rejected" && undone.reason instanceof ConflictError);
  assert.match(
    String(undone.reason),
    new RegExp(`object ${part} is to be taken away, and object ${owner} refers to it`),
  );
  assert.deepEqual((await image.check()).problems, []);
});
