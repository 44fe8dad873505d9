/**
 * The file of a static embedder: a vocabulary and a row of int8 values with a scale for each word.
 *
 * Owns the format. Little-endian: 8 bytes `batosvec`, the length of a JSON head as uint32, the head, the words in ASCII separated
 * by line ends, padding to 4 bytes, a float32 scale for each row, the rows. What must hold: `revision` is the first 16
 * hexadecimal digits of the SHA-256 of everything behind the head, so a table that was changed is not taken for another.
 */
import { createHash } from "node:crypto";
import { EmbedderError } from "./embedder.ts";

const MAGIC = "batosvec";
const FORMAT = 1;
/** Where the JSON head begins: magic and length stand before it. */
const HEAD = 12;

/** A table of word vectors. */
export interface StaticTable {
  readonly revision: string;
  readonly dimensions: number;
  /** The words, of ASCII, separated by line ends. */
  readonly lines: Uint8Array;
  readonly count: number;
  /** What a value of each row is multiplied with. */
  readonly scales: Float32Array;
  /** `count × dimensions` values. */
  readonly rows: Int8Array;
}

interface Head {
  readonly format: number;
  readonly revision: string;
  readonly dimensions: number;
  readonly words: number;
  /** Length of the words in bytes. */
  readonly bytes: number;
}

/** Rounds float rows to bytes, each by its own largest value. */
export function quantiseTable(
  words: readonly string[],
  values: Float32Array,
  dimensions: number,
): Uint8Array {
  const scales = new Float32Array(words.length);
  const rows = new Int8Array(words.length * dimensions);
  for (let row = 0; row < words.length; row++) {
    let largest = 0;
    const start = row * dimensions;
    for (let at = start; at < start + dimensions; at++) {
      largest = Math.max(largest, Math.abs(values[at]!));
    }
    if (largest === 0) continue;
    scales[row] = largest / 127;
    for (let at = start; at < start + dimensions; at++) {
      rows[at] = Math.round(values[at]! / scales[row]!);
    }
  }
  return writeTable(words, scales, rows, dimensions);
}

function writeTable(
  words: readonly string[],
  scales: Float32Array,
  rows: Int8Array,
  dimensions: number,
): Uint8Array {
  const text = new TextEncoder().encode(words.join("\n"));
  const padding = -text.length & 3;
  const body = new Uint8Array(text.length + padding + scales.byteLength + rows.length);
  body.set(text);
  body.set(new Uint8Array(scales.buffer), text.length + padding);
  body.set(new Uint8Array(rows.buffer), text.length + padding + scales.byteLength);
  const revision = createHash("sha256").update(body).digest("hex").slice(0, 16);
  const head: Head = {
    format: FORMAT,
    revision,
    dimensions,
    words: words.length,
    bytes: text.length,
  };
  // The head's end lies on a multiple of four as well.
  const json = JSON.stringify(head);
  const headBytes = new TextEncoder().encode(json + " ".repeat(-(HEAD + json.length) & 3));
  const file = new Uint8Array(HEAD + headBytes.length + body.length);
  file.set(new TextEncoder().encode(MAGIC));
  new DataView(file.buffer).setUint32(8, headBytes.length, true);
  file.set(headBytes, HEAD);
  file.set(body, HEAD + headBytes.length);
  return file;
}

/**
 * Reads a table. Rows and scales are views into `file`.
 * @param name quoted in errors
 * @throws {EmbedderError} when it is no table, of a later format, or shorter than it says.
 */
export function readTable(file: Uint8Array, name: string): StaticTable {
  const decode = (from: number, to: number) => new TextDecoder().decode(file.subarray(from, to));
  if (file.length < HEAD || decode(0, 8) !== MAGIC) {
    throw new EmbedderError(
      `cannot read the table "${name}": it does not begin with "${MAGIC}"; train one with "deno task train-embedder"`,
    );
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const start = HEAD + view.getUint32(8, true);
  let head: Head;
  try {
    head = JSON.parse(decode(HEAD, Math.min(start, file.length)));
  } catch {
    throw new EmbedderError(`cannot read the table "${name}": its head is damaged`);
  }
  // JSON may be "null" as well.
  if (head?.format !== FORMAT) {
    throw new EmbedderError(
      `cannot read the table "${name}": it has format ${head?.format}, expected ${FORMAT}`,
    );
  }
  const { dimensions, words: count, bytes } = head;
  const scalesStart = start + bytes + (-bytes & 3);
  const rowsStart = scalesStart + 4 * count;
  const end = rowsStart + count * dimensions;
  if (end !== file.length) {
    throw new EmbedderError(
      `cannot read the table "${name}": it has ${file.length} bytes, expected ${end}`,
    );
  }
  const isAligned = (file.byteOffset + scalesStart) % 4 === 0;
  const scaleBytes = file.subarray(scalesStart, rowsStart);
  return {
    revision: head.revision,
    dimensions,
    lines: file.subarray(start, start + bytes),
    count,
    scales: isAligned
      ? new Float32Array(file.buffer, file.byteOffset + scalesStart, count)
      : new Float32Array(scaleBytes.slice().buffer),
    rows: new Int8Array(file.buffer, file.byteOffset + rowsStart, count * dimensions),
  };
}
