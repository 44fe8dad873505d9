/**
 * Whether a model fits into this machine, asked before anything of it is loaded.
 *
 * Owns the estimate of what a GGUF model takes (weights, and the keys and values of its window) and the reading of what is free.
 * What must hold: a model that cannot fit is refused in words and not by the operating system, which would end the process; a
 * window is made smaller, never the other way round, and the smaller one is what `contextTokens` then says.
 */
import type { GgufHeader } from "../../rag/mod.ts";

/** What a machine has free, in bytes. */
export interface FreeMemory {
  readonly ram: number;
  /** Of the GPU; 0 without one. */
  readonly vram: number;
}

/** What is computed in takes about this beside weights and window: buffers of a batch, the library itself. */
const WORKING_BYTES = 300e6;
/** Keys and values are kept in half precision. */
const BYTES_OF_A_VALUE = 2;
/** Where a header lists the heads layer by layer, or not at all, this many key-value heads are assumed, as most models have at most. */
const USUAL_KV_HEADS = 8;

/** Bytes that the keys and values of one token take in all layers. */
export function bytesOfAToken({ metadata }: Pick<GgufHeader, "metadata">): number {
  const architecture = String(metadata.get("general.architecture") ?? "");
  const number = (key: string): number | undefined => {
    const value = metadata.get(`${architecture}.${key}`);
    return typeof value === "number" && value > 0 ? value : undefined;
  };
  const layers = number("block_count") ?? 1;
  const heads = number("attention.head_count") ?? 1;
  const perHead = Math.ceil((number("embedding_length") ?? 0) / heads);
  const key = number("attention.key_length") ?? perHead;
  const value = number("attention.value_length") ?? perHead;
  const kvHeads = number("attention.head_count_kv") ?? Math.min(heads, USUAL_KV_HEADS);
  return layers * kvHeads * (key + value) * BYTES_OF_A_VALUE;
}

/**
 * The window to open a model with: what is wanted, or less where memory is short.
 *
 * @param wanted tokens
 * @param least fewer are of no use
 * @returns the tokens, or what to say where it does not fit
 */
export function windowThatFits(
  weights: number,
  tokenBytes: number,
  wanted: number,
  least: number,
  free: FreeMemory,
): { tokens: number } | { problem: string } {
  const room = free.ram + free.vram - weights - WORKING_BYTES;
  const tokens = Math.min(wanted, Math.floor(room / Math.max(1, tokenBytes)));
  if (tokens >= Math.min(wanted, least)) return { tokens };
  const needed = weights + WORKING_BYTES + Math.min(wanted, least) * tokenBytes;
  const where = free.vram > 0
    ? `${gigabytes(free.ram)} of memory and ${gigabytes(free.vram)} of the GPU's are free`
    : `${gigabytes(free.ram)} of memory are free`;
  return {
    problem: `it needs about ${gigabytes(needed)} (${
      gigabytes(weights)
    } of weights), and ${where}; close other programs or choose a smaller model`,
  };
}

/** Memory that a process may still take: what the machine has free, and no more than a container allows. */
export function freeRam(): number {
  // Without the permission to ask, the system's own refusal has to do.
  let available: number;
  try {
    available = Deno.systemMemoryInfo().available;
  } catch {
    return Infinity;
  }
  try {
    const limit = Deno.readTextFileSync("/sys/fs/cgroup/memory.max").trim();
    const used = Number(Deno.readTextFileSync("/sys/fs/cgroup/memory.current"));
    if (limit !== "max") available = Math.min(available, Number(limit) - used);
  } catch {
    // No container, or no such file system: the machine's own figure holds.
  }
  return available;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
