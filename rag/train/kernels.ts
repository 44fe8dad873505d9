/**
 * The arithmetic of training, in WebAssembly SIMD over one block of memory.
 *
 * Owns the layout of that memory and the loops over it; `optimise.ts` says what they mean. All matrices are row by row, in
 * single precision. What must hold: sums are taken in an order that does not depend on the machine; dimensions and batch are
 * multiples of 16.
 */
import { instantiate, PAGE } from "../embed/wasm.ts";

interface Exports {
  /** destination += weight × source */
  addScaled(destination: number, source: number, weight: number, bytes: number): void;
  /** a · b */
  dot(a: number, b: number, bytes: number): number;
  /** vector ×= weight */
  scale(vector: number, weight: number, bytes: number): void;
  /** out[i][j] = a[i] · b[j] for `count` rows each */
  products(out: number, a: number, b: number, count: number, bytes: number): void;
  /** out[i] = Σ_j weights[i × rowStride + j × columnStride] × rows[j]; strides in bytes */
  combine(
    out: number,
    weights: number,
    rows: number,
    count: number,
    bytes: number,
    rowStride: number,
    columnStride: number,
  ): void;
  /** One step of Adam over a row. */
  adam(
    row: number,
    gradient: number,
    mean: number,
    variance: number,
    bytes: number,
    rate: number,
    correction: number,
    keepMean: number,
    keepVariance: number,
    floor: number,
  ): void;
}

/** Sums the four lanes of a vector, always in this order. */
const lanes = (vector: string) =>
  `(f32.add
     (f32.add (f32x4.extract_lane 0 (local.get ${vector})) (f32x4.extract_lane 1 (local.get ${vector})))
     (f32.add (f32x4.extract_lane 2 (local.get ${vector})) (f32x4.extract_lane 3 (local.get ${vector}))))`;

const advance = (...names: string[]) =>
  names.map((name) => `(local.set ${name} (i32.add (local.get ${name}) (i32.const 16)))`).join(" ");

const range = (count: number) => Array.from({ length: count }, (_, at) => at);

/** Rows of `a` and of `b` that `products` has in hand at once. */
const TALL = 2;
const WIDE = 4;

