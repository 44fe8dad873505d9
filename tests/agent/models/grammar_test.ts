/** Grammars for what a model may write. */
import assert from "node:assert/strict";
import { grammarOf } from "../../../agent/models/grammar.ts";

Deno.test("a grammar has one way to write a value: no white space, keys in order, optional ones left out", () => {
  const grammar = grammarOf({
    type: "object",
    properties: {
      a: { const: "x" },
      b: { type: "boolean" },
      c: { type: "integer", minimum: 1, maximum: 3 },
    },
    required: ["a", "c"],
  });
  assert.deepEqual(
    grammar.trimEnd().split("\n").sort(),
    [
      String.raw`char ::= [^"\\\x00-\x1F\x7F] | "\\" ["\\nt]`,
      String.raw`root ::= "{" ("\"a\":" root-a ("," "\"b\":" root-b)? "," "\"c\":" root-c) "}"`,
      String.raw`root-a ::= "\"x\""`,
      `root-b ::= "true" | "false"`,
      String.raw`root-c ::= "1" | "2" | "3"`,
    ],
  );
});

Deno.test("a schema without bounds, or of another kind, is refused when the grammar is made", () => {
  for (
    const [schema, pattern] of [
      [{ type: "string" }, /"root" has maxLength undefined, expected 0 to 2000/],
      [{ type: "string", maxLength: 60_000 }, /maxLength 60000/],
      [{ type: "array", items: { type: "boolean" } }, /has maxItems undefined/],
      [{ type: "integer", minimum: 7, maximum: 1e9 }, /starts at 7, expected 0 or 1/],
      [{ type: "integer" }, /has maximum undefined/],
      [{ type: "number" }, /is of the kind "number"/],
      [{ type: "object", properties: { a: { type: "null" } } }, /"root-a" is of the kind "null"/],
    ] as const
  ) assert.throws(() => grammarOf(schema), { name: "TypeError", message: pattern });
});
