/**
 * `adapter_config.json`: how PEFT says what an adapter is.
 *
 * Owns reading it, and how strongly each matrix acts. What must hold: whatever would make the adapter act otherwise than its
 * matrices alone say (DoRA, biases, replaced layers, a base that was changed first) is refused by its name, never dropped.
 *
 * LoRA: https://arxiv.org/abs/2106.09685; rank-stabilised scaling: https://arxiv.org/abs/2312.03732
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { AdapterError, reasonOf } from "./adapter_error.ts";

/** What is needed of a configuration. */
export interface PeftConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Divide by the root of the rank instead of the rank. */
  readonly isRankStabilised: boolean;
  /** Whether matrices may have another rank than `rank`. */
  readonly hasRanks: boolean;
  /** Other alphas, by the end of a module's name. */
  readonly alphas: ReadonlyMap<string, number>;
  /** Name or folder of the model that it was trained on, as the trainer called it. */
  readonly base: string | undefined;
}

const patternSchema = z.record(z.string(), z.number().positive().finite()).nullish();
const configSchema = z.object({
  peft_type: z.string(),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive().finite(),
  use_rslora: z.boolean().nullish(),
  rank_pattern: patternSchema,
  alpha_pattern: patternSchema,
  base_model_name_or_path: z.string().nullish(),
  bias: z.string().nullish(),
  use_dora: z.boolean().nullish(),
  lora_bias: z.boolean().nullish(),
  use_qalora: z.boolean().nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  trainable_token_indices: z.unknown().optional(),
  layer_replication: z.unknown().optional(),
  alora_invocation_tokens: z.unknown().optional(),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
});

/** Initialisations that take what the adapter starts with out of the base: the adapter is right on that other base alone. */
const BASE_CHANGING = /^(pissa|olora|loftq|corda)/i;

/**
 * Reads an `adapter_config.json`.
 * @throws {AdapterError} when it cannot be read, is not one, or says something that a GGUF adapter cannot express
 */
export async function readPeftConfig(path: string): Promise<PeftConfig> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new AdapterError(
      `read "${path}": ${reasonOf(cause)}; expected the adapter_config.json that PEFT saves`,
      "failed",
      { cause },
    );
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new AdapterError(
      `read "${path}": "${
        issue?.path.join(".")
      }" is wrong (${issue?.message}); expected the adapter_config.json that PEFT saves`,
      "damaged",
    );
  }
  const config = parsed.data;
  refuseUnsupported(path, config);
  return {
    rank: config.r,
    alpha: config.lora_alpha,
    isRankStabilised: config.use_rslora ?? false,
    hasRanks: Object.keys(config.rank_pattern ?? {}).length > 0,
    alphas: new Map(Object.entries(config.alpha_pattern ?? {})),
    base: config.base_model_name_or_path || undefined,
  };
}

/**
 * What the product of a module's matrices is multiplied by.
 * @param module its name, as `model.layers.0.self_attn.q_proj`
 * @param rank of its matrices
 */
export function scaleOf(config: PeftConfig, module: string, rank: number): number {
  let alpha = config.alpha;
  for (const [end, other] of config.alphas) {
    if (module === end || module.endsWith(`.${end}`)) {
      alpha = other;
      break;
    }
  }
  return alpha / (config.isRankStabilised ? Math.sqrt(rank) : rank);
}

function refuseUnsupported(path: string, config: z.infer<typeof configSchema>): void {
  const refuse = (found: string, right: string): never => {
    throw new AdapterError(`convert "${path}": ${found}; expected ${right}`, "unsupported");
  };
  if (config.peft_type !== "LORA") refuse(`its type is "${config.peft_type}"`, `"LORA"`);
  if (config.use_dora) {
    refuse("it is a DoRA adapter, whose magnitudes GGUF has no place for", "LoRA");
  }
  if (config.use_qalora) refuse("it is a QA-LoRA adapter, which pools its input", "LoRA");
  if (config.lora_bias || (config.bias ?? "none") !== "none") {
    refuse(`it trains biases, which GGUF has no place for`, `"bias": "none"`);
  }
  if (config.modules_to_save?.length) {
    refuse(
      `it replaces whole layers ("${config.modules_to_save.join('", "')}")`,
      "low-rank matrices alone; merge it into the model instead",
    );
  }
  if (isGiven(config.trainable_token_indices)) {
    refuse("it replaces vectors of tokens", "low-rank matrices alone");
  }
  if (isGiven(config.layer_replication)) refuse("it repeats layers of the model", "none repeated");
  if (isGiven(config.alora_invocation_tokens)) {
    refuse("it is an activated LoRA, which acts from certain tokens on", "one that always acts");
  }
  const start = config.init_lora_weights;
  if (typeof start === "string" && BASE_CHANGING.test(start)) {
    refuse(
      `"init_lora_weights" is "${start}", so it was trained on a base that was changed first`,
      "an adapter saved for the unchanged base (path_initial_model_for_weight_conversion)",
    );
  }
  for (const end of Object.keys(config.alpha_pattern ?? {})) {
    if (!/^[\w.]+$/.test(end)) {
      refuse(`"alpha_pattern" names modules by the regular expression "${end}"`, "ends of names");
    }
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}
