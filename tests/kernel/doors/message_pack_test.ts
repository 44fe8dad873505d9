/** MessagePack from outside: every value comes back, every bound is checked before anything is made. */
import assert from "node:assert/strict";
import { encode, ExtensionCodec } from "@msgpack/msgpack";
import fc from "fast-check";
import {
  MessagePackError,
  packMessage,
  unpackMessage,
} from "../../../kernel/doors/message_pack.ts";

Deno.test("a value comes back as it was packed", () => {
  const value = fc.jsonValue({ maxDepth: 6 }).filter((value) =>
    !JSON.stringify(value).includes("__proto__") && !/-0(?![.\d])/.test(JSON.stringify(value))
  );
  fc.assert(fc.property(value, (value) => {
    // JSON has no negative zero.
    const plain = JSON.parse(JSON.stringify(value));
    assert.deepEqual(unpackMessage(packMessage(plain)), plain);
  }));
  assert.deepEqual(unpackMessage(packMessage({ nonce: new Uint8Array(70_000) })), {
    nonce: new Uint8Array(70_000),
  });
  assert.deepEqual(unpackMessage(packMessage({ a: undefined, b: 1 })), { b: 1 });
});

Deno.test("depth, number of values, counts that lie, extensions and bytes behind the value are refused", () => {
  const nested = (depth: number) => Uint8Array.from([...Array(depth).fill(0x91), 0xc0]);
  unpackMessage(nested(32));
  const codec = new ExtensionCodec();
  codec.register({
    type: 1,
    encode: (value) => value instanceof Set ? new Uint8Array(3) : null,
    decode: () => 0,
  });
  const bad: [Uint8Array, RegExp][] = [
    [nested(33), /deeper/],
    [nested(100_000), /deeper/],
    [Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), /cut off/], // a list of 4 billion
    [Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff), /cut off/], // a map of as many
    [Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff, 1), /cut off/], // bytes of as many
    [Uint8Array.of(0xdb, 0x7f, 0xff, 0xff, 0xff), /cut off/],
    [Uint8Array.of(0xc1), /0xc1/],
    [Uint8Array.of(), /cut off/],
    [Uint8Array.of(1, 2), /behind/],
    [encode(new Date()), /extension/],
    [encode(new Set(), { extensionCodec: codec }), /extension/],
    [encode(Array(100_001).fill(0)), /values/],
    [Uint8Array.of(0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 1), /./],
  ];
  for (const [bytes, expected] of bad) {
    assert.throws(
      () => unpackMessage(bytes),
      (error) => error instanceof MessagePackError && expected.test(error.message),
      String(expected),
    );
  }
});

Deno.test("random bytes are decoded or refused, and never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        unpackMessage(bytes);
      } catch (error) {
        assert.ok(error instanceof MessagePackError, String(error));
      }
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("every prefix of a message is refused", () => {
  const bytes = packMessage({ v: 1, id: "a", nonce: new Uint8Array(16), args: [1.5, null, "é"] });
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => unpackMessage(bytes.subarray(0, length)), MessagePackError);
  }
});
