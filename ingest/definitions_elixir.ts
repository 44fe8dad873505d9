/**
 * What Elixir defines and imports.
 *
 * Owns the rules for its grammar, in which everything is a call: `defmodule`, `def`, `alias`. What must hold: a module is called by the
 * last part of its name and lies in the others; the clauses of a function are one definition; `@doc`, `@spec` and the like belong to what
 * follows them.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import {
  childOf,
  childrenOf,
  field,
  opens,
  record,
  type Rule,
  type Rules,
  type Walk,
} from "./definitions_walk.ts";
import type { DefinitionKind, Import } from "./source_file.ts";

/** Attributes of a module that speak of the next definition. */
const LEADING = new Set(
  "doc spec impl typedoc deprecated since dialyzer tag describetag moduletag".split(" "),
);

const FUNCTIONS = new Set("def defp defn defnp defguard defguardp defdelegate".split(" "));
const MACROS = new Set(["defmacro", "defmacrop"]);
/** Fields of an Ecto schema. */
const FIELDS = new Set(
  "field belongs_to has_one has_many many_to_many embeds_one embeds_many".split(" "),
);

const argumentsOf = (call: Node): Node[] =>
  (childOf(call, "arguments")?.namedChildren ?? []).filter((child): child is Node =>
    child !== null && child.type !== "comment"
  );

/** The value of `key:` among the keywords of a call. */
const keyword = (walk: Walk, call: Node, key: string): Node | null => {
  const pairs = childrenOf(argumentsOf(call).at(-1) ?? call, "pair");
  const pair = pairs.find((each) => walk.slice(field(each, "key")).trim() === `${key}:`);
  return pair ? field(pair, "value") : null;
};

const stringOf = (walk: Walk, node: Node | undefined): string =>
  node?.type === "string" ? walk.slice(childOf(node, "quoted_content")) : "";

/** The parts of a module's name; `__MODULE__` is the module around. */
function moduleParts(walk: Walk, node: Node | null | undefined): string[] {
  const text = walk.slice(node).replace(/\s+/g, "");
  if (text === "__MODULE__") return [...walk.container];
  if (text.startsWith("__MODULE__.")) return [...walk.container, ...text.slice(11).split(".")];
  return /^[\w.]+$/.test(text) ? text.split(".").filter((part) => part !== "Elixir") : [];
}

const doBlock = (call: Node): Node | undefined => childOf(call, "do_block");

/** `inside` in the scope of a module whose name is given by its parts. */
function inModule(
  walk: Walk,
  parts: readonly string[],
  kind: DefinitionKind | undefined,
  inside: () => void,
): void {
  const before = walk.container;
  walk.container = [...before, ...parts.slice(0, -1)];
  walk.within(parts.at(-1) ?? "", kind, true, inside);
  walk.container = before;
}

const moduleRule = (kind: DefinitionKind): Rule => (walk, node) => {
  const [name] = argumentsOf(node);
  const parts = moduleParts(walk, name);
  const text = parts.at(-1);
  const body = doBlock(node);
  if (text === undefined) return walk.open(body);
  // The name stands behind the last dot.
  const nameStart = name!.endIndex - text.length;
  const isNamed = walk.text.startsWith(text, nameStart);
  const container = [...walk.container, ...parts.slice(0, -1)];
  walk.add(kind, text, node, isNamed ? { startIndex: nameStart } : name, body, {
    container,
    exported: true,
  });
  inModule(walk, parts, "module", () => walk.open(body));
};

/** An implementation is the module `Protocol.Type`. */
const implementation: Rule = (walk, node) => {
  const [protocol] = argumentsOf(node);
  const target = keyword(walk, node, "for");
  const type = target?.type === "list" ? target.firstNamedChild : target;
  const parts = [...moduleParts(walk, protocol), ...type ? moduleParts(walk, type).slice(-1) : []];
  walk.scopes.push({
    name: parts.at(-1) ?? "",
    kind: "impl",
    start: walk.docsOf(node),
    end: node.endIndex,
  });
  inModule(walk, parts, "module", () => walk.open(doBlock(node)));
};

/** `f(x) when …`, `f`, `a + b`: the name, and how many arguments. */
function headOf(walk: Walk, node: Node | undefined): { name: Node; arity: number } | undefined {
  if (!node) return undefined;
  if (node.type === "binary_operator") {
    const operator = field(node, "operator");
    const text = walk.slice(operator);
    if (text === "when" || text === "::") {
      return headOf(walk, field(node, "left") ?? undefined);
    }
    return operator ? { name: operator, arity: 2 } : undefined;
  }
  if (node.type === "unary_operator") {
    const operator = field(node, "operator");
    return operator ? { name: operator, arity: 1 } : undefined;
  }
  if (node.type === "call") {
    const target = field(node, "target");
    return target?.type === "identifier"
      ? { name: target, arity: argumentsOf(node).length }
      : undefined;
  }
  return node.type === "identifier" ? { name: node, arity: 0 } : undefined;
}

function functionRule(walk: Walk, node: Node, keywordName: string): void {
  const [first] = argumentsOf(node);
  const head = headOf(walk, first);
  const body = doBlock(node);
  if (!head) return walk.open(body);
  const text = walk.slice(head.name);
  const exported = !/p$/.test(keywordName);
  const kind = MACROS.has(keywordName) ? "macro" : "function";
  // Clauses of one function stand together; another number of arguments is another function.
  const clause = `${text}/${head.arity}`;
  const known = walk.section === clause ? walk.latest(text) : -1;
  if (known !== -1) walk.extend(known, node);
  else {
    walk.add(
      kind,
      text,
      node,
      head.name,
      body ?? childOf(childOf(node, "arguments")!, "keywords"),
      {
        exported,
      },
    );
  }
  walk.section = clause;
  walk.within(text, "function", false, () => walk.open(body));
}

