/**
 * Rows of the index as values, and the packed forms that columns hold.
 *
 * Pure. What must hold: what is packed comes back the same; `store.ts` keeps it.
 *
 * Packed forms
 * - lists of names: JSON, the empty list as the empty string;
 * - what a chunk defines: a line a name, behind one character: 64 + kind, + 32 at top level, + 64 for a prototype;
 * - imports: JSON of `[specifier, line, kind * 2 + type-only, name, alias, …]`, an alias that is the name itself left empty; deflated
 *   where that makes it shorter;
 * - dependencies of a chunk: a byte for each, its place among the distinct specifiers of the file's imports; where a file imports
 *   from more modules than a byte can tell, or a dependency is none of them, JSON as for other lists;
 * - what a file defines: see `definition_pack.ts`.
 */
import type { SQLInputValue } from "node:sqlite";
import { Buffer } from "node:buffer";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Chunk, Definition, Import, SourceFile } from "../ingest/mod.ts";

/** A row as SQLite gives it. */
export type Row = Record<string, SQLInputValue>;

/** A row of `file` without its text. */
export interface FileRow {
  readonly id: number;
  readonly path: string;
  readonly language: string;
  readonly bytes: number;
  readonly hash: string;
  readonly lines: number;
  readonly firstChunk: number;
  readonly chunkCount: number;
  readonly definitionCount: number;
  /** It passes on names of other modules; where not, ranking need not look at its imports. */
  readonly hasReexports: boolean;
}

/** A row of `chunk`: the chunk as ingest made it, and where it is kept. */
export interface ChunkRow extends Omit<Chunk, "size" | "dependencies"> {
  readonly id: number;
  readonly file: number;
  readonly tokens: number;
  /** Packed; `Store.dependenciesOf` reads them. */
  readonly dependencies: SQLInputValue;
}

/** A definition and the file it stands in. */
export interface DefinitionRow extends Definition {
  readonly file: number;
}

/** A definition as ranking sees it. */
export interface NameRow {
  readonly name: string;
  readonly kind: Definition["kind"];
  /** No scope encloses it. */
  readonly isTopLevel: boolean;
  /** A prototype of C or C++: says that it is, not how. */
  readonly isPrototype: boolean;
}

/** Columns of `file` without the large ones. */
export const FILE_COLUMNS =
  "id, path, language, bytes, hash, lines, first_chunk, chunk_count, definition_count, has_reexports";

/** From the columns `FILE_COLUMNS`. */
export function fileRow(row: Row): FileRow {
  return {
    id: Number(row.id),
    path: row.path as string,
    language: row.language as string,
    bytes: Number(row.bytes),
    hash: row.hash as string,
    lines: Number(row.lines),
    firstChunk: Number(row.first_chunk),
    chunkCount: Number(row.chunk_count),
    definitionCount: Number(row.definition_count),
    hasReexports: row.has_reexports === 1,
  };
}

/** From all columns of `chunk`. */
export function chunkRow(row: Row): ChunkRow {
  return {
    id: Number(row.id),
    file: Number(row.file),
    start: Number(row.start),
    end: Number(row.end),
    startLine: Number(row.start_line),
    endLine: Number(row.end_line),
    nodeType: row.node_type as string,
    nodeName: row.node_name as string,
    parentNodes: parseList(row.parents as string),
    dependencies: row.dependencies!,
    tokens: Number(row.tokens),
  };
}

/** Kinds by number. Packed rows hold the numbers: a new kind goes to the end. */
export const DEFINITION_KINDS: readonly Definition["kind"][] = [
  "class",
  "interface",
  "trait",
  "struct",
  "enum",
  "type",
  "function",
  "method",
  "property",
  "enum_member",
  "variable",
  "constant",
  "module",
  "macro",
  "section",
  "key",
  "test",
];
const TOP_LEVEL = 32;
const PROTOTYPE = 64;
/** Languages in which a function is declared in one place and defined in another. */
const WITH_PROTOTYPES = new Set(["c", "cpp"]);

/** For each chunk of a file, the names whose place is in it: a line each, behind a character for kind and level. */
export function packNames(file: SourceFile): string[] {
  const names = file.chunks.map(() => "");
  let at = 0;
  const hasPrototypes = WITH_PROTOTYPES.has(file.language);
  for (const { name, kind, container, nameStart, body, end } of file.definitions) {
    while (at > 0 && file.chunks[at]!.start > nameStart) at--;
    while (at < names.length - 1 && file.chunks[at + 1]!.start <= nameStart) at++;
    const isPrototype = hasPrototypes && body === end && (kind === "function" || kind === "method");
    const code = DEFINITION_KINDS.indexOf(kind) + (container.length === 0 ? TOP_LEVEL : 0) +
      (isPrototype ? PROTOTYPE : 0);
    if (at < names.length) {
      names[at] += `${String.fromCharCode(64 + code)}${name.replaceAll("\n", " ")}\n`;
    }
  }
  return names;
}

