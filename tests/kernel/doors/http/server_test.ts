/** The HTTP door on a real socket: who comes in, what is refused before any work, and what the API says. */
import assert from "node:assert/strict";
import { commands } from "../../../../kernel/commands.ts";
import { newToken } from "../../../../kernel/doors/http/access.ts";
import { servedCommands } from "../../../../kernel/doors/http/api.ts";
import { MAX_BODY_BYTES } from "../../../../kernel/doors/http/body.ts";
import { startHttp } from "../../../../kernel/doors/http/server.ts";
import { bearer, lines, openDoor, post, raw, until } from "./door.ts";

const FOUND = { query: "router", results: [] };

Deno.test("a command runs for whoever has the token", async () => {
  await using door = await openDoor({ search: () => Promise.resolve(FOUND) });
  const response = await post(door, "search", { query: "router" });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { results: [FOUND], exit: 1, notes: [] });
});

Deno.test("without the token, or with a wrong one, nothing is answered", async () => {
  let ran = 0;
  await using door = await openDoor({ search: () => Promise.resolve(ran++) });
  const wrong: Record<string, string>[] = [
    {},
    { authorization: "Bearer " },
    { authorization: `Bearer ${newToken()}` },
    { authorization: `Bearer ${door.token.slice(1)}` },
    { authorization: `Basic ${door.token}` },
    { cookie: `batos_${door.port}=${newToken()}` },
    // The cookie of the door on another port.
    { cookie: `batos_${door.port + 1}=${door.token}` },
  ];
  for (const headers of wrong) {
    const response = await fetch(`${door.base}/api/search`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: '{"query":"x"}',
    });
    assert.equal(response.status, 401, JSON.stringify(headers));
    assert.match((await response.json()).error.message, /^no token: send/);
  }
  for (const path of ["/api", "/events", "/runs", "/v1/models", "/nowhere"]) {
    const response = await fetch(`${door.base}${path}`);
    assert.equal(response.status, 401, path);
    await response.body?.cancel();
  }
  assert.equal(ran, 0);
});

Deno.test("the token goes from the address into a cookie that scripts and other sites do not get", async () => {
  await using door = await openDoor({ search: () => Promise.resolve(FOUND) });
  const entered = await fetch(door.url, { redirect: "manual" });
  assert.equal(entered.status, 303);
  assert.equal(entered.headers.get("location"), "/");
  const cookie = entered.headers.get("set-cookie") ?? "";
  assert.match(cookie, /; HttpOnly; SameSite=Strict; Path=\/$/);
  await entered.body?.cancel();
  const [pair = ""] = cookie.split(";");
  const page = await fetch(`${door.base}/`, { headers: { cookie: pair } });
  assert.equal(page.status, 200);
  assert.ok(!(await page.text()).includes(door.token), "the page does not hold the token");
  const locked = await fetch(`${door.base}/`);
  assert.equal(locked.status, 401);
  assert.match(locked.headers.get("content-type") ?? "", /^text\/html/);
  await locked.body?.cancel();
  const wrong = await fetch(`${door.base}/?token=${newToken()}`, { redirect: "manual" });
  assert.equal(wrong.status, 403);
  await wrong.body?.cancel();
});

Deno.test("a page of another origin is refused, also one on another port of this machine", async () => {
  let ran = 0;
  await using door = await openDoor({
    search: () => {
      ran++;
      return Promise.resolve(FOUND);
    },
  });
  const strangers: Record<string, string>[] = [
    { origin: "https://example.com" },
    { origin: "null" },
    { origin: `http://127.0.0.1:${door.port + 1}` },
    { origin: `https://127.0.0.1:${door.port}` },
    // Cookies and tokens apart, one name of this machine is not the origin of another.
    { origin: `http://localhost:${door.port}` },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" },
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
  ];
  for (const headers of strangers) {
    const response = await post(door, "search", { query: "x" }, headers);
    assert.equal(response.status, 403, JSON.stringify(headers));
    await response.body?.cancel();
  }
  assert.equal(ran, 0);
  const own = await post(door, "search", { query: "x" }, {
    origin: door.base,
    "sec-fetch-site": "same-origin",
  });
  assert.equal(own.status, 200);
  await own.body?.cancel();
});

