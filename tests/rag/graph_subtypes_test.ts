/** Subtypes and overrides over real indexes: what a declaration says, what only a shape says, step by step. */
import assert from "node:assert/strict";
import { SymbolGraph } from "../../rag/graph.ts";
import { withRepository } from "../support/repository.ts";

/** The subtypes of each target as `name relation of`, with distance where above 1 and `?` where likely. */
async function subtypesOf(
  files: Record<string, string>,
  targets: readonly string[],
  transitive = false,
): Promise<string[][]> {
  return await withRepository(files, async (memory) => {
    const graph = new SymbolGraph(memory.store);
    const found: string[][] = [];
    for (const target of targets) {
      const { subtypes } = await graph.refs(target, { transitive });
      found.push(subtypes.map(({ name, container, relation, of, distance, certainty }) => {
        const whole = relation === "overrides" ? `${container.at(-1)}.${name}` : name;
        return `${whole} ${relation} ${of}` + (distance > 1 ? ` ${distance}` : "") +
          (certainty === "likely" ? "?" : "");
      }));
    }
    return found;
  });
}

const TYPESCRIPT = {
  "a.ts":
    "export interface Shape { area(): number }\nexport abstract class Base implements Shape {\n  abstract area(): number;\n}\n",
  "b.ts":
    'import { Base as Root } from "./a.ts";\nexport class Square extends Root {\n  area() { return 1; }\n}\nexport class Tile extends Square {}\nexport function use(base: Root) { return base.area(); }\nexport const anonymous = () => new (class extends Root { area() { return 2; } })();\n',
};

Deno.test("subtypes of TypeScript follow aliases, go one step, and all steps when asked to", async () => {
  assert.deepEqual(await subtypesOf(TYPESCRIPT, ["Shape", "Base", "Shape.area"]), [
    ["Base implements Shape"],
    ["Square extends Base"],
    ["Base.area overrides Shape.area"],
  ]);
  assert.deepEqual(await subtypesOf(TYPESCRIPT, ["Shape", "Shape.area"], true), [
    ["Base implements Shape", "Square extends Base 2", "Tile extends Square 3"],
    ["Base.area overrides Shape.area", "Square.area overrides Shape.area 2"],
  ]);
});

Deno.test("subtypes of Python: bases by import and attribute, several lines, namesakes are likely, protocols by names", async () => {
  const files = {
    "shapes/base.py":
      "from typing import Protocol\n\nclass Shape:\n    def area(self):\n        return 0\n\nclass Drawable(Protocol):\n    def draw(self, canvas): ...\n    def bounds(self): ...\n",
    "shapes/square.py":
      "from . import base\nfrom .base import Shape as S\n\nclass Square(\n    S,\n):\n    def area(self):\n        return 1\n    def draw(self, canvas):\n        pass\n    def bounds(self):\n        pass\n\nclass Circle(base.Shape, metaclass=Meta):\n    pass\n\nclass Holder:\n    def draw(self, canvas):\n        return S()\n",
    "other/shape.py":
      "class Handle:\n    pass\n\nclass D(Handle.Inner):\n    pass\n\nclass A(Handle):\n    pass\n\nclass B(Generic[Handle], metaclass=Handle):\n    pass\n",
    "more/shape.py": "class Handle:\n    pass\n",
  };
  const [shape, area, drawable, handle] = await subtypesOf(files, [
    "Shape",
    "Shape.area",
    "Drawable",
    "other/shape.py:1",
  ]);
  assert.deepEqual(shape, ["Square extends Shape", "Circle extends Shape"]);
  assert.deepEqual(area, ["Square.area overrides Shape.area"]);
  assert.deepEqual(drawable, ["Square implements Drawable?"]);
  assert.deepEqual(handle, ["A extends Handle"]);
});

