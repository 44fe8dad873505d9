/**
 * Everything but the words: what path, names, role and neighbours of a file say about how well its chunks answer.
 *
 * Pure. What must hold: every chunk that comes out is alive and passes the filter; a file's own figures are worked out once a
 * query, however many of its chunks are candidates.
 */
import type { DefinedName, FileFeatures } from "./file_features.ts";
import type { WeighedConcept, WordScores } from "./lexical.ts";
import type { Query } from "./query.ts";
import type { IndexReader, Ranked, RankOptions, Similarity } from "./rank.ts";

/** So many chunks are looked at closely: with 400 the figures of the benchmark are the same, and a cold query takes twice as long. */
const CLOSE_LOOK = 150;
/** A file none of whose chunks made it so far comes in when its path holds this share of the question. */
const ADMITTING_PATH_SHARE = 0.5;
/** Files below this share of the best score say nothing about whom they import. */
const IMPORTER_FLOOR = 0.25;
/** A name in another spelling (`zoderror` for `ZodError`) is probably meant, not certainly. */
const OTHER_SPELLING = 0.7;

interface Candidate {
  readonly chunk: number;
  readonly file: number;
  /** Score of the words against the query's best, 0 to 1. */
  readonly lexical: number;
  score: number;
}

interface FileEvidence {
  readonly features: FileFeatures;
  /** What the file as a whole adds to each of its chunks. */
  readonly bonus: number;
  readonly penalty: number;
}

/** Scores the best chunks of `words` with all evidence. */
export function gatherEvidence(
  query: Query,
  index: IndexReader,
  words: WordScores,
  options: RankOptions,
  allowed: Uint8Array | undefined,
  similarity: Similarity | undefined,
): Ranked[] {
  const asked = words.concepts.filter((concept) => !concept.derived);
  const shares = sharesOf(asked);
  const pathShares = sharesInPaths(shares, index);
  const vectorWeight = query.isSentence ? options.vectorOfSentence : options.vector;
  const candidates = admit(index, words, pathShares, options, allowed, similarity);
  const names = new NameEvidence(query, words.concepts, shares, options);
  const isDeclared = query.isSymbol &&
    candidates.some(({ chunk }) => names.declares(index.names(chunk)));
  const sums = new Map<number, number>();
  for (const { file, lexical } of candidates) sums.set(file, (sums.get(file) ?? 0) + lexical);
  const highestSum = Math.max(0, ...sums.values()) || 1;

  const files = new Map<number, FileEvidence>();
  const fileEvidence = (file: number): FileEvidence => {
    let evidence = files.get(file);
    if (!evidence) {
      const features = index.features(file);
      const bonus = options.pathShare * (pathShares.get(file) ?? 0) +
        options.stemShare * names.shareOf(features.stemWords) +
        options.coherence * sums.get(file)! / highestSum +
        vectorWeight * (similarity?.ofFile(file) ?? 0);
      files.set(file, evidence = { features, bonus, penalty: penaltyOf(features, query, options) });
    }
    return evidence;
  };

  for (const candidate of candidates) {
    const { features, bonus, penalty } = fileEvidence(candidate.file);
    const defined = index.names(candidate.chunk);
    let score = candidate.lexical + bonus +
      names.boost(defined, features, isDeclared);
    // Tests that stand beside the code they test, as in Rust.
    if (features.role !== "test" && defined[0]?.kind === "test" && !query.wants.has("tests")) {
      score *= options.testPenalty;
    }
    candidate.score = score * penalty;
  }
  yieldOpenings(candidates, index);
  if (options.imported > 0) liftImported(candidates, index, options.imported);
  return candidates;
}

/**
 * The opening of a file of code, before its first definition, a licence and imports, says at most which file is meant: where another chunk of
 * that file is found too, the best of them takes its place. How files stand to each other stays.
 */
function yieldOpenings(candidates: readonly Candidate[], index: IndexReader): void {
  const best = new Map<number, Candidate>();
  const openings: Candidate[] = [];
  for (const candidate of candidates) {
    const { chunk, file, score } = candidate;
    let first = index.firstChunk(file);
    while (first >= 0 && first <= chunk && index.names(first).length === 0) first++;
    const isOpening = first > chunk && !/^(document|data)$/.test(index.features(file).role);
    if (isOpening) openings.push(candidate);
    else if (score > (best.get(file)?.score ?? -Infinity)) best.set(file, candidate);
  }
  for (const opening of openings.sort((one, other) => other.score - one.score)) {
    const other = best.get(opening.file);
    if (other === undefined || other.score >= opening.score) continue;
    [opening.score, other.score] = [other.score, opening.score];
  }
}

