/**
 * The part of the command table that is about models.
 *
 * Owns their contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { command, field, foundWhen, repo } from "./entry.ts";

/** The entries, in the order of `--help`. */
export const modelCommands = {
  model_list: command({
    summary: "List the models that are on this machine",
    doc:
      "All workspaces share them. A model that is marked unfinished goes on where it stopped when it is pulled again.",
    examples: [["model list", "references, sizes, whether they are whole"]],
    positionals: [],
    input: z.object({ repo }),
    result: z.object({
      folder: field(z.string(), "Where the models lie"),
      models: z.array(z.object({
        reference: field(z.string(), "Name by which other commands take it"),
        path: z.string(),
        bytes: field(z.int().min(0), "On disk, parts of an unfinished pull included"),
        complete: field(z.boolean(), "Whether it can be used as it is"),
      })),
    }),
    exit: foundWhen((result) => result.models.length > 0),
  }),
};
