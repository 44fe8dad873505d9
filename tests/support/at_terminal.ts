/**
 * A task of `deno.json` at a terminal, as a person has it: keys in, a screen out.
 *
 * Owns the terminal, which script(1) of util-linux makes. What must hold: the process is gone when it is disposed of.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ROOT } from "../end_to_end/harness.ts";
import { Screen } from "./screen.ts";

/** Whether a terminal can be made here. */
export const CAN_TYPE = Deno.build.os === "linux" && (() => {
  try {
    return new Deno.Command("script", { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
})();

/** See the module text. It has 80 columns and 24 rows. */
export class AtTerminal implements AsyncDisposable {
  readonly screen = new Screen();
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;

  constructor(task: string, ...words: string[]) {
    const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
    const [, ...args] = (config.tasks[task].command as string).split(" ");
    const quoted = [Deno.execPath(), ...args, ...words].map((word) => `'${word}'`).join(" ");
    this.#child = new Deno.Command("script", {
      args: ["-qec", `stty cols 80 rows 24; ${quoted}`, "/dev/null"],
      cwd: ROOT,
      env: { NO_COLOR: "1", TERM: "xterm" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    const { stdout } = this.#child;
    this.#reading = (async () => {
      for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
        this.screen.write(text);
      }
    })();
  }

  async type(text: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(text));
  }

  async shows(text: string): Promise<void> {
    await until(() => this.screen.text.includes(text), () => this.screen.text);
  }

  async end(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#keys.close().catch(() => {});
    await this.#reading;
  }
}

/** Waits until something is so, for twenty seconds at most. */
export async function until(condition: () => boolean, why: () => string = () => ""): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    assert.ok(turn < 1_000, `waited in vain for ${condition}: ${why()}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
