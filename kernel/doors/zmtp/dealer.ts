/**
 * The DEALER end of ZMTP 3.1: one connection to a ROUTER.
 *
 * Owns the way to a ready connection. What must hold: it never waits without an end. Whoever uses it decides when to connect again.
 */
import { Connection, HANDSHAKE_MS, NOT_ADMITTED } from "./connection.ts";
import type { Mechanism } from "./mechanism.ts";

/** Time to get through to the other end: a machine that is switched off does not answer, and the system would wait for minutes. */
const CONNECT_MS = 10_000;

/** How often an open connection looks at the clock. */
const TICK_MS = 5_000;

/** The other end does not admit the key of this one, and trying again changes nothing. */
export class NotAdmittedError extends Error {
  override readonly name = "NotAdmittedError";
}

/** Options of a dealer. */
export interface DealerOptions {
  readonly hostname: string;
  readonly port: number;
  /** What this end calls itself; no other open connection may have it. */
  readonly identity: string;
  /** Most bytes of each frame of a message. */
  readonly frames: readonly number[];
  /** Security, for this connection alone; NULL by default. */
  readonly mechanism?: Mechanism;
  readonly onMessage: (parts: readonly Uint8Array<ArrayBuffer>[]) => void;
}

/**
 * Connects and does the handshake.
 *
 * @returns the connection, ready for messages
 * @throws {Deno.errors.ConnectionRefused} when nobody listens
 * @throws {NotAdmittedError} when the other end does not know the key of this one
 * @throws {Error} when the other end refuses, or is no ROUTER
 */
export async function connectDealer(options: DealerOptions): Promise<Connection> {
  const { hostname, port, identity, frames, mechanism, onMessage } = options;
  const socket = await reach(hostname, port);
  return await new Promise((resolve, reject) => {
    const connection = new Connection(socket, {
      socketType: "DEALER",
      peerType: "ROUTER",
      identity: new TextEncoder().encode(identity),
      limits: { frames },
      mechanism,
      onReady: (ready) => {
        // It is ready when this has returned.
        queueMicrotask(() => resolve(ready));
        return undefined;
      },
      onMessage: (_, parts) => onMessage(parts),
    });
    const timer = setInterval(() => connection.tick(performance.now()), TICK_MS);
    const early = setTimeout(() => connection.tick(performance.now()), HANDSHAKE_MS + 1);
    void connection.ended.then(({ problem }) => {
      clearInterval(timer);
      clearTimeout(early);
      const text = `connect to "${hostname}:${port}": ${
        problem ?? "it closed during the handshake"
      }`;
      reject(problem === NOT_ADMITTED ? new NotAdmittedError(text) : new Error(text));
    });
  });
}

async function reach(hostname: string, port: number): Promise<Deno.TcpConn> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`connect to "${hostname}:${port}": no answer`)),
    CONNECT_MS,
  );
  try {
    const socket = await Deno.connect({ hostname, port, signal: late.signal });
    socket.setNoDelay(true);
    return socket;
  } finally {
    clearTimeout(timer);
  }
}
