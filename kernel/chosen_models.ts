/**
 * Which models a person has chosen on this machine, whatever the workspace.
 *
 * Owns `chosen_models.jsonl` in the user's cache: a name a line, as JSON. The settings of a workspace lie in the workspace, so a repository can
 * bring them along, and a model that they name would be sent its code, or be loaded by native code. What must hold: a model or embedder that only
 * the settings name is used only when it was chosen here at some time by a command; a line that was cut off hides no other.
 */
import { join, resolve } from "node:path";
import { isModelPath } from "./model_place.ts";
import { userCache } from "./user_cache.ts";

/**
 * Remembers a choice.
 * @param name as the settings keep it
 * @param root of the workspace, which paths in names are meant from
 * @throws {ModelError} where the environment names no place for a cache
 */
export function noteChosen(name: string, root: string): void {
  if (!isOfOnesOwn(name) || wasChosen(name, root)) return;
  const folder = userCache();
  Deno.mkdirSync(folder, { recursive: true });
  // The line before may have been cut off by a full disk.
  Deno.writeTextFileSync(pathOf(folder), `\n${JSON.stringify(absolute(name, root))}\n`, {
    append: true,
    mode: 0o600,
  });
}

/** Whether a model or embedder was ever chosen here; those that need nothing beyond the program always were. */
export function wasChosen(name: string, root: string): boolean {
  if (!isOfOnesOwn(name)) return true;
  const wanted = JSON.stringify(absolute(name, root));
  try {
    return Deno.readTextFileSync(pathOf(userCache())).split("\n").includes(wanted);
  } catch {
    // No such file, no place for one, or no right to look: nobody can say that it was.
    return false;
  }
}

/** What to say of a choice that cannot be told from one that a repository brought along. */
export function notChosen(name: string, folder: string, remedy: string): string {
  return `use "${name}": only "${
    join(folder, "settings.json")
  }" names it, which may have come with the repository, and it was never chosen on this machine; expected "${remedy}" once, if you trust it`;
}

function pathOf(folder: string): string {
  return join(folder, "chosen_models.jsonl");
}

/** Names without a colon stand for what ships with the program, or for nothing. */
function isOfOnesOwn(name: string): boolean {
  return name.includes(":");
}

function absolute(name: string, root: string): string {
  const colon = name.indexOf(":") + 1;
  const model = name.slice(colon);
  return isModelPath(model) ? name.slice(0, colon) + resolve(root, model) : name;
}
