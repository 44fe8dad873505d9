/** Behaviour of `ingest/prose.ts`: sections, blocks, stretches of one subject. */
import assert from "node:assert/strict";
import { parse } from "../../ingest/parse.ts";
import { outline, partsOf } from "./outline.ts";

async function pieces(path: string, text: string, maxSize: number): Promise<string[]> {
  const { chunks } = await parse(path, text, { maxSize });
  return chunks.map(({ start, end }) => text.slice(start, end));
}

Deno.test("parse() nests the sections of Markdown", async () => {
  const text = `---
title: not a heading
---
# Title with \`code\` and [a link](http://x) #

Setext one
==========

Intro.

Setext two
---
\`\`\`sh
# not a heading
\`\`\`
    # neither is this
#nor this

### Deep
<h2 align="center">In <b>HTML</b></h2>

~~~
## no
~~~
- item
---
last
`;
  assert.deepEqual(await outline("a.md", text), [
    "+section Title with code and a link",
    "+section Setext one",
    "+section Setext one.Setext two",
    "+section Setext one.Setext two.Deep",
    "+section Setext one.In HTML",
  ]);
});

Deno.test("parse() gives a section its heading, its text and its subsections", async () => {
  const text = "# One\n\nText.\n\n## Two\n\nMore.\n\n# Three\n";
  assert.deepEqual(await partsOf("a.md", text, "One"), {
    doc: "",
    signature: "# One\n",
    body: "\nText.\n\n## Two\n\nMore.\n\n",
    named: "One",
    lines: [1, 8],
  });
  assert.deepEqual((await partsOf("a.md", text, "Two")).lines, [5, 8]);
});

Deno.test("parse() reads the headings of reStructuredText and AsciiDoc", async () => {
  const rst =
    "=====\nTitle\n=====\n\nText.\n\nPart\n----\n\nText\n\nDetail\n~~~~~~\n\nOther\n-----\n";
  assert.deepEqual(await outline("a.rst", rst), [
    "+section Title",
    "+section Title.Part",
    "+section Title.Part.Detail",
    "+section Title.Other",
  ]);
  const asciidoc = "= Title\n\n== Part\n\n----\n== not\n----\n\n=== Detail\n";
  assert.deepEqual(await outline("a.adoc", asciidoc), [
    "+section Title",
    "+section Title.Part",
    "+section Title.Part.Detail",
  ]);
});

Deno.test("parse() cuts prose in front of headings and keeps fences whole", async () => {
  const sentence = "Words that fill a paragraph until it has a certain size. ";
  const fence = `\`\`\`ts\n${"call(1, 2);\n".repeat(8)}\`\`\`\n`;
  const section = (name: string) => `## ${name}\n\n${sentence.repeat(3)}\n\n${fence}\n`;
  const text = `# Title\n\n${["One", "Two", "Three", "Four"].map(section).join("")}`;
  for (const piece of await pieces("a.md", text, 110)) {
    assert.match(piece, /^#/);
    assert.equal(piece.split("```").length % 2, 1, "a fence is parted");
  }
});

Deno.test("parse() breaks a long section where the subject changes", async () => {
  const cats =
    "The cat hunts mice at night. A cat sleeps by day. Mice fear the cat. The cat purrs at night.";
  const tax =
    "Income tax falls due in May. The tax office sends forms. File the tax forms in May. Income is taxed.";
  // Wrapped so that neither lines nor paragraphs say where the subject changes.
  const lines = `${cats} ${cats} ${tax} ${tax}`.split(". ").join(".\n");
  const found = await pieces("notes.txt", lines, 70);
  const change = found.findIndex((piece) => /tax/i.test(piece));
  assert.ok(change > 0);
  assert.doesNotMatch(found[change]!, /\bcat\b/i, "a chunk begins inside the first subject");
  assert.doesNotMatch(found[change - 1]!, /\btax/i, "a chunk ends inside the second subject");
});

Deno.test("parse() calls a chunk of prose after its section and names the outer ones", async () => {
  const text = `# Outer\n\nIntro.\n\n## Inner\n\n${
    "A sentence of the inner section. ".repeat(40)
  }\n`;
  const { chunks } = await parse("a.md", text, { maxSize: 60 });
  const last = chunks.at(-1)!;
  assert.deepEqual([last.nodeType, last.nodeName, last.parentNodes], ["section", "Inner", [
    "Outer",
  ]]);
  const { chunks: [only] } = await parse("a.txt", "no heading at all\n");
  assert.deepEqual([only!.nodeType, only!.nodeName, only!.parentNodes], ["text", "", []]);
});
