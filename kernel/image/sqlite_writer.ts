/**
 * The writing half of an image in SQLite.
 *
 * Owns every statement that changes its tables, whose format `sqlite_store.ts` describes. What must hold: a transaction is written whole or
 * not at all, and rests on everything that others wrote before it; what is written is noted as known, what did not come to be is not.
 */
import type { SqliteConnection } from "./sqlite_connection.ts";
import { DamagedImageError, ImageError } from "./errors.ts";
import type { Dropped, Revision, TransactionInfo, WriteOptions, Writing } from "./image_store.ts";
import type { KnownTransactions } from "./known_transactions.ts";
import { packedSize, packRevisions, type RecentTransaction } from "./recent_transactions.ts";
import {
  revisionCrc,
  type RevisionRow,
  revisionValues,
  transactionRow,
  transactionValues,
} from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/**
 * Transactions in `image_recent` at most. Moving them costs a few pages, which a hundred commits share; reading them costs whoever opens
 * the image less than a millisecond.
 */
const MOST_RECENT = 128;
/** What one of them takes at most, in bytes: half a page. What is larger has pages of its own to fill. */
const LARGEST_RECENT = 2_048;

/** See `#append`. */
const APPEND = `INSERT OR IGNORE INTO image_recent
  VALUES (?1, (SELECT ?2 FROM image_recent WHERE tid = ?1 - 1), ?3, ?4, ?5, ?6, ?7)`;

/** An image made before drops were counted has no such row. */
const COUNT_DROP = `INSERT INTO image_meta VALUES ('drops', 1)
  ON CONFLICT(key) DO UPDATE SET value = value + 1`;

/** A transaction before it is in the file. */
interface Draft<T> {
  /** `looks` before the work: it rests on what was known then. */
  readonly looks: number;
  /** Its number; that of the one before where there is nothing to write. */
  readonly tid: number;
  /** What the work gave. */
  readonly result: T;
  readonly transaction: RecentTransaction | undefined;
  /** Too large to stand in `image_recent`. */
  readonly isLarge: boolean;
}

/** See the module text. */
export class SqliteWriter {
  readonly #file: SqliteConnection;
  readonly #known: KnownTransactions;

  constructor(file: SqliteConnection, known: KnownTransactions) {
    this.#file = file;
    this.#known = known;
  }

