/** The arithmetic of training beside plain loops over the same numbers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Kernels } from "../../../rag/train/kernels.ts";
import { Random } from "../../../rag/train/random.ts";

const WORDS = 5;

/** Sizes that the kernels take, and a seed for what they work on. */
const cases = fc.record({
  dimensions: fc.constantFrom(16, 32, 48, 64),
  batch: fc.constantFrom(16, 32, 48),
  seed: fc.integer(),
});

const RUNS = { numRuns: 12 };

function withKernels(
  work: (kernels: Kernels, sizes: { dimensions: number; batch: number }, random: Random) => void,
): void {
  fc.assert(
    fc.property(cases, ({ dimensions, batch, seed }) => {
      const random = new Random(seed);
      const kernels = new Kernels(WORDS, dimensions, batch);
      for (
        const matrix of [
          kernels.rows,
          kernels.queries,
          kernels.documents,
          kernels.queryGradients,
          kernels.documentGradients,
          kernels.exponentials,
        ]
      ) fill(matrix, random);
      work(kernels, { dimensions, batch }, random);
    }),
    RUNS,
  );
}

function fill(matrix: Float32Array, random: Random): void {
  for (let at = 0; at < matrix.length; at++) matrix[at] = random.normal();
}

/** The row of a matrix. */
function row(matrix: Float32Array, at: number, dimensions: number): Float32Array {
  return matrix.subarray(at * dimensions, (at + 1) * dimensions);
}

function dot(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < one.length; at++) sum += one[at]! * other[at]!;
  return sum;
}

function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, what = "value"): void {
  assert.equal(found.length, expected.length);
  for (let at = 0; at < found.length; at++) {
    // Single precision over a few dozen sums of numbers near 1.
    const tolerance = 1e-5 * (4 + Math.abs(expected[at]!));
    const isClose = Math.abs(found[at]! - expected[at]!) <= tolerance;
    assert.ok(isClose, `${what} ${at} is ${found[at]}, expected ${expected[at]}`);
  }
}

Deno.test("a text is the weighted sum of its rows at length 1, and nothing beside it changes", () => {
  withKernels((kernels, { dimensions, batch }, random) => {
    const at = random.below(batch);
    const before = kernels.queries.slice();
    const terms = Array.from(
      { length: random.below(6) },
      () => [random.below(WORDS), Math.fround(random.next() + 0.5)] as const,
    );
    kernels.begin(kernels.queries, at);
    for (const [word, weight] of terms) kernels.addRow(word, weight);
    const length = kernels.normalise();
    const sum = new Float64Array(dimensions);
    for (const [word, weight] of terms) {
      row(kernels.rows, word, dimensions).forEach((value, d) => sum[d]! += weight * value);
    }
    const expectedLength = Math.hypot(...sum);
    assertClose([length], [expectedLength], "length");
    assertClose(
      row(kernels.queries, at, dimensions),
      sum.map((value) => expectedLength > 0 ? value / expectedLength : 0),
    );
    row(before, at, dimensions).set(row(kernels.queries, at, dimensions));
    assert.deepEqual(kernels.queries, before);
  });
});

Deno.test("scores are the products of each question with each document", () => {
  withKernels((kernels, { dimensions, batch }) => {
    kernels.similarities();
    const expected = Array.from(kernels.scores, (_, at) =>
      dot(
        row(kernels.queries, Math.floor(at / batch), dimensions),
        row(kernels.documents, at % batch, dimensions),
      ));
    assertClose(kernels.scores, expected, "score");
  });
});

Deno.test("the gradient of the scores goes back to questions and documents", () => {
  withKernels((kernels, { dimensions, batch }) => {
    kernels.backThroughSimilarities();
    const queries = new Float64Array(batch * dimensions);
    const documents = new Float64Array(batch * dimensions);
    for (let i = 0; i < batch; i++) {
      for (let j = 0; j < batch; j++) {
        const weight = kernels.exponentials[i * batch + j]!;
        for (let d = 0; d < dimensions; d++) {
          queries[i * dimensions + d]! += weight * kernels.documents[j * dimensions + d]!;
          documents[j * dimensions + d]! += weight * kernels.queries[i * dimensions + d]!;
        }
      }
    }
    assertClose(kernels.queryGradients, queries, "of questions");
    assertClose(kernels.documentGradients, documents, "of documents");
  });
});

