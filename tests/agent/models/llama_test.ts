/** GGUF models that write, with tiny ones that llama.cpp runs. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  LanguageModelError,
  type ModelCall,
  recordCalls,
} from "../../../agent/models/language_model.ts";
import { type LlamaModelOptions, openLlamaModel } from "../../../agent/models/llama.ts";
import { tinyLora, tinyModel, type TinyModelOptions } from "../../support/tiny_gguf.ts";
import { languageModelConformance, PROMPT } from "./conformance.ts";

const FOLDER = Deno.makeTempDirSync({ prefix: "batos-writing-" });
globalThis.addEventListener("unload", () => Deno.removeSync(FOLDER, { recursive: true }));

let files = 0;

function write(bytes: Uint8Array): string {
  const path = join(FOLDER, `${files++}.gguf`);
  Deno.writeFileSync(path, bytes);
  return path;
}

const TINY: TinyModelOptions = { context: 2048 };
const FILE = write(tinyModel(TINY));

function open(file = FILE, options: LlamaModelOptions = {}) {
  return openLlamaModel(file, { gpu: false, threads: 1, ...options });
}

async function refuses(work: Promise<unknown>, pattern: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof LanguageModelError, String((error as Error).stack));
    assert.equal(error.kind, "unusable");
    assert.doesNotMatch(error.message, /\n|\.$/);
    assert.match(error.message, pattern);
    return true;
  });
}

// Models share llama.cpp: kept open until the process ends, this one spares each test loading it anew.
await open();

languageModelConformance("llama", () => open());
languageModelConformance("llama with two windows", () => open(FILE, { parallel: 2 }));

Deno.test("counts are those of the model's tokenizer, of the prompt as it is read", async () => {
  await using model = await open();
  // A word of the vocabulary.
  assert.equal(model.count("read"), 1);
  // Digits stand in no word of the vocabulary.
  assert.equal(model.count("0123456789"), 10);
  const { tokensIn } = await model.generate({ messages: PROMPT, maxTokens: 1 });
  assert.equal(tokensIn, model.countPrompt(PROMPT));
});

Deno.test("what reads like a control token in a message is text", async () => {
  await using model = await open();
  // Five characters, five tokens or so; the control token itself would be one.
  assert.ok(model.count("</s>") > 1);
  const around = model.countPrompt([{ role: "user", content: "" }]);
  const inside = model.countPrompt([{ role: "user", content: "</s>" }]);
  assert.equal(inside - around, model.count("</s>"));
});

Deno.test("a prompt is read from where it differs from the one before", async () => {
  await using model = await open();
  const first = await model.generate({ messages: PROMPT, maxTokens: 8 });
  assert.equal(first.tokensReused, 0);
  const longer = [
    ...PROMPT,
    { role: "assistant" as const, content: "the list" },
    { role: "user" as const, content: "and the next" },
  ];
  const second = await model.generate({ messages: longer, maxTokens: 8 });
  assert.ok(second.tokensReused > first.tokensIn * 0.8, `${second.tokensReused} reused`);
  const same = await model.generate({ messages: longer, maxTokens: 8 });
  assert.equal(same.tokensReused, same.tokensIn - 1);
  assert.equal(same.text, second.text);
});

Deno.test("an adapter changes what is written, and without it all is as before", async () => {
  const path = write(tinyLora({ model: TINY }));
  await using model = await open(FILE, { adapters: 1 });
  const ask = (adapter?: { name: string; path?: string; scale?: number }) =>
    model.generate({ messages: PROMPT, maxTokens: 16, ...(adapter && { adapter }) });
  const plain = (await ask()).text;
  const adapted = (await ask({ name: "brick", path })).text;
  assert.notEqual(adapted, plain);
  const other = write(tinyLora({ model: TINY, seed: 8 }));
  assert.notEqual((await ask({ name: "robin", path: other })).text, adapted);
  assert.equal((await ask()).text, plain);
  assert.equal((await ask({ name: "brick", path })).text, adapted);
  await assert.rejects(ask({ name: "babs" }), /adapter "babs" names no file/);
});

Deno.test("a file that is no model, half of one, or another kind of one is refused before native code sees it", async () => {
  const whole = tinyModel(TINY);
  await refuses(open(join(FOLDER, "missing.gguf")), /there is no such file/);
  await refuses(open(write(new TextEncoder().encode("<html>"))), /expected "GGUF"/);
  await refuses(open(write(new Uint8Array())), /it is empty/);
  await refuses(open(write(whole.subarray(0, whole.length - 100))), /it was cut off/);
  await refuses(open(write(whole.subarray(0, 600))), /cut off/);
  await refuses(open(write(tinyModel({ ...TINY, embedding: true }))), /a model that embeds/);
  await refuses(open(write(tinyLora())), /it is of type "adapter"/);
  await refuses(open(write(tinyModel({ context: 256 }))), /it reads 256 tokens/);
  await refuses(
    open(write(tinyModel({
      ...TINY,
      metadata: { "general.architecture": { type: "string", value: "martian" } },
    }))),
    /"martian\.context_length" is missing/,
  );
});

Deno.test("a model larger than the memory that is free is refused before it is loaded", async () => {
  await refuses(
    open(FILE, { freeMemory: { ram: 200e6, vram: 0 } }),
    /it needs about 0\.3 GB \(0\.0 GB of weights\), and 0\.2 GB of memory are free; close other programs/,
  );
  // Where the window alone is too much it gets smaller, and says so.
  const bytes = 2 * 32 * 2 * 2 * 1500;
  await using model = await open(FILE, {
    freeMemory: { ram: 300e6 + Deno.statSync(FILE).size + bytes, vram: 0 },
  });
  assert.equal(model.contextTokens, 1500);
  await refuses(
    open(FILE, { contextTokens: 4096 }),
    /a window of 4096 tokens was asked for, and it was trained for 2048/,
  );
});

Deno.test("a model whose template cannot be used is asked in a plain form", async () => {
  for (const chatTemplate of ["{% for %}", "{{ raise_exception('roles must alternate') }}"]) {
    await using model = await open(write(tinyModel({ ...TINY, chatTemplate })));
    assert.notEqual((await model.generate({ messages: PROMPT, maxTokens: 8 })).text, "");
  }
});

Deno.test("the record of a call that failed because the model was closed still says why", async () => {
  const model = await open();
  await model[Symbol.asyncDispose]();
  const calls: ModelCall[] = [];
  const recorded = recordCalls(model, (call) => calls.push(call));
  await assert.rejects(recorded.generate({ messages: PROMPT, maxTokens: 4 }), /it was closed/);
  assert.match(calls[0]!.error!, /it was closed/);
});

Deno.test("opening can be aborted, and closing waits for calls", async () => {
  const reason = new Error("enough");
  await assert.rejects(open(FILE, { signal: AbortSignal.abort(reason) }), reason);
  const model = await open();
  const asked = model.generate({ messages: PROMPT, maxTokens: 200 });
  await model[Symbol.asyncDispose]();
  assert.ok((await asked).tokensOut > 0);
});
