/**
 * Module resolution for TypeScript and JavaScript, as the compiler does it, over the files of the workspace.
 *
 * Owns the reading of `tsconfig.json`, `jsconfig.json`, `deno.json`, `package.json` and workspace manifests. What must
 * hold: the order of the compiler: relative paths; `paths` of the nearest configuration; its `baseUrl`; import maps;
 * package `imports`; the own package by name; packages of the workspace by name. Two steps go beyond the compiler and come
 * last: a package target that was built (`dist/x.js`) is traced to the source it was built from, since builds are not
 * indexed, and `paths` of outer configurations are tried.
 *
 * After https://www.typescriptlang.org/docs/handbook/modules/reference.html and https://nodejs.org/api/packages.html.
 */
import {
  asRecord,
  asStrings,
  baseName,
  type FileView,
  folderOf,
  inside,
  joinPath,
  parseJsonc,
} from "./resolve_paths.ts";

/** `paths` of one configuration, with the folder that its targets are relative to. */
interface PathTable {
  readonly base: string;
  readonly entries: readonly (readonly [pattern: string, targets: readonly string[]])[];
}

/** What a `tsconfig.json` says about modules, `extends` and `references` followed. */
interface CompilerConfig {
  readonly tables: readonly PathTable[];
  readonly baseUrl: string | undefined;
  readonly conditions: readonly string[];
}

/** A `package.json` or a named `deno.json`. */
interface Package {
  readonly folder: string;
  readonly name: string | undefined;
  readonly manifest: Record<string, unknown>;
}

const NONE: readonly string[] = [];

// Order in which the compiler tries extensions for a specifier that names none; what follows `.jsx` is not the compiler's:
// bundlers and Node take it, and an import that resolves is worth more than a rule kept.
const IMPLIED = [
  ".ts",
  ".tsx",
  ".d.ts",
  ".js",
  ".jsx",
  ".mts",
  ".cts",
  ".mjs",
  ".cjs",
  ".d.mts",
  ".d.cts",
  ".json",
  ".vue",
  ".svelte",
  ".astro",
];

// What a written extension may stand for, in the order of the compiler: the source before what it compiles to.
const REPLACED: readonly (readonly [written: string, tried: readonly string[]])[] = [
  [".js", [".ts", ".tsx", ".d.ts", ".js", ".jsx"]],
  [".ts", [".ts", ".tsx", ".d.ts", ".js", ".jsx"]],
  [".jsx", [".tsx", ".ts", ".d.ts", ".jsx", ".js"]],
  [".tsx", [".tsx", ".ts", ".d.ts", ".jsx", ".js"]],
  [".mjs", [".mts", ".d.mts", ".mjs"]],
  [".mts", [".mts", ".d.mts", ".mjs"]],
  [".cjs", [".cts", ".d.cts", ".cjs"]],
  [".cts", [".cts", ".d.cts", ".cjs"]],
];

const DECLARATION = /\.d\.([cm]?)ts$/;
const SCRIPT_EXTENSION = /(\.d)?\.[cm]?[jt]sx?$/;

// Conditions of package `exports` that the compiler or Node would take; others are tried only when these give nothing.
const CONDITIONS = new Set([
  "types",
  "import",
  "node",
  "default",
  "module",
  "source",
  "development",
]);

// Folder names that builds write to.
const BUILD_FOLDERS = new Set(
  "dist build lib out output esm cjs es types typings module modules commonjs umd bundles node browser _esm _cjs _types"
    .split(" "),
);

// Where sources live, tried in this order.
const SOURCE_FOLDERS = ["src", "source", "lib", ""];

// Entry files of a package whose manifest leads nowhere.
const ENTRIES = ["src/index", "src/main", "src/mod", "index", "mod", "main", "lib/index"];

