/** Budgets of the parts of a plan: together never more than the whole. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { shareOf } from "../../agent/inquiry.ts";
import { partsWithin } from "../../agent/plan.ts";

Deno.test("what the parts of a plan are given adds up to no more than the budget", () => {
  const amount = fc.integer({ min: 4, max: 100_000 });
  const budget = fc.record({ tokens: amount, answerTokens: amount, steps: amount, ms: amount });
  fc.assert(fc.property(budget, fc.integer({ min: 0, max: 200_000 }), (budget, spentMs) => {
    const parts = partsWithin(budget.steps);
    const share = shareOf(budget, parts, spentMs);
    for (const name of ["tokens", "answerTokens", "steps"] as const) {
      assert.ok(share[name] >= 1 && share[name] * parts <= budget[name], name);
    }
    // They run side by side, until the time of the whole is over.
    assert.equal(share.ms, Math.max(1, budget.ms - spentMs));
  }));
});
