/**
 * Vectors of chunks in SQLite, and whose they are.
 *
 * Owns every statement on two tables. `vector_model(model)`: one row, who made the vectors. `vector(block, crc, data)`: the vectors of the
 * chunks with ids from `block` × 256 on, as `vector_block.ts` packs them, whichever files they are of, and their CRC-32: SQLite has no
 * checksum of its own, and numbers that changed on the disk look like any others. What must hold: all vectors are
 * of one model, another one is refused, never mixed; the chunks of a file that have vectors are its first ones; a vector goes in
 * the transaction in which its chunk goes.
 */
import { crc32 } from "node:zlib";
import { sound } from "./damaged_index.ts";
import { EmbedderError, type VectorModel } from "./embed/embedder.ts";
import { VectorScan } from "./embed/scan.ts";
import type { Row } from "./rows.ts";
import type { Store } from "./store.ts";
import { BLOCK, hasPlace, MASK, VectorBlock, vectorBytes } from "./vector_block.ts";

/** Tables of vectors; see the module text. */
export const VECTOR_SCHEMA = `
  CREATE TABLE IF NOT EXISTS vector_model(model TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS vector(block INTEGER PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL);
`;

/** Blocks that are read at once: four megabytes with vectors of 256 dimensions. */
const BLOCKS_AT_ONCE = 64;

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
  if (count > 0) new VectorStore(store).drop(first, count);
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

