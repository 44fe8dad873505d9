/** Which of several places that speak of a thing comes first, over real folders and a real index. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readTree } from "../../ingest/mod.ts";
import { DEFAULT_RANKING, type Memory, openMemory } from "../../rag/mod.ts";

async function withFiles(files: Record<string, string>, work: (memory: Memory) => void) {
  const folder = mkdtempSync(join(tmpdir(), "batos-rank-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const memory = openMemory(folder);
  try {
    await memory.absorb(readTree(folder, memory.known()));
    work(memory);
  } finally {
    memory.close();
    rmSync(folder, { recursive: true });
  }
}

Deno.test("the definition of a C function comes before its declaration and before the page about it", async () => {
  await withFiles({
    "src/kettle.h": "/* Boils the kettle. */\nint kettle_boil(int litres);\n",
    "src/kettle.c":
      '#include "kettle.h"\n\nint kettle_boil(int litres) {\n  int heat = litres * 4;\n  return heat;\n}\n',
    "manual/kettle_boil.md": "# kettle_boil\n\nkettle_boil boils: `kettle_boil(1)`.\n",
  }, (memory) => {
    assert.deepEqual(
      memory.search("kettle_boil").map(({ path }) => path),
      ["src/kettle.c", "src/kettle.h", "manual/kettle_boil.md"],
    );
  });
});

Deno.test("who includes a header of C speaks for the source beside it", async () => {
  const users = Object.fromEntries(Array.from({ length: 4 }, (_, at) => [
    `src/user${at}.c`,
    `#include "steam.h"\n\nint user${at}(void) {\n  return steam_release(${at});\n}\n`,
  ]));
  await withFiles({
    ...users,
    "src/steam.h": "/* Releases steam. */\nint steam_release(int bar);\n",
    "src/steam.c":
      '#include "steam.h"\n\n/* Opens the valve. */\nint steam_release(int bar) {\n  return bar - 1;\n}\n',
  }, (memory) => {
    assert.equal(memory.search("steam_release")[0]!.path, "src/steam.c");
    assert.equal(memory.search("release steam")[0]!.path, "src/steam.c");
  });
});

Deno.test("a second place in a file of thousands of lines counts more than one in a short file", async () => {
  /** Of a file with so many parts, how much the second place about steam counts, by the ranking and by one that knows no large files. */
  const second = async (parts: number): Promise<{ own: number; other: number }> => {
    const filling = Array.from(
      { length: parts },
      (_, at) => `/** ${"About something else. ".repeat(60)} */\nfunction other${at}() {}\n`,
    );
    const steam = (name: string) => `/** Steam. */\nexport function ${name}() {}\n`;
    const found = { own: 0, other: 0 };
    await withFiles({
      "kettle.ts": [steam("first"), ...filling, steam("last")].join("\n"),
    }, (memory) => {
      const own = memory.search("steam");
      const other = memory.search("steam", {}, { ...DEFAULT_RANKING, largeFile: Infinity });
      assert.ok(own.length > 1);
      assert.equal(own[0]!.score, other[0]!.score);
      found.own = own[1]!.score;
      found.other = other[1]!.score;
    });
    return found;
  };
  const short = await second(3);
  assert.equal(short.own, short.other);
  const long = await second(DEFAULT_RANKING.largeFile * 2);
  assert.ok(long.own > 1.2 * long.other, `${long.own} above ${long.other}`);
});
