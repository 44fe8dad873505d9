/**
 * What a model's folder says: which ONNX file to run, how token vectors become one, what goes in front of a text, how much the
 * model reads at once.
 *
 * Owns the layout of the folder (that of the Hugging Face hub, with the files of sentence-transformers where the model has them)
 * and the table of well-known models whose folder lacks those files. Runs nothing. What must hold: everything that decides the
 * vectors, and no more, goes into the revision.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EmbedderError, type VectorModel } from "./embedder.ts";
import { familyOf } from "./families.ts";

/** How token vectors become one. */
export type Pooling = Exclude<VectorModel["pooling"], "sum">;

/** What a caller may decide in place of the folder. */
export interface FolderOptions {
  readonly name: string;
  /** Precision of the weights: `fp32`, `fp16`, `q8`, `q4`, …; the smallest usual one that is there when not given. */
  readonly variant?: string;
  readonly pooling?: Pooling;
  readonly prefixes?: { readonly query?: string; readonly passage?: string };
}

/** The files of a model in one of its forms. */
export interface ModelFiles {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

type Json = Record<string, unknown>;

/** A folder as read. */
export interface ModelFolder {
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  readonly config: Json;
  readonly tokenizer: Json;
  readonly tokenizerConfig: Json;
  /** Of the file in `onnx/`, without `.onnx`. */
  readonly modelName: string;
  readonly pooling: Pooling;
  readonly prefixes: { readonly query: string; readonly passage: string };
  /** Tokens that the model reads at once, special ones included. */
  readonly window: number;
  /** Width of a token vector, where `config.json` tells. */
  readonly hiddenSize: number | undefined;
  /** Whether the model has a layer between pooling and its vector. */
  readonly hasDense: boolean;
}

/** Where no file tells how long a text may be: the length of the first models of this kind. */
const USUAL_WINDOW = 512;

/** Attention costs memory by the square of the length: beyond this a window takes gigabytes on a usual machine. */
const LARGEST_WINDOW = 2048;

/** Lengths above it stand for "not known" (the tokenizer of many models says 10^30). */
const UNKNOWN_LENGTH = 1e9;

/** Changes when the same files give other vectors because this code composes texts in another way. */
const COMPOSITION = 1;

/** Models whose positions start behind that of the padding token, so that the table holds fewer texts than rows. */
const OFFSET_POSITIONS = new Set(["roberta", "xlm-roberta", "camembert", "mpnet", "longformer"]);

/** Modes of `1_Pooling/config.json` that are computed here. */
const POOLING_MODES: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_lasttoken: "last_token",
  cls: "cls",
  mean: "mean",
  lasttoken: "last_token",
};

/** What a variant adds to the name of the ONNX file. */
function suffixOf(variant: string): string {
  if (variant === "fp32") return "";
  return variant === "q8" ? "_quantized" : `_${variant}`;
}

function variantOf(modelName: string): string {
  const suffix = modelName.slice("model".length);
  if (suffix === "") return "fp32";
  return suffix === "_quantized" ? "q8" : suffix.slice(1);
}

/**
 * The files that a download of a model must bring, small ones that may end it early first: one set for each form of the weights, the
 * one to prefer first.
 * @param variant as in `FolderOptions`
 */
export function transformersFiles(variant?: string): readonly ModelFiles[] {
  return (variant === undefined ? ["q8", "fp32"] : [variant]).map((each) => {
    const weights = `onnx/model${suffixOf(each)}.onnx`;
    return {
      required: ["config.json", "tokenizer.json", "tokenizer_config.json", weights],
      optional: [
        "modules.json",
        "1_Pooling/config.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        // Weights beyond two gigabytes do not fit into an ONNX file and lie beside it.
        `${weights}_data`,
      ],
    };
  });
}

/**
 * Reads what a model's folder says, and looks whether everything is there.
 * @throws {EmbedderError} naming the file that is missing or broken.
 */
