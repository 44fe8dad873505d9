/** Behaviour of `ingest/measure.ts`: how close the estimate is, and that sizes add up. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { countTokens, nonWhitespace, tokens } from "../../ingest/measure.ts";

// Computed, so that nobody fetches its thirty megabytes but who runs this.
const O200K = "gpt-tokenizer/encoding/o200k_base";
const { encode } = await import(O200K) as { encode(text: string): number[] };

const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: "grapheme", maxLength: 100 }),
  fc.array(
    fc.constantFrom("camelCase", " = ", "\n    ", "{\r\n", "HTTPServer", "12345", "=>", "😀", "é"),
  )
    .map((parts) => parts.join("")),
);

for (const [name, measure] of Object.entries({ tokens, nonWhitespace })) {
  Deno.test(`${name} is additive and never negative`, () => {
    fc.assert(fc.property(text, fc.nat(), fc.nat(), (text, a, b) => {
      const size = measure(text);
      const [first, second] = [a % (text.length + 1), b % (text.length + 1)].sort((x, y) => x - y);
      assert.equal(size(0, 0), 0);
      assert.ok(size(first!, second!) >= 0);
      assert.equal(
        size(0, first!) + size(first!, second!) + size(second!, text.length),
        size(0, text.length),
      );
    }));
  });
}

Deno.test("tokens come within a tenth of o200k_base for the sources of this project", async () => {
  for (const file of ["ingest/chunk.ts", "ingest/languages.ts", "README.md", "deno.json"]) {
    const text = await Deno.readTextFile(new URL(`../../${file}`, import.meta.url));
    const ratio = tokens(text)(0, text.length) / encode(text).length;
    assert.ok(ratio > 0.9 && ratio < 1.1, `${file}: ${ratio}`);
  }
});

Deno.test("tokens follow the rules by which o200k_base splits", () => {
  for (
    const text of [
      "camelCaseName",
      "snake_case",
      "HTTPServer",
      "1234567",
      "x = 1;\n",
      "foo(bar);\r\n    baz",
      "a\n\n\n\nb",
      "if (a) {\n        return b;\n}",
    ]
  ) {
    const exact = encode(text).length;
    assert.ok(
      Math.abs(countTokens(text) - exact) <= 1,
      `${JSON.stringify(text)}: ${countTokens(text)}, not ${exact}`,
    );
  }
});

Deno.test("nonWhitespace counts what the paper counts", () => {
  assert.equal(nonWhitespace(" a\tb\r\nc  ")(0, 9), 3);
});
