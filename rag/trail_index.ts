/**
 * The audit trail in memory: ContextFractals, found by words and by time, and citations of lines of the trail checked.
 *
 * Owns the tables below; the trail itself is ground state and lies in its files. All of this is derived: dropped with the index, and
 * made again from the files with the same result. What must hold: a batch of lines and the offset up to which they were read change in one
 * transaction, so a kill costs nothing and no line counts twice; where the files are not those that were read (a line edited, a file
 * gone), everything is made again.
 *
 * Tables
 * - `fractal`: one row a cycle: kind, times (ms since 1970), first and last line, its digest as JSON (`fractal.ts`).
 * - `fractal_part`: the numbers of the lines of a cycle, a row for each batch that brought some.
 * - `trail_block`: successive lines, some hundred together: their numbers, their text (zstd), the file (by the number of its first line)
 *   and the offset of the first of them.
 * - `fractal_text`: FTS5 over code-aware words: what was asked, and the rest.
 * - `fractal_vector`: the vector of an answer (float32, little-endian) and the identity of the model that it is of, for the cycles of
 *   which somebody has asked how near they are; see `answer_vectors.ts`.
 * - `trail_read`: one row: the files that were read, the position, the last line as a hash.
 */
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type {
  TrailEntry,
  TrailPosition,
  TrailProblem,
  TrailSource,
  ValidateEvent,
} from "../ingest/mod.ts";
import {
  type Digest,
  fold,
  isAboutPast,
  NO_DIGEST,
  summaryOf,
  textsOf,
  type TrailEvent,
} from "./fractal.ts";
import type { Store } from "./store.ts";
import { eachWord, stemOf, STOP_WORDS, termsOfWord } from "./terms.ts";

/** Lists the files of the trail as they are now, oldest first. */
export type ListTrail = () => readonly TrailSource[];

/** A cycle of the trail. */
export interface Fractal {
  /** OID of the fractal in the image; not stable over a rebuild. */
  readonly oid: number;
  readonly cycle: string;
  readonly digest: Digest;
  /** It only asked about other cycles. */
  readonly aboutPast: boolean;
  /** A few lines about it. */
  readonly summary: string;
  /** First and last event, milliseconds since 1970. */
  readonly since: number;
  readonly until: number;
  /** Numbers of its first and last line in the whole trail. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** Relevance to the query; 0 where there was none. */
  readonly score: number;
}

/** Which fractals. */
export interface FractalFilter {
  /** Milliseconds since 1970, inclusive. */
  readonly since?: number | undefined;
  /** Exclusive. */
  readonly until?: number | undefined;
  readonly limit?: number;
  /** `questions`, `commands`, what doors refused, or those that failed, found nothing or did not end. */
  readonly only?: "all" | "questions" | "commands" | "failed" | "refused";
  /** A cycle to leave out: the one that asks. */
  readonly except?: string | undefined;
}

/** What one reading of the trail took in. */
export interface TrailReport {
  readonly events: number;
  readonly problems: readonly TrailProblem[];
  /** Whether everything was made again, because the files were not those that had been read. */
  readonly again: boolean;
}

/** Whether cited lines are those that were read. */
export type LinesStatus = "verified" | "stale" | "removed";

