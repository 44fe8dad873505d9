/**
 * What the characters of a TypeScript or JavaScript file say before its tree does.
 *
 * Owns the passes over text: marks, lines, white space and comments, doc comments. What must hold: no regular expressions
 * and no substrings, since every character comes by; offsets are UTF-16 indices, as the compiler counts.
 */

/** Behind every offset of a text, and still a small integer. */
const MAX_OFFSET = 0x3fffffff;

/**
 * One pass over the characters: where functions, classes, imports and the like stand, closed by a sentinel, and where lines
 * begin.
 */
export function findMarks(
  text: string,
): { marks: number[]; lines: number[]; hasRequire: boolean; hasDynamicImport: boolean } {
  const marks: number[] = [];
  const lines = [0];
  let hasRequire = false;
  let hasDynamicImport = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 10:
        lines.push(at + 1);
        break;
      case 62: // =>
        if (text.charCodeAt(at - 1) === 61) marks.push(at - 1);
        break;
      case 40: { // require( import(
        const before = text.charCodeAt(at - 1);
        if (before === 101 && text.startsWith("require", at - 7)) {
          hasRequire = true;
          marks.push(at - 7);
        } else if (before === 116 && text.startsWith("import", at - 6)) {
          hasDynamicImport = true;
          marks.push(at - 6);
        } else if (before === 121 && text.startsWith("defineProperty", at - 14)) {
          marks.push(at - 14);
        }
        break;
      }
      case 117: // function enum namespace module
        if (text.charCodeAt(at - 1) === 102) {
          if (text.startsWith("nction", at + 1)) marks.push(at - 1);
        } else if (text.charCodeAt(at - 1) === 110 && text.startsWith("m ", at + 1)) {
          marks.push(at - 2);
        }
        break;
      case 108: // class
        if (text.charCodeAt(at - 1) === 99 && text.startsWith("ass", at + 1)) marks.push(at - 1);
        break;
      case 102: // interface
        if (text.charCodeAt(at - 1) === 114 && text.startsWith("inter", at - 5)) marks.push(at - 5);
        break;
    }
  }
  marks.push(MAX_OFFSET);
  return { marks, lines, hasRequire, hasDynamicImport };
}

/** Offset of the first character at or behind `at` that is neither white space nor comment. */
export function skipTrivia(text: string, at: number, end: number): number {
  while (at < end) {
    const code = text.charCodeAt(at);
    if (code === 47) { // /
      const second = text.charCodeAt(at + 1);
      if (second === 47) {
        const newline = text.indexOf("\n", at);
        at = newline === -1 ? end : newline + 1;
        continue;
      }
      if (second !== 42) return at;
      const close = text.indexOf("*/", at + 2);
      at = close === -1 ? end : close + 2;
    } else if (code === 35) { // #: a shebang is trivia on the first line only
      if (at > 1 || text.charCodeAt(at + 1) !== 33) return at;
      const newline = text.indexOf("\n", at);
      at = newline === -1 ? end : newline + 1;
    } else if (code > 32 && code !== 0xa0 && code !== 0xfeff && (code < 0x2000 || !isWide(code))) {
      return at;
    } else at++;
  }
  return Math.min(at, end);
}

function isWide(code: number): boolean {
  return code <= 0x200b || code === 0x2028 || code === 0x2029 || code === 0x202f ||
    code === 0x205f || code === 0x3000;
}

/**
 * Where the doc comment of a declaration begins, else `begin`: the comments above it with no empty line between, or a
 * `/**` comment that is the last thing above it, as the compiler has it.
 */
export function docStart(text: string, from: number, begin: number): number {
  let start = begin;
  let at = from;
  // A comment on the line where the previous node ends belongs to that node.
  let ownLine = from === 0;
  let newlines = 0;
  let isDoc = false;
  let found = -1;
  while (at < begin) {
    const code = text.charCodeAt(at);
    if (code === 10) {
      ownLine = true;
      if (++newlines > 1 && !isDoc) found = -1;
      at++;
    } else if (code === 47) {
      if (newlines > 1) found = -1;
      if (ownLine && found === -1) found = at;
      const isLine = text.charCodeAt(at + 1) === 47;
      isDoc = !isLine && text.charCodeAt(at + 2) === 42;
      const close = isLine ? text.indexOf("\n", at) : text.indexOf("*/", at + 2);
      at = close === -1 ? begin : isLine ? close : close + 2;
      newlines = 0;
    } else at++;
  }
  if (found !== -1) start = found;
  return start;
}
