/** Behaviour of `ingest/chunk.ts`: where texts are cut, and what no cut may do. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { chunk } from "../../ingest/chunk.ts";
import { nonWhitespace, tokens } from "../../ingest/measure.ts";
import type { SyntaxTree } from "../../ingest/syntax_tree.ts";
import { loadTypeScript, readTypeScript } from "../../ingest/syntax_typescript.ts";

const compiler = await loadTypeScript();

/** The pieces of a TypeScript text, as text. */
function cut(text: string, maxSize: number): string[] {
  const { tree } = readTypeScript(compiler, "a.ts", text);
  return chunk(text, tree, { maxSize, measure: nonWhitespace })
    .map(({ start, end }) => text.slice(start, end));
}

/** A tree of brackets: every `(…)` is a node. */
interface Bracket {
  readonly start: number;
  end: number;
  readonly children: Bracket[];
}

function brackets(text: string): SyntaxTree<Bracket> {
  const root: Bracket = { start: 0, end: text.length, children: [] };
  const open = [root];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") {
      const node = { start: at, end: text.length, children: [] };
      open.at(-1)!.children.push(node);
      open.push(node);
    } else if (text[at] === ")" && open.length > 1) open.pop()!.end = at + 1;
  }
  return {
    root,
    start: (node) => node.start,
    end: (node) => node.end,
    children: (node) => node.children,
  };
}

const textOfBrackets = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("(", ")", "\n", "\r\n", "  ", "word", ", ", "// c\n") },
    { weight: 1, arbitrary: fc.constantFrom("😀", "\ufeff", "\t", "/* a\n b */", "\n\n", "日本") },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
  ),
  { maxLength: 200 },
).map((parts) => parts.join(""));

