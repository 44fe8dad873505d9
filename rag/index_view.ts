/**
 * The text index as ranking reads it, with what was read kept in memory for as long as nobody commits.
 *
 * Owns the caches of a process: chunk lengths, posting lists, path words, features of files, vectors. What must hold: `refresh()` is
 * called at the start of every query; a commit of any process empties the caches, so a query never mixes two states.
 */
import {
  type DefinedName,
  definedName,
  type FileFeatures,
  fileFeatures,
  headersOfSources,
  stemsOf,
  supersededFolders,
} from "./file_features.ts";
import { decodePostings, type Postings, spreadChunkTable } from "./postings.ts";
import { highest } from "./embed/scan.ts";
import type { IndexReader, Similarity } from "./rank.ts";
import type { FileRow } from "./rows.ts";
import type { Store } from "./store.ts";
import { stemOf, STOP_WORDS } from "./terms.ts";
import type { QuestionVector } from "./types.ts";
import { type LoadedVectors, requireSameModel, VectorStore } from "./vectors.ts";

/** Posting lists kept decoded, counted in postings (6 bytes each); the rest is read again when needed. */
const MOST_POSTINGS = 8_000_000;
/** Variance of cosines that is rounding: they are of vectors with 8 bits a value. */
const ROUNDING = 1e-9;
/**
 * Power of the inverse document frequency in the weight of a word of a question: 1 counts twice what the length of its row says of how
 * rare it is everywhere. Three tables of other seeds agree on 0.5 to 1.
 */
const RARITY_POWER = 0.75;
/** Shortest common beginning of inflected forms; shorter words are looked up as they are. */
const SHORTEST_STEM = 3;

/** See the module text. */
export class IndexView implements IndexReader {
  lengths = new Uint16Array(0);
  files = new Int32Array(0);
  count = 0;
  total = 0;
  #store: Store;
  #version = -1;
  #segments: number[] = [];
  #postings = new Map<string, Postings[]>();
  #postingCount = 0;
  #forms = new Map<string, string[]>();
  #rarities = new Map<string, number>();
  #features = new Map<number, FileFeatures>();
  #names = new Map<number, readonly DefinedName[]>();
  #rows = new Map<number, FileRow>();
  /** Files whose path holds a word with a stem, as far as it was asked. */
  #pathWords = new Map<string, number[]>();
  #paths: string[] = [];
  #pathIds = new Int32Array(0);
  /** All paths in lower case, a line each, and where each begins: searched as one text. */
  #allPaths = "";
  #pathStarts = new Int32Array(0);
  #pathStems = new Map<number, ReadonlySet<string>>();
  #superseded: string[] = [];
  #headers: ReadonlyMap<string, string> = new Map();
  /** The header of a source of C, by their ids. */
  #headerIds = new Map<number, number>();
  #importers = new Map<number, number[]>();
  /** One more than the highest id of a file. */
  #fileIdLimit = 0;
  /** Read when a question first has a vector; null when not every chunk has one. */
  #vectors: LoadedVectors | null | undefined;
  /** The file of each run of rows, and the row behind its last. */
  #runFiles = new Int32Array(0);
  #runEnds = new Int32Array(0);

  constructor(store: Store) {
    this.#store = store;
  }

  /** Forgets everything read; the next `refresh` reads again. Called after a write by this process. */
  invalidate(): void {
    this.#version = -1;
  }

