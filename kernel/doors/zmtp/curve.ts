/**
 * CURVE: the mechanism of ZMTP that encrypts, and in which both ends prove who they are (https://rfc.zeromq.org/spec/26/; the handshake is that of
 * CurveCP, https://curvecp.org).
 *
 * Owns the handshake in both roles and the boxes of messages. What must hold:
 * - a client whose key the server does not admit is refused before a word of what it says about itself is read;
 * - for each conversation both ends make keys of their own; their secrets are overwritten as soon as the key of the conversation is there (as far as
 *   this program holds them: the runtime may have copies until it collects them), so that who later gets hold of the long-term keys cannot read what
 *   was recorded;
 * - the cookie opens on the connection that it was made for, once: what was recorded of a handshake is worth nothing on another one;
 * - short nonces rise from message to message, in both directions, so that nothing is taken twice or out of order.
 *
 * With C and S the long-term public keys, C' and S' those of the conversation, Box[x](a→b) a box that a sealed for b:
 *
 *     HELLO     1 0, 72 zeros, C', nonce, Box[64 zeros](C'→S)                           client
 *     WELCOME   nonce, Box[S', cookie](S→C')       cookie: nonce, [C', s'](cookie key)  server
 *     INITIATE  cookie, nonce, Box[C, vouch, properties](C'→S')                         client
 *                                                  vouch: nonce, Box[C', S](C→S')
 *     READY     nonce, Box[properties](S'→C')                                           server
 *     MESSAGE   nonce, Box[flags, part]                                                 either
 *
 * The first four are commands. MESSAGE is what libzmq makes of it: one frame of a message without any flags, for each part and for each command.
 */
import { BOX_BYTES, boxKey, openBox, sealBox } from "./crypto_box.ts";
import { type Mechanism, NOT_ALLOWED, type Step } from "./mechanism.ts";
import {
  decodeCommand,
  encodeCommand,
  encodeMessage,
  encodeReason,
  type Greeting,
  type Item,
  MAX_COMMAND_BYTES,
  type ReaderLimits,
  ZmtpError,
} from "./wire.ts";
import { KEY_BYTES, type KeyPair, newKeyPair } from "./x25519.ts";
import { encodeZ85 } from "./z85.ts";

/** Length of a short nonce: a number that rises. */
const SHORT_NONCE = 8;
/** Length of a long nonce: random octets. */
const LONG_NONCE = 16;
/** Zeros that a HELLO is filled up with, so that it is longer than the answer: nobody gets more out of a server than they put in. */
const PADDING = 72;
/** Zeros in the box of a HELLO: that it opens is all it says. */
const HELLO_ZEROS = 64;
const HELLO_BYTES = 2 + PADDING + KEY_BYTES + SHORT_NONCE + HELLO_ZEROS + BOX_BYTES;
/** A cookie: its nonce, and C' and s' in a box. */
const COOKIE_BYTES = LONG_NONCE + 2 * KEY_BYTES + BOX_BYTES;
const WELCOME_BYTES = LONG_NONCE + KEY_BYTES + COOKIE_BYTES + BOX_BYTES;
/** A vouch: its nonce, and C' and S in a box. */
const VOUCH_BYTES = LONG_NONCE + 2 * KEY_BYTES + BOX_BYTES;
/** Least length of an INITIATE: one without properties. */
const INITIATE_BYTES = COOKIE_BYTES + SHORT_NONCE + KEY_BYTES + VOUCH_BYTES + BOX_BYTES;

/** Flags inside a MESSAGE. */
const MORE = 1;
const COMMAND = 2;

/** In front of every MESSAGE: the length of its name, and its name. */
const MESSAGE = new TextEncoder().encode("\x07MESSAGE");
/** Octets by which a MESSAGE is longer than the part in it. */
const OVERHEAD = MESSAGE.length + SHORT_NONCE + BOX_BYTES + 1;

