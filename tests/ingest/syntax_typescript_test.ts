/** Behaviour of `ingest/syntax_typescript.ts`: what TypeScript and JavaScript define and import. */
import assert from "node:assert/strict";
import { parse } from "../../ingest/parse.ts";
import { importsOf, outline, partsOf } from "./outline.ts";

Deno.test("parse() finds classes with their members", async () => {
  const text = `
    export abstract class A<T> extends B implements C {
      p = 1;
      static #q = 2;
      private r?: string;
      constructor(private readonly s: string, t: number) { super(); }
      get g() { return 1; }
      arrow = () => {};
      "quoted name"() {}
      async *m<T>(a: T): AsyncGenerator<T> { function nested() {} }
      declare z: number;
    }
    class Inner { static { const f = () => 1; } }
    export const Named = class { method() {} };
  `;
  assert.deepEqual(await outline("a.ts", text), [
    "+class A",
    "+property A.p",
    "-property A.#q",
    "-property A.r",
    "+method A.constructor",
    "-property A.s",
    "+method A.g",
    "+method A.arrow",
    "+method A.quoted name",
    "+method A.m",
    "-function A.m.nested",
    "+property A.z",
    "-class Inner",
    "-function Inner.f",
    "+class Named",
    "+method Named.method",
  ]);
});

Deno.test("parse() finds types, enums and namespaces", async () => {
  const text = `
    export interface I extends J { p: string; m(a: number): void; [k: string]: any; new (): I }
    export type U = { a: string; b(): void };
    type V = string | number;
    export enum E { One = 1, Two }
    export namespace N.M { export const inside = 1; export function fn() {} }
    declare global { interface Window { w: number } }
    declare module "foo" { export const z: number; }
  `;
  assert.deepEqual(await outline("a.ts", text), [
    "+interface I",
    "+property I.p",
    "+method I.m",
    "+type U",
    "+property U.a",
    "+method U.b",
    "-type V",
    "+enum E",
    "+enum_member E.One",
    "+enum_member E.Two",
    "+module N",
    "+module N.M",
    "+constant N.M.inside",
    "+function N.M.fn",
    "-module global",
    "-interface global.Window",
    "-property global.Window.w",
    "-module foo",
    "+constant foo.z",
  ]);
});

Deno.test("parse() finds variables at the top and functions anywhere", async () => {
  const text = `
    export const x = 1, y = () => 2;
    export const { d1, d2: [d3] } = obj;
    let v = function named() {};
    var w: number;
    export const obj = { a: 1, b() {}, get c() { return 1; }, "d-e": () => 1, deep: { not() {} } };
    function outer() { const local = 1; const inner = () => { function innermost() {} }; }
    const later = 1;
    export { later as lateral };
    items.map(function visit(item) { return item; });
    export default outer;
  `;
  assert.deepEqual(await outline("a.ts", text), [
    "+constant x",
    "+function y",
    "+constant d1",
    "+constant d3",
    "-function v",
    "-variable w",
    "+constant obj",
    "+property obj.a",
    "+method obj.b",
    "+method obj.c",
    "+method obj.d-e",
    "+property obj.deep",
    "+function outer",
    "-function outer.inner",
    "-function outer.inner.innermost",
    "+constant later",
    "-function visit",
  ]);
});

Deno.test("parse() names an anonymous default export after its file or folder", async () => {
  assert.deepEqual(await outline("src/thing.ts", "export default () => 1;"), ["+function thing"]);
  assert.deepEqual(await outline("src/thing/index.js", "export default class {}"), [
    "+class thing",
  ]);
  assert.deepEqual(await outline("Card.vue.ts", "export default define({});"), ["+constant Card"]);
});

Deno.test("parse() knows what CommonJS exports", async () => {
  const text = `
    var app = exports = module.exports = {};
    exports.foo = function () {};
    exports.bar = 1;
    module.exports.baz = () => {};
    function later() {}
    exports.alias = later;
    Foo.prototype.m = function m() {};
    app.use = function use(fn) { this.x = function () {}; };
    Object.defineProperty(req, "ip", { get: function () { return 1; } });
    defineGetter(req, "protocol", function protocol() { return 1; });
  `;
  assert.deepEqual(await outline("a.js", text), [
    "+variable app",
    "+function foo",
    "+constant bar",
    "+function baz",
    "+function later",
    "+constant alias",
    "+method Foo.m",
    "+method app.use",
    "-method app.use.x",
    "-property req.ip",
    "-function protocol",
  ]);
  assert.deepEqual(
    await outline(
      "b.js",
      "function a() {}\nfunction b() {}\nmodule.exports = { a, c: b, d() {} };",
    ),
    ["+function a", "+function b", "+property c", "+method d"],
  );
});

