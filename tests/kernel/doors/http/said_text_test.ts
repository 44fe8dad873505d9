/** A text that is said while it is written: the final text alone, or after what had to be given up. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fitLines } from "../../../../kernel/doors/fit.ts";
import { SaidText, WITHDRAWN } from "../../../../kernel/doors/http/said_text.ts";

const text = fc.string({ unit: fc.constantFrom("a", "b ", "\n", "日", "word "), maxLength: 40 });
const limit = fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined });

Deno.test("a draft that stays is said as it comes, and in all the final text, under a limit too", () => {
  fc.assert(fc.property(text, text, fc.nat(), limit, (draft, more, cut, limit) => {
    let said = "";
    const saying = new SaidText((piece) => said += piece, limit);
    const at = cut % (draft.length + 1);
    saying.write(draft.slice(0, at));
    if (limit === undefined) assert.equal(said, draft.slice(0, at));
    saying.write(draft.slice(at));
    const whole = draft + more;
    const isWhole = saying.end(whole);
    assert.equal(said, limit === undefined ? whole : fitLines(whole, limit).text);
    assert.equal(isWhole, said === whole);
    assert.ok(limit === undefined || said.length <= limit);
  }));
});

Deno.test("whatever happens to drafts, what is said ends with the final text, and gives up aloud", () => {
  const step = fc.record({ piece: text, restart: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 6 }), text, (steps, whole) => {
    const pieces: string[] = [];
    const saying = new SaidText((piece) => pieces.push(piece));
    for (const { piece, restart } of steps) saying.write(piece, restart);
    saying.end(whole);
    const said = pieces.join("");
    assert.ok(said.endsWith(whole));
    assert.ok(said === whole || said.slice(0, said.length - whole.length).endsWith(WITHDRAWN));
    assert.ok(pieces.every((piece) => piece !== ""));
  }));
});
