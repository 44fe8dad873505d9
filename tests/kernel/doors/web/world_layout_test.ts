/** The canvas of objects before anybody moved one: families beside their prototypes, nothing on top of anything. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  HEIGHT,
  layOut,
  MOST_AT_FIRST,
  type Placed,
} from "../../../../kernel/doors/web/world_layout.ts";

const NONE: ReadonlySet<string> = new Set();

/** An object, by its number, its name, and the number of its prototype. */
function object(oid: number, prototype?: number, name = ""): Placed {
  return {
    oid: String(oid),
    name,
    prototype: prototype === undefined ? null : { oid: String(prototype), name: "" },
  };
}

Deno.test("a prototype stands beside what delegates to it, above it where there is little room", () => {
  const objects = [object(1), object(2, 1), object(3, 1), object(4, 2), object(5, 99)];
  const { places, families } = layOut(objects, 1200, NONE, NONE);
  const [, y1 = 0] = places.get("1")!;
  assert.equal(places.get("3")![1], y1);
  assert.ok(places.get("3")![0] > places.get("1")![0]);
  // A prototype of others begins a family of its own below.
  assert.equal(places.get("2")![0], places.get("1")![0]);
  assert.ok(places.get("2")![1] > y1);
  assert.equal(places.get("4")![1], places.get("2")![1]);
  assert.deepEqual(families.map(({ oid }) => oid), ["1", "2"]);
  // What delegates to something that is not shown is shown by itself.
  assert.ok(places.has("5"));
  const narrow = layOut(objects, 360, NONE, NONE);
  assert.ok(narrow.places.get("3")![1] > narrow.places.get("1")![1]);
});

Deno.test("of a large family those with names and the newest are shown, the rest is counted, and can be asked for", () => {
  const objects = [
    object(1),
    ...Array.from({ length: 50 }, (_, n) => object(n + 2, 1, n === 3 ? "named" : "")),
  ];
  const { places, families } = layOut(objects, 1200, NONE, new Set(["20"]));
  assert.equal(places.size, MOST_AT_FIRST);
  assert.ok(places.has("5") && places.has("51") && places.has("20") && !places.has("2"));
  assert.equal(families[0]!.hidden, 50 - (MOST_AT_FIRST - 1));
  assert.notEqual(families[0]!.more, undefined);
  const whole = layOut(objects, 1200, new Set(["1"]), NONE);
  assert.equal(whole.places.size, 51);
  assert.equal(whole.families[0]!.hidden, 0);
});

Deno.test("whatever delegates to whatever: each has one place, none on another, within the canvas", () => {
  const objects = fc.uniqueArray(
    fc.record({ oid: fc.nat(60), prototype: fc.option(fc.nat(60), { nil: undefined }) }),
    { selector: ({ oid }) => oid, maxLength: 40 },
  ).map((all) => all.map(({ oid, prototype }) => object(oid, prototype)));
  fc.assert(fc.property(objects, fc.integer({ min: 60, max: 2000 }), (objects, width) => {
    const { places, families, wide, height } = layOut(objects, width, NONE, NONE);
    const hidden = families.reduce((sum, { hidden }) => sum + hidden, 0);
    assert.equal(places.size + hidden, objects.length);
    const all = [...places.values()];
    for (const [x, y] of all) {
      assert.ok(x >= 0 && y >= 0 && y + HEIGHT <= height, `${[x, y, height]}`);
      assert.ok(x + wide <= width, `${[x, wide, width]}`);
    }
    for (const [index, [x, y]] of all.entries()) {
      for (const [otherX, otherY] of all.slice(index + 1)) {
        assert.ok(Math.abs(x - otherX) >= wide || Math.abs(y - otherY) >= HEIGHT);
      }
    }
  }));
});
