/**
 * The archives that packages come in: Debian's `.deb`, and tar packed with gzip, xz or zstd.
 *
 * Pure but for the reading of the file. What must hold: the bytes of every regular file come out as they went in; what is
 * damaged or cut short is an error, never fewer files.
 */
import { readFileSync } from "node:fs";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import xz from "xz-decompress";

/** A regular file in an archive. */
export interface ArchiveEntry {
  /** As the archive has it, without a leading `./`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * The regular files of a `.deb`, or of a tar archive packed with gzip, xz or zstd.
 * @throws {Error} when it is damaged or of another kind.
 */
export async function readArchive(archive: string): Promise<ArchiveEntry[]> {
  const bytes = readFileSync(archive);
  try {
    if (!startsWith(bytes, AR_MAGIC)) return readTar(await unpack(bytes));
    const data = readAr(bytes).find(({ path }) => path.startsWith("data.tar"));
    if (!data) throw new Error(`it has no member "data.tar", as every Debian package has`);
    return readTar(await unpack(data.bytes));
  } catch (error) {
    throw new Error(`cannot read the archive "${archive}": ${(error as Error).message}`, {
      cause: error,
    });
  }
}

const latin = new TextDecoder("latin1");
const AR_MAGIC = [...new TextEncoder().encode("!<arch>\n")];
const GZIP_MAGIC = [0x1f, 0x8b];
const XZ_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, at) => bytes[at] === byte);
}

async function unpack(bytes: Uint8Array): Promise<Uint8Array> {
  if (startsWith(bytes, GZIP_MAGIC)) return gunzipSync(bytes);
  if (startsWith(bytes, ZSTD_MAGIC)) return zstdDecompressSync(bytes);
  if (startsWith(bytes, XZ_MAGIC)) {
    const stream = new xz.XzReadableStream(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream());
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  if (latin.decode(bytes.subarray(257, 262)) === "ustar") return bytes;
  throw new Error("it is packed in an unknown way, expected gzip, xz or zstd");
}

/** Members of an ar archive: a header of 60 bytes each, contents filled up to even length. */
function readAr(bytes: Uint8Array): ArchiveEntry[] {
  const members: ArchiveEntry[] = [];
  for (let at = AR_MAGIC.length; at + 60 <= bytes.length;) {
    const path = latin.decode(bytes.subarray(at, at + 16)).trim().replace(/\/$/, "");
    const size = Number(latin.decode(bytes.subarray(at + 48, at + 58)));
    const start = at + 60;
    if (!Number.isInteger(size) || start + size > bytes.length) throw new Error(ENDS_EARLY);
    members.push({ path, bytes: bytes.subarray(start, start + size) });
    at = start + size + size % 2;
  }
  return members;
}

const ENDS_EARLY = "it ends within a file, the archive is cut short";
const BLOCK = 512;

/** Regular files of a tar archive: ustar, with the long names of GNU and of pax (IEEE 1003.1, "pax"). */
function readTar(bytes: Uint8Array): ArchiveEntry[] {
  const files: ArchiveEntry[] = [];
  let longPath: string | undefined;
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header[0] === 0) break;
    const size = tarNumber(header.subarray(124, 136));
    const start = at + BLOCK;
    if (!Number.isInteger(size) || start + size > bytes.length) throw new Error(ENDS_EARLY);
    const content = bytes.subarray(start, start + size);
    const kind = String.fromCharCode(header[156]!);
    if (kind === "L") {
      longPath = tarText(content);
    } else if (kind === "x") {
      longPath = paxPath(content) ?? longPath;
    } else {
      if (kind === "0" || kind === "\0" || kind === "7") {
        files.push({
          path: (longPath ?? tarPath(header)).replace(/^(?:\.?\/)+/, ""),
          bytes: content,
        });
      }
      longPath = undefined;
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

const utf8 = new TextDecoder();

function tarText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function tarPath(header: Uint8Array): string {
  const name = tarText(header.subarray(0, 100));
  const isUstar = latin.decode(header.subarray(257, 263)) === "ustar\0";
  const prefix = isUstar ? tarText(header.subarray(345, 500)) : "";
  return prefix ? `${prefix}/${name}` : name;
}

/** Octal digits; or, where the first bit is set, the big-endian number that GNU writes for what is too large. */
function tarNumber(field: Uint8Array): number {
  if (field[0]! & 0x80) return field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  const digits = tarText(field).trim();
  return digits === "" ? 0 : /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
}

/** The value of `path` in a pax header: lines of `<length> <key>=<value>`, the length that of the line in bytes. */
function paxPath(bytes: Uint8Array): string | undefined {
  for (let at = 0; at < bytes.length;) {
    const length = parseInt(latin.decode(bytes.subarray(at, at + 12)), 10);
    if (!(length > 0)) return undefined;
    const record = utf8.decode(bytes.subarray(at, at + length - 1));
    const [key, ...value] = record.slice(record.indexOf(" ") + 1).split("=");
    if (key === "path") return value.join("=");
    at += length;
  }
  return undefined;
}