export async function readModelFolder(
  path: string,
  options: FolderOptions,
): Promise<ModelFolder> {
  const folder = resolve(path);
  const { name } = options;
  const read = (file: string) => readJson(folder, name, file, true) as Promise<Json>;
  const readOptional = (file: string) => readJson(folder, name, file, false);
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) {
    throw new EmbedderError(`cannot open model "${name}": there is no folder "${folder}"`);
  }
  const config = await read("config.json");
  const tokenizer = await read("tokenizer.json");
  const tokenizerConfig = await read("tokenizer_config.json");
  const modelName = await chooseModel(folder, options);
  const pooling = await readOptional("1_Pooling/config.json");
  const prompts = (await readOptional("config_sentence_transformers.json"))?.prompts as
    | Readonly<Record<string, unknown>>
    | undefined;
  const modules = await readOptional("modules.json");
  const sentence = await readOptional("sentence_bert_config.json");
  // A folder may be called as one likes; the model often says where it comes from.
  const family = familyOf([name, config._name_or_path]);
  return {
    name,
    folder,
    config,
    tokenizer,
    tokenizerConfig,
    modelName,
    pooling: options.pooling ?? (pooling ? poolingOf(pooling, name) : family?.pooling ?? "mean"),
    prefixes: {
      query: options.prefixes?.query ?? text(prompts?.query) ?? family?.query ?? "",
      passage: options.prefixes?.passage ?? text(prompts?.passage) ?? text(prompts?.document) ??
        family?.passage ?? "",
    },
    window: windowOf(config, tokenizerConfig, sentence),
    hiddenSize: length(config.hidden_size ?? config.d_model ?? config.n_embd ?? config.dim),
    hasDense: Object.values(modules ?? {}).some((module) =>
      String((module as Json | null)?.type).endsWith(".Dense")
    ),
  };
}

/**
 * First 16 hexadecimal digits of the SHA-256 of all that decides the vectors: weights, tokenizer, and how they are used.
 * @param decisions what was found out by running the model
 */
export async function revisionOf(model: ModelFolder, decisions: unknown): Promise<string> {
  const hash = createHash("sha256");
  const weights = (await readdir(join(model.folder, "onnx")))
    .filter((file) =>
      file === `${model.modelName}.onnx` || file.startsWith(`${model.modelName}.onnx_data`)
    )
    .sort().map((file) => join("onnx", file));
  for (const file of [...weights, "tokenizer.json"]) {
    // Sizes between the files, so that bytes cannot move from one to the next unseen.
    hash.update(`${(await stat(join(model.folder, file))).size}\n`);
    for await (const block of createReadStream(join(model.folder, file))) {
      hash.update(block as Uint8Array);
    }
  }
  const { pooling, prefixes, window } = model;
  hash.update(JSON.stringify([COMPOSITION, pooling, prefixes, window, decisions]));
  return hash.digest("hex").slice(0, 16);
}

/** The number of the token that stands for everything unknown; undefined where the tokenizer knows everything. */
export function unknownToken(model: ModelFolder): number | undefined {
  const { tokenizer, tokenizerConfig } = model;
  const inner = tokenizer.model as Json | undefined;
  if (typeof inner?.unk_id === "number") return inner.unk_id;
  const content = inner?.unk_token ?? tokenText(tokenizerConfig.unk_token);
  return typeof content === "string" ? tokenNumber(tokenizer, content) : undefined;
}

/** The number of the token that fills a batch up; masked, so any will do where the model has none. */
export function paddingToken(model: ModelFolder): number {
  const { config, tokenizer, tokenizerConfig } = model;
  if (typeof config.pad_token_id === "number") return config.pad_token_id;
  const content = tokenText(tokenizerConfig.pad_token);
  return (content === undefined ? undefined : tokenNumber(tokenizer, content)) ?? 0;
}

function tokenText(token: unknown): string | undefined {
  return text(typeof token === "object" ? (token as Json | null)?.content : token);
}

