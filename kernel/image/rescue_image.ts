/**
 * The file of an image that may be damaged: what is wrong with it, and how what can be read gets into a new one.
 *
 * Owns reading past damage, and the exchange of the file. What must hold: the old file is never changed, and kept under another name;
 * at every moment a complete file has the name, the old one or the new one; a record whose checksum is wrong is never saved; what
 * could not be saved is counted and named.
 */
import { existsSync, linkSync, renameSync, rmSync } from "node:fs";
import type { BlobFolder } from "./blobs.ts";
import { checkImage, type CheckOptions, type CheckReport } from "./check.ts";
import { DamagedImageError, NoImageError } from "./errors.ts";
import type { Revision, StoreProblem, TransactionInfo } from "./image_store.ts";
import { restoreLostObjects } from "./genesis.ts";
import { Image } from "./image.ts";
import { decodeRecord } from "./object_record.ts";
import { LOBBY_OID } from "./primitives.ts";
import { ImageTables } from "./image_tables.ts";
import type { RecentTransaction } from "./recent_transactions.ts";
import { SqliteImageStore } from "./sqlite_store.ts";
import { revisionOf, transactionOf } from "./stored_rows.ts";
import type { Oid } from "./values.ts";

/** What was saved. */
export interface RescueReport {
  /** Where the damaged file is now. */
  readonly aside: string;
  /** Objects that are there now. */
  readonly objects: number;
  readonly revisions: number;
  readonly transactions: number;
  /** What was found and could not be saved. Of records on pages that are gone nobody knows how many there were. */
  readonly lost: readonly StoreProblem[];
}

/** Keys or records read before others get a turn: some tens of milliseconds. */
const BATCH = 1_000;
/** What is tried last when looking for readable records behind damage: no image has given out so many OIDs. */
const HIGHEST_OID = 2 ** 42;

/**
 * Reads everything in the file and says what is wrong; a file that cannot be opened as it should is read as far as possible.
 *
 * @throws {NoImageError} when a whole file holds no image
 * @throws {NewerImageError} when a later version wrote it
 */
export async function checkImageFile(
  path: string,
  blobs: BlobFolder,
  options: CheckOptions = {},
): Promise<CheckReport> {
  let problem: string;
  try {
    const store = new SqliteImageStore(path, { readOnly: true });
    try {
      if (store.newestTransaction() > 0) return await checkImage(store, blobs, options);
    } finally {
      store.close();
    }
    throw new NoImageError(`check the image "${path}": it holds none`);
  } catch (error) {
    if (!(error instanceof DamagedImageError)) throw error;
    problem = withoutRemedy(error);
  }
  const report = { transactions: 0, objects: 0, revisions: 0, blobs: 0 };
  const damaged = openDamaged(path);
  if (!(damaged instanceof ImageTables)) return { ...report, problems: [{ problem }] };
  try {
    const reader = new Reader(damaged, options);
    await reader.look();
    return { ...report, ...reader.counts, problems: [{ problem }, ...reader.lost] };
  } finally {
    damaged[Symbol.dispose]();
  }
}

/**
 * Puts a new file with everything that can be read of the image in the place of a damaged one. The index is not taken along.
 * Call it with the lock of the workspace held.
 *
 * @param path of the file; need not be there
 * @returns undefined when nothing is wrong with it, or it is not there; then nothing was done
 * @throws {ImageError} when there is no room for the new file; then nothing was done
 * @throws the reason of the signal; then nothing was done
 */
export async function rescueImage(
  path: string,
  options: CheckOptions = {},
): Promise<RescueReport | undefined> {
  if (!existsSync(path)) return undefined;
  const tables = openDamaged(path);
  if (!(tables instanceof ImageTables)) {
    const lost = [{ problem: withoutRemedy(tables) }];
    return { aside: moveAside(path), objects: 0, revisions: 0, transactions: 0, lost };
  }
  const fresh = `${path}.rescued`;
  removeDatabase(fresh); // of a rescue that was killed
  try {
    let saved: Omit<RescueReport, "aside">;
    {
      using _tables = tables;
      const reader = new Reader(tables, options);
      await reader.look();
      if (reader.lost.length === 0) return undefined;
      saved = { ...reader.counts, lost: [...reader.lost] };
      if (saved.revisions > 0) await copy(reader, fresh);
    }
    return { aside: moveAside(path, saved.revisions > 0 ? fresh : undefined), ...saved };
  } finally {
    removeDatabase(fresh);
  }
}

