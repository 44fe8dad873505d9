/** Differences of texts, checked by applying them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { lineDiff } from "../../../kernel/agents/line_diff.ts";

/** The text that a diff makes of another, as `patch` would. */
function apply(before: string, diff: string): string {
  const lines = before.split("\n");
  const [, , head = "", ...body] = diff.split("\n");
  const [, first, count, , newCount] = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(head)!;
  const from = Number(count) === 0 ? Number(first) : Number(first) - 1;
  const old = body.filter((line) => /^[ -]/.test(line)).map((line) => line.slice(1));
  const now = body.filter((line) => /^[ +]/.test(line)).map((line) => line.slice(1));
  assert.deepEqual(lines.slice(from, from + Number(count)), old);
  assert.equal(now.length, Number(newCount));
  return [...lines.slice(0, from), ...now, ...lines.slice(from + Number(count))].join("\n");
}

Deno.test("a diff leads from one text to the other", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", ""), { minLength: 1, maxLength: 12 })
    .map((lines) => lines.join("\n") + "\n");
  fc.assert(fc.property(text, text, (before, after) => {
    const diff = lineDiff("f", before, after);
    assert.equal(diff === "" ? before : apply(before, diff), after);
  }));
});

Deno.test("new and deleted files, and a missing line end, are said", () => {
  assert.equal(lineDiff("f", undefined, "a\n"), "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a");
  assert.equal(lineDiff("f", "a\n", undefined), "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a");
  assert.match(lineDiff("f", "a", "a\n"), /-a\n\\ No newline at end of file\n\+a$/);
  assert.equal(lineDiff("f", "a", "a"), "");
});
