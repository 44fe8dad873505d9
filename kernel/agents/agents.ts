/**
 * Coding agents that can be told of an MCP server: where each keeps its configuration, and in which form.
 *
 * Owns the table, taken from the documentation of each agent; pure. What must hold: an entry names a file that the agent reads
 * without being told, and a shape that it documents.
 */
import { join } from "node:path";

/** How a server is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
}

/** Folders that paths of configuration are made from. */
export interface Folders {
  /** Root of the workspace. */
  readonly root: string;
  /** The user's home. */
  readonly home: string;
  /** `Deno.build.os`. */
  readonly os: string;
}

/** One agent. */
export interface Agent {
  readonly title: string;
  /** Its documentation about MCP servers. */
  readonly source: string;
  readonly format: "json" | "toml";
  /** Keys that lead to the servers. */
  readonly keys: readonly string[];
  /** File for everybody who works on the repository; undefined where the agent has none. */
  readonly project?: (folders: Folders) => string;
  /** File for all that the user works on; undefined where the agent has none. */
  readonly user?: (folders: Folders) => string;
  /** Folders in the home and in the workspace that only somebody who uses the agent has, and its programs. */
  readonly traces: { readonly home: readonly string[]; readonly root: readonly string[] };
  readonly programs: readonly string[];
  /** The entry of a server; the common form `{command, args}` where there is none. */
  readonly entry?: (launch: Launch, scope: "project" | "user") => Record<string, unknown>;
}

/** The agents, by the names under which a person asks for them. */
export const agents = {
  claude: {
    title: "Claude Code",
    source: "https://code.claude.com/docs/en/mcp",
    format: "json",
    keys: ["mcpServers"],
    project: ({ root }) => join(root, ".mcp.json"),
    user: ({ home }) => join(home, ".claude.json"),
    traces: { home: [".claude", ".claude.json"], root: [".claude", ".mcp.json"] },
    programs: ["claude"],
    entry: (launch) => ({ type: "stdio", ...launch }),
  },
  cursor: {
    title: "Cursor",
    source: "https://cursor.com/docs/context/mcp",
    format: "json",
    keys: ["mcpServers"],
    project: ({ root }) => join(root, ".cursor", "mcp.json"),
    user: ({ home }) => join(home, ".cursor", "mcp.json"),
    traces: { home: [".cursor"], root: [".cursor"] },
    programs: ["cursor", "cursor-agent"],
  },
  vscode: {
    title: "VS Code",
    source: "https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
    format: "json",
    keys: ["servers"],
    project: ({ root }) => join(root, ".vscode", "mcp.json"),
    user: (folders) => join(vscodeFolder(folders), "mcp.json"),
    traces: { home: [".vscode"], root: [".vscode"] },
    programs: ["code"],
    // It starts servers in a folder of its choice, and says where the workspace is.
    entry: ({ command, args }, scope) => ({
      type: "stdio",
      command,
      args: scope === "project" ? [...args, "--repo", "${workspaceFolder}"] : args,
    }),
  },
  codex: {
    title: "Codex",
    source: "https://developers.openai.com/codex/mcp",
    format: "toml",
    keys: ["mcp_servers"],
    project: ({ root }) => join(root, ".codex", "config.toml"),
    user: ({ home }) => join(home, ".codex", "config.toml"),
    traces: { home: [".codex"], root: [".codex"] },
    programs: ["codex"],
  },
  gemini: {
    title: "Gemini CLI",
    source: "https://geminicli.com/docs/tools/mcp-server",
    format: "json",
    keys: ["mcpServers"],
    project: ({ root }) => join(root, ".gemini", "settings.json"),
    user: ({ home }) => join(home, ".gemini", "settings.json"),
    traces: { home: [".gemini"], root: [".gemini"] },
    programs: ["gemini"],
  },
  opencode: {
    title: "opencode",
    source: "https://opencode.ai/docs/mcp-servers",
    format: "json",
    keys: ["mcp"],
    project: ({ root }) => join(root, "opencode.json"),
    user: ({ home }) => join(home, ".config", "opencode", "opencode.json"),
    traces: { home: [".config/opencode"], root: ["opencode.json", ".opencode"] },
    programs: ["opencode"],
    entry: ({ command, args }) => ({ type: "local", command: [command, ...args], enabled: true }),
  },
  zed: {
    title: "Zed",
    source: "https://zed.dev/docs/ai/mcp",
    format: "json",
    keys: ["context_servers"],
    project: ({ root }) => join(root, ".zed", "settings.json"),
    user: ({ home }) => join(home, ".config", "zed", "settings.json"),
    traces: { home: [".config/zed"], root: [".zed"] },
    programs: ["zed", "zeditor"],
    entry: (launch) => ({ ...launch, env: {} }),
  },
  continue: {
    title: "Continue",
    source: "https://docs.continue.dev/customize/deep-dives/mcp",
    format: "json",
    keys: ["mcpServers"],
    // It takes every file of this folder, in the form that other agents use as well.
    project: ({ root }) => join(root, ".continue", "mcpServers", "batos.json"),
    traces: { home: [".continue"], root: [".continue"] },
    programs: ["cn"],
  },
  windsurf: {
    title: "Windsurf",
    source: "https://docs.windsurf.com/windsurf/cascade/mcp",
    format: "json",
    keys: ["mcpServers"],
    user: ({ home }) => join(home, ".codeium", "windsurf", "mcp_config.json"),
    traces: { home: [".codeium/windsurf"], root: [".windsurf"] },
    programs: ["windsurf"],
  },
} as const satisfies Record<string, Agent>;

/** Names of the table. */
export type AgentName = keyof typeof agents;

export const AGENT_NAMES = Object.keys(agents) as [AgentName, ...AgentName[]];

/** Where VS Code keeps what is the user's. */
function vscodeFolder({ home, os }: Folders): string {
  if (os === "darwin") return join(home, "Library", "Application Support", "Code", "User");
  if (os === "windows") return join(home, "AppData", "Roaming", "Code", "User");
  return join(home, ".config", "Code", "User");
}