/** Reads what can be read of one file. */
class Reader {
  readonly lost: StoreProblem[] = [];
  readonly #tables: ImageTables;
  readonly #options: CheckOptions;
  /** Objects of which a transaction left a readable revision in its place. */
  readonly #placed = new Map<number, Oid[]>();
  /** Transactions that are not in their places: small and few. */
  readonly #recent = new Map<number, { info: TransactionInfo; revisions: Revision[] }>();
  /** Whether the newest revision of each object says that it is there. */
  readonly #newest = new Map<Oid, { tid: number; isThere: boolean }>();
  #revisions = 0;

  constructor(tables: ImageTables, options: CheckOptions) {
    this.#tables = tables;
    this.#options = options;
  }

  /** Of what could be read. */
  get counts() {
    return {
      objects: [...this.#newest.values()].filter(({ isThere }) => isThere).length,
      revisions: this.#revisions,
      transactions: this.#placed.size + this.#recent.size,
    };
  }

  /** Reads everything once. */
  async look(): Promise<void> {
    this.lost.push(...this.#try({}, () => this.#tables.problems()) ?? []);
    if (this.#try({}, () => this.#tables.hasImage) === false) return;
    let count = 0;
    for (const { oid, tid } of this.#keys()) {
      const revision = this.#revision(oid, tid);
      if (revision !== undefined) {
        this.#note(revision);
        const oids = this.#placed.get(tid);
        if (oids === undefined) this.#placed.set(tid, [oid]);
        else oids.push(oid);
      }
      if (++count % BATCH === 0) await this.#pause(count);
    }
    for (const tid of this.#placed.keys()) this.#info(tid);
    for (const one of this.#try({}, () => this.#tables.recent()) ?? []) this.#lookAtRecent(one);
  }

  #lookAtRecent({ row, revisions, isUnclear }: RecentTransaction): void {
    const { tid, time } = row;
    const info = this.#try({ tid }, () => infoOf(transactionOf(row))) ?? unknownInfo(tid, time);
    if (isUnclear) return;
    const whole = revisions.map((one) =>
      this.#try({ oid: one.oid, tid }, () => checked(revisionOf(one)))
    ).filter((one) => one !== undefined);
    if (whole.length === 0) return;
    for (const one of whole) this.#note(one);
    this.#recent.set(tid, { info, revisions: whole });
  }

  #note({ oid, tid, data }: Revision): void {
    this.#revisions++;
    const known = this.#newest.get(oid);
    if (known === undefined || known.tid < tid) {
      this.#newest.set(oid, { tid, isThere: data !== null });
    }
  }

  /** Transactions of which something is left, oldest first; what is lost was told by the first look. */
  async *transactions(): AsyncGenerator<{ info: TransactionInfo; revisions: Revision[] }> {
    const known = this.lost.length;
    let [time, count] = [0, 0];
    const tids = new Set([...this.#placed.keys(), ...this.#recent.keys()]);
    for (const tid of [...tids].sort((a, b) => a - b)) {
      const recent = this.#recent.get(tid);
      const info = recent?.info ?? this.#info(tid) ?? unknownInfo(tid, time);
      // Times never fall.
      time = Math.max(time, info.time);
      const revisions = [...recent?.revisions ?? []];
      for (const oid of this.#placed.get(tid) ?? []) {
        const revision = this.#revision(oid, tid);
        if (revision !== undefined) revisions.push(revision);
        if (++count % BATCH === 0) await this.#pause(count);
      }
      yield { info: { ...info, time }, revisions };
    }
    this.lost.length = known;
  }

  packedTo(): number {
    return this.#tables.packedTo();
  }

  /** A revision in its place, if it is what was written. */
  #revision(oid: Oid, tid: number): Revision | undefined {
    return this.#try({ oid, tid }, () => checked(this.#tables.revision(oid, tid)));
  }

  #info(tid: number): TransactionInfo | undefined {
    return this.#try({ tid }, () => infoOf(this.#tables.transaction(tid)));
  }

  /** Which revisions there are; where pages cannot be read, those behind them. */
  *#keys(): Generator<{ oid: Oid; tid: number }> {
    let [oid, tid, limit] = [0, 0, BATCH];
    for (;;) {
      const some = this.#keysFrom(oid, tid, limit);
      if (some !== undefined) {
        yield* some;
        if (some.length < limit) return;
        const last = some.at(-1)!;
        [oid, tid, limit] = [last.oid, last.tid + 1, BATCH];
      } else if (limit > 1) {
        limit = Math.ceil(limit / 10);
      } else {
        this.#try(
          { oid },
          () => void this.#tables.revisionKeys(oid, tid, 1),
        );
        const next = this.#nextReadable(oid);
        if (next === undefined) return;
        [oid, tid] = [next, 0];
      }
    }
  }

  #keysFrom(oid: Oid, tid: number, limit: number): { oid: Oid; tid: number }[] | undefined {
    try {
      return this.#tables.revisionKeys(oid, tid, limit);
    } catch (error) {
      if (error instanceof DamagedImageError) return undefined;
      throw error;
    }
  }

