/** Questions and answers that a source file gives to learn from. */
import assert from "node:assert/strict";
import { parse } from "../../../ingest/mod.ts";
import { bare, type Pair, PAIR_KINDS, type PairKind, pairsOf } from "../../../rag/train/pairs.ts";
import { Random } from "../../../rag/train/random.ts";

/** Choices of chance that a file is read with: enough that each is made both ways. */
const SEEDS = Array.from({ length: 12 }, (_, seed) => seed);

async function pairs(path: string, text: string, seed: number | string = 1): Promise<Pair[]> {
  return pairsOf(path, text, await parse(path, text), new Random(seed));
}

/** The pairs of a kind, whatever chance says; at least one. */
async function ofKind(kind: PairKind, path: string, text: string): Promise<Pair[]> {
  const parsed = await parse(path, text);
  const found = SEEDS.flatMap((seed) => pairsOf(path, text, parsed, new Random(seed)))
    .filter((pair) => pair.kind === kind);
  assert.ok(found.length > 0, `no pair of kind "${kind}"`);
  return found;
}

async function kindsOf(path: string, text: string): Promise<PairKind[]> {
  const parsed = await parse(path, text);
  const all = SEEDS.flatMap((seed) => pairsOf(path, text, parsed, new Random(seed)));
  return PAIR_KINDS.filter((kind) => all.some((pair) => pair.kind === kind));
}

function without(pairs: readonly Pair[], pattern: RegExp): void {
  for (const { kind, document } of pairs) {
    assert.doesNotMatch(document, pattern, `${kind}: ${document}`);
  }
}

const DOC = "Gives back whatever the shelf still remembers about somebody.";
const SHELF = `import { shelf } from "./shelf.ts";

/** ${DOC} */
export function lookUpUser(id: string): string | undefined {
  const kept = shelf.get(id);
  // Outdated entries are thrown away before anything else happens
  if (kept !== undefined && kept.age > LIMIT) shelf.delete(id);
  return kept?.value ?? lookUpUser(id.trim());
}
`;

