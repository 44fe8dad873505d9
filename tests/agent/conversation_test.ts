/** Follow-ups: what a question means that goes on with an earlier one. */
import assert from "node:assert/strict";
import { meaningOf, type Turn, withEarlier } from "../../agent/conversation.ts";
import type { OutlineEntry } from "../../rag/mod.ts";

const turn = (question: string): Turn => ({
  question,
  answer: "It grows.",
  places: ["src/retry.ts:1-9"],
  cycle_id: "1",
});

Deno.test("meaningOf() puts the earlier subject in place of what points back", () => {
  const earlier = [turn("How does `retryDelay` grow?")];
  assert.equal(meaningOf("and who calls it?", earlier), "who calls retryDelay?");
  assert.equal(meaningOf("where is that tested?", earlier), "where is retryDelay tested?");
  assert.equal(meaningOf("why?", earlier), "why (retryDelay)?");
});

Deno.test("meaningOf() finds the subject further back when the last question only pointed back", () => {
  const earlier = [turn("How does `retryDelay` grow?"), turn("who calls it?")];
  assert.equal(meaningOf("and where is it tested?", earlier), "where is retryDelay tested?");
});

Deno.test("meaningOf() takes content words where no name was asked about", () => {
  assert.equal(
    meaningOf("what calls it?", [turn("how are parcels routed?")]),
    "what calls parcels routed?",
  );
});

Deno.test("meaningOf() takes for the subject of a question in words what its answer led with", () => {
  const earlier = [{
    ...turn("how does a request reach its handler?"),
    places: ["docs/guide.md:1-4", "src/app.ts:1-90", "src/app.ts:50-60"],
  }];
  const entry = { path: "src/app.ts", container: [], signature: "", doc: "", exported: true };
  const definitions: Record<string, OutlineEntry> = {
    "docs/guide.md:1-4": { ...entry, name: "Guide", kind: "section", startLine: 1, endLine: 4 },
    "src/app.ts:1-90": { ...entry, name: "App", kind: "class", startLine: 1, endLine: 90 },
  };
  const at = (place: string) => definitions[place];
  assert.equal(meaningOf("who calls it?", earlier, at), "who calls App?");
  assert.equal(meaningOf("where is it defined?", earlier, at), "where is App defined?");
  assert.equal(
    meaningOf("and where is it tested?", earlier, at),
    "where is App tested (request reach handler)?",
  );
  assert.equal(meaningOf("how does it fail?", earlier, at), "how does request reach handler fail?");
  assert.equal(meaningOf("why?", earlier, at), "why (request reach handler)?");
  // What was cited then may be gone.
  assert.equal(meaningOf("who calls it?", earlier), "who calls request reach handler?");
});

Deno.test("meaningOf() marks a plain word that is a name", () => {
  const earlier = [turn("what does the `run` method do?")];
  assert.equal(meaningOf("who calls it?", earlier), "who calls `run`?");
});

Deno.test("meaningOf() leaves a question alone that says what it is about", () => {
  const earlier = [turn("How does `retryDelay` grow?")];
  for (
    const question of [
      "Where is Tracker.locate defined?",
      "How does the parser read a template literal?",
      "How does caching work?",
      "Where is the configuration?",
      "What happens on a timeout?",
    ]
  ) assert.equal(meaningOf(question, earlier), question);
  assert.equal(meaningOf("who calls it?", []), "who calls it?");
  // A sentence may be whole and yet say nothing by itself.
  assert.equal(meaningOf("where are the tests?", earlier), "where are the tests (retryDelay)?");
  assert.equal(meaningOf("and how is caching done?", earlier), "how is caching done (retryDelay)?");
});

Deno.test("withEarlier() puts the question first and the oldest turn last, where a limit cuts", () => {
  const text = withEarlier("and now?", [turn("first?"), turn("second?")]);
  assert.ok(text.startsWith("and now?\n"));
  assert.ok(text.indexOf("second?") < text.indexOf("first?"));
  assert.match(text, /read for it: src\/retry\.ts:1-9/);
  assert.equal(withEarlier("alone?", []), "alone?");
});
