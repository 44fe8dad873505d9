/** What the HTTP door turns away is noted: strangers, pages of other origins, tokens that are none, bodies and WebSockets without measure. */
import assert from "node:assert/strict";
import type { Refusal } from "../../../../kernel/audit/refusal_log.ts";
import type { HttpDoor } from "../../../../kernel/doors/http/server.ts";
import { bearer, openDoor, post, raw, until, upgradeHead } from "./door.ts";

/** An open door and what it noted. */
async function watchedDoor() {
  const notes: Refusal[] = [];
  const door = await openDoor({ ask: () => Promise.resolve({}) }, {
    refusals: { note: (refusal) => void notes.push(refusal) },
  });
  return { door, notes };
}

/** Opens `/events` on a bare socket, which can send what no WebSocket object would. */
async function upgrade(door: HttpDoor): Promise<Deno.TcpConn> {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: door.port });
  await socket.write(upgradeHead(door));
  const buffer = new Uint8Array(4_096);
  const count = await socket.read(buffer);
  assert.match(new TextDecoder().decode(buffer.subarray(0, count ?? 0)), /^HTTP\/1\.1 101/);
  return socket;
}

/** Reads until the other end closes. */
async function closed(socket: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  while ((await socket.read(buffer).catch(() => null)) !== null);
}

Deno.test("a foreign Host, Origin or site, no token and a wrong one: each is noted with its reason and its address, and no token is", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  const host = `Host: 127.0.0.1:${door.port}`;
  const cases: [string, string[]][] = [
    ["foreign_host", ["GET / HTTP/1.1", "Host: rebound.example.com"]],
    ["foreign_origin", ["GET / HTTP/1.1", host, "Origin: https://example.com"]],
    ["foreign_origin", ["POST /api/ask HTTP/1.1", host, "Sec-Fetch-Site: cross-site"]],
    ["bad_token", ["GET /api HTTP/1.1", host]],
    ["bad_token", ["GET /events HTTP/1.1", host, `Authorization: Bearer ${"0".repeat(64)}`]],
    ["bad_token", [`GET /?token=${"1".repeat(64)} HTTP/1.1`, host]],
    ["foreign_origin", [
      "GET /events HTTP/1.1",
      host,
      "Origin: http://127.0.0.1:1",
      `Authorization: Bearer ${door.token}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
    ]],
  ];
  for (const [reason, head] of cases) {
    const before = notes.length;
    await raw(door, head);
    assert.deepEqual(notes.slice(before).map((note) => note.reason), [reason], head.join(" | "));
    assert.match(notes.at(-1)!.address!, /^127\.0\.0\.1:\d+$/);
    assert.equal(notes.at(-1)!.door, "http");
  }
  const text = JSON.stringify(notes);
  for (const token of [door.token, "0".repeat(64), "1".repeat(64)]) {
    assert.ok(!text.includes(token), "a token was noted");
  }
  // Nothing is noted of those who may come in.
  const before = notes.length;
  assert.equal((await post(door, "ask", { question: "why?" })).status, 200);
  assert.equal(notes.length, before);
});

Deno.test("a body of 100 MB is refused and noted", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  const answer = await raw(door, [
    "POST /api/ask HTTP/1.1",
    `Host: 127.0.0.1:${door.port}`,
    `Authorization: Bearer ${door.token}`,
    "Content-Type: application/json",
    "Content-Length: 100000000",
  ]);
  assert.match(answer, /^HTTP\/1\.1 413/);
  assert.deepEqual(notes.map(({ reason }) => reason), ["too_large"]);
});

Deno.test("a WebSocket that floods, sends too much or the wrong thing is closed and noted once, however much it had sent", async () => {
  const { door, notes } = await watchedDoor();
  await using _ = door;
  const cases: [string, (socket: WebSocket) => void][] = [
    ["flood", (socket) => {
      for (let n = 0; n < 2_000; n++) socket.send('{"type":"ping"}');
    }],
    ["too_large", (socket) => socket.send("x".repeat(4_097))],
    ["too_large", (socket) => socket.send("x".repeat(20_000_000))],
    ["bad_message", (socket) => {
      for (let n = 0; n < 20; n++) socket.send('{"type":"run"}');
    }],
  ];
  for (const [reason, speak] of cases) {
    const before = notes.length;
    const socket = new WebSocket(`${door.base.replace("http", "ws")}/events`, {
      headers: bearer(door),
    });
    let over = false;
    socket.onclose = () => over = true;
    socket.onerror = () => {};
    await new Promise((done) => socket.onopen = done);
    speak(socket);
    await until(() => over, `${reason} to be closed`);
    assert.deepEqual(notes.slice(before).map((note) => note.reason), [reason]);
  }
});

Deno.test("a WebSocket frame that announces 100 MB is refused by its header", async () => {
  const { door } = await watchedDoor();
  await using _ = door;
  using socket = await upgrade(door);
  const over = closed(socket);
  // The last frame of a text, masked: eight octets of length.
  await socket.write(Uint8Array.of(0x81, 0xff, 0, 0, 0, 0, 0x05, 0xf5, 0xe1, 0, 1, 2, 3, 4));
  let sent = 0;
  const block = new Uint8Array(1_048_576);
  const flood = (async () => {
    for (; sent < 96; sent++) {
      for (let at = 0; at < block.length;) at += await socket.write(block.subarray(at));
    }
  })().catch(() => {});
  await over;
  await flood;
  assert.ok(sent < 64, `${sent} MB were taken`);
});
