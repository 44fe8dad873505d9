/**
 * How a cycle says that it failed.
 *
 * Owns the error and nothing else, so that whoever only looks at errors loads no engine.
 */
import type { StateName } from "./states.ts";

/** A cycle ended in FAILED; `cause` is what happened. */
export class CycleError extends Error {
  override readonly name = "CycleError";
  constructor(
    /** Of the cycle. */
    readonly id: string,
    /** Where it was when it failed. */
    readonly state: StateName,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    super(`cycle ${id}: failed in ${state}: ${reason}`, { cause });
  }
}
