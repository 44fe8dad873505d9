/**
 * One measured pass inside a fresh process, for `ingest.ts`.
 *
 * `ingest FOLDER` builds the index of a folder from nothing; `parse FOLDER LIST` reads the files that LIST names, one a line,
 * and gives each to `ts.createSourceFile`. Both load TypeScript first and tell its time apart. Prints one line of JSON.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { readTree } from "../ingest/mod.ts";
import { DEFAULT_EMBEDDER, openMemory } from "../rag/mod.ts";

/** What a pass prints. */
export interface Pass {
  /** From the first read to the last result, without loading TypeScript. */
  readonly ms: number;
  /** Processor time of the same stretch, over all threads. */
  readonly cpu_ms: number;
  /** Loading TypeScript. */
  readonly load_ms: number;
  readonly files: number;
  readonly characters: number;
}

const [mode, folder, list] = Deno.args;
const loading = performance.now();
const { ts } = await import("ts-morph");
const started = performance.now();
const cpuBefore = process.cpuUsage();
let files = 0;
let characters = 0;
if (mode === "ingest") {
  using memory = openMemory(folder!);
  const report = await memory.absorb(readTree(folder!, memory.known()), {
    encoder: DEFAULT_EMBEDDER,
  });
  files = report.files;
  characters = memory.status().sourceBytes;
} else {
  for (const path of readFileSync(list!, "utf8").split("\n").filter(Boolean)) {
    const text = readFileSync(join(folder!, path), "utf8");
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
    characters += source.text.length;
    files++;
  }
}
const ms = performance.now() - started;
const cpu = process.cpuUsage(cpuBefore);
const pass: Pass = {
  ms,
  cpu_ms: (cpu.user + cpu.system) / 1000,
  load_ms: started - loading,
  files,
  characters,
};
console.log(JSON.stringify(pass));
