/** How identifiers fall into words, and what the table of words finds in a text. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { LONGEST_PIECE, WordTable } from "../../../rag/embed/word_table.ts";

/** The words of a text as training meets them. */
function wordsOf(text: string): string[] {
  const table = new WordTable([], 64);
  const words: string[] = [];
  table.addAll(text, (number) => words.push(table.word(number)));
  return words;
}

/** The words and pieces of a text that a table has. */
function foundIn(table: WordTable, text: string, start = 0, end = text.length): string[] {
  const words: string[] = [];
  table.findAll(text, start, end, (number) => words.push(table.word(number)) > 0);
  return words;
}

/** Text of few characters in which every border between words is met often. */
const identifiers = fc.string({
  unit: fc.constantFrom(..."abzABZ019_-. \n(éÉßЖж漢", "\ud83d\ude00", "\ud800"),
  maxLength: 40,
});
const words = fc.uniqueArray(fc.stringMatching(/^[abc]{1,5}$|^[0-9]{1,3}$/), { maxLength: 40 });

Deno.test("addAll() cuts identifiers at capitals, digits and punctuation", () => {
  for (
    const [text, ...expected] of [
      ["camelCase", "camel", "case"],
      ["PascalCaseName", "pascal", "case", "name"],
      ["snake_case-and.more", "snake", "case", "and", "more"],
      ["HTTPRequest", "http", "request"],
      ["parseJSON", "parse", "json"],
      ["aB", "a", "b"],
      ["ABc", "a", "bc"],
      ["utf8Decoder2", "utf", "8", "decoder", "2"],
      ["SHA256", "sha", "256"],
      ["x = y+10;", "x", "y", "10"],
      ["größeÄndern", "größe", "ändern"],
      ["ÜBERGröße", "über", "größe"],
      ["чтениеФайла", "чтение", "файла"],
      ["漢字 file", "漢字", "file"],
      ["say😀hello", "say", "hello"],
      [""],
      [" \t\n__--"],
    ]
  ) assert.deepEqual(wordsOf(text!), expected, text);
});

Deno.test("addAll() cuts any text as the rule for identifiers says", () => {
  // A letter without case counts as a small one.
  const word = /\p{Lu}+(?![\p{Ll}\p{Lo}])|\p{Lu}?[\p{Ll}\p{Lo}]+|\d+/gu;
  fc.assert(
    fc.property(identifiers, (text) => {
      const expected = text.match(word) ?? [];
      assert.deepEqual(wordsOf(text), expected.map((one) => one.toLowerCase()));
    }),
    { numRuns: 500, examples: [["HTTPServer2Go"], ["A漢Ab"]] },
  );
});

Deno.test("a word is the same word wherever in an identifier it stands", () => {
  fc.assert(
    fc.property(identifiers, (text) => {
      const table = new WordTable([], 64);
      const numbers: number[] = [];
      table.addAll(text, (number) => numbers.push(number));
      for (const number of numbers) assert.equal(table.find(table.word(number)), number);
      assert.equal(table.size, new Set(numbers).size);
      assert.deepEqual(foundIn(table, text), numbers.map((number) => table.word(number)));
    }),
    { examples: [["HTTPRequest http HTTP"]] },
  );
  assert.deepEqual(foundIn(new WordTable(["http", "request"]), "HTTPRequest"), ["http", "request"]);
});

Deno.test("a letter whose lower case is several characters stays as it is", () => {
  assert.deepEqual(wordsOf("İ"), ["İ"]);
  assert.deepEqual(wordsOf("\u212A"), ["k"]);
});

Deno.test("words of more than 64 characters are left out, those around them are kept", () => {
  const longest = "x".repeat(64);
  assert.deepEqual(wordsOf(`a ${longest} b`), ["a", longest, "b"]);
  for (const long of ["x".repeat(65), "7".repeat(65), "X".repeat(66), "é".repeat(1000)]) {
    assert.deepEqual(wordsOf(`a ${long} b`), ["a", "b"], long);
    assert.deepEqual(wordsOf(long), []);
    const table = new WordTable(["a", "b", "x", "7", "xx", "77"]);
    assert.deepEqual(foundIn(table, `a ${long} b`), ["a", "b"], long);
    assert.equal(table.find(long), -1);
  }
  assert.deepEqual(wordsOf("x".repeat(65) + "Tail"), ["tail"]);
  assert.deepEqual(wordsOf("Q".repeat(64) + "q"), ["q".repeat(63), "qq"]);
});

Deno.test("a word has the number it was added under, however many follow", () => {
  const table = new WordTable([], 1);
  const all = Array.from({ length: 5_000 }, (_, at) => `word${at.toString(36)}`);
  for (const [at, word] of all.entries()) assert.equal(table.add(word), at);
  for (const [at, word] of all.entries()) {
    assert.equal(table.add(word), at);
    assert.equal(table.find(word), at);
    assert.equal(table.word(at), word);
  }
  assert.equal(table.size, all.length);
  assert.equal(table.find("word"), -1);
  assert.equal(table.find(""), -1);
});

