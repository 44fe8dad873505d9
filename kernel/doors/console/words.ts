/**
 * What is typed at the console: words, which command they mean, and how they can go on.
 *
 * Pure but for the listing of folders. What must hold: a line that begins with no command is a question, taken as it stands; completion
 * offers nothing outside the workspace and waits for nobody.
 */
import { readdirSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { type CommandName, commands, groups, inputSchema, wordsOf } from "../../commands.ts";

/** Words that the console itself understands. */
export const OWN_WORDS = ["help", "new", "exit"] as const;

/** Most suggestions: more do not fit a screen. */
const MOST = 60;

/** Folders that nobody means. */
const HIDDEN = [".git", ".batos", "node_modules"];

/** Commands that can be sent to a kernel. */
export function remoteNames(): CommandName[] {
  return (Object.keys(commands) as CommandName[]).filter((name) => commands[name].local !== true);
}

/** The words of a line, as a shell would have them: quotes keep blanks together. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  for (const [, double, single, bare] of line.matchAll(/"((?:[^"\\]|\\.)*)"?|'([^']*)'?|(\S+)/g)) {
    words.push(double?.replace(/\\(.)/g, "$1") ?? single ?? bare ?? "");
  }
  return words;
}

/** The command line that a line means. */
export function understand(line: string): string[] {
  const words = splitWords(line);
  const [first = ""] = words;
  const firsts = new Set(Object.keys(commands).map((name) => wordsOf(name)[0]));
  const isCommand = firsts.has(first) || Object.hasOwn(groups, first) || first === "help" ||
    first === "--help";
  return isCommand ? words : ["ask", line.trim()];
}

/** What completion needs to know. */
export interface Surroundings {
  /** Root of the workspace, where it is on this machine. */
  readonly root: string | undefined;
  /** Names of objects of the image that begin so. */
  readonly objects: (begun: string) => Promise<readonly string[]>;
  /** Selectors that an object understands. */
  readonly selectors: (object: string) => Promise<readonly string[]>;
}

/**
 * How a line can go on.
 * @returns whole words in place of the last one, and that last word
 */
export async function complete(
  line: string,
  surroundings: Surroundings,
): Promise<[suggestions: string[], begun: string]> {
  const begun = /\S*$/.exec(line)![0];
  const before = splitWords(line.slice(0, line.length - begun.length));
  const found = await suggestions(before, begun, surroundings);
  return [
    [...new Set(found)].filter((word) => word.startsWith(begun)).sort().slice(0, MOST),
    begun,
  ];
}

async function suggestions(
  before: readonly string[],
  begun: string,
  surroundings: Surroundings,
): Promise<readonly string[]> {
  const names = remoteNames();
  if (before.length === 0) {
    return [...OWN_WORDS, ...names.map((name) => wordsOf(name)[0]!)].map((word) => `${word} `);
  }
  if (before[0] === "help") {
    return before.length === 1 ? names.map((name) => wordsOf(name)[0]!) : [];
  }
  const name = names.find((name) => {
    const words = wordsOf(name);
    return words.every((word, index) => before[index] === word);
  });
  if (name === undefined) {
    const verbs = names.map(wordsOf).filter((words) => words.length > 1 && words[0] === before[0]);
    return before.length === 1 ? verbs.map((words) => `${words[1]} `) : [];
  }
  if (begun.startsWith("-")) return flagsOf(name).map((flag) => `${flag} `);
  const given = before.slice(wordsOf(name).length).filter((word) => !word.startsWith("-"));
  const field = commands[name].positionals[given.length];
  if (field === "object") return await surroundings.objects(begun);
  if (field === "selector") return await surroundings.selectors(given[0]!);
  return surroundings.root === undefined ? [] : paths(begun, surroundings.root);
}

function flagsOf(name: CommandName): string[] {
  const { properties } = inputSchema(name) as {
    properties: Record<string, { type?: string; default?: unknown; local?: boolean }>;
  };
  const positionals: readonly string[] = commands[name].positionals;
  const flags = Object.entries(properties).filter(([field, { local }]) =>
    !positionals.includes(field) && local !== true && field !== "repo"
  ).map(([field, { type, default: value }]) =>
    `--${type === "boolean" && value === true ? "no-" : ""}${field.replaceAll("_", "-")}`
  );
  return [...flags, "--json", "--help"];
}

/** Files and folders of the workspace. */
function paths(begun: string, root: string): string[] {
  const inner = begun.endsWith("/") ? begun : dirname(begun) === "." ? "" : dirname(begun) + "/";
  const folder = join(root, inner);
  const away = relative(root, folder);
  if (/^\.\.(?:[/\\]|$)/.test(away) || isAbsolute(away) || isAbsolute(begun)) return [];
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !HIDDEN.includes(entry.name))
      .filter((entry) => entry.name.startsWith(begun.endsWith("/") ? "" : basename(begun)))
      .map((entry) => inner + entry.name + (entry.isDirectory() ? "/" : " "));
  } catch {
    return []; // No such folder.
  }
}
