/** Which words get a vector of their own, and the bags in terms of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { COUNT_BITS, type PackageBags } from "../../../rag/train/bags.ts";
import { trainingData, vocabularyOf } from "../../../rag/train/vocabulary.ts";

type Text = Readonly<Record<string, number>>;

/** A package of these texts, questions and documents in turn: how often each word stands in each. */
function packageOf(name: string, ...texts: readonly Text[]): PackageBags {
  const words: string[] = [];
  const entries: number[] = [];
  const ends: number[] = [];
  for (const text of texts) {
    for (const [word, count] of Object.entries(text)) {
      let at = words.indexOf(word);
      if (at < 0) at = words.push(word) - 1;
      entries.push(at << COUNT_BITS | count);
    }
    ends.push(entries.length);
  }
  return {
    name,
    words: words.join("\n"),
    entries: Uint32Array.from(entries),
    ends: Uint32Array.from(ends),
    kinds: new Uint8Array(texts.length / 2),
    characters: 0,
  };
}

/** Packages with the same pair of texts. */
function several(count: number, query: Text, document: Text): PackageBags[] {
  return Array.from({ length: count }, (_, at) => packageOf(`p${at}`, query, document));
}

/** The texts of training data as words and counts. */
function textsOf({ words, ids, counts, ends }: ReturnType<typeof trainingData>): Text[] {
  return [...ends].map((end, text) => {
    const found: Record<string, number> = {};
    for (let at = text === 0 ? 0 : ends[text - 1]!; at < end; at++) {
      assert.ok(found[words[ids[at]!]!] === undefined, "a word twice in a text");
      found[words[ids[at]!]!] = counts[at]!;
    }
    return found;
  });
}

Deno.test("a word of fewer than three packages is none of the vocabulary", () => {
  const bags = [
    ...several(3, { read: 1 }, { file: 2 }),
    packageOf("own", { ownwords: 60 }, { treetops: 60 }),
    packageOf("other", { treetops: 60 }, { "42": 63 }),
  ];
  assert.deepEqual(vocabularyOf(bags, 100).slice(0, 2), ["file", "read"]);
  const words = vocabularyOf(bags, 100);
  for (const missing of ["ownwords", "treetops", "42"]) {
    assert.ok(!words.includes(missing), missing);
  }
});

Deno.test("the frequent come first, equal ones in the order of their characters", () => {
  const text = { delta: 2, alpha: 2, charlie: 5, bravo: 2, "7": 2 };
  const expected = ["charlie", "7", "alpha", "bravo", "delta"];
  const bags = several(3, text, {});
  assert.deepEqual(vocabularyOf(bags, 100).slice(0, 5), expected);
  // Whatever order the words were met in.
  const reversed = Object.fromEntries(Object.entries(text).reverse());
  assert.deepEqual(vocabularyOf(several(3, reversed, {}), 100), vocabularyOf(bags, 100));
});

Deno.test("words of other letters, of more than 20, and long numbers get no vector", () => {
  const odd = { "größe": 9, ["l".repeat(21)]: 9, "12345": 9 };
  const fine = { ["l".repeat(20)]: 1, "1234": 1, "b2": 1 };
  const words = vocabularyOf(several(3, { ...odd, ...fine }, {}), 100);
  for (const word of Object.keys(odd)) assert.ok(!words.includes(word), word);
  for (const word of Object.keys(fine)) assert.ok(words.includes(word), word);
});

Deno.test("the rest of the vocabulary is pieces of rarer words, the ones that cover most first", () => {
  const bags = [
    ...several(3, { read: 1 }, { file: 1 }),
    packageOf("a", { unreadable: 4 }, { readability: 4 }),
    packageOf("b", { reader: 1 }, { "no": 1 }),
  ];
  const words = vocabularyOf(bags, 20);
  assert.deepEqual(words.slice(0, 2), ["file", "read"]);
  assert.equal(words.length, 20);
  assert.equal(new Set(words).size, 20);
  const pieces = words.slice(2);
  for (const piece of pieces) {
    assert.match(piece, /^[a-z]{3,7}$/);
    assert.ok("unreadable readability reader".includes(piece), piece);
  }
  assert.ok(pieces.some((piece) => "readability".startsWith(piece)));
  // Words that would have fitted are not more than their share.
  const many = Object.fromEntries(
    Array.from({ length: 26 }, (_, at) => [`word${String.fromCharCode(97 + at)}`, 1]),
  );
  const full = vocabularyOf(several(3, many, {}), 20);
  assert.equal(full.length, 20);
  assert.equal(full.filter((word) => /^word[a-z]$/.test(word)).length, 17);
});

Deno.test("no packages, or packages without words, give no vocabulary and no texts", () => {
  assert.deepEqual(vocabularyOf([], 100), []);
  const empty = packageOf("empty", {}, {});
  assert.deepEqual(vocabularyOf([empty, empty, empty], 100), []);
  const data = trainingData([empty, packageOf("other", { read: 1 }, {})], ["read"]);
  assert.deepEqual(textsOf(data), [{}, {}, { read: 1 }, {}]);
  assert.deepEqual([...data.packages], [0, 1]);
});

Deno.test("texts keep their known words, unknown ones become pieces or nothing", () => {
  const data = trainingData(
    [
      packageOf("a", { read: 2, zzz: 9 }, { readable: 1, able: 3, "é": 1 }),
      packageOf("b", { ableread: 4 }, { readread: 2, "漢": 1 }),
    ],
    ["read", "able"],
  );
  assert.deepEqual(textsOf(data), [
    { read: 2 },
    { read: 1, able: 4 },
    { able: 4, read: 4 },
    { read: 4 },
  ]);
  assert.deepEqual([...data.packages], [0, 1]);
  // Documents alone count.
  assert.deepEqual([...data.documents], [2, 1]);
});

Deno.test("counts end at 255", () => {
  const words = Object.fromEntries(
    Array.from({ length: 9 }, (_, at) => [`read${"q".repeat(at + 1)}`, 63]),
  );
  const data = trainingData([packageOf("a", words, { read: 1 })], ["read"]);
  assert.deepEqual(textsOf(data), [{ read: 255 }, { read: 1 }]);
});

Deno.test("trainingData() keeps every text of every package, in order", () => {
  const known = ["read", "file", "tree", "node"];
  const text = fc.dictionary(fc.constantFrom(...known, "zzz"), fc.integer({ min: 1, max: 63 }), {
    noNullPrototype: true,
  });
  const pack = fc.array(fc.tuple(text, text), { maxLength: 5 });
  fc.assert(
    fc.property(fc.array(pack, { maxLength: 5 }), (packages) => {
      const bags = packages.map((pairs, at) => packageOf(`p${at}`, ...pairs.flat()));
      const data = trainingData(bags, known);
      assert.deepEqual(
        textsOf(data),
        packages.flat(2).map(({ zzz: _, ...rest }) => rest),
      );
      assert.deepEqual([...data.packages], packages.flatMap((pairs, at) => pairs.map(() => at)));
      assert.equal(data.kinds.length, packages.flat().length);
      for (const [at, word] of known.entries()) {
        const documents = packages.flat().filter(([, document]) => word in document);
        assert.equal(data.documents[at], documents.length);
      }
    }),
  );
});
