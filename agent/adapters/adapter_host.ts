/**
 * Where adapters become hot: the interface between the weaver and whatever computes.
 *
 * Owns that interface; `llama_host.ts` and `vllm_host.ts` are its siblings. What must hold: `unload` has given the memory back when
 * it resolves; a `load` that fails holds none.
 */
import type { AdapterForm, AdapterRecord } from "./adapter_record.ts";

/** An adapter whose files lie where they can be read. */
export interface WarmAdapter {
  readonly record: AdapterRecord;
  /** Of its content; two records of the same files have the same. */
  readonly id: string;
  /** The folder of its files, named as `filesOf` says. */
  readonly folder: string;
  /** Of its files. */
  readonly bytes: number;
}

/** What a call to the model names so that the adapter acts. */
export interface HotAdapter {
  /** What a server calls it. */
  readonly name: string;
  /** Its GGUF file, for a model in this process. */
  readonly path?: string;
  readonly scale: number;
}

/** See the module text. */
export interface AdapterHost {
  /** For messages and logs. */
  readonly name: string;
  /** Which files it reads. */
  readonly form: AdapterForm;
  /**
   * Bytes that an adapter will take while it is hot, at most; asked before it is loaded.
   * @throws {AdapterError} when it cannot be hot here: damaged, or for another model
   */
  bytesOf(adapter: WarmAdapter): Promise<number>;
  /** @throws {AdapterError} when it cannot be loaded, the signal's reason when aborted; nothing is held then */
  load(adapter: WarmAdapter, signal: AbortSignal): Promise<HotAdapter>;
  /** @throws {AdapterError} when that failed, and the memory may still be taken */
  unload(adapter: WarmAdapter): Promise<void>;
}
