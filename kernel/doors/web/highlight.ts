/**
 * Syntax highlighting: the text of a file as lines of coloured pieces.
 *
 * Owns a scanner for comments, strings, numbers, keywords and names, by families of languages; the page needs to be read, not compiled,
 * so a few rules a family are enough and cost a few kilobytes instead of some hundred. Pure. What must hold: the pieces of a line put
 * end to end give the line back; the time is linear in the text.
 */

/** What a piece is; the names are classes of the style sheet. */
export type Kind = "plain" | "comment" | "string" | "number" | "keyword" | "type" | "call";

/** A piece of a line. */
export interface Piece {
  readonly kind: Kind;
  readonly text: string;
}

/** How a family of languages writes things; each source is one alternative of a regular expression without groups. */
interface Family {
  readonly comment: string;
  readonly string: string;
  readonly keywords: string;
}

const QUOTED = String.raw`"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?`;
const BRACE_COMMENT = String.raw`\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)`;
const HASH_COMMENT = String.raw`#[^\n]*`;

const SCRIPT: Family = {
  comment: BRACE_COMMENT,
  // A slash begins a regular expression where no value can stand before it; bounded, so that one that never ends costs little.
  string: QUOTED + String.raw`|\x60(?:[^\x60\\]|\\[^])*\x60?` +
    String
      .raw`|(?<=(?:^|[(,=:[!&|?{};]|=>|\breturn)\s*)\/(?![*\/])(?:[^\/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.){0,99}\]){1,199}\/[a-z]*`,
  keywords:
    "abstract as async await break case catch class const continue debugger declare default delete do else enum export extends false finally for from function get if implements import in infer instanceof interface is keyof let namespace new null of override private protected public readonly return satisfies set static super switch this throw true try type typeof undefined using var void while with yield",
};

const BRACES: Family = {
  comment: BRACE_COMMENT,
  string: QUOTED,
  keywords:
    "abstract assert auto bool boolean break byte case catch char class companion const constexpr continue data default delete do double else enum event explicit extends extern false final finally float for foreach friend fun goto if implements import in inline instanceof int interface internal is lateinit long namespace native new null nullptr object operator out override package private protected public readonly record ref return sealed short signed sizeof static string struct super switch synchronized template this throw throws transient true try typedef typename uint union unsigned using val var virtual void volatile when where while yield",
};

const GO: Family = {
  comment: BRACE_COMMENT,
  string: String.raw`"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|\x60[^\x60]*\x60?`,
  keywords:
    "any bool break byte case chan const continue default defer else error fallthrough false float32 float64 for func go goto if import int int32 int64 interface iota map nil package range return rune select string struct switch true type uint uint8 uint32 uint64 var",
};

const RUST: Family = {
  comment: BRACE_COMMENT,
  // A quote is a character or a lifetime.
  string: String.raw`b?r#*"[^]*?"#*|b?"(?:[^"\\]|\\[^])*"?|b?'(?:[^'\\\n]|\\.)'`,
  keywords:
    "as async await bool break char const continue crate dyn else enum extern f32 f64 false fn for i16 i32 i64 i8 if impl in isize let loop macro_rules match mod move mut pub ref return self Self static str struct super trait true type u16 u32 u64 u8 union unsafe use usize where while",
};

const PYTHON: Family = {
  comment: HASH_COMMENT,
  string: String.raw`[rbfuRBFU]{0,2}(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|${QUOTED})`,
  keywords:
    "and as assert async await break case class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return self True try while with yield",
};

const SCRIPTS: Family = {
  comment: HASH_COMMENT,
  string: QUOTED,
  keywords:
    "alias and begin break case class def defined do done echo elif else elsif end ensure esac export false fi for function if in local module next nil not or readonly redo require rescue retry return self set shift source super then true undef unless until when while yield",
};

const PHP: Family = { ...BRACES, comment: `${BRACE_COMMENT}|${HASH_COMMENT}` };

const DATA: Family = {
  comment: HASH_COMMENT,
  string: QUOTED,
  keywords: "true false null yes no on off",
};

const JSON_DATA: Family = { ...DATA, comment: BRACE_COMMENT };

const MARKUP: Family = { comment: String.raw`<!--[^]*?(?:-->|$)`, string: QUOTED, keywords: "" };

