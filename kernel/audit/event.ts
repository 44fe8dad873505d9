/**
 * The event of the audit trail: the one schema that writers and readers of `metacognition.jsonl` share.
 *
 * Owns what an event is and nothing of how it is kept (`chain.ts`, `audit_trail.ts`). Pure. What must hold: the fields are those of
 * the specification, by their names; a field is never taken away, since trails of earlier versions are read for ever; whoever reads
 * a line validates it with `TRAIL_LINE`, and nobody has a schema of their own.
 */
import { z } from "zod";

/** Names of states and personas: short words, so that they stand in a line of JSON without escapes. */
const name = z.string().regex(/^[A-Za-z][\w.-]{0,63}$/, {
  error: "expected a short name: letters, digits, _, . and -",
});

/** Types that batos writes itself. A part may add its own in the same form, so that a reader keeps what it does not know. */
export const EVENT_TYPES = [
  /** A question or a command begins. */
  "CYCLE_STARTED",
  "STATE_TRANSITION",
  "LLM_CALL",
  /** A facet of a persona did something: which, by rules or by a model; of a model the hash of the words that it was told. */
  "FACET",
  /** One action on memory: what was looked for and what was found. */
  "RETRIEVAL_ACTION",
  /** The answer that was shown, with its citations. */
  "ANSWER",
  "CYCLE_FAILED",
  "CYCLE_INTERRUPTED",
  /** A command other than a question, once it has ended. */
  "COMMAND",
  /** A door turned something away: which, why, whom. Many of one kind are one event with their number. */
  "REFUSAL",
  /** A reply that found nobody. */
  "UNDELIVERED",
  /** A process died while it wrote into the image or the index: so much was cut off, behind the last transaction that is whole. */
  "IMAGE_LOG_CUT",
  /** The trail itself: its end was torn, or lines that had been there are gone. */
  "TRAIL_REPAIRED",
  /** The trail itself: so many events could not be written. */
  "EVENTS_LOST",
] as const;

/** One event, as the specification describes it. */
export const EVENT = z.strictObject({
  event_id: z.uuid(),
  /** Of the question or command that the event belongs to. */
  cycle_id: z.uuid(),
  /** By the clock of the machine, which may go back: the order of events is that of the lines. */
  timestamp: z.iso.datetime({ offset: true }),
  /** State of the cognitive cycle. */
  psm_state: name,
  active_persona: name,
  event_type: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, {
    error: "expected capitals and underscores, such as LLM_CALL",
  }),
  /** `llm_prompt`, `llm_response_raw`, `retrieved_chunk_ids` and whatever else belongs to the type. */
  event_data: z.record(z.string(), z.unknown()),
  status: z.enum(["SUCCESS", "FAILURE", "IN_PROGRESS"]),
});

/** One event of the trail. */
export type AuditEvent = z.output<typeof EVENT>;

/** A line of the trail: an event and its place in the hash chain, which `chain.ts` describes. */
export const TRAIL_LINE = EVENT.extend({
  /** Number of the line in the whole trail, over all its files, from 1. */
  sequence: z.int().min(1),
  /** `hash` of the line before; zeros in the first. */
  previous: z.string().regex(/^[0-9a-f]{64}$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});

/** One line of the trail, read. */
export type TrailLine = z.output<typeof TRAIL_LINE>;

/** What a recorder is given: it adds `event_id` and `timestamp`. */
export const NEW_EVENT = EVENT.omit({ event_id: true, timestamp: true });

/** An event before it is recorded. It must not be changed afterwards: it is written a moment later. */
export type NewEvent = z.input<typeof NEW_EVENT>;

/** Takes events. The trail is one; whoever has something to record needs no more than this. */
export interface Recorder {
  /**
   * Notes an event. It is in the trail a moment later, whatever happens to the cycle that it belongs to.
   * @returns a promise where the recorder has no room: the caller awaits it before the next event
   */
  record(event: NewEvent): Promise<void> | undefined;
}

/** A line of the trail as a value, or what is wrong with it. */
export function parseTrailLine(value: unknown): { event: TrailLine } | { problem: string } {
  const parsed = TRAIL_LINE.safeParse(value);
  if (parsed.success) return { event: parsed.data };
  const issue = parsed.error.issues[0]!;
  return { problem: `${issue.path.join(".") || "the line"}: ${issue.message}` };
}
