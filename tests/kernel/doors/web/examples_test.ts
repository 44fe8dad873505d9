/** Example questions name what a repository has, and only that. */
import assert from "node:assert/strict";
import type { Result } from "../../../../kernel/commands.ts";
import {
  exampleNames,
  exampleQuestions,
  gist,
  mainFolder,
} from "../../../../kernel/doors/web/examples.ts";

type Tree = Result<"tree">;
type Node = Tree["children"][number];

const folder = (path: string, text: string): Node => ({ path, level: "folder", text });
const file = (path: string, defines: string): Node => ({
  path,
  level: "file",
  text: `${path} (typescript, 9 lines)\nWhat it is for.\nDefines: ${defines}`,
});
const tree = (path: string, children: Node[]): Tree => ({
  path,
  level: path === "" ? "workspace" : "folder",
  text: "",
  children,
});

Deno.test("questions are about the folder that holds the program and what it defines", () => {
  const workspace = tree("", [
    folder(".github", "x".repeat(500)),
    folder("tests", "x".repeat(400)),
    folder("engine", "x".repeat(300)),
    folder("app2", "x"),
  ]);
  assert.equal(mainFolder(workspace), "engine");
  const inside = tree("engine", [
    file("engine/router.ts", "Router, Route"),
    file("engine/a.ts", "parseQuery"),
    file("engine/longer_name.ts", "MAX_SIZE, startServer"),
    file("engine/router.test.ts", "shouldNotBeNamed, x, y, z, and, many, more, things"),
  ]);
  assert.deepEqual(exampleQuestions(workspace, exampleNames(inside)), [
    "What is engine/ for?",
    "How does startServer work?",
    "Where is Router used?",
    "What would a change to parseQuery break?",
  ]);
});

Deno.test("src stands before larger folders, and a repository without code has a question too", () => {
  assert.equal(mainFolder(tree("", [folder("src", "x"), folder("site", "xxx")])), "src");
  assert.deepEqual(exampleQuestions(tree("", [file("README.md", "")]), []), [
    "What is in this repository?",
  ]);
});

Deno.test("a summary's gist is what it says first, else what is known of its size", () => {
  assert.equal(
    gist("src/a.ts (typescript, 9 lines)\nKeeps parcels.\nDefines: a"),
    "Keeps parcels.",
  );
  assert.equal(gist("src (9 entries)\n- src/a.ts: x"), "9 entries");
  assert.equal(gist("src (9 entries)"), "9 entries");
  assert.equal(gist(""), "");
});
