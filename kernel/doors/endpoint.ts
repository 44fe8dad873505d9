/**
 * The endpoint of a kernel: from signed frames to commands and back, whatever carries the frames.
 *
 * Owns who is answered and when; the frames are the contract's (`contract.ts`), the commands are listed in `remote_commands.ts`. What must hold:
 * - nothing is decoded before its signature was found right, and nothing is done twice for the same message;
 * - each request gets exactly one reply or error, after its events; one that cannot be delivered is reported;
 * - what one caller does, wrong or a lot of, costs the others nothing but their share of the machine.
 */
import type { DoorName, RefusalNotes, RefusalReason } from "../audit/refusal_log.ts";
import type { ExitCode, HandlerContext, Progress } from "../commands.ts";
import {
  type ErrorCode,
  MAX_REPLY_BYTES,
  type Request,
  requestSchema,
  type Signer,
  VERSION,
} from "./contract.ts";
import { MessagePackError, unpackMessage } from "./message_pack.ts";
import {
  describeError,
  type RemoteCommand,
  remoteCommands,
  type RemoteOptions,
  RequestError,
} from "./remote_commands.ts";
import { ReplayGuard, WINDOW_MS } from "./replay_guard.ts";

/** Requests of one caller that may run at a time: a console with a few cycles, a script with a pool. */
export const MAX_IN_FLIGHT = 16;

/** Requests that may run at a time: beyond that they only slow each other down. */
const MAX_RUNNING = 64;

/** Messages of a caller that may be wrong before nobody listens to it any more. */
const MAX_OFFENCES = 10;

/** Refusals that are noted: what a client does not do that is honest and has the time. A wrong argument is its own affair. */
const NOTED: readonly (ErrorCode & RefusalReason)[] = [
  "bad_frames",
  "bad_signature",
  "bad_message",
  "bad_time",
  "replayed",
  "busy",
  "unknown_command",
  "refused",
];

/** What a client may subscribe to. */
export const TOPICS = ["uvm_state_update"] as const;
export type Topic = (typeof TOPICS)[number];

/** Whoever sends requests, as the carrier knows them. */
export interface Caller {
  /** The door that it came through. */
  readonly door: DoorName;
  /** What it calls itself, for whoever reads what was refused. */
  readonly name: string;
  /** Where it is, if that says anything. */
  readonly address?: string;
  /** Aborted when the caller is gone. */
  readonly signal: AbortSignal;
  /** Sends frames; false when they cannot be delivered. What is optional may be left out when the caller is slow. */
  send(frames: readonly Uint8Array[], optional: boolean): boolean;
  /** Ends the conversation, after what was sent. */
  dismiss(): void;
  /** Called for each message whose signature was right. */
  proved?(): void;
  /** Folder from which the caller means its paths, where the carrier knows. */
  readonly folder?: string;
  /** The conversation of its questions; without it they belong to that of the command lines. */
  readonly conversation?: string;
}

/** Options of an endpoint. */
export interface EndpointOptions extends RemoteOptions {
  readonly signer: Signer;
  /** Version of the program. */
  readonly version: string;
  /** Takes what is refused and what could not be delivered. */
  readonly refusals: RefusalNotes;
}

/** What is known of a caller. */
interface Session {
  readonly running: Map<string, AbortController>;
  readonly topics: Set<Topic>;
  offences: number;
}

