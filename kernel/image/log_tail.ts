/**
 * What a process that died left unfinished at the end of SQLite's log, which SQLite ignores without a word.
 *
 * Owns what is said of it, and how it is cut off. What must hold: what a transaction committed is never counted as lost; the end of a
 * log that somebody is just writing looks the same, so whoever asks holds the lock of the workspace, or knows that nobody does.
 */
import { existsSync } from "node:fs";
import { NoImageError } from "./errors.ts";
import { SqliteConnection } from "./sqlite_connection.ts";
import { type LogTail, readLog } from "./sqlite_log.ts";
import { SqliteImageStore } from "./sqlite_store.ts";

/** A tail that was cut off. */
export interface LogCut extends LogTail {
  /** The last transaction of the image that is whole; 0 where there is none. */
  readonly transaction: number;
}

/**
 * What SQLite will ignore at the end of the log of the file at `path`; undefined for nothing.
 * @throws what the file system throws
 */
export function logTail(path: string): LogTail | undefined {
  return readLog(path)?.tail;
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
