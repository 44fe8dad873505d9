/** The loop: it ends, it is logged, and no proposal can make it do what is not in the table. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  answerQuestion,
  type Driver,
  ExtractiveDriver,
  type MorphState,
  parseStep,
  type StepEvent,
} from "../../agent/mod.ts";
import { SHOP, withRepository } from "../support/repository.ts";

/** Proposes what the list says, then nothing more; composes a fixed text. */
class ListDriver implements Driver {
  readonly name = "list";
  readonly seen: string[][] = [];
  #next = 0;
  constructor(readonly proposals: readonly unknown[], readonly text = "see src/order.ts:4-17") {}
  async propose(state: MorphState): Promise<unknown> {
    this.seen.push([...state.problems]);
    return this.proposals[this.#next++];
  }
  async compose(): Promise<string> {
    return this.text;
  }
}

const search = { thought: "look", action: "search", arguments: { query: "discount" } };
const answer = (text: string) => ({ thought: "done", action: "answer", arguments: { text } });

Deno.test("answerQuestion() goes from summaries to chunks to definitions and logs every step", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const events: StepEvent[] = [];
    const result = await answerQuestion(
      "how is a discount code applied to the total of an order?",
      memory,
      {
        root,
        onStep: (step) => events.push(step),
      },
    );
    assert.equal(result.driver, "extractive");
    assert.ok(result.found);
    assert.equal(result.steps.at(-1)!.action, "answer");
    assert.deepEqual(result.steps[0]!.arguments.level, "summaries");
    const actions = result.steps.map((step) => step.action);
    assert.ok(actions.indexOf("search") < actions.indexOf("descend"));
    assert.deepEqual(events.map((event) => event.step), result.steps.map((_, index) => index + 1));
    assert.deepEqual(events.map((event) => event.action), actions);
    for (const citation of result.citations) assert.equal(citation.status, "verified");
    assert.match(result.cycle_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });
});

Deno.test("answerQuestion() answers the same question with the same words every time", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const ask = () => answerQuestion("where is parseDiscount defined?", memory, { root });
    assert.equal((await ask()).answer, (await ask()).answer);
  });
});

Deno.test("a driver's invalid proposals are told to it, retried twice, then replaced by the policy's step", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const driver = new ListDriver([
      { action: "delete", arguments: { path: "/" } },
      "search",
      { ...search, arguments: { query: "x".repeat(5000) } },
      answer("see src/order.ts:4-17"),
    ]);
    const result = await answerQuestion("what is an order?", memory, { root, driver });
    assert.deepEqual(driver.seen.map((problems) => problems.length > 0), [
      false,
      true,
      true,
      false,
    ]);
    assert.equal(result.steps.length, 2);
    assert.match(result.steps[0]!.replaced!, /^list: arguments\.query: /);
    assert.equal(result.steps[0]!.action, "search");
    assert.deepEqual(result.citations, [{
      path: "src/order.ts",
      start_line: 4,
      end_line: 17,
      status: "verified",
    }]);
  });
});

Deno.test("a driver that throws is replaced, step by step, and the question is still answered", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const driver: Driver = {
      name: "down",
      propose: () => Promise.reject(new Error("connection refused")),
      compose: () => Promise.reject(new Error("connection refused")),
    };
    const result = await answerQuestion("where is Order defined?", memory, { root, driver });
    assert.ok(result.found);
    assert.ok(result.steps.every((step) => step.replaced === "down: connection refused"));
  });
});

Deno.test("the same action a second time ends the run with an answer from what there is", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const again = {
      thought: "again",
      action: "search",
      arguments: { k: 10, query: "discount", level: "chunks" },
    };
    const result = await answerQuestion("discounts", memory, {
      root,
      driver: new ListDriver([search, again, search]),
    });
    assert.equal(result.steps.length, 1);
    assert.equal(result.ended, "the action search was proposed again with the same arguments");
    assert.ok(result.found);
  });
});

