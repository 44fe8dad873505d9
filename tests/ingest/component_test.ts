/** Behaviour of `ingest/component.ts`: scripts inside Vue, Svelte and Astro files. */
import assert from "node:assert/strict";
import { parse } from "../../ingest/parse.ts";
import { importsOf, outline } from "./outline.ts";

const VUE = `<template>
  <Card v-for="x in xs" />
</template>

<script setup lang="ts">
import Card from "./Card.vue";
const xs: number[] = [1];
function later(a: string): void {}
</script>

<script>
export const named = () => 1;
</script>

<style>
a { color: red }
</style>
`;

Deno.test("parse() finds the definitions and imports of scripts where they stand", async () => {
  assert.deepEqual(await outline("Page.vue", VUE), [
    "-constant xs",
    "-function later",
    "+function named",
  ]);
  assert.deepEqual(await importsOf("Page.vue", VUE), ["import ./Card.vue default=Card"]);
  const { definitions, imports, problems } = await parse("Page.vue", VUE);
  assert.deepEqual(problems, []);
  assert.deepEqual(definitions.map(({ startLine }) => startLine), [7, 8, 12]);
  assert.equal(imports[0]!.line, 6);
  for (const { name, nameStart } of definitions) {
    assert.equal(VUE.slice(nameStart, nameStart + name.length), name);
  }
});

Deno.test("parse() cuts components between their parts and along their scripts", async () => {
  const { chunks } = await parse("Page.vue", VUE, { maxSize: 30 });
  const pieces = chunks.map(({ start, end }) => VUE.slice(start, end));
  assert.equal(pieces.join(""), VUE);
  assert.ok(pieces.length > 3);
  for (const piece of pieces) assert.ok(piece.endsWith("\n"), piece);
  const { nodeType, nodeName } = chunks.find(({ start, end }) =>
    VUE.slice(start, end).includes("later")
  )!;
  assert.deepEqual([nodeType, nodeName], ["function", "later"]);
});

Deno.test("parse() keeps comments with their declarations in every script", async () => {
  const script = (name: string) =>
    `<script>\n${
      [1, 2, 3].map((n) => `// about ${name}${n}\nfunction ${name}${n}() {\n  return ${n};\n}\n`)
        .join("")
    }</script>\n`;
  const text = script("first") + script("second");
  const { chunks } = await parse("a.svelte", text, { maxSize: 20 });
  for (const name of ["first2", "first3", "second2", "second3"]) {
    const holder = chunks.find(({ start, end }) =>
      text.slice(start, end).includes(`function ${name}`)
    )!;
    assert.match(text.slice(holder.start, holder.end), new RegExp(`^// about ${name}\n`));
  }
});

Deno.test("parse() reads the front matter of Astro as TypeScript", async () => {
  const text =
    `---\nimport Layout from "../Layout.astro";\nexport const prerender: boolean = true;\n---\n<Layout/>\n`;
  assert.deepEqual(await outline("index.astro", text), ["+constant prerender"]);
  assert.deepEqual(await importsOf("index.astro", text), ["import ../Layout.astro default=Layout"]);
});

Deno.test("parse() keeps components without a script, and broken ones", async () => {
  for (
    const text of [
      "<p>hello</p>\n",
      "<script>\nconst = 1\n</script>\n",
      "<script>\nnever closed",
      "---\n",
    ]
  ) {
    for (const path of ["a.vue", "a.svelte", "a.astro"]) {
      const { chunks } = await parse(path, text);
      assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
    }
  }
});
