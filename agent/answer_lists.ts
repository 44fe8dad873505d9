/**
 * The parts of an extractive answer that are lists: callers, commits, what was asked to be listed.
 *
 * Owns what goes into each and how rows are cut. Pure. What must hold: a list that is cut says how many rows are missing; a count that
 * is only a lower bound says so.
 */
import type { MorphState, Reference } from "./driver.ts";
import { remark } from "./doc_text.ts";
import { type Evidence, lastName, type Place } from "./evidence.ts";
import { cite, clip, type Lines, quoteProse, visible } from "./excerpt.ts";
import { type Question, termsOf } from "./question.ts";
import {
  alike,
  couldMean,
  isFamiliar,
  MOST_REFERENCES,
  qualified,
  splitName,
} from "./references.ts";
import { isChangelog, roleOf } from "./roles.ts";

/** A place that an answer cites. */
export interface Source {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
}

/** A list and what it cites. */
export interface List {
  readonly text: string;
  readonly sources: readonly Source[];
  /** File whose definitions it names. */
  readonly path?: string;
  /** Whether it lists something, and does not only say why there is nothing. */
  readonly holds?: boolean;
}

/** Longest remark behind a listed file. */
const LIST_REMARK = 80;
/** How a README begins: what it is about is said there. */
export const README_LINES = 60;
/** Lines of it that are quoted. */
const README_PASSAGE = 10;
/** Fewer words are a title or a motto. */
const FEWEST_WORDS = 5;
/** Longest words of a place about itself. */
const LONGEST_SAID = 400;
/** Fewer definitions of a file are no list. */
const SHORTEST_LIST = 3;
/** Of the places that were found, those whose uses in tests are listed. */
const LED_WITH = 2;
/** Commits that explain a "why", at most. */
const REASONS = 3;

/** Rows of a list, cut with the number of those that are missing. */
export function rowsOf<T>(entries: readonly T[], room: number, row: (entry: T) => string): string {
  const rows = entries.slice(0, room).map(row);
  if (entries.length > room) rows.push(`- … ${entries.length - room} more`);
  return rows.join("\n");
}

/** Lines that use the names asked for: code first, calls before other uses; tests and documents are counted. */
export function callersList(
  question: Question,
  evidence: Evidence,
  room: number,
): List | undefined {
  const isAsked = (name: string) => question.symbols.some((symbol) => alike(symbol, name));
  const definitions = evidence.places.filter((place) => isAsked(place.name));
  const owner = question.symbols.map((symbol) => splitName(symbol).owner)[0];
  const uses = evidence.references.filter((reference) =>
    isAsked(reference.name) && couldMean(reference, owner) && reference.kind !== "definition" &&
    reference.kind !== "comment" &&
    // A name inside its own definition is recursion or an example.
    !definitions.some((place) =>
      place.path === reference.path && place.startLine <= reference.line &&
      reference.line <= place.endLine
    )
  );
  const imports = /\bimport/i.test(question.text);
  const wanted = uses.filter((use) => imports === (use.kind === "import"));
  const listed = wanted.length ? wanted : uses;
  if (!listed.length) return undefined;
  const of = (role: string) => listed.filter((use) => roleOf(use.path) === role);
  const code = of("code");
  const calls = code.filter((use) => use.kind === "call");
  const ordered = code.length ? [...calls, ...code.filter((use) => use.kind !== "call")] : listed;
  const names = [...new Set(listed.map((use) => use.name))].map((one) => `\`${one}\``);
  const verb = imports && wanted.length
    ? "imported"
    : code.length && calls.length === code.length
    ? "called"
    : "used";
  const by = listed.every((use) => use.resolution === "compiler")
    ? "resolved by the compiler"
    : "found by name";
  const least = evidence.references.length >= MOST_REFERENCES ? "at least " : "";
  const places = [["code", "in code"], ["test", "in tests"], ["doc", "in documents"], [
    "example",
    "in examples",
  ], ["config", "in configuration"]] as const;
  const counts = places.flatMap(([role, where]) =>
    of(role).length ? [`${of(role).length} ${where}`] : []
  );
  return {
    text: `${names.join(", ")} ${
      names.length > 1 ? "are" : "is"
    } ${verb} ${least}${listed.length} time${listed.length === 1 ? "" : "s"} (${by}): ${
      counts.join(", ")
    }\n${rowsOf(ordered, room, callerRow)}`,
    sources: ordered.slice(0, room).map(sourceOf),
  };
}

