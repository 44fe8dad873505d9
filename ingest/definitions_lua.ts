/**
 * What Lua defines and loads.
 *
 * Owns the rules for the nodes of its grammar. What must hold: a function belongs to the table that it is put into (`function M:f()`,
 * `M.f = function …`); local variables inside functions define nothing; what the file returns is what others see of its locals.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childOf,
  childrenOf,
  field,
  lastPart,
  opens,
  record,
  type Rule,
  type Rules,
  type Walk,
} from "./definitions_walk.ts";
import type { DefinitionKind } from "./source_file.ts";

/** Words of test frameworks: busted, luaunit's describe, plenary. */
const TESTS = new Set("describe context insulate expose it spec test pending".split(" "));

/** `a.b.c` or `a.b:c` as its parts; empty where an index is computed. */
function partsOf(walk: Walk, node: Node | null): string[] {
  const text = walk.slice(node).replace(/\s+/g, "");
  return /^[\w.:]+$/.test(text) ? text.split(/[.:]/) : [];
}

/** What `require "a.b"` names; empty for anything else. */
function requiredBy(walk: Walk, node: Node | null | undefined): string {
  if (node?.type !== "function_call") return "";
  const called = walk.slice(field(node, "name"));
  const first = field(node, "arguments")?.firstNamedChild;
  if (called === "require" || called === "dofile" || called === "loadfile") {
    return first?.type === "string" ? walk.slice(childOf(first, "string_content")) : "";
  }
  // `require("a").setup {…}`, `pcall(require, "a")`
  if (called === "pcall" && walk.slice(first) === "require") {
    const second = first!.nextNamedSibling;
    return second?.type === "string" ? walk.slice(childOf(second, "string_content")) : "";
  }
  let inner = field(node, "name");
  while (inner && inner.type !== "function_call") {
    inner = field(inner, "table");
  }
  return inner ? requiredBy(walk, inner) : "";
}

const addFunction = (
  walk: Walk,
  parts: readonly string[],
  node: Node,
  name: Node | null,
  body: Node | null | undefined,
  isMethod: boolean,
  exported: boolean,
): void => {
  const text = parts.at(-1);
  if (text === undefined) return;
  const container = [...walk.container, ...parts.slice(0, -1)];
  const isTest = /^test[A-Z_]/.test(text) && parts.length > 1;
  const kind: DefinitionKind = isTest ? "test" : isMethod ? "method" : "function";
  walk.add(kind, text, node, name, body, { container, exported });
  const before = walk.container;
  walk.container = container;
  walk.within(text, "function", exported, () => walk.open(body));
  walk.container = before;
};

/** Where the name itself stands in `a.b.c`. */
const lastName = (node: Node | null): Node | null =>
  node ? field(node, "field") ?? field(node, "method") ?? node : null;

/** One `name = value`, of a statement or of a table. */
function assign(
  walk: Walk,
  node: Node,
  name: Node,
  value: Node | null | undefined,
  exported: boolean,
): void {
  const parts = partsOf(walk, name);
  const text = parts.at(-1);
  if (text === undefined) return;
  const required = requiredBy(walk, value);
  const isTop = walk.owner === undefined;
  if (required !== "" && isTop && parts.length === 1) {
    const member = value?.type === "dot_index_expression" ? walk.slice(field(value, "field")) : "*";
    walk.import(node, required, [{ name: member, alias: text }], "require");
    return;
  }
  if (value?.type === "function_definition") {
    addFunction(walk, parts, node, lastName(name), field(value, "body"), false, exported);
    return;
  }
  if (walk.owner === "function" || walk.owner === "test") return;
  const container = [...walk.container, ...parts.slice(0, -1)];
  const isMember = container.length > 0;
  const isClass = !isMember && /^[A-Z]\w*[a-z]/.test(text) && value !== null &&
    (value?.type === "table_constructor" || value?.type === "function_call");
  const kind = isClass
    ? "class"
    : /^[A-Z][A-Z0-9_]+$/.test(text)
    ? "constant"
    : isMember
    ? "property"
    : "variable";
  const table = value?.type === "table_constructor" ? value : undefined;
  walk.add(kind, text, node, lastName(name), table, { container, exported });
  if (!table) return;
  const before = walk.container;
  walk.container = container;
  walk.within(text, "class", exported, () => walk.open(table));
  walk.container = before;
}

const assignment: Rule = (walk, node) => {
  const isLocal = node.type === "variable_declaration";
  const statement = isLocal ? childOf(node, "assignment_statement") : node;
  // `local a, b` alone
  if (!statement) return;
  const names = childOf(statement, "variable_list")?.childrenForFieldName("name") ?? [];
  const values = childOf(statement, "expression_list")?.childrenForFieldName("value") ?? [];
  names.forEach((name, index) => {
    if (name) assign(walk, node, name, values[index], !isLocal && walk.ownerExported);
  });
};

/** Lua: a local is seen outside where the file returns it. */
export const lua: Rules = {
  exported: (walk) => walk.ownerExported,
  nodes: {
    ...record(opens, "block do_statement if_statement elseif_statement else_statement ERROR"),
    function_declaration: (walk, node) => {
      const name = field(node, "name");
      const parts = partsOf(walk, name);
      const isLocal = walk.text.startsWith("local", node.startIndex) || walk.owner === "function";
      const isMethod = name?.type === "method_index_expression";
      const body = field(node, "body");
      addFunction(walk, parts, node, lastName(name), body, isMethod, !isLocal);
    },
    variable_declaration: assignment,
    assignment_statement: assignment,
    table_constructor: (walk, node) => walk.open(node),
    field: (walk, node) => {
      const name = field(node, "name");
      if (name?.type === "identifier") {
        assign(walk, node, name, field(node, "value"), walk.ownerExported);
      }
    },
    return_statement: (walk, node) => {
      if (walk.owner !== undefined) return;
      const value = childOf(node, "expression_list")?.firstNamedChild;
      if (value?.type === "identifier") walk.expose(walk.slice(value));
      if (value?.type !== "table_constructor") return;
      for (const each of childrenOf(value, "field")) {
        const held = field(each, "value");
        if (held?.type === "identifier") walk.expose(walk.slice(held));
        else walk.visitAt(each, each.startIndex);
      }
    },
    function_call: (walk, node) => {
      const required = requiredBy(walk, node);
      if (required !== "") return walk.import(node, required, [], "require");
      const called = lastPart(walk.slice(field(node, "name")), ".");
      if (!TESTS.has(called)) return;
      const list = field(node, "arguments");
      const first = list?.firstNamedChild;
      const last = list?.lastNamedChild;
      if (first?.type !== "string" || last?.type !== "function_definition") return;
      const title = walk.slice(childOf(first, "string_content"));
      const body = field(last, "body");
      walk.add("test", title, node, first, body, { exported: false });
      walk.within(title, "test", false, () => walk.open(body));
    },
  },
};
