/**
 * What an expression of Python says about its type: annotations, constructor calls, `self`, `isinstance`.
 *
 * Owns the reading of expressions and of the variables of functions. What must hold: an annotation outweighs what is assigned; of several assignments those count that
 * may reach the place; a variable that is bound in ways not understood is unknown.
 */
import { child, either, LITERAL, named, type Node, type TypeTerm, UNKNOWN } from "./type_terms.ts";

// Chains of variables and calls are followed so far; longer ones are rare, and a loop has no end.
const MAX_DEPTH = 12;
// Functions with more `return` than this have many results, of which some is unknown.
const MAX_RETURNS = 6;

const LITERALS = new Set([
  "string",
  "concatenated_string",
  "integer",
  "float",
  "true",
  "false",
  "none",
  "comparison_operator",
  "not_operator",
  "binary_operator",
  "unary_operator",
  "lambda",
]);
// Functions that hand on what they are given.
const SAME = new Set(["iter", "list", "sorted", "reversed", "tuple", "set", "frozenset", "deque"]);
const COPIES = new Set(["copy", "deepcopy", "copy.copy", "copy.deepcopy"]);
const PICKS = new Set(["next", "max", "min"]);
// Annotations that say nothing but what stands inside.
const WRAPPERS = /^(Annotated|ClassVar|Final|Required|NotRequired|ReadOnly|InitVar|Awaitable)$/;
const SCOPES = new Set(["function_definition", "lambda"]);

interface Binding {
  readonly at: number;
  /** The block of the statement that binds. */
  readonly block: Node | null;
  readonly isDeclared: boolean;
  readonly term: (depth: number) => TypeTerm;
}

/** Terms of the expressions of one tree; holds what it found in its functions. */
export class PythonTerms {
  readonly #bindings = new Map<number, Map<string, Binding[]>>();

  term(node: Node | null, depth = 0): TypeTerm {
    if (!node || depth > MAX_DEPTH) return UNKNOWN;
    const next = depth + 1;
    if (LITERALS.has(node.type)) return LITERAL;
    switch (node.type) {
      case "identifier":
        return this.#variable(node, next);
      case "attribute": {
        const narrowed = this.#narrowed(node, node.text, next);
        if (narrowed) return narrowed;
        const name = child(node, "attribute")?.text ?? "";
        return { is: "member", on: this.term(child(node, "object"), next), name };
      }
      case "call":
        return this.#call(node, next);
      case "subscript":
        return { is: "item", on: this.term(child(node, "value"), next) };
      case "await":
      case "parenthesized_expression":
        return this.term(named(node)[0] ?? null, next);
      case "named_expression":
        return this.term(child(node, "value"), next);
      case "conditional_expression": {
        const [yes, , no] = named(node);
        return either([this.term(yes ?? null, next), this.term(no ?? null, next)]);
      }
      case "boolean_operator":
        return either([
          this.term(child(node, "left"), next),
          this.term(child(node, "right"), next),
        ]);
      case "list":
      case "set":
        return {
          is: "list",
          of: [either(named(node).slice(0, 3).map((one) => this.term(one, next)))],
        };
      case "tuple":
      case "expression_list":
        return { is: "tuple", of: named(node).map((one) => this.term(one, next)) };
      case "list_comprehension":
      case "set_comprehension":
      case "generator_expression":
        return { is: "list", of: [this.term(child(node, "body"), next)] };
      case "dictionary":
      case "dictionary_comprehension": {
        const pair = named(node).find((one) => one.type === "pair");
        if (!pair) return { is: "list", of: [UNKNOWN, UNKNOWN] };
        return {
          is: "list",
          of: [this.term(child(pair, "key"), next), this.term(child(pair, "value"), next)],
        };
      }
      default:
        return UNKNOWN;
    }
  }

