/** The figures of the README: replaced between markers, drawn from results alone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { barChart } from "../../bench/chart.ts";
import { publishedMeans } from "../../bench/peers/published.ts";
import { replaceSections, retrievalBars, retrievalChart } from "../../bench/readme.ts";

const README = "# A\n\n<!-- figures:query -->\nold\n<!-- /figures:query -->\n\nrest\n";

Deno.test("replaceSections() changes nothing outside the markers, and nothing the second time", () => {
  fc.assert(fc.property(fc.string(), (content) => {
    fc.pre(!content.includes("<!--"));
    const once = replaceSections(README, { query: content });
    assert.ok(once.startsWith("# A\n\n<!-- figures:query -->\n"));
    assert.ok(once.endsWith("<!-- /figures:query -->\n\nrest\n"));
    assert.ok(once.includes(content) && !once.includes("old"));
    assert.equal(replaceSections(once, { query: content }), once);
  }));
});

Deno.test("replaceSections() leaves a section without a result as it is, and a result without a section", () => {
  assert.equal(replaceSections(README, {}), README);
  assert.equal(replaceSections(README, { ingest: "figures" }), README);
});

Deno.test("replaceSections() names the marker that is missing", () => {
  const torn = README.replace("<!-- /figures:query -->", "");
  assert.throws(
    () => replaceSections(torn, { query: "x" }),
    /"<!-- \/figures:query -->" is missing/,
  );
  const headless = README.replace("<!-- figures:query -->", "");
  assert.throws(
    () => replaceSections(headless, { query: "x" }),
    /"<!-- figures:query -->" is missing/,
  );
});

const figures = {
  queries: 20,
  ndcg10_chunks: 0.7,
  ndcg10_files: 0.72,
  file_recall_at_10: 0.9,
  file_recall_in_2000_tokens: 0.9,
};

Deno.test("retrievalBars() sorts ours among published and measured peers of the same repositories", () => {
  const bars = retrievalBars({
    all: figures,
    by_repository: { zod: figures },
    peers: { "plain FTS5": { ndcg10_chunks: 0.3, ndcg10_files: 0.4 } },
  });
  assert.deepEqual(bars[0], { name: "batos", value: 0.7, source: "own" });
  assert.deepEqual(bars[1], { name: "semble", value: 0.615, source: "published" });
  assert.ok(bars.some((bar) => bar.source === "measured" && bar.value === 0.4));
  assert.deepEqual(bars, [...bars].sort((a, b) => b.value - a.value));
});

Deno.test("retrievalBars() shows no published figure beside repositories that have none", () => {
  const bars = retrievalBars({ all: figures, by_repository: { zod: figures, batos: figures } });
  assert.deepEqual(bars.map((bar) => bar.source), ["own"]);
});

Deno.test("publishedMeans() gives the means that were published for all and for TypeScript and JavaScript", () => {
  const of = (repositories: readonly string[], name: string) =>
    publishedMeans(repositories).find((one) => one.name === name)!.value;
  const script = ["trpc", "zod", "axios", "express"];
  const all = [...script, "flask", "requests", "httpx", "chi", "gin", "axum", "gson"];
  const expected: Record<string, [number, number]> = {
    "semble": [0.859, 0.816],
    "CodeRankEmbed hybrid": [0.850, 0.799],
    "BM25 + semble's ranking": [0.818, 0.778],
    "BM25": [0.640, 0.621],
    "ColGREP": [0.704, 0.641],
    "codegraph": [0.658, 0.624],
    "probe": [0.449, 0.476],
    "ripgrep": [0.172, 0.161],
  };
  // Means were published from figures with more digits than the table has.
  const near = (value: number, published: number) => Math.abs(value - published) < 0.001;
  for (const [name, [ofAll, ofScript]] of Object.entries(expected)) {
    assert.ok(near(of(all, name), ofAll), name);
    assert.ok(near(of(script, name), ofScript), name);
  }
  assert.deepEqual(publishedMeans([]), []);
});

Deno.test("barChart() draws every bar to scale, escapes names, and needs nothing from outside", () => {
  const svg = barChart("Title <1>", "sub", [
    { name: "a & b", value: 1, source: "own" },
    { name: "half", value: 0.5, source: "published" },
  ]);
  const lengths = [...svg.matchAll(/<rect [^>]*width="(\d+)" height="20"/g)].map((m) =>
    Number(m[1])
  );
  assert.equal(lengths.length, 2);
  assert.ok(Math.abs(lengths[0]! / 2 - lengths[1]!) <= 1);
  assert.ok(svg.includes("Title &lt;1&gt;") && svg.includes("a &amp; b"));
  assert.ok(svg.includes("prefers-color-scheme: dark"));
  assert.deepEqual([...svg.matchAll(/(?:href|src|url\(|@import)/g)], []);
  assert.deepEqual(svg.match(/https?:[^"]+/g), ["http://www.w3.org/2000/svg"]);
});

Deno.test("retrievalChart() opens and closes its elements in order", () => {
  const svg = retrievalChart({ all: figures, by_repository: { zod: figures } });
  const open: string[] = [];
  for (const [, close, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (close) assert.equal(open.pop(), name);
    else if (!self) open.push(name!);
  }
  assert.deepEqual(open, []);
});
