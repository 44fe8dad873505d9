/**
 * The agent's own past: the action that asks the audit trail, and the answer that is made of what it gives.
 *
 * Owns how cycles of the trail become an observation and a text. What must hold: everything said of a cycle is what its events say; each
 * is cited by its lines in the trail, numbered over the whole of it, so that a citation stays true when files are moved aside.
 */
import { counted, parseTime, TIME_FORMS, TRAIL_PATH } from "../kernel/mod.ts";
import type { Fractal, FractalFilter, LinesStatus } from "../rag/mod.ts";
import type { ContextItem, MorphState } from "./driver.ts";
import { visible } from "./excerpt.ts";
import { fenceFor } from "./governor.ts";
import type { Past } from "./past_question.ts";

/** The trail, as far as the agent asks it. */
export interface TrailPort {
  /** Cycles that speak of the query, best first; the latest without one. */
  search(query: string, filter: FractalFilter): Promise<Fractal[]>;
  /** Whether lines of the trail are those that were read. */
  check(first: number, last: number): Promise<LinesStatus>;
}

/** Arguments of the action `audit`. */
export interface AuditArguments {
  readonly query: string;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly only: "all" | "questions" | "commands" | "failed" | "refused";
  readonly k: number;
}

/** Longest question, missing thing or step that is shown. */
const LONGEST = 160;
/** Files, missing things and steps of one cycle that are named. */
const MOST_FILES = 5;
const MOST_MISSING = 4;
const MOST_STEPS = 12;

/**
 * Asks the trail.
 * @param except the cycle that asks
 */
export async function askTrail(
  args: AuditArguments,
  trail: TrailPort | undefined,
  except: string | undefined,
): Promise<{ summary: string; items: ContextItem[] }> {
  if (trail === undefined) return { summary: "no audit trail is kept here", items: [] };
  const now = Date.now();
  const [since, until] = [args.since, args.until].map((text) => text ? parseTime(text, now) : {});
  if (since === undefined || until === undefined) {
    const bad = since === undefined ? args.since : args.until;
    return { summary: `"${bad}" is no time; write ${TIME_FORMS}`, items: [] };
  }
  const found = await trail.search(args.query, {
    since: since.since,
    until: until.until ?? until.since,
    only: args.only,
    limit: args.k,
    except,
  });
  const places = found.map((fractal) => placeOf(fractal));
  return {
    summary: found.length > 0
      ? `${found.length} cycles: ${places.join(", ")}`
      : "the audit trail holds nothing like it",
    items: found.map((fractal) => ({ type: "cycle", fractal })),
  };
}

function placeOf({ firstLine, lastLine }: Fractal): string {
  return `${TRAIL_PATH}:${firstLine}-${lastLine}`;
}

/** The answer to a question about the past, at most `budget.answerTokens`. */
export function composePast(state: MorphState, past: Past): string {
  const items = state.retrieved_context.filter((item) => item.type === "cycle");
  const found = [...new Map(items.map(({ fractal }) => [fractal.oid, fractal])).values()];
  // Earlier questions of this kind say nothing, unless there is nothing else.
  const asking = found.filter(({ aboutPast }) => !aboutPast);
  const cycles = asking.length > 0 || past.only === "failed" ? asking : found;
  const asked = state.reasoning_log.filter(({ action }) => action === "audit");
  const outside = asked.length > 1 && cycles.length > 0;
  let text = "";
  for (let shown = cycles.length; shown >= 0; shown--) {
    text = write(cycles, shown, past, outside, asked.at(-1)?.observation ?? "");
    if (state.count(text) <= state.budget.answerTokens) break;
  }
  return text;
}

const HEADLINE =
  "Extractive answer (no model attached): quoted from the audit trail, nothing is reworded.";

