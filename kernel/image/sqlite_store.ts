/**
 * The image in SQLite, in the file that the index lives in too.
 *
 * Owns the tables of the image and every statement on them. The format, version 2:
 *
 *     image_meta(key, value)                        `format`: this version. `next_oid`: the first OID that nobody reserved.
 *                                                   `packed`: up to this transaction a pack may have dropped revisions
 *     image_revision(oid, tid, crc, data)           a state of an object, as `object_record.ts` writes it; null where the
 *                                                   transaction took the object away. Ordered by oid, then tid
 *     image_transaction(tid, time, user, description, oids, crc)
 *                                                   time in milliseconds since 1970; oids as a JSON list of differences: the
 *                                                   first OID, then how much larger each is than the one before
 *     image_recent(tid, time, user, description, oids, crc, packed)
 *                                                   the newest transactions, without a gap, while they are small and few: none of
 *                                                   them stands in the two tables above. `packed` are their records, see
 *                                                   `recent_transactions.ts`
 *
 * `crc` is the CRC-32 of the rest of its row (`packed` has its own), so that a flipped bit is noticed by whoever reads it. A small
 * commit appends one row to `image_recent`, which is one page in the log; the commit that finds it full moves all rows to their places
 * first, in its own transaction, and so does a pack. Versions: 1 had no `image_recent`. The tables of the index are somebody else's
 * (`user_version` too). What must hold: what a commit gave back is on the disk (see `sqlite_connection.ts`); a torn write is cut off by
 * SQLite at the last commit; a newer format is refused and not touched.
 */
import { DamagedImageError, ImageError, NewerImageError, NoImageError } from "./errors.ts";
import { fileProblems } from "./explain_sqlite.ts";
import {
  type Dropped,
  FIRST_FREE_OID,
  type ImageStore,
  type Revision,
  type StoredTransaction,
  type StoreProblem,
  type TransactionInfo,
  type WriteOptions,
  type Writing,
} from "./image_store.ts";
import {
  packedSize,
  packRevisions,
  type RecentTransaction,
  RecentTransactions,
  unpackRecent,
} from "./recent_transactions.ts";
import { SqliteConnection } from "./sqlite_connection.ts";
import {
  revisionColumns,
  revisionCrc,
  revisionOf,
  type RevisionRow,
  revisionValues,
  transactionColumns,
  transactionOf,
  transactionRow,
  transactionValues,
} from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/** Rises when a store of the version before could not read what this one writes. */
export const FORMAT = 2;
/** Share of the file that must be free for it to be given back: less is soon used again. */
const WORTH_COMPACTING = 1 / 8;
/** Problems of the file that are listed; more of them say nothing new. */
const MOST_FILE_PROBLEMS = 20;
/**
 * Transactions in `image_recent` at most. Moving them costs a few pages, which a hundred commits share; reading them costs whoever opens
 * the image less than a millisecond.
 */
const MOST_RECENT = 128;
/** What one of them takes at most, in bytes: half a page. What is larger has pages of its own to fill. */
const LARGEST_RECENT = 2_048;

