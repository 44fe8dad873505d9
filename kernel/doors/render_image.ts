/**
 * Results of the commands about the image, as text for people.
 *
 * Owns the looks of `table/image.ts`; see `render.ts` for what must hold.
 */
import { counted } from "../counted.ts";
import type { Result } from "../commands.ts";
import type { imageCommands } from "../table/image.ts";
import { fit, type Look, type Renderers, safe, size, wrap } from "./look.ts";
import { pad, textWidth } from "./terminal.ts";

type Change = Result<"image_set">["changes"][number];
type Named = { readonly oid: string; readonly name: string };

/** One function a command. */
export const imageRenderers: Renderers<keyof typeof imageCommands> = {
  image_ls({ objects, next }, look) {
    const { bold, cyan, dim } = look.colours;
    if (objects.length === 0) return dim("no object matches");
    const oids = objects.map(({ oid }) => `@${oid}`);
    const names = objects.map(({ name }) => safe(name === "" ? "–" : name, look));
    const [oidWidth, nameWidth] = [widest(oids), Math.min(30, widest(names))];
    const lines = objects.map(({ prototype, slots }, index) => {
      const head = `${pad(oids[index]!, oidWidth)}  `;
      const name = pad(clipped(names[index]!, nameWidth), nameWidth);
      const rest = `  ${prototype === null ? "no parent" : refText(prototype)}, ${
        counted(slots, "slot")
      }`;
      return `${cyan(head)}${bold(name)}${
        dim(fit(safe(rest, look), textWidth(head + name), look))
      }`;
    });
    if (next !== undefined) lines.push(dim(`more behind @${next}: --after ${next}`));
    return lines.join("\n");
  },

  image_get(object, look) {
    const { bold, cyan, dim } = look.colours;
    const { transaction } = object;
    const written = transaction === null
      ? "shown in the image, kept by memory"
      : `transaction ${transaction.tid}, ${when(transaction.time)}`;
    const head = `@${object.oid}`;
    const name = object.name === "" ? "" : ` ${safe(object.name, look)}`;
    const lines = [
      `${cyan(head)}${bold(name)}${dim(fit(`  ${written}`, textWidth(head + name), look))}`,
    ];
    const width = Math.min(30, widest(object.slots.map((slot) => safe(slot.name, look))));
    let holder = "";
    for (const slot of object.slots) {
      if (slot.holder !== undefined && slot.holder.oid !== holder) {
        holder = slot.holder.oid;
        lines.push(dim(`from ${refText(slot.holder)}`));
      }
      const label = `  ${pad(safe(slot.name, look), width)}  `;
      lines.push(
        slot.type === "method"
          ? `${bold(label)}${dim(`method(${slot.parameters?.join(", ")}), ${slot.language}`)}\n${
            indented(slot.source ?? "", look)
          }`
          : slot.type === "primitive"
          ? `${bold(label)}${dim(`primitive ${safe(slot.primitive ?? "", look)}`)}`
          : `${bold(label)}${
            fit(
              safe(parentText(object, slot.name) ?? valueText(slot.value), look),
              textWidth(label) + (slot.read_only ? 11 : 0),
              look,
            )
          }${slot.read_only ? dim("  read-only") : ""}`,
      );
    }
    return lines.join("\n");
  },

  image_new(result, look) {
    return `${look.colours.cyan(`@${result.oid}`)} ${look.colours.bold(safe(result.name, look))}\n${
      committed(result, look)
    }`;
  },

  image_set: (result, look) => committed(result, look),
  image_rm: (result, look) => committed(result, look),

  image_send(result, look) {
    const value = safe(valueText(result.value), look);
    return result.changes.length === 0 ? value : `${value}\n${committed(result, look)}`;
  },

  image_log({ object, transactions }, look) {
    const { bold, cyan, dim } = look.colours;
    if (transactions.length === 0) return dim("no transaction");
    const width = widest(transactions.map(({ tid }) => String(tid)));
    return transactions.flatMap(({ tid, time, user, description, objects, changes }) => {
      const head = `${pad(String(tid), width)}  ${when(time)}  `;
      const what = description === "" ? "(no description)" : description;
      const line = `${cyan(head)}${
        bold(fit(safe(`${what}${user === "" ? "" : `, ${user}`}`, look), textWidth(head), look))
      }`;
      if (object !== undefined) {
        return [line, ...(changes ?? []).map((change) => `  ${changeText(change, look, false)}`)];
      }
      const shown = objects.slice(0, 6).map(refText).join(", ") +
        (objects.length > 6 ? ` and ${objects.length - 6} more` : "");
      const indent = " ".repeat(width + 2);
      return [
        line,
        ...(shown === "" ? [] : [dim(indent + fit(safe(shown, look), indent.length, look))]),
      ];
    }).join("\n");
  },

  image_undo(result, look) {
    const { bold } = look.colours;
    const turns = result.turns.map(({ conversation, question, change }) => {
      const which = conversation === "" ? "the conversation" : `the conversation "${conversation}"`;
      const does = change === "removed" ? "no longer goes on with" : "goes on again with";
      return fit(safe(`${which} ${does} "${question}"`, look), 0, look);
    });
    return [
      bold(`took back ${result.undone.join(", ")}`),
      ...turns,
      committed(result, look),
    ].join("\n");
  },

  image_pack(result, look) {
    const { bold, dim } = look.colours;
    const { objects, revisions, transactions, blobs, bytes_before, bytes_after } = result;
    const removed = [
      counted(revisions, "revision"),
      counted(objects, "object"),
      counted(blobs, "blob"),
      counted(transactions, "transaction"),
    ].join(", ");
    const kept = result.up_to === 0
      ? "all of the past is kept"
      : `kept from transaction ${result.up_to} on`;
    const sizes = `${size(bytes_before)} before, ${size(bytes_after)} after`;
    return `${bold(`removed ${removed}`)}\n${dim(`${kept}; ${sizes}`)}`;
  },

  image_check({ problems, transactions, objects, revisions, blobs, tail }, look) {
    const { bold, green, red, cyan, dim } = look.colours;
    const end = tail === undefined ? [] : wrap(tail.detail, look).map((line) => dim(line));
    const read = [
      counted(objects, "object"),
      counted(revisions, "revision"),
      counted(blobs, "blob"),
      counted(transactions, "transaction"),
    ].join(", ");
    if (problems.length === 0) return [`${green("sound")}: ${read}`, ...end].join("\n");
    const shown = problems.slice(0, MOST_PROBLEMS).flatMap(({ oid, tid, problem }) => [
      cyan(
        oid === undefined
          ? tid === undefined ? "the file" : `transaction ${tid}`
          : `@${oid}${tid === undefined ? "" : `, transaction ${tid}`}`,
      ),
      ...wrap(safe(problem, look), look, 2).map((line) => `  ${line}`),
    ]);
    return [
      `${red(bold(counted(problems.length, "problem")))} in ${read}`,
      ...shown,
      ...(problems.length > MOST_PROBLEMS
        ? [dim(`… ${problems.length - MOST_PROBLEMS} more; --json lists all`)]
        : []),
      ...end,
      dim('"batos ingest --rebuild" saves what can be read of a damaged file into a new one'),
    ].join("\n");
  },

  image_export({ file, objects, blobs, bytes, ...object }, look) {
    const what = `${refText(object)}: ${counted(objects, "object")}, ${counted(blobs, "blob")}, ${
      size(bytes)
    }`;
    return safe(`${what} in "${file}"`, look);
  },

  image_import({ objects, blobs, tid, ...object }, look) {
    const head = `${look.colours.cyan(`@${object.oid}`)} ${
      look.colours.bold(safe(object.name, look))
    }`;
    return `${head}\n${
      look.colours.dim(
        `${counted(objects, "object")}, ${counted(blobs, "blob")}, transaction ${tid}`,
      )
    }`;
  },
};

