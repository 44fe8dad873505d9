/**
 * What Rust defines and imports.
 *
 * Owns the rules for the nodes of its grammar. What must hold: a tree of `use` is one import a path; a `mod` without a body is
 * an import of its file; what an `impl` holds belongs to the type.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  callable,
  childOf,
  COMMENTS,
  field,
  isType,
  lastPart,
  leaf,
  opens,
  record,
  type Rules,
  scope,
  type Walk,
} from "./definitions_walk.ts";
import type { Import } from "./source_file.ts";

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

/** Rust: `impl` blocks are scopes of their type; attributes stand in front of what they describe. */
export const rust: Rules = {
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
