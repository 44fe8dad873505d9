/** Results cut to a size: nothing is lost uncounted, whatever the lists hold. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fitLines, fitLists } from "../../../kernel/doors/fit.ts";

const list = fc.array(fc.record({ path: fc.string(), line: fc.nat() }), { maxLength: 30 });

Deno.test("what a list keeps is its beginning, and what it loses is counted", () => {
  fc.assert(fc.property(list, list, fc.integer({ min: 1, max: 2000 }), (a, b, characters) => {
    const { result, leftOut } = fitLists({ name: "x", a, b }, ["a", "b"], characters);
    for (const [name, before] of [["a", a], ["b", b]] as const) {
      assert.deepEqual(result[name], before.slice(0, result[name].length));
      assert.equal(result[name].length + (leftOut[name] ?? 0), before.length);
    }
    const fits = JSON.stringify(result).length <= characters;
    const isLeast = result.a.length <= 1 && result.b.length <= 1;
    assert.ok(fits || isLeast);
    if (JSON.stringify({ name: "x", a, b }).length <= characters) assert.deepEqual(leftOut, {});
  }));
});

Deno.test("the list that takes most room is cut first", () => {
  const long = Array.from({ length: 100 }, (_, at) => ({ path: `src/file${at}.ts` }));
  const { result } = fitLists(
    { long, short: [{ path: "a" }, { path: "b" }] },
    ["long", "short"],
    400,
  );
  assert.equal(result.short.length, 2);
  assert.ok(result.long.length > 1 && result.long.length < 20);
});

Deno.test("lines stay whole, except a first one that is too long", () => {
  assert.deepEqual(fitLines("a\nbb\nccc\n", 5), { text: "a\nbb\n", lines: 2 });
  assert.deepEqual(fitLines("a\nbb\n", 5), { text: "a\nbb\n", lines: 2 });
  assert.deepEqual(fitLines("abcdefgh\ni", 5), { text: "abcde", lines: 0 });
  assert.deepEqual(fitLines("", 5), { text: "", lines: 0 });
  fc.assert(fc.property(fc.string(), fc.integer({ min: 1, max: 50 }), (text, characters) => {
    const cut = fitLines(text, characters);
    assert.ok(cut.text.length <= characters && text.startsWith(cut.text));
    assert.ok(cut.lines === 0 || cut.text === text || cut.text.endsWith("\n"));
  }));
});
