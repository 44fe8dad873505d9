/**
 * A thread that holds the compiler and the grammars for as long as somebody needs them, for processes that live long.
 *
 * Owns the thread: it is started by the first request, and ended when it has been idle for a while, so that some hundred megabytes of
 * compiler, trees and WebAssembly go back to the system; the next request starts another. A process that does one thing and ends parses
 * where it stands, and never comes here. What must hold:
 * - an answer is what the same call gives without a thread, problems and errors included;
 * - messages are plain values;
 * - who aborts waits until the thread has stopped, so that nothing is written for it afterwards;
 * - a thread that dies fails those who wait for it, and nobody after them.
 */
import type { Parse, ParsedSource } from "../ingest/mod.ts";
import type { BuildOptions, ImpactResult, RefsResult, SymbolAnswers } from "./graph_values.ts";
import { DamagedIndexError } from "./damaged_index.ts";
import { NewerFormatError, NotIngestedError } from "./store.ts";

/**
 * Idle time after which a thread is ended, in milliseconds: who edits saves every few seconds and should find it there; to start it costs
 * half a second.
 */
const QUIET_MS = 15_000;

/** What the thread is asked. `root` is the absolute path of a workspace whose index it opens for itself. */
export type CompilerRequest =
  | {
    readonly type: "parse";
    readonly path: string;
    readonly text: string;
    /** Largest size of a chunk, in tokens. */
    readonly maxSize?: number;
  }
  | ({
    readonly type: "refs";
    readonly target: string;
    readonly transitive?: boolean;
    readonly withoutBuild?: boolean;
  } & GraphPlace)
  | ({
    readonly type: "impact";
    readonly targets: readonly string[];
    readonly depth?: number;
  } & GraphPlace);

/** Of which workspace, and whether what is found may be written to its index. */
export interface GraphPlace {
  readonly root: string;
  readonly readOnly: boolean;
}

/** What is sent to it: a request under a number, or that nobody wants the answer any more. */
export type ToCompiler =
  | { readonly id: number; readonly request: CompilerRequest }
  | { readonly id: number; readonly abort: true };

/** What it sends: progress, then one answer. */
export type FromCompiler =
  | { readonly id: number; readonly progress: readonly [done: number, total: number] }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };

/** Errors that callers tell apart by their class. */
const ERRORS: Readonly<Record<string, new (message: string) => Error>> = {
  DamagedIndexError,
  NewerFormatError,
  NotIngestedError,
};

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly onProgress: BuildOptions["onProgress"];
}

/** See the module text. To be disposed of, which fails those who still wait. */
export class CompilerThread implements Disposable {
  readonly #quietMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #next = 0;

  /** @param quietMs idle time after which the thread is ended, in milliseconds; a quarter of a minute by default */
  constructor(quietMs = QUIET_MS) {
    this.#quietMs = quietMs;
  }

  /** Whether there is a thread now, and with it the memory that it takes. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * Parses there, as `parse` of ingest does here.
   * @throws {TypeError} for a measure other than tokens: a function cannot be sent
   */
  readonly parse: Parse = async (path, text, { maxSize, measure } = {}) => {
    // Parsers are loaded here only where one has to be compared.
    if (measure !== undefined && measure !== (await import("../ingest/mod.ts")).tokens) {
      throw new TypeError(
        `parse "${path}" in a thread: chunks were to be measured by a function, expected tokens`,
      );
    }
    return await this.#ask({ type: "parse", path, text, maxSize }) as ParsedSource;
  };

  /** The symbol graph of a workspace, worked out there. The caller holds the writer's lock, unless `readOnly`. */
  graph(place: GraphPlace): SymbolAnswers {
    return {
      refs: async (target, { transitive, withoutBuild, ...options } = {}) =>
        await this.#ask(
          { type: "refs", target, transitive, withoutBuild, ...place },
          options,
        ) as RefsResult,
      impact: async (targets, { depth, ...options } = {}) =>
        await this.#ask({ type: "impact", targets, depth, ...place }, options) as ImpactResult,
    };
  }

  [Symbol.dispose](): void {
    this.#end(new Error("ask the compiler's thread: it was closed; open another"));
  }

  async #ask(request: CompilerRequest, options: BuildOptions = {}): Promise<unknown> {
    const { signal, onProgress } = options;
    signal?.throwIfAborted();
    clearTimeout(this.#timer);
    const worker = this.#worker ??= this.#start();
    const id = this.#next++;
    const abort = () => worker.postMessage({ id, abort: true } satisfies ToCompiler);
    const answered = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onProgress });
      signal?.addEventListener("abort", abort, { once: true });
      worker.postMessage({ id, request } satisfies ToCompiler);
    });
    try {
      return await answered;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #start(): Worker {
    const url = new URL("./compiler_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<FromCompiler>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(`ask the compiler's thread: it ended, ${event.message}; try again`));
    };
    return worker;
  }

  #receive(message: FromCompiler): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if ("progress" in message) return waiting.onProgress?.(...message.progress);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0) this.#endWhenQuiet();
    if ("value" in message) waiting.resolve(message.value);
    else waiting.reject(errorOf(message.error));
  }

  #endWhenQuiet(): void {
    this.#timer = setTimeout(() => this.#end(), this.#quietMs);
    // A process that has nothing else to do need not wait for it.
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** Ends the thread, and fails with `reason` whoever waits for it. */
  #end(reason?: Error): void {
    clearTimeout(this.#timer);
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

function errorOf({ name, message }: { name: string; message: string }): Error {
  const Known = ERRORS[name];
  if (Known !== undefined) return new Known(message);
  const error = new Error(message);
  error.name = name;
  return error;
}
