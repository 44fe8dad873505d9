/**
 * The tables of an image, read one row at a time: what is left of a damaged file, and how much there is in a whole one.
 *
 * Owns reading past what SQLite takes for the end. `sqlite_store.ts` owns the format. What must hold: nothing is ever written; a row
 * whose checksum is wrong is never given; damage in one row costs no other.
 */
import { DatabaseSync, type DatabaseSyncOptions, type SQLInputValue } from "node:sqlite";
import { Buffer } from "node:buffer";
import { DamagedImageError, NewerImageError } from "./errors.ts";
import { explainSqlite, fileProblems } from "./explain_sqlite.ts";
import type { Revision, StoredTransaction, StoreProblem } from "./image_store.ts";
import { type RecentTransaction, unpackRecent } from "./recent_transactions.ts";
import { FORMAT } from "./sqlite_store.ts";
import {
  revisionColumns,
  revisionOf,
  type Row,
  transactionColumns,
  transactionOf,
} from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/** How long a statement waits for another process. */
const BUSY_MS = 10_000;

/** See the module text. */
export class ImageTables implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;

  /**
   * @throws {DamagedImageError} when nothing of the file can be read
   * @throws {NewerImageError} when a later version wrote it
   */
  constructor(path: string) {
    this.path = path;
    // Without its defences SQLite can be told to read a file that is shorter than its first page says.
    const options: DatabaseSyncOptions & { defensive: boolean } = {
      readOnly: true,
      timeout: BUSY_MS,
      defensive: false,
    };
    try {
      this.#database = new DatabaseSync(path, options);
    } catch (error) {
      throw this.#explain(error);
    }
    try {
      this.#database.exec("PRAGMA writable_schema = ON");
      this.#all("SELECT 1 FROM sqlite_schema LIMIT 1");
      const format = this.#meta("format");
      if (format > FORMAT) {
        throw new NewerImageError(
          `open the image "${path}": it has format ${format}, this version reads up to ${FORMAT}; update batos`,
        );
      }
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Whether the file has tables of an image, as far as can be seen. */
  get hasImage(): boolean {
    return this.#all(
      "SELECT 1 FROM sqlite_schema WHERE name IN ('image_meta', 'image_revision', 'image_transaction')",
    ).length > 0;
  }

  /** How much there is, without reading a record; undefined where there is no image. */
  totals(): { objects: number; transactions: number; bytes: number } | undefined {
    if (!this.hasImage) return undefined;
    // Of each group SQLite takes the row with the largest tid.
    const placed = this.#all(
      `SELECT coalesce(sum(there), 0) AS objects, coalesce(sum(bytes), 0) AS bytes
        FROM (SELECT data IS NOT NULL AS there, max(tid), sum(octet_length(data)) AS bytes
          FROM image_revision GROUP BY oid)`,
    )[0]!;
    let [objects, bytes] = [Number(placed.objects), Number(placed.bytes)];
    const there = new Map<Oid, boolean>();
    const recent = this.recent();
    for (const { oid, data } of recent.flatMap(({ revisions }) => revisions)) {
      const [was] = there.has(oid) ? [] : this.#all(
        "SELECT data IS NOT NULL AS there FROM image_revision WHERE oid = ? ORDER BY tid DESC LIMIT 1",
        oid,
      );
      objects += Number(data !== null) - Number(there.get(oid) ?? was?.there ?? 0);
      bytes += Buffer.byteLength(data ?? "");
      there.set(oid, data !== null);
    }
    const [{ n } = { n: 0 }] = this.#all("SELECT count(*) AS n FROM image_transaction");
    if (Number(n) + recent.length === 0) return undefined;
    return { objects, transactions: Number(n) + recent.length, bytes };
  }

  /** What SQLite says of the file. */
  problems(): StoreProblem[] {
    return this.#all("PRAGMA integrity_check(20)").flatMap((row) =>
      fileProblems(String(Object.values(row)[0]))
    );
  }

  /** Which revisions stand in their places, from one on; none of them is read. */
  revisionKeys(oid: Oid, tid: number, limit: number): { oid: Oid; tid: number }[] {
    return this.#all(
      "SELECT oid, tid FROM image_revision WHERE (oid, tid) >= (?, ?) ORDER BY oid, tid LIMIT ?",
      oid,
      tid,
      limit,
    ).map((row) => ({ oid: Number(row.oid), tid: Number(row.tid) }));
  }

  /**
   * A revision that stands in its place.
   * @throws {DamagedImageError} when it is not what was written, or not there
   */
  revision(oid: Oid, tid: number): Revision {
    const [row] = this.#all(
      "SELECT tid, crc, data FROM image_revision WHERE oid = ? AND tid = ?",
      oid,
      tid,
    );
    if (row !== undefined) return revisionOf(revisionColumns(oid, row));
    throw new DamagedImageError(`read object ${oid}: its revision ${tid} is missing`, oid, tid);
  }

  /**
   * A transaction that stands in its place.
   * @throws {DamagedImageError} when it is not what was written, or not there
   */
  transaction(tid: number): StoredTransaction {
    const [row] = this.#all("SELECT * FROM image_transaction WHERE tid = ?", tid);
    if (row !== undefined) return transactionOf(transactionColumns(row));
    throw new DamagedImageError(`read transaction ${tid}: it is missing`, undefined, tid);
  }

  /** Transactions that are not in their places yet, whole or not; all that came before one that cannot be read. */
  recent(): RecentTransaction[] {
    const has = this.#all("SELECT 1 FROM sqlite_schema WHERE name = 'image_recent'").length > 0;
    if (!has) return [];
    const placed = this.#tolerant(() =>
      Number(this.#all("SELECT max(tid) AS tid FROM image_transaction")[0]?.tid ?? 0)
    );
    // Their numbers have no gap, so the place of a row says what its number was when it was written.
    return this.#recentRows().map((row, index) => {
      const tid = placed === undefined ? Number(row.tid) : placed + 1 + index;
      return unpackRecent({ ...transactionColumns(row), tid }, row.packed);
    });
  }

  /**
   * Whether all transactions that are not in their places can be read.
   * @throws {DamagedImageError} when not: nothing else tells how many there were
   */
  requireRecent(): void {
    const all = this.#tolerant(() => this.#all("SELECT count(*) FROM image_recent"));
    if (all !== undefined) return;
    throw new DamagedImageError(
      `read the image "${this.path}": its newest, small transactions; how many are lost is not known`,
    );
  }

  #recentRows(): Row[] {
    const all = this.#tolerant(() => this.#all("SELECT * FROM image_recent ORDER BY tid"));
    if (all !== undefined) return all;
    const found: Row[] = [];
    for (let after = -1;;) {
      const some = this.#tolerant(() =>
        this.#all("SELECT * FROM image_recent WHERE tid > ? ORDER BY tid LIMIT 1", after)
      );
      const row = some?.[0];
      if (row === undefined) return found;
      found.push(row);
      after = Number(row.tid);
    }
  }

  /** Up to which transaction a pack may have dropped revisions; 0 where that cannot be read. */
  packedTo(): number {
    return this.#meta("packed");
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #meta(key: string): number {
    const row = this.#tolerant(() =>
      this.#all("SELECT value FROM image_meta WHERE key = ?", key)[0]
    );
    return Number(row?.value ?? 0);
  }

  /** Undefined where damage is in the way. */
  #tolerant<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DamagedImageError)) throw error;
      return undefined;
    }
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.#database.prepare(sql).all(...values) as Row[];
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): unknown {
    // What the schema no longer knows is damage here, where nobody asks for what was never there.
    if (error instanceof Error && error.message.includes("no such table")) {
      return new DamagedImageError(`read the image "${this.path}": ${error.message}`);
    }
    return explainSqlite(error, `read the image "${this.path}"`, BUSY_MS);
  }
}
