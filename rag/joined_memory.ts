/**
 * Writes to memory that belong to a unit of work of the image: both are committed together, or neither is.
 *
 * Owns the writes until the commit, and how they are done inside it. `main.ts` joins it to a unit (`unit.join(…)`): it has the
 * shape of a participant. What must hold:
 * - until the commit nothing is written and no lock is held; a search sees what is committed, never what waits here;
 * - `apply` works on the connection and in the transaction that it is given, and begins and ends nothing itself: what it throws makes
 *   the whole commit fail, and an abort leaves neither objects nor chunks;
 * - a rollback to a savepoint forgets what was written since;
 * - summaries of folders and import edges of what changed are renewed by the next ingest, as after one that was interrupted.
 */
import type { DatabaseSync } from "node:sqlite";
import type { SourceFile } from "../ingest/mod.ts";
import { BatchWriter } from "./batch_writer.ts";
import type { ChunkEncoder } from "./embed/encoder.ts";
import { Store } from "./store.ts";
import { Summariser } from "./summarise.ts";

/** A file to be stored, or a path to be forgotten. */
type Write = { readonly file: SourceFile } | { readonly path: string };

/** See the module text. */
export class JoinedMemory {
  /** For messages of the unit. */
  readonly name = "memory";
  readonly #path: string;
  readonly #encoder: ChunkEncoder | undefined;
  #writes: Write[] = [];

  /**
   * @param path the file of the index, which is that of the image
   * @param encoder gives chunks their vectors, where the index has vectors of it; without one the next ingest does
   */
  constructor(path: string, encoder?: ChunkEncoder) {
    this.#path = path;
    this.#encoder = encoder;
  }

  /** Stores a file with its chunks in place of what is stored under its path. */
  put(file: SourceFile): void {
    this.#writes.push({ file });
  }

  /** Forgets a file, its chunks, vectors and summary. */
  forget(path: string): void {
    this.#writes.push({ path });
  }

  /** Paths that wait for the commit, each once, in the order of their last write. */
  get pending(): string[] {
    const paths = this.#writes.map((write) => "file" in write ? write.file.path : write.path);
    return [...new Set(paths.reverse())].reverse();
  }

  /**
   * Does the writes. For the unit: inside its commit.
   * @param database the connection with the open transaction; undefined where the image is kept in memory only
   * @throws {NotIngestedError} when there is no index to write to
   * @throws {VectorModelMismatchError} when the index has vectors of another embedder
   */
  apply(database: DatabaseSync | undefined): void {
    if (this.#writes.length === 0) return;
    if (database === undefined) {
      throw new Error(
        `write ${this.pending.length} files into memory: the image that they join is not in a file; open it in a workspace`,
      );
    }
    const store = new Store(this.#path, false, database);
    const last = new Map<string, Write>();
    for (const write of this.#writes) {
      last.set("file" in write ? write.file.path : write.path, write);
    }
    const forgotten: string[] = [];
    const writer = new BatchWriter(store, Infinity, this.#encoder);
    for (const write of last.values()) {
      if ("file" in write) writer.put(write.file);
      else forgotten.push(write.path);
    }
    writer.finish();
    if (forgotten.length > 0) {
      store.beginBatch();
      for (const path of forgotten) {
        store.dropFile(path);
        store.dropSummary(path);
      }
      new Summariser(store).dropFolders(forgotten);
      store.setMeta("unfinished", "1");
      store.endBatch();
    }
    store.close();
  }

  /** For the unit: after its commit. */
  committed(): void {
    this.#writes = [];
  }

  /** For the unit: after an abort. */
  aborted(): void {
    this.#writes = [];
  }

  /** For the unit: remembers what has been written so far; what it returns goes back there. */
  savepoint(): () => void {
    const count = this.#writes.length;
    return () => void (this.#writes.length = count);
  }
}
