/** What the doors of a kernel turn away stands in the audit trail: each kind once, with its reason, and nothing of what was sent. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Signer } from "../../../kernel/doors/contract.ts";
import { briefOf } from "../../../kernel/doors/kernel_client.ts";
import {
  encodeCommand,
  encodeGreeting,
  encodeMessage,
  encodeProperties,
} from "../../../kernel/doors/zmtp/wire.ts";
import { Kernel, until, waiting, writeAll } from "./kernel_fixture.ts";

const ready = (type = "DEALER") =>
  encodeCommand("READY", encodeProperties({ "Socket-Type": new TextEncoder().encode(type) }));

/** Sends bytes, reads until the other end closes, and gives what it said. */
async function speak(kernel: Kernel, ...pieces: Uint8Array[]): Promise<string> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: kernel.info.port });
  for (const bytes of pieces) await writeAll(socket, bytes).catch(() => {});
  let text = "";
  const buffer = new Uint8Array(4_096);
  for (;;) {
    const count = await socket.read(buffer).catch(() => null);
    if (count === null) return text;
    text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
  }
}

Deno.test("a malformed greeting, command or MessagePack: a close or an error reply, one audit line each, and others are undisturbed", async () => {
  await using kernel = await Kernel.start();
  await using honest = await kernel.client();
  const { signer } = kernel;
  const sealed = (payload: Uint8Array) => {
    // A payload that no encoder makes, with the right signature: only who has the key gets that far.
    const key = Uint8Array.fromHex(kernel.info.key);
    return encodeMessage([createHmac("sha256", key).update(payload).digest(), payload]);
  };
  const cases: [string, string, Uint8Array[]][] = [
    ["another protocol", "bad_greeting", [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")]],
    ["an older version", "bad_greeting", [encodeGreeting().with(10, 2)]],
    ["another kind of socket", "bad_handshake", [encodeGreeting(), ready("PUB")]],
    ["a message before the handshake", "bad_handshake", [
      encodeGreeting(),
      encodeMessage([new Uint8Array(3)]),
    ]],
    ["an unknown command", "bad_frames", [
      encodeGreeting(),
      ready(),
      encodeCommand("DANCE", new Uint8Array(2)),
    ]],
    ["reserved flags", "bad_frames", [encodeGreeting(), ready(), Uint8Array.of(0xff, 1, 2, 3)]],
    ["three frames", "bad_frames", [
      encodeGreeting(),
      ready(),
      encodeMessage([1, 2, 3].map(() => new Uint8Array(2))),
    ]],
  ];
  for (const [name, reason, bytes] of cases) {
    const before = kernel.events.length;
    await speak(kernel, ...bytes);
    await until(() => kernel.events.length > before);
    assert.deepEqual(kernel.reasons.slice(before), [reason], name);
  }
  const replies: [string, string, Uint8Array][] = [
    ["one frame", "bad_frames", encodeMessage([new Uint8Array(32)])],
    ["no MessagePack", "bad_message", sealed(Uint8Array.of(0xc1))],
    ["bytes behind the value", "bad_message", sealed(Uint8Array.of(0xc0, 0xc0))],
    ["an extension type", "bad_message", sealed(Uint8Array.of(0xd4, 1, 1))],
    ["no request", "bad_message", encodeMessage(signer.seal({ v: 1 }))],
  ];
  for (const [name, reason, bytes] of replies) {
    const before = kernel.events.length;
    using socket = await Deno.connect({ hostname: "127.0.0.1", port: kernel.info.port });
    await writeAll(socket, encodeGreeting());
    await writeAll(socket, ready());
    await writeAll(socket, bytes);
    let text = "";
    const buffer = new Uint8Array(4_096);
    while (!text.includes(reason)) {
      const count = await socket.read(buffer);
      assert.ok(count !== null, `${name}: closed without a reply`);
      text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
    }
    assert.deepEqual(kernel.reasons.slice(before), [reason], name);
    assert.equal((await honest.call("ping")).type, "reply");
  }
});

Deno.test("a replay, another time, an unknown command, a wrong signature, code without a guardian: each is noted with who sent it", async () => {
  await using kernel = await Kernel.start();
  const { connection, received } = await kernel.peer("mallory");
  const frames = kernel.signer.seal({ ...kernel.request("ping"), secret: "hunter2hunter2hunter2" });
  const stranger = new Signer(crypto.getRandomValues(new Uint8Array(32)));
  connection.send(frames);
  connection.send(frames);
  connection.send(kernel.signer.seal({ ...kernel.request("ping"), time: Date.now() - 60_000 }));
  connection.send(kernel.signer.seal(kernel.request("__proto__")));
  connection.send(stranger.seal(kernel.request("search")));
  connection.send(
    kernel.signer.seal(kernel.request("create_method", { method_name: "a", method_code: "b" })),
  );
  // A wrong argument is no attack.
  connection.send(kernel.signer.seal(kernel.request("search")));
  await until(() => received.length === 7);
  assert.deepEqual(kernel.reasons, [
    "replayed",
    "bad_time",
    "unknown_command",
    "bad_signature",
    "refused",
  ]);
  const text = JSON.stringify(kernel.events) + kernel.lines.join("\n");
  for (const { event_data: { door, peer, address, count } } of kernel.events) {
    assert.deepEqual([door, peer, count], ["endpoint", "mallory", 1]);
    assert.match(String(address), /^127\.0\.0\.1:\d+$/);
  }
  assert.ok(!text.includes("hunter2"), "what was sent is in the trail");
  assert.ok(!text.includes(kernel.info.key), "the key is in the trail");
  assert.ok(!text.includes(frames[0].toHex()), "a signature is in the trail");
  await connection.close();
});

Deno.test("an identity that is in use, and a reply that found nobody, are noted", async () => {
  await using kernel = await Kernel.start();
  const { connection } = await kernel.peer("twin");
  await assert.rejects(kernel.peer("twin"), /this identity is in use/);
  await until(() => kernel.events.length === 1);
  assert.deepEqual(kernel.reasons, ["bad_handshake"]);
  assert.equal(kernel.events[0]!.event_data.detail, "this identity is in use");
  connection.send(
    kernel.signer.seal({
      ...kernel.request("refs", briefOf("refs", ["a"]) as never),
      id: "call-7",
    }),
  );
  await until(() => waiting.refs === 1);
  await connection.close(true);
  await until(() => kernel.events.length === 2);
  const { event_type, event_data } = kernel.events[1]!;
  assert.equal(event_type, "UNDELIVERED");
  assert.match(String(event_data.detail), /"call-7" could not be delivered/);
  assert.equal(waiting.refs, 0);
});

Deno.test("a frame of 100 MB is refused by its header, before its bytes are there, and nobody else waits", async () => {
  await using kernel = await Kernel.start();
  await using honest = await kernel.client();
  const header = Uint8Array.of(2, 0, 0, 0, 0, 0x06, 0, 0, 0); // the last frame of a message: 100,663,296 bytes
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: kernel.info.port });
  await writeAll(socket, encodeGreeting());
  await writeAll(socket, ready());
  await writeAll(socket, encodeMessage([new Uint8Array(32), new Uint8Array()]).subarray(0, 34));
  let sent = 0;
  const flood = (async () => {
    await writeAll(socket, header);
    for (; sent < 96; sent++) await writeAll(socket, new Uint8Array(1_048_576));
  })().catch(() => {});
  await until(() => kernel.reasons.includes("bad_frames"));
  assert.equal((await honest.call("ping")).type, "reply");
  await flood;
  assert.ok(sent < 96, "all of it was taken");
  assert.match(String(kernel.events[0]!.event_data.detail), /frame 2 of 100663296 bytes, at most/);
});

Deno.test("more requests than a peer may have at a time are noted as busy, however many as few lines", async () => {
  const kernel = await Kernel.start();
  const { connection, received } = await kernel.peer("greedy");
  const ask = (n: number) =>
    connection.send(
      kernel.signer.seal({
        ...kernel.request("refs", briefOf("refs", ["a"]) as never),
        id: `${n}`,
      }),
    );
  for (let n = 0; n < 216; n++) ask(n);
  await until(() => received.length === 200);
  assert.ok(received.every(({ code }) => code === "busy"));
  assert.equal(waiting.refs, 16);
  assert.deepEqual(kernel.reasons, Array(4).fill("busy"));
  await kernel.stop();
  const { event_data } = kernel.events.find(({ event_data }) => Number(event_data.count) > 1)!;
  assert.deepEqual([event_data.reason, event_data.count], ["busy", 196]);
  await connection.close();
  Deno.removeSync(kernel.folder, { recursive: true });
});
