/**
 * What a text says about the types of its expressions, before anyone knows what its names mean.
 *
 * Owns the terms, the facts of a file, and the local part of inference: which term an expression of a function is once its variables are
 * put in. Which nodes of a grammar say so is in a table a language (`TYPE_RULES`). What must hold: pure values, so a tree can go;
 * nothing is guessed: what the text does not say is `unknown`; a term that grows without end is cut to `unknown`.
 */
import type * as sitter from "@vscode/tree-sitter-wasm";

export type Node = sitter.Node;

/** An expression as far as its type goes. */
export type TypeTerm =
  /** A name seen from the top of the file: a value, or a type as a value. */
  | { readonly is: "name"; readonly name: string }
  /** A name inside a type: a member of the type or of those around it, else a name seen from the top of the file. */
  | { readonly is: "bare"; readonly type: string; readonly name: string }
  /** What another expression has under a name. */
  | { readonly is: "member"; readonly on: TypeTerm; readonly name: string }
  | { readonly is: "call"; readonly on: TypeTerm }
  /** What iterating yields. */
  | { readonly is: "element"; readonly on: TypeTerm }
  /** What an index or a key leads to. */
  | { readonly is: "item"; readonly on: TypeTerm }
  /** One place of what was taken apart. */
  | { readonly is: "part"; readonly on: TypeTerm; readonly at: number }
  /** What `with` binds. */
  | { readonly is: "entered"; readonly on: TypeTerm }
  /** A value of the type that an expression is: what an annotation says. */
  | { readonly is: "instance"; readonly on: TypeTerm; readonly of: readonly TypeTerm[] }
  /** The object, or the type, that the method of a type works on; `type` is its qualified name in the file. */
  | { readonly is: "self" | "selfType" | "super"; readonly type: string }
  | { readonly is: "list" | "tuple"; readonly of: readonly TypeTerm[] }
  | { readonly is: "function"; readonly returns: TypeTerm }
  | { readonly is: "either"; readonly of: readonly TypeTerm[] }
  /** A literal: nothing that the workspace defines. */
  | { readonly is: "literal" }
  | { readonly is: "unknown" };

/** What the text does not say. */
export const UNKNOWN: TypeTerm = { is: "unknown" };
/** A value of a type that no workspace defines. */
export const LITERAL: TypeTerm = { is: "literal" };

/** A type that a file defines. */
export interface TypeFacts {
  readonly bases: readonly TypeTerm[];
  /** What a value of it has, by name: an attribute as its type, a method as a function. */
  readonly members: ReadonlyMap<string, TypeTerm>;
  /** Those of them that are nowhere declared, only set by its methods: they are those of a base that declares them. */
  readonly undeclared: ReadonlySet<string>;
}

/** What a file defines at its top, and its types by qualified name. */
export interface FileFacts {
  readonly types: ReadonlyMap<string, TypeFacts>;
  readonly names: ReadonlyMap<string, TypeTerm>;
}

/** What the grammar of a language says about types. */
export interface TypeRules {
  facts(root: Node): FileFacts;
  /** The term of an expression where it stands. */
  term(node: Node): TypeTerm;
  /** What a member is used on that nothing is written before, in languages that let `this` go unsaid. */
  implicit?(node: Node): TypeTerm | undefined;
}

/** One of several, without repetition of what says nothing more. */
export function either(terms: readonly TypeTerm[]): TypeTerm {
  if (terms.length === 1) return terms[0]!;
  return terms.length === 0 ? UNKNOWN : { is: "either", of: terms };
}

/** The child under a name of the grammar. */
export const child = (node: Node, name: string): Node | null => node.childForFieldName(name);

/** The children that the grammar has names for. */
export const named = (node: Node): Node[] =>
  node.namedChildren.filter((one) => one !== null) as Node[];
