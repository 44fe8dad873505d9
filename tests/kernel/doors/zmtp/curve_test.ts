/** CURVE without a socket: its handshake and its boxes, and that whatever was changed, cut, repeated or borrowed gets nowhere. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CurveClient, CurveServer } from "../../../../kernel/doors/zmtp/curve.ts";
import type { Mechanism } from "../../../../kernel/doors/zmtp/mechanism.ts";
import {
  decodeReason,
  encodeCommand,
  encodeGreeting,
  encodeMessage,
  type Item,
  Reader,
  ZmtpError,
} from "../../../../kernel/doors/zmtp/wire.ts";
import { type KeyPair, newKeyPair } from "../../../../kernel/doors/zmtp/x25519.ts";
import { encodeZ85 } from "../../../../kernel/doors/zmtp/z85.ts";

const server = newKeyPair();
const client = newKeyPair();
const FRAMES = [32, 2_000];
const octets = (text: string) => new TextEncoder().encode(text);
const greeting = (asServer: boolean) => ({ minor: 1, mechanism: "CURVE", asServer });

function serverEnd(admitted: readonly KeyPair[] = [client], keys = server): CurveServer {
  const admits = (key: Uint8Array) =>
    admitted.some(({ publicKey }) => publicKey.toHex() === key.toHex());
  const end = new CurveServer({ keys, admits });
  assert.equal(end.begin(greeting(false), octets("of the server")), undefined);
  return end;
}

/** A client, and its HELLO. */
function clientEnd(keys = client, serverKey: Uint8Array = server.publicKey) {
  const end = new CurveClient({ keys, serverKey });
  return { end, hello: end.begin(greeting(true), octets("of the client")) };
}

/** What a reader on the other side makes of bytes. */
function items(bytes: Uint8Array, limits: readonly number[] = [100_000]): Item[] {
  const reader = new Reader({ frames: limits });
  const all = [];
  const stream = new Uint8Array([...encodeGreeting("CURVE"), ...bytes]);
  for (let at = 0; at < stream.length;) {
    const room = reader.room();
    const size = Math.min(room.length, stream.length - at);
    room.set(stream.subarray(at, at + size));
    reader.filled(size);
    at += size;
    for (let item; (item = reader.next()) !== undefined;) all.push(item);
  }
  return all.slice(1);
}

/** Hands a command of the handshake to an end. */
function shake(end: Mechanism, frame: Uint8Array) {
  const [item] = items(frame);
  assert.ok(item?.kind === "command");
  return end.shake(item.name, item.data);
}

/** All four commands of a handshake, and the ends that made them. */
function handshake() {
  const to = serverEnd();
  to.limits({ frames: FRAMES });
  const { end: from, hello } = clientEnd();
  from.limits({ frames: FRAMES });
  const welcome = shake(to, hello).send!;
  const initiate = shake(from, welcome).send!;
  const { properties } = shake(to, initiate);
  const ready = to.finish();
  return { to, from, hello, welcome, initiate, ready, properties };
}

/** Two ends that have let each other in. */
function conversation() {
  const { to, from, ready } = handshake();
  shake(from, ready);
  from.finish();
  return { to, from };
}

/** Where the body of a frame begins: behind its flags and its size. */
function bodyOf(frame: Uint8Array): number {
  return (frame[0]! & 2) === 0 ? 2 : 9;
}

/** A copy with one bit of one octet changed. */
function flip(frame: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(frame);
  changed[at]! ^= 1 << (at % 8);
  return changed;
}

/** A copy of a command that ends after so many octets of its data, as a frame that is right in itself. */
function shorten(frame: Uint8Array, length: number): Uint8Array {
  const [item] = items(frame);
  assert.ok(item?.kind === "command");
  return encodeCommand(item.name, item.data.subarray(0, length));
}

Deno.test("the handshake: each end learns what the other says, and who it is", () => {
  const { to, from, hello, welcome, ready, properties } = handshake();
  assert.deepEqual(new TextDecoder().decode(properties), "of the client");
  assert.deepEqual(to.peerKey, client.publicKey);
  assert.deepEqual(new TextDecoder().decode(shake(from, ready).properties), "of the server");
  assert.deepEqual(from.peerKey, server.publicKey);
  // Sizes of RFC 26, behind two octets of a frame's header.
  assert.equal(hello.length - 2, 200);
  assert.equal(welcome.length - 2, 168);
});

