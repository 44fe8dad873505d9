/** The file of a static embedder: what is written is read, what is damaged is refused. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { EmbedderError } from "../../../rag/embed/embedder.ts";
import { quantiseTable, readTable } from "../../../rag/embed/static_table.ts";

/** Bytes before the head: magic and length. */
const BEFORE_HEAD = 12;

const SMALL = quantiseTable(["read", "file", "tree"], new Float32Array(96).fill(0.5), 32);

function assertRefused(file: Uint8Array, pattern: RegExp): void {
  assert.throws(() => readTable(file, "some/table.bin"), (error) => {
    assert.ok(error instanceof EmbedderError, String(error));
    assert.match(error.message, /^cannot read the table "some\/table.bin": .*[^.]$/);
    assert.match(error.message, pattern);
    return true;
  });
}

function headEnd(file: Uint8Array): number {
  return BEFORE_HEAD + new DataView(file.buffer, file.byteOffset).getUint32(8, true);
}

/** The table with a part of its head replaced by as many characters. */
function edited(from: string, to: string): Uint8Array {
  const head = new TextDecoder().decode(SMALL.subarray(BEFORE_HEAD, headEnd(SMALL)));
  assert.ok(head.includes(from));
  const file = SMALL.slice();
  const bytes = new TextEncoder().encode(head.replace(from, to.padEnd(from.length)));
  assert.equal(bytes.length, headEnd(SMALL) - BEFORE_HEAD);
  file.set(bytes, BEFORE_HEAD);
  return file;
}

Deno.test("readTable() gives words, and values to within half a step of their row", () => {
  const value = fc.oneof(
    fc.constant(0),
    fc.float({ min: -100, max: 100, noNaN: true }),
    fc.float({ min: Math.fround(-1e-3), max: Math.fround(1e-3), noNaN: true }),
  );
  const tables = fc.integer({ min: 1, max: 2 }).chain((blocks) =>
    fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,12}$/), { maxLength: 6 }).chain((words) =>
      fc.tuple(
        fc.constant(words),
        fc.constant(32 * blocks),
        fc.array(value, {
          minLength: words.length * 32 * blocks,
          maxLength: words.length * 32 * blocks,
        }),
      )
    )
  );
  fc.assert(
    fc.property(tables, fc.nat(3), ([words, dimensions, values], shift) => {
      const file = quantiseTable(words, Float32Array.from(values), dimensions);
      // Wherever in memory it lies.
      const moved = new Uint8Array(file.length + shift).subarray(shift);
      moved.set(file);
      const table = readTable(moved, "test");
      assert.equal(table.dimensions, dimensions);
      assert.equal(table.count, words.length);
      assert.equal(new TextDecoder().decode(table.lines), words.join("\n"));
      assert.equal(table.scales.length, words.length);
      assert.equal(table.rows.length, values.length);
      for (const [at, value] of values.entries()) {
        const scale = table.scales[Math.floor(at / dimensions)]!;
        const error = Math.abs(table.rows[at]! * scale - Math.fround(value));
        assert.ok(error <= scale * 0.501, `${value} became ${table.rows[at]! * scale}`);
      }
    }),
    { numRuns: 15 },
  );
});

Deno.test("the largest value of a row uses the whole of a byte, a row of zeros stays so", () => {
  const values = new Float32Array(64);
  values[3] = -8;
  values[5] = 4;
  const { rows, scales } = readTable(quantiseTable(["a", "b"], values, 32), "test");
  assert.deepEqual([rows[3], rows[5], rows[0]], [-127, 64, 0]);
  assert.equal(scales[0], Math.fround(8 / 127));
  assert.equal(scales[1], 0);
  assert.ok(rows.subarray(32).every((value) => value === 0));
});

Deno.test("the revision is that of the content: other words or values have another", () => {
  const of = (words: string[], value: number) =>
    quantiseTable(words, new Float32Array(64).fill(value), 32);
  const file = of(["a", "b"], 1);
  const { revision } = readTable(file, "test");
  const body = file.subarray(headEnd(file));
  assert.equal(revision, createHash("sha256").update(body).digest("hex").slice(0, 16));
  assert.deepEqual(of(["a", "b"], 1), file);
  assert.notEqual(readTable(of(["a", "c"], 1), "test").revision, revision);
  assert.notEqual(readTable(of(["a", "b"], 2), "test").revision, revision);
});

Deno.test("readTable() refuses a table that was cut off anywhere, or has more behind it", () => {
  for (let length = 0; length < SMALL.length; length++) {
    assertRefused(SMALL.subarray(0, length), /begin with|damaged|bytes, expected/);
  }
  const longer = new Uint8Array(SMALL.length + 1);
  longer.set(SMALL);
  assertRefused(longer, new RegExp(`has ${SMALL.length + 1} bytes, expected ${SMALL.length}$`));
});

Deno.test("readTable() refuses what is no table, is of another format, or has a damaged head", () => {
  assertRefused(new TextEncoder().encode("GGUF and some more bytes"), /"batosvec".*deno task/);
  assertRefused(edited('"format":1', '"format":2'), /it has format 2, expected 1$/);
  assertRefused(edited('{"format"', '["format"'), /head is damaged$/);
  assertRefused(edited('"dimensions":32', '"dimensions":64'), /bytes, expected/);
  const head = new TextDecoder().decode(SMALL.subarray(BEFORE_HEAD, headEnd(SMALL)));
  for (const other of ["null", "7", "{}", "[]", '"text"', '{"format":1}']) {
    assertRefused(edited(head, other), /format|bytes, expected/);
  }
});

Deno.test("a head with any byte changed is refused, or read to tables of the right sizes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: headEnd(SMALL) - 1 }), fc.nat(255), (at, byte) => {
      const file = SMALL.slice();
      file[at] = byte;
      try {
        const { rows, scales, count, dimensions } = readTable(file, "test");
        assert.equal(scales.length, count);
        assert.equal(rows.length, count * dimensions);
        assert.equal(rows.byteOffset + rows.length, file.length);
      } catch (error) {
        assert.ok(error instanceof EmbedderError, String(error));
        assert.doesNotMatch(error.message, /\n|\.$/);
      }
    }),
    { numRuns: 1_000 },
  );
});
