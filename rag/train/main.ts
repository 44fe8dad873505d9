/**
 * `deno task train-embedder`: from the pinned list of packages to the table that ships, and its model card.
 *
 * Owns the command line and the card. What must hold: the same list, seed and options give the same file, byte for byte; the table is
 * written whole or not at all.
 */
import { parseArgs } from "node:util";
import process from "node:process";
import { quantiseTable } from "../embed/static_table.ts";
import { readTable } from "../embed/static_table.ts";
import { MOST_PAIRS, type PackageBags } from "./bags.ts";
import { extract } from "./extract.ts";
import { train, TRAIN_DEFAULTS, type Trained } from "./optimise.ts";
import { fetchPackages, readPackages, type TrainingPackage } from "./packages.ts";
import { PAIR_KINDS } from "./pairs.ts";
import { trainingData, vocabularyOf } from "./vocabulary.ts";

/** Words and pieces: with 256 bytes a row and its scale the table stays below eight megabytes. */
const WORDS = 29_000;
const FOLDER = new URL("../embed/static/", import.meta.url);

const HELP = `Usage: deno task train-embedder [flags]

Trains the table of the static embedder from the packages in rag/train/packages.json: fetches them (some
500 MB, kept in the user's cache folder), takes pairs of words and code from them, trains, and writes
rag/embed/static/table.bin and its model card. Takes a few minutes and some gigabytes of memory.

  --seed N        another choice of chance (default ${TRAIN_DEFAULTS.seed})
  --words N       size of the vocabulary (default ${WORDS})
  --dimensions N  length of the vectors, a multiple of 32 (default ${TRAIN_DEFAULTS.dimensions})
  --packages N    only the first N packages of a shuffled list, for a quick look
  --threads N     threads that read packages (default: the cores there are)
  --mirror URL    Debian mirror to fetch from (default: the one that apt is configured for)
  --out FOLDER    where to write (default rag/embed/static)
  --help

Example: deno task train-embedder --packages 20 --out /tmp/table
`;