Deno.test("subtypes of Go: embedded types, and types with all methods of an interface in number and shape", async () => {
  const files = {
    "io/io.go":
      "package io\n\ntype Reader interface {\n\tRead(p []byte) (n int, err error)\n}\n\ntype Closer interface {\n\tClose() error\n}\n\ntype ReadCloser interface {\n\tReader\n\tCloser\n}\n\ntype Wide interface {\n\thttp.Handler\n\tRead(p []byte) (n int, err error)\n\tClose() error\n}\n\ntype Unknown interface {\n\thttp.Handler\n\tClose() error\n}\n",
    "file/file.go":
      'package file\n\ntype File struct{}\n\nfunc (f *File) Read(b []byte) (int, error) { return 0, nil }\nfunc (f *File) Close() error { return nil }\n\ntype Half struct{}\n\nfunc (h Half) Read(b []byte) (int, error) { return 0, nil }\n\ntype Odd struct{}\n\nfunc (o Odd) Read() string { return "" }\n\ntype Log struct {\n\t*File\n\tname string\n}\n',
  };
  const [reader, both, read, file, wide, unknown] = await subtypesOf(files, [
    "Reader",
    "ReadCloser",
    "Reader.Read",
    "File",
    "Wide",
    "Unknown",
  ]);
  assert.deepEqual(wide, ["File implements Wide?"]);
  assert.deepEqual(unknown, []);
  assert.deepEqual(reader, [
    "File implements Reader?",
    "Half implements Reader?",
    "ReadCloser extends Reader",
  ]);
  assert.deepEqual(both, ["File implements ReadCloser?"]);
  assert.deepEqual(read, ["File.Read overrides Reader.Read?", "Half.Read overrides Reader.Read?"]);
  assert.deepEqual(file, ["Log extends File"]);
});

Deno.test("subtypes of Rust: impl blocks beside the type, over lines, and for types of elsewhere", async () => {
  const files = {
    "src/lib.rs": "pub mod shape;\npub mod square;\n",
    "src/shape.rs":
      "pub trait Shape {\n    fn area(&self) -> u32;\n}\n\nimpl Shape for u32 {\n    fn area(&self) -> u32 { *self }\n}\n\nimpl<T> Shape for (T, T) {\n    fn area(&self) -> u32 { 0 }\n}\n\nimpl<F> Shape for F where F: Fn() -> u32 {\n    fn area(&self) -> u32 { self() }\n}\n",
    "src/square.rs":
      "use crate::shape::Shape;\n\npub struct F;\n\npub struct Square<T>(T);\n\nimpl<T> Shape\n    for Square<T>\nwhere\n    T: Copy,\n{\n    fn area(&self) -> u32 { 1 }\n}\n\npub fn grow<S: Shape>(shape: S) -> u32 { shape.area() }\n",
  };
  const [shape, area] = await subtypesOf(files, ["Shape", "Shape.area"]);
  assert.deepEqual(shape, [
    "u32 implements Shape",
    "(T, T) implements Shape",
    "F implements Shape",
    "Square implements Shape",
  ]);
  assert.deepEqual(
    area,
    ["u32", "(T, T)", "F", "Square"].map((type) => `${type}.area overrides Shape.area`),
  );
});

