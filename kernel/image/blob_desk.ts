/**
 * Where blobs are written before anybody sees them, and what is swept from there.
 *
 * Owns the folder `pending/` of a folder of blobs:
 *
 *     <desk>.lock   locked by its writer for as long as it has anything pending; empty
 *     <desk>-<n>    a blob, in part or whole
 *
 * A desk belongs to one `BlobFolder` of one process and has a random name. Its lock is the operating system's lock on the open
 * file and ends with the process, so whatever lies on a desk whose lock is free was left by a writer that was killed. What must
 * hold: the lock file is made before anything else of a desk and removed after it; a desk that is held is never swept.
 */
import { basename, dirname, join } from "node:path";

/** Only the owner of the workspace reads what it holds. */
export const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const LOCK = ".lock";

/** A file name on a desk, given back by `clear`, which removes the file where it still is. */
export interface Place {
  readonly path: string;
  clear(): void;
}

/** The desk of one writer: there while anything is pending on it, gone afterwards. */
export class BlobDesk {
  /** The folder of all desks. */
  readonly #folder: string;
  #swept = false;
  /** What holds now: no handle is open while nothing is pending. */
  #held: { readonly path: string; readonly lock: Deno.FsFile } | undefined;
  #places = 0;
  #count = 0;

  /** @param folder of the blobs; need not exist */
  constructor(folder: string) {
    this.#folder = join(folder, "pending");
  }

  /** A new place; makes the folders and sweeps them when it is the first one. */
  take(): Place {
    if (!isFolder(this.#folder)) {
      Deno.mkdirSync(this.#folder, { recursive: true, mode: FOLDER_MODE });
      // The name of each folder is an entry of the one above.
      syncFolder(dirname(this.#folder));
      syncFolder(dirname(dirname(this.#folder)));
    }
    if (!this.#swept) this.sweep();
    this.#held ??= hold(this.#folder);
    const path = `${this.#held.path}-${this.#count++}`;
    this.#places++;
    let isTaken = true;
    return {
      path,
      clear: () => {
        if (!isTaken) return;
        isTaken = false;
        removeFile(path);
        if (--this.#places === 0) this.#leave();
      },
    };
  }

  /** Removes what killed writers left; gives how many files of blobs. */
  sweep(): number {
    this.#swept = true;
    const desks = Map.groupBy(namesIn(this.#folder), deskOf);
    let removed = 0;
    for (const [desk, names] of desks) {
      const path = join(this.#folder, desk + LOCK);
      const lock = lockIfFree(path);
      if (lock === "held") continue;
      for (const name of names) {
        if (!name.endsWith(LOCK) && removeFile(join(this.#folder, name))) removed++;
      }
      // Still locked: otherwise a file that is left here would for a moment belong to nobody.
      removeFile(path);
      lock?.close();
    }
    return removed;
  }

  #leave(): void {
    const { path, lock } = this.#held!;
    this.#held = undefined;
    removeFile(path + LOCK);
    lock.close();
  }
}

/** The names of the files in a folder; none where there is no folder. */
export function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** What the system says of a file; nothing where there is none. */
export function statFile(path: string): Deno.FileInfo | undefined {
  try {
    const stat = Deno.statSync(path);
    return stat.isFile ? stat : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Removes a file; gives whether there was one. */
export function removeFile(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Makes the names in a folder outlast a power cut. Windows has no such call, and flushes names by itself. */
export function syncFolder(folder: string): void {
  if (Deno.build.os === "windows") return;
  const file = Deno.openSync(folder, { read: true });
  try {
    file.syncSync();
  } finally {
    file.close();
  }
}

function hold(folder: string): { path: string; lock: Deno.FsFile } {
  for (;;) {
    const path = join(folder, crypto.randomUUID());
    const lock = Deno.openSync(path + LOCK, {
      read: true,
      write: true,
      createNew: true,
      mode: FILE_MODE,
    });
    // Between the two calls a sweep may have taken the file for a leftover.
    if (lock.tryLockSync(true) && statFile(path + LOCK) !== undefined) return { path, lock };
    lock.close();
  }
}

/** The desk that a file belongs to. */
function deskOf(name: string): string {
  return name.endsWith(LOCK) ? basename(name, LOCK) : name.replace(/-\d+$/, "");
}

/** The locked file where its holder is gone, nothing where there is no file. */
function lockIfFree(path: string): Deno.FsFile | "held" | undefined {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  return "held";
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
