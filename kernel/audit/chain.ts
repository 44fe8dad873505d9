/**
 * The format of the audit trail on disk, and what its hash chain proves.
 *
 * Owns the names of the files, the form of a line, and the check of the whole.
 *
 * Files, in the state folder of a workspace, mode 0600:
 * - `metacognition.jsonl`: the end of the trail; only this file grows.
 * - `metacognition-FIRST-LAST.jsonl`: earlier parts, moved aside when they were large; FIRST and LAST are the numbers of their lines
 *   in the whole trail, twelve digits, so that the names sort. A line keeps its number for ever, whichever file it is in: a citation of
 *   `metacognition.jsonl:17` means line 17 of the whole trail.
 * - `metacognition.lock`: the lock of whoever appends; it holds the head, see `trail_files.ts`.
 *
 * A line is one JSON object without white space, its fields in the order of `TRAIL_LINE`, and ends with a line feed. Its last
 * field is `hash`: SHA-256, in hexadecimal, of all bytes of the line before the comma in front of it. The field `previous` among
 * those bytes is the hash of the line before, so each hash covers the whole trail up to its line: a line that was changed, taken out, put in
 * or moved no longer fits. The bytes themselves are hashed, so a reader needs no canonical form of JSON.
 *
 * What this proves and what not: it shows that somebody edited the trail by hand, or that a disk lost a part. There is no key in it, so
 * whoever rewrites everything behind a change, the head included, is not found out by it.
 */
import { createHash } from "node:crypto";
import { counted } from "../counted.ts";
import { parseTrailLine } from "./event.ts";
import type { Head } from "./trail_files.ts";

/** The file that grows. */
export const TRAIL_NAME = "metacognition.jsonl";
/** Its path in a workspace, as citations have it. */
export const TRAIL_PATH = `.batos/${TRAIL_NAME}`;
/** The lock and the head. */
export const LOCK_NAME = "metacognition.lock";
/** What stands in `previous` of the first line. */
export const NO_HASH = "0".repeat(64);

const PARTS = /^metacognition-(\d{12})-(\d{12})\.jsonl$/;

/** A file of the trail. */
export interface TrailFile {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** Number of its first line in the whole trail, from 1. */
  readonly first: number;
  /** Number of its last line; undefined for the file that grows. */
  readonly last: number | undefined;
}

/** Name of a part that is moved aside. */
export function partName(first: number, last: number): string {
  const digits = (line: number) => String(line).padStart(12, "0");
  return `metacognition-${digits(first)}-${digits(last)}.jsonl`;
}

/** The files of a trail, oldest first, the one that grows last; empty where there is no trail. */
export function listTrailFiles(folder: string): TrailFile[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return [];
    }
    throw error;
  }
  const files: TrailFile[] = names.flatMap((name) => {
    const found = PARTS.exec(name);
    if (found === null) return [];
    return [{
      name,
      path: `${folder}/${name}`,
      first: Number(found[1]),
      last: Number(found[2]),
    }];
  });
  if (names.includes(TRAIL_NAME)) {
    const first = (files.at(-1)?.last ?? 0) + 1;
    files.push({ name: TRAIL_NAME, path: `${folder}/${TRAIL_NAME}`, first, last: undefined });
  }
  return files;
}

/** The file that holds a line of the trail, by its number in the whole; undefined where there is none. */
export function trailFileOf(folder: string, line: number): TrailFile | undefined {
  return listTrailFiles(folder).findLast(({ first }) => first <= line);
}

/** Ends a line: `body` is the object without its closing brace, `previous` already in it. */
export function seal(body: string): { line: string; hash: string } {
  const hash = createHash("sha256").update(body).digest("hex");
  return { line: `${body},"hash":"${hash}"}\n`, hash };
}

/** What stands behind the bytes that are hashed: `,"hash":"` + 64 digits + `"}`. */
const SEAL_BYTES = 75;

/** SHA-256 of the sealed bytes of a line without its line feed; undefined where it is not a sealed line. */
export function hashOf(line: Uint8Array): string | undefined {
  if (line.length <= SEAL_BYTES) return undefined;
  const seal = new TextDecoder().decode(line.subarray(-SEAL_BYTES));
  if (!/^,"hash":"[0-9a-f]{64}"\}$/.test(seal)) return undefined;
  return createHash("sha256").update(line.subarray(0, -SEAL_BYTES)).digest("hex");
}

