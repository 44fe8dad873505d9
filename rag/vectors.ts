/**
 * Vectors of chunks in SQLite, and whose they are.
 *
 * Owns every statement on two tables. `vector_model(model)`: one row, who made the vectors. `vector(first_chunk, file, data)`: the
 * vectors of up to 256 successive chunks of one file, so that a new process reads few rows: a float32 scale for each, then their
 * rows as `embed/scan.ts` wants them. What must hold: all vectors are of one model, another one is refused, never mixed; the
 * chunks of a file that have vectors are its first ones, in full blocks but for the last; a vector goes in the transaction in
 * which its chunk goes. So what is stored does not depend on how often the embedding was interrupted.
 */
import { EmbedderError, type VectorModel } from "./embed/embedder.ts";
import { quantise, rowBytes, VectorScan } from "./embed/scan.ts";
import type { Store } from "./store.ts";

/** Chunks whose vectors share a row: few rows to read, and little to write again when some are added. */
const BLOCK = 256;
/** Bytes of a scale. */
const SCALE = 4;

/** Tables of vectors; see the module text. */
export const VECTOR_SCHEMA = `
  CREATE TABLE IF NOT EXISTS vector_model(model TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS vector(first_chunk INTEGER PRIMARY KEY, file INTEGER NOT NULL, data BLOB NOT NULL);
`;

/** Vectors of another model stand in the index. */
export class VectorModelMismatchError extends Error {
  override name = "VectorModelMismatchError";
}

/** Whether an index can be searched by vectors: it has none, not yet all, or one for every chunk. */
export type VectorsState = "none" | "partial" | "complete";

/** A file with chunks that lack vectors. */
export interface PendingFile {
  readonly path: string;
  readonly hash: string;
  /** Place in the file of the first chunk without a vector, from 0. */
  readonly from: number;
  /** Number of chunks without one: it and all that follow. */
  readonly count: number;
}

/** Vectors ready to be searched. */
export interface LoadedVectors {
  readonly model: VectorModel;
  readonly scan: VectorScan;
  /** The chunk of each row of `scan`, rising. */
  readonly chunks: Int32Array;
}

/** Forgets the vectors of the chunks `[first, first + count)`. Inside the transaction in which the chunks go. */
export function dropVectors(store: Store, first: number, count: number): void {
  store.run("DELETE FROM vector WHERE first_chunk >= ? AND first_chunk < ?", first, first + count);
}

/** Whether vectors of two models may be compared: all that makes them agrees. */
export function isSameModel(one: VectorModel, other: VectorModel): boolean {
  return canonical(one) === canonical(other);
}

/**
 * Sees to it that vectors of one model are not taken for those of another.
 * @throws {VectorModelMismatchError} when they differ in anything.
 */
export function requireSameModel(stored: VectorModel, other: VectorModel): void {
  if (!isSameModel(stored, other)) throw mismatch(stored, describe(other));
}

/** The error for an index whose vectors are of `stored` where `other` was asked for. */
export function mismatch(stored: VectorModel, other: string): VectorModelMismatchError {
  return new VectorModelMismatchError(
    `cannot use embedder ${other} on this index: its vectors are of ${
      describe(stored)
    }; run "ingest --rebuild" to embed again, or name the embedder of the index with --embedder "${stored.id}"`,
  );
}

function describe({ id, revision, dimensions, quantisation }: VectorModel): string {
  return `"${id}" revision "${revision}" (${dimensions} × ${quantisation})`;
}

/** The fields in one order, whoever wrote them. */
function canonical(model: VectorModel): string {
  const { id, revision, dimensions, quantisation, pooling, prefixes } = model;
  const { query, passage } = prefixes;
  return JSON.stringify({
    id,
    revision,
    dimensions,
    quantisation,
    pooling,
    prefixes: { query, passage },
  });
}

/** Whether a model gives the same vectors on every machine; a runtime of others does not promise that. */
function isReproducible({ id }: VectorModel): boolean {
  return !/^(transformers|llama):/.test(id);
}

