/**
 * The walk over a tree-sitter tree that the rules of all grammars share.
 *
 * Owns what is collected, where doc comments and attributes are found, and the building blocks that rules are made of. What
 * must hold: only nodes that can hold definitions are opened, since every node costs a call into WebAssembly; a node without
 * a rule is passed over.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import type { Definition, DefinitionKind, Import } from "./source_file.ts";
import { lineAt, type Scope } from "./syntax_tree.ts";

/** How deep definitions are looked for. */
const MAX_DEPTH = 200;

/** What the walk collects. */
export interface Found {
  readonly definitions: Definition[];
  readonly scopes: Scope[];
  readonly imports: Import[];
  readonly importRanges: number[];
}

/** Reads a node: defines, imports, or opens it. */
export type Rule = (walk: Walk, node: Node) => void;

/** What the nodes of one grammar mean, by their type. */
export interface Rules {
  readonly nodes: Readonly<Record<string, Rule>>;
  /** Nodes in front of a definition that belong to it, comments aside. */
  readonly attributes?: ReadonlySet<string>;
  /** Whether comments begin with `#`, and those at the top of a body stand outside of it. */
  readonly hashComments?: true;
  /** Whether a name is visible outside, where no modifier says so. */
  readonly exported: (walk: Walk, node: Node, name: string) => boolean;
}

/** What comments are called, over all grammars. */
export const COMMENTS = new Set(["comment", "line_comment", "block_comment", "multiline_comment"]);

/** One walk over one file: where it is, and what it has found. */
export class Walk implements Found {
  readonly definitions: Definition[] = [];
  readonly scopes: Scope[] = [];
  readonly imports: Import[] = [];
  readonly importRanges: number[] = [];
  /** Replaced, never changed: definitions share it. */
  container: readonly string[] = [];
  /** Kind of the definition around the node at hand; undefined at the top of a file. */
  owner: DefinitionKind | undefined;
  ownerExported = true;
  /** Ruby's `private`, C++'s `public:` hold until the next. */
  section = "";
  private docs = 0;
  private depth = 0;

  constructor(
    private readonly rules: Rules,
    readonly text: string,
    private readonly lines: readonly number[],
  ) {}

  /** Reads the children of a node, keeping track of the comments in front of each; `given` is where those of the first begin. */
  open(node: Node | null | undefined, given = -1): void {
    if (!node || this.depth >= MAX_DEPTH) return;
    this.depth++;
    const { attributes, nodes } = this.rules;
    // A comment in front of the whole belongs to its first part only where that begins the whole.
    let docs = node.firstNamedChild?.startIndex === node.startIndex ? given : -1;
    if (docs === -1 && this.rules.hashComments) docs = this.hashesAbove(node.startIndex);
    let end = node.startIndex;
    for (const child of node.namedChildren) {
      if (!child) continue;
      const type = child.type;
      const start = child.startIndex;
      const isComment = COMMENTS.has(type);
      if (isComment || attributes?.has(type)) {
        const gap = this.linesBetween(end, start);
        if (docs === -1) {
          // A comment on the line where the previous node ends is that node's.
          if (gap > 0 || end === node.startIndex || !isComment) docs = start;
        } else if (gap > 1 && isComment) docs = start;
        end = child.endIndex;
        if (isComment) continue;
      }
      const rule = nodes[type];
      if (rule) {
        if (docs !== -1 && this.linesBetween(end, start) > 1) docs = -1;
        this.docs = docs === -1 ? start : docs;
        rule(this, child);
      }
      if (attributes?.has(type)) continue;
      docs = -1;
      end = child.endIndex;
    }
    this.depth--;
  }

  /** Where the `#` comments above a line begin, else -1. */
  private hashesAbove(offset: number): number {
    const { text } = this;
    let found = -1;
    let at = offset - 1;
    while (at >= 0) {
      while (at >= 0 && (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9)) at--;
      if (at < 0 || text.charCodeAt(at) !== 10) break;
      let first = at;
      while (first > 0 && text.charCodeAt(first - 1) !== 10) first--;
      while (text.charCodeAt(first) === 32 || text.charCodeAt(first) === 9) first++;
      if (text.charCodeAt(first) !== 35) break;
      found = first;
      at = first - 1;
    }
    return found;
  }

  private linesBetween(from: number, to: number): number {
    let count = 0;
    // Some comments reach over the end of their line.
    if (from > 0 && this.text.charCodeAt(from - 1) === 10) count++;
    for (let at = from; at < to; at++) if (this.text.charCodeAt(at) === 10) count++;
    return count;
  }

  /** Where the node that a rule is called for begins, with the comments and attributes in front of it. */
  docsOf(node: Node): number {
    return Math.min(this.docs, node.startIndex);
  }

  /** Gives a definition that is already there more of what stands in front of it. */
  widen(index: number, start: number, declaration?: number): void {
    const definition = this.definitions[index];
    if (!definition) return;
    const at = declaration ?? definition.declaration;
    this.definitions[index] = {
      ...definition,
      start: Math.min(start, at),
      declaration: at,
      startLine: lineAt(this.lines, at),
    };
  }

  /** Reads one node by its rule, as if `docs` were where it begins. */
  visitAt(node: Node, docs: number): void {
    this.docs = docs;
    this.rules.nodes[node.type]?.(this, node);
  }

