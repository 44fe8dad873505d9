/** An adapter comes into the image's blobs whole, or not at all. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readAdapterFile } from "../../../agent/adapters/adapter_file.ts";
import {
  ADAPTER_RECORD,
  contentId,
  filesOf,
  importAdapter,
} from "../../../agent/adapters/adapter_record.ts";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { temporaryFolder } from "../../support/models.ts";
import { tinyLora, tinyModel } from "../../support/tiny_gguf.ts";
import { adapterMatrices, ggufOf, referenceModel, writePeft } from "../../support/tiny_peft.ts";

const ROOT = temporaryFolder();
globalThis.addEventListener("unload", () => ROOT[Symbol.dispose]());
const MODEL = join(ROOT.path, "model.gguf");
Deno.writeFileSync(MODEL, ggufOf(referenceModel()));
const PEFT = writePeft(
  join(ROOT.path, "peft"),
  adapterMatrices({ modules: ["layers.0.self_attn.q_proj"] }),
  {},
);
let folders = 0;

function blobFolder(): BlobFolder {
  return new BlobFolder(join(ROOT.path, `blobs-${folders++}`));
}

Deno.test("a folder of PEFT comes in both forms, and is seen once its blobs are kept", async () => {
  const blobs = blobFolder();
  const { record, blobs: pending } = await importAdapter(PEFT, MODEL, blobs, { name: "brick" });
  assert.equal(blobs.list().length, 0);
  blobs.keep(pending);
  assert.equal(blobs.list().length, 3);
  assert.deepEqual([record.name, record.scale, record.base], ["brick", 1, "acme/tiny"]);
  const { alpha, name } = await readAdapterFile(blobs.path(record.gguf!));
  assert.deepEqual([alpha, name], [8, "brick"]);
  assert.deepEqual(
    Deno.readFileSync(blobs.path(record.peft!.weights)),
    Deno.readFileSync(join(PEFT, "adapter_model.safetensors")),
  );
  // It is data: a slot of the image holds it.
  assert.deepEqual(ADAPTER_RECORD.parse(JSON.parse(JSON.stringify(record))), record);
  // The same import gives the same content.
  const again = await importAdapter(PEFT, MODEL, blobs, { name: "brick" });
  assert.deepEqual(again.record, record);
  for (const blob of again.blobs) blob.discard();
  assert.equal(contentId(filesOf(record, "gguf")), contentId(filesOf(again.record, "gguf")));
});

Deno.test("without a model it is kept for servers alone; a GGUF file comes as it is", async () => {
  const blobs = blobFolder();
  const served = await importAdapter(PEFT, undefined, blobs, { name: "babs", scale: 0.5 });
  assert.deepEqual(Object.keys(served.record).sort(), ["base", "name", "peft", "scale"]);
  assert.deepEqual(filesOf(served.record, "gguf"), []);
  const file = join(ROOT.path, "lora.gguf");
  Deno.writeFileSync(file, tinyLora());
  const plain = join(ROOT.path, "plain.gguf");
  Deno.writeFileSync(plain, tinyModel());
  const { record, blobs: pending } = await importAdapter(file, plain, blobs, { name: "robin" });
  blobs.keep(pending);
  assert.equal(blobs.size(record.gguf!), Deno.statSync(file).size);
  assert.equal(record.peft, undefined);
});

Deno.test("what fails leaves no blob, not even a pending one", async () => {
  const blobs = blobFolder();
  const other = join(ROOT.path, "wide.gguf");
  Deno.writeFileSync(other, tinyModel({ width: 64 }));
  await assert.rejects(importAdapter(PEFT, other, blobs, { name: "x" }), /the model's is 64 × 64/);
  await assert.rejects(importAdapter(MODEL, undefined, blobs, { name: "x" }), /"general.type"/);
  await assert.rejects(
    importAdapter(join(ROOT.path, "nowhere"), MODEL, blobs, { name: "x" }),
    /no such folder/,
  );
  await assert.rejects(importAdapter(PEFT, MODEL, blobs, { name: "../x" }), /name/);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(importAdapter(PEFT, MODEL, blobs, { name: "x", signal }), /enough/);
  // Half way: the weights went after the GGUF file was written.
  const folder = writePeft(
    join(ROOT.path, "broken"),
    adapterMatrices({ modules: ["layers.0.self_attn.q_proj"] }),
    {},
  );
  const failing = {
    write: async (...given: Parameters<BlobFolder["write"]>) => {
      const blob = await blobs.write(...given);
      Deno.removeSync(join(folder, "adapter_config.json"));
      return blob;
    },
  };
  await assert.rejects(importAdapter(folder, MODEL, failing, { name: "x" }), /adapter_config/);
  assert.deepEqual(blobs.list(), []);
  assert.deepEqual([...Deno.readDirSync(join(blobs.path("0".repeat(64)), "..", "pending"))], []);
});

Deno.test("a record that names files otherwise than by hashes, or none, is refused", () => {
  const gguf = "0".repeat(64);
  assert.ok(ADAPTER_RECORD.safeParse({ name: "a", gguf }).success);
  for (
    const wrong of [
      { name: "a" },
      { name: "a", gguf: "../../etc/passwd" },
      { name: "a/b", gguf },
      { name: "", gguf },
      { name: "a", gguf, scale: Infinity },
      { name: "a", gguf, other: 1 },
      { name: "a", peft: { config: gguf } },
    ]
  ) assert.equal(ADAPTER_RECORD.safeParse(wrong).success, false, JSON.stringify(wrong));
});
