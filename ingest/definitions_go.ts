/**
 * What Go defines and imports.
 *
 * Owns the rules for the nodes of its grammar. What must hold: what stands alone behind `type`, `const` or `var` begins at the
 * keyword, and its doc comment is the one above that; a test is a function that `go test` runs.
 */

import {
  childOf,
  childrenOf,
  COMMENTS,
  field,
  lastPart,
  leaf,
  opens,
  record,
  type Rule,
  type Rules,
} from "./definitions_walk.ts";
import type { DefinitionKind } from "./source_file.ts";

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

/** Go: a capital exports a name; a method belongs to the type of its receiver. */
export const go: Rules = {
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
