/**
 * The words of a question against the words of chunks: BM25 (Robertson and Zaragoza 2009) over concepts.
 *
 * Pure. What must hold: only chunks that are alive and pass the filter are counted or scored.
 */
import type { Concept, Query } from "./query.ts";
import type { IndexReader, RankOptions } from "./rank.ts";

/** A concept with its weight in this index. */
export interface WeighedConcept extends Concept {
  /** Inverse document frequency over the chunks that pass the filter. */
  readonly idf: number;
}

/** What the words of a question say of every chunk. */
export interface WordScores {
  readonly concepts: readonly WeighedConcept[];
  /** BM25 score by chunk id. */
  readonly scores: Float32Array;
  /** Ids of the chunks that hold any concept. */
  readonly matched: readonly number[];
  readonly highest: number;
}

/** Scores every chunk that holds a concept of the query; undefined when no chunk passes the filter. */
export function scoreWords(
  query: Query,
  index: IndexReader,
  options: RankOptions,
  allowed: Uint8Array | undefined,
): WordScores | undefined {
  const { lengths } = index;
  const { count, total } = allowed ? countAllowed(lengths, allowed) : index;
  if (count === 0) return undefined;
  const { k1, b } = options;
  // The part of BM25's denominator that depends on length: flat + slope · length.
  const flat = k1 * (1 - b);
  const slope = k1 * b / (total / count);
  const scores = new Float32Array(lengths.length);
  const frequencies = new Float32Array(lengths.length);
  const matched: number[] = [];
  const concepts: WeighedConcept[] = [];
  for (const concept of query.concepts) {
    const holders: number[] = [];
    const documents = countConcept(concept, query, index, options, allowed, frequencies, holders);
    const idf = Math.log(1 + (count - documents + 0.5) / (documents + 0.5));
    concepts.push({ ...concept, idf });
    const weight = concept.weight * idf * (k1 + 1);
    for (const chunk of holders) {
      const frequency = frequencies[chunk]!;
      frequencies[chunk] = 0;
      if (scores[chunk] === 0) matched.push(chunk);
      scores[chunk]! += weight * frequency / (frequency + flat + slope * lengths[chunk]!);
    }
  }
  let highest = 0;
  for (const chunk of matched) if (scores[chunk]! > highest) highest = scores[chunk]!;
  return { concepts, scores, matched, highest };
}

function countAllowed(
  lengths: Uint16Array,
  allowed: Uint8Array,
): { count: number; total: number } {
  let count = 0;
  let total = 0;
  for (let chunk = 0; chunk < lengths.length; chunk++) {
    if (lengths[chunk]! > 0 && allowed[chunk]) {
      count++;
      total += lengths[chunk]!;
    }
  }
  return { count, total };
}

/**
 * Sums how often each chunk holds a concept in any of its forms, and gives the concept's document frequency. A form that is
 * not the asked word counts `stemWeight`; the document frequency is that of the commonest form, since a rare inflection is
 * no rarer thought.
 */
function countConcept(
  concept: Concept,
  query: Query,
  index: IndexReader,
  options: RankOptions,
  allowed: Uint8Array | undefined,
  frequencies: Float32Array,
  holders: number[],
): number {
  const { lengths } = index;
  const forms = query.isSymbol || concept.derived ? [concept.term] : index.forms(concept.stem);
  let documents = 0;
  for (const form of forms) {
    const weight = form === concept.term ? 1 : options.stemWeight;
    let found = 0;
    for (const list of index.postings(form)) {
      for (let at = 0; at < list.chunks.length; at++) {
        const chunk = list.chunks[at]!;
        if (!lengths[chunk] || (allowed && !allowed[chunk])) continue;
        found++;
        if (frequencies[chunk] === 0) holders.push(chunk);
        frequencies[chunk]! += list.frequencies[at]! * weight;
      }
    }
    if (found > documents) documents = found;
  }
  return documents;
}
