/**
 * Runs this repository's own program as a user does: `deno run -A main.ts …`, each time a new process.
 */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Measured, runMeasured } from "./process.ts";

/** Root of this repository. */
export const REPOSITORY = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Runs a command of batos and measures it. */
export function runBatos(...args: readonly string[]): Promise<Measured> {
  return runMeasured([Deno.execPath(), "run", "-A", join(REPOSITORY, "main.ts"), ...args]);
}

/** The last line of output that is JSON: what a command with `--json` ends with. */
export function lastJson<T>(output: string): T {
  const line = output.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as T;
  } catch {
    throw new Error(`cannot read the result of batos: "${line.slice(0, 80)}" is not JSON`);
  }
}

/** Bytes of the index of a workspace, its write-ahead log included. */
export function indexBytes(folder: string): number {
  return ["image.db", "image.db-wal"].map((name) => join(folder, ".batos", name))
    .reduce((sum, path) => sum + (existsSync(path) ? statSync(path).size : 0), 0);
}
