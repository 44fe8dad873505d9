/**
 * One writer of a workspace at a time, across processes.
 *
 * Owns the file `.batos/lock`. The lock is the operating system's lock on the open file, not the existence of the file:
 * it ends with its holder, so a killed process leaves nothing stale behind. What must hold:
 * - the file is never removed (a waiter would hold a lock on a file that nobody else can see);
 * - what is written in it (pid, command, start) only names the holder in messages; nothing is decided by it;
 * - readers never take this lock.
 */
import { dirname } from "node:path";

/** Who holds the lock, as written in the file. */
export interface LockHolder {
  readonly pid: number;
  readonly command: string;
  /** ISO 8601. */
  readonly since: string;
}

/** Another process kept the lock for longer than the caller would wait. */
export class WorkspaceLockedError extends Error {
  override readonly name = "WorkspaceLockedError";
  constructor(readonly path: string, readonly holder: LockHolder | undefined, waitedMs: number) {
    super(
      `lock "${path}": held by ${describeHolder(holder)}, gave up after ${
        Math.round(waitedMs / 1000)
      } s; wait for it to end or stop it`,
    );
  }
}

/** How often a waiter looks again: short against any ingest, cheap against a core. */
const RETRY_MS = 50;
/**
 * Whoever asks who holds a lock has it for a moment, shared. So also those who would not wait for a holder look again for this long, this
 * often, before they say that there is one.
 */
const GLANCE_MS = 20;
const GLANCE_RETRY_MS = 1;

/** A held lock. Dispose of it, or end the process, to let the next writer in. */
export class WorkspaceLock implements Disposable {
  #file: Deno.FsFile | undefined;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Takes the lock, waiting for its holder.
   *
   * @param path the lock file; it and its folder are made when missing
   * @param options `command` is what other processes are told; `onWait` is called once, when there is somebody to wait
   * for; `timeoutMs` is 60 s by default
   * @throws {WorkspaceLockedError} when the time is up
   * @throws the reason of `signal` when it is aborted while waiting
   */
  static async acquire(path: string, options: {
    command: string;
    timeoutMs?: number;
    signal?: AbortSignal;
    onWait?: (holder: LockHolder | undefined) => void;
  }): Promise<WorkspaceLock> {
    const file = openLockFile(path);
    try {
      if (!file.tryLockSync(true)) await waitForLock(file, path, options);
      writeHolder(file, holderText(options.command));
      return new WorkspaceLock(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Who holds the lock now; `undefined` when nobody does. Never waits. */
  static holder(path: string): LockHolder | "unknown" | undefined {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { read: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    try {
      // A shared lock: two processes that only look do not see each other.
      return file.tryLockSync(false) ? undefined : readHolder(path) ?? "unknown";
    } finally {
      file.close();
    }
  }

  /** Lets go. A second call does nothing. */
  [Symbol.dispose](): void {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    try {
      file.truncateSync(0);
    } finally {
      file.close();
    }
  }
}

/**
 * The same lock for somebody who takes it again and again, for moments: the file stays open in between, and says who holds it without
 * being written each time. Dispose of it when there is nothing more to do.
 */
export class RepeatedLock implements Disposable {
  readonly #path: string;
  readonly #command: string;
  #file: Deno.FsFile | undefined;
  /** What stands in the file while this process holds the lock. */
  #text: Uint8Array<ArrayBuffer> | undefined;
  #read = new Uint8Array();
  #isDisposed = false;

  /** @param command what other processes are told */
  constructor(path: string, command: string) {
    this.#path = path;
    this.#command = command;
  }

  /**
   * Does `work` while the lock is held. One at a time.
   * @throws {WorkspaceLockedError} when the time is up
   */
  async hold<T>(timeoutMs: number, work: () => T): Promise<T> {
    const file = this.#file ??= openLockFile(this.#path);
    if (!file.tryLockSync(true)) await waitForLock(file, this.#path, { timeoutMs });
    try {
      this.#sign(file);
      return work();
    } finally {
      file.unlockSync();
      if (this.#isDisposed) this[Symbol.dispose]();
    }
  }

  /** Writes who holds it, where that is not what stands there since the last time. */
  #sign(file: Deno.FsFile): void {
    const text = this.#text;
    if (text !== undefined && this.#stands(file, text)) return;
    this.#text = holderText(this.#command);
    this.#read = new Uint8Array(this.#text.length + 1);
    writeHolder(file, this.#text);
  }

  #stands(file: Deno.FsFile, text: Uint8Array): boolean {
    file.seekSync(0, Deno.SeekMode.Start);
    if (file.readSync(this.#read) !== text.length) return false;
    return text.every((byte, at) => byte === this.#read[at]);
  }

  /** Closes the file; who holds the lock once more closes it again. A second call does nothing. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#file?.close();
    this.#file = undefined;
  }
}

/** The holder in words, for messages. */
export function describeHolder(holder: LockHolder | undefined): string {
  return holder === undefined
    ? "another process"
    : `process ${holder.pid} ("${holder.command}", since ${holder.since})`;
}

function openLockFile(path: string): Deno.FsFile {
  Deno.mkdirSync(dirname(path), { recursive: true });
  return Deno.openSync(path, { read: true, write: true, create: true });
}

/** Waits for the holder, and has the lock then. */
async function waitForLock(file: Deno.FsFile, path: string, options: {
  timeoutMs?: number;
  signal?: AbortSignal;
  onWait?: (holder: LockHolder | undefined) => void;
}): Promise<void> {
  const { timeoutMs = 60_000, signal, onWait } = options;
  const begin = performance.now();
  let told = false;
  do {
    signal?.throwIfAborted();
    const waited = performance.now() - begin;
    if (waited >= Math.max(timeoutMs, GLANCE_MS)) {
      throw new WorkspaceLockedError(path, readHolder(path), waited);
    }
    if (!told && timeoutMs > 0) onWait?.(readHolder(path));
    told = true;
    const pause = timeoutMs <= GLANCE_MS ? GLANCE_RETRY_MS : Math.min(RETRY_MS, timeoutMs - waited);
    await new Promise((done) => setTimeout(done, pause));
  } while (!file.tryLockSync(true));
}

function holderText(command: string): Uint8Array<ArrayBuffer> {
  const holder: LockHolder = { pid: Deno.pid, command, since: new Date().toISOString() };
  return new TextEncoder().encode(JSON.stringify(holder) + "\n");
}

function writeHolder(file: Deno.FsFile, text: Uint8Array): void {
  try {
    file.truncateSync(0);
    file.seekSync(0, Deno.SeekMode.Start);
    for (let at = 0; at < text.length;) at += file.writeSync(text.subarray(at));
  } catch {
    // A full disk must not keep anybody from the lock: the text is for messages alone.
  }
}

/** What the file says; `undefined` when it is empty, being written, or locked against reading (Windows). */
function readHolder(path: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(Deno.readTextFileSync(path));
    const { pid, command, since } = value as Partial<LockHolder>;
    return typeof pid === "number" && typeof command === "string" && typeof since === "string"
      ? { pid, command, since }
      : undefined;
  } catch {
    return undefined;
  }
}