/** See the module text. */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #commands: ReadonlyMap<string, RemoteCommand>;
  readonly #guard = new ReplayGuard();
  readonly #sessions = new Map<Caller, Session>();
  readonly #work = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#commands = remoteCommands(options);
  }

  /** Requests that run now. */
  get running(): number {
    return this.#work.size;
  }

  /** Takes one message of a caller. Never throws. */
  receive(caller: Caller, frames: readonly Uint8Array[]): void {
    const request = this.#admit(caller, frames);
    if (request === undefined) return;
    const { id, command } = request;
    if (command === "ping") {
      const { version } = this.#options;
      return this.#send(caller, id, { type: "reply", result: { version, time: Date.now() } });
    }
    const session = this.#session(caller);
    if (command === "cancel") return this.#cancel(caller, session, request);
    if (command === "subscribe") return this.#subscribe(caller, session, request);
    const run = this.#commands.get(command);
    if (run === undefined) {
      return this.#refuse(caller, id, "unknown_command", `no command "${command.slice(0, 40)}"`);
    }
    if (this.#stopped) return this.#refuse(caller, id, "busy", "the kernel is stopping");
    if (session.running.has(id)) {
      return this.#refuse(caller, id, "bad_input", `a request with the id "${id}" is running`);
    }
    if (session.running.size >= MAX_IN_FLIGHT || this.#work.size >= MAX_RUNNING) {
      return this.#refuse(
        caller,
        id,
        "busy",
        `${session.running.size} requests of yours and ${this.#work.size} in all are running`,
      );
    }
    const work = this.#run(caller, session, request, run);
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }

  /** Tells subscribers. Those who do not keep up miss it. */
  publish(topic: Topic, fields: Readonly<Record<string, unknown>>): void {
    for (const [caller, session] of this.#sessions) {
      if (session.topics.has(topic)) {
        caller.send(
          this.#options.signer.seal({
            v: VERSION,
            re: null,
            type: "event",
            event: topic,
            ...fields,
          }),
          true,
        );
      }
    }
  }

  /** What a caller is told whose frames break the rules of the carrier, or who finds no room. */
  farewell(problem: string, code: ErrorCode = "bad_frames"): readonly Uint8Array[] {
    return this.#options.signer.seal(errorMessage(null, code, problem));
  }

  /** Cancels what runs and waits for its end; from then on nothing is begun. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { running } of this.#sessions.values()) {
      for (const controller of running.values()) {
        controller.abort(new DOMException("the kernel is stopping", "AbortError"));
      }
    }
    await Promise.all(this.#work);
  }

  /** The request in the frames, once everything about it was found right. */
  #admit(caller: Caller, frames: readonly Uint8Array[]): Request | undefined {
    const [signature, payload] = frames;
    if (signature === undefined || payload === undefined || frames.length !== 2) {
      return this.#offend(caller, "bad_frames", `${frames.length} frames, expected 2`);
    }
    if (!this.#options.signer.verify(signature, payload)) {
      return this.#offend(caller, "bad_signature", "the signature is wrong; read the key again");
    }
    caller.proved?.();
    let value: unknown;
    try {
      value = unpackMessage(payload);
    } catch (error) {
      if (!(error instanceof MessagePackError)) throw error;
      return this.#offend(caller, "bad_message", `the payload is refused: ${error.message}`);
    }
    const parsed = requestSchema.safeParse(value);
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0]!;
      const what = path.length === 0 ? message : `${path.join(".")}: ${message}`;
      return this.#offend(caller, "bad_message", what, idOf(value));
    }
    const request = parsed.data;
    const now = Date.now();
    const refusal = this.#guard.admit(signature, request.time, now);
    if (refusal === undefined) return request;
    if (refusal === "replayed") {
      return this.#offend(caller, refusal, "this message came before", request.id);
    }
    const reason = refusal === "busy"
      ? "too many messages in half a minute, try again later"
      : `time ${request.time} is more than ${WINDOW_MS / 1_000} s from the kernel's, ${now}`;
    this.#refuse(caller, request.id, refusal, reason);
  }

  async #run(
    caller: Caller,
    session: Session,
    request: Request,
    command: RemoteCommand,
  ): Promise<void> {
    const { id } = request;
    const controller = new AbortController();
    session.running.set(id, controller);
    const leave = () => controller.abort(caller.signal.reason);
    caller.signal.addEventListener("abort", leave);
    const context: HandlerContext = {
      progress: (progress) => this.#progress(caller, id, progress),
      signal: controller.signal,
      folder: caller.folder,
      conversation: caller.conversation,
    };
    try {
      const { result, exit } = await this.#results(caller, id, command(request, context));
      controller.signal.throwIfAborted();
      this.#send(caller, id, { type: "reply", result, exit });
    } catch (error) {
      const { code, message } = describeError(error, controller.signal.aborted);
      this.#refuse(caller, id, code, message);
    } finally {
      caller.signal.removeEventListener("abort", leave);
      session.running.delete(id);
    }
  }

  /** Sends every result but the last, and gives that one. */
  async #results(
    caller: Caller,
    id: string,
    results: AsyncGenerator<unknown, ExitCode>,
  ): Promise<{ result: unknown; exit: ExitCode }> {
    let held: { result: unknown } | undefined;
    try {
      for (;;) {
        const { value, done } = await results.next();
        if (done) return { result: held?.result, exit: value as ExitCode };
        if (held !== undefined) {
          this.#send(caller, id, { type: "event", event: "result", result: held.result });
        }
        held = { result: value };
      }
    } finally {
      // Where one was too large to be sent, the command ends here; otherwise it has ended.
      await results.return(1);
    }
  }

  #progress(caller: Caller, id: string, progress: Progress): void {
    const event = { v: VERSION, re: id, type: "event", event: "progress", ...progress };
    // Of a text every piece is needed.
    const isOptional = progress.note !== true && progress.text === undefined;
    caller.send(this.#options.signer.seal(event), isOptional);
  }

  #cancel(caller: Caller, session: Session, request: Request): void {
    const { args = [], kwargs = {} } = request.mission_brief ?? {};
    const id = args[0] ?? kwargs.id;
    if (typeof id !== "string") {
      return this.#refuse(caller, request.id, "bad_input", "args: expected the id of a request");
    }
    const controller = session.running.get(id);
    controller?.abort(new DOMException("cancelled", "AbortError"));
    this.#send(caller, request.id, {
      type: "reply",
      result: { cancelled: controller !== undefined },
    });
  }

  #subscribe(caller: Caller, session: Session, request: Request): void {
    const { args = [] } = request.mission_brief ?? {};
    const unknown = args.find((topic) => !TOPICS.includes(topic as Topic));
    if (unknown !== undefined || args.length === 0) {
      return this.#refuse(
        caller,
        request.id,
        "bad_input",
        `args: expected topics, there is ${TOPICS.join(", ")}`,
      );
    }
    for (const topic of args) session.topics.add(topic as Topic);
    this.#send(caller, request.id, { type: "reply", result: { topics: [...session.topics] } });
  }

  #session(caller: Caller): Session {
    let session = this.#sessions.get(caller);
    if (session === undefined) {
      session = { running: new Map(), topics: new Set(), offences: 0 };
      this.#sessions.set(caller, session);
      const forget = () => this.#sessions.delete(caller);
      if (caller.signal.aborted) forget();
      else caller.signal.addEventListener("abort", forget, { once: true });
    }
    return session;
  }

  /** Refuses a message that an honest client does not send; who goes on with it is dismissed. */
  #offend(caller: Caller, code: ErrorCode, message: string, id: string | null = null): undefined {
    const session = this.#session(caller);
    session.offences++;
    this.#refuse(caller, id, code, message);
    if (session.offences === MAX_OFFENCES) {
      this.#note(caller, "dismissed", `after ${MAX_OFFENCES} such messages`);
      caller.dismiss();
    }
  }

  #refuse(caller: Caller, id: string | null, code: ErrorCode, message: string): void {
    const noted = NOTED.find((each) => each === code);
    if (noted !== undefined) this.#note(caller, noted, message);
    this.#deliver(caller, this.#options.signer.seal(errorMessage(id, code, message)), id);
  }

  #note({ door, name, address }: Caller, reason: RefusalReason, detail: string): void {
    this.#options.refusals.note({ door, reason, detail, peer: name, address });
  }

  #send(caller: Caller, id: string, fields: Readonly<Record<string, unknown>>): void {
    const frames = this.#sealed(id, fields);
    this.#deliver(caller, frames, id);
  }

  #sealed(id: string, fields: Readonly<Record<string, unknown>>): readonly Uint8Array[] {
    const frames = this.#options.signer.seal({ v: VERSION, re: id, ...fields });
    if (frames[1].length <= MAX_REPLY_BYTES) return frames;
    throw new RequestError(
      "failed",
      `the result has ${
        frames[1].length
      } bytes, at most ${MAX_REPLY_BYTES} can be sent; ask for less`,
    );
  }

  #deliver(caller: Caller, frames: readonly Uint8Array[], id: string | null): void {
    if (!caller.send(frames, false)) {
      this.#note(caller, "undelivered", `the reply to "${id}" could not be delivered`);
    }
  }
}

function errorMessage(re: string | null, code: ErrorCode, message: string) {
  return { v: VERSION, re, type: "error", code, message };
}

/** The id in a message that is otherwise refused, so that its sender knows which one it was. */
function idOf(value: unknown): string | null {
  const id = (value as { id?: unknown } | null)?.id;
  return typeof id === "string" && id.length <= 256 ? id : null;
}
