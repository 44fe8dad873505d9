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
 * first, in its own transaction. Versions: 1 had no `image_recent`. The tables of the index are somebody else's (`user_version` too).
 * What must hold: SQLite runs in WAL mode with `synchronous = FULL`, so what a commit gave back is on the disk; a torn write is cut off
 * by SQLite at the last commit; a newer format is refused and not touched.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { DamagedImageError, ImageError, NewerImageError, NoImageError } from "./errors.ts";
import { explainSqlite, fileProblems } from "./explain_sqlite.ts";
import {
  type Dropped,
  FIRST_FREE_OID,
  type ImageStore,
  type Revision,
  type StoredTransaction,
  type StoreProblem,
  type TransactionInfo,
  type Writing,
} from "./image_store.ts";
import {
  packedSize,
  packRevisions,
  type RecentTransaction,
  RecentTransactions,
  unpackRecent,
} from "./recent_transactions.ts";
import {
  revisionColumns,
  revisionCrc,
  revisionOf,
  type RevisionRow,
  revisionValues,
  type Row,
  transactionColumns,
  transactionOf,
  transactionRow,
  transactionValues,
} from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/** Rises when a store of the version before could not read what this one writes. */
export const FORMAT = 2;
/** How long a statement waits for another process's commit. Commits take well under a second. */
const BUSY_MS = 10_000;
/** Share of the file that must be free for it to be written anew, index and all: less is soon used again. */
const WORTH_COMPACTING = 1 / 8;
/** Problems of the file that are listed; more of them say nothing new. */
const MOST_FILE_PROBLEMS = 20;
/**
 * Transactions in `image_recent` at most. Moving them costs a few pages, which a hundred commits share; reading them costs whoever opens
 * the image less than a millisecond.
 */
const MOST_RECENT = 128;
/** What one of them takes at most, in bytes: a quarter of a page. What is larger has pages of its own to fill. */
const LARGEST_RECENT = 2_048;

/** Rows that one statement inserts: a call costs more than its row, and from here on little is left to gain. */
const ROWS_AT_ONCE = 16;

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

