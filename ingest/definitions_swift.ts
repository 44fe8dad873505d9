/**
 * What Swift defines and imports.
 *
 * Owns the rules for the nodes of its grammar. What must hold: what an extension holds belongs to the type that it extends, which is a
 * scope of that name and no definition; attributes stand in front of a declaration and are part of the whole; local variables define
 * nothing.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childOf,
  childrenOf,
  COMMENTS,
  field,
  isType,
  opens,
  record,
  type Rule,
  type Rules,
  type Walk,
} from "./definitions_walk.ts";
import type { DefinitionKind } from "./source_file.ts";

/** Modifiers and attributes in front of a declaration, as text. */
const modifiersOf = (walk: Walk, node: Node): string => walk.slice(childOf(node, "modifiers"));

/** Behind the attributes. */
const afterAttributes = (node: Node): number => {
  const modifiers = node.firstNamedChild;
  if (modifiers?.type !== "modifiers") return node.startIndex;
  for (const child of modifiers.children) {
    if (child && child.type !== "attribute" && !COMMENTS.has(child.type)) return child.startIndex;
  }
  return modifiers.nextSibling?.startIndex ?? node.startIndex;
};

const KEYWORDS: Readonly<Record<string, DefinitionKind>> = {
  class: "class",
  actor: "class",
  struct: "struct",
  enum: "enum",
};

/** Class, actor, struct, enum, or extension: the grammar has one node for all. */
const swiftType: Rule = (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body");
  const keyword =
    node.children.find((child) =>
      child !== null && (child.type in KEYWORDS || child.type === "extension")
    )?.type ?? "class";
  if (keyword === "extension") {
    const parts = walk.slice(name).replace(/<[^]*$/, "").split(".").map((part) => part.trim());
    const text = parts.at(-1)!;
    walk.scopes.push({
      name: text,
      kind: "extension",
      start: walk.docsOf(node),
      end: node.endIndex,
    });
    const { section } = walk;
    const before = walk.container;
    walk.container = [...before, ...parts.slice(0, -1)];
    walk.within(text, "class", true, () => {
      // `private extension` is what its members are where they say nothing.
      walk.section = /\b(?:file)?private\b/.test(modifiersOf(walk, node)) ? "private" : "";
      walk.open(body);
    });
    walk.container = before;
    walk.section = section;
    return;
  }
  const kind = KEYWORDS[keyword] ?? "class";
  const text = walk.slice(name);
  const declaration = afterAttributes(node);
  const exported = walk.add(kind, text, node, name, body, { declaration });
  walk.within(text, kind, exported, () => walk.open(body));
};

const swiftFunction = (named?: string): Rule => (walk, node) => {
  const body = field(node, "body") ?? childOf(node, "computed_property");
  // An operator is named by a token: `static func == (…)`.
  const name = named === undefined
    ? field(node, "name") ?? childOf(node, "simple_identifier")
    : undefined;
  const isOperator = name === null || name === undefined || name.type.endsWith("_type");
  const operator = named === undefined && isOperator
    ? /\bfunc\s+([^\s(<\w]+)/.exec(walk.slice(node))?.[1]
    : undefined;
  const text = named ?? operator ?? walk.slice(name);
  const modifiers = modifiersOf(walk, node);
  const isTest = /@Test\b/.test(modifiers) ||
    (isType(walk.owner) && /^test[A-Z_]/.test(text) && !childOf(node, "parameter"));
  const kind = isTest ? "test" : isType(walk.owner) ? "method" : "function";
  const exported = walk.add(kind, text, node, isOperator ? undefined : name, body, {
    declaration: afterAttributes(node),
  });
  walk.within(text, "function", exported, () => walk.open(body));
};

const swiftProperty: Rule = (walk, node) => {
  if (walk.owner === "function") return;
  const isConstant = /\blet\b/.test(walk.slice(childOf(node, "value_binding_pattern")));
  const isStatic = /\bstatic\b/.test(modifiersOf(walk, node));
  const kind = isConstant && (isStatic || !isType(walk.owner))
    ? "constant"
    : isType(walk.owner)
    ? "property"
    : "variable";
  const patterns = node.childrenForFieldName("name").filter((child) =>
    child !== null && child.type === "pattern"
  );
  for (const pattern of patterns) {
    const name = field(pattern!, "bound_identifier");
    const body = patterns.length === 1
      ? field(node, "computed_value") ?? field(node, "value")
      : undefined;
    walk.add(kind, walk.slice(name), node, name, body, { declaration: afterAttributes(node) });
  }
};

/** Swift: everything is visible that is neither `private` nor `fileprivate`; `private(set)` hides the setter alone. */
export const swift: Rules = {
  exported: (walk, node) =>
    walk.ownerExported && walk.owner !== "function" && walk.section !== "private" &&
    !/\b(?:file)?private\b(?!\s*\(set\))/.test(modifiersOf(walk, node)),
  nodes: {
    ...record(
      opens,
      "class_body enum_class_body protocol_body function_body statements ERROR",
    ),
    class_declaration: swiftType,
    protocol_declaration: (walk, node) => {
      const name = field(node, "name");
      const body = field(node, "body");
      const text = walk.slice(name);
      const declaration = afterAttributes(node);
      const exported = walk.add("interface", text, node, name, body, { declaration });
      walk.within(text, "interface", exported, () => walk.open(body));
    },
    function_declaration: swiftFunction(),
    protocol_function_declaration: swiftFunction(),
    init_declaration: swiftFunction("init"),
    deinit_declaration: swiftFunction("deinit"),
    subscript_declaration: swiftFunction("subscript"),
    macro_declaration: (walk, node) => {
      const name = childOf(node, "simple_identifier");
      walk.add("macro", walk.slice(name), node, name, field(node, "definition"), {
        declaration: afterAttributes(node),
      });
    },
    property_declaration: swiftProperty,
    protocol_property_declaration: (walk, node) => {
      const pattern = field(node, "name");
      const name = pattern && field(pattern, "bound_identifier");
      walk.add(
        "property",
        walk.slice(name),
        node,
        name,
        childOf(
          node,
          "protocol_property_requirements",
        ),
      );
    },
    ...record((walk, node) => {
      if (walk.owner === "function") return;
      const name = field(node, "name");
      walk.add("type", walk.slice(name), node, name, undefined);
    }, "typealias_declaration associatedtype_declaration"),
    enum_entry: (walk, node) => {
      for (const name of node.childrenForFieldName("name")) {
        if (name?.type === "simple_identifier") {
          walk.add("enum_member", walk.slice(name), node, name, undefined);
        }
      }
    },
    import_declaration: (walk, node) => {
      const parts = childrenOf(childOf(node, "identifier") ?? node, "simple_identifier").map((
        part,
      ) => walk.slice(part));
      const [module = ""] = parts;
      const isSymbol =
        /^\s*(?:@\w+\s+|public\s+|internal\s+|private\s+)*import\s+(?:class|struct|enum|protocol|func|var|let|typealias)\b/
          .test(walk.slice(node));
      const name = parts.at(-1) ?? "";
      walk.import(
        node,
        isSymbol ? module : parts.join("."),
        isSymbol && parts.length > 1 ? [{ name, alias: name }] : [{ name: "*", alias: "*" }],
        /@_exported\b/.test(walk.slice(node)) ? "reexport" : "import",
      );
    },
  },
};
