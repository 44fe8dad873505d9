/** Answers as blocks: structure is shown, places are links only where their citation holds, text stays text. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  answerBlocks,
  type Block,
  inlines,
  namesIn,
  plainText,
} from "../../../../kernel/doors/web/answer_blocks.ts";

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
    numbers: [151, 152, 153],
  });
  assert.deepEqual(blocks[4], {
    kind: "list",
    items: [
      [{
        kind: "paragraph",
        content: [
          { kind: "place", path: "rag/memory.ts", start: 7, end: 7 },
          { kind: "text", text: " " },
          { kind: "bold", content: [{ kind: "text", text: "search" }] },
        ],
      }],
      [{ kind: "paragraph", content: [{ kind: "text", text: "plain" }] }],
    ],
  });
});

/** Blocks as a text that shows how they are nested. */
function shape(blocks: readonly Block[]): string {
  return blocks.map((block) => {
    switch (block.kind) {
      case "heading":
      case "paragraph":
        return `${block.kind[0]}(${plainText(block.content)})`;
      case "list":
        return `${block.from ?? "-"}[${block.items.map(shape).join(" ")}]`;
      case "quote":
        return `>(${shape(block.blocks)})`;
      case "table":
        return `|(${
          [block.head, ...block.rows].map((row) => row.map(plainText).join("|")).join("/")
        })`;
      case "code":
        return `code(${block.text})`;
      default:
        return block.kind;
    }
  }).join("");
}

Deno.test("lists in lists, numbers, quotations, tables, rules and code within them", () => {
  const cases: [text: string, expected: string][] = [
    ["> a\n> b\n>\n> c\n\nd", ">(p(a\nb)p(c))p(d)"],
    ["> - a\n> > b", ">(-[p(a)]>(p(b)))"],
    [">no blank\n>```\n>x\n>```", ">(p(no blank)code(x))"],
    ["- a\n  - b\n    more\n  - c\n- d", "-[p(a)-[p(b\nmore) p(c)] p(d)]"],
    ["1. a\n2. b\n   - c\n\n3. d", "1[p(a) p(b)-[p(c)] p(d)]"],
    ["4) a\n5) b", "4[p(a) p(b)]"],
    ["- a\n\n  second\n- b", "-[p(a)p(second) p(b)]"],
    ["- a\n  ```ts\n  x\n    y\n  ```\n- b", "-[p(a)code(x\n  y) p(b)]"],
    ["* a\n+ b\n- c", "-[p(a) p(b) p(c)]"],
    ["- a\n1. b", "-[p(a)]1[p(b)]"],
    ["- a\nnot of it", "-[p(a)]p(not of it)"],
    ["in the year\n1999. It was", "p(in the year\n1999. It was)"],
    ["a | b\n--|:-:\n1 | `x|y`\n2 |\n\nend", "|(a|b/1|x|y/2|)p(end)"],
    ["| a |\n|---|\n| 1 \\| 2 | no |", "|(a/1 | 2)"],
    ["a | b", "p(a | b)"],
    ["a\n\n---\n* * *\nb", "p(a)rulerulep(b)"],
    ["~~~\n```\n~~~", "code(```)"],
    ["````md\n```\nx\n```\n````", "code(```\nx\n```)"],
    ["# a\nb", "h(a)p(b)"],
    ["-not a list\n#nor a heading", "p(-not a list\n#nor a heading)"],
  ];
  for (const [text, expected] of cases) {
    assert.equal(shape(answerBlocks(text, all)), expected, JSON.stringify(text));
  }
});

