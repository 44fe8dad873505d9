/** `/events` with real WebSockets and with a bare socket that does not read. */
import assert from "node:assert/strict";
import type { KernelEvent } from "../../../../kernel/doors/http/events.ts";
import type { HttpDoor } from "../../../../kernel/doors/http/server.ts";
import { bearer, openDoor, post, until, upgradeHead } from "./door.ts";

/** A connection and everything that came over it. */
function connect(door: HttpDoor, headers: Record<string, string> = bearer(door)) {
  const socket = new WebSocket(`${door.base.replace("http", "ws")}/events`, { headers });
  const messages: Record<string, unknown>[] = [];
  const state = { closed: undefined as number | undefined, opened: false };
  socket.onopen = () => state.opened = true;
  socket.onmessage = ({ data }) => messages.push(JSON.parse(data));
  socket.onclose = ({ code }) => state.closed = code;
  socket.onerror = () => {};
  return { socket, messages, state };
}

const types = (messages: Record<string, unknown>[]) => messages.map(({ type }) => type);

/** A source of events that a test can feed. */
function source() {
  const listeners = new Set<(event: KernelEvent) => void>();
  return {
    listen: (listener: (event: KernelEvent) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell: (event: KernelEvent) => listeners.forEach((listener) => listener(event)),
    get size() {
      return listeners.size;
    },
  };
}

Deno.test("a client hears what runs and what happens", async () => {
  const kernel = source();
  await using door = await openDoor({
    ask: (_input, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  }, { listen: kernel.listen });
  const { socket, messages, state } = connect(door);
  await until(() => messages.length >= 2, "the greeting");
  assert.deepEqual(types(messages), ["hello", "runs"]);
  kernel.tell({ type: "uvm_state_update", state: { oid: "7" } });
  await until(() => messages.length >= 3, "the event");
  assert.deepEqual(messages[2], { type: "uvm_state_update", state: { oid: "7" } });
  const running = post(door, "ask", { question: "why?" }, { accept: "application/x-ndjson" });
  await until(() => (messages.at(-1)?.runs as unknown[])?.length === 1, "the run");
  door.runs.cancel(door.runs.list()[0]!.id);
  await (await running).text();
  await until(() => (messages.at(-1)?.runs as unknown[])?.length === 0, "the end of the run");
  socket.send('{"type":"ping"}');
  await until(() => types(messages).includes("pong"), "the pong");
  socket.close();
  await until(() => state.closed !== undefined, "the end");
});

Deno.test("no connection without the token, none from another origin", async () => {
  await using door = await openDoor({});
  const strangers = [
    {},
    { authorization: "Bearer wrong" },
    bearer(door, { origin: "https://example.com" }),
    bearer(door, { origin: `http://127.0.0.1:${door.port + 1}` }),
  ];
  for (const headers of strangers) {
    const { state } = connect(door, headers as Record<string, string>);
    await until(() => state.closed !== undefined, "the refusal");
    assert.ok(!state.opened, JSON.stringify(headers));
  }
});

Deno.test("a flood, a long message and an unknown one end a connection, and no other", async () => {
  await using door = await openDoor({});
  const quiet = connect(door);
  await until(() => quiet.state.opened, "the quiet one");
  const cases: [string, (socket: WebSocket) => void, number | undefined][] = [
    // What still flows when the door closes can take the close frame with it: then there is no code.
    ["flood", (socket) => {
      for (let i = 0; i < 1000; i++) socket.send('{"type":"ping"}');
    }, undefined],
    ["long", (socket) => socket.send("x".repeat(1_000_000)), 1009],
    ["unknown", (socket) => socket.send('{"type":"run","command":"ingest"}'), 1008],
    ["binary", (socket) => socket.send(new Uint8Array(10)), 1003],
  ];
  for (const [name, speak, code] of cases) {
    const { socket, state, messages } = connect(door);
    await until(() => state.opened, name);
    speak(socket);
    await until(() => state.closed !== undefined, `${name} to be closed`);
    if (code !== undefined) assert.equal(state.closed, code, name);
    assert.ok(types(messages).filter((type) => type === "pong").length <= 60, name);
  }
  assert.equal(quiet.state.closed, undefined);
  quiet.socket.send('{"type":"ping"}');
  await until(() => types(quiet.messages).includes("pong"), "the quiet one's pong");
  quiet.socket.close();
  await until(() => quiet.state.closed !== undefined, "the end");
});

Deno.test("a client that does not read is let go, and delays nobody", async () => {
  const kernel = source();
  await using door = await openDoor({}, { listen: kernel.listen, slowMs: 200 });
  // A socket of our own: a WebSocket object always reads.
  using slow = await Deno.connect({ hostname: "127.0.0.1", port: door.port });
  await slow.write(upgradeHead(door));
  const reader = connect(door);
  await until(() => reader.messages.length >= 2, "the reader");
  const text = "x".repeat(100_000);
  let told = 0;
  const before = Deno.memoryUsage().external;
  for (let i = 0; i < 300; i++) {
    kernel.tell({ type: "uvm_state_update", number: i, text });
    told++;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  // Thirty megabytes were meant for each; the one that reads got all of it.
  await until(
    () => reader.messages.filter(({ type }) => type === "uvm_state_update").length === told,
    "the reader to have everything",
  );
  assert.ok(Deno.memoryUsage().external - before < 20_000_000, "nothing piled up");
  // What the system had taken over is read now; the end of it is the end of the connection.
  let bytes = 0;
  let closed = false;
  const buffer = new Uint8Array(1_000_000);
  const drain = (async () => {
    for (;;) {
      const read = await slow.read(buffer).catch(() => null);
      if (read === null) break;
      bytes += read;
      // A close frame with code 1013 and its reason.
      if (new TextDecoder().decode(buffer.subarray(0, read)).includes("does not read")) break;
    }
    closed = true;
  })();
  await until(() => closed, "the slow one to be let go");
  await drain;
  assert.ok(bytes < 25_000_000, `${bytes} bytes were kept for a client that did not read`);
  reader.socket.close();
  await until(() => reader.state.closed !== undefined, "the end");
});

Deno.test("there is an end to connections, and stopping closes them all", async () => {
  const kernel = source();
  const door = await openDoor({}, { listen: kernel.listen });
  const clients = Array.from({ length: 32 }, () => connect(door));
  await until(() => clients.every(({ state }) => state.opened), "32 connections");
  const one = connect(door);
  await until(() => one.state.closed !== undefined, "the refusal of one more");
  assert.ok(!one.state.opened);
  await door.stop();
  await until(() => clients.every(({ state }) => state.closed !== undefined), "all to be closed");
  assert.equal(kernel.size, 0);
});
