/**
 * The text index: an inverted index in segments, as values. Which chunk holds which term how often.
 *
 * Owns the wire form of a posting list and of a segment's chunk table, the builder that makes them from chunk texts and
 * the merge of several. Does no I/O: `store.ts` keeps the bytes.
 *
 * Wire forms (varints, see `varint.ts`):
 * - posting list: `2 · (chunk id - previous chunk id)`, and one more where the term is there more than once; then a second value, the term
 *   frequency less 2. Chunk ids rise. Most terms are in a chunk once, so a list takes little more than a byte a posting;
 * - chunk table: triples `(chunk id - previous chunk id, length in terms, file id)`, chunk ids rising.
 *
 * What must hold: a posting may name a chunk that the table no longer has (its file changed): such a chunk is dead and
 * every reader passes over it; a merge leaves the dead out.
 *
 * Why not FTS5 for this: its `bm25()` has fixed constants, knows no stems as concepts and no exact document frequencies
 * under a filter, and scores a row at a time in the SQL machine; `bench query` runs it beside this index.
 */
import { compareTerms } from "./posting_block.ts";
import { isWordCharacter, LONGEST_WORD, termsOfWord } from "./terms.ts";
import { ByteReader, ByteWriter } from "./varint.ts";

/** A posting list in memory: parallel arrays, chunk ids rising. */
export interface Postings {
  readonly chunks: Int32Array;
  readonly frequencies: Uint16Array;
}

/** A chunk of a segment: its length in terms and the file it belongs to. */
export interface ChunkEntry {
  readonly chunk: number;
  readonly length: number;
  readonly file: number;
}

export function decodePostings(bytes: Uint8Array): Postings {
  const reader = new ByteReader(bytes);
  // A byte at least a posting.
  const chunks = new Int32Array(bytes.length);
  const frequencies = new Uint16Array(bytes.length);
  let count = 0;
  let chunk = 0;
  while (!reader.done) {
    const packed = reader.read();
    chunk += packed >> 1;
    chunks[count] = chunk;
    frequencies[count] = (packed & 1) === 0 ? 1 : Math.min(reader.read() + 2, 65_535);
    count++;
  }
  return { chunks: chunks.subarray(0, count), frequencies: frequencies.subarray(0, count) };
}

/** Writes a posting so many ids behind the previous one. Ids are below 2^30. */
function writePosting(writer: ByteWriter, distance: number, frequency: number): void {
  if (frequency === 1) writer.write(distance * 2);
  else {
    writer.write(distance * 2 + 1);
    writer.write(frequency - 2);
  }
}

export function encodeChunkTable(entries: Iterable<ChunkEntry>): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(1024);
  let previous = 0;
  for (const entry of entries) {
    writer.write(entry.chunk - previous);
    writer.write(entry.length);
    writer.write(entry.file);
    previous = entry.chunk;
  }
  return writer.take();
}

export function* decodeChunkTable(bytes: Uint8Array): Generator<ChunkEntry> {
  const reader = new ByteReader(bytes);
  let chunk = 0;
  while (!reader.done) {
    chunk += reader.read();
    yield { chunk, length: reader.read(), file: reader.read() };
  }
}

/** Fills columns by chunk id from a chunk table; returns how many chunks it has and the sum of their lengths. */
export function spreadChunkTable(
  bytes: Uint8Array,
  lengths: Uint16Array,
  files: Int32Array,
): { count: number; total: number } {
  const reader = new ByteReader(bytes);
  let chunk = 0;
  let count = 0;
  let total = 0;
  while (!reader.done) {
    chunk += reader.read();
    const length = reader.read();
    lengths[chunk] = Math.min(length, 65_535);
    files[chunk] = reader.read();
    count++;
    total += length;
  }
  return { count, total };
}

/** What stands behind the last character. */
const BLANK = 32;
/** Words remembered before the vocabulary is forgotten and learnt again: bounds memory to some 40 MB. */
const MOST_WORDS = 400_000;

/**
 * The words met so far, each with the numbers of its terms. Source code repeats itself, so nearly every word is met again;
 * it is found by a hash of its characters where they stand, without making a string of it.
 */
