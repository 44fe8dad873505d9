/**
 * What the renderers of all commands share: places, counts, sizes, text that fits a width.
 *
 * Pure. What must hold: everything that came from a file goes through `safe` before a terminal shows it.
 */
import type { CommandName, Result } from "../commands.ts";
import { clip, clipStart, type Colours, COLUMNS, pad, printable, textWidth } from "./terminal.ts";

/** How to render. */
export interface Look {
  readonly colours: Colours;
  /** Width to fit into; undefined where a program reads and nothing is cut for width. */
  readonly columns: number | undefined;
  /** Show chunks whole. */
  readonly full: boolean;
  /** Makes shown text a link to a line; absent where nothing can be clicked. */
  readonly link?: (shown: string, path: string, line: number) => string;
}

/** One function a command, from a result to text. */
export type Renderers<Names extends CommandName> = {
  readonly [N in Names]: (result: Result<N>, look: Look) => string;
};

/** `path:start-end`, as terminals and editors make it clickable. */
export function place(at: { path: string; start_line: number; end_line: number }): string {
  return `${at.path}:${at.start_line}-${at.end_line}`;
}

/** The text of a place, clickable where the terminal can. */
export function linked(shown: string, path: string, line: number, look: Look): string {
  return look.link === undefined ? shown : look.link(shown, path, line);
}

/** Milliseconds for people. */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Bytes for people. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes / 1000;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** Text from a file: made printable where a terminal shows it, untouched where a program reads. */
export function safe(text: string, look: Look): string {
  return look.columns === undefined ? text : printable(text);
}

export function fit(text: string, used: number, look: Look): string {
  return look.columns === undefined ? text : clip(text, Math.max(10, look.columns - used));
}

export function fitPath(text: string, used: number, look: Look): string {
  return look.columns === undefined ? text : clipStart(text, Math.max(20, look.columns - used));
}

/** Breaks text at blanks into lines that fit beside an indent. */
export function wrap(text: string, look: Look, indent = 0): string[] {
  const width = Math.max(20, Math.min(look.columns ?? COLUMNS, 100) - indent);
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}

export function keyValues(rows: readonly (readonly [string, string])[], look: Look): string {
  const width = Math.max(...rows.map(([key]) => key.length));
  return rows.map(([key, value]) => {
    const [head = "", ...rest] = wrap(value, look, width + 2);
    return [
      look.colours.dim(pad(key, width)) + "  " + head,
      ...rest.map((line) => " ".repeat(width + 2) + line),
    ]
      .join("\n");
  }).join("\n");
}

/** Name with its innermost scope. */
