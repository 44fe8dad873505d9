/**
 * What a syntax front end hands over: a tree that can be cut, and what the file defines and imports.
 *
 * Owns the values that the front ends (`syntax_typescript.ts`, `syntax_treesitter.ts`, `prose.ts`, `data.ts`) share with
 * `chunk.ts` and `parse.ts`, and the arithmetic of lines. What must hold:
 * - a tree is opened lazily: only the children that somebody asks for are made;
 * - children are in source order, do not overlap, lie inside their parent, and leave comments, attributes and
 *   punctuation out, which then belong to the gaps between them;
 * - lines end at `\n` (so at `\r\n` too); a lone `\r` ends none, as in git and in every editor's gutter of a Unix.
 */

import type { Definition, Import, Problem } from "./source_file.ts";

/** A tree over a text; `N` is whatever the parser calls a node. */
export interface SyntaxTree<N> {
  readonly root: N;
  /** Offset of the node's first character that is neither white space nor comment. */
  start(node: N): number;
  /** Offset behind the node's last character. */
  end(node: N): number;
  children(node: N): readonly N[];
}

/** A named scope that is no definition of its own, such as a Rust `impl` block. */
export interface Scope {
  readonly name: string;
  /** What a chunk of it is called, for example `impl`. */
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

/** What a front end learned about one file. */
export interface Syntax<N = unknown> {
  /** `null` where there is nothing but lines. */
  readonly tree: SyntaxTree<N> | null;
  /** What a chunk is called that defines nothing and lies in nothing; `code` if not given. */
  readonly nodeType?: string;
  /** Offsets at which lines begin, where the reader has them. */
  readonly lines?: readonly number[];
  readonly definitions: Definition[];
  readonly scopes: readonly Scope[];
  readonly imports: Import[];
  /** `[start, end, start, end, …]` of the import statements, ascending. */
  readonly importRanges: readonly number[];
  readonly problems: Problem[];
  /** Gives back what the parser holds outside the heap. The tree must not be used after it. */
  dispose?(): void;
}

/** Offsets at which lines begin; the first is 0. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The 1-based line of an offset, given `lineStarts` of its text. */
export function lineAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}
