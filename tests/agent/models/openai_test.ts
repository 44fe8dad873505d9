/** Models at a server, asked over real connections to one on loopback. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type LanguageModel, LanguageModelError } from "../../../agent/models/language_model.ts";
import { openLlamaModel } from "../../../agent/models/llama.ts";
import { type OpenAiOptions, openOpenAiModel } from "../../../agent/models/openai.ts";
import { eventData } from "../../../agent/models/sse.ts";
import { countTokens } from "../../../ingest/mod.ts";
import { ChatServer, events } from "../../support/chat_server.ts";
import { tinyModel } from "../../support/tiny_gguf.ts";
import { languageModelConformance, PROMPT, SCHEMA } from "./conformance.ts";

const KEY = "sk-a-secret-of-the-user";

function open(server: ChatServer, options: Partial<OpenAiOptions> = {}): Promise<LanguageModel> {
  return openOpenAiModel({ url: server.url, count: countTokens, retryMs: 5, ...options });
}

/** Rejected with one line for a person, without the key. */
async function refuses(work: Promise<unknown>, kind: string, pattern: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof LanguageModelError, String((error as Error).stack));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n|\.$/);
    assert.ok(!Deno.inspect(error).includes(KEY), error.message);
    return true;
  });
}

const plain = new ChatServer();
globalThis.addEventListener("unload", () => void plain[Symbol.asyncDispose]());
languageModelConformance("openai", () => open(plain));

const file = Deno.makeTempFileSync({ suffix: ".gguf" });
globalThis.addEventListener("unload", () => Deno.removeSync(file));
Deno.writeFileSync(file, tinyModel({ context: 4096 }));
const llama = await openLlamaModel(file, { gpu: false, threads: 1 });
const backed = new ChatServer({ model: llama });
languageModelConformance("openai with a model behind it", () => open(backed));

const ASK = { messages: PROMPT, maxTokens: 200 };

Deno.test("the window, the only model and the counts are taken from the server", async () => {
  await using server = new ChatServer({ models: [{ id: "qwen", max_model_len: 32_768 }] });
  await using model = await open(server);
  assert.equal(model.name, `openai:${server.url}#qwen`);
  assert.equal(model.contextTokens, 32_768);
  const before = model.countPrompt(PROMPT);
  const { tokensIn } = await model.generate(ASK);
  assert.ok(model.countPrompt(PROMPT) >= tokensIn, "an estimate below what the server counted");
  assert.notEqual(model.countPrompt(PROMPT), before);
});