  /** Reads what is inside `inner` with one more scope. */
  within(
    name: string,
    kind: DefinitionKind | undefined,
    exported: boolean,
    inside: () => void,
  ): void {
    const { container, owner, ownerExported, section } = this;
    if (name !== "") this.container = [...container, name];
    this.owner = kind;
    this.ownerExported = exported;
    this.section = "";
    inside();
    this.container = container;
    this.owner = owner;
    this.ownerExported = ownerExported;
    this.section = section;
  }

  /** Adds a definition; `declaration` is where it begins behind doc comment, attributes and decorators. */
  add(
    kind: DefinitionKind,
    name: string,
    node: Node,
    nameNode: Node | null | undefined,
    body: Node | number | null | undefined,
    given: {
      declaration?: number;
      exported?: boolean;
      container?: readonly string[];
      start?: number;
    } = {},
  ): boolean {
    if (name === "" || name === "_") return false;
    const { text, lines } = this;
    const declaration = given.declaration ?? node.startIndex;
    let end = node.endIndex;
    while (end > declaration + 1 && isSpace(text.charCodeAt(end - 1))) end--;
    let nameStart = nameNode?.startIndex ?? declaration;
    if (!text.startsWith(name, nameStart)) {
      // Behind a sigil, a quote, a scope.
      const found = text.indexOf(name, nameStart);
      if (found !== -1 && found < end) nameStart = found;
    }
    const bodyStart = typeof body === "number" ? body : body ? body.startIndex : end;
    const exported = given.exported ?? this.rules.exported(this, node, name);
    this.definitions.push({
      name,
      kind,
      container: given.container ?? this.container,
      start: Math.min(given.start ?? this.docs, declaration),
      declaration,
      nameStart,
      body: Math.min(Math.max(bodyStart, nameStart), end),
      end,
      startLine: lineAt(lines, declaration),
      endLine: lineAt(lines, end - 1),
      exported,
    });
    return exported;
  }

  /** Adds an import of `specifier`; nothing where that is empty. */
  import(
    node: Node,
    specifier: string,
    names: Import["names"],
    kind: Import["kind"] = "import",
  ): void {
    if (specifier === "") return;
    this.imports.push({
      specifier,
      line: lineAt(this.lines, node.startIndex),
      kind,
      names,
      typeOnly: false,
    });
    const ranges = this.importRanges;
    const last = ranges.length - 1;
    const end = node.endIndex;
    if (last > 0 && ranges[last]! >= end) return;
    // What stands between two imports is theirs.
    if (last > 0 && node.startIndex - ranges[last]! <= 2) ranges[last] = end;
    else ranges.push(node.startIndex, end);
  }

  /** The text of a node; empty where there is none. */
  slice(node: Node | null | undefined): string {
    return node ? this.text.slice(node.startIndex, node.endIndex) : "";
  }
}

function isSpace(code: number): boolean {
  return code === 10 || code === 13 || code === 32 || code === 9;
}

// --- building blocks of the tables ---------------------------------------------------------------

/** The child that the grammar calls `name`. */
export const field = (node: Node, name: string): Node | null => node.childForFieldName(name);

/** The first child of one of these types. */
export const childOf = (node: Node, ...types: string[]): Node | undefined => {
  for (const child of node.namedChildren) if (child && types.includes(child.type)) return child;
  return undefined;
};

/** All children of one of these types. */
export const childrenOf = (node: Node, ...types: string[]): Node[] =>
  node.namedChildren.filter((child): child is Node => child !== null && types.includes(child.type));

/** Opens a node whose children may define something. */
export const opens: Rule = (walk, node) => walk.open(node, walk.docsOf(node));

/** A definition with a `name` and a `body`, whose body is a scope. */
export const scope =
  (kind: DefinitionKind, names = "name", bodies = "body"): Rule => (walk, node) => {
    const name = field(node, names);
    const body = field(node, bodies);
    const text = walk.slice(name);
    const exported = walk.add(kind, text, node, name, body);
    walk.within(text, kind, exported, () => walk.open(body));
  };

/** A function: a method where it stands in a type. */
export const callable = (names = "name", bodies = "body"): Rule => (walk, node) => {
  const name = field(node, names);
  const body = field(node, bodies);
  const text = walk.slice(name);
  const exported = walk.add(isType(walk.owner) ? "method" : "function", text, node, name, body);
  walk.within(text, "function", exported, () => walk.open(body));
};

/** A definition without a scope. */
export const leaf =
  (kind: DefinitionKind, names = "name", bodies?: string): Rule => (walk, node) => {
    const name = field(node, names);
    walk.add(kind, walk.slice(name), node, name, bodies ? field(node, bodies) : undefined);
  };

/** Whether what a definition holds are members. */
export function isType(kind: DefinitionKind | undefined): boolean {
  return kind === "class" || kind === "interface" || kind === "struct" || kind === "trait" ||
    kind === "enum" || kind === "type";
}

/** One rule for several types of nodes, which a blank separates. */
export const record = (rule: Rule, names: string): Record<string, Rule> =>
  Object.fromEntries(names.split(" ").map((name) => [name, rule]));

/** The innermost name of a path such as `a::b::C` or `a.b.C`. */
export const lastPart = (path: string, separator: string): string =>
  path.slice(path.lastIndexOf(separator) + 1);
