/**
 * The driver with a model: proposals under a schema, the answer as text.
 *
 * Owns how a model's window and the time of a run are divided. What must hold:
 * - every prompt leaves room for what is to be written; what does not fit is named in the prompt, never cut in silence;
 * - what a model proposes is data: it is parsed, and whoever asked for it validates it;
 * - there is time left for an answer, and a model that cannot be used is not asked a second time in a run;
 * - an answer that was cut, or names no source, says so.
 */
import type { Draft } from "./answer_draft.ts";
import { findCitations } from "./citations.ts";
import type { Driver, MorphState } from "./driver.ts";
import type { Budget } from "./governor.ts";
import {
  type LanguageModel,
  LanguageModelError,
  type Message,
  type ModelAdapter,
} from "./models/language_model.ts";
import {
  answerRequest,
  logTurns,
  questionText,
  refusalText,
  systemText,
  type Turn,
} from "./prompt.ts";
import { isAnswer, PROPOSAL_SCHEMA } from "./step_schema.ts";
import { withoutThoughts } from "./thoughts.ts";

/** How a model drives. */
export interface ModelDriverOptions {
  /** Who answers: the persona's words, in front of the instructions. */
  readonly role?: string;
  /** Of proposals and answers. 0 by default, so that a run can be repeated. */
  readonly temperature?: number;
  readonly seed?: number;
  readonly adapter?: ModelAdapter;
  /** Called with each piece of an answer as it is written, before its citations are checked. */
  readonly onText?: (piece: string) => void;
  /** Told of the same: each attempt at an answer, and what is written of it. */
  readonly draft?: Draft | undefined;
}

/** What the calls of a run came to. */
export interface ModelUse {
  readonly name: string;
  readonly calls: number;
  readonly tokens_in: number;
  /** Of those, tokens that had not to be read again. */
  readonly tokens_reused: number;
  readonly tokens_out: number;
}

/**
 * A model takes longer than rules: five minutes let one of 7 billion weights read and write some thousand tokens on a processor; the rest
 * is as for the driver without one.
 */
export const MODEL_MS = 300_000;

/** Longest proposal: its texts under the schema at three characters a token, and the form. */
const PROPOSAL_TOKENS = 320;
/** Share of a run's time that is kept from thinking, for the answer. */
const ANSWER_SHARE_OF_TIME = 0.3;
/** Share of it that is kept from the answer too: in it the rules take over from a model that has written nothing. */
const RULES_SHARE_OF_TIME = 0.1;
/** Share of the window that a question may take; longer ones are shown up to there. */
const QUESTION_SHARE = 0.2;
/** A token of more characters is a run of blanks. */
const MOST_CHARACTERS_A_TOKEN = 16;
/** Share of an answer's budget, and most tokens, for what is said about it: that it was cut, what it rests on. */
const NOTE_SHARE = 0.2;
const NOTE_TOKENS = 150;
/** Least context with which an answer can be given at all. */
const LEAST_CONTEXT = 256;
/** Prompts are counted part by part, and then as a whole: this often the parts are made smaller before it is given up. */
const FITTINGS = 6;

/** See the module text. */
export class ModelDriver implements Driver {
  readonly name: string;
  readonly #model: LanguageModel;
  readonly #options: ModelDriverOptions;
  readonly #system: string;
  /** Why the model cannot be used any more. */
  #broken: LanguageModelError | undefined;
  readonly #turns = new WeakMap<MorphState, Map<string, Turn>>();
  #shown: { question: string; most: number } | undefined;
  #use = { calls: 0, tokens_in: 0, tokens_reused: 0, tokens_out: 0 };

  constructor(model: LanguageModel, options: ModelDriverOptions = {}) {
    this.name = model.name;
    this.#model = model;
    this.#options = options;
    this.#system = systemText(options.role);
  }

  /** What it has cost so far. */
  get use(): ModelUse {
    return { name: this.name, ...this.#use };
  }

  /**
   * The budget of a run within the model's window: the context becomes as small as it has to be.
   * @throws {LanguageModelError} when not even a small context fits.
   */
  within(budget: Budget, question: string, workspace: string): Budget {
    const asked = this.#question(question, workspace);
    const around = this.#model.countPrompt([
      { role: "system", content: this.#system },
      { role: "user", content: `${asked}\n\n${answerRequest(" ", budget.answerTokens)}` },
    ]);
    const room = this.#model.contextTokens - around - budget.answerTokens;
    if (room < LEAST_CONTEXT) {
      throw new LanguageModelError(
        `ask "${this.name}": its window of ${this.#model.contextTokens} tokens has no room for instructions and question (${around}), an answer (${budget.answerTokens}) and ${LEAST_CONTEXT} of context; open it with a larger window, or ask for a shorter answer`,
        "overflow",
      );
    }
    return { ...budget, tokens: Math.min(budget.tokens, room) };
  }

