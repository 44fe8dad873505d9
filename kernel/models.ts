/**
 * The models on this machine: brought once from a hub or an address, then there for every workspace, without a network.
 *
 * Owns the folder of models (in the user's cache), the form of a reference to a model, and the manifest `model.json` beside the
 * files of each. What must hold:
 * - `find` and `list` never use the network;
 * - a model is found only when every file of it is there in the size that was recorded after its digest was checked;
 * - all files of a model are of one revision;
 * - one process at a time changes a model; no file name of a hub leads out of the model's folder;
 * - a person's own files, referred to by path, are never written or removed.
 */
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { download, type DownloadProgress, type FreeBytes, requireSpace } from "./model_download.ts";
import { Hub, type HubOptions, type RemoteFile } from "./model_hub.ts";
import {
  folderName,
  formatReference,
  MAIN_REVISION,
  MANIFEST,
  ModelError,
  type ModelReference,
  ownFiles,
  parseReference,
  PUBLIC_HUB,
  showReference,
  unsafeName,
} from "./model_reference.ts";
import { userCache } from "./user_cache.ts";
import { type LockHolder, WorkspaceLock } from "./workspace_lock.ts";

/** Which files of a folder model are wanted, `/`-separated; an optional one may be missing at the hub. */
export interface ModelFiles {
  readonly required: readonly string[];
  readonly optional?: readonly string[];
}

/** How a model is brought. */
export interface PullOptions {
  /** For a reference to a folder; a reference to a file says itself what is wanted. */
  readonly files?: ModelFiles;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called once when another process is bringing the same model, which is then waited for. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
  readonly signal?: AbortSignal;
  /** What to run where this process may not connect or write; takes the place of the store's own. */
  readonly howToPermit?: string;
}

/** Where models are kept and where they come from; nothing needs to be named. */
export interface ModelStoreOptions extends Omit<HubOptions, "hub"> {
  /** That of the user's cache by default. */
  readonly folder?: string;
  /** Base address; by default what the variable HF_ENDPOINT names, else the public hub. `token` is that of HF_TOKEN. */
  readonly hub?: string;
  /** Asks the file system by default. */
  readonly freeBytes?: FreeBytes;
}

/** A model of the store. */
export interface StoredModel {
  /** As `find`, `pull` and `remove` take it. */
  readonly reference: string;
  /** The file to open, or the folder of a folder model. */
  readonly path: string;
  /** Commit at the hub, where the hub says it. */
  readonly revision: string | undefined;
  /** On disk, parts of an unfinished pull included. */
  readonly bytes: number;
  /** ISO 8601; when the last file came. */
  readonly date: string;
  /** Whether it can be used as it is. */
  readonly complete: boolean;
  readonly files: readonly ModelFile[];
}

const fileSchema = z.object({
  /** `/`-separated, within the folder of the model. */
  path: z.string().refine((path) => unsafeName(path) === undefined),
  size: z.number().int().nonnegative(),
  /** Lower-case hexadecimal. */
  sha256: z.string(),
});

/** A file of a model that was checked when it came. */
export type ModelFile = Readonly<z.output<typeof fileSchema>>;

const manifestSchema = z.object({
  reference: z.string(),
  revision: z.string().optional(),
  files: z.array(fileSchema),
  /** Optional files that the hub does not have. */
  absent: z.array(z.string()),
  complete: z.boolean(),
  date: z.string(),
});

type Manifest = z.output<typeof manifestSchema>;

/** Folder of the lock files; a lock file outlives its model, see `workspace_lock.ts`. */
const LOCKS = ".locks";

/** See the module text. */
export class ModelStore {
  /** Absolute; it may be missing until the first pull. */
  readonly path: string;
  readonly #hub: HubOptions;
  readonly #freeBytes: FreeBytes | undefined;

