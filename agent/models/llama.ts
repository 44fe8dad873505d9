/**
 * The model `llama`: a GGUF file, run by llama.cpp in this process, on a GPU where there is one.
 *
 * Owns opening a file that writes and writing with it. What must hold:
 * - native code sees a file only after its header was read, found whole and found to fit into memory;
 * - text from messages is never read as a control token, whatever it looks like;
 * - a prompt is read from where it first differs from the one before: what stays in front stays computed;
 * - calls wait for one another, in order; an aborted one ends within a batch and leaves the state usable;
 * - the event loop goes on while native threads compute.
 */
import { basename } from "node:path";
import {
  GgufError,
  type GgufHeader,
  type LlamaAccess,
  type LlamaGrammar,
  type LlamaModelHandle,
  type LlamaSequence,
  loadLlamaAccess,
  readGgufHeader,
} from "../../rag/mod.ts";
import type { AdapterHost } from "../adapters/adapter_host.ts";
import { LlamaHost } from "../adapters/llama_host.ts";
import { grammarOf } from "./grammar.ts";
import {
  type GenerateRequest,
  type Generation,
  type JsonSchema,
  type LanguageModel,
  LanguageModelError,
  type Message,
  requireRoom,
} from "./language_model.ts";
import { LlamaWindows } from "./llama_windows.ts";
import { bytesOfAToken, type FreeMemory, freeRam, windowThatFits } from "./memory_needs.ts";

/** How to open a GGUF model. */
export interface LlamaModelOptions {
  /** What the model is called; `llama:` and the file's name by default. */
  readonly name?: string;
  /** Window in tokens. Default: what the model was trained for, at most 16,384, less where memory is short. */
  readonly contextTokens?: number;
  /**
   * Threads that compute at once. Default: the cores for arithmetic, one left free. They wait for each other by spinning, so one
   * that has to share its core makes all slow: 4 on 2 busy cores took twenty times as long as 1.
   */
  readonly threads?: number;
  /** `auto` computes on a GPU where there is one, `false` never does. Default `auto`. */
  readonly gpu?: "auto" | false;
  /** Layers on the GPU. Default: as many as fit beside the window. */
  readonly gpuLayers?: number;
  /** Calls that are computed side by side, each with a window of its own. Default 1: others wait. */
  readonly parallel?: number;
  /**
   * Adapters that calls name without anybody having made them hot and that are kept ready at once, each with a window of its own;
   * the one not used for longest goes. Default 2.
   */
  readonly adapters?: number;
  /** What is free, where the machine is not to be asked. */
  readonly freeMemory?: FreeMemory;
  readonly signal?: AbortSignal;
  /** Called with the share that is loaded, 0 to 1. */
  readonly onLoad?: (share: number) => void;
}

/** Longer windows cost more memory than the default budgets use: 6,000 tokens of context, the log, an answer. */
const MOST_CONTEXT = 16_384;
/** Instructions, the table of actions, a question and an answer need this much; with less a model is of no use here. */
const LEAST_CONTEXT = 1024;
/** Tokens of a prompt read between two looks at the signal: what llama.cpp computes at once. */
const BATCH = 512;
const ADAPTERS = 2;
/**
 * Characters tokenised at once: it happens on the main path, and the regular expressions of some tokenisers recurse with
 * the length of a line.
 */
const PIECE = 16_384;
/** A character of UTF-8 is at most four bytes, and a token at least one: with more pending ones it is a broken character. */
const MOST_PENDING = 4;

/**
 * Opens a GGUF model that writes.
 * @throws {LanguageModelError} when the file is none, was cut off, does not fit into memory, is one that embeds, or native code
 * may not run.
 */
