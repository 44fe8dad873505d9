/**
 * The pairs of one package as bags of words: what training reads, small enough to keep those of all packages in memory.
 *
 * Owns the limits of a text and of a package. What must hold: the same files and seed give the same bags, wherever and in
 * whatever order packages are read.
 */
import { parse } from "../../ingest/mod.ts";
import { WordTable } from "../embed/word_table.ts";
import type { TrainingFile } from "./packages.ts";
import { type Pair, PAIR_KINDS, pairsOf } from "./pairs.ts";
import { Random } from "./random.ts";

/** Words of a question that count; of a document. */
const QUERY_WORDS = 64;
const DOCUMENT_WORDS = 400;
/** Pairs of one package, so that no large one drowns the others. */
export const MOST_PAIRS = 24_000;

/** A word of a bag and how often it stands there share a number: the count takes the low bits. */
export const COUNT_BITS = 6;
const MOST_COUNTED = (1 << COUNT_BITS) - 1;

/** All pairs of a package. */
export interface PackageBags {
  readonly name: string;
  /** Words in the order in which they were met, separated by line ends; bags name them by their place. */
  readonly words: string;
  /** For each text its words: place << COUNT_BITS | count. Question and document alternate. */
  readonly entries: Uint32Array;
  /** Where each text ends in `entries`; two a pair. */
  readonly ends: Uint32Array;
  /** Kind of each pair, by its place in `PAIR_KINDS`. */
  readonly kinds: Uint8Array;
  /** Characters of source that were read. */
  readonly characters: number;
}

/** Parses the files of a package, in their order, and makes bags of the pairs they give. */
export async function bagsOf(
  name: string,
  files: AsyncIterable<TrainingFile> | Iterable<TrainingFile>,
  seed: number,
): Promise<PackageBags> {
  const random = new Random(`${seed} ${name}`);
  const pairs: Pair[] = [];
  let characters = 0;
  for await (const { path, text } of files) {
    characters += text.length;
    const found = pairsOf(path, text, await parse(path, text), random);
    for (const pair of found) pairs.push(pair);
  }
  if (pairs.length > MOST_PAIRS) {
    random.shuffle(pairs);
    pairs.length = MOST_PAIRS;
  }
  return { name, characters, ...bag(pairs) };
}

function bag(pairs: readonly Pair[]) {
  const table = new WordTable();
  let entries = new Uint32Array(1 << 16);
  let used = 0;
  const ends = new Uint32Array(pairs.length * 2);
  const counts = new Map<number, number>();
  let room = 0;
  const count = (word: number) => {
    if (room-- > 0) counts.set(word, (counts.get(word) ?? 0) + 1);
  };
  const put = (text: string, most: number) => {
    counts.clear();
    room = most;
    table.addAll(text, count);
    if (used + counts.size > entries.length) {
      const larger = new Uint32Array(entries.length * 2);
      larger.set(entries);
      entries = larger;
    }
    for (const [word, times] of counts) {
      entries[used++] = word << COUNT_BITS | Math.min(times, MOST_COUNTED);
    }
    return used;
  };
  pairs.forEach((pair, at) => {
    ends[2 * at] = put(pair.query, QUERY_WORDS);
    ends[2 * at + 1] = put(pair.document, DOCUMENT_WORDS);
  });
  const words: string[] = [];
  for (let word = 0; word < table.size; word++) words.push(table.word(word));
  return {
    words: words.join("\n"),
    entries: entries.slice(0, used),
    ends,
    kinds: Uint8Array.from(pairs, (pair) => PAIR_KINDS.indexOf(pair.kind)),
  };
}
