/**
 * An image in a file that is damaged: what of it can be read.
 *
 * Owns reading past damage: through SQLite as far as its trees lead, then page by page. What must hold: nothing is ever written; a record
 * whose checksum is wrong is never given; damage on one page costs no row on another; what is lost is named, by object and transaction.
 */
import type { CheckOptions } from "./check.ts";
import { DamagedImageError } from "./errors.ts";
import type { Revision, StoredTransaction, StoreProblem, TransactionInfo } from "./image_store.ts";
import { ImagePages } from "./image_pages.ts";
import { ImageTables } from "./image_tables.ts";
import { decodeRecord } from "./object_record.ts";
import type { RowPlace } from "./page_reader.ts";
import { revisionOf, transactionOf } from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/** Keys, records or pages read before others get a turn: some tens of milliseconds. */
const BATCH = 1_000;

/** Where a revision can be read again: small ones are kept. */
interface Source {
  /** Whether the object was there then. */
  readonly isThere: boolean;
  readonly where: "table" | RowPlace | Revision;
}

/** See the module text. Dispose of it. */
export class DamagedImage implements Disposable {
  /** What was found to be wrong, and what could not be read. */
  lost: StoreProblem[] = [];
  readonly #path: string;
  readonly #options: CheckOptions;
  /** What SQLite can read; undefined where it cannot open the file. */
  readonly #tables: ImageTables | undefined;
  /** Opened where tables alone do not do. */
  #pages: ImagePages | undefined;
  /** Each transaction with the objects of which it left a readable revision. */
  readonly #found = new Map<number, Map<Oid, Source>>();
  /** Transactions whose rows were found on pages. */
  readonly #infos = new Map<number, StoredTransaction>();
  #packed = 0;

  /** @throws {NewerImageError} when a later version wrote it */
  constructor(path: string, options: CheckOptions) {
    this.#path = path;
    this.#options = options;
    this.#tables = this.#try({}, () => new ImageTables(path));
  }

