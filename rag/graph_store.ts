/**
 * The tables of the symbol graph, and the format of what they hold.
 *
 * Owns all SQL of the graph. Everything here is derived: dropping the rows loses nothing. Files are known by the id of
 * their row in `file`. That id may change with the file: import edges are made anew whenever files changed, references are
 * valid only under the hash that they were found with.
 *
 * - `import_edge`: one row for each file that an import means. `ordinal` is the place of the import in the file's list.
 * - `graph_file`: the references that leave a file, as the compiler found them when its hash began with `hash`.
 *   `edges` is a run of varints, grouped by target file and target:
 *   `file, targets × (start − previous start, lines × (16 · (line − previous line) + kind))`, each list led by its length.
 *   `links` is a run of varints, five a link: `start − previous start, line, kind, file, target start`.
 * - `graph_reach`: which files have edges or links into which, so that the references of one definition are read from
 *   few rows.
 * - `graph_state`: `config`, a hash of the version of the graph and of the files that steered module resolution when it was built.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { explained } from "./damaged_index.ts";
import { ByteReader, ByteWriter } from "./varint.ts";

/** Makes the tables where they are missing. */
export function createGraphTables(db: DatabaseSync): void {
  db.exec(`
    CREATE TABLE IF NOT EXISTS import_edge (
      from_id INTEGER NOT NULL, ordinal INTEGER NOT NULL, to_id INTEGER NOT NULL,
      line INTEGER NOT NULL, kind TEXT NOT NULL,
      PRIMARY KEY (from_id, ordinal, to_id)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS import_edge_to ON import_edge (to_id, from_id);
    CREATE TABLE IF NOT EXISTS graph_file (
      file_id INTEGER PRIMARY KEY, hash TEXT NOT NULL, edges BLOB NOT NULL, links BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS graph_reach (
      to_id INTEGER NOT NULL, from_id INTEGER NOT NULL, PRIMARY KEY (to_id, from_id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS graph_state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  `);
}

/** Drops the tables. */
export function dropGraphTables(db: DatabaseSync): void {
  for (const table of ["import_edge", "graph_file", "graph_reach", "graph_state"]) {
    db.exec(`DROP TABLE IF EXISTS ${table}`);
  }
}

export interface ImportEdge {
  readonly from: number;
  readonly ordinal: number;
  readonly to: number;
  readonly line: number;
  readonly kind: string;
}

/** A reference: some line uses the name that stands at `start` of the file `to`. `kind` indexes `REFERENCE_KINDS`, or is `LITERAL_KIND`. */
export interface ReferenceEdge {
  readonly line: number;
  readonly kind: number;
  readonly to: number;
  readonly start: number;
}

/** A tie between two declarations; `kind` indexes `LINK_KINDS`. */
export interface DeclarationLink {
  readonly from: number;
  readonly line: number;
  readonly kind: number;
  readonly to: number;
  readonly start: number;
}

/** What the compiler found in one file. */
export interface StoredReferences {
  readonly id: number;
  readonly hash: string;
  readonly edges: readonly ReferenceEdge[];
  readonly links: readonly DeclarationLink[];
}

/** A statement whose errors say what to do about a damaged file. */
interface Statement {
  get(...values: SQLInputValue[]): ReturnType<StatementSync["get"]>;
  all(...values: SQLInputValue[]): ReturnType<StatementSync["all"]>;
  run(...values: SQLInputValue[]): void;
}

// Room for the kinds of references in one number with a line.
const KINDS = 16;

// Enough of a SHA-256 to tell the versions of one file apart.
const HASH_CHARACTERS = 16;

/** Reads and writes the graph tables of one database. */
export class GraphStore {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, Statement>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  #prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      const path = this.#db.location() ?? "";
      const prepared = explained(path, () => this.#db.prepare(sql));
      statement = {
        get: (...values) => explained(path, () => prepared.get(...values)),
        all: (...values) => explained(path, () => prepared.all(...values)),
        run: (...values) => void explained(path, () => prepared.run(...values)),
      };
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs `work` as one unit, inside the transaction that is open or in its own. */
  transaction<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  // ---- imports -----------------------------------------------------------------------------------------------------

  replaceImports(from: number, edges: readonly ImportEdge[]): void {
    this.#prepare("DELETE FROM import_edge WHERE from_id = ?").run(from);
    const insert = this.#prepare(
      "INSERT OR IGNORE INTO import_edge (from_id, ordinal, to_id, line, kind) VALUES (?, ?, ?, ?, ?)",
    );
    for (const edge of edges) insert.run(edge.from, edge.ordinal, edge.to, edge.line, edge.kind);
  }

