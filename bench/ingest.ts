/**
 * `bench ingest`: what it costs to make an index and to keep it.
 *
 * Four parts. **cold**: a whole repository, by a new process, beside codegraph. **parse**: ingest of TypeScript beside
 * reading and parsing the same files, both inside a process of their own. **change**: a repository of 5,000 files in which
 * nothing or one file changed. **million**: time, peak memory and size of the index for a million lines. What must hold:
 * whatever is compared alternates in the same run; a cold run starts without an index; files are in the system's cache for
 * everyone, because a pass over them comes first.
 */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMemory } from "../rag/mod.ts";
import { indexBytes, lastJson, REPOSITORY, runBatos } from "./batos.ts";
import { copyOf, corpus, CorpusCopy, filesBelow, type Log, removeState } from "./corpora.ts";
import type { Pass } from "./ingest_child.ts";
import { CODEGRAPH_VERSION, codegraphIndex, installCodegraph } from "./peers/codegraph.ts";
import { median, runMeasured } from "./process.ts";

export const INGEST_PARTS = ["cold", "parse", "change", "million"] as const;

export interface IngestBenchOptions {
  /** Folder to use for `cold` instead of the pinned corpus; nothing else is run then. */
  readonly corpus?: string;
  readonly parts?: readonly string[];
  /** Repetitions; by default 3 for whole repositories, 5 where runs are short. */
  readonly rounds?: number;
  readonly log: Log;
}

/** What `ingest --json` ends with. */
interface Report {
  readonly files: number;
  readonly chunks: number;
  readonly skipped: number;
  readonly problems: readonly object[];
}

/** So many files has the repository in which something changes. */
const CHANGE_FILES = 5_000;

/** Runs the parts that are asked for, all by default. */
export async function benchIngest(options: IngestBenchOptions): Promise<object> {
  const parts = options.parts?.length ? options.parts : options.corpus ? ["cold"] : INGEST_PARTS;
  const wanted = (part: string) => parts.includes(part);
  const result: Record<string, object> = {};
  if (wanted("cold")) result.cold = await cold(options);
  if (wanted("parse")) result.parse = await parsing(options);
  if (wanted("change")) result.change = await change(options);
  if (wanted("million")) result.million = await million(options);
  return result;
}

/** Whole repositories by a new process, beside codegraph. */
async function cold({ corpus: given, rounds = 3, log }: IngestBenchOptions): Promise<object> {
  const command = await installCodegraph(log);
  using sources = given === undefined ? await CorpusCopy.ofPinned("thousand", log) : copyOf(given);
  const tree = countLines(sources.folder);
  const ours: { ms: number; cpu: number; peak: number; index: number }[] = [];
  const theirs: { ms: number; cpu: number; peak: number; largest: number; index: number }[] = [];
  let report: Report | undefined;
  for (let round = 0; round < rounds; round++) {
    log(`cold ingest of ${sources.name}, round ${round + 1} of ${rounds}`);
    removeState(sources.folder);
    const run = await runBatos("ingest", "--repo", sources.folder, "--json");
    report = lastJson<Report>(run.stdout);
    ours.push({
      ms: run.ms,
      cpu: run.cpuMs,
      peak: run.peakBytes,
      index: indexBytes(sources.folder),
    });
    // Each finds the tree without the state of the other.
    removeState(sources.folder);
    const peer = await codegraphIndex(command, sources.folder);
    theirs.push({
      ms: peer.ms,
      cpu: peer.cpuMs,
      peak: peer.peakBytes,
      largest: peer.largestBytes,
      index: peer.indexBytes,
    });
  }
  const batos = {
    seconds: seconds(median(ours.map((run) => run.ms))),
    cpu_seconds: seconds(median(ours.map((run) => run.cpu))),
    peak_mb: megabytes(median(ours.map((run) => run.peak))),
    index_mb: megabytes(median(ours.map((run) => run.index))),
  };
  const codegraph = {
    seconds: seconds(median(theirs.map((run) => run.ms))),
    cpu_seconds: seconds(median(theirs.map((run) => run.cpu))),
    // Its launcher and its worker processes share pages, so only the largest is held against it.
    peak_mb: megabytes(median(theirs.map((run) => run.largest))),
    index_mb: megabytes(median(theirs.map((run) => run.index))),
  };
  return {
    corpus: sources.name,
    packages: sources.packages,
    rounds,
    files_on_disk: tree.files,
    lines: tree.lines,
    source_mb: megabytes(tree.bytes),
    files: report!.files,
    chunks: report!.chunks,
    skipped: report!.skipped,
    problems: report!.problems.length,
    runs: {
      batos,
      [`codegraph ${CODEGRAPH_VERSION}`]: codegraph,
      ratio: {
        seconds: hundredths(batos.seconds / codegraph.seconds),
        cpu_seconds: hundredths(batos.cpu_seconds / codegraph.cpu_seconds),
        peak_mb: hundredths(batos.peak_mb / codegraph.peak_mb),
        index_mb: hundredths(batos.index_mb / codegraph.index_mb),
      },
    },
    codegraph_all_processes_mb: megabytes(median(theirs.map((run) => run.peak))),
  };
}

