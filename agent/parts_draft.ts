/**
 * The texts of the parts of a question while a model writes them: what there is to read until one answer is woven of them.
 *
 * Owns in which order they are shown, each under its question. Parts are written side by side, and a text is read from its beginning to its end: the one
 * that began first is shown as it comes, the next from where it is when that one is done. What must hold:
 * - each text is held back and checked as an answer is (`answer_draft.ts`); what is shown of one that ended is its checked text;
 * - every piece is marked as that of a part, for whoever cannot take back what was said; what follows the last of them begins anew.
 */
import {
  AnswerDraft,
  type AnswerDraftOptions,
  type Draft,
  type TextPiece,
} from "./answer_draft.ts";

/** A part. */
interface Row {
  readonly question: string;
  readonly draft: AnswerDraft;
  /** What may be shown of it. */
  text: string;
  isDone: boolean;
}

/** See the module text. */
export class PartsDraft {
  readonly #options: AnswerDraftOptions;
  readonly #rows: readonly Row[];
  /** Those that have begun, in that order. */
  readonly #begun: Row[] = [];
  #shown = "";

  /** @param questions of the parts */
  constructor(questions: readonly string[], options: AnswerDraftOptions) {
    this.#options = options;
    this.#rows = questions.map((question) => {
      const row: Row = {
        question,
        text: "",
        isDone: false,
        draft: new AnswerDraft({
          ...options,
          onText: ({ text, restart }) => {
            row.text = (restart ? "" : row.text) + text;
            if (!this.#begun.includes(row)) this.#begun.push(row);
            this.#show();
          },
        }),
      };
      return row;
    });
  }

  /** What the model of a part writes into. */
  of(part: number): Draft {
    return this.#rows[part]!.draft;
  }

  /** A part is done, with this text; it may be that of rules, which nobody has seen. */
  async done(part: number, text: string): Promise<void> {
    const row = this.#rows[part]!;
    try {
      await row.draft.settled();
      row.draft.conclude(await this.#options.checker().checked(text));
    } catch {
      // What was shown of it stays; the answer is checked as a whole in any case.
    }
    row.isDone = true;
    this.#show();
  }

  /**
   * What shows the answer that is made of the parts: in their place.
   * @param onText takes what is shown
   */
  replacedBy(onText: (piece: TextPiece) => void): (piece: TextPiece) => void {
    return (piece) => {
      const isFirst = this.#shown !== "";
      this.#shown = "";
      onText(isFirst ? { ...piece, restart: true } : piece);
    };
  }

  #show(): void {
    if (this.#options.signal?.aborted) return;
    const live = this.#begun.findIndex(({ isDone }) => !isDone);
    const rows = live < 0 ? this.#begun : this.#begun.slice(0, live + 1);
    const text = rows.filter(({ text }) => text !== "")
      .map(({ question, text }) => `## ${question}\n\n${text}`).join("\n\n");
    if (text === this.#shown) return;
    const goesOn = text.startsWith(this.#shown);
    const piece: TextPiece = goesOn
      ? { text: text.slice(this.#shown.length), part: true }
      : { text, restart: true, part: true };
    this.#shown = text;
    this.#options.onText(piece);
  }
}
