/** Long texts cut into windows, and the vectors of windows made into one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { combineWindows, windowsOf } from "../../../rag/embed/windows.ts";

const sizes = fc.tuple(fc.nat(3_000), fc.integer({ min: 1, max: 600 }));

Deno.test("every token stands in a window, and no window is longer than asked", () => {
  fc.assert(
    fc.property(sizes, ([tokens, window]) => {
      let covered = 0;
      for (const [start, end] of windowsOf(tokens, window)) {
        assert.ok(start <= covered, `tokens ${covered} to ${start} stand in no window`);
        assert.ok(end > covered, "a window that brings nothing new");
        assert.ok(end - start <= window);
        covered = end;
      }
      assert.equal(covered, tokens);
    }),
  );
});

Deno.test("a text that fits is one window, a text of nothing has none", () => {
  assert.deepEqual(windowsOf(0, 8), []);
  assert.deepEqual(windowsOf(1, 8), [[0, 1]]);
  assert.deepEqual(windowsOf(8, 8), [[0, 8]]);
});

Deno.test("a window repeats the last eighth of the one before", () => {
  assert.deepEqual(windowsOf(20, 8), [[0, 8], [7, 15], [14, 20]]);
  assert.deepEqual(windowsOf(9, 8), [[0, 8], [7, 9]]);
  assert.deepEqual(windowsOf(5, 2), [[0, 2], [2, 4], [4, 5]]);
});

Deno.test("combineWindows() weighs windows by their length", () => {
  const vectors = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  const combined = combineWindows(vectors, [[0, 6], [5, 7]], 2);
  assert.deepEqual(combined[0]! / combined[1]!, 3);
  assert.deepEqual(combineWindows([], [], 3), new Float32Array(3));
  // Windows that say the same say it together.
  const [x, y] = combineWindows([vectors[0]!, vectors[0]!], windowsOf(12, 8), 2);
  assert.ok(x! > 0 && y === 0);
});
