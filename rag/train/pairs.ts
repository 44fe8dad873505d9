/**
 * Training pairs: what people write about code, and the code they write it about, taken from one parsed source file.
 *
 * Pure but for the random choices, which come from a seeded generator. What must hold: the code of a pair does not hold the words
 * of its question in the place they were taken from (a comment is cut out, a name masked), or there would be nothing to learn.
 * The kinds of pairs and their shares follow what was found to work for static embedders of code; see the model card.
 */
import type { Definition, ParsedSource } from "../../ingest/mod.ts";
import { commentText, docOf, opening } from "../doc_text.ts";
import type { Random } from "./random.ts";

/** What a pair was taken from. */
export const PAIR_KINDS = [
  "doc",
  "name",
  "comment",
  "path",
  "identifier",
  "test",
  "module",
  "heading",
] as const;
export type PairKind = typeof PAIR_KINDS[number];

/** A question and what answers it. */
export interface Pair {
  readonly kind: PairKind;
  readonly query: string;
  readonly document: string;
}

/** Characters of code that stand for a chunk: what the chunker makes on average. */
const WINDOW = 1_500;
/** Code around an inline comment, in characters to each side. */
const AROUND = 600;
/** Share of the documents that begin with the words of their path, as passages do when they are embedded. */
const WITH_PATH = 0.4;
/** Definitions shorter than this say nothing that could be found. */
const SHORTEST_CODE = 60;
/** Doc comments of fewer words are labels. */
const FEWEST_WORDS = 3;

/** Folders that say where packages keep things, not what a file is about. */
const PACKAGING =
  /^(?:package|usr\/lib\/python3\/dist-packages|usr\/share\/(?:gocode\/src|cargo\/registry|perl5|php|javascript|nodejs)|usr\/lib\/ruby(?:\/vendor_ruby)?|usr\/include|[^/]+-[\d.]+)\//;
/** Words of paths that half of all files have. */
const COMMON_PATH_WORDS = new Set([
  "src",
  "lib",
  "main",
  "java",
  "com",
  "org",
  "github",
  "index",
  "mod",
  "init",
  "package",
  "packages",
]);

/** The path as a passage has it in front: without what packaging put there. */
export function bare(path: string): string {
  return path.replace(PACKAGING, "");
}

/** All pairs that a file gives. */
export function pairsOf(
  path: string,
  text: string,
  parsed: ParsedSource,
  random: Random,
): Pair[] {
  const maker = new PairMaker(bare(path), text, parsed, random);
  if (parsed.language === "markdown" || parsed.language === "text") maker.prose();
  else maker.code();
  return maker.pairs;
}

class PairMaker {
  readonly pairs: Pair[] = [];
  #path: string;
  #text: string;
  #parsed: ParsedSource;
  #random: Random;
  #pathWords: string;

  constructor(path: string, text: string, parsed: ParsedSource, random: Random) {
    this.#path = path;
    this.#text = text;
    this.#parsed = parsed;
    this.#random = random;
    this.#pathWords = pathWordsOf(path);
  }

  code(): void {
    const { definitions, chunks } = this.#parsed;
    for (const definition of definitions) this.#definition(definition);
    this.#inlineComments();
    this.#moduleComment();
    if (this.#pathWords && chunks.length > 0) {
      const wanted = Math.min(2, chunks.length);
      for (let count = 0; count < wanted; count++) {
        const chunk = this.#random.pick(chunks);
        this.#add("path", this.#pathWords, this.#text.slice(chunk.start, chunk.end), false);
      }
    }
  }

