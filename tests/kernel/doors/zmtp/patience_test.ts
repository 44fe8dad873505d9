/**
 * How long a router waits for peers and how many it takes: heartbeats, silence, slow handshakes, slow readers, crowds. The peers are bare sockets, which do
 * what no library would.
 */
import assert from "node:assert/strict";
import {
  type Connection,
  type Ending,
  HIGH_WATER,
} from "../../../../kernel/doors/zmtp/connection.ts";
import { Router, type RouterOptions } from "../../../../kernel/doors/zmtp/router.ts";
import {
  encodeCommand,
  encodeGreeting,
  encodeMessage,
  encodeProperties,
  type Item,
  Reader,
} from "../../../../kernel/doors/zmtp/wire.ts";
import { PYTHON_MISSING, pythonWithZmq } from "../../../support/python.ts";
import { until, writeAll } from "../kernel_fixture.ts";

/** A router with short patience, what reached it and how its connections ended. */
class Listening implements AsyncDisposable {
  readonly router: Router;
  readonly peers: Connection[] = [];
  readonly endings: Ending[] = [];
  readonly turnedAway: string[] = [];
  messages = 0;

  constructor(patience: RouterOptions["patience"] = {}, most: RouterOptions["most"] = {}) {
    this.router = Router.listen({
      hostname: "127.0.0.1",
      port: 0,
      frames: [32, 100_000],
      patience: { tick: 10, ...patience },
      most,
      onMessage: (peer) => {
        this.messages++;
        if (!this.peers.includes(peer)) this.peers.push(peer);
      },
      onEnd: (_, ending) => void this.endings.push(ending),
      onTurnedAway: (address, problem) => void this.turnedAway.push(`${address} ${problem}`),
    });
  }

  get reasons() {
    return this.endings.map(({ reason }) => reason);
  }

  async [Symbol.asyncDispose]() {
    await this.router.close();
  }
}

/** A peer made of a socket: says what it is told to, reads when it is told to. */
class Peer implements Disposable {
  readonly items: Item[] = [];
  /** Whether the other end closed. */
  over = false;
  readonly #reader = new Reader({ frames: [1_000_000, 1_000_000] });

  private constructor(readonly socket: Deno.TcpConn) {}

  static async connect({ router }: Listening): Promise<Peer> {
    const { hostname, port } = router.address;
    return new Peer(await Deno.connect({ hostname, port }));
  }

  /** One that has done its handshake and reads; `answers` PINGs unless told otherwise. */
  static async ready(
    listening: Listening,
    { answers = (): boolean => true, minor = 1, reads = true } = {},
  ): Promise<Peer> {
    const peer = await Peer.connect(listening);
    const greeting = encodeGreeting();
    greeting[11] = minor;
    const type = { "Socket-Type": new TextEncoder().encode("DEALER") };
    await peer.send(greeting, encodeCommand("READY", encodeProperties(type)));
    // So that the router hands it over.
    await peer.send(encodeMessage([new Uint8Array(1)]));
    if (reads) void peer.read(answers);
    return peer;
  }

  async send(...pieces: Uint8Array[]): Promise<void> {
    for (const bytes of pieces) await writeAll(this.socket, bytes);
  }

