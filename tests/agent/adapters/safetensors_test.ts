/** Safetensors files: read exactly, and never believed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { AdapterError } from "../../../agent/adapters/adapter_error.ts";
import { Safetensors } from "../../../agent/adapters/safetensors.ts";
import { temporaryFolder } from "../../support/models.ts";
import { fileOf, writeSafetensors } from "../../support/tiny_peft.ts";

const FOLDER = temporaryFolder();
globalThis.addEventListener("unload", () => FOLDER[Symbol.dispose]());
const PATH = join(FOLDER.path, "adapter.safetensors");

function open(bytes: Uint8Array): Promise<Safetensors> {
  Deno.writeFileSync(PATH, bytes);
  return Safetensors.open(PATH);
}

async function refused(bytes: Uint8Array, text: RegExp): Promise<void> {
  await assert.rejects(open(bytes), (error) => {
    assert.ok(error instanceof AdapterError, String(error));
    assert.match(error.message, text);
    assert.doesNotMatch(error.message, /\n|\.$/);
    return true;
  });
}

const SAMPLE = writeSafetensors({
  one: { type: "F32", shape: [2, 3], values: Float32Array.of(1, -2, 0.5, 1e-30, 3e38, 0) },
  two: { type: "F16", shape: [4], values: Float32Array.of(1, -2, 0.5, 65504) },
  three: { type: "BF16", shape: [1, 2], values: Float32Array.of(-1.5, 3.3895313892515355e38) },
  none: { type: "F32", shape: [0, 7], values: new Float32Array() },
});

Deno.test("all types of float are read exactly, also tensors without values", async () => {
  await using file = await open(SAMPLE);
  assert.deepEqual([...file.tensors.keys()], ["one", "two", "three", "none"]);
  assert.deepEqual(file.tensors.get("one")!.shape, [2, 3]);
  assert.deepEqual(await file.read("one"), Float32Array.of(1, -2, 0.5, 1e-30, 3e38, 0));
  assert.deepEqual(await file.read("two"), Float32Array.of(1, -2, 0.5, 65504));
  assert.deepEqual(await file.read("three"), Float32Array.of(-1.5, 3.3895313892515355e38));
  assert.deepEqual(await file.read("none"), new Float32Array());
  await assert.rejects(file.read("four"), /there is no such tensor/);
});

Deno.test("a file cut off anywhere is refused", async () => {
  for (let length = 0; length < SAMPLE.length; length++) {
    await refused(SAMPLE.slice(0, length), /read ".*safetensors"/);
  }
});

Deno.test("headers that promise what is not there are refused", async () => {
  const values = new Uint8Array(16);
  const header = (entry: unknown) => fileOf(JSON.stringify({ x: entry }), [values]);
  const entry = { dtype: "F32", shape: [4], data_offsets: [0, 16] };
  await using file = await open(header(entry));
  assert.equal((await file.read("x")).length, 4);
  await refused(header({ ...entry, shape: [5] }), /has 16 bytes, expected 20/);
  await refused(header({ ...entry, shape: [2 ** 40, 2 ** 40] }), /has 16 bytes, expected/);
  await refused(header({ ...entry, shape: [-4] }), /is not dtype, shape and data_offsets/);
  await refused(header({ ...entry, data_offsets: [0, 32] }), /ends at byte 32 .*at most 16/);
  await refused(header({ ...entry, data_offsets: [16, 0] }), /has -16 bytes, expected 16/);
  await refused(header({ ...entry, data_offsets: [0, 1e300] }), /is not dtype/);
  await refused(header({ ...entry, dtype: "I64" }), /of type "I64", expected F32, F16, BF16/);
  await refused(header({ ...entry, dtype: "toString" }), /of type "toString"/);
  await refused(header(null), /is not dtype/);
  await refused(header({ ...entry, shape: [2], data_offsets: [8, 16] }), /begins at byte 8/);
  await refused(header({ ...entry, shape: [2], data_offsets: [0, 8] }), /has 16 bytes of values/);
  await refused(
    fileOf(JSON.stringify({ x: entry, y: entry }), [values]),
    /"y" begins at byte 0, expected 16/,
  );
  await refused(fileOf("[]", []), /no JSON object/);
  await refused(fileOf("{", []), /header is no JSON/);
  await refused(new TextEncoder().encode("<!doctype html>"), /said to have \d+ bytes/);
});

Deno.test("damaged bytes of a header never do worse than a refusal", async () => {
  const header = new DataView(SAMPLE.buffer).getUint32(0, true) + 8;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(header - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      async (changes) => {
        const bytes = SAMPLE.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          await using file = await open(bytes);
          for (const name of file.tensors.keys()) await file.read(name);
        } catch (error) {
          assert.ok(error instanceof AdapterError, String(error));
        }
      },
    ),
    { numRuns: 300 },
  );
});
