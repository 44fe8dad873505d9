/**
 * The interface between the loop and whatever thinks: a model, or the deterministic policy.
 *
 * Owns the values that pass between them; no behaviour. What must hold: what a driver proposes is data that nobody
 * trusts (`parseStep` validates it), and a driver reaches memory only through the actions that it proposes.
 */
import type { Fractal, Hit, OutlineEntry, Summary } from "../rag/mod.ts";
import type { Budget, Prompt, TokenCounter } from "./governor.ts";

/** Thinks for a QueryMorph. Siblings: `ExtractiveDriver`, which needs no model, and `ModelDriver`, which asks one. */
export interface Driver {
  /** Shown with every answer, for example `extractive`. */
  readonly name: string;
  /**
   * The next step: `{thought, action, arguments}` as the action table describes it. The result is validated; what
   * does not fit comes back in `state.problems` with the next call.
   */
  propose(state: MorphState): Promise<unknown>;
  /** The text of the answer from what was retrieved, at most `budget.answerTokens`, citations as `path:start-end`. */
  compose(state: MorphState): Promise<string>;
}

/** What a driver sees of a QueryMorph: its four slots, what is left of the budget, what was wrong last time. */
export interface MorphState {
  readonly initial_prompt: string;
  /** Name of the repository's folder: in a question it says nothing about where to look. */
  readonly workspace: string;
  readonly refined_query: RefinedQuery;
  readonly retrieved_context: readonly ContextItem[];
  readonly reasoning_log: readonly StepRecord[];
  /** What the step of this index in the log brought into the context. */
  itemsOf(step: number): readonly ContextItem[];
  readonly budget: Budget;
  /** Steps and milliseconds left, this step included. */
  readonly remaining: { readonly steps: number; readonly ms: number };
  /** Why the last proposals of this step were refused; empty at first. */
  readonly problems: readonly string[];
  readonly count: TokenCounter;
  readonly signal: AbortSignal | undefined;
  /** The retrieved context within `budget.tokens`, with the manifest of what went in and what stayed out. */
  assembled(): Prompt;
}

/** What retrieval looks for now; it starts as the question and follows the searches. */
export interface RefinedQuery {
  readonly text: string;
  readonly path?: string;
}

/** Something that memory returned. Every text in it is data from files. */
export type ContextItem =
  | { readonly type: "summary"; readonly summary: Summary }
  | {
    readonly type: "chunk";
    readonly hit: Hit;
    /** Query that found it. */
    readonly query: string;
    /** File that the search was limited to, in a descent. */
    readonly within?: string;
  }
  | { readonly type: "outline"; readonly path: string; readonly entries: readonly OutlineEntry[] }
  | ({ readonly type: "lines"; readonly language: string } & Excerpt)
  | Reference
  /** A word of a query that was read as another, since it stands nowhere. */
  | { readonly type: "spelling"; readonly from: string; readonly to: string }
  /** A word of a query that stands nowhere in the index. */
  | { readonly type: "absent"; readonly word: string }
  /** A cycle of the audit trail. */
  | { readonly type: "cycle"; readonly fractal: Fractal }
  | {
    readonly type: "commit";
    /** File that it touched; empty where it was found by its words. */
    readonly path: string;
    readonly id: string;
    readonly date: string;
    readonly author: string;
    readonly subject: string;
  };

/** Lines of a file as it was ingested. */
export interface Excerpt {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly text: string;
}

/**
 * A line that refers to a name, or holds a text. `subtype`: it declares a type that is built on the one of that name. `text`: it holds the
 * text word by word. `near`: most of the text's words.
 */
export interface Reference {
  readonly type: "reference";
  readonly name: string;
  readonly path: string;
  readonly line: number;
  readonly text: string;
  readonly kind: "definition" | "subtype" | "call" | "import" | "use" | "comment" | "text" | "near";
  /** Innermost definition around the line, `Mux.ServeHTTP` for example; empty at the top of a file. */
  readonly within: string;
  /** Who says that the line means this definition: the compiler, or the name alone. */
  readonly resolution: "compiler" | "name";
}

/** One round of the loop, as `--json` shows it. */
export interface StepRecord {
  readonly thought: string;
  readonly action: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** What came of it, in a line or a few. */
  readonly observation: string;
  /** Size of what was retrieved by this step. */
  readonly tokens: number;
  readonly ms: number;
  /** Why the deterministic policy acted in place of the driver, where it did. */
  readonly replaced?: string;
}
