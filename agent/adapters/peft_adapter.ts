/**
 * From PEFT to GGUF: the adapter that a training script saves becomes one that llama.cpp loads.
 *
 * Owns the names of modules in both worlds, and the order of rows. What must hold: what llama.cpp adds to each matrix of the model
 * is what PEFT would have added, up to the rounding of the type asked for; anything that would break that is refused; one tensor
 * is in memory at a time.
 *
 * PEFT adds `scale · B · A` to a matrix; llama.cpp adds `alpha / rank · b · a`, with one alpha a file and the rank of each pair. A
 * scale of its own (rank-stabilised, other ranks or alphas for some modules) is multiplied into B.
 *
 * Rotary embeddings turn pairs of values. Hugging Face pairs a head's value `i` with `i + half`; the GGUF files of some
 * architectures pair `2i` with `2i + 1`, and have the rows of their query and key matrices reordered for it. So are the rows of B
 * here. The model must have come from Hugging Face's form through llama.cpp's converter, as nearly all have.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { GgufHeader } from "../../rag/mod.ts";
import { AdapterError, reasonOf } from "./adapter_error.ts";
import { type AdapterPair, readHeader, requireFit } from "./adapter_file.ts";
import {
  type GgufEntry,
  type GgufFloat,
  ggufHead,
  type GgufTensorShape,
  ggufValues,
} from "./gguf_writer.ts";
import { type PeftConfig, readPeftConfig, scaleOf } from "./peft_config.ts";
import { Safetensors } from "./safetensors.ts";

/** The files of an adapter, as `save_pretrained` calls them. */
export const PEFT_CONFIG = "adapter_config.json";
/** The matrices. */
export const PEFT_WEIGHTS = "adapter_model.safetensors";
const PEFT_PICKLE = "adapter_model.bin";

/** How to convert. */
export interface ConvertOptions {
  /** `general.name` of the adapter. Default: the folder's name. */
  readonly name?: string;
  /** `float16` takes half the memory and rounds. Default `float32`: exact for whatever the adapter was saved in. */
  readonly type?: GgufFloat;
}

/** Architectures whose modules have the names below, and whether their query and key rows are reordered in GGUF. */
const ARCHITECTURES: Readonly<Record<string, { readonly isReordered: boolean }>> = {
  llama: { isReordered: true },
  granite: { isReordered: true },
  qwen2: { isReordered: false },
  qwen3: { isReordered: false },
  gemma: { isReordered: false },
  gemma2: { isReordered: false },
  gemma3: { isReordered: false },
};

/** Modules of a layer, and what GGUF calls their matrices. */
const MODULES: Readonly<Record<string, string>> = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** Which heads the rows of a reordered matrix belong to. */
const HEADS: Readonly<Record<string, "head_count" | "head_count_kv">> = {
  attn_q: "head_count",
  attn_k: "head_count_kv",
};

/** `base_model.model.` is PEFT's; a name of the adapter stands behind A and B where the state was saved by hand. */
const TENSOR = /^(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.[^.]+)?\.weight$/;
const LAYER = /^(?:model\.)?layers\.(\d{1,4})\.(\w+\.\w+)$/;
const OUTPUT = "lm_head";

/** One pair of matrices and what becomes of it. */
interface FoundPair extends AdapterPair {
  /** The model's matrix: `blk.0.attn_q.weight`. */
  readonly target: string;
  /** Names in the safetensors file. */
  readonly names: { readonly a: string; readonly b: string };
  /** What B is multiplied by so that llama.cpp's scale comes to PEFT's. */
  readonly factor: number;
}

interface Pair extends FoundPair {
  /** Heads among which the rows of B are reordered; none where undefined. */
  readonly heads: number | undefined;
}

/** An adapter of PEFT, checked against its model and ready to be written as GGUF. Dispose of it. */
export class PeftAdapter implements AsyncDisposable {
  readonly name: string;
  readonly architecture: string;
  /** The model that it was trained on, as its trainer called it. */
  readonly base: string | undefined;
  /** `adapter.lora.alpha` of the file. */
  readonly alpha: number;
  /** The largest rank. */
  readonly rank: number;
  /** The model's matrices that it changes. */
  readonly targets: readonly string[];
  /** Bytes of the GGUF file. */
  readonly size: number;
  readonly #weights: Safetensors;
  readonly #pairs: readonly Pair[];
  readonly #head: Uint8Array<ArrayBuffer>;
  readonly #type: GgufFloat;

