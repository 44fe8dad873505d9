/**
 * A text that is said while it is written, to somebody from whom nothing can be taken back.
 *
 * Pure but for what it hands out. What must hold: what was said ends with the final text; it is the final text alone unless a draft had to be
 * given up, and then the words in between say so; no more than the limit is said of a text.
 */
import { fitLines } from "../fit.ts";

/** Stands between a draft that was given up and what is said in its place. */
export const WITHDRAWN = "\n\n*(What stands above was given up; the answer begins here.)*\n\n";

/** See the module text. */
export class SaidText {
  readonly #say: (piece: string) => void;
  readonly #limit: number | undefined;
  /** The draft as far as it is known, and how much of it was said. */
  #draft = "";
  #said = 0;

  /** @param limit most characters of the text, in whole lines; all of it where there is none */
  constructor(say: (piece: string) => void, limit?: number) {
    this.#say = say;
    this.#limit = limit;
  }

  /** Takes a piece of the draft. */
  write(piece: string, restart = false): void {
    if (restart) this.#giveUp();
    this.#draft += piece;
    // Under a limit it is known of whole lines alone that they will stay.
    const end = this.#limit === undefined
      ? this.#draft.length
      : this.#draft.lastIndexOf("\n", this.#limit - 1) + 1;
    if (end <= this.#said) return;
    this.#say(this.#draft.slice(this.#said, end));
    this.#said = end;
  }

  /**
   * Says what is missing of the final text.
   * @returns whether it was said whole
   */
  end(whole: string): boolean {
    const text = this.#limit === undefined ? whole : fitLines(whole, this.#limit).text;
    const said = this.#draft.slice(0, this.#said);
    if (!text.startsWith(said)) this.#giveUp();
    for (const line of text.slice(this.#said).split(/(?<=\n)/)) if (line !== "") this.#say(line);
    return text === whole;
  }

  #giveUp(): void {
    if (this.#said > 0) this.#say(WITHDRAWN);
    this.#draft = "";
    this.#said = 0;
  }
}
