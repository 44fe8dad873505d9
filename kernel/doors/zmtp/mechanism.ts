/**
 * What a connection asks of a security mechanism of ZMTP 3.1: the handshake, and the way of what follows it through the wire.
 *
 * Owns the interface and its plain sibling, NULL; the other one is CURVE (`curve.ts`). What must hold: a mechanism is of one connection and knows
 * no socket; whatever a peer sends, it gives a value or throws a `ZmtpError`; nothing of a peer is handed on before the peer has been let in.
 */
import {
  encodeCommand,
  encodeMessage,
  encodeReason,
  type Greeting,
  type Item,
  type ReaderLimits,
  ZmtpError,
} from "./wire.ts";

/** Reason of an ERROR to a peer whose key is not admitted: the status code of ZAP (https://rfc.zeromq.org/spec/27/), which libzmq knows. */
export const NOT_ALLOWED = "400";

/** What a step of the handshake leads to. */
export interface Step {
  /** A command to be sent, as a frame. */
  readonly send?: Uint8Array;
  /** The properties of the peer, encoded, once it has said who it is and was found to be that. */
  readonly properties?: Uint8Array;
}

/** See the module text. Calls come in this order: `begin`, `shake` until there are properties, `finish`, then `seal…` and `open`. */
export interface Mechanism {
  /** As the greeting names it. Both ends need the same. */
  readonly name: string;
  /** Whether the greeting calls this end the server. */
  readonly asServer: boolean;
  /** Public key that the peer has proved to hold; undefined where the mechanism has no keys, and before. */
  readonly peerKey: Uint8Array | undefined;
  /** Whether the peer has proved whose key it holds, and that key is not admitted. */
  readonly isDenied: boolean;
  /**
   * How much may arrive at a time, as it is on the wire.
   * @param limits of messages as they are inside; `frames` of what is returned may change while the connection lives
   */
  limits(limits: ReaderLimits): ReaderLimits;
  /**
   * Takes the greeting of a peer that named the same mechanism.
   * @param properties of this end, encoded
   * @returns a command to be sent, where this end speaks first
   * @throws {ZmtpError} when the peer has the wrong role
   */
  begin(peer: Greeting, properties: Uint8Array): Uint8Array | undefined;
  /**
   * Takes a command of the handshake.
   * @throws {ZmtpError} when it is not the one that is due, or not from whom it should be
   */
  shake(name: string, data: Uint8Array): Step;
  /** What tells the peer that it was let in, as a frame; undefined where that was said before. */
  finish(): Uint8Array | undefined;
  /** What a peer is told that is refused during the handshake, as a frame; undefined where it is told nothing. */
  refusal(problem: string): Uint8Array | undefined;
  /** A message for the wire. */
  seal(parts: readonly Uint8Array[]): Uint8Array;
  /** A command for the wire, after the handshake. */
  sealCommand(name: string, data: Uint8Array): Uint8Array;
  /**
   * Takes what arrived after the handshake.
   * @returns the message or command in it; undefined while more of a message is to come
   * @throws {ZmtpError} when it is not what the peer sent
   */
  open(item: Item): Item | undefined;
}

/** NULL: nobody proves anything, nothing is hidden. Who may speak is decided above it, by signatures. */
export class NullMechanism implements Mechanism {
  readonly name = "NULL";
  readonly asServer = false;
  readonly peerKey = undefined;
  readonly isDenied = false;
  /** A ROUTER answers when it knows whom it lets in, a DEALER introduces itself. */
  readonly #speaksFirst: boolean;
  #properties = new Uint8Array();

  constructor(speaksFirst: boolean) {
    this.#speaksFirst = speaksFirst;
  }

  limits(limits: ReaderLimits): ReaderLimits {
    return limits;
  }

  begin(_peer: Greeting, properties: Uint8Array): Uint8Array | undefined {
    this.#properties = Uint8Array.from(properties);
    return this.#speaksFirst ? encodeCommand("READY", properties) : undefined;
  }

  shake(name: string, data: Uint8Array): Step {
    if (name !== "READY") throw new ZmtpError("a command before the handshake");
    return { properties: data };
  }

  finish(): Uint8Array | undefined {
    return this.#speaksFirst ? undefined : encodeCommand("READY", this.#properties);
  }

  refusal(problem: string): Uint8Array {
    return encodeCommand("ERROR", encodeReason(problem));
  }

  seal(parts: readonly Uint8Array[]): Uint8Array {
    return encodeMessage(parts);
  }

  sealCommand(name: string, data: Uint8Array): Uint8Array {
    return encodeCommand(name, data);
  }

  open(item: Item): Item {
    return item;
  }
}
