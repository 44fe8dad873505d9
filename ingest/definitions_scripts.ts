/**
 * What Ruby, PHP and Bash define and load.
 *
 * Owns the rules for the nodes of the three grammars. What must hold: a path is loaded relative to the file only where the
 * script says so (`require_relative`, `__DIR__`); sigils and quotes are no part of a name.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  callable,
  childOf,
  childrenOf,
  field,
  lastPart,
  leaf,
  opens,
  record,
  type Rule,
  type Rules,
  type Walk,
} from "./definitions_walk.ts";
import type { DefinitionKind } from "./source_file.ts";

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

/** Ruby: `private` and `protected` hold until the next; calls define too (`attr_reader`, `define_method`). */
export const ruby: Rules = {
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

/** PHP: a namespace without braces holds everything behind it. */
export const php: Rules = {
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

/** Bash: functions, aliases, and the variables at the top of a script. */
export const bash: Rules = {
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
