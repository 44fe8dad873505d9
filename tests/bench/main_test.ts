/** The benchmarks from end to end on a tiny repository, and their command line. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AnnotatedSets } from "../../bench/annotated.ts";
import { main } from "../../bench/main.ts";
import { questionsFor } from "../../bench/query_set.ts";
import { benchRetrieval, dispose, prepare, readAnnotations } from "../../bench/retrieval.ts";
import { exactTokens } from "../../bench/tokens.ts";

const FILES: Record<string, string> = {
  "retry.ts": `/** Repeats a failed request with exponential backoff. */
export function retryWithBackoff(request: () => void) {
  for (let attempt = 0; attempt < 3; attempt++) request();
}
`,
  "parse.ts": `/** Splits a header line into its name and value. */
export function parseHeader(line: string) {
  return line.split(":");
}
`,
};

/** Annotations and a checkout of a repository `tiny`, in a temporary folder. */
async function withTiny(
  use: (annotations: string, checkouts: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "batos-test-"));
  try {
    mkdirSync(join(folder, "checkouts", "tiny"), { recursive: true });
    for (const [path, text] of Object.entries(FILES)) {
      writeFileSync(join(folder, "checkouts", "tiny", path), text);
    }
    mkdirSync(join(folder, "annotations"));
    const query = (query: string, path: string) => ({
      query,
      category: "semantic",
      relevant: [{ path }],
    });
    const queries = [
      query("repeat a failed request", "retry.ts"),
      query("parseHeader", "parse.ts"),
      query("nothing that exists here", "absent.ts"),
    ];
    for (const repo of ["tiny", "missing"]) {
      writeFileSync(
        join(folder, "annotations", `${repo}.json`),
        JSON.stringify({ repo, benchmark_root: null, queries }),
      );
    }
    await use(join(folder, "annotations"), join(folder, "checkouts"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

Deno.test("benchRetrieval() scores what search finds, and the checkout stays untouched", () =>
  withTiny(async (annotations, checkouts) => {
    const said: string[] = [];
    using sets = await AnnotatedSets.find(annotations, checkouts, (text) => said.push(text));
    assert.deepEqual(sets.repositories, ["tiny"]);
    assert.deepEqual(sets.leftOut, ["missing"]);
    assert.deepEqual(said, ["left out, no checkout: missing"]);
    const result = await benchRetrieval(sets) as {
      all: { queries: number; ndcg10_chunks: number; file_recall_at_10: number };
    };
    assert.equal(result.all.queries, 3);
    assert.equal(result.all.ndcg10_chunks, 0.6667);
    assert.equal(result.all.file_recall_at_10, 0.6667);
    assert.ok(!existsSync(join(checkouts, "tiny", ".batos")));
  }));

Deno.test("AnnotatedSets.find() says what to give when there are no queries or no checkout", () =>
  withTiny(async (annotations, checkouts) => {
    const find = (a: string, c: string) => AnnotatedSets.find(a, c, () => {});
    await assert.rejects(find(checkouts, checkouts), /no \.json file; give --annotations DIR/);
    await assert.rejects(find(annotations, annotations), /no checkout; give --checkouts DIR/);
  }));

Deno.test("questionsFor() asks nothing twice and the same in every run", () =>
  withTiny(async (annotations, checkouts) => {
    const tiny = readAnnotations(annotations).find((one) => one.repo === "tiny")!;
    const prepared = await prepare(tiny, join(checkouts, "tiny"));
    try {
      const questions = questionsFor(prepared.memory, "mixed", 5);
      const texts = questions.map((question) => question.text);
      assert.equal(new Set(texts).size, texts.length);
      assert.deepEqual(questionsFor(prepared.memory, "mixed", 5), questions);
      const sampled = questions.filter(({ kind }) => kind !== "sentence").map(({ text }) => text);
      const possible = [
        "Repeats a failed request with exponential backoff",
        "Splits a header line into its name and value",
        "retryWithBackoff",
        "parseHeader",
      ];
      assert.ok(sampled.length > 0);
      assert.deepEqual(sampled.filter((text) => !possible.includes(text)), []);
    } finally {
      dispose(prepared);
    }
  }));

Deno.test("exactTokens() counts text that looks like a control token as text", () => {
  assert.equal(exactTokens("hello world"), 2);
  assert.ok(exactTokens("<|endoftext|>") > 1);
});

Deno.test("main() refuses what it does not know and says what was meant", async () => {
  await assert.rejects(main(["--jsn"]), /cannot read "--jsn": did you mean "--json"/);
  await assert.rejects(main(["retreival"]), /cannot run "retreival": did you mean "retrieval"/);
  await assert.rejects(main(["constructor"]), /cannot run "constructor": it is none of/);
  await assert.rejects(main(["--toString"]), /cannot read "--toString"/);
  await assert.rejects(main(["ingest", "--part", "clod"]), /did you mean "cold"/);
  await assert.rejects(main(["tokens", "--part", "x"]), /it has no parts/);
  await assert.rejects(main(["ingest", "--rounds", "0"]), /a whole number from 1 is expected/);
});
