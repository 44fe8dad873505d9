/** Answers as blocks: structure is shown, places are links only where their citation holds, text stays text. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { answerBlocks, inlines, namesIn } from "../../../../kernel/doors/web/answer_blocks.ts";

const all = () => true;

const ANSWER = `Extractive answer (no model attached): quoted.

\`rank\` (function, \`rag/rank.ts:151-153\`): “Ranks the chunks.”
Tested from \`it\` (\`tests/rank_test.ts:4\`).
\`\`\`typescript
export function rank() {
  // \`not/a/place.ts:1-2\`
}
\`\`\`

Also relevant:
- \`rag/memory.ts:7\` **search**
- plain

Sources:
- \`rag/rank.ts:151-163\``;

Deno.test("paragraphs, code, headings and lists are told apart", () => {
  const blocks = answerBlocks(ANSWER, all);
  assert.deepEqual(blocks.map(({ kind }) => kind), [
    "paragraph",
    "paragraph",
    "code",
    "heading",
    "list",
    "heading",
    "list",
  ]);
  assert.deepEqual(blocks[2], {
    kind: "code",
    language: "typescript",
    text: "export function rank() {\n  // `not/a/place.ts:1-2`\n}",
    place: { path: "rag/rank.ts", start: 151, end: 153 },
  });
  assert.deepEqual(blocks[4], {
    kind: "list",
    items: [
      [
        { kind: "place", path: "rag/memory.ts", start: 7, end: 7 },
        { kind: "text", text: " " },
        { kind: "bold", text: "search" },
      ],
      [{ kind: "text", text: "plain" }],
    ],
  });
});

Deno.test("lines of code have numbers only where a place before it has as many lines, none left out", () => {
  const placeOf = (before: string, code: string) => {
    const block = answerBlocks(`${before}\n\`\`\`ts\n${code}\n\`\`\``, all).at(-1)!;
    return block.kind === "code" ? block.place : assert.fail(block.kind);
  };
  assert.deepEqual(placeOf("`a.ts:5-6` called from `b.ts:9`", "x\ny"), {
    path: "a.ts",
    start: 5,
    end: 6,
  });
  assert.equal(placeOf("`a.ts:5-9`", "x\ny"), undefined);
  assert.equal(placeOf("`a.ts:5-7`", "x\n… line 6\ny"), undefined);
  assert.equal(placeOf("no place", "x"), undefined);
});

Deno.test("a place whose citation does not hold is no link", () => {
  assert.deepEqual(inlines("see `a.ts:1-2` and `b.ts:3`", (path) => path === "b.ts"), [
    { kind: "text", text: "see " },
    { kind: "code", text: "a.ts:1-2" },
    { kind: "text", text: " and " },
    { kind: "place", path: "b.ts", start: 3, end: 3 },
  ]);
});

Deno.test("markup in an answer stays text", () => {
  const text = '<script>alert(1)</script> [x](javascript:alert(1)) <img onerror="x">';
  assert.deepEqual(inlines(text, all), [{ kind: "text", text }]);
});

Deno.test("a fence that is never closed, or any other text, is parsed to its end", () => {
  assert.deepEqual(answerBlocks("```ts\na\nb", all), [{
    kind: "code",
    language: "ts",
    text: "a\nb",
  }]);
  const piece = fc.oneof(
    fc.constantFrom("```", "`", "**", "- ", "# ", "\n", "a.ts:1"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(piece).map((parts) => parts.join("")), (text) => {
    answerBlocks(text, all);
  }));
});

Deno.test("the names that an answer explains are known", () => {
  assert.deepEqual(namesIn(ANSWER + "\n`Ranked` (interface, `a.ts:1`): x"), ["rank", "Ranked"]);
});
