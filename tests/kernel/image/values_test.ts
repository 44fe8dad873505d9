/** What slots hold: every value comes back as it was, nothing else gets in, and nobody changes it from outside. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ImageError, NoSuchObjectError, ReadOnlyError } from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import { dataSlot, decodeRecord, encodeRecord } from "../../../kernel/image/object_record.ts";
import {
  BlobRef,
  FIRST_MOUNTED_OID,
  handOut,
  parseOid,
  Ref,
  takeIn,
  TYPED_ARRAYS,
  type Value,
} from "../../../kernel/image/values.ts";

/** A value through the text form and back. */
function stored(value: unknown): Value {
  const text = encodeRecord({
    kind: "",
    slots: new Map([["x", dataSlot(takeIn(value, "slot"))]]),
  });
  const slot = decodeRecord(7, 1, text).slots.get("x");
  assert.equal(slot?.type, "data");
  return handOut((slot as { value: Value }).value);
}

const scalar = fc.oneof(
  fc.string({ unit: "binary" }),
  // Any UTF-16, lone surrogates included.
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, -0, NaN, Infinity, -Infinity, Number.MAX_SAFE_INTEGER, 5e-324),
  fc.date({ noInvalidDate: false }),
  fc.nat().map((oid) => new Ref(oid)),
  fc.uint8Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.constant(new BlobRef("ab".repeat(32), 5)),
);
const anything = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, scalar, tie("list"), tie("map")),
  list: fc.array(tie("value"), { maxLength: 5 }),
  map: fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "o", "1", "")),
    tie("value"),
    { maxKeys: 5, noNullPrototype: false },
  ).map((map) => Object.assign(Object.create(null), map)),
})).value;

