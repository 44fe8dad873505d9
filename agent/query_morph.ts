/**
 * The QueryMorph: a question on its way to an answer (ReAct: thought, action, observation).
 *
 * Owns the four slots and the loop over them. What must hold: each round performs one action of the closed table or ends the
 * run; every round is logged before the next begins, so a run that stops anywhere leaves its trajectory; an invalid proposal
 * is retried a bounded number of times and then replaced by the deterministic policy's; the same action is never done twice.
 * The ways a run ends are exceptions that carry what to record.
 */

import type { Governor, Prompt } from "./governor.ts";
import {
  actionKey,
  type Embed,
  LONGEST_QUERY,
  parseStep,
  perform,
  type Step,
  type World,
} from "./actions.ts";
import type { ContextItem, Driver, MorphState, RefinedQuery, StepRecord } from "./driver.ts";
import type { MemoryPort } from "./memory_port.ts";
import type { GraphPort } from "./references.ts";
import { basename } from "node:path";
import { contextParts, placeLabel } from "./context.ts";
import { TRAIL_PATH } from "../kernel/mod.ts";
import type { TrailPort } from "./past.ts";

/** How often a driver may correct an invalid proposal; models that fail twice with the reason in view fail again. */
const RETRIES = 2;

/** A step as it happened, for those who watch. */
export interface StepEvent extends StepRecord {
  /** 1-based. */
  readonly step: number;
  /** What memory returned: OIDs of chunks, places, and how many items in all. */
  readonly retrieved: {
    readonly chunkIds: readonly number[];
    readonly places: readonly string[];
    readonly items: number;
  };
}

/** The driver has answered. */
class Answered extends Error {
  constructor(readonly text: string) {
    super("answered");
  }
}

/** A budget is spent, or the run goes in circles: the answer is made from what there is. */
class Ended extends Error {}

export interface MorphParts {
  readonly driver: Driver;
  /** Acts where the driver fails. */
  readonly policy: Driver;
  readonly memory: MemoryPort;
  readonly graph?: GraphPort | undefined;
  readonly vector?: Embed | undefined;
  readonly trail?: TrailPort | undefined;
  /** UUID of the run. */
  readonly cycle?: string | undefined;
  readonly root: string;
  readonly governor: Governor;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((step: StepEvent) => void) | undefined;
}

export class QueryMorph implements MorphState {
  readonly initial_prompt: string;
  refined_query: RefinedQuery;
  readonly retrieved_context: ContextItem[] = [];
  readonly reasoning_log: StepRecord[] = [];
  problems: string[] = [];
  /** Why the run ended without the driver saying so; undefined when it answered. */
  ended: string | undefined;
  readonly #parts: MorphParts;
  readonly #done = new Set<string>();
  readonly #found: (readonly ContextItem[])[] = [];
  #prompt: { items: number; prompt: Prompt } | undefined;

  constructor(question: string, parts: MorphParts) {
    this.initial_prompt = question;
    this.refined_query = { text: question.slice(0, LONGEST_QUERY) };
    this.#parts = parts;
  }

  /** The answer. Throws the signal's reason when cancelled; a spent budget is no error. */
  async run(): Promise<string> {
    try {
      for (;;) await this.step();
    } catch (end) {
      if (end instanceof Answered) return end.text;
      if (!(end instanceof Ended)) throw end;
      this.ended = end.message;
      return await this.compose();
    }
  }

  /** The driver's answer from what there is; the policy's where the driver cannot give one. */
  async compose(): Promise<string> {
    const { driver, policy } = this.#parts;
    if (driver === policy) return await policy.compose(this);
    let problem = "its answer is empty";
    try {
      const text = await driver.compose(this);
      if (text.trim()) return text;
    } catch (error) {
      this.#parts.signal?.throwIfAborted();
      problem = error instanceof Error ? error.message : String(error);
    }
    this.ended = `${this.ended}; ${driver.name} could not answer: ${problem}`;
    return await policy.compose(this);
  }

  /** Thought, action, observation. */
  async step(): Promise<void> {
    const started = performance.now();
    this.#checkBudget();
    const { step, replaced } = await this.think();
    const observation = await this.act(step);
    this.observe(step, observation, performance.now() - started, replaced);
    if (step.action === "answer") throw new Answered(step.arguments.text);
  }

