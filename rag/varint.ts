/**
 * Variable-length integers (LEB128) in a growing byte buffer: the wire form of postings and segment tables.
 *
 * What must hold: values are integers in `[0, 2^31)`; what `ByteWriter` wrote, `ByteReader` reads in the same order.
 */

/** Appends varints to a buffer that doubles when full. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  write(value: number): void {
    if (this.#length + 5 > this.#bytes.length) this.#grow(5);
    const bytes = this.#bytes;
    while (value > 127) {
      bytes[this.#length++] = (value & 127) | 128;
      value >>>= 7;
    }
    bytes[this.#length++] = value;
  }

  append(more: Uint8Array): void {
    if (this.#length + more.length > this.#bytes.length) this.#grow(more.length);
    this.#bytes.set(more, this.#length);
    this.#length += more.length;
  }

  reset(): void {
    this.#length = 0;
  }

  /** A copy of what was written. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(least: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + least));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Reads varints from a buffer. */
export class ByteReader {
  #at = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** Where the next value begins. */
  get at(): number {
    return this.#at;
  }

  /** The next so many bytes, as they are; fewer at the end. */
  take(count: number): Uint8Array {
    const from = this.#at;
    this.#at = Math.min(from + count, this.bytes.length);
    return this.bytes.subarray(from, this.#at);
  }

  get done(): boolean {
    return this.#at >= this.bytes.length;
  }

  /** The next value; a reader at its end gives 0. */
  read(): number {
    const bytes = this.bytes;
    let value = 0;
    let shift = 0;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) break;
      shift += 7;
    }
    return value;
  }
}
