/**
 * An embedder that runs an ONNX model of the user's choice, through `@huggingface/transformers`.
 *
 * Owns the session: tokens to batches, batches to vectors. `transformers_folder.ts` says how a model wants to be used. Nothing is
 * downloaded here: the folder is complete or opening it fails. The package is native code and large, so it is loaded by
 * a computed name when a model is first opened: who uses none never fetches it. What must hold: vectors do not depend on what else
 * is in a batch, beyond rounding; padding never takes part.
 */
import { readdirSync } from "node:fs";
import {
  type Embedder,
  EmbedderError,
  type EmbedOptions,
  normalise,
  type Passage,
  type VectorModel,
} from "./embedder.ts";
import {
  type FolderOptions,
  type ModelFolder,
  oneLine,
  paddingToken,
  readModelFolder,
  revisionOf,
  unknownToken,
} from "./transformers_folder.ts";
import { combineWindows, type Window, windowsOf } from "./windows.ts";

export { type ModelFiles, type Pooling, transformersFiles } from "./transformers_folder.ts";

/** How to open a model. Pooling and prefixes are the model's own where not given. */
export interface TransformersOptions extends FolderOptions {
  /**
   * Where to run. `auto` (the default): a GPU by WebGPU where one works and the weights are not whole numbers, else the
   * processor. `cuda` wants libraries that the package does not bring along.
   */
  readonly device?: "cpu" | "cuda" | "webgpu" | "auto";
  /** Tokens of a batch, padding included; a single window may exceed it. */
  readonly batchTokens?: number;
}

/** On the processor larger batches are no faster, and Ctrl-C waits for the one that runs. */
const CPU_BATCH_TOKENS = 2048;
/** A GPU wants more at once. */
const GPU_BATCH_TOKENS = 16_384;

/** What stands in front of each window may take this share of it; a longer path is read once, with the text. */
const LARGEST_HEAD = 1 / 4;

/** Characters tokenised before others get a turn. */
const TOKENISE_SLICE = 1 << 18;

/** Whole-number weights run on the processor: GPU back ends hand most of their operations back to it. */
const INTEGER_WEIGHTS = /_(quantized|u?int8)$/;

const PACKAGE = "@huggingface/transformers";

/** A value above all levels of its log: what goes wrong is thrown, so nothing is to be printed. */
const LOG_NOTHING = 50;

/** The part of the package that is used. Its own types would have to be downloaded with all of it. */
interface Library {
  readonly env: {
    allowRemoteModels: boolean;
    useFSCache: boolean;
    useBrowserCache: boolean;
    logLevel: number;
  };
  readonly Tensor: new (
    type: "int64",
    data: BigInt64Array,
    dims: readonly number[],
  ) => OutputTensor;
  readonly PreTrainedTokenizer: TokenizerClass;
  readonly AutoModel: {
    from_pretrained(folder: string, options: Record<string, unknown>): Promise<Model>;
  };
}

type TokenizerClass = new (tokenizer: unknown, config: unknown) => Tokenizer;

interface Tokenizer {
  encode(text: string, options?: { add_special_tokens: boolean }): (number | undefined)[];
}

interface OutputTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

interface Model {
  (inputs: Record<string, OutputTensor>): Promise<Record<string, unknown>>;
  readonly sessions: { readonly model: { readonly inputNames: readonly string[] } };
  dispose(): Promise<unknown>;
}

/** A window of a text, ready for the model. */
interface Piece {
  /** Which text it is of. */
  readonly text: number;
  readonly ids: readonly number[];
  vector?: Float32Array;
}

/**
 * Opens the model in a folder of the layout that `transformersFiles()` lists. Never downloads a model.
 * @param folder holds `config.json`, `tokenizer.json`, `tokenizer_config.json`, `onnx/model….onnx`
 * @throws {EmbedderError} when a file is missing or broken, native code is not permitted, or the model is no embedder.
 */
