/**
 * Work that conflicts, done again.
 *
 * Owns what counts as a conflict and how often work is repeated. What must hold: each attempt begins on what is there then; any other error ends
 * it at once.
 */
import { ConflictError } from "./errors.ts";

/** More conflicts in a row than this are no accident: the same objects are written all the time. */
const RETRIES = 5;

/**
 * Does the work again when somebody else changed the same meanwhile.
 * @throws {ConflictError} when the retries are spent
 * @throws what the work throws
 */
export async function retried<R>(work: () => Promise<R>, retries = RETRIES): Promise<R> {
  for (let attempt = 0;; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isConflict(error) || attempt >= retries) throw error;
    }
  }
}

/** Also where whoever joined the unit wrapped it. */
function isConflict(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof ConflictError) return true;
  }
  return false;
}