export async function openLlamaModel(
  file: string,
  options: LlamaModelOptions = {},
): Promise<LanguageModel> {
  const access = await loadLlamaAccess();
  const refuse = (found: string, cause?: unknown) =>
    new LanguageModelError(`open the model "${file}": ${found}`, "unusable", { cause });
  let opened: AsyncDisposable[] = [];
  try {
    const header = await readGgufHeader(file);
    const trained = checkHeader(header, refuse);
    await access.checkPermissions(file);
    const { gpu = "auto", parallel = 1, signal, onLoad } = options;
    const cores = navigator.hardwareConcurrency;
    const lease = await access.acquireLlama(file, gpu, options.threads ?? Math.max(1, cores - 1));
    opened = [lease];
    const { llama, library, logged } = lease;
    const threads = options.threads ??
      Math.max(1, Math.min(cores - 1, llama.cpuMathCores || cores));
    const wanted = options.contextTokens ?? Math.min(trained, MOST_CONTEXT);
    if (wanted > trained) {
      throw refuse(`a window of ${wanted} tokens was asked for, and it was trained for ${trained}`);
    }
    const fitting = windowThatFits(
      (await Deno.stat(file)).size,
      bytesOfAToken(header) * parallel,
      wanted,
      options.contextTokens ?? LEAST_CONTEXT,
      options.freeMemory ??
        { ram: freeRam(), vram: llama.gpu === false ? 0 : (await llama.getVramState()).free },
    );
    if ("problem" in fitting) throw refuse(fitting.problem);
    signal?.throwIfAborted();
    logged.length = 0;
    try {
      const model = await llama.loadModel({
        modelPath: file,
        gpuLayers: options.gpuLayers ?? { fitContext: { contextSize: fitting.tokens } },
        ...(signal && { loadSignal: signal }),
        ...(onLoad && { onLoadProgress: onLoad }),
      });
      opened.unshift({ [Symbol.asyncDispose]: () => model.dispose() });
      const name = options.name ?? `llama:${basename(file)}`;
      const windows = new LlamaWindows(model, header, {
        name,
        contextTokens: fitting.tokens,
        batch: BATCH,
        threads,
        parallel,
        most: (options.adapters ?? ADAPTERS) + 1,
        isOnGpu: llama.gpu !== false && model.gpuLayers > 0,
      });
      await windows.prepare();
      signal?.throwIfAborted();
      const made = new LlamaModel({
        name,
        contextTokens: fitting.tokens,
        access: lease,
        model,
        wrapper: wrapperOf(library, model),
        windows,
        adapters: new LlamaHost(name, header, windows),
        opened,
      });
      return made;
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof LanguageModelError) throw cause;
      // The first line says what is wrong, those behind it that loading failed.
      const reason = logged[0] ?? (cause instanceof Error ? cause.message : String(cause));
      throw refuse(
        `${reason.split("\n")[0]}; expected a GGUF model that this version of llama.cpp knows`,
        cause,
      );
    }
  } catch (cause) {
    for (const each of opened) await each[Symbol.asyncDispose]();
    if (cause instanceof GgufError || cause instanceof access.LlamaLibraryError) {
      throw new LanguageModelError(cause.message, "unusable", { cause });
    }
    throw cause;
  }
}

/** Looks at what a model says of itself; gives the window that it was trained for. */
function checkHeader(
  { metadata, tensors }: GgufHeader,
  refuse: (found: string) => LanguageModelError,
): number {
  const type = metadata.get("general.type");
  if (typeof type === "string" && type !== "model") {
    throw refuse(`it is of type "${type}", expected a whole model`);
  }
  const architecture = metadata.get("general.architecture");
  const trained = metadata.get(`${architecture}.context_length`);
  if (typeof trained !== "number" || trained < 1) {
    throw refuse(`its "${architecture}.context_length" is missing, expected a model that writes`);
  }
  const pooling = metadata.get(`${architecture}.pooling_type`);
  // A model that embeds says how it pools; 0 means not at all.
  if (pooling !== undefined && pooling !== 0) {
    throw refuse(
      `it is a model that embeds, expected one that writes; "ingest --embedder" takes it`,
    );
  }
  if (tensors.size === 0 || metadata.get("tokenizer.ggml.model") === undefined) {
    throw refuse("it has no weights or no tokeniser, expected a whole model");
  }
  if (trained < LEAST_CONTEXT) {
    throw refuse(`it reads ${trained} tokens, expected at least ${LEAST_CONTEXT}`);
  }
  return trained;
}

type Library = Awaited<ReturnType<LlamaAccess["acquireLlama"]>>["library"];
type Wrapper = InstanceType<Library["GeneralChatWrapper"]>;

/** By the template in the file, which is what the model was trained with; a plain one where there is none. */
function wrapperOf(library: Library, model: LlamaModelHandle): Wrapper {
  const template = model.fileInfo.metadata.tokenizer?.chat_template;
  if (typeof template !== "string") return new library.GeneralChatWrapper();
  try {
    const wrapper = new library.JinjaTemplateChatWrapper({
      template,
      tokenizer: model.tokenizer,
      // Answers are to be read, and budgets are small: models that can think aloud or not are told not to.
      additionalRenderParameters: { enable_thinking: false },
    });
    // Some templates refuse only when they are used.
    wrapper.generateContextState({
      chatHistory: [
        { type: "system", text: "system" },
        { type: "user", text: "user" },
        { type: "model", response: [""] },
      ],
    });
    return wrapper;
  } catch {
    return new library.GeneralChatWrapper();
  }
}

interface Parts {
  readonly name: string;
  readonly contextTokens: number;
  readonly access: Awaited<ReturnType<LlamaAccess["acquireLlama"]>>;
  readonly model: LlamaModelHandle;
  readonly wrapper: Wrapper;
  readonly windows: LlamaWindows;
  readonly adapters: AdapterHost;
  /** What to close, in that order. */
  readonly opened: readonly AsyncDisposable[];
}

