/**
 * A kernel that serves the page of a repository, as a process of its own with the permissions of its task.
 *
 * What must hold: it is gone when it is disposed of.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ROOT } from "../end_to_end/harness.ts";

/** Time for the kernel to open its doors. */
const PATIENCE_MS = 30_000;

/** See the module text. */
export class ServedPage implements AsyncDisposable {
  /** Address that lets a browser in. */
  readonly url: string;
  /** Address without the key. */
  readonly base: string;
  /** The key. */
  readonly token: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    this.base = new URL(url).origin;
    this.token = new URL(url).searchParams.get("token")!;
  }

  /** Starts a kernel in a repository. */
  static async start(repository: string, ...words: string[]): Promise<ServedPage> {
    const config = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
    const [, ...args] = (config.tasks.serve.command as string).split(" ");
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args, "--json", "--quiet", "--repo", repository, ...words],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    try {
      let text = "";
      for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
        text += piece;
        if (text.includes("\n")) break;
      }
      assert.ok(text.includes("\n"), `serve ended before its doors were open: ${text}`);
      return new ServedPage(child, JSON.parse(text).page);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the kernel as Ctrl-C does. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
  }
}
