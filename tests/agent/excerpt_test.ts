/** Quotations: lines are real, in order, and what is left out is named. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  cite,
  codeLines,
  proseLines,
  quoteCode,
  quoteProse,
  spansOf,
  visible,
} from "../../agent/excerpt.ts";

const code = fc.array(
  fc.constantFrom(
    "",
    "  ",
    "{",
    "}",
    "function parse(text) {",
    "  return route;",
    '  """',
    "# comment",
    "  `````",
  ),
  { minLength: 1, maxLength: 40 },
);
const score = (text: string) => Number(text.includes("route")) + Number(text.includes("parse"));

Deno.test("codeLines() and quoteCode() show lines of the place in order and name every other line that says something", () => {
  fc.assert(
    fc.property(
      code,
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      fc.func(fc.boolean()),
      (texts, most, python, known) => {
        const lines = new Map(
          texts.flatMap((text, index) => known(index) ? [[index + 1, text] as const] : []),
        );
        const place = {
          language: python ? "python" : "go",
          startLine: 1,
          endLine: texts.length,
          doc: python ? "Says." : "",
        };
        const shown = codeLines(place, lines, most, score);
        assert.deepEqual(shown, [...new Set(shown)].sort((one, other) => one - other));
        if (!shown.length) return;
        const quoted = quoteCode(place, lines, shown);
        const named = new Set(shown);
        for (
          const [, from, to] of quoted.matchAll(/^… lines? (\d+)(?:-(\d+))?(?:: docstring)?$/gm)
        ) {
          for (let line = Number(from); line <= Number(to ?? from); line++) {
            named.add(line);
          }
        }
        for (let line = 1; line <= texts.length; line++) {
          if (!named.has(line)) {
            assert.equal(
              lines.get(line)?.trim(),
              "",
              `line ${line} vanished:\n${quoted}`,
            );
          }
        }
      },
    ),
  );
});

Deno.test("codeLines() shows the head and where the question's words are densest", () => {
  const texts = [
    "function find(path) {",
    ...Array.from({ length: 30 }, (_, index) => `  step(${index});`),
    "}",
  ];
  texts[20] = "  const route = parse(path);";
  const lines = new Map(texts.map((text, index) => [index + 1, text]));
  const shown = codeLines(
    { language: "javascript", startLine: 1, endLine: 32, doc: "" },
    lines,
    6,
    score,
  );
  assert.ok(shown.includes(1) && shown.includes(21), String(shown));
  assert.ok(shown.length <= 8);
});

Deno.test("quoteCode() leaves out a docstring that is quoted as prose, and says so", () => {
  const texts = ["def find(path):", '    """Finds.', "", '    More."""', "    return path"];
  const lines = new Map(texts.map((text, index) => [index + 1, text]));
  const place = { language: "python", startLine: 1, endLine: 5, doc: "Finds.\n\nMore." };
  assert.equal(
    quoteCode(place, lines, codeLines(place, lines, 10, score)),
    "```python\ndef find(path):\n… lines 2-4: docstring\n    return path\n```",
  );
});

Deno.test("quoteCode() cannot be ended by the code inside", () => {
  const lines = new Map([[1, "const fence = `;"], [2, "```"], [3, "rm -rf /"]]);
  const place = { language: "typescript", startLine: 1, endLine: 3, doc: "" };
  assert.equal(
    quoteCode(place, lines, [1, 2, 3]),
    "````typescript\nconst fence = `;\n```\nrm -rf /\n````",
  );
});

Deno.test("proseLines() takes the paragraph that answers and stops at the next heading", () => {
  const texts = [
    "# Routes",
    "",
    "Intro words here.",
    "",
    "A route is parsed once.",
    "",
    "## Other",
    "",
    "Nothing to see here.",
  ];
  const lines = new Map(texts.map((text, index) => [index + 1, text]));
  const place = { language: "markdown", startLine: 1, endLine: 9, doc: "" };
  assert.deepEqual(proseLines(place, lines, 8, score), [3, 5]);
  assert.equal(quoteProse(lines, 3, 5), "> Intro words here.\n>\n> A route is parsed once.");
});

Deno.test("visible() shows what a terminal would obey or hide", () => {
  assert.equal(visible("a\u001b[31mb\u202ec\r\td"), "a\\u{1b}[31mb\\u{202e}c\td");
  assert.equal(cite("a\u0007.ts", 1, 2), "a\\u{7}.ts:1-2");
});

Deno.test("spansOf() gives all of a short definition, of a long one the lines that are shown, its head aside", () => {
  assert.deepEqual(spansOf({ startLine: 10, endLine: 40 }, [10, 11, 30]), [[10, 40]]);
  const long = { startLine: 10, endLine: 200 };
  assert.deepEqual(spansOf(long, []), [[10, 19]]);
  assert.deepEqual(spansOf(long, [10, 11, 60, 61, 65, 66]), [[60, 66]]);
  assert.deepEqual(spansOf(long, [10, 11, 12, 13]), [[10, 13]]);
  assert.deepEqual(spansOf(long, [10, 50, 51, 90, 91, 92, 150]), [[50, 51], [90, 92]]);
});

Deno.test("a piece that begins inside a line does not undo the indentation of the others", () => {
  const lines = new Map([[1, "  fn fmt() {"], [7, "Empty => {"], [8, "      write()?;"], [
    9,
    "    }",
  ]]);
  const place = { language: "rust", startLine: 1, endLine: 9, doc: "" };
  assert.equal(
    quoteCode(place, lines, [1, 7, 8, 9]),
    "```rust\nfn fmt() {\n… lines 2-6\nEmpty => {\n    write()?;\n  }\n```",
  );
});
