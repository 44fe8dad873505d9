/**
 * The agent: from a question to an answer whose every citation was checked.
 *
 * The tour: `answerQuestion()` opens a budget (`governor.ts`) and runs a QueryMorph (`query_morph.ts`: thought, action,
 * observation) over the closed table of actions (`actions.ts`). A `Driver` thinks (`driver.ts`): `model_driver.ts` asks a model with the
 * prompts of `prompt.ts` under the schema of `step_schema.ts`; `extractive.ts` is the one without a model, and acts in place of any driver that fails; it parses the question (`question.ts`), scores places (`evidence.ts`) and
 * writes the text (`answer_text.ts`). `citations.ts` checks what the text cites before anyone sees it. Models that write are in
 * `models/`: `openModel()` makes one of a name. Adapters for them are in `adapters/`: `importIntoImage()` brings one in,
 * an `AdapterWeaver` makes it hot.
 *
 * @module
 */
import { basename } from "node:path";
import type { Recorder } from "../kernel/mod.ts";
import { loadTokenCounter } from "../rag/mod.ts";
import type { Embed } from "./actions.ts";
import { checkCitations, type Citation } from "./citations.ts";
import type { Driver, StepRecord } from "./driver.ts";
import { ExtractiveDriver } from "./extractive.ts";
import {
  type Budget,
  DEFAULT_BUDGET,
  Governor,
  type ManifestEntry,
  type TokenCounter,
} from "./governor.ts";
import { MODEL_MS, ModelDriver, type ModelDriverOptions, type ModelUse } from "./model_driver.ts";
import { type LanguageModel, type ModelCall, recordCalls } from "./models/language_model.ts";
import type { MemoryPort } from "./memory_port.ts";
import type { GraphPort } from "./references.ts";
import type { TrailPort } from "./past.ts";
import { QueryMorph, type StepEvent } from "./query_morph.ts";
import { CycleRecord } from "./recording.ts";

export { answerByModel, type AskedModel } from "./asked_model.ts";
export { type ActionName, type Embed, parseStep, STEP, type Step } from "./actions.ts";
export { checkCitations, type Citation, type CitationStatus } from "./citations.ts";
export type { ContextItem, Driver, MorphState, RefinedQuery, StepRecord } from "./driver.ts";
export { ExtractiveDriver } from "./extractive.ts";
export {
  assemblePrompt_withBudget,
  type Budget,
  DEFAULT_BUDGET,
  type Prompt,
  type TokenCounter,
} from "./governor.ts";
export { MEMORY_PROTOTYPES, type MemoryMount, memoryOid, mountMemory } from "./memory_mount.ts";
export type { MemoryPort } from "./memory_port.ts";
export type { TrailPort } from "./past.ts";
export type { GraphPort } from "./references.ts";
export { MODEL_MS, ModelDriver, type ModelDriverOptions, type ModelUse } from "./model_driver.ts";
export { DEFAULT_ROLE } from "./prompt.ts";
export type { StepEvent } from "./query_morph.ts";
export {
  KEY_VARIABLE,
  type ModelChoice,
  type ModelPorts,
  NO_MODEL,
  openModel,
  parseModelName,
} from "./models/choose.ts";
export {
  type GenerateRequest,
  type Generation,
  type JsonSchema,
  type LanguageModel,
  LanguageModelError,
  type LanguageModelFailure,
  type Message,
  type ModelAdapter,
  type ModelCall,
  recordCalls,
} from "./models/language_model.ts";
export { OpenModels, SharedModel } from "./models/shared.ts";

export { importAndShow, listAdapters } from "./adapters/adapter_desk.ts";
export { AdapterError, type AdapterErrorKind } from "./adapters/adapter_error.ts";
export type { AdapterHost, HotAdapter, WarmAdapter } from "./adapters/adapter_host.ts";
export {
  ADAPTER_OBJECTS,
  adapterRecord,
  adaptersIn,
  forgetAdapter,
  importIntoImage,
} from "./adapters/adapter_image.ts";
export {
  ADAPTER_RECORD,
  type AdapterRecord,
  type BlobSink,
  importAdapter,
  type ImportedAdapter,
  type ImportOptions,
  type PutBlob,
} from "./adapters/adapter_record.ts";
export { AdapterShelf, type ShelfOptions } from "./adapters/adapter_shelf.ts";
export {
  type Activation,
  type ActiveAdapter,
  type AdapterTier,
  AdapterWeaver,
  type WeaverOptions,
  type WeaverStatus,
} from "./adapters/adapter_weaver.ts";
export { type AdapterContexts, LlamaHost } from "./adapters/llama_host.ts";
export { type ConvertOptions, PeftAdapter } from "./adapters/peft_adapter.ts";
export { type AdapterServer, VllmHost, type VllmOptions } from "./adapters/vllm_host.ts";

/** Options of `answerQuestion`. */
export interface AskOptions {
  /** Absolute path of the repository: citations are checked against its files. */
  readonly root: string;
  /** The symbol graph: who calls what, by the compiler. Without it names are looked for in the text. */
  readonly graph?: GraphPort;
  /** Vectors of questions, by the embedder of the index. Without it search goes by words, paths and names. */
  readonly vector?: Embed;
  /** The audit trail, for questions about earlier ones and for citations of its lines. */
  readonly trail?: TrailPort;
  /** Notes the cycle: its start, each step, the answer, or why there is none. */
  readonly recorder?: Recorder | undefined;
  /** UUID of this run; a new one by default. */
  readonly cycle?: string;
  readonly budget?: Partial<Budget>;
  /** Thinks and writes; without one the answer is extractive. Whoever opened it closes it. */
  readonly model?: LanguageModel;
  /** How the model drives: its role, adapter, temperature, who reads along. */
  readonly driving?: ModelDriverOptions;
  /** Called with the account of each call of the model. */
  readonly onCall?: (call: ModelCall) => void;
  /** Thinks in place of a model. */
  readonly driver?: Driver;
  /** Tokenizer, where there is no model, which has its own; the estimate of ingest when absent. */
  readonly count?: TokenCounter;
  /** Called after each step. */
  readonly onStep?: (step: StepEvent) => void;
  readonly signal?: AbortSignal;
}

