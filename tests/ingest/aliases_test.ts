/** Behaviour of `ingest/aliases.ts`: which imports a piece of text uses. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Aliases } from "../../ingest/aliases.ts";
import type { Import } from "../../ingest/source_file.ts";

function imported(specifier: string, ...aliases: string[]): Import {
  const names = aliases.map((alias) => ({ name: alias, alias }));
  return { specifier, line: 1, kind: "import", names, typeOnly: false };
}

Deno.test("usedIn() finds names as whole words, in the order of their imports", () => {
  const aliases = new Aliases([
    imported("./b", "b", "bee"),
    imported("./a", "a"),
    imported("./all", "*"),
    imported("side"),
    imported("./b", "more"),
    imported("größe", "größe"),
  ]);
  const used = (text: string) => aliases.usedIn(text, 0, text.length);
  assert.deepEqual(used("a(b)"), ["./b", "./a"]);
  assert.deepEqual(used("bees aa _a $a a1"), []);
  assert.deepEqual(used("x.more + größe"), ["./b", "größe"]);
  assert.deepEqual(used(""), []);
  assert.deepEqual(aliases.usedIn("a b a", 2, 3), ["./b"]);
});

Deno.test("usedIn() agrees with a search by regular expression", () => {
  const name = fc.stringMatching(/^[A-Za-z_$][\w$]{0,5}$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 30 }),
      fc.array(fc.oneof(name, fc.constantFrom(" ", ".", "(", "\n", "é"))),
      (names, parts) => {
        const text = parts.join("");
        const aliases = new Aliases(names.map((name) => imported(`./${name}`, name)));
        const words = new Set(text.match(/[\w$\u0080-\uffff]+/g));
        assert.deepEqual(
          aliases.usedIn(text, 0, text.length),
          names.filter((name) => words.has(name)).map((name) => `./${name}`),
        );
      },
    ),
  );
});
