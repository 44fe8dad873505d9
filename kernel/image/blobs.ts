/**
 * Blobs: bytes too many for a slot, as files named by their content.
 *
 * Owns the folder `.batos/blobs`:
 *
 *     <sha256>    a blob: 64 lower-case hexadecimal digits, the SHA-256 of the bytes in the file; mode 0600
 *     pending/    blobs that are being written, or are written and not yet kept (`blob_desk.ts`)
 *
 * What must hold:
 * - a file named by a hash appears whole: it is written under `pending/`, flushed, renamed, and the folder flushed;
 * - nothing is held in memory but a block, in either direction;
 * - bytes that are not what the name says are never handed out to their end: the last block waits for the digest;
 * - nothing here knows who refers to a blob. Keep a blob before the transaction that refers to it commits: a crash between the
 *   two leaves a file too many, which a pack deletes, never a reference without a file. Deleting is for a pack alone, while it
 *   keeps other writers out: keeping and deleting the same content at once would lose it.
 */
import { createHash } from "node:crypto";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import {
  BlobDesk,
  FILE_MODE,
  namesIn,
  type Place,
  removeFile,
  statFile,
  syncFolder,
} from "./blob_desk.ts";

/** What is wrong with a blob: `missing`, `damaged` (other bytes than its name says), `full` (no room), `failed` (all else). */
export type BlobErrorKind = "missing" | "damaged" | "full" | "failed";

