/** Checks that others work beside: what they write and pack away is no damage. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Image } from "../../../kernel/image/image.ts";
import type { ImageStore } from "../../../kernel/image/image_store.ts";
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import { SqliteImageStore } from "../../../kernel/image/sqlite_store.ts";
import { Ref } from "../../../kernel/image/values.ts";

const STORES: readonly [string, (folder: string) => ImageStore][] = [
  ["memory", () => new MemoryImageStore()],
  ["sqlite", (folder) => new SqliteImageStore(join(folder, "image.db"))],
];

for (const [name, open] of STORES) {
  Deno.test(`${name}: what is committed or packed away during a check is no damage`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "batos_pack_" });
    try {
      using image = await Image.open(open(folder));
      const held = await image.transact((unit) =>
        Array.from({ length: 1_200 }, (_, n) => unit.create({ slots: { n } }))
      );
      await image.transact((unit) => {
        // Each refers to the next, and nothing leads to the first: a pack takes all of them.
        for (const [at, oid] of held.entries()) unit.set(oid, "next", new Ref(held[at + 1] ?? 0));
      });
      for (const meanwhile of ["commit", "pack"] as const) {
        const others: Promise<unknown>[] = [];
        const { problems } = await image.check({
          onProgress: () => {
            if (others.length > 0) return;
            others.push(
              meanwhile === "pack" ? image.pack() : image.transact((unit) => {
                const fresh = unit.create({ slots: { n: "fresh" } });
                unit.set(held.at(-1)!, "next", new Ref(fresh));
              }),
            );
          },
        });
        assert.equal(others.length, 1);
        await others[0];
        assert.deepEqual(problems, [], meanwhile);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}
