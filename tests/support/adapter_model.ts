/**
 * A model in llama.cpp for tests of adapters: opened on the processor, asked for the probabilities behind some tokens.
 */
import { acquireLlama } from "../../rag/embed/llama_library.ts";

/** What of node-llama-cpp these tests use. */
export interface TestModel {
  readonly tokens: readonly number[];
  createContext(options: Record<string, unknown>): Promise<TestContext>;
}

/** A context. */
export interface TestContext {
  readonly disposed: boolean;
  getSequence(): {
    controlledEvaluate(input: unknown[]): Promise<
      ({ next: { probabilities: Map<number, number> } } | undefined)[]
    >;
    dispose(): void;
  };
  dispose(): Promise<void>;
}

/** All in 32-bit floats: the halves of a cache, and those of flash attention, would hide errors of a thousandth. */
export const EXACT = {
  contextSize: 64,
  batchSize: 64,
  threads: 1,
  flashAttention: false,
  experimentalKvCacheKeyType: "F32",
  experimentalKvCacheValueType: "F32",
} as const;

/** Some tokens of the tiny model. */
export const TOKENS = [104, 101, 108, 300, 111, 32, 271, 115, 9, 77];

/** Opens a model; everything is closed with it. */
export async function openTestModel(file: string): Promise<AsyncDisposable & { model: TestModel }> {
  const library = await acquireLlama(file, false, 1);
  const model = await library.llama.loadModel({ modelPath: file });
  return {
    model: model as unknown as TestModel,
    [Symbol.asyncDispose]: async () => {
      await model.dispose();
      await library[Symbol.asyncDispose]();
    },
  };
}

/** Probabilities of all tokens behind `TOKENS`, by token. */
export async function probabilitiesIn(context: TestContext): Promise<number[]> {
  const sequence = context.getSequence();
  try {
    const last = [TOKENS.at(-1), {
      generateNext: {
        probabilities: true,
        options: { temperature: 1, topK: 0, topP: 1, minP: 0 },
      },
    }];
    const output = await sequence.controlledEvaluate([...TOKENS.slice(0, -1), last]);
    const found = output.at(-1)!.next.probabilities;
    return Array.from({ length: found.size }, (_, token) => found.get(token)!);
  } finally {
    sequence.dispose();
  }
}

/** The same in a context of its own, with the adapters given. */
export async function probabilitiesWith(
  model: TestModel,
  adapters: readonly { filePath: string; scale?: number }[] = [],
): Promise<number[]> {
  const context = await model.createContext({ ...EXACT, lora: { adapters } });
  try {
    return await probabilitiesIn(context);
  } finally {
    await context.dispose();
  }
}

/** The largest difference of two distributions' logarithms, where either is above a millionth. */
export function distance(a: readonly number[], b: readonly number[]): number {
  let most = 0;
  for (let at = 0; at < a.length; at++) {
    if (Math.max(a[at]!, b[at]!) < 1e-6) continue;
    most = Math.max(most, Math.abs(Math.log(a[at]!) - Math.log(b[at]!)));
  }
  return most;
}
