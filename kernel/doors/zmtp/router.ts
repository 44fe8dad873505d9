/**
 * The ROUTER end of ZMTP 3.1: listens, admits peers, hands their messages over.
 *
 * Owns the listening socket and its connections. What must hold:
 * - the number of connections is bounded, and so is the memory that all of them together take for what was not yet read whole; strangers who
 *   connect do not keep out those who have proved that they may speak;
 * - an identity belongs to one connection at a time: who comes second with it is refused, and the first notices nothing;
 * - without a mechanism that encrypts it listens on this machine alone (see `listen`).
 */
import { Connection, type Ending, type Patience } from "./connection.ts";
import type { Mechanism } from "./mechanism.ts";
import { ZmtpError } from "./wire.ts";

/** Most connections at a time: consoles, scripts and pages of one developer, with much to spare. */
const MAX_PEERS = 512;

/** Most connections from one address: one machine does not take the room of the others. */
const MAX_PER_ADDRESS = 256;

/** Time in which a peer has to prove that it may speak. Who only connected may do so again. */
const PROOF_MS = 60_000;

/** Most memory for messages that have not arrived whole, of all connections together. */
const MAX_PARTIAL_BYTES = 67_108_864;

/** How often the connections look at the clock. */
const TICK_MS = 1_000;

/** Addresses that no other machine reaches. */
const LOOPBACK = ["127.0.0.1", "::1", "localhost"];

/** Options of a router. */
export interface RouterOptions {
  /** An address of this machine's loopback; with `mechanism` any of its addresses. */
  readonly hostname: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Most bytes of each frame of a message; a message has no more frames than that. */
  readonly frames: readonly number[];
  readonly onMessage: (peer: Connection, parts: readonly Uint8Array<ArrayBuffer>[]) => void;
  /** Makes the mechanism of a connection, one that encrypts and knows whom it lets in; NULL by default. */
  readonly mechanism?: () => Mechanism;
  /** Called when a connection is over, the refused ones included. */
  readonly onEnd?: (peer: Connection, ending: Ending) => void;
  /** Something to say to a peer whose bytes are refused. */
  readonly farewell?: (problem: string) => readonly Uint8Array[];
  /** Called when there is no room for a connection; it is closed unheard. */
  readonly onTurnedAway?: (address: string, problem: string) => void;
  /** Other durations of connections, and of the pauses between looks at the clock. */
  readonly patience?: Partial<Patience> & { readonly tick?: number };
  /** Other limits on the number of connections. */
  readonly most?: { readonly peers?: number; readonly perAddress?: number };
}

/** See the module text. */
export class Router {
  readonly #listener: Deno.TcpListener;
  readonly #options: RouterOptions;
  readonly #connections = new Set<Connection>();
  readonly #peers = new Map<string, Connection>();
  readonly #accepting: Promise<void>;
  #partial = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  private constructor(listener: Deno.TcpListener, options: RouterOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#accepting = this.#accept();
  }

  /**
   * Starts to listen.
   * @throws {Deno.errors.AddrInUse} when the port is taken
   * @throws {RangeError} when the address is not one of loopback and there is no mechanism: messages are signed, but not encrypted
   */
  static listen(options: RouterOptions): Router {
    if (options.mechanism === undefined && !LOOPBACK.includes(options.hostname)) {
      throw new RangeError(
        `listen on "${options.hostname}": messages are signed but not encrypted, so only an address of this machine will do: 127.0.0.1`,
      );
    }
    const { hostname, port } = options;
    return new Router(Deno.listen({ transport: "tcp", hostname, port }), options);
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  /** Connections that are open, those in their handshake included. */
  get size(): number {
    return this.#connections.size;
  }

  /** The peers that are ready. */
  get peers(): Iterable<Connection> {
    return this.#peers.values();
  }

  /** Stops listening and ends the connections, after what is queued for them was written. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    await Promise.all([...this.#connections].map((connection) => connection.close()));
    clearInterval(this.#timer);
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      let socket: Deno.TcpConn;
      try {
        socket = await this.#listener.accept();
      } catch {
        // Closed, or out of file handles: then the next one may get in a little later.
        if (!this.#closed) await new Promise((done) => setTimeout(done, 50));
        continue;
      }
      if (this.#closed || !this.#makeRoom(socket)) socket.close();
      else {
        socket.setNoDelay(true);
        this.#open(socket);
      }
    }
  }

  /** Whether there is room for one more; a peer that has not proved anything yet makes room, the oldest first. */
  #makeRoom(socket: Deno.TcpConn): boolean {
    const { peers = MAX_PEERS, perAddress = MAX_PER_ADDRESS } = this.#options.most ?? {};
    if (this.#connections.size < Math.min(peers, perAddress)) return true;
    const { hostname, port } = socket.remoteAddr as Deno.NetAddr;
    const host = hostOf(`${hostname}:${port}`);
    const near = [...this.#connections].filter(({ address }) => hostOf(address) === host);
    const isCrowded = near.length >= perAddress;
    if (!isCrowded && this.#connections.size < peers) return true;
    const oldest = (isCrowded ? near : [...this.#connections]).find(({ proven }) => !proven);
    if (oldest !== undefined) {
      this.#connections.delete(oldest);
      void oldest.close(true);
      return true;
    }
    this.#options.onTurnedAway?.(
      `${hostname}:${port}`,
      isCrowded ? `${perAddress} connections from there are open` : `${peers} connections are open`,
    );
    return false;
  }

  #open(socket: Deno.TcpConn): void {
    const { frames, onMessage, onEnd, farewell, patience } = this.#options;
    const connection = new Connection(socket, {
      socketType: "ROUTER",
      peerType: "DEALER",
      limits: { frames, reserve: (bytes) => this.#reserve(bytes) },
      mechanism: this.#options.mechanism?.(),
      onReady: (peer) => this.#admit(peer),
      onMessage,
      farewell,
      patience: { proof: PROOF_MS, ...patience },
    });
    this.#connections.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), patience?.tick ?? TICK_MS);
    void connection.ended.then((ending) => {
      this.#connections.delete(connection);
      const name = nameOf(connection);
      if (this.#peers.get(name) === connection) this.#peers.delete(name);
      if (this.#connections.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      onEnd?.(connection, ending);
    });
  }

  #admit(peer: Connection): string | undefined {
    if (peer.identity.length === 0) {
      // As libzmq names peers that do not: a zero octet, which no peer may choose, and something unique.
      peer.identity = new Uint8Array(17);
      crypto.getRandomValues(peer.identity.subarray(1));
    } else if (peer.identity[0] === 0) return "an identity may not begin with a zero octet";
    const name = nameOf(peer);
    if (this.#peers.get(name)?.signal.aborted === false) return "this identity is in use";
    this.#peers.set(name, peer);
    return undefined;
  }

  #reserve(bytes: number): void {
    if (bytes > 0 && this.#partial + bytes > MAX_PARTIAL_BYTES) {
      throw new ZmtpError("too much is arriving at once, try again later");
    }
    this.#partial += bytes;
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}

/** An address without its port. */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function nameOf(peer: Connection): string {
  return peer.identity.toHex();
}
