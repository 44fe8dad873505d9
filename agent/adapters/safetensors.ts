/**
 * Reading safetensors files: what PEFT saves adapters as.
 *
 * Owns the format. What must hold: nothing the header says is believed before it is compared with the file's size, so that no
 * damaged file makes us take memory or read beside a tensor; one tensor is in memory at a time.
 *
 *     length of the header, 8 bytes, little endian
 *     header: JSON, { name: { dtype, shape, data_offsets: [begin, end] }, __metadata__?: { text: text } }
 *     values, row by row; offsets count from here, and the tensors cover all of it without overlapping
 *
 * The format: https://github.com/huggingface/safetensors#format
 */
import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";
import { AdapterError, reasonOf } from "./adapter_error.ts";

/** How values are stored, of those types that weights of adapters have. */
export type StoredFloat = keyof typeof DECODERS;

/** A tensor of the file. */
export interface StoredTensor {
  readonly type: StoredFloat;
  /** Rows first, as PyTorch says it. */
  readonly shape: readonly number[];
}

/** The reference implementation refuses longer headers too. */
const MAX_HEADER = 100_000_000;
const LENGTH_BYTES = 8;
const MAX_DIMENSIONS = 8;

/** Bytes a value, and values from bytes at the start of their buffer. */
const DECODERS = {
  F32: { bytes: 4, decode: (stored: ArrayBuffer) => new Float32Array(stored) },
  F16: { bytes: 2, decode: (stored: ArrayBuffer) => new Float32Array(new Float16Array(stored)) },
  BF16: { bytes: 2, decode: fromBfloat16 },
} as const;

const whole = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(whole).max(MAX_DIMENSIONS),
  data_offsets: z.tuple([whole, whole]),
});

interface Placed extends StoredTensor {
  readonly begin: number;
  readonly end: number;
}