/** An answer with its whole trajectory, as `--json` prints it. */
export interface Answer {
  readonly question: string;
  /** Text to show; every citation left in it resolves. */
  readonly answer: string;
  readonly citations: readonly Citation[];
  /** Name of the driver. */
  readonly driver: string;
  readonly steps: readonly StepRecord[];
  /** Context put together for the answer, and the answer itself, in tokens. */
  readonly tokens: number;
  readonly cycle_id: string;
  /** Whether anything was found to cite: the exit code is 1 otherwise. */
  readonly found: boolean;
  /** Why the run ended before the driver answered; absent when it did answer. */
  readonly ended?: string;
  /** What the calls of the model came to; absent without one. */
  readonly model?: ModelUse;
  /** What the context held, and what found no room, in order. */
  readonly context: {
    readonly included: readonly ManifestEntry[];
    readonly left_out: readonly ManifestEntry[];
  };
}

/**
 * Answers a question about the files in `memory`.
 * @throws {TypeError} when the question is empty.
 * @throws {LanguageModelError} when the model's window has no room for the question and an answer; a model that fails later is
 * replaced step by step, and the answer says so.
 * @throws the signal's reason when cancelled.
 */
export async function answerQuestion(
  question: string,
  memory: MemoryPort,
  options: AskOptions,
): Promise<Answer> {
  const asked = question.trim();
  if (!asked) {
    throw new TypeError(
      `cannot answer "${question}": the question is empty; give at least one word`,
    );
  }
  const cycle = options.cycle ?? crypto.randomUUID();
  const record = new CycleRecord(options.recorder, cycle);
  const begin = performance.now();
  await record.started(asked);
  try {
    const answer = await runCycle(asked, memory, { ...options, cycle }, record);
    await record.answered(answer, performance.now() - begin);
    return answer;
  } catch (error) {
    await record.failed(error, options.signal?.aborted ?? false);
    throw error;
  }
}

async function runCycle(
  asked: string,
  memory: MemoryPort,
  options: AskOptions & { readonly cycle: string },
  record: CycleRecord,
): Promise<Answer> {
  const policy = new ExtractiveDriver();
  const { model } = options;
  const modelDriver = model &&
    new ModelDriver(
      options.onCall || options.recorder
        ? recordCalls(model, (call) => {
          options.onCall?.(call);
          void record.called(call);
        })
        : model,
      options.driving,
    );
  const driver = modelDriver ?? options.driver ?? policy;
  const governor = model && modelDriver
    ? new Governor(
      modelDriver.within(
        { ...DEFAULT_BUDGET, ms: MODEL_MS, ...given(options.budget) },
        asked,
        basename(options.root),
      ),
      (text) => model.count(text),
    )
    : new Governor(options.budget ?? {}, options.count ?? await loadTokenCounter());
  const morph = new QueryMorph(asked, {
    driver,
    policy,
    memory,
    graph: options.graph,
    vector: options.vector,
    root: options.root,
    governor,
    signal: options.signal,
    trail: options.trail,
    cycle: options.cycle,
    onStep: (step) => {
      options.onStep?.(step);
      void record.step(step);
    },
  });
  const text = governor.fitAnswer(await morph.run());
  const claimed = morph.reasoning_log.at(-1)?.arguments.citations;
  const checked = await checkCitations(
    text,
    Array.isArray(claimed) ? claimed : [],
    memory,
    options.root,
    options.trail,
  );
  const removed = checked.citations.filter((citation) => citation.status === "removed").length;
  const flagged = removed
    ? `${checked.text}\n\nRemoved: ${removed} citation${
      removed === 1 ? " that does" : "s that do"
    } not resolve.`
    : checked.text;
  // Marks of stale and removed citations make it longer.
  const answer = governor.fitAnswer(flagged);
  const prompt = morph.assembled();
  return {
    question: asked,
    answer,
    citations: checked.citations,
    driver: driver.name,
    steps: morph.reasoning_log,
    tokens: prompt.tokens + governor.count(answer),
    cycle_id: options.cycle,
    found: checked.citations.some((citation) => citation.status !== "removed"),
    ...(morph.ended && { ended: morph.ended }),
    ...(modelDriver && { model: modelDriver.use }),
    context: {
      included: prompt.included,
      left_out: [...hiddenQuestion(asked, modelDriver, governor), ...prompt.leftOut],
    },
  };
}

/** What of the question the model was not shown. */
function hiddenQuestion(
  question: string,
  driver: ModelDriver | undefined,
  { count }: Governor,
): ManifestEntry[] {
  const hidden = driver?.hiddenCharacters(question) ?? 0;
  if (hidden === 0) return [];
  const rest = question.slice(-hidden);
  return [{ label: `the last ${hidden} characters of the question`, tokens: count(rest) }];
}

function given(budget: Partial<Budget> = {}): Partial<Budget> {
  return Object.fromEntries(Object.entries(budget).filter(([, value]) => value !== undefined));
}
