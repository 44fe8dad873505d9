/**
 * The index of a workspace over time: when it is made, when it is brought up to date, what to do when that is not possible.
 *
 * Owns this policy and nothing else; `memory.ts` does the work. What must hold: an index is written under the writer's lock only; a
 * question never fails because the index is merely old, or lacks vectors; what a parser needs is loaded only when a file has to be
 * read, and a model only when a chunk has to be embedded.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Parse } from "../ingest/mod.ts";
import type { IndexEmbedder } from "./embed/choose.ts";
import { EmbedderError } from "./embed/embedder.ts";
import type { CompilerThread } from "./compiler_thread.ts";
import type { SymbolAnswers } from "./graph_values.ts";
import { type Memory, openMemory, stateFolder } from "./memory.ts";
import type { OpenMemories } from "./open_memories.ts";
import { NotIngestedError } from "./store.ts";
import type { AbsorbReport, KnownFile } from "./types.ts";
import { mismatch } from "./vectors.ts";

/** How long a command that can do nothing without an index waits for another writer, in milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * How long a process that serves others waits for another writer before it answers from an index that is old, in milliseconds: two
 * servers of one workspace see the same change at the same time, and taking in some files is done in less.
 */
const SHARED_PATIENCE_MS = 5_000;

/** Chunks that a question waits for while a slow model embeds them: some seconds. */
const MOST_WAITED_FOR = 128;

/** What is happening, for whoever shows it. A note is worth a line of its own. */
export interface IndexProgress {
  readonly phase: string;
  readonly done?: number;
  readonly total?: number;
  readonly detail?: string;
  readonly note?: boolean;
}

/** What the policy needs to know and to be able to do about the place. */
export interface IndexPlace {
  /** Absolute path of the workspace. */
  readonly root: string;
  /** Subfolder that the workspace is limited to; empty for all of it. */
  readonly limit: string;
  /** Takes the writer's lock, waiting so long. */
  lock(timeoutMs: number): Promise<Disposable>;
  /** Whether an error of `lock` means only that nobody may write now. */
  isRefusal(error: unknown): error is Error;
  /** Who gives the chunks their vectors; without one they get none, and those that are there stay. */
  readonly embedder?: IndexEmbedder;
  /** Memories that stay open between commands, where the process serves many. */
  readonly memories?: OpenMemories;
  /** Holds the compilers where the process lives long; without it they are loaded here, and stay. */
  readonly compilers?: CompilerThread;
  progress(progress: IndexProgress): void;
  readonly signal: AbortSignal;
}

/** Whether a workspace has an index file, of whatever version. */
export function hasIndex(root: string): boolean {
  return existsSync(join(stateFolder(root), "image.db"));
}

/**
 * Opens the index of a workspace for reading as it is; undefined when this version has made none yet.
 * @param memories where memories stay open
 * @throws {DamagedIndexError} when the file cannot be read
 */
export function openMemoryIfMade(root: string, memories?: OpenMemories): Memory | undefined {
  if (!hasIndex(root)) return undefined;
  try {
    return memories?.take(root) ?? openMemory(root, { readOnly: true });
  } catch (error) {
    if (error instanceof NotIngestedError) return undefined;
    throw error;
  }
}

/** See the module text. */
export class WorkspaceIndex {
  readonly #place: IndexPlace;

  constructor(place: IndexPlace) {
    this.#place = place;
  }

  /**
   * Opens the index for reading: made first when there is none, brought up to date when that is wanted and possible.
   * @throws the error of `lock` when there is no index and none can be made now.
   */
  async open(refresh: boolean): Promise<Memory> {
    const memory = await this.#open(refresh);
    if (memory.isEmpty()) {
      const detail =
        'there is no file in the index; "batos ingest --dry-run" says which are left out, and why';
      this.#place.progress({ phase: "", detail, note: true });
    }
    return memory;
  }

  async #open(refresh: boolean): Promise<Memory> {
    const { root, progress } = this.#place;
    const memory = openMemoryIfMade(root, this.#place.memories);
    // 0: the first ingest never came to its end, so most of the workspace may be missing.
    const isComplete = memory !== undefined && memory.lastIngest() > 0;
    if (isComplete && !refresh) return memory;
    // A process that serves many commands looks before it takes the lock: most of the time nothing has changed.
    if (isComplete && this.#place.memories && !await this.#hasNews(memory)) return memory;
    memory?.close();
    try {
      const patience = this.#place.memories === undefined ? 0 : SHARED_PATIENCE_MS;
      using _lock = await this.#place.lock(isComplete ? patience : PATIENCE_MS);
      using writable = openMemory(root);
      await this.#absorb(writable, []);
      await this.#embedSome(writable);
    } catch (error) {
      if (!isComplete || !this.#place.isRefusal(error)) throw error;
      progress({
        phase: "",
        detail: `${error.message}; going on with the index as it is`,
        note: true,
      });
    }
    return this.#openForReading();
  }

  #openForReading(): Memory {
    const { root, memories } = this.#place;
    return memories?.take(root) ?? openMemory(root, { readOnly: true });
  }

  /** Whether an ingest would have something to do, or vectors are missing that a question waits for. */
  async #hasNews(memory: Memory): Promise<boolean> {
    const { embedder } = this.#place;
    if (embedder?.encoder !== undefined && memory.vectorsState() !== "complete") return true;
    const known = memory.known();
    let seen = 0;
    for await (const event of await this.#look(memory, known)) {
      if (event.type === "file") return true;
      if (event.type === "unchanged") {
        if (event.touched !== undefined) return true;
        seen++;
      } else if (event.type === "problem" && known.has(event.problem.path)) seen++;
    }
    return seen !== known.size;
  }