Deno.test("every value comes back from its text exactly as it was", () => {
  fc.assert(
    fc.property(anything, (value) => {
      const back = stored(value);
      assert.deepStrictEqual(back, value);
      assert.ok(Object.is(back, value) || typeof value === "object");
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        assert.deepEqual(Object.keys(back as object), Object.keys(value));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("each typed array keeps its type and content", () => {
  for (const Type of Object.values(TYPED_ARRAYS)) {
    const array = new Type(new ArrayBuffer(24), 8, 1);
    const back = stored(array);
    assert.equal(Object.getPrototypeOf(back), Type.prototype);
    assert.deepEqual(back, array);
    assert.equal((back as Uint8Array).buffer.byteLength, array.byteLength, "no more than its part");
  }
});

Deno.test("what is no data is refused with the path to it", () => {
  class Point {
    x = 1;
  }
  const circle: unknown[] = [];
  circle.push({ again: circle });
  const accessor = Object.defineProperty({}, "x", { get: () => 1, enumerable: true });
  const cases: [unknown, RegExp][] = [
    [() => 1, /found a function/],
    [undefined, /found undefined/],
    [Symbol("s"), /found a symbol/],
    [{ a: [1, { "b c": () => 1 }] }, /at \.a\[1\]\["b c"\]: found a function/],
    [[1, undefined], /at \[1\]: found undefined/],
    [new Array(3), /holes/],
    [{ p: Promise.resolve(1) }, /at \.p: found an instance of Promise/],
    [new Map([["a", 1]]), /an instance of Map/],
    [new Point(), /an instance of Point/],
    [new (class extends Array {})(), /an instance of/],
    [new Error("no"), /an instance of Error/],
    [new DataView(new ArrayBuffer(1)), /DataView/],
    [new ArrayBuffer(1), /ArrayBuffer/],
    [circle, /at \[0\]\.again: found a value that contains itself/],
    [{ [Symbol("k")]: 1 }, /a symbol as a key/],
    [accessor, /at \.x: found an accessor/],
    [Object.create({ inherited: 1 }), /an instance of/],
    [new WeakRef({}), /an instance of WeakRef/],
    [/x/, /an instance of RegExp/],
  ];
  for (const [value, message] of cases) {
    assert.throws(
      () => takeIn(value, 'slot "x" of object 7'),
      (error) =>
        error instanceof TypeError && message.test(error.message) &&
        error.message.startsWith('write slot "x" of object 7') && !error.message.includes("\n"),
    );
  }
  let deep: unknown = 1;
  for (let at = 0; at < 300; at++) deep = [deep];
  assert.throws(() => takeIn(deep, "slot"), /nested more than 200 deep/);
  // Shared parts are copied as a tree; that many would never end.
  let wide: unknown = [1];
  for (let at = 0; at < 40; at++) wide = [wide, wide];
  assert.throws(() => takeIn(wide, "slot"), /more than 1000000 values/);
});

Deno.test("nobody changes a stored value from outside", async () => {
  using image = await Image.open(new MemoryImageStore());
  using unit = image.begin();
  const bytes = new Uint8Array([1, 2, 3]);
  const given = { list: [1, [2]], when: new Date(5), bytes };
  const oid = unit.create({ slots: { x: given } });
  given.list.push(9);
  given.when.setTime(99);
  bytes[0] = 99;
  const check = () => {
    const x = unit.get(oid, "x") as unknown as typeof given;
    assert.deepEqual([x.list, x.when, x.bytes], [[1, [2]], new Date(5), new Uint8Array([1, 2, 3])]);
    return x;
  };
  for (let round = 0; round < 2; round++) {
    const x = check();
    assert.throws(() => (x.list as unknown[]).push(1), TypeError);
    assert.throws(() => {
      (x as { list: unknown }).list = 1;
    }, TypeError);
    x.when.setTime(1);
    x.bytes[0] = 7;
    const slot = unit.slots(oid).get("x") as unknown as { value: typeof given };
    slot.value.bytes[1] = 7;
    unit.slots(oid).clear();
    check();
    await unit.commit();
  }
  const found = unit.lookup(oid, "x")!;
  assert.throws(() => {
    (found.slot as { value: unknown }).value = 1;
  }, TypeError);
  assert.throws(() => {
    (new Ref(1) as { oid: number }).oid = 2;
  }, TypeError);
});

Deno.test("references lead somewhere, and parents are objects or null", async () => {
  using image = await Image.open(new MemoryImageStore());
  using unit = image.begin();
  const oid = unit.create();
  assert.throws(() => unit.set(oid, "x", [new Ref(777_777)]), NoSuchObjectError);
  assert.throws(() => unit.create({ parent: 777_777 }), NoSuchObjectError);
  assert.throws(() => unit.set(777_777, "x", 1), NoSuchObjectError);
  assert.throws(() => unit.clone(777_777), NoSuchObjectError);
  assert.throws(() => unit.lookup(777_777, "x"), NoSuchObjectError);
  await assert.rejects(unit.send(777_777, "x"), NoSuchObjectError);
  for (const wrong of [1, "traits", [], [new Ref(1)], { o: 1 }, true]) {
    assert.throws(
      () => unit.set(oid, "other*", wrong),
      /name that ends in "\*" is that of a parent/,
    );
  }
  unit.set(oid, "other*", null);
  assert.deepEqual(unit.parents(oid), [1]);
  for (
    const wrong of [-1, 1.5, NaN, 2 ** 53, "7" as unknown as number, null as unknown as number]
  ) {
    assert.throws(() => unit.get(wrong, "x"), TypeError);
  }
  for (const wrong of ["", "x".repeat(2_000), 5 as unknown as string]) {
    assert.throws(() => unit.set(oid, wrong, 1), TypeError);
  }
});

Deno.test("an OID is read as it is written", () => {
  assert.deepEqual(["0", "17", "@17", String(2 ** 53 - 1)].map(parseOid), [0, 17, 17, 2 ** 53 - 1]);
  for (
    const text of [
      "",
      "-1",
      "01",
      "1.5",
      "1e3",
      " 1",
      "0x1",
      String(2 ** 53),
      "9".repeat(30),
      "@@1",
    ]
  ) {
    assert.throws(() => parseOid(text), ImageError);
  }
});

Deno.test("mounted objects are seen, delegate, answer, and refuse to be written", async () => {
  using image = await Image.open(new MemoryImageStore());
  await image.defineObjects([{ name: "chunk", slots: { level: "exact" } }]);
  const range = [FIRST_MOUNTED_OID, FIRST_MOUNTED_OID + 1_000] as const;
  let text = "first";
  const mounted = image.mount({
    name: "memory",
    range,
    get: (oid) =>
      oid === range[0] + 5
        ? { parent: image.named("chunk"), slots: { text, "__proto__": 1 } }
        : undefined,
  });
  using unit = image.begin();
  const chunk = range[0] + 5;
  assert.equal(unit.get(chunk, "text"), "first");
  assert.equal(await unit.send(chunk, "level"), "exact");
  assert.deepEqual(unit.parents(chunk), [image.named("chunk")]);
  const child = unit.create({ parent: chunk });
  assert.equal(unit.get(child, "text"), "first");
  text = "second";
  assert.equal(await unit.send(chunk, "text"), "second", "what is derived may change");
  assert.equal(unit.get(child, "text"), "second", "and so does what delegates to it");
  assert.throws(
    () => unit.set(chunk, "note", 1),
    (error) => error instanceof ReadOnlyError && /belongs to "memory"/.test(error.message),
  );
  assert.throws(() => unit.define(chunk, "note", 1), ReadOnlyError);
  assert.throws(() => unit.get(range[0] + 6, "text"), NoSuchObjectError);
  // An object may refer to one, and a clone of one is an object of the image.
  const note = unit.create({ slots: { about: new Ref(chunk) } });
  unit.define(0, "note", new Ref(note));
  await unit.commit();
  await image.pack();
  assert.deepEqual((await image.check()).problems, []);
  for (
    const wrong of [[1, 5], [range[0] + 9, range[0] + 10], [range[0] + 5, range[0] + 5]] as const
  ) {
    assert.throws(
      () => image.mount({ name: "other", range: wrong, get: () => undefined }),
      RangeError,
    );
  }
  mounted[Symbol.dispose]();
  assert.throws(() => unit.get(chunk, "text"), NoSuchObjectError);
});
