/** From PEFT to GGUF: what llama.cpp computes with the result is what PEFT's matrices say. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { AdapterError, type AdapterErrorKind } from "../../../agent/adapters/adapter_error.ts";
import { readAdapterFile } from "../../../agent/adapters/adapter_file.ts";
import { type ConvertOptions, PeftAdapter } from "../../../agent/adapters/peft_adapter.ts";
import { readGgufHeader } from "../../../rag/embed/gguf.ts";
import { distance, openTestModel, probabilitiesWith, TOKENS } from "../../support/adapter_model.ts";
import { temporaryFolder } from "../../support/models.ts";
import { tinyLora, tinyModel } from "../../support/tiny_gguf.ts";
import {
  adapterMatrices,
  ggufOf,
  logitsOf,
  merged,
  MODULES,
  type PeftOptions,
  referenceModel,
  softmax,
  writePeft,
} from "../../support/tiny_peft.ts";

const FOLDER = temporaryFolder();
globalThis.addEventListener("unload", () => FOLDER[Symbol.dispose]());
let files = 0;

function pathOf(name: string): string {
  return join(FOLDER.path, `${files++}-${name}`);
}

function write(bytes: Uint8Array): string {
  const path = pathOf("model.gguf");
  Deno.writeFileSync(path, bytes);
  return path;
}

const REFERENCE = referenceModel();
const MODEL = write(ggufOf(REFERENCE));
const ALL = [0, 1].flatMap((layer) =>
  Object.keys(MODULES).map((module) => `layers.${layer}.${module}`)
).concat("lm_head");
const ATTENTION = ALL.filter((module) => module.includes("self_attn"));
/** 32-bit arithmetic in another order: measured 3e-6 at most. */
const NEAR = 2e-5;

async function convert(
  folder: string,
  options: ConvertOptions = {},
  model = MODEL,
): Promise<string> {
  await using adapter = await PeftAdapter.open(folder, model, options);
  const path = pathOf("adapter.gguf");
  await Deno.writeFile(path, ReadableStream.from(adapter.gguf()));
  assert.equal(Deno.statSync(path).size, adapter.size);
  return path;
}

async function refused(work: Promise<unknown>, kind: AdapterErrorKind, text: RegExp) {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof AdapterError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, text);
    assert.doesNotMatch(error.message, /\n|\.$/);
    return true;
  });
}

/** An adapter for some modules, in PEFT's form and as what it adds. */
function adapterOf(
  options: PeftOptions,
  config: Record<string, unknown>,
  scale: (module: string) => number,
) {
  const matrices = adapterMatrices(options);
  const folder = writePeft(pathOf("peft"), matrices, config, options.type);
  const changes = new Map(
    [...matrices].map(([module, pair]) => [module, { ...pair, scale: scale(module) }]),
  );
  return { folder, changes };
}

Deno.test("the reference computes what llama.cpp computes", async () => {
  await using opened = await openTestModel(MODEL);
  const found = await probabilitiesWith(opened.model);
  assert.equal(found.length, 512);
  assert.ok(distance(found, softmax(logitsOf(REFERENCE, TOKENS))) < NEAR);
});

const cases: {
  name: string;
  options: PeftOptions;
  config?: Record<string, unknown>;
  scale: (module: string) => number;
  convert?: ConvertOptions;
  near?: number;
}[] = [
  {
    name: "query and key matrices, whose rows are reordered",
    options: { modules: ATTENTION.filter((module) => /[qk]_proj/.test(module)) },
    scale: () => 8 / 4,
  },
  { name: "every kind of module", options: { modules: ALL }, scale: () => 8 / 4 },
  { name: "bfloat16", options: { modules: ATTENTION, type: "BF16" }, scale: () => 8 / 4 },
  {
    name: "float16, kept as that",
    options: { modules: ATTENTION, type: "F16" },
    convert: { type: "float16" },
    scale: () => 8 / 4,
    // llama.cpp rounds what it multiplies with halves to halves.
    near: 2e-3,
  },
  {
    name: "rank-stabilised scaling",
    options: { modules: ATTENTION },
    config: { use_rslora: true },
    scale: () => 8 / Math.sqrt(4),
  },
  {
    name: "other ranks and alphas for some modules",
    options: { modules: ATTENTION, rank: (module) => module.endsWith("v_proj") ? 2 : 4 },
    config: {
      lora_alpha: 3,
      rank_pattern: { v_proj: 2 },
      alpha_pattern: { "layers.1.self_attn.k_proj": 12, "o_proj": 1 },
    },
    scale: (module) =>
      module === "layers.1.self_attn.k_proj"
        ? 12 / 4
        : module.endsWith("o_proj")
        ? 1 / 4
        : module.endsWith("v_proj")
        ? 3 / 2
        : 3 / 4,
  },
];

