/**
 * Names as people write and misspell them.
 *
 * Owns how near two names are. Pure.
 */

/** Lower-case words of a name written in camel, snake or kebab case. */
export function wordsOf(name: string): string[] {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "");
}

/** Insertions, deletions, changes and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

const MAX_SUGGESTIONS = 5;

/** The names that somebody who wrote `name` may have meant, best first. */
export function nearNames(name: string, candidates: Iterable<string>): string[] {
  const lower = name.toLowerCase();
  const parts = new Set(wordsOf(name));
  // One slip a few letters.
  const limit = Math.max(1, Math.floor(name.length / 4));
  const scored: [score: number, name: string][] = [];
  for (const candidate of new Set(candidates)) {
    const other = candidate.toLowerCase();
    const isNear = Math.abs(other.length - lower.length) <= limit;
    const distance = other === lower ? 0 : isNear ? editDistance(other, lower) : Infinity;
    if (distance <= limit) {
      scored.push([distance, candidate]);
      continue;
    }
    const words = wordsOf(candidate);
    const shared = words.filter((word) => parts.has(word)).length;
    if (shared > 0 && shared * 2 >= Math.max(words.length, parts.size)) {
      scored.push([limit + 1 + words.length + parts.size - 2 * shared, candidate]);
    }
  }
  scored.sort((a, b) => a[0] - b[0] || a[1].length - b[1].length || (a[1] < b[1] ? -1 : 1));
  return scored.slice(0, MAX_SUGGESTIONS).map(([, candidate]) => candidate);
}
