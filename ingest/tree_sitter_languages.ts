/**
 * What the nodes of each tree-sitter grammar mean: which of them define something, and which import.
 *
 * Owns one table of rules a grammar, and the walk that applies them. What must hold: only nodes that can hold definitions
 * are opened, since every node costs a call into WebAssembly; a node that a table does not name is passed over.
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
type Rule = (walk: Walk, node: Node) => void;

interface Rules {
  readonly nodes: Readonly<Record<string, Rule>>;
  /** Nodes in front of a definition that belong to it, comments aside. */
  readonly attributes?: ReadonlySet<string>;
  /** Whether comments begin with `#`, and those at the top of a body stand outside of it. */
  readonly hashComments?: true;
  /** Whether a name is visible outside, where no modifier says so. */
  readonly exported: (walk: Walk, node: Node, name: string) => boolean;
}

const COMMENTS = new Set(["comment", "line_comment", "block_comment", "multiline_comment"]);

/** Applies the rules of a grammar to a tree. */
export function readDefinitions(
  grammar: string,
  text: string,
  root: Node,
  lines: readonly number[],
): Found {
  const rules = RULES[grammar];
  const walk = new Walk(rules ?? NONE, text, lines);
  walk.open(root);
  return walk;
}

class Walk implements Found {
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

  slice(node: Node | null | undefined): string {
    return node ? this.text.slice(node.startIndex, node.endIndex) : "";
  }
}

function isSpace(code: number): boolean {
  return code === 10 || code === 13 || code === 32 || code === 9;
}

// --- building blocks of the tables -----------------------------------------------------------

const field = (node: Node, name: string): Node | null => node.childForFieldName(name);

const childOf = (node: Node, ...types: string[]): Node | undefined => {
  for (const child of node.namedChildren) if (child && types.includes(child.type)) return child;
  return undefined;
};

const childrenOf = (node: Node, ...types: string[]): Node[] =>
  node.namedChildren.filter((child): child is Node => child !== null && types.includes(child.type));

/** Opens a node whose children may define something. */
const opens: Rule = (walk, node) => walk.open(node, walk.docsOf(node));

/** A definition with a `name` and a `body`, whose body is a scope. */
const scope = (kind: DefinitionKind, names = "name", bodies = "body"): Rule => (walk, node) => {
  const name = field(node, names);
  const body = field(node, bodies);
  const text = walk.slice(name);
  const exported = walk.add(kind, text, node, name, body);
  walk.within(text, kind, exported, () => walk.open(body));
};

/** A function: a method where it stands in a type. */
const callable = (names = "name", bodies = "body"): Rule => (walk, node) => {
  const name = field(node, names);
  const body = field(node, bodies);
  const text = walk.slice(name);
  const exported = walk.add(isType(walk.owner) ? "method" : "function", text, node, name, body);
  walk.within(text, "function", exported, () => walk.open(body));
};

/** A definition without a scope. */
const leaf = (kind: DefinitionKind, names = "name", bodies?: string): Rule => (walk, node) => {
  const name = field(node, names);
  walk.add(kind, walk.slice(name), node, name, bodies ? field(node, bodies) : undefined);
};

function isType(kind: DefinitionKind | undefined): boolean {
  return kind === "class" || kind === "interface" || kind === "struct" || kind === "trait" ||
    kind === "enum" || kind === "type";
}

const record = (rule: Rule, names: string): Record<string, Rule> =>
  Object.fromEntries(names.split(" ").map((name) => [name, rule]));

/** The innermost name of a path such as `a::b::C` or `a.b.C`. */
const lastPart = (path: string, separator: string): string =>
  path.slice(path.lastIndexOf(separator) + 1);

const NONE: Rules = { nodes: {}, exported: () => true };

// --- Python --------------------------------------------------------------------------------------

/** Definitions below decorators: they begin at the first of them. */
const pythonDefinition = (isClass: boolean): Rule => (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body");
  const text = walk.slice(name);
  const kind = isClass ? "class" : isType(walk.owner) ? "method" : "function";
  const isTest = kind === "function" && text.startsWith("test_");
  const exported = walk.add(isTest ? "test" : kind, text, node, name, body);
  walk.within(text, isClass ? "class" : "function", exported, () => walk.open(body));
};