/** Tests that use what was asked about, a line each: what the question names, else what was found for it. */
export function testsList(
  question: Question,
  evidence: Evidence,
  places: readonly Place[],
  room: number,
): List | undefined {
  const owner = question.symbols.map((symbol) => splitName(symbol).owner)[0];
  const isNamed = (name: string) => question.symbols.some((symbol) => alike(symbol, name));
  const found = places.filter((place) => place.role === "code").slice(0, LED_WITH)
    .map((place) => lastName(place.name));
  const isFound = (use: Reference) =>
    found.includes(use.name) &&
    (use.resolution === "compiler" ||
      evidence.namesakes(use.name) < 2 && !isFamiliar(use.name));
  const uses = evidence.references.filter((use) =>
    roleOf(use.path) === "test" && couldMean(use, owner) &&
    // What is written small is a word of tests' texts as well; types are used in other ways than called.
    (use.kind === "call" || use.kind === "use" && /^\p{Lu}/u.test(use.name)) &&
    (isNamed(use.name) || question.symbols.length === 0 && isFound(use))
  );
  const first = new Map<string, Reference>();
  for (const use of uses) {
    const test = `${use.path}\n${use.within}`;
    const known = first.get(test);
    if (known === undefined || known.kind !== "call" && use.kind === "call") first.set(test, use);
  }
  if (first.size === 0) return undefined;
  const rows = [...first.values()];
  const name = [...new Set(rows.map((use) => use.name))].map((one) => `\`${one}\``).join(", ");
  const least = evidence.references.length >= MOST_REFERENCES ? "at least " : "";
  const by = rows.every((use) => use.resolution === "compiler")
    ? "resolved by the compiler"
    : "found by name";
  return {
    text: `${name} is used in ${least}${rows.length} test${
      rows.length === 1 ? "" : "s"
    } (${by}):\n${rowsOf(rows, room, callerRow)}`,
    sources: rows.slice(0, room).map(sourceOf),
  };
}

/** The line of a reference, as a source. */
export function sourceOf(use: Reference): Source {
  return { path: use.path, startLine: use.line, endLine: use.line };
}

/** A line that refers to something: where, in what, and its text. */
export function callerRow(use: Reference): string {
  const within = use.within ? ` in \`${visible(use.within)}\`` : "";
  return `- \`${cite(use.path, use.line)}\`${within}: \`${
    clip(visible(use.text)).replaceAll("`", "'")
  }\``;
}

/** The commits that speak of it, or else the last ones of a file; for a "why" those whose subject speaks of it. */
export function commitsList(
  state: MorphState,
  question: Question,
  evidence: Evidence,
  room: number,
): List | undefined {
  const commits = state.retrieved_context.filter((item) => item.type === "commit");
  const wanted = question.shape === "why"
    ? commits.filter((commit) => evidence.score(commit.subject) > 0).slice(0, REASONS)
    : commits;
  if (wanted.length) {
    const lists = Map.groupBy(wanted, (commit) => commit.path);
    const text = [...lists].map(([path, some]) => {
      const unique = [...new Map(some.map((commit) => [commit.id, commit])).values()];
      const rows = rowsOf(
        unique,
        room,
        ({ date, id, author, subject }) =>
          `- ${date} ${id} ${visible(author)}: ${clip(visible(subject))}`,
      );
      return `${path ? `Commits of \`${visible(path)}\`` : "Commits"}:\n${rows}`;
    }).join("\n\n");
    return { text, sources: [], holds: true };
  }
  if (question.shape !== "history") return undefined;
  const reason = state.reasoning_log.findLast((step) => step.action === "history")?.observation;
  return { text: `History: ${visible(reason ?? "no file to ask about was found")}.`, sources: [] };
}

/** Passages of changelogs that speak of it, each under the release that it belongs to. */
export function changelogList(
  state: MorphState,
  evidence: Evidence,
  room: number,
): List | undefined {
  const sources: Source[] = [];
  const texts: string[] = [];
  for (const item of state.retrieved_context) {
    if (item.type !== "lines" || !isChangelog(item.path)) continue;
    const { path, startLine } = item;
    const lines = evidence.lines(path);
    let endLine = Math.min(item.endLine, startLine + Math.max(2 * room, 4) - 1);
    while (endLine > startLine && !lines.get(endLine)?.trim()) endLine--;
    if (!lines.has(startLine) || !lines.has(endLine)) continue;
    const release = evidence.outline(path).findLast((entry) =>
      entry.kind === "section" && /\d+\.\d+/.test(entry.name) && entry.startLine <= startLine &&
      startLine <= entry.endLine
    );
    const rest = item.endLine - endLine;
    sources.push({ path, startLine, endLine });
    texts.push(
      `${release ? `\`${visible(release.name)}\` ` : ""}(\`${cite(path, startLine, endLine)}\`):\n${
        quoteProse(lines, startLine, endLine)
      }${rest > 0 ? `\n… ${rest} more lines` : ""}`,
    );
  }
  return texts.length ? { text: texts.join("\n\n"), sources } : undefined;
}

/** What was asked to be listed: the files of a folder, or the definitions of a file, whose name says that it holds them. */
export function wantedList(
  state: MorphState,
  question: Question,
  evidence: Evidence,
  room: number,
): List | undefined {
  if (question.shape !== "list" || !question.listed) return undefined;
  return filesOfFolder(state, room) ?? definitionsOfFile(question.listed, evidence, room);
}

/** The folder that a question about a place as a whole led to; empty for the repository, undefined for none. */
export function areaFolder(state: MorphState): string | undefined {
  const step = state.reasoning_log.find((one) =>
    one.action === "descend" && one.observation.includes(" holds ")
  );
  const folder = step?.observation.slice(0, step.observation.indexOf(" holds "));
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

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
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
    text: `${name}${words}\n\nIt holds:\n${rows}`,
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

/** Markup that says nothing: elements, pictures with links and without, addresses. */
const BADGES =
  /<[^>]*>|\[!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])\](?:\([^)]*\)|\[[^\]]*\])|!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])|\|[\w-]+\||https?:\S+/g;

