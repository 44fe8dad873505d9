/**
 * Programs that reach an endpoint over ZeroMQ: from a listening socket to callers.
 *
 * Owns who a peer is, in reports and in conversations. What must hold: whatever a peer does wrong is told in one line, and so is what could not be delivered to it.
 */
import { MAX_REQUEST_BYTES, SIGNATURE_BYTES } from "./contract.ts";
import type { Caller, Endpoint } from "./endpoint.ts";
import type { Connection } from "./zmtp/connection.ts";
import { Router, type RouterOptions } from "./zmtp/router.ts";

/** Who a peer is to an endpoint. */
export interface Introduction {
  /** For reports. */
  readonly label: string;
  /** The conversation of its questions: who comes back under its name finds it again. */
  readonly conversation: string;
}

/** Where and how it listens, and who is told of what goes wrong. */
export interface PeersOptions extends Pick<RouterOptions, "hostname" | "port" | "mechanism"> {
  readonly report: (line: string) => void;
  /** Who a peer is; by default who it says it is. */
  readonly introduce?: (peer: Connection) => Introduction;
}

/**
 * Listens, and lets an endpoint answer.
 * @throws {Deno.errors.AddrInUse} when the port is taken
 * @throws {RangeError} when the address is not one of loopback and there is no mechanism
 */
export function listenForPeers(endpoint: Endpoint, options: PeersOptions): Router {
  const { report, introduce = selfIntroduction, ...place } = options;
  const callers = new WeakMap<Connection, Caller>();
  const callerOf = (peer: Connection) => {
    let caller = callers.get(peer);
    if (caller === undefined) callers.set(peer, caller = callerFor(peer, introduce(peer)));
    return caller;
  };
  return Router.listen({
    ...place,
    frames: [SIGNATURE_BYTES, MAX_REQUEST_BYTES],
    onMessage: (peer, parts) => endpoint.receive(callerOf(peer), parts),
    farewell: (problem) => endpoint.farewell(problem),
    onEnd(peer, { problem, unsent }) {
      const { label } = callerOf(peer);
      if (problem !== undefined) report(`${label}: closed: ${problem}`);
      if (unsent > 0) report(`${label}: gone; ${unsent} messages to it could not be delivered`);
    },
  });
}

/** A peer of the socket as a caller. */
function callerFor(peer: Connection, { label, conversation }: Introduction): Caller {
  return {
    label,
    conversation,
    signal: peer.signal,
    send: (frames, optional) => peer.send(frames, optional),
    dismiss: () => void peer.close(),
    proved: () => void (peer.proven = true),
  };
}

/** Who a peer says it is. */
export function selfIntroduction({ identity }: Connection): Introduction {
  const text = new TextDecoder().decode(identity);
  const name = /^[\x21-\x7e]{1,80}$/.test(text) ? text : identity.toHex().slice(0, 80);
  return {
    label: `client ${name || "a stranger"}`,
    conversation: name || crypto.randomUUID(),
  };
}
