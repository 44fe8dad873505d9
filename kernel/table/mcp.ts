/**
 * The part of the command table that is about other agents: the MCP server, and where agents are told of it.
 *
 * Owns their contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { AGENT_NAMES } from "../agents/agents.ts";
import { command, field, foundWhen, repo } from "./entry.ts";

const named = field(
  z.array(z.enum(AGENT_NAMES)).default([]),
  `Which agents: ${AGENT_NAMES.join(", ")}`,
  { placeholder: "AGENT" },
);
const user = field(z.boolean().default(false), "For all workspaces of this user");
const yes = field(z.boolean().default(false), "Write without asking");

/** What became of one file. */
const change = z.object({
  agent: z.enum(AGENT_NAMES),
  path: field(z.string(), "Its configuration, relative to the workspace where it is in it"),
  change: z.enum(["created", "edited", "deleted", "unchanged", "printed"]),
  text: field(
    z.string(),
    "What changed as a unified diff; with --print what belongs into the file",
  ),
});

/** The entries, in the order of `--help`. */
export const mcpCommands = {
  mcp: command({
    summary: "Serve this workspace to coding agents (MCP over stdio)",
    doc:
      "Speaks the Model Context Protocol on standard input and output: search, read, outline, references, impact, ask, " +
      "and summaries as resources. An agent starts it, not a person: `batos mcp install` tells agents how. " +
      "The index is made on the first call and kept current on every other. Ends when its input does.",
    examples: [
      ["mcp", "as an agent starts it"],
      ["mcp --repo ~/src/project", "one repository, wherever it is started"],
      ["mcp install", "tell the agents that are here"],
    ],
    positionals: [],
    local: true,
    input: z.object({ repo }),
    result: z.object({}),
    exit: () => 0,
  }),

  mcp_install: command({
    summary: "Tell coding agents of this workspace's MCP server",
    doc:
      "Writes the server into the configuration of the agents named, or of those that are found here: in the " +
      "workspace, where it can be shared, or with --user for all workspaces. Shows what changes and asks first. " +
      "Other entries, comments and formatting stay; a file that cannot be parsed is refused before any is written.",
    examples: [
      ["mcp install", "the agents that are found here"],
      ["mcp install claude cursor", "these two"],
      ["mcp install codex --user --yes", "for all workspaces, without asking"],
      ["mcp install --print", "what to write by hand"],
    ],
    positionals: ["agents"],
    local: true,
    input: z.object({
      agents: named,
      repo,
      user,
      print: field(z.boolean().default(false), "Print what belongs into the files, write nothing"),
      yes,
    }),
    result: change,
    exit: () => 0,
  }),

  mcp_uninstall: command({
    summary: "Take that back",
    doc:
      "Takes the server out of the configuration of the agents named, or of all of them. A file that is still as " +
      "`install` left it becomes what it was before, to the byte; otherwise the entry alone goes.",
    examples: [
      ["mcp uninstall", "out of every file in the workspace"],
      ["mcp uninstall codex --user", "out of one of the user's"],
    ],
    positionals: ["agents"],
    local: true,
    input: z.object({ agents: named, repo, user, yes }),
    result: change,
    exit: foundWhen((result) => result.change !== "unchanged"),
  }),
};
