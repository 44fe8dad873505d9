/**
 * Cuts a text along its syntax tree: split, then merge (cAST, Zhang et al. 2025, "Enhancing Code Retrieval-Augmented
 * Generation with Structural Chunking via Abstract Syntax Tree").
 *
 * Owns where a chunk begins and ends, and nothing else. A subtree that fits is never cut. One that does not is opened, and
 * the pieces are merged again from the left while they fit, preferring to end where a scope ends. What must hold:
 * - pieces are ordered, contiguous, not empty and cover the text: put end to end they are the text;
 * - none is larger than `maxSize`, except a single character that is;
 * - comments, decorators and attributes go with what follows them, a comment at the end of a line with what it follows;
 * - never a cut inside a surrogate pair or between `\r` and `\n`;
 * - the work is linear in the text and no depth of nesting overflows the stack.
 */

import { type Measure, tokens } from "./measure.ts";
import type { SyntaxTree } from "./syntax_tree.ts";

/** How large chunks may be, and in what measure. */
export interface ChunkOptions {
  /** Largest size of a chunk, in the measure's unit. */
  readonly maxSize?: number;
  readonly measure?: Measure;
}

/** A slice `[start, end)` of the text. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

/** Large enough for nearly every function, small enough that a handful fits a small model's context. */
export const DEFAULT_MAX_TOKENS = 350;

/** A chunk may end early, at a better boundary, once it is this full. */
const MIN_FILL = 0.3;
/** Below this share of `maxSize` a piece is an orphan, and is given to a neighbour. */
const ORPHAN = 0.12;
/** Added to the rank of a boundary that is not at the beginning of a line. */
const MID_LINE = 1 << 20;
/** Ranks of lines inside a leaf lie behind all boundaries of the tree around it. */
const LEAF = 1 << 10;

/** Cuts `text`; without a tree, by lines. An empty text gives no piece. */
export function chunk<N>(
  text: string,
  tree: SyntaxTree<N> | null,
  { maxSize = DEFAULT_MAX_TOKENS, measure = tokens }: ChunkOptions = {},
): Piece[] {
  const length = text.length;
  if (length === 0) return [];
  const size = measure(text);
  const whole = size(0, length);
  if (whole <= maxSize) return [{ start: 0, end: length, size: whole }];
  const units = new Units(text, size, maxSize);
  if (tree) split(text, tree, units);
  else units.lines(0, length, 0);
  return merge(units, length);
}

/** Pieces that fit and will not be opened: where each begins, and how good a place that is to cut (lower is better). */
class Units {
  readonly starts: number[] = [];
  readonly ranks: number[] = [];
  /** Where the last unit that begins a line does. */
  private line = 0;

  constructor(
    readonly text: string,
    readonly size: (start: number, end: number) => number,
    readonly maxSize: number,
  ) {}

  /**
   * Whether a range that begins inside a line would part that line: it has lines of its own to cut at, and together with
   * the beginning of its first line it is too large.
   */
  strands(start: number, end: number, rank: number): boolean {
    if (rank < MID_LINE || this.size(this.line, end) <= this.maxSize) return false;
    return lineEnd(this.text, start, end) < end - 1;
  }

  add(start: number, rank: number): void {
    if (rank < MID_LINE) this.line = start;
    this.starts.push(start);
    this.ranks.push(rank);
  }

  /** Makes a unit begin at `start`, which lies behind unit `first` and before unit `last`; gives its index. */
  insert(start: number, first: number, last: number): number {
    let index = last;
    while (index > first + 1 && this.starts[index - 1]! > start) index--;
    this.starts.splice(index, 0, start);
    this.ranks.splice(index, 0, LEAF);
    return index;
  }

  /** The line between two offsets that is indented least and closes nothing, the last of several; -1 without one. */
  bestLine(from: number, to: number): number {
    const { text, size, maxSize } = this;
    let best = -1;
    let bestIndent = Infinity;
    for (let line = lineEnd(text, from, to) + 1; line < to; line = lineEnd(text, line, to) + 1) {
      let at = line;
      while (at < to && isBlank(text.charCodeAt(at)) && text.charCodeAt(at) !== 10) at++;
      if (at >= to || text.charCodeAt(at) === 10) continue;
      const indent = at - line + (isClosing(text.charCodeAt(at)) ? 200 : 0) +
        (size(from, line) < maxSize * MIN_FILL ? 400 : 0);
      if (indent <= bestIndent) {
        best = line;
        bestIndent = indent;
      }
    }
    return best;
  }