Deno.test("subtypes of eight other families of languages are what their declarations say, arguments of types left out", async () => {
  const cases: readonly [Record<string, string>, string, string[]][] = [
    [
      {
        "Shape.java": "package p;\npublic interface Shape { int area(); }\n",
        "Square.java":
          "package p;\npublic class Square\n    extends Base\n    implements Shape {\n  public int area() { return 1; }\n}\n",
        "Base.java":
          "package p;\npublic class Base {\n  Shape shape = new Shape() { public int area() { return 2; } };\n}\nclass Other extends Holder<Shape> implements Comparable<Shape>, Shape.Maker {}\n",
      },
      "Shape",
      ["Square implements Shape"],
    ],
    [
      {
        "Shape.kt": "package p\n\ninterface Shape {\n  fun area(): Int\n}\n",
        "Square.kt":
          "package p\n\nopen class Base\n\nclass Square : Base(), Shape {\n  override fun area() = 1\n}\n\nclass Box : Holder<Shape>(Square()), Shape.Maker\n\nopen class Holder<T>(one: T)\n",
      },
      "Shape",
      ["Square implements Shape"],
    ],
    [
      {
        "Shape.cs": "namespace P;\npublic interface IShape { int Area(); }\n",
        "Square.cs":
          "namespace P;\npublic class Square : Base, IShape\n{\n  public int Area() => 1;\n}\npublic class Base {}\npublic class Other : Holder<IShape>, IShape.Maker {}\n",
      },
      "IShape",
      ["Square implements IShape"],
    ],
    [
      {
        "shape.h": "struct Shape {\n  virtual int area() = 0;\n};\n",
        "square.cpp":
          '#include "shape.h"\nclass Square : public Shape {\n public:\n  int area() override { return 1; }\n};\nclass Other : public Holder<Shape>, Shape::Maker {};\n',
      },
      "Shape",
      ["Square extends Shape"],
    ],
    [
      {
        "Shape.php":
          "<?php\nnamespace P;\ninterface Shape { public function area(): int; }\ntrait Named { }\n",
        "Square.php":
          "<?php\nnamespace P;\nclass Square extends Base implements Shape\n{\n  use Named;\n  public function area(): int { return 1; }\n}\nclass Base {\n  public function make() { return new class extends Named implements Shape { }; }\n}\n",
      },
      "Shape",
      ["Square implements Shape"],
    ],
    [
      {
        "shape.rb": "module Named\nend\n\nclass Shape\n  def area\n    0\n  end\nend\n",
        "square.rb":
          "require_relative 'shape'\n\nclass Square < Shape\n  include Named\n  def area\n    1\n  end\nend\n",
      },
      "Shape",
      ["Square extends Shape"],
    ],
    [
      {
        "named.rb":
          "module Named\nend\n\nclass Tag\n  include Named\n  def run\n    check(Named)\n  end\nend\n",
      },
      "Named",
      ["Tag extends Named"],
    ],
    [
      { "Named.php": "<?php\nnamespace P;\ntrait Named {}\nclass Tag {\n  use Named;\n}\n" },
      "Named",
      ["Tag extends Named"],
    ],
    [
      {
        "lib/shape.ex": "defmodule Shop.Shape do\n  @callback area(any) :: integer\nend\n",
        "lib/square.ex":
          "defmodule Shop.Square do\n  @behaviour Shop.Shape\n  def area(_), do: 1\nend\n",
      },
      "Shape",
      ["Square implements Shape"],
    ],
    [
      {
        "src/Shape.hs":
          "module Shape where\n\nclass Shape a where\n  area :: a -> Int\n\ndata Square = Square\n\ninstance Shape Square where\n  area _ = 1\n",
      },
      "Shape",
      ["Square implements Shape"],
    ],
    [
      {
        "Shape.swift": "protocol Shape {\n  func area() -> Int\n}\n",
        "Square.swift":
          "struct Square: Shape {\n  func area() -> Int { 1 }\n}\n\nstruct Late {}\n\nextension Late: Shape {\n  func area() -> Int { 2 }\n}\n",
      },
      "Shape",
      ["Late implements Shape", "Square implements Shape"],
    ],
    [
      {
        "Shape.scala": "package p\n\ntrait Shape {\n  def area: Int\n}\n",
        "Square.scala":
          "package p\n\nclass Square extends Base with Shape {\n  def area: Int = 1\n}\n\nclass Base\n",
      },
      "Shape",
      ["Square implements Shape"],
    ],
  ];
  for (const [files, target, expected] of cases) {
    const [found] = await subtypesOf(files, [target]);
    assert.deepEqual(found!.toSorted(), expected, Object.keys(files)[0]);
  }
});

