/**
 * The values of the symbol graph: what it reads, what it answers, and how definitions are picked from a list.
 *
 * Owns no state and does no I/O. What must hold: lines are 1-based and inclusive, paths relative to the repository.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Definition, DefinitionKind, Import, ReferenceKind } from "../ingest/mod.ts";

/** What the graph reads of an index: the `Store` of `store.ts`. */
export interface GraphSource {
  readonly database: DatabaseSync;
  readonly readOnly: boolean;
  /** All files, in order of path. */
  files(): readonly GraphSourceFile[];
  imports(id: number): readonly Import[];
  text(id: number): string;
  definitionsOf(id: number): readonly Definition[];
  definitionsNamed(name: string): readonly (Definition & { readonly file: number })[];
  /** All names that files define. */
  definitionNames(): readonly string[];
}

/** A file of the index, as far as the graph needs it. */
export interface GraphSourceFile {
  readonly id: number;
  readonly path: string;
  readonly language: string;
  readonly hash: string;
  readonly lines: number;
}

/** A definition as the graph names it. */
export interface GraphDefinition {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly name: string;
  readonly kind: DefinitionKind;
  readonly container: readonly string[];
}

/** Whether the compiler found an edge, or the name and its scope did. */
export type Resolution = "compiler" | "name";

/** A line of code that refers to a definition. */
export interface Reference {
  readonly path: string;
  readonly line: number;
  /** How the line uses the name; where it does so in several ways, the first of `REFERENCE_KINDS`. */
  readonly kind: ReferenceKind;
  readonly resolution: Resolution;
  /** The type of the receiver is not known, but nothing else has the name, or the receiver is called as the type is. */
  readonly likely?: true;
}

/**
 * A type that is built on what was asked about, or a member that overrides it.
 *
 * The definition is that of the heir. Where nobody wrote down the tie (an interface of Go, a protocol of Python), it was found by the
 * names of methods, and is `likely`; so is a tie by name where several types share the name.
 */
export interface Subtype extends GraphDefinition {
  /** `overrides` for members; for types whether the declaration extends or implements. */
  readonly relation: "extends" | "implements" | "overrides";
  /** What it is directly built on; of an override the member that was asked about. */
  readonly of: string;
  /** Steps from the target: 1 for what names it itself. */
  readonly distance: number;
  readonly certainty: "certain" | "likely";
  /** Where a type says so; absent where only its shape does, and for members. */
  readonly clause?: { readonly path: string; readonly line: number };
}

/** Who refers to a target, and what it uses itself. */
export interface RefsResult {
  readonly target: string;
  readonly definitions: readonly GraphDefinition[];
  /** One a line of code, ordered by path and line; lines of the definitions themselves are left out. */
  readonly references: readonly Reference[];
  /**
   * Further lines that may use it: through a receiver whose type is not known, where others have that name, or through a base type.
   * Callers and impact take no account of them.
   */
  readonly possible: readonly Reference[];
  /**
   * Lines that name it only as a string in an indexed access type, in files that have the name nowhere else: editors do not
   * count them as references, a rename has to.
   */
  readonly literals: readonly { readonly path: string; readonly line: number }[];
  /**
   * Types built on the types of the target, members that override its members, nearest first: one step away, or all where
   * `transitive` was asked for.
   */
  readonly subtypes: readonly Subtype[];
  /** The definitions around the references. */
  readonly callers: readonly GraphDefinition[];
  /** The definitions that the definitions use. */
  readonly callees: readonly GraphDefinition[];
  /** The files that import a file of the definitions. */
  readonly importers: readonly { readonly path: string; readonly line: number }[];
  /** Near names, where there is no such definition. */
  readonly suggestions: readonly string[];
  /** Why a place in a file leads to nothing. */
  readonly reason?: string;
}

/** A file that depends on what was asked about. */
export interface Dependent {
  readonly path: string;
  /** Steps from the targets: 1 for a file that uses them itself. */
  readonly distance: number;
  /** Where it uses what is one step nearer. */
  readonly lines: readonly number[];
  /** Names through which the change arrives. */
  readonly via: readonly string[];
  /** Definitions of the file that depend on the targets. */
  readonly symbols: readonly GraphDefinition[];
  readonly resolution: Resolution;
}

