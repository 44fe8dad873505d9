/**
 * A place for hot adapters in plain memory, for tests of the weaver: it takes its time, counts what it holds, and fails when it is
 * told to.
 */
import { setImmediate } from "node:timers";
import type { AdapterHost, HotAdapter, WarmAdapter } from "../../agent/adapters/adapter_host.ts";

/** See the module text. An adapter takes as many bytes as its file has. */
export class MemoryHost implements AdapterHost {
  readonly name = "memory";
  readonly form = "gguf";
  /** Bytes by name of what is held, loads on the way included. */
  readonly held = new Map<string, number>();
  /** What happened, in order: `+name` and `-name`. */
  readonly log: string[] = [];
  /** The most that was ever held. */
  peak = 0;
  /** Asked before each step; an error is thrown. */
  fault: ((step: "load" | "unload", name: string) => Error | undefined) | undefined;
  /** Turns of the event loop that a step takes. */
  delay = (): number => 0;

  async bytesOf({ bytes }: WarmAdapter): Promise<number> {
    return bytes;
  }

  async load({ record, bytes }: WarmAdapter, signal: AbortSignal): Promise<HotAdapter> {
    const { name, scale } = record;
    this.held.set(name, bytes);
    this.peak = Math.max(this.peak, this.bytes());
    try {
      await this.#pass(signal);
      const failure = this.fault?.("load", name);
      if (failure !== undefined) throw failure;
    } catch (error) {
      this.held.delete(name);
      throw error;
    }
    this.log.push(`+${name}`);
    return { name, scale };
  }

  async unload({ record: { name } }: WarmAdapter): Promise<void> {
    await this.#pass();
    const failure = this.fault?.("unload", name);
    if (failure !== undefined) throw failure;
    this.held.delete(name);
    this.log.push(`-${name}`);
  }

  bytes(): number {
    return [...this.held.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async #pass(signal?: AbortSignal): Promise<void> {
    for (let turn = this.delay(); turn > 0; turn--) {
      await new Promise((done) => setImmediate(done));
      signal?.throwIfAborted();
    }
  }
}
