/** The text of an answer while it is written: what is shown of it is what it will be, however it comes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AnswerDraft, type TextPiece } from "../../agent/answer_draft.ts";
import { checkCitations, CitationChecker, REMOVED } from "../../agent/citations.ts";
import { withoutThoughts } from "../../agent/thoughts.ts";
import type { Memory } from "../../rag/mod.ts";
import { SHOP, withRepository } from "../support/repository.ts";

/** Whoever reads along. */
class Reader {
  readonly pieces: TextPiece[] = [];
  text = "";
  readonly take = (piece: TextPiece) => {
    this.pieces.push(piece);
    this.text = (piece.restart ? "" : this.text) + piece.text;
  };
}

function draftOver(memory: Memory, root: string, signal?: AbortSignal) {
  const reader = new Reader();
  const draft = new AnswerDraft({
    checker: () => new CitationChecker(memory, root),
    onText: reader.take,
    signal,
  });
  return { draft, reader };
}

/** Paths that hold what ends other paths. */
const UNUSUAL = {
  "notes/my plan.md": "one\ntwo\nthree\n",
  "app/[id]/page.tsx": "export const one = 1;\n",
  "odd (1), two.md": "one\ntwo\n",
};

Deno.test("words are shown as they come, a citation when it is complete and holds", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const { draft, reader } = draftOver(memory, root);
    const shownAfter = async (piece: string) => {
      draft.write(piece);
      await draft.settled();
      return reader.text;
    };
    assert.equal(await shownAfter("\n Discounts are app"), "Discounts are");
    assert.equal(await shownAfter("lied in src/ord"), "Discounts are applied in");
    assert.equal(await shownAfter("er.ts:4"), "Discounts are applied in");
    assert.equal(await shownAfter("-17"), "Discounts are applied in");
    assert.equal(await shownAfter(", not in"), "Discounts are applied in src/order.ts:4-17, not");
    await shownAfter(" src/order.ts:900-901 nor src/magic.ts:1-2.\n");
    assert.equal(
      reader.text,
      `Discounts are applied in src/order.ts:4-17, not in ${REMOVED} nor ${REMOVED}.`,
    );
    assert.ok(reader.pieces.every(({ restart }) => restart === undefined));
  });
});

Deno.test("however a text falls into pieces, what is shown is always the beginning of the checked text", async () => {
  await withRepository({ ...SHOP, ...UNUSUAL }, async (memory, root) => {
    const fragment = fc.oneof(
      fc.constantFrom(
        ...["src/order.ts", "README.md", "src/magic.ts", "host.example", "./src/order.ts"],
        ...Object.keys(UNUSUAL),
      ),
      fc.constantFrom(":1-2", ":2", ":1-1", ":90-99", ":1", "-2", ":", ".", ":1:2", ":1.5", "3"),
      fc.constantFrom(" ", "\n", "\n\n", "  ", "\t", ", ", "。", "（", "`", "*", "(", "…"),
      fc.constantFrom("```", "\n```ts\n", "\n```\n", "~~~~", "\n  ```\n", "``"),
      fc.constantFrom("notes/my", "my plan.md", "odd (1)", ", two.md", "app/[id]", "]/page.tsx"),
      fc.constantFrom("<think>", "</think>", "<thi", "nk>", "<", "</"),
      fc.constantFrom("the", "折扣", "price", "𝒳", "é", "\r\n"),
    );
    const text = fc.array(fragment, { maxLength: 24 }).map((parts) => parts.join(""));
    const cuts = fc.array(fc.record({ size: fc.integer({ min: 1, max: 9 }), wait: fc.boolean() }), {
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(text, cuts, async (text, cuts) => {
        const whole = withoutThoughts(text).trim();
        const checked = await checkCitations(whole, [], memory, root);
        const { draft, reader } = draftOver(memory, root);
        for (let at = 0, cut = 0; at < text.length; cut++) {
          const { size, wait } = cuts[cut % cuts.length]!;
          draft.write(text.slice(at, at += size));
          if (wait) await draft.settled();
          assert.ok(checked.text.startsWith(reader.text), reader.text);
        }
        await draft.settled();
        assert.ok(checked.text.startsWith(reader.text), reader.text);
        draft.conclude(checked.text);
        assert.equal(reader.text, checked.text);
        assert.ok(reader.pieces.every(({ restart }) => restart === undefined));
      }),
      { numRuns: 1000 },
    );
  });
});

Deno.test("a path with brackets is not shown before its line numbers are known to hold, whatever stands behind them", async () => {
  await withRepository({ ...SHOP, ...UNUSUAL }, async (memory, root) => {
    const { draft, reader } = draftOver(memory, root);
    draft.write(`app/[id]/page.tsx:1-2.${"/src".repeat(100)}`);
    await draft.settled();
    assert.equal(reader.text, "");
    draft.write(" and");
    await draft.settled();
    assert.ok(reader.text.startsWith(`${REMOVED}./src`), reader.text);
  });
});

Deno.test("another attempt begins anew, and an answer that is another takes the place of what was shown", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const { draft, reader } = draftOver(memory, root);
    draft.begin();
    assert.deepEqual(reader.pieces, [], "nothing was shown that could be void");
    draft.write("The first attempt src/order.ts:1-2 ");
    await draft.settled();
    draft.write("is given up ");
    draft.begin();
    draft.write("A second attempt ");
    await draft.settled();
    assert.deepEqual(reader.pieces, [
      { text: "The first attempt src/order.ts:1-2" },
      { text: "", restart: true },
      { text: "A second attempt" },
    ]);
    draft.conclude("The rules answer.");
    assert.equal(reader.text, "The rules answer.");
    assert.deepEqual(reader.pieces.at(-1), { text: "The rules answer.", restart: true });
    draft.conclude("The rules answer.");
    assert.equal(reader.pieces.length, 4);
  });
});

Deno.test("nothing is shown to whoever has given up, and a memory that is closed fails no draft", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const leaving = new AbortController();
    const { draft, reader } = draftOver(memory, root, leaving.signal);
    draft.write("one two ");
    leaving.abort();
    await draft.settled();
    assert.equal(reader.text, "");
    const closed = draftOver(memory, root);
    memory[Symbol.dispose]();
    closed.draft.write("one src/order.ts:1-2 ");
    await closed.draft.settled();
    closed.draft.conclude("one");
    assert.equal(closed.reader.text, "one");
  });
});

Deno.test("of a long answer each part is looked at a bounded number of times", async () => {
  await withRepository({ ...SHOP, ...UNUSUAL }, async (memory, root) => {
    // 300,000 characters without a blank, then as many words: what is quadratic does not end.
    for (const word of ["x", "word "]) {
      const { draft, reader } = draftOver(memory, root);
      for (let at = 0; at < 60_000; at++) {
        draft.write(word.repeat(5 / word.length));
        if (at % 20 === 0) await draft.settled();
      }
      await draft.settled();
      assert.equal(reader.text.length, word === "x" ? 0 : 299_999);
    }
  });
});
