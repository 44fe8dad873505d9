/**
 * `bench embed`: what the embedder that ships is worth, alone and beside the ranking, and what it costs.
 *
 * Owns the figures of the model card. What must hold: "alone" is the cosine of question and chunk and nothing else, over the chunks of
 * the index; differences are of the same queries with and without vectors, with intervals of their mean by bootstrap over queries.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_RANKING, type RankOptions } from "../rag/mod.ts";
import { loadStatic, StaticEmbedder, WITH_PLACE } from "../rag/embed/static.ts";
import { analyseQuery } from "../rag/query.ts";
import { namesOf } from "../rag/rows.ts";
import { mean, ndcg10, pairedInterval } from "./metrics.ts";
import { median } from "./process.ts";
import {
  type Annotations,
  byRepository,
  dispose,
  evaluate,
  type Outcome,
  prepare,
  type Prepared,
  readAnnotations,
  round,
} from "./retrieval.ts";

export interface EmbedBenchOptions {
  readonly annotations: string;
  readonly checkouts: string;
  readonly log: (text: string) => void;
}

const TABLE = new URL("../rag/embed/static/table.bin", import.meta.url);
/** Weights of path and names beside the text, for the ablation. */
const COMPOSITIONS = {
  "text alone": { path: 0, names: 0 },
  "text and path": { ...WITH_PLACE, names: 0 },
  "text, path and names": WITH_PLACE,
} as const;
/** The constants that are best without vectors: names weigh less where nothing else stands beside the words. */
const WITHOUT_VECTORS: RankOptions = {
  ...DEFAULT_RANKING,
  vector: 0,
  vectorOfSentence: 0,
  nameCoverage: 0.6,
};
/** Weights of vectors to choose from, for `chosenElsewhere`. */
const KEYWORD_WEIGHTS = [0, 0.02, 0.05, 0.1];
const SENTENCE_WEIGHTS = [0.1, 0.15, 0.2, 0.25, 0.3, 0.4];
/** Times that encoding goes over everything, and that the table is opened. */
const ROUNDS = 5;

/** A chunk with what its vector is made of. */
interface Chunk {
  readonly path: string;
  readonly names: readonly string[];
  readonly startLine: number;
  readonly endLine: number;
  readonly tokens: number;
  readonly text: string;
}

/** See the module text. */
export async function benchEmbed(
  { annotations, checkouts, log }: EmbedBenchOptions,
): Promise<object> {
  const prepared: Prepared[] = [];
  try {
    for (const one of readAnnotations(annotations)) {
      if (!existsSync(join(checkouts, one.repo))) continue;
      log(`reading ${one.repo}`);
      prepared.push(await prepare(one, join(checkouts, one.repo)));
    }
    const sets = prepared.map((one) => ({
      annotations: one.annotations,
      chunks: chunksOf(one),
    }));
    log("alone");
    const alone = Object.fromEntries(
      Object.entries(COMPOSITIONS).map(([name, weights]) => {
        const embedder = StaticEmbedder.open(TABLE, weights);
        return [name, figures(sets.flatMap((set) => searchAlone(embedder, set)))];
      }),
    );
    log("beside the ranking");
    const run = async (ranking: RankOptions) =>
      (await Promise.all(prepared.map((one) => evaluate(one, ranking)))).flat();
    const without = await run(WITHOUT_VECTORS);
    const hybrid = await run(DEFAULT_RANKING);
    log("with weights chosen on the other repositories");
    const weighed: Outcome[][] = [];
    for (const vector of KEYWORD_WEIGHTS) {
      for (const vectorOfSentence of SENTENCE_WEIGHTS) {
        weighed.push(await run({ ...DEFAULT_RANKING, vector, vectorOfSentence }));
      }
    }
    log("costs");
    return {
      alone,
      hybrid: figures(hybrid),
      words_paths_names: figures(without),
      difference: {
        ...differences(without, hybrid),
        ...chosenElsewhere(without, weighed),
      },
      costs: costs(sets.flatMap(({ chunks }) => chunks)),
    };
  } finally {
    prepared.forEach(dispose);
  }
}

function chunksOf({ memory }: Prepared): Chunk[] {
  return memory.paths().flatMap((path) =>
    memory.chunks(path).map((hit) => ({ ...hit, names: namesOf(hit) }))
  );
}

