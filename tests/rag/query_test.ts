/** Questions as concepts: what is asked for, what is named, what is only the manner of asking. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { analyseQuery } from "../../rag/query.ts";

const terms = (text: string) =>
  analyseQuery(text).concepts.filter((c) => !c.derived).map((c) => c.term);

Deno.test("analyseQuery() leaves out the words that only ask", () => {
  assert.deepEqual(terms("How does the router match a path?"), ["router", "match", "path"]);
});

Deno.test("analyseQuery() keeps a question of stop words only", () => {
  assert.deepEqual(terms("how does it work"), ["how", "does", "it", "work"]);
});

Deno.test("analyseQuery() takes the parts of an identifier and the whole", () => {
  const query = analyseQuery("where is safeParse called");
  assert.deepEqual(query.identifiers, ["safeParse"]);
  assert.ok(query.concepts.some((concept) => concept.term === "safeparse" && concept.derived));
});

Deno.test("analyseQuery() joins neighbours that may be one identifier", () => {
  assert.ok(analyseQuery("the safe parse result").concepts.some((c) => c.term === "safeparse"));
});

Deno.test("analyseQuery() asks for the initials of neighbours as well, but not across other words", () => {
  const derived = (text: string) =>
    analyseQuery(text).concepts.filter((c) => c.derived && c.term.length < 6).map((c) => c.term);
  assert.deepEqual(derived("mapped diagnostic context"), ["mdc"]);
  assert.deepEqual(derived("middleware for cross-origin resource sharing"), [
    "cor",
    "cors",
    "ors",
  ]);
  assert.deepEqual(derived("parse the request body, then reply"), []);
  assert.deepEqual(derived("common.table.expression"), []);
});

Deno.test("analyseQuery() knows a query that is one name", () => {
  for (const name of ["Mux", "z.object", "Foo::bar", "create_app", "app.use()", "$ZodType"]) {
    assert.ok(analyseQuery(name).isSymbol, name);
  }
  for (const text of ["two words", "what?", "a-b c", ""]) {
    assert.ok(!analyseQuery(text).isSymbol, text);
  }
});

Deno.test("analyseQuery() counts inflections of one word once", () => {
  assert.equal(terms("validate validated validation").length, 1);
});

Deno.test("analyseQuery() tells a question in a sentence from keywords", () => {
  for (
    const text of [
      "How does the router match a path?",
      "where are retries counted",
      "please explain how a session ends",
      "Can you tell me why the cache is cold",
      "is the pool closed on exit",
      "retries counted where?",
    ]
  ) assert.ok(analyseQuery(text).isSentence, text);
  for (
    const text of [
      "router path matching",
      "howto pages",
      "isolated storage",
      "show password field",
      "optional and nullable wrappers",
      "safeParse",
      "canvas.draw",
      "",
    ]
  ) assert.ok(!analyseQuery(text).isSentence, text);
});

Deno.test("analyseQuery() never throws and bounds its concepts", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    assert.ok(analyseQuery(text).concepts.length <= 48);
  }));
  assert.ok(analyseQuery("word ".repeat(25_000)).concepts.length <= 48);
});
