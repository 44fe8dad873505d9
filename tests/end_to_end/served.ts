/**
 * A kernel of a repository as users run it: a process with the permissions of its task.
 */
import { join } from "node:path";
import { until } from "../support/at_terminal.ts";
import { type Outcome, outcome, type Repository, ROOT } from "./harness.ts";

const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));

/** The words of a task behind `deno`. */
export function argsOf(name: string): string[] {
  return (config.tasks[name].command as string).split(" ").slice(1);
}

/** A task, by the program that runs now. */
export function task(name: string, ...words: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [...argsOf(name), ...words],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** A kernel that serves a repository as a process of its own. */
export class Served implements AsyncDisposable {
  readonly repository: Repository;
  readonly #child: Deno.ChildProcess;
  readonly #out: Promise<void>;
  readonly #err: Promise<void>;
  out = "";
  err = "";

  private constructor(name: string, repository: Repository, words: readonly string[]) {
    this.repository = repository;
    this.#child = task(name, "--repo", repository.path, ...words).spawn();
    this.#out = this.#read(this.#child.stdout, (text) => this.out += text);
    this.#err = this.#read(this.#child.stderr, (text) => this.err += text);
  }

  static async start(
    repository: Repository,
    words: readonly string[] = [],
    task = "serve",
  ): Promise<Served> {
    const served = new Served(task, repository, words);
    await until(() => served.out.includes("Ctrl-C ends it"), () => served.err);
    return served;
  }

  get connection() {
    return JSON.parse(Deno.readTextFileSync(this.repository.at(".batos/connection.json")));
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.signal(signal);
    const { code } = await this.#child.status;
    await Promise.all([this.#out, this.#err]);
    return code;
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
  }

  async [Symbol.asyncDispose]() {
    try {
      await this.stop("SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

/** Runs a command with the permissions of its task. */
export async function plain(
  name: string,
  repository: Repository,
  ...words: string[]
): Promise<Outcome> {
  return outcome(await task(name, ...words, "--repo", repository.path).output());
}
