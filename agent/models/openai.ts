/**
 * The model `openai`: any server that speaks the chat completions of OpenAI's API: vLLM, the server of llama.cpp, Ollama, a
 * hosted one.
 *
 * Owns the conversation with it. What must hold:
 * - a server that refuses a schema is asked again with less of one, once, and that is remembered;
 * - what may pass (429, 5xx, a connection that breaks before any text) is tried again a bounded number of times, as late as the
 *   server asks for; nothing waits for ever;
 * - what a server sends is bounded by what was asked for, and believed in nothing: not in its length, its form or its counts.
 *
 * The API: https://platform.openai.com/docs/api-reference/chat
 */
import { Patience, sleep } from "../../kernel/mod.ts";
import type { AdapterHost } from "../adapters/adapter_host.ts";
import { VllmHost, type VllmOptions } from "../adapters/vllm_host.ts";
import {
  type GenerateRequest,
  type Generation,
  type LanguageModel,
  type Message,
  requireRoom,
} from "./language_model.ts";
import {
  addressOf,
  bytesOf,
  describeBody,
  MOST_ERROR,
  Passing,
  Server,
  SHOWN,
} from "./openai_server.ts";
import { eventData } from "./sse.ts";

/** How to use a server. */
export interface OpenAiOptions {
  /** Base address, such as `http://127.0.0.1:8000/v1`. */
  readonly url: string;
  /** Name of the model at the server; the only one that it has when absent. */
  readonly model?: string;
  /** Sent as a bearer token. */
  readonly key?: string;
  /** Window in tokens, where the server does not say; 8,192 by default. */
  readonly contextTokens?: number;
  /** Estimates tokens: the server has the tokenizer. */
  readonly count: (text: string) => number;
  /** Longest wait for the first answer to a prompt. 120 s by default: a server may have to load the model first. */
  readonly firstMs?: number;
  /** Longest silence after that. 60 s by default. */
  readonly stallMs?: number;
  /** How often what may pass is tried again. 4 by default. */
  readonly retries?: number;
  /** Wait before the first repetition; each further one waits twice as long. 0.5 s by default. */
  readonly retryMs?: number;
  /** How the server sees a folder of this machine, where it runs in a container or elsewhere: adapters are read from it. */
  readonly mount?: VllmOptions["mount"];
  readonly signal?: AbortSignal;
}

const FIRST_MS = 120_000;
const STALL_MS = 60_000;
const RETRIES = 4;
const RETRY_MS = 500;
/** Longest wait of our own, and longest that a server may ask for: beyond it a person would rather be told. */
const MAX_RETRY_MS = 15_000;
const MAX_RETRY_AFTER_MS = 60_000;
const CONTEXT = 8192;
/**
 * What an estimate may be wrong by before the server has told the truth about a prompt: tokenizers of open models make up to a
 * quarter more of code than the one that the estimate was fitted to.
 */
const MARGIN = 1.25;
/** Tokens around each message: role, marks. Servers differ; 4 to 6 are usual. */
const AROUND_A_MESSAGE = 6;
/** A server that writes more characters than this for each token asked for does not keep to what was asked. */
const MOST_CHARACTERS_A_TOKEN = 32;
/** How much of a schema a server takes, from all to none. */
const FORMS = ["json_schema", "json_object", "none"] as const;

/**
 * Opens a model at a server: asks which models it has.
 * @throws {LanguageModelError} when the server cannot be reached, is none, or has not that model.
 */
export async function openOpenAiModel(options: OpenAiOptions): Promise<LanguageModel> {
  const base = addressOf(options.url);
  const server = new Server(base, options.key);
  const listed = await server.models(options.signal);
  const names = listed.map(({ id }) => id);
  const model = options.model ?? (names.length === 1 ? names[0] : undefined);
  if (model === undefined) {
    throw server.error(
      names.length === 0
        ? "it does not say which models it has; name one as openai:URL#MODEL"
        : `it has ${names.length} models; name one as openai:URL#MODEL: ${
          names.slice(0, 10).join(", ")
        }`,
      "unusable",
    );
  }
  if (options.model !== undefined && names.length > 0 && !names.includes(options.model)) {
    throw server.error(
      `it has no model "${options.model}", expected one of ${names.slice(0, 10).join(", ")}`,
      "unusable",
    );
  }
  const window = options.contextTokens ?? listed.find(({ id }) => id === model)?.window ?? CONTEXT;
  return new OpenAiModel(server, model, window, options);
}

