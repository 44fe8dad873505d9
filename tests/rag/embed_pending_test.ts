/** Embedding that takes its time: interrupted, killed, out of room, beside others, and never mixed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTree } from "../../ingest/mod.ts";
import { EmbedderError, type Memory, openMemory, VectorModelMismatchError } from "../../rag/mod.ts";
import { HashedWords } from "../support/hashed_words.ts";

const CHILD = fileURLToPath(import.meta.resolve("../support/embed_child.ts"));
const FILES = 12;

/** Works on an index of some files without vectors. */
async function withIndex(
  work: (memory: Memory, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "batos-pending-"));
  for (let at = 0; at < FILES; at++) {
    const name = String.fromCharCode(97 + at);
    writeFileSync(join(folder, `${name}.ts`), `export const ${name} = "${name} tea";\n`);
  }
  const memory = openMemory(folder);
  try {
    await memory.absorb(readTree(folder, memory.known()));
    assert.equal(memory.status().chunks, FILES);
    await work(memory, folder);
  } finally {
    memory.close();
    rmSync(folder, { recursive: true });
  }
}

/** The fingerprint of that index with all its vectors, and the order in which they are made. */
async function complete(): Promise<{ fingerprint: string; paths: string[] }> {
  const embedder = new HashedWords();
  let fingerprint = "";
  await withIndex(async (memory) => {
    assert.equal(await memory.embedPending(embedder), FILES);
    fingerprint = memory.status().fingerprint;
  });
  return { fingerprint, paths: embedder.embedded.map(({ path }) => path) };
}

function child(folder: string, id: string, ms: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", CHILD, folder, id, String(ms)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("embedPending() goes over the files in order of their paths, and tells how far it is", async () => {
  const { paths } = await complete();
  assert.deepEqual(paths, [...paths].sort());
  await withIndex(async (memory) => {
    const seen: string[] = [];
    await memory.embedPending(new HashedWords(), {
      batch: 5,
      onProgress: (done, total, path) => seen.push(`${done}/${total} ${path}`),
    });
    assert.deepEqual(seen, ["5/12 e.ts", "10/12 j.ts", "12/12 l.ts"]);
    assert.equal(await memory.embedPending(new HashedWords()), 0);
  });
});

Deno.test("a process that is killed leaves what it committed, and the next one goes on behind it", async () => {
  const { fingerprint, paths } = await complete();
  await withIndex(async (memory, folder) => {
    const process = child(folder, "hashed-words", 30);
    const reader = process.stdout.getReader();
    const first = new TextDecoder().decode((await reader.read()).value);
    assert.match(first, /^2 of 12/);
    process.kill("SIGKILL");
    await process.status;
    await reader.cancel();
    await process.stderr.cancel();

    const stored = memory.vectors.count();
    assert.ok(stored >= 2 && stored < FILES && stored % 2 === 0, `${stored}`);
    assert.equal(memory.vectorsState(), "partial");
    const embedder = new HashedWords();
    assert.equal(await memory.embedPending(embedder), FILES - stored);
    assert.deepEqual(embedder.embedded.map(({ path }) => path), paths.slice(stored));
    assert.equal(memory.status().fingerprint, fingerprint);
  });
});

Deno.test("two processes with the same embedder end with the vectors of one", async () => {
  const { fingerprint } = await complete();
  await withIndex(async (memory, folder) => {
    const results = await Promise.all(
      [child(folder, "hashed-words", 10), child(folder, "hashed-words", 10)].map((one) =>
        one.output()
      ),
    );
    for (const { code, stderr } of results) {
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    }
    assert.equal(memory.vectorsState(), "complete");
    assert.equal(memory.status().fingerprint, fingerprint);
  });
});

Deno.test("of two processes with different embedders one wins, and the other says so", async () => {
  await withIndex(async (memory, folder) => {
    const results = await Promise.all(
      [child(folder, "one", 10), child(folder, "other", 10)].map((one) => one.output()),
    );
    assert.deepEqual(results.map(({ code }) => code).sort(), [0, 1]);
    const loser = results.find(({ code }) => code === 1)!;
    assert.match(
      new TextDecoder().decode(loser.stderr),
      /^cannot use embedder "(one|other)" .*"ingest --rebuild"/,
    );
    const winner = results[0]!.code === 0 ? "one" : "other";
    assert.equal(memory.vectors.model()!.id, winner);
    assert.equal(memory.vectorsState(), "complete");
  });
});

Deno.test("an embedder that is replaced in the middle cannot add to the vectors of the new one", async () => {
  await withIndex(async (memory, folder) => {
    const other = new HashedWords({ id: "other" });
    using second = openMemory(folder);
    let batches = 0;
    const embedder = new HashedWords({
      before: () => {
        if (++batches === 3) {
          second.store.transaction(() => {
            second.vectors.clear();
            second.vectors.use(other.model);
          });
        }
      },
    });
    await assert.rejects(
      memory.embedPending(embedder, { batch: 2 }),
      VectorModelMismatchError,
    );
    assert.equal(memory.vectors.count(), 0);
    assert.equal(memory.vectors.model()!.id, "other");
  });
});

