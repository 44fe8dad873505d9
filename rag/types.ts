/**
 * The values that memory hands out: hits, summaries, outlines, reports, status.
 *
 * Owns no behaviour. What must hold: paths are relative to the repository and `/`-separated; lines are 1-based and
 * inclusive; `text` is always a slice of the file as it was ingested (its SHA-256 is `hash`), never of the disk.
 */
import type { DefinitionKind, Problem } from "../ingest/mod.ts";
import type { VectorModel } from "./embed/embedder.ts";
import type { VectorsState } from "./vectors.ts";

/** Filters of a search. They act inside the query: a filtered search ranks as if nothing else were indexed. */
export interface Filters {
  /** Glob over the path relative to the repository, for example `src/**`. */
  readonly path?: string;
  /** Language as `status` names it. */
  readonly language?: string;
  /** Main syntax node of the chunk: `class`, `function`, `section`, … */
  readonly kind?: string;
  /** Name that the chunk must define. */
  readonly symbol?: string;
}

/** How many results, of what, where. */
export interface SearchOptions extends Filters {
  /** How many results at most; 10 by default. */
  readonly limit?: number;
  /** One result a file. */
  readonly files?: boolean;
  /**
   * Vector of the question, by the embedder of the index: near chunks then rank higher, and come in without a common word. Without
   * effect as long as not every chunk has a vector, since those that have one would be favoured.
   */
  readonly vector?: QuestionVector;
}

/** A question as an embedder sees it. */
export interface QuestionVector {
  readonly model: VectorModel;
  readonly values: Float32Array;
}

/** A MemoryChunk that answers a query. */
export interface Hit {
  /** OID of the chunk in the image; not stable over a rebuild. */
  readonly oid: number;
  readonly path: string;
  readonly language: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly score: number;
  readonly nodeType: string;
  readonly nodeName: string;
  readonly parentNodes: readonly string[];
  /** Size in tokens, as the governor estimates them. */
  readonly tokens: number;
  readonly text: string;
  /** SHA-256 of the file that the text is a slice of. */
  readonly hash: string;
}

/** A ContextualSummary: of a file, a folder, or the workspace (`path` is then empty). */
export interface Summary {
  readonly path: string;
  readonly level: "file" | "folder" | "workspace";
  /** A few lines: what it is for, what it exports, in reading order. */
  readonly text: string;
  readonly tokens: number;
  /** Relevance to the query, where there was one. */
  readonly score: number;
}

/** A definition of a file, for outlines and for answers. */
export interface OutlineEntry {
  readonly path: string;
  readonly name: string;
  readonly kind: DefinitionKind;
  readonly container: readonly string[];
  readonly startLine: number;
  readonly endLine: number;
  readonly exported: boolean;
  /** The declaration up to its body, white space folded to single blanks. */
  readonly signature: string;
  /** Text of the doc comment without its markers; empty when there is none. */
  readonly doc: string;
}

/** A file as it was ingested. */
export interface StoredFile {
  readonly path: string;
  readonly language: string;
  readonly hash: string;
  readonly bytes: number;
  readonly lines: number;
  readonly text: string;
}

/** What the walk may skip reading: an unchanged size and time, and the hash to compare with otherwise. */
export interface KnownFile {
  readonly hash: string;
  readonly bytes: number;
  readonly mtime: number;
}

/** What an ingest did. */
export interface AbsorbReport {
  /** Files in the index afterwards. */
  readonly files: number;
  /** Chunks in the index afterwards. */
  readonly chunks: number;
  /** Files read and stored by this run. */
  readonly changed: number;
  /** Files dropped because they vanished or are excluded now. */
  readonly removed: number;
  /** Files of the walk that were left out, with reasons. */
  readonly skipped: number;
  readonly problems: readonly Problem[];
  readonly ms: number;
}

/** State of the index. */
export interface Status {
  readonly files: number;
  readonly chunks: number;
  readonly edges: number;
  readonly vectors: number;
  readonly summaries: number;
  /** Size of the database file. */
  readonly indexBytes: number;
  /** Bytes of the indexed files. */
  readonly sourceBytes: number;
  /** Id of the embedder whose vectors are stored, or null. */
  readonly embedder: string | null;
  /** Whether they are all there; searches use them only then. */
  readonly vectorsState: VectorsState;
  /** Hash of the derived content alone: a rebuild ends with the same. */
  readonly fingerprint: string;
  readonly languages: Readonly<Record<string, number>>;
}
