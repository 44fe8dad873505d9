/**
 * Tells which paths of a folder change, in batches.
 *
 * Owns the waiting and nothing else: it reads no file. What must hold: every change is told at least once, after it
 * happened; what version control and batos itself write is never told.
 */
import { relative } from "node:path";

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
 * @throws {Deno.errors.NotFound} when there is no such folder
 */
export async function* watchFolder(folder: string, signal: AbortSignal): AsyncGenerator<string[]> {
  if (signal.aborted) return;
  using watcher = Deno.watchFs(folder, { recursive: true });
  const changed = new Set<string>();
  let wake = () => {};
  let ended = false;
  const stop = () => {
    ended = true;
    wake();
  };
  signal.addEventListener("abort", stop);
  const reading = (async () => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access") continue;
      for (const path of paths) {
        const inner = relative(folder, path).replaceAll("\\", "/");
        if (inner !== "" && !inner.split("/").some((part) => UNWATCHED.includes(part))) {
          changed.add(inner);
        }
      }
      if (changed.size > 0) wake();
    }
  })().then(stop, stop);
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
  } finally {
    signal.removeEventListener("abort", stop);
    try {
      watcher.close();
    } catch {
      // It closed itself because the folder is gone.
    }
    await reading;
  }
}