Deno.test("a Host that is no name of this machine is refused, so that no name can be made to point here", async () => {
  await using door = await openDoor({});
  const authorization = `Authorization: Bearer ${door.token}`;
  for (
    const host of ["evil.example", `evil.example:${door.port}`, "127.0.0.1", "127.0.0.1:1", ""]
  ) {
    const answer = await raw(door, ["GET /api HTTP/1.1", `Host: ${host}`, authorization]);
    assert.match(answer, /^HTTP\/1\.1 4(21|00) /, host);
  }
  for (const host of [`127.0.0.1:${door.port}`, `LOCALHOST:${door.port}`, `[::1]:${door.port}`]) {
    const answer = await raw(door, ["GET /api HTTP/1.1", `Host: ${host}`, authorization]);
    assert.match(answer, /^HTTP\/1\.1 200 /, host);
  }
});

Deno.test("a body of 100 MB is refused before it is read, one that hides its length at the limit", async () => {
  await using door = await openDoor({ search: () => Promise.resolve(FOUND) });
  const answer = await raw(door, [
    "POST /api/search HTTP/1.1",
    `Host: 127.0.0.1:${door.port}`,
    `Authorization: Bearer ${door.token}`,
    "Content-Type: application/json",
    "Content-Length: 100000000",
  ]);
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(answer, /body of 100000000 bytes: at most 8000000 are taken/);

  let sent = 0;
  const chunk = new Uint8Array(100_000).fill(0x20);
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      sent += chunk.length;
      controller.enqueue(chunk);
    },
  });
  const status = await fetch(`${door.base}/api/search`, {
    method: "POST",
    headers: bearer(door, { "content-type": "application/json" }),
    body: endless,
  }).then(async (response) => {
    await response.body?.cancel();
    return response.status;
  }, () => 413); // the connection may be closed under the sender
  assert.equal(status, 413);
  assert.ok(sent < 20 * MAX_BODY_BYTES, `${sent} bytes went out`);
});

Deno.test("input is validated by the table, and what names the caller's own files is not taken", async () => {
  let ran = 0;
  await using door = await openDoor({
    search: () => Promise.resolve(ran++),
    read: () => Promise.resolve(ran++),
  });
  const wrong: [string, unknown, RegExp][] = [
    ["search", { query: "x", repo: "/etc" }, /^"repo": not taken by search here; it takes query,/],
    ["search", { queries: "/etc/passwd" }, /^"queries": not taken/],
    ["search", { query: "x", limit: 0 }, /^limit: /],
    ["search", { query: " " }, /^query: it is empty/],
    ["search", { query: "x", nonsense: 1 }, /^"nonsense": not taken/],
    ["search", ["x"], /^body: expected a JSON object/],
    ["read", {}, /^place: /],
    ["read", JSON.parse('{"place":"a","__proto__":{"polluted":1}}'), /^"__proto__": not taken/],
  ];
  for (const [command, input, message] of wrong) {
    const response = await post(door, command, input);
    assert.equal(response.status, 400, JSON.stringify(input));
    assert.match((await response.json()).error.message, message);
  }
  const noJson = await fetch(`${door.base}/api/search`, {
    method: "POST",
    headers: bearer(door, { "content-type": "application/json" }),
    body: "query=x",
  });
  assert.equal(noJson.status, 400);
  await noJson.body?.cancel();
  const form = await post(door, "search", { query: "x" }, {
    "content-type": "application/x-www-form-urlencoded",
  });
  assert.equal(form.status, 415);
  await form.body?.cancel();
  assert.equal(ran, 0);
});

Deno.test("only names of the table are commands, and only with POST", async () => {
  await using door = await openDoor({});
  for (const name of ["constructor", "__proto__", "toString", "nope", "search%2f", "..%2fapi"]) {
    const response = await post(door, name, {});
    assert.equal(response.status, 404, name);
    await response.body?.cancel();
  }
  const got = await fetch(`${door.base}/api/search`, { headers: bearer(door) });
  assert.equal(got.status, 405);
  assert.equal(got.headers.get("allow"), "POST");
  await got.body?.cancel();
  for (const name of servedCommands()) assert.ok(!commands[name].local, name);
});

