/** Widths, cuts and excerpts: what keeps a terminal at 80 columns whatever a file holds. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { excerpt } from "../../../kernel/doors/render.ts";
import {
  clip,
  clipStart,
  colours,
  fileLinks,
  lastRows,
  pad,
  printable,
  textWidth,
} from "../../../kernel/doors/terminal.ts";

const PLAIN = { colours: colours(false, () => undefined), columns: undefined, full: false };

Deno.test("textWidth() counts cells, not code units", () => {
  assert.equal(textWidth("abc"), 3);
  assert.equal(textWidth("日本"), 4);
  assert.equal(textWidth("e\u0301"), 1);
  assert.equal(textWidth("😀"), 2);
});

Deno.test("clip() and clipStart() never exceed the width and change nothing that fits", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 60 });
  fc.assert(fc.property(text, fc.integer({ min: 1, max: 40 }), (value, width) => {
    for (const cut of [clip, clipStart]) {
      const result = cut(value, width);
      assert.ok(textWidth(result) <= width);
      if (textWidth(value) <= width) assert.equal(result, value);
    }
  }));
});

Deno.test("lastRows() breaks a text at blanks into rows that fit, without losing a word of those that are shown", () => {
  assert.deepEqual(lastRows("one two three", 7, 9), ["one two", "three"]);
  assert.deepEqual(lastRows("- an item\n\nabcdefghij k", 4, 9), [
    "- an",
    "item",
    "",
    "abcd",
    "efgh",
    "ij k",
  ]);
  assert.deepEqual(lastRows("one two three", 7, 1), ["three"]);
  assert.deepEqual(lastRows(" \n", 7, 3), []);
  const text = fc.string({
    unit: fc.constantFrom("a", "bc", "日", " ", "  ", "\n", "\t", "\x1b", "e\u0301", "longer"),
    maxLength: 60,
  });
  fc.assert(fc.property(text, fc.integer({ min: 2, max: 20 }), (text, width) => {
    const rows = lastRows(text, width, Infinity);
    assert.ok(rows.every((row) => textWidth(row) <= width), JSON.stringify(rows));
    assert.equal(rows.join("").replace(/\s/g, ""), printable(text).replace(/\s/g, ""));
    assert.deepEqual(lastRows(text, width, 2), rows.slice(-2));
  }));
});

Deno.test("pad() reaches a width and never cuts", () => {
  assert.equal(pad("日", 4), "日  ");
  assert.equal(pad("abcdef", 3), "abcdef");
});

Deno.test("printable() leaves line ends and nothing else that a terminal obeys", () => {
  assert.equal(printable("a\tb\r\nc\x1b[31m\x9b\r"), "a  b\nc·[31m··");
});

Deno.test("excerpt() shows a short chunk whole, without blank lines around it", () => {
  assert.equal(excerpt("\n\nfoo();\nbar();\n\n", 5, "bar", PLAIN), "7 foo();\n8 bar();");
});

Deno.test("excerpt() of a long chunk has its head, the lines of the query, and says what is left out", () => {
  const lines = Array.from(
    { length: 60 },
    (_, n) => n === 40 ? "  retryDelay *= 2;" : `  step(${n});`,
  );
  const shown = excerpt(
    ["function backoff() {", ...lines, "}"].join("\n"),
    100,
    "retry delay",
    PLAIN,
  );
  assert.match(shown, /^100 function backoff\(\) \{\n +…\n/);
  assert.match(shown, /^141 {3}retryDelay \*= 2;$/m);
  assert.match(shown, /… \d+ lines more$/);
  assert.ok(shown.split("\n").length <= 14);
  assert.equal(
    excerpt(["a", ...lines].join("\n"), 1, "x", { ...PLAIN, full: true }).split("\n").length,
    61,
  );
});

Deno.test("excerpt() survives a chunk of one enormous line", () => {
  assert.ok(excerpt("x".repeat(1_000_000), 1, "x", PLAIN).length < 500);
});

Deno.test("places are links on a terminal that has colours, and nowhere else", () => {
  const env = (values: Record<string, string | undefined>) => (name: string) => values[name];
  const link = fileLinks(true, env({}), "/a b");
  assert.equal(
    link?.("x.ts:3-4", "src/x.ts", 3),
    "\x1b]8;;file:///a%20b/src/x.ts#3\x1b\\x.ts:3-4\x1b]8;;\x1b\\",
  );
  const editor = fileLinks(true, env({ BATOS_EDITOR_URL: "vscode://file{path}:{line}" }), "/r");
  assert.ok(editor!("x", "ü.ts", 7).includes(";vscode://file/r/%C3%BC.ts:7\x1b"));
  assert.ok(editor!("x", "a$&b.ts", 7).includes(";vscode://file/r/a$&b.ts:7\x1b"));
  for (
    const values of [{ NO_COLOR: "1" }, { TERM: "dumb" }, { TERM: "linux" }, {
      BATOS_EDITOR_URL: "",
    }]
  ) {
    assert.equal(fileLinks(true, env(values), "/r"), undefined);
  }
  assert.equal(fileLinks(false, env({}), "/r"), undefined);
});

Deno.test("no path and no setting ends the sequence of a link", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (path, setting) => {
      const env = (name: string) => name === "BATOS_EDITOR_URL" ? `x${setting}` : undefined;
      for (const link of [fileLinks(true, env, "/r")!, fileLinks(true, () => undefined, "/r")!]) {
        const [begin, end] = ["\x1b]8;;", "\x1b\\shown\x1b]8;;\x1b\\"];
        const text = link("shown", path, 1);
        assert.ok(text.startsWith(begin) && text.endsWith(end));
        const address = text.slice(begin.length, -end.length);
        assert.notEqual(address, "");
        assert.doesNotMatch(address, /[\p{Cc}]/u);
      }
    }),
  );
});
