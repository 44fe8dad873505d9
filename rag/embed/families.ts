/**
 * What well-known families of embedding models want: words in front of a query or a passage, and how vectors of tokens
 * become one.
 *
 * Pure. What a model's own files say counts before this; what a user decides counts before both.
 */
import type { VectorModel } from "./embedder.ts";

/** What the authors of a family publish on its card. */
export interface Family {
  readonly pooling: Exclude<VectorModel["pooling"], "sum">;
  readonly query: string;
  readonly passage: string;
}

const SEARCH_PASSAGES = "Represent this sentence for searching relevant passages: ";
const SEARCH_CODE = "Represent this query for searching relevant code: ";
const SEARCH_WEB =
  "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ";

/** By name in lower case, `-` between its words; the first that matches counts. */
const FAMILIES: readonly (readonly [RegExp, Family["pooling"], query: string, passage: string])[] =
  [
    [/coderankembed/, "cls", SEARCH_CODE, ""],
    [/nomic-embed-code/, "last_token", SEARCH_CODE, ""],
    [/nomic-embed|modernbert-embed/, "mean", "search_query: ", "search_document: "],
    [/e5-mistral/, "last_token", SEARCH_WEB, ""],
    [/(^|[^a-z0-9])e5-.*instruct/, "mean", SEARCH_WEB, ""],
    [/(^|[^a-z0-9])e5-/, "mean", "query: ", "passage: "],
    [/arctic-embed-.*v2/, "cls", "query: ", ""],
    [/arctic-embed|mxbai-embed/, "cls", SEARCH_PASSAGES, ""],
    [/bge-.*-en/, "cls", SEARCH_PASSAGES, ""],
    [/bge-/, "cls", "", ""],
    [/gte-modernbert|gte-.*-en-v1\.5/, "cls", "", ""],
    [/qwen3-embedding/, "last_token", SEARCH_WEB.trimEnd(), ""],
    [/embedding-?gemma/, "mean", "task: search result | query: ", "title: none | text: "],
    [/gte-|minilm|jina-/, "mean", "", ""],
  ];

/** The family of a model that goes by these names; undefined for one that is not known. */
export function familyOf(names: readonly unknown[]): Family | undefined {
  const plain = names.map((name) =>
    String(name ?? "").toLowerCase().replaceAll(/[^a-z0-9.]+/g, "-")
  );
  const found = FAMILIES.find(([pattern]) => plain.some((name) => pattern.test(name)));
  return found && { pooling: found[1], query: found[2], passage: found[3] };
}