  /** Cuts a range that has no structure into its lines, and lines that are too large into pieces of characters. */
  lines(start: number, end: number, rank: number): void {
    const { text } = this;
    let from = start;
    let first = true;
    let blank = true;
    while (from < end) {
      const to = Math.min(lineEnd(text, from, end) + 1, end);
      let indent = from;
      while (indent < to && isBlank(text.charCodeAt(indent))) indent++;
      const isEmpty = indent === to;
      // Better where a line is not indented, and better still behind an empty line; never in front of a lone bracket.
      const depth = Math.min(indent - from, 100) * 2 + (blank ? 0 : 1);
      const closes = isEmpty || isClosing(text.charCodeAt(indent));
      const lineRank = first ? rank : rank + LEAF + depth + (closes ? 300 : 0);
      if (this.size(from, to) <= this.maxSize) this.add(from, lineRank);
      else this.characters(from, to, lineRank);
      blank = isEmpty;
      first = false;
      from = to;
    }
  }

  /** Cuts a line into pieces as large as may be, behind white space or punctuation where there is some. */
  private characters(start: number, end: number, rank: number): void {
    const { text, size, maxSize } = this;
    let from = start;
    while (from < end) {
      this.add(from, from === start ? rank : rank + MID_LINE);
      // Gallop, then bisect: a measure answers in constant time, and lines can have millions of characters.
      let low = from + 1;
      let step = 64;
      while (low + step < end && size(from, low + step) <= maxSize) {
        low += step;
        step *= 2;
      }
      let high = Math.min(low + step, end) + 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (size(from, middle) <= maxSize) low = middle;
        else high = middle;
      }
      let to = low;
      if (to < end) {
        for (let back = to; back > from + ((to - from) >> 1); back--) {
          if (!isWord(text.charCodeAt(back - 1))) {
            to = back;
            break;
          }
        }
        to = whole(text, from, to);
      }
      from = to;
    }
  }
}

