/** The symbol graph over real indexes: who refers to what, what a change may break, and that it stays true. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { readTree, REFERENCE_KINDS } from "../../ingest/mod.ts";
import { SymbolGraph } from "../../rag/graph.ts";
import { type Memory, openMemory, type RefsResult } from "../../rag/mod.ts";
import { decodeEdges, decodeLinks, encodeEdges, encodeLinks } from "../../rag/graph_store.ts";

type Files = Record<string, string>;

class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), "batos-graph-"));
  memory!: Memory;
  graph!: SymbolGraph;

  static async with(files: Files, work: (workspace: Workspace) => Promise<void>): Promise<void> {
    const workspace = new Workspace();
    try {
      workspace.write(files);
      workspace.memory = openMemory(workspace.folder);
      await workspace.ingest();
      workspace.graph = new SymbolGraph(workspace.memory.store);
      await work(workspace);
    } finally {
      workspace.memory?.close();
      rmSync(workspace.folder, { recursive: true });
    }
  }

  write(files: Files): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), text);
    }
  }

  remove(path: string): void {
    rmSync(join(this.folder, path));
  }

  async ingest(): Promise<void> {
    // Content decides, not times: files of a test change faster than clocks tick.
    await this.memory.absorb(readTree(this.folder, this.memory.known(), { trustedBefore: 0 }));
  }

  /** References as `path:line kind`. */
  async refs(target: string): Promise<string[]> {
    return lines(await this.graph.refs(target));
  }
}

function lines(result: RefsResult): string[] {
  return result.references.map(({ path, line, kind }) => `${path}:${line} ${kind}`);
}

const SHOP: Files = {
  "package.json": '{ "workspaces": ["packages/*"] }',
  "packages/cart/package.json": '{ "name": "@shop/cart", "exports": "./dist/index.js" }',
  "packages/cart/src/index.ts":
    'export { addLine } from "./cart.js";\nexport * from "./price.ts";\n',
  "packages/cart/src/cart.ts": [
    'import { Price } from "./price";',
    "",
    "export interface Store { save(price: Price): void }",
    "",
    "/** Adds a line. */",
    "export function addLine(amount: number): Price {",
    "  return round(new Price(amount));",
    "}",
    "",
    "function round(price: Price): Price {",
    "  return price;",
    "}",
  ].join("\n"),
  "packages/cart/src/price.ts":
    "export class Price {\n  constructor(readonly amount: number) {}\n}\n",
  "packages/app/package.json": '{ "name": "@shop/app" }',
  "packages/app/src/main.ts": [
    'import { addLine, Price } from "@shop/cart";',
    'import type { Store } from "../../cart/src/cart.ts";',
    "",
    "export class MemoryStore implements Store {",
    "  save(price: Price): void {",
    "    console.log(price.amount);",
    "  }",
    "}",
    "",
    "export function checkout(store: Store): void {",
    "  store.save(addLine(1));",
    "}",
  ].join("\n"),
  "packages/app/test/main.test.ts":
    'import { checkout, MemoryStore } from "../src/main.ts";\n\ntest("checks out", () => {\n  checkout(new MemoryStore());\n});\n',
};

Deno.test("refs() lists definitions, uses, callers, callees and importers of a function", async () => {
  await Workspace.with(SHOP, async ({ graph }) => {
    const result = await graph.refs("addLine");
    assert.deepEqual(
      result.definitions.map(({ path, startLine, endLine, name, kind }) => ({
        path,
        startLine,
        endLine,
        name,
        kind,
      })),
      [
        {
          path: "packages/cart/src/cart.ts",
          startLine: 6,
          endLine: 8,
          name: "addLine",
          kind: "function",
        },
      ],
    );
    assert.deepEqual(lines(result), [
      "packages/app/src/main.ts:1 import",
      "packages/app/src/main.ts:11 call",
      "packages/cart/src/index.ts:1 reexport",
    ]);
    assert.ok(result.references.every((reference) => reference.resolution === "compiler"));
    assert.deepEqual(result.callers.map((caller) => caller.name), ["checkout"]);
    assert.deepEqual(result.callees.map((callee) => callee.name), ["round", "Price"]);
    assert.deepEqual(result.importers, [
      { path: "packages/app/src/main.ts", line: 2 },
      { path: "packages/cart/src/index.ts", line: 1 },
    ]);
  });
});

