/**
 * Models that a person may begin with, by the memory that they need.
 *
 * Owns the list: names and sizes as their publisher states them. What must hold: it says what it is, a list of names; none of them was
 * tried where this program was built.
 */

/** A name to begin with. */
export interface RecommendedModel {
  readonly reference: string;
  /** Of the file. */
  readonly gigabytes: number;
  /** Of the machine or the GPU, with a window of some thousand tokens and room for other programs. */
  readonly memoryGigabytes: number;
}

/** Smallest first; models for code that follow instructions, in four bits a weight. */
export const RECOMMENDED_MODELS: readonly RecommendedModel[] = [
  {
    reference: "hf:Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    gigabytes: 1.1,
    memoryGigabytes: 4,
  },
  {
    reference: "hf:Qwen/Qwen2.5-Coder-3B-Instruct-GGUF/qwen2.5-coder-3b-instruct-q4_k_m.gguf",
    gigabytes: 2.1,
    memoryGigabytes: 6,
  },
  {
    reference: "hf:Qwen/Qwen2.5-Coder-7B-Instruct-GGUF/qwen2.5-coder-7b-instruct-q4_k_m.gguf",
    gigabytes: 4.7,
    memoryGigabytes: 10,
  },
  {
    reference: "hf:Qwen/Qwen2.5-Coder-14B-Instruct-GGUF/qwen2.5-coder-14b-instruct-q4_k_m.gguf",
    gigabytes: 9,
    memoryGigabytes: 16,
  },
  {
    reference: "hf:Qwen/Qwen2.5-Coder-32B-Instruct-GGUF/qwen2.5-coder-32b-instruct-q4_k_m.gguf",
    gigabytes: 19.9,
    memoryGigabytes: 32,
  },
];

/** Memory of the machine in bytes; undefined where it may not be asked for. */
export function machineMemory(): number | undefined {
  try {
    return Deno.systemMemoryInfo().total;
  } catch {
    return undefined;
  }
}
