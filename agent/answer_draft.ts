/**
 * The text of an answer while a model writes it.
 *
 * Owns what of a text may be shown before all of it is there. What must hold:
 * - nothing is shown but what the checked text will begin with, however the text falls into pieces: a citation waits until it is complete
 *   and was checked, a word until it can no longer become one, thoughts are no part of it;
 * - the pieces shown since the last one that begins anew, put together, are in the end exactly the answer;
 * - a draft fails no answer, and nothing of it is shown when whoever asked has given up.
 */
import { type CitationChecker, PATH_END } from "./citations.ts";
import { ThoughtFilter } from "./thoughts.ts";

/** A piece of the text of an answer, in the order in which it is to be read. */
export interface TextPiece {
  readonly text: string;
  /** What was shown before is void: this piece is the beginning. */
  readonly restart?: true;
  /** It belongs to one of several parts, of which the answer is yet to be made. */
  readonly part?: true;
}

/** Whoever writes a text piece by piece. */
export interface Draft {
  /** What was written so far is not what is wanted. */
  begin(): void;
  /** Takes what comes next. */
  write(piece: string): void;
  /** Resolves when all that can be shown of what was written is shown. */
  settled(): Promise<void>;
}

/** How a draft is shown. */
export interface AnswerDraftOptions {
  /** Makes what checks the citations of one text; it is asked for one when there is something to check. */
  readonly checker: () => CitationChecker;
  readonly onText: (piece: TextPiece) => void;
  /** Aborted when nobody wants to see it any more. */
  readonly signal?: AbortSignal | undefined;
}

/** See the module text. */
export class AnswerDraft implements Draft {
  readonly #options: AnswerDraftOptions;
  #thoughts = new ThoughtFilter();
  #checker: CitationChecker | undefined;
  #unusual: UnusualPaths | undefined;
  /** What was written, without thoughts. */
  #text = "";
  /** Up to where it is certain what is a citation, as far as that depends on words alone. */
  #wordEnd = 0;
  /** Up to where it is shown. */
  #done = 0;
  #shown = "";
  /** Counts beginnings: what was being checked then is of no use now. */
  #round = 0;
  #work: Promise<void> | undefined;
  #isBroken = false;

  constructor(options: AnswerDraftOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#round++;
    this.#thoughts = new ThoughtFilter();
    this.#text = "";
    this.#wordEnd = 0;
    this.#done = 0;
    // A file may have changed since the last attempt.
    this.#checker = undefined;
    if (this.#shown !== "") this.#show({ text: "", restart: true });
  }

  write(piece: string): void {
    const seen = this.#thoughts.push(piece);
    const more = this.#text === "" ? seen.trimStart() : seen;
    for (let at = more.length - 1; at >= 0; at--) {
      if (!PATH_END.test(more[at]!)) continue;
      this.#wordEnd = this.#text.length + at + 1;
      break;
    }
    this.#text += more;
    this.#work ??= this.#showSettled();
  }

  async settled(): Promise<void> {
    await this.#work;
  }

  /** Shows what the text has become in the end: what is missing of it, or all of it where something else was shown. */
  conclude(answer: string): void {
    if (!answer.startsWith(this.#shown)) this.#show({ text: answer, restart: true });
    else if (answer !== this.#shown) this.#show({ text: answer.slice(this.#shown.length) });
  }

  async #showSettled(): Promise<void> {
    try {
      // In a turn of its own: pieces that come together are one.
      await undefined;
      while (!this.#isBroken) {
        this.#checker ??= this.#options.checker();
        this.#unusual ??= new UnusualPaths(this.#checker.paths);
        const round = this.#round;
        const end = this.#settledEnd(this.#unusual);
        if (end <= this.#done) break;
        const text = await this.#checker.checked(this.#text, this.#done, end);
        if (round !== this.#round) continue;
        this.#done = end;
        this.#show({ text });
      }
    } catch {
      // The answer is checked as a whole in any case, and shown then.
      this.#isBroken = true;
    }
    this.#work = undefined;
  }

  /** Where what follows changes nothing any more: behind a word, before blanks, which an answer does not end with. */
  #settledEnd(unusual: UnusualPaths): number {
    let end = unusual.startIn(this.#text, this.#done, this.#wordEnd);
    while (end > this.#done && /\s/.test(this.#text[end - 1]!)) end--;
    return end;
  }

  #show(piece: TextPiece): void {
    if (this.#options.signal?.aborted) return;
    this.#shown = (piece.restart ? "" : this.#shown) + piece.text;
    this.#options.onText(piece);
  }
}

/** Paths that hold what otherwise ends one: blanks, brackets. */
class UnusualPaths {
  readonly #sorted: readonly string[];
  readonly #paths: ReadonlySet<string>;
  readonly #longest: number;

  constructor(paths: ReadonlySet<string>) {
    this.#sorted = [...paths].filter((path) => PATH_END.test(path)).sort();
    this.#paths = new Set(this.#sorted);
    this.#longest = this.#sorted.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /**
   * Where in a part of a text one may begin that is cited behind that part, or may come to be; `to` where none does.
   * @param to behind a character that ends other paths, the last one of the text
   */
  startIn(text: string, from: number, to: number): number {
    if (this.#sorted.length === 0) return to;
    const first = Math.max(from, text.lastIndexOf("\n") + 1, to - this.#longest);
    for (let at = first; at < to; at++) {
      if (at > 0 && /[\w\-./@]/.test(text[at - 1]!)) continue;
      // One character more than any path has: what stands behind that decides nothing.
      if (this.#mayBegin(text.slice(at, at + this.#longest + 1), to - at)) return at;
    }
    return to;
  }

  /** Whether text is the beginning of such a path, or begins with one whose line numbers stand at `behind` or later. */
  #mayBegin(text: string, behind: number): boolean {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]! < text) low = middle + 1;
      else high = middle;
    }
    if (this.#sorted[low]?.startsWith(text)) return true;
    for (let colon = behind - 1; (colon = text.indexOf(":", colon + 1)) > 0;) {
      if (this.#paths.has(text.slice(0, colon))) return true;
    }
    return false;
  }
}
