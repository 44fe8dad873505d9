/**
 * SQLite's own errors in our words.
 *
 * Owns the table of what they mean for an image. What must hold: each says what was done on what, and what would help; an error that is
 * not SQLite's stays as it is.
 */
import { DamagedImageError, ImageError } from "./errors.ts";

/**
 * What to throw instead of `error`.
 * @param what was done, on what: `write to the image "…"`
 * @param busyMs how long a statement waited for others
 */
export function explainSqlite(error: unknown, what: string, busyMs: number): unknown {
  if (!(error instanceof Error) || (error as { code?: string }).code !== "ERR_SQLITE_ERROR") {
    return error;
  }
  const { message } = error;
  if (/disk is full|SQLITE_FULL/i.test(message)) {
    return new ImageError(
      `${what}: no space is left on the disk, nothing was changed; make room and try again`,
      { cause: error },
    );
  }
  if (/malformed|not a database|corrupt/i.test(message)) {
    return new DamagedImageError(
      `${what}: ${message}; "image check" says what is damaged, and what can be read can be copied to a new file`,
    );
  }
  if (/locked|busy/i.test(message)) {
    return new ImageError(
      `${what}: another process has been writing for more than ${
        busyMs / 1000
      } s; wait for it to end`,
      { cause: error },
    );
  }
  return new ImageError(`${what}: ${message}`, { cause: error });
}