  importsFrom(id: number): ImportEdge[] {
    return this.#prepare(`${IMPORT_COLUMNS} WHERE from_id = ? ORDER BY ordinal, to_id`).all(
      id,
    ) as unknown as ImportEdge[];
  }

  importsTo(id: number): ImportEdge[] {
    return this.#prepare(`${IMPORT_COLUMNS} WHERE to_id = ? ORDER BY from_id, ordinal`).all(
      id,
    ) as unknown as ImportEdge[];
  }

  allImports(): ImportEdge[] {
    return this.#prepare(`${IMPORT_COLUMNS} ORDER BY from_id, ordinal, to_id`)
      .all() as unknown as ImportEdge[];
  }

  // ---- references --------------------------------------------------------------------------------------------------

  replaceReferences(references: StoredReferences): void {
    const { id } = references;
    this.#prepare(
      "INSERT OR REPLACE INTO graph_file (file_id, hash, edges, links) VALUES (?, ?, ?, ?)",
    )
      .run(
        id,
        references.hash.slice(0, HASH_CHARACTERS),
        encodeEdges(references.edges),
        encodeLinks(references.links),
      );
  }

  dropReferences(id: number): void {
    this.#prepare("DELETE FROM graph_file WHERE file_id = ?").run(id);
  }

  /** Makes `graph_reach` anew from the reach of every file. */
  replaceReach(reach: ReadonlyMap<number, ReadonlySet<number>>): void {
    this.#db.exec("DELETE FROM graph_reach");
    const insert = this.#prepare("INSERT INTO graph_reach (to_id, from_id) VALUES (?, ?)");
    for (const [to, froms] of reach) for (const from of froms) insert.run(to, from);
  }

  /** File ids with the beginnings of the hashes that their references were found under. */
  referenceHashes(): Map<number, string> {
    const rows = this.#prepare("SELECT file_id, hash FROM graph_file").all();
    return new Map(rows.map((row) => [row.file_id as number, row.hash as string]));
  }

  /** Whether references found under `stored` are those of a file whose hash is `hash`. */
  static sameHash(stored: string | undefined, hash: string): boolean {
    return stored !== undefined && stored === hash.slice(0, HASH_CHARACTERS);
  }

  references(id: number): StoredReferences | undefined {
    const row = this.#prepare(
      "SELECT file_id, hash, edges, links FROM graph_file WHERE file_id = ?",
    ).get(id);
    return row && stored(row);
  }

  allReferences(): StoredReferences[] {
    return this.#prepare("SELECT file_id, hash, edges, links FROM graph_file ORDER BY file_id")
      .all().map(stored);
  }

  /** Files with edges or links into the file `id`. */
  reaching(id: number): number[] {
    return this.#prepare("SELECT from_id FROM graph_reach WHERE to_id = ? ORDER BY from_id").all(id)
      .map((row) => row.from_id as number);
  }

  state(key: string): string | undefined {
    return this.#prepare("SELECT value FROM graph_state WHERE key = ?").get(key)?.value as
      | string
      | undefined;
  }

  setState(key: string, value: string): void {
    this.#prepare("INSERT OR REPLACE INTO graph_state (key, value) VALUES (?, ?)").run(key, value);
  }
}

const IMPORT_COLUMNS =
  'SELECT from_id AS "from", ordinal, to_id AS "to", line, kind FROM import_edge';

// Offsets are below this, so that a file id and an offset make one exact number.
const OFFSETS = 2 ** 32;

/** The edges and links of one file, by what they lead to. */
export class EdgeIndex {
  readonly #edges: readonly ReferenceEdge[];
  readonly #links: readonly DeclarationLink[];
  #byTarget: Map<number, ReferenceEdge[]> | undefined;

  constructor(edges: readonly ReferenceEdge[], links: readonly DeclarationLink[]) {
    this.#edges = edges;
    this.#links = links;
  }

