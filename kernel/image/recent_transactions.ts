/**
 * The newest transactions of an image in SQLite, which are small and not in their places yet.
 *
 * Owns the form in which a small transaction keeps its records beside itself, and who wrote what in those that are known. A commit
 * that put each record in its place among the revisions of its object would write a page for each, and one for the transaction; one that
 * appends a single row writes the one page it stands on. `sqlite_store.ts` puts them in their places some hundred at a time. The form:
 *
 *     PACKED  = RECORD, …                             one for each OID of the transaction, in the same order
 *     RECORD  = LENGTH CRC OID TEXT                   uint32, uint32, float64 (little-endian), UTF-8
 *
 * LENGTH is that of TEXT in bytes, 2³² - 1 where the transaction took the object away and there is none; CRC is that of the revision.
 * What must hold: what is known here is all there is after the transaction `placed`, without a gap; damage in a record is that
 * record's alone, and where it cannot be told whose it is, no object is given that it may have changed.
 */
import { Buffer } from "node:buffer";
import { DamagedImageError } from "./errors.ts";
import {
  isWhole,
  revisionCrc,
  type RevisionRow,
  transactionOf,
  type TransactionRow,
} from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/** A transaction and what it wrote. */
export interface RecentTransaction {
  readonly row: TransactionRow;
  readonly revisions: readonly RevisionRow[];
  /** It is damaged in a way that does not tell of which objects there are revisions. */
  readonly isUnclear: boolean;
}

const HEAD_BYTES = 16;
/** The length of what is not there. */
const GONE = 0xffff_ffff;
const NO_BYTES = new Uint8Array();
/** UTF-8 of one unit of UTF-16. */
const MOST_BYTES_A_UNIT = 3;
const encoder = new TextEncoder();
let scratch = scratchOf(0);

/** See the module text. */
export class RecentTransactions {
  /** The newest transaction that is in its place. */
  placed = 0;
  /** When that was made, in milliseconds since 1970. */
  #placedTime = 0;
  #transactions: RecentTransaction[] = [];
  /** Revisions of each object, oldest first. */
  readonly #revisions = new Map<Oid, RevisionRow[]>();

  get count(): number {
    return this.#transactions.length;
  }

  get newest(): number {
    return this.#transactions.at(-1)?.row.tid ?? this.placed;
  }

  /** When the newest was made; 0 where there is none. */
  get newestTime(): number {
    return this.#transactions.at(-1)?.row.time ?? this.#placedTime;
  }

  /** All of them, oldest first. */
  get all(): readonly RecentTransaction[] {
    return this.#transactions;
  }

  /** Takes in a transaction that is newer than all others. */
  add(transaction: RecentTransaction): void {
    this.#transactions.push(transaction);
    for (const revision of transaction.revisions) {
      const known = this.#revisions.get(revision.oid);
      if (known === undefined) this.#revisions.set(revision.oid, [revision]);
      else known.push(revision);
    }
  }

  /** Those up to `tid` are in their places now. */
  place(tid: number, time: number): void {
    this.#placedTime = time;
    if (tid === this.placed) return;
    this.placed = tid;
    const left = this.#transactions.filter(({ row }) => row.tid > tid);
    this.#transactions = [];
    this.#revisions.clear();
    for (const one of left) this.add(one);
  }

  /** Forgets everything, after a transaction of SQLite was undone. */
  forget(): void {
    this.placed = this.#placedTime = 0;
    this.#transactions = [];
    this.#revisions.clear();
  }

