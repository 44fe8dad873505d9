/**
 * The part of an extractive answer about a place as a whole: a folder, a file, the repository.
 *
 * Owns what a place says of itself and how what it holds is listed. Pure. What must hold: words of a place are quoted from its files, its
 * README or its first comment, and cited; a list that is cut says how many rows are missing.
 */
import type { MorphState } from "./driver.ts";
import { remark, sentencesOf, shorten } from "./doc_text.ts";
import type { Evidence } from "./evidence.ts";
import { counted } from "../kernel/mod.ts";
import { type List, LIST_REMARK, rowsOf } from "./answer_lists.ts";
import { cite, type Lines, named, quoteProse, uncited, visible } from "./excerpt.ts";
import { qualified } from "./references.ts";
import { baseOf, parentOf, roleOf } from "./roles.ts";

/** How a README begins: what it is about is said there. */
export const README_LINES = 60;
/** Lines of it that are quoted. */
const README_PASSAGE = 10;
/** Fewer words are a title or a motto. */
const FEWEST_WORDS = 5;
/** A file with fewer definitions is described by what is in these. */
const FEW = 3;
/** Longest words of a place about itself. */
const LONGEST_SAID = 400;

/** The folder that a question about a place as a whole led to; empty for the repository, undefined for none. */
export function areaFolder(state: MorphState): string | undefined {
  const step = state.reasoning_log.find((one) => one.action === "descend");
  if (!step?.observation.includes(" holds ")) return undefined;
  const folder = step.observation.slice(0, step.observation.indexOf(" holds "));
  return folder === "(workspace)" ? "" : folder;
}

/** The README of a folder, where its children were looked at. */
export function readmeOf(state: MorphState, folder: string): string | undefined {
  const item = state.retrieved_context.find((one) =>
    one.type === "summary" && one.summary.level === "file" &&
    parentOf(one.summary.path) === folder && /^readme(\.|$)/i.test(baseOf(one.summary.path))
  );
  return item?.type === "summary" ? item.summary.path : undefined;
}

/** A place as a whole: what it says of itself, and what is in it, a line each. */
export function areaList(
  state: MorphState,
  evidence: Evidence,
  room: number,
): List | undefined {
  const folder = areaFolder(state);
  if (folder === undefined) return undefined;
  const summaries = new Map(
    state.retrieved_context.flatMap((item) =>
      item.type === "summary" ? [[item.summary.path, item.summary] as const] : []
    ),
  );
  const said = ({ text }: { text: string }) => text.split("\n")[1] ?? "";
  const inner = [`${folder}/src`, `${folder}/lib`].find((path) =>
    [...summaries.keys()].some((one) => one !== path && parentOf(one) === path)
  );
  const children = [...summaries.values()].filter(({ path }) =>
    path !== "" && path !== inner && [folder, inner].includes(parentOf(path)) &&
    !/^\.|^(un)?licen[cs]e\b|^copying\b|^notice\b/i.test(baseOf(path))
  );
  // Code before tests and documents, folders before files.
  const rank = ({ path, level }: { path: string; level: string }) =>
    ["code", "example", "doc", "config", "test"].indexOf(
        roleOf(level === "folder" ? `${path}/x` : path),
      ) * 2 + (level === "folder" ? 0 : 1);
  // Beside code its tests are only counted.
  const isTest = ({ path, level }: { path: string; level: string }) =>
    level === "file" && roleOf(path) === "test";
  const tests = children.filter(isTest).length;
  const isFolded = tests > 0 && tests < children.length;
  if (isFolded) children.splice(0, Infinity, ...children.filter((child) => !isTest(child)));
  children.sort((one, other) => rank(one) - rank(other) || (one.path < other.path ? -1 : 1));
  if (!children.length) return undefined;
  const own = summaries.get(folder);
  const name = folder ? `\`${visible(folder)}/\`` : "The repository";
  const readme = readmeOf(state, folder);
  const lines = readme === undefined ? undefined : evidence.lines(readme);
  const passage = lines && openingOf(lines, Math.min(README_PASSAGE, room));
  const words = passage
    ? ` (\`${cite(readme!, ...passage)}\`):\n${quoteProse(lines, ...passage)}`
    : own
    ? remark(
      own.text.split("\n").slice(1).find((line) => !line.startsWith("- ")) ?? "",
      LONGEST_SAID,
    )
    : "";
  const rows = rowsOf(
    children,
    room,
    (child) =>
      `- \`${visible(child.path)}${child.level === "folder" ? "/" : ""}\`${
        /^- /.test(said(child)) ? "" : remark(said(child), LIST_REMARK)
      }`,
  );
  return {
    text: `${name}${words}\n\nIt holds:\n${rows}${
      isFolded ? `\n- ${tests} ${tests === 1 ? "test" : "tests"}` : ""
    }`,
    sources: passage ? [{ path: readme!, startLine: passage[0], endLine: passage[1] }] : [],
  };
}

