/**
 * `bench graph`: reference edges against the language service of TypeScript, and what the graph costs.
 *
 * Definitions are drawn with a fixed seed from the syntax of the files, not from the index; for each, "find all references" of the
 * language service is compared with the graph as sets of (path, line), lines of the definition itself left out. What must
 * hold: the service reads the disk and resolves modules with the compiler's own code, under the options of the nearest
 * `tsconfig.json`, else those of the root; packages of the workspace are linked as an install would link them, and the standard
 * library is the whole one, as the types that an install brings make it; both sides are compared on the files that the
 * service has in its program.
 */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ts as TS } from "ts-morph";
import { readTree } from "../ingest/mod.ts";
import { openMemory } from "../rag/mod.ts";
import { SymbolGraph } from "../rag/graph.ts";
import { annotatedCheckout, annotatedFolder, copyOf, type Log, removeState } from "./corpora.ts";

export interface GraphBenchOptions {
  /** Folders to compare on; by default the pinned packages of zod and trpc. */
  readonly corpora?: readonly string[];
  /** Definitions a corpus. */
  readonly sample?: number;
  readonly seed?: number;
  /** Called with every edge that only one side has. */
  readonly onDifference?: (side: "missing" | "extra", target: string, edge: string) => void;
  readonly log: Log;
}

const DEFAULT_SAMPLE = 400;
const DEFAULT_SEED = 20_240_229;
const PINNED = ["zod", "trpc"];

/** Compares and measures on each corpus. */
export async function benchGraph(options: GraphBenchOptions): Promise<object> {
  const result: Record<string, object> = {};
  for (const given of options.corpora ?? PINNED) {
    let source = given;
    if (!options.corpora) {
      if (!await annotatedCheckout(given, options.log)) continue;
      source = join(annotatedFolder(), given);
    }
    const copy = copyOf(source);
    try {
      result[copy.name] = await compare(copy.folder, copy.name, options);
    } finally {
      Deno.removeSync(copy.folder, { recursive: true });
    }
  }
  return result;
}

async function compare(folder: string, name: string, options: GraphBenchOptions): Promise<object> {
  const { log, sample = DEFAULT_SAMPLE, seed = DEFAULT_SEED } = options;
  removeState(folder);
  using memory = openMemory(folder);
  const ingestStart = performance.now();
  await memory.absorb(readTree(folder, memory.known()));
  const ingestMs = performance.now() - ingestStart;
  const database = memory.store.database;
  const graph = new SymbolGraph(memory.store);
  const built = await graph.build();
  const again = await graph.build();
  const pages = database.prepare(
    "SELECT sum(pgsize) AS bytes FROM dbstat WHERE name LIKE 'graph_%' OR name LIKE 'import_edge%'",
  );
  let graphBytes = 0;
  try {
    graphBytes = Number(pages.get()?.bytes ?? 0);
  } catch {
    graphBytes = statSync(memory.store.path).size;
  }
  const status = memory.status();
  log(
    `${name}: ingest ${Math.round(ingestMs)} ms, graph ${
      Math.round(built.ms)
    } ms of ${built.files} files`,
  );
  const service = await LanguageServiceOf(folder, memory.paths());
  const targets = drawn(service.definitions(), sample, seed);
  let both = 0, ours = 0, theirs = 0, wanted = 0, serviceMs = 0, oursMs = 0;
  const byKind = new Map<string, { both: number; ours: number; theirs: number }>();
  for (const target of targets) {
    const started = performance.now();
    const expected = service.references(target);
    serviceMs += performance.now() - started;
    if (!expected) continue;
    wanted++;
    const asked = performance.now();
    const answer = await graph.refsAt(target.path, target.start);
    oursMs += performance.now() - asked;
    const found = new Set(
      answer.filter((use) => service.has(use.path)).map((use) => `${use.path}:${use.line}`)
        .filter((edge) => !expected.definitions.has(edge)),
    );
    let shared = 0;
    for (const edge of found) {
      if (expected.references.has(edge)) shared++;
      else options.onDifference?.("extra", label(target), edge);
    }
    for (const edge of expected.references) {
      if (!found.has(edge)) options.onDifference?.("missing", label(target), edge);
    }
    both += shared;
    ours += found.size;
    theirs += expected.references.size;
    const kind = byKind.get(target.kind) ?? { both: 0, ours: 0, theirs: 0 };
    byKind.set(target.kind, {
      both: kind.both + shared,
      ours: kind.ours + found.size,
      theirs: kind.theirs + expected.references.size,
    });
  }
  return {
    definitions: wanted,
    edges: theirs,
    precision: share(both, ours),
    recall: share(both, theirs),
    kinds: Object.fromEntries(
      [...byKind].sort().map(([kind, counts]) => [kind, {
        precision: share(counts.both, counts.ours),
        recall: share(counts.both, counts.theirs),
        edges: counts.theirs,
      }]),
    ),
    ingest_ms: Math.round(ingestMs),
    graph_ms: Math.round(built.ms),
    graph_unchanged_ms: Math.round(again.ms),
    graph_bytes: graphBytes,
    source_bytes: status.sourceBytes,
    query_ms: share(oursMs, wanted),
    service_query_ms: share(serviceMs, wanted),
  };
}

