/**
 * Where a name is defined and used: by the symbol graph where one is at hand and asked for, else by the name alone.
 *
 * Owns the reading of lines that hold a name. What must hold: every reference says how it was resolved; a line counts as a call by name
 * only if what stands before the name could lead to the definition.
 */
import { isTestPath, type OutlineEntry } from "../rag/mod.ts";
import type { ContextItem, Reference } from "./driver.ts";
import type { MemoryPort } from "./memory_port.ts";
import { isHeritage } from "./heritage.ts";
import { isCopy, roleOf } from "./roles.ts";

/** Lines that hold a name which one action returns; fewer are all there are. */
export const MOST_REFERENCES = 80;
/** Of which so many are of tests, where there are that many; these come on top if need be. */
const KEPT_FOR_TESTS = 20;
/** Files looked through for a name, at most, so that a step stays well under a second. */
export const MOST_FILES_SCANNED = 1500;
/** Longest line of a reference. */
export const LONGEST_LINE = 300;

/** Names that objects of every library have: a call by name alone says nothing about whose they are. */
const FAMILIAR =
  /^(.{1,3}|add|append|apply|call|catch|clear|clone|close|copy|count|create|delete|emit|equals|error|exec|extend|filter|find|flush|format|forEach|from|handle|hash|index|init|insert|items|join|keys|length|list|load|lock|log|match|name|next|open|parse|path|print|push|read|remove|replace|reset|reverse|send|size|slice|sort|split|start|stop|string|strip|test|text|then|toString|trim|type|update|value|values|wait|with|write)$/i;

/** Whether a use of this name says nothing unless the compiler resolved it. */
export function isFamiliar(name: string): boolean {
  return FAMILIAR.test(name);
}

/**
 * Whether a line that uses a name can mean that of `owner`, as far as its words tell. Only for names that many things have is this
 * asked: `request.replace(` can be `Request.replace`, `text.replace(` is another.
 */
export function couldMean(use: Reference, owner: string | undefined): boolean {
  if (owner === undefined || use.resolution === "compiler" || !isFamiliar(use.name)) return true;
  const before = beforeName(use);
  const holder = /([\w$]+)(?:\(\))?\s*(?:\?\.|\.|::|->)\s*$/.exec(before)?.[1]?.toLowerCase();
  const whole = owner.toLowerCase();
  return holder !== undefined && holder.length > 2 &&
    (holder.includes(whole) || whole.includes(holder));
}

/** What a line has before the name that it uses; the whole line where it is not there. */
function beforeName({ name, text }: Reference): string {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const isWhole = !isWordPart(text.charCodeAt(at - 1)) &&
      !isWordPart(text.charCodeAt(at + name.length));
    if (isWhole) return text.slice(0, at);
  }
  return text;
}

/** The symbol graph, as far as references need it: `SymbolGraph` of rag has this shape. */
export interface GraphPort {
  refs(target: string, options?: { signal?: AbortSignal }): Promise<{
    readonly definitions: readonly {
      readonly path: string;
      readonly startLine: number;
      readonly endLine: number;
      readonly name: string;
    }[];
    readonly references: readonly {
      readonly path: string;
      readonly line: number;
      readonly kind: string;
      readonly resolution: "compiler" | "name";
    }[];
    readonly subtypes: readonly {
      readonly path: string;
      readonly startLine: number;
      readonly name: string;
      readonly container: readonly string[];
      readonly relation: "extends" | "implements" | "overrides";
      /** Where it says so; what only has the methods of an interface says it nowhere. */
      readonly clause?: { readonly path: string; readonly line: number };
    }[];
  }>;
}