Deno.test("messages of any parts arrive as they were sent, both ways, and commands beside them", () => {
  const { to, from } = conversation();
  const parts = fc.array(fc.uint8Array({ maxLength: 32 }), { minLength: 1, maxLength: 2 });
  fc.assert(
    fc.property(parts, fc.boolean(), (parts, up) => {
      const [near, far] = up ? [from, to] : [to, from];
      const opened = items(near.seal(parts)).map((item) => far.open(item));
      assert.deepEqual(opened.slice(0, -1), parts.slice(1).map(() => undefined));
      assert.deepEqual(opened.at(-1), { kind: "message", parts });
      const [ping] = items(near.sealCommand("PING", Uint8Array.of(0, 9, 7)));
      assert.deepEqual(far.open(ping!), {
        kind: "command",
        name: "PING",
        data: Uint8Array.of(0, 9, 7),
      });
    }),
    { numRuns: 200 },
  );
});

Deno.test("the same message looks different every time, and nothing of it can be read", () => {
  const { from } = conversation();
  const secret = octets("the keys are under the mat");
  const sealed = Array.from(
    { length: 20 },
    () => new TextDecoder("latin1").decode(from.seal([secret])),
  );
  assert.equal(new Set(sealed).size, 20);
  assert.ok(sealed.every((text) => !text.includes("mat")));
});

Deno.test("a MESSAGE with a bit changed in any octet is refused, and costs the right one nothing", () => {
  const { to, from } = conversation();
  const parts = [octets("short")];
  const sealed = from.seal(parts);
  for (let at = bodyOf(sealed); at < sealed.length; at++) {
    const [changed] = items(flip(sealed, at));
    assert.throws(() => to.open(changed!), ZmtpError, `octet ${at}`);
  }
  assert.deepEqual(to.open(items(sealed)[0]!), { kind: "message", parts });
});

Deno.test("a MESSAGE of any shorter length is refused, and so is one that stands in the clear", () => {
  const { to, from } = conversation();
  const [item] = items(from.seal([octets("short")]));
  assert.ok(item?.kind === "message");
  for (let length = 0; length < item.parts[0]!.length; length++) {
    const cut = items(encodeMessage([item.parts[0]!.subarray(0, length)]))[0]!;
    assert.throws(() => to.open(cut), ZmtpError);
  }
  assert.throws(() => to.open({ kind: "message", parts: [octets("in the clear")] }), ZmtpError);
  assert.throws(
    () => to.open({ kind: "command", name: "PING", data: new Uint8Array(2) }),
    /outside of a box/,
  );
});

Deno.test("HELLO, WELCOME, INITIATE and READY with any bit changed, or cut at any place, are refused", () => {
  const attempt = (step: number, change: (frame: Uint8Array) => Uint8Array) => {
    const to = serverEnd();
    const { end: from, hello } = clientEnd();
    const welcome = shake(to, step === 0 ? change(hello) : hello).send!;
    const initiate = shake(from, step === 1 ? change(welcome) : welcome).send!;
    shake(to, step === 2 ? change(initiate) : initiate);
    const ready = to.finish();
    shake(from, step === 3 ? change(ready) : ready);
  };
  const { hello, welcome, initiate, ready } = handshake();
  // Changed by place, since the frames of every handshake are others; their lengths are the same.
  [hello, welcome, initiate, ready].forEach((sample, step) => {
    attempt(step, (frame) => frame);
    for (let at = bodyOf(sample); at < sample.length; at++) {
      assert.throws(() => attempt(step, (frame) => flip(frame, at)), ZmtpError, `${step}: ${at}`);
    }
    const [item] = items(sample);
    assert.ok(item?.kind === "command");
    for (let length = item.data.length - 1; length >= 0; length -= 5) {
      assert.throws(() => attempt(step, (frame) => shorten(frame, length)), ZmtpError);
    }
  });
});

Deno.test("what a nonce was used for is not taken again: repeated, reordered, sent back", () => {
  const { to, from } = conversation();
  const [first, second, third] = [1, 2, 3].map((n) => items(from.seal([Uint8Array.of(n)]))[0]!);
  assert.ok(to.open(first!));
  assert.throws(() => to.open(first!), /a nonce does not rise/);
  assert.ok(to.open(third!));
  assert.throws(() => to.open(second!), /a nonce does not rise/);
  // A message of one end is none of the other's, though the key is the same.
  const [fourth] = items(from.seal([Uint8Array.of(4)]));
  assert.throws(() => from.open(fourth!), ZmtpError);
});

Deno.test("what was recorded of a handshake is worth nothing on another connection, or a second time", () => {
  const { hello, initiate } = handshake();
  const other = serverEnd();
  // Whoever repeats a HELLO is answered, as anybody is, with what only its author can open.
  assert.ok(shake(other, hello).send);
  assert.throws(() => shake(other, initiate), /a cookie that is not of this connection/);
  const early = serverEnd();
  assert.throws(() => shake(early, initiate), /expected HELLO/);
  const twice = serverEnd();
  shake(twice, hello);
  assert.throws(() => shake(twice, hello), /expected INITIATE/);
  const { to, initiate: own } = handshake();
  assert.throws(() => shake(to, own), ZmtpError);
});

