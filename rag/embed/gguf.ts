/**
 * The header of a GGUF file: what a model says of itself, and whether all of it is there.
 *
 * Owns reading versions 2 and 3, little endian. What must hold: nothing a file says is believed before it is compared with the
 * file's size, so that no damaged file makes us take memory or reach native code; only the header is read, however long the
 * file is.
 *
 * The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { type FileHandle, open } from "node:fs/promises";

/** A value of the metadata. Of a list only its length is kept: vocabularies are long and native code reads them itself. */
export type GgufValue = string | number | boolean | { readonly length: number };

/** What stands in front of the weights. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Shape by name; the first dimension is the one whose values lie side by side. */
  readonly tensors: ReadonlyMap<string, readonly number[]>;
}

/** A file that is no GGUF model, or not all of one. */
export class GgufError extends Error {
  override name = "GgufError";
}

const MAGIC = "GGUF";
const VERSIONS = [2, 3];
const DEFAULT_ALIGNMENT = 32;
const MAX_DIMENSIONS = 4;
/** Keys and tensor names are at most 65,535 bytes by the format; chat templates, the longest values, are some 10 kB. */
const MAX_STRING = 1 << 20;
/** Big enough that a vocabulary of 150,000 tokens takes few reads, small enough to cost nothing. */
const BUFFER = 1 << 18;

/** Type numbers of metadata values with their sizes in bytes; strings and lists have none. */
const STRING = 8;
const LIST = 9;
const VALUE_SIZES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

/** Values and bytes of a block of each tensor type: F32, F16, Q4_0 … as ggml numbers them. */
const TENSOR_BLOCKS: Readonly<Record<number, readonly [values: number, bytes: number]>> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
};

