/**
 * llama.cpp, as `node-llama-cpp` brings it: loading it when it is first needed, sharing it, unloading it.
 *
 * Owns the package's name, the few of its calls that are used, and the permissions it needs. What must hold: nobody downloads
 * the package who does not use it, so its name is computed and its types stand here, for importing them would download it
 * too; a missing permission is an error that says what to run with; the last embedder to close unloads the library.
 */
import process from "node:process";
import { EmbedderError } from "./embedder.ts";

/** What is used of node-llama-cpp. */
interface Library {
  getLlama(options: {
    gpu: "auto" | false;
    build: "never";
    maxThreads: number;
    progressLogs: false;
    logLevel: "error";
    logger: (level: string, message: string) => void;
  }): Promise<Llama>;
}

/** The library, loaded for a GPU or for the processor. */
export interface Llama {
  /** Threads of all contexts together. */
  maxThreads: number;
  loadModel(options: {
    modelPath: string;
    metadataOverrides?: Record<string, Record<string, number>>;
  }): Promise<Model>;
  dispose(): Promise<void>;
}

/** A model's weights and tokeniser. */
export interface Model {
  tokenize(text: string): readonly number[];
  createEmbeddingContext(
    options: { contextSize: number; batchSize: number; threads: number },
  ): Promise<Context>;
  dispose(): Promise<void>;
}

/** What computes with a model, one text at a time. */
export interface Context {
  /** Control tokens at both ends are added where the model wants them. */
  getEmbeddingFor(tokens: readonly number[]): Promise<{ readonly vector: readonly number[] }>;
  dispose(): Promise<void>;
}

/** llama.cpp as the embedders of a process share it: finding a binary that runs here takes 0.3 s. */
interface SharedLlama {
  readonly llama: Promise<Llama>;
  /** What went wrong since a model was last loaded, as llama.cpp says it. */
  readonly logged: string[];
  users: number;
}
const shared = new Map<"auto" | false, SharedLlama>();

/**
 * llama.cpp, for as long as it is not given back; the last one to give it back unloads it.
 * @param file what it is wanted for
 * @param threads of all contexts together, at least
 * @throws {EmbedderError} when it cannot be downloaded, has no binary for this machine, or a permission is missing.
 */
export async function acquireLlama(
  file: string,
  gpu: "auto" | false,
  threads: number,
): Promise<AsyncDisposable & { llama: Llama; logged: string[] }> {
  let entry = shared.get(gpu);
  if (entry === undefined) {
    const logged: string[] = [];
    entry = { llama: loadLlama(file, gpu, threads, logged), logged, users: 0 };
    shared.set(gpu, entry);
  }
  const { llama, logged } = entry;
  entry.users++;
  const release = async () => {
    if (--entry.users > 0) return;
    if (shared.get(gpu) === entry) shared.delete(gpu);
    await (await llama).dispose();
  };
  try {
    const loaded = await llama;
    loaded.maxThreads = Math.max(loaded.maxThreads, threads);
    return { llama: loaded, logged, [Symbol.asyncDispose]: release };
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
): Promise<Llama> {
  const name = "node-llama-cpp";
  try {
    const { getLlama }: Library = await import(name);
    return await getLlama({
      gpu,
      build: "never",
      maxThreads: threads,
      progressLogs: false,
      logLevel: "error",
      logger: (_level, message) => logged.push(message.trim()),
    });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw notPermitted(file, cause);
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : cause;
    throw new EmbedderError(
      `cannot load "${name}" for the model "${file}": ${reason}; expected its package for this platform in Deno's cache, or a connection to download it`,
      { cause },
    );
  }
}

/**
 * Asked before anything is loaded: where the permission to run is missing, node-llama-cpp fails outside of any promise.
 * @throws {EmbedderError} that says what to run with.
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

function notPermitted(file: string, cause?: unknown): EmbedderError {
  return new EmbedderError(
    `cannot load the model "${file}": native code is not permitted; run with --allow-read --allow-env --allow-ffi --allow-sys=homedir,uid --allow-run=${Deno.execPath()}`,
    { cause },
  );
}
