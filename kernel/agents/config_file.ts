/**
 * One entry of a configuration file, written and taken out, with everything else in the file left as it is.
 *
 * Pure: text in, text out. Siblings: JSON with comments (`json_edit.ts` makes the edits), and TOML. What must hold: comments,
 * order and formatting of what is not ours stay; a text that cannot be parsed is refused; the values of all other entries are the
 * same afterwards, which is checked by parsing the result.
 */
import { isDeepStrictEqual } from "node:util";
import { parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import { parse as parseToml, stringify as stringifyToml } from "smol-toml";
import { removeProperty, setProperty } from "./json_edit.ts";

/** A form of configuration files. */
export interface ConfigFormat {
  /**
   * The value at these keys; undefined when there is none.
   * @throws {SyntaxError} when the text is not of this form, or something on the way is no table
   */
  read(text: string, keys: readonly string[]): unknown;
  /** The text with this value at these keys. An empty text is an empty file. */
  write(text: string, keys: readonly string[], value: Record<string, unknown>): string;
  /** The text without what is at these keys, and without tables that are empty then; empty when nothing else was in it. */
  remove(text: string, keys: readonly string[]): string;
}

type Table = Record<string, unknown>;

/** JSON as editors take it: comments and trailing commas are allowed. */
const json: ConfigFormat = {
  read: (text, keys) => valueAt(parseJson(text), keys),

  write(text, keys, value) {
    valueAt(parseJson(text), keys);
    const base = text.trim() === "" ? "{}\n" : text;
    const after = afterMark(base, (rest) => setProperty(rest, keys, value));
    return checked(parseJson, text, after, keys, value);
  },

  remove(text, keys) {
    let rest = text;
    for (let depth = keys.length; depth > 0; depth--) {
      const inner = valueAt(parseJson(rest), keys.slice(0, depth));
      const isOurs = depth === keys.length;
      if (inner === undefined || !isOurs && Object.keys(inner as Table).length > 0) break;
      rest = afterMark(rest, (body) => removeProperty(body, keys.slice(0, depth)));
    }
    // Comments that are left are worth a file.
    if (/^\s*\{\s*\}\s*$/.test(rest)) return "";
    return checked(parseJson, text, rest, keys, undefined);
  },
};

/** TOML: an entry is a table of its own, with a header that says where it belongs. */
const toml: ConfigFormat = {
  read: (text, keys) => valueAt(readToml(text), keys),

  write(text, keys, value) {
    valueAt(readToml(text), keys);
    const eol = text.includes("\r\n") ? "\r\n" : "\n";
    const table = keys.reduceRight<Table>((inner, key) => ({ [key]: inner }), value);
    const block = stringifyToml(table).trim().replaceAll("\n", eol) + eol;
    const at = blockOf(text, keys);
    if (at !== undefined) {
      const replaced = text.slice(0, at.start) + block + text.slice(at.end);
      return checked(readToml, text, replaced, keys, value);
    }
    const gap = text === "" ? "" : text.endsWith("\n") ? eol : eol + eol;
    return checked(readToml, text, text + gap + block, keys, value);
  },

  remove(text, keys) {
    const at = blockOf(text, keys);
    if (at === undefined) return checked(readToml, text, text, keys, undefined);
    // The blank line before it came with it.
    const before = text.slice(0, at.start).replace(/(^|\n)\r?\n$/, "$1");
    const rest = before + text.slice(at.end);
    return rest.trim() === "" ? "" : checked(readToml, text, rest, keys, undefined);
  },
};

/** By the names of the agents' table. */
export const configFormats = { json, toml } as const;

/** Edits what stands behind a byte order mark, where there is one. */
function afterMark(text: string, edit: (rest: string) => string): string {
  return text.startsWith("\uFEFF") ? "\uFEFF" + edit(text.slice(1)) : edit(text);
}

function parseJson(text: string): unknown {
  if (text.trim() === "") return {};
  const errors: ParseError[] = [];
  const value = parse(text.replace(/^\uFEFF/, ""), errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error === undefined) return value;
  const line = text.slice(0, error.offset).split("\n").length;
  throw new SyntaxError(`line ${line}: ${printParseErrorCode(error.error)}`);
}

function readToml(text: string): unknown {
  try {
    return plain(parseToml(text));
  } catch (error) {
    const [reason = ""] = (error as Error).message.split("\n");
    throw new SyntaxError(reason.replace(/^Invalid TOML document: /, ""), { cause: error });
  }
}

/** The value at these keys, where everything above it is a table. */
function valueAt(value: unknown, keys: readonly string[]): unknown {
  let at = value;
  for (const [depth, key] of [...keys, ""].entries()) {
    if (depth > 0 && at === undefined) return undefined;
    if (typeof at !== "object" || at === null || Array.isArray(at)) {
      const what = depth === 0 ? "it" : `"${keys.slice(0, depth).join(".")}"`;
      throw new SyntaxError(`${what} is no table of names and values`);
    }
    if (depth === keys.length) break;
    at = Object.hasOwn(at, key) ? (at as Table)[key] : undefined;
  }
  return at;
}

/** The new text, if it says what the old one said but for the entry. */
function checked(
  read: (text: string) => unknown,
  before: string,
  after: string,
  keys: readonly string[],
  value: unknown,
): string {
  const expected = structuredClone(read(before)) as Table;
  set(expected, keys, value);
  let found: unknown;
  try {
    found = read(after);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (found !== undefined && isDeepStrictEqual(prune(plain(found)), prune(plain(expected)))) {
    return after;
  }
  throw new SyntaxError(
    `"${keys.join(".")}" is written there in a way that cannot be edited without touching the rest`,
  );
}

function set(table: Table, [key, ...rest]: readonly string[], value: unknown): void {
  if (key === undefined) return;
  if (rest.length > 0) {
    table[key] ??= {};
    set(table[key] as Table, rest, value);
  } else if (value === undefined) delete table[key];
  else table[key] = value;
}

/** Without empty tables at the top: they come and go with the entry. */
function prune(value: unknown): unknown {
  return Object.fromEntries(
    Object.entries(value as Table).filter(([, each]) =>
      !(typeof each === "object" && each !== null && !Array.isArray(each) &&
        !(each instanceof Date) && Object.keys(each).length === 0)
    ),
  );
}

/** As plain objects, whatever prototypes a parser gave them. */
function plain(value: unknown): unknown {
  return structuredClone(value);
}

/** From the header of the table at these keys to the end of its last line, its tables included. */
function blockOf(
  text: string,
  keys: readonly string[],
): { start: number; end: number } | undefined {
  let start: number | undefined;
  let end = 0;
  let at = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const header = /^\s*\[\[?([^\]]+)\]/.exec(line)?.[1];
    if (header !== undefined) {
      const parts = header.split(".").map((part) => part.trim().replace(/^(["'])(.*)\1$/, "$2"));
      const isOurs = keys.every((key, index) => parts[index] === key);
      if (isOurs) start ??= at;
      else if (start !== undefined) break;
    }
    at += line.length;
    // Blank lines and comments at the end belong to what follows.
    if (start !== undefined && !/^\s*(#.*)?\s*$/.test(line)) end = at;
  }
  return start === undefined ? undefined : { start, end };
}
