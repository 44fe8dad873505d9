/**
 * Runs a program as a user would start it, and measures it from outside: wall time and peak resident memory.
 *
 * What must hold: memory is that of the program and of every process below it. On Linux it is read from `/proc` (the peak of a
 * single process is the kernel's own high-water mark, so a short peak is not missed); elsewhere `ps` is sampled.
 */
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import process from "node:process";

/** What a run cost and said. */
export interface Measured {
  readonly ms: number;
  /** Processor time of all its processes, in milliseconds, at a resolution of 10; NaN where there is no `/proc`. */
  readonly cpuMs: number;
  /** Highest sum of the resident memory of all its processes at one moment, in bytes. */
  readonly peakBytes: number;
  /** Highest resident memory of the largest of its processes, in bytes. */
  readonly largestBytes: number;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Memory is sampled so often: a whole ingest takes seconds, a search 0.1 s. */
const SAMPLE_MS = 10;

/**
 * Runs a command to its end.
 * @param command program and arguments.
 * @param options.check throw unless the exit code is 0; true by default.
 * @throws {Error} when the command fails; the message has its last line of stderr.
 */
export async function runMeasured(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; check?: boolean } = {},
): Promise<Measured> {
  const started = performance.now();
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd: options.cwd,
    env: options.env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const memory = new MemorySampler(child.pid);
  const timer = setInterval(() => memory.sample(), SAMPLE_MS);
  const output = await child.output().finally(() => clearInterval(timer));
  const ms = performance.now() - started;
  const decoder = new TextDecoder();
  const stderr = decoder.decode(output.stderr);
  if (output.code !== 0 && options.check !== false) {
    throw new Error(
      `cannot measure "${command.join(" ")}": it ended with exit code ${output.code}: ${
        stderr.trim().split("\n").at(-1)
      }`,
    );
  }
  return {
    ms,
    cpuMs: memory.cpuMs(),
    peakBytes: memory.peak,
    largestBytes: memory.largest,
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr,
  };
}

/** Follows a process and its descendants while they live. */
class MemorySampler {
  peak = 0;
  largest = 0;
  readonly #root: number;
  /** Processor ticks of each process, as last seen. */
  readonly #ticks = new Map<number, number>();

  constructor(root: number) {
    this.#root = root;
  }

  /** A tick is 10 ms on every Linux (USER_HZ). */
  cpuMs(): number {
    if (this.#ticks.size === 0) return NaN;
    let sum = 0;
    for (const ticks of this.#ticks.values()) sum += ticks;
    return sum * 10;
  }

  sample(): void {
    const sizes = process.platform === "linux" ? this.#fromProc() : this.#fromPs();
    let sum = 0;
    for (const { now, high } of sizes) {
      sum += now;
      this.largest = Math.max(this.largest, high);
    }
    this.peak = Math.max(this.peak, sum, this.largest);
  }

  #fromProc(): { now: number; high: number }[] {
    const sizes: { now: number; high: number }[] = [];
    const pending = [this.#root];
    for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
      try {
        const status = readFileSync(`/proc/${pid}/status`, "latin1");
        sizes.push({ now: kilobytes(status, "VmRSS:"), high: kilobytes(status, "VmHWM:") });
        this.#ticks.set(pid, ticks(readFileSync(`/proc/${pid}/stat`, "latin1")));
        const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
        if (children) pending.push(...children.split(" ").map(Number));
      } catch {
        // It ended between two looks: what it used before has been seen.
      }
    }
    return sizes;
  }

  #fromPs(): { now: number; high: number }[] {
    const { stdout } = new Deno.Command("ps", { args: ["-axo", "pid=,ppid=,rss="] }).outputSync();
    const rows = new TextDecoder().decode(stdout).trim().split("\n").map((line) =>
      line.trim().split(/\s+/).map(Number) as [number, number, number]
    );
    const below = new Set([this.#root]);
    for (let size = 0; size !== below.size;) {
      size = below.size;
      for (const [pid, parent] of rows) if (below.has(parent)) below.add(pid);
    }
    return rows.filter(([pid]) => below.has(pid)).map(([, , rss]) => ({
      now: rss * 1024,
      high: rss * 1024,
    }));
  }
}

function kilobytes(status: string, field: string): number {
  const at = status.indexOf(field);
  return at < 0 ? 0 : parseInt(status.slice(at + field.length), 10) * 1024;
}

/** User and system time of a process from `/proc/PID/stat`: the 14th and 15th field, counted behind the name. */
function ticks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Middle value; the mean of the two in the middle when their number is even. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Value below which a share of the values lies, interpolated between neighbours; NaN of no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The machine and the state of the code that figures were measured with. */
export interface Environment {
  readonly date: string;
  readonly commit: string | null;
  /** True when files differed from the commit. */
  readonly modified: boolean;
  readonly deno: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gb: number;
}

/** Describes this machine and the commit that is checked out in `repository`. */
export function environment(repository: string): Environment {
  const git = (...args: string[]) => {
    try {
      const run = new Deno.Command("git", { args: ["-C", repository, ...args], stderr: "null" })
        .outputSync();
      return run.success ? new TextDecoder().decode(run.stdout).trim() : null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  };
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: git("rev-parse", "--verify", "HEAD"),
    modified: git("status", "--porcelain", "--", ".", ":!bench/results") !== "",
    deno: Deno.version.deno,
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
  };
}
