/**
 * `bench retrieval`: how well search finds what annotated queries ask for.
 *
 * Reads a folder of annotation files `{repo, benchmark_root, queries: [{query, category, relevant: [{path, start_line?,
 * end_line?}]}]}` and a folder of checkouts, one a repo. What must hold: only `benchmark_root` of a checkout is indexed, in a
 * temporary copy; the checkouts themselves are not touched.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readTree } from "../ingest/mod.ts";
import {
  chooseEmbedder,
  DEFAULT_EMBEDDER,
  DEFAULT_RANKING,
  type IndexEmbedder,
  type Memory,
  openMemory,
  type RankOptions,
} from "../rag/mod.ts";
import {
  byFile,
  fileRecallWithin,
  mean,
  ndcg10,
  pairedInterval,
  type Relevant,
} from "./metrics.ts";

export interface Annotations {
  readonly repo: string;
  readonly language?: string;
  readonly benchmark_root: string | null;
  readonly queries: readonly {
    readonly query: string;
    readonly category: string;
    readonly relevant: readonly Relevant[];
  }[];
}

/** A repository of the benchmark with its index open. */
export interface Prepared {
  readonly annotations: Annotations;
  readonly memory: Memory;
  readonly folder: string;
}

/** One query's figures. */
export interface Outcome {
  readonly repo: string;
  readonly query: string;
  readonly category: string;
  readonly chunks: number;
  readonly files: number;
  readonly recall: number;
  readonly within: number;
}

/** So many results are asked for: enough to fill 2,000 tokens. */
const RESULTS = 30;
/** What an agent reads of a result list before it asks again. */
const TOKENS = 2_000;

export function readAnnotations(folder: string): Annotations[] {
  return readdirSync(folder).filter((name) => name.endsWith(".json")).sort().map((name) =>
    JSON.parse(readFileSync(join(folder, name), "utf8")) as Annotations
  );
}

/** Copies what is to be indexed into a temporary folder and indexes it there. */
export async function prepare(
  annotations: Annotations,
  checkout: string,
  chunk?: { maxSize?: number },
): Promise<Prepared> {
  if (!existsSync(checkout)) {
    throw new Error(
      `cannot run the queries of "${annotations.repo}": no checkout at "${checkout}"; put it there`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), `batos-bench-${annotations.repo}-`));
  const root = annotations.benchmark_root ?? "";
  mkdirSync(dirname(join(folder, root)), { recursive: true });
  cpSync(join(checkout, root), join(folder, root), { recursive: true });
  const memory = openMemory(folder);
  await memory.absorb(readTree(folder, memory.known(), { chunk }), { encoder: DEFAULT_EMBEDDER });
  return { annotations, memory, folder };
}

export function dispose(prepared: Prepared): void {
  prepared.memory.close();
  rmSync(prepared.folder, { recursive: true, force: true });
}

/** The embedder that ships. */
export function shippedEmbedder(): IndexEmbedder {
  return chooseEmbedder(DEFAULT_EMBEDDER, () => {
    throw new Error("the embedder that ships has no files to look for");
  })!;
}

/** Runs every query of a prepared repository; a ranking that gives vectors no weight gets none. */
export async function evaluate(
  prepared: Prepared,
  ranking: RankOptions = DEFAULT_RANKING,
): Promise<Outcome[]> {
  const { annotations, memory } = prepared;
  const hasVectors = ranking.vector > 0 || ranking.vectorOfSentence > 0;
  const embedder = hasVectors ? shippedEmbedder() : undefined;
  return await Promise.all(annotations.queries.map(async ({ query, category, relevant }) => {
    const vector = embedder && await memory.embedQuestion(embedder, query);
    const results = memory.search(query, { limit: RESULTS, vector }, ranking);
    return {
      repo: annotations.repo,
      query,
      category,
      chunks: ndcg10(results, relevant),
      files: ndcg10(byFile(results), relevant),
      recall: fileRecallWithin(byFile(results).slice(0, 10), relevant, Infinity),
      within: fileRecallWithin(results, relevant, TOKENS),
    };
  }));
}

/** Mean over a repository's queries, then over repositories. */
export function byRepository(outcomes: readonly Outcome[], pick: (o: Outcome) => number): number {
  const repos = [...new Set(outcomes.map((outcome) => outcome.repo))];
  return mean(repos.map((repo) => mean(outcomes.filter((o) => o.repo === repo).map(pick))));
}

/** What each part of the ranking is worth: the constant that switches it off. */
export const ABLATIONS: Readonly<Record<string, Partial<RankOptions>>> = {
  "without stems as weaker forms": { stemWeight: 1 },
  "without path share": { pathShare: 0 },
  "without stem share": { stemShare: 0 },
  "without name coverage": { nameCoverage: 0 },
  "without definition boost": { definition: 0, identifierDefinition: 0 },
  "without re-export boost": { reexport: 0 },
  "without coherence": { coherence: 0 },
  "without file saturation": { saturation: 1 },
  "without slower saturation of large files": { largeFile: Infinity },
  "without vectors": { vector: 0, vectorOfSentence: 0 },
  "without penalties": {
    testPenalty: 1,
    examplePenalty: 1,
    compatPenalty: 1,
    declarationPenalty: 1,
    documentPenalty: 1,
    dataPenalty: 1,
    barrelPenalty: 1,
  },
};

/** Figures of all repositories, by repository, by category, and the ablation where asked for. */
export async function benchRetrieval(options: {
  annotations: string;
  checkouts: string;
  ablate?: boolean;
  verbose?: boolean;
}): Promise<object> {
  const prepared: Prepared[] = [];
  try {
    for (const annotations of readAnnotations(options.annotations)) {
      prepared.push(await prepare(annotations, join(options.checkouts, annotations.repo)));
    }
    const outcomes = (await Promise.all(prepared.map((one) => evaluate(one)))).flat();
    const figures = (list: readonly Outcome[]) => ({
      queries: list.length,
      ndcg10_chunks: round(byRepository(list, (o) => o.chunks)),
      ndcg10_files: round(byRepository(list, (o) => o.files)),
      file_recall_at_10: round(byRepository(list, (o) => o.recall)),
      file_recall_in_2000_tokens: round(byRepository(list, (o) => o.within)),
    });
    const group = (key: (o: Outcome) => string) =>
      Object.fromEntries(
        [...new Set(outcomes.map(key))].sort().map((
          value,
        ) => [value, figures(outcomes.filter((outcome) => key(outcome) === value))]),
      );
    const ablation: Record<string, object> = {};
    if (options.ablate) {
      for (const [name, change] of Object.entries(ABLATIONS)) {
        const ranking = { ...DEFAULT_RANKING, ...change };
        const other = (await Promise.all(prepared.map((one) => evaluate(one, ranking)))).flat();
        const differences = other.map((outcome, at) => outcome.chunks - outcomes[at]!.chunks);
        ablation[name] = {
          ndcg10_chunks: round(byRepository(other, (o) => o.chunks)),
          difference_95: pairedInterval(differences).map(round),
        };
      }
    }
    return {
      all: figures(outcomes),
      by_repository: group((outcome) => outcome.repo),
      by_category: group((outcome) => outcome.category),
      ...(options.ablate ? { ablation } : {}),
      ...(options.verbose
        ? { worst: outcomes.filter((o) => o.chunks < 0.9).sort((a, b) => a.chunks - b.chunks) }
        : {}),
    };
  } finally {
    prepared.forEach(dispose);
  }
}

export function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