const RECENT_TABLE = `
  CREATE TABLE IF NOT EXISTS image_recent(
    tid INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, description TEXT NOT NULL, oids TEXT NOT NULL,
    crc INTEGER NOT NULL, packed BLOB NOT NULL)`;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS image_meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS image_revision(
    oid INTEGER NOT NULL, tid INTEGER NOT NULL, crc INTEGER NOT NULL, data TEXT, PRIMARY KEY(oid, tid)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS image_transaction(
    tid INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, description TEXT NOT NULL, oids TEXT NOT NULL,
    crc INTEGER NOT NULL);
  ${RECENT_TABLE};
  INSERT OR IGNORE INTO image_meta VALUES ('format', ${FORMAT}), ('next_oid', ${FIRST_FREE_OID}), ('packed', 0);
`;

/** See `#append`. */
const APPEND = `INSERT OR IGNORE INTO image_recent
  VALUES (?1, (SELECT ?2 FROM image_recent WHERE tid = ?1 - 1), ?3, ?4, ?5, ?6, ?7)`;

/** A transaction before it is in the file. */
interface Draft<T> {
  /** `#looks` before the work: it rests on what was known then. */
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
export class SqliteImageStore implements ImageStore {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #file: SqliteConnection;
  readonly #recent = new RecentTransactions();
  /** Of SQLite, when `#recent` was last compared with the file; -1 when it is to be read anew. */
  #dataVersion = -1;
  /** How often something new was found in the file. */
  #looks = 0;
  #packed = 0;

  /**
   * Opens the image in the file at `path`; makes both where there is none.
   *
   * @throws {NewerImageError} when a later version wrote it
   * @throws {DamagedImageError} when SQLite cannot read the file
   * @throws {NoImageError} when it is to be read and holds none
   */
  constructor(path: string, { readOnly = false }: { readOnly?: boolean } = {}) {
    this.name = path;
    this.readOnly = readOnly;
    this.#file = new SqliteConnection(path, { readOnly });
    try {
      this.#file.use("open", () => this.#bringUpToDate());
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  #bringUpToDate(): void {
    const format = this.#format();
    if (format > FORMAT) {
      throw new NewerImageError(
        `open the image "${this.name}": it has format ${format}, this version reads up to ${FORMAT}; update batos`,
      );
    }
    if (format === 0) {
      if (this.readOnly) {
        throw new NoImageError(
          `open the image "${this.name}" for reading: it holds none; open it for writing first`,
        );
      }
      this.#file.transaction(() => this.#file.database.exec(SCHEMA));
    }
    if (format === 1) this.#addRecentTable();
  }

  /** The version of the format; 0 where there is no image yet. */
  #format(): number {
    const table = this.#file.get("SELECT 1 AS x FROM sqlite_schema WHERE name = 'image_meta'");
    if (table === undefined) return 0;
    const row = this.#file.get("SELECT value FROM image_meta WHERE key = 'format'");
    return Number(row?.value ?? 0);
  }

  /** From version 1 to 2. */
  #addRecentTable(): void {
    if (this.readOnly) {
      throw new ImageError(
        `open the image "${this.name}" for reading: it has format 1; open it for writing once, which brings it up to date`,
      );
    }
    this.#file.transaction(() =>
      this.#file.database.exec(
        `${RECENT_TABLE}; UPDATE image_meta SET value = 2 WHERE key = 'format'`,
      )
    );
  }

  newestTransaction(): number {
    return this.#file.use("read", () => {
      this.#catchUp();
      return this.#recent.newest;
    });
  }

  /** Takes in what others committed since the last look. */
  #catchUp(): void {
    // What this connection writes does not count as a change: `write` notes that itself.
    const version = Number(this.#file.get("PRAGMA data_version")!.data_version);
    if (version === this.#dataVersion) return;
    this.#looks++;
    if (this.#dataVersion < 0) this.#recent.forget();
    // One statement, for it is to see one state of the file. Rows that are looked for from the first on are found wherever a flipped
    // bit put them.
    const rows = this.#file.all(
      `SELECT recent.*, (SELECT max(tid) FROM image_transaction) AS placed,
          (SELECT time FROM image_transaction ORDER BY tid DESC LIMIT 1) AS placed_time,
          (SELECT value FROM image_meta WHERE key = 'packed') AS packed_to
        FROM (SELECT 1) LEFT JOIN image_recent AS recent ON recent.tid > ? ORDER BY recent.tid`,
      this.#dataVersion < 0 ? -1 : this.#recent.newest,
    );
    const { placed, placed_time, packed_to } = rows[0]!;
    this.#packed = Number(packed_to ?? 0);
    this.#recent.place(Number(placed ?? 0), Number(placed_time ?? 0));
    for (const row of rows) {
      if (row.tid === null) continue;
      // Their numbers have no gap, so the place of a row says what its number was when it was written.
      const tid = this.#recent.newest + 1;
      this.#recent.add(unpackRecent({ ...transactionColumns(row), tid }, row.packed));
    }
    this.#dataVersion = version;
  }

  packedTo(): number {
    if (this.#dataVersion < 0) this.newestTransaction();
    return this.#packed;
  }

  load(oid: Oid, tid: number): Revision | undefined {
    return this.#file.use(`read object ${oid} of`, () => {
      if (this.#dataVersion < 0) this.#catchUp();
      const recent = this.#recent.load(oid, tid);
      if (recent !== undefined) return revisionOf(recent);
      const row = this.#file.get(
        "SELECT tid, crc, data FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC LIMIT 1",
        oid,
        tid,
      );
      return row && revisionOf(revisionColumns(oid, row));
    });
  }

  revisions(oid: Oid): Revision[] {
    return this.#file.use(`read object ${oid} of`, () => {
      this.#catchUp();
      const recent = this.#recent.revisions(oid);
      const placed = this.#file.all(
        "SELECT tid, crc, data FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC",
        oid,
        this.#recent.placed,
      );
      return [...recent, ...placed.map((row) => revisionColumns(oid, row))].map(revisionOf);
    });
  }

  revisionIds(oid: Oid): number[] {
    return this.#file.use(`read object ${oid} of`, () => {
      this.#catchUp();
      return [...this.#recent.revisions(oid).map(({ tid }) => tid), ...this.#placedIds(oid)];
    });
  }

  #placedIds(oid: Oid): number[] {
    return this.#file.all(
      "SELECT tid FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC",
      oid,
      this.#recent.placed,
    ).map(({ tid }) => Number(tid));
  }

  transaction(tid: number): StoredTransaction | undefined {
    return this.transactions({ after: tid - 1, upTo: tid })[0];
  }

  transactions(
    { after = 0, upTo = Infinity, newestFirst = false, limit = Infinity }: Parameters<
      ImageStore["transactions"]
    >[0],
  ): StoredTransaction[] {
    return this.#file.use("read the transactions of", () => {
      this.#catchUp();
      const recent = this.#recent.between(after, upTo);
      const placed = this.#file.all(
        `SELECT tid, time, user, description, oids, crc FROM image_transaction WHERE tid > ? AND tid <= ?
          ORDER BY tid ${newestFirst ? "DESC" : "ASC"} LIMIT ?`,
        after,
        Math.min(upTo, this.#recent.placed),
        Number.isFinite(limit) ? limit : -1,
      ).map(transactionColumns);
      const all = newestFirst ? [...recent.reverse(), ...placed] : [...placed, ...recent];
      return all.slice(0, limit).map(transactionOf);
    });
  }

  oids(tid: number, from: Oid, limit: number): Oid[] {
    return this.#file.use("read", () => {
      this.#catchUp();
      const placed = this.#file.all(
        "SELECT DISTINCT oid FROM image_revision WHERE oid >= ? AND tid <= ? ORDER BY oid LIMIT ?",
        from,
        tid,
        limit,
      ).map(({ oid }) => Number(oid));
      const recent = this.#recent.oids(tid, from);
      if (recent.length === 0) return placed;
      return [...new Set([...placed, ...recent])].sort((a, b) => a - b).slice(0, limit);
    });
  }

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

  write<T>(options: WriteOptions, work: (writing: Writing) => T): { tid: number; result: T } {
    return this.#file.use("write to", () => {
      const early = options.locked ? undefined : this.#draftEarly(options, work);
      const { tid, result } = early !== undefined && this.#append(early)
        ? early
        : this.#write(() =>
          this.#put(early?.looks === this.#looks ? early : this.#draft(options, work))
        );
      return { tid, result };
    });
  }

  /** A transaction on what is known; what `work` throws then is said when it throws it again, with the others locked out. */
  #draftEarly<T>(options: WriteOptions, work: (writing: Writing) => T): Draft<T> | undefined {
    if (this.#dataVersion < 0) return undefined;
    try {
      return this.#draft(options, work);
    } catch {
      return undefined;
    }
  }

  #draft<T>(options: WriteOptions, work: (writing: Writing) => T): Draft<T> {
    const { user, description, locked, force } = options;
    const looks = this.#looks;
    const previous = this.#recent.newest;
    const tid = previous + 1;
    const revisions: RevisionRow[] = [];
    let size = user.length + description.length;
    const result = work({
      tid,
      previous,
      packed: this.#packed,
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
    const time = Math.max(options.time, this.#recent.newestTime);
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
    const { count } = this.#recent;
    const fits = !isLarge && count > 0 && count < MOST_RECENT;
    if (transaction === undefined || !fits || looks !== this.#looks) return false;
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
    this.#recent.add(transaction);
    return true;
  }

  #newestRevision(oid: Oid): number {
    return this.#recent.load(oid, Infinity)?.tid ??
      Number(
        this.#file.get(
          "SELECT tid FROM image_revision WHERE oid = ? ORDER BY tid DESC LIMIT 1",
          oid,
        )
          ?.tid ?? 0,
      );
  }

  restore(transaction: TransactionInfo, revisions: readonly Revision[]): void {
    this.#file.use("write to", () =>
      this.#write(() => {
        const { newest } = this.#recent;
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

  drop(tid: number, select: () => Dropped): void {
    this.#file.use("write to", () =>
      this.#write(() => {
        const { revisions, transactions } = select();
        this.#placeRecent();
        this.#file.run("UPDATE image_meta SET value = max(value, ?) WHERE key = 'packed'", tid);
        for (const { oid, tid } of revisions) {
          this.#file.run("DELETE FROM image_revision WHERE oid = ? AND tid = ?", oid, tid);
        }
        for (const tid of transactions) {
          this.#file.run("DELETE FROM image_transaction WHERE tid = ?", tid);
        }
        this.#dataVersion = -1;
      }));
  }

  compact(): boolean {
    return this.#file.use("compact", () => {
      const free = this.#file.pragma("freelist_count") / this.#file.pragma("page_count");
      if (free >= WORTH_COMPACTING) this.#file.giveBackRoom();
      // The file shrinks when the log goes into it.
      this.#file.emptyLog();
      this.#dataVersion = -1;
      return free >= WORTH_COMPACTING;
    });
  }

  transactionIds(after: number, limit: number): number[] {
    return this.#file.use("read the transactions of", () => {
      this.#catchUp();
      const placed = this.#file.all(
        "SELECT tid FROM image_transaction WHERE tid > ? AND tid <= ? ORDER BY tid LIMIT ?",
        after,
        this.#recent.placed,
        limit,
      );
      const recent = this.#recent.between(after, Infinity);
      return [...placed, ...recent].slice(0, limit).map(({ tid }) => Number(tid));
    });
  }

  *problems(): Iterable<StoreProblem> {
    const check = `PRAGMA integrity_check(${MOST_FILE_PROBLEMS})`;
    for (const row of this.#file.use("check", () => this.#file.all(check))) {
      yield* fileProblems(String(Object.values(row)[0]));
    }
  }

  close(): void {
    this.#file.close();
  }

  /** Does something in a transaction of its own, with all that others committed before it known. */
  #write<T>(work: () => T): T {
    try {
      return this.#file.transaction(() => {
        this.#catchUp();
        return work();
      });
    } catch (error) {
      // What was noted of it did not come to be.
      this.#dataVersion = -1;
      throw error;
    }
  }

  /** Puts a transaction where it belongs, in the open one. */
  #put<T>(draft: Draft<T>): Draft<T> {
    const { transaction, isLarge } = draft;
    if (transaction === undefined) return draft;
    if (isLarge || this.#recent.count >= MOST_RECENT) this.#placeRecent();
    if (isLarge) this.#place(transaction);
    else {
      const { row, revisions } = transaction;
      this.#file.insert("image_recent", [[...transactionValues(row), packRevisions(revisions)]]);
      this.#recent.add(transaction);
    }
    return draft;
  }

  /** Puts a transaction in its place; none may be left that is older and is not. */
  #place({ row, revisions }: Pick<RecentTransaction, "row" | "revisions">): void {
    this.#file.insert("image_revision", revisions.map(revisionValues));
    this.#file.insert("image_transaction", [transactionValues(row)]);
    this.#recent.place(row.tid, row.time);
  }

  /** Moves all transactions to their places, damage and all. */
  #placeRecent(): void {
    const { all, newest, newestTime } = this.#recent;
    if (all.length === 0) return;
    const unclear = all.find(({ isUnclear }) => isUnclear)?.row.tid;
    if (unclear !== undefined) {
      throw new DamagedImageError(
        `write to the image "${this.name}": transaction ${unclear} is damaged, and what it wrote is not known; copy what can be read to a new file`,
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
    this.#recent.place(newest, newestTime);
  }
}
