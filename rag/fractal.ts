/**
 * ContextFractals: what a cycle of the audit trail was about, folded from its events.
 *
 * Owns which events say what, the summary, and the words by which a fractal is found. Pure. What must hold: a fractal is a function of
 * the events of its cycle in the order of their lines, folded one by one, so it does not matter in how many pieces they arrive;
 * its size is bounded whatever the number of events; an event of an unknown type counts, and breaks nothing.
 */

/** An event of the trail, as far as memory reads it; its schema is the kernel's, which validated it. */
export interface TrailEvent {
  readonly cycle_id: string;
  readonly active_persona: string;
  /** ISO 8601. */
  readonly timestamp: string;
  readonly event_type: string;
  readonly event_data: Readonly<Record<string, unknown>>;
  readonly status: "SUCCESS" | "FAILURE" | "IN_PROGRESS";
}

/** How a cycle ended; `open` when its last event has not come, or never will, `refused` when a door turned it away. */
export type Outcome = "done" | "nothing" | "failed" | "interrupted" | "open" | "refused";

/** A step of a cycle: what was done, what came of it. */
export interface FractalStep {
  readonly action: string;
  readonly asked: string;
  readonly observation: string;
  readonly failed: boolean;
}

/** What a cycle was about and what came of it. */
export interface Digest {
  /** `question`, the name of a command, `refusal`, or empty where no event says. */
  readonly kind: string;
  /** The question, or the command as it was given. */
  readonly subject: string;
  readonly answer: string;
  readonly outcome: Outcome;
  /** What thought, `extractive` for example. */
  readonly driver: string;
  /** The first steps; `stepCount` says how many there were. */
  readonly steps: readonly FractalStep[];
  readonly stepCount: number;
  readonly modelCalls: number;
  readonly tokens: number;
  /** Places that the answer cited, `path:start-end`. */
  readonly citations: readonly string[];
  /** What went wrong. */
  readonly failures: readonly string[];
  /** What was looked for and not found, or found no room. */
  readonly missing: readonly string[];
  readonly events: number;
  /** How often each facet of a persona was at work, by `PERSONA facet`. */
  readonly facets: Readonly<Record<string, number>>;
  /** Milliseconds from the question to its answer. */
  readonly ms: number;
  /** The transaction of the image that keeps the cycle; 0 where no event names one. */
  readonly tid: number;
}

/** Nothing known yet. */
export const NO_DIGEST: Digest = {
  kind: "",
  subject: "",
  answer: "",
  outcome: "open",
  driver: "",
  steps: [],
  stepCount: 0,
  modelCalls: 0,
  tokens: 0,
  citations: [],
  failures: [],
  missing: [],
  events: 0,
  facets: {},
  ms: 0,
  tid: 0,
};

/** Steps, citations, failures and missing things that a digest names. The events themselves hold the rest. */
const MOST_STEPS = 24;
const MOST_NAMED = 24;
/** Facets that are counted: there are four, and what a person adds. */
const MOST_FACETS = 64;
/** Characters of a question, an answer, a line of a step. */
const LONGEST_SUBJECT = 2_000;
const LONGEST_ANSWER = 1_500;
const LONGEST_LINE = 200;

/** The digest with one more event. */
export function fold(digest: Digest, event: TrailEvent): Digest {
  const next = { ...digest, events: digest.events + 1 };
  const { event_data: data, status } = event;
  const failure = status === "FAILURE" ? reasonOf(data) : "";
  switch (event.event_type) {
    case "CYCLE_STARTED":
      next.kind = textOf(data.kind, LONGEST_LINE) || "question";
      next.subject = textOf(data.question ?? data.subject, LONGEST_SUBJECT);
      return next;
    case "RETRIEVAL_ACTION": {
      next.stepCount++;
      const step = stepOf(data, status === "FAILURE");
      if (next.steps.length < MOST_STEPS) next.steps = [...next.steps, step];
      if (step.failed) {
        next.missing = add(next.missing, `${step.action} ${step.asked}: ${step.observation}`);
      }
      return next;
    }
    case "LLM_CALL":
      next.modelCalls++;
      next.tokens += numberOf(data.tokens);
      if (failure) next.failures = add(next.failures, failure);
      return next;
    case "FACET":
      next.facets = counted(next.facets, event);
      if (failure) next.failures = add(next.failures, failure);
      return next;
    case "ANSWER":
      next.ms = numberOf(data.ms);
      next.tid = numberOf(data.image_tid);
      next.answer = textOf(data.answer, LONGEST_ANSWER);
      next.driver = textOf(data.driver, LONGEST_LINE);
      next.tokens += numberOf(data.tokens);
      next.outcome = data.found === false || status === "FAILURE" ? "nothing" : "done";
      for (const citation of listOf(data.citations)) {
        next.citations = add(next.citations, placeOf(citation));
      }
      for (const missing of listOf(data.missing)) {
        next.missing = add(next.missing, textOf(missing, LONGEST_LINE));
      }
      return next;
    case "COMMAND":
      next.kind = textOf(data.command, LONGEST_LINE) || "command";
      next.subject = textOf(data.subject, LONGEST_SUBJECT);
      next.outcome = status === "FAILURE" ? "failed" : data.exit === 1 ? "nothing" : "done";
      if (failure) next.failures = add(next.failures, failure);
      for (const place of listOf(data.found)) next.citations = add(next.citations, placeOf(place));
      return next;
    case "REFUSAL":
    case "UNDELIVERED":
      next.kind = "refusal";
      next.subject = textOf(refusalText(data), LONGEST_SUBJECT);
      next.outcome = "refused";
      return next;
    case "CYCLE_FAILED":
    case "CYCLE_INTERRUPTED":
      next.outcome = event.event_type === "CYCLE_FAILED" ? "failed" : "interrupted";
      next.failures = add(next.failures, reasonOf(data));
      return next;
    default:
      if (failure) next.failures = add(next.failures, failure);
      return next;
  }
}

