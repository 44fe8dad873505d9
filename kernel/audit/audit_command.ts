/**
 * The command `audit`: events of the trail that fit, the latest of them, as they come; and the check of the whole.
 *
 * Owns which events are shown. Whoever reads lines of files is handed in. What must hold: a bad line is told of and passed over; memory
 * stays bounded by the number of events that are shown; following a trail sees every event once, over files that are moved aside.
 */
import { CommandError, type HandlerContext, type Input, type Result } from "../commands.ts";
import { listTrailFiles, type RawLine, type TrailFile, verifyTrail } from "./chain.ts";
import { parseTrailLine, type TrailLine } from "./event.ts";
import { parseTime } from "./time_range.ts";
import { readHead } from "./trail_files.ts";

/** Where reading goes on. */
export interface LinePosition {
  readonly first: number;
  readonly offset: number;
  readonly line: number;
}

/** Streams the lines of files from a position on: `readTrailLines` of ingest. */
export type ReadLines = (
  list: () => readonly TrailFile[],
  from?: LinePosition,
  signal?: AbortSignal,
) => AsyncIterable<{ readonly lines: readonly RawLine[]; readonly next: LinePosition }>;

/** Events shown where nobody says how many: some screens. */
const DEFAULT_LIMIT = 50;
/** How often a follower looks: at once for a person, nothing for a core. */
const FOLLOW_MS = 200;

/**
 * Answers `audit` about the trail in a state folder.
 * @throws the signal's reason when it is aborted, unless it follows: then that is its end
 */
export async function* runAudit(
  folder: string,
  input: Input<"audit">,
  read: ReadLines,
  context: HandlerContext,
): AsyncGenerator<Result<"audit">> {
  const list = () => listTrailFiles(folder);
  if (input.verify) {
    const files = list();
    const verdict = await verifyTrail(
      read(list, undefined, context.signal),
      files,
      readHead(folder),
    );
    yield { ...verdict, files: files.map(({ name }) => name) };
    return;
  }
  const fits = filterOf(input);
  const limit = input.limit ?? (input.cycle === undefined ? DEFAULT_LIMIT : Infinity);
  const { events, next } = await latest(list, fits, limit, read, context);
  yield* events;
  if (input.follow) yield* follow(list, next, fits, read, context);
}

type Fits = (event: TrailLine) => boolean;

function filterOf(input: Input<"audit">): Fits {
  const now = Date.now();
  const since = input.since === undefined
    ? -Infinity
    : parseTime(input.since, now)?.since ?? -Infinity;
  const limit = input.until === undefined ? undefined : parseTime(input.until, now);
  // `--until 2h` means two hours ago, `--until yesterday` the end of that day.
  const until = limit?.until ?? limit?.since ?? Infinity;
  if (until < since) {
    throw new CommandError(
      `--since "${input.since}" --until "${input.until}": the one is not before the other; exchange them`,
    );
  }
  const cycle = input.cycle?.toLowerCase() ?? "";
  const type = input.type?.toUpperCase().replaceAll("-", "_");
  return (event) => {
    if (!event.cycle_id.startsWith(cycle)) return false;
    if (type !== undefined && event.event_type !== type) return false;
    const time = Date.parse(event.timestamp);
    return since <= time && time <= until;
  };
}

/** The last events that fit: the newest file first, until there are enough. */
async function latest(
  list: () => readonly TrailFile[],
  fits: Fits,
  limit: number,
  read: ReadLines,
  context: HandlerContext,
): Promise<{ events: TrailLine[]; next: LinePosition | undefined }> {
  let events: TrailLine[] = [];
  let next: LinePosition | undefined;
  let before = Infinity;
  for (const file of list().toReversed()) {
    let found: TrailLine[] = [];
    // Of the newest file that has lines: one that was just begun may have none yet.
    const isEnd = next === undefined;
    const from = { first: file.first, offset: 0, line: file.first };
    for await (const batch of read(list, from, context.signal)) {
      // Reading goes on into the files behind this one, which were read already.
      const lines = batch.lines.filter(({ line }) => line < before);
      if (lines.length === 0) break;
      if (isEnd) next = batch.next;
      found.push(...eventsOf(lines, context).filter(fits));
      const room = limit - events.length;
      if (found.length > 2 * room + DEFAULT_LIMIT) found = found.slice(-room);
      context.progress({ phase: "reading the audit trail", done: batch.next.line });
    }
    events = [...found.slice(-Math.max(1, limit - events.length)), ...events];
    before = file.first;
    if (events.length >= limit) break;
  }
  return { events: limit === Infinity ? events : events.slice(-limit), next };
}

async function* follow(
  list: () => readonly TrailFile[],
  from: LinePosition | undefined,
  fits: Fits,
  read: ReadLines,
  context: HandlerContext,
): AsyncGenerator<TrailLine> {
  let position = from;
  while (!context.signal.aborted) {
    for await (const { lines, next } of read(list, position)) {
      position = next;
      yield* eventsOf(lines, context).filter(fits);
    }
    await pause(FOLLOW_MS, context.signal);
  }
}

function eventsOf(lines: readonly RawLine[], { progress }: HandlerContext): TrailLine[] {
  return lines.flatMap(({ bytes, file, line }) => {
    const parsed = parse(bytes);
    if ("event" in parsed) return [parsed.event];
    const detail = `line ${line}, in ${file}, is no event and passed over: ${parsed.problem}`;
    progress({ phase: "", detail, note: true });
    return [];
  });
}

function parse(bytes: Uint8Array | undefined): { event: TrailLine } | { problem: string } {
  if (bytes === undefined) return { problem: "it is too long" };
  try {
    return parseTrailLine(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Waits, or ends at once when nobody waits for it any more. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
