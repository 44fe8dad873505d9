/**
 * The console: a conversation with a running kernel at a terminal.
 *
 * Owns the terminal while it runs. What must hold:
 * - what is typed survives what is printed: messages appear above the prompt;
 * - Ctrl-C cancels what runs, or the line; only twice on an empty line does it leave;
 * - a kernel that goes is waited for, and both are said.
 *
 * Where input is no terminal, lines are done one after the other, without a prompt.
 */
import process from "node:process";
import readline from "node:readline";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { CommandError, type Progress } from "../../commands.ts";
import { runCommandLine } from "../cli.ts";
import { formatAddress, readRemoteKernel } from "../../remote_connection.ts";
import { briefOf, DisconnectedError, KernelClient } from "../kernel_client.ts";
import { oneLine } from "../one_line.ts";
import {
  clip,
  colours,
  COLUMNS,
  lastRows,
  printable,
  processStreams,
  progressText,
  type Streams,
  textWidth,
  unwrapped,
} from "../terminal.ts";
import { NotAdmittedError } from "../zmtp/dealer.ts";
import { remoteHandlers } from "./remote_handlers.ts";
import { complete, understand } from "./words.ts";

/** Lines of history that are kept. */
const HISTORY = 1_000;

/** Time within which a second Ctrl-C leaves. */
const TWICE_MS = 2_000;

/** How often the progress in the prompt is drawn again. */
const REDRAW_MS = 150;

/** Columns that progress may take of the prompt: there must be room to type. */
const STATUS_COLUMNS = 34;

/** Height where the terminal does not tell, and what of it stays free of an answer that is being written: the prompt, a long line in it. */
const ROWS = 24;
const ROWS_BELOW = 6;

/** What runs says of itself: its state in few words, and its answer as far as it is written. */
interface Said {
  status: string;
  draft: string;
}

/** What a console needs. */
export interface ConsoleOptions {
  /** The workspace whose kernel is meant, or the files of a client of a kernel elsewhere (see `readRemoteKernel`). */
  readonly place: { readonly root: string; readonly folder: string } | {
    readonly connection: string;
    readonly key?: string | undefined;
  };
  readonly version: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Runs until the person leaves, or input ends.
 * @returns how many lines of a script failed
 * @throws {CommandError} when no kernel is running, it does not admit this client, or a file cannot be used
 */
export async function runConsole(options: ConsoleOptions): Promise<number> {
  const desk = new Console(options);
  return await desk.run();
}

class Console {
  readonly #options: ConsoleOptions;
  readonly #streams = processStreams();
  readonly #isTerminal = process.stdin.isTTY === true && this.#streams.outIsTerminal;
  readonly #paint = colours(this.#streams.outIsTerminal, this.#streams.env);
  readonly #client: KernelClient;
  /** Whose kernel it is, for people. */
  readonly #where: string;
  /** Where what was typed is kept. */
  readonly #historyPath: string;
  readonly #leaving = new AbortController();
  /** What runs now, each with what it last said of itself. */
  readonly #running = new Map<AbortController, Said>();
  #input: readline.Interface | undefined;
  #isLeft = false;
  #interruptedAt = -Infinity;
  #drawnAt = 0;
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #hasPrompt = false;
  /** Rows of an answer that is being written, above the prompt. */
  #draftRows = 0;
  #failed = 0;
  #conversation = newConversation();

  constructor(options: ConsoleOptions) {
    this.#options = options;
    const { place } = options;
    const onLost = () => void this.#reconnect();
    if ("folder" in place) {
      this.#client = new KernelClient({ folder: place.folder, onLost });
      this.#where = place.root;
      this.#historyPath = join(place.folder, "console_history");
    } else {
      const remote = readRemoteKernel(place.connection, place.key);
      this.#client = new KernelClient({ remote, onLost });
      this.#where = formatAddress(remote);
      this.#historyPath = `${place.connection}.history`;
    }
  }