/** The queries of a repository by the cosine of vectors alone. */
function searchAlone(
  embedder: StaticEmbedder,
  { annotations, chunks }: { annotations: Annotations; chunks: readonly Chunk[] },
): Outcome[] {
  const vectors = chunks.map((chunk) => embedder.encode(chunk, chunk.text));
  return annotations.queries.map(({ query, category, relevant }) => {
    const question = embedder.encodeQuery(query);
    const ranked = vectors.map((vector, at) => ({ at, score: dot(vector, question) }))
      .sort((a, b) => b.score - a.score || a.at - b.at)
      .slice(0, 10)
      .map(({ at }) => chunks[at]!);
    const value = ndcg10(ranked, relevant);
    return {
      repo: annotations.repo,
      query,
      category,
      chunks: value,
      files: value,
      recall: 0,
      within: 0,
    };
  });
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}

/** NDCG@10 in chunk form: of all, by category, by repository. */
function figures(outcomes: readonly Outcome[]): object {
  const of = (list: readonly Outcome[]) => round(byRepository(list, (outcome) => outcome.chunks));
  const group = (key: (outcome: Outcome) => string) =>
    Object.fromEntries(
      [...new Set(outcomes.map(key))].sort().map((value) => [
        value,
        of(outcomes.filter((outcome) => key(outcome) === value)),
      ]),
    );
  return {
    ndcg10_chunks: of(outcomes),
    by_category: group(({ category }) => category),
    by_repository: group(({ repo }) => repo),
  };
}

/** What vectors add where each repository is searched with the weights that are best on the others: no figure is chosen on itself. */
function chosenElsewhere(
  without: readonly Outcome[],
  weighed: readonly (readonly Outcome[])[],
): object {
  const repositories = [...new Set(without.map(({ repo }) => repo))];
  if (repositories.length < 2) return {};
  const score = (outcomes: readonly Outcome[], left: string) =>
    byRepository(outcomes.filter(({ repo }) => repo !== left), ({ chunks }) => chunks);
  const honest = repositories.flatMap((repository) => {
    const best = weighed.reduce((one, other) =>
      score(other, repository) > score(one, repository) ? other : one
    );
    return best.filter(({ repo }) => repo === repository);
  });
  const { all, semantic_and_architecture } = differences(without, honest);
  return {
    "weights of other repositories": all,
    "the same, semantic and architecture": semantic_and_architecture,
  };
}

/** What vectors add, by groups of queries. */
function differences(without: readonly Outcome[], hybrid: readonly Outcome[]) {
  const of = (wanted: (outcome: Outcome) => boolean) => {
    const pairs = without.map((outcome, at) => ({ outcome, other: hybrid[at]! }))
      .filter(({ outcome }) => wanted(outcome));
    const each = pairs.map(({ outcome, other }) => other.chunks - outcome.chunks);
    return {
      queries: each.length,
      better: each.filter((value) => value > 0).length,
      worse: each.filter((value) => value < 0).length,
      mean_over_queries: round(mean(each)),
      interval_95: pairedInterval(each).map(round),
      mean_over_repositories: round(
        byRepository(pairs.map(({ other }) => other), (o) => o.chunks) -
          byRepository(pairs.map(({ outcome }) => outcome), (o) => o.chunks),
      ),
    };
  };
  return {
    all: of(() => true),
    semantic_and_architecture: of(({ category }) => category !== "symbol"),
    symbol: of(({ category }) => category === "symbol"),
    sentences: of(({ query }) => analyseQuery(query).isSentence),
    keywords: of(({ query }) => {
      const { isSentence, isSymbol } = analyseQuery(query);
      return !isSentence && !isSymbol;
    }),
  };
}

function costs(chunks: readonly Chunk[]): object {
  const embedder = loadStatic();
  const megabytes = chunks.reduce((sum, { text }) => sum + text.length, 0) / 1e6;
  const times = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    for (const chunk of chunks) embedder.encode(chunk, chunk.text);
    return performance.now() - started;
  });
  const opening = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    StaticEmbedder.open(TABLE);
    return performance.now() - started;
  });
  return {
    table_bytes: Deno.statSync(TABLE).size,
    source_mb: round(megabytes),
    encode_mb_per_second: Math.round(megabytes / (median(times) / 1000)),
    first_open_ms: round(opening[0]!),
    open_ms: round(median(opening)),
  };
}
