/** The place of vectors in the index, with sqlite-vec itself. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTree } from "../../ingest/mod.ts";
import { openMemory } from "../../rag/mod.ts";
import { Store } from "../../rag/store.ts";
import { VectorModelMismatchError, VectorStore } from "../../rag/vectors.ts";

const model = { id: "test/axes", revision: "1", dimensions: 3, quantisation: "float32" } as const;

function withStore(work: (vectors: VectorStore, store: Store) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "batos-vectors-"));
  const store = new Store(join(folder, "image.db"));
  try {
    work(new VectorStore(store), store);
  } finally {
    store.close();
    rmSync(folder, { recursive: true });
  }
}

Deno.test("an index without an embedder has no vectors and finds none", () => {
  withStore((vectors) => {
    assert.equal(vectors.model(), undefined);
    assert.equal(vectors.count(), 0);
    assert.equal(vectors.nearest(new Float32Array(3), 5).size, 0);
  });
});

Deno.test("nearest() orders by cosine and filters inside the search", () => {
  withStore((vectors, store) => {
    store.transaction(() => {
      vectors.use(model);
      vectors.put(1, Float32Array.of(1, 0, 0));
      vectors.put(2, Float32Array.of(0, 1, 0));
      vectors.put(3, Float32Array.of(0.9, 0.1, 0));
    });
    const query = Float32Array.of(1, 0.05, 0);
    assert.deepEqual([...vectors.nearest(query, 2).keys()], [1, 3]);
    assert.deepEqual([...vectors.nearest(query, 1, [2, 3]).keys()], [3]);
    assert.ok(Math.abs(vectors.nearest(query, 1).get(1)! - 1) < 0.01);
  });
});

Deno.test("vectors of another model are refused, never mixed", () => {
  withStore((vectors, store) => {
    store.transaction(() => vectors.use(model));
    assert.throws(
      () => store.transaction(() => vectors.use({ ...model, dimensions: 4 })),
      VectorModelMismatchError,
    );
    assert.deepEqual(vectors.model(), model);
  });
});

Deno.test("a vector of the wrong length or with a value that is no number is refused", () => {
  withStore((vectors, store) => {
    store.transaction(() => vectors.use(model));
    assert.throws(() => vectors.put(1, Float32Array.of(1, 0)), RangeError);
    assert.throws(() => vectors.put(1, Float32Array.of(1, NaN, 0)), RangeError);
    assert.equal(vectors.count(), 0);
  });
});

Deno.test("an aborted transaction leaves no vector", () => {
  withStore((vectors, store) => {
    store.transaction(() => vectors.use(model));
    assert.throws(() =>
      store.transaction(() => {
        vectors.put(1, Float32Array.of(1, 0, 0));
        throw new Error("abort");
      })
    );
    assert.equal(vectors.count(), 0);
  });
});

Deno.test("search() lifts what is near to the question's vector, and finds it without a common word", async () => {
  const folder = mkdtempSync(join(tmpdir(), "batos-fusion-"));
  writeFileSync(join(folder, "kettle.ts"), "export function boilWater() {}\n");
  writeFileSync(join(folder, "cup.ts"), "export function holdTea() {}\n");
  const memory = openMemory(folder);
  try {
    await memory.absorb(readTree(folder, memory.known()));
    const [kettle] = memory.chunks("kettle.ts");
    const [cup] = memory.chunks("cup.ts");
    memory.store.transaction(() => {
      memory.vectors.use(model);
      memory.vectors.put(kettle!.oid, Float32Array.of(1, 0, 0));
      memory.vectors.put(cup!.oid, Float32Array.of(0, 1, 0));
    });
    assert.equal(memory.status().vectors, 2);
    assert.equal(memory.status().embedder, "test/axes");
    const vector = Float32Array.of(1, 0.1, 0);
    assert.deepEqual(memory.search("heating liquids"), []);
    assert.equal(memory.search("heating liquids", { vector })[0]!.path, "kettle.ts");
    // Words still count: a tie of words breaks a small lead of the vector.
    assert.equal(memory.search("holdTea", { vector })[0]!.path, "cup.ts");
    assert.deepEqual(
      memory.search("heating liquids", { vector, path: "cup.ts" }).map((hit) => hit.path),
      ["cup.ts"],
    );

    // A file that goes takes its vectors along.
    rmSync(join(folder, "kettle.ts"));
    await memory.absorb(readTree(folder, memory.known()));
    assert.equal(memory.vectors.count(), 1);
    memory.store.clear();
    assert.equal(memory.vectors.model(), undefined);
  } finally {
    memory.close();
    rmSync(folder, { recursive: true });
  }
});
