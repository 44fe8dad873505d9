/**
 * The reader of the audit trail: lines of its files as a stream, by byte offset.
 *
 * Owns how lines are found and where reading goes on; the names of the files and the schema of an event are handed in by
 * their owner. What must hold:
 * - a last line without its line feed is not there yet: it is left for the next time;
 * - a line that is no event is reported with its number and passed over; it never ends the stream, and never costs more memory than
 *   `LONGEST_LINE`;
 * - a file that is moved aside while it is read is read to its end, then the next one, no line twice and none left out.
 */

/** A file of the trail: the number of its first line in the whole trail is its identity, its name changes. */
export interface TrailSource {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** From 1. */
  readonly first: number;
}

/** Where reading goes on. */
export interface TrailPosition {
  /** Number of the first line of the file, which names the file. */
  readonly first: number;
  /** Bytes of the file that were read. */
  readonly offset: number;
  /** Number of the next line in the whole trail. */
  readonly line: number;
}

/** A line as it lies in its file. */
export interface RawTrailLine {
  /** Name of the file. */
  readonly file: string;
  /** In the whole trail, from 1. */
  readonly line: number;
  /** Where it begins in its file, in bytes. */
  readonly offset: number;
  /** Without the line feed; undefined where it is longer than `LONGEST_LINE`. */
  readonly bytes: Uint8Array | undefined;
}

/** A validated line. */
export interface TrailEntry<E> {
  readonly file: string;
  readonly line: number;
  readonly offset: number;
  /** The line itself. */
  readonly text: string;
  readonly event: E;
}

/** A line that is no event. */
export interface TrailProblem {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

/** Some lines, and where the next ones begin. */
export interface TrailBatch<E> {
  readonly entries: readonly TrailEntry<E>[];
  readonly problems: readonly TrailProblem[];
  readonly next: TrailPosition;
}

/** Whoever owns the schema: a parsed line as an event, or what is wrong with it. */
export type ValidateEvent<E> = (value: unknown) => { event: E } | { problem: string };

/** A longer line is passed over: it would fill the memory, and no writer of ours makes one. */
export const LONGEST_LINE = 32_000_000;
/** Read at once: some hundred lines; larger blocks are no faster, and a long ingest keeps several of them. */
const BLOCK = 1 << 18;
const NEWLINE = 10;

/**
 * Streams the lines of a trail.
 *
 * @param list gives the files as they are now, oldest first; it is called again whenever a file ends
 * @param from where to begin; the oldest line by default. A file that is no more there is passed over.
 */
export async function* readTrailLines(
  list: () => readonly TrailSource[],
  from?: TrailPosition,
  signal?: AbortSignal,
): AsyncGenerator<{ lines: RawTrailLine[]; next: TrailPosition }> {
  let position = from;
  for (;;) {
    const opened = openAt(list, position);
    if (opened === undefined) return;
    using file = opened.file;
    const { source } = opened;
    let { offset, line } = position?.first === source.first
      ? position
      : { offset: 0, line: source.first };
    const isFollowed = () => list().some(({ first }) => first > source.first);
    let wasFollowed = false;
    for (let rest: Uint8Array[] = [], tail = 0, skipped = 0;;) {
      signal?.throwIfAborted();
      file.seekSync(offset + tail + skipped, Deno.SeekMode.Start);
      const block = new Uint8Array(BLOCK);
      const length = await file.read(block);
      if (length === null) {
        // Nobody appends to a file that is followed by another: its end is its end only then.
        if (wasFollowed) break;
        wasFollowed = isFollowed();
        if (!wasFollowed) return;
        continue;
      }
      const lines: RawTrailLine[] = [];
      let start = 0;
      for (;;) {
        const end = block.subarray(0, length).indexOf(NEWLINE, start);
        if (end < 0) break;
        const size = skipped + tail + end - start;
        const bytes = skipped > 0 || size > LONGEST_LINE
          ? undefined
          : joined(rest, block.subarray(start, end), size);
        lines.push({ file: source.name, line, offset, bytes });
        offset += size + 1;
        line++;
        start = end + 1;
        rest = [];
        tail = skipped = 0;
      }
      const left = length - start;
      if (skipped > 0 || tail + left > LONGEST_LINE) {
        skipped += tail + left;
        rest = [];
        tail = 0;
      } else if (left > 0) {
        rest.push(block.subarray(start, length));
        tail += left;
      }
      position = { first: source.first, offset, line };
      if (lines.length > 0) yield { lines, next: position };
    }
    position = { first: source.first + 1, offset: 0, line: source.first };
  }
}

/** Streams the events of a trail: see `readTrailLines`. */
export async function* readTrail<E>(
  list: () => readonly TrailSource[],
  validate: ValidateEvent<E>,
  from?: TrailPosition,
  signal?: AbortSignal,
): AsyncGenerator<TrailBatch<E>> {
  for await (const { lines, next } of readTrailLines(list, from, signal)) {
    const entries: TrailEntry<E>[] = [];
    const problems: TrailProblem[] = [];
    for (const { file, line, offset, bytes } of lines) {
      const parsed = parseLine(bytes, validate);
      if ("event" in parsed) entries.push({ file, line, offset, ...parsed });
      else problems.push({ file, line, reason: parsed.problem });
    }
    yield { entries, problems, next };
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A line as text and event, or what is wrong with it. */
export function parseLine<E>(
  bytes: Uint8Array | undefined,
  validate: ValidateEvent<E>,
): { text: string; event: E } | { problem: string } {
  if (bytes === undefined) return { problem: `longer than ${LONGEST_LINE} bytes` };
  try {
    const text = utf8.decode(bytes);
    const parsed = validate(JSON.parse(text));
    return "event" in parsed ? { text, event: parsed.event } : parsed;
  } catch (error) {
    return { problem: `no JSON: ${(error as Error).message}` };
  }
}

/** The file of a position, or the next one behind it. */
function openAt(list: () => readonly TrailSource[], position: TrailPosition | undefined) {
  for (;;) {
    const find = () => list().find(({ first }) => first >= (position?.first ?? 0));
    const source = find();
    if (source === undefined) return undefined;
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(source.path, { read: true });
    } catch (error) {
      // Moved aside since it was listed: it has another name now.
      if (error instanceof Deno.errors.NotFound && find()?.path !== source.path) continue;
      throw error;
    }
    // Under this name there may be the next file already; the number of the first line tells.
    if (find()?.path === source.path) return { file, source };
    file.close();
  }
}

function joined(rest: readonly Uint8Array[], last: Uint8Array, size: number): Uint8Array {
  if (rest.length === 0) return last;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of [...rest, last]) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
