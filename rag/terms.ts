/**
 * Code-aware words: how text becomes the terms of the text index, and how a question becomes concepts.
 *
 * Owns the rule for splitting identifiers (camelCase, acronyms, snake_case, digits), the stop words and the stems.
 * Does no I/O. What must hold: indexing and querying split alike, so a term found in a query word is found in the
 * text that holds the same word; `splitIdentifier` is a pure function of the word.
 */
import { stem as porter2 } from "porter2";

/** Longer runs of letters are data (hashes, base64), not words that anyone asks for. */
export const LONGEST_WORD = 64;

/** Shape of a character inside an identifier. */
const enum Shape {
  other = 0,
  lower = 1,
  upper = 2,
  digit = 3,
  joiner = 4,
}

const SHAPES = new Uint8Array(128);
for (let code = 97; code <= 122; code++) SHAPES[code] = Shape.lower;
for (let code = 65; code <= 90; code++) SHAPES[code] = Shape.upper;
for (let code = 48; code <= 57; code++) SHAPES[code] = Shape.digit;
SHAPES[95] = Shape.joiner; // _
SHAPES[36] = Shape.joiner; // $

const LETTER = /\p{L}/u;
const UPPER = /\p{Lu}/u;

function shapeOf(code: number): Shape {
  if (code < 128) return SHAPES[code]!;
  const character = String.fromCharCode(code);
  if (!LETTER.test(character)) return Shape.other;
  return UPPER.test(character) ? Shape.upper : Shape.lower;
}

/** Whether a UTF-16 unit is part of a word: a letter, a digit, `_` or `$`. */
export function isWordCharacter(code: number): boolean {
  return code < 128 ? SHAPES[code] !== Shape.other : shapeOf(code) !== Shape.other;
}

/**
 * Calls `emit` with every word of `text` in `[start, end)`: a run of letters, digits, `_` and `$`.
 * Words longer than `LONGEST_WORD` are passed over.
 */
export function eachWord(
  text: string,
  start: number,
  end: number,
  emit: (word: string, offset: number) => void,
): void {
  let begin = -1;
  for (let index = start; index <= end; index++) {
    const code = index < end ? text.charCodeAt(index) : 32;
    if (isWordCharacter(code)) {
      if (begin < 0) begin = index;
    } else if (begin >= 0) {
      if (index - begin <= LONGEST_WORD) emit(text.slice(begin, index), begin);
      begin = -1;
    }
  }
}

/**
 * The parts of an identifier in lower case: `parseHTTPRequest2` gives `parse http request 2`.
 * A word without humps or joiners gives itself.
 */
export function splitIdentifier(word: string): string[] {
  const parts: string[] = [];
  let begin = 0;
  let previous: Shape = Shape.joiner;
  const cut = (end: number) => {
    if (end > begin) parts.push(word.slice(begin, end).toLowerCase());
  };
  for (let index = 0; index < word.length; index++) {
    const shape = shapeOf(word.charCodeAt(index));
    if (shape === Shape.joiner || shape === Shape.other) {
      cut(index);
      begin = index + 1;
    } else if (previous === Shape.lower && shape === Shape.upper) {
      cut(index);
      begin = index;
    } else if (previous === Shape.upper && shape === Shape.lower && index - begin > 1) {
      // An acronym ends where a hump begins: HTTPRequest is HTTP + Request.
      cut(index - 1);
      begin = index - 1;
    } else if (
      (previous === Shape.digit) !== (shape === Shape.digit) && previous !== Shape.joiner &&
      previous !== Shape.other
    ) {
      cut(index);
      begin = index;
    }
    previous = shape;
  }
  cut(word.length);
  return parts;
}

/**
 * The index terms of one word: its parts, and the whole without joiners when there is more than one part.
 * Single letters carry nothing and are left out, except as a whole word of one letter.
 */
export function termsOfWord(word: string): string[] {
  const parts = splitIdentifier(word);
  if (parts.length === 1) return parts;
  const terms = parts.filter((part) => part.length > 1);
  const whole = parts.join("");
  if (whole.length <= LONGEST_WORD && whole.length > 1) terms.push(whole);
  return terms;
}

const stems = new Map<string, string>();
/** The stem cache is emptied when it holds more; a vocabulary of this size fits in some 30 MB. */
const MOST_STEMS = 200_000;

/**
 * What Porter2 leaves apart and code does not: the one who does it and what is done (`formatter`, `format`; `writer`,
 * `write`). Short stems (`order`, `user`, `error`) are left alone, since there the ending is part of the word.
 */
function rootOf(stem: string): string {
  let root = stem;
  if (root.length >= 6 && /(er|or)$/.test(root)) root = root.slice(0, -2);
  // Porter2 leaves the doubled consonant of `formatter`.
  if (root.length >= 6 && /([bdfgmnprt])\1$/.test(root)) root = root.slice(0, -1);
  return root.length > 4 && root.endsWith("e") ? root.slice(0, -1) : root;
}

/** Porter2 stem of a lower-case term, cached: stemming is the dearest step of a query otherwise. */
export function stemOf(term: string): string {
  let stemmed = stems.get(term);
  if (stemmed === undefined) {
    if (stems.size > MOST_STEMS) stems.clear();
    stemmed = /^[a-z]{3,}$/.test(term) ? rootOf(porter2(term)) : term;
    stems.set(term, stemmed);
  }
  return stemmed;
}

/**
 * Words that say how something is asked, not what is asked for. English function words and the verbs of questions
 * about code; words that also name code (`get`, `set`, `new`, `type`, `from`) stay out of this list on purpose.
 */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  ("a an the and or but if then else of to in on at by for with about into over after before between through during " +
    "is are was were be been being am do does did doing done has have had having can could should would may might " +
    "must shall will it its this that these those there here he she they them their we our us you your i me my " +
    "what which who whom whose when where why how as so than too very just also only not no nor each every any all " +
    "some such same other both more most own out up down off again once via per vs etc " +
    "way ways work works working happen happens happening code implemented implementation implement implements " +
    "used uses using use find show explain tell please something anything thing things place places")
    .split(" "),
);
