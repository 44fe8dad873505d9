/**
 * What Haskell defines and imports.
 *
 * Owns the rules for the nodes of its grammar. What must hold: the signature of a function and all its clauses are one definition, which
 * begins at the signature; what a module exports is what its header lists, all of it where it lists nothing.
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

/** What the header exports: names, and for types which of their members; undefined for all. */
interface Exports {
  readonly names: ReadonlySet<string>;
  /** Types that are exported with everything in them. */
  readonly whole: ReadonlySet<string>;
}

const exportsByWalk = new WeakMap<Walk, Exports>();

/** A name without the parentheses of an operator. */
const plainName = (text: string): string => /^\(\s*(.+?)\s*\)$/.exec(text)?.[1] ?? text;

const header: Rule = (walk, node) => {
  const list = field(node, "exports");
  if (!list) return;
  const names = new Set<string>();
  const whole = new Set<string>();
  const module = walk.slice(field(node, "module"));
  for (const each of list.namedChildren) {
    if (!each) continue;
    // A module that exports itself exports all that it defines.
    if (each.type === "module_export" && walk.slice(field(each, "module")) === module) return;
    if (each.type !== "export") continue;
    const name = plainName(
      walk.slice(field(each, "variable") ?? field(each, "type") ?? field(each, "operator")),
    );
    names.add(lastPart(name, ".") || name);
    const members = field(each, "children");
    for (const member of members?.namedChildren ?? []) {
      if (member?.type === "all_names") whole.add(name);
      else names.add(plainName(walk.slice(member)));
    }
  }
  exportsByWalk.set(walk, { names, whole });
};

/** Adds a clause to the definition that it belongs to, or begins one. */
function clause(
  walk: Walk,
  node: Node,
  name: Node | null,
  kind: DefinitionKind,
  body: Node | null | undefined,
): void {
  const text = plainName(walk.slice(name));
  if (text === "") return;
  const known = walk.latest(text);
  const previous = walk.definitions[known];
  if (
    previous && (previous.kind === "function" || previous.kind === "method" ||
      previous.kind === "constant")
  ) {
    // Clauses follow the signature: what stands between is another definition.
    walk.extend(known, node);
  } else walk.add(kind, text, node, name, body);
}

/** Functions that a `where` or a `let` binds. */
function locals(walk: Walk, node: Node, text: string): void {
  const binds = field(node, "binds");
  if (binds) walk.within(text, "function", false, () => walk.open(binds));
}

const isMember = (walk: Walk): boolean => walk.owner === "interface" || walk.owner === "class";

const signature: Rule = (walk, node) => {
  const single = field(node, "name");
  const names = single
    ? [single]
    : childrenOf(field(node, "names") ?? node, "variable", "prefix_id");
  const type = field(node, "type");
  // `forall a. Eq a => a -> a`
  let inner: Node | null | undefined = type;
  while (inner && /^(forall|context|parens|linear_forall)/.test(inner.type)) {
    inner = field(inner, "type") ?? inner.lastNamedChild;
  }
  const isFunction = inner?.type === "function" || inner?.type === "linear_function";
  const kind: DefinitionKind = isMember(walk)
    ? "method"
    : isFunction || walk.slice(single) === "main"
    ? "function"
    : "constant";
  for (const name of names) {
    const text = plainName(walk.slice(name));
    if (walk.owner === "function" && !isFunction) continue;
    // In an instance a signature may stand before its clauses as well.
    walk.add(kind, text, node, name, undefined);
  }
};

const dataType = (kind: DefinitionKind): Rule => (walk, node) => {
  const name = field(node, "name");
  const text = plainName(walk.slice(name));
  const constructors = field(node, "constructors") ?? field(node, "constructor");
  const exported = walk.add(kind, text, node, name, constructors);
  walk.within(text, kind, exported, () => {
    if (constructors?.type === "newtype_constructor") constructor(walk, constructors);
    else walk.open(constructors);
  });
};

/** One constructor, and the fields of its record. */
const constructor: Rule = (walk, node) => {
  const inner = field(node, "constructor") ?? node;
  const name = field(inner, "name") ?? field(node, "name");
  if (!name) return;
  const isWhole = node.type === "newtype_constructor";
  walk.add(
    "enum_member",
    plainName(walk.slice(name)),
    node,
    name,
    undefined,
    isWhole ? { start: node.startIndex } : {},
  );
  const record = field(node, "field") ?? field(inner, "fields") ?? field(node, "type");
  const fields = record?.type === "record" ? field(record, "fields") ?? record : record;
  if (fields && (fields.type === "fields" || fields.type === "record")) walk.open(fields);
};

