/** Behaviour of `ingest/ignore.ts`: it decides as git does. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { addIgnoreRules, type IgnoreRules, isIgnored } from "../../ingest/ignore.ts";
import { makeRepository } from "./repository.ts";

/** Paths that every case is asked about: files in folders, names that patterns may mean. */
const PATHS = [
  ..."a b ab ba abc a.ts b.ts !a #a [ab] a\\b * é ö.ts é.ts] -".split(" "),
  "a ",
  "d/a",
  "d/b",
  "d/é",
  "d/e/a",
  "d/e/a.ts",
  "d/e/f/b",
  "e/d/a",
  "e/d/e/b.ts",
  "d.ts/a",
  "d.ts/d/b.ts",
];

/** Asks as the walk does: a file below an ignored folder is ignored. */
function ownAnswer(root: IgnoreRules | undefined, inner: IgnoreRules | undefined, path: string) {
  const rules = path.startsWith("d/") ? inner : root;
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    const folder = path.slice(0, slash);
    if (isIgnored(folder.startsWith("d/") ? inner : root, folder, true)) return true;
  }
  return isIgnored(rules, path, false);
}

/** What `git check-ignore` answers to all paths of all cases; case `i` lives in the folder `i`. */
async function gitAnswers(cases: readonly (readonly [string, string])[]): Promise<boolean[][]> {
  await using repository = await makeRepository({
    files: Object.fromEntries(cases.flatMap(([outer, inner], i) => [
      [`${i}/.gitignore`, outer],
      [`${i}/d/.gitignore`, inner],
    ])),
  });
  const asked = cases.flatMap((_, i) => PATHS.map((path) => `${i}/${path}`));
  const ignored = new Set(
    (await repository.git(["check-ignore", "--no-index", "-z", "--stdin"], asked.join("\0")))
      .split("\0"),
  );
  return cases.map((_, i) => PATHS.map((path) => ignored.has(`${i}/${path}`)));
}

async function compare(cases: readonly (readonly [string, string])[]): Promise<number> {
  const expected = await gitAnswers(cases);
  for (const [i, [outer, inner]] of cases.entries()) {
    const root = addIgnoreRules(outer, "", undefined);
    const nested = addIgnoreRules(inner, "d/", root);
    const actual = PATHS.map((path) => ownAnswer(root, nested, path));
    for (const [j, path] of PATHS.entries()) {
      assert.equal(
        actual[j],
        expected[i]![j],
        `${JSON.stringify(path)} under ${JSON.stringify(outer)}, d/: ${JSON.stringify(inner)}`,
      );
    }
  }
  return expected.flat().filter(Boolean).length;
}

Deno.test("isIgnored() decides like git on every rule of the manual page", async () => {
  const rules = [
    "a",
    "a/",
    "/a",
    "d/",
    "/d",
    "d/e",
    "d/e/",
    "d/*",
    "d/**",
    "d/**/b",
    "**/e",
    "**/e/",
    "**/d/a",
    "/**",
    "**",
    "*",
    "*.ts",
    "/*.ts",
    "e/*/b.ts",
    "e/**/b.ts",
    "*.ts\n!b.ts",
    "d/\n!d/a",
    "d/*\n!d/e",
    "/*\n!/d\n/d/*\n!/d/b",
    "\\!a",
    "!a",
    "#a",
    "\\#a",
    "a ",
    "a\\ ",
    "a  \\ ",
    "b\r\na\r",
    "\ufeffa",
    "?",
    "??",
    "[ab]",
    "[!a]",
    "[^a]",
    "\\[ab]",
    "[]-]",
    "[a-c]",
    "[[:alpha:]]",
    "[[:alpha:",
    "[[:nonsense:]]",
    "[a",
    "a\\",
    "a\\\\b",
    "\\*",
    "*[é]",
    "é",
    "/",
    "//a",
    "!",
    "",
    "   ",
    "***",
    "d/***/b",
    "a*c",
    "*b*",
  ];
  const cases = [
    ...rules.map((rule) => [rule, ""] as const),
    ...rules.map((rule) => ["*", `!${rule}`] as const),
    ["*.ts", "!a.ts"],
    ["!a", "a"],
    ["a", "!a\n!e/a"],
    ["d/e", "!e"],
    ["", "/a"],
    ["", "e/a"],
  ] as const;
  assert.ok(await compare(cases) > 300);
});

Deno.test("isIgnored() decides like git on random rules", async () => {
  const piece = fc.constantFrom(
    ..."a b d e . ts * * ? / / ** **/ /** ! # \\ [ab] [!a] [a-d] [^/] ] - é .ts".split(" "),
    " ",
    "\\ ",
  );
  // Git forgets what stands before `**` in `/a**/b` and takes it for `**/b` behind the `a`: not a rule to imitate.
  const line = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(""))
    .filter((text) => !/^!?[^*?[\\]*[^*?[\\/]\*\*/.test(text));
  const file = fc.array(line, { maxLength: 4 }).map((lines) => lines.join("\n"));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(file, file), { minLength: 60, maxLength: 60 }),
      async (cases) => void await compare(cases),
    ),
    { numRuns: 5 },
  );
});

Deno.test("isIgnored() takes polynomial time on a hostile pattern", () => {
  const rules = addIgnoreRules("*a".repeat(100) + "b\n" + "**/a/".repeat(100) + "b", "", undefined);
  assert.equal(isIgnored(rules, "a".repeat(2000), false), false);
  assert.equal(isIgnored(rules, "a/".repeat(500) + "c", false), false);
});