  /** Of what could be read. */
  get counts(): { objects: number; revisions: number; transactions: number } {
    const newest = new Map<Oid, { tid: number; isThere: boolean }>();
    let revisions = 0;
    for (const [tid, oids] of this.#found) {
      revisions += oids.size;
      for (const [oid, { isThere }] of oids) {
        if ((newest.get(oid)?.tid ?? 0) < tid) newest.set(oid, { tid, isThere });
      }
    }
    const objects = [...newest.values()].filter(({ isThere }) => isThere).length;
    return { objects, revisions, transactions: this.#found.size };
  }

  /** Up to which transaction a pack may have dropped revisions; 0 where that cannot be read. */
  get packedTo(): number {
    return this.#packed;
  }

  /** Reads everything once: through SQLite, and where something is wrong, page by page. */
  async look(): Promise<void> {
    if (this.#tables !== undefined) await this.#lookAtTables(this.#tables);
    if (this.lost.length > 0) await this.#lookAtPages();
  }

  async #lookAtTables(tables: ImageTables): Promise<void> {
    this.lost.push(...this.#try({}, () => tables.problems()) ?? []);
    if (this.#try({}, () => tables.hasImage) === false) return;
    this.#packed = tables.packedTo();
    let count = 0;
    for (const { oid, tid } of this.#keys(tables)) {
      const revision = this.#revision(tables, oid, tid);
      if (revision !== undefined) this.#note(revision, "table");
      if (++count % BATCH === 0) await this.#pause(count);
    }
    for (const tid of this.#found.keys()) this.#info(tables, tid);
    this.#try({}, () => tables.requireRecent());
    for (const { row, revisions } of this.#try({}, () => tables.recent()) ?? []) {
      const { tid } = row;
      const info = this.#try({ tid }, () => transactionOf(row));
      if (info !== undefined) this.#infos.set(tid, info);
      for (const one of revisions) {
        const revision = this.#try({ oid: one.oid, tid }, () => checked(revisionOf(one)));
        if (revision !== undefined) this.#note(revision, revision);
      }
    }
  }

  /** Finds what stands on readable pages, and says what of all that was written does not. */
  async #lookAtPages(): Promise<void> {
    const pages = this.#pages = new ImagePages(this.#path);
    for (let number = 1; number <= pages.count; number++) {
      const { revisions, transactions, recent, packed } = pages.page(number);
      for (const transaction of transactions) this.#infos.set(transaction.tid, transaction);
      this.#packed = Math.max(this.#packed, packed);
      for (const one of recent) this.#noteFound(one, one);
      for (const { oid, tid, place } of revisions) {
        if (this.#found.get(tid)?.has(oid)) continue;
        const revision = pages.revision(place);
        if (revision !== undefined) this.#noteFound(revision, place);
      }
      if (number % BATCH === 0) await this.#pause(number);
    }
    this.lost = this.lost.filter(({ oid, tid }) =>
      tid === undefined ||
      !(oid === undefined ? this.#infos : this.#found.get(tid))?.has(oid ?? tid)
    );
    this.#nameMissing();
  }

  #nameMissing(): void {
    const named = new Set(this.lost.map(({ oid, tid }) => `${oid} ${tid}`));
    const name = (problem: string, tid: number, oid?: Oid) => {
      if (named.has(`${oid} ${tid}`)) return;
      this.lost.push({ ...oid !== undefined && { oid }, tid, problem });
    };
    let newest = 0;
    for (const tids of [this.#infos, this.#found]) {
      for (const tid of tids.keys()) newest = Math.max(newest, tid);
    }
    // Numbers have no gap but those that a pack made.
    for (let tid = this.#packed + 1; tid <= newest; tid++) {
      const oids = this.#infos.get(tid)?.oids;
      if (oids === undefined) name(`read transaction ${tid}: it is missing`, tid);
      for (const oid of oids ?? []) {
        if (this.#found.get(tid)?.has(oid)) continue;
        name(`read object ${oid}: its revision ${tid} is missing`, tid, oid);
      }
    }
  }

  #note({ oid, tid, data }: Revision, where: Source["where"]): void {
    const source = { isThere: data !== null, where };
    const known = this.#found.get(tid);
    if (known === undefined) this.#found.set(tid, new Map([[oid, source]]));
    else known.set(oid, source);
  }

  /** A revision from a page, unless it is known, or no record that can be read. */
  #noteFound(revision: Revision, where: Source["where"]): void {
    const { oid, tid } = revision;
    if (this.#found.get(tid)?.has(oid)) return;
    if (this.#try({ oid, tid }, () => checked(revision)) !== undefined) this.#note(revision, where);
  }

  /** Transactions of which something is left, oldest first; what is lost was told by the first look. */
  async *transactions(): AsyncGenerator<{ info: TransactionInfo; revisions: Revision[] }> {
    const known = this.lost.length;
    let [time, count] = [0, 0];
    for (const tid of [...this.#found.keys()].sort((a, b) => a - b)) {
      const info = this.#infos.get(tid) ?? (this.#tables && this.#info(this.#tables, tid)) ??
        unknownInfo(tid, time);
      // Times never fall.
      time = Math.max(time, info.time);
      const revisions: Revision[] = [];
      for (const [oid, { where }] of this.#found.get(tid)!) {
        const revision = where === "table"
          ? this.#revision(this.#tables!, oid, tid)
          : "cell" in where
          ? this.#pages!.revision(where)
          : where;
        if (revision !== undefined) revisions.push(revision);
        if (++count % BATCH === 0) await this.#pause(count);
      }
      const { user, description } = info;
      yield { info: { tid, time, user, description }, revisions };
    }
    this.lost.length = known;
  }

  [Symbol.dispose](): void {
    this.#tables?.[Symbol.dispose]();
    this.#pages?.[Symbol.dispose]();
  }

  /** A revision in its place, if it is what was written. */
  #revision(tables: ImageTables, oid: Oid, tid: number): Revision | undefined {
    return this.#try({ oid, tid }, () => checked(tables.revision(oid, tid)));
  }

  #info(tables: ImageTables, tid: number): TransactionInfo | undefined {
    return this.#try({ tid }, () => tables.transaction(tid));
  }

  /** Which revisions there are, up to a place that cannot be read: what is behind it is found on its pages. */
  *#keys(tables: ImageTables): Generator<{ oid: Oid; tid: number }> {
    for (let [oid, tid] = [0, 0];;) {
      const some = this.#try({}, () => tables.revisionKeys(oid, tid, BATCH)) ?? [];
      yield* some;
      if (some.length < BATCH) return;
      const last = some.at(-1)!;
      [oid, tid] = [last.oid, last.tid + 1];
    }
  }

  #try<T>(where: { oid?: Oid; tid?: number }, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DamagedImageError)) throw error;
      this.lost.push({ ...where, problem: withoutRemedy(error) });
    }
  }

  async #pause(count: number): Promise<void> {
    this.#options.onProgress?.(count);
    await new Promise((done) => setTimeout(done, 0));
    this.#options.signal?.throwIfAborted();
  }
}

/** A revision whose record can be read. */
function checked(revision: Revision): Revision {
  const { oid, tid, data } = revision;
  if (data !== null) decodeRecord(oid, tid, data);
  return revision;
}

/** Of a transaction whose row is lost. */
function unknownInfo(tid: number, time: number): TransactionInfo {
  const description = "read from a damaged file: who and why is lost";
  return {
    tid,
    time: Number.isSafeInteger(time) && time <= Date.now() ? time : 0,
    user: "",
    description,
  };
}

/** What is wrong, in a list that says once what to do. */
export function withoutRemedy({ message }: DamagedImageError): string {
  return message.replace(/; "batos .*$/s, "");
}