Deno.test("budgets of steps and answer tokens hold, and the run says which one ended it", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const endless = Array.from(
      { length: 50 },
      (_, k) => ({ ...search, arguments: { query: `discount ${k}` } }),
    );
    const limited = await answerQuestion("discounts", memory, {
      root,
      driver: new ListDriver(endless),
      budget: { steps: 3 },
    });
    assert.equal(limited.steps.length, 3);
    assert.equal(limited.ended, "the budget of 3 steps is spent");
    const count = (text: string) => text.length;
    for (const answerTokens of [300, 700, 2000]) {
      const short = await answerQuestion("how is a discount applied?", memory, {
        root,
        count,
        budget: { answerTokens, tokens: 3000 },
      });
      assert.ok(short.answer.length <= answerTokens, `${short.answer.length} > ${answerTokens}`);
      assert.ok(short.context.included.reduce((sum, entry) => sum + entry.tokens, 0) <= 3000);
    }
    const one = await answerQuestion("how is a discount applied?", memory, {
      root,
      budget: { steps: 1 },
    });
    assert.deepEqual(one.steps.map((step) => step.action), ["answer"]);
  });
});

Deno.test("a signal cancels the run between steps with its reason", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const controller = new AbortController();
    const asked = answerQuestion("how is a discount applied?", memory, {
      root,
      signal: controller.signal,
      onStep: ({ step }) => step === 2 && controller.abort(new Error("enough")),
    });
    await assert.rejects(asked, /^Error: enough$/);
  });
});

Deno.test("citations that a driver makes up are removed from the text and flagged", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const driver = new ListDriver([answer("It is in src/magic.ts:1-9 and src/order.ts:4-17.")]);
    const result = await answerQuestion("where?", memory, { root, driver });
    assert.equal(
      result.answer,
      "It is in [citation removed] and src/order.ts:4-17.\n\nRemoved: 1 citation that does not resolve.",
    );
    assert.deepEqual(result.citations.map((citation) => citation.status), ["removed", "verified"]);
  });
});

Deno.test("parseStep() accepts nothing outside the table, whatever a driver sends", () => {
  fc.assert(fc.property(fc.anything(), (data) => {
    const parsed = parseStep(data);
    assert.ok("problems" in parsed && parsed.problems.length > 0);
  }));
  assert.ok("step" in parseStep(search));
  assert.ok(
    "problems" in parseStep({ ...search, arguments: { ...search.arguments, shell: "rm -rf /" } }),
  );
});

Deno.test("an empty question is refused in one line", async () => {
  await withRepository({ "a.ts": "export const a = 1;\n" }, async (memory, root) => {
    await assert.rejects(
      answerQuestion("  ", memory, { root }),
      new TypeError('cannot answer "  ": the question is empty; give at least one word'),
    );
  });
});

Deno.test("questions of any length and any characters get an answer or a clear nothing", async () => {
  await withRepository(SHOP, async (memory, root) => {
    for (
      const question of [
        "???",
        '"',
        "NEAR(",
        "order ".repeat(20_000),
        "\u0000\u202e",
        "*",
        "' OR 1=1 --",
      ]
    ) {
      const result = await answerQuestion(question, memory, { root });
      assert.equal(result.found, result.citations.length > 0);
      if (!result.found) assert.match(result.answer, /Nothing found/);
    }
  });
});

Deno.test("ExtractiveDriver proposes only steps of the table", async () => {
  const driver = new ExtractiveDriver();
  await withRepository(SHOP, async (memory, root) => {
    const seen: unknown[] = [];
    const watching: Driver = {
      name: "extractive",
      propose: async (state) => {
        const step = await driver.propose(state);
        seen.push(step);
        return step;
      },
      compose: (state) => driver.compose(state),
    };
    for (
      const question of [
        "who calls applyDiscount?",
        "list the functions",
        "why is there a limit of 90 percent?",
        "when was src/order.ts changed?",
      ]
    ) {
      await answerQuestion(question, memory, { root, driver: watching });
    }
    for (const step of seen) assert.ok("step" in parseStep(step), JSON.stringify(step));
  });
});
