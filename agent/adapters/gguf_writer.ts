/**
 * Writing GGUF files: version 3, little endian, tensors of 32-bit or 16-bit floats.
 *
 * Owns the bytes of the format; `rag/embed/gguf.ts` reads them. What must hold: where everything lies follows from names, shapes
 * and types alone, so that a file can be streamed, one tensor in memory at a time, and its size is known before.
 *
 *     "GGUF", version, number of tensors, number of entries
 *     entry:   key, type, value
 *     tensor:  name, number of dimensions, dimensions, type, offset from the first tensor
 *     the tensors' values, each and the first padded to a multiple of 32 bytes
 *
 * The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */

/** A value of the metadata with the type that it is written as. */
export type GgufEntry =
  | { readonly type: "uint32" | "float32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int32s"; readonly value: readonly number[] }
  | { readonly type: "strings"; readonly value: readonly string[] };

/** How the values of a tensor are stored. */
export type GgufFloat = "float32" | "float16";

/** A tensor without its values; `shape[0]` is the dimension whose values lie side by side. */
export interface GgufTensorShape {
  readonly name: string;
  readonly shape: readonly number[];
  /** Default `float32`. */
  readonly type?: GgufFloat;
}

const MAGIC = 0x46554747;
const VERSION = 3;
/** What readers assume where a file says nothing else. */
export const GGUF_ALIGNMENT = 32;
const VALUE_TYPES = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 };
const TENSOR_TYPES = { float32: 0, float16: 1 };
const VALUE_BYTES = { float32: 4, float16: 2 };

/** All of a file that comes before the values, and how long the file will be. */
export function ggufHead(
  metadata: Readonly<Record<string, GgufEntry>>,
  tensors: readonly GgufTensorShape[],
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly size: number } {
  const head = new ByteWriter();
  head.uint32(MAGIC).uint32(VERSION).uint64(tensors.length).uint64(Object.keys(metadata).length);
  for (const [key, entry] of Object.entries(metadata)) writeEntry(head.string(key), entry);
  let offset = 0;
  for (const { name, shape, type = "float32" } of tensors) {
    head.string(name).uint32(shape.length);
    for (const size of shape) head.uint64(size);
    head.uint32(TENSOR_TYPES[type]).uint64(offset);
    offset += padded(shape.reduce((product, size) => product * size, VALUE_BYTES[type]));
  }
  head.raw(new Uint8Array(padded(head.length) - head.length));
  return { bytes: head.bytes(), size: head.length + offset };
}

/**
 * The values of one tensor as they stand in the file, padding included. Half precision rounds to the nearest; what is too large
 * for it becomes infinite, which is for the caller to prevent.
 */
export function ggufValues(
  values: Float32Array,
  type: GgufFloat = "float32",
): Uint8Array<ArrayBuffer> {
  const stored = type === "float32" ? values : new Float16Array(values);
  const bytes = new Uint8Array(padded(stored.byteLength));
  bytes.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  return bytes;
}

function padded(length: number): number {
  return Math.ceil(length / GGUF_ALIGNMENT) * GGUF_ALIGNMENT;
}

function writeEntry(writer: ByteWriter, entry: GgufEntry): void {
  switch (entry.type) {
    case "uint32":
      writer.uint32(VALUE_TYPES.uint32).uint32(entry.value);
      break;
    case "float32":
      writer.uint32(VALUE_TYPES.float32).float32(entry.value);
      break;
    case "bool":
      writer.uint32(VALUE_TYPES.bool).raw([entry.value ? 1 : 0]);
      break;
    case "string":
      writer.uint32(VALUE_TYPES.string).string(entry.value);
      break;
    case "int32s":
      writer.uint32(VALUE_TYPES.array).uint32(VALUE_TYPES.int32).uint64(entry.value.length);
      for (const value of entry.value) writer.uint32(value >>> 0);
      break;
    case "strings":
      writer.uint32(VALUE_TYPES.array).uint32(VALUE_TYPES.string).uint64(entry.value.length);
      for (const value of entry.value) writer.string(value);
      break;
  }
}

/** Little-endian values in a buffer that grows. */
class ByteWriter {
  #bytes = new Uint8Array(1 << 14);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }

  uint32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  uint64(value: number): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  float32(value: number): this {
    const at = this.#grow(4);
    this.#view.setFloat32(at, value, true);
    return this;
  }

  string(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.uint64(bytes.length).raw(bytes);
  }

  raw(bytes: ArrayLike<number>): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Makes room for so many bytes more; gives where they start. */
  #grow(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.length, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return at;
  }
}
