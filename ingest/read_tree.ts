/**
 * From a folder to a stream of parsed files: the one way in which content enters the index.
 *
 * Owns reading: each file once, hashed, decoded, judged by its content, parsed. Touches no database. What must hold:
 * - a file that is known with the same size and time is not opened, unless it changed so close to the last run that its
 *   time cannot tell (see `trustedBefore`); one whose hash is the same is not parsed;
 * - the text, the hash, the size and the time of a file belong to one state of it: a file that is being written is read
 *   again, and reported if it does not come to rest;
 * - every path of the walk gives exactly one event, in the order of the paths, so the caller may drop what it knows and
 *   did not hear of. A `problem` says nothing about the content: what is known of that path stays;
 * - a file that vanishes on the way is `skipped`, as if it had never been listed.
 */
import type { ChunkOptions } from "./chunk.ts";
import { decodeText } from "./encoding.ts";
import { languageOf } from "./languages.ts";
import { GarbageCollection } from "./garbage.ts";
import { type Parse, parse, type ParsedSource } from "./parse.ts";
import { Pause } from "./pause.ts";
import { skipByContent } from "./skip.ts";
import type { Encoding, Problem, SourceFile } from "./source_file.ts";
import { brief, type Entry, type Skip, walk, type WalkOptions } from "./walk.ts";

/** What the reader of a tree hears, first the plan. */
export type TreeEvent =
  /** How many events with a path follow, and how many bytes the files among them have. */
  | { readonly type: "plan"; readonly total: number; readonly bytes: number }
  /** New or changed. */
  | { readonly type: "file"; readonly file: SourceFile }
  /** Known with this content; `touched` is its modification time, if that is not the known one. */
  | { readonly type: "unchanged"; readonly path: string; readonly touched?: number }
  /** Not part of the index; a path that ends in `/` stands for all below it. */
  | { readonly type: "skipped"; readonly path: string; readonly reason: string }
  /** Could not be determined this time; the path `.` stands for the workspace and is not counted in the plan. */
  | { readonly type: "problem"; readonly problem: Problem };

/** What is known of a file from the last run, as it was reported in `SourceFile`. */
export interface Known {
  readonly hash: string;
  readonly bytes: number;
  readonly mtime: number;
}

/** What to read of a workspace, how to cut it, and what to trust of the last run. */
export interface ReadOptions extends WalkOptions {
  readonly chunk?: ChunkOptions;
  readonly signal?: AbortSignal;
  /**
   * When the last complete run began, in milliseconds. A file that changed after that may have changed again without a
   * sign in size and time, so its hash decides. By default size and time are trusted.
   */
  readonly trustedBefore?: number;
  /**
   * Who parses: here and now by default. Another thread parses meanwhile, ahead of whoever reads the stream; `unparsed` only tells which
   * files are new or changed.
   */
  readonly parse?: Parse;
}

/** Clocks of file systems lag behind the clock of the program, by 2 seconds at worst (FAT). */
const CLOCK_LAG = 2000;
/**
 * Characters of text that somebody else may have to parse at once: enough that neither side waits for the other, little enough to take
 * no memory.
 */
const AHEAD = 250_000;
/** Waits in milliseconds before a file that changed while it was read is read again. */
const RETRY_AFTER = [5, 25, 125];

/**
 * Reads the workspace at `root`, new and changed files in full.
 *
 * @throws {Error} when the root cannot be read, or a scope leads outside it
 * @throws the reason of `signal` when that is aborted
 */
export async function* readTree(
  root: string,
  known: ReadonlyMap<string, Known>,
  options: ReadOptions = {},
): AsyncGenerator<TreeEvent> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { entries, skipped, problems } = await walk(root, options);
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  yield { type: "plan", total: entries.length + skipped.length, bytes };
  for (const problem of problems) yield { type: "problem", problem };
  const underWay: Step[] = [];
  let characters = 0;
  for await (const step of readEntries(root, entries, skipped, known, options)) {
    underWay.push(step);
    characters += step.characters;
    // Parsed here, a file is done when it comes, and waits for nobody.
    while (underWay.length > 0 && (characters > AHEAD || underWay[0]!.characters === 0)) {
      const first = underWay.shift()!;
      characters -= first.characters;
      yield await first.event;
    }
  }
  for (const { event } of underWay) yield await event;
}

/** An event of the stream, and the characters that are still being parsed for it by somebody else. */
interface Step {
  readonly event: TreeEvent | Promise<TreeEvent>;
  readonly characters: number;
}

/** The events of all paths, in order. */
async function* readEntries(
  root: string,
  entries: readonly Entry[],
  skipped: readonly Skip[],
  known: ReadonlyMap<string, Known>,
  options: ReadOptions,
): AsyncGenerator<Step> {
  const { signal, trustedBefore = Infinity, chunk } = options;
  const garbage = new GarbageCollection();
  // Ctrl-C, and whoever else this process serves, must not wait for the last file.
  const pause = new Pause(signal);
  let skip = 0;
  const done = (event: TreeEvent): Step => ({ event, characters: 0 });
  for (const entry of entries) {
    for (; skip < skipped.length && skipped[skip]!.path < entry.path; skip++) {
      yield done({ type: "skipped", ...skipped[skip]! });
    }
    if (pause.due()) await pause.take();
    signal?.throwIfAborted();
    const { path } = entry;
    const before = known.get(path);
    if (before !== undefined && isUntouched(entry, before, trustedBefore - CLOCK_LAG)) {
      yield done({ type: "unchanged", path });
      continue;
    }
    const source = await readSource(root, path, before?.hash);
    if (source.type !== "text") {
      yield done(eventOf(path, source, before));
      continue;
    }
    const { text } = source;
    if (options.parse === undefined) {
      yield done(fileEvent(path, source, await parse(path, text, chunk)));
      garbage.parsed(text.length);
    } else {
      const event = options.parse(path, text, chunk).then((it) => fileEvent(path, source, it));
      // Whoever comes to it sees the error; until then it is not unhandled.
      event.catch(() => {});
      // An empty file is under way as well.
      yield { event, characters: text.length + 1 };
    }
  }
  for (; skip < skipped.length; skip++) yield done({ type: "skipped", ...skipped[skip]! });
}

