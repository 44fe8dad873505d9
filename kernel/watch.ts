/**
 * Tells which paths of a folder change, in batches.
 *
 * Owns the waiting and nothing else: it reads no file. What must hold: every change is told at least once, after it
 * happened; what version control and batos itself write is never told; nothing at the top that is not told is watched. That is more
 * than thrift: Deno opens each file of which it tells a change, and a process that closes a file of SQLite's, whoever opened it, loses
 * the locks that it holds on it (https://www.sqlite.org/howtocorrupt.html, section 2.2). Watching `.batos` damaged indexes.
 */
import { join, relative } from "node:path";

/** Silence after which a batch is complete: an editor's save and a branch switch come as bursts of events. */
const QUIET_MS = 150;

/** A burst that never ends is told in parts. */
const MAX_BATCH_MS = 2_000;

/** Folders whose changes are not told: what is in them is either written by batos or means nothing to it. */
const UNWATCHED = [".git", ".batos", "node_modules"];

/**
 * Yields batches of changed paths, relative to the folder and `/`-separated, until the signal is aborted.
 *
 * @param folder absolute path
 * @throws {Deno.errors.NotFound} when there is no such folder; whatever Deno says when no more can be watched
 */
export async function* watchFolder(folder: string, signal: AbortSignal): AsyncGenerator<string[]> {
  if (signal.aborted) return;
  const changed = new Set<string>();
  let wake = () => {};
  let ended = false;
  const stop = () => {
    ended = true;
    wake();
  };
  const top = Deno.watchFs(folder, { recursive: false });
  const reading = new Set<Promise<void>>();
  let failure: unknown;
  const read = async (watcher: Deno.FsWatcher) => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access") continue;
      for (const path of paths) {
        const inner = relative(folder, path).replaceAll("\\", "/");
        if (inner === "" || inner.split("/").some((part) => UNWATCHED.includes(part))) continue;
        changed.add(inner);
        const isFolder = below.names.includes(inner) || foldersAt(folder).includes(inner);
        if (watcher === top && kind !== "modify" && isFolder) below = renew(below);
      }
      if (changed.size > 0) wake();
    }
  };
  // The new watch begins before the old one ends; what happened in a folder before it was watched is told with the folder.
  const renew = (old?: Below): Below => {
    const { names, watcher } = watchBelow(folder);
    for (const name of names) if (old && !old.names.includes(name)) changed.add(name);
    if (watcher) {
      const done: Promise<void> = read(watcher).catch(() => {}).then(() =>
        void reading.delete(done)
      );
      reading.add(done);
    }
    close(old?.watcher);
    return { names, watcher };
  };
  let below: Below;
  try {
    below = renew();
  } catch (error) {
    close(top);
    throw error;
  }
  signal.addEventListener("abort", stop);
  const reader = read(top).catch((error) => failure = error).then(stop);
  try {
    while (!ended) {
      if (changed.size === 0) await new Promise<void>((done) => wake = done);
      wake = () => {};
      const begin = performance.now();
      // A batch is complete when nothing was added to it for a while.
      for (
        let before = -1;
        changed.size !== before && !ended && performance.now() - begin < MAX_BATCH_MS;
      ) {
        before = changed.size;
        await new Promise((done) => setTimeout(done, QUIET_MS));
      }
      if (ended || changed.size === 0) continue;
      const batch = [...changed];
      changed.clear();
      yield batch;
    }
    if (failure !== undefined) throw failure;
  } finally {
    signal.removeEventListener("abort", stop);
    close(top);
    close(below.watcher);
    await Promise.all([reader, ...reading]);
  }
}

/** The folders at the top, and what watches everything in them; nothing where there is none. */
interface Below {
  readonly names: readonly string[];
  readonly watcher: Deno.FsWatcher | undefined;
}

/** Watches the folders that are there now; one that vanishes at this moment is left out. */
function watchBelow(folder: string): Below {
  for (;;) {
    const names = foldersAt(folder);
    if (names.length === 0) return { names, watcher: undefined };
    try {
      const paths = names.map((name) => join(folder, name));
      return { names, watcher: Deno.watchFs(paths, { recursive: true }) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Names of the folders at the top of which changes are told. */
function foldersAt(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ name, isDirectory }) =>
      isDirectory && !UNWATCHED.includes(name)
    ).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // The watch of the folder itself tells that it is gone.
    return [];
  }
}

function close(watcher: Deno.FsWatcher | undefined): void {
  try {
    watcher?.close();
  } catch {
    // It closed itself because the folder is gone.
  }
}
