/** Vectors in the index: stored with their chunks, of one model, searched only when they are all there. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { readTree, type TreeEvent } from "../../ingest/mod.ts";
import {
  type AbsorbOptions,
  EmbedderError,
  type IndexEmbedder,
  type Memory,
  openMemory,
  type VectorModel,
  VectorModelMismatchError,
} from "../../rag/mod.ts";
import type { QuestionOptions } from "../../rag/embed/embedder.ts";
import { HashedWords, indexEmbedder } from "../support/hashed_words.ts";

const ENCODER = import.meta.resolve("../support/hashed_words.ts");
const embedder = new HashedWords();
const { model } = embedder;

const FILES = {
  "kettle.ts": "export function boilWater() {}\n",
  "cup.ts": "export function holdTea() {}\n",
  "docs/tea.md": "# Tea\n\nTea is made with water.\n\n## Milk\n\nMilk comes last.\n",
};

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** A document of about so many chunks. */
function long(chunks: number): string {
  return Array.from(
    { length: chunks },
    (_, at) => `# Cup ${at}\n\n${`Pour tea ${at} and stir it slowly, then again. `.repeat(30)}\n`,
  ).join("\n");
}

async function withMemory(
  files: Readonly<Record<string, string>>,
  options: AbsorbOptions,
  work: (memory: Memory, absorb: () => Promise<unknown>, folder: string) => unknown,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "batos-vectors-"));
  write(folder, files);
  const memory = openMemory(folder);
  const absorb = () => memory.absorb(readTree(folder, memory.known()), options);
  try {
    await absorb();
    await work(memory, absorb, folder);
  } finally {
    memory.close();
    rmSync(folder, { recursive: true });
  }
}

const question = (text: string) => ({ model, values: embedder.vectorOf(text) });

Deno.test("an index without an embedder has no vectors, and a question's vector changes nothing", async () => {
  await withMemory(FILES, {}, (memory) => {
    assert.equal(memory.vectors.model(), undefined);
    assert.equal(memory.vectorsState(), "none");
    const { vectors, embedder, vectorsState } = memory.status();
    assert.deepEqual({ vectors, embedder, vectorsState }, {
      vectors: 0,
      embedder: null,
      vectorsState: "none",
    });
    assert.deepEqual(
      memory.search("water", { vector: question("holdTea") }),
      memory.search("water"),
    );
  });
});

Deno.test("absorb() with an encoder gives every chunk its vector", async () => {
  await withMemory(FILES, { encoder: ENCODER }, (memory) => {
    const { vectors, chunks, embedder, vectorsState } = memory.status();
    assert.equal(vectors, chunks);
    assert.equal(embedder, "hashed-words");
    assert.equal(vectorsState, "complete");
    assert.deepEqual(memory.vectors.pending(), []);
  });
});

Deno.test("search() lifts what is near to the question's vector, and finds it without a common word", async () => {
  await withMemory(FILES, { encoder: ENCODER }, (memory) => {
    const vector = question("kettle ts export function boilWater");
    assert.deepEqual(memory.search("heating liquids"), []);
    assert.equal(memory.search("heating liquids", { vector })[0]!.path, "kettle.ts");
    // All would be equally near to a question that says nothing.
    assert.deepEqual(memory.search("heating liquids", { vector: question("") }), []);
    // Words still count.
    assert.equal(memory.search("holdTea", { vector })[0]!.path, "cup.ts");
    assert.deepEqual(
      memory.search("heating liquids", { vector, path: "cup.ts" }).map((hit) => hit.path),
      ["cup.ts"],
    );
    assert.deepEqual(
      memory.search("heating liquids", { vector, language: "markdown" }).map((hit) => hit.path),
      memory.chunks("docs/tea.md").map(() => "docs/tea.md"),
    );
  });
});

Deno.test("a question is embedded with what its words tell in this index, whatever its history", async () => {
  const files = {
    "a.md": "# Tea\n\nTea and milk.\n",
    "b.md": "# Tea\n\nTea and lemons.\n",
    "c.md": "# Tea\n\nTea alone.\n",
  };
  const rarities = async (memory: Memory) => {
    const asked = new Map<string, number>();
    const asking: IndexEmbedder = {
      id: model.id,
      open: async () => ({
        model,
        embedQuery: async (text: string, { rarity }: QuestionOptions = {}) => {
          for (const word of text.split(" ")) asked.set(word, rarity!(word));
          return embedder.vectorOf(text);
        },
        embedPassages: (passages) => embedder.embedPassages(passages),
        [Symbol.asyncDispose]: async () => {},
      }),
    };
    await memory.embedQuestion(asking, "where is the tea with lemon and honey");
    return Object.fromEntries(asked);
  };
  await withMemory(files, { encoder: ENCODER }, async (memory, absorb, folder) => {
    const { where, the, tea, lemon, honey } = await rarities(memory);
    assert.deepEqual([where, the], [0, 0]);
    // All have tea, one has lemons, nobody has honey.
    assert.ok(0 < tea! && tea! < lemon! && lemon! < honey!, `${tea} ${lemon} ${honey}`);
    // A file that changed leaves no trace in what words tell.
    write(folder, { "b.md": "# Tea\n\nTea and honey and lemons, all of it at once.\n" });
    await absorb();
    write(folder, { "b.md": files["b.md"] });
    await absorb();
    const again = await rarities(memory);
    assert.deepEqual([again.tea, again.lemon, again.honey], [tea, lemon, honey]);
  });
});

