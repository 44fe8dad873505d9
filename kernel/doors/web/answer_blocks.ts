/**
 * The text of an answer as blocks that the page can show.
 *
 * Owns the part of Markdown that answers use: headings, paragraphs, lists within lists, quotations, tables, rules, fenced code; in running
 * text `code`, **bold**, *italic*, links to other machines, and places such as `src/router.ts:10-42`. Pure. What must hold: nothing becomes
 * markup but what is listed here, so text from files stays text; a place becomes a link only when the answer's checked citations hold it;
 * an address of any other kind than http stays text; the time is linear in the text.
 */

/** Lines of a file. */
interface Lines {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** A piece of running text. */
export type Inline =
  | { readonly kind: "text" | "code"; readonly text: string }
  | { readonly kind: "bold" | "italic"; readonly content: readonly Inline[] }
  | { readonly kind: "link"; readonly address: string; readonly content: readonly Inline[] }
  | { readonly kind: "place" } & Lines;

/** A block of an answer. */
export type Block =
  | { readonly kind: "heading" | "paragraph"; readonly content: readonly Inline[] }
  | {
    readonly kind: "list";
    /** Number of the first item; undefined where they have none. */
    readonly from?: number;
    readonly items: readonly (readonly Block[])[];
  }
  | { readonly kind: "quote"; readonly blocks: readonly Block[] }
  | {
    readonly kind: "table";
    readonly head: readonly (readonly Inline[])[];
    readonly rows: readonly (readonly (readonly Inline[])[])[];
  }
  | { readonly kind: "rule" }
  | {
    readonly kind: "code";
    readonly language: string;
    readonly text: string;
    /** The place before it whose lines these are. Where there is none, nobody knows the numbers of its lines. */
    readonly place?: Lines;
    /** Numbers of its lines in that place; undefined for one that says which were left out. */
    readonly numbers?: readonly (number | undefined)[];
  };

/** Whether a place stands among the citations that were checked. */
export type IsCited = (path: string, start: number, end: number) => boolean;

/** Blocks within blocks; deeper ones are shown as text. */
const MAX_DEPTH = 8;

const FENCE = /^(\s*)(`{3,}|~{3,})[ \t]*([\w+#.-]*)$/;
const QUOTE = /^\s{0,3}> ?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(\S.*)$/;
// The extractive answer writes its headings as words with a colon.
const HEADING = /^(?:#{1,6}\s+(.*)|((?:Sources|Also relevant)):)$/;
const DELIMITER = /^[\s|:-]+$/;

/** Parses an answer. */
export function answerBlocks(text: string, isCited: IsCited): Block[] {
  return new Parser(isCited).blocks(text.split("\n"), 0);
}

/** One pass over an answer; it remembers the places that a piece of code may be of. */
class Parser {
  readonly #isCited: IsCited;
  /** Those of the thought that is being read: a list or a heading begins another one. */
  #places: Lines[] = [];

  constructor(isCited: IsCited) {
    this.#isCited = isCited;
  }

  blocks(lines: readonly string[], depth: number): Block[] {
    const blocks: Block[] = [];
    let paragraph: string[] = [];
    const flush = () => {
      if (paragraph.length > 0) {
        blocks.push({ kind: "paragraph", content: this.#read(paragraph.join("\n")) });
      }
      paragraph = [];
    };
    for (let at = 0; at < lines.length;) {
      const line = lines[at]!;
      if (line.trim() === "") {
        flush();
        at++;
        continue;
      }
      const found = depth < MAX_DEPTH
        ? this.#begins(lines, at, depth, paragraph.length > 0, flush)
        : undefined;
      if (found === undefined) {
        paragraph.push(line);
        at++;
      } else {
        blocks.push(found.block);
        at = found.next;
      }
    }
    flush();
    return blocks;
  }

  /** The block that begins at a line, and the line behind it; undefined where running text goes on. */
  #begins(
    lines: readonly string[],
    at: number,
    depth: number,
    inParagraph: boolean,
    flush: () => void,
  ): { block: Block; next: number } | undefined {
    const line = lines[at]!;
    const fence = FENCE.exec(line.trimEnd());
    if (fence !== null) {
      flush();
      return this.#code(lines, at, fence);
    }
    const heading = HEADING.exec(line);
    if (heading !== null) {
      flush();
      this.#places = [];
      const content = inlines(heading[1] ?? heading[2]!, this.#isCited);
      return { block: { kind: "heading", content }, next: at + 1 };
    }
    if (QUOTE.test(line)) {
      flush();
      let next = at;
      while (next < lines.length && QUOTE.test(lines[next]!)) next++;
      const inner = lines.slice(at, next).map((line) => line.replace(QUOTE, ""));
      return { block: { kind: "quote", blocks: this.blocks(inner, depth + 1) }, next };
    }
    if (/^([-*_])\1{2,}$/.test(line.replaceAll(/\s/g, ""))) {
      flush();
      return { block: { kind: "rule" }, next: at + 1 };
    }
    const item = ITEM.exec(line);
    // A number within a sentence may stand at the beginning of a line.
    if (item !== null && !(inParagraph && isOrdered(item) && Number.parseInt(item[2]!) !== 1)) {
      flush();
      return this.#list(lines, at, item, depth);
    }
    const below = lines[at + 1];
    if (
      line.includes("|") && below?.includes("|") === true &&
      below.includes("-") && DELIMITER.test(below)
    ) {
      flush();
      return this.#table(lines, at);
    }
  }

  #code(lines: readonly string[], at: number, [, indent, mark, language]: RegExpExecArray) {
    let end = at + 1;
    const closes = (line: string) => {
      const text = line.trim();
      return text.length >= mark!.length && text === mark![0]!.repeat(text.length);
    };
    while (end < lines.length && !closes(lines[end]!)) end++;
    const code = lines.slice(at + 1, end).map((line) =>
      line.startsWith(indent!) ? line.slice(indent!.length) : line.trimStart()
    );
    let place: Lines | undefined;
    let numbers: (number | undefined)[] | undefined;
    for (const candidate of this.#places) {
      numbers = numbersOf(code, candidate);
      if (numbers === undefined) continue;
      const { path, start, end } = candidate;
      place = { path, start, end };
      break;
    }
    this.#places = [];
    const block: Block = {
      kind: "code",
      language: language!,
      text: code.join("\n"),
      ...(place !== undefined && { place, numbers }),
    };
    return { block, next: end + 1 };
  }

  #list(lines: readonly string[], at: number, first: RegExpExecArray, depth: number) {
    const ordered = isOrdered(first);
    const items: Block[][] = [];
    let next = at;
    for (;;) {
      const item = next < lines.length ? ITEM.exec(lines[next]!) : null;
      if (item === null || isOrdered(item) !== ordered) break;
      const [whole, indent = "", , text = ""] = item;
      // One that stands further to the left belongs to a list around this one.
      if (items.length > 0 && indent.length + 1 < first[1]!.length) break;
      const inner = [text];
      const width = whole.length - text.length;
      for (next++; next < lines.length; next++) {
        const line = lines[next]!;
        const isBlank = line.trim() === "";
        const own = isBlank ? lines[next + 1] ?? "" : line;
        // What belongs to an item stands further to the right than its mark.
        if (own.trim() === "" || indentOf(own) <= indent.length) break;
        inner.push(isBlank ? "" : line.slice(Math.min(width, indentOf(line))));
      }
      this.#places = [];
      items.push(this.blocks(inner, depth + 1));
      // Items may have a blank line between them.
      if (lines[next]?.trim() === "" && ITEM.test(lines[next + 1] ?? "")) next++;
    }
    const block: Block = {
      kind: "list",
      ...(ordered && { from: Number.parseInt(first[2]!) }),
      items,
    };
    return { block, next };
  }

  #table(lines: readonly string[], at: number) {
    const head = cellsOf(lines[at]!);
    const rows: Inline[][][] = [];
    let next = at + 2;
    for (; next < lines.length && lines[next]!.includes("|"); next++) {
      const cells = cellsOf(lines[next]!);
      // As many as the head has: no more, no fewer.
      rows.push(head.map((_, index) => this.#read(cells[index] ?? "")));
    }
    const block: Block = { kind: "table", head: head.map((cell) => this.#read(cell)), rows };
    return { block, next };
  }

  #read(text: string): Inline[] {
    const content = inlines(text, this.#isCited);
    this.#places.push(...placesIn(content));
    return content;
  }
}

function isOrdered(item: RegExpExecArray): boolean {
  return /\d/.test(item[2]!);
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** The cells of a row; a bar in `code` or behind a backslash parts none. */
function cellsOf(row: string): string[] {
  const cells = [""];
  for (const [piece] of row.trim().matchAll(/\\\||`[^`\n]*`|\||[^|`\\]+|[^]/g)) {
    if (piece === "|") cells.push("");
    else cells[cells.length - 1] += piece === "\\|" ? "|" : piece;
  }
  if (cells[0]!.trim() === "") cells.shift();
  if (cells.length > 1 && cells.at(-1)!.trim() === "") cells.pop();
  return cells.map((cell) => cell.trim());
}

function placesIn(content: readonly Inline[]): Lines[] {
  return content.flatMap((piece) =>
    piece.kind === "place" ? [piece] : "content" in piece ? placesIn(piece.content) : []
  );
}

/**
 * The numbers of lines that are quoted from a place, where some may be left out: `… lines 18-69` says which.
 * @returns undefined where they are not exactly the lines of the place: blank lines beside a gap go without a word
 */
function numbersOf(
  code: readonly string[],
  { start, end }: Lines,
): (number | undefined)[] | undefined {
  const numbers: (number | undefined)[] = [];
  let next = start;
  for (const line of code) {
    const [gap, first, last = first] =
      /^\s*… lines? (\d+)(?:-(\d+))?(?:: docstring)?$/.exec(line) ??
        [];
    if (gap === undefined) numbers.push(next++);
    else if (Number(first) !== next) return undefined;
    else {
      numbers.push(undefined);
      next = Number(last) + 1;
    }
  }
  return next === end + 1 ? numbers : undefined;
}

/** What is marked in running text; each alternative is bounded by the line. */
const MARKED = new RegExp(
  [
    "``(?<wide>[^\\n]+?)``(?!`)",
    "`(?<code>[^`\\n]+)`",
    "\\*\\*(?<bold>[^*\\n]+)\\*\\*",
    "(?<![\\w*])\\*(?<italic>[^*\\s](?:[^*\\n]*[^*\\s])?)\\*(?![\\w*])",
    "(?<![\\w_])_(?<slanted>[^_\\s](?:[^_\\n]*[^_\\s])?)_(?![\\w_])",
    "!?\\[(?<name>[^[\\]\\n]{1,500})\\]\\((?<address>[^()\\s]{1,2000})\\)",
    "(?<bare>https?:\\/\\/[^\\s<>\"'`()[\\]]{1,2000})",
  ].join("|"),
  "g",
);

/** Running text, cut at what it marks. */
export function inlines(text: string, isCited: IsCited): Inline[] {
  const found: Inline[] = [];
  const put = (text: string) => {
    if (text !== "") found.push({ kind: "text", text });
  };
  let at = 0;
  for (const match of text.matchAll(MARKED)) {
    put(text.slice(at, match.index));
    found.push(...markedIn(match, isCited));
    at = match.index + match[0].length;
  }
  put(text.slice(at));
  return found;
}

function markedIn({ 0: whole, groups = {} }: RegExpMatchArray, isCited: IsCited): Inline[] {
  const { wide, code = wide?.trim(), bold, italic, slanted = italic, name, address, bare } = groups;
  if (code !== undefined) return [placeOf(code, isCited) ?? { kind: "code", text: code }];
  if (bold !== undefined) return [{ kind: "bold", content: inlines(bold, isCited) }];
  if (slanted !== undefined) return [{ kind: "italic", content: inlines(slanted, isCited) }];
  if (bare !== undefined) {
    // What ends a sentence is not part of the address.
    const [end] = /[.,;:!?]*$/.exec(bare)!;
    const address = bare.slice(0, bare.length - end.length);
    return [
      { kind: "link", address, content: [{ kind: "text", text: address }] },
      ...(end === "" ? [] : [{ kind: "text", text: end } as const]),
    ];
  }
  const place = placeOf(address!.replace(/#L(\d+)(?:-L?(\d+))?$/, placeSuffix), isCited);
  if (place !== undefined) return [place];
  if (/^https?:[/]{2}/i.test(address!)) {
    return [{ kind: "link", address: address!, content: [{ kind: "text", text: name! }] }];
  }
  return [{ kind: "text", text: whole }];
}

function placeSuffix(_: string, first: string, last: string = first): string {
  return `:${first}-${last}`;
}

function placeOf(text: string, isCited: IsCited): Inline | undefined {
  const [, path = "", first = "0", last = first] = /^(.+?):(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const [start, end] = [Number(first), Number(last)];
  return path !== "" && isCited(path, start, end) ? { kind: "place", path, start, end } : undefined;
}

/** The same without its marks. */
export function plainText(content: readonly Inline[]): string {
  return content.map((piece) =>
    piece.kind === "place" ? piece.path : "content" in piece ? plainText(piece.content) : piece.text
  ).join("");
}

/** Names that an answer is about: those it explains as definitions, in order. */
export function namesIn(answer: string): string[] {
  const names = [...answer.matchAll(/^`([\w$.#]+)` \(\w+, `/gm)].map((match) => match[1]!);
  return [...new Set(names)];
}
