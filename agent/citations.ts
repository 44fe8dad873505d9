/**
 * Citations: found in the text of an answer, checked against the index and the disk, marked or removed.
 *
 * Owns the form `path:start-end` (or `path:line`) and the rule for each status. What must hold: in a checked text every citation
 * that is left names a file that exists and lines that it has; what did not resolve is gone from the text and listed as removed;
 * only files of the index and of the audit trail are opened, so a citation cannot make the program read anything else.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { splitLines } from "./actions.ts";
import { TRAIL_PATH } from "../kernel/mod.ts";
import { visiblePath } from "./excerpt.ts";
import type { TrailPort } from "./past.ts";
import type { MemoryPort } from "./memory_port.ts";

/**
 * `verified`: the file on disk is the one that was ingested, or holds the cited lines unchanged in the same place.
 * `stale`: the file has changed since; the lines exist but no longer say the same. `removed`: it does not resolve.
 */
export type CitationStatus = "verified" | "stale" | "removed";

/** Lines that an answer leans on, and whether they hold. */
export interface Citation {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly status: CitationStatus;
  /** Where the cited text stands now, when it moved. */
  readonly moved_to?: { readonly start_line: number; readonly end_line: number };
}

/** A citation as it stands in a text: where, and what it names. */
interface Mark {
  readonly start: number;
  readonly end: number;
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
}

/** Longest path that is looked for before a line number. */
const LONGEST_PATH = 400;
/**
 * What no path that is unknown holds: blanks, quotes, brackets, and what ends a clause, in full width too, for Chinese and Japanese put no
 * blank before a path.
 */
const NOT_IN_A_PATH = "\\s`'\"()[\\]{}<>,;|*、。，；：！？（）「」『』【】《》“”‘’…";
/** Ends whatever may be an unknown path. */
export const PATH_END = new RegExp(`[${NOT_IN_A_PATH}]`);
const LAST_TOKEN = new RegExp(`[^${NOT_IN_A_PATH}]+$`);
/** What stands where a citation was that did not resolve. */
export const REMOVED = "[citation removed]";

/**
 * Citations outside fenced blocks, in order. What stands in a fence is quoted text and cites nothing. A path is recognised when
 * it is one of `paths` (it may hold blanks and brackets), or looks like one: no blank, an extension or a slash.
 */
export function findCitations(text: string, paths: ReadonlySet<string>): Mark[] {
  const marks: Mark[] = [];
  const fenced = fencedRanges(text);
  for (const found of text.matchAll(/:(\d{1,9})(?:-(\d{1,9}))?(?![\w-]|:\d|\.\d)/g)) {
    const colon = found.index;
    if (fenced.some(([start, end]) => start <= colon && colon < end)) continue;
    const path = pathBefore(text, colon, paths, found[2] !== undefined);
    if (path === undefined) continue;
    const startLine = Number(found[1]);
    marks.push({
      start: colon - path.length,
      end: colon + found[0].length,
      path,
      startLine,
      endLine: found[2] === undefined ? startLine : Number(found[2]),
    });
  }
  return marks;
}

/** The longest known path that ends at `end`, or what looks like a path there. */
function pathBefore(
  text: string,
  end: number,
  paths: ReadonlySet<string>,
  range: boolean,
): string | undefined {
  let known: string | undefined;
  for (
    let start = end - 1;
    start >= 0 && end - start <= LONGEST_PATH && text[start] !== "\n";
    start--
  ) {
    // A path begins behind something that is no part of one.
    if (start > 0 && /[\w\-./@]/.test(text[start - 1]!)) continue;
    if (paths.has(text.slice(start, end))) known = text.slice(start, end);
  }
  if (known !== undefined) return known;
  const token = LAST_TOKEN.exec(text.slice(Math.max(0, end - LONGEST_PATH), end))?.[0];
  if (!token || token.includes("://") || /^\/\//.test(token)) return undefined;
  // `host.example:443` is no citation; `main.ts:12`, `lib/a:1-2` and anything with a range are meant as one.
  if (token.startsWith("./") && paths.has(token.slice(2))) return token.slice(2);
  const looksLikePath = /\.[A-Za-z]\w{0,9}$/.test(token) || token.includes("/");
  const certain = range || /\.(?!com$|org$|net$|io$|dev$|local$)[A-Za-z]\w{0,9}$/.test(token);
  return looksLikePath && certain ? token : undefined;
}

function fencedRanges(text: string): [number, number][] {
  const ranges: [number, number][] = [];
  let open: { at: number; fence: string } | undefined;
  let at = 0;
  for (const line of text.split("\n")) {
    const fence = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence && !open) open = { at, fence };
    else if (open && fence && fence.startsWith(open.fence) && line.trim() === fence) {
      ranges.push([open.at, at + line.length]);
      open = undefined;
    }
    at += line.length + 1;
  }
  if (open) ranges.push([open.at, text.length]);
  return ranges;
}

/** A text whose citations were checked. */
export interface CheckedText {
  readonly text: string;
  /** Each place once, in order of appearance; those named apart from the text follow. */
  readonly citations: readonly Citation[];
}

