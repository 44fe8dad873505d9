/**
 * LoRA adapters as PEFT saves them, and the model that they are for, made in memory.
 *
 * Owns a writer of safetensors files and a reference: the arithmetic of a llama model as Hugging Face writes it down, in 64-bit
 * floats, with the adapter added to its matrices. It shares nothing with the converter, so that what llama.cpp computes with a
 * converted adapter can be held against what PEFT would have computed.
 */
import { join } from "node:path";
import { tinyModel, type TinyModelOptions } from "./tiny_gguf.ts";

/** A tensor as it is stored; rows first. */
export interface Stored {
  readonly type: "F32" | "F16" | "BF16";
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A safetensors file. */
export function writeSafetensors(
  tensors: Readonly<Record<string, Stored>>,
): Uint8Array<ArrayBuffer> {
  const stored = Object.entries(tensors).map(([name, { type, shape, values }]) => ({
    name,
    dtype: type,
    shape,
    bytes: encode(type, values),
  }));
  let at = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const { name, dtype, shape, bytes } of stored) {
    header[name] = { dtype, shape, data_offsets: [at, at += bytes.length] };
  }
  return fileOf(JSON.stringify(header), stored.map(({ bytes }) => bytes));
}

/** A header of whatever text with its length, and what follows. */
export function fileOf(header: string, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  const all = [length, text, ...parts];
  const file = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function encode(type: Stored["type"], values: Float32Array): Uint8Array {
  if (type === "F32") return new Uint8Array(values.slice().buffer);
  if (type === "F16") return new Uint8Array(new Float16Array(values).buffer);
  // Cut, not rounded: the reference has to use what comes back.
  return new Uint8Array(
    Uint16Array.from(new Uint32Array(values.slice().buffer), (word) => word >>> 16).buffer,
  );
}

/** Rows of numbers. */
export type Matrix = readonly Float32Array[];

/** A tiny llama model as Hugging Face names its matrices: `layers.0.self_attn.q_proj`, without `model.` and `.weight`. */
export interface ReferenceModel {
  readonly matrices: ReadonlyMap<string, Matrix>;
  readonly options: TinyModelOptions;
}

/** Small, yet with fewer heads of keys than of queries, as most models have. */
export const SHAPE = { width: 32, heads: 4, keyHeads: 2, layers: 2, vocabulary: 512 };
const FORWARD = SHAPE.width * 2;
const HEAD = SHAPE.width / SHAPE.heads;
const EPSILON = 1e-5;
const BASE = 10_000;

/** Modules of a layer: names in GGUF, rows, columns. */
export const MODULES = {
  "self_attn.q_proj": ["attn_q", SHAPE.width, SHAPE.width],
  "self_attn.k_proj": ["attn_k", HEAD * SHAPE.keyHeads, SHAPE.width],
  "self_attn.v_proj": ["attn_v", HEAD * SHAPE.keyHeads, SHAPE.width],
  "self_attn.o_proj": ["attn_output", SHAPE.width, SHAPE.width],
  "mlp.gate_proj": ["ffn_gate", FORWARD, SHAPE.width],
  "mlp.up_proj": ["ffn_up", FORWARD, SHAPE.width],
  "mlp.down_proj": ["ffn_down", SHAPE.width, FORWARD],
} as const;

/** A model of random weights. */
export function referenceModel(seed = 1): ReferenceModel {
  const random = uniform(seed);
  const matrices = new Map<string, Matrix>();
  matrices.set("embed_tokens", matrix(SHAPE.vocabulary, SHAPE.width, random, 1.5));
  matrices.set("lm_head", matrix(SHAPE.vocabulary, SHAPE.width, random, 0.4));
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    for (const [module, [, rows, columns]] of Object.entries(MODULES)) {
      matrices.set(`layers.${layer}.${module}`, matrix(rows, columns, random, 0.3));
    }
  }
  return { matrices, options: SHAPE };
}

/** The GGUF file of a model: as Hugging Face has it, but for the rows of queries and keys. */
export function ggufOf(
  { matrices }: ReferenceModel,
  options: TinyModelOptions = {},
): Uint8Array<ArrayBuffer> {
  const byName = new Map<string, Matrix>([
    ["token_embd.weight", matrices.get("embed_tokens")!],
    ["output.weight", matrices.get("lm_head")!],
  ]);
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    for (const [module, [name]] of Object.entries(MODULES)) {
      const rows = matrices.get(`layers.${layer}.${module}`)!;
      const isTurned = name === "attn_q" || name === "attn_k";
      byName.set(`blk.${layer}.${name}.weight`, isTurned ? interleaved(rows) : rows);
    }
  }
  return tinyModel({
    ...SHAPE,
    weights: (name) => {
      const rows = byName.get(name);
      return rows && Float32Array.from(rows.flatMap((row) => [...row]));
    },
    ...options,
  });
}

/** The two halves of each head, one row of each in turn. */
function interleaved(rows: Matrix): Matrix {
  const turned: Float32Array[] = [];
  for (let head = 0; head < rows.length; head += HEAD) {
    const first = rows.slice(head, head + HEAD / 2);
    const second = rows.slice(head + HEAD / 2, head + HEAD);
    first.forEach((row, index) => turned.push(row, second[index]!));
  }
  return turned;
}

/** The model with `scale · B · A` added to some of its matrices. */
export function merged(
  model: ReferenceModel,
  changes: ReadonlyMap<string, { readonly a: Matrix; readonly b: Matrix; readonly scale: number }>,
): ReferenceModel {
  const matrices = new Map(model.matrices);
  for (const [name, { a, b, scale }] of changes) {
    matrices.set(
      name,
      matrices.get(name)!.map((row, out) =>
        row.map((value, column) =>
          value + scale * a.reduce((sum, values, rank) => sum + b[out]![rank]! * values[column]!, 0)
        )
      ),
    );
  }
  return { ...model, matrices };
}

