/**
 * llama.cpp, as `node-llama-cpp` brings it: loading it when it is first needed, sharing it, unloading it.
 *
 * Owns the package's name, the few of its calls that are used, and the permissions it needs. What must hold: nobody downloads
 * the package who does not use it, so its name is computed and its types stand here, for importing them would download it
 * too; a missing permission is an error that says what to run with; the last model to close unloads the library.
 */
import process from "node:process";

/** What is used of node-llama-cpp. */
export interface Library {
  getLlama(options: {
    gpu: "auto" | false;
    build: "never";
    maxThreads: number;
    progressLogs: false;
    logLevel: "error";
    logger: (level: string, message: string) => void;
  }): Promise<Llama>;
  readonly LlamaGrammarEvaluationState: new (
    options: { model: Model; grammar: Grammar },
  ) => GrammarState;
  readonly JinjaTemplateChatWrapper: new (options: {
    template: string;
    tokenizer: unknown;
    additionalRenderParameters?: Record<string, unknown>;
  }) => ChatWrapper;
  readonly GeneralChatWrapper: new () => ChatWrapper;
}

/** The library, loaded for a GPU or for the processor. */
export interface Llama {
  /** Threads of all contexts together. */
  maxThreads: number;
  /** What computes beside the processor: `cuda`, `vulkan`, `metal`. */
  readonly gpu: string | false;
  /** Cores that are good for arithmetic: no efficiency cores, no second threads of a core. */
  readonly cpuMathCores: number;
  loadModel(options: {
    modelPath: string;
    metadataOverrides?: Record<string, Record<string, number>>;
    gpuLayers?: "auto" | number | { fitContext: { contextSize: number } };
    loadSignal?: AbortSignal;
    onLoadProgress?: (share: number) => void;
  }): Promise<Model>;
  createGrammar(options: { grammar: string }): Promise<Grammar>;
  getVramState(): Promise<{ readonly total: number; readonly free: number }>;
  dispose(): Promise<void>;
}

declare const opaque: unique symbol;
/** A grammar, parsed by llama.cpp. */
export type Grammar = { readonly [opaque]: "grammar" };
/** How far an output is in its grammar. */
export type GrammarState = { readonly [opaque]: "state" };

/** A message as chat wrappers take it. */
export type ChatItem =
  | { readonly type: "system" | "user"; readonly text: string }
  | { readonly type: "model"; readonly response: readonly string[] };

/** Renders messages as the model was trained to read them. */
export interface ChatWrapper {
  generateContextState(options: { chatHistory: readonly ChatItem[] }): {
    /** Keeps apart what is a control token and what only reads like one. */
    readonly contextText: { tokenize(tokenizer: unknown): number[] };
  };
}

/** A model's weights and tokeniser. */
export interface Model {
  readonly tokenizer: unknown;
  readonly gpuLayers: number;
  readonly tokens: { readonly bos: number | null; readonly shouldPrependBosToken: boolean };
  readonly fileInfo: {
    readonly metadata: { readonly tokenizer?: { readonly chat_template?: unknown } };
  };
  /** What reads like a control token is text unless `special`. */
  tokenize(text: string, special?: boolean): readonly number[];
  /** @param last the tokens before, which may decide about a space */
  detokenize(tokens: readonly number[], special?: boolean, last?: readonly number[]): string;
  createEmbeddingContext(
    options: { contextSize: number; batchSize: number; threads: number },
  ): Promise<Context>;
  createContext(options: {
    contextSize: number;
    batchSize: number;
    threads: number;
    sequences: number;
    createSignal?: AbortSignal;
    lora?: { adapters: { filePath: string; scale?: number }[] };
  }): Promise<WritingContext>;
  dispose(): Promise<void>;
}

/** What computes with a model that writes. */
export interface WritingContext {
  /** Tokens that each sequence holds. */
  readonly contextSize: number;
  /** Bytes that it takes. */
  readonly memoryUsage: { readonly ram: number; readonly vram: number };
  getSequence(): Sequence;
  dispose(): Promise<void>;
}

