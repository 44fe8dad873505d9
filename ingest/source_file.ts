/**
 * The values that ingest produces: a file of the workspace, its chunks, its definitions, its imports.
 *
 * Owns no behaviour and does no I/O. What must hold:
 * - offsets are UTF-16 indices into `SourceFile.text`; lines are 1-based and inclusive;
 * - `chunks` are ordered, contiguous and cover `[0, text.length)`: put end to end they are the text;
 * - `encodeText(text, encoding)` (see `encoding.ts`) gives back the bytes of the file;
 * - paths are relative to the repository, separated by `/`.
 */

/** How the bytes of a file were turned into text. `latin1` is the reversible fallback for bytes that are not UTF-8. */
export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "latin1";

/** A file of the workspace, read once, parsed once. */
export interface SourceFile {
  /** Relative to the repository, `/`-separated. */
  readonly path: string;
  /** Name from the language table, for example `typescript`, `tsx`, `python`, `markdown`, `text`. */
  readonly language: string;
  readonly encoding: Encoding;
  /** Size on disk in bytes. */
  readonly bytes: number;
  /** Modification time in milliseconds since the epoch, as `stat` gave it before the file was read. */
  readonly mtime: number;
  /** SHA-256 of the bytes on disk, lower-case hexadecimal. */
  readonly hash: string;
  /** The whole text, a byte order mark included. */
  readonly text: string;
  readonly chunks: readonly Chunk[];
  readonly definitions: readonly Definition[];
  readonly imports: readonly Import[];
  /** What went wrong without losing the file: syntax errors, a parser that gave up, a torn JSONL line. */
  readonly problems: readonly Problem[];
}

/** A slice of a source file along its syntax tree (cAST: split, then merge). */
export interface Chunk {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly startLine: number;
  readonly endLine: number;
  /** Main syntax node: `class`, `method`, `function`, `interface`, `section`, `lines`, … */
  readonly nodeType: string;
  /** Name of what it defines; empty when it defines nothing. */
  readonly nodeName: string;
  /** Names of the enclosing scopes, outermost first. */
  readonly parentNodes: readonly string[];
  /** Modules imported in the file that the text of this chunk uses. */
  readonly dependencies: readonly string[];
  /** Size in the measure that cut it (tokens by default). */
  readonly size: number;
}

/** Kinds of definitions, the same for every language. */
export type DefinitionKind =
  | "class"
  | "interface"
  | "trait"
  | "struct"
  | "enum"
  | "type"
  | "function"
  | "method"
  | "property"
  | "enum_member"
  | "variable"
  | "constant"
  | "module"
  | "macro"
  | "section"
  | "key"
  | "test";

/** A name that a file defines. */
export interface Definition {
  readonly name: string;
  readonly kind: DefinitionKind;
  /** Names of the enclosing scopes, outermost first. */
  readonly container: readonly string[];
  /** Where it begins, doc comment, decorators and modifiers included. */
  readonly start: number;
  /** Where the declaration proper begins, behind the doc comment. */
  readonly declaration: number;
  /** Where the name stands. */
  readonly nameStart: number;
  /** Where the signature ends and the body begins; equals `end` where there is no body. */
  readonly body: number;
  readonly end: number;
  /** Lines of the declaration proper. */
  readonly startLine: number;
  readonly endLine: number;
  readonly exported: boolean;
}

/** One import, re-export, `require`, `use`, `#include`. */
export interface Import {
  /** As written, quotes removed. */
  readonly specifier: string;
  readonly line: number;
  readonly kind: "import" | "reexport" | "require" | "dynamic";
  /** `name` as the other module exports it (`default`, `*` for all or a namespace); `alias` as it is bound here. */
  readonly names: readonly { readonly name: string; readonly alias: string }[];
  readonly typeOnly: boolean;
}

/** Something that went wrong without ending the work. */
export interface Problem {
  readonly path: string;
  readonly line?: number;
  readonly reason: string;
}
