/** Which questions are about earlier ones, what they ask for, and which only sound like it. */
import assert from "node:assert/strict";
import { parsePast } from "../../agent/past_question.ts";

const NOW = new Date(2026, 10, 25, 12).getTime();
const parse = (text: string) => parsePast(text, NOW);

Deno.test("questions about earlier questions are understood", () => {
  const all: [text: string, query: string, only: string, time: string][] = [
    [
      "what did I ask about the parser last week and what was missing?",
      "parser",
      "questions",
      "last week",
    ],
    ["which questions failed last week", "", "failed", "last week"],
    ["which of my questions found nothing?", "", "failed", ""],
    ["have I asked about the lock file before?", "lock file", "questions", ""],
    ["why did you answer that", "", "questions", ""],
    ["what was my last question", "", "questions", ""],
    ["what did retrieval miss in the past 3 days", "", "questions", "the past 3 days"],
    ["what did you say about retries yesterday", "retries", "questions", "yesterday"],
    ["what have I searched for today", "", "commands", "today"],
    ["show my recent questions on the tokenizer", "tokenizer", "questions", ""],
    ["questions from monday about vectors", "vectors", "questions", "monday"],
    ["what was refused at the endpoint today?", "endpoint", "refused", "today"],
    ["who was turned away by the kernel?", "", "refused", ""],
    ["how many messages have been rejected since yesterday", "", "refused", "since yesterday"],
  ];
  for (const [text, query, only, time] of all) {
    const past = parse(text);
    assert.ok(past, text);
    assert.deepEqual([past.query, past.only, past.time], [query, only, time], text);
  }
});

Deno.test("questions about code stay questions about code", () => {
  for (
    const text of [
      "how does the search rank its answers?",
      "where are questions parsed",
      "what changed in the parser last week?",
      "when did we add the tokenizer",
      "how is the audit trail rotated",
      "which commands are there",
      "who calls answerQuestion",
      "why is the query cache cleared",
      "what is missing in the Windows build",
      "which searches does the index support",
      "what is refused by the endpoint",
      "why was the signature refused in this test",
      "which symlinks are rejected by the walk",
      "what was rejected by the validator",
    ]
  ) assert.equal(parse(text), undefined, text);
});

Deno.test("times go to the action as words, so that every step means the same", () => {
  assert.deepEqual([
    parse("what did I ask yesterday")!.since,
    parse("what did I ask yesterday")!.until,
  ], [
    "yesterday",
    "yesterday",
  ]);
  const open = parse("what did I ask since monday")!;
  assert.deepEqual([open.since, open.until, open.time], ["monday", undefined, "since monday"]);
  assert.deepEqual(parse("what did I ask 2 days ago")!.until, undefined);
});

Deno.test("the last one, and how an answer came to be, are told apart", () => {
  assert.equal(parse("what was your last answer")!.last, true);
  assert.deepEqual([
    parse("why did you answer that")!.last,
    parse("why did you answer that")!.steps,
  ], [true, true]);
  assert.equal(parse("what did I ask about locks")!.last, false);
});
