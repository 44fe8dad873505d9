/**
 * `/events`: a WebSocket that tells what happens in the kernel as it happens.
 *
 * Every message is one JSON object with a `type`: `hello` once, `runs` whenever the list of running commands changes, and every event of
 * the kernel as it comes, such as `uvm_state_update`. A client says nothing but `{"type": "ping"}`, which is answered by `pong`.
 *
 * Owns the connections and what they may cost. What must hold: a client that does not read costs a bounded amount of memory and is then let
 * go; one that floods is let go; neither delays the kernel or another client.
 */
import type { RefusalReason } from "../../audit/refusal_log.ts";
import type { Runs } from "../runs.ts";
import { refusal } from "./access.ts";

/** Something that happened in the kernel. */
export interface KernelEvent extends Readonly<Record<string, unknown>> {
  readonly type: string;
}

/** Gives every event of the kernel to a listener; returns what ends that. */
export type ListenToKernel = (listener: (event: KernelEvent) => void) => () => void;

/** Connections at a time: a person has few windows. */
const MAX_CONNECTIONS = 32;

/** Bytes that wait for a client before it counts as one that does not read. */
const MAX_WAITING_BYTES = 1_000_000;

/** How long it may stay so. */
const SLOW_MS = 10_000;

/** Longest message of a client: all it has to say is a ping. */
const MAX_MESSAGE = 4096;

/** Messages that a client may send in a window of time. */
const MAX_MESSAGES = 60;
const WINDOW_MS = 10_000;

/** Lists of runs are sent no more often than this: a progress line changes many times a second. */
const RUNS_MS = 100;

/** Seconds without an answer to a ping of the protocol after which a connection is given up. */
const IDLE_SECONDS = 30;

/** Codes of RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;
const POLICY = 1008;
const TOO_BIG = 1009;
/** Registered later: try again later. */
const OVERLOADED = 1013;

/** What the events need. */
export interface EventsOptions {
  readonly version: string;
  readonly workspace: { readonly name: string; readonly root: string };
  readonly runs: Runs;
  readonly listen?: ListenToKernel | undefined;
  /** Takes why a client was let go, and where it was. */
  readonly note?: (reason: RefusalReason, detail: string, address: string) => void;
  /** Other limits, for tests. */
  readonly slowMs?: number | undefined;
}

/** See the module text. */
export class Events implements Disposable {
  readonly #options: EventsOptions;
  readonly #clients = new Set<Client>();
  readonly #end: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#end.push(options.runs.listen(() => this.#soon()));
    if (options.listen !== undefined) this.#end.push(options.listen((event) => this.tell(event)));
  }

  /** How many clients there are. */
  get size(): number {
    return this.#clients.size;
  }

  /** Opens a connection. */
  upgrade(request: Request, address = ""): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return refusal(426, "/events: speaks WebSocket only", { upgrade: "websocket" });
    }
    const note = (reason: RefusalReason, detail: string) =>
      this.#options.note?.(reason, `/events: ${detail}`, address);
    if (this.#clients.size >= MAX_CONNECTIONS) {
      note("too_many_connections", `${MAX_CONNECTIONS} connections are open`);
      return refusal(429, `busy: ${MAX_CONNECTIONS} connections are open`);
    }
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: IDLE_SECONDS });
    const client = new Client(socket, this.#options.slowMs ?? SLOW_MS, note);
    this.#clients.add(client);
    socket.onopen = () => {
      const { version, workspace } = this.#options;
      client.send(JSON.stringify({ type: "hello", version, workspace }));
      client.send(this.#runs());
    };
    socket.onclose = () => this.#drop(client);
    socket.onerror = () => this.#drop(client);
    return response;
  }

  /** Tells every client. */
  tell(event: KernelEvent): void {
    if (this.#clients.size === 0) return;
    const text = JSON.stringify(event);
    for (const client of this.#clients) client.send(text);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const end of this.#end) end();
    for (const client of this.#clients) client.close(GOING_AWAY, "the server stops");
  }

  #drop(client: Client): void {
    client.end();
    this.#clients.delete(client);
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const text = this.#runs();
      for (const client of this.#clients) client.send(text);
    }, RUNS_MS);
  }

  #runs(): string {
    return JSON.stringify({ type: "runs", runs: this.#options.runs.list() });
  }
}

/** One connection. */
class Client {
  readonly #socket: WebSocket;
  readonly #slowMs: number;
  readonly #note: (reason: RefusalReason, detail: string) => void;
  #received = 0;
  #windowStart = 0;
  /** Since when too much has been waiting for it; undefined when it reads. */
  #behindSince: number | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #missed = false;
  #isDismissed = false;

  constructor(
    socket: WebSocket,
    slowMs: number,
    note: (reason: RefusalReason, detail: string) => void,
  ) {
    this.#socket = socket;
    this.#note = note;
    this.#slowMs = slowMs;
    socket.onmessage = ({ data }) => this.#receive(data);
  }

  /** Sends, unless the client is behind: then it misses messages, and is let go when it stays behind. */
  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount + text.length > MAX_WAITING_BYTES) {
      this.#missed = true;
      this.#behindSince ??= performance.now();
      this.#watch ??= setTimeout(() => this.#judge(), this.#slowMs);
      return;
    }
    this.#behindSince = undefined;
    // What it missed cannot be sent again; it can ask for the state as it is.
    if (this.#missed) this.#socket.send('{"type":"missed"}');
    this.#missed = false;
    this.#socket.send(text);
  }

  close(code: number, reason: string): void {
    this.end();
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(code, reason);
  }

  /** Nothing more is to be waited for. */
  end(): void {
    clearTimeout(this.#watch);
  }

  #judge(): void {
    this.#watch = undefined;
    if (this.#behindSince === undefined) return;
    if (this.#socket.bufferedAmount > MAX_WAITING_BYTES / 2) {
      this.#dismiss(OVERLOADED, "does_not_read", "does not read what it is sent");
    } else {
      this.#behindSince = undefined;
    }
  }

  #dismiss(code: number, reason: RefusalReason, detail: string): void {
    if (this.#isDismissed) return;
    this.#isDismissed = true;
    this.#note(reason, detail);
    this.close(code, detail);
  }

  #receive(data: unknown): void {
    // What still arrives until it is closed.
    if (this.#isDismissed) return;
    if (typeof data !== "string" || data.length > MAX_MESSAGE) {
      const detail = `a message is text of at most ${MAX_MESSAGE} characters`;
      return this.#dismiss(TOO_BIG, "too_large", detail);
    }
    const now = performance.now();
    if (now - this.#windowStart > WINDOW_MS) {
      this.#windowStart = now;
      this.#received = 0;
    }
    if (++this.#received > MAX_MESSAGES) {
      return this.#dismiss(POLICY, "flood", "too many messages");
    }
    if (!/^\s*\{\s*"type"\s*:\s*"ping"\s*\}\s*$/.test(data)) {
      return this.#dismiss(POLICY, "bad_message", 'the only message is {"type":"ping"}');
    }
    this.send('{"type":"pong"}');
  }
}
