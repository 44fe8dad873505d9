/**
 * Import resolution for every language but JavaScript: by name and by the conventions of each language's build tool.
 *
 * Owns the reading of `go.mod`, `Cargo.toml` and `composer.json`, and indexes of the paths made when first needed. What
 * must hold: only files of the workspace are answered; where a name fits several files the nearest one wins, so the answer
 * does not depend on the order of the walk; nothing is guessed from a bare word alone (a C `#include` must match whole path
 * segments, a Python module must start at a source root).
 */
import {
  asRecord,
  asStrings,
  baseName,
  type FileView,
  folderOf,
  inside,
  joinPath,
  nearest,
  parseJsonc,
  sharedDepth,
} from "./resolve_paths.ts";
import { ModuleResolver } from "./resolve_modules.ts";

type Rule = (from: string, specifier: string, names: readonly string[]) => string[];

/** Resolves imports of the languages that tree-sitter parses. */
export class NameResolver {
  readonly #files: FileView;
  readonly #rules: Readonly<Record<string, Rule>>;
  readonly #byBase = new Map<string, string[]>();
  readonly #byFolder = new Map<string, string[]>();
  #indexed = false;
  #pythonRoots: Map<string, string[]> | undefined; // first segment of a module -> folders it can be imported from
  #goModules: (readonly [module: string, folder: string])[] | undefined; // longest module path first
  #crates: Map<string, string> | undefined; // crate name -> folder of its manifest
  #psr4: (readonly [prefix: string, folder: string])[] | undefined; // longest prefix first

  constructor(files: FileView) {
    this.#files = files;
    const jvm: Rule = (from, specifier, names) => this.#jvm(from, specifier, names);
    const modules = new ModuleResolver(files, (base) => {
      this.#index();
      return this.#byBase.get(base) ?? [];
    });
    const scala: Rule = (from, specifier, names) => {
      const found = this.#jvm(from, specifier, names);
      return found.length > 0 ? found : modules.scala(this.#byFolder, specifier.split("."));
    };
    const c: Rule = (from, specifier) => this.#include(from, specifier);
    this.#rules = {
      python: (from, specifier, names) => this.#python(from, specifier, names),
      go: (from, specifier) => this.#go(from, specifier),
      rust: (from, specifier, names) => this.#rust(from, specifier, names),
      java: jvm,
      kotlin: jvm,
      scala,
      groovy: jvm,
      c,
      cpp: c,
      "c++": c,
      objc: c,
      cuda: c,
      ruby: (from, specifier) => this.#ruby(from, specifier),
      php: (from, specifier) => this.#php(from, specifier),
      bash: (from, specifier) => this.#shell(from, specifier),
      shell: (from, specifier) => this.#shell(from, specifier),
      lua: (from, specifier) => modules.lua(from, specifier),
      elixir: (from, specifier) => modules.elixir(from, specifier),
      zig: (from, specifier) => modules.zig(from, specifier),
      haskell: (from, specifier) => modules.haskell(from, specifier),
      swift: (from, specifier) => modules.swift(from, specifier),
    };
  }

  /** The files that `specifier` means, best first; a language without a rule knows paths written relative to the file. */
  resolve(from: string, specifier: string, language: string, names: readonly string[]): string[] {
    const rule = this.#rules[language];
    if (rule) return rule(from, specifier, names);
    return specifier.startsWith("./") || specifier.startsWith("../")
      ? this.#existing([joinPath(folderOf(from), specifier)])
      : [];
  }

  #existing(candidates: readonly (string | undefined)[]): string[] {
    for (const path of candidates) {
      if (path !== undefined && this.#files.paths.has(path)) return [path];
    }
    return [];
  }

  #index(): void {
    if (this.#indexed) return;
    this.#indexed = true;
    for (const path of this.#files.paths) {
      push(this.#byBase, baseName(path), path);
      push(this.#byFolder, folderOf(path), path);
    }
  }

  /** Files whose path ends with the segments of `suffix`, nearest to `folder` first. */
  #bySuffix(suffix: string, folder: string): string | undefined {
    this.#index();
    const candidates = this.#byBase.get(baseName(suffix));
    return candidates &&
      nearest(candidates.filter((path) => path === suffix || path.endsWith(`/${suffix}`)), folder);
  }

  #inFolder(folder: string, extension: string): string[] {
    this.#index();
    return this.#byFolder.get(folder)?.filter((path) => path.endsWith(extension)) ?? [];
  }

  // ---- Python ----------------------------------------------------------------------------------------------------

