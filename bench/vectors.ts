/**
 * `bench vectors`: what it costs to find the nearest vectors, and how many of the nearest are found.
 *
 * Our scan and the three forms of sqlite-vec answer the same questions over the same vectors in the same run: those that an embedder
 * makes of the chunks of a corpus. What must hold: recall is against an exact search in float32; times are of a whole search, the
 * selection of the nearest included; loading is timed on an index that was stored, as a new process loads it.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { getLoadablePath } from "sqlite-vec";
import { readTree } from "../ingest/mod.ts";
import { highest, quantise, rowBytes, VectorScan } from "../rag/embed/scan.ts";
import type { ChunkEncoder, Embedder } from "../rag/mod.ts";
import { openMemory } from "../rag/mod.ts";
import { namesOf } from "../rag/rows.ts";
import { copyOf, CorpusCopy, type Log } from "./corpora.ts";
import { median, quantile } from "./process.ts";
import { questionsFor } from "./query_set.ts";

export interface VectorBenchOptions {
  /** Folder to use instead of the pinned corpus. */
  readonly corpus?: string;
  /** The embedder whose vectors are searched; the one that ships by default. */
  readonly embedder?: Embedder & ChunkEncoder;
  readonly log: Log;
}

/** Neighbours asked for, and counted for recall. */
const NEAREST = 20;
/** Numbers of vectors; the larger corpus has more chunks than the last. */
const SIZES = [10_000, 100_000];
/** Questions of each of three sets. */
const SAMPLED = 40;
/** Times that an index is loaded. */
const LOADS = 5;

/** Times searches by vector, over the pinned corpus or a folder. */
export async function benchVectors(
  { corpus, embedder, log }: VectorBenchOptions,
): Promise<object> {
  const encoder = embedder ?? (await import("../rag/embed/static.ts")).loadStatic();
  using sources = corpus === undefined ? await CorpusCopy.ofPinned("large", log) : copyOf(corpus);
  log("indexing");
  {
    using memory = openMemory(sources.folder);
    await memory.absorb(readTree(sources.folder, memory.known()));
    log("embedding");
    await memory.embedPending(encoder, { batch: 4_096 });
  }
  using memory = openMemory(sources.folder, { readOnly: true });
  const vectors = vectorsOf(memory.store, encoder);
  const texts = questionsFor(memory, "mixed", SAMPLED).map(({ text }) => text);
  const questions: Float32Array[] = [];
  for (const text of texts) questions.push(await encoder.embedQuery(text));

  const loads: number[] = [];
  for (let time = 0; time < LOADS; time++) {
    using fresh = openMemory(sources.folder, { readOnly: true });
    const started = performance.now();
    fresh.vectors.load();
    loads.push(performance.now() - started);
  }
  const { id, dimensions } = encoder.model;
  const result: Record<string, object> = {
    stored: {
      embedder: id,
      dimensions,
      vectors: vectors.length,
      megabytes: Math.round(
        memory.store.get("SELECT sum(length(data)) AS n FROM vector")!.n as number / 1e5,
      ) / 10,
      load_ms: rounded(median(loads)),
    },
  };
  const sizes = corpus === undefined ? SIZES : [vectors.length];
  for (const size of sizes) {
    if (size > vectors.length) {
      throw new Error(`cannot take ${size} vectors of ${sources.name}: it has ${vectors.length}`);
    }
    log(`${size} vectors`);
    // Evenly from the whole, so that the small size is not one package.
    const some = Array.from(
      { length: size },
      (_, at) => vectors[Math.floor(at * vectors.length / size)]!,
    );
    result[`${size} vectors`] = compare(some, questions, dimensions);
  }
  return result;
}

type Store = ReturnType<typeof openMemory>["store"];

/** The vectors of all chunks before they were rounded, in the order of the chunks. */
function vectorsOf(store: Store, encoder: ChunkEncoder): Float32Array[] {
  return store.files().flatMap(({ id, path, firstChunk, chunkCount }) => {
    const text = store.text(id);
    return store.chunksFrom(firstChunk, chunkCount).map((chunk) =>
      encoder.encode({ path, names: namesOf(chunk) }, text, chunk.start, chunk.end)
    );
  });
}