/** Resolves the specifiers of JavaScript and TypeScript files. */
export class JavaScriptResolver {
  readonly #files: FileView;
  readonly #answers = new Map<string, Map<string, string[]>>();
  readonly #configs = new Map<string, CompilerConfig | undefined>();
  readonly #folderConfigs = new Map<string, readonly CompilerConfig[]>();
  readonly #importMaps = new Map<string, Map<string, readonly [base: string, target: string]>>();
  readonly #scopes = new Map<string, Package | undefined>();
  #packages: Map<string, Package> | undefined; // by name
  #folders: Set<string> | undefined;

  constructor(files: FileView) {
    this.#files = files;
  }

  /** The file that `specifier` means in the file `from`, with its script behind it where it is a declaration file. */
  resolve(from: string, specifier: string): string[] {
    const folder = folderOf(from);
    let answers = this.#answers.get(folder);
    if (!answers) this.#answers.set(folder, answers = new Map());
    let answer = answers.get(specifier);
    if (!answer) {
      const found = this.#find(folder, specifier) ?? this.#find(folder, withoutQuery(specifier));
      answer = found === undefined ? [] : [found, ...this.#scriptOf(found)];
      answers.set(specifier, answer);
    }
    return answer;
  }

  #find(folder: string, specifier: string): string | undefined {
    if (isRelative(specifier)) {
      const path = joinPath(folder, specifier);
      return path === undefined
        ? undefined
        : this.#fileOrFolder(path, specifier.endsWith("/") || /(^|\/)\.\.?$/.test(specifier));
    }
    if (specifier.startsWith("/")) return this.#fromRoot(folder, specifier);
    const name = withoutScheme(specifier);
    if (name === undefined) return undefined;
    const configs = this.#configsOf(folder);
    return this.#byConfig(configs[0], name) ??
      this.#byImportMap(folder, name) ??
      (name.startsWith("#")
        ? this.#byPackageImports(folder, name)
        : this.#byPackageName(folder, name)) ??
      this.#byOuterConfigs(configs, name) ??
      this.#byConvention(folder, name);
  }

  // ---- files -----------------------------------------------------------------------------------------------------

  #file(path: string): string | undefined {
    const { paths } = this.#files;
    for (const [written, tried] of REPLACED) {
      if (!path.endsWith(written)) continue;
      const stem = path.slice(0, -written.length);
      for (const extension of tried) if (paths.has(stem + extension)) return stem + extension;
    }
    if (paths.has(path)) return path;
    for (const extension of IMPLIED) if (paths.has(path + extension)) return path + extension;
    return undefined;
  }

  #fileOrFolder(path: string, folderOnly = false): string | undefined {
    if (!folderOnly && path !== "") {
      const file = this.#file(path);
      if (file !== undefined) return file;
    }
    if (!this.#isFolder(path)) return undefined;
    const manifest = this.#package(path);
    const main = manifest && this.#main(manifest);
    return main ?? this.#file(inside(path, "index")) ?? this.#file(inside(path, "mod"));
  }

