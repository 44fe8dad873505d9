/**
 * Frames that no WebSocket object would send, over bare sockets: each is closed with the code of RFC 6455 that says why, noted once, and harms
 * nobody else. What a frame, a fragment or an answer may cost in memory is measured, not believed.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Refusal } from "../../../../kernel/audit/refusal_log.ts";
import type { HttpDoor, HttpOptions } from "../../../../kernel/doors/http/server.ts";
import { bearer, openDoor, until, upgradeHead } from "./door.ts";

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** An open door and what it noted. */
async function watchedDoor(options: Partial<HttpOptions> = {}) {
  const notes: Refusal[] = [];
  const door = await openDoor({}, {
    refusals: { note: (refusal) => void notes.push(refusal) },
    ...options,
  });
  return { door, notes };
}

/** How a frame departs from the usual one: the last of its message, masked, its length said truly. */
interface Odd {
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** Said instead of the true length, in eight octets. */
  readonly length?: bigint;
}

/** A frame of RFC 6455, section 5.2. */
function frame(opcode: number, payload: Uint8Array | string = "", odd: Odd = {}): Uint8Array {
  const { fin = true, rsv = 0, masked = true, length } = odd;
  const body = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (length !== undefined || body.length > 0xffff) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(body.length));
    head.push(mask | 127, ...bytes);
  } else if (body.length > 125) head.push(mask | 126, body.length >> 8, body.length & 0xff);
  else head.push(mask | body.length);
  const key = [0x11, 0x22, 0x33, 0x44];
  if (!masked) return Uint8Array.from([...head, ...body]);
  const whole = new Uint8Array(head.length + 4 + body.length);
  whole.set(head);
  whole.set(key, head.length);
  body.forEach((byte, at) => whole[head.length + 4 + at] = byte ^ key[at % 4]!);
  return whole;
}

/** A connection on a bare socket: everything that comes is kept as frames. */
class Bare implements Disposable {
  readonly frames: { readonly opcode: number; readonly payload: Uint8Array }[] = [];
  isOver = false;
  readonly #socket: Deno.TcpConn;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** @param early sent without waiting for the answer: the first behind the head at once, the others each in a turn of its own */
  static async open(
    door: HttpDoor,
    { reads = true, early = [] }: { reads?: boolean; early?: readonly Uint8Array[] } = {},
  ): Promise<Bare> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: door.port });
    // What a browser offers; nothing is to be agreed on.
    const head = upgradeHead(
      door,
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
      "Sec-WebSocket-Protocol: chat",
    );
    await socket.write(Buffer.concat([head, ...early.slice(0, 1)]));
    for (const frame of early.slice(1)) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      await socket.write(frame);
    }
    let bytes: Uint8Array = new Uint8Array();
    const more = async () => {
      const buffer = new Uint8Array(65_536);
      const count = await socket.read(buffer).catch(() => null);
      if (count !== null) bytes = Buffer.concat([bytes, buffer.subarray(0, count)]);
      return count !== null;
    };
    const headOf = () => new TextDecoder("latin1").decode(bytes).indexOf("\r\n\r\n");
    while (headOf() < 0 && await more());
    const answer = new TextDecoder().decode(bytes.subarray(0, headOf()));
    assert.match(answer, /^HTTP\/1\.1 101 /);
    assert.doesNotMatch(answer, /sec-websocket-(extensions|protocol)/i);
    bytes = bytes.slice(headOf() + 4);
    const bare = new Bare(socket);
    if (reads) {
      (async () => {
        do bytes = bare.#take(bytes); while (await more());
        bare.isOver = true;
      })();
    }
    return bare;
  }

  /** Whole frames from the front; gives the rest. What a server sends is not masked. */
  #take(bytes: Uint8Array): Uint8Array {
    for (;;) {
      if (bytes.length < 2) return bytes;
      const short = bytes[1]! & 0x7f;
      const start = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (bytes.length < start) return bytes;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const length = short === 126
        ? view.getUint16(2)
        : short === 127
        ? Number(view.getBigUint64(2))
        : short;
      if (bytes.length < start + length) return bytes;
      const payload = bytes.slice(start, start + length);
      this.frames.push({ opcode: bytes[0]! & 0x0f, payload });
      bytes = bytes.slice(start + length);
    }
  }

  /** Sends all of it, or as much as the other end takes. */
  async send(bytes: Uint8Array): Promise<number> {
    let at = 0;
    try {
      while (at < bytes.length) at += await this.#socket.write(bytes.subarray(at));
    } catch {
      // Closed meanwhile.
    }
    return at;
  }

  /** The code of the close frame that came. */
  get code(): number | undefined {
    const payload = this.frames.find(({ opcode }) => opcode === CLOSE)?.payload;
    return payload && new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  }

  /** The texts that came. */
  get texts(): string[] {
    return this.frames.filter(({ opcode }) => opcode === TEXT)
      .map(({ payload }) => new TextDecoder().decode(payload));
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A client that behaves, and whether it is still served. */
async function bystander(door: HttpDoor) {
  const socket = new WebSocket(`${door.base.replace("http", "ws")}/events`, {
    headers: bearer(door),
  });
  const state = { pongs: 0, closed: false };
  socket.onmessage = ({ data }) => {
    if (JSON.parse(data).type === "pong") state.pongs++;
  };
  socket.onclose = () => state.closed = true;
  await new Promise((done) => socket.onopen = done);
  return {
    async isServed() {
      const before = state.pongs;
      socket.send('{"type":"ping"}');
      await until(() => state.pongs > before, "the bystander's pong");
    },
    async leave() {
      socket.close();
      await until(() => state.closed, "the bystander to leave");
    },
  };
}

Deno.test("a message of fragments without end is refused at its bound, and costs no memory", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  const other = await bystander(door);
  const begins = frame(TEXT, "x".repeat(1_000), { fin: false });
  // Large, small and empty ones; the empty ones have no bytes to be counted.
  for (const size of [60_000, 100, 0]) {
    const before = Deno.memoryUsage();
    notes.length = 0;
    using bare = await Bare.open(door);
    await bare.send(begins);
    const piece = frame(CONTINUATION, new Uint8Array(size), { fin: false });
    const block = Buffer.concat(Array(Math.ceil(1_000_000 / piece.length)).fill(piece));
    let sent = 0;
    while (!bare.isOver && sent < 200_000_000) {
      const taken = await bare.send(block);
      sent += taken;
      if (taken < block.length) break;
    }
    await until(() => bare.isOver, `${size}: the end`);
    assert.equal(bare.code, size === 60_000 ? 1009 : 1008, String(size));
    assert.deepEqual(notes.map(({ reason }) => reason), ["too_large"], String(size));
    assert.ok(sent < 64_000_000, `${size}: ${sent} bytes were taken`);
    const { external, heapUsed } = Deno.memoryUsage();
    const held = external - before.external + heapUsed - before.heapUsed;
    assert.ok(held < 48_000_000, `${size}: ${held} bytes are held`);
  }
  await other.isServed();
  await other.leave();
});

