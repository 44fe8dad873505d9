/**
 * `/events`: a WebSocket that tells what happens in the kernel as it happens.
 *
 * Every message is one JSON object with a `type`: `hello` once, `runs` whenever the list of running commands changes, and every event of
 * the kernel as it comes, such as `uvm_state_update`. A client says nothing but `{"type": "ping"}`, which is answered by `pong`.
 *
 * Owns the connections and what they may cost. The frames of RFC 6455 are read by `ws`, which counts the bytes of a message over all of its
 * fragments while they come and refuses what is not masked, not UTF-8 or out of order; no extension is agreed on, so nothing is compressed.
 * What must hold: a client that does not read costs a bounded amount of memory and is then let go; so is one that floods, with whatever kind
 * of frame, one that does not end what it began, and one that is silent; none delays the kernel or another client.
 */
import type { WebSocketServer } from "ws";
import type { RefusalReason } from "../../audit/refusal_log.ts";
import type { Runs } from "../runs.ts";
import { refusal } from "./access.ts";
import type { Takeover } from "./listener.ts";

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

/** Longest message of a client, in bytes over all its fragments: all it has to say is a ping. */
const MAX_MESSAGE = 4096;

/** Pieces that a message may come in, as fragments and off the wire: each may keep 64 KiB that it was read with. */
const MAX_PIECES = 8;

/** Frames that a client may send in a window of time: messages, pings and pongs. */
const MAX_FRAMES = 60;
const WINDOW_MS = 10_000;

/** Lists of runs are sent no more often than this: a progress line changes many times a second. */
const RUNS_MS = 100;

/** How often a client is asked for a sign of life; it is let go when the last one was not answered. */
const PING_MS = 15_000;

/** How long a client that was let go may take to say so too, and how much of what it still sends is thrown away meanwhile, in bytes. */
const CLOSE_MS = 2_000;
const MAX_UNHEARD = 4_000_000;

/** What is used of `ws`, which brings no types. */
interface Socket {
  readonly readyState: number;
  /** Bytes that wait to be taken by the system. */
  readonly bufferedAmount: number;
  send(text: string): void;
  ping(): void;
  pong(data: Uint8Array): void;
  /** Says why, waits for the other end to say so too, and closes. */
  close(code: number, reason: string): void;
  /** Closes without a word. */
  terminate(): void;
  on(event: "message", listener: (data: Uint8Array, isBinary: boolean) => void): void;
  on(event: "ping" | "pong", listener: (data: Uint8Array) => void): void;
  on(event: "error", listener: (error: Error & { readonly code?: string }) => void): void;
  on(event: "close", listener: () => void): void;
}

/** `readyState` of a socket that can be written to. */
const OPEN = 1;

/** Errors of `ws` that mean too much, not something wrong. */
const TOO_MUCH = [
  "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
  "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
  "WS_ERR_TOO_MANY_BUFFERED_PARTS",
];

