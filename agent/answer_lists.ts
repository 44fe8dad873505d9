/**
 * The parts of an extractive answer that are lists: callers, commits, what was asked to be listed.
 *
 * Owns what goes into each and how rows are cut. Pure. What must hold: a list that is cut says how many rows are missing; a count that
 * is only a lower bound says so.
 */
import { counted } from "../kernel/mod.ts";
import type { MorphState, Reference } from "./driver.ts";
import { remark, shorten } from "./doc_text.ts";
import { type Evidence, lastName, type Place } from "./evidence.ts";
import { cite, clip, couldCite, named, quoteProse, uncited, visible } from "./excerpt.ts";
import { type Question, termsOf } from "./question.ts";
import {
  alike,
  couldMean,
  isFamiliar,
  MOST_REFERENCES,
  qualified,
  splitName,
} from "./references.ts";
import { baseOf, isChangelog, parentOf, roleOf } from "./roles.ts";
import { splitIdentifier, stemOf } from "../rag/mod.ts";

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
export const LIST_REMARK = 80;
/** Fewer definitions of a file are no list. */
const SHORTEST_LIST = 3;
/** Types that are lists of what they hold. */
const HOLDS_MEMBERS = new Set(["class", "interface", "trait", "struct", "enum", "type"]);
/** Names without a row of their own that a list still names. */
const MOST_BARE_NAMES = 40;
/** Files of tests that are named, each with some of its tests, where they say nearly as much of the question as the one that says most. */
const MOST_TEST_FILES = 3;
const TESTS_NAMED = 4;
const NEAR_TESTS = 0.7;
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

/** Rows of a list of names; those that find no room are at least named. */
function rowsOfNames<T extends { readonly name: string }>(
  entries: readonly T[],
  room: number,
  row: (entry: T) => string,
): string {
  const rest = entries.slice(room);
  if (rest.length === 0) return rowsOf(entries, room, row);
  const names = rest.slice(0, MOST_BARE_NAMES).map(({ name }) => named(name)).join(", ");
  const more = rest.length - Math.min(rest.length, MOST_BARE_NAMES);
  return `${entries.slice(0, room).map(row).join("\n")}\n- … ${rest.length} more: ${names}${
    more > 0 ? `, …` : ""
  }`;
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
  const least = uses.length >= MOST_REFERENCES ? "at least " : "";
  const places = [["code", "in code"], ["test", "in tests"], ["doc", "in documents"], [
    "example",
    "in examples",
  ], ["config", "in configuration"]] as const;
  const counts = places.flatMap(([role, where]) =>
    of(role).length ? [`${of(role).length} ${where}`] : []
  );
  return {
    text: `${names.join(", ")} ${names.length > 1 ? "are" : "is"} ${verb} ${least}${
      counted(listed.length, "time")
    } (${by}): ${counts.join(", ")}\n${rowsOf(ordered, room, callerRow)}`,
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
  const kept = evidence.references.filter((use) => rows.some((row) => row.name === use.name));
  const least = kept.length >= MOST_REFERENCES ? "at least " : "";
  const by = rows.every((use) => use.resolution === "compiler")
    ? "resolved by the compiler"
    : "found by name";
  return {
    text: `${name} is used in ${least}${counted(rows.length, "test")} (${by}):\n${
      rowsOf(rows, room, callerRow)
    }`,
    sources: rows.slice(0, room).map(sourceOf),
  };
}

/** The line of a reference, as a source. */
export function sourceOf(use: Reference): Source {
  return { path: use.path, startLine: use.line, endLine: use.line };
}

/** A line that refers to something: where, in what, and its text. */
export function callerRow(use: Reference): string {
  const within = use.within ? ` in ${named(use.within)}` : "";
  const place = `- \`${cite(use.path, use.line)}\`${within}`;
  const text = clip(visible(use.text)).replaceAll("`", "'");
  // Code is shown as it is or not at all: what it says of other places is no citation of this answer.
  return couldCite(text) ? place : `${place}: \`${text}\``;
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
          `- ${date} ${id} ${visible(author)}: ${uncited(clip(visible(subject)))}`,
      );
      return `${path ? `Commits of ${named(path)}` : "Commits"}:\n${rows}`;
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
      `${release ? `${named(release.name)} ` : ""}(\`${cite(path, startLine, endLine)}\`):\n${
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
  const whole = membersOfType(question, evidence, room, true);
  return whole ?? filesOfFolder(state, room) ??
    definitionsOfFile(question.listed, evidence, room) ??
    membersOfType(question, evidence, room, false);
}

/** Whether names end in the same thing: `RequestOptions` in options, `shell_completions` in completions but not in shells. */
function endsIn(name: string, stem: string): boolean {
  const parts = splitIdentifier(name);
  return parts.length > 0 && stemOf(parts.at(-1)!) === stem;
}

/**
 * The members of a type that is called what is to be listed: `RequestOptions` for "which request options are there".
 * @param whole only of one whose name says all that the question does
 */
function membersOfType(
  question: Question,
  evidence: Evidence,
  room: number,
  whole: boolean,
): List | undefined {
  const { listed, terms } = question;
  const found = evidence.files().filter((path) => roleOf(path) === "code").flatMap((path) => {
    const entries = evidence.outline(path);
    return entries.filter((entry) => HOLDS_MEMBERS.has(entry.kind) && endsIn(entry.name, listed))
      .map((type) => ({
        path,
        type,
        share: terms.filter((term) => termsOf(type.name).includes(term)).length / terms.length,
        members: entries.filter((entry) =>
          entry.container.at(-1) === type.name && type.startLine <= entry.startLine &&
          entry.endLine <= type.endLine && !/^(?:_|#|constructor$)/.test(entry.name) &&
          // What a class of options does is none of them.
          (entry.kind !== "method" || /^(?:interface|trait)$/.test(type.kind))
        ),
      }));
  }).filter(({ members, share }) => members.length >= SHORTEST_LIST && (!whole || share === 1))
    .sort((one, other) => other.share - one.share || other.members.length - one.members.length)[0];
  if (!found) return undefined;
  const { path, type } = found;
  const members = [...new Map(found.members.map((entry) => [entry.name, entry])).values()];
  const rows = rowsOfNames(
    members,
    room,
    (entry) =>
      `- ${named(entry.name)} (\`${cite(path, entry.startLine, entry.endLine)}\`)${
        remark(entry.doc, LIST_REMARK)
      }`,
  );
  return {
    text: `${named(qualified(type))} (${type.kind}, \`${
      cite(path, type.startLine, type.endLine)
    }\`) holds:\n${rows}`,
    sources: [{ path, startLine: type.startLine, endLine: type.endLine }],
    path,
    holds: true,
  };
}

