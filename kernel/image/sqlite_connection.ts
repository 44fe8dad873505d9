/**
 * One connection to the SQLite file of an image.
 *
 * Owns how the file is opened and closed, prepared statements, transactions, and whose words an error has. What must hold: from its
 * first write on the file is in WAL mode with `synchronous = FULL`, so what a commit gave back is on the disk; the last one to close it
 * leaves no log beside it; every error says what was done on which image.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { ImageError } from "./errors.ts";
import { explainSqlite } from "./explain_sqlite.ts";
import type { Row } from "./stored_rows.ts";

/** How long a statement waits for another process's commit. Commits take well under a second. */
const BUSY_MS = 10_000;

/** Rows that one statement inserts: a call costs more than its row, and from here on little is left to gain. */
const ROWS_AT_ONCE = 16;

/** See the module text. */
export class SqliteConnection {
  readonly path: string;
  readonly database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #inWal = false;
  #closed = false;

  /**
   * Opens the file; makes it where there is none and `readOnly` is not set.
   * @throws {DamagedImageError} when SQLite cannot read the file
   */
  constructor(path: string, { readOnly }: { readOnly: boolean }) {
    this.path = path;
    try {
      this.database = new DatabaseSync(path, { readOnly, timeout: BUSY_MS });
    } catch (error) {
      throw this.#explain(error, "open");
    }
    if (readOnly) return;
    this.use("open", () => {
      // Pages are those of the index (`rag/store.ts`), whoever of the two makes the file. Only a new file is told: the second of these
      // statements writes.
      if (this.pragma("page_count") === 0) {
        this.database.exec("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL");
      }
      this.database.exec("PRAGMA synchronous = FULL");
    });
  }

  /**
   * Does something with the open file.
   * @param action for messages, up to `the image "…"`: "read"
   * @throws {ImageError} when it was closed, and for what SQLite says
   */
  use<T>(action: string, work: () => T): T {
    if (this.#closed) {
      throw new ImageError(`${action} the image "${this.path}": it was closed; open it again`);
    }
    try {
      return work();
    } catch (error) {
      throw this.#explain(error, action);
    }
  }

  /** Does something in a transaction of its own, while nobody else writes; what throws leaves nothing. */
  transaction<T>(work: () => T): T {
    this.enterWal();
    this.prepared("BEGIN IMMEDIATE").run();
    try {
      const result = work();
      this.prepared("COMMIT").run();
      return result;
    } catch (error) {
      if (this.database.isTransaction) this.database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Before the first write: whoever only reads need not wait for the switch. */
  enterWal(): void {
    if (this.#inWal) return;
    this.database.exec("PRAGMA journal_mode = WAL");
    this.#inWal = true;
  }

  /** A statement, made once. */
  prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      this.#statements.set(sql, statement = this.database.prepare(sql));
    }
    return statement;
  }

  /** The first row. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.prepared(sql).get(...values) as Row | undefined;
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.prepared(sql).all(...values) as Row[];
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.prepared(sql).run(...values);
  }

  /** What SQLite says of itself, as a number. */
  pragma(name: string): number {
    return Number(Object.values(this.get(`PRAGMA ${name}`)!)[0]);
  }

  /** Puts rows into a table, several at a time. */
  insert(table: string, rows: readonly SQLInputValue[][]): void {
    let at = 0;
    for (; at + ROWS_AT_ONCE <= rows.length; at += ROWS_AT_ONCE) {
      const some = rows.slice(at, at + ROWS_AT_ONCE);
      this.run(insertion(table, some), ...some.flat());
    }
    for (; at < rows.length; at++) this.run(insertion(table, [rows[at]!]), ...rows[at]!);
  }

  /**
   * Gives free pages back to the disk. VACUUM would leave pages fuller as well, but attaches a database to write the file anew, which
   * Deno allows to programs with every permission only.
   */
  giveBackRoom(): void {
    this.database.prepare("PRAGMA incremental_vacuum").all();
  }

  /** Puts the log into the file and empties it, unless somebody reads from it. */
  emptyLog(): void {
    this.enterWal();
    this.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /** A second call does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    if (this.#inWal) {
      try {
        // A reader of a read-only folder cannot open a file in WAL mode.
        this.database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE");
      } catch {
        // Somebody else has it open: the last one to close does this.
      }
    }
    this.database.close();
  }

  #explain(error: unknown, action: string): unknown {
    return explainSqlite(error, `${action} the image "${this.path}"`, BUSY_MS);
  }
}

function insertion(table: string, rows: readonly SQLInputValue[][]): string {
  const row = `(${rows[0]!.map(() => "?").join(", ")})`;
  return `INSERT INTO ${table} VALUES ${rows.map(() => row).join(", ")}`;
}