const LISTING = `
  (func (export "addScaled") (param $to i32) (param $from i32) (param $weight f32) (param $bytes i32)
    (local $end i32) (local $weights v128)
    (local.set $weights (f32x4.splat (local.get $weight)))
    (local.set $end (i32.add (local.get $to) (local.get $bytes)))
    (loop $next
      (v128.store (local.get $to)
        (f32x4.add (v128.load (local.get $to))
          (f32x4.mul (local.get $weights) (v128.load (local.get $from)))))
      (v128.store offset=16 (local.get $to)
        (f32x4.add (v128.load offset=16 (local.get $to))
          (f32x4.mul (local.get $weights) (v128.load offset=16 (local.get $from)))))
      ${advance("$to", "$from")} ${advance("$to", "$from")}
      (br_if $next (i32.lt_u (local.get $to) (local.get $end)))))

  (func (export "dot") (param $a i32) (param $b i32) (param $bytes i32) (result f32)
    (local $end i32) (local $sum v128)
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (loop $next
      (local.set $sum (f32x4.add (local.get $sum)
        (f32x4.mul (v128.load (local.get $a)) (v128.load (local.get $b)))))
      ${advance("$a", "$b")}
      (br_if $next (i32.lt_u (local.get $a) (local.get $end))))
    ${lanes("$sum")})

  (func (export "scale") (param $at i32) (param $weight f32) (param $bytes i32) (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $bytes)))
    (loop $next
      (v128.store (local.get $at)
        (f32x4.mul (v128.load (local.get $at)) (f32x4.splat (local.get $weight))))
      ${advance("$at")}
      (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))

  ;; Eight sums at a time: what is loaded is used several times.
  (func (export "products")
    (param $out i32) (param $a i32) (param $b i32) (param $count i32) (param $bytes i32)
    (local $i i32) (local $j i32) (local $end i32) (local $left i32) (local $right i32) (local $to i32)
    ${range(TALL).map((i) => `(local $a${i} v128)`).join(" ")} (local $v v128)
    ${range(TALL).flatMap((i) => range(WIDE).map((j) => `(local $s${i}${j} v128)`)).join(" ")}
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        ${
  range(TALL).flatMap((i) =>
    range(WIDE).map((j) => `(local.set $s${i}${j} (v128.const f32x4 0 0 0 0))`)
  ).join("\n        ")
}
        (local.set $left (i32.add (local.get $a) (i32.mul (local.get $i) (local.get $bytes))))
        (local.set $right (i32.add (local.get $b) (i32.mul (local.get $j) (local.get $bytes))))
        (local.set $end (i32.add (local.get $left) (local.get $bytes)))
        (loop $values
          ${
  range(TALL).map((i) =>
    `(local.set $a${i} (v128.load (i32.add (local.get $left) (i32.mul (i32.const ${i}) (local.get $bytes)))))`
  ).join("\n          ")
}
          ${
  range(WIDE).map((j) =>
    `(local.set $v (v128.load (i32.add (local.get $right) (i32.mul (i32.const ${j}) (local.get $bytes)))))
          ${
      range(TALL).map((i) =>
        `(local.set $s${i}${j} (f32x4.add (local.get $s${i}${j}) (f32x4.mul (local.get $a${i}) (local.get $v))))`
      ).join("\n          ")
    }`
  ).join("\n          ")
}
          ${advance("$left", "$right")}
          (br_if $values (i32.lt_u (local.get $left) (local.get $end))))
        (local.set $to (i32.add (local.get $out) (i32.shl
          (i32.add (i32.mul (local.get $i) (local.get $count)) (local.get $j)) (i32.const 2))))
        ${
  range(TALL).flatMap((i) =>
    range(WIDE).map((j) =>
      `(f32.store offset=${4 * j} (i32.add (local.get $to) (i32.mul (i32.const ${
        4 * i
      }) (local.get $count))) ${lanes(`$s${i}${j}`)})`
    )
  ).join("\n        ")
}
        (local.set $j (i32.add (local.get $j) (i32.const ${WIDE})))
        (br_if $columns (i32.lt_u (local.get $j) (local.get $count))))
      (local.set $i (i32.add (local.get $i) (i32.const ${TALL})))
      (br_if $rows (i32.lt_u (local.get $i) (local.get $count)))))

  ;; Two rows of the result, sixteen values of each, at a time.
  (func (export "combine")
    (param $out i32) (param $weights i32) (param $rows i32) (param $count i32) (param $bytes i32)
    (param $rowStride i32) (param $columnStride i32)
    (local $i i32) (local $at i32) (local $j i32) (local $weight i32) (local $row i32) (local $to i32)
    (local $w0 v128) (local $w1 v128) (local $v v128)
    ${range(2).flatMap((i) => range(4).map((k) => `(local $s${i}${k} v128)`)).join(" ")}
    (loop $results
      (local.set $at (i32.const 0))
      (loop $values
        ${
  range(2).flatMap((i) => range(4).map((k) => `(local.set $s${i}${k} (v128.const f32x4 0 0 0 0))`))
    .join("\n        ")
}
        (local.set $weight (i32.add (local.get $weights) (i32.mul (local.get $i) (local.get $rowStride))))
        (local.set $row (i32.add (local.get $rows) (local.get $at)))
        (local.set $j (i32.const 0))
        (loop $terms
          (local.set $w0 (v128.load32_splat (local.get $weight)))
          (local.set $w1 (v128.load32_splat (i32.add (local.get $weight) (local.get $rowStride))))
          ${
  range(4).map((k) =>
    `(local.set $v (v128.load offset=${16 * k} (local.get $row)))
          (local.set $s0${k} (f32x4.add (local.get $s0${k}) (f32x4.mul (local.get $w0) (local.get $v))))
          (local.set $s1${k} (f32x4.add (local.get $s1${k}) (f32x4.mul (local.get $w1) (local.get $v))))`
  ).join("\n          ")
}
          (local.set $weight (i32.add (local.get $weight) (local.get $columnStride)))
          (local.set $row (i32.add (local.get $row) (local.get $bytes)))
          (local.set $j (i32.add (local.get $j) (i32.const 1)))
          (br_if $terms (i32.lt_u (local.get $j) (local.get $count))))
        (local.set $to (i32.add (i32.add (local.get $out) (local.get $at))
          (i32.mul (local.get $i) (local.get $bytes))))
        ${
  range(4).map((k) => `(v128.store offset=${16 * k} (local.get $to) (local.get $s0${k}))`).join(" ")
}
        (local.set $to (i32.add (local.get $to) (local.get $bytes)))
        ${
  range(4).map((k) => `(v128.store offset=${16 * k} (local.get $to) (local.get $s1${k}))`).join(" ")
}
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br_if $values (i32.lt_u (local.get $at) (local.get $bytes))))
      (local.set $i (i32.add (local.get $i) (i32.const 2)))
      (br_if $results (i32.lt_u (local.get $i) (local.get $count)))))

  (func (export "adam")
    (param $row i32) (param $gradient i32) (param $mean i32) (param $variance i32) (param $bytes i32)
    (param $rate f32) (param $correction f32) (param $keepMean f32) (param $keepVariance f32) (param $floor f32)
    (local $end i32) (local $g v128) (local $m v128) (local $v v128)
    (local.set $end (i32.add (local.get $row) (local.get $bytes)))
    (loop $next
      (local.set $g (v128.load (local.get $gradient)))
      (local.set $m (f32x4.add
        (f32x4.mul (f32x4.splat (local.get $keepMean)) (v128.load (local.get $mean)))
        (f32x4.mul (f32x4.splat (f32.sub (f32.const 1) (local.get $keepMean))) (local.get $g))))
      (local.set $v (f32x4.add
        (f32x4.mul (f32x4.splat (local.get $keepVariance)) (v128.load (local.get $variance)))
        (f32x4.mul (f32x4.splat (f32.sub (f32.const 1) (local.get $keepVariance)))
          (f32x4.mul (local.get $g) (local.get $g)))))
      (v128.store (local.get $mean) (local.get $m))
      (v128.store (local.get $variance) (local.get $v))
      (v128.store (local.get $row) (f32x4.sub (v128.load (local.get $row))
        (f32x4.div (f32x4.mul (f32x4.splat (local.get $rate)) (local.get $m))
          (f32x4.add (f32x4.splat (local.get $floor))
            (f32x4.sqrt (f32x4.mul (f32x4.splat (local.get $correction)) (local.get $v)))))))
      ${advance("$row", "$gradient", "$mean", "$variance")}
      (br_if $next (i32.lt_u (local.get $row) (local.get $end)))))
`;

