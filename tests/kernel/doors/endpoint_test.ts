/** The endpoint of a kernel over real sockets: the contract, its limits, its end. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { commands, type Handlers } from "../../../kernel/commands.ts";
import { readConnection } from "../../../kernel/connection_file.ts";
import { type Message, Signer } from "../../../kernel/doors/contract.ts";
import { MAX_IN_FLIGHT } from "../../../kernel/doors/endpoint.ts";
import { briefOf, KernelClient } from "../../../kernel/doors/kernel_client.ts";
import { remoteCommands } from "../../../kernel/doors/remote_commands.ts";
import { serveWorkspace } from "../../../kernel/doors/service.ts";
import { Router } from "../../../kernel/doors/zmtp/router.ts";
import { handlers, hit, Kernel, refused, until, waiting, writeAll } from "./kernel_fixture.ts";

Deno.test("a command: progress and earlier results as events, the last result in the reply", async () => {
  await using kernel = await Kernel.start();
  await using client = await kernel.client();
  const events: Message[] = [];
  const reply = await client.call("search", briefOf("search", ["a name"], { limit: 3 }), {
    onEvent: (event) => void events.push(event),
  });
  assert.deepEqual({ ...reply }, {
    v: 1,
    re: reply.re,
    type: "reply",
    result: { query: "a name", results: [hit] },
    exit: 0,
  });
  assert.deepEqual(events.map(({ event }) => event), ["progress", "result"]);
  const { phase, done, total, detail } = events[0]!;
  assert.deepEqual([phase, done, total, detail], ["searching", 1, 2, "a name"]);
  assert.deepEqual(events[1]!.result, { query: "first", results: [] });
});

Deno.test("the connection file is the owner's alone, has what clients need, and goes with the kernel", async () => {
  await using kernel = await Kernel.start();
  const path = join(kernel.folder, "connection.json");
  if (Deno.build.os !== "windows") assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  const { transport, ip, port, key, signature_scheme } = JSON.parse(Deno.readTextFileSync(path));
  assert.deepEqual([transport, ip, signature_scheme], ["tcp", "127.0.0.1", "hmac-sha256"]);
  assert.match(key, /^[0-9a-f]{64}$/);
  assert.ok(port > 0);
  await kernel.stop();
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
});

Deno.test("a key that is too short is an error at the start", () => {
  assert.throws(() => new Signer(new Uint8Array()), /at least 32/);
  assert.throws(() => new Signer(new Uint8Array(31)), /at least 32/);
});

Deno.test("only loopback is listened on", async () => {
  for (const hostname of ["0.0.0.0", "::", "192.168.1.1"]) {
    assert.throws(
      () => Router.listen({ hostname, port: 0, frames: [1], onMessage: () => {} }),
      /not encrypted/,
    );
  }
});

Deno.test("outside names reach the list of commands and nothing else", async () => {
  const list = remoteCommands({ handlers, root: "/" });
  const table = Object.entries(commands).filter(([, command]) => command.local !== true);
  assert.deepEqual(
    [...list.keys()].sort(),
    [
      ...table.map(([name]) => name),
      "initiate_cognitive_cycle",
      "get_full_state",
      "update_property",
      "create_method",
    ].sort(),
  );
  await using kernel = await Kernel.start();
  await using client = await kernel.client();
  const strangers = [
    "constructor",
    "__proto__",
    "toString",
    "_run",
    "#run",
    "serve",
    "mcp",
    "Ask",
    "ask ",
    "hasOwnProperty",
  ];
  for (const name of strangers) {
    assert.equal((await refused(client.call(name))).code, "unknown_command", name);
  }
});

Deno.test("a message is done once: the same bytes again are refused, on another connection too", async () => {
  await using kernel = await Kernel.start();
  const [first, second] = [await kernel.peer(), await kernel.peer()];
  const frames = kernel.signer.seal(
    kernel.request("ask", briefOf("ask", ["why?"]) as Record<string, unknown>),
  );
  first.connection.send(frames);
  await until(() => first.received.length === 1);
  assert.equal(first.received[0]!.type, "reply");
  first.connection.send(frames);
  second.connection.send(frames);
  await until(() => first.received.length === 2 && second.received.length === 1);
  assert.equal(first.received[1]!.code, "replayed");
  assert.equal(second.received[0]!.code, "replayed");
  await first.connection.close();
  await second.connection.close();
});

Deno.test("time beyond the window is refused; order within it does not matter", async () => {
  await using kernel = await Kernel.start();
  const { connection, received } = await kernel.peer();
  const now = Date.now();
  for (const time of [now - 31_500, now + 31_500, now + 20_000, now - 20_000]) {
    connection.send(kernel.signer.seal({ ...kernel.request("ping"), id: `${time - now}`, time }));
  }
  await until(() => received.length === 4);
  assert.deepEqual(received.map(({ type, code, re }) => [re, code ?? type]), [
    ["-31500", "bad_time"],
    ["31500", "bad_time"],
    ["20000", "reply"],
    ["-20000", "reply"],
  ]);
  await connection.close();
});

Deno.test("what is no message of the contract is refused with its reason, and with its id where there is one", async () => {
  await using kernel = await Kernel.start();
  const cases: [unknown, string, RegExp][] = [
    [{}, "bad_message", /^v: /],
    [{ ...kernel.request("ping"), v: 2 }, "bad_message", /^v: /],
    [{ ...kernel.request("ping"), nonce: new Uint8Array(15) }, "bad_message", /nonce: expected 16/],
    [{ ...kernel.request("ping"), time: "now" }, "bad_message", /^time: /],
    [{ ...kernel.request(""), id: "7" }, "bad_message", /^command: /],
    [null, "bad_message", /./],
    [
      kernel.request("search", { mission_brief: { args: 1 } }),
      "bad_message",
      /mission_brief\.args/,
    ],
    [kernel.request("search"), "bad_input", /QUERY/],
    [
      kernel.request("search", briefOf("", [], { limit: "many", query: "a" }) as never),
      "bad_input",
      /^limit: /,
    ],
    [
      kernel.request("search", briefOf("", [], { nonsense: 1 }) as never),
      "bad_input",
      /no field "nonsense"/,
    ],
    [
      kernel.request("search", briefOf("", [], { queries: "/etc/passwd" }) as never),
      "bad_input",
      /command line/,
    ],
    [
      kernel.request("search", briefOf("", ["a"], { repo: "/elsewhere" }) as never),
      "bad_input",
      /serves "\/the\/root" alone/,
    ],
    [kernel.request("search", briefOf("", ["a", "b"]) as never), "bad_input", /1 arguments/],
    [
      kernel.request("impact", briefOf("", ["a", "b"]) as never),
      "failed",
      /^no such thing; at all$/,
    ],
    [kernel.request("initiate_cognitive_cycle"), "bad_input", /mission_brief/],
    [
      kernel.request("initiate_cognitive_cycle", { mission_brief: { type: "dance" } }),
      "bad_input",
      /"question"/,
    ],
    [kernel.request("get_full_state"), "refused", /no image/],
    [kernel.request("update_property"), "bad_input", /property_name/],
    [
      kernel.request("create_method", { method_name: "a", method_code: "b" }),
      "refused",
      /no guardian/,
    ],
    [kernel.request("cancel"), "bad_input", /args/],
    [
      kernel.request("subscribe", briefOf("", ["everything"]) as never),
      "bad_input",
      /uvm_state_update/,
    ],
  ];
  for (const [value, code, message] of cases) {
    const { connection, received } = await kernel.peer();
    connection.send(kernel.signer.seal(value));
    await until(() => received.length === 1);
    assert.equal(received[0]!.code, code, JSON.stringify(received[0]));
    assert.match(String(received[0]!.message), message);
    assert.doesNotMatch(String(received[0]!.message), /\n|\.$/);
    const id = (value as { id?: string } | null)?.id;
    assert.equal(received[0]!.re, id ?? null);
    await connection.close();
  }
});

Deno.test("a mission that is a question is asked", async () => {
  await using kernel = await Kernel.start();
  await using client = await kernel.client();
  const { result, exit } = await client.call("initiate_cognitive_cycle", {
    mission_brief: { type: "question", selector: "", args: ["how?"], kwargs: {} },
  });
  assert.deepEqual(result, { question: "how?", answer: "42", found: true });
  assert.equal(exit, 0);
});

Deno.test("the image is reached through its port: state, properties, messages, and changes to who subscribed", async () => {
  const slots = new Map<string, unknown>();
  let changed = (_: unknown) => {};
  await using kernel = await Kernel.start({
    image: {
      fullState: (oid) => Promise.resolve({ oid, slots: Object.fromEntries(slots) }),
      updateProperty(oid, name, value) {
        slots.set(name, value);
        changed({ oid });
        return Promise.resolve({ tid: 1 });
      },
      sendMessage: (oid, selector, args) => Promise.resolve({ oid, selector, args }),
      onChange(listener) {
        changed = listener;
        return () => {};
      },
    },
  });
  const events: Message[] = [];
  await using client = new KernelClient({
    folder: kernel.folder,
    onEvent: (event) => void events.push(event),
  });
  await using other = await kernel.client();
  await client.connect();
  await client.call("subscribe", briefOf("subscribe", ["uvm_state_update"]));
  await other.call("update_property", {
    target_oid: "7",
    property_name: "colour",
    property_value: null,
  });
  assert.deepEqual((await client.call("get_full_state")).result, {
    oid: "0",
    slots: { colour: null },
  });
  const brief = { type: "unhandled_message", selector: "display_yourself", args: [1], kwargs: {} };
  const sent = await client.call("initiate_cognitive_cycle", {
    target_oid: "7",
    mission_brief: brief,
  });
  assert.deepEqual(sent.result, { oid: "7", selector: "display_yourself", args: [1] });
  await until(() => events.length === 1);
  assert.deepEqual([events[0]!.event, events[0]!.state], ["uvm_state_update", { oid: "7" }]);
  const wrong = await refused(client.call("get_full_state", { target_oid: "../7" }));
  assert.equal(wrong.code, "bad_input");
});

Deno.test("more at a time than one caller may have is busy; others are served; cancelling ends one", async () => {
  await using kernel = await Kernel.start();
  await using greedy = await kernel.client();
  await using other = await kernel.client();
  const stop = new AbortController();
  const calls = Array.from(
    { length: MAX_IN_FLIGHT },
    () => refused(greedy.call("refs", briefOf("refs", ["a"]), { signal: stop.signal })),
  );
  await until(() => waiting.refs === MAX_IN_FLIGHT);
  assert.equal((await refused(greedy.call("refs", briefOf("refs", ["a"])))).code, "busy");
  assert.equal((await greedy.call("ping")).type, "reply");
  assert.equal((await other.call("ask", briefOf("ask", ["a"]))).type, "reply");
  stop.abort();
  assert.deepEqual(
    (await Promise.all(calls)).map(({ code }) => code),
    Array(MAX_IN_FLIGHT).fill("cancelled"),
  );
  assert.equal(waiting.refs, 0);
});

Deno.test("a client that vanishes: what it had running is cancelled, and the reply that found nobody is reported", async () => {
  await using kernel = await Kernel.start();
  const { connection } = await kernel.peer("vanishing");
  connection.send(kernel.signer.seal(kernel.request("refs", briefOf("refs", ["a"]) as never)));
  await until(() => waiting.refs === 1);
  await connection.close(true);
  await until(() => waiting.refs === 0);
  await until(() => kernel.lines.some((line) => /vanishing.*could not be delivered/.test(line)));
});

Deno.test("a kernel that ends cancels what runs, tells who waits, and leaves nothing", async () => {
  const kernel = await Kernel.start();
  const client = await kernel.client();
  const call = refused(client.call("refs", briefOf("refs", ["a"])));
  await until(() => waiting.refs === 1);
  await kernel.stop();
  assert.equal((await call).code, "cancelled");
  assert.equal(waiting.refs, 0);
  await client[Symbol.asyncDispose]();
  assert.deepEqual(Array.from(Deno.readDirSync(kernel.folder), ({ name }) => name), [
    "kernel.lock",
  ]);
  Deno.removeSync(kernel.folder, { recursive: true });
});

Deno.test("a second kernel of a workspace is refused; the file of a dead one is replaced", async () => {
  await using kernel = await Kernel.start();
  const second = serveWorkspace({
    root: "/the/root",
    folder: kernel.folder,
    version: "1",
    handlers,
    report: () => {},
    signal: new AbortController().signal,
  });
  await assert.rejects(second.next(), new RegExp(`served already by process ${Deno.pid}`));
  const before = kernel.info.key;
  await kernel.stop();
  Deno.writeTextFileSync(
    join(kernel.folder, "connection.json"),
    JSON.stringify({ ...kernel.info }),
  );
  const stop = new AbortController();
  const third = serveWorkspace({
    root: "/the/root",
    folder: kernel.folder,
    version: "1",
    handlers,
    report: () => {},
    signal: stop.signal,
  });
  await third.next();
  assert.notEqual(readConnection(kernel.folder)!.key, before);
  stop.abort();
  await third.next();
});

Deno.test("the connection file of a dead kernel, on whose port another one listens: its client is told, and does not wait", async () => {
  const dead = await Kernel.start();
  const { info } = dead;
  await dead.stop();
  Deno.writeTextFileSync(join(dead.folder, "connection.json"), JSON.stringify(info));
  await using _other = await Kernel.start({ port: info.port });
  await assert.rejects(
    dead.client(),
    /^DisconnectedError: what answers at "127\.0\.0\.1:\d+" is not the kernel that was there: it has another key$/,
  );
  Deno.removeSync(dead.folder, { recursive: true });
});

Deno.test("a port that was named and is in use is an error that says what is there; the default one gives way", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = (taken.addr as Deno.NetAddr).port;
  const inUse = (port: number, by: string) =>
    assert.rejects(
      Kernel.start({ port }),
      ({ message }) =>
        message ===
          `--port ${port}: in use by ${by}; name another one, or leave it out for one that is free`,
    );
  await inUse(silent, "another program");
  taken.close();
  const greeter = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const greeting = (async () => {
    for await (const socket of greeter) {
      await writeAll(socket, new TextEncoder().encode("SSH-2.0-Example\r\n"));
      socket.close();
    }
  })();
  await inUse((greeter.addr as Deno.NetAddr).port, 'a program that says "SSH-2.0-Example"');
  greeter.close();
  await greeting;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("hello"),
  );
  await inUse(server.addr.port, "a web server");
  await server.shutdown();
  await using one = await Kernel.start();
  await inUse(one.info.port, "a ZeroMQ socket, such as the kernel of another workspace");
  await using two = await Kernel.start();
  assert.notEqual(one.info.port, two.info.port);
});

Deno.test("a command ends where a result of several is too large to be sent", async () => {
  let isOpen = true;
  const search = async function* () {
    try {
      yield { query: "x".repeat(68_000_000), results: [] };
      yield { query: "more", results: [] };
    } finally {
      isOpen = false;
    }
  };
  await using kernel = await Kernel.start({
    handlers: { ...handlers, search } as unknown as Handlers,
  });
  await using client = await kernel.client();
  const error = await refused(client.call("search", briefOf("search", ["a"])));
  assert.match(error.message, /can be sent; ask for less/);
  assert.equal(isOpen, false);
});