/** Opens every node that is too large; what is left are units in source order. */
function split<N>(text: string, tree: SyntaxTree<N>, units: Units): void {
  const { size, maxSize } = units;
  // One stack, in columns. `owns` is where the comments of the node itself begin, or -1 if nobody has looked yet.
  const nodes: N[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const ranks: number[] = [];
  const depths: number[] = [];
  const owns: number[] = [];
  const push = (node: N, start: number, end: number, rank: number, depth: number, own: number) => {
    nodes.push(node);
    starts.push(start);
    ends.push(end);
    ranks.push(rank);
    depths.push(depth);
    owns.push(own);
  };
  push(tree.root, 0, text.length, 0, 0, -1);
  while (nodes.length > 0) {
    const node = nodes.pop()!;
    const start = starts.pop()!;
    const end = ends.pop()!;
    const rank = ranks.pop()!;
    const depth = depths.pop()!;
    let own = owns.pop()!;
    if (size(start, end) <= maxSize && !units.strands(start, end, rank)) {
      units.add(start, rank);
      continue;
    }
    const begin = tree.start(node);
    if (own === -1) own = ownStart(text, start, begin);
    if (own > start && size(own, end) <= maxSize) {
      // Only what stands apart in front of it, such as a licence, makes it too large.
      units.lines(start, own, rank);
      units.add(own, depth + 1);
      continue;
    }
    const children = tree.children(node);
    if (children.length === 0) {
      units.lines(start, end, rank);
      continue;
    }
    const inner = children.length > 1 ? depth + 1 : depth;
    const base = nodes.length;
    let previous = children[0] as N;
    // The first child has what is in front of the node, unless a token of the node stands between.
    let fromOwn = tree.start(previous) === begin ? own : start;
    let from = start;
    let fromRank = rank;
    for (let index = 1; index < children.length; index++) {
      const next = children[index] as N;
      const behind = tree.end(previous);
      const cut = Math.min(boundary(text, behind, tree.start(next)), end);
      if (cut <= from) {
        // A child without text of its own, such as a token that the parser made up.
        if (behind <= tree.start(previous)) previous = next;
        continue;
      }
      push(previous, from, cut, fromRank, inner, fromOwn);
      from = cut;
      fromRank = text.charCodeAt(cut - 1) === 10 ? inner : inner + MID_LINE;
      fromOwn = -1;
      previous = next;
    }
    push(previous, from, end, fromRank, inner, fromOwn);
    reverse(base, nodes, starts, ends, ranks, depths, owns);
  }
}

function reverse(base: number, ...stacks: unknown[][]): void {
  for (const stack of stacks) {
    for (let low = base, high = stack.length - 1; low < high; low++, high--) {
      const kept = stack[low];
      stack[low] = stack[high];
      stack[high] = kept;
    }
  }
}

/** The best place to cut between two siblings: behind the line on which the first ends, else where the second begins. */
function boundary(text: string, from: number, to: number): number {
  // Some nodes reach over the end of their line.
  let at = from > 0 && text.charCodeAt(from - 1) === 10 ? from - 1 : from;
  while (at < to) {
    const code = text.charCodeAt(at);
    if (code === 10) {
      // Empty lines close what is before them.
      let line = at + 1;
      for (let next = line; next < to; next++) {
        const blank = text.charCodeAt(next);
        if (blank === 10) line = next + 1;
        else if (!isBlank(blank)) break;
      }
      return line;
    }
    const second = text.charCodeAt(at + 1);
    if (code === 47 && second === 42) { // a comment that may go over lines
      at += 2;
      while (at < to && !(text.charCodeAt(at) === 42 && text.charCodeAt(at + 1) === 47)) at++;
      at += 2;
    } else if (code === 35 || (code === 47 && second === 47)) at = lineEnd(text, at, to);
    else at++;
  }
  return to;
}

/** Where the comments that belong to the node at `to` begin: at the last that follows an empty line. */
function ownStart(text: string, from: number, to: number): number {
  let own = from;
  let isBehindEmpty = false;
  let line = from;
  for (let end = lineEnd(text, line, to); end < to; end = lineEnd(text, line, to)) {
    let at = line;
    while (at < end && isBlank(text.charCodeAt(at))) at++;
    if (at === end) isBehindEmpty = true;
    else {
      if (isBehindEmpty) own = line;
      isBehindEmpty = false;
    }
    line = end + 1;
  }
  return own;
}

/** Offset of the next line feed, or `end`; never looks further, as lines may have millions of characters. */
function lineEnd(text: string, at: number, end: number): number {
  while (at < end && text.charCodeAt(at) !== 10) at++;
  return at;
}

/** Fills chunks from the left, ends each at the best boundary, then gives orphans to their neighbours. */
function merge(units: Units, length: number): Piece[] {
  const { starts, ranks, size, maxSize } = units;
  const startOf = (index: number) => index < starts.length ? starts[index]! : length;
  const cuts = [0];
  let first = 0;
  while (first < starts.length) {
    const from = starts[first]!;
    let last = first + 1;
    while (last < starts.length && size(from, startOf(last + 1)) <= maxSize) last++;
    if (last < starts.length) {
      let best = last;
      for (let index = last - 1; index > first; index--) {
        // Any beginning of a line is better than none.
        if (ranks[best]! < MID_LINE && size(from, starts[index]!) < maxSize * MIN_FILL) break;
        if (ranks[index]! < ranks[best]!) best = index;
      }
      // All that was left whole begins inside a line: rather part the last of it than a line.
      const line = ranks[best]! < MID_LINE ? -1 : units.bestLine(from, starts[last]!);
      last = line === -1 ? best : units.insert(line, first, last);
    }
    cuts.push(last);
    first = last;
  }
  adopt(cuts, units, startOf);
  const pieces: Piece[] = [];
  for (let index = 0; index + 1 < cuts.length; index++) {
    const start = startOf(cuts[index]!);
    const end = startOf(cuts[index + 1]!);
    pieces.push({ start, end, size: size(start, end) });
  }
  return pieces;
}

/** Joins a tiny piece with the one before or after it, or moves the boundary so that both have substance. */
function adopt(cuts: number[], units: Units, startOf: (index: number) => number): void {
  const { ranks, size, maxSize } = units;
  const sizeOf = (from: number, to: number) => size(startOf(from), startOf(to));
  for (let index = 0; index + 1 < cuts.length && cuts.length > 2; index++) {
    const from = cuts[index]!;
    const to = cuts[index + 1]!;
    if (sizeOf(from, to) >= maxSize * ORPHAN) continue;
    const before = index > 0 ? cuts[index - 1]! : -1;
    const after = index + 2 < cuts.length ? cuts[index + 2]! : -1;
    if (before !== -1 && sizeOf(before, to) <= maxSize) cuts.splice(index--, 1);
    else if (after !== -1 && sizeOf(from, after) <= maxSize) cuts.splice(1 + index--, 1);
    else if (before !== -1) {
      let best = -1;
      for (let cut = from - 1; cut > before; cut--) {
        if (sizeOf(cut, to) > maxSize || sizeOf(before, cut) < maxSize * MIN_FILL) break;
        if (best === -1 || ranks[cut]! < ranks[best]!) best = cut;
      }
      if (best !== -1) cuts[index] = best;
    }
  }
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 13 || code === 10 || code === 12 || code === 0xfeff;
}

function isClosing(code: number): boolean {
  return code === 125 || code === 93 || code === 41; // } ] )
}

function isWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) ||
    code === 95 || code >= 128;
}

/** Moves a cut out of a surrogate pair or a `\r\n`, towards the front unless that leaves nothing. */
function whole(text: string, from: number, to: number): number {
  const before = text.charCodeAt(to - 1);
  const after = text.charCodeAt(to);
  const splits = (before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000) ||
    (before === 13 && after === 10);
  if (!splits) return to;
  return to - 1 > from ? to - 1 : to + 1;
}
