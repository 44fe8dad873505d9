/**
 * What every language model must do, as one test that each model's own tests run.
 *
 * Owns the contract of `agent/models/language_model.ts` in words of behaviour. What must hold: nothing here knows one model from another.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type GenerateRequest,
  type LanguageModel,
  LanguageModelError,
  type Message,
  type ModelCall,
  recordCalls,
} from "../../../agent/models/language_model.ts";

/** A prompt of one system text, a turn and a question. */
export const PROMPT: readonly Message[] = [
  { role: "system", content: "You read the file and write what it is for." },
  { role: "user", content: "read the file of the user" },
  { role: "assistant", content: "the file is read" },
  { role: "user", content: "return the list of the path and the name" },
];

/** A schema with every kind that models are given. */
export const SCHEMA = {
  anyOf: [
    {
      type: "object",
      properties: {
        thought: { type: "string", maxLength: 20 },
        action: { const: "search" },
        k: { type: "integer", minimum: 1, maximum: 50 },
        line: { type: "integer", minimum: 0, maximum: 10_000_000 },
        level: { enum: ["summaries", "chunks"] },
        deep: { type: "boolean" },
        paths: {
          type: "array",
          items: { type: "string", minLength: 1, maxLength: 8 },
          maxItems: 3,
        },
      },
      required: ["thought", "action", "k", "level"],
      additionalProperties: false,
    },
    {
      type: "object",
      properties: { action: { const: "answer" } },
      required: ["action"],
      additionalProperties: false,
    },
  ],
} as const;

/** Whether a value is one that `SCHEMA` describes. */
export function fitsSchema(value: unknown): boolean {
  const entry = value as Record<string, unknown>;
  if (entry.action === "answer") return Object.keys(entry).length === 1;
  const isNumber = (key: string, least: number, most: number) =>
    Number.isInteger(entry[key]) && (entry[key] as number) >= least &&
    (entry[key] as number) <= most;
  return entry.action === "search" &&
    typeof entry.thought === "string" && [...entry.thought].length <= 20 &&
    isNumber("k", 1, 50) && ["summaries", "chunks"].includes(entry.level as string) &&
    (!("line" in entry) || isNumber("line", 0, 10_000_000)) &&
    (!("deep" in entry) || typeof entry.deep === "boolean") &&
    (!("paths" in entry) || Array.isArray(entry.paths) && entry.paths.length <= 3) &&
    Object.keys(entry).every((key) => key in SCHEMA.anyOf[0].properties);
}

/**
 * Registers the test.
 * @param open a new model each time, the same one each time; it is closed here
 */
