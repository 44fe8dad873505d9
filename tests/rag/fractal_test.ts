/** Cycles folded from events: bounded, indifferent to unknown events, the same for every way of arriving. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  fold,
  isAboutPast,
  NO_DIGEST,
  summaryOf,
  textsOf,
  type TrailEvent,
} from "../../rag/fractal.ts";

const TYPES = [
  "CYCLE_STARTED",
  "RETRIEVAL_ACTION",
  "LLM_CALL",
  "FACET",
  "ANSWER",
  "COMMAND",
  "CYCLE_FAILED",
  "CYCLE_INTERRUPTED",
  "STATE_TRANSITION",
  "REFUSAL",
  "UNDELIVERED",
  "SOMETHING_NEW",
];
const anyEvent: fc.Arbitrary<TrailEvent> = fc.record({
  cycle_id: fc.constant("c"),
  active_persona: fc.constantFrom("BRICK", "BABS", "constructor"),
  timestamp: fc.constant("2026-11-20T12:00:00Z"),
  event_type: fc.constantFrom(...TYPES),
  event_data: fc.dictionary(
    fc.constantFrom(
      "question",
      "action",
      "arguments",
      "citations",
      "missing",
      "answer",
      "reason",
      "found",
      "tokens",
      "command",
      "facet",
    ),
    fc.jsonValue(),
  ),
  status: fc.constantFrom("SUCCESS", "FAILURE", "IN_PROGRESS"),
});

Deno.test("whatever the data of an event, it is folded without an error, and counted", () => {
  fc.assert(fc.property(fc.array(anyEvent), (events) => {
    const digest = events.reduce(fold, NO_DIGEST);
    assert.equal(digest.events, events.length);
    // As it is stored and taken up again.
    assert.deepEqual(JSON.parse(JSON.stringify(digest)), digest);
    assert.equal(typeof summaryOf(digest, "now"), "string");
    assert.equal(typeof textsOf(digest).rest, "string");
  }));
});

Deno.test("a refusal says why, where and from whom, is found by its words, and is no failure of a question", () => {
  const digest = fold(NO_DIGEST, {
    cycle_id: "c",
    active_persona: "BABS",
    timestamp: "2026-11-20T12:00:00Z",
    event_type: "REFUSAL",
    event_data: {
      door: "endpoint",
      reason: "replayed",
      detail: "this message came before",
      peer: "mallory",
      address: "127.0.0.1:5",
      count: 12,
    },
    status: "FAILURE",
  });
  assert.deepEqual([digest.kind, digest.outcome, digest.failures], ["refusal", "refused", []]);
  assert.equal(
    textsOf(digest).subject,
    "replayed at endpoint: this message came before; from mallory at 127.0.0.1:5; 12 times",
  );
  assert.match(summaryOf(digest, "now"), /^refusal: replayed at endpoint.*\nnow: refused$/);
});

Deno.test("a cycle of many and long events stays small", () => {
  const long = "word ".repeat(100_000);
  let digest = NO_DIGEST;
  for (let step = 0; step < 2_000; step++) {
    digest = fold(digest, {
      cycle_id: "c",
      active_persona: "BABS",
      timestamp: "2026-11-20T12:00:00Z",
      event_type: "RETRIEVAL_ACTION",
      event_data: { action: "search", arguments: { query: `${step} ${long}` }, observation: long },
      status: "FAILURE",
    });
  }
  assert.equal(digest.stepCount, 2_000);
  assert.ok(JSON.stringify(digest).length < 40_000);
});

Deno.test("a cycle is about the past when all that it did was to ask the trail", () => {
  const step = (action: string): TrailEvent => ({
    cycle_id: "c",
    active_persona: "BABS",
    timestamp: "2026-11-20T12:00:00Z",
    event_type: "RETRIEVAL_ACTION",
    event_data: { action },
    status: "SUCCESS",
  });
  assert.equal(isAboutPast(NO_DIGEST), false);
  assert.equal(isAboutPast(fold(NO_DIGEST, step("audit"))), true);
  assert.equal(isAboutPast([step("audit"), step("search")].reduce(fold, NO_DIGEST)), false);
});

Deno.test("facets are counted by persona, whatever their names, and no more of them than a digest has room for", () => {
  const used = (active_persona: string, facet: unknown): TrailEvent => ({
    cycle_id: "c",
    active_persona,
    timestamp: "2026-11-20T12:00:00Z",
    event_type: "FACET",
    event_data: { facet },
    status: "SUCCESS",
  });
  const digest = [
    used("BABS", "ground"),
    used("BABS", "ground"),
    used("BRICK", "decompose"),
    used("ALFRED", "toString"),
    used("ALFRED", 7),
    used("ALFRED", ""),
  ].reduce(fold, NO_DIGEST);
  assert.deepEqual(digest.facets, {
    "BABS ground": 2,
    "BRICK decompose": 1,
    "ALFRED toString": 1,
  });
  const many = Array.from({ length: 1_000 }, (_, at) => used("BABS", `f${at}`));
  assert.ok(Object.keys(many.reduce(fold, NO_DIGEST).facets).length <= 64);
});
