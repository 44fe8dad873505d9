/** The action table on a real memory: each action finds what is there and says plainly what is not. */
import assert from "node:assert/strict";
import { actionKey, parseStep, perform, type Step, type World } from "../../agent/actions.ts";
import type { Memory } from "../../rag/mod.ts";
import { SHOP, withRepository } from "../support/repository.ts";

function world(memory: Memory, root: string, query = "discount"): World {
  return { memory, root, query, signal: undefined, ms: 10_000 };
}

async function act(action: string, args: object, target: World) {
  const parsed = parseStep({ action, arguments: args });
  assert.ok("step" in parsed, JSON.stringify(parsed));
  return await perform(parsed.step as Exclude<Step, { action: "answer" }>, target);
}

Deno.test("search gives summaries at level 1 and chunks below a folder", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const summaries = await act(
      "search",
      { query: "discount code", level: "summaries" },
      world(memory, root),
    );
    assert.ok(
      summaries.items.every((item) => item.type === "summary") && summaries.items.length > 0,
    );
    const chunks = await act(
      "search",
      { query: "total price order", path: "tests" },
      world(memory, root),
    );
    assert.deepEqual(
      [
        ...new Set(
          chunks.items.map((item) =>
            item.type === "chunk" ? item.hit.path : item.type === "outline" && item.path
          ),
        ),
      ],
      ["tests/order_test.ts"],
    );
  });
});

Deno.test("descend opens the workspace, a folder, a file, and a file by the end of its path", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const top = await act("descend", { path: "" }, world(memory, root));
    assert.deepEqual(
      top.items.map((item) => item.type === "summary" && item.summary.path).sort(),
      ["", "README.md", "src", "tests"],
    );
    const file = await act("descend", { path: "order.ts" }, world(memory, root));
    const outline = file.items.find((item) => item.type === "outline");
    assert.deepEqual(outline?.entries.map((entry) => entry.name).includes("total"), true);
    assert.ok(file.items.some((item) => item.type === "chunk" && item.hit.path === "src/order.ts"));
    const nowhere = await act("descend", { path: "src/orders" }, world(memory, root));
    assert.equal(nowhere.summary, '"src/orders" is not in the index');
  });
});

Deno.test("read gives exact lines and says when the file has fewer", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const found = await act(
      "read",
      { path: "src/order.ts", start_line: 3, end_line: 4 },
      world(memory, root),
    );
    const lines = found.items[0]!;
    assert.ok(lines.type === "lines");
    assert.equal(lines.text, SHOP["src/order.ts"]!.split("\n").slice(2, 4).join("\n"));
    const none = await act(
      "read",
      { path: "src/order.ts", start_line: 90, end_line: 99 },
      world(memory, root),
    );
    assert.equal(none.summary, "src/order.ts:90-99 has no lines; the file has 17");
  });
});

Deno.test("read cuts a long stretch and says how many lines follow", async () => {
  const long = Array.from({ length: 500 }, (_, index) => `export const value${index} = ${index};`)
    .join("\n");
  await withRepository({ "long.ts": long }, async (memory, root) => {
    const found = await act(
      "read",
      { path: "long.ts", start_line: 1, end_line: 400 },
      world(memory, root),
    );
    assert.equal(found.summary, "long.ts:1-160, 240 more lines follow");
  });
});

Deno.test("references tells definitions, calls and imports apart and names the scope around each", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const found = await act("references", { name: "applyDiscount" }, world(memory, root));
    const seen = found.items.flatMap((item) =>
      item.type === "reference"
        ? [`${item.path}:${item.line} ${item.kind} ${item.within}`.trim()]
        : []
    );
    assert.deepEqual(seen, [
      "src/discount.ts:10 definition",
      "src/order.ts:1 import",
      "src/order.ts:15 call Order.total",
    ]);
    const none = await act("references", { name: "refund" }, world(memory, root));
    assert.equal(none.summary, '"refund" is neither defined nor mentioned');
  });
});

Deno.test("descend finds a folder by its end, as a package is written too, tests last", async () => {
  const files = {
    "tests/core/a.py": "def test_a(): pass\n",
    "shop/core/b.py": "def b(): pass\n",
    "shop/core/deep/c.py": "def c(): pass\n",
  };
  await withRepository(files, async (memory, root) => {
    for (const path of ["core", "shop.core", "shop::core", "shop/core/"]) {
      const { summary } = await act("descend", { path }, world(memory, root));
      assert.equal(summary, "shop/core holds shop/core/b.py, shop/core/deep", path);
    }
  });
});

Deno.test("references of a file are the files that import it, tests last", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const found = await act("references", { name: "src/order.ts" }, world(memory, root));
    assert.equal(found.summary, "1 files import src/order.ts");
    const [use] = found.items;
    assert.ok(use?.type === "reference");
    assert.deepEqual([use.path, use.kind], ["tests/order_test.ts", "import"]);
    assert.match(use.text, /^import .*order\.ts/);
    const none = await act("references", { name: "README.md" }, world(memory, root));
    assert.deepEqual(none, { summary: "no file imports README.md", items: [] });
  });
});

Deno.test("history reads git, and says so where there is none", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const none = await act("history", { path: "src/order.ts" }, world(memory, root));
    assert.match(none.summary, /^no history of src\/order\.ts: this is not a git repository$/);
    const git = async (...args: string[]) => {
      const { success, stderr } = await new Deno.Command("git", {
        args: ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args],
        cwd: root,
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    };
    await git("init", "-q");
    await git("add", ".");
    await git("commit", "-q", "-m", "Sell tea");
    const some = await act("history", { path: "src/order.ts" }, world(memory, root));
    assert.ok(some.items[0]?.type === "commit" && some.items[0].subject === "Sell tea");
    assert.equal(some.items[0].author, "t");
  });
});

Deno.test("actionKey() is the same for the same action, whatever the order of its arguments", () => {
  assert.equal(
    actionKey({ action: "read", arguments: { path: "a", start_line: 1 } }),
    actionKey({ action: "read", arguments: { start_line: 1, path: "a" } }),
  );
  assert.notEqual(
    actionKey({ action: "read", arguments: { path: "a" } }),
    actionKey({ action: "descend", arguments: { path: "a" } }),
  );
});
