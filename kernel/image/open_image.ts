/**
 * An image opened where it lives: one file of a workspace, among other processes.
 *
 * Owns who may write when. `exclusive` holds the lock of the workspace for as long as the image is open, so a second one is refused
 * with the holder's name; `shared` takes it for each commit and waits a bounded time, so two processes can work side by side and
 * find each other's changes; `read` writes nothing. What must hold: nobody commits without the lock; it is never held while somebody
 * thinks.
 */
import { dirname, join } from "node:path";
import { RepeatedLock, WorkspaceLock } from "../workspace_lock.ts";
import { BlobFolder } from "./blobs.ts";
import { Image } from "./image.ts";
import { MemoryImageStore } from "./memory_store.ts";
import { SqliteImageStore } from "./sqlite_store.ts";

/** Who else may write while this image is open: nobody, others between our commits; or we do not. */
export type ImageMode = "exclusive" | "shared" | "read";

/** How an image is opened. */
export interface OpenImageOptions {
  readonly mode: ImageMode;
  /** What other processes are told about this one; "batos" by default. */
  readonly command?: string;
  /** How long to wait for the lock; by default not at all for `exclusive`, 60 s for each commit of `shared`. */
  readonly waitMs?: number;
  /** Says that this process holds the lock of the workspace already, and keeps it over what is done now. */
  readonly isLocked?: () => boolean;
  /** Where blobs are kept; `blobs` beside the file by default. */
  readonly blobs?: BlobFolder;
}

/** An ingest may hold the lock for a while. */
const COMMIT_WAIT_MS = 60_000;

/**
 * Opens the image in the file at `path`, usually `.batos/image.db`; makes it where there is none. Dispose of it.
 *
 * @throws {WorkspaceLockedError} in mode `exclusive`, when another process holds the lock
 * @throws {NewerImageError} when a later version wrote it
 * @throws {DamagedImageError} when the file cannot be read
 * @throws {ImageError} in mode `read`, when there is no image
 */
export async function openImage(path: string, options: OpenImageOptions): Promise<Image> {
  const { mode, command = "batos", isLocked = () => false } = options;
  const lockPath = join(dirname(path), "lock");
  const { blobs = new BlobFolder(join(dirname(path), "blobs")) } = options;
  if (mode === "read") {
    return await Image.open(new SqliteImageStore(path, { readOnly: true }), { blobs });
  }
  if (mode === "exclusive") {
    const lock = isLocked() ? undefined : await WorkspaceLock.acquire(lockPath, {
      command,
      timeoutMs: options.waitMs ?? 0,
    });
    const release = () => lock?.[Symbol.dispose]();
    try {
      prepareFolder(dirname(path));
      return await Image.open(new SqliteImageStore(path), {
        blobs,
        onClose: release,
      });
    } catch (error) {
      release();
      throw error;
    }
  }
  prepareFolder(dirname(path));
  const queue = new Queue();
  const lock = new RepeatedLock(lockPath, command);
  return await Image.open(new SqliteImageStore(path), {
    blobs,
    // Behind a commit that is on its way.
    onClose: () => void queue.add(() => Promise.resolve(lock[Symbol.dispose]())),
    // In line within this process: two of its units would only wait for each other's lock in steps.
    exclusively: (_action, commit) =>
      queue.add(async () =>
        isLocked() ? commit() : await lock.hold(options.waitMs ?? COMMIT_WAIT_MS, commit)
      ),
  });
}

/** An image that lives as long as the process: for examples and tests. */
export async function openMemoryImage(): Promise<Image> {
  return await Image.open(new MemoryImageStore());
}

/** The folder, which ignores itself: what is kept here is nobody's to commit. */
function prepareFolder(folder: string): void {
  Deno.mkdirSync(folder, { recursive: true });
  try {
    Deno.writeTextFileSync(join(folder, ".gitignore"), "*\n", { createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** One after the other. */
class Queue {
  #last: Promise<unknown> = Promise.resolve();

  add<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
