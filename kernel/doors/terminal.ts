/**
 * What the command line knows about the terminal: the streams of the process, colours, widths, the progress line, Ctrl-C.
 *
 * Owns every escape sequence that batos prints. What must hold: data goes to `out`, everything else to `err`; colours and
 * a rewritten line appear on a terminal only; text from files is stripped of control characters before a terminal sees it.
 */
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import picocolors from "picocolors";
import type { Progress } from "../commands.ts";
import { ownTerminal } from "./own_terminal.ts";

/** Where a command line writes, and what is known about it. Tests hand in arrays. */
export interface Streams {
  /** Writes data. Rejects with `Deno.errors.BrokenPipe` when nobody reads any more. */
  readonly out: (text: string) => Promise<void>;
  /** Writes status. Never fails. */
  readonly err: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Width to fit into. */
  readonly columns: number;
  /** Height of the terminal, where there is one. */
  readonly rows?: number | undefined;
  /** Asks a person a question of yes or no; absent where nobody sits at a terminal. */
  readonly ask?: (question: string, signal: AbortSignal) => Promise<boolean>;
  /** Name of the terminal; absent where there is none. */
  readonly terminal?: string | undefined;
  /** Value of an environment variable; undefined too where reading it is not permitted. */
  readonly env: (name: string) => string | undefined;
}

/** Width where the terminal does not tell, and the most that text is spread over. */
export const COLUMNS = 80;

/** The streams of this process. */
export function processStreams(): Streams {
  const encoder = new TextEncoder();
  return {
    async out(text) {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length;) {
        try {
          at += Deno.stdout.writeSync(bytes.subarray(at));
        } catch (error) {
          // A pipe that a parent process made non-blocking is full: let its reader catch up.
          if (!(error instanceof Deno.errors.WouldBlock)) throw error;
          await new Promise((done) => setTimeout(done, 1));
        }
      }
    },
    err(text) {
      try {
        Deno.stderr.writeSync(encoder.encode(text));
      } catch {
        // Nobody reads status: the work goes on.
      }
    },
    outIsTerminal: Deno.stdout.isTerminal(),
    errIsTerminal: Deno.stderr.isTerminal(),
    columns: terminalColumns(),
    rows: terminalRows(),
    ask: Deno.stdin.isTerminal() && Deno.stderr.isTerminal() ? askOnTerminal : undefined,
    terminal: ownTerminal(),
    env: readEnvironment,
  };
}

/** Only a clear yes is one; the end of input is a no. */
async function askOnTerminal(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import("node:readline/promises");
  // The terminal keeps its own editing and its own Ctrl-C.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const ended = new Promise<string>((done) => lines.once("close", () => done("")));
    const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }), ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

function terminalColumns(): number {
  try {
    return Math.max(40, Deno.consoleSize().columns);
  } catch {
    return COLUMNS;
  }
}

function terminalRows(): number | undefined {
  try {
    return Deno.consoleSize().rows;
  } catch {
    return undefined;
  }
}

function readEnvironment(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch {
    return undefined;
  }
}

/** Functions that colour text, or leave it alone. */
export type Colours = ReturnType<typeof picocolors.createColors>;

/** Colours for a stream: on a terminal that is not dumb, unless NO_COLOR is set. */
export function colours(isTerminal: boolean, env: Streams["env"]): Colours {
  return picocolors.createColors(isTerminal && !env("NO_COLOR") && env("TERM") !== "dumb");
}

/**
 * Makes text a link to a line of a file (OSC 8, https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda); undefined where
 * colours are off as well. The address is `file:///path#line`, as kitty and iTerm2 read it, or what `BATOS_EDITOR_URL` makes of
 * `{path}` and `{line}`, such as `vscode://file{path}:{line}`; an empty one switches links off.
 * @param root what relative paths are meant from
 */
