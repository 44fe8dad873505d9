/** The pairs of a package as bags of words. */
import assert from "node:assert/strict";
import { parse } from "../../../ingest/mod.ts";
import { WordTable } from "../../../rag/embed/word_table.ts";
import { bagsOf, COUNT_BITS, type PackageBags } from "../../../rag/train/bags.ts";
import type { TrainingFile } from "../../../rag/train/packages.ts";
import { PAIR_KINDS, pairsOf } from "../../../rag/train/pairs.ts";
import { Random } from "../../../rag/train/random.ts";

const QUERY_WORDS = 64;
const DOCUMENT_WORDS = 400;
const MOST_COUNTED = 63;

/** Two files: the second has a question and a document of more words than count, one of them more often than is told. */
const FILES: readonly TrainingFile[] = [
  {
    path: "src/users/cache.ts",
    text: `/** Gives back whatever the shelf still remembers about somebody. */
export function lookUpUser(id: string): string | undefined {
  const kept = shelf.get(id);
  return kept?.value ?? lookUpUser(id.trim()) ?? shelf.größe;
}
`,
  },
  {
    path: "src/letters.ts",
    text: `/** ${"A b c d e f ".repeat(22)}is how it goes on. */
export function lettersOfTheAlphabet(): string[] {
  return [${"a,b,c,".repeat(300)}];
}
`,
  },
];

/** Words and counts of each text. */
function textsOf({ words, entries, ends }: PackageBags): Record<string, number>[] {
  const list = words.split("\n");
  return [...ends].map((end, text) => {
    const part = entries.slice(text === 0 ? 0 : ends[text - 1]!, end);
    return Object.fromEntries(
      [...part].map((entry) => [list[entry >>> COUNT_BITS]!, entry & MOST_COUNTED]),
    );
  });
}

function bagOf(text: string, most: number): Record<string, number> {
  const table = new WordTable([], 64);
  const words: string[] = [];
  table.addAll(text, (number) => words.push(table.word(number)));
  const counts: Record<string, number> = {};
  for (const word of words.slice(0, most)) counts[word] = (counts[word] ?? 0) + 1;
  for (const word in counts) counts[word] = Math.min(counts[word]!, MOST_COUNTED);
  return counts;
}

Deno.test("bagsOf() counts the words of the pairs that its files give", async () => {
  const random = new Random("5 npm:tiny");
  const pairs = [];
  for (const { path, text } of FILES) {
    pairs.push(...pairsOf(path, text, await parse(path, text), random));
  }
  const bags = await bagsOf("npm:tiny", FILES, 5);
  assert.equal(bags.name, "npm:tiny");
  assert.equal(bags.characters, FILES.reduce((sum, { text }) => sum + text.length, 0));
  assert.deepEqual([...bags.kinds].map((kind) => PAIR_KINDS[kind]), pairs.map(({ kind }) => kind));
  assert.deepEqual(
    textsOf(bags),
    pairs.flatMap(({ query, document }) => [
      bagOf(query, QUERY_WORDS),
      bagOf(document, DOCUMENT_WORDS),
    ]),
  );
  // Both limits were met.
  const sizes = pairs.map(({ document }) => document.match(/\w+/g)!.length);
  assert.ok(sizes.some((size) => size > DOCUMENT_WORDS));
  assert.ok(textsOf(bags).some((text) => text.a === MOST_COUNTED));
});

Deno.test("the same files, name and seed give the same bags", async () => {
  const bags = await bagsOf("npm:tiny", FILES, 5);
  assert.deepEqual(await bagsOf("npm:tiny", FILES, 5), bags);
  // Whatever else was read before, and however files come.
  const streamed = async function* () {
    yield* FILES;
  };
  assert.deepEqual(await bagsOf("npm:tiny", streamed(), 5), bags);
  const others = await Promise.all(
    [1, 2, 3, 4].map(async (seed) => textsOf(await bagsOf("npm:tiny", FILES, seed))),
  );
  assert.ok(others.some((other) => JSON.stringify(other) !== JSON.stringify(textsOf(bags))));
});

Deno.test("a package of no files has no bags", async () => {
  const bags = await bagsOf("npm:tiny", [], 5);
  assert.deepEqual([bags.words, bags.entries.length, bags.ends.length, bags.kinds.length], [
    "",
    0,
    0,
    0,
  ]);
});
