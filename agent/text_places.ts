/**
 * Where a text stands in the files: the message of an error, the name of a setting in whatever way it is written.
 *
 * Owns how a text is compared with files. What must hold: what is said to stand somewhere stands there word by word, in that order; where only
 * part of it does, since code puts values into messages, the observation says so.
 */
import { counted } from "../kernel/mod.ts";
import type { ContextItem, Reference } from "./driver.ts";
import type { MemoryPort } from "./memory_port.ts";
import {
  bySource,
  type Found,
  LONGEST_LINE,
  MOST_FILES_SCANNED,
  outlinesOfPaths,
  roomFor,
  scopeOf,
} from "./references.ts";

/** Between two words of a text: quotes and signs where a message is put together of several, nothing where a name is written as one. */
const BETWEEN = "[^\\p{L}\\p{N}]{0,60}";
/** Values that code puts into a message: what is quoted inside it, numbers, holes of formats. */
const VALUES = /'[^'\n]*'|"[^"\n]*"|`[^`\n]*`|\$?\{[^}\n]*\}|%[a-z]\b|\b\d+(?:\.\d+)*\b/giu;
/** Lines that a message may be broken over. */
const BROKEN_OVER = 3;
/** Share of the words of a text that stand together where it is said to be near. */
const NEAR = 0.7;
/** Fewer words in a row happen by chance. */
const FEWEST_WORDS = 3;
/** Shorter words stand everywhere. */
const TELLING = 4;
/** Files whose definitions are put beside the lines. */
const MOST_OUTLINES = 8;

/** Lines that hold a text; where none does, those that hold most of its words in their order. */
export function referencesByText(text: string, memory: MemoryPort, signal?: AbortSignal): Found {
  const words = wordsIn(text);
  if (words.length === 0) return { summary: `"${text}" holds no word to look for`, items: [] };
  const paths = memory.paths();
  const scan = paths.length <= MOST_FILES_SCANNED
    ? paths
    : [...new Set(memory.search(text, { limit: 200 }).map((hit) => hit.path))];
  const files = scan.toSorted(bySource);
  const exact = new RegExp(words.map(RegExp.escape).join(BETWEEN), "giu");
  let places = linesOf(files, memory, signal, (content) => exactLines(content, exact));
  const isNear = places.length === 0;
  if (isNear) {
    const fixed = wordsIn(text.replace(VALUES, " "));
    const wanted = fixed.length >= FEWEST_WORDS ? fixed : words;
    const near = linesOf(files, memory, signal, (content) => nearLines(content, wanted));
    const best = Math.max(0, ...near.map(({ share }) => share));
    places = near.filter(({ share }) => share === best);
  }
  const found: Reference[] = [];
  for (const { path, line, text: shown } of places) {
    if (roomFor(path, found) === 0) continue;
    const within = scopeOf(memory.outline(path), line);
    found.push({
      type: "reference",
      name: text,
      path,
      line,
      text: shown.trim().slice(0, LONGEST_LINE),
      kind: isNear ? "near" : "text",
      within,
      resolution: "name",
    });
  }
  const items: ContextItem[] = [
    ...outlinesOfPaths([...new Set(found.map(({ path }) => path))].slice(0, MOST_OUTLINES), memory),
    ...found,
  ];
  const shown = found.slice(0, 5).map(({ path, line }) => `${path}:${line}`).join(", ");
  const limits = scan === paths ? "" : "; only the files that search finds were looked through";
  if (found.length === 0) return { summary: `"${text}" stands nowhere${limits}`, items };
  return {
    summary: isNear
      ? `"${text}" stands nowhere as it is; most of its words stand together in ${shown}${limits}`
      : `"${text}" stands in ${counted(places.length, "line")}: ${shown}${limits}`,
    items,
  };
}

/** Of the lines that hold a text those that hold it as it is written, with blanks between its words; all where none does. */
export function asWritten<T extends { readonly text: string }>(
  lines: readonly T[],
  text: string,
): readonly T[] {
  const between = "[^\\p{L}\\p{N}_-]*\\s[^\\p{L}\\p{N}_-]*";
  const pattern = new RegExp(wordsIn(text).map(RegExp.escape).join(between), "iu");
  const held = lines.filter((line) => pattern.test(line.text));
  return held.length > 0 ? held : lines;
}

/** Whether a text is more than a name: it holds a blank, and is no path. */
export function isText(name: string): boolean {
  return /\S\s+\S/.test(name);
}

interface HeldLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** Of the words looked for. */
  readonly share: number;
}

function linesOf(
  files: readonly string[],
  memory: MemoryPort,
  signal: AbortSignal | undefined,
  find: (content: string) => HeldLine[],
): (HeldLine & { readonly path: string })[] {
  return files.flatMap((path) => {
    signal?.throwIfAborted();
    const file = memory.file(path);
    return file ? find(file.text).map((held) => ({ ...held, path })) : [];
  });
}

/** Lines in which a match begins, each once. */
function exactLines(content: string, pattern: RegExp): HeldLine[] {
  const lines: HeldLine[] = [];
  let counted = 0;
  let line = 1;
  for (const { index } of content.matchAll(pattern)) {
    for (; counted < index; counted++) if (content.charCodeAt(counted) === 10) line++;
    if (lines.at(-1)?.line === line) continue;
    const start = content.lastIndexOf("\n", index - 1) + 1;
    const end = content.indexOf("\n", index);
    lines.push({ line, share: 1, text: content.slice(start, end < 0 ? content.length : end) });
  }
  return lines;
}

/** Lines where most of the words stand in their order, perhaps broken over the next ones. */
function nearLines(content: string, words: readonly string[]): HeldLine[] {
  const lower = content.toLowerCase();
  const telling = words.filter((word) => word.length >= TELLING);
  const held = telling.filter((word) => lower.includes(word));
  if (held.length < NEAR * telling.length || words.length < FEWEST_WORDS) return [];
  const lines = content.split("\n");
  const found: HeldLine[] = [];
  for (let at = 0; at < lines.length; at++) {
    const first = lines[at]!.toLowerCase();
    // A message begins in the line with its first words.
    if (!words.slice(0, 2).some((word) => first.includes(word))) continue;
    const own = wordsIn(lines.slice(at, at + BROKEN_OVER).join("\n"));
    const share = inOrder(words, own) / words.length;
    if (share < NEAR) continue;
    const last = found.at(-1);
    if (last && last.line > at + 1 - BROKEN_OVER) {
      if (last.share >= share) continue;
      found.pop();
    }
    found.push({ line: at + 1, text: lines[at]!, share });
  }
  return found;
}

/** How many of the words stand in `others` in the same order: the longest common subsequence. */
function inOrder(words: readonly string[], others: readonly string[]): number {
  let row = new Array<number>(others.length + 1).fill(0);
  for (const word of words) {
    const next = [0];
    for (let at = 0; at < others.length; at++) {
      next.push(word === others[at] ? row[at]! + 1 : Math.max(row[at + 1]!, next[at]!));
    }
    row = next;
  }
  return row.at(-1)!;
}

function wordsIn(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