for (const { name, options, config = {}, scale, convert: how, near = NEAR } of cases) {
  Deno.test(`a converted adapter does what its matrices say: ${name}`, async () => {
    const { folder, changes } = adapterOf(options, config, scale);
    const filePath = await convert(folder, how);
    const expected = merged(REFERENCE, changes);
    await using opened = await openTestModel(MODEL);
    const plain = await probabilitiesWith(opened.model);
    const found = await probabilitiesWith(opened.model, [{ filePath }]);
    assert.ok(distance(plain, found) > 0.1, "it changes nothing");
    const apart = distance(found, softmax(logitsOf(expected, TOKENS)));

    assert.ok(apart < near, `${apart} apart from the reference`);
    await using whole = await openTestModel(write(ggufOf(expected)));
    const same = distance(found, await probabilitiesWith(whole.model));
    assert.ok(same < near, `${same} apart from the model with the weights added`);
    // Half of it is half of the change to the weights.
    const halved = merged(
      REFERENCE,
      new Map([...changes].map(([name, pair]) => [name, { ...pair, scale: pair.scale / 2 }])),
    );
    const half = await probabilitiesWith(opened.model, [{ filePath, scale: 0.5 }]);
    assert.ok(distance(half, softmax(logitsOf(halved, TOKENS))) < near);
  });
}

Deno.test("the file says what it is, and fits the model that it was made for", async () => {
  const { folder } = adapterOf({ modules: ATTENTION }, {}, () => 2);
  const path = await convert(folder, { name: "brick" });
  const found = await readAdapterFile(path, await readGgufHeader(MODEL));
  assert.deepEqual(
    { ...found, targets: found.targets.length },
    {
      path,
      architecture: "llama",
      name: "brick",
      base: "acme/tiny",
      alpha: 8,
      rank: 4,
      targets: 8,
      bytes: 2 * 4 * 4 * (4 * 32 + 2 * 32 + 2 * 16),
    },
  );
});

Deno.test("for architectures that keep the order of rows, rows stay as they are", async () => {
  const { folder } = adapterOf({ modules: ATTENTION }, {}, () => 2);
  const bytesFor = async (architecture: string) => {
    const model = write(ggufOf(REFERENCE, {
      metadata: { "general.architecture": { type: "string", value: architecture } },
    }));
    await using adapter = await PeftAdapter.open(folder, model);
    return [
      ...new Uint8Array(await new Response(ReadableStream.from(adapter.gguf())).arrayBuffer()),
    ];
  };
  // Of the same length, so that whatever differs beside the name is the order of rows.
  const [llama, gemma] = [await bytesFor("llama"), await bytesFor("gemma")];
  const [qwen2, qwen3] = [await bytesFor("qwen2"), await bytesFor("qwen3")];
  const different = (a: number[], b: number[]) => a.filter((byte, at) => byte !== b[at]).length;
  assert.equal(different(qwen2, gemma), 5);
  assert.equal(different(qwen2, qwen3), 1);
  assert.ok(different(llama, gemma) > 100);
});

