/**
 * Ranking: words, path, names and structure in, an ordered list of chunks out.
 *
 * Pure: it reads the index through `IndexReader` and keeps nothing. What must hold: filters act before anything is
 * counted (document frequencies and lengths are those of what passes), equal scores are ordered by path and line, so a
 * rebuilt index gives the same list.
 *
 * Three steps: `lexical.ts` scores every chunk that holds a word of the question (BM25 over concepts); `evidence.ts` looks
 * closely at the best of them: path, defined names, role of the file, who imports it; here they are put in order, each further
 * chunk of a file counting less.
 */
import { gatherEvidence } from "./evidence.ts";
import type { DefinedName, FileFeatures } from "./file_features.ts";
import { scoreWords } from "./lexical.ts";
import type { Postings } from "./postings.ts";
import type { Query } from "./query.ts";

/** What ranking reads of an index. */
export interface IndexReader {
  /** Length of a chunk in terms; 0 for a chunk that is dead. Indexed by chunk id. */
  readonly lengths: Uint16Array;
  /** File id of a chunk. Indexed by chunk id. */
  readonly files: Int32Array;
  /** Number of chunks alive. */
  readonly count: number;
  /** Sum of the lengths of the chunks alive, in terms. */
  readonly total: number;
  /** Posting lists of a term, one a segment. */
  postings(term: string): readonly Postings[];
  /** All indexed terms with this stem. */
  forms(stem: string): readonly string[];
  /** What is known of a file besides its words. */
  features(file: number): FileFeatures;
  /** What a chunk defines. */
  names(chunk: number): readonly DefinedName[];
  /** Files whose path holds a word with this stem. */
  filesWithPathWord(stem: string): readonly number[];
  /** Files that import a file. */
  importers(file: number): readonly number[];
  /** Chunk with which a file stands for itself when no chunk of it matched; -1 when it has none. */
  firstChunk(file: number): number;
}

/** How near files are to the question by the vectors of their chunks. */
export interface Similarity {
  /**
   * By how many standard deviations the best chunk of a file is nearer to the question than those of files are on the whole; 0 for
   * a file that is not nearer.
   */
  ofFile(file: number): number;
  /** The nearest chunks that pass the filter, nearest first. */
  readonly nearest: readonly number[];
}

/** A chunk and its score. */
export interface Ranked {
  readonly chunk: number;
  readonly file: number;
  readonly score: number;
}

/**
 * Every constant of the ranking. Scores of words are divided by the query's best, so 1 is "as good as the best match of
 * words". Each was chosen on some repositories and checked on others (`bench retrieval --ablate` shows what each is worth);
 * random changes of all by up to × 1.8 cost 0.01, so the values are round.
 */
export interface RankOptions {
  /** BM25: how fast further occurrences stop counting. */
  readonly k1: number;
  /** BM25: how much a long chunk is held against it. */
  readonly b: number;
  /** What an inflected form counts of the word that was asked. */
  readonly stemWeight: number;
  /**
   * Weight of the share of the question that stands in the path. Here and in `nameCoverage` a word is as large a share as it is rare
   * (idf): in a library of logging every other file is called after a log.
   */
  readonly pathShare: number;
  /** Weight of the share of the file name's words that stand in the question. */
  readonly stemShare: number;
  /** Weight of the share of the question that stands in one name which the chunk defines. */
  readonly nameCoverage: number;
  /** Factor for names at top level, for `nameCoverage` and the definition boosts. */
  readonly topLevel: number;
  /** The same for properties and enum members. */
  readonly propertyName: number;
  /** The same for prototypes of C and C++: what is asked for is where the thing is defined. */
  readonly prototypeName: number;
  /** Boost of the chunk that defines the symbol which is the whole query. */
  readonly definition: number;
  /** Boost of the chunk that defines an identifier which the question mentions. */
  readonly identifierDefinition: number;
  /** Boost of a file that passes on the identifier. */
  readonly reexport: number;
  /** Boost of the file that bears the name of the symbol asked for. */
  readonly symbolFile: number;
  /** Weight of all of a file's matches together, against the best file's. */
  readonly coherence: number;
  /** Factor for each further chunk of one file. */
  readonly saturation: number;
  /** Files of more chunks than this (some 1,500 lines) are about several things: in one of twice as many, chunks count less half as fast. */
  readonly largeFile: number;
  /** How much more a file counts that other well-matching files import: where a thing lives, not where it is used. */
  readonly imported: number;
  readonly testPenalty: number;
  readonly examplePenalty: number;
  readonly compatPenalty: number;
  readonly declarationPenalty: number;
  readonly documentPenalty: number;
  readonly dataPenalty: number;
  /** Factor for files that only pass on. */
  readonly barrelPenalty: number;
  /** Factor for `v3/` where there is a `v4/` beside it. */
  readonly supersededPenalty: number;
  /**
   * Weight of a standard deviation by which the vectors of a file are nearer to the question than those of others, where the question
   * is keywords: they were chosen from the code, so this only parts what words leave alike.
   */
  readonly vector: number;
  /** The same for a question in a sentence, whose words are the asker's rather than the code's. */
  readonly vectorOfSentence: number;
}

/** The constants in use. */
export const DEFAULTS: RankOptions = {
  k1: 2,
  b: 0.5,
  stemWeight: 0.9,
  pathShare: 1,
  stemShare: 0.3,
  nameCoverage: 0.8,
  topLevel: 1,
  propertyName: 0.3,
  prototypeName: 0.5,
  definition: 1.5,
  identifierDefinition: 0.75,
  reexport: 0.3,
  symbolFile: 1,
  coherence: 0.45,
  saturation: 0.5,
  largeFile: 40,
  imported: 0.6,
  testPenalty: 0.3,
  examplePenalty: 0.3,
  compatPenalty: 0.3,
  declarationPenalty: 0.7,
  documentPenalty: 0.5,
  dataPenalty: 0.3,
  barrelPenalty: 0.8,
  supersededPenalty: 0.5,
  vector: 0.15,
  vectorOfSentence: 0.2,
};

/**
 * Ranks the chunks of an index for a query, best first.
 * @param allowed per chunk id, 1 where the filters let it pass; absent when there is no filter.
 * @param similarity what the vectors say, for indexes that have them.
 */
export function rank(
  query: Query,
  index: IndexReader,
  limit: number,
  options: RankOptions = DEFAULTS,
  allowed?: Uint8Array,
  similarity?: Similarity,
): Ranked[] {
  const words = scoreWords(query, index, options, allowed);
  if (words === undefined) return [];
  const candidates = gatherEvidence(query, index, words, options, allowed, similarity);
  return saturate(candidates, index, limit, options);
}

/** Orders, and lets each further chunk of a file count less. */
function saturate(
  candidates: readonly Ranked[],
  index: IndexReader,
  limit: number,
  options: RankOptions,
): Ranked[] {
  const order = (a: Ranked, b: Ranked) =>
    b.score - a.score ||
    (a.file === b.file
      ? a.chunk - b.chunk
      : index.features(a.file).path < index.features(b.file).path
      ? -1
      : 1);
  const seen = new Map<number, number>();
  return [...candidates].sort(order).map(({ chunk, file, score }) => {
    const before = seen.get(file) ?? 0;
    seen.set(file, before + 1);
    // A file of thousands of lines holds many answers; one of a hundred is an answer.
    const share = Math.min(1, options.largeFile / index.features(file).chunkCount);
    return { chunk, file, score: score * options.saturation ** (before * share) };
  }).sort(order).slice(0, limit);
}
