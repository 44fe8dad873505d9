/**
 * The file of an image that may be damaged: what is wrong with it, and how what can be read gets into a new one.
 *
 * Owns the exchange of the file; `damaged_image.ts` reads past damage. What must hold: the old file is never changed, and kept under
 * another name; at every moment a complete file has the name, the old one or the new one; what could not be saved is counted and named.
 */
import { constants, copyFileSync, existsSync, linkSync, renameSync, rmSync } from "node:fs";
import type { BlobFolder } from "./blobs.ts";
import { checkImage, type CheckOptions, type CheckReport } from "./check.ts";
import { DamagedImageError, NoImageError } from "./errors.ts";
import type { StoreProblem } from "./image_store.ts";
import { DamagedImage, withoutRemedy } from "./damaged_image.ts";
import { restoreLostObjects } from "./genesis.ts";
import { Image } from "./image.ts";
import { LOBBY_OID } from "./primitives.ts";
import { SqliteImageStore } from "./sqlite_store.ts";

/** What was saved. */
export interface RescueReport {
  /** Where the damaged file is now. */
  readonly aside: string;
  /** Objects that are there now. */
  readonly objects: number;
  readonly revisions: number;
  readonly transactions: number;
  /** What was found and could not be saved. Of records on pages that are gone nobody knows how many there were. */
  readonly lost: readonly StoreProblem[];
}

/**
 * Reads everything in the file and says what is wrong; a file that cannot be opened as it should is read as far as possible.
 *
 * @throws {NoImageError} when a whole file holds no image
 * @throws {NewerImageError} when a later version wrote it
 */
export async function checkImageFile(
  path: string,
  blobs: BlobFolder,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const opened = openStore(path);
  if (opened === undefined) throw new NoImageError(`check the image "${path}": it holds none`);
  if (!("problem" in opened)) {
    try {
      return await checkImage(opened, blobs, options);
    } finally {
      opened.close();
    }
  }
  using damaged = new DamagedImage(path, options);
  await damaged.look();
  // What kept it from being opened is mostly what is found first; where it is not found at all, it is all there is to say.
  const problems = damaged.lost.length > 0 ? damaged.lost : [opened];
  return { ...damaged.counts, blobs: 0, problems };
}

/**
 * Puts a new file with everything that can be read of the image in the place of a damaged one. The index is not taken along.
 * Call it with the lock of the workspace held.
 *
 * @param path of the file; need not be there
 * @returns undefined when nothing is wrong with it, or it is not there; then nothing was done
 * @throws {ImageError} when there is no room for the new file; then nothing was done
 * @throws the reason of the signal; then nothing was done
 */
export async function rescueImage(
  path: string,
  options: CheckOptions = {},
): Promise<RescueReport | undefined> {
  if (!existsSync(path)) return undefined;
  const fresh = `${path}.rescued`;
  removeDatabase(fresh); // of a rescue that was killed
  try {
    let saved: Omit<RescueReport, "aside">;
    {
      using damaged = new DamagedImage(path, options);
      await damaged.look();
      if (damaged.lost.length === 0) {
        const opened = openStore(path);
        if (opened === undefined) return undefined;
        if (!("problem" in opened)) return void opened.close();
        damaged.lost.push(opened);
      }
      saved = { ...damaged.counts, lost: [...damaged.lost] };
      if (saved.revisions > 0) await copy(damaged, fresh);
    }
    return { aside: moveAside(path, saved.revisions > 0 ? fresh : undefined), ...saved };
  } finally {
    removeDatabase(fresh);
  }
}

/**
 * The store in the file, or what keeps it from being opened, which is not always something that is lost: a wrong number of pages is enough.
 * @returns undefined when it holds no image
 */
function openStore(path: string): SqliteImageStore | StoreProblem | undefined {
  let store: SqliteImageStore | undefined;
  try {
    store = new SqliteImageStore(path, { readOnly: true });
    if (store.newestTransaction() > 0) return store;
  } catch (error) {
    store?.close();
    if (error instanceof DamagedImageError) return { problem: withoutRemedy(error) };
    if (error instanceof NoImageError) return undefined;
    throw error;
  }
  store.close();
}

/** Writes what was read into a new file, and what the kernel needs of its own. */
async function copy(damaged: DamagedImage, path: string): Promise<void> {
  const to = new SqliteImageStore(path);
  try {
    for await (const { info, revisions } of damaged.transactions()) to.restore(info, revisions);
    const newest = to.newestTransaction();
    const packed = Math.min(damaged.packedTo, newest);
    if (packed > 0) to.drop(packed, () => ({ revisions: [], transactions: [] }));
    const hasLobby = to.load(LOBBY_OID, newest)?.data != null;
    using image = await Image.open(to);
    await image.transact((unit) => restoreLostObjects(unit, hasLobby), {
      user: "kernel",
      description: "read from a damaged file",
    });
  } finally {
    to.close();
  }
}

/** Gives the file another name, and its own to another file where there is one. */
function moveAside(path: string, fresh?: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
  // What can fail comes first, while the file and its log are as they were.
  if (fresh !== undefined) giveSecondName(path, aside);
  // The log goes before the file: SQLite would take it for that of the new one. What it held was read.
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  rmSync(`${path}-shm`, { force: true });
  if (fresh === undefined) renameSync(path, aside);
  else renameSync(fresh, path);
  return aside;
}

/** A link, or a copy on file systems that have no links (FAT, some network drives). */
function giveSecondName(path: string, other: string): void {
  try {
    linkSync(path, other);
  } catch {
    copyFileSync(path, other, constants.COPYFILE_EXCL);
  }
}

function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
