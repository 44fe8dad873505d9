/**
 * SQLite's own errors in our words.
 *
 * Owns the table of what they mean for an image. What must hold: each says what was done on what, and what would help; an error that is
 * not SQLite's stays as it is.
 */
import { DamagedImageError, ImageError } from "./errors.ts";

/** SQLITE_IOERR_READ and SQLITE_IOERR_SHORT_READ: the disk does not give a page, or the file ends within it. */
const UNREADABLE: readonly number[] = [266, 522];

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
  const { errcode } = error as { errcode?: number };
  const isDamage = /malformed|not a database|corrupt|vtable constructor failed/i.test(message) ||
    (errcode !== undefined && UNREADABLE.includes(errcode));
  if (isDamage) {
    return new DamagedImageError(
      `${what}: ${message}; "batos image check" says what is damaged, "batos ingest --rebuild" saves what can be read into a new file`,
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

/** The lines of `PRAGMA integrity_check`; a line between stars names the database, of which there is one. */
export function fileProblems(report: string): { problem: string }[] {
  return report.split("\n").filter((line) => line !== "ok" && !line.startsWith("***"))
    .map((line) => ({ problem: `the file: ${line}` }));
}
