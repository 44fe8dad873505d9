/**
 * What Java says about types: declared types of fields, variables, parameters and results, `new`, casts, `instanceof`.
 *
 * Owns the reading of its grammar. What must hold: a type parameter is unknown; so is what a lambda takes, and `this` of a class without a
 * name.
 */
import {
  child,
  either,
  type FileFacts,
  LITERAL,
  named,
  type Node,
  type TypeFacts,
  type TypeRules,
  type TypeTerm,
  UNKNOWN,
} from "./type_terms.ts";

// Chains of variables and calls are followed so far.
const MAX_DEPTH = 12;
const TYPES = /^(class|interface|enum|record|annotation_type)_declaration$/;
const SCOPES =
  /^(method_declaration|constructor_declaration|compact_constructor_declaration|lambda_expression|static_initializer)$/;
const PRIMITIVE = /^(integral_type|floating_point_type|boolean_type|void_type)$/;
const LITERALS =
  /_literal$|^(true|false|null_literal|binary_expression|unary_expression|update_expression|instanceof_expression)$/;

interface Variable {
  readonly at: number;
  readonly within: Node;
  readonly term: (depth: number) => TypeTerm;
}

class Reader {
  readonly #variables = new Map<number, Map<string, Variable[]>>();

  term(node: Node | null, depth = 0): TypeTerm {
    if (!node || depth > MAX_DEPTH) return UNKNOWN;
    const next = depth + 1;
    if (LITERALS.test(node.type)) return LITERAL;
    switch (node.type) {
      case "identifier": {
        const variable = this.#variable(node);
        return variable ? variable.term(next) : bare(node, node.text);
      }
      case "type_identifier":
        return bare(node, node.text);
      case "this": {
        const type = typeAround(node);
        return type === undefined ? UNKNOWN : { is: "self", type };
      }
      case "super": {
        const type = typeAround(node);
        return type === undefined ? UNKNOWN : { is: "super", type };
      }
      case "field_access": {
        const name = child(node, "field")?.text ?? "";
        // `Outer.this`
        if (name === "this") return this.#instance(child(node, "object"), next);
        return { is: "member", on: this.term(child(node, "object"), next), name };
      }
      case "method_invocation": {
        const object = child(node, "object");
        const name = child(node, "name")?.text ?? "";
        const on: TypeTerm = object
          ? { is: "member", on: this.term(object, next), name }
          : bare(node, name);
        return { is: "call", on };
      }
      case "object_creation_expression":
        // What a class without a name adds is its own.
        return this.type(child(node, "type"), next);
      case "cast_expression":
        return this.type(child(node, "type"), next);
      case "parenthesized_expression":
        return this.term(named(node)[0] ?? null, next);
      case "assignment_expression":
        return this.term(child(node, "right"), next);
      case "ternary_expression":
        return either([
          this.term(child(node, "consequence"), next),
          this.term(child(node, "alternative"), next),
        ]);
      case "array_access":
        return { is: "item", on: this.term(child(node, "array"), next) };
      case "array_creation_expression":
        return { is: "list", of: [this.type(child(node, "type"), next)] };
      default:
        return UNKNOWN;
    }
  }

  /** A value of a type that stands in the text. */
  type(node: Node | null, depth = 0): TypeTerm {
    if (!node || depth > MAX_DEPTH) return UNKNOWN;
    const next = depth + 1;
    if (PRIMITIVE.test(node.type)) return LITERAL;
    switch (node.type) {
      case "array_type":
        return { is: "list", of: [this.type(child(node, "element"), next)] };
      case "generic_type": {
        const [base, args] = named(node);
        const of = args ? named(args).map((one) => this.type(one, next)) : [];
        const on = this.#typeName(base ?? null, next);
        return on.is === "unknown" ? UNKNOWN : { is: "instance", on, of };
      }
      case "wildcard":
      case "annotated_type":
        return this.type(named(node).at(-1) ?? null, next);
      case "catch_type":
        return either(named(node).map((one) => this.type(one, next)));
      default: {
        const on = this.#typeName(node, next);
        return on.is === "unknown" ? UNKNOWN : { is: "instance", on, of: [] };
      }
    }
  }

