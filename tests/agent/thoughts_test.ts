/** What a model thinks aloud is no part of its text, whole or in pieces. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ThoughtFilter, withoutThoughts } from "../../agent/thoughts.ts";

Deno.test("thoughts are taken out, those that do not end with all that follows", () => {
  assert.equal(withoutThoughts("<think>hm\nhm</think>\nIt is so."), "\nIt is so.");
  assert.equal(withoutThoughts("a<think>b</think>c<think>d"), "ac");
  assert.equal(withoutThoughts("1 <thin 2 </think> 3 <"), "1 <thin 2 </think> 3 <");
  assert.equal(withoutThoughts("<think><think>a</think>b"), "b");
});

Deno.test("a text in pieces loses what the same text loses in one", () => {
  const mark = fc.constantFrom("<think>", "</think>", "<", "think>", "</th", "text", " ");
  fc.assert(fc.property(fc.array(mark), fc.array(fc.integer({ min: 1, max: 5 })), (marks, cuts) => {
    const text = marks.join("");
    const filter = new ThoughtFilter();
    let seen = "";
    for (let at = 0, cut = 0; at < text.length; cut++) {
      seen += filter.push(text.slice(at, at += cuts[cut] ?? 7));
    }
    seen += filter.end();
    assert.equal(seen, withoutThoughts(text));
    assert.equal(seen, text.replace(/<think>[^]*?(<\/think>|$)/g, ""));
  }));
});