Deno.test("through the normalisation goes what turns a vector, over its length; nothing for zeros", () => {
  withKernels((kernels, { dimensions, batch }, random) => {
    const { queries, queryGradients, queryLengths } = kernels;
    const expected = new Float64Array(batch * dimensions);
    const zero = random.below(batch);
    for (let at = 0; at < batch; at++) {
      const unit = row(queries, at, dimensions);
      const length = at === zero ? 0 : random.next() + 0.5;
      const scale = at === zero ? 0 : 1 / Math.hypot(...unit);
      unit.forEach((value, d) => unit[d] = value * scale);
      queryLengths[at] = length;
      const gradient = row(queryGradients, at, dimensions);
      const along = dot(unit, gradient);
      for (let d = 0; d < dimensions; d++) {
        expected[at * dimensions + d] = at === zero
          ? 0
          : (gradient[d]! - along * unit[d]!) / length;
      }
    }
    kernels.throughNormalisation(queries, queryGradients, queryLengths);
    assertClose(queryGradients, expected, "gradient");
    for (let at = 0; at < batch; at++) {
      const along = dot(row(queries, at, dimensions), row(queryGradients, at, dimensions));
      assertClose([along], [0], "part along the vector");
    }
  });
});

Deno.test("adam() moves the row of a word as the paper says, step after step, and no other", () => {
  const [keepMean, keepVariance, floor] = [0.9, 0.99, 1e-8];
  withKernels((kernels, { dimensions }, random) => {
    const word = random.below(WORDS);
    const slot = random.below(WORDS);
    const untouched = kernels.rows.slice();
    const expected = Float64Array.from(row(kernels.rows, word, dimensions));
    const mean = new Float64Array(dimensions);
    const variance = new Float64Array(dimensions);
    for (let step = 1; step <= 4; step++) {
      // The gradient of a slot is the sum of what texts say.
      const texts = [0, 1].map((at) =>
        [row(kernels.queryGradients, at, dimensions), random.next() + 0.5] as const
      );
      texts.forEach(([, weight], at) =>
        kernels.addGradient(slot, kernels.queryGradients, at, weight)
      );
      kernels.adam(
        word,
        slot,
        0.01 / (1 - keepMean ** step),
        1 / (1 - keepVariance ** step),
        keepMean,
        keepVariance,
        floor,
      );
      for (let d = 0; d < dimensions; d++) {
        const gradient = texts.reduce((sum, [values, weight]) => sum + weight * values[d]!, 0);
        mean[d] = keepMean * mean[d]! + (1 - keepMean) * gradient;
        variance[d] = keepVariance * variance[d]! + (1 - keepVariance) * gradient ** 2;
        expected[d]! -= 0.01 * mean[d]! / (1 - keepMean ** step) /
          (Math.sqrt(variance[d]! / (1 - keepVariance ** step)) + floor);
      }
      assertClose(row(kernels.rows, word, dimensions), expected, `after step ${step}, value`);
      kernels.clearGradients(slot + 1);
      fill(kernels.queryGradients, random);
    }
    row(untouched, word, dimensions).set(row(kernels.rows, word, dimensions));
    assert.deepEqual(kernels.rows, untouched);
  });
});

Deno.test("other sizes than multiples of 16 are refused", () => {
  for (const [dimensions, batch] of [[24, 16], [16, 24]] as const) {
    assert.throws(
      () => new Kernels(WORDS, dimensions, batch),
      (error) =>
        error instanceof RangeError &&
        error.message.includes(`"${dimensions}" dimensions and batches of "${batch}"`),
    );
  }
});
