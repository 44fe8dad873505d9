/** Personas with adapters of their own: made hot while they speak, in a real model of random weights; refused by name where they cannot be. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { askInCycle, importIntoImage, type ModelCall, openCyclePlace } from "../../agent/mod.ts";
import { openLlamaModel } from "../../agent/models/llama.ts";
import { PersonaAdapters } from "../../agent/persona_adapters.ts";
import type { Activation } from "../../agent/adapters/adapter_weaver.ts";
import { temporaryFolder } from "../support/models.ts";
import { tinyLora, tinyModel, type TinyModelOptions } from "../support/tiny_gguf.ts";
import { SHOP, withRepository } from "../support/repository.ts";

const ROOT = temporaryFolder();
globalThis.addEventListener("unload", () => ROOT[Symbol.dispose]());
const TINY: TinyModelOptions = { context: 4096 };
const MODEL = join(ROOT.path, "model.gguf");
Deno.writeFileSync(MODEL, tinyModel(TINY));
const LORA = join(ROOT.path, "babs.gguf");
Deno.writeFileSync(LORA, tinyLora({ model: TINY, seed: 3 }));

Deno.test("BABS reads with its own adapter, and the others without", () =>
  withRepository(SHOP, async (memory, root) => {
    using place = await openCyclePlace(join(root, ".batos", "image.db"));
    const { image, cycles } = place;
    await importIntoImage(image, LORA, MODEL, { name: "babs_1" });
    await using model = await openLlamaModel(MODEL, { gpu: false, threads: 1 });
    const activations: Activation[] = [];
    await using adapters = new PersonaAdapters({
      folder: join(root, ".batos", "adapters"),
      blobs: join(root, ".batos", "blobs"),
      onActivation: (activation) => activations.push(activation),
    });
    const ask = async () => {
      const calls: ModelCall[] = [];
      const answer = await askInCycle("where is Order?", memory, image, cycles, {
        root,
        model,
        adapters,
        budget: { steps: 1, answerTokens: 40 },
        onCall: (call) => calls.push(call),
      });
      for (const { status } of answer.citations) assert.notEqual(status, "removed");
      return calls.map(({ adapter }) => adapter);
    };
    const without = await ask();
    assert.ok(without.length > 0 && without.every((name) => name === undefined));
    await image.transact((unit) => unit.set(image.named("BABS"), "adapter", "babs_1"));
    const withAdapter = await ask();
    assert.ok(withAdapter.length > 0 && withAdapter.every((name) => name !== undefined));
    await ask();
    // The second question found it hot.
    assert.deepEqual(activations.map(({ from }) => from), ["cold", "hot"]);
    await image.transact((unit) => unit.set(image.named("BABS"), "adapter", "nobody"));
    await assert.rejects(ask(), /adapter "nobody" of BABS: the image holds none of that name/);
  }));