/** A few lines: what it was, how it ended, what it leant on, what was missing. */
export function summaryOf(digest: Digest, since: string): string {
  const { kind, subject, outcome, driver, steps, stepCount, citations, failures, missing } = digest;
  const head = kind === "question"
    ? `Question: ${subject}`
    : subject
    ? `${kind}: ${subject}`
    : kind;
  const ended = {
    done: "ended well",
    nothing: "found nothing",
    failed: "failed",
    interrupted: "was interrupted",
    open: "did not end",
    refused: "refused",
  }[outcome];
  const lines = [
    head || `Events without a beginning: ${digest.events}`,
    `${since}: ${ended}${driver && ` (${driver})`}${stepCount ? `, ${stepCount} steps` : ""}`,
  ];
  if (citations.length > 0) lines.push(`Cited: ${citations.join(", ")}`);
  if (missing.length > 0) lines.push(`Missing: ${missing.join("; ")}`);
  if (failures.length > 0) lines.push(`Wrong: ${failures.join("; ")}`);
  if (steps.length > 0) {
    lines.push(
      `Steps: ${steps.map(({ action, asked }) => `${action} ${asked}`.trim()).join("; ")}`,
    );
  }
  if (digest.answer) lines.push(`Answer: ${digest.answer}`);
  return lines.join("\n");
}

/** Texts by which a fractal is found: what was asked, and what was done about it. */
export function textsOf(digest: Digest): { subject: string; rest: string } {
  const steps = digest.steps.map(({ action, asked }) => `${action} ${asked}`);
  const rest = [
    ...steps,
    ...digest.citations,
    ...digest.missing,
    ...digest.failures,
    digest.answer,
  ];
  return { subject: digest.subject, rest: rest.join("\n") };
}

/** Whether a cycle only asked about other cycles: such questions are found last. */
export function isAboutPast(digest: Digest): boolean {
  return digest.kind === "audit" ||
    (digest.steps.length > 0 && digest.steps.every(({ action }) => action === "audit"));
}

/** The uses of facets with one more. */
function counted(
  facets: Digest["facets"],
  { active_persona, event_data }: TrailEvent,
): Digest["facets"] {
  const name = textOf(event_data.facet, LONGEST_LINE);
  if (name === "") return facets;
  const key = `${active_persona} ${name}`;
  const uses = Object.hasOwn(facets, key) ? facets[key]! : 0;
  if (uses === 0 && Object.keys(facets).length >= MOST_FACETS) return facets;
  return { ...facets, [key]: uses + 1 };
}

function stepOf(data: TrailEvent["event_data"], failed: boolean): FractalStep {
  const given = data.arguments;
  const values = typeof given === "object" && given !== null ? Object.values(given) : [];
  const asked = values.filter((value) => typeof value === "string").join(" ");
  return {
    action: textOf(data.action, LONGEST_LINE),
    asked: textOf(asked, LONGEST_LINE),
    observation: textOf(data.observation, LONGEST_LINE),
    failed,
  };
}

function reasonOf(data: TrailEvent["event_data"]): string {
  return textOf(data.reason ?? data.error ?? data.message, LONGEST_LINE) || "no reason was noted";
}

/** What a door turned away, why, and how often. */
function refusalText(data: TrailEvent["event_data"]): string {
  const count = numberOf(data.count);
  const who = ["peer", "address"].flatMap((field) => textOf(data[field], LONGEST_LINE) || []);
  return `${textOf(data.reason, LONGEST_LINE)} at ${textOf(data.door, LONGEST_LINE)}: ${
    textOf(data.detail, LONGEST_SUBJECT)
  }${who.length > 0 ? `; from ${who.join(" at ")}` : ""}${count > 1 ? `; ${count} times` : ""}`;
}

function placeOf(value: unknown): string {
  if (typeof value === "string") return value.slice(0, LONGEST_LINE);
  if (typeof value !== "object" || value === null) return "";
  const { path, start_line, end_line } = value as Record<string, unknown>;
  return `${textOf(path, LONGEST_LINE)}:${numberOf(start_line)}-${numberOf(end_line)}`;
}

function add(list: readonly string[], text: string): readonly string[] {
  return text === "" || list.length >= MOST_NAMED || list.includes(text) ? list : [...list, text];
}

function textOf(value: unknown, longest: number): string {
  if (typeof value !== "string") return "";
  return value.length <= longest ? value : `${value.slice(0, longest)}…`;
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