/** A text in the making: the tokens whose state is kept. */
export interface Sequence {
  readonly nextTokenIndex: number;
  compareContextTokens(tokens: readonly number[]): { readonly firstDifferentIndex: number };
  /** Drops what is not a beginning of these tokens. */
  adaptStateToTokens(tokens: readonly number[], allowShift: boolean): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  /** Reads tokens, then writes until the model ends its turn. */
  evaluate(tokens: readonly number[], options: {
    temperature: number;
    seed?: number;
    grammarEvaluationState?: GrammarState;
  }): AsyncGenerator<number, void, void>;
}

/** llama.cpp cannot be used here. */
export class LlamaLibraryError extends Error {
  override name = "LlamaLibraryError";
}

/** What computes with a model, one text at a time. */
export interface Context {
  /** Control tokens at both ends are added where the model wants them. */
  getEmbeddingFor(tokens: readonly number[]): Promise<{ readonly vector: readonly number[] }>;
  dispose(): Promise<void>;
}

/** llama.cpp as the models of a process share it: finding a binary that runs here takes 0.3 s. */
interface SharedLlama {
  readonly loaded: Promise<{ readonly library: Library; readonly llama: Llama }>;
  /** What went wrong since a model was last loaded, as llama.cpp says it. */
  readonly logged: string[];
  users: number;
}
const shared = new Map<"auto" | false, SharedLlama>();

/**
 * llama.cpp, for as long as it is not given back; the last one to give it back unloads it.
 * @param file what it is wanted for
 * @param threads of all contexts together, at least
 * @throws {LlamaLibraryError} when it cannot be downloaded, has no binary for this machine, or a permission is missing.
 */
export async function acquireLlama(
  file: string,
  gpu: "auto" | false,
  threads: number,
): Promise<AsyncDisposable & { library: Library; llama: Llama; logged: string[] }> {
  let entry = shared.get(gpu);
  if (entry === undefined) {
    const logged: string[] = [];
    entry = { loaded: loadLlama(file, gpu, threads, logged), logged, users: 0 };
    shared.set(gpu, entry);
  }
  const { loaded, logged } = entry;
  entry.users++;
  const release = async () => {
    if (--entry.users > 0) return;
    if (shared.get(gpu) === entry) shared.delete(gpu);
    await (await loaded).llama.dispose();
  };
  try {
    const { library, llama } = await loaded;
    llama.maxThreads = Math.max(llama.maxThreads, threads);
    return { library, llama, logged, [Symbol.asyncDispose]: release };
  } catch (cause) {
    if (shared.get(gpu) === entry) shared.delete(gpu);
    throw cause;
  }
}

async function loadLlama(
  file: string,
  gpu: "auto" | false,
  threads: number,
  logged: string[],
): Promise<{ library: Library; llama: Llama }> {
  const name = "node-llama-cpp";
  try {
    const library: Library = await import(name);
    const llama = await library.getLlama({
      gpu,
      build: "never",
      maxThreads: threads,
      progressLogs: false,
      logLevel: "error",
      logger: (_level, message) => logged.push(message.trim()),
    });
    return { library, llama };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw notPermitted(file, cause);
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : cause;
    throw new LlamaLibraryError(
      `cannot load "${name}" for the model "${file}": ${reason}; expected its package for this platform in Deno's cache, or a connection to download it`,
      { cause },
    );
  }
}

/**
 * Asked before anything is loaded: where the permission to run is missing, node-llama-cpp fails outside of any promise.
 * @throws {LlamaLibraryError} that says what to run with.
 */
export async function checkPermissions(file: string): Promise<void> {
  const needed: Deno.PermissionDescriptor[] = [
    { name: "ffi" },
    { name: "sys", kind: "homedir" },
    { name: "sys", kind: "uid" },
  ];
  // Binaries are not tried on macOS.
  if (process.platform !== "darwin") needed.push({ name: "run", command: Deno.execPath() });
  for (const descriptor of needed) {
    const { state } = await Deno.permissions.query(descriptor);
    if (state !== "granted") throw notPermitted(file);
  }
}

function notPermitted(file: string, cause?: unknown): LlamaLibraryError {
  return new LlamaLibraryError(
    `cannot load the model "${file}": native code is not permitted; run it as "deno task with-models …", or with --allow-read --allow-env --allow-ffi --allow-sys=homedir,uid --allow-run=${Deno.execPath()}`,
    { cause },
  );
}
