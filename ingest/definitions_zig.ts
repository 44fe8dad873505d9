/**
 * What Zig defines and imports.
 *
 * Owns the rules for the nodes of its grammar. What must hold: a type has the name of the constant that holds it, or of the function that
 * returns it; a file that has fields is a struct of its own, whose members stand at the top; local constants define nothing.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childOf,
  childrenOf,
  COMMENTS,
  field,
  isType,
  lastPart,
  opens,
  record,
  type Rules,
  type Walk,
} from "./definitions_walk.ts";
import type { DefinitionKind } from "./source_file.ts";

const TYPES: Readonly<Record<string, DefinitionKind>> = {
  struct_declaration: "struct",
  union_declaration: "struct",
  opaque_declaration: "struct",
  enum_declaration: "enum",
  error_set_declaration: "enum",
};

const isPublic = (node: Node): boolean =>
  node.children.some((child) => child?.type === "pub" || child?.type === "export");

/** The path of `@import("a.zig")`, and what is taken from it: `B.C` in `@import("a.zig").B.C`. */
function importedBy(walk: Walk, node: Node | null | undefined): [path: string, member: string] {
  if (node?.type === "field_expression") {
    const [path, member] = importedBy(walk, field(node, "object"));
    const own = walk.slice(field(node, "member"));
    return [path, member === "" ? own : `${member}.${own}`];
  }
  const isImport = node?.type === "builtin_function" &&
    walk.slice(childOf(node, "builtin_identifier")) === "@import";
  const text = isImport ? walk.slice(childOf(node, "arguments")) : "";
  return [/^\(\s*"([^"]*)"/.exec(text)?.[1] ?? "", ""];
}

/** Zig: `pub` and `export` say what others see; fields and members of an enum are seen with their type. */
export const zig: Rules = {
  exported: (walk, node) =>
    node.type === "container_field" || node.type === "identifier"
      ? walk.ownerExported
      : walk.owner !== "function" && walk.ownerExported && isPublic(node),
  nodes: {
    ...record(
      opens,
      "struct_declaration union_declaration enum_declaration opaque_declaration block expression_statement " +
        "return_expression comptime_declaration ERROR",
    ),
    variable_declaration: (walk, node) => {
      const name = childOf(node, "identifier");
      const value = node.namedChildren.findLast((child) =>
        child !== null && !COMMENTS.has(child.type)
      );
      const text = walk.slice(name).replace(/^@"|"$/g, "");
      const [path, member] = importedBy(walk, value);
      if (path !== "") {
        const imported = member === "" ? "*" : lastPart(member, ".");
        // A file with a capital is a struct of that name.
        const struct = member === "" ? /(?:^|\/)([A-Z]\w*)\.zig$/.exec(path)?.[1] : undefined;
        walk.import(
          node,
          path,
          [
            ...struct === undefined ? [] : [{ name: struct, alias: text }],
            { name: imported, alias: text },
          ],
          isPublic(node) ? "reexport" : "import",
        );
        return;
      }
      const kind = value ? TYPES[value.type] : undefined;
      if (kind) {
        const exported = walk.add(kind, text, node, name, value);
        walk.within(text, kind, exported, () => {
          if (value!.type === "error_set_declaration") {
            for (const each of childrenOf(value!, "identifier")) {
              walk.add("enum_member", walk.slice(each), each, each, undefined, {
                start: each.startIndex,
              });
            }
          } else walk.open(value);
        });
        return;
      }
      if (walk.owner === "function" || walk.owner === "test") return;
      // `const A = @This();` at the top names the file itself.
      if (walk.owner === undefined && walk.slice(value) === "@This()") {
        walk.add("struct", text, node, name, undefined, { exported: true });
        return;
      }
      const isConstant = node.children.some((child) => child?.type === "const");
      walk.add(isConstant ? "constant" : "variable", text, node, name, undefined);
    },
    function_declaration: (walk, node) => {
      const name = field(node, "name");
      const body = field(node, "body");
      const text = walk.slice(name);
      const kind = isType(walk.owner) ? "method" : "function";
      const exported = walk.add(kind, text, node, name, body);
      // `fn List(T: type) type { return struct { … }; }`: its members are those of the type.
      const returnsType = walk.slice(field(node, "type")) === "type";
      walk.within(text, returnsType ? "struct" : "function", exported, () => {
        if (!returnsType) return walk.open(body);
        for (const statement of body?.namedChildren ?? []) {
          if (statement?.type === "expression_statement") walk.open(statement);
        }
      });
    },
    container_field: (walk, node) => {
      const name = field(node, "name");
      // A tuple's fields have types alone, and an enum's have none.
      if (!name) return;
      const kind = walk.owner === "enum" ? "enum_member" : "property";
      walk.add(kind, walk.slice(name), node, name, undefined);
    },
    using_namespace_declaration: (walk, node) => {
      const [path] = importedBy(walk, node.namedChildren.at(-1));
      walk.import(
        node,
        path,
        [{ name: "*", alias: "*" }],
        isPublic(node) ? "reexport" : "import",
      );
    },
    test_declaration: (walk, node) => {
      const title = childOf(node, "string", "identifier");
      const body = childOf(node, "block");
      const text = walk.slice(title).replace(/^"|"$/g, "") || "test";
      walk.add("test", text, node, title, body, { exported: false });
      walk.within(text, "test", false, () => walk.open(body));
    },
  },
};
