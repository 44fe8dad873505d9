/**
 * Reference edges as values: which line uses which name, and how.
 *
 * Owns their kinds, whose order is kept in the index: a new kind goes to the end. What must hold: whoever finds edges, by a compiler or by
 * names, hands out these and no others.
 */

/** How a line uses a name. The order is that of precedence where a line uses a name in several ways. */
export const REFERENCE_KINDS = [
  "extends",
  "implements",
  "call",
  "write",
  "read",
  "type",
  "reexport",
  "import",
] as const;
/** What a line does with a name. */
export type ReferenceKind = typeof REFERENCE_KINDS[number];

/**
 * Behind the last of `REFERENCE_KINDS`: the line names a property only as a string in an indexed access type (`T["name"]`), in a
 * file that has the name nowhere else. Editors leave such lines out of "find all references"; a rename breaks them all the
 * same.
 */
export const LITERAL_KIND: number = REFERENCE_KINDS.length;

/** How a declaration is tied to another. `same`: one of several declarations of one thing, tied to the first.
 * `overrides`: a member, tied to the member of a base type. `shape`: a property of a literal or a pattern, tied to the property
 * of the type that is expected there. */
export const LINK_KINDS = ["same", "overrides", "shape"] as const;
/** How two declarations belong together. */
export type LinkKind = typeof LINK_KINDS[number];

/** The edges that leave one file. Files are given by their index in the list handed to `resolveReferences`. */
export interface FileReferences {
  readonly path: string;
  /** Four numbers an edge: line (1-based), index into `REFERENCE_KINDS` or `LITERAL_KIND`, target file, offset of the target's name. No
   * two edges share line and target. */
  readonly references: readonly number[];
  /** Five numbers a link: offset of the declared name, its line, index into `LINK_KINDS`, target file, offset of its name. */
  readonly links: readonly number[];
}

/** A file as the compiler is given it. */
export interface GraphFile {
  readonly path: string;
  readonly language: string;
}

/** The places of the kinds in `REFERENCE_KINDS`. */
export const KIND_INDEX = Object.fromEntries(
  REFERENCE_KINDS.map((kind, index) => [kind, index]),
) as Record<
  ReferenceKind,
  number
>;
/** The places of the kinds in `LINK_KINDS`. */
export const LINK_INDEX = Object.fromEntries(
  LINK_KINDS.map((kind, index) => [kind, index]),
) as Record<
  LinkKind,
  number
>;