function compare(
  vectors: readonly Float32Array[],
  questions: readonly Float32Array[],
  dimensions: number,
): object {
  const exact = questions.map((question) => new Set(exactNearest(vectors, question)));
  const measure = (search: (question: Float32Array) => readonly number[]) => {
    for (const question of questions) search(question);
    let found = 0;
    const ms = questions.map((question, at) => {
      const started = performance.now();
      const near = search(question);
      const time = performance.now() - started;
      found += near.filter((one) => exact[at]!.has(one)).length;
      return time;
    });
    return {
      p50_ms: rounded(median(ms)),
      p95_ms: rounded(quantile(ms, 0.95)),
      [`recall@${NEAREST}`]: Math.round(found / (NEAREST * questions.length) * 1e4) / 1e4,
    };
  };
  const rows: Record<string, object> = {};
  const scan = scanOf(vectors, dimensions);
  rows["batos (int8, WebAssembly)"] = measure((question) => scan.nearest(question, NEAREST));
  for (const form of ["float", "int8", "bit"] as const) {
    using peer = new SqliteVec(form, vectors, dimensions);
    rows[`sqlite-vec (${form})`] = measure((question) => peer.nearest(question));
  }
  return rows;
}

function exactNearest(vectors: readonly Float32Array[], question: Float32Array): number[] {
  const cosines = Float32Array.from(vectors, (vector) => {
    let sum = 0;
    for (let at = 0; at < vector.length; at++) sum += vector[at]! * question[at]!;
    return sum;
  });
  return highest(cosines, NEAREST);
}

function scanOf(vectors: readonly Float32Array[], dimensions: number): VectorScan {
  const scan = new VectorScan(dimensions);
  for (const vector of vectors) {
    const row = new Int8Array(rowBytes(dimensions));
    const scale = Float32Array.of(quantise(vector, row));
    scan.add(new Uint8Array(scale.buffer), new Uint8Array(row.buffer));
  }
  return scan;
}

/** sqlite-vec over one of its forms, in memory. */
class SqliteVec implements Disposable {
  readonly #database = new DatabaseSync(":memory:", { allowExtension: true });
  readonly #form: "float" | "int8" | "bit";
  readonly #search: StatementSync;

  constructor(
    form: "float" | "int8" | "bit",
    vectors: readonly Float32Array[],
    dimensions: number,
  ) {
    this.#form = form;
    const database = this.#database;
    database.loadExtension(getLoadablePath());
    // Hamming is the only distance of bits.
    const metric = form === "bit" ? "" : " distance_metric=cosine";
    database.exec(
      `CREATE VIRTUAL TABLE v USING vec0(id INTEGER PRIMARY KEY, e ${form}[${dimensions}]${metric}); BEGIN`,
    );
    const value = form === "float" ? "?" : form === "int8" ? "vec_int8(?)" : "vec_bit(?)";
    const insert = database.prepare(`INSERT INTO v(id, e) VALUES (?, ${value})`);
    vectors.forEach((vector, at) => insert.run(BigInt(at), this.#bytes(vector)));
    database.exec("COMMIT");
    this.#search = database.prepare(
      `SELECT id FROM v WHERE e MATCH ${value} AND k = ${NEAREST} ORDER BY distance`,
    );
  }

  nearest(question: Float32Array): number[] {
    return this.#search.all(this.#bytes(question)).map(({ id }) => Number(id));
  }

  #bytes(vector: Float32Array): Uint8Array {
    if (this.#form === "float") return new Uint8Array(vector.slice().buffer);
    if (this.#form === "int8") {
      const bytes = new Int8Array(vector.length);
      quantise(vector, bytes);
      return new Uint8Array(bytes.buffer);
    }
    const bits = new Uint8Array(Math.ceil(vector.length / 8));
    vector.forEach((value, at) => {
      if (value > 0) bits[at >> 3]! |= 1 << (at & 7);
    });
    return bits;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
