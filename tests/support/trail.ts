/** An audit trail in a temporary folder, for tests: events to record, lines to look at and to damage, the check of the whole. */
import { join } from "node:path";
import { readTrailLines } from "../../ingest/trail.ts";
import { listTrailFiles, verifyTrail } from "../../kernel/audit/chain.ts";
import type { NewEvent } from "../../kernel/audit/event.ts";
import { readHead } from "../../kernel/audit/trail_files.ts";

/** An event; what differs from an ordinary search is given. */
export function event(given: Partial<NewEvent> = {}): NewEvent {
  return {
    cycle_id: "6c2f5f0e-6c1a-4e0e-9d3c-0f2a1b3c4d5e",
    psm_state: "DELEGATING",
    active_persona: "BABS",
    event_type: "RETRIEVAL_ACTION",
    event_data: { action: "search", found: 3 },
    status: "SUCCESS",
    ...given,
  };
}

/** A folder for a trail; gone when it is disposed of. */
export class TrailFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "batos_trail_" });

  /** The file that grows. */
  get current(): string {
    return join(this.path, "metacognition.jsonl");
  }

  get names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  /** Lines of the whole trail that have their line feed. */
  get lines(): string[] {
    return listTrailFiles(this.path).flatMap(({ path }) =>
      Deno.readTextFileSync(path).split("\n").slice(0, -1)
    );
  }

  // deno-lint-ignore no-explicit-any
  get events(): any[] {
    return this.lines.map((line) => JSON.parse(line));
  }

  /** Puts other lines into the file that grows. */
  rewrite(change: (lines: string[]) => string[]): void {
    const lines = Deno.readTextFileSync(this.current).split("\n").slice(0, -1);
    Deno.writeTextFileSync(this.current, change(lines).map((line) => line + "\n").join(""));
  }

  async verify() {
    const list = () => listTrailFiles(this.path);
    return await verifyTrail(readTrailLines(list), list(), readHead(this.path));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