  /** Reads until the other end closes. */
  async read(answers: () => boolean = () => true): Promise<void> {
    for (;;) {
      const count = await this.socket.read(this.#reader.room()).catch(() => null);
      if (count === null) break;
      this.#reader.filled(count);
      for (let item; (item = this.#reader.next()) !== undefined;) {
        this.items.push(item);
        if (item.kind === "command" && item.name === "PING" && answers()) {
          await this.send(encodeCommand("PONG", item.data.subarray(2))).catch(() => {});
        }
      }
    }
    this.over = true;
  }

  /** The data of commands with a name. */
  commands(name: string): Uint8Array[] {
    return this.items.flatMap((item) =>
      item.kind === "command" && item.name === name ? [item.data] : []
    );
  }

  [Symbol.dispose]() {
    try {
      this.socket.close();
    } catch {
      // It was closed already.
    }
  }
}

Deno.test("a silent peer is asked, with the time it has; it stays as long as it answers, and is given up when it stops", async () => {
  await using listening = new Listening({ heartbeat: 60, silence: 300 });
  let answers = true;
  using peer = await Peer.ready(listening, { answers: () => answers });
  await until(() => peer.commands("PING").length >= 5);
  assert.deepEqual([...peer.commands("PING")[0]!], [0, 3]); // three tenths of a second, no context
  assert.equal(peer.over, false);
  answers = false;
  await until(() => peer.over);
  assert.deepEqual(listening.reasons, ["no_sign_of_life"]);
});

Deno.test("a peer that is given up takes with it what was done for it: its signal is aborted", async () => {
  await using listening = new Listening({ heartbeat: 60, silence: 200 });
  using _peer = await Peer.ready(listening, { answers: () => false });
  await until(() => listening.peers.length === 1);
  const { signal } = listening.peers[0]!;
  await until(() => signal.aborted);
});

Deno.test("PING is answered by PONG with its context, sixteen octets of it at most; one that is cut off is refused", async () => {
  await using listening = new Listening();
  using peer = await Peer.ready(listening);
  const context = Uint8Array.from({ length: 20 }, (_, at) => at + 1);
  await peer.send(encodeCommand("PING", Uint8Array.of(1, 0)));
  await peer.send(encodeCommand("PING", Uint8Array.of(1, 0, ...context)));
  await until(() => peer.commands("PONG").length === 2);
  assert.deepEqual(peer.commands("PONG").map((data) => [...data]), [[], [...context.slice(0, 16)]]);
  await peer.send(encodeCommand("PING", Uint8Array.of(1)));
  await until(() => peer.over);
  assert.deepEqual(listening.reasons, ["bad_frames"]);
});

Deno.test("a peer that says how long it may be silent is given up after that", async () => {
  await using listening = new Listening();
  using peer = await Peer.ready(listening);
  await peer.send(encodeCommand("PING", Uint8Array.of(0, 1)));
  await until(() => peer.over);
  assert.deepEqual(listening.reasons, ["no_sign_of_life"]);
});

Deno.test("a peer of ZMTP 3.0, which knows no heartbeats, is never asked and goes when it is idle", async () => {
  await using listening = new Listening({ heartbeat: 50, silence: 100, idle: 400 });
  using peer = await Peer.ready(listening, { minor: 0 });
  await until(() => peer.over);
  assert.deepEqual(peer.commands("PING"), []);
  assert.deepEqual(listening.reasons, [undefined]);
});

Deno.test("a handshake that is not done in time ends the connection, however steadily its bytes come", async () => {
  await using listening = new Listening({ handshake: 200 });
  using silent = await Peer.connect(listening);
  using dribbling = await Peer.connect(listening);
  const reading = Promise.all([silent.read(), dribbling.read()]);
  const greeting = encodeGreeting();
  for (let at = 0; !dribbling.over; at++) {
    await dribbling.send(greeting.subarray(at % 60, at % 60 + 1)).catch(() => {});
    await new Promise((done) => setTimeout(done, 20));
    assert.ok(at < 60, "it was heard for as long as a greeting lasts");
  }
  await reading;
  assert.deepEqual(listening.reasons, ["slow_handshake", "slow_handshake"]);
});

Deno.test("who proves nothing in time goes without a word, who has proved it stays", async () => {
  await using listening = new Listening({ proof: 200 });
  using known = await Peer.ready(listening);
  await until(() => listening.peers.length === 1);
  listening.peers[0]!.proven = true;
  using stranger = await Peer.ready(listening);
  await until(() => stranger.over);
  assert.deepEqual(listening.reasons, [undefined]);
  assert.equal(known.over, false);
  await known.send(encodeMessage([new Uint8Array(1)]));
  await until(() => listening.messages === 3);
});

Deno.test("a crowd: the oldest stranger makes room, those who proved themselves never do, and one more is turned away", async () => {
  await using listening = new Listening({}, { perAddress: 3 });
  const known: Peer[] = [];
  const prove = async () => {
    known.push(await Peer.ready(listening));
    await until(() => listening.peers.length === known.length);
    listening.peers.at(-1)!.proven = true;
  };
  await prove();
  using first = await Peer.connect(listening);
  using second = await Peer.connect(listening);
  void first.read();
  void second.read();
  await until(() => listening.router.size === 3);
  await prove();
  await until(() => first.over);
  assert.equal(second.over, false);
  await prove();
  await until(() => second.over);
  assert.deepEqual(listening.turnedAway, []);
  using late = await Peer.connect(listening);
  await late.read();
  assert.match(
    listening.turnedAway.join("\n"),
    /^127\.0\.0\.1:\d+ 3 connections from there are open$/,
  );
  assert.ok(known.every(({ over }) => !over));
  for (const peer of known) peer[Symbol.dispose]();
});

Deno.test("the number of connections of all addresses together has an end too", async () => {
  await using listening = new Listening({}, { peers: 1 });
  using _one = await Peer.ready(listening);
  await until(() => listening.peers.length === 1);
  listening.peers[0]!.proven = true;
  using other = await Peer.connect(listening);
  await other.read();
  assert.match(listening.turnedAway.join("\n"), /1 connections are open$/);
});

Deno.test("a peer that does not read: what waits for it is bounded, it is not read from, and it goes when it stalls", async () => {
  await using listening = new Listening({ stall: 300, silence: 200, heartbeat: 50 });
  using peer = await Peer.ready(listening, { reads: false });
  await until(() => listening.peers.length === 1);
  const [sent] = listening.peers;
  const block = new Uint8Array(100_000);
  let accepted = 0;
  while (sent!.send([block], true)) {
    assert.ok(++accepted < 1_000, "100 MB were taken for a peer that does not read");
    await new Promise((done) => setTimeout(done, 0));
  }
  assert.ok(sent!.queued < HIGH_WATER + 2 * block.length, `${sent!.queued} bytes wait`);
  // A read was under way; it is the last one.
  await peer.send(encodeMessage([new Uint8Array(1)]));
  await until(() => listening.messages === 2);
  await peer.send(encodeMessage([new Uint8Array(1)]));
  await until(() => listening.endings.length === 1);
  assert.equal(listening.messages, 2);
  assert.deepEqual(listening.reasons, ["does_not_read"]);
  assert.ok(listening.endings[0]!.unsent > 0);
});

Deno.test("a peer that reads late is heard again: what it said meanwhile arrives, and its silence is forgiven", async () => {
  await using listening = new Listening({ silence: 200, heartbeat: 50 });
  using peer = await Peer.ready(listening, { reads: false });
  await until(() => listening.peers.length === 1);
  while (listening.peers[0]!.send([new Uint8Array(100_000)], true)) {
    await new Promise((done) => setTimeout(done, 0));
  }
  for (let n = 0; n < 2; n++) {
    await peer.send(encodeMessage([new Uint8Array(1)]));
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.equal(listening.messages, 2);
  // Longer than the silence that is allowed: a peer that is held back cannot be heard.
  await new Promise((done) => setTimeout(done, 400));
  assert.deepEqual(listening.endings, []);
  void peer.read();
  await until(() => listening.messages === 3);
  await until(() => peer.commands("PING").length >= 2);
  assert.equal(peer.over, false);
});

Deno.test({
  name: `libzmq answers our heartbeats, and we answer its${PYTHON_MISSING}`,
  ignore: pythonWithZmq === undefined,
  async fn() {
    await using listening = new Listening({ heartbeat: 60, silence: 300 });
    const client = new Deno.Command(pythonWithZmq!, {
      args: [
        "-c",
        `
import sys, time, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.set(zmq.HEARTBEAT_IVL, 50)
socket.set(zmq.HEARTBEAT_TIMEOUT, 400)
socket.set(zmq.HEARTBEAT_TTL, 400)
monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
socket.connect("tcp://127.0.0.1:" + sys.argv[1])
socket.send(b"x")
gone = monitor.poll(1500)
print("disconnected" if gone else "connected", flush=True)
`,
        String(listening.router.address.port),
      ],
      stdout: "piped",
      stderr: "inherit",
    });
    const { stdout } = await client.output();
    assert.equal(new TextDecoder().decode(stdout).trim(), "connected");
    // It has ended by now, and that is not a fault.
    await until(() => listening.endings.length === 1);
    assert.deepEqual(listening.reasons, [undefined]);
  },
});
