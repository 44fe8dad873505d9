/**
 * The part of the command table that is about other agents: the MCP server, and where agents are told of it.
 *
 * Owns their contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { command, repo } from "./entry.ts";

/** The entries, in the order of `--help`. */
export const mcpCommands = {
  mcp: command({
    summary: "Serve this workspace to coding agents (MCP over stdio)",
    doc:
      "Speaks the Model Context Protocol on standard input and output: search, read, outline, references, impact, ask, " +
      "and summaries as resources. An agent starts it, not a person. " +
      "The index is made on the first call and kept current on every other. Ends when its input does.",
    examples: [
      ["mcp", "as an agent starts it"],
      ["mcp --repo ~/src/project", "one repository, wherever it is started"],
    ],
    positionals: [],
    local: true,
    input: z.object({ repo }),
    result: z.object({}),
    exit: () => 0,
  }),
};
