/**
 * `bench ask`: whether an answer cites the files that its question is about, and what it costs.
 *
 * Reads the same annotations and checkouts as `retrieval.ts`, and indexes the same temporary copies. What must hold: a citation counts
 * only if it resolves; recall is over the annotated files of a query, meaned over queries, then over repositories.
 */
import { join } from "node:path";
import {
  type Answer,
  answerQuestion,
  type Budget,
  type LanguageModel,
  NO_MODEL,
} from "../agent/mod.ts";
import { mean } from "./metrics.ts";
import { dispose, prepare, readAnnotations, shippedEmbedder } from "./retrieval.ts";

/** One question's figures. */
interface Asked {
  readonly repo: string;
  readonly query: string;
  readonly category: string;
  /** Share of the annotated files that the answer cites. */
  readonly recall: number;
  /** Whether it cites at least one of them. */
  readonly hit: boolean;
  /** Whether the first file it cites is one of them. */
  readonly first: boolean;
  readonly files: number;
  readonly tokens: number;
  readonly answerTokens: number;
  readonly steps: number;
  readonly ms: number;
  readonly unresolved: number;
  /** Steps that rules did in the place of a model. */
  readonly replaced: number;
  /** Read and written by the model, in all its calls; of those read, what was computed already. */
  readonly modelTokens: number;
  readonly reusedTokens: number;
  readonly missing: readonly string[];
}

/** Asks every annotated query, of a model where one is given, within the default budget unless another is given. */
export async function benchAsk(
  annotationsFolder: string,
  checkouts: string,
  options: {
    budget?: Partial<Budget>;
    model?: LanguageModel | undefined;
    verbose?: boolean;
    repos?: readonly string[];
  } = {},
): Promise<object> {
  const asked: Asked[] = [];
  for (const annotations of readAnnotations(annotationsFolder)) {
    if (options.repos && !options.repos.includes(annotations.repo)) continue;
    const embedder = shippedEmbedder();
    const prepared = await prepare(annotations, join(checkouts, annotations.repo));
    try {
      for (const { query, category, relevant } of annotations.queries) {
        const started = performance.now();
        const answer = await answerQuestion(query, prepared.memory, {
          root: prepared.folder,
          vector: (text) => prepared.memory.embedQuestion(embedder, text),
          ...(options.budget && { budget: options.budget }),
          ...(options.model && { model: options.model }),
        });
        const ms = performance.now() - started;
        const wanted = [...new Set(relevant.map((entry) => entry.path))];
        asked.push({ repo: annotations.repo, query, category, ms, ...figuresOf(answer, wanted) });
      }
    } finally {
      dispose(prepared);
    }
  }
  const repos = [...new Set(asked.map((one) => one.repo))];
  return {
    driver: options.model?.name ?? NO_MODEL,
    all: summary(asked),
    by_repository: Object.fromEntries(
      repos.map((repo) => [repo, summary(asked.filter((one) => one.repo === repo))]),
    ),
    ...(options.verbose && { incomplete: asked.filter((one) => one.recall < 1) }),
  };
}

function figuresOf(answer: Answer, wanted: readonly string[]) {
  const resolved = answer.citations.filter((citation) => citation.status !== "removed");
  const cited = [...new Set(resolved.map((citation) => citation.path))];
  const missing = wanted.filter((path) => !cited.includes(path));
  const context = answer.context.included.reduce((sum, entry) => sum + entry.tokens, 0);
  return {
    recall: wanted.length ? 1 - missing.length / wanted.length : 0,
    hit: missing.length < wanted.length,
    first: wanted.includes(cited[0] ?? ""),
    files: cited.length,
    tokens: answer.tokens,
    answerTokens: answer.tokens - context,
    steps: answer.steps.length,
    unresolved: answer.citations.length - resolved.length,
    replaced: answer.steps.filter((step) => step.replaced !== undefined).length,
    modelTokens: answer.model ? answer.model.tokens_in + answer.model.tokens_out : 0,
    reusedTokens: answer.model?.tokens_reused ?? 0,
    missing,
  };
}

function summary(asked: readonly Asked[]) {
  const repos = [...new Set(asked.map((one) => one.repo))];
  const over = (pick: (one: Asked) => number) =>
    round(mean(repos.map((repo) => mean(asked.filter((one) => one.repo === repo).map(pick)))));
  return {
    questions: asked.length,
    file_recall: over((one) => one.recall),
    cites_a_relevant_file: over((one) => Number(one.hit)),
    first_citation_relevant: over((one) => Number(one.first)),
    files_cited: over((one) => one.files),
    tokens: over((one) => one.tokens),
    answer_tokens: over((one) => one.answerTokens),
    steps: over((one) => one.steps),
    ms: over((one) => one.ms),
    ...(asked.some((one) => one.modelTokens > 0) && {
      model_tokens: over((one) => one.modelTokens),
      reused_tokens: over((one) => one.reusedTokens),
      steps_by_rules: over((one) => one.replaced),
    }),
    unresolved_citations: asked.reduce((sum, one) => sum + one.unresolved, 0),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
