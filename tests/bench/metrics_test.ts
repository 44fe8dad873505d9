/** The metrics of retrieval, against their definition. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  byFile,
  fileRecallWithin,
  type Found,
  ndcg10,
  pairedInterval,
  rankOf,
  type Relevant,
} from "../../bench/metrics.ts";

const found = (path: string, startLine = 1, endLine = 10, tokens = 100): Found => ({
  path,
  startLine,
  endLine,
  tokens,
});

const paths = fc.constantFrom("a.ts", "b.ts", "c.ts", "d.ts");
const results = fc.array(paths.map((path) => found(path)), { maxLength: 15 });
const relevant = fc.uniqueArray(paths, { minLength: 1 }).map((list) =>
  list.map((path): Relevant => ({ path }))
);

Deno.test("ndcg10() stays between 0 and 1, and is 1 when the relevant files come first", () => {
  fc.assert(fc.property(results, relevant, (list, wanted) => {
    const value = ndcg10(list, wanted);
    assert.ok(value >= 0 && value <= 1);
    const first = [...wanted.map(({ path }) => found(path)), ...list];
    assert.equal(ndcg10(first, wanted), 1);
  }));
});

Deno.test("ndcg10() never falls when a relevant result moves up by one", () => {
  fc.assert(fc.property(results, paths, (list, path) => {
    const at = rankOf(list, { path }) - 1;
    fc.pre(Number.isFinite(at) && at > 0);
    const swapped = [...list];
    [swapped[at - 1], swapped[at]] = [swapped[at]!, swapped[at - 1]!];
    assert.ok(ndcg10(swapped, [{ path }]) >= ndcg10(list, [{ path }]));
  }));
});

Deno.test("ndcg10() discounts by the logarithm of the rank and ignores what comes after the tenth", () => {
  const list = [found("x.ts"), found("a.ts")];
  assert.equal(ndcg10(list, [{ path: "a.ts" }]), 1 / Math.log2(3));
  const late = [...Array.from({ length: 10 }, (_, at) => found(`x${at}.ts`)), found("a.ts")];
  assert.equal(ndcg10(late, [{ path: "a.ts" }]), 0);
});

Deno.test("ndcg10() counts a rank once even where two relevant entries match it", () => {
  const entries: Relevant[] = [
    { path: "a.ts", start_line: 1, end_line: 5 },
    { path: "a.ts", start_line: 6, end_line: 9 },
  ];
  const ideal = 1 + 1 / Math.log2(3);
  assert.equal(ndcg10([found("a.ts", 1, 10)], entries), 1 / ideal);
});

Deno.test("rankOf() needs overlapping lines where the entry has lines", () => {
  const list = [found("a.ts", 1, 10), found("a.ts", 11, 20)];
  assert.equal(rankOf(list, { path: "a.ts", start_line: 11, end_line: 11 }), 2);
  assert.equal(rankOf(list, { path: "a.ts", start_line: 10, end_line: 30 }), 1);
  assert.equal(rankOf(list, { path: "a.ts", start_line: 21, end_line: 30 }), Infinity);
});

Deno.test("byFile() keeps the first result of each file, in order", () => {
  const list = [found("a.ts", 1), found("b.ts", 1), found("a.ts", 11)];
  assert.deepEqual(byFile(list), [list[0], list[1]]);
});

Deno.test("fileRecallWithin() stops at the first result that does not fit", () => {
  const list = [found("a.ts", 1, 9, 400), found("b.ts", 1, 9, 700), found("c.ts", 1, 9, 10)];
  const wanted = [{ path: "a.ts" }, { path: "b.ts" }, { path: "c.ts" }, { path: "d.ts" }];
  assert.equal(fileRecallWithin(list, wanted, 1_000), 0.25);
  assert.equal(fileRecallWithin(list, wanted, 1_100), 0.5);
  assert.equal(fileRecallWithin(list, wanted, Infinity), 0.75);
});

Deno.test("pairedInterval() is the same in every run and contains the mean of a wide sample", () => {
  const differences = Array.from({ length: 100 }, (_, at) => (at % 7) / 10 - 0.2);
  const interval = pairedInterval(differences);
  assert.deepEqual(interval, pairedInterval(differences));
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  assert.ok(interval[0] < mean && mean < interval[1]);
});
