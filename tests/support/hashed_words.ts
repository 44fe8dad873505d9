/**
 * A small embedder without a table: each word has a vector made from its letters, a text is the sum of its words.
 *
 * Owns nothing but this rule; it is both an encoder, to be opened by its address, and an `Embedder` that can be made slow, or to fail.
 * What must hold: the same words give the same vector in every process.
 */
import {
  type Embedder,
  normalise,
  type Passage,
  type PassagePlace,
  type VectorModel,
} from "../../rag/embed/embedder.ts";
import type { IndexEmbedder } from "../../rag/embed/choose.ts";
import type { ChunkEncoder } from "../../rag/embed/encoder.ts";

/** How it differs from the plain one. */
export interface HashedWordsOptions {
  readonly id?: string;
  readonly dimensions?: number;
  /** Called before each batch. */
  readonly before?: (passages: readonly Passage[]) => void | Promise<void>;
}

/** See the module text. */
export class HashedWords implements ChunkEncoder, Embedder {
  readonly model: VectorModel;
  /** Texts embedded so far. */
  readonly embedded: Passage[] = [];
  #before: HashedWordsOptions["before"];

  constructor({ id = "hashed-words", dimensions = 40, before }: HashedWordsOptions = {}) {
    this.#before = before;
    this.model = {
      id,
      revision: "0123456789abcdef",
      dimensions,
      quantisation: "int8",
      pooling: "sum",
      prefixes: { query: "", passage: "" },
    };
  }

  encode({ path }: PassagePlace, text: string, start = 0, end = text.length): Float32Array {
    return this.vectorOf(`${path} ${text.slice(start, end)}`);
  }

  /** The vector of some words. */
  vectorOf(text: string): Float32Array {
    const vector = new Float32Array(this.model.dimensions);
    for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) {
      // FNV-1a, then one step of a linear congruential generator a dimension.
      let hash = 2_166_136_261;
      for (const letter of word) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619);
      for (let at = 0; at < vector.length; at++) {
        hash = Math.imul(hash, 1_664_525) + 1_013_904_223 | 0;
        vector[at]! += hash / 2 ** 31;
      }
    }
    return normalise(vector, this.model.id);
  }

  async embedQuery(text: string): Promise<Float32Array> {
    return this.vectorOf(text);
  }

  async embedPassages(passages: readonly Passage[]): Promise<Float32Array[]> {
    await this.#before?.(passages);
    this.embedded.push(...passages);
    return passages.map((passage) => this.encode(passage, passage.text));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** What makes this module the address of an encoder. */
export function openEncoder(): ChunkEncoder {
  return new HashedWords();
}

/** An embedder that is open, as what an index is given. */
export function indexEmbedder(embedder: Embedder): IndexEmbedder {
  return { id: embedder.model.id, open: () => Promise.resolve(embedder) };
}
