/** Hot adapters: in llama.cpp, and in a server that answers as vLLM does. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { AdapterError } from "../../../agent/adapters/adapter_error.ts";
import { type AdapterRecord, importAdapter } from "../../../agent/adapters/adapter_record.ts";
import { AdapterShelf } from "../../../agent/adapters/adapter_shelf.ts";
import { AdapterWeaver } from "../../../agent/adapters/adapter_weaver.ts";
import { freeLora, LlamaHost } from "../../../agent/adapters/llama_host.ts";
import { ContextPool } from "../../support/context_pool.ts";
import { type AdapterServer, VllmHost } from "../../../agent/adapters/vllm_host.ts";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { readGgufHeader } from "../../../rag/embed/gguf.ts";
import {
  distance,
  EXACT,
  openTestModel,
  probabilitiesIn,
  probabilitiesWith,
  type TestContext,
  TOKENS,
} from "../../support/adapter_model.ts";
import { LoraServer } from "../../support/lora_server.ts";
import { temporaryFolder } from "../../support/models.ts";
import { tinyModel } from "../../support/tiny_gguf.ts";
import {
  adapterMatrices,
  ggufOf,
  logitsOf,
  merged,
  referenceModel,
  softmax,
  writePeft,
} from "../../support/tiny_peft.ts";

const ROOT = temporaryFolder();
globalThis.addEventListener("unload", () => ROOT[Symbol.dispose]());
const REFERENCE = referenceModel();
const MODEL = join(ROOT.path, "model.gguf");
Deno.writeFileSync(MODEL, ggufOf(REFERENCE));
const BLOBS = new BlobFolder(join(ROOT.path, "blobs"));
const MODULES = ["layers.0.self_attn.q_proj", "layers.1.self_attn.v_proj"];
let folders = 0;

function shelf(): AdapterShelf {
  return new AdapterShelf({ folder: join(ROOT.path, `adapters-${folders++}`), blobs: BLOBS });
}

/** An adapter in the image's blobs, and the model with its weights added. */
async function adapter(name: string, seed: number, scale = 1) {
  const matrices = adapterMatrices({ modules: MODULES, seed });
  const folder = writePeft(join(ROOT.path, `peft-${folders++}`), matrices, {});
  const { record, blobs } = await importAdapter(folder, MODEL, BLOBS, { name, scale });
  BLOBS.keep(blobs);
  const changes = new Map(
    [...matrices].map(([module, pair]) => [module, { ...pair, scale: 2 * scale }]),
  );
  return { record, expected: softmax(logitsOf(merged(REFERENCE, changes), TOKENS)) };
}

Deno.test("imported adapters are swapped in one model, each does what its matrices say, and what goes is freed", async () => {
  await using opened = await openTestModel(MODEL);
  const { model } = opened;
  const pool = new ContextPool<TestContext>(model, EXACT, 1000);
  const host = new LlamaHost("tiny", await readGgufHeader(MODEL), pool);
  const { record: brick, expected: asBrick } = await adapter("brick_v1", 1);
  const { record: robin, expected: asRobin } = await adapter("robin_v1", 2, 0.5);
  // Ranks 4 beside 32 and 32, and 32 and 16, in 32-bit floats; and the context.
  const bytes = 4 * (4 * (32 + 32) + 4 * (32 + 16)) + 1000;
  const weaver = new AdapterWeaver({ host, shelf: shelf(), budgetBytes: bytes + 10 });
  const kept = (model as unknown as { _loraAdapters: Map<string, unknown> })._loraAdapters;
  const plain = await probabilitiesWith(model);
  for (
    const [record, expected] of [[brick, asBrick], [robin, asRobin], [brick, asBrick]] as const
  ) {
    using active = await weaver.activate(record);
    assert.equal(active.adapter.scale, record.scale);
    const found = await probabilitiesIn(pool.contextOf(active.adapter)!);
    assert.ok(distance(found, expected) < 2e-5);
    assert.ok(distance(found, plain) > 0.01);
    assert.equal(weaver.status().hotBytes, bytes);
    assert.equal(kept.size, 1);
  }
  await weaver[Symbol.asyncDispose]();
  assert.equal(kept.size, 0);
  assert.ok(distance(await probabilitiesWith(model), plain) < 1e-9);
});

