/** The arithmetic of the Composite Entropy Metric: bounds, order, and that more variety never counts less. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  composite,
  facetEntropy,
  growthShare,
  novelty,
  SAME_ANSWER,
} from "../../../kernel/audit/entropy.ts";

const NAMES = ["BRICK decompose", "BABS ground", "ROBIN weave", "ALFRED check", "constructor"];

const uses = fc.dictionary(fc.constantFrom(...NAMES), fc.nat({ max: 1_000_000 }));

/** A vector of length 1 in a few dimensions; now and then one of nothing but zeros. */
const vector = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 })
  .map((values) => {
    const length = Math.hypot(...values);
    return Float32Array.from(values, (value) => length < 1e-3 ? 0 : value / length);
  });

Deno.test("H_cog: nothing where nothing was used, 0 of one facet, 1 of all alike", () => {
  assert.equal(facetEntropy({}, 4), undefined);
  assert.equal(facetEntropy({ a: 0, b: 0 }, 4), undefined);
  assert.equal(facetEntropy({ a: 7 }, 4), 0);
  assert.equal(facetEntropy({ a: 7 }, 1), 0);
  assert.equal(facetEntropy({ a: 7 }, 0), 0);
  assert.ok(Math.abs(facetEntropy({ a: 3, b: 3, c: 3, d: 3 }, 4)! - 1) < 1e-12);
  // Two of four alike are half of it, since it is measured in bits of two.
  assert.ok(Math.abs(facetEntropy({ a: 5, b: 5 }, 4)! - 0.5) < 1e-12);
  // A facet that nobody knew of counts as one that there is.
  assert.ok(Math.abs(facetEntropy({ a: 5, b: 5 }, 1)! - 1) < 1e-12);
});

Deno.test("H_cog lies in 0..1, and the order and the names of facets never matter", () => {
  fc.assert(fc.property(uses, fc.nat({ max: 20 }), (counts, known) => {
    const value = facetEntropy(counts, known);
    if (value === undefined) return Object.values(counts).every((count) => count === 0);
    const turned = Object.fromEntries(
      Object.entries(counts).reverse().map(([name, count]) => [`${name}'`, count]),
    );
    return value >= 0 && value <= 1 && facetEntropy(turned, known) === value;
  }));
});

Deno.test("H_cog rises, or stays, when a use goes from a facet to one that was used less by two or more", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 500 }), { minLength: 2, maxLength: 8 }),
      fc.nat(),
      fc.nat(),
      (counts, one, other) => {
        const [from, to] = [one % counts.length, other % counts.length];
        fc.pre(counts[from]! >= counts[to]! + 2);
        const evener = counts.with(from, counts[from]! - 1).with(to, counts[to]! + 1);
        const value = (list: readonly number[]) =>
          facetEntropy(Object.fromEntries(list.entries()), list.length)!;
        assert.ok(value(evener) >= value(counts) - 1e-12, `${counts} to ${evener}`);
      },
    ),
  );
});

Deno.test("H_cog falls, or stays, when there are more facets of which none is used", () => {
  fc.assert(fc.property(uses, fc.integer({ min: 1, max: 20 }), (counts, known) => {
    const value = facetEntropy(counts, known);
    return value === undefined || facetEntropy(counts, known + 1)! <= value + 1e-12;
  }));
});

Deno.test("H_sol: nothing without answers on both sides; 0 of answers that were given before; 1 of answers like none", () => {
  const [x, y] = [new Float32Array([1, 0]), new Float32Array([0, 1])];
  const nothing = new Float32Array(2);
  assert.equal(novelty([], [x]), undefined);
  assert.equal(novelty([x], []), undefined);
  assert.equal(novelty([x], [nothing]), undefined);
  assert.equal(novelty([nothing], [x]), undefined);
  assert.deepEqual(novelty([x, x], [y, x]), { mean: 0, compared: 2, repeated: 2 });
  assert.deepEqual(novelty([x], [y]), { mean: 1, compared: 1, repeated: 0 });
  // What is said three times is new once.
  assert.deepEqual(novelty([y, y, y], [x]), { mean: 1 / 3, compared: 3, repeated: 2 });
  // Opposite is as new as unrelated.
  assert.deepEqual(novelty([x], [new Float32Array([-1, 0])])!.mean, 1);
  assert.deepEqual(novelty([x, nothing, y], [x]), { mean: 0.5, compared: 2, repeated: 1 });
});

Deno.test("H_sol lies in 0..1; order never matters; more of a past never makes anything newer", () => {
  const some = fc.array(vector, { maxLength: 8 });
  fc.assert(fc.property(some, some, vector, (fresh, past, another) => {
    const found = novelty(fresh, past);
    if (found === undefined) return;
    assert.ok(found.mean >= 0 && found.mean <= 1);
    assert.ok(found.repeated <= found.compared);
    assert.deepEqual(novelty(fresh.toReversed(), past.toReversed()), found);
    assert.ok(novelty(fresh, [...past, another])!.mean <= found.mean + 1e-6);
    const repeated = novelty(fresh, [...past, ...fresh])!;
    assert.ok(repeated.mean < SAME_ANSWER);
    assert.equal(repeated.repeated, repeated.compared);
  }));
});

Deno.test("H_struc: 0 of nothing and of what shrank, a half at its half, rising, never above 1", () => {
  assert.equal(growthShare(0, 10), 0);
  assert.equal(growthShare(-5, 10), 0);
  assert.equal(growthShare(10, 10), 0.5);
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(),
      fc.double({ min: 0.5, max: 1e5, noNaN: true }),
      (a, b, half) =>
        growthShare(a, half) >= 0 && growthShare(a, half) <= 1 &&
        growthShare(a + b, half) >= growthShare(a, half),
    ),
  );
});

Deno.test("CEM is the weighted sum; a part that has a weight and is not known leaves no number", () => {
  const weights = { cog: 0.5, sol: 0.3, struc: 0.2 };
  const close = (value: number | undefined, wanted: number) =>
    assert.ok(Math.abs(value! - wanted) < 1e-12, `${value}`);
  close(composite({ cog: 1, sol: 0, struc: 0.5 }, weights), 0.6);
  close(composite({ cog: 1, sol: 1, struc: 1 }, weights), 1);
  assert.equal(composite({ cog: 1, sol: undefined, struc: 1 }, weights), undefined);
  close(composite({ cog: 1, sol: undefined, struc: 0 }, { cog: 0.5, sol: 0, struc: 0.5 }), 0.5);
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(fc.property(share, share, share, share, share, (cog, sol, struc, a, b) => {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const some = { cog: low, sol: high - low, struc: 1 - high };
    const value = composite({ cog, sol, struc }, some)!;
    const parts = [cog, sol, struc];
    // Between its least and its greatest part.
    assert.ok(value >= Math.min(...parts) - 1e-9 && value <= Math.max(...parts) + 1e-9);
  }));
});
