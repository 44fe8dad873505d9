/**
 * Words of a question that were misspelt, and what they were meant to be.
 *
 * Owns when a word is taken for misspelt. What must hold: a word that stands in the index, in any form, is never changed, nor one that
 * the vocabulary of the shipped embedder knows (it is English, or a word of code, that is just not used here), nor a name; what a word
 * is changed to stands in the index.
 */
import { editDistance } from "./near_names.ts";
import { eachWord, splitIdentifier, stemOf, STOP_WORDS } from "./terms.ts";

/** Shorter words are too near to too many others. */
const SHORTEST = 4;
/** From this length on two slips are forgiven instead of one. */
const LONG = 8;
/** Words of a text that are looked at. */
const MOST_WORDS = 40;

/** What spelling needs of an index. */
export interface SpellingIndex {
  /** How many chunks hold a word in any of its forms. */
  holding(stem: string): number;
  /** Names that the files define. */
  names(): Iterable<string>;
  /** Words that are words, whatever the index holds. */
  vocabulary(): readonly string[];
}

/** A word as it was written, and as it was read. */
export interface Correction {
  readonly from: string;
  readonly to: string;
}

/** The misspelt words of a text, each once, in order. */
export function misspellings(text: string, index: SpellingIndex): Correction[] {
  const unknown = new Map<string, Correction | undefined>();
  let seen = 0;
  eachWord(text, 0, text.length, (word, offset) => {
    // Names are as they are: another command suggests near ones. So is what is quoted, or part of a path or an address.
    if (!/^[A-Z]?[a-z]+$/.test(word) || word.length < SHORTEST || seen++ >= MOST_WORDS) return;
    if (/[\w.:/@#$"'`“-]/.test(text[offset - 1] ?? "")) return;
    if (/^(?:[\w:/@#$"'`”(-]|\.\w)/.test(text.slice(offset + word.length))) return;
    const lower = word.toLowerCase();
    if (unknown.has(lower) || STOP_WORDS.has(lower) || index.holding(stemOf(lower)) > 0) return;
    unknown.set(lower, undefined);
  });
  if (unknown.size === 0) return [];
  const vocabulary = new Set(index.vocabulary());
  const wrong = [...unknown.keys()].filter((word) => !vocabulary.has(word));
  if (wrong.length === 0) return [];
  const candidates = new Set(vocabulary);
  for (const name of index.names()) {
    for (const part of splitIdentifier(name)) if (/^[a-z]+$/.test(part)) candidates.add(part);
  }
  return wrong.flatMap((from) => {
    const to = nearest(from, candidates, index);
    return to === undefined ? [] : [{ from, to }];
  });
}

/**
 * Words of a text that stand nowhere in the index, in any form, nor do all their parts: `GraphQL`, `kubernetes`. Each once, in order, as they
 * are written.
 */
export function absentWords(text: string, index: Pick<SpellingIndex, "holding">): string[] {
  const absent = new Map<string, string>();
  eachWord(text, 0, text.length, (word) => {
    const lower = word.toLowerCase();
    if (word.length < SHORTEST - 1 || STOP_WORDS.has(lower) || absent.size >= MOST_WORDS) return;
    if (index.holding(stemOf(lower)) > 0) return;
    const parts = splitIdentifier(word);
    if (parts.length > 1 && parts.every((part) => index.holding(stemOf(part)) > 0)) return;
    absent.set(lower, word);
  });
  return [...absent.values()];
}

/** A text with the corrected words in place of the others. */
export function withCorrections(text: string, corrections: readonly Correction[]): string {
  return corrections.reduce(
    (result, { from, to }) => result.replace(new RegExp(`\\b${from}\\b`, "gi"), to),
    text,
  );
}

/** The word of the index that is spelt most like one; of equals that with the same letters, then the commonest. */
function nearest(
  word: string,
  candidates: Iterable<string>,
  index: SpellingIndex,
): string | undefined {
  const most = word.length >= LONG ? 2 : 1;
  const letters = (one: string) => [...one].sort().join("");
  const own = letters(word);
  const near: { other: string; distance: number; same: boolean }[] = [];
  for (const other of candidates) {
    // The first letter is the one that is hardly ever wrong; it may have changed places with the second.
    if (other[0] !== word[0] && !(other[0] === word[1] && other[1] === word[0])) continue;
    if (other.length < SHORTEST - 1 || Math.abs(other.length - word.length) > most) continue;
    const distance = editDistance(word, other);
    if (distance <= most) near.push({ other, distance, same: letters(other) === own });
  }
  return near.map((one) => ({ ...one, count: index.holding(stemOf(one.other)) }))
    .filter(({ count }) => count > 0)
    .sort((one, two) =>
      one.distance - two.distance || Number(two.same) - Number(one.same) ||
      two.count - one.count || (one.other < two.other ? -1 : 1)
    )[0]?.other;
}
