/** ONNX models as embedders, with tiny models that the real runtime runs. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Embedder, EmbedderError } from "../../../rag/embed/embedder.ts";
import {
  openTransformers,
  transformersFiles,
  type TransformersOptions,
} from "../../../rag/embed/transformers.ts";
import { readModelFolder } from "../../../rag/embed/transformers_folder.ts";
import { windowsOf } from "../../../rag/embed/windows.ts";
import {
  TINY_SPECIAL,
  tinyHiddenStates,
  type TinyOnnxOptions,
  tinyTable,
  tinyTokens,
  writeTinyOnnx,
} from "../../support/tiny_onnx.ts";
import { assertNear, assertVector, cosine, embedderConformance } from "./conformance.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

type Options = Partial<TransformersOptions>;

async function withFolder(
  tiny: TinyOnnxOptions,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "batos-onnx-"));
  try {
    await work(writeTinyOnnx(folder, tiny));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function withModel(
  tiny: TinyOnnxOptions,
  options: Options,
  work: (embedder: Embedder) => Promise<void>,
): Promise<void> {
  return withFolder(tiny, async (folder) => {
    await using embedder = await open(folder, options);
    await work(embedder);
  });
}

function open(folder: string, options: Options = {}): Promise<Embedder> {
  return openTransformers(folder, { name: "tiny", device: "cpu", ...options });
}

/** The vector of some tokens as the model and a pooling define it. */
function expected(
  tokens: readonly number[],
  pooling: "mean" | "cls" | "last_token",
  table = tinyTable(),
): Float32Array {
  const states = tinyHiddenStates(table, [TINY_SPECIAL.before, ...tokens, TINY_SPECIAL.after]);
  if (pooling === "cls") return unit(states[0]!);
  if (pooling === "last_token") return unit(states.at(-1)!);
  return unit(states[0]!.map((_, at) => states.reduce((sum, state) => sum + state[at]!, 0)));
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

async function assertRefused(
  tiny: TinyOnnxOptions,
  options: Options,
  ...patterns: RegExp[]
): Promise<void> {
  await withFolder(tiny, async (folder) => {
    await assert.rejects(open(folder, options), (error) => {
      assert.ok(error instanceof EmbedderError, String(error));
      assert.doesNotMatch(error.message, /\n|\.$/);
      for (const pattern of patterns) assert.match(error.message, pattern);
      return true;
    });
  });
}

/** Opens a model in a program of its own, which may do only what is named; no variable of the environment is seen. */
async function openInProcess(
  folder: string,
  permissions: readonly string[],
): Promise<{ stdout: string; stderr: string }> {
  const module = new URL("../../../rag/embed/transformers.ts", import.meta.url).href;
  const script = join(folder, "open.ts");
  writeFileSync(
    script,
    `import { openTransformers } from ${JSON.stringify(module)};
     try {
       await using embedder = await openTransformers(${JSON.stringify(folder)}, { name: "tiny" });
       console.log(embedder.model.id, (await embedder.embedQuery("read file")).length);
     } catch (error) {
       console.log(error.name, error.message);
     }`,
  );
  const refused = ["--no-prompt", "--deny-net", "--deny-import", "--ignore-env"];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--config",
      join(ROOT, "deno.json"),
      `--lock=${join(ROOT, "rag", "embed", "models.lock")}`,
      ...refused,
      ...permissions,
      script,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

const conforming = mkdtempSync(join(tmpdir(), "batos-onnx-"));
writeTinyOnnx(conforming);
addEventListener("unload", () => rmSync(conforming, { recursive: true }));
embedderConformance("a model of transformers", () => open(conforming, { batchTokens: 100 }));

for (const pooling of ["mean", "cls", "last_token"] as const) {
  Deno.test(`embedPassages() pools by ${pooling}, and padding takes no part`, async () => {
    await withModel({}, { pooling }, async (embedder) => {
      assert.equal(embedder.model.pooling, pooling);
      const texts = ["read file", "how does it work: parse, walk and close the tree of node"];
      const vectors = await embedder.embedPassages(texts.map((text) => ({ path: "", text })));
      for (const [at, text] of texts.entries()) {
        assertNear(vectors[at]!, expected(tinyTokens(text), pooling));
      }
    });
  });
}

Deno.test("the pooling of 1_Pooling/config.json counts more than the name, the caller's more than both", async () => {
  const files = { "1_Pooling/config.json": { pooling_mode_mean_tokens: true } };
  const named = { name: "BAAI/bge-small-en-v1.5" };
  await withFolder({}, async (folder) => {
    assert.equal((await readModelFolder(folder, named)).pooling, "cls");
    assert.equal((await readModelFolder(folder, { name: "mine" })).pooling, "mean");
  });
  await withFolder({ files }, async (folder) => {
    assert.equal((await readModelFolder(folder, named)).pooling, "mean");
    const own = await readModelFolder(folder, { ...named, pooling: "last_token" });
    assert.equal(own.pooling, "last_token");
  });
  for (
    const [content, pooling] of [
      [{ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }, "cls"],
      [{ pooling_mode_lasttoken: true }, "last_token"],
      [{ embedding_dimension: 16, pooling_mode: "cls" }, "cls"],
    ] as const
  ) {
    await withFolder({ files: { "1_Pooling/config.json": content } }, async (folder) => {
      assert.equal((await readModelFolder(folder, { name: "mine" })).pooling, pooling);
    });
  }
});

Deno.test("well-known models get their pooling and their prefixes by name", async () => {
  const known: [name: string, pooling: string, query: string, passage: string][] = [
    ["intfloat/multilingual-e5-small", "mean", "query: ", "passage: "],
    ["nomic-ai/nomic-embed-text-v1.5", "mean", "search_query: ", "search_document: "],
    ["nomic-ai/CodeRankEmbed", "cls", "Represent this query for searching relevant code: ", ""],
    ["BAAI/bge-m3", "cls", "", ""],
    ["Snowflake/snowflake-arctic-embed-m-v2.0", "cls", "query: ", ""],
    [
      "Snowflake/snowflake-arctic-embed-s",
      "cls",
      "Represent this sentence for searching relevant passages: ",
      "",
    ],
    ["sentence-transformers/all-MiniLM-L6-v2", "mean", "", ""],
    ["jinaai/jina-embeddings-v2-base-code", "mean", "", ""],
    ["thenlper/gte-small", "mean", "", ""],
    ["somebody/something", "mean", "", ""],
  ];
  await withFolder({}, async (folder) => {
    for (const [name, pooling, query, passage] of known) {
      const read = await readModelFolder(folder, { name });
      assert.deepEqual([read.pooling, read.prefixes], [pooling, { query, passage }], name);
    }
  });
});

Deno.test("prompts of config_sentence_transformers.json count more than the name", async () => {
  const files = {
    "config_sentence_transformers.json": { prompts: { query: "search: ", document: "d: " } },
  };
  await withFolder({ files }, async (folder) => {
    const read = await readModelFolder(folder, { name: "intfloat/e5-base-v2" });
    assert.deepEqual(read.prefixes, { query: "search: ", passage: "d: " });
    const own = await readModelFolder(folder, {
      name: "intfloat/e5-base-v2",
      prefixes: { query: "" },
    });
    assert.deepEqual(own.prefixes, { query: "", passage: "d: " });
  });
});

Deno.test("prefixes stand in front of what they are for, the path after the passage's", async () => {
  const prefixes = { query: "query: ", passage: "passage: " };
  await withModel({}, { prefixes }, async (embedder) => {
    assert.deepEqual(embedder.model.prefixes, prefixes);
    assertNear(
      await embedder.embedQuery("read file"),
      expected(tinyTokens("query: read file"), "mean"),
    );
    const [passage, bare] = await embedder.embedPassages([
      { path: "src/a.ts", text: "read file" },
      { path: "", text: "read file" },
    ]);
    assertNear(passage!, expected(tinyTokens("passage: src/a.ts\nread file"), "mean"));
    assertNear(bare!, expected(tinyTokens("passage: read file"), "mean"));
  });
});

Deno.test("a query prefix changes queries and leaves passages as they are", async () => {
  await withFolder({}, async (folder) => {
    await using plain = await open(folder);
    await using prefixed = await open(folder, { prefixes: { query: "search query: " } });
    const passage = { path: "lib/a.ts", text: "parse token" };
    const [[one], [other]] = await Promise.all([
      plain.embedPassages([passage]),
      prefixed.embedPassages([passage]),
    ]);
    assertNear(one!, other!);
    const [without, with_] = await Promise.all([
      plain.embedQuery("parse"),
      prefixed.embedQuery("parse"),
    ]);
    assert.ok(cosine(without, with_) < 0.999);
    assert.notEqual(plain.model.revision, prefixed.model.revision);
  });
});

Deno.test("a long text is the mean of its windows, each with what stands in front", async () => {
  const window = 24;
  const files = { "tokenizer_config.json": { model_max_length: window } };
  await withModel({ files }, { prefixes: { passage: "a " } }, async (embedder) => {
    const words = "read write file parse token open close tree node walk".split(" ");
    const text = Array.from({ length: 70 }, (_, at) => words[at * at % words.length]).join(" ");
    const front = tinyTokens("a b");
    const tokens = tinyTokens(text);
    const sum = new Float32Array(embedder.model.dimensions);
    for (const [start, end] of windowsOf(tokens.length, window - 2 - front.length)) {
      const part = expected([...front, ...tokens.slice(start, end)], "mean");
      for (const [at, value] of part.entries()) sum[at]! += value * (end - start);
    }
    const [vector] = await embedder.embedPassages([{ path: "b", text }]);
    assertNear(vector!, unit(sum));
  });
});

Deno.test("a path longer than a quarter of the window is read once, as text", async () => {
  const window = 24;
  const files = { "tokenizer_config.json": { model_max_length: window } };
  await withModel({ files }, {}, async (embedder) => {
    const path = "src/lib/src/lib/a.ts";
    const text = "read write file parse token open close tree node walk ".repeat(3);
    const tokens = tinyTokens(`${path}\n${text}`);
    const sum = new Float32Array(embedder.model.dimensions);
    for (const [start, end] of windowsOf(tokens.length, window - 2)) {
      const part = expected(tokens.slice(start, end), "mean");
      for (const [at, value] of part.entries()) sum[at]! += value * (end - start);
    }
    const [vector] = await embedder.embedPassages([{ path, text }]);
    assertNear(vector!, unit(sum));
  });
});

Deno.test("the window is the least that the files name, and fits the table of positions", async () => {
  const windowOf = async (files: TinyOnnxOptions["files"]) => {
    let window = 0;
    await withFolder({ files }, async (folder) => {
      window = (await readModelFolder(folder, { name: "mine" })).window;
    });
    return window;
  };
  const unknown = { "tokenizer_config.json": { model_max_length: 1e30 } };
  assert.equal(await windowOf({}), 64);
  assert.equal(await windowOf({ "sentence_bert_config.json": { max_seq_length: 32 } }), 32);
  assert.equal(await windowOf({ "config.json": { max_position_embeddings: 48 } }), 48);
  assert.equal(
    await windowOf({
      ...unknown,
      "config.json": { model_type: "roberta", max_position_embeddings: 514, pad_token_id: 1 },
    }),
    512,
  );
  assert.equal(
    await windowOf({ ...unknown, "config.json": { max_position_embeddings: 32_768 } }),
    2048,
  );
  assert.equal(
    await windowOf({ ...unknown, "config.json": { max_position_embeddings: null } }),
    512,
  );
});

Deno.test("a text of only unknown tokens gives zeros, whatever its path or prefix", async () => {
  await withModel(
    {},
    { prefixes: { query: "query: ", passage: "passage: " } },
    async (embedder) => {
      const { dimensions } = embedder.model;
      assertVector(await embedder.embedQuery("zzz qqq 12345"), dimensions, 0);
      const [unknown, known] = await embedder.embedPassages([
        { path: "src/a.ts", text: "zzz qqq" },
        { path: "src/a.ts", text: "zzz read" },
      ]);
      assertVector(unknown!, dimensions, 0);
      assertVector(known!, dimensions, 1);
    },
  );
});

Deno.test("an output that is one vector a text is taken as it is", async () => {
  await withModel({ output: "sentence" }, {}, async (embedder) => {
    const texts = ["read file", "parse and walk the tree"];
    const vectors = await embedder.embedPassages(texts.map((text) => ({ path: "", text })));
    for (const [at, text] of texts.entries()) {
      assertNear(vectors[at]!, expected(tinyTokens(text), "cls"));
    }
  });
});

Deno.test("half precision gives the vectors of single precision but for rounding", async () => {
  const tiny = { precision: "float16", fileName: "model_fp16" } as const;
  await withModel(tiny, { variant: "fp16" }, async (embedder) => {
    assertNear(
      await embedder.embedQuery("read file"),
      expected(tinyTokens("read file"), "mean"),
    );
  });
});

Deno.test("the quantised file is chosen where there is one and no variant is asked for", async () => {
  await withFolder({ seed: 1 }, async (folder) => {
    writeTinyOnnx(folder, { seed: 2, fileName: "model_quantized" });
    const query = "read file";
    await using chosen = await open(folder);
    assertNear(
      await chosen.embedQuery(query),
      expected(tinyTokens(query), "mean", tinyTable({ seed: 2 })),
    );
    await using asked = await open(folder, { variant: "fp32" });
    assertNear(await asked.embedQuery(query), expected(tinyTokens(query), "mean"));
    assert.notEqual(chosen.model.revision, asked.model.revision);
    await assert.rejects(open(folder, { variant: "q4" }), {
      name: "EmbedderError",
      message: /"onnx\/model_q4\.onnx" is missing .*that are there: "fp32", "q8"$/,
    });
  });
});

Deno.test("the revision follows weights, tokenizer and pooling, and nothing else", async () => {
  const revision = async (tiny: TinyOnnxOptions, options: Options = {}) => {
    let found = "";
    await withModel(tiny, options, async ({ model }) => {
      found = model.revision;
    });
    return found;
  };
  const first = await revision({});
  assert.equal(await revision({}), first);
  assert.equal(await revision({}, { batchTokens: 64, name: "another" }), first);
  assert.equal(await revision({ files: { "README.md": "words" } }), first);
  const others = [
    await revision({ seed: 2 }),
    await revision({ files: { "tokenizer.json": { version: "1.1" } } }),
    await revision({}, { pooling: "cls" }),
    await revision({}, { prefixes: { passage: "passage: " } }),
    await revision({ files: { "tokenizer_config.json": { model_max_length: 32 } } }),
    await revision({ files: { "onnx/model.onnx_data": "weights beside" } }),
  ];
  assert.equal(new Set([first, ...others]).size, others.length + 1);
});

Deno.test("batches keep to their size, and abort between them", async () => {
  await withModel({}, { batchTokens: 16 }, async (embedder) => {
    const passages = Array.from({ length: 40 }, () => ({ path: "", text: "read file" }));
    const controller = new AbortController();
    const seen: number[] = [];
    await assert.rejects(
      embedder.embedPassages(passages, {
        signal: controller.signal,
        onProgress: (done) => {
          seen.push(done);
          if (done >= 8) controller.abort();
        },
      }),
      { name: "AbortError" },
    );
    // Four texts of four tokens each: two of their own, two around them.
    assert.deepEqual(seen, [4, 8]);
  });
});

Deno.test("others get a turn between batches", async () => {
  await withModel({}, { batchTokens: 16 }, async (embedder) => {
    const passages = Array.from({ length: 40 }, () => ({ path: "", text: "read file" }));
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 0);
    await assert.rejects(
      embedder.embedPassages(passages, { signal: controller.signal }),
      { name: "AbortError" },
    );
  });
});

Deno.test("two calls at once do not mix", async () => {
  await withModel({}, { batchTokens: 16 }, async (embedder) => {
    const texts = ["read file", "write token", "close the socket", "walk tree"];
    const passages = texts.flatMap((text) => Array(5).fill({ path: "", text }));
    const [forwards, backwards] = await Promise.all([
      embedder.embedPassages(passages),
      embedder.embedPassages(passages.toReversed()),
    ]);
    for (const [at, vector] of forwards.entries()) {
      assertNear(vector, backwards[passages.length - 1 - at]!);
    }
  });
});

Deno.test("a closed embedder says so", async () => {
  await withFolder({}, async (folder) => {
    const embedder = await open(folder);
    await embedder[Symbol.asyncDispose]();
    await embedder[Symbol.asyncDispose]();
    await assert.rejects(embedder.embedQuery("read"), {
      name: "EmbedderError",
      message: /it was closed$/,
    });
  });
});

Deno.test("opening needs native code and reading alone, finds no GPU without a word, and reaches no network", async () => {
  await withFolder({}, async (folder) => {
    const { stdout, stderr } = await openInProcess(folder, ["--allow-read", "--allow-ffi"]);
    assert.match(stdout, /^transformers:tiny 16\n$/);
    assert.equal(stderr, "");
  });
});

Deno.test("without --allow-ffi opening says what to run", async () => {
  await withFolder({}, async (folder) => {
    const { stdout } = await openInProcess(folder, ["--allow-read"]);
    assert.equal(
      stdout,
      'EmbedderError cannot load @huggingface/transformers for "tiny": native code is not permitted; run with --allow-ffi\n',
    );
  });
});

Deno.test("a missing file is named", async () => {
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
    await assertRefused(
      { files: { [file]: null } },
      {},
      new RegExp(`^cannot open model "tiny": "${file}" is missing in ".+"; fetch the model again$`),
    );
  }
  await assertRefused(
    { files: { "onnx/model.onnx": null } },
    {},
    /"onnx\/model\.onnx" is missing in ".+"; no ONNX file is there$/,
  );
  await assert.rejects(open(join(tmpdir(), "batos-no-such-model")), {
    name: "EmbedderError",
    message: /there is no folder/,
  });
});

