/**
 * The lines of a place that are shown.
 *
 * Owns the choice of lines and how a quotation marks what it leaves out. Pure. What must hold: shown lines are lines of the file, in
 * order; every line between the first and the last of the place that is not shown is named by a mark, blank ones aside.
 */
import { fenceFor } from "./governor.ts";

/** What choosing lines needs to know of a place. */
export interface Stretch {
  readonly language: string;
  readonly startLine: number;
  readonly endLine: number;
  /** Text of its doc comment. */
  readonly doc: string;
}

/** Lines by number; those that are not in the context are absent. */
export type Lines = ReadonlyMap<number, string>;
/** Weight of the question's words in a text. */
export type Score = (text: string) => number;

/** Lines that are shown rather than left out between two stretches: a mark takes as much room. */
const SMALL_GAP = 2;
/** An opening of so many lines is shown with what follows it. */
const SHORT_OPENING = 4;
/** Longest line of a quotation; minified lines would fill the answer. */
const LONGEST_LINE = 160;
/** A head of more lines is shown in its first line only. */
const LONGEST_HEAD = 10;
/** Definitions of so many lines are cited as a whole. */
const SHORT = 40;
/** Of longer ones what is shown, as one where no more lines than these are between. */
const ONE_SPAN = 6;
const MOST_SPANS = 2;
/** Share of the room that the first stretch takes. */
const FIRST_STRETCH = 0.6;

/**
 * Lines of code to show, at most about `most`: the head, and the stretches where the question's words are densest. Ascending;
 * empty when too little of the place is in the context to be worth showing.
 */
export function codeLines(place: Stretch, lines: Lines, most: number, score: Score): number[] {
  const text = (line: number) => lines.get(line) ?? "";
  const docstring = docstringOf(place, lines);
  const inDocstring = (line: number) =>
    docstring !== undefined && docstring[0] <= line && line <= docstring[1];
  const known: number[] = [];
  for (let line = place.startLine; line <= place.endLine; line++) {
    if (lines.has(line) && !inDocstring(line)) known.push(line);
  }
  if (!known.length || most <= 0) return [];
  let chosen = new Set(known);
  if (known.length > most + SMALL_GAP) {
    const head = headLines(known, text).slice(0, Math.max(1, most >> 1));
    chosen = new Set(head);
    for (const share of [FIRST_STRETCH, 1]) {
      const room = most - chosen.size;
      if (room < 2) break;
      const rest = known.filter((line) => !chosen.has(line));
      for (const line of densest(rest, Math.max(2, Math.round(room * share)), text, score)) {
        chosen.add(line);
      }
    }
  }
  const shown: number[] = [];
  const isShown = (line: number) => chosen.has(line);
  for (let line = place.startLine; line <= place.endLine; line++) {
    if (isShown(line)) {
      // A blank line beside a gap separates nothing.
      const beside = (line > place.startLine && !isShown(line - 1)) ||
        (line < place.endLine && !isShown(line + 1));
      if (text(line).trim() || !beside) shown.push(line);
      continue;
    }
    let end = line;
    while (end < place.endLine && !isShown(end + 1)) end++;
    const gap = Array.from({ length: end - line + 1 }, (_, index) => line + index);
    if (gap.length <= SMALL_GAP && gap.every((one) => lines.has(one) && !inDocstring(one))) {
      shown.push(...gap);
    }
    line = end;
  }
  const worth = shown.filter((line) => text(line).trim()).length;
  return worth > 1 || worth === place.endLine - place.startLine + 1 ? shown : [];
}

/**
 * The lines of a place that a reader should look at: all of a short one, of a long one those that are shown, its head aside where there is
 * more, or its head alone. First and last line each, ascending.
 */
export function spansOf(
  place: Pick<Stretch, "startLine" | "endLine">,
  shown: readonly number[],
): [number, number][] {
  const { startLine, endLine } = place;
  if (endLine - startLine < SHORT) return [[startLine, endLine]];
  if (shown.length === 0) return [[startLine, startLine + LONGEST_HEAD - 1]];
  const spans: [number, number][] = [];
  for (const line of shown) {
    const last = spans.at(-1);
    if (last && line - last[1] <= ONE_SPAN) last[1] = line;
    else spans.push([line, line]);
  }
  const [head, ...rest] = spans;
  const isHead = head![0] === startLine && head![1] - startLine < LONGEST_HEAD;
  const size = ([from, to]: [number, number]) => to - from;
  return (isHead && rest.length > 0 ? rest : spans).toSorted((one, other) =>
    size(other) - size(one)
  ).slice(0, MOST_SPANS).sort((one, other) => one[0] - other[0]);
}

