/**
 * Results of the commands about other agents, as text for people.
 *
 * Owns the looks of `table/mcp.ts`; see `render.ts` for what must hold.
 */
import type { Result } from "../commands.ts";
import type { mcpCommands } from "../table/mcp.ts";
import { agents } from "../agents/agents.ts";
import { type Look, type Renderers, safe } from "./look.ts";

/** One function a command. */
export const mcpRenderers: Renderers<keyof typeof mcpCommands> = {
  mcp: () => "",
  mcp_install: changed,
  mcp_uninstall: changed,
};

function changed({ agent, path, change, text }: Result<"mcp_install">, look: Look): string {
  const { bold, cyan, dim } = look.colours;
  const { title } = agents[agent];
  // The diff was shown before it was asked about.
  if (change !== "printed") return `${change}  ${cyan(safe(path, look))}  ${dim(title)}`;
  return `${bold(title)}, ${cyan(safe(path, look))}:\n${safe(text, look)}\n`;
}
