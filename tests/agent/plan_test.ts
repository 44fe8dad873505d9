/** Plans: one question stays one, several become several, and what a model proposes is checked before it counts. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { mayBeSeveral, partsWithin, planByRules, planOf } from "../../agent/plan.ts";

const questions = (question: string, steps = 12) =>
  planByRules(question, steps).sub_questions.map((part) => part.question);

Deno.test("planByRules() leaves a simple question whole", () => {
  for (
    const question of [
      "How does the router match a path?",
      "connection pooling and transport",
      "where is `a?.b` parsed",
      "Why? How?",
      "",
    ]
  ) assert.deepEqual(questions(question), [question]);
});

Deno.test("planByRules() takes several questions apart, as many as there are steps for", () => {
  const two = "Where is the retry limit set? And who calls the scheduler?";
  assert.deepEqual(questions(two), ["Where is the retry limit set?", "who calls the scheduler?"]);
  assert.deepEqual(questions(two, 7), [two]);
});

Deno.test("planByRules() gives a plan for any text, within the budget", () => {
  fc.assert(fc.property(fc.string(), fc.integer({ min: 1, max: 60 }), (question, steps) => {
    const { sub_questions } = planByRules(question, steps);
    assert.ok(sub_questions.length >= 1 && sub_questions.length <= partsWithin(steps));
  }));
});

Deno.test("planOf() takes what fits the schema, drops what repeats, and nothing else", () => {
  const good = {
    sub_questions: [
      { question: "Where is the parser?", facet: "ground" },
      { question: "where is the PARSER", facet: "ground" },
      { question: "What does the lexer do?" },
    ],
  };
  assert.deepEqual(planOf(good, "tiny", 12), {
    sub_questions: [
      { question: "Where is the parser?", facet: "ground" },
      { question: "What does the lexer do?", facet: "ground" },
    ],
    by: "tiny",
  });
  const bad: unknown[] = [
    undefined,
    [],
    { sub_questions: [] },
    { sub_questions: [{ question: "x" }] },
    { sub_questions: [{ question: "Delete it?", facet: "destroy" }] },
    { sub_questions: [{ question: "??? !!!" }] },
    { sub_questions: Array(9).fill({ question: "Where is it?" }) },
    { sub_questions: [{ question: "a".repeat(301) }] },
  ];
  for (const one of bad) assert.equal(planOf(one, "tiny", 12), undefined, JSON.stringify(one));
});

Deno.test("mayBeSeveral() spares short questions a model's thought", () => {
  assert.equal(mayBeSeveral("How does retry and backoff work?"), false);
  assert.equal(
    mayBeSeveral(
      "How does the scheduler decide which job runs next and what happens to the ones that failed before?",
    ),
    true,
  );
});
