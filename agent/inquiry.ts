/**
 * One question on its way: taken apart, looked into part by part, put together again.
 *
 * Owns what the states of a cycle do for a question, whoever runs them. What must hold:
 * - one budget for all parts: what they are given adds up to no more than the whole;
 * - rules act where a model fails or there is none; the answer says who answered;
 * - nothing is shown before its citations were checked against the files, while it is written neither; one that does not resolve is
 *   taken out and counted.
 */
import { basename } from "node:path";
import { loadTokenCounter } from "../rag/mod.ts";
import type { ActiveAdapter } from "./adapters/adapter_weaver.ts";
import type { Answer, AskOptions } from "./answer.ts";
import { AnswerDraft, type AnswerDraftOptions } from "./answer_draft.ts";
import { checkCitations, CitationChecker, findCitations } from "./citations.ts";
import { meaningOf, withEarlier } from "./conversation.ts";
import type { Driver, StepRecord } from "./driver.ts";
import { ExtractiveDriver } from "./extractive.ts";
import { type Budget, DEFAULT_BUDGET, Governor, type ManifestEntry } from "./governor.ts";
import type { MemoryPort } from "./memory_port.ts";
import { MODEL_MS, ModelDriver, parseJson } from "./model_driver.ts";
import { type LanguageModel, recordCalls } from "./models/language_model.ts";
import { PartsDraft } from "./parts_draft.ts";
import { mayBeSeveral, PLAN, type Plan, planByRules, planOf, type SubQuestion } from "./plan.ts";
import { hashOfWords, type Speaker } from "./personas.ts";
import { QueryMorph } from "./query_morph.ts";
import { CycleRecord } from "./recording.ts";
import { innermost } from "./references.ts";
import { withoutThoughts } from "./thoughts.ts";
import { z } from "zod";

/** A part of the plan, done. */
export interface Part {
  readonly question: string;
  readonly text: string;
  readonly morph: QueryMorph;
  readonly driver: Driver;
}

/** Asks a facet of a persona; without personas there are none to ask. */
export type AskFacet = (persona: string, selector: string, text: string) => Promise<string>;

/** Makes the adapter of a persona hot in a model; undefined where it has none. */
export type AdapterOf = (
  persona: string,
  model: LanguageModel,
) => Promise<ActiveAdapter | undefined>;

/** Tokens that a plan may take: four questions and the form. */
const PLAN_TOKENS = 400;

/** See the module text. */
export class Inquiry {
  readonly id: string;
  /** The question as it was asked. */
  readonly asked: string;
  /** What it means, with its earlier turns in mind. */
  readonly #meant: string;
  readonly #memory: MemoryPort;
  readonly #options: AskOptions;
  readonly #record: CycleRecord;
  readonly #policy = new ExtractiveDriver();
  readonly #model: LanguageModel | undefined;
  /** How texts are shown while they are written, where somebody reads along. */
  readonly #showing: AnswerDraftOptions | undefined;
  /** The answer while it is written. */
  #draft: AnswerDraft | undefined;
  /** What it will be made of, while that is written, where there are several parts and a model writes them. */
  #parts: PartsDraft | undefined;
  readonly #begin = performance.now();

