/**
 * What `tsconfig.json` and `jsconfig.json` say about modules.
 *
 * Owns their reading, `extends` and `references` followed, and the lookup in `paths` and `baseUrl`.
 *
 * After https://www.typescriptlang.org/docs/handbook/modules/reference.html.
 */
import { bestPattern, isRelative, splitPackage } from "./package_targets.ts";
import type { ModuleFiles } from "./resolve_files.ts";
import type { Packages } from "./resolve_packages.ts";
import { asRecord, asStrings, folderOf, inside, joinPath } from "./resolve_paths.ts";

/** `paths` of one configuration, with the folder that its targets are relative to. */
interface PathTable {
  readonly base: string;
  readonly entries: readonly (readonly [pattern: string, targets: readonly string[]])[];
}

/** What a `tsconfig.json` says about modules, `extends` and `references` followed. */
export interface CompilerConfig {
  readonly tables: readonly PathTable[];
  readonly baseUrl: string | undefined;
  readonly conditions: readonly string[];
}

const NONE: readonly string[] = [];

/** See the module text. */
export class CompilerConfigs {
  readonly #files: ModuleFiles;
  readonly #packages: Packages;
  readonly #configs = new Map<string, CompilerConfig | undefined>();
  readonly #folderConfigs = new Map<string, readonly CompilerConfig[]>();

  constructor(files: ModuleFiles, packages: Packages) {
    this.#files = files;
    this.#packages = packages;
  }

  /** The configurations above a folder, nearest first. */
  of(folder: string): readonly CompilerConfig[] {
    let configs = this.#folderConfigs.get(folder);
    if (!configs) {
      const own = this.#config(inside(folder, "tsconfig.json")) ??
        this.#config(inside(folder, "jsconfig.json")) ??
        this.#config(inside(folder, "tsconfig.base.json"));
      const outer = folder === "" ? [] : this.of(folderOf(folder));
      configs = own ? [own, ...outer] : outer;
      this.#folderConfigs.set(folder, configs);
    }
    return configs;
  }

  #config(path: string): CompilerConfig | undefined {
    if (this.#configs.has(path)) return this.#configs.get(path);
    this.#configs.set(path, undefined); // ends a circle of `extends`
    const json = this.#files.json(path);
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
    const owner = this.#packages.byName().get(name);
    const path = owner && this.#configAt(owner.folder, rest === "" ? "tsconfig.json" : rest);
    return path === undefined ? undefined : this.#config(path);
  }

  /** A configuration file by the ways it may be written: with or without `.json`, or its folder. */
  #configAt(folder: string, target: string): string | undefined {
    const path = joinPath(folder, target);
    if (path === undefined) return undefined;
    return [path, `${path}.json`, inside(path, "tsconfig.json")].find((file) =>
      this.#files.view.paths.has(file)
    );
  }

  /** The file that the nearest configuration gives a name: by `paths`, then from `baseUrl`. */
  nearest(config: CompilerConfig | undefined, name: string): string | undefined {
    if (!config) return undefined;
    for (const table of config.tables) {
      const found = this.#byPaths(table, name);
      if (found !== undefined) return found;
    }
    return config.baseUrl === undefined
      ? undefined
      : this.#packages.fileOrFolder(inside(config.baseUrl, name));
  }

  /** The file that `paths` of an outer configuration give it; the compiler does not look there. */
  outer(configs: readonly CompilerConfig[], name: string): string | undefined {
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
      const found = path === undefined
        ? undefined
        : this.#packages.fileOrFolder(path) ?? this.#packages.built(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function fromConfigFolder(path: string): string {
  return path.replace(/^\$\{configDir\}\/?/, "./");
}
