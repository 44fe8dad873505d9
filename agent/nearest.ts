/**
 * Names near the ones that were not found.
 *
 * Owns the measure of likeness. Pure.
 */
import type { MorphState } from "./driver.ts";

/** Names of the retrieved chunks and files that are spelled most like the words looked for. */
export function nearestNames(words: readonly string[], state: MorphState): string[] {
  const names = new Set<string>();
  for (const item of state.retrieved_context) {
    if (item.type === "chunk" && item.hit.nodeName) names.add(item.hit.nodeName);
    if (item.type === "outline") {
      for (const entry of item.entries) if (entry.kind !== "key") names.add(entry.name);
    }
  }
  return [...names]
    .map((name) => ({
      name,
      distance: Math.min(...words.map((word) => likeness(word.toLowerCase(), name.toLowerCase()))),
    }))
    .filter(({ distance }) => distance <= 0.5)
    .sort((one, other) => one.distance - other.distance || (one.name < other.name ? -1 : 1))
    .slice(0, 5).map(({ name }) => name);
}

/** 0 for equal words, 1 for nothing in common: edit distance over the longer length; a part of the other counts as near. */
function likeness(one: string, other: string): number {
  if (one.length > 2 && other.length > 2 && (one.includes(other) || other.includes(one))) {
    return 0.3;
  }
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next.push(
        Math.min(
          next[j - 1]! + 1,
          row[j]! + 1,
          row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1),
        ),
      );
    }
    row = next;
  }
  return row[other.length]! / Math.max(one.length, other.length, 1);
}
