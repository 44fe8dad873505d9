/**
 * Whether numbers of now differ from numbers of before by more than chance, and whether a course of them goes one way.
 *
 * Owns the tests. Pure. What must hold: no distribution is assumed, for times and tokens have long tails; the order within either side
 * never matters; what is all the same differs in nothing.
 */

/** A difference that many standard errors wide is told of: four measures are looked at each time, and chance alone does it once in ninety looks. */
export const NOTABLE_Z = 3;
/** Of a course that goes one way: fewer points are at hand, and each is a median already. One in twenty. */
export const COURSE_Z = 1.96;

/** The middle one; the mean of the two middle ones where there are two. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * How far values of now lie above (below: negative) those of before, in standard errors: the rank-sum test of Mann and Whitney (1947), by
 * its normal approximation, corrected for ties.
 * @returns 0 where either side is empty, or all values are the same
 */
export function rankSumZ(now: readonly number[], before: readonly number[]): number {
  const [n, m] = [now.length, before.length];
  const total = n + m;
  if (n === 0 || m === 0) return 0;
  const all = [
    ...now.map((value) => ({ value, isNow: true })),
    ...before.map((value) => ({ value, isNow: false })),
  ].sort((a, b) => a.value - b.value);
  let rankSum = 0;
  let ties = 0;
  for (let from = 0; from < total;) {
    let to = from;
    while (to < total && all[to]!.value === all[from]!.value) to++;
    const rank = (from + 1 + to) / 2;
    for (let at = from; at < to; at++) if (all[at]!.isNow) rankSum += rank;
    const tied = to - from;
    ties += tied ** 3 - tied;
    from = to;
  }
  const variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)));
  if (!(variance > 0)) return 0;
  return (rankSum - n * (total + 1) / 2) / Math.sqrt(variance);
}

/** How far one share lies above another, in standard errors of their difference; 0 where either is of nothing, or both are all or none. */
export function shareZ(
  now: { readonly count: number; readonly of: number },
  before: { readonly count: number; readonly of: number },
): number {
  if (now.of === 0 || before.of === 0) return 0;
  const pooled = (now.count + before.count) / (now.of + before.of);
  const variance = pooled * (1 - pooled) * (1 / now.of + 1 / before.of);
  return variance > 0 ? (now.count / now.of - before.count / before.of) / Math.sqrt(variance) : 0;
}

/**
 * Whether a course rises (above 0) or falls, in standard errors: the trend test of Mann (1945) and Kendall, which counts the pairs that rise
 * and those that fall, corrected for ties.
 */
export function courseZ(values: readonly number[]): number {
  const n = values.length;
  let score = 0;
  for (let one = 0; one < n; one++) {
    for (let other = one + 1; other < n; other++) {
      score += Math.sign(values[other]! - values[one]!);
    }
  }
  const groups = [...Map.groupBy(values, (value) => value).values()].map(({ length }) => length);
  const ties = groups.reduce((sum, size) => sum + size * (size - 1) * (2 * size + 5), 0);
  const variance = (n * (n - 1) * (2 * n + 5) - ties) / 18;
  if (score === 0 || !(variance > 0)) return 0;
  return (score - Math.sign(score)) / Math.sqrt(variance);
}
