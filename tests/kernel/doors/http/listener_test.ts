/** The socket of the HTTP door, with requests that no `fetch` would send: what a head may cost, what is taken over, how it closes. */
import assert from "node:assert/strict";
import {
  type Listener,
  type ListenerOptions,
  openListener,
} from "../../../../kernel/doors/http/listener.ts";
import { until } from "./door.ts";

/** A socket that answers with what it was asked, and closes at the end of the test. */
async function openEcho(
  options: Partial<ListenerOptions> = {},
): Promise<Listener & AsyncDisposable> {
  const listener = await openListener({
    hostname: "127.0.0.1",
    port: 0,
    upgradePath: "/socket",
    answer: async (request, _, takeover) =>
      new Response(
        `${request.method} ${new URL(request.url).pathname} ${takeover ? "taken" : "plain"} ` +
          (await request.text()).length,
      ),
    onError: (error) => {
      throw error;
    },
    ...options,
  });
  return { ...listener, [Symbol.asyncDispose]: () => listener.close(AbortSignal.abort()) };
}

/** Sends text and gives all that comes until the other end closes, or until it holds a text. */
async function talk({ port }: Listener, text: string, until?: string): Promise<string> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    const sent = await socket.write(bytes.subarray(at)).catch(() => 0);
    if (sent === 0) break;
    at += sent;
  }
  let answer = "";
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await socket.read(buffer).catch(() => null);
    if (count === null) return answer;
    answer += new TextDecoder().decode(buffer.subarray(0, count));
    if (until !== undefined && answer.includes(until)) return answer;
  }
}

Deno.test("a request that is ambiguous or no request is refused: two hosts, two lengths, another server's address", async () => {
  await using echo = await openEcho();
  const close = "Connection: close\r\n\r\n";
  const cases: [RegExp, string][] = [
    [/^HTTP\/1\.1 400 /, `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n${close}`],
    [/^HTTP\/1\.1 400 /, `GET http://elsewhere.example/ HTTP/1.1\r\nHost: a\r\n${close}`],
    [/^HTTP\/1\.1 400 /, `OPTIONS * HTTP/1.1\r\nHost: a\r\n${close}`],
    [/^HTTP\/1\.1 400 /, `TRACE / HTTP/1.1\r\nHost: a\r\n${close}`],
    [/^HTTP\/1\.1 400 /, `GET / HTTP/1.1\r\n${close}`],
    [/^HTTP\/1\.1 400 /, "nonsense\r\n\r\n"],
    [/^HTTP\/1\.1 431 /, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(40_000)}\r\n${close}`],
    [
      /^HTTP\/1\.1 400 /,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    [
      /^HTTP\/1\.1 400 /,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ],
    [/^HTTP\/1\.1 200 [^]*GET \/\/a\/b plain 0/, `GET //a/b HTTP/1.1\r\nHost: a\r\n${close}`],
  ];
  for (const [expected, text] of cases) {
    const answer = await talk(echo, text);
    assert.match(answer, expected, text.slice(0, 60));
    assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1, "one answer");
  }
});