export function share(part: number, whole: number): number {
  return whole === 0 ? 1 : Math.round(part / whole * 10_000) / 10_000;
}

function label(target: DrawnDefinition): string {
  return `${target.path}:${target.line} ${target.kind} ${target.name}`;
}

// ---- the language service -------------------------------------------------------------------------------------------

interface DrawnDefinition {
  readonly path: string;
  readonly start: number;
  readonly line: number;
  readonly name: string;
  readonly kind: string;
}

interface Service {
  has(path: string): boolean;
  definitions(): DrawnDefinition[];
  references(
    target: DrawnDefinition,
  ): { references: Set<string>; definitions: Set<string> } | undefined;
}

const COMPILED = /\.[cm]?[jt]sx?$/;

async function LanguageServiceOf(folder: string, paths: readonly string[]): Promise<Service> {
  const { ts, getLibFiles } = await import("@ts-morph/common");
  const libraries = new Map(
    getLibFiles().map((file) => [`/batos-lib/${file.fileName}`, file.text]),
  );
  const real = Deno.realPathSync(folder);
  const links = workspaceLinks(real, paths);
  const onDisk = (name: string): string => {
    if (!name.includes("/node_modules/")) return name;
    for (const [link, target] of links) {
      if (name === link || name.startsWith(`${link}/`)) return target + name.slice(link.length);
    }
    return name;
  };
  const fileExists = (name: string): boolean =>
    libraries.has(name) || stat(onDisk(name))?.isFile === true;
  const readFile = (name: string): string | undefined => {
    const library = libraries.get(name);
    if (library !== undefined) return library;
    try {
      return Deno.readTextFileSync(onDisk(name));
    } catch {
      return undefined;
    }
  };
  const directoryExists = (name: string): boolean =>
    name === `${real}/node_modules` || stat(onDisk(name))?.isDirectory === true ||
    [...links.keys()].some((link) => link.startsWith(`${name}/`));
  const options = readOptions(ts, real, paths, fileExists, readFile);
  const texts = new Map<string, TS.IScriptSnapshot>();
  const above = new Map<string, TS.CompilerOptions>([[real, options.options]]);
  const optionsAbove = (name: string): TS.CompilerOptions => {
    const at = name.slice(0, name.lastIndexOf("/"));
    if (!at.startsWith(real)) return options.options;
    let found = above.get(at);
    if (!found) {
      found = fileExists(`${at}/tsconfig.json`)
        ? readOptions(ts, at, [], fileExists, readFile).options
        : optionsAbove(at);
      above.set(at, found);
    }
    return found;
  };
  const host: TS.LanguageServiceHost = {
    getCompilationSettings: () => options.options,
    getScriptFileNames: () => options.files,
    getScriptVersion: () => "1",
    getScriptSnapshot: (name) => {
      let snapshot = texts.get(name);
      if (!snapshot) {
        const text = readFile(name);
        if (text === undefined) return undefined;
        texts.set(name, snapshot = ts.ScriptSnapshot.fromString(text));
      }
      return snapshot;
    },
    getCurrentDirectory: () => real,
    getDefaultLibFileName: (settings) => `/batos-lib/${ts.getDefaultLibFileName(settings)}`,
    fileExists,
    readFile,
    directoryExists,
    realpath: onDisk,
    getDirectories: () => [],
    useCaseSensitiveFileNames: () => true,
    resolveModuleNameLiterals: (literals, containing) =>
      literals.map(({ text }) => {
        const near = optionsAbove(containing);
        const resolve = (settings: TS.CompilerOptions) =>
          ts.resolveModuleName(text, containing, settings, {
            fileExists,
            readFile,
            directoryExists,
            realpath: onDisk,
          });
        const found = resolve(near);
        return found.resolvedModule || near === options.options ? found : resolve(options.options);
      }),
  };
  const service = ts.createLanguageService(host);
  const program = service.getProgram()!;
  const relative = (name: string): string => name.slice(real.length + 1);
  const indexed = new Set(paths);
  const files = program.getSourceFiles().filter((file) =>
    file.fileName.startsWith(`${real}/`) && indexed.has(relative(file.fileName)) &&
    COMPILED.test(file.fileName)
  );
  const present = new Set(files.map((file) => relative(file.fileName)));
  return {
    has: (path) => present.has(path),
    definitions: () => files.flatMap((file) => declared(ts, file, relative(file.fileName))),
    references(target) {
      const found = service.findReferences(join(real, target.path), target.start);
      if (!found) return undefined;
      const references = new Set<string>(),
        definitions = new Set<string>([`${target.path}:${target.line}`]);
      for (const { references: entries } of found) {
        for (const { fileName, textSpan, isDefinition } of entries) {
          const path = relative(fileName);
          if (!present.has(path)) continue;
          const line =
            program.getSourceFile(fileName)!.getLineAndCharacterOfPosition(textSpan.start).line + 1;
          (isDefinition ? definitions : references).add(`${path}:${line}`);
        }
      }
      for (const edge of definitions) references.delete(edge);
      return { references, definitions };
    },
  };
}

