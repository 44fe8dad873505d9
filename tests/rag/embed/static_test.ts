/** The embedder that ships: what its vectors are made of, and what the table that ships with it knows. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { EmbedderError } from "../../../rag/embed/embedder.ts";
import { loadStatic, StaticEmbedder, WITH_PLACE } from "../../../rag/embed/static.ts";
import { quantiseTable, readTable } from "../../../rag/embed/static_table.ts";
import { WordTable } from "../../../rag/embed/word_table.ts";
import { Random } from "../../../rag/train/random.ts";
import { assertNear, assertVector, cosine, embedderConformance } from "./conformance.ts";

const DIMENSIONS = 32;
/** What its module sums at once; more different words take several rounds. */
const MOST_WORDS = 4_096;

/** A table of these words with vectors of chance. */
function tableOf(words: readonly string[], dimensions = DIMENSIONS): Uint8Array {
  const random = new Random(words.join(" "));
  const values = Float32Array.from({ length: words.length * dimensions }, () => random.normal());
  return quantiseTable(words, values, dimensions);
}

const WORDS =
  "function login user password return session connect and retry open the socket walk tree of node read const token parse file it how does work in to lib src able a x 8"
    .split(" ");
const TABLE = tableOf(WORDS);

/** Σ √count · row over the words of a text, at length 1, from the table alone. */
function expectedVector(file: Uint8Array, counts: Iterable<readonly [string, number]>) {
  const { lines, count, dimensions, rows, scales } = readTable(file, "test");
  const words = WordTable.fromLines(lines, count);
  const sums = new Float64Array(dimensions);
  for (const [word, times] of counts) {
    const row = words.find(word);
    assert.ok(row >= 0, word);
    for (let at = 0; at < dimensions; at++) {
      sums[at]! += Math.sqrt(times) * scales[row]! * rows[row * dimensions + at]!;
    }
  }
  return unit(sums);
}

/** Length of the row of a word. */
function lengthOf(word: string): number {
  const { lines, count, dimensions, rows, scales } = readTable(TABLE, "test");
  const row = WordTable.fromLines(lines, count).find(word);
  return scales[row]! * Math.hypot(...rows.subarray(row * dimensions, (row + 1) * dimensions));
}

function unit(vector: Iterable<number>): Float32Array {
  const values = Float64Array.from(vector);
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => length > 0 ? value / length : 0);
}

/** A weighted sum of vectors at length 1. */
function mixed(...parts: readonly (readonly [number, Float32Array])[]): Float32Array {
  return unit(parts[0]![1].map((_, at) => parts.reduce((sum, [w, v]) => sum + w * v[at]!, 0)));
}

function assertRefused(work: () => unknown, pattern: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof EmbedderError, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n|\.$/);
    return true;
  });
}

/** Texts of known words, unknown ones with and without pieces, and what is no word. */
const texts = fc.array(
  fc.oneof(
    fc.constantFrom(...WORDS),
    fc.constantFrom("readable", "parseFile", "HTTPToken", "zzz", "ß", "😀", "\n\t", "", "x8"),
    fc.string({ maxLength: 4 }),
  ),
  { maxLength: 12 },
).chain((parts) => fc.constantFrom(" ", "_", "").map((between) => parts.join(between)));

embedderConformance("static over a small table", async () => StaticEmbedder.of(TABLE));
embedderConformance(
  "static with path and names",
  async () => StaticEmbedder.of(TABLE, WITH_PLACE),
);

Deno.test("a vector is the sum of the words' rows, each times the root of its count", () => {
  const embedder = StaticEmbedder.of(TABLE);
  assertNear(
    embedder.encodeQuery("read the file, readFile(the_file) and read"),
    expectedVector(TABLE, [["read", 3], ["the", 2], ["file", 3], ["and", 1]]),
  );
  assertNear(embedder.encodeQuery("Session"), expectedVector(TABLE, [["session", 1]]));
  // An unknown word counts by its pieces.
  assertNear(
    embedder.encodeQuery("the readable"),
    expectedVector(TABLE, [["the", 1], ["read", 1], ["able", 1]]),
  );
});

