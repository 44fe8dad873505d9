/**
 * The text index in SQLite: segments and their posting lists.
 *
 * Owns every statement on `segment` and `posting`; `postings.ts` owns what their bytes mean. What must hold: a segment is written
 * once; later only its chunk table shrinks, until a merge puts it together with others; all of it happens inside the
 * transaction that changes the files.
 */
import {
  decodeChunkTable,
  encodeChunkTable,
  PostingsMerger,
  type TextIndexBuilder,
} from "./postings.ts";
import type { Row } from "./rows.ts";
import type { Store } from "./store.ts";

/** So many segments of like size become one: a query reads them all, a merge writes them all. */
const MOST_OF_A_TIER = 6;

/** A segment: its id and its chunk table. */
export interface Segment {
  readonly id: number;
  readonly chunks: Uint8Array;
}

/** See the module text. */
export class Segments {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  all(): Segment[] {
    return this.#store.all("SELECT id, chunks FROM segment ORDER BY id").map((row) => ({
      id: Number(row.id),
      chunks: row.chunks as Uint8Array,
    }));
  }

  posting(segment: number, term: string): Uint8Array | undefined {
    return this.#store.get("SELECT data FROM posting WHERE segment = ? AND term = ?", segment, term)
      ?.data as Uint8Array | undefined;
  }

  /** Terms of a segment in `[from, to)`. */
  terms(segment: number, from: string, to: string): string[] {
    return this.#store.all(
      "SELECT term FROM posting WHERE segment = ? AND term >= ? AND term < ?",
      segment,
      from,
      to,
    ).map((row) => row.term as string);
  }

  /** Writes a segment. Inside a transaction. */
  add({ postings, table }: ReturnType<TextIndexBuilder["drain"]>): void {
    const segment = this.#store.run("INSERT INTO segment(chunks) VALUES (?)", table);
    this.#insert(segment, postings);
  }

  #insert(segment: number, postings: Iterable<[string, Uint8Array]>): void {
    const insert = this.#store.statement(
      "INSERT INTO posting(segment, term, data) VALUES (?,?,?)",
    );
    for (const [term, data] of postings) insert.run(segment, term, data);
  }

  /** Takes dead chunks out of all chunk tables; their postings stay until a merge. Inside a transaction. */
  forget(dead: ReadonlySet<number>): void {
    if (dead.size === 0) return;
    for (const { id, chunks } of this.all()) {
      const entries = [...decodeChunkTable(chunks)];
      const alive = entries.filter((entry) => !dead.has(entry.chunk));
      if (alive.length === entries.length) continue;
      if (alive.length === 0) {
        this.#store.run("DELETE FROM posting WHERE segment = ?", id);
        this.#store.run("DELETE FROM segment WHERE id = ?", id);
      } else {
        this.#store.run("UPDATE segment SET chunks = ? WHERE id = ?", encodeChunkTable(alive), id);
      }
    }
  }

  /**
   * Merges segments of like size (a log-structured merge, tiers of factor 4, six to a tier), so that a query meets few of them however
   * many small ingests there were. One transaction.
   */
  merge(): void {
    const segments = this.#store.all("SELECT id, length(chunks) AS size FROM segment ORDER BY id")
      .map((row) => ({ id: Number(row.id), size: Number(row.size) }));
    const tiers = new Map<number, number[]>();
    for (const { id, size } of segments) {
      const tier = Math.floor(Math.log(Math.max(size, 64)) / Math.log(4));
      tiers.set(tier, [...tiers.get(tier) ?? [], id]);
    }
    // From the smallest: six of a tier, and all that is smaller, become one.
    let chosen: number[] = [];
    let smaller: number[] = [];
    for (const tier of [...tiers.keys()].sort((a, b) => a - b)) {
      smaller = [...smaller, ...tiers.get(tier)!];
      if (tiers.get(tier)!.length >= MOST_OF_A_TIER || smaller.length >= 2 * MOST_OF_A_TIER) {
        chosen = smaller;
      }
    }
    if (chosen.length < 2) return;
    this.#store.transaction(() => this.#join(chosen));
  }

  #join(chosen: number[]): void {
    const marks = chosen.map(() => "?").join(",");
    const tables = this.#store.all(
      `SELECT id, chunks FROM segment WHERE id IN (${marks})`,
      ...chosen,
    )
      .map((row) => ({
        id: Number(row.id),
        entries: [...decodeChunkTable(row.chunks as Uint8Array)],
      }))
      .sort((a, b) => a.entries[0]!.chunk - b.entries[0]!.chunk);
    const entries = tables.flatMap((table) => table.entries).sort((a, b) => a.chunk - b.chunk);
    const alive = new Uint8Array(entries.at(-1)!.chunk + 1);
    for (const entry of entries) alive[entry.chunk] = 1;
    const merger = new PostingsMerger(alive);
    const target = this.#store.run(
      "INSERT INTO segment(chunks) VALUES (?)",
      encodeChunkTable(entries),
    );
    // By term, and for each in the order of the chunks.
    const order = tables.map((table, at) => `WHEN ${table.id} THEN ${at}`).join(" ");
    const rows = this.#store.database.prepare(
      `SELECT term, data FROM posting WHERE segment IN (${marks}) ORDER BY term, CASE segment ${order} END`,
    ).iterate(...chosen) as Iterable<Row>;
    let term: string | undefined;
    let lists: Uint8Array[] = [];
    const merged: [string, Uint8Array][] = [];
    const flush = () => {
      if (term === undefined) return;
      const data = merger.merge(lists);
      if (data.length) merged.push([term, data]);
    };
    for (const row of rows) {
      if (row.term !== term) {
        flush();
        term = row.term as string;
        lists = [];
      }
      lists.push(row.data as Uint8Array);
    }
    flush();
    this.#insert(target, merged);
    this.#store.run(`DELETE FROM posting WHERE segment IN (${marks})`, ...chosen);
    this.#store.run(`DELETE FROM segment WHERE id IN (${marks})`, ...chosen);
  }
}