/** For each file whose path holds a word of the question, the share of the question's words that it holds. */
function sharesInPaths(
  asked: ReadonlyMap<string, number>,
  index: IndexReader,
): Map<number, number> {
  const shares = new Map<number, number>();
  for (const [stem, share] of asked) {
    for (const file of index.filesWithPathWord(stem)) {
      shares.set(file, (shares.get(file) ?? 0) + share);
    }
  }
  return shares;
}

/** What share each word is of the question, the rarer the more; together 1. */
function sharesOf(asked: readonly WeighedConcept[]): Map<string, number> {
  let sum = 0;
  for (const { idf } of asked) sum += idf;
  return new Map(asked.map(({ stem, idf }) => [stem, idf / sum]));
}

/** The chunks worth a close look: the best by words and path, the nearest by vector, and the openings of files that only the path names. */
function admit(
  index: IndexReader,
  words: WordScores,
  pathShares: ReadonlyMap<number, number>,
  options: RankOptions,
  allowed: Uint8Array | undefined,
  similarity: Similarity | undefined,
): Candidate[] {
  const { scores, highest, matched } = words;
  const scale = highest > 0 ? 1 / highest : 1;
  const passes = (chunk: number) =>
    chunk >= 0 && index.lengths[chunk]! > 0 && (!allowed || allowed[chunk] === 1);
  let chosen = matched;
  if (matched.length > CLOSE_LOOK) {
    const priors = new Float32Array(matched.length);
    for (let at = 0; at < matched.length; at++) {
      const chunk = matched[at]!;
      priors[at] = scores[chunk]! * scale +
        options.pathShare * (pathShares.get(index.files[chunk]!) ?? 0);
    }
    const threshold = thresholdOf(priors, CLOSE_LOOK);
    chosen = matched.filter((_chunk, at) => priors[at]! >= threshold);
  }
  const admitted = new Set(chosen);
  for (const chunk of similarity?.nearest ?? []) if (passes(chunk)) admitted.add(chunk);
  for (const [file, share] of pathShares) {
    const chunk = index.firstChunk(file);
    if (share >= ADMITTING_PATH_SHARE && passes(chunk)) admitted.add(chunk);
  }
  return Array.from(admitted, (chunk) => ({
    chunk,
    file: index.files[chunk]!,
    lexical: scores[chunk]! * scale,
    score: 0,
  }));
}

/** A value that at least `wanted` of the values reach, and few more: found by counting, since sorting them all takes longer. */
function thresholdOf(values: Float32Array, wanted: number): number {
  let highest = 0;
  for (const value of values) if (value > highest) highest = value;
  const bins = new Int32Array(1024);
  const scale = (bins.length - 1) / (highest || 1);
  for (const value of values) if (value > 0) bins[Math.floor(value * scale)]!++;
  let reached = 0;
  for (let bin = bins.length - 1; bin > 0; bin--) {
    reached += bins[bin]!;
    if (reached >= wanted) return bin / scale;
  }
  return -Infinity;
}

/** What the names that a chunk defines have to do with the question. */
class NameEvidence {
  #query: Query;
  #options: RankOptions;
  #stems: ReadonlySet<string>;
  #shares: ReadonlyMap<string, number>;
  #exact: ReadonlySet<string>;
  #lower: ReadonlySet<string>;
  /** The symbol asked for as a file would be called after it. */
  #fileName: string;

  constructor(
    query: Query,
    concepts: readonly WeighedConcept[],
    shares: ReadonlyMap<string, number>,
    options: RankOptions,
  ) {
    this.#query = query;
    this.#options = options;
    this.#shares = shares;
    this.#stems = new Set(concepts.map((concept) => concept.stem));
    this.#exact = new Set(query.identifiers);
    this.#lower = new Set(query.identifiers.map((name) => name.toLowerCase()));
    this.#fileName = (query.identifiers.at(-1) ?? "").toLowerCase().replace(/[^a-z0-9]/g, "");
  }