/** Checks each citation of `text`, and of `further`, which a driver may have given beside its text. */
export async function checkCitations(
  text: string,
  further: readonly { path: string; start_line: number; end_line: number }[],
  memory: MemoryPort,
  root: string,
  trail?: TrailPort,
): Promise<CheckedText> {
  const checker = new CitationChecker(memory, root, trail);
  const checked = await checker.checked(text);
  for (const place of further) await checker.check(place.path, place.start_line, place.end_line);
  return { text: checked, citations: checker.citations };
}

/** Checks citations, each file and each place once: what it has said of one it goes on saying. */
export class CitationChecker {
  /** Paths that are known as answers show them, that of the trail among them. */
  readonly paths: ReadonlySet<string>;
  readonly #memory: MemoryPort;
  readonly #root: string;
  readonly #trail: TrailPort | undefined;
  /** Paths that answers show otherwise than they are: a line feed in a path is made visible. */
  readonly #shown = new Map<string, string>();
  readonly #files = new Map<string, Promise<FileState | undefined>>();
  readonly #citations = new Map<string, Citation>();

  constructor(memory: MemoryPort, root: string, trail?: TrailPort) {
    for (const path of memory.paths()) {
      const shown = visiblePath(path);
      if (shown !== path) this.#shown.set(shown, path);
    }
    this.paths = new Set([...memory.paths(), ...this.#shown.keys(), TRAIL_PATH]);
    this.#memory = memory;
    this.#root = root;
    this.#trail = trail;
  }

  /** What was checked, each place once, in that order. */
  get citations(): Citation[] {
    return [...this.#citations.values()];
  }

  /**
   * The text from one place to another with its citations marked or removed. What stands before `from` is looked at (a fence may be open),
   * what stands behind `to` is not.
   */
  async checked(text: string, from = 0, to = text.length): Promise<string> {
    // Most pieces of a text cite nothing, and finding citations means reading all of it.
    const marks = /:\d/.test(text.slice(from, to))
      ? findCitations(text.slice(0, to), this.paths).filter(({ end }) => end > from)
      : [];
    let checked = "";
    let at = from;
    for (const mark of marks) {
      const citation = await this.check(mark.path, mark.startLine, mark.endLine);
      checked += text.slice(at, Math.max(at, mark.start)) +
        (citation.status === "removed"
          ? REMOVED
          : text.slice(Math.max(at, mark.start), mark.end) + staleMark(citation));
      at = mark.end;
    }
    return checked + text.slice(at, to);
  }

  /** Whether a place holds. */
  async check(shown: string, startLine: number, endLine: number): Promise<Citation> {
    const path = this.#shown.get(shown) ?? shown;
    const key = `${path}:${startLine}-${endLine}`;
    const known = this.#citations.get(key);
    if (known) return known;
    const place = { path, start_line: startLine, end_line: endLine };
    // Lines of the trail are numbered over all its files: whoever keeps it says whether they hold.
    const state = path === TRAIL_PATH
      ? { status: await this.#trail?.check(startLine, endLine) ?? "removed" }
      : statusOf(await this.#stateOf(path), startLine, endLine);
    const citation = { ...place, ...state };
    this.#citations.set(key, citation);
    return citation;
  }

  #stateOf(path: string): Promise<FileState | undefined> {
    let state = this.#files.get(path);
    if (!state) this.#files.set(path, state = fileState(path, this.#memory, this.#root));
    return state;
  }
}

function staleMark(citation: Citation): string {
  if (citation.status !== "stale") return "";
  const { moved_to } = citation;
  return moved_to
    ? ` (stale: now lines ${moved_to.start_line}-${moved_to.end_line})`
    : " (stale: changed since it was ingested)";
}

interface FileState {
  readonly ingested: readonly string[];
  readonly unchanged: boolean;
  /** Lines on disk, where they differ. */
  readonly disk: readonly string[];
}

async function fileState(
  path: string,
  memory: MemoryPort,
  root: string,
): Promise<FileState | undefined> {
  const file = memory.file(path);
  if (!file) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(root, path));
  } catch {
    // Gone or unreadable: nobody can look the citation up, whatever the reason.
    return undefined;
  }
  const ingested = splitLines(file.text);
  const unchanged = createHash("sha256").update(bytes).digest("hex") === file.hash;
  return { ingested, unchanged, disk: unchanged ? ingested : splitLines(decode(bytes)) };
}

/** Bytes as text for comparison of lines: a file that changed its encoding has changed. */
function decode(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe
    ? "utf-16le"
    : bytes[0] === 0xfe && bytes[1] === 0xff
    ? "utf-16be"
    : "utf-8";
  return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
}

function statusOf(
  file: FileState | undefined,
  startLine: number,
  endLine: number,
): Pick<Citation, "status" | "moved_to"> {
  if (!file || startLine < 1 || endLine < startLine || endLine > file.ingested.length) {
    return { status: "removed" };
  }
  if (file.unchanged) return { status: "verified" };
  const cited = file.ingested.slice(startLine - 1, endLine);
  const standsAt = (start: number) =>
    cited.every((line, index) => file.disk[start + index] === line);
  if (standsAt(startLine - 1)) return { status: "verified" };
  for (let start = 0; start + cited.length <= file.disk.length; start++) {
    if (standsAt(start)) {
      return {
        status: "stale",
        moved_to: { start_line: start + 1, end_line: start + cited.length },
      };
    }
  }
  return endLine <= file.disk.length ? { status: "stale" } : { status: "removed" };
}
