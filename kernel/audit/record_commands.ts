/**
 * Commands other than questions in the audit trail: one event each, once they have ended.
 *
 * Owns which commands are noted and what is said of them. What must hold: results are handed out before anything is noted, so no
 * command waits for the trail; what cannot be noted costs nothing but the note.
 */
import {
  type CommandName,
  commands,
  type HandlerContext,
  type Handlers,
  type Input,
  type Result,
} from "../commands.ts";
import type { AuditTrail } from "./audit_trail.ts";
import { openTrail, type OpenTrailOptions } from "./open_trail.ts";

/** Commands of which somebody may want to know later. `ask` notes its steps itself. */
export const RECORDED = ["search", "refs", "impact", "ingest", "key_allow", "key_revoke"] as const;

/** Places that an event names; more are in the command's own output. */
const MOST_PLACES = 10;

type Some = Record<string, unknown>;
/** A handler, whichever it is. */
type Handler = (input: Some, context: HandlerContext) => Promise<unknown> | AsyncIterable<unknown>;

/**
 * The same handlers, noting what they did.
 *
 * @param folderOf state folder of the workspace that somebody means; throws where there is none
 * @param redactor loads what takes secrets out
 */
export function recordCommands(
  handlers: Handlers,
  folderOf: (repo: string | undefined) => string,
  redactor: OpenTrailOptions["redactor"],
): Handlers {
  // A search is no place to speak of the trail: `ask` says what is wrong with it.
  const progress = () => {};
  const open = async (repo: unknown, text: string) => {
    try {
      return await openTrail(folderOf(repo as string | undefined), { redactor, text, progress });
    } catch {
      // Where there is no workspace the command itself has said so.
      return undefined;
    }
  };
  const recorded: Record<string, unknown> = { ...handlers };
  for (const name of RECORDED) {
    recorded[name] = (input: Input<typeof name>, context: HandlerContext) =>
      noting(name, handlers[name] as unknown as Handler, input, context, open);
  }
  return recorded as unknown as Handlers;
}

async function* noting(
  name: CommandName,
  handler: Handler,
  input: Some,
  context: HandlerContext,
  open: (repo: unknown, text: string) => Promise<AuditTrail | undefined>,
): AsyncGenerator<unknown> {
  const begin = performance.now();
  const results: unknown[] = [];
  let found: string[] = [];
  let count = 0;
  let reason: string | undefined;
  try {
    const outcome = handler(input, context);
    for await (const result of Symbol.asyncIterator in outcome ? outcome : once(outcome)) {
      count++;
      // A watch goes on for days: the last result says enough.
      results[0] = result;
      found = [...found, ...placesOf(result as Some)].slice(0, MOST_PLACES);
      yield result;
    }
  } catch (error) {
    reason = context.signal.aborted
      ? "interrupted"
      : error instanceof Error
      ? error.message
      : String(error);
    throw error;
  } finally {
    if (input.dry_run !== true && input.audit !== false) {
      const subject = subjectOf(name, input);
      await using trail = await open(input.repo, subject);
      trail?.record({
        cycle_id: crypto.randomUUID(),
        psm_state: reason === undefined ? "COMPLETE" : "FAILED",
        active_persona: "BABS",
        event_type: "COMMAND",
        event_data: {
          command: name,
          subject,
          results: count,
          found,
          ...reason === undefined
            ? { exit: (commands[name].exit as (results: unknown) => number)(results) }
            : { reason },
          ms: Math.round(performance.now() - begin),
          ...name === "ingest" && { report: results[0] as Result<"ingest"> },
        },
        status: reason === undefined ? "SUCCESS" : "FAILURE",
      });
    }
  }
}

async function* once(outcome: Promise<unknown>): AsyncGenerator<unknown> {
  yield await outcome;
}

/** What was given to the command, as it would be typed. */
function subjectOf(name: CommandName, input: Some): string {
  const given = commands[name].positionals.flatMap((field) => input[field] ?? []);
  if (typeof input.queries === "string") given.push(`--queries ${input.queries}`);
  return given.join(" ");
}

function placesOf(result: Some): string[] {
  const listed = [result.results, result.definitions].find(Array.isArray) as Some[] | undefined;
  return (listed ?? []).slice(0, MOST_PLACES).map(({ path, start_line, end_line }) =>
    `${path}:${start_line}-${end_line}`
  );
}
