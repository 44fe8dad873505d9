/** The picture of a terminal: everything printed is in it, or it says how much is not. */
import assert from "node:assert/strict";
import { terminalPicture } from "../../bench/picture.ts";

Deno.test("terminalPicture() shows what was printed, as text that cannot become markup", () => {
  const picture = terminalPicture('ask "a < b"', "Answer\n```ts\nif (a < b && c) {}\n```\n");
  assert.match(picture, /\$ ask "a &lt; b"/);
  assert.match(picture, /class="code"[^>]*>if \(a &lt; b &amp;&amp; c\) \{\}</);
  assert.doesNotMatch(picture, /more lines/);
});

Deno.test("terminalPicture() folds long lines and says how many lines it leaves out", () => {
  const picture = terminalPicture("x", `${"word ".repeat(60)}\n`.repeat(40));
  assert.match(picture, /… 116 more lines/);
});
