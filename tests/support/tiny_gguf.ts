/**
 * Tiny GGUF files, made in memory: models that write text, models that embed, LoRA adapters.
 *
 * Owns three models of random weights: small enough to be made in a test, real enough for llama.cpp to load, tokenise, embed and
 * generate with them. What must hold: the same options give the same bytes; another seed gives other weights.
 */
import {
  GGUF_ALIGNMENT,
  type GgufEntry,
  ggufHead,
  ggufValues,
} from "../../agent/adapters/gguf_writer.ts";

/** A value of the metadata with the type that it is written as. */
export type GgufValue = GgufEntry;

/** A tensor of 32-bit floats; `shape[0]` is the dimension whose values lie side by side. */
export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** What a tiny model is like; all fields have a default. */
export interface TinyModelOptions {
  /** `llama`: reads left to right, can write. `bert`: reads both ways, can only embed. Default `llama`. */
  readonly architecture?: "llama" | "bert";
  /** Whether the file says how to pool: what makes an embedding model of it. Default false; `bert` is always one. */
  readonly embedding?: boolean;
  /** How an embedding model pools. Default `mean`. */
  readonly pooling?: "none" | "mean" | "cls" | "last" | "rank";
  /** `general.name`. Default `tiny`. */
  readonly name?: string;
  /** Number of tokens; those that are not needed are unused ones. Default 512. */
  readonly vocabulary?: number;
  /** Number of tokens that the model was made for. Default 256. */
  readonly context?: number;
  /** Length of a vector. Default 32; a multiple of twice the heads. */
  readonly width?: number;
  /** Default 2. */
  readonly layers?: number;
  /** Default 4. */
  readonly heads?: number;
  /** Heads of keys and values of a `llama` model, a divisor of the heads. Default: as many as heads. */
  readonly keyHeads?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Value of all weights of the embedding table instead of random ones. */
  readonly fill?: number;
  /** The values of a tensor by name; random ones where it gives none. */
  readonly weights?: (name: string, shape: readonly number[]) => Float32Array | undefined;
  /** Replaces or adds metadata, last. */
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  /** The Jinja template of a model that chats. Default: role and content, a line each. */
  readonly chatTemplate?: string;
}

/** What a LoRA adapter for a tiny `llama` model is like. */
export interface TinyLoraOptions {
  /** The options of the model that it is for. */
  readonly model?: TinyModelOptions;
  /** Default 4. */
  readonly rank?: number;
  /** Default 8. */
  readonly alpha?: number;
  /** Default 7. */
  readonly seed?: number;
}

const POOLING = { none: 0, mean: 1, cls: 2, last: 3, rank: 4 };
const TOKEN = { normal: 1, unknown: 2, control: 3, unused: 5 };

/** Words that become single tokens, so that a text is shorter in tokens than in bytes. */
const WORDS =
  "the and for return function const import export class value index file read write parse open close query search vector token model error name path text user list map set get new"
    .split(" ");