  /** Makes the view current. Cheap when nothing was committed since. */
  refresh(): void {
    const version = this.#store.dataVersion();
    if (version === this.#version) return;
    this.#postings.clear();
    this.#postingCount = 0;
    this.#forms.clear();
    this.#rarities.clear();
    this.#features.clear();
    this.#names.clear();
    this.#rows.clear();
    this.#importers.clear();
    this.#pathWords.clear();
    this.#pathStems.clear();
    this.#vectors = undefined;
    const segments = this.#store.segments.all();
    this.#segments = segments.map((segment) => segment.id);
    const limit = this.#store.chunkIdLimit();
    this.lengths = new Uint16Array(limit);
    this.files = new Int32Array(limit);
    this.count = 0;
    this.total = 0;
    for (const segment of segments) {
      const { count, total } = spreadChunkTable(segment.chunks, this.lengths, this.files);
      this.count += count;
      this.total += total;
    }
    const rows = this.#store.files();
    for (const row of rows) this.#rows.set(row.id, row);
    this.#paths = rows.map((row) => row.path);
    this.#pathIds = Int32Array.from(rows, (row) => row.id);
    this.#fileIdLimit = rows.reduce((limit, { id }) => Math.max(limit, id + 1), 0);
    this.#pathStarts = new Int32Array(rows.length);
    let length = 0;
    this.#paths.forEach((path, at) => {
      this.#pathStarts[at] = length;
      length += path.length + 1;
    });
    this.#allPaths = this.#paths.join("\n").toLowerCase();
    this.#superseded = supersededFolders(this.#paths);
    this.#headers = headersOfSources(this.#paths);
    const ids = this.#headers.size > 0
      ? new Map(rows.map(({ path, id }) => [path, id]))
      : new Map<string, number>();
    this.#headerIds = new Map(
      Array.from(this.#headers, ([header, source]) => [ids.get(source)!, ids.get(header)!]),
    );
    this.#version = version;
  }

  file(id: number): FileRow | undefined {
    return this.#rows.get(id);
  }

  fileRows(): Iterable<FileRow> {
    return this.#rows.values();
  }

  postings(term: string): readonly Postings[] {
    let lists = this.#postings.get(term);
    if (!lists) {
      lists = [];
      for (const segment of this.#segments) {
        const bytes = this.#store.segments.posting(segment, term);
        if (bytes) lists.push(decodePostings(bytes));
      }
      const count = lists.reduce((sum, list) => sum + list.chunks.length, 0);
      if (this.#postingCount + count > MOST_POSTINGS) {
        this.#postings.clear();
        this.#postingCount = 0;
      }
      this.#postings.set(term, lists);
      this.#postingCount += count;
    }
    return lists;
  }

  forms(stem: string): readonly string[] {
    let forms = this.#forms.get(stem);
    if (!forms) {
      if (stem.length < SHORTEST_STEM) forms = [stem];
      else {
        const prefix = prefixOf(stem);
        const found = new Set<string>();
        for (const segment of this.#segments) {
          for (const term of this.#store.segments.terms(segment, prefix, prefix + "{")) {
            if (term.length <= stem.length + 7 && stemOf(term) === stem) found.add(term);
          }
        }
        forms = [...found].sort();
      }
      this.#forms.set(stem, forms);
    }
    return forms;
  }

  /** How many chunks hold a word in the commonest of its forms. */
  holding(stem: string): number {
    let documents = 0;
    for (const form of this.forms(stem)) {
      let found = 0;
      for (const { chunks } of this.postings(form)) {
        for (const chunk of chunks) if (this.lengths[chunk]! > 0) found++;
      }
      documents = Math.max(documents, found);
    }
    return documents;
  }

  /**
   * How much a word tells in this index, from its inverse document frequency over all chunks; 0 for words that only say how something
   * is asked. A vector that sums words would otherwise be about what the whole repository is about.
   */
  rarity(word: string): number {
    if (STOP_WORDS.has(word)) return 0;
    let rarity = this.#rarities.get(word);
    if (rarity === undefined) {
      const documents = this.holding(stemOf(word));
      const idf = Math.log(1 + (this.count - documents + 0.5) / (documents + 0.5));
      this.#rarities.set(word, rarity = idf ** RARITY_POWER);
    }
    return rarity;
  }

  features(file: number): FileFeatures {
    let features = this.#features.get(file);
    if (!features) {
      const row = this.#rows.get(file)!;
      const imports = row.hasReexports ? this.#store.imports(file) : [];
      features = fileFeatures(row, imports, this.#superseded, this.#headers);
      this.#features.set(file, features);
    }
    return features;
  }

  importers(file: number): readonly number[] {
    let importers = this.#importers.get(file);
    if (!importers) {
      // Who includes the header of a source asks for what is in the source.
      const header = this.#headerIds.get(file);
      importers = this.#headers.has(this.#rows.get(file)?.path ?? "")
        ? []
        : header === undefined
        ? this.#store.importersOf(file)
        : [...new Set([...this.#store.importersOf(file), ...this.#store.importersOf(header)])]
          .filter((other) => other !== file);
      this.#importers.set(file, importers);
    }
    return importers;
  }

  names(chunk: number): readonly DefinedName[] {
    let names = this.#names.get(chunk);
    if (!names) this.#names.set(chunk, names = this.#store.namesOf(chunk).map(definedName));
    return names;
  }

  filesWithPathWord(stem: string): readonly number[] {
    let files = this.#pathWords.get(stem);
    if (!files) {
      files = [];
      const prefix = prefixOf(stem);
      let at = 0;
      for (let found = this.#allPaths.indexOf(prefix); found >= 0;) {
        while (at + 1 < this.#paths.length && this.#pathStarts[at + 1]! <= found) at++;
        if (this.#stemsOfPath(at).has(stem)) files.push(this.#pathIds[at]!);
        // On to the next path.
        if (at + 1 === this.#paths.length) break;
        found = this.#allPaths.indexOf(prefix, this.#pathStarts[at + 1]!);
      }
      this.#pathWords.set(stem, files);
    }
    return files;
  }

  #stemsOfPath(at: number): ReadonlySet<string> {
    let stems = this.#pathStems.get(at);
    if (!stems) {
      // The extension is no word of the path.
      stems = new Set(stemsOf(this.#paths[at]!.replace(/(\.d)?\.[^./]+$/, "")));
      this.#pathStems.set(at, stems);
    }
    return stems;
  }

  firstChunk(file: number): number {
    const row = this.#rows.get(file);
    return row && row.chunkCount ? row.firstChunk : -1;
  }

  /** Whether every chunk has a vector, so that `similarity` knows how near they are. */
  hasVectors(): boolean {
    return this.#loadVectors() !== null;
  }

  #loadVectors(): LoadedVectors | null {
    if (this.#vectors === undefined) {
      this.#vectors = new VectorStore(this.#store).load() ?? null;
      this.#findRuns(this.#vectors?.chunks ?? new Int32Array(0));
    }
    return this.#vectors;
  }

  /** Chunks of a file follow each other, and so do their rows. */
  #findRuns(chunks: Int32Array): void {
    const files: number[] = [];
    const ends: number[] = [];
    let current = -1;
    for (let row = 0; row < chunks.length; row++) {
      const file = this.files[chunks[row]!]!;
      if (file === current) continue;
      if (row > 0) ends.push(row);
      files.push(current = file);
    }
    if (files.length > 0) ends.push(chunks.length);
    this.#runFiles = Int32Array.from(files);
    this.#runEnds = Int32Array.from(ends);
  }

  /**
   * How near all chunks are to a question; undefined as long as not every chunk has a vector, and for a question that says nothing.
   * @param count how many of the nearest are wanted, of those that `allowed` lets pass
   * @throws {VectorModelMismatchError} when the vector is of another model than those of the index.
   */
  similarity(
    question: QuestionVector,
    count: number,
    allowed: Uint8Array | undefined,
  ): Similarity | undefined {
    const model = this.#vectors?.model ?? new VectorStore(this.#store).model();
    if (model) requireSameModel(model, question.model);
    const vectors = this.#loadVectors();
    // All are equally near to a vector of zeros.
    if (!vectors || question.values.every((value) => value === 0)) return undefined;
    const { scan, chunks } = vectors;
    const cosines = scan.similarities(question.values);
    const rowAllowed = allowed && Uint8Array.from(chunks, (chunk) => allowed[chunk]!);
    const nearness = this.#nearnessOfFiles(cosines, rowAllowed);
    return {
      ofFile: (file) => nearness[file] ?? 0,
      nearest: highest(cosines, count, rowAllowed).map((row) => chunks[row]!),
    };
  }

  /**
   * By file id, how near its best row is, in standard deviations above the mean of all files that have one; what is below the mean
   * counts 0, as do values that are all alike.
   */
  #nearnessOfFiles(cosines: Float32Array, allowed: Uint8Array | undefined): Float32Array {
    const nearness = new Float32Array(this.#fileIdLimit).fill(-Infinity);
    let count = 0;
    let sum = 0;
    let squares = 0;
    let row = 0;
    for (let run = 0; run < this.#runFiles.length; run++) {
      let best = -Infinity;
      for (const end = this.#runEnds[run]!; row < end; row++) {
        const cosine = cosines[row]!;
        if (cosine > best && (!allowed || allowed[row] === 1)) best = cosine;
      }
      if (best === -Infinity) continue;
      nearness[this.#runFiles[run]!] = best;
      count++;
      sum += best;
      squares += best * best;
    }
    const mean = sum / count;
    const variance = squares / count - mean * mean;
    const scale = variance > ROUNDING ? 1 / Math.sqrt(variance) : 0;
    for (let file = 0; file < nearness.length; file++) {
      nearness[file] = nearness[file]! > mean ? (nearness[file]! - mean) * scale : 0;
    }
    return nearness;
  }
}

/** What all forms of a stem begin with: Porter2 changes a final y to i. */
function prefixOf(stem: string): string {
  return stem.length > 2 && stem.endsWith("i") ? stem.slice(0, -1) : stem;
}
