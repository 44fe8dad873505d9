/**
 * `bench models`: what the loop costs beside the model it asks, how long the event loop waits meanwhile, and whether runs of models that
 * write nonsense end as they should.
 *
 * The models are of random weights, made here: what they write means nothing, what it costs does. What must hold: the raw driver is
 * asked for the same prompts, with the same seeds, in the same order, by a model of its own, and writes the same text, or the figure is
 * none.
 */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { answerQuestion } from "../agent/mod.ts";
import type { Generation, LanguageModel } from "../agent/models/language_model.ts";
import { openLlamaModel } from "../agent/models/llama.ts";
import { SHOP, withRepository } from "../tests/support/repository.ts";
import { tinyModel, type TinyModelOptions } from "../tests/support/tiny_gguf.ts";
import { median, quantile } from "./process.ts";

/** What the overhead is measured with: 21 million weights, so that computing takes as long beside the rest as it does in earnest, or less. */
const SHAPE: TinyModelOptions = {
  width: 512,
  layers: 8,
  heads: 8,
  vocabulary: 4096,
  context: 8192,
};
/** What many runs are made with: as small as one can be. */
const SMALLEST: TinyModelOptions = { width: 16, layers: 1, heads: 2, context: 16_384 };
/** A vocabulary as large as those of present models: reading it is what loading does on the main path. */
const LARGE_VOCABULARY: TinyModelOptions = {
  width: 64,
  layers: 4,
  vocabulary: 150_000,
  context: 8192,
};
const QUESTIONS = [
  "how is a discount applied?",
  "where is Order defined?",
  "who calls applyDiscount?",
  "why is there a limit of 90 percent?",
  "list the functions",
];
const RUNS = 500;
const ROUNDS = 3;

/** Options of `benchModels`. */
export interface ModelsOptions {
  readonly parts?: readonly string[] | undefined;
  /** Rounds of the overhead. */
  readonly rounds?: number | undefined;
  readonly runs?: number;
  readonly shape?: TinyModelOptions;
  readonly log: (text: string) => void;
}

