/**
 * Peer: what SQLite gives without any knowledge of code. Chunks in an FTS5 table with its default tokenizer, ranked by
 * its own BM25, every word of the query joined by OR.
 */
import { DatabaseSync } from "node:sqlite";
import type { Memory } from "../../rag/mod.ts";
import { wordsOf } from "./ripgrep.ts";

/** A chunk as the peer takes it and gives it back. */
export interface PlainChunk {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly tokens: number;
  readonly text: string;
}

/** A full-text index over chunks, in a file of its own. */
export class PlainFts implements Disposable {
  readonly #database: DatabaseSync;

  /** @param path file of the index; `:memory:` keeps it in memory. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(`
      PRAGMA journal_mode = OFF;
      PRAGMA synchronous = OFF;
      CREATE TABLE place (id INTEGER PRIMARY KEY, path TEXT, start_line INT, end_line INT, tokens INT);
      CREATE VIRTUAL TABLE chunk USING fts5(text);`);
  }

  /** Adds chunks in one transaction, then merges the index into one segment. */
  add(chunks: Iterable<PlainChunk>): void {
    const place = this.#database.prepare(
      "INSERT INTO place (path, start_line, end_line, tokens) VALUES (?, ?, ?, ?)",
    );
    const text = this.#database.prepare("INSERT INTO chunk (rowid, text) VALUES (?, ?)");
    this.#database.exec("BEGIN");
    for (const chunk of chunks) {
      const { lastInsertRowid } = place.run(
        chunk.path,
        chunk.startLine,
        chunk.endLine,
        chunk.tokens,
      );
      text.run(lastInsertRowid, chunk.text);
    }
    this.#database.exec("COMMIT; INSERT INTO chunk (chunk) VALUES ('optimize');");
  }

  /** The chunks that share a word with the query, by BM25. */
  search(query: string, limit: number): PlainChunk[] {
    const words = wordsOf(query);
    if (words.length === 0) return [];
    return this.#database.prepare(`
      SELECT path, start_line, end_line, tokens, text
      FROM (SELECT rowid AS id, text, rank FROM chunk WHERE chunk MATCH ? ORDER BY rank LIMIT ?)
      JOIN place USING (id) ORDER BY rank`).all(
      words.map((word) => `"${word}"`).join(" OR "),
      limit,
    ).map((row) => ({
      path: String(row.path),
      startLine: Number(row.start_line),
      endLine: Number(row.end_line),
      tokens: Number(row.tokens),
      text: String(row.text),
    }));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** All chunks of an index, file by file. */
export function* chunksOf(memory: Memory): Generator<PlainChunk> {
  for (const path of memory.paths()) yield* memory.chunks(path);
}
