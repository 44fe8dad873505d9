/** The wire format of ZMTP: what is written is read back, in any pieces; what breaks the format or a limit is refused by its header. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeProperties,
  encodeCommand,
  encodeGreeting,
  encodeMessage,
  encodeProperties,
  type Item,
  Reader,
  ZmtpError,
} from "../../../../kernel/doors/zmtp/wire.ts";

/** Reads bytes in pieces of the given sizes. */
function read(bytes: Uint8Array, limits: readonly number[], pieces: readonly number[]): Item[] {
  const reader = new Reader({ frames: limits });
  const items: Item[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const room = reader.room();
    const size = Math.min(pieces[turn % pieces.length]!, room.length, bytes.length - at);
    room.set(bytes.subarray(at, at + size));
    reader.filled(size);
    at += size;
    for (let item; (item = reader.next()) !== undefined;) items.push(item);
  }
  return items;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

const frame = fc.uint8Array({ maxLength: 700 });
const pieces = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 });

Deno.test("messages are read back as they were written, whatever pieces they come in", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(frame, { minLength: 1, maxLength: 3 }), { maxLength: 8 }),
      pieces,
      (messages, pieces) => {
        const bytes = join(encodeGreeting(), ...messages.map(encodeMessage));
        const [greeting, ...items] = read(bytes, [1000, 1000, 1000], pieces);
        assert.deepEqual(greeting, {
          kind: "greeting",
          greeting: { minor: 1, mechanism: "NULL", asServer: false },
        });
        assert.deepEqual(
          items.map((item) => item.kind === "message" && item.parts.map((part) => [...part])),
          messages.map((parts) => parts.map((part) => [...part])),
        );
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a frame larger than any buffer arrives whole, and the memory for it is given back", () => {
  let reserved = 0;
  const reader = new Reader({
    frames: [3_000_000],
    reserve: (bytes) => void (reserved += bytes),
  });
  const big = crypto.getRandomValues(new Uint8Array(60_000));
  const body = new Uint8Array(2_400_000);
  for (let at = 0; at < body.length; at += big.length) body.set(big, at);
  const bytes = join(encodeGreeting(), encodeMessage([body]));
  let found: Item | undefined;
  for (let at = 0; at < bytes.length;) {
    const room = reader.room();
    const size = Math.min(room.length, bytes.length - at);
    room.set(bytes.subarray(at, at + size));
    reader.filled(size);
    at += size;
    for (let item; (item = reader.next()) !== undefined;) found = item;
  }
  assert.ok(found?.kind === "message");
  assert.deepEqual(found.parts[0], body);
  assert.ok(reserved > 2_000_000);
  reader.room();
  assert.equal(reserved, 0);
});

Deno.test("a size beyond the limit is refused by the header alone, before memory is taken", () => {
  for (const size of [101, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    let reserved = 0;
    const reader = new Reader({
      frames: [100],
      reserve: (bytes) => void (reserved += bytes),
    });
    const header = new Uint8Array(9);
    header[0] = 2;
    new DataView(header.buffer).setBigUint64(1, BigInt(size));
    const bytes = join(encodeGreeting(), header);
    reader.room().set(bytes);
    reader.filled(bytes.length);
    assert.equal(reader.next()?.kind, "greeting");
    assert.throws(
      () => reader.next(),
      (error) => error instanceof ZmtpError && /at most 100/.test(error.message),
    );
    assert.equal(reserved, 0);
  }
});

Deno.test("a message with more frames than allowed, reserved flags and a chained command are refused", () => {
  const bad = [
    encodeMessage([new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)]),
    Uint8Array.of(8, 0),
    Uint8Array.of(5, 3, 1, 65, 65),
    Uint8Array.of(4, 0),
    Uint8Array.of(4, 2, 9, 65),
    encodeCommand("X", new Uint8Array(2_000)),
  ];
  for (const bytes of bad) {
    assert.throws(() => read(join(encodeGreeting(), bytes), [10, 10], [7]), ZmtpError);
  }
});

Deno.test("another protocol is refused at its first byte, an older version at its number", () => {
  assert.throws(() => read(new TextEncoder().encode("GET / HTTP/1.1\r\n"), [1], [1]), ZmtpError);
  const old = encodeGreeting();
  old[10] = 1;
  assert.throws(() => read(old.subarray(0, 11), [1], [1]), /ZMTP 1 is not spoken/);
});

Deno.test("random bytes are read or refused, and never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), pieces, fc.boolean(), (noise, pieces, greet) => {
      try {
        read(greet ? join(encodeGreeting(), noise) : noise, [32, 200], pieces);
      } catch (error) {
        assert.ok(error instanceof ZmtpError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("properties are read back; lengths that do not agree are refused", () => {
  const properties = { "Socket-Type": Uint8Array.of(1, 2), Identity: new Uint8Array(255) };
  assert.deepEqual(
    [...decodeProperties(encodeProperties(properties))],
    [["socket-type", Uint8Array.of(1, 2)], ["identity", new Uint8Array(255)]],
  );
  for (const bad of [[4, 65], [1, 65, 0, 0, 0, 9, 1], [1, 65, 255, 255, 255, 255]]) {
    assert.throws(() => decodeProperties(Uint8Array.from(bad)), ZmtpError);
  }
});