const { values: flags } = parseArgs({
  options: {
    seed: { type: "string" },
    words: { type: "string" },
    dimensions: { type: "string" },
    packages: { type: "string" },
    threads: { type: "string" },
    mirror: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) {
  console.log(HELP.trimEnd());
} else {
  const controller = new AbortController();
  Deno.addSignalListener("SIGINT", () => controller.abort());
  try {
    await main(controller.signal);
  } catch (error) {
    console.error(`train-embedder: ${error instanceof Error ? error.message : error}`);
    process.exitCode = controller.signal.aborted ? 130 : 2;
  }
  // Threads that are still reading would keep the process.
  Deno.exit(Number(process.exitCode ?? 0));
}

async function main(signal: AbortSignal): Promise<void> {
  const seed = wholeNumber("seed", TRAIN_DEFAULTS.seed);
  const size = wholeNumber("words", WORDS);
  const dimensions = wholeNumber("dimensions", TRAIN_DEFAULTS.dimensions);
  const threads = wholeNumber("threads", navigator.hardwareConcurrency);
  const packages = some(readPackages(), wholeNumber("packages", Infinity));
  const began = performance.now();
  const archives = await fetchPackages(packages, undefined, {
    mirror: flags.mirror,
    signal,
    onProgress: (done, all, { name }) => show(`fetching ${done}/${all} ${name}`),
  });
  const fetched = performance.now();
  const bags = await extract(packages, archives, {
    seed,
    threads,
    signal,
    onProgress: (done, all, { name }) => show(`reading ${done}/${all} ${name}`),
  });
  show("choosing words");
  const words = vocabularyOf(bags, size);
  const data = trainingData(bags, words);
  const trained = await train(data, {
    ...TRAIN_DEFAULTS,
    seed,
    dimensions,
    signal,
    onProgress: ({ batch, batches, loss, temperature }) =>
      show(
        `training ${batch}/${batches}, loss ${loss.toFixed(3)}, temperature ${
          temperature.toFixed(4)
        }`,
      ),
  });
  const table = quantiseTable(words, trained.values, dimensions);
  const seconds = Math.round((performance.now() - fetched) / 1000);
  const folder = flags.out === undefined ? FOLDER : new URL(`file://${await absolute(flags.out)}/`);
  Deno.mkdirSync(folder, { recursive: true });
  const temporary = new URL(`table.bin.${Deno.pid}`, folder);
  Deno.writeFileSync(temporary, table);
  Deno.renameSync(temporary, new URL("table.bin", folder));
  Deno.writeTextFileSync(
    new URL("README.md", folder),
    card({
      packages,
      bags,
      trained,
      table,
      seed,
      words: words.length,
      dimensions,
      pairs: data.kinds,
    }),
  );
  const { revision } = readTable(table, "table.bin");
  console.log(
    `\r\x1b[Krevision ${revision}, ${table.length} bytes, ${seconds} s after fetching (${
      Math.round((fetched - began) / 1000)
    } s), held-out rank ${trained.heldOutRank.toFixed(4)}`,
  );
}

/** A line that is rewritten on a terminal. */
function show(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

function wholeNumber(
  name: "seed" | "words" | "dimensions" | "packages" | "threads",
  other: number,
) {
  const given = flags[name];
  if (given === undefined) return other;
  if (!/^\d{1,9}$/.test(given) || Number(given) === 0) {
    throw new Error(`--${name} "${given}": expected a whole number above 0`);
  }
  return Number(given);
}

/** The first of a list in an order that has nothing to do with names. */
function some(packages: readonly TrainingPackage[], count: number): readonly TrainingPackage[] {
  if (count >= packages.length) return packages;
  return [...packages].sort((a, b) => a.hash < b.hash ? -1 : 1).slice(0, count);
}

async function absolute(path: string): Promise<string> {
  Deno.mkdirSync(path, { recursive: true });
  return await Deno.realPath(path);
}

interface CardFacts {
  readonly packages: readonly TrainingPackage[];
  readonly bags: readonly PackageBags[];
  readonly trained: Trained;
  readonly table: Uint8Array;
  readonly seed: number;
  readonly words: number;
  readonly dimensions: number;
  readonly pairs: Uint8Array;
}

/** The model card: what the table was made from, how, and what it is good for. */
function card(facts: CardFacts): string {
  const { packages, bags, trained, table, seed, words, dimensions, pairs } = facts;
  const { revision } = readTable(table, "table.bin");
  const sources = Object.entries(Object.groupBy(packages, ({ source }) => source))
    .map(([source, list]) => `${list!.length} from ${source === "npm" ? "npm" : "Debian"}`)
    .join(", ");
  const licences = new Map<string, number>();
  for (const { licence } of packages) {
    for (const each of new Set(licence.replace(/[()]/g, "").split(/ (?:AND|OR) /))) {
      licences.set(each, (licences.get(each) ?? 0) + 1);
    }
  }
  const named = [...licences].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .map(([licence, count]) => `${licence} (${count})`).join(", ");
  const characters = bags.reduce((sum, bag) => sum + bag.characters, 0);
  const kinds = PAIR_KINDS.map((kind, number) =>
    `| ${kind} | ${pairs.reduce((sum, each) => sum + (each === number ? 1 : 0), 0)} |`
  ).join("\n");
  return `# Model card: the static embedder

Written by \`deno task train-embedder\`; do not edit by hand.

- **What**: ${
    words.toLocaleString("en")
  } vectors of ${dimensions} int8 values with a scale each, one a word or piece of a word.
  The vector of a text is the normalised sum over its different words of √count · row.
- **File**: \`table.bin\`, ${
    table.length.toLocaleString("en")
  } bytes, revision \`${revision}\` (the first 16 digits of
  the SHA-256 of words, scales and rows). The same list, seed and options give the same file.
- **For**: finding code by what it does, beside a ranking that knows words, paths and names. English, and the words of code.

## Data

${packages.length} packages (${sources}), ${
    (characters / 1e6).toFixed(0)
  } million characters of source, pinned by version and hash with their licences in
\`rag/train/packages.json\`. Licences, by packages they apply to: ${named}. No package is one
of the repositories that retrieval is measured on, a fork or a bundle of one; files that share more than a quarter of their
long lines with one are left out. Only word vectors are kept: no text of a package is in the table.

Pairs of a question and the code it is about, at most ${MOST_PAIRS.toLocaleString("en")} a package:

| kind | pairs |
| --- | --- |
${kinds}

\`doc\`: doc comment and its code without it. \`name\`: words of a name and the body without it. \`comment\`: a comment and the lines
around it. \`path\`: words of a path and a chunk of the file. \`identifier\`: a name and a window that defines it. \`test\`: title
and body. \`module\`: opening comment and a chunk. \`heading\`: a heading or paragraph and its section.

## Training

Symmetric InfoNCE, batches of ${TRAIN_DEFAULTS.batch}, ${
    TRAIN_DEFAULTS.related * 100
  } % of them from one or two packages; Adam on the rows that a batch
touches, step ${TRAIN_DEFAULTS.step}, warm-up, linear decay, ${TRAIN_DEFAULTS.epochs} pass(es); learnt temperature (${
    trained.temperature.toFixed(4)
  } in the end); seed ${seed}.
Trained on ${trained.pairs.toLocaleString("en")} pairs; on ${
    trained.heldOutPairs.toLocaleString("en")
  } pairs of packages that were kept out the right document of 512 has
a mean reciprocal rank of ${trained.heldOutRank.toFixed(4)}.

## Figures and limits

\`deno task bench embed\` measures it; what was measured last is in \`bench/results/embed.json\` and in the README. Limits: a word
has one vector whatever stands around it, and order does not count; words that fewer than three packages use are cut into pieces;
languages other than English, and code that none of the packages resembles, are covered by chance only.
`;
}
