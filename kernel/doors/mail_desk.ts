/**
 * The desk at which command lines of this workspace reach its kernel: requests and replies are files in `.batos/mail/`.
 *
 * Owns that folder. A command line runs without any right to the network, and Deno counts a Unix socket as network; files it may read and
 * write anyway. So a client writes `<id>.request`, whole, by renaming it; the kernel appends to `<id>.reply`; both go with
 * the same two frames as everywhere, each frame behind its length (four octets, big end first). The first frame of a request is text
 * about its sender: the folder that its relative paths are meant from and, behind a zero, the conversation that its questions belong to.
 *
 * What must hold: only the owner can read the folder (0700); a client holds the lock of `<id>.client` as long as it waits, so that its death is noticed
 * and its request cancelled; nothing that a dead client left stays; an idle kernel does nothing here.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RefusalNotes, RefusalReason } from "../audit/refusal_log.ts";
import { MAX_REQUEST_BYTES, SIGNATURE_BYTES } from "./contract.ts";
import type { Caller, Endpoint } from "./endpoint.ts";
import { oneLine } from "./one_line.ts";

/** How often it is looked whether clients are still there. */
const PRESENCE_MS = 500;

/** How often the folder is looked at even if nothing was told: a file system may tell nothing (network drives). */
const SWEEP_MS = 2_000;

/** Age below which the file of a client may not be locked yet. */
const YOUNG_MS = 1_000;

/** Most clients at a time: command lines that wait for an answer. */
const MAX_CLIENTS = 64;

/** Longest text about the sender. */
const MAX_SENDER_BYTES = 8_192;

/** What stands between its parts: no path holds it. */
export const SENDER_PARTS = "\0";

/** Folder of requests and replies. */
export function mailFolder(stateFolder: string): string {
  return join(stateFolder, "mail");
}

/** Files of one client. */
export function mailFiles(stateFolder: string, id: string) {
  const at = (end: string) => join(mailFolder(stateFolder), `${id}.${end}`);
  return {
    draft: at("draft"),
    request: at("request"),
    reply: at("reply"),
    client: at("client"),
  };
}

/** Frames as one piece of bytes, each behind its length. */
export function packFrames(frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + 4 + frame.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const frame of frames) {
    view.setUint32(at, frame.length);
    bytes.set(frame, at + 4);
    at += 4 + frame.length;
  }
  return bytes;
}

/**
 * Frames at the beginning of bytes.
 * @returns undefined when they are not there whole yet
 * @throws {RangeError} when one is longer than allowed
 */
export function unpackFrames(
  bytes: Uint8Array<ArrayBuffer>,
  limits: readonly number[],
): { frames: Uint8Array<ArrayBuffer>[]; length: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const limit of limits) {
    if (at + 4 > bytes.length) return undefined;
    const end = at + 4 + view.getUint32(at);
    if (end - at - 4 > limit) {
      throw new RangeError(`a frame of ${end - at - 4} bytes, at most ${limit} are allowed`);
    }
    if (end > bytes.length) return undefined;
    frames.push(bytes.slice(at + 4, end));
    at = end;
  }
  return { frames, length: at };
}

/** See the module text. */
export class MailDesk {
  readonly #stateFolder: string;
  readonly #endpoint: Endpoint;
  readonly #refusals: RefusalNotes;
  readonly #clients = new Map<string, MailClient>();
  readonly #watcher: Deno.FsWatcher | undefined;
  readonly #watching: Promise<void>;
  readonly #sweeping: ReturnType<typeof setInterval>;
  #presence: ReturnType<typeof setInterval> | undefined;

  constructor(stateFolder: string, endpoint: Endpoint, refusals: RefusalNotes) {
    this.#stateFolder = stateFolder;
    this.#endpoint = endpoint;
    this.#refusals = refusals;
    const folder = mailFolder(stateFolder);
    // What an earlier kernel left belongs to nobody: its clients noticed its end.
    if (existsSync(folder)) Deno.removeSync(folder, { recursive: true });
    Deno.mkdirSync(folder, { mode: 0o700 });
    this.#watcher = watchIfPossible(folder);
    this.#watching = this.#watch(this.#watcher);
    this.#sweeping = setInterval(() => this.#look(), SWEEP_MS);
  }

