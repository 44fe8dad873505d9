/** Parts of a question while they are written: what is shown of them, in which order, and what takes their place. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { TextPiece } from "../../agent/answer_draft.ts";
import { CitationChecker, REMOVED } from "../../agent/citations.ts";
import { PartsDraft } from "../../agent/parts_draft.ts";
import type { Memory } from "../../rag/mod.ts";
import { SHOP, withRepository } from "../support/repository.ts";

/** Whoever reads along. */
class Reader {
  text = "";
  readonly texts: string[] = [];
  readonly pieces: TextPiece[] = [];
  readonly take = (piece: TextPiece) => {
    this.pieces.push(piece);
    this.text = (piece.restart ? "" : this.text) + piece.text;
    this.texts.push(this.text);
  };
}

function partsOver(
  memory: Memory,
  root: string,
  questions: readonly string[],
  signal?: AbortSignal,
) {
  const reader = new Reader();
  const parts = new PartsDraft(questions, {
    checker: () => new CitationChecker(memory, root),
    onText: reader.take,
    signal,
  });
  const write = async (part: number, text: string) => {
    parts.of(part).write(text);
    await parts.of(part).settled();
  };
  return { reader, parts, write };
}

Deno.test("the part that began first is shown as it comes, the next when that one is done", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const { reader, parts, write } = partsOver(memory, root, ["one?", "two?", "three?"]);
    await write(1, "The second be");
    assert.equal(reader.text, "## two?\n\nThe second");
    await write(0, "The first is there already. ");
    await write(1, "gins. ");
    assert.equal(reader.text, "## two?\n\nThe second begins.");
    await parts.done(1, "The second begins.");
    assert.equal(
      reader.text,
      "## two?\n\nThe second begins.\n\n## one?\n\nThe first is there already.",
    );
    // Rules answered the third, and nobody saw it being written.
    await parts.done(2, "The third, of src/order.ts:4-17 and src/none.ts:1-2.");
    assert.doesNotMatch(reader.text, /third/);
    await parts.done(0, "The first is there already.");
    const third = `\n\n## three?\n\nThe third, of src/order.ts:4-17 and ${REMOVED}.`;
    assert.equal(reader.texts.at(-1)!.slice(-third.length), third);
    assert.ok(reader.pieces.every(({ part, restart }) => part === true && restart === undefined));
  });
});

Deno.test("a part that is begun anew takes back what was shown of it, and nothing of those before", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const { reader, parts, write } = partsOver(memory, root, ["one?", "two?"]);
    await write(0, "First. ");
    await parts.done(0, "First.");
    await write(1, "Nonsense follows ");
    parts.of(1).begin();
    assert.equal(reader.text, "## one?\n\nFirst.");
    await write(1, "Sense. ");
    assert.equal(reader.text, "## one?\n\nFirst.\n\n## two?\n\nSense.");
    // What was kept of it in the end is something else.
    await parts.done(1, "By rules.");
    assert.equal(reader.text, "## one?\n\nFirst.\n\n## two?\n\nBy rules.");
  });
});

Deno.test("the answer takes the place of all parts with its first piece, and of none where none was shown", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const { reader, parts, write } = partsOver(memory, root, ["one?", "two?"]);
    await write(0, "First. ");
    const show = parts.replacedBy(reader.take);
    show({ text: "The an" });
    show({ text: "swer." });
    assert.equal(reader.text, "The answer.");
    assert.deepEqual(reader.pieces.slice(-2), [{ text: "The an", restart: true }, {
      text: "swer.",
    }]);

    const unseen = partsOver(memory, root, ["one?", "two?"]);
    unseen.parts.replacedBy(unseen.reader.take)({ text: "The answer." });
    assert.deepEqual(unseen.reader.pieces, [{ text: "The answer." }]);
  });
});

Deno.test("nothing is shown to who has given up", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const leaving = new AbortController();
    const { reader, parts, write } = partsOver(memory, root, ["one?", "two?"], leaving.signal);
    await write(0, "First. ");
    const before = reader.pieces.length;
    leaving.abort();
    await write(0, "More. ");
    await parts.done(0, "First. More.");
    assert.equal(reader.pieces.length, before);
  });
});

Deno.test("however parts are written side by side, in the end each stands once, whole, under its question", async () => {
  await withRepository(SHOP, async (memory, root) => {
    const words = fc.array(
      fc.constantFrom("one ", "two\n", "src/order.ts:4-17 ", "src/no.ts:1-2 "),
      {
        minLength: 1,
        maxLength: 8,
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(words, { minLength: 2, maxLength: 4 }),
        fc.infiniteStream(fc.nat()),
        async (texts, choices) => {
          const questions = texts.map((_, at) => `question ${at}?`);
          const { reader, parts, write } = partsOver(memory, root, questions);
          const left = texts.map((pieces) => [...pieces]);
          for (const choice of choices) {
            const open = left.flatMap((pieces, at) => pieces === undefined ? [] : [at])
              .filter((at) => left[at]!.length > 0);
            if (open.length === 0) break;
            const at = open[choice % open.length]!;
            await write(at, left[at]!.shift()!);
            if (left[at]!.length === 0) await parts.done(at, texts[at]!.join("").trim());
          }
          const checker = new CitationChecker(memory, root);
          for (const [at, pieces] of texts.entries()) {
            const whole = await checker.checked(pieces.join("").trim());
            const row = `## ${questions[at]}\n\n${whole}`;
            assert.equal(reader.text.split(row).length, 2, `${row}\n---\n${reader.text}`);
          }
          // Read from the beginning to the end: nothing was ever taken back.
          assert.ok(reader.pieces.every(({ restart }) => restart === undefined));
        },
      ),
      { numRuns: 60 },
    );
  });
});
