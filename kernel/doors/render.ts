/**
 * Results of commands as text for people: one pure function a command, from a result to lines.
 *
 * Owns the looks of the command line and nothing else: it reads no file and decides nothing. What must hold: everything
 * that came from a file goes through `printable` when a terminal shows it; a place is printed as `path:start-end`, which
 * terminals and editors make clickable. The functions stand in `render_….ts`, one file a part of the command table.
 */
import type { CommandName, Result } from "../commands.ts";
import type { Look, Renderers } from "./look.ts";
import { adapterRenderers } from "./render_adapters.ts";
import { auditRenderers } from "./render_audit.ts";
import { codeRenderers } from "./render_code.ts";
import { conversationRenderers } from "./render_conversations.ts";
import { entropyRenderers } from "./render_entropy.ts";
import { imageRenderers } from "./render_image.ts";
import { keyRenderers } from "./render_keys.ts";
import { mcpRenderers } from "./render_mcp.ts";
import { serviceRenderers } from "./render_service.ts";
import { modelRenderers } from "./render_models.ts";

export type { Look } from "./look.ts";
export { excerpt, numbered } from "./render_code.ts";

const renderers: Renderers<CommandName> = {
  ...codeRenderers,
  ...conversationRenderers,
  ...imageRenderers,
  ...auditRenderers,
  ...entropyRenderers,
  ...mcpRenderers,
  ...serviceRenderers,
  ...keyRenderers,
  ...modelRenderers,
  ...adapterRenderers,
};

/** Text of one result, line ends included; empty when there is nothing to show. */
export function render<N extends CommandName>(name: N, result: Result<N>, look: Look): string {
  const text = renderers[name](result, look);
  return text === "" || text.endsWith("\n") ? text : text + "\n";
}
