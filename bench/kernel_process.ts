/**
 * A kernel as a process of its own, as its task starts it, and what the operating system says of it.
 *
 * What must hold: it has the permissions of its task; it is ended, and its folder removed, whatever becomes of the benchmark.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readConnection } from "../kernel/connection_file.ts";
import { REPOSITORY } from "./batos.ts";

/** See the module text. To be disposed of, with its folder. */
export class KernelProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  port = 0;
  key = "";

  private constructor(readonly folder: string) {
    const { tasks } = JSON.parse(readFileSync(join(REPOSITORY, "deno.json"), "utf8"));
    const [, ...args] = (tasks.serve.command as string).split(" ");
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...args, "--repo", this.folder],
      cwd: REPOSITORY,
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** @param folder of a kernel that has ended; by default a new one, whose index is yet to be made */
  static async start(folder = newRepository()): Promise<KernelProcess> {
    const kernel = new KernelProcess(folder);
    for (let turn = 0; kernel.port === 0; turn++) {
      if (turn === 300) {
        await kernel[Symbol.asyncDispose]();
        throw new Error("start a kernel: it did not listen within 30 seconds");
      }
      await new Promise((done) => setTimeout(done, 100));
      const info = readConnection(join(kernel.folder, ".batos"));
      if (info !== undefined) [kernel.port, kernel.key] = [info.port, info.key];
    }
    return kernel;
  }

  /** What the operating system says of it. */
  state(): { ticks: number; megabytes: number; handles: number } {
    const proc = `/proc/${this.#child.pid}`;
    const stat = readFileSync(`${proc}/stat`, "utf8").split(") ")[1]!.split(" ");
    const status = readFileSync(`${proc}/status`, "utf8");
    return {
      ticks: Number(stat[11]) + Number(stat[12]),
      megabytes: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1_000),
      handles: readdirSync(`${proc}/fd`).length,
    };
  }

  /** Ends it, if it has not ended yet. */
  async stop(): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#child.status;
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A repository of one file. */
export function newRepository(): string {
  const folder = Deno.makeTempDirSync({ prefix: "batos_bench_kernel_" });
  mkdirSync(join(folder, ".git"));
  Deno.writeTextFileSync(join(folder, "a.ts"), "export function a(): void {}\n");
  return folder;
}