/** First octets of nonces: what keeps the boxes of one key apart. */
const PREFIX = {
  hello: octets("CurveZMQHELLO---"),
  welcome: octets("WELCOME-"),
  cookie: octets("COOKIE--"),
  vouch: octets("VOUCH---"),
  initiate: octets("CurveZMQINITIATE"),
  ready: octets("CurveZMQREADY---"),
  fromServer: octets("CurveZMQMESSAGES"),
  fromClient: octets("CurveZMQMESSAGEC"),
};

/** What both roles have in common: nonces that rise, and the way of messages after the handshake. */
abstract class Curve implements Mechanism {
  readonly name = "CURVE";
  abstract readonly asServer: boolean;
  peerKey: Uint8Array | undefined;
  isDenied = false;
  /** Of the conversation, C' with S'; undefined until both ends have it. */
  protected key: Uint8Array | undefined;
  /** Properties of this end. */
  protected properties: Uint8Array = new Uint8Array();
  readonly #sealPrefix: Uint8Array;
  readonly #openPrefix: Uint8Array;
  #frames: readonly number[] = [];
  #isOpen = false;
  #sent = 0n;
  #received = -1n;
  #parts: Uint8Array<ArrayBuffer>[] = [];

  constructor(sealPrefix: Uint8Array, openPrefix: Uint8Array) {
    this.#sealPrefix = sealPrefix;
    this.#openPrefix = openPrefix;
  }

  abstract begin(peer: Greeting, properties: Uint8Array): Uint8Array | undefined;
  abstract shake(name: string, data: Uint8Array): Step;
  abstract finish(): Uint8Array | undefined;
  abstract refusal(problem: string): Uint8Array | undefined;

  /** On the wire every part is a message of its own; before the handshake is done there is none. */
  limits({ frames, reserve }: ReaderLimits): ReaderLimits {
    this.#frames = frames;
    // A frame may hold a command instead of the part that is due; which of the two is known when it has been opened.
    const largest = () =>
      this.#isOpen ? Math.max(frames[this.#parts.length] ?? 0, MAX_COMMAND_BYTES) + OVERHEAD : 0;
    return {
      get frames() {
        return [largest()];
      },
      reserve,
    };
  }

  seal(parts: readonly Uint8Array[]): Uint8Array {
    const sealed = parts.map((part, index) =>
      this.#seal(index < parts.length - 1 ? MORE : 0, part)
    );
    return sealed.length === 1 ? sealed[0]! : join(...sealed);
  }

  sealCommand(name: string, data: Uint8Array): Uint8Array {
    return this.#seal(COMMAND, join(Uint8Array.of(name.length), octets(name), data));
  }