Deno.test("refs() takes a place, a qualified name and a file", async () => {
  await Workspace.with(SHOP, async (shop) => {
    const byName = await shop.refs("addLine");
    assert.deepEqual(await shop.refs("packages/cart/src/cart.ts:6"), byName);
    assert.deepEqual(await shop.refs("./packages/cart/src/cart.ts:7"), byName, "inside the body");
    assert.deepEqual(await shop.refs("cart.addLine"), byName);
    assert.deepEqual(await shop.refs("addLine()"), byName);
    assert.deepEqual(await shop.refs("Price.amount"), ["packages/app/src/main.ts:6 read"]);
    assert.deepEqual(await shop.refs("packages/cart/src/price.ts"), [
      "packages/cart/src/cart.ts:1 import",
      "packages/cart/src/index.ts:2 reexport",
    ]);
  });
});

Deno.test("refs() finds both ends of an implemented member from either", async () => {
  await Workspace.with(SHOP, async (shop) => {
    assert.deepEqual(await shop.refs("Store.save"), [
      "packages/app/src/main.ts:5 implements",
      "packages/app/src/main.ts:11 call",
    ]);
    assert.deepEqual(await shop.refs("MemoryStore.save"), [
      "packages/app/src/main.ts:11 call",
      "packages/cart/src/cart.ts:3 implements",
    ]);
  });
});

Deno.test("refs() of a constructor are the places that make one", async () => {
  await Workspace.with(SHOP, async (shop) => {
    assert.deepEqual(await shop.refs("Price.constructor"), ["packages/cart/src/cart.ts:7 call"]);
  });
});

Deno.test("refs() suggests near names for one that nothing defines", async () => {
  await Workspace.with(SHOP, async ({ graph }) => {
    for (
      const [wrong, right] of [["adLine", "addLine"], ["ADDLINE", "addLine"], [
        "storeMemory",
        "MemoryStore",
      ], ["chekcout", "checkout"]]
    ) {
      const result = await graph.refs(wrong!);
      assert.deepEqual([result.definitions, result.references], [[], []]);
      assert.equal(result.suggestions[0], right);
    }
    assert.deepEqual((await graph.refs("zzzzqqqq")).suggestions, []);
    assert.deepEqual((await graph.refs("no/such/file.ts:3")).definitions, []);
  });
});

Deno.test("refs() gives one entry a line, of the kind that says most", async () => {
  await Workspace.with({
    "a.ts": "export class Box<T> { value?: T }\n",
    "b.ts":
      'import { Box } from "./a";\nexport const box: Box<number> = new Box<number>();\nexport class Sub extends Box<Box<1>> {}\n',
  }, async (workspace) => {
    assert.deepEqual(await workspace.refs("Box"), [
      "b.ts:1 import",
      "b.ts:2 call",
      "b.ts:3 extends",
    ]);
    assert.deepEqual(REFERENCE_KINDS.slice(0, 3), ["extends", "implements", "call"]);
  });
});

Deno.test("refs() joins the references of equal names and keeps them apart by place", async () => {
  await Workspace.with({
    "a.ts": "export const twin = 1;\n",
    "b.ts": "export const twin = 2;\n",
    "use.ts":
      'import { twin } from "./a";\nimport { twin as other } from "./b";\nexport default twin + other;\n',
  }, async (workspace) => {
    assert.equal((await workspace.graph.refs("twin")).definitions.length, 2);
    assert.deepEqual(await workspace.refs("twin"), [
      "use.ts:1 import",
      "use.ts:2 import",
      "use.ts:3 read",
    ]);
    assert.deepEqual(await workspace.refs("a.ts:1"), ["use.ts:1 import", "use.ts:3 read"]);
    assert.deepEqual(await workspace.refs("b.twin"), ["use.ts:2 import", "use.ts:3 read"]);
  });
});

Deno.test("impact() orders dependents by distance and names the tests that reach them", async () => {
  await Workspace.with(SHOP, async ({ graph }) => {
    const result = await graph.impact(["round"]);
    assert.deepEqual(result.definitions.map((definition) => definition.name), ["round"]);
    assert.deepEqual(
      result.affected.map(({ path, distance, lines, via }) => ({ path, distance, lines, via })),
      [
        { path: "packages/cart/src/cart.ts", distance: 1, lines: [7], via: ["round"] },
        { path: "packages/app/src/main.ts", distance: 2, lines: [1, 11], via: ["addLine"] },
        { path: "packages/cart/src/index.ts", distance: 2, lines: [1], via: ["addLine"] },
        { path: "packages/app/test/main.test.ts", distance: 3, lines: [1, 4], via: ["checkout"] },
      ],
    );
    assert.deepEqual(result.tests, ["packages/app/test/main.test.ts"]);
    assert.deepEqual(result.affected[1]!.symbols.map((symbol) => symbol.name), ["checkout"]);
  });
});

