/**
 * Posting lists of successive terms as a row of the index has them: a row a term costs more than most lists, which hold one chunk.
 *
 * Pure. Owns the packed form: for each term, as varints, how many bytes of UTF-8 it shares with the one before, how many follow; those;
 * the length of its list; the list (see `postings.ts`). What must hold: terms rise as SQLite compares text, by code points.
 */
import { Buffer } from "node:buffer";
import { ByteReader, ByteWriter } from "./varint.ts";

/** Terms with their posting lists, in the order of the terms. */
export type TermLists = Iterable<readonly [term: string, list: Uint8Array]>;

/**
 * Bytes from which a block is full: four of them, with a term more each, fit on a page. A look-up reads some thirty terms for the one it
 * wants; larger blocks save little more.
 */
const FULL = 900;

/** Puts terms together in blocks, each with its first term. */
export function* packBlocks(lists: TermLists): Generator<[first: string, data: Uint8Array]> {
  const block = new ByteWriter(4 * FULL);
  let first = "";
  let previous: Uint8Array = new Uint8Array(0);
  for (const [term, list] of lists) {
    if (block.length === 0) {
      first = term;
      previous = new Uint8Array(0);
    }
    const bytes = Buffer.from(term, "utf8");
    let shared = 0;
    while (shared < previous.length && previous[shared] === bytes[shared]) shared++;
    block.write(shared);
    block.write(bytes.length - shared);
    block.append(bytes.subarray(shared));
    block.write(list.length);
    block.append(list);
    previous = bytes;
    if (block.length < FULL) continue;
    yield [first, block.take()];
    block.reset();
  }
  if (block.length > 0) yield [first, block.take()];
}

/** What `packBlocks` put into one block. */
export function* unpackBlock(data: Uint8Array): Generator<[term: string, list: Uint8Array]> {
  const reader = new ByteReader(data);
  let bytes = Buffer.alloc(0);
  while (!reader.done) {
    const shared = reader.read();
    bytes = Buffer.concat([bytes.subarray(0, shared), reader.take(reader.read())]);
    yield [bytes.toString("utf8"), reader.take(reader.read())];
  }
}

/** The terms of a block in `[from, to)`, without their lists. */
export function termsIn(data: Uint8Array, from: string, to: string): string[] {
  const terms: string[] = [];
  const reader = new ByteReader(data);
  while (!reader.done) {
    const shared = reader.read();
    const rest = reader.take(reader.read());
    const length = shared + rest.length;
    if (length > spelled.length) spelled = Buffer.concat([spelled, Buffer.alloc(length)]);
    spelled.set(rest, shared);
    reader.take(reader.read());
    const term = spelled.toString("utf8", 0, length);
    if (compareTerms(term, from) >= 0 && compareTerms(term, to) < 0) terms.push(term);
  }
  return terms;
}

/** Where `termsIn` spells a term over the one before it: a buffer of its own for each would cost more than all the rest. */
let spelled = Buffer.alloc(256);

/** The posting list of a term in its block; undefined where the block does not have it. */
export function listIn(data: Uint8Array, term: string): Uint8Array | undefined {
  const wanted = Buffer.from(term, "utf8");
  const reader = new ByteReader(data);
  // How many bytes of the term looked for the last one read agrees with.
  let agreed = 0;
  while (!reader.done) {
    const shared = reader.read();
    const rest = reader.take(reader.read());
    const length = reader.read();
    // What shares more with its predecessor than that does with the term differs from the term where the predecessor does.
    if (shared <= agreed) {
      agreed = shared;
      let at = 0;
      while (at < rest.length && agreed < wanted.length && rest[at] === wanted[agreed]) {
        at++;
        agreed++;
      }
      if (at === rest.length && agreed === wanted.length) return reader.take(length);
    }
    reader.take(length);
  }
  return undefined;
}

/** Order of terms as SQLite has it: by code points, which is not that of strings where a character takes two units. */
export function compareTerms(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (a !== b) return rankOf(a) - rankOf(b);
  }
  return one.length - other.length;
}

/** Halves of pairs stand for characters behind all others. */
function rankOf(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
