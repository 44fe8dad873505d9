/**
 * Behaviours of the past: ids, time travel, history, undo, pack. See `conformance.ts`.
 */
import assert from "node:assert/strict";
import {
  ConflictError,
  NoSuchObjectError,
  PackedError,
  ReadOnlyError,
  UndoError,
} from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
import { method, primitive } from "../../../kernel/image/slot_spec.ts";
import { Ref } from "../../../kernel/image/values.ts";
import { type Behaviour, commit, create, read, text } from "./bench.ts";

/** Refers to an object from the lobby, in a unit that is not committed; gives the error, where there is one. */
function referTo(image: Image, oid: number): unknown {
  using unit = image.begin();
  try {
    unit.define(0, "found", new Ref(oid));
  } catch (error) {
    return error;
  }
}

/** Registers these behaviours. */
export function pastBehaviours(behaviour: Behaviour): void {
  behaviour(11, "transaction ids and times never fall, whatever the clock does", async (bench) => {
    const { image } = bench;
    const oid = await create(image, { x: 0 });
    const clock = Date.now;
    try {
      for (const [at, offset] of [0, 5_000, -3_600_000, -7_200_000, 1].entries()) {
        Date.now = () => clock() + offset;
        await image.transact((unit) => unit.set(oid, "x", at + 1));
      }
    } finally {
      Date.now = clock;
    }
    const log = image.log().toReversed();
    assert.ok(log.length >= 7);
    for (let at = 1; at < log.length; at++) {
      assert.ok(log[at]!.tid > log[at - 1]!.tid);
      assert.ok(log[at]!.time >= log[at - 1]!.time);
    }
  });

  behaviour(12, "time travel is exact at its edges", async ({ image }) => {
    const before = image.newest;
    const oid = await create(image, { x: "first" });
    const created = image.newest;
    await create(image, {});
    await image.transact((unit) => unit.set(oid, "x", "second"));
    const changed = image.newest;
    const at = (tid: number) => {
      using view = image.at(tid);
      return view.has(oid) ? view.get(oid, "x") : "not there";
    };
    assert.deepEqual(
      [before, created, changed - 1, changed].map(at),
      ["not there", "first", "first", "second"],
    );
    assert.equal(at(0), "not there");
    for (const tid of [-1, 0.5, changed + 1, NaN]) assert.throws(() => image.at(tid), RangeError);
    const times = image.log();
    assert.equal(image.transactionAt(new Date(times[0]!.time + 1)), changed);
    assert.equal(image.transactionAt(new Date(times.at(-1)!.time - 1)), 0);
  });

  behaviour(13, "a view of the past is read-only", async ({ image }) => {
    const oid = await create(image, { x: 1 });
    await image.transact((unit) => unit.set(oid, "x", 2));
    using past = image.at(image.newest - 1);
    assert.throws(() => past.set(oid, "x", 3), ReadOnlyError);
    assert.throws(() => past.create(), ReadOnlyError);
    assert.throws(() => past.remove(oid, "x"), ReadOnlyError);
    assert.throws(() => past.clone(oid), ReadOnlyError);
    assert.throws(() => past.join({ name: "memory", apply: () => {} }), ReadOnlyError);
    await assert.rejects(past.commit(), ReadOnlyError);
    await assert.rejects(past.putBlob(new Uint8Array(1)), ReadOnlyError);
    past.abort();
    assert.equal(past.get(oid, "x"), 1);
  });

  behaviour(14, "history has every revision, with time, user, description", async ({ image }) => {
    const started = Date.now();
    const oid = await image.transact((unit) => unit.create({ slots: { x: 1 } }), {
      user: "ann",
      description: "made",
    });
    await create(image, {});
    await image.transact((unit) => unit.set(oid, "x", 2), { user: "bob", description: "changed" });
    const history = image.history(oid);
    assert.deepEqual(
      history.map(({ user, description }) => [user, description]),
      [["bob", "changed"], ["ann", "made"]],
    );
    assert.deepEqual(
      history.map(({ slots }) => slots?.get("x")),
      [2, 1].map((value) => ({ type: "data", value, readOnly: false })),
    );
    assert.ok(history.every(({ time }) => time >= started && time <= Date.now()));
    assert.deepEqual(image.history(999_999), []);
    assert.deepEqual(image.log({ limit: 2 }).map(({ tid }) => tid), [
      image.newest,
      image.newest - 1,
    ]);
    assert.deepEqual(image.log({ before: 2 }).map(({ tid }) => tid), [1]);
  });

  behaviour(15, "undo of one, of two at once, of a creation, of an undo", async ({ image }) => {
    const oid = await create(image, { x: 1 });
    const other = await create(image, { x: 1 });
    const both = await commit(image, (unit) => {
      unit.set(oid, "x", 2);
      unit.set(other, "x", 2);
    });
    const undone = await image.undo(both);
    assert.deepEqual([read(image, oid, "x"), read(image, other, "x")], [1, 1]);
    await image.undo(undone);
    assert.deepEqual([read(image, oid, "x"), read(image, other, "x")], [2, 2]);

    const third = await commit(image, (unit) => unit.set(oid, "x", 3));
    const fourth = await commit(image, (unit) => unit.set(oid, "x", 4));
    await assert.rejects(
      image.undo(third),
      (error) => error instanceof UndoError && error.tid === third && /since/.test(error.message),
    );
    await image.undo([third, fourth]);
    assert.equal(read(image, oid, "x"), 2);

    const made = await create(image, { y: 1 });
    const creation = image.newest;
    const unmade = await image.undo(creation, { user: "ann" });
    using unit = image.begin();
    assert.equal(unit.has(made), false);
    assert.throws(() => unit.get(made, "y"), NoSuchObjectError);
    assert.equal(image.log({ limit: 1 })[0]!.user, "ann");
    await image.undo(unmade);
    assert.equal(read(image, made, "y"), 1);
  });

  behaviour(15, "undo is refused where a later change rests on it", async ({ image }) => {
    const parent = await create(image, { x: 1 });
    const creation = image.newest;
    const child = await image.transact((unit) => unit.create({ parent }));
    const later = image.newest;
    await assert.rejects(image.undo(creation), /is referred to by object/);
    assert.equal(read(image, child, "x"), 1);
    await image.undo([creation, later]);
    using unit = image.begin();
    assert.deepEqual([unit.has(parent), unit.has(child)], [false, false]);
    for (const tid of [1, 0, image.newest + 1, 1.5]) {
      await assert.rejects(image.undo(tid), UndoError);
    }
  });

  behaviour(
    15,
    "undo and a reference that is made meanwhile: who comes second is refused",
    async ({ image }) => {
      const owner = await create(image, {});
      const first = await create(image, {});
      const creation = image.newest;
      using unit = image.begin();
      unit.set(owner, "part", new Ref(first));
      await image.undo(creation);
      await assert.rejects(unit.commit(), ConflictError);
      unit.abort();
      const second = await create(image, {});
      const again = image.newest;
      // Both begin before either commits.
      using late = image.begin();
      late.set(owner, "part", new Ref(second));
      const outcomes = await Promise.allSettled([late.commit(), image.undo(again)]);
      assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected"]);
      assert.deepEqual((await image.check()).problems, []);
    },
  );

  behaviour(15, "undo leads back to no reference to what is gone", async ({ image }) => {
    const owner = await create(image, {});
    const part = await image.transact((unit) => {
      const part = unit.create();
      unit.set(owner, "part", new Ref(part));
      return part;
    });
    const creation = image.newest;
    await image.transact((unit) => unit.remove(owner, "part"));
    const removal = image.newest;
    const both = await image.undo([creation, removal]);
    await assert.rejects(
      image.undo(removal),
      new RegExp(`object ${owner} would refer to object ${part} again, which is gone`),
    );
    assert.equal(image.newest, both);
    await image.undo(both);
    await image.undo(removal);
    assert.deepEqual(read(image, owner, "part"), new Ref(part));
    assert.deepEqual((await image.check()).problems, []);
  });

  behaviour(
    16,
    "a pack keeps what can be reached, and drops the rest",
    async ({ image, blobs }) => {
      const { kept, friend } = await image.transact((unit) => {
        const friend = unit.create({ slots: { x: "friend" } });
        const kept = unit.create({ slots: { x: 0, friend: new Ref(friend) } });
        unit.set(friend, "back", new Ref(kept));
        unit.define(0, "kept", new Ref(kept));
        return { kept, friend };
      });
      for (let x = 1; x <= 5; x++) {
        await image.transact(async (unit) => {
          unit.set(kept, "x", x);
          unit.set(kept, "blob", await unit.putBlob(new TextEncoder().encode(`content ${x}`)));
        });
      }
      const lonely = await create(image, { x: "nobody refers to me" });
      assert.equal(blobs.list().length, 5);
      const report = await image.pack();
      assert.equal(report.objects, 1);
      assert.equal(report.blobs, 4);
      assert.ok(report.revisions >= 6 && report.transactions >= 1);
      assert.equal(read(image, kept, "x"), 5);
      assert.equal(read(image, friend, "x"), "friend");
      using unit = image.begin();
      assert.equal(unit.has(lonely), false);
      assert.equal(await text(unit, kept, "blob"), "content 5");
      assert.equal(image.history(kept).length, 1);
      assert.throws(() => image.at(2), PackedError);
      await assert.rejects(image.undo(report.upTo), /pack/);
      assert.deepEqual((await image.check()).problems, []);
      // Undo works after a pack, and ids go on rising.
      const changed = await commit(image, (unit) => unit.set(kept, "x", 6));
      assert.equal(changed, report.upTo + 1);
      await image.undo(changed);
      assert.equal(read(image, kept, "x"), 5);
      const again = await image.pack();
      assert.deepEqual(await image.pack(), {
        ...again,
        objects: 0,
        revisions: 0,
        transactions: 0,
        blobs: 0,
      });
    },
  );

  behaviour(
    16,
    "writing goes on during a pack, and units keep what they see",
    async ({ image }) => {
      const oids = await image.transact((unit) => {
        const oids = Array.from({ length: 3_000 }, (_, n) => unit.create({ slots: { n } }));
        unit.define(0, "all", oids.map((oid) => new Ref(oid)));
        return oids;
      });
      const lonely = await create(image, { x: "found again" });
      await image.transact((unit) => unit.set(oids[0]!, "n", -1));
      using reader = image.begin();
      await image.transact((unit) => unit.set(oids[0]!, "n", -2));
      const packing = image.pack();
      // While marks are set: an object that nobody referred to is linked, another changed.
      await new Promise((done) => setTimeout(done, 0));
      await image.transact((unit) => {
        unit.define(0, "lonely", new Ref(lonely));
        unit.set(oids[1]!, "n", -3);
      });
      const report = await packing;
      assert.equal(report.objects, 0);
      assert.equal(reader.get(oids[0]!, "n"), -1);
      assert.equal(read(image, lonely, "x"), "found again");
      assert.equal(read(image, oids[1]!, "n"), -3);
      assert.deepEqual((await image.check()).problems, []);
    },
  );

  behaviour(16, "a unit cannot commit a reference to what a pack dropped", async ({ image }) => {
    const lonely = await create(image, {});
    using unit = image.begin();
    const made = unit.create({ slots: { friend: new Ref(lonely) } });
    unit.define(0, "made", new Ref(made));
    await image.pack();
    await assert.rejects(unit.commit(), /a pack dropped it meanwhile/);
    assert.deepEqual((await image.check()).problems, []);
  });

  behaviour(
    16,
    "a unit that began between two batches of a pack cannot either",
    async ({ image }) => {
      // More than one batch takes; nobody refers to any of them.
      const lonely = await image.transact((unit) =>
        Array.from({ length: 2_100 }, () => unit.create())
      );
      const last = lonely.at(-1)!;
      using unit = image.begin();
      let hasBegun = false;
      await image.pack({
        onProgress: (phase, done) => {
          if (phase !== "removing" || done === 0) return;
          unit.abort();
          unit.define(0, "found", new Ref(last));
          hasBegun = true;
        },
      });
      assert.ok(hasBegun);
      await assert.rejects(unit.commit(), /a pack dropped it meanwhile/);
      assert.deepEqual((await image.check()).problems, []);
    },
  );

  behaviour(
    16,
    "what a pack dropped is found by nobody, not even before it has ended",
    async ({ image, store }) => {
      const lonely = await create(image, { x: 1 });
      const tries: unknown[] = [];
      const packing = await Image.open(store, {
        exclusively: (action, commit) => {
          const result = commit();
          if (action === "pack") tries.push(referTo(packing, lonely));
          return result;
        },
      });
      assert.equal(read(packing, lonely, "x"), 1, "it has been read once");
      await packing.pack();
      assert.ok(tries.length >= 2);
      assert.ok(tries.every((error) => error instanceof NoSuchObjectError), String(tries));
      // Another image over the same store, as another process has one.
      assert.ok(referTo(image, lonely) instanceof NoSuchObjectError);
    },
  );

  behaviour(
    25,
    "an object whose behaviour is missing keeps its slots, changed or not",
    async (bench) => {
      const { image, store } = bench;
      const oid = await image.transact((unit) =>
        unit.create({
          kind: "from a later version",
          slots: { act: primitive("unheardOf"), run: method("?!", { language: "klingon" }), x: 1 },
        })
      );
      using unit = image.begin();
      await assert.rejects(unit.send(oid, "act"), /"unheardOf", which this program does not have/);
      await assert.rejects(unit.send(oid, "run"), /klingon/);
      assert.equal(await unit.send(oid, "x"), 1);
      const before = store.load(oid, image.newest)!.data!;
      unit.set(oid, "x", 2);
      await unit.commit();
      assert.equal(store.load(oid, image.newest)!.data, before.replace('"d",1]', '"d",2]'));
    },
  );
}