  open(item: Item): Item | undefined {
    if (item.kind !== "message") throw new ZmtpError("a command outside of a box");
    const [body] = item.parts;
    if (body === undefined || body.length < OVERHEAD || !startsWith(body, MESSAGE)) {
      throw new ZmtpError("a message outside of a box");
    }
    const at = MESSAGE.length + SHORT_NONCE;
    const nonce = body.subarray(MESSAGE.length, at);
    const plain = this.openNext(this.key!, this.#openPrefix, nonce, body.subarray(at));
    if (plain === undefined) throw new ZmtpError("the box of a message does not open");
    return this.#take(plain[0]!, plain.subarray(1));
  }

  #take(flags: number, part: Uint8Array<ArrayBuffer>): Item | undefined {
    if (flags === COMMAND) {
      if (part.length > MAX_COMMAND_BYTES) {
        throw new ZmtpError(`a command of ${part.length} bytes, at most ${MAX_COMMAND_BYTES}`);
      }
      return decodeCommand(part);
    }
    if (flags > MORE) throw new ZmtpError(`the box of a message has the flags ${flags}`);
    const most = this.#frames[this.#parts.length] ?? 0;
    if (part.length > most) {
      throw new ZmtpError(
        `frame ${this.#parts.length + 1} of ${part.length} bytes, at most ${most} are allowed`,
      );
    }
    this.#parts.push(part);
    if (flags === MORE) {
      if (this.#parts.length < this.#frames.length) return undefined;
      throw new ZmtpError(`a message has more than ${this.#parts.length} frames`);
    }
    const parts = this.#parts;
    this.#parts = [];
    return { kind: "message", parts };
  }

  #seal(flags: number, part: Uint8Array): Uint8Array {
    const plain = new Uint8Array(1 + part.length);
    plain[0] = flags;
    plain.set(part, 1);
    const nonce = this.nextNonce();
    const box = sealBox(this.key!, join(this.#sealPrefix, nonce), plain);
    return encodeMessage([join(MESSAGE, nonce, box)]);
  }

  /** From now on there are messages. */
  protected opened(): void {
    this.#isOpen = true;
  }

  /** A number that this end has not used. At a million a second it would last for half a million years. */
  protected nextNonce(): Uint8Array<ArrayBuffer> {
    const nonce = new Uint8Array(SHORT_NONCE);
    new DataView(nonce.buffer).setBigUint64(0, ++this.#sent);
    return nonce;
  }

  /**
   * Opens a box of the peer with the short nonce that stands beside it.
   * @returns undefined when it does not open: then the nonce is not used up
   * @throws {ZmtpError} when the peer has used that number, or a later one
   */
  protected openNext(
    key: Uint8Array,
    prefix: Uint8Array,
    nonce: Uint8Array,
    box: Uint8Array,
  ): Uint8Array<ArrayBuffer> | undefined {
    const number = new DataView(nonce.buffer, nonce.byteOffset, SHORT_NONCE).getBigUint64(0);
    if (number <= this.#received) throw new ZmtpError("a nonce does not rise");
    const plain = openBox(key, join(prefix, nonce), box);
    if (plain !== undefined) this.#received = number;
    return plain;
  }
}

/** What a server has for all its connections. */
export interface CurveServerOptions {
  readonly keys: KeyPair;
  /** Whether the holder of a key may come in. It has proved that it is the holder. */
  readonly admits: (publicKey: Uint8Array) => boolean;
}

/** The end that has a list of whom it admits: a ROUTER that listens. */
export class CurveServer extends Curve {
  readonly asServer = true;
  readonly #options: CurveServerOptions;
  /** Opens the cookie; all that is kept of a HELLO, and gone with the INITIATE. */
  #cookieKey: Uint8Array | undefined;

  constructor(options: CurveServerOptions) {
    super(PREFIX.fromServer, PREFIX.fromClient);
    this.#options = options;
  }

  begin(peer: Greeting, properties: Uint8Array): undefined {
    if (peer.asServer) throw new ZmtpError("both ends are servers");
    this.properties = Uint8Array.from(properties);
  }

  shake(name: string, data: Uint8Array): Step {
    const due = this.#cookieKey === undefined ? "HELLO" : "INITIATE";
    if (this.key !== undefined || name !== due) {
      throw new ZmtpError(`a command before the handshake, expected ${due}`);
    }
    return due === "HELLO" ? { send: this.#welcome(data) } : { properties: this.#admit(data) };
  }

  finish(): Uint8Array {
    const nonce = this.nextNonce();
    const box = sealBox(this.key!, join(PREFIX.ready, nonce), this.properties);
    this.opened();
    return encodeCommand("READY", join(nonce, box));
  }

  /** Who has not proved who they are is told nothing; who is not on the list hears it as libzmq says it. */
  refusal(problem: string): Uint8Array | undefined {
    if (this.peerKey === undefined) return undefined;
    return encodeCommand("ERROR", encodeReason(this.isDenied ? NOT_ALLOWED : problem));
  }

  /** Answers a HELLO. What it costs is one agreement of keys and one new key pair; what it leaves is the key of the cookie. */
  #welcome(data: Uint8Array): Uint8Array {
    if (data.length !== HELLO_BYTES) {
      throw new ZmtpError(`a HELLO of ${data.length} bytes, expected ${HELLO_BYTES}`);
    }
    const next = pieces(data);
    const version = next(2);
    const padding = next(PADDING);
    const theirs = next(KEY_BYTES);
    const short = next(SHORT_NONCE);
    const box = next();
    if (version[0] !== 1 || version[1] !== 0) {
      throw new ZmtpError(`CURVE ${version[0]}.${version[1]} is not spoken here, only 1.0`);
    }
    const key = boxKey(this.#options.keys.secretKey, theirs);
    const zeros = key && this.openNext(key, PREFIX.hello, short, box);
    if (zeros === undefined || !isZero(zeros) || !isZero(padding)) {
      throw new ZmtpError("a HELLO that is not for the key of this server");
    }
    const { publicKey, secretKey } = newKeyPair();
    this.#cookieKey = random(KEY_BYTES);
    const cookieNonce = random(LONG_NONCE);
    const kept = join(theirs, secretKey);
    const cookie = sealBox(this.#cookieKey, join(PREFIX.cookie, cookieNonce), kept);
    secretKey.fill(0);
    kept.fill(0);
    const nonce = random(LONG_NONCE);
    const plain = join(publicKey, cookieNonce, cookie);
    return encodeCommand(
      "WELCOME",
      join(nonce, sealBox(key!, join(PREFIX.welcome, nonce), plain)),
    );
  }

  /** Takes an INITIATE: who is it, and may they come in? Gives their properties. */
  #admit(data: Uint8Array): Uint8Array {
    if (data.length < INITIATE_BYTES) {
      throw new ZmtpError(`an INITIATE of ${data.length} bytes, at least ${INITIATE_BYTES}`);
    }
    const next = pieces(data);
    const cookieNonce = next(LONG_NONCE);
    const cookie = next(COOKIE_BYTES - LONG_NONCE);
    const short = next(SHORT_NONCE);
    const box = next();
    const opened = openBox(this.#cookieKey!, join(PREFIX.cookie, cookieNonce), cookie);
    this.#cookieKey!.fill(0);
    if (opened === undefined) throw new ZmtpError("a cookie that is not of this connection");
    const shortTerm = opened.subarray(0, KEY_BYTES);
    const secretKey = opened.subarray(KEY_BYTES);
    this.key = boxKey(secretKey, shortTerm);
    const plain = this.key && this.openNext(this.key, PREFIX.initiate, short, box);
    if (plain === undefined) throw new ZmtpError("the box of an INITIATE does not open");
    const said = pieces(plain);
    const client = said(KEY_BYTES);
    const vouchNonce = said(LONG_NONCE);
    const vouch = said(VOUCH_BYTES - LONG_NONCE);
    const properties = said();
    const vouchKey = boxKey(secretKey, client);
    secretKey.fill(0);
    const vouched = vouchKey && openBox(vouchKey, join(PREFIX.vouch, vouchNonce), vouch);
    if (!equal(vouched, join(shortTerm, this.#options.keys.publicKey))) {
      throw new ZmtpError("nobody vouches for the key of a client");
    }
    this.peerKey = client;
    if (!this.#options.admits(client)) {
      this.isDenied = true;
      throw new ZmtpError(`the key ${encodeZ85(client)} is not on the list of clients`);
    }
    return properties;
  }
}

/** What a client knows. */
export interface CurveClientOptions {
  readonly keys: KeyPair;
  /** Public key of the server that is meant, and no other. */
  readonly serverKey: Uint8Array;
}

/** The end that knows whom it wants to reach: a DEALER that connects. */
export class CurveClient extends Curve {
  readonly asServer = false;
  readonly #options: CurveClientOptions;
  /** Of this conversation. */
  readonly #own = newKeyPair();
  /** C' with S: opens the WELCOME. */
  #helloKey: Uint8Array | undefined;

  constructor(options: CurveClientOptions) {
    super(PREFIX.fromClient, PREFIX.fromServer);
    this.#options = options;
  }

  /** The greeting of libzmq never says "server", so that it is not asked whether the peer is one: that is proved by its WELCOME. */
  begin(_peer: Greeting, properties: Uint8Array): Uint8Array {
    this.properties = Uint8Array.from(properties);
    const { serverKey } = this.#options;
    this.#helloKey = boxKey(this.#own.secretKey, serverKey);
    if (this.#helloKey === undefined) throw new ZmtpError("the key of the server is no real key");
    const nonce = this.nextNonce();
    const box = sealBox(
      this.#helloKey,
      join(PREFIX.hello, nonce),
      new Uint8Array(HELLO_ZEROS),
    );
    const version = Uint8Array.of(1, 0);
    return encodeCommand(
      "HELLO",
      join(version, new Uint8Array(PADDING), this.#own.publicKey, nonce, box),
    );
  }

  shake(name: string, data: Uint8Array): Step {
    if (this.key === undefined && name === "WELCOME") return { send: this.#initiate(data) };
    if (this.key !== undefined && name === "READY") return { properties: this.#ready(data) };
    throw new ZmtpError("a command before the handshake");
  }

  finish(): undefined {
    this.opened();
  }

  /** A server is told nothing: what it said may be anybody's. */
  refusal(): undefined {}

  #initiate(data: Uint8Array): Uint8Array {
    if (data.length !== WELCOME_BYTES) {
      throw new ZmtpError(`a WELCOME of ${data.length} bytes, expected ${WELCOME_BYTES}`);
    }
    const next = pieces(data);
    const nonce = next(LONG_NONCE);
    const plain = openBox(this.#helloKey!, join(PREFIX.welcome, nonce), next());
    if (plain === undefined) {
      throw new ZmtpError("a WELCOME that is not of the server that is meant");
    }
    this.#helloKey!.fill(0);
    const theirs = plain.subarray(0, KEY_BYTES);
    const cookie = plain.subarray(KEY_BYTES);
    const { keys, serverKey } = this.#options;
    this.key = boxKey(this.#own.secretKey, theirs);
    const vouchKey = boxKey(keys.secretKey, theirs);
    if (this.key === undefined || vouchKey === undefined) {
      throw new ZmtpError("a WELCOME with a key that is none");
    }
    this.#own.secretKey.fill(0);
    this.peerKey = serverKey;
    const vouchNonce = random(LONG_NONCE);
    const vouch = sealBox(
      vouchKey,
      join(PREFIX.vouch, vouchNonce),
      join(this.#own.publicKey, serverKey),
    );
    const short = this.nextNonce();
    const said = sealBox(
      this.key,
      join(PREFIX.initiate, short),
      join(keys.publicKey, vouchNonce, vouch, this.properties),
    );
    return encodeCommand("INITIATE", join(cookie, short, said));
  }

  #ready(data: Uint8Array): Uint8Array {
    if (data.length < SHORT_NONCE + BOX_BYTES) {
      throw new ZmtpError(`a READY of ${data.length} bytes, at least ${SHORT_NONCE + BOX_BYTES}`);
    }
    const next = pieces(data);
    const nonce = next(SHORT_NONCE);
    const properties = this.openNext(this.key!, PREFIX.ready, nonce, next());
    if (properties === undefined) throw new ZmtpError("the box of a READY does not open");
    return properties;
  }
}

function octets(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function random(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Takes octets apart, from the front: so many, or all that are left. Whoever calls it has looked at the length of the whole. */
function pieces(bytes: Uint8Array): (length?: number) => Uint8Array {
  let at = 0;
  return (length = bytes.length - at) => bytes.subarray(at, at += length);
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((octet, index) => bytes[index] === octet);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((octet) => octet === 0);
}

/** Whether what was in an opened box is what was expected: no secret, so that time need not be constant. */
function equal(found: Uint8Array | undefined, expected: Uint8Array): boolean {
  return found?.length === expected.length && startsWith(found, expected);
}
