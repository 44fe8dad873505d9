/**
 * What the image needs of whatever keeps it: revisions of objects as text, and the transactions that wrote them.
 *
 * Owns the interface between `image.ts` and its stores (`memory_store.ts`, `sqlite_store.ts`); `tests/kernel/image/conformance.ts` says
 * in behaviour what a store must do. A store knows nothing of slots: a revision is a text, or null where the object is no longer
 * there. What must hold: transaction ids only rise, whatever the clock does; what `write` gave back is durable; a `write` that threw
 * left nothing.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Oid } from "./values.ts";

/** One state of one object. */
export interface Revision {
  readonly oid: Oid;
  readonly tid: number;
  /** See `object_record.ts`; null where the transaction took the object away. */
  readonly data: string | null;
}

/** Who committed what, when. */
export interface TransactionInfo {
  /** Rises by one with each transaction of the image, from 1. */
  readonly tid: number;
  /** Milliseconds since 1970; never less than that of the transaction before. */
  readonly time: number;
  readonly user: string;
  readonly description: string;
}

/** A transaction with the objects that it wrote, in ascending order. */
export interface StoredTransaction extends TransactionInfo {
  readonly oids: readonly Oid[];
}

/** How a transaction is to be written. */
export interface WriteOptions {
  /** Milliseconds since 1970; the time of the transaction before, where that was later. */
  readonly time: number;
  readonly user: string;
  readonly description: string;
  /** Writes a transaction although nothing was put. */
  readonly force?: boolean;
  /** `work` makes more than what it puts (rows of its own, files): it runs once, while nobody else can write. */
  readonly locked?: boolean;
}

/** A transaction while it is being written. Used synchronously, inside `write` only. */
export interface Writing {
  readonly tid: number;
  /** The transaction before this one. */
  readonly previous: number;
  /** As `ImageStore.drops`. */
  readonly drops: number;
  /** Where the image lives in SQLite and the write is `locked`: the open transaction, for those who write more into it. */
  readonly database: DatabaseSync | undefined;
  /** The revision that an object has now, 0 for none. */
  newest(oid: Oid): number;
  put(oid: Oid, data: string | null): void;
}

/** OIDs below belong to the kernel's own objects, which have fixed ones; a store gives out those from here on. */
export const FIRST_FREE_OID = 1_024;

/** Longest user and description; longer ones are refused, never cut. */
export const LONGEST_USER = 1_000;
export const LONGEST_DESCRIPTION = 65_536;

/** A problem that a store found in what it keeps. */
export interface StoreProblem {
  readonly oid?: Oid;
  readonly tid?: number;
  readonly problem: string;
}

/** What a pack removes. */
export interface Dropped {
  readonly revisions: readonly { readonly oid: Oid; readonly tid: number }[];
  readonly transactions: readonly number[];
}

/** See the module text. */
export interface ImageStore {
  /** For messages: a path, or "memory". */
  readonly name: string;
  readonly readOnly: boolean;
  /** Id of the newest transaction, those of other processes included; 0 when there is none. */
  newestTransaction(): number;
  /** Transactions up to this one may have lost revisions to a pack; 0 when there was none. As of the last look for new ones. */
  packedTo(): number;
  /** How often a pack of whatever process removed something: rises each time. As of the last look for new transactions. */
  drops(): number;
  /** The newest revision that is not later than `tid`. */
  load(oid: Oid, tid: number): Revision | undefined;
  /** All revisions of an object, newest first. */
  revisions(oid: Oid): Revision[];
  /** Revision ids of an object, newest first: what `revisions` would read, unread. */
  revisionIds(oid: Oid): number[];
  transaction(tid: number): StoredTransaction | undefined;
  /** Transactions after one and up to another, oldest first; `newestFirst` turns them round. */
  transactions(range: {
    after?: number;
    upTo?: number;
    newestFirst?: boolean;
    limit?: number;
  }): StoredTransaction[];
  /** OIDs that have a revision not later than `tid`, those taken away included, from `from` upwards, at most `limit`. */
  oids(tid: number, from: Oid, limit: number): Oid[];
  /** Reserves a run of OIDs that nobody else gets, and gives the first. */
  reserve(count: number): Oid;
  /**
   * Makes what `work` puts one durable transaction, after all that were there. Where it is not `locked`, `work` may run before the
   * others are locked out; when one of them wrote meanwhile, it runs again, and only the last run counts. Nothing is written when it
   * puts nothing and `force` is not set.
   */
  write<T>(options: WriteOptions, work: (writing: Writing) => T): { tid: number; result: T };
  /** Stores a transaction of another image as it is; ids must rise. */
  restore(transaction: TransactionInfo, revisions: readonly Revision[]): void;
  /**
   * Removes what a pack up to `tid` does not keep, in one durable transaction. What that is, is asked when nobody else can write any
   * more; where the answer throws, nothing is removed.
   */
  drop(tid: number, select: () => Dropped): void;
  /** Gives back the room of what was dropped, where that is worth it; says whether it did. */
  compact(): boolean;
  /** Ids of transactions after one, in order, at most `limit`; none of them is read. */
  transactionIds(after: number, limit: number): number[];
  /** What is wrong with the file as a whole; records are read by `check.ts`. */
  problems(): Iterable<StoreProblem>;
  close(): void;
}
