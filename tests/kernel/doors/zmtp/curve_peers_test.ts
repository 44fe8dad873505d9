/** CURVE over sockets: libzmq as the other end in both roles, and peers that are not what they should be. */
import assert from "node:assert/strict";
import { Connection, HANDSHAKE_MS } from "../../../../kernel/doors/zmtp/connection.ts";
import { CurveClient, CurveServer } from "../../../../kernel/doors/zmtp/curve.ts";
import { connectDealer } from "../../../../kernel/doors/zmtp/dealer.ts";
import type { Mechanism } from "../../../../kernel/doors/zmtp/mechanism.ts";
import { Router } from "../../../../kernel/doors/zmtp/router.ts";
import { encodeGreeting } from "../../../../kernel/doors/zmtp/wire.ts";
import { type KeyPair, newKeyPair } from "../../../../kernel/doors/zmtp/x25519.ts";
import { encodeZ85 } from "../../../../kernel/doors/zmtp/z85.ts";
import { PYTHON_MISSING, pythonWithZmq } from "../../../support/python.ts";
import { until, writeAll } from "../kernel_fixture.ts";

const server = newKeyPair();
const client = newKeyPair();
const FRAMES = [32, 100_000];

/** A router that sends everything back, and how its connections ended. */
class EchoRouter implements AsyncDisposable {
  readonly problems: (string | undefined)[] = [];
  readonly router: Router;

  constructor(mechanism?: () => Mechanism) {
    this.router = Router.listen({
      hostname: "127.0.0.1",
      port: 0,
      frames: FRAMES,
      mechanism,
      onMessage: (peer, parts) => void peer.send(parts),
      onEnd: (_, { problem }) => void this.problems.push(problem),
    });
  }

  static curve(admitted: readonly KeyPair[] = [client]): EchoRouter {
    const admits = (key: Uint8Array) =>
      admitted.some(({ publicKey }) => publicKey.toHex() === key.toHex());
    return new EchoRouter(() => new CurveServer({ keys: server, admits }));
  }

  get port(): number {
    return this.router.address.port;
  }

  async [Symbol.asyncDispose]() {
    await this.router.close();
  }
}

/** Connects; what comes back is collected. */
async function dealer(port: number, mechanism?: Mechanism) {
  const received: (readonly Uint8Array[])[] = [];
  const connection = await connectDealer({
    hostname: "127.0.0.1",
    port,
    identity: `dealer-${crypto.randomUUID()}`,
    frames: FRAMES,
    mechanism,
    onMessage: (parts) => void received.push(parts),
  });
  return { connection, received };
}

const own = (keys = client, serverKey: Uint8Array = server.publicKey) =>
  new CurveClient({ keys, serverKey });

