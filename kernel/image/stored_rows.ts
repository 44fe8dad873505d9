/**
 * Rows of the image's tables, as they are checked: what `sqlite_store.ts` writes with a checksum, read back or refused.
 *
 * Owns the checksums and the text form of a list of OIDs. What must hold: a row that is not what was written is never taken for one
 * that is; the error names the object and the transaction.
 */
import { crc32 } from "node:zlib";
import { DamagedImageError } from "./errors.ts";
import type { Revision, StoredTransaction } from "./image_store.ts";
import type { Oid } from "./values.ts";

/** A state of an object with the checksum that was written beside it. */
export interface RevisionRow extends Revision {
  readonly crc: number;
}

/** A transaction as its row has it. */
export interface TransactionRow {
  readonly tid: number;
  readonly time: number;
  readonly user: string;
  readonly description: string;
  /** See `oidsToText`. */
  readonly oids: string;
  readonly crc: number;
}

/** A row as SQLite gives it. */
export type Row = Record<string, unknown>;

/** A state of an object from the columns of its row. */
export function revisionColumns(oid: Oid, row: Row): RevisionRow {
  return { oid, tid: Number(row.tid), crc: Number(row.crc), data: row.data as string | null };
}

/** A transaction from the columns of its row. */
export function transactionColumns(row: Row): TransactionRow {
  return {
    tid: Number(row.tid),
    time: Number(row.time),
    user: String(row.user),
    description: String(row.description),
    oids: String(row.oids),
    crc: Number(row.crc),
  };
}

/** The columns of a state of an object, in their order. */
export function revisionValues({ oid, tid, crc, data }: RevisionRow): (number | string | null)[] {
  return [oid, tid, crc, data];
}

/** The columns of a transaction, in their order. */
export function transactionValues(
  { tid, time, user, description, oids, crc }: TransactionRow,
): (number | string)[] {
  return [tid, time, user, description, oids, crc];
}

/** The checksum of a state of an object. */
export function revisionCrc(oid: Oid, tid: number, data: string | null): number {
  return crc32(data === null ? `${oid} ${tid} gone` : `${oid} ${tid} text ${data}`);
}

/**
 * A state of an object, when it is what was written.
 * @throws {DamagedImageError} when it is not
 */
export function revisionOf({ oid, tid, data, crc }: RevisionRow): Revision {
  if (crc !== revisionCrc(oid, tid, data)) {
    throw new DamagedImageError(
      `read object ${oid}: its revision ${tid} is not what was written (checksum); older revisions may be whole, see its history`,
      oid,
      tid,
    );
  }
  return { oid, tid, data };
}

/** The row of a transaction. */
export function transactionRow(
  { tid, time, user, description, oids }: StoredTransaction,
): TransactionRow {
  const row = { tid, time, user, description, oids: oidsToText(oids) };
  return { ...row, crc: transactionCrc(row) };
}

/** Whether the row of a transaction is what was written. */
export function isWhole(row: TransactionRow): boolean {
  return row.crc === transactionCrc(row);
}

/**
 * A transaction, when its row is what was written.
 * @throws {DamagedImageError} when it is not
 */
export function transactionOf(row: TransactionRow): StoredTransaction {
  const { tid, time, user, description } = row;
  if (!isWhole(row)) {
    throw new DamagedImageError(
      `read transaction ${tid}: it is not what was written (checksum)`,
      undefined,
      tid,
    );
  }
  return { tid, time, user, description, oids: oidsFromText(row.oids) };
}

function transactionCrc(
  { tid, time, user, description, oids }: Omit<TransactionRow, "crc">,
): number {
  return crc32(JSON.stringify([tid, time, user, description, oids]));
}

/** Ascending OIDs as a JSON list of differences: the first, then how much larger each is than the one before. */
function oidsToText(oids: readonly Oid[]): string {
  if (oids.length === 1) return `[${oids[0]}]`;
  return JSON.stringify(oids.map((oid, at) => at === 0 ? oid : oid - oids[at - 1]!));
}

function oidsFromText(text: string): Oid[] {
  let last = 0;
  return (JSON.parse(text) as number[]).map((difference) => last += difference);
}
