/** The compilers in a thread: the same answers as without one, and gone when it is quiet. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { nonWhitespace, parse, readTree } from "../../ingest/mod.ts";
import { SymbolGraph } from "../../rag/graph.ts";
import { CompilerThread, NotIngestedError, openMemory } from "../../rag/mod.ts";

/** Something in every language that has a reader of its own, and some that no reader likes. */
const SAMPLES: Readonly<Record<string, string>> = {
  "a.ts":
    'import { b } from "./b.ts";\n/** Doc. */\nexport class A { m(): number { return b(); } }\n',
  "b.ts": "export function b(): number { return 1; }\nexport const c = () => b();\n",
  "c.tsx": 'import { A } from "./a.ts";\nexport const C = () => <p title="x">{new A().m()}</p>;\n',
  "d.mjs": 'const { b } = require("./b.ts");\nmodule.exports = { b };\n',
  "e.vue":
    '<template><p/></template>\n<script lang="ts">\nexport default { name: "E" };\n</script>\n',
  "f.py": "import os\nclass F:\n    def m(self):\n        return os.name\n",
  "g.go": "package g\n\nfunc G() int { return 1 }\n",
  "h.rs": "pub struct H { x: i32 }\nimpl H { pub fn new() -> H { H { x: 1 } } }\n",
  "i.java": "class I { int m() { return 1; } }\n",
  "j.kt": "class J { fun m(): Int = 1 }\n",
  "k.c": "#include <stdio.h>\nint k(void) { return 1; }\n",
  "l.cpp": "namespace l { class L { int m(); }; }\n",
  "m.cs": "class M { int P { get; set; } }\n",
  "n.rb": "class N\n  def m\n    1\n  end\nend\n",
  "o.php": "<?php class O { function m() { return 1; } }\n",
  "p.sh": "p() {\n  echo 1\n}\n",
  "q.md": "# Q\n\nSome words. And more of them.\n\n## Part\n\nThe end.\n",
  "r.json": '{ "r": { "s": 1 } }\n',
  "s.yaml": "s:\n  t: 1\n",
  "t.toml": "[t]\nu = 1\n",
  "u.jsonl": '{"u": 1}\nnot json\n',
  "v.txt": "words\n",
  "w.css": ".w { color: red }\n",
  "broken.ts": "export function (] { \u0000 class\n",
  "broken.py": "def (:\n  \ud800x\n",
  "empty.ts": "",
};

interface Place {
  readonly root: string;
  readonly thread: CompilerThread;
}

async function withPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "batos-thread-"));
  using thread = new CompilerThread();
  try {
    for (const [path, text] of Object.entries(SAMPLES)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    await work({ root, thread });
  } finally {
    rmSync(root, { recursive: true });
  }
}

async function ingest(root: string, thread?: CompilerThread): Promise<string> {
  using memory = openMemory(root, { rebuild: true });
  await memory.absorb(readTree(root, memory.known(), { parse: thread?.parse }));
  return memory.status().fingerprint;
}

Deno.test("a thread parses every language as it is parsed without one, whatever is wrong with it", async () => {
  using thread = new CompilerThread();
  for (const [path, text] of Object.entries(SAMPLES)) {
    for (const maxSize of [undefined, 5]) {
      assert.deepEqual(
        await thread.parse(path, text, { maxSize }),
        await parse(path, text, { maxSize }),
        path,
      );
    }
  }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(SAMPLES)),
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.nat(),
      async (path, noise, at) => {
        const sample = SAMPLES[path]!;
        const text = sample.slice(0, at % (sample.length + 1)) + noise + sample;
        assert.deepEqual(await thread.parse(path, text), await parse(path, text));
      },
    ),
    { numRuns: 100 },
  );
  await assert.rejects(
    thread.parse("a.ts", "let a", { measure: nonWhitespace }),
    /parse "a\.ts" in a thread: .* expected tokens/,
  );
});

Deno.test("a tree that is parsed in a thread gives the same events, in the same order, and the same index", async () => {
  await withPlace(async ({ root, thread }) => {
    const here = await Array.fromAsync(readTree(root, new Map()));
    const there = await Array.fromAsync(readTree(root, new Map(), { parse: thread.parse }));
    assert.equal(here.length, Object.keys(SAMPLES).length + 1);
    assert.deepEqual(there, here);
    assert.equal(await ingest(root, thread), await ingest(root));
  });
});

Deno.test("refs and impact are the same from a thread, which keeps in the index what it found", async () => {
  await withPlace(async ({ root, thread }) => {
    await ingest(root);
    const seen: number[] = [];
    const graph = thread.graph({ root, readOnly: false });
    const found = await graph.refs("b", { onProgress: (done) => seen.push(done) });
    assert.deepEqual(found.references.map(({ path }) => path), [
      "a.ts",
      "a.ts",
      "b.ts",
      "d.mjs",
      "d.mjs",
    ]);
    assert.deepEqual(seen, [1, 2, 3, 4, 5]);
    using memory = openMemory(root, { readOnly: true });
    const here = new SymbolGraph(memory.store);
    assert.ok(here.isCurrent());
    for (const target of ["b", "A.m", "F", "G", "b.ts", "a.ts:3", "nothing", ""]) {
      assert.deepEqual(await graph.refs(target), await here.refs(target), target);
      const given = { depth: 2 };
      assert.deepEqual(await graph.impact([target], given), await here.impact([target], given));
    }
  });
});

Deno.test("who aborts hears why once the thread has stopped, and nothing was written", async () => {
  await withPlace(async ({ root, thread }) => {
    await ingest(root, thread);
    const abort = new AbortController();
    const graph = thread.graph({ root, readOnly: false });
    const asked = graph.refs("b", { signal: abort.signal });
    const parsed = thread.parse("a.ts", SAMPLES["a.ts"]!);
    abort.abort(new Error("changed my mind"));
    await assert.rejects(asked, /^Error: changed my mind$/);
    await assert.rejects(graph.refs("b", { signal: abort.signal }), /changed my mind/);
    using memory = openMemory(root, { readOnly: true });
    assert.equal(new SymbolGraph(memory.store).isCurrent(), false);
    assert.equal((await parsed).definitions.length, 2);
    assert.equal((await graph.refs("b")).references.length, 5);
  });
});

Deno.test("errors keep their class, and a thread that is closed fails those who wait for it", async () => {
  const root = mkdtempSync(join(tmpdir(), "batos-thread-"));
  const thread = new CompilerThread();
  try {
    const graph = thread.graph({ root, readOnly: true });
    await assert.rejects(graph.refs("b"), NotIngestedError);
    const parsed = thread.parse("a.ts", "let a");
    thread[Symbol.dispose]();
    await assert.rejects(parsed, /closed/);
    assert.equal(thread.isRunning, false);
  } finally {
    rmSync(root, { recursive: true });
  }
});

Deno.test("a thread is there while it is asked, ends when it is quiet, and another answers the next request", async () => {
  using thread = new CompilerThread(50);
  assert.equal(thread.isRunning, false);
  for (let round = 0; round < 2; round++) {
    const parsed = Array.from({ length: 5 }, (_, at) => thread.parse(`${at}.ts`, "let a = 1"));
    assert.equal(thread.isRunning, true);
    await Promise.all(parsed);
    while (thread.isRunning) await new Promise((done) => setTimeout(done, 10));
  }
});
