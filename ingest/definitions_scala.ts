/**
 * What Scala defines and imports, in both of its spellings: with braces and by indentation.
 *
 * Owns the rules for the nodes of its grammar. What must hold: what an `extension` holds is defined around it, since nothing names the
 * type; annotations stand in front of a declaration and are part of the whole; local values define nothing.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childOf,
  childrenOf,
  COMMENTS,
  field,
  isType,
  leaf,
  opens,
  record,
  type Rule,
  type Rules,
  type Walk,
} from "./definitions_walk.ts";
import type { DefinitionKind, Import } from "./source_file.ts";

/** Words that name a test or a group of tests: in ScalaTest, MUnit, specs2, uTest. */
const TESTS = new Set(
  "test it describe feature scenario property testAsync ignore should must can in when which that"
    .split(" "),
);

/** Behind the annotations. */
const afterAnnotations = (node: Node): number => {
  for (const child of node.children) {
    if (child && child.type !== "annotation" && !COMMENTS.has(child.type)) return child.startIndex;
  }
  return node.startIndex;
};

const isPrivate = (walk: Walk, node: Node): boolean =>
  /\bprivate\b/.test(walk.slice(childOf(node, "modifiers")));

const plainName = (text: string): string => text.replace(/^`|`$/g, "");

const scalaScope = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body");
  const text = plainName(walk.slice(name));
  const declaration = afterAnnotations(node);
  const exported = walk.add(kind, text, node, name, body, { declaration });
  // A case class makes members of its parameters, any class of those that say `val` or `var`.
  const isCase = node.children.some((child) => child?.type === "case");
  walk.within(text, kind, exported, () => {
    const [parameters] = node.childrenForFieldName("class_parameters");
    for (const parameter of parameters ? childrenOf(parameters, "class_parameter") : []) {
      const isMember = isCase ||
        parameter.children.some((child) => child?.type === "val" || child?.type === "var");
      const property = field(parameter, "name");
      if (isMember) {
        walk.add("property", walk.slice(property), parameter, property, undefined, {
          start: parameter.startIndex,
        });
      }
    }
    walk.open(body);
  });
};

const scalaFunction: Rule = (walk, node) => {
  const name = field(node, "name");
  const body = field(node, "body");
  const text = plainName(walk.slice(name));
  const declaration = afterAnnotations(node);
  const isTest = declaration > node.startIndex &&
    /@(?:\w+\.)*Test\b/.test(walk.text.slice(node.startIndex, declaration));
  const kind = isTest ? "test" : isType(walk.owner) ? "method" : "function";
  const exported = walk.add(kind, text, node, name, body, { declaration });
  walk.within(text, "function", exported, () => {
    if (body && walk.text.charCodeAt(body.startIndex) === 123) walk.open(body);
    else if (body?.type === "indented_block") walk.open(body);
  });
};

const scalaValue: Rule = (walk, node) => {
  if (walk.owner === "function" || walk.owner === "test") return;
  const pattern = field(node, "pattern") ?? field(node, "name");
  if (!pattern) return;
  const names = pattern.type === "identifiers" ? childrenOf(pattern, "identifier") : [pattern];
  const isValue = node.type.startsWith("val_");
  const kind = isValue && walk.owner !== undefined && isType(walk.owner)
    ? "property"
    : isValue
    ? "constant"
    : isType(walk.owner)
    ? "property"
    : "variable";
  const value = field(node, "value");
  for (const name of names) {
    if (!name.type.endsWith("identifier")) continue;
    walk.add(kind, plainName(walk.slice(name)), node, name, value, {
      declaration: afterAnnotations(node),
    });
  }
  // `val routes = new Routes { def … }`
  const members = value?.type === "instance_expression"
    ? childOf(value, "template_body")
    : undefined;
  if (members && names.length === 1) {
    walk.within(plainName(walk.slice(names[0])), "class", false, () => walk.open(members));
  }
};

const isString = (node: Node | null | undefined): node is Node =>
  node?.type === "string" || node?.type === "interpolated_string_expression";

const titleOf = (walk: Walk, node: Node): string =>
  walk.slice(node).replace(/^[a-z]*"+|"+$/g, "").replace(/\s+/g, " ");

const test = (walk: Walk, node: Node, title: Node, body: Node | null | undefined): void => {
  const text = titleOf(walk, title);
  const start = walk.docsOf(node);
  walk.add("test", text, node, title, body, { exported: false, start });
  walk.within(text, "test", false, () => walk.open(body));
};

