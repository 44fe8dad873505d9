/**
 * The text index as ranking reads it, with what was read kept in memory for as long as nobody commits.
 *
 * Owns the caches of a process: chunk lengths, posting lists, path words, features of files. What must hold: `refresh()` is
 * called at the start of every query; a commit of any process empties the caches, so a query never mixes two states.
 */
import { type FileFeatures, fileFeatures, stemsOf, supersededFolders } from "./file_features.ts";
import { decodeChunkTable, decodePostings, type Postings } from "./postings.ts";
import type { IndexReader } from "./rank.ts";
import type { FileRow, Store } from "./store.ts";
import { stemOf } from "./terms.ts";

/** Posting lists kept decoded, counted in postings (6 bytes each); the rest is read again when needed. */
const MOST_POSTINGS = 8_000_000;
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
  #features = new Map<number, FileFeatures>();
  #rows = new Map<number, FileRow>();
  #pathWords = new Map<string, number[]>();
  #superseded: string[] = [];
  #importers = new Map<number, number[]>();

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
    this.#features.clear();
    this.#rows.clear();
    this.#importers.clear();
    this.#pathWords.clear();
    const segments = this.#store.segments();
    this.#segments = segments.map((segment) => segment.id);
    let last = 0;
    const entries = segments.flatMap((segment) => [...decodeChunkTable(segment.chunks)]);
    for (const entry of entries) last = Math.max(last, entry.chunk);
    this.lengths = new Uint16Array(last + 1);
    this.files = new Int32Array(last + 1);
    this.count = entries.length;
    this.total = 0;
    for (const { chunk, length, file } of entries) {
      this.lengths[chunk] = Math.min(length, 65_535);
      this.files[chunk] = file;
      this.total += length;
    }
    for (const row of this.#store.files()) {
      this.#rows.set(row.id, row);
      for (const stem of new Set(pathStems(row.path))) {
        const files = this.#pathWords.get(stem);
        if (files) files.push(row.id);
        else this.#pathWords.set(stem, [row.id]);
      }
    }
    this.#superseded = supersededFolders([...this.#rows.values()].map((row) => row.path));
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
        const bytes = this.#store.posting(segment, term);
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
        // Porter2 changes a final y to i; without its last letter a stem is a prefix of all its forms.
        const prefix = stem.endsWith("i") ? stem.slice(0, -1) : stem;
        const found = new Set<string>();
        for (const segment of this.#segments) {
          for (const term of this.#store.terms(segment, prefix, prefix + "{")) {
            if (term.length <= stem.length + 7 && stemOf(term) === stem) found.add(term);
          }
        }
        forms = [...found].sort();
      }
      this.#forms.set(stem, forms);
    }
    return forms;
  }

  features(file: number): FileFeatures {
    let features = this.#features.get(file);
    if (!features) {
      const row = this.#rows.get(file)!;
      features = fileFeatures(
        row,
        this.#store.chunksOf(row),
        this.#store.definitionsOf(file),
        this.#store.imports(file),
        this.#superseded,
      );
      this.#features.set(file, features);
    }
    return features;
  }

  importers(file: number): readonly number[] {
    let importers = this.#importers.get(file);
    if (!importers) this.#importers.set(file, importers = this.#store.importersOf(file));
    return importers;
  }

  filesWithPathWord(stem: string): readonly number[] {
    return this.#pathWords.get(stem) ?? [];
  }

  firstChunk(file: number): number {
    const row = this.#rows.get(file);
    return row && row.chunkCount ? row.firstChunk : -1;
  }
}

/** Stems of a path's words, its extension left out. */
function pathStems(path: string): string[] {
  return stemsOf(path.replace(/(\.d)?\.[^./]+$/, ""));
}
