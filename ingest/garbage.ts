/**
 * Keeps the memory of a long ingest small.
 *
 * Syntax trees are garbage as soon as a file is cut, but V8 lets garbage grow as far as the machine's memory invites it to: a third
 * more than needed for some megabytes of source. Asking for a collection twice early on costs a tenth of a second each.
 * What must hold: where the engine does not offer it, nothing happens.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Characters of source after which a collection is asked for. Later ones would cost more, and the engine has learnt by then. */
const MOMENTS = [1_500_000, 3_000_000];

/** Counts what was parsed and collects garbage when it is time. */
export class GarbageCollection {
  #parsed = 0;
  #moments = [...MOMENTS];
  #collect: (() => void) | undefined;

  /** To be called after each file, with the length of its text. */
  parsed(characters: number): void {
    this.#parsed += characters;
    if (this.#moments.length === 0 || this.#parsed < this.#moments[0]!) return;
    this.#moments.shift();
    this.#collect ??= collector();
    this.#collect();
  }
}

/** Collects now: for whoever has done something large, and will do nothing more for a while. */
export function collectGarbage(): void {
  collector()();
}

/** The engine's own `gc`, which it shows to contexts that are made after it was asked to. */
function collector(): () => void {
  try {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
    return typeof collect === "function" ? () => void collect() : () => {};
  } catch {
    return () => {};
  }
}
