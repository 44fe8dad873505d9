/**
 * Training: word vectors such that a question lies near what answers it.
 *
 * Owns the objective and the steps. Symmetric InfoNCE (van den Oord et al. 2018; Radford et al. 2021) over batches in which every
 * other document is a wrong answer; the vector of a text is the normalised sum over its different words of √count · row; Adam
 * (Kingma and Ba 2015) on the rows that a batch touches; temperature learnt. One pass over the pairs. What must hold: the result
 * depends on data and options alone: single precision in a fixed order, no library function whose last digit differs between machines.
 */
import { Kernels } from "./kernels.ts";
import { Random } from "./random.ts";
import type { TrainingData } from "./vocabulary.ts";

/** What may be chosen. */
export interface TrainOptions {
  readonly seed: number;
  readonly dimensions: number;
  /** Pairs a batch. */
  readonly batch: number;
  /** Share of the batches whose pairs are of one or two packages: wrong answers that are hard to tell from right ones. */
  readonly related: number;
  /** Length of a step. */
  readonly step: number;
  readonly epochs: number;
  /** Share of the packages that are kept to measure on. */
  readonly heldOut: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainProgress) => void;
}

export interface TrainProgress {
  readonly batch: number;
  readonly batches: number;
  /** Mean loss since the last report, in nats. */
  readonly loss: number;
  readonly temperature: number;
}

export const TRAIN_DEFAULTS = {
  seed: 1,
  dimensions: 256,
  batch: 512,
  related: 0.3,
  step: 0.1,
  epochs: 1,
  heldOut: 0.04,
} as const satisfies TrainOptions;

/** What training ends with. */
export interface Trained {
  /** One row a word. */
  readonly values: Float32Array;
  /** Pairs trained on, and kept to measure on. */
  readonly pairs: number;
  readonly heldOutPairs: number;
  /** Mean reciprocal rank of the right document among 512 of packages never trained on. */
  readonly heldOutRank: number;
  readonly loss: number;
  readonly temperature: number;
}

const ADAM_MEAN = 0.9;
const ADAM_VARIANCE = 0.99;
const ADAM_FLOOR = 1e-8;
/** Share of the steps over which the step length rises. */
const WARM_UP = 0.05;
const FIRST_TEMPERATURE = 0.05;
/** A row begins as noise of this size times the idf of its word: rare words weigh more from the start. */
const FIRST_SIZE = 0.2;
/** Batches between two reports. */
const REPORT = 50;

/** Trains on all pairs. */
export async function train(data: TrainingData, options: TrainOptions): Promise<Trained> {
  const trainer = new Trainer(data, options);
  const { onProgress, signal, epochs } = options;
  const plans: Uint32Array[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) plans.push(...trainer.plan(epoch));
  let loss = 0;
  let last = 0;
  for (let at = 0; at < plans.length; at++) {
    loss += trainer.step(plans[at]!, at / plans.length);
    if ((at + 1) % REPORT === 0 || at + 1 === plans.length) {
      last = loss / ((at % REPORT) + 1);
      loss = 0;
      onProgress?.({
        batch: at + 1,
        batches: plans.length,
        loss: last,
        temperature: trainer.temperature,
      });
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
    }
  }
  return {
    values: trainer.values(),
    pairs: trainer.trained.length,
    heldOutPairs: trainer.heldOut.length,
    heldOutRank: trainer.heldOutRank(),
    loss: last,
    temperature: trainer.temperature,
  };
}

class Trainer {
  readonly trained: Uint32Array;
  readonly heldOut: Uint32Array;
  #data: TrainingData;
  #options: TrainOptions;
  #kernels: Kernels;
  #random: Random;
  /** Logarithm of 1 / temperature would do as well; its reciprocal is what is multiplied with. */
  #sharpness = 1 / FIRST_TEMPERATURE;
  #sharpnessMean = 0;
  #sharpnessVariance = 0;
  #steps = 0;
  /** Step at which a row was last touched, for the bias correction of lazily updated rows. */
  #touches: Int32Array;
  #touched: Int32Array;
  #mark: Int32Array;

  constructor(data: TrainingData, options: TrainOptions) {
    this.#data = data;
    this.#options = options;
    this.#random = new Random(options.seed);
    const { words, documents, packages } = data;
    this.#kernels = new Kernels(words.length, options.dimensions, options.batch);
    this.#touches = new Int32Array(words.length);
    this.#touched = new Int32Array(words.length);
    this.#mark = new Int32Array(words.length).fill(-1);
    const pairs = packages.length;
    const rows = this.#kernels.rows;
    for (let word = 0; word < words.length; word++) {
      const idf = naturalLogarithm((pairs + 1) / (documents[word]! + 1));
      for (let at = 0; at < options.dimensions; at++) {
        rows[word * options.dimensions + at] = this.#random.normal() * idf * FIRST_SIZE;
      }
    }
    const isHeldOut = this.#chooseHeldOut();
    const all = Uint32Array.from(packages.keys());
    this.trained = all.filter((pair) => !isHeldOut[packages[pair]!]);
    this.heldOut = all.filter((pair) => isHeldOut[packages[pair]!]);
  }

