/** Memories that stay open: the same one for every command, until the file behind it is another. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenMemories, openMemory, stateFolder, WorkspaceIndex } from "../../rag/mod.ts";

async function withWorkspace(
  work: (
    root: string,
    memories: OpenMemories,
    index: () => WorkspaceIndex,
    locks: () => number,
  ) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "batos-open-"));
  writeFileSync(join(root, "kettle.ts"), "export function boilWater() {}\n");
  let locks = 0;
  try {
    using memories = new OpenMemories();
    const index = () =>
      new WorkspaceIndex({
        root,
        limit: "",
        memories,
        lock: async () => {
          locks++;
          return { [Symbol.dispose]() {} };
        },
        isRefusal: (_error): _error is Error => false,
        progress: () => {},
        signal: new AbortController().signal,
      });
    await work(root, memories, index, () => locks);
  } finally {
    rmSync(root, { recursive: true });
  }
}

Deno.test("a memory that was disposed of stays open for the next command", async () => {
  await withWorkspace(async (_root, memories, index) => {
    const first = await index().open(true);
    first.close();
    const second = await index().open(false);
    assert.equal(second, first);
    assert.equal(second.search("boil water")[0]?.path, "kettle.ts");
    second.close();
    memories[Symbol.dispose]();
    assert.throws(() => first.search("boil water"));
  });
});

Deno.test("the lock is taken only when something has changed, and what changed is seen", async () => {
  await withWorkspace(async (root, _memories, index, locks) => {
    (await index().open(true)).close();
    assert.equal(locks(), 1);
    (await index().open(true)).close();
    assert.equal(locks(), 1);
    writeFileSync(join(root, "cup.ts"), "export function holdTea() {}\n");
    using memory = await index().open(true);
    assert.equal(locks(), 2);
    assert.equal(memory.search("hold tea")[0]?.path, "cup.ts");
    rmSync(join(root, "cup.ts"));
    using after = await index().open(true);
    assert.equal(locks(), 3);
    assert.equal(after.file("cup.ts"), undefined);
  });
});

Deno.test("an index that was replaced on disk is opened anew; who still uses the old one goes on", async () => {
  await withWorkspace(async (root, memories, index) => {
    using old = await index().open(true);
    rmSync(stateFolder(root), { recursive: true });
    assert.throws(() => memories.take(root), /there is none/);
    writeFileSync(join(root, "pot.ts"), "export function pourCoffee() {}\n");
    using fresh = await index().open(true);
    assert.notEqual(fresh, old);
    assert.equal(fresh.search("pour coffee")[0]?.path, "pot.ts");
    assert.equal(old.search("boil water")[0]?.path, "kettle.ts");
    using direct = openMemory(root, { readOnly: true });
    assert.equal(direct.paths().length, 2);
  });
});