/** What `packNames` made of one chunk. */
export function unpackNames(packed: string): NameRow[] {
  if (packed === "") return [];
  return packed.slice(0, -1).split("\n").map((line) => {
    const code = line.charCodeAt(0) - 64;
    return {
      name: line.slice(1),
      kind: DEFINITION_KINDS[code % TOP_LEVEL]!,
      isTopLevel: (code & TOP_LEVEL) !== 0,
      isPrototype: (code & PROTOTYPE) !== 0,
    };
  });
}

const IMPORT_KINDS: readonly Import["kind"][] = ["import", "reexport", "require", "dynamic"];

/** An import as it is kept: specifier, line, kind and type-only in one number, then names and their aliases in turn. */
type PackedImport = [specifier: string, line: number, flags: number, ...names: string[]];

/** Characters of packed imports from which they are compressed: below, a call of deflate costs as much as it does above, and gains nothing. */
const DEFLATED_FROM = 100;

/** The column `imports`. */
export function packImports(imports: readonly Import[]): string | Uint8Array {
  if (imports.length === 0) return "";
  const json = JSON.stringify(imports.map(({ specifier, line, kind, names, typeOnly }) => {
    const packed: PackedImport = [
      specifier,
      line,
      IMPORT_KINDS.indexOf(kind) * 2 + (typeOnly ? 1 : 0),
      // An alias that is the name itself is left empty.
      ...names.flatMap(({ name, alias }) => [name, alias === name ? "" : alias]),
    ];
    return packed;
  }));
  if (json.length < DEFLATED_FROM) return json;
  const plain = Buffer.from(json, "utf8");
  const deflated = deflateRawSync(plain);
  return deflated.length < plain.length ? deflated : json;
}

/** What `packImports` made. */
export function unpackImports(packed: SQLInputValue | undefined): Import[] {
  if (!packed) return [];
  const json = typeof packed === "string"
    ? packed
    : inflateRawSync(packed as Uint8Array).toString("utf8");
  return (JSON.parse(json) as PackedImport[]).map(([specifier, line, flags, ...flat]) => {
    const names: { name: string; alias: string }[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      names.push({ name: flat[at]!, alias: flat[at + 1] || flat[at]! });
    }
    return { specifier, line, kind: IMPORT_KINDS[flags >> 1]!, names, typeOnly: flags % 2 === 1 };
  });
}

/** The modules that a file imports from, each once, in the order of its imports: what packed dependencies count. */
export function specifiersOf(imports: readonly Import[]): string[] {
  return [...new Set(imports.map(({ specifier }) => specifier))];
}

/** The column `dependencies`. @param places by specifier, its place in `specifiersOf` the file's imports */
export function packDependencies(
  dependencies: readonly string[],
  places: ReadonlyMap<string, number>,
): string | Uint8Array {
  if (dependencies.length === 0) return "";
  const packed = dependencies.map((specifier) => places.get(specifier) ?? 256);
  return packed.every((place) => place < 256) ? Uint8Array.from(packed) : list(dependencies);
}

/** What `packDependencies` made. @param imports those of the chunk's file; only asked for where they are needed */
export function unpackDependencies(
  packed: SQLInputValue,
  imports: () => readonly Import[],
): readonly string[] {
  if (typeof packed === "string") return parseList(packed);
  const specifiers = specifiersOf(imports());
  return Array.from(packed as Uint8Array, (place) => specifiers[place]!);
}

/** Lists are kept as JSON, the empty one as the empty string. */
export function list(values: readonly string[]): string {
  return values.length ? JSON.stringify(values) : "";
}

const EMPTY: readonly string[] = [];
function parseList(json: string): readonly string[] {
  return json ? JSON.parse(json) : EMPTY;
}

/** What a chunk is called, as an embedder is told: the scopes around it, outermost first, and what it defines. */
export function namesOf(
  { parentNodes, nodeName }: { readonly parentNodes: readonly string[]; readonly nodeName: string },
): string[] {
  return nodeName === "" ? [...parentNodes] : [...parentNodes, nodeName];
}
