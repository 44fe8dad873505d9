/**
 * The windows of a GGUF model: where it reads and writes, with an adapter or without.
 *
 * Owns which contexts of llama.cpp there are. What must hold:
 * - a window is never closed under a call; calls that want the same one wait for a free sequence, in order;
 * - windows that were asked for beforehand (`open`) stay until they are closed; of the others there is a bounded number, and the one
 *   not used for longest goes;
 * - native code sees an adapter only after its header was read and found to fit the model; with its last window its memory goes.
 */
import type {
  GgufHeader,
  LlamaModelHandle,
  LlamaSequence,
  LlamaWritingContext,
} from "../../rag/mod.ts";
import { unlessAborted } from "../unless_aborted.ts";
import { AdapterError } from "../adapters/adapter_error.ts";
import { readAdapterFile } from "../adapters/adapter_file.ts";
import { type AdapterContexts, freeLora, type LoraOption } from "../adapters/llama_host.ts";
import { LanguageModelError, type ModelAdapter } from "./language_model.ts";

/** How windows are. */
export interface WindowOptions {
  /** The model's, for messages. */
  readonly name: string;
  /** Size in tokens. */
  readonly contextTokens: number;
  /** Tokens of a prompt read at once. */
  readonly batch: number;
  readonly threads: number;
  /** Calls computed side by side in one window, each with a sequence of its own. */
  readonly parallel: number;
  /** Most windows that nobody asked for beforehand. */
  readonly most: number;
  /** Whether it is the GPU's memory that windows take. */
  readonly isOnGpu: boolean;
}

/** A context, and its sequences that no call uses. */
interface Window {
  readonly key: string;
  readonly lora: LoraOption | undefined;
  readonly context: LlamaWritingContext;
  readonly free: LlamaSequence[];
  readonly waiting: (() => void)[];
  /** Calls that use it or wait for a sequence. */
  users: number;
  isClosed: boolean;
  /** Of those who wait to close it. */
  readonly onIdle: (() => void)[];
}

/** See the module text. Closing the model closes them. */
export class LlamaWindows implements AdapterContexts {
  readonly #model: LlamaModelHandle;
  readonly #header: GgufHeader;
  readonly #options: WindowOptions;
  /** By adapter, the one used last at the end. */
  readonly #windows = new Map<string, Promise<Window>>();
  /** Keys of those that stay until they are closed. */
  readonly #held = new Set<string>();
  #contextBytes = 0;

  constructor(model: LlamaModelHandle, header: GgufHeader, options: WindowOptions) {
    this.#model = model;
    this.#header = header;
    this.#options = options;
  }

  /** Of one window, as llama.cpp counted when the first one was made. */
  get contextBytes(): number {
    return this.#contextBytes;
  }

  /** Makes the window without an adapter, so that a model that has no room for one is known at once. */
  async prepare(): Promise<void> {
    const { context } = await this.#find(undefined);
    const { ram, vram } = context.memoryUsage;
    this.#contextBytes = this.#options.isOnGpu ? vram : ram;
  }

  /**
   * Computes in a window: in the free sequence that has read most of the prompt already.
   * @param tokens of the prompt
   * @throws {LanguageModelError} when the adapter cannot be used
   * @throws the signal's reason, when it is aborted while waiting
   */
  async use<T>(
    adapter: ModelAdapter | undefined,
    tokens: readonly number[],
    signal: AbortSignal | undefined,
    work: (sequence: LlamaSequence) => Promise<T>,
  ): Promise<T> {
    const window = await this.#enter(loraOf(this.#options.name, adapter), signal);
    try {
      const sequence = await this.#take(window, tokens, signal);
      try {
        return await work(sequence);
      } finally {
        window.free.push(sequence);
        window.waiting.shift()?.();
      }
    } finally {
      this.#exit(window);
    }
  }

  async open(lora: LoraOption, signal: AbortSignal): Promise<void> {
    const key = keyOf(lora);
    this.#held.add(key);
    try {
      await this.#find(lora);
      signal.throwIfAborted();
    } catch (error) {
      await this.close(lora);
      throw error;
    }
  }

  async close(lora: LoraOption): Promise<void> {
    const key = keyOf(lora);
    this.#held.delete(key);
    const window = await this.#windows.get(key)?.catch(() => undefined);
    if (window === undefined) return await this.#free(lora);
    // A call may come between that it is idle and that we know it.
    while (window.users > 0) await new Promise<void>((done) => window.onIdle.push(done));
    await this.#shut(window);
  }

