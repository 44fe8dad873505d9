/**
 * What a model thinks aloud before it answers, `<think>…</think>`, taken out of its text.
 *
 * Pure. What must hold: however a text falls into pieces, the same is taken out of it; thoughts that do not end go on to the end.
 */
const OPEN = "<think>";
const CLOSE = "</think>";

/** Text without thoughts. */
export function withoutThoughts(text: string): string {
  const filter = new ThoughtFilter();
  return filter.push(text) + filter.end();
}

/** The same for a text that comes in pieces. */
export class ThoughtFilter {
  /** What may be the beginning of a mark. */
  #held = "";
  #isInside = false;

  /** What a further piece adds to the text, as far as that is certain. */
  push(piece: string): string {
    this.#held += piece;
    let seen = "";
    for (;;) {
      const mark = this.#isInside ? CLOSE : OPEN;
      const at = this.#held.indexOf(mark);
      const end = at < 0 ? this.#held.length - beginningAtEnd(this.#held, mark) : at;
      if (!this.#isInside) seen += this.#held.slice(0, end);
      this.#held = this.#held.slice(at < 0 ? end : at + mark.length);
      if (at < 0) return seen;
      this.#isInside = !this.#isInside;
    }
  }

  /** What the end of the text adds to it: what was no mark after all. */
  end(): string {
    return this.#isInside ? "" : this.#held;
  }
}

/** How many characters at the end of a text are the beginning of a mark. */
function beginningAtEnd(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}
