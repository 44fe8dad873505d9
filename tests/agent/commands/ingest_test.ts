/** The command `ingest` where a folder cannot be watched. */
import assert from "node:assert/strict";
import { ingestHandlers } from "../../../agent/commands/ingest.ts";
import { commands, type Input } from "../../../kernel/commands.ts";
import { temporaryFolder } from "../../support/models.ts";

Deno.test("a folder that cannot be watched is read all the same, and then it is said", async () => {
  using folder = temporaryFolder();
  Deno.writeTextFileSync(`${folder.path}/tea.py`, "def pour(): pass\n");
  const watchFs = Deno.watchFs;
  // As where a system has no inotify watch left.
  Deno.watchFs = () => {
    throw new Error("no space left on device");
  };
  try {
    const input = commands.ingest.input.parse({
      repo: folder.path,
      watch: true,
      embedder: "none",
    }) as Input<"ingest">;
    const context = { progress: () => {}, signal: AbortSignal.timeout(60_000) };
    const seen: unknown[] = [];
    await assert.rejects(async () => {
      for await (const result of ingestHandlers.ingest(input, context) as AsyncIterable<unknown>) {
        seen.push(result);
      }
    }, /no space left/);
    assert.equal(seen.length, 1, "the first pass gave its report");
  } finally {
    Deno.watchFs = watchFs;
  }
});