  get temperature(): number {
    return 1 / this.#sharpness;
  }

  values(): Float32Array {
    return this.#kernels.rows.slice();
  }

  #chooseHeldOut(): Uint8Array {
    const numbers = [...new Set(this.#data.packages)];
    this.#random.shuffle(numbers);
    const kept = Math.floor(numbers.length * this.#options.heldOut);
    const isHeldOut = new Uint8Array(1 << 16);
    for (const number of numbers.slice(0, kept)) isHeldOut[number] = 1;
    return isHeldOut;
  }

  /** The batches of one pass: some of related pairs, the rest of any. */
  plan(epoch: number): Uint32Array[] {
    const { batch, related, seed } = this.#options;
    const random = new Random(`${seed} pass ${epoch}`);
    const half = batch >> 1;
    const byPackage = new Map<number, number[]>();
    for (const pair of this.trained) {
      const number = this.#data.packages[pair]!;
      let list = byPackage.get(number);
      if (!list) byPackage.set(number, list = []);
      list.push(pair);
    }
    const halves: number[][] = [];
    const rest: number[] = [];
    for (const list of byPackage.values()) {
      random.shuffle(list);
      const taken = Math.floor(list.length * related / half) * half;
      for (let at = 0; at < taken; at += half) halves.push(list.slice(at, at + half));
      for (let at = taken; at < list.length; at++) rest.push(list[at]!);
    }
    random.shuffle(halves);
    random.shuffle(rest);
    const batches: Uint32Array[] = [];
    for (let at = 0; at + 1 < halves.length; at += 2) {
      batches.push(Uint32Array.from([...halves[at]!, ...halves[at + 1]!]));
    }
    for (let at = 0; at + batch <= rest.length; at += batch) {
      batches.push(Uint32Array.from(rest.slice(at, at + batch)));
    }
    random.shuffle(batches);
    return batches;
  }

  /** One batch: its loss, after the rows were moved. */
  step(pairs: Uint32Array, progress: number): number {
    const { batch, step } = this.#options;
    const kernels = this.#kernels;
    for (let at = 0; at < batch; at++) {
      this.#embed(2 * pairs[at]!, kernels.queries, at, kernels.queryLengths);
      this.#embed(2 * pairs[at]! + 1, kernels.documents, at, kernels.documentLengths);
    }
    const loss = this.#gradients();
    // Back through the normalisation: only what is at right angles to a vector turns it.
    kernels.throughNormalisation(kernels.queries, kernels.queryGradients, kernels.queryLengths);
    kernels.throughNormalisation(
      kernels.documents,
      kernels.documentGradients,
      kernels.documentLengths,
    );
    let touched = 0;
    this.#steps++;
    for (let at = 0; at < batch; at++) {
      touched = this.#scatter(2 * pairs[at]!, kernels.queryGradients, at, touched);
      touched = this.#scatter(2 * pairs[at]! + 1, kernels.documentGradients, at, touched);
    }
    const rate = step *
      (progress < WARM_UP ? progress / WARM_UP : (1 - progress) / (1 - WARM_UP));
    for (let at = 0; at < touched; at++) {
      const word = this.#touched[at]!;
      const times = ++this.#touches[word]!;
      kernels.adam(
        word,
        at,
        rate / (1 - power(ADAM_MEAN, times)),
        1 / (1 - power(ADAM_VARIANCE, times)),
        ADAM_MEAN,
        ADAM_VARIANCE,
        ADAM_FLOOR,
      );
    }
    kernels.clearGradients(touched);
    return loss;
  }

  /** Loss and gradients of a batch, with respect to its unit vectors and the temperature. */
  #gradients(): number {
    const { batch, step } = this.#options;
    const kernels = this.#kernels;
    kernels.similarities();
    const { scores } = kernels;
    const sharpness = this.#sharpness;
    const rowSums = new Float64Array(batch);
    const columnSums = new Float64Array(batch);
    let right = 0;
    for (let row = 0, at = 0; row < batch; row++) {
      let sum = 0;
      right += scores[row * batch + row]!;
      for (let column = 0; column < batch; column++, at++) {
        const value = exponential(sharpness * (scores[at]! - 1));
        kernels.exponentials[at] = value;
        sum += value;
        columnSums[column]! += value;
      }
      rowSums[row] = sum;
    }
    let loss = 0;
    for (let row = 0; row < batch; row++) {
      loss += naturalLogarithm(rowSums[row]!) + naturalLogarithm(columnSums[row]!);
      rowSums[row] = 1 / rowSums[row]!;
      columnSums[row] = 1 / columnSums[row]!;
    }
    loss = loss / (2 * batch) + sharpness - sharpness * right / batch;
    let sharpnessGradient = -right / batch;
    const share = sharpness / batch;
    for (let row = 0, at = 0; row < batch; row++) {
      for (let column = 0; column < batch; column++, at++) {
        const weight = 0.5 * kernels.exponentials[at]! * (rowSums[row]! + columnSums[column]!);
        sharpnessGradient += weight * scores[at]! / batch;
        kernels.exponentials[at] = share * (row === column ? weight - 1 : weight);
      }
    }
    kernels.backThroughSimilarities();
    // Adam for the temperature, in steps relative to its size.
    this.#sharpnessMean = ADAM_MEAN * this.#sharpnessMean + (1 - ADAM_MEAN) * sharpnessGradient;
    this.#sharpnessVariance = ADAM_VARIANCE * this.#sharpnessVariance +
      (1 - ADAM_VARIANCE) * sharpnessGradient * sharpnessGradient;
    this.#sharpness *= 1 -
      step * this.#sharpnessMean / (Math.sqrt(this.#sharpnessVariance) + ADAM_FLOOR);
    return loss;
  }

  #embed(text: number, into: Float32Array, at: number, lengths: Float32Array): void {
    const kernels = this.#kernels;
    const { ids, counts, ends } = this.#data;
    const start = text === 0 ? 0 : ends[text - 1]!;
    kernels.begin(into, at);
    for (let entry = start; entry < ends[text]!; entry++) {
      kernels.addRow(ids[entry]!, ROOTS[counts[entry]!]!);
    }
    lengths[at] = kernels.normalise();
  }

