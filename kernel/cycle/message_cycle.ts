/**
 * A message as a cognitive cycle: sent to an object of the image, committed when it was understood.
 *
 * Owns what the states do for it. What must hold: what the message changed is one commit with the cycle; a message that is not understood
 * ends in FAILED with the reason, and leaves nothing else.
 */
import { CycleError } from "./cycle_error.ts";
import type { CycleEngine, CycleOptions } from "./cycle_engine.ts";
import { type Oid, Ref, type Value } from "../image/values.ts";

/** What came of a message. */
export interface MessageEnd {
  readonly value: Value;
  /** The transaction of the cycle. */
  readonly tid: number;
  /** UUID of the cycle. */
  readonly cycle_id: string;
}

/**
 * Sends a message in a cycle of its own.
 * @throws {NotUnderstoodError} and whatever the method throws; the reason is kept with the cycle
 * @throws the signal's reason when cancelled
 */
export async function sendInCycle(
  cycles: CycleEngine,
  target: Oid,
  selector: string,
  args: readonly unknown[],
  options: CycleOptions = {},
): Promise<MessageEnd> {
  let value: Value = null;
  try {
    const { id, tid } = await cycles.run(
      { type: "unhandled_message", selector, args: [new Ref(target), ...args] },
      {
        DECOMPOSING: async () => "DELEGATING",
        async DELEGATING({ unit, oid, signal, tell }) {
          tell(`${selector} to @${target}`);
          value = await unit.send(target, selector, args, { sender: oid, signal });
          return "SYNTHESIZING";
        },
        SYNTHESIZING: async () => "COMPLETE",
      },
      options,
    );
    return { value, tid, cycle_id: id };
  } catch (error) {
    throw error instanceof CycleError && error.cause instanceof Error ? error.cause : error;
  }
}
