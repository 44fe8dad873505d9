/**
 * What every embedder must do, as one test that each embedder's own tests run.
 *
 * Owns the contract of `rag/embed/embedder.ts` in words of behaviour. What must hold: nothing here knows one embedder from another.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Embedder, Passage } from "../../../rag/embed/embedder.ts";

/** Rounding of single precision, summed over a few thousand products. */
const TOLERANCE = 2e-3;

/** Words that any model of code or of English knows, so that none of these texts is nothing to it. */
const PASSAGES: readonly Passage[] = [
  { path: "src/login.ts", text: "function login(user, password) { return session; }" },
  { path: "src/socket.ts", text: "connect and retry: open the socket" },
  { path: "lib/tree.ts", text: "walk the tree of node" },
  { path: "", text: "read" },
  {
    path: "lib/parse.ts",
    text: `const token = parse(file);\nreturn token;\n${"read the file and parse it; ".repeat(12)}`,
  },
  { path: "src/socket.ts", text: "connect and retry: open the socket" },
];

/**
 * Registers the test.
 * @param open a new embedder each time, the same one each time; it is closed here
 */
export function embedderConformance(name: string, open: () => Promise<Embedder>): void {
  Deno.test(`${name} does what an embedder does`, async (test) => {
    await using embedder = await open();
    const { model } = embedder;

    await test.step("its model says what it is", () => {
      assert.match(model.id, /^(static|(transformers|llama):.+)$/);
      assert.match(model.revision, /^[0-9a-f]{16}$/);
      assert.ok(Number.isInteger(model.dimensions) && model.dimensions > 0);
      assert.equal(model.quantisation, "int8");
      assert.ok(["sum", "mean", "cls", "last_token"].includes(model.pooling));
      assert.equal(typeof model.prefixes.query, "string");
      assert.equal(typeof model.prefixes.passage, "string");
    });

    await test.step("vectors have the model's dimensions and length 1", async () => {
      for (const vector of await embedder.embedPassages(PASSAGES)) {
        assertVector(vector, model.dimensions, 1);
      }
      assertVector(await embedder.embedQuery("how does login work"), model.dimensions, 1);
    });

    await test.step("many at once give what each gives alone, in order", async () => {
      const together = await embedder.embedPassages(PASSAGES);
      assert.equal(together.length, PASSAGES.length);
      for (const [at, passage] of PASSAGES.entries()) {
        const [alone] = await embedder.embedPassages([passage]);
        assertNear(together[at]!, alone!);
      }
      assertNear(together[1]!, together[5]!);
      assert.ok(cosine(together[0]!, together[2]!) < 0.999, "two texts with one vector");
    });

    await test.step("a text of nothing gives zeros", async () => {
      for (const text of ["", " \n\t "]) {
        assertVector(await embedder.embedQuery(text), model.dimensions, 0);
        const [alone] = await embedder.embedPassages([{ path: "", text }]);
        assertVector(alone!, model.dimensions, 0);
      }
      const [before, empty, after] = await embedder.embedPassages([
        PASSAGES[0]!,
        { path: "", text: "" },
        PASSAGES[1]!,
      ]);
      assertVector(empty!, model.dimensions, 0);
      assertVector(before!, model.dimensions, 1);
      assertVector(after!, model.dimensions, 1);
    });

    await test.step("no passages give no vectors", async () => {
      assert.deepEqual(await embedder.embedPassages([]), []);
    });

    await test.step("text far beyond a window counts to its end", async () => {
      const text = "read the file and parse the token; ".repeat(400);
      const [plain, longer] = await embedder.embedPassages([
        { path: "lib/parse.ts", text },
        { path: "lib/parse.ts", text: text + "connect the socket ".repeat(400) },
      ]);
      assertVector(plain!, model.dimensions, 1);
      assertVector(longer!, model.dimensions, 1);
      assert.ok(cosine(plain!, longer!) < 0.9999, "the second half changes nothing");
    });

    await test.step("progress grows and ends with all", async () => {
      const seen: number[] = [];
      await embedder.embedPassages(PASSAGES, { onProgress: (done) => seen.push(done) });
      assert.equal(seen.at(-1), PASSAGES.length);
      assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
    });

    await test.step("an aborted signal ends it", async () => {
      const signal = AbortSignal.abort();
      await assert.rejects(embedder.embedPassages(PASSAGES, { signal }), { name: "AbortError" });
      await assert.rejects(embedder.embedQuery("login", { signal }), { name: "AbortError" });
    });

    await test.step("any text gives a vector of length 1 or of zeros", async () => {
      const text = fc.oneof(
        fc.string({ unit: "binary", maxLength: 60 }),
        fc.string({ unit: "grapheme", maxLength: 60 }),
        // Halves of surrogate pairs included.
        fc.array(fc.nat(0xffff), { maxLength: 30 }).map((units) => String.fromCharCode(...units)),
      );
      const passage = fc.record({ path: fc.constantFrom("", "src/a.ts", "ü/ß.md"), text });
      await fc.assert(
        fc.asyncProperty(fc.array(passage, { maxLength: 4 }), async (passages) => {
          const vectors = await embedder.embedPassages(passages);
          assert.equal(vectors.length, passages.length);
          for (const vector of vectors) assertVector(vector, model.dimensions);
        }),
        { numRuns: 20 },
      );
    });

    await test.step("opened again it is the same", async () => {
      await using again = await open();
      assert.deepEqual(again.model, model);
      const query = "how does the parse of a file work";
      assertNear(await again.embedQuery(query), await embedder.embedQuery(query));
    });
  });
}

/** @param length 1 or 0; either when not given */
export function assertVector(vector: Float32Array, dimensions: number, length?: number): void {
  assert.ok(vector instanceof Float32Array);
  assert.equal(vector.length, dimensions);
  const found = Math.hypot(...vector);
  const expected = length ?? (found === 0 ? 0 : 1);
  assert.ok(Math.abs(found - expected) < 1e-4, `length ${found}, expected ${expected}`);
}

/** Whether two vectors are one but for rounding. */
export function assertNear(found: Float32Array, expected: Float32Array): void {
  assert.equal(found.length, expected.length);
  for (const [at, value] of found.entries()) {
    assert.ok(
      Math.abs(value - expected[at]!) < TOLERANCE,
      `value ${at} is ${value}, expected ${expected[at]}`,
    );
  }
}

/** The cosine of two vectors of length 1. */
export function cosine(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, at) => sum + value * other[at]!, 0);
}
