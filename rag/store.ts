/**
 * The derived index in SQLite: the only SQL of memory besides `graph_store.ts`, `trail_index.ts` and `vectors.ts`.
 *
 * Owns the tables, their versions, and every statement on them. All of it is derived from the workspace: deleting these
 * tables loses nothing that `ingest` does not make again. Ground state (objects, trail) will live in the same file under
 * tables of its own, so a rebuild drops these tables and never the file, unless the file itself is damaged: then it is moved aside.
 *
 * Tables
 * - `meta(key, value)`: version of what cut and indexed the text; start of the last complete ingest.
 * - `file`: one row a file: hash and stat for the incremental walk, the text itself (deflated), imports, and its chunks as
 *   the id range `[first_chunk, first_chunk + chunk_count)`. Citations and lines are cut from this text, so what is
 *   shown is always what was indexed.
 * - `chunk`: the metadata of a slice. `definition(file, data)`: what a file defines, in order, see `definition_pack.ts`;
 *   `defined_name(name, file)`: which files define a name, by its `nameKey`.
 * - `segment(id, chunks)` and `posting(segment, term, crc, data)`: the text index, see `postings.ts`; a row of `posting` holds successive
 *   terms from `term` on, see `posting_block.ts`.
 * - `vector_model` and `vector`: vectors of chunks, see `vectors.ts`.
 * - `fractal` and others: the audit trail, see `trail_index.ts`.
 * - `summary(path, level, text, tokens)` and `summary_text` (FTS5 over code-aware terms): the ContextualSummaries.
 *
 * What must hold: every public method that writes is called inside `transaction()`; a file's row, chunks, definitions and postings
 * change in one transaction; chunk ids only rise.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { Buffer, isAscii } from "node:buffer";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Definition, Import, SourceFile } from "../ingest/mod.ts";
import { damaged, type DamagedIndexError, explain, explained, unpacked } from "./damaged_index.ts";
import { createGraphTables, dropGraphTables } from "./graph_store.ts";
import { nameKey, packDefinitions, unpackDefinitions } from "./definition_pack.ts";
import { TextIndexBuilder } from "./postings.ts";
import {
  type ChunkRow,
  chunkRow,
  type DefinitionRow,
  FILE_COLUMNS,
  type FileRow,
  fileRow,
  list,
  type NameRow,
  packDependencies,
  packImports,
  packNames,
  type Row,
  specifiersOf,
  unpackDependencies,
  unpackImports,
  unpackNames,
} from "./rows.ts";
import { Segments } from "./segments.ts";
import { dropTrailTables } from "./trail_index.ts";
import type { KnownFile } from "./types.ts";
import { dropVectors, VECTOR_SCHEMA } from "./vectors.ts";

/** Format of the whole file. A higher one was written by a later program and is not touched. */
export const FORMAT = 1;
/** Rises whenever chunking, terms, summaries or the form of a table change: an index made by another version is made again. */
export const CONTENT_VERSION = "18";
/** `PRAGMA application_id`: "bato". */
const APPLICATION_ID = 0x6261746f;

/** Codes of SQLite that keep it from giving back room without anything being wrong: busy, locked, full. */
const LEAVES_AS_IS: ReadonlySet<number> = new Set([5, 6, 13]);

/** Share of the pages that may be free: so many are used up by the next changes, or left by a merge of segments. */
const MOST_FREE = 0.1;

/** How long a statement waits for another process's commit. Commits take well under a second. */
const BUSY_MS = 10_000;

const META_SCHEMA =
  "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";
const SCHEMA = `
  ${META_SCHEMA}
  CREATE TABLE IF NOT EXISTS file(
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, language TEXT NOT NULL, encoding TEXT NOT NULL, bytes INTEGER NOT NULL,
    mtime REAL NOT NULL, hash TEXT NOT NULL, lines INTEGER NOT NULL, first_chunk INTEGER NOT NULL,
    chunk_count INTEGER NOT NULL, definition_count INTEGER NOT NULL, has_reexports INTEGER NOT NULL, imports BLOB NOT NULL, text BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS chunk(
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL, node_type TEXT NOT NULL, node_name TEXT NOT NULL, parents TEXT NOT NULL,
    dependencies BLOB NOT NULL, names TEXT NOT NULL, tokens INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS definition(file INTEGER PRIMARY KEY, data BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS defined_name(name INTEGER NOT NULL, file INTEGER NOT NULL, PRIMARY KEY(name, file)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS segment(id INTEGER PRIMARY KEY, chunks BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS posting(
    id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, term TEXT NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS posting_term ON posting(segment, term);
  CREATE TABLE IF NOT EXISTS summary(
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, level TEXT NOT NULL, text TEXT NOT NULL, tokens INTEGER NOT NULL);
  CREATE VIRTUAL TABLE IF NOT EXISTS summary_text USING fts5(terms, content='', contentless_delete=1, tokenize='porter ascii');
  ${VECTOR_SCHEMA}
`;
const DERIVED = [
  "meta",
  "file",
  "chunk",
  "definition",
  "defined_name",
  "segment",
  "posting",
  "summary",
  "summary_text",
  "vector_model",
  "vector",
];

