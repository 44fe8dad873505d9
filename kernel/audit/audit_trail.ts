/**
 * The audit trail as those see it who have something to record.
 *
 * Owns the queue in front of the files: events are noted at once and written in batches, a few milliseconds of work at a time. What
 * must hold:
 * - `record` costs microseconds, waits for no disk and throws for nothing but a malformed event;
 * - the queue is bounded, in events and in characters; a caller that does not wait when told to is stopped by losing events, and
 *   the trail says how many;
 * - a trail that cannot be written (full disk, no rights) never stops the work that is recorded: it is tried again, reported once
 *   when that fails too, and at the end the number of lost events is reported;
 * - nothing is written that `redact` did not see.
 *
 * Durability: a batch is handed to the operating system a moment after its events were noted, and survives the end of the process from
 * then on, kill -9 included. `flush`, `close` and the moving aside of a file bring it to the disk (`fdatasync`), so a power cut
 * may cost what came after the last of these.
 */
import { counted } from "../counted.ts";
import { seal } from "./chain.ts";
import { type AuditEvent, NEW_EVENT, type NewEvent, type Recorder } from "./event.ts";
import { type Repair, TrailError, TrailFiles } from "./trail_files.ts";

/** How a trail is kept. */
export interface AuditTrailOptions {
  /** Takes secrets out of the JSON text of an event's data; what it returns must be JSON again. */
  readonly redact?: (json: string) => string;
  /** Told in one line, once for each thing that goes wrong. */
  readonly onProblem?: (message: string) => void;
  /** Size from which the file that grows is moved aside, in bytes. */
  readonly rotateBytes?: number;
  /** Events that wait to be written before `record` asks its caller to wait. */
  readonly capacity?: number;
  /** Whether `close` waits for the disk; true by default. */
  readonly durable?: boolean;
  /** Milliseconds since 1970; the clock of the machine by default. */
  readonly now?: () => number;
}

/** Large enough that an ordinary year of one person stays in one file, small enough to open in an editor. */
const ROTATE_BYTES = 64_000_000;
/** Some milliseconds of writing. */
const CAPACITY = 10_000;
/** Characters that wait: prompts of models are long, and the queue must not double the memory of the process. */
const CAPACITY_CHARACTERS = 64_000_000;
/** A caller that does not wait gets so many times the capacity before events are refused. */
const OVERFLOW = 2;
/** Encoding goes on for so long before others have their turn: a fraction of what anyone notices. */
const SLICE_MS = 2;
/** A write of more bytes holds the lock longer than it saves. */
const BATCH_CHARACTERS = 1_000_000;
/** A longer line is no event but a file: its data is replaced by its size, and the event says so. */
const LONGEST_DATA = 16_000_000;
/** Combinations of short fields that are remembered: some cycles at once, in some states. */
const MOST_VALID = 1_000;
/** After a failure the disk gets a rest, so that a full one is not tried at every event. */
const RETRY_MS = 1_000;
/** Cycle of events that are about the trail itself. */
const NO_CYCLE = "00000000-0000-0000-0000-000000000000";

interface Waiting {
  readonly event: NewEvent;
  readonly time: number;
  readonly characters: number;
}

/** See the module text. */
export class AuditTrail implements Recorder, AsyncDisposable {
  readonly #files: TrailFiles;
  readonly #options: AuditTrailOptions;
  readonly #capacity: number;
  readonly #now: () => number;
  #queue: Waiting[] = [];
  #valid = new Set<string>();
  #characters = 0;
  #draining: Promise<void> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #failedAt = -Infinity;
  #failure: string | undefined;
  #told: string | undefined;
  #lost = 0;
  /** Lost events that the trail does not tell of yet. */
  #unreported = 0;
  #wrote = false;
  #closed = false;

