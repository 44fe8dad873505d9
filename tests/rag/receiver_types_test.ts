/** Uses of Python's members over real indexes: the type of what stands before the dot decides, and what it leaves open is said. */
import assert from "node:assert/strict";
import { SymbolGraph } from "../../rag/graph.ts";
import { withRepository } from "../support/repository.ts";

/** What is said of a target: its references, with `?` where they are only likely, and lines that may be some. */
async function refsOf(files: Record<string, string>, target: string) {
  return await withRepository(files, async (memory) => {
    const found = await new SymbolGraph(memory.store).refs(target);
    return {
      sure: found.references.filter(({ likely }) => !likely).map(({ path, line }) =>
        `${path}:${line}`
      ),
      likely: found.references.filter(({ likely }) => likely).map(({ path, line }) =>
        `${path}:${line}`
      ),
      possible: found.possible.map(({ path, line }) => `${path}:${line}`),
    };
  });
}

const SHAPES = `class Shape:
    def area(self): return 0
    def twice(self): return self.area() * 2

class Square(Shape):
    def __init__(self, side):
        self.side = side
    def area(self): return self.side ** 2

class Land:
    def area(self): return 1
`;

/** The lines of `body`, behind two lines of imports, that use `Square.area`. */
async function uses(body: string, target = "Square.area") {
  const found = await refsOf(
    {
      "shapes.py": SHAPES,
      "app.py": `from shapes import Shape, Square, Land\nfrom typing import Optional\n${body}`,
    },
    target,
  );
  const inApp = (all: string[]) =>
    all.filter((line) => line.startsWith("app.py:")).map((line) => Number(line.slice(7)) - 2);
  return { sure: inApp(found.sure), likely: inApp(found.likely), possible: inApp(found.possible) };
}

for (
  const [what, body] of Object.entries({
    "a constructor call": "def f():\n    s = Square(1)\n    s.area()",
    "a parameter's annotation": "def f(s: Square):\n    pass\n    s.area()",
    "an annotation in quotes": "def f(s: 'Square'):\n    pass\n    s.area()",
    "an optional annotation": "def f(s: Optional[Square] = None):\n    pass\n    s.area()",
    "what a function returns": "def g() -> Square: ...\ndef f():\n    g().area()",
    "what a function is seen to return": "def g():\n    return Square(1)\ng().area()",
    "the elements of a list": "def f(all: list[Square]):\n    for s in all:\n        s.area()",
    "the values of a mapping":
      "def f(all: dict[str, Square]):\n    for name, s in all.items():\n        s.area()",
    "an attribute that the constructor sets":
      "class A:\n    def __init__(self): self.s = Square(1)\n    def f(self): self.s.area()",
    "isinstance": "def f(s):\n    if isinstance(s, Square):\n        s.area()",
    "a later assignment": "def f(s: Land):\n    s = Square(1)\n    s.area()",
    "super()": "class B(Square):\n    def area(self):\n        return super().area()",
  })
) {
  Deno.test(`refs() of a Python method follow ${what}`, async () => {
    assert.deepEqual(await uses(body), { sure: [3], likely: [], possible: [] });
    // The same name of an unrelated class is not meant.
    assert.deepEqual(await uses(body, "Land.area"), { sure: [], likely: [], possible: [] });
  });
}

Deno.test("refs() of an inherited method are found through classes that are built on its own", async () => {
  const found = await uses("Square(1).twice()\nLand().twice()", "Shape.twice");
  assert.deepEqual(found, { sure: [1], likely: [], possible: [] });
});

Deno.test("refs() list a use through a base type and one of an unknown type apart", async () => {
  const found = await uses("def f(shape: Shape, thing):\n    shape.area()\n    thing.area()");
  assert.deepEqual(found, { sure: [], likely: [], possible: [2, 3] });
});

Deno.test("refs() call a use of an unknown type likely where nothing else has the name", async () => {
  const found = await uses("def f(thing):\n    thing.twice()", "Shape.twice");
  assert.deepEqual(found, { sure: [], likely: [2], possible: [] });
});

Deno.test("refs() of attributes reach other files, through packages that pass a class on", async () => {
  const found = await refsOf({
    "geo/__init__.py": "from .shapes import Square as Box\n",
    "geo/shapes.py": SHAPES,
    "app.py": "import geo\nb = geo.Box(2)\nprint(b.side)\n",
    "other.py":
      "import geo as g\n\ndef f(side, b: 'g.Box', c):\n    return b.side + side + c.side\n",
  }, "Square.side");
  assert.deepEqual(found.sure, ["app.py:3", "geo/shapes.py:8", "other.py:4"]);
});

Deno.test("refs() end where types go round in circles", async () => {
  const found = await refsOf({
    "a.py":
      "from b import y\nx = y\nclass A(A): pass\nclass B(C):\n    def run_it(self): return self.run_it()\nclass C(B): pass\n" +
      "def f():\n    return f()\nf().run_it()\nx.run_it()\n",
    "b.py": "from a import x\ny = x\n",
  }, "B.run_it");
  assert.deepEqual(found.sure, []);
  assert.deepEqual(found.likely, ["a.py:9", "a.py:10"]);
});

Deno.test("refs() of a Python class hold quoted annotations and __all__, and no other strings", async () => {
  const found = await refsOf({
    "geo/shapes.py": SHAPES,
    "geo/__init__.py": "from .shapes import Square\n__all__ = ['Square']\nother = ['Square']\n",
    "app.py":
      "import geo\n\ndef f(s: 'geo.Square', t: 'list[geo.Square]'):\n    return 'a Square'\n",
  }, "Square");
  assert.deepEqual(found.sure, ["app.py:3", "geo/__init__.py:1", "geo/__init__.py:2"]);
});

Deno.test("refs() take what a method sets for the attribute that a base declares", async () => {
  const found = await refsOf({
    "a.py":
      "class A:\n    name: str\n\nclass B(A):\n    def __init__(self):\n        self.name, self.size = '', 1\n\nprint(B().name)\n" +
      "class C:\n    name = 1\n\nC().name\n",
  }, "A.name");
  assert.deepEqual(found.sure, ["a.py:6", "a.py:8"]);
});

Deno.test("refs() of attributes that are set together find each", async () => {
  const found = await refsOf({
    "a.py":
      "class A:\n    def __init__(self):\n        self.low, self.high = 1, 2\n\nprint(A().high)\n",
  }, "A.high");
  assert.deepEqual(found.sure, ["a.py:5"]);
});

Deno.test("refs() of an inherited member asked for by its heir are those of the base", async () => {
  const found = await refsOf({
    "shapes.py": SHAPES,
    "app.py": "from shapes import Square\n\nSquare(1).twice()\n",
  }, "Square.twice");
  assert.deepEqual(found.sure, ["app.py:3"]);
  assert.deepEqual((await refsOf({ "shapes.py": SHAPES }, "Land.twice")).sure, []);
});

Deno.test("refs() of a Python variable hold what functions assign to it as global, and no locals", async () => {
  const found = await refsOf({
    "a.py":
      "count = 0\n\ndef up():\n    global count\n    count = count + 1\n\ndef other():\n    count = 2\n    return count\n",
  }, "count");
  assert.deepEqual(found.sure, ["a.py:4", "a.py:5"]);
});
