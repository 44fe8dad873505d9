/**
 * Figures as Markdown tables, for the terminal and for the README.
 *
 * Pure. A cell is text or a number; numbers are written with the digits that mean something, thousands apart.
 */

export type Cell = string | number | boolean | null | undefined;

/** A Markdown table; columns of numbers are aligned to the right, all columns padded so that it reads as plain text. */
export function markdownTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = rows.map((row) => head.map((_, at) => formatCell(row[at])));
  const numeric = head.map((_, at) =>
    rows.length > 0 && rows.every((row) => row[at] == null || isFigure(row[at]))
  );
  const widths = head.map((title, at) =>
    Math.max(3, title.length, ...cells.map((row) => row[at]!.length))
  );
  const line = (row: readonly string[]) =>
    `| ${
      row.map((cell, at) => numeric[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))
        .join(" | ")
    } |`;
  const rule = widths.map((width, at) =>
    numeric[at] ? "-".repeat(width - 1) + ":" : "-".repeat(width)
  );
  return [line(head), line(rule), ...cells.map(line)].join("\n");
}

/** A number, or one that was written with digits of the caller's choice. */
function isFigure(value: Cell): boolean {
  return typeof value === "number" || (typeof value === "string" && /^-?[\d.,]+$/.test(value));
}

/** A figure as a person reads it. */
export function formatCell(value: Cell): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value.replaceAll("|", "\\|").replaceAll("\n", " ");
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  // Four digits behind the point are all that any result keeps.
  return String(Number(value.toFixed(4)));
}

/** Words for a key of a result: `peak_mb` is "peak mb". */
function label(key: string): string {
  return key.replaceAll("_", " ");
}

function isCell(value: unknown): value is Cell {
  return value === null || typeof value !== "object";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A flat record has nothing but cells and lists of cells. */
function isFlat(value: unknown): value is Record<string, unknown> {
  return isRecord(value) &&
    Object.values(value).every((one) => isCell(one) || (Array.isArray(one) && one.every(isCell)));
}

function toCell(value: unknown): Cell {
  return Array.isArray(value)
    ? `[${value.map((one) => formatCell(one as Cell)).join(", ")}]`
    : value as Cell;
}

/**
 * A whole result as text: single figures as a list of two columns, records alike as the rows of one table, the rest under a
 * heading of its own.
 */
export function renderResult(result: object, title = ""): string {
  const parts: string[] = [];
  const single: [string, Cell][] = [];
  const flat: [string, Record<string, unknown>][] = [];
  const nested: [string, object][] = [];
  for (const [key, value] of Object.entries(result)) {
    if (isCell(value)) single.push([label(key), value]);
    else if (Array.isArray(value) && value.every(isCell)) single.push([label(key), toCell(value)]);
    else if (isFlat(value)) flat.push([key, value]);
    else nested.push([key, value as object]);
  }
  if (single.length) parts.push(markdownTable([title || "figure", "value"], single));
  for (const group of alike(flat)) {
    const columns = [...new Set(group.flatMap(([, row]) => Object.keys(row)))];
    // One record alone reads better downwards.
    if (group.length === 1) {
      const [key, row] = group[0]!;
      const rows = columns.map((column) => [label(column), toCell(row[column])]);
      parts.push(markdownTable([titleOf(title, key), "value"], rows));
      continue;
    }
    const rows = group.map(([key, row]) => [label(key), ...columns.map((c) => toCell(row[c]))]);
    parts.push(markdownTable([title, ...columns.map(label)], rows));
  }
  for (const [key, value] of nested) {
    if (!Array.isArray(value)) parts.push(renderResult(value, titleOf(title, key)));
    else {
      const columns = [...new Set(value.flatMap((row) => isRecord(row) ? Object.keys(row) : []))];
      if (columns.length === 0) continue;
      const rows = value.filter(isRecord).map((row) =>
        columns.map((column) => isCell(row[column]) ? row[column] : JSON.stringify(row[column]))
      );
      parts.push(`${titleOf(title, key)}:\n\n${markdownTable(columns.map(label), rows)}`);
    }
  }
  return parts.join("\n\n");
}

function titleOf(title: string, key: string): string {
  return title ? `${title}, ${label(key)}` : label(key);
}

/** Neighbouring records that share at least half of their keys go into one table. */
function alike(
  entries: readonly [string, Record<string, unknown>][],
): [string, Record<string, unknown>][][] {
  const groups: [string, Record<string, unknown>][][] = [];
  for (const entry of entries) {
    const previous = groups.at(-1)?.at(-1);
    const keys = Object.keys(entry[1]);
    const shared = previous ? keys.filter((key) => key in previous[1]).length : 0;
    if (previous && shared * 2 >= keys.length) groups.at(-1)!.push(entry);
    else groups.push([entry]);
  }
  return groups;
}