  /** A valid step of the driver, or else of the policy. */
  async think(): Promise<{ step: Step; replaced?: string }> {
    this.problems = [];
    for (let attempt = 0; attempt <= RETRIES; attempt++) {
      const parsed = await this.#propose();
      if ("step" in parsed) return parsed;
      this.problems = parsed.problems;
      if (this.remaining.ms <= 0) break;
    }
    const replaced = `${this.#parts.driver.name}: ${this.problems.join("; ")}`;
    const parsed = parseStep(await this.#parts.policy.propose(this));
    if ("step" in parsed) return { ...parsed, replaced };
    throw new Error(
      `${this.#parts.policy.name}: the policy's own step is invalid: ${parsed.problems.join("; ")}`,
    );
  }

  async act(step: Step) {
    const { memory, graph, vector, trail, cycle, root, signal } = this.#parts;
    signal?.throwIfAborted();
    const key = actionKey(step);
    if (this.#done.has(key)) {
      throw new Ended(`the action ${step.action} was proposed again with the same arguments`);
    }
    this.#done.add(key);
    if (step.action === "answer") return { summary: "answered", items: [] };
    if (step.action === "search") {
      this.refined_query = {
        text: step.arguments.query,
        ...(step.arguments.path && { path: step.arguments.path }),
      };
    }
    const world: World = {
      memory,
      root,
      graph,
      vector,
      trail,
      cycle,
      query: this.refined_query.text,
      signal,
      ms: this.remaining.ms,
    };
    return await perform(step, world);
  }

  observe(
    step: Step,
    observation: { summary: string; items: readonly ContextItem[] },
    ms: number,
    replaced?: string,
  ) {
    this.retrieved_context.push(...observation.items);
    this.#found.push(observation.items);
    const { summaries, chunks } = contextParts(observation.items);
    const tokens = [...summaries, ...chunks].reduce((sum, part) => sum + this.count(part.text), 0);
    const record: StepRecord = {
      thought: step.thought,
      action: step.action,
      // The text of an answer stands in the answer, once.
      arguments: step.action === "answer"
        ? { citations: step.arguments.citations }
        : step.arguments,
      observation: observation.summary,
      tokens,
      ms: Math.round(ms * 10) / 10,
      ...(replaced && { replaced }),
    };
    this.reasoning_log.push(record);
    this.#parts.governor.step();
    this.#parts.onStep?.({
      step: this.reasoning_log.length,
      ...record,
      retrieved: {
        chunkIds: observation.items.flatMap((item) => item.type === "chunk" ? [item.hit.oid] : []),
        places: observation.items.flatMap(placesOf),
        items: observation.items.length,
      },
    });
  }

  itemsOf(step: number): readonly ContextItem[] {
    return this.#found[step] ?? [];
  }

  assembled(): Prompt {
    if (this.#prompt?.items !== this.retrieved_context.length) {
      const { summaries, chunks } = contextParts(this.retrieved_context);
      this.#prompt = {
        items: this.retrieved_context.length,
        prompt: this.#parts.governor.assemble(summaries, chunks),
      };
    }
    return this.#prompt.prompt;
  }

  get workspace() {
    return basename(this.#parts.root);
  }
  get budget() {
    return this.#parts.governor.budget;
  }
  get remaining() {
    return this.#parts.governor.remaining;
  }
  get count() {
    return this.#parts.governor.count;
  }
  get signal() {
    return this.#parts.signal;
  }

  /** A driver that throws has proposed nothing; the message is what was wrong. */
  async #propose() {
    try {
      return parseStep(await this.#parts.driver.propose(this));
    } catch (error) {
      this.#parts.signal?.throwIfAborted();
      if (this.#parts.driver === this.#parts.policy) throw error;
      return { problems: [error instanceof Error ? error.message : String(error)] };
    }
  }

  #checkBudget(): void {
    this.#parts.signal?.throwIfAborted();
    const spent = this.#parts.governor.spent();
    const { steps, ms } = this.budget;
    if (spent === "steps") throw new Ended(`the budget of ${steps} steps is spent`);
    if (spent === "ms") throw new Ended(`the budget of ${ms} ms is spent`);
  }
}

/** Where an item comes from, as a citation would name it. */
function placesOf(item: ContextItem): string[] {
  if (item.type === "chunk") {
    return [placeLabel(item.hit.path, item.hit.startLine, item.hit.endLine)];
  }
  if (item.type === "lines") return [placeLabel(item.path, item.startLine, item.endLine)];
  if (item.type === "reference") return [`${item.path}:${item.line}`];
  if (item.type === "cycle") {
    return [placeLabel(TRAIL_PATH, item.fractal.firstLine, item.fractal.lastLine)];
  }
  return item.type === "summary" ? [item.summary.path] : [];
}
