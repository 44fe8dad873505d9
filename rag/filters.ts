/**
 * Filters of a search as the chunks that pass them: by path, language, kind, symbol.
 *
 * Owns what a glob of `--path` means. What must hold: filters act before the ranking, on every chunk of the index.
 */
import picomatch from "picomatch";
import type { IndexView } from "./index_view.ts";
import type { Store } from "./store.ts";
import type { Filters } from "./types.ts";

/** One bit a chunk: whether it passes the filters; undefined when there are none. */
export function allowedChunks(
  filters: Filters,
  view: IndexView,
  store: Store,
): Uint8Array | undefined {
  const { path, language, kind, symbol } = filters;
  if (path === undefined && !language && !kind && !symbol) return undefined;
  const allowed = new Uint8Array(view.lengths.length);
  const matches = path === undefined ? () => true : pathMatcher(path);
  for (const file of view.fileRows()) {
    if (language && file.language !== language) continue;
    if (matches(file.path)) allowed.fill(1, file.firstChunk, file.firstChunk + file.chunkCount);
  }
  if (kind) keepOnly(allowed, store.chunkIdsOfKind(kind));
  if (symbol) {
    const ids = store.definitionsNamed(symbol).flatMap((definition) => {
      const file = view.file(definition.file);
      const chunk = file &&
        store.chunksOf(file).find((chunk) => definition.nameStart < chunk.end);
      return chunk ? [chunk.id] : [];
    });
    keepOnly(allowed, ids);
  }
  return allowed;
}

function keepOnly(allowed: Uint8Array, ids: readonly number[]): void {
  const keep = new Uint8Array(allowed.length);
  for (const id of ids) if (allowed[id]) keep[id] = 1;
  allowed.set(keep);
}

/** A glob over relative paths; a plain folder name means everything below it. */
function pathMatcher(glob: string): (path: string) => boolean {
  const pattern = glob.replace(/^\.\//, "").replace(/\/$/, "");
  const matches = picomatch([pattern, `${pattern}/**`], { dot: true });
  // A pattern without a folder means that name anywhere, as in ignore files.
  const anywhere = pattern.includes("/") ? undefined : picomatch(`**/${pattern}`, { dot: true });
  return (path) => matches(path) || (anywhere?.(path) ?? false);
}
