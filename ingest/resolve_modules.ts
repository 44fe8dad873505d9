/**
 * Import resolution for languages whose imports name modules: Lua, Elixir, Zig, Haskell, Swift, and Scala where the path says too little.
 *
 * Owns the index of Elixir's modules, which may stand in any file, and what a Zig build file calls its modules. What must hold: only files
 * of the workspace are answered; a module that fits several files means the nearest; a bare word is looked for where its language's tools
 * look, never anywhere.
 */
import { baseName, type FileView, folderOf, inside, joinPath, nearest } from "./resolve_paths.ts";

/** A target with more files stands for its module as a whole, and no import of it says which file is meant. */
const MAX_SWIFT_TARGET = 40;
/** Files of a Scala package that are looked into for a name. */
const MAX_PACKAGE_FILES = 80;

/** Folders that Lua's and Haskell's tools look into. */
const LUA_ROOTS = ["", "lua", "src", "lib", "spec", "tests"];
const HASKELL_ROOTS = ["", "src", "lib", "library", "app", "test", "tests", "exe"];

/** See the module text. */
export class ModuleResolver {
  readonly #files: FileView;
  readonly #byBase: (base: string) => readonly string[];
  #elixir: Map<string, string[]> | undefined;
  #swift: Map<string, string[]> | undefined;
  #zig: Map<string, string> | undefined;

  /** @param byBase the paths whose last segment is `base` */
  constructor(files: FileView, byBase: (base: string) => readonly string[]) {
    this.#files = files;
    this.#byBase = byBase;
  }

  #existing(candidates: readonly (string | undefined)[]): string[] {
    for (const path of candidates) {
      if (path !== undefined && this.#files.paths.has(path)) return [path];
    }
    return [];
  }