Deno.test("running text: emphasis, but not within names; links out of this machine by http only", () => {
  const marks = (text: string) =>
    inlines(text, (path) => path.startsWith("src/")).map((piece) =>
      piece.kind === "text"
        ? piece.text
        : piece.kind === "place"
        ? `<${piece.path} ${piece.start}-${piece.end}>`
        : piece.kind === "link"
        ? `<${piece.address} ${plainText(piece.content)}>`
        : `<${piece.kind} ${"text" in piece ? piece.text : plainText(piece.content)}>`
    ).join("");
  const cases: [text: string, expected: string][] = [
    ["*a* and _b c_ and **d `e`**", "<italic a> and <italic b c> and <bold d e>"],
    ["snake_case_name, __init__, 2 * 3 * 4, a*b*c", "snake_case_name, __init__, 2 * 3 * 4, a*b*c"],
    ["``a`b`` `c`", "<code a`b> <code c>"],
    ["[docs](https://a.example/x?y) .", "<https://a.example/x?y docs> ."],
    ["See https://a.example/x. Then", "See <https://a.example/x https://a.example/x>. Then"],
    ["[it](src/a.ts:3-4), [it](src/a.ts#L3-L4)", "<src/a.ts 3-4>, <src/a.ts 3-4>"],
    ["[it](lib/a.ts:3-4)", "[it](lib/a.ts:3-4)"],
    ["![alt](https://a.example/p.png)", "<https://a.example/p.png alt>"],
    [
      "[x](data:text/html,1) [y](file:///etc/passwd)",
      "[x](data:text/html,1) [y](file:///etc/passwd)",
    ],
    ["[x](JaVaScRiPt:1) [x](//a.example)", "[x](JaVaScRiPt:1) [x](//a.example)"],
  ];
  for (const [text, expected] of cases) assert.equal(marks(text), expected, text);
});

Deno.test("the time is linear: a long text of what a parser likes least takes a moment", () => {
  for (
    const piece of [
      "[",
      "*",
      "_",
      "`",
      "``",
      "> ",
      "- ",
      "  - ",
      "| ",
      "![",
      "**a",
      "https://",
      "~~~",
    ]
  ) {
    for (const end of ["", "\n"]) {
      const text = (piece + end).repeat(200_000 / (piece.length + end.length));
      const begin = performance.now();
      answerBlocks(text, all);
      const ms = performance.now() - begin;
      // Quadratic, it would be minutes.
      assert.ok(ms < 5_000, `${JSON.stringify(piece + end)}: ${ms} ms`);
    }
  }
  for (
    const [before, piece, after] of [["```", " ", "x y"], ["", "#", "x"], ["|\n", "-|", "x"], [
      "",
      " ",
      "- ",
    ]]
  ) {
    const begin = performance.now();
    answerBlocks(before + piece!.repeat(200_000) + after, all);
    assert.ok(performance.now() - begin < 5_000, JSON.stringify([before, piece, after]));
  }
});

Deno.test("lines of code have numbers only where they are exactly those of a place before it", () => {
  const placeOf = (before: string, code: string) => {
    const block = answerBlocks(`${before}\n\`\`\`ts\n${code}\n\`\`\``, all).at(-1)!;
    if (block.kind !== "code") assert.fail(block.kind);
    return block.place && { ...block.place, numbers: block.numbers };
  };
  assert.deepEqual(placeOf("`a.ts:5-6` called from `b.ts:9`", "x\ny"), {
    path: "a.ts",
    start: 5,
    end: 6,
    numbers: [5, 6],
  });
  assert.equal(placeOf("`a.ts:5-9`", "x\ny"), undefined);
  assert.deepEqual(placeOf("`a.ts:5-9`", "x\n… lines 6-8\ny")?.numbers, [5, undefined, 9]);
  // Blank lines beside what was left out are not told of: then nobody knows.
  assert.equal(placeOf("`a.ts:5-10`", "x\n… lines 6-8\ny"), undefined);
  assert.equal(placeOf("`a.ts:5-9`", "x\n… lines 7-8\ny"), undefined);
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
    fc.constantFrom("```", "`", "**", "- ", "1. ", "  ", "> ", "|", "--|--", "# ", "\n", "a.ts:1"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(piece).map((parts) => parts.join("")), (text) => {
    answerBlocks(text, all);
  }));
});

Deno.test("the names that an answer explains are known", () => {
  assert.deepEqual(namesIn(ANSWER + "\n`Ranked` (interface, `a.ts:1`): x"), ["rank", "Ranked"]);
});
