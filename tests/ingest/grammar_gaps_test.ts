/** Behaviour of `ingest/grammar_gaps.ts`: newer syntax is read, and every offset stays what it was. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { closeGaps } from "../../ingest/grammar_gaps.ts";
import { parse } from "../../ingest/parse.ts";
import { outline } from "./outline.ts";

Deno.test("closeGaps() keeps the length and the line ends of every text", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "#if os(Linux)\r\n",
      "#endif",
      '#"a "b" \\(c)"#',
      '##"""\n"" \\\n"""##',
      "#expect(a)",
      "#available(iOS 13, *)",
      "throws(E)",
      "try await f",
      "package ",
      "String??",
      "(())",
      "[A @unchecked]",
      "given a: B[C] with {",
      "class A protected constructor(",
      "annotation class B",
      "\n",
      "\r\n",
      " ",
      "😀",
    ),
    fc.string({ unit: "binary", maxLength: 6 }),
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(fc.constantFrom("swift", "scala", "kotlin", "python"), text, (grammar, given) => {
      const known = closeGaps(grammar, given);
      assert.equal(known.length, given.length);
      assert.deepEqual(
        [...known.matchAll(/[\r\n]/g)].map(({ index }) => index),
        [...given.matchAll(/[\r\n]/g)].map(({ index }) => index),
      );
      if (grammar === "python") assert.equal(known, given);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parse() of today's Swift finds nothing wrong, and cuts the text as it stands", async () => {
  const text = `#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
package struct Box: ~Copyable {
  package let value: String??
  consuming func take() throws(Failure) -> String {
    if #available(macOS 13, *) { promise.succeed(()) }
    guard let found = try? await load(Box.self) else { return #"a "quoted" \\d"# }
    #expect(found == "#file")
    return unsafe found.text
  }
}
`;
  const { chunks, problems } = await parse("a.swift", text, { maxSize: 40 });
  assert.deepEqual(problems, []);
  assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
  assert.deepEqual(await outline("a.swift", text), [
    "+struct Box",
    "+property Box.value",
    "+method Box.take",
  ]);
});

Deno.test("parse() of Scala reads annotated types, units in patterns and givens in braces", async () => {
  const text = `class A {
  def f: List[B @uncheckedVariance] = x match { case Right(()) => g((), 1) }
}
given b: Ord[A] with {
  def cmp = 1
}
`;
  assert.deepEqual((await parse("a.scala", text)).problems, []);
  assert.deepEqual(await outline("a.scala", text), [
    "+class A",
    "+method A.f",
    "+class b",
    "+method b.cmp",
  ]);
});

Deno.test("parse() of Kotlin reads annotated classes with a hidden constructor, and annotation classes", async () => {
  const text = `package a

/** What runs. */
@OptIn(Internal::class)
@Marker(
    "(",
)
open class App protected constructor() {
    @Test
    fun run() {}
}

@Target(AnnotationTarget.CLASS)
annotation class Internal
`;
  const { chunks, definitions, problems } = await parse("a.kt", text, { maxSize: 40 });
  assert.deepEqual(problems, []);
  assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
  assert.deepEqual(await outline("a.kt", text), [
    "+class App",
    "+test App.run",
    "+class Internal",
  ]);
  assert.ok(text.slice(definitions[0]!.start).startsWith("/** What runs. */"));
});
