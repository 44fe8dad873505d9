/**
 * From a question to an answer, without an image: what `answerQuestion` takes and gives.
 *
 * Owns the form of an answer and the plain way to one, for programs that have a memory and nothing else; `question_cycle.ts` is the way that
 * is kept in an image. Both do the same (`inquiry.ts`). What must hold: what the trail is told is told in the order in which it happened.
 */
import type { Recorder } from "../kernel/mod.ts";
import type { Embed } from "./actions.ts";
import type { TextPiece } from "./answer_draft.ts";
import type { Citation } from "./citations.ts";
import type { Driver, StepRecord } from "./driver.ts";
import type { Budget, ManifestEntry, TokenCounter } from "./governor.ts";
import { Inquiry } from "./inquiry.ts";
import type { MemoryPort } from "./memory_port.ts";
import type { ModelDriverOptions, ModelUse } from "./model_driver.ts";
import type { LanguageModel, ModelCall } from "./models/language_model.ts";
import type { TrailPort } from "./past.ts";
import type { PersonaAdapters } from "./persona_adapters.ts";
import type { Plan } from "./plan.ts";
import type { StepEvent } from "./query_morph.ts";
import { CycleRecord } from "./recording.ts";
import type { GraphPort } from "./references.ts";
import type { Turn } from "./conversation.ts";

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
  /** Earlier questions of the conversation that this one goes on with, the oldest first. */
  readonly earlier?: readonly Turn[];
  readonly budget?: Partial<Budget>;
  /** Thinks and writes; without one the answer is extractive. Whoever opened it closes it. */
  readonly model?: LanguageModel;
  /** How the model drives: its role, adapter, temperature, who reads along. */
  readonly driving?: ModelDriverOptions;
  /** Adapters of personas, where the question is a cycle of an image and a model answers. */
  readonly adapters?: PersonaAdapters | undefined;
  /** Called with the account of each call of the model. */
  readonly onCall?: (call: ModelCall) => void;
  /** Thinks in place of a model. */
  readonly driver?: Driver;
  /** Tokenizer, where there is no model, which has its own; the estimate of ingest when absent. */
  readonly count?: TokenCounter;
  /** Called with the text of the answer as it is written: of what is checked already, piece by piece, and in the end of all of it. */
  readonly onText?: (piece: TextPiece) => void;
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
  /** What the question was taken to mean, where that is not what it says: it goes on with an earlier one. */
  readonly meant?: string;
  /** The questions that it was answered by; one for a simple question. */
  readonly plan: Plan;
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
  const inquiry = new Inquiry(question, memory, options);
  return await recorded(inquiry, options, async () => {
    const plan = await inquiry.decompose();
    const parts = await Promise.all(plan.sub_questions.map((part) => inquiry.delegate(part, plan)));
    return await inquiry.synthesize(parts, plan);
  });
}

/**
 * Notes the beginning of an inquiry and its end, whatever that is.
 * @param tid gives the transaction that kept it, once `work` is done
 */
export async function recorded(
  inquiry: Inquiry,
  options: Pick<AskOptions, "recorder" | "signal">,
  work: () => Promise<Answer>,
  tid: () => number | undefined = () => undefined,
): Promise<Answer> {
  const record = new CycleRecord(options.recorder, inquiry.id);
  const begin = performance.now();
  await record.started(inquiry.asked);
  try {
    const answer = await work();
    await record.answered(answer, performance.now() - begin, tid());
    return answer;
  } catch (error) {
    const isCancelled = error instanceof DOMException && error.name === "AbortError";
    await record.failed(error, isCancelled || (options.signal?.aborted ?? false));
    throw error;
  }
}