/** What a change of the files or names in question may break: files that import, code that uses, tests. */
export function impactList(
  question: Question,
  evidence: Evidence,
  room: number,
): List | undefined {
  const files = evidence.references.filter((use) =>
    use.kind === "import" && question.paths.some((path) => isPath(use.name, path))
  );
  if (!files.length) return undefined;
  const tests = files.filter((use) => roleOf(use.path) === "test");
  const others = files.filter((use) => roleOf(use.path) !== "test");
  const rows = [...others, ...tests];
  const name = [...new Set(files.map((use) => use.name))].map((one) => `\`${visible(one)}\``);
  const least = evidence.references.length >= MOST_REFERENCES ? "at least " : "";
  return {
    text: `${name.join(", ")} ${name.length > 1 ? "are" : "is"} imported by ${least}${
      counted(others.length, "file")
    } and ${counted(tests.length, "test")}:\n${rowsOf(rows, room, callerRow)}`,
    sources: rows.slice(0, room).map(sourceOf),
  };
}

function isPath(path: string, asked: string): boolean {
  return path === asked || path.endsWith(`/${asked}`);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function filesOfFolder(state: MorphState, room: number): List | undefined {
  const folder = state.reasoning_log.find((step) =>
    step.action === "descend" && step.observation.includes(" holds ")
  );
  if (!folder) return undefined;
  const said = new Map<string, string>();
  for (const item of state.retrieved_context) {
    if (item.type !== "summary" || item.summary.level !== "file") continue;
    const { path, text } = item.summary;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    // The first line of a summary is the file itself, the second what it says of itself.
    if (parent === folder.arguments.path && roleOf(path) === "code") {
      said.set(path, text.split("\n")[1] ?? "");
    }
  }
  if (said.size < SHORTEST_LIST) return undefined;
  const files = [...said].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    text: `\`${visible(String(folder.arguments.path))}\` holds:\n${
      rowsOf(files, room, ([path, doc]) => `- \`${visible(path)}\`${remark(doc, LIST_REMARK)}`)
    }`,
    sources: [],
  };
}

function definitionsOfFile(wanted: string, evidence: Evidence, room: number): List | undefined {
  for (const path of new Set(evidence.places.map((place) => place.path))) {
    const stem = path.slice(path.lastIndexOf("/") + 1).replace(/\..*$/, "");
    if (roleOf(path) !== "code" || !termsOf(stem).includes(wanted)) continue;
    const top = evidence.outline(path).filter((entry) =>
      !entry.container.length && !entry.name.startsWith("_") && entry.kind !== "module"
    );
    const exported = top.filter((entry) => entry.exported);
    const listed = exported.length >= SHORTEST_LIST ? exported : top;
    if (listed.length < SHORTEST_LIST) continue;
    const rows = rowsOf(
      listed,
      room,
      (entry) =>
        `- \`${visible(qualified(entry))}\` (\`${cite(path, entry.startLine, entry.endLine)}\`)${
          remark(entry.doc, LIST_REMARK)
        }`,
    );
    return { text: `\`${visible(path)}\` defines:\n${rows}`, sources: listed.slice(0, room), path };
  }
  return undefined;
}

/** Sources in order, those of one file that overlap or follow each other as one. */
export function mergeSources(sources: readonly Source[]): Source[] {
  const result: Source[] = [];
  for (const { path, startLine, endLine } of sources) {
    const near = result.findIndex((other) =>
      other.path === path && other.startLine <= endLine + 1 && startLine <= other.endLine + 1
    );
    const other = result[near];
    if (!other) result.push({ path, startLine, endLine });
    else {
      result[near] = {
        path,
        startLine: Math.min(other.startLine, startLine),
        endLine: Math.max(other.endLine, endLine),
      };
    }
  }
  return result;
}
