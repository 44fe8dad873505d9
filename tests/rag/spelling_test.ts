/** Behaviour of `rag/spelling.ts`: which words are taken for misspelt, and for what. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { misspellings, type SpellingIndex, withCorrections } from "../../rag/spelling.ts";
import { loadStatic } from "../../rag/embed/static.ts";
import { stemOf } from "../../rag/terms.ts";

/** An index that holds these words, with the vocabulary that ships. */
function holding(...words: string[]): SpellingIndex {
  const stems = new Map<string, number>();
  for (const word of words) stems.set(stemOf(word), (stems.get(stemOf(word)) ?? 0) + 1);
  return {
    holding: (stem) => stems.get(stem) ?? 0,
    names: () => words,
    vocabulary: () => loadStatic().vocabulary(),
  };
}

const SHOP = holding("default", "error", "handler", "configuration", "parcel", "froober");
const read = (text: string) => misspellings(text, SHOP).map(({ from, to }) => `${from}>${to}`);

Deno.test("a word that stands nowhere and is no word is read as the nearest one that stands somewhere", () => {
  assert.deepEqual(read("where is the defualt eror handler?"), ["defualt>default", "eror>error"]);
  assert.deepEqual(read("configuraton of a pracel"), [
    "configuraton>configuration",
    "pracel>parcel",
  ]);
  assert.deepEqual(read("Defualt handlers"), ["defualt>default"]);
  // A word of this repository's own.
  assert.deepEqual(read("what is a frobber"), ["frobber>froober"]);
});

Deno.test("words that are words are left alone, and so are names, quotations, paths and short words", () => {
  for (
    const text of [
      "how does encryption work?",
      "where are errors handled?",
      "what does `defualt` mean?",
      'where is "defualt" written?',
      "defualtHandler",
      "src/defualt/x.ts",
      "defualt.ts",
      "#defualt",
      "the erz",
      "qwertz",
      "",
    ]
  ) assert.deepEqual(read(text), [], text);
});

Deno.test("what a word is read as always stands in the index", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z ]{0,40}$/), (text) => {
      for (const { from, to } of misspellings(text, SHOP)) {
        assert.ok(SHOP.holding(stemOf(to)) > 0, `${from}>${to}`);
        assert.equal(SHOP.holding(stemOf(from)), 0);
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("withCorrections() changes whole words in any case and nothing else", () => {
  assert.equal(
    withCorrections("Eror in eror-prone terorr", [{ from: "eror", to: "error" }]),
    "error in error-prone terorr",
  );
});