/**
 * Reads the header of a GGUF file and checks that every tensor it names lies within the file.
 * @throws {GgufError} when the file cannot be read, is no GGUF file, contradicts itself or was cut off.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    throw new GgufError(
      `cannot open "${path}": ${reasonOf(cause)}, expected a GGUF model file`,
      { cause },
    );
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) {
      throw new GgufError(`cannot open "${path}": it is no file, expected a GGUF model file`);
    }
    return await new HeaderReader(path, file, stat.size).read();
  } finally {
    await file.close();
  }
}

function reasonOf(cause: unknown): string {
  const code = (cause as { code?: string }).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "it may not be read";
  return cause instanceof Error ? cause.message.split("\n")[0]! : String(cause);
}

class HeaderReader {
  #path: string;
  #file: FileHandle;
  #size: number;
  #bytes = new Uint8Array(BUFFER);
  #view = new DataView(this.#bytes.buffer);
  /** Where in the file the buffer starts, and what part of the buffer is filled and not yet read. */
  #start = 0;
  #at = 0;
  #end = 0;

  constructor(path: string, file: FileHandle, size: number) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  async read(): Promise<GgufHeader> {
    await this.#checkMagic();
    const version = await this.#uint32();
    if (!VERSIONS.includes(version)) {
      throw this.#refused(`its version is ${version}, expected ${VERSIONS.join(" or ")}`);
    }
    const tensorCount = await this.#count("tensors", 24);
    const entryCount = await this.#count("metadata entries", 13);
    const metadata = new Map<string, GgufValue>();
    for (let entry = 0; entry < entryCount; entry++) {
      const key = await this.#string("a metadata key");
      metadata.set(key, await this.#value(await this.#uint32(), key));
    }
    const placed: { name: string; shape: number[]; type: number; offset: number }[] = [];
    for (let index = 0; index < tensorCount; index++) {
      const name = await this.#string("a tensor name");
      const dimensions = await this.#uint32();
      if (dimensions > MAX_DIMENSIONS) {
        throw this.#refused(
          `tensor "${name}" has ${dimensions} dimensions, expected at most ${MAX_DIMENSIONS}`,
        );
      }
      const shape: number[] = [];
      for (let at = 0; at < dimensions; at++) shape.push(await this.#uint64());
      placed.push({ name, shape, type: await this.#uint32(), offset: await this.#uint64() });
    }
    const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
    if (typeof alignment !== "number" || alignment < 1) {
      throw this.#refused(`its alignment is "${alignment}", expected a number above 0`);
    }
    const data = Math.ceil((this.#start + this.#at) / alignment) * alignment;
    for (const { name, shape, type, offset } of placed) {
      const values = shape.reduce((product, size) => product * size, 1);
      // A type that came after this table is left to native code; where it starts is checked all the same.
      const [blockValues, blockBytes] = TENSOR_BLOCKS[type] ?? [Infinity, 0];
      const end = data + offset + values / blockValues * blockBytes;
      if (!(end <= this.#size)) {
        throw this.#refused(
          `tensor "${name}" ends at byte ${end}, expected at most ${this.#size}, where the file ends; it was cut off, so copy or download it again`,
        );
      }
    }
    return { metadata, tensors: new Map(placed.map(({ name, shape }) => [name, shape])) };
  }

  async #checkMagic(): Promise<void> {
    const found = new TextDecoder().decode(
      await this.#take(Math.min(MAGIC.length, this.#size)),
    );
    if (found !== MAGIC) {
      throw this.#refused(
        this.#size === 0
          ? `it is empty, expected "${MAGIC}" at its start`
          : `it starts with ${JSON.stringify(found)}, expected "${MAGIC}"`,
      );
    }
  }

  async #value(type: number, key: string): Promise<GgufValue> {
    if (type === STRING) return await this.#string(`"${key}"`);
    if (type === LIST) return await this.#list(key);
    const size = VALUE_SIZES[type];
    if (size === undefined) {
      throw this.#refused(`"${key}" is of the unknown type ${type}, expected 0 to 12`);
    }
    const { buffer, byteOffset } = await this.#take(size);
    const view = new DataView(buffer, byteOffset, size);
    switch (type) {
      case 0:
        return view.getUint8(0);
      case 1:
        return view.getInt8(0);
      case 2:
        return view.getUint16(0, true);
      case 3:
        return view.getInt16(0, true);
      case 4:
        return view.getUint32(0, true);
      case 5:
        return view.getInt32(0, true);
      case 6:
        return view.getFloat32(0, true);
      case 7:
        return view.getUint8(0) !== 0;
      case 10:
        return Number(view.getBigUint64(0, true));
      case 11:
        return Number(view.getBigInt64(0, true));
      default:
        return view.getFloat64(0, true);
    }
  }

  async #list(key: string): Promise<{ length: number }> {
    const type = await this.#uint32();
    const size = VALUE_SIZES[type];
    const length = await this.#count(`values of "${key}"`, type === STRING ? 8 : size ?? 1);
    if (size !== undefined) {
      await this.#skip(length * size);
    } else if (type === STRING) {
      for (let index = 0; index < length; index++) {
        // Read in place where it is in the buffer: a promise for each of 150,000 tokens takes ten times as long.
        if (this.#end - this.#at < 8) await this.#fill(8);
        const bytes = Number(this.#view.getBigUint64(this.#at, true));
        this.#at += 8;
        if (bytes <= this.#end - this.#at) this.#at += bytes;
        else await this.#skip(bytes);
      }
    } else {
      throw this.#refused(
        `"${key}" is a list of the unknown type ${type}, expected 0 to 8 or 10 to 12`,
      );
    }
    return { length };
  }

  /** A number of things of which each takes at least so many bytes. */
  async #count(what: string, bytesEach: number): Promise<number> {
    const count = await this.#uint64();
    if (count * bytesEach > this.#size) {
      throw this.#refused(
        `it promises ${count} ${what}, expected no more than its ${this.#size} bytes can hold; it is damaged or was cut off`,
      );
    }
    return count;
  }

  async #string(what: string): Promise<string> {
    const length = await this.#uint64();
    if (length > MAX_STRING) {
      throw this.#refused(`${what} has ${length} bytes, expected at most ${MAX_STRING}`);
    }
    return new TextDecoder().decode(await this.#take(length));
  }

  async #uint32(): Promise<number> {
    const { buffer, byteOffset } = await this.#take(4);
    return new DataView(buffer, byteOffset).getUint32(0, true);
  }

  async #uint64(): Promise<number> {
    const { buffer, byteOffset } = await this.#take(8);
    return Number(new DataView(buffer, byteOffset).getBigUint64(0, true));
  }

  /** The next bytes; valid until the next call. */
  async #take(count: number): Promise<Uint8Array> {
    if (this.#end - this.#at < count) await this.#fill(count);
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  async #skip(count: number): Promise<void> {
    const target = this.#start + this.#at + count;
    if (target > this.#size) throw this.#cutOff();
    this.#start = target;
    this.#at = this.#end = 0;
  }

  /** Makes at least so many bytes available. */
  async #fill(count: number): Promise<void> {
    const position = this.#start + this.#at;
    if (position + count > this.#size) throw this.#cutOff();
    if (count > this.#bytes.length) {
      this.#bytes = new Uint8Array(count);
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#start = position;
    this.#at = this.#end = 0;
    while (this.#end < count) {
      const { bytesRead } = await this.#file.read(
        this.#bytes,
        this.#end,
        this.#bytes.length - this.#end,
        position + this.#end,
      );
      if (bytesRead === 0) throw this.#cutOff();
      this.#end += bytesRead;
    }
  }

  #cutOff(): GgufError {
    return this.#refused(
      `it ends at byte ${this.#size}, inside its header, expected the weights behind it; it was cut off, so copy or download it again`,
    );
  }

  #refused(found: string): GgufError {
    return new GgufError(`cannot read "${this.#path}" as a GGUF model: ${found}`);
  }
}