Deno.test("a question of nothing but unknown words means nothing, whatever pieces they have", () => {
  const embedder = StaticEmbedder.of(TABLE);
  assert.ok(embedder.encodeQuery("readable").every((value) => value === 0));
  assert.ok(embedder.encode({ path: "" }, "readable").some((value) => value !== 0));
  assert.ok(loadStatic().encodeQuery("zzzqqqxxx").every((value) => value === 0));
});

Deno.test("the words of a question weigh what they tell", () => {
  const embedder = StaticEmbedder.of(TABLE);
  const rarities: Record<string, number> = { login: 2, session: 0.5, how: 0 };
  const rarity = (word: string) => rarities[word] ?? 1;
  assertNear(
    embedder.encodeQuery("how login, Login: sessionUser", rarity),
    mixed(
      [2 * Math.SQRT2 * lengthOf("login"), embedder.encodeQuery("login")],
      [0.5 * lengthOf("session"), embedder.encodeQuery("session")],
      [lengthOf("user"), embedder.encodeQuery("user")],
    ),
  );
  // The pieces of a word have the weight of the word.
  const asked: string[] = [];
  embedder.encodeQuery("login readable", (word) => {
    asked.push(word);
    return 1;
  });
  assert.deepEqual(asked, ["login", "readable"]);
  assertNear(
    embedder.encodeQuery("login readable", () => 1),
    embedder.encodeQuery("login readable"),
  );
  assert.ok(embedder.encodeQuery("how", rarity).every((value) => value === 0));
  assert.ok(embedder.encodeQuery("zzz qqq", rarity).every((value) => value === 0));
});

Deno.test("tables of any multiple of 32 dimensions work, others are refused", () => {
  for (const dimensions of [32, 64, 96, 256, 4096]) {
    const table = tableOf(["read", "file"], dimensions);
    const embedder = StaticEmbedder.of(table);
    assert.equal(embedder.model.dimensions, dimensions);
    assertNear(
      embedder.encodeQuery("read file file"),
      expectedVector(table, [["read", 1], ["file", 2]]),
    );
  }
  for (const dimensions of [16, 48, 4128]) {
    assertRefused(
      () => StaticEmbedder.of(tableOf(["read"], dimensions)),
      new RegExp(`"${dimensions}" dimensions: expected a multiple of 32, at most 4096$`),
    );
  }
});

Deno.test("a text of nothing, or of unknown words only, gives zeros wherever it stands", async () => {
  const embedder = StaticEmbedder.of(TABLE, WITH_PLACE);
  for (const text of ["", " \n", "zzz", "{};", "日本語", "7".repeat(70), "😀"]) {
    assertVector(await embedder.embedQuery(text), DIMENSIONS, 0);
    const place = { path: "lib/parse.ts", names: ["Tree"] };
    const [vector] = await embedder.embedPassages([{ ...place, text }]);
    assertVector(vector!, DIMENSIONS, 0);
  }
});

Deno.test("a table of no words gives zeros", () => {
  const embedder = StaticEmbedder.of(quantiseTable([], new Float32Array(), DIMENSIONS));
  assertVector(embedder.encodeQuery("read the file"), DIMENSIONS, 0);
});

Deno.test("a text of more different words than are summed at once counts all of them", () => {
  const words = Array.from({ length: 2 * MOST_WORDS + 100 }, (_, at) => {
    // Letters alone, so that each is one word.
    return `w${at.toString(26).replace(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)]!)}`;
  });
  assert.equal(new Set(words).size, words.length);
  const table = tableOf(words);
  const embedder = StaticEmbedder.of(table);
  for (const length of [MOST_WORDS - 1, MOST_WORDS, MOST_WORDS + 1, words.length]) {
    const some = words.slice(0, length);
    assertNear(
      embedder.encodeQuery(some.join(" ")),
      expectedVector(table, some.map((word) => [word, 1] as const)),
    );
  }
  assertNear(embedder.encodeQuery(words[0]!), expectedVector(table, [[words[0]!, 1]]));
});