export function languageModelConformance(name: string, open: () => Promise<LanguageModel>): void {
  Deno.test(`${name} does what a language model does`, async (test) => {
    await using model = await open();
    const ask = (request: Partial<GenerateRequest> = {}) =>
      model.generate({ messages: PROMPT, maxTokens: 24, ...request });

    await test.step("it says what it is", () => {
      assert.match(model.name, /^(llama|openai):.+/);
      assert.ok(Number.isInteger(model.contextTokens) && model.contextTokens >= 1024);
      assert.ok(["exact", "estimate"].includes(model.counting));
    });

    await test.step("counts are whole, grow with the text, and a prompt is no less than its texts", () => {
      assert.equal(model.count(""), 0);
      fc.assert(
        fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
          const tokens = model.count(text);
          assert.ok(Number.isInteger(tokens) && tokens >= 0);
          assert.ok(model.count(`${text} and the rest of it`) > tokens);
        }),
        { numRuns: 50 },
      );
      const texts = PROMPT.reduce((sum, { content }) => sum + model.count(content), 0);
      assert.ok(model.countPrompt(PROMPT) >= texts);
    });

    await test.step("text comes in pieces that are the text", async () => {
      const pieces: string[] = [];
      const result = await ask({ onText: (piece) => pieces.push(piece) });
      assert.notEqual(result.text, "");
      assert.equal(pieces.join(""), result.text);
      assert.ok(result.tokensIn > 0 && result.tokensOut > 0 && result.tokensOut <= 24);
      assert.ok(result.tokensReused >= 0 && result.tokensReused <= result.tokensIn);
    });

    await test.step("no more is written than was asked for, and it says so", async () => {
      const result = await ask({ maxTokens: 2 });
      assert.ok(result.tokensOut <= 2);
      assert.equal(result.stopped, "length");
    });

    await test.step("without chance the same prompt gives the same text, whatever was asked between", async () => {
      const first = await ask();
      await ask({ messages: [{ role: "user", content: "set the value" }] });
      assert.equal((await ask()).text, first.text);
    });

    await test.step("under a schema the text is what the schema says", async () => {
      for (let seed = 0; seed < 8; seed++) {
        const result = await ask({ schema: SCHEMA, maxTokens: 400, temperature: 1, seed });
        assert.equal(result.stopped, "end", result.text);
        assert.ok(fitsSchema(JSON.parse(result.text)), result.text);
      }
    });

    await test.step("any text in a prompt is answered", async () => {
      const text = fc.oneof(
        fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
        fc.constantFrom("</s>", "<s>", "<|im_end|>\n<|im_start|>system", "{{ messages }}", "\0"),
      );
      await fc.assert(
        fc.asyncProperty(text, async (content) => {
          const result = await ask({ messages: [{ role: "user", content }], maxTokens: 4 });
          assert.ok(result.tokensOut <= 4);
        }),
        { numRuns: 12 },
      );
    });

    await test.step("a prompt that does not fit its window is refused, never cut", async () => {
      const content = "read the file and parse it; ".repeat(model.contextTokens);
      await assert.rejects(
        ask({ messages: [{ role: "user", content }] }),
        (error) => error instanceof LanguageModelError && error.kind === "overflow",
      );
      await assert.rejects(ask({ maxTokens: model.contextTokens }), /do not fit its window of/);
    });

    await test.step("a signal ends a call with its reason, before and while it writes, and the next call works", async () => {
      const expected = await ask();
      const reason = new Error("enough");
      await assert.rejects(ask({ signal: AbortSignal.abort(reason) }), reason);
      const controller = new AbortController();
      await assert.rejects(
        ask({
          maxTokens: 500,
          signal: controller.signal,
          onText: () => controller.abort(reason),
        }),
        reason,
      );
      assert.equal((await ask()).text, expected.text);
    });

    await test.step("calls at once each get their own answer", async () => {
      const questions = ["read the file", "close the socket", "parse the token"].map((content) => [
        { role: "user" as const, content },
      ]);
      const alone: string[] = [];
      for (const messages of questions) alone.push((await ask({ messages })).text);
      const together = await Promise.all(questions.map((messages) => ask({ messages })));
      assert.deepEqual(together.map(({ text }) => text), alone);
    });

    await test.step("recordCalls() tells of each call, of failed ones too", async () => {
      const calls: ModelCall[] = [];
      const recorded = recordCalls(model, (call) => calls.push(call));
      const { text } = await recorded.generate({ messages: PROMPT, maxTokens: 8 });
      await assert.rejects(
        recorded.generate({
          messages: PROMPT,
          maxTokens: 8,
          signal: AbortSignal.abort(new Error("no")),
        }),
      );
      assert.deepEqual(calls.map(({ status, response }) => [status, response]), [
        ["SUCCESS", text],
        ["FAILURE", ""],
      ]);
      assert.equal(calls[1]!.error, "no");
      assert.deepEqual(calls[0]!.prompt, PROMPT);
    });

    await test.step("a closed one refuses", async () => {
      const other = await open();
      await other[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      await assert.rejects(
        other.generate({ messages: PROMPT, maxTokens: 4 }),
        (error) => error instanceof LanguageModelError && /closed/.test(error.message),
      );
    });
  });
}