export function fileLinks(
  isTerminal: boolean,
  env: Streams["env"],
  root: string,
): ((shown: string, path: string, line: number) => string) | undefined {
  const template = env("BATOS_EDITOR_URL");
  const isPlain = !isTerminal || env("NO_COLOR") || env("TERM") === "dumb" ||
    env("TERM") === "linux";
  if (isPlain || template === "") return undefined;
  return (shown, path, line) => {
    // Control characters in a path are encoded here, so an address never ends its own sequence.
    const file = pathToFileURL(join(root, path));
    const address = template === undefined
      ? `${file.href}#${line}`
      // As functions: "$&" in a path is no pattern of a replacement.
      : template.replace(/\p{Cc}/gu, "").replaceAll("{line}", () => `${line}`)
        .replaceAll("{path}", () => file.pathname);
    return `\x1b]8;;${address}\x1b\\${shown}\x1b]8;;\x1b\\`;
  };
}

/** Cells that text takes on a terminal: none for combining marks, two for wide characters. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character.codePointAt(0)!);
  return width;
}

function characterWidth(code: number): number {
  if (code < 0x300) return 1;
  if (
    code === 0x200d || (code >= 0xfe00 && code <= 0xfe0f) ||
    /\p{M}/u.test(String.fromCodePoint(code))
  ) return 0;
  const wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) || (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

/** Cuts text to a width, with an ellipsis where something is missing. */
export function clip(text: string, width: number): string {
  // Characters are at most two cells: short text needs no counting, and of long text only the head is looked at.
  if (text.length * 2 <= width) return text;
  let used = 0;
  let cut = 0; // where to cut if an ellipsis is needed
  let at = 0;
  for (const character of text) {
    used += characterWidth(character.codePointAt(0)!);
    if (used > width) return text.slice(0, cut) + "…";
    at += character.length;
    if (used <= width - 1) cut = at;
  }
  return text;
}

/** Keeps the end of text, which tells paths apart better than their beginning. */
export function clipStart(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const characters = [...text];
  let used = 1;
  let from = characters.length;
  while (from > 0) {
    used += characterWidth(characters[from - 1]!.codePointAt(0)!);
    if (used > width) break;
    from--;
  }
  return "…" + characters.slice(from).join("");
}

/** Pads with blanks on the right. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/**
 * Text from a file made harmless for a terminal: control characters except line ends, and characters that reverse the
 * direction of writing (CVE-2021-42574), become `·`; tabs become two blanks.
 */
