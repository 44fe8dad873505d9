/**
 * What the agent needs of memory: `Memory` of rag satisfies it by its shape.
 *
 * Owns no behaviour. What must hold: everything here only reads.
 */
import type {
  Correction,
  Hit,
  OutlineEntry,
  SearchOptions,
  StoredFile,
  Summary,
} from "../rag/mod.ts";

/** Memory, as far as the agent reads it. */
export interface MemoryPort {
  /** Chunks that answer a query, best first. */
  search(query: string, options?: SearchOptions): Hit[];
  /** Words of a query that are misspelt. */
  misspellings(query: string): Correction[];
  /** Words of a query that stand nowhere in the index. */
  absent(query: string): string[];
  /** Level 1: summaries of files and folders, best first; `path` limits to a folder. */
  summaries(query: string, options?: { limit?: number; path?: string }): Summary[];
  /** What a file or folder holds, in words. */
  summary(path: string): Summary | undefined;
  /** Files that import a file, each with the line of its first import, in order of their paths. */
  importers(path: string): { path: string; line: number }[];
  /** Folders and files of a folder; of "" the top level. */
  children(path: string): Summary[];
  /** All chunks of a file, in order. */
  chunks(path: string): Hit[];
  /** Definitions of a file, in order. */
  outline(path: string): OutlineEntry[];
  /** Definitions by exact name. */
  definitions(name: string): OutlineEntry[];
  file(path: string): StoredFile | undefined;
  /** Every path of the index. */
  paths(): string[];
}