Deno.test("parse() finds tests by their titles", async () => {
  const text = `
    describe("suite", () => {
      it("works", async () => { const helper = () => 1; });
      test.each([1])("each %s", () => {});
      it.skip(\`later\`, function () {});
    });
    Deno.test("deno", () => {});
    Deno.test({ name: "object", fn() {} });
    test("no body");
    contest("other", () => {});
  `;
  assert.deepEqual(await outline("a.test.ts", text), [
    "-test suite",
    "-test suite.works",
    "-function suite.works.helper",
    "-test suite.each %s",
    "-test suite.later",
    "-test deno",
    "-test object",
  ]);
});

Deno.test("parse() reads every form of import", async () => {
  const text = `
    import a, { b as c, type T } from "./a.js";
    import type { X } from "x";
    import { type Y } from "y";
    import * as ns from "ns";
    import "side";
    import fs = require("fs");
    export * from "./all";
    export * as q from "./q";
    export { d as e, f } from "./d";
    export type { G } from "./g";
    const lazy = await import("./lazy");
    type Imported = import("./types").Foo;
    function load() { return import("./dynamic"); }
  `;
  assert.deepEqual(await importsOf("a.ts", text), [
    "import ./a.js default=a b=c T",
    "type import x X",
    "type import y Y",
    "import ns *=ns",
    "import side",
    "require fs *=fs",
    "reexport ./all *",
    "reexport ./q *=q",
    "reexport ./d d=e f",
    "type reexport ./g G",
    "dynamic ./lazy *=lazy",
    "type import ./types Foo",
    "dynamic ./dynamic",
  ]);
  const required = `
    var a = require('a'), { b, c: d } = require("./b");
    const e = require('e').f;
    const debug = require('debug')('x');
    require('side');
    function later() { return require('later'); }
    obj.require('no');
  `;
  assert.deepEqual(await importsOf("a.cjs", required), [
    "require a *=a",
    "require ./b b c=d",
    "require e f=e",
    "require debug *=debug",
    "require side",
    "require later",
  ]);
});

Deno.test("parse() tells doc comment, signature and body of a declaration apart", async () => {
  const text = [
    "const other = 1; // not a doc comment",
    "",
    "// Apart from it.",
    "",
    "/**",
    " * Says what f is for.",
    " */",
    "export async function f<T>(a: T): Promise<T> {",
    "  return a;",
    "}",
    "",
  ].join("\n");
  assert.deepEqual(await partsOf("a.ts", text, "f"), {
    doc: "/**\n * Says what f is for.\n */\n",
    signature: "export async function f<T>(a: T): Promise<T> ",
    body: "{\n  return a;\n}",
    named: "f",
    lines: [8, 10],
  });
  const decorated = "// Line one.\n// Line two.\n@dec({ a: 1 })\nclass A {}\n";
  assert.deepEqual(await partsOf("a.ts", decorated, "A"), {
    doc: "// Line one.\n// Line two.\n@dec({ a: 1 })\n",
    signature: "class A ",
    body: "{}",
    named: "A",
    lines: [4, 4],
  });
  assert.equal((await partsOf("a.ts", text, "other")).doc, "");
});

Deno.test("parse() reads TSX and JSX by their own grammar", async () => {
  const text =
    "export const View = ({ a }) => <div title={a}>it's {a} // text</div>;\nconst g = <T,>(x: T) => x;\n";
  for (const path of ["a.tsx", "a.jsx", "a.js"]) {
    const { problems, definitions } = await parse(
      path,
      path.endsWith("js") ? text.split("\n")[0]! : text,
    );
    assert.deepEqual(problems, []);
    assert.equal(definitions[0]!.name, "View");
  }
  // The assertion that TSX cannot have.
  assert.deepEqual((await parse("a.mts", "const a = <any>b;\n")).problems, []);
  assert.equal((await parse("a.tsx", "const a = <any>b;\n")).problems.length, 1);
});

Deno.test("parse() keeps a file with syntax errors and says where the first is", async () => {
  const text = "export function before() {}\nconst = ;\nexport function after() {}\n";
  const { definitions, problems, chunks } = await parse("a.ts", text);
  assert.deepEqual(definitions.map(({ name }) => name), ["before", "after"]);
  assert.equal(problems.length, 1);
  assert.equal(problems[0]!.line, 2);
  assert.match(problems[0]!.reason, /^parse "a\.ts": syntax error: .*[^.]$/);
  assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
});

Deno.test("parse() survives nesting that overflows the compiler", async () => {
  const text = "[".repeat(100_000) + "]".repeat(100_000);
  const { chunks, problems } = await parse("a.ts", text);
  assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
  assert.match(problems[0]!.reason, /kept by lines$/);
  // The next file is read as if nothing had happened.
  assert.deepEqual(await outline("b.ts", "export function f() {}"), ["+function f"]);
});

Deno.test("parse() walks long chains of operators", async () => {
  const text = `const sum = ${"a + ".repeat(20_000)}(() => { function found() {} });`;
  const { definitions, problems } = await parse("a.ts", text);
  assert.deepEqual(problems, []);
  assert.deepEqual(definitions.map(({ name }) => name), ["sum", "found"]);
});