Deno.test("impact() tells benchmarks from tests, wherever either is kept", async () => {
  const use = 'import { parse } from "PATH";\nparse("");\n';
  const from = (path: string) => use.replace("PATH", path);
  const files = {
    "src/parse.ts": "export function parse(text: string): string {\n  return text;\n}\n",
    "bench/run.ts": from("../src/parse.ts"),
    "src/parse.bench.ts": from("./parse.ts"),
    "tests/bench/run_test.ts": from("../../src/parse.ts"),
    "src/use.ts": from("./parse.ts"),
  };
  await Workspace.with(files, async ({ graph }) => {
    const result = await graph.impact(["parse"]);
    assert.deepEqual(result.tests, ["tests/bench/run_test.ts"]);
    assert.deepEqual(result.benchmarks, ["bench/run.ts", "src/parse.bench.ts"]);
    assert.equal(result.affected.length, 4);
  });
});

Deno.test("a place that leads to nothing says how far the file goes, or that nothing is defined there", async () => {
  const files = { "a.ts": "// nothing\n\nexport const a = 1;\n", "empty.ts": "" };
  await Workspace.with(files, async ({ graph }) => {
    const reason = async (target: string) => (await graph.refs(target)).reason;
    assert.equal(await reason("a.ts:99"), 'there is no line 99: "a.ts" has the lines 1 to 3');
    assert.equal(await reason("a.ts:0"), 'there is no line 0: "a.ts" has the lines 1 to 3');
    assert.equal(await reason("./a.ts:99:4"), 'there is no line 99: "a.ts" has the lines 1 to 3');
    assert.equal(await reason("empty.ts:1"), 'there is no line 1: "empty.ts" is empty');
    assert.equal(await reason("a.ts:1"), 'no definition stands on or around line 1 of "a.ts"');
    assert.equal(await reason("a.ts:3"), undefined);
    assert.equal(await reason("b.ts:3"), undefined);
    assert.match((await graph.impact(["a.ts:7", "a"])).reason!, /no line 7/);
  });
});

Deno.test("impact() of a file follows what it defines and who imports it; of nothing known it suggests", async () => {
  await Workspace.with(SHOP, async ({ graph }) => {
    const result = await graph.impact(["packages/cart/src/price.ts"], { depth: 1 });
    assert.deepEqual(
      result.affected.filter((entry) => entry.distance === 1).map((entry) => entry.path),
      [
        "packages/app/src/main.ts",
        "packages/cart/src/cart.ts",
        "packages/cart/src/index.ts",
      ],
    );
    assert.deepEqual(result.tests, ["packages/app/test/main.test.ts"]);
    const unknown = await graph.impact(["pricee"]);
    assert.deepEqual([unknown.affected, unknown.suggestions], [[], ["Price"]]);
    // A file is not taken for a name.
    for (
      const [written, near] of [
        ["pices.ts", []],
        ["src/pirce.ts", ["packages/cart/src/price.ts"]],
        ["packages/price.ts:9", ["packages/cart/src/price.ts"]],
      ] as const
    ) assert.deepEqual((await graph.impact([written])).suggestions, near, written);
  });
});

Deno.test("build() does nothing twice, and afterwards only what a change reaches", async () => {
  await Workspace.with(SHOP, async (shop) => {
    assert.equal((await shop.graph.build()).files, 5);
    assert.equal((await shop.graph.build()).files, 0);
    shop.write({
      "packages/app/test/main.test.ts": SHOP["packages/app/test/main.test.ts"] + "checkout;\n",
    });
    await shop.ingest();
    assert.equal((await shop.graph.build()).files, 1);
    shop.write({ "packages/cart/src/cart.ts": `// moved\n${SHOP["packages/cart/src/cart.ts"]}` });
    await shop.ingest();
    assert.equal(
      (await shop.graph.build()).files,
      4,
      "the file, the barrel, the application, its test",
    );
    assert.deepEqual(await shop.refs("addLine"), [
      "packages/app/src/main.ts:1 import",
      "packages/app/src/main.ts:11 call",
      "packages/cart/src/index.ts:1 reexport",
    ]);
  });
});

