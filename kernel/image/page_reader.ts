/**
 * The pages of a SQLite file, read one by one: rows that no path through its trees leads to any more.
 *
 * Owns as much of the format (https://sqlite.org/fileformat2.html) as rows need: pages of a B-tree, cells, overflow pages, records. Rows
 * stand on the leaves of a table, and on all pages of a table WITHOUT ROWID. What must hold: nothing is ever written; every row that
 * stands whole on readable pages is given; so may be what was a row once, or is none, so whoever asks knows a row by its checksum. For
 * files that are damaged: where a file is closed, the system takes from this process the locks that SQLite has on it.
 */
import { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { readLog } from "./sqlite_log.ts";

/** What a column holds. */
export type Column = null | number | string | Uint8Array;

/** Where a row stands. */
export interface RowPlace {
  readonly page: number;
  readonly cell: number;
}

/** A row as its page has it. */
export interface PageRow extends RowPlace {
  /** Undefined in a table WITHOUT ROWID. */
  readonly rowid: number | undefined;
  /** Null for the column that is the rowid. */
  readonly columns: readonly Column[];
}

/** Whether a row is wanted, by the kinds of its columns: the others are not read any further. */
export type Shape = (kinds: readonly Kind[]) => boolean;
export type Kind = "null" | "integer" | "real" | "text" | "blob";

/**
 * Sizes of pages that we make files with, the newest first. What the first page says is not believed where it says another; that a part of
 * each page is kept for extensions is not either, for we keep none.
 */
const OUR_PAGE_BYTES = [4_096, 8_192];
/** Of the database, on the first page, before the page's own. */
const FILE_HEADER_BYTES = 100;
const MAGIC = "SQLite format 3\0";
/** A cell and what points to it: no page has more of them, whatever it says. */
const LEAST_CELL_BYTES = 6;
const TABLE_LEAF = 0x0d;
const INDEX_LEAF = 0x0a;
const INDEX_INTERIOR = 0x02;

/** See the module text. Dispose of it. */
export class PageReader implements Disposable {
  readonly #file: number;
  readonly #log: ReadonlyMap<number, Uint8Array>;
  readonly #pageBytes: number;
  #pages: number;
  readonly #free: ReadonlySet<number>;

  /** @throws what the file system throws */
  constructor(path: string) {
    this.#file = openSync(path, "r");
    try {
      const log = readLog(path);
      this.#log = log?.pages ?? new Map();
      const { size } = fstatSync(this.#file);
      const head = Buffer.alloc(FILE_HEADER_BYTES);
      readSync(this.#file, head, 0, FILE_HEADER_BYTES, 0);
      const isWhole = head.toString("latin1", 0, 16) === MAGIC;
      const stated = isWhole ? head.readUInt16BE(16) : 0;
      this.#pageBytes = log?.pageBytes ||
        (OUR_PAGE_BYTES.includes(stated) ? stated : this.#guess(size));
      this.#pages = Math.ceil(size / this.#pageBytes);
      for (const page of this.#log.keys()) this.#pages = Math.max(this.#pages, page);
      this.#free = this.#freePages();
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** Whether pages begin where they would: each kind of page says what it is in its first byte. */
  #guess(size: number): number {
    const kinds = [TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR, 0x05];
    const first = Buffer.alloc(1);
    const fit = (bytes: number) => {
      let count = 0;
      for (let at = 0; at < size; at += bytes) {
        readSync(this.#file, first, 0, 1, at);
        if (kinds.includes(first[0]!)) count++;
      }
      return count * bytes;
    };
    return OUR_PAGE_BYTES.toSorted((one, other) => fit(other) - fit(one))[0]!;
  }

  /** How many pages there are. */
  get pages(): number {
    return this.#pages;
  }

  /** The wanted rows of one page, numbered from 1. */
  *rows(page: number, isWanted: Shape): Generator<PageRow> {
    if (this.#free.has(page)) return;
    const bytes = this.#read(page);
    const cells = bytes === undefined ? 0 : cellCount(page, bytes);
    for (let cell = 0; cell < cells; cell++) {
      const row = this.#row(page, bytes!, cell, isWanted);
      if (row !== undefined) yield row;
    }
  }

  /** A row that was given before. */
  row({ page, cell }: RowPlace): PageRow | undefined {
    const bytes = this.#read(page);
    return bytes && this.#row(page, bytes, cell, () => true);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  /** A page; zeros where the file ends within it. Undefined where it cannot be read. */
  #read(page: number): Buffer | undefined {
    const logged = this.#log.get(page);
    if (logged !== undefined) {
      return Buffer.from(logged.buffer, logged.byteOffset, logged.byteLength);
    }
    const bytes = Buffer.alloc(this.#pageBytes);
    try {
      readSync(this.#file, bytes, 0, bytes.length, (page - 1) * this.#pageBytes);
      return bytes;
    } catch {
      // The disk does not give it.
      return undefined;
    }
  }

  /** Pages that hold nothing any more, as far as their list can be read. */
  #freePages(): Set<number> {
    const free = new Set<number>();
    let trunk = this.#read(1)?.readUInt32BE(32) ?? 0;
    while (trunk > 0 && trunk <= this.#pages && !free.has(trunk)) {
      free.add(trunk);
      const bytes = this.#read(trunk);
      if (bytes === undefined) break;
      const leaves = Math.min(bytes.readUInt32BE(4), this.#pageBytes / 4 - 2);
      for (let at = 0; at < leaves; at++) free.add(bytes.readUInt32BE(8 + 4 * at));
      trunk = bytes.readUInt32BE(0);
    }
    return free;
  }

  #row(page: number, bytes: Buffer, cell: number, isWanted: Shape): PageRow | undefined {
    try {
      const kind = bytes[headAt(page)]!;
      const pointer = headAt(page) + (kind === INDEX_INTERIOR ? 12 : 8) + 2 * cell;
      const reader = new CellReader(bytes, bytes.readUInt16BE(pointer));
      if (kind === INDEX_INTERIOR) reader.at += 4; // the page below
      const size = reader.varint();
      const rowid = kind === TABLE_LEAF ? reader.varint() : undefined;
      const columns = this.#columns(size, reader, kind, isWanted);
      return columns && { page, cell, rowid, columns };
    } catch (error) {
      // What leads out of its page is no row.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  #columns(
    size: number,
    { bytes, at }: CellReader,
    kind: number,
    isWanted: Shape,
  ): Column[] | undefined {
    if (size > this.#pages * this.#pageBytes) return undefined;
    const local = this.#localBytes(size, kind);
    const start = bytes.subarray(at, at + local);
    const types = serialTypes(start);
    if (types === undefined || !isWanted(types.map(kindOf))) return undefined;
    const next = local < size ? bytes.readUInt32BE(at + local) : 0;
    const payload = local < size ? this.#withOverflow(start, size, next) : start;
    if (payload === undefined || payload.length < size) return undefined;
    const body = new CellReader(payload, 0);
    body.at = body.varint();
    return types.map((type) => body.column(type));
  }

  /** How much of a payload stands in its cell. */
  #localBytes(size: number, kind: number): number {
    const usable = this.#pageBytes;
    const most = kind === TABLE_LEAF ? usable - 35 : Math.floor((usable - 12) * 64 / 255) - 23;
    if (size <= most) return size;
    const least = Math.floor((usable - 12) * 32 / 255) - 23;
    const fitting = least + (size - least) % (usable - 4);
    return fitting <= most ? fitting : least;
  }

  #withOverflow(start: Buffer, size: number, first: number): Buffer | undefined {
    const parts = [start];
    let [left, next] = [size - start.length, first];
    while (left > 0) {
      const bytes = next > 0 && next <= this.#pages ? this.#read(next) : undefined;
      if (bytes === undefined) return undefined;
      const part = bytes.subarray(4, Math.min(this.#pageBytes, 4 + left));
      parts.push(part);
      left -= part.length;
      next = bytes.readUInt32BE(0);
    }
    return Buffer.concat(parts);
  }
}

/** Where the header of a page begins. */
function headAt(page: number): number {
  return page === 1 ? FILE_HEADER_BYTES : 0;
}

/** Cells with rows; none on pages of other kinds. */
function cellCount(page: number, bytes: Buffer): number {
  const at = headAt(page);
  if (![TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR].includes(bytes[at]!)) return 0;
  return Math.min(bytes.readUInt16BE(at + 3), Math.floor(bytes.length / LEAST_CELL_BYTES));
}

/** The types at the head of a record; undefined where it is none. */
function serialTypes(payload: Buffer): number[] | undefined {
  const reader = new CellReader(payload, 0);
  const end = reader.varint();
  const types: number[] = [];
  while (reader.at < end) types.push(reader.varint());
  return reader.at === end ? types : undefined;
}

function kindOf(type: number): Kind {
  if (type >= 12) return type % 2 === 0 ? "blob" : "text";
  return type === 0 ? "null" : type === 7 ? "real" : "integer";
}

/** Reads numbers and values one after the other; what leads out of the bytes is a `RangeError`. */
class CellReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Seven bits a byte, the highest first, eight in the ninth. Larger than any of ours are not exact. */
  varint(): number {
    let value = 0;
    for (let count = 1;; count++) {
      const byte = this.bytes.readUInt8(this.at++);
      if (count === 9) return value * 256 + byte;
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) return value;
    }
  }

  column(type: number): Column {
    if (type === 0) return null;
    if (type === 8 || type === 9) return type - 8;
    const length = type >= 12 ? Math.floor((type - 12) / 2) : [1, 2, 3, 4, 6, 8, 8][type - 1];
    if (length === undefined || this.at + length > this.bytes.length) {
      throw new RangeError("a column leads out of its record");
    }
    const at = this.at;
    this.at += length;
    if (type >= 12) {
      return type % 2 === 0
        ? new Uint8Array(this.bytes.subarray(at, at + length))
        : this.bytes.toString("utf8", at, at + length);
    }
    if (type === 7) return this.bytes.readDoubleBE(at);
    return type === 6 ? Number(this.bytes.readBigInt64BE(at)) : this.bytes.readIntBE(at, length);
  }
}