Deno.test("what breaks the protocol is closed with the code that says so, and noted once", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  const other = await bystander(door);
  const cases: [string, number, Refusal["reason"], Uint8Array[]][] = [
    ["no mask", 1002, "bad_frames", [frame(TEXT, '{"type":"ping"}', { masked: false })]],
    ...[3, 4, 5, 6, 7, 11, 15].map((opcode): [string, number, Refusal["reason"], Uint8Array[]] => [
      `opcode ${opcode}`,
      1002,
      "bad_frames",
      [frame(opcode, "x")],
    ]),
    ...[1, 2, 4].map((rsv): [string, number, Refusal["reason"], Uint8Array[]] => [
      `reserved bit ${rsv}: nothing was agreed on`,
      1002,
      "bad_frames",
      [frame(TEXT, "x", { rsv })],
    ]),
    ["a continuation of nothing", 1002, "bad_frames", [frame(CONTINUATION, "x")]],
    ["a second message within one", 1002, "bad_frames", [
      frame(TEXT, "x", { fin: false }),
      frame(TEXT, "y"),
    ]],
    ["a ping in fragments", 1002, "bad_frames", [frame(PING, "x", { fin: false })]],
    ["a ping of 126 bytes", 1002, "bad_frames", [frame(PING, "x".repeat(126))]],
    ["a close of one byte", 1002, "bad_frames", [frame(CLOSE, "x")]],
    ["a close for no reason there is", 1002, "bad_frames", [frame(CLOSE, Uint8Array.of(3, 237))]],
    ["no UTF-8", 1007, "bad_frames", [frame(TEXT, Uint8Array.of(0xc3, 0x28))]],
    ["half a character, its other half missing", 1007, "bad_frames", [
      frame(TEXT, Uint8Array.of(0xe2, 0x82), { fin: false }),
      frame(CONTINUATION, ""),
    ]],
    ["a reason that is no UTF-8", 1007, "bad_frames", [
      frame(CLOSE, Uint8Array.of(3, 232, 0xff)),
    ]],
    ["binary", 1003, "bad_message", [frame(BINARY, "x")]],
    ["2^63 bytes", 1009, "too_large", [frame(TEXT, "x", { length: 1n << 63n })]],
    ["2^64 - 1 bytes", 1009, "too_large", [frame(TEXT, "x", { length: (1n << 64n) - 1n })]],
    ["2^32 bytes", 1009, "too_large", [frame(TEXT, "x", { length: 1n << 32n })]],
    ["one byte too many, in two fragments", 1009, "too_large", [
      frame(TEXT, "x".repeat(4_000), { fin: false }),
      frame(CONTINUATION, "x".repeat(97)),
    ]],
    ["a flood of pings", 1008, "flood", Array(200).fill(frame(PING, "x"))],
    ["a flood of pongs", 1008, "flood", Array(200).fill(frame(PONG))],
    ["pings between fragments, without end", 1008, "flood", [
      frame(TEXT, "{", { fin: false }),
      ...Array(200).fill(frame(PING)),
    ]],
  ];
  for (const [name, code, reason, frames] of cases) {
    notes.length = 0;
    using bare = await Bare.open(door);
    await bare.send(Buffer.concat(frames));
    await until(() => bare.code !== undefined, `${name}: a reason`);
    assert.equal(bare.code, code, name);
    // Answered as the protocol wants it, the connection ends.
    await bare.send(frame(CLOSE, Uint8Array.of(code >> 8, code & 0xff)));
    await until(() => bare.isOver, `${name}: the end`);
    assert.deepEqual(notes.map((note) => note.reason), [reason], name);
  }
  await other.isServed();
  await other.leave();
});

