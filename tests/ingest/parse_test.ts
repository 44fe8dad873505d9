/** Behaviour of `ingest/parse.ts`: whatever a file holds, its chunks are the file, and everything points where it should. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nonWhitespace, tokens } from "../../ingest/measure.ts";
import { parse } from "../../ingest/parse.ts";

/** A little of every language that has a reader of its own. */
const SAMPLES: Record<string, string> = {
  "a.ts":
    `import { a } from "./a";\n/** Doc. */\nexport class A<T> {\n  m(x: T): void {\n    a(\`t\${x}\`);\n  }\n}\n`,
  "a.tsx": `export const V = (p: P) => (\n  <div {...p}>\n    text {p.x} <b/>\n  </div>\n);\n`,
  "a.js": `exports.f = function () {\n  return { a: [1, 2], b: /re[/]/g };\n};\n`,
  "a.py":
    `from .x import y\n\n@d\nclass A(B):\n    """Doc."""\n\n    def f(self):\n        return [y for y in self]\n`,
  "a.go": `package p\n\nimport "fmt"\n\n// F says.\nfunc (s *S) F(x int) {\n\tfmt.Println(x)\n}\n`,
  "a.rs":
    `use a::{b, c};\n\n/// Doc.\n#[x]\npub fn f<'a>(x: &'a str) -> u8 {\n    m!(x, "s");\n    1\n}\n`,
  "A.java": `import a.B;\n\n/** Doc. */\n@X\nclass A {\n  int f(B b) {\n    return 1;\n  }\n}\n`,
  "a.cpp":
    `#include <a>\n\ntemplate <class T>\nstruct S : B<T> {\n  int f() { return 1; }\n};\n#define M(x) \\\n  (x)\n`,
  "a.cs": `using A;\nnamespace N {\n  class C {\n    int P { get; set; }\n  }\n}\n`,
  "a.rb": `require "a"\n# Doc.\nclass A < B\n  def f(x)\n    x.map { |y| y }\n  end\nend\n`,
  "a.php":
    `<?php\nnamespace A;\nuse B\\C;\nclass D extends C {\n  function f($x) { return "a $x"; }\n}\n`,
  "a.sh": `source a.sh\nf() {\n  cat <<END\ntext $x\nEND\n}\n`,
  "a.md": `# One\n\nText. More text.\n\n## Two\n\n\`\`\`ts\n# no\n\`\`\`\n\n- a\n- b\n`,
  "a.rst": `Title\n=====\n\nSome text. More.\n\nPart\n----\n\n.. note:: x\n`,
  "a.json": `{\n  "a": [1, { "b": "c" }],\n  "d": null\n}\n`,
  "a.yml": `a: 1\nb:\n  - c: |\n      text\n# note\nd: [e]\n`,
  "a.toml": `a = 1\n# note\n[b.c]\nd = """\nx\n"""\n[[e]]\n`,
  "a.jsonl": `{"a":1}\n{"b":2}\n{"c"`,
  "a.vue":
    `<template>\n  <b/>\n</template>\n<script lang="ts">\nimport x from "x";\nexport const y: T = x;\n</script>\n`,
  "a.swift":
    `import A\n\n/// Doc.\npublic struct S<T>: P {\n  func f() async throws(E) -> Int {\n    try await g(#"a "b" c"#, #line)\n  }\n}\n`,
  "a.scala":
    `package a\n\nimport b.{C, D => E}\n\n/** Doc. */\nclass A(x: Int) extends B {\n  def f: Int = x match { case Some(()) => 1 }\n}\n\nobject O:\n  // Note.\n  def g = 1\n`,
  "a.lua":
    `local a = require("a")\nlocal M = {}\n--- Doc.\nfunction M:f(x) return a.b(x) end\nreturn M\n`,
  "a.ex":
    `defmodule A.B do\n  alias C.D\n  @doc "Doc."\n  def f(x) when x > 0, do: D.g(x)\n  def f(_), do: 0\nend\n`,
  "a.zig":
    `const b = @import("b.zig");\n/// Doc.\npub const S = struct {\n    x: u32,\n    pub fn f(self: S) u32 { return b.g(self.x); }\n};\ntest "t" {}\n`,
  "A.hs":
    `module A (f) where\n\nimport qualified B as C\n\n-- | Doc.\nf :: Int -> Int\nf 0 = 1\nf n = C.g n\n\ndata T = T { x :: Int }\n`,
  "a.dart": `void f() {\n  if (x) {\n    y();\n  }\n}\n`,
};

const ODDITIES = [
  "\r\n",
  "\n",
  "\t",
  "\ufeff",
  "😀",
  "é",
  "日本",
  "{",
  "}",
  "(",
  ")",
  "[",
  '"',
  "'",
  "`",
  "/*",
  "*/",
  "//",
  "#",
  "\0",
  "\ud83d",
  "\udc00",
  "\u2028",
  "\r",
  "<",
  "=>",
  "class ",
  "function ",
  "def x():\n",
  "\\",
  "---\n",
  "```\n",
  "${",
];

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(30),
  insert: fc.oneof(fc.constantFrom(...ODDITIES), fc.string({ unit: "binary", maxLength: 12 })),
});

