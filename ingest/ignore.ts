/**
 * Ignore files in the syntax of gitignore: `.gitignore` where git cannot be asked, and `.batosignore` everywhere.
 *
 * Owns parsing and matching; reads no files. What must hold:
 * - the result is that of `git check-ignore` on a case-sensitive file system: the last matching line of the innermost
 *   file decides; nothing below an ignored folder comes back, so callers ask for each folder before what it holds;
 * - git compares bytes, so names and patterns outside ASCII are compared as UTF-8 bytes (`?` is one byte);
 * - matching takes at most pattern length × name length steps, whatever an untrusted ignore file says.
 *
 * Source: the gitignore manual page; every rule is checked against git itself in the tests.
 */

/** The lines of one ignore file, linked to those of the folders around it. */
export interface IgnoreRules {
  readonly parent: IgnoreRules | undefined;
  /** Folder of the file: empty for the root, else ending in `/`. */
  readonly base: string;
  readonly patterns: readonly Pattern[];
}

interface Pattern {
  readonly negated: boolean;
  readonly directoryOnly: boolean;
  /** Compared with the last part of the path only; else with the whole path below the folder of the file. */
  readonly nameOnly: boolean;
  readonly segments: readonly Segment[];
}

/** `**`, or one name: compared as it stands, by its end (`*.ts`), or token by token. */
type Segment =
  | { readonly kind: "any" }
  | { readonly kind: "literal" | "suffix"; readonly text: string }
  | { readonly kind: "glob"; readonly tokens: readonly Token[] };

/** A byte, a set of bytes, any byte, or any run of bytes. */
type Token = number | ReadonlySet<number> | "one" | "run";

/** Adds the ignore file `text` of the folder `base` (empty, or ending in `/`) to the rules of the folders around it. */
export function addIgnoreRules(
  text: string,
  base: string,
  parent: IgnoreRules | undefined,
): IgnoreRules | undefined {
  const patterns: Pattern[] = [];
  for (const line of text.replace(/^\ufeff/, "").split("\n")) {
    const pattern = parsePattern(toBytes(line));
    if (pattern !== undefined) patterns.push(pattern);
  }
  return patterns.length > 0 ? { parent, base, patterns } : parent;
}

/** Whether the rules ignore this path (relative to the root, no `/` at its end), given that its folder is not ignored. */
export function isIgnored(
  rules: IgnoreRules | undefined,
  path: string,
  directory: boolean,
): boolean {
  if (rules === undefined) return false;
  const name = toBytes(path.slice(path.lastIndexOf("/") + 1));
  for (let file: IgnoreRules | undefined = rules; file !== undefined; file = file.parent) {
    let below: string[] | undefined;
    for (let i = file.patterns.length - 1; i >= 0; i--) {
      const pattern = file.patterns[i]!;
      if (pattern.directoryOnly && !directory) continue;
      const matched = pattern.nameOnly
        ? segmentMatches(pattern.segments[0]!, name)
        : pathMatches(pattern.segments, below ??= toBytes(path.slice(file.base.length)).split("/"));
      if (matched) return !pattern.negated;
    }
  }
  return false;
}

/** UTF-8 bytes as characters of the same code; ASCII, the usual case, stays as it is. */
function toBytes(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text;
  let bytes = "";
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

/** Reads one line; nothing for blank lines, comments and patterns that can never match. */
function parsePattern(line: string): Pattern | undefined {
  let text = trimTrailingSpaces(line.endsWith("\r") ? line.slice(0, -1) : line);
  if (text === "" || text.startsWith("#")) return undefined;
  const negated = text.startsWith("!");
  if (negated) text = text.slice(1);
  const directoryOnly = text.endsWith("/");
  if (directoryOnly) text = text.slice(0, -1);
  const nameOnly = !text.includes("/");
  const segments = parseSegments(text.startsWith("/") ? text.slice(1) : text, nameOnly);
  return segments && { negated, directoryOnly, nameOnly, segments };
}

/** Spaces at the end do not count, except one behind a backslash. */
function trimTrailingSpaces(line: string): string {
  let end = 0;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === "\\") end = Math.min(line.length, ++i + 1);
    else if (line[i] !== " ") end = i + 1;
  }
  return line.slice(0, end);
}