  /** What an annotation says of a value. */
  annotation(node: Node | null, depth = 0): TypeTerm {
    if (!node || depth > MAX_DEPTH) return UNKNOWN;
    const next = depth + 1;
    switch (node.type) {
      case "type":
      case "parenthesized_expression":
        return this.annotation(named(node)[0] ?? null, next);
      case "none":
        return LITERAL;
      case "string":
        return quoted(node.text.replace(/^\w*["']+|["']+$/g, ""));
      case "identifier":
      case "attribute":
      case "member_type":
        return quoted(node.text);
      case "binary_operator":
        return either([
          this.annotation(child(node, "left"), next),
          this.annotation(child(node, "right"), next),
        ]);
      case "union_type":
        return either(named(node).map((one) => this.annotation(one, next)));
      case "generic_type":
      case "subscript": {
        const [base, ...rest] = named(node);
        const given = rest.flatMap((one) => one.type === "type_parameter" ? named(one) : [one]);
        const name = base?.text.split(".").at(-1) ?? "";
        const args = given.map((one) => this.annotation(one, next));
        if (name === "Optional" || name === "Union") return either(args);
        if (WRAPPERS.test(name)) return args[0] ?? UNKNOWN;
        if (name === "Coroutine") return args[2] ?? UNKNOWN;
        if (/^(type|Type)$/.test(name)) return typeItself(args[0] ?? UNKNOWN);
        if (/^[tT]uple$/.test(name)) {
          return given[1]?.text === "..."
            ? { is: "list", of: [args[0]!] }
            : { is: "tuple", of: args };
        }
        if (name === "Callable") return { is: "function", returns: args.at(-1) ?? UNKNOWN };
        if (name === "Literal") return LITERAL;
        return { is: "instance", on: path(base?.text ?? ""), of: args };
      }
      default:
        return UNKNOWN;
    }
  }

  #call(node: Node, depth: number): TypeTerm {
    const callee = child(node, "function");
    const args = child(node, "arguments");
    const given = args ? named(args) : [];
    const name = callee?.text ?? "";
    if (name === "super" && given.length === 0) {
      const type = typeAround(node);
      return type === undefined ? UNKNOWN : { is: "super", type };
    }
    const first = given[0] ?? null;
    if (/(^|\.)cast$/.test(name) && given.length === 2) return this.annotation(first, depth);
    const isLocal = callee?.type === "identifier" && this.#bound(callee, name).length > 0;
    if (!isLocal && first) {
      if (SAME.has(name)) {
        return { is: "list", of: [{ is: "element", on: this.term(first, depth) }] };
      }
      if (COPIES.has(name)) return this.term(first, depth);
      if (PICKS.has(name) && given.length === 1) {
        return { is: "element", on: this.term(first, depth) };
      }
      if (name === "enumerate") {
        const element: TypeTerm = { is: "element", on: this.term(first, depth) };
        return { is: "list", of: [{ is: "tuple", of: [LITERAL, element] }] };
      }
      if (name === "zip") {
        const of = given.map((one): TypeTerm => ({ is: "element", on: this.term(one, depth) }));
        return { is: "list", of: [{ is: "tuple", of }] };
      }
      if (name === "type" && given.length === 1) return typeItself(this.term(first, depth));
    }
    return { is: "call", on: this.term(callee, depth) };
  }

  #variable(node: Node, depth: number): TypeTerm {
    const name = node.text;
    const narrowed = this.#narrowed(node, name, depth);
    if (narrowed) return narrowed;
    const bindings = this.#bound(node, name);
    if (bindings.length === 0) return { is: "name", name };
    const before = bindings.filter((one) => one.at <= node.startIndex);
    // The last that every way to here comes by, and what may have followed it.
    const sure = before.findLast((one) => one.block === null || contains(one.block, node));
    const declared = bindings.find((one) => one.isDeclared);
    if (declared && (!sure || sure.at <= declared.at)) return declared.term(depth);
    const reaching = before.filter((one) => one.at >= (sure?.at ?? 0));
    // In a loop, what is assigned further down comes by again.
    return either((reaching.length > 0 ? reaching : bindings).map((one) => one.term(depth)));
  }

  /** The type that `isinstance` around a place says of an expression. */
  #narrowed(node: Node, text: string, depth: number): TypeTerm | undefined {
    for (let at = node; at.parent && !SCOPES.has(at.parent.type); at = at.parent) {
      const above: Node = at.parent;
      const condition = /^(if_statement|elif_clause|while_statement)$/.test(above.type) &&
          child(above, "consequence")?.id === at.id
        ? child(above, "condition")
        : above.type === "boolean_operator" && child(above, "right")?.id === at.id &&
            child(above, "operator")?.type === "and"
        ? child(above, "left")
        : above.type === "conditional_expression" && named(above)[0]?.id === at.id
        ? named(above)[1] ?? null
        : null;
      const found = condition && this.#instanceOf(condition, text, depth);
      if (found) return found;
    }
    return undefined;
  }

