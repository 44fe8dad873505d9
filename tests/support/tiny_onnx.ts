/**
 * A tiny embedding model as a folder of the hub's layout: real ONNX, real tokenizer, weights from a seed.
 *
 * Owns what the model computes, so that a test can compute it too: the vector of a token is its row of the table plus the mean of
 * the rows of all tokens that the mask keeps. Tokens: words and single punctuation marks, lower case, `[CLS]` and `[SEP]` around.
 * The ONNX file is protobuf written by hand (onnx.proto, IR version 8, opset 17).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What a test wants to be different. */
export interface TinyOnnxOptions {
  readonly seed?: number;
  readonly dimensions?: number;
  /**
   * What comes out: `tokens` `last_hidden_state` [batch, tokens, dimensions]; `sentence` `sentence_embedding` [batch, dimensions],
   * the row of the first token; `logits` a classifier's; `flat` one value a text.
   */
  readonly output?: "tokens" | "sentence" | "logits" | "flat";
  readonly precision?: "float32" | "float16";
  /** A value in the row of the word `read` that is no number. */
  readonly notANumber?: boolean;
  /** Rows of the table; fewer than words make a model that does not belong to its tokenizer. */
  readonly rows?: number;
  /** Name of the ONNX file, without the suffix. */
  readonly fileName?: string;
  /** Laid over the files' own content; `null` leaves a file out. */
  readonly files?: Readonly<Record<string, Record<string, unknown> | string | null>>;
}

/** Words that the tokenizer knows, in the order of their numbers; the four special ones come first. */
export const TINY_WORDS: readonly string[] = [
  ..."[PAD] [UNK] [CLS] [SEP] . / : , ( ) { } ; _ - = a b c d e f g h query passage search document"
    .split(
      " ",
    ),
  ..."src lib ts js read write file parse token open close the of and user login password session error"
    .split(
      " ",
    ),
  ..."connect retry socket tree node walk name path how does it work function return const".split(
    " ",
  ),
];

/** Numbers of the special tokens. */
export const TINY_SPECIAL = { padding: 0, unknown: 1, before: 2, after: 3 } as const;

/** The table of the model of a seed, row by row. */
export function tinyTable(
  { seed = 1, dimensions = 16, rows = TINY_WORDS.length, notANumber }: TinyOnnxOptions = {},
): Float32Array[] {
  const random = generator(seed);
  const table = Array.from(
    { length: rows },
    () => Float32Array.from({ length: dimensions }, () => random() - 0.5),
  );
  if (notANumber) table[TINY_WORDS.indexOf("read")]![0] = NaN;
  return table;
}

/** The numbers of a text's tokens, without special ones. */
export function tinyTokens(text: string): number[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+|[^\p{L}\p{N}\s]/gu) ?? []).map((word) => {
    const at = TINY_WORDS.indexOf(word);
    return at < 0 ? TINY_SPECIAL.unknown : at;
  });
}

/** What the model gives for a row of tokens, special ones included. */
export function tinyHiddenStates(
  table: readonly Float32Array[],
  tokens: readonly number[],
): Float32Array[] {
  const dimensions = table[0]!.length;
  const mean = new Float32Array(dimensions);
  for (const token of tokens) {
    for (let at = 0; at < dimensions; at++) mean[at]! += table[token]![at]! / tokens.length;
  }
  return tokens.map((token) => table[token]!.map((value, at) => value + mean[at]!));
}

/** Writes the model, and gives its folder back. */
export function writeTinyOnnx(folder: string, options: TinyOnnxOptions = {}): string {
  const { dimensions = 16, fileName = "model", files = {} } = options;
  const own: Record<string, Record<string, unknown> | Uint8Array> = {
    "config.json": {
      model_type: "bert",
      hidden_size: dimensions,
      max_position_embeddings: 64,
      pad_token_id: TINY_SPECIAL.padding,
      vocab_size: TINY_WORDS.length,
    },
    "tokenizer.json": tokenizer(),
    "tokenizer_config.json": {
      tokenizer_class: "BertTokenizer",
      model_max_length: 64,
      do_lower_case: true,
      unk_token: "[UNK]",
      pad_token: "[PAD]",
      cls_token: "[CLS]",
      sep_token: "[SEP]",
    },
    [`onnx/${fileName}.onnx`]: onnx(options),
  };
  for (const path of new Set([...Object.keys(own), ...Object.keys(files)])) {
    const laidOver = files[path];
    if (laidOver === null) continue;
    const content = typeof laidOver === "string"
      ? laidOver
      : own[path] instanceof Uint8Array
      ? own[path]
      : JSON.stringify({ ...own[path], ...laidOver });
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

function tokenizer(): Record<string, unknown> {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const text = (id: string) => ({ Sequence: { id, type_id: 0 } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [token("[CLS]"), text("A"), token("[SEP]")],
      pair: [token("[CLS]"), text("A"), token("[SEP]"), text("B"), token("[SEP]")],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, {
          id,
          ids: [special.indexOf(id)],
          tokens: [id],
        }]),
      ),
    },
    decoder: null,
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries(TINY_WORDS.map((word, id) => [word, id])),
      unk_token: "[UNK]",
    },
  };
}