export function printable(text: string): string {
  return text.replaceAll("\t", "  ").replaceAll("\r\n", "\n")
    .replace(/(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "·");
}

/** How often progress is drawn again: smooth to the eye, free for the work. */
const REDRAW_MS = 80;

/** How often progress is told where it cannot be rewritten, such as in a log. */
const LOG_MS = 5_000;

/** Silence before the first plain line: what is done by then needs no telling. */
const LOG_AFTER_MS = 2_000;

/** Height where the terminal does not tell. */
const ROWS = 24;

/** How progress is shown. */
export interface ProgressOptions {
  /** Not at all. */
  readonly quiet: boolean;
  /** Whether an answer is shown while it is written, where that can be taken away again. */
  readonly draft?: boolean;
}

/**
 * Shows progress on the error stream: one rewritten line on a terminal, above it the end of an answer that is being written; elsewhere an
 * occasional plain line.
 */
export class ProgressLine {
  readonly #streams: Streams;
  readonly #quiet: boolean;
  readonly #hasDraft: boolean;
  readonly #paint: Colours;
  #next: number;
  #line = "";
  #draft = "";
  /** Rows that are drawn. */
  #rows = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(streams: Streams, { quiet, draft = false }: ProgressOptions) {
    this.#streams = streams;
    this.#quiet = quiet;
    this.#hasDraft = draft && streams.errIsTerminal && streams.env("TERM") !== "dumb";
    this.#paint = colours(streams.errIsTerminal, streams.env);
    this.#next = performance.now() + (streams.errIsTerminal ? 0 : LOG_AFTER_MS);
  }

  /** Takes in what happens now; cheap enough to be called for every file. */
  show(progress: Progress): void {
    if (this.#quiet) return;
    const now = performance.now();
    if (progress.note) {
      this.#erase();
      this.#streams.err(`${printable(progressText(progress))}\n`);
    } else if (progress.text !== undefined && this.#hasDraft) {
      this.#line = printable(progressText(progress));
      this.#draft = (progress.restart ? "" : this.#draft) + progress.text;
      // What is there at once, and in the result a moment later, need not flicker by.
      this.#timer ??= setTimeout(() => this.#draw(), REDRAW_MS);
    } else if (now >= this.#next) {
      const text = printable(progressText(progress));
      if (this.#streams.errIsTerminal) {
        this.#line = text;
        if (this.#timer === undefined) this.#draw();
        this.#next = now + REDRAW_MS;
      } else {
        this.#streams.err(`${text}\n`);
        this.#next = now + LOG_MS;
      }
    }
  }

  /** Takes it all away, so that something else can be printed. */
  clear(): void {
    this.#erase();
    this.#draft = "";
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { columns, rows = ROWS } = this.#streams;
    const width = Math.min(columns, COLUMNS) - 1;
    // One row for the line below, and one for what was typed to get here.
    const draft = lastRows(this.#draft, width, rows - 2);
    const line = clip(this.#line, width);
    const text = draft.map((row) => `${this.#paint.dim(row)}\n`).join("") + line;
    this.#streams.err(this.#overDrawn() + (draft.length > 0 ? unwrapped(text) : text));
    this.#rows = draft.length + 1;
  }

  #erase(): void {
    if (this.#rows > 0) this.#streams.err(this.#overDrawn());
    this.#rows = 0;
  }

  /** Leads back to where drawing began, with nothing behind it. */
  #overDrawn(): string {
    return this.#rows > 1 ? `\r\x1b[${this.#rows - 1}A\x1b[J` : "\r\x1b[2K";
  }
}

/** Text whose rows stay rows even where a terminal takes a character for wider than it is. */
export function unwrapped(text: string): string {
  return `\x1b[?7l${text}\x1b[?7h`;
}

/** The last rows of a text that is broken to fit a width, at blanks where there are some. */
export function lastRows(text: string, width: number, most: number): string[] {
  if (text.trim() === "") return [];
  const rows: string[] = [];
  let row = "";
  let used = 0;
  const end = () => {
    rows.push(row.trimEnd());
    [row, used] = ["", 0];
  };
  for (const paragraph of printable(text).trimEnd().split("\n")) {
    for (const [token] of paragraph.matchAll(/ +|[^ ]+/g)) {
      const size = textWidth(token);
      if (used + size > width) {
        if (row.trim() !== "") end();
        // What was set in has no room for that.
        else [row, used] = ["", 0];
        if (token.startsWith(" ")) continue;
      }
      if (size <= width) {
        row += token;
        used += size;
        continue;
      }
      for (const character of token) {
        const cells = characterWidth(character.codePointAt(0)!);
        if (used + cells > width) end();
        row += character;
        used += cells;
      }
    }
    end();
  }
  return rows.slice(-Math.max(1, most));
}

/** Progress as one line of text. */
export function progressText({ phase, done, total, detail }: Progress): string {
  const parts: string[] = [];
  if (phase !== "") parts.push(phase);
  if (done !== undefined) parts.push(total === undefined ? `${done}` : `${done} of ${total}`);
  if (detail) parts.push(detail);
  return parts.join(" ");
}

/** Signals that ask a process to end. */
type NodeSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/**
 * Time in which a signal that comes again is the same one: a terminal sends Ctrl-C to all of its processes, and `deno task`, which is one
 * of them, passes on what it gets to the program that it runs.
 */
const SAME_SIGNAL_MS = 400;

/** Turns Ctrl-C and a polite kill into an abort, so that work ends cleanly; a second one ends the process at once. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners: [NodeSignal, () => void][] = [];
  #cameAt = 0;
  /** Exit code of the signal that came: 128 plus its number, as shells have it. */
  exitCode: number | undefined;

  constructor() {
    const signals: [NodeSignal, number][] = [["SIGINT", 130]];
    if (Deno.build.os !== "windows") signals.push(["SIGTERM", 143], ["SIGHUP", 129]);
    for (const [signal, code] of signals) {
      const listener = () => {
        if (this.exitCode !== undefined) {
          if (performance.now() - this.#cameAt > SAME_SIGNAL_MS) Deno.exit(code);
          return;
        }
        this.#cameAt = performance.now();
        this.exitCode = code;
        this.#controller.abort(new DOMException("interrupted", "AbortError"));
      };
      // Libraries of models bring a listener that ends the process where it finds no other, and looks for others here alone.
      process.on(signal, listener);
      this.#listeners.push([signal, listener]);
    }
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
    this.#listeners.length = 0;
  }
}