Deno.test("GET /api describes each command that is served, without the fields that are not taken", async () => {
  await using door = await openDoor({});
  const response = await fetch(`${door.base}/api`, { headers: bearer(door) });
  const api = await response.json();
  assert.deepEqual(Object.keys(api.commands), servedCommands());
  assert.equal(api.workspace.name, "sample");
  const fields = Object.keys(api.commands.search.input.properties);
  assert.ok(fields.includes("query") && fields.includes("limit"));
  assert.ok(!fields.includes("repo") && !fields.includes("queries"));
});

Deno.test("a stream tells the run, progress, results and the end, as lines and as events", async () => {
  await using door = await openDoor({
    async *ingest(_input, { progress }) {
      progress({ phase: "ingesting", done: 1, total: 2, detail: "a.ts" });
      yield { path: "a.ts" };
      progress({ phase: "", detail: "mind the gap", note: true });
      yield { path: "b.ts", reason: "binary" };
    },
  });
  const stream = await post(door, "ingest", {}, { accept: "application/x-ndjson" });
  assert.equal(stream.headers.get("content-type"), "application/x-ndjson");
  const messages = await lines(stream);
  assert.deepEqual(messages.map((message) => Object.keys(message)[0]), [
    "run",
    "progress",
    "result",
    "progress",
    "result",
    "exit",
  ]);
  assert.deepEqual(messages.at(-1), { exit: 0 });
  const events = await (await post(door, "ingest", {}, { accept: "text/event-stream" })).text();
  assert.match(events, /^event: run\ndata: \{"run":\{"id":"[0-9a-f-]{36}"\}\}\n\n/);
  assert.match(events, /event: exit\ndata: \{"exit":0\}\n\n$/);
});

Deno.test("a failure is one line, in a stream as well", async () => {
  await using door = await openDoor({
    read: () => Promise.reject(new Error('read "x": not a file\n  name one.')),
  });
  const whole = await post(door, "read", { place: "x" });
  assert.equal(whole.status, 422);
  assert.equal((await whole.json()).error.message, 'read "x": not a file; name one');
  const stream = await post(door, "read", { place: "x" }, { accept: "application/x-ndjson" });
  assert.deepEqual((await lines(stream)).at(-1), {
    error: { message: 'read "x": not a file; name one' },
  });
});

