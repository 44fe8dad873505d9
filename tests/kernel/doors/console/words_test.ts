/** What is typed at the console: quotes, questions, and completion that stays inside the workspace. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { complete, splitWords, understand } from "../../../../kernel/doors/console/words.ts";

Deno.test("quotes keep blanks together, and a quote that is not closed yet ends with the line", () => {
  assert.deepEqual(splitWords(`search "a b" 'c "d"' e\\f -k 3`), [
    "search",
    "a b",
    'c "d"',
    "e\\f",
    "-k",
    "3",
  ]);
  assert.deepEqual(splitWords(`search "a \\" b" "open end`), ["search", 'a " b', "open end"]);
  assert.deepEqual(splitWords("  "), []);
  assert.deepEqual(splitWords(`set x ""`), ["set", "x", ""]);
});

Deno.test("a line that begins with no command is a question, quotes and all", () => {
  assert.deepEqual(understand(`what's "this" for?`), ["ask", `what's "this" for?`]);
  assert.deepEqual(understand("search Router -k 3"), ["search", "Router", "-k", "3"]);
  assert.deepEqual(understand("model list"), ["model", "list"]);
  assert.deepEqual(understand("help search"), ["help", "search"]);
  assert.deepEqual(understand("constructor"), ["ask", "constructor"]);
});

Deno.test("completion: commands, verbs, flags, paths, objects and selectors", async () => {
  const root = Deno.makeTempDirSync({ prefix: "batos_words_" });
  try {
    Deno.mkdirSync(join(root, "source", "deep"), { recursive: true });
    Deno.mkdirSync(join(root, ".batos"));
    Deno.writeTextFileSync(join(root, "source", "sort.ts"), "");
    Deno.writeTextFileSync(join(root, "secret.txt"), "");
    const surroundings = {
      root,
      objects: (begun: string) => Promise.resolve([`${begun}do`, "other"]),
      selectors: (object: string) => Promise.resolve(object === "todo" ? ["add:", "at:"] : []),
    };
    const of = async (line: string) => (await complete(line, surroundings))[0];
    assert.deepEqual(await of("sea"), ["search "]);
    assert.ok((await of("")).includes("help "));
    assert.ok(!(await of("")).some((word) => /^(serve|console|mcp) /.test(word)));
    assert.ok((await of("model ")).includes("list "));
    assert.deepEqual(await of("search a --li"), ["--limit "]);
    assert.deepEqual(await of("ask a --no-r"), ["--no-refresh "]);
    assert.deepEqual(await of("search a --que"), []);
    assert.deepEqual(await of("read so"), ["source/"]);
    assert.deepEqual(await of("read source/"), ["source/deep/", "source/sort.ts "]);
    assert.deepEqual(await of("read source/so"), ["source/sort.ts "]);
    assert.deepEqual(await of("read ."), []);
    assert.deepEqual(await of("read ../"), []);
    assert.deepEqual(await of("read /etc/pass"), []);
    assert.deepEqual(await of("image get to"), ["todo"]);
    assert.deepEqual(await of("image send todo a"), ["add:", "at:"]);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});
