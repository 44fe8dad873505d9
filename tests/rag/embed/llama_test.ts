/** GGUF models as embedders, with tiny models that llama.cpp runs. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { type Embedder, EmbedderError, normalise } from "../../../rag/embed/embedder.ts";
import { GgufError, readGgufHeader } from "../../../rag/embed/gguf.ts";
import { type LlamaOptions, openLlama } from "../../../rag/embed/llama.ts";
import { combineWindows, windowsOf } from "../../../rag/embed/windows.ts";
import {
  type GgufValue,
  tinyLora,
  tinyModel,
  type TinyModelOptions,
  writeGguf,
} from "../../support/tiny_gguf.ts";
import { assertNear, assertVector, cosine, embedderConformance } from "./conformance.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), "batos-gguf-"));
globalThis.addEventListener("unload", () => rmSync(FOLDER, { recursive: true }));

const WIDTH = 32;
const CONTEXT = 256;
/** What the embedder keeps free in a window. */
const ROOM = CONTEXT - 3;

let files = 0;

function write(bytes: Uint8Array | string): string {
  const path = join(FOLDER, `${files++}.gguf`);
  writeFileSync(path, bytes);
  return path;
}

function writeModel(tiny: TinyModelOptions = {}): string {
  return write(tinyModel({ embedding: true, ...tiny }));
}

function open(file: string, options: Partial<LlamaOptions> = {}): Promise<Embedder> {
  return openLlama(file, { name: "tiny", gpu: false, threads: 1, ...options });
}

async function withModel(
  tiny: TinyModelOptions,
  options: Partial<LlamaOptions>,
  work: (embedder: Embedder) => Promise<void>,
): Promise<void> {
  await using embedder = await open(writeModel(tiny), options);
  await work(embedder);
}

async function assertRefused(opening: Promise<unknown>, pattern: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof EmbedderError, String(error));
    assert.match(error.message, /^cannot .*"/);
    assert.doesNotMatch(error.message, /\n|\.$/);
    assert.match(error.message, pattern);
    return true;
  });
}

function number(value: number): GgufValue {
  return { type: "uint32", value };
}