Deno.test("a doc comment asks for its code, and is cut out of it", async () => {
  const found = await ofKind("doc", "src/users/cache.ts", SHELF);
  for (const { query, document } of found) {
    assert.equal(query, DOC);
    assert.match(document, /function lookUpUser\(/);
    assert.match(document, /kept\?\.value/);
  }
  without(found, /remembers|somebody/);
  // The code alone, or with what stands before it.
  assert.equal(new Set(found.map(({ document }) => document.includes("import {"))).size, 2);
});

Deno.test("a name asks for its code, and is masked wherever it stands there", async () => {
  const found = await ofKind("name", "src/users/cache.ts", SHELF);
  for (const { query, document } of found) {
    assert.equal(query, "lookUpUser");
    assert.match(document, /export function \(id: string\)/);
    assert.match(document, /\?\? \(id\.trim\(\)\)/);
  }
  without(found, /lookUpUser/);
});

Deno.test("a comment inside code asks for what stands around it, and is cut out", async () => {
  const found = await ofKind("comment", "src/users/cache.ts", SHELF);
  for (const { query, document } of found) {
    assert.equal(query, "Outdated entries are thrown away before anything else happens");
    assert.match(document, /const kept = shelf\.get\(id\);\n {2}if \(kept/);
  }
  without(found, /thrown away/);
});

Deno.test("comments of several lines are one, notes to tools and code that was put away are none", async () => {
  const text = `export function carry(load: Load): void {
  // Everything heavier than the van allows
  // goes back to where it came from
  load.refuse(LIMIT, load.weights, sender);
  // TODO somebody should look at this once more
  // eslint-disable-next-line no-console -- as it is
  console.log(load.weights, load.sender, load.date);
  // const before = load.weights.map((one) => one.value);
  // if (before > 3) { return load.back(); }
  return load.deliver(LIMIT);
}
`;
  const found = await ofKind("comment", "src/van.ts", text);
  assert.deepEqual([...new Set(found.map(({ query }) => query))], [
    "Everything heavier than the van allows goes back to where it came from",
  ]);
  without(found, /heavier|came from/);
});

Deno.test("the docstring of a Python function asks for its code, and is cut out of it", async () => {
  for (const quotes of ['"""', "'''"]) {
    const text = `LIMIT = 30

def total_weight(parcels):
    ${quotes}Adds up how heavy everything in the van is.

    Parcels without a label are put on the scale first.
    ${quotes}
    weight = 0
    for parcel in parcels:
        weight += parcel.weight or measure(parcel)
    return weight
`;
    const docs = await ofKind("doc", "van/load.py", text);
    for (const { query, document } of docs) {
      assert.match(query, /^Adds up how heavy everything in the van is\./);
      assert.match(document, /def total_weight\(parcels\):\s+weight = 0/);
    }
    const names = await ofKind("name", "van/load.py", text);
    without([...docs, ...names], /Adds up|on the scale/);
    without(names, /total_weight/);
  }
});

Deno.test("the comment at the head of a file asks for its code", async () => {
  const text = `/**
 * Keeps the calendar of the harbour: which ship lies where, and until when.
 */
${
    Array.from(
      { length: 12 },
      (_, at) =>
        `export function berth${at}(ship: Ship, calendar: Calendar): Berth | undefined {
  const free = calendar.berths.filter((berth) => berth.length > ship.length + ${at});
  for (const berth of free) if (berth.depth > ship.draught) return calendar.reserve(berth, ship);
  return undefined;
}
`,
    ).join("\n")
  }`;
  const found = await ofKind("module", "src/harbour.ts", text);
  for (const { query } of found) {
    assert.equal(
      query,
      "Keeps the calendar of the harbour: which ship lies where, and until when.",
    );
  }
  without(found, /which ship lies where/);
  for (
    const head of [
      "/* Copyright 2024 the harbour authors. All ships are theirs and theirs alone. */",
      "// SPDX-License-Identifier: MIT as everybody has agreed upon it\n// for all files in here",
      "// SPDX-FileContributor: everybody who ever came to the harbour by ship",
      "# Licensed to the harbour under one or more contributor agreements, see NOTICE",
    ]
  ) {
    const path = head.startsWith("#") ? "src/harbour.py" : "src/harbour.ts";
    const code = head.startsWith("#")
      ? "import ships\n\ndef reserve_berth(ship):\n    return ships.calendar.reserve(ship.length, ship.draught)\n"
        .repeat(30)
      : text.slice(text.indexOf("export"));
    const kinds = await kindsOf(path, `${head}\n\n${code}`);
    assert.ok(!kinds.includes("module"), head);
    assert.ok(kinds.includes("name"), head);
  }
});

Deno.test("the title of a test asks for it, and is masked", async () => {
  const text = `import { van } from "./van.ts";

test("refuses parcels that are too heavy", () => {
  const load = van.load([{ weight: 4000, label: "piano" }]);
  expect(load.refused).toEqual(["piano"]);
});
`;
  const found = await ofKind("test", "test/van.test.ts", text);
  for (const { query, document } of found) {
    assert.equal(query, "refuses parcels that are too heavy");
    assert.match(document, /expect\(load\.refused\)/);
  }
  without(found, /too heavy/);
});

Deno.test("the words of a path ask for its chunks, without those that all paths have", async () => {
  const found = await ofKind("path", "package/src/main/users/cache.d.ts", SHELF);
  for (const { query, document } of found) {
    assert.equal(query, "users cache");
    assert.ok(SHELF.includes(document));
  }
});

Deno.test("the path of a package is the one its authors gave", () => {
  assert.equal(bare("package/src/a.ts"), "src/a.ts");
  assert.equal(bare("usr/lib/python3/dist-packages/yaml/load.py"), "yaml/load.py");
  assert.equal(bare("usr/include/zlib.h"), "zlib.h");
  assert.equal(bare("serde-1.0.2/src/de.rs"), "src/de.rs");
  assert.equal(bare("src/package/a.ts"), "src/package/a.ts");
});

const GUIDE = `# Catching the night train

Trains leave from the lower platform shortly before midnight, on every day of the week.

Tickets are sold by the machine beside the stairs and are valid until the following noon.
`;

Deno.test("a heading asks for its section, a paragraph for the others; each is cut out", async () => {
  const found = await ofKind("heading", "doc/guide.md", GUIDE);
  const queries = new Set(found.map(({ query }) => query));
  assert.deepEqual([...queries].sort(), [
    "Catching the night train",
    "Tickets are sold by the machine beside the stairs and are valid until the following noon.",
    "Trains leave from the lower platform shortly before midnight, on every day of the week.",
  ]);
  for (const { query, document } of found) {
    assert.ok(!document.includes(query), document);
    assert.ok(/Tickets are/.test(document) || /Trains leave/.test(document), document);
  }
});

Deno.test("headings that all projects have ask for nothing", async () => {
  for (const heading of ["License", "Licence of the pictures", "Changelog", "Installation"]) {
    const found = await ofKind("heading", "doc/guide.md", GUIDE.replace(/^.*/, `# ${heading}`));
    assert.ok(found.every(({ query }) => query !== heading), heading);
  }
});

Deno.test("keys of data and sections are no definitions to ask for", async () => {
  const text = JSON.stringify({ description: "x".repeat(80), dependencies: { shelf: "1" } });
  assert.ok(!(await kindsOf("config/settings.json", text)).includes("name"));
  assert.deepEqual(await kindsOf("doc/guide.md", GUIDE), ["heading"]);
});

Deno.test("no document is longer than a chunk and its path, nor so short that it says nothing", async () => {
  const long = `/** Lists all the harbours of the coast one after the other. */
export function harboursOfTheCoast(): string[] {
${Array.from({ length: 200 }, (_, at) => `  list.push("harbour number ${at}");`).join("\n")}
}
export const x = 1;
`;
  const found = await pairs("src/coast.ts", long);
  assert.ok(found.some(({ kind }) => kind === "doc") && found.some(({ kind }) => kind === "name"));
  for (const { kind, document } of found) {
    assert.ok(document.length >= 60 || kind === "name", document);
    assert.ok(document.length <= 1_500 + "coast\n".length);
  }
});

Deno.test("some documents begin with the words of their path", async () => {
  const found = await ofKind("name", "src/users/cache.ts", SHELF);
  const places = found.map(({ document }) => document.startsWith("users cache\n"));
  assert.ok(places.includes(true) && places.includes(false));
});

Deno.test("the same seed gives the same pairs, another seed others", async () => {
  const all = async (seed: number) => [
    ...await pairs("src/users/cache.ts", SHELF, seed),
    ...await pairs("doc/guide.md", GUIDE, seed),
  ];
  assert.deepEqual(await all(7), await all(7));
  const seeds = await Promise.all(SEEDS.map(all));
  assert.ok(new Set(seeds.map((pairs) => JSON.stringify(pairs))).size > 1);
});
