/** Listings are assembled, run, and do what the same loop in TypeScript does. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { assemble, AssemblyError, instantiate, PAGE } from "../../../rag/embed/wasm.ts";

const memory = () => new WebAssembly.Memory({ initial: 1 });

Deno.test("instantiate() runs folded instructions over vectors in the caller's memory", () => {
  const room = memory();
  const values = new Float32Array(room.buffer, 0, 64);
  const { sum } = instantiate<{ sum(at: number, end: number): number }>(
    `(func (export "sum") (param $at i32) (param $end i32) (result f32) (local $sum v128)
       (loop $next ;; four at a time
         (local.set $sum (f32x4.add (local.get $sum) (v128.load (local.get $at))))
         (local.set $at (i32.add (local.get $at) (i32.const 16)))
         (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
       (f32.add
         (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
         (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum)))))`,
    room,
  );
  fc.assert(fc.property(
    fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 64, maxLength: 64 }),
    (numbers) => {
      values.set(numbers);
      assert.equal(sum(0, 256), numbers.reduce((one, other) => one + other));
    },
  ));
});

Deno.test("instantiate() runs plain instructions, blocks, branches and calls", () => {
  const { collatz } = instantiate<{ collatz(n: number): number }>(
    `(func $half (param i32) (result i32) local.get 0 i32.const 1 i32.shr_u)
     (func (export "collatz") (param $n i32) (result i32) (local $steps i32)
       block $done
         loop $next
           local.get $n i32.const 1 i32.eq br_if $done
           (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
           (if (i32.and (local.get $n) (i32.const 1))
             (then (local.set $n (i32.add (i32.mul (local.get $n) (i32.const 3)) (i32.const 1))))
             (else (local.set $n (call $half (local.get $n)))))
           br $next
         end
       end
       local.get $steps)`,
    memory(),
  );
  assert.equal(collatz(27), 111);
  assert.equal(collatz(1), 0);
});

Deno.test("constants keep their value, whatever their size and sign", () => {
  fc.assert(fc.property(fc.integer(), fc.float({ noNaN: true }), (whole, real) => {
    const text = Object.is(real, -0) ? "-0" : String(real);
    const { i, f } = instantiate<{ i(): number; f(): number }>(
      `(func (export "i") (result i32) (i32.const ${whole}))
       (func (export "f") (result f32) (f32.const ${text}))`,
      memory(),
    );
    assert.equal(i(), whole);
    assert.ok(Object.is(f(), real));
  }));
});

Deno.test("an int8 row times an int16 query is their dot product", () => {
  const room = memory();
  const { dot } = instantiate<{ dot(row: number, query: number): number }>(
    `(func (export "dot") (param $row i32) (param $query i32) (result i32) (local $sum v128)
       (local.set $sum (i32x4.dot_i16x8_s
         (v128.load8x8_s (local.get $row)) (v128.load (local.get $query))))
       (local.set $sum (i32x4.add (local.get $sum) (i32x4.dot_i16x8_s
         (v128.load8x8_s offset=8 (local.get $row)) (v128.load offset=16 (local.get $query)))))
       (local.set $sum (i32x4.add (local.get $sum)
         (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $sum) (local.get $sum))))
       (i32.add (i32x4.extract_lane 0 (local.get $sum)) (i32x4.extract_lane 1 (local.get $sum))))`,
    room,
  );
  const row = new Int8Array(room.buffer, 5, 16);
  const query = new Int16Array(room.buffer, 64, 16);
  fc.assert(fc.property(
    fc.int8Array({ minLength: 16, maxLength: 16 }),
    fc.int16Array({ minLength: 16, maxLength: 16 }),
    (bytes, words) => {
      row.set(bytes);
      query.set(words);
      assert.equal(dot(5, 64), bytes.reduce((sum, byte, at) => sum + byte * words[at]!, 0));
    },
  ));
});

Deno.test("instantiate() binds to a memory that threads share", () => {
  const room = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
  const { fill } = instantiate<{ fill(at: number, value: number, bytes: number): void }>(
    `(func (export "fill") (param $at i32) (param $value i32) (param $bytes i32)
       (memory.fill (local.get $at) (local.get $value) (local.get $bytes)))`,
    room,
  );
  fill(PAGE - 4, 7, 4);
  assert.deepEqual([...new Uint8Array(room.buffer, PAGE - 5, 5)], [0, 7, 7, 7, 7]);
});

Deno.test("what is not understood is named", () => {
  const refuses = (listing: string, message: RegExp) =>
    assert.throws(
      () => assemble(listing),
      (error) => error instanceof AssemblyError && message.test(error.message),
    );
  refuses("(func (i32.addd))", /"i32.addd": no such instruction/);
  refuses("(func (local.get $x))", /"local.get \$x"/);
  refuses("(func (br $out))", /"br \$out"/);
  refuses("(func (call $other))", /"call \$other"/);
  refuses("(func (i32.const many))", /"i32.const many": expected a number/);
  refuses("(func (param $x int))", /"int": expected a type/);
  refuses("(func (i32.const 1 2))", /"2" too much/);
  refuses("(func (drop)", /1 "\)" missing/);
  refuses("(func))", /too many/);
  refuses("(global)", /expected "\(func …\)"/);
  assert.throws(
    () => instantiate('(func (export "f") (result i32) (f32.const 1))', memory()),
    WebAssembly.CompileError,
  );
});
