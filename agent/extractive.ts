/**
 * The deterministic driver: answers without a model, by the same actions.
 *
 * Owns the policy (which action next) and hands the text to `answer_text.ts`. What must hold: it keeps nothing between calls, so
 * the same state gives the same step and the same text; it proposes only actions of the table; its last step is an answer.
 */
import type { Driver, MorphState } from "./driver.ts";
import { actionKey, LONGEST_QUERY } from "./actions.ts";
import { composeExtractive } from "./answer_text.ts";
import { CLASS_LIKE, Evidence, lastName } from "./evidence.ts";
import { parseQuestion, type Question } from "./question.ts";

/** Summaries and chunks asked for: enough to choose from, few enough to read in the trajectory. */
const SUMMARIES = 8;
const CHUNKS = 16;
const CHUNKS_OF_A_PART = 8;
/** Files looked into. */
const DESCENTS = 4;
/** Names followed to their callers. */
const MOST_NAMES = 3;
/** Longer definitions are read in part: the lines that matter are already among the chunks. */
const LONGEST_READ = 120;
/** Places whose exact lines are read before answering. */
const MOST_READS = 3;

interface Proposal {
  readonly thought: string;
  readonly action: string;
  readonly arguments: Record<string, unknown>;
}

export class ExtractiveDriver implements Driver {
  readonly name = "extractive";

  async propose(state: MorphState): Promise<Proposal> {
    const question = parseQuestion(state.initial_prompt, state.workspace);
    const done = new Set(state.reasoning_log.map((step) => actionKey(step)));
    // The last step belongs to the answer.
    if (state.remaining.steps > 1) {
      for (const proposal of this.#plan(state, question)) {
        if (!done.has(actionKey(proposal))) return proposal;
      }
    }
    const text = await this.compose(state);
    return {
      thought: "There is enough to quote from, so answer.",
      action: "answer",
      arguments: { text, citations: [] },
    };
  }

  async compose(state: MorphState): Promise<string> {
    const question = parseQuestion(state.initial_prompt, state.workspace);
    return composeExtractive(state, question, new Evidence(state, question));
  }

  /** Steps in order of need; the first that was not done yet is next. Lazy: later ones look at what earlier ones found. */
  *#plan(state: MorphState, question: Question): Generator<Proposal> {
    const query = question.text.slice(0, LONGEST_QUERY);
    yield {
      thought: "Look at the summaries first: which files are about this?",
      action: "search",
      arguments: { query, level: "summaries", k: SUMMARIES },
    };
    for (const path of question.paths.slice(0, 2)) {
      yield {
        thought: `The question names ${path}, so look into it.`,
        action: "descend",
        arguments: { path },
      };
    }
    const certain = question.shape === "callers" || question.shape === "where" ||
      question.shape === "what";
    const symbols = question.symbols.slice(0, MOST_NAMES - 1);
    if (certain) yield* symbols.map(followName);
    yield {
      thought: "Search all chunks for the whole question.",
      action: "search",
      arguments: { query, level: "chunks", k: CHUNKS },
    };
    for (const part of question.parts) {
      yield {
        thought: `This part can be looked for on its own: ${part.trim().slice(0, 200)}`,
        action: "search",
        arguments: {
          query: part.trim().slice(0, LONGEST_QUERY),
          level: "chunks",
          k: CHUNKS_OF_A_PART,
        },
      };
    }
    if (!certain) yield* symbols.map(followName);
    let evidence = new Evidence(state, question);
    const files = [
      ...new Set(evidence.places.filter((place) => place.score > 0).map((place) => place.path)),
    ].slice(0, DESCENTS);
    for (const path of files) {
      yield {
        thought: `Go down into ${path} for its definitions and chunks.`,
        action: "descend",
        arguments: { path },
      };
    }
    evidence = new Evidence(state, question);
    if (question.shape === "history" || question.shape === "why") {
      for (const path of files.slice(0, 2)) {
        yield {
          thought: `Ask git what happened to ${path}.`,
          action: "history",
          arguments: { path },
        };
      }
    }
    const lead = evidence.places.find((place) =>
      place.role === "code" && place.name && place.kind !== "section"
    );
    if (
      lead && state.remaining.steps > 2 &&
      !symbols.some((symbol) => lastName(symbol) === lastName(lead.name))
    ) {
      yield followName(lead.name);
    }
    for (const place of evidence.places.slice(0, MOST_READS)) {
      const lines = place.endLine - place.startLine + 1;
      if (lines > LONGEST_READ || CLASS_LIKE.has(place.kind) && lines > LONGEST_READ / 2) continue;
      let known = 0;
      for (let line = place.startLine; line <= place.endLine; line++) {
        if (evidence.line(place.path, line) !== undefined) known++;
      }
      if (known === lines) continue;
      yield {
        thought: `Read the exact lines of ${place.name || place.path}.`,
        action: "read",
        arguments: { path: place.path, start_line: place.startLine, end_line: place.endLine },
      };
    }
  }
}

function followName(name: string): Proposal {
  return {
    thought: `Find where ${name} is defined and who uses it.`,
    action: "references",
    arguments: { name },
  };
}