const instance: Rule = (walk, node) => {
  const type = walk.slice(childOf(node, "type_patterns"));
  const head = /[A-Z][\w.']*/.exec(type)?.[0] ?? type;
  const name = walk.slice(field(node, "name"));
  walk.scopes.push({
    name: `${name} ${head}`.trim(),
    kind: "instance",
    start: walk.docsOf(node),
    end: node.endIndex,
  });
  walk.within(lastPart(head, "."), "class", false, () => walk.open(field(node, "declarations")));
};

/** Haskell: what the header lists is visible; members with their type where that says `(..)`. */
export const haskell: Rules = {
  trailing: true,
  exported: (walk, _node, name) => {
    if (walk.owner === "function") return false;
    const exports = exportsByWalk.get(walk);
    const around = walk.container.at(-1);
    if (!exports) return walk.owner === undefined || walk.ownerExported;
    return exports.names.has(name) || (around !== undefined && exports.whole.has(around));
  },
  nodes: {
    ...record(
      opens,
      "imports declarations class_declarations instance_declarations local_binds data_constructors " +
        "gadt_constructors ERROR",
    ),
    header,
    import: (walk, node) => {
      const module = walk.slice(field(node, "module"));
      const alias = walk.slice(field(node, "alias"));
      const isQualified = node.children.some((child) => child?.type === "qualified");
      const isHiding = node.children.some((child) => child?.type === "hiding");
      const list = field(node, "names");
      const names: { name: string; alias: string }[] = [];
      if (alias !== "" || isQualified) names.push({ name: "*", alias: alias || module });
      if (list && !isHiding) {
        for (const each of childrenOf(list, "import_name")) {
          const name = plainName(
            walk.slice(field(each, "variable") ?? field(each, "type") ?? field(each, "operator")),
          );
          names.push({ name, alias: name });
          for (const member of field(each, "children")?.namedChildren ?? []) {
            if (member && member.type !== "all_names") {
              const text = plainName(walk.slice(member));
              names.push({ name: text, alias: text });
            }
          }
        }
      } else if (!isQualified) names.push({ name: "*", alias: "*" });
      walk.import(node, module, names);
    },
    data_type: dataType("type"),
    newtype: dataType("type"),
    ...record((walk, node) => {
      const name = field(node, "name");
      walk.add("type", plainName(walk.slice(name)), node, name, field(node, "closed_family"));
    }, "type_synomym type_family data_family kind_signature"),
    data_constructor: constructor,
    gadt_constructor: constructor,
    newtype_constructor: constructor,
    field: (walk, node) => {
      for (const name of node.childrenForFieldName("name")) {
        if (name) walk.add("property", walk.slice(name), node, name, undefined);
      }
    },
    class: (walk, node) => {
      const name = field(node, "name");
      const body = field(node, "declarations");
      const text = plainName(walk.slice(name));
      const docs = walk.docsOf(node);
      const exported = walk.add("interface", text, node, name, body, { start: docs });
      walk.within(text, "interface", exported, () => walk.open(body, commentsBefore(body)));
    },
    instance,
    signature,
    function: (walk, node) => {
      const operator = childOf(node, "infix");
      const name = field(node, "name") ?? (operator && field(operator, "operator")) ?? null;
      clause(walk, node, name, isMember(walk) ? "method" : "function", childOf(node, "match"));
      locals(walk, node, plainName(walk.slice(name)));
    },
    bind: (walk, node) => {
      const name = field(node, "name");
      const text = plainName(walk.slice(name));
      // A value that a function binds is a local.
      if (name && (walk.owner !== "function" || walk.latest(text) !== -1)) {
        const kind = isMember(walk) ? "method" : text === "main" ? "function" : "constant";
        clause(walk, node, name, kind, childOf(node, "match"));
      }
      locals(walk, node, text);
    },
    pattern_synonym: (walk, node) => {
      const name = /^pattern\s+(?:\(?\s*)([A-Z][\w']*)/.exec(walk.slice(node))?.[1];
      if (name) walk.add("function", name, node, node, undefined);
    },
    foreign_import: (walk, node) => {
      const inner = field(node, "signature");
      const name = inner && field(inner, "name");
      walk.add("function", walk.slice(name), node, name, undefined);
    },
  },
};

/** Where the comments in front of a node begin, which the grammar puts beside it; -1 where there are none. */
function commentsBefore(node: Node | null): number {
  let first = -1;
  for (let at = node?.previousSibling; at?.type === "haddock" || at?.type === "comment";) {
    first = at.startIndex;
    at = at.previousSibling;
  }
  return first;
}
