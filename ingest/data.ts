/**
 * Data: JSON, YAML, TOML, and lines of JSON.
 *
 * Owns their top-level structure and nothing deeper than chunks need. Scanners, not parsers: comments, trailing commas and
 * errors of syntax cost nothing. What must hold: one pass, no recursion, memory in proportion to the objects and arrays,
 * not to the numbers in them.
 */

import type { Definition, Problem } from "./source_file.ts";
import { lineAt, lineStarts, type Syntax, type SyntaxTree } from "./syntax_tree.ts";

/** Keys of a file that become definitions; more is a table of data, not a structure that anybody asks for by name. */
const MAX_KEYS = 200;
/** Bad lines of a JSONL file that are reported one by one. */
const MAX_BAD_LINES = 20;

interface Key {
  readonly name: string;
  readonly start: number;
  readonly nameStart: number;
  readonly body: number;
  end: number;
}

function define(text: string, lines: readonly number[], keys: readonly Key[]): Definition[] {
  const definitions: Definition[] = [];
  for (const { name, start, nameStart, body, end } of keys.slice(0, MAX_KEYS)) {
    let last = end;
    while (last > nameStart + 1 && /\s/.test(text[last - 1]!)) last--;
    definitions.push({
      name,
      kind: "key",
      container: [],
      start,
      declaration: start,
      nameStart,
      body: Math.min(body, last),
      end: last,
      startLine: lineAt(lines, start),
      endLine: lineAt(lines, last - 1),
      exported: true,
    });
  }
  return definitions;
}

function syntax<N>(
  tree: SyntaxTree<N>,
  definitions: Definition[],
  problems: Problem[] = [],
): Syntax<N> {
  return {
    tree,
    nodeType: "object",
    definitions,
    scopes: [],
    imports: [],
    importRanges: [],
    problems,
  };
}

// --- JSON ----------------------------------------------------------------------------------------

/** Objects and arrays in the order in which they open; what lies between them is left to the lines. */
class Containers implements SyntaxTree<number> {
  readonly root = 0;
  private readonly starts: number[] = [0];
  private readonly ends: number[];
  /** Index behind the last descendant. */
  private readonly behind: number[] = [0];

  constructor(length: number) {
    this.ends = [length];
  }

  open(start: number): number {
    this.starts.push(start);
    this.ends.push(-1);
    this.behind.push(-1);
    return this.starts.length - 1;
  }

  close(node: number, end: number): void {
    this.ends[node] = end;
    this.behind[node] = this.starts.length;
  }

  start(node: number): number {
    return this.starts[node]!;
  }

  end(node: number): number {
    return this.ends[node]!;
  }

  children(node: number): number[] {
    const children: number[] = [];
    for (let at = node + 1; at < this.behind[node]!; at = this.behind[at]!) children.push(at);
    return children;
  }
}

/** JSON, with or without comments. */
export function readJson(text: string): Syntax<number> {
  const tree = new Containers(text.length);
  const keys: Key[] = [];
  const stack: number[] = [];
  /** Where the member or element at hand began: containers begin with their key. */
  let begin = -1;
  let isKey = false;
  let key: { start: number; end: number } | undefined;
  let current: Key | undefined;
  let last = 0;
  let at = 0;
  const length = text.length;
  const isTop = () => stack.length === 1;
  while (at < length) {
    const code = text.charCodeAt(at);
    switch (code) {
      case 34: // "
      case 39: { // '
        const end = stringEnd(text, at, code);
        if (begin === -1) begin = at;
        if (isKey) key = { start: at, end };
        at = last = end;
        continue;
      }
      case 47: // /
        if (text.charCodeAt(at + 1) === 47) {
          const newline = text.indexOf("\n", at);
          at = newline === -1 ? length : newline;
          continue;
        }
        if (text.charCodeAt(at + 1) === 42) {
          const close = text.indexOf("*/", at + 2);
          at = close === -1 ? length : close + 2;
          continue;
        }
        break;
      case 123: // {
      case 91: // [
        stack.push(tree.open(begin === -1 ? at : begin));
        begin = -1;
        isKey = code === 123;
        key = undefined;
        break;
      case 125: // }
      case 93: { // ]
        const node = stack.pop();
        if (node !== undefined) tree.close(node, at + 1);
        if (current && stack.length === 0) {
          current.end = last;
          current = undefined;
        }
        begin = -1;
        isKey = false;
        last = at + 1;
        break;
      }
      case 58: // :
        if (isKey && key && isTop() && keys.length < MAX_KEYS) {
          const name = text.slice(key.start + 1, key.end - 1);
          current = { name, start: key.start, nameStart: key.start + 1, body: at + 1, end: length };
          keys.push(current);
        }
        isKey = false;
        break;
      case 44: // ,
        if (current && isTop()) {
          current.end = last;
          current = undefined;
        }
        begin = -1;
        // Inside an array a string in front of `:` is no key, and there is no `:`.
        isKey = stack.length > 0;
        key = undefined;
        break;
      default:
        if (code > 32 && code !== 0xfeff) {
          if (begin === -1) begin = at;
          last = at + 1;
        }
    }
    at++;
  }
  while (stack.length > 0) tree.close(stack.pop()!, length);
  tree.close(0, length);
  if (current) current.end = Math.max(last, current.body);
  return syntax(tree, define(text, lineStarts(text), keys.filter((found) => found.name !== "")));
}

