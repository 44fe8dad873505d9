/**
 * The results of `serve` as text.
 *
 * Owns the looks of `table/service.ts`; see `render.ts` for what must hold.
 */
import type { serviceCommands } from "../table/service.ts";
import type { Renderers } from "./look.ts";
import { safe } from "./look.ts";

/** One function a command. */
export const serviceRenderers: Renderers<keyof typeof serviceCommands> = {
  serve({ root, endpoint, page, connection_file, remote }, look) {
    const { bold, cyan, dim } = look.colours;
    const lines = [
      `${bold("serving")} ${safe(root, look)}`,
      `  ${dim("endpoint")}  ${cyan(endpoint)}`,
      `  ${dim("key in")}    ${safe(connection_file, look)}`,
    ];
    if (page !== undefined) lines.push(`  ${dim("page")}      ${cyan(safe(page, look))}`);
    if (remote !== undefined) {
      const admitted = `${remote.clients} ${remote.clients === 1 ? "client" : "clients"} admitted`;
      lines.push(
        `  ${dim("remote")}    ${cyan(remote.endpoint)}  ${dim(`CURVE, ${admitted}`)}`,
        `  ${dim("its key")}   ${remote.server_key}`,
      );
    }
    lines.push(dim("Ctrl-C ends it"));
    return lines.join("\n");
  },

  // What it had to say has been said.
  console: () => "",
};
