/** Conversations as objects of the image: kept apart, bounded, gone on with, forgotten. */
import assert from "node:assert/strict";
import type { Turn } from "../../agent/conversation.ts";
import {
  CONVERSATION,
  CONVERSATION_OBJECTS,
  conversationIn,
  conversationsIn,
  forgetConversations,
  keepTurn,
  lastAtCommandLines,
  mergeConversations,
  MOST_CONVERSATIONS,
  MOST_TERMINALS,
} from "../../agent/kept_conversations.ts";
import { openCycles } from "../../agent/question_cycle.ts";
import { type Image, openMemoryImage } from "../../kernel/mod.ts";

let turns = 0;

const turn = (question: string): Turn => ({
  question,
  answer: "It grows.",
  places: ["src/retry.ts:1-9"],
  cycle_id: `cycle ${++turns}`,
});

async function say(image: Image, name: string | undefined, question: string): Promise<void> {
  await image.transact((unit) =>
    keepTurn(unit, image, name, conversationIn(image, name), turn(question))
  );
}

const questions = (turns: readonly Turn[]) => turns.map(({ question }) => question);

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
  image.resolveConflicts(CONVERSATION, mergeConversations);
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

Deno.test("those of terminals make room for each other, and for no conversation that was named", async () => {
  using image = await openMemoryImage();
  await image.defineObjects(CONVERSATION_OBJECTS);
  await say(image, "retries", "named?");
  for (let n = 0; n <= MOST_TERMINALS; n++) {
    await say(image, `terminal pts/${n} since then`, `${n}?`);
  }
  assert.deepEqual(conversationIn(image, "terminal pts/0 since then"), []);
  assert.equal(conversationIn(image, "terminal pts/1 since then").length, 1);
  for (let n = 0; n < MOST_CONVERSATIONS; n++) await say(image, `window ${n}`, `${n}?`);
  assert.deepEqual(conversationIn(image, "retries"), []);
  assert.equal(conversationIn(image, "terminal pts/1 since then").length, 1);
});

Deno.test("the last question of command lines is the last at any terminal or at none, and no window's", async () => {
  using image = await openMemoryImage();
  assert.deepEqual(lastAtCommandLines(image), []);
  await image.defineObjects(CONVERSATION_OBJECTS);
  assert.deepEqual(lastAtCommandLines(image), []);
  await say(image, "terminal pts/1 since then", "at the first?");
  await say(image, "window 1", "in a window?");
  assert.deepEqual(questions(lastAtCommandLines(image)), ["at the first?"]);
  await say(image, undefined, "at none?");
  assert.deepEqual(questions(lastAtCommandLines(image)), ["at none?"]);
  await say(image, "terminal pts/2 since then", "at the second?");
  await say(image, "terminal pts/1 since then", "at the first again?");
  assert.deepEqual(questions(lastAtCommandLines(image)), ["at the first?", "at the first again?"]);
});

Deno.test("conversations are listed with their questions, the latest first", async () => {
  using image = await openMemoryImage();
  assert.deepEqual(conversationsIn(image), []);
  await image.defineObjects(CONVERSATION_OBJECTS);
  assert.deepEqual(conversationsIn(image), []);
  const before = Date.now();
  await say(image, undefined, "first?");
  await say(image, "retries", "second?");
  await say(image, undefined, "third?");
  const list = conversationsIn(image);
  assert.deepEqual(list.map(({ name, questions }) => ({ name, questions })), [
    { name: "", questions: ["first?", "third?"] },
    { name: "retries", questions: ["second?"] },
  ]);
  for (const { time } of list) assert.ok(time.getTime() >= before && time.getTime() <= Date.now());
});

/** A question as `question_cycle.ts` leaves it: a cycle and a QueryMorph, committed together with the turn. */
async function ask(image: Image, name: string | undefined, question: string): Promise<void> {
  await image.transact((unit) => {
    unit.create({
      parent: image.named("cognitive_cycle"),
      slots: { cycle_id: `${++turns}`, mission_brief: { selector: question } },
    });
    unit.create({
      parent: image.named("query_morph"),
      slots: { initial_prompt: question, reasoning_log: [question], refined_query: question },
    });
    keepTurn(unit, image, name, conversationIn(image, name), turn(question));
  });
}

