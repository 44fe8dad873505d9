/**
 * Behaviours of units of work: abort, savepoints, snapshots, conflicts, wrong states. See `conformance.ts`.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConflictError } from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
import type { UnitOfWork } from "../../../kernel/image/unit_of_work.ts";
import { Ref } from "../../../kernel/image/values.ts";
import { type Behaviour, create, read, type StoreUnderTest } from "./bench.ts";

/** Registers these behaviours. */
export function unitBehaviours(behaviour: Behaviour, under: StoreUnderTest): void {
  behaviour(1, "an abort leaves no trace, and the next write works", async ({ image, store }) => {
    const oid = await create(image, { x: 1 });
    const before = image.newest;
    using unit = image.begin();
    unit.set(oid, "x", 2);
    const made = unit.create({ slots: { y: 1 } });
    unit.set(oid, "friend", new Ref(made));
    unit.abort();
    assert.equal(unit.get(oid, "x"), 1);
    assert.equal(unit.has(made), false);
    assert.equal(image.newest, before);
    assert.deepEqual(store.revisionIds(made), []);
    unit.set(oid, "x", 3);
    await unit.commit();
    assert.equal(read(image, oid, "x"), 3);
  });

  behaviour(2, "to begin anew discards pending changes", async ({ image }) => {
    const oid = await create(image, { x: 1 });
    {
      using unit = image.begin();
      unit.set(oid, "x", 2);
    }
    using unit = image.begin();
    assert.equal(unit.get(oid, "x"), 1);
    unit.set(oid, "x", 2);
    unit.abort();
    assert.equal(unit.hasChanges, false);
    assert.equal(await unit.commit(), image.newest);
  });

  behaviour(3, "after a failed commit only an abort is left, and nothing leaks", async (bench) => {
    const { image } = bench;
    const oid = await create(image, { x: 1 });
    using unit = image.begin();
    unit.set(oid, "x", "mine");
    await image.transact((other) => other.set(oid, "x", "theirs"));
    await assert.rejects(unit.commit(), ConflictError);
    await assert.rejects(unit.commit(), /a commit failed in this unit of work; abort it first/);
    assert.throws(() => unit.set(oid, "x", 2), /abort it first/);
    assert.throws(() => unit.create(), /abort it first/);
    assert.throws(() => unit.savepoint(), /abort it first/);
    assert.throws(() => unit.remove(oid, "x"), /abort it first/);
    assert.equal(read(image, oid, "x"), "theirs");
    unit.abort();
    assert.equal(unit.get(oid, "x"), "theirs");
    unit.set(oid, "x", "after");
    await unit.commit();
    assert.equal(read(image, oid, "x"), "after");
  });

  behaviour(3, "a participant that fails takes the whole transaction with it", async (bench) => {
    const { image } = bench;
    const oid = await create(image, { x: 1 });
    const before = image.newest;
    const told: string[] = [];
    using unit = image.begin();
    unit.set(oid, "x", 2);
    const hears = {
      committed: () => void told.push("committed"),
      aborted: () => void told.push("aborted"),
    };
    unit.join({ name: "first", apply: () => void told.push("applied"), ...hears });
    unit.join({
      name: "second",
      apply: () => {
        throw new Error("chunks cannot be written");
      },
    });
    await assert.rejects(unit.commit(), /chunks cannot be written/);
    assert.equal(read(image, oid, "x"), 1);
    assert.equal(image.newest, before);
    unit.abort();
    assert.deepEqual(told, ["applied", "aborted"]);
    unit.join({ name: "third", apply: () => void told.push("applied"), ...hears });
    await unit.commit();
    assert.deepEqual(told.slice(2), ["applied", "committed"]);
    assert.equal(image.newest, before + 1, "a transaction of a participant alone is one");
  });

  behaviour(4, "after a failed savepoint only an abort is left", async ({ image }) => {
    const oid = await create(image, { x: 1 });
    using unit = image.begin();
    unit.set(oid, "x", 2);
    unit.join({
      name: "memory",
      apply: () => {},
      savepoint: () => {
        throw new Error("no savepoint today");
      },
    });
    assert.throws(() => unit.savepoint(), /no savepoint today/);
    assert.throws(() => unit.set(oid, "x", 3), /a savepoint failed in this unit of work/);
    await assert.rejects(unit.commit(), /abort it first/);
    unit.abort();
    assert.equal(unit.get(oid, "x"), 1);
    unit.set(oid, "x", 4);
    await unit.commit();
    // One that cannot go back makes a rollback fail, not lie.
    unit.join({ name: "stubborn", apply: () => {} });
    const savepoint = unit.savepoint();
    assert.throws(() => savepoint.rollback(), /"stubborn" cannot go back/);
    await assert.rejects(unit.commit(), /a rollback failed/);
  });

  behaviour(5, "a rollback can be repeated, and ends later savepoints", async ({ image }) => {
    const oid = await create(image, { x: 0 });
    using unit = image.begin();
    unit.set(oid, "x", 1);
    const first = unit.savepoint();
    unit.set(oid, "x", 2);
    const made = unit.create();
    const second = unit.savepoint();
    unit.set(oid, "x", 3);
    second.rollback();
    assert.equal(unit.get(oid, "x"), 2);
    assert.equal(unit.has(made), true);
    for (const value of [7, 8]) {
      first.rollback();
      assert.equal(unit.get(oid, "x"), 1);
      assert.equal(unit.has(made), false);
      unit.set(oid, "x", value);
      unit.define(oid, "more", value);
    }
    assert.throws(() => second.rollback(), /made it invalid/);
    first.rollback();
    await unit.commit();
    assert.equal(read(image, oid, "x"), 1);
    assert.equal(read(image, oid, "more"), undefined);
    assert.throws(() => first.rollback(), /made it invalid/);
  });

  behaviour(5, "participants go back with a rollback", async ({ image }) => {
    using unit = image.begin();
    const batch: string[] = [];
    const written: string[] = [];
    const told: string[] = [];
    unit.join({
      name: "memory",
      apply: () => void written.push(...batch),
      savepoint: () => {
        const { length } = batch;
        return () => void (batch.length = length);
      },
    });
    batch.push("one");
    const savepoint = unit.savepoint();
    batch.push("two");
    unit.join({ name: "late", apply: () => {}, aborted: () => void told.push("late") });
    savepoint.rollback();
    assert.deepEqual(told, ["late"]);
    await unit.commit();
    assert.deepEqual(written, ["one"]);
  });

  behaviour(6, "add, modify, savepoint, modify, commit keeps the last", async ({ image }) => {
    using unit = image.begin();
    const oid = unit.create({ slots: { x: 1 } });
    unit.set(oid, "x", 2);
    unit.savepoint();
    unit.set(oid, "x", 3);
    await unit.commit();
    assert.equal(read(image, oid, "x"), 3);
  });

  behaviour(7, "a reader keeps one snapshot, over its own savepoints too", async ({ image }) => {
    const [a, b] = [await create(image, { x: 1 }), await create(image, { x: 1 })];
    using reader = image.begin();
    assert.equal(reader.get(a, "x"), 1);
    await image.transact((unit) => [a, b].forEach((oid) => unit.set(oid, "x", 2)));
    const added = await create(image, {});
    // Also of what it had not looked at before.
    assert.deepEqual([reader.get(a, "x"), reader.get(b, "x")], [1, 1]);
    assert.equal(reader.has(added), false);
    const own = reader.create();
    const savepoint = reader.savepoint();
    await image.transact((unit) => unit.set(b, "x", 3));
    assert.deepEqual([reader.get(a, "x"), reader.get(b, "x")], [1, 1]);
    savepoint.rollback();
    assert.deepEqual([reader.get(a, "x"), reader.get(b, "x"), reader.has(own)], [1, 1, true]);
    reader.abort();
    assert.deepEqual([reader.get(a, "x"), reader.get(b, "x")], [2, 3]);
  });

  behaviour(8, "a stale write conflicts, and names object and revisions", async ({ image }) => {
    const oid = await create(image, { x: 1 });
    const base = image.newest;
    using unit = image.begin();
    unit.set(oid, "x", "mine");
    await image.transact((other) => other.set(oid, "x", "theirs"));
    await assert.rejects(
      unit.commit(),
      (error) =>
        error instanceof ConflictError && error.oid === oid && error.base === base &&
        error.current === image.newest && error.message.includes(`object ${oid}`) &&
        error.message.includes(`revision ${base}`),
    );
  });

  behaviour(8, "a resolver merges, and one that throws is a conflict", async ({ image }) => {
    const { counter, set, odd } = await image.transact((unit) => ({
      counter: unit.create({ kind: "counter", slots: { hits: 10, label: "a" } }),
      set: unit.create({ kind: "set", slots: { tags: ["a", "b"] } }),
      odd: unit.create({ kind: "odd", slots: { x: 1 } }),
    }));
    using unit = image.begin();
    unit.set(counter, "hits", 13);
    unit.set(set, "tags", ["a", "c"]);
    await image.transact((other) => {
      other.set(counter, "hits", 15);
      other.set(counter, "label", "theirs");
      other.set(set, "tags", ["a", "b", "d"]);
    });
    await unit.commit();
    assert.equal(unit.get(counter, "hits"), 18);
    assert.equal(unit.get(counter, "label"), "theirs");
    assert.deepEqual(unit.get(set, "tags"), ["a", "d", "c"]);

    image.resolveConflicts("odd", () => {
      throw new Error("cannot merge this");
    });
    unit.set(odd, "x", 2);
    unit.set(counter, "hits", 0);
    await image.transact((other) => other.set(odd, "x", 3));
    await assert.rejects(
      unit.commit(),
      (error) =>
        error instanceof ConflictError && error.oid === odd && error.cause instanceof Error,
    );
    // Never half a write.
    assert.equal(read(image, counter, "hits"), 18);
    assert.equal(read(image, odd, "x"), 3);
  });

  behaviour(9, "a stale read that was declared a dependency is refused", async ({ image }) => {
    // Write skew: two rules that together must not both be switched off.
    const [a, b] = [await create(image, { on: true }), await create(image, { on: true })];
    const switchOff = (unit: UnitOfWork, mine: number, other: number) => {
      unit.dependsOn(other);
      if (unit.get(other, "on") === true) unit.set(mine, "on", false);
    };
    using first = image.begin();
    using second = image.begin();
    switchOff(first, a, b);
    switchOff(second, b, a);
    await first.commit();
    await assert.rejects(
      second.commit(),
      (error) => error instanceof ConflictError && error.oid === a && /depends/.test(error.message),
    );
    using careful = image.begin({ dependOnReads: true });
    careful.set(b, "seen", careful.get(a, "on"));
    await image.transact((unit) => unit.set(a, "on", "changed"));
    await assert.rejects(careful.commit(), ConflictError);
    // Without a declaration a stale read is allowed.
    using careless = image.begin();
    careless.set(b, "seen", careless.get(a, "on"));
    await image.transact((unit) => unit.set(a, "on", "again"));
    await careless.commit();
  });

  behaviour(10, "what was written is read back, with its revision", async ({ image, store }) => {
    using unit = image.begin();
    const oid = unit.create({ slots: { x: 1 } });
    assert.equal(unit.get(oid, "x"), 1);
    assert.equal(unit.revisionOf(oid), 0);
    const tid = await unit.commit();
    assert.equal(unit.revisionOf(oid), tid);
    assert.equal(store.load(oid, tid)?.tid, tid);
    assert.equal(store.load(oid, tid - 1), undefined);
    assert.deepEqual(store.transaction(tid)?.oids, [oid]);
  });

  behaviour(22, "calls in the wrong state are refused or do nothing", async ({ image }) => {
    const oid = await create(image, { x: 1 });
    const unit = image.begin();
    const savepoint = unit.savepoint();
    unit[Symbol.dispose]();
    unit[Symbol.dispose]();
    unit.abort();
    assert.throws(() => unit.get(oid, "x"), /it has ended/);
    assert.throws(() => unit.set(oid, "x", 2), /it has ended/);
    assert.throws(() => savepoint.rollback(), /it has ended/);
    await assert.rejects(unit.commit(), /it has ended/);
    using busy = image.begin();
    busy.set(oid, "x", 2);
    const committing = busy.commit();
    if (busy.status === "committing") {
      assert.throws(() => busy.set(oid, "x", 3), /a commit is on its way/);
    }
    await committing;
    using open = image.begin();
    image[Symbol.dispose]();
    image[Symbol.dispose]();
    assert.throws(() => image.begin(), /it was closed; open it again/);
    assert.throws(() => image.newest, /closed/);
    open.set(oid, "x", 9);
    await assert.rejects(open.commit(), /closed/);
  });

  behaviour(26, "many racing over the same objects lose nothing", async ({ image }) => {
    const [plain, counter] = await image.transact((unit) => [
      unit.create({ slots: { n: 0 } }),
      unit.create({ kind: "counter", slots: { n: 0 } }),
    ]);
    const pause = () => new Promise((done) => setTimeout(done, 0));
    await Promise.all(Array.from({ length: 12 }, async (_, at) => {
      for (let round = 0; round < 5; round++) {
        await image.transact(async (unit) => {
          const n = unit.get(plain!, "n") as number;
          if ((at + round) % 3 === 0) await pause();
          unit.set(plain!, "n", n + 1);
        }, { retries: 200 });
        await image.transact(async (unit) => {
          const n = unit.get(counter!, "n") as number;
          await pause();
          unit.set(counter!, "n", n + 1);
        }, { retries: 0 });
      }
    }));
    assert.deepEqual([read(image, plain!, "n"), read(image, counter!, "n")], [60, 60]);
  });

  behaviour(26, "any sequence of steps leaves what a plain table would", async ({ image }) => {
    const names = ["a", "b", "__proto__"];
    const step = fc.oneof(
      fc.record({
        do: fc.constant("set" as const),
        name: fc.constantFrom(...names),
        value: fc.integer(),
      }),
      fc.record({ do: fc.constant("remove" as const), name: fc.constantFrom(...names) }),
      fc.record({ do: fc.constantFrom("save", "rollback", "abort", "commit", "look" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const oid = await create(image, {});
        using unit = image.begin();
        let committed = new Map<string, unknown>();
        let table = new Map(committed);
        let saved: { table: Map<string, unknown>; back: () => void }[] = [];
        for (const one of steps) {
          if (one.do === "set" && "value" in one) {
            unit.set(oid, one.name, one.value);
            table.set(one.name, one.value);
          } else if (one.do === "remove" && "name" in one) {
            assert.equal(unit.remove(oid, one.name), table.delete(one.name));
          } else if (one.do === "save") {
            const savepoint = unit.savepoint();
            saved.push({ table: new Map(table), back: () => savepoint.rollback() });
          } else if (one.do === "rollback" && saved.length > 0) {
            saved.at(-1)!.back();
            table = new Map(saved.at(-1)!.table);
          } else if (one.do === "abort" || one.do === "commit") {
            if (one.do === "commit") {
              await unit.commit();
              committed = new Map(table);
            } else unit.abort();
            table = new Map(committed);
            saved = [];
          }
          const seen = names.map((name) => unit.get(oid, name));
          assert.deepEqual(seen, names.map((name) => table.get(name)));
          const looked = names.map((name) => read(image, oid, name));
          assert.deepEqual(looked, names.map((name) => committed.get(name)));
        }
      }),
      { numRuns: 40 },
    );
  });

  behaviour(27, "empty transactions write nothing", async ({ image, store }) => {
    const oid = await create(image, { x: 1 });
    const before = image.newest;
    await image.transact(() => {});
    await image.transact((unit) => {
      unit.get(oid, "x");
      unit.dependsOn(oid);
    });
    using unit = image.begin();
    unit.create();
    unit.abort();
    assert.equal(await unit.commit(), before);
    assert.equal(image.newest, before);
    assert.equal(store.transactions({}).length, before);
    // Objects that are there already are not written again.
    await image.defineObjects([{ name: "persona" }]);
    const defined = image.newest;
    await image.defineObjects([{ name: "persona" }]);
    assert.equal(image.newest, defined);
  });

  behaviour(28, "very long metadata is kept whole or refused", async ({ image }) => {
    const oid = await create(image, { x: 1 });
    const description = "é".repeat(65_536);
    const user = "u".repeat(1_000);
    await image.transact((unit) => unit.set(oid, "x", 2), { description, user });
    assert.equal(image.log({ limit: 1 })[0]!.description, description);
    assert.equal(image.log({ limit: 1 })[0]!.user, user);
    assert.throws(() => image.begin({ description: `${description}!` }), /at most 65536/);
    assert.throws(() => image.begin({ user: `${user}!` }), /at most 1000/);
    using unit = image.begin();
    unit.set(oid, "x", 3);
    await assert.rejects(unit.commit({ description: `${description}!` }), /at most 65536/);
    await assert.rejects(unit.commit({ description: "half \ud800" }), /half of a surrogate pair/);
    await assert.rejects(unit.commit({ description: "NUL \u0000" }), /or a NUL/);
    await unit.commit({ description: "odd \u0001 characters\n\u{1f333}" });
    assert.equal(image.log({ limit: 1 })[0]!.description, "odd \u0001 characters\n\u{1f333}");
  });

  if (!under.persists) return;
  behaviour(10, "what was committed is there when the store is opened again", async (bench) => {
    const { image, folder } = bench;
    const oid = await create(image, { x: [1, { deep: new Date(7) }] });
    const tid = image.newest;
    image[Symbol.dispose]();
    using again = await Image.open(under.open(folder));
    assert.equal(again.newest, tid, "opening it writes nothing");
    assert.deepEqual((read(again, oid, "x") as unknown[])[0], 1);
    const next = await create(again, {});
    assert.ok(next > oid);
  });
}
