/**
 * One ZMTP 3.1 connection, seen from either end: handshake, messages in, messages out, heartbeats, its end.
 *
 * Owns the socket that it is given. What must hold:
 * - a peer that sends rubbish, nothing, or reads nothing costs a bounded amount of memory and time, and nobody else notices;
 * - a peer is read from only while what was sent to it is being read: who floods without listening waits for itself;
 * - a message that was accepted for sending and could not be written is counted and told, never dropped in silence.
 *
 * How a peer proves who it is, and whether what is sent is hidden from others, is the mechanism's (`mechanism.ts`); what the peer may do is decided by
 * the signatures of the contract (`../contract.ts`), above this.
 */
import { type Mechanism, NOT_ALLOWED, NullMechanism } from "./mechanism.ts";
import {
  decodeProperties,
  decodeReason,
  encodeGreeting,
  encodeProperties,
  type Greeting,
  type Item,
  Reader,
  type ReaderLimits,
  ZmtpError,
} from "./wire.ts";

/** Time for the handshake: on loopback it takes a millisecond; a paused debugger is not a reason to wait longer. */
export const HANDSHAKE_MS = 5_000;

/** Silence after which a peer is asked whether it is there. */
export const HEARTBEAT_MS = 15_000;

/** Silence after which a peer is given up: it did not answer two heartbeats. */
export const SILENCE_MS = 45_000;

/** Time in which a write has to make progress: a stopped program (Ctrl-Z) may come back within it. */
export const STALL_MS = 60_000;

/** Silence after which a peer is given up that cannot be asked: heartbeats came with ZMTP 3.1. */
export const IDLE_MS = 900_000;

/** Durations of a connection, in milliseconds; the constants above by default. */
export interface Patience {
  /** For the handshake, from the first byte to the last, however slowly they come. */
  readonly handshake: number;
  /** Silence before a peer is asked. */
  readonly heartbeat: number;
  /** Silence before it is given up. */
  readonly silence: number;
  /** For a write to make progress. */
  readonly stall: number;
  /** Silence before a peer is given up that knows no heartbeats. */
  readonly idle: number;
  /** For a peer to prove that it may speak (see `proven`); for ever by default. */
  readonly proof: number;
}

const PATIENCE: Patience = {
  handshake: HANDSHAKE_MS,
  heartbeat: HEARTBEAT_MS,
  silence: SILENCE_MS,
  stall: STALL_MS,
  idle: IDLE_MS,
  proof: Infinity,
};

/** Bytes waiting to be written above which nothing more is read from a peer, and what may be left out is. */
export const HIGH_WATER = 1_048_576;

/** Most bytes that are put together for one write. */
const MAX_WRITE = 262_144;

/** How a connection ends whose peer has no use for the key of this end. */
export const NOT_ADMITTED = "it does not admit this key";

/** What `Connection` needs of a socket: `Deno.TcpConn` has it. */
export interface Socket {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
  /** Where the other end is. */
  readonly remoteAddr?: Deno.Addr;
}

/** Options of a connection. */
export interface ConnectionOptions {
  /** What this end is, and what the other end has to be. */
  readonly socketType: "ROUTER" | "DEALER";
  readonly peerType: "ROUTER" | "DEALER";
  /** What this end calls itself; a DEALER has one, a ROUTER has none. */
  readonly identity?: Uint8Array;
  readonly limits: ReaderLimits;
  /** Security of the connection, made for it alone; NULL by default. */
  readonly mechanism?: Mechanism;
  readonly patience?: Partial<Patience> | undefined;
  /** Called once, when the peer has said who it is; a text refuses it and is sent as the reason. */
  readonly onReady: (connection: Connection) => string | undefined;
  /** Called for every message, in order. */
  readonly onMessage: (connection: Connection, parts: readonly Uint8Array<ArrayBuffer>[]) => void;
  /** Something to say to a peer whose bytes are refused, before the connection closes. */
  readonly farewell?: (problem: string) => readonly Uint8Array[];
}

/** What was wrong with a peer, as a word. */
export type EndReason =
  | "bad_greeting"
  | "bad_handshake"
  | "bad_frames"
  | "slow_handshake"
  | "no_sign_of_life"
  | "does_not_read"
  /** It may no longer speak. */
  | "not_admitted";