Deno.test("an updated graph is the graph of a fresh index, whatever was changed, added or removed", async () => {
  await Workspace.with(SHOP, async (shop) => {
    await shop.graph.build();
    const steps: (() => void)[] = [
      () =>
        shop.write({
          "packages/cart/src/price.ts": "\n\nexport class Price {\n  amount = 1;\n}\n",
        }),
      () =>
        shop.write({
          "packages/cart/src/extra.ts": 'import { addLine } from "./cart";\naddLine(2);\n',
        }),
      () => shop.remove("packages/app/src/main.ts"),
      () => shop.write({ "packages/app/src/main.ts": SHOP["packages/app/src/main.ts"]! }),
      () =>
        shop.write({
          "packages/cart/package.json": '{ "name": "@shop/renamed", "exports": "./dist/index.js" }',
        }),
      () => shop.write({ "globals.d.ts": "declare const addLines: number;\n" }),
    ];
    for (const step of steps) {
      step();
      await shop.ingest();
      const fresh = openMemory(mkdtempSync(join(tmpdir(), "batos-graph-fresh-")));
      try {
        await fresh.absorb(readTree(shop.folder, new Map()));
        const expected = new SymbolGraph(fresh.store);
        for (
          const target of [
            "addLine",
            "Price",
            "Store.save",
            "Price.amount",
            "checkout",
            "packages/cart/src/cart.ts",
          ]
        ) {
          assert.deepEqual(await shop.graph.refs(target), await expected.refs(target), target);
        }
      } finally {
        const { path } = fresh.store;
        fresh.close();
        rmSync(dirname(dirname(path)), { recursive: true });
      }
    }
  });
});

Deno.test("references of a read-only index are kept in memory", async () => {
  await Workspace.with(SHOP, async (shop) => {
    const expected = await shop.refs("addLine");
    shop.memory.store.database.exec(
      "DELETE FROM graph_file; DELETE FROM graph_reach; DELETE FROM graph_state",
    );
    shop.memory.close();
    shop.memory = openMemory(shop.folder, { readOnly: true });
    shop.graph = new SymbolGraph(shop.memory.store);
    assert.deepEqual(await shop.refs("addLine"), expected);
    assert.equal(
      shop.memory.store.database.prepare("SELECT count(*) AS n FROM graph_file").get()!.n,
      0,
    );
  });
});

Deno.test("refs() of Python go by name, scope and imports, and say so", async () => {
  await Workspace.with({
    "shop/__init__.py": "from .cart import total\n",
    "shop/cart.py":
      "def total(lines):\n    return sum(lines)\n\n\nclass Cart:\n    def pay(self):\n        return total([1])\n",
    "app.py":
      'from shop import total\n\n# total of all\nprint(total([1, 2]), "total")\n\n\ndef other(total):\n    return total\n',
    "unrelated.py": "total = 3\nprint(total)\n",
  }, async ({ graph }) => {
    const result = await graph.refs("shop.cart.total");
    assert.deepEqual(lines(result), [
      "app.py:1 import",
      "app.py:4 call",
      "shop/__init__.py:1 import",
      "shop/cart.py:7 call",
    ]);
    assert.ok(result.references.every((reference) => reference.resolution === "name"));
    assert.deepEqual(result.callers.map((caller) => caller.name), ["pay"]);
    const impact = await graph.impact(["shop.cart.total"]);
    assert.deepEqual(impact.affected.map(({ path, distance }) => `${path} ${distance}`), [
      "app.py 1",
      "shop/__init__.py 1",
      "shop/cart.py 1",
    ]);
  });
});

const edge = fc.record({
  line: fc.integer({ min: 1, max: 90_000 }),
  kind: fc.integer({ min: 0, max: 8 }),
  to: fc.nat(5),
  start: fc.nat(2_000_000),
});
const link = fc.record({
  from: fc.nat(2_000_000),
  line: fc.integer({ min: 1, max: 90_000 }),
  kind: fc.nat(2),
  to: fc.nat(5),
  start: fc.nat(2_000_000),
});
const sorted = (values: readonly object[]) =>
  values.map((value) => JSON.stringify(value, Object.keys(value).sort())).sort();

Deno.test("edges and links come back from their packed form", () => {
  fc.assert(fc.property(fc.array(edge), (edges) => {
    assert.deepEqual(sorted(decodeEdges(encodeEdges(edges))), sorted(edges));
  }));
  fc.assert(fc.property(fc.array(link), (links) => {
    assert.deepEqual(sorted(decodeLinks(encodeLinks(links))), sorted(links));
  }));
});
