/**
 * `bench query`: how long a search takes, warm inside a process and as a process of its own.
 *
 * Two sizes: a repository of a thousand files and more than 100,000 chunks. What must hold: a first-time question and a
 * repeated one are told apart; before the first measured question the index has answered one other question, because
 * opening is measured by the new process; peers answer the same questions in the same run, the full-text peer over the very
 * same chunks.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTree } from "../ingest/mod.ts";
import { DEFAULT_EMBEDDER, openMemory } from "../rag/mod.ts";
import { runBatos } from "./batos.ts";
import { copyOf, CorpusCopy, type CorpusName, type Log } from "./corpora.ts";
import {
  CODEGRAPH_VERSION,
  codegraphIndex,
  codegraphQuery,
  installCodegraph,
} from "./peers/codegraph.ts";
import { chunksOf, PlainFts } from "./peers/plain_fts.ts";
import { ripgrepFiles, ripgrepVersion } from "./peers/ripgrep.ts";
import { median, quantile } from "./process.ts";
import { type Question, questionsFor } from "./query_set.ts";
import { shippedEmbedder } from "./retrieval.ts";

export const QUERY_SIZES = ["thousand", "large"] as const satisfies readonly CorpusName[];

export interface QueryBenchOptions {
  /** Folder to use instead of the pinned corpora. */
  readonly corpus?: string;
  /** Which of the sizes; both by default. */
  readonly parts?: readonly string[];
  readonly log: Log;
}

/** Phrases and symbols of each set. */
const SAMPLED = 100;
/** New processes are slow next to a query, so few are started. */
const PROCESSES = 10;

/** Times queries on the pinned corpora or on a folder. */
export async function benchQuery(options: QueryBenchOptions): Promise<object> {
  if (options.corpus !== undefined) {
    using sources = copyOf(options.corpus);
    return { [sources.name]: await timeCorpus(sources.folder, "mixed", false, options.log) };
  }
  const result: Record<string, object> = {};
  for (const size of QUERY_SIZES) {
    if (options.parts?.length && !options.parts.includes(size)) continue;
    using sources = await CorpusCopy.ofPinned(size, options.log);
    const small = size === "thousand";
    result[size] = await timeCorpus(
      sources.folder,
      small ? "viem" : "mixed",
      small,
      options.log,
    );
  }
  return result;
}

async function timeCorpus(
  folder: string,
  written: "viem" | "mixed",
  withCodegraph: boolean,
  log: Log,
): Promise<object> {
  log("indexing");
  {
    using memory = openMemory(folder);
    await memory.absorb(readTree(folder, memory.known()), { encoder: DEFAULT_EMBEDDER });
  }
  using memory = openMemory(folder, { readOnly: true });
  const { files, chunks } = memory.status();
  const questions = questionsFor(memory, written, SAMPLED);
  log(`${chunks} chunks, ${questions.length} questions`);

  // As the program does it: a question in words has a vector, made inside the measured time; a symbol has none.
  const embedder = shippedEmbedder();
  const search = async (text: string) =>
    memory.search(text, { vector: await memory.embedQuestion(embedder, text) });
  await search("warm up");
  const first = await timeEach(questions, search);
  const repeated = await timeEach(questions, search);
  const texts = questions.map((question) => question.text);
  const peers: Record<string, object> = {};

  log("plain FTS5 over the same chunks");
  const scratch = mkdtempSync(join(tmpdir(), "batos-bench-"));
  try {
    using plain = new PlainFts(join(scratch, "plain.db"));
    plain.add(chunksOf(memory));
    plain.search("warm up", 10);
    peers["plain FTS5 (bm25), warm"] = times(
      (await timeEach(questions, (text) => plain.search(text, 10))).map((one) => one.ms),
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }

  const sample = texts.filter((_, at) => at % Math.ceil(texts.length / PROCESSES) === 0);
  const ripgrep = ripgrepVersion();
  if (ripgrep) {
    const runs = await timeEach(sample.map(asQuestion), (text) => ripgrepFiles(folder, text, 10));
    peers[`ripgrep ${ripgrep}, a process`] = times(runs.map((one) => one.ms));
  } else log("ripgrep is not installed: left out");

  log("search as a new process");
  const processes: number[] = [];
  for (const text of sample) {
    processes.push((await runBatos("search", "--repo", folder, "--json", "--", text)).ms);
  }
  if (withCodegraph) {
    const command = await installCodegraph(log);
    log("codegraph query");
    await codegraphIndex(command, folder);
    const runs: number[] = [];
    for (const text of sample) runs.push((await codegraphQuery(command, folder, text)).ms);
    peers[`codegraph ${CODEGRAPH_VERSION} query, a process`] = times(runs);
  }
  return {
    files,
    chunks,
    questions: questions.length,
    runs: {
      "batos, warm, first time": times(first.map((one) => one.ms)),
      "batos, warm, repeated": times(repeated.map((one) => one.ms)),
      "batos search, a process": times(processes),
      ...peers,
    },
    first_time_by_kind: Object.fromEntries(
      (["sentence", "comment", "symbol"] as const).map((kind) => [
        kind,
        times(first.filter((one) => one.kind === kind).map((one) => one.ms)),
      ]),
    ),
  };
}

function asQuestion(text: string): Question {
  return { kind: "sentence", text };
}

async function timeEach(
  questions: readonly Question[],
  search: (text: string) => unknown,
): Promise<{ kind: Question["kind"]; ms: number }[]> {
  const timed: { kind: Question["kind"]; ms: number }[] = [];
  for (const { kind, text } of questions) {
    const started = performance.now();
    await search(text);
    timed.push({ kind, ms: performance.now() - started });
  }
  return timed;
}

function times(ms: readonly number[]): object {
  const round = (value: number) => Math.round(value * 100) / 100;
  return {
    queries: ms.length,
    p50_ms: round(median(ms)),
    p95_ms: round(quantile(ms, 0.95)),
    max_ms: round(Math.max(...ms)),
  };
}