/** How a connection ended. */
export interface Ending {
  /** What was wrong; undefined for a peer that simply left and for a close from this side. */
  readonly problem: string | undefined;
  /** The same as a word; undefined too where the problem is not the peer's. */
  readonly reason: EndReason | undefined;
  /** Messages that had been accepted for sending and were not written. */
  readonly unsent: number;
}

/** See the module text. */
export class Connection {
  /** Aborted when the connection is over. */
  readonly signal: AbortSignal;
  /** Resolves when the connection is over. Never rejects. */
  readonly ended: Promise<Ending>;
  /** What the peer called itself; empty until it is ready, and where it gave no name. */
  identity: Uint8Array = new Uint8Array();
  /** Whether the peer has proved that it may speak; set by whoever checks its messages. */
  proven = false;

  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #mechanism: Mechanism;
  readonly #reader: Reader;
  readonly #patience: Patience;
  readonly #ending = new AbortController();
  #state: "greeting" | "handshake" | "ready" | "closed" = "greeting";
  #minor = 1;
  #queue: { bytes: Uint8Array; isMessage: boolean }[] = [];
  #queued = 0;
  #writing = false;
  #writtenAt = performance.now();
  #heardAt = performance.now();
  #askedAt = 0;
  /** When it was asked first since it was heard; undefined while nothing is asked of it. */
  #unansweredSince: number | undefined;
  #tickedAt = performance.now();
  /** Silence after which the peer itself wants to be given up. */
  #timeToLive = Infinity;
  readonly #openedAt = performance.now();
  #wake: (() => void) | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#patience = { ...PATIENCE, ...options.patience };
    const mechanism = options.mechanism ?? new NullMechanism(options.socketType === "DEALER");
    this.#mechanism = mechanism;
    this.#reader = new Reader(mechanism.limits(options.limits));
    this.signal = this.#ending.signal;
    this.#enqueue(encodeGreeting(mechanism.name, mechanism.asServer), false);
    this.ended = this.#run();
  }

  /** Whether the handshake is done and the connection is open. */
  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** Public key that the peer has proved to hold; undefined under a mechanism without keys, and before. */
  get peerKey(): Uint8Array | undefined {
    return this.#mechanism.peerKey;
  }

  /** Where the peer is, as `HOST:PORT`. */
  get address(): string {
    const { hostname = "", port = 0 } = (this.#socket.remoteAddr ?? {}) as Partial<Deno.NetAddr>;
    return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  }

  /** Bytes that wait to be written. */
  get queued(): number {
    return this.#queued;
  }

  /**
   * Sends a message, after those before it.
   *
   * @param optional a message that may be left out when the peer does not keep up
   * @returns false when it was not accepted: the connection is over, or the message is optional and the peer is slow
   */
  send(parts: readonly Uint8Array[], optional = false): boolean {
    if (this.#state !== "ready" || (optional && this.#queued > HIGH_WATER)) return false;
    this.#enqueue(this.#mechanism.seal(parts), true);
    return true;
  }

  /**
   * Ends the connection when what is queued has been written; at once when `now`.
   * @param problem why, where it is the peer's doing
   */
  async close(now = false, problem?: string, reason?: EndReason): Promise<Ending> {
    const deadline = performance.now() + HANDSHAKE_MS;
    while (!now && this.#queued > 0 && this.#state === "ready" && performance.now() < deadline) {
      await new Promise((done) => setTimeout(done, 5));
    }
    this.#end(problem, reason);
    return await this.ended;
  }

  /**
   * Looks at the clock; whoever holds connections calls this once a second or so.
   * @param now of `performance.now()`
   */
  tick(now: number): void {
    if (this.#state === "closed") return;
    const { handshake, heartbeat, silence, stall, idle, proof } = this.#patience;
    // This process was busy or asleep: what came meanwhile is read first.
    const isLate = now - this.#tickedAt > heartbeat;
    this.#tickedAt = now;
    if (isLate) return;
    if (this.#state !== "ready") {
      if (now - this.#openedAt > handshake) this.#end("no handshake in time", "slow_handshake");
    } else if (this.#writing && now - this.#writtenAt > stall) {
      this.#end("does not read what it is sent", "does_not_read");
    } else if (!this.proven && now - this.#openedAt > proof) {
      // Not worth a word: a program may connect long before it has something to say, and connects again by itself.
      this.#end(undefined);
    } else if (this.#wake === undefined) {
      // A peer that is held back is not heard, and that is not its fault.
      this.#listen(now - this.#heardAt, now, { heartbeat, silence, idle });
    }
  }

  /** Asks a silent peer whether it is there, and gives up one that was silent for too long. */
  #listen(
    silent: number,
    now: number,
    { heartbeat, silence, idle }: Pick<Patience, "heartbeat" | "silence" | "idle">,
  ): void {
    if (this.#minor === 0) {
      if (Math.min(silent, now - this.#writtenAt) > idle) this.#end(undefined);
      return;
    }
    const unanswered = now - (this.#unansweredSince ?? now);
    if (silent > this.#timeToLive || unanswered > silence - heartbeat) {
      this.#end(`no sign of life for ${Math.round(silent / 1_000)} s`, "no_sign_of_life");
    } else if (silent > heartbeat && now - this.#askedAt > heartbeat) {
      this.#askedAt = now;
      this.#unansweredSince ??= now;
      // Time to live in tenths of a second, then no context.
      this.#enqueue(this.#mechanism.sealCommand("PING", uint16(silence / 100)), false);
    }
  }

  async #run(): Promise<Ending> {
    try {
      while (this.#state !== "closed") {
        if (this.#queued > HIGH_WATER) {
          await new Promise<void>((done) => this.#wake = done);
          this.#heard();
        }
        const bytes = await this.#socket.read(this.#reader.room());
        if (bytes === null) break;
        this.#heard();
        this.#reader.filled(bytes);
        for (let item; this.#isOpen && (item = this.#reader.next()) !== undefined;) {
          this.#take(item);
        }
      }
      this.#end(undefined);
    } catch (error) {
      if (error instanceof ZmtpError) this.#refuse(error.message);
      // Whatever else a socket throws means that it is over.
      else this.#end(isSocketError(error) ? undefined : String(error));
    }
    this.#reader.release();
    const unsent = this.#queue.reduce((sum, { isMessage }) => sum + Number(isMessage), 0);
    return { problem: this.#problem, reason: this.#reason, unsent };
  }

  #heard(): void {
    this.#heardAt = performance.now();
    this.#unansweredSince = undefined;
  }

  get #isOpen(): boolean {
    return this.#state !== "closed";
  }

  #problem: string | undefined;
  #reason: EndReason | undefined;

  #take(item: Item): void {
    if (item.kind === "greeting") return this.#greeted(item.greeting);
    if (this.#state === "handshake") return this.#shake(item);
    const opened = this.#mechanism.open(item);
    if (opened?.kind === "message") this.#options.onMessage(this, opened.parts);
    else if (opened?.kind === "command") this.#command(opened.name, opened.data);
  }

  #greeted(greeting: Greeting): void {
    const { mechanism, minor } = greeting;
    const { name } = this.#mechanism;
    if (mechanism !== name) {
      throw new ZmtpError(`security mechanism "${mechanism}", expected ${name}`);
    }
    this.#minor = minor;
    this.#state = "handshake";
    const { socketType, identity } = this.#options;
    const properties = encodeProperties({
      "Socket-Type": new TextEncoder().encode(socketType),
      ...(identity === undefined ? {} : { Identity: identity }),
    });
    this.#tell(this.#mechanism.begin(greeting, properties));
  }

  #shake(item: Item): void {
    if (item.kind !== "command") throw new ZmtpError("a message before the handshake");
    this.#checkError(item.name, item.data);
    const { send, properties } = this.#mechanism.shake(item.name, item.data);
    this.#tell(send);
    if (properties !== undefined) this.#ready(properties);
  }

  /** Sends a part of the handshake. */
  #tell(frame: Uint8Array | undefined): void {
    if (frame !== undefined) this.#enqueue(frame, false);
  }

  #checkError(name: string, data: Uint8Array): void {
    if (name !== "ERROR") return;
    const reason = decodeReason(data) || "no reason given";
    throw new ZmtpError(reason === NOT_ALLOWED ? NOT_ADMITTED : `the peer refuses: ${reason}`);
  }

  #command(name: string, data: Uint8Array): void {
    this.#checkError(name, data);
    if (name === "PING") {
      if (data.length < 2) throw new ZmtpError("a heartbeat without its time to live");
      this.#timeToLive = (data[0]! << 8 | data[1]!) * 100 || Infinity;
      // What follows the time to live comes back, sixteen octets of it at most.
      this.#enqueue(this.#mechanism.sealCommand("PONG", data.subarray(2, 18)), false);
    } else if (name !== "PONG") throw new ZmtpError("an unknown command");
  }

  #ready(data: Uint8Array): void {
    const properties = decodeProperties(data);
    const type = new TextDecoder().decode(properties.get("socket-type"));
    const { peerType } = this.#options;
    if (type !== peerType) {
      throw new ZmtpError(`a ${type.slice(0, 16) || "nameless"} socket, expected ${peerType}`);
    }
    const identity = properties.get("identity");
    if (identity !== undefined && identity.length > 255) throw new ZmtpError("identity too long");
    this.identity = identity ?? this.identity;
    const refusal = this.#options.onReady(this);
    if (refusal !== undefined) throw new ZmtpError(refusal);
    this.#tell(this.#mechanism.finish());
    this.#state = "ready";
  }

  /** Tells a peer why it is refused and ends the connection; the peer has a moment to read it. */
  #refuse(problem: string): void {
    if (!this.#isOpen) return;
    const state = this.#state;
    if (state === "ready") {
      const farewell = this.#options.farewell?.(problem);
      if (farewell !== undefined) this.#enqueue(this.#mechanism.seal(farewell), false);
    } else if (state === "handshake") this.#tell(this.#mechanism.refusal(problem));
    if (this.#mechanism.isDenied) this.#end(problem, "not_admitted");
    else if (state === "ready") this.#end(problem, "bad_frames");
    else this.#end(problem, `bad_${state as "greeting" | "handshake"}`);
  }

  #enqueue(bytes: Uint8Array, isMessage: boolean): void {
    if (!this.#isOpen) return;
    this.#queue.push({ bytes, isMessage });
    this.#queued += bytes.length;
    if (!this.#writing) void this.#write();
  }

  /** Writes until the queue is empty, small pieces together. */
  async #write(): Promise<void> {
    this.#writing = true;
    this.#writtenAt = performance.now();
    try {
      while (this.#queue.length > 0) {
        let count = 1;
        let length = this.#queue[0]!.bytes.length;
        while (
          count < this.#queue.length && length + this.#queue[count]!.bytes.length <= MAX_WRITE
        ) length += this.#queue[count++]!.bytes.length;
        const bytes = count === 1 ? this.#queue[0]!.bytes : this.#joined(count, length);
        for (let at = 0; at < bytes.length;) {
          const written = await this.#socket.write(at === 0 ? bytes : bytes.subarray(at));
          this.#writtenAt = performance.now();
          at += written;
          this.#queued -= written;
        }
        if (count === 1) this.#queue.shift();
        else this.#queue.splice(0, count);
        if (this.#queued <= HIGH_WATER / 2) this.#release();
      }
    } catch {
      this.#end(undefined);
    } finally {
      this.#writing = false;
      if (!this.#isOpen) this.#closeSocket();
    }
  }

  #joined(count: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let at = 0;
    for (let index = 0; index < count; index++) {
      bytes.set(this.#queue[index]!.bytes, at);
      at += this.#queue[index]!.bytes.length;
    }
    return bytes;
  }

  /** Lets the reading go on. */
  #release(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #end(problem: string | undefined, reason?: EndReason): void {
    if (!this.#isOpen) return;
    this.#state = "closed";
    this.#problem = problem;
    this.#reason = reason;
    this.#release();
    // A write that is under way may hold the farewell; it is short, and the stall of a dead peer ends with the close.
    if (!this.#writing) this.#closeSocket();
    else setTimeout(() => this.#closeSocket(), FAREWELL_MS);
    this.#ending.abort(new DOMException("the connection is over", "AbortError"));
  }

  #closeSocket(): void {
    try {
      this.#socket.close();
    } catch {
      // It was closed already.
    }
  }
}

/** Time that the last words to a refused peer get. */
const FAREWELL_MS = 200;

function isSocketError(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.UnexpectedEof;
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}
