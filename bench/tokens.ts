/**
 * `bench tokens`: how much of what a question needs fits into the tokens that are read for it, and how well tokens are
 * estimated.
 *
 * **read**: share of the relevant files among the first tokens of a result list, counted exactly (o200k_base) over the texts
 * in the order of their rank; beside a plain full-text index over the same chunks, and beside ripgrep and reading files
 * whole. A chunk or file counts when it fits; for ripgrep, whose files rarely fit, the one that the budget cuts counts too.
 * **estimate**: tokens as chunks are measured (no vocabulary needed) against the exact number, by language.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTokens, listTree } from "../ingest/mod.ts";
import { corpus, type Log } from "./corpora.ts";
import { fileRecallWithin, type Found, mean, type Relevant } from "./metrics.ts";
import { chunksOf, PlainFts } from "./peers/plain_fts.ts";
import { ripgrepFiles, ripgrepVersion } from "./peers/ripgrep.ts";
import { quantile } from "./process.ts";
import {
  type Annotations,
  dispose,
  prepare,
  type Prepared,
  readAnnotations,
  shippedEmbedder,
} from "./retrieval.ts";

/** Budgets that are looked at; the one in the middle is what an agent reads before it asks again. */
export const BUDGETS = [500, 1_000, 2_000, 4_000, 8_000] as const;

export interface TokensBenchOptions {
  /** Folder of annotation files. */
  readonly annotations: string;
  /** Folder of checkouts, one a repository. */
  readonly checkouts: string;
  readonly log: Log;
}

// Computed, so that nobody fetches its thirty megabytes but who runs this.
const O200K = "gpt-tokenizer/encoding/o200k_base";
const { countTokens: countExact } = await import(O200K) as {
  countTokens(text: string, options: { disallowedSpecial: ReadonlySet<string> }): number;
};

/** So many results are asked for: enough to fill the largest budget. */
const RESULTS = 60;

/** Tokens of a text by the vocabulary; text that looks like a control token is counted as text. */
export function exactTokens(text: string): number {
  return countExact(text, { disallowedSpecial: new Set() });
}

/** Both parts. */
export async function benchTokens(options: TokensBenchOptions): Promise<object> {
  const { log } = options;
  const sets = readAnnotations(options.annotations).map((annotations) => ({
    annotations,
    checkout: join(options.checkouts, annotations.repo),
  }));
  return { read: await reading(sets, log), estimate: await estimating(sets, log) };
}

/** One relevance curve: the share within each budget. */
type Curve = Record<string, number>;

interface AnnotatedSet {
  readonly annotations: Annotations;
  readonly checkout: string;
}