Deno.test("a connection may become a WebSocket at one path only; elsewhere, and for other protocols, it is answered as it is", async () => {
  await using echo = await openEcho();
  const ask = (line: string, protocol: string, body = "") =>
    talk(
      echo,
      `${line} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: ${protocol}\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  assert.match(await ask("GET /socket?x=1", "WebSocket"), /GET \/socket taken 0$/);
  assert.match(await ask("GET /sockets", "websocket"), /GET \/sockets plain 0/);
  assert.match(await ask("POST /socket", "websocket", "body"), /POST \/socket plain 4/);
  // As `curl --http2` and clients in Java begin.
  assert.match(await ask("POST /socket", "h2c", "body"), /POST \/socket plain 4/);
});

Deno.test("a body is waited for when it is read, a stream's head is sent before its first piece", async () => {
  await using echo = await openEcho({
    answer: async (request) =>
      request.method === "POST"
        ? new Response(`${(await request.text()).length}`)
        // A stream whose first piece does not come.
        : new Response(new ReadableStream()),
  });
  const continued = await talk(
    echo,
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
  );
  assert.match(continued, /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 [^]*3/);
  const head = await talk(echo, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 200 /);
});

Deno.test("an answer is made no faster than it is read, and ends when the reader goes", async () => {
  let made = 0;
  let cancelled = false;
  const block = new Uint8Array(100_000);
  await using echo = await openEcho({
    answer: () =>
      Promise.resolve(
        new Response(
          new ReadableStream({
            pull(controller) {
              made += block.length;
              controller.enqueue(block);
            },
            cancel() {
              cancelled = true;
            },
          }),
        ),
      ),
  });
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
  await socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  let before = -1;
  await until(() => {
    const isStill = made > 0 && made === before;
    before = made;
    return isStill;
  }, "the answer to wait");
  assert.ok(made < 50_000_000, `${made} bytes were made for who reads none`);
  socket.close();
  await until(() => cancelled, "the answer to end");
});

Deno.test("there is an end to connections; closing waits for what is being answered, and cuts off what does not end", async () => {
  let finish = () => {};
  const answered = new Promise<void>((resolve) => finish = resolve);
  const echo = await openEcho({
    answer: async ({ url }) => {
      if (url.endsWith("/never")) await new Promise(() => {});
      if (!url.endsWith("/now")) await answered;
      return new Response("at last");
    },
  });
  const idle = await Promise.all(
    Array.from({ length: 300 }, () => Deno.connect({ hostname: "127.0.0.1", port: echo.port })),
  );
  let refused = 0;
  for (const socket of idle) {
    socket.read(new Uint8Array(1)).then((count) => count === null && refused++, () => refused++);
  }
  await until(() => refused === 300 - 256, "those beyond the bound to be refused");
  idle.forEach((socket) => socket.close());
  const get = (path: string) =>
    talk(echo, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  for (let tries = 0; tries < 100 && await get("/now") === ""; tries++);
  const waits = get("/later");
  const never = get("/never");
  await new Promise((resolve) => setTimeout(resolve, 50));
  const cutOff = new AbortController();
  let closed = false;
  const closing = echo.close(cutOff.signal).then(() => closed = true);
  finish();
  assert.match(await waits, /at last/);
  assert.ok(!closed);
  cutOff.abort();
  await closing;
  assert.equal(await never, "");
});

Deno.test("clients that break off wherever they are harm nobody", async () => {
  await using echo = await openEcho();
  const heads = [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50),
    "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "",
  ];
  for (let round = 0; round < 20; round++) {
    for (const head of heads) {
      const socket = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
      await socket.write(new TextEncoder().encode(head));
      if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      // What was sent to it lies there unread: the other end is reset.
      socket.close();
    }
  }
  const answer = await talk(echo, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.match(answer, /GET \/ plain 0/);
});

Deno.test("who sends a whole body before reading can read why it was not wanted, and ask again on the same connection; who sends without end is cut off", async () => {
  await using echo = await openEcho({
    answer: async (request) => {
      if (request.url.endsWith("/part")) {
        const reader = request.body!.getReader();
        await reader.read();
        await reader.cancel();
        return new Response("answer to a part.");
      }
      if (request.url.endsWith("/none")) return new Response("answer to nothing.");
      return new Response(`answer to ${(await request.text()).length}.`);
    },
  });
  const body = "x".repeat(3_000_000);
  const request = (path: string, more = "") =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
  for (const path of ["/none", "/part"]) {
    const answers = await talk(
      echo,
      request(path) + request("/all", "Connection: close\r\n"),
    );
    assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 2, path);
    assert.ok(answers.includes("answer to 3000000."), path);
  }
  const head = "POST /part HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
  await socket.write(new TextEncoder().encode(head));
  const chunk = new TextEncoder().encode(`f4240\r\n${"x".repeat(1_000_000)}\r\n`);
  let sent = 0;
  const sending = (async () => {
    for (; sent < 200; sent++) {
      for (let at = 0; at < chunk.length;) at += await socket.write(chunk.subarray(at));
    }
  })().catch(() => {});
  const buffer = new Uint8Array(4_096);
  while ((await socket.read(buffer).catch(() => null)) !== null);
  await sending;
  assert.ok(sent < 60, `${sent} MB were taken`);
});
