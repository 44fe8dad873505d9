/**
 * Prose: Markdown, reStructuredText, AsciiDoc, plain text.
 *
 * Owns the tree of a document: sections below their headings, then stretches of one subject, then blocks and sentences.
 * A stretch ends where the cosine between neighbouring sentences falls below the 5th percentile; the vectors are counts of
 * terms weighed by how rare they are in the section, so no model is needed. What must hold: a fence is one block and a
 * heading inside it is none; what is too large at one level is opened at the next, and only then is the next computed.
 */

import type { Definition } from "./source_file.ts";
import { lineAt, lineStarts, type Syntax } from "./syntax_tree.ts";

/** Cosines below this share of all of them end a stretch. */
const BREAK_PERCENTILE = 0.05;
/** With fewer sentences the percentile says nothing. */
const LEAST_SENTENCES = 6;

type Markup = "markdown" | "rst" | "asciidoc" | "text";

interface Node {
  readonly start: number;
  readonly end: number;
  readonly children: () => readonly Node[];
}

interface Heading {
  readonly level: number;
  readonly title: string;
  readonly start: number;
  readonly titleStart: number;
  /** Behind the lines of the heading. */
  readonly body: number;
}

interface Block {
  readonly start: number;
  readonly end: number;
  /** Whether it is running text, which has sentences. */
  readonly isText: boolean;
}

/** Reads a document; `markup` is the language's name, anything unknown being plain text. */
export function readProse(markup: string, text: string): Syntax<unknown> {
  const lines = lineStarts(text);
  const known: Markup = markup === "markdown" || markup === "rst" || markup === "asciidoc"
    ? markup
    : "text";
  const { headings, blocks } = scan(text, lines, known);
  const definitions: Definition[] = [];
  const root = outline(text, lines, headings, blocks, definitions);
  return {
    tree: {
      root,
      start: (node) => (node as Node).start,
      end: (node) => (node as Node).end,
      children: (node) => (node as Node).children(),
    },
    nodeType: "text",
    definitions,
    scopes: [],
    imports: [],
    importRanges: [],
    problems: [],
  };
}

/** Nests sections by their levels and names them. */
function outline(
  text: string,
  lines: readonly number[],
  headings: readonly Heading[],
  blocks: readonly Block[],
  definitions: Definition[],
): Node {
  let next = 0;
  let block = 0;
  const blocksUntil = (end: number) => {
    const first = block;
    while (block < blocks.length && blocks[block]!.start < end) block++;
    return blocks.slice(first, block);
  };
  const section = (level: number, start: number, container: readonly string[]): Node => {
    const body = headings[next]?.start ?? text.length;
    const children: Node[] = [];
    if (body > start) children.push(stretches(text, start, body, blocksUntil(body)));
    let end = body;
    while (next < headings.length && headings[next]!.level > level) {
      const heading = headings[next++]!;
      const { title } = heading;
      const at = definitions.length;
      const inner = section(
        heading.level,
        heading.start,
        title === "" ? container : [...container, title],
      );
      end = inner.end;
      children.push(inner);
      if (title === "") continue;
      definitions.splice(at, 0, {
        name: title,
        kind: "section",
        container,
        start: heading.start,
        declaration: heading.start,
        nameStart: heading.titleStart,
        body: Math.min(heading.body, end),
        end,
        startLine: lineAt(lines, heading.start),
        endLine: lineAt(lines, Math.max(end - 1, heading.start)),
        exported: true,
      });
    }
    return { start, end, children: () => children };
  };
  return section(0, 0, []);
}

