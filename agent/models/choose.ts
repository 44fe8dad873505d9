/**
 * Which model: from the name that a person gives to something that opens it.
 *
 * Owns the names: `extractive` is none, `llama:REFERENCE` is a GGUF file by the reference of the store or by its path,
 * `openai:URL#MODEL` is a model at a server, with `?context=TOKENS` and `?key=VARIABLE` where they are needed. What must hold: nothing
 * is loaded or asked before it is opened; nothing is fetched here, whoever wires the program says where a file is; a key is never
 * part of a name.
 */
import { type LanguageModel, LanguageModelError } from "./language_model.ts";
import type { LlamaModelOptions } from "./llama.ts";

/** The name that stands for answers without a model. */
export const NO_MODEL = "extractive";
/** The variable that holds the key of a server, unless the name says another. */
export const KEY_VARIABLE = "OPENAI_API_KEY";

/** What a name means; the parts of it that are no secrets. */
export type ModelChoice =
  | { readonly kind: "extractive"; readonly name: typeof NO_MODEL }
  | { readonly kind: "llama"; readonly name: string; readonly reference: string }
  | {
    readonly kind: "openai";
    readonly name: string;
    readonly url: string;
    readonly model: string | undefined;
    readonly contextTokens: number | undefined;
    readonly keyVariable: string;
  };

/** What opening a model needs of whoever wires the program. */
export interface ModelPorts {
  /** Path of a model file by its reference, fetched first where it is not there. */
  readonly locate: (reference: string) => Promise<string>;
  /** Value of an environment variable; undefined too where it may not be read. */
  readonly env: (name: string) => string | undefined;
  /** Estimates tokens for a server, which has the tokenizer. */
  readonly count: (text: string) => number;
  readonly llama?: Omit<LlamaModelOptions, "name">;
  readonly signal?: AbortSignal;
}

/** @throws {LanguageModelError} when the name is none of those in the module text. */
export function parseModelName(name: string): ModelChoice {
  if (name === NO_MODEL || name === "none") return { kind: "extractive", name: NO_MODEL };
  const [, kind, rest = ""] = /^(llama|openai):(.+)$/s.exec(name) ?? [];
  if (kind === "llama") return { kind, name, reference: rest };
  if (kind !== "openai") {
    throw refuse(
      name,
      'expected "extractive", "llama:hf:OWNER/REPO/FILE.gguf", "llama:./FILE.gguf" or "openai:http://HOST:PORT/v1#MODEL"',
    );
  }
  const url = URL.parse(rest);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw refuse(name, 'expected a web address such as "openai:http://127.0.0.1:8000/v1#MODEL"');
  }
  const context = url.searchParams.get("context");
  if (context !== null && !/^[1-9]\d{2,7}$/.test(context)) {
    throw refuse(name, `its context "${context}" is no number of tokens from 100 to 99999999`);
  }
  const keyVariable = url.searchParams.get("key") ?? KEY_VARIABLE;
  if (!/^[A-Z_][A-Z0-9_]*$/.test(keyVariable)) {
    // It may be the key itself, put there by mistake.
    throw refuse(
      `openai:${url.origin}${url.pathname}`,
      "its key is not the name of an environment variable, which is in capitals",
    );
  }
  const model = modelOf(url.hash.slice(1)) || undefined;
  url.hash = "";
  url.search = "";
  return {
    kind: "openai",
    name,
    url: url.href,
    model,
    contextTokens: context === null ? undefined : Number(context),
    keyVariable,
  };
}

/**
 * Opens the model of a name; undefined for none.
 * @throws {LanguageModelError} when it cannot be used.
 */
export async function openModel(
  choice: ModelChoice,
  ports: ModelPorts,
): Promise<LanguageModel | undefined> {
  const { signal } = ports;
  if (choice.kind === "extractive") return undefined;
  if (choice.kind === "llama") {
    const { openLlamaModel } = await import("./llama.ts");
    return await openLlamaModel(await ports.locate(choice.reference), {
      ...ports.llama,
      name: choice.name,
      ...(signal && { signal }),
    });
  }
  const { url, model, contextTokens, keyVariable } = choice;
  const key = ports.env(keyVariable);
  if (key !== undefined && keyVariable === KEY_VARIABLE && !isSafe(url)) {
    throw new LanguageModelError(
      `open the model "${choice.name}": the key in ${KEY_VARIABLE} would go over the network in the open; use https, or name a variable for this server as ?key=VARIABLE`,
      "unusable",
    );
  }
  if (key === undefined && keyVariable !== KEY_VARIABLE) {
    throw new LanguageModelError(
      `open the model "${choice.name}": the variable ${keyVariable} is not set, expected the key of the server in it`,
      "unusable",
    );
  }
  const { openOpenAiModel } = await import("./openai.ts");
  return await openOpenAiModel({
    url,
    count: ports.count,
    ...(model !== undefined && { model }),
    ...(contextTokens !== undefined && { contextTokens }),
    ...(key !== undefined && { key }),
    ...(signal && { signal }),
  });
}

/** Whether nobody between here and the server can read what is sent. */
function isSafe(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === "https:" || hostname === "localhost" || hostname === "[::1]" ||
    /^127(\.\d+){3}$/.test(hostname);
}

function refuse(name: string, found: string): LanguageModelError {
  return new LanguageModelError(`use the model "${name}": ${found}`, "unusable");
}

/** The name of a model; as it was written where a percent sign begins no character. */
function modelOf(hash: string): string {
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}