/** See the module text. */
export class SqliteImageStore implements ImageStore {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #recent = new RecentTransactions();
  /** Of SQLite, when `#recent` was last compared with the file; -1 when it is to be read anew. */
  #dataVersion = -1;
  #packed = 0;
  #inWal = false;
  #closed = false;

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
    try {
      this.#database = new DatabaseSync(path, { readOnly, timeout: BUSY_MS });
    } catch (error) {
      throw this.#explain(error, "open");
    }
    try {
      // The page size is that of the index, whoever of the two makes the file.
      if (!readOnly) this.#database.exec("PRAGMA page_size = 8192; PRAGMA synchronous = FULL");
      const format = this.#format();
      if (format > FORMAT) {
        throw new NewerImageError(
          `open the image "${path}": it has format ${format}, this version reads up to ${FORMAT}; update batos`,
        );
      }
      if (format === 0) {
        if (readOnly) {
          throw new NoImageError(
            `open the image "${path}" for reading: it holds none; open it for writing first`,
          );
        }
        this.#transaction(() => this.#database.exec(SCHEMA));
      }
      if (format === 1) this.#addRecentTable();
    } catch (error) {
      this.#database.close();
      throw this.#explain(error, "open");
    }
  }

  /** The version of the format; 0 where there is no image yet. */
  #format(): number {
    if (this.#get("SELECT 1 AS x FROM sqlite_schema WHERE name = 'image_meta'") === undefined) {
      return 0;
    }
    return this.#meta("format");
  }

  /** From version 1 to 2. */
  #addRecentTable(): void {
    if (this.readOnly) {
      throw new ImageError(
        `open the image "${this.name}" for reading: it has format 1; open it for writing once, which brings it up to date`,
      );
    }
    this.#transaction(() => {
      this.#database.exec(`${RECENT_TABLE}; UPDATE image_meta SET value = 2 WHERE key = 'format'`);
    });
  }

  newestTransaction(): number {
    this.#requireOpen("read");
    return this.#explained("read", () => {
      this.#catchUp();
      return this.#recent.newest;
    });
  }

  /** Takes in what others committed since the last look. */
  #catchUp(): void {
    // What this connection writes does not count as a change: `write` notes that itself.
    const version = Number(this.#get("PRAGMA data_version")!.data_version);
    if (version === this.#dataVersion) return;
    if (this.#dataVersion < 0) this.#recent.forget();
    // One statement, for it is to see one state of the file. Rows that are looked for from the first on are found wherever a flipped
    // bit put them.
    const rows = this.#all(
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
    this.#requireOpen("read");
    if (this.#dataVersion < 0) this.newestTransaction();
    return this.#packed;
  }

  load(oid: Oid, tid: number): Revision | undefined {
    this.#requireOpen("read");
    return this.#explained(`read object ${oid} of`, () => {
      if (this.#dataVersion < 0) this.#catchUp();
      const recent = this.#recent.load(oid, tid);
      if (recent !== undefined) return revisionOf(recent);
      const row = this.#get(
        "SELECT tid, crc, data FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC LIMIT 1",
        oid,
        tid,
      );
      return row && revisionOf(revisionColumns(oid, row));
    });
  }

  revisions(oid: Oid): Revision[] {
    this.#requireOpen("read");
    return this.#explained(`read object ${oid} of`, () => {
      this.#catchUp();
      const recent = this.#recent.revisions(oid);
      const placed = this.#all(
        "SELECT tid, crc, data FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC",
        oid,
        this.#recent.placed,
      );
      return [...recent, ...placed.map((row) => revisionColumns(oid, row))].map(revisionOf);
    });
  }

  revisionIds(oid: Oid): number[] {
    this.#requireOpen("read");
    return this.#explained(`read object ${oid} of`, () => {
      this.#catchUp();
      return [...this.#recent.revisions(oid).map(({ tid }) => tid), ...this.#placedIds(oid)];
    });
  }

  #placedIds(oid: Oid): number[] {
    return this.#all(
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
    this.#requireOpen("read");
    return this.#explained("read the transactions of", () => {
      this.#catchUp();
      const recent = this.#recent.between(after, upTo);
      const placed = this.#all(
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
    this.#requireOpen("read");
    return this.#explained("read", () => {
      this.#catchUp();
      const placed = this.#all(
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
    this.#requireOpen("write to");
    return this.#explained("write to", () => {
      this.#enterWal();
      // Not flushed: the log is flushed in order, so whoever commits an object of this run flushes this with it.
      this.#database.exec("PRAGMA synchronous = NORMAL");
      try {
        const row = this.#get(
          "UPDATE image_meta SET value = value + ? WHERE key = 'next_oid' RETURNING value",
          count,
        );
        return Number(row!.value) - count;
      } finally {
        this.#database.exec("PRAGMA synchronous = FULL");
      }
    });
  }

  write<T>(
    { force = false, ...info }: {
      time: number;
      user: string;
      description: string;
      force?: boolean;
    },
    work: (writing: Writing) => T,
  ): { tid: number; result: T } {
    this.#requireOpen("write to");
    return this.#explained("write to", () =>
      this.#transaction(() => {
        this.#catchUp();
        const previous = this.#recent.newest;
        const tid = previous + 1;
        const revisions: RevisionRow[] = [];
        let size = info.user.length + info.description.length;
        const result = work({
          tid,
          previous,
          packed: this.#packed,
          database: this.#database,
          newest: (oid) => this.#newestRevision(oid),
          put: (oid, data) => {
            revisions.push({ oid, tid, data, crc: revisionCrc(oid, tid, data) });
            size += packedSize(data);
          },
        });
        if (revisions.length === 0 && !force) return { tid: previous, result };
        revisions.sort((a, b) => a.oid - b.oid);
        const row = transactionRow({
          ...info,
          tid,
          time: Math.max(info.time, this.#recent.newestTime),
          oids: revisions.map(({ oid }) => oid),
        });
        const isLarge = size > LARGEST_RECENT;
        if (isLarge || this.#recent.count >= MOST_RECENT) this.#placeRecent();
        if (isLarge) this.#place({ row, revisions });
        else this.#putRecent({ row, revisions, isUnclear: false });
        return { tid, result };
      }));
  }

  #newestRevision(oid: Oid): number {
    return this.#recent.load(oid, Infinity)?.tid ??
      Number(
        this.#get("SELECT tid FROM image_revision WHERE oid = ? ORDER BY tid DESC LIMIT 1", oid)
          ?.tid ?? 0,
      );
  }

  restore(transaction: TransactionInfo, revisions: readonly Revision[]): void {
    this.#requireOpen("write to");
    this.#explained("write to", () =>
      this.#transaction(() => {
        this.#catchUp();
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
        this.#run("UPDATE image_meta SET value = max(value, ?) WHERE key = 'next_oid'", next);
      }));
  }

  drop(tid: number, select: () => Dropped): void {
    this.#requireOpen("write to");
    this.#explained("write to", () =>
      this.#transaction(() => {
        this.#catchUp();
        const { revisions, transactions } = select();
        this.#placeRecent();
        this.#run("UPDATE image_meta SET value = max(value, ?) WHERE key = 'packed'", tid);
        for (const { oid, tid } of revisions) {
          this.#run("DELETE FROM image_revision WHERE oid = ? AND tid = ?", oid, tid);
        }
        for (const tid of transactions) {
          this.#run("DELETE FROM image_transaction WHERE tid = ?", tid);
        }
        this.#dataVersion = -1;
      }));
  }

  compact(): boolean {
    this.#requireOpen("compact");
    return this.#explained("compact", () => {
      const pragma = (name: string) => Number(Object.values(this.#get(`PRAGMA ${name}`)!)[0]);
      const isWorth = pragma("freelist_count") >= pragma("page_count") * WORTH_COMPACTING;
      this.#statements.clear();
      if (isWorth) this.#database.exec("VACUUM");
      // The file shrinks when the log goes into it.
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      this.#dataVersion = -1;
      return isWorth;
    });
  }

  transactionIds(after: number, limit: number): number[] {
    this.#requireOpen("read");
    return this.#explained("read the transactions of", () => {
      this.#catchUp();
      const placed = this.#all(
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
    this.#requireOpen("check");
    for (
      const row of this.#explained(
        "check",
        () => this.#all(`PRAGMA integrity_check(${MOST_FILE_PROBLEMS})`),
      )
    ) {
      yield* fileProblems(String(Object.values(row)[0]));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    if (this.#inWal) {
      try {
        // A reader of a read-only folder cannot open a file in WAL mode.
        this.#database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE");
      } catch {
        // Somebody else has it open: the last one to close does this.
      }
    }
    this.#database.close();
  }

  // --- statements -----------------------------------------------------------------------------------------------------

  /** Appends a transaction to those that are not in their places. */
  #putRecent(transaction: RecentTransaction): void {
    const { row, revisions } = transaction;
    this.#run(
      "INSERT INTO image_recent VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...transactionValues(row),
      packRevisions(revisions),
    );
    this.#recent.add(transaction);
  }

  /** Puts a transaction in its place; none may be left that is older and is not. */
  #place({ row, revisions }: Pick<RecentTransaction, "row" | "revisions">): void {
    this.#insert("image_revision", revisions.map(revisionValues));
    this.#insert("image_transaction", [transactionValues(row)]);
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
    this.#insert("image_revision", all.flatMap(({ revisions }) => revisions.map(revisionValues)));
    this.#insert("image_transaction", all.map(({ row }) => transactionValues(row)));
    this.#run("DELETE FROM image_recent");
    this.#recent.place(newest, newestTime);
  }

  #insert(table: string, rows: readonly SQLInputValue[][]): void {
    let at = 0;
    for (; at + ROWS_AT_ONCE <= rows.length; at += ROWS_AT_ONCE) {
      const some = rows.slice(at, at + ROWS_AT_ONCE);
      this.#run(insertion(table, some), ...some.flat());
    }
    for (; at < rows.length; at++) this.#run(insertion(table, [rows[at]!]), ...rows[at]!);
  }

  #meta(key: string): number {
    return Number(this.#get("SELECT value FROM image_meta WHERE key = ?", key)?.value ?? 0);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      this.#statements.set(sql, statement = this.#database.prepare(sql));
    }
    return statement;
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values);
  }

  /** Before the first write: whoever only reads need not wait for the switch. */
  #enterWal(): void {
    if (this.#inWal) return;
    this.#database.exec("PRAGMA journal_mode = WAL");
    this.#inWal = true;
  }

  #transaction<T>(work: () => T): T {
    this.#enterWal();
    this.#statement("BEGIN IMMEDIATE").run();
    try {
      const result = work();
      this.#statement("COMMIT").run();
      return result;
    } catch (error) {
      this.#dataVersion = -1;
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #requireOpen(action: string): void {
    if (this.#closed) {
      throw new ImageError(`${action} the image "${this.name}": it was closed; open it again`);
    }
  }

  #explained<T>(action: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#explain(error, action);
    }
  }

  #explain(error: unknown, action: string): unknown {
    return explainSqlite(error, `${action} the image "${this.name}"`, BUSY_MS);
  }
}

function insertion(table: string, rows: readonly SQLInputValue[][]): string {
  const row = `(${rows[0]!.map(() => "?").join(", ")})`;
  return `INSERT INTO ${table} VALUES ${rows.map(() => row).join(", ")}`;
}
