/**
 * The files of the audit trail as whoever appends to them sees them: the lock, the head, the end of the trail, rotation.
 *
 * Owns `metacognition.lock`, which is locked for each batch, so that several processes append to one trail. The lock is that of the
 * operating system on the open file: it ends with its holder. The file holds the head, padded to `HEAD_BYTES`: number and hash of the
 * last line, number of the first line and length of the file that grows. What must hold:
 * - a batch is appended under the lock, then the head is written; so a head is never ahead of the trail, unless the trail lost something;
 * - the head only saves reading: where it does not fit the file, the end of the file decides, and what is missing is reported;
 * - a torn line at the end is cut off before anything follows it, so a crash never leaves half a line in the middle;
 * - nothing is ever deleted.
 */
import { createHash } from "node:crypto";
import { listTrailFiles, LOCK_NAME, NO_HASH, partName, TRAIL_NAME } from "./chain.ts";
import { parseTrailLine } from "./event.ts";

/** The trail cannot be written or read. The message says why. */
export class TrailError extends Error {
  override readonly name = "TrailError";
}

/** Where the trail ends. */
export interface Head {
  /** Number of the last line; 0 when there is none. */
  readonly sequence: number;
  /** Hash of the last line. */
  readonly hash: string;
  /** Number of the first line of the file that grows. */
  readonly first: number;
  /** Length of the file that grows. */
  readonly bytes: number;
}

/** What was found at the end of the trail when a batch began. */
export interface Repair {
  /** Bytes of a torn line that were cut off. */
  readonly cut: number;
  /** Lines that the head knows of and the trail has no more. */
  readonly lost: number;
}

/** The trail, open for one batch. */
export interface TrailEnd extends Head {
  readonly repair: Repair | undefined;
  /** Appends whole lines, the last of which has this number and hash. All or nothing, unless the machine stops. */
  append(lines: Uint8Array, sequence: number, hash: string): Promise<void>;
}

/** Room for the head: four fields and their names take less than 180. */
const HEAD_BYTES = 256;
/** How often a waiter looks whether the lock is free: a batch takes a few milliseconds. */
const RETRY_MS = 2;
/** How long a batch waits for others: they hold the lock for milliseconds, unless they are stopped. */
const PATIENCE_MS = 5_000;
/** How much is read at once to find the last line: most lines are much shorter. */
const BLOCK = 65_536;
const NEWLINE = 10;

/** See the module text. */
export class TrailFiles {
  readonly folder: string;
  readonly #rotateBytes: number;
  #lock: Deno.FsFile | undefined;

  /**
   * @param folder the state folder; it is made when missing
   * @param rotateBytes size from which the file that grows is moved aside
   */
  constructor(folder: string, rotateBytes: number) {
    this.folder = folder;
    this.#rotateBytes = rotateBytes;
  }

