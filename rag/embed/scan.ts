/**
 * Cosines of one vector with very many: int8 rows, scanned by SIMD in WebAssembly memory.
 *
 * Owns the memory and the kernel, and how a vector is rounded to bytes. 100,000 × 256 is 26 MB, read in a millisecond or two; native
 * extensions of SQLite take ten times as long and need a permission that no command asks for. What must hold: only the stored side is
 * rounded to bytes, the question keeps 16 bits; a row of zeros has similarity 0 with everything; rows are added, never changed.
 *
 * Memory: the query as int16, the results of one tile as float32, then the tiles, each `TILE` scales as float32 followed by `TILE` rows.
 */
import { instantiate, PAGE } from "./wasm.ts";

/** Values of a row are read in groups of this size: two dot products of 8 × int16. */
const LANES = 16;
/** Rows that the kernel reads side by side. */
const ABREAST = 4;
/** Rows that one call of the kernel goes over; a multiple of `ABREAST`. */
const TILE = 1024;
/** Largest value of a stored byte; −128 is not used, so that a vector and its opposite round alike. */
const MOST = 127;
/** Largest value of the query's int16. */
const MOST_QUERY = 32_767;
/** Sums are int32: the query is scaled so that no row of bytes can make one overflow. */
const MOST_SUM = 2_147_483_647 / MOST;

/** Bytes that a stored row of so many dimensions takes: whole groups, so rows are copied as they are. */
export function rowBytes(dimensions: number): number {
  return Math.ceil(dimensions / LANES) * LANES;
}

/**
 * Rounds a vector to bytes.
 * @param into `rowBytes(vector.length)` bytes; what is beyond the vector is left as it is, and must be 0
 * @returns what the bytes are to be multiplied with so that the row has the length of the vector; 0 for a vector of zeros
 */
export function quantise(vector: Float32Array, into: Int8Array): number {
  let highest = 0;
  let square = 0;
  for (let at = 0; at < vector.length; at++) {
    const value = vector[at]!;
    square += value * value;
    highest = Math.max(highest, Math.abs(value));
  }
  if (highest === 0) return 0;
  const factor = MOST / highest;
  let rounded = 0;
  for (let at = 0; at < vector.length; at++) {
    const value = Math.round(vector[at]! * factor);
    into[at] = value;
    rounded += value * value;
  }
  return Math.sqrt(square / rounded);
}

interface Kernel {
  /** Results of `rows` rows: sum of products × scale of the row × `factor`. All places are byte offsets. */
  scan(scales: number, row: number, rows: number, factor: number): void;
}

/**
 * The kernel for rows of so many bytes. Four rows go side by side, so that a part of the query is loaded once for all of them; some
 * groups stand one after the other, since a turn of a loop costs more than a group.
 * @param results where the results go; the query stands at 0. `rows` is rounded up to a multiple of 4.
 */
function kernelFor(bytes: number, results: number): string {
  const groups = bytes / LANES;
  const unrolled = [4, 3, 2].find((some) => groups % some === 0) ?? 1;
  const each = (count: number, part: (at: number) => string) =>
    Array.from({ length: count }, (_, at) => part(at)).join("");
  return `
    (func (export "scan") (param $scale i32) (param $row i32) (param $rows i32) (param $factor f32)
      (local $result i32) (local $end i32) (local $query i32) (local $bytes v128)
      (local $low v128) (local $high v128) (local $0 v128) (local $1 v128) (local $2 v128) (local $3 v128)
      (local.set $result (i32.const ${results}))
      (local.set $end (i32.add (local.get $result) (i32.shl (local.get $rows) (i32.const 2))))
      (loop $next_rows
        ${each(ABREAST, (row) => `(local.set $${row} (v128.const i32x4 0 0 0 0))`)}
        (local.set $query (i32.const 0))
        (loop $next_groups
          ${
    each(unrolled, (group) => `
          (local.set $low (v128.load offset=${2 * LANES * group} (local.get $query)))
          (local.set $high (v128.load offset=${2 * LANES * group + LANES} (local.get $query)))
          ${
      each(ABREAST, (row) => `
          (local.set $bytes (v128.load offset=${bytes * row + LANES * group} (local.get $row)))
          (local.set $${row} (i32x4.add (local.get $${row}) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))`)
    }`)
  }
          (local.set $row (i32.add (local.get $row) (i32.const ${LANES * unrolled})))
          (local.set $query (i32.add (local.get $query) (i32.const ${2 * LANES * unrolled})))
          (br_if $next_groups (i32.lt_u (local.get $query) (i32.const ${2 * bytes}))))
        ${
    each(ABREAST, (row) => `
        (f32.store offset=${4 * row} (local.get $result) (f32.mul
          (f32.mul (f32.load offset=${4 * row} (local.get $scale)) (local.get $factor))
          (f32.convert_i32_s (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $${row})) (i32x4.extract_lane 1 (local.get $${row})))
            (i32.add (i32x4.extract_lane 2 (local.get $${row})) (i32x4.extract_lane 3 (local.get $${row})))))))`)
  }
        (local.set $row (i32.add (local.get $row) (i32.const ${(ABREAST - 1) * bytes})))
        (local.set $scale (i32.add (local.get $scale) (i32.const ${4 * ABREAST})))
        (local.set $result (i32.add (local.get $result) (i32.const ${4 * ABREAST})))
        (br_if $next_rows (i32.lt_u (local.get $result) (local.get $end)))))`;
}

