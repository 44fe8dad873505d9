/**
 * What a file of Python says about its types: bases, attributes, methods, functions and variables at its top.
 *
 * Owns the walk over definitions. What must hold: what a class declares outweighs what its methods assign to `self`; of a property counts
 * the getter.
 */
import { path, PythonTerms } from "./type_terms_python.ts";
import {
  child,
  either,
  type FileFacts,
  named,
  type Node,
  type TypeFacts,
  type TypeRules,
  type TypeTerm,
} from "./type_terms.ts";

/** See the module text. */
class PythonFacts {
  readonly #terms: PythonTerms;

  constructor(terms: PythonTerms) {
    this.#terms = terms;
  }

  facts(root: Node): FileFacts {
    const types = new Map<string, TypeFacts>();
    const names = new Map<string, TypeTerm[]>();
    this.#level(root, [], types, names);
    return { types, names: joined(names) };
  }

  #level(
    node: Node,
    container: readonly string[],
    types: Map<string, TypeFacts>,
    names: Map<string, TypeTerm[]>,
  ): void {
    const note = (name: string, term: TypeTerm): void => {
      const present = names.get(name);
      if (present) present.push(term);
      else names.set(name, [term]);
    };
    for (const one of named(node)) {
      const definition = one.type === "decorated_definition" ? child(one, "definition")! : one;
      if (definition.type === "class_definition") {
        const name = child(definition, "name")?.text ?? "";
        const inner = [...container, name];
        const members = new Map<string, TypeTerm[]>();
        const bases = child(definition, "superclasses");
        const facts = {
          bases: (bases ? named(bases) : [])
            .filter((base) => base.type !== "keyword_argument" && base.type !== "comment")
            .map((base) => path((base.type === "subscript" ? child(base, "value")! : base).text)),
          members: new Map<string, TypeTerm>(),
          undeclared: new Set<string>(),
        };
        types.set(inner.join("."), facts);
        const body = child(definition, "body");
        if (body) {
          this.#level(body, inner, types, members);
          const declared = new Set(members.keys());
          this.#attributes(body, members, declared);
          facts.undeclared = new Set([...members.keys()].filter((name) => !declared.has(name)));
        }
        facts.members = joined(members);
      } else if (definition.type === "function_definition") {
        const name = child(definition, "name")?.text ?? "";
        const returns = this.#terms.returns(definition);
        const decorators = one === definition
          ? []
          : named(one).filter((each) => each.type === "decorator").map((each) =>
            each.text.slice(1)
          );
        if (decorators.some((each) => /(^|\.)(overload|\w+\.setter|\w+\.deleter)$/.test(each))) {
          if (!/overload$/.test(decorators[0]!)) continue;
        }
        const isValue = decorators.some((each) => /(^|[._])(cached_)?property$/.test(each));
        note(name, isValue ? returns : { is: "function", returns });
      } else if (one.type === "expression_statement") {
        for (const statement of named(one)) this.#assigned(statement, note);
      } else if (/_statement$|_clause$|^block$/.test(one.type)) {
        if (!/^(import|return)/.test(one.type)) this.#level(one, container, types, names);
      }
    }
  }

  #assigned(statement: Node, note: (name: string, term: TypeTerm) => void): void {
    if (statement.type !== "assignment") return;
    const left = child(statement, "left");
    if (left?.type !== "identifier") return;
    const type = child(statement, "type");
    const right = child(statement, "right");
    if (type) note(left.text, { is: "either", of: [this.#terms.annotation(type)] });
    else note(left.text, this.#terms.term(right));
  }

  /** What methods assign to `self`. */
  #attributes(body: Node, members: Map<string, TypeTerm[]>, declared: Set<string>): void {
    const visit = (node: Node, self: string): void => {
      for (const one of named(node)) {
        if (one.type === "class_definition") continue;
        if (one.type === "assignment") {
          const left = child(one, "left");
          const type = child(one, "type");
          const right = child(one, "right");
          const take = (target: Node | null, term: () => TypeTerm): void => {
            if (target?.type === "pattern_list" || target?.type === "tuple_pattern") {
              named(target).forEach((each, at) =>
                take(each, () => ({ is: "part", on: term(), at }))
              );
              return;
            }
            if (target?.type !== "attribute" || child(target, "object")?.text !== self) return;
            const name = child(target, "attribute")?.text ?? "";
            if (declared.has(name)) return;
            if (type) {
              declared.add(name);
              members.set(name, [this.#terms.annotation(type)]);
            } else members.set(name, [...members.get(name) ?? [], term()]);
          };
          take(left, () => this.#terms.term(right));
        }
        visit(one, self);
      }
    };
    for (const one of named(body)) {
      const method = one.type === "decorated_definition" ? child(one, "definition") : one;
      if (method?.type !== "function_definition") continue;
      const parameters = child(method, "parameters");
      const self = parameters ? named(parameters)[0]?.text : undefined;
      if (self !== undefined) visit(method, self);
    }
  }
}

function joined(names: ReadonlyMap<string, readonly TypeTerm[]>): Map<string, TypeTerm> {
  return new Map([...names].map(([name, terms]) => [name, either(terms)]));
}

/** How types of Python are read, for one tree: what was found in it is held. */
export function pythonTypes(): TypeRules {
  const terms = new PythonTerms();
  const facts = new PythonFacts(terms);
  return { facts: (root) => facts.facts(root), term: (node) => terms.term(node) };
}
