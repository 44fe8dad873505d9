/**
 * The packages of a workspace, and the files that they give for their names.
 *
 * Owns the reading of `package.json`, `deno.json` and workspace manifests. What must hold: what a manifest says comes first; one step
 * goes beyond the compiler and comes last: a target that was built (`dist/x.js`) is traced to the source it was built from, since
 * builds are not indexed.
 *
 * After https://nodejs.org/api/packages.html.
 */
import { exportTargets, globExpression, pnpmPackages } from "./package_targets.ts";
import type { ModuleFiles } from "./resolve_files.ts";
import { asRecord, asStrings, baseName, folderOf, inside, joinPath } from "./resolve_paths.ts";

/** A `package.json` or a named `deno.json`. */
export interface Package {
  readonly folder: string;
  readonly name: string | undefined;
  readonly manifest: Record<string, unknown>;
}

const SCRIPT_EXTENSION = /(\.d)?\.[cm]?[jt]sx?$/;

// Folder names that builds write to.
const BUILD_FOLDERS = new Set(
  "dist build lib out output esm cjs es types typings module modules commonjs umd bundles node browser _esm _cjs _types"
    .split(" "),
);

// Where sources live, tried in this order.
const SOURCE_FOLDERS = ["src", "source", "lib", ""];

// Entry files of a package whose manifest leads nowhere.
const ENTRIES = ["src/index", "src/main", "src/mod", "index", "mod", "main", "lib/index"];

const MANIFESTS = new Set([
  "package.json",
  "deno.json",
  "deno.jsonc",
  "pnpm-workspace.yaml",
  "lerna.json",
]);

/** See the module text. */
export class Packages {
  readonly #files: ModuleFiles;
  readonly #owners = new Map<string, Package | undefined>();
  #byName: Map<string, Package> | undefined;

  constructor(files: ModuleFiles) {
    this.#files = files;
  }

