/** Uses of Java's members over real indexes: declared types decide, calls through a base type are likely, others are left out. */
import assert from "node:assert/strict";
import { SymbolGraph } from "../../rag/graph.ts";
import { withRepository } from "../support/repository.ts";

const FILES = {
  "src/geo/Shape.java": "package geo;\npublic interface Shape {\n  int area();\n}\n",
  "src/geo/Base.java":
    "package geo;\npublic abstract class Base implements Shape {\n  protected int side;\n  public int twice() { return 2 * area(); }\n}\n",
  "src/geo/Square.java":
    "package geo;\npublic class Square extends Base {\n  public int area() { return side * side; }\n  public int four() { return twice() * 2; }\n" +
    "  public static Square of(int n) { return new Square(); }\n  public Square self() { return this; }\n}\n",
  "src/geo/Land.java": "package geo;\npublic class Land {\n  public int area() { return 1; }\n}\n",
};

/** Lines of a method `f` of `body` that use a member: `?` behind those that are likely, `??` behind those that are possible. */
async function uses(target: string, body: string, head = ""): Promise<string[]> {
  const app =
    `package app;\nimport geo.*;\nimport java.util.*;\npublic class App<T> {\n${head}\n${body}\n}\n`;
  return await withRepository({ ...FILES, "src/app/App.java": app }, async (memory) => {
    const { references, possible } = await new SymbolGraph(memory.store).refs(target);
    const shown = [
      ...references.map(({ path, line, likely }) => [path, line, likely ? "?" : ""] as const),
      ...possible.map(({ path, line }) => [path, line, "??"] as const),
    ];
    return shown.map(([path, line, doubt]) =>
      path === "src/app/App.java" ? `${line - 5}${doubt}` : `${path}:${line}${doubt}`
    );
  });
}

for (
  const [what, body, head] of [
    ["a variable's type", "void f() { Square s = g();\ns.area(); }"],
    ["var and a constructor", "void f() { var s = new Square();\ns.area(); }"],
    ["a parameter's type", "void f(Square s) {\ns.area(); }"],
    ["a field's type", "void f() {\nthis.s.area(); }", "private final Square s = null;"],
    ["a field without this", "void f() {\ns.area(); }", "private Square s;"],
    ["what methods return", "void f() {\nSquare.of(1).self().area(); }"],
    ["elements of a list", "void f(List<Square> all) { for (var s : all)\ns.area(); }"],
    ["values of a map", 'void f(Map<String, Square> all) {\nall.get("").area(); }'],
    ["a cast", "void f(Object s) {\n((Square) s).area(); }"],
    ["instanceof", "void f(Object o) { if (o instanceof Square s)\ns.area(); }"],
  ] as const
) {
  Deno.test(`refs() of a Java method follow ${what}`, async () => {
    // What `Base` calls on itself may be a square as well.
    assert.deepEqual(await uses("Square.area", body, head), ["2", "src/geo/Base.java:4?"]);
    assert.deepEqual(await uses("Land.area", body, head), []);
  });
}

Deno.test("refs() of an overriding Java method call a use through its base type likely", async () => {
  const found = await uses("Square.area", "void f(Shape s, Land l) {\ns.area();\nl.area(); }");
  assert.deepEqual(found, ["2?", "src/geo/Base.java:4?"]);
});

Deno.test("refs() of an inherited Java method hold calls without a receiver in heirs elsewhere", async () => {
  const found = await uses("Base.twice", "void f(Square s, Land l) {\ns.twice(); }");
  assert.deepEqual(found, ["2", "src/geo/Square.java:4"]);
});

Deno.test("refs() of a Java method leave open what type parameters and libraries give", async () => {
  const found = await uses(
    "Square.area",
    "void f(T t, Optional o) {\nt.area();\no.get().area(); }",
  );
  assert.deepEqual(found.filter((line) => /^\d/.test(line)), ["2??", "3??"]);
});
