/** The compiler's reference edges over small repositories. */
import assert from "node:assert/strict";
import {
  createResolver,
  languageOf,
  LINK_KINDS,
  REFERENCE_KINDS,
  type ReferenceOptions,
  resolveReferences,
} from "../../ingest/mod.ts";

type Files = Record<string, string>;

interface Graph {
  /** `from:line kind to:line name`, in order. */
  readonly edges: readonly string[];
  /** `from:line link to:line name`, in order. */
  readonly links: readonly string[];
}

async function graphOf(files: Files, options: ReferenceOptions = {}): Promise<Graph> {
  const list = Object.keys(files).map((path) => ({ path, language: languageOf(path) }));
  const edges: string[] = [], links: string[] = [];
  const target = (file: number, start: number): string => {
    const { path } = list[file]!;
    const text = files[path]!;
    const name = /^[\w$#]+/.exec(text.slice(start))?.[0] ?? text.slice(start, start + 12);
    return `${path}:${text.slice(0, start).split("\n").length} ${name}`;
  };
  for await (
    const { path, references, links: ties } of resolveReferences(
      list,
      (path) => files[path],
      options,
    )
  ) {
    for (let i = 0; i < references.length; i += 4) {
      const kind = REFERENCE_KINDS[references[i + 1]!] ?? "literal";
      edges.push(
        `${path}:${references[i]} ${kind} ${target(references[i + 2]!, references[i + 3]!)}`,
      );
    }
    for (let i = 0; i < ties.length; i += 5) {
      links.push(
        `${path}:${ties[i + 1]} ${LINK_KINDS[ties[i + 2]!]} ${target(ties[i + 3]!, ties[i + 4]!)}`,
      );
    }
  }
  return { edges: edges.sort(), links: links.sort() };
}

/** The edges that lead to a name. */
async function edgesTo(files: Files, name: string): Promise<string[]> {
  const { edges } = await graphOf(files);
  return edges.filter((edge) => edge.endsWith(` ${name}`)).map((edge) =>
    edge.slice(0, -name.length - 1)
  );
}

Deno.test("resolveReferences() follows aliases, barrels and default exports to the declaration", async () => {
  const files: Files = {
    "lib/deep.ts": "export function deep() {}\nexport default class Main {}\n",
    "lib/index.ts":
      'export { deep as shallow } from "./deep.js";\nexport * from "./deep.ts";\nexport { default as Main } from "./deep";\n',
    "use.ts":
      'import { shallow, Main } from "./lib";\nimport Other from "./lib/deep";\nshallow();\nnew Main();\nnew Other();\n',
  };
  assert.deepEqual(await edgesTo(files, "deep"), [
    "lib/index.ts:1 reexport lib/deep.ts:1",
    "use.ts:1 import lib/deep.ts:1",
    "use.ts:3 call lib/deep.ts:1",
  ]);
  assert.deepEqual(await edgesTo(files, "Main"), [
    "lib/index.ts:3 reexport lib/deep.ts:2",
    "use.ts:1 import lib/deep.ts:2",
    "use.ts:2 import lib/deep.ts:2",
    "use.ts:4 call lib/deep.ts:2",
    "use.ts:5 call lib/deep.ts:2",
  ]);
});

Deno.test("resolveReferences() goes through namespace imports and tells a module by its last name", async () => {
  const files: Files = {
    "core.ts": "export const one = 1;\nexport type Two = 2;\n",
    "mod.ts": 'export * as core from "./core.ts";\n',
    "use.ts":
      'import * as ns from "./core.ts";\nimport { core } from "./mod.ts";\nexport const x: ns.Two = ns.one;\ncore.one;\n',
  };
  assert.deepEqual(await edgesTo(files, "one"), [
    "use.ts:3 read core.ts:1",
    "use.ts:4 read core.ts:1",
  ]);
  assert.deepEqual(await edgesTo(files, "Two"), ["use.ts:3 type core.ts:2"]);
  assert.deepEqual(await edgesTo(files, "core"), [
    "use.ts:2 import mod.ts:1",
    "use.ts:4 read mod.ts:1",
  ]);
});

Deno.test("resolveReferences() names the kind of each use", async () => {
  const files: Files = {
    "a.ts":
      "export class Base { field = 1; }\nexport interface Shape { area: number }\nexport let count = 0;\nexport function tag(_: TemplateStringsArray) {}\n",
    "b.tsx": [
      'import { Base, type Shape, count, tag } from "./a";',
      "export class Sub extends Base implements Shape { area = count; }",
      "const sub: Sub = new Sub();",
      "sub.field = 2;",
      "sub.field;",
      "tag`x`;",
      "export let shape: Shape = { area: 1 };",
      "export type Area = Shape['area'];",
      "export type Made = typeof count;",
      "const { area } = shape;",
      "sub.area++;",
      "export default sub;",
    ].join("\n"),
  };
  const { edges } = await graphOf(files);
  for (
    const expected of [
      "b.tsx:1 import a.ts:1 Base",
      "b.tsx:2 extends a.ts:1 Base",
      "b.tsx:2 implements a.ts:2 Shape",
      "b.tsx:2 read a.ts:3 count",
      "b.tsx:3 call b.tsx:2 Sub",
      "b.tsx:4 write a.ts:1 field",
      "b.tsx:5 read a.ts:1 field",
      "b.tsx:6 call a.ts:4 tag",
      "b.tsx:7 type a.ts:2 Shape",
      "b.tsx:7 write a.ts:2 area",
      "b.tsx:8 type a.ts:2 area",
      "b.tsx:9 type a.ts:3 count",
      "b.tsx:10 read a.ts:2 area",
      "b.tsx:11 write b.tsx:2 area",
      "b.tsx:12 reexport b.tsx:3 sub",
    ]
  ) assert.ok(edges.includes(expected), `${expected} is not among\n${edges.join("\n")}`);
});

Deno.test("resolveReferences() keeps a value and a type of one name apart and gives an import both", async () => {
  const files: Files = {
    "a.ts": "export const Thing = 1;\nexport type Thing = string;\n",
    "b.ts": 'import { Thing } from "./a";\nexport const t: Thing = "x";\nThing;\n',
  };
  const { edges } = await graphOf(files);
  assert.deepEqual(edges, [
    "b.ts:1 import a.ts:1 Thing",
    "b.ts:1 import a.ts:2 Thing",
    "b.ts:2 type a.ts:2 Thing",
    "b.ts:3 read a.ts:1 Thing",
  ]);
});

Deno.test("resolveReferences() takes overloads and merged declarations for one thing", async () => {
  const files: Files = {
    "a.ts":
      "export function f(x: string): void;\nexport function f(x: number): void;\nexport function f(_x: unknown) {}\nexport interface I { a: 1 }\nexport interface I { b: 2 }\n",
    "b.ts": 'import { f, type I } from "./a";\nf(1);\nf("x");\nexport let i: I;\n',
  };
  const { edges, links } = await graphOf(files);
  assert.deepEqual(edges.filter((edge) => edge.endsWith(" f")).map((edge) => edge.split(" ")[2]), [
    "a.ts:1",
    "a.ts:1",
    "a.ts:1",
  ]);
  assert.deepEqual(links, ["a.ts:2 same a.ts:1 f", "a.ts:3 same a.ts:1 f", "a.ts:5 same a.ts:4 I"]);
});

Deno.test("resolveReferences() ties members to what they implement and override, through all levels", async () => {
  const { links } = await graphOf({
    "a.ts":
      "export interface Top { run(): void }\nexport interface Middle extends Top { other: 1 }\n",
    "b.ts":
      'import type { Middle } from "./a";\nexport abstract class Base implements Middle { other = 1 as const; abstract run(): void }\nexport class Leaf extends Base { run() {} }\n',
  });
  assert.deepEqual(links, [
    "b.ts:2 overrides a.ts:1 run",
    "b.ts:2 overrides a.ts:2 other",
    "b.ts:3 overrides a.ts:1 run",
    "b.ts:3 overrides b.ts:2 run",
  ]);
});

Deno.test("resolveReferences() refers a literal's property to the expected type, by discriminant in a union", async () => {
  const files: Files = {
    "a.ts":
      "export type Event = { kind: 'open'; value: string } | { kind: 'close'; value: number };\nexport interface Options { deep: { flag?: boolean } }\nexport function set(_options: Options) {}\n",
    "b.ts":
      "import { type Event, set } from './a';\nexport const e: Event = { kind: 'close', value: 1 };\nconst flag = true;\nset({ deep: { flag } });\n",
  };
  const { edges } = await graphOf(files);
  assert.ok(edges.includes("b.ts:4 write a.ts:2 deep"));
  assert.ok(edges.includes("b.ts:4 write a.ts:2 flag"));
  assert.ok(edges.includes("b.ts:4 read b.ts:3 flag"));
  assert.equal(edges.filter((edge) => edge === "b.ts:2 write a.ts:1 value").length, 1);
});

Deno.test("resolveReferences() sees JSX tags, attributes and closing tags", async () => {
  const files: Files = {
    "button.tsx":
      "export interface Props { label: string }\nexport function Button(props: Props) { return props.label; }\n",
    "page.tsx":
      'import { Button } from "./button";\nimport * as all from "./button";\nexport const page = <Button label="x">\n</Button>;\nexport const other = <all.Button label="y" />;\n',
  };
  assert.deepEqual(await edgesTo(files, "Button"), [
    "page.tsx:1 import button.tsx:2",
    "page.tsx:3 call button.tsx:2",
    "page.tsx:4 call button.tsx:2",
    "page.tsx:5 call button.tsx:2",
  ]);
  assert.deepEqual(await edgesTo(files, "label"), [
    "button.tsx:2 read button.tsx:1",
    "page.tsx:3 write button.tsx:1",
    "page.tsx:5 write button.tsx:1",
  ]);
});

Deno.test("resolveReferences() understands CommonJS and import-equals", async () => {
  const files: Files = {
    "a.js":
      "exports.make = function () {};\nfunction hidden() {}\nmodule.exports.shown = hidden;\n",
    "b.js":
      'const { make } = require("./a");\nconst a = require("./a.js");\nmake();\na.make();\na.shown();\n',
    "c.ts": 'import a = require("./a");\na.make();\n',
  };
  assert.deepEqual(await edgesTo(files, "make"), [
    "b.js:1 import a.js:1",
    "b.js:3 call a.js:1",
    "b.js:4 call a.js:1",
    "c.ts:2 call a.js:1",
  ]);
  assert.deepEqual(await edgesTo(files, "hidden"), ["a.js:3 read a.js:2", "b.js:5 call a.js:2"]);
});

Deno.test("resolveReferences() follows a function that is the whole of a CommonJS module", async () => {
  const files: Files = {
    "view.js":
      "module.exports = View;\nfunction View() {}\nView.prototype.draw = function () {};\n",
    "index.js": 'module.exports = require("./view");\n',
    "app.js": 'var View = require("./");\nvar view = new View();\nview.draw();\n',
  };
  assert.deepEqual(await edgesTo(files, "View"), [
    "app.js:1 import view.js:2",
    "app.js:2 call view.js:2",
    "view.js:1 reexport view.js:2",
    "view.js:3 read view.js:2",
  ]);
  assert.deepEqual(await edgesTo(files, "draw"), ["app.js:3 call view.js:3"]);
});

Deno.test("resolveReferences() prefers the script to its declarations for scripts alone", async () => {
  const files: Files = {
    "lib.js": "export function f() {}\n",
    "lib.d.ts": "export declare function f(): void;\n",
    "a.js": 'import { f } from "./lib.js";\nf();\n',
    "b.ts": 'import { f } from "./lib.js";\nf();\n',
  };
  assert.deepEqual(await edgesTo(files, "f"), [
    "a.js:1 import lib.js:1",
    "a.js:2 call lib.js:1",
    "b.ts:1 import lib.d.ts:1",
    "b.ts:2 call lib.d.ts:1",
  ]);
});

Deno.test("resolveReferences() uses paths of configurations and packages of the workspace", async () => {
  const files: Files = {
    "package.json": '{ "workspaces": ["packages/*"] }',
    "tsconfig.json": '{ "compilerOptions": { "paths": { "~/*": ["./src/*"] } } }',
    "src/util.ts": "export const util = 1;\n",
    "packages/core/package.json": '{ "name": "@x/core", "exports": "./dist/index.js" }',
    "packages/core/src/index.ts": "export const core = 1;\n",
    "app/main.ts": 'import { util } from "~/util";\nimport { core } from "@x/core";\n',
  };
  const { edges } = await graphOf(files);
  assert.deepEqual(edges, [
    "app/main.ts:1 import src/util.ts:1 util",
    "app/main.ts:2 import packages/core/src/index.ts:1 core",
  ]);
});

Deno.test("resolveReferences() keeps equal names of different files apart, and ends on cycles of imports", async () => {
  const files: Files = {
    "a.ts": 'import { run as other } from "./b";\nexport function run() { other(); }\n',
    "b.ts": 'import { run as other } from "./a";\nexport function run() { other(); }\n',
    "x.js": "function main() {}\nmain();\n",
    "y.js": "function main() {}\nmain();\n",
  };
  const { edges } = await graphOf(files);
  assert.deepEqual(edges, [
    "a.ts:1 import b.ts:2 run",
    "a.ts:2 call b.ts:2 run",
    "b.ts:1 import a.ts:2 run",
    "b.ts:2 call a.ts:2 run",
    "x.js:2 call x.js:1 main",
    "y.js:2 call y.js:1 main",
  ]);
});

Deno.test("resolveReferences() lets scripts share the globals that only one of them declares", async () => {
  const { edges } = await graphOf({ "globals.js": "var shared = 1;\n", "main.js": "shared;\n" });
  assert.deepEqual(edges, ["main.js:1 read globals.js:1 shared"]);
});

Deno.test("resolveReferences() gives locals no edges, local functions and parameter properties some", async () => {
  const { edges } = await graphOf({
    "a.ts":
      "export class A {\n  constructor(private count: number) { this.count = count; }\n}\nexport function outer(parameter: number) {\n  const plain = parameter;\n  const inner = () => plain;\n  return inner();\n}\n",
  });
  assert.deepEqual(edges, ["a.ts:2 write a.ts:2 count", "a.ts:7 call a.ts:6 inner"]);
});

Deno.test("resolveReferences() marks names in indexed access types where the file has the name nowhere else", async () => {
  const { edges } = await graphOf({
    "a.ts": "export interface Router { _def: 1 }\n",
    "b.ts": "import type { Router } from './a';\nexport type D<T extends Router> = T['_def'];\n",
    "c.ts":
      "import type { Router } from './a';\nexport type D<T extends Router> = T['_def'];\nexport const f = (r: Router) => r._def;\n",
  });
  assert.deepEqual(edges.filter((edge) => edge.endsWith("_def")), [
    "b.ts:2 literal a.ts:1 _def",
    "c.ts:2 type a.ts:1 _def",
    "c.ts:3 read a.ts:1 _def",
  ]);
});

Deno.test("resolveReferences() survives syntax errors, empty files and imports of what is not there", async () => {
  const { edges } = await graphOf({
    "a.ts": "export function ok() {}\nfunction (((\n",
    "b.ts":
      'import { ok } from "./a";\nimport { no } from "./missing";\nimport x from "react";\nok(); no(); x();\n',
    "empty.ts": "",
    "data.json": "{}",
  });
  assert.deepEqual(edges, ["b.ts:1 import a.ts:1 ok", "b.ts:4 call a.ts:1 ok"]);
});

Deno.test("resolveReferences() walks only the wanted files, reports progress and can be stopped", async () => {
  const files: Files = {
    "a.ts": "export const a = 1;\n",
    "b.ts": 'import { a } from "./a";\na;\n',
    "c.ts": 'import { a } from "./a";\na;\n',
  };
  const progress: string[] = [];
  const only = new Set(["c.ts"]);
  const resolver = createResolver({
    paths: new Set(Object.keys(files)),
    read: (path) => files[path],
  });
  const { edges } = await graphOf(files, {
    only,
    resolver,
    onProgress: (done, total) => progress.push(`${done}/${total}`),
  });
  assert.deepEqual(edges, ["c.ts:1 import a.ts:1 a", "c.ts:2 read a.ts:1 a"]);
  assert.deepEqual(progress, ["1/1"]);
  await assert.rejects(
    graphOf(files, { signal: AbortSignal.abort(new Error("enough")) }),
    /enough/,
  );
});
