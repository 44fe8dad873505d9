/**
 * A workspace as a place: its root, its state folder, the paths in it that people type, its files, its lock.
 *
 * Owns what is true of the folder whatever is kept in it. What must hold: no path that leads out of the root is ever opened, not
 * even over a link; every path handed out is relative to the root and `/`-separated.
 */
import { existsSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { noteChosen } from "./chosen_models.ts";
import { CommandError, type HandlerContext } from "./commands.ts";
import { writeProblem } from "./doctor.ts";
import { readSettings, writeSettings } from "./settings.ts";
import { describeHolder, WorkspaceLock } from "./workspace_lock.ts";

/** The one kind of file in the state folder that anybody may read: lines of the trail are cited. */
const TRAIL_FILE = /^\.batos\/metacognition[\d-]*\.jsonl$/;

/** See the module text. */
export class Workspace {
  /** Absolute, links resolved. */
  readonly root: string;
  /** Where batos keeps its state; it may be missing. */
  readonly folder: string;
  /** What relative paths are meant from, where they are not meant from the root. */
  readonly #here: string;

  /**
   * @param root an existing folder
   * @param folder its state folder
   * @param here folder of whoever types paths
   */
  constructor(root: string, folder: string, here = Deno.cwd()) {
    this.root = root;
    this.folder = folder;
    this.#here = here;
  }

  /**
   * The folder that somebody named as a repository.
   * @throws {CommandError} when it is no folder
   */
  static resolveRoot(given: string): string {
    try {
      const root = Deno.realPathSync(given);
      if (Deno.statSync(root).isDirectory) return root;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new CommandError(`--repo "${given}": no such folder; name the folder of a repository`);
    }
    throw new CommandError(`--repo "${given}": it is a file; name the folder of a repository`);
  }

  /** Whether there is an index file, complete or not. */
  get hasIndex(): boolean {
    return existsSync(join(this.folder, "image.db"));
  }

  /** Subfolder that the workspace is limited to; empty for all of it. */
  get limit(): string {
    return readSettings(this.folder).root;
  }

  set limit(path: string) {
    writeSettings(this.folder, { ...readSettings(this.folder), root: path });
  }

  /** Name of the embedder that the settings name; undefined where they name none. Setting it is choosing it. */
  get embedder(): string | undefined {
    return readSettings(this.folder).embedder;
  }

  set embedder(name: string | undefined) {
    if (name !== undefined) noteChosen(name, this.root);
    writeSettings(this.folder, { ...readSettings(this.folder), embedder: name });
  }

  /** Name of the model that the settings name; undefined where they name none. Setting it is choosing it. */
  get model(): string | undefined {
    return readSettings(this.folder).model;
  }

  set model(name: string | undefined) {
    if (name !== undefined) noteChosen(name, this.root);
    writeSettings(this.folder, { ...readSettings(this.folder), model: name });
  }

  /** Whether a path is in what the workspace is limited to. */
  isWithinLimit(path: string, limit = this.limit): boolean {
    return limit === "" || path === limit || path.startsWith(`${limit}/`);
  }

  /** Whether something is there. */
  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  /**
   * A path that somebody typed. Relative paths are meant from the root, or from the current folder where they begin with a
   * dot, or where nothing is found from the root.
   * @throws {CommandError} when it leads outside
   */
  path(given: string, exists: (path: string) => boolean = (path) => this.has(path)): string {
    const here = relative(this.root, realFolder(resolve(this.#here, given)));
    const fromRoot = relative(this.root, resolve(this.root, given));
    const dotted = /^\.{1,2}([\\/]|$)/.test(given);
    const candidates = (isAbsolute(given) || dotted ? [here, fromRoot] : [fromRoot, here])
      .map((path) => path.replaceAll("\\", "/"))
      .filter((path) => path !== ".." && !path.startsWith("../") && !isAbsolute(path));
    if (candidates.length === 0) {
      throw new CommandError(`"${given}": outside the workspace "${this.root}"; name a path in it`);
    }
    return candidates.find(exists) ?? candidates[0]!;
  }

  /**
   * A folder that somebody typed, empty for the root itself.
   * @throws {CommandError} when there is none
   */
  subfolder(given: string): string {
    const isFolder = (path: string) =>
      this.has(path) && Deno.statSync(join(this.root, path)).isDirectory;
    const path = this.path(given, isFolder);
    if (!isFolder(path)) {
      throw new CommandError(`--root "${given}": no such folder in "${this.root}"`);
    }
    return path;
  }

  /**
   * Bytes of a file.
   * @throws {CommandError} when there is none, a link to it leads outside, or it is batos's own state
   */
  read(path: string): Uint8Array<ArrayBuffer> {
    try {
      const real = Deno.realPathSync(join(this.root, path));
      const inner = relative(this.root, real).replaceAll("\\", "/");
      if (inner === ".." || inner.startsWith("../") || isAbsolute(inner)) {
        throw new CommandError(
          `"${path}": a link that leads out of the workspace; name a file in it`,
        );
      }
      // Wherever it stands: a folder in this workspace may be one of its own, with keys of its own.
      if (inner.toLowerCase().split("/").includes(".batos") && !TRAIL_FILE.test(inner)) {
        throw new CommandError(
          `"${path}": batos keeps its own state and keys there; "batos audit" shows the trail, "batos image" the objects`,
        );
      }
      if (!Deno.statSync(real).isFile) throw new CommandError(`"${path}": not a file; name one`);
      return Deno.readFileSync(real);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
        throw new CommandError(`"${path}": no such file in "${this.root}"`);
      }
      if (error instanceof Deno.errors.FilesystemLoop) {
        throw new CommandError(`"${path}": a link that goes in a circle; name a file`);
      }
      throw error;
    }
  }

  /**
   * Makes sure that the state folder can be written, or made.
   * @throws {CommandError} when it cannot
   */
  requireWritable(): void {
    const problem = writeProblem(this.folder, true);
    if (problem === undefined) return;
    throw new CommandError(
      `cannot write "${this.folder}", where the index lives: ${problem}; give the right to write there, or copy the repository`,
    );
  }

  /**
   * Takes the lock of the only writer, and says so when somebody else has it.
   * @throws {WorkspaceLockedError} when the time is up
   */
  async lock(command: string, timeoutMs: number, context: HandlerContext): Promise<WorkspaceLock> {
    return await WorkspaceLock.acquire(join(this.folder, "lock"), {
      command: `batos ${command}`,
      timeoutMs,
      signal: context.signal,
      onWait: (holder) => {
        context.progress({
          phase: "waiting for",
          detail: describeHolder(holder),
          note: true,
        });
      },
    });
  }
}

/** A path whose folder is written without links, as the root is; a link at its end stays one. */
function realFolder(path: string): string {
  try {
    return join(Deno.realPathSync(dirname(resolve(path))), basename(resolve(path)));
  } catch {
    return path;
  }
}

/** SHA-256 as lower-case hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** The nearest folder at or above `start` that has a `.batos` folder or a `.git`; else `start`, or the folder of that file. */
export function findWorkspace(start: string): { root: string; git: boolean } {
  const from = resolve(start);
  const marked = findUpward(from, (folder) => isFolder(join(folder, ".batos")) || hasGit(folder));
  const root = marked ?? (isFolder(from) ? from : dirname(from));
  return { root, git: findUpward(root, hasGit) !== undefined };
}

function findUpward(start: string, found: (folder: string) => boolean): string | undefined {
  for (let folder = start;; folder = dirname(folder)) {
    if (found(folder)) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function isFolder(path: string): boolean {
  return entry(path)?.isDirectory ?? false;
}

/** A work tree of its own; a submodule or a linked one has a file of that name. */
function hasGit(folder: string): boolean {
  return entry(join(folder, ".git")) !== undefined;
}

function entry(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    // Missing, below a file, or not ours to look at: nothing of a workspace.
    return undefined;
  }
}
