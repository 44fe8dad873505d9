/**
 * `bench audit`: what it costs to record an event, and to take a trail of a million events into memory.
 *
 * Every pass is a process of its own, so that memory is that of the pass alone. What must hold: events are of the size and the mixture
 * that questions leave (a start, eight steps, an answer of some kilobytes), each with words of its own; what the caller
 * sees of an event is timed around the call itself.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Log } from "./corpora.ts";
import { runMeasured } from "./process.ts";

/** How to measure. */
export interface AuditBenchOptions {
  /** Events of the trail that is taken in; a million by default. */
  readonly events?: number;
  readonly log: Log;
}

/** Events whose recording is timed: some seconds of writing. */
const RECORDED = 100_000;
const MILLION = 1_000_000;

const CHILD = fileURLToPath(new URL("audit_child.ts", import.meta.url));

/** Measures recording, reading, checking and searching a trail. */
export async function benchAudit({ events = MILLION, log }: AuditBenchOptions): Promise<object> {
  const folder = mkdtempSync(join(tmpdir(), "batos-bench-"));
  try {
    return await passes(folder, events, log);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function passes(folder: string, events: number, log: Log): Promise<object> {
  const pass = async (...words: string[]) => {
    log(words[0]!);
    const measured = await runMeasured([Deno.execPath(), "run", "-A", CHILD, folder, ...words]);
    const figures = JSON.parse(measured.stdout) as Record<string, number>;
    // Beside the time on the clock, which others on the machine lengthen: that of the processor, starting included.
    const cpu_seconds = Math.round(measured.cpuMs / 100) / 10;
    return { figures, cpu_seconds, megabytes: Math.round(measured.peakBytes / 1e6) };
  };
  const recorded = await pass("record", String(Math.min(RECORDED, events)));
  const written = await pass("write", String(events));
  const absorbed = await pass("absorb");
  const again = await pass("append-and-absorb");
  const verified = await pass("verify");
  const searched = await pass("search");
  const entropy = await pass("entropy");
  return {
    recording: { ...recorded.figures, peak_megabytes: recorded.megabytes },
    trail: written.figures,
    "taking it in": {
      ...absorbed.figures,
      cpu_seconds: absorbed.cpu_seconds,
      peak_megabytes: absorbed.megabytes,
    },
    "taking in one more question": again.figures,
    "checking the chain": {
      ...verified.figures,
      cpu_seconds: verified.cpu_seconds,
      peak_megabytes: verified.megabytes,
    },
    "searching it": searched.figures,
    "the entropy metric over it": { ...entropy.figures, peak_megabytes: entropy.megabytes },
  };
}
