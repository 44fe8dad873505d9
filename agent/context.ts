/**
 * From retrieved items to the parts of a prompt, most relevant first.
 *
 * Owns the order: exact lines that were read on purpose, then chunks by score, then names and commits. Pure. What must hold: a part's
 * label names the place as `path:start-end`; a chunk whose lines were all read is not put in twice.
 */
import { TRAIL_PATH } from "../kernel/mod.ts";
import type { Hit } from "../rag/mod.ts";
import type { ContextItem } from "./driver.ts";
import type { Part } from "./governor.ts";

/** Definitions of an outline that go into a prompt; the rest is counted. */
const MOST_ENTRIES = 40;

export function placeLabel(path: string, startLine: number, endLine: number): string {
  return `${path}:${startLine}-${endLine}`;
}

/** A chunk that only a descent into its file brought counts this share of one that the search put forward. */
const DESCENT_WEIGHT = 0.5;

/** Chunks that only a part of the question found come behind those that all of it found. */
const PART_WEIGHT = 0.8;

/** A chunk with its relevance, at most 1. */
export interface RankedChunk {
  readonly hit: Hit;
  readonly score: number;
  /** Whether a search over everything found it, not only a descent. */
  readonly searched: boolean;
}

/** Chunks once each, best first: scores are compared within their search, so each search's best counts 1. */
export function rankedChunks(items: readonly ContextItem[]): RankedChunk[] {
  const found = items.filter((item) => item.type === "chunk");
  const search = (item: typeof found[number]) => `${item.within ?? ""}\n${item.query}`;
  const whole = found.find((item) => item.within === undefined)?.query;
  const best = new Map<string, number>();
  for (const item of found) {
    best.set(search(item), Math.max(best.get(search(item)) ?? 0, item.hit.score));
  }
  const ranked = new Map<number, RankedChunk>();
  for (const item of found) {
    const searched = item.within === undefined;
    const score = item.hit.score / (best.get(search(item)) || 1) *
      (!searched ? DESCENT_WEIGHT : item.query === whole ? 1 : PART_WEIGHT);
    const known = ranked.get(item.hit.oid);
    ranked.set(item.hit.oid, {
      hit: item.hit,
      score: Math.max(score, known?.score ?? 0),
      searched: searched || (known?.searched ?? false),
    });
  }
  return [...ranked.values()].sort((one, other) => other.score - one.score);
}

export function contextParts(items: readonly ContextItem[]): { summaries: Part[]; chunks: Part[] } {
  const summaries = new Map<string, Part>();
  const chunks = new Map<string, Part>();
  const names = new Map<string, string[]>();
  const outlines = new Map<string, Part>();
  for (const item of items) {
    if (item.type === "summary") {
      const label = `Summary of ${item.summary.path || "the workspace"}`;
      summaries.set(label, { label, text: item.summary.text });
    } else if (item.type === "lines") {
      const label = placeLabel(item.path, item.startLine, item.endLine);
      chunks.set(label, { label, text: item.text });
    } else if (item.type === "outline") {
      const shown = item.entries.slice(0, MOST_ENTRIES).map((entry) =>
        `${entry.startLine}-${entry.endLine} ${entry.kind} ${entry.signature || entry.name}`
      );
      if (item.entries.length > MOST_ENTRIES) {
        shown.push(`… ${item.entries.length - MOST_ENTRIES} more definitions`);
      }
      const label = `Definitions of ${item.path}`;
      // A descent gives all definitions of a file, a search those around its chunks.
      const text = shown.join("\n");
      if (text.length > (outlines.get(label)?.text.length ?? 0)) {
        outlines.set(label, { label, text });
      }
    } else if (item.type === "reference") {
      const label = `Lines that hold ${item.name}`;
      const row = `${item.path}:${item.line} ${item.kind}${
        item.within && ` in ${item.within}`
      }: ${item.text}`;
      names.set(label, [...names.get(label) ?? [], row]);
    } else if (item.type === "cycle") {
      const { firstLine, lastLine, summary } = item.fractal;
      const label = placeLabel(TRAIL_PATH, firstLine, lastLine);
      chunks.set(label, { label, text: summary });
    } else if (item.type === "commit") {
      const label = item.path ? `Commits of ${item.path}` : "Commits that speak of it";
      const row = `${item.id} ${item.date} ${item.author}: ${item.subject}`;
      names.set(label, [...names.get(label) ?? [], row]);
    }
  }
  const read = items.filter((item) => item.type === "lines");
  for (const { hit } of rankedChunks(items)) {
    const covered = read.some((lines) =>
      lines.path === hit.path && lines.startLine <= hit.startLine && hit.endLine <= lines.endLine
    );
    const label = placeLabel(hit.path, hit.startLine, hit.endLine);
    if (!covered) chunks.set(label, { label, text: hit.text });
  }
  for (const [label, rows] of names) chunks.set(label, { label, text: rows.join("\n") });
  return { summaries: [...summaries.values(), ...outlines.values()], chunks: [...chunks.values()] };
}
