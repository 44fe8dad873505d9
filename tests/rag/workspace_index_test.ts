/** The policy of the index where there is an embedder: who embeds when, and what an embedder that fails may stop. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  EmbedderError,
  type IndexEmbedder,
  type IndexProgress,
  openMemory,
  VectorModelMismatchError,
  WorkspaceIndex,
} from "../../rag/mod.ts";
import { HashedWords } from "../support/hashed_words.ts";

interface Place {
  readonly root: string;
  readonly seen: IndexProgress[];
  index(embedder?: IndexEmbedder): WorkspaceIndex;
}

async function withPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "batos-policy-"));
  writeFileSync(join(root, "kettle.ts"), "export function boilWater() {}\n");
  writeFileSync(join(root, "cup.ts"), "export function holdTea() {}\n");
  const seen: IndexProgress[] = [];
  const index = (embedder?: IndexEmbedder) =>
    new WorkspaceIndex({
      root,
      limit: "",
      lock: async () => ({ [Symbol.dispose]() {} }),
      isRefusal: (_error): _error is Error => false,
      progress: (progress) => seen.push(progress),
      signal: new AbortController().signal,
      embedder,
    });
  try {
    await work({ root, seen, index });
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** An embedder that counts how often it is opened. */
function counted(embedder = new HashedWords()): IndexEmbedder & { opened: number } {
  return {
    id: embedder.model.id,
    opened: 0,
    async open() {
      this.opened++;
      return embedder;
    },
  };
}

Deno.test("open() embeds what it takes in, and opens no model when nothing lacks a vector", async () => {
  await withPlace(async ({ index, seen }) => {
    const embedder = counted();
    {
      using memory = await index(embedder).open(true);
      assert.equal(memory.vectorsState(), "complete");
    }
    assert.ok(seen.some(({ phase, done, total }) => phase === "embedding" && done === total));
    using again = await index(embedder).open(true);
    assert.equal(again.vectorsState(), "complete");
    assert.equal(embedder.opened, 1);
  });
});

Deno.test("an encoder works inside the writer, and its model is not opened beside", async () => {
  await withPlace(async ({ index }) => {
    const encoder = import.meta.resolve("../support/hashed_words.ts");
    const embedder = { ...counted(), encoder };
    using memory = await index(embedder).open(true);
    assert.equal(memory.vectorsState(), "complete");
    assert.equal(embedder.opened, 0);
  });
});

Deno.test("an index that was made without an embedder gets its vectors when there is one", async () => {
  await withPlace(async ({ root, index }) => {
    (await index().open(true)).close();
    {
      using memory = openMemory(root);
      assert.equal(memory.vectorsState(), "none");
    }
    using memory = await index(counted()).open(true);
    assert.equal(memory.vectorsState(), "complete");
  });
});

Deno.test("another embedder than that of the index is refused before anything is changed", async () => {
  await withPlace(async ({ root, index }) => {
    (await index(counted()).open(true)).close();
    writeFileSync(join(root, "spoon.ts"), "export const spoon = 1;\n");
    const other = counted(new HashedWords({ id: "other" }));
    await assert.rejects(
      index(other).open(true),
      (error) =>
        error instanceof VectorModelMismatchError &&
        /"other" on this index: its vectors are of "hashed-words".*--embedder "hashed-words"$/.test(
          error.message,
        ),
    );
    assert.equal(other.opened, 0);
    using memory = openMemory(root);
    assert.equal(memory.status().files, 2);
  });
});

Deno.test("a model that cannot be opened stops no question, and says so; an ingest it stops", async () => {
  await withPlace(async ({ root, index, seen }) => {
    const broken: IndexEmbedder = {
      id: "transformers:gone",
      open: () => Promise.reject(new EmbedderError('cannot open "gone": there is no such model')),
    };
    using memory = await index(broken).open(true);
    assert.equal(memory.search("boilWater")[0]!.path, "kettle.ts");
    assert.deepEqual(seen.filter(({ note }) => note).map(({ detail }) => detail), [
      'cannot open "gone": there is no such model; going on without vectors',
    ]);
    using writable = openMemory(root);
    await assert.rejects(index(broken).absorb(writable, []), EmbedderError);
  });
});
