/** The benchmarks of models, small. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { benchAsk } from "../../bench/ask.ts";
import { benchModels } from "../../bench/models.ts";
import { openLlamaModel } from "../../agent/models/llama.ts";
import { tinyModel } from "../support/tiny_gguf.ts";

Deno.test("benchModels() asks the raw driver for what the loop asked, and counts how runs end", async () => {
  const said: string[] = [];
  const result = await benchModels({
    parts: ["overhead", "runs"],
    rounds: 1,
    runs: 2,
    shape: { width: 16, layers: 1, heads: 2, context: 16_384 },
    log: (text) => said.push(text),
  }) as Record<string, Record<string, number>>;
  const { overhead, runs } = result;
  assert.ok(overhead!.tokens! > 0 && overhead!.outside_of_calls! > 0);
  assert.equal(runs!.runs, 2);
  assert.equal(runs!.ended_with_a_text, 2);
  assert.equal(runs!.citations_shown_that_do_not_resolve, 0);
  assert.equal(runs!.over_a_budget, 0);
  assert.equal(result.delay, undefined);
  assert.deepEqual(said, ["overhead: round 1 of 1"]);
});

Deno.test("benchAsk() asks a model where one is given, and says which", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos-bench-ask-" });
  try {
    Deno.mkdirSync(join(folder, "checkouts/tiny"), { recursive: true });
    Deno.mkdirSync(join(folder, "annotations"));
    Deno.writeTextFileSync(
      join(folder, "checkouts/tiny/retry.ts"),
      "/** Repeats a failed request. */\nexport function retry(request: () => void) {\n  request();\n}\n",
    );
    Deno.writeTextFileSync(
      join(folder, "annotations/tiny.json"),
      JSON.stringify({
        repo: "tiny",
        benchmark_root: null,
        queries: [{
          query: "repeat a failed request",
          category: "semantic",
          relevant: [{ path: "retry.ts" }],
        }],
      }),
    );
    Deno.writeFileSync(
      join(folder, "tiny.gguf"),
      tinyModel({ context: 16_384, layers: 1, width: 16, heads: 2 }),
    );
    await using model = await openLlamaModel(join(folder, "tiny.gguf"), { gpu: false, threads: 1 });
    const result = await benchAsk(join(folder, "annotations"), join(folder, "checkouts"), {
      model,
      budget: { steps: 2, answerTokens: 300 },
    }) as { driver: string; all: Record<string, number> };
    assert.equal(result.driver, "llama:tiny.gguf");
    assert.equal(result.all.questions, 1);
    assert.equal(result.all.unresolved_citations, 0);
    assert.ok(result.all.model_tokens! > 0);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