export async function openTransformers(
  folder: string,
  options: TransformersOptions,
): Promise<Embedder> {
  const model = await readModelFolder(folder, options);
  const library = await loadLibrary(model.name);
  const tokenizer = openTokenizer(library, model);
  const open = async (device: string) => {
    const session = await openSession(library, model, device);
    try {
      const batchTokens = options.batchTokens ??
        (device === "cpu" ? CPU_BATCH_TOKENS : GPU_BATCH_TOKENS);
      const embedder = new TransformersEmbedder(library, model, tokenizer, session, batchTokens);
      await embedder.probe();
      return embedder;
    } catch (error) {
      await session.dispose();
      throw error;
    }
  };
  if (options.device !== undefined && options.device !== "auto") return await open(options.device);
  if (!INTEGER_WEIGHTS.test(model.modelName) && mayHaveGraphics()) {
    try {
      return await open("webgpu");
    } catch {
      // A GPU without its driver, or a model that it cannot run; what is wrong with the files shows on the processor again.
    }
  }
  return await open("cpu");
}

async function loadLibrary(name: string): Promise<Library> {
  const permission = await Deno.permissions.query({ name: "ffi" });
  if (permission.state !== "granted") {
    throw new EmbedderError(
      `cannot load ${PACKAGE} for "${name}": native code is not permitted; run with --allow-ffi`,
    );
  }
  let library: Library;
  try {
    library = await import(PACKAGE) as Library;
  } catch (error) {
    const hint = error instanceof Deno.errors.NotCapable
      ? "; it reads files of its own and of the system, so run with --allow-read"
      : "; it is fetched when first used, which needs a connection once";
    throw new EmbedderError(`cannot load ${PACKAGE} for "${name}": ${oneLine(error)}${hint}`);
  }
  library.env.allowRemoteModels = false;
  library.env.useFSCache = false;
  library.env.useBrowserCache = false;
  library.env.logLevel = LOG_NOTHING;
  return library;
}

function openTokenizer(library: Library, model: ModelFolder): Tokenizer {
  const wanted = String(model.tokenizerConfig.tokenizer_class).replace(/Fast$/, "");
  const found = /Tokenizer$/.test(wanted)
    ? (library as unknown as Record<string, TokenizerClass | undefined>)[wanted]
    : undefined;
  try {
    return new (found ?? library.PreTrainedTokenizer)(model.tokenizer, model.tokenizerConfig);
  } catch (error) {
    throw new EmbedderError(
      `cannot use "tokenizer.json" of model "${model.name}": ${oneLine(error)}`,
    );
  }
}

async function openSession(library: Library, model: ModelFolder, device: string): Promise<Model> {
  try {
    return await library.AutoModel.from_pretrained(model.folder, {
      config: model.config,
      local_files_only: true,
      model_file_name: model.modelName,
      // The file is named in full, and this precision adds nothing to its name.
      dtype: "fp32",
      device,
      session_options: { intraOpNumThreads: navigator.hardwareConcurrency, interOpNumThreads: 1 },
    });
  } catch (error) {
    throw new EmbedderError(
      `cannot open "onnx/${model.modelName}.onnx" of model "${model.name}" on "${device}": ${
        oneLine(error)
      }; expected an ONNX model and a device that is there`,
    );
  }
}

/** Whether WebGPU can find a GPU. Asks for files only: to try where there is none prints warnings of native code. */
function mayHaveGraphics(): boolean {
  if (Deno.build.os !== "linux") return true;
  const holds = (folder: string, pattern: RegExp) => {
    try {
      return readdirSync(folder).some((name) => pattern.test(name));
    } catch {
      // Absent, or not permitted to look: what cannot be found is not used.
      return false;
    }
  };
  // A driver that is no more than a program on the processor (lavapipe) gains nothing.
  const driver = /^(?!lvp_).*\.json$/;
  return (holds("/dev/dri", /^renderD/) || holds("/dev", /^nvidia\d/)) &&
    (holds("/usr/share/vulkan/icd.d", driver) || holds("/etc/vulkan/icd.d", driver));
}

