/**
 * Random numbers that are the same in every run: the trainer's only source of chance.
 *
 * What must hold: the sequence depends on the seed alone, on every machine (integer arithmetic and exact divisions only).
 */

/** A small generator (mulberry32, public domain). */
export class Random {
  #state: number;

  /** @param seed a number, or a text whose characters are mixed into one */
  constructor(seed: number | string) {
    let state = typeof seed === "number" ? seed | 0 : 0x9e3779b9 | 0;
    if (typeof seed === "string") {
      for (let at = 0; at < seed.length; at++) {
        state = Math.imul(state ^ seed.charCodeAt(at), 0x85ebca6b);
        state ^= state >>> 13;
      }
    }
    this.#state = state;
  }

  /** Between 0 (inclusive) and 1 (exclusive). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** Mean 0, variance 1: twelve uniform numbers (Irwin and Hall), since logarithms and cosines differ between machines. */
  normal(): number {
    let sum = -6;
    for (let count = 0; count < 12; count++) sum += this.next();
    return sum;
  }

  /** Brings a list into random order, in place (Fisher and Yates). */
  shuffle<T>(list: T[] | Uint32Array): void {
    for (let at = list.length - 1; at > 0; at--) {
      const other = this.below(at + 1);
      const kept = list[at]!;
      list[at] = list[other]!;
      list[other] = kept;
    }
  }
}