Deno.test("a server with several models, or without the one that was named, says which it has", async () => {
  await using server = new ChatServer({ models: [{ id: "a" }, { id: "b" }] });
  await refuses(open(server), "unusable", /it has 2 models; name one as openai:URL#MODEL: a, b/);
  await refuses(open(server, { model: "c" }), "unusable", /no model "c", expected one of a, b/);
  await using model = await open(server, { model: "b" });
  assert.equal(model.contextTokens, 8192);
  server.fault = ({ path }) =>
    path.endsWith("models") ? new Response(null, { status: 404 }) : undefined;
  await using unlisted = await open(server, { model: "any" });
  assert.match((await unlisted.generate(ASK)).text, /^You asked: /);
  await refuses(open(server), "unusable", /it does not say which models it has/);
});

Deno.test("a server that is down, no server, and one that answers a web page are told apart", async () => {
  const down = new ChatServer();
  await using model = await open(down);
  await down[Symbol.asyncDispose]();
  await refuses(open(down), "unusable", /it cannot be reached \(.*refused/i);
  await refuses(
    model.generate(ASK),
    "unusable",
    /cannot be reached .* \(tried 5 times\)/,
  );
  await using server = new ChatServer();
  server.fault = () =>
    new Response("<html>sign in</html>", { headers: { "content-type": "text/html" } });
  await refuses(open(server), "unusable", /it answered a web page, expected JSON/);
  server.fault = undefined;
  await using other = await open(server);
  server.fault = () =>
    new Response("<html>sign in</html>", { headers: { "content-type": "text/html" } });
  await refuses(other.generate(ASK), "unusable", /it answered a web page, expected events/);
  for (const url of ["ftp://127.0.0.1/v1", "nonsense", ""]) {
    await refuses(open(server, { url }), "unusable", /not a web address/);
  }
  await refuses(
    open(server, { url: `http://user:${KEY}@127.0.0.1/v1` }),
    "unusable",
    /the address holds a name or a password/,
  );
});

Deno.test("the key goes to the server that was named and to no other, and is in no message", async () => {
  await using other = new ChatServer();
  await using server = new ChatServer();
  await using model = await open(server, { key: KEY });
  await model.generate(ASK);
  assert.ok(server.requests.every(({ authorization }) => authorization === `Bearer ${KEY}`));
  server.fault = () => Response.redirect(`${other.url}/chat/completions`, 307);
  await refuses(model.generate(ASK), "unusable", /it redirects elsewhere \(307\)/);
  assert.deepEqual(other.requests, []);
  server.fault = () =>
    Response.json({ error: { message: `Incorrect API key provided: ${KEY}` } }, { status: 401 });
  await refuses(
    model.generate(ASK),
    "unusable",
    /it answered 401: Incorrect API key provided: \[key\]; see that the key is right/,
  );
  await using keyless = await open(plain);
  await keyless.generate(ASK);
  assert.equal(plain.requests.at(-1)!.authorization, null);
  server.fault = () => Response.json({ error: `no: ${KEY}` }, { status: 403 });
  await refuses(open(server, { key: KEY }), "unusable", /403: no: \[key\]/);
});

Deno.test("too many requests and passing failures are tried again, as late as the server asks for", async () => {
  await using server = new ChatServer();
  await using model = await open(server);
  for (const status of [429, 500, 503]) {
    let left = 2;
    server.fault = () =>
      left-- > 0 ? new Response("busy", { status, headers: { "retry-after": "0" } }) : undefined;
    assert.match((await model.generate(ASK)).text, /^You asked/);
    assert.equal(left, -1);
  }
  const begin = server.completions.length;
  server.fault = () => new Response(null, { status: 429, headers: { "retry-after": "3600" } });
  await refuses(
    model.generate(ASK),
    "unusable",
    /answered 429 and wants to be left alone for 3600 s/,
  );
  assert.equal(server.completions.length, begin + 1);
  server.fault = () => new Response(null, { status: 503 });
  await refuses(model.generate(ASK), "unusable", /it answered 503 \(tried 5 times\)/);
  // Waiting can be given up.
  const reason = new Error("enough");
  server.fault = () => new Response(null, { status: 503, headers: { "retry-after": "30" } });
  await assert.rejects(model.generate({ ...ASK, signal: AbortSignal.timeout(30) }), {
    name: "TimeoutError",
  });
  const controller = new AbortController();
  const asked = model.generate({ ...ASK, signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(asked, reason);
});

Deno.test("a connection that breaks is tried again, unless somebody has read the beginning", async () => {
  await using server = new ChatServer();
  await using model = await open(server);
  let left = 1;
  server.fault = () => left-- > 0 ? events(["You ", "asked"], undefined) : undefined;
  assert.match((await model.generate(ASK)).text, /^You asked: /);
  left = 1;
  await refuses(
    model.generate({ ...ASK, onText: () => {} }),
    "failed",
    /it closed the connection half way, after 9 characters/,
  );
});

Deno.test("a slow server is given up, before its first word and in the middle", async () => {
  await using server = new ChatServer();
  await using model = await open(server, { firstMs: 60, stallMs: 40 });
  server.fault = () => server.silence();
  await refuses(model.generate(ASK), "failed", /nothing came for 0\.06 s/);
  server.fault = () => server.silence('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
  await refuses(model.generate(ASK), "failed", /nothing came for 0\.04 s/);
});

Deno.test("a server that refuses a schema is asked with less of one, and that is remembered", async () => {
  await using server = new ChatServer({ reply: () => '{"action":"answer"}' });
  await using model = await open(server);
  const takes = (...types: (string | undefined)[]) => {
    server.fault = ({ path, body }) =>
      path.endsWith("completions") && !types.includes(body.response_format?.type)
        ? Response.json({ error: { message: "response_format is not supported" } }, { status: 400 })
        : undefined;
  };
  takes("json_object");
  await model.generate({ ...ASK, schema: SCHEMA });
  await model.generate({ ...ASK, schema: SCHEMA });
  const forms = () => server.completions.map(({ body }) => body.response_format?.type);
  assert.deepEqual(forms(), ["json_schema", "json_object", "json_object"]);
  assert.match(server.completions.at(-1)!.body.messages!.at(-1)!.content, /this JSON Schema:\n\{/);
  takes(undefined);
  const { text } = await model.generate({ ...ASK, schema: SCHEMA });
  assert.equal(text, '{"action":"answer"}');
  assert.deepEqual(forms().slice(3), ["json_object", undefined]);
  server.fault = () => new Response("no", { status: 400 });
  await refuses(model.generate({ ...ASK, schema: SCHEMA }), "failed", /it answered 400: no/);
});

Deno.test("what newer and older servers do not know is taken back", async () => {
  await using server = new ChatServer();
  await using model = await open(server);
  server.fault = ({ path, body }) =>
    !path.endsWith("completions")
      ? undefined
      : body.max_tokens !== undefined
      ? Response.json({ error: { message: "use max_completion_tokens" } }, { status: 400 })
      : body.stream_options !== undefined
      ? Response.json({ detail: "unknown field stream_options" }, { status: 422 })
      : undefined;
  assert.match((await model.generate(ASK)).text, /^You asked/);
  assert.equal(server.completions.length, 3);
});

Deno.test("a prompt that is too long for the server is told from other refusals", async () => {
  await using server = new ChatServer();
  await using model = await open(server);
  server.fault = () =>
    Response.json(
      { error: { message: "This model's maximum context length is 512 tokens" } },
      { status: 400 },
    );
  const begin = server.completions.length;
  await refuses(model.generate({ ...ASK, schema: SCHEMA }), "overflow", /maximum context length/);
  assert.equal(server.completions.length, begin + 1);
});

Deno.test("a server that does not stream, sends nonsense, errors in the stream, or never ends is understood", async () => {
  await using server = new ChatServer();
  await using model = await open(server);
  server.fault = () =>
    Response.json({ choices: [{ message: { content: "whole" }, finish_reason: "stop" }] });
  assert.equal((await model.generate(ASK)).text, "whole");
  server.fault = () =>
    new Response("data: {nonsense\n\n", { headers: { "content-type": "text/event-stream" } });
  await refuses(model.generate(ASK), "failed", /an event that is no JSON/);
  server.fault = () =>
    new Response('data: {"error":{"message":"out of memory\\nin CUDA"}}\n\n', {
      headers: { "content-type": "text/event-stream" },
    });
  await refuses(model.generate(ASK), "failed", /it broke off: out of memory in CUDA/);
  let sent = 0;
  server.fault = () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((done) => setTimeout(done));
          sent++;
          controller.enqueue(
            new TextEncoder().encode(
              'data: {"choices":[{"delta":{"content":"more and more "}}]}\n\n',
            ),
          );
        },
      }),
      { headers: { "content-type": "text/event-stream" } },
    );
  const endless = await model.generate({ ...ASK, maxTokens: 10 });
  assert.equal(endless.stopped, "length");
  assert.ok(endless.text.length < 10 * 40, `${endless.text.length} characters`);
  assert.ok(sent < 10_000);
});

Deno.test("an adapter that the server has loaded is asked for by its name", async () => {
  await using server = new ChatServer();
  await using model = await open(server);
  await model.generate({ ...ASK, adapter: { name: "brick_v3" } });
  assert.equal(server.completions.at(-1)!.body.model, "brick_v3");
});

Deno.test("eventData() gives the same events wherever the network cuts", async () => {
  const piece = fc.string({ unit: "grapheme", maxLength: 20 }).map((text) =>
    text.replace(/[\r\n]/g, "")
  );
  const end = fc.constantFrom("\n", "\r\n", "\r");
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 6 }),
      end,
      fc.array(fc.nat(40), { maxLength: 30 }),
      async (pieces, newline, cuts) => {
        const text = pieces.map((data) => `: note${newline}data: ${data}${newline}${newline}`)
          .join("") + `data: torn`;
        const bytes = new TextEncoder().encode(text);
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) chunks.push(bytes.subarray(at, at += cut));
        chunks.push(bytes.subarray(at));
        const seen: string[] = [];
        for await (const data of eventData(ReadableStream.from(chunks))) seen.push(data);
        assert.deepEqual(seen, pieces);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("eventData() gives up an event that has no end", async () => {
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent++ > 40) return controller.close();
      controller.enqueue(new TextEncoder().encode(`data: ${"a".repeat(1 << 20)}\n`));
    },
  });
  await assert.rejects(async () => {
    for await (const _ of eventData(endless)) assert.fail("no event has ended");
  }, RangeError);
  assert.ok(sent < 12, `${sent} megabytes were read`);
});

Deno.test("the servers and the model of this file are closed", async () => {
  await backed[Symbol.asyncDispose]();
  await llama[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});