Deno.test("a table made for few short words takes long ones", () => {
  const long = "abcdefghijklmnopqrstuvwxyz";
  for (const capacity of [0, 1, 2]) {
    const table = new WordTable([long, "short"], capacity);
    assert.deepEqual([table.find(long), table.find("short")], [0, 1]);
  }
  const table = WordTable.fromLines(new TextEncoder().encode("ab"), 1);
  assert.equal(table.add(long), 1);
  assert.deepEqual([table.word(0), table.word(1)], ["ab", long]);
  assert.equal(WordTable.fromLines(new Uint8Array(), 0).add(long), 0);
});

Deno.test("fromLines() is the table to which its words were added", () => {
  const ascii = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,20}$|^[0-9]{1,4}$/), { maxLength: 60 });
  fc.assert(
    fc.property(ascii, ascii, identifiers, (added, others, text) => {
      const expected = new WordTable(added, added.length);
      const found = WordTable.fromLines(new TextEncoder().encode(added.join("\n")), added.length);
      assert.equal(found.size, added.length);
      for (const [at, word] of added.entries()) assert.equal(found.word(at), word);
      for (const word of [...added, ...others]) assert.equal(found.find(word), expected.find(word));
      const all = `${text} ${others.join(" ")}${added.join("X")}`;
      assert.deepEqual(foundIn(found, all), foundIn(expected, all));
    }),
  );
});

Deno.test("findAll() finds in a text what it finds in each of its words, in order", () => {
  const separator = fc.constantFrom(" ", "_", "\n", "->", "😀");
  fc.assert(
    fc.property(
      words,
      fc.array(fc.tuple(fc.stringMatching(/^[abcd]{1,20}$|^[0-9]{1,5}$/), separator), {
        maxLength: 12,
      }),
      (known, parts) => {
        const table = new WordTable(known, known.length);
        assert.deepEqual(
          foundIn(table, parts.flat().join("")),
          parts.flatMap(([word]) => foundIn(table, word)),
        );
      },
    ),
  );
});

Deno.test("findAll() of a range reads nothing before or behind it", () => {
  fc.assert(
    fc.property(words, identifiers, identifiers, identifiers, (known, before, text, behind) => {
      const table = new WordTable(known, known.length);
      assert.deepEqual(
        foundIn(table, before + text + behind, before.length, before.length + text.length),
        foundIn(table, text),
      );
    }),
  );
});

Deno.test("eachWord() gives the words of a text in lower case, known or not", () => {
  const words: string[] = [];
  new WordTable(["known"]).eachWord("knownHTTPRequest2 — Größe_x", (word) => words.push(word));
  assert.deepEqual(words, ["known", "http", "request", "2", "größe", "x"]);
});

Deno.test("findAll() stops where it is told to", () => {
  const table = new WordTable(["read", "file", "re", "al"]);
  for (const text of ["read file file", "real file", "READFile file"]) {
    const all = foundIn(table, text);
    for (let wanted = 1; wanted <= all.length; wanted++) {
      const met: string[] = [];
      table.findAll(text, 0, text.length, (number) => met.push(table.word(number)) < wanted);
      assert.deepEqual(met, all.slice(0, wanted));
    }
  }
});

Deno.test("an unknown word falls into the longest pieces there are, from its beginning on", () => {
  const table = new WordTable(["re", "retr", "try", "able", "ab", "y"]);
  assert.deepEqual(foundIn(table, "retryable"), ["retr", "able"]);
  assert.deepEqual(foundIn(table, "tryab"), ["try", "ab"]);
  assert.deepEqual(foundIn(table, "qqq"), []);
  // A letter alone is a word, no piece.
  assert.deepEqual(foundIn(table, "yyy y"), ["y"]);
});

Deno.test("pieces are those of the greedy rule, at most 12 characters each", () => {
  const piece = fc.stringMatching(/^[ab]{1,14}$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(piece, { maxLength: 20 }),
      fc.stringMatching(/^[ab]{1,70}$/),
      (known, word) => {
        const table = new WordTable(known, known.length);
        const pieces: string[] = [];
        const head = word.slice(0, 64);
        for (let from = 0; from < head.length;) {
          const best = known.filter((one) =>
            one.length > 1 && one.length <= LONGEST_PIECE && head.startsWith(one, from)
          ).sort((one, other) =>
            other.length - one.length
          )[0];
          if (best !== undefined) pieces.push(best);
          from += best?.length ?? 1;
        }
        assert.deepEqual(table.pieces(word).map((number) => table.word(number)), pieces);
        if (word.length <= 64) {
          assert.deepEqual(foundIn(table, word), known.includes(word) ? [word] : pieces);
        }
      },
    ),
  );
});