function write(
  cycles: readonly Fractal[],
  shown: number,
  past: Past,
  outside: boolean,
  observation: string,
): string {
  const about = past.query
    ? ` about ${past.query.split(" ").map((word) => `“${visible(word)}”`).join(", ")}`
    : "";
  const when = past.time ? ` (${past.time})` : "";
  const what = {
    all: "entry",
    questions: "question",
    commands: "command",
    failed: "entry that failed or found nothing",
    refused: "refusal",
  }[past.only];
  if (cycles.length === 0) {
    const reason = observation.startsWith("no audit trail") ? ` (${observation})` : "";
    return `${HEADLINE}\n\nNothing found: no ${what}${about}${when} in the audit trail${reason}.`;
  }
  const many = cycles.length === 1 ? `1 ${what}` : `${cycles.length} ${plural(what)}`;
  const head = outside
    ? `Nothing found${about}${when}; at other times: ${many}:`
    : `${many}${about}${when}:`;
  const ordered = [...cycles].sort((one, other) => other.since - one.since);
  const rows = ordered.slice(0, shown).map((fractal) => row(fractal, past.steps));
  if (shown < cycles.length) rows.push(`- … ${cycles.length - shown} more`);
  return `${HEADLINE}\n\n${head}\n\n${rows.join("\n")}`;
}

function plural(what: string): string {
  return what.startsWith("entry") ? what.replace("entry", "entries") : `${what}s`;
}

function row(fractal: Fractal, steps: boolean): string {
  const { digest } = fractal;
  const unnamed = digest.kind ? "" : "events without a beginning";
  const subject = digest.subject ? `“${clip(digest.subject)}”` : unnamed;
  const kind = digest.kind === "question" || digest.kind === ""
    ? ""
    : `\`${visible(digest.kind)}\` `;
  const ended = {
    done: "answered",
    nothing: "nothing found",
    failed: "failed",
    interrupted: "interrupted",
    open: "did not end",
    refused: "refused",
  }[digest.outcome];
  const files = [...new Set(digest.citations.map((place) => place.replace(/:\d+(-\d+)?$/, "")))];
  const named = files.slice(0, MOST_FILES).map((path) => `\`${visible(path)}\``).join(", ");
  const more = files.length > MOST_FILES ? ` and ${files.length - MOST_FILES} more` : "";
  const stepCount = digest.stepCount > 0 ? ` in ${counted(digest.stepCount, "step")}` : "";
  const lines = [
    `- ${localTime(fractal.since)} ${`${kind}${subject}`.trim()}: ${
      kind && digest.outcome === "done" ? "done" : ended
    }${stepCount}${named && `, from ${named}${more}`} (\`${placeOf(fractal)}\`)`,
  ];
  const list = (label: string, entries: readonly string[], most: number) => {
    if (entries.length === 0) return;
    const rest = entries.length > most ? `; ${entries.length - most} more` : "";
    lines.push(`  ${label}: ${entries.slice(0, most).map(clip).join("; ")}${rest}`);
  };
  list("Missing", digest.missing, MOST_MISSING);
  list("Wrong", digest.failures, MOST_MISSING);
  if (steps) {
    const done = digest.steps.map(({ action, asked, observation }) =>
      `${action} ${clip(asked)} → ${clip(observation)}`
    );
    if (done.length > MOST_STEPS) {
      done.splice(MOST_STEPS, Infinity, `… ${digest.stepCount - MOST_STEPS} more steps`);
    }
    // In a fence: places that were seen then are not what this answer cites.
    const fence = fenceFor(done.join("\n"));
    if (done.length > 0) {
      lines.push(
        `  ${fence}text`,
        ...done.map((step) => `  ${step}`),
        `  ${fence}`,
      );
    }
  }
  return lines.join("\n");
}

function clip(text: string): string {
  const line = visible(text.replace(/\s+/g, " ").trim());
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`;
}

/** `2026-11-20 14:03`, by the clock on the wall. */
function localTime(time: number): string {
  const date = new Date(time);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${
    two(date.getHours())
  }:${two(date.getMinutes())}`;
}
