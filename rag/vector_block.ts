/**
 * The vectors of successive chunks as a row of the index has them: many to a row, since reading a row costs more than reading a vector.
 *
 * Owns the packed form: a bit for each of `BLOCK` successive chunk ids that says whether it has a vector (lowest bit first), then, in the
 * order of the ids, a little-endian float32 scale for each that has, then their rows as `embed/scan.ts` wants them. What must hold: the
 * bytes depend on ids and vectors alone, not on the order in which they came and went.
 */
import { quantise, rowBytes } from "./embed/scan.ts";

/** Chunk ids that share a row: a hundred thousand are read in some 400 rows, and 66 kB are written again when one changes. */
export const BLOCK = 256;
/** Bytes of the bits at the beginning. */
export const MASK = BLOCK / 8;
/** Bytes of a scale. */
const SCALE = 4;

/** Bytes that a vector of so many dimensions takes in a block. */
export function vectorBytes(dimensions: number): number {
  return SCALE + rowBytes(dimensions);
}

/** Whether the bits of a block have one for a place. */
export function hasPlace(mask: Uint8Array, place: number): boolean {
  return (mask[place >> 3]! >> (place & 7) & 1) === 1;
}

/** See the module text. Places are chunk ids less the first id of the block, 0 to `BLOCK`. */
export class VectorBlock {
  #dimensions: number;
  #mask: Uint8Array;
  #scales: Uint8Array;
  #rows: Uint8Array;

  /** @param data what `bytes` gave; a block without vectors when absent */
  constructor(dimensions: number, data: Uint8Array = new Uint8Array(MASK)) {
    this.#dimensions = dimensions;
    const count = (data.length - MASK) / vectorBytes(dimensions);
    this.#mask = data.slice(0, MASK);
    this.#scales = data.subarray(MASK, MASK + SCALE * count);
    this.#rows = data.subarray(MASK + SCALE * count);
  }

  /** Number of vectors. */
  get count(): number {
    return this.#scales.length / SCALE;
  }

  /** A float32 a vector. */
  get scales(): Uint8Array {
    return this.#scales;
  }

  /** `rowBytes` a vector. */
  get rows(): Uint8Array {
    return this.#rows;
  }

  has(place: number): boolean {
    return hasPlace(this.#mask, place);
  }

  /** Number of vectors before a place. */
  rank(place: number): number {
    let rank = 0;
    for (let before = 0; before < place; before++) if (this.has(before)) rank++;
    return rank;
  }

  /** Scales and rows of the places `[from, to)`, as far as they have vectors. */
  range(from: number, to: number): { scales: Uint8Array; rows: Uint8Array } {
    const [first, end] = [this.rank(from), this.rank(to)];
    const bytes = rowBytes(this.#dimensions);
    return {
      scales: this.#scales.subarray(SCALE * first, SCALE * end),
      rows: this.#rows.subarray(bytes * first, bytes * end),
    };
  }

  /** Gives places that have no vector theirs, from `place` on. */
  insert(place: number, vectors: readonly Float32Array[]): void {
    const bytes = rowBytes(this.#dimensions);
    const scales = new DataView(new ArrayBuffer(SCALE * vectors.length));
    const rows = new Int8Array(bytes * vectors.length);
    vectors.forEach((vector, at) => {
      const row = rows.subarray(bytes * at, bytes * (at + 1));
      scales.setFloat32(SCALE * at, quantise(vector, row), true);
    });
    const rank = this.rank(place);
    this.#splice(rank, rank, new Uint8Array(scales.buffer), new Uint8Array(rows.buffer));
    for (let at = place; at < place + vectors.length; at++) this.#mask[at >> 3]! |= 1 << (at & 7);
  }

  /** Takes the vectors of the places `[from, to)` out. */
  remove(from: number, to: number): void {
    this.#splice(this.rank(from), this.rank(to), new Uint8Array(0), new Uint8Array(0));
    for (let at = from; at < to; at++) this.#mask[at >> 3]! &= ~(1 << (at & 7));
  }

  /** The packed form. */
  bytes(): Uint8Array {
    return joined(this.#mask, this.#scales, this.#rows);
  }

  /** Puts scales and rows in place of those of the vectors `[from, to)`. */
  #splice(from: number, to: number, scales: Uint8Array, rows: Uint8Array): void {
    const put = (old: Uint8Array, size: number, some: Uint8Array) =>
      joined(old.subarray(0, size * from), some, old.subarray(size * to));
    this.#scales = put(this.#scales, SCALE, scales);
    this.#rows = put(this.#rows, rowBytes(this.#dimensions), rows);
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let used = 0;
  for (const part of parts) {
    all.set(part, used);
    used += part.length;
  }
  return all;
}