  prose(): void {
    for (const chunk of this.#parsed.chunks) {
      const text = this.#text.slice(chunk.start, chunk.end);
      const heading = /^#{1,6}\s+(.+)$/m.exec(text);
      if (
        heading && isProse(heading[1]!, 1) && !/licen[sc]e|changelog|install/i.test(heading[1]!)
      ) {
        this.#add("heading", heading[1]!, text.replace(heading[0], ""), true);
      }
      const paragraphs = text.split(/\n\s*\n/).filter((paragraph) =>
        !/^\s*(#|```|\||<|[-*] )/.test(paragraph) && isProse(paragraph, 6)
      );
      if (paragraphs.length > 1 || (paragraphs.length === 1 && text.length > 400)) {
        const paragraph = this.#random.pick(paragraphs);
        this.#add("heading", opening(paragraph), text.replace(paragraph, ""), true);
      }
    }
  }

  #definition(definition: Definition): void {
    const text = this.#text;
    const { kind, declaration, end, name } = definition;
    if (kind === "section" || kind === "key" || end - declaration < SHORTEST_CODE) return;
    const doc = docOf(text, definition, this.#parsed.language);
    const docstring = doc && this.#parsed.language === "python"
      ? docstringOf(text, definition)
      : undefined;
    const code = sliceWithout(text, declaration, end, docstring).slice(0, 2 * WINDOW);
    if (kind === "test") {
      this.#add("test", name, code.replace(name, ""), true);
      return;
    }
    if (doc && isProse(doc, FEWEST_WORDS)) {
      if (this.#random.next() < 0.5) this.#add("doc", opening(doc, 320), code, true);
      else this.#add("doc", opening(doc, 320), this.#windowAround(definition, docstring), true);
    }
    if (kind === "property" || kind === "enum_member") return;
    if (/[a-z][A-Z]|_[a-z]|.{6}/.test(name)) {
      this.#add("name", name, code.replaceAll(name, ""), true);
      if (this.#random.next() < 0.35) {
        const start = Math.max(0, declaration - Math.floor(this.#random.next() * WINDOW / 2));
        this.#add("identifier", name, text.slice(start, start + WINDOW), true);
      }
    }
  }

  /** A window of a chunk's size that holds the definition or its beginning, without its doc comment. */
  #windowAround({ start, declaration, end }: Definition, docstring: Range | undefined): string {
    const text = this.#text;
    const room = Math.max(0, WINDOW - (end - declaration));
    const before = Math.floor(this.#random.next() * room);
    const head = text.slice(Math.max(0, start - before), start);
    const tail = sliceWithout(text, declaration, text.length, docstring);
    return head + tail.slice(0, WINDOW - head.length);
  }

  #inlineComments(): void {
    const text = this.#text;
    // Comments of whole lines, several lines being one; those of definitions are doc comments.
    const pattern = /(?:^[ \t]+(?:\/\/|#)(?![!\/\[])[^\n]*\n)+/gm;
    for (const match of text.matchAll(pattern)) {
      const words = commentText(match[0]);
      if (!isProse(words, 4) || /TODO|FIXME|eslint|noqa|pragma|@ts-|nolint|istanbul/.test(words)) {
        continue;
      }
      const start = match.index;
      const end = start + match[0].length;
      const surroundings = text.slice(Math.max(0, start - AROUND / 2), start) +
        text.slice(end, end + AROUND);
      this.#add("comment", opening(words, 320), surroundings, true);
    }
  }

  #moduleComment(): void {
    const { chunks } = this.#parsed;
    const head =
      /^\s*(?:#![^\n]*\n)?\s*((?:\/\*[\s\S]*?\*\/)|(?:(?:\/\/|#)[^\n]*\n)+|"""[\s\S]*?""")/
        .exec(this.#text.slice(0, 4_000));
    if (!head || /copyright|licen[sc]e|spdx/i.test(head[0])) return;
    const words = head[1]!.startsWith('"""') ? head[1]!.slice(3, -3) : commentText(head[1]!);
    if (!isProse(words, FEWEST_WORDS)) return;
    const rest = chunks.filter((chunk) => chunk.start >= head[0].length);
    if (rest.length === 0) return;
    const chunk = this.#random.pick(rest);
    this.#add("module", opening(words, 320), this.#text.slice(chunk.start, chunk.end), true);
  }

  #add(kind: PairKind, query: string, document: string, mayHavePath: boolean): void {
    if (document.length < SHORTEST_CODE) return;
    const cut = document.slice(0, WINDOW);
    const hasPath = mayHavePath && this.#random.next() < WITH_PATH;
    this.pairs.push({ kind, query, document: hasPath ? `${this.#pathWords}\n${cut}` : cut });
  }
}

type Range = readonly [start: number, end: number];

/** Where the docstring of a Python definition stands. */
function docstringOf(text: string, { body, end }: Definition): Range | undefined {
  const match = /^[:\s]*([rRbBuU]*("""|'''|"|')[\s\S]*?\2)/.exec(text.slice(body, end));
  return match ? [body + match[0].length - match[1]!.length, body + match[0].length] : undefined;
}

/** `text` in `[start, end)` but for a part of it; no more than a few windows are needed of it. */
function sliceWithout(text: string, start: number, end: number, cut: Range | undefined): string {
  const longest = 2 * WINDOW;
  if (!cut) return text.slice(start, Math.min(end, start + longest));
  return text.slice(start, cut[0]) + text.slice(cut[1], Math.min(end, cut[1] + longest));
}

/** The words of a path that tell files apart. */
function pathWordsOf(path: string): string {
  const segments = path.replace(/(\.d)?\.[^./]+$/, "").split("/");
  return segments.filter((segment) => !COMMON_PATH_WORDS.has(segment.toLowerCase())).slice(-4)
    .join(" ");
}

/** Whether a text is words of a language and not code that was commented out. */
function isProse(text: string, fewest: number): boolean {
  const head = text.slice(0, 300);
  const words = head.match(/[A-Za-z]{2,}/g);
  if (!words || words.length < fewest) return false;
  const letters = head.replace(/[^A-Za-z ]/g, "").length;
  return letters >= head.length * 0.75 && !/[{};]\s*$/.test(head);
}