  /**
   * Opens the symbol graph and the memory that it stands on, to be disposed of. What it works out is kept for the next time, unless somebody else is writing.
   */
  async graph(): Promise<{ readonly graph: SymbolAnswers; readonly memory: Memory } & Disposable> {
    (await this.open(false)).close();
    const parts = new DisposableStack();
    let readOnly = false;
    try {
      parts.use(await this.#place.lock(0));
    } catch (error) {
      if (!this.#place.isRefusal(error)) throw error;
      readOnly = true;
    }
    const { root, compilers } = this.#place;
    const memory = parts.use(openMemory(root, { readOnly }));
    const graph = compilers?.graph({ root, readOnly }) ?? await memory.graph();
    return { graph, memory, [Symbol.dispose]: () => parts.dispose() };
  }

  /**
   * Sees to it that an index with vectors of one embedder is not written by another.
   * @throws {VectorModelMismatchError}
   */
  requireEmbedder(memory: Memory): void {
    const { embedder } = this.#place;
    const stored = memory.vectors.model();
    if (embedder && stored && stored.id !== embedder.id) throw mismatch(stored, `"${embedder.id}"`);
  }

  /**
   * Takes in what the walk finds, and embeds it; with a scope, what is known outside it stays. To be called under the lock.
   * @throws {VectorModelMismatchError} when the index has vectors of another embedder, before anything is changed.
   */
  async absorb(memory: Memory, scope: readonly string[]): Promise<AbsorbReport> {
    const report = await this.#absorb(memory, scope);
    await this.embed(memory);
    return report;
  }

  /**
   * Embeds the chunks that have no vector. Nothing without an embedder. To be called under the lock.
   * @returns the number of chunks that got one
   */
  async embed(memory: Memory): Promise<number> {
    const { embedder, signal, progress } = this.#place;
    if (!embedder || memory.vectorsState() === "complete") return 0;
    return await memory.embedPending(await embedder.open(), {
      signal,
      onProgress: (done, total, path) =>
        progress({ phase: "embedding", done, total, detail: path }),
    });
  }

  /** Embeds what a question can wait for; it does not wait for a slow model to read the workspace, nor fail for one. */
  async #embedSome(memory: Memory): Promise<void> {
    const { embedder, progress } = this.#place;
    if (!embedder) return;
    const { chunks, vectors } = memory.counts();
    const missing = chunks - vectors;
    if (embedder.encoder === undefined && missing > MOST_WAITED_FOR) {
      const detail =
        `${missing} of ${chunks} chunks have no vector of "${embedder.id}" yet; "batos ingest" goes on with them`;
      progress({ phase: "", detail, note: true });
      return;
    }
    await this.embed(memory).catch((error) => {
      if (!(error instanceof EmbedderError)) throw error;
      progress({ phase: "", detail: `${error.message}; going on without vectors`, note: true });
    });
  }

  async #absorb(memory: Memory, scope: readonly string[]): Promise<AbsorbReport> {
    const { embedder, compilers, signal, progress } = this.#place;
    this.requireEmbedder(memory);
    progress({ phase: "listing files" });
    // Loaded here, so that a search does not wait for what only an ingest needs.
    const { SharedParsing } = await import("./shared_parsing.ts");
    using here = new SharedParsing();
    const parse = compilers?.parse ?? here.parse;
    return await memory.absorb(await this.#read(memory, memory.known(), scope, parse), {
      scope,
      signal,
      encoder: embedder?.encoder,
      onProgress: ({ files, total, path }) =>
        progress({ phase: "ingesting", done: files, total, detail: path }),
    });
  }

  /** Number of files that the next ingest would store or forget. */
  async countStale(memory: Memory): Promise<number> {
    const known = memory.known();
    const unseen = new Set(known.keys());
    let changed = 0;
    for await (const event of await this.#look(memory, known)) {
      if (event.type === "file") {
        changed++;
        unseen.delete(event.file.path);
      } else if (event.type === "unchanged") unseen.delete(event.path);
      else if (event.type === "problem") unseen.delete(event.problem.path);
    }
    return changed + unseen.size;
  }

  /** Which files are new or changed, without a parser. */
  async #look(memory: Memory, known: ReadonlyMap<string, KnownFile>) {
    const { unparsed } = await import("../ingest/mod.ts");
    return await this.#read(memory, known, [], unparsed);
  }

  async #read(
    memory: Memory,
    known: ReadonlyMap<string, KnownFile>,
    scope: readonly string[],
    parse: Parse,
  ) {
    const { root, limit, signal } = this.#place;
    const { readTree } = await import("../ingest/mod.ts");
    return readTree(root, known, {
      scope: scope.length > 0 ? scope : limit === "" ? [] : [limit],
      signal,
      trustedBefore: memory.lastIngest(),
      parse,
    });
  }
}
