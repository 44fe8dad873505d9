/**
 * Vectors for the chunks that lack them, by an embedder that takes its time.
 *
 * What must hold: the index is not locked while the model works; a batch is stored in one short transaction, whole or not at all, and
 * only if the index is still of the same model and its files still hold what was embedded; so a run can be interrupted anywhere, the
 * next one goes on behind the last batch, and two at once do the work twice but never mix.
 */
import type { Embedder, Passage } from "./embed/embedder.ts";
import { EmbedderError } from "./embed/embedder.ts";
import { namesOf } from "./rows.ts";
import type { Store } from "./store.ts";
import type { PendingFile, VectorStore } from "./vectors.ts";

/** Chunks a batch: enough for a model to work on at once, few enough to lose little. */
const BATCH = 64;

/** How to embed what is pending. */
export interface EmbedPendingOptions {
  readonly signal?: AbortSignal;
  /** Called after each batch: chunks done by this run, of those that were pending, and the file at hand. */
  readonly onProgress?: (done: number, total: number, path: string) => void;
  /** Chunks that are embedded and stored together; 64 by default. */
  readonly batch?: number;
}

/** Chunks of one file that are embedded together. */
interface Part extends PendingFile {
  readonly passages: readonly Passage[];
}

/**
 * Embeds all chunks that have no vector, in order of their paths.
 * @returns the number of chunks that got one
 * @throws {VectorModelMismatchError} when the index has vectors of another model; {EmbedderError} when the model gives no vectors;
 *   {DOMException} AbortError. What was stored until then stays.
 */
export async function embedPending(
  store: Store,
  vectors: VectorStore,
  embedder: Embedder,
  { signal, onProgress, batch = BATCH }: EmbedPendingOptions = {},
): Promise<number> {
  let done = 0;
  const run = async (parts: readonly Part[], total: number): Promise<void> => {
    signal?.throwIfAborted();
    const passages = parts.flatMap((part) => part.passages);
    const embedded = await embedder.embedPassages(passages, { signal });
    if (embedded.length !== passages.length) {
      throw new EmbedderError(
        `cannot use embedder "${embedder.model.id}": it gave ${embedded.length} vectors for ${passages.length} passages`,
      );
    }
    store.transaction(() => {
      vectors.use(embedder.model);
      let at = 0;
      for (const { path, hash, from, count } of parts) {
        const part = embedded.slice(at, at += count);
        // Another process may have changed the file meanwhile.
        const file = store.file(path);
        if (file?.hash === hash) done += vectors.put(file.id, from, part);
      }
    });
    onProgress?.(done, total, parts.at(-1)!.path);
  };

  store.transaction(() => vectors.use(embedder.model));
  for (;;) {
    const pending = vectors.pending();
    if (pending.length === 0) return done;
    const before = done;
    const total = done + pending.reduce((sum, { count }) => sum + count, 0);
    let parts: Part[] = [];
    let gathered = 0;
    for (const file of pending) {
      const end = file.from + file.count;
      for (let from = file.from; from < end;) {
        const count = Math.min(end - from, batch - gathered);
        const part = readPart(store, { ...file, from, count });
        if (!part) break;
        from += count;
        parts.push(part);
        gathered += count;
        if (gathered < batch) continue;
        await run(parts, total);
        parts = [];
        gathered = 0;
      }
    }
    if (parts.length > 0) await run(parts, total);
    // Nothing of it was there any more: whoever changes the files sees to them.
    if (done === before) return done;
  }
}

/** Reads the texts of some chunks; undefined when their file has changed or is gone. */
function readPart(store: Store, chunks: PendingFile): Part | undefined {
  return store.snapshot(() => {
    const { path, hash, from, count } = chunks;
    const file = store.file(path);
    if (file?.hash !== hash) return undefined;
    const text = store.text(file.id);
    const passages = store.chunksFrom(file.firstChunk + from, count).map((chunk) => ({
      path,
      names: namesOf(chunk),
      text: text.slice(chunk.start, chunk.end),
    }));
    return { ...chunks, passages };
  });
}
