/** The scan against plain loops: same cosines, same neighbours, whatever the dimensions and the number of rows. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { highest, quantise, rowBytes, VectorScan } from "../../../rag/embed/scan.ts";

/** Scales and rows as a block of the index has them. */
function block(vectors: readonly Float32Array[], dimensions: number): [Uint8Array, Uint8Array] {
  const bytes = rowBytes(dimensions);
  const scales = new DataView(new ArrayBuffer(4 * vectors.length));
  const values = new Int8Array(bytes * vectors.length);
  vectors.forEach((vector, at) => {
    const row = values.subarray(bytes * at, bytes * (at + 1));
    scales.setFloat32(4 * at, quantise(vector, row), true);
  });
  return [new Uint8Array(scales.buffer), new Uint8Array(values.buffer)];
}

function scanOf(vectors: readonly Float32Array[], dimensions: number): VectorScan {
  const scan = new VectorScan(dimensions);
  scan.add(...block(vectors, dimensions));
  return scan;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}

function unit(values: readonly number[]): Float32Array {
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => length > 0 ? value / length : 0);
}

/** Unit vectors of bell-shaped values around a few centres, from a seed. */
function clustered(count: number, dimensions: number, seed: number): Float32Array[] {
  let state = seed;
  const uniform = () => (state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0) / 2 ** 32 + 0.5;
  const bell = () => uniform() + uniform() + uniform() + uniform() - 2;
  const centres = Array.from({ length: 12 }, () => Array.from({ length: dimensions }, bell));
  return Array.from(
    { length: count },
    (_, at) => unit(centres[at % 12]!.map((value) => 0.7 * value + bell())),
  );
}

const vectorSet = fc.integer({ min: 1, max: 70 }).chain((dimensions) => {
  const vector = fc.array(fc.integer({ min: -1000, max: 1000 }), {
    minLength: dimensions,
    maxLength: dimensions,
  }).map(unit);
  return fc.record({
    dimensions: fc.constant(dimensions),
    query: vector,
    rows: fc.array(vector, { maxLength: 30 }),
  });
});

Deno.test("similarities() are the cosines, to within the rounding of the stored side", () => {
  fc.assert(fc.property(vectorSet, ({ dimensions, query, rows }) => {
    const found = scanOf(rows, dimensions).similarities(query);
    assert.equal(found.length, rows.length);
    rows.forEach((row, at) => {
      assert.ok(
        Math.abs(found[at]! - dot(row, query)) < 0.02,
        `${found[at]} for ${dot(row, query)}`,
      );
    });
  }));
});

Deno.test("rows of several tiles, added in blocks of any size, are the same rows", () => {
  const rows = clustered(2_500, 48, 1);
  const query = rows[7]!;
  const whole = scanOf(rows, 48).similarities(query);
  const inBlocks = new VectorScan(48);
  for (let at = 0, size = 1; at < rows.length; at += size, size = size * 3 % 257) {
    inBlocks.add(...block(rows.slice(at, at + size), 48));
  }
  assert.equal(inBlocks.count, rows.length);
  assert.deepEqual(inBlocks.similarities(query), whole);
  assert.equal(inBlocks.nearest(query, 1)[0], 7);
});

Deno.test("nearest() finds 98 of 100 neighbours that an exact search finds", () => {
  const rows = clustered(3_000, 256, 2);
  const scan = scanOf(rows, 256);
  let found = 0;
  const queries = clustered(60, 256, 3);
  for (const query of queries) {
    const exact = highest(Float32Array.from(rows, (row) => dot(row, query)), 20);
    const near = new Set(scan.nearest(query, 20));
    found += exact.filter((row) => near.has(row)).length;
  }
  assert.ok(found / (20 * queries.length) >= 0.98, `${found} of ${20 * queries.length}`);
});

Deno.test("nearest() looks only among the allowed rows", () => {
  const rows = clustered(500, 32, 4);
  const scan = scanOf(rows, 32);
  const allowed = Uint8Array.from(rows, (_, at) => at % 7 === 3 ? 1 : 0);
  const near = scan.nearest(rows[0]!, 10, allowed);
  assert.equal(near.length, 10);
  assert.ok(near.every((row) => row % 7 === 3));
  assert.deepEqual(scan.nearest(rows[0]!, 10, new Uint8Array(500)), []);
});

Deno.test("a vector of zeros is near to nothing, stored or asked", () => {
  const zero = new Float32Array(20);
  const one = unit([1, ...new Array(19).fill(0.1)]);
  const scan = scanOf([zero, one], 20);
  assert.deepEqual([...scan.similarities(zero)], [0, 0]);
  const [none, all] = scan.similarities(one);
  assert.equal(none, 0);
  assert.ok(Math.abs(all! - 1) < 0.001);
});

Deno.test("no sum overflows, however many dimensions have the largest value", () => {
  const dimensions = 4_096;
  const flat = unit(new Array(dimensions).fill(1));
  const opposite = flat.map((value) => -value);
  const scan = scanOf([flat, opposite], dimensions);
  const [same, other] = scan.similarities(flat);
  assert.ok(Math.abs(same! - 1) < 0.001 && Math.abs(other! + 1) < 0.001, `${same} ${other}`);
});

Deno.test("a question with other dimensions or a value that is no number is refused", () => {
  const scan = scanOf([unit([1, 2, 3])], 3);
  assert.throws(() => scan.similarities(new Float32Array(4)), /4 values: expected 3/);
  assert.throws(() => scan.similarities(Float32Array.of(1, NaN, 0)), /all finite/);
});

Deno.test("highest() is the head of the sorted list, the first of equal ones first", () => {
  const values = fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 40 });
  fc.assert(fc.property(values, fc.integer({ min: 0, max: 50 }), (numbers, k) => {
    const order = numbers.map((_, at) => at).sort((a, b) => numbers[b]! - numbers[a]! || a - b);
    assert.deepEqual(highest(Float32Array.from(numbers), k), order.slice(0, k));
  }));
});