Deno.test("parse() gives chunks that are the text, on their lines, within their size", async () => {
  const source = fc.record({
    path: fc.constantFrom(...Object.keys(SAMPLES)),
    edits: fc.array(edit, { maxLength: 8 }),
    maxSize: fc.constantFrom(1, 5, 25, 400),
    measure: fc.constantFrom(tokens, nonWhitespace),
    crlf: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(source, async ({ path, edits, maxSize, measure, crlf }) => {
      let text = SAMPLES[path]!;
      if (crlf) text = text.replaceAll("\n", "\r\n");
      for (const { at, remove, insert } of edits) {
        const offset = Math.floor(at * text.length);
        text = text.slice(0, offset) + insert + text.slice(offset + remove);
      }
      const { chunks, definitions, imports, problems } = await parse(path, text, {
        maxSize,
        measure,
      });
      const size = measure(text);
      const lineOf = (offset: number) => text.slice(0, offset).split("\n").length;
      let at = 0;
      for (const chunk of chunks) {
        assert.equal(chunk.start, at);
        assert.ok(chunk.end > chunk.start);
        assert.equal(chunk.startLine, lineOf(chunk.start));
        assert.equal(chunk.endLine, lineOf(chunk.end - 1));
        assert.equal(chunk.size, size(chunk.start, chunk.end));
        assert.ok(chunk.size <= maxSize || chunk.end - chunk.start <= 2);
        at = chunk.end;
      }
      assert.equal(at, text.length);
      for (const { start, declaration, nameStart, body, end, startLine, endLine } of definitions) {
        assert.ok(0 <= start && start <= declaration && declaration <= nameStart);
        assert.ok(nameStart <= body && body <= end && end <= text.length && declaration < end);
        assert.equal(startLine, lineOf(declaration));
        assert.equal(endLine, lineOf(end - 1));
      }
      for (const { line } of imports) assert.ok(line >= 1 && line <= lineOf(text.length));
      for (const { reason } of problems) assert.doesNotMatch(reason, /kept by lines|\.$/);
    }),
    { numRuns: 250 },
  );
});

Deno.test("parse() gives the same twice", async () => {
  for (const [path, text] of Object.entries(SAMPLES)) {
    assert.deepEqual(await parse(path, text), await parse(path, text));
  }
});

Deno.test("parse() finds nothing wrong with its samples but the torn line", async () => {
  for (const [path, text] of Object.entries(SAMPLES)) {
    const { problems } = await parse(path, text);
    assert.equal(problems.length, path === "a.jsonl" ? 1 : 0, path);
  }
});

Deno.test("parse() of an empty text gives no chunk in any language", async () => {
  for (const path of Object.keys(SAMPLES)) {
    const { chunks, definitions, problems } = await parse(path, "");
    assert.deepEqual([chunks, definitions, problems], [[], [], []], path);
  }
});

Deno.test("parse() says which scopes a chunk lies in and which modules it uses", async () => {
  const text = `import { one } from "./one";
import two from "two";

export class Large {
${
    Array.from({ length: 12 }, (_, n) =>
      `  method${n}() {\n    return ${n % 2 ? "one" : "two"}(${n});\n  }\n`).join("\n")
  }
}
`;
  const { chunks } = await parse("a.ts", text, { maxSize: 40 });
  const [imports, head] = chunks;
  assert.deepEqual([imports!.nodeType, imports!.dependencies], ["imports", ["./one", "two"]]);
  assert.deepEqual([head!.nodeType, head!.nodeName, head!.parentNodes], ["class", "Large", []]);
  for (const { nodeType, nodeName, parentNodes, dependencies, start, end } of chunks.slice(2)) {
    assert.equal(nodeType, "method");
    assert.match(nodeName, /^method\d+$/);
    assert.deepEqual(parentNodes, ["Large"]);
    const piece = text.slice(start, end);
    assert.deepEqual(dependencies.includes("./one"), /one\(/.test(piece));
    assert.deepEqual(dependencies.includes("two"), /two\(/.test(piece));
  }
});

Deno.test("parse() calls the parts of a large function after it", async () => {
  const text = `class A {\n  large() {\n${"    step(1, 2, 3);\n".repeat(60)}  }\n}\n`;
  const { chunks } = await parse("a.ts", text, { maxSize: 60 });
  assert.ok(chunks.length > 3);
  for (const { nodeType, nodeName, parentNodes } of chunks.slice(1)) {
    assert.deepEqual([nodeType, nodeName, parentNodes], ["method", "large", ["A"]]);
  }
});

Deno.test("parse() cuts what it cannot parse by lines, and says so", async () => {
  const large = `${"call(1);".repeat(20)}\n`.repeat(50_000);
  const { chunks, problems, definitions } = await parse("a.ts", large, { maxSize: 100_000 });
  assert.equal(chunks.at(-1)!.end, large.length);
  assert.deepEqual(definitions, []);
  assert.match(
    problems[0]!.reason,
    /^parse "a.ts" as typescript: 8050000 characters, .*kept by lines$/,
  );
  assert.ok(chunks.every(({ nodeType }) => nodeType === "lines"));
});

Deno.test("parse() cuts languages without a reader by lines", async () => {
  const { language, chunks } = await parse("a.dart", "void f() {\n}\n");
  assert.equal(language, "dart");
  assert.deepEqual(chunks.map(({ nodeType, nodeName }) => [nodeType, nodeName]), [["lines", ""]]);
});
