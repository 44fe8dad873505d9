/**
 * Behaviours of what is kept: torn and damaged files, copies, reading only, blobs, export. See `conformance.ts`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import {
  ConflictError,
  DamagedImageError,
  ImageError,
  NoSuchObjectError,
  ReadOnlyError,
} from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import { method } from "../../../kernel/image/slot_spec.ts";
import { BlobRef, Ref } from "../../../kernel/image/values.ts";
import {
  type Behaviour,
  create,
  exportText,
  read,
  readAt,
  type StoreUnderTest,
  text,
  textAt,
} from "./bench.ts";

/** Registers these behaviours. */
export function keepingBehaviours(behaviour: Behaviour, under: StoreUnderTest): void {
  behaviour(
    17,
    "a torn tail is cut behind the last whole transaction",
    async ({ image, folder }) => {
      const oid = await create(image, { x: 0 });
      const sizes: number[] = [];
      for (let x = 1; x <= 4; x++) {
        await image.transact((unit) => unit.set(oid, "x", x));
        sizes.push(Deno.statSync(join(folder, "image.db-wal")).size);
      }
      // As after a power cut: the file as it is, the log cut somewhere in the last transaction, or garbage at its end.
      const [whole, end] = [sizes[2]!, sizes[3]!];
      for (const length of [whole, whole + 1, Math.floor((whole + end) / 2), end - 1, end]) {
        const copy = Deno.makeTempDirSync({ dir: folder });
        Deno.copyFileSync(join(folder, "image.db"), join(copy, "image.db"));
        const log = Deno.readFileSync(join(folder, "image.db-wal")).slice(0, length);
        Deno.writeFileSync(join(copy, "image.db-wal"), log);
        using torn = await Image.open(under.open(copy));
        assert.equal(read(torn, oid, "x"), length === end ? 4 : 3, `cut at ${length}`);
        assert.deepEqual((await torn.check()).problems, []);
        await torn.transact((unit) => unit.set(oid, "x", "goes on"));
        assert.equal(read(torn, oid, "x"), "goes on");
      }
    },
  );

  behaviour(
    18,
    "of damage in the middle is said what is lost; the rest is there",
    async (bench) => {
      const { image, folder } = bench;
      const victim = await create(image, { x: "an older whole revision" });
      await image.transact((unit) => unit.set(victim, "x", "the damaged revision"));
      const damagedTid = image.newest;
      const others: number[] = [];
      for (let n = 0; n < 20; n++) others.push(await create(image, { n }));
      image[Symbol.dispose]();
      under.damage!(folder, "the damaged revision");

      const store = under.open(folder);
      using damaged = await Image.open(store);
      using unit = damaged.begin();
      assert.throws(
        () => unit.get(victim, "x"),
        (error) =>
          error instanceof DamagedImageError && error.oid === victim && error.tid === damagedTid,
      );
      assert.deepEqual(others.map((oid) => unit.get(oid, "n")), others.map((_, n) => n));
      assert.equal(readAt(damaged, damagedTid - 1, victim, "x"), "an older whole revision");
      const { problems } = await damaged.check();
      assert.deepEqual(problems.map(({ oid, tid }) => [oid, tid]), [[victim, damagedTid]]);
      // A pack that would keep the damaged revision refuses, with everything still there.
      const count = store.oids(damaged.newest, 0, 10_000).length;
      await assert.rejects(damaged.pack({ upTo: damagedTid - 1 }), DamagedImageError);
      assert.equal(store.oids(damaged.newest, 0, 10_000).length, count);
      assert.equal(store.packedTo(), 0);
      assert.equal(readAt(damaged, damagedTid - 1, victim, "x"), "an older whole revision");
      // What can be saved is: everything but that revision.
      const saved = new MemoryImageStore();
      await assert.rejects(damaged.copyTo(new MemoryImageStore()), DamagedImageError);
      const { lost } = await damaged.copyTo(saved, { skipDamaged: true });
      assert.deepEqual(lost.map(({ oid, tid }) => [oid, tid]), [[victim, damagedTid]]);
      using rescued = await Image.open(saved);
      assert.equal(read(rescued, victim, "x"), "an older whole revision");
      assert.equal(read(rescued, others[7]!, "n"), 7);
    },
  );

  behaviour(19, "a copy by iteration is the same, transaction by transaction", async (bench) => {
    const { image, store } = bench;
    const oid = await create(image, { x: 1n, when: new Date(5), bytes: new Uint8Array([1, 2]) });
    await image.transact((unit) => unit.set(oid, "x", [null, "\ud800", -0, NaN]));
    await image.undo(image.newest);
    for (
      const copy of [
        new MemoryImageStore(),
        under.open(Deno.makeTempDirSync({ dir: bench.folder })),
      ]
    ) {
      const { transactions, lost } = await image.copyTo(copy);
      assert.equal(transactions, image.newest);
      assert.deepEqual(lost, []);
      assert.deepEqual(copy.transactions({}), store.transactions({}));
      for (const one of store.oids(image.newest, 0, 1_000)) {
        assert.deepEqual(copy.revisions(one), store.revisions(one));
      }
      await assert.rejects(image.copyTo(copy), /copy into an empty store/);
      using copied = await Image.open(copy);
      const next = await create(copied, {});
      assert.ok(next > oid, "an OID of the copied image is not given out again");
    }
  });

  behaviour(20, "an image opened for reading refuses every write", async ({ image, folder }) => {
    const oid = await create(image, { x: 1 });
    const tid = image.newest;
    image[Symbol.dispose]();
    using reader = await Image.open(under.open(folder, { readOnly: true }));
    assert.equal(read(reader, oid, "x"), 1);
    using unit = reader.begin();
    assert.throws(() => unit.set(oid, "x", 2), ReadOnlyError);
    assert.throws(() => unit.create(), ReadOnlyError);
    await assert.rejects(unit.send(oid, "clone"), ReadOnlyError);
    await assert.rejects(unit.commit(), ReadOnlyError);
    await assert.rejects(reader.undo(tid), ReadOnlyError);
    await assert.rejects(reader.pack(), ReadOnlyError);
    await assert.rejects(reader.defineObjects([{ name: "late" }]), ReadOnlyError);
    assert.equal(reader.newest, tid);
    assert.deepEqual((await reader.check()).problems, []);
    const empty = Deno.makeTempDirSync({ dir: folder });
    await assert.rejects(
      async () => await Image.open(under.open(empty, { readOnly: true })),
      ImageError,
    );
  });

  behaviour(
    21,
    "a second store over the same place sees what the first committed",
    async (bench) => {
      const { image, folder } = bench;
      const oid = await create(image, { x: 1 });
      using second = await Image.open(under.open(folder));
      using view = second.begin();
      assert.equal(view.get(oid, "x"), 1);
      await image.transact((unit) => unit.set(oid, "x", 2));
      assert.equal(view.get(oid, "x"), 1, "its snapshot stays");
      view.set(oid, "x", 3);
      await assert.rejects(view.commit(), ConflictError);
      view.abort();
      assert.equal(view.get(oid, "x"), 2);
      // New objects of both have OIDs of their own.
      const [a, b] = [await create(image, { by: "a" }), await create(second, { by: "b" })];
      assert.notEqual(a, b);
      assert.deepEqual([read(second, a, "by"), read(image, b, "by")], ["a", "b"]);
    },
  );

  behaviour(
    21,
    "what one process packed away is found by no other, nor committed by one that had begun",
    async ({ image, folder }) => {
      const lonely = await create(image, { x: 1 });
      using second = await Image.open(under.open(folder));
      assert.equal(read(second, lonely, "x"), 1, "it has been read once");
      using early = second.begin();
      early.define(0, "found", new Ref(lonely));
      await image.pack();
      await assert.rejects(early.commit(), /a pack dropped it meanwhile/);
      using late = second.begin();
      assert.throws(() => late.define(0, "found", new Ref(lonely)), NoSuchObjectError);
      assert.equal(late.has(lonely), false);
      assert.deepEqual((await second.check()).problems, []);
    },
  );

  behaviour(
    23,
    "blobs: abort, rollback, conflict and a failed commit keep the old",
    async (bench) => {
      const { image, blobs } = bench;
      const bytes = (text: string) => new TextEncoder().encode(text);
      const oid = await image.transact(async (unit) =>
        unit.create({ slots: { file: await unit.putBlob(bytes("old")) } })
      );
      const old = blobs.list();
      using unit = image.begin();
      const put = async (content: string) =>
        unit.set(oid, "file", await unit.putBlob(bytes(content)));
      await put("aborted");
      assert.equal(await text(unit, oid, "file"), "aborted", "seen before it is committed");
      assert.deepEqual(blobs.list(), old);
      unit.abort();
      assert.equal(await text(unit, oid, "file"), "old");
      const savepoint = unit.savepoint();
      await put("rolled back");
      savepoint.rollback();
      assert.equal(await text(unit, oid, "file"), "old");
      await put("conflict");
      await image.transact((other) => other.set(oid, "x", 1));
      await assert.rejects(unit.commit(), ConflictError);
      unit.abort();
      await put("failed");
      unit.join({
        name: "memory",
        apply: () => {
          throw new Error("interrupted");
        },
      });
      await assert.rejects(unit.commit(), /interrupted/);
      unit.abort();
      assert.equal(await text(unit, oid, "file"), "old");
      await put("new");
      await unit.commit();
      assert.equal(await text(unit, oid, "file"), "new");
      if (Deno.build.os !== "windows") {
        const path = blobs.path((unit.get(oid, "file") as BlobRef).hash);
        assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
      }
      assert.throws(() => unit.set(oid, "file", new BlobRef("0".repeat(64), 1)), /put it first/);
      assert.equal(await textAt(image, 2, oid, "file"), "old");
    },
  );

  behaviour(24, "a subgraph is exported and imported, or not at all", async (bench) => {
    const { image } = bench;
    await image.defineObjects([{ name: "persona", slots: { role: "none" } }]);
    const root = await image.transact(async (unit) => {
      const inner = unit.create({ slots: { x: [-0, 5n, "\ud800"], run: method("return 1") } });
      const big = crypto.getRandomValues(new Uint8Array(60_000));
      const root = unit.create({
        parent: image.named("persona"),
        kind: "counter",
        slots: {
          inner: new Ref(inner),
          map: { o: 7, "#": [new Ref(inner)] },
          blob: await unit.putBlob(big),
        },
      });
      unit.set(inner, "root", new Ref(root));
      return root;
    });
    const exported = await exportText(image, root);
    assert.equal(exported.trim().split("\n").map((line) => JSON.parse(line)).length, 6);

    using other = await Image.open(new MemoryImageStore(), {
      blobs: new BlobFolder(join(bench.folder, "other")),
    });
    const empty = other.newest;
    const source = (text: string) => new Blob([text]).stream();
    await assert.rejects(
      other.import(source(exported)),
      /"persona", which this image does not have/,
    );
    await other.defineObjects([{ name: "persona", slots: { role: "there" } }]);
    // Torn, or damaged anywhere: nothing is made.
    const lines = exported.trimEnd().split("\n");
    for (
      const bad of [lines.slice(0, -1), lines.slice(1), [], [...lines, "no json"], [
        lines[0]!.replace('"version":1', '"version":2'),
      ]]
    ) {
      await assert.rejects(other.import(source(bad.join("\n"))), /^ImageError: import: line \d/);
    }
    await assert.rejects(
      other.import(source(lines.toSpliced(-2, 1, '{"bytes":"AAAA"}').join("\n"))),
      ImageError,
    );
    // A method that was changed after it was checked, and a value that no slot takes.
    const deep = `[`.repeat(1_000) + `]`.repeat(1_000);
    for (const [from, to] of [["return 1", "return 2"], ['"\\ud800"', deep]] as const) {
      const bad = exported.replace(from, to);
      assert.notEqual(bad, exported, from);
      await assert.rejects(
        other.import(source(bad)),
        /^ImageError: import: line \d+: a slot that is none/,
      );
    }
    // What fails in the middle lets go of its source.
    const { promise: cancelled, resolve } = Promise.withResolvers<void>();
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("no json\n")),
      cancel: () => resolve(),
    });
    await assert.rejects(other.import(endless), /line 1: no JSON object/);
    await cancelled;
    assert.equal(other.newest, empty + 1);

    const report = await other.import(source(exported), { user: "ann" });
    assert.deepEqual([report.objects, report.blobs], [2, 1]);
    using unit = other.begin();
    assert.equal(unit.get(report.root, "role"), "there");
    assert.equal(unit.kindOf(report.root), "counter");
    const inner = unit.get(report.root, "inner") as Ref;
    assert.deepEqual(unit.get(inner, "root"), new Ref(report.root));
    assert.ok(Object.is((unit.get(inner, "x") as number[])[0], -0));
    assert.deepEqual(
      unit.get(report.root, "map"),
      Object.assign(Object.create(null), { o: 7, "#": [inner] }),
    );
    assert.deepEqual((await other.check()).problems, []);
  });
}