/** Files of tests that speak of the question, with what they test: where no test uses what was found by its name. */
export function testFilesList(
  evidence: Evidence,
  places: readonly Place[],
  room: number,
): List | undefined {
  const found = places.filter((place) => place.role === "test");
  const speaks = (place: Place) =>
    evidence.score(`${place.path} ${place.name} ${place.doc} ${place.signature}`);
  const best = Math.max(0, ...found.map(speaks));
  const files = new Map<string, Place>();
  for (const place of found) {
    if (speaks(place) >= best * NEAR_TESTS && !files.has(place.path)) files.set(place.path, place);
  }
  if (files.size === 0) return undefined;
  const most = Math.min(room, MOST_TEST_FILES);
  const shown = [...files.values()].slice(0, most).map((place) => {
    const tests = evidence.outline(place.path).filter((entry) =>
      entry.kind === "test" || /^(?:method|function)$/.test(entry.kind) && /^test/i.test(entry.name)
    );
    // Those that say most of the question first, else in the order of the file.
    const listed = tests.toSorted((one, other) =>
      evidence.score(other.name) - evidence.score(one.name)
    );
    return { place, tests, listed };
  });
  const rows = shown.map(({ place, tests, listed }) => {
    const rest = tests.length - Math.min(listed.length, TESTS_NAMED);
    const names = listed.slice(0, TESTS_NAMED).map((entry) =>
      `\n  - ${named(shorten(entry.name, LIST_REMARK))} (\`${
        cite(place.path, entry.startLine, entry.endLine)
      }\`)`
    );
    return `- ${named(place.path)}${tests.length ? `, ${counted(tests.length, "test")}` : ""}${
      names.join("")
    }${rest > 0 && names.length ? `\n  - … ${rest} more` : ""}`;
  });
  return {
    text: `Tests that speak of it:\n${rows.join("\n")}`,
    sources: shown.flatMap(({ place, listed }) =>
      listed.slice(0, TESTS_NAMED).map(({ startLine, endLine }) => ({
        path: place.path,
        startLine,
        endLine,
      }))
    ),
    holds: true,
  };
}

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
  const name = [...new Set(files.map((use) => use.name))].map((one) => named(one));
  const least = files.length >= MOST_REFERENCES ? "at least " : "";
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

function filesOfFolder(state: MorphState, room: number): List | undefined {
  const folder = state.reasoning_log.find((step) =>
    step.action === "descend" && step.observation.includes(" holds ")
  );
  if (!folder) return undefined;
  const said = new Map<string, string>();
  for (const item of state.retrieved_context) {
    if (item.type !== "summary" || item.summary.level !== "file") continue;
    const { path, text } = item.summary;
    const parent = parentOf(path);
    // The first line of a summary is the file itself, the second what it says of itself.
    if (parent === folder.arguments.path && roleOf(path) === "code") {
      said.set(path, text.split("\n")[1] ?? "");
    }
  }
  if (said.size < SHORTEST_LIST) return undefined;
  const files = [...said].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    text: `${named(String(folder.arguments.path))} holds:\n${
      rowsOf(files, room, ([path, doc]) => `- ${named(path)}${remark(doc, LIST_REMARK)}`)
    }`,
    sources: [],
  };
}

function definitionsOfFile(wanted: string, evidence: Evidence, room: number): List | undefined {
  for (const path of new Set(evidence.places.map((place) => place.path))) {
    const stem = baseOf(path).replace(/\..*$/, "");
    if (roleOf(path) !== "code" || !endsIn(stem, wanted)) continue;
    const top = evidence.outline(path).filter((entry) =>
      !entry.container.length && !entry.name.startsWith("_") && entry.kind !== "module"
    );
    const exported = top.filter((entry) => entry.exported);
    const listed = exported.length >= SHORTEST_LIST ? exported : top;
    if (listed.length < SHORTEST_LIST) continue;
    const rows = rowsOfNames(
      listed,
      room,
      (entry) =>
        `- ${named(qualified(entry))} (\`${cite(path, entry.startLine, entry.endLine)}\`)${
          remark(entry.doc, LIST_REMARK)
        }`,
    );
    return { text: `${named(path)} defines:\n${rows}`, sources: listed.slice(0, room), path };
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
