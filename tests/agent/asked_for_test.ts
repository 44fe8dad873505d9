/** What questions ask for beside their shape. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { askedFor } from "../../agent/asked_for.ts";
import { parseQuestion } from "../../agent/question.ts";

Deno.test("askedFor() finds the message that a question is about, quoted or not", () => {
  for (
    const [question, text] of [
      ['what does "bad bulk length" mean?', "bad bulk length"],
      ["where does “no such option” come from", "no such option"],
      ["where is the error: unknown shorthand flag thrown?", "unknown shorthand flag"],
      ['what does the error unknown command "a" for "b" mean?', 'unknown command "a" for "b"'],
      ["what is the message 'EPERM!' about", "EPERM!"],
    ] as const
  ) assert.deepEqual(parseQuestion(question).texts, [text], question);
  for (
    const question of [
      "what does `parseCode` do?",
      'where is "Router" defined?',
      "what error messages are there?",
      "how are errors reported?",
    ]
  ) assert.deepEqual(parseQuestion(question).texts, [], question);
});

Deno.test("askedFor() finds what the default of is asked for", () => {
  for (
    const [question, name] of [
      ["What is the default value of maxRedirects?", "maxRedirects"],
      ["what's the default connect timeout?", "connect timeout"],
      ["what is the timeout by default?", "the timeout"],
      ["what does jitter default to?", "jitter"],
      ["where is the default port set?", "port"],
    ] as const
  ) assert.equal(askedFor(question, []).defaultOf, name.replace(/^the /, ""), question);
  for (
    const question of [
      "how does the default handler work?",
      "where is the default config loaded?",
      "which exports are default exports?",
    ]
  ) assert.equal(askedFor(question, []).defaultOf, undefined, question);
});

Deno.test("askedFor() tells types built on another from other uses of it", () => {
  for (
    const [question, symbol] of [
      ["Which classes implement JarInterface?", "JarInterface"],
      ["list the subclasses of ParamType", "ParamType"],
      ["who extends BaseError", "BaseError"],
      ["which classes include Sidekiq::Component?", "Sidekiq::Component"],
      ["what implementations of `Handler` are there", "Handler"],
    ] as const
  ) {
    const { wantsSubtypes, symbols, shape } = parseQuestion(question);
    assert.deepEqual([wantsSubtypes, shape, symbols], [true, "callers", [symbol]], question);
  }
  assert.equal(askedFor("who calls parseCode?", []).wantsSubtypes, false);
});

Deno.test("askedFor() finds the two things that are compared", () => {
  for (
    const [question, ...things] of [
      ["compare Option and Argument", "Option", "Argument"],
      ["what is the difference between a pool and a bag?", "pool", "bag"],
      ["how does get differ from fetch", "get", "fetch"],
      ["push vs pushAll", "push", "pushAll"],
    ] as const
  ) assert.deepEqual(askedFor(question, []).compared, things, question);
  assert.deepEqual(askedFor("how are two files compared?", []).compared, []);
});

Deno.test("askedFor() says something of any text, always the same", () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => {
    assert.deepEqual(askedFor(text, []), askedFor(text, []));
  }));
});