Deno.test("a broken file is named", async () => {
  await assertRefused({ files: { "config.json": "{" } }, {}, /"config\.json".*no JSON object/);
  await assertRefused({ files: { "tokenizer.json": "null" } }, {}, /"tokenizer\.json".*no JSON/);
  await assertRefused({ files: { "tokenizer.json": { model: null } } }, {}, /"tokenizer\.json"/);
  await assertRefused(
    { files: { "onnx/model.onnx": "<html>404</html>" } },
    {},
    /^cannot open "onnx\/model\.onnx" of model "tiny" on "cpu": .*expected an ONNX model/,
  );
  await assertRefused({ files: { "onnx/model.onnx": "" } }, {}, /expected an ONNX model/);
  await assertRefused(
    { files: { "1_Pooling/config.json": { pooling_mode_max_tokens: true } } },
    {},
    /asks for "pooling_mode_max_tokens", expected one of cls, mean and last token$/,
  );
});

Deno.test("an ONNX model that is no embedder is refused with what it gives", async () => {
  await assertRefused(
    { output: "logits" },
    {},
    /^cannot use model "tiny" as an embedder: it gives "logits" \[1, 16\], expected/,
  );
  await assertRefused({ output: "flat" }, {}, /it gives "score" \[1\], expected/);
});

