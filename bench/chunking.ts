/**
 * `bench chunking`: chunks along the syntax tree beside LangChain's recursive splitter, at the same size in the same measure.
 *
 * A definition is a function, method, class, interface, struct, trait or enum that would fit into one chunk; it is **whole**
 * if one chunk holds all of it, **documented** if that chunk holds its doc comment too. **fill** is the mean size of the
 * chunks of files that need several, as a share of the largest. **at line starts** is the share of chunks that begin where a
 * line does, its indentation aside; **identical** the share of files that the chunks give back byte for byte. Speed is the
 * whole of `parse`, which finds definitions and imports as well, beside splitting alone.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  countTokens,
  decodeText,
  DEFAULT_MAX_TOKENS,
  languageOf,
  parse,
  type ParsedSource,
  tokens,
} from "../ingest/mod.ts";
import { filesBelow } from "./corpora.ts";
import { median } from "./process.ts";

/** Names of our languages in LangChain's table of separators. */
const SEPARATORS = {
  typescript: "js",
  tsx: "js",
  javascript: "js",
  jsx: "js",
  python: "python",
  go: "go",
  rust: "rust",
  java: "java",
  c: "cpp",
  cpp: "cpp",
  ruby: "ruby",
  php: "php",
} as const;

const KINDS = new Set(["function", "method", "class", "interface", "struct", "trait", "enum"]);
/** Larger files are generated, and say nothing about source that people write. */
const MAX_CHARACTERS = 500_000;
const ROUNDS = 3;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly separators: typeof SEPARATORS[keyof typeof SEPARATORS];
  readonly parsed: ParsedSource;
}

/** `[start, end)` of the chunks of a file, ascending. */
type Cuts = readonly (readonly [number, number])[];

type Splitter = (source: Source) => Promise<Cuts> | Cuts;

/** Figures for every corpus, by splitter. */
export async function benchChunking(
  corpora: readonly { readonly name: string; readonly dir: string }[],
): Promise<object> {
  const result: Record<string, object> = {};
  for (const { name, dir } of corpora) {
    const sources = await read(dir);
    if (sources.length === 0) continue;
    const characters = sources.reduce((sum, { text }) => sum + text.length, 0);
    const counted = sources.reduce((sum, { text }) => sum + countTokens(text), 0);
    // What the same number of tokens is in characters, in the mean over this corpus.
    const inCharacters = Math.round(DEFAULT_MAX_TOKENS * characters / counted);
    const splitters: Record<string, Splitter> = {
      batos: async ({ path, text }) =>
        (await parse(path, text)).chunks.map(({ start, end }) => [start, end] as const),
      langchain_by_tokens: recursive(DEFAULT_MAX_TOKENS, countTokens),
      langchain_by_characters: recursive(inCharacters, (text) => text.length),
    };
    const figures: Record<string, object> = {};
    const times: Record<string, number[]> = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const [splitter, split] of Object.entries(splitters)) {
        const all: Cuts[] = [];
        const began = performance.now();
        for (const source of sources) all.push(await split(source));
        (times[splitter] ??= []).push(performance.now() - began);
        if (round === 0) figures[splitter] = judge(sources, all);
      }
    }
    const speed = (splitter: string) => characters / 1e3 / median(times[splitter]!);
    for (const splitter of Object.keys(splitters)) {
      figures[splitter] = {
        ...figures[splitter],
        mb_per_s: round(speed(splitter)),
        speed_ratio: round(speed("batos") / speed(splitter)),
      };
    }
    result[name] = { files: sources.length, max_tokens: DEFAULT_MAX_TOKENS, splitters: figures };
  }
  return result;
}

/** The source files of a folder that both splitters know. */
async function read(dir: string): Promise<Source[]> {
  const sources: Source[] = [];
  for (const path of filesBelow(dir)) {
    const separators = SEPARATORS[languageOf(path) as keyof typeof SEPARATORS];
    if (separators === undefined) continue;
    const text = decodeText(readFileSync(join(dir, path)))?.text;
    if (text === undefined || text === "" || text.length > MAX_CHARACTERS) continue;
    sources.push({ path, text, separators, parsed: await parse(path, text) });
  }
  return sources;
}

/** What is used of LangChain's splitter. */
interface Recursive {
  fromLanguage(
    separators: string,
    options: {
      chunkSize: number;
      chunkOverlap: number;
      lengthFunction: (text: string) => number;
    },
  ): { splitText(text: string): Promise<string[]> };
}
/** Computed, so that only who runs this fetches it: forty megabytes with what it needs. */
const LANGCHAIN = "@langchain/textsplitters";

/** LangChain's splitter with the separators of the language and no overlap. */
function recursive(chunkSize: number, lengthFunction: (text: string) => number): Splitter {
  return async ({ text, separators }) => {
    const { RecursiveCharacterTextSplitter } = await import(LANGCHAIN) as {
      RecursiveCharacterTextSplitter: Recursive;
    };
    const splitter = RecursiveCharacterTextSplitter.fromLanguage(separators, {
      chunkSize,
      chunkOverlap: 0,
      lengthFunction,
    });
    const cuts: [number, number][] = [];
    let at = 0;
    for (const piece of await splitter.splitText(text)) {
      // It gives texts without their places, trimmed; without overlap each follows the one before it.
      const start = text.indexOf(piece, at);
      if (start === -1) continue;
      at = start + piece.length;
      cuts.push([start, at]);
    }
    return cuts;
  };
}

function judge(sources: readonly Source[], all: readonly Cuts[]): object {
  let chunks = 0, filled = 0, several = 0, atLine = 0, identical = 0, tooLarge = 0;
  let fitting = 0, whole = 0, withDocs = 0, documented = 0;
  sources.forEach(({ text, parsed }, index) => {
    const cuts = all[index]!;
    const size = tokens(text);
    chunks += cuts.length;
    let behind = 0;
    for (const [start, end] of cuts) {
      if (start === behind) behind = end;
      if (/^\s*$/.test(text.slice(text.lastIndexOf("\n", start - 1) + 1, start))) atLine++;
      if (size(start, end) > DEFAULT_MAX_TOKENS) tooLarge++;
      if (cuts.length === 1) continue;
      several++;
      filled += size(start, end) / DEFAULT_MAX_TOKENS;
    }
    if (behind === text.length) identical++;
    const holder = (offset: number) =>
      cuts.findIndex(([start, end]) => start <= offset && offset < end);
    for (const { kind, start, declaration, end } of parsed.definitions) {
      if (!KINDS.has(kind) || size(declaration, end) > DEFAULT_MAX_TOKENS) continue;
      fitting++;
      const chunk = holder(declaration);
      const isWhole = chunk !== -1 && chunk === holder(end - 1);
      if (isWhole) whole++;
      if (start === declaration || size(start, end) > DEFAULT_MAX_TOKENS) continue;
      withDocs++;
      if (isWhole && chunk === holder(start)) documented++;
    }
  });
  return {
    chunks,
    definitions_whole: round(whole / fitting),
    definitions_documented: round(documented / withDocs),
    fill: round(filled / several),
    at_line_starts: round(atLine / chunks),
    too_large: tooLarge,
    identical_files: round(identical / sources.length),
  };
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
