/**
 * Ingest: from a folder to values. The only door of this folder.
 *
 * `readTree` is the main way in: an async stream that says for every file of a workspace what became of it, new and
 * changed ones parsed: cut into chunks along the syntax tree, with their definitions and imports. On the way:
 * `walk` decides which files (ignore rules, links, names), `decodeText` turns bytes to text without loss, `skipByContent`
 * keeps generated files and secrets out, `parse` reads and cuts. What files say about each other comes afterwards, from
 * values alone: `createResolver` finds the file an import means, `resolveReferences` asks the compiler who uses what.
 *
 * Nothing here touches a database or a model. `parse`, `chunk` and the measures work on a text alone, as a library.
 */
export type {
  Chunk,
  Definition,
  DefinitionKind,
  Encoding,
  Import,
  Problem,
  SourceFile,
} from "./source_file.ts";
export { Pause } from "./pause.ts";
export {
  type Known,
  listTree,
  type ReadOptions,
  readTree,
  type TreeEvent,
  type TreeListing,
} from "./read_tree.ts";
export { type Entry, type Skip, walk, type WalkOptions, type WalkResult } from "./walk.ts";
export { decodeText, encodeText } from "./encoding.ts";
export { findSecret, redactSecrets, type Secret } from "./secrets.ts";
export {
  parseLine,
  type RawTrailLine,
  readTrail,
  readTrailLines,
  type TrailBatch,
  type TrailEntry,
  type TrailPosition,
  type TrailProblem,
  type TrailSource,
  type ValidateEvent,
} from "./trail.ts";
export { type Parse, parse, parsedByGrammar, type ParsedSource, unparsed } from "./parse.ts";
export { collectGarbage, GarbageCollection } from "./garbage.ts";
export { chunk, type ChunkOptions, DEFAULT_MAX_TOKENS, type Piece } from "./chunk.ts";
export { countTokens, type Measure, nonWhitespace, tokens } from "./measure.ts";
export { languageOf } from "./languages.ts";
export type { SyntaxTree } from "./syntax_tree.ts";
export { createResolver, type FileView, type Resolver } from "./resolve.ts";
export { folderOf } from "./resolve_paths.ts";
export {
  type FileReferences,
  type GraphFile,
  LINK_KINDS,
  type LinkKind,
  LITERAL_KIND,
  REFERENCE_KINDS,
  type ReferenceKind,
} from "./reference_edges.ts";
export { type FileFacts, type TypeTerm } from "./type_terms.ts";
export { isCompiled } from "./graph_program.ts";
export { type ReferenceOptions, resolveReferences } from "./graph_typescript.ts";
export {
  findNameUses,
  findTypeFacts,
  hasNameGraph,
  type NameUse,
  occurrences,
} from "./graph_names.ts";
