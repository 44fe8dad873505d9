/**
 * Puts the figures of `bench/results/` into `bench/FIGURES.md` and the most important ones into the README, between markers, and
 * draws the chart.
 *
 * What must hold: nothing outside the markers changes; a section without a result keeps what it says; a second run changes
 * nothing. Markers are `<!-- figures:NAME -->` and `<!-- /figures:NAME -->`, each on a line of its own.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bar, barChart } from "./chart.ts";
import { publishedMeans } from "./peers/published.ts";
import type { Environment } from "./process.ts";
import { formatCell, markdownTable } from "./table.ts";

/** A file of `bench/results/`. */
export interface Saved<R> {
  readonly bench: string;
  readonly environment: Environment;
  readonly result: R;
}

interface RetrievalResult {
  readonly all: {
    readonly queries: number;
    readonly ndcg10_chunks: number;
    readonly ndcg10_files: number;
    readonly file_recall_at_10: number;
    readonly file_recall_in_2000_tokens: number;
  };
  readonly by_repository: Readonly<Record<string, RetrievalResult["all"]>>;
  readonly peers?: Readonly<Record<string, { ndcg10_chunks: number; ndcg10_files: number }>>;
}

type Runs = Readonly<Record<string, Readonly<Record<string, number>>>>;

interface IngestResult {
  readonly cold?: {
    readonly files: number;
    readonly lines: number;
    readonly corpus: string;
    readonly runs: Runs;
  };
  readonly parse?: Readonly<Record<string, { files: number; source_mb: number; ratio: number }>>;
  readonly change?: Readonly<Record<string, number>>;
  readonly million?: Readonly<Record<string, number>>;
}

type QueryResult = Readonly<Record<string, { files: number; chunks: number; runs: Runs }>>;

interface TokensResult {
  readonly read: { readonly share_of_relevant_files_within_tokens: Runs };
  readonly estimate: Runs;
}

type ChunkingResult = Readonly<Record<string, { files: number; splitters: Runs }>>;

interface Ndcg {
  readonly ndcg10_chunks: number;
  readonly by_category: Readonly<Record<string, number>>;
}

interface EmbedResult {
  readonly alone: Readonly<Record<string, Ndcg>>;
  readonly words_paths_names: Ndcg;
  readonly hybrid: Ndcg;
  readonly difference: Readonly<
    Record<
      string,
      { queries: number; mean_over_queries: number; interval_95: readonly [number, number] }
    >
  >;
  readonly costs: Readonly<Record<string, number>>;
}

interface PageResult {
  readonly page: Runs;
  readonly bytes: Readonly<Record<string, number>>;
}

type AuditResult = Readonly<Record<string, Readonly<Record<string, number>>>>;
interface ModelsResult {
  readonly overhead: AuditResult[string];
  readonly delay: Runs;
  readonly runs: AuditResult[string];
}
type VectorsResult = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface KernelResult {
  readonly durable_commits: Runs;
  readonly costs: Runs;
  readonly kills: Readonly<Record<string, number>>;
}

interface AskResult {
  readonly all: Runs[string];
  readonly by_repository: Runs;
}

