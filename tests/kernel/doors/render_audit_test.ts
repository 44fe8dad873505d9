/** What events of the trail look like in a terminal of 80 columns. */
import assert from "node:assert/strict";
import { type Look, render } from "../../../kernel/doors/render.ts";
import { colours, textWidth } from "../../../kernel/doors/terminal.ts";

const look: Look = { colours: colours(false, () => undefined), columns: 80, full: false };

const refusal = (data: Record<string, unknown>) => ({
  event_id: crypto.randomUUID(),
  cycle_id: "6c2f5f0e-6c1a-4e0e-9d3c-0f2a1b3c4d5e",
  timestamp: "2026-11-20T12:00:00Z",
  psm_state: "IDLE",
  active_persona: "ALFRED",
  event_type: "REFUSAL",
  event_data: { door: "endpoint", reason: "replayed", detail: "this message came before", ...data },
  status: "FAILURE" as const,
  sequence: 1,
  previous: "0".repeat(64),
  hash: "0".repeat(64),
});

Deno.test("a refusal says why first, then from whom; many of them how many, from how many addresses", () => {
  const wide: Look = { ...look, columns: undefined };
  const one = render("audit", refusal({ count: 1, peer: "mallory", address: "127.0.0.1:5" }), wide)
    .trimEnd();
  assert.match(
    one,
    /!REFUSAL +replayed at endpoint: this message came before; from mallory at 127\.0\.0\.1:5$/,
  );
  const many = render("audit", refusal({ count: 99_996, peers: "3 addresses", peer: "m" }), wide)
    .trimEnd();
  assert.match(
    many,
    /replayed ×99996 at endpoint: this message came before; from 3 addresses$/,
  );
  const narrow = render("audit", refusal({ count: 1, detail: "x".repeat(300) }), look).trimEnd();
  assert.ok(textWidth(narrow) <= 80, narrow);
  assert.match(narrow, /replayed at endpoint: x+…$/);
});

Deno.test("drift: words first, then a row a measure that fits 80 columns", () => {
  const measure = {
    name: "latency_ms" as const,
    unit: "ms" as const,
    now: 1_900,
    before: 250,
    change: "more" as const,
    slow: "none" as const,
    course: Array.from({ length: 10 }, (_, at) => 200 + at),
  };
  const text = render("drift", {
    window: { cycles: 50, since: "2026-11-20T12:00:00Z", until: "2026-11-20T13:00:00Z" },
    baseline: { cycles: 450, alike: 440 },
    drivers: ["extractive"],
    missing: 0,
    measures: [measure, { ...measure, name: "failures", unit: "share", now: null, before: 0.125 }],
    said: ["Time to an answer: more than before (250 ms before, 1900 ms now)."],
  }, look);
  for (const line of text.split("\n")) assert.ok(textWidth(line) <= 80, line);
  assert.match(text, /^Time to an answer: more than before/);
  assert.match(text, /^latency {5}250 ms {4}1\.9 s {5}200 ms {2}201 ms/m);
  assert.match(text, /^failures {4}13 % {6}– /m);
  assert.match(text, /answered by extractive, beside 440 before them \(costs; 10 more/);
  const none = { window: null, baseline: null, drivers: [], missing: 10, measures: [] };
  assert.equal(render("drift", { ...none, said: ["Nothing yet."] }, look), "Nothing yet.\n");
});