function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** `node_modules/<name>` at the root and in every package, for every package of the workspace, as an install links them. */
function workspaceLinks(folder: string, paths: readonly string[]): Map<string, string> {
  const packages = paths.filter((path) => path.endsWith("package.json")).flatMap((path) => {
    const at = join(folder, path, "..");
    try {
      const { name } = JSON.parse(Deno.readTextFileSync(join(folder, path)));
      return typeof name === "string" ? [[name, at] as const] : [];
    } catch {
      return [];
    }
  });
  return new Map(packages.map(([name, at]) => [`${folder}/node_modules/${name}`, at]));
}

/** Options and files of a folder's configuration; all files where there is none. */
function readOptions(
  ts: typeof TS,
  folder: string,
  paths: readonly string[],
  fileExists: (name: string) => boolean,
  readFile: (name: string) => string | undefined,
): { options: TS.CompilerOptions; files: string[] } {
  const all = paths.filter((path) => COMPILED.test(path)).map((path) => join(folder, path));
  const config = join(folder, "tsconfig.json");
  if (!fileExists(config)) {
    return {
      files: all,
      options: {
        allowJs: true,
        strict: true,
        target: ts.ScriptTarget.ESNext,
        module: ts.ModuleKind.Preserve,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        // The configuration of the repository would name the conditions that lead to its sources.
        customConditions: sourceConditions(folder, paths, readFile),
        types: [],
      },
    };
  }
  const { config: json } = ts.readConfigFile(config, readFile);
  const parsed = ts.parseJsonConfigFileContent(json, {
    useCaseSensitiveFileNames: true,
    fileExists,
    readFile,
    // Which of the files of the workspace the globs of the configuration take.
    readDirectory: (root, extensions, excludes, includes, depth) =>
      matchFiles(ts, root, extensions, excludes, includes, depth, all),
  }, folder);
  return {
    files: parsed.fileNames,
    options: {
      ...parsed.options,
      target: ts.ScriptTarget.ESNext,
      lib: undefined,
      types: [],
      noEmit: true,
    },
  };
}