/** Reads a saved result; undefined where there is none. */
export function readSaved<R>(results: string, name: string): Saved<R> | undefined {
  const path = join(results, `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) as Saved<R> : undefined;
}

/** Results of runs on other folders, `NAME-FOLDER.json`, without their ending. */
function folderResults(results: string, name: string): string[] {
  return readdirSync(results).filter((file) =>
    file.startsWith(`${name}-`) && file.endsWith(".json")
  ).map((file) => file.slice(0, -".json".length)).sort();
}

function readFolders<R>(results: string, name: string): Saved<R>[] {
  return folderResults(results, name).map((file) => readSaved<R>(results, file)!);
}

/** Replaces what stands between the markers of each section; sections that the text lacks are left out. */
export function replaceSections(text: string, sections: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries(sections)) {
    const open = `<!-- figures:${name} -->`;
    const close = `<!-- /figures:${name} -->`;
    const from = text.indexOf(open);
    const to = text.indexOf(close, from);
    if (from < 0 && !text.includes(close)) continue;
    if (from < 0 || to < 0) {
      throw new Error(
        `cannot update the section "${name}": "${from < 0 ? open : close}" is missing`,
      );
    }
    text = `${text.slice(0, from + open.length)}\n\n${content}\n\n${text.slice(to)}`;
  }
  return text;
}

/** Writes `README.md`, `bench/FIGURES.md` and the chart anew; returns the names of the sections that have figures. */
export function updateReadme(repository: string, results: string): string[] {
  const sections: Record<string, string> = {};
  const add = <R>(name: string, render: (saved: Saved<R>) => string) => {
    const saved = readSaved<R>(results, name);
    if (saved) sections[name] = `${render(saved)}\n\n${origin(saved)}`;
  };
  add<RetrievalResult>("retrieval", (saved) => {
    writeFileSync(join(results, "retrieval.svg"), retrievalChart(saved.result));
    return `${retrievalSection(saved.result)}\n\n${retrievalSets(results)}`.trimEnd();
  });
  add<IngestResult>(
    "ingest",
    (saved) =>
      [saved, ...readFolders<IngestResult>(results, "ingest")].map((one) =>
        ingestSection(one.result)
      )
        .join("\n\n"),
  );
  add<QueryResult>(
    "query",
    (saved) =>
      [saved, ...readFolders<QueryResult>(results, "query")].map((one) => querySection(one.result))
        .join("\n\n"),
  );
  add<EmbedResult>("embed", (saved) => embedSection(saved.result));
  add<VectorsResult>("vectors", (saved) => vectorsSection(saved.result));
  add<PageResult>("page", (saved) => pageSection(saved.result));
  add<AuditResult>("audit", (saved) => auditSection(saved.result));
  add<AuditResult>("endpoint", (saved) => auditSection(saved.result));
  add<Runs>("idle", (saved) => runsTable("a kernel on", saved.result));
  add<ModelsResult>(
    "models",
    ({ result: { overhead, delay, runs } }) =>
      `${auditSection({ loop: overhead, runs })}\n\n${runsTable("event loop, while", delay)}`,
  );
  add<TokensResult>("tokens", (saved) => tokensSection(saved.result));
  add<KernelResult>("kernel", (saved) => kernelSection(saved.result));
  add<Runs>("graph", (saved) => graphSection(saved.result));
  add<RefsResult>("refs", (saved) => refsSection(saved.result));
  add<ChunkingResult>(
    "chunking",
    (saved) =>
      Object.entries(saved.result).map(([name, one]) =>
        runsTable(`${name}: ${formatCell(one.files)} files`, one.splitters)
      ).join("\n\n"),
  );
  add<AskResult>(
    "ask",
    ({ result }) => runsTable("questions about", { ...result.by_repository, all: result.all }),
  );
  sections.summary = summarySection(results);
  for (const path of [join(repository, "README.md"), join(repository, "bench", "FIGURES.md")]) {
    if (existsSync(path)) {
      writeFileSync(path, replaceSections(readFileSync(path, "utf8"), sections));
    }
  }
  return Object.keys(sections);
}

/** What a newcomer asks first, in a line each; a figure without a result is left out. */
function summarySection(results: string): string {
  const rows: [string, string][] = [];
  const of = <R>(name: string) => readSaved<R>(results, name)?.result;
  const retrieval = of<RetrievalResult>("retrieval");
  if (retrieval) {
    rows.push([
      "relevant files among the first ten results",
      percent(retrieval.all.file_recall_at_10),
    ]);
    rows.push([
      "relevant files within the first 2,000 tokens",
      percent(retrieval.all.file_recall_in_2000_tokens),
    ]);
  }
  const ask = of<AskResult>("ask")?.all;
  if (ask) {
    rows.push([
      "answers without a model that cite a relevant file",
      percent(ask.cites_a_relevant_file!),
    ]);
    rows.push(["citations in them that do not resolve", `${ask.unresolved_citations}`]);
  }
  const ingest = of<IngestResult>("ingest");
  const [first] = Object.values(ingest?.cold?.runs ?? {});
  if (ingest?.cold && first?.seconds !== undefined) {
    const { files, lines } = ingest.cold;
    rows.push([
      `first ingest of ${formatCell(files)} files, ${formatCell(lines)} lines`,
      `${first.seconds.toFixed(1)} s`,
    ]);
  }
  if (ingest?.change) {
    rows.push([
      `nothing changed in ${formatCell(ingest.change.files)} files`,
      `${ingest.change.nothing_changed_seconds!.toFixed(1)} s`,
    ]);
  }
  for (const one of Object.values(of<QueryResult>("query") ?? {})) {
    const warm = one.runs["batos, warm, first time"]?.p50_ms;
    if (warm !== undefined) {
      rows.push([`a search among ${formatCell(one.chunks)} chunks, warm`, `${warm} ms`]);
    }
  }
  return markdownTable(["measured", "figure"], rows);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Where figures come from: one line under each section. */
export function origin({ bench, environment: e }: Saved<unknown>): string {
  const commit = e.commit
    ? `commit ${e.commit.slice(0, 10)}${e.modified ? " with changes" : ""}`
    : "no commit";
  return `<sub>\`deno task bench ${bench}\`, ${e.date}, ${commit}, Deno ${e.deno}, ${e.cores} × ${e.cpu}</sub>`;
}

/** Ours, the peers that ran beside it, and what was published for the same repositories. */
export function retrievalBars(result: RetrievalResult): Bar[] {
  const published = publishedMeans(Object.keys(result.by_repository));
  const bars: Bar[] = [
    { name: "batos", value: result.all.ndcg10_chunks, source: "own" },
    ...published.map(({ name, value }): Bar => ({ name, value, source: "published" })),
    // A peer is drawn in the form that suits it better.
    ...Object.entries(result.peers ?? {}).map(([name, figures]): Bar => ({
      name,
      value: Math.max(figures.ndcg10_chunks, figures.ndcg10_files),
      source: "measured",
    })),
  ];
  return bars.sort((a, b) => b.value - a.value);
}

/** The chart of the README. */
export function retrievalChart(result: RetrievalResult): string {
  const repositories = Object.keys(result.by_repository).length;
  return barChart(
    "Finding the right code: NDCG@10",
    `${result.all.queries} annotated queries over ${repositories} ${
      repositories === 1 ? "repository" : "repositories"
    }; batos with the embedder that ships`,
    retrievalBars(result),
  );
}

function retrievalSection(result: RetrievalResult): string {
  const bars = retrievalBars(result);
  const kind = { own: "this run", measured: "this run", published: "published" };
  const repositories = Object.entries(result.by_repository);
  return [
    markdownTable(
      ["NDCG@10", "mean", "from"],
      bars.map((b) => [b.name, thousandths(b.value), kind[b.source]]),
    ),
    markdownTable(
      [
        "repository",
        "queries",
        "NDCG@10, chunks",
        "NDCG@10, files",
        "file recall at 10",
        "in 2,000 tokens",
      ],
      [...repositories, ["all", result.all] as const].map(([name, one]) => [
        name,
        one.queries,
        thousandths(one.ndcg10_chunks),
        thousandths(one.ndcg10_files),
        thousandths(one.file_recall_at_10),
        thousandths(one.file_recall_in_2000_tokens),
      ]),
    ),
  ].join("\n\n");
}

/** A row for each set of queries that was run beside the first, and for each time that was kept. */
function retrievalSets(results: string): string {
  const rows = folderResults(results, "retrieval").map((name) => {
    const { environment, result: { all, by_repository } } = readSaved<RetrievalResult>(
      results,
      name,
    )!;
    return [
      name.slice("retrieval-".length),
      Object.keys(by_repository).length,
      all.queries,
      thousandths(all.ndcg10_chunks),
      thousandths(all.ndcg10_files),
      thousandths(all.file_recall_at_10),
      `${environment.commit?.slice(0, 10) ?? ""}${environment.modified ? " with changes" : ""}`,
    ];
  });
  return rows.length === 0 ? "" : markdownTable(
    [
      "other queries",
      "repositories",
      "queries",
      "NDCG@10, chunks",
      "NDCG@10, files",
      "file recall at 10",
      "commit",
    ],
    rows,
  );
}

function ingestSection({ cold, parse, change, million }: IngestResult): string {
  const parts: string[] = [];
  if (cold) {
    parts.push(
      runsTable(
        `cold, ${cold.corpus}: ${formatCell(cold.files)} files, ${formatCell(cold.lines)} lines`,
        cold.runs,
      ),
    );
  }
  const rows: [string, string][] = [];
  for (const [name, one] of Object.entries(parse ?? {})) {
    if (typeof one !== "object") continue;
    rows.push([
      `ingest against reading and parsing, ${name}: ${formatCell(one.files)} files, ${
        formatCell(one.source_mb)
      } MB`,
      `${one.ratio} ×`,
    ]);
  }
  if (change) {
    const files = formatCell(change.files);
    rows.push([`nothing changed, ${files} files`, `${change.nothing_changed_seconds} s`]);
    rows.push([`one file of ${files} changed`, `${change.one_changed_more_seconds} s more`]);
  }
  if (million) {
    const lines = formatCell(million.lines);
    rows.push([`${lines} lines, time`, `${million.seconds} s`]);
    rows.push([`${lines} lines, peak memory`, `${million.peak_mb} MB`]);
    rows.push(["index against source text", `${million.index_to_source} ×`]);
  }
  if (rows.length) parts.push(markdownTable(["ingest", "figure"], rows));
  return parts.join("\n\n");
}

function querySection(result: QueryResult): string {
  return Object.entries(result).map(([name, one]) =>
    runsTable(`${name}: ${formatCell(one.files)} files, ${formatCell(one.chunks)} chunks`, one.runs)
  ).join("\n\n");
}

function embedSection(
  { alone, words_paths_names, hybrid, difference, costs }: EmbedResult,
): string {
  const rows: [string, Ndcg][] = [
    ...Object.entries(alone).map(([name, one]): [string, Ndcg] => [`vectors alone, ${name}`, one]),
    ["ranking without vectors", words_paths_names],
    ["ranking with vectors", hybrid],
  ];
  const categories = Object.keys(hybrid.by_category);
  const signed = (value: number) => `${value < 0 ? "−" : "+"}${thousandths(Math.abs(value))}`;
  return [
    markdownTable(
      ["NDCG@10, chunks", "all", ...categories],
      rows.map(([name, one]) => [
        name,
        thousandths(one.ndcg10_chunks),
        ...categories.map((category) => thousandths(one.by_category[category])),
      ]),
    ),
    markdownTable(
      ["what vectors add, mean over queries", "queries", "difference", "95 % interval"],
      Object.entries(difference).map(([name, one]) => [
        name.replaceAll("_", " "),
        one.queries,
        signed(one.mean_over_queries),
        one.interval_95.map(signed).join(" to "),
      ]),
    ),
    markdownTable(
      ["costs", "figure"],
      Object.entries(costs).map(([name, value]) => [name.replaceAll("_", " "), value]),
    ),
  ].join("\n\n");
}

function vectorsSection(result: VectorsResult): string {
  return Object.entries(result).map(([name, one]) =>
    Object.values(one).every((value) => typeof value === "object")
      ? runsTable(name, one as Runs)
      : markdownTable(
        [name, "figure"],
        Object.entries(one).map(([key, value]) => [key.replaceAll("_", " "), String(value)]),
      )
  ).join("\n\n");
}

function pageSection({ page, bytes }: PageResult): string {
  const times = Object.entries(page).map(([what, run]) => [
    what.replaceAll("_", " "),
    formatCell(run.p50_ms ?? 0),
    formatCell(run.p95_ms ?? 0),
  ]);
  const sizes = Object.entries(bytes).map(([what, size]) => [what, formatCell(size)]);
  return [
    markdownTable(["the page, from loopback", "p50 ms", "p95 ms"], times),
    markdownTable(["a first visit", "bytes"], sizes),
  ].join("\n\n");
}

function auditSection(result: AuditResult): string {
  return Object.entries(result).map(([name, one]) =>
    markdownTable(
      [name, "figure"],
      Object.entries(one).map(([key, value]) => [key.replaceAll("_", " "), value]),
    )
  ).join("\n\n");
}

/** A language with fewer tokens in the corpora than this says little, and is left to the result. */
const MIN_ESTIMATED = 100_000;

function tokensSection({ read, estimate }: TokensResult): string {
  const languages = Object.entries(estimate).filter(([, one]) => one.tokens! >= MIN_ESTIMATED);
  return [
    runsTable("relevant files within tokens read", read.share_of_relevant_files_within_tokens),
    markdownTable(
      [
        "estimated tokens",
        "files",
        "tokens",
        "estimate to exact",
        "5 % of files below",
        "95 % below",
        "worst file",
      ],
      languages.map(([name, one]) => [
        name,
        one.files,
        one.tokens,
        ...[one.estimate_to_exact, one.p5, one.p95, one.worst].map(thousandths),
      ]),
    ),
  ].join("\n\n");
}

function kernelSection({ durable_commits, costs, kills }: KernelResult): string {
  return [
    runsTable("durable commits of one object", durable_commits),
    runsTable("", costs),
    runsTable("kill -9 during commits of several processes", { batos: kills }),
  ].join("\n\n");
}

/** Of each corpus the figures alone; kinds of definitions are in the result. */
function graphSection(corpora: Runs): string {
  const flat = Object.entries(corpora).map(([name, one]) => [
    name,
    Object.fromEntries(Object.entries(one).filter(([, value]) => typeof value === "number")),
  ]);
  return runsTable("references", Object.fromEntries(flat));
}

type RefsResult = Readonly<Record<string, Runs[string] & { readonly kinds: Runs }>>;

/** Of each package the figures alone; of those that no rule was made after, by kind of definition as well. */
function refsSection(packages: RefsResult): string {
  const flat = Object.entries(packages).map(([name, { kinds: _, ...figures }]) => [name, figures]);
  return [
    runsTable("references in Python", Object.fromEntries(flat)),
    ...packages.unseen ? [runsTable("unseen, by kind", packages.unseen.kinds)] : [],
  ].join("\n\n");
}

function runsTable(title: string, runs: Runs): string {
  const columns = [...new Set(Object.values(runs).flatMap((row) => Object.keys(row)))];
  return markdownTable(
    [
      title,
      ...columns.map((column) =>
        /^\d+$/.test(column) ? formatCell(Number(column)) : column.replaceAll("_", " ")
      ),
    ],
    Object.entries(runs).map(([name, row]) => [name, ...columns.map((column) => row[column])]),
  );
}

function thousandths(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(3);
}