Deno.test("chunk() gives pieces that cover the text, fit, and part no character", () => {
  const options = fc.record({
    maxSize: fc.constantFrom(1, 2, 7, 30, 200),
    measure: fc.constantFrom(tokens, nonWhitespace),
    plain: fc.boolean(),
  });
  fc.assert(
    fc.property(textOfBrackets, options, (text, { maxSize, measure, plain }) => {
      const tree = plain ? null : brackets(text);
      const pieces = chunk(text, tree, { maxSize, measure });
      const size = measure(text);
      let at = 0;
      for (const piece of pieces) {
        assert.equal(piece.start, at);
        assert.ok(piece.end > piece.start, "a piece is empty");
        assert.equal(piece.size, size(piece.start, piece.end));
        // Two code units may be one character.
        if (piece.size > maxSize) assert.ok(piece.end - piece.start <= 2, "a piece is too large");
        const [before, after] = [text.charCodeAt(piece.end - 1), text.charCodeAt(piece.end)];
        assert.ok(!(before === 13 && after === 10), "a line end is parted");
        assert.ok(
          !((before & 0xfc00) === 0xd800 && (after & 0xfc00) === 0xdc00),
          "a surrogate pair is parted",
        );
        at = piece.end;
      }
      assert.equal(at, text.length);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("chunk() gives no piece for an empty text and one for a text that fits", () => {
  assert.deepEqual(chunk("", null), []);
  assert.deepEqual(
    chunk("a\n", null, { maxSize: 1, measure: nonWhitespace }),
    [{ start: 0, end: 2, size: 1 }],
  );
});

Deno.test("chunk() never cuts a subtree that fits", () => {
  const text = Array.from({ length: 12 }, (_, n) => `function f${n}() {\n  return ${n};\n}\n`).join(
    "\n",
  );
  for (const piece of cut(text, 60)) {
    assert.match(piece, /^(function \w+\(\) \{\n {2}return \d+;\n\}\n\n?)+$/);
  }
});

Deno.test("chunk() merges siblings while they fit", () => {
  const text = Array.from({ length: 8 }, (_, n) => `const v${n} = ${n};\n`).join("");
  // Each statement has 11 characters that are not white space, so three fit into 35.
  assert.deepEqual(cut(text, 35).map((piece) => piece.split("\n").length - 1), [3, 3, 2]);
});

Deno.test("chunk() keeps doc comments and decorators with their declaration", () => {
  const members = Array.from(
    { length: 6 },
    (_, n) =>
      `  /** Says what member ${n} is for. */\n  @decorated\n  member${n}() {\n    return ${n};\n  }\n`,
  ).join("\n");
  for (const piece of cut(`class Large {\n${members}}\n`, 130)) {
    assert.equal(piece.match(/Says what/g)?.length, piece.match(/member\d\(\)/g)?.length, piece);
  }
});

Deno.test("chunk() leaves a comment at the end of a line with what it follows", () => {
  const text = `const first = 1; // about first\n// about second\nconst second = 2;\n`;
  assert.deepEqual(cut(text, 35), [
    "const first = 1; // about first\n",
    "// about second\nconst second = 2;\n",
  ]);
});

Deno.test("chunk() parts a licence from the first declaration rather than the declaration", () => {
  const licence = "// Some licence that goes on for a while\n".repeat(3);
  const body = `/** Doc. */\nfunction f() {\n  return ${"1 + ".repeat(20)}1;\n}\n`;
  assert.deepEqual(cut(`${licence}\n${body}`, 110), [`${licence}\n`, body]);
});

Deno.test("chunk() puts the head of a class with its first members", () => {
  const members = Array.from({ length: 9 }, (_, n) => `  method${n}() {\n    return ${n};\n  }\n`)
    .join("");
  const pieces = cut(`export class Large extends Base {\n  field = 1;\n${members}}\n`, 100);
  assert.match(pieces[0]!, /^export class Large extends Base \{\n {2}field = 1;\n {2}method0\(\)/);
  assert.ok(pieces.length > 2);
  assert.ok(pieces.every((piece) => /method\d/.test(piece)), "a piece holds no member");
});

Deno.test("chunk() leaves no closing bracket alone", () => {
  const statements = Array.from({ length: 30 }, (_, n) => `    call(${n});\n`).join("");
  const text = `describe("x", () => {\n  it("y", () => {\n${statements}  });\n});\n`;
  for (let maxSize = 30; maxSize < 90; maxSize++) {
    const last = cut(text, maxSize).at(-1)!;
    assert.match(last, /call/, `maxSize ${maxSize}`);
  }
});

Deno.test("chunk() cuts at the beginning of lines where lines fit", () => {
  const text =
    `export function f(\n  a: number,\n): void {\n  if (a) {\n    g({ a,\n      b: [1,\n        2] });\n  } else if (b) {\n    h();\n  }\n}\n`;
  for (let maxSize = 20; maxSize < 100; maxSize++) {
    for (const piece of cut(text, maxSize)) assert.ok(piece.endsWith("\n"), `${maxSize}: ${piece}`);
  }
});

Deno.test("chunk() cuts a line that is too large behind a word", () => {
  const text = `const s = "${"lorem ipsum dolor ".repeat(40)}";\n`;
  const pieces = cut(text, 80);
  assert.equal(pieces.join(""), text);
  for (const piece of pieces.slice(0, -1)) assert.match(piece, /[^\w]$/);
});

Deno.test("chunk() cuts at trees a hundred thousand levels deep", () => {
  const text = "(".repeat(100_000) + ")".repeat(100_000);
  const pieces = chunk(text, brackets(text), { maxSize: 100, measure: nonWhitespace });
  assert.equal(pieces.map(({ start, end }) => text.slice(start, end)).join(""), text);
});

Deno.test("chunk() prefers lines without indentation where there is no tree", () => {
  const block = "func name {\n    one\n    two\n    three\n}\n";
  const pieces = chunk(block.repeat(6), null, { maxSize: 50, measure: nonWhitespace });
  for (const { start, end } of pieces) {
    assert.equal(block.repeat(6).slice(start, end), block.repeat((end - start) / block.length));
  }
});