  private constructor(
    weights: Safetensors,
    config: PeftConfig,
    architecture: string,
    pairs: readonly Pair[],
    name: string,
    type: GgufFloat,
  ) {
    this.name = name;
    this.architecture = architecture;
    this.base = config.base;
    this.alpha = fileAlpha(config);
    this.rank = Math.max(...pairs.map(({ a }) => a[1]!));
    this.targets = pairs.map(({ target }) => target);
    this.#weights = weights;
    this.#pairs = pairs;
    this.#type = type;
    const tensors = pairs.flatMap(({ target, a, b }): GgufTensorShape[] => [
      { name: `${target}.lora_a`, shape: a, type },
      { name: `${target}.lora_b`, shape: b, type },
    ]);
    const { bytes, size } = ggufHead(this.#metadata(), tensors);
    this.#head = bytes;
    this.size = size;
  }

  /**
   * Opens the folder that `save_pretrained` wrote, and compares it with the model. No weights are read yet.
   *
   * @param folder with `adapter_config.json` and `adapter_model.safetensors`
   * @param model the GGUF file of the model that the adapter shall work in, of whatever quantisation
   * @throws {AdapterError} when something is missing or damaged, cannot be said in GGUF, or belongs to another model
   */
  static async open(
    folder: string,
    model: string,
    options: ConvertOptions = {},
  ): Promise<PeftAdapter> {
    await requireFiles(folder);
    const config = await readPeftConfig(join(folder, PEFT_CONFIG));
    const path = join(folder, PEFT_WEIGHTS);
    const header = await readHeader(model, "model");
    const architecture = architectureOf(model, header);
    const weights = await Safetensors.open(path);
    try {
      const found = pairsOf(path, weights, config);
      requireFit(path, architecture, new Map(found.map((pair) => [pair.target, pair])), header);
      const pairs = found.map((pair) => ({
        ...pair,
        heads: headsOf(model, header, architecture, pair),
      }));
      const name = options.name ?? basename(folder);
      return new PeftAdapter(
        weights,
        config,
        architecture,
        pairs,
        name,
        options.type ?? "float32",
      );
    } catch (error) {
      await weights[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Looks at a folder without a model to compare it with; gives what its trainer called the model.
   * @throws {AdapterError} as `open`
   */
  static async check(folder: string): Promise<string | undefined> {
    await requireFiles(folder);
    const config = await readPeftConfig(join(folder, PEFT_CONFIG));
    await using _weights = await Safetensors.open(join(folder, PEFT_WEIGHTS));
    return config.base;
  }

  /**
   * The GGUF file from its start, as its parts are computed.
   * @throws {AdapterError} when a value is no number, or too large for half precision
   */
  async *gguf(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield this.#head.slice();
    for (const pair of this.#pairs) {
      yield this.#store(pair.names.a, await this.#weights.read(pair.names.a));
      const values = await this.#weights.read(pair.names.b);
      if (pair.factor !== 1) {
        for (let at = 0; at < values.length; at++) values[at]! *= pair.factor;
      }
      const rows = pair.heads === undefined
        ? values
        : reorderRows(values, pair.b[1]!, pair.b[0]!, pair.heads);
      yield this.#store(pair.names.b, rows);
    }
  }

  /** Closes the file of weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#weights[Symbol.asyncDispose]();
  }

  #store(name: string, values: Float32Array): Uint8Array<ArrayBuffer> {
    if (this.#type === "float16") {
      const large = values.find((value) => Math.abs(value) >= FLOAT16_LIMIT);
      if (large !== undefined) {
        throw new AdapterError(
          `convert "${name}" to float16: it holds ${large}, expected values below ${FLOAT16_LIMIT}; convert to float32`,
          "unsupported",
        );
      }
    }
    return ggufValues(values, this.#type);
  }

  #metadata(): Record<string, GgufEntry> {
    return {
      "general.type": { type: "string", value: "adapter" },
      "general.architecture": { type: "string", value: this.architecture },
      "general.name": { type: "string", value: this.name },
      "adapter.type": { type: "string", value: "lora" },
      "adapter.lora.alpha": { type: "float32", value: this.alpha },
      ...(this.base !== undefined && {
        "general.base_model.count": { type: "uint32", value: 1 },
        "general.base_model.0.name": { type: "string", value: this.base },
      }),
    };
  }
}

/** What rounds to more than the largest number of half precision, 65,504. */
const FLOAT16_LIMIT = 65_520;

/** The alpha of the file: right as it is for every pair of the configuration's own rank and alpha. */
function fileAlpha(config: PeftConfig): number {
  return config.isRankStabilised ? config.alpha * Math.sqrt(config.rank) : config.alpha;
}

/**
 * Rows of a matrix from halves side by side to pairs side by side, head by head.
 * @param values row by row
 */
function reorderRows(
  values: Float32Array,
  rows: number,
  width: number,
  heads: number,
): Float32Array {
  const reordered = new Float32Array(values.length);
  const size = rows / heads;
  const half = size / 2;
  for (let row = 0; row < rows; row++) {
    const head = row - row % size;
    const within = row % size;
    const to = head + within % half * 2 + Math.floor(within / half);
    reordered.set(values.subarray(row * width, (row + 1) * width), to * width);
  }
  return reordered;
}

async function requireFiles(folder: string): Promise<void> {
  let found: string[];
  try {
    found = await readdir(folder);
  } catch (cause) {
    throw new AdapterError(
      `convert "${folder}": ${
        reasonOf(cause).replace("file", "folder")
      }; expected the folder of a PEFT adapter`,
      "failed",
      { cause },
    );
  }
  for (const name of [PEFT_CONFIG, PEFT_WEIGHTS]) {
    if (found.includes(name)) continue;
    const instead = name === PEFT_WEIGHTS && found.includes(PEFT_PICKLE)
      ? `; "${PEFT_PICKLE}" is there: a pickle, which can run code; save it again with safe_serialization=True`
      : `; expected the folder that PEFT's save_pretrained wrote`;
    throw new AdapterError(`convert "${folder}": it has no "${name}"${instead}`, "failed");
  }
}

function architectureOf(path: string, { metadata }: GgufHeader): string {
  const type = metadata.get("general.type") ?? "model";
  const architecture = metadata.get("general.architecture");
  if (type !== "model" || typeof architecture !== "string") {
    throw new AdapterError(
      `convert an adapter for "${path}": its type is ${JSON.stringify(type)}; expected a model`,
      "mismatch",
    );
  }
  const parts = metadata.get("split.count");
  if (typeof parts === "number" && parts > 1) {
    throw new AdapterError(
      `convert an adapter for "${path}": it is one of ${parts} parts of a model; expected one file, merge them first`,
      "unsupported",
    );
  }
  if (!Object.hasOwn(ARCHITECTURES, architecture)) {
    throw new AdapterError(
      `convert an adapter for "${path}": its architecture is "${architecture}"; expected one of ${
        Object.keys(ARCHITECTURES).join(", ")
      }`,
      "unsupported",
    );
  }
  return architecture;
}

function pairsOf(path: string, weights: Safetensors, config: PeftConfig): FoundPair[] {
  const refuse = (found: string, kind: "damaged" | "unsupported" = "damaged"): never => {
    throw new AdapterError(`convert "${path}": ${found}`, kind);
  };
  const halves = new Map<string, { a?: string; b?: string }>();
  for (const name of weights.tensors.keys()) {
    const [, module, letter] = TENSOR.exec(name) ?? [];
    if (module === undefined) {
      refuse(
        `it holds "${name}", which GGUF adapters have no place for; expected names that end in .lora_A.weight or .lora_B.weight`,
        "unsupported",
      );
    }
    const half = letter === "A" ? "a" : "b";
    const entry = halves.get(module!) ?? {};
    if (entry[half] !== undefined) refuse(`it holds "${entry[half]}" and "${name}"; expected one`);
    halves.set(module!, { ...entry, [half]: name });
  }
  if (halves.size === 0) refuse("it holds no matrices; expected .lora_A.weight and .lora_B.weight");
  const pairs: FoundPair[] = [];
  for (const [module, { a, b }] of halves) {
    if (a === undefined || b === undefined) {
      return refuse(`module "${module}" has "${a ?? b}" alone; expected lora_A and lora_B`);
    }
    const target = targetOf(module);
    if (target === undefined) {
      return refuse(
        `module "${module}" is none that can be converted; expected ${OUTPUT}, or ${
          Object.keys(MODULES).join(", ")
        } of a layer`,
        "unsupported",
      );
    }
    const shapes = { a: weights.tensors.get(a)!.shape, b: weights.tensors.get(b)!.shape };
    const rank = shapes.a[0]!;
    if (shapes.a.length !== 2 || shapes.b.length !== 2 || rank !== shapes.b[1] || rank === 0) {
      refuse(
        `module "${module}" has matrices of the shapes ${JSON.stringify(shapes.b)} and ${
          JSON.stringify(shapes.a)
        }; expected two that multiply`,
      );
    }
    if (rank !== config.rank && !config.hasRanks) {
      refuse(
        `module "${module}" has matrices of rank ${rank}, expected ${config.rank} as "r" of "${PEFT_CONFIG}" says`,
      );
    }
    pairs.push({
      target,
      names: { a, b },
      a: [shapes.a[1]!, rank],
      b: [rank, shapes.b[0]!],
      // As a 32-bit float, so that what is 1 but for rounding leaves the values as they are.
      factor: Math.fround(scaleOf(config, module, rank) * rank / fileAlpha(config)),
    });
  }
  return pairs;
}

/** What GGUF calls the matrix of a module. */
function targetOf(module: string): string | undefined {
  if (module === OUTPUT) return "output.weight";
  const [, layer, path] = LAYER.exec(module) ?? [];
  return path !== undefined && Object.hasOwn(MODULES, path)
    ? `blk.${Number(layer)}.${MODULES[path]}.weight`
    : undefined;
}

/** Heads among which the rows of a pair are reordered. */
function headsOf(
  path: string,
  { metadata }: GgufHeader,
  architecture: string,
  { target, b: [, rows] }: FoundPair,
): number | undefined {
  const [, , part = ""] = target.split(".");
  if (!ARCHITECTURES[architecture]!.isReordered || !Object.hasOwn(HEADS, part)) return undefined;
  const all = metadata.get(`${architecture}.attention.head_count`);
  const heads = metadata.get(`${architecture}.attention.${HEADS[part]}`) ?? all;
  if (typeof heads !== "number" || !(heads >= 1) || rows! % (2 * heads) !== 0) {
    throw new AdapterError(
      `convert an adapter for "${path}": its "${architecture}.attention.${HEADS[part]}" is ${
        typeof heads === "object" ? "a list" : heads
      }; expected a number of heads that share the ${rows} rows of "${target}"`,
      "unsupported",
    );
  }
  return heads;
}