/** The index was written by a later version of the program. */
export class NewerFormatError extends Error {
  override name = "NewerFormatError";
}

/** There is no index yet. */
export class NotIngestedError extends Error {
  override name = "NotIngestedError";
}

/**
 * Of deflate: on files of some kilobytes it takes an eighth less than zstd at level 1 and is read a third faster; brotli takes 5 % less
 * again, and twice the time both ways. Beyond level 6 nothing is gained.
 */
const COMPRESSION = { level: 6 };

/** SQLite over one file. See the module text. */
export class Store {
  readonly database: DatabaseSync;
  readonly path: string;
  readonly readOnly: boolean;
  /** The text index. */
  readonly segments: Segments = new Segments(this);
  #statements = new Map<string, StatementSync>();
  #builder = new TextIndexBuilder();
  #nextChunk = 0;
  #dead = new Set<number>();

  /** Whether the connection and its transaction belong to somebody else. */
  readonly #isGuest: boolean;

  /**
   * Opens or creates the index file at `path`.
   * @param within a connection with an open transaction of somebody else's: everything here then happens in that, begins and ends
   * nothing, and the connection stays open
   * @throws {NewerFormatError} when a later program wrote it; {DamagedIndexError} when SQLite cannot read it.
   */
  constructor(path: string, readOnly = false, within?: DatabaseSync) {
    this.path = path;
    this.readOnly = readOnly;
    this.#isGuest = within !== undefined;
    this.database = within ?? new DatabaseSync(path, { readOnly, timeout: BUSY_MS });
    try {
      const format = this.#pragma("user_version");
      if (format > FORMAT) {
        throw new NewerFormatError(
          `cannot open the index "${path}": it has format ${format}, this version reads up to ${FORMAT}; update batos, or move .batos away and ingest again`,
        );
      }
      if (!readOnly && !this.#isGuest) this.#prepare();
      // Reads the schema: a file that is no database shows here at the latest.
      const content = this.meta("content");
      if (content !== CONTENT_VERSION) {
        throw new NotIngestedError(
          `cannot search "${path}": ${
            content === undefined ? "it holds no index" : "another version made its index"
          }; run "ingest" first`,
        );
      }
    } catch (error) {
      this.close();
      throw error instanceof NewerFormatError || error instanceof NotIngestedError
        ? error
        : explain(this.path, error);
    }
  }

  #prepare(): void {
    // Two dozen tables take a page each at least: in a repository of a hundred files, larger pages cost a fifth of the index, and make no
    // large one smaller or faster. Pages that are free can be given back one by one: to write the file anew, as VACUUM does, SQLite
    // attaches a database, which Deno allows to programs with every permission only. A file that has pages already keeps their ways, and
    // is not told, since that would be a write.
    if (this.#pragma("page_count") === 0) {
      this.database.exec("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL");
    }
    this.database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    // A new process only reads the schema; what is there already is not written again.
    if (this.#pragma("user_version") === FORMAT && this.meta("content") === CONTENT_VERSION) return;
    this.transaction(() => {
      // What another version made goes before anything is asked of it: its tables may have other columns under the same names.
      this.database.exec(META_SCHEMA);
      if (this.meta("content") !== CONTENT_VERSION) {
        this.#dropDerived();
        this.setMeta("content", CONTENT_VERSION);
      }
      this.database.exec(
        `PRAGMA user_version = ${FORMAT}; PRAGMA application_id = ${APPLICATION_ID};`,
      );
    });
  }

  #pragma(name: string): number {
    return Number(Object.values(this.get(`PRAGMA ${name}`) ?? { n: 0 })[0]);
  }

  /** Size of the database in bytes, what is still in the write-ahead log included. */
  bytes(): number {
    return this.#pragma("page_count") * this.#pragma("page_size");
  }

