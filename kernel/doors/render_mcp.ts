/**
 * Results of the commands about other agents, as text for people.
 *
 * Owns the looks of `table/mcp.ts`; see `render.ts` for what must hold.
 */
import type { mcpCommands } from "../table/mcp.ts";
import type { Renderers } from "./look.ts";

/** One function a command. */
export const mcpRenderers: Renderers<keyof typeof mcpCommands> = {
  mcp: () => "",
};
