/**
 * The embedder `llama`: any GGUF embedding model, run by llama.cpp.
 *
 * Owns opening a model file and embedding with it. What must hold: native code sees a file only after its header was read and
 * found whole and fit to embed; a text is embedded whole, in windows where it is longer than the model reads at once; closing
 * frees the model, so that the process ends by itself.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import {
  type Embedder,
  EmbedderError,
  type EmbedOptions,
  normalise,
  type Passage,
  type VectorModel,
} from "./embedder.ts";
import { familyOf } from "./families.ts";
import { GgufError, type GgufHeader, readGgufHeader } from "./gguf.ts";
import {
  acquireLlama,
  checkPermissions,
  type Context,
  LlamaLibraryError,
  type Model,
} from "./llama_library.ts";
import { combineWindows, windowsOf } from "./windows.ts";

/** How to open a GGUF model. */
export interface LlamaOptions {
  /** What the index calls the model: its `id` is `llama:<name>`. */
  readonly name: string;
  /**
   * Threads that compute at once. Default: all cores but one. They wait for each other by spinning, so where one has to share
   * its core all are slow: with 4 on 2 busy cores a model took twenty times as long as with 1.
   */
  readonly threads?: number;
  /** `auto` computes on a GPU where there is one, `false` never does. Default `auto`. */
  readonly gpu?: "auto" | false;
  /** Most tokens read at once; longer texts are embedded in windows. Default: what the model was made for, at most 2,048. */
  readonly window?: number;
  /** Overrides what the model file says. */
  readonly pooling?: "mean" | "cls" | "last_token";
  /** Overrides what is known of the model's family. */
  readonly prefixes?: { readonly query?: string; readonly passage?: string };
}

/** `pooling_type` of GGUF files, as llama.cpp numbers it. */
const POOLING_TYPES = { mean: 1, cls: 2, last_token: 3 } as const;
const POOLING_RANK = 4;

/** Attention costs the square of a window's length, and what is embedded here is chunks of code of some 500 tokens. */
const MAX_WINDOW = 2048;
/** Below this a window has no room for a text beside prefix, path and control tokens. */
const MIN_WINDOW = 32;
/** A token at the start, one at the end, and one that native code keeps free. */
const RESERVED = 3;
/** Each window is told what the text is and where it stands, unless that alone would take more than this share of it. */
const LARGEST_HEAD = 1 / 4;
/**
 * Characters tokenised at once. Tokenising happens on the main path, and the regular expressions of some tokenisers recurse
 * with the length of a line: a minified bundle handed over whole could end the process.
 */
const PIECE = 16_384;
/** A text is cut behind a space in this last part of a piece, where there is one. */
const PIECE_SEARCH = 2_048;
const HASH_BLOCK = 1 << 20;

/** What the header of a file decides. */
interface Plan {
  readonly architecture: string;
  readonly dimensions: number;
  readonly window: number;
  readonly pooling: "mean" | "cls" | "last_token";
  /** Whether the file says another pooling, or none. */
  readonly overridesPooling: boolean;
  readonly prefixes: VectorModel["prefixes"];
  readonly unknownToken: number | undefined;
}

/**
 * Opens a GGUF embedding model. The first call in a process takes some 0.7 s beside loading and hashing the file.
 * @throws {EmbedderError} when the file is no GGUF model, was cut off, is no model that embeds, cannot be loaded, or a
 * permission is missing.
 */
export async function openLlama(file: string, options: LlamaOptions): Promise<Embedder> {
  try {
    return await open(file, options);
  } catch (cause) {
    throw cause instanceof LlamaLibraryError ? new EmbedderError(cause.message, { cause }) : cause;
  }
}

async function open(file: string, options: LlamaOptions): Promise<Embedder> {
  const plan = planOf(file, await headerOf(file), options);
  await checkPermissions(file);
  const threads = options.threads ?? Math.max(1, navigator.hardwareConcurrency - 1);
  const revision = await revisionOf(file, plan);
  const library = await acquireLlama(file, options.gpu ?? "auto", threads);
  const { llama, logged } = library;
  const opened: AsyncDisposable[] = [library];
  try {
    logged.length = 0;
    const model = await llama.loadModel({
      modelPath: file,
      ...(plan.overridesPooling && {
        metadataOverrides: { [plan.architecture]: { pooling_type: POOLING_TYPES[plan.pooling] } },
      }),
    });
    opened.unshift({ [Symbol.asyncDispose]: () => model.dispose() });
    const context = await model.createEmbeddingContext({
      contextSize: plan.window,
      // What is read both ways, or pooled, must be read in one go.
      batchSize: plan.window,
      threads,
    });
    opened.unshift({ [Symbol.asyncDispose]: () => context.dispose() });
    const embedder = new LlamaEmbedder(options.name, revision, plan, model, context, opened);
    await embedder.probe();
    return embedder;
  } catch (cause) {
    for (const each of opened) await each[Symbol.asyncDispose]();
    if (cause instanceof EmbedderError) throw cause;
    // The first line says what is wrong, those behind it that loading failed.
    const reason = logged[0] ?? (cause instanceof Error ? cause.message : String(cause));
    throw new EmbedderError(
      `cannot load the model "${file}": ${
        reason.split("\n")[0]
      }; expected a GGUF embedding model that this version of llama.cpp knows`,
      { cause },
    );
  }
}