  /**
   * Gives free pages back to the disk, where they are many. Not done, and no error, where somebody else is reading or writing just now,
   * or the disk is full: it is only about size.
   */
  giveBackRoom(): void {
    if (this.#isGuest) return;
    const free = this.#pragma("freelist_count") / Math.max(1, this.#pragma("page_count"));
    if (free < MOST_FREE) return;
    try {
      this.database.exec("PRAGMA busy_timeout = 0");
      // Prepared, since only then an error tells its code.
      this.database.prepare("PRAGMA incremental_vacuum").all();
      this.database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all();
    } catch (error) {
      if (!LEAVES_AS_IS.has((error as { errcode?: number }).errcode ?? 0)) {
        throw explain(this.path, error);
      }
    } finally {
      this.database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
  }

  /** Drops everything derived and makes it again, empty. */
  clear(): void {
    this.transaction(() => {
      this.#dropDerived();
      this.setMeta("content", CONTENT_VERSION);
    });
  }

  #dropDerived(): void {
    this.#statements.clear();
    dropGraphTables(this.database);
    dropTrailTables(this);
    for (const table of DERIVED) this.database.exec(`DROP TABLE IF EXISTS ${table}`);
    this.database.exec(SCHEMA);
    createGraphTables(this.database);
  }

  close(): void {
    this.#statements.clear();
    if (this.#isGuest) return;
    if (!this.readOnly) this.#leaveWal();
    this.database.close();
  }

  /** To open a file in WAL mode is to make files beside it, which a reader of a read-only folder cannot. */
  #leaveWal(): void {
    try {
      this.database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE;");
    } catch {
      // Somebody else has it open: the last writer to close does this.
    }
  }

  // --- statements -------------------------------------------------------------------------------------------------

  /** A prepared statement, kept for the next time. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, statement = this.database.prepare(sql));
    return statement;
  }

  /** First row, or undefined. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return explained(this.path, () => this.statement(sql).get(...values) as Row | undefined);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return explained(this.path, () => this.statement(sql).all(...values) as Row[]);
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(
      explained(this.path, () => this.statement(sql).run(...values)).lastInsertRowid,
    );
  }

  /** What to throw when the index does not hold what it should. */
  damaged(found: string): DamagedIndexError {
    return damaged(this.path, found);
  }

  /** Runs `work` in one write transaction; an error leaves nothing behind. */
  transaction<T>(work: () => T): T {
    this.begin();
    try {
      const result = work();
      this.commit();
      return result;
    } catch (error) {
      this.rollback();
      throw explain(this.path, error);
    }
  }

  /** Begins a write transaction that goes over several calls; `commit` or `rollback` ends it. */
  begin(): void {
    if (!this.#isGuest) this.database.exec("BEGIN IMMEDIATE");
  }

  commit(): void {
    if (!this.#isGuest) this.database.exec("COMMIT");
  }

  /** Leaves nothing of the transaction behind, in memory neither. Inert where there is none. */
  rollback(): void {
    if (this.database.isTransaction && !this.#isGuest) this.database.exec("ROLLBACK");
    this.#builder = new TextIndexBuilder();
    this.#dead.clear();
  }

  /** Runs `work` over one snapshot of the file, whatever another process commits meanwhile. */
  snapshot<T>(work: () => T): T {
    if (this.database.isTransaction) return work();
    this.database.exec("BEGIN");
    try {
      return work();
    } finally {
      // Nothing was written; and the end of a snapshot that met damage must not hide what was said of it.
      this.database.exec("ROLLBACK");
    }
  }

  /** Changes whenever another connection commits. */
  dataVersion(): number {
    return this.#pragma("data_version");
  }

  meta(key: string): string | undefined {
    if (!this.get("SELECT 1 AS x FROM sqlite_schema WHERE name = 'meta'")) return undefined;
    return this.get("SELECT value FROM meta WHERE key = ?", key)?.value as string | undefined;
  }

  setMeta(key: string, value: string): void {
    this.run("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", key, value);
  }

  // --- files ------------------------------------------------------------------------------------------------------

  /** Starts a batch of `putFile` and `dropFile`; `endBatch` writes its segment. Both inside one transaction. */
  beginBatch(): void {
    this.#nextChunk = Number(this.get("SELECT coalesce(max(id), 0) + 1 AS n FROM chunk")!.n);
    // Ids of dropped chunks are not used again while a segment may still name them.
    const last = Number(this.meta("next_chunk") ?? 1);
    if (last > this.#nextChunk) this.#nextChunk = last;
  }

  /** Stores a file in place of what was stored under its path. */
  putFile(file: SourceFile): number {
    // A file keeps its id while it changes: edges of other files point to it.
    const known = this.get("SELECT id FROM file WHERE path = ?", file.path)?.id ?? null;
    this.dropFile(file.path);
    const firstChunk = this.#nextChunk;
    const last = file.chunks[file.chunks.length - 1];
    const id = this.run(
      "INSERT INTO file(id, path, language, encoding, bytes, mtime, hash, lines, first_chunk, chunk_count, definition_count, has_reexports, imports, text) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      known,
      file.path,
      file.language,
      file.encoding,
      file.bytes,
      file.mtime,
      file.hash,
      last?.endLine ?? 0,
      firstChunk,
      file.chunks.length,
      file.definitions.length,
      file.imports.some(({ kind }) => kind === "reexport") ? 1 : 0,
      packImports(file.imports),
      // In line: the asynchronous one holds on to a context of its own for each file, a hundred megabytes in all.
      deflateRawSync(Buffer.from(file.text, "utf8"), COMPRESSION),
    );
    const names = packNames(file);
    const places = new Map(specifiersOf(file.imports).map((specifier, at) => [specifier, at]));
    const insertChunk = this.statement(
      'INSERT INTO chunk(id, file, start, "end", start_line, end_line, node_type, node_name, parents, dependencies, names, tokens) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)',
    );
    for (const chunk of file.chunks) {
      const oid = this.#nextChunk++;
      insertChunk.run(
        oid,
        id,
        chunk.start,
        chunk.end,
        chunk.startLine,
        chunk.endLine,
        chunk.nodeType,
        chunk.nodeName,
        list(chunk.parentNodes),
        packDependencies(chunk.dependencies, places),
        names[oid - firstChunk]!,
        Math.ceil(chunk.size),
      );
      this.#builder.add(oid, id, file.text, chunk.start, chunk.end);
    }
    if (file.definitions.length > 0) {
      this.run(
        "INSERT INTO definition(file, data) VALUES (?,?)",
        id,
        packDefinitions(file.definitions),
      );
      const insertName = this.statement("INSERT INTO defined_name(name, file) VALUES (?,?)");
      for (const key of nameKeys(file.definitions)) insertName.run(key, id);
    }
    return id;
  }

  /** Forgets a file: row, chunks, definitions; its postings die. Returns whether there was one. */
  dropFile(path: string): boolean {
    const row = this.get("SELECT id, first_chunk, chunk_count FROM file WHERE path = ?", path);
    if (!row) return false;
    const first = Number(row.first_chunk);
    const count = Number(row.chunk_count);
    for (let id = first; id < first + count; id++) this.#dead.add(id);
    dropVectors(this, first, count);
    this.run("DELETE FROM chunk WHERE id >= ? AND id < ?", first, first + count);
    const removeName = this.statement("DELETE FROM defined_name WHERE name = ? AND file = ?");
    for (const key of nameKeys(this.definitionsOf(Number(row.id)))) removeName.run(key, row.id!);
    this.run("DELETE FROM definition WHERE file = ?", row.id!);
    this.run("DELETE FROM file WHERE id = ?", row.id!);
    return true;
  }

  touchFile(path: string, mtime: number): void {
    this.run("UPDATE file SET mtime = ? WHERE path = ?", mtime, path);
  }

  /** Writes the segment of this batch and takes the dead out of the others' chunk tables. */
  endBatch(): void {
    this.segments.forget(this.#dead);
    this.#dead.clear();
    if (!this.#builder.isEmpty) this.segments.add(this.#builder.drain());
    this.setMeta("next_chunk", String(this.#nextChunk));
  }

  known(): Map<string, KnownFile> {
    const known = new Map<string, KnownFile>();
    for (const row of this.all("SELECT path, hash, bytes, mtime FROM file")) {
      known.set(row.path as string, {
        hash: row.hash as string,
        bytes: Number(row.bytes),
        mtime: Number(row.mtime),
      });
    }
    return known;
  }

  files(): FileRow[] {
    return this.all(`SELECT ${FILE_COLUMNS} FROM file ORDER BY path`).map(fileRow);
  }

  file(path: string): FileRow | undefined {
    const row = this.get(`SELECT ${FILE_COLUMNS} FROM file WHERE path = ?`, path);
    return row && fileRow(row);
  }

  fileById(id: number): FileRow | undefined {
    const row = this.get(`SELECT ${FILE_COLUMNS} FROM file WHERE id = ?`, id);
    return row && fileRow(row);
  }

  text(file: number): string {
    const row = this.get("SELECT text FROM file WHERE id = ?", file);
    if (!row) return "";
    const bytes = unpacked(this.path, () => inflateRawSync(row.text as Uint8Array));
    // Most source is ASCII, and that needs no decoding: a third of the time for large files.
    return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
  }

  imports(file: number): Import[] {
    const row = this.get("SELECT imports FROM file WHERE id = ?", file);
    return unpacked(this.path, () => unpackImports(row?.imports));
  }

  chunk(id: number): ChunkRow | undefined {
    const row = this.get("SELECT * FROM chunk WHERE id = ?", id);
    return row && chunkRow(row);
  }

  /** Modules imported in its file that a chunk uses. */
  dependenciesOf(chunk: ChunkRow): readonly string[] {
    return unpackDependencies(chunk.dependencies, () => this.imports(chunk.file));
  }

  chunksOf(file: FileRow): ChunkRow[] {
    return this.chunksFrom(file.firstChunk, file.chunkCount);
  }

  /** So many successive chunks. */
  chunksFrom(first: number, count: number): ChunkRow[] {
    return this.all(
      "SELECT * FROM chunk WHERE id >= ? AND id < ? ORDER BY id",
      first,
      first + count,
    ).map(chunkRow);
  }

  chunkIdsOfKind(nodeType: string): number[] {
    return this.all("SELECT id FROM chunk WHERE node_type = ?", nodeType).map((row) =>
      Number(row.id)
    );
  }

  definitionsOf(file: number): DefinitionRow[] {
    const data = this.get("SELECT data FROM definition WHERE file = ?", file)?.data;
    return data === undefined ? [] : rowsOf(file, data as Uint8Array);
  }

  /** What a chunk defines, as ranking wants it. */
  namesOf(chunk: number): NameRow[] {
    const packed = this.get("SELECT names FROM chunk WHERE id = ?", chunk)?.names;
    return typeof packed === "string" ? unpackNames(packed) : [];
  }

  definitionsNamed(name: string): DefinitionRow[] {
    return this.all(
      "SELECT d.file, d.data FROM defined_name n JOIN definition d ON d.file = n.file WHERE n.name = ? ORDER BY n.file",
      nameKey(name),
    ).flatMap((row) =>
      rowsOf(Number(row.file), row.data as Uint8Array).filter((one) => one.name === name)
    );
  }

  /** All names that files define, each once. */
  definitionNames(): string[] {
    const names = new Set<string>();
    for (const row of this.all("SELECT data FROM definition")) {
      for (const { name } of unpackDefinitions(row.data as Uint8Array)) names.add(name);
    }
    return [...names];
  }

  /** One more than the highest id that a chunk ever had. */
  chunkIdLimit(): number {
    return Number(this.meta("next_chunk") ?? 0);
  }

  /** Files that import a file, each with the line of its first import, in order of their paths. */
  importLinesOf(path: string): { path: string; line: number }[] {
    return this.all(
      `SELECT f.path AS path, min(e.line) AS line FROM import_edge e
         JOIN file t ON t.id = e.to_id JOIN file f ON f.id = e.from_id
       WHERE t.path = ? GROUP BY f.path ORDER BY f.path`,
      path,
    ).map((row) => ({ path: String(row.path), line: Number(row.line) }));
  }

  /** Ids of the files that import a file. An import of a whole package (several files) says nothing about one of them. */
  importersOf(file: number): number[] {
    return this.all(
      `SELECT DISTINCT from_id FROM import_edge e WHERE to_id = ? AND NOT EXISTS (
         SELECT 1 FROM import_edge o WHERE o.from_id = e.from_id AND o.ordinal = e.ordinal AND o.to_id <> e.to_id)
       ORDER BY from_id`,
      file,
    ).map((row) => Number(row.from_id));
  }

  // --- summaries --------------------------------------------------------------------------------------------------

  putSummary(path: string, level: string, text: string, tokens: number, terms: string): void {
    this.dropSummary(path);
    const id = this.run(
      "INSERT INTO summary(path, level, text, tokens) VALUES (?,?,?,?)",
      path,
      level,
      text,
      tokens,
    );
    this.run("INSERT INTO summary_text(rowid, terms) VALUES (?, ?)", id, terms);
  }

  dropSummary(path: string): void {
    const row = this.get("SELECT id FROM summary WHERE path = ?", path);
    if (!row) return;
    this.run("DELETE FROM summary_text WHERE rowid = ?", row.id!);
    this.run("DELETE FROM summary WHERE id = ?", row.id!);
  }
}

function rowsOf(file: number, data: Uint8Array): DefinitionRow[] {
  return unpackDefinitions(data).map((definition) => ({ ...definition, file }));
}

function nameKeys(definitions: readonly Definition[]): Set<number> {
  return new Set(definitions.map(({ name }) => nameKey(name)));
}