  /** Whether a top-level definition among `defined` is what the query names. */
  declares(defined: readonly DefinedName[]): boolean {
    return defined.some((name) => name.isTopLevel && this.#exact.has(name.name));
  }

  /** Share of some words that the question holds. */
  shareOf(stems: readonly string[]): number {
    if (stems.length === 0) return 0;
    let held = 0;
    for (const stem of stems) if (this.#stems.has(stem)) held++;
    return held / stems.length;
  }

  boost(defined: readonly DefinedName[], features: FileFeatures, isDeclared: boolean): number {
    const options = this.#options;
    const { isSymbol } = this.#query;
    let coverage = 0;
    let defines = 0;
    for (const name of defined) {
      // A header beside its source has its penalty already.
      const level = name.isPrototype && features.role !== "declaration"
        ? options.prototypeName
        : name.isTopLevel
        ? options.topLevel
        : name.kind === "property" || name.kind === "enum_member"
        ? options.propertyName
        : 1;
      coverage = Math.max(coverage, level * this.#coverage(name.stems));
      if (this.#exact.has(name.name)) defines = Math.max(defines, level);
      else if (this.#lower.has(name.lower)) defines = Math.max(defines, level * OTHER_SPELLING);
    }
    let boost = options.nameCoverage * coverage;
    if (defines > 0) {
      boost += defines * (isSymbol ? options.definition : options.identifierDefinition);
    } else if (this.#query.identifiers.some((name) => features.reexports.has(name))) {
      // What the index does not declare lives, for this index, where it is passed on.
      boost += isSymbol && !isDeclared ? options.definition : options.reexport;
    }
    // A page about a symbol bears its name as well, and is not where it is defined.
    if (isSymbol && features.role !== "document" && features.stemName === this.#fileName) {
      boost += options.symbolFile;
    }
    return boost;
  }

  /** Share of the question in one name; a single common word is no evidence unless it is the whole name. */
  #coverage(stems: readonly string[]): number {
    let matched = 0;
    let share = 0;
    for (let at = 0; at < stems.length; at++) {
      if (!this.#stems.has(stems[at]!) || stems.indexOf(stems[at]!) !== at) continue;
      matched++;
      share += this.#shares.get(stems[at]!) ?? 1 / (this.#shares.size || 1);
    }
    return matched >= 2 || (matched === 1 && stems.length === 1) ? Math.min(1, share) : 0;
  }
}

/** Factor for files that answer fewer questions than the code itself, unless the question asks for just them. */
function penaltyOf(features: FileFeatures, query: Query, options: RankOptions): number {
  let factor = features.isBarrel ? options.barrelPenalty : 1;
  if (features.superseded && !query.text.includes(features.superseded)) {
    factor *= options.supersededPenalty;
  }
  switch (features.role) {
    case "test":
      return query.wants.has("tests") ? factor : factor * options.testPenalty;
    case "example":
      return query.wants.has("examples") ? factor : factor * options.examplePenalty;
    case "compat":
      return factor * options.compatPenalty;
    case "declaration":
      return query.wants.has("types") ? factor : factor * options.declarationPenalty;
    case "document":
      return query.wants.has("documents") ? factor : factor * options.documentPenalty;
    case "data":
      return factor * options.dataPenalty;
    case "source":
      return factor;
  }
}

/**
 * Among files that match well, those that the others import are where the thing lives; façades and siblings only use it. The
 * best chunk of such a file is lifted.
 */
function liftImported(candidates: readonly Candidate[], index: IndexReader, weight: number): void {
  const best = new Map<number, Candidate>();
  for (const candidate of candidates) {
    const known = best.get(candidate.file);
    if (!known || candidate.score > known.score) best.set(candidate.file, candidate);
  }
  let top = 0;
  for (const { score } of best.values()) top = Math.max(top, score);
  if (top === 0) return;
  const lifts: [Candidate, number][] = [];
  for (const [file, candidate] of best) {
    if (candidate.score < IMPORTER_FLOOR * top) continue;
    let support = 0;
    for (const other of index.importers(file)) {
      support += Math.max(0, (best.get(other)?.score ?? 0) / top - IMPORTER_FLOOR);
    }
    if (support > 0) lifts.push([candidate, 1 + weight * support / (support + 1)]);
  }
  for (const [candidate, lift] of lifts) candidate.score *= lift;
}
