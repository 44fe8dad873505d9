/** Adapters of models as drivers have them: made hot by a weaver, named by calls. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type AdapterRecord, importAdapter } from "../../../agent/adapters/adapter_record.ts";
import { AdapterShelf } from "../../../agent/adapters/adapter_shelf.ts";
import { AdapterWeaver } from "../../../agent/adapters/adapter_weaver.ts";
import { type LanguageModel, recordCalls } from "../../../agent/models/language_model.ts";
import { type LlamaModelOptions, openLlamaModel } from "../../../agent/models/llama.ts";
import { openOpenAiModel } from "../../../agent/models/openai.ts";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { ChatServer } from "../../support/chat_server.ts";
import { LoraServer } from "../../support/lora_server.ts";
import { temporaryFolder } from "../../support/models.ts";
import { tinyLora, tinyModel, type TinyModelOptions } from "../../support/tiny_gguf.ts";
import { adapterMatrices, writePeft } from "../../support/tiny_peft.ts";
import { PROMPT } from "./conformance.ts";

const ROOT = temporaryFolder();
globalThis.addEventListener("unload", () => ROOT[Symbol.dispose]());
const TINY: TinyModelOptions = { context: 1024 };
const MODEL = join(ROOT.path, "model.gguf");
Deno.writeFileSync(MODEL, tinyModel(TINY));
const BLOBS = new BlobFolder(join(ROOT.path, "blobs"));
let folders = 0;

function open(options: LlamaModelOptions = {}): Promise<LanguageModel> {
  return openLlamaModel(MODEL, { gpu: false, threads: 1, ...options });
}

// Models share llama.cpp: kept open until the process ends, this one spares each test loading it anew.
await open();

function shelf(): AdapterShelf {
  return new AdapterShelf({ folder: join(ROOT.path, `shelf-${folders++}`), blobs: BLOBS });
}

async function lora(name: string, seed: number): Promise<AdapterRecord> {
  const file = join(ROOT.path, `${name}.gguf`);
  Deno.writeFileSync(file, tinyLora({ model: TINY, seed }));
  const { record, blobs } = await importAdapter(file, MODEL, BLOBS, { name });
  BLOBS.keep(blobs);
  return record;
}

Deno.test("a model's adapters are swapped under load: each call gets its own, within the budget", async () => {
  const calls: (string | undefined)[] = [];
  await using model = recordCalls(await open({ adapters: 0 }), (call) => calls.push(call.adapter));
  const records = [await lora("brick", 1), await lora("robin", 2), await lora("babs", 3)];
  const kept = shelf();
  const one = await kept.take(records[0]!, "gguf");
  const bytes = await model.adapters!.bytesOf(one);
  one[Symbol.dispose]();
  // The matrices are the smaller part.
  assert.ok(bytes > Deno.statSync(join(ROOT.path, "brick.gguf")).size);
  await using weaver = new AdapterWeaver({
    host: model.adapters!,
    shelf: kept,
    budgetBytes: bytes * 2.5,
  });
  const ask = async (record: AdapterRecord | undefined) => {
    using active = record && await weaver.activate(record);
    const request = { messages: PROMPT, maxTokens: 12 };
    const { text } = await model.generate(
      active ? { ...request, adapter: active.adapter } : request,
    );
    return text;
  };
  const alone: string[] = [];
  for (const record of [undefined, ...records]) alone.push(await ask(record));
  assert.equal(new Set(alone).size, 4);
  const rounds = Array.from({ length: 5 }, () => [undefined, ...records]).flat();
  const together = await Promise.all(rounds.map((record) => ask(record)));
  assert.deepEqual(together, rounds.map((_, at) => alone[at % 4]));
  const { hot, hotBytes, budgetBytes } = weaver.status();
  assert.equal(hot.length, 2);
  assert.ok(hotBytes <= budgetBytes);
  assert.equal(calls.filter((name) => name === "brick").length, 6);
});

Deno.test("a hot adapter stays when calls name others, and those are kept in bounded number", async () => {
  await using model = await open({ adapters: 1 });
  await using weaver = new AdapterWeaver({
    host: model.adapters!,
    shelf: shelf(),
    budgetBytes: 1e9,
  });
  using active = await weaver.activate(await lora("alfred", 4));
  const ask = async (adapter: { name: string; path?: string; scale?: number } | undefined) =>
    (await model.generate({
      messages: PROMPT,
      maxTokens: 12,
      ...(adapter && { adapter }),
    })).text;
  const hot = await ask(active.adapter);
  const plain = await ask(undefined);
  for (const seed of [5, 6, 7]) {
    const path = join(ROOT.path, `named-${seed}.gguf`);
    Deno.writeFileSync(path, tinyLora({ model: TINY, seed }));
    const [first, ...more] = await Promise.all([1, 2, 3].map(() => ask({ name: "named", path })));
    assert.ok(first !== hot && first !== plain);
    assert.deepEqual(more, [first, first]);
    assert.equal(await ask(active.adapter), hot);
  }
  assert.equal(await ask(undefined), plain);
});

Deno.test("an adapter that a call names is looked at before native code sees it", async () => {
  await using model = await open();
  const other = join(ROOT.path, "wide.gguf");
  Deno.writeFileSync(other, tinyLora({ model: { ...TINY, width: 64 } }));
  const ask = (path: string) =>
    model.generate({ messages: PROMPT, maxTokens: 4, adapter: { name: "x", path } });
  await assert.rejects(ask(other), /"blk.0.attn_q.weight", the model's is 32 × 32/);
  await assert.rejects(ask(MODEL), /"general.type" is undefined/);
  await assert.rejects(ask(join(ROOT.path, "none.gguf")), /no such file/);
  assert.notEqual((await model.generate({ messages: PROMPT, maxTokens: 4 })).text, "");
});

Deno.test("closing the model before the weaver is no error", async () => {
  const model = await open();
  const weaver = new AdapterWeaver({ host: model.adapters!, shelf: shelf(), budgetBytes: 1e9 });
  (await weaver.activate(await lora("late", 8)))[Symbol.dispose]();
  await model[Symbol.asyncDispose]();
  await weaver[Symbol.asyncDispose]();
});

Deno.test("a server's adapter is loaded through the driver's own connection, and asked for by its name", async () => {
  await using loras = new LoraServer();
  await using chat = new ChatServer();
  // One server in vLLM, two here: what is not about adapters is answered by the other.
  const key = "sk-secret-of-the-user";
  const seen: (string | null)[] = [];
  await using front = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      seen.push(request.headers.get("authorization"));
      const { pathname } = new URL(request.url);
      const base = /lora_adapter$/.test(pathname) ? loras.url : chat.url;
      return await fetch(base + pathname.slice("/v1".length), {
        method: request.method,
        headers: request.headers,
        body: request.body,
      });
    },
  );
  const folder = writePeft(
    join(ROOT.path, "peft"),
    adapterMatrices({ modules: ["layers.0.self_attn.q_proj"] }),
    {},
  );
  const { record, blobs } = await importAdapter(folder, undefined, BLOBS, { name: "brick_v3" });
  BLOBS.keep(blobs);
  const { port } = front.addr as Deno.NetAddr;
  await using model = await openOpenAiModel({
    url: `http://127.0.0.1:${port}/v1`,
    key,
    count: (text) => text.length,
  });
  const weaver = new AdapterWeaver({ host: model.adapters!, shelf: shelf(), budgetBytes: 1e9 });
  {
    using active = await weaver.activate(record);
    assert.ok(loras.loaded.has(active.adapter.name));
    await model.generate({ messages: PROMPT, maxTokens: 8, adapter: active.adapter });
    assert.equal(chat.requests.at(-1)!.body.model, active.adapter.name);
  }
  await weaver[Symbol.asyncDispose]();
  assert.equal(loras.loaded.size, 0);
  assert.ok(seen.length >= 4 && seen.every((value) => value === `Bearer ${key}`));
  loras.fault = () => Response.json({ message: `no, ${key}` }, { status: 400 });
  await using again = new AdapterWeaver({
    host: model.adapters!,
    shelf: shelf(),
    budgetBytes: 1e9,
  });
  await assert.rejects(again.activate(record), (error: Error) => {
    assert.match(
      error.message,
      /load the adapter "brick_v3" at ".*": it answered 400: no, \[key\]/,
    );
    assert.ok(!error.message.includes(key));
    return true;
  });
});
