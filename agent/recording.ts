/**
 * What a question leaves in the audit trail: its start, each step, the answer or why there is none.
 *
 * Owns which event says what, in the fields that `rag/fractal.ts` folds. What must hold: recording never changes an answer, and never
 * fails one; where nobody records, nothing is done.
 */
import type { NewEvent, Recorder } from "../kernel/mod.ts";
import type { Answer } from "./answer.ts";
import type { ModelCall } from "./models/language_model.ts";
import type { StepEvent } from "./query_morph.ts";

/** Lines of an extractive answer that say what it lacks. */
const LACKS = /^(?:Nothing found|Weak match|Note): .+$/gm;

/** A facet of a persona at work: which, by whom, in which state of the cycle. */
export interface FacetUse {
  readonly state: "DECOMPOSING" | "DELEGATING" | "SYNTHESIZING";
  readonly persona: string;
  /** `decompose`, `ground`, `weave`, `check`, or one that a person gave the persona. */
  readonly facet: string;
  /** `rules`, or the name of the driver that did it. */
  readonly by: string;
  /** SHA-256 of the words that a model was told; absent where none was. */
  readonly prompt_hash?: string | undefined;
  /** What else is to be known of it, such as the number of parts. */
  readonly about?: Readonly<Record<string, unknown>>;
}

/** Notes one cycle. */
export class CycleRecord {
  readonly #recorder: Recorder | undefined;
  readonly #cycle: string;

  constructor(recorder: Recorder | undefined, cycle: string) {
    this.#recorder = recorder;
    this.#cycle = cycle;
  }

  async started(question: string): Promise<void> {
    await this.#note(
      "IDLE",
      "ORCHESTRATOR",
      "CYCLE_STARTED",
      { kind: "question", question },
      "IN_PROGRESS",
    );
  }

  /** A step; one that found nothing counts as a failure of retrieval. */
  async step({ step, retrieved, ...record }: StepEvent): Promise<void> {
    if (record.action === "answer") return;
    await this.#note("DELEGATING", "BABS", "RETRIEVAL_ACTION", {
      step,
      ...record,
      retrieved_chunk_ids: retrieved.chunkIds,
      retrieved: retrieved.places,
    }, retrieved.items > 0 ? "SUCCESS" : "FAILURE");
  }

  /**
   * A facet did something: a question was taken apart, looked into, woven, checked. One that had nothing to do is not noted, so that
   * the trail says which were used, whoever thinks. A model is named before it has answered.
   */
  async facet({ state, persona, facet, by, prompt_hash, about }: FacetUse): Promise<void> {
    await this.#note(state, persona, "FACET", {
      facet,
      by,
      ...prompt_hash !== undefined && { prompt_hash },
      ...about,
    }, prompt_hash === undefined ? "SUCCESS" : "IN_PROGRESS");
  }

  /** A call of the model, with all that it was given and all that it wrote. */
  async called(
    { prompt, response, tokensIn, tokensOut, error, status, ...call }: ModelCall,
  ): Promise<void> {
    await this.#note("DELEGATING", "BABS", "LLM_CALL", {
      ...call,
      llm_prompt: prompt,
      llm_response_raw: response,
      tokens_in: tokensIn,
      tokens_out: tokensOut,
      tokens: tokensIn + tokensOut,
      ...error !== undefined && { error },
    }, status);
  }

  /** @param tid the transaction of the image that keeps the cycle; absent where none does */
  async answered(answer: Answer, ms: number, tid?: number): Promise<void> {
    const missing = [...answer.answer.match(LACKS) ?? [], ...answer.ended ? [answer.ended] : []];
    const removed = answer.citations.filter(({ status }) => status === "removed").length;
    if (removed > 0) missing.push(`${removed} citations that did not resolve`);
    await this.#note("COMPLETE", "ROBIN", "ANSWER", {
      answer: answer.answer,
      citations: answer.citations,
      found: answer.found,
      driver: answer.driver,
      tokens: answer.tokens,
      steps: answer.steps.length,
      left_out: answer.context.left_out.length,
      ms: Math.round(ms),
      missing,
      ...tid !== undefined && { image_tid: tid },
    }, answer.found ? "SUCCESS" : "FAILURE");
  }

  /** The run ended without an answer: somebody ended it, or something went wrong. */
  async failed(error: unknown, interrupted: boolean): Promise<void> {
    const reason = error instanceof Error ? error.message || error.name : String(error);
    const type = interrupted ? "CYCLE_INTERRUPTED" : "CYCLE_FAILED";
    await this.#note("FAILED", "ORCHESTRATOR", type, { reason }, "FAILURE");
  }

  async #note(
    psm_state: string,
    active_persona: string,
    event_type: string,
    event_data: NewEvent["event_data"],
    status: NewEvent["status"],
  ): Promise<void> {
    await this.#recorder?.record({
      cycle_id: this.#cycle,
      psm_state,
      active_persona,
      event_type,
      event_data,
      status,
    });
  }
}
