/** Follow-ups: what a question means that goes on with an earlier one, and what of a conversation is kept. */
import assert from "node:assert/strict";
import {
  CONVERSATION,
  CONVERSATION_OBJECTS,
  conversationIn,
  keepTurn,
  meaningOf,
  MOST_CONVERSATIONS,
  type Turn,
  withEarlier,
} from "../../agent/conversation.ts";
import { openMemoryImage } from "../../kernel/mod.ts";
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

Deno.test("a conversation is an object of the image, bounded, and begins anew without earlier turns", async () => {
  using image = await openMemoryImage();
  await image.defineObjects(CONVERSATION_OBJECTS);
  for (const name of [undefined, "retries", "name", "star*", '"']) {
    for (let n = 0; n < 12; n++) {
      const earlier = conversationIn(image, name);
      await image.transact((unit) => keepTurn(unit, image, name, earlier, turn(`question ${n}?`)));
    }
    const turns = conversationIn(image, name);
    assert.equal(turns.length, 8);
    assert.equal(turns.at(-1)!.question, "question 11?");
    await image.transact((unit) => keepTurn(unit, image, name, [], turn("new?")));
    assert.deepEqual(conversationIn(image, name).map(({ question }) => question), ["new?"]);
  }
  // Whatever else somebody writes there is not taken for turns, nor for a conversation.
  const [oid, all] = [image.named(CONVERSATION), image.named("conversations")];
  await image.transact((unit) => {
    unit.set(oid, "turns", [null, 1, { question: 2 }]);
    unit.set(all, '"retries"', "gone");
  });
  assert.deepEqual(conversationIn(image), []);
  assert.deepEqual(conversationIn(image, "retries"), []);
  await image.transact((unit) => keepTurn(unit, image, "retries", [], turn("again?")));
  assert.deepEqual(conversationIn(image, "retries").map(({ question }) => question), ["again?"]);
});

Deno.test("conversations with names are kept apart, those that were silent longest are forgotten", async () => {
  using image = await openMemoryImage();
  await image.defineObjects(CONVERSATION_OBJECTS);
  const say = (name: string | undefined, question: string) =>
    image.transact((unit) =>
      keepTurn(unit, image, name, conversationIn(image, name), turn(question))
    );
  await say(undefined, "at the command line?");
  for (let n = 0; n < MOST_CONVERSATIONS; n++) await say(`window ${n}`, `question of ${n}?`);
  await say("window 0", "and again?");
  await say("one more", "hello?");
  assert.deepEqual(conversationIn(image, "window 1"), []);
  assert.deepEqual(
    conversationIn(image, "window 0").map(({ question }) => question),
    ["question of 0?", "and again?"],
  );
  assert.equal(conversationIn(image, "window 2").length, 1);
  assert.equal(conversationIn(image, "one more").length, 1);
  assert.equal(conversationIn(image).length, 1);
});

Deno.test("two conversations that are begun at the same time are both kept", async () => {
  using image = await openMemoryImage();
  image.resolveConflicts(CONVERSATION, (_base, ours) => ours);
  await image.defineObjects(CONVERSATION_OBJECTS);
  using one = image.begin();
  using other = image.begin();
  keepTurn(one, image, "one", [], turn("first?"));
  keepTurn(other, image, "other", [], turn("second?"));
  await one.commit();
  await other.commit();
  assert.equal(conversationIn(image, "one")[0]!.question, "first?");
  assert.equal(conversationIn(image, "other")[0]!.question, "second?");
});
