/**
 * Retrieval metrics: NDCG@10 with binary relevance, recall, and what fits into a number of tokens.
 *
 * Pure. The definitions are those of the annotated-query format that `retrieval.ts` reads: every relevant entry counts the
 * same; its rank is that of the first result which matches it (same path, and overlapping lines where it has lines); one rank
 * counts once; the ideal list has min(10, n) entries at its top.
 */

/** Something a query should find: a file, or lines of it. */
export interface Relevant {
  readonly path: string;
  readonly start_line?: number;
  readonly end_line?: number;
}

/** A result as far as the metrics care. */
export interface Found {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly tokens: number;
}

function matches(found: Found, relevant: Relevant): boolean {
  if (found.path !== relevant.path) return false;
  if (relevant.start_line === undefined || relevant.end_line === undefined) return true;
  return found.startLine <= relevant.end_line && found.endLine >= relevant.start_line;
}

/** Rank (from 1) of the first result that matches, or Infinity. */
export function rankOf(results: readonly Found[], relevant: Relevant): number {
  const at = results.findIndex((found) => matches(found, relevant));
  return at < 0 ? Infinity : at + 1;
}

/** Normalised discounted cumulative gain of the first ten results. */
export function ndcg10(results: readonly Found[], relevant: readonly Relevant[]): number {
  const ranks = new Set(
    relevant.map((entry) => rankOf(results, entry)).filter((rank) => rank <= 10),
  );
  let gain = 0;
  for (const rank of ranks) gain += 1 / Math.log2(rank + 1);
  let ideal = 0;
  for (let rank = 1; rank <= Math.min(10, relevant.length); rank++) {
    ideal += 1 / Math.log2(rank + 1);
  }
  return ideal === 0 ? 0 : gain / ideal;
}

/** The results with only the first of each file kept. */
export function byFile<T extends Found>(results: readonly T[]): T[] {
  const seen = new Set<string>();
  return results.filter(({ path }) => !seen.has(path) && seen.add(path));
}

/** Share of the relevant files that stand among results which together have at most `tokens` tokens. */
export function fileRecallWithin(
  results: readonly Found[],
  relevant: readonly Relevant[],
  tokens: number,
): number {
  const wanted = new Set(relevant.map((entry) => entry.path));
  const found = new Set<string>();
  let spent = 0;
  for (const result of results) {
    spent += result.tokens;
    if (spent > tokens) break;
    if (wanted.has(result.path)) found.add(result.path);
  }
  return wanted.size === 0 ? 0 : found.size / wanted.size;
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A small seeded generator (mulberry32), so that intervals come out the same in every run. */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

/** 95 % bootstrap interval of the mean of paired differences. */
export function pairedInterval(differences: readonly number[], rounds = 2_000): [number, number] {
  const random = seeded(42);
  const means: number[] = [];
  for (let round = 0; round < rounds; round++) {
    let sum = 0;
    for (let at = 0; at < differences.length; at++) {
      sum += differences[Math.floor(random() * differences.length)]!;
    }
    means.push(sum / (differences.length || 1));
  }
  means.sort((a, b) => a - b);
  return [means[Math.floor(rounds * 0.025)]!, means[Math.floor(rounds * 0.975)]!];
}