Deno.test("one adapter with two scales is two contexts over the same matrices", async () => {
  await using opened = await openTestModel(MODEL);
  const pool = new ContextPool<TestContext>(opened.model, EXACT, 0);
  const host = new LlamaHost("tiny", await readGgufHeader(MODEL), pool);
  const { record, expected } = await adapter("whole", 3);
  const half = { ...record, scale: 0.5 };
  await using weaver = new AdapterWeaver({ host, shelf: shelf(), budgetBytes: 1e6 });
  const kept = (opened.model as unknown as { _loraAdapters: Map<string, unknown> })._loraAdapters;
  using whole = await weaver.activate(record);
  {
    using _half = await weaver.activate(half);
    assert.equal(kept.size, 1);
  }
  await weaver.cool(half);
  assert.equal(kept.size, 1);
  assert.ok(distance(await probabilitiesIn(pool.contextOf(whole.adapter)!), expected) < 2e-5);
});

Deno.test("an adapter for another model never reaches native code, and holds nothing", async () => {
  await using opened = await openTestModel(MODEL);
  const other = join(ROOT.path, "other.gguf");
  Deno.writeFileSync(other, tinyModel({ width: 64 }));
  const pool = new ContextPool<TestContext>(opened.model, EXACT, 0);
  const host = new LlamaHost("other", await readGgufHeader(other), pool);
  const { record } = await adapter("stranger", 4);
  await using weaver = new AdapterWeaver({ host, shelf: shelf(), budgetBytes: 1e6 });
  await assert.rejects(weaver.activate(record), (error) => {
    assert.ok(error instanceof AdapterError);
    assert.equal(error.kind, "mismatch");
    assert.match(error.message, /"blk.0.attn_q.weight", the model's is 64 × 64; it was trained on/);
    return true;
  });
  assert.equal(weaver.status().hotBytes, 0);
});

Deno.test("a library that keeps adapters elsewhere is refused rather than trusted", async () => {
  await assert.rejects(freeLora({}, "/a.gguf"), /does not say where it keeps adapters/);
});

/** As a driver talks to a server. */
function connect(url: string): AdapterServer {
  return {
    name: url,
    async post(path, body, signal) {
      const response = await fetch(`${url}/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal,
      });
      return { status: response.status, text: await response.text() };
    },
  };
}

async function atServer(
  work: (parts: {
    server: LoraServer;
    weaver: AdapterWeaver;
    brick: AdapterRecord;
    robin: AdapterRecord;
  }) => Promise<void>,
): Promise<void> {
  await using server = new LoraServer();
  const { record: brick } = await adapter("brick_v2", 5);
  const { record: robin } = await adapter("robin_v2", 6);
  const kept = shelf();
  const size = await kept.take(brick, "peft").then((taken) => {
    taken[Symbol.dispose]();
    return taken.bytes;
  });
  const host = new VllmHost(connect(server.url));
  const weaver = new AdapterWeaver({ host, shelf: kept, budgetBytes: size * 1.5 });
  await work({ server, weaver, brick, robin });
  await weaver[Symbol.asyncDispose]().catch(() => {});
}

Deno.test("a server loads an adapter from its files and unloads it for the next", async () => {
  await atServer(async ({ server, weaver, brick, robin }) => {
    {
      using active = await weaver.activate(brick);
      assert.deepEqual([...server.loaded.keys()], [active.adapter.name]);
      assert.match(active.adapter.name, /^brick_v2-[0-9a-f]{12}$/);
      assert.equal(active.adapter.path, undefined);
    }
    using active = await weaver.activate(robin);
    assert.deepEqual([...server.loaded.keys()], [active.adapter.name]);
    assert.deepEqual(server.requests.map(({ path }) => path), [
      "/v1/load_lora_adapter",
      "/v1/unload_lora_adapter",
      "/v1/load_lora_adapter",
    ]);
  });
});

Deno.test("what a server holds from before, or no longer holds, is no error", async () => {
  await atServer(async ({ server, weaver, brick, robin }) => {
    using before = await weaver.activate(brick);
    const { name } = before.adapter;
    const again = new AdapterWeaver({
      host: new VllmHost(connect(server.url)),
      shelf: shelf(),
      budgetBytes: 1e6,
    });
    {
      using active = await again.activate(brick);
      assert.equal(active.adapter.name, name);
    }
    await again[Symbol.asyncDispose]();
    assert.equal(server.loaded.size, 0);
    before[Symbol.dispose]();
    using _robin = await weaver.activate(robin);
    assert.equal(server.loaded.size, 1);
  });
});

Deno.test("what a server answers instead is said in one line", async () => {
  const answers: [Response, RegExp][] = [
    [
      Response.json({ detail: "Not Found" }, { status: 404 }),
      /it has no "load_lora_adapter"; start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA/,
    ],
    [
      Response.json({ object: "error", message: "LoRA rank 64 is greater\nthan 16." }, {
        status: 400,
      }),
      /it answered 400: LoRA rank 64 is greater than 16$/,
    ],
    [new Response("<html>", { status: 502 }), /it answered 502: a web page/],
    [new Response("", { status: 500 }), /it answered 500$/],
    [Response.json([{ msg: "x".repeat(5000) }], { status: 422 }), /422/],
  ];
  for (const [answer, text] of answers) {
    await atServer(async ({ server, weaver, brick }) => {
      server.fault = () => answer;
      await assert.rejects(weaver.activate(brick), (error) => {
        assert.ok(error instanceof AdapterError);
        assert.match(error.message, /^load the adapter "brick_v2" at "http/);
        assert.match(error.message, text);
        assert.doesNotMatch(error.message, /\n|\.$/);
        assert.ok(error.message.length < 500);
        return true;
      });
      assert.equal(weaver.status().hotBytes, 0);
    });
  }
});

Deno.test("a server that is slow can be given up on, and is told to forget; one that is gone is an error", async () => {
  await atServer(async ({ server, weaver, brick }) => {
    const arrived = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    server.fault = async ({ path }) => {
      if (path.endsWith("/unload_lora_adapter")) return undefined as unknown as Response;
      arrived.resolve();
      await gate.promise;
      return undefined as unknown as Response;
    };
    const controller = new AbortController();
    const waiting = weaver.activate(brick, controller);
    await arrived.promise;
    controller.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    // Ends only when the host has asked to unload.
    await weaver.cool();
    assert.deepEqual(server.requests.map(({ path }) => path.slice(4)), [
      "load_lora_adapter",
      "unload_lora_adapter",
    ]);
    gate.resolve();
  });
  await atServer(async ({ server, weaver, brick }) => {
    await server[Symbol.asyncDispose]();
    await assert.rejects(weaver.activate(brick), /^AdapterError: load the adapter "brick_v2" at /);
  });
});

Deno.test("a scale that a server cannot apply is refused, and a shared folder has its name there", async () => {
  await atServer(async ({ weaver, brick }) => {
    await assert.rejects(weaver.activate({ ...brick, scale: 0.5 }), /its scale is 0.5; expected 1/);
  });
  const { record } = await adapter("mounted", 8);
  const kept = shelf();
  const sent: unknown[] = [];
  const server: AdapterServer = {
    name: "http://elsewhere",
    post: (_path, body) => {
      sent.push(body.lora_path);
      return Promise.resolve({ status: 200, text: "" });
    },
  };
  using taken = await kept.take(record, "peft");
  const host = new VllmHost(server, { mount: { here: join(taken.folder, ".."), there: "/lora" } });
  await host.load(taken, new AbortController().signal);
  assert.deepEqual(sent, [`/lora/${taken.id}`]);
});
