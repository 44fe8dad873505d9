/**
 * State that several parts of the page share: what the kernel says, where the page is.
 *
 * Owns the two stores and how components read them. What must hold: a store is changed through its functions only; a component that
 * reads one is drawn again when it changes.
 */
/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";
import type { Result } from "../../commands.ts";
import type { RunView } from "../runs.ts";
import { type KernelMessage, listen, LockedOutError, run, type Table, table } from "./api.ts";
import { formatRoute, parseRoute, type Place, type Route } from "./route.ts";

/** A value that can be watched. */
export class Store<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(change: Partial<T>): void {
    this.#value = { ...this.#value, ...change };
    for (const listener of [...this.#listeners]) listener();
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The value of a store, kept current. */
export function useStore<T>(store: Store<T>): T {
  const [, draw] = useState({});
  useEffect(() => store.listen(() => draw({})), [store]);
  return store.value;
}

/** The state of the index, as the page knows it. */
export type IndexState =
  | { readonly kind: "unknown" }
  | { readonly kind: "reading"; readonly detail: string; readonly share?: number }
  | { readonly kind: "there"; readonly status: Result<"status"> }
  | { readonly kind: "failed"; readonly reason: string };

/** What the page knows of the kernel. */
interface Kernel {
  readonly table: Table | undefined;
  readonly index: IndexState;
  readonly runs: readonly RunView[];
  readonly connected: boolean;
  /** Why nothing works, where that is so. */
  readonly problem: string | undefined;
}

/** See `Kernel`. */
export const kernel = new Store<Kernel>({
  table: undefined,
  index: { kind: "unknown" },
  runs: [],
  connected: true,
  problem: undefined,
});

const messageListeners = new Set<(message: KernelMessage) => void>();

/** Gives every message of the kernel to a component for as long as it is shown. */
export function useKernelMessages(listener: (message: KernelMessage) => void): void {
  useEffect(() => {
    messageListeners.add(listener);
    return () => messageListeners.delete(listener);
  }, [listener]);
}

/** Begins to talk with the kernel. */
export async function startKernel(): Promise<void> {
  try {
    kernel.set({ table: await table() });
  } catch (error) {
    kernel.set({ problem: problemText(error) });
    return;
  }
  listen((message) => {
    if (message.type === "runs") {
      const runs = message.runs as readonly RunView[];
      const writerEnded = kernel.value.runs.some((run) =>
        (run.command === "ingest" || run.command === "ask") && !runs.some(({ id }) => id === run.id)
      );
      kernel.set({ runs });
      if (writerEnded && kernel.value.index.kind !== "reading") readStatus();
    }
    for (const listener of messageListeners) listener(message);
  }, (connected) => {
    const isBack = connected && !kernel.value.connected;
    kernel.set({ connected });
    // Files may have changed meanwhile, and what failed may go well now.
    if (isBack && kernel.value.index.kind !== "reading") readStatus();
  });
  await readStatus();
}

/** Asks what the index holds; makes it where there is none. */
export async function readStatus(): Promise<void> {
  try {
    const [status] = await run("status", {});
    if (status!.files === 0 && status!.stale > 0) return await readWorkspace();
    kernel.set({ index: { kind: "there", status: status! } });
  } catch (error) {
    if (error instanceof LockedOutError) kernel.set({ problem: problemText(error) });
    else if (kernel.value.index.kind !== "there") await readWorkspace();
  }
}

/** Reads what is new or changed into the index. */
export async function readWorkspace(): Promise<void> {
  if (kernel.value.index.kind === "reading") return;
  kernel.set({ index: { kind: "reading", detail: "Looking for files" } });
  try {
    await run("ingest", {}, {
      onProgress: ({ phase, done, total, detail, note }) => {
        const count = done !== undefined && total ? `${done} of ${total} files` : "";
        kernel.set({
          index: {
            kind: "reading",
            detail: note ? detail ?? "" : count || capitalise(phase),
            ...(done !== undefined && total && { share: done / total }),
          },
        });
      },
    });
    const [status] = await run("status", {});
    kernel.set({ index: { kind: "there", status: status! } });
  } catch (error) {
    kernel.set({ index: { kind: "failed", reason: problemText(error) } });
  }
}

/** Where the page is. */
export const place = new Store<{ readonly route: Route }>({ route: parseRoute(location.hash) });
addEventListener("hashchange", () => place.set({ route: parseRoute(location.hash) }));

/** Where the page is, kept current. */
export function useRoute(): Route {
  return useStore(place).route;
}

/** Goes somewhere: as a step that can be taken back, or in place of where it is. */
export function go(change: Partial<Route>, replace = false): void {
  const address = formatRoute({ ...place.value.route, ...change });
  if (!replace) {
    location.hash = address;
    return;
  }
  history.replaceState(null, "", address);
  place.set({ route: parseRoute(location.hash) });
}

/** Address that opens lines beside what is shown now. */
export function placeAddress(at: Place): string {
  return formatRoute({ ...place.value.route, at });
}

/** The message of whatever was thrown. */
export function problemText(error: unknown): string {
  if (error instanceof TypeError) return "The kernel does not answer. Is it still running?";
  return error instanceof Error ? error.message : String(error);
}

/** The same with a capital letter. */
export function capitalise(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
