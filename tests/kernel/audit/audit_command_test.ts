/** `audit` over files that are moved aside: what is shown, and where following goes on. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runAudit } from "../../../kernel/audit/audit_command.ts";
import { AuditTrail } from "../../../kernel/audit/audit_trail.ts";
import { partName, TRAIL_NAME } from "../../../kernel/audit/chain.ts";
import { readTrailLines } from "../../../ingest/trail.ts";
import { event, TrailFolder } from "../../support/trail.ts";

async function record(folder: string, ...texts: string[]): Promise<void> {
  await using trail = new AuditTrail(folder);
  for (const text of texts) await trail.record(event({ event_data: { text } }));
}

Deno.test("following a trail whose file that grows is still empty tells no event twice", async () => {
  using folder = new TrailFolder();
  await record(folder.path, "one", "two");
  // As a process leaves it that dies between moving a file aside and writing into the next.
  Deno.renameSync(join(folder.path, TRAIL_NAME), join(folder.path, partName(1, 2)));
  Deno.writeTextFileSync(join(folder.path, TRAIL_NAME), "");
  const ended = new AbortController();
  const seen: unknown[] = [];
  const following = runAudit(
    folder.path,
    { verify: false, follow: true } as Parameters<typeof runAudit>[1],
    readTrailLines,
    { progress: () => {}, signal: ended.signal },
  );
  for await (const line of following) {
    if (!("event_data" in line)) continue;
    seen.push(line.event_data.text);
    if (seen.length === 2) await record(folder.path, "three");
    if (seen.length === 3) ended.abort();
  }
  assert.deepEqual(seen, ["one", "two", "three"]);
});
