/**
 * Results of the commands that read code, as text for people.
 *
 * Owns the looks of `table/code.ts`; see `render.ts` for what must hold.
 */
import { counted } from "../counted.ts";
import type { codeCommands } from "../table/code.ts";
import type { Result } from "../commands.ts";
import { clip, pad, printable, textWidth } from "./terminal.ts";
import {
  duration,
  fit,
  fitPath,
  keyValues,
  linked,
  type Look,
  place,
  type Renderers,
  safe,
  size,
  wrap,
} from "./look.ts";

/** Names in a list of files are lined up as long as they are no longer than this. */
const MAX_NAME_WIDTH = 28;

/** One function a command. */
export const codeRenderers: Renderers<keyof typeof codeCommands> = {
  ask({ answer, citations, meant }, look) {
    const { bold, cyan, dim, yellow } = look.colours;
    const lines = [markdown(answer.trimEnd(), look)];
    if (meant !== undefined) {
      lines.unshift(
        ...wrap(safe(`Taken to mean: ${meant}`, look), look).map((line) => dim(line)),
        "",
      );
    }
    const changed = citations.filter((citation) => citation.status !== "verified");
    // An answer that lists its sources itself needs no second list, only what is wrong with them.
    const listed = /^(#+ )?Sources:?$/m.test(answer);
    const shown = listed ? changed : citations;
    if (shown.length > 0) lines.push("", bold(listed ? "Changed since they were read" : "Sources"));
    for (const source of shown) {
      const moved = source.moved_to === undefined
        ? ""
        : `, now ${source.moved_to.start_line}-${source.moved_to.end_line}`;
      const note = {
        verified: "",
        stale: yellow(`  (changed since it was read${moved})`),
        removed: yellow("  (removed from the answer: no such lines)"),
      }[source.status];
      const where = cyan(safe(place(source), look));
      lines.push(`  ${linked(where, source.path, source.start_line, look)}${note}`);
    }
    return lines.join("\n");
  },

  tree({ path, text, children }, look) {
    const { bold, cyan, dim } = look.colours;
    // The lines that list what is below stand in the list of children, at full length.
    const head = text.split("\n").slice(1).filter((line) => !line.startsWith("- "));
    const lines = [
      bold(safe(path === "" ? "workspace" : path, look)),
      ...head.flatMap((line) => wrap(safe(line, look), look)),
    ];
    const names = children.map(({ path, level }) =>
      safe(path.slice(path.lastIndexOf("/") + 1) + (level === "folder" ? "/" : ""), look)
    );
    const width = Math.min(Math.max(0, ...names.map(textWidth)), MAX_NAME_WIDTH);
    children.forEach((child, index) => {
      const gist = safe(child.text.split("\n")[1] ?? "", look);
      lines.push(
        `  ${cyan(pad(names[index]!, width))}  ${dim(fit(gist, width + 4, look))}`.trimEnd(),
      );
    });
    return lines.join("\n");
  },

  search({ query, results }, look) {
    const { bold, cyan, dim } = look.colours;
    const blocks = results.map((hit) => {
      const where = safe(place(hit), look);
      const kind = hit.node_type === "" ? "" : `${hit.node_type} `;
      const name = fit(safe(hit.node_name, look), textWidth(where) + 2 + kind.length, look);
      const lines = excerpt(hit.text, hit.start_line, query, look);
      const shown = linked(cyan(where), hit.path, hit.start_line, look);
      return `${shown}  ${kind}${bold(name)}`.trimEnd() + `\n${lines}`;
    });
    return blocks.length > 0
      ? blocks.join("\n\n")
      : dim(`nothing found for "${clip(safe(query, look), 50)}"`);
  },

  refs(result, look) {
    const { target, definitions, references, possible, subtypes, callers, callees, reason } =
      result;
    const { bold, cyan, dim } = look.colours;
    if (definitions.length + references.length === 0) return dim(nothingKnown([target], reason));
    const lines = [
      bold(counted(definitions.length, "definition")),
      ...definitionLines(definitions, look),
    ];
    // What is true of all is said once, and leaves room for the lines themselves.
    const byName = references.filter(({ resolution }) => resolution === "name").length;
    const allByName = byName > 0 && byName === references.length;
    lines.push(
      bold(counted(references.length, "reference")) + (allByName ? dim(", found by name") : ""),
    );
    lines.push(...referenceLines(references, callers, allByName, look));
    if (possible.length > 0) {
      lines.push(
        bold(`${counted(possible.length, "line")} more that may use it`) +
          dim(", the type is not known"),
      );
      // A screen of them is enough for a person; a pipe has them all.
      const shown = look.columns === undefined ? possible.length : MOST_POSSIBLE;
      lines.push(...referenceLines(possible.slice(0, shown), callers, true, look));
      const rest = possible.length - shown;
      if (rest > 0) lines.push(dim(`  and ${rest} more: --json lists them`));
    }
    if (subtypes.length > 0) {
      const isOverride = subtypes.every(({ relation }) => relation === "overrides");
      lines.push(bold(counted(subtypes.length, isOverride ? "override" : "subtype")));
      for (const each of subtypes) {
        const said = each.relation === "overrides" ? "" : `  ${each.relation} ${each.of}`;
        const likely = each.certainty === "likely" ? "  (likely)" : "";
        const about = safe(qualified(each) + said + likely, look);
        const kept = Math.min(textWidth(about), LEAST_OF_A_LINE);
        const where = fitPath(safe(place(each), look), kept + 4, look);
        const rest = fit(about, textWidth(where) + 4, look);
        const shown = linked(cyan(where), each.path, each.start_line, look);
        lines.push(`  ${shown}  ${dim(rest)}`);
      }
    }
    if (callees.length > 0) lines.push(bold(`${counted(callees.length, "definition")} used by it`));
    return [...lines, ...definitionLines(callees, look)].join("\n");
  },

  impact({ targets, definitions, affected, tests, benchmarks, reason }, look) {
    const { bold, cyan, dim } = look.colours;
    if (definitions.length + affected.length === 0) {
      return dim(nothingKnown(targets, reason));
    }
    const lines = [
      bold(counted(definitions.length, "definition")),
      ...definitionLines(definitions, look),
    ];
    lines.push(bold(`${counted(affected.length, "file")} may break`));
    for (const { path, distance, lines: at, via } of affected) {
      const shown = at.slice(0, 4).join(",") + (at.length > 4 ? ",…" : "");
      const where = `${safe(path, look)}${shown === "" ? "" : `:${shown}`}`;
      const why = `  ${via.slice(0, 3).join(", ")}${via.length > 3 ? ", …" : ""}`;
      lines.push(
        `  ${dim(`${distance}`)}  ${linked(cyan(where), path, at[0] ?? 1, look)}${
          dim(fit(safe(why, look), 5 + textWidth(where), look))
        }`,
      );
    }
    lines.push(
      bold(
        tests.length === 0 ? "no test covers it" : `${counted(tests.length, "test file")} to run`,
      ),
    );
    const named = (path: string) => `  ${linked(cyan(safe(path, look)), path, 1, look)}`;
    lines.push(...tests.map(named));
    if (benchmarks.length > 0) {
      lines.push(bold(`${counted(benchmarks.length, "benchmark")} among them`));
      lines.push(...benchmarks.map(named));
    }
    return lines.join("\n");
  },

  outline({ path, language, lines: total, summary, definitions }, look) {
    const { bold, cyan, dim } = look.colours;
    const [title = "", ...about] = summary.split("\n");
    const head = title.startsWith(path)
      ? title
      : `${path} (${language}, ${counted(total, "line")})`;
    const lines = [cyan(safe(head, look))];
    const rest = title.startsWith(path) ? about : summary === "" ? [] : [title, ...about];
    lines.push(...rest.flatMap((line) => wrap(safe(line, look), look)).map((line) => dim(line)));
    const ranges = definitions.map((d) => `${d.start_line}-${d.end_line}`);
    const rangeWidth = Math.max(0, ...ranges.map((range) => range.length));
    definitions.forEach((entry, index) => {
      const indent = "  ".repeat(Math.min(entry.container.length, 6));
      const kind = `${entry.exported ? "+" : " "} ${entry.kind} `;
      const head = `${ranges[index]!.padStart(rangeWidth)} ${indent}${kind}`;
      const signature = entry.signature === "" ? entry.name : entry.signature;
      const body = fit(safe(signature, look), textWidth(head), look);
      lines.push(`${dim(head)}${body.replace(entry.name, (name) => bold(name))}`);
    });
    return lines.join("\n");
  },

  read({ start_line, status, text }, look) {
    // A program that reads gets the bytes of the lines and nothing else.
    if (look.columns === undefined) return text;
    const shown = numbered(text, start_line, look);
    const note =
      { verified: "", stale: "changed since ingest", unindexed: "not in the index" }[status];
    return note === "" ? shown : `${shown}\n${look.colours.yellow(`(${note})`)}`;
  },

  ingest(result, look) {
    const { bold, dim, green, yellow } = look.colours;
    if ("path" in result) {
      const name = safe(result.path, look);
      return result.reason === undefined
        ? `${green("+")} ${name}`
        : dim(`- ${name}  ${result.reason}`);
    }
    const lines = result.problems.slice(0, MAX_PROBLEMS).map(({ path, line, reason }) =>
      `${yellow(safe(line === undefined ? path : `${path}:${line}`, look))}  ${safe(reason, look)}`
    );
    const more = result.problems.length - lines.length;
    if (more > 0) lines.push(dim(`and ${counted(more, "problem")} more, all of them with --json`));
    lines.push(
      `${bold(counted(result.files, "file"))}, ${
        counted(result.chunks, "chunk")
      }; ${result.changed} changed, ` +
        `${result.removed} removed, ${result.skipped} skipped; ${duration(result.ms)}`,
    );
    return lines.join("\n");
  },

  status(result, look) {
    const languages = Object.entries(result.languages).sort((a, b) => b[1] - a[1])
      .map(([name, files]) => `${name} ${files}`).join(", ");
    const ratio = result.source_bytes > 0
      ? ` (${(result.index_bytes / result.source_bytes).toFixed(2)} × source)`
      : "";
    return keyValues([
      ["files", `${result.files}`],
      ["chunks", `${result.chunks}`],
      ["edges", `${result.edges}`],
      [
        "vectors",
        result.vectors_state === "partial"
          ? `${result.vectors} of ${result.chunks}; "batos ingest" goes on`
          : `${result.vectors}`,
      ],
      ["summaries", `${result.summaries}`],
      ["source", size(result.source_bytes)],
      ["index", size(result.index_bytes) + ratio],
      ["embedder", result.embedder ?? "none"],
      ["fingerprint", result.fingerprint],
      [
        "image",
        result.image === null
          ? "none"
          : `${counted(result.image.objects, "object")}, ${
            counted(result.image.transactions, "transaction")
          }, ${size(result.image.bytes)}`,
      ],
      [
        "stale",
        result.stale === 0
          ? "0, up to date"
          : `${counted(result.stale, "file")}: run "batos ingest"`,
      ],
      ["languages", languages],
    ], look);
  },

  doctor({ checks }, look) {
    const { green, yellow, red, dim } = look.colours;
    const marks = { ok: green("ok  "), warning: yellow("warn"), failure: red("FAIL") };
    const width = Math.max(...checks.map((check) => check.name.length));
    const lines = checks.flatMap(({ name, status, detail, remedy }) => {
      const first = `${marks[status]}  ${pad(name, width)}  `;
      const indent = " ".repeat(width + 8);
      const [head = "", ...rest] = wrap(safe(detail, look), look, indent.length);
      const help = remedy === undefined ? [] : wrap(safe(remedy, look), look, indent.length + 2);
      return [
        first + head,
        ...rest.map((line) => indent + line),
        ...help.map((line, index) => indent + dim((index === 0 ? "→ " : "  ") + line)),
      ];
    });
    return lines.join("\n");
  },
};

/** Columns of a line of code below which it is not shown. */
const LEAST_OF_A_LINE = 16;
/** Lines that only may be references, on a terminal: they stand below those that are, and must not push them out of sight. */
const MOST_POSSIBLE = 20;

/** Problems listed in text; a repository full of broken fixtures must not hide the report. */
const MAX_PROBLEMS = 20;

function qualified({ name, container }: { name: string; container: readonly string[] }): string {
  return container.length === 0 ? name : `${container.at(-1)}.${name}`;
}

/** A line each, with the definition around it where that is known; what is the same for all is not repeated. */
function referenceLines(
  references: Result<"refs">["references"],
  callers: Result<"refs">["callers"],
  allByName: boolean,
  look: Look,
): string[] {
  const { cyan, dim } = look.colours;
  const kinds = Math.max(0, ...references.map((reference) => reference.kind.length));
  return references.map(({ path, line, kind, resolution, likely, text }) => {
    const where = fitPath(`${safe(path, look)}:${line}`, kinds + 4, look);
    const around = callers.filter((caller) =>
      caller.path === path && caller.start_line <= line && line <= caller.end_line
    ).at(-1);
    const scope = (around === undefined ? "" : `  in ${qualified(around)}`) +
      (likely ? "  (likely)" : resolution === "name" && !allByName ? "  (by name)" : "");
    const used = kinds + 4 + textWidth(where);
    const room = (look.columns ?? Infinity) - used - textWidth(scope) - 2;
    // A word or two of a line say nothing.
    const said = room < Math.min(LEAST_OF_A_LINE, textWidth(text))
      ? ""
      : `  ${clip(text, MAX_LINE)}`;
    const rest = fit(safe(scope + said, look), used, look);
    return `  ${dim(pad(kind, kinds))}  ${linked(cyan(where), path, line, look)}${dim(rest)}`;
  });
}

function definitionLines(definitions: Result<"refs">["definitions"], look: Look): string[] {
  const { bold, cyan, dim } = look.colours;
  return definitions.map((entry) =>
    `  ${linked(cyan(safe(place(entry), look)), entry.path, entry.start_line, look)}  ${
      dim(entry.kind)
    } ${bold(safe(qualified(entry), look))}`
  );
}

/** Markdown of an answer: on a terminal quoted code is set in and names stand out; elsewhere it stays as it is. */
function markdown(text: string, look: Look): string {
  if (look.columns === undefined) return text;
  const { bold } = look.colours;
  let fence = "";
  const lines: string[] = [];
  for (const line of printable(text).split("\n")) {
    const marks = /^(`{3,})/.exec(line)?.[1] ?? "";
    const heading = /^#{1,6} (.*)$/.exec(line)?.[1];
    if (fence === "" ? marks !== "" : marks === fence) fence = fence === "" ? marks : "";
    else if (fence !== "") lines.push(`    ${clip(line, Math.max(20, look.columns - 4))}`);
    else if (heading !== undefined) lines.push(...wrap(heading, look).map((part) => bold(part)));
    else lines.push(...paragraph(line, look));
  }
  return lines.join("\n");
}

/** One paragraph or item of a list, whose further lines are set in under the first. */
function paragraph(line: string, look: Look): string[] {
  const indent = " ".repeat(/^\s*- /.exec(line)?.[0].length ?? 0);
  const marked = line.split("`").length % 2 === 1;
  let within = false;
  return wrap(line.slice(indent.length), look, indent.length).map((part, at) => {
    const words = !marked ? part : part.split("`").map((piece, index) => {
      // A name may go on from the line before.
      if (index > 0) within = !within;
      return within ? nameIn(piece, look) : piece;
    }).join("");
    const shown = words.replace(/\*\*([^*]+)\*\*/g, (_, word) => look.colours.bold(word));
    return `${at === 0 ? line.slice(0, indent.length) : indent}${shown}`;
  });
}

/** What stands in backticks: a name, or a place that can be clicked. */
function nameIn(text: string, look: Look): string {
  if (text === "") return "";
  const [, path, line] = /^(.+):(\d+)(?:-\d+)?$/.exec(text) ?? [];
  const shown = look.colours.cyan(text);
  return path === undefined ? shown : linked(shown, path, Number(line), look);
}

/** Lines of a chunk that are shown unless it is wanted whole: about a quarter of a screen. */
const EXCERPT_LINES = 10;

/** A line that is longer is no code that anybody reads; even a program that asked for text is better off without. */
const MAX_LINE = 400;

/** The lines of a chunk that say most about the query: all of a short one, its head and the best window of a long one. */
export function excerpt(text: string, startLine: number, query: string, look: Look): string {
  const lines = text.split("\n");
  let from = 0;
  let to = lines.length;
  while (from < to && lines[from]!.trim() === "") from++;
  while (to > from && lines[to - 1]!.trim() === "") to--;
  if (look.full || to - from <= EXCERPT_LINES + 2) {
    return numbered(lines.slice(from, to).join("\n"), startLine + from, look);
  }
  const terms = [
    ...new Set(query.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((term) => term.length > 2)),
  ].slice(0, 30);
  const weights = lines.slice(from, to).map((line) => {
    const lower = line.slice(0, MAX_LINE).toLowerCase();
    return terms.filter((term) => lower.includes(term)).length;
  });
  const sums = weights.slice(0, weights.length - EXCERPT_LINES + 1)
    .map((_, at) => weights.slice(at, at + EXCERPT_LINES).reduce((a, b) => a + b, 0));
  const most = Math.max(...sums);
  const first = sums.indexOf(most);
  let last = first;
  while (sums[last + 1] === most) last++;
  // The middle of the equally good windows has the lines that matter in its middle.
  let best = most === 0 ? 0 : (first + last) >> 1;
  // Two lines more cost less than a gap.
  if (best <= 2 || most === 0) best = 0;
  const { dim } = look.colours;
  const parts: string[] = [];
  const width = `${startLine + to}`.length;
  if (best > 0) {
    parts.push(
      numbered(lines[from]!, startLine + from, look, width),
      dim(`${" ".repeat(width)} …`),
    );
  }
  const window = lines.slice(from + best, from + best + EXCERPT_LINES);
  const blank = Math.max(0, window.findIndex((line) => line.trim() !== ""));
  parts.push(
    numbered(window.slice(blank).join("\n"), startLine + from + best + blank, look, width),
  );
  const left = to - (from + best + EXCERPT_LINES);
  if (left > 0) parts.push(dim(`${" ".repeat(width)} … ${counted(left, "line")} more`));
  return parts.join("\n");
}

/** Lines with their numbers, cut to the width. */
export function numbered(text: string, startLine: number, look: Look, width = 0): string {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const digits = Math.max(width, `${startLine + lines.length - 1}`.length);
  return lines.map((line, index) => {
    const number = look.colours.dim(`${startLine + index}`.padStart(digits));
    const clipped = clip(safe(line.endsWith("\r") ? line.slice(0, -1) : line, look), MAX_LINE);
    return `${number} ${fit(clipped, digits + 1, look)}`.trimEnd();
  }).join("\n");
}

function nothingKnown(targets: readonly string[], reason: string | undefined): string {
  return `nothing known about "${targets.join('", "')}"${
    reason === undefined ? "" : `: ${reason}`
  }`;
}