/** A GGUF file of the metadata and the tensors given. */
export function writeGguf(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Uint8Array<ArrayBuffer> {
  const { bytes, size } = ggufHead(metadata, tensors);
  const file = new Uint8Array(size);
  file.set(bytes);
  let offset = bytes.length;
  for (const { values } of tensors) {
    const stored = ggufValues(values);
    file.set(stored, offset);
    offset += stored.length;
  }
  return file;
}

/** A model of random weights. */
export function tinyModel(options: TinyModelOptions = {}): Uint8Array<ArrayBuffer> {
  const shape = withDefaults(options);
  return shape.architecture === "bert" ? tinyBert(shape) : tinyLlama(shape);
}

/** An adapter that changes the query projection of every layer of a tiny `llama` model. */
export function tinyLora(options: TinyLoraOptions = {}): Uint8Array<ArrayBuffer> {
  const { width, layers } = withDefaults(options.model ?? {});
  const rank = options.rank ?? 4;
  const random = normals(options.seed ?? 7);
  const tensors: GgufTensor[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const name = `blk.${layer}.attn_q.weight`;
    tensors.push(
      tensor(`${name}.lora_a`, [width, rank], random, 1),
      tensor(`${name}.lora_b`, [rank, width], random, 1),
    );
  }
  return writeGguf({
    "general.type": text("adapter"),
    "general.architecture": text("llama"),
    "adapter.type": text("lora"),
    "adapter.lora.alpha": { type: "float32", value: options.alpha ?? 8 },
  }, tensors);
}

type Optional = "fill" | "weights";
type Shape = Required<Omit<TinyModelOptions, Optional>> & Pick<TinyModelOptions, Optional>;

function withDefaults(options: TinyModelOptions): Shape {
  const architecture = options.architecture ?? "llama";
  return {
    architecture,
    embedding: options.embedding ?? architecture === "bert",
    pooling: options.pooling ?? "mean",
    name: options.name ?? "tiny",
    vocabulary: options.vocabulary ?? 512,
    context: options.context ?? 256,
    width: options.width ?? 32,
    layers: options.layers ?? 2,
    heads: options.heads ?? 4,
    keyHeads: options.keyHeads ?? options.heads ?? 4,
    seed: options.seed ?? 1,
    fill: options.fill,
    weights: options.weights,
    metadata: options.metadata ?? {},
    chatTemplate: options.chatTemplate ??
      "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant: ",
  };
}

function tinyLlama(shape: Shape): Uint8Array<ArrayBuffer> {
  const { width, layers, heads, keyHeads, vocabulary } = shape;
  const random = normals(shape.seed);
  const forward = width * 2;
  const keys = width / heads * keyHeads;
  const tensors = [
    embeddings(shape, random),
    ones("output_norm.weight", width),
    tensor("output.weight", [width, vocabulary], random, 1),
  ];
  for (let layer = 0; layer < layers; layer++) {
    const at = `blk.${layer}`;
    tensors.push(
      ones(`${at}.attn_norm.weight`, width),
      tensor(`${at}.attn_q.weight`, [width, width], random, 1),
      tensor(`${at}.attn_k.weight`, [width, keys], random, 1),
      tensor(`${at}.attn_v.weight`, [width, keys], random, 1),
      tensor(`${at}.attn_output.weight`, [width, width], random, 1),
      ones(`${at}.ffn_norm.weight`, width),
      tensor(`${at}.ffn_gate.weight`, [width, forward], random, 1),
      tensor(`${at}.ffn_up.weight`, [width, forward], random, 1),
      tensor(`${at}.ffn_down.weight`, [forward, width], random, 1),
    );
  }
  const { tokens, types, merges } = byteTokens(vocabulary);
  return writeGguf({
    ...general(shape, forward),
    "llama.attention.head_count_kv": number(keyHeads),
    "llama.attention.layer_norm_rms_epsilon": { type: "float32", value: 1e-5 },
    "llama.rope.dimension_count": number(width / heads),
    "llama.rope.freq_base": { type: "float32", value: 10_000 },
    "llama.vocab_size": number(vocabulary),
    ...(shape.embedding ? { "llama.pooling_type": number(POOLING[shape.pooling]) } : {}),
    "tokenizer.ggml.model": text("gpt2"),
    "tokenizer.ggml.pre": text("gpt-2"),
    "tokenizer.ggml.tokens": { type: "strings", value: tokens },
    "tokenizer.ggml.token_type": { type: "int32s", value: types },
    "tokenizer.ggml.merges": { type: "strings", value: merges },
    "tokenizer.ggml.bos_token_id": number(tokens.indexOf("<s>")),
    "tokenizer.ggml.eos_token_id": number(tokens.indexOf("</s>")),
    "tokenizer.ggml.add_bos_token": { type: "bool", value: true },
    "tokenizer.ggml.add_eos_token": { type: "bool", value: false },
    "tokenizer.chat_template": text(shape.chatTemplate),
    ...shape.metadata,
  }, weighted(tensors, shape));
}

function tinyBert(shape: Shape): Uint8Array<ArrayBuffer> {
  const { width, layers, vocabulary, context } = shape;
  const random = normals(shape.seed);
  const forward = width * 2;
  const linear = (name: string, from: number, to: number) => [
    tensor(`${name}.weight`, [from, to], random, 1),
    zeros(`${name}.bias`, to),
  ];
  const norm = (name: string) => [ones(`${name}.weight`, width), zeros(`${name}.bias`, width)];
  const tensors = [
    embeddings(shape, random),
    tensor("position_embd.weight", [width, context], random, 0.2),
    tensor("token_types.weight", [width, 2], random, 0.2),
    ...norm("token_embd_norm"),
  ];
  for (let layer = 0; layer < layers; layer++) {
    const at = `blk.${layer}`;
    tensors.push(
      ...["q", "k", "v", "output"].flatMap((part) => linear(`${at}.attn_${part}`, width, width)),
      ...norm(`${at}.attn_output_norm`),
      ...linear(`${at}.ffn_up`, width, forward),
      ...linear(`${at}.ffn_down`, forward, width),
      ...norm(`${at}.layer_output_norm`),
    );
  }
  const { tokens, types } = wordTokens(vocabulary);
  return writeGguf({
    ...general(shape, forward),
    "bert.attention.layer_norm_epsilon": { type: "float32", value: 1e-12 },
    "bert.attention.causal": { type: "bool", value: false },
    "bert.pooling_type": number(POOLING[shape.pooling]),
    "tokenizer.ggml.model": text("bert"),
    "tokenizer.ggml.pre": text("jina-v2-en"),
    "tokenizer.ggml.token_type_count": number(2),
    "tokenizer.ggml.tokens": { type: "strings", value: tokens },
    "tokenizer.ggml.token_type": { type: "int32s", value: types },
    "tokenizer.ggml.padding_token_id": number(0),
    "tokenizer.ggml.unknown_token_id": number(1),
    "tokenizer.ggml.cls_token_id": number(2),
    "tokenizer.ggml.bos_token_id": number(2),
    "tokenizer.ggml.seperator_token_id": number(3),
    "tokenizer.ggml.eos_token_id": number(3),
    ...shape.metadata,
  }, weighted(tensors, shape));
}

function general(shape: Shape, forward: number): Record<string, GgufValue> {
  const prefix = shape.architecture;
  return {
    "general.architecture": text(prefix),
    "general.name": text(shape.name),
    "general.file_type": number(0),
    "general.alignment": number(GGUF_ALIGNMENT),
    [`${prefix}.context_length`]: number(shape.context),
    [`${prefix}.embedding_length`]: number(shape.width),
    [`${prefix}.block_count`]: number(shape.layers),
    [`${prefix}.feed_forward_length`]: number(forward),
    [`${prefix}.attention.head_count`]: number(shape.heads),
  };
}

/** Byte tokens as GPT-2 writes them, words of more than one byte with the merges that make them, and the control tokens. */
function byteTokens(vocabulary: number): { tokens: string[]; types: number[]; merges: string[] } {
  const tokens = byteCharacters();
  const types = tokens.map(() => TOKEN.normal);
  const merges: string[] = [];
  const known = new Set(tokens);
  const room = vocabulary - 2;
  for (const word of WORDS.flatMap((word) => [word, `Ġ${word}`])) {
    for (let end = 2; end <= word.length && tokens.length < room; end++) {
      const part = word.slice(0, end);
      if (known.has(part)) continue;
      known.add(part);
      tokens.push(part);
      types.push(TOKEN.normal);
      merges.push(`${part.slice(0, -1)} ${part.slice(-1)}`);
    }
  }
  tokens.push("<s>", "</s>");
  types.push(TOKEN.control, TOKEN.control);
  fillUnused(tokens, types, vocabulary);
  return { tokens, types, merges };
}

/** Words and pieces as BERT's tokenizer has them; in GGUF it is the start of a word that is marked. */
function wordTokens(vocabulary: number): { tokens: string[]; types: number[] } {
  const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
  const types = [TOKEN.control, TOKEN.unknown, TOKEN.control, TOKEN.control];
  const pieces = [
    ...Array.from("abcdefghijklmnopqrstuvwxyz0123456789").flatMap((sign) => [sign, `▁${sign}`]),
    ...Array.from("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", (sign) => `▁${sign}`),
    ...WORDS.map((word) => `▁${word}`),
  ];
  for (const piece of pieces.slice(0, vocabulary - tokens.length)) {
    tokens.push(piece);
    types.push(TOKEN.normal);
  }
  fillUnused(tokens, types, vocabulary);
  return { tokens, types };
}

function fillUnused(tokens: string[], types: number[], vocabulary: number): void {
  while (tokens.length < vocabulary) {
    tokens.push(`<unused${tokens.length}>`);
    types.push(TOKEN.unused);
  }
}

/** The printable characters that stand for the 256 bytes, as GPT-2's tokenizer writes them. */
function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 256;
  return Array.from(
    { length: 256 },
    (_, byte) => String.fromCharCode(printable(byte) ? byte : next++),
  );
}