/** Runs a program that has `file` and `openLlama` with the permissions given, and no others. */
async function runProgram(body: string, permissions: readonly string[]): Promise<string> {
  const program = join(FOLDER, `${files++}.ts`);
  const module = new URL("../../../rag/embed/llama.ts", import.meta.url).href;
  writeFileSync(
    program,
    `import { openLlama } from ${JSON.stringify(module)};
     const file = ${JSON.stringify(writeModel())};
     ${body}`,
  );
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--config",
      join(ROOT, "deno.json"),
      `--lock=${join(ROOT, "rag", "embed", "models.lock")}`,
      ...permissions,
      program,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

const READS_LEFT_TO_RIGHT = writeModel();
// Embedders share llama.cpp: kept open until the process ends, this one spares each test loading it anew.
await open(READS_LEFT_TO_RIGHT);

embedderConformance("llama with a model that reads left to right", () => open(READS_LEFT_TO_RIGHT));

const READS_BOTH_WAYS = writeModel({ architecture: "bert" });
embedderConformance("llama with a model that reads both ways", () => open(READS_BOTH_WAYS));

Deno.test("openLlama() takes the pooling from the model file, and another where one is given", async () => {
  const file = writeModel({ architecture: "bert", pooling: "cls" });
  await using cls = await open(file);
  await using mean = await open(file, { pooling: "mean" });
  await using last = await open(file, { pooling: "last_token" });
  await using stated = await open(writeModel({ architecture: "bert", pooling: "mean" }));
  assert.deepEqual([cls, mean, last].map(({ model }) => model.pooling), [
    "cls",
    "mean",
    "last_token",
  ]);
  const vectors = await Promise.all([cls, mean, last].map((each) => each.embedQuery("read file")));
  assert.ok(cosine(vectors[0]!, vectors[1]!) < 0.99);
  assert.ok(cosine(vectors[1]!, vectors[2]!) < 0.99);
  assertNear(vectors[1]!, await stated.embedQuery("read file"));
  assert.equal(new Set([cls, mean, last].map(({ model }) => model.revision)).size, 3);
});

Deno.test("openLlama() knows the prefixes of families by the model's name", async () => {
  await withModel({ name: "Nomic Embed Text v1.5" }, {}, async (nomic) => {
    assert.deepEqual(nomic.model.prefixes, {
      query: "search_query: ",
      passage: "search_document: ",
    });
    await withModel({ name: "other" }, {}, async (other) => {
      assert.deepEqual(other.model.prefixes, { query: "", passage: "" });
      assertNear(
        await nomic.embedQuery("read the file"),
        await other.embedQuery("search_query: read the file"),
      );
      const [passage] = await nomic.embedPassages([{ path: "a.ts", text: "read" }]);
      assertNear(passage!, await other.embedQuery("search_document: a.ts\nread"));
    });
  });
  const qwen = writeModel({
    name: "Qwen3 Embedding 0.6B",
    metadata: { "llama.pooling_type": number(0) },
  });
  await using embedder = await open(qwen, { prefixes: { passage: "code: " } });
  assert.equal(embedder.model.pooling, "last_token");
  assert.match(embedder.model.prefixes.query, /^Instruct: .*\nQuery:$/);
  assert.equal(embedder.model.prefixes.passage, "code: ");
});

Deno.test("openLlama() gives another revision for other weights, prefixes and windows", async () => {
  const file = writeModel();
  const revisions = new Set<string>();
  for (
    const [path, options] of [
      [file, {}],
      [writeModel({ seed: 2 }), {}],
      [file, { prefixes: { query: "q: " } }],
      [file, { window: 64 }],
    ] as const
  ) {
    await using embedder = await open(path, options);
    revisions.add(embedder.model.revision);
  }
  assert.equal(revisions.size, 4);
});

Deno.test("embedQuery() embeds a long text in windows, each with its prefix, none cut", async () => {
  const prefix = "123: ";
  await withModel({}, { prefixes: { query: prefix } }, async (embedder) => {
    await withModel({}, {}, async (plain) => {
      // Digits stand in no word of the vocabulary, so that a character is a token; more of them than are tokenised at once.
      const text = Array.from({ length: 17_000 }, (_, at) => (at * at) % 7).join("");
      const windows = windowsOf(text.length, ROOM - prefix.length);
      const vectors: Float32Array[] = [];
      for (const [start, end] of windows) {
        vectors.push(await plain.embedQuery(prefix + text.slice(start, end)));
      }
      const expected = normalise(combineWindows(vectors, windows, WIDTH), "expected");
      assertNear(await embedder.embedQuery(text), expected);
    });
  });
});

Deno.test("embedPassages() reads a path that is longer than a window", async () => {
  await withModel({}, {}, async (embedder) => {
    const [vector] = await embedder.embedPassages([{ path: "0/".repeat(500), text: "read file" }]);
    assertVector(vector!, WIDTH, 1);
  });
});

Deno.test("embedQuery() never cuts inside a character", async () => {
  await withModel({}, {}, async (embedder) => {
    // Faces of two code units each, so that one of these has one at every border.
    const face = "😀".repeat(8_500);
    const [even, odd] = [await embedder.embedQuery(face), await embedder.embedQuery(`0${face}`)];
    assert.ok(cosine(even, odd) > 0.99, "half a character is another one");
  });
});

Deno.test("embedQuery() gives zeros for a text of unknown tokens only", async () => {
  await withModel({ architecture: "bert" }, {
    prefixes: { query: "query: ", passage: "" },
  }, async (embedder) => {
    assertVector(await embedder.embedQuery("語語 言"), WIDTH, 0);
    assertVector(await embedder.embedQuery("語 ".repeat(CONTEXT * 2)), WIDTH, 0);
    assertVector(await embedder.embedQuery("語 read"), WIDTH, 1);
  });
});

Deno.test("embedPassages() ends between windows when aborted", async () => {
  await withModel({}, {}, async (embedder) => {
    const controller = new AbortController();
    let done = 0;
    const embedding = embedder.embedPassages([
      { path: "a.ts", text: "read" },
      { path: "b.min.js", text: "0".repeat(5_000_000) },
    ], {
      signal: controller.signal,
      onProgress: (count) => {
        done = count;
        setTimeout(() => controller.abort());
      },
    });
    await assert.rejects(embedding, { name: "AbortError" });
    assert.equal(done, 1);
    assertVector(await embedder.embedQuery("read"), WIDTH, 1);
  });
});

Deno.test("two embedders work at once, and one goes on when the other is closed", async () => {
  await using first = await open(READS_LEFT_TO_RIGHT);
  const expected = await first.embedQuery("read file");
  await withModel({ architecture: "bert" }, {}, async (second) => {
    const texts = Array.from({ length: 10 }, (_, at) => ({ path: `${at}.ts`, text: "read file" }));
    const [one, two] = await Promise.all([
      first.embedPassages(texts),
      second.embedPassages(texts),
    ]);
    assert.equal(one.length, two.length);
  });
  assertNear(await first.embedQuery("read file"), expected);
});

Deno.test("a closed embedder says so, also when it is closed while it embeds", async () => {
  const embedder = await open(READS_LEFT_TO_RIGHT);
  const embedding = embedder.embedQuery("0".repeat(100_000));
  const refused = assertRefused(embedding, /was closed/);
  await embedder[Symbol.asyncDispose]();
  await refused;
  await assertRefused(embedder.embedQuery("read"), /was closed/);
  await embedder[Symbol.asyncDispose]();
});

Deno.test("openLlama() refuses what is no GGUF file, in one line", async () => {
  await assertRefused(open(join(FOLDER, "none.gguf")), /no such file/);
  const folder = join(FOLDER, "folder.gguf");
  mkdirSync(folder);
  await assertRefused(open(folder), /no file/);
  await assertRefused(open(write("")), /is empty/);
  await assertRefused(open(write("GG")), /starts with "GG"/);
  await assertRefused(open(write("# Read me\n")), /starts with "# Re"/);
  const swapped = tinyModel();
  new DataView(swapped.buffer).setUint32(4, 3, false);
  await assertRefused(open(write(swapped)), /version is 50331648/);
});

Deno.test("openLlama() refuses a model file that was cut off anywhere", async () => {
  const whole = tinyModel({ embedding: true, vocabulary: 300, layers: 1 });
  const path = write(whole);
  await readGgufHeader(path);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
      writeFileSync(path, whole.subarray(0, length));
      await assertRefused(open(path), /cut off|starts with|is empty/);
    }),
    { numRuns: 60 },
  );
});

