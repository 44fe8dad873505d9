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
  model_pull({ reference, path, bytes, pulled }, look: Look) {
    const { bold, dim } = look.colours;
    const head = `${pulled ? "pulled" : "here already"}: ${bold(safe(reference, look))}`;
    return `${head}\n${dim(`${size(bytes)}  ${safe(path, look)}`)}`;
  },

  model_list({ folder, in_use, chosen_by, models, recommended }, look: Look) {
    const { bold, cyan, dim, green, yellow } = look.colours;
    const lines: string[] = [];
    if (models.length === 0) lines.push(dim(`no model in "${safe(folder, look)}"`));
    const sizes = models.map((model) => size(model.bytes));
    const width = Math.max(0, ...sizes.map((each) => each.length));
    models.forEach(({ reference, complete, in_use: isUsed }, index) => {
      const note = (isUsed ? green("  (in use)") : "") + (complete ? "" : yellow("  (unfinished)"));
      const room = (isUsed ? 10 : 0) + (complete ? 0 : 14);
      const head = `${pad(sizes[index]!, width)}  `;
      const name = fit(safe(reference, look), textWidth(head) + room, look);
      lines.push(`${dim(head)}${bold(name)}${note}`);
    });
    lines.push("", `${dim("in use here:")} ${fit(safe(in_use, look), 13, look)}`);
    lines.push(dim(`chosen by: ${chosen_by}`));
    lines.push(
      "",
      bold("Names to begin with"),
      dim("As their publisher states them; not tried by us."),
    );
    for (const { reference, gigabytes, memory_gigabytes, fits } of recommended) {
      const head = `${`${gigabytes}`.padStart(5)} GB, for ${`${memory_gigabytes}`.padStart(2)} GB${
        fits === false ? " (more than here)" : ""
      }`;
      lines.push(`${dim(head)}\n    ${cyan(safe(reference, look))}`);
    }
    return lines.join("\n");
  },

  model_use({ model, previous }, look: Look) {
    const { bold, dim } = look.colours;
    const before = previous === null ? "" : dim(`  (before: ${safe(previous, look)})`);
    return `${bold(safe(model, look))} answers in this workspace from now on${before}`;
  },

  model_rm({ reference, removed, bytes }, look: Look) {
    const name = safe(reference, look);
    return removed ? `removed ${name}, ${size(bytes)} freed` : `no model "${name}" here`;
  },
};