  #instance(node: Node | null, depth: number): TypeTerm {
    return { is: "instance", on: this.term(node, depth), of: [] };
  }

  #typeName(node: Node | null, depth: number): TypeTerm {
    if (node?.type === "type_identifier") {
      return isParameter(node) ? UNKNOWN : bare(node, node.text);
    }
    if (node?.type !== "scoped_type_identifier" || depth > MAX_DEPTH) return UNKNOWN;
    const [outer, inner] = named(node).filter((one) => /type/.test(one.type));
    return { is: "member", on: this.#typeName(outer ?? null, depth + 1), name: inner?.text ?? "" };
  }

  #variable(node: Node): Variable | undefined {
    for (let at = node.parent; at && !TYPES.test(at.type); at = at.parent) {
      if (!SCOPES.test(at.type)) continue;
      const found = this.#variablesOf(at).get(node.text)?.findLast((one) =>
        one.at <= node.startIndex && one.within.startIndex <= node.startIndex &&
        one.within.endIndex >= node.endIndex
      );
      if (found) return found;
    }
    return undefined;
  }

  #variablesOf(scope: Node): Map<string, Variable[]> {
    let found = this.#variables.get(scope.id);
    if (found) return found;
    this.#variables.set(scope.id, found = new Map());
    const add = (name: Node | null, within: Node, term: Variable["term"]): void => {
      if (name?.type !== "identifier") return;
      const variable = { at: name.startIndex, within, term };
      found!.set(name.text, [...found!.get(name.text) ?? [], variable]);
    };
    const visit = (node: Node, block: Node): void => {
      for (const one of named(node)) {
        if (TYPES.test(one.type) || one.type === "class_body" || SCOPES.test(one.type)) continue;
        const type = child(one, "type");
        const typed = (value: Node | null) => (depth: number): TypeTerm =>
          type?.text === "var" ? this.term(value, depth) : this.type(type, depth);
        switch (one.type) {
          case "local_variable_declaration":
            for (const declarator of one.childrenForFieldName("declarator")) {
              if (declarator) {
                add(child(declarator, "name"), block, typed(child(declarator, "value")));
              }
            }
            break;
          case "formal_parameter":
          case "resource":
            add(child(one, "name"), scopeOf(one, scope), typed(child(one, "value")));
            break;
          case "spread_parameter": {
            const [type, declarator] = named(one).filter((each) => each.type !== "modifiers");
            add(child(declarator!, "name"), scope, (depth) => ({
              is: "list",
              of: [this.type(type ?? null, depth)],
            }));
            break;
          }
          case "catch_formal_parameter": {
            const types = named(one).find((each) => each.type === "catch_type") ?? null;
            add(child(one, "name"), one.parent ?? block, (depth) => this.type(types, depth));
            break;
          }
          case "instanceof_expression": {
            const right = child(one, "right");
            add(child(one, "name"), block, (depth) => this.type(right, depth));
            break;
          }
          case "enhanced_for_statement":
            add(
              child(one, "name"),
              one,
              (depth) =>
                type?.text === "var"
                  ? { is: "element", on: this.term(child(one, "value"), depth) }
                  : this.type(type, depth),
            );
            break;
        }
        visit(
          one,
          /^(block|for_statement|switch_block_statement_group)$/.test(one.type) ? one : block,
        );
      }
    };
    if (scope.type === "lambda_expression") {
      const parameters = child(scope, "parameters");
      const names = parameters?.type === "identifier"
        ? [parameters]
        : parameters
        ? named(parameters)
        : [];
      for (const name of names) add(name, scope, () => UNKNOWN);
    }
    visit(scope, scope);
    for (const list of found.values()) list.sort((a, b) => a.at - b.at);
    return found;
  }

  /** What a bare name of a member is used on: the object around, or the one around that. */
  implicit(node: Node): TypeTerm | undefined {
    const { parent } = node;
    const isCall = parent?.type === "method_invocation" && child(parent, "name")?.id === node.id;
    if (!isCall && (node.type !== "identifier" || this.#variable(node))) return undefined;
    const type = typeAround(node);
    if (type === undefined) return undefined;
    const names = type.split(".");
    return either(names.map((_, at): TypeTerm => ({
      is: "self",
      type: names.slice(0, names.length - at).join("."),
    })));
  }

  facts(root: Node): FileFacts {
    const types = new Map<string, TypeFacts>();
    this.#level(root, [], types, undefined);
    return { types, names: new Map() };
  }

  #level(
    node: Node,
    container: readonly string[],
    types: Map<string, TypeFacts>,
    members: Map<string, TypeTerm[]> | undefined,
  ): void {
    const note = (name: Node | null, term: TypeTerm): void => {
      if (name) members?.set(name.text, [...members.get(name.text) ?? [], term]);
    };
    for (const one of named(node)) {
      if (TYPES.test(one.type)) {
        this.#declared(one, container, types);
      } else if (/^(method_declaration|annotation_type_element_declaration)$/.test(one.type)) {
        note(child(one, "name"), { is: "function", returns: this.type(child(one, "type")) });
      } else if (/^(field_declaration|constant_declaration)$/.test(one.type)) {
        const type = this.type(child(one, "type"));
        for (const declarator of one.childrenForFieldName("declarator")) {
          if (declarator) note(child(declarator, "name"), type);
        }
      } else if (one.type === "enum_constant") {
        note(child(one, "name"), { is: "self", type: container.join(".") });
      } else if (one.type === "enum_body_declarations") {
        this.#level(one, container, types, members);
      }
    }
  }

  #declared(node: Node, container: readonly string[], types: Map<string, TypeFacts>): void {
    const inner = [...container, child(node, "name")?.text ?? ""];
    const members = new Map<string, TypeTerm[]>();
    const listed = ["superclass", "super_interfaces", "extends_interfaces"].flatMap((kind) =>
      named(node).filter((one) => one.type === kind).flatMap((one) =>
        named(one).flatMap((each) => each.type === "type_list" ? named(each) : [each])
      )
    );
    const bases = listed.map((base) => this.type(base)).flatMap((base) =>
      base.is === "instance" ? [base.on] : [UNKNOWN]
    );
    const parameters = child(node, "parameters");
    for (
      const parameter of node.type === "record_declaration" && parameters ? named(parameters) : []
    ) {
      const type = this.type(child(parameter, "type"));
      const name = child(parameter, "name")?.text ?? "";
      members.set(name, [type, { is: "function", returns: type }]);
    }
    const body = child(node, "body");
    if (body) this.#level(body, inner, types, members);
    types.set(inner.join("."), {
      bases,
      members: new Map([...members].map(([name, terms]) => [name, either(terms)])),
      undeclared: new Set(),
    });
  }
}