/** What a change of the targets may break. */
export interface ImpactResult {
  readonly targets: readonly string[];
  /** What the targets name; of a file, all that it defines at its top. */
  readonly definitions: readonly GraphDefinition[];
  /** The files that may break, nearest first; tests that reach the targets are among them, however far they are. */
  readonly affected: readonly Dependent[];
  /** Paths of the tests among them, nearest first. */
  readonly tests: readonly string[];
  /** Paths of the benchmarks among them, which are no tests: they fail only where code no longer runs at all. */
  readonly benchmarks: readonly string[];
  readonly suggestions: readonly string[];
  /** Why places in files lead to nothing. */
  readonly reason?: string;
}

/** Options of a build of the graph. */
export interface BuildOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Options of `refs`. */
export interface RefsOptions extends BuildOptions {
  /** Whether `subtypes` goes on to heirs of heirs; false by default. */
  readonly transitive?: boolean;
  /**
   * Whether the compiler is not waited for: what only it could tell, and has not told yet of the files as they are, is answered as if
   * nothing had the name. False by default.
   */
  readonly withoutBuild?: boolean;
}

/** The questions that a graph answers, wherever it is worked out; see `SymbolGraph`. */
export interface SymbolAnswers {
  refs(target: string, options?: RefsOptions): Promise<RefsResult>;
  impact(
    targets: readonly string[],
    options?: BuildOptions & { depth?: number },
  ): Promise<ImpactResult>;
}

/** What a build of the graph did. */
export interface BuildReport {
  /** Files whose references were found anew. */
  readonly files: number;
  readonly ms: number;
}

/** A definition and where it stands. */
export interface Located {
  readonly file: GraphSourceFile;
  readonly definition: Definition;
}

/** Where a name is declared: file id and offset. */
export interface Place {
  readonly file: number;
  readonly start: number;
}

/** A line that uses something. `kind` indexes `REFERENCE_KINDS`. */
export interface Use {
  readonly file: number;
  readonly line: number;
  readonly kind: number;
  readonly doubt?: Doubt;
}

// Languages that use each other's names.
const FAMILIES: Readonly<Record<string, string>> = {
  c: "cpp",
  kotlin: "java",
  scala: "java",
};

/** The same for all languages whose code uses each other's names. */
export function family(language: string): string {
  return FAMILIES[language] ?? language;
}

/**
 * What is not known of a use by name. `likely`: nothing else in the workspace has that name, or the receiver is called as the type is.
 * `possible`: the type of the receiver is not known and others have that name, or the use is through a base type.
 */
export type Doubt = "likely" | "possible";

/** Whether a definition is something that code refers to by name. */
export function isSymbol(definition: Definition): boolean {
  return definition.kind !== "section" && definition.kind !== "key" && definition.kind !== "test";
}

/** A definition as answers name it. */
export function shown({ file, definition }: Located): GraphDefinition {
  const { startLine, endLine, name, kind, container } = definition;
  return { path: file.path, startLine, endLine, name, kind, container };
}

/** Order of definitions: by path, then by line. */
export function byPlace(a: GraphDefinition, b: GraphDefinition): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : a.startLine - b.startLine;
}

/** Each definition once, in order of place. */
export function unique(definitions: readonly GraphDefinition[]): GraphDefinition[] {
  const found = new Map<string, GraphDefinition>();
  for (const definition of definitions) {
    found.set(
      `${definition.path}\0${definition.startLine}\0${
        definition.container.join("\0")
      }\0${definition.name}`,
      definition,
    );
  }
  return [...found.values()].sort(byPlace);
}

/** The smallest definition around a line. */
export function innermost(
  definitions: readonly Definition[],
  line: number,
): Definition | undefined {
  let best: Definition | undefined;
  for (const definition of definitions) {
    if (definition.startLine > line || definition.endLine < line) continue;
    if (!best || definition.end - definition.start <= best.end - best.start) best = definition;
  }
  return best;
}
