/** Which definitions of a file may answer. */
import assert from "node:assert/strict";
import { isHeading, isPassing, isWrapper } from "../../agent/candidates.ts";
import type { OutlineEntry } from "../../rag/mod.ts";

function entry(name: string, kind: OutlineEntry["kind"], lines: number, doc = ""): OutlineEntry {
  return {
    path: "src/a.java",
    name,
    kind,
    container: [],
    startLine: 10,
    endLine: 9 + lines,
    signature: name,
    doc,
    exported: true,
  };
}

Deno.test("isPassing() knows accessors and lines without a word, not what is long or explained", () => {
  for (
    const passing of [
      entry("getThreshold", "method", 3),
      entry("setThreshold", "method", 4, "Sets the threshold."),
      entry("is_ready", "function", 2, "Whether it is ready."),
      entry("close", "method", 3),
    ]
  ) assert.ok(isPassing(passing), passing.name);
  for (
    const telling of [
      entry("getThreshold", "method", 12),
      entry("close", "method", 3, "Gives the connection back."),
      entry("issue", "method", 3, "Reports an issue."),
      entry("Threshold", "class", 3),
    ]
  ) assert.ok(!isPassing(telling), telling.name);
});

Deno.test("a line that names a namespace is never an answer; a module with words of its own may be", () => {
  const heading = entry("Shop.Cookie", "module", 1);
  assert.ok(isHeading(heading) && isWrapper(heading, [heading]));
  const own = entry("Shop", "module", 40, "What a shop needs.");
  assert.ok(!isHeading(own) && !isWrapper(own, [own]));
});
