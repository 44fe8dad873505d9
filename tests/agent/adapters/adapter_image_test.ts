/** Adapters in the image: objects that keep their blobs, from an import to the model. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  adapterRecord,
  adaptersIn,
  forgetAdapter,
  importIntoImage,
} from "../../../agent/adapters/adapter_image.ts";
import { AdapterShelf } from "../../../agent/adapters/adapter_shelf.ts";
import { AdapterWeaver } from "../../../agent/adapters/adapter_weaver.ts";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { type Image, openImage, Ref } from "../../../kernel/mod.ts";
import { MemoryHost } from "../../support/memory_host.ts";
import { temporaryFolder } from "../../support/models.ts";
import { adapterMatrices, ggufOf, referenceModel, writePeft } from "../../support/tiny_peft.ts";

const ROOT = temporaryFolder();
globalThis.addEventListener("unload", () => ROOT[Symbol.dispose]());
const MODEL = join(ROOT.path, "model.gguf");
Deno.writeFileSync(MODEL, ggufOf(referenceModel()));
let folders = 0;

function peft(seed: number): string {
  const matrices = adapterMatrices({ modules: ["layers.0.self_attn.q_proj"], seed });
  return writePeft(join(ROOT.path, `peft-${folders++}`), matrices, {});
}

async function withImage(
  work: (image: Image, blobs: BlobFolder, folder: string) => Promise<void>,
): Promise<void> {
  const folder = join(ROOT.path, `image-${folders++}`);
  Deno.mkdirSync(folder);
  const blobs = new BlobFolder(join(folder, "blobs"));
  using image = await openImage(join(folder, "image.db"), { mode: "exclusive", blobs });
  await work(image, blobs, folder);
}

Deno.test("an imported adapter is an object whose blobs outlast a pack, and goes from there into a model", async () => {
  await withImage(async (image, blobs, folder) => {
    using before = image.begin();
    assert.deepEqual(Object.keys(adaptersIn(image, before)), []);
    before.abort();
    const { adapter, record } = await importIntoImage(image, peft(1), MODEL, {
      name: "brick",
      scale: 0.5,
    });
    await image.pack();
    assert.equal(blobs.list().length, 3);
    using unit = image.view();
    assert.deepEqual(Object.keys(adaptersIn(image, unit)), ["brick"]);
    assert.equal(adaptersIn(image, unit).brick!.oid, adapter.oid);
    assert.deepEqual(adapterRecord(unit, adapter), record);
    assert.equal(record.scale, 0.5);
    const host = new MemoryHost();
    const shelf = new AdapterShelf({ folder: join(folder, "adapters"), blobs });
    await using weaver = new AdapterWeaver({ host, shelf, budgetBytes: 1e6 });
    using active = await weaver.activate(adapterRecord(unit, adapter));
    assert.deepEqual(active.adapter, { name: "brick", scale: 0.5 });
  });
});

Deno.test("one of the same name replaces it, and what is forgotten goes with a pack", async () => {
  await withImage(async (image, blobs) => {
    const first = await importIntoImage(image, peft(1), MODEL, { name: "brick" });
    await importIntoImage(image, peft(2), undefined, { name: "robin" });
    const second = await importIntoImage(image, peft(3), MODEL, { name: "brick" });
    assert.notEqual(first.record.gguf, second.record.gguf);
    {
      using unit = image.view();
      assert.deepEqual(Object.keys(adaptersIn(image, unit)).sort(), ["brick", "robin"]);
      assert.deepEqual(adapterRecord(unit, adaptersIn(image, unit).brick!), second.record);
    }
    assert.equal(await forgetAdapter(image, "brick"), true);
    assert.equal(await forgetAdapter(image, "brick"), false);
    await image.pack();
    using unit = image.view();
    assert.deepEqual(Object.keys(adaptersIn(image, unit)), ["robin"]);
    assert.ok(!blobs.has(second.record.gguf!));
    const { peft: files } = adapterRecord(unit, adaptersIn(image, unit).robin!);
    assert.deepEqual(blobs.list(), [files!.config, files!.weights].sort());
  });
});

Deno.test("an import that fails, or is given up, leaves the image and its blobs as they were", async () => {
  await withImage(async (image, blobs) => {
    const before = image.newest;
    const missing = join(ROOT.path, "nowhere");
    await assert.rejects(importIntoImage(image, missing, MODEL, { name: "x" }), /no such folder/);
    await assert.rejects(importIntoImage(image, peft(1), missing, { name: "x" }), /no such file/);
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(importIntoImage(image, peft(1), MODEL, { name: "x", signal }), /enough/);
    using unit = image.view();
    assert.deepEqual(Object.keys(adaptersIn(image, unit)), []);
    assert.deepEqual(blobs.list(), []);
    // Only the prototype came.
    assert.ok(image.newest <= before + 1);
  });
});

Deno.test("an object that is no adapter is refused by what it lacks", async () => {
  await withImage(async (image) => {
    const oid = await image.transact((unit) => unit.create({ slots: { name: "x", gguf: "abc" } }));
    using unit = image.view();
    assert.throws(() => adapterRecord(unit, new Ref(oid)), /as an adapter: "gguf" is wrong/);
  });
});
