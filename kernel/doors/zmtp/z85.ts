/**
 * Z85: octets as text that survives being copied (https://rfc.zeromq.org/spec/32/). Users of ZeroMQ know CURVE keys in it.
 *
 * Owns the alphabet. Pure. What must hold: every text that is taken stands for exactly one sequence of octets, and gives the same text back.
 */

const ALPHABET =
  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/**
 * Octets as text: five characters for four octets.
 * @throws {RangeError} when their number is no multiple of four
 */
export function encodeZ85(bytes: Uint8Array): string {
  if (bytes.length % 4 !== 0) {
    throw new RangeError(`encode ${bytes.length} octets as Z85: expected a multiple of four`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    let value = view.getUint32(at);
    let group = "";
    for (let digit = 0; digit < 5; digit++) {
      group = ALPHABET[value % 85]! + group;
      value = Math.floor(value / 85);
    }
    text += group;
  }
  return text;
}

/** Text as octets; undefined when it is no Z85. */
export function decodeZ85(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 5 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 5 * 4);
  const view = new DataView(bytes.buffer);
  for (let group = 0; group * 5 < text.length; group++) {
    let value = 0;
    for (const character of text.slice(group * 5, group * 5 + 5)) {
      const digit = ALPHABET.indexOf(character);
      if (digit < 0) return undefined;
      value = value * 85 + digit;
    }
    // Five digits can say more than four octets hold: that would be a second text for the same octets.
    if (value > 0xffffffff) return undefined;
    view.setUint32(group * 4, value);
  }
  return bytes;
}
