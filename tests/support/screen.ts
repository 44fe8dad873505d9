/**
 * A terminal as somebody sees it: what was written to it, with cursor movements carried out, as rows of text.
 *
 * Owns the few sequences of ECMA-48 that batos and `node:readline` write. What must hold: a sequence that it does not know fails the test;
 * what scrolled out of the top stays readable, and can no longer be written over.
 */
import { textWidth } from "../../kernel/doors/terminal.ts";

/** See the module text. */
export class Screen {
  readonly #columns: number;
  readonly #rows: number;
  #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  #wraps = true;
  #pending = "";

  constructor(columns = 80, rows = 24) {
    this.#columns = columns;
    this.#rows = rows;
  }

  /** What stands there, from the first line that was ever written, blanks at the ends of rows left out. */
  get text(): string {
    return this.#lines.map((line) => line.join("").trimEnd()).join("\n").trimEnd();
  }

  /** Where the cursor is: how many characters of its row stand before it. */
  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  /** Takes what a program writes. */
  write(text: string): void {
    let rest = this.#pending + text;
    this.#pending = "";
    while (rest !== "") {
      if (rest.startsWith("\x1b")) {
        // deno-lint-ignore no-control-regex -- these are the characters that a terminal obeys
        const found = /^\x1b(?:\[([?\d;]*)([A-Za-z])|\][^\x1b\x07]*(?:\x1b\\|\x07))/.exec(rest);
        if (found === null) {
          this.#pending = rest;
          if (rest.length > 4096) throw new Error(`sequence ${JSON.stringify(rest.slice(0, 20))}`);
          return;
        }
        if (found[2] !== undefined) this.#obey(found[1]!, found[2]);
        rest = rest.slice(found[0].length);
        continue;
      }
      const [character] = rest as Iterable<string>;
      this.#put(character!);
      rest = rest.slice(character!.length);
    }
  }

  #put(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") [this.#row, this.#column] = [this.#row + 1, 0];
    else if (character === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (character === "\x07") return;
    else {
      const width = textWidth(character);
      if (this.#column + width > this.#columns) {
        if (this.#wraps) [this.#row, this.#column] = [this.#row + 1, 0];
        else this.#column = this.#columns - width;
      }
      const line = this.#line();
      while (line.length < this.#column) line.push(" ");
      line[this.#column] = character;
      if (width === 2) line[this.#column + 1] = "";
      this.#column += width;
    }
    this.#line();
  }

  #obey(parameters: string, command: string): void {
    const count = Number(parameters) || 1;
    switch (command) {
      case "A":
        // What scrolled away is out of reach.
        this.#row = Math.max(this.#lines.length - this.#rows, 0, this.#row - count);
        break;
      case "B":
        this.#row = Math.min(this.#lines.length - 1, this.#row + count);
        break;
      case "C":
        this.#column = Math.min(this.#columns - 1, this.#column + count);
        break;
      case "D":
        this.#column = Math.max(0, this.#column - count);
        break;
      case "G":
        this.#column = count - 1;
        break;
      case "J":
        this.#line().length = Math.min(this.#line().length, this.#column);
        this.#lines.length = this.#row + 1;
        break;
      case "K":
        if (parameters === "2") this.#line().length = 0;
        else this.#line().length = Math.min(this.#line().length, this.#column);
        break;
      case "h":
      case "l":
        if (parameters === "?7") this.#wraps = command === "h";
        break;
      case "m":
        break;
      default:
        throw new Error(
          `a terminal was told "CSI ${parameters}${command}", which this one does not know`,
        );
    }
  }

  #line(): string[] {
    while (this.#lines.length <= this.#row) this.#lines.push([]);
    return this.#lines[this.#row]!;
  }
}
