/**
 * The walk: which files of a workspace are read, and why each of the others is not.
 *
 * Owns the list of paths; opens no file but ignore files. What must hold:
 * - the list is what `git check-ignore` and `.batosignore` (nested, in the syntax of gitignore) leave. Git is asked once
 *   for each repository; tracked files count even where an ignore file names them, as in git. Submodules, and untracked
 *   repositories inside the workspace, are asked for their own list; another work tree of the same repository is not
 *   walked, because it would bring every file twice;
 * - where there is no repository, or git is missing or refuses, the ignore files are read here, with the same meaning;
 * - nothing outside the workspace is reached: a link is never followed (its target is read under its own name if it is
 *   inside), also where git still lists files below a folder that has since become a link;
 * - only regular files come through: pipes, sockets and devices are never opened;
 * - `.git` and `.batos` are not part of the workspace, and `node_modules` holds dependencies even where nobody ignored it.
 */
import { dirname, join, resolve } from "node:path";
import { addIgnoreRules, type IgnoreRules, isIgnored } from "./ignore.ts";
import { skipByName } from "./skip.ts";
import type { Problem } from "./source_file.ts";

/** A file to read. */
export interface Entry {
  /** Relative to the root, `/`-separated. */
  readonly path: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** Modification time in milliseconds since the epoch. */
  readonly mtime: number;
  /** When content, name or rights last changed, in milliseconds; unlike `mtime` no program can set it back. */
  readonly ctime: number;
}

/** A file, or a whole folder (its path ends in `/`), that is not read. */
export interface Skip {
  readonly path: string;
  readonly reason: string;
}

/** All three sorted by path, in the order of UTF-16 code units. Ignored files appear in none. */
export interface WalkResult {
  readonly entries: readonly Entry[];
  readonly skipped: readonly Skip[];
  readonly problems: readonly Problem[];
}

/** What to list of a workspace. */
export interface WalkOptions {
  /** Files and folders, relative to the root, to limit the walk to; all of it by default. */
  readonly scope?: readonly string[];
}

/**
 * Lists the workspace at `root`.
 *
 * @throws {Error} when the root is not a folder that can be read, or a scope leads outside it
 */
export async function walk(root: string, options: WalkOptions = {}): Promise<WalkResult> {
  const scope = (options.scope ?? []).map(normalScope);
  const walker = new Walker(resolve(root), scope.includes("") ? [] : scope);
  await walker.run();
  return {
    entries: walker.entries.sort(byPath),
    skipped: walker.skipped.sort(byPath),
    problems: walker.problems.sort(byPath),
  };
}

/** What is known of a folder: the `.batosignore` rules in force there; nothing if its files are not taken. */
interface Folder {
  readonly rules: IgnoreRules | undefined;
}

const NODE_MODULES = "node_modules: dependencies, not source";

class Walker {
  readonly entries: Entry[] = [];
  readonly skipped: Skip[] = [];
  readonly problems: Problem[] = [];
  readonly #folders = new Map<string, Folder | undefined>();
  readonly #realRoot: string;

  constructor(readonly root: string, readonly scope: readonly string[]) {
    try {
      this.#realRoot = Deno.realPathSync(root);
      if (!Deno.statSync(root).isDirectory) throw new Error("it is a file");
      Deno.readDirSync(root);
    } catch (error) {
      throw new Error(`cannot walk "${root}": ${brief(error)}; name a folder that can be read`);
    }
    this.#folders.set("", { rules: this.#rules("", ".batosignore", undefined) });
  }