class LlamaEmbedder implements Embedder {
  readonly model: VectorModel;
  #plan: Plan;
  #model: Model;
  #context: Context;
  /** What to close, in that order. */
  #opened: readonly AsyncDisposable[];
  #closed = false;

  constructor(
    name: string,
    revision: string,
    plan: Plan,
    model: Model,
    context: Context,
    opened: readonly AsyncDisposable[],
  ) {
    this.model = {
      id: `llama:${name}`,
      revision,
      dimensions: plan.dimensions,
      quantisation: "int8",
      pooling: plan.pooling,
      prefixes: plan.prefixes,
    };
    this.#plan = plan;
    this.#model = model;
    this.#context = context;
    this.#opened = opened;
  }

  /** @throws {EmbedderError} when the model gives no vector, or one that is not what its header says. */
  async probe(): Promise<void> {
    await this.#embed("", "probe", undefined);
  }

  async embedQuery(text: string, options: EmbedOptions = {}): Promise<Float32Array> {
    return await this.#embed(this.model.prefixes.query, text, options.signal);
  }

  async embedPassages(
    passages: readonly Passage[],
    options: EmbedOptions = {},
  ): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    options.signal?.throwIfAborted();
    for (const { path, text } of passages) {
      const head = `${this.model.prefixes.passage}${path === "" ? "" : `${path}\n`}`;
      vectors.push(await this.#embed(head, text, options.signal));
      options.onProgress?.(vectors.length);
    }
    return vectors;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const each of this.#opened) await each[Symbol.asyncDispose]();
  }