  /** The first OID behind an unreadable one at which reading works again: looked for in growing steps, then found by halving. */
  #nextReadable(oid: Oid): Oid | undefined {
    let low = oid;
    for (let step = 1; low + step < HIGHEST_OID; step *= 2) {
      if (this.#keysFrom(low + step, 0, 1) === undefined) low += step;
      else {
        let high = low + step;
        while (high - low > 1) {
          const middle = low + Math.floor((high - low) / 2);
          if (this.#keysFrom(middle, 0, 1) === undefined) low = middle;
          else high = middle;
        }
        return high;
      }
    }
    return undefined;
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

/** Writes what was read into a new file, and what the kernel needs of its own. */
async function copy(reader: Reader, path: string): Promise<void> {
  const to = new SqliteImageStore(path);
  try {
    for await (const { info, revisions } of reader.transactions()) to.restore(info, revisions);
    const newest = to.newestTransaction();
    const packed = Math.min(reader.packedTo(), newest);
    if (packed > 0) to.drop(packed, () => ({ revisions: [], transactions: [] }));
    const hasLobby = to.load(LOBBY_OID, newest)?.data != null;
    using image = await Image.open(to);
    await image.transact((unit) => restoreLostObjects(unit, hasLobby), {
      user: "kernel",
      description: "read from a damaged file",
    });
  } finally {
    to.close();
  }
}

/** A revision whose record can be read. */
function checked(revision: Revision): Revision {
  const { oid, tid, data } = revision;
  if (data !== null) decodeRecord(oid, tid, data);
  return revision;
}

function infoOf({ tid, time, user, description }: TransactionInfo): TransactionInfo {
  return { tid, time, user, description };
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

/** The tables as far as they can be read; the error where nothing can. */
function openDamaged(path: string): ImageTables | DamagedImageError {
  try {
    return new ImageTables(path);
  } catch (error) {
    if (error instanceof DamagedImageError) return error;
    throw error;
  }
}

/** What is wrong, in a list that says once what to do. */
function withoutRemedy({ message }: DamagedImageError): string {
  return message.replace(/; "batos .*$/s, "");
}

/** Gives the file another name, and its own to another file where there is one. */
function moveAside(path: string, fresh?: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
  // The log goes first: SQLite would take it for that of the new file. What it held was read.
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  rmSync(`${path}-shm`, { force: true });
  if (fresh === undefined) renameSync(path, aside);
  else {
    linkSync(path, aside);
    renameSync(fresh, path);
  }
  return aside;
}

function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