/** See the module text. */
export class Kernels {
  /** The vectors of all words. */
  readonly rows: Float32Array;
  readonly queries: Float32Array;
  readonly documents: Float32Array;
  readonly queryGradients: Float32Array;
  readonly documentGradients: Float32Array;
  /** Lengths of the vectors before they were normalised. */
  readonly queryLengths: Float32Array;
  readonly documentLengths: Float32Array;
  /** Cosine of each question with each document. */
  readonly scores: Float32Array;
  /** Room for what is made of the scores; in the end the gradient with respect to them. */
  readonly exponentials: Float32Array;
  #means: Float32Array;
  #variances: Float32Array;
  /** Gradients of the rows that a batch touches, in the order in which it met them. */
  #gradients: Float32Array;
  #bytes: number;
  #batch: number;
  #at = 0;
  #wasm: Exports;

  constructor(words: number, dimensions: number, batch: number) {
    if (dimensions % 16 !== 0 || batch % 16 !== 0) {
      throw new RangeError(
        `cannot train with "${dimensions}" dimensions and batches of "${batch}": expected multiples of 16`,
      );
    }
    const sizes = [
      ...range(4).map(() => words * dimensions),
      ...range(4).map(() => batch * dimensions),
      batch,
      batch,
      batch * batch,
      batch * batch,
    ];
    const total = sizes.reduce((sum, size) => sum + size, 0) * 4;
    const memory = new WebAssembly.Memory({ initial: Math.ceil(total / PAGE) });
    let offset = 0;
    const views = sizes.map((size) => {
      const view = new Float32Array(memory.buffer, offset, size);
      offset += size * 4;
      return view;
    });
    [
      this.rows,
      this.#means,
      this.#variances,
      this.#gradients,
      this.queries,
      this.documents,
      this.queryGradients,
      this.documentGradients,
      this.queryLengths,
      this.documentLengths,
      this.scores,
      this.exponentials,
    ] = views as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    this.#bytes = dimensions * 4;
    this.#batch = batch;
    this.#wasm = instantiate<Exports>(LISTING, memory);
  }

