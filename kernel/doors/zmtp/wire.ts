/**
 * The wire format of ZMTP 3.1 (https://rfc.zeromq.org/spec/37/): greeting, commands, frames, and a reader that takes them apart.
 *
 * Owns bytes and nothing else: no socket, no timer. What must hold:
 * - a limit is checked on the header of a frame, before anything is kept for its body;
 * - memory is taken as bytes arrive, never because a header announces them;
 * - what does not follow the format throws a `ZmtpError`; nothing else is thrown, whatever the bytes.
 *
 * A frame: one octet of flags (1 more frames follow, 2 the size has eight octets, 4 it is a command), the size, the body. A command:
 * the length of its name, its name, its data. READY carries properties: length and name, length (four octets) and value.
 */

/** Bytes that are not ZMTP 3, or that exceed a limit. */
export class ZmtpError extends Error {
  override readonly name = "ZmtpError";
}

/** Length of a greeting. */
export const GREETING_BYTES = 64;

const MORE = 1;
const LONG = 2;
const COMMAND = 4;

/** Most that a command may hold: a READY with an identity of 255 octets and a few properties. */
export const MAX_COMMAND_BYTES = 1_024;

/** Most properties in a READY: the protocol defines three. */
const MAX_PROPERTIES = 16;

/** Buffer that a connection starts with and goes back to: some messages of a conversation. */
const BASE_BUFFER = 16_384;

/** Least room for a read: smaller reads cost more system calls than they save memory. */
const MIN_ROOM = 2_048;

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** What a greeting says. */
export interface Greeting {
  readonly minor: number;
  readonly mechanism: string;
  readonly asServer: boolean;
}

/** The greeting of a peer that speaks ZMTP 3.1. */
export function encodeGreeting(mechanism = "NULL", asServer = false): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(GREETING_BYTES);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
  bytes.set(encoder.encode(mechanism), 12);
  bytes[32] = asServer ? 1 : 0;
  return bytes;
}

/**
 * Whether a greeting can still become one of ZMTP 3: refuses as early as the bytes allow.
 * @throws {ZmtpError} when it cannot
 */
function checkGreeting(bytes: Uint8Array): void {
  if (bytes.length > 0 && bytes[0] !== 0xff) throw new ZmtpError("not a ZMTP greeting");
  if (bytes.length > 9 && bytes[9] !== 0x7f) throw new ZmtpError("not a ZMTP 3 greeting");
  if (bytes.length > 10 && bytes[10]! < 3) {
    throw new ZmtpError(`ZMTP ${bytes[10]} is not spoken here, only 3`);
  }
}

function decodeGreeting(bytes: Uint8Array): Greeting {
  return {
    minor: bytes[10] === 3 ? bytes[11]! : 1,
    mechanism: decoder.decode(bytes.subarray(12, 32)).replace(/\0+$/, ""),
    asServer: bytes[32] === 1,
  };
}

/** A message as one piece of bytes: every part a frame. */
export function encodeMessage(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length + (part.length > 255 ? 9 : 2);
  const bytes = new Uint8Array(length);
  let at = 0;
  parts.forEach((part, index) => {
    at = putHeader(bytes, at, index < parts.length - 1 ? MORE : 0, part.length);
    bytes.set(part, at);
    at += part.length;
  });
  return bytes;
}

/** A command as a frame. */
export function encodeCommand(name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = 1 + name.length + data.length;
  const bytes = new Uint8Array(size + (size > 255 ? 9 : 2));
  let at = putHeader(bytes, 0, COMMAND, size);
  bytes[at++] = name.length;
  at += encoder.encodeInto(name, bytes.subarray(at)).written;
  bytes.set(data, at);
  return bytes;
}

function putHeader(bytes: Uint8Array, at: number, flags: number, size: number): number {
  if (size <= 255) {
    bytes[at] = flags;
    bytes[at + 1] = size;
    return at + 2;
  }
  bytes[at] = flags | LONG;
  new DataView(bytes.buffer, bytes.byteOffset + at + 1).setBigUint64(0, BigInt(size));
  return at + 9;
}

/** Properties as READY carries them. */
export function encodeProperties(
  properties: Readonly<Record<string, Uint8Array>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(properties);
  const length = entries.reduce((sum, [name, value]) => sum + 5 + name.length + value.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [name, value] of entries) {
    bytes[at++] = name.length;
    at += encoder.encodeInto(name, bytes.subarray(at)).written;
    view.setUint32(at, value.length);
    bytes.set(value, at + 4);
    at += 4 + value.length;
  }
  return bytes;
}

/**
 * Takes properties apart; names in lower case, since they are compared without regard to it.
 * @throws {ZmtpError} when lengths do not agree
 */
export function decodeProperties(data: Uint8Array): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < data.length;) {
    const nameEnd = at + 1 + data[at]!;
    if (nameEnd + 4 > data.length) throw new ZmtpError("a property is cut off");
    const end = nameEnd + 4 + view.getUint32(nameEnd);
    if (end > data.length) throw new ZmtpError("the value of a property is cut off");
    if (found.size === MAX_PROPERTIES) throw new ZmtpError("too many properties");
    const name = decoder.decode(data.subarray(at + 1, nameEnd)).toLowerCase();
    found.set(name, data.slice(nameEnd + 4, end));
    at = end;
  }
  return found;
}

/** Reason of an ERROR command: one octet of length in front. */
export function encodeReason(reason: string): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(reason.slice(0, 200).replace(/[^\x20-\x7e]/g, "?"));
  const bytes = new Uint8Array(1 + text.length);
  bytes[0] = text.length;
  bytes.set(text, 1);
  return bytes;
}

