/** Citations: what is left in a shown answer resolves, whatever the text and whatever happened to the files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { checkCitations, findCitations, REMOVED } from "../../agent/citations.ts";
import { SHOP, withRepository } from "../support/repository.ts";

const paths = new Set(["mux.go", "src/a b.ts", "app/[id]/page.tsx", "README.md"]);
const places = (text: string) =>
  findCitations(text, paths).map((mark) => `${mark.path}:${mark.startLine}-${mark.endLine}`);

Deno.test("findCitations() reads ranges, single lines, paths with blanks and brackets", () => {
  assert.deepEqual(
    places("see mux.go:3-9, `README.md:4` and (src/a b.ts:1-2); app/[id]/page.tsx:7-8."),
    [
      "mux.go:3-9",
      "README.md:4-4",
      "src/a b.ts:1-2",
      "app/[id]/page.tsx:7-8",
    ],
  );
});

Deno.test("findCitations() takes unknown paths for citations, but no addresses, times or quoted code", () => {
  assert.deepEqual(places("made/up.ts:1-2 and gone.rs:5"), ["made/up.ts:1-2", "gone.rs:5-5"]);
  assert.deepEqual(
    places("http://localhost:8080/x 127.0.0.1:5555 at 12:30 example.com:443 a:b:c"),
    [],
  );
  assert.deepEqual(places("```ts\nthrow at mux.go:1-2\n```\n"), []);
  assert.deepEqual(places("````md\n```\nmux.go:1-2\n```\n````\nmux.go:5-6"), ["mux.go:5-6"]);
  assert.deepEqual(places("./mux.go:1-2"), ["mux.go:1-2"]);
  assert.deepEqual(places("other/mux.go:1-2"), ["other/mux.go:1-2"]);
});

Deno.test("checkCitations() verifies what is unchanged and removes what does not resolve", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const text =
      "`src/order.ts:4-17` but not src/order.ts:90-99, src/nowhere.ts:1-2 or ../etc/passwd:1-2";
    const checked = await checkCitations(text, [], memory, root);
    assert.equal(
      checked.text,
      `\`src/order.ts:4-17\` but not ${REMOVED}, ${REMOVED} or ${REMOVED}`,
    );
    assert.deepEqual(checked.citations.map((citation) => citation.status), [
      "verified",
      "removed",
      "removed",
      "removed",
    ]);
  });
});

Deno.test("checkCitations() tells stale from moved from unaffected when a file changed after ingest", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const path = join(root, "src/discount.ts");
    const lines = SHOP["src/discount.ts"]!.split("\n");
    // The first function changes inside, and the second moves down by two lines.
    lines.splice(4, 1, "  if (share > 80) {", "    throw new RangeError(code);", "  }");
    await Deno.writeTextFile(path, lines.join("\n"));
    const checked = await checkCitations(
      "a src/discount.ts:1-3 b src/discount.ts:2-7 c src/discount.ts:9-12 d",
      [],
      memory,
      root,
    );
    assert.deepEqual(checked.citations.map((citation) => [citation.status, citation.moved_to]), [
      ["verified", undefined],
      ["stale", undefined],
      ["stale", { start_line: 11, end_line: 14 }],
    ]);
    assert.equal(
      checked.text,
      "a src/discount.ts:1-3 b src/discount.ts:2-7 (stale: changed since it was ingested) " +
        "c src/discount.ts:9-12 (stale: now lines 11-14) d",
    );
    await Deno.remove(path);
    const gone = await checkCitations("src/discount.ts:1-3", [], memory, root);
    assert.equal(gone.citations[0]!.status, "removed");
  });
});

Deno.test("checkCitations() leaves only citations that resolve, for any text", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const piece = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(...memory.paths(), "src/", "/", "```\n", "\n", " ", "(", "`", "../"),
      fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 })).map((
        [start, end],
      ) => `:${start}-${end}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 14 }), async (pieces) => {
        const checked = await checkCitations(pieces.join(""), [], memory, root);
        for (const mark of findCitations(checked.text, new Set(memory.paths()))) {
          const lines = SHOP[mark.path]?.replace(/\n$/, "").split("\n").length ?? 0;
          assert.ok(
            1 <= mark.startLine && mark.startLine <= mark.endLine && mark.endLine <= lines,
            checked.text,
          );
        }
      }),
      { numRuns: 300 },
    );
  });
});
