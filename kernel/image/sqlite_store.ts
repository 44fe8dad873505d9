/**
 * The image in SQLite, in the file that the index lives in too.
 *
 * Owns the tables of the image, and reading them; `sqlite_writer.ts` changes what is in them. The format, version 2:
 *
 *     image_meta(key, value)                        `format`: this version. `next_oid`: the first OID that nobody reserved.
 *                                                   `packed`: up to this transaction a pack may have dropped revisions.
 *                                                   `drops`: how often something was dropped; not there where that was never counted
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
import { ImageError, NewerImageError, NoImageError } from "./errors.ts";
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
import { KnownTransactions } from "./known_transactions.ts";
import { SqliteConnection } from "./sqlite_connection.ts";
import { SqliteWriter } from "./sqlite_writer.ts";
import { revisionColumns, revisionOf, transactionColumns, transactionOf } from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/** Rises when a store of the version before could not read what this one writes. */
export const FORMAT = 2;
/** Share of the file that must be free for it to be given back: less is soon used again. */
const WORTH_COMPACTING = 1 / 8;
/** Problems of the file that are listed; more of them say nothing new. */
const MOST_FILE_PROBLEMS = 20;
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
  readonly #file: SqliteConnection;
  readonly #known: KnownTransactions;
  readonly #writer: SqliteWriter;

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
    this.#known = new KnownTransactions(this.#file);
    this.#writer = new SqliteWriter(this.#file, this.#known);
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
      this.#known.catchUp();
      return this.#known.recent.newest;
    });
  }

  packedTo(): number {
    if (!this.#known.isKnown) this.newestTransaction();
    return this.#known.packed;
  }

  drops(): number {
    if (!this.#known.isKnown) this.newestTransaction();
    return this.#known.drops;
  }

  load(oid: Oid, tid: number): Revision | undefined {
    return this.#file.use(`read object ${oid} of`, () => {
      if (!this.#known.isKnown) this.#known.catchUp();
      const recent = this.#known.recent.load(oid, tid);
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
      this.#known.catchUp();
      const recent = this.#known.recent.revisions(oid);
      const placed = this.#file.all(
        "SELECT tid, crc, data FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC",
        oid,
        this.#known.recent.placed,
      );
      return [...recent, ...placed.map((row) => revisionColumns(oid, row))].map(revisionOf);
    });
  }

  revisionIds(oid: Oid): number[] {
    return this.#file.use(`read object ${oid} of`, () => {
      this.#known.catchUp();
      return [...this.#known.recent.revisions(oid).map(({ tid }) => tid), ...this.#placedIds(oid)];
    });
  }

  #placedIds(oid: Oid): number[] {
    return this.#file.all(
      "SELECT tid FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC",
      oid,
      this.#known.recent.placed,
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
      this.#known.catchUp();
      const recent = this.#known.recent.between(after, upTo);
      const placed = this.#file.all(
        `SELECT tid, time, user, description, oids, crc FROM image_transaction WHERE tid > ? AND tid <= ?
          ORDER BY tid ${newestFirst ? "DESC" : "ASC"} LIMIT ?`,
        after,
        Math.min(upTo, this.#known.recent.placed),
        Number.isFinite(limit) ? limit : -1,
      ).map(transactionColumns);
      const all = newestFirst ? [...recent.reverse(), ...placed] : [...placed, ...recent];
      return all.slice(0, limit).map(transactionOf);
    });
  }

  oids(tid: number, from: Oid, limit: number): Oid[] {
    return this.#file.use("read", () => {
      this.#known.catchUp();
      const placed = this.#file.all(
        "SELECT DISTINCT oid FROM image_revision WHERE oid >= ? AND tid <= ? ORDER BY oid LIMIT ?",
        from,
        tid,
        limit,
      ).map(({ oid }) => Number(oid));
      const recent = this.#known.recent.oids(tid, from);
      if (recent.length === 0) return placed;
      return [...new Set([...placed, ...recent])].sort((a, b) => a - b).slice(0, limit);
    });
  }

  reserve(count: number): Oid {
    return this.#writer.reserve(count);
  }

  write<T>(options: WriteOptions, work: (writing: Writing) => T): { tid: number; result: T } {
    return this.#writer.write(options, work);
  }

  restore(transaction: TransactionInfo, revisions: readonly Revision[]): void {
    this.#writer.restore(transaction, revisions);
  }

  drop(tid: number, select: () => Dropped): void {
    this.#writer.drop(tid, select);
  }

  compact(): boolean {
    return this.#file.use("compact", () => {
      const free = this.#file.pragma("freelist_count") / this.#file.pragma("page_count");
      if (free >= WORTH_COMPACTING) this.#file.giveBackRoom();
      // The file shrinks when the log goes into it.
      this.#file.emptyLog();
      this.#known.forget();
      return free >= WORTH_COMPACTING;
    });
  }

  transactionIds(after: number, limit: number): number[] {
    return this.#file.use("read the transactions of", () => {
      this.#known.catchUp();
      const placed = this.#file.all(
        "SELECT tid FROM image_transaction WHERE tid > ? AND tid <= ? ORDER BY tid LIMIT ?",
        after,
        this.#known.recent.placed,
        limit,
      );
      const recent = this.#known.recent.between(after, Infinity);
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
}