Deno.test("in an index the text stands alone: path and names change nothing", () => {
  const embedder = StaticEmbedder.of(TABLE);
  assert.deepEqual(
    embedder.encode({ path: "lib/parse.ts", names: ["Tree", "walk"] }, "read the file"),
    embedder.encodeQuery("read the file"),
  );
});

Deno.test("path and names add their vectors by their weights, the path without its extension", () => {
  const weights = { path: 0.5, names: 0.25 };
  const embedder = StaticEmbedder.of(TABLE, weights);
  const text = embedder.encodeQuery("read the token");
  const path = embedder.encodeQuery("lib parse");
  const names = embedder.encodeQuery("walk tree");
  const encode = (path: string, names?: string[]) =>
    embedder.encode({ path, names }, "read the token");
  assert.deepEqual(encode(""), text);
  for (const ending of ["", ".ts", ".d.ts", ".file"]) {
    assertNear(encode(`lib/parse${ending}`), mixed([1, text], [weights.path, path]));
  }
  assertNear(encode("", ["walk", "Tree"]), mixed([1, text], [weights.names, names]));
  assertNear(
    encode("lib/parse.ts", ["walkTree"]),
    mixed([1, text], [weights.path, path], [weights.names, names]),
  );
  assert.deepEqual(encode("", []), text);
  const byNames = StaticEmbedder.of(TABLE, { path: 0, names: 0.25 });
  assertNear(
    byNames.encode({ path: "lib/parse.ts", names: ["walkTree"] }, "read the token"),
    mixed([1, text], [0.25, names]),
  );
});

Deno.test("a text has the same vector whatever was embedded before", () => {
  const used = StaticEmbedder.of(TABLE, WITH_PLACE);
  const passage = fc.record({
    path: fc.constantFrom("", "lib/parse.ts", "src/tree/node.ts"),
    names: fc.constantFrom([], ["walk"], ["Session", "open"]),
    text: texts,
  });
  fc.assert(
    fc.property(fc.array(passage, { minLength: 1, maxLength: 4 }), (passages) => {
      const vectors = passages.map((one) => used.encode(one, one.text));
      const last = passages.at(-1)!;
      const fresh = StaticEmbedder.of(TABLE, WITH_PLACE);
      assert.deepEqual(vectors.at(-1), fresh.encode(last, last.text));
      assert.deepEqual(used.encodeQuery(last.text), fresh.encodeQuery(last.text));
    }),
    { numRuns: 60 },
  );
});

Deno.test("a vector that was given stays as it is when others are made", () => {
  const embedder = StaticEmbedder.of(TABLE);
  const vector = embedder.encodeQuery("read the file");
  const copy = vector.slice();
  embedder.encodeQuery("walk the tree");
  assert.deepEqual(vector, copy);
});

Deno.test("the vector of a range is that of the text in it", () => {
  const embedder = StaticEmbedder.of(TABLE, WITH_PLACE);
  const place = { path: "lib/tree.ts", names: ["walk"] };
  fc.assert(
    fc.property(texts, fc.nat(100), fc.nat(100), (text, one, other) => {
      const [start, end] = [one, other].map((at) => Math.min(at, text.length)).sort((a, b) =>
        a - b
      );
      assert.deepEqual(
        embedder.encode(place, text, start, end),
        embedder.encode(place, text.slice(start, end)),
      );
    }),
  );
});

Deno.test("embedPassages() gives others a turn, and ends there when aborted", async () => {
  const embedder = StaticEmbedder.of(TABLE);
  const passages = Array.from({ length: 1_000 }, () => ({ path: "", text: "read the file" }));
  const seen: number[] = [];
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), 0);
  await assert.rejects(
    embedder.embedPassages(passages, {
      signal: control.signal,
      onProgress: (done) => seen.push(done),
    }),
    { name: "AbortError" },
  );
  clearTimeout(timer);
  assert.ok(!seen.includes(passages.length), `${seen}`);
});

