/**
 * What Java, Kotlin and C# define and import: languages of classes whose members say by modifiers who sees them.
 *
 * Owns the rules for the nodes of the three grammars. What must hold: a declaration begins behind its annotations or
 * attributes, which are still part of the whole; local variables define nothing.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childOf,
  childrenOf,
  COMMENTS,
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

/** Java: members of an interface are visible without a modifier. */
export const java: Rules = {
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

/** Kotlin: everything is visible that is neither `private` nor `internal`. */
export const kotlin: Rules = {
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

/** C#: a file-scoped namespace holds everything behind it. */
export const csharp: Rules = {
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
