/** A large tree is parsed by two threads, and nobody can tell. */
import assert from "node:assert/strict";
import { nonWhitespace, parse } from "../../ingest/mod.ts";
import { SharedParsing } from "../../rag/shared_parsing.ts";

/** Files of some ten thousand characters, each with names of its own. */
function files(count: number, name: (at: number) => string, line: (at: number) => string) {
  return Array.from({ length: count }, (_, at) => ({
    path: name(at),
    text: Array.from({ length: 250 }, (_, row) => line(at * 1_000 + row)).join(""),
  }));
}

const PYTHON = files(
  60,
  (at) => `pkg/part_${at}.py`,
  (at) => `def function_${at}(value):\n    return value + ${at}\n\n`,
);
const TYPESCRIPT = files(
  60,
  (at) => `src/part${at}.ts`,
  (at) => `export function f${at}(value: number) { return value + ${at}; }\n`,
);

Deno.test("what two threads parse is what one parses, problems and all", async () => {
  using shared = new SharedParsing();
  const all = [...PYTHON, { path: "bad.py", text: "def (:\n  \ud800x\n" }];
  const found = await Promise.all(all.map(({ path, text }) => shared.parse(path, text)));
  assert.equal(shared.isShared, true);
  const alone = await Promise.all(all.map(({ path, text }) => parse(path, text)));
  assert.deepEqual(found, alone);
});

Deno.test("a small tree, and one that the compiler reads, start no thread", async () => {
  using shared = new SharedParsing();
  for (const { path, text } of [...PYTHON.slice(0, 5), ...TYPESCRIPT]) {
    await shared.parse(path, text);
  }
  assert.equal(shared.isShared, false);
});

Deno.test("disposing ends the thread, and fails what it was still to parse", async () => {
  const shared = new SharedParsing();
  const under = PYTHON.map(({ path, text }) => shared.parse(path, text));
  shared[Symbol.dispose]();
  const results = await Promise.allSettled(under);
  const failed = results.filter(({ status }) => status === "rejected");
  assert.ok(failed.length > 0 && failed.length < PYTHON.length);
});

Deno.test("a measure that cannot be sent is refused there", async () => {
  using shared = new SharedParsing();
  const options = { measure: nonWhitespace };
  const results = await Promise.allSettled(
    PYTHON.map(({ path, text }) => shared.parse(path, text, options)),
  );
  const refused = results.filter((one) => one.status === "rejected");
  assert.ok(refused.length > 0);
  assert.ok(refused.every(({ reason }) => reason instanceof TypeError));
});