  edgesTo({ file, start }: { file: number; start: number }): readonly ReferenceEdge[] {
    if (!this.#byTarget) {
      this.#byTarget = new Map();
      for (const edge of this.#edges) {
        const key = edge.to * OFFSETS + edge.start;
        const list = this.#byTarget.get(key);
        if (list) list.push(edge);
        else this.#byTarget.set(key, [edge]);
      }
    }
    return this.#byTarget.get(file * OFFSETS + start) ?? [];
  }

  within(startLine: number, endLine: number): ReferenceEdge[] {
    return this.#edges.filter((edge) => edge.line >= startLine && edge.line <= endLine);
  }

  linksFrom(start: number, kind: number): DeclarationLink[] {
    return this.#links.filter((link) => link.from === start && link.kind === kind);
  }

  linksTo({ file, start }: { file: number; start: number }, kind: number): DeclarationLink[] {
    return this.#links.filter((link) =>
      link.start === start && link.to === file && link.kind === kind
    );
  }
}

function stored(row: Record<string, unknown>): StoredReferences {
  return {
    id: row.file_id as number,
    hash: row.hash as string,
    edges: decodeEdges(row.edges as Uint8Array),
    links: decodeLinks(row.links as Uint8Array),
  };
}

// ---- format --------------------------------------------------------------------------------------------------------

/** Packs edges; their order is lost, nothing else. */
export function encodeEdges(edges: readonly ReferenceEdge[]): Uint8Array {
  const sorted = [...edges].sort((a, b) => a.to - b.to || a.start - b.start || a.line - b.line);
  const out = new ByteWriter();
  for (let i = 0; i < sorted.length;) {
    const { to } = sorted[i]!;
    const fileEnd = endOfRun(sorted, i, (edge) => edge.to === to);
    let targets = 0;
    for (let j = i; j < fileEnd; j++) {
      if (j === i || sorted[j]!.start !== sorted[j - 1]!.start) targets++;
    }
    out.write(to);
    out.write(targets);
    let previousStart = 0;
    while (i < fileEnd) {
      const { start } = sorted[i]!;
      const end = endOfRun(sorted, i, (edge) => edge.to === to && edge.start === start);
      out.write(start - previousStart);
      out.write(end - i);
      previousStart = start;
      let previousLine = 0;
      for (; i < end; i++) {
        const { line, kind } = sorted[i]!;
        out.write((line - previousLine) * KINDS + kind);
        previousLine = line;
      }
    }
  }
  return out.take();
}

export function decodeEdges(bytes: Uint8Array): ReferenceEdge[] {
  const edges: ReferenceEdge[] = [];
  const input = new ByteReader(bytes);
  while (!input.done) {
    const to = input.read();
    let start = 0;
    for (let targets = input.read(); targets > 0; targets--) {
      start += input.read();
      let line = 0;
      for (let lines = input.read(); lines > 0; lines--) {
        const packed = input.read();
        line += Math.floor(packed / KINDS);
        edges.push({ line, kind: packed % KINDS, to, start });
      }
    }
  }
  return edges;
}

/** Packs links; their order is lost, nothing else. */
export function encodeLinks(links: readonly DeclarationLink[]): Uint8Array {
  const out = new ByteWriter();
  let previous = 0;
  for (
    const link of [...links].sort((a, b) =>
      a.from - b.from || a.kind - b.kind || a.to - b.to || a.start - b.start
    )
  ) {
    out.write(link.from - previous);
    previous = link.from;
    out.write(link.line);
    out.write(link.kind);
    out.write(link.to);
    out.write(link.start);
  }
  return out.take();
}

export function decodeLinks(bytes: Uint8Array): DeclarationLink[] {
  const links: DeclarationLink[] = [];
  const input = new ByteReader(bytes);
  let from = 0;
  while (!input.done) {
    from += input.read();
    links.push({
      from,
      line: input.read(),
      kind: input.read(),
      to: input.read(),
      start: input.read(),
    });
  }
  return links;
}

function endOfRun<T>(items: readonly T[], from: number, same: (item: T) => boolean): number {
  let end = from + 1;
  while (end < items.length && same(items[end]!)) end++;
  return end;
}