Deno.test("a key that is not on the list is refused before its properties are read, and told so as libzmq has it", () => {
  const stranger = newKeyPair();
  const to = serverEnd([]);
  const { end, hello } = clientEnd(stranger);
  const initiate = shake(end, shake(to, hello).send!).send!;
  assert.throws(
    () => shake(to, initiate),
    (error) =>
      error instanceof ZmtpError && error.message.includes(encodeZ85(stranger.publicKey)) &&
      /is not on the list/.test(error.message),
  );
  assert.deepEqual(to.peerKey, stranger.publicKey);
  assert.equal(to.isDenied, true);
  const [refusal] = items(to.refusal("a reason of ours")!);
  assert.ok(refusal?.kind === "command" && refusal.name === "ERROR");
  assert.equal(decodeReason(refusal.data), "400");
});

Deno.test("a client that knows another server's key is refused without a word", () => {
  const to = serverEnd();
  const { hello } = clientEnd(client, newKeyPair().publicKey);
  assert.throws(() => shake(to, hello), /not for the key of this server/);
  assert.equal(to.refusal("anything"), undefined);
});

Deno.test("a server that has not the key that is meant is not believed", () => {
  const to = serverEnd([client], newKeyPair());
  const { hello } = clientEnd(client, server.publicKey);
  assert.throws(() => shake(to, hello), ZmtpError);
  // One that answers all the same cannot make a WELCOME.
  const { end } = clientEnd();
  const { welcome } = handshake();
  assert.throws(() => shake(end, welcome), /not of the server that is meant/);
});

Deno.test("nobody speaks for a key whose secret they do not have: a stolen INITIATE of another conversation", () => {
  // Mallory is admitted, and wants to be taken for the client: she puts its public key into an INITIATE of her own.
  const mallory = newKeyPair();
  const to = serverEnd([client, mallory]);
  const pretended = { publicKey: client.publicKey, secretKey: mallory.secretKey };
  const { end, hello } = clientEnd(pretended);
  const initiate = shake(end, shake(to, hello).send!).send!;
  assert.throws(() => shake(to, initiate), /nobody vouches/);
  assert.equal(to.peerKey, undefined);
});

Deno.test("two servers, and a second handshake, are refused", () => {
  const end = new CurveServer({ keys: server, admits: () => true });
  assert.throws(() => end.begin(greeting(true), new Uint8Array()), /both ends are servers/);
  const { from } = conversation();
  const { welcome, ready } = handshake();
  assert.throws(() => shake(from, welcome), ZmtpError);
  assert.throws(() => shake(from, ready), ZmtpError);
});

Deno.test("before the handshake no message is waited for; after it a part has the limit of its place", () => {
  const { to, from, ready } = handshake();
  const fresh = serverEnd();
  const limits = fresh.limits({ frames: FRAMES });
  assert.throws(
    () => items(encodeMessage([new Uint8Array(9)]), limits.frames),
    /9 bytes, at most 0/,
  );
  shake(from, ready);
  from.finish();
  const send = (...parts: Uint8Array[]) =>
    items(from.seal(parts)).map((item) => to.open(item)).at(-1);
  assert.ok(send(new Uint8Array(32), new Uint8Array(2_000)));
  assert.throws(() => send(new Uint8Array(33)), /frame 1 of 33 bytes, at most 32/);
  const again = conversation();
  const sendAgain = (...parts: Uint8Array[]) =>
    items(again.from.seal(parts)).map((item) => again.to.open(item)).at(-1);
  assert.throws(
    () => sendAgain(new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)),
    /more than 2 frames/,
  );
});

Deno.test("random octets in place of any step are refused, and nothing else is thrown", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("HELLO", "WELCOME", "INITIATE", "READY", "MESSAGE", "PING", "ERROR"),
      fc.uint8Array({ maxLength: 400 }),
      fc.integer({ min: 0, max: 2 }),
      (name, noise, when) => {
        const to = serverEnd();
        const { end: from, hello } = clientEnd();
        if (when > 0) {
          const welcome = shake(to, hello).send!;
          if (when > 1) shake(from, welcome);
        }
        assert.throws(() => to.shake(name, noise), ZmtpError);
        assert.throws(() => from.shake(name, noise), ZmtpError);
      },
    ),
    { numRuns: 300 },
  );
});