/** A blob that cannot be read or written; one line for a person. */
export class BlobError extends Error {
  override readonly name = "BlobError";
  constructor(message: string, readonly kind: BlobErrorKind, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Where bytes come from: all at once or in pieces of any size. */
export type BlobSource = Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Read, hashed and written at once: a call for each costs little beside it, and hashing it holds the event loop up for 1 ms. */
const BLOCK = 256 * 1024;
const HASH = /^[0-9a-f]{64}$/;
/** The system's names for "no room": on the disk, in the user's quota, in the largest file that is allowed. */
const NO_ROOM = ["ENOSPC", "EDQUOT", "EFBIG"] as const;

/** The blobs of one image. Opening one touches nothing; the folder is made by the first write. */
export class BlobFolder {
  readonly #folder: string;
  readonly #desk: BlobDesk;

  /** @param folder absolute path; need not exist */
  constructor(folder: string) {
    this.#folder = folder;
    this.#desk = new BlobDesk(folder);
  }

  /**
   * Writes a blob and flushes it to the disk. Nobody sees it before it is kept; dispose of it, or discard it, if it is not to
   * be. Writing content that is there already is fine, at the same time too.
   *
   * @param source read to its end, or cancelled when writing fails
   * @throws {BlobError} of kind `full` or `failed`; nothing is left behind
   * @throws the reason of the signal, or what the source throws; nothing is left behind
   */
  async write(
    source: BlobSource,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<PendingBlob> {
    const pieces = new Pieces(source, signal);
    let place: Place | undefined;
    let file: Deno.FsFile | undefined;
    try {
      signal?.throwIfAborted();
      place = this.#desk.take();
      file = await Deno.open(place.path, { write: true, createNew: true, mode: FILE_MODE });
      const hash = createHash("sha256");
      const block = new Uint8Array(
        blockFor(source instanceof Uint8Array ? source.length : Infinity),
      );
      let size = 0;
      for (let isLast = false; !isLast;) {
        const filled = await pieces.fill(block);
        isLast = filled < block.length;
        const bytes = block.subarray(0, filled);
        hash.update(bytes);
        for (let at = 0; at < filled;) at += await file.write(bytes.subarray(at));
        size += filled;
      }
      signal?.throwIfAborted();
      await file.sync();
      file.close();
      return new PendingBlob(this, place, hash.digest("hex"), size);
    } catch (error) {
      closeQuietly(file);
      place?.clear();
      pieces.cancel();
      signal?.throwIfAborted();
      throw pieces.hasFailed ? error : writeFailure(error, this.#folder);
    }
  }

  /**
   * Makes pending blobs visible, for good, with one flush of the folder for all of them. Synchronous, as the commit is that
   * follows it: nothing may come between the two.
   *
   * @throws {BlobError} when one of them was discarded, or its file cannot be moved; those before it are kept
   */
  keep(blobs: Iterable<PendingBlob>): void {
    let any = false;
    try {
      for (const blob of blobs) any = blob.moveTo(this.#folder) || any;
    } catch (error) {
      throw writeFailure(error, this.#folder);
    } finally {
      if (any) syncFolder(this.#folder);
    }
  }

  /**
   * The bytes of a blob, read as they are asked for, their digest compared on the way. Read it to its end or cancel it: it
   * holds an open file, and so outlives the blob's deletion. A blob of up to 256 kB is verified before its first byte comes.
   *
   * @throws {BlobError} `missing`, at once; the stream fails with `damaged` where other bytes lie there than the name says
   * @throws {TypeError} when `hash` is none
   */
  open(hash: string): ReadableStream<Uint8Array<ArrayBuffer>> {
    return readVerified(this.path(hash), hash);
  }

  /** Whether there is such a blob; does not look at its bytes. */
  has(hash: string): boolean {
    return statFile(this.path(hash)) !== undefined;
  }

  /**
   * Bytes of a blob.
   * @throws {BlobError} `missing`
   */
  size(hash: string): number {
    const stat = statFile(this.path(hash));
    if (stat === undefined) throw missing(hash, this.#folder);
    return stat.size;
  }

  /** Deletes a blob, during a pack. Open readers go on. Gives whether there was one. */
  delete(hash: string): boolean {
    return removeFile(this.path(hash));
  }

  /** The hashes of all blobs, in order. */
  list(): string[] {
    return namesIn(this.#folder).filter((name) => HASH.test(name)).sort();
  }

  /**
   * Reads a blob and compares its digest.
   * @returns what is wrong, `undefined` when nothing is
   * @throws the reason of the signal
   */
  async verify(
    hash: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<BlobError | undefined> {
    try {
      for await (const _ of this.open(hash)) signal?.throwIfAborted();
    } catch (error) {
      if (error instanceof BlobError) return error;
      throw error;
    }
  }

  /**
   * Where a blob lies, for native code that reads files by itself. It must not be written to.
   * @throws {TypeError} when `hash` is none, so that no name leads elsewhere
   */
  path(hash: string): string {
    if (!HASH.test(hash)) {
      throw new TypeError(
        `blob ${JSON.stringify(hash)}: not a hash; expected 64 lower-case hexadecimal digits`,
      );
    }
    return join(this.#folder, hash);
  }

  /**
   * Removes what killed writers left. The first write of a `BlobFolder` does this by itself.
   * @returns the number of files removed
   */
  sweep(): number {
    return this.#desk.sweep();
  }
}

/** A blob that is on the disk and that nobody sees. Keep it, discard it, or dispose of it, which discards what was not kept. */
export class PendingBlob implements Disposable {
  readonly #folder: BlobFolder;
  readonly #place: Place;
  #state: "pending" | "kept" | "discarded" = "pending";

  /** Made by `BlobFolder.write`. */
  constructor(
    folder: BlobFolder,
    place: Place,
    /** SHA-256, 64 lower-case hexadecimal digits: the blob's name. */
    readonly hash: string,
    /** Bytes. */
    readonly size: number,
  ) {
    this.#folder = folder;
    this.#place = place;
  }

  /**
   * Makes it visible, for good. A second call does nothing.
   * @throws {BlobError} when it was discarded, or its file cannot be moved
   */
  keep(): void {
    this.#folder.keep([this]);
  }

  /** Removes it. Does nothing where it was kept or discarded before. */
  discard(): void {
    if (this.#state !== "pending") return;
    this.#state = "discarded";
    this.#place.clear();
  }

  /** Its bytes, for the transaction that wrote it. As `BlobFolder.open`. */
  open(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#state === "pending"
      ? readVerified(this.#place.path, this.hash)
      : this.#folder.open(this.hash);
  }

  [Symbol.dispose](): void {
    this.discard();
  }

  /** For `BlobFolder.keep`, which flushes the folder afterwards. Gives whether anything moved. */
  moveTo(folder: string): boolean {
    if (this.#state === "discarded") {
      throw new BlobError(`keep blob "${this.hash}": it was discarded; write it again`, "failed");
    }
    if (this.#state === "kept") return false;
    // Over a file of that name as well: it holds the same bytes, or is damaged and healed by this.
    Deno.renameSync(this.#place.path, join(folder, this.hash));
    this.#state = "kept";
    this.#place.clear();
    return true;
  }
}

/** The bytes of a source, from piece to piece. */
class Pieces {
  readonly #next: () => Promise<{ done?: boolean; value?: unknown }>;
  readonly #end: () => unknown;
  readonly #signal: AbortSignal | undefined;
  #rest = new Uint8Array();
  #count = 0;
  /** Whether what went wrong is the source's. */
  hasFailed = false;

  constructor(source: BlobSource, signal: AbortSignal | undefined) {
    this.#signal = signal;
    if (source instanceof Uint8Array) {
      this.#rest = source as Uint8Array<ArrayBuffer>;
      this.#next = () => Promise.resolve({ done: true });
      this.#end = () => {};
    } else if (source instanceof ReadableStream) {
      // Not its iterator: that cannot be cancelled while a read is waited for.
      const reader = source.getReader();
      this.#next = () => reader.read();
      this.#end = () => reader.cancel();
    } else {
      const iterator = source[Symbol.asyncIterator]();
      this.#next = () => iterator.next();
      this.#end = () => iterator.return?.();
    }
  }

  /**
   * Fills a block; gives how many bytes came: fewer than fit only where the source has ended.
   * @throws what the source throws, or the reason of the signal, whatever the source is waiting for
   */
  async fill(block: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < block.length) {
      this.#signal?.throwIfAborted();
      if (this.#rest.length === 0) {
        const { done, value } = await this.#read();
        if (done) break;
        this.#rest = this.#requireBytes(value);
      }
      const part = this.#rest.subarray(0, block.length - filled);
      block.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return filled;
  }

  /** Tells the source that no more is wanted. Not waited for: a source that hangs would keep us. */
  cancel(): void {
    void (async () => await this.#end())().catch(() => {});
  }

  /** One listener a read, taken off again: a race with one promise for all would keep every piece alive. */
  async #read(): Promise<{ done?: boolean; value?: unknown }> {
    const signal = this.#signal;
    const { promise, resolve, reject } = Promise.withResolvers<{ done?: boolean }>();
    const onAbort = () => reject(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    try {
      this.#next().then(resolve, reject);
      return await promise;
    } catch (error) {
      this.hasFailed = true;
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #requireBytes(value: unknown): Uint8Array<ArrayBuffer> {
    this.#count++;
    if (value instanceof Uint8Array) return value as Uint8Array<ArrayBuffer>;
    this.hasFailed = true;
    throw new TypeError(
      `write blob: piece ${this.#count} of the source is of type "${typeof value}"; expected bytes (Uint8Array)`,
    );
  }
}

/** The bytes of a file, the last block only after the digest of all was found right. */
function readVerified(path: string, hash: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw missing(hash, dirname(path));
    throw readFailure(hash, error);
  }
  const length = blockFor(file.statSync().size);
  const digest = createHash("sha256");
  let held: Uint8Array<ArrayBuffer> | undefined;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        for (;;) {
          const block = new Uint8Array(length);
          const count = await fill(file, block);
          digest.update(block.subarray(0, count));
          const ready = held;
          held = count === 0 ? undefined : block.subarray(0, count);
          if (count < length) {
            const found = digest.digest("hex");
            if (found !== hash) throw damaged(hash, found);
            file.close();
            if (ready !== undefined) controller.enqueue(ready);
            if (held !== undefined) controller.enqueue(held);
            controller.close();
            return;
          }
          if (ready !== undefined) {
            controller.enqueue(ready);
            return;
          }
        }
      } catch (error) {
        closeQuietly(file);
        throw error instanceof BlobError ? error : readFailure(hash, error);
      }
    },
    cancel() {
      closeQuietly(file);
    },
  }, { highWaterMark: 0 });
}

/** Length of a block that so many bytes do not fill, so that one step sees their end. */
function blockFor(size: number): number {
  return Math.min(BLOCK, size + 1);
}

/** Reads until the block is full or the file ends; gives how many bytes came. */
async function fill(file: Deno.FsFile, block: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < block.length) {
    const count = await file.read(block.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

function missing(hash: string, folder: string): BlobError {
  return new BlobError(
    `read blob "${hash}": there is none in "${folder}"; expected a file of that name`,
    "missing",
  );
}

function damaged(hash: string, found: string): BlobError {
  return new BlobError(
    `read blob "${hash}": its bytes have the SHA-256 "${found}"; the file was damaged, write the content again to heal it`,
    "damaged",
  );
}

function readFailure(hash: string, cause: unknown): BlobError {
  return new BlobError(
    `read blob "${hash}": ${reasonOf(cause)}; expected a file that can be read`,
    "failed",
    { cause },
  );
}

/** What a failed write is called; what the source threw stays what it is. */
function writeFailure(error: unknown, folder: string): unknown {
  if (error instanceof BlobError || !(error instanceof Error)) return error;
  return isNoRoom(error)
    ? new BlobError(
      `write blob: there is no room left for it in "${folder}" (${
        reasonOf(error)
      }); make room and write it again`,
      "full",
      { cause: error },
    )
    : new BlobError(
      `write blob: ${reasonOf(error)} in "${folder}"; expected a folder that can be written to`,
      "failed",
      { cause: error },
    );
}

/** Deno gives some errors of the system a code, and all of them their number in the message. */
function isNoRoom(error: Error): boolean {
  const { code } = error as { code?: string };
  const number = Number(/\(os error (\d+)\)/.exec(error.message)?.[1]);
  return NO_ROOM.some((name) => code === name || number === constants.errno[name]);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.split("\n")[0]! : String(cause);
}

function closeQuietly(file: Deno.FsFile | undefined): void {
  try {
    file?.close();
  } catch {
    // It was closed before the step that failed.
  }
}