class Vocabulary {
  readonly terms: string[] = [];
  /** Term numbers of all words, end to end; those of word `w` are `[starts[w], starts[w + 1])`. */
  numbers = new Int32Array(1 << 14);
  starts = new Int32Array(1 << 13);
  #words: string[] = [];
  #termNumbers = new Map<string, number>();
  #hashes = new Int32Array(1 << 13);
  /** Open addressing with linear probing: word + 1, or 0 where free. */
  #slots = new Int32Array(1 << 15);

  get size(): number {
    return this.#words.length;
  }

  /** Number of the word `text[start, end)`, whose characters hash to `hash`; learnt when it is new. */
  find(text: string, start: number, end: number, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const word = this.#slots[slot]! - 1;
      if (word < 0) return this.#learn(text.slice(start, end), hash, slot);
      if (this.#hashes[word] === hash && isAt(this.#words[word]!, text, start, end)) return word;
      slot = (slot + 1) & mask;
    }
  }

  #learn(word: string, hash: number, slot: number): number {
    const number = this.#words.push(word) - 1;
    if (number + 2 > this.starts.length) this.starts = doubled(this.starts);
    if (number >= this.#hashes.length) this.#hashes = doubled(this.#hashes);
    this.#hashes[number] = hash;
    this.#slots[slot] = number + 1;
    let at = this.starts[number]!;
    for (const term of termsOfWord(word)) {
      let known = this.#termNumbers.get(term);
      if (known === undefined) this.#termNumbers.set(term, known = this.terms.push(term) - 1);
      if (at === this.numbers.length) this.numbers = doubled(this.numbers);
      this.numbers[at++] = known;
    }
    this.starts[number + 1] = at;
    if (this.#words.length * 2 > this.#slots.length) this.#rehash();
    return number;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let word = 0; word < this.#words.length; word++) {
      const hash = this.#hashes[word]!;
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = word + 1;
    }
  }
}

function isAt(word: string, text: string, start: number, end: number): boolean {
  if (word.length !== end - start) return false;
  for (let at = 0; at < word.length; at++) {
    if (word.charCodeAt(at) !== text.charCodeAt(start + at)) return false;
  }
  return true;
}

function doubled(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(old.length * 2);
  larger.set(old);
  return larger;
}

/**
 * Collects the terms of chunks and gives them back as posting lists.
 *
 * Memory: 12 bytes a posting until `drain`, plus the vocabulary, which is kept from batch to batch.
 */
export class TextIndexBuilder {
  #vocabulary = new Vocabulary();
  /** For each term, the chunk that met it last and the place of that posting. */
  #lastChunk = new Int32Array(1 << 13).fill(-1);
  #lastPlace = new Int32Array(1 << 13);
  #postingTerm = new Int32Array(1 << 14);
  #postingChunk = new Int32Array(1 << 14);
  #postingFrequency = new Int32Array(1 << 14);
  #postings = 0;
  #table: ChunkEntry[] = [];

  get isEmpty(): boolean {
    return this.#table.length === 0;
  }

  /** Adds a chunk; ids must rise from call to call. */
  add(chunk: number, file: number, text: string, start: number, end: number): void {
    const vocabulary = this.#vocabulary;
    let length = 0;
    let begin = -1;
    let hash = 0;
    for (let index = start; index <= end; index++) {
      const code = index < end ? text.charCodeAt(index) : BLANK;
      if (isWordCharacter(code)) {
        if (begin < 0) {
          begin = index;
          hash = 0x811c9dc5;
        }
        hash = Math.imul(hash ^ code, 0x01000193); // FNV-1a
      } else if (begin >= 0) {
        if (index - begin <= LONGEST_WORD) {
          const word = vocabulary.find(text, begin, index, hash | 0);
          const last = vocabulary.starts[word + 1]!;
          for (let at = vocabulary.starts[word]!; at < last; at++) {
            this.#count(vocabulary.numbers[at]!, chunk);
            length++;
          }
        }
        begin = -1;
      }
    }
    // An empty chunk still counts as alive.
    this.#table.push({ chunk, length: length + 1, file });
  }