Deno.test("files that change while the model works get the vectors of what they hold now", async () => {
  await withIndex(async (memory, folder) => {
    using second = openMemory(folder);
    let batches = 0;
    const embedder = new HashedWords({
      before: async () => {
        if (++batches !== 2) return;
        writeFileSync(join(folder, "a.ts"), "export const a = 'changed after its vector';\n");
        writeFileSync(join(folder, "d.ts"), "export const d = 'changed before its vector';\n");
        rmSync(join(folder, "e.ts"));
        await second.absorb(readTree(folder, second.known()));
      },
    });
    await memory.embedPending(embedder, { batch: 3 });
    assert.equal(memory.vectorsState(), "complete");
    const { fingerprint } = memory.status();
    memory.store.clear();
    await memory.absorb(readTree(folder, memory.known()));
    await memory.embedPending(new HashedWords());
    assert.equal(memory.status().fingerprint, fingerprint);
  });
});

Deno.test("a rebuild by somebody else in the middle leaves no vector of a wrong chunk", async () => {
  const { fingerprint } = await complete();
  await withIndex(async (memory, folder) => {
    // Ids of chunks are others after the rebuild than before.
    writeFileSync(join(folder, "a.ts"), "export const a = 'another';\n");
    await memory.absorb(readTree(folder, memory.known()));
    writeFileSync(join(folder, "a.ts"), 'export const a = "a tea";\n');
    await memory.absorb(readTree(folder, memory.known()));
    let batches = 0;
    const embedder = new HashedWords({
      before: async () => {
        if (++batches !== 2) return;
        using second = openMemory(folder, { rebuild: true });
        await second.absorb(readTree(folder, second.known()));
      },
    });
    await memory.embedPending(embedder, { batch: 3 });
    assert.equal(memory.vectorsState(), "complete");
    assert.equal(memory.status().fingerprint, fingerprint);
  });
});

Deno.test("a signal ends embedding between two batches, and what is committed stays", async () => {
  await withIndex(async (memory) => {
    const controller = new AbortController();
    await assert.rejects(
      memory.embedPending(new HashedWords(), {
        batch: 4,
        signal: controller.signal,
        onProgress: (done) => done === 8 && controller.abort(),
      }),
      { name: "AbortError" },
    );
    assert.equal(memory.vectors.count(), 8);
    assert.equal(await memory.embedPending(new HashedWords()), 4);
  });
});

Deno.test("a model that fails leaves what was committed", async () => {
  await withIndex(async (memory) => {
    let batches = 0;
    const failing = new HashedWords({
      before: () => {
        if (++batches === 3) throw new EmbedderError("the model is gone");
      },
    });
    await assert.rejects(memory.embedPending(failing, { batch: 4 }), /the model is gone/);
    assert.equal(memory.vectors.count(), 8);
    assert.equal(await memory.embedPending(failing, { batch: 4 }), 4);
    assert.equal(memory.vectorsState(), "complete");
  });
});

Deno.test("a model that gives something else than vectors is refused, and its batch is not stored", async () => {
  await withIndex(async (memory) => {
    const embedder = new HashedWords();
    const fails = async (embedPassages: typeof embedder.embedPassages, message: RegExp) => {
      const broken = {
        model: embedder.model,
        embedQuery: (text: string) => embedder.embedQuery(text),
        embedPassages,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
      await assert.rejects(
        memory.embedPending(broken),
        (error) => error instanceof EmbedderError && message.test(error.message),
      );
      assert.equal(memory.vectors.count(), 0);
    };
    const one = (value: number) => new Float32Array(embedder.model.dimensions).fill(value);
    await fails(
      async (passages) => passages.map((_, at) => one(at === 5 ? NaN : 0.1)),
      /value 0 of it is NaN/,
    );
    await fails(async () => [one(0.1)], /gave 1 vectors for 12 passages/);
    await fails(async (passages) => passages.map(() => new Float32Array(3)), /it has 3 values/);
  });
});

Deno.test("a full disk ends embedding with what was committed, and it goes on when there is room", async () => {
  await withIndex(async (memory) => {
    // A vector takes a page of its own here.
    const embedder = new HashedWords({ dimensions: 6_000 });
    const limit = (pages: number) => memory.store.get(`PRAGMA max_page_count = ${pages}`);
    limit(Number(memory.store.get("PRAGMA page_count")!.page_count) + 6);
    await assert.rejects(memory.embedPending(embedder, { batch: 2 }), /disk is full/);
    const stored = memory.vectors.count();
    assert.ok(stored > 0 && stored < FILES && stored % 2 === 0, `${stored}`);
    limit(1_000_000);
    assert.equal(await memory.embedPending(embedder, { batch: 2 }), FILES - stored);
    assert.equal(memory.vectorsState(), "complete");
  });
});
