/**
 * The image in SQLite, in the file that the index lives in too.
 *
 * Owns the tables of the image and every statement on them. The format, version 1:
 *
 *     image_meta(key, value)                        `format`: this version. `next_oid`: the first OID that nobody reserved.
 *                                                   `packed`: up to this transaction a pack may have dropped revisions
 *     image_revision(oid, tid, crc, data)           a state of an object, as `object_record.ts` writes it; null where the
 *                                                   transaction took the object away. Ordered by oid, then tid
 *     image_transaction(tid, time, user, description, oids, crc)
 *                                                   time in milliseconds since 1970; oids as a JSON list of differences: the
 *                                                   first OID, then how much larger each is than the one before
 *
 * `crc` is the CRC-32 of the rest of its row, so that a flipped bit is noticed by whoever reads it. A commit of one object writes
 * two rows and so few pages; everything else, such as what another process changed, is found from them. The tables of the
 * index are somebody else's (`user_version` too). What must hold: SQLite runs in WAL mode with `synchronous = FULL`, so what a commit
 * gave back is on the disk; a torn write is cut off by SQLite at the last commit; a newer format is refused and not touched.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { DamagedImageError, ImageError, NewerImageError } from "./errors.ts";
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
import type { Oid } from "./values.ts";

/** Rises when a store of the version before could not read what this one writes. */
const FORMAT = 1;
/** How long a statement waits for another process's commit. Commits take well under a second. */
const BUSY_MS = 10_000;
/** Problems of the file that are listed; more of them say nothing new. */
const MOST_FILE_PROBLEMS = 20;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS image_meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS image_revision(
    oid INTEGER NOT NULL, tid INTEGER NOT NULL, crc INTEGER NOT NULL, data TEXT, PRIMARY KEY(oid, tid)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS image_transaction(
    tid INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, description TEXT NOT NULL, oids TEXT NOT NULL,
    crc INTEGER NOT NULL);
  INSERT OR IGNORE INTO image_meta VALUES ('format', ${FORMAT}), ('next_oid', ${FIRST_FREE_OID}), ('packed', 0);
`;

type Row = Record<string, unknown>;

/** See the module text. */
export class SqliteImageStore implements ImageStore {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #dataVersion = -1;
  #newest = 0;
  #packed = 0;
  #inWal = false;
  #closed = false;

  /**
   * Opens the image in the file at `path`; makes both where there is none.
   *
   * @throws {NewerImageError} when a later version wrote it
   * @throws {DamagedImageError} when SQLite cannot read the file
   * @throws {ImageError} when it is to be read and holds no image
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
          throw new ImageError(
            `open the image "${path}" for reading: it holds none; open it for writing first`,
          );
        }
        this.#transaction(() => this.#database.exec(SCHEMA));
      }
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

  newestTransaction(): number {
    this.#requireOpen("read");
    return this.#explained("read", () => {
      // What this connection writes does not count as a change: `write` notes that itself.
      const version = Number(this.#get("PRAGMA data_version")!.data_version);
      if (version !== this.#dataVersion) {
        this.#newest = this.#newestStored();
        this.#packed = this.#meta("packed");
        this.#dataVersion = version;
      }
      return this.#newest;
    });
  }

  #newestStored(): number {
    return Number(this.#get("SELECT max(tid) AS tid FROM image_transaction")!.tid ?? 0);
  }

  packedTo(): number {
    this.#requireOpen("read");
    if (this.#dataVersion < 0) this.newestTransaction();
    return this.#packed;
  }

  load(oid: Oid, tid: number): Revision | undefined {
    this.#requireOpen("read");
    return this.#explained(`read object ${oid} of`, () => {
      const row = this.#get(
        "SELECT tid, crc, data FROM image_revision WHERE oid = ? AND tid <= ? ORDER BY tid DESC LIMIT 1",
        oid,
        tid,
      );
      return row && revisionOf(oid, row);
    });
  }

  revisions(oid: Oid): Revision[] {
    this.#requireOpen("read");
    return this.#explained(`read object ${oid} of`, () =>
      this.#all(
        "SELECT tid, crc, data FROM image_revision WHERE oid = ? ORDER BY tid DESC",
        oid,
      ).map((row) => revisionOf(oid, row)));
  }

  revisionIds(oid: Oid): number[] {
    this.#requireOpen("read");
    return this.#explained(
      `read object ${oid} of`,
      () =>
        this.#all("SELECT tid FROM image_revision WHERE oid = ? ORDER BY tid DESC", oid)
          .map(({ tid }) => Number(tid)),
    );
  }

  transaction(tid: number): StoredTransaction | undefined {
    return this.transactions({ after: tid - 1, upTo: tid })[0];
  }

  transactions(
    { after = 0, upTo = Number.MAX_SAFE_INTEGER, newestFirst = false, limit = -1 }: Parameters<
      ImageStore["transactions"]
    >[0],
  ): StoredTransaction[] {
    this.#requireOpen("read");
    const end = Math.min(upTo, Number.MAX_SAFE_INTEGER);
    return this.#explained("read the transactions of", () =>
      this.#all(
        `SELECT tid, time, user, description, oids, crc FROM image_transaction WHERE tid > ? AND tid <= ?
          ORDER BY tid ${newestFirst ? "DESC" : "ASC"} LIMIT ?`,
        after,
        end,
        Number.isFinite(limit) ? limit : -1,
      ).map(transactionOf));
  }

  oids(tid: number, from: Oid, limit: number): Oid[] {
    this.#requireOpen("read");
    return this.#explained("read", () =>
      this.#all(
        "SELECT DISTINCT oid FROM image_revision WHERE oid >= ? AND tid <= ? ORDER BY oid LIMIT ?",
        from,
        tid,
        limit,
      ).map(({ oid }) => Number(oid)));
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
        const last = this.#get(
          `SELECT tid, time, (SELECT value FROM image_meta WHERE key = 'packed') AS packed
            FROM image_transaction ORDER BY tid DESC LIMIT 1`,
        ) as { tid: number; time: number; packed: number } | undefined;
        const previous = last?.tid ?? 0;
        const tid = previous + 1;
        const oids: Oid[] = [];
        const result = work({
          tid,
          previous,
          packed: last?.packed ?? 0,
          database: this.#database,
          newest: (oid) =>
            Number(
              this.#get(
                "SELECT tid FROM image_revision WHERE oid = ? ORDER BY tid DESC LIMIT 1",
                oid,
              )
                ?.tid ?? 0,
            ),
          put: (oid, data) => {
            this.#putRevision({ oid, tid, data });
            oids.push(oid);
          },
        });
        if (oids.length === 0 && !force) return { tid: previous, result };
        this.#putTransaction({
          ...info,
          tid,
          time: Math.max(info.time, last?.time ?? 0),
          oids: oids.sort((a, b) => a - b),
        });
        this.#newest = tid;
        return { tid, result };
      }));
  }

  restore(transaction: TransactionInfo, revisions: readonly Revision[]): void {
    this.#requireOpen("write to");
    this.#explained("write to", () =>
      this.#transaction(() => {
        const newest = this.#newestStored();
        if (transaction.tid <= newest) {
          throw new ImageError(
            `restore transaction ${transaction.tid}: the newest here is ${newest}; copy into an empty store`,
          );
        }
        for (const revision of revisions) this.#putRevision(revision);
        const oids = revisions.map(({ oid }) => oid).sort((a, b) => a - b);
        this.#putTransaction({ ...transaction, oids });
        const next = (oids.at(-1) ?? 0) + 1;
        this.#run(
          "UPDATE image_meta SET value = max(value, ?) WHERE key = 'next_oid'",
          next,
        );
        this.#newest = transaction.tid;
      }));
  }

  drop(tid: number, select: () => Dropped): void {
    this.#requireOpen("write to");
    this.#explained("write to", () =>
      this.#transaction(() => {
        const { revisions, transactions } = select();
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

  *problems(): Iterable<StoreProblem> {
    this.#requireOpen("check");
    for (
      const row of this.#explained(
        "check",
        () => this.#all(`PRAGMA integrity_check(${MOST_FILE_PROBLEMS})`),
      )
    ) {
      const problem = String(Object.values(row)[0]);
      if (problem !== "ok") yield { problem: `the file: ${problem}` };
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

  #putRevision({ oid, tid, data }: Revision): void {
    this.#run(
      "INSERT INTO image_revision(oid, tid, crc, data) VALUES (?, ?, ?, ?)",
      oid,
      tid,
      revisionCrc(oid, tid, data),
      data,
    );
  }

  #putTransaction({ tid, time, user, description, oids }: StoredTransaction): void {
    const differences = JSON.stringify(oids.map((oid, at) => at === 0 ? oid : oid - oids[at - 1]!));
    this.#run(
      "INSERT INTO image_transaction(tid, time, user, description, oids, crc) VALUES (?, ?, ?, ?, ?, ?)",
      tid,
      time,
      user,
      description,
      differences,
      transactionCrc(tid, time, user, description, differences),
    );
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
      this.#newest = -1;
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

  /** SQLite's own errors in our words; all others as they are. */
  #explain(error: unknown, action: string): unknown {
    if (!(error instanceof Error) || (error as { code?: string }).code !== "ERR_SQLITE_ERROR") {
      return error;
    }
    const what = `${action} the image "${this.name}"`;
    const { message } = error;
    if (/disk is full|SQLITE_FULL/i.test(message)) {
      return new ImageError(
        `${what}: no space is left on the disk, nothing was changed; make room and try again`,
        { cause: error },
      );
    }
    if (/malformed|not a database|corrupt/i.test(message)) {
      return new DamagedImageError(
        `${what}: ${message}; "image check" says what is damaged, and what can be read can be copied to a new file`,
      );
    }
    if (/locked|busy/i.test(message)) {
      return new ImageError(
        `${what}: another process has been writing for more than ${
          BUSY_MS / 1000
        } s; wait for it to end`,
        { cause: error },
      );
    }
    return new ImageError(`${what}: ${message}`, { cause: error });
  }
}

function revisionCrc(oid: Oid, tid: number, data: string | null): number {
  return crc32(data === null ? `${oid} ${tid} gone` : `${oid} ${tid} text ${data}`);
}

function transactionCrc(
  tid: number,
  time: number,
  user: string,
  description: string,
  oids: string,
): number {
  return crc32(JSON.stringify([tid, time, user, description, oids]));
}

function revisionOf(oid: Oid, row: Row): Revision {
  const tid = Number(row.tid);
  const data = row.data as string | null;
  if (row.crc !== revisionCrc(oid, tid, data)) {
    throw new DamagedImageError(
      `read object ${oid}: its revision ${tid} is not what was written (checksum); older revisions may be whole, see its history`,
      oid,
      tid,
    );
  }
  return { oid, tid, data };
}

function transactionOf(row: Row): StoredTransaction {
  const [tid, time] = [Number(row.tid), Number(row.time)];
  const [user, description, text] = [row.user, row.description, row.oids].map(String) as [
    string,
    string,
    string,
  ];
  if (row.crc !== transactionCrc(tid, time, user, description, text)) {
    throw new DamagedImageError(
      `read transaction ${tid}: it is not what was written (checksum)`,
      undefined,
      tid,
    );
  }
  let last = 0;
  const oids = (JSON.parse(text) as number[]).map((difference) => last += difference);
  return { tid, time, user, description, oids };
}
