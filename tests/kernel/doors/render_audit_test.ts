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
