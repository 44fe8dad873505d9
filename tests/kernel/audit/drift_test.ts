/** Drift: chance is called no change, changes and slow courses are told apart, and only what is alike is compared. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { courseZ, median, rankSumZ, shareZ } from "../../../kernel/audit/drift.ts";
import {
  type CountedQuestion,
  driftReads,
  driftReport,
} from "../../../kernel/audit/drift_report.ts";
import { commands } from "../../../kernel/commands.ts";

const NOON = Date.parse("2026-11-20T12:00:00Z");

function questions(
  count: number,
  given: (at: number) => Partial<CountedQuestion> = () => ({}),
): CountedQuestion[] {
  return Array.from({ length: count }, (_, at) => ({
    ended: NOON + at * 60_000,
    outcome: "done" as const,
    driver: "extractive",
    tokens: 6_000 + (at * 7_919) % 500,
    steps: 8 + at % 3,
    ms: 200 + (at * 104_729) % 60,
    ...given(at),
  }));
}

function report(list: readonly CountedQuestion[], window = 20) {
  const result = driftReport(list.slice(-driftReads(window)), window);
  return commands.drift.result.parse(result);
}

const changes = (result: ReturnType<typeof report>) =>
  Object.fromEntries(result.measures.map(({ name, change, slow }) => [name, `${change} ${slow}`]));

const SAME = {
  tokens: "same none",
  steps: "same none",
  latency_ms: "same none",
  failures: "same none",
};

Deno.test("too few questions are said to be so, and how many are missing", () => {
  for (const [count, missing] of [[0, 10], [9, 1]] as const) {
    const result = report(questions(count));
    assert.deepEqual([result.window, result.missing], [null, missing]);
    assert.match(result.said[0]!, /questions that have ended: \d, needed: 10 \(/);
    assert.equal(commands.drift.exit([result]), 1);
  }
  const least = report(questions(10));
  assert.deepEqual([least.window!.cycles, least.baseline!.cycles], [5, 5]);
  assert.equal(commands.drift.exit([least]), 0);
});

Deno.test("what goes on as before is no drift", () => {
  const result = report(questions(200));
  assert.deepEqual(changes(result), SAME);
  assert.deepEqual(result.said, [
    "No drift: the latest questions cost and failed as those before.",
  ]);
  assert.deepEqual([result.window!.cycles, result.baseline!.cycles], [20, 180]);
});

Deno.test("a sudden change is told with both medians; less as well as more", () => {
  const slower = report(questions(200, (at) => at < 180 ? {} : { ms: 900 + at }));
  assert.deepEqual(changes(slower), { ...SAME, latency_ms: "more none" });
  assert.match(
    slower.said[0]!,
    /^Time to an answer: more than before \(2\d\d ms before, 109\d ms now\)\.$/,
  );
  const cheaper = report(questions(200, (at) => at < 180 ? {} : { tokens: 100 }));
  assert.deepEqual(changes(cheaper), { ...SAME, tokens: "less none" });
});

Deno.test("a tenth more is significant and too little to speak of; one outlier is nothing", () => {
  const tenth = report(questions(200, (at) => at < 180 ? {} : { tokens: 6_900 }));
  assert.deepEqual(changes(tenth), SAME);
  const outlier = report(questions(200, (at) => at === 199 ? { ms: 1e9, tokens: 1e9 } : {}));
  assert.deepEqual(changes(outlier), SAME);
});

Deno.test("a slow drift is named where window after window goes one way, none of which stands out", () => {
  const result = report(questions(200, (at) => ({ tokens: 6_000 + 10 * at })));
  assert.equal(result.measures[0]!.slow, "rising");
  assert.match(
    result.said.find((one) => one.includes("slow drift"))!,
    /^Tokens a question: a slow drift, rising from window to window \(6095, .*, 7895\)\.$/,
  );
  const falling = report(questions(200, (at) => ({ ms: 400 - at })));
  assert.equal(falling.measures[2]!.slow, "falling");
  // Two windows are no course.
  const short = report(questions(40, (at) => ({ tokens: 6_000 + 100 * at })));
  assert.equal(short.measures[0]!.slow, "none");
});

Deno.test("failures and empty answers are a share; cycles that failed cost nothing", () => {
  const result = report(
    questions(
      200,
      (at) =>
        at < 180
          ? {}
          : at % 2 === 0
          ? { outcome: "failed", driver: "", tokens: 0, steps: 0, ms: 0 }
          : { outcome: at % 4 === 1 ? "nothing" : "done" },
    ),
  );
  const failures = result.measures[3]!;
  assert.deepEqual([failures.before, failures.now, failures.change], [0, 0.75, "more"]);
  assert.deepEqual(changes(result), { ...SAME, failures: "more none" });
  assert.match(
    result.said[0]!,
    /^Questions without an answer: more than before \(0 % before, 75 % now\)\.$/,
  );
});

Deno.test("a model is compared with itself, and where there is nothing of it, that is said", () => {
  const fresh = report(questions(200, (at) => at < 180 ? {} : { driver: "llama", ms: 20_000 }));
  assert.deepEqual(changes(fresh), {
    tokens: "unknown none",
    steps: "unknown none",
    latency_ms: "unknown none",
    failures: "same none",
  });
  assert.deepEqual([fresh.drivers, fresh.baseline!.alike], [["llama"], 0]);
  assert.match(
    fresh.said[0]!,
    /Costs are not compared: of the questions before, 0 were answered by llama/,
  );
  const mixed = report(questions(200, (at) => at % 2 ? { driver: "llama", ms: 20_000 + at } : {}));
  assert.deepEqual(changes(mixed), SAME);
});

Deno.test("the order within window and baseline never matters; turned round, more is less", () => {
  const values = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 30 });
  fc.assert(fc.property(values, values, (now, before) => {
    const z = rankSumZ(now, before);
    assert.ok(Number.isFinite(z));
    assert.ok(Math.abs(rankSumZ(now.toReversed(), before.toSorted()) - z) < 1e-9);
    assert.ok(Math.abs(rankSumZ(before, now) + z) < 1e-9);
    // Once all lie above, how far does not matter.
    const above = (by: number) => rankSumZ(now.map((one) => one + by), before);
    assert.equal(above(100), above(500));
    const course = courseZ(now);
    assert.ok(Math.abs(courseZ(now.toReversed()) + course) < 1e-9);
    const [low, high] = [Math.min(...now), Math.max(...now)];
    assert.ok(low <= median(now) && median(now) <= high);
  }));
});

Deno.test("the tests give what textbooks do", () => {
  assert.deepEqual([median([3, 1, 2]), median([4, 1, 3, 2])], [2, 2.5]);
  assert.equal(rankSumZ([], [1]), 0);
  assert.equal(rankSumZ([1, 1], [1, 1, 1]), 0);
  // U = 0 of 5 and 5 without ties: (0 - 12.5) / sqrt(25 * 11 / 12).
  assert.ok(Math.abs(rankSumZ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) + 2.6112) < 1e-3);
  assert.equal(shareZ({ count: 0, of: 5 }, { count: 0, of: 9 }), 0);
  assert.equal(shareZ({ count: 1, of: 0 }, { count: 0, of: 9 }), 0);
  // 10 of 20 beside 20 of 100: 0.3 / sqrt(0.25 * 0.75 * 0.06).
  assert.ok(Math.abs(shareZ({ count: 10, of: 20 }, { count: 20, of: 100 }) - 2.8284) < 1e-3);
  // Ten that rise: S = 45, variance 125.
  assert.ok(Math.abs(courseZ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) - 44 / Math.sqrt(125)) < 1e-9);
  assert.equal(courseZ([2, 2, 2]), 0);
  assert.equal(courseZ([]), 0);
});

Deno.test("chance alone is hardly ever called a change", () => {
  // A generator of numbers with a long tail, the same in every run.
  let state = 12_345;
  const chance = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  const tail = () => -Math.log(1 - chance());
  let told = 0;
  for (let run = 0; run < 200; run++) {
    const result = report(questions(200, () => ({
      tokens: 6_000 * tail(),
      ms: 200 * tail(),
      steps: Math.round(10 * tail()),
      outcome: chance() < 0.1 ? "nothing" : "done",
    })));
    if (result.measures.some(({ change }) => change !== "same")) told++;
  }
  assert.ok(told <= 10, `${told} of 200`);
});