/** Runs Python with arguments; the test fails with what it wrote to stderr. */
async function python(program: string, ...words: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(pythonWithZmq!, {
    args: ["-c", program, ...words],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

const LIBZMQ_CLIENT = `
import sys, time, zmq
from zmq.utils.monitor import recv_monitor_message
port, server, public, secret = sys.argv[1:]
socket = zmq.Context().socket(zmq.DEALER)
socket.linger, socket.identity, socket.rcvtimeo = 0, b"libzmq", 5000
socket.heartbeat_ivl, socket.heartbeat_timeout = 20, 1000
socket.curve_serverkey = server.encode()
socket.curve_publickey, socket.curve_secretkey = public.encode(), secret.encode()
monitor = socket.get_monitor_socket()
monitor.rcvtimeo = 5000
socket.connect(f"tcp://127.0.0.1:{port}")
while True:
    event = recv_monitor_message(monitor)
    if event["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED: break
    if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        print("refused", event["value"])
        sys.exit()
for n in range(100):
    parts = [b"x" * 32, b"y" * (n * 37)]
    socket.send_multipart(parts)
    assert socket.recv_multipart() == parts
time.sleep(0.2)  # some heartbeats
socket.send_multipart([b"", b"z" * 100000])
assert socket.recv_multipart() == [b"", b"z" * 100000]
print("answered")
`;

const LIBZMQ_SERVER = `
import sys, zmq
from zmq.auth.thread import ThreadAuthenticator
public, secret, client = sys.argv[1:]
context = zmq.Context()
guard = ThreadAuthenticator(context)
guard.start()
guard.configure_curve_callback(credentials_provider=type("Listed", (), {
    "callback": lambda self, domain, key: key.decode() == client})())
socket = context.socket(zmq.ROUTER)
socket.curve_server, socket.curve_secretkey, socket.curve_publickey = True, secret.encode(), public.encode()
socket.heartbeat_ivl, socket.linger = 20, 0
print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
while True:
    parts = socket.recv_multipart()
    socket.send_multipart(parts)
    if parts[-1] == b"bye": break
guard.stop()
`;

Deno.test({
  name: `libzmq as the client: let in, answered, refused where it is not listed${PYTHON_MISSING}`,
  ignore: pythonWithZmq === undefined,
  async fn() {
    await using echo = EchoRouter.curve();
    const words = (keys: KeyPair) => [
      `${echo.port}`,
      ...[server.publicKey, keys.publicKey, keys.secretKey].map(encodeZ85),
    ];
    assert.equal(await python(LIBZMQ_CLIENT, ...words(client)), "answered");
    const stranger = newKeyPair();
    assert.equal(await python(LIBZMQ_CLIENT, ...words(stranger)), "refused 400");
    await until(() => echo.problems.length >= 2);
    assert.equal(echo.problems[0], undefined);
    assert.ok(echo.problems[1]?.includes(encodeZ85(stranger.publicKey)), echo.problems[1]);
  },
});

Deno.test({
  name:
    `libzmq as the server: it lets us in and answers, and not who it has not listed${PYTHON_MISSING}`,
  ignore: pythonWithZmq === undefined,
  async fn() {
    const child = new Deno.Command(pythonWithZmq!, {
      args: [
        "-c",
        LIBZMQ_SERVER,
        ...[server.publicKey, server.secretKey, client.publicKey].map(encodeZ85),
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const port = Number(new TextDecoder().decode((await reader.read()).value));
    reader.releaseLock();
    await assert.rejects(dealer(port, own(newKeyPair())), /does not admit this key/);
    const { connection, received } = await dealer(port, own());
    for (let n = 0; n < 50; n++) connection.send([new Uint8Array(32), new Uint8Array(n * 41)]);
    await until(() => received.length === 50);
    assert.deepEqual(
      received.map(([, part]) => part!.length),
      Array.from({ length: 50 }, (_, n) => n * 41),
    );
    await new Promise((done) => setTimeout(done, 100)); // some heartbeats
    connection.send([new TextEncoder().encode("bye")]);
    await until(() => received.length === 51);
    await connection.close();
    const { stderr } = await child.output();
    assert.equal(new TextDecoder().decode(stderr), "");
  },
});

Deno.test("a client with another mechanism is refused, and a server with another one is not believed", async () => {
  await using curve = EchoRouter.curve();
  await using plain = new EchoRouter();
  await assert.rejects(dealer(curve.port), /security mechanism "CURVE", expected NULL/);
  await assert.rejects(dealer(plain.port, own()), /security mechanism "NULL", expected CURVE/);
  await until(() => curve.problems.length === 1 && plain.problems.length === 1);
  assert.deepEqual(curve.problems, ['security mechanism "NULL", expected CURVE']);
  assert.deepEqual(plain.problems, ['security mechanism "CURVE", expected NULL']);
});

Deno.test("with a wrong key nobody gets in: not listed, or another server meant", async () => {
  await using echo = EchoRouter.curve([]);
  await assert.rejects(dealer(echo.port, own()), /it does not admit this key/);
  await assert.rejects(dealer(echo.port, own(client, newKeyPair().publicKey)), /closed during/);
  await until(() => echo.problems.length === 2);
  assert.match(echo.problems[0]!, /is not on the list of clients/);
  assert.match(echo.problems[1]!, /not for the key of this server/);
});

Deno.test("a handshake that stalls is given up after its time, at whatever step", async () => {
  for (const steps of [0, 1, 2]) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const near = await Deno.connect({ hostname: "127.0.0.1", port });
    const far = await listener.accept();
    const mechanism = new CurveServer({ keys: server, admits: () => true });
    const connection = new Connection(far, {
      socketType: "ROUTER",
      peerType: "DEALER",
      limits: { frames: FRAMES },
      mechanism,
      onReady: () => undefined,
      onMessage: () => {},
    });
    const said = own();
    if (steps > 0) await writeAll(near, encodeGreeting("CURVE"));
    if (steps > 1) {
      const hello = said.begin({ minor: 1, mechanism: "CURVE", asServer: true }, new Uint8Array());
      await writeAll(near, hello);
      const answer = new Uint8Array(64 + 170);
      for (let at = 0; at < answer.length;) at += (await near.read(answer.subarray(at)))!;
    }
    connection.tick(performance.now() + HANDSHAKE_MS / 2);
    assert.equal(connection.signal.aborted, false);
    connection.tick(performance.now() + HANDSHAKE_MS + 1);
    assert.equal((await connection.ended).problem, "no handshake in time");
    near.close();
    listener.close();
  }
});

Deno.test("a flood of HELLOs leaves nothing behind, and who is listed is served meanwhile", async () => {
  await using echo = EchoRouter.curve();
  const { connection, received } = await dealer(echo.port, own());
  const hello = own().begin({ minor: 1, mechanism: "CURVE", asServer: true }, new Uint8Array());
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 30 }, async () => {
      const socket = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
      await writeAll(socket, new Uint8Array([...encodeGreeting("CURVE"), ...hello]));
      const answer = new Uint8Array(64 + 170);
      for (let at = 0; at < answer.length;) at += (await socket.read(answer.subarray(at)))!;
      socket.close();
    }));
    connection.send([Uint8Array.of(round), new Uint8Array(10)]);
    await until(() => received.length === round + 1);
  }
  await until(() => echo.router.size === 1);
  // On one connection there is no second one.
  const greedy = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
  await writeAll(
    greedy,
    new Uint8Array([...encodeGreeting("CURVE"), ...hello, ...hello, ...hello]),
  );
  await until(() => echo.problems.includes("a command before the handshake, expected INITIATE"));
  greedy.close();
  await until(() => echo.router.size === 1);
  await connection.close();
});

Deno.test("a message that was changed on its way ends the conversation, and reaches nobody", async () => {
  await using echo = EchoRouter.curve();
  // A relay between the two, that changes one bit behind the handshake.
  const relay = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let tamper = false;
  const relaying = (async () => {
    const near = await relay.accept();
    const far = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
    const pass = async (from: Deno.Conn, to: Deno.Conn, change: boolean) => {
      const buffer = new Uint8Array(10_000);
      for (let count; (count = await from.read(buffer).catch(() => null)) !== null;) {
        if (change && tamper) buffer[count - 1]! ^= 1;
        await writeAll(to, buffer.subarray(0, count)).catch(() => {});
      }
      try {
        to.close();
      } catch {
        // The other direction closed it.
      }
    };
    await Promise.all([pass(near, far, true), pass(far, near, false)]);
  })();
  const { connection, received } = await dealer((relay.addr as Deno.NetAddr).port, own());
  connection.send([new Uint8Array(32)]);
  await until(() => received.length === 1);
  tamper = true;
  connection.send([new Uint8Array(32)]);
  await connection.ended;
  assert.equal(received.length, 1);
  assert.deepEqual(echo.problems, ["the box of a message does not open"]);
  await relaying;
  relay.close();
});
