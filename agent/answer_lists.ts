/**
 * The parts of an extractive answer that are lists: callers, commits, what was asked to be listed.
 *
 * Owns what goes into each and how rows are cut. Pure. What must hold: a list that is cut says how many rows are missing; a count that
 * is only a lower bound says so.
 */
import type { MorphState, Reference } from "./driver.ts";
import { remark } from "./doc_text.ts";
import { type Evidence, lastName, type Place } from "./evidence.ts";
import { cite, clip, visible } from "./excerpt.ts";
import type { Question } from "./question.ts";
import { alike, isFamiliar, MOST_REFERENCES, qualified } from "./references.ts";
import { roleOf } from "./roles.ts";

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
}

/** Longest remark behind a listed file. */
const LIST_REMARK = 80;
/** Fewer definitions of a file are no list. */
const SHORTEST_LIST = 3;
/** Of the places that were found, those whose uses in tests are listed. */
const LED_WITH = 2;
/** Commits that explain a "why", at most. */
const REASONS = 3;

function rowsOf<T>(entries: readonly T[], room: number, row: (entry: T) => string): string {
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
  const uses = evidence.references.filter((reference) =>
    isAsked(reference.name) && reference.kind !== "definition" && reference.kind !== "comment" &&
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
  const isNamed = (name: string) => question.symbols.some((symbol) => alike(symbol, name));
  const found = places.filter((place) => place.role === "code").slice(0, LED_WITH)
    .map((place) => lastName(place.name));
  const isFound = (use: Reference) =>
    found.includes(use.name) &&
    (use.resolution === "compiler" ||
      evidence.namesakes(use.name) < 2 && !isFamiliar(use.name));
  const uses = evidence.references.filter((use) =>
    roleOf(use.path) === "test" &&
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

function sourceOf(use: Reference): Source {
  return { path: use.path, startLine: use.line, endLine: use.line };
}

function callerRow(use: Reference): string {
  const within = use.within ? ` in \`${visible(use.within)}\`` : "";
  return `- \`${cite(use.path, use.line)}\`${within}: \`${
    clip(visible(use.text)).replaceAll("`", "'")
  }\``;
}

/** The last commits, or for a "why" those whose subject speaks of it. */
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
    const rows = rowsOf(
      wanted,
      room,
      (commit) =>
        `- ${commit.date} ${commit.id} ${clip(visible(commit.subject))} (\`${
          visible(commit.path)
        }\`)`,
    );
    return { text: `Commits:\n${rows}`, sources: [] };
  }
  if (question.shape !== "history") return undefined;
  const reason = state.reasoning_log.find((step) => step.action === "history")?.observation;
  return { text: `History: ${visible(reason ?? "no file to ask about was found")}.`, sources: [] };
}

/** What was asked to be listed: the files of a folder, or the definitions of a file, whose name says that it holds them. */
export function wantedList(state: MorphState, evidence: Evidence, room: number): List | undefined {
  return filesOfFolder(state, room) ?? definitionsOfFile(evidence, room);
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

function definitionsOfFile(evidence: Evidence, room: number): List | undefined {
  for (const path of new Set(evidence.places.map((place) => place.path))) {
    const stem = path.slice(path.lastIndexOf("/") + 1).replace(/\..*$/, "");
    if (roleOf(path) !== "code" || evidence.score(stem) === 0) continue;
    const top = evidence.outline(path).filter((entry) =>
      !entry.container.length && !entry.name.startsWith("_")
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