/** A model as one text: the fields in one order, whoever wrote them. The same for models whose vectors may be compared. */
export function canonical(model: VectorModel): string {
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
    const begin = this.#done(this.#masks(first, count), first, count);
    if (from > begin) return 0;
    const end = Math.min(count, from + vectors.length);
    this.#eachBlock(model, first + begin, first + end, (block, base, low, high) => {
      block.insert(low, vectors.slice(base + low - first - from, base + high - first - from));
    });
    return Math.max(0, end - begin);
  }

  /**
   * Stores the vectors of successive chunks that are new, whichever files they are of. Inside the transaction in which the chunks come,
   * after `use`.
   * @throws {EmbedderError} as `put` does.
   */
  putNew(first: number, vectors: readonly Float32Array[]): void {
    const model = this.model();
    if (!model) return;
    check(vectors, model);
    this.#eachBlock(model, first, first + vectors.length, (block, base, low, high) => {
      block.insert(low, vectors.slice(base + low - first, base + high - first));
    });
  }

  /** Forgets the vectors of the chunks `[first, first + count)`. Inside the transaction in which the chunks go. */
  drop(first: number, count: number): void {
    const model = this.model();
    if (!model) return;
    this.#eachBlock(model, first, first + count, (block, _base, low, high) => {
      block.remove(low, high);
    });
  }

  /**
   * Changes the blocks that the chunks `[first, end)` fall into.
   * @param change gets a block, its first id, and the range of its places that are meant
   */
  #eachBlock(
    { dimensions }: VectorModel,
    first: number,
    end: number,
    change: (block: VectorBlock, base: number, low: number, high: number) => void,
  ): void {
    for (let id = first; id < end;) {
      const number = Math.floor(id / BLOCK);
      const base = number * BLOCK;
      const high = Math.min(end - base, BLOCK);
      const known = this.#store.get("SELECT crc, data FROM vector WHERE block = ?", number);
      const block = new VectorBlock(dimensions, known && this.#sound(known));
      change(block, base, id - base, high);
      if (block.count > 0) {
        const bytes = block.bytes();
        this.#store.run(
          "INSERT OR REPLACE INTO vector(block, crc, data) VALUES (?,?,?)",
          number,
          crc32(bytes),
          bytes,
        );
      } else if (known !== undefined) {
        this.#store.run("DELETE FROM vector WHERE block = ?", number);
      }
      id = base + high;
    }
  }

  #sound(row: Row): Uint8Array {
    return sound(this.#store.path, row, "a block of vectors");
  }

  /** By number of the block, which chunks have vectors: of the blocks that `[first, first + count)` falls into, or of all. */
  #masks(first = 0, count = Number.MAX_SAFE_INTEGER - BLOCK): Map<number, Uint8Array> {
    const rows = this.#store.all(
      `SELECT block, substr(data, 1, ${MASK}) AS mask FROM vector WHERE block >= ? AND block <= ?`,
      Math.floor(first / BLOCK),
      Math.floor((first + count) / BLOCK),
    );
    return new Map(rows.map((row) => [Number(row.block), row.mask as Uint8Array]));
  }

  /** How many of the chunks `[first, first + count)` have their vector; those that have are the first. */
  #done(masks: ReadonlyMap<number, Uint8Array>, first: number, count: number): number {
    for (let at = 0; at < count; at++) {
      const id = first + at;
      const mask = masks.get(Math.floor(id / BLOCK));
      if (!mask || !hasPlace(mask, id % BLOCK)) return at;
    }
    return count;
  }

  /** Number of vectors stored. */
  count(): number {
    const model = this.model();
    if (!model) return 0;
    const row = this.#store.get(
      "SELECT count(*) AS blocks, coalesce(sum(length(data)), 0) AS bytes FROM vector",
    )!;
    return (Number(row.bytes) - MASK * Number(row.blocks)) / vectorBytes(model.dimensions);
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
    const masks = this.#masks();
    return this.#store.all(
      "SELECT path, hash, first_chunk, chunk_count FROM file WHERE chunk_count > 0 ORDER BY path",
    ).map((row) => {
      const all = Number(row.chunk_count);
      const from = this.#done(masks, Number(row.first_chunk), all);
      return { path: row.path as string, hash: row.hash as string, from, count: all - from };
    }).filter(({ count }) => count > 0);
  }

  /** All vectors, ready to be searched; undefined unless every chunk has one. Inside a snapshot. */
  load(): LoadedVectors | undefined {
    const model = this.model();
    if (!model) return undefined;
    const count = this.#chunks();
    if (this.count() !== count) return undefined;
    const scan = new VectorScan(model.dimensions);
    const chunks = new Int32Array(count);
    let last = -1;
    for (let rows = this.#slice(last); rows.length > 0; rows = this.#slice(last)) {
      for (const row of rows) {
        const base = Number(row.block) * BLOCK;
        const block = new VectorBlock(model.dimensions, this.#sound(row));
        for (let place = 0, at = scan.count; place < BLOCK; place++) {
          if (block.has(place)) chunks[at++] = base + place;
        }
        scan.add(block.scales, block.rows);
      }
      last = Number(rows.at(-1)!.block);
    }
    if (scan.count !== count) {
      throw this.#store.damaged(`${scan.count} vectors of ${count} could be read`);
    }
    return { model, scan, chunks };
  }

  /** Some blocks behind one. Not one by one: Deno's iterator ends at a page that cannot be read as if there were no more. */
  #slice(last: number): Row[] {
    return this.#store.all(
      "SELECT block, crc, data FROM vector WHERE block > ? ORDER BY block LIMIT ?",
      last,
      BLOCKS_AT_ONCE,
    );
  }

  /** Gives `update` what the fingerprint of an index covers of its vectors: whose they are, and themselves where that can be repeated. */
  digest(update: (part: string | Uint8Array) => void): void {
    const model = this.model();
    if (!model) return;
    update(canonical(model));
    if (!isReproducible(model)) return;
    const blocks = new Map(
      this.#store.all("SELECT block, crc, data FROM vector").map((row) => [
        Number(row.block),
        new VectorBlock(model.dimensions, this.#sound(row)),
      ]),
    );
    for (
      const row of this.#store.all("SELECT path, first_chunk, chunk_count FROM file ORDER BY path")
    ) {
      update(row.path as string);
      const first = Number(row.first_chunk);
      const end = first + Number(row.chunk_count);
      const parts: { scales: Uint8Array; rows: Uint8Array }[] = [];
      for (let id = first; id < end;) {
        const base = id - id % BLOCK;
        const next = Math.min(end, base + BLOCK);
        const block = blocks.get(base / BLOCK);
        if (block) parts.push(block.range(id - base, next - base));
        id = next;
      }
      // First all scales: where blocks begin depends on the history of the index.
      for (const { scales } of parts) update(scales);
      for (const { rows } of parts) update(rows);
    }
  }
}

function check(vectors: readonly Float32Array[], { id, dimensions }: VectorModel): void {
  for (const vector of vectors) {
    if (vector.length === dimensions && isFinite(vector)) continue;
    const wrong = vector.findIndex((value) => !Number.isFinite(value));
    throw new EmbedderError(
      `cannot store a vector of "${id}": ${
        wrong < 0 ? `it has ${vector.length} values` : `value ${wrong} of it is ${vector[wrong]}`
      }, expected ${dimensions} finite numbers`,
    );
  }
}

function isFinite(vector: Float32Array): boolean {
  // A difference of two values that are not finite is no number, and so is what comes after it.
  let sum = 0;
  for (let at = 0; at < vector.length; at++) sum += vector[at]! - vector[at]!;
  return sum === 0;
}