  /** @param folder state folder of the workspace. Nothing is opened before the first event. */
  constructor(folder: string, options: AuditTrailOptions = {}) {
    this.#files = new TrailFiles(folder, options.rotateBytes ?? ROTATE_BYTES);
    this.#options = options;
    this.#capacity = options.capacity ?? CAPACITY;
    this.#now = options.now ?? Date.now;
  }

  /** Events that were never written: the queue was full, or the disk refused them. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * Notes an event.
   * @returns a promise when there is no more room, fulfilled when there is
   * @throws {TrailError} when it is no event
   */
  record(event: NewEvent): Promise<void> | undefined {
    this.#requireValid(event);
    const characters = weigh(event.event_data);
    const isFull = this.#queue.length >= this.#capacity * OVERFLOW ||
      this.#characters + characters > CAPACITY_CHARACTERS * OVERFLOW;
    if (this.#closed || isFull) {
      this.#lose(1);
    } else {
      this.#queue.push({ event, time: this.#now(), characters });
      this.#characters += characters;
      this.#start();
    }
    // While a disk that refused has its rest, nobody is made to wait for it.
    if (!this.#isCrowded || this.#draining === undefined) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Checks an event by its schema. Its short fields come again and again: those that passed once pass. */
  #requireValid(event: NewEvent): void {
    const { cycle_id, psm_state, active_persona, event_type, event_data, status } = event;
    const names = `${cycle_id} ${psm_state} ${active_persona} ${event_type} ${status}`;
    if (
      this.#valid.has(names) && typeof event_data === "object" && event_data !== null &&
      !Array.isArray(event_data)
    ) return;
    const parsed = NEW_EVENT.safeParse(event);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw new TrailError(
        `record event "${event_type}": ${issue.path.join(".")}: ${issue.message}`,
      );
    }
    if (this.#valid.size >= MOST_VALID) this.#valid.clear();
    this.#valid.add(names);
  }

  /** Writes everything that was recorded so far, and brings it to the disk. */
  async flush(): Promise<void> {
    await this.#settle();
    if (this.#wrote && this.#options.durable !== false) {
      await this.#files.sync().catch((error) => this.#fail(error));
    }
  }

