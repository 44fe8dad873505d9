/** Highlighting: nothing is lost, and what a language calls a comment or a string is one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { highlight, type Kind } from "../../../../kernel/doors/web/highlight.ts";

/** The pieces of one kind, whatever line they are on. */
function pieces(text: string, path: string, kind: Kind): string[] {
  return highlight(text, path).flat().filter((piece) => piece.kind === kind)
    .map(({ text }) => text);
}

Deno.test("pieces put end to end give every line back, whatever the text and the language", () => {
  const paths = ["a.ts", "a.go", "a.rs", "a.py", "a.rb", "a.php", "a.yml", "a.json", "a.html", "a"];
  const source = fc.array(
    fc.oneof(
      fc.constantFrom("/*", "*/", "//", "#", "'", '"', "`", "\\", "\n", "\r\n", "${", "/", "<!--"),
      fc.string({ unit: "grapheme", maxLength: 6 }),
    ),
    { maxLength: 40 },
  ).map((parts) => parts.join(""));
  fc.assert(fc.property(source, fc.constantFrom(...paths), (text, path) => {
    const lines = highlight(text, path).map((line) => line.map(({ text }) => text).join(""));
    assert.deepEqual(lines, text.split(/\r?\n/));
  }));
});

Deno.test("comments and strings are found over lines, and not inside each other", () => {
  const text =
    'const a = "no // comment"; /* a\n b */ // c "d"\nreturn /[`"]/g.test(x) ? `e\n${f}` : 1;';
  assert.deepEqual(pieces(text, "x.ts", "comment"), ["/* a", " b */", '// c "d"']);
  assert.deepEqual(pieces(text, "x.ts", "string"), ['"no // comment"', '/[`"]/g', "`e", "${f}`"]);
  assert.deepEqual(pieces(text, "x.ts", "keyword"), ["const", "return"]);
  assert.deepEqual(pieces("a / b / c", "x.ts", "string"), []);
});

Deno.test("languages differ in what they call a comment, a string, a keyword", () => {
  assert.deepEqual(pieces("x = 1 # y", "a.py", "comment"), ["# y"]);
  assert.deepEqual(pieces('"""a\nb"""', "a.py", "string"), ['"""a', 'b"""']);
  assert.deepEqual(pieces("fn f<'a>(x: &'a str) -> char { 'c' }", "a.rs", "string"), ["'c'"]);
  assert.deepEqual(pieces("SELECT a FROM b -- c", "a.sql", "keyword"), ["SELECT", "FROM"]);
  assert.deepEqual(pieces("const # not a comment", "a.unknown", "comment"), []);
});

Deno.test("the time is linear: a megabyte of what a scanner likes least takes a moment", () => {
  for (const part of ['"', "/*", "`", "((((", "a", "/[", "\\", "'''"]) {
    const text = part.repeat(1_000_000 / part.length);
    for (const path of ["a.ts", "a.rs", "a.py"]) {
      const lines = highlight(text, path);
      assert.equal(lines.flat().reduce((sum, { text }) => sum + text.length, 0), text.length);
    }
  }
});
