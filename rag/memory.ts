/**
 * Memory: the facade over one workspace's index. Absorbs what ingest streams, answers searches, hands out what is stored.
 *
 * What must hold: a file is replaced whole or not at all; what a method returns is of one committed state; after `absorb`
 * the index is what a rebuild of the same tree would make (the same `fingerprint`).
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Problem, TreeEvent } from "../ingest/mod.ts";
import type { FileWriter } from "./batch_writer.ts";
import { DamagedIndexError, explain } from "./damaged_index.ts";
import { docOf, signatureOf } from "./doc_text.ts";
import type { IndexEmbedder } from "./embed/choose.ts";
import type { Embedder } from "./embed/embedder.ts";
import type { EncoderName } from "./embed/encoder.ts";
import { loadStatic } from "./embed/static.ts";
import { embedPending, type EmbedPendingOptions } from "./embed_pending.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { SymbolGraph } from "./graph.ts";
import { allowedChunks } from "./filters.ts";
import { IndexView } from "./index_view.ts";
import { analyseQuery } from "./query.ts";
import { DEFAULTS, rank, type RankOptions } from "./rank.ts";
import type { DefinitionRow, FileRow } from "./rows.ts";
import { absentWords, type Correction, misspellings } from "./spelling.ts";
import { NotIngestedError, Store } from "./store.ts";
import { Summaries } from "./summaries.ts";
import { mismatch, requireSameModel, type VectorsState, VectorStore } from "./vectors.ts";
import { TrailIndex } from "./trail_index.ts";
import type {
  AbsorbReport,
  Hit,
  KnownFile,
  OutlineEntry,
  QuestionVector,
  SearchOptions,
  Status,
  StoredFile,
  Summary,
} from "./types.ts";

/** A transaction takes so many characters of source: large enough to be fast, small enough to lose little to a kill. */
const BATCH_CHARACTERS = 4_000_000;
/**
 * Bytes of files from which storing has a thread of its own, which takes a tenth of a second of another core to start and a fifth of the
 * memory; from here on it takes a third off the time.
 */
const THREAD_FROM = 1_000_000;
const DEFAULT_LIMIT = 10;
/** Nearest neighbours that get a close look whatever their words: with 20 a little is lost, with 150 nothing gained; each costs a read. */
const NEAREST = 50;

/** How to open a memory. */
export interface MemoryOptions {
  /** Never write; there must be an index. */
  readonly readOnly?: boolean;
  /** Make the index anew: derived tables are dropped, a damaged file is moved aside. */
  readonly rebuild?: boolean;
}

/** How to take in a tree. */
export interface AbsorbOptions {
  readonly onProgress?: (progress: AbsorbProgress) => void;
  readonly signal?: AbortSignal;
  /** Folders or files that this ingest was limited to: what lies outside stays as it is. */
  readonly scope?: readonly string[];
  /** Characters of source a transaction takes in; some four million by default. */
  readonly batchCharacters?: number;
  /** Bytes of files from which storing has a thread of its own; a million by default. */
  readonly threadFrom?: number;
  /** Gives every chunk that is stored its vector, in the same transaction; without it they wait for `embedPending`. */
  readonly encoder?: EncoderName;
}

/** Progress of an ingest: files and bytes seen of those planned. */
export interface AbsorbProgress {
  readonly files: number;
  readonly total: number;
  readonly path: string;
}

/** Where a workspace keeps its state. */
export function stateFolder(workspace: string): string {
  return join(workspace, ".batos");
}

/**
 * Opens the memory of a workspace; creates it unless `readOnly`.
 * @param workspace absolute path of the workspace's root.
 * @throws {NotIngestedError} when `readOnly` and there is no index.
 * @throws {NewerFormatError} when a later version wrote the index.
 * @throws {DamagedIndexError} when the file cannot be read and `rebuild` was not asked for.
 */
