/** From the name of a model to something that opens it. */
import assert from "node:assert/strict";
import {
  KEY_VARIABLE,
  type ModelPorts,
  openModel,
  parseModelName,
} from "../../../agent/models/choose.ts";
import { SharedModel } from "../../../agent/models/shared.ts";
import { type LanguageModel, LanguageModelError } from "../../../agent/models/language_model.ts";
import { ChatServer } from "../../support/chat_server.ts";

function portsWith(env: Readonly<Record<string, string>> = {}): ModelPorts {
  return {
    locate: (reference) => Promise.resolve(reference),
    env: (name) => env[name],
    count: (text) => Math.ceil(text.length / 4),
  };
}

async function open(name: string, env?: Readonly<Record<string, string>>): Promise<LanguageModel> {
  const model = await openModel(parseModelName(name), portsWith(env));
  assert.ok(model !== undefined);
  return model;
}

Deno.test("names say what they mean", () => {
  assert.equal(parseModelName("none").kind, "extractive");
  assert.deepEqual(parseModelName("llama:hf:acme/tiny/w.gguf"), {
    kind: "llama",
    name: "llama:hf:acme/tiny/w.gguf",
    reference: "hf:acme/tiny/w.gguf",
  });
  assert.deepEqual(parseModelName("openai:http://127.0.0.1:8000/v1?context=16384&key=MINE#org/m"), {
    kind: "openai",
    name: "openai:http://127.0.0.1:8000/v1?context=16384&key=MINE#org/m",
    url: "http://127.0.0.1:8000/v1",
    model: "org/m",
    contextTokens: 16_384,
    keyVariable: "MINE",
  });
  const stray = parseModelName("openai:http://127.0.0.1:8000/v1#half-50%");
  assert.equal(stray.kind === "openai" && stray.model, "half-50%");
});

Deno.test("what is no name is refused with the names there are, and a key in one is not repeated", () => {
  for (
    const [name, pattern] of [
      ["gpt", /expected "extractive", "llama:/],
      ["llama:", /expected "extractive"/],
      ["openai:localhost", /expected a web address/],
      ["openai:http://x/v1?context=lots", /"lots" is no number of tokens/],
    ] as const
  ) assert.throws(() => parseModelName(name), { name: "LanguageModelError", message: pattern });
  assert.throws(
    () => parseModelName("openai:https://x/v1?key=sk-secret-1#m"),
    (error) =>
      error instanceof LanguageModelError && !error.message.includes("secret") &&
      /not the name of an environment variable/.test(error.message),
  );
});

Deno.test("the key comes from the environment, and never goes over a network in the open unasked", async () => {
  await using server = new ChatServer();
  await using model = await open(`openai:${server.url}#tiny`, { [KEY_VARIABLE]: "k-1" });
  await model.generate({ messages: [{ role: "user", content: "hi" }], maxTokens: 5 });
  assert.deepEqual(new Set(server.requests.map(({ authorization }) => authorization)).size, 1);
  assert.equal(server.requests[0]!.authorization, "Bearer k-1");
  await assert.rejects(
    open("openai:http://models.example:8000/v1#m", { [KEY_VARIABLE]: "k-1" }),
    /the key in OPENAI_API_KEY would go over the network in the open/,
  );
  await assert.rejects(
    open(`openai:${server.url}?key=OTHER#tiny`, { [KEY_VARIABLE]: "k-1" }),
    /the variable OTHER is not set/,
  );
  await using other = await open(`openai:${server.url}?key=OTHER#tiny`, { OTHER: "k-2" });
  assert.equal(server.requests.at(-1)!.authorization, "Bearer k-2");
  assert.ok(!other.name.includes("k-2"));
});

Deno.test("a shared model is opened once, kept while it is leased, and closed when it is idle", async () => {
  let opened = 0;
  let closed = 0;
  await using server = new ChatServer();
  const make = async (): Promise<LanguageModel> => {
    opened++;
    const model = await open(`openai:${server.url}#tiny`);
    const close = model[Symbol.asyncDispose].bind(model);
    model[Symbol.asyncDispose] = () => {
      closed++;
      return close();
    };
    return model;
  };
  const shared = new SharedModel(make, { idleMs: 20 });
  const [one, other] = await Promise.all([shared.lease(), shared.lease()]);
  assert.equal(one.model, other.model);
  await one[Symbol.asyncDispose]();
  await one[Symbol.asyncDispose]();
  await new Promise((done) => setTimeout(done, 60));
  assert.deepEqual([opened, closed, shared.isOpen], [1, 0, true]);
  await other[Symbol.asyncDispose]();
  while (closed === 0) await new Promise((done) => setTimeout(done, 5));
  assert.equal(shared.isOpen, false);
  await using again = await shared.lease();
  assert.equal(opened, 2);
  await again[Symbol.asyncDispose]();
  await shared[Symbol.asyncDispose]();
  assert.equal(closed, 2);
  await assert.rejects(shared.lease(), /it was closed/);
});

Deno.test("a shared model that could not be opened is tried anew by the next who asks", async () => {
  await using server = new ChatServer();
  let isDown = true;
  await using shared = new SharedModel(async () => {
    if (isDown) throw new Error("down");
    return await open(`openai:${server.url}#tiny`);
  });
  await assert.rejects(Promise.all([shared.lease(), shared.lease()]), /down/);
  isDown = false;
  await using lease = await shared.lease();
  assert.match(lease.model.name, /^openai:/);
});
