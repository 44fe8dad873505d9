/**
 * Adapters in a model of this process: node-llama-cpp.
 *
 * Owns a context for each hot adapter, and giving an adapter's memory back. What must hold: native code sees an adapter only after
 * its header was read and found to fit the model; what is unloaded is freed.
 *
 * node-llama-cpp (3.21.1) keeps every adapter that a context ever used with the model, until the model itself is closed; to
 * free one earlier there is only its map of them, which is not public. So that map is looked at with suspicion, and a version
 * that has another is refused at the first unload rather than left to fill the memory.
 */
import type { GgufHeader } from "../../rag/mod.ts";
import { join, resolve } from "node:path";
import { AdapterError, reasonOf } from "./adapter_error.ts";
import { readAdapterFile } from "./adapter_file.ts";
import type { AdapterHost, HotAdapter, WarmAdapter } from "./adapter_host.ts";
import { GGUF_FILE } from "./adapter_record.ts";

/** An adapter and how strongly it acts, as node-llama-cpp takes it. */
export interface LoraOption {
  readonly filePath: string;
  readonly scale: number;
}

/** Whoever keeps the contexts of a model: its driver (`llama.ts`). */
export interface AdapterContexts {
  /** Bytes of a context beside the adapter's matrices: its cache of keys and values. */
  readonly contextBytes: number;
  /** Makes a context with the adapter; where there is one already, nothing. */
  open(lora: LoraOption, signal: AbortSignal): Promise<void>;
  /** Closes that context and frees the adapter, once nobody computes with it. */
  close(lora: LoraOption): Promise<void>;
}

/** See the module text. */
export class LlamaHost implements AdapterHost {
  readonly name: string;
  readonly form = "gguf";
  readonly #model: GgufHeader;
  readonly #contexts: AdapterContexts;

  /**
   * @param name of the model, for messages
   * @param model its header: what adapters are compared with
   */
  constructor(name: string, model: GgufHeader, contexts: AdapterContexts) {
    this.name = name;
    this.#model = model;
    this.#contexts = contexts;
  }

  async bytesOf(adapter: WarmAdapter): Promise<number> {
    const { bytes } = await readAdapterFile(fileOf(adapter), this.#model);
    return bytes + this.#contexts.contextBytes;
  }

  async load(adapter: WarmAdapter, signal: AbortSignal): Promise<HotAdapter> {
    const { name, scale } = adapter.record;
    const filePath = fileOf(adapter);
    try {
      await this.#contexts.open({ filePath, scale }, signal);
    } catch (cause) {
      signal.throwIfAborted();
      throw new AdapterError(
        `load the adapter "${name}" into "${this.name}": ${
          reasonOf(cause)
        }; expected room for it and its context`,
        "failed",
        { cause },
      );
    }
    return { name, path: filePath, scale };
  }

  async unload(adapter: WarmAdapter): Promise<void> {
    await this.#contexts.close({ filePath: fileOf(adapter), scale: adapter.record.scale });
  }
}

function fileOf({ folder }: WarmAdapter): string {
  return join(folder, GGUF_FILE);
}

/**
 * Frees an adapter's matrices. No context may use it any more.
 * @param model of node-llama-cpp
 * @throws {AdapterError} when this version keeps its adapters elsewhere
 */
export async function freeLora(model: object, filePath: string): Promise<void> {
  const { _loraAdapters: kept } = model as { _loraAdapters?: unknown };
  if (!(kept instanceof Map)) {
    throw new AdapterError(
      `unload the adapter "${filePath}": this version of node-llama-cpp does not say where it keeps adapters; expected the one that deno.json pins`,
      "failed",
    );
  }
  const path = resolve(filePath);
  const lora = kept.get(path) as { dispose(): Promise<void> } | undefined;
  if (lora === undefined) return;
  kept.delete(path);
  await lora.dispose();
}