  /**
   * The newest revision of an object that is not later than `tid`; undefined where none is known here.
   * @throws {DamagedImageError} when a later one may be lost
   */
  load(oid: Oid, tid: number): RevisionRow | undefined {
    const found = this.#revisions.get(oid)?.findLast((one) => one.tid <= tid);
    if (this.#transactions.length > 0) this.#requireClear(oid, found?.tid ?? 0, tid);
    return found;
  }

  /**
   * The revisions of an object, newest first.
   * @throws {DamagedImageError} when one may be lost
   */
  revisions(oid: Oid): RevisionRow[] {
    this.#requireClear(oid, 0, Infinity);
    return (this.#revisions.get(oid) ?? []).toReversed();
  }

  /** Transactions after one and up to another, oldest first. */
  between(after: number, upTo: number): TransactionRow[] {
    return this.#transactions.map(({ row }) => row)
      .filter(({ tid }) => tid > after && tid <= upTo);
  }

  /** OIDs from `from` on that have a revision not later than `tid`, in no order. */
  oids(tid: number, from: Oid): Oid[] {
    return [...this.#revisions].filter(([oid, [oldest]]) => oid >= from && oldest!.tid <= tid)
      .map(([oid]) => oid);
  }

  #requireClear(oid: Oid, after: number, upTo: number): void {
    for (const { row: { tid }, isUnclear } of this.#transactions) {
      if (!isUnclear || tid <= after || tid > upTo) continue;
      throw new DamagedImageError(
        `read object ${oid}: transaction ${tid} is damaged and may have changed it; look at the image as of transaction ${
          tid - 1
        }`,
        oid,
        tid,
      );
    }
  }
}

/** Bytes that a record takes when it is packed, at least. */
export function packedSize(data: string | null): number {
  return HEAD_BYTES + (data?.length ?? 0);
}

/** Revisions in the form of the module text, in the order of their OIDs. What it gives holds until the next call. */
export function packRevisions(revisions: readonly RevisionRow[]): Uint8Array {
  let most = 0;
  for (const { data } of revisions) most += HEAD_BYTES + MOST_BYTES_A_UNIT * (data?.length ?? 0);
  if (most > scratch.bytes.length) scratch = scratchOf(2 * most);
  const { bytes, view } = scratch;
  let at = 0;
  for (const { oid, crc, data } of revisions) {
    const text = at + HEAD_BYTES;
    const length = data === null ? 0 : encoder.encodeInto(data, bytes.subarray(text)).written;
    view.setUint32(at, data === null ? GONE : length, true);
    view.setUint32(at + 4, crc, true);
    view.setFloat64(at + 8, oid, true);
    at = text + length;
  }
  return bytes.subarray(0, at);
}

/** Bytes to pack into, used again and again: new ones for each commit cost more than filling them. */
function scratchOf(size: number): { bytes: Uint8Array<ArrayBuffer>; view: DataView } {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** A row with its records apart, whatever happened to it. */
export function unpackRecent(row: TransactionRow, packed: unknown): RecentTransaction {
  const { tid } = row;
  // A flipped bit can make something else of it than bytes.
  const { found, isComplete } = unpack(tid, packed instanceof Uint8Array ? packed : NO_BYTES);
  if (!isWhole(row)) {
    // Whose revisions there were is said by themselves alone.
    const isUnclear = !isComplete || found.length === 0 ||
      found.some(({ oid, data, crc }) => crc !== revisionCrc(oid, tid, data));
    return { row, revisions: isUnclear ? [] : found, isUnclear };
  }
  const revisions = transactionOf(row).oids.map((oid, at): RevisionRow => {
    const one = found[at];
    // A head that is not what was written leads nowhere: no text has this checksum.
    return one?.oid === oid ? one : { oid, tid, data: "", crc: -1 };
  });
  return { row, revisions, isUnclear: false };
}

/** The records as far as their heads lead. */
function unpack(
  tid: number,
  packed: Uint8Array,
): { found: RevisionRow[]; isComplete: boolean } {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const found: RevisionRow[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const crc = bytes.readUInt32LE(at + 4);
    const oid = bytes.readDoubleLE(at + 8);
    const end = at + HEAD_BYTES + (length === GONE ? 0 : length);
    if (end > bytes.length) break;
    const data = length === GONE ? null : bytes.toString("utf8", at + HEAD_BYTES, end);
    found.push({ oid, tid, data, crc });
    at = end;
  }
  return { found, isComplete: at === bytes.length };
}