  /** Characters of a question that are not shown to the model. */
  hiddenCharacters(question: string): number {
    return Math.max(0, question.length - this.#mostOfQuestion(question));
  }

  async propose(state: MorphState): Promise<unknown> {
    this.#requireUsable();
    const ms = state.remaining.ms - state.budget.ms * ANSWER_SHARE_OF_TIME;
    // The last step belongs to the answer.
    if (state.remaining.steps <= 1 || ms <= 0) {
      return await this.#answer(state, "The budget is nearly spent, so answer.");
    }
    const messages = this.#fitting(
      state,
      PROPOSAL_TOKENS,
      (tokens) => this.#proposalPrompt(state, tokens),
    );
    const deadline = AbortSignal.timeout(Math.ceil(ms));
    let text: string;
    try {
      ({ text } = await this.#generate(state, messages, PROPOSAL_TOKENS, deadline, true));
    } catch (error) {
      state.signal?.throwIfAborted();
      if (!deadline.aborted) throw error;
      return await this.#answer(state, "Thinking took too long, so answer.");
    }
    const proposal = parseJson(text);
    if (!isAnswer(proposal)) return proposal;
    return await this.#answer(state, String(proposal.thought ?? ""));
  }

  async compose(state: MorphState): Promise<string> {
    this.#requireUsable();
    const ms = state.remaining.ms - state.budget.ms * RULES_SHARE_OF_TIME;
    if (ms <= 0) throw new Error("its time is over");
    const { answerTokens } = state.budget;
    const note = Math.min(NOTE_TOKENS, Math.floor(answerTokens * NOTE_SHARE));
    const maxTokens = answerTokens - note;
    const context = state.assembled();
    const messages: Message[] = [
      { role: "system", content: this.#system },
      {
        role: "user",
        content: `${this.#question(state.initial_prompt, state.workspace)}\n\n${
          answerRequest(context.text, maxTokens)
        }`,
      },
    ];
    const deadline = AbortSignal.timeout(Math.ceil(ms));
    let written = "";
    let cut: string | undefined;
    const { draft } = this.#options;
    draft?.begin();
    try {
      const { text, stopped } = await this.#generate(
        state,
        messages,
        maxTokens,
        deadline,
        false,
        (piece) => {
          written += piece;
          draft?.write(piece);
        },
      );
      written = text;
      if (stopped === "length") cut = `after ${maxTokens} tokens`;
    } catch (error) {
      state.signal?.throwIfAborted();
      if (!deadline.aborted) throw error;
      const seconds = `${Math.round(state.budget.ms / 100) / 10} seconds`;
      if (written.trim() === "") throw new Error(`nothing was written within the ${seconds}`);
      cut = `when the ${seconds} were nearly over`;
    } finally {
      await draft?.settled();
    }
    let text = withoutThoughts(written).trim();
    if (text === "") throw new Error("the answer is empty");
    const shorter = upToTokens(text, maxTokens, state.count);
    if (shorter !== text) {
      text = `${shorter}…`;
      cut ??= `after ${maxTokens} tokens`;
    }
    const ending = cut === undefined ? "" : `\n\n(The answer was cut ${cut}.)`;
    const places = context.included.map(({ label }) => label);
    const fits = (sources: string) => state.count(`${ending}\n\n${sources}`) < note;
    return `${text}${ending}${sourcesNote(text, places, fits)}`;
  }

  /** A step that answers, with the text written for it. */
  async #answer(state: MorphState, thought: string): Promise<unknown> {
    return {
      thought,
      action: "answer",
      arguments: { text: await this.compose(state), citations: [] },
    };
  }

