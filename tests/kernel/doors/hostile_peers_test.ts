/** What `kernel-cases` found to go wrong with such doors elsewhere: strangers, floods, noise and doubles harm nobody but themselves. */
import assert from "node:assert/strict";
import { Signer } from "../../../kernel/doors/contract.ts";
import { briefOf } from "../../../kernel/doors/kernel_client.ts";
import {
  encodeCommand,
  encodeGreeting,
  encodeMessage,
  encodeProperties,
} from "../../../kernel/doors/zmtp/wire.ts";
import { Kernel, until, waiting, writeAll } from "./kernel_fixture.ts";

Deno.test("a wrong signature is refused before anything is decoded, and a stranger is dismissed after some", async () => {
  await using kernel = await Kernel.start();
  await using honest = await kernel.client();
  const { connection, received } = await kernel.peer("mallory");
  const stranger = new Signer(crypto.getRandomValues(new Uint8Array(32)));
  for (let n = 0; n < 10; n++) connection.send(stranger.seal(kernel.request("search")));
  await connection.ended;
  assert.deepEqual(received.map(({ code }) => code), Array(10).fill("bad_signature"));
  // The first ones, and that it was dismissed: as few lines for a million.
  assert.deepEqual(kernel.reasons, [...Array(4).fill("bad_signature"), "dismissed"]);
  const garbage = await kernel.peer();
  garbage.connection.send([new Uint8Array(32), Uint8Array.of(0xc1)]);
  await until(() => garbage.received.length === 1);
  assert.equal(garbage.received[0]!.code, "bad_signature");
  await garbage.connection.close();
  assert.equal((await honest.call("ping")).type, "reply");
});

Deno.test("a second connection with the same identity is refused, and the first goes on", async () => {
  await using kernel = await Kernel.start();
  const { connection, received } = await kernel.peer("twin");
  await assert.rejects(kernel.peer("twin"), /this identity is in use/);
  connection.send(kernel.signer.seal(kernel.request("ping")));
  await until(() => received.length === 1);
  await connection.close();
  await until(() => kernel.lines.length > 0);
  const again = await kernel.peer("twin");
  await again.connection.close();
});

Deno.test("a client that floods and does not read holds up nobody but itself", async () => {
  await using kernel = await Kernel.start();
  await using other = await kernel.client();
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: kernel.info.port });
  const ready = encodeCommand(
    "READY",
    encodeProperties({ "Socket-Type": new TextEncoder().encode("DEALER") }),
  );
  await writeAll(socket, encodeGreeting());
  await writeAll(socket, ready);
  let sent = 0;
  const flood = (async () => {
    for (let n = 0; n < 40; n++) {
      await writeAll(
        socket,
        encodeMessage(
          kernel.signer.seal({
            ...kernel.request("read", briefOf("read", ["1000000"]) as never),
            id: `${n}`,
          }),
        ),
      );
      sent++;
    }
  })().catch(() => {});
  for (let n = 0; n < 20; n++) {
    assert.equal((await other.call("ping")).type, "reply");
    await new Promise((done) => setTimeout(done, 10));
  }
  // The replies are of a megabyte each, more than what the system's buffers take.
  assert.ok(sent > 0);
  socket.close();
  await flood;
  await until(() => kernel.lines.some((line) => /could not be delivered/.test(line)));
});

Deno.test("strangers to the protocol are closed, each with one line at most, and nobody else notices", async () => {
  await using kernel = await Kernel.start();
  await using honest = await kernel.client();
  const greeting = encodeGreeting();
  const property = (type: string) =>
    encodeCommand("READY", encodeProperties({ "Socket-Type": new TextEncoder().encode(type) }));
  const curve = encodeGreeting("CURVE");
  const strangers = [
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    curve,
    new Uint8Array([...greeting, ...property("PUB")]),
    new Uint8Array([...greeting, ...property("DEALER"), 2, 0, 0, 0, 0x7f, 0, 0, 0, 0]), // 2 GB announced
    new Uint8Array([...greeting, 0, 1, 65]), // a message before the handshake
    new Uint8Array([...greeting, ...property("DEALER"), 0xff, 1, 2, 3]),
  ];
  for (const bytes of strangers) {
    const before = kernel.lines.length;
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: kernel.info.port });
    await writeAll(socket, bytes);
    const buffer = new Uint8Array(1_000);
    while ((await socket.read(buffer).catch(() => null)) !== null);
    socket.close();
    await until(() => kernel.lines.length > before);
    assert.equal(kernel.lines.length, before + 1, kernel.lines.join("\n"));
  }
  assert.equal((await honest.call("ping")).type, "reply");
});

Deno.test("random frames, signed or not, neither stop the kernel nor reach a command", async () => {
  await using kernel = await Kernel.start();
  await using honest = await kernel.client();
  let done = 0;
  for (let round = 0; round < 40; round++) {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: kernel.info.port });
    const noise = crypto.getRandomValues(new Uint8Array(2_000));
    const start = encodeGreeting();
    const ready = encodeCommand(
      "READY",
      encodeProperties({ "Socket-Type": new TextEncoder().encode("DEALER") }),
    );
    await writeAll(socket, new Uint8Array([...start, ...(round % 2 ? ready : []), ...noise])).catch(
      () => {},
    );
    socket.close();
    const { connection } = await kernel.peer();
    for (let n = 0; n < 9; n++) {
      const payload = crypto.getRandomValues(new Uint8Array(1 + Math.floor(Math.random() * 300)));
      connection.send([crypto.getRandomValues(new Uint8Array(32)), payload]);
    }
    await connection.close();
    done++;
  }
  assert.equal(done, 40);
  assert.equal(waiting.refs, 0);
  assert.equal((await honest.call("ping")).type, "reply");
});