class TransformersEmbedder implements Embedder {
  #library: Library;
  #folder: ModelFolder;
  #tokenizer: Tokenizer;
  #session: Model | undefined;
  #batchTokens: number;
  #unknown: number | undefined;
  #padding: number;
  /** What the tokenizer puts around every text. */
  #before: readonly number[] = [];
  #after: readonly number[] = [];
  /** Where the vectors stand in what the model gives, and whether they are already one a text. */
  #output = { name: "", pooled: false };
  #model: VectorModel | undefined;

  constructor(
    library: Library,
    folder: ModelFolder,
    tokenizer: Tokenizer,
    session: Model,
    batchTokens: number,
  ) {
    this.#library = library;
    this.#folder = folder;
    this.#tokenizer = tokenizer;
    this.#session = session;
    this.#batchTokens = batchTokens;
    this.#unknown = unknownToken(folder);
    this.#padding = paddingToken(folder);
  }

  get model(): VectorModel {
    return this.#model!;
  }

  /** Runs the model once to see what it is; before it nothing else may be called. */
  async probe(): Promise<void> {
    const { name, pooling, prefixes, window } = this.#folder;
    [this.#before, this.#after] = this.#specialTokens();
    if (this.#before.length + this.#after.length >= window) {
      throw new EmbedderError(
        `cannot use model "${name}": its window of ${window} tokens leaves no room for a text`,
      );
    }
    const ids = [...this.#before, ...this.#encode("a"), ...this.#after];
    const output = await this.#infer([{ text: 0, ids }]);
    this.#output = chooseOutput(this.#folder, output, ids.length);
    const [vector] = this.#pool([{ text: 0, ids }], output);
    normalise(vector!, name);
    const decisions = [this.#output, this.#before, this.#after];
    this.#model = {
      id: `transformers:${name}`,
      revision: await revisionOf(this.#folder, decisions),
      dimensions: vector!.length,
      quantisation: "int8",
      pooling,
      prefixes,
    };
  }

  async embedQuery(text: string, options: EmbedOptions = {}): Promise<Float32Array> {
    const [vector] = await this.#embed(
      [{ head: this.#folder.prefixes.query, body: text }],
      options,
    );
    return vector!;
  }

  embedPassages(passages: readonly Passage[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const prefix = this.#folder.prefixes.passage;
    const texts = passages.map(({ path, text }) => ({
      head: path === "" ? prefix : `${prefix}${path}\n`,
      body: text,
    }));
    return this.#embed(texts, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.dispose();
  }

  async #embed(
    texts: readonly { head: string; body: string }[],
    { signal, onProgress }: EmbedOptions,
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const { dimensions } = this.model;
    const cuts: { pieces: Piece[]; windows: Window[] }[] = [];
    let characters = 0;
    for (const [at, { head, body }] of texts.entries()) {
      cuts.push(this.#cut(at, head, body));
      characters += head.length + body.length;
      if (characters > TOKENISE_SLICE) {
        characters = 0;
        await turn(signal);
      }
    }
    const vectors: Float32Array[] = [];
    const open = cuts.map(({ pieces }) => pieces.length);
    const finish = (at: number) => {
      const { pieces, windows } = cuts[at]!;
      const parts = pieces.map((piece) => piece.vector!);
      vectors[at] = normalise(combineWindows(parts, windows, dimensions), this.#folder.name);
    };
    let done = 0;
    for (const [at, count] of open.entries()) {
      if (count > 0) continue;
      finish(at);
      done++;
    }
    if (done > 0) onProgress?.(done);
    for (const batch of this.#batches(cuts.flatMap(({ pieces }) => pieces))) {
      const pooled = this.#pool(batch, await this.#infer(batch));
      for (const [row, piece] of batch.entries()) {
        piece.vector = normalise(pooled[row]!, this.#folder.name);
        if (--open[piece.text]! > 0) continue;
        finish(piece.text);
        done++;
      }
      onProgress?.(done);
      await turn(signal);
    }
    return vectors;
  }

  /** A text as windows. None where it holds nothing that the model knows: what stands in front alone says nothing. */
  #cut(text: number, head: string, body: string): { pieces: Piece[]; windows: Window[] } {
    if (body.trim() === "") return { pieces: [], windows: [] };
    const room = this.#folder.window - this.#before.length - this.#after.length;
    const whole = this.#encode(head + body);
    let front: readonly number[] = this.#encode(head);
    const doubtful = whole.length <= front.length || whole.some((id) => id === this.#unknown);
    if (doubtful && this.#encode(body).every((id) => id === this.#unknown)) {
      return { pieces: [], windows: [] };
    }
    let rest: readonly number[] = whole;
    // Each window stands for the passage, so each gets what a passage of this model has in front.
    if (whole.length > room && front.length <= room * LARGEST_HEAD) rest = this.#encode(body);
    else front = [];
    const windows = windowsOf(rest.length, room - front.length);
    const pieces = windows.map(([start, end]) => ({
      text,
      ids: [...this.#before, ...front, ...rest.slice(start, end), ...this.#after],
    }));
    return { pieces, windows };
  }

  /** Pieces of similar length together, so that little is padding. */
  *#batches(pieces: readonly Piece[]): Generator<Piece[]> {
    // A model that is not told what is padding would read it.
    const padding = this.#session?.sessions.model.inputNames.includes("attention_mask");
    let batch: Piece[] = [];
    for (const piece of pieces.toSorted((a, b) => a.ids.length - b.ids.length)) {
      const { length } = piece.ids;
      const full = (batch.length + 1) * length > this.#batchTokens;
      if (batch.length > 0 && (full || !padding && batch[0]!.ids.length !== length)) {
        yield batch;
        batch = [];
      }
      batch.push(piece);
    }
    if (batch.length > 0) yield batch;
  }

  async #infer(batch: readonly Piece[]): Promise<Record<string, unknown>> {
    const { name } = this.#folder;
    if (this.#session === undefined) {
      throw new EmbedderError(`cannot embed with model "${name}": it was closed`);
    }
    const width = Math.max(...batch.map((piece) => piece.ids.length));
    const ids = new BigInt64Array(batch.length * width).fill(BigInt(this.#padding));
    const mask = new BigInt64Array(batch.length * width);
    for (const [row, piece] of batch.entries()) {
      for (const [column, id] of piece.ids.entries()) ids[row * width + column] = BigInt(id);
      mask.fill(1n, row * width, row * width + piece.ids.length);
    }
    const { Tensor } = this.#library;
    const dims = [batch.length, width];
    try {
      return await this.#session({
        input_ids: new Tensor("int64", ids, dims),
        attention_mask: new Tensor("int64", mask, dims),
      });
    } catch (error) {
      throw new EmbedderError(
        `cannot run "onnx/${this.#folder.modelName}.onnx" of model "${name}": ${
          oneLine(error)
        }; expected an embedding model and the tokenizer that belongs to it`,
      );
    }
  }

  /** One vector a piece. */
  #pool(batch: readonly Piece[], outputs: Record<string, unknown>): Float32Array[] {
    const output = outputs[this.#output.name] as OutputTensor;
    const values = floats(output);
    const dimensions = output.dims.at(-1)!;
    const row = (at: number) => values.slice(at * dimensions, (at + 1) * dimensions);
    if (this.#output.pooled) return batch.map((_, at) => row(at));
    const width = output.dims[1]!;
    return batch.map((piece, at) => {
      const { length } = piece.ids;
      if (this.#folder.pooling === "cls") return row(at * width);
      if (this.#folder.pooling === "last_token") return row(at * width + length - 1);
      // The sum has the direction of the mean, and its length is made 1 in any case.
      const sum = new Float32Array(dimensions);
      for (let token = 0; token < length; token++) {
        const start = (at * width + token) * dimensions;
        for (let dimension = 0; dimension < dimensions; dimension++) {
          sum[dimension]! += values[start + dimension]!;
        }
      }
      return sum;
    });
  }

  #encode(text: string): number[] {
    // A tokenizer without a token for the unknown gives nothing in its place.
    return this.#tokenizer.encode(text, { add_special_tokens: false })
      .filter((id) => id !== undefined);
  }

  /** Found by example, as tokenizers say it in many ways. */
  #specialTokens(): [before: readonly number[], after: readonly number[]] {
    const plain = this.#encode("a");
    const full = this.#tokenizer.encode("a").filter((id) => id !== undefined);
    const at = full.findIndex((_, start) => plain.every((id, index) => full[start + index] === id));
    if (plain.length === 0 || at < 0) {
      throw new EmbedderError(
        `cannot use "tokenizer.json" of model "${this.#folder.name}": "a" gives ${plain.length} tokens alone and [${full}] with special ones, expected the same with some around`,
      );
    }
    return [full.slice(0, at), full.slice(at + plain.length)];
  }
}

/**
 * Which output of a model holds its vectors.
 * @param tokens of the one text that gave the outputs
 */
function chooseOutput(
  { name, hiddenSize, hasDense }: ModelFolder,
  outputs: Record<string, unknown>,
  tokens: number,
): { name: string; pooled: boolean } {
  const tensors = Object.entries(outputs).filter((entry): entry is [string, OutputTensor] =>
    Array.isArray((entry[1] as OutputTensor | undefined)?.dims)
  );
  const shown = tensors.map(([output, { dims }]) => `"${output}" [${dims.join(", ")}]`).join(", ");
  const is = (output: string, dims: readonly number[]) =>
    // Scores of classes or of words, not a place in a space.
    output !== "logits" && dims[0] === 1 && dims.at(-1)! > 1 &&
    (dims.length === 2 || dims.length === 3 && dims[1] === tokens);
  const candidates = tensors.filter(([output, { dims }]) => is(output, dims));
  const found = candidates.find(([output]) => output === "sentence_embedding") ??
    candidates.find(([output]) => output === "last_hidden_state") ??
    candidates.find(([, { dims }]) => dims.length === 3) ?? candidates[0];
  if (found === undefined) {
    throw new EmbedderError(
      `cannot use model "${name}" as an embedder: it gives ${
        shown || "nothing"
      }, expected [1, ${tokens}, dimensions] or [1, dimensions]`,
    );
  }
  const [output, { dims }] = found;
  const pooled = dims.length === 2;
  if (!pooled && hasDense) {
    throw new EmbedderError(
      `cannot use model "${name}": "modules.json" names a layer after pooling that the ONNX file lacks, expected an output "sentence_embedding", found ${shown}`,
    );
  }
  if (!pooled && hiddenSize !== undefined && hiddenSize !== dims[2]) {
    throw new EmbedderError(
      `cannot use model "${name}": its ONNX file gives vectors of ${
        dims[2]
      } dimensions, "config.json" says ${hiddenSize}; the files are not of one model`,
    );
  }
  return { name: output, pooled };
}

/** The values of an output, whatever its precision. */
function floats({ type, data }: OutputTensor): Float32Array {
  if (type === "float16") {
    // Handed over as bits by some back ends.
    const halves = data instanceof Uint16Array
      ? new Float16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length)
      : data as Float16Array;
    return Float32Array.from(halves);
  }
  return data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
}

/** Lets others run, and sees whether somebody wants this to end. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal?.throwIfAborted();
}
