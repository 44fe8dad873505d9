/** What a file defines, packed into one row: it comes back the same, and the names lead to it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "../../ingest/mod.ts";
import { nameKey, packDefinitions, unpackDefinitions } from "../../rag/definition_pack.ts";
import { DEFINITION_KINDS } from "../../rag/rows.ts";

const place = fc.nat({ max: 2 ** 29 });
const name = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("get", "Router", "a\u0000b"),
);
const definition = fc.record({
  name,
  kind: fc.constantFrom(...DEFINITION_KINDS),
  container: fc.array(name, { maxLength: 3 }),
  start: place,
  declaration: place,
  nameStart: place,
  body: place,
  end: place,
  startLine: place,
  endLine: place,
  exported: fc.boolean(),
}, { noNullPrototype: true });

Deno.test("definitions come back from their row as they were, wherever their places lie", () => {
  fc.assert(fc.property(fc.array(definition, { maxLength: 12 }), (definitions) => {
    assert.deepEqual(unpackDefinitions(packDefinitions(definitions)), definitions);
  }));
});

Deno.test("members of members come back under their scopes, though these are not repeated", async () => {
  const text =
    "namespace Outer {\n  export class Box {\n    open(): void {}\n    shut(): void {}\n" +
    "  }\n}\nclass Box { open(): void {} }\n";
  const { definitions } = await parse("box.ts", text);
  const packed = packDefinitions(definitions);
  assert.deepEqual(unpackDefinitions(packed), definitions);
  assert.deepEqual(
    definitions.filter((one) => one.name === "open").map((one) => one.container.join(".")),
    ["Outer.Box", "Box"],
  );
  assert.equal(new TextDecoder().decode(packed).split("Outer").length, 2, "named once");
});

Deno.test("a name without a partner for half a character keeps the places of all that follow", () => {
  const one = {
    kind: "section" as const,
    container: [],
    start: 0,
    declaration: 0,
    nameStart: 0,
    body: 9,
    end: 9,
    startLine: 1,
    endLine: 1,
    exported: false,
  };
  const back = unpackDefinitions(
    packDefinitions([{ ...one, name: "half \ud800" }, { ...one, name: "whole" }]),
  );
  assert.deepEqual(back.map((definition) => definition.name), ["half \ufffd", "whole"]);
});

Deno.test("the key of a name fits three bytes, and tells names apart", () => {
  const names = Array.from({ length: 2_000 }, (_, at) => `name${at}`);
  const keys = names.map(nameKey);
  assert.ok(keys.every((key) => key >= 0 && key < 2 ** 24));
  assert.ok(new Set(keys).size > 1_990, "two of 2,000 names share a key by chance once in eight");
});
