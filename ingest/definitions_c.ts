/**
 * What C and C++ define and include.
 *
 * Owns the rules for the nodes of the C++ grammar, which reads C too. What must hold: a name is found inside its declarators,
 * and the scopes in front of it (`A::b`) become its container; a guard against double inclusion defines nothing.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childOf,
  field,
  isType,
  lastPart,
  leaf,
  opens,
  record,
  type Rule,
  type Rules,
  scope,
  type Walk,
} from "./definitions_walk.ts";
import type { DefinitionKind } from "./source_file.ts";

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

/** The name of an operator. What the grammar takes for one may go on to the end of a class that a macro made unreadable. */
const OPERATOR = /^operator(?:\s*(?:\(\s*\)|\[\s*\]|""\s*\w+|[^\w\s()[\]"]+)|[\s\w:<>,*&]*)/;
/** A namespace behind a macro that the grammar takes for a type: `BEGIN_NAMESPACE namespace detail {` reads as a function. */
const NAMESPACE = /^namespace\s+([\w:]+)$/;

/** Splits `A::B<T>::c` into scopes and name. */
function qualified(text: string): { scopes: string[]; name: string } {
  // Template arguments may hold `::` themselves.
  let plain = "";
  let depth = 0;
  const at = text.indexOf("operator");
  const head = at === -1 ? text : text.slice(0, at);
  // Statements in front of it: what the grammar could not read.
  if (/[(){};=]/.test(head)) return { scopes: [], name: "" };
  for (const character of head) {
    if (character === "<") depth++;
    else if (character === ">") depth--;
    else if (depth === 0) plain += character;
  }
  const scopes = plain.split("::").map((part) => part.trim());
  const name = at === -1
    ? scopes.pop() ?? ""
    : OPERATOR.exec(text.slice(at))![0].replace(/\s+/g, " ").trim();
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
  // A class that the grammar could not end reads as the type of the next function.
  const type = field(node, "type");
  const unended = type && field(type, "body") ? type : undefined;
  if (unended) walk.visitAt(unended, walk.docsOf(node));
  if (text === "") return;
  const namespace = NAMESPACE.exec(full);
  if (namespace) {
    walk.add("module", namespace[1]!, node, name, body ?? undefined);
    walk.within(namespace[1]!, "module", true, () => walk.open(body));
    return;
  }
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
    ...(unended && name ? { start: name.startIndex, declaration: name.startIndex } : {}),
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

/** C and C++: one grammar reads both; `private:` and `public:` hold until the next. */
export const cpp: Rules = {
  exported: cppVisible,
  attributes: new Set(["attribute_declaration"]),
  nodes: {
    ...record(
      opens,
      "declaration_list field_declaration_list enumerator_list preproc_ifdef preproc_if preproc_else preproc_elif " +
        "linkage_specification compound_statement ERROR",
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
