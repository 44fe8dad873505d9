/**
 * Contexts of a model of node-llama-cpp, one for each adapter and scale, with nothing else around them: what hosts of adapters are tested
 * with where no driver is wanted.
 */
import {
  type AdapterContexts,
  freeLora,
  type LoraOption,
} from "../../agent/adapters/llama_host.ts";
import type { HotAdapter } from "../../agent/adapters/adapter_host.ts";

/** A context of node-llama-cpp, as far as it is used here. */
export interface LoraContext {
  dispose(): Promise<void>;
}

/** A model of node-llama-cpp, as far as it is used here. */
export interface LoraModel<Context extends LoraContext> {
  createContext(options: Record<string, unknown>): Promise<Context>;
}

/** Contexts of a model, one for each adapter and scale. */
export class ContextPool<Context extends LoraContext> implements AdapterContexts {
  readonly contextBytes: number;
  readonly #model: LoraModel<Context>;
  readonly #options: Record<string, unknown>;
  readonly #contexts = new Map<string, Context>();

  /**
   * @param options of every context, as `createContext` takes them
   * @param contextBytes of each
   */
  constructor(model: LoraModel<Context>, options: Record<string, unknown>, contextBytes: number) {
    this.#model = model;
    this.#options = options;
    this.contextBytes = contextBytes;
  }

  async open(lora: LoraOption, signal: AbortSignal): Promise<void> {
    const key = keyOf(lora);
    if (this.#contexts.has(key)) return;
    try {
      const context = await this.#model.createContext({
        ...this.#options,
        createSignal: signal,
        lora: { adapters: [lora] },
      });
      this.#contexts.set(key, context);
    } catch (error) {
      // The matrices may have come before what failed.
      await this.#free(lora);
      throw error;
    }
  }

  async close(lora: LoraOption): Promise<void> {
    const key = keyOf(lora);
    await this.#contexts.get(key)?.dispose();
    this.#contexts.delete(key);
    await this.#free(lora);
  }

  /** The context of a hot adapter; none where it is not hot. */
  contextOf({ path, scale }: HotAdapter): Context | undefined {
    return path === undefined ? undefined : this.#contexts.get(keyOf({ filePath: path, scale }));
  }

  /** Unless it acts elsewhere, with another scale. */
  async #free({ filePath }: LoraOption): Promise<void> {
    const isUsed = [...this.#contexts.keys()].some((key) => fileIn(key) === filePath);
    if (!isUsed) await freeLora(this.#model, filePath);
  }
}

function keyOf({ filePath, scale }: LoraOption): string {
  return JSON.stringify([filePath, scale]);
}

function fileIn(key: string): string {
  return (JSON.parse(key) as [string])[0];
}
