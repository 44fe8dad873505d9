/** The door for clients elsewhere, over real sockets: who is admitted, who is not, who is no longer. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Signer } from "../../../kernel/doors/contract.ts";
import { briefOf, KernelClient } from "../../../kernel/doors/kernel_client.ts";
import { serveWorkspace } from "../../../kernel/doors/service.ts";
import { CurveClient } from "../../../kernel/doors/zmtp/curve.ts";
import { connectDealer, NotAdmittedError } from "../../../kernel/doors/zmtp/dealer.ts";
import { newKeyPair } from "../../../kernel/doors/zmtp/x25519.ts";
import { encodeZ85 } from "../../../kernel/doors/zmtp/z85.ts";
import { KeyDesk } from "../../../kernel/key_desk.ts";
import {
  parseAddress,
  readRemoteKernel,
  type RemoteKernel,
} from "../../../kernel/remote_connection.ts";
import { handlers, hit, Kernel, until } from "./kernel_fixture.ts";

/** A kernel with a second door, at a free port of loopback, and clients that are admitted there. */
class RemoteServed implements AsyncDisposable {
  private constructor(readonly kernel: Kernel) {}

  static async start(...names: string[]): Promise<RemoteServed> {
    const kernel = await Kernel.start({ listen: "tcp://127.0.0.1:0" }, async (folder) => {
      const desk = new KeyDesk(folder);
      for (const name of names) await desk.allow({ name, address: "tcp://127.0.0.1:1" });
    });
    return new RemoteServed(kernel);
  }

  get desk(): KeyDesk {
    return new KeyDesk(this.kernel.folder);
  }

  get port(): number {
    return parseAddress(this.kernel.told.remote!.endpoint)!.port;
  }

  /** What a client knows, as its file says; the port is known only now. */
  knows(name: string): RemoteKernel {
    const file = join(this.kernel.folder, "keys", `${name}.connection.json`);
    return { ...readRemoteKernel(file), port: this.port };
  }

  async client(name: string): Promise<KernelClient> {
    const client = new KernelClient({ remote: this.knows(name) });
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose]() {
    await this.kernel[Symbol.asyncDispose]();
  }
}

Deno.test("an admitted client is answered, and the door on loopback is what it was", async () => {
  await using served = await RemoteServed.start("laptop", "phone");
  const { kernel } = served;
  assert.match(kernel.told.endpoint, /^tcp:\/\/127\.0\.0\.1:/);
  assert.equal(kernel.told.remote?.clients, 2);
  assert.equal(kernel.told.remote?.server_key, (await served.desk.server()).server_key);
  await using near = await kernel.client();
  await using laptop = await served.client("laptop");
  await using phone = await served.client("phone");
  for (const client of [near, laptop, phone]) {
    const { result } = await client.call("search", briefOf("search", ["a name"], { limit: 3 }));
    assert.deepEqual(result, { query: "a name", results: [hit] });
  }
});

Deno.test("where nobody is admitted it does not open, and says what to do", async () => {
  await assert.rejects(
    RemoteServed.start(),
    /no client is admitted, so nobody could come in; admit one first: batos key allow NAME/,
  );
  for (const listen of ["5600", "tcp://*", "http://127.0.0.1:1", "tcp://a:99999", "tcp://a b:1"]) {
    const kernel = Kernel.start(
      { listen },
      (folder) => new KeyDesk(folder).allow({ name: "a", address: "tcp://h:1" }),
    );
    await assert.rejects(kernel, /expected tcp:\/\/HOST:PORT/, listen);
  }
});

Deno.test("what cannot be listened on ends the start, and nothing is left open", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const folder = Deno.makeTempDirSync({ prefix: "batos_remote_" });
  await new KeyDesk(folder).allow({ name: "a", address: "tcp://h:1" });
  const start = (listen: string, signal: AbortSignal) =>
    serveWorkspace({
      root: "/r",
      folder,
      version: "1",
      handlers,
      report: () => {},
      listen,
      signal,
    });
  const never = new AbortController().signal;
  await assert.rejects(start(`tcp://127.0.0.1:${port}`, never).next(), /in use; name another port/);
  taken.close();
  // The lock was given back, and the port of the first door with it.
  const stop = new AbortController();
  const service = start(`tcp://127.0.0.1:${port}`, stop.signal);
  await service.next();
  stop.abort();
  await service.next();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a key that is not on the list gets no conversation, and one line with its address and its key", async () => {
  await using served = await RemoteServed.start("laptop");
  const stranger = newKeyPair();
  const client = new KernelClient({ remote: { ...served.knows("laptop"), pair: stranger } });
  await assert.rejects(client.connect(), NotAdmittedError);
  // It does not try again and again.
  await assert.rejects(client.reconnect(AbortSignal.timeout(10_000)), NotAdmittedError);
  const { lines } = served.kernel;
  await until(() => lines.length === 2);
  assert.ok(lines.every((line) => line.includes(encodeZ85(stranger.publicKey))), lines.join("\n"));
  assert.match(
    lines[0]!,
    /at 127\.0\.0\.1:\d+: not_admitted: the key .* is not on the list of clients$/,
  );
  await using laptop = await served.client("laptop");
  assert.equal((await laptop.call("ping")).type, "reply");
});