Deno.test("what is near joins the ranking though many chunks have a word of the question", async () => {
  const many = Object.fromEntries(
    Array.from({ length: 200 }, (_, at) => [`many/tea_${at}.md`, `Tea, number ${at}.\n`]),
  );
  await withMemory({ ...many, ...FILES }, { encoder: ENCODER }, (memory) => {
    const vector = question("kettle ts export function boilWater");
    const ranked = memory.search("how is tea heated", { vector, limit: 300 });
    assert.ok(ranked.some(({ path }) => path === "kettle.ts"));
    const without = memory.search("how is tea heated", { limit: 300 });
    assert.ok(!without.some(({ path }) => path === "kettle.ts"));
  });
});

Deno.test("vectors go and come with the chunks of their file", async () => {
  await withMemory(FILES, { encoder: ENCODER }, async (memory, absorb, folder) => {
    const vector = question("kettle ts export function boilWater");
    assert.equal(memory.search("heating liquids", { vector })[0]!.path, "kettle.ts");
    rmSync(join(folder, "kettle.ts"));
    write(folder, { "cup.ts": "export function pour() {}\n" });
    await absorb();
    assert.equal(memory.vectors.count(), memory.status().chunks);
    const hits = memory.search("heating liquids", { vector });
    assert.ok(hits.length > 0 && hits.every((hit) => hit.path !== "kettle.ts"));
    memory.store.clear();
    assert.equal(memory.vectors.model(), undefined);
    assert.equal(memory.vectors.count(), 0);
  });
});

Deno.test("the same tree has the same fingerprint, whether it came at once, in steps, or through a thread", async () => {
  const files = { ...FILES, "pour.md": long(300) };
  const encoder = ENCODER;
  let expected = "";
  await withMemory(files, { encoder }, (memory) => {
    assert.ok(memory.chunks("pour.md").length > 256, "more than a block");
    expected = memory.status().fingerprint;
  });
  await withMemory(files, { encoder, threadFrom: 0, batchCharacters: 1_000 }, (memory) => {
    assert.equal(memory.vectorsState(), "complete");
    assert.equal(memory.status().fingerprint, expected);
  });
  const before = { ...files, "pour.md": long(2), "gone.ts": "export const gone = 1;\n" };
  await withMemory(before, { encoder }, async (memory, absorb, folder) => {
    assert.notEqual(memory.status().fingerprint, expected);
    write(folder, files);
    rmSync(join(folder, "gone.ts"));
    await absorb();
    assert.equal(memory.status().fingerprint, expected);
  });
  await withMemory(files, {}, async (memory) => {
    assert.notEqual(memory.status().fingerprint, expected);
    await memory.embedPending(embedder, { batch: 7 });
    assert.equal(memory.status().fingerprint, expected);
  });
});

Deno.test("vectors of another model are refused wherever they come in, and the error says what to do", async () => {
  await withMemory(FILES, { encoder: ENCODER }, async (memory) => {
    const others: VectorModel[] = [
      { ...model, id: "other" },
      { ...model, revision: "fedcba9876543210" },
      { ...model, dimensions: 8 },
      { ...model, prefixes: { query: "find: ", passage: "" } },
    ];
    for (const other of others) {
      assert.throws(
        () => memory.store.transaction(() => memory.vectors.use(other)),
        VectorModelMismatchError,
      );
      const vector = { model: other, values: new Float32Array(other.dimensions) };
      assert.throws(() => memory.search("tea", { vector }), VectorModelMismatchError);
    }
    await assert.rejects(
      memory.embedPending(new HashedWords({ id: "other" })),
      /cannot use embedder "other" .* its vectors are of "hashed-words" .*run "ingest --rebuild".*--embedder "hashed-words"$/,
    );
    await assert.rejects(
      memory.embedQuestion(indexEmbedder(new HashedWords({ dimensions: 8 })), "make tea"),
      VectorModelMismatchError,
    );
    assert.deepEqual(memory.vectors.model(), model);
    assert.equal(memory.vectorsState(), "complete");
  });
});

Deno.test("absorb() with another encoder is refused before a file is stored, in a thread too", async () => {
  for (const threadFrom of [undefined, 0]) {
    await withMemory({}, {}, async (memory, _absorb, folder) => {
      memory.store.transaction(() => memory.vectors.use({ ...model, id: "other" }));
      write(folder, FILES);
      await assert.rejects(
        memory.absorb(readTree(folder, memory.known()), { encoder: ENCODER, threadFrom }),
        /cannot use embedder "hashed-words".*its vectors are of "other"/,
      );
      assert.equal(memory.status().files, 0);
    });
  }
});

