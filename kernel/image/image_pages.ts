/**
 * The rows of an image on the pages of its file, wherever they stand.
 *
 * Owns how a row of the image is known among all others: by its shape and its checksum. `sqlite_store.ts` owns the format. What must
 * hold: a row is given only if it is what was once written; those on pages that are known to be free are not given.
 */
import { DamagedImageError } from "./errors.ts";
import type { Revision, StoredTransaction } from "./image_store.ts";
import { type Column, type Kind, PageReader, type PageRow, type RowPlace } from "./page_reader.ts";
import { unpackRecent } from "./recent_transactions.ts";
import { isWhole, revisionOf, transactionOf, type TransactionRow } from "./stored_rows.ts";

/** A state of an object, and where it is: not kept in memory. */
export interface FoundRevision extends Pick<Revision, "oid" | "tid"> {
  readonly place: RowPlace;
}

/** What one page holds. */
export interface ImagePage {
  readonly revisions: readonly FoundRevision[];
  readonly transactions: readonly StoredTransaction[];
  /** Revisions that stand beside their transactions: small ones. */
  readonly recent: readonly Revision[];
  /** Up to which transaction a pack may have dropped revisions; 0 where the page does not say. */
  readonly packed: number;
}

const TRANSACTION: readonly Kind[] = ["null", "integer", "text", "text", "text", "integer"];
/** Columns of each row that is one of ours; of a revision the last may be null. */
const SHAPES: readonly (readonly Kind[])[] = [
  ["integer", "integer", "integer", "text"],
  ["integer", "integer", "integer", "null"],
  TRANSACTION,
  [...TRANSACTION, "blob"],
  ["text", "integer"],
  ["text", "real"],
];

/** See the module text. Dispose of it. */
export class ImagePages implements Disposable {
  readonly #reader: PageReader;

  /** @throws what the file system throws */
  constructor(path: string) {
    this.#reader = new PageReader(path);
  }

  /** How many pages there are; they are numbered from 1. */
  get count(): number {
    return this.#reader.pages;
  }

  page(number: number): ImagePage {
    const revisions: FoundRevision[] = [];
    const transactions: StoredTransaction[] = [];
    const recent: Revision[] = [];
    let packed = 0;
    for (const row of this.#reader.rows(number, isOurs)) {
      const { page, cell, rowid, columns } = row;
      if (columns.length === 4 && rowid === undefined) {
        const revision = revisionFrom(row);
        if (revision === undefined) continue;
        revisions.push({ oid: revision.oid, tid: revision.tid, place: { page, cell } });
      } else if (columns.length === 2 && columns[0] === "packed") {
        packed = Math.max(packed, Number(columns[1]));
      } else if (columns.length >= 6 && rowid !== undefined) {
        const transaction = transactionFrom(rowid, columns);
        if (isWhole(transaction)) transactions.push(transactionOf(transaction));
        if (columns.length === 6) continue;
        for (const one of unpackRecent(transaction, columns[6]).revisions) {
          const revision = wholeOr(() => revisionOf(one));
          if (revision !== undefined) recent.push(revision);
        }
      }
    }
    return { revisions, transactions, recent, packed };
  }

  /** A revision that was found before. */
  revision(place: RowPlace): Revision | undefined {
    const row = this.#reader.row(place);
    return row && revisionFrom(row);
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }
}

function isOurs(kinds: readonly Kind[]): boolean {
  return SHAPES.some((shape) =>
    shape.length === kinds.length && shape.every((kind, at) => kind === kinds[at])
  );
}

function revisionFrom({ columns }: PageRow): Revision | undefined {
  const [oid, tid, crc, data] = columns as [number, number, number, string | null];
  return wholeOr(() => revisionOf({ oid, tid, crc, data }));
}

function transactionFrom(tid: number, columns: readonly Column[]): TransactionRow {
  const [, time, user, description, oids, crc] = columns as [
    null,
    number,
    string,
    string,
    string,
    number,
  ];
  return { tid, time, user, description, oids, crc };
}

function wholeOr<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DamagedImageError) return undefined;
    throw error;
  }
}