  /** Begins the vector at a place of `into`: the sum of what `addRow` adds. */
  begin(into: Float32Array, at: number): void {
    this.#at = into.byteOffset + at * this.#bytes;
    const start = at * this.#bytes / 4;
    into.fill(0, start, start + this.#bytes / 4);
  }

  addRow(word: number, weight: number): void {
    this.#wasm.addScaled(
      this.#at,
      this.rows.byteOffset + word * this.#bytes,
      weight,
      this.#bytes,
    );
  }

  /** Ends the vector: brings it to length 1 and gives the length it had. */
  normalise(): number {
    const length = Math.fround(Math.sqrt(this.#wasm.dot(this.#at, this.#at, this.#bytes)));
    if (length > 0) this.#wasm.scale(this.#at, 1 / length, this.#bytes);
    return length;
  }

  similarities(): void {
    this.#wasm.products(
      this.scores.byteOffset,
      this.queries.byteOffset,
      this.documents.byteOffset,
      this.#batch,
      this.#bytes,
    );
  }

  /** From the gradient of the scores (in `exponentials`) to those of questions and documents. */
  backThroughSimilarities(): void {
    const stride = this.#batch * 4;
    this.#wasm.combine(
      this.queryGradients.byteOffset,
      this.exponentials.byteOffset,
      this.documents.byteOffset,
      this.#batch,
      this.#bytes,
      stride,
      4,
    );
    this.#wasm.combine(
      this.documentGradients.byteOffset,
      this.exponentials.byteOffset,
      this.queries.byteOffset,
      this.#batch,
      this.#bytes,
      4,
      stride,
    );
  }

  /** Gradients of unit vectors to those of the sums they were made of. */
  throughNormalisation(
    units: Float32Array,
    gradients: Float32Array,
    lengths: Float32Array,
  ): void {
    for (let at = 0; at < this.#batch; at++) {
      const unit = units.byteOffset + at * this.#bytes;
      const gradient = gradients.byteOffset + at * this.#bytes;
      const along = this.#wasm.dot(unit, gradient, this.#bytes);
      this.#wasm.addScaled(gradient, unit, -along, this.#bytes);
      const length = lengths[at]!;
      this.#wasm.scale(gradient, length > 0 ? 1 / length : 0, this.#bytes);
    }
  }

  /** Adds to the gradient in a slot what a text's gradient says about one of its words. */
  addGradient(slot: number, gradients: Float32Array, at: number, weight: number): void {
    this.#wasm.addScaled(
      this.#gradients.byteOffset + slot * this.#bytes,
      gradients.byteOffset + at * this.#bytes,
      weight,
      this.#bytes,
    );
  }

  /** Moves the row of a word by the gradient in a slot. */
  adam(
    word: number,
    slot: number,
    rate: number,
    correction: number,
    keepMean: number,
    keepVariance: number,
    floor: number,
  ): void {
    const at = word * this.#bytes;
    this.#wasm.adam(
      this.rows.byteOffset + at,
      this.#gradients.byteOffset + slot * this.#bytes,
      this.#means.byteOffset + at,
      this.#variances.byteOffset + at,
      this.#bytes,
      rate,
      correction,
      keepMean,
      keepVariance,
      floor,
    );
  }

  /** Makes the first slots ready for the next batch. */
  clearGradients(slots: number): void {
    this.#gradients.fill(0, 0, slots * this.#bytes / 4);
  }
}
