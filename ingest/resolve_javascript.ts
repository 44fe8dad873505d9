/**
 * Module resolution for TypeScript and JavaScript, as the compiler does it, over the files of the workspace.
 *
 * Owns the order in which a specifier is looked up, and import maps; `resolve_files.ts` knows extensions, `resolve_packages.ts` packages,
 * `resolve_configs.ts` compiler configurations. What must hold: the order of the compiler: relative paths; `paths` of the nearest
 * configuration; its `baseUrl`; import maps; package `imports`; the own package by name; packages of the workspace by name. What goes
 * beyond the compiler comes last.
 *
 * After https://www.typescriptlang.org/docs/handbook/modules/reference.html and https://nodejs.org/api/packages.html.
 */
import {
  bestPattern,
  conditionTargets,
  isRelative,
  splitPackage,
  withoutQuery,
  withoutScheme,
} from "./package_targets.ts";
import { CompilerConfigs } from "./resolve_configs.ts";
import { ModuleFiles } from "./resolve_files.ts";
import { Packages } from "./resolve_packages.ts";
import { asRecord, type FileView, folderOf, inside, joinPath } from "./resolve_paths.ts";

/** Resolves the specifiers of JavaScript and TypeScript files. */
export class JavaScriptResolver {
  readonly #files: ModuleFiles;
  readonly #packages: Packages;
  readonly #configs: CompilerConfigs;
  readonly #answers = new Map<string, Map<string, string[]>>();
  readonly #importMaps = new Map<string, Map<string, readonly [base: string, target: string]>>();

  constructor(view: FileView) {
    this.#files = new ModuleFiles(view);
    this.#packages = new Packages(this.#files);
    this.#configs = new CompilerConfigs(this.#files, this.#packages);
  }

  /** The file that `specifier` means in the file `from`, with its script behind it where it is a declaration file. */
  resolve(from: string, specifier: string): string[] {
    const folder = folderOf(from);
    let answers = this.#answers.get(folder);
    if (!answers) this.#answers.set(folder, answers = new Map());
    let answer = answers.get(specifier);
    if (!answer) {
      const found = this.#find(folder, specifier) ?? this.#find(folder, withoutQuery(specifier));
      answer = found === undefined ? [] : [found, ...this.#files.scriptOf(found)];
      answers.set(specifier, answer);
    }
    return answer;
  }

  #find(folder: string, specifier: string): string | undefined {
    if (isRelative(specifier)) {
      const path = joinPath(folder, specifier);
      return path === undefined ? undefined : this.#packages.fileOrFolder(
        path,
        specifier.endsWith("/") || /(^|\/)\.\.?$/.test(specifier),
      );
    }
    if (specifier.startsWith("/")) return this.#fromRoot(folder, specifier);
    const name = withoutScheme(specifier);
    if (name === undefined) return undefined;
    const configs = this.#configs.of(folder);
    return this.#configs.nearest(configs[0], name) ??
      this.#byImportMap(folder, name) ??
      (name.startsWith("#")
        ? this.#byPackageImports(folder, name)
        : this.#byPackageName(folder, name)) ??
      this.#configs.outer(configs, name) ??
      this.#byConvention(folder, name);
  }

  /** `/src/x`: from the own package (as development servers read it), then from the repository. */
  #fromRoot(folder: string, specifier: string): string | undefined {
    const own = this.#packages.owner(folder)?.folder ?? "";
    for (const root of new Set([own, ""])) {
      const path = joinPath(root, specifier);
      const found = path === undefined ? undefined : this.#packages.fileOrFolder(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }

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
        if (path !== undefined) return this.#packages.fileOrFolder(path);
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
      const json = this.#files.json(inside(folder, file));
      const external = typeof json?.importMap === "string"
        ? joinPath(folder, json.importMap)
        : undefined;
      const externalMap = external === undefined ? undefined : this.#files.json(external);
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

  #byPackageName(folder: string, specifier: string): string | undefined {
    const [name, rest] = splitPackage(specifier);
    const conditions = this.#conditionsOf(folder);
    const own = this.#packages.owner(folder);
    if (own?.name === name) return this.#packages.fileOf(own, rest, conditions);
    const linked = own && this.#packages.linked(own, name);
    if (linked) return this.#packages.fileOf(linked, rest, conditions);
    const owner = this.#packages.byName().get(name);
    return owner && this.#packages.fileOf(owner, rest, conditions);
  }

  #byPackageImports(folder: string, name: string): string | undefined {
    const owner = this.#packages.owner(folder);
    const imports = asRecord(owner?.manifest.imports);
    if (!owner || !imports) return undefined;
    const match = bestPattern(Object.entries(imports), name);
    if (!match) return undefined;
    for (const raw of conditionTargets(match.value, this.#conditionsOf(folder))) {
      const target = raw.replaceAll("*", match.star);
      const path = isRelative(target) ? joinPath(owner.folder, target) : undefined;
      const found = path === undefined
        ? this.#byPackageName(folder, target)
        : this.#files.file(path) ?? this.#packages.sourceOf(owner, "", target);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** `@/x` and `~/x` where no configuration says what they mean (frameworks generate it): the sources of the package. */
  #byConvention(folder: string, name: string): string | undefined {
    const match = /^(?:[@~]|\$lib)\/(.+)$/.exec(name);
    if (!match) return undefined;
    const own = this.#packages.owner(folder)?.folder ?? "";
    const roots = name.startsWith("$lib") ? ["src/lib"] : ["src", "app", ""];
    for (const root of roots) {
      const found = this.#packages.fileOrFolder(inside(own, inside(root, match[1]!)));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The conditions of package `exports` that the configuration of a folder adds. */
  #conditionsOf(folder: string): readonly string[] {
    return this.#configs.of(folder)[0]?.conditions ?? [];
  }
}
