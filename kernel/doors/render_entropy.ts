/**
 * Results of the commands about the Composite Entropy Metric, as text for people.
 *
 * Owns the looks of `table/entropy.ts`; see `render.ts` for what must hold. A state is a word beside its colour, never a colour alone.
 */
import type { Result } from "../commands.ts";
import type { entropyCommands } from "../table/entropy.ts";
import { keyValues, type Look, type Renderers, safe, wrap } from "./look.ts";
import { pad } from "./terminal.ts";

type Report = Result<"cem">;

/** Cells of the scale from 0 to 1: fits beside its numbers in 80 columns. */
const CELLS = 50;
/** Heights of a trend, from low to high. */
const LEVELS = "▁▂▃▄▅▆▇█";

/** One function a command. */
export const entropyRenderers: Renderers<keyof typeof entropyCommands> = {
  cem(report, look) {
    const { bold, dim, yellow } = look.colours;
    const { value, state, parts, window, trend, said, problems, settings } = report;
    const { band_low, band_high } = settings;
    const lines = [
      `${bold(`CEM ${shown(value)}`)}  ${coloured(state, look)}  ${
        dim(`band ${shown(band_low)} to ${shown(band_high)}`)
      }`,
    ];
    if (value !== null) lines.push(scale(value, settings, look));
    for (const sentence of said) lines.push(...wrap(safe(sentence, look), look));
    if (window !== null) {
      lines.push("");
      for (const { name, value, weight, means, said } of parts) {
        lines.push(
          `${pad(`H_${name}`, 7)} ${bold(shown(value))}  ${dim(`× ${shown(weight)}  ${means}`)}`,
          ...wrap(safe(said, look), look, 8).map((line) => " ".repeat(8) + line),
        );
      }
      const { cycles, before, since, until } = window;
      lines.push(
        "",
        dim(
          `${cycles} questions, ${day(since)} to ${day(until)}, beside ${before} before them`,
        ),
      );
      if (trend.length > 1) lines.push(trendLine(trend, look));
    }
    for (const problem of problems) {
      lines.push(...wrap(safe(problem, look), look).map((line) => yellow(line)));
    }
    return lines.join("\n");
  },

  cem_set({ tid, changes, settings }, look) {
    const rows = Object.entries(settings).map(([name, value]): [string, string] => {
      const changed = changes.some(({ slot }) => slot === name);
      return [name, `${value}${changed ? "  changed" : ""}`];
    });
    const head = tid === null ? "as it was" : `transaction ${tid}`;
    return `${look.colours.bold(head)}\n${keyValues(rows, look)}`;
  },
};

/** Two digits, or a dash. */
function shown(value: number | null): string {
  return value === null ? "–" : value.toFixed(2);
}

function coloured(state: Report["state"], { colours }: Look): string {
  const words = {
    below: "below its band",
    within: "within its band",
    above: "above its band",
    unknown: "not known",
  };
  return state === "within" ? colours.green(words[state]) : colours.yellow(words[state]);
}

/** From 0 to 1: the band drawn thick, the value as a mark. */
function scale(
  value: number,
  { band_low, band_high }: Report["settings"],
  { colours }: Look,
): string {
  const at = (share: number) => Math.min(CELLS - 1, Math.floor(share * CELLS));
  const [low, high, mark] = [at(band_low), at(band_high), at(value)];
  const cells = Array.from(
    { length: CELLS },
    (_, cell) =>
      cell === mark ? colours.bold("●") : low <= cell && cell <= high ? "━" : colours.dim("┈"),
  );
  return `0 ${cells.join("")} 1`;
}

/** The windows before, as heights and as numbers; one that is not known is a dot. */
function trendLine(trend: Report["trend"], { colours }: Look): string {
  const bars = trend.map(({ value }) =>
    value === null ? "·" : LEVELS[Math.min(LEVELS.length - 1, Math.floor(value * LEVELS.length))]
  );
  const numbers = trend.map(({ value }) => shown(value)).join(" ");
  return colours.dim(`windows, oldest first: ${bars.join("")}  ${numbers}`);
}

function day(time: string): string {
  const date = new Date(time);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${
    two(date.getHours())
  }:${two(date.getMinutes())}`;
}
