/** Uses of a name in the languages that tree-sitter parses: what counts, of which kind, and what hides it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { findNameUses } from "../../ingest/mod.ts";

/** Uses as `line kind receiver`. */
async function usesOf(
  path: string,
  text: string,
  name: string,
  declaredAt?: number,
): Promise<string[]> {
  const uses = await findNameUses(path, text, name, declaredAt);
  return uses.map(({ line, kind, receiver }) =>
    `${line} ${kind}${receiver === undefined ? "" : ` ${receiver}`}`
  );
}

Deno.test("findNameUses() tells the kinds of use in Python", async () => {
  const text = [
    "from shop import Cart as C, Cart", // 1
    "class Big(Cart):", // 2
    "    total: Cart = None", // 3
    "    def add(self, other: Cart) -> Cart:", // 4
    "        return Cart(other)", // 5
    "shop.Cart.build()", // 6
    "Cart = None", // 7
    "@Cart", // 8
    "def f(): return [Cart]", // 9
  ].join("\n");
  assert.deepEqual(await usesOf("a.py", text, "Cart"), [
    "1 import",
    "1 import",
    "2 extends",
    "3 type",
    "4 type",
    "4 type",
    "5 call",
    "6 read shop",
    "7 write",
    "8 call",
    "9 read",
  ]);
});

Deno.test("findNameUses() leaves out strings, comments, declarations and longer names", async () => {
  const text =
    'def total():\n    """total"""\n    # total\n    return "total" + subtotal + total_of + total()\n';
  assert.deepEqual(await usesOf("a.py", text, "total", 4), ["4 call"]);
});

Deno.test("findNameUses() leaves out names that an enclosing function takes for itself", async () => {
  const text = [
    "def total(): ...", // 1
    "def a(total): return total", // 2
    "def b():", // 3
    "    total = 1", // 4
    "    return lambda: total", // 5
    "def c(x=total): return self.total + total", // 6
    "f(total=1)", // 7
  ].join("\n");
  assert.deepEqual(await usesOf("a.py", text, "total", 4), ["6 read", "6 read self", "6 read"]);
});

Deno.test("findNameUses() reads Go", async () => {
  const text = [
    "package a", // 1
    "type Big struct {", // 2
    "  Store", // 3
    "  next *Store", // 4
    "}", // 5
    "func (s *Store) Save(x Store) { y := Store{}; store.Store(); _ = y }", // 6
    "func local(Store int) int { return Store }", // 7
  ].join("\n");
  assert.deepEqual(await usesOf("a.go", text, "Store"), [
    "3 extends",
    "4 type",
    "6 type",
    "6 type",
    "6 call",
    "6 call store",
  ]);
});

Deno.test("findNameUses() reads Rust", async () => {
  const text = [
    "use crate::store::Store;", // 1
    "pub use crate::store::Store as Kept;", // 2
    "impl Store for Memory {}", // 3
    "fn f(s: &dyn Store) -> Store { Store::new(); Store { a: 1 } }", // 4
    "fn g(Store: u8) {}", // 5
  ].join("\n");
  assert.deepEqual(await usesOf("a.rs", text, "Store"), [
    "1 import crate::store",
    "2 reexport crate::store",
    "3 implements",
    "4 type",
    "4 type",
    "4 read",
    "4 call",
  ]);
});

Deno.test("findNameUses() reads Java and Kotlin", async () => {
  const java = [
    "import com.acme.Store;", // 1
    "class A extends Store implements Other {", // 2
    "  private final Store store = new Store();", // 3
    "  void run() { Store.open(); this.Store(); }", // 4
    "  void hide(int Store) { int x = Store; }", // 5
    "}", // 6
    "class B implements Store {}", // 7
  ].join("\n");
  assert.deepEqual(await usesOf("A.java", java, "Store"), [
    "1 import com.acme",
    "2 extends",
    "3 type",
    "3 call",
    "4 read",
    "4 call this",
    "7 implements",
  ]);
  const kotlin =
    "import com.acme.Store\nclass A : Store() {\n  fun run(s: Store) { Store(); s.open() }\n}\n";
  const found = await usesOf("A.kt", kotlin, "Store");
  assert.deepEqual(found.map((use) => use.split(" ", 2).join(" ")), [
    "1 import",
    "2 extends",
    "3 type",
    "3 call",
  ]);
  assert.deepEqual(await usesOf("A.kt", kotlin, "open"), ["3 call s"]);
});