  #proposalPrompt(state: MorphState, logTokens: number): Message[] {
    const steps = state.reasoning_log.map((record, at) => ({ record, items: state.itemsOf(at) }));
    const { turns } = logTurns(
      steps,
      logTokens,
      (text) => this.#model.count(text),
      this.#turnsOf(state),
    );
    const messages: Message[] = [
      { role: "system", content: this.#system },
      { role: "user", content: this.#question(state.initial_prompt, state.workspace) },
      ...turns,
    ];
    if (state.problems.length > 0) {
      const last = messages.pop()!;
      messages.push({
        ...last,
        content: `${last.content}\n\n${refusalText(state.problems)}`,
      });
    }
    return messages;
  }

  /** The prompt that leaves room for what is to be written: its log is made shorter until it does. */
  #fitting(
    state: MorphState,
    maxTokens: number,
    make: (logTokens: number) => Message[],
  ): Message[] {
    const window = this.#model.contextTokens - maxTokens;
    let logTokens = Math.min(state.budget.tokens, window);
    for (let fitting = 0; fitting < FITTINGS; fitting++) {
      const messages = make(logTokens);
      const over = this.#model.countPrompt(messages) - window;
      if (over <= 0) return messages;
      logTokens = Math.max(0, logTokens - over);
    }
    throw new LanguageModelError(
      `ask "${this.name}": instructions and question leave no room for a proposal in its window of ${this.#model.contextTokens} tokens; open it with a larger window`,
      "overflow",
    );
  }

  async #generate(
    state: MorphState,
    messages: readonly Message[],
    maxTokens: number,
    deadline: AbortSignal,
    isProposal: boolean,
    onText?: (piece: string) => void,
  ) {
    const { temperature, seed, adapter } = this.#options;
    try {
      const result = await this.#model.generate({
        messages,
        maxTokens,
        signal: state.signal ? AbortSignal.any([state.signal, deadline]) : deadline,
        ...(isProposal && { schema: PROPOSAL_SCHEMA }),
        ...(temperature !== undefined && { temperature }),
        ...(seed !== undefined && { seed }),
        ...(adapter && { adapter }),
        ...(onText && {
          onText: (piece) => {
            onText(piece);
            this.#options.onText?.(piece);
          },
        }),
      });
      this.#use = {
        calls: this.#use.calls + 1,
        tokens_in: this.#use.tokens_in + result.tokensIn,
        tokens_reused: this.#use.tokens_reused + result.tokensReused,
        tokens_out: this.#use.tokens_out + result.tokensOut,
      };
      return result;
    } catch (error) {
      if (error instanceof LanguageModelError && error.kind === "unusable") this.#broken = error;
      throw error;
    }
  }

  #question(question: string, workspace: string): string {
    return questionText(question, workspace, this.#mostOfQuestion(question));
  }

  /** Characters of the question that its share of the window has room for. */
  #mostOfQuestion(question: string): number {
    if (this.#shown?.question !== question) {
      this.#shown = { question, most: this.#measureQuestion(question) };
    }
    return this.#shown.most;
  }

  #measureQuestion(question: string): number {
    const most = Math.floor(this.#model.contextTokens * QUESTION_SHARE);
    const fits = (length: number) => this.#model.count(question.slice(0, length)) <= most;
    // Counting takes its time: of a very long text no more is looked at than can fit.
    let high = Math.min(question.length, most * MOST_CHARACTERS_A_TOKEN);
    if (fits(high)) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (fits(middle)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #turnsOf(state: MorphState): Map<string, Turn> {
    let turns = this.#turns.get(state);
    if (turns === undefined) this.#turns.set(state, turns = new Map());
    return turns;
  }

  #requireUsable(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }
}

/** What is added to an answer that names none of the places that it was made from: those that fit. */
function sourcesNote(
  text: string,
  labels: readonly string[],
  fits: (note: string) => boolean,
): string {
  const places = labels.filter((label) => /^.+:\d+-\d+$/.test(label));
  const paths = new Set(places.map((label) => label.slice(0, label.lastIndexOf(":"))));
  if (findCitations(text, paths).some(({ path }) => paths.has(path))) return "";
  let note = "";
  for (const place of places) {
    const more = note === ""
      ? `No lines were cited. These were read for it: ${place}`
      : `${note}, ${place}`;
    if (!fits(more)) break;
    note = more;
  }
  return note === "" ? "" : `\n\n${note}`;
}

/** The text, or its longest beginning of whole words that is no more than so many tokens. */
function upToTokens(text: string, most: number, count: (text: string) => number): string {
  if (count(text) <= most) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (count(text.slice(0, middle)) <= most) low = middle;
    else high = middle - 1;
  }
  const end = text.slice(0, low).search(/\s\S*$/);
  return text.slice(0, end > 0 ? end : low);
}

/** The JSON object in a text: servers that take no schema put words or fences around it. */
export function parseJson(text: string): unknown {
  const inner = withoutThoughts(text);
  const start = inner.indexOf("{");
  const end = inner.lastIndexOf("}");
  if (start === -1 || end < start) {
    throw new Error("the proposal is no JSON object, or was cut off");
  }
  try {
    return JSON.parse(inner.slice(start, end + 1));
  } catch {
    throw new Error("the proposal is no JSON, or was cut off");
  }
}