/** The logits behind the last of some tokens. */
export function logitsOf({ matrices }: ReferenceModel, tokens: readonly number[]): number[] {
  const of = (name: string) => matrices.get(name)!;
  let states = tokens.map((token) => [...of("embed_tokens")[token]!]);
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    const at = (module: keyof typeof MODULES) => of(`layers.${layer}.${module}`);
    const normal = states.map(rootMeanSquare);
    const queries = normal.map((x, place) => rotated(times(at("self_attn.q_proj"), x), place));
    const keys = normal.map((x, place) => rotated(times(at("self_attn.k_proj"), x), place));
    const values = normal.map((x) => times(at("self_attn.v_proj"), x));
    states = states.map((x, place) =>
      sum(x, times(at("self_attn.o_proj"), attention(queries[place]!, keys, values, place)))
    );
    states = states.map((x) => {
      const y = rootMeanSquare(x);
      const gate = times(at("mlp.gate_proj"), y).map((value) => value / (1 + Math.exp(-value)));
      const up = times(at("mlp.up_proj"), y);
      return sum(x, times(at("mlp.down_proj"), gate.map((value, index) => value * up[index]!)));
    });
  }
  return times(of("lm_head"), rootMeanSquare(states.at(-1)!));
}

/** Probabilities of logits. */
export function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - most));
  const all = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / all);
}

function attention(
  query: number[],
  keys: readonly number[][],
  values: readonly number[][],
  place: number,
): number[] {
  const out: number[] = [];
  for (let head = 0; head < SHAPE.heads; head++) {
    const own = query.slice(head * HEAD, (head + 1) * HEAD);
    const from = Math.floor(head / (SHAPE.heads / SHAPE.keyHeads)) * HEAD;
    const weights = softmax(
      keys.slice(0, place + 1).map((key) =>
        own.reduce((sum, value, index) => sum + value * key[from + index]!, 0) / Math.sqrt(HEAD)
      ),
    );
    for (let index = 0; index < HEAD; index++) {
      out.push(weights.reduce((sum, weight, at) => sum + weight * values[at]![from + index]!, 0));
    }
  }
  return out;
}

/** Rotary embedding as Hugging Face has it: a value and the one half a head away are turned together. */
function rotated(vector: number[], place: number): number[] {
  return vector.map((value, at) => {
    const within = at % HEAD;
    const half = HEAD / 2;
    const angle = place * BASE ** (-2 * (within % half) / HEAD);
    const other = within < half ? -vector[at + half]! : vector[at - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

function rootMeanSquare(vector: readonly number[]): number[] {
  const mean = vector.reduce((sum, value) => sum + value * value, 0) / vector.length;
  return vector.map((value) => value / Math.sqrt(mean + EPSILON));
}

function times(rows: Matrix, vector: readonly number[]): number[] {
  return rows.map((row) => vector.reduce((sum, value, at) => sum + value * row[at]!, 0));
}

function sum(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, at) => value + b[at]!);
}

/** Values between −`spread` and `spread` that all types of float hold exactly: eighths of a small unit. */
export function matrix(
  rows: number,
  columns: number,
  random: () => number,
  spread: number,
): Matrix {
  return Array.from(
    { length: rows },
    () =>
      Float32Array.from(
        { length: columns },
        () => Math.round((random() * 2 - 1) * 100) / 128 * spread,
      ),
  );
}

/** mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What an adapter of a test is like. */
export interface PeftOptions {
  /** Names as `layers.0.self_attn.q_proj`, and `lm_head`. */
  readonly modules: readonly string[];
  /** Rank of each module. Default 4. */
  readonly rank?: (module: string) => number;
  readonly type?: Stored["type"];
  readonly seed?: number;
}

/** Random matrices for some modules. */
export function adapterMatrices(
  options: PeftOptions,
): Map<string, { readonly a: Matrix; readonly b: Matrix }> {
  const random = uniform(options.seed ?? 7);
  return new Map(options.modules.map((module) => {
    const [, rows, columns] = module === "lm_head"
      ? ["output", SHAPE.vocabulary, SHAPE.width]
      : MODULES[module.replace(/^layers\.\d+\./, "") as keyof typeof MODULES];
    const rank = options.rank?.(module) ?? 4;
    return [module, {
      a: matrix(rank, columns, random, 0.25),
      b: matrix(rows, rank, random, 0.25),
    }];
  }));
}

/** Writes a folder as `save_pretrained` does. */
export function writePeft(
  folder: string,
  matrices: ReadonlyMap<string, { readonly a: Matrix; readonly b: Matrix }>,
  config: Readonly<Record<string, unknown>>,
  type: Stored["type"] = "F32",
): string {
  Deno.mkdirSync(folder, { recursive: true });
  const tensors: Record<string, Stored> = {};
  for (const [module, { a, b }] of matrices) {
    const prefix = `base_model.model.${module === "lm_head" ? "" : "model."}${module}`;
    tensors[`${prefix}.lora_A.weight`] = stored(a, type);
    tensors[`${prefix}.lora_B.weight`] = stored(b, type);
  }
  Deno.writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors));
  Deno.writeTextFileSync(
    join(folder, "adapter_config.json"),
    JSON.stringify({
      peft_type: "LORA",
      r: 4,
      lora_alpha: 8,
      bias: "none",
      base_model_name_or_path: "acme/tiny",
      target_modules: ["q_proj"],
      ...config,
    }),
  );
  return folder;
}

function stored(rows: Matrix, type: Stored["type"]): Stored {
  return {
    type,
    shape: [rows.length, rows[0]!.length],
    values: Float32Array.from(rows.flatMap((row) => [...row])),
  };
}
