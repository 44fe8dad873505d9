/**
 * One file from a hub to the disk: resume, verification, room.
 *
 * Owns `<target>.part` and `<target>.part.json`. What must hold:
 * - `<target>` appears whole or not at all: it is renamed into place after its size and digest were right and it was flushed;
 * - bytes of two versions of a file are never joined: a part is continued only where the server proves that it still serves
 *   the version that the part began with.
 */
import { createHash, type Hash } from "node:crypto";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import {
  chunksOf,
  contentRange,
  type FileRequest,
  type Hub,
  Interrupted,
  type RemoteFile,
} from "./model_hub.ts";
import type { Patience } from "./patience.ts";
import { ModelError } from "./model_reference.ts";

/** How far a download is. */
export interface DownloadProgress {
  /** As the hub calls it. */
  readonly file: string;
  /** Bytes on disk. */
  readonly done: number;
  /** Bytes in all; undefined where the server does not say. */
  readonly total: number | undefined;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
}

/** What lies beside a part: the version that it is a part of. */
const partSchema = z.object({
  size: z.number().int().positive(),
  sha256: z.string().optional(),
  etag: z.string().optional(),
});

/** Left free: the index lives on the same disk more often than not, and must be able to grow. */
const SPARE_BYTES = 64 * 1024 * 1024;
/** No terminal shows more. */
const PROGRESS_MS = 100;
/** Span of the speed: long against bursts, short against a change of network. */
const SPEED_MS = 3000;
const HASH_BLOCK = 1024 * 1024;

/** Free bytes for this user where a folder lives; undefined where that cannot be known. */
export type FreeBytes = (folder: string) => Promise<number | undefined>;

/** What came. */
export interface Downloaded {
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Of the repository, where the hub says it. */
  readonly commit?: string;
}

/**
 * Brings a file to `target`, going on where an earlier attempt ended. The caller keeps others from the same target.
 *
 * @param options `freeBytes` asks the file system by default
 * @throws {ModelError}
 * @throws the reason of the signal; what has come stays for the next time
 */
export async function download(
  hub: Hub,
  request: FileRequest,
  target: string,
  { onProgress, freeBytes }: {
    onProgress?: (progress: DownloadProgress) => void;
    freeBytes?: FreeBytes;
  } = {},
): Promise<Downloaded> {
  const report = throttle(request.file, onProgress ?? (() => {}));
  return await hub.patiently(
    request,
    (patience) => attempt(hub, request, target, patience, report, freeBytes),
    () => readPart(`${target}.part`) !== undefined,
  );
}

/**
 * Makes sure of room for what is to come.
 *
 * @param needed bytes
 * @param model what the message calls it
 * @throws {ModelError} with both numbers
 */
export async function requireSpace(
  needed: number,
  folder: string,
  model: string,
  freeBytes: FreeBytes = askFileSystem,
): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || needed + SPARE_BYTES <= free) return;
  throw new ModelError(
    `pull "${model}": ${formatBytes(needed)} to come (and ${formatBytes(SPARE_BYTES)} to spare), ${
      formatBytes(free)
    } free in "${folder}"; make room, or keep models elsewhere`,
  );
}

