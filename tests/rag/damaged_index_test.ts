/** A file whose pages were overwritten: an answer is what it was, or an error that says what to do; never a shorter one. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import { readTree } from "../../ingest/mod.ts";
import {
  chooseEmbedder,
  DamagedIndexError,
  DEFAULT_EMBEDDER,
  type Memory,
  openMemory,
} from "../../rag/mod.ts";

const PAGE = 4096;
/** What of a page is overwritten. */
const RANGES = [[0, PAGE], [PAGE / 4, 3 * PAGE / 4], [PAGE / 2, PAGE / 2 + 64]] as const;
/** Ingests that leave a segment each: one more, and they are merged. */
const SEGMENTS = 5;
const QUESTIONS = ["where is water boiled in kettle 3", "pourCup2", "what holds the tea of a cup"];

const embedder = chooseEmbedder(DEFAULT_EMBEDDER, () => Promise.reject(new Error("no models")))!;

/** Writes some files, with words and names of their own. */
function write(folder: string, group: number): void {
  for (let file = 0; file < 12; file++) {
    const at = group * 12 + file;
    const parts = Array.from(
      { length: 8 },
      (_, part) =>
        `/** Boils water in kettle ${part} of room ${at}, and holds its tea. */
export function pourCup${at}x${part}(kettle${at}: string, sugar${part}: number): string {
  const measured${at * part} = kettle${at}.repeat(sugar${part} + ${at});
  return measured${at * part}.trim() + "word${at * 31 + part}";
}
`,
    );
    writeFileSync(join(folder, `room${at}.ts`), parts.join("\n"));
  }
}

async function ingest(folder: string): Promise<void> {
  using memory = openMemory(folder);
  await memory.absorb(readTree(folder, memory.known()), { encoder: DEFAULT_EMBEDDER });
}

async function answers(memory: Memory): Promise<string[][]> {
  const found: string[][] = [];
  for (const question of QUESTIONS) {
    const vector = await memory.embedQuestion(embedder, question);
    const hits = memory.search(question, { vector });
    found.push(hits.map(({ path, startLine, text }) => `${path}:${startLine} ${text}`));
  }
  return found;
}

/** What somebody asks, and what the next ingest and its merge leave to be asked. */
async function use(folder: string): Promise<string[][]> {
  const found: string[][] = [];
  {
    using memory = openMemory(folder, { readOnly: true });
    found.push(...await answers(memory));
  }
  await ingest(folder);
  using memory = openMemory(folder, { readOnly: true });
  assert.ok(memory.store.segments.all().length < SEGMENTS, "the segments were to be merged");
  found.push(...await answers(memory));
  return found;
}

Deno.test("an index with overwritten pages answers as before, or says that it is damaged and what helps", async () => {
  const folder = mkdtempSync(join(tmpdir(), "batos-damaged-"));
  const path = join(folder, ".batos", "image.db");
  try {
    for (let group = 0; group < SEGMENTS; group++) {
      write(folder, group);
      await ingest(folder);
    }
    const sound = readFileSync(path);
    const reset = (file: Uint8Array) => {
      for (const suffix of ["-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
      writeFileSync(path, file);
    };
    write(folder, SEGMENTS);
    const expected = await use(folder);
    assert.ok(expected.every((hits) => hits.length === 10));
    const met = new Map<string, number>();
    for (let page = 1, seed = 1; page < sound.length / PAGE; page++) {
      const file = Buffer.from(sound);
      // Whole pages, the middle of pages, a few bytes in it, by turns; the same bytes in every run.
      const [from, to] = RANGES[page % RANGES.length]!;
      for (let at = page * PAGE + from; at < page * PAGE + to; at++) {
        seed = Math.imul(seed, 1664525) + 1013904223 >>> 0;
        file[at] = seed >>> 24;
      }
      reset(file);
      try {
        const found = await use(folder);
        // SQLite keeps no checksum of a page: what stands in the middle of one may read differently, but must not be less.
        const view = (all: string[][]) => from === 0 ? all : all.map((hits) => hits.length);
        assert.deepEqual(view(found), view(expected), `page ${page} was overwritten`);
        met.set("as before", (met.get("as before") ?? 0) + 1);
      } catch (error) {
        if (!(error instanceof DamagedIndexError)) throw error;
        assert.match(
          error.message,
          /^cannot read the index ".*image\.db": .*; run "ingest --rebuild" to make it again from the workspace$/s,
        );
        const kind = /a block of (vectors|posting lists)|malformed/.exec(error.message)?.[0] ?? "";
        met.set(kind, (met.get(kind) ?? 0) + 1);
      }
    }
    // Each way to meet damage was met: pages that SQLite refuses, numbers and lists that changed.
    for (
      const way of ["as before", "malformed", "a block of vectors", "a block of posting lists"]
    ) {
      assert.ok((met.get(way) ?? 0) > 0, `no page led to "${way}": ${JSON.stringify([...met])}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