  async run(): Promise<void> {
    const repository = findUpward(this.root, (folder) => has(folder, ".git"));
    const own = repository === undefined ||
      (repository !== this.root && await this.#rootIsIgnored());
    if (own || !await this.#listByGit("")) await this.#listByHand("");
    for (const path of this.scope) this.#explainEmpty(path);
  }

  /** A folder that the repository around it ignores is its own workspace: whoever names it wants to see it. */
  async #rootIsIgnored(): Promise<boolean> {
    return (await git(this.root, ["check-ignore", "-q", "."]))?.code === 0;
  }

  /** Takes the files of the repository at `prefix` (empty, or ending in `/`); false if git cannot list them. */
  async #listByGit(prefix: string): Promise<boolean> {
    const folder = join(this.root, prefix);
    // A folder that only looks like a repository must not make git go on to the one around it.
    const ceiling = prefix === "" ? undefined : dirname(folder);
    const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    const listed = await git(folder, list, ceiling);
    if (listed === undefined || listed.code !== 0) {
      const why = listed === undefined
        ? "git cannot be run"
        : `git refused (${listed.errors.split("\n")[0]!.replace(/^fatal: /, "")})`;
      const reason = `${why}: listed without it, so tracked files that are ignored are missing`;
      this.problems.push({ path: prefix || ".", reason });
      return false;
    }
    for (const [, path] of listed.errors.matchAll(/could not open directory '(.+)': Perm/g)) {
      if (this.#inScope(prefix + path)) this.#skip(prefix + path, "permission denied");
    }
    const repositories: string[] = [];
    for (const name of splitNames(listed.output)) {
      const path = prefix + name;
      if (path.includes("\ufffd") && stat(join(this.root, path)) === undefined) {
        this.#skip(path, "name is not UTF-8");
      } else if (path.endsWith("/")) repositories.push(path);
      else if (this.#take(path)) repositories.push(path + "/");
    }
    for (const path of repositories) await this.#listInner(path);
    return true;
  }

  /** A submodule, or an untracked repository inside the one that was listed. */
  async #listInner(path: string): Promise<void> {
    const folder = path.slice(0, -1);
    if (!this.#inScope(path) || this.#folder(folder) === undefined) return;
    const link = readText(join(this.root, folder, ".git"));
    if (link !== undefined && /[\\/]\.git[\\/]worktrees[\\/][^\\/]+\s*$/.test(link)) {
      this.#skip(path, "another work tree of a repository");
    } else if (!has(join(this.root, folder), ".git")) {
      // With files in it, it took the place of a tracked file, and git listed them.
      if (this.#names(path).length === 0) this.#skip(path, "submodule that is not checked out");
    } else if (!await this.#listByGit(path)) {
      await this.#listByHand(path);
    }
  }

  /** Takes the files of the workspace, or of a repository, that git does not list: those that the rules leave. */
  async #listByHand(prefix: string): Promise<void> {
    const exclude = this.#rules(prefix, ".git/info/exclude", undefined);
    await this.#listFolder(prefix, this.#names(prefix), exclude);
  }

  async #listFolder(
    prefix: string,
    names: readonly Deno.DirEntry[],
    outer: IgnoreRules | undefined,
  ): Promise<void> {
    const rules = holds(names, ".gitignore") ? this.#rules(prefix, ".gitignore", outer) : outer;
    for (const { name, isDirectory } of names) {
      const path = prefix + name;
      if (name === ".git" || isIgnored(rules, path, isDirectory)) continue;
      if (name.includes("\ufffd") && stat(join(this.root, path)) === undefined) {
        this.#skip(path, "name is not UTF-8");
      } else if (!isDirectory) this.#take(path);
      else if (this.#inScope(path + "/") && this.#folder(path) !== undefined) {
        const inner = this.#names(path + "/");
        if (holds(inner, "pyvenv.cfg")) {
          this.#skip(path + "/", "virtual environment: dependencies, not source");
        } else if (!holds(inner, ".git")) await this.#listFolder(path + "/", inner, rules);
        else if (!await this.#listByGit(path + "/")) await this.#listByHand(path + "/");
      }
    }
  }

  /** What is in a folder; if it cannot be read it is skipped. */
  #names(prefix: string): Deno.DirEntry[] {
    try {
      return [...Deno.readDirSync(join(this.root, prefix))];
    } catch (error) {
      this.#skip(prefix, brief(error));
      return [];
    }
  }

  /** Decides on one path; true if it is a folder. */
  #take(path: string): boolean {
    if (!this.#inScope(path)) return this.#scopeIsBelow(path);
    const slash = path.lastIndexOf("/");
    const folder = this.#folder(slash < 0 ? "" : path.slice(0, slash));
    if (folder === undefined) return false;
    let info: Deno.FileInfo;
    try {
      info = Deno.lstatSync(`${this.root}/${path}`);
    } catch (error) {
      // A tracked file that was deleted is no longer part of the workspace.
      if (!(error instanceof Deno.errors.NotFound)) this.#skip(path, brief(error));
      return false;
    }
    if (info.isDirectory) return true;
    if (isIgnored(folder.rules, path, false)) this.#skip(path, "ignored by .batosignore");
    else if (info.isSymlink) this.#skip(path, this.#linkReason(path));
    else if (!info.isFile) this.#skip(path, `not a regular file (${kindOf(info)})`);
    else {
      const reason = skipByName(path, info.size);
      if (reason !== undefined) this.#skip(path, reason);
      else {
        this.entries.push({
          path,
          bytes: info.size,
          mtime: info.mtime?.getTime() ?? 0,
          ctime: info.ctime?.getTime() ?? 0,
        });
      }
    }
    return false;
  }

  /** Looks at a folder once: whether its files are taken, and by which `.batosignore` rules. */
  #folder(path: string): Folder | undefined {
    if (this.#folders.has(path)) return this.#folders.get(path);
    const slash = path.lastIndexOf("/");
    const parent = this.#folder(slash < 0 ? "" : path.slice(0, slash));
    const folder = parent && this.#openFolder(path, path.slice(slash + 1), parent);
    this.#folders.set(path, folder);
    return folder;
  }

  #openFolder(path: string, name: string, parent: Folder): Folder | undefined {
    if (name === ".git" || name === ".batos") return undefined;
    if (stat(join(this.root, path))?.isDirectory !== true) return undefined;
    if (name === "node_modules") this.#skip(path + "/", NODE_MODULES);
    else if (isIgnored(parent.rules, path, true)) this.#skip(path + "/", "ignored by .batosignore");
    else return { rules: this.#rules(path + "/", ".batosignore", parent.rules) };
    return undefined;
  }

  #rules(prefix: string, name: string, outer: IgnoreRules | undefined): IgnoreRules | undefined {
    const text = readText(join(this.root, prefix, name));
    return text === undefined ? outer : addIgnoreRules(text, prefix, outer);
  }