function tokenNumber(tokenizer: Json, content: string): number | undefined {
  const added = (tokenizer.added_tokens as { id: number; content: string }[] | undefined)?.find(
    (token) => token.content === content,
  );
  if (added) return added.id;
  const vocabulary = (tokenizer.model as Json | undefined)?.vocab;
  if (Array.isArray(vocabulary)) {
    const at = vocabulary.findIndex((entry) => Array.isArray(entry) && entry[0] === content);
    return at < 0 ? undefined : at;
  }
  const number = (vocabulary as Json | undefined)?.[content];
  return typeof number === "number" ? number : undefined;
}

async function readJson(
  folder: string,
  name: string,
  file: string,
  required: boolean,
): Promise<Json | undefined> {
  let content: string;
  try {
    content = await readFile(join(folder, file), "utf8");
  } catch (error) {
    const missing = (error as { code?: string }).code === "ENOENT";
    if (missing && !required) return undefined;
    throw new EmbedderError(
      missing
        ? `cannot open model "${name}": "${file}" is missing in "${folder}"; fetch the model again`
        : `cannot read "${file}" of model "${name}": ${oneLine(error)}`,
    );
  }
  try {
    const value = JSON.parse(content) as unknown;
    if (typeof value === "object" && value !== null) return value as Json;
  } catch {
    // Reported below, like JSON that is no object.
  }
  throw new EmbedderError(
    `cannot read "${file}" of model "${name}": it is no JSON object; fetch the model again`,
  );
}

/** The name, without `.onnx`, of the file to run. */
async function chooseModel(folder: string, { name, variant }: FolderOptions): Promise<string> {
  const there = (await readdir(join(folder, "onnx")).catch(() => []))
    .filter((file) => /^model(_\w+)?\.onnx$/.test(file))
    .map((file) => file.slice(0, -".onnx".length)).sort();
  const wanted = (variant === undefined ? ["q8", "fp32"] : [variant])
    .map((each) => `model${suffixOf(each)}`);
  const found = wanted.find((each) => there.includes(each));
  if (found !== undefined) return found;
  const variants = there.map((each) => `"${variantOf(each)}"`).join(", ");
  throw new EmbedderError(
    `cannot open model "${name}": "onnx/${wanted.at(-1)}.onnx" is missing in "${folder}"; ${
      variants === "" ? "no ONNX file is there" : `variants that are there: ${variants}`
    }`,
  );
}

function poolingOf(config: Json, name: string): Pooling {
  const modes = typeof config.pooling_mode === "string"
    ? [config.pooling_mode]
    : Object.keys(config).filter((key) => key.startsWith("pooling_mode_") && config[key] === true);
  const pooling = modes.length === 1 ? POOLING_MODES[modes[0]!] : undefined;
  if (pooling === undefined) {
    throw new EmbedderError(
      `cannot use model "${name}": "1_Pooling/config.json" asks for ${
        modes.map((mode) => `"${mode}"`).join(" and ") || "no pooling"
      }, expected one of cls, mean and last token`,
    );
  }
  return pooling;
}

function windowOf(config: Json, tokenizerConfig: Json, sentence: Json | undefined): number {
  const positions = length(
    config.max_position_embeddings ?? config.n_positions ?? config.max_seq_len,
  );
  const offset = OFFSET_POSITIONS.has(String(config.model_type))
    ? (typeof config.pad_token_id === "number" ? config.pad_token_id : 1) + 1
    : 0;
  const known = [
    length(tokenizerConfig.model_max_length),
    length(sentence?.max_seq_length),
    positions === undefined ? undefined : length(positions - offset),
  ].filter((each) => each !== undefined);
  return Math.min(LARGEST_WINDOW, ...(known.length > 0 ? known : [USUAL_WINDOW]));
}

function length(value: unknown): number | undefined {
  return typeof value === "number" && value >= 1 && value < UNKNOWN_LENGTH
    ? Math.floor(value)
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** An error of somebody else as part of a line of ours. */
export function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, " ").trim().replace(/\.$/, "");
}