  /**
   * Runs `work` at the end of the trail, alone.
   * @throws {TrailError} when another process keeps the lock; errors of the disk as they are
   */
  async locked<T>(work: (end: TrailEnd) => Promise<T>): Promise<T> {
    const lock = this.#lock ??= this.#openLock();
    const begin = performance.now();
    while (!lock.tryLockSync(true)) {
      if (performance.now() - begin > PATIENCE_MS) {
        throw new TrailError(
          `append to "${this.folder}/${TRAIL_NAME}": another process has held its lock for ${
            PATIENCE_MS / 1000
          } s; end it`,
        );
      }
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
    try {
      const file = this.#openTrail();
      try {
        return await work(this.#end(file, lock));
      } finally {
        file.close();
      }
    } finally {
      lock.unlockSync();
    }
  }

  /** Brings what was appended to the disk. */
  async sync(): Promise<void> {
    try {
      using file = await Deno.open(`${this.folder}/${TRAIL_NAME}`, { read: true, write: true });
      await file.syncData();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  close(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  #openLock(): Deno.FsFile {
    Deno.mkdirSync(this.folder, { recursive: true });
    return Deno.openSync(`${this.folder}/${LOCK_NAME}`, {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
  }

  #openTrail(): Deno.FsFile {
    const path = `${this.folder}/${TRAIL_NAME}`;
    return Deno.openSync(path, { read: true, append: true, create: true, mode: 0o600 });
  }

  #end(file: Deno.FsFile, lock: Deno.FsFile): TrailEnd {
    const known = readHeadOf(lock);
    const bytes = file.statSync().size;
    // A head of another file has another length, but for chance; then its hash does not fit, which `audit --verify` finds.
    const settled = known !== undefined && known.bytes === bytes && bytes > 0;
    const { repair, ...head } = settled
      ? { ...known, repair: undefined }
      : recover(file, bytes, this.folder, known);
    return {
      ...head,
      repair,
      append: async (lines, sequence, hash) => {
        if (head.bytes >= this.#rotateBytes && head.sequence >= head.first) {
          await this.#rotate(file, head);
          using fresh = this.#openTrail();
          await appendAll(fresh, lines, 0);
          const first = head.sequence + 1;
          writeHead(lock, { sequence, hash, first, bytes: lines.length });
          return;
        }
        await appendAll(file, lines, head.bytes);
        writeHead(lock, { sequence, hash, first: head.first, bytes: head.bytes + lines.length });
      },
    };
  }

  /** Moves the file that grows aside; its bytes are on the disk before the next file has any. */
  async #rotate(file: Deno.FsFile, head: Head): Promise<void> {
    await file.syncData();
    const part = partName(head.first, head.sequence);
    Deno.renameSync(`${this.folder}/${TRAIL_NAME}`, `${this.folder}/${part}`);
  }
}

/** What the writer of a trail noted last; undefined where nothing can be read. */
export function readHead(folder: string): Head | undefined {
  try {
    using file = Deno.openSync(`${folder}/${LOCK_NAME}`, { read: true });
    return readHeadOf(file);
  } catch {
    // No trail yet, or a system that lets nobody read a locked file.
    return undefined;
  }
}

function readHeadOf(lock: Deno.FsFile): Head | undefined {
  const bytes = new Uint8Array(HEAD_BYTES);
  lock.seekSync(0, Deno.SeekMode.Start);
  const length = lock.readSync(bytes) ?? 0;
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
    const { sequence, hash, first, bytes: size } = value as Partial<Head>;
    const isWhole = Number.isSafeInteger(sequence) && Number.isSafeInteger(first) &&
      Number.isSafeInteger(size) && typeof hash === "string";
    return isWhole ? value as Head : undefined;
  } catch {
    return undefined;
  }
}

function writeHead(lock: Deno.FsFile, head: Head): void {
  const text = JSON.stringify(head).padEnd(HEAD_BYTES - 1) + "\n";
  lock.seekSync(0, Deno.SeekMode.Start);
  try {
    lock.writeSync(new TextEncoder().encode(text));
  } catch {
    // A full disk: the lines are written, and whoever comes next finds the end by reading.
  }
}

/** Appends everything, or takes away what it could append before it failed. */
async function appendAll(file: Deno.FsFile, lines: Uint8Array, size: number): Promise<void> {
  try {
    for (let at = 0; at < lines.length;) at += await file.write(lines.subarray(at));
  } catch (error) {
    try {
      file.truncateSync(size);
    } catch {
      // It stays torn: the next batch cuts it off.
    }
    throw error;
  }
}

/** Finds the end of the trail by reading, and cuts off a torn line. */
function recover(
  file: Deno.FsFile,
  bytes: number,
  folder: string,
  known: Head | undefined,
): Head & { repair: Repair | undefined } {
  const files = listTrailFiles(folder);
  const first = files.find(({ name }) => name === TRAIL_NAME)?.first ?? 1;
  const whole = endOfLines(file, bytes);
  const cut = bytes - whole;
  if (cut > 0) file.truncateSync(whole);
  let end: { sequence: number; hash: string };
  if (whole > 0) end = lastLine(file, whole, first);
  else {
    const part = files.findLast(({ last }) => last !== undefined);
    if (part === undefined) end = { sequence: 0, hash: NO_HASH };
    else {
      using before = Deno.openSync(part.path, { read: true });
      const size = before.statSync().size;
      end = { ...lastLine(before, endOfLines(before, size), part.first), sequence: part.last! };
    }
  }
  const lost = Math.max(0, (known?.sequence ?? 0) - end.sequence);
  return {
    ...end,
    first,
    bytes: whole,
    repair: cut > 0 || lost > 0 ? { cut, lost } : undefined,
  };
}

/** Offset behind the last line feed before `bytes`. */
function endOfLines(file: Deno.FsFile, bytes: number): number {
  for (let end = bytes; end > 0;) {
    const start = Math.max(0, end - BLOCK);
    const found = readAt(file, start, end - start).lastIndexOf(NEWLINE);
    if (found >= 0) return start + found + 1;
    end = start;
  }
  return 0;
}

/** Number and hash of the line that ends at `end`. A line that is none of ours counts by its place, with the hash of its bytes. */
function lastLine(file: Deno.FsFile, end: number, first: number) {
  if (end === 0) return { sequence: first - 1, hash: NO_HASH };
  const start = endOfLines(file, end - 1);
  const line = readAt(file, start, end - 1 - start);
  try {
    const parsed = parseTrailLine(JSON.parse(new TextDecoder().decode(line)));
    if ("event" in parsed) return { sequence: parsed.event.sequence, hash: parsed.event.hash };
  } catch {
    // Somebody wrote into the trail by hand: `audit --verify` names the line.
  }
  let count = 0;
  for (let at = 0; at < end; at += BLOCK) {
    for (const byte of readAt(file, at, Math.min(BLOCK, end - at))) if (byte === NEWLINE) count++;
  }
  return { sequence: first - 1 + count, hash: createHash("sha256").update(line).digest("hex") };
}

function readAt(file: Deno.FsFile, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  file.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const read = file.readSync(bytes.subarray(done));
    if (read === null) return bytes.subarray(0, done);
    done += read;
  }
  return bytes;
}
