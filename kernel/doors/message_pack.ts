/**
 * MessagePack with bounds: nothing is decoded before its whole structure is known to be harmless.
 *
 * Owns the limits; the format is the library's (https://github.com/msgpack/msgpack/blob/master/spec.md). What must hold: depth, number
 * of values and sizes are checked by a walk over the bytes that allocates nothing; extension types are refused, since a decoder
 * gives them a meaning; bytes behind the value are refused, since two readers could disagree about them.
 */
import { Decoder, Encoder } from "@msgpack/msgpack";

/** Deepest nesting: a command has three levels; arguments of methods may have some of their own. */
const MAX_DEPTH = 32;

/** Most values in a message, keys included. */
const MAX_VALUES = 100_000;

/** Bytes that are no acceptable MessagePack value. */
export class MessagePackError extends Error {
  override readonly name = "MessagePackError";
}

const encoder = new Encoder({ ignoreUndefined: true, maxDepth: MAX_DEPTH * 4 });
const decoder = new Decoder();

/** A value as MessagePack. Fields that are undefined are left out. */
export function packMessage(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(value);
}

/**
 * The value of bytes that came from outside. Byte strings in it are views of `bytes`.
 * @throws {MessagePackError} when they break the format or a bound
 */
export function unpackMessage(bytes: Uint8Array): unknown {
  checkBounds(bytes);
  try {
    return decoder.decode(bytes);
  } catch (error) {
    // What the walk let through, for example a key `__proto__` or a key that is no text.
    throw new MessagePackError(error instanceof Error ? error.message : String(error));
  }
}

/** Walks over the value without making it. */
function checkBounds(bytes: Uint8Array): void {
  /** For every open container, how many values are still to come. */
  const open: number[] = [1];
  let at = 0;
  let values = 0;
  const sizeOf = (octets: number): number => {
    if (at + octets > bytes.length) throw new MessagePackError("the value is cut off");
    let size = 0;
    for (const end = at + octets; at < end; at++) size = size * 256 + bytes[at]!;
    return size;
  };
  while (open.length > 0) {
    const left = open[open.length - 1]!;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1] = left - 1;
    if (++values > MAX_VALUES) throw new MessagePackError(`more than ${MAX_VALUES} values`);
    const type = sizeOf(1);
    let skip = 0;
    let inner = -1;
    if (type <= 0x7f || type >= 0xe0) skip = 0;
    else if (type <= 0x8f) inner = (type & 15) * 2;
    else if (type <= 0x9f) inner = type & 15;
    else if (type <= 0xbf) skip = type & 31;
    else if (type === 0xc1) throw new MessagePackError("octet 0xc1, which means nothing");
    else if (type <= 0xc3) skip = 0; // nil, false, true
    else if (type <= 0xc6) skip = sizeOf(1 << (type - 0xc4)); // bin
    else if (type <= 0xc9) throw new MessagePackError("an extension type");
    else if (type === 0xca) skip = 4;
    else if (type === 0xcb) skip = 8;
    else if (type <= 0xcf) skip = 1 << (type - 0xcc); // unsigned
    else if (type <= 0xd3) skip = 1 << (type - 0xd0); // signed
    else if (type <= 0xd8) throw new MessagePackError("an extension type");
    else if (type <= 0xdb) skip = sizeOf(1 << (type - 0xd9)); // str
    else if (type <= 0xdd) inner = sizeOf(type === 0xdc ? 2 : 4);
    else inner = sizeOf(type === 0xde ? 2 : 4) * 2;
    if (inner >= 0) {
      // Each value takes an octet at least: a count that exceeds the bytes is a lie.
      if (inner > bytes.length - at) throw new MessagePackError("the value is cut off");
      if (open.length > MAX_DEPTH) {
        throw new MessagePackError(`nested deeper than ${MAX_DEPTH} levels`);
      }
      open.push(inner);
    } else if ((at += skip) > bytes.length) throw new MessagePackError("the value is cut off");
  }
  if (at !== bytes.length) throw new MessagePackError("there are bytes behind the value");
}