  #isFolder(path: string): boolean {
    return this.#allFolders().has(path);
  }

  #allFolders(): ReadonlySet<string> {
    if (!this.#folders) {
      this.#folders = new Set([""]);
      for (const file of this.#files.paths) {
        for (let at = folderOf(file); !this.#folders.has(at); at = folderOf(at)) {
          this.#folders.add(at);
        }
      }
    }
    return this.#folders;
  }

  /** The script that a declaration file describes, where both are in the workspace. */
  #scriptOf(path: string): string[] {
    const match = DECLARATION.exec(path);
    if (!match) return [];
    const stem = path.slice(0, match.index);
    const scripts = match[1] ? [`.${match[1]}js`] : [".js", ".jsx"];
    return scripts.map((extension) => stem + extension).filter((script) =>
      this.#files.paths.has(script)
    );
  }

  /** `/src/x`: from the own package (as development servers read it), then from the repository. */
  #fromRoot(folder: string, specifier: string): string | undefined {
    const own = this.#scope(folder)?.folder ?? "";
    for (const root of new Set([own, ""])) {
      const path = joinPath(root, specifier);
      const found = path === undefined ? undefined : this.#fileOrFolder(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #json(path: string): Record<string, unknown> | undefined {
    const text = this.#files.paths.has(path) ? this.#files.read(path) : undefined;
    return text === undefined ? undefined : asRecord(parseJsonc(text));
  }

  // ---- tsconfig.json ---------------------------------------------------------------------------------------------

  /** The configurations above a folder, nearest first. */
  #configsOf(folder: string): readonly CompilerConfig[] {
    let configs = this.#folderConfigs.get(folder);
    if (!configs) {
      const own = this.#config(inside(folder, "tsconfig.json")) ??
        this.#config(inside(folder, "jsconfig.json")) ??
        this.#config(inside(folder, "tsconfig.base.json"));
      const outer = folder === "" ? [] : this.#configsOf(folderOf(folder));
      configs = own ? [own, ...outer] : outer;
      this.#folderConfigs.set(folder, configs);
    }
    return configs;
  }

  #config(path: string): CompilerConfig | undefined {
    if (this.#configs.has(path)) return this.#configs.get(path);
    this.#configs.set(path, undefined); // ends a circle of `extends`
    const json = this.#json(path);
    if (!json) return undefined;
    const folder = folderOf(path);
    const inherited = asStrings(json.extends).map((target) => this.#extended(folder, target))
      .filter((c) => c !== undefined);
    const own = asRecord(json.compilerOptions) ?? {};
    const baseUrl = typeof own.baseUrl === "string"
      ? joinPath(folder, fromConfigFolder(own.baseUrl))
      : inherited.findLast((config) => config.baseUrl !== undefined)?.baseUrl;
    const paths = asRecord(own.paths);
    const tables = paths
      ? [{
        base: baseUrl ?? folder,
        entries: Object.entries(paths).map(([key, value]) => [key, asStrings(value)] as const),
      }]
      : [...inherited.findLast((config) => config.tables.length > 0)?.tables ?? []];
    for (const reference of Array.isArray(json.references) ? json.references : []) {
      const target = asRecord(reference)?.path;
      const referenced = typeof target === "string" ? this.#configAt(folder, target) : undefined;
      // A reference into a subfolder governs that subfolder alone; one beside it is this folder under another name.
      if (referenced && folderOf(referenced) === folder) {
        tables.push(...this.#config(referenced)?.tables ?? []);
      }
    }
    const conditions = own.customConditions !== undefined
      ? asStrings(own.customConditions)
      : inherited.findLast((config) => config.conditions.length > 0)?.conditions ?? NONE;
    const config = { tables, baseUrl, conditions };
    this.#configs.set(path, config);
    return config;
  }

  #extended(folder: string, target: string): CompilerConfig | undefined {
    if (isRelative(target)) {
      const path = this.#configAt(folder, target);
      return path === undefined ? undefined : this.#config(path);
    }
    const [name, rest] = splitPackage(target);
    const owner = this.#workspacePackages().get(name);
    const path = owner && this.#configAt(owner.folder, rest === "" ? "tsconfig.json" : rest);
    return path === undefined ? undefined : this.#config(path);
  }

  /** A configuration file by the ways it may be written: with or without `.json`, or its folder. */
  #configAt(folder: string, target: string): string | undefined {
    const path = joinPath(folder, target);
    if (path === undefined) return undefined;
    return [path, `${path}.json`, inside(path, "tsconfig.json")].find((file) =>
      this.#files.paths.has(file)
    );
  }

  #byConfig(config: CompilerConfig | undefined, name: string): string | undefined {
    if (!config) return undefined;
    for (const table of config.tables) {
      const found = this.#byPaths(table, name);
      if (found !== undefined) return found;
    }
    return config.baseUrl === undefined
      ? undefined
      : this.#fileOrFolder(inside(config.baseUrl, name));
  }

  #byOuterConfigs(configs: readonly CompilerConfig[], name: string): string | undefined {
    for (let i = 1; i < configs.length; i++) {
      for (const table of configs[i]!.tables) {
        const found = this.#byPaths(table, name);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #byPaths(table: PathTable, name: string): string | undefined {
    const match = bestPattern(table.entries, name);
    if (!match) return undefined;
    for (const target of match.value) {
      const path = joinPath(table.base, fromConfigFolder(target).replace("*", match.star));
      const found = path === undefined ? undefined : this.#fileOrFolder(path) ?? this.#built(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The source of a target inside some package's build folder. */
  #built(path: string): string | undefined {
    const owner = this.#scope(folderOf(path));
    if (!owner) return undefined;
    return this.#sourceOf(
      owner,
      "",
      owner.folder === "" ? path : path.slice(owner.folder.length + 1),
    );
  }

  // ---- import maps -----------------------------------------------------------------------------------------------

  #byImportMap(folder: string, name: string): string | undefined {
    for (let at = folder;; at = folderOf(at)) {
      const map = this.#importMap(at);
      const exact = map.get(name);
      let best = exact ? { length: name.length, rest: "", entry: exact } : undefined;
      if (!best) {
        for (const [key, entry] of map) {
          if (key.endsWith("/") && name.startsWith(key) && key.length > (best?.length ?? 0)) {
            best = { length: key.length, rest: name.slice(key.length), entry };
          }
        }
      }
      if (best) {
        const [base, target] = best.entry;
        const path = isRelative(target) ? joinPath(base, target + best.rest) : undefined;
        if (path !== undefined) return this.#fileOrFolder(path);
        const mapped = withoutScheme(target + best.rest);
        return mapped === undefined || mapped === name
          ? undefined
          : this.#byPackageName(folder, mapped);
      }
      if (at === "") return undefined;
    }
  }

  #importMap(folder: string): Map<string, readonly [base: string, target: string]> {
    let map = this.#importMaps.get(folder);
    if (map) return map;
    map = new Map();
    for (const file of ["deno.json", "deno.jsonc", "import_map.json"]) {
      const json = this.#json(inside(folder, file));
      const external = typeof json?.importMap === "string"
        ? joinPath(folder, json.importMap)
        : undefined;
      const externalMap = external === undefined ? undefined : this.#json(external);
      const entries = [
        [folder, asRecord(json?.imports)],
        [external === undefined ? folder : folderOf(external), asRecord(externalMap?.imports)],
      ] as const;
      for (const [base, imports] of entries) {
        for (const [key, target] of Object.entries(imports ?? {})) {
          if (typeof target === "string" && !map.has(key)) map.set(key, [base, target]);
        }
      }
    }
    this.#importMaps.set(folder, map);
    return map;
  }

  // ---- packages --------------------------------------------------------------------------------------------------

  /** The package whose manifest stands in a folder. */
  #package(folder: string): Package | undefined {
    const manifest = this.#json(inside(folder, "package.json"));
    const deno = this.#json(inside(folder, "deno.json")) ??
      this.#json(inside(folder, "deno.jsonc"));
    const merged = manifest ?? deno;
    if (!merged) return undefined;
    const exports = manifest?.exports ?? deno?.exports;
    const name = [manifest?.name, deno?.name].find((value) => typeof value === "string");
    return {
      folder,
      name: name as string | undefined,
      manifest: exports === undefined ? merged : { ...merged, exports },
    };
  }

  /** The package that a folder belongs to. */
  #scope(folder: string): Package | undefined {
    if (this.#scopes.has(folder)) return this.#scopes.get(folder);
    const scope = this.#package(folder) ??
      (folder === "" ? undefined : this.#scope(folderOf(folder)));
    this.#scopes.set(folder, scope);
    return scope;
  }

  /** The packages of the workspace by name; those that a workspace manifest lists win, then the least nested. */
  #workspacePackages(): Map<string, Package> {
    if (this.#packages) return this.#packages;
    const named: Package[] = [];
    const members: RegExp[] = [];
    const excluded: RegExp[] = [];
    for (const path of this.#files.paths) {
      const slash = path.lastIndexOf("/");
      const file = path.slice(slash + 1);
      if (!MANIFESTS.has(file) || path.includes("node_modules/")) continue;
      const folder = path.slice(0, Math.max(slash, 0));
      for (const glob of this.#memberGlobs(path, file)) {
        const negative = glob.startsWith("!");
        const pattern = joinPath(folder, negative ? glob.slice(1) : glob);
        if (pattern !== undefined) (negative ? excluded : members).push(globExpression(pattern));
      }
      if (file === "package.json" || file.startsWith("deno.")) {
        const found = this.#package(folder);
        if (found?.name !== undefined) named.push(found);
      }
    }
    const rank = (candidate: Package): number =>
      candidate.folder === "" ||
        members.some((glob) => glob.test(candidate.folder)) &&
          !excluded.some((glob) => glob.test(candidate.folder))
        ? 0
        : 1;
    named.sort((a, b) =>
      rank(a) - rank(b) || a.folder.length - b.folder.length || (a.folder < b.folder ? -1 : 1)
    );
    const packages = this.#packages = new Map<string, Package>();
    for (const candidate of named) {
      // Where the workspace lists its members, a stray manifest (a fixture called `react`) is not importable by name.
      if (members.length > 0 && rank(candidate) > 0) continue;
      if (!packages.has(candidate.name!)) packages.set(candidate.name!, candidate);
    }
    // A member whose manifest is not part of the workspace (ignored, generated) is known by its folder.
    const folders = new Set(named.map((candidate) => candidate.folder));
    for (const folder of members.length > 0 ? this.#allFolders() : []) {
      const name = baseName(folder);
      if (folders.has(folder) || packages.has(name) || !members.some((glob) => glob.test(folder))) {
        continue;
      }
      const member = { folder, name, manifest: {} };
      if (this.#entry(member) !== undefined) packages.set(name, member);
    }
    return this.#packages;
  }

  #memberGlobs(path: string, file: string): string[] {
    if (file === "pnpm-workspace.yaml") return pnpmPackages(this.#files.read(path) ?? "");
    const json = this.#json(path);
    if (!json) return [];
    if (file === "lerna.json") return asStrings(json.packages);
    const list = json.workspaces ?? json.workspace;
    return asStrings(asRecord(list)?.packages ?? asRecord(list)?.members ?? list);
  }

  #byPackageName(folder: string, specifier: string): string | undefined {
    const [name, rest] = splitPackage(specifier);
    const own = this.#scope(folder);
    if (own?.name === name) return this.#packageFile(own, rest, folder);
    const linked = own && this.#linked(own, name);
    if (linked) return this.#packageFile(linked, rest, folder);
    const owner = this.#workspacePackages().get(name);
    return owner && this.#packageFile(owner, rest, folder);
  }

  /** A dependency that the manifest of `own` points at a folder or at another name of the workspace. */
  #linked(own: Package, name: string): Package | undefined {
    for (
      const field of ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"]
    ) {
      const range = asRecord(own.manifest[field])?.[name];
      if (typeof range !== "string") continue;
      const local = /^(?:file|link|portal):(.+)$/.exec(range);
      if (local) {
        const folder = joinPath(own.folder, local[1]!);
        return folder === undefined ? undefined : this.#package(folder);
      }
      const alias = /^workspace:((?:@[^/@]+\/)?[^@/*^~]+)@/.exec(range);
      if (alias) return this.#workspacePackages().get(alias[1]!);
    }
    return undefined;
  }

  #packageFile(owner: Package, rest: string, folder: string): string | undefined {
    const { exports } = owner.manifest;
    if (exports !== undefined) {
      const subpath = rest === "" ? "." : `./${rest}`;
      const custom = this.#configsOf(folder)[0]?.conditions ?? NONE;
      const targets = exportTargets(exports, subpath, custom);
      for (const target of targets) {
        const path = joinPath(owner.folder, target);
        const found = path === undefined ? undefined : this.#file(path);
        if (found !== undefined) return found;
      }
      for (const target of targets) {
        const found = this.#sourceOf(owner, rest, target);
        if (found !== undefined) return found;
      }
      return rest === "" ? this.#entry(owner) : undefined;
    }
    if (rest === "") return this.#main(owner) ?? this.#entry(owner);
    return this.#fileOrFolder(inside(owner.folder, rest)) ?? this.#sourceOf(owner, rest, rest);
  }

  #main(owner: Package): string | undefined {
    const fields = ["source", "types", "typings", "module", "main"].map((field) =>
      owner.manifest[field]
    )
      .filter((value) => typeof value === "string");
    for (const target of fields) {
      const path = joinPath(owner.folder, target);
      if (path === undefined || path === owner.folder) continue;
      const found = this.#file(path) ?? this.#file(inside(path, "index"));
      if (found !== undefined) return found;
    }
    for (const target of fields) {
      const found = this.#sourceOf(owner, "", target);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #entry(owner: Package): string | undefined {
    for (const entry of ENTRIES) {
      const found = this.#file(inside(owner.folder, entry));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * The source that a package target was built from: `dist/types/x.d.ts` from `src/x.ts`. A heuristic: build folders are
   * stripped, all of them first, and what is left is looked for where sources live.
   */
  #sourceOf(owner: Package, rest: string, target: string): string | undefined {
    const path = joinPath("", target);
    if (path === undefined || !this.#isFolder(owner.folder)) return undefined;
    const segments = path.replace(SCRIPT_EXTENSION, "").split("/");
    let builds = 0;
    while (builds < segments.length - 1 && BUILD_FOLDERS.has(segments[builds]!)) builds++;
    const stems: string[] = [];
    const whole = segments.join("/");
    if (rest !== "" && (whole.endsWith(rest) || whole.endsWith(`${rest}/index`))) stems.push(rest);
    for (let strip = builds; strip >= 0; strip--) stems.push(segments.slice(strip).join("/"));
    if (rest !== "") stems.push(rest);
    for (const stem of stems) {
      for (const source of SOURCE_FOLDERS) {
        const candidate = inside(owner.folder, inside(source, stem));
        const found = this.#file(candidate) ?? this.#file(inside(candidate, "index"));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #byPackageImports(folder: string, name: string): string | undefined {
    const owner = this.#scope(folder);
    const imports = asRecord(owner?.manifest.imports);
    if (!owner || !imports) return undefined;
    const custom = this.#configsOf(folder)[0]?.conditions ?? NONE;
    const match = bestPattern(Object.entries(imports), name);
    if (!match) return undefined;
    for (const raw of conditionTargets(match.value, custom)) {
      const target = raw.replaceAll("*", match.star);
      const path = isRelative(target) ? joinPath(owner.folder, target) : undefined;
      const found = path === undefined
        ? this.#byPackageName(folder, target)
        : this.#file(path) ?? this.#sourceOf(owner, "", target);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** `@/x` and `~/x` where no configuration says what they mean (frameworks generate it): the sources of the package. */
  #byConvention(folder: string, name: string): string | undefined {
    const match = /^(?:[@~]|\$lib)\/(.+)$/.exec(name);
    if (!match) return undefined;
    const own = this.#scope(folder)?.folder ?? "";
    const roots = name.startsWith("$lib") ? ["src/lib"] : ["src", "app", ""];
    for (const root of roots) {
      const found = this.#fileOrFolder(inside(own, inside(root, match[1]!)));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

const MANIFESTS = new Set([
  "package.json",
  "deno.json",
  "deno.jsonc",
  "pnpm-workspace.yaml",
  "lerna.json",
]);

function isRelative(specifier: string): boolean {
  return specifier.startsWith("./") || specifier.startsWith("../") || specifier === "." ||
    specifier === "..";
}

/** `./x.svg?raw` and `./x#y` mean the file. */
function withoutQuery(specifier: string): string {
  const at = specifier.search(/[?#]/);
  return at > 0 ? specifier.slice(0, at) : specifier;
}

/** The package part of `npm:zod@4/mini` and `jsr:@std/path@1`; undefined for other schemes (`node:`, `https:`). */
function withoutScheme(specifier: string): string | undefined {
  const match = /^(?:npm|jsr):\/?(.+)$/.exec(specifier);
  if (match) return match[1]!.replace(/^((?:@[^/]+\/)?[^@/]+)@[^/]*/, "$1");
  return /^[a-z][a-z+.-]+:/.test(specifier) ? undefined : specifier;
}

/** `@scope/name/rest` as name and rest. */
function splitPackage(specifier: string): [name: string, rest: string] {
  const start = specifier.startsWith("@") ? specifier.indexOf("/") + 1 : 0;
  const slash = specifier.indexOf("/", start);
  return slash < 0 ? [specifier, ""] : [specifier.slice(0, slash), specifier.slice(slash + 1)];
}

function fromConfigFolder(path: string): string {
  return path.replace(/^\$\{configDir\}\/?/, "./");
}

/** The entry whose pattern fits best: one without a star, else the one with the longest part before its star. */
function bestPattern<T>(
  entries: readonly (readonly [pattern: string, value: T])[],
  name: string,
): { value: T; star: string } | undefined {
  let best: { value: T; star: string } | undefined;
  let bestLength = -1;
  for (const [pattern, value] of entries) {
    const star = pattern.indexOf("*");
    if (star < 0) {
      if (pattern === name) return { value, star: "" };
      continue;
    }
    const tail = pattern.length - star - 1;
    if (star <= bestLength || name.length < star + tail) continue;
    if (!name.startsWith(pattern.slice(0, star)) || !name.endsWith(pattern.slice(star + 1))) {
      continue;
    }
    best = { value, star: name.slice(star, name.length - tail) };
    bestLength = star;
  }
  return best;
}

/** The targets that `exports` gives a subpath, those under the conditions of the compiler first. */
function exportTargets(exports: unknown, subpath: string, custom: readonly string[]): string[] {
  const record = asRecord(exports);
  const bySubpath = record && Object.keys(record).some((key) => key.startsWith("."));
  if (!bySubpath) return subpath === "." ? conditionTargets(exports, custom) : [];
  const match = bestPattern(Object.entries(record), subpath);
  return match
    ? conditionTargets(match.value, custom).map((target) => target.replaceAll("*", match.star))
    : [];
}

/** All targets below a tree of conditions: those a compiler would reach first, then the rest, each in written order. */
function conditionTargets(value: unknown, custom: readonly string[]): string[] {
  const reached: string[] = [];
  const others: string[] = [];
  const walk = (node: unknown, active: boolean): void => {
    if (typeof node === "string") (active ? reached : others).push(node);
    else if (Array.isArray(node)) { for (const item of node) walk(item, active); }
    else {
      for (const [condition, child] of Object.entries(asRecord(node) ?? {})) {
        walk(child, active && (CONDITIONS.has(condition) || custom.includes(condition)));
      }
    }
  };
  walk(value, true);
  return [...reached, ...others];
}

/** The list under `packages:` of a `pnpm-workspace.yaml`; the few lines of YAML that it takes. */
function pnpmPackages(text: string): string[] {
  const globs: string[] = [];
  let inList = false;
  for (const line of text.split(/\r?\n/)) {
    const item = /^\s*-\s*(['"]?)(.*?)\1\s*(?:#.*)?$/.exec(line);
    if (/^\S/.test(line) && !line.startsWith("-") && !line.startsWith("#")) {
      inList = /^packages\s*:/.test(line);
    } else if (inList && item) globs.push(item[2]!);
  }
  return globs;
}

/** A workspace glob over folders as an expression. */
function globExpression(glob: string): RegExp {
  const source = glob.split("/").map((segment) =>
    segment === "**"
      ? "(?:.+)"
      : segment.replace(/[.+^${}()|[\]\\?]/g, "\\$&").replaceAll("*", "[^/]*")
  ).join("/").replaceAll("(?:.+)/", "(?:.+/)?");
  return new RegExp(`^${source}$`);
}
