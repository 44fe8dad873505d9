/**
 * The text index: an inverted index in segments, as values. Which chunk holds which term how often.
 *
 * Owns the wire form of a posting list and of a segment's chunk table, the builder that makes them from chunk texts and
 * the merge of several. Does no I/O: `store.ts` keeps the bytes.
 *
 * Wire forms (varints, see `varint.ts`):
 * - posting list: pairs `(chunk id - previous chunk id, term frequency)`, chunk ids rising;
 * - chunk table: triples `(chunk id - previous chunk id, length in terms, file id)`, chunk ids rising.
 *
 * What must hold: a posting may name a chunk that the table no longer has (its file changed): such a chunk is dead and
 * every reader passes over it; a merge leaves the dead out.
 *
 * Why not FTS5 for this: its `bm25()` has fixed constants, knows no stems as concepts and no exact document frequencies
 * under a filter, and scores a row at a time in the SQL machine; `bench query` runs it beside this index.
 */
import { eachWord, termsOfWord } from "./terms.ts";
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
  // Two bytes at least a posting.
  const chunks = new Int32Array(bytes.length >> 1);
  const frequencies = new Uint16Array(bytes.length >> 1);
  let count = 0;
  let chunk = 0;
  while (!reader.done) {
    chunk += reader.read();
    chunks[count] = chunk;
    frequencies[count] = Math.min(reader.read(), 65_535);
    count++;
  }
  return { chunks: chunks.subarray(0, count), frequencies: frequencies.subarray(0, count) };
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

/** Words remembered with their term numbers; source code repeats itself, so most words are met again. */
const MOST_WORDS = 150_000;

/**
 * Collects the terms of chunks and gives them back as posting lists.
 *
 * Memory: 12 bytes a posting until `drain`, plus the vocabulary.
 */
export class TextIndexBuilder {
  #numbers = new Map<string, number>();
  #terms: string[] = [];
  #words = new Map<string, Int32Array>();
  /** For each term, the chunk that met it last and the place of that posting. */
  #lastChunk: number[] = [];
  #lastPlace: number[] = [];
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
    let length = 0;
    eachWord(text, start, end, (word) => {
      let numbers = this.#words.get(word);
      if (numbers === undefined) numbers = this.#learn(word);
      length += numbers.length;
      for (let index = 0; index < numbers.length; index++) this.#count(numbers[index]!, chunk);
    });
    // An empty chunk still counts as alive.
    this.#table.push({ chunk, length: length + 1, file });
  }

  #learn(word: string): Int32Array {
    if (this.#words.size > MOST_WORDS) this.#words.clear();
    const numbers = Int32Array.from(termsOfWord(word), (term) => {
      let number = this.#numbers.get(term);
      if (number === undefined) {
        number = this.#terms.push(term) - 1;
        this.#numbers.set(term, number);
        this.#lastChunk.push(-1);
        this.#lastPlace.push(0);
      }
      return number;
    });
    this.#words.set(word, numbers);
    return numbers;
  }

  #count(term: number, chunk: number): void {
    if (this.#lastChunk[term] === chunk) {
      this.#postingFrequency[this.#lastPlace[term]!]!++;
      return;
    }
    const place = this.#postings++;
    if (place === this.#postingTerm.length) this.#grow();
    this.#postingTerm[place] = term;
    this.#postingChunk[place] = chunk;
    this.#postingFrequency[place] = 1;
    this.#lastChunk[term] = chunk;
    this.#lastPlace[term] = place;
  }

  #grow(): void {
    const double = (old: Int32Array<ArrayBuffer>) => {
      const larger = new Int32Array(old.length * 2);
      larger.set(old);
      return larger;
    };
    this.#postingTerm = double(this.#postingTerm);
    this.#postingChunk = double(this.#postingChunk);
    this.#postingFrequency = double(this.#postingFrequency);
  }

  /** Gives every posting list in term order, then the chunk table, and is empty again. */
  drain(): {
    postings: [term: string, bytes: Uint8Array<ArrayBuffer>][];
    table: Uint8Array<ArrayBuffer>;
  } {
    // A counting sort by term keeps the order of chunks within a term.
    const terms = this.#terms.length;
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
        writer.write(this.#postingChunk[place]! - previous);
        writer.write(this.#postingFrequency[place]!);
        previous = this.#postingChunk[place]!;
      }
      postings.push([this.#terms[term]!, writer.take()]);
    }
    postings.sort((a, b) => a[0] < b[0] ? -1 : 1);
    const table = encodeChunkTable(this.#table);
    this.#postings = 0;
    this.#table = [];
    this.#numbers.clear();
    this.#terms = [];
    this.#words.clear();
    this.#lastChunk = [];
    this.#lastPlace = [];
    return { postings, table };
  }
}

/** Puts posting lists of one term together, oldest segment first, without the dead. Empty when none is alive. */
export function mergePostings(
  lists: readonly Uint8Array[],
  alive: (chunk: number) => boolean,
): Uint8Array<ArrayBuffer> {
  const decoded = lists.map(decodePostings);
  const all: [chunk: number, frequency: number][] = [];
  for (const { chunks, frequencies } of decoded) {
    for (let index = 0; index < chunks.length; index++) {
      if (alive(chunks[index]!)) all.push([chunks[index]!, frequencies[index]!]);
    }
  }
  all.sort((a, b) => a[0] - b[0]);
  const writer = new ByteWriter(all.length * 2 + 8);
  let previous = 0;
  for (const [chunk, frequency] of all) {
    writer.write(chunk - previous);
    writer.write(frequency);
    previous = chunk;
  }
  return writer.take();
}