  #count(term: number, chunk: number): void {
    if (term >= this.#lastChunk.length) {
      const known = this.#lastChunk.length;
      this.#lastChunk = doubled(this.#lastChunk).fill(-1, known);
      this.#lastPlace = doubled(this.#lastPlace);
    }
    if (this.#lastChunk[term] === chunk) {
      this.#postingFrequency[this.#lastPlace[term]!]!++;
      return;
    }
    const place = this.#postings++;
    if (place === this.#postingTerm.length) {
      this.#postingTerm = doubled(this.#postingTerm);
      this.#postingChunk = doubled(this.#postingChunk);
      this.#postingFrequency = doubled(this.#postingFrequency);
    }
    this.#postingTerm[place] = term;
    this.#postingChunk[place] = chunk;
    this.#postingFrequency[place] = 1;
    this.#lastChunk[term] = chunk;
    this.#lastPlace[term] = place;
  }

  /** Gives every posting list in term order, then the chunk table, and is empty again. */
  drain(): {
    postings: [term: string, bytes: Uint8Array<ArrayBuffer>][];
    table: Uint8Array<ArrayBuffer>;
  } {
    // A counting sort by term keeps the order of chunks within a term.
    const words = this.#vocabulary.terms;
    const terms = words.length;
    const starts = new Int32Array(terms + 1);
    for (let place = 0; place < this.#postings; place++) starts[this.#postingTerm[place]! + 1]!++;
    for (let term = 0; term < terms; term++) starts[term + 1]! += starts[term]!;
    const next = starts.slice(0, terms);
    const order = new Int32Array(this.#postings);
    for (let place = 0; place < this.#postings; place++) {
      order[next[this.#postingTerm[place]!]!++] = place;
    }
    const writer = new ByteWriter(1024);
    const postings: [string, Uint8Array<ArrayBuffer>][] = [];
    for (let term = 0; term < terms; term++) {
      if (starts[term] === starts[term + 1]) continue;
      writer.reset();
      let previous = 0;
      for (let at = starts[term]!; at < starts[term + 1]!; at++) {
        const place = order[at]!;
        writePosting(
          writer,
          this.#postingChunk[place]! - previous,
          this.#postingFrequency[place]!,
        );
        previous = this.#postingChunk[place]!;
      }
      postings.push([words[term]!, writer.take()]);
    }
    postings.sort((a, b) => compareTerms(a[0], b[0]));
    const table = encodeChunkTable(this.#table);
    this.#postings = 0;
    this.#table = [];
    // Chunk ids only rise, so what was counted last needs no reset.
    if (this.#vocabulary.size > MOST_WORDS) {
      this.#vocabulary = new Vocabulary();
      this.#lastChunk.fill(-1);
    }
    return { postings, table };
  }
}

/** Puts posting lists of one term together without the dead. Empty when none is alive. */
export class PostingsMerger {
  #writer = new ByteWriter(4096);
  #alive: Uint8Array;

  /** @param alive by chunk id, 1 for a chunk that is kept */
  constructor(alive: Uint8Array) {
    this.#alive = alive;
  }

  merge(lists: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    writer.reset();
    let previous = 0;
    for (const list of lists) {
      const reader = new ByteReader(list);
      let chunk = 0;
      while (!reader.done) {
        const packed = reader.read();
        chunk += packed >> 1;
        const frequency = (packed & 1) === 0 ? 1 : reader.read() + 2;
        if (this.#alive[chunk] !== 1) continue;
        // Segments mostly follow each other; where they do not, the slow way.
        if (chunk < previous) return this.#sorted(lists);
        writePosting(writer, chunk - previous, frequency);
        previous = chunk;
      }
    }
    return writer.take();
  }

  #sorted(lists: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const all = lists.map(decodePostings).flatMap(({ chunks, frequencies }) =>
      Array.from(chunks, (chunk, at) => [chunk, frequencies[at]!] as const)
    ).filter(([chunk]) => this.#alive[chunk] === 1).sort((a, b) => a[0] - b[0]);
    const writer = this.#writer;
    writer.reset();
    let previous = 0;
    for (const [chunk, frequency] of all) {
      writePosting(writer, chunk - previous, frequency);
      previous = chunk;
    }
    return writer.take();
  }
}
