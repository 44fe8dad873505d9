/**
 * What of an image in SQLite is known without asking again: its newest transactions, and what packs did.
 *
 * Owns when the file is looked at. What must hold: a look sees one state of the file; what others committed or dropped is known after the
 * next look; what this connection writes is noted by whoever writes it (`sqlite_writer.ts`).
 */
import { RecentTransactions, unpackRecent } from "./recent_transactions.ts";
import type { SqliteConnection } from "./sqlite_connection.ts";
import { transactionColumns } from "./stored_rows.ts";

/** See the module text. */
export class KnownTransactions {
  readonly recent = new RecentTransactions();
  readonly #file: SqliteConnection;
  /** Of SQLite, when this was last compared with the file; -1 when it is to be read anew. */
  #dataVersion = -1;
  #looks = 0;
  #packed = 0;
  #drops = 0;

  constructor(file: SqliteConnection) {
    this.#file = file;
  }

  /** How often something new was found in the file. */
  get looks(): number {
    return this.#looks;
  }

  /** Up to this transaction a pack may have dropped revisions. */
  get packed(): number {
    return this.#packed;
  }

  /** How often something was dropped. */
  get drops(): number {
    return this.#drops;
  }

  /** Whether anything is known. */
  get isKnown(): boolean {
    return this.#dataVersion >= 0;
  }

  /** The next look reads everything anew: what was noted did not come to be, or more changed than was noted. */
  forget(): void {
    this.#dataVersion = -1;
  }

  /** Takes in what others committed since the last look. */
  catchUp(): void {
    // What this connection writes does not count as a change: the writer notes that itself.
    const version = Number(this.#file.get("PRAGMA data_version")!.data_version);
    if (version === this.#dataVersion) return;
    this.#looks++;
    if (this.#dataVersion < 0) this.recent.forget();
    // One statement, for it is to see one state of the file. Rows that are looked for from the first on are found wherever a flipped
    // bit put them.
    const rows = this.#file.all(
      `SELECT recent.*, (SELECT max(tid) FROM image_transaction) AS placed,
          (SELECT time FROM image_transaction ORDER BY tid DESC LIMIT 1) AS placed_time,
          (SELECT value FROM image_meta WHERE key = 'packed') AS packed_to,
          (SELECT value FROM image_meta WHERE key = 'drops') AS drops
        FROM (SELECT 1) LEFT JOIN image_recent AS recent ON recent.tid > ? ORDER BY recent.tid`,
      this.#dataVersion < 0 ? -1 : this.recent.newest,
    );
    const { placed, placed_time, packed_to, drops } = rows[0]!;
    this.#packed = Number(packed_to ?? 0);
    this.#drops = Number(drops ?? 0);
    this.recent.place(Number(placed ?? 0), Number(placed_time ?? 0));
    for (const row of rows) {
      if (row.tid === null) continue;
      // Their numbers have no gap, so the place of a row says what its number was when it was written.
      const tid = this.recent.newest + 1;
      this.recent.add(unpackRecent({ ...transactionColumns(row), tid }, row.packed));
    }
    this.#dataVersion = version;
  }
}
