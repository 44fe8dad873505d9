/**
 * All packages as bags, read by several threads.
 *
 * What must hold: the bags come in the order of the packages, whichever thread was faster; a package that cannot be read ends it.
 */
import type { PackageBags } from "./bags.ts";
import type { ExtractReply, ExtractRequest } from "./extract_worker.ts";
import type { TrainingPackage } from "./packages.ts";

export interface ExtractOptions {
  readonly seed: number;
  readonly threads: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, all: number, bags: PackageBags) => void;
}

/** @param archives one a package */
export async function extract(
  packages: readonly TrainingPackage[],
  archives: readonly string[],
  { seed, threads, signal, onProgress }: ExtractOptions,
): Promise<PackageBags[]> {
  const bags: PackageBags[] = new Array(packages.length);
  const failed = new AbortController();
  const either = AbortSignal.any(signal ? [signal, failed.signal] : [failed.signal]);
  let next = 0;
  let done = 0;
  const run = async () => {
    const worker = new Worker(new URL("./extract_worker.ts", import.meta.url), { type: "module" });
    try {
      while (next < packages.length) {
        either.throwIfAborted();
        const at = next++;
        bags[at] = await ask(worker, { archive: archives[at]!, pkg: packages[at]!, seed }, either);
        onProgress?.(++done, packages.length, bags[at]!);
      }
    } catch (error) {
      // The other threads have nothing left to work for.
      failed.abort(error);
      throw error;
    } finally {
      worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, packages.length) }, run));
  return bags;
}

function ask(worker: Worker, request: ExtractRequest, signal: AbortSignal): Promise<PackageBags> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    worker.onmessage = ({ data }: MessageEvent<ExtractReply>) => {
      signal.removeEventListener("abort", abort);
      if ("error" in data) reject(new Error(data.error));
      else resolve(data.bags);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage(request);
  });
}
