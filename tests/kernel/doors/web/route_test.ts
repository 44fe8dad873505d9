/** Addresses within the page lead back to what they were made from. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatPlace,
  formatRoute,
  parsePlace,
  parseRoute,
  VIEWS,
} from "../../../../kernel/doors/web/route.ts";

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((text) => text.isWellFormed());
const path = text.filter((path) => !/:\d+(-\d+)?$/.test(path));
const at = fc.record({ path, start: fc.integer({ min: 1 }), end: fc.integer({ min: 0 }) })
  .map(({ path, start, end }) => ({ path, start, end: start + Math.min(end, 1000) }));

Deno.test("a route is what its address leads to", () => {
  fc.assert(fc.property(
    fc.record({
      view: fc.constantFrom(...VIEWS),
      of: fc.oneof(fc.constant(""), text),
      query: fc.dictionary(text.filter((key) => key !== "at" && key !== "__proto__"), text),
      at: fc.option(at, { nil: undefined }),
    }),
    (route) => {
      const parsed = parseRoute(formatRoute(route));
      assert.deepEqual({ ...parsed, query: { ...parsed.query } }, {
        ...route,
        query: { ...route.query },
      });
    },
  ));
});

Deno.test("a whole file, a line and lines are written as people write them", () => {
  for (const written of ["a/b.ts", "a/b.ts:7", "a/b.ts:7-9", "c:d.ts:1"]) {
    assert.equal(formatPlace(parsePlace(written)), written);
  }
});

Deno.test("an address of nowhere leads to the first view", () => {
  for (const hash of ["", "#", "#/", "#/nowhere/x", "#/%", "#/map/%E0%A4%A"]) {
    const { view } = parseRoute(hash);
    assert.equal(view, hash.startsWith("#/map") ? "map" : "ask", hash);
  }
});
