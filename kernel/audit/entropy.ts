/**
 * The arithmetic of the Composite Entropy Metric: CEM = w_cog·H_cog + w_sol·H_sol + w_struc·H_struc, each from 0 to 1.
 *
 * Owns what each part means as a number; `entropy_report.ts` owns which questions it is taken over, and what is said of it. Pure. What
 * must hold: every result lies in 0..1, or is undefined where there is nothing to measure; the order in which things are given never
 * matters; no clock is read.
 *
 * Sources: the metric and its parts are those of the project's specification, section 8; H_cog is the entropy of Shannon, "A Mathematical
 * Theory of Communication" (1948), divided by its largest value (Pielou's evenness).
 */

/** The three parts, in the order of the formula. */
export const PARTS = ["cog", "sol", "struc"] as const;
/** Name of a part. */
export type PartName = (typeof PARTS)[number];

/**
 * An answer that is nearer to an earlier one says the same again. By the embedder that ships, a question in other words that led to the
 * same places measured up to 0.02, one that led to others 0.12 and more, another question about the same file 0.43 and more.
 */
export const SAME_ANSWER = 0.05;

/**
 * H_cog: how evenly the facets were used, from 0 (one alone) to 1 (all alike).
 * @param uses how often each facet was used
 * @param known how many facets there are; more, where more were used
 * @returns undefined where none was used
 */
export function facetEntropy(
  uses: Readonly<Record<string, number>>,
  known: number,
): number | undefined {
  const counts = Object.values(uses).filter((count) => count > 0);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const kinds = Math.max(known, counts.length);
  if (kinds <= 1) return 0;
  // In the order of size: sums of floating-point numbers depend on it.
  const entropy = counts.sort((a, b) => a - b).reduce((sum, count) => {
    const share = count / total;
    return sum - share * Math.log(share);
  }, 0);
  return bounded(entropy / Math.log(kinds));
}

/** How far new answers lie from earlier ones. */
export interface Novelty {
  /** H_sol. */
  readonly mean: number;
  /** Answers that were compared. */
  readonly compared: number;
  /** Those among them that say the same as one that was there. */
  readonly repeated: number;
}

/**
 * H_sol: the mean of what each new answer adds to those that were there, which is its distance from the nearest of them: an answer that was
 * given before is nothing new, however different all the others were. Distance is 1 less the cosine, and 1 where that is negative.
 *
 * New answers are taken in the order in which each adds least, and are there for those that follow, so that what was asked three times counts
 * once; whichever came first has no say. That is the spanning tree of least weight that Prim's algorithm (1957) grows from the earlier answers.
 *
 * @param fresh vectors of length 1; those of nothing but zeros say nothing, and are passed over
 * @returns undefined where there is nothing to compare, or nothing to compare it with
 */
export function novelty(
  fresh: readonly Float32Array[],
  past: readonly Float32Array[],
): Novelty | undefined {
  const known = past.filter(isSomething);
  const compared = fresh.filter(isSomething);
  if (known.length === 0 || compared.length === 0) return undefined;
  const waiting = compared.map((vector) => ({
    vector,
    nearest: known.reduce((nearest, other) => Math.max(nearest, dot(vector, other)), 0),
  }));
  const added: number[] = [];
  while (waiting.length > 0) {
    const next = waiting.reduce((best, one) => one.nearest > best.nearest ? one : best);
    waiting.splice(waiting.indexOf(next), 1);
    added.push(bounded(1 - next.nearest));
    for (const one of waiting) one.nearest = Math.max(one.nearest, dot(one.vector, next.vector));
  }
  // In the order of size, as above.
  added.sort((one, other) => one - other);
  return {
    mean: bounded(added.reduce((sum, one) => sum + one, 0) / added.length),
    compared: added.length,
    repeated: added.filter((one) => one < SAME_ANSWER).length,
  };
}

/**
 * H_struc: how much the image grew, as n / (n + half): 0 for nothing, a half at `half` elements, never quite 1. What shrank did not grow.
 * @param elements objects, slots, methods and parents that were added, less those that were taken away
 * @param half elements at which it is a half; above 0
 */
export function growthShare(elements: number, half: number): number {
  const grown = Math.max(0, elements);
  return bounded(grown / (grown + half));
}

/**
 * CEM: the weighted sum.
 * @param weights add up to 1
 * @returns undefined where a part that has a weight is not known: a sum of the others would be another metric under the same name
 */
export function composite(
  parts: Readonly<Record<PartName, number | undefined>>,
  weights: Readonly<Record<PartName, number>>,
): number | undefined {
  let sum = 0;
  for (const part of PARTS) {
    if (weights[part] === 0) continue;
    const value = parts[part];
    if (value === undefined) return undefined;
    sum += weights[part] * value;
  }
  return bounded(sum);
}

function bounded(value: number): number {
  return Math.min(1, Math.max(0, value));
}

function isSomething(vector: Float32Array): boolean {
  return vector.some((value) => value !== 0);
}

function dot(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < one.length; at++) sum += one[at]! * other[at]!;
  return sum;
}