/** The head of code: up to the line that opens the body. */
function headLines(lines: readonly number[], text: (line: number) => string): number[] {
  const head = lines.slice(0, LONGEST_HEAD);
  const opens = head.findIndex((line) => /([{:;]|=>|[^=!<>]=)\s*$/.test(text(line)));
  return opens < 0 ? head.slice(0, 1) : head.slice(0, opens + 1);
}

/** The neighbouring lines, at most `size`, with the most weight; the first ones when none has any. */
function densest(
  lines: readonly number[],
  size: number,
  text: (line: number) => string,
  score: Score,
): number[] {
  const scores = lines.map((line) => score(text(line)));
  let best: { start: number; end: number; sum: number } | undefined;
  for (let start = 0; start < lines.length; start++) {
    let end = start;
    let sum = 0;
    // A stretch does not reach over a gap.
    while (end < lines.length && end - start < size && lines[end] === lines[start]! + end - start) {
      sum += scores[end++]!;
    }
    const fuller = best !== undefined && end - start > best.end - best.start &&
      sum > best.sum - 1e-9;
    if (!best || sum > best.sum + 1e-9 || fuller) best = { start, end, sum };
  }
  return best ? lines.slice(best.start, best.end) : [];
}

/** First and last line of the docstring of a Python definition, which is quoted as prose already. */
function docstringOf(place: Stretch, lines: Lines): [number, number] | undefined {
  if (place.language !== "python" || !place.doc) return undefined;
  const opening = /^\s*[rRuUbB]{0,2}("""|''')/;
  for (let line = place.startLine; line <= place.endLine; line++) {
    const text = lines.get(line);
    const quote = text && opening.exec(text);
    if (!quote) continue;
    if (text.slice(quote[0].length).includes(quote[1]!)) return [line, line];
    for (let end = line + 1; end <= place.endLine; end++) {
      const last = lines.get(end);
      if (last === undefined) {
        return [line, Math.min(place.endLine, line + place.doc.split("\n").length)];
      }
      if (last.includes(quote[1]!)) return [line, end];
    }
    return undefined;
  }
  return undefined;
}

/**
 * First and last line of the passage of prose that holds most of the question's words: a paragraph, with those after and before it
 * as long as at most `most` lines are taken. Undefined when nothing of the place is in the context.
 */
export function proseLines(
  place: Stretch,
  lines: Lines,
  most: number,
  score: Score,
): [number, number] | undefined {
  const paragraphs: { start: number; end: number; score: number; heading: boolean }[] = [];
  for (let line = place.startLine; line <= place.endLine; line++) {
    const text = lines.get(line);
    if (text === undefined || !text.trim()) continue;
    const last = paragraphs.at(-1);
    if (last && last.end === line - 1) last.end = line;
    else paragraphs.push({ start: line, end: line, score: 0, heading: false });
  }
  if (!paragraphs.length || most <= 0) return undefined;
  for (const paragraph of paragraphs) {
    let text = "";
    for (let line = paragraph.start; line <= paragraph.end; line++) text += `${lines.get(line)}\n`;
    // Badges and markup say nothing.
    const words =
      text.replace(/<[^>]*>|!?\[[^\]]*\]\([^)]*\)|https?:\S+/g, " ").match(/[A-Za-z]{3,}/g)
        ?.length ?? 0;
    paragraph.heading = /^(#{1,6} |\.\. _)|\n([=~^"*+#-])\2{2,}\s*$/.test(text);
    paragraph.score = words > 2 ? score(text) + Math.min(words, 40) / 1000 : 0;
  }
  const best = paragraphs.reduce((one, other) => other.score > one.score ? other : one);
  let first = paragraphs.indexOf(best);
  let last = first;
  const size = () => paragraphs[last]!.end - paragraphs[first]!.start + 1;
  // A list or an example after a paragraph that announces it belongs to it; then what follows; then what leads there.
  const joins = (index: number) => paragraphs[index] !== undefined && !paragraphs[index].heading;
  // The sentence that opens a section says what the rest is about.
  const opening = paragraphs[first - 1];
  const isOpening = opening !== undefined && !opening.heading &&
    (first === 1 || paragraphs[first - 2]!.heading);
  if (isOpening && opening.end - opening.start < SHORT_OPENING && size() + SHORT_OPENING < most) {
    first--;
  }
  while (joins(last + 1) && paragraphs[last + 1]!.end - paragraphs[first]!.start < most) last++;
  while (joins(first - 1) && paragraphs[last]!.end - paragraphs[first - 1]!.start < most) first--;
  const start = paragraphs[first]!.start;
  return [start, size() > most ? start + most - 1 : paragraphs[last]!.end];
}

/** A place as it is cited; the path as `visiblePath` shows it. */
export function cite(path: string, startLine: number, endLine = startLine): string {
  return `${visiblePath(path)}:${startLine}-${endLine}`;
}

/** A path in one line: what `visible` leaves because a text has lines is made visible as well. */
export function visiblePath(path: string): string {
  return path.replace(
    /[\t\n\r]/g,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  ).replace(/[^\t\n\r]+/g, visible);
}

/** A name as code; a backtick in it would end that. */
export function named(name: string): string {
  return `\`${visible(name).replaceAll("`", "'")}\``;
}

/** "… line 7", "… lines 7-9". */
function mark(from: number, to: number): string {
  return from === to ? `… line ${from}` : `… lines ${from}-${to}`;
}

/** Code in a fence, what is left out marked by its lines. */
export function quoteCode(place: Stretch, lines: Lines, shown: readonly number[]): string {
  const texts: string[] = [];
  const docstring = docstringOf(place, lines);
  const gap = (from: number, to: number) => {
    if (docstring && from <= docstring[0] && docstring[1] <= to) {
      gap(from, docstring[0] - 1);
      texts.push(`${mark(...docstring)}: docstring`);
      return gap(docstring[1] + 1, to);
    }
    while (from <= to && lines.get(from)?.trim() === "") from++;
    while (from <= to && lines.get(to)?.trim() === "") to--;
    if (from <= to) texts.push(mark(from, to));
  };
  let next = place.startLine;
  for (const line of shown) {
    gap(next, line - 1);
    texts.push(clip(visible(lines.get(line)!)));
    next = line + 1;
  }
  gap(next, place.endLine);
  const body = dedent(texts).join("\n");
  const fence = fenceFor(body);
  return `${fence}${/^[a-z+#-]+$/.test(place.language) ? place.language : ""}\n${body}\n${fence}`;
}

/** What could be read as a citation: `docs/a.md:12`, not `http://localhost:80`. */
const CITES = /(?:^|[\s`'"(\[])(?![^\s`]*:\/\/)[^\s`]*[./][^\s`]*:\d/;

/** Whether a text holds what could be read as a citation of the answer. */
export function couldCite(text: string): boolean {
  return CITES.test(text);
}

/** Words that are quoted within a sentence, with places in them put in words: they are not cited, and were not checked. */
export function uncited(text: string): string {
  return text.replace(
    /(?<!:\/\/[^\s`]*)([\w@.+-]*[./][\w@./+-]*):(\d{1,9})(-\d{1,9})?(?![\w:.]\d)/g,
    (_, path: string, from: string, to = "") => `${path} ${to ? "lines" : "line"} ${from}${to}`,
  );
}

/** Prose as a block quotation; in a fence where it holds what could be read as a citation of the answer. */
export function quoteProse(lines: Lines, from: number, to: number): string {
  const texts: string[] = [];
  for (let line = from; line <= to; line++) texts.push(clip(visible(lines.get(line) ?? "")));
  if (texts.some(couldCite)) {
    const body = dedent(texts).join("\n");
    return `${fenceFor(body)}text\n${body}\n${fenceFor(body)}`;
  }
  return dedent(texts).map((text) => `> ${text}`.trimEnd()).join("\n");
}

/**
 * Text of files with what a terminal would obey or hide made visible: control characters and bidirectional overrides
 * appear as `\u{…}`.
 */
export function visible(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (character) => character === "\r" ? "" : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** A line as it is shown; what is cut from its end is counted. */
export function clip(line: string): string {
  return line.length > LONGEST_LINE
    ? `${line.slice(0, LONGEST_LINE)} … ${line.length - LONGEST_LINE} more characters`
    : line;
}

function dedent(lines: readonly string[]): string[] {
  const indents = lines.filter((line, at) =>
    line.trim() && !line.startsWith("…") &&
    // A piece of a file may begin inside a line, behind its indentation.
    !(lines[at - 1]?.startsWith("…") && /^\S/.test(line))
  ).map((line) => /^[ \t]*/.exec(line)![0]);
  const shared = indents.reduce(
    (one, other) => other.startsWith(one) ? one : one.startsWith(other) ? other : "",
    indents[0] ?? "",
  );
  return lines.map((line) => line.startsWith(shared) ? line.slice(shared.length) : line);
}