  /** Writes what waits, and ends. What cannot be written even now is lost, and reported. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.flush();
    if (this.#queue.length > 0) {
      this.#lose(this.#queue.length);
      this.#queue = [];
    }
    if (this.#lost > 0) {
      const events = this.#lost === 1 ? "1 event" : `${this.#lost} events`;
      const reason = this.#failure ?? "too many at once";
      this.#options.onProblem?.(
        `the audit trail in "${this.#files.folder}" lacks ${events}: ${reason}`,
      );
    }
    this.#files.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #isCrowded(): boolean {
    return this.#queue.length >= this.#capacity || this.#characters >= CAPACITY_CHARACTERS;
  }

  #lose(events: number): void {
    this.#lost += events;
    this.#unreported += events;
  }

  #start(): void {
    if (this.#draining === undefined && performance.now() - this.#failedAt >= RETRY_MS) {
      this.#work();
    }
  }

  /** One drain at a time: two would write the same events. */
  #work(): Promise<void> {
    return this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
      // After a failure too: work that is recorded never stops for its record.
      this.#release();
    });
  }

  /** Until nothing waits, or the disk refuses. */
  async #settle(): Promise<void> {
    await this.#draining;
    if (this.#queue.length > 0) await this.#work();
  }

  async #drain(): Promise<void> {
    // Events of one turn of the loop go into one batch.
    await new Promise((done) => setTimeout(done, 0));
    while (this.#queue.length > 0) {
      try {
        await this.#writeBatch();
        this.#failedAt = -Infinity;
      } catch (error) {
        this.#fail(error);
        return;
      } finally {
        if (!this.#isCrowded) this.#release();
      }
    }
  }

  #release(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    // A second time: what fails once may be over, and what lasts is told at the end of a short run anyway.
    const isLasting = this.#failure === reason && this.#told !== reason;
    this.#failure = reason;
    this.#failedAt = performance.now();
    if (!isLasting || this.#closed) return;
    this.#told = reason;
    this.#options.onProblem?.(
      `the audit trail in "${this.#files.folder}" cannot be written: ${reason}`,
    );
  }

  async #writeBatch(): Promise<void> {
    await this.#files.locked(async (end) => {
      const begin = performance.now();
      let { sequence, hash } = end;
      let text = "";
      const add = (event: NewEvent, time: number) => {
        const sealed = seal(this.#body(event, time, ++sequence, hash));
        hash = sealed.hash;
        text += sealed.line;
      };
      if (end.repair !== undefined) add(repaired(end.repair), this.#now());
      const unreported = this.#unreported;
      if (unreported > 0) add(lost(unreported, this.#failure), this.#now());
      let taken = 0;
      let characters = 0;
      while (taken < this.#queue.length && text.length < BATCH_CHARACTERS) {
        if (taken > 0 && performance.now() - begin > SLICE_MS) break;
        const waiting = this.#queue[taken++]!;
        characters += waiting.characters;
        add(waiting.event, waiting.time);
      }
      await end.append(new TextEncoder().encode(text), sequence, hash);
      this.#wrote = true;
      this.#unreported -= unreported;
      this.#characters -= characters;
      this.#queue.splice(0, taken);
      if (end.repair !== undefined) this.#options.onProblem?.(describe(end.repair));
    });
  }

  /** A line up to its seal. */
  #body(event: NewEvent, time: number, sequence: number, previous: string): string {
    const { cycle_id, psm_state, active_persona, event_type, status } = event;
    const timestamp = new Date(time).toISOString();
    return `{"event_id":"${crypto.randomUUID()}","cycle_id":"${cycle_id}","timestamp":"${timestamp}",` +
      `"psm_state":"${psm_state}","active_persona":"${active_persona}","event_type":"${event_type}",` +
      `"event_data":${this.#data(event.event_data)},"status":"${status}",` +
      `"sequence":${sequence},"previous":"${previous}"`;
  }

  #data(data: AuditEvent["event_data"]): string {
    let json: string;
    try {
      json = JSON.stringify(data);
    } catch (error) {
      return JSON.stringify({ unwritable: (error as Error).message.split("\n")[0] });
    }
    if (json.length > LONGEST_DATA) {
      return JSON.stringify({ left_out: `${json.length} characters`, fields: Object.keys(data) });
    }
    const { redact } = this.#options;
    if (redact === undefined) return json;
    const redacted = redact(json);
    if (redacted === json) return json;
    try {
      JSON.parse(redacted);
      return redacted;
    } catch {
      return JSON.stringify({ redacted: "all of it: it held a secret in a form that is no JSON" });
    }
  }
}

/** Characters of an event, near enough: long texts are what counts, and they stand at the top. */
function weigh(data: Record<string, unknown>): number {
  let characters = 0;
  for (const key in data) {
    const value = data[key];
    if (typeof value === "string") characters += value.length;
  }
  return characters;
}

function aboutTrail(event_type: string, event_data: AuditEvent["event_data"]): NewEvent {
  return {
    cycle_id: NO_CYCLE,
    psm_state: "IDLE",
    active_persona: "ALFRED",
    event_type,
    event_data,
    status: "FAILURE",
  };
}

function repaired({ cut, lost }: Repair): NewEvent {
  return aboutTrail("TRAIL_REPAIRED", { cut_bytes: cut, lost });
}

function lost(events: number, reason: string | undefined): NewEvent {
  return aboutTrail("EVENTS_LOST", { events, reason: reason ?? "too many at once" });
}

function describe({ cut, lost }: Repair): string {
  const said = [
    ...cut > 0 ? [`a torn line of ${cut} bytes was cut off`] : [],
    ...lost > 0 ? [`${counted(lost, "line")} that had been written are gone`] : [],
  ];
  return `the audit trail did not end as it was left: ${
    said.join(", ")
  }; "batos audit --verify" checks the rest`;
}
