/**
 * What an embedder is: text in, vectors of unit length out, and an identity that says which vectors may be compared.
 *
 * Owns the interface that `static.ts`, `transformers.ts` and `llama.ts` are siblings of, and the errors they share. What must
 * hold: vectors of two embedders whose `model` differs in any field are never compared; every vector has exactly
 * `model.dimensions` finite values and length 1, or is all zero where the text holds nothing that the model knows.
 */

/** What makes the vectors of an index; all fields must agree for them to be comparable. */
export interface VectorModel {
  /** `static`, `transformers:<name>` or `llama:<name>`. */
  readonly id: string;
  /** First 16 hexadecimal digits of the SHA-256 of the weights and of whatever else decides the vectors. */
  readonly revision: string;
  readonly dimensions: number;
  /** How the index keeps them: a byte a value and a scale a vector. */
  readonly quantisation: "int8";
  /** How the vectors of tokens become one. */
  readonly pooling: "sum" | "mean" | "cls" | "last_token";
  /** What is put in front of a question and of a passage. */
  readonly prefixes: { readonly query: string; readonly passage: string };
}

/** Where a text stands, which says much of what it is about. */
export interface PassagePlace {
  /** Relative to the workspace, `/`-separated. */
  readonly path: string;
  /** Names of the scopes around it, outermost first, and of what it defines. */
  readonly names?: readonly string[];
}

/** A text to embed. */
export interface Passage extends PassagePlace {
  readonly text: string;
}

/** How to embed many. */
export interface EmbedOptions {
  readonly signal?: AbortSignal;
  /** Called after each batch with the number of passages done. */
  readonly onProgress?: (done: number) => void;
}

/** How to embed a question. */
export interface QuestionOptions {
  readonly signal?: AbortSignal;
  /**
   * How much a word tells in the index that is searched, from 0 for nothing. Embedders that sum words weigh them with it; to others
   * a question is one whole.
   */
  readonly rarity?: (word: string) => number;
}

/** See the module text. */
export interface Embedder extends AsyncDisposable {
  readonly model: VectorModel;
  /**
   * The vector of a question.
   * @throws {EmbedderError} when the model gives something that is no vector.
   */
  embedQuery(text: string, options?: QuestionOptions): Promise<Float32Array>;
  /**
   * The vectors of passages, in their order. Text beyond the model's window is embedded in windows, never cut.
   * @throws {EmbedderError} when the model gives something that is no vector; {DOMException} AbortError.
   */
  embedPassages(passages: readonly Passage[], options?: EmbedOptions): Promise<Float32Array[]>;
}

/** A model that cannot be opened, or that does not do what an embedder does. */
export class EmbedderError extends Error {
  override name = "EmbedderError";
}

/**
 * Brings a vector to length 1, in place; one of nothing but zeros stays so.
 * @throws {EmbedderError} when a value is not finite.
 */
export function normalise(vector: Float32Array, model: string): Float32Array {
  let sum = 0;
  for (let at = 0; at < vector.length; at++) sum += vector[at]! * vector[at]!;
  if (!Number.isFinite(sum)) {
    const at = vector.findIndex((value) => !Number.isFinite(value));
    throw new EmbedderError(
      `cannot use the vectors of "${model}": value ${at} of one is ${
        vector[at]
      }, expected finite numbers; the model file is damaged or its precision too low`,
    );
  }
  if (sum > 0) {
    const scale = 1 / Math.sqrt(sum);
    for (let at = 0; at < vector.length; at++) vector[at]! *= scale;
  }
  return vector;
}
