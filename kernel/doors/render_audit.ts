/**
 * Results of the command about the audit trail, as text for people.
 *
 * Owns the looks of `table/audit.ts`; see `render.ts` for what must hold.
 */
import { counted } from "../counted.ts";
import type { TrailLine } from "../audit/event.ts";
import type { auditCommands } from "../table/audit.ts";
import { duration, fit, type Look, type Renderers, safe, wrap } from "./look.ts";
import { clip, pad, textWidth } from "./terminal.ts";

/** Digits of a cycle that tell it from the others of a screen; `--cycle` takes them. */
const SHORT = 8;
/** Longest text of one field where no width cuts the line. */
const LONGEST = 400;
/** Fields that say most of an event, in the order in which they are looked for. */
const TELLING = [
  "question",
  "subject",
  "action",
  "from",
  "to",
  "model",
  "reason",
  "error",
  "observation",
  "answer",
];

/** One function a command. */
export const auditRenderers: Renderers<keyof typeof auditCommands> = {
  audit(result, look: Look) {
    const { cyan, dim, green, red, yellow } = look.colours;
    if ("whole" in result) {
      const { whole, verified, files, broken } = result;
      const proved = `${counted(verified, "line")} in ${counted(files.length, "file")}`;
      if (whole) return `${green("whole")}  ${proved}`;
      return `${red("broken")}  ${broken!.file}, line ${broken!.line}: ${
        safe(broken!.reason, look)
      }\n        ${
        dim(`${counted(verified, "line")} before it ${verified === 1 ? "is" : "are"} sound`)
      }`;
    }
    const event = result as TrailLine;
    const head = `${localTime(event.timestamp)}  ${event.cycle_id.slice(0, SHORT)}  `;
    const mark = event.status === "FAILURE" ? "!" : event.status === "IN_PROGRESS" ? ">" : " ";
    const type = pad(event.event_type, 16);
    const text = fit(safe(describe(event), look), textWidth(head + type) + 3, look);
    const colour = event.status === "FAILURE" ? yellow : (plain: string) => plain;
    return `${dim(localTime(event.timestamp))}  ${cyan(event.cycle_id.slice(0, SHORT))} ${
      colour(mark + type)
    }  ${text}`.trimEnd();
  },

  drift({ window, baseline, drivers, measures, said }, look) {
    const { bold, dim, yellow } = look.colours;
    const lines = said.flatMap((sentence) => wrap(safe(sentence, look), look));
    if (window === null) return lines.join("\n");
    const number = (value: number | null, unit: string) =>
      value === null
        ? "–"
        : unit === "share"
        ? `${Math.round(value * 100)} %`
        : unit === "ms"
        ? duration(value)
        : String(Math.round(value * 10) / 10);
    lines.push("", dim(`${pad("", 12)}${pad("before", 10)}${pad("now", 10)}windows, oldest first`));
    for (const { name, unit, now, before, change, slow, course } of measures) {
      const isNews = change === "more" || change === "less" || slow !== "none";
      const row = `${pad(name.replace("_ms", ""), 12)}${pad(number(before, unit), 10)}${
        pad(number(now, unit), 10)
      }`;
      const windows = fit(course.map((one) => number(one, unit)).join("  "), textWidth(row), look);
      lines.push(`${isNews ? yellow(bold(row)) : row}${dim(windows)}`);
    }
    const others = baseline!.cycles - baseline!.alike;
    const by = safe(drivers.join(", "), look);
    lines.push(
      "",
      ...wrap(
        `${window.cycles} questions${by && `, answered by ${by}`}, beside ${
          baseline!.alike
        } before them${others > 0 ? ` (costs; ${others} more by others, or failed)` : ""}`,
        look,
      ).map((line) => dim(line)),
    );
    return lines.join("\n");
  },
};

function describe({ event_type: type, event_data: data }: TrailLine): string {
  if (type === "ANSWER" && Array.isArray(data.citations)) {
    const cited = data.found === false
      ? "nothing found"
      : counted(data.citations.length, "citation");
    return `${cited}, ${data.driver}, ${counted(Number(data.steps), "step")}, ${
      duration(Number(data.ms))
    }`;
  }
  if (type === "REFUSAL" || type === "UNDELIVERED") return refusal(data);
  const said: string[] = [];
  if (typeof data.command === "string") said.push(data.command);
  for (const field of TELLING) {
    const value = data[field];
    if (typeof value === "string" && value !== "") said.push(value);
    if (field === "action" && typeof data.arguments === "object" && data.arguments !== null) {
      said.push(...Object.values(data.arguments).filter((each) => typeof each === "string"));
    }
  }
  if (said.length === 0) said.push(JSON.stringify(data));
  return clip(said.join("  ").replace(/\s+/g, " ").trim(), LONGEST);
}

/** The reason comes first: a terminal has room for little more. */
function refusal({ door, reason, detail, peer, address, count, peers }: TrailLine["event_data"]) {
  const many = typeof count === "number" && count > 1;
  const who = many ? peers : [peer, address].filter(Boolean).join(" at ");
  return `${reason}${many ? ` ×${count}` : ""} at ${door}: ${detail}${who ? `; from ${who}` : ""}`;
}

function localTime(timestamp: string): string {
  const date = new Date(timestamp);
  const two = (part: number) => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
