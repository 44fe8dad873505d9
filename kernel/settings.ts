/**
 * What a person decided about a workspace: the file `.batos/settings.json`.
 *
 * Owns the file and its form. It is ground state: a rebuild of the index leaves it alone. What must hold: a file that cannot be
 * understood is an error that names it, never a silent default; the file is replaced whole.
 */
import { isAbsolute, join } from "node:path";
import { z } from "zod";

const schema = z.strictObject({
  /** Subfolder that the workspace is limited to, relative to its root; empty for all of it. */
  root: z.string().default("").refine(isInside, "its root leads out of the workspace"),
  /** Embedder that gives chunks and questions their vectors, as `ingest --embedder` names it; absent: the one that ships. */
  embedder: z.string().min(1).optional(),
  /** Model that answers, as `model use` names it; absent: none was chosen. */
  model: z.string().min(1).optional(),
});

/** Whether a path is in the folder that it is relative to. */
function isInside(path: string): boolean {
  return !isAbsolute(path) && !path.split(/[\\/]/).includes("..");
}

/** Settings of a workspace. */
export type Settings = z.output<typeof schema>;

/**
 * Reads the settings; the defaults where nothing was decided.
 *
 * @param folder the `.batos` folder of the workspace
 * @throws {Error} when the file is not what it should be
 */
export function readSettings(folder: string): Settings {
  const path = join(folder, "settings.json");
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return schema.parse({});
    }
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError
      ? error.issues[0]!.message
      : (error as Error).message;
    throw new Error(`read settings "${path}": ${reason}; correct the file or remove it`, {
      cause: error,
    });
  }
}

/** Writes the settings; makes the folder when it is missing. */
export function writeSettings(folder: string, settings: Settings): void {
  Deno.mkdirSync(folder, { recursive: true });
  const path = join(folder, "settings.json");
  const temporary = `${path}.${Deno.pid}`;
  Deno.writeTextFileSync(temporary, JSON.stringify(settings, null, 2) + "\n");
  Deno.renameSync(temporary, path);
}
