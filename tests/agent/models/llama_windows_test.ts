/** Windows of a model that computes nothing: who gets a sequence, and when a window is closed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LlamaWindows } from "../../../agent/models/llama_windows.ts";
import { type LlamaModelHandle, readGgufHeader } from "../../../rag/mod.ts";
import { temporaryFolder } from "../../support/models.ts";
import { tinyLora, tinyModel, type TinyModelOptions } from "../../support/tiny_gguf.ts";

const ROOT = temporaryFolder();
globalThis.addEventListener("unload", () => ROOT[Symbol.dispose]());
const TINY: TinyModelOptions = { context: 1024 };
const MODEL = join(ROOT.path, "model.gguf");
const LORA = { filePath: join(ROOT.path, "lora.gguf"), scale: 1 };
Deno.writeFileSync(MODEL, tinyModel(TINY));
Deno.writeFileSync(LORA.filePath, tinyLora({ model: TINY }));
const HEADER = await readGgufHeader(MODEL);

/** Windows, and how many of their contexts are open. */
function windowsOf(): { windows: LlamaWindows; contexts: { open: number } } {
  const contexts = { open: 0 };
  const model = {
    _loraAdapters: new Map(),
    createContext: () => {
      contexts.open++;
      return Promise.resolve({
        memoryUsage: { ram: 0, vram: 0 },
        getSequence: () => ({ compareContextTokens: () => ({ firstDifferentIndex: 0 }) }),
        dispose: () => Promise.resolve(void contexts.open--),
      });
    },
  };
  const windows = new LlamaWindows(model as unknown as LlamaModelHandle, HEADER, {
    name: "tiny",
    contextTokens: 1024,
    batch: 64,
    threads: 1,
    parallel: 1,
    most: 1,
    isOnGpu: false,
  });
  return { windows, contexts };
}

/** A promise, and what fulfils it. */
const gate = () => Promise.withResolvers<void>();
/** Whatever can go on without anybody's doing has gone on. */
const settled = () => new Promise<void>((done) => setTimeout(done, 20));
/** What comes of it, unless it takes too long. */
const within = <T>(work: Promise<T>) =>
  Promise.race([work.then(() => "done"), settled().then(() => "waits")]);

Deno.test("a caller that is called and has gone leaves the sequence to the next", async () => {
  const { windows } = windowsOf();
  const first = gate();
  const leaving = new AbortController();
  const running = windows.use(undefined, [], undefined, () => first.promise);
  await settled();
  const gone = windows.use(undefined, [], leaving.signal, () => Promise.resolve())
    .catch((error) => error);
  const next = windows.use(undefined, [], undefined, () => Promise.resolve());
  await settled();
  // The first wakes the second, which has gone by the time it looks.
  first.resolve();
  await running.then(() => leaving.abort());
  await gone;
  assert.equal(await within(next), "done");
});

Deno.test("a window is not closed under a call, and all who close it get through", async () => {
  const { windows, contexts } = windowsOf();
  const adapter = { name: "brick", path: LORA.filePath, scale: 1 };
  await windows.open(LORA, AbortSignal.timeout(5_000));
  const first = gate();
  const running = windows.use(adapter, [], undefined, () => first.promise);
  await settled();
  const closers = [windows.close(LORA), windows.close(LORA)];
  await settled();
  const second = gate();
  let openThen = -1;
  first.resolve();
  // In the middle of what closing does: the call before has ended, the window is still there.
  const late = running.then(() =>
    windows.use(adapter, [], undefined, async () => {
      await second.promise;
      openThen = contexts.open;
    })
  );
  await settled();
  second.resolve();
  await late;
  assert.equal(openThen, 1, "the call had its window to its end");
  assert.equal(await within(Promise.all(closers)), "done");
});
