/**
 * The command line's way to a running kernel: one request through the files of `mail_desk.ts`, with no right to any network.
 *
 * Owns the client's half. What must hold: the kernel is watched as long as its reply is awaited; nothing is left behind, however this process
 * ends (the kernel clears away what a killed one leaves).
 */
import { existsSync } from "node:fs";
import {
  CommandError,
  type CommandName,
  type ExitCode,
  type HandlerContext,
  type Progress,
} from "../commands.ts";
import { kernelHolder } from "../connection_file.ts";
import { MAX_REPLY_BYTES, type Message, SIGNATURE_BYTES, Signer, VERSION } from "./contract.ts";
import { KernelGoneError } from "./kernel_gone.ts";
import { mailFiles, packFrames, SENDER_PARTS, unpackFrames } from "./mail_desk.ts";

/** How often the reply is looked at, in the beginning and at most: it costs a system call. */
const FIRST_LOOK_MS = 1;
const MAX_LOOK_MS = 20;

/** How often it is looked whether the kernel is still there. */
const PRESENCE_MS = 500;

/**
 * One request: its results as they come.
 *
 * @param folder of the workspace's state
 * @param key of the kernel, as its connection file has it
 * @throws {KernelGoneError} when the kernel does not do it
 * @throws {CommandError} when the kernel says that it cannot be done
 */
export async function* requestByMail(
  folder: string,
  key: string,
  command: CommandName,
  input: Record<string, unknown>,
  { signal, progress, conversation = "" }: HandlerContext,
): AsyncGenerator<unknown, ExitCode | undefined> {
  const id = crypto.randomUUID();
  const files = mailFiles(folder, id);
  const signer = new Signer(Uint8Array.fromHex(key));
  using presence = openPresence(files.client);
  try {
    const { repo: _, ...kwargs } = input;
    const frames = signer.seal({
      v: VERSION,
      id,
      time: Date.now(),
      nonce: crypto.getRandomValues(new Uint8Array(16)),
      command,
      mission_brief: { type: "command", selector: command, args: [], kwargs },
    });
    const sender = new TextEncoder().encode([Deno.cwd(), conversation].join(SENDER_PARTS));
    post(files, packFrames([sender, ...frames]));
    for await (const message of messages(folder, files, signer, signal)) {
      if (message.type === "event" && message.event === "result") yield message.result;
      else if (message.type === "event") progress(message as unknown as Progress);
      else if (message.type === "reply") {
        if (message.result !== undefined) yield message.result;
        return message.exit as ExitCode;
      } else if (message.code === "busy") {
        throw new KernelGoneError(`the kernel is busy: ${String(message.message)}`);
      } else throw new CommandError(String(message.message));
    }
  } finally {
    for (const path of Object.values(files)) {
      try {
        Deno.removeSync(path);
      } catch {
        // The kernel took it away.
      }
    }
    void presence;
  }
}

/** The lock that says that somebody waits. */
function openPresence(path: string): Deno.FsFile {
  try {
    const file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
    file.lockSync(true);
    return file;
  } catch (error) {
    throw new KernelGoneError(`reach the kernel over "${path}": ${(error as Error).message}`);
  }
}

/** Puts a file where the kernel looks, whole at once. */
function post({ draft, request }: ReturnType<typeof mailFiles>, bytes: Uint8Array): void {
  try {
    Deno.writeFileSync(draft, bytes, { mode: 0o600, createNew: true });
    Deno.renameSync(draft, request);
  } catch (error) {
    throw new KernelGoneError(`reach the kernel over "${request}": ${(error as Error).message}`);
  }
}

/** What the kernel appends to the reply, message by message. */
async function* messages(
  folder: string,
  files: ReturnType<typeof mailFiles>,
  signer: Signer,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  const limits = [SIGNATURE_BYTES, MAX_REPLY_BYTES];
  let file: Deno.FsFile | undefined;
  let bytes = new Uint8Array();
  let pause = FIRST_LOOK_MS;
  let looked = performance.now();
  try {
    for (;;) {
      signal.throwIfAborted();
      file ??= openIfThere(files.reply);
      const more = file === undefined ? undefined : readMore(file);
      if (more !== undefined) {
        pause = FIRST_LOOK_MS;
        const joined = new Uint8Array(bytes.length + more.length);
        joined.set(bytes);
        joined.set(more, bytes.length);
        bytes = joined;
        for (let unpacked; (unpacked = unpackFrames(bytes, limits)) !== undefined;) {
          bytes = bytes.slice(unpacked.length);
          const [signature, payload] = unpacked.frames;
          const message = signer.open(signature!, payload!);
          if (message === undefined) throw new KernelGoneError("the kernel was replaced");
          yield message as Message;
        }
        continue;
      }
      if (performance.now() - looked > PRESENCE_MS) {
        looked = performance.now();
        const isTaken = !existsSync(files.request);
        if (kernelHolder(folder) === undefined) {
          throw new KernelGoneError("the kernel has ended", isTaken);
        }
        // By a kernel that could not answer, or by the next one, which clears away what the last one left.
        if (!existsSync(files.client)) {
          throw new KernelGoneError("the kernel has given the request up", isTaken);
        }
      }
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(pause * 1.5, MAX_LOOK_MS);
    }
  } finally {
    file?.close();
  }
}

function openIfThere(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** What was appended since the last look. */
function readMore(file: Deno.FsFile): Uint8Array | undefined {
  const waiting = file.statSync().size - file.seekSync(0, Deno.SeekMode.Current);
  if (waiting <= 0) return undefined;
  const bytes = new Uint8Array(waiting);
  const count = file.readSync(bytes);
  return count === null ? undefined : bytes.subarray(0, count);
}