/** The reason in the data of an ERROR command, as text that can be printed. */
export function decodeReason(data: Uint8Array): string {
  return decoder.decode(data.subarray(1, 1 + (data[0] ?? 0))).replace(/[^\x20-\x7e]/g, "?");
}

/** What a reader takes out of the bytes. The arrays are copies. */
export type Item =
  | { readonly kind: "greeting"; readonly greeting: Greeting }
  | { readonly kind: "command"; readonly name: string; readonly data: Uint8Array }
  | { readonly kind: "message"; readonly parts: readonly Uint8Array<ArrayBuffer>[] };

/** How much a peer may send. */
export interface ReaderLimits {
  /** Most bytes of each frame of a message, in order; a message has no more frames than there are entries. */
  readonly frames: readonly number[];
  /** Called before the buffer grows by so many bytes (negative when it shrinks); it throws where there is no room. */
  readonly reserve?: (bytes: number) => void;
}

/**
 * Takes a stream of bytes apart: read into `room()`, tell `filled(n)`, then ask `next()` until it gives nothing.
 */
export class Reader {
  readonly #limits: ReaderLimits;
  #buffer = new Uint8Array(BASE_BUFFER);
  #start = 0;
  #end = 0;
  #greeted = false;
  #parts: Uint8Array<ArrayBuffer>[] = [];

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** Where to read into: never empty. */
  room(): Uint8Array<ArrayBuffer> {
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      if (this.#buffer.length > BASE_BUFFER) this.#resize(BASE_BUFFER, 0);
    }
    if (this.#buffer.length - this.#end < MIN_ROOM) this.#makeRoom();
    return this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
  }

  /** Tells how many bytes were read into the room. */
  filled(bytes: number): void {
    this.#end += bytes;
  }

  /**
   * The next whole item; undefined when more bytes are needed for one.
   * @throws {ZmtpError} at the first byte that cannot be right; the reader is of no use then
   */
  next(): Item | undefined {
    if (!this.#greeted) {
      const bytes = this.#buffer.subarray(
        this.#start,
        Math.min(this.#end, this.#start + GREETING_BYTES),
      );
      checkGreeting(bytes);
      if (bytes.length < GREETING_BYTES) return undefined;
      this.#start += GREETING_BYTES;
      this.#greeted = true;
      return { kind: "greeting", greeting: decodeGreeting(bytes) };
    }
    for (;;) {
      const have = this.#end - this.#start;
      if (have === 0) return undefined;
      const flags = this.#buffer[this.#start]!;
      if ((flags & ~(MORE | LONG | COMMAND)) !== 0 || (flags & (COMMAND | MORE)) === 5) {
        throw new ZmtpError(`a frame has the flags ${flags}`);
      }
      const header = (flags & LONG) === 0 ? 2 : 9;
      if (have < header) return undefined;
      const size = this.#sizeAt(this.#start + 1, header);
      const isCommand = (flags & COMMAND) !== 0;
      this.#checkSize(size, isCommand);
      if (have < header + size) return undefined;
      const from = this.#start + header;
      this.#start = from + size;
      const body = this.#buffer.slice(from, this.#start);
      if (isCommand) return decodeCommand(body);
      this.#parts.push(body);
      if ((flags & MORE) === 0) {
        const parts = this.#parts;
        this.#parts = [];
        return { kind: "message", parts };
      }
      if (this.#parts.length === this.#limits.frames.length) {
        throw new ZmtpError(`a message has more than ${this.#parts.length} frames`);
      }
    }
  }

  /** Gives back what was reserved. */
  release(): void {
    this.#resize(BASE_BUFFER, 0);
  }

  #sizeAt(at: number, header: number): number {
    if (header === 2) return this.#buffer[at]!;
    const view = new DataView(this.#buffer.buffer, at, 8);
    // Sizes above 2^32 exceed every limit; the exact figure is of no interest.
    return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  }

  #checkSize(size: number, isCommand: boolean): void {
    const most = isCommand ? MAX_COMMAND_BYTES : this.#limits.frames[this.#parts.length]!;
    if (size > most) {
      const what = isCommand ? "a command" : `frame ${this.#parts.length + 1}`;
      throw new ZmtpError(`${what} of ${size} bytes, at most ${most} are allowed`);
    }
  }

  /** Moves what is left to the front, or takes a larger buffer where half of this one is in use. */
  #makeRoom(): void {
    const used = this.#end - this.#start;
    if (used * 2 <= this.#buffer.length) {
      if (used <= BASE_BUFFER / 2 && this.#buffer.length > BASE_BUFFER) {
        this.#resize(BASE_BUFFER, used);
      } else {
        this.#buffer.copyWithin(0, this.#start, this.#end);
        this.#start = 0;
        this.#end = used;
      }
    } else {
      this.#resize(this.#buffer.length * 2, used);
    }
  }

  #resize(length: number, used: number): void {
    this.#limits.reserve?.(length - this.#buffer.length);
    const larger = new Uint8Array(length);
    larger.set(this.#buffer.subarray(this.#start, this.#start + used));
    this.#buffer = larger;
    this.#start = 0;
    this.#end = used;
  }
}

/**
 * A command in the body of its frame.
 * @throws {ZmtpError} when it has no name
 */
export function decodeCommand(body: Uint8Array): Item {
  const length = body[0] ?? 0;
  if (length === 0 || 1 + length > body.length) throw new ZmtpError("a command without a name");
  return {
    kind: "command",
    name: decoder.decode(body.subarray(1, 1 + length)),
    data: body.subarray(1 + length),
  };
}