  #scatter(text: number, gradients: Float32Array, at: number, touched: number): number {
    const { ids, counts, ends } = this.#data;
    const kernels = this.#kernels;
    const start = text === 0 ? 0 : ends[text - 1]!;
    for (let entry = start; entry < ends[text]!; entry++) {
      const id = ids[entry]!;
      let slot = this.#mark[id]!;
      if (slot >= touched || this.#touched[slot] !== id) {
        slot = touched++;
        this.#touched[slot] = id;
        this.#mark[id] = slot;
      }
      kernels.addGradient(slot, gradients, at, ROOTS[counts[entry]!]!);
    }
    return touched;
  }

  /** Mean reciprocal rank of the right document over held-out batches. */
  heldOutRank(): number {
    const { batch, seed } = this.#options;
    const kernels = this.#kernels;
    const pairs = this.heldOut.slice();
    new Random(`${seed} held out`).shuffle(pairs);
    let sum = 0;
    let count = 0;
    for (let from = 0; from + batch <= Math.min(pairs.length, batch * 40); from += batch) {
      for (let at = 0; at < batch; at++) {
        this.#embed(2 * pairs[from + at]!, kernels.queries, at, kernels.queryLengths);
        this.#embed(2 * pairs[from + at]! + 1, kernels.documents, at, kernels.documentLengths);
      }
      kernels.similarities();
      for (let row = 0; row < batch; row++) {
        const right = kernels.scores[row * batch + row]!;
        let rank = 1;
        for (let column = 0; column < batch; column++) {
          const score = kernels.scores[row * batch + column]!;
          // Of those that are alike, half come first.
          if (column !== row) rank += score > right ? 1 : score === right ? 0.5 : 0;
        }
        sum += 1 / rank;
        count++;
      }
    }
    return count === 0 ? 0 : sum / count;
  }
}

/** Square roots are exact on every machine. */
const ROOTS = Float32Array.from({ length: 256 }, (_, count) => Math.sqrt(count));

const LN2 = 0.6931471805599453;

/** e to the power of x by range reduction and a polynomial: the same bits on every machine. Error below 1e-9. */
function exponential(x: number): number {
  if (x < -700) return 0;
  const whole = Math.round(x / LN2);
  const rest = x - whole * LN2;
  let sum = 1;
  // Taylor with |rest| ≤ 0.35: ten terms.
  for (let term = 10; term > 0; term--) sum = 1 + sum * rest / term;
  return sum * powerOfTwo(whole);
}

function powerOfTwo(exponent: number): number {
  return POWERS[exponent + 1024]!;
}

const POWERS = (() => {
  const powers = new Float64Array(2048);
  powers[1024] = 1;
  for (let at = 1025; at < 2047; at++) powers[at] = powers[at - 1]! * 2;
  for (let at = 1023; at >= 0; at--) powers[at] = powers[at + 1]! / 2;
  return powers;
})();

/** Natural logarithm of a positive number by range reduction and the series of atanh: the same bits on every machine. */
function naturalLogarithm(x: number): number {
  let halvings = 0;
  let value = x;
  while (value > 1.5) {
    value /= 2;
    halvings++;
  }
  while (value < 0.75) {
    value *= 2;
    halvings--;
  }
  // atanh series: with value between 0.75 and 1.5 the argument is at most 0.2.
  const argument = (value - 1) / (value + 1);
  const square = argument * argument;
  let sum = 0;
  for (let term = 21; term > 0; term -= 2) sum = sum * square + 1 / term;
  return 2 * argument * sum + halvings * LN2;
}

/** Small whole powers by multiplication. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let factor = base, left = exponent; left > 0; left >>= 1) {
    if (left & 1) result *= factor;
    factor *= factor;
  }
  return result;
}