const python: Rules = {
  hashComments: true,
  exported: (walk, _node, name) =>
    walk.ownerExported && walk.owner !== "function" &&
    (!name.startsWith("_") || name.endsWith("__")),
  nodes: {
    ...record(
      opens,
      "block if_statement else_clause elif_clause try_statement except_clause except_group_clause finally_clause with_statement " +
        "for_statement while_statement expression_statement match_statement case_clause",
    ),
    class_definition: pythonDefinition(true),
    function_definition: pythonDefinition(false),
    decorated_definition: (walk, node) => {
      const inner = field(node, "definition");
      if (!inner) return;
      const before = walk.definitions.length;
      const docs = walk.docsOf(node);
      const rule = python.nodes[inner.type];
      rule?.(walk, inner);
      walk.widen(before, docs);
    },
    type_alias_statement: (walk, node) => {
      const name = field(node, "left");
      walk.add("type", walk.slice(name), node, name, undefined);
    },
    assignment: (walk, node) => {
      const left = field(node, "left");
      const right = field(node, "right");
      if (walk.owner === "function") {
        // Attributes are defined where the constructor sets them.
        const attribute = left?.type === "attribute" ? walk.slice(left) : "";
        const { container } = walk;
        const isConstructor = container.at(-1) === "__init__" && container.length > 1;
        if (!isConstructor || !attribute.startsWith("self.")) return;
        const name = field(left!, "attribute");
        walk.add("property", walk.slice(name), node, name, undefined, {
          container: container.slice(0, -1),
          exported: !attribute.startsWith("self._"),
        });
        return;
      }
      const names = left?.type === "identifier"
        ? [left]
        : left?.type === "pattern_list" || left?.type === "tuple_pattern"
        ? childrenOf(left, "identifier")
        : [];
      const body = right && ["dictionary", "list", "set", "tuple"].includes(right.type)
        ? right
        : undefined;
      for (const name of names) {
        const text = walk.slice(name);
        const kind = isType(walk.owner)
          ? "property"
          : right?.type === "lambda"
          ? "function"
          : /^_*[A-Z][A-Z0-9_]*$/.test(text)
          ? "constant"
          : "variable";
        walk.add(kind, text, node, name, body);
      }
    },
    import_statement: (walk, node) => {
      for (const child of node.namedChildren) {
        if (child?.type === "dotted_name") {
          const name = walk.slice(child);
          const dot = name.indexOf(".");
          walk.import(node, name, [{ name: "*", alias: dot === -1 ? name : name.slice(0, dot) }]);
        } else if (child?.type === "aliased_import") {
          const name = walk.slice(field(child, "name"));
          walk.import(node, name, [{ name: "*", alias: walk.slice(field(child, "alias")) }]);
        }
      }
    },
    import_from_statement: (walk, node) => {
      const module = field(node, "module_name");
      const names: { name: string; alias: string }[] = [];
      for (const child of node.namedChildren) {
        if (!child || child.startIndex === module?.startIndex) continue;
        if (child.type === "dotted_name") {
          const name = walk.slice(child);
          names.push({ name, alias: name });
        } else if (child.type === "aliased_import") {
          names.push({
            name: walk.slice(field(child, "name")),
            alias: walk.slice(field(child, "alias")),
          });
        } else if (child.type === "wildcard_import") names.push({ name: "*", alias: "*" });
      }
      walk.import(node, walk.slice(module).replace(/\s+/g, ""), names);
    },
    future_import_statement: (walk, node) => walk.import(node, "__future__", []),
  },
};

// --- Go ------------------------------------------------------------------------------------------

const goNames = (kind: DefinitionKind): Rule => (walk, node) => {
  if (walk.owner === "function") return;
  for (const name of node.childrenForFieldName("name")) {
    if (name?.type === "identifier") walk.add(kind, walk.slice(name), node, name, undefined);
  }
};

const goType: Rule = (walk, node) => {
  const name = field(node, "name");
  const type = field(node, "type");
  const kind = type?.type === "struct_type"
    ? "struct"
    : type?.type === "interface_type"
    ? "interface"
    : "type";
  const text = walk.slice(name);
  const body = kind === "type" ? undefined : type?.namedChildren.at(0) ?? type;
  const exported = walk.add(kind, text, node, name, body);
  if (kind === "struct") {
    walk.within(text, kind, exported, () => walk.open(childOf(type!, "field_declaration_list")));
  } else if (kind === "interface") walk.within(text, kind, exported, () => walk.open(type));
};

/** `type ( … )`, `const ( … )`: a doc comment stands before the keyword if there is but one name. */
const goGroup: Rule = (walk, node) => {
  const children = node.namedChildren.filter((child) => child && !COMMENTS.has(child.type));
  const before = walk.definitions.length;
  const docs = walk.docsOf(node);
  walk.open(childOf(node, "var_spec_list") ?? node);
  const isSingle = children.length === 1 && node.child(1)?.type !== "(";
  if (isSingle) walk.widen(before, docs, node.startIndex);
};

