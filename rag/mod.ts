/**
 * Memory: what was read, kept in one SQLite file, and found again.
 *
 * The tour: `openMemory()` gives the facade (`memory.ts`). It keeps rows in the store (`store.ts`, the only SQL) and an inverted
 * index over code-aware words (`terms.ts`, `postings.ts`). A search reads the question (`query.ts`), scores and orders
 * chunks (`rank.ts`, pure, with `lexical.ts` and `evidence.ts`, over `index_view.ts` and `file_features.ts`), and hands out
 * hits whose text is that of the index. Vectors come from an embedder (`embed/`): a fast one works inside the writer, a slow one after it
 * (`embed_pending.ts`); `vectors.ts` keeps them and `embed/scan.ts` searches them. `summarise.ts` makes the ContextualSummaries, `graph.ts` answers who refers to what,
 * `trail_index.ts` what was asked and done before (`fractal.ts`).
 *
 * @module
 */
export {
  type AbsorbOptions,
  type AbsorbProgress,
  Memory,
  type MemoryOptions,
  openMemory,
  stateFolder,
} from "./memory.ts";
export { CompilerThread } from "./compiler_thread.ts";
export { OpenEmbedders } from "./embed/open_embedders.ts";
export { fileLines } from "./file_lines.ts";
export { OpenMemories } from "./open_memories.ts";
export {
  type IndexPlace,
  type IndexProgress,
  openMemoryIfMade,
  WorkspaceIndex,
} from "./workspace_index.ts";
export {
  chooseEmbedder,
  type ChosenEmbedder,
  DEFAULT_EMBEDDER,
  type IndexEmbedder,
  type LocateModel,
  NO_EMBEDDER,
} from "./embed/choose.ts";
export { DamagedIndexError } from "./damaged_index.ts";
export { NewerFormatError, NotIngestedError } from "./store.ts";
export { DEFAULTS as DEFAULT_RANKING, type RankOptions } from "./rank.ts";
export type * from "./types.ts";
export { isBenchmarkPath, isTestPath } from "./file_features.ts";
export { type Correction, withCorrections } from "./spelling.ts";
export type { Digest, FractalStep, Outcome, TrailEvent } from "./fractal.ts";
export type {
  Fractal,
  FractalFilter,
  LinesStatus,
  ListTrail,
  TrailIndex,
  TrailReport,
} from "./trail_index.ts";
export { AnswerVectors } from "./answer_vectors.ts";
export { absorbTrail, type TrailPlace, WorkspaceTrail } from "./workspace_trail.ts";
export type { SymbolGraph } from "./graph.ts";
export type * from "./graph_values.ts";
export { VectorModelMismatchError, type VectorsState, VectorStore } from "./vectors.ts";
export { type EmbedPendingOptions } from "./embed_pending.ts";
export type * from "./embed/embedder.ts";
export { GgufError, type GgufHeader, readGgufHeader } from "./embed/gguf.ts";
export type { ModelFiles } from "./embed/transformers_folder.ts";
export { EmbedderError } from "./embed/embedder.ts";
export type { ChunkEncoder, EncoderName } from "./embed/encoder.ts";
export { eachWord, splitIdentifier, stemOf, STOP_WORDS, termsOfWord } from "./terms.ts";

/** The token estimate that cuts chunks, loaded when it is first needed. */
export async function loadTokenCounter(): Promise<(text: string) => number> {
  const { countTokens } = await import("../ingest/mod.ts");
  return countTokens;
}

export type {
  Grammar as LlamaGrammar,
  Model as LlamaModelHandle,
  Sequence as LlamaSequence,
  WritingContext as LlamaWritingContext,
} from "./embed/llama_library.ts";

/** llama.cpp, for who writes with a model rather than embeds. */
export type LlamaAccess = typeof import("./embed/llama_library.ts");

/** That access, loaded when it is first needed; the library itself is loaded when it is acquired. */
export async function loadLlamaAccess(): Promise<LlamaAccess> {
  return await import("./embed/llama_library.ts");
}

export type { JoinedMemory } from "./joined_memory.ts";

/** Writes to memory that join a unit of work, loaded when there are some: who only reads need not load what stores. */
export async function loadJoinedMemory(): Promise<
  typeof import("./joined_memory.ts").JoinedMemory
> {
  return (await import("./joined_memory.ts")).JoinedMemory;
}

export {
  MEMORY_KINDS,
  type MemoryKind,
  MemoryObjects,
  MemoryRef,
  type MemorySlot,
} from "./memory_objects.ts";

/** The checks of `doctor`, loaded when they are first needed: they parse. */
export async function loadIndexChecks(): Promise<typeof import("./index_checks.ts")> {
  return await import("./index_checks.ts");
}
