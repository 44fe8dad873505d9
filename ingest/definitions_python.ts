/**
 * What Python defines and imports.
 *
 * Owns the rules for the nodes of its grammar. What must hold: a definition begins at the first of its decorators; local
 * variables define nothing.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childrenOf,
  field,
  isType,
  opens,
  record,
  type Rule,
  type Rules,
} from "./definitions_walk.ts";

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

/** What an assignment gives values to: `a` and `b` of `a, b = …`. */
function targetsOf(left: Node | null): Node[] {
  if (left?.type !== "pattern_list" && left?.type !== "tuple_pattern") return left ? [left] : [];
  return left.namedChildren.flatMap((one) => targetsOf(one));
}

/** Python: a leading underscore hides a name; attributes are defined where `__init__` sets them. */
export const python: Rules = {
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
        const { container } = walk;
        const isConstructor = container.at(-1) === "__init__" && container.length > 1;
        if (!isConstructor) return;
        for (const target of targetsOf(left)) {
          const attribute = target.type === "attribute" ? walk.slice(target) : "";
          if (!attribute.startsWith("self.")) continue;
          const name = field(target, "attribute");
          walk.add("property", walk.slice(name), node, name, undefined, {
            container: container.slice(0, -1),
            exported: !attribute.startsWith("self._"),
          });
        }
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