/** Codes of RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;
const NOT_TAKEN = 1003;
const POLICY = 1008;
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
  readonly pingMs?: number | undefined;
}

/** See the module text. */
export class Events implements Disposable {
  readonly #options: EventsOptions;
  readonly #clients = new Set<Client>();
  readonly #end: (() => void)[] = [];
  #server: Promise<WebSocketServer> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #isOver = false;

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#end.push(options.runs.listen(() => this.#soon()));
    if (options.listen !== undefined) this.#end.push(options.listen((event) => this.tell(event)));
  }

  /** How many clients there are. */
  get size(): number {
    return this.#clients.size;
  }

  /**
   * Opens a connection.
   * @param takeover there where the client asked for a WebSocket
   * @returns undefined when it is open
   */
  async upgrade(address: string, takeover: Takeover | undefined): Promise<Response | undefined> {
    if (takeover === undefined) {
      return refusal(426, "/events: speaks WebSocket only", { upgrade: "websocket" });
    }
    const note = (reason: RefusalReason, detail: string) =>
      this.#options.note?.(reason, `/events: ${detail}`, address);
    const server = await (this.#server ??= frameReader());
    if (this.#isOver) return refusal(503, "the server stops");
    if (this.#clients.size >= MAX_CONNECTIONS) {
      note("too_many_connections", `${MAX_CONNECTIONS} connections are open`);
      return refusal(429, `busy: ${MAX_CONNECTIONS} connections are open`);
    }
    const { request, socket, head } = takeover;
    // What is wrong with the handshake it answers by itself.
    server.handleUpgrade(request, socket, head, (opened: Socket) => {
      const client = new Client(opened, this.#options.slowMs ?? SLOW_MS, note);
      this.#clients.add(client);
      socket.on("data", ({ length }) => client.countUnheard(length));
      this.#pulse ??= setInterval(
        () => this.#clients.forEach((each) => each.askForLife()),
        this.#options.pingMs ?? PING_MS,
      );
      opened.on("close", () => this.#drop(client));
      const { version, workspace } = this.#options;
      client.send(JSON.stringify({ type: "hello", version, workspace }));
      client.send(this.#runs());
    });
  }

  /** Tells every client. */
  tell(event: KernelEvent): void {
    if (this.#clients.size === 0) return;
    const text = JSON.stringify(event);
    for (const client of this.#clients) client.send(text);
  }

  /** Says goodbye to all; who does not say so too is cut off soon. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    for (const end of this.#end) end();
    for (const client of this.#clients) client.close(GOING_AWAY, "the server stops");
  }

  #drop(client: Client): void {
    client.end();
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#pulse);
    this.#pulse = undefined;
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

/** What reads frames, loaded with the first connection: a kernel that no page looks at does without its 5 MB. */
async function frameReader(): Promise<WebSocketServer> {
  const { WebSocketServer } = await import("ws");
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    handleProtocols: () => false,
    maxPayload: MAX_MESSAGE,
    maxFragments: MAX_PIECES,
    maxBufferedChunks: MAX_PIECES,
    // Answered here, where it is counted: a flood of pings by who does not read would pile up.
    autoPong: false,
    closeTimeout: CLOSE_MS,
  });
}

/** One connection. */
class Client {
  readonly #socket: Socket;
  readonly #slowMs: number;
  readonly #note: (reason: RefusalReason, detail: string) => void;
  #received = 0;
  #windowStart = 0;
  /** Whether it was heard since it was last asked for a sign of life. */
  #isAlive = true;
  /** Since when too much has been waiting for it; undefined when it reads. */
  #behindSince: number | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #missed = false;
  #isDismissed = false;
  /** Bytes that came after it was dismissed. */
  #unheard = 0;

  constructor(
    socket: Socket,
    slowMs: number,
    note: (reason: RefusalReason, detail: string) => void,
  ) {
    this.#socket = socket;
    this.#note = note;
    this.#slowMs = slowMs;
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("ping", (data) => {
      if (this.#mayGoOn() && !this.#isBehind(data.length)) socket.pong(data);
    });
    socket.on("pong", () => void this.#mayGoOn());
    // Closed by `ws`, with the code that says why.
    socket.on("error", ({ code = "", message }) => {
      if (this.#isDismissed || !code.startsWith("WS_ERR")) return;
      this.#isDismissed = true;
      this.end();
      this.#note(TOO_MUCH.includes(code) ? "too_large" : "bad_frames", message);
    });
  }

  /** Sends, unless the client is behind: then it misses messages, and is let go when it stays behind. */
  send(text: string): void {
    if (this.#socket.readyState !== OPEN) return;
    if (this.#isBehind(text.length)) {
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

  /** Asks for a sign of life; ends without a word where the last one was not answered: nobody may be there to hear it. */
  askForLife(): void {
    if (this.#isAlive) {
      this.#isAlive = false;
      if (this.#socket.readyState === OPEN && !this.#isBehind(0)) this.#socket.ping();
      return;
    }
    if (!this.#isDismissed) this.#note("no_sign_of_life", "does not answer");
    this.#isDismissed = true;
    this.#socket.terminate();
  }

  /** Counts bytes as they come; who goes on sending after it was let go is cut off. */
  countUnheard(bytes: number): void {
    if (this.#isDismissed && (this.#unheard += bytes) > MAX_UNHEARD) this.#socket.terminate();
  }

  close(code: number, reason: string): void {
    this.end();
    this.#socket.close(code, reason);
  }

  /** Nothing more is to be waited for. */
  end(): void {
    clearTimeout(this.#watch);
  }

  #isBehind(more: number): boolean {
    return this.#socket.bufferedAmount + more > MAX_WAITING_BYTES;
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

  /** Counts a frame; whether it is still listened to. What still arrives until it is closed is not. */
  #mayGoOn(): boolean {
    this.#isAlive = true;
    const now = performance.now();
    if (now - this.#windowStart > WINDOW_MS) {
      this.#windowStart = now;
      this.#received = 0;
    }
    if (++this.#received > MAX_FRAMES) this.#dismiss(POLICY, "flood", "too many messages");
    return !this.#isDismissed;
  }

  #receive(data: Uint8Array, isBinary: boolean): void {
    if (!this.#mayGoOn()) return;
    if (isBinary) return this.#dismiss(NOT_TAKEN, "bad_message", "a message is text");
    const text = new TextDecoder().decode(data);
    if (!/^\s*\{\s*"type"\s*:\s*"ping"\s*\}\s*$/.test(text)) {
      return this.#dismiss(POLICY, "bad_message", 'the only message is {"type":"ping"}');
    }
    this.send('{"type":"pong"}');
  }
}