  async #embed(
    head: string,
    text: string,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array> {
    signal?.throwIfAborted();
    this.#checkOpen();
    const { dimensions, unknownToken, window } = this.#plan;
    if (text.trim() === "") return new Float32Array(dimensions);
    const room = window - RESERVED;
    if (text.length <= PIECE) {
      const whole = this.#model.tokenize(head + text);
      const unknown = unknownToken !== undefined && whole.includes(unknownToken) &&
        this.#model.tokenize(text).every((token) => token === unknownToken);
      if (unknown || whole.length === 0) return new Float32Array(dimensions);
      if (whole.length <= room) return await this.#vector(whole);
    }
    const tokens = await this.#tokenise(text, signal);
    if (tokens.every((token) => token === unknownToken)) return new Float32Array(dimensions);
    let opening: readonly number[] = this.#model.tokenize(head);
    if (opening.length > room * LARGEST_HEAD) opening = [];
    const windows = windowsOf(tokens.length, room - opening.length);
    const vectors: Float32Array[] = [];
    for (const [start, end] of windows) {
      signal?.throwIfAborted();
      vectors.push(await this.#vector([...opening, ...tokens.slice(start, end)]));
    }
    return normalise(combineWindows(vectors, windows, dimensions), this.model.id);
  }

  /** The tokens of a text of any length. */
  async #tokenise(text: string, signal: AbortSignal | undefined): Promise<number[]> {
    const tokens: number[] = [];
    for (let start = 0; start < text.length;) {
      const end = pieceEnd(text, start);
      for (const token of this.#model.tokenize(text.slice(start, end))) tokens.push(token);
      start = end;
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      this.#checkOpen();
    }
    return tokens;
  }

  /** The vector of what fits a window, of length 1. */
  async #vector(tokens: readonly number[]): Promise<Float32Array> {
    this.#checkOpen();
    let vector: Float32Array;
    try {
      vector = Float32Array.from((await this.#context.getEmbeddingFor(tokens)).vector);
    } catch (cause) {
      this.#checkOpen();
      throw new EmbedderError(
        `cannot embed a text of ${tokens.length} tokens with "${this.model.id}": ${
          cause instanceof Error ? cause.message.split("\n")[0] : cause
        }; expected a vector`,
        { cause },
      );
    }
    if (vector.length !== this.#plan.dimensions) {
      throw new EmbedderError(
        `cannot use the vectors of "${this.model.id}": one has ${vector.length} values, expected ${this.#plan.dimensions} as the model file says`,
      );
    }
    return normalise(vector, this.model.id);
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new EmbedderError(
        `cannot embed with "${this.model.id}": it was closed, expected an open one`,
      );
    }
  }
}

/** Where a piece of text that is tokenised at once ends: behind a space or line break, never inside a character. */
function pieceEnd(text: string, start: number): number {
  const most = start + PIECE;
  if (most >= text.length) return text.length;
  for (let end = most; end > most - PIECE_SEARCH; end--) {
    const code = text.charCodeAt(end - 1);
    if (code === 10 || code === 32) return end;
  }
  const low = text.charCodeAt(most);
  return low >= 0xdc00 && low <= 0xdfff ? most - 1 : most;
}

async function headerOf(file: string): Promise<GgufHeader> {
  try {
    return await readGgufHeader(file);
  } catch (cause) {
    if (cause instanceof GgufError) throw new EmbedderError(cause.message, { cause });
    throw cause;
  }
}

/** What a header decides, with what is known of the model's family and what the user decided. */
function planOf(file: string, { metadata, tensors }: GgufHeader, options: LlamaOptions): Plan {
  const refuse = (found: string) =>
    new EmbedderError(`cannot embed with the model "${file}": ${found}`);
  const count = (key: string): number => {
    const value = metadata.get(key);
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
      throw refuse(`its "${key}" is ${describe(value)}, expected a whole number above 0`);
    }
    return value;
  };
  const type = metadata.get("general.type");
  if (typeof type === "string" && type !== "model") {
    throw refuse(`it is of type "${type}", expected a whole model`);
  }
  const parts = metadata.get("split.count");
  if (typeof parts === "number" && parts > 1) {
    throw refuse(`it is one of ${parts} parts of a model, expected one file; merge them first`);
  }
  const architecture = metadata.get("general.architecture");
  if (typeof architecture !== "string" || architecture === "") {
    throw refuse(`its "general.architecture" is ${describe(architecture)}, expected a name`);
  }
  if (metadata.get("tokenizer.ggml.model") === undefined) {
    throw refuse(`it has no tokeniser, expected "tokenizer.ggml.model"`);
  }
  const context = count(`${architecture}.context_length`);
  const width = count(`${architecture}.embedding_length`);
  const table = tensors.get("token_embd.weight");
  if (table === undefined) throw refuse(`it has no tensor "token_embd.weight", expected a model`);
  if (table[0] !== width) {
    throw refuse(
      `its vectors of tokens have ${
        table[0]
      } values, expected ${width} as its "${architecture}.embedding_length" says`,
    );
  }
  const most = Math.min(context, MAX_WINDOW);
  const window = options.window ?? most;
  if (most < MIN_WINDOW) {
    throw refuse(`it reads ${context} tokens at once, expected at least ${MIN_WINDOW}`);
  }
  if (!Number.isInteger(window) || window < MIN_WINDOW || window > context) {
    throw refuse(`the window asked for is ${window} tokens, expected ${MIN_WINDOW} to ${context}`);
  }
  const family = familyOf([
    metadata.get("general.name"),
    metadata.get("general.basename"),
    basename(file),
  ]);
  const stated = metadata.get(`${architecture}.pooling_type`);
  if (stated === POOLING_RANK) {
    throw refuse("it ranks pairs of texts, expected a model that gives vectors");
  }
  const own = Object.entries(POOLING_TYPES).find(([, number]) => number === stated)?.[0] as
    | keyof typeof POOLING_TYPES
    | undefined;
  const pooling = options.pooling ?? own ?? family?.pooling;
  if (pooling === undefined) {
    throw refuse(
      `it does not say how its vectors become one ("${architecture}.pooling_type" is ${
        describe(stated)
      }), so it is probably a model that writes text; expected an embedding model, or the pooling given: ${
        Object.keys(POOLING_TYPES).join(", ")
      }`,
    );
  }
  const unknown = metadata.get("tokenizer.ggml.unknown_token_id");
  return {
    architecture,
    dimensions: metadata.has(`${architecture}.embedding_length_out`)
      ? count(`${architecture}.embedding_length_out`)
      : width,
    window,
    pooling,
    overridesPooling: pooling !== own,
    prefixes: {
      query: options.prefixes?.query ?? family?.query ?? "",
      passage: options.prefixes?.passage ?? family?.passage ?? "",
    },
    unknownToken: typeof unknown === "number" ? unknown : undefined,
  };
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  return typeof value === "object" ? "a list" : JSON.stringify(value);
}

/** The file's hash with all else that decides the vectors. */
async function revisionOf(file: string, plan: Plan): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of createReadStream(file, { highWaterMark: HASH_BLOCK })) {
    hash.update(block);
  }
  hash.update(JSON.stringify([plan.pooling, plan.prefixes, plan.window]));
  return hash.digest("hex").slice(0, 16);
}