Deno.test("a run is listed while it goes on, and can be cancelled", async () => {
  await using door = await openDoor({
    ask: (_input, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const running = post(door, "ask", { question: "why?" }, { accept: "application/x-ndjson" });
  await until(() => door.runs.size === 1, "the run to be listed");
  const { runs } = await (await fetch(`${door.base}/runs`, { headers: bearer(door) })).json();
  assert.equal(runs[0].command, "ask");
  assert.equal(runs[0].subject, "why?");
  const cancel = () =>
    fetch(`${door.base}/runs/${runs[0].id}/cancel`, { method: "POST", headers: bearer(door) });
  const cancelled = await cancel();
  assert.equal(cancelled.status, 200);
  await cancelled.body?.cancel();
  assert.deepEqual((await lines(await running)).at(-1), { error: { message: "cancelled" } });
  assert.equal(door.runs.size, 0);
  const again = await cancel();
  assert.equal(again.status, 404);
  await again.body?.cancel();
});

Deno.test("whoever goes away ends the run", async () => {
  let ended = false;
  await using door = await openDoor({
    ask: (_input, { signal, progress }) =>
      new Promise((_, reject) => {
        // A connection that was closed shows when something is written to it.
        const timer = setInterval(() => progress({ phase: "thinking", note: true }), 5);
        signal.addEventListener("abort", () => {
          clearInterval(timer);
          ended = true;
          reject(signal.reason);
        });
      }),
  });
  const gone = new AbortController();
  const response = await fetch(`${door.base}/api/ask`, {
    method: "POST",
    headers: bearer(door, { "content-type": "application/json", accept: "application/x-ndjson" }),
    body: '{"question":"why?"}',
    signal: gone.signal,
  });
  assert.equal(response.status, 200);
  await until(() => door.runs.size === 1, "the run to begin");
  gone.abort();
  await response.body?.cancel().catch(() => {});
  await until(() => ended && door.runs.size === 0, "the run to end");
});

Deno.test("too many commands at a time are told to wait", async () => {
  await using door = await openDoor({
    ask: (_input, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const running = Array.from(
    { length: 16 },
    () => post(door, "ask", { question: "q" }, { accept: "application/x-ndjson" }),
  );
  await until(() => door.runs.size === 16, "the runs to begin");
  const refused = await post(door, "ask", { question: "one more" });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  await refused.body?.cancel();
  for (const { id } of door.runs.list()) door.runs.cancel(id);
  for (const response of running) await (await response).text();
});

Deno.test("every response has the headers that keep a page to itself", async () => {
  await using door = await openDoor({});
  for (const path of ["/", "/page.js", "/api", "/nowhere", door.url.slice(door.base.length)]) {
    const response = await fetch(door.base + path, { redirect: "manual" });
    await response.body?.cancel();
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/, path);
    assert.doesNotMatch(policy, /unsafe/, path);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(response.headers.get("referrer-policy"), "no-referrer", path);
    assert.equal(response.headers.get("x-frame-options"), "DENY", path);
    assert.equal(response.headers.get("access-control-allow-origin"), null, path);
  }
});

Deno.test("files of the page are compressed, and not sent twice", async () => {
  await using door = await openDoor({});
  const first = await raw(door, [
    "GET /page.js HTTP/1.1",
    `Host: 127.0.0.1:${door.port}`,
    "Accept-Encoding: gzip, br",
  ]);
  assert.match(first, /content-encoding: br/i);
  const [, tag = ""] = /etag: (\S+)/i.exec(first) ?? [];
  const second = await raw(door, [
    "GET /page.js HTTP/1.1",
    `Host: 127.0.0.1:${door.port}`,
    `If-None-Match: ${tag}`,
  ]);
  assert.match(second, /^HTTP\/1\.1 304 /);
});

Deno.test("a mount gets the requests below its path, with the token only, and a bounded body", async () => {
  await using door = await openDoor({}, {
    mounts: { v1: async (request) => new Response(`got ${(await request.text()).length}`) },
  });
  const answered = await fetch(`${door.base}/v1/chat/completions`, {
    method: "POST",
    headers: bearer(door),
    body: "x".repeat(1000),
  });
  assert.equal(await answered.text(), "got 1000");
  const refused = await fetch(`${door.base}/v1/models`);
  assert.equal(refused.status, 401);
  await refused.body?.cancel();
  const unknown = await fetch(`${door.base}/constructor/x`, { headers: bearer(door) });
  assert.equal(unknown.status, 404);
  await unknown.body?.cancel();
});

Deno.test("a fault in one request is answered, told, and harms no other", async () => {
  await using door = await openDoor({ search: () => Promise.resolve(FOUND) }, {
    mounts: {
      v1: () => {
        throw new Error("secret detail");
      },
    },
  });
  const broken = await fetch(`${door.base}/v1/x`, { headers: bearer(door) });
  assert.equal(broken.status, 500);
  assert.doesNotMatch(await broken.text(), /secret detail/);
  assert.equal(door.faults.length, 1);
  const next = await post(door, "search", { query: "x" });
  assert.equal(next.status, 200);
  await next.body?.cancel();
});

Deno.test("it listens on this machine only, and says so about a port that is taken", async () => {
  await using door = await openDoor({});
  const parts = {
    version: "1",
    workspace: { name: "a", root: "/a" },
    execute: async function* () {},
  };
  for (const hostname of ["0.0.0.0", "::", "192.168.1.2", "example.com"]) {
    await assert.rejects(
      startHttp({ ...parts, hostname }),
      /^CommandError: host ".*": the page and the API are served to this machine only/,
    );
  }
  await assert.rejects(
    startHttp({ ...parts, port: door.port }),
    new RegExp(`^CommandError: port ${door.port}: another program listens there`),
  );
  await assert.rejects(startHttp({ ...parts, token: "short" }), /^RangeError: token of 5/);
});

Deno.test("stopping ends what runs and frees the port", async () => {
  let ended = false;
  const door = await openDoor({
    ask: (_input, { signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          ended = true;
          reject(signal.reason);
        })
      ),
  });
  const running = post(door, "ask", { question: "q" }, { accept: "application/x-ndjson" });
  await until(() => door.runs.size === 1, "the run to begin");
  const response = await running;
  const text = response.text().catch(() => "cut off");
  await door.stop();
  assert.ok(ended);
  await text;
  Deno.listen({ hostname: "127.0.0.1", port: door.port }).close();
});