  #linkReason(path: string): string {
    try {
      const target = Deno.realPathSync(join(this.root, path));
      const inside = target === this.#realRoot || target.startsWith(join(this.#realRoot, "/"));
      if (!inside) return "link that leads outside the workspace";
      const name = target.slice(this.#realRoot.length + 1).replaceAll("\\", "/") || ".";
      return `link to "${name}", which counts under its own name`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "link to nothing";
      return `link that cannot be followed (${brief(error)})`;
    }
  }

  /** Whether a path, or a folder ending in `/`, is in the scope or holds a part of it. */
  #inScope(path: string): boolean {
    if (this.scope.length === 0) return true;
    return this.scope.some((scope) => path === scope || path.startsWith(scope + "/")) ||
      (path.endsWith("/") && this.#scopeIsBelow(path.slice(0, -1)));
  }

  #scopeIsBelow(path: string): boolean {
    return this.scope.some((scope) => scope.startsWith(path + "/"));
  }

  /** A scope that gave nothing at all is most likely a mistake, so it is said what became of it. */
  #explainEmpty(scope: string): void {
    const inside = ({ path }: { path: string }) =>
      path === scope || path.startsWith(scope + "/") ||
      (path.endsWith("/") && scope.startsWith(path));
    if (this.entries.some(inside) || this.skipped.some(inside)) return;
    const info = stat(join(this.root, scope));
    if (info === undefined) this.#skip(scope, "no such file or folder");
    else this.#skip(scope, info.isDirectory ? "nothing in it that is not ignored" : "ignored");
  }

  #skip(path: string, reason: string): void {
    this.skipped.push({ path, reason });
  }
}

/** Environment that git needs; the rest (`GIT_DIR`, `GIT_INDEX_FILE`, set in hooks) would make it list something else. */
const GIT_ENVIRONMENT = [
  "PATH",
  "HOME",
  "USERPROFILE",
  "SYSTEMROOT",
  "XDG_CONFIG_HOME",
  "GIT_CONFIG_GLOBAL",
  "GIT_CONFIG_NOSYSTEM",
];

/** Runs git in a folder, whose repository is below `ceiling`; nothing if there is no git, or no permission to run it. */
async function git(
  cwd: string,
  args: readonly string[],
  ceiling?: string,
): Promise<{ code: number; output: Uint8Array; errors: string } | undefined> {
  const env: Record<string, string> = { LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" };
  if (ceiling !== undefined) env.GIT_CEILING_DIRECTORIES = ceiling;
  for (const variable of GIT_ENVIRONMENT) {
    // Asked first: reading without permission would put a question to the user.
    if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") continue;
    const value = Deno.env.get(variable);
    if (value !== undefined) env[variable] = value;
  }
  try {
    // The file system monitor is a program that the repository's own configuration names: never run it.
    const command = new Deno.Command("git", {
      args: ["-c", "core.fsmonitor=false", ...args],
      cwd,
      clearEnv: true,
      env,
      stdin: "null",
    });
    const { code, stdout, stderr } = await command.output();
    return { code, output: stdout, errors: new TextDecoder().decode(stderr).trim() };
  } catch {
    return undefined;
  }
}

/** The distinct names of a list that NUL bytes end; bytes that are not UTF-8 become U+FFFD. */
function splitNames(output: Uint8Array): Iterable<string> {
  const names = new TextDecoder("utf-8", { ignoreBOM: true }).decode(output).split("\0");
  names.pop();
  // A file with a merge conflict is in the index up to three times.
  return new Set(names);
}

function normalScope(scope: string): string {
  const parts = scope.replaceAll("\\", "/").split("/").filter((part) =>
    part !== "." && part !== ""
  );
  if (scope.startsWith("/") || parts.includes("..")) {
    throw new Error(`cannot walk "${scope}": it leads outside; name a path relative to the root`);
  }
  return parts.join("/");
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

function findUpward(start: string, found: (folder: string) => boolean): string | undefined {
  for (let folder = start;; folder = dirname(folder)) {
    if (found(folder)) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function holds(names: readonly Deno.DirEntry[], name: string): boolean {
  return names.some((entry) => entry.name === name);
}

function has(folder: string, name: string, kind?: "isDirectory"): boolean {
  const info = stat(join(folder, name));
  return info !== undefined && (kind === undefined || info[kind]);
}

/** What the path itself is, a link unfollowed; nothing if it is not there or cannot be seen. */
function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/** The text of a small regular file; git does not follow links to ignore files either. */
function readText(path: string): string | undefined {
  try {
    return Deno.lstatSync(path).isFile ? Deno.readTextFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function kindOf(info: Deno.FileInfo): string {
  if (info.isFifo) return "pipe";
  if (info.isSocket) return "socket";
  return info.isBlockDevice || info.isCharDevice ? "device" : "unknown kind";
}

/** What went wrong with a file, in words that fit behind its path. */
export function brief(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.FilesystemLoop) return "it goes in a circle";
  return error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/s, "") : `${error}`;
}