  /** @throws {TypeError} when the question is empty */
  constructor(question: string, memory: MemoryPort, options: AskOptions) {
    this.asked = question.trim();
    if (!this.asked) {
      throw new TypeError(
        `cannot answer "${question}": the question is empty; give at least one word`,
      );
    }
    this.id = options.cycle ?? crypto.randomUUID();
    this.#memory = memory;
    this.#options = options;
    this.#record = new CycleRecord(options.recorder, this.id);
    this.#meant = meaningOf(this.asked, options.earlier ?? [], (place) => {
      const [, path = "", start, end] = /^(.+):(\d+)-(\d+)$/s.exec(place) ?? [];
      const from = Number(start);
      const within = innermost(memory.outline(path), from);
      // Of a long definition some lines are cited.
      return within && Number(end) <= within.endLine ? within : undefined;
    });
    const { model, onCall, recorder } = options;
    this.#model = model && (onCall || recorder)
      ? recordCalls(model, (call) => {
        onCall?.(call);
        void this.#record.called(call);
      })
      : model;
    const { onText, root, trail, signal } = options;
    const checker = () => new CitationChecker(memory, root, trail);
    this.#showing = onText && { checker, onText, signal };
    this.#draft = this.#showing && new AnswerDraft(this.#showing);
  }

  /** The budget of the whole. */
  get #budget(): Budget {
    const given = Object.entries(this.#options.budget ?? {}).filter(([, value]) =>
      value !== undefined
    );
    return {
      ...DEFAULT_BUDGET,
      ...(this.#model && { ms: MODEL_MS }),
      ...Object.fromEntries(given),
    };
  }

  /**
   * Speaks for the personas, where there is a model.
   * @param adapterOf makes a persona's adapter hot for as long as it speaks
   */
  speaker(adapterOf: AdapterOf): Speaker | undefined {
    const model = this.#model;
    return model && (async ({ persona, facet, role, prompt, text, signal }) => {
      using active = await adapterOf(persona, model);
      const draft = facet === "weave" ? this.#draft : undefined;
      draft?.begin();
      try {
        const { text: written } = await model.generate({
          ...(active && { adapter: active.adapter }),
          messages: [
            { role: "system", content: `${role}\n\n${prompt}` },
            { role: "user", content: text },
          ],
          maxTokens: facet === "decompose" ? PLAN_TOKENS : this.#budget.answerTokens,
          signal: signal ?? this.#options.signal,
          ...(facet === "decompose" && { schema: z.toJSONSchema(PLAN) }),
          ...(draft && { onText: (piece) => draft.write(piece) }),
        });
        return written;
      } finally {
        await draft?.settled();
      }
    });
  }

  /** DECOMPOSING: the plan. A model is asked where a question may be several; what it says is checked. */
  async decompose(ask?: AskFacet): Promise<Plan> {
    const { steps } = this.#budget;
    const byRules = planByRules(this.#meant, steps);
    const parts = byRules.sub_questions.length;
    if (parts > 1) {
      await this.#record.facet({
        state: "DECOMPOSING",
        persona: "BRICK",
        facet: "decompose",
        by: "rules",
        about: { parts },
      });
      return byRules;
    }
    if (ask === undefined || this.#model === undefined || !mayBeSeveral(this.#meant)) {
      return byRules;
    }
    try {
      const written = parseJson(await ask("BRICK", "decompose:", this.#meant));
      return planOf(written, this.#model.name, steps) ?? byRules;
    } catch {
      // Rules take over; a model that cannot be used at all is noticed, and said, when it is asked to think.
      this.#options.signal?.throwIfAborted();
      return byRules;
    }
  }

  /**
   * DELEGATING: one part of the plan, by a QueryMorph with its share of the budget.
   * @param onMorph told of the morph before its first step and after each
   */
  async delegate(
    part: SubQuestion,
    { sub_questions }: Plan,
    { role, onMorph, adapterOf }: {
      role?: string;
      onMorph?: (morph: QueryMorph) => void;
      adapterOf?: AdapterOf;
    } = {},
  ): Promise<Part> {
    const options = this.#options;
    const { question } = part;
    const at = sub_questions.indexOf(part);
    const isWhole = sub_questions.length === 1;
    if (!isWhole && this.#model !== undefined) this.#readParts(sub_questions);
    using active = this.#model && await adapterOf?.("BABS", this.#model);
    const share = shareOf(this.#budget, sub_questions.length, performance.now() - this.#begin);
    const model = this.#model;
    // A model is told what was said before; rules know what is meant.
    const text = model && isWhole ? withEarlier(question, options.earlier ?? []) : question;
    const modelDriver = model &&
      new ModelDriver(model, {
        ...(role !== undefined && { role }),
        ...(active && { adapter: active.adapter }),
        ...options.driving,
        // Of several parts none is the answer: what is woven of them is.
        draft: isWhole ? this.#draft : this.#parts?.of(at),
      });
    const driver = modelDriver ?? options.driver ?? this.#policy;
    const governor = model && modelDriver
      ? new Governor(
        modelDriver.within(share, text, basename(options.root)),
        (one) => model.count(one),
      )
      : new Governor(share, options.count ?? await loadTokenCounter());
    const morph: QueryMorph = new QueryMorph(text, {
      driver,
      policy: this.#policy,
      memory: this.#memory,
      graph: options.graph,
      vector: options.vector,
      root: options.root,
      governor,
      signal: options.signal,
      trail: options.trail,
      cycle: this.id,
      onStep: (step) => {
        onMorph?.(morph);
        options.onStep?.(step);
        void this.#record.step(step);
      },
    });
    onMorph?.(morph);
    await this.#record.facet({
      state: "DELEGATING",
      persona: "BABS",
      facet: "ground",
      by: driver.name,
      // Of a model's words the role is what a person can change.
      prompt_hash: modelDriver && role !== undefined ? hashOfWords(role, "") : undefined,
    });
    const written = await morph.run();
    await this.#parts?.done(at, written);
    return { question, text: written, morph, driver };
  }

  /** Shows parts while they are written, until the answer takes their place. */
  #readParts(questions: readonly SubQuestion[]): void {
    const showing = this.#showing;
    if (showing === undefined || this.#parts !== undefined) return;
    const parts = new PartsDraft(questions.map(({ question }) => question), showing);
    this.#parts = parts;
    this.#draft = new AnswerDraft({ ...showing, onText: parts.replacedBy(showing.onText) });
  }

  /** SYNTHESIZING: one answer of all parts, its citations checked. */
  async synthesize(parts: readonly Part[], plan: Plan, ask?: AskFacet): Promise<Answer> {
    const { memory, root, trail } = { memory: this.#memory, ...this.#options };
    const { driver, morph } = parts[0]!;
    const count = morph.count;
    // The whole budget again: parts were given shares of it.
    const governor = new Governor({ answerTokens: this.#budget.answerTokens }, count);
    const woven = parts.length === 1 ? parts[0]!.text : await this.#weave(parts, ask);
    const claimed = parts.flatMap((part) => {
      const citations = part.morph.reasoning_log.at(-1)?.arguments.citations;
      return Array.isArray(citations) ? citations : [];
    });
    const checked = await checkCitations(governor.fitAnswer(woven), claimed, memory, root, trail);
    const removed = checked.citations.filter(({ status }) => status === "removed").length;
    if (checked.citations.length > 0) {
      await this.#record.facet({
        state: "SYNTHESIZING",
        persona: "ALFRED",
        facet: "check",
        by: "rules",
        about: { citations: checked.citations.length, removed },
      });
    }
    const flagged = removed
      ? `${checked.text}\n\nRemoved: ${removed} citation${
        removed === 1 ? " that does" : "s that do"
      } not resolve.`
      : checked.text;
    // Marks of stale and removed citations make it longer.
    const answer = governor.fitAnswer(flagged);
    this.#draft?.conclude(answer);
    const prompts = parts.map((part) => part.morph.assembled());
    const ended = [
      ...new Set(parts.map((part) => part.morph.ended).filter((end) => end !== undefined)),
    ];
    const steps = parts.flatMap(({ morph }): StepRecord[] => morph.reasoning_log);
    const uses = parts.map((part) =>
      part.driver instanceof ModelDriver ? part.driver.use : undefined
    );
    const sum = (field: "calls" | "tokens_in" | "tokens_reused" | "tokens_out") =>
      uses.reduce((total, use) => total + (use?.[field] ?? 0), 0);
    return {
      question: this.asked,
      ...(this.#meant !== this.asked && { meant: this.#meant }),
      answer,
      citations: checked.citations,
      driver: driver.name,
      plan,
      steps,
      tokens: prompts.reduce((total, { tokens }) => total + tokens, 0) + count(answer),
      cycle_id: this.id,
      found: checked.citations.some(({ status }) => status !== "removed"),
      ...(ended.length > 0 && { ended: ended.join("; ") }),
      ...(uses[0] && {
        model: {
          name: uses[0].name,
          calls: sum("calls"),
          tokens_in: sum("tokens_in"),
          tokens_reused: sum("tokens_reused"),
          tokens_out: sum("tokens_out"),
        },
      }),
      context: {
        included: prompts.flatMap(({ included }) => included),
        left_out: [
          ...parts.flatMap((part) => hiddenQuestion(part)),
          ...prompts.flatMap(({ leftOut }) => leftOut),
        ],
      },
    };
  }

  /** One text of several: by ROBIN where there is a model and its text cites something, else one behind the other. */
  async #weave(parts: readonly Part[], ask: AskFacet | undefined): Promise<string> {
    const rows = placeBehind(parts);
    if (ask === undefined || this.#model === undefined) {
      await this.#record.facet({
        state: "SYNTHESIZING",
        persona: "ROBIN",
        facet: "weave",
        by: "rules",
        about: { parts: parts.length },
      });
      return rows;
    }
    try {
      const written = await ask("ROBIN", "weave:", `Question: ${this.asked}\n\n${rows}`);
      const text = withoutThoughts(written).trim();
      const paths = new Set(this.#memory.paths());
      if (findCitations(text, paths).some(({ path }) => paths.has(path))) return text;
    } catch {
      this.#options.signal?.throwIfAborted();
    }
    return rows;
  }
}

/** What a part of so many gets of the budget, when some of the time is over. */
export function shareOf(budget: Budget, parts: number, ms: number): Budget {
  return {
    steps: Math.max(1, Math.floor(budget.steps / parts)),
    tokens: Math.max(1, Math.floor(budget.tokens / parts)),
    answerTokens: Math.max(1, Math.floor(budget.answerTokens / parts)),
    // Parts run side by side.
    ms: Math.max(1, budget.ms - ms),
  };
}

/** Each part under its question; paragraphs that all of them end with, such as who answered, stand once, at the end. */
function placeBehind(parts: readonly Part[]): string {
  const split = parts.map(({ text }) => text.trim().split(/\n{2,}/));
  const common = new Set(split[0]!.filter((one) => split.every((other) => other.includes(one))));
  const rows = parts.map(({ question }, at) =>
    `## ${question}\n\n${split[at]!.filter((one) => !common.has(one)).join("\n\n")}`
  );
  return [...rows, ...common].join("\n\n");
}

/** What of a question the model was not shown. */
function hiddenQuestion({ morph, driver }: Part): ManifestEntry[] {
  const hidden = driver instanceof ModelDriver ? driver.hiddenCharacters(morph.initial_prompt) : 0;
  if (hidden === 0) return [];
  const rest = morph.initial_prompt.slice(-hidden);
  return [{ label: `the last ${hidden} characters of the question`, tokens: morph.count(rest) }];
}
