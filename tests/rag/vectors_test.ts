/** The place of vectors in the index, with sqlite-vec itself. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