  /** As `ImageStore.reserve`. */
  reserve(count: number): Oid {
    return this.#file.use("write to", () => {
      this.#file.enterWal();
      // Not flushed: the log is flushed in order, so whoever commits an object of this run flushes this with it.
      this.#file.database.exec("PRAGMA synchronous = NORMAL");
      try {
        const row = this.#file.get(
          "UPDATE image_meta SET value = value + ? WHERE key = 'next_oid' RETURNING value",
          count,
        );
        return Number(row!.value) - count;
      } finally {
        this.#file.database.exec("PRAGMA synchronous = FULL");
      }
    });
  }

  /** As `ImageStore.write`. */
  write<T>(options: WriteOptions, work: (writing: Writing) => T): { tid: number; result: T } {
    return this.#file.use("write to", () => {
      const early = options.locked ? undefined : this.#draftEarly(options, work);
      const { tid, result } = early !== undefined && this.#append(early)
        ? early
        : this.#write(() =>
          this.#put(early?.looks === this.#known.looks ? early : this.#draft(options, work))
        );
      return { tid, result };
    });
  }

  /** A transaction on what is known; what `work` throws then is said when it throws it again, with the others locked out. */
  #draftEarly<T>(options: WriteOptions, work: (writing: Writing) => T): Draft<T> | undefined {
    if (!this.#known.isKnown) return undefined;
    try {
      return this.#draft(options, work);
    } catch {
      return undefined;
    }
  }

  #draft<T>(options: WriteOptions, work: (writing: Writing) => T): Draft<T> {
    const { user, description, locked, force } = options;
    const looks = this.#known.looks;
    const previous = this.#known.recent.newest;
    const tid = previous + 1;
    const revisions: RevisionRow[] = [];
    let size = user.length + description.length;
    const result = work({
      tid,
      previous,
      drops: this.#known.drops,
      database: locked ? this.#file.database : undefined,
      newest: (oid) => this.#newestRevision(oid),
      put: (oid, data) => {
        revisions.push({ oid, tid, data, crc: revisionCrc(oid, tid, data) });
        size += packedSize(data);
      },
    });
    if (revisions.length === 0 && !force) {
      return { looks, tid: previous, result, transaction: undefined, isLarge: false };
    }
    revisions.sort((a, b) => a.oid - b.oid);
    const time = Math.max(options.time, this.#known.recent.newestTime);
    const oids = revisions.map(({ oid }) => oid);
    const row = transactionRow({ tid, time, user, description, oids });
    const transaction = { row, revisions, isUnclear: false };
    return { looks, tid, result, transaction, isLarge: size > LARGEST_RECENT };
  }

  /**
   * Commits a small transaction with a single statement, if it follows the newest: `time` may not be null, so nothing is inserted where
   * the one before it is not in the table any more, nor where there is one of its number. Whoever moves transactions to their places
   * moves all, so these two say that nobody else wrote.
   */
  #append({ looks, transaction, isLarge }: Draft<unknown>): boolean {
    const { count } = this.#known.recent;
    const fits = !isLarge && count > 0 && count < MOST_RECENT;
    if (transaction === undefined || !fits || looks !== this.#known.looks) return false;
    const { row, revisions } = transaction;
    this.#file.enterWal();
    const { changes } = this.#file.prepared(APPEND).run(
      row.tid,
      row.time,
      row.user,
      row.description,
      row.oids,
      row.crc,
      packRevisions(revisions),
    );
    if (changes === 0) return false;
    this.#known.recent.add(transaction);
    return true;
  }

  #newestRevision(oid: Oid): number {
    return this.#known.recent.load(oid, Infinity)?.tid ??
      Number(
        this.#file.get(
          "SELECT tid FROM image_revision WHERE oid = ? ORDER BY tid DESC LIMIT 1",
          oid,
        )
          ?.tid ?? 0,
      );
  }

  /** As `ImageStore.restore`. */
  restore(transaction: TransactionInfo, revisions: readonly Revision[]): void {
    this.#file.use("write to", () =>
      this.#write(() => {
        const { newest } = this.#known.recent;
        if (transaction.tid <= newest) {
          throw new ImageError(
            `restore transaction ${transaction.tid}: the newest here is ${newest}; copy into an empty store`,
          );
        }
        this.#placeRecent();
        const oids = revisions.map(({ oid }) => oid).sort((a, b) => a - b);
        this.#place({
          row: transactionRow({ ...transaction, oids }),
          revisions: revisions.map(({ oid, tid, data }) => ({
            oid,
            tid,
            data,
            crc: revisionCrc(oid, tid, data),
          })),
        });
        const next = (oids.at(-1) ?? 0) + 1;
        this.#file.run("UPDATE image_meta SET value = max(value, ?) WHERE key = 'next_oid'", next);
      }));
  }

  /** As `ImageStore.drop`. */
  drop(tid: number, select: () => Dropped): void {
    this.#file.use("write to", () =>
      this.#write(() => {
        const { revisions, transactions } = select();
        this.#placeRecent();
        this.#file.run("UPDATE image_meta SET value = max(value, ?) WHERE key = 'packed'", tid);
        this.#file.run(COUNT_DROP);
        for (const { oid, tid } of revisions) {
          this.#file.run("DELETE FROM image_revision WHERE oid = ? AND tid = ?", oid, tid);
        }
        for (const tid of transactions) {
          this.#file.run("DELETE FROM image_transaction WHERE tid = ?", tid);
        }
        this.#known.forget();
      }));
  }

  /** Does something in a transaction of its own, with all that others committed before it known. */
  #write<T>(work: () => T): T {
    try {
      return this.#file.transaction(() => {
        this.#known.catchUp();
        return work();
      });
    } catch (error) {
      // What was noted of it did not come to be.
      this.#known.forget();
      throw error;
    }
  }

  /** Puts a transaction where it belongs, in the open one. */
  #put<T>(draft: Draft<T>): Draft<T> {
    const { transaction, isLarge } = draft;
    if (transaction === undefined) return draft;
    if (isLarge || this.#known.recent.count >= MOST_RECENT) this.#placeRecent();
    if (isLarge) this.#place(transaction);
    else {
      const { row, revisions } = transaction;
      this.#file.insert("image_recent", [[...transactionValues(row), packRevisions(revisions)]]);
      this.#known.recent.add(transaction);
    }
    return draft;
  }

  /** Puts a transaction in its place; none may be left that is older and is not. */
  #place({ row, revisions }: Pick<RecentTransaction, "row" | "revisions">): void {
    this.#file.insert("image_revision", revisions.map(revisionValues));
    this.#file.insert("image_transaction", [transactionValues(row)]);
    this.#known.recent.place(row.tid, row.time);
  }

  /** Moves all transactions to their places, damage and all. */
  #placeRecent(): void {
    const { all, newest, newestTime } = this.#known.recent;
    if (all.length === 0) return;
    const unclear = all.find(({ isUnclear }) => isUnclear)?.row.tid;
    if (unclear !== undefined) {
      throw new DamagedImageError(
        `write to the image "${this.#file.path}": transaction ${unclear} is damaged, and what it wrote is not known; copy what can be read to a new file`,
        undefined,
        unclear,
      );
    }
    this.#file.insert(
      "image_revision",
      all.flatMap(({ revisions }) => revisions.map(revisionValues)),
    );
    this.#file.insert("image_transaction", all.map(({ row }) => transactionValues(row)));
    this.#file.run("DELETE FROM image_recent");
    this.#known.recent.place(newest, newestTime);
  }
}