/** The first paragraph of a README that is prose, neither title nor badges, with what follows it within `most` lines. */
function openingOf(lines: Lines, most: number): [number, number] | undefined {
  const text = (line: number) => (lines.get(line) ?? "").trim();
  const isHeading = (line: number) => /^#{1,6} |^[=~^-]{3,}$|^\.\. |^```/.test(text(line));
  let found: [number, number] | undefined;
  for (let start = 1; start <= README_LINES; start++) {
    // What is indented belongs to a directive of reStructuredText, or is code.
    if (!text(start) || /^\s/.test(lines.get(start)!)) continue;
    if (text(start - 1) && !isHeading(start - 1)) continue;
    let end = start;
    let said = text(start);
    while (text(end + 1) && end + 1 - (found?.[0] ?? start) < most) said += ` ${text(++end)}`;
    const words = said.replace(BADGES, " ").match(/\p{L}{3,}/gu)?.length ?? 0;
    const isProse = words >= FEWEST_WORDS && !isHeading(start) && !isHeading(start + 1);
    if (found && (!isProse || end - found[0] >= most)) break;
    if (isProse) found = [found?.[0] ?? start, end];
  }
  return found;
}

/** The file that a question about a place as a whole led to, where it is no folder. */
export function areaFile(state: MorphState): string | undefined {
  const step = state.reasoning_log.find((one) => one.action === "descend");
  return step && /^(.+): \d+ definitions, \d+ of \d+ chunks\b/.exec(step.observation)?.[1];
}

