/**
 * One text in, everything ingest knows about it out: language, chunks, definitions, imports, problems.
 *
 * Owns the choice of the reader and what a chunk is called. No I/O but the loading of grammars. What must hold: it never
 * throws for what a text contains; a parser that fails costs the structure of the file, not the file.
 */

import { chunk, type ChunkOptions, DEFAULT_MAX_TOKENS, type Piece } from "./chunk.ts";
import { readComponent } from "./component.ts";
import { readJson, readJsonLines, readToml, readYaml } from "./data.ts";
import { type Language, languageFor } from "./languages.ts";
import { tokens } from "./measure.ts";
import { readProse } from "./prose.ts";
import type { Chunk, Definition, Import, Problem } from "./source_file.ts";
import { lineAt, lineStarts, type Scope, type Syntax } from "./syntax_tree.ts";
import { loadTypeScript, readTypeScript } from "./syntax_typescript.ts";
import { loadGrammar, readTreeSitter } from "./syntax_treesitter.ts";
import { Aliases } from "./aliases.ts";

export type { ChunkOptions };

/** Longer texts are generated, and the parsers take tens of seconds for the worst of them: they are cut by lines. */
const MAX_PARSED = 8_000_000;

/** What a text turned out to hold. */
export interface ParsedSource {
  readonly language: string;
  readonly chunks: readonly Chunk[];
  readonly definitions: readonly Definition[];
  readonly imports: readonly Import[];
  readonly problems: readonly Problem[];
}

/** Parses a text, wherever that happens: `parse` is one of them. */
export type Parse = (
  path: string,
  text: string,
  options?: ChunkOptions,
) => Promise<ParsedSource>;

/** Parses nothing: for whoever only asks which files are new or changed, and needs no parser for that. */
export const unparsed: Parse = (path, text) =>
  Promise.resolve({
    language: languageFor(path, text).name,
    chunks: [],
    definitions: [],
    imports: [],
    problems: [],
  });

/** Whether a text is read by a grammar of tree-sitter. */
export function parsedByGrammar(path: string, text: string): boolean {
  return languageFor(path, text).reader === "tree-sitter";
}

/** Nothing but lines. */
const PLAIN: Syntax = {
  tree: null,
  nodeType: "lines",
  definitions: [],
  scopes: [],
  imports: [],
  importRanges: [],
  problems: [],
};

/** Reads a text, cuts it, and names its parts. `path` decides the language and is quoted in problems. */
export async function parse(
  path: string,
  text: string,
  options: ChunkOptions = {},
): Promise<ParsedSource> {
  const language = languageFor(path, text);
  const { maxSize = DEFAULT_MAX_TOKENS, measure = tokens } = options;
  let syntax: Syntax = PLAIN;
  let pieces: Piece[];
  try {
    syntax = await read(language, path, text);
    pieces = chunk(text, syntax.tree, { maxSize, measure });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    syntax = {
      ...PLAIN,
      problems: [{ path, reason: `parse "${path}" as ${language.name}: ${reason}; kept by lines` }],
    };
    pieces = chunk(text, null, { maxSize, measure });
  } finally {
    syntax.dispose?.();
  }
  const { definitions, imports, problems } = syntax;
  const chunks = describe(text, pieces, syntax);
  return { language: language.name, chunks, definitions, imports, problems };
}

function read(language: Language, path: string, text: string): Syntax | Promise<Syntax> {
  const isParsed = language.reader === "typescript" || language.reader === "tree-sitter";
  if (isParsed && text.length > MAX_PARSED) {
    throw new RangeError(`${text.length} characters, more than the ${MAX_PARSED} that are parsed`);
  }
  switch (language.reader) {
    case "typescript":
      return loadTypeScript().then((compiler) => readTypeScript(compiler, path, text) as Syntax);
    case "tree-sitter":
      return loadGrammar(language.grammar!).then((grammar) =>
        readTreeSitter(grammar, path, text) as Syntax
      );
    case "component":
      return loadTypeScript().then((compiler) =>
        readComponent(compiler, language.name, path, text) as Syntax
      );
    case "prose":
      return readProse(language.name, text);
    case "json":
      return readJson(text) as Syntax;
    case "yaml":
      return readYaml(text) as Syntax;
    case "toml":
      return readToml(text) as Syntax;
    case "jsonl":
      return readJsonLines(path, text) as Syntax;
    case "lines":
      return PLAIN;
  }
}

/** Something with a name and an extent that a chunk can be called after or lie in. */
type Named = Definition | Scope;

/** By where they begin, the outer before the inner. */
function byPlace(definitions: readonly Definition[], scopes: readonly Scope[]): readonly Named[] {
  const order = (a: Named, b: Named) => a.start - b.start || b.end - a.end;
  const isOrdered = scopes.length === 0 &&
    definitions.every((definition, index) =>
      index === 0 || order(definitions[index - 1]!, definition) <= 0
    );
  return isOrdered ? definitions : [...definitions, ...scopes].sort(order);
}

/** Gives every piece its lines, its name, its scopes and its dependencies. */
function describe(text: string, pieces: readonly Piece[], syntax: Syntax): Chunk[] {
  const lines = syntax.lines ?? lineStarts(text);
  const named = byPlace(syntax.definitions, syntax.scopes);
  const aliases = syntax.imports.length > 0 ? new Aliases(syntax.imports) : undefined;
  const plain = syntax.nodeType ?? "code";
  /** Scopes that are open where the piece begins, outermost first. */
  const open: Named[] = [];
  let next = 0;
  let range = 0;
  const { importRanges } = syntax;
  return pieces.map(({ start, end, size }) => {
    while (open.length > 0 && open[open.length - 1]!.end <= start) open.pop();
    const outer = open.filter((scope) => scope.end > start);
    let main: Named | undefined;
    let mainSize = 0;
    for (; next < named.length && named[next]!.start < end; next++) {
      const candidate = named[next]!;
      const covered = Math.min(candidate.end, end) - candidate.start;
      if (covered > mainSize) {
        main = candidate;
        mainSize = covered;
      }
      if (candidate.end > end) open.push(candidate);
    }
    let imported = 0;
    while (range < importRanges.length && importRanges[range + 1]! <= end) {
      imported += importRanges[range + 1]! - Math.max(importRanges[range]!, start);
      range += 2;
    }
    let nodeType: string = main?.kind ?? plain;
    let nodeName = main?.name ?? "";
    const parents = main ? outer.filter((scope) => scope.end >= main!.end) : outer;
    if (imported > 0 && imported > mainSize && imported * 2 > end - start) {
      nodeType = "imports";
      nodeName = "";
    } else if (!main && parents.length > 0) {
      // A part of something large is called after it.
      const inner = parents.pop()!;
      nodeType = inner.kind;
      nodeName = inner.name;
    }
    return {
      start,
      end,
      startLine: lineAt(lines, start),
      endLine: lineAt(lines, end - 1),
      nodeType,
      nodeName,
      parentNodes: parents.map((scope) => scope.name),
      dependencies: aliases ? aliases.usedIn(text, start, end) : [],
      size,
    };
  });
}