  #instanceOf(condition: Node, text: string, depth: number): TypeTerm | undefined {
    if (condition.type === "boolean_operator" && child(condition, "operator")?.type === "and") {
      for (const side of ["left", "right"]) {
        const found = this.#instanceOf(child(condition, side)!, text, depth);
        if (found) return found;
      }
    }
    if (condition.type !== "call" || child(condition, "function")?.text !== "isinstance") {
      return undefined;
    }
    const args = child(condition, "arguments");
    const [value, type] = args ? named(args) : [];
    if (value?.text !== text || !type) return undefined;
    const types = type.type === "tuple" ? named(type) : [type];
    return either(types.map((one) => this.annotation(one, depth)));
  }

  /** What binds a name in the innermost function around a place that does. */
  #bound(node: Node, name: string): Binding[] {
    for (let at = node.parent; at; at = at.parent) {
      if (!SCOPES.has(at.type)) continue;
      const found = this.#bindingsOf(at).get(name);
      if (found) return found;
    }
    return [];
  }

  #bindingsOf(scope: Node): Map<string, Binding[]> {
    let bindings = this.#bindings.get(scope.id);
    if (bindings) return bindings;
    this.#bindings.set(scope.id, bindings = new Map());
    const add = (
      name: Node | null,
      block: Node | null,
      term: Binding["term"],
      isDeclared = false,
    ): void => {
      if (name?.type !== "identifier") return;
      const present = bindings!.get(name.text);
      const binding = { at: name.startIndex, block, isDeclared, term };
      if (present) present.push(binding);
      else bindings!.set(name.text, [binding]);
    };
    this.#parameters(scope, add);
    const body = child(scope, "body");
    if (body) this.#statements(body, body, add);
    for (const list of bindings.values()) list.sort((a, b) => a.at - b.at);
    return bindings;
  }

  #parameters(
    scope: Node,
    add: (name: Node | null, block: null, term: Binding["term"], isDeclared?: boolean) => void,
  ): void {
    const parameters = child(scope, "parameters");
    const method = methodOf(scope);
    (parameters ? named(parameters) : []).forEach((parameter, at) => {
      const type = child(parameter, "type");
      const name = parameter.type === "identifier"
        ? parameter
        : child(parameter, "name") ?? named(parameter)[0] ?? null;
      if (at === 0 && method && method.first !== "none" && !type) {
        const { first, type } = method;
        return add(name, null, () => ({ is: first, type }), true);
      }
      const isMany = name && /splat_pattern$/.test(name.type);
      if (isMany || /splat_pattern$/.test(parameter.type)) {
        const splat = isMany ? name : parameter;
        const isKeys = splat.type.startsWith("dictionary");
        return add(named(splat)[0] ?? null, null, (depth) => {
          const of = this.annotation(type, depth);
          return { is: "list", of: isKeys ? [LITERAL, of] : [of] };
        }, type !== null);
      }
      add(name, null, (depth) => this.annotation(type, depth), type !== null);
    });
  }

  #statements(
    node: Node,
    block: Node,
    add: (name: Node | null, block: Node, term: Binding["term"], isDeclared?: boolean) => void,
  ): void {
    for (const one of named(node)) {
      switch (one.type) {
        case "function_definition":
        case "class_definition": {
          const name = child(one, "name");
          add(
            name,
            block,
            (depth) =>
              one.type === "class_definition"
                ? UNKNOWN
                : { is: "function", returns: this.returns(one, depth) },
          );
          continue;
        }
        case "lambda":
          continue;
        case "assignment": {
          const left = child(one, "left"), right = child(one, "right"), type = child(one, "type");
          if (type) add(left, block, (depth) => this.annotation(type, depth), true);
          else this.#bind(left, block, (depth) => this.term(right, depth), add);
          break;
        }
        case "augmented_assignment":
          break;
        case "named_expression":
          add(child(one, "name"), block, (depth) => this.term(child(one, "value"), depth));
          break;
        case "for_statement":
        case "for_in_clause": {
          const right = child(one, "right");
          const inside = child(one, "body") ?? one.parent!;
          this.#bind(
            child(one, "left"),
            inside,
            (depth) => ({ is: "element", on: this.term(right, depth) }),
            add,
          );
          break;
        }
        case "as_pattern": {
          const value = named(one)[0] ?? null;
          const alias = child(one, "alias") ?? named(one).at(-1) ?? null;
          const target = alias?.type === "as_pattern_target" ? named(alias)[0] ?? null : alias;
          if (one.parent?.type === "except_clause") {
            add(target, one.parent, (depth) => {
              const types = value?.type === "tuple" ? named(value) : value ? [value] : [];
              return either(types.map((type) => this.annotation(type, depth)));
            });
          } else if (one.parent?.type === "with_item") {
            add(target, block, (depth) => ({ is: "entered", on: this.term(value, depth) }));
          } else add(target, block, () => UNKNOWN);
          break;
        }
        case "import_statement":
        case "import_from_statement":
          // Names that a function imports mean what they mean at the top.
          continue;
      }
      this.#statements(one, one.type === "block" ? one : block, add);
    }
  }

  #bind(
    target: Node | null,
    block: Node,
    term: Binding["term"],
    add: (name: Node | null, block: Node, term: Binding["term"]) => void,
  ): void {
    if (!target) return;
    if (target.type === "identifier") return add(target, block, term);
    if (!/^(pattern_list|tuple_pattern|list_pattern)$/.test(target.type)) return;
    named(target).forEach((one, at) =>
      this.#bind(one, block, (depth) => ({ is: "part", on: term(depth), at }), add)
    );
  }

  /** What calling a function gives. */
  returns(definition: Node, depth = 0): TypeTerm {
    const type = child(definition, "return_type");
    if (type) {
      const owner = methodOf(definition);
      const text = type.text.replace(/["']/g, "");
      if (owner && /^(\w+\.)?Self$/.test(text)) return { is: "self", type: owner.type };
      return this.annotation(type, depth);
    }
    const body = child(definition, "body");
    const found: Node[] = [];
    if (!body || !collectReturns(body, found) || found.length > MAX_RETURNS) return UNKNOWN;
    if (found.length === 0) return LITERAL;
    return either(found.map((one) => this.term(named(one)[0] ?? null, depth + 4)));
  }
}

/** Gathers `return` with a value; false where the function yields. */
function collectReturns(node: Node, into: Node[]): boolean {
  for (const one of named(node)) {
    if (SCOPES.has(one.type) || one.type === "class_definition") continue;
    if (one.type === "yield") return false;
    if (one.type === "return_statement" && named(one).length > 0) into.push(one);
    if (!collectReturns(one, into)) return false;
  }
  return true;
}

function contains(outer: Node, node: Node): boolean {
  return outer.startIndex <= node.startIndex && outer.endIndex >= node.endIndex;
}

/** The type whose method a function is, and what its first parameter stands for. */
function methodOf(
  definition: Node,
): { readonly type: string; readonly first: "self" | "selfType" | "none" } | undefined {
  const outer = definition.parent?.type === "decorated_definition" ? definition.parent : definition;
  if (
    definition.type !== "function_definition" || outer.parent?.parent?.type !== "class_definition"
  ) {
    return undefined;
  }
  const decorators = outer === definition
    ? ""
    : outer.text.slice(0, definition.startIndex - outer.startIndex);
  const name = child(definition, "name")?.text;
  const first = /@staticmethod\b/.test(decorators)
    ? "none"
    : /@classmethod\b/.test(decorators) || name === "__new__" || name === "__init_subclass__"
    ? "selfType"
    : "self";
  return { type: qualified(outer.parent.parent), first };
}

/** The type in whose methods a place is. */
function typeAround(node: Node): string | undefined {
  for (let at = node.parent; at; at = at.parent) {
    if (at.type === "class_definition") return qualified(at);
  }
  return undefined;
}

function qualified(definition: Node): string {
  const names: string[] = [];
  for (let at: Node | null = definition; at; at = at.parent) {
    if (at.type === "class_definition") names.unshift(child(at, "name")?.text ?? "");
  }
  return names.join(".");
}

/** A dotted name as a term. */
export function path(text: string): TypeTerm {
  const [first = "", ...rest] = text.replace(/\s+/g, "").split(".");
  if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(first)) return UNKNOWN;
  return rest.reduce<TypeTerm>((on, name) => ({ is: "member", on, name }), {
    is: "name",
    name: first,
  });
}

/** A value of a type that is written as text, which may be a union or have parameters. */
function quoted(text: string): TypeTerm {
  const parts = text.split("|").map((part) => part.trim());
  if (text.includes("[")) {
    const optional = /^(?:\w+\.)?Optional\[(.*)\]$/.exec(text.trim());
    if (optional) return either([quoted(optional[1]!), LITERAL]);
    const generic = /^([\w.]+)\[([\w.]+)\]$/.exec(text.trim());
    if (!generic) return UNKNOWN;
    const of = quoted(generic[2]!);
    return /^(type|(\w+\.)?Type)$/.test(generic[1]!)
      ? typeItself(of)
      : { is: "instance", on: path(generic[1]!), of: [of] };
  }
  return either(
    parts.map((part): TypeTerm =>
      part === "None" ? LITERAL : { is: "instance", on: path(part), of: [] }
    ),
  );
}

/** The type of a value, where the term says what it is. */
function typeItself(term: TypeTerm): TypeTerm {
  if (term.is === "instance") return term.on;
  if (term.is === "self") return { is: "selfType", type: term.type };
  if (term.is === "either") return either(term.of.map(typeItself));
  return UNKNOWN;
}