/** Questions that came to an end of their own: an answer, word that nothing was found, or a failure. */
const ENDED = "kind = 'question' AND outcome IN ('done', 'nothing', 'failed')";
/** The same without failures, in words that let SQLite use the one index. */
const ANSWERED = `${ENDED} AND outcome <> 'failed'`;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS fractal(
    id INTEGER PRIMARY KEY, cycle TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, outcome TEXT NOT NULL, about_past INTEGER NOT NULL,
    since INTEGER NOT NULL, until INTEGER NOT NULL, first_line INTEGER NOT NULL, last_line INTEGER NOT NULL, digest TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS fractal_since ON fractal(since);
  CREATE INDEX IF NOT EXISTS fractal_ended ON fractal(last_line, until, outcome) WHERE ${ENDED};
  CREATE TABLE IF NOT EXISTS fractal_vector(fractal INTEGER PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS fractal_part(
    fractal INTEGER NOT NULL, first_line INTEGER NOT NULL, numbers TEXT NOT NULL, PRIMARY KEY(fractal, first_line)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS trail_block(
    first_line INTEGER PRIMARY KEY, last_line INTEGER NOT NULL, numbers TEXT NOT NULL, file INTEGER NOT NULL, offset INTEGER NOT NULL,
    lines BLOB NOT NULL);
  CREATE VIRTUAL TABLE IF NOT EXISTS fractal_text USING fts5(
    subject, rest, content='', contentless_delete=1, tokenize='ascii');
  CREATE TABLE IF NOT EXISTS trail_read(
    id INTEGER PRIMARY KEY CHECK (id = 1), files TEXT NOT NULL, first INTEGER NOT NULL, offset INTEGER NOT NULL, line INTEGER NOT NULL,
    last_offset INTEGER NOT NULL, last_hash TEXT NOT NULL);
`;
/** Rises whenever tables, digests or terms change: what another version made is made again. */
const VERSION = "4";
/** Key of the version in `meta`. */
const META = "trail";
const TABLES = [
  "fractal",
  "fractal_part",
  "fractal_text",
  "fractal_vector",
  "trail_block",
  "trail_read",
];

/** Drops the tables, as far as there are any. */
export function dropTrailTables(store: Pick<Store, "database">): void {
  for (const table of TABLES) store.database.exec(`DROP TABLE IF EXISTS ${table}`);
}

/** Characters of lines that a transaction takes in: milliseconds; batches of eight million took half as much memory again, and as long. */
const BATCH_CHARACTERS = 500_000;
/** Characters of a block: compression gains with size, and reading one line reads a block. */
const BLOCK_CHARACTERS = 200_000;
/** A word of the question counts more than one of its answer. */
const SUBJECT_WEIGHT = 4;
/** A cited range of more lines is no citation: a cycle has some tens. */
const MOST_CITED = 20_000;
/** Level 1, as for texts of files. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const DEFAULT_LIMIT = 10;

type Entry = TrailEntry<TrailEvent>;

/** See the module text. */
export class TrailIndex {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Number of cycles. */
  count(): number {
    return this.#isMade ? Number(this.#store.get("SELECT count(*) AS n FROM fractal")!.n) : 0;
  }

  /** Number of the line that is read next. */
  nextLine(): number {
    return this.#isMade ? Number(this.#store.get("SELECT line FROM trail_read")?.line ?? 1) : 1;
  }

  /**
   * Takes in what the trail holds behind the position of the last time. To be called under the writer's lock.
   * @throws the signal's reason when it is aborted; what was committed stays, the next run continues
   */
  async absorb(
    list: ListTrail,
    validate: ValidateEvent<TrailEvent>,
    options: { signal?: AbortSignal; onProgress?: (events: number) => void } = {},
  ): Promise<TrailReport> {
    if (!this.#isMade && list().length === 0) return { events: 0, problems: [], again: false };
    const { readTrail } = await import("../ingest/mod.ts");
    const { position, again } = await this.#begin(list);
    const problems: TrailProblem[] = [];
    let events = 0;
    let pending: Entry[] = [];
    let characters = 0;
    let next = position;
    for await (const batch of readTrail(list, validate, position, options.signal)) {
      next = batch.next;
      problems.push(...batch.problems);
      pending.push(...batch.entries);
      for (const { text } of batch.entries) characters += text.length;
      if (characters < BATCH_CHARACTERS) continue;
      this.#commit(pending, next, list);
      events += pending.length;
      pending = [];
      characters = 0;
      options.onProgress?.(events);
    }
    if (next !== undefined && (pending.length > 0 || next !== position)) {
      this.#commit(pending, next, list);
      events += pending.length;
    }
    return { events, problems, again };
  }

  /** Where to go on; from the beginning where the files are not those that were read. */
  async #begin(list: ListTrail): Promise<{ position: TrailPosition | undefined; again: boolean }> {
    if (!this.#isMade) this.#makeAnew();
    const row = this.#store.get("SELECT * FROM trail_read");
    if (row === undefined) return { position: undefined, again: false };
    const position = {
      first: Number(row.first),
      offset: Number(row.offset),
      line: Number(row.line),
    };
    const firsts = new Set(list().map(({ first }) => first));
    const known = JSON.parse(row.files as string) as number[];
    const isThere = known.every((first) => firsts.has(first)) &&
      await this.#standsAt(list, position, Number(row.last_offset), row.last_hash as string);
    if (isThere) return { position, again: false };
    this.#makeAnew();
    return { position: undefined, again: true };
  }

  #makeAnew(): void {
    this.#store.transaction(() => {
      dropTrailTables(this.#store);
      this.#store.database.exec(SCHEMA);
      this.#store.setMeta(META, VERSION);
    });
  }

  /** Whether the last line that was read is still where it was. */
  async #standsAt(list: ListTrail, position: TrailPosition, offset: number, hash: string) {
    if (hash === "") return true;
    const { readTrailLines } = await import("../ingest/mod.ts");
    const from = { first: position.first, offset, line: position.line - 1 };
    for await (const { lines } of readTrailLines(list, from)) {
      const { line, bytes } = lines[0]!;
      return line === from.line && bytes !== undefined &&
        hashOf(new TextDecoder().decode(bytes)) === hash;
    }
    return false;
  }

  /** One transaction: the lines, the fractals that they change, the position behind them. */
  #commit(entries: readonly Entry[], next: TrailPosition, list: ListTrail): void {
    const files = list();
    const firstOf = new Map(files.map(({ name, first }) => [name, first]));
    const cycles = new Map<string, Entry[]>();
    for (const entry of entries) {
      const known = cycles.get(entry.event.cycle_id);
      if (known) known.push(entry);
      else cycles.set(entry.event.cycle_id, [entry]);
    }
    this.#store.transaction(() => {
      for (const lines of blocksOf(entries)) {
        const { file, line } = lines[0]!;
        this.#putBlock(lines, firstOf.get(file) ?? fileOf(files, line));
      }
      for (const [cycle, lines] of cycles) this.#putFractal(cycle, lines);
      const last = entries.at(-1);
      const isLast = last !== undefined && last.line === next.line - 1;
      this.#store.run(
        "INSERT OR REPLACE INTO trail_read(id, files, first, offset, line, last_offset, last_hash) VALUES (1,?,?,?,?,?,?)",
        JSON.stringify(files.map(({ first }) => first).filter((first) => first <= next.first)),
        next.first,
        next.offset,
        next.line,
        isLast ? last.offset : 0,
        isLast ? hashOf(last.text) : "",
      );
    });
  }

  #putBlock(lines: readonly Entry[], file: number): void {
    const first = lines[0]!;
    this.#store.run(
      "INSERT INTO trail_block(first_line, last_line, numbers, file, offset, lines) VALUES (?,?,?,?,?,?)",
      first.line,
      lines.at(-1)!.line,
      packNumbers(lines),
      file,
      first.offset,
      zstdCompressSync(Buffer.from(lines.map(({ text }) => text).join("\n"), "utf8"), COMPRESSION),
    );
  }

  #putFractal(cycle: string, lines: readonly Entry[]): void {
    const [first] = lines;
    const last = lines.at(-1)!;
    const known = this.#store.get("SELECT * FROM fractal WHERE cycle = ?", cycle);
    let digest: Digest = known === undefined ? NO_DIGEST : JSON.parse(known.digest as string);
    let since = Number(known?.since ?? Infinity);
    let until = Number(known?.until ?? -Infinity);
    for (const { event } of lines) {
      digest = fold(digest, event);
      const time = Date.parse(event.timestamp);
      // The clock may have gone back meanwhile.
      since = Math.min(since, time);
      until = Math.max(until, time);
    }
    const id = this.#store.run(
      "INSERT OR REPLACE INTO fractal(id, cycle, kind, outcome, about_past, since, until, first_line, last_line, digest) VALUES (?,?,?,?,?,?,?,?,?,?)",
      known?.id ?? null,
      cycle,
      digest.kind,
      digest.outcome,
      isAboutPast(digest) ? 1 : 0,
      since,
      until,
      Number(known?.first_line ?? first!.line),
      last.line,
      JSON.stringify(digest),
    );
    this.#store.run(
      "INSERT INTO fractal_part(fractal, first_line, numbers) VALUES (?,?,?)",
      id,
      first!.line,
      packNumbers(lines),
    );
    const { subject, rest } = textsOf(digest);
    if (known !== undefined) {
      this.#store.run("DELETE FROM fractal_text WHERE rowid = ?", id);
      // Its answer may be another now.
      this.#store.run("DELETE FROM fractal_vector WHERE fractal = ?", id);
    }
    this.#store.run(
      "INSERT INTO fractal_text(rowid, subject, rest) VALUES (?,?,?)",
      id,
      termsOf(subject),
      termsOf(rest),
    );
  }

  /**
   * Cycles that speak of the query, best first; without a word to look for the latest. Questions about the past itself come last.
   */
  search(query: string, filter: FractalFilter = {}): Fractal[] {
    if (!this.#isMade) return [];
    const terms = termsOf(query).split(" ").filter((term) => term !== "");
    const { since = -8.64e15, until = 8.64e15, only = "all", except = "", limit = DEFAULT_LIMIT } =
      filter;
    const kind = {
      all: "1",
      questions: "f.kind = 'question'",
      commands: "f.kind NOT IN ('question', 'refusal', '')",
      failed: "f.outcome NOT IN ('done', 'refused')",
      refused: "f.kind = 'refusal'",
    }[only];
    const where = `f.until >= ? AND f.since < ? AND f.cycle <> ? AND ${kind}`;
    const values = [since, until, except, limit] as const;
    if (terms.length === 0) {
      return this.#store.all(
        `SELECT f.*, 0 AS score FROM fractal f WHERE ${where} ORDER BY f.about_past, f.since DESC, f.id DESC LIMIT ?`,
        ...values,
      ).map(fractalOf);
    }
    const find = (column: string) =>
      this.#store.all(
        `SELECT f.*, -bm25(fractal_text, ${SUBJECT_WEIGHT}, 1) AS score FROM fractal_text JOIN fractal f ON f.id = fractal_text.rowid
         WHERE fractal_text MATCH ? AND ${where} ORDER BY f.about_past, score DESC, f.since DESC LIMIT ?`,
        `${column}(${terms.map((term) => `"${term}"`).join(" OR ")})`,
        ...values,
      ).map(fractalOf);
    // What was asked comes before what an answer happens to mention.
    const asked = find("subject : ");
    return asked.length > 0 ? asked : find("");
  }

  /**
   * Questions that were answered or found nothing, in the order in which they ended, which is that of their lines: the clock has no say.
   * @param limit how many at most, the latest
   * @param failed with those that failed
   */
  answered(limit: number, failed = false): Fractal[] {
    if (!this.#isMade) return [];
    return this.#store.all(
      `SELECT *, 0 AS score FROM fractal WHERE ${
        failed ? ENDED : ANSWERED
      } ORDER BY last_line DESC LIMIT ?`,
      limit,
    ).map(fractalOf).reverse();
  }

  /** How many of these questions there are; with a time, those that ended at or after it by the clock. */
  countAnswered(since?: number): number {
    if (!this.#isMade) return 0;
    const row = since === undefined
      ? this.#store.get(`SELECT count(*) AS n FROM fractal WHERE ${ANSWERED}`)
      : this.#store.get(
        `SELECT count(*) AS n FROM fractal WHERE ${ANSWERED} AND until >= ?`,
        since,
      );
    return Number(row!.n);
  }

  /** A cycle by its UUID. */
  cycle(id: string): Fractal | undefined {
    const row = this.#isMade &&
      this.#store.get("SELECT *, 0 AS score FROM fractal WHERE cycle = ?", id);
    return row ? fractalOf(row) : undefined;
  }

  /** A cycle by the OID of its fractal. */
  get(oid: number): Fractal | undefined {
    const row = this.#isMade &&
      this.#store.get("SELECT *, 0 AS score FROM fractal WHERE id = ?", oid);
    return row ? fractalOf(row) : undefined;
  }

  /** The full content of a cycle: its lines, with their numbers. */
  content(oid: number): { line: number; text: string }[] {
    const parts = this.#store.all(
      "SELECT first_line, numbers FROM fractal_part WHERE fractal = ? ORDER BY first_line",
      oid,
    );
    return parts.flatMap((row) => {
      const numbers = unpackNumbers(row);
      const stored = this.#stored(numbers[0]!, numbers.at(-1)!);
      return numbers.map((line) => ({ line, text: stored.get(line)! }));
    });
  }

  /** A line of the trail as it was read. */
  line(number: number): string | undefined {
    return this.#stored(number, number).get(number);
  }

  /**
   * Compares lines of the trail, by their numbers in the whole, with what was read: `verified` when they are the same,
   * `stale` when they are there and say something else, `removed` when they are not there or were never read.
   */
  async check(first: number, last: number, list: ListTrail): Promise<LinesStatus> {
    if (!this.#isMade || first < 1 || last < first || last - first > MOST_CITED) return "removed";
    const stored = this.#stored(first, last);
    if (!stored.has(first) || !stored.has(last)) return "removed";
    const near = this.#store.get(
      "SELECT first_line, file, offset FROM trail_block WHERE first_line <= ? ORDER BY first_line DESC LIMIT 1",
      first,
    )!;
    const from = {
      first: Number(near.file),
      offset: Number(near.offset),
      line: Number(near.first_line),
    };
    const { readTrailLines } = await import("../ingest/mod.ts");
    let status: LinesStatus = "verified";
    let next = first;
    for await (const { lines } of readTrailLines(list, from)) {
      for (const { line, bytes } of lines) {
        if (line < first) continue;
        if (line !== next) return "removed";
        const was = stored.get(line);
        if (was !== undefined && (bytes === undefined || new TextDecoder().decode(bytes) !== was)) {
          status = "stale";
        }
        if (line === last) return status;
        next++;
      }
    }
    return "removed";
  }

  /** Lines of a range that were read, by number. */
  #stored(first: number, last: number): Map<number, string> {
    const found = new Map<number, string>();
    if (!this.#isMade) return found;
    const blocks = this.#store.all(
      "SELECT * FROM trail_block WHERE first_line <= ? AND last_line >= ? ORDER BY first_line",
      last,
      first,
    );
    for (const row of blocks) {
      const texts = zstdDecompressSync(row.lines as Uint8Array).toString("utf8").split("\n");
      unpackNumbers(row).forEach((line, at) => {
        if (first <= line && line <= last) found.set(line, texts[at]!);
      });
    }
    return found;
  }

  /** Feeds a hash with everything that was derived, in an order that does not depend on how it came. */
  digest(update: (part: string) => void): void {
    if (!this.#isMade) return;
    for (const row of this.#store.all("SELECT * FROM fractal ORDER BY first_line")) {
      update(JSON.stringify({ ...row, id: null }) + "\n");
      for (const { line, text } of this.content(Number(row.id))) update(`${line} ${text}\n`);
    }
  }

  get #isMade(): boolean {
    return this.#store.meta(META) === VERSION;
  }
}

function fractalOf(row: Record<string, unknown>): Fractal {
  const digest = JSON.parse(row.digest as string) as Digest;
  const since = Number(row.since);
  return {
    oid: Number(row.id),
    cycle: row.cycle as string,
    digest,
    aboutPast: row.about_past === 1,
    summary: summaryOf(digest, new Date(since).toISOString()),
    since,
    until: Number(row.until),
    firstLine: Number(row.first_line),
    lastLine: Number(row.last_line),
    score: Number(row.score),
  };
}

/** Numbers of lines behind the first as JSON; only how many where none is left out. */
function packNumbers(lines: readonly Entry[]): string {
  const first = lines[0]!.line;
  const isDense = lines.at(-1)!.line - first === lines.length - 1;
  return isDense ? String(lines.length) : JSON.stringify(lines.map(({ line }) => line - first));
}

function unpackNumbers(row: Record<string, unknown>): number[] {
  const first = Number(row.first_line);
  const packed = JSON.parse(row.numbers as string) as number | number[];
  return typeof packed === "number"
    ? Array.from({ length: packed }, (_, at) => first + at)
    : packed.map((number) => first + number);
}

/** Pieces of some characters, none of which goes over two files. */
function blocksOf(entries: readonly Entry[]): Entry[][] {
  const blocks: Entry[][] = [];
  let characters = Infinity;
  let file = "";
  for (const entry of entries) {
    if (characters > BLOCK_CHARACTERS || entry.file !== file) {
      blocks.push([]);
      characters = 0;
    }
    file = entry.file;
    characters += entry.text.length;
    blocks.at(-1)!.push(entry);
  }
  return blocks;
}

/** The file of a line that was moved aside after it was read: the last that begins before it. */
function fileOf(files: readonly TrailSource[], line: number): number {
  return files.findLast(({ first }) => first <= line)?.first ?? 1;
}

function hashOf(line: string): string {
  return createHash("sha256").update(line).digest("hex");
}

/** Only such have a stem; the others (numbers, most of all) would only fill the memory of stems. */
const LETTERS = /^[a-z]{3,}$/;

/** Stems of the code-aware words of a text, each once, as they are indexed and asked for. */
function termsOf(text: string): string {
  const words = new Set<string>();
  const terms = new Set<string>();
  eachWord(text, 0, text.length, (word) => {
    if (words.has(word)) return;
    words.add(word);
    if (STOP_WORDS.has(word.toLowerCase())) return;
    for (const term of termsOfWord(word)) terms.add(LETTERS.test(term) ? stemOf(term) : term);
  });
  return [...terms].join(" ");
}
