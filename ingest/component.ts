/**
 * Components that hold scripts: Vue, Svelte, Astro.
 *
 * Owns the finding of the scripts inside a file. What must hold: a script is read by the compiler at its place in the file,
 * so that offsets and lines need no shifting; markup and styles stay as they are, cut by lines.
 */

import type { ts } from "ts-morph";
import type { SyntaxTree } from "./syntax_tree.ts";
import { lineStarts, type Syntax } from "./syntax_tree.ts";
import { readTypeScript } from "./syntax_typescript.ts";

/** A script with its tags, or what stands between two. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly script?: SyntaxTree<ts.Node>;
}

type Node = Part | ts.Node;

const SCRIPT = /<script\b([^>]*)>([^]*?)<\/script\s*>/gi;
const FRONT_MATTER = /^\ufeff?---\r?\n([^]*?)^---[ \t]*$/m;

/** Reads the scripts of a component; `language` is its name in the table of languages. */
export function readComponent(
  compiler: typeof ts,
  language: string,
  path: string,
  text: string,
): Syntax<Node> {
  const found: Syntax<ts.Node>[] = [];
  const parts: Part[] = [];
  let behind = 0;
  const add = (start: number, end: number, from: number, to: number, isTyped: boolean) => {
    // The compiler sees the script alone, at its place.
    const alone = blank(text.slice(0, from)) + text.slice(from, to);
    const syntax = readTypeScript(compiler, `${path}.${isTyped ? "ts" : "js"}`, alone);
    found.push(syntax);
    if (start > behind) parts.push({ start: behind, end: start });
    parts.push({ start, end, ...(syntax.tree && { script: syntax.tree }) });
    behind = end;
  };
  const front = language === "astro" ? FRONT_MATTER.exec(text) : null;
  if (front?.index === 0) {
    const from = text.indexOf("\n") + 1;
    add(0, front[0].length, from, from + front[1]!.length, true);
  }
  for (const match of text.matchAll(SCRIPT)) {
    if (match.index < behind) continue;
    const end = match.index + match[0].length;
    const from = match.index + match[0].indexOf(">") + 1;
    const isTyped = language === "astro" || /\blang\s*=\s*["']?tsx?\b/.test(match[1]!);
    add(match.index, end, from, from + match[2]!.length, isTyped);
  }
  if (behind < text.length) parts.push({ start: behind, end: text.length });
  return {
    tree: tree(parts, text.length),
    lines: lineStarts(text),
    definitions: found.flatMap(({ definitions }) => definitions),
    scopes: [],
    imports: found.flatMap(({ imports }) => imports),
    importRanges: found.flatMap(({ importRanges }) => importRanges),
    problems: found.flatMap(({ problems }) => problems.map((problem) => ({ ...problem, path }))),
  };
}

/** As many white characters, on as many lines. */
function blank(text: string): string {
  return text.replace(/[^\r\n]/g, " ");
}

function tree(parts: readonly Part[], length: number): SyntaxTree<Node> {
  const root: Part = { start: 0, end: length };
  const isPart = (node: Node): node is Part => !("kind" in node);
  const scriptOf = (node: ts.Node) =>
    parts.find(({ script, end }) => script !== undefined && node.pos < end)!.script!;
  return {
    root,
    start: (node) => isPart(node) ? node.start : scriptOf(node).start(node),
    end: (node) => node.end,
    children: (node) => {
      if (node === root) return parts;
      if (!isPart(node)) return scriptOf(node).children(node);
      return node.script ? node.script.children(node.script.root) : [];
    },
  };
}
