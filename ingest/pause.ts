/**
 * Long work in slices, between which the event loop has its turn.
 *
 * Owns the length of a slice. What must hold: whoever works through many files asks between two of them, so that Ctrl-C, timers and other
 * work of the process wait for a slice and not for the end.
 */
import { setImmediate } from "node:timers";

/** Milliseconds of work at a stretch: nobody notices the wait, and a turn costs about a hundredth of it. */
const SLICE_MS = 15;

/** More turns of the event loop at a time, some microseconds each: it hands out one message of another thread a turn, and an abort may stand behind others. */
const TURNS = 4;

/** Says when a turn is due, and gives it. */
export class Pause {
  #since = performance.now();
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Whether the slice is over. */
  due(): boolean {
    return performance.now() - this.#since > SLICE_MS;
  }

  /** Lets everybody else have a turn. @throws the reason of the signal when it was aborted */
  async take(): Promise<void> {
    this.#signal?.throwIfAborted();
    // The network, signals and timers are looked at before the file system answers, which takes some twenty microseconds; a timer would
    // take two milliseconds, and `setImmediate` alone comes back before anything from outside is looked at.
    await Deno.lstat("/");
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.#signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
