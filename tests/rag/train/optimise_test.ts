/** Training on a task that can be learnt: questions and documents of packages that speak of the same things in other words. */
import assert from "node:assert/strict";
import {
  train,
  TRAIN_DEFAULTS,
  type TrainOptions,
  type TrainProgress,
} from "../../../rag/train/optimise.ts";
import { Random } from "../../../rag/train/random.ts";
import type { TrainingData } from "../../../rag/train/vocabulary.ts";

const SUBJECTS = 48;
const PACKAGES = 20;
const PAIRS = 64;
/** What a batch of this size finds by chance: the mean of 1/rank over all ranks. */
const BATCH = 32;
const CHANCE = Array.from({ length: BATCH }, (_, at) => 1 / (at + 1))
  .reduce((sum, one) => sum + one, 0) / BATCH;

/**
 * A pair is of one subject, or of two. Questions have one word for each, documents another, so that nothing but training connects them;
 * both have some words that say nothing.
 */
function learnable(): TrainingData {
  const random = new Random("learnable");
  const words = Array.from({ length: 2 * SUBJECTS + 8 }, (_, at) => `w${at}`);
  const documents = new Uint32Array(words.length);
  const ids: number[] = [];
  const counts: number[] = [];
  const ends: number[] = [];
  const packages: number[] = [];
  for (let number = 0; number < PACKAGES; number++) {
    for (let pair = 0; pair < PAIRS; pair++) {
      const subjects = [...new Set([random.below(SUBJECTS), random.below(SUBJECTS)])];
      for (const side of [0, 1]) {
        const text = [
          ...subjects.map((subject) => 2 * subject + side),
          2 * SUBJECTS + random.below(8),
        ];
        for (const id of text) {
          ids.push(id);
          counts.push(1 + random.below(3));
          if (side === 1) documents[id]!++;
        }
        ends.push(ids.length);
      }
      packages.push(number);
    }
  }
  return {
    words,
    documents,
    ids: Uint16Array.from(ids),
    counts: Uint8Array.from(counts),
    ends: Uint32Array.from(ends),
    kinds: new Uint8Array(packages.length),
    packages: Uint16Array.from(packages),
  };
}

const DATA = learnable();
const OPTIONS: TrainOptions = {
  ...TRAIN_DEFAULTS,
  dimensions: 32,
  batch: BATCH,
  step: 0.02,
  epochs: 6,
  heldOut: 0.2,
};

Deno.test("training lowers the loss, and finds what belongs together where it never looked", async () => {
  const reports: TrainProgress[] = [];
  const untrained = await train(DATA, { ...OPTIONS, step: 0, epochs: 1 });
  const trained = await train(DATA, { ...OPTIONS, onProgress: (one) => reports.push(one) });
  assert.deepEqual([trained.pairs, trained.heldOutPairs], [
    PACKAGES * PAIRS * 0.8,
    PACKAGES * PAIRS * 0.2,
  ]);
  assert.ok(reports.length >= 3, `${reports.length} reports`);
  assert.equal(reports.at(-1)!.batch, reports.at(-1)!.batches);
  assert.equal(reports.at(-1)!.loss, trained.loss);
  assert.ok(trained.loss < untrained.loss / 2, `${trained.loss} after ${untrained.loss}`);
  assert.ok(trained.loss < reports[0]!.loss, `${trained.loss} after ${reports[0]!.loss}`);
  // Without training a rank is one of chance.
  assert.ok(untrained.heldOutRank < 2 * CHANCE, `${untrained.heldOutRank}, chance is ${CHANCE}`);
  assert.ok(trained.heldOutRank > 0.6, `${trained.heldOutRank}, chance is ${CHANCE}`);
  assert.equal(trained.values.length, DATA.words.length * OPTIONS.dimensions);
  assert.ok(trained.values.every(Number.isFinite));
  assert.ok(trained.temperature > 0 && trained.temperature < 1, `${trained.temperature}`);
});

Deno.test("the words of one subject come to lie near each other", async () => {
  const { values } = await train(DATA, OPTIONS);
  const row = (word: number) =>
    values.subarray(word * OPTIONS.dimensions, (word + 1) * OPTIONS.dimensions);
  const cosine = (one: Float32Array, other: Float32Array) =>
    one.reduce((sum, value, at) => sum + value * other[at]!, 0) /
    Math.hypot(...one) / Math.hypot(...other);
  let nearest = 0;
  for (let subject = 0; subject < SUBJECTS; subject++) {
    const scores = Array.from(
      { length: SUBJECTS },
      (_, other) => cosine(row(2 * subject), row(2 * other + 1)),
    );
    if (scores.indexOf(Math.max(...scores)) === subject) nearest++;
  }
  assert.ok(nearest > SUBJECTS * 0.9, `${nearest} of ${SUBJECTS}`);
});

Deno.test("the same seed gives the same bits, another seed others", async () => {
  const short = { ...OPTIONS, epochs: 1 };
  const [one, same, other] = [
    await train(DATA, short),
    await train(DATA, { ...short, onProgress: () => {} }),
    await train(DATA, { ...short, seed: 2 }),
  ];
  assert.deepEqual(same, one);
  assert.notDeepEqual(other.values, one.values);
  assert.notEqual(other.loss, one.loss);
});

Deno.test("a word that no text trained on has keeps its first vector", async () => {
  const words = [...DATA.words, "unseen"];
  const documents = Uint32Array.from([...DATA.documents, 0]);
  const data = { ...DATA, words, documents };
  const last = ({ values }: { values: Float32Array }) => values.slice(-OPTIONS.dimensions);
  const before = last(await train(data, { ...OPTIONS, step: 0, epochs: 1 }));
  const after = last(await train(data, { ...OPTIONS, epochs: 1 }));
  assert.deepEqual(after, before);
  assert.ok(after.some((value) => value !== 0));
});

Deno.test("texts of nothing do no harm", async () => {
  // The first pair is empty, the second has a question alone.
  const ends = DATA.ends.map((end, at) => at < 2 ? 0 : at === 3 ? DATA.ends[2]! : end);
  const { values, loss, pairs } = await train({ ...DATA, ends }, {
    ...OPTIONS,
    epochs: 1,
    heldOut: 0,
  });
  assert.equal(pairs, PACKAGES * PAIRS);
  assert.ok(values.every(Number.isFinite));
  assert.ok(Number.isFinite(loss) && loss > 0);
});

Deno.test("fewer pairs than a batch leave the first vectors as they are", async () => {
  const few = { ...OPTIONS, batch: 2048, epochs: 1 };
  const trained = await train(DATA, few);
  const { values } = await train(DATA, { ...OPTIONS, step: 0, epochs: 1 });
  assert.deepEqual(trained.values, values);
  assert.deepEqual([trained.loss, trained.heldOutRank], [0, 0]);
});

Deno.test("training ends when aborted", async () => {
  const control = new AbortController();
  const reports: TrainProgress[] = [];
  const onProgress = (one: TrainProgress) => {
    reports.push(one);
    control.abort();
  };
  await assert.rejects(train(DATA, { ...OPTIONS, signal: control.signal, onProgress }), {
    name: "AbortError",
  });
  assert.equal(reports.length, 1);
});