const go: Rules = {
  exported: (_walk, _node, name) => {
    const first = name.charAt(0);
    return first !== first.toLowerCase();
  },
  nodes: {
    function_declaration: (walk, node) => {
      const name = field(node, "name");
      const text = walk.slice(name);
      const isTest = /^(Test|Benchmark|Example|Fuzz)(?![a-z])/.test(text) &&
        walk.owner === undefined;
      const body = field(node, "body");
      const exported = walk.add(isTest ? "test" : "function", text, node, name, body);
      walk.within(text, "function", exported, () => walk.open(body));
    },
    method_declaration: (walk, node) => {
      const name = field(node, "name");
      const receiver = field(node, "receiver");
      const parameter = receiver && childOf(receiver, "parameter_declaration");
      const type = walk.slice(parameter ? field(parameter, "type") : null)
        .replace(/^[*(\s]+/, "").replace(/[[)].*$/s, "");
      const body = field(node, "body");
      const container = type === "" ? walk.container : [...walk.container, type];
      const exported = walk.add("method", walk.slice(name), node, name, body, { container });
      walk.within(type, "struct", exported, () => {
        walk.within(walk.slice(name), "function", exported, () => walk.open(body));
      });
    },
    ...record(
      opens,
      "block statement_list if_statement for_statement expression_switch_statement expression_case",
    ),
    type_declaration: goGroup,
    const_declaration: goGroup,
    var_declaration: goGroup,
    type_spec: goType,
    type_alias: goType,
    const_spec: goNames("constant"),
    var_spec: goNames("variable"),
    short_var_declaration: (walk, node) => {
      const right = field(node, "right")?.namedChildren[0];
      if (right?.type !== "func_literal") return;
      const name = field(node, "left")?.namedChildren[0];
      const body = field(right, "body");
      const text = walk.slice(name);
      walk.add("function", text, node, name, body, { exported: false });
      walk.within(text, "function", false, () => walk.open(body));
    },
    field_declaration: (walk, node) => {
      const names = node.childrenForFieldName("name").filter((name) => name !== null);
      for (const name of names) walk.add("property", walk.slice(name), node, name, undefined);
      if (names.length > 0) return;
      // An embedded type is a field of that name.
      const type = field(node, "type");
      const text = lastPart(walk.slice(type).replace(/^\*/, "").replace(/\[.*$/s, ""), ".");
      walk.add("property", text, node, type, undefined);
    },
    method_elem: leaf("method"),
    method_spec: leaf("method"),
    import_declaration: (walk, node) => {
      const list = childOf(node, "import_spec_list");
      for (const spec of childrenOf(list ?? node, "import_spec")) {
        const path = walk.slice(field(spec, "path")).replace(/^["`]|["`]$/g, "");
        const name = walk.slice(field(spec, "name"));
        // The package's own name is known only to the package: by custom the last part, versions aside.
        const parts = path.split("/");
        let last = parts.at(-1) ?? path;
        if (/^v\d+$/.test(last) && parts.length > 1) last = parts.at(-2)!;
        const alias = name || last.replace(/^go-/, "").replace(/\.v\d+$/, "");
        walk.import(
          spec,
          path,
          name === "_" ? [] : [{ name: "*", alias: name === "." ? "*" : alias }],
        );
      }
      walk.importRanges.push(node.startIndex, node.endIndex);
    },
  },
};

// --- Rust ----------------------------------------------------------------------------------------

const rustVisible = (walk: Walk, node: Node): boolean =>
  childOf(node, "visibility_modifier") !== undefined || walk.owner === "trait" ||
  ((walk.owner === "enum" || walk.section === "trait impl") && walk.ownerExported);

/** The name of a type without its generics, references and path. */
function typeName(text: string): string {
  const plain = text.replace(/<.*$/s, "").replace(/^[&*\s]*(?:mut\s+|dyn\s+|'\w+\s+)*/, "").trim();
  return lastPart(plain, ":");
}

/** `use a::{b, c::d as e}`, one import a path. */
function rustUse(walk: Walk, node: Node, prefix: string, tree: Node, kind: Import["kind"]): void {
  const join = (path: string) => prefix === "" ? path : path === "" ? prefix : `${prefix}::${path}`;
  const split = (path: string) => {
    const at = path.lastIndexOf("::");
    return at === -1 ? ["", path] as const : [path.slice(0, at), path.slice(at + 2)] as const;
  };
  switch (tree.type) {
    case "use_list":
      for (const child of tree.namedChildren) {
        if (child && !COMMENTS.has(child.type)) rustUse(walk, node, prefix, child, kind);
      }
      break;
    case "scoped_use_list": {
      const path = walk.slice(field(tree, "path"));
      const list = field(tree, "list");
      if (list) rustUse(walk, node, join(path), list, kind);
      break;
    }
    case "use_wildcard":
      walk.import(node, join(walk.slice(tree).replace(/(?:::)?\*$/, "")), [{
        name: "*",
        alias: "*",
      }], kind);
      break;
    case "use_as_clause": {
      const [path, name] = split(walk.slice(field(tree, "path")));
      walk.import(
        node,
        join(path) || name,
        [{ name, alias: walk.slice(field(tree, "alias")) }],
        kind,
      );
      break;
    }
    case "self":
      walk.import(node, prefix, [{ name: "*", alias: lastPart(prefix, ":") }], kind);
      break;
    default: {
      const [path, name] = split(walk.slice(tree));
      walk.import(
        node,
        join(path) || name,
        [{ name: join(path) === "" ? "*" : name, alias: name }],
        kind,
      );
    }
  }
}

const rust: Rules = {
  exported: rustVisible,
  attributes: new Set(["attribute_item", "inner_attribute_item"]),
  nodes: {
    ...record(opens, "block declaration_list expression_statement"),
    struct_item: scope("struct"),
    union_item: scope("struct"),
    enum_item: scope("enum"),
    trait_item: scope("trait"),
    mod_item: (walk, node) => {
      const name = field(node, "name");
      const body = field(node, "body");
      const text = walk.slice(name);
      if (!body) {
        walk.import(node, text, [{ name: "*", alias: text }]);
        return;
      }
      const exported = walk.add("module", text, node, name, body);
      walk.within(text, "module", exported, () => walk.open(body));
    },
    foreign_mod_item: (walk, node) => walk.open(field(node, "body")),
    impl_item: (walk, node) => {
      const type = typeName(walk.slice(field(node, "type")));
      const trait = field(node, "trait");
      const body = field(node, "body");
      walk.scopes.push({
        name: type,
        kind: "impl",
        start: walk.docsOf(node),
        end: node.endIndex,
      });
      walk.within(type, "struct", true, () => {
        if (trait) walk.section = "trait impl";
        walk.open(body);
      });
    },
    function_item: (walk, node) => {
      const name = field(node, "name");
      const body = field(node, "body");
      const text = walk.slice(name);
      const docs = walk.docsOf(node);
      const isTest = docs < node.startIndex &&
        /#\[(?:\w+::)*test\b/.test(walk.text.slice(docs, node.startIndex));
      const kind = isTest ? "test" : isType(walk.owner) ? "method" : "function";
      const exported = walk.add(kind, text, node, name, body);
      walk.within(text, "function", exported, () => walk.open(body));
    },
    function_signature_item: callable(),
    type_item: leaf("type"),
    associated_type: leaf("type"),
    const_item: leaf("constant"),
    static_item: leaf("variable"),
    macro_definition: (walk, node) => {
      const name = field(node, "name");
      const docs = walk.docsOf(node);
      const exported = walk.text.slice(docs, node.startIndex).includes("macro_export");
      walk.add("macro", walk.slice(name), node, name, undefined, { exported });
    },
    field_declaration: leaf("property"),
    enum_variant: leaf("enum_member", "name", "body"),
    use_declaration: (walk, node) => {
      const tree = field(node, "argument");
      const isPublic = childOf(node, "visibility_modifier") !== undefined;
      if (tree) rustUse(walk, node, "", tree, isPublic ? "reexport" : "import");
    },
    extern_crate_declaration: (walk, node) => {
      const name = walk.slice(field(node, "name"));
      walk.import(node, name, [{ name: "*", alias: walk.slice(field(node, "alias")) || name }]);
    },
  },
};

// --- Java ----------------------------------------------------------------------------------------

const hasModifier = (walk: Walk, node: Node, pattern: RegExp): boolean => {
  const first = node.firstNamedChild;
  return first !== null && first.type === "modifiers" && pattern.test(walk.slice(first));
};

/** Behind the annotations. */
const afterAnnotations = (node: Node, ...annotations: string[]): number => {
  const modifiers = node.firstNamedChild;
  if (!modifiers || modifiers.type !== "modifiers") return node.startIndex;
  let end = -1;
  for (const child of modifiers.children) {
    if (child && annotations.includes(child.type)) end = child.endIndex;
    else if (child && !COMMENTS.has(child.type)) return child.startIndex;
  }
  if (end === -1) return node.startIndex;
  return modifiers.nextSibling?.startIndex ?? node.startIndex;
};

const javaScope = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body");
  const text = walk.slice(name);
  const declaration = afterAnnotations(node, "annotation", "marker_annotation");
  const isTest = kind === "method" &&
    hasModifier(walk, node, /@(?:\w+\.)*(?:Parameterized|Repeated)?Test\b/);
  const exported = walk.add(isTest ? "test" : kind, text, node, name, body, { declaration });
  if (node.type === "record_declaration") {
    for (const parameter of field(node, "parameters")?.namedChildren ?? []) {
      const component = parameter && field(parameter, "name");
      if (!component) continue;
      walk.add("property", walk.slice(component), parameter, component, undefined, {
        exported,
        container: [...walk.container, text],
        start: parameter.startIndex,
      });
    }
  }
  walk.within(text, kind === "method" ? "function" : kind, exported, () => walk.open(body));
};

const java: Rules = {
  exported: (walk, node) =>
    walk.ownerExported &&
    (hasModifier(walk, node, /\b(?:public|protected)\b/) || walk.owner === "interface" ||
      walk.owner === "enum" && node.type === "enum_constant"),
  nodes: {
    ...record(
      opens,
      "class_body interface_body enum_body annotation_type_body enum_body_declarations block",
    ),
    class_declaration: javaScope("class"),
    record_declaration: javaScope("class"),
    interface_declaration: javaScope("interface"),
    annotation_type_declaration: javaScope("interface"),
    enum_declaration: javaScope("enum"),
    method_declaration: javaScope("method"),
    constructor_declaration: javaScope("method"),
    compact_constructor_declaration: javaScope("method"),
    annotation_type_element_declaration: leaf("method"),
    enum_constant: scope("enum_member"),
    ...record((walk, node) => {
      if (walk.owner === "function") return;
      const isConstant = node.type === "constant_declaration" ||
        hasModifier(walk, node, /\bstatic\b[^]*\bfinal\b|\bfinal\b[^]*\bstatic\b/);
      const declaration = afterAnnotations(node, "annotation", "marker_annotation");
      for (const declarator of node.childrenForFieldName("declarator")) {
        const name = declarator && field(declarator, "name");
        if (!name) continue;
        walk.add(isConstant ? "constant" : "property", walk.slice(name), node, name, undefined, {
          declaration,
        });
        const value = field(declarator, "value");
        if (value?.type === "object_creation_expression") {
          walk.within(
            walk.slice(name),
            "class",
            false,
            () => walk.open(childOf(value, "class_body")),
          );
        }
      }
    }, "field_declaration constant_declaration"),
    import_declaration: (walk, node) => {
      const path = walk.slice(childOf(node, "scoped_identifier", "identifier"));
      if (childOf(node, "asterisk")) return walk.import(node, path, [{ name: "*", alias: "*" }]);
      const name = lastPart(path, ".");
      walk.import(node, path, [{ name, alias: name }]);
    },
  },
};

// --- C and C++ -----------------------------------------------------------------------------------

/** The name inside nested declarators, and whether it names a function. */
function declared(
  node: Node | null,
): { name: Node | null; isFunction: boolean; isPointer: boolean } {
  let at = node;
  let isFunction = false;
  let isPointer = false;
  for (let depth = 0; at && depth < 20; depth++) {
    switch (at.type) {
      case "identifier":
      case "field_identifier":
      case "type_identifier":
      case "qualified_identifier":
      case "destructor_name":
      case "operator_name":
      case "operator_cast":
      case "template_function":
      case "primitive_type":
        return { name: at, isFunction: isFunction && !isPointer, isPointer };
      case "function_declarator":
        isFunction = true;
        isPointer = false;
        break;
      case "parenthesized_declarator":
        if (isFunction) isPointer = true;
        break;
    }
    at = field(at, "declarator") ?? at.namedChildren.find((child) =>
      child !== null && /declarator$|identifier$|_name$/.test(child.type)
    ) ?? null;
  }
  return { name: null, isFunction, isPointer };
}

/** Splits `A::B<T>::c` into scopes and name. */
function qualified(text: string): { scopes: string[]; name: string } {
  // Template arguments may hold `::` themselves.
  let plain = "";
  let depth = 0;
  const at = text.indexOf("operator");
  const head = at === -1 ? text : text.slice(0, at);
  for (const character of head) {
    if (character === "<") depth++;
    else if (character === ">") depth--;
    else if (depth === 0) plain += character;
  }
  const scopes = plain.split("::").map((part) => part.trim());
  const name = at === -1 ? scopes.pop() ?? "" : text.slice(at).replace(/\s+/g, " ");
  return { scopes: scopes.filter((part) => part !== ""), name };
}

const cppVisible = (walk: Walk, node: Node): boolean => {
  if (isType(walk.owner)) return walk.ownerExported && walk.section !== "private";
  const first = node.firstNamedChild;
  return !(first?.type === "storage_class_specifier" && walk.slice(first) === "static");
};

const TEST_MACROS = new Set([
  "TEST",
  "TEST_F",
  "TEST_P",
  "TYPED_TEST",
  "TEST_CASE",
  "SCENARIO",
  "BOOST_AUTO_TEST_CASE",
]);

const cppFunction: Rule = (walk, node) => {
  const { name } = declared(field(node, "declarator"));
  const body = field(node, "body");
  const full = walk.slice(name);
  const { scopes, name: text } = qualified(full);
  if (text === "") return;
  const container = [...walk.container, ...scopes];
  if (TEST_MACROS.has(text)) {
    const parameters = field(field(node, "declarator")!, "parameters");
    const title = walk.slice(parameters).slice(1, -1).replace(/\s*,\s*/, ".").replace(/"/g, "");
    walk.add("test", title, node, parameters, body, { exported: false });
    return;
  }
  const isMethod = isType(walk.owner) || scopes.length > 0;
  const exported = walk.add(isMethod ? "method" : "function", text, node, name, body ?? undefined, {
    container,
  });
  const before = walk.container;
  walk.container = container;
  walk.within(text, "function", exported, () => walk.open(body));
  walk.container = before;
};

const cppScope = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body");
  if (!body) return;
  const { scopes, name: text } = qualified(walk.slice(name));
  const exported = text === "" ? true : walk.add(kind, text, node, name, body, {
    container: [...walk.container, ...scopes],
  });
  walk.within(text, kind, exported, () => {
    if (node.type === "class_specifier") walk.section = "private";
    walk.open(body);
  });
};

const cppDeclaration: Rule = (walk, node) => {
  const type = field(node, "type");
  const docs = walk.docsOf(node);
  if (type && /^(class|struct|union|enum)_specifier$/.test(type.type)) walk.visitAt(type, docs);
  if (walk.owner === "function") return;
  const isConstant = /\b(?:const|constexpr)\b/.test(
    walk.text.slice(node.startIndex, Math.min(type?.startIndex ?? 0, node.endIndex)),
  );
  for (const declarator of node.childrenForFieldName("declarator")) {
    const { name, isFunction } = declared(declarator);
    const { scopes, name: text } = qualified(walk.slice(name));
    if (text === "") continue;
    const kind = isFunction
      ? isType(walk.owner) ? "method" : "function"
      : isType(walk.owner)
      ? "property"
      : isConstant
      ? "constant"
      : "variable";
    const container = [...walk.container, ...scopes];
    walk.add(kind, text, node, name, undefined, { container, start: docs });
  }
};

const cpp: Rules = {
  exported: cppVisible,
  attributes: new Set(["attribute_declaration"]),
  nodes: {
    ...record(
      opens,
      "declaration_list field_declaration_list enumerator_list preproc_ifdef preproc_if preproc_else preproc_elif " +
        "linkage_specification compound_statement",
    ),
    access_specifier: (walk, node) => {
      walk.section = walk.slice(node).replace(":", "").trim();
    },
    namespace_definition: scope("module"),
    template_declaration: (walk, node) => {
      const docs = walk.docsOf(node);
      const before = walk.definitions.length;
      for (const child of node.namedChildren) {
        if (child && cpp.nodes[child.type]) walk.visitAt(child, docs);
      }
      walk.widen(before, docs, node.startIndex);
    },
    class_specifier: cppScope("class"),
    struct_specifier: cppScope("struct"),
    union_specifier: cppScope("struct"),
    enum_specifier: cppScope("enum"),
    enumerator: leaf("enum_member"),
    function_definition: cppFunction,
    declaration: cppDeclaration,
    field_declaration: cppDeclaration,
    concept_definition: leaf("type"),
    alias_declaration: leaf("type"),
    type_definition: (walk, node) => {
      const docs = walk.docsOf(node);
      const type = field(node, "type");
      const body = type && field(type, "body");
      if (body && field(type, "name")) walk.visitAt(type, docs);
      for (const declarator of node.childrenForFieldName("declarator")) {
        const { name } = declared(declarator);
        const text = walk.slice(name);
        // `typedef struct { … } name;`: the name is the struct's.
        const isStruct = body && !field(type, "name");
        const kind = !isStruct ? "type" : type.type === "enum_specifier" ? "enum" : "struct";
        const exported = walk.add(kind, text, node, name, isStruct ? body : undefined, {
          start: docs,
        });
        if (isStruct) walk.within(text, kind, exported, () => walk.open(body));
      }
    },
    preproc_def: (walk, node) => {
      const name = field(node, "name");
      const value = field(node, "value");
      // A guard against double inclusion defines nothing.
      if (value) walk.add("macro", walk.slice(name), node, name, undefined);
    },
    preproc_function_def: leaf("macro"),
    preproc_include: (walk, node) => {
      const path = walk.slice(field(node, "path")).replace(/^["<]|[">]$/g, "");
      walk.import(node, path, [{ name: "*", alias: "*" }]);
    },
    using_declaration: (walk, node) => {
      const path = childOf(node, "qualified_identifier");
      if (!path || /\bnamespace\b/.test(walk.slice(node))) return;
      const text = walk.slice(path);
      if (walk.owner === undefined) return;
      const name = lastPart(text, ":");
      walk.add("type", name, node, path, undefined);
    },
  },
};

// --- C# ------------------------------------------------------------------------------------------

const csharpHas = (walk: Walk, node: Node, pattern: RegExp): boolean => {
  for (const child of node.namedChildren) {
    if (child?.type === "modifier" && pattern.test(walk.slice(child))) return true;
  }
  return false;
};

/** Behind the attributes. */
const afterAttributes = (node: Node): number => {
  for (const child of node.children) {
    if (child && child.type !== "attribute_list" && !COMMENTS.has(child.type)) {
      return child.startIndex;
    }
  }
  return node.startIndex;
};

const csharpScope = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body") ?? field(node, "accessors") ?? field(node, "value");
  const text = walk.slice(name);
  const declaration = afterAttributes(node);
  const isTest = kind === "method" && declaration > node.startIndex &&
    /\[\s*(?:Fact|Theory|Test|TestMethod|TestCase)\b/.test(
      walk.text.slice(node.startIndex, declaration),
    );
  const isLocal = node.type === "local_function_statement";
  const found = isTest ? "test" : isLocal ? "function" : kind;
  const exported = walk.add(found, text, node, name, body, { declaration });
  const inner = kind === "method" || kind === "property" ? "function" : kind;
  walk.within(text, inner, exported, () => walk.open(body));
};

const csharp: Rules = {
  exported: (walk, node) =>
    walk.ownerExported &&
    (walk.owner === "interface" || walk.owner === "enum" || node.type === "namespace_declaration" ||
      node.type === "file_scoped_namespace_declaration" ||
      csharpHas(walk, node, /^(public|protected|internal)$/)),
  nodes: {
    ...record(
      opens,
      "declaration_list block enum_member_declaration_list global_statement preproc_if preproc_else",
    ),
    namespace_declaration: scope("module"),
    file_scoped_namespace_declaration: (walk, node) => {
      const name = field(node, "name");
      walk.add("module", walk.slice(name), node, name, undefined);
      // Everything behind it is in it; the grammar keeps that beside it.
      walk.container = [...walk.container, walk.slice(name)];
      walk.open(node);
    },
    class_declaration: csharpScope("class"),
    record_declaration: csharpScope("class"),
    struct_declaration: csharpScope("struct"),
    record_struct_declaration: csharpScope("struct"),
    interface_declaration: csharpScope("interface"),
    enum_declaration: csharpScope("enum"),
    enum_member_declaration: leaf("enum_member"),
    method_declaration: csharpScope("method"),
    constructor_declaration: csharpScope("method"),
    destructor_declaration: csharpScope("method"),
    local_function_statement: csharpScope("method"),
    property_declaration: csharpScope("property"),
    event_declaration: csharpScope("property"),
    delegate_declaration: leaf("type"),
    ...record((walk, node) => {
      const declaration = childOf(node, "variable_declaration");
      if (!declaration) return;
      const isConstant = csharpHas(walk, node, /^const$/);
      for (const declarator of childrenOf(declaration, "variable_declarator")) {
        const name = field(declarator, "name") ?? declarator.firstNamedChild;
        walk.add(isConstant ? "constant" : "property", walk.slice(name), node, name, undefined, {
          declaration: afterAttributes(node),
        });
      }
    }, "field_declaration event_field_declaration"),
    using_directive: (walk, node) => {
      const alias = field(node, "name");
      const path = node.namedChildren.filter((child) =>
        child !== null && child.startIndex !== alias?.startIndex && !COMMENTS.has(child.type)
      ).at(-1);
      const text = walk.slice(path);
      const bound = walk.slice(alias) || lastPart(text, ".");
      walk.import(node, text, [{ name: "*", alias: alias ? bound : "*" }]);
    },
  },
};

// --- Ruby ----------------------------------------------------------------------------------------

const RUBY_TESTS = new Set([
  "describe",
  "context",
  "it",
  "specify",
  "feature",
  "scenario",
  "test",
  "should",
]);

const rubyMethod: Rule = (walk, node) => {
  const name = field(node, "name");
  const text = walk.slice(name);
  const body = field(node, "body");
  const isMethod = walk.owner !== undefined && walk.owner !== "function" && walk.owner !== "test";
  const isTest = isMethod && text.startsWith("test_");
  const exported = walk.add(
    isTest ? "test" : isMethod ? "method" : "function",
    text,
    node,
    name,
    body,
  );
  walk.within(text, "function", exported, () => walk.open(body));
};

const rubyScope = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const parts = walk.slice(name).split("::").filter((part) => part !== "");
  const text = parts.pop() ?? "";
  const body = field(node, "body");
  const container = [...walk.container, ...parts];
  const exported = walk.add(kind, text, node, name, body, { container });
  const before = walk.container;
  walk.container = container;
  walk.within(text, kind, exported, () => walk.open(body));
  walk.container = before;
};

const ruby: Rules = {
  hashComments: true,
  exported: (walk) => walk.section !== "private" && walk.section !== "protected",
  nodes: {
    ...record(
      opens,
      "body_statement do_block block begin if unless else then rescue ensure block_body",
    ),
    class: rubyScope("class"),
    module: rubyScope("module"),
    singleton_class: (walk, node) => {
      const { section } = walk;
      walk.section = "";
      walk.open(field(node, "body"));
      walk.section = section;
    },
    method: rubyMethod,
    singleton_method: rubyMethod,
    identifier: (walk, node) => {
      const text = walk.slice(node);
      if (text === "private" || text === "protected" || text === "public") walk.section = text;
    },
    assignment: (walk, node) => {
      const left = field(node, "left");
      if (left?.type !== "constant") return;
      const right = field(node, "right");
      const text = walk.slice(left);
      // `Point = Struct.new(:x) do … end`
      const block = right?.type === "call" ? field(right, "block") : null;
      const isClass = block !== null && /^(Struct|Class|Data|Module)\b/.test(walk.slice(right));
      const exported = walk.add(
        isClass ? "class" : "constant",
        text,
        node,
        left,
        isClass ? block : undefined,
      );
      if (isClass) walk.within(text, "class", exported, () => walk.open(field(block!, "body")));
    },
    call: (walk, node) => {
      const method = walk.slice(field(node, "method"));
      const list = field(node, "arguments");
      const block = field(node, "block");
      const first = list?.namedChildren[0];
      const docs = walk.docsOf(node);
      const isString = first?.type === "string";
      const title = isString
        ? walk.slice(childOf(first, "string_content"))
        : first?.type === "simple_symbol"
        ? walk.slice(first).slice(1)
        : "";
      if (
        isString && (method === "require" || method === "require_relative" || method === "load")
      ) {
        walk.import(node, method === "require_relative" ? relative(title) : title, [], "require");
      } else if (isString && method === "autoload" || method === "autoload") {
        const target = list?.namedChildren[1];
        walk.import(node, walk.slice(childOf(target ?? node, "string_content")), [{
          name: title,
          alias: title,
        }], "require");
      } else if (/^attr_(reader|writer|accessor)$/.test(method) || method === "attribute") {
        for (const symbol of list ? childrenOf(list, "simple_symbol") : []) {
          walk.add("property", walk.slice(symbol).slice(1), node, symbol, undefined, {
            start: docs,
          });
        }
      } else if (method === "define_method" && title !== "") {
        walk.add("method", title, node, first, block, { start: docs });
        walk.within(title, "function", true, () => walk.open(block && field(block, "body")));
      } else if (block && RUBY_TESTS.has(method) && first) {
        const name = title || walk.slice(first);
        walk.add("test", name, node, first, block, { exported: false, start: docs });
        walk.within(name, "test", false, () => walk.open(field(block, "body")));
      } else if (
        first?.type === "method" &&
        /^(private|protected|public|module_function|private_class_method)$/.test(method)
      ) {
        const { section } = walk;
        walk.section = method;
        walk.visitAt(first, docs);
        walk.section = section;
      } else if (block) walk.open(field(block, "body"));
    },
  },
};

/** `require_relative "b"` means `./b`. */
function relative(path: string): string {
  return path.startsWith(".") ? path : `./${path}`;
}

// --- PHP -----------------------------------------------------------------------------------------

const phpVisible = (walk: Walk, node: Node): boolean => {
  const modifier = childOf(node, "visibility_modifier");
  return !modifier || walk.slice(modifier) === "public";
};

const phpScope = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body");
  const text = walk.slice(name);
  const attributes = field(node, "attributes");
  const declaration = attributes?.nextSibling?.startIndex ?? node.startIndex;
  const isTest = kind === "method" && /^test[A-Z_]/.test(text);
  const exported = walk.add(isTest ? "test" : kind, text, node, name, body, { declaration });
  for (const parameter of field(node, "parameters")?.namedChildren ?? []) {
    if (parameter?.type !== "property_promotion_parameter") continue;
    const property = field(parameter, "name");
    walk.add("property", walk.slice(property).slice(1), parameter, property, undefined, {
      start: parameter.startIndex,
    });
  }
  walk.within(text, kind === "method" ? "function" : kind, exported, () => walk.open(body));
};

const phpIncludes: Rule = (walk, node) => {
  const text = walk.slice(node);
  const path = /["']([^"']+)["']/.exec(text)?.[1];
  if (path) {
    walk.import(
      node,
      /__DIR__/.test(text) ? `.${path.startsWith("/") ? "" : "/"}${path}` : path,
      [],
      "require",
    );
  }
};

const php: Rules = {
  exported: phpVisible,
  nodes: {
    ...record(
      opens,
      "declaration_list enum_declaration_list compound_statement if_statement expression_statement else_clause",
    ),
    namespace_definition: (walk, node) => {
      const name = field(node, "name");
      const body = field(node, "body");
      const text = walk.slice(name);
      walk.add("module", text, node, name, body);
      if (body) walk.within(text, "module", true, () => walk.open(body));
      else walk.container = text === "" ? [] : [text];
    },
    class_declaration: phpScope("class"),
    interface_declaration: phpScope("interface"),
    trait_declaration: phpScope("trait"),
    enum_declaration: phpScope("enum"),
    enum_case: leaf("enum_member"),
    method_declaration: phpScope("method"),
    function_definition: phpScope("function"),
    const_declaration: (walk, node) => {
      for (const element of childrenOf(node, "const_element")) {
        const name = element.firstNamedChild;
        walk.add("constant", walk.slice(name), node, name, undefined);
      }
    },
    property_declaration: (walk, node) => {
      for (const element of childrenOf(node, "property_element")) {
        const name = field(element, "name") ?? element.firstNamedChild;
        walk.add("property", walk.slice(name).replace(/^\$/, ""), node, name, undefined);
      }
    },
    assignment_expression: (walk, node) => {
      const right = field(node, "right");
      if (right?.type !== "anonymous_function" && right?.type !== "arrow_function") return;
      const left = field(node, "left");
      if (left?.type !== "variable_name") return;
      const body = field(right, "body");
      const text = walk.slice(left).slice(1);
      walk.add("function", text, node, left, body, { exported: false });
      walk.within(text, "function", false, () => walk.open(body));
    },
    function_call_expression: (walk, node) => {
      if (walk.slice(field(node, "function")) !== "define") return;
      const first = field(node, "arguments")?.namedChildren[0];
      const name = /^["'](.+)["']$/s.exec(walk.slice(first))?.[1];
      if (name) walk.add("constant", name, node, first, undefined);
    },
    namespace_use_declaration: (walk, node) => {
      const group = field(node, "body");
      const prefix = group ? walk.slice(childOf(node, "namespace_name")) : "";
      for (const clause of childrenOf(group ?? node, "namespace_use_clause")) {
        const alias = field(clause, "alias");
        const target = clause.namedChildren.find((child) =>
          child !== null &&
          (child.type === "qualified_name" || child.type === "name" ||
            child.type === "namespace_name")
        );
        const path = `${prefix === "" ? "" : `${prefix}\\`}${walk.slice(target)}`.replace(
          /^\\/,
          "",
        );
        const name = lastPart(path, "\\");
        walk.import(node, path, [{ name, alias: walk.slice(alias) || name }]);
      }
    },
    ...record(
      phpIncludes,
      "require_expression require_once_expression include_expression include_once_expression",
    ),
  },
};

// --- Bash ----------------------------------------------------------------------------------------

const bash: Rules = {
  exported: () => true,
  nodes: {
    ...record(opens, "compound_statement if_statement else_clause list do_group"),
    function_definition: callable(),
    variable_assignment: (walk, node) => {
      if (walk.owner !== undefined) return;
      const name = field(node, "name");
      walk.add("variable", walk.slice(name), node, name, undefined);
    },
    declaration_command: (walk, node) => {
      if (walk.owner !== undefined) return;
      const isConstant = /^(readonly|declare\s+-\w*r)/.test(walk.slice(node));
      for (const assignment of childrenOf(node, "variable_assignment")) {
        const name = field(assignment, "name");
        walk.add(isConstant ? "constant" : "variable", walk.slice(name), node, name, undefined);
      }
    },
    command: (walk, node) => {
      const name = walk.slice(field(node, "name"));
      const first = field(node, "argument");
      if (name === "source" || name === ".") {
        walk.import(node, walk.slice(first).replace(/^["']|["']$/g, ""), []);
      } else if (name === "alias" && first) {
        const text = walk.slice(first);
        const equals = text.indexOf("=");
        if (equals > 0) walk.add("function", text.slice(0, equals), node, first, undefined);
      }
    },
  },
};

// --- Kotlin --------------------------------------------------------------------------------------

const kotlinScope = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const body = childOf(node, "class_body", "enum_class_body");
  const text = walk.slice(name) || (node.type === "companion_object" ? "Companion" : "");
  const isEnum = body?.type === "enum_class_body";
  const isInterface = node.type === "class_declaration" &&
    node.children.some((child) => child?.type === "interface");
  const found = isEnum ? "enum" : isInterface ? "interface" : kind;
  const declaration = afterAnnotations(node, "annotation");
  const exported = walk.add(found, text, node, name, body, { declaration });
  const parameters = childOf(childOf(node, "primary_constructor") ?? node, "class_parameters");
  walk.within(text, found, exported, () => {
    for (const parameter of parameters ? childrenOf(parameters, "class_parameter") : []) {
      const identifier = childOf(parameter, "identifier");
      if (!parameter.children.some((child) => child?.type === "val" || child?.type === "var")) {
        continue;
      }
      walk.add("property", walk.slice(identifier), parameter, identifier, undefined, {
        start: parameter.startIndex,
      });
    }
    walk.open(body);
  });
};

const kotlin: Rules = {
  exported: (walk, node) =>
    walk.ownerExported && walk.owner !== "function" &&
    !hasModifier(walk, node, /\b(?:private|internal)\b/),
  nodes: {
    ...record(opens, "class_body enum_class_body block function_body"),
    class_declaration: kotlinScope("class"),
    object_declaration: kotlinScope("class"),
    companion_object: kotlinScope("class"),
    enum_entry: (walk, node) => {
      const name = childOf(node, "identifier");
      walk.add("enum_member", walk.slice(name), node, name, undefined);
    },
    function_declaration: (walk, node) => {
      const name = field(node, "name");
      const body = childOf(node, "function_body");
      const text = walk.slice(name).replace(/^`|`$/g, "");
      const isTest = hasModifier(walk, node, /@(?:\w+\.)*(?:Parameterized|Repeated)?Test\b/);
      const kind = isTest ? "test" : isType(walk.owner) ? "method" : "function";
      const declaration = afterAnnotations(node, "annotation");
      const exported = walk.add(kind, text, node, name, body, { declaration });
      walk.within(text, "function", exported, () => walk.open(body));
    },
    secondary_constructor: (walk, node) => {
      walk.add("method", "constructor", node, node, childOf(node, "block"));
    },
    property_declaration: (walk, node) => {
      if (walk.owner === "function") return;
      const name = childOf(childOf(node, "variable_declaration") ?? node, "identifier");
      const isConstant = hasModifier(walk, node, /\bconst\b/);
      const kind = isConstant
        ? "constant"
        : isType(walk.owner)
        ? "property"
        : node.children.some((child) => child?.type === "val")
        ? "constant"
        : "variable";
      walk.add(kind, walk.slice(name), node, name, undefined, {
        declaration: afterAnnotations(node, "annotation"),
      });
    },
    type_alias: leaf("type", "type"),
    import: (walk, node) => {
      const path = walk.slice(childOf(node, "qualified_identifier"));
      if (/\.\s*\*$/.test(walk.slice(node))) {
        return walk.import(node, path, [{ name: "*", alias: "*" }]);
      }
      const alias = node.namedChildren.at(-1);
      const name = lastPart(path, ".");
      walk.import(node, path, [{
        name,
        alias: alias?.type === "identifier" ? walk.slice(alias) : name,
      }]);
    },
  },
};

const RULES: Readonly<Record<string, Rules>> = {
  python,
  go,
  rust,
  java,
  cpp,
  "c-sharp": csharp,
  ruby,
  php,
  bash,
  kotlin,
};
