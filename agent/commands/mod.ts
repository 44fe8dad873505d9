/**
 * What the commands do: the handlers of the command table, over memory, the agent and the kernel.
 *
 * A part of the agent's room with a door of its own, since every command passes through it and few need the rest: the agent itself, the
 * parsers and models are loaded inside the handlers that need them. Start with `place.ts` (where a command works); the handlers stand
 * in one file a part of the table; `kept.ts` is what stays open while a process serves many.
 *
 * @module
 */
import { type Handlers, modelHandlers, recordCommands, recordLogCuts } from "../../kernel/mod.ts";
import { askHandlers } from "./ask.ts";
import { codeHandlers } from "./code.ts";
import { entropyHandlers } from "./entropy.ts";
import { imageHandlers } from "./image.ts";
import { ingestHandlers } from "./ingest.ts";
import { keyHandlers } from "./keys.ts";
import { locate, redactor } from "./place.ts";
import { type Program, serveHandlers } from "./serve.ts";

export { locate } from "./place.ts";

/** The handlers of the whole table, as every door gets them: what they do is noted. */
export function commandHandlers(program: Omit<Program, "handlers">): Handlers {
  const handlers: Handlers = {
    ...askHandlers,
    ...codeHandlers,
    ...ingestHandlers,
    ...imageHandlers,
    ...entropyHandlers,
    ...keyHandlers,
    ...serveHandlers({ ...program, handlers: () => recorded }),
    ...modelHandlers({
      locate,
      async parse(name) {
        const choice = (await import("../mod.ts")).parseModelName(name);
        return choice.kind === "llama" ? choice : { name: choice.name };
      },
    }),
  };
  const folderOf = (repo: string | undefined) => locate(repo).folder;
  const recorded = recordLogCuts(
    recordCommands(handlers, folderOf, redactor),
    folderOf,
    redactor,
  );
  return recorded;
}