/** The vectors of one index. */
export class VectorStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The model whose vectors are stored; undefined when there are none. */
  model(): VectorModel | undefined {
    const row = this.#store.get("SELECT model FROM vector_model");
    return row && JSON.parse(row.model as string);
  }

  /**
   * Declares whose vectors will be stored. Inside the transaction that stores them.
   * @throws {VectorModelMismatchError} when vectors of another model are there.
   */
  use(model: VectorModel): void {
    const stored = this.model();
    if (stored) requireSameModel(stored, model);
    else this.#store.run("INSERT INTO vector_model(model) VALUES (?)", canonical(model));
  }

  /** Drops all vectors, whosever they are. Inside a transaction. */
  clear(): void {
    this.#store.run("DELETE FROM vector");
    this.#store.run("DELETE FROM vector_model");
  }

  /**
   * Stores the vectors of successive chunks of a file, as far as they continue what it has: chunks that have theirs already, or
   * that are not the next ones, are passed over. Inside a transaction, after `use`.
   * @param from place in the file, from 0, of the chunk that the first of `vectors` belongs to
   * @returns how many were stored
   * @throws {EmbedderError} when a vector has another number of dimensions or a value that is not finite.
   */
  put(file: number, from: number, vectors: readonly Float32Array[]): number {
    const model = this.model();
    const row = this.#store.get("SELECT first_chunk, chunk_count FROM file WHERE id = ?", file);
    if (!model || !row) return 0;
    check(vectors, model);
    const first = Number(row.first_chunk);
    const count = Number(row.chunk_count);
    const last = this.#store.get(
      "SELECT first_chunk, data FROM vector WHERE first_chunk >= ? AND first_chunk < ? ORDER BY first_chunk DESC LIMIT 1",
      first,
      first + count,
    );
    // Places in the file: of the last block, and of the first chunk that has no vector yet.
    const lastBlock = last ? Number(last.first_chunk) - first : 0;
    const lastData = last?.data as Uint8Array | undefined;
    const begin = lastBlock + (lastData ? lastData.length / bytesOfOne(model) : 0);
    if (from > begin) return 0;
    const end = Math.min(count, from + vectors.length);
    for (let next = begin; next < end;) {
      const block = next - next % BLOCK;
      const until = Math.min(end, block + BLOCK);
      this.#store.run(
        "INSERT OR REPLACE INTO vector(first_chunk, file, data) VALUES (?,?,?)",
        first + block,
        file,
        extendBlock(
          block === lastBlock ? lastData : undefined,
          vectors.slice(next - from, until - from),
          model.dimensions,
        ),
      );
      next = until;
    }
    return Math.max(0, end - begin);
  }

  /** Number of vectors stored. */
  count(): number {
    const model = this.model();
    if (!model) return 0;
    const bytes = this.#store.get("SELECT coalesce(sum(length(data)), 0) AS n FROM vector")!.n;
    return Number(bytes) / bytesOfOne(model);
  }

  /** Whether every chunk has its vector. */
  state(): VectorsState {
    if (!this.model()) return "none";
    return this.count() === this.#chunks() ? "complete" : "partial";
  }

  /** Number of chunks, with a vector or without. */
  #chunks(): number {
    return Number(this.#store.get("SELECT coalesce(sum(chunk_count), 0) AS n FROM file")!.n);
  }

  /** Files with chunks that lack vectors, in order of their paths. */
  pending(): PendingFile[] {
    const model = this.model();
    return this.#store.all(
      `SELECT * FROM (
         SELECT path, hash, chunk_count,
           (SELECT coalesce(sum(length(data)), 0) FROM vector v
            WHERE v.first_chunk >= f.first_chunk AND v.first_chunk < f.first_chunk + f.chunk_count) / ? AS done
         FROM file f WHERE chunk_count > 0)
       WHERE done < chunk_count ORDER BY path`,
      model ? bytesOfOne(model) : 1,
    ).map((row) => ({
      path: row.path as string,
      hash: row.hash as string,
      from: Number(row.done),
      count: Number(row.chunk_count) - Number(row.done),
    }));
  }

  /** All vectors, ready to be searched; undefined unless every chunk has one. Inside a snapshot. */
  load(): LoadedVectors | undefined {
    const model = this.model();
    if (!model) return undefined;
    const scan = new VectorScan(model.dimensions);
    const chunks: number[] = [];
    const rows = this.#store.statement("SELECT first_chunk, data FROM vector ORDER BY first_chunk");
    for (const row of rows.iterate()) {
      const data = row.data as Uint8Array;
      const count = data.length / bytesOfOne(model);
      const first = Number(row.first_chunk);
      for (let at = 0; at < count; at++) chunks.push(first + at);
      scan.add(data.subarray(0, SCALE * count), data.subarray(SCALE * count));
    }
    return scan.count === this.#chunks()
      ? { model, scan, chunks: Int32Array.from(chunks) }
      : undefined;
  }

  /** Gives `update` what the fingerprint of an index covers of its vectors: whose they are, and themselves where that can be repeated. */
  digest(update: (part: string | Uint8Array) => void): void {
    const model = this.model();
    if (!model) return;
    update(canonical(model));
    if (!isReproducible(model)) return;
    const rows = this.#store.statement(
      "SELECT f.path, v.data FROM file f JOIN vector v ON v.first_chunk >= f.first_chunk AND v.first_chunk < f.first_chunk + f.chunk_count ORDER BY f.path, v.first_chunk",
    );
    for (const row of rows.iterate()) {
      update(row.path as string);
      update(row.data as Uint8Array);
    }
  }
}

/** Bytes that a vector takes in a block. */
function bytesOfOne({ dimensions }: VectorModel): number {
  return SCALE + rowBytes(dimensions);
}

function check(vectors: readonly Float32Array[], { id, dimensions }: VectorModel): void {
  for (const vector of vectors) {
    if (vector.length === dimensions && vector.every(Number.isFinite)) continue;
    const wrong = vector.findIndex((value) => !Number.isFinite(value));
    throw new EmbedderError(
      `cannot store a vector of "${id}": ${
        wrong < 0 ? `it has ${vector.length} values` : `value ${wrong} of it is ${vector[wrong]}`
      }, expected ${dimensions} finite numbers`,
    );
  }
}

/** A block with vectors added: scales first, then rows. */
function extendBlock(
  block: Uint8Array | undefined,
  vectors: readonly Float32Array[],
  dimensions: number,
): Uint8Array {
  const bytes = rowBytes(dimensions);
  const known = block ? block.length / (SCALE + bytes) : 0;
  const count = known + vectors.length;
  const extended = new Uint8Array(count * (SCALE + bytes));
  if (block) {
    extended.set(block.subarray(0, SCALE * known));
    extended.set(block.subarray(SCALE * known), SCALE * count);
  }
  const scales = new DataView(extended.buffer);
  const rows = new Int8Array(extended.buffer, SCALE * count);
  vectors.forEach((vector, at) => {
    const row = known + at;
    const scale = quantise(vector, rows.subarray(bytes * row, bytes * (row + 1)));
    scales.setFloat32(SCALE * row, scale, true);
  });
  return extended;
}
