/** From the name of an embedder to the embedder. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseEmbedder, DEFAULT_EMBEDDER, NO_EMBEDDER } from "../../../rag/embed/choose.ts";
import { EmbedderError } from "../../../rag/embed/embedder.ts";
import { loadStatic } from "../../../rag/embed/static.ts";
import { transformersFiles } from "../../../rag/embed/transformers.ts";
import { writeTinyOnnx } from "../../support/tiny_onnx.ts";

/** For what needs no files. */
const nowhere = () => assert.fail("the files of a model were asked for");

Deno.test("none is no embedder", () => {
  assert.equal(chooseEmbedder(NO_EMBEDDER, nowhere), undefined);
});

Deno.test("static is the embedder that ships, and stays open for others", async () => {
  const chosen = chooseEmbedder(DEFAULT_EMBEDDER, nowhere)!;
  assert.deepEqual([chosen.id, chosen.encoder], ["static", "static"]);
  const embedder = await chosen.open();
  assert.equal(embedder, loadStatic());
  assert.equal(embedder.model.id, chosen.id);
  await chosen[Symbol.asyncDispose]();
  assert.ok((await embedder.embedQuery("read")).some((value) => value !== 0));
});

Deno.test("a name that is no embedder's is refused with those that are", () => {
  for (
    const name of ["", "Static", "static:", "openai", "transformers:", "llama", "llama:", "x:y"]
  ) {
    assert.throws(() => chooseEmbedder(name, nowhere), (error) => {
      assert.ok(error instanceof EmbedderError);
      assert.ok(error.message.startsWith(`cannot use embedder "${name}": expected "static"`));
      assert.match(error.message, /"none".*"transformers:OWNER\/MODEL".*"llama:.*[^.\n]$/);
      return true;
    });
  }
});

Deno.test("the id of a model is its name, and nothing is opened or closed before open()", async () => {
  for (const name of ["transformers:acme/tiny", "llama:acme/tiny/tiny-q8.gguf"]) {
    const chosen = chooseEmbedder(name, nowhere)!;
    assert.equal(chosen.id, name);
    assert.equal(chosen.encoder, undefined);
    await chosen[Symbol.asyncDispose]();
  }
});

Deno.test("a model is located and opened once for several calls, and closed with what chose it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "batos-choose-"));
  try {
    writeTinyOnnx(folder);
    const located: unknown[] = [];
    const chosen = chooseEmbedder("transformers:acme/tiny", (...asked) => {
      located.push(asked);
      return Promise.resolve(folder);
    })!;
    const opened = await Promise.all([chosen.open(), chosen.open()]);
    const embedder = await chosen.open();
    assert.ok(opened.every((one) => one === embedder));
    assert.deepEqual(located, [["acme/tiny", transformersFiles()]]);
    assert.equal(embedder.model.id, chosen.id);
    assert.equal((await embedder.embedQuery("read file")).length, embedder.model.dimensions);
    await chosen[Symbol.asyncDispose]();
    await assert.rejects(embedder.embedQuery("read file"), {
      name: "EmbedderError",
      message: /was closed/,
    });
    await chosen[Symbol.asyncDispose]();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("a model file is asked for by its name alone", async () => {
  const located: unknown[] = [];
  const chosen = chooseEmbedder("llama:acme/tiny/tiny-q8.gguf", (...asked) => {
    located.push(asked);
    return Promise.reject(new Error("no such model"));
  })!;
  await assert.rejects(chosen.open(), { message: "no such model" });
  assert.deepEqual(located, [["acme/tiny/tiny-q8.gguf"]]);
  // What could not be opened needs no closing.
  await chosen[Symbol.asyncDispose]();
});
