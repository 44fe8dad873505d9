/** The warm tier: files that are the blobs, kept while they are used, across processes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AdapterError } from "../../../agent/adapters/adapter_error.ts";
import { type AdapterRecord, contentId, filesOf } from "../../../agent/adapters/adapter_record.ts";
import { AdapterShelf } from "../../../agent/adapters/adapter_shelf.ts";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { holds, pattern, temporaryFolder } from "../../support/models.ts";

const MODULE = new URL("../../../agent/adapters/adapter_shelf.ts", import.meta.url).href;
const BLOBS = new URL("../../../kernel/image/blobs.ts", import.meta.url).href;
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));

interface Fixture extends Disposable {
  readonly folder: string;
  readonly blobs: BlobFolder;
  shelf(limitBytes?: number): AdapterShelf;
  /** An adapter of so many bytes. */
  record(name: string, bytes: number): Promise<AdapterRecord>;
}

function fixture(): Fixture {
  const root = temporaryFolder();
  const blobs = new BlobFolder(join(root.path, "blobs"));
  const folder = join(root.path, "adapters");
  return {
    folder,
    blobs,
    shelf: (limitBytes) => new AdapterShelf({ folder, blobs, limitBytes }),
    record: async (name, bytes) => {
      const pending = await blobs.write(pattern(bytes, name.charCodeAt(0)));
      pending.keep();
      return { name, scale: 1, gguf: pending.hash };
    },
    [Symbol.dispose]: () => root[Symbol.dispose](),
  };
}

function kept(folder: string): string[] {
  return [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name).sort();
}

Deno.test("an adapter's files are its blobs, under the names that readers want", async () => {
  using f = fixture();
  const config = await f.blobs.write(new TextEncoder().encode("{}"));
  const weights = await f.blobs.write(pattern(1000, 1));
  f.blobs.keep([config, weights]);
  const record = {
    name: "robin",
    scale: 1,
    peft: { config: config.hash, weights: weights.hash },
  };
  using taken = await f.shelf().take(record, "peft");
  assert.equal(taken.bytes, 1002);
  assert.equal(taken.id, contentId(filesOf(record, "peft")));
  holds(join(taken.folder, "adapter_model.safetensors"), pattern(1000, 1));
  assert.equal(Deno.readTextFileSync(join(taken.folder, "adapter_config.json")), "{}");
  if (Deno.build.os !== "windows") {
    const { mode } = Deno.statSync(join(taken.folder, "adapter_config.json"));
    assert.equal(mode! & 0o777, 0o600);
  }
  await assert.rejects(f.shelf().take(record, "gguf"), (error) => {
    assert.ok(error instanceof AdapterError);
    assert.match(error.message, /"robin": it is not there as GGUF; expected it imported with its/);
    return true;
  });
});

Deno.test("what is idle beyond the limit goes, the longest unused first; what is used stays", async () => {
  using f = fixture();
  const shelf = f.shelf(250);
  const [a, b, c] = [await f.record("a", 100), await f.record("b", 100), await f.record("c", 100)];
  using _held = await shelf.take(a, "gguf");
  (await shelf.take(b, "gguf"))[Symbol.dispose]();
  (await shelf.take(c, "gguf"))[Symbol.dispose]();
  assert.deepEqual([a, b, c].map((record) => shelf.has(record, "gguf")), [true, false, true]);
  assert.equal(shelf.bytes(), 200);
  // By another shelf of the same folder neither.
  assert.equal(f.shelf(0).trim(), 1);
  assert.deepEqual([a, b, c].map((record) => shelf.has(record, "gguf")), [true, false, false]);
});

Deno.test("a file that was changed on the shelf is found by the next process, and made anew", async () => {
  using f = fixture();
  const record = await f.record("a", 500);
  const { folder } = await f.shelf().take(record, "gguf").then((taken) => {
    taken[Symbol.dispose]();
    return taken;
  });
  Deno.writeFileSync(join(folder, "adapter.gguf"), pattern(500, 9));
  using _taken = await f.shelf().take(record, "gguf");
  holds(join(folder, "adapter.gguf"), pattern(500, "a".charCodeAt(0)));
  Deno.removeSync(join(folder, "adapter.gguf"));
});

Deno.test("an aborted or failed take leaves nothing, and what a killed process left is written over", async () => {
  using f = fixture();
  const shelf = f.shelf();
  const record = await f.record("a", 100_000);
  await assert.rejects(shelf.take(record, "gguf", AbortSignal.abort(new Error("no"))), /no/);
  assert.deepEqual(kept(f.folder), []);
  const id = contentId(filesOf(record, "gguf"));
  Deno.mkdirSync(join(f.folder, `${id}.part`), { recursive: true });
  Deno.writeTextFileSync(join(f.folder, `${id}.part`, "adapter.gguf"), "half");
  using taken = await shelf.take(record, "gguf");
  assert.deepEqual(kept(f.folder), [id]);
  assert.equal(taken.bytes, 100_000);
});

Deno.test("processes that take the same adapter at once make it once and all have it", async () => {
  using f = fixture();
  const record = await f.record("a", 200_000);
  const code = `import { AdapterShelf } from "${MODULE}";
    import { BlobFolder } from "${BLOBS}";
    const shelf = new AdapterShelf({
      folder: ${JSON.stringify(f.folder)},
      blobs: new BlobFolder(${JSON.stringify(join(f.folder, "..", "blobs"))}),
      limitBytes: 0,
    });
    for (let turn = 0; turn < 20; turn++) {
      using taken = await shelf.take(${JSON.stringify(record)}, "gguf");
      if (Deno.statSync(taken.folder + "/adapter.gguf").size !== 200000) throw new Error("torn");
    }
    console.log("done");`;
  const outputs = await Promise.all(
    [1, 2, 3].map(() =>
      new Deno.Command(Deno.execPath(), {
        args: ["eval", "--no-lock", `--config=${CONFIG}`, code],
        stderr: "inherit",
      }).output()
    ),
  );
  for (const { stdout } of outputs) assert.equal(new TextDecoder().decode(stdout), "done\n");
  assert.deepEqual(kept(f.folder), []);
});