Deno.test("a client that is revoked is out while it speaks; the others notice nothing", async () => {
  await using served = await RemoteServed.start("laptop", "phone");
  await using phone = await served.client("phone");
  let lost = 0;
  const remote = served.knows("laptop");
  await using laptop = new KernelClient({ remote, onLost: () => void lost++ });
  await laptop.connect();
  const waiting = laptop.call("refs", briefOf("refs", ["a"]));
  waiting.catch(() => {});
  await served.desk.revoke("laptop");
  await assert.rejects(waiting, /the kernel has gone/);
  await until(() => lost === 1);
  await assert.rejects(laptop.connect(), NotAdmittedError);
  assert.equal((await phone.call("ping")).type, "reply");
  const { lines } = served.kernel;
  await until(() =>
    lines.some((line) => /"laptop" at .*: not_admitted: its key \S+ was revoked/.test(line))
  );
  // Who is admitted while it runs comes in at once.
  await served.desk.allow({ name: "laptop", address: "tcp://127.0.0.1:1" });
  await using again = await served.client("laptop");
  assert.equal((await again.call("ping")).type, "reply");
});

Deno.test("a client finds the kernel again after a restart: its file stays true", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos_remote_" });
  const { file } = await new KeyDesk(folder).allow({
    name: "laptop",
    address: "tcp://127.0.0.1:1",
  });
  const start = async (listen: string) => {
    const stop = new AbortController();
    const { signal } = stop;
    const service = serveWorkspace({
      root: "/r",
      folder,
      version: "1",
      handlers,
      report: () => {},
      listen,
      signal,
    });
    const { remote } = (await service.next()).value;
    return {
      endpoint: remote.endpoint as string,
      async stop() {
        stop.abort();
        await service.next();
      },
    };
  };
  const first = await start("tcp://127.0.0.1:0");
  const remote = { ...readRemoteKernel(file), port: parseAddress(first.endpoint)!.port };
  let lost = 0;
  await using client = new KernelClient({ remote, onLost: () => void lost++ });
  assert.deepEqual(await client.connect(), { version: "1", pid: undefined });
  await first.stop();
  await until(() => lost === 1);
  const coming = client.reconnect(AbortSignal.timeout(20_000));
  const second = await start(first.endpoint);
  await coming;
  const { result } = await client.call("search", briefOf("search", ["again"]));
  assert.deepEqual(result, { query: "again", results: [hit] });
  await second.stop();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a list that cannot be understood admits nobody, and is told of", async () => {
  await using served = await RemoteServed.start("laptop");
  const remote = served.knows("laptop");
  Deno.writeTextFileSync(join(served.kernel.folder, "keys", "clients.json"), "{ nonsense");
  await assert.rejects(new KernelClient({ remote }).connect(), NotAdmittedError);
  assert.ok(
    served.kernel.lines.some((line) =>
      /^nobody from elsewhere is admitted: read ".*": it is no JSON/.test(line)
    ),
    served.kernel.lines.join("\n"),
  );
});

Deno.test("signatures are checked within CURVE too, and those of one door are worth nothing at the other", async () => {
  await using served = await RemoteServed.start("laptop");
  const { hostname, port, pair, serverKey, signingKey } = served.knows("laptop");
  const { kernel } = served;
  assert.notEqual(kernel.info.key, signingKey.toHex());
  const codes: unknown[] = [];
  const far = await connectDealer({
    hostname,
    port,
    identity: "far",
    frames: [32, 1e6],
    mechanism: new CurveClient({ keys: pair, serverKey }),
    onMessage: ([signature, payload]) => {
      const opened = new Signer(signingKey).open(signature!, payload!) as { code?: string };
      codes.push(opened.code ?? "reply");
    },
  });
  const frames = new Signer(signingKey).seal(kernel.request("ping"));
  far.send(kernel.signer.seal(kernel.request("ping")));
  far.send(frames);
  far.send(frames);
  await until(() => codes.length === 3);
  assert.deepEqual(codes, ["bad_signature", "reply", "replayed"]);
  await far.close();
  const near = await kernel.peer();
  near.connection.send(new Signer(signingKey).seal(kernel.request("ping")));
  await until(() => near.received.length === 1);
  assert.equal(near.received[0]!.code, "bad_signature");
  await near.connection.close();
});

Deno.test("no secret is told, reported, or written into the connection file of this machine", async () => {
  await using served = await RemoteServed.start("laptop");
  const { kernel } = served;
  await using laptop = await served.client("laptop");
  await laptop.call("ping");
  const stranger = new KernelClient({ remote: { ...served.knows("laptop"), pair: newKeyPair() } });
  await assert.rejects(stranger.connect());
  const { secret_key, signing_key } = JSON.parse(
    Deno.readTextFileSync(join(kernel.folder, "keys", "server.json")),
  );
  const said = JSON.stringify([
    kernel.told,
    kernel.info,
    kernel.lines,
    await served.desk.server(),
    served.desk.list(),
  ]);
  for (const secret of [secret_key, signing_key]) assert.ok(!said.includes(secret));
});
