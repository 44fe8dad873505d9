/**
 * Programs that reach an endpoint over ZeroMQ: from a listening socket to callers.
 *
 * Owns who a peer is, in reports and in conversations. What must hold: whatever a peer does wrong is told in one line, and so is what could not be delivered to it.
 */
import type { DoorName, RefusalNotes, RefusalReason } from "../audit/refusal_log.ts";
import { MAX_REQUEST_BYTES, SIGNATURE_BYTES } from "./contract.ts";
import type { Caller, Endpoint } from "./endpoint.ts";
import type { Connection } from "./zmtp/connection.ts";
import { Router, type RouterOptions } from "./zmtp/router.ts";

/** Who a peer is to an endpoint. */
export interface Introduction {
  /** What it is called where it is told of. */
  readonly name: string;
  /** The conversation of its questions: who comes back under its name finds it again. */
  readonly conversation: string;
}

/** Where and how it listens, and who is told of what goes wrong. */
export interface PeersOptions extends Pick<RouterOptions, "hostname" | "port" | "mechanism"> {
  readonly door: DoorName;
  /** Takes one line about what is nobody's fault. */
  readonly report: (line: string) => void;
  /** Takes what is turned away, and what could not be delivered. */
  readonly refusals: RefusalNotes;
  /** Who a peer is; by default who it says it is. */
  readonly introduce?: (peer: Connection) => Introduction;
}

/**
 * Listens, and lets an endpoint answer.
 * @throws {Deno.errors.AddrInUse} when the port is taken
 * @throws {RangeError} when the address is not one of loopback and there is no mechanism
 */
export function listenForPeers(endpoint: Endpoint, options: PeersOptions): Router {
  const { door, report, refusals, introduce = selfIntroduction, ...place } = options;
  const callers = new WeakMap<Connection, Caller>();
  const callerOf = (peer: Connection) => {
    let caller = callers.get(peer);
    if (caller === undefined) callers.set(peer, caller = callerFor(door, peer, introduce(peer)));
    return caller;
  };
  return Router.listen({
    ...place,
    frames: [SIGNATURE_BYTES, MAX_REQUEST_BYTES],
    onMessage: (peer, parts) => endpoint.receive(callerOf(peer), parts),
    farewell: (problem) => endpoint.farewell(problem),
    onTurnedAway: (address, detail) =>
      refusals.note({ door, reason: "too_many_connections", detail, address }),
    onEnd(peer, { problem, reason, unsent }) {
      const { name, address } = callerOf(peer);
      const note = (reason: RefusalReason, detail: string) =>
        refusals.note({ door, reason, detail, peer: name, address });
      if (reason !== undefined) note(reason, problem ?? "");
      else if (problem !== undefined) report(`${door}: ${name} at ${address}: ${problem}`);
      if (unsent > 0) note("undelivered", `${unsent} messages to it could not be delivered`);
    },
  });
}

/** A peer of the socket as a caller. */
function callerFor(
  door: DoorName,
  peer: Connection,
  { name, conversation }: Introduction,
): Caller {
  return {
    door,
    name,
    address: peer.address,
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
    name: name || "a stranger",
    conversation: name || crypto.randomUUID(),
  };
}