function parseSegments(text: string, nameOnly: boolean): Segment[] | undefined {
  const segments: Segment[] = [];
  let tokens: Token[] = [];
  let begin = 0;
  const close = (end: number, slash: boolean) => {
    if (nameOnly || !/^\*\*+$/.test(text.slice(begin, end))) segments.push(toSegment(tokens));
    else {
      // `a/**` means what is inside `a`, not `a` itself; only a plain slash lets `**` stand for no folder at all.
      if (!slash) segments.push(toSegment(["run"]));
      segments.push({ kind: "any" });
    }
    tokens = [];
  };
  for (let i = 0; i < text.length; i++) {
    let char = text[i]!;
    if (char === "[") {
      const set = parseSet(text, i);
      if (set === undefined) return undefined;
      tokens.push(set.bytes);
      i = set.end;
      continue;
    }
    const from = i;
    const escaped = char === "\\";
    if (escaped) {
      if (++i === text.length) return undefined;
      char = text[i]!;
    }
    if (char === "/") {
      close(from, !escaped);
      begin = i + 1;
    } else if (!escaped && char === "*") {
      if (tokens.at(-1) !== "run") tokens.push("run");
    } else tokens.push(!escaped && char === "?" ? "one" : char.charCodeAt(0));
  }
  close(text.length, false);
  return segments;
}

function toSegment(tokens: readonly Token[]): Segment {
  const rest = tokens[0] === "run" ? tokens.slice(1) : tokens;
  if (!rest.every((token) => typeof token === "number")) return { kind: "glob", tokens };
  return {
    kind: rest === tokens ? "literal" : "suffix",
    text: String.fromCharCode(...rest as number[]),
  };
}

const classes: Record<string, RegExp> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  // deno-lint-ignore no-control-regex -- the class of control characters
  cntrl: /[\0-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t-\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** Reads `[…]` at `open`; nothing if it is malformed, in which case git matches nothing with the whole pattern. */
function parseSet(
  text: string,
  open: number,
): { bytes: ReadonlySet<number>; end: number } | undefined {
  const listed = new Set<number>();
  let i = open + 1;
  const negated = text[i] === "!" || text[i] === "^";
  if (negated) i++;
  let previous = -1;
  for (let first = true; first || text[i] !== "]"; first = false, i++) {
    const char = text[i];
    if (char === undefined) return undefined;
    const next = text[i + 1];
    if (char === "-" && previous >= 0 && next !== undefined && next !== "]") {
      if (text[++i] === "\\") i++;
      if (i >= text.length) return undefined;
      for (let byte = previous; byte <= text.charCodeAt(i); byte++) listed.add(byte);
      previous = -1;
      continue;
    }
    if (char === "[" && next === ":") {
      const end = text.indexOf("]", i + 2);
      if (end < 0) return undefined;
      if (end > i + 2 && text[end - 1] === ":") {
        const members = classes[text.slice(i + 2, end - 1)];
        if (members === undefined) return undefined;
        for (let byte = 0; byte < 128; byte++) {
          if (members.test(String.fromCharCode(byte))) listed.add(byte);
        }
        i = end;
        previous = -1;
        continue;
      }
    } else if (char === "\\" && ++i === text.length) return undefined;
    previous = text.charCodeAt(i);
    listed.add(previous);
  }
  listed.delete(SLASH);
  if (!negated) return { bytes: listed, end: i };
  const others = new Set<number>();
  for (let byte = 1; byte < 256; byte++) if (!listed.has(byte) && byte !== SLASH) others.add(byte);
  return { bytes: others, end: i };
}

const SLASH = 0x2f;

function pathMatches(segments: readonly Segment[], names: readonly string[]): boolean {
  return wildcard(
    segments.length,
    names.length,
    (i) => segments[i]!.kind === "any",
    (i, j) => segmentMatches(segments[i]!, names[j]!),
  );
}

function segmentMatches(segment: Segment, name: string): boolean {
  switch (segment.kind) {
    case "any":
      return true;
    case "literal":
      return name === segment.text;
    case "suffix":
      return name.endsWith(segment.text);
    case "glob": {
      const tokens = segment.tokens;
      return wildcard(tokens.length, name.length, (i) => tokens[i] === "run", (i, j) => {
        const token = tokens[i]!;
        if (typeof token === "string") return true;
        const byte = name.charCodeAt(j);
        return typeof token === "number" ? token === byte : token.has(byte);
      });
    }
  }
}

/** Wildcard matching with one point to return to: the last run. Never worse than `patterns` × `items` steps. */
function wildcard(
  patterns: number,
  items: number,
  isRun: (pattern: number) => boolean,
  equal: (pattern: number, item: number) => boolean,
): boolean {
  let pattern = 0;
  let run = -1;
  let resume = 0;
  for (let item = 0; item < items;) {
    if (pattern < patterns && isRun(pattern)) {
      run = pattern++;
      resume = item;
    } else if (pattern < patterns && equal(pattern, item)) {
      pattern++;
      item++;
    } else if (run >= 0) {
      pattern = run + 1;
      item = ++resume;
    } else return false;
  }
  while (pattern < patterns && isRun(pattern)) pattern++;
  return pattern === patterns;
}