Deno.test("subtypes of types inside of others are told apart by what stands before the name", async () => {
  const files = {
    "p/Adapter.java": "package p;\npublic interface Adapter { abstract class Factory {} }\n",
    "p/Reader.java": "package p;\npublic interface Reader { abstract class Factory {} }\n",
    "p/Json.java": "package p;\nclass Json extends Adapter.Factory {}\n",
    "p/Text.java": "package p;\nclass Text extends p.Reader.Factory {}\n",
    "q/Own.java":
      "package q;\nimport p.Reader;\nclass Own extends Reader.Factory {}\nclass Factory {}\nclass Sub extends q.Factory {}\n",
  };
  assert.deepEqual(
    (await subtypesOf(files, ["Adapter.Factory", "Reader.Factory", "q/Own.java:4"]))
      .map((types) => types.map((type) => type.split(" ")[0])),
    [["Json"], ["Text", "Own"], ["Sub"]],
  );
});

Deno.test("subtypes of subtypes are found under the names that imports give them", async () => {
  const files = {
    "base.py": "class Shape:\n    pass\n\nclass Leaf(Shape):\n    pass\n",
    "middle.py": "from base import Shape\n\nclass Flat(Shape):\n    pass\n",
    "square.py":
      "from middle import Flat as F\nimport middle as m\n\nclass Square(F):\n    pass\n\nclass Tile(m.Flat):\n    pass\n",
  };
  assert.deepEqual(await subtypesOf(files, ["Shape"], true), [[
    "Leaf extends Shape",
    "Flat extends Shape",
    "Square extends Flat 2",
    "Tile extends Flat 2",
  ]]);
});

Deno.test("subtypes end in a cycle of bases, and a name without heirs has none", async () => {
  const files = {
    "a.py": "class A(B):\n    pass\n\nclass B(A):\n    pass\n\nclass C:\n    pass\n",
  };
  assert.deepEqual(await subtypesOf(files, ["A", "C"], true), [["B extends A"], []]);
});

Deno.test("refs() that does not wait for the compiler knows names of other languages, and its own once it has been there", async () => {
  const files = {
    "a.ts": "export class Tile {}\nexport class Roof extends Tile {}\n",
    "a.py": "class Shape:\n    pass\n\nclass Square(Shape):\n    pass\n",
  };
  await withRepository(files, async (memory) => {
    const graph = new SymbolGraph(memory.store);
    const namesOf = async (target: string) =>
      (await graph.refs(target, { withoutBuild: true })).subtypes.map(({ name }) => name);
    assert.deepEqual(await namesOf("Shape"), ["Square"]);
    assert.deepEqual(await namesOf("Tile"), []);
    assert.equal(graph.isCurrent(), false);
    await graph.build();
    assert.deepEqual(await namesOf("Tile"), ["Roof"]);
  });
});

Deno.test("impact() of a method reaches what overrides it, of an interface what has its methods", async () => {
  const files = {
    "base.py": "class Shape:\n    def area(self):\n        return 0\n",
    "middle.py": "from base import Shape\n\nclass Flat(Shape):\n    pass\n",
    "square.py":
      "from middle import Flat\n\nclass Square(Flat):\n    def area(self):\n        return 1\n",
    "other.py": "class Land:\n    def area(self):\n        return 2\n",
    "io/io.go": "package io\n\ntype Closer interface {\n\tClose() error\n}\n",
    "file/file.go":
      "package file\n\ntype File struct{}\n\nfunc (f *File) Close() error { return nil }\n",
  };
  await withRepository(files, async (memory) => {
    const graph = new SymbolGraph(memory.store);
    const reached = async (target: string) =>
      (await graph.impact([target], { depth: 1 })).affected.map(({ path, lines }) =>
        `${path}:${lines}`
      );
    assert.deepEqual(await reached("Shape.area"), ["square.py:4"]);
    assert.deepEqual(await reached("Closer"), ["file/file.go:3"]);
    assert.deepEqual(await reached("Closer.Close"), ["file/file.go:5"]);
  });
});
