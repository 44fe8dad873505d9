/**
 * The end of SQLite's log: what a process that died left there unfinished, which SQLite ignores without a word.
 *
 * Owns reading the log (`image.db-wal`), by the format at https://sqlite.org/fileformat2.html#walformat: a header, then frames of one
 * page each, whose checksums go on from frame to frame; a frame that says how many pages the file has ends a transaction. What must
 * hold: looking changes nothing; what a transaction committed is never counted as lost; the end of a log that somebody is just writing
 * looks the same, so whoever asks holds the lock of the workspace, or knows that nobody does.
 */
import { existsSync, readFileSync } from "node:fs";
import { NoImageError } from "./errors.ts";
import { SqliteConnection } from "./sqlite_connection.ts";
import { SqliteImageStore } from "./sqlite_store.ts";

/**
 * What stands behind the last transaction that is whole: a commit that was torn, or one that never came. These cannot be told apart: behind
 * a page that a transaction wrote twice, frames get their checksums when it commits.
 */
export interface LogTail {
  /** Frames, the last of which may be a part of one. */
  readonly frames: number;
  readonly bytes: number;
}

/** A tail that was cut off. */
export interface LogCut extends LogTail {
  /** The last transaction of the image that is whole; 0 where there is none. */
  readonly transaction: number;
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The checksums take numbers in the order of bytes of the machine that made the log: the last bit of this says which. */
const MAGIC = 0x377f0682;
/** What of header and frame header the checksum covers. */
const HEADER_SUMMED = 24;
const FRAME_SUMMED = 8;

/**
 * What SQLite will ignore at the end of the log of the file at `path`; undefined for nothing.
 * @throws what the file system throws
 */
export function logTail(path: string): LogTail | undefined {
  const log = `${path}-wal`;
  if (!existsSync(log)) return undefined;
  const bytes = readFileSync(log);
  if (bytes.length === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sum = bytes.length < HEADER_BYTES ? undefined : headerSum(view);
  // Without a header that is whole nothing in it counts.
  if (sum === undefined) return { frames: 0, bytes: bytes.length };
  const frameBytes = FRAME_HEADER_BYTES + view.getUint32(8);
  let [at, committed, isWhole] = [HEADER_BYTES, HEADER_BYTES, true];
  for (; at + frameBytes <= bytes.length; at += frameBytes) {
    if (!isOfThisLog(view, at) && !(at > committed && isUnsummed(view, at))) break;
    if (!isWhole) continue;
    sum.add(at, FRAME_SUMMED);
    sum.add(at + FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES);
    isWhole = sum.equals(at + 16);
    if (isWhole && view.getUint32(at + 4) > 0) committed = at + frameBytes;
  }
  // A log is used again from its beginning on, so behind its end there may be whole frames of an earlier round, never a part of one.
  const end = bytes.length - at < frameBytes ? bytes.length : at;
  if (end === committed) return undefined;
  return { frames: Math.ceil((end - committed) / frameBytes), bytes: end - committed };
}

/**
 * Cuts off the tail, if there is one: puts what is whole into the file and empties the log, so that it is told once. Call it with the
 * lock of the workspace held.
 *
 * @returns what was cut off; undefined for nothing
 * @throws {DamagedImageError} when the file cannot be read; then nothing was done
 */
export function cutLog(path: string): LogCut | undefined {
  const tail = logTail(path);
  if (tail === undefined || !existsSync(path)) return undefined;
  const transaction = newestTransaction(path);
  const file = new SqliteConnection(path, { readOnly: false });
  try {
    file.use("cut the log of", () => file.emptyLog());
  } finally {
    file.close();
  }
  return { ...tail, transaction };
}

/** What is to be said of it. */
export function describeTail({ bytes }: LogTail, transaction?: number): string {
  const last = transaction === undefined
    ? "the last transaction that is whole"
    : `transaction ${transaction}`;
  return `a process died or gave up while it wrote: ${bytes} bytes of a transaction that was never finished are ignored behind ${last}; nothing that was committed is lost`;
}

function newestTransaction(path: string): number {
  try {
    const store = new SqliteImageStore(path, { readOnly: true });
    try {
      return store.newestTransaction();
    } finally {
      store.close();
    }
  } catch (error) {
    if (error instanceof NoImageError) return 0;
    throw error;
  }
}

/** Whether the frame at `at` was written since the log was begun: it has the salts of the header. */
function isOfThisLog(view: DataView, at: number): boolean {
  return view.getUint32(at + 8) === view.getUint32(16) &&
    view.getUint32(at + 12) === view.getUint32(20);
}

/** Whether salts and checksum were left for later, as they are behind a page that a transaction wrote twice. */
function isUnsummed(view: DataView, at: number): boolean {
  return view.getBigUint64(at + 8) === 0n && view.getBigUint64(at + 16) === 0n;
}

/** The checksum of a header, to go on from; undefined where it is none. */
function headerSum(view: DataView): RunningSum | undefined {
  const magic = view.getUint32(0);
  const size = view.getUint32(8);
  const isSize = size >= 512 && size <= 65_536 && (size & (size - 1)) === 0;
  if ((magic & ~1) !== MAGIC || !isSize) return undefined;
  const sum = new RunningSum(view, (magic & 1) === 0);
  sum.add(0, HEADER_SUMMED);
  return sum.equals(HEADER_SUMMED) ? sum : undefined;
}

/** The checksum of a log up to a place in it. */
class RunningSum {
  readonly #view: DataView;
  readonly #littleEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(view: DataView, littleEndian: boolean) {
    this.#view = view;
    this.#littleEndian = littleEndian;
  }

  /** Goes on over `length` bytes, a multiple of 8. */
  add(at: number, length: number): void {
    let [first, second] = [this.#first, this.#second];
    for (let done = at; done < at + length; done += 8) {
      first = (first + this.#view.getUint32(done, this.#littleEndian) + second) >>> 0;
      second = (second + this.#view.getUint32(done + 4, this.#littleEndian) + first) >>> 0;
    }
    [this.#first, this.#second] = [first, second];
  }

  /** Whether it is what stands at `at`. */
  equals(at: number): boolean {
    return this.#view.getUint32(at) === this.#first &&
      this.#view.getUint32(at + 4) === this.#second;
  }
}
