/**
 * GGUF files of LoRA adapters, read before native code sees them.
 *
 * Owns what such a file says of itself and whether it fits a model. What must hold: an adapter that passes here has both matrices
 * of every pair, in shapes that multiply to those of the model's own matrices.
 */
import { GgufError, type GgufHeader, readGgufHeader } from "../../rag/mod.ts";
import { AdapterError } from "./adapter_error.ts";

/** What an adapter's file says. */
export interface AdapterFile {
  readonly path: string;
  /** Of the models that it is for. */
  readonly architecture: string;
  readonly name: string | undefined;
  /** What it was trained on, as its trainer called it. */
  readonly base: string | undefined;
  readonly alpha: number;
  /** The largest of its matrices' ranks. */
  readonly rank: number;
  /** The model's matrices that it changes: `blk.0.attn_q.weight`. */
  readonly targets: readonly string[];
  /** Of all its matrices, as 32-bit floats: what they take at most where they are computed with. */
  readonly bytes: number;
}

/** Two matrices whose product is added to one of the model's; shapes with the dimension first whose values lie side by side. */
export interface AdapterPair {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

const PART = /^(.+)\.lora_([ab])$/;
const FLOAT_BYTES = 4;

/**
 * Reads the header of an adapter's file.
 * @param model header of the model that it shall work in; it is compared with nothing where undefined
 * @throws {AdapterError} when it is no adapter, is not all there, or is for another model
 */
export async function readAdapterFile(path: string, model?: GgufHeader): Promise<AdapterFile> {
  const { metadata, tensors } = await readHeader(path, "adapter");
  const text = (key: string) => {
    const value = metadata.get(key);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const type = text("general.type");
  if (type !== "adapter" || text("adapter.type") !== "lora") {
    throw new AdapterError(
      `use "${path}" as an adapter: its "general.type" is ${JSON.stringify(type)}, "adapter.type" ${
        JSON.stringify(text("adapter.type"))
      }; expected "adapter" and "lora"`,
      "unsupported",
    );
  }
  const alpha = metadata.get("adapter.lora.alpha");
  if (typeof alpha !== "number" || !Number.isFinite(alpha)) {
    throw new AdapterError(
      `use "${path}" as an adapter: its "adapter.lora.alpha" is ${alpha}; expected a number`,
      "damaged",
    );
  }
  const architecture = text("general.architecture") ?? "";
  const pairs = pairsOf(path, tensors);
  if (model !== undefined) requireFit(path, architecture, pairs, model);
  return {
    path,
    architecture,
    name: text("general.name"),
    base: text("general.base_model.0.name"),
    alpha,
    rank: Math.max(...[...pairs.values()].map(({ a }) => a[1]!)),
    targets: [...pairs.keys()],
    bytes: [...pairs.values()].flatMap(({ a, b }) => [a, b])
      .reduce((sum, [width, height]) => sum + width! * height! * FLOAT_BYTES, 0),
  };
}

/**
 * Reads the header of a GGUF file.
 * @param what the message calls it
 * @throws {AdapterError}
 */
export async function readHeader(path: string, what: "adapter" | "model"): Promise<GgufHeader> {
  try {
    return await readGgufHeader(path);
  } catch (cause) {
    if (!(cause instanceof GgufError)) throw cause;
    throw new AdapterError(`use "${path}" as ${what}: ${cause.message}`, "damaged", { cause });
  }
}

/**
 * Compares an adapter with the model that it shall work in.
 * @param path of the adapter, for the message
 * @throws {AdapterError} that says what differs
 */
export function requireFit(
  path: string,
  architecture: string,
  pairs: ReadonlyMap<string, AdapterPair>,
  model: GgufHeader,
): void {
  const refuse = (found: string): never => {
    const name = model.metadata.get("general.name");
    throw new AdapterError(
      `use the adapter "${path}": ${found}; it was trained on another model than ${
        typeof name === "string" ? `"${name}"` : "this one"
      }`,
      "mismatch",
    );
  };
  const own = model.metadata.get("general.architecture");
  if (architecture !== own) {
    refuse(`it is for models of the architecture "${architecture}", the model's is "${own}"`);
  }
  for (const [target, { a, b }] of pairs) {
    const shape = model.tensors.get(target);
    if (shape === undefined) refuse(`the model has no "${target}"`);
    const [width, height] = shape!;
    if (a[0] !== width || b[1] !== height) {
      refuse(`it changes a ${a[0]} × ${b[1]} "${target}", the model's is ${width} × ${height}`);
    }
  }
}

function pairsOf(
  path: string,
  tensors: ReadonlyMap<string, readonly number[]>,
): Map<string, AdapterPair> {
  const refuse = (found: string): never => {
    throw new AdapterError(`use "${path}" as an adapter: ${found}`, "damaged");
  };
  const pairs = new Map<string, AdapterPair>();
  for (const name of tensors.keys()) {
    const target = PART.exec(name)?.[1];
    if (target === undefined) {
      refuse(`it holds a tensor "${name}"; expected names that end in .lora_a or .lora_b`);
    }
    const a = tensors.get(`${target}.lora_a`);
    const b = tensors.get(`${target}.lora_b`);
    if (a === undefined || b === undefined) {
      return refuse(`it has one matrix for "${target}", expected two (.lora_a and .lora_b)`);
    }
    if (a.length !== 2 || b.length !== 2 || a[1] !== b[0]) {
      refuse(
        `its matrices for "${target}" are ${a.join(" × ")} and ${
          b.join(" × ")
        }; expected two that multiply`,
      );
    }
    pairs.set(target!, { a, b });
  }
  if (pairs.size === 0) refuse("it holds no matrices; expected .lora_a and .lora_b");
  return pairs;
}