/** A file as a whole: what it says of itself, who imports it, what it defines. */
export function fileList(state: MorphState, evidence: Evidence, room: number): List | undefined {
  const path = areaFile(state);
  if (path === undefined) return undefined;
  const lines = evidence.lines(path);
  const words = headerOf(lines);
  const all = evidence.outline(path).filter((entry) =>
    entry.kind !== "section" && entry.kind !== "key" && entry.kind !== "test"
  );
  const inner = new Set(all.map((entry) => entry.container.at(-1)));
  const isAround = (name: string) =>
    all.some((entry) => entry.kind === "module" && entry.name === name && inner.has(name));
  const top = all.filter((entry) =>
    entry.container.every(isAround) && !(entry.kind === "module" && isAround(entry.name)) &&
    entry.kind !== "variable"
  );
  // In a source of C a line that only declares says where something is to be found, not what is here.
  const here = /\.(c|cc|cpp|cxx|m|mm)$/.test(path)
    ? top.filter((entry) => entry.kind !== "macro" && entry.endLine > entry.startLine)
    : top;
  const exported = here.filter((entry) => entry.exported);
  const own = exported.length > 0 ? exported : here.length > 0 ? here : top;
  // What one type does is what its file does.
  const listed = own.length < FEW
    ? own.flatMap((entry) => [
      entry,
      ...all.filter((other) =>
        other.container.at(-1) === entry.name && other.kind === "method" &&
        !/^(?:_|#)/.test(other.name)
      ),
    ])
    : own;
  const names = new Set<string>();
  // Signatures of one thing, and the parts of a type that are written apart, are one.
  const unique = listed.filter((entry) =>
    !names.has(qualified(entry)) && names.add(qualified(entry))
  );
  const importers = evidence.references.filter((use) => use.kind === "import" && use.name === path);
  const tests = importers.filter((use) => roleOf(use.path) === "test").length;
  const rows = rowsOf(
    unique,
    room,
    (entry) =>
      `- ${named(qualified(entry))} (${entry.kind}, \`${
        cite(path, entry.startLine, entry.endLine)
      }\`)${remark(entry.doc, LIST_REMARK)}`,
  );
  const said = words
    ? ` (\`${cite(path, ...words.lines)}\`): “${
      uncited(visible(shorten(words.text, LONGEST_SAID)))
    }”`
    : "";
  const used = importers.length
    ? `\nImported by ${counted(importers.length - tests, "file")} and ${counted(tests, "test")}.`
    : "";
  if (!unique.length && !said) return undefined;
  return {
    text: `${named(path)}${said}${used}${unique.length ? `\n\nIt defines:\n${rows}` : ""}`,
    sources: [
      ...words ? [{ path, startLine: words.lines[0], endLine: words.lines[1] }] : [],
      ...unique.slice(0, room),
    ].map((entry) => ({ path, startLine: entry.startLine, endLine: entry.endLine })),
    holds: true,
  };
}

/** Signs that make a line a comment, in all languages that are read. */
const COMMENT =
  /^\s*(?:\/\/[\/!]?|\/\*+!?|\*+\/?|#(?!\[|!\[|include|define|if|pragma)!?|--+|;+|"""|\'\'\'|\{-)/;

/** The first comment of a file that is neither a licence nor a directive: its words and its lines, as far as these are known. */
export function headerOf(
  lines: Lines,
): { readonly text: string; readonly lines: [number, number] } | undefined {
  let line = 1;
  for (let block = 0; block < 4; block++) {
    while (
      line <= README_LINES &&
      /^\s*(?:<\?php|#!.*|["\']use \w+["\'];?|package [\w.]+;?)?\s*$/.test(lines.get(line) ?? "x")
    ) line++;
    const first = lines.get(line) ?? "";
    const docstring = /^\s*[rRuU]{0,2}("""|\'\'\')/.exec(first)?.[1];
    const start = line;
    const said: string[] = [];
    const isBlock = /^\s*(?:\/\*|\{-)/.test(first) ? /\*\/|-\}/ : undefined;
    for (let text = lines.get(line); text !== undefined; text = lines.get(++line)) {
      if (docstring !== undefined) {
        const rest = line === start ? text.slice(text.indexOf(docstring) + 3) : text;
        const end = rest.indexOf(docstring);
        said.push(end < 0 ? rest : rest.slice(0, end));
        if (end >= 0) break;
      } else {
        const sign = COMMENT.exec(text)?.[0];
        if (sign === undefined && isBlock === undefined) break;
        said.push(text.slice(sign?.length ?? 0).replace(/\*\/\s*$|-\}\s*$/, "").trim());
        if (isBlock?.test(text)) break;
      }
    }
    const isClosed = docstring !== undefined || isBlock !== undefined;
    if (said.length === 0) return undefined;
    const end = isClosed ? line : line - 1;
    const text = sentencesOf(said.join("\n").trim()).join(" ");
    const words = text.match(/\p{L}{3,}/gu)?.length ?? 0;
    if (words >= FEWEST_WORDS && !LICENCE.test(text)) return { text, lines: [start, end] };
    line = end + 1;
  }
  return undefined;
}

const LICENCE = /copyright|licen[cs]ed?\b|spdx|all rights reserved|permission is hereby/i;

/** Markup that says nothing: elements, pictures with links and without, addresses. */
const BADGES =
  /<[^>]*>|\[!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])\](?:\([^)]*\)|\[[^\]]*\])|!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])|\|[\w-]+\||https?:\S+/g;