/** What a name stands for, its parts told apart: `Mux.Route`, `Router::new`, `a#b`, `run()`. */
export function splitName(name: string): { last: string; owner: string | undefined } {
  const parts = name.replace(/\(\)$/, "").split(/\.|::|#|->|\\/).filter(Boolean);
  return { last: parts.at(-1) ?? name, owner: parts.at(-2) };
}

/** Whether two names are the same but for case and leading underscores: people ask for `mux` and mean `Mux`. */
export function alike(one: string, other: string): boolean {
  const plain = (name: string) => splitName(name).last.replace(/^[_$#]+/, "").toLowerCase();
  return plain(one) === plain(other);
}

/** `Mux.Route`: the name with its innermost scope. */
export function qualified(entry: Pick<OutlineEntry, "name" | "container" | "kind">): string {
  const owner = entry.container.at(-1);
  // A namespace of PHP is written with backslashes all the way.
  const separator = owner?.includes("\\") ? "\\" : ".";
  return owner && entry.kind !== "section" ? `${owner}${separator}${entry.name}` : entry.name;
}

/** The smallest definition around a line. */
export function innermost(
  outline: readonly OutlineEntry[],
  line: number,
): OutlineEntry | undefined {
  let best: OutlineEntry | undefined;
  for (const entry of outline) {
    if (entry.startLine > line || entry.endLine < line || entry.kind === "key") continue;
    if (!best || entry.endLine - entry.startLine <= best.endLine - best.startLine) best = entry;
  }
  return best;
}

/** What a search for a name or a text found. */
export interface Found {
  readonly summary: string;
  readonly items: readonly ContextItem[];
}

/** By the name alone: every file that holds it, code before tests. */
export function referencesByName(name: string, memory: MemoryPort, signal?: AbortSignal): Found {
  const { last } = splitName(name);
  const definitions = definitionsOf(name, memory);
  const paths = memory.paths();
  const scan = paths.length <= MOST_FILES_SCANNED
    ? paths
    : [...new Set(memory.search(last, { limit: 200 }).map((hit) => hit.path))];
  const found: Reference[] = [];
  let total = 0;
  for (
    const path of [...scan].sort(bySource)
  ) {
    const file = memory.file(path);
    if (!file || !file.text.includes(last)) continue;
    signal?.throwIfAborted();
    const lines = linesWithName(file.text, last, file.language)
      .map((line) => ({ ...line, builds: isHeritage(line.text, last) }));
    total += lines.length;
    const room = roomFor(path, found);
    if (!lines.length || room === 0 && !lines.some(({ builds }) => builds)) continue;
    const outline = memory.outline(path);
    // What is built on a type counts whatever else uses it.
    const kept = lines.filter(({ builds }, at) => at < room || builds);
    for (const { line, text, prose, builds } of kept) {
      const defined = outline.some((entry) =>
        entry.name === last && entry.startLine <= line && line <= entry.startLine + 1
      );
      const kind = defined
        ? "definition"
        : prose
        ? "comment"
        : builds
        ? "subtype"
        : kindOfUse(text, last, definitions);
      found.push({
        type: "reference",
        name: last,
        path,
        line,
        text,
        kind,
        within: defined ? "" : scopeOf(outline, line),
        resolution: "name",
      });
    }
  }
  const calls = found.filter((reference) => reference.kind === "call").length;
  const limits = [
    ...total > found.length ? [`, the first ${found.length} kept`] : [],
    `, ${calls} of them calls`,
    ...scan === paths ? [] : ["; only the files that search finds were looked through"],
  ].join("");
  return {
    summary: definitions.length || found.length
      ? `"${last}": ${whereDefined(definitions)}; ${total} lines hold it by name${limits}`
      : `"${last}" is neither defined nor mentioned`,
    items: [...outlinesOf(definitions, memory), ...found],
  };
}

/** The files that import a file: references to its path, sources before tests. */
export function importersOf(path: string, memory: MemoryPort): Found {
  // Who includes the header of a source of C depends on the source.
  const header = memory.importers(path).length === 0 ? headersOf(path, memory) : [];
  const importers = [path, ...header].flatMap((one) => memory.importers(one))
    .filter((one) => one.path !== path).sort((one, other) => bySource(one.path, other.path));
  const found: Reference[] = [];
  for (const importer of importers) {
    if (roomFor(importer.path, found) === 0) continue;
    const lines = memory.file(importer.path)?.text.split("\n") ?? [];
    found.push({
      type: "reference",
      name: path,
      path: importer.path,
      line: importer.line,
      text: (lines[importer.line - 1] ?? "").trim().slice(0, LONGEST_LINE),
      kind: "import",
      within: "",
      resolution: "name",
    });
  }
  return {
    summary: importers.length
      ? `${importers.length} files import ${path}${
        importers.length > found.length ? `, the first ${found.length} kept` : ""
      }`
      : `no file imports ${path}`,
    items: found,
  };
}

/** The headers beside a source of C or C++ that bear its name. */
function headersOf(path: string, memory: MemoryPort): string[] {
  const stem = /^(.*)\.(?:c|cc|cpp|cxx|m|mm)$/.exec(path)?.[1];
  if (stem === undefined) return [];
  return [".h", ".hh", ".hpp", ".hxx"].map((suffix) => stem + suffix)
    .filter((one) => memory.file(one) !== undefined);
}

/** By the symbol graph; undefined when it knows no such definition. Throws what the graph throws. */
export async function referencesByGraph(
  name: string,
  memory: MemoryPort,
  graph: GraphPort,
  signal?: AbortSignal,
): Promise<Found | undefined> {
  const { last } = splitName(name);
  const target = name.replace(/\(\)$/, "").replace(/::|#|->/g, ".");
  const known = await graph.refs(target, signal ? { signal } : {});
  if (!known.definitions.length) return undefined;
  const found: Reference[] = [];
  const byPath = Map.groupBy(known.references, (reference) => reference.path);
  const paths = [...byPath.keys()].sort(bySource);
  for (const path of paths) {
    const room = roomFor(path, found);
    const kept = byPath.get(path)!.filter(({ kind }, at) => at < room || isBuiltOn(kind));
    if (kept.length === 0) continue;
    const lines = memory.file(path)?.text.split("\n") ?? [];
    const outline = memory.outline(path);
    for (const { line, kind, resolution } of kept) {
      found.push({
        type: "reference",
        name: last,
        path,
        line,
        text: (lines[line - 1] ?? "").trim().slice(0, LONGEST_LINE),
        kind: kind === "import" || kind === "reexport"
          ? "import"
          : isBuiltOn(kind)
          ? "subtype"
          : kind === "call"
          ? "call"
          : "use",
        within: scopeOf(outline, line),
        resolution,
      });
    }
  }
  for (const { path, startLine, name: type, container, relation, clause } of known.subtypes) {
    // Those that say it are among the references.
    if (clause !== undefined || relation === "overrides") continue;
    found.push({
      type: "reference",
      name: last,
      path,
      line: startLine,
      text: (memory.file(path)?.text.split("\n")[startLine - 1] ?? "").trim().slice(
        0,
        LONGEST_LINE,
      ),
      kind: "subtype",
      within: [...container.slice(-1), type].join("."),
      resolution: "name",
    });
  }
  const definitions = definitionsOf(name, memory).filter((entry) =>
    known.definitions.some((one) => one.path === entry.path && one.startLine === entry.startLine)
  );
  const total = known.references.length;
  const calls = known.references.filter((reference) => reference.kind === "call").length;
  const by = known.references.some((reference) => reference.resolution === "compiler")
    ? "the compiler"
    : "name and scope";
  return {
    summary: `"${last}": ${
      whereDefined(definitions)
    }; ${total} lines refer to it, resolved by ${by}${
      total > found.length ? `, the first ${found.length} kept` : ""
    }, ${calls} of them calls`,
    items: [...outlinesOf(definitions, memory), ...found],
  };
}

/** Whether the graph says by this kind of reference that a type is built on another. */
function isBuiltOn(kind: string): boolean {
  return kind === "extends" || kind === "implements";
}

/** How many references in a file are kept behind those found already: tests have some room whatever the code took. */
export function roomFor(path: string, found: readonly Reference[]): number {
  if (!isTestPath(path)) return Math.max(0, MOST_REFERENCES - found.length);
  const inTests = found.filter((reference) => isTestPath(reference.path)).length;
  return Math.max(MOST_REFERENCES - found.length, KEPT_FOR_TESTS - inTests, 0);
}

/** Sources before copies, examples, documents and configuration, these before tests; else as they come. */
export function bySource(one: string, other: string): number {
  const rank = (path: string) =>
    isTestPath(path) ? 3 : roleOf(path) !== "code" ? 2 : isCopy(path) ? 1 : 0;
  return rank(one) - rank(other);
}

function definitionsOf(name: string, memory: MemoryPort): OutlineEntry[] {
  const { last, owner } = splitName(name);
  const all = memory.definitions(last);
  const owned = owner ? all.filter((entry) => entry.container.at(-1) === owner) : [];
  return owned.length ? owned : all;
}

function outlinesOf(definitions: readonly OutlineEntry[], memory: MemoryPort): ContextItem[] {
  return outlinesOfPaths(definitions.map((entry) => entry.path), memory);
}

/** The definitions of files, each once. */
export function outlinesOfPaths(paths: readonly string[], memory: MemoryPort): ContextItem[] {
  return [...new Set(paths)].map((path) => ({
    type: "outline",
    path,
    entries: memory.outline(path),
  }));
}

function whereDefined(definitions: readonly OutlineEntry[]): string {
  if (!definitions.length) return "no definition";
  const shown = definitions.slice(0, 5).map((entry) =>
    `${entry.path}:${entry.startLine}-${entry.endLine}`
  ).join(", ");
  return `defined in ${shown}${
    definitions.length > 5 ? ` and ${definitions.length - 5} more` : ""
  }`;
}

/** The definition around a line, by its qualified name; empty at the top of a file. */
export function scopeOf(outline: readonly OutlineEntry[], line: number): string {
  const within = innermost(outline, line);
  return within ? qualified(within) : "";
}

/** Lines that hold `name` as a whole word, each once; `prose` where it stands in a docstring. */
function linesWithName(
  text: string,
  name: string,
  language: string,
): { line: number; text: string; prose: boolean }[] {
  const found: { line: number; text: string; prose: boolean }[] = [];
  let line = 1;
  let counted = 0;
  let quotes = 0;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length)) {
    if (isWordPart(text.charCodeAt(at - 1)) || isWordPart(text.charCodeAt(at + name.length))) {
      continue;
    }
    for (; counted < at; counted++) {
      const code = text.charCodeAt(counted);
      if (code === 10) line++;
      else if (code === 34 && text.startsWith('"""', counted)) {
        quotes++;
        counted += 2;
      }
    }
    if (found.at(-1)?.line === line) continue;
    const start = text.lastIndexOf("\n", at) + 1;
    const end = text.indexOf("\n", at);
    found.push({
      line,
      text: text.slice(start, end < 0 ? text.length : end).trim().slice(0, LONGEST_LINE),
      prose: language === "python" && quotes % 2 === 1,
    });
  }
  return found;
}

function isWordPart(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) ||
    code === 95 || code === 36 || code > 127;
}

/**
 * How a line uses a name. `name(` is a call only if it can be one of these definitions: a method behind an object, a function bare or
 * behind the name of its module; `errors.New(` does not call the `New` of another package.
 */
function kindOfUse(
  text: string,
  name: string,
  definitions: readonly OutlineEntry[],
): Reference["kind"] {
  if (/^(\/\/|\/?\*|#(?![[!]|include)|--|"""|'''|<!--)/.test(text)) return "comment";
  if (
    /^(import|from|export .* from|use|#include|using|require|\} from)\b/.test(text) ||
    /\brequire\(/.test(text)
  ) return "import";
  let at = text.indexOf(name);
  while (
    at >= 0 &&
    (isWordPart(text.charCodeAt(at - 1)) || isWordPart(text.charCodeAt(at + name.length)))
  ) {
    at = text.indexOf(name, at + 1);
  }
  // `name(`, `name::<T>(`, `name!(`, `name<T>(`: the forms a call takes in the languages of the table.
  if (!/^(!|::<[^>]*>|<[^>]*>|\?\.)?\(/.test(text.slice(at + name.length))) return "use";
  const before = text.slice(0, at);
  const qualifier = /([\w$]+)?\s*(?:\?\.|\.|::|->)\s*$/.exec(before);
  const fits = definitions.some((entry) => {
    const isMember = entry.container.length > 0 && entry.kind === "method";
    if (isMember) return qualifier !== null;
    if (!qualifier) return true;
    const scopes = [...entry.path.replace(/\.\w+$/, "").split("/"), ...entry.container].map((
      scope,
    ) => scope.toLowerCase());
    return qualifier[1] !== undefined && scopes.includes(qualifier[1].toLowerCase());
  });
  return fits ? "call" : "use";
}