  async run(): Promise<number> {
    const { signal } = this.#options;
    try {
      const { version } = await this.#client.connect();
      this.#greet(version);
    } catch (error) {
      if (error instanceof NotAdmittedError) {
        throw new CommandError(`${error.message}; ask for a file of "batos key allow"`, {
          cause: error,
        });
      }
      if (!(error instanceof DisconnectedError)) throw error;
      throw new CommandError(`"${this.#where}": ${this.#whyNot(error)}`, { cause: error });
    }
    const history = this.#readHistory();
    const input = this.#input = readline.createInterface({
      input: process.stdin,
      output: this.#isTerminal ? process.stdout : undefined,
      terminal: this.#isTerminal,
      history,
      historySize: HISTORY,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, found: [string[], string]) => void) =>
        void this.#complete(line).then((found) => done(null, found)),
    });
    const leave = () => this.#leave();
    signal.addEventListener("abort", leave);
    input.on("SIGINT", () => this.#interrupt());
    const closed = new Promise<void>((done) => input.once("close", done));
    if (this.#isTerminal) {
      input.on("line", (line) => this.#take(line));
      this.#draw();
      await closed;
    } else {
      for await (const line of input) {
        await this.#do(line);
        // Of what was read, readline gives out more lines even when it was closed.
        if (this.#isLeft) break;
      }
    }
    signal.removeEventListener("abort", leave);
    clearTimeout(this.#drawing);
    this.#leaving.abort(new DOMException("the console was left", "AbortError"));
    // The end of input is an end too.
    for (const controller of this.#running.keys()) controller.abort();
    if (this.#isTerminal) process.stdout.write("\n");
    await this.#client[Symbol.asyncDispose]();
    return this.#failed;
  }

  #whyNot({ message, cause }: DisconnectedError): string {
    if ("folder" in this.#options.place) return message;
    if (cause instanceof Deno.errors.NotCapable) {
      return 'this task may connect to 127.0.0.1 alone; run "deno task console-remote"';
    }
    // Without a word: the other end could not read the first message.
    return /closed during the handshake/.test(message)
      ? `${message}; its key may be another than that in the file`
      : message;
  }

  #greet(version: string): void {
    if (!this.#isTerminal) return;
    const { bold, dim } = this.#paint;
    process.stdout.write(
      `${bold("batos")} ${version}, ${clip(printable(this.#where), COLUMNS - 16)}\n` +
        dim(
          "Ask a question, or give a command; help lists them, Ctrl-D leaves.\n" +
            "A question goes on with the ones before; new begins another conversation.\n",
        ),
    );
  }

  #take(line: string): void {
    this.#leaveLine(line);
    if (line.trim() === "") return this.#draw();
    this.#remember(line);
    void this.#do(line).then(() => this.#draw());
    this.#draw();
  }

  /** A line was ended: it stays where it is, and an answer that was being written above it goes on below. */
  #leaveLine(line: string): void {
    this.#hasPrompt = false;
    if (this.#draftRows === 0) return;
    const prompt = this.#input!.getPrompt();
    const wide = textWidth(stripVTControlCharacters(prompt) + line);
    const rows = 1 + Math.floor(wide / this.#streams.columns);
    readline.moveCursor(process.stdout, 0, -rows - this.#draftRows);
    this.#draftRows = 0;
    readline.clearScreenDown(process.stdout);
    process.stdout.write(`${prompt}${line}\n`);
  }

  /** Ends the conversation, and what runs. */
  #leave(): void {
    this.#isLeft = true;
    for (const controller of this.#running.keys()) controller.abort();
    this.#input?.close();
  }

  /** Does one line. */
  async #do(line: string): Promise<void> {
    if (line.trim() === "") return;
    if (/^\s*(exit|quit)\s*$/.test(line)) return this.#leave();
    if (/^\s*new\s*$/.test(line)) {
      this.#conversation = newConversation();
      return this.#say(this.#paint.dim("the next question begins another conversation"));
    }
    const controller = new AbortController();
    this.#running.set(controller, { status: "", draft: "" });
    const handlers = remoteHandlers(
      this.#client,
      this.#conversation,
      (progress) => this.#progress(controller, progress),
    );
    const code = await runCommandLine(understand(line), handlers, {
      version: this.#options.version,
      streams: this.#isTerminal ? this.#streamsAbovePrompt(controller) : this.#streams,
      signal: controller.signal,
    });
    this.#running.delete(controller);
    // A person has seen it; only a script needs to be told again.
    if (code > 1 && !this.#isTerminal) this.#failed++;
  }

  /** Progress stands in the prompt, the text of an answer above it. */
  #progress(controller: AbortController, progress: Progress): void {
    const said = this.#running.get(controller);
    if (said === undefined) return;
    said.status = printable(progressText(progress)).replaceAll("\n", " ");
    if (progress.text !== undefined) {
      said.draft = (progress.restart ? "" : said.draft) + progress.text;
    }
    const wait = Math.max(0, this.#drawnAt + REDRAW_MS - performance.now());
    // What is there at once, and in the result a moment later, need not flicker by.
    if (this.#isTerminal) {
      this.#drawing ??= setTimeout(() => this.#draw(), said.draft === "" ? wait : REDRAW_MS);
    }
  }

  /** Ctrl-C. */
  #interrupt(): void {
    const input = this.#input!;
    const now = performance.now();
    if (this.#running.size > 0) {
      for (const controller of this.#running.keys()) controller.abort();
    } else if (input.line !== "") {
      // To its end, then away with all before it.
      input.write(null, { ctrl: true, name: "e" });
      input.write(null, { ctrl: true, name: "u" });
    } else if (now - this.#interruptedAt < TWICE_MS) {
      return this.#leave();
    } else {
      this.#print(this.#paint.dim("Ctrl-C again leaves"));
      this.#interruptedAt = now;
    }
  }

  async #reconnect(): Promise<void> {
    if (this.#leaving.signal.aborted) return;
    const { dim, yellow } = this.#paint;
    this.#say(yellow("the kernel has gone; waiting for it to come back"));
    try {
      const { version, pid } = await this.#client.reconnect(this.#leaving.signal);
      const process = pid === undefined ? "" : `, process ${pid}`;
      this.#say(dim(`connected again, to version ${version}${process}`));
    } catch (error) {
      if (this.#leaving.signal.aborted) return;
      this.#say(yellow(`${oneLine(error)}; leaving`));
      this.#failed++;
      this.#leave();
    }
  }

  /** Streams whose text appears above the prompt, in place of what was shown while it was written. */
  #streamsAbovePrompt(controller: AbortController): Streams {
    return {
      ...this.#streams,
      out: (text) => {
        this.#running.get(controller)!.draft = "";
        this.#print(text);
        return Promise.resolve();
      },
      err: (text) => this.#print(text),
      // Its progress is in the prompt, so that no line is to be rewritten.
      errIsTerminal: false,
    };
  }

  /** Tells something that belongs to no line. */
  #say(text: string): void {
    if (this.#isTerminal) this.#print(text);
    else this.#streams.err(`${text}\n`);
  }

  /** Puts text where the prompt stands, and the prompt below it. */
  #print(text: string): void {
    this.#clearPrompt();
    process.stdout.write(text === "" || text.endsWith("\n") ? text : `${text}\n`);
    this.#draw();
  }

  #clearPrompt(): void {
    const rows = this.#hasPrompt ? this.#input?.getCursorPos().rows ?? 0 : 0;
    readline.moveCursor(process.stdout, 0, -rows - this.#draftRows);
    this.#draftRows = 0;
    this.#hasPrompt = false;
    // So many rows readline goes up before it draws, and knows nothing of what was drawn meanwhile.
    if (this.#input !== undefined) Object.assign(this.#input, { prevRows: 0 });
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    if (this.#leaving.signal.aborted) return;
    this.#drawnAt = performance.now();
    const { cyan, dim } = this.#paint;
    this.#drawDraft();
    const said = [...this.#running.values()].map(({ status }) => status);
    const status = said.length === 0
      ? ""
      : `[${clip(said.findLast((text) => text !== "") ?? "running", STATUS_COLUMNS)}${
        said.length > 1 ? ` +${said.length - 1}` : ""
      }] `;
    this.#input?.setPrompt(`${dim(status)}${cyan("batos>")} `);
    this.#input?.prompt(true);
    this.#hasPrompt = true;
  }

  /** The end of the answer that is being written, of several that of the one asked for last. */
  #drawDraft(): void {
    const { draft } = [...this.#running.values()].findLast(({ draft }) => draft !== "") ??
      { draft: "" };
    if (draft === "" && this.#draftRows === 0) return;
    const { dim } = this.#paint;
    const { columns, rows = ROWS } = this.#streams;
    const shown = lastRows(draft, Math.min(columns, COLUMNS) - 1, rows - ROWS_BELOW);
    this.#clearPrompt();
    process.stdout.write(unwrapped(shown.map((row) => `${dim(row)}\n`).join("")));
    this.#draftRows = shown.length;
  }

  async #complete(line: string): Promise<[string[], string]> {
    const objects = async (begun: string) => {
      const { result } = await this.#client.call(
        "image_ls",
        briefOf("image_ls", [], { pattern: `${begun}*` }),
      );
      const { objects } = result as { objects: readonly { name: string }[] };
      return objects.map(({ name }) => name).filter((name) => /^\S+$/.test(name));
    };
    const selectors = async (object: string) => {
      const { result } = await this.#client.call(
        "image_get",
        briefOf("image_get", [], { object, inherited: true }),
      );
      return (result as { slots: readonly { name: string }[] }).slots.map(({ name }) => name);
    };
    try {
      return await complete(line, { root: this.#root, objects, selectors });
    } catch {
      return [[], ""]; // No kernel, no image, no such object: nothing to suggest.
    }
  }

  /** Where paths are completed; nowhere for a workspace that is elsewhere. */
  get #root(): string | undefined {
    return "folder" in this.#options.place ? this.#options.place.root : undefined;
  }

  /** Newest first, as readline wants it. */
  #readHistory(): string[] {
    try {
      if (!this.#isTerminal || !existsSync(this.#historyPath)) return [];
      return Deno.readTextFileSync(this.#historyPath).split("\n").filter((line) => line !== "")
        .reverse().slice(0, HISTORY);
    } catch {
      return [];
    }
  }

  #remember(line: string): void {
    try {
      const lines = [...this.#readHistory().reverse(), line].slice(-HISTORY);
      Deno.writeTextFileSync(this.#historyPath, lines.join("\n") + "\n", { mode: 0o600 });
    } catch {
      // A folder that cannot be written costs the history alone.
    }
  }
}

/** Name of a conversation that nobody else has. */
function newConversation(): string {
  return `console ${crypto.randomUUID()}`;
}
