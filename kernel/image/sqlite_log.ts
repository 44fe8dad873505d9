/**
 * SQLite's log (`image.db-wal`), read by us.
 *
 * Owns its format, as https://sqlite.org/fileformat2.html#walformat has it: a header, then frames of one page each, whose checksums go
 * on from frame to frame; a frame that says how many pages the file has ends a transaction. What must hold: looking changes nothing; a
 * page is given as the last transaction that is whole left it.
 */
import { existsSync, readFileSync } from "node:fs";

/** What stands in a log. */
export interface SqliteLog {
  /** Size of a page; 0 where the header is no header, and nothing in the log counts. */
  readonly pageBytes: number;
  /** Pages by number, as the last transaction that is whole left them. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
  /** What stands behind that transaction. */
  readonly tail: LogTail | undefined;
}

/**
 * What stands behind the last transaction that is whole: a commit that was torn, or one that never came. These cannot be told apart: behind
 * a page that a transaction wrote twice, frames get their checksums when it commits.
 */
export interface LogTail {
  /** Frames, the last of which may be a part of one. */
  readonly frames: number;
  readonly bytes: number;
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The checksums take numbers in the order of bytes of the machine that made the log: the last bit of this says which. */
const MAGIC = 0x377f0682;
/** What of header and frame header the checksum covers. */
const HEADER_SUMMED = 24;
const FRAME_SUMMED = 8;

/** The log of the database file at `path`; undefined where there is none. */
export function readLog(path: string): SqliteLog | undefined {
  const log = `${path}-wal`;
  if (!existsSync(log)) return undefined;
  const bytes = readFileSync(log);
  if (bytes.length === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sum = bytes.length < HEADER_BYTES ? undefined : headerSum(view);
  const pages = new Map<number, Uint8Array>();
  if (sum === undefined) return { pageBytes: 0, pages, tail: { frames: 0, bytes: bytes.length } };
  const pageBytes = view.getUint32(8);
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  let open = new Map<number, Uint8Array>();
  let [at, committed, isWhole] = [HEADER_BYTES, HEADER_BYTES, true];
  for (; at + frameBytes <= bytes.length; at += frameBytes) {
    if (!isOfThisLog(view, at) && !(at > committed && isUnsummed(view, at))) break;
    if (!isWhole) continue;
    sum.add(at, FRAME_SUMMED);
    sum.add(at + FRAME_HEADER_BYTES, pageBytes);
    isWhole = sum.equals(at + 16);
    if (!isWhole) continue;
    open.set(view.getUint32(at), bytes.subarray(at + FRAME_HEADER_BYTES, at + frameBytes));
    if (view.getUint32(at + 4) === 0) continue;
    for (const [number, page] of open) pages.set(number, page);
    open = new Map();
    committed = at + frameBytes;
  }
  // A log is used again from its beginning on, so behind its end there may be whole frames of an earlier round, never a part of one.
  const end = bytes.length - at < frameBytes ? bytes.length : at;
  const tail = end === committed
    ? undefined
    : { frames: Math.ceil((end - committed) / frameBytes), bytes: end - committed };
  return { pageBytes, pages, tail };
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