/** Runs the parts; see the module text. */
export async function benchModels(options: ModelsOptions): Promise<object> {
  const { parts, log } = options;
  const folder = Deno.makeTempDirSync({ prefix: "batos-bench-models-" });
  const wants = (part: string) => !parts?.length || parts.includes(part);
  try {
    return {
      ...(wants("overhead") && { overhead: await overhead(folder, options) }),
      ...(wants("delay") && { delay: await delay(folder, log) }),
      ...(wants("runs") && { runs: await randomRuns(folder, options.runs ?? RUNS, log) }),
    };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function write(folder: string, name: string, options: TinyModelOptions): string {
  const path = join(folder, `${name}.gguf`);
  Deno.writeFileSync(path, tinyModel(options));
  return path;
}

const open = (path: string) => openLlamaModel(path, { gpu: false });

/**
 * The time of a whole run against that of its calls alone. Each call is made twice, by the loop and without it, one right after the
 * other and in turns first, each by a model of its own: a machine that is busy now and idle then is so for both.
 */
async function overhead(folder: string, { rounds = ROUNDS, shape = SHAPE, log }: ModelsOptions) {
  const path = write(folder, "overhead", shape);
  const measured: { loop: number; calls: number; raw: number; tokens: number }[] = [];
  await withRepository(SHOP, async (memory, root) => {
    for (let round = 0; round < rounds; round++) {
      log(`overhead: round ${round + 1} of ${rounds}`);
      await using model = await open(path);
      await using bare = await open(path);
      let tokens = 0;
      let calls = 0;
      let raw = 0;
      let count = 0;
      const timed = async (work: () => Promise<Generation>, add: (ms: number) => void) => {
        const begin = performance.now();
        const result = await work();
        add(performance.now() - begin);
        return result;
      };
      const paired: LanguageModel = {
        name: model.name,
        contextTokens: model.contextTokens,
        counting: model.counting,
        count: (text) => model.count(text),
        countPrompt: (messages) => model.countPrompt(messages),
        [Symbol.asyncDispose]: () => Promise.resolve(),
        async generate(request) {
          const { signal: _signal, onText: _onText, ...rest } = request;
          const asLoop = () => timed(() => model.generate(request), (ms) => calls += ms);
          const asRaw = () => timed(() => bare.generate(rest), (ms) => raw += ms);
          const rawFirst = count++ % 2 === 1;
          const first = rawFirst ? await asRaw() : undefined;
          const result = await asLoop();
          const other = first ?? await asRaw();
          assert.equal(other.text, result.text, "the raw driver wrote other text");
          tokens += result.tokensIn - result.tokensReused + result.tokensOut;
          return result;
        },
      };
      const begin = performance.now();
      await answerQuestion(QUESTIONS[round % QUESTIONS.length]!, memory, {
        root,
        model: paired,
        driving: { temperature: 1, seed: round + 1 },
        budget: { steps: 3, tokens: 2000, answerTokens: 200, ms: 600_000 },
        // Somebody reads along, as at every door.
        onText: () => {},
      });
      measured.push({ loop: performance.now() - begin - raw, calls, raw, tokens });
    }
  });
  return {
    weights: "random",
    rounds,
    tokens: median(measured.map((each) => each.tokens)),
    loop_ms: Math.round(median(measured.map((each) => each.loop))),
    raw_ms: Math.round(median(measured.map((each) => each.raw))),
    overhead: round(median(measured.map(({ loop, raw }) => loop / raw - 1))),
    // Nothing but what the loop itself does between calls.
    outside_of_calls: round(median(measured.map(({ loop, calls }) => loop / calls - 1))),
  };
}

/** How late a timer of one millisecond comes while a model is opened, and while it writes. */
async function delay(folder: string, log: (text: string) => void) {
  const path = write(folder, "delay", LARGE_VOCABULARY);
  const loading = await lateness(() => open(path), log);
  const model = loading.value;
  try {
    const messages = [{
      role: "user" as const,
      content: "read the file and parse it; ".repeat(40),
    }];
    const writing = await lateness(
      () => model.generate({ messages, maxTokens: 60, temperature: 1, seed: 1 }),
      log,
    );
    return { loading: loading.figures, writing: writing.figures };
  } finally {
    await model[Symbol.asyncDispose]();
  }
}

async function lateness<T>(work: () => Promise<T>, log: (text: string) => void) {
  const late: number[] = [];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const begin = performance.now();
      await new Promise((done) => setTimeout(done, 1));
      late.push(performance.now() - begin - 1);
    }
  })();
  const value = await work();
  isOver = true;
  await watching;
  const figures = {
    samples: late.length,
    p50_ms: round(quantile(late, 0.5)),
    p99_ms: round(quantile(late, 0.99)),
    max_ms: round(quantile(late, 1)),
  };
  log(`delay: ${JSON.stringify(figures)}`);
  return { value, figures };
}

/** Runs of models that write nonsense: each must end with a text whose citations resolve, within its budgets. */
async function randomRuns(folder: string, runs: number, log: (text: string) => void) {
  const budget = { steps: 3, tokens: 1000, answerTokens: 400, ms: 120_000 };
  let ended = 0, answered = 0, limits = 0, replaced = 0, shown = 0, unresolved = 0, over = 0;
  await withRepository(SHOP, async (memory, root) => {
    await using model = await open(write(folder, "runs", SMALLEST));
    for (let run = 0; run < runs; run++) {
      const result = await answerQuestion(QUESTIONS[run % QUESTIONS.length]!, memory, {
        root,
        model,
        driving: { temperature: 1, seed: run + 1 },
        budget,
      });
      if (result.answer.trim() !== "") ended++;
      if (result.ended === undefined) answered++;
      else limits++;
      if (result.steps.some((step) => step.replaced !== undefined)) replaced++;
      const kept = result.citations.filter(({ status }) => status !== "removed");
      shown += kept.length;
      unresolved += kept.filter(({ status }) => status !== "verified").length;
      if (result.steps.length > budget.steps || model.count(result.answer) > budget.answerTokens) {
        over++;
      }
      if ((run + 1) % 50 === 0) log(`runs: ${run + 1} of ${runs}`);
    }
  });
  return {
    runs,
    ended_with_a_text: ended,
    of_the_model: answered,
    by_a_limit_that_is_named: limits,
    with_steps_by_rules: replaced,
    citations_shown: shown,
    citations_shown_that_do_not_resolve: unresolved,
    over_a_budget: over,
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
