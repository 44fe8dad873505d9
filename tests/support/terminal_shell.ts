/**
 * A shell at a terminal of its own, in which one command line after another is run, as a person does.
 *
 * Owns the terminal, which script(1) of util-linux makes. What must hold: the shell is gone when it is disposed of.
 */
import { join } from "node:path";
import { ROOT } from "../end_to_end/harness.ts";

/** How long a command line may take. */
const PATIENCE_MS = 60_000;

/** See the module text. */
export class TerminalShell implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #text: ReadableStreamDefaultReader<string>;
  #lines = 0;

  constructor() {
    this.#child = new Deno.Command("script", {
      // What is typed is not to be taken for what is written.
      args: ["-qec", "stty -echo cols 200; PS1= exec sh", "/dev/null"],
      cwd: ROOT,
      env: { NO_COLOR: "1", TERM: "xterm", PS1: "" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#text = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Runs a task of `deno.json`; gives what it wrote, to either stream. */
  async run(task: string, ...words: readonly string[]): Promise<string> {
    const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
    const [, ...args] = (config.tasks[task].command as string).split(" ");
    const line = [Deno.execPath(), ...args, ...words]
      .map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const end = `END OF LINE ${++this.#lines}.`;
    // In two pieces, so that a line which is shown while it is typed does not hold it.
    await this.#keys.write(
      new TextEncoder().encode(`${line}; echo "END OF"" LINE ${this.#lines}."\n`),
    );
    const late = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
    let written = "";
    while (!written.includes(end)) {
      const { value, done } = await this.#text.read();
      if (done) throw new Error(`the terminal has ended: ${written}`);
      written += value;
    }
    clearTimeout(late);
    return written.slice(0, written.indexOf(end));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keys.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#text.cancel();
    await this.#child.status;
  }
}