Deno.test("dimensions other than the config's are refused", async () => {
  await assertRefused(
    { files: { "config.json": { hidden_size: 384 } } },
    {},
    /gives vectors of 16 dimensions, "config\.json" says 384/,
  );
});

Deno.test("a layer after pooling that the ONNX file lacks is refused", async () => {
  const modules = [{ path: "2_Dense", type: "sentence_transformers.models.Dense" }];
  const files = { "modules.json": JSON.stringify(modules) };
  await assertRefused({ files }, {}, /"modules\.json" names a layer after pooling/);
  await withModel({ files, output: "sentence" }, {}, async (embedder) => {
    assert.equal(embedder.model.dimensions, 16);
  });
});

Deno.test("vectors that are no numbers are refused", async () => {
  await withModel({ notANumber: true }, {}, async (embedder) => {
    const bad = { path: "", text: "read file" };
    await assert.rejects(embedder.embedPassages([bad]), {
      name: "EmbedderError",
      message: /value 0 of one is NaN/,
    });
    assertVector(await embedder.embedQuery("write file"), embedder.model.dimensions, 1);
  });
});

Deno.test("a tokenizer of another model is told from its effect", async () => {
  await withModel({ rows: 30 }, {}, async (embedder) => {
    await assert.rejects(embedder.embedQuery("return const"), {
      name: "EmbedderError",
      message: /expected an embedding model and the tokenizer that belongs to it$/,
    });
  });
});

Deno.test("transformersFiles() lists what opening asks for, small weights first", async () => {
  const forms = transformersFiles();
  assert.deepEqual(forms.map(({ required }) => required.at(-1)), [
    "onnx/model_quantized.onnx",
    "onnx/model.onnx",
  ]);
  const [form] = transformersFiles("fp16");
  assert.equal(form!.required.at(-1), "onnx/model_fp16.onnx");
  for (const file of forms[1]!.required) {
    await assertRefused({ files: { [file]: null } }, {}, /is missing/);
  }
});