/** Problems listed in text; more of them say nothing new. */
const MOST_PROBLEMS = 20;

/** The parent that an own slot names, with its name. */
function parentText({ parents }: Result<"image_get">, slot: string): string | undefined {
  const parent = parents.find((one) => one.slot === slot);
  return parent && refText(parent);
}

function committed(
  { tid, changes }: { readonly tid: number | null; readonly changes: readonly Change[] },
  look: Look,
): string {
  const { dim } = look.colours;
  if (changes.length === 0) return dim("nothing changed");
  return [
    ...changes.map((change) => changeText(change, look, true)),
    dim(tid === null ? "dry run: nothing was written" : `transaction ${tid}`),
  ].join("\n");
}

function changeText(change: Change, look: Look, withObject: boolean): string {
  const { green, yellow, red } = look.colours;
  const mark = { added: green("+"), changed: yellow("~"), removed: red("-") }[change.change];
  const where = (withObject ? refText(change) : "") +
    (change.slot === undefined ? "" : `${withObject ? " " : ""}${change.slot}`);
  const value = change.value === undefined ? "" : ` = ${valueText(change.value)}`;
  return `${mark} ${fit(safe(where === "" ? "the object" : where + value, look), 4, look)}`;
}

/** `@12 todo`, or the OID alone. */
function refText({ oid, name }: Named): string {
  return name === "" ? `@${oid}` : `@${oid} ${name}`;
}

/** A value in a line: JSON, with references as they are typed. */
function valueText(value: unknown): string {
  if (typeof value === "object" && value !== null && Object.keys(value).length === 1) {
    if ("$ref" in value) return `@${String(value.$ref)}`;
    if ("$bigint" in value) return `${String(value.$bigint)}n`;
    if ("$number" in value) return String(value.$number);
    if ("$date" in value) return String(value.$date);
  }
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  return JSON.stringify(value) ?? "nothing";
}

function when(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}

function indented(text: string, look: Look): string {
  return text.trimEnd().split("\n").map((line) => `    ${fit(safe(line, look), 4, look)}`).join(
    "\n",
  );
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(textWidth));
}

function clipped(text: string, width: number): string {
  return textWidth(text) <= width ? text : `${text.slice(0, width - 1)}…`;
}