const STYLE: Family = {
  comment: String.raw`\/\*[^]*?(?:\*\/|$)`,
  string: QUOTED,
  keywords: "important",
};

const SQL: Family = {
  comment: String.raw`--[^\n]*|\/\*[^]*?(?:\*\/|$)`,
  string: String.raw`'(?:[^']|'')*'?`,
  keywords:
    "add all alter and as asc begin between by case column commit constraint create cross default delete desc distinct drop else end exists foreign from full group having if in index inner insert into is join key left like limit not null offset on or order outer primary references replace returning right rollback select set table then transaction trigger union unique update using values view when where with",
};

/** Extensions of files, and names of languages as fences of code have them. */
const FAMILIES: readonly (readonly [extensions: string, family: Family])[] = [
  ["typescript javascript ts tsx mts cts js jsx mjs cjs vue svelte astro", SCRIPT],
  [
    "kotlin csharp c# c++ objective-c java kt kts cs c h cc cpp cxx hpp hh m mm scala swift dart groovy gradle proto",
    BRACES,
  ],
  ["go golang", GO],
  ["rs rust", RUST],
  ["py pyi python", PYTHON],
  [
    "ruby shell console elixir perl rb sh bash zsh fish pl r ex exs dockerfile makefile mk cmake",
    SCRIPTS,
  ],
  ["php", PHP],
  ["yaml yml toml ini cfg conf properties env", DATA],
  ["json jsonc json5 jsonl", JSON_DATA],
  ["html htm xml svg xhtml", MARKUP],
  ["css scss less", STYLE],
  ["sql", SQL],
];

/** Longer texts are shown plain: colour is not worth a page that stands still. */
const MAX_LENGTH = 2_000_000;

const byExtension = new Map(
  FAMILIES.flatMap(([extensions, family]) =>
    extensions.split(" ").map((extension) => [extension, family] as const)
  ),
);
const scanners = new Map<Family, { readonly pattern: RegExp; readonly keywords: Set<string> }>();

/** The lines of a text, coloured by the name of its file. Line ends are left out. */
export function highlight(given: string, path: string): Piece[][] {
  const text = given.replaceAll("\r\n", "\n");
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const family = byExtension.get(name.slice(name.lastIndexOf(".") + 1));
  if (family === undefined || text.length > MAX_LENGTH) {
    return linesOf(text).map((line) => line === "" ? [] : [{ kind: "plain", text: line }]);
  }
  const lines: Piece[][] = [[]];
  const put = (kind: Kind, text: string) => {
    for (const [index, part] of linesOf(text).entries()) {
      if (index > 0) lines.push([]);
      if (part === "") continue;
      const line = lines.at(-1)!;
      const last = line.at(-1);
      if (last?.kind === kind) line[line.length - 1] = { kind, text: last.text + part };
      else line.push({ kind, text: part });
    }
  };
  const { pattern, keywords } = scannerOf(family);
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > at) put("plain", text.slice(at, match.index));
    const [found] = match;
    const { comment, string, number } = match.groups!;
    if (comment !== undefined) put("comment", found);
    else if (string !== undefined) put("string", found);
    else if (number !== undefined) put("number", found);
    else put(kindOfName(found, keywords, family, text, match.index + found.length), found);
    at = match.index + found.length;
  }
  if (at < text.length) put("plain", text.slice(at));
  return lines;
}

function kindOfName(
  name: string,
  keywords: Set<string>,
  family: Family,
  text: string,
  end: number,
): Kind {
  if (keywords.has(family === SQL ? name.toLowerCase() : name)) return "keyword";
  if (text[end] === "(") return "call";
  return /^[A-Z][\w$]*[a-z]/.test(name) ? "type" : "plain";
}

function scannerOf(family: Family) {
  let scanner = scanners.get(family);
  if (scanner === undefined) {
    const pattern = new RegExp(
      `(?<comment>${family.comment})|(?<string>${family.string})|` +
        String
          .raw`(?<number>\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)\w*)|[\p{L}_$][\p{L}\p{N}_$]*`,
      "gu",
    );
    scanner = { pattern, keywords: new Set(family.keywords.split(" ")) };
    scanners.set(family, scanner);
  }
  return scanner;
}

function linesOf(text: string): string[] {
  return text.split("\n");
}
