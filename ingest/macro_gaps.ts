/**
 * What only the preprocessor of C and C++ can read, put out of the grammar's sight, character for character.
 *
 * Owns two things that turn a whole file into one error: conditionals that cut a statement or a pair of braces in two, and macros that
 * stand where the language wants a keyword or nothing. What must hold: the text keeps its length and its line ends, so every offset of
 * the tree is one of the text as it stands; directives at places where the grammar expects them stay, with all their branches.
 *
 * It guesses, so it is for files only that the grammar could not read as they are.
 */

/** A conditional that is open: where its directives are, and what was open when it began. */
interface Conditional {
  /** Start and end of each of its directives; the first is `#if`. */
  readonly directives: [start: number, end: number][];
  readonly depth: number;
  readonly inCode: boolean;
  /** Whether each branch left as much open as it found. */
  balanced: boolean;
}

/** What opens a scope of declarations, when it stands in front of a brace. */
const SCOPE = /\b(?:namespace|class|struct|union|extern\s*"C(?:\+\+)?")\b[^;{}()]*$/;
const COMMENT = /\/\/[^\n]*|\/\*[^]*?\*\//g;
/** How far back the words in front of a brace are looked for. */
const SCOPE_REACH = 300;
/** Brackets and conditionals open at once; deeper text is not written by people, and is left as it is. */
const MAX_DEPTH = 500;
/** Comments, literals and directives with their continuation lines, all of which hide what is in them; then what counts. */
const TOKEN =
  /\/\/[^\n]*|\/\*[^]*?(?:\*\/|(?![^]))|"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'|^[ \t]*#[ \t]*(\w+)(?:\\\r?\n|[^\n])*|[{}()]/gm;

/** A macro alone on its line, with or without arguments: `BEGIN_NAMESPACE`, `DEPRECATED_FOR(3, items())`, `PRIVATE_UNLESS_TESTED:`. */
const ALONE =
  /^([ \t]*)([A-Z][A-Z\d]*_[A-Z\d_]+(?:[ \t]*\([^;{}\n]*\))?:?)[ \t]*$(?!\s*[(=,;.?+\-|&)<>])/gm;
/** The line in front of such a line, where it ends a statement or is no code; after anything else the macro is part of an expression. */
const LINE_END =
  /[;{}:>]\s*$|\*\/\s*$|\/\/|^\s*#|^\s*$|^\s*[A-Z][A-Z\d]*_[A-Z\d_]+(?:\s*\(.*\))?:?\s*$/;
/** A calling convention or attribute between type and name: `BOOL WINAPI DllMain(`. */
const BETWEEN =
  /^([ \t]*(?:[a-z]+[ \t]+){0,3}[A-Za-z_]\w*[ \t*]+)([A-Z][A-Z\d_]{2,})(?=[ \t]+[A-Za-z_]\w*[ \t]*\()/gm;

const blanks = (text: string): string => text.replace(/[^\r\n]/g, " ");

/** The text without what the preprocessor alone understands: of the same length, with the same line ends. */
export function closeMacroGaps(text: string): string {
  return withoutMacros(withoutConditionals(text));
}

/** Keeps the first branch of conditionals inside code, and of those whose branches open or close braces. */
function withoutConditionals(text: string): string {
  const open: Conditional[] = [];
  /** For each bracket that is open, whether statements or arguments are in it. */
  const brackets: boolean[] = [];
  const gaps: [start: number, end: number][] = [];
  /** What was open at the `#if`: each branch goes on from there. */
  const saved: boolean[][] = [];
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    const start = match.index;
    const directive = match[1];
    if (token === "(") brackets.push(true);
    else if (token === "{") {
      const head = text.slice(Math.max(0, start - SCOPE_REACH), start).replace(COMMENT, "");
      brackets.push(brackets.at(-1) === true || !SCOPE.test(head));
    } else if (token === "}" || token === ")") brackets.pop();
    if (brackets.length + open.length > MAX_DEPTH) return text;
    if (directive === undefined) continue;
    const place: [number, number] = [start, start + token.length];
    if (/^if/.test(directive)) {
      open.push({
        directives: [place],
        depth: brackets.length,
        inCode: brackets.at(-1) === true,
        balanced: true,
      });
      saved.push([...brackets]);
    } else if (/^el|^endif$/.test(directive)) {
      const conditional = open.at(-1);
      if (!conditional) continue;
      conditional.directives.push(place);
      if (brackets.length !== conditional.depth) conditional.balanced = false;
      if (directive !== "endif") {
        // What the first branch leaves open stays open behind the conditional; the others begin where it began.
        if (conditional.directives.length === 2) saved.push([...brackets]);
        brackets.splice(0, brackets.length, ...saved[saved.length - 2]!);
        continue;
      }
      open.pop();
      if (conditional.directives.length > 2) brackets.splice(0, brackets.length, ...saved.pop()!);
      saved.pop();
      if (conditional.inCode || !conditional.balanced) {
        gaps.push(conditional.directives[0]!);
        gaps.push([conditional.directives[1]![0], place[1]]);
      }
    }
  }
  return without(text, gaps);
}

function without(text: string, gaps: [start: number, end: number][]): string {
  gaps.sort((a, b) => a[0] - b[0]);
  let known = "";
  let at = 0;
  for (const [start, end] of gaps) {
    if (end <= at) continue;
    const from = Math.max(start, at);
    known += text.slice(at, from) + blanks(text.slice(from, end));
    at = end;
  }
  return known + text.slice(at);
}

function withoutMacros(text: string): string {
  const alone = text.replace(ALONE, (line, _indent, macro: string, offset: number) => {
    // `TEST(a, b) {` reads as a function, `TRY {` as nothing.
    if (macro.endsWith(")") && /^\s*\{/.test(text.slice(offset + line.length))) return line;
    const before = text.slice(text.lastIndexOf("\n", offset - 2) + 1, Math.max(0, offset - 1));
    // A line that goes on a directive is the directive's.
    if (/\\\r?$/.test(before) || !LINE_END.test(before)) return line;
    return blanks(line);
  });
  return alone.replace(BETWEEN, (_, head: string, macro: string) => head + blanks(macro));
}
