/**
 * What ranking wants to know of a file besides its words: its path as words, what kind of file it is, what each of its
 * chunks defines, what it passes on from other modules.
 *
 * Pure: made from rows, kept by the caller for as long as the file does not change.
 */
import type { Import } from "../ingest/mod.ts";
import type { FileRow, NameRow } from "./rows.ts";
import { splitIdentifier, stemOf } from "./terms.ts";

/** A name that a chunk defines, as words. */
export interface DefinedName extends NameRow {
  readonly lower: string;
  /** Stems of its parts. */
  readonly stems: readonly string[];
}

/** Kinds of files that answer fewer questions than the code itself. */
export type FileRole =
  | "source"
  | "test"
  | "example"
  | "compat"
  | "declaration"
  | "document"
  | "data";

export interface FileFeatures {
  readonly path: string;
  readonly language: string;
  readonly role: FileRole;
  /** Stems of the words of the file's own name; of its folder where the name says nothing (`index`, `mod`). */
  readonly stemWords: readonly string[];
  /** The file's own name without extension and joiners, lower case. */
  readonly stemName: string;
  readonly firstChunk: number;
  readonly chunkCount: number;
  /** Names it passes on from other modules; `*` for all of them. */
  readonly reexports: ReadonlySet<string>;
  /** It stands in a folder that a newer version beside it has replaced; that folder's name. */
  readonly superseded: string | undefined;
  /** It is the door of its folder and mostly passes on. */
  readonly isBarrel: boolean;
}

/** File names that say nothing of their own; the folder's name speaks for them. */
const DOORS = new Set(["index", "mod", "lib", "main", "__init__", "init", "__main__"]);

/** Folders of tests and their fixtures, by the customs of all languages. */
const TEST_FOLDER =
  /^(tests?|__tests__|specs?|testdata|fixtures?|__fixtures__|__mocks__|mocks?|e2e|\w*Tests)$/;
/** Names of files that are tests. */
const TEST_FILE =
  /^tests?\.([cm]?[jt]sx?|py|rb|go|rs|c|cc|cpp|lua|php|sh)$|^test_[^/]*\.py$|^conftest\.py$|[._-](test|spec|e2e)(-d)?\.[^.]+$|_test\.(go|py|rb|ts|js|cc|cpp|c)$|_(test|spec)\.(exs|lua|zig)$|^test_helper\.exs$|(Test|Tests|Spec|IT)\.(java|kt|cs|php|scala|swift)$|(Suite|Spec|Props?)\.(scala|hs)$/;
/** Folders of benchmarks: `bench/`, Rust's `benches/`, JMH's `src/jmh/`, asv's `asv_bench/`, `micro-benchmarks/`. */
const BENCHMARK_FOLDER = /^((micro|macro|asv)?[_-]?bench(marks?|es)?|jmh)$/;
/**
 * Names of files that are benchmarks: `parse.bench.ts` of Vitest, `parse_bench.ts` of Deno, `bench_parse.py`, `benchmark.js`,
 * `parse_benchmark.cc`, `ParseBenchmark.java`, Go's `bench_test.go`.
 */
const BENCHMARK_FILE =
  /^bench(mark)?s?\.([cm]?[jt]sx?|py|rb|rs|php|lua|go)$|^bench(mark)?_[^/]*\.py$|[._-]bench(marks?)?(-d)?\.[^.]+$|^bench(mark)?s?_test\.go$|[._-]bench(mark)?s?_test\.go$|[a-z\d]Bench(marks?)?\.(java|kt|cs|php|scala|swift)$/;
/** Code in the folder of the documents: samples, and what draws the pages. */
const DOCUMENT_FOLDER = /^(docs?|documentation|website)\//;
const EXAMPLE_PATH = /(^|\/)(examples?|samples?|demos?|playgrounds?|docs?_src|_examples)\//;
const COMPAT_PATH =
  /(^|\/)(compat|compatibility|legacy|deprecated|v\d+-compat|polyfills?|shims?|vendor(?:ed)?|bundled|externals?|(?:third|3rd)[_-]?party|single[_-]include|amalgamat(?:ed|ion))(\/|[._-][^/]*$|\.[^/]*$)|(^|\/)_?compat\.[^/]+$/;
const DOCUMENTS = new Set(["markdown", "text", "restructuredtext", "asciidoc", "mdx"]);
const DATA = new Set(["json", "yaml", "toml", "jsonl", "xml", "csv", "html", "css", "ini"]);

/**
 * Folders that a newer sibling has replaced: of `v3/` and `v4/` in one place, `v3/`.
 * Returned with a closing slash, as prefixes of paths.
 */