/** A line as a reader of files hands it over. */
export interface RawLine {
  /** Name of its file. */
  readonly file: string;
  /** Number of the line in the whole trail, as its place says. */
  readonly line: number;
  /** Without the line feed; undefined when it is too long to be read. */
  readonly bytes: Uint8Array | undefined;
}

/** What the check of a trail found. */
export interface TrailVerdict {
  readonly whole: boolean;
  /** Lines whose place in the chain was proved. */
  readonly verified: number;
  /** The first line that breaks the chain. */
  readonly broken?: { readonly file: string; readonly line: number; readonly reason: string };
}

/**
 * Checks a whole trail, from its first line on.
 *
 * @param batches every line, in order
 * @param files the files that they come from: what is missing between two of them is named
 * @param head what the writer noted last: lines missing at the end are named; undefined where there is none
 */
export async function verifyTrail(
  batches: AsyncIterable<{ readonly lines: readonly RawLine[] }>,
  files: readonly TrailFile[],
  head: Head | undefined,
): Promise<TrailVerdict> {
  let verified = 0;
  let expected = NO_HASH;
  const broken = (file: string, line: number, reason: string): TrailVerdict => ({
    whole: false,
    verified,
    broken: { file, line, reason },
  });
  let next = 1;
  const gaps = new Map<string, string>();
  for (const file of files) {
    if (file.first !== next) {
      const missing = file.first > next
        ? `lines ${next} to ${file.first - 1} are missing before it: a file of the trail is gone`
        : `it begins with line ${file.first}, which the file before it holds too`;
      gaps.set(file.name, missing);
    }
    next = (file.last ?? 0) + 1;
  }
  let current: TrailFile | undefined;
  for await (const { lines } of batches) {
    for (const { file, line, bytes } of lines) {
      if (file !== current?.name) {
        const gap = gaps.get(file);
        if (gap !== undefined) return broken(file, line, gap);
        if (current?.last !== undefined && line !== current.last + 1) {
          return broken(file, line, `${current.name} ends too early or too late for its name`);
        }
        current = files.find(({ name }) => name === file);
      }
      const found = inspect(bytes, expected, line);
      if ("reason" in found) return broken(file, line, found.reason);
      expected = found.hash;
      verified++;
    }
  }
  if (head !== undefined && head.sequence > verified) {
    const file = files.at(-1)?.name ?? TRAIL_NAME;
    const missing = head.sequence - verified;
    return broken(
      file,
      verified + 1,
      `the trail ends here, ${counted(missing, "line")} that had been written ${
        missing === 1 ? "is" : "are"
      } missing`,
    );
  }
  if (head !== undefined && head.sequence === verified && head.hash !== expected) {
    const file = files.at(-1)?.name ?? TRAIL_NAME;
    return broken(file, verified, "it is not the line that was written last");
  }
  return { whole: true, verified };
}

function inspect(
  bytes: Uint8Array | undefined,
  previous: string,
  line: number,
): { hash: string } | { reason: string } {
  if (bytes === undefined) return { reason: "too long for a line of a trail" };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return { reason: `not a line of JSON: ${(error as Error).message}` };
  }
  const parsed = parseTrailLine(value);
  if ("problem" in parsed) return { reason: `not an event: ${parsed.problem}` };
  const { event } = parsed;
  if (hashOf(bytes) !== event.hash) {
    return { reason: "its hash does not fit its content: the line was changed" };
  }
  if (event.sequence !== line) {
    return {
      reason:
        `it was written as line ${event.sequence}: lines were taken out, put in or moved before it`,
    };
  }
  if (event.previous !== previous) {
    return { reason: "it does not follow the line before it: that line was exchanged" };
  }
  const lost = event.event_type === "TRAIL_REPAIRED" ? Number(event.event_data.lost ?? 0) : 0;
  if (lost > 0) {
    return {
      reason: `${lost} lines that had been written before it were gone when it was written`,
    };
  }
  return { hash: event.hash };
}