/** Rows of one kind of vector. See the module text. */
export class VectorScan {
  readonly dimensions: number;
  #rowBytes: number;
  #count = 0;
  #memory: WebAssembly.Memory;
  #kernel: Kernel;
  /** Where the results of a tile go; the query stands before it. */
  #results: number;
  #tiles: number;
  #tileBytes: number;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.#rowBytes = rowBytes(dimensions);
    this.#results = 2 * this.#rowBytes;
    this.#tiles = this.#results + 4 * TILE;
    this.#tileBytes = TILE * (4 + this.#rowBytes);
    this.#memory = new WebAssembly.Memory({ initial: Math.ceil(this.#tiles / PAGE) });
    this.#kernel = instantiate<Kernel>(kernelFor(this.#rowBytes, this.#results), this.#memory);
  }

  /** Number of rows. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds rows behind those that are there.
   * @param scales one a row, little-endian float32, as `quantise` gives them
   * @param values `rowBytes(dimensions)` bytes a row
   * @throws {RangeError} when they do not fit into 4 GB of memory.
   */
  add(scales: Uint8Array, values: Uint8Array): void {
    const rows = scales.length / 4;
    this.#reserve(this.#count + rows);
    const memory = new Uint8Array(this.#memory.buffer);
    for (let done = 0; done < rows;) {
      const tile = this.#tiles + Math.floor(this.#count / TILE) * this.#tileBytes;
      const first = this.#count % TILE;
      const some = Math.min(rows - done, TILE - first);
      memory.set(scales.subarray(4 * done, 4 * (done + some)), tile + 4 * first);
      memory.set(
        values.subarray(this.#rowBytes * done, this.#rowBytes * (done + some)),
        tile + 4 * TILE + this.#rowBytes * first,
      );
      done += some;
      this.#count += some;
    }
  }

  /** Makes room for so many rows in all. */
  #reserve(rows: number): void {
    const needed = this.#tiles + Math.ceil(rows / TILE) * this.#tileBytes;
    const missing = needed - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
  }

  /**
   * Cosine of every row with a vector; 0 for all when the vector is zero.
   * @throws {RangeError} when the vector has another number of dimensions or a value that is not finite.
   */
  similarities(query: Float32Array): Float32Array {
    const factor = this.#setQuery(query);
    const similarities = new Float32Array(this.#count);
    const results = new Float32Array(this.#memory.buffer, this.#results, TILE);
    for (let first = 0; first < this.#count; first += TILE) {
      const rows = Math.min(TILE, this.#count - first);
      const tile = this.#tiles + first / TILE * this.#tileBytes;
      this.#kernel.scan(tile, tile + 4 * TILE, rows, factor);
      similarities.set(rows === TILE ? results : results.subarray(0, rows), first);
    }
    return similarities;
  }

  /** The `k` rows nearest to a vector, nearest first; `allowed` has 1 for each row that may be among them. */
  nearest(query: Float32Array, k: number, allowed?: Uint8Array): number[] {
    return highest(this.similarities(query), k, allowed);
  }

  /** Writes the query as int16, and returns what the sums are to be multiplied with. */
  #setQuery(query: Float32Array): number {
    let largest = 0;
    let sum = 0;
    let square = 0;
    for (const value of query) {
      largest = Math.max(largest, Math.abs(value));
      sum += Math.abs(value);
      square += value * value;
    }
    if (query.length !== this.dimensions || !Number.isFinite(square)) {
      throw new RangeError(
        `cannot search with a vector of ${query.length} values: expected ${this.dimensions}, all finite`,
      );
    }
    const words = new Int16Array(this.#memory.buffer, 0, this.#rowBytes);
    words.fill(0);
    if (largest === 0) return 0;
    // Half a unit a value for the rounding.
    const factor = Math.min(MOST_QUERY / largest, (MOST_SUM - query.length) / sum);
    for (let at = 0; at < query.length; at++) words[at] = Math.round(query[at]! * factor);
    return 1 / (factor * Math.sqrt(square));
  }
}

/**
 * Places of the `k` highest values, highest first; of equal ones the first.
 * @param allowed 1 for each place that may be chosen
 */
export function highest(values: Float32Array, k: number, allowed?: Uint8Array): number[] {
  if (k < 1) return [];
  // A heap whose root is the one to go next: few values get past it, so one look is all that most of them take.
  const heap: number[] = [];
  const isWorse = (a: number, b: number) =>
    values[a]! < values[b]! || (values[a] === values[b] && a > b);
  const sink = (place: number) => {
    for (;;) {
      let worst = place;
      for (let child = 2 * place + 1; child <= 2 * place + 2; child++) {
        if (child < heap.length && isWorse(heap[child]!, heap[worst]!)) worst = child;
      }
      if (worst === place) return;
      [heap[place], heap[worst]] = [heap[worst]!, heap[place]!];
      place = worst;
    }
  };
  let floor = -Infinity;
  for (let at = 0; at < values.length; at++) {
    if (!(values[at]! > floor) || (allowed && allowed[at] !== 1)) continue;
    if (heap.length < k) {
      heap.push(at);
      if (heap.length < k) continue;
      for (let place = k >> 1; place >= 0; place--) sink(place);
    } else {
      heap[0] = at;
      sink(0);
    }
    floor = values[heap[0]!]!;
  }
  return heap.sort((a, b) => isWorse(a, b) ? 1 : -1);
}