  /**
   * @throws {ModelError} when there is no place for a cache, or the address or the token of the hub cannot be one
   */
  constructor({ folder, hub, freeBytes, ...rest }: ModelStoreOptions = {}) {
    this.path = resolve(folder ?? join(userCache(), "models"));
    const address = hub ?? (Deno.env.get("HF_ENDPOINT") || PUBLIC_HUB);
    const url = URL.parse(address.replace(/\/*$/, "/"));
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new ModelError(
        `hub address "${address}" (HF_ENDPOINT): not a web address, expected one such as "${PUBLIC_HUB}"`,
      );
    }
    const token = (rest.token ?? Deno.env.get("HF_TOKEN") ?? "").trim();
    if (!/^[\x21-\x7e]*$/.test(token)) {
      throw new ModelError("token of the hub (HF_TOKEN): holds characters that no token has");
    }
    this.#hub = { ...rest, token, hub: url };
    this.#freeBytes = freeBytes;
  }

  /**
   * Makes sure that a model is here, and says where: the file, the first part of a split one, or the folder. What is here
   * already is not asked for again, whatever has changed at the hub; `remove` it to have it anew.
   *
   * @throws {ModelError} when it cannot be had
   * @throws the reason of the signal; what has come stays, and the next pull goes on from there
   */
  async pull(reference: string, options: PullOptions = {}): Promise<string> {
    const parsed = parseReference(reference);
    if (parsed.kind === "path") return requireLocal(parsed.path);
    const wanted = wantedFiles(parsed, options.files);
    const there = () => this.#whole(parsed, wanted.required, wanted.optional);
    const { howToPermit = this.#hub.howToPermit } = options;
    const shown = showReference(parsed);
    const already = there();
    if (already !== undefined) return already;
    try {
      using _lock = await this.#lock(parsed, Infinity, options);
      // Another process may have brought it while this one waited.
      if (there() === undefined) {
        try {
          await this.#bring(parsed, shown, wanted, options, howToPermit);
        } catch (error) {
          // Under the lock: another process may wait to bring the same.
          removeIfEmpty(this.#folder(parsed));
          throw error;
        }
      }
    } catch (error) {
      if (isForbidden(error)) {
        const remedy = error instanceof Deno.errors.PermissionDenied
          ? "give the right to write there"
          : howToPermit ?? `start it with --allow-write="${this.path}"`;
        throw new ModelError(
          `pull "${shown}": this process may not write "${this.path}"; ${remedy}`,
          "denied",
          { cause: error },
        );
      }
      if (error instanceof ModelError && error.kind === "unreachable") {
        throw new ModelError(`${error.message}; ${this.#inventory()}`, error.kind, {
          cause: error,
        });
      }
      throw error;
    }
    return this.#place(parsed);
  }

  /**
   * Where a model is that can be used without a network; nothing when it is not here, or not all of it.
   *
   * @param required files that must be there; by default those of the last pull
   * @throws {ModelError} when the reference is none
   */
  find(reference: string, required?: readonly string[]): string | undefined {
    const parsed = parseReference(reference);
    if (parsed.kind === "path") return localPath(parsed.path);
    return this.#whole(parsed, required ?? ownFiles(parsed));
  }

  /** The models here, by reference; unfinished ones too. */
  list(): StoredModel[] {
    const models: StoredModel[] = [];
    for (const entry of entries(this.path)) {
      const folder = join(this.path, entry.name);
      const manifest = entry.isDirectory ? readManifest(folder) : undefined;
      if (manifest === undefined) continue;
      const { reference, revision, date, complete, files } = manifest;
      const parsed = parseReference(reference);
      // A copy that somebody put here under another name would not be found.
      if (folderName(parsed) !== entry.name) continue;
      models.push({
        reference,
        path: this.#place(parsed),
        revision,
        bytes: sizeOf(folder),
        date,
        complete: complete && files.every((file) => isThere(folder, file)),
        files,
      });
    }
    return models.sort((a, b) => a.reference < b.reference ? -1 : 1);
  }

  /**
   * Removes a model from the store, finished or not; says whether there was one.
   * @throws {ModelError} for a path, which is no part of the store
   * @throws {WorkspaceLockedError} while a process brings it
   */
  async remove(reference: string): Promise<boolean> {
    const parsed = parseReference(reference);
    if (parsed.kind === "path") {
      throw new ModelError(
        `remove "${reference}": a file of yours, not of the store "${this.path}"; remove it yourself`,
      );
    }
    const folder = this.#folder(parsed);
    if (entries(folder).length === 0) return false;
    using _lock = await this.#lock(parsed, 0);
    // First, so that a removal that is cut short leaves nothing that looks whole.
    removeIfThere(join(folder, MANIFEST));
    removeIfThere(folder);
    return true;
  }

  async #bring(
    reference: ModelReference,
    shown: string,
    wanted: Wanted,
    { signal, onProgress }: PullOptions,
    howToPermit: string | undefined,
  ): Promise<void> {
    const hub = new Hub({ ...this.#hub, howToPermit });
    const freeBytes = this.#freeBytes;
    const folder = this.#folder(reference);
    Deno.mkdirSync(folder, { recursive: true });
    const before = readManifest(folder);
    const manifest: Manifest = {
      reference: formatReference(reference),
      files: before?.files.filter((file) => isThere(folder, file)) ?? [],
      absent: [],
      complete: false,
      date: new Date().toISOString(),
    };
    // What joins files that are here must be of their revision, even where the branch has moved since.
    if (before !== undefined && manifest.files.length > 0) {
      manifest.revision = before.revision;
      manifest.absent = before.absent.filter((file) => !wanted.required.includes(file));
    }
    const request = (file: string) => ({
      url: this.#url(reference, file, manifest.revision),
      model: shown,
      file,
      signal,
    });
    const note = () => {
      manifest.date = new Date().toISOString();
      writeManifest(folder, manifest);
    };
    /** The result of asking for a file; nothing where it is optional and the hub has none. */
    const unlessAbsent = async <T>(file: string, ask: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await ask();
      } catch (error) {
        const isMissing = error instanceof ModelError && error.kind === "missing";
        if (!isMissing || !wanted.optional.includes(file)) throw error;
        manifest.absent.push(file);
        return undefined;
      }
    };
    note();

    let missing = [...wanted.required, ...wanted.optional].filter((file) =>
      !manifest.absent.includes(file) && !manifest.files.some(({ path }) => path === file)
    );
    if (missing.length > 1) {
      // Before the first of many: whether all are to be had, of which revision, and whether they fit.
      let needed = 0;
      for (const file of missing) {
        const facts = await unlessAbsent<RemoteFile>(file, () => hub.look(request(file)));
        manifest.revision ??= facts?.commit;
        needed += Math.max(0, (facts?.size ?? 0) - sizeOf(`${join(folder, file)}.part`));
      }
      await requireSpace(needed, folder, shown, freeBytes);
      missing = missing.filter((file) => !manifest.absent.includes(file));
    }
    for (const file of missing) {
      const target = join(folder, file);
      Deno.mkdirSync(dirname(target), { recursive: true });
      const brought = await unlessAbsent(
        file,
        () => download(hub, request(file), target, { onProgress, freeBytes }),
      );
      if (brought === undefined) continue;
      manifest.revision ??= brought.commit;
      manifest.files.push({ path: file, size: brought.size, sha256: brought.sha256 });
      note();
    }
    manifest.complete = true;
    note();
  }

  /** Where the model is, if all these files are; by the word of the last pull where none are named. */
  #whole(
    reference: ModelReference,
    required: readonly string[],
    optional: readonly string[] = [],
  ): string | undefined {
    const folder = this.#folder(reference);
    const manifest = readManifest(folder);
    if (manifest === undefined) return undefined;
    const { absent, complete, files } = manifest;
    const isHere = (path: string) =>
      files.some((file) => file.path === path && isThere(folder, file));
    const whole = required.length > 0
      ? required.every(isHere) && optional.every((path) => absent.includes(path) || isHere(path))
      : complete && files.every((file) => isThere(folder, file));
    return whole ? this.#place(reference) : undefined;
  }

  /** What a caller opens. */
  #place(reference: ModelReference): string {
    const folder = this.#folder(reference);
    const [first] = ownFiles(reference);
    return first === undefined ? folder : join(folder, first);
  }

  #folder(reference: ModelReference): string {
    return join(this.path, folderName(reference));
  }

  async #lock(
    reference: ModelReference,
    timeoutMs: number,
    { onWait, signal }: PullOptions = {},
  ): Promise<WorkspaceLock> {
    return await WorkspaceLock.acquire(join(this.path, LOCKS, folderName(reference)), {
      command: `model ${showReference(reference)}`,
      timeoutMs,
      signal,
      onWait,
    });
  }

  #url(reference: ModelReference, file: string, commit: string | undefined): URL {
    const path = file.split("/").map(encodeURIComponent).join("/");
    if (reference.kind === "url") {
      // The parts of a split model lie side by side.
      const url = new URL(reference.url);
      url.pathname = url.pathname.replace(/[^/]*$/, path);
      return url;
    }
    if (reference.kind === "path") throw new TypeError("a path has no address");
    const { owner, repo } = reference;
    const revision = encodeURIComponent(commit ?? reference.revision ?? MAIN_REVISION);
    return new URL(`${owner}/${repo}/resolve/${revision}/${path}`, this.#hub.hub);
  }

  /** For the one who has no network: what there is. */
  #inventory(): string {
    const usable = this.list().filter(({ complete }) => complete);
    return usable.length === 0
      ? `no model is in "${this.path}" yet`
      : `here already: ${
        usable.map(({ reference }) => `"${showReference(parseReference(reference))}"`).join(", ")
      }`;
  }
}

