/**
 * Every other language through tree-sitter: grammars compiled to WebAssembly.
 *
 * Owns the loading of the runtime and of the grammars, and the tree as the chunker sees it; what the nodes of a language
 * mean is in the `definitions_*.ts` files. What must hold: a grammar is loaded once, on first use; every tree is freed; offsets
 * are UTF-16 indices, as the runtime gives them.
 */

import { findPackageJSON } from "node:module";
import { readFile } from "node:fs/promises";
import type * as sitter from "@vscode/tree-sitter-wasm";
import { parseKnown } from "./grammar_gaps.ts";
import { lastContent } from "./definitions_walk.ts";
import { hasTrailingComments, readDefinitions } from "./tree_sitter_languages.ts";
import { lineAt, lineStarts, type Syntax, type SyntaxTree } from "./syntax_tree.ts";
import type { Problem } from "./source_file.ts";

type Node = sitter.Node;

/** A grammar ready to parse. */
export interface Grammar {
  readonly name: string;
  readonly parser: sitter.Parser;
}

/** The package that has most grammars, and its folder of them. */
const COMMON = "@vscode/tree-sitter-wasm/wasm";
/** Grammars that it lacks. A name that is computed is downloaded by those alone who meet the language. */
const OTHER_PACKAGES: Readonly<Record<string, string>> = {
  kotlin: "@tree-sitter-grammars/tree-sitter-kotlin",
  swift: "@repomix/tree-sitter-wasms/out",
  scala: "@cursorless/tree-sitter-wasms/out",
  lua: "@cursorless/tree-sitter-wasms/out",
  elixir: "@cursorless/tree-sitter-wasms/out",
  zig: "@cursorless/tree-sitter-wasms/out",
  haskell: "@cursorless/tree-sitter-wasms/out",
};

/** A parse that takes longer has met a grammar's worst case: the file falls back to lines. */
const PARSE_LIMIT_MS = 10_000;

let runtime: Promise<typeof sitter> | undefined;
const grammars = new Map<string, Promise<Grammar>>();

function loadRuntime(): Promise<typeof sitter> {
  return runtime ??= (async () => {
    const module = await import("@vscode/tree-sitter-wasm");
    // A CommonJS package: what it exports is the default.
    const found = (module as unknown as { default: typeof sitter }).default;
    await found.Parser.init();
    return found;
  })();
}

/** The manifest of a package, if it is there. */
function installed(name: string): string | undefined {
  try {
    return findPackageJSON(name, import.meta.url);
  } catch {
    return undefined;
  }
}

/**
 * A folder of an installed package, which is downloaded if need be.
 *
 * Deno then notes the package in its lock file. Where that cannot be written it throws, though the package is there.
 */
async function folderOf(place: string): Promise<string> {
  const [name, folder = ""] = /^(@[^/]+\/[^/]+)(?:\/(.*))?$/.exec(place)!.slice(1) as [
    string,
    string?,
  ];
  let failed: unknown;
  if (place !== COMMON) {
    await import(`${name}/package.json`, { with: { type: "json" } }).catch((error) =>
      failed = error
    );
  }
  const manifest = installed(name);
  if (manifest === undefined) throw failed ?? new Error(`find package "${name}": not installed`);
  return `${manifest.slice(0, manifest.lastIndexOf("package.json"))}${folder}/`;
}

/** A grammar by its name in `languages.ts`. */
export function loadGrammar(name: string): Promise<Grammar> {
  let grammar = grammars.get(name);
  if (!grammar) {
    grammar = (async () => {
      const { Parser, Language } = await loadRuntime();
      const folder = await folderOf(OTHER_PACKAGES[name] ?? COMMON);
      const language = await Language.load(await readFile(`${folder}tree-sitter-${name}.wasm`));
      const parser = new Parser();
      parser.setLanguage(language);
      return { name, parser };
    })();
    grammars.set(name, grammar);
  }
  return grammar;
}

/** Reads one file. */
export function readTreeSitter(
  { name, parser }: Grammar,
  path: string,
  text: string,
): Syntax<Node> {
  const deadline = performance.now() + PARSE_LIMIT_MS;
  const parse = (known: string) => {
    // The declaration says void; the runtime stops where it gets true.
    const tree = parser.parse(known, null, {
      progressCallback: () => (performance.now() > deadline) as unknown as void,
    });
    if (tree) return tree;
    parser.reset();
    throw new Error(`no tree within ${PARSE_LIMIT_MS / 1000} s`);
  };
  const parsed = parseKnown(name, text, parse)!;
  try {
    const root = parsed.rootNode;
    const lines = lineStarts(text);
    const found = readDefinitions(name, text, root, lines);
    return {
      tree: tree(root, hasTrailingComments(name) ? text : undefined),
      lines,
      definitions: found.definitions,
      scopes: found.scopes,
      imports: found.imports,
      importRanges: found.importRanges,
      problems: root.hasError ? problems(path, root, lines) : [],
      dispose: () => parsed.delete(),
    };
  } catch (error) {
    parsed.delete();
    throw error;
  }
}

/** Nodes that belong to what follows them. */
const LEADING = new Set([
  "comment",
  "line_comment",
  "block_comment",
  "multiline_comment",
  "haddock",
  "attribute_item",
  "inner_attribute_item",
  "access_specifier",
  "shebang",
]);

/** Nodes that are cut by lines, whatever they are made of. */
const LEAVES = new Set([
  "string",
  "string_literal",
  "raw_string_literal",
  "interpreted_string_literal",
  "verbatim_string_literal",
  "multiline_string_literal",
  "encapsed_string",
  "heredoc_body",
  "nowdoc_body",
  "token_tree",
  "preproc_arg",
]);

/** @param trailing the text, where nodes reach over the comments behind them */
function tree(root: Node, trailing: string | undefined): SyntaxTree<Node> {
  return {
    root,
    start: (node) => node.startIndex,
    end: (node) =>
      trailing === undefined || node.id === root.id
        ? node.endIndex
        : lastContent(node, trailing).end,
    children: (node) => {
      const children: Node[] = [];
      if (LEAVES.has(node.type)) return children;
      for (const child of node.namedChildren) {
        if (child && !LEADING.has(child.type) && child.endIndex > child.startIndex) {
          children.push(child);
        }
      }
      return children;
    },
  };
}

/** The first syntax error, found by following the nodes that hold one. */
function problems(path: string, root: Node, lines: readonly number[]): Problem[] {
  let node = root;
  for (;;) {
    const next: Node | null | undefined = node.isError || node.isMissing
      ? null
      : node.children.find((child) => child && (child.hasError || child.isMissing));
    if (!next) break;
    node = next;
  }
  const what = node.isMissing ? `missing "${node.type}"` : "unexpected text";
  const line = lineAt(lines, node.startIndex);
  return [{ path, line, reason: `parse "${path}": syntax error: ${what}` }];
}
