/** Watching a real folder: bursts come as batches, and what batos writes itself is never told. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { watchFolder } from "../../kernel/watch.ts";

Deno.test("watchFolder() tells changes in batches, leaves out .git and .batos, and ends with its signal", async () => {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  for (const name of [".git", ".batos", "src"]) Deno.mkdirSync(join(folder, name));
  const controller = new AbortController();
  const batches = watchFolder(folder, controller.signal);
  const seen = new Set<string>();
  const next = batches.next();
  Deno.writeTextFileSync(join(folder, ".git/index"), "x");
  Deno.writeTextFileSync(join(folder, ".batos/image.db"), "x");
  Deno.writeTextFileSync(join(folder, "src/a.ts"), "1");
  Deno.writeTextFileSync(join(folder, "src/b.ts"), "2");
  for (let batch = await next;; batch = await batches.next()) {
    for (const path of batch.value ?? []) seen.add(path);
    if (seen.has("src/a.ts") && seen.has("src/b.ts")) break;
  }
  const removal = batches.next();
  Deno.removeSync(join(folder, "src/a.ts"));
  assert.ok((await removal).value?.includes("src/a.ts"));
  assert.deepEqual([...seen].filter((path) => !path.startsWith("src")), []);
  const last = batches.next();
  controller.abort();
  assert.equal((await last).done, true);
  Deno.removeSync(folder, { recursive: true });
});
