/**
 * Checks of what surrounds batos: the runtime, git, the network fence, the workspace folder and its lock.
 *
 * Owns these checks; what the parts know about themselves is checked by `main.ts`. What must hold: nothing is written, nothing
 * is waited for, no check throws.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "./commands.ts";
import { describeHolder, WorkspaceLock } from "./workspace_lock.ts";

/** One line of `doctor`. */
export type Check = Result<"doctor">["checks"][number];

/** Oldest runtime that batos is tested with. */
const MIN_DENO = [2, 9];

/** Runs a check that may throw; what it throws is its failure. */
export async function check(
  name: string,
  look: () => Promise<Omit<Check, "name">> | Omit<Check, "name">,
): Promise<Check> {
  try {
    return { name, ...await look() };
  } catch (error) {
    return {
      name,
      status: "failure",
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}

/**
 * Checks everything around a workspace.
 *
 * @param root absolute path of the workspace
 * @param folder its state folder, which may be missing
 */
export async function checkSurroundings(root: string, folder: string): Promise<Check[]> {
  return await Promise.all([
    check("deno", () => {
      const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
      const good = major > MIN_DENO[0]! || (major === MIN_DENO[0] && minor >= MIN_DENO[1]!);
      const detail = `${Deno.version.deno}, V8 ${Deno.version.v8}`;
      return good
        ? { status: "ok", detail }
        : { status: "warning", detail, remedy: `use ${MIN_DENO.join(".")} or later` };
    }),
    check("git", () => checkGit(root)),
    check("network", async () => {
      const { state } = await Deno.permissions.query({ name: "net" });
      return state === "granted"
        ? {
          status: "ok",
          detail: "not fenced off: this process was started with the permission to use it",
        }
        : {
          status: "ok",
          detail: "fenced off: the runtime refuses every connection of this process",
        };
    }),
    check("workspace", () => {
      if (Deno.permissions.querySync({ name: "write", path: root }).state !== "granted") {
        return {
          status: "ok",
          detail: `${root} (this process may not write, so that was not tried)`,
        };
      }
      if (!existsSync(folder)) return { status: "ok", detail: root };
      const problem = writeProblem(folder, false);
      if (problem === undefined) return { status: "ok", detail: root };
      return {
        status: "warning",
        detail: `${root}: the index can be read but not brought up to date (${problem})`,
        remedy: "give the right to write there, or copy the repository",
      };
    }),
    check("lock", () => {
      const holder = WorkspaceLock.holder(join(folder, "lock"));
      return holder === undefined ? { status: "ok", detail: "free" } : {
        status: "ok",
        detail: `held by ${describeHolder(holder === "unknown" ? undefined : holder)}`,
      };
    }),
  ]);
}

/**
 * Why a state folder cannot be written; nothing if it can. Tries it on the lock file, whose content means nothing: rights, read-only
 * file systems and the permissions of the runtime are all seen that way, and nothing else is.
 *
 * @param make whether to make the folder and the file when they are missing
 */
export function writeProblem(folder: string, make: boolean): string | undefined {
  try {
    if (make) Deno.mkdirSync(folder, { recursive: true });
    Deno.openSync(join(folder, "lock"), { write: true, create: make }).close();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !make) return undefined;
    const { message } = error as Error;
    return message.replace(/ \(os error \d+\).*$/s, "").replace(/^.*?: /, "").toLowerCase();
  }
}

async function checkGit(root: string): Promise<Omit<Check, "name">> {
  const without =
    "ignore files are read without it; tracked files that are ignored are missing, and so is history";
  try {
    const version = await git(["--version"], root);
    const inside = await git(["rev-parse", "--is-inside-work-tree"], root);
    const place = inside.startsWith("true") ? "" : "; the workspace is not a repository";
    return { status: "ok", detail: version.replace(/^git version /, "").trim() + place };
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    return {
      status: "warning",
      detail: missing ? `not installed: ${without}` : `${(error as Error).message}: ${without}`,
      remedy: missing ? "install git" : "allow this process to run git",
    };
  }
}

async function git(args: string[], cwd: string): Promise<string> {
  const { stdout } = await new Deno.Command("git", { args, cwd, stdin: "null", stderr: "null" })
    .output();
  return new TextDecoder().decode(stdout);
}
