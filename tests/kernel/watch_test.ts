/** Watching a real folder: bursts come as batches, and what batos writes itself is never told. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
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

/** Reads batches until all of these paths were told. */
async function until(batches: AsyncGenerator<string[]>, ...paths: string[]): Promise<void> {
  const missing = new Set(paths);
  while (missing.size > 0) {
    const { value, done } = await batches.next();
    assert.ok(!done, `the watch ended before it told ${[...missing]}`);
    for (const path of value) missing.delete(path);
  }
}

Deno.test("watchFolder() watches folders that come, go and come again", async () => {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  const controller = new AbortController();
  const batches = watchFolder(folder, controller.signal);
  const begun = until(batches, "README");
  Deno.writeTextFileSync(join(folder, "README"), "a folder without folders");
  await begun;
  for (const content of ["first", "second"]) {
    Deno.mkdirSync(join(folder, "src/inner"), { recursive: true });
    await until(batches, "src");
    Deno.writeTextFileSync(join(folder, "src/inner/a.ts"), content);
    await until(batches, "src/inner/a.ts");
    Deno.removeSync(join(folder, "src"), { recursive: true });
    await until(batches, "src");
  }
  // A branch switch replaces a folder within one batch.
  Deno.mkdirSync(join(folder, "src"));
  Deno.removeSync(join(folder, "src"));
  Deno.mkdirSync(join(folder, "src"));
  await until(batches, "src");
  Deno.writeTextFileSync(join(folder, "src/b.ts"), "third");
  await until(batches, "src/b.ts");
  controller.abort();
  await batches.return(undefined);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("watchFolder() leaves the locks alone that this process holds on a database in .batos", async () => {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  Deno.mkdirSync(join(folder, ".batos"));
  const path = join(folder, ".batos", "image.db");
  const controller = new AbortController();
  const batches = watchFolder(folder, controller.signal);
  const begun = until(batches, "README");
  Deno.writeTextFileSync(join(folder, "README"), "1");
  await begun;
  {
    using database = new DatabaseSync(path);
    database.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    // In rollback mode the lock of a writer lies on the file that it writes.
    database.exec("PRAGMA cache_size = 1; BEGIN IMMEDIATE");
    database.exec(
      "INSERT INTO t SELECT randomblob(4000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n)",
    );
    const told = until(batches, "README");
    Deno.writeTextFileSync(join(folder, "README"), "2");
    await told;
    const program = `import { DatabaseSync } from "node:sqlite"; new DatabaseSync(${
      JSON.stringify(path)
    }, { timeout: 0 }).exec("BEGIN IMMEDIATE");`;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      stdout: "null",
      stderr: "piped",
    }).output();
    assert.equal(success, false, "another process could write at the same time");
    assert.match(new TextDecoder().decode(stderr), /database is locked/);
    database.exec("ROLLBACK");
  }
  controller.abort();
  await batches.return(undefined);
  Deno.removeSync(folder, { recursive: true });
});