/** With the values that the options give. */
function weighted(tensors: readonly GgufTensor[], { weights }: Shape): GgufTensor[] {
  return tensors.map((tensor) => ({
    ...tensor,
    values: weights?.(tensor.name, tensor.shape) ?? tensor.values,
  }));
}

function embeddings(shape: Shape, random: () => number): GgufTensor {
  const table = tensor("token_embd.weight", [shape.width, shape.vocabulary], random, 8);
  if (shape.fill !== undefined) table.values.fill(shape.fill);
  return table;
}

/** Normal values whose spread keeps the length of what is multiplied, times `scale`. */
function tensor(
  name: string,
  shape: readonly [number, number],
  random: () => number,
  scale: number,
): GgufTensor {
  const spread = scale / Math.sqrt(shape[0]);
  return {
    name,
    shape,
    values: Float32Array.from({ length: shape[0] * shape[1] }, () => random() * spread),
  };
}

function ones(name: string, size: number): GgufTensor {
  return { name, shape: [size], values: new Float32Array(size).fill(1) };
}

function zeros(name: string, size: number): GgufTensor {
  return { name, shape: [size], values: new Float32Array(size) };
}

function text(value: string): GgufValue {
  return { type: "string", value };
}

function number(value: number): GgufValue {
  return { type: "uint32", value };
}

/** Standard normal values: mulberry32, then the Box–Muller transform. */
function normals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