  /** The window, entered: it stays until `#exit`. */
  async #enter(lora: LoraOption | undefined, signal: AbortSignal | undefined): Promise<Window> {
    for (;;) {
      const window = await unlessAborted(this.#find(lora), signal);
      if (window.isClosed) continue;
      window.users++;
      return window;
    }
  }

  #exit(window: Window): void {
    window.users--;
    if (window.users === 0) { for (const done of window.onIdle.splice(0)) done(); }
  }

  /** Made where there is none; the longest unused goes where there are too many. */
  async #find(lora: LoraOption | undefined): Promise<Window> {
    const key = keyOf(lora);
    if (!this.#windows.has(key) && !this.#held.has(key)) await this.#makeRoom();
    const window = this.#windows.get(key) ?? this.#make(key, lora);
    this.#windows.delete(key);
    this.#windows.set(key, window);
    try {
      return await window;
    } catch (error) {
      // One that could not be made is no window.
      if (this.#windows.get(key) === window) this.#windows.delete(key);
      throw error;
    }
  }

  async #make(key: string, lora: LoraOption | undefined): Promise<Window> {
    const { contextTokens, batch, threads, parallel } = this.#options;
    if (lora !== undefined) await readAdapterFile(lora.filePath, this.#header).catch(asModelError);
    try {
      const context = await this.#model.createContext({
        contextSize: contextTokens,
        batchSize: Math.min(batch, contextTokens),
        threads,
        sequences: parallel,
        ...(lora && { lora: { adapters: [lora] } }),
      });
      const free = Array.from({ length: parallel }, () => context.getSequence());
      return {
        key,
        lora,
        context,
        free,
        waiting: [],
        users: 0,
        isClosed: false,
        onIdle: [],
      };
    } catch (error) {
      // The matrices may have come before what failed.
      if (lora !== undefined) await this.#free(lora, key);
      throw error;
    }
  }

  async #makeRoom(): Promise<void> {
    for (const [key, making] of [...this.#windows]) {
      const others = [...this.#windows.keys()].filter((other) => !this.#held.has(other));
      if (others.length < this.#options.most) return;
      if (this.#held.has(key)) continue;
      const window = await making.catch(() => undefined);
      if (window === undefined || window.users > 0 || this.#held.has(key)) continue;
      await this.#shut(window);
    }
  }

  async #shut(window: Window): Promise<void> {
    if (window.isClosed) return;
    window.isClosed = true;
    this.#windows.delete(window.key);
    await window.context.dispose();
    if (window.lora !== undefined) await this.#free(window.lora);
  }

  /** Unless another window has it, with another scale; `but` is one that failed. */
  async #free({ filePath }: LoraOption, but?: string): Promise<void> {
    const isUsed = [...this.#windows.keys()].some((key) =>
      key !== but && key.startsWith(`${filePath}\n`)
    );
    if (!isUsed) await freeLora(this.#model, filePath);
  }

  /** A sequence to write in: of those free the one that has read most of the prompt already. */
  async #take(
    window: Window,
    tokens: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<LlamaSequence> {
    signal?.throwIfAborted();
    while (window.free.length === 0) {
      signal?.throwIfAborted();
      await new Promise<void>((done, reject) => {
        const wake = () => {
          signal?.removeEventListener("abort", leave);
          done();
        };
        const leave = () => {
          window.waiting.splice(window.waiting.indexOf(wake), 1);
          reject(signal?.reason);
        };
        window.waiting.push(wake);
        signal?.addEventListener("abort", leave, { once: true });
      });
    }
    const known = (sequence: LlamaSequence) =>
      sequence.compareContextTokens(tokens).firstDifferentIndex;
    const best = window.free.reduce((one, other) => known(other) > known(one) ? other : one);
    window.free.splice(window.free.indexOf(best), 1);
    return best;
  }
}

/** By file and scale; a line break is in neither. */
function keyOf(lora: LoraOption | undefined): string {
  return lora === undefined ? "" : `${lora.filePath}\n${lora.scale}`;
}

function loraOf(name: string, adapter: ModelAdapter | undefined): LoraOption | undefined {
  if (adapter === undefined) return undefined;
  if (adapter.path === undefined) {
    throw new LanguageModelError(
      `ask "${name}": the adapter "${adapter.name}" names no file, expected a GGUF adapter`,
      "failed",
    );
  }
  return { filePath: adapter.path, scale: adapter.scale ?? 1 };
}

function asModelError(cause: unknown): never {
  if (cause instanceof AdapterError) {
    throw new LanguageModelError(cause.message, "failed", { cause });
  }
  throw cause;
}
