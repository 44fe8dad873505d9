/** Questions: shapes, names, paths and parts, read from the words alone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { LONGEST_QUESTION, parseQuestion } from "../../agent/question.ts";

Deno.test("parseQuestion() tells the shapes of questions apart", () => {
  const shapes: [string, string][] = [
    ["where is Mux defined?", "where"],
    ["Which file handles cookies?", "where"],
    ["who calls routeHTTP?", "callers"],
    ["Where is parse_url used?", "callers"],
    ["which files import dispatchRequest", "callers"],
    ["What does the Recoverer middleware do?", "what"],
    ["explain the radix tree", "what"],
    ["How does chi match a route?", "how"],
    ["what happens when a handler panics?", "how"],
    ["why does flask push an app context?", "why"],
    ["list all middlewares", "list"],
    ["what exceptions are there", "list"],
    ["when was the timeout changed?", "history"],
    ["What changed in version 2.10?", "history"],
    ["what's new in the last release?", "history"],
    ["When was support for Python 3.9 dropped?", "history"],
    ["what happens when a listener is added?", "how"],
    ["What breaks if I change make_context?", "impact"],
    ["What would a change to Router break?", "impact"],
    ["is it safe to remove parse_url?", "impact"],
    ["impact of changing lib/reply.js", "impact"],
    ["which tests fail if I rename foo?", "impact"],
    ["session management", "topic"],
  ];
  for (const [text, shape] of shapes) assert.equal(parseQuestion(text).shape, shape, text);
});

Deno.test("parseQuestion() finds names by their form and by their place in the question", () => {
  assert.deepEqual(parseQuestion("how does `ServeHTTP` call Mux.routeHTTP?").symbols, [
    "ServeHTTP",
    "Mux.routeHTTP",
  ]);
  assert.deepEqual(parseQuestion("what does chain do?").symbols, ["chain"]);
  assert.deepEqual(
    parseQuestion("who calls get_environ_proxies()?").symbols.includes("get_environ_proxies()"),
    true,
  );
  assert.deepEqual(parseQuestion("Mux").symbols, ["Mux"]);
  assert.deepEqual(parseQuestion("who calls Order.total?").symbols, ["Order.total"]);
  assert.deepEqual(parseQuestion("who uses Router::new?").symbols, ["Router::new"]);
  assert.deepEqual(parseQuestion("who calls Order?").symbols, ["Order"]);
  assert.deepEqual(parseQuestion("how are routes registered").symbols, []);
});

Deno.test("parseQuestion() finds paths and leaves ordinary words alone", () => {
  assert.deepEqual(parseQuestion("what is in lib/core/Axios.js and mux.go?").paths, [
    "lib/core/Axios.js",
    "mux.go",
  ]);
  assert.deepEqual(parseQuestion("how do routes work?").paths, []);
});

Deno.test("parseQuestion() splits what are two questions and keeps what is one", () => {
  assert.deepEqual(
    parseQuestion("How are routes registered and how does the timeout middleware work?").parts,
    [
      "How are routes registered",
      "how does the timeout middleware work",
    ],
  );
  assert.deepEqual(parseQuestion("request and response interceptors").parts, []);
});

/** Any code points; the generator that fast-check brings for this takes seconds to set up. */
const anyText = fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 80 })
  .map((codes) => String.fromCodePoint(...codes));

Deno.test("parseQuestion() gives a question for any text, always the same", () => {
  fc.assert(fc.property(anyText, (text) => {
    assert.deepEqual(parseQuestion(text), parseQuestion(text));
  }));
  assert.equal(parseQuestion("word ".repeat(20_000)).text.length <= LONGEST_QUESTION, true);
});

Deno.test("questions about where something is tested want tests; those that only mention tests do not", () => {
  for (
    const text of [
      "where is Order tested?",
      "which tests cover the parser?",
      "what tests the parser?",
      "list the tests for discounts",
      "is rounding covered by tests?",
    ]
  ) assert.ok(parseQuestion(text).wantsTests, text);
  for (
    const text of [
      "how does the test runner find tests?",
      "where is Order defined?",
      "how are tests run?",
      "where is the latest release kept?",
    ]
  ) assert.ok(!parseQuestion(text).wantsTests, text);
});

Deno.test("parseQuestion() searches for what changes, not for the words around it", () => {
  const query = (text: string) => parseQuestion(text).query;
  assert.equal(query("What breaks if I change the parser?"), "parser");
  assert.equal(query("What would a change to Router break?"), "Router");
  assert.deepEqual(parseQuestion("What breaks if I change lib/reply.js?").paths, ["lib/reply.js"]);
  assert.deepEqual(parseQuestion("What breaks if I change the parser?").symbols, ["parser"]);
  const plain = "how does the parser change a token?";
  assert.equal(query(plain), plain);
});

Deno.test("parseQuestion() knows questions about a place as a whole", () => {
  const areas: [string, string | undefined][] = [
    ["How is this project organised?", ""],
    ["what does this repository do?", ""],
    ["Explain the printer crate", "printer"],
    ["What is src/ for?", "src"],
    ["what is in the folder lib/core?", "lib/core"],
    ["Explain the scrapy.core.downloader module", "scrapy.core.downloader"],
    ["Explain the module graph", undefined],
    ["what does the Router class do?", undefined],
    ["how is a project created?", undefined],
  ];
  for (const [text, area] of areas) assert.equal(parseQuestion(text).area, area, text);
});

Deno.test("parseQuestion() knows what is to be listed from what it is listed of", () => {
  const listed = (text: string) => parseQuestion(text).listed;
  assert.equal(listed("Which config options does the server accept?"), "option");
  assert.equal(listed("Which hooks does a plugin have?"), "hook");
  assert.equal(listed("which parameter types are there?"), "type");
  assert.equal(listed("list all middlewares"), listed("what middlewares are there"));
  assert.equal(listed("how are options read?"), "");
});

Deno.test("who wants to test something of their own is not sent to the tests of this", () => {
  assert.ok(!parseQuestion("How do I test a command?").about.has("test"));
  assert.ok(parseQuestion("How do I run the tests?").about.has("test"));
});
