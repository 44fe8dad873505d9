/** Behaviour of `ingest/encoding.ts`: what counts as text, and that decoding can be undone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeText, encodeText } from "../../ingest/encoding.ts";

const bytesOf = (...values: number[]) => new Uint8Array(values);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Raw bytes, text in each encoding, and text with a few bytes knocked out. */
const files = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: "binary", maxLength: 100 }).map(utf8),
  fc.string({ unit: "binary", maxLength: 100 }).map((s) => encodeText("\ufeff" + s, "utf-16le")),
  fc.string({ unit: "binary", maxLength: 100 }).map((s) => encodeText("\ufeff" + s, "utf-16be")),
  fc.tuple(fc.constantFrom([0xff, 0xfe], [0xfe, 0xff], [0xef, 0xbb, 0xbf]), fc.uint8Array())
    .map(([mark, rest]) => bytesOf(...mark, ...rest)),
  fc.uint8Array({ min: 0x20, maxLength: 300 }),
);

Deno.test("encodeText() gives back the bytes of everything that decodeText() accepts", () => {
  let accepted = 0;
  fc.assert(
    fc.property(files, fc.nat(3), (bytes, offset) => {
      // A view into a larger buffer, as a slice of a read buffer would be.
      const buffer = new Uint8Array(bytes.length + offset);
      buffer.set(bytes, offset);
      const decoded = decodeText(buffer.subarray(offset));
      if (decoded === undefined) return;
      accepted++;
      assert.deepEqual(encodeText(decoded.text, decoded.encoding), bytes);
    }),
    { numRuns: 3000 },
  );
  assert.ok(accepted > 1000, `only ${accepted} of 3000 inputs were text`);
});

Deno.test("decodeText() accepts every string without control characters as UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 100 }), (text) => {
      assert.deepEqual(decodeText(utf8(text)), { text, encoding: "utf-8" });
    }),
  );
});

Deno.test("decodeText() keeps a byte order mark in the text", () => {
  assert.deepEqual(decodeText(bytesOf(0xef, 0xbb, 0xbf, 0x61)), {
    text: "\ufeffa",
    encoding: "utf-8",
  });
  assert.deepEqual(decodeText(bytesOf(0xff, 0xfe, 0x61, 0)), {
    text: "\ufeffa",
    encoding: "utf-16le",
  });
  assert.deepEqual(decodeText(bytesOf(0xfe, 0xff, 0, 0x61)), {
    text: "\ufeffa",
    encoding: "utf-16be",
  });
});

Deno.test("decodeText() maps each invalid byte to the code point of the same value", () => {
  const bytes = new Uint8Array(0x100 - 0x20).map((_, i) => i + 0x20);
  const decoded = decodeText(bytes)!;
  assert.equal(decoded.encoding, "latin1");
  for (let i = 0; i < bytes.length; i++) assert.equal(decoded.text.charCodeAt(i), i + 0x20);
});

Deno.test("decodeText() takes UTF-16 that cannot be undone as single bytes, or as binary", () => {
  assert.equal(decodeText(bytesOf(0xff, 0xfe, 0x61))?.encoding, "latin1"); // half a code unit
  assert.equal(decodeText(bytesOf(0xff, 0xfe, 0x61, 0xd8))?.encoding, "latin1"); // lone surrogate
  assert.equal(decodeText(bytesOf(0xff, 0xfe, 0x61, 0, 0x62)), undefined);
  assert.equal(decodeText(bytesOf(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0)), undefined); // UTF-32
});

Deno.test("decodeText() refuses binary data and accepts terminal output and legacy encodings", () => {
  const noise = new Uint8Array(4000).map((_, i) => ((i * 2654435761) >>> 13) & 0xff || 1);
  assert.equal(decodeText(noise), undefined);
  assert.equal(decodeText(utf8("header\0")), undefined);
  assert.equal(decodeText(bytesOf(...new Array(50).fill(0x61), 1, 2, 3, 4, 5, 6, 7)), undefined);
  assert.equal(decodeText(utf8("\x1b[31mred\x1b[0m\r\n\tpage\f"))?.encoding, "utf-8");
  assert.equal(decodeText(bytesOf(0x82, 0xb1, 0x82, 0xf1, 0x0a))?.encoding, "latin1"); // Shift JIS
  assert.deepEqual(decodeText(bytesOf()), { text: "", encoding: "utf-8" });
});

Deno.test("decodeText() looks for NUL bytes in the first 8 kB only", () => {
  const late = new Uint8Array(9000).fill(0x61);
  late[8999] = 0;
  assert.equal(decodeText(late)?.text.charCodeAt(8999), 0);
  late[8191] = 0;
  assert.equal(decodeText(late), undefined);
});