/** A name that nothing is written before. */
function bare(node: Node, name: string): TypeTerm {
  const type = typeAround(node);
  return type === undefined ? { is: "name", name } : { is: "bare", type, name };
}

/** The qualified name of the type around a place; undefined inside one that has no name. */
function typeAround(node: Node): string | undefined {
  const names: string[] = [];
  for (let at: Node | null = node; at; at = at.parent) {
    if (at.type === "object_creation_expression" && at.lastNamedChild?.type === "class_body") {
      if (at.lastNamedChild.startIndex <= node.startIndex && names.length === 0) return undefined;
    }
    if (TYPES.test(at.type)) {
      // Its own head is seen from outside.
      const body = child(at, "body");
      if (body && body.startIndex <= node.startIndex) names.unshift(child(at, "name")?.text ?? "");
    }
  }
  return names.length > 0 ? names.join(".") : undefined;
}

/** What a parameter or a resource is seen in. */
function scopeOf(node: Node, scope: Node): Node {
  return node.type === "resource" ? node.parent?.parent ?? scope : scope;
}

/** Whether a type is a parameter of a type or of a method around it. */
function isParameter(node: Node): boolean {
  for (let at = node.parent; at; at = at.parent) {
    if (!TYPES.test(at.type) && at.type !== "method_declaration") continue;
    const parameters = named(at).find((one) => one.type === "type_parameters");
    if (parameters && named(parameters).some((one) => named(one)[0]?.text === node.text)) {
      return true;
    }
  }
  return false;
}

/** How types of Java are read, for one tree: what was found in it is held. */
export function javaTypes(): TypeRules {
  const reader = new Reader();
  return {
    facts: (root) => reader.facts(root),
    term: (node) => reader.term(node),
    implicit: (node) => reader.implicit(node),
  };
}