/** The objects of the present of an image that say something. */
function saying(image: Image, what: RegExp): number[] {
  using view = image.view();
  return view.oids(0, 10_000)
    .filter((oid) => view.has(oid) && what.test(JSON.stringify([...view.slots(oid)])));
}

Deno.test("what is forgotten is nowhere in the present, comes back by undo, and is gone for good with a pack", async () => {
  using image = await openMemoryImage();
  await openCycles(image);
  // More than are kept as turns: the earlier ones have left cycles too.
  for (let n = 0; n < 10; n++) await ask(image, "secret plans", `where is hidden${n}?`);
  await ask(image, undefined, "what stays?");
  await ask(image, "other", "what stays too?");
  const { conversations, tid, oids } = await forgetConversations(image, ["secret plans"]);
  assert.deepEqual(conversations, [{ name: "secret plans", questions: 8 }]);
  assert.ok(tid !== null && oids.length === 21, `${oids.length} objects`);
  assert.deepEqual(saying(image, /hidden|secret plans/), []);
  assert.deepEqual(conversationsIn(image).map(({ name }) => name), ["other", ""]);
  assert.equal(saying(image, /what stays/).length, 6);

  const undone = await image.undo(tid);
  assert.equal(conversationIn(image, "secret plans").length, 8);
  await image.undo(undone);
  const { objects } = await image.pack();
  assert.ok(objects >= 21, `${objects} objects were removed`);
  for (const oid of oids) assert.equal(image.history(oid).length, 0);
  assert.deepEqual(saying(image, /hidden|secret plans/), []);
  assert.deepEqual(await forgetConversations(image, ["secret plans"]), {
    conversations: [],
    tid: null,
    oids: [],
  });
});

Deno.test("the one without a name is emptied and stays; all are forgotten at once", async () => {
  using image = await openMemoryImage();
  await openCycles(image);
  await ask(image, undefined, "where is hidden?");
  assert.deepEqual((await forgetConversations(image, [""])).conversations, [
    { name: "", questions: 1 },
  ]);
  assert.deepEqual(saying(image, /hidden/), []);
  assert.equal((await forgetConversations(image, [""])).tid, null);
  for (const name of [undefined, "one", "two"]) await ask(image, name, "where is hidden?");
  assert.equal((await forgetConversations(image, undefined)).conversations.length, 3);
  assert.deepEqual(saying(image, /hidden/), []);
  assert.deepEqual(conversationsIn(image), []);
  await ask(image, "one", "anew?");
  assert.deepEqual(questions(conversationIn(image, "one")), ["anew?"]);
});

Deno.test("a question that is answered while its conversation is forgotten brings nothing of it back", async () => {
  for (const name of [undefined, "retries"]) {
    using image = await openMemoryImage();
    await openCycles(image);
    await ask(image, name, "where is hidden?");
    using unit = image.begin();
    const earlier = conversationIn(image, name);
    keepTurn(unit, image, name, earlier, turn("and now?"));
    await forgetConversations(image, [name ?? ""]);
    await unit.commit();
    assert.deepEqual(saying(image, /hidden/), []);
    assert.deepEqual(
      questions(conversationIn(image, name)),
      name === undefined ? ["and now?"] : [],
    );
  }
});

Deno.test("nothing of an object of somebody else's is taken away with a conversation", async () => {
  using image = await openMemoryImage();
  await openCycles(image);
  await ask(image, "retries", "where is it?");
  const kept = await image.transact((unit) => unit.create({ slots: { initial_prompt: "mine" } }));
  await forgetConversations(image, undefined);
  using view = image.view();
  assert.equal(view.get(kept, "initial_prompt"), "mine");
});
