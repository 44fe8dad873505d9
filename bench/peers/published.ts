/**
 * Figures that others published for the annotated queries: NDCG@10 by repository.
 *
 * Source: the semble benchmark (Thomas van Dongen, 2026, MIT), its table of results for these repositories. semble,
 * CodeRankEmbed hybrid and both BM25 are scored on chunks, the rest on files.
 */
export const PUBLISHED_REPOSITORIES = [
  "trpc",
  "zod",
  "axios",
  "express",
  "flask",
  "requests",
  "httpx",
  "chi",
  "gin",
  "axum",
  "gson",
] as const;

/** In the order of `PUBLISHED_REPOSITORIES`. */
// deno-fmt-ignore
export const PUBLISHED: Readonly<Record<string, readonly number[]>> = {
  "semble":                    [0.811, 0.615, 0.874, 0.964, 0.913, 0.965, 0.860, 0.867, 0.860, 0.801, 0.917],
  "CodeRankEmbed hybrid":      [0.880, 0.519, 0.865, 0.930, 0.909, 0.992, 0.893, 0.835, 0.839, 0.780, 0.907],
  "BM25 + semble's ranking":   [0.778, 0.583, 0.875, 0.876, 0.848, 0.943, 0.805, 0.819, 0.848, 0.782, 0.844],
  "BM25":                      [0.581, 0.418, 0.650, 0.834, 0.585, 0.641, 0.720, 0.858, 0.577, 0.689, 0.492],
  "ColGREP":                   [0.646, 0.230, 0.780, 0.910, 0.741, 0.846, 0.804, 0.743, 0.766, 0.695, 0.588],
  "codegraph":                 [0.601, 0.339, 0.742, 0.813, 0.765, 0.856, 0.701, 0.580, 0.689, 0.576, 0.576],
  "probe":                     [0.342, 0.347, 0.472, 0.744, 0.516, 0.515, 0.537, 0.280, 0.417, 0.280, 0.491],
  "ripgrep":                   [0.207, 0.107, 0.222, 0.107, 0.212, 0.232, 0.262, 0.139, 0.182, 0.082, 0.141],
};

/**
 * Published means over some of the repositories, best first.
 * @returns nothing where one of them has no published figure, because a mean over others would not compare.
 */
export function publishedMeans(repositories: readonly string[]): { name: string; value: number }[] {
  const columns = repositories.map((repo) => PUBLISHED_REPOSITORIES.indexOf(repo as "trpc"));
  if (columns.length === 0 || columns.includes(-1)) return [];
  return Object.entries(PUBLISHED).map(([name, row]) => ({
    name,
    value: columns.reduce((sum, at) => sum + row[at]!, 0) / columns.length,
  })).sort((a, b) => b.value - a.value);
}