  /** The nearest file that ends with `suffix`, where `accept` takes what stands before it. */
  #bySuffix(suffix: string, from: string, accept: (before: string) => boolean): string[] {
    const fitting = this.#byBase(baseName(suffix)).filter((path) =>
      path === suffix ||
      (path.endsWith(`/${suffix}`) && accept(path.slice(0, -suffix.length - 1)))
    );
    const found = nearest(fitting, folderOf(from));
    return found === undefined ? [] : [found];
  }

  /** `require "a.b"`: `a/b.lua` or `a/b/init.lua`, below the folders that are searched. */
  lua(from: string, specifier: string): string[] {
    const path = joinPath("", specifier.replace(/\.lua$/, "").replaceAll(".", "/"));
    if (path === undefined || path === "") return [];
    const files = [`${path}.lua`, `${path}/init.lua`, `${path}.luau`];
    const near = folderOf(from);
    const direct = this.#existing(
      [near, ...LUA_ROOTS].flatMap((root) => files.map((file) => inside(root, file))),
    );
    if (direct.length > 0) return direct;
    const isWord = !path.includes("/");
    for (const file of files) {
      const found = this.#bySuffix(
        file,
        from,
        (before) => !isWord || LUA_ROOTS.includes(baseName(before)),
      );
      if (found.length > 0) return found;
    }
    return [];
  }

  /** A module by the custom of its path, `A.FooBar` in `a/foo_bar.ex`, else by what the files define. */
  elixir(from: string, specifier: string): string[] {
    const modules = this.#elixir ??= this.#elixirModules();
    const candidates = modules.get(specifier);
    if (!candidates) return [];
    const custom = `${
      specifier.split(".").map((part) =>
        part.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "_").toLowerCase()
      ).join("/")
    }.ex`;
    const found = candidates.find((path) => path.endsWith(`/${custom}`)) ??
      nearest(candidates, folderOf(from));
    return found === undefined ? [] : [found];
  }

  #elixirModules(): Map<string, string[]> {
    const modules = new Map<string, string[]>();
    for (const path of this.#files.paths) {
      if (!/\.exs?$/.test(path)) continue;
      const around: { indent: number; name: string }[] = [];
      const text = this.#files.read(path) ?? "";
      for (
        const [, blank, word] of text.matchAll(/^([ \t]*)def(?:module|protocol)\s+([A-Z][\w.]*)/gm)
      ) {
        const indent = blank!.length;
        while (around.length > 0 && around.at(-1)!.indent >= indent) around.pop();
        const outer = around.at(-1)?.name;
        const name = outer === undefined ? word! : `${outer}.${word}`;
        around.push({ indent, name });
        const list = modules.get(name);
        if (!list) modules.set(name, [path]);
        else if (!list.includes(path)) list.push(path);
      }
    }
    return modules;
  }

  /** A path relative to the file, or a module that a build file names. */
  zig(from: string, specifier: string): string[] {
    if (/\.(zig|zon)$/.test(specifier)) {
      return this.#existing([joinPath(folderOf(from), specifier)]);
    }
    const modules = this.#zig ??= this.#zigModules();
    const named = modules.get(specifier);
    return named === undefined ? [] : this.#existing([named]);
  }

  #zigModules(): Map<string, string> {
    const modules = new Map<string, string>();
    for (const path of this.#byBase("build.zig")) {
      const text = this.#files.read(path) ?? "";
      const named =
        /(?:addModule|addImport)\(\s*"([^"]+)"\s*,[^;]*?root_source_file\s*=\s*(?:b\.path\(\s*|\.\{\s*\.path\s*=\s*)"([^"]+)"/g;
      for (const [, name, file] of text.matchAll(named)) {
        const target = joinPath(folderOf(path), file!);
        if (target !== undefined && !modules.has(name!)) modules.set(name!, target);
      }
    }
    return modules;
  }

  /** `A.B` in `A/B.hs` below a source folder: what stands before it is no module. */
  haskell(from: string, specifier: string): string[] {
    const path = specifier.replaceAll(".", "/");
    const isWord = !path.includes("/");
    for (const extension of [".hs", ".hsc", ".lhs", ".hs-boot"]) {
      const found = this.#bySuffix(path + extension, from, (before) => {
        const folder = baseName(before);
        if (isWord) {
          return HASKELL_ROOTS.includes(folder) || folderOf(from) === before;
        }
        return !/^[A-Z]\w*$/.test(folder);
      }).filter((file) => file !== from);
      if (found.length > 0) return found;
    }
    return [];
  }

  /** The files of a target of this package: `Sources/A/…`. */
  swift(_from: string, specifier: string): string[] {
    const targets = this.#swift ??= this.#swiftTargets();
    const files = targets.get(specifier.split(".", 1)[0]!) ?? [];
    return files.length <= MAX_SWIFT_TARGET
      ? files
      : files.filter((path) => baseName(path) === `${specifier}.swift`);
  }

  #swiftTargets(): Map<string, string[]> {
    const targets = new Map<string, string[]>();
    for (const path of this.#files.paths) {
      const target = /(?:^|\/)(?:Sources|Source|Plugins|Tests)\/(\w+)\/.*\.swift$/.exec(path)?.[1];
      if (target === undefined) continue;
      const list = targets.get(target);
      if (list) list.push(path);
      else targets.set(target, [path]);
    }
    for (const list of targets.values()) list.sort();
    return targets;
  }

  /** The files of a Scala package that define a name: a file may hold several, whatever it is called. */
  scala(folders: ReadonlyMap<string, readonly string[]>, segments: readonly string[]): string[] {
    const name = segments.at(-1)!;
    if (!/^\w+$/.test(name) || segments.length < 2) return [];
    const folder = segments.slice(0, -1).join("/");
    const defines = new RegExp(
      `\\b(?:class|object|trait|enum|type|def|val|given)\\s+${name}\\b`,
    );
    const found: string[] = [];
    for (const [at, paths] of folders) {
      if (at !== folder && !at.endsWith(`/${folder}`)) continue;
      for (const path of paths.slice(0, MAX_PACKAGE_FILES)) {
        if (path.endsWith(".scala") && defines.test(this.#files.read(path) ?? "")) found.push(path);
      }
    }
    return found.sort();
  }
}
