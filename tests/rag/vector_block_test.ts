/** Blocks of vectors against a plain map: whatever came and went, and in which order, the bytes are those of what is there. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { quantise, rowBytes } from "../../rag/embed/scan.ts";
import { BLOCK, MASK, VectorBlock, vectorBytes } from "../../rag/vector_block.ts";

const DIMENSIONS = 20;

/** A vector that tells one place and turn from another. */
function vectorOf(place: number, turn: number): Float32Array {
  return Float32Array.from(
    { length: DIMENSIONS },
    (_, at) => Math.sin(1 + at + place * 7 + turn * 13),
  );
}

/** The packed form, made at once. */
function packed(vectors: ReadonlyMap<number, Float32Array>): Uint8Array {
  const places = [...vectors.keys()].sort((a, b) => a - b);
  const bytes = new Uint8Array(MASK + places.length * vectorBytes(DIMENSIONS));
  const view = new DataView(bytes.buffer);
  places.forEach((place, rank) => {
    bytes[place >> 3]! |= 1 << (place & 7);
    const rows = MASK + 4 * places.length;
    const row = new Int8Array(
      bytes.buffer,
      rows + rank * rowBytes(DIMENSIONS),
      rowBytes(DIMENSIONS),
    );
    view.setFloat32(MASK + 4 * rank, quantise(vectors.get(place)!, row), true);
  });
  return bytes;
}

const changes = fc.array(
  fc.record({
    from: fc.nat(BLOCK - 1),
    count: fc.integer({ min: 1, max: 40 }),
    comes: fc.boolean(),
    isReadAgain: fc.boolean(),
  }),
  { maxLength: 30 },
);

Deno.test("a block holds what came and did not go, in the order of the places", () => {
  fc.assert(fc.property(changes, (list) => {
    const expected = new Map<number, Float32Array>();
    let block = new VectorBlock(DIMENSIONS);
    list.forEach(({ from, count, comes, isReadAgain }, turn) => {
      const end = Math.min(BLOCK, from + count);
      if (comes) {
        // Only places that are free are given a vector.
        let last = from;
        while (last < end && !expected.has(last)) last++;
        const vectors = Array.from({ length: last - from }, (_, at) => vectorOf(from + at, turn));
        block.insert(from, vectors);
        vectors.forEach((vector, at) => expected.set(from + at, vector));
      } else {
        block.remove(from, end);
        for (let place = from; place < end; place++) expected.delete(place);
      }
      if (isReadAgain) block = new VectorBlock(DIMENSIONS, block.bytes());
      assert.equal(block.count, expected.size);
    });
    assert.deepEqual(block.bytes(), packed(expected));
    for (let place = 0; place < BLOCK; place++) {
      assert.equal(block.has(place), expected.has(place));
    }
    const whole = block.range(0, BLOCK);
    assert.deepEqual(whole.scales, block.scales);
    assert.deepEqual(whole.rows, block.rows);
  }));
});

Deno.test("range() gives the vectors of some places, none for places without", () => {
  const block = new VectorBlock(DIMENSIONS);
  block.insert(3, [vectorOf(3, 0), vectorOf(4, 0)]);
  block.insert(200, [vectorOf(200, 0)]);
  assert.equal(block.range(0, 3).scales.length, 0);
  assert.equal(block.range(5, 200).rows.length, 0);
  const { scales, rows } = block.range(4, 201);
  const other = new VectorBlock(DIMENSIONS);
  other.insert(0, [vectorOf(4, 0), vectorOf(200, 0)]);
  assert.deepEqual([scales, rows], [other.scales, other.rows]);
});