// --- blocks and headings -------------------------------------------------------------------------

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const HTML_HEADING = /^\s*<h([1-6])\b[^>]*>(.*?)<\/h\1>\s*$/i;
const ASCIIDOC = /^(={1,6})[ \t]+(\S.*)$/;
const ASCIIDOC_FENCE = /^(-{4,}|\.{4,}|={4,}|\+{4,}|\*{4,}|_{4,})\s*$/;
const SETEXT = /^ {0,3}(=+|-+)[ \t]*$/;
const UNDERLINE = /^([=\-~^"'`#*+:.<>_])\1{2,}\s*$/;
const LIST_OR_TABLE = /^\s*(?:[-*+]\s|\d+[.)]\s|\||>|<|!\[|\[\S+\]:|::|\.\. )/;

/** One pass over the lines. */
function scan(
  text: string,
  lines: readonly number[],
  markup: Markup,
): { headings: Heading[]; blocks: Block[] } {
  const headings: Heading[] = [];
  const blocks: Block[] = [];
  /** Ornaments of reStructuredText by the order in which they appear: their place is the level. */
  const ornaments: string[] = [];
  let start = -1;
  let isText = true;
  const lineText = (index: number) => {
    let to = lines[index + 1] ?? text.length;
    while (to > lines[index]! && isLineEnd(text.charCodeAt(to - 1))) to--;
    return text.slice(lines[index]!, to);
  };
  const close = (end: number) => {
    if (start !== -1) blocks.push({ start, end, isText });
    start = -1;
    isText = true;
  };
  const head = (index: number, level: number, title: string, body: number) => {
    const line = lines[index]!;
    close(line);
    const at = text.indexOf(title, line);
    headings.push({
      level,
      title: plain(title),
      start: line,
      titleStart: at === -1 ? line : at,
      body,
    });
  };
  const after = (index: number) => lines[index + 1] ?? text.length;
  let index = 0;
  if (markup === "markdown") {
    index = frontMatter(lines, lineText);
    if (index > 0) blocks.push({ start: 0, end: lines[index] ?? text.length, isText: false });
  }
  for (; index < lines.length; index++) {
    const line = lineText(index);
    if (line.trim() === "") {
      close(lines[index]!);
      continue;
    }
    const fence = markup === "markdown"
      ? FENCE.exec(line)?.[1]
      : markup === "asciidoc"
      ? ASCIIDOC_FENCE.exec(line)?.[1]
      : undefined;
    if (fence !== undefined) {
      close(lines[index]!);
      const from = lines[index]!;
      while (++index < lines.length) {
        const inner = lineText(index).trim();
        if (inner.startsWith(fence) && inner.replaceAll(fence[0]!, "") === "") break;
      }
      blocks.push({ start: from, end: lines[index + 1] ?? text.length, isText: false });
      continue;
    }
    if (markup === "markdown") {
      const atx = ATX.exec(line) ?? undefined;
      const html = atx ? undefined : HTML_HEADING.exec(line) ?? undefined;
      if (atx) {
        head(index, atx[1]!.length, atx[2] ?? "", after(index));
        continue;
      }
      if (html) {
        head(index, Number(html[1]), html[2]!, after(index));
        continue;
      }
    } else if (markup === "asciidoc") {
      const title = ASCIIDOC.exec(line);
      if (title) {
        head(index, title[1]!.length, title[2]!, after(index));
        continue;
      }
    }
    // A title and the ornament below it.
    const below = index + 1 < lines.length ? lineText(index + 1) : "";
    const isTitle = start === -1 && !LIST_OR_TABLE.test(line);
    if (isTitle && markup === "markdown") {
      const setext = SETEXT.exec(below);
      if (setext) {
        head(index, setext[1]![0] === "=" ? 1 : 2, line.trim(), after(index + 1));
        index++;
        continue;
      }
    } else if (isTitle && markup !== "asciidoc") {
      // A title may have the same ornament above it, which makes it another level.
      const isOver = UNDERLINE.test(line);
      const title = (isOver ? below : line).trim();
      const last = isOver ? index + 2 : index + 1;
      const ornamentLine = isOver && last < lines.length ? lineText(last) : below;
      const ornament = UNDERLINE.exec(ornamentLine)?.[1];
      const fits = title.length > 1 && ornamentLine.trim().length + 2 >= title.length;
      if (
        ornament !== undefined && fits && (!isOver || line[0] === ornament && title !== line.trim())
      ) {
        const style = isOver ? ornament + ornament : ornament;
        let level = ornaments.indexOf(style) + 1;
        if (level === 0) level = ornaments.push(style);
        head(index, level, title, after(last));
        index = last;
        continue;
      }
    }
    if (start === -1) {
      start = lines[index]!;
      isText = !LIST_OR_TABLE.test(line) && !/^(?: {4}|\t)/.test(line);
    }
  }
  close(text.length);
  return { headings, blocks };
}

/** Lines of the front matter at the top of a Markdown file. */
function frontMatter(lines: readonly number[], lineText: (index: number) => string): number {
  if (lineText(0).replace(/^\ufeff/, "") !== "---") return 0;
  for (let index = 1; index < lines.length; index++) {
    const line = lineText(index);
    if (line === "---" || line === "...") return index + 1;
  }
  return 0;
}

/** A heading without its markup. */
function plain(title: string): string {
  return title
    .replace(/<[^>]+>/g, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\s*\{#[^}]*\}\s*$/, "")
    .replace(/(\*\*|__|`+)(.*?)\1/g, "$2")
    .replace(/\s+/g, " ")
    .trim();
}

function isLineEnd(code: number): boolean {
  return code === 10 || code === 13;
}

// --- stretches of one subject --------------------------------------------------------------------

/** What stands directly under a heading; opened into stretches only if it is too large. */
function stretches(text: string, start: number, end: number, blocks: readonly Block[]): Node {
  let opened: readonly Node[] | undefined;
  return {
    start: skipSpace(text, start, end),
    end,
    children: () => opened ??= divide(text, blocks),
  };
}

function divide(text: string, blocks: readonly Block[]): Node[] {
  const parts: { start: number; end: number; block: number }[] = [];
  blocks.forEach((block, index) => {
    if (!block.isText) parts.push({ start: block.start, end: block.end, block: index });
    else {
      for (const [start, end] of sentences(text, block.start, block.end)) {
        parts.push({ start, end, block: index });
      }
    }
  });
  const breaks = breaksOf(parts.map(({ start, end }) => terms(text, start, end)));
  const stretched: Node[] = [];
  let first = 0;
  for (let index = 1; index <= parts.length; index++) {
    if (index < parts.length && !breaks.has(index)) continue;
    stretched.push(group(parts.slice(first, index)));
    first = index;
  }
  return stretched;
}

/** A stretch: its blocks, and the sentences of each. */
function group(parts: readonly { start: number; end: number; block: number }[]): Node {
  const blocks: Node[] = [];
  for (let from = 0; from < parts.length;) {
    let to = from + 1;
    while (to < parts.length && parts[to]!.block === parts[from]!.block) to++;
    const leaves = parts.slice(from, to).map(({ start, end }): Node => ({
      start,
      end,
      children: none,
    }));
    const only = leaves.length === 1 ? leaves[0]! : undefined;
    blocks.push(
      only ?? { start: leaves[0]!.start, end: leaves.at(-1)!.end, children: () => leaves },
    );
    from = to;
  }
  return { start: parts[0]!.start, end: parts.at(-1)!.end, children: () => blocks };
}

function none(): readonly Node[] {
  return [];
}

/** Offsets of the sentences of a block. */
function sentences(text: string, start: number, end: number): [number, number][] {
  const found: [number, number][] = [];
  let from = skipSpace(text, start, end);
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    // A stop, perhaps a closing quote or bracket, then white space and not a small letter.
    const isWideStop = code === 0x3002 || code === 0xff01 || code === 0xff1f;
    if (!isWideStop && code !== 46 && code !== 33 && code !== 63) continue;
    let behind = at + 1;
    while (behind < end && /["'”’)\]*_`]/.test(text[behind]!)) behind++;
    if (!isWideStop && behind < end && !isSpace(text.charCodeAt(behind))) continue;
    const next = skipSpace(text, behind, end);
    if (next < end && /\p{Ll}/u.test(text[next]!)) continue;
    if (next - from < 2 || next >= end) continue;
    found.push([from, behind]);
    from = next;
    at = next - 1;
  }
  if (from < end) found.push([from, end]);
  return found;
}

/** Counts of the words of a sentence. */
function terms(text: string, start: number, end: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.slice(start, end).toLowerCase().matchAll(/[\p{L}\p{N}]{2,}/gu)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/**
 * Where the subject changes: indices of the sentences that begin a stretch. Each sentence is seen together with its
 * neighbours, as single sentences share too few words to be compared.
 */
function breaksOf(counts: readonly Map<string, number>[]): Set<number> {
  const breaks = new Set<number>();
  if (counts.length < LEAST_SENTENCES) return breaks;
  const frequency = new Map<string, number>();
  for (const count of counts) {
    for (const word of count.keys()) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  }
  const vector = (first: number, last: number) => {
    const sum = new Map<string, number>();
    for (let index = first; index <= last; index++) {
      for (const [word, count] of counts[index]!) sum.set(word, (sum.get(word) ?? 0) + count);
    }
    let norm = 0;
    for (const [word, count] of sum) {
      const weight = Math.log(1 + count) * Math.log(1 + counts.length / frequency.get(word)!);
      sum.set(word, weight);
      norm += weight * weight;
    }
    return { sum, norm: Math.sqrt(norm) };
  };
  const cosines: number[] = [];
  // Not next to the ends: a stretch of one sentence is none.
  for (let index = 2; index + 1 < counts.length; index++) {
    const before = vector(index - 2, index - 1);
    const after = vector(index, index + 1);
    let product = 0;
    for (const [word, weight] of before.sum) product += weight * (after.sum.get(word) ?? 0);
    const norm = before.norm * after.norm;
    cosines.push(norm === 0 ? 0 : product / norm);
  }
  const sorted = cosines.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * BREAK_PERCENTILE;
  const low = Math.floor(place);
  const limit = sorted[low]! +
    (sorted[Math.min(low + 1, sorted.length - 1)]! - sorted[low]!) * (place - low);
  cosines.forEach((cosine, index) => {
    if (cosine < limit) breaks.add(index + 2);
  });
  return breaks;
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0xa0 || code === 0xfeff;
}

function skipSpace(text: string, at: number, end: number): number {
  while (at < end && isSpace(text.charCodeAt(at))) at++;
  return at;
}