/** Conditions in package `exports` that lead to files of TypeScript which are there. */
function sourceConditions(
  folder: string,
  paths: readonly string[],
  readFile: (name: string) => string | undefined,
): string[] {
  const found = new Set<string>();
  const walk = (value: unknown, at: string): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, target] of Object.entries(value)) {
      const leads = typeof target === "string" && /\.[cm]?tsx?$/.test(target) &&
        !/\.d\.[cm]?ts$/.test(target) && paths.includes(join(at, target));
      if (leads && !key.startsWith(".")) found.add(key);
      walk(target, at);
    }
  };
  for (const path of paths.filter((path) => path.endsWith("package.json"))) {
    const { exports } = JSON.parse(readFile(join(folder, path)) ?? "{}");
    walk(exports, dirname(path));
  }
  return [...found];
}

function matchFiles(
  ts: typeof TS,
  root: string,
  extensions: readonly string[],
  excludes: readonly string[] | undefined,
  includes: readonly string[],
  depth: number | undefined,
  all: readonly string[],
): string[] {
  const entries = (folder: string) => {
    const files = new Set<string>(), directories = new Set<string>();
    const prefix = folder.endsWith("/") ? folder : `${folder}/`;
    for (const path of all) {
      if (!path.startsWith(prefix)) continue;
      const rest = path.slice(prefix.length);
      const slash = rest.indexOf("/");
      if (slash < 0) files.add(rest);
      else directories.add(rest.slice(0, slash));
    }
    return { files: [...files], directories: [...directories] };
  };
  const internal = ts as unknown as {
    matchFiles(
      path: string,
      extensions: readonly string[],
      excludes: readonly string[] | undefined,
      includes: readonly string[],
      caseSensitive: boolean,
      current: string,
      depth: number | undefined,
      entries: (path: string) => { files: string[]; directories: string[] },
      realpath: (path: string) => string,
    ): string[];
  };
  return internal.matchFiles(
    root,
    extensions,
    excludes,
    includes,
    true,
    root,
    depth,
    entries,
    (path) => path,
  );
}

/** What a file declares outside function bodies: functions, classes, interfaces, types, enums, variables, their members. */
function declared(ts: typeof TS, file: TS.SourceFile, path: string): DrawnDefinition[] {
  const found: DrawnDefinition[] = [];
  const add = (name: TS.Node | undefined, kind: string): void => {
    if (
      !name || !(ts.isIdentifier(name) || ts.isPrivateIdentifier(name) || ts.isStringLiteral(name))
    ) return;
    const start = name.getStart(file);
    const line = file.getLineAndCharacterOfPosition(start).line + 1;
    found.push({ path, start, line, name: name.text, kind });
  };
  const visit = (node: TS.Node): void => {
    if (ts.isFunctionDeclaration(node)) add(node.name, "function");
    else if (ts.isClassLike(node)) {
      add(node.name, "class");
      for (const member of node.members) {
        add(member.name, ts.isPropertyDeclaration(member) ? "property" : "method");
        if (ts.isConstructorDeclaration(member)) {
          for (const parameter of member.parameters) {
            if (parameter.modifiers?.length) add(parameter.name, "property");
          }
        }
      }
    } else if (ts.isInterfaceDeclaration(node)) {
      add(node.name, "interface");
      for (const member of node.members) add(member.name, "member");
    } else if (ts.isTypeAliasDeclaration(node)) {
      add(node.name, "type");
      if (ts.isTypeLiteralNode(node.type)) {
        for (const member of node.type.members) add(member.name, "member");
      }
    } else if (ts.isEnumDeclaration(node)) {
      add(node.name, "enum");
      for (const member of node.members) add(member.name, "enum_member");
    } else if (ts.isModuleDeclaration(node)) {
      if (node.body && ts.isModuleBlock(node.body)) {
        for (const statement of node.body.statements) visit(statement);
      }
    } else if (ts.isVariableStatement(node)) {
      for (const { name } of node.declarationList.declarations) add(name, "variable");
    }
  };
  for (const statement of file.statements) visit(statement);
  return found;
}

/** So many of the definitions, the same for the same seed. */
export function drawn<T>(all: readonly T[], count: number, seed: number): T[] {
  const pool = [...all];
  let state = seed >>> 0;
  const random = (): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const chosen: T[] = [];
  while (chosen.length < count && pool.length > 0) {
    const at = Math.floor(random() * pool.length);
    chosen.push(pool[at]!);
    pool[at] = pool[pool.length - 1]!;
    pool.pop();
  }
  return chosen;
}
