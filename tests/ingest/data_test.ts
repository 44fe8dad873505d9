/** Behaviour of `ingest/data.ts`: keys, elements, lines of JSON. */
import assert from "node:assert/strict";
import { parse } from "../../ingest/parse.ts";
import { outline, partsOf } from "./outline.ts";

async function pieces(path: string, text: string, maxSize: number): Promise<string[]> {
  const { chunks } = await parse(path, text, { maxSize });
  return chunks.map(({ start, end }) => text.slice(start, end));
}

Deno.test("parse() finds the top-level keys of JSON, comments and errors allowed", async () => {
  const text = `{
    // "not": 1,
    "name": "a \\"quoted\\" { thing",
    "list": ["x", { "inner": 1 }], /* "nor": 2 */
    'single': [1, 2,],
    "object": { "deep": { "deeper": 1 } },
  }`;
  assert.deepEqual(await outline("a.json", text), [
    "+key name",
    "+key list",
    "+key single",
    "+key object",
  ]);
  assert.deepEqual(
    (await partsOf("a.json", text, "object")).body.trim(),
    '{ "deep": { "deeper": 1 } }',
  );
  assert.deepEqual(await outline("a.json", '["a", {"b": 1}]'), []);
  assert.deepEqual(await outline("a.json", '{"open": {"b": ['), ["+key open"]);
});

Deno.test("parse() cuts a large array between its elements, on one line or many", async () => {
  const elements = Array.from({ length: 40 }, (_, id) => ({ id, tags: ["a", "b"], at: { x: id } }));
  for (
    const [text, element] of [
      [JSON.stringify(elements), /^[[,]?\{"id":\d+,.*\}\},?\]?$/],
      [JSON.stringify(elements, null, 2), /^(\[\n)?( {2}\{[^]*\n {2}\},?\n)+\]?$/],
    ] as const
  ) {
    const found = await pieces("a.json", text, 120);
    assert.ok(found.length > 5);
    for (const piece of found) assert.match(piece, element);
  }
});

Deno.test("parse() finds the top-level keys of YAML", async () => {
  const text = `# comment
name: CI # trailing
"quoted key": 1
on:
  push: { branches: [main] }
# about jobs
jobs:
- step
- key: value
script: |
  not: a key
  # text
http://x: odd
---
second: true
`;
  assert.deepEqual(await outline("a.yml", text), [
    "+key name",
    "+key quoted key",
    "+key on",
    "+key jobs",
    "+key script",
    "+key http://x",
    "+key second",
  ]);
  assert.deepEqual((await partsOf("a.yaml", text, "script")).lines, [10, 12]);
});

Deno.test("parse() finds the tables and first keys of TOML", async () => {
  const text = `title = "x"
list = [
  1, # ]
  [2],
]
a."b c".d = 1

# about it
[package]
name = "y"
text = """
[not.a.table]
"""
[[bin]]
path = 'z'
[target.'cfg(unix)'.dependencies]
`;
  assert.deepEqual(await outline("a.toml", text), [
    "+key title",
    "+key list",
    "+key a.b c.d",
    "+key package",
    "+key bin",
    "+key target.cfg(unix).dependencies",
  ]);
  assert.deepEqual((await partsOf("a.toml", text, "list")).lines, [2, 5]);
});

Deno.test("parse() keeps the comment above a key with it", async () => {
  const table = (n: number) =>
    `# about table ${n}\n[table${n}]\nkey = "${"value ".repeat(10)}"\n\n`;
  const text = Array.from({ length: 6 }, (_, n) => table(n)).join("");
  for (const piece of await pieces("a.toml", text, 50)) assert.match(piece, /^# about table/);
});

Deno.test("parse() reports bad and torn lines of JSONL and keeps them", async () => {
  const text = '{"a":1}\n\n{"b":\n[2]\nnot json\n{"c": "tor';
  const { problems, chunks } = await parse("trail.jsonl", text);
  assert.deepEqual(problems.map(({ line, reason }) => [line, reason]), [
    [3, 'read line 3 of "trail.jsonl": not a JSON value'],
    [5, 'read line 5 of "trail.jsonl": not a JSON value'],
    [6, 'read last line of "trail.jsonl": torn, it ends inside a JSON value'],
  ]);
  assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
});

Deno.test("parse() reports a JSONL file full of bad lines briefly", async () => {
  const { problems } = await parse("a.ndjson", "bad\n".repeat(1000));
  assert.equal(problems.length, 21);
  assert.match(problems.at(-1)!.reason, /1000 lines/);
});

Deno.test("parse() cuts JSONL between lines", async () => {
  const text = Array.from({ length: 50 }, (_, n) => JSON.stringify({ n, text: "some words" })).join(
    "\n",
  );
  for (const piece of await pieces("a.jsonl", text, 60)) assert.match(piece, /^(\{.*\}\n?)+$/);
});
