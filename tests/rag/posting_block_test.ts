/** Posting lists in blocks: what goes in comes out, in order, and each is found where it is. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { compareTerms, listIn, packBlocks, termsIn, unpackBlock } from "../../rag/posting_block.ts";

const term = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
  fc.array(fc.constantFrom("re", "quest", "a", "é", "😀", "\uffee", "z"), {
    minLength: 1,
    maxLength: 5,
  }).map((parts) => parts.join("")),
);
const lists = fc.uniqueArray(fc.tuple(term, fc.uint8Array({ maxLength: 300 })), {
  selector: ([term]) => term,
  maxLength: 60,
}).map((all) => all.sort((a, b) => compareTerms(a[0], b[0])));

Deno.test("terms and their lists come back from their blocks, and each is found in its own", () => {
  fc.assert(fc.property(lists, term, (lists, other) => {
    const blocks = [...packBlocks(lists)];
    const back = blocks.flatMap(([, data]) => [...unpackBlock(data)]);
    assert.deepEqual(
      back.map(([term, list]) => [term, [...list]]),
      lists.map(([term, list]) => [term, [...list]]),
    );
    const blockOf = (term: string) =>
      blocks.findLast(([first]) => compareTerms(first, term) <= 0)?.[1];
    for (const [term, list] of lists) {
      assert.deepEqual([...listIn(blockOf(term)!, term)!], [...list], term);
    }
    const block = blockOf(other);
    if (block && !lists.some(([term]) => term === other)) {
      assert.equal(listIn(block, other), undefined);
    }
  }));
});

Deno.test("the terms of a range are those of all blocks that lie in it", () => {
  fc.assert(fc.property(lists, term, term, (lists, one, other) => {
    const [from, to] = [one, other].sort(compareTerms);
    const found = [...packBlocks(lists)].flatMap(([, data]) => termsIn(data, from!, to!));
    const within = (term: string) => compareTerms(term, from!) >= 0 && compareTerms(term, to!) < 0;
    assert.deepEqual(found, lists.map(([term]) => term).filter(within));
  }));
});

Deno.test("terms are in the order of their bytes, as SQLite compares them", () => {
  fc.assert(fc.property(term, term, (one, other) => {
    const bytes = Buffer.compare(Buffer.from(one, "utf8"), Buffer.from(other, "utf8"));
    assert.equal(Math.sign(compareTerms(one, other)), bytes);
  }));
});

Deno.test("a list of any length has a block that ends with it", () => {
  const long = new Uint8Array(50_000).fill(7);
  const blocks = [...packBlocks([["a", long], ["b", Uint8Array.of(1)], ["c", long]])];
  assert.deepEqual(blocks.map(([first]) => first), ["a", "b"]);
  assert.deepEqual(listIn(blocks[1]![1], "c"), long);
});