async function attempt(
  hub: Hub,
  request: FileRequest,
  target: string,
  patience: Patience,
  report: (done: number, total: number | undefined) => void,
  freeBytes: FreeBytes | undefined,
): Promise<Downloaded> {
  const { model, file } = request;
  const part = `${target}.part`;
  const begun = readPart(part);
  let { response, facts } = await hub.open("GET", request, patience, begun);
  let from = 0;
  if (begun !== undefined && (response.status === 206 || response.status === 416)) {
    if (contentRange(response)?.from === begun.from && isSameVersion(begun, facts)) {
      from = begun.from;
    } else {
      // Not the version that the part began with.
      await response.body?.cancel();
      dropPart(part);
      ({ response, facts } = await hub.open("GET", request, patience));
    }
  }
  if (from === 0) hub.requireFile(response, request);
  const { size } = facts;
  if (size !== undefined) await requireSpace(size - from, dirname(target), model, freeBytes);

  const isResumable = size !== undefined && size > 0 &&
    (facts.sha256 ?? facts.etag) !== undefined;
  if (from === 0) dropPart(part);
  const out = Deno.openSync(part, { read: true, write: true, create: true });
  let done = from;
  try {
    if (isResumable) {
      const { sha256, etag } = facts;
      Deno.writeTextFileSync(`${part}.json`, JSON.stringify({ size, sha256, etag }) + "\n");
    }
    const hash = createHash("sha256");
    await hashStart(out, from, hash);
    await out.truncate(from);
    report(done, size);
    for await (const value of chunksOf(response, patience)) {
      if (size !== undefined && done + value.length > size) {
        throw new Damaged(`more than the ${size} bytes that the server spoke of`);
      }
      hash.update(value);
      for (let at = 0; at < value.length;) at += await out.write(value.subarray(at));
      done += value.length;
      report(done, size);
    }
    if (size !== undefined && done < size) {
      throw new Interrupted(`the connection ended after ${done} of ${size} bytes`);
    }
    const sha256 = hash.digest("hex");
    if (facts.sha256 !== undefined && sha256 !== facts.sha256) {
      throw new Damaged(`SHA-256 is ${sha256}, the hub says ${facts.sha256}`);
    }
    await out.sync();
    out.close();
    Deno.renameSync(part, target);
    dropPart(part);
    return { size: done, sha256, commit: facts.commit };
  } catch (error) {
    closeQuietly(out);
    if (error instanceof Damaged) {
      dropPart(part);
      throw new ModelError(
        `pull "${model}": "${file}" arrived damaged: ${error.message}; it was removed, pull again`,
      );
    }
    if (!isResumable) dropPart(part);
    if ((error as { code?: string }).code === "ENOSPC") {
      throw new ModelError(
        `pull "${model}": the disk of "${dirname(target)}" is full after ${formatBytes(done)}${
          size === undefined ? "" : ` of ${formatBytes(size)}`
        } of "${file}"; make room and pull again`,
      );
    }
    if (error instanceof Interrupted) error.received = done - from;
    throw error;
  }
}

/** Bytes that are not what they should be. */
class Damaged extends Error {}

function isSameVersion(begun: RemoteFile, now: RemoteFile): boolean {
  if (begun.size !== now.size) return false;
  if (begun.sha256 !== undefined || now.sha256 !== undefined) return begun.sha256 === now.sha256;
  return begun.etag !== undefined && begun.etag === now.etag;
}

/**
 * The part of an earlier attempt and where to go on. The last byte of a part that lacks nothing is asked for again: a server
 * answers a question for no bytes with an error, and there the version could not be compared.
 */
function readPart(part: string): (RemoteFile & { readonly from: number }) | undefined {
  try {
    const note = partSchema.parse(JSON.parse(Deno.readTextFileSync(`${part}.json`)));
    const from = Math.min(Deno.statSync(part).size, note.size - 1);
    return from > 0 ? { ...note, from } : undefined;
  } catch {
    // Missing, or half written when the machine went down: there is nothing to go on from.
    return undefined;
  }
}

function dropPart(part: string): void {
  for (const path of [part, `${part}.json`]) {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function closeQuietly(file: Deno.FsFile): void {
  try {
    file.close();
  } catch {
    // It was closed before the step that failed.
  }
}

/** Feeds the bytes that are there to the digest, and leaves the file behind them. */
async function hashStart(file: Deno.FsFile, bytes: number, hash: Hash): Promise<void> {
  const block = new Uint8Array(HASH_BLOCK);
  for (let left = bytes; left > 0;) {
    const read = await file.read(block.subarray(0, Math.min(left, block.length)));
    if (read === null) throw new Damaged(`the part on disk ended ${left} bytes early`);
    hash.update(block.subarray(0, read));
    left -= read;
  }
}

function throttle(
  file: string,
  onProgress: (progress: DownloadProgress) => void,
): (done: number, total: number | undefined) => void {
  const past: { at: number; done: number }[] = [];
  return (done, total) => {
    const at = performance.now();
    // Fewer bytes than before: it began again.
    if (done < (past.at(-1)?.done ?? 0)) past.length = 0;
    if (past.length > 0 && done !== total && at - past.at(-1)!.at < PROGRESS_MS) return;
    past.push({ at, done });
    while (past.length > 2 && at - past[0]!.at > SPEED_MS) past.shift();
    const seconds = (at - past[0]!.at) / 1000;
    const bytesPerSecond = seconds > 0 ? Math.round((done - past[0]!.done) / seconds) : 0;
    onProgress({ file, done, total, bytesPerSecond });
  };
}

/** Where the file system or the permissions of the process do not tell, nothing. */
async function askFileSystem(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    // The disk itself will say when it is full.
    return undefined;
  }
}

/** Bytes for people. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}