/** Scala: everything is visible that is not `private`. */
export const scala: Rules = {
  trailing: true,
  exported: (walk, node) =>
    walk.ownerExported && walk.owner !== "function" && walk.owner !== "test" &&
    !isPrivate(walk, node),
  nodes: {
    ...record(
      opens,
      "template_body with_template_body enum_body block indented_block enum_case_definitions ERROR",
    ),
    package_clause: (walk, node) => {
      const body = field(node, "body");
      if (body) walk.open(body);
    },
    class_definition: scalaScope("class"),
    object_definition: scalaScope("class"),
    package_object: scalaScope("class"),
    trait_definition: scalaScope("trait"),
    enum_definition: scalaScope("enum"),
    ...record((walk, node) => {
      const name = field(node, "name");
      walk.add("enum_member", walk.slice(name), node, name, undefined);
    }, "simple_enum_case full_enum_case"),
    given_definition: (walk, node) => {
      const body = field(node, "body");
      const name = field(node, "name");
      // A given without a name is known by its type.
      const type = field(node, "return_type");
      const text = walk.slice(name ?? type).replace(/\[[^]*$/, "");
      const exported = walk.add("constant", text, node, name ?? type, body);
      walk.within(text, "class", exported, () => walk.open(body));
    },
    extension_definition: (walk, node) => {
      const docs = walk.docsOf(node);
      const bodies = node.childrenForFieldName("body");
      for (const body of bodies) {
        if (!body) continue;
        if (body.type in scala.nodes && !/(body|block)$/.test(body.type)) {
          walk.visitAt(body, bodies.length === 1 ? docs : body.startIndex);
        } else walk.open(body);
      }
    },
    function_definition: scalaFunction,
    function_declaration: scalaFunction,
    ...record(scalaValue, "val_definition val_declaration var_definition var_declaration"),
    type_definition: leaf("type"),
    call_expression: (walk, node) => {
      // `test("…") { … }`, `describe("…") { … }`
      const block = field(node, "arguments");
      const head = field(node, "function");
      if (!block || !head) return;
      const first = head.type === "call_expression"
        ? field(head, "arguments")?.firstNamedChild
        : undefined;
      const called = head.type === "call_expression" ? walk.slice(field(head, "function")) : "";
      if (isString(first) && TESTS.has(called)) test(walk, node, first, block);
    },
    infix_expression: (walk, node) => {
      // `"a parser" should { "fail" in { … } }`
      const right = field(node, "right");
      let left = field(node, "left");
      if (!right || !TESTS.has(walk.slice(field(node, "operator")))) return;
      // `it should "fail" in { … }`
      if (left?.type === "infix_expression") left = field(left, "right");
      // `in { … }`, or `in` something that takes the block.
      const body = right.type === "call_expression" ? field(right, "arguments") : right;
      if (isString(left) && body && /(block|lambda_expression)$/.test(body.type)) {
        test(walk, node, left, body);
      }
    },
    ...record((walk, node) => {
      const kind: Import["kind"] = node.type === "export_declaration" ? "reexport" : "import";
      scalaImport(walk, node, kind);
    }, "import_declaration export_declaration"),
  },
};

/** `import a.b.{C, D => E}`, `import a.b._`, `import a.b.C, d.E`: one import a path. */
function scalaImport(walk: Walk, node: Node, kind: Import["kind"]): void {
  let path: string[] = [];
  const flush = (names?: Import["names"]) => {
    if (path.length === 0) return;
    const last = path.at(-1)!;
    walk.import(node, path.join("."), names ?? [{ name: last, alias: last }], kind);
    path = [];
  };
  const all: Import["names"] = [{ name: "*", alias: "*" }];
  for (const child of node.children) {
    if (!child) continue;
    if (child.type === ",") flush();
    else if (child.type === "namespace_wildcard") flush(all);
    else if (child.type === "namespace_selectors") {
      const prefix = path.join(".");
      path = [];
      for (const selected of child.namedChildren) {
        if (!selected || COMMENTS.has(selected.type)) continue;
        if (selected.type === "namespace_wildcard") walk.import(node, prefix, all, kind);
        else {
          const name = walk.slice(field(selected, "name") ?? selected);
          const alias = walk.slice(field(selected, "alias") ?? selected);
          // `{A => _}` hides a name.
          if (alias !== "_") walk.import(node, `${prefix}.${name}`, [{ name, alias }], kind);
        }
      }
    } else if (child.type.endsWith("_renamed_identifier")) {
      const name = walk.slice(field(child, "name"));
      path.push(name);
      flush([{ name, alias: walk.slice(field(child, "alias")) }]);
    } else if (child.isNamed && !COMMENTS.has(child.type)) path.push(walk.slice(child));
  }
  flush();
}
