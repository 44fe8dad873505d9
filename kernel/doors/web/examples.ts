/**
 * Questions that one could ask about this repository, made from its summaries.
 *
 * Pure. What must hold: a question names only what the repository has; the same summaries give the same questions.
 */
import type { Result } from "../../commands.ts";

type Tree = Result<"tree">;

/** As many as fit below an input without scrolling. */
const MAX_EXAMPLES = 4;

/** Folders that say little about what a program does. */
const ASIDE = /^(\.|tests?$|specs?$|__tests__$|docs?$|examples?$|bench|fixtures|scripts$|vendor$)/;

/**
 * Some questions, the broadest first.
 * @param workspace the summary of the workspace
 * @param names of what it defines, the most telling first
 */
export function exampleQuestions(workspace: Tree, names: readonly string[]): string[] {
  const main = mainFolder(workspace);
  const questions = main === undefined ? [] : [`What is ${baseName(main)}/ for?`];
  const [first, second, third] = names;
  if (first !== undefined) questions.push(`How does ${first} work?`);
  if (second !== undefined) questions.push(`Where is ${second} used?`);
  if (third !== undefined) questions.push(`What would a change to ${third} break?`);
  if (questions.length === 0) questions.push("What is in this repository?");
  return questions.slice(0, MAX_EXAMPLES);
}

/** The folder that most likely holds the program: the one whose summary says most. */
export function mainFolder(workspace: Tree): string | undefined {
  const folders = workspace.children.filter(({ path, level }) =>
    level === "folder" && !ASIDE.test(baseName(path))
  );
  const usual = folders.find(({ path }) => /^(src|lib|app)$/.test(path));
  return (usual ?? folders.toSorted((a, b) => b.text.length - a.text.length)[0])?.path;
}

/** Names that the files of a folder define, one a file, longer summaries first: they are the busier files. */
export function exampleNames(tree: Tree | undefined): string[] {
  return (tree?.children ?? [])
    .filter(({ level, path }) => level === "file" && !/\.(test|spec)\.|_test\.|\.d\.ts$/.test(path))
    .toSorted((a, b) => b.text.length - a.text.length)
    .flatMap(({ text }) => {
      const [, list = ""] = /^Defines: (.*)$/m.exec(text) ?? [];
      const names = list.split(", ").filter(isPlainName);
      return names.filter((name) => !/^[A-Z_]+$/.test(name)).slice(0, 1);
    })
    .filter((name, index, all) => all.indexOf(name) === index);
}

/** Whether a name can stand in a question by itself. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z][\w$]{4,40}$/.test(name);
}

/** The line of a summary that says what a thing is for; where there is none, what stands in brackets behind its path. */
export function gist(summary: string): string {
  const [head = "", line = ""] = summary.split("\n");
  if (line !== "" && !line.startsWith("- ")) return line;
  return /\(([^()]*)\)$/.exec(head)?.[1] ?? "";
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