/** Behind the closing quote; a string does not go over the end of its line. */
function stringEnd(text: string, start: number, quote: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 92) at += 2;
    else if (code === quote) return at + 1;
    else if (code === 10) return at;
    else at++;
  }
  return text.length;
}

// --- YAML and TOML -------------------------------------------------------------------------------

interface Entry {
  readonly start: number;
  readonly end: number;
}

function flat(text: string, keys: readonly Key[], starts: readonly number[]): Syntax<Entry> {
  const entries: Entry[] = [];
  for (let index = 0; index < starts.length; index++) {
    let end = starts[index + 1] ?? text.length;
    // What stands above the next entry belongs to it.
    while (end > starts[index]!) {
      const line = end < 2 ? 0 : text.lastIndexOf("\n", end - 2) + 1;
      if (line <= starts[index]! || !/^(?:#|\s*$)/.test(text.slice(line, end))) break;
      end = line;
    }
    entries.push({ start: starts[index]!, end });
  }
  const root: Entry = { start: 0, end: text.length };
  const tree: SyntaxTree<Entry> = {
    root,
    start: (node) => node.start,
    end: (node) => node.end,
    children: (node) => node === root ? entries : [],
  };
  for (const key of keys) {
    const entry = entries.findLast((candidate) => candidate.start <= key.start);
    if (entry) key.end = Math.min(key.end, Math.max(entry.end, key.body));
  }
  return syntax(tree, define(text, lineStarts(text), keys));
}

const YAML_KEY =
  /(?:"([^"\n]+)"|'([^'\n]+)'|((?:[^\s#&*!|>'"%@`{}[\],-]|-(?=[^\s]))(?:[^\n:#]|:(?=[^\s])|(?<=\S)#)*?))[ \t]*:(?=[ \t\r\n]|$)/y;

/** YAML: keys and items that are not indented. */
export function readYaml(text: string): Syntax<Entry> {
  const keys: Key[] = [];
  const starts: number[] = [];
  for (const line of lineStarts(text)) {
    const at = line === 0 && text.charCodeAt(0) === 0xfeff ? 1 : line;
    const code = text.charCodeAt(at);
    // Indented, empty, a comment, the end of something.
    if (!(code > 32) || code === 35 || code === 93 || code === 125) continue;
    if (text.startsWith("---", at) || text.startsWith("...", at) || code === 37) {
      if (keys.length > 0) keys.at(-1)!.end = Math.min(keys.at(-1)!.end, line);
      starts.push(at);
      continue;
    }
    const isItem = code === 45 && !(text.charCodeAt(at + 1) > 32);
    YAML_KEY.lastIndex = at;
    const match = isItem ? null : YAML_KEY.exec(text);
    if (!match && !isItem) continue;
    // `- items` under a key need no indentation.
    if (isItem && keys.length > 0 && keys.at(-1)!.end === text.length) continue;
    starts.push(at);
    if (!match) continue;
    const name = (match[1] ?? match[2] ?? match[3] ?? "").trim();
    if (keys.length > 0) keys.at(-1)!.end = Math.min(keys.at(-1)!.end, line);
    if (keys.length < MAX_KEYS || keys.at(-1)!.end === text.length) {
      const nameStart = match[3] === undefined ? at + 1 : at;
      keys.push({ name, start: at, nameStart, body: at + match[0].length, end: text.length });
    }
  }
  return flat(text, keys, starts);
}

const TOML_LINE =
  /\[\[?\s*([^\]\n]+?)\s*\]\]?|((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*=/y;

/** TOML: tables, and keys in front of the first. */
export function readToml(text: string): Syntax<Entry> {
  const keys: Key[] = [];
  const starts: number[] = [];
  let inTable = false;
  let quote = "";
  let depth = 0;
  for (const line of lineStarts(text)) {
    const newline = text.indexOf("\n", line);
    const content = text.slice(line, newline === -1 ? text.length : newline);
    const isOpen = quote !== "" || depth > 0;
    const indent = content.length - content.trimStart().length;
    const at = line + indent;
    TOML_LINE.lastIndex = at;
    const match = isOpen ? null : TOML_LINE.exec(text);
    if (match && (match[1] !== undefined || !inTable)) {
      if (keys.length > 0) keys.at(-1)!.end = Math.min(keys.at(-1)!.end, line);
      const name = (match[1] ?? match[2]!).replace(/\s*\.\s*/g, ".").replace(/["']/g, "");
      const nameStart = at + match[0].indexOf(match[1] ?? match[2]!);
      inTable = match[1] !== undefined;
      starts.push(at);
      if (keys.length < MAX_KEYS) {
        keys.push({ name, start: at, nameStart, body: at + match[0].length, end: text.length });
      }
    }
    ({ quote, depth } = tomlState(content, quote, depth, match?.[1] !== undefined));
  }
  return flat(text, keys, starts);
}

/** Whether a string or an array is still open behind a line. */
function tomlState(
  line: string,
  quote: string,
  depth: number,
  isTable: boolean,
): { quote: string; depth: number } {
  for (let at = 0; at < line.length && !isTable;) {
    if (quote !== "") {
      const end = line.indexOf(quote, at);
      if (end === -1) return { quote, depth };
      at = end + 3;
      quote = "";
      continue;
    }
    const character = line[at]!;
    if (character === "#") break;
    if (character === '"' || character === "'") {
      if (line.startsWith(character.repeat(3), at)) {
        quote = character.repeat(3);
        at += 3;
      } else at = stringEnd(line, at, character.charCodeAt(0));
      continue;
    }
    if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth = Math.max(0, depth - 1);
    at++;
  }
  return { quote, depth };
}

// --- lines of JSON -------------------------------------------------------------------------------

/** JSONL: every line a value of its own; one that is not is reported and kept. */
export function readJsonLines(path: string, text: string): Syntax<Entry> {
  const problems: Problem[] = [];
  const entries: Entry[] = [];
  const starts = lineStarts(text);
  let bad = 0;
  starts.forEach((start, index) => {
    const end = starts[index + 1] ?? text.length;
    const line = text.slice(start, end).trim().replace(/^\ufeff/, "");
    if (line === "") return;
    entries.push({ start, end });
    try {
      JSON.parse(line);
    } catch {
      if (++bad > MAX_BAD_LINES) return;
      const isTorn = index === starts.length - 1;
      problems.push({
        path,
        line: index + 1,
        reason: isTorn
          ? `read last line of "${path}": torn, it ends inside a JSON value`
          : `read line ${index + 1} of "${path}": not a JSON value`,
      });
    }
  });
  if (bad > MAX_BAD_LINES) {
    problems.push({
      path,
      reason:
        `read "${path}": ${bad} lines are not JSON values, the first ${MAX_BAD_LINES} are listed`,
    });
  }
  const root: Entry = { start: 0, end: text.length };
  const tree: SyntaxTree<Entry> = {
    root,
    start: (node) => node.start,
    end: (node) => node.end,
    children: (node) => node === root ? entries : [],
  };
  return { ...syntax(tree, [], problems), nodeType: "lines" };
}
