/** The peers do what they are compared for. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { copyOf, filesBelow, keeper, sizeBelow } from "../../bench/corpora.ts";
import { PlainFts } from "../../bench/peers/plain_fts.ts";
import { ripgrepFiles, ripgrepVersion, wordsOf } from "../../bench/peers/ripgrep.ts";

function withFiles(files: Record<string, string>, use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "batos-test-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

Deno.test("PlainFts ranks chunks that share more words first and survives query syntax", () => {
  using plain = new PlainFts(":memory:");
  const chunk = (path: string, text: string) => ({
    path,
    startLine: 1,
    endLine: 2,
    tokens: 3,
    text,
  });
  plain.add([
    chunk("a.ts", "retry the request with backoff"),
    chunk("b.ts", "parse the request"),
    chunk("c.ts", "nothing of interest"),
  ]);
  assert.deepEqual(plain.search("retry request", 10).map((hit) => hit.path), ["a.ts", "b.ts"]);
  assert.deepEqual(plain.search("retry request", 1).length, 1);
  assert.deepEqual(plain.search('"* NEAR(request', 10).map((hit) => hit.path).sort(), [
    "a.ts",
    "b.ts",
  ]);
  assert.deepEqual(plain.search("?!", 10), []);
  assert.equal(plain.search("backoff", 1)[0]!.text, "retry the request with backoff");
});

Deno.test("wordsOf() drops common words unless the query has no others", () => {
  assert.deepEqual(wordsOf("How is the retry limit set?"), ["retry", "limit", "set"]);
  assert.deepEqual(wordsOf("what is this"), ["what", "is", "this"]);
  assert.deepEqual(wordsOf("retry Retry"), ["retry"]);
});

Deno.test({
  name: "ripgrepFiles() puts the file with most matches first and treats words as text",
  // A peer, not a part: whoever has no ripgrep does without its column.
  ignore: ripgrepVersion() === undefined,
  fn: () =>
    withFiles({ "a.ts": "retry", "src/b.ts": "Retry retry", "c.ts": "other" }, (folder) => {
      assert.deepEqual(ripgrepFiles(folder, "retry", 10), ["src/b.ts", "a.ts"]);
      assert.deepEqual(ripgrepFiles(folder, "retry", 1), ["src/b.ts"]);
      assert.deepEqual(ripgrepFiles(folder, "absent", 10), []);
      assert.deepEqual(ripgrepFiles(folder, "(*", 10), []);
    }),
});

Deno.test("keeper() takes sources of a package and leaves compiled copies out", () => {
  const keeps = keeper(["!(_cjs|_esm|_types)/**/*.ts", "*.ts"]);
  assert.ok(keeps("index.ts") && keeps("actions/public/call.ts"));
  assert.ok(!keeps("_types/actions/public/call.d.ts") && !keeps("_esm/index.ts"));
  assert.ok(!keeps("package.json"));
});

Deno.test("copyOf() copies sources without the state of tools", () => {
  withFiles({
    "src/a.ts": "a",
    ".gitignore": "dist",
    ".git/HEAD": "ref",
    ".batos/image.db": "x",
    "node_modules/x/index.js": "x",
  }, (folder) => {
    const copy = copyOf(folder);
    try {
      assert.deepEqual(filesBelow(copy.folder), [".gitignore", "src/a.ts"]);
      assert.equal(sizeBelow(copy.folder), 5);
      assert.equal(sizeBelow(join(copy.folder, "absent")), 0);
    } finally {
      rmSync(copy.folder, { recursive: true });
    }
  });
});
