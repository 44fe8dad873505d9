/**
 * Bytes to text and back, without loss.
 *
 * Owns the decision whether a file is text and in which encoding. What must hold:
 * - whatever `decodeText` accepts, `encodeText` gives back byte for byte, a byte order mark included
 *   (it stays in the text as U+FEFF);
 * - bytes that are neither UTF-8 nor well-formed UTF-16 become `latin1`, one code point a byte (ISO 8859-1, not the
 *   windows-1252 that `TextDecoder("latin1")` means), so nothing is replaced and nothing is lost.
 */
import { Buffer } from "node:buffer";
import type { Encoding } from "./source_file.ts";

/** Git and most editors look at the same stretch: a binary format shows a NUL in its header. */
const BINARY_PROBE_BYTES = 8192;
/** Terminal logs in UTF-8 hold escapes, yet far fewer than one byte in ten. */
const MAX_CONTROL_SHARE_UTF8 = 0.1;
/** Bytes that are not UTF-8 are suspect: compressed data has one control byte in ten, legacy text has next to none. */
const MAX_CONTROL_SHARE_LATIN1 = 0.02;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Decodes the bytes of a file, for chunking and for showing.
 *
 * UTF-16 is recognised by its byte order mark only. Returns nothing for binary data: a NUL byte in the first 8 kB
 * (outside UTF-16), or too many control characters there.
 */
export function decodeText(bytes: Uint8Array): { text: string; encoding: Encoding } | undefined {
  const wide = decodeUtf16(bytes);
  if (wide !== undefined) return wide;
  const controls = controlShare(bytes);
  if (controls > MAX_CONTROL_SHARE_UTF8) return undefined;
  if (isAscii(bytes)) return { text: latin1(bytes), encoding: "utf-8" };
  try {
    return { text: utf8.decode(bytes), encoding: "utf-8" };
  } catch {
    if (controls > MAX_CONTROL_SHARE_LATIN1) return undefined;
    return { text: latin1(bytes), encoding: "latin1" };
  }
}

/** The inverse of {@linkcode decodeText}: the bytes that the text was decoded from. */
export function encodeText(text: string, encoding: Encoding): Uint8Array<ArrayBuffer> {
  switch (encoding) {
    case "utf-8":
      return new TextEncoder().encode(text);
    case "latin1": {
      const bytes = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
      return bytes;
    }
    case "utf-16le":
    case "utf-16be": {
      const bytes = new Uint8Array(text.length * 2);
      const low = encoding === "utf-16le" ? 0 : 1;
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        bytes[2 * i + low] = unit & 0xff;
        bytes[2 * i + 1 - low] = unit >> 8;
      }
      return bytes;
    }
  }
}

/** Text with a UTF-16 byte order mark, if it is well-formed: whole code units, paired surrogates, no NUL. */
function decodeUtf16(bytes: Uint8Array): { text: string; encoding: Encoding } | undefined {
  const mark = bytes.length >= 2 ? (bytes[0]! << 8) | bytes[1]! : 0;
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : undefined;
  if (encoding === undefined || bytes.length % 2 !== 0) return undefined;
  try {
    const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
    let controls = 0;
    const probe = Math.min(text.length, BINARY_PROBE_BYTES);
    for (let i = 0; i < probe; i++) {
      const unit = text.charCodeAt(i);
      if (unit === 0) return undefined;
      if (isControl(unit)) controls++;
    }
    return controls > probe * MAX_CONTROL_SHARE_UTF8 ? undefined : { text, encoding };
  } catch {
    return undefined;
  }
}

/** Share of control characters in the first 8 kB; 1 as soon as there is a NUL. */
function controlShare(bytes: Uint8Array): number {
  const probe = Math.min(bytes.length, BINARY_PROBE_BYTES);
  let controls = 0;
  for (let i = 0; i < probe; i++) {
    const byte = bytes[i]!;
    if (byte === 0) return 1;
    if (isControl(byte)) controls++;
  }
  return probe === 0 ? 0 : controls / probe;
}

/** Backspace to carriage return and escape occur in text: tabs, page breaks, terminal colours. */
function isControl(code: number): boolean {
  return (code < 0x20 && (code < 0x08 || code > 0x0d) && code !== 0x1b) || code === 0x7f;
}

function isAscii(bytes: Uint8Array): boolean {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes.length >> 2 : 0;
  const words = new Uint32Array(bytes.buffer, aligned > 0 ? bytes.byteOffset : 0, aligned);
  for (let i = 0; i < aligned; i++) if ((words[i]! & 0x80808080) !== 0) return false;
  for (let i = aligned * 4; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