Deno.test("a file that comes twice in one batch is stored once, with its vectors", async () => {
  const files = { ...FILES, "long.md": long(40) };
  await withMemory(files, { encoder: ENCODER }, async (memory, _absorb, folder) => {
    const { fingerprint, vectors } = memory.status();
    async function* twice(): AsyncGenerator<TreeEvent> {
      for await (const event of readTree(folder, new Map())) {
        yield event;
        if (event.type === "file") yield event;
      }
    }
    for (const threadFrom of [undefined, 0]) {
      await memory.absorb(twice(), { encoder: ENCODER, threadFrom });
      assert.equal(memory.vectorsState(), "complete");
      assert.equal(memory.status().vectors, vectors);
      assert.equal(memory.status().fingerprint, fingerprint);
    }
  });
});

Deno.test("clear() drops all vectors, so that another model may begin", async () => {
  await withMemory(FILES, { encoder: ENCODER }, async (memory) => {
    const other = new HashedWords({ id: "other", dimensions: 8 });
    memory.store.transaction(() => {
      memory.vectors.clear();
      memory.vectors.use(other.model);
    });
    assert.equal(memory.vectorsState(), "partial");
    assert.equal(memory.vectors.count(), 0);
    assert.equal(await memory.embedPending(other), memory.status().chunks);
    assert.deepEqual(memory.vectors.model(), other.model);
    assert.equal(memory.vectorsState(), "complete");
  });
});

Deno.test("as long as a chunk lacks its vector, none is used", async () => {
  await withMemory(FILES, {}, async (memory) => {
    const kettle = memory.store.file("kettle.ts")!;
    memory.store.transaction(() => {
      memory.vectors.use(model);
      memory.vectors.put(kettle.id, 0, [
        embedder.encode({ path: "kettle.ts" }, FILES["kettle.ts"]),
      ]);
    });
    assert.equal(memory.vectorsState(), "partial");
    assert.equal(memory.status().vectorsState, "partial");
    const vector = question("kettle ts export function boilWater");
    assert.deepEqual(memory.search("heating liquids", { vector }), []);
    assert.deepEqual(memory.search("tea water", { vector }), memory.search("tea water"));
    assert.equal(await memory.embedQuestion(indexEmbedder(embedder), "make tea"), undefined);
    assert.deepEqual(
      memory.vectors.pending().map(({ path }) => path),
      ["cup.ts", "docs/tea.md"],
    );
    await memory.embedPending(embedder);
    assert.equal(memory.search("heating liquids", { vector })[0]!.path, "kettle.ts");
    assert.deepEqual(
      await memory.embedQuestion(indexEmbedder(embedder), "make tea"),
      question("make tea"),
    );
  });
});

Deno.test("a vector of the wrong length or with a value that is no number is refused", async () => {
  await withMemory(FILES, {}, (memory) => {
    const { id } = memory.store.file("cup.ts")!;
    memory.store.transaction(() => memory.vectors.use(model));
    const bad = new Float32Array(model.dimensions).fill(0.1);
    bad[3] = NaN;
    assert.throws(
      () => memory.vectors.put(id, 0, [bad]),
      (error) => error instanceof EmbedderError && /value 3 of it is NaN/.test(error.message),
    );
    assert.throws(() => memory.vectors.put(id, 0, [Float32Array.of(1, 0)]), /it has 2 values/);
    assert.equal(memory.vectors.count(), 0);
  });
});

Deno.test("an aborted transaction leaves no vector", async () => {
  await withMemory(FILES, {}, (memory) => {
    const { id } = memory.store.file("cup.ts")!;
    assert.throws(() =>
      memory.store.transaction(() => {
        memory.vectors.use(model);
        memory.vectors.put(id, 0, [embedder.vectorOf("cup")]);
        throw new Error("abort");
      })
    );
    assert.equal(memory.vectors.count(), 0);
    assert.equal(memory.vectors.model(), undefined);
  });
});

Deno.test("put() takes what continues the file, in whatever portions, and makes the same blocks of it", async () => {
  await withMemory({ "pour.md": long(300) }, {}, (memory) => {
    const { id, chunkCount } = memory.store.file("pour.md")!;
    const vectors = Array.from({ length: chunkCount }, (_, at) => embedder.vectorOf(`pour ${at}`));
    const blocks = () => memory.store.all("SELECT block, data FROM vector");
    const begin = () =>
      memory.store.transaction(() => {
        memory.vectors.clear();
        memory.vectors.use(model);
      });
    begin();
    assert.equal(memory.vectors.put(id, 0, vectors), chunkCount);
    const expected = blocks();
    const portions = fc.array(fc.record({ from: fc.nat(chunkCount), count: fc.nat(150) }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(portions, (some) => {
        begin();
        for (const { from, count } of some) {
          const before = memory.vectors.count();
          const stored = memory.vectors.put(id, from, vectors.slice(from, from + count));
          assert.equal(memory.vectors.count(), before + stored);
          if (from > before) assert.equal(stored, 0);
        }
        const [pending] = memory.vectors.pending();
        assert.equal(pending?.from ?? chunkCount, memory.vectors.count());
        memory.vectors.put(id, 0, vectors);
        assert.deepEqual(blocks(), expected);
      }),
      { numRuns: 25 },
    );
  });
});