/** Numbers of element types in onnx.proto. */
const FLOAT32 = 1;
const INT64 = 7;
const FLOAT16 = 10;

function onnx(options: TinyOnnxOptions): Uint8Array {
  const { output = "tokens", precision = "float32" } = options;
  const table = tinyTable(options);
  const dimensions = table[0]!.length;
  const weights = new Float32Array(table.length * dimensions);
  for (const [at, row] of table.entries()) weights.set(row, at * dimensions);
  const states = [
    node("Gather", ["table", "input_ids"], ["rows"]),
    node("Cast", ["attention_mask"], ["mask"], [attribute("to", FLOAT32)]),
    node("Unsqueeze", ["mask", "last"], ["kept"]),
    node("Mul", ["rows", "kept"], ["kept_rows"]),
    node("ReduceSum", ["kept_rows", "tokens"], ["sum"], [attribute("keepdims", 1)]),
    node("ReduceSum", ["kept", "tokens"], ["count"], [attribute("keepdims", 1)]),
    node("Div", ["sum", "count"], ["mean"]),
    node("Add", ["rows", "mean"], ["states"]),
  ];
  const first = node("Gather", ["states", "zero"], ["first"], [attribute("axis", 1)]);
  const cast = (from: string, to: string) =>
    node("Cast", [from], [to], [attribute("to", precision === "float16" ? FLOAT16 : FLOAT32)]);
  const ends = {
    tokens: [cast("states", "last_hidden_state")],
    sentence: [first, cast("first", "sentence_embedding")],
    logits: [first, cast("first", "logits")],
    flat: [
      first,
      node("ReduceSum", ["first", "tokens"], ["flat"], [attribute("keepdims", 0)]),
      cast("flat", "score"),
    ],
  };
  const outputs = {
    tokens: ["last_hidden_state", ["batch", "sequence", dimensions]],
    sentence: ["sentence_embedding", ["batch", dimensions]],
    logits: ["logits", ["batch", dimensions]],
    flat: ["score", ["batch"]],
  } as const;
  const [name, shape] = outputs[output];
  const graph = message([
    ...[...states, ...ends[output]].map((each): Field => [1, each]),
    [2, utf8("tiny")],
    [5, tensor("table", FLOAT32, [table.length, dimensions], bytesOf(weights))],
    [5, tensor("last", INT64, [1], bytesOf(BigInt64Array.of(2n)))],
    [5, tensor("tokens", INT64, [1], bytesOf(BigInt64Array.of(1n)))],
    [5, tensor("zero", INT64, [], bytesOf(BigInt64Array.of(0n)))],
    [11, value("input_ids", INT64, ["batch", "sequence"])],
    [11, value("attention_mask", INT64, ["batch", "sequence"])],
    [12, value(name, precision === "float16" ? FLOAT16 : FLOAT32, shape)],
  ]);
  return message([[1, 8], [7, graph], [8, message([[1, utf8("")], [2, 17]])]]);
}

type Field = readonly [number: number, content: number | Uint8Array];

function node(type: string, inputs: string[], outputs: string[], attributes: Uint8Array[] = []) {
  return message([
    ...inputs.map((name): Field => [1, utf8(name)]),
    ...outputs.map((name): Field => [2, utf8(name)]),
    [4, utf8(type)],
    ...attributes.map((each): Field => [5, each]),
  ]);
}

/** A whole-number attribute; 2 is the number of that type. */
function attribute(name: string, content: number): Uint8Array {
  return message([[1, utf8(name)], [3, content], [20, 2]]);
}

function tensor(name: string, type: number, dims: number[], raw: Uint8Array): Uint8Array {
  return message([
    ...dims.map((dimension): Field => [1, dimension]),
    [2, type],
    [8, utf8(name)],
    [9, raw],
  ]);
}

function value(name: string, type: number, dims: readonly (number | string)[]): Uint8Array {
  const shape = message(dims.map((dimension): Field => [
    1,
    message([typeof dimension === "number" ? [1, dimension] : [2, utf8(dimension)]]),
  ]));
  return message([[1, utf8(name)], [2, message([[1, message([[1, type], [2, shape]])]])]]);
}

/** Protobuf: a number is a varint, everything else bytes with their length in front. */
function message(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, content] of fields) {
    if (typeof content === "number") parts.push(varint(number << 3), varint(content));
    else parts.push(varint(number << 3 | 2), varint(content.length), content);
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function varint(content: number): Uint8Array {
  const bytes: number[] = [];
  while (content > 0x7f) {
    bytes.push(content & 0x7f | 0x80);
    content >>>= 7;
  }
  bytes.push(content);
  return Uint8Array.from(bytes);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function bytesOf(values: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Numbers in [0, 1) by a linear congruence modulo 2^32 (Numerical Recipes). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
