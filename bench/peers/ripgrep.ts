/**
 * Peer: ripgrep, as it is used to find the place for a question. Files that contain any word of the query, those with most
 * matches first; what is read of them is the whole file.
 */
import { statSync } from "node:fs";
import { join } from "node:path";

/** Common words say nothing about a file; whoever searches by hand leaves them out. */
const COMMON = new Set(
  "a an and are as at be by do does for from has have how if in into is it its of on or that the this to what when where which who why with"
    .split(" "),
);

/** Words of a query, each once, without the common ones unless nothing else is left. */
export function wordsOf(query: string): string[] {
  const all = [...new Set(query.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [])];
  const rare = all.filter((word) => !COMMON.has(word));
  return rare.length ? rare : all;
}

/** Whether `rg` can be run. */
export function ripgrepVersion(): string | undefined {
  try {
    const { success, stdout } = new Deno.Command("rg", { args: ["--version"] }).outputSync();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).split("\n")[0]!.replace(/^ripgrep\s+/, "").split(
      " ",
    )[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Files of a folder with a word of the query in them, by the number of matches.
 * @throws {Error} when ripgrep fails for another reason than that nothing matches.
 */
export function ripgrepFiles(folder: string, query: string, limit: number): string[] {
  const words = wordsOf(query);
  if (words.length === 0) return [];
  const { code, stdout, stderr } = new Deno.Command("rg", {
    args: [
      "--count-matches",
      "--ignore-case",
      "--fixed-strings",
      "--no-messages",
      "--null",
      ...words.flatMap((word) => ["-e", word]),
      ".",
    ],
    cwd: folder,
  }).outputSync();
  const decoder = new TextDecoder();
  if (code > 1 && stdout.length === 0) {
    throw new Error(`cannot search "${folder}" with ripgrep: ${decoder.decode(stderr).trim()}`);
  }
  return decoder.decode(stdout).split("\n").filter(Boolean).map((line) => {
    const [path, count] = line.split("\0");
    return { path: path!.replace(/^\.\//, ""), count: Number(count) };
  }).sort((a, b) => b.count - a.count || (a.path < b.path ? -1 : 1)).slice(0, limit).map((
    { path },
  ) => path);
}

/** Size of a file in bytes. */
export function fileSize(folder: string, path: string): number {
  return statSync(join(folder, path)).size;
}
