/** The inverted index as values: what goes in comes out, merges lose nothing alive and keep nothing dead. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeChunkTable,
  decodePostings,
  encodeChunkTable,
  PostingsMerger,
  TextIndexBuilder,
} from "../../rag/postings.ts";
import { eachWord, termsOfWord } from "../../rag/terms.ts";
import { ByteReader, ByteWriter } from "../../rag/varint.ts";

Deno.test("varints come back as they were written", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 2 ** 31 - 1 })), (values) => {
    const writer = new ByteWriter(1);
    for (const value of values) writer.write(value);
    const reader = new ByteReader(writer.take());
    assert.deepEqual(values.map(() => reader.read()), values);
    assert.ok(reader.done);
  }));
});

const text = fc.array(fc.constantFrom("parse", "parseInput", "http_request", "x", "Zod4", "ä"), {
  maxLength: 20,
}).map((words) => words.join(" "));

Deno.test("a builder gives for every term the chunks that hold it and how often", () => {
  fc.assert(fc.property(fc.array(text, { maxLength: 12 }), (texts) => {
    const builder = new TextIndexBuilder();
    const expected = new Map<string, [number, number][]>();
    texts.forEach((body, at) => {
      const chunk = at * 3 + 1;
      builder.add(chunk, 7, body, 0, body.length);
      const counts = new Map<string, number>();
      eachWord(body, 0, body.length, (word) => {
        for (const term of termsOfWord(word)) counts.set(term, (counts.get(term) ?? 0) + 1);
      });
      for (const [term, count] of counts) {
        expected.set(term, [...expected.get(term) ?? [], [chunk, count]]);
      }
    });
    const { postings, table } = builder.drain();
    assert.equal(postings.length, expected.size);
    for (const [term, bytes] of postings) {
      const { chunks, frequencies } = decodePostings(bytes);
      assert.deepEqual(
        [...chunks].map((chunk, at) => [chunk, frequencies[at]!]),
        expected.get(term),
      );
    }
    assert.deepEqual(
      [...decodeChunkTable(table)].map((entry) => entry.chunk),
      texts.map((_, at) => at * 3 + 1),
    );
    assert.ok(builder.isEmpty);
  }));
});

Deno.test("a chunk table comes back as it was written", () => {
  const entries = [{ chunk: 3, length: 10, file: 1 }, { chunk: 900, length: 1, file: 70_000 }];
  assert.deepEqual([...decodeChunkTable(encodeChunkTable(entries))], entries);
});

Deno.test("PostingsMerger joins segments in chunk order and leaves out the dead", () => {
  const list = (pairs: [number, string][]) => {
    const builder = new TextIndexBuilder();
    for (const [chunk, body] of pairs) builder.add(chunk, 1, body, 0, body.length);
    return builder.drain().postings.find(([term]) => term === "word")![1];
  };
  const alive = Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 1, 0, 1);
  const merger = new PostingsMerger(alive);
  const early = list([[2, "word"], [7, "word word word"]]);
  const late = list([[5, "word"], [9, "word word"]]);
  assert.deepEqual(merger.merge([late, early]), merger.merge([early, late]));
  const merged = merger.merge([late, early]);
  const { chunks, frequencies } = decodePostings(merged);
  assert.deepEqual([...chunks], [2, 7, 9]);
  assert.deepEqual([...frequencies], [1, 3, 2]);
});
