/** The JSON that commands take and show for values: exact both ways, and clear about what means nothing. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { valueFromJson, valueToJson } from "../../../kernel/image/value_json.ts";
import { BlobRef, Ref, takeIn, type Value } from "../../../kernel/image/values.ts";

const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, NaN, Infinity, -Infinity, -0, "\ud800", new Date(NaN)),
    fc.double(),
    fc.string({ unit: "binary" }),
    fc.bigInt(),
    fc.date(),
    fc.uint8Array({ maxLength: 9 }),
    fc.float64Array({ maxLength: 4 }),
    fc.nat().map((oid) => new Ref(oid)),
    fc.nat().map((size) => new BlobRef("a".repeat(64), size)),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("__proto__", "$ref", "$map", "constructor")),
      tie("value"),
      { maxKeys: 4 },
    ),
  ),
}));

Deno.test("valueFromJson() reads back exactly what valueToJson() wrote, through text", () => {
  fc.assert(
    fc.property(anyValue, (given) => {
      const value = takeIn(given, "a test");
      const text = JSON.stringify(valueToJson(value));
      assert.deepStrictEqual(takeIn(valueFromJson(JSON.parse(text)), "a test"), value);
    }),
    { numRuns: 500 },
  );
});

Deno.test("valueToJson() leaves plain data as it is", () => {
  const plain = { a: [1, "x", null, true], b: { c: 2.5 } };
  const value = takeIn(plain, "a test");
  assert.equal(JSON.stringify(valueToJson(value)), JSON.stringify(plain));
});

Deno.test("valueFromJson() refuses a map that begins with $ and means nothing", () => {
  const bad: unknown[] = [
    { $ref: 12 },
    { $ref: "-1" },
    { $ref: "1", more: 1 },
    { $number: "1" },
    { $bigint: "1.5" },
    { $date: "soon" },
    { $array: { type: "DataView", base64: "" } },
    { $array: { type: "Float64Array", base64: "AAAA" } },
    { $blob: { hash: "x", size: 1 } },
    { $map: [["a"]] },
    { $nothing: 1 },
  ];
  for (const json of bad) assert.throws(() => valueFromJson(json), Error, JSON.stringify(json));
  assert.throws(
    () => valueFromJson({ $number: "1" }),
    /^ImageError: read value \{"\$number":"1"\}: "\$number" with this content means nothing/,
  );
});

Deno.test("maps come back without a prototype, whatever their keys are called", () => {
  const value = valueFromJson(JSON.parse('{"__proto__": {"a": 1}}')) as Record<string, Value>;
  assert.equal(Object.getPrototypeOf(value), null);
  assert.deepEqual(Object.keys(value), ["__proto__"]);
});
