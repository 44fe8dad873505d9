/**
 * The vocabulary: which words get a vector of their own, which pieces stand for the rest, and the bags in these terms.
 *
 * What must hold: the choice depends on the bags alone, ties are broken by the word itself; every text of every package is
 * kept, a word that has neither a vector nor pieces is left out of its bag.
 */
import { LONGEST_PIECE, WordTable } from "../embed/word_table.ts";
import { COUNT_BITS, type PackageBags } from "./bags.ts";

/** A word must stand in so many packages: what only one project says is a name, not a word. */
const FEWEST_PACKAGES = 3;
/** Share of the vocabulary that goes to pieces of rarer words. */
const PIECES = 0.15;
/** Rarer words that pieces are chosen from, the most frequent first. */
const RARE_WORDS = 200_000;
const SHORTEST_PIECE = 3;
/** Pieces are chosen for parts of words; longer ones would be words. */
const LONGEST_CHOSEN = Math.min(7, LONGEST_PIECE);
/** Longer words are rarely more than one project's. */
const LONGEST_VOCABULARY_WORD = 20;

/** All pairs in terms of one vocabulary. */
export interface TrainingData {
  /** Words by number: the frequent ones, then the pieces. */
  readonly words: readonly string[];
  /** In how many documents of pairs each word stands. */
  readonly documents: Uint32Array;
  /** Words of all texts. Question and document alternate. */
  readonly ids: Uint16Array;
  /** How often each stands in its text. */
  readonly counts: Uint8Array;
  /** Where each text ends in `ids`; two a pair. */
  readonly ends: Uint32Array;
  readonly kinds: Uint8Array;
  /** Number of the package that each pair is of, in the order of the packages given. */
  readonly packages: Uint16Array;
}

/** @param size words and pieces together, at most 65,536 */
export function vocabularyOf(bags: readonly PackageBags[], size: number): string[] {
  const totals = new Map<string, { count: number; packages: number }>();
  for (const { words, entries } of bags) {
    const list = words === "" ? [] : words.split("\n");
    const counts = new Float64Array(list.length);
    for (const entry of entries) {
      counts[entry >>> COUNT_BITS]! += entry & ((1 << COUNT_BITS) - 1);
    }
    list.forEach((word, at) => {
      const total = totals.get(word);
      if (total === undefined) totals.set(word, { count: counts[at]!, packages: 1 });
      else {
        total.count += counts[at]!;
        total.packages++;
      }
    });
  }
  const ranked = [...totals].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1));
  const wanted = Math.floor(size * (1 - PIECES));
  const words: string[] = [];
  const rare: [string, number][] = [];
  for (const [word, { count, packages }] of ranked) {
    if (
      words.length < wanted && packages >= FEWEST_PACKAGES &&
      word.length <= LONGEST_VOCABULARY_WORD && /^[a-z0-9]+$/.test(word) && !/^\d{5,}$/.test(word)
    ) words.push(word);
    else if (rare.length < RARE_WORDS && word.length > SHORTEST_PIECE && /^[a-z]+$/.test(word)) {
      rare.push([word, count]);
    }
  }
  return words.concat(piecesOf(rare, new Set(words), size - words.length));
}

/** The parts of words that cover most: how often they stand in rare words, times what they cover. */
function piecesOf(
  rare: readonly [string, number][],
  known: ReadonlySet<string>,
  wanted: number,
): string[] {
  const weights = new Map<string, number>();
  for (const [word, count] of rare) {
    // A rare word that one project repeats is still one word.
    const weight = Math.sqrt(count);
    for (let length = SHORTEST_PIECE; length <= LONGEST_CHOSEN; length++) {
      for (let at = 0; at + length <= word.length; at++) {
        // Parts at the beginning are met first by the greedy match.
        const piece = word.slice(at, at + length);
        if (known.has(piece)) continue;
        weights.set(piece, (weights.get(piece) ?? 0) + weight * (length - 2) * (at === 0 ? 2 : 1));
      }
    }
  }
  return [...weights].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, wanted)
    .map(([piece]) => piece);
}

/** The bags of all packages in terms of a vocabulary. */
export function trainingData(bags: readonly PackageBags[], words: readonly string[]): TrainingData {
  const table = new WordTable(words, words.length);
  const pairs = bags.reduce((sum, { kinds }) => sum + kinds.length, 0);
  // A word of several pieces takes as many entries.
  let room = bags.reduce((sum, { entries }) => sum + entries.length, 0) * 1.2 | 0;
  let ids = new Uint16Array(room);
  let counts = new Uint8Array(room);
  const ends = new Uint32Array(pairs * 2);
  const kinds = new Uint8Array(pairs);
  const packages = new Uint16Array(pairs);
  const documents = new Uint32Array(words.length);
  const seen = new Uint32Array(words.length);
  const met: number[] = [];
  let used = 0;
  let text = 0;
  bags.forEach((one, number) => {
    const numbers = (one.words === "" ? [] : one.words.split("\n")).map((word) => {
      const found = table.find(word);
      return found >= 0 ? found : table.pieces(word);
    });
    kinds.set(one.kinds, text / 2);
    packages.fill(number, text / 2, text / 2 + one.kinds.length);
    let at = 0;
    for (const end of one.ends) {
      met.length = 0;
      for (; at < end; at++) {
        const entry = one.entries[at]!;
        const count = entry & ((1 << COUNT_BITS) - 1);
        const found = numbers[entry >>> COUNT_BITS]!;
        for (const id of typeof found === "number" ? [found] : found) {
          if (seen[id] === 0) met.push(id);
          seen[id]! += count;
        }
      }
      if (used + met.length > room) {
        room = Math.ceil(room * 1.3) + met.length;
        ids = enlarged(ids, new Uint16Array(room));
        counts = enlarged(counts, new Uint8Array(room));
      }
      for (const id of met) {
        ids[used] = id;
        counts[used++] = Math.min(255, seen[id]!);
        if (text % 2 === 1) documents[id]!++;
        seen[id] = 0;
      }
      ends[text++] = used;
    }
  });
  return {
    words,
    documents,
    ids: ids.subarray(0, used),
    counts: counts.subarray(0, used),
    ends,
    kinds,
    packages,
  };
}

function enlarged<T extends Uint16Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