function importRule(walk: Walk, node: Node, how: string): void {
  const [first] = argumentsOf(node);
  if (!first) return;
  // `alias A.{B, C}`
  const braces = first.type === "dot" ? field(first, "right") : undefined;
  if (braces?.type === "tuple") {
    const prefix = moduleParts(walk, field(first, "left"));
    for (const each of braces.namedChildren) {
      const parts = [...prefix, ...moduleParts(walk, each)];
      bind(walk, node, parts, parts.at(-1)!);
    }
    return;
  }
  const parts = moduleParts(walk, first);
  const name = parts.at(-1);
  if (name === undefined || !/^[A-Z]/.test(parts[0]!)) return;
  if (how === "import") {
    const only = keyword(walk, node, "only");
    const names = [...walk.slice(only).matchAll(/(\w+[?!]?):\s*\d/g)].map(([, each]) => ({
      name: each!,
      alias: each!,
    }));
    walk.import(
      node,
      parts.join("."),
      names.length > 0 ? names : [{ name: "*", alias: "*" }],
    );
  } else if (how === "use") {
    walk.import(node, parts.join("."), [
      { name, alias: name },
      { name: "*", alias: "*" },
    ]);
  } else {
    const given = keyword(walk, node, "as");
    bind(walk, node, parts, given ? walk.slice(given) : name);
  }
}

/** A module under a short name, through which its functions are called. */
function bind(walk: Walk, node: Node, parts: readonly string[], alias: string): void {
  const names: Import["names"] = [{ name: parts.at(-1)!, alias }, { name: "*", alias }];
  walk.import(node, parts.join("."), names);
}

const MODULES: Readonly<Record<string, Rule>> = {
  defmodule: moduleRule("module"),
  defprotocol: moduleRule("interface"),
  defimpl: implementation,
};

/** Elixir: what ends in `p` is private to its module. */
export const elixir: Rules = {
  hashComments: true,
  attributes: new Set(["unary_operator"]),
  leads: (walk, node) => LEADING.has(attributeName(walk, node)),
  exported: (walk) => walk.owner !== "function",
  nodes: {
    ...record(opens, "do_block else_block"),
    unary_operator: (walk, node) => {
      const name = attributeName(walk, node);
      const call = field(node, "operand");
      if (name === "" || LEADING.has(name) || call?.type !== "call") return;
      const [value] = argumentsOf(call);
      if (/^(type|typep|opaque|callback|macrocallback)$/.test(name)) {
        const head = headOf(walk, value);
        if (!head) return;
        const kind = name.endsWith("callback") ? "function" : "type";
        walk.add(kind, walk.slice(head.name), node, head.name, undefined, {
          exported: name !== "typep",
        });
      } else if (name === "behaviour") {
        const parts = moduleParts(walk, value);
        if (parts.length > 0) bind(walk, node, parts, parts.at(-1)!);
      } else if (value && name !== "moduledoc" && walk.owner === "module") {
        walk.add("constant", name, node, field(call, "target"), value, { exported: false });
      }
    },
    call: (walk, node) => {
      const target = field(node, "target");
      const called = target?.type === "identifier" ? walk.slice(target) : "";
      const rule = MODULES[called];
      if (rule) return rule(walk, node);
      if (FUNCTIONS.has(called) || MACROS.has(called)) return functionRule(walk, node, called);
      if (/^(alias|import|require|use)$/.test(called)) return importRule(walk, node, called);
      const values = argumentsOf(node);
      const body = doBlock(node);
      if (called === "defstruct" || called === "defexception") {
        const [list] = values;
        for (const atom of list ? childrenOf(list, "atom") : []) {
          walk.add("property", walk.slice(atom).slice(1), atom, atom, undefined, {
            exported: true,
            start: atom.startIndex,
          });
        }
        const keywords = list?.type === "keywords" ? list : list && childOf(list, "keywords");
        for (const pair of keywords ? childrenOf(keywords, "pair") : []) {
          const key = field(pair, "key");
          walk.add("property", walk.slice(key).replace(/:\s*$/, ""), pair, key, undefined, {
            exported: true,
            start: pair.startIndex,
          });
        }
      } else if (FIELDS.has(called) && walk.owner === "struct" && values[0]?.type === "atom") {
        walk.add("property", walk.slice(values[0]).slice(1), node, values[0], undefined, {
          exported: true,
        });
      } else if (body && /^(schema|embedded_schema)$/.test(called)) {
        walk.within("", "struct", true, () => walk.open(body));
      } else if (body && /^(test|describe|property)$/.test(called)) {
        const title = stringOf(walk, values[0]);
        walk.add("test", title, node, values[0], body, { exported: false });
        walk.within(title, "test", false, () => walk.open(body));
      } else if (body && called !== "") walk.open(body);
    },
  },
};

/** `doc` of `@doc "…"`; empty for any other operator. */
function attributeName(walk: Walk, node: Node): string {
  if (walk.text.charCodeAt(node.startIndex) !== 64) return "";
  const operand = field(node, "operand");
  return walk.slice(operand?.type === "call" ? field(operand, "target") : operand);
}
