/** Which of several places that speak of a thing comes first, over real folders and a real index. */
import assert from "node:assert/strict";
import { DEFAULT_RANKING } from "../../rag/mod.ts";
import { withRepository } from "../support/repository.ts";

Deno.test("the definition of a C function comes before its declaration and before the page about it", async () => {
  await withRepository({
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
  await withRepository({
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
    await withRepository({
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

Deno.test("a rare word of the question weighs more in names and paths than the one that every file is called after", async () => {
  const others = Object.fromEntries(
    ["Level", "Line", "Group", "Store", "Reader", "Page"].map((name) => [
      `src/LogRecord${name}.ts`,
      `/** The ${name.toLowerCase()} of log records. */\nexport class LogRecord${name} {\n  record() {}\n}\n`,
    ]),
  );
  await withRepository({
    ...others,
    "src/Sampling.ts": "export class Sampling {\n  pick(log: unknown) {\n    return log;\n  }\n}\n",
  }, (memory) => {
    assert.equal(memory.search("sampling of log records")[0]!.path, "src/Sampling.ts");
  });
});

Deno.test("a prototype in the public header of a library of C comes after the definition", async () => {
  await withRepository({
    "include/kettle.h":
      "/* Boils the kettle: boil, boil, boil. */\nint kettle_boil(int litres);\nint kettle_pour(int cups);\n",
    "src/boil.c":
      '#include "kettle.h"\n\nint kettle_boil(int litres) {\n  int heat = litres * 4;\n  return heat;\n}\n',
    "src/pour.c": '#include "kettle.h"\n\nint kettle_pour(int cups) {\n  return cups;\n}\n',
  }, (memory) => {
    assert.equal(memory.search("kettle_boil")[0]!.path, "src/boil.c");
    assert.equal(memory.search("kettle_pour")[0]!.path, "src/pour.c");
  });
});

Deno.test("words of the question are found by their initials", async () => {
  await withRepository({
    "src/mdc.ts":
      "const values = new Map();\nexport const mdc = { put: values.set, get: values.get };\n",
    "src/context.ts": "export class Context {\n  parent?: Context;\n}\n",
    "src/page.ts": "/** Has a context. */\nexport function page() {}\n",
  }, (memory) => {
    const paths = memory.search("mapped diagnostic context").map(({ path }) => path);
    assert.ok(paths.slice(0, 2).includes("src/mdc.ts"), paths.join(" "));
  });
});