/** An open safetensors file. Dispose of it. */
export class Safetensors implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  /** Where the values begin. */
  readonly #start: number;
  readonly #placed: ReadonlyMap<string, Placed>;

  private constructor(
    path: string,
    file: FileHandle,
    start: number,
    placed: ReadonlyMap<string, Placed>,
  ) {
    this.#path = path;
    this.#file = file;
    this.#start = start;
    this.#placed = placed;
  }

  /**
   * Opens a file and reads its header.
   * @throws {AdapterError} when it cannot be read, is no safetensors file, contradicts itself, was cut off, or holds a type of
   * value that is not read here
   */
  static async open(path: string): Promise<Safetensors> {
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (cause) {
      throw new AdapterError(
        `read "${path}": ${reasonOf(cause)}; expected a safetensors file`,
        "failed",
        { cause },
      );
    }
    try {
      const { start, placed } = await readHeader(path, file);
      return new Safetensors(path, file, start, placed);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** What the file holds, by name, in the order of its header. */
  get tensors(): ReadonlyMap<string, StoredTensor> {
    return this.#placed;
  }

  /**
   * The values of a tensor, row by row.
   * @throws {AdapterError} when there is no such tensor, the file was cut off since, or a value is no finite number
   */
  async read(name: string): Promise<Float32Array> {
    const tensor = this.#placed.get(name);
    if (tensor === undefined) {
      throw new AdapterError(
        `read "${name}" of "${this.#path}": there is no such tensor`,
        "failed",
      );
    }
    const { begin, end, type } = tensor;
    const stored = await take(this.#path, this.#file, this.#start + begin, end - begin);
    const values = DECODERS[type].decode(stored.buffer);
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) {
      throw new AdapterError(
        `read "${name}" of "${this.#path}": value ${at} is ${
          values[at]
        }, expected finite numbers; the training diverged, or the file was damaged`,
        "damaged",
      );
    }
    return values;
  }

  /** Closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function readHeader(
  path: string,
  file: FileHandle,
): Promise<{ start: number; placed: Map<string, Placed> }> {
  const refuse = (found: string): never => {
    throw new AdapterError(`read "${path}" as safetensors: ${found}`, "damaged");
  };
  const stat = await file.stat();
  if (!stat.isFile()) refuse("it is no file; expected a safetensors file");
  const { size } = stat;
  if (size < LENGTH_BYTES) {
    refuse(`it has ${size} bytes, expected at least the ${LENGTH_BYTES} of its header's length`);
  }
  const stated = new DataView((await take(path, file, 0, LENGTH_BYTES)).buffer)
    .getBigUint64(0, true);
  const rest = size - LENGTH_BYTES;
  if (stated > BigInt(Math.min(rest, MAX_HEADER))) {
    refuse(
      `its header is said to have ${stated} bytes, expected at most ${
        Math.min(rest, MAX_HEADER)
      }; it is no safetensors file, or was cut off`,
    );
  }
  const length = Number(stated);
  const text = new TextDecoder().decode(await take(path, file, LENGTH_BYTES, length));
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    refuse(`its header is no JSON (${reasonOf(cause)}); it is no safetensors file, or was damaged`);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    return refuse("its header is no JSON object, expected the tensors by name");
  }
  const dataBytes = rest - length;
  const placed = new Map<string, Placed>();
  for (const [name, value] of Object.entries(header)) {
    if (name !== "__metadata__") placed.set(name, placeOf(name, value, dataBytes, refuse, path));
  }
  let covered = 0;
  for (const [name, { begin, end }] of [...placed].sort(([, a], [, b]) => a.begin - b.begin)) {
    if (begin !== covered) {
      refuse(`tensor "${name}" begins at byte ${begin}, expected ${covered}, where the last ended`);
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    refuse(`it has ${dataBytes} bytes of values, expected the ${covered} of its tensors`);
  }
  return { start: LENGTH_BYTES + length, placed };
}

function placeOf(
  name: string,
  value: unknown,
  dataBytes: number,
  refuse: (found: string) => never,
  path: string,
): Placed {
  const entry = entrySchema.safeParse(value);
  if (!entry.success) {
    return refuse(`the entry of tensor "${name}" is not dtype, shape and data_offsets`);
  }
  const { dtype, shape, data_offsets: [begin, end] } = entry.data;
  if (!isStoredFloat(dtype)) {
    throw new AdapterError(
      `read "${path}": tensor "${name}" is of type "${dtype}", expected ${
        Object.keys(DECODERS).join(", ")
      }`,
      "unsupported",
    );
  }
  if (end > dataBytes) {
    refuse(
      `tensor "${name}" ends at byte ${end} of the values, expected at most ${dataBytes}, where the file ends; it was cut off, so copy or download it again`,
    );
  }
  const bytes = shape.reduce((product, size) => product * size, DECODERS[dtype].bytes);
  if (bytes !== end - begin) {
    refuse(
      `tensor "${name}" has ${end - begin} bytes, expected ${bytes} for ${dtype} of the shape ${
        JSON.stringify(shape)
      }`,
    );
  }
  return { type: dtype, shape, begin, end };
}

function isStoredFloat(dtype: string): dtype is StoredFloat {
  return Object.hasOwn(DECODERS, dtype);
}

/** So many bytes from there, in a buffer of their own. */
async function take(
  path: string,
  file: FileHandle,
  position: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const { bytesRead } = await file.read(bytes, at, count - at, position + at);
    if (bytesRead === 0) {
      throw new AdapterError(
        `read "${path}": it ends at byte ${position + at}, expected ${position + count}`,
        "damaged",
      );
    }
    at += bytesRead;
  }
  return bytes;
}

/** The upper halves of 32-bit floats. */
function fromBfloat16(stored: ArrayBuffer): Float32Array<ArrayBuffer> {
  const halves = new Uint16Array(stored);
  const words = new Uint32Array(halves.length);
  for (let at = 0; at < halves.length; at++) words[at] = halves[at]! << 16;
  return new Float32Array(words.buffer);
}