Deno.test("an adapter for another model is refused before anything is written", async () => {
  const { folder } = adapterOf({ modules: ATTENTION }, {}, () => 2);
  const other = (options: Parameters<typeof tinyModel>[0]) =>
    PeftAdapter.open(folder, write(tinyModel(options)));
  await refused(other({ width: 64 }), "mismatch", /changes a 32 × 32 .*the model's is 64 × 64/);
  await refused(other({ keyHeads: 1 }), "mismatch", /attn_k.weight", the model's is 32 × 8/);
  await refused(other({ layers: 1, keyHeads: 2 }), "mismatch", /has no "blk.1.attn_q.weight"/);
  await refused(other({ architecture: "bert" }), "unsupported", /"bert"; expected one of llama/);
  await refused(PeftAdapter.open(folder, write(tinyLora())), "mismatch", /its type is "adapter"/);
  const qwen = write(tinyModel({
    keyHeads: 2,
    metadata: { "general.architecture": { type: "string", value: "qwen2" } },
  }));
  const path = await convert(folder);
  await refused(readAdapterFile(path, await readGgufHeader(qwen)), "mismatch", /is "qwen2"/);
});

Deno.test("what a configuration says beyond matrices is refused by its name", async () => {
  const matrices = adapterMatrices({ modules: ATTENTION });
  const refusals: [Record<string, unknown>, RegExp][] = [
    [{ peft_type: "IA3" }, /its type is "IA3"; expected "LORA"/],
    [{ use_dora: true }, /DoRA/],
    [{ bias: "all" }, /biases/],
    [{ modules_to_save: ["lm_head"] }, /"lm_head"/],
    [{ init_lora_weights: "pissa_niter_16" }, /"pissa_niter_16"/],
    [{ alpha_pattern: { "layers\\.[01]\\..*": 3 } }, /regular expression/],
    [{ alora_invocation_tokens: [1, 2] }, /activated LoRA/],
    [{ layer_replication: [[0, 1]] }, /repeats layers/],
  ];
  for (const [config, text] of refusals) {
    const folder = writePeft(pathOf("peft"), matrices, config);
    await refused(PeftAdapter.open(folder, MODEL), "unsupported", text);
  }
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ r: 0 }, /"r" is wrong/],
    [{ lora_alpha: "much" }, /"lora_alpha" is wrong/],
    [{ r: 8 }, /of rank 4, expected 8/],
  ];
  for (const [config, text] of wrong) {
    const folder = writePeft(pathOf("peft"), matrices, config);
    await refused(PeftAdapter.open(folder, MODEL), "damaged", text);
  }
});

Deno.test("a folder that lacks something, or holds something else, is refused", async () => {
  const empty = pathOf("empty");
  await refused(PeftAdapter.open(empty, MODEL), "failed", /no such folder/);
  Deno.mkdirSync(empty);
  await refused(PeftAdapter.open(empty, MODEL), "failed", /has no "adapter_config.json"/);
  Deno.writeTextFileSync(join(empty, "adapter_config.json"), "{");
  Deno.writeTextFileSync(join(empty, "adapter_model.bin"), "");
  await refused(PeftAdapter.open(empty, MODEL), "failed", /a pickle, which can run code/);
  Deno.writeTextFileSync(join(empty, "adapter_model.safetensors"), "");
  await refused(PeftAdapter.open(empty, MODEL), "failed", /adapter_config.json that PEFT saves/);
  const { folder } = adapterOf({ modules: ATTENTION }, {}, () => 2);
  await refused(PeftAdapter.open(folder, join(empty, "adapter_config.json")), "damaged", /GGUF/);
  await refused(PeftAdapter.open(folder, join(empty, "none.gguf")), "damaged", /no such file/);
});

Deno.test("modules that have no place in a GGUF adapter, or half of their matrices, are refused", async () => {
  const matrices = adapterMatrices({ modules: ["layers.0.self_attn.q_proj"] });
  const [pair] = matrices.values();
  for (const module of ["layers.0.mlp.experts.3.w1", "embed_tokens", "layers.0.input_layernorm"]) {
    const folder = writePeft(pathOf("peft"), new Map([[module, pair!]]), {});
    await refused(PeftAdapter.open(folder, MODEL), "unsupported", RegExp(module));
  }
  const wrong = new Map([["layers.0.self_attn.q_proj", { a: pair!.a, b: pair!.a }]]);
  await refused(
    PeftAdapter.open(writePeft(pathOf("peft"), wrong, {}), MODEL),
    "damaged",
    /shapes \[4,32\] and \[4,32\]; expected two that multiply/,
  );
});

Deno.test("values that are no numbers, or too large for half precision, stop the conversion", async () => {
  const matrices = adapterMatrices({ modules: ["layers.0.self_attn.q_proj"] });
  const [pair] = matrices.values();
  const with_ = (value: number) => {
    const b = pair!.b.map((row) => row.slice());
    b[3]![1] = value;
    return writePeft(
      pathOf("peft"),
      new Map([["layers.0.self_attn.q_proj", { a: pair!.a, b }]]),
      {},
    );
  };
  await refused(convert(with_(NaN)), "damaged", /value 13 is NaN/);
  await refused(convert(with_(70_000), { type: "float16" }), "unsupported", /convert to float32/);
  await convert(with_(70_000));
});

Deno.test("an adapter's file that is none, or half of one, is refused", async () => {
  await refused(readAdapterFile(MODEL), "unsupported", /"general.type" is undefined/);
  const path = write(tinyLora());
  assert.equal((await readAdapterFile(path)).rank, 4);
  Deno.truncateSync(path, Deno.statSync(path).size - 64);
  await refused(readAdapterFile(path), "damaged", /cut off/);
});