async function reading(sets: readonly AnnotatedSet[], log: Log): Promise<object> {
  const curves: Record<string, Curve[]> = {};
  const by: Record<string, Record<string, number>> = {};
  const withRipgrep = ripgrepVersion() !== undefined;
  if (!withRipgrep) log("ripgrep is not installed: left out");
  let queries = 0;
  for (const { annotations, checkout } of sets) {
    log(`reading within budgets: ${annotations.repo}`);
    const prepared = await prepare(annotations, checkout);
    const scratch = mkdtempSync(join(tmpdir(), "batos-bench-"));
    try {
      using plain = new PlainFts(join(scratch, "plain.db"));
      plain.add(chunksOf(prepared.memory));
      const whole = new Map<string, number>();
      const found: Record<string, Curve[]> = {};
      for (const { query, relevant } of annotations.queries) {
        queries++;
        const vector = await prepared.memory.embedQuestion(shippedEmbedder(), query);
        (found.batos ??= []).push(
          curve(counted(prepared.memory.search(query, { limit: RESULTS, vector })), relevant),
        );
        (found["plain FTS5"] ??= []).push(curve(counted(plain.search(query, RESULTS)), relevant));
        if (!withRipgrep) continue;
        (found["ripgrep and whole files"] ??= []).push(
          cutCurve(wholeFiles(prepared, query, whole), relevant),
        );
      }
      for (const [name, list] of Object.entries(found)) {
        const means = meanCurve(list);
        (curves[name] ??= []).push(means);
        (by[annotations.repo] ??= {})[name] = means[String(2_000)]!;
      }
    } finally {
      dispose(prepared);
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  return {
    repositories: sets.length,
    queries,
    share_of_relevant_files_within_tokens: Object.fromEntries(
      Object.entries(curves).map(([name, list]) => [name, meanCurve(list)]),
    ),
    within_2000_by_repository: by,
  };
}

function counted<T extends Found & { readonly text: string }>(results: readonly T[]): Found[] {
  return results.map(({ path, startLine, endLine, text }) => ({
    path,
    startLine,
    endLine,
    tokens: exactTokens(text),
  }));
}

/** What ripgrep finds, each file with all its tokens; counts are kept from query to query. */
function wholeFiles(prepared: Prepared, query: string, whole: Map<string, number>): Found[] {
  return ripgrepFiles(prepared.folder, query, RESULTS).map((path) => {
    let tokens = whole.get(path);
    if (tokens === undefined) {
      tokens = exactTokens(readFileSync(join(prepared.folder, path), "utf8"));
      whole.set(path, tokens);
    }
    return { path, startLine: 1, endLine: Infinity, tokens };
  });
}

function curve(results: readonly Found[], relevant: readonly Relevant[]): Curve {
  return Object.fromEntries(
    BUDGETS.map((budget) => [String(budget), fileRecallWithin(results, relevant, budget)]),
  );
}

/** The same where the result that the budget cuts counts as found. */
function cutCurve(results: readonly Found[], relevant: readonly Relevant[]): Curve {
  return Object.fromEntries(BUDGETS.map((budget) => {
    let spent = 0;
    const cut = results.map((result) => {
      const tokens = Math.min(result.tokens, Math.max(0, budget - spent));
      spent += result.tokens;
      return { ...result, tokens: spent - result.tokens >= budget ? Infinity : tokens };
    });
    return [String(budget), fileRecallWithin(cut, relevant, budget)];
  }));
}

function meanCurve(curves: readonly Curve[]): Curve {
  return Object.fromEntries(
    BUDGETS.map((budget) => [
      String(budget),
      round(mean(curves.map((one) => one[String(budget)]!))),
    ]),
  );
}

/** Text of a language that is counted, in characters: enough for its mean to settle. */
const CALIBRATION_CHARACTERS = 6_000_000;
/** A file shorter than this says little about a ratio. */
const CALIBRATION_MIN_TOKENS = 50;

async function estimating(sets: readonly AnnotatedSet[], log: Log): Promise<object> {
  const folders = [
    (await corpus("typescript", log)).folder,
    (await corpus("languages", log)).folder,
    ...sets.map((set) => set.checkout),
  ];
  const languages = new Map<
    string,
    { characters: number; exact: number; estimate: number; ratios: number[]; worst: Worst }
  >();
  for (const folder of folders) {
    log(`estimating tokens: ${folder}`);
    const files = [...(await listTree(folder)).files];
    // In an order that mixes the folders, so that what is counted is not the first package alone.
    files.sort((a, b) => scramble(a.path) - scramble(b.path));
    for (const { path, language } of files) {
      const sum = languages.get(language) ??
        { characters: 0, exact: 0, estimate: 0, ratios: [], worst: { path: "", ratio: 1 } };
      if (sum.characters >= CALIBRATION_CHARACTERS) continue;
      languages.set(language, sum);
      const text = readFileSync(join(folder, path), "utf8");
      const exact = exactTokens(text);
      const estimate = countTokens(text);
      sum.characters += text.length;
      sum.exact += exact;
      sum.estimate += estimate;
      if (exact < CALIBRATION_MIN_TOKENS) continue;
      const ratio = estimate / exact;
      sum.ratios.push(ratio);
      if (Math.abs(Math.log(ratio)) > Math.abs(Math.log(sum.worst.ratio))) {
        sum.worst = { path, ratio };
      }
    }
  }
  return Object.fromEntries(
    [...languages].filter(([, sum]) => sum.ratios.length > 0).sort((a, b) =>
      b[1].exact - a[1].exact
    )
      .map(([language, sum]) => [language, {
        files: sum.ratios.length,
        tokens: sum.exact,
        estimate_to_exact: round(sum.estimate / sum.exact),
        p5: round(quantile(sum.ratios, 0.05)),
        p95: round(quantile(sum.ratios, 0.95)),
        worst: round(sum.worst.ratio),
        worst_file: sum.worst.path,
      }]),
  );
}

interface Worst {
  readonly path: string;
  readonly ratio: number;
}

/** A number that depends on a path and on nothing else (FNV-1a). */
function scramble(path: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < path.length; at++) {
    hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