Deno.test("a message in fragments, with a ping between them and off the wire in pieces, is one message", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  using bare = await Bare.open(door);
  const bytes = Buffer.concat([
    frame(TEXT, '{"type"', { fin: false }),
    frame(PING, "are you there?"),
    frame(CONTINUATION, "", { fin: false }),
    frame(CONTINUATION, ':"ping"}'),
  ]);
  for (let at = 0; at < bytes.length; at += 20) {
    await bare.send(bytes.subarray(at, at + 20));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(() => bare.texts.includes('{"type":"pong"}'), "the answer");
  const pong = bare.frames.find(({ opcode }) => opcode === PONG);
  assert.equal(new TextDecoder().decode(pong?.payload), "are you there?");
  // The closing handshake: the code comes back, then the end.
  await bare.send(frame(CLOSE, Uint8Array.of(3, 232)));
  await until(() => bare.isOver, "the end");
  assert.equal(bare.code, 1000);
  assert.deepEqual(notes, []);
});

Deno.test("what a client says before it was answered is heard, of the first client too", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  for (let client = 0; client < 3; client++) {
    const early = ["one", "two", "three"].map((text) => frame(PING, text));
    using bare = await Bare.open(door, { early });
    const pongs = () => bare.frames.filter(({ opcode }) => opcode === PONG);
    await until(() => pongs().length === 3, "the answers");
    assert.deepEqual(
      pongs().map(({ payload }) => new TextDecoder().decode(payload)),
      ["one", "two", "three"],
    );
  }
  assert.deepEqual(notes, []);
});

Deno.test("half a frame and then silence, or nothing but silence: who gives no sign of life is let go", async () => {
  const { door, notes } = await watchedDoor({ pingMs: 150 });
  await using _ = door;
  const other = await bystander(door);
  for (
    const sent of [
      frame(TEXT, "x".repeat(100)).subarray(0, 50),
      Uint8Array.of(0x81),
      new Uint8Array(),
    ]
  ) {
    notes.length = 0;
    using bare = await Bare.open(door);
    await bare.send(sent);
    await until(() => bare.isOver, "the end");
    assert.ok(bare.frames.some(({ opcode }) => opcode === PING), "it was asked");
    assert.deepEqual(notes.map(({ reason }) => reason), ["no_sign_of_life"]);
  }
  await other.isServed();
  await other.leave();
});

Deno.test("pings by who reads no answers do not pile up", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  const before = Deno.memoryUsage();
  using deaf = await Bare.open(door, { reads: false });
  const block = Buffer.concat(Array(10_000).fill(frame(PING, "x".repeat(125))));
  for (let i = 0; i < 50 && await deaf.send(block) === block.length; i++);
  await until(() => notes.length > 0, "the note");
  assert.deepEqual(notes.map(({ reason }) => reason), ["flood"]);
  const { external, heapUsed } = Deno.memoryUsage();
  assert.ok(external - before.external + heapUsed - before.heapUsed < 48_000_000);
});

Deno.test("a door stops in time though a client does not say goodbye", async () => {
  const { door } = await watchedDoor();
  using bare = await Bare.open(door);
  await door.stop();
  await until(() => bare.isOver, "the end");
  assert.equal(bare.code, 1001);
});

Deno.test("whatever bytes come, the door goes on", async () => {
  const { door } = await watchedDoor();
  await using _ = door;
  const other = await bystander(door);
  const odd = fc.record({
    fin: fc.boolean(),
    rsv: fc.constantFrom(0, 0, 0, 1, 2, 4),
    masked: fc.constantFrom(true, true, true, false),
  });
  const frames = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(fc.integer({ min: 0, max: 15 }), fc.uint8Array({ maxLength: 300 }), odd)
        .map(([opcode, payload, odd]) => frame(opcode, payload, odd)),
    ),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(frames, async (frames) => {
      using bare = await Bare.open(door);
      await bare.send(Buffer.concat(frames));
    }),
    { numRuns: 100 },
  );
  assert.deepEqual(door.faults, []);
  await other.isServed();
  await other.leave();
});
