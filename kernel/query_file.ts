/**
 * A file of queries, one a line, as `search --queries` takes it.
 *
 * Owns that form. What must hold: a line end at the end of the file opens no further query.
 */
import { CommandError } from "./commands.ts";

/**
 * The lines of a file, or of standard input for `-`.
 * @throws {CommandError} when it cannot be read
 */
export async function readQueries(file: string): Promise<string[]> {
  let text: string;
  try {
    text = file === "-"
      ? await new Response(Deno.stdin.readable).text()
      : Deno.readTextFileSync(file);
  } catch (error) {
    throw new CommandError(`--queries "${file}": ${(error as Error).message}`, { cause: error });
  }
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