class OpenAiModel implements LanguageModel {
  readonly name: string;
  readonly contextTokens: number;
  readonly counting = "estimate";
  readonly adapters: AdapterHost;
  readonly #server: Server;
  readonly #model: string;
  readonly #options: OpenAiOptions;
  /** Tokens of the server for one of the estimate: the most seen, once it has told. */
  #ratio = MARGIN;
  #told = 0;
  #form = 0;
  /** Newer hosted models have another name for the limit. */
  #limitField = "max_tokens";
  #usage = true;
  #closed = false;

  constructor(server: Server, model: string, contextTokens: number, options: OpenAiOptions) {
    this.#server = server;
    this.adapters = new VllmHost(server, options.mount && { mount: options.mount });
    this.#model = model;
    this.#options = options;
    this.contextTokens = contextTokens;
    this.name = `openai:${server.name}#${model}`;
  }

  count(text: string): number {
    return Math.ceil(this.#options.count(text) * this.#ratio);
  }

  countPrompt(messages: readonly Message[]): number {
    return messages.reduce(
      (sum, { content }) => sum + this.count(content) + AROUND_A_MESSAGE,
      AROUND_A_MESSAGE,
    );
  }

  async generate(request: GenerateRequest): Promise<Generation> {
    const { signal } = request;
    signal?.throwIfAborted();
    if (this.#closed) throw this.#server.error("the model was closed", "unusable");
    requireRoom(this, this.countPrompt(request.messages), request.maxTokens);
    const { retries = RETRIES, retryMs = RETRY_MS } = this.#options;
    for (let failures = 0;;) {
      const patience = new Patience(this.#options.firstMs ?? FIRST_MS, signal);
      let heard = 0;
      try {
        return await this.#attempt(request, patience, (length) => heard = length);
      } catch (error) {
        signal?.throwIfAborted();
        const silent = patience.isOver
          ? `nothing came for ${patience.stallMs / 1000} s`
          : error instanceof RangeError
          ? error.message
          : undefined;
        if (silent !== undefined) throw this.#server.error(silent, "failed");
        if (error instanceof Adapted) continue;
        if (!(error instanceof Passing)) throw error;
        // What somebody has read already cannot be taken back.
        if (heard > 0 && request.onText !== undefined) {
          throw this.#server.error(`${error.message}, after ${heard} characters`, "failed");
        }
        const wait = error.retryAfterMs ?? Math.min(retryMs * 2 ** failures, MAX_RETRY_MS);
        failures++;
        if (failures > retries || wait > MAX_RETRY_AFTER_MS) {
          const later = wait > MAX_RETRY_AFTER_MS
            ? ` and wants to be left alone for ${Math.round(wait / 1000)} s`
            : failures > 1
            ? ` (tried ${failures} times)`
            : "";
          throw this.#server.error(`${error.message}${later}`, "unusable");
        }
        await sleep(wait, signal);
      } finally {
        patience.stop();
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #attempt(
    request: GenerateRequest,
    patience: Patience,
    heard: (length: number) => void,
  ): Promise<Generation> {
    const response = await this.#server.complete(this.#body(request), patience);
    if (!response.ok) {
      const refusal = await this.#server.refusal(response, patience);
      if (response.status === 400 || response.status === 422 || response.status === 501) {
        this.#adapt(request, refusal.message);
      }
      throw refusal;
    }
    const type = response.headers.get("content-type") ?? "";
    if (/\bapplication\/json\b/i.test(type)) return await this.#whole(response, request, patience);
    if (!/\btext\/event-stream\b/i.test(type)) {
      await response.body?.cancel();
      throw this.#server.error(
        `it answered ${describeBody(response, "")}, expected events; check the address`,
        "unusable",
      );
    }
    const limit = request.maxTokens * MOST_CHARACTERS_A_TOKEN;
    const { stallMs = STALL_MS } = this.#options;
    let text = "";
    let finish: string | undefined;
    let usage: Usage | undefined;
    let isOver = false;
    for await (const data of eventData(this.#bytes(response, patience, stallMs))) {
      if (data === "[DONE]") {
        isOver = true;
        break;
      }
      const event = this.#parse(data);
      usage = event.usage ?? usage;
      const choice = event.choices?.[0];
      const piece = choice?.delta?.content;
      if (typeof piece === "string" && piece !== "") {
        text += piece;
        heard(text.length);
        request.onText?.(piece);
      }
      finish = choice?.finish_reason ?? finish;
      if (text.length > limit) {
        finish = "length";
        isOver = true;
        break;
      }
    }
    if (!isOver && finish === undefined) throw new Passing("it closed the connection half way");
    return this.#result(request, text, finish, usage);
  }

  /** Bytes, with less patience once the first have come. */
  async *#bytes(
    response: Response,
    patience: Patience,
    stallMs: number,
  ): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytesOf(response, patience)) {
      patience.stallMs = stallMs;
      yield chunk;
    }
  }

  /** The answer of a server that does not stream. */
  async #whole(
    response: Response,
    request: GenerateRequest,
    patience: Patience,
  ): Promise<Generation> {
    const limit = request.maxTokens * MOST_CHARACTERS_A_TOKEN;
    let body = "";
    const decoder = new TextDecoder();
    for await (const chunk of bytesOf(response, patience)) {
      body += decoder.decode(chunk, { stream: true });
      if (body.length > limit + MOST_ERROR) {
        throw this.#server.error("its answer is longer than what was asked for", "failed");
      }
    }
    const event = this.#parse(body);
    const choice = event.choices?.[0];
    const text = choice?.message?.content ?? "";
    if (text !== "") request.onText?.(text);
    return this.#result(request, text, choice?.finish_reason, event.usage);
  }

  #result(
    { messages, maxTokens }: GenerateRequest,
    text: string,
    finish: string | null | undefined,
    usage: Usage | undefined,
  ): Generation {
    const estimate = messages.reduce((sum, { content }) => sum + this.#options.count(content), 0);
    const told = usage?.prompt_tokens;
    if (Number.isInteger(told) && told! > 0 && estimate > 0) {
      const around = AROUND_A_MESSAGE * (messages.length + 1);
      const ratio = Math.max(1, (told! - around) / estimate);
      // The first word of the server replaces the guess; later ones can only make us more careful.
      this.#ratio = this.#told++ === 0 ? ratio : Math.max(this.#ratio, ratio);
    }
    const out = usage?.completion_tokens;
    const cached = usage?.prompt_tokens_details?.cached_tokens;
    return {
      text,
      tokensIn: Number.isInteger(told) ? told! : this.countPrompt(messages),
      tokensReused: Number.isInteger(cached) ? cached! : 0,
      tokensOut: Number.isInteger(out) ? out! : Math.min(maxTokens, this.count(text)),
      stopped: finish === "length" ? "length" : "end",
    };
  }

  #body({ messages, schema, maxTokens, temperature = 0, seed, adapter }: GenerateRequest): object {
    const form = FORMS[this.#form]!;
    const format = schema === undefined || form === "none"
      ? undefined
      : form === "json_schema"
      ? { type: form, json_schema: { name: "step", schema, strict: true } }
      : { type: form };
    // A server that takes no schema is told in words.
    const told = schema !== undefined && form !== "json_schema"
      ? messages.map((message, at) =>
        at === messages.length - 1
          ? {
            ...message,
            content:
              `${message.content}\n\nAnswer with one JSON value and nothing else. It must satisfy this JSON Schema:\n${
                JSON.stringify(schema)
              }`,
          }
          : message
      )
      : messages;
    return {
      model: adapter?.name ?? this.#model,
      messages: told,
      [this.#limitField]: maxTokens,
      temperature,
      stream: true,
      ...(this.#usage && { stream_options: { include_usage: true } }),
      ...(seed !== undefined && { seed }),
      ...(format && { response_format: format }),
    };
  }

  /** Takes back what the server may not know; throws {Adapted} when there was something to take back. */
  #adapt({ schema }: GenerateRequest, said: string): void {
    if (this.#limitField === "max_tokens" && said.includes("max_completion_tokens")) {
      this.#limitField = "max_completion_tokens";
      throw new Adapted();
    }
    if (this.#usage && /stream_options|include_usage/.test(said)) {
      this.#usage = false;
      throw new Adapted();
    }
    if (/context|too (long|large)|maximum.*tokens/i.test(said)) return;
    if (schema !== undefined && this.#form < FORMS.length - 1) {
      this.#form++;
      throw new Adapted();
    }
  }

  #parse(data: string): CompletionEvent {
    let event: CompletionEvent;
    try {
      event = JSON.parse(data);
    } catch {
      throw this.#server.error("it sent an event that is no JSON", "failed");
    }
    if (event === null || typeof event !== "object") {
      throw this.#server.error("it sent an event that is no object", "failed");
    }
    const { error } = event;
    if (error) {
      const said = typeof error === "object" ? String(error.message ?? "an error") : String(error);
      throw this.#server.error(`it broke off: ${said.slice(0, SHOWN)}`, "failed");
    }
    return event;
  }
}

/** The request was changed to what the server knows: ask again at once. */
class Adapted extends Error {}

interface Usage {
  readonly prompt_tokens?: number;
  readonly completion_tokens?: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
}

/** What is used of an answer, whole or an event of it. */
interface CompletionEvent {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly message?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: Usage;
  readonly error?: string | { readonly message?: unknown };
}
