/** The token governor: budgets hold for any text and any counter, and nothing disappears unseen. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  assemblePrompt_withBudget,
  cutLines,
  fenceFor,
  Governor,
  type Part,
  type TokenCounter,
} from "../../agent/governor.ts";
import { countTokens } from "../../ingest/mod.ts";

const counters: Record<string, TokenCounter> = {
  estimate: countTokens,
  characters: (text) => text.length,
  words: (text) => text.split(/\s+/).length,
  // Costs a token more wherever two parts meet than the parts cost alone.
  joints: (text) => Math.ceil(text.length / 4) + text.split("\n\n").length,
};

const text = fc.array(fc.oneof(fc.string({ maxLength: 60 }), fc.constant("```"), fc.constant("")), {
  maxLength: 30,
})
  .map((lines) => lines.join("\n"));
const parts = (prefix: string) =>
  fc.array(text, { maxLength: 8 }).map((texts) =>
    texts.map((text, index): Part => ({ label: `${prefix}${index}`, text }))
  );

Deno.test("assemblePrompt_withBudget() never goes over its budget and accounts for every part once", () => {
  fc.assert(fc.property(
    parts("s"),
    parts("c"),
    fc.integer({ min: 1, max: 800 }),
    fc.constantFrom(...Object.keys(counters)),
    (summaries, chunks, budget, counter) => {
      const count = counters[counter]!;
      const prompt = assemblePrompt_withBudget(summaries, chunks, budget, count);
      if (prompt.text) assert.ok(count(prompt.text) <= budget, `${count(prompt.text)} > ${budget}`);
      assert.equal(prompt.tokens, prompt.text ? count(prompt.text) : 0);
      const offered = [...summaries, ...chunks].map((part) => part.label);
      const named = [...prompt.included, ...prompt.leftOut].map((entry) => entry.label);
      assert.deepEqual([...named].sort(), [...offered].sort());
      // Both lists keep the order in which the parts were offered.
      for (const list of [prompt.included, prompt.leftOut]) {
        const order = list.map((entry) => offered.indexOf(entry.label));
        assert.deepEqual(order, [...order].sort((one, other) => one - other));
      }
    },
  ));
});

Deno.test("assemblePrompt_withBudget() puts each included part in whole or says how many lines are missing", () => {
  fc.assert(
    fc.property(
      parts("s"),
      parts("c"),
      fc.integer({ min: 1, max: 800 }),
      (summaries, chunks, budget) => {
        const prompt = assemblePrompt_withBudget(summaries, chunks, budget, counters.characters!);
        for (const entry of prompt.included) {
          const part = [...summaries, ...chunks].find((one) => one.label === entry.label)!;
          const lines = part.text.replace(/\n$/, "").split("\n");
          const kept = lines.slice(0, lines.length - (entry.cut ?? 0)).join("\n");
          const shown = entry.cut
            ? `${kept}\n… ${entry.cut} more line${entry.cut === 1 ? "" : "s"}`
            : kept;
          const fence = fenceFor(entry.cut ? shown : part.text);
          assert.ok(prompt.text.includes(`${part.label}\n${fence}\n${shown}\n${fence}\n`));
        }
      },
    ),
  );
});

Deno.test("assemblePrompt_withBudget() gives summaries a quarter at most while chunks wait", () => {
  const long = Array.from({ length: 50 }, (_, index) => `line ${index} of the summary`).join("\n");
  const summaries = [{ label: "summary", text: long }];
  const chunks = [{ label: "chunk", text: "const answer = 42;" }];
  const prompt = assemblePrompt_withBudget(summaries, chunks, 400, counters.characters!);
  assert.deepEqual(prompt.included.map((entry) => entry.label), ["summary", "chunk"]);
  assert.ok(prompt.included[0]!.cut! > 0);
  assert.match(prompt.text, /… \d+ more lines/);
});

Deno.test("fenceFor() cannot be closed by the text inside", () => {
  fc.assert(fc.property(text, (inside) => {
    assert.ok(!inside.includes(fenceFor(inside)));
  }));
});

Deno.test("cutLines() keeps the longest beginning that fits", () => {
  const fits = (text: string) => text.length <= 24;
  assert.deepEqual(cutLines("one\ntwo\nthree\nfour\nfive\nsix\nseven", fits), {
    text: "one\ntwo\n… 5 more lines",
    cut: 5,
  });
  assert.equal(cutLines("a line that is far too long\nb", fits), undefined);
});

Deno.test("Governor.fitAnswer() keeps any answer within its tokens and says what is missing", () => {
  fc.assert(fc.property(text, fc.integer({ min: 40, max: 400 }), (answer, answerTokens) => {
    const governor = new Governor({ answerTokens }, counters.characters!);
    const fitted = governor.fitAnswer(answer);
    assert.ok(fitted.length <= answerTokens);
    if (fitted !== answer) assert.match(fitted, /… \d+ more (lines?|characters)$/);
  }));
});

Deno.test("Governor refuses a budget that is not above 0, and names it", () => {
  assert.throws(
    () => new Governor({ steps: 0 }, countTokens),
    /^RangeError: budget steps: "0" is not a number above 0$/,
  );
  assert.throws(() => new Governor({ ms: Number.NaN }, countTokens), /budget ms/);
});
