/**
 * How big a piece of text is: in tokens, as the models' tokenizers count them, or in characters that are not white space.
 *
 * Owns the two measures that chunks are cut by. What must hold: a measure is additive and monotone (the size of a range is
 * the sum of the sizes of its parts, and none is negative), takes one pass over the text and answers any range in constant
 * time.
 *
 * Tokens are estimated without a vocabulary. A finite machine follows the rules by which o200k_base splits a text
 * before it merges bytes: a word takes one space or sign in front of it, a run of signs the line ends behind it, digits go
 * in threes, the last of several spaces goes with what follows. How many tokens a word or a run of signs becomes is its
 * mean over the benchmark's repositories, by length.
 */

/** Prepares a text, then gives the size of `[start, end)` of it. */
export type Measure = (text: string) => (start: number, end: number) => number;

/** Sizes are summed in 1/32 of a token so that fractions survive in whole numbers. */
const UNIT = 32;

// Classes of characters.
const LOWER = 0, UPPER = 1, DIGIT = 2, SPACE = 3, NEWLINE = 4, SIGN = 5, LETTER = 6, WIDE = 7;
const CLASSES = 8;

const ASCII = new Uint8Array(128).fill(SIGN);
ASCII.fill(LOWER, 97, 123);
ASCII.fill(UPPER, 65, 91);
ASCII.fill(DIGIT, 48, 58);
ASCII[32] =
  ASCII[9] =
  ASCII[11] =
  ASCII[12] =
    SPACE;
ASCII[10] = ASCII[13] = NEWLINE;

/** Mean tokens of a word of small letters, of capitals, and of a run of signs, by length from 1; then for each one more. */
const SMALL = [1, 1, 1.05, 1.05, 1.05, 1.05, 1.07, 1.1, 1.19, 1.28, 1.34, 1.48, 1.55, 1.75, 2.05];
const SMALL_MORE = 0.35;
const CAPITAL = [1, 1, 1.12, 1.35, 1.62, 1.78, 1.82, 2.15, 2.4];
const CAPITAL_MORE = 0.15;
const SIGNS = [1, 1.01, 1.13, 1.45, 1.8, 2.3, 2.4, 3.1, 3.3];
const SIGNS_MORE = 0.12;
/** A sign in front of a word makes a rarer word of it. */
const SIGN_BEFORE_WORD = 0.13;
/** A letter with an accent or of another alphabet, and how much more the first of a word costs. */
const LETTER_CHARACTER = 0.42;
const FIRST_LETTER = 0.3;
/** An ideograph, or half of an emoji. */
const WIDE_CHARACTER = 0.7;

// States: what the last character was part of. Runs have one state a length, so that the machine needs no counter.
const START = 0, ONE_SPACE = 1, SPACES = 2, ONE_SIGN = 3, LETTERS = 4, WIDES = 5, DIGITS = 6;
const SMALLS = DIGITS + 3,
  CAPITALS = SMALLS + SMALL.length + 1,
  SIGN_RUN = CAPITALS + CAPITAL.length + 1;
const STATES = SIGN_RUN + SIGNS.length + 1;

/** By state and class: the next state in the low six bits, the cost of the step above. */
const STEPS = new Uint16Array(64 * CLASSES);

/** Writes the steps out of a state; later ones replace earlier ones. */
function step(state: number, kind: number, next: number, cost: number): void {
  STEPS[state * CLASSES + kind] = next | (Math.round(cost * UNIT) << 6);
}

for (let state = 0; state < STATES; state++) {
  // A single sign has not been paid for yet: a word may take it along.
  const owed = state === ONE_SIGN ? 1 : 0;
  const rarer = state === ONE_SIGN ? SIGN_BEFORE_WORD : 0;
  step(state, LOWER, SMALLS, 1 + rarer);
  step(state, UPPER, CAPITALS, 1 + rarer);
  step(state, LETTER, LETTERS, LETTER_CHARACTER + FIRST_LETTER + rarer);
  step(state, WIDE, WIDES, WIDE_CHARACTER + owed);
  step(state, DIGIT, DIGITS, 1 + owed + (state === ONE_SPACE || state === SPACES ? 1 : 0));
  step(state, SPACE, ONE_SPACE, owed);
  step(state, SIGN, ONE_SIGN, owed);
  step(state, NEWLINE, START, 1);
}
/** Steps from each length of a run to the next; beyond the table it stays at the last. */
function run(first: number, kind: number, means: readonly number[], more: number): void {
  for (let length = 1; length <= means.length + 1; length++) {
    const cost = length < means.length ? means[length]! - means[length - 1]! : more;
    step(first + length - 1, kind, first + Math.min(length, means.length), cost);
  }
}
run(SMALLS, LOWER, SMALL, SMALL_MORE);
run(CAPITALS, UPPER, CAPITAL, CAPITAL_MORE);
run(SIGN_RUN, SIGN, SIGNS, SIGNS_MORE);
for (let length = 1; length <= CAPITAL.length + 1; length++) {
  // Capitals run into small letters: one word.
  step(CAPITALS + length - 1, LOWER, SMALLS + Math.min(length, SMALL.length), 0);
}
for (let state = SMALLS; state < SIGN_RUN; state++) step(state, LETTER, LETTERS, LETTER_CHARACTER);
for (const kind of [LOWER, UPPER, LETTER]) step(LETTERS, kind, LETTERS, LETTER_CHARACTER);
for (let state = SIGN_RUN; state < STATES; state++) step(state, NEWLINE, START, 0);
step(START, NEWLINE, START, 0);
step(DIGITS, DIGIT, DIGITS + 1, 0);
step(DIGITS + 1, DIGIT, DIGITS + 2, 0);
// The second space of a run pays for all but the last, and behind a space a sign is a token with it.
step(ONE_SPACE, SPACE, SPACES, 1);
step(SPACES, SPACE, SPACES, 0);
step(SPACES, NEWLINE, START, 0);
step(ONE_SPACE, SIGN, SIGN_RUN, 1);
step(SPACES, SIGN, SIGN_RUN, 1);
step(ONE_SIGN, SIGN, SIGN_RUN + 1, 1);

/** Costs summed up to each character: `sums[i]` is the size of the first `i`. */
function sumTokens(text: string): Int32Array {
  const length = text.length;
  const sums = new Int32Array(length + 1);
  let total = 0;
  let state = START;
  for (let at = 0; at < length;) {
    const code = text.charCodeAt(at);
    const kind = code < 128 ? ASCII[code]! : code < 0x2000 ? LETTER : WIDE;
    const next = STEPS[state * CLASSES + kind]!;
    state = next & 63;
    total += next >> 6;
    sums[++at] = total;
  }
  // A sign at the very end was never paid for.
  if (state === ONE_SIGN) sums[length] = total + UNIT;
  return sums;
}

/** Tokens, estimated; close to o200k_base. Fractions are kept. */
export const tokens: Measure = (text) => {
  const sums = sumTokens(text);
  return (start, end) => (sums[end]! - sums[start]!) / UNIT;
};

/** Characters that are not white space: the measure of the cAST paper (Zhang et al., 2025). */
export const nonWhitespace: Measure = (text) => {
  const sums = new Int32Array(text.length + 1);
  for (let at = 0, total = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 32 && code !== 0xa0 && code !== 0xfeff && code !== 0x3000) total++;
    sums[at + 1] = total;
  }
  return (start, end) => sums[end]! - sums[start]!;
};

/** Estimated tokens of a text, rounded up. */
export function countTokens(text: string): number {
  return Math.ceil(tokens(text)(0, text.length));
}
