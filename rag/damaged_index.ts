/**
 * What to say of an index file that cannot be read.
 *
 * Owns the error and its words. What must hold: it names the file, what was found, and the remedy; an index that is damaged is never taken
 * for a shorter one. SQLite tells damage of its pages when it meets it, but keeps no checksum of what they hold: what nobody could tell from
 * something else that might be there, numbers and lists of numbers, comes with a CRC-32.
 */
import { crc32 } from "node:zlib";

/** The database file cannot be read as one, or does not hold what it should. */
export class DamagedIndexError extends Error {
  override name = "DamagedIndexError";
}

/** The error for the index in the file `path`. */
export function damaged(path: string, found: string): DamagedIndexError {
  return new DamagedIndexError(
    `cannot read the index "${path}": ${found}; run "ingest --rebuild" to make it again from the workspace`,
  );
}

/** An error as it is; that of SQLite over a file that it cannot read, with what to do about it. */
export function explain(path: string, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof DamagedIndexError) return error;
  if (/not a database|malformed|corrupt|no such table|vtable constructor failed/i.test(message)) {
    return damaged(path, message);
  }
  return error instanceof Error ? error : new Error(message);
}

/** @throws what `work` throws, explained */
export function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explain(path, error);
  }
}

/** What `unpack` makes of bytes that are stored. @throws {DamagedIndexError} when they are not what it can read */
export function unpacked<T>(path: string, unpack: () => T): T {
  try {
    return unpack();
  } catch (error) {
    throw damaged(path, `bytes that are no longer what was written, ${(error as Error).message}`);
  }
}

/**
 * The bytes of a row, as they were written.
 * @param what the row holds, for the error
 * @throws {DamagedIndexError} when they are others
 */
export function sound(
  path: string,
  { crc, data }: { readonly crc?: unknown; readonly data?: unknown },
  what: string,
): Uint8Array {
  if (crc32(data as Uint8Array) !== Number(crc)) {
    throw damaged(path, `${what} that is no longer what was written`);
  }
  return data as Uint8Array;
}
