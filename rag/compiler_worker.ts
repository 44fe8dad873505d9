/**
 * The thread of `CompilerThread`: parses texts, and works out the symbol graph of an index that it opens for itself.
 *
 * What must hold: each request gets one answer, an error is answered and not thrown; requests do not wait for one another where the work
 * gives the event loop a turn, so that an abort comes through; no index stays open between requests.
 */
import { collectGarbage, GarbageCollection, parse } from "../ingest/mod.ts";
import type { CompilerRequest, FromCompiler, ToCompiler } from "./compiler_thread.ts";

interface Scope {
  onmessage: ((event: MessageEvent<ToCompiler>) => void) | null;
  postMessage(message: FromCompiler): void;
}

const scope = globalThis as unknown as Scope;
const aborts = new Map<number, AbortController>();
const garbage = new GarbageCollection();

scope.onmessage = ({ data }) => {
  if ("abort" in data) aborts.get(data.id)?.abort();
  else void answer(data.id, data.request);
};

async function answer(id: number, request: CompilerRequest): Promise<void> {
  const abort = new AbortController();
  aborts.set(id, abort);
  try {
    const onProgress = (done: number, total: number) =>
      scope.postMessage({ id, progress: [done, total] });
    scope.postMessage({ id, value: await perform(request, abort.signal, onProgress) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    scope.postMessage({ id, error: { name, message } });
  } finally {
    aborts.delete(id);
  }
  // Pages that were free before a thread ends go back to the system soon; of the others the engine may keep half a gigabyte for good.
  if (request.type !== "parse") collectGarbage();
}

async function perform(
  request: CompilerRequest,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<unknown> {
  if (request.type === "parse") {
    const { path, text, maxSize } = request;
    const parsed = await parse(path, text, { maxSize });
    garbage.parsed(text.length);
    return parsed;
  }
  const { openMemory } = await import("./memory.ts");
  const { root, readOnly } = request;
  using memory = openMemory(root, { readOnly });
  const graph = await memory.graph();
  return request.type === "refs"
    ? await graph.refs(request.target, {
      signal,
      onProgress,
      transitive: request.transitive,
      withoutBuild: request.withoutBuild,
    })
    : await graph.impact(request.targets, { signal, onProgress, depth: request.depth });
}