  /** Closes it; replies that were written stay for their clients to read, the rest goes. */
  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    clearInterval(this.#presence);
    try {
      this.#watcher?.close();
    } catch {
      // It closed itself because the folder is gone.
    }
    await this.#watching;
    for (const client of this.#clients.values()) client.end();
    try {
      Deno.removeSync(mailFolder(this.#stateFolder));
    } catch {
      // A client has yet to read its reply; the next kernel clears the folder away.
    }
  }

  async #watch(watcher: Deno.FsWatcher | undefined): Promise<void> {
    try {
      for await (const { paths } of watcher ?? []) {
        if (paths.some((path) => path.endsWith(".request"))) this.#look();
      }
    } catch {
      // The sweep goes on without it.
    }
  }

  /** Takes in every request that is there. */
  #look(): void {
    let names: string[];
    try {
      names = Array.from(Deno.readDirSync(mailFolder(this.#stateFolder)), ({ name }) => name);
    } catch {
      return; // Somebody deleted the folder: command lines work alone then.
    }
    for (const name of names) {
      const [, id, kind] = /^([0-9a-f-]{36})\.(request|client)$/.exec(name) ?? [];
      if (id === undefined) continue;
      if (kind === "request") this.#take(id);
      else if (!this.#clients.has(id)) this.#clear(id);
    }
  }

  /** Takes away what a client left that died before its request was there, or after its reply was. */
  #clear(id: string): void {
    const files = mailFiles(this.#stateFolder, id);
    try {
      const { mtime } = Deno.statSync(files.client);
      if (mtime === null || Date.now() - mtime.getTime() < YOUNG_MS || isHeld(files.client)) return;
    } catch {
      return; // It has just gone by itself.
    }
    removeFiles(files);
  }

  #take(id: string): void {
    const files = mailFiles(this.#stateFolder, id);
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      if (Deno.statSync(files.request).size > MAX_REQUEST_BYTES + MAX_SENDER_BYTES) {
        Deno.removeSync(files.request);
        return this.#refuse(id, "bad_frames", "the request is too long");
      }
      bytes = Deno.readFileSync(files.request);
      Deno.removeSync(files.request);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return; // withdrawn
      return this.#refuse(id, "bad_frames", `the request cannot be read: ${oneLine(error)}`);
    }
    if (this.#clients.has(id)) return;
    try {
      const limits = [MAX_SENDER_BYTES, SIGNATURE_BYTES, MAX_REQUEST_BYTES];
      const unpacked = unpackFrames(bytes, limits);
      if (unpacked === undefined) throw new RangeError("the request is cut off");
      const [sender, ...frames] = unpacked.frames;
      const client = new MailClient(id, files, new TextDecoder().decode(sender));
      this.#clients.set(id, client);
      client.signal.addEventListener("abort", () => {
        this.#clients.delete(id);
        if (this.#clients.size === 0) {
          clearInterval(this.#presence);
          this.#presence = undefined;
        }
      });
      this.#presence ??= setInterval(() => {
        for (const each of this.#clients.values()) each.checkPresence();
      }, PRESENCE_MS);
      if (this.#clients.size <= MAX_CLIENTS) return this.#endpoint.receive(client, frames);
      const problem = `${MAX_CLIENTS} command lines are waiting`;
      this.#refuse(id, "busy", problem);
      client.send(this.#endpoint.farewell(problem, "busy"), false);
      client.end();
    } catch (error) {
      this.#refuse(id, "bad_frames", (error as Error).message);
    }
  }

  #refuse(id: string, reason: RefusalReason, detail: string): void {
    this.#refusals.note({ door: "mail", reason, detail, peer: nameOf(id) });
  }
}

/** Many systems have a bound on what may be watched, and editors use it up: then the sweep has to do. */
function watchIfPossible(folder: string): Deno.FsWatcher | undefined {
  try {
    return Deno.watchFs(folder, { recursive: false });
  } catch {
    return undefined;
  }
}

/** What a command line is called in the trail. */
function nameOf(id: string): string {
  return `command line ${id.slice(0, 8)}`;
}

/** A command line that waits for the reply to one request. */
class MailClient implements Caller {
  readonly door = "mail";
  readonly name: string;
  readonly signal: AbortSignal;
  readonly folder: string;
  readonly conversation?: string;
  readonly #gone = new AbortController();
  readonly #reply: Deno.FsFile;

  constructor(
    id: string,
    readonly files: ReturnType<typeof mailFiles>,
    sender: string,
  ) {
    this.name = nameOf(id);
    const [folder = "", conversation = ""] = sender.split(SENDER_PARTS);
    this.folder = folder;
    if (conversation !== "") this.conversation = conversation;
    this.signal = this.#gone.signal;
    this.#reply = Deno.openSync(files.reply, { append: true, create: true, mode: 0o600 });
  }

  send(frames: readonly Uint8Array[], _optional: boolean): boolean {
    if (this.signal.aborted) return false;
    try {
      const bytes = packFrames(frames);
      for (let at = 0; at < bytes.length;) at += this.#reply.writeSync(bytes.subarray(at));
      return true;
    } catch {
      // Half a message may stand there, and no other will: that its files are gone says so.
      this.end();
      removeFiles(this.files);
      return false;
    }
  }

  dismiss(): void {
    this.end();
  }

  /** Ends when the client no longer holds its lock: it is done, or dead. */
  checkPresence(): void {
    if (this.signal.aborted || isHeld(this.files.client)) return;
    this.end();
    removeFiles(this.files);
  }

  /** Nothing more is sent to it. */
  end(): void {
    if (this.signal.aborted) return;
    this.#gone.abort(new DOMException("the client is gone", "AbortError"));
    this.#reply.close();
  }
}

/** Whether somebody waits for a reply: the lock of the file is held. */
function isHeld(path: string): boolean {
  try {
    using file = Deno.openSync(path, { read: true });
    return !file.tryLockSync(false);
  } catch {
    return false; // Its files are gone, and so is it.
  }
}

function removeFiles(files: ReturnType<typeof mailFiles>): void {
  for (const path of Object.values(files)) {
    try {
      Deno.removeSync(path);
    } catch {
      // The client took it away itself.
    }
  }
}
