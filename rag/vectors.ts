/**
 * Vectors of chunks in SQLite (sqlite-vec), and whose they are.
 *
 * Owns the tables `vector_model` and `chunk_vector` (a vec0 table made when an embedder is first set). What must hold: all
 * vectors are of one model; another model is refused, never mixed; a vector goes in the transaction in which its chunk goes.
 * No embedder ships with this part: without one the tables stay absent and search runs on words, paths and names alone.
 */
import { getLoadablePath } from "sqlite-vec";
import type { Store } from "./store.ts";

/** What made the vectors of an index; all fields must agree for them to be comparable. */
export interface VectorModel {
  readonly id: string;
  readonly revision: string;
  readonly dimensions: number;
  readonly quantisation: "float32" | "int8" | "bit";
}

/** Vectors of another model stand in the index. */
export class VectorModelMismatchError extends Error {
  override name = "VectorModelMismatchError";
}

const loaded = new WeakSet<Store>();

/**
 * Loads sqlite-vec into the connection, once. Native code needs `--allow-ffi`, so it is loaded only where there are vectors.
 * @throws {Deno.errors.NotCapable} without that permission.
 */
function load(store: Store): void {
  if (loaded.has(store)) return;
  if (!store.mayLoadExtensions) {
    throw new Deno.errors.NotCapable(
      `cannot load sqlite-vec for "${store.path}": native code is not permitted; run with --allow-ffi`,
    );
  }
  store.database.loadExtension(getLoadablePath());
  loaded.add(store);
}

/** Whether an index has the tables of vectors. */
function hasVectors(store: Store): boolean {
  return store.get("SELECT 1 AS x FROM sqlite_schema WHERE name = 'vector_model'") !== undefined;
}

/** Forgets the vectors of the chunks `[first, first + count)`. Inside the transaction in which the chunks go. */
export function dropVectors(store: Store, first: number, count: number): void {
  if (count === 0 || !hasVectors(store)) return;
  load(store);
  for (let chunk = first; chunk < first + count; chunk++) {
    store.run("DELETE FROM chunk_vector WHERE chunk = ?", BigInt(chunk));
  }
}

/** Drops the tables of vectors, where there are any. */
export function dropVectorTables(store: Store): void {
  if (!hasVectors(store)) return;
  load(store);
  store.database.exec("DROP TABLE chunk_vector; DROP TABLE vector_model;");
}

/** The vectors of one index. */
export class VectorStore {
  #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The model whose vectors are stored; undefined when there are none. */
  model(): VectorModel | undefined {
    if (!hasVectors(this.#store)) return undefined;
    const row = this.#store.get("SELECT model FROM vector_model");
    return row && JSON.parse(row.model as string);
  }

  /**
   * Declares whose vectors will be stored, and makes room for them. Inside a transaction.
   * @throws {VectorModelMismatchError} when vectors of another model are there.
   */
  use(model: VectorModel): void {
    const current = this.model();
    if (current) {
      if (JSON.stringify(current) !== JSON.stringify(model)) {
        throw new VectorModelMismatchError(
          `cannot use embedder "${model.id}" on this index: its vectors are of "${current.id}" revision "${current.revision}" (${current.dimensions} × ${current.quantisation}); run "ingest --rebuild" to embed again`,
        );
      }
      load(this.#store);
      return;
    }
    load(this.#store);
    const element = { float32: "float", int8: "int8", bit: "bit" }[model.quantisation];
    this.#store.database.exec(
      `CREATE TABLE IF NOT EXISTS vector_model(model TEXT NOT NULL);
       CREATE VIRTUAL TABLE IF NOT EXISTS chunk_vector USING vec0(chunk INTEGER PRIMARY KEY, embedding ${element}[${model.dimensions}]${
        model.quantisation === "bit" ? "" : " distance_metric=cosine"
      });`,
    );
    this.#store.run("INSERT INTO vector_model(model) VALUES (?)", JSON.stringify(model));
  }

  /**
   * Stores the vector of a chunk. Inside a transaction.
   * @throws {RangeError} when its length is not the model's, or a value is not finite.
   */
  put(chunk: number, vector: Float32Array): void {
    const model = this.model();
    if (!model || vector.length !== model.dimensions || !vector.every(Number.isFinite)) {
      throw new RangeError(
        `cannot store the vector of chunk "${chunk}": it has ${vector.length} values, expected ${
          model?.dimensions ?? "a model set before"
        }, all finite`,
      );
    }
    load(this.#store);
    this.#store.run("DELETE FROM chunk_vector WHERE chunk = ?", BigInt(chunk));
    this.#store.run(
      "INSERT INTO chunk_vector(chunk, embedding) VALUES (?, ?)",
      BigInt(chunk),
      bytesOf(vector),
    );
  }

  /** Number of vectors stored. Reads the table in which vec0 keeps its rows, so native code is not needed. */
  count(): number {
    return this.model()
      ? Number(this.#store.get("SELECT count(*) AS n FROM chunk_vector_rowids")!.n)
      : 0;
  }

  /** Cosine similarity of the `limit` nearest chunks; `among` acts inside the search. */
  nearest(vector: Float32Array, limit: number, among?: readonly number[]): Map<number, number> {
    if (!this.model()) return new Map();
    load(this.#store);
    const filter = among ? " AND chunk IN (SELECT value FROM json_each(?))" : "";
    const rows = this.#store.all(
      `SELECT chunk, distance FROM chunk_vector WHERE embedding MATCH ? AND k = ?${filter} ORDER BY distance`,
      bytesOf(vector),
      limit,
      ...(among ? [JSON.stringify(among)] : []),
    );
    return new Map(rows.map((row) => [Number(row.chunk), 1 - Number(row.distance)]));
  }
}

function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
