/**
 * Results of the commands about models, as text for people.
 *
 * Owns the looks of `table/models.ts`; see `render.ts` for what must hold.
 */
import type { modelCommands } from "../table/models.ts";
import { fit, type Look, type Renderers, safe, size } from "./look.ts";
import { pad, textWidth } from "./terminal.ts";

/** One function a command. */
export const modelRenderers: Renderers<keyof typeof modelCommands> = {
  model_list({ folder, models }, look: Look) {
    const { bold, dim, yellow } = look.colours;
    if (models.length === 0) return dim(`no model in "${safe(folder, look)}"`);
    const sizes = models.map((model) => size(model.bytes));
    const width = Math.max(...sizes.map((each) => each.length));
    return models.map(({ reference, complete }, index) => {
      const note = complete ? "" : "  (unfinished)";
      const head = `${pad(sizes[index]!, width)}  `;
      const name = fit(safe(reference, look), textWidth(head + note), look);
      return `${dim(head)}${bold(name)}${yellow(note)}`;
    }).join("\n");
  },
};
