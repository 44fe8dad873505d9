/**
 * The text index in SQLite: segments and their posting lists.
 *
 * Owns every statement on `segment` and `posting`; `postings.ts` owns what their bytes mean. What must hold: a segment is written
 * once; later only its chunk table shrinks, until a merge puts it together with others; all of it happens inside the
 * transaction that changes the files.
 */
import { crc32 } from "node:zlib";
import {
  decodeChunkTable,
  encodeChunkTable,
  PostingsMerger,
  type TextIndexBuilder,
} from "./postings.ts";
import {
  compareTerms,
  listIn,
  packBlocks,
  type TermLists,
  termsIn,
  unpackBlock,
} from "./posting_block.ts";
import { sound } from "./damaged_index.ts";
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
    const block = this.#blockOf(segment, term);
    return block && listIn(this.#sound(block), term);
  }

  #sound(row: Row): Uint8Array {
    return sound(this.#store.path, row, "a block of posting lists");
  }

  /** The block that has a term, if any has. */
  #blockOf(segment: number, term: string): Row | undefined {
    return this.#store.get(
      "SELECT term, crc, data FROM posting WHERE segment = ? AND term <= ? ORDER BY term DESC LIMIT 1",
      segment,
      term,
    );
  }

  /** Terms of a segment in `[from, to)`. */
  terms(segment: number, from: string, to: string): string[] {
    const first = this.#blockOf(segment, from);
    const blocks = this.#store.all(
      "SELECT crc, data FROM posting WHERE segment = ? AND term > ? AND term < ? ORDER BY term",
      segment,
      first === undefined ? from : first.term!,
      to,
    );
    return (first === undefined ? blocks : [first, ...blocks]).flatMap((block) =>
      termsIn(this.#sound(block), from, to)
    );
  }

  /** Writes a segment. Inside a transaction. */
  add({ postings, table }: ReturnType<TextIndexBuilder["drain"]>): void {
    const segment = this.#store.run("INSERT INTO segment(chunks) VALUES (?)", table);
    this.#insert(segment, postings);
  }

  #insert(segment: number, postings: TermLists): void {
    const insert = this.#store.statement(
      "INSERT INTO posting(segment, term, crc, data) VALUES (?,?,?,?)",
    );
    for (const [first, data] of packBlocks(postings)) {
      insert.run(segment, first, crc32(data), data);
    }
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
    const merged: [string, Uint8Array][] = [];
    for (const [term, lists] of together(tables.map(({ id }) => this.#lists(id)))) {
      const data = merger.merge(lists);
      if (data.length) merged.push([term, data]);
    }
    this.#insert(target, merged);
    this.#store.run(`DELETE FROM posting WHERE segment IN (${marks})`, ...chosen);
    this.#store.run(`DELETE FROM segment WHERE id IN (${marks})`, ...chosen);
  }

  /** All terms of a segment with their lists, in order. */
  *#lists(segment: number): Generator<[term: string, list: Uint8Array]> {
    // Not one by one: Deno's iterator ends at a page that cannot be read as if there were no more.
    const blocks = this.#store.all(
      "SELECT crc, data FROM posting WHERE segment = ? ORDER BY term",
      segment,
    );
    for (const block of blocks) yield* unpackBlock(this.#sound(block));
  }
}

/** Several runs of terms as one, each term once with its lists in the order of the runs. */
function* together(
  runs: readonly Iterator<[term: string, list: Uint8Array]>[],
): Generator<[term: string, lists: Uint8Array[]]> {
  const heads = runs.map((run) => run.next());
  for (;;) {
    let least: string | undefined;
    for (const { done, value } of heads) {
      if (!done && (least === undefined || compareTerms(value[0], least) < 0)) least = value[0];
    }
    if (least === undefined) return;
    const lists: Uint8Array[] = [];
    heads.forEach((head, at) => {
      if (head.done || head.value[0] !== least) return;
      lists.push(head.value[1]);
      heads[at] = runs[at]!.next();
    });
    yield [least, lists];
  }
}
