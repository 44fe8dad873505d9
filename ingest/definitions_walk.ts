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
  /** Whether a node among `attributes` belongs to what follows it; all do where this is not said. */
  readonly leads?: (walk: Walk, node: Node) => boolean;
  /** Whether a node reaches over the comments behind it, which belong to what follows. */
  readonly trailing?: true;
  /** Whether comments begin with `#`, and those at the top of a body stand outside of it. */
  readonly hashComments?: true;
  /** Whether a name is visible outside, where no modifier says so. */
  readonly exported: (walk: Walk, node: Node, name: string) => boolean;
}

/** What comments are called, over all grammars. */
export const COMMENTS = new Set([
  "comment",
  "line_comment",
  "block_comment",
  "multiline_comment",
  "haddock",
]);

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
    const { attributes, leads, nodes, trailing } = this.rules;
    // A comment in front of the whole belongs to its first part only where that begins the whole.
    let docs = node.firstNamedChild?.startIndex === node.startIndex ? given : -1;
    if (docs === -1 && this.rules.hashComments) docs = this.hashesAbove(node.startIndex);
    let end = node.startIndex;
    for (const child of node.namedChildren) {
      if (!child) continue;
      const type = child.type;
      const start = child.startIndex;
      const isComment = COMMENTS.has(type);
      const isAttribute = attributes?.has(type) && (leads?.(this, child) ?? true);
      if (isComment || isAttribute) {
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
      if (isAttribute) continue;
      docs = -1;
      end = child.endIndex;
      if (!trailing) continue;
      const { end: last, comments } = lastContent(child, this.text);
      if (comments.length > 0) end = last;
      for (const comment of comments) {
        const gap = this.linesBetween(end, comment.startIndex);
        if (docs === -1 ? gap > 0 : gap > 1) docs = comment.startIndex;
        end = comment.endIndex;
      }
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

  /** Gives a definition that is already there one more part, such as another clause of a function. */
  extend(index: number, node: Node): void {
    const definition = this.definitions[index];
    if (!definition) return;
    const end = this.endOf(node);
    this.definitions[index] = { ...definition, end, endLine: lineAt(this.lines, end - 1) };
  }

  /** Index of the last definition of a name in the scope at hand, where nothing else of that scope stands behind it; else -1. */
  latest(name: string): number {
    const { container, definitions } = this;
    for (let at = definitions.length - 1; at >= 0; at--) {
      const other = definitions[at]!;
      if (other.container.length > container.length) continue;
      const isHere = other.container.length === container.length &&
        other.container.every((part, index) => part === container[index]);
      return isHere && other.name === name ? at : -1;
    }
    return -1;
  }

  /** Makes a definition of the scope at hand visible outside, since something later in the file says so. */
  expose(name: string): void {
    this.definitions.forEach((definition, index) => {
      if (definition.name === name && definition.container.length === this.container.length) {
        this.definitions[index] = { ...definition, exported: true };
      }
    });
  }

  /** Where a node ends, without white space and without comments that belong to what follows. */
  private endOf(node: Node): number {
    const { text, rules } = this;
    let end = rules.trailing ? lastContent(node, text).end : node.endIndex;
    while (end > node.startIndex + 1 && isSpace(text.charCodeAt(end - 1))) end--;
    return end;
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
    nameNode: { readonly startIndex: number } | null | undefined,
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
    const end = Math.max(this.endOf(node), declaration + 1);
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

/**
 * Where the content of a node ends, and the comments behind it that its grammar counts to it.
 *
 * An indented block ends where the next line stands further left, so it takes in the comments before that line, though they are about it.
 */
export function lastContent(node: Node, text: string): { end: number; comments: Node[] } {
  const comments: Node[] = [];
  let end = node.endIndex;
  let mark = end - 1;
  while (mark > node.startIndex && isSpace(text.charCodeAt(mark))) mark--;
  const line = text.slice(text.lastIndexOf("\n", mark) + 1, mark + 1);
  if (!/\/\/|\*\/|--|-\}/.test(line)) return { end, comments };
  for (let at = node;;) {
    let last = at.lastChild;
    for (; last && COMMENTS.has(last.type); last = last.previousSibling) comments.unshift(last);
    if (!last) break;
    end = last.endIndex;
    if (!last.isNamed || last.childCount === 0) break;
    at = last;
  }
  return { end, comments };
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