interface Wanted {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/** What is to be brought for a reference. */
function wantedFiles(reference: ModelReference, files: ModelFiles | undefined): Wanted {
  const own = ownFiles(reference);
  if (own.length > 0) return { required: own, optional: [] };
  const { required = [], optional = [] } = files ?? {};
  const shown = formatReference(reference);
  if (required.length === 0) {
    throw new ModelError(
      `pull "${shown}": a folder of files; name the one to bring, such as "${shown}/model.gguf"`,
    );
  }
  for (const file of [...required, ...optional]) {
    const unsafe = unsafeName(file);
    if (unsafe !== undefined) {
      throw new ModelError(`pull "${shown}": the file name "${file}" ${unsafe}`);
    }
  }
  const unique = new Set(required);
  return {
    required: [...unique],
    optional: [...new Set(optional)].filter((file) => !unique.has(file)),
  };
}

function localPath(path: string): string | undefined {
  try {
    Deno.statSync(path);
    return resolve(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  }
}

function requireLocal(path: string): string {
  const found = localPath(path);
  if (found === undefined) {
    throw new ModelError(`model "${path}": no such file or folder`, "missing");
  }
  return found;
}

/** The manifest of a folder; one that cannot be read is none, and its model is brought again. */
function readManifest(folder: string): Manifest | undefined {
  try {
    const text = Deno.readTextFileSync(join(folder, MANIFEST));
    const manifest = manifestSchema.parse(JSON.parse(text));
    parseReference(manifest.reference);
    return manifest;
  } catch (error) {
    if (isForbidden(error)) throw error;
    return undefined;
  }
}

/** Whether the file system or the runtime refused. */
function isForbidden(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable;
}

function writeManifest(folder: string, manifest: Manifest): void {
  const path = join(folder, MANIFEST);
  Deno.writeTextFileSync(`${path}.part`, JSON.stringify(manifest, null, 2) + "\n");
  Deno.renameSync(`${path}.part`, path);
}

function isThere(folder: string, { path, size }: ModelFile): boolean {
  const info = infoOf(join(folder, path));
  return info?.isFile === true && info.size === size;
}

/** Bytes of a file, or of all in a folder. */
function sizeOf(path: string): number {
  const info = infoOf(path);
  if (info?.isDirectory !== true) return info?.size ?? 0;
  return entries(path).reduce((sum, { name }) => sum + sizeOf(join(path, name)), 0);
}

function infoOf(path: string): Deno.FileInfo | undefined {
  return unlessMissing(() => Deno.statSync(path));
}

function entries(folder: string): Deno.DirEntry[] {
  return unlessMissing(() => [...Deno.readDirSync(folder)]) ?? [];
}

function removeIfThere(path: string): void {
  unlessMissing(() => Deno.removeSync(path, { recursive: true }));
}

/** A pull that brought nothing leaves nothing to go on with. */
function removeIfEmpty(folder: string): void {
  const isEmpty = entries(folder).every(({ name }) => name === MANIFEST) &&
    readManifest(folder)?.files.length === 0;
  if (isEmpty) removeIfThere(folder);
}

function unlessMissing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  }
}
