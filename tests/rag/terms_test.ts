/** Words of code and questions: how identifiers split, what is one concept. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { eachWord, splitIdentifier, stemOf, termsOfWord } from "../../rag/terms.ts";

const words = (text: string) => {
  const found: string[] = [];
  eachWord(text, 0, text.length, (word) => found.push(word));
  return found;
};

Deno.test("splitIdentifier() splits humps, acronyms, joiners and digits", () => {
  const cases: Record<string, string[]> = {
    parseHTTPRequest2: ["parse", "http", "request", "2"],
    snake_case_name: ["snake", "case", "name"],
    SCREAMING_CASE: ["screaming", "case"],
    $ZodType: ["zod", "type"],
    __init__: ["init"],
    utf8Decode: ["utf", "8", "decode"],
    plain: ["plain"],
    HTML: ["html"],
    größeÄndern: ["größe", "ändern"],
  };
  for (const [word, parts] of Object.entries(cases)) {
    assert.deepEqual(splitIdentifier(word), parts, word);
  }
});

Deno.test("termsOfWord() keeps the whole identifier beside its parts, without joiners", () => {
  assert.deepEqual(termsOfWord("safeParse"), ["safe", "parse", "safeparse"]);
  assert.deepEqual(termsOfWord("safe_parse"), ["safe", "parse", "safeparse"]);
  assert.deepEqual(termsOfWord("x"), ["x"]);
});

Deno.test("eachWord() passes over words too long to be asked for", () => {
  assert.deepEqual(words(`a ${"f".repeat(200)} b`), ["a", "b"]);
});

Deno.test("eachWord() finds the same words wherever a text is cut at blanks", () => {
  fc.assert(fc.property(fc.array(fc.stringMatching(/^[A-Za-z_$ÄÖ0-9]{1,12}$/)), (list) => {
    assert.deepEqual(words(list.join(" ")), list);
  }));
});

Deno.test("the parts of an identifier put together are its letters and digits", () => {
  fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9_$]{1,30}$/), (word) => {
    assert.equal(splitIdentifier(word).join(""), word.replace(/[_$]/g, "").toLowerCase());
  }));
});

Deno.test("stemOf() joins inflections and the one who does with what is done", () => {
  for (
    const family of [
      ["validate", "validates", "validation", "validator"],
      ["format", "formatting", "formatter", "formats"],
      ["write", "writer", "writing"],
      ["route", "router", "routing"],
    ]
  ) {
    assert.equal(new Set(family.map(stemOf)).size, 1, family.join(" "));
  }
});

Deno.test("stemOf() leaves short words, digits and foreign words alone", () => {
  for (const word of ["io", "order", "utf8", "größe"]) assert.equal(stemOf(word), word);
});
