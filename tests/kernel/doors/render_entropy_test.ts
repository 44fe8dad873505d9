/** What the metric looks like in a terminal of 80 columns. */
import assert from "node:assert/strict";
import type { Result } from "../../../kernel/commands.ts";
import { type Look, render } from "../../../kernel/doors/render.ts";
import { colours, textWidth } from "../../../kernel/doors/terminal.ts";
import { DEFAULT_ENTROPY } from "../../../kernel/audit/entropy_settings.ts";

const look: Look = { colours: colours(false, () => undefined), columns: 80, full: false };

const point = {
  cycles: 50,
  since: "2026-11-20T12:00:00.000Z",
  until: "2026-11-21T12:00:00.000Z",
  cog: 0.5,
  sol: 0.5,
  struc: 0,
};

const REPORT: Result<"cem"> = {
  value: 0.2,
  state: "below",
  parts: [{
    name: "cog",
    value: 0.5,
    weight: 0.4,
    means: "how evenly the facets of the personas were used",
    said: "BABS ground 50, ALFRED check 50; never: BRICK decompose, ROBIN weave",
  }, {
    name: "sol",
    value: null,
    weight: 0.4,
    means: "how far new answers lie from the nearest earlier one",
    said: "cannot open \x1b[31mmodel\x1b[0m " + "x".repeat(90),
  }],
  window: { cycles: 50, since: point.since, until: point.until, before: 1_000 },
  questions: 1_050,
  missing: 0,
  facets: [{ facet: "BABS ground", uses: 50 }],
  answers: null,
  growth: null,
  trend: [{ ...point, value: null }, { ...point, value: 0 }, { ...point, value: 1 }],
  said: [
    'Below the band: the last 50 questions used one facet only, BABS ground. Questions with several parts ("…? And …?") put the others to work.',
  ],
  settings: DEFAULT_ENTROPY,
  problems: ["the settings cannot be used"],
};

Deno.test("value, band, parts and trend fit 80 columns; a state is a word, and nothing of a file reaches the terminal raw", () => {
  const text = render("cem", REPORT, look);
  const lines = text.trimEnd().split("\n");
  assert.equal(lines[0], "CEM 0.20  below its band  band 0.25 to 0.75");
  assert.match(lines[1]!, /^0 ┈{10}●┈━+┈+ 1$/);
  for (const line of lines) {
    if (!line.includes("xxxx")) assert.ok(textWidth(line) <= 80, line);
  }
  assert.ok(!text.includes("\x1b"), text);
  assert.match(text, /^H_sol {3}– {2}× 0\.40/m);
  assert.match(text, /windows, oldest first: ·▁█ {2}– 0\.00 1\.00$/m);
  assert.match(text, /50 questions, .* beside 1000 before them/);
  assert.match(text, /the settings cannot be used\n$/);
});

Deno.test("without a number there is no scale and no part, only what is missing", () => {
  const text = render("cem", {
    ...REPORT,
    value: null,
    state: "unknown",
    window: null,
    said: ["No number yet."],
    problems: [],
  }, look);
  assert.equal(text, "CEM –  not known  band 0.25 to 0.75\nNo number yet.\n");
});

Deno.test("a change of settings shows the transaction and what changed", () => {
  const changed = render("cem_set", {
    tid: 12,
    changes: [{ oid: "1030", name: "cem", slot: "band_low", change: "changed", value: 0.3 }],
    settings: { ...DEFAULT_ENTROPY, band_low: 0.3 },
  }, look);
  assert.match(changed, /^transaction 12\n/);
  assert.match(changed, /^band_low {6}0\.3 {2}changed$/m);
  assert.match(
    render("cem_set", { tid: null, changes: [], settings: DEFAULT_ENTROPY }, look),
    /^as it was\n/,
  );
});
