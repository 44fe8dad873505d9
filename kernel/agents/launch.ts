/**
 * How an agent starts batos: the program that a person installed where there is one, else Deno with this very checkout.
 *
 * What must hold: a command that is written into a configuration runs as it stands, with no more permissions than `deno task mcp`.
 */
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Launch } from "./agents.ts";

/** What `main.ts` knows about itself. */
export interface Checkout {
  /** Absolute path of `main.ts`; `deno.json` lies beside it. */
  readonly main: string;
  /** The command of `deno task mcp`. */
  readonly task: string;
}

/** Deno as `npx` unpacks it, for one run: nothing to rely on tomorrow. */
const FLEETING = /[\\/]_npx[\\/]/;

/**
 * The command of an MCP server of this program.
 * @param isForUser for a file that is the user's alone: programs with a window often do not know the PATH of a shell, so the program
 *   is named by its path; a file that goes into a repository names none of this machine's paths, where that is possible
 */
export function launchOf(checkout: Checkout, isForUser: boolean): Launch {
  const installed = programOnPath("batos");
  if (installed !== undefined) {
    return { command: isForUser ? installed : "batos", args: ["mcp"] };
  }
  const [, ...words] = checkout.task.split(" ");
  const args = words.map((word) => word === "main.ts" ? checkout.main : word);
  args.splice(1, 0, "--config", join(dirname(checkout.main), "deno.json"));
  const deno = Deno.execPath();
  return FLEETING.test(deno)
    ? { command: "npx", args: ["-y", `deno@${Deno.version.deno}`, ...args] }
    : { command: deno, args };
}

/** Where a shell finds a program; undefined when it does not. */
export function programOnPath(name: string): string | undefined {
  const suffixes = Deno.build.os === "windows" ? [".exe", ".cmd", ".bat"] : [""];
  for (const folder of (Deno.env.get("PATH") ?? "").split(delimiter)) {
    if (folder === "") continue;
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix);
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}