Deno.test("open() reads the table from a file, and names the file it cannot use", () => {
  const file = Deno.makeTempFileSync({ prefix: "batos-table-" });
  try {
    writeFileSync(file, TABLE);
    const opened = StaticEmbedder.open(file);
    const held = StaticEmbedder.of(TABLE);
    assert.deepEqual(opened.model, held.model);
    assert.deepEqual(opened.encodeQuery("read the tree"), held.encodeQuery("read the tree"));
    writeFileSync(file, TABLE.subarray(0, TABLE.length - 1));
    assertRefused(() => StaticEmbedder.open(file), new RegExp(`"${file}": it has .* bytes`));
    writeFileSync(file, "");
    assertRefused(() => StaticEmbedder.open(file), /does not begin with/);
  } finally {
    rmSync(file);
  }
  assert.throws(() => StaticEmbedder.open(file), Deno.errors.NotFound);
});

// --- the table that ships -------------------------------------------------------------------------------------------

const SHIPPED = new URL("../../../rag/embed/static/table.bin", import.meta.url);
/** Of 10^6 bytes: what a program may weigh more for it. */
const MOST_MEGABYTES = 8;

embedderConformance("the static embedder that ships", async () => loadStatic());

Deno.test("the table that ships is small, and its revision is that of its content", () => {
  assert.ok(statSync(SHIPPED).size <= MOST_MEGABYTES * 1e6);
  const file = Deno.readFileSync(SHIPPED);
  const table = readTable(file, fileURLToPath(SHIPPED));
  assert.equal(table.rows.byteOffset + table.rows.length, file.length);
  const body = file.subarray(table.lines.byteOffset);
  const hash = createHash("sha256").update(body).digest("hex").slice(0, 16);
  assert.equal(table.revision, hash);
  assert.equal(loadStatic().model.revision, hash);
  assert.equal(loadStatic(), loadStatic());
});

Deno.test("the words of the table that ships are different, small and of ASCII", () => {
  const { lines, count, scales } = readTable(Deno.readFileSync(SHIPPED), "table");
  const words = new TextDecoder().decode(lines).split("\n");
  assert.equal(words.length, count);
  assert.equal(new Set(words).size, count);
  assert.deepEqual(words.filter((word) => !/^[a-z0-9]{1,20}$/.test(word)), []);
  assert.ok(scales.every((scale) => Number.isFinite(scale) && scale >= 0));
});

Deno.test("the table that ships knows what is near to what", () => {
  const embedder = loadStatic();
  const near = (one: string, other: string) =>
    cosine(embedder.encodeQuery(one), embedder.encodeQuery(other));
  for (
    const [text, related, unrelated] of [
      ["retry backoff", "attempt again", "colour palette"],
      ["user login", "authentication password", "matrix multiply"],
      ["encrypt key", "cipher decrypt", "date month"],
      ["thread lock", "mutex", "font color"],
      ["sort list", "order array", "http header"],
      ["remove directory", "delete folder", "parse json token"],
      ["throw error", "raise exception", "image width"],
    ] as const
  ) {
    const [right, wrong] = [near(text, related), near(text, unrelated)];
    assert.ok(right > wrong + 0.05, `"${text}": ${right} to "${related}", ${wrong} to the other`);
  }
});

Deno.test("the table that ships finds the code that a question is about", () => {
  const embedder = loadStatic();
  const code = [
    "function sleepBeforeRetry(attempt) { return wait(Math.min(limit, base * 2 ** attempt)); }",
    "def hash_password(password, salt):\n    return hashlib.pbkdf2_hmac('sha256', password, salt, ROUNDS)",
    "func (s *Server) Listen(addr string) error { socket, err := net.Dial(addr) }",
    "const lines = readFileSync(path, 'utf8').split('\\n');",
  ].map((text) => embedder.encode({ path: "" }, text));
  for (
    const [at, question] of [
      "how long do we delay between attempts",
      "where is the user's password encrypted",
      "open a network connection to a host",
      "load the content of a text file",
    ].entries()
  ) {
    const vector = embedder.encodeQuery(question);
    const scores = code.map((one) => cosine(vector, one));
    assert.equal(scores.indexOf(Math.max(...scores)), at, `${question}: ${scores}`);
  }
});