export function supersededFolders(paths: Iterable<string>): string[] {
  const versions = new Map<string, Set<number>>();
  for (const path of paths) {
    for (const match of path.matchAll(/(?<=^|\/)v(\d{1,3})(?=\/)/g)) {
      const parent = path.slice(0, match.index);
      const found = versions.get(parent);
      if (found) found.add(Number(match[1]));
      else versions.set(parent, new Set([Number(match[1])]));
    }
  }
  return [...versions].flatMap(([parent, numbers]) => {
    const newest = Math.max(...numbers);
    return [...numbers].filter((number) => number < newest).map((number) => `${parent}v${number}/`);
  }).sort();
}

const HEADER = /\.(?:h|hh|hpp|hxx)$/;
/** How files end that define what the header of the same name declares. C++ has sources as well, but its headers define classes. */
const HEADERS_SOURCES = [
  ".c",
  ...["-inl", "_inl", "-impl", "_impl"].flatMap((word) => [`${word}.h`, `${word}.hpp`]),
  ".inl",
  ".ipp",
  ".tpp",
];

/**
 * Headers that stand beside what defines the things they declare, each with it: `list.h` beside `list.c`, or beside `list-inl.h` in a
 * library that is all headers.
 */
export function headersOfSources(paths: Iterable<string>): Map<string, string> {
  const known = new Set(paths);
  const headers = new Map<string, string>();
  for (const path of known) {
    if (!HEADER.test(path)) continue;
    const bare = path.replace(HEADER, "");
    const source = HEADERS_SOURCES.map((ending) => bare + ending).find((other) => known.has(other));
    if (source !== undefined) headers.set(path, source);
  }
  return headers;
}

/** Whether a path is that of a test or of what only tests use. */
export function isTestPath(path: string): boolean {
  return checksOf(path) === "test";
}

/** Whether a path is that of a benchmark: it uses the code as a test does, and passes whatever the code does. */
export function isBenchmarkPath(path: string): boolean {
  return checksOf(path) === "benchmark";
}

/** The file's own name says more than its folders, and the nearest folder more than those around it. */
function checksOf(path: string): "test" | "benchmark" | undefined {
  const parts = path.split("/");
  const name = parts.pop()!;
  if (BENCHMARK_FILE.test(name)) return "benchmark";
  if (TEST_FILE.test(name)) return "test";
  for (const folder of parts.reverse()) {
    if (BENCHMARK_FOLDER.test(folder)) return "benchmark";
    if (TEST_FOLDER.test(folder)) return "test";
  }
  return undefined;
}

/** The part a file plays, by its path and language. */
export function roleOf(path: string, language: string): FileRole {
  // Benchmarks answer as few questions as tests do.
  if (checksOf(path) !== undefined) return "test";
  if (EXAMPLE_PATH.test(path)) return "example";
  if (COMPAT_PATH.test(path)) return "compat";
  if (/\.d\.[cm]?ts$/.test(path)) return "declaration";
  if (DOCUMENTS.has(language)) return "document";
  if (DATA.has(language)) return "data";
  if (DOCUMENT_FOLDER.test(path)) return "example";
  return "source";
}

/** Stems of all words of a name or path. */
export function stemsOf(name: string): string[] {
  const stems: string[] = [];
  for (const word of name.split(/[^\p{L}\p{N}_$]+/u)) {
    for (const part of splitIdentifier(word)) stems.push(stemOf(part));
  }
  return stems;
}

/** A name as words. */
export function definedName(row: NameRow): DefinedName {
  return { ...row, lower: row.name.toLowerCase(), stems: stemsOf(row.name) };
}

/**
 * The features of a file.
 * @param imports only re-exports are looked at
 * @param superseded prefixes that `supersededFolders` found
 * @param headers what `headersOfSources` found
 */
export function fileFeatures(
  file: FileRow,
  imports: readonly Import[],
  superseded: readonly string[],
  headers: ReadonlyMap<string, string>,
): FileFeatures {
  const segments = file.path.split("/");
  const fileName = segments.pop()!;
  const bare = fileName.replace(/(\.d)?\.[^.]+$/, "") || fileName;
  const folder = segments.at(-1) ?? "";
  const speaking = DOORS.has(bare.toLowerCase()) && folder ? folder : bare;
  const reexports = new Set<string>();
  for (const entry of imports) {
    if (entry.kind === "reexport") {
      for (const { alias } of entry.names) reexports.add(alias || "*");
    }
  }
  const role = roleOf(file.path, file.language);
  return {
    path: file.path,
    language: file.language,
    role: role === "source" && headers.has(file.path) ? "declaration" : role,
    stemWords: stemsOf(speaking),
    stemName: speaking.toLowerCase().replace(/[^a-z0-9]/g, ""),
    firstChunk: file.firstChunk,
    chunkCount: file.chunkCount,
    reexports,
    superseded: superseded.find((prefix) => file.path.startsWith(prefix))?.split("/").at(-2),
    isBarrel: reexports.size > 0 && file.definitionCount <= 2,
  };
}