/** Ingest of TypeScript beside reading and parsing the same files. */
async function parsing({ rounds = 5, log }: IngestBenchOptions): Promise<object> {
  const results: Record<string, object> = {};
  for (const name of ["thousand", "typescript"] as const) {
    using sources = await CorpusCopy.ofPinned(name, log);
    const list = join(mkdtempSync(join(tmpdir(), "batos-bench-")), "paths.txt");
    const child = async (...args: string[]) => {
      const script = join(REPOSITORY, "bench", "ingest_child.ts");
      const run = await runMeasured([Deno.execPath(), "run", "-A", script, ...args]);
      return { ...lastJson<Pass>(run.stdout), peak: run.peakBytes };
    };
    await child("ingest", sources.folder);
    {
      using memory = openMemory(sources.folder, { readOnly: true });
      writeFileSync(list, memory.paths().join("\n"));
    }
    const ingest: Pass[] = [];
    const parse: Pass[] = [];
    for (let round = 0; round < rounds; round++) {
      log(`ingest and parse of ${name}, round ${round + 1} of ${rounds}`);
      removeState(sources.folder);
      ingest.push(await child("ingest", sources.folder));
      parse.push(await child("parse", sources.folder, list));
    }
    const figures = (passes: readonly Pass[]) => ({
      ms: Math.round(median(passes.map((pass) => pass.ms))),
      cpu_ms: Math.round(median(passes.map((pass) => pass.cpu_ms))),
      ms_with_loading_typescript: Math.round(median(passes.map((p) => p.ms + p.load_ms))),
    });
    const ours = figures(ingest);
    const baseline = figures(parse);
    results[name] = {
      files: parse[0]!.files,
      source_mb: megabytes(parse[0]!.characters),
      ingest_ms: ours.ms,
      create_source_file_ms: baseline.ms,
      ratio: hundredths(ours.ms / baseline.ms),
      ratio_of_processor_time: hundredths(ours.cpu_ms / baseline.cpu_ms),
      ratio_with_loading_typescript: hundredths(
        ours.ms_with_loading_typescript / baseline.ms_with_loading_typescript,
      ),
    };
    rmSync(join(list, ".."), { recursive: true });
  }
  return { rounds, ...results };
}

/** An index that exists: nothing changed, one file changed. */
async function change({ rounds = 5, log }: IngestBenchOptions): Promise<object> {
  const sources = await corpus("files", log);
  const folder = mkdtempSync(join(tmpdir(), "batos-bench-"));
  try {
    const paths = filesBelow(sources.folder).slice(0, CHANGE_FILES);
    for (const path of paths) cpSync(join(sources.folder, path), join(folder, path));
    // A change within the resolution of a file system's clock cannot be told from none, so all files are hashed again then.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    log(`first ingest of ${paths.length} files`);
    await runBatos("ingest", "--repo", folder, "--json");
    const bySize = paths.map((path) => ({ path, size: Deno.statSync(join(folder, path)).size }))
      .sort((a, b) => a.size - b.size);
    const middle = bySize[bySize.length >> 1]!;
    const nothing: number[] = [];
    const one: number[] = [];
    for (let round = 0; round < rounds; round++) {
      log(`nothing changed, one file changed, round ${round + 1} of ${rounds}`);
      nothing.push((await runBatos("ingest", "--repo", folder, "--json")).ms);
      appendFileSync(join(folder, middle.path), `\nexport const changed${round} = ${round};\n`);
      one.push((await runBatos("ingest", "--repo", folder, "--json")).ms);
      // Let the changed file come to rest before the next look.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await runBatos("ingest", "--repo", folder, "--json");
    }
    return {
      files: paths.length,
      rounds,
      changed_file_bytes: middle.size,
      nothing_changed_seconds: seconds(median(nothing)),
      one_changed_seconds: seconds(median(one)),
      one_changed_more_seconds: seconds(median(one) - median(nothing)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A million lines. */
async function million({ rounds = 1, log }: IngestBenchOptions): Promise<object> {
  using sources = await CorpusCopy.ofPinned("million", log);
  const tree = countLines(sources.folder);
  const runs: { ms: number; peak: number; index: number; report: Report }[] = [];
  for (let round = 0; round < rounds; round++) {
    log(`a million lines, round ${round + 1} of ${rounds}`);
    removeState(sources.folder);
    const run = await runBatos("ingest", "--repo", sources.folder, "--json");
    runs.push({
      ms: run.ms,
      peak: run.peakBytes,
      index: indexBytes(sources.folder),
      report: lastJson<Report>(run.stdout),
    });
  }
  const status = lastJson<{ source_bytes: number }>(
    (await runBatos("status", "--repo", sources.folder, "--json")).stdout,
  );
  const index = median(runs.map((run) => run.index));
  const { files, chunks, problems } = runs[0]!.report;
  return {
    packages: sources.packages,
    rounds,
    lines: tree.lines,
    files,
    chunks,
    problems: problems.length,
    seconds: seconds(median(runs.map((run) => run.ms))),
    peak_mb: megabytes(median(runs.map((run) => run.peak))),
    source_mb: megabytes(status.source_bytes),
    index_mb: megabytes(index),
    index_to_source: hundredths(index / status.source_bytes),
  };
}

/** Files, lines and bytes of a tree; reading them also brings them into the system's cache. */
export function countLines(folder: string): { files: number; lines: number; bytes: number } {
  let lines = 0;
  let bytes = 0;
  const paths = filesBelow(folder).filter((path) => !path.startsWith(".batos/"));
  for (const path of paths) {
    const data = readFileSync(join(folder, path));
    bytes += data.length;
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) lines++;
  }
  return { files: paths.length, lines, bytes };
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