  /** The package whose manifest stands in a folder. */
  at(folder: string): Package | undefined {
    const manifest = this.#files.json(inside(folder, "package.json"));
    const deno = this.#files.json(inside(folder, "deno.json")) ??
      this.#files.json(inside(folder, "deno.jsonc"));
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
  owner(folder: string): Package | undefined {
    if (this.#owners.has(folder)) return this.#owners.get(folder);
    const scope = this.at(folder) ??
      (folder === "" ? undefined : this.owner(folderOf(folder)));
    this.#owners.set(folder, scope);
    return scope;
  }

  /** The packages of the workspace by name; those that a workspace manifest lists win, then the least nested. */
  byName(): Map<string, Package> {
    if (this.#byName) return this.#byName;
    const named: Package[] = [];
    const members: RegExp[] = [];
    const excluded: RegExp[] = [];
    for (const path of this.#files.view.paths) {
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
        const found = this.at(folder);
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
    const packages = this.#byName = new Map<string, Package>();
    for (const candidate of named) {
      // Where the workspace lists its members, a stray manifest (a fixture called `react`) is not importable by name.
      if (members.length > 0 && rank(candidate) > 0) continue;
      if (!packages.has(candidate.name!)) packages.set(candidate.name!, candidate);
    }
    // A member whose manifest is not part of the workspace (ignored, generated) is known by its folder.
    const folders = new Set(named.map((candidate) => candidate.folder));
    for (const folder of members.length > 0 ? this.#files.folders() : []) {
      const name = baseName(folder);
      if (folders.has(folder) || packages.has(name) || !members.some((glob) => glob.test(folder))) {
        continue;
      }
      const member = { folder, name, manifest: {} };
      if (this.#entry(member) !== undefined) packages.set(name, member);
    }
    return this.#byName;
  }

  #memberGlobs(path: string, file: string): string[] {
    if (file === "pnpm-workspace.yaml") return pnpmPackages(this.#files.view.read(path) ?? "");
    const json = this.#files.json(path);
    if (!json) return [];
    if (file === "lerna.json") return asStrings(json.packages);
    const list = json.workspaces ?? json.workspace;
    return asStrings(asRecord(list)?.packages ?? asRecord(list)?.members ?? list);
  }

  /** A dependency that the manifest of `own` points at a folder or at another name of the workspace. */
  linked(own: Package, name: string): Package | undefined {
    for (
      const field of ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"]
    ) {
      const range = asRecord(own.manifest[field])?.[name];
      if (typeof range !== "string") continue;
      const local = /^(?:file|link|portal):(.+)$/.exec(range);
      if (local) {
        const folder = joinPath(own.folder, local[1]!);
        return folder === undefined ? undefined : this.at(folder);
      }
      const alias = /^workspace:((?:@[^/@]+\/)?[^@/*^~]+)@/.exec(range);
      if (alias) return this.byName().get(alias[1]!);
    }
    return undefined;
  }

  /**
   * The file that a package gives for what follows its name (`""` for the name alone).
   * @param conditions of `exports`, beside those that every compiler takes
   */
  fileOf(owner: Package, rest: string, conditions: readonly string[]): string | undefined {
    const { exports } = owner.manifest;
    if (exports !== undefined) {
      const subpath = rest === "" ? "." : `./${rest}`;
      const targets = exportTargets(exports, subpath, conditions);
      for (const target of targets) {
        const path = joinPath(owner.folder, target);
        const found = path === undefined ? undefined : this.#files.file(path);
        if (found !== undefined) return found;
      }
      for (const target of targets) {
        const found = this.sourceOf(owner, rest, target);
        if (found !== undefined) return found;
      }
      return rest === "" ? this.#entry(owner) : undefined;
    }
    if (rest === "") return this.#main(owner) ?? this.#entry(owner);
    return this.fileOrFolder(inside(owner.folder, rest)) ?? this.sourceOf(owner, rest, rest);
  }

  #main(owner: Package): string | undefined {
    const fields = ["source", "types", "typings", "module", "main"].map((field) =>
      owner.manifest[field]
    )
      .filter((value) => typeof value === "string");
    for (const target of fields) {
      const path = joinPath(owner.folder, target);
      if (path === undefined || path === owner.folder) continue;
      const found = this.#files.file(path) ?? this.#files.file(inside(path, "index"));
      if (found !== undefined) return found;
    }
    for (const target of fields) {
      const found = this.sourceOf(owner, "", target);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #entry(owner: Package): string | undefined {
    for (const entry of ENTRIES) {
      const found = this.#files.file(inside(owner.folder, entry));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * The source that a package target was built from: `dist/types/x.d.ts` from `src/x.ts`. A heuristic: build folders are
   * stripped, all of them first, and what is left is looked for where sources live.
   */
  sourceOf(owner: Package, rest: string, target: string): string | undefined {
    const path = joinPath("", target);
    if (path === undefined || !this.#files.isFolder(owner.folder)) return undefined;
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
        const found = this.#files.file(candidate) ?? this.#files.file(inside(candidate, "index"));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  /** The file that a path means, which may be that of a folder: what its manifest says, else its index. */
  fileOrFolder(path: string, folderOnly = false): string | undefined {
    if (!folderOnly && path !== "") {
      const file = this.#files.file(path);
      if (file !== undefined) return file;
    }
    if (!this.#files.isFolder(path)) return undefined;
    const manifest = this.at(path);
    const main = manifest && this.#main(manifest);
    return main ?? this.#files.file(inside(path, "index")) ?? this.#files.file(inside(path, "mod"));
  }

  /** The source of a target inside some package's build folder. */
  built(path: string): string | undefined {
    const owner = this.owner(folderOf(path));
    if (!owner) return undefined;
    return this.sourceOf(
      owner,
      "",
      owner.folder === "" ? path : path.slice(owner.folder.length + 1),
    );
  }
}