/** What `readTree` would read, and what it would not. */
export interface TreeListing {
  readonly files: readonly {
    readonly path: string;
    readonly language: string;
    /** Size in bytes. */
    readonly bytes: number;
  }[];
  readonly skipped: readonly Skip[];
  readonly problems: readonly Problem[];
}

/**
 * Lists the workspace as `readTree` would read it, the checks of content included, without parsing.
 *
 * @throws {Error} as `readTree` does
 */
export async function listTree(root: string, options: WalkOptions = {}): Promise<TreeListing> {
  const { entries, ...walked } = await walk(root, options);
  const files: { path: string; language: string; bytes: number }[] = [];
  const skipped = [...walked.skipped];
  const problems = [...walked.problems];
  for (const { path } of entries) {
    const source = await readSource(root, path);
    if (source.type === "text") {
      files.push({ path, language: languageOf(path, source.text), bytes: source.bytes });
    } else if (source.type === "skipped") skipped.push({ path, reason: source.reason });
    else if (source.type === "problem") problems.push({ path, reason: source.reason });
  }
  skipped.sort((a, b) => a.path < b.path ? -1 : 1);
  return { files, skipped, problems };
}

function isUntouched(entry: Entry, known: Known, trusted: number): boolean {
  return entry.bytes === known.bytes && entry.mtime === known.mtime &&
    entry.mtime < trusted && entry.ctime < trusted;
}

function fileEvent(path: string, source: ReadText, parsed: ParsedSource): TreeEvent {
  const { text, encoding, bytes, mtime, hash } = source;
  return { type: "file", file: { path, encoding, bytes, mtime, hash, text, ...parsed } };
}

function eventOf(
  path: string,
  source: Exclude<Source, ReadText>,
  known: Known | undefined,
): TreeEvent {
  switch (source.type) {
    case "unchanged":
      return source.mtime === known?.mtime
        ? { type: "unchanged", path }
        : { type: "unchanged", path, touched: source.mtime };
    case "skipped":
      return { type: "skipped", path, reason: source.reason };
    case "problem":
      return { type: "problem", problem: { path, reason: source.reason } };
  }
}

/** The text of a file, and what it is the text of. */
interface ReadText {
  readonly type: "text";
  readonly text: string;
  readonly encoding: Encoding;
  readonly bytes: number;
  readonly mtime: number;
  readonly hash: string;
}

/** What reading a file gave: its text, or why there is none; a `problem` may be gone next time. */
type Source =
  | ReadText
  | { readonly type: "unchanged"; readonly mtime: number }
  | { readonly type: "skipped" | "problem"; readonly reason: string };

/** Reads, hashes, decodes and judges one file; no more than hashes it if it has the hash that is known. */
async function readSource(root: string, path: string, knownHash?: string): Promise<Source> {
  const stable = await readStable(`${root}/${path}`);
  if (!("data" in stable)) return stable;
  const { data, mtime } = stable;
  const hash = await sha256(data);
  if (hash === knownHash) return { type: "unchanged", mtime };
  const decoded = decodeText(data);
  if (decoded === undefined) return { type: "skipped", reason: "binary by its content" };
  const reason = skipByContent(path, decoded.text);
  if (reason !== undefined) return { type: "skipped", reason };
  return { type: "text", ...decoded, bytes: data.length, mtime, hash };
}

/** Reads a file of which nothing changed meanwhile. */
async function readStable(
  file: string,
): Promise<{ data: Uint8Array; mtime: number } | Source & { type: "skipped" | "problem" }> {
  for (const wait of [...RETRY_AFTER, undefined]) {
    try {
      const before = Deno.lstatSync(file);
      // Opening a pipe that took the place of the file would wait for ever; a link could lead outside.
      if (!before.isFile) return { type: "skipped", reason: "no longer a regular file" };
      const data = Deno.readFileSync(file);
      const after = Deno.lstatSync(file);
      if (isSame(before, after) && data.length === after.size) {
        return { data, mtime: before.mtime?.getTime() ?? 0 };
      }
    } catch (error) {
      const lasting = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.PermissionDenied;
      return { type: lasting ? "skipped" : "problem", reason: brief(error) };
    }
    if (wait !== undefined) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  const times = RETRY_AFTER.length + 1;
  return { type: "problem", reason: `it changed while it was being read, ${times} times over` };
}

function isSame(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.size === b.size && a.ino === b.ino && a.mtime?.getTime() === b.mtime?.getTime() &&
    a.ctime?.getTime() === b.ctime?.getTime();
}

/** Loaded with the first file: commands that only search have no use for it. */
async function sha256(data: Uint8Array): Promise<string> {
  crypto ??= await import("node:crypto");
  return crypto.hash("sha256", data);
}

let crypto: typeof import("node:crypto") | undefined;