Deno.test("findNameUses() reads C++, C#, Ruby, PHP and shell", async () => {
  assert.deepEqual(
    await usesOf(
      "a.cpp",
      "class A : public Store {};\nStore* f(Store& s) { s.Store(); return new Store(); }\n",
      "Store",
    ),
    ["1 extends", "2 type", "2 type", "2 call s", "2 call"],
  );
  assert.deepEqual(
    await usesOf(
      "a.cs",
      "class A : Store { Store s = new Store(); void F() { s.Save(); Store.Open(); } }\n",
      "Store",
    ),
    ["1 extends", "1 type", "1 call", "1 read"],
  );
  assert.deepEqual(await usesOf("a.cs", "class A { void F() { s.Save(); Save(); } }\n", "Save"), [
    "1 call s",
    "1 call",
  ]);
  assert.deepEqual(
    await usesOf(
      "a.rb",
      "class A < Store\n  def run(x)\n    Store.new\n    x.save\n    save(x)\n  end\nend\n",
      "save",
    ),
    ["4 call x", "5 call"],
  );
  assert.deepEqual(await usesOf("a.rb", "class A < Store\n  Store.new\nend\n", "Store"), [
    "1 extends",
    "2 read",
  ]);
  assert.deepEqual(
    await usesOf(
      "a.php",
      "<?php\nuse Acme\\Store;\nclass A extends Store { function f() { $this->save(); return new Store(); } }\n",
      "Store",
    ),
    ["2 import", "3 extends", "3 call"],
  );
  assert.deepEqual(await usesOf("a.php", "<?php $this->save(); save();\n", "save"), [
    "1 call $this",
    "1 call",
  ]);
  assert.deepEqual(
    await usesOf("a.sh", "log() { echo x; }\nlog hello # log\necho log\n", "log", 0),
    ["2 call", "3 read"],
  );
});

Deno.test("findNameUses() finds nothing in languages without a grammar, and places only where the name stands", async () => {
  assert.deepEqual(await usesOf("a.txt", "total total", "total"), []);
  assert.deepEqual(await usesOf("a.ts", "total;", "total"), []);
  const word = fc.constantFrom(
    "def ",
    "total",
    "(",
    ")",
    ":",
    "\n",
    "    ",
    "=",
    '"',
    "#",
    "é",
    "😀",
    ".",
    ",",
    "class ",
    "x",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(word, { maxLength: 40 }).map((words) => words.join("")),
      async (text) => {
        for (const { start, line } of await findNameUses("a.py", text, "total")) {
          assert.equal(text.slice(start, start + 5), "total");
          assert.equal(text.slice(0, start).split("\n").length, line);
        }
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("findNameUses() of a text that changed under its path are those of the new text", async () => {
  assert.deepEqual(await usesOf("a.py", "run()\n", "run"), ["1 call"]);
  assert.deepEqual(await usesOf("a.py", "x = 1\nrun()\n", "run"), ["2 call"]);
  assert.deepEqual(await usesOf("a.py", "x = 1\nrun()\n", "x"), ["1 write"]);
});

Deno.test("findNameUses() of more text than trees are kept for stay right, again and again", async () => {
  const filler = "# filler\n".repeat(50_000);
  for (let round = 0; round < 2; round++) {
    for (let file = 0; file < 9; file++) {
      const text = `${filler}${"\n".repeat(file)}run()\n`;
      assert.deepEqual(await usesOf(`${file}.py`, text, "run"), [`${50_001 + file} call`]);
    }
  }
});
