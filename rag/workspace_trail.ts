/**
 * The audit trail of a workspace over time: when what was appended is taken into memory.
 *
 * Owns this policy: nothing is read before somebody asks, and then once. What must hold: only the holder of the writer's lock writes; a
 * question never fails because the trail could not be read again, nor waits for another writer.
 */
import type { TrailProblem, ValidateEvent } from "../ingest/mod.ts";
import type { TrailEvent } from "./fractal.ts";
import { type Memory, openMemory } from "./memory.ts";
import type { Fractal, FractalFilter, LinesStatus, ListTrail, TrailReport } from "./trail_index.ts";
import type { IndexPlace } from "./workspace_index.ts";

/** What the policy needs to know and to be able to do about the place. */
export interface TrailPlace
  extends Pick<IndexPlace, "root" | "lock" | "isRefusal" | "progress" | "signal"> {
  readonly list: ListTrail;
  readonly validate: ValidateEvent<TrailEvent>;
}

/** See the module text. */
export class WorkspaceTrail {
  readonly #place: TrailPlace;
  readonly #memory: Memory;
  #current: Promise<void> | undefined;

  /** @param memory open for reading; it sees what is taken in meanwhile */
  constructor(memory: Memory, place: TrailPlace) {
    this.#memory = memory;
    this.#place = place;
  }

  /** Cycles of the trail, as it is when the first of them is asked for. */
  async search(query: string, filter: FractalFilter): Promise<Fractal[]> {
    await (this.#current ??= this.#refresh());
    return this.#memory.trail.search(query, filter);
  }

  /** The latest questions that came to their end; see `TrailIndex.answered`. */
  async answered(limit: number, failed = false): Promise<Fractal[]> {
    await (this.#current ??= this.#refresh());
    return this.#memory.trail.answered(limit, failed);
  }

  /** How many of them there are; with a time, how many that ended at or after it. */
  async countAnswered(since?: number): Promise<number> {
    await (this.#current ??= this.#refresh());
    return this.#memory.trail.countAnswered(since);
  }

  /** Whether lines of the trail are those that were read. */
  async check(first: number, last: number): Promise<LinesStatus> {
    return await this.#memory.trail.check(first, last, this.#place.list);
  }

  async #refresh(): Promise<void> {
    const { root, progress, lock, isRefusal } = this.#place;
    try {
      using _lock = await lock(0);
      using writable = openMemory(root);
      await absorbTrail(writable, this.#place);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const detail = `${error.message}; going on with the audit trail as it was read last`;
      progress({ phase: "", detail, note: true });
    }
  }
}

/** Takes the trail into a memory that is open for writing. To be called under the lock. */
export async function absorbTrail(
  memory: Memory,
  { list, validate, signal, progress }: Omit<TrailPlace, "root" | "lock" | "isRefusal">,
): Promise<TrailReport> {
  const report = await memory.trail.absorb(list, validate, {
    signal,
    onProgress: (done) => progress({ phase: "reading the audit trail", done }),
  });
  const [first] = report.problems;
  if (first !== undefined) {
    progress({ phase: "", detail: describe(first, report.problems.length), note: true });
  }
  return report;
}

function describe({ file, line, reason }: TrailProblem, count: number): string {
  const lines = count === 1 ? "1 line is" : `${count} lines are`;
  return `audit trail: ${lines} no event and passed over; the first is line ${line}, in ${file}: ${reason}`;
}