class LlamaModel implements LanguageModel {
  readonly name: string;
  readonly contextTokens: number;
  readonly counting = "exact";
  readonly adapters: AdapterHost;
  readonly #parts: Parts;
  readonly #grammars = new Map<string, Promise<LlamaGrammar>>();
  #closed = false;
  #calls = 0;
  #idle: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.name = parts.name;
    this.contextTokens = parts.contextTokens;
    this.adapters = parts.adapters;
  }

  count(text: string): number {
    this.#checkOpen();
    let tokens = 0;
    for (let start = 0; start < text.length; start += PIECE) {
      tokens += this.#parts.model.tokenize(text.slice(start, start + PIECE)).length;
    }
    return tokens;
  }

  countPrompt(messages: readonly Message[]): number {
    return this.#tokens(messages).length;
  }

  async generate(request: GenerateRequest): Promise<Generation> {
    const { signal, maxTokens } = request;
    signal?.throwIfAborted();
    const tokens = this.#tokens(request.messages);
    requireRoom(this, tokens.length, maxTokens);
    this.#calls++;
    try {
      return await this.#parts.windows.use(
        request.adapter,
        tokens,
        signal,
        (sequence) => this.#write(sequence, tokens, request),
      );
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof LanguageModelError) throw cause;
      throw new LanguageModelError(
        `ask "${this.name}": ${
          cause instanceof Error ? cause.message.split("\n")[0] : cause
        }; expected text`,
        this.#closed ? "unusable" : "failed",
        { cause },
      );
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#idle?.();
    }
  }

  /** Waits for calls that run; abort them first where that is not wanted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#calls > 0) await new Promise<void>((done) => this.#idle = done);
    for (const each of this.#parts.opened) await each[Symbol.asyncDispose]();
  }

  async #write(
    sequence: LlamaSequence,
    tokens: readonly number[],
    { schema, maxTokens, temperature = 0, seed, signal, onText }: GenerateRequest,
  ): Promise<Generation> {
    const { model, access } = this.#parts;
    // The last token is read anew in any case: what comes after it is what is asked for.
    await sequence.adaptStateToTokens(tokens.slice(0, -1), false);
    const tokensReused = sequence.nextTokenIndex;
    let at = tokensReused;
    for (; tokens.length - at > BATCH; at += BATCH) {
      signal?.throwIfAborted();
      await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(at, at + BATCH));
    }
    signal?.throwIfAborted();
    const grammar = schema && await this.#grammar(schema);
    const writing = sequence.evaluate(tokens.slice(at), {
      temperature,
      ...(seed !== undefined && { seed }),
      ...(grammar && {
        grammarEvaluationState: new access.library.LlamaGrammarEvaluationState({ model, grammar }),
      }),
    });
    let text = "";
    let tokensOut = 0;
    let stopped: Generation["stopped"] = "end";
    const before: number[] = [];
    let pending: number[] = [];
    const flush = (isLast: boolean) => {
      const piece = model.detokenize(pending, true, before);
      // Half a character waits for the rest of it.
      if (!isLast && piece.endsWith("\uFFFD") && pending.length < MOST_PENDING) return;
      before.push(...pending);
      before.splice(0, before.length - MOST_PENDING);
      pending = [];
      if (piece === "") return;
      text += piece;
      onText?.(piece);
    };
    for await (const token of writing) {
      tokensOut++;
      pending.push(token);
      flush(false);
      signal?.throwIfAborted();
      if (tokensOut >= maxTokens) {
        stopped = "length";
        break;
      }
    }
    if (pending.length > 0) flush(true);
    return { text, tokensIn: tokens.length, tokensReused, tokensOut, stopped };
  }

  #tokens(messages: readonly Message[]): number[] {
    this.#checkOpen();
    const { model, wrapper } = this.#parts;
    const { contextText } = wrapper.generateContextState({
      chatHistory: [
        ...messages.map(({ role, content }) =>
          role === "assistant"
            ? { type: "model" as const, response: [content] }
            : { type: role, text: content }
        ),
        { type: "model", response: [""] },
      ],
    });
    const tokens = contextText.tokenize(model.tokenizer);
    const { bos, shouldPrependBosToken } = model.tokens;
    return shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens;
  }

  async #grammar(schema: JsonSchema): Promise<LlamaGrammar> {
    // By its text: callers make the same schema anew for every call.
    const text = grammarOf(schema);
    let grammar = this.#grammars.get(text);
    if (grammar === undefined) {
      grammar = this.#parts.access.llama.createGrammar({ grammar: text });
      this.#grammars.set(text, grammar);
    }
    return await grammar;
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new LanguageModelError(
      `ask "${this.name}": it was closed, expected an open one`,
      "unusable",
    );
  }
}
