/**
 * ContextualSummaries as they are read: one, those below a folder, all of them by pages, those that fit a question.
 *
 * What must hold: it only reads; `summarise.ts` makes them.
 */
import { analyseQuery } from "./query.ts";
import type { Store } from "./store.ts";
import type { Summary } from "./types.ts";

/** Reads the summaries of one index. */
export class Summaries {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get(path: string): Summary | undefined {
    const row = this.#store.get(
      "SELECT path, level, text, tokens FROM summary WHERE path = ?",
      path,
    );
    return row && summaryOf(row, 0);
  }

  children(path: string): Summary[] {
    const prefix = path === "" ? "" : `${path}/`;
    return this.#store.all(
      "SELECT path, level, text, tokens FROM summary WHERE path > ? AND path < ? AND instr(substr(path, ?), '/') = 0 ORDER BY path",
      prefix,
      prefix === "" ? "\u{10FFFF}" : `${path}0`,
      prefix.length + 1,
    ).map((row) => summaryOf(row, 0));
  }

  after(path: string | undefined, limit: number): Summary[] {
    return this.#store.all(
      "SELECT path, level, text, tokens FROM summary WHERE ? OR path > ? ORDER BY path LIMIT ?",
      path === undefined ? 1 : 0,
      path ?? "",
      limit,
    ).map((row) => summaryOf(row, 0));
  }

  /** FTS5 with BM25 over the stems of summaries. */
  search(query: string, limit: number, folder?: string): Summary[] {
    const terms = [...new Set(analyseQuery(query).concepts.map((concept) => concept.term))];
    if (terms.length === 0) return [];
    const match = terms.map((term) => `"${term.replaceAll('"', '""')}"`).join(" OR ");
    const prefix = folder ? `${folder}/` : "";
    return this.#store.all(
      `SELECT s.path, s.level, s.text, s.tokens, bm25(summary_text) AS score FROM summary_text
       JOIN summary s ON s.id = summary_text.rowid
       WHERE summary_text MATCH ? AND (? = '' OR substr(s.path, 1, ?) = ?)
       ORDER BY score, s.path LIMIT ?`,
      match,
      prefix,
      prefix.length,
      prefix,
      limit,
    ).map((row) => summaryOf(row, -Number(row.score)));
  }
}

function summaryOf(row: Record<string, unknown>, score: number): Summary {
  return {
    path: row.path as string,
    level: row.level as Summary["level"],
    text: row.text as string,
    tokens: Number(row.tokens),
    score,
  };
}