  #python(from: string, specifier: string, names: readonly string[]): string[] {
    const dots = /^\.*/.exec(specifier)![0].length;
    const folder = folderOf(from);
    if (dots > 0) {
      const base = joinPath(folder, "../".repeat(dots - 1));
      return base === undefined
        ? []
        : this.#pythonModule(base, specifier.slice(dots).split("."), names);
    }
    const segments = specifier.split(".");
    const roots = this.#rootsOf(segments[0]!);
    // The interpreter looks beside a script first; among source roots the nearest is meant.
    const ordered = [...roots].sort((a, b) =>
      Number(b === folder) - Number(a === folder) ||
      sharedDepth(b, folder) - sharedDepth(a, folder) || a.length - b.length
    );
    for (const root of ordered) {
      const found = this.#pythonModule(root, segments, names);
      if (found.length > 0) return found;
    }
    return [];
  }

  #pythonModule(root: string, segments: readonly string[], names: readonly string[]): string[] {
    const path = inside(root, segments.filter((segment) => segment !== "").join("/"));
    const own = path === root && segments.length === 1
      ? this.#existing([inside(path, "__init__.py"), inside(path, "__init__.pyi")])
      : this.#existing([
        `${path}.py`,
        inside(path, "__init__.py"),
        `${path}.pyi`,
        inside(path, "__init__.pyi"),
      ]);
    const submodules = names.flatMap((name) =>
      this.#existing([
        inside(path, `${name}.py`),
        inside(path, `${name}/__init__.py`),
        inside(path, `${name}.pyi`),
      ])
    );
    if (submodules.length > 0) return [...new Set([...submodules, ...own])];
    if (own.length > 0 || segments.length < 2) return own;
    // `import package.name` of something that the package itself defines.
    return this.#pythonModule(root, segments.slice(0, -1), [])
      .filter((file) => file !== inside(root, "__init__.py"));
  }

  #rootsOf(first: string): readonly string[] {
    if (!this.#pythonRoots) {
      this.#pythonRoots = new Map();
      const projects = new Set<string>([""]);
      const packages = new Set<string>();
      const modules: string[] = [];
      for (const path of this.#files.paths) {
        const base = baseName(path);
        if (base === "__init__.py" || base === "__init__.pyi") packages.add(folderOf(path));
        else if (base.endsWith(".py") || base.endsWith(".pyi")) modules.push(path);
        else if (base === "pyproject.toml" || base === "setup.cfg") projects.add(folderOf(path));
        if (base === "setup.py") projects.add(folderOf(path));
      }
      const seen = new Set<string>();
      const add = (name: string, root: string): void => {
        const key = `${name}\0${root}`;
        if (seen.has(key)) return;
        seen.add(key);
        push(this.#pythonRoots!, name, root);
      };
      for (const folder of packages) {
        if (!packages.has(folderOf(folder)) && folder !== "") {
          add(baseName(folder), folderOf(folder));
        }
      }
      for (const path of modules) {
        const folder = folderOf(path);
        if (packages.has(folder)) continue;
        add(baseName(path).replace(/\.pyi?$/, ""), folder);
        // A folder without `__init__.py` is a namespace package when it lies below the sources of a project.
        for (const project of projects) {
          for (const root of [project, inside(project, "src")]) {
            if (root !== "" && !folder.startsWith(`${root}/`)) continue;
            const rest = root === "" ? folder : folder.slice(root.length + 1);
            if (rest !== "") add(rest.split("/", 1)[0]!, root);
          }
        }
      }
    }
    return this.#pythonRoots.get(first) ?? [];
  }

  // ---- Go --------------------------------------------------------------------------------------------------------

  #go(_from: string, specifier: string): string[] {
    this.#goModules ??= [...this.#files.paths].filter((path) => baseName(path) === "go.mod")
      .flatMap((path) => {
        const module = /^\s*module\s+"?([^\s"]+)/m.exec(this.#files.read(path) ?? "");
        return module ? [[module[1]!, folderOf(path)] as const] : [];
      }).sort((a, b) => b[0].length - a[0].length);
    for (const [module, folder] of this.#goModules) {
      if (specifier !== module && !specifier.startsWith(`${module}/`)) continue;
      return this.#inFolder(inside(folder, specifier.slice(module.length + 1)), ".go")
        .filter((path) => !path.endsWith("_test.go"));
    }
    return [];
  }

  // ---- Rust ------------------------------------------------------------------------------------------------------

  #rust(from: string, specifier: string, names: readonly string[]): string[] {
    const segments = specifier.replace(/^::/, "").split("::").map((segment) =>
      segment.trim().replace(/^r#/, "")
    )
      .filter((segment) => segment !== "");
    const children = rustChildren(from);
    const first = segments[0];
    if (first === undefined) return [];
    let base: string | undefined;
    let rest = segments;
    let root: string | undefined; // the file of the module that `base` holds the children of
    if (first === "crate" || first === "$crate") {
      [base, root] = this.#crateRoot(from);
      rest = segments.slice(1);
    } else if (first === "self" || first === "super") {
      base = children;
      root = from;
      let at = 0;
      for (; segments[at] === "self" || segments[at] === "super"; at++) {
        if (segments[at] === "super") {
          base = base === "" ? undefined : folderOf(base!);
          if (base === undefined) return [];
          root = this.#rustOwner(base);
        }
      }
      rest = segments.slice(at);
    } else {
      const local = this.#rustModule(children, first);
      const crate = local === undefined ? this.#crateFolders().get(first) : undefined;
      if (local !== undefined) base = children;
      else if (crate !== undefined) {
        base = inside(crate, "src");
        root = this.#existing([
          inside(base, "lib.rs"),
          inside(base, "main.rs"),
          inside(crate, "lib.rs"),
        ])[0];
        rest = segments.slice(1);
      } else return [];
    }
    if (base === undefined) return [];
    const found = new Set<string>();
    for (const name of names.length > 0 ? names : [""]) {
      const deepest = this.#rustPath(
        base,
        name === "" || name === "*" || name === "self" ? rest : [...rest, name],
        root,
      );
      if (deepest !== undefined) found.add(deepest);
    }
    found.delete(from);
    return [...found];
  }

  /** Follows module segments from a folder of modules as long as files carry them. */
  #rustPath(
    base: string,
    segments: readonly string[],
    root: string | undefined,
  ): string | undefined {
    let file = root;
    let folder = base;
    for (const segment of segments) {
      const next = this.#rustModule(folder, segment);
      if (next === undefined) break;
      file = next;
      folder = inside(folder, segment);
    }
    return file;
  }

  #rustModule(folder: string, name: string): string | undefined {
    return this.#existing([inside(folder, `${name}.rs`), inside(folder, `${name}/mod.rs`)])[0];
  }

  /** The file whose child modules live in `folder`. */
  #rustOwner(folder: string): string | undefined {
    return this.#existing([
      inside(folder, "lib.rs"),
      inside(folder, "main.rs"),
      inside(folder, "mod.rs"),
      `${folder}.rs`,
    ])[0];
  }

  #crateRoot(from: string): [folder: string | undefined, file: string | undefined] {
    for (let folder = folderOf(from);; folder = folderOf(folder)) {
      const file = this.#existing([inside(folder, "lib.rs"), inside(folder, "main.rs")])[0];
      if (file !== undefined) return [folder, file];
      // Below `tests`, `examples` and `benches` every file is a crate of its own.
      if (this.#files.paths.has(inside(folder, "Cargo.toml"))) return [folderOf(from), from];
      if (folder === "") return [undefined, undefined];
    }
  }

  #crateFolders(): Map<string, string> {
    if (!this.#crates) {
      this.#crates = new Map();
      for (const path of this.#files.paths) {
        if (baseName(path) !== "Cargo.toml") continue;
        const text = this.#files.read(path) ?? "";
        const section = /^\[package\]([^]*?)(?=^\[|$(?![^]))/m.exec(text);
        const name = section && /^\s*name\s*=\s*"([^"]+)"/m.exec(section[1]!);
        if (name) this.#crates.set(name[1]!.replaceAll("-", "_"), folderOf(path));
      }
    }
    return this.#crates;
  }

  // ---- Java, Kotlin ----------------------------------------------------------------------------------------------

  #jvm(from: string, specifier: string, names: readonly string[]): string[] {
    const folder = folderOf(from);
    const segments = specifier.split(".");
    if (segments.at(-1) === "*" || names.includes("*")) {
      const packaged = segments.filter((segment) => segment !== "*");
      const type = this.#jvmType(packaged, folder); // `import static a.b.C.*`
      return type !== undefined ? [type] : this.#jvmPackage(packaged.join("/"), folder);
    }
    // A nested type or a static member stands behind the type that has the file.
    for (let length = segments.length; length > 1 && length >= segments.length - 2; length--) {
      const type = this.#jvmType(segments.slice(0, length), folder);
      if (type !== undefined) return [type];
    }
    return [];
  }

  #jvmType(segments: readonly string[], folder: string): string | undefined {
    const path = segments.join("/");
    for (const extension of [".java", ".kt", ".scala", ".groovy"]) {
      const found = this.#bySuffix(path + extension, folder);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #jvmPackage(packaged: string, folder: string): string[] {
    this.#index();
    const files: string[] = [];
    for (const [at, paths] of this.#byFolder) {
      if (at !== packaged && !at.endsWith(`/${packaged}`)) continue;
      files.push(...paths.filter((path) => /\.(java|kt|scala|groovy)$/.test(path)));
    }
    return files.sort((a, b) =>
      sharedDepth(folderOf(b), folder) - sharedDepth(folderOf(a), folder) || (a < b ? -1 : 1)
    );
  }

  // ---- C, C++ ----------------------------------------------------------------------------------------------------

  #include(from: string, specifier: string): string[] {
    const folder = folderOf(from);
    const name = specifier.replace(/^[<"]|[>"]$/g, "");
    const direct = this.#existing([
      joinPath(folder, name),
      joinPath("", name),
      joinPath("include", name),
    ]);
    if (direct.length > 0) return direct;
    const suffix = joinPath("", name.replace(/^(\.\.?\/)+/, ""));
    const found = suffix === undefined || suffix === ""
      ? undefined
      : this.#bySuffix(suffix, folder);
    return found === undefined ? [] : [found];
  }

  // ---- Ruby, PHP, shell ------------------------------------------------------------------------------------------

  #ruby(from: string, specifier: string): string[] {
    const file = specifier.endsWith(".rb") ? specifier : `${specifier}.rb`;
    const relative = this.#existing([joinPath(folderOf(from), file)]);
    if (relative.length > 0 || specifier.startsWith(".")) return relative;
    const found = this.#bySuffix(`lib/${file}`, folderOf(from)) ??
      this.#existing([joinPath("", file)])[0];
    return found === undefined ? [] : [found];
  }

  #php(from: string, specifier: string): string[] {
    const name = specifier.replace(/^\\/, "");
    if (/\.(php|inc)$/.test(name)) {
      const path = name.replace(/^\//, "");
      return this.#existing([joinPath(folderOf(from), path), joinPath("", path)]);
    }
    this.#psr4 ??= [...this.#files.paths].filter((path) => baseName(path) === "composer.json")
      .flatMap((path) => {
        const json = asRecord(parseJsonc(this.#files.read(path) ?? ""));
        return ["autoload", "autoload-dev"].flatMap((field) =>
          Object.entries(asRecord(asRecord(json?.[field])?.["psr-4"]) ?? {}).flatMap((
            [prefix, folders],
          ) =>
            asStrings(folders).map((folder) =>
              [prefix, joinPath(folderOf(path), folder) ?? ""] as const
            )
          )
        );
      }).sort((a, b) => b[0].length - a[0].length);
    for (const [prefix, folder] of this.#psr4) {
      if (!name.startsWith(prefix)) continue;
      const found = this.#existing([
        inside(folder, `${name.slice(prefix.length).replaceAll("\\", "/")}.php`),
      ]);
      if (found.length > 0) return found;
    }
    const segments = name.split("\\");
    const found = segments.length < 2
      ? undefined
      : this.#bySuffix(`${segments.slice(-2).join("/")}.php`, folderOf(from));
    return found === undefined ? [] : [found];
  }

  #shell(from: string, specifier: string): string[] {
    // `"$(dirname "$0")/lib.sh"`, `${BASH_SOURCE%/*}/lib.sh`, `$HERE/lib.sh`: the variable stands for some folder.
    const path = specifier.replace(/^["']|["']$/g, "").replace(/^\$(?:\(.*\)|\{[^}]*\}|\w+)\//, "");
    const direct = this.#existing([joinPath(folderOf(from), path), joinPath("", path)]);
    if (direct.length > 0 || path === specifier) return direct;
    const suffix = joinPath("", path);
    const found = suffix === undefined || suffix === ""
      ? undefined
      : this.#bySuffix(suffix, folderOf(from));
    return found === undefined ? [] : [found];
  }
}

/** The folder where the child modules of a Rust file live. */
function rustChildren(file: string): string {
  const base = baseName(file);
  const folder = folderOf(file);
  const ownFolder = base === "mod.rs" || base === "lib.rs" || base === "main.rs" ||
    /(^|\/)(tests|examples|benches|bin)$/.test(folder);
  return ownFolder ? folder : inside(folder, base.replace(/\.rs$/, ""));
}

function push<K>(map: Map<K, string[]>, key: K, value: string): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
