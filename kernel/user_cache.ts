/**
 * Where batos keeps what belongs to a person and not to one workspace: a folder in the user's cache.
 *
 * Owns which folder that is. What must hold: it is never in a workspace; nothing is made by asking.
 */
import { isAbsolute, join } from "node:path";
import { ModelError } from "./model_reference.ts";

/**
 * The folder in the user's cache; it may be missing.
 * @throws {ModelError} where the environment names no place for a cache
 */
export function userCache(): string {
  const variable = (name: string) => {
    const value = Deno.env.get(name);
    return value !== undefined && isAbsolute(value) ? value : undefined;
  };
  const home = variable("HOME");
  const caches = Deno.build.os === "windows"
    ? variable("LOCALAPPDATA")
    : Deno.build.os === "darwin"
    ? home && join(home, "Library", "Caches")
    : variable("XDG_CACHE_HOME") ?? (home && join(home, ".cache"));
  if (caches === undefined) {
    throw new ModelError(
      `no place for models: ${
        Deno.build.os === "windows" ? "LOCALAPPDATA" : "HOME"
      } is not set; set it, or name a folder`,
    );
  }
  return join(caches, "batos");
}
