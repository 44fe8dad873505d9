/**
 * Refuses a message that comes a second time, or from another time.
 *
 * Owns what is remembered of messages. What must hold: a message is accepted at most once, however long the kernel runs (a clock
 * that is set forward and back again within the window is the one exception); the memory for that is bounded, and when it is full, new messages are refused rather than old ones forgotten.
 *
 * A message says its time; one that is further from the kernel's clock than `WINDOW_MS` is refused, so only those within the window
 * have to be remembered. They are known by the first 64 bits of their signature, which nobody without the key can choose. They are kept in one
 * table for each slice of time, and a table is dropped whole when no message of its slice would be accepted any more.
 */

/** Largest difference of clocks: clients run on the same machine, or on one whose clock is set. */
export const WINDOW_MS = 30_000;

/** Messages of one table have times within this slice. */
const SLICE_MS = 10_000;

/** Most slots of all tables together: 32 MB, 2 million messages in the window. */
const MAX_SLOTS = 4_194_304;

/** Slots of a new table. */
const FIRST_SLOTS = 1_024;

/** Why a message is refused. */
export type Refusal = "bad_time" | "replayed" | "busy";

/** See the module text. */
export class ReplayGuard {
  readonly #tables = new Map<number, Table>();

  /**
   * Takes note of a message.
   *
   * @param signature a verified one, of 8 octets at least
   * @param time what the message says, in milliseconds since 1970
   * @param now the kernel's clock, in the same unit
   * @returns why it is refused; undefined when it is accepted
   */
  admit(signature: Uint8Array, time: number, now: number): Refusal | undefined {
    if (!(Math.abs(now - time) <= WINDOW_MS)) return "bad_time";
    const slice = Math.floor(time / SLICE_MS);
    let table = this.#tables.get(slice);
    if (table === undefined) {
      this.#forget(now);
      table = new Table();
      this.#tables.set(slice, table);
    }
    const view = new DataView(signature.buffer, signature.byteOffset, 8);
    return table.add(view.getUint32(0), view.getUint32(4), MAX_SLOTS - this.slots);
  }

  /** Slots in use by all tables, eight octets each. */
  get slots(): number {
    let sum = 0;
    for (const table of this.#tables.values()) sum += table.slots;
    return sum;
  }

  /** Drops the tables of messages that would be refused for their time. */
  #forget(now: number): void {
    for (const slice of this.#tables.keys()) {
      // Those of the future are kept: they are there when the clock was set back, and it gets there again.
      if ((slice + 1) * SLICE_MS < now - WINDOW_MS) this.#tables.delete(slice);
    }
  }
}

/** A set of 64-bit values: open addressing, a slot of zeros is free. */
class Table {
  #values = new Uint32Array(FIRST_SLOTS * 2);
  #count = 0;

  get slots(): number {
    return this.#values.length / 2;
  }

  /** @param spare slots by which it may grow */
  add(high: number, low: number, spare: number): Refusal | undefined {
    // Zero marks a free slot; one value in 2^64 shares its mark with its neighbour.
    if (high === 0 && low === 0) low = 1;
    if (this.#count * 2 >= this.slots && !this.#grow(spare)) return "busy";
    const at = this.#find(this.#values, high, low);
    if (this.#values[at] !== 0 || this.#values[at + 1] !== 0) return "replayed";
    this.#values[at] = high;
    this.#values[at + 1] = low;
    this.#count++;
    return undefined;
  }

  /** Where the value is, or would be. */
  #find(values: Uint32Array, high: number, low: number): number {
    const mask = values.length / 2 - 1;
    for (let slot = low & mask;; slot = (slot + 1) & mask) {
      const at = slot * 2;
      const isFree = values[at] === 0 && values[at + 1] === 0;
      if (isFree || (values[at] === high && values[at + 1] === low)) return at;
    }
  }

  #grow(spare: number): boolean {
    if (this.slots > spare) return false;
    const larger = new Uint32Array(this.#values.length * 2);
    for (let at = 0; at < this.#values.length; at += 2) {
      const high = this.#values[at]!;
      const low = this.#values[at + 1]!;
      if (high === 0 && low === 0) continue;
      const to = this.#find(larger, high, low);
      larger[to] = high;
      larger[to + 1] = low;
    }
    this.#values = larger;
    return true;
  }
}
