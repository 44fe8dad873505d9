/** Figures as Markdown tables: aligned, rounded by size, readable in a terminal and on a page. */
import assert from "node:assert/strict";
import { formatCell, markdownTable, renderResult } from "../../bench/table.ts";

Deno.test("markdownTable() aligns numbers to the right and pads every line to one width", () => {
  const table = markdownTable(["name", "ms"], [["short", 1.5], ["a longer name", 1234]]);
  assert.equal(
    table,
    [
      "| name          |    ms |",
      "| ------------- | ----: |",
      "| short         |   1.5 |",
      "| a longer name | 1,234 |",
    ].join("\n"),
  );
});

Deno.test("formatCell() drops noise, marks what is missing and escapes what would break a table", () => {
  assert.equal(formatCell(0.912345), "0.9123");
  assert.equal(formatCell(1246167.4), "1,246,167");
  assert.equal(formatCell(undefined), "–");
  assert.equal(formatCell(NaN), "–");
  assert.equal(formatCell("a|b\nc"), "a\\|b c");
});

Deno.test("renderResult() makes one table of records that are alike", () => {
  const text = renderResult({ runs: { ours: { ms: 1, mb: 2 }, theirs: { ms: 3, mb: 4 } } });
  assert.equal(
    text,
    [
      "| runs   |  ms |  mb |",
      "| ------ | --: | --: |",
      "| ours   |   1 |   2 |",
      "| theirs |   3 |   4 |",
    ].join("\n"),
  );
});

Deno.test("renderResult() leaves no figure of a nested result out", () => {
  const text = renderResult({
    rounds: 3,
    cold: { files: 77, runs: { a: { ms: 11 }, b: { ms: 22 } } },
    packages: [{ name: "viem", version: "2.31.0" }],
    interval: [0.25, 0.75],
  });
  for (const figure of ["3", "77", "11", "22", "viem", "2.31.0", "0.25", "0.75"]) {
    assert.ok(text.includes(figure), `${figure} is missing in:\n${text}`);
  }
});
