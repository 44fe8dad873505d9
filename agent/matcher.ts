/**
 * Which words of a question a text holds.
 *
 * Owns the memory of words and texts seen: stemming is the dearest part of choosing lines, and the same text is looked at in every
 * step. Pure otherwise. What must hold: a word matches where retrieval would match it (parts of identifiers, stems).
 */
import { eachWord, stemOf, termsOfWord } from "../rag/mod.ts";

/** One bit a term; what a question says beyond it is repetition. */
export const MOST_TERMS = 30;

export class Matcher {
  readonly terms: readonly string[];
  readonly #bits: ReadonlyMap<string, number>;
  readonly #words = new Map<string, number>();
  readonly #texts = new Map<string, number>();

  /** @param terms stems; those beyond `MOST_TERMS` are not looked for. */
  constructor(terms: readonly string[]) {
    this.terms = terms.slice(0, MOST_TERMS);
    this.#bits = new Map(this.terms.map((term, index) => [term, 1 << index]));
  }

  /** Bit `i` is set when `text` holds `terms[i]`. */
  match(text: string): number {
    let mask = this.#texts.get(text);
    if (mask !== undefined) return mask;
    mask = 0;
    eachWord(text, 0, text.length, (word) => {
      mask! |= this.#matchWord(word);
    });
    this.#texts.set(text, mask);
    return mask;
  }

  #matchWord(word: string): number {
    let mask = this.#words.get(word);
    if (mask === undefined) {
      mask = 0;
      for (const term of termsOfWord(word)) mask |= this.#bits.get(stemOf(term)) ?? 0;
      this.#words.set(word, mask);
    }
    return mask;
  }
}
