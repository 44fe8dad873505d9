/**
 * Results of the commands about adapters, as text for people.
 *
 * Owns the looks of `table/adapters.ts`; see `render.ts` for what must hold.
 */
import type { Result } from "../commands.ts";
import type { adapterCommands } from "../table/adapters.ts";
import { fit, type Look, type Renderers, safe, size } from "./look.ts";
import { pad, textWidth } from "./terminal.ts";

/** One function a command. */
export const adapterRenderers: Renderers<keyof typeof adapterCommands> = {
  adapter_import: (adapter, look) => lines([adapter], look),

  adapter_list({ adapters }, look) {
    return adapters.length === 0 ? look.colours.dim("no adapter") : lines(adapters, look);
  },

  adapter_rm({ name, removed }, look) {
    const shown = look.colours.bold(safe(name, look));
    return removed ? `forgot ${shown}` : look.colours.dim(`no adapter "${safe(name, look)}"`);
  },
};

function lines(adapters: readonly Result<"adapter_import">[], look: Look): string {
  const { bold, cyan, dim } = look.colours;
  const sizes = adapters.map(({ bytes }) => size(bytes));
  const width = Math.max(...sizes.map((each) => each.length));
  return adapters.map(({ oid, name, scale, base, forms }, at) => {
    const head = `${pad(sizes[at]!, width)}  @${oid}  ${safe(name, look)}  `;
    const factor = scale === 1 ? "" : `× ${scale}, `;
    const from = base === null ? "" : `, trained on ${base}`;
    const rest = fit(safe(`${factor}${forms.join(" and ")}${from}`, look), textWidth(head), look);
    return `${dim(pad(sizes[at]!, width))}  ${cyan(`@${oid}`)}  ${bold(safe(name, look))}  ${
      dim(rest)
    }`;
  }).join("\n");
}