Deno.test("readGgufHeader() reads or refuses a damaged header, whatever stands there", async () => {
  const whole = tinyModel({ embedding: true, vocabulary: 300, layers: 1 });
  const path = write(whole);
  const headerEnd = 12_000;
  const damage = fc.record({
    at: fc.integer({ min: 4, max: headerEnd }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (damages) => {
      const bytes = whole.slice();
      for (const { at, bytes: wrong } of damages) bytes.set(wrong, at);
      writeFileSync(path, bytes);
      try {
        await readGgufHeader(path);
      } catch (error) {
        assert.ok(error instanceof GgufError, String(error));
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("openLlama() refuses models that are no embedders, before native code sees them", async () => {
  const change = (metadata: Record<string, GgufValue>) => open(writeModel({ metadata }));
  await assertRefused(open(write(tinyModel())), /writes text; expected an embedding model/);
  await assertRefused(open(writeModel({ pooling: "none" })), /writes text/);
  await assertRefused(open(writeModel({ pooling: "rank" })), /ranks pairs/);
  await assertRefused(open(write(tinyLora())), /of type "adapter"/);
  await assertRefused(change({ "split.count": number(3) }), /one of 3 parts/);
  await assertRefused(
    change({ "llama.embedding_length": number(64) }),
    /tokens have 32 values, expected 64/,
  );
  await assertRefused(
    change({ "llama.context_length": { type: "string", value: "long" } }),
    /"llama.context_length" is "long", expected a whole number/,
  );
  await assertRefused(change({ "llama.context_length": number(16) }), /expected at least 32/);
  await assertRefused(open(write(writeGguf({}, []))), /"general.architecture" is missing/);
  await assertRefused(
    open(READS_LEFT_TO_RIGHT, { window: CONTEXT + 1 }),
    /asked for is 257 tokens, expected 32 to 256/,
  );
});

Deno.test("openLlama() passes on why llama.cpp does not load a model", async () => {
  const change = (metadata: Record<string, GgufValue>) => open(writeModel({ metadata }));
  await assertRefused(change({ "llama.block_count": number(3) }), /blk\.2/);
  await assertRefused(
    change({
      "general.architecture": { type: "string", value: "unheard" },
      "unheard.context_length": number(CONTEXT),
      "unheard.embedding_length": number(WIDTH),
      "unheard.pooling_type": number(1),
    }),
    /unheard/,
  );
});

Deno.test("openLlama() refuses a model whose vectors are not numbers", async () => {
  for (const architecture of ["llama", "bert"] as const) {
    for (const fill of [NaN, Infinity]) {
      await assertRefused(
        open(writeModel({ architecture, fill })),
        /value 0 of one is NaN, expected finite numbers/,
      );
    }
  }
});

Deno.test("a program ends by itself after it has closed its embedder", async () => {
  const output = await runProgram(
    `{
       await using embedder = await openLlama(file, { name: "tiny" });
       console.log((await embedder.embedQuery("read")).length);
     }
     console.log("end");`,
    ["-A"],
  );
  assert.equal(output, `${WIDTH}\nend\n`);
});

Deno.test("openLlama() works with the permissions it names, and names them where one is missing", async () => {
  const body = `try {
       await using embedder = await openLlama(file, { name: "tiny" });
       console.log((await embedder.embedQuery("read")).length);
     } catch (error) {
       console.log(error.name, error.message);
     }`;
  const named =
    `--allow-read --allow-env --allow-ffi --allow-sys=homedir,uid --allow-run=${Deno.execPath()}`
      .split(" ");
  assert.equal(await runProgram(body, named), `${WIDTH}\n`);
  for (const missing of ["--allow-ffi", "--allow-run", "--allow-sys", "--allow-env"]) {
    const output = await runProgram(
      body,
      named.filter((permission) => !permission.startsWith(missing)),
    );
    assert.match(
      output,
      /^EmbedderError cannot load the model ".*": .* not permitted; run it as "deno task with-models …", or with [^\n]*\n$/,
      missing,
    );
    assert.ok(output.includes(named.join(" ")), output);
  }
});

Deno.test("the lock file leaves out the packages of 538 MB that only CUDA needs", () => {
  // llama.cpp uses NVIDIA's GPUs through Vulkan as well; the packages come back when the lock file is made anew.
  const lock = JSON.parse(readFileSync(join(ROOT, "rag", "embed", "models.lock"), "utf8"));
  const packages = Object.keys(lock.npm).filter((name) => name.startsWith("@node-llama-cpp/"));
  assert.ok(packages.some((name) => name.startsWith("@node-llama-cpp/linux-x64@")));
  assert.deepEqual(packages.filter((name) => name.includes("cuda")), []);
});