export function openMemory(workspace: string, options: MemoryOptions = {}): Memory {
  const folder = stateFolder(workspace);
  const path = join(folder, "image.db");
  if (options.readOnly) {
    if (!existsSync(path)) {
      throw new NotIngestedError(
        `cannot open the index of "${workspace}": there is none; run "ingest" first`,
      );
    }
    return new Memory(new Store(path, true));
  }
  mkdirSync(folder, { recursive: true });
  const ignore = join(folder, ".gitignore");
  if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
  let store: Store;
  try {
    store = new Store(path);
  } catch (error) {
    if (!(error instanceof DamagedIndexError && options.rebuild)) throw error;
    // Kept, not deleted: objects and the trail may still be saved from it.
    const aside = `${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
    if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
    rmSync(`${path}-shm`, { force: true });
    renameSync(path, aside);
    return new Memory(new Store(path));
  }
  if (options.rebuild) store.clear();
  return new Memory(store);
}

/** See the module text. Close it, or open it with `using`. */
export class Memory implements Disposable {
  /** The store, for the symbol graph. */
  readonly store: Store;
  /** The vectors of its chunks, where an embedder has made some. */
  readonly vectors: VectorStore;
  /** The audit trail: what was asked and done, once `absorb` of it has read the files. */
  readonly trail: TrailIndex;
  #view: IndexView;
  #summaries: Summaries;
  #holders = 1;

  constructor(store: Store) {
    this.store = store;
    this.vectors = new VectorStore(store);
    this.trail = new TrailIndex(store);
    this.#view = new IndexView(store);
    this.#summaries = new Summaries(store);
  }

  /** What the walk may skip reading. */
  known(): Map<string, KnownFile> {
    return this.store.known();
  }

  /** Whether it holds no file. */
  isEmpty(): boolean {
    return this.store.get("SELECT 1 FROM file LIMIT 1") === undefined;
  }

  /** When the last complete ingest began, in milliseconds since the epoch; 0 when there was none. */
  lastIngest(): number {
    return Number(this.store.meta("last_ingest") ?? 0);
  }

  /**
   * Takes in a stream of the walk: stores what is new or changed in transactions of some megabytes, forgets what vanished,
   * renews import edges and summaries.
   * @throws {DOMException} AbortError when the signal fires; what was committed stays, the next run continues.
   * @throws {VectorModelMismatchError} when the index has vectors of another model than the encoder's.
   */
  async absorb(
    events: AsyncIterable<TreeEvent>,
    options: AbsorbOptions = {},
  ): Promise<AbsorbReport> {
    const started = Date.now();
    // Loaded here, so that a search does not wait for what only an ingest needs.
    const [
      { BatchWriter, WorkerBatchWriter },
      { openEncoder },
      { Summariser },
      { steersImports, updateImportEdges },
    ] = await Promise.all([
      import("./batch_writer.ts"),
      import("./embed/encoder.ts"),
      import("./summarise.ts"),
      import("./import_edges.ts"),
    ]);
    const summariser = new Summariser(this.store);
    const before = this.store.known();
    // A run that was killed leaves edges and folders to the next one.
    const wasUnfinished = this.store.meta("unfinished") === "1";
    const changedPaths = new Set<string>();
    const seen = new Set<string>();
    const problems: Problem[] = [];
    let skipped = 0;
    let total = 0;
    const touched: { path: string; mtime: number }[] = [];
    const limit = options.batchCharacters ?? BATCH_CHARACTERS;
    const { encoder } = options;
    let writer: FileWriter | undefined;
    let inThread = false;

    try {
      for await (const event of events) {
        options.signal?.throwIfAborted();
        switch (event.type) {
          case "plan":
            total = event.total;
            // A tree that is known for the most part brings little to store.
            inThread = event.bytes > (options.threadFrom ?? THREAD_FROM) &&
              before.size * 2 < event.total;
            break;
          case "file":
            seen.add(event.file.path);
            changedPaths.add(event.file.path);
            problems.push(...event.file.problems);
            writer ??= inThread
              ? new WorkerBatchWriter(this.store.path, limit, encoder)
              : new BatchWriter(
                this.store,
                limit,
                encoder === undefined ? undefined : await openEncoder(encoder),
              );
            await writer.put(event.file);
            break;
          case "unchanged":
            seen.add(event.path);
            if (event.touched !== undefined) {
              touched.push({ path: event.path, mtime: event.touched });
            }
            break;
          case "skipped":
            skipped++;
            continue;
          case "problem":
            problems.push(event.problem);
            // A file that could not be read this time keeps what is known of it.
            if (before.has(event.problem.path)) seen.add(event.problem.path);
            continue;
        }
        if (event.type !== "plan") {
          options.onProgress?.({
            files: seen.size,
            total,
            path: event.type === "file" ? event.file.path : event.path,
          });
        }
      }
      await writer?.finish();
    } catch (error) {
      await writer?.stop();
      throw explain(this.store.path, error);
    } finally {
      this.#view.invalidate();
    }
    const scope = options.scope ?? [];
    const within = (path: string) =>
      scope.length === 0 ||
      scope.some((prefix) => path === prefix || prefix === "" || path.startsWith(prefix + "/"));
    const vanished = [...before.keys()].filter((path) => !seen.has(path) && within(path));
    this.store.transaction(() => {
      for (const { path, mtime } of touched) this.store.touchFile(path, mtime);
      if (vanished.length) {
        this.store.beginBatch();
        for (const path of vanished) {
          this.store.dropFile(path);
          this.store.dropSummary(path);
        }
        summariser.dropFolders(vanished);
        this.store.endBatch();
      }
      if (wasUnfinished || vanished.length || changedPaths.size) {
        const all = wasUnfinished || vanished.length > 0 ||
          [...changedPaths].some((path) => !before.has(path) || steersImports(path));
        updateImportEdges(this.store, all ? undefined : changedPaths);
        summariser.folders(
          wasUnfinished ? this.store.known().keys() : [...changedPaths, ...vanished],
        );
        this.store.setMeta("unfinished", "0");
      }
      this.store.setMeta("last_ingest", String(started));
    });
    if (changedPaths.size || vanished.length) {
      this.store.segments.merge();
      this.store.giveBackRoom();
    }
    this.#view.invalidate();
    return {
      files: Number(this.store.get("SELECT count(*) AS n FROM file")!.n),
      chunks: Number(this.store.get("SELECT count(*) AS n FROM chunk")!.n),
      changed: changedPaths.size,
      removed: vanished.length,
      skipped,
      problems,
      ms: Date.now() - started,
    };
  }

  /**
   * Embeds every chunk that has no vector yet, in order of the paths, in batches that are committed one by one: an interrupted run is
   * continued by the next. Nobody is kept from writing while the model works.
   * @returns the number of chunks that got a vector
   * @throws {VectorModelMismatchError} when the index has vectors of another model; {EmbedderError} when the model gives no vectors;
   *   {DOMException} AbortError. What was committed stays.
   */
  async embedPending(embedder: Embedder, options?: EmbedPendingOptions): Promise<number> {
    try {
      return await embedPending(this.store, this.vectors, embedder, options);
    } finally {
      this.#view.invalidate();
    }
  }

  /** Drops all vectors: from now on the index has none. */
  forgetVectors(): void {
    this.store.transaction(() => this.vectors.clear());
    this.#view.invalidate();
  }

  /** Whether searches can use vectors. */
  vectorsState(): VectorsState {
    return this.store.snapshot(() => this.vectors.state());
  }

  /**
   * A question as `search` wants it; undefined where vectors say nothing: for a symbol, which is defined where it is defined, and as
   * long as not every chunk has a vector. The embedder is opened only where there is work for it.
   * @throws {VectorModelMismatchError} when the vectors of the index are of another model.
   */
  async embedQuestion(
    embedder: IndexEmbedder,
    question: string,
    signal?: AbortSignal,
  ): Promise<QuestionVector | undefined> {
    const stored = this.vectors.model();
    if (!stored) return undefined;
    if (stored.id !== embedder.id) throw mismatch(stored, `"${embedder.id}"`);
    if (analyseQuery(question).isSymbol) return undefined;
    const isComplete = this.store.snapshot(() => {
      this.#view.refresh();
      return this.#view.hasVectors();
    });
    if (!isComplete) return undefined;
    const opened = await embedder.open();
    requireSameModel(stored, opened.model);
    const values = await opened.embedQuery(question, {
      signal,
      rarity: (word) =>
        this.store.snapshot(() => {
          this.#view.refresh();
          return this.#view.rarity(word);
        }),
    });
    return { model: opened.model, values };
  }

  /**
   * The chunks that answer a query, best first. Never throws for what the query says; a query without words finds nothing.
   * @param ranking constants of the ranking, for benchmarks.
   * @throws {VectorModelMismatchError} when the question's vector is of another model than those of the index.
   */
  search(query: string, options: SearchOptions = {}, ranking: RankOptions = DEFAULTS): Hit[] {
    return this.store.snapshot(() => {
      this.#view.refresh();
      const limit = options.limit ?? DEFAULT_LIMIT;
      const analysed = analyseQuery(query);
      const allowed = allowedChunks(options, this.#view, this.store);
      // For one result a file, look further down the list.
      const similarity = options.vector &&
        this.#view.similarity(options.vector, NEAREST, allowed);
      const ranked = rank(
        analysed,
        this.#view,
        options.files ? limit * 8 : limit,
        ranking,
        allowed,
        similarity,
      );
      const seen = new Set<number>();
      const texts = new Map<number, string>();
      const hits: Hit[] = [];
      for (const { chunk, file, score } of ranked) {
        if (options.files && seen.has(file)) continue;
        seen.add(file);
        const row = this.#view.file(file);
        if (!row) continue;
        hits.push(this.#hit(row, chunk, score, texts));
        if (hits.length === limit) break;
      }
      return hits;
    });
  }

  /** Words of a query that are misspelt, as far as the index and a vocabulary can tell. */
  misspellings(query: string): Correction[] {
    return this.store.snapshot(() => {
      this.#view.refresh();
      return misspellings(query, {
        holding: (stem) => this.#view.holding(stem),
        names: () => this.store.definitionNames(),
        vocabulary: () => loadStatic().vocabulary(),
      });
    });
  }

  /** Words of a query that stand nowhere in the index. */
  absent(query: string): string[] {
    return this.store.snapshot(() => {
      this.#view.refresh();
      return absentWords(query, { holding: (stem) => this.#view.holding(stem) });
    });
  }

  #hit(file: FileRow, chunk: number, score: number, texts: Map<number, string>): Hit {
    let text = texts.get(file.id);
    if (text === undefined) texts.set(file.id, text = this.store.text(file.id));
    const row = this.store.chunk(chunk);
    if (!row) throw this.store.damaged(`chunk ${chunk} of "${file.path}" is not there`);
    return {
      oid: chunk,
      path: file.path,
      language: file.language,
      startLine: row.startLine,
      endLine: row.endLine,
      score,
      nodeType: row.nodeType,
      nodeName: row.nodeName,
      parentNodes: row.parentNodes,
      tokens: row.tokens,
      text: text.slice(row.start, row.end),
      hash: file.hash,
    };
  }

  /**
   * ContextualSummaries that fit a query, best first: level 1 of the descent.
   * @param options.path only below this folder.
   */
  summaries(query: string, options: { limit?: number; path?: string } = {}): Summary[] {
    return this.#summaries.search(query, options.limit ?? DEFAULT_LIMIT, options.path);
  }

  /** Summary of a file, a folder, or with "" of the workspace. */
  summary(path: string): Summary | undefined {
    return this.#summaries.get(path);
  }

  /** Summaries one level below a folder; "" is the workspace. */
  children(path: string): Summary[] {
    return this.#summaries.children(path);
  }

  /** So many summaries behind a path, in order of the paths; from the first where there is no such path. */
  summariesAfter(path: string | undefined, limit: number): Summary[] {
    return this.#summaries.after(path, limit);
  }

  /** All chunks of a file, in order. */
  chunks(path: string): Hit[] {
    return this.store.snapshot(() => {
      const file = this.store.file(path);
      if (!file) return [];
      const texts = new Map<number, string>();
      return this.store.chunksOf(file).map((row) => this.#hit(file, row.id, 0, texts));
    });
  }

  /** The definitions of a file, in order. */
  outline(path: string): OutlineEntry[] {
    return this.store.snapshot(() => {
      const file = this.store.file(path);
      return file ? this.#entries(file, this.store.definitionsOf(file.id)) : [];
    });
  }

  /** Definitions by exact name, over all files, in order of path. */
  definitions(name: string): OutlineEntry[] {
    return this.store.snapshot(() => {
      const byFile = new Map<number, DefinitionRow[]>();
      for (const row of this.store.definitionsNamed(name)) {
        byFile.set(row.file, [...byFile.get(row.file) ?? [], row]);
      }
      return [...byFile].flatMap(([id, rows]) => this.#entries(this.store.fileById(id)!, rows))
        .sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : a.startLine - b.startLine);
    });
  }

  #entries(file: FileRow, rows: readonly DefinitionRow[]): OutlineEntry[] {
    if (rows.length === 0) return [];
    const text = this.store.text(file.id);
    return rows.map((row) => ({
      path: file.path,
      name: row.name,
      kind: row.kind,
      container: row.container,
      startLine: row.startLine,
      endLine: row.endLine,
      exported: row.exported,
      signature: signatureOf(text, row),
      doc: docOf(text, row, file.language),
    }));
  }

  /** A file as it was ingested. */
  file(path: string): StoredFile | undefined {
    return this.store.snapshot(() => {
      const file = this.store.file(path);
      return file && {
        path: file.path,
        language: file.language,
        hash: file.hash,
        bytes: file.bytes,
        lines: file.lines,
        text: this.store.text(file.id),
      };
    });
  }

  /** Files that import a file, each with the line of its first import, in order of their paths. */
  importers(path: string): { path: string; line: number }[] {
    return this.store.snapshot(() => this.store.importLinesOf(path));
  }

  /** Paths of all files, in order. */
  paths(): string[] {
    return this.store.files().map((file) => file.path);
  }

  /** Counts, sizes and the fingerprint of the derived content, which is worked out from all of it: half a second for 100,000 chunks. */
  status(): Status {
    return this.store.snapshot(() => ({
      ...this.counts(),
      fingerprint: fingerprintOf(this.store, this.vectors),
    }));
  }

  /** Counts and sizes alone. */
  counts(): Omit<Status, "fingerprint"> {
    return this.store.snapshot(() => {
      const one = (sql: string) => Number(this.store.get(sql)!.n);
      const languages: Record<string, number> = {};
      for (
        const row of this.store.all(
          "SELECT language, count(*) AS n FROM file GROUP BY language ORDER BY n DESC, language",
        )
      ) languages[row.language as string] = Number(row.n);
      return {
        files: one("SELECT count(*) AS n FROM file"),
        chunks: one("SELECT count(*) AS n FROM chunk"),
        edges: one("SELECT count(*) AS n FROM import_edge"),
        vectors: this.vectors.count(),
        summaries: one("SELECT count(*) AS n FROM summary"),
        indexBytes: this.store.bytes(),
        sourceBytes: one("SELECT coalesce(sum(bytes), 0) AS n FROM file"),
        embedder: this.vectors.model()?.id ?? null,
        vectorsState: this.vectors.state(),
        languages,
      };
    });
  }

  /** Who refers to what in this index. The compiler behind it is loaded when it is first asked. */
  async graph(): Promise<SymbolGraph> {
    const { SymbolGraph } = await import("./graph.ts");
    return new SymbolGraph(this.store);
  }

  /** The same memory for one holder more: it closes with the last of them. */
  share(): this {
    this.#holders++;
    return this;
  }

  close(): void {
    if (--this.#holders === 0) this.store.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
