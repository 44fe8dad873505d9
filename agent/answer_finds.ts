/**
 * The parts of an extractive answer that are lines found on purpose: where a text stands, what states a default, what is built on a type.
 *
 * Owns what of the lines found counts as an answer, and their order. Pure. What must hold: every row is a line of a file, cited; where nothing
 * was found, that is said.
 */
import type { MorphState, Reference } from "./driver.ts";
import type { Evidence } from "./evidence.ts";
import { callerRow, type List, rowsOf, sourceOf } from "./answer_lists.ts";
import { named, visible } from "./excerpt.ts";
import { alike } from "./references.ts";
import { isChangelog, type Role, roleOf } from "./roles.ts";
import type { Question } from "./question.ts";
import { asWritten } from "./text_places.ts";
import { isBenchmarkPath, splitIdentifier } from "../rag/mod.ts";

/** Statements of a default that are listed: the first ones say it. */
const MOST_DEFAULTS = 6;
/** Lines below the name of a setting in a document in which its default is looked for. */
export const DOCUMENTED_WITHIN = 10;
/** A line of its own that names a setting has no more words. */
const MOST_HEADWORDS = 4;
/** A line that says "default" counts so much; one that gives a value as well. */
const SAYS_DEFAULT = 2;
const GIVES_VALUE = 2;
const GIVES_NAME = 1;
/** Less is a use of the setting, not a default of it. */
const STATES = 2;

/** Where the texts of the question stand, or that they stand nowhere. */
export function textList(state: MorphState, question: Question, room: number): List | undefined {
  const texts: string[] = [];
  const listed: Reference[] = [];
  for (const text of question.texts) {
    const uses = asWritten(referencesTo(state, text, ["text", "near"]), text);
    const shown = `“${visible(text)}”`;
    if (uses.length === 0) {
      if (wasLookedFor(state, text)) {
        texts.push(`${shown} stands nowhere in the index, nor do most of its words together.`);
      }
      continue;
    }
    const isNear = uses.every((use) => use.kind === "near");
    const code = uses.filter((use) => roleOf(use.path) === "code");
    // Where code says it, tests and documents only repeat it.
    const rows = code.length > 0 ? code : uses;
    const rest = uses.length - rows.length;
    const where = `${rows.length} ${rows.length === 1 ? "place" : "places"}${
      rest > 0 ? ` in code, ${rest} elsewhere` : ""
    }`;
    listed.push(...rows.slice(0, room));
    texts.push(
      `${
        isNear
          ? `${shown} stands nowhere as it is; most of its words stand in this order in ${where}`
          : `${shown} stands in ${where}`
      }:\n${rowsOf(rows, room, callerRow)}`,
    );
  }
  if (texts.length === 0) return undefined;
  return { text: texts.join("\n\n"), sources: listed.map(sourceOf), holds: listed.length > 0 };
}

/** Lines that set a default of what the question asks for, or say what it is. */
export function defaultsList(
  state: MorphState,
  question: Question,
  evidence: Evidence,
  room: number,
): List | undefined {
  const wanted = question.defaultOf;
  if (wanted === undefined) return undefined;
  const name = nameOf(wanted);
  const found = new Map<string, { use: Reference; value: number }>();
  for (const use of settingUses(state, wanted)) {
    const role = roleOf(use.path);
    if (role === "test" || role === "example") continue;
    if (isChangelog(use.path) || isBenchmarkPath(use.path)) continue;
    // In a document a value may be anybody's choice, unless it says that it is the default.
    const value = role !== "doc" || /default/i.test(use.text) ? statement(use.text, name) : 0;
    const stated = value >= STATES ? { use, value } : documented(use, role, name, evidence);
    if (!stated) continue;
    const key = `${stated.use.path}:${stated.use.line}`;
    if ((found.get(key)?.value ?? 0) < stated.value) found.set(key, stated);
  }
  if (found.size === 0) return undefined;
  const rank = (use: Reference) => roleOf(use.path) === "doc" ? 1 : 0;
  const rows = [...found.values()]
    .sort((one, other) => other.value - one.value || rank(one.use) - rank(other.use))
    .map(({ use }) => use);
  const most = Math.min(room, MOST_DEFAULTS);
  return {
    text: `Lines that set or say a default of ${named(wanted)} (found by name):\n${
      rowsOf(rows.slice(0, most), most, callerRow)
    }`,
    sources: rows.slice(0, most).map(sourceOf),
    holds: true,
  };
}

/** Under which words the lines that hold a setting are looked for: however its name is written. */
export function settingText(name: string): string {
  return name.split(/[\s._-]+/).flatMap((word) => splitIdentifier(word)).join(" ");
}

/** Lines that hold a setting, in whatever way it is written. */
export function settingUses(state: MorphState, name: string): Reference[] {
  const text = settingText(name);
  return state.retrieved_context.filter((item): item is Reference =>
    item.type === "reference" && item.kind !== "near" &&
    (item.name === text || item.name === name)
  );
}

/** Types that are declared to be built on what the question names, then what is built on these. */
export function subtypesList(
  question: Question,
  evidence: Evidence,
  room: number,
): List | undefined {
  if (!question.wantsSubtypes || question.symbols.length === 0) return undefined;
  const isAsked = (name: string) => question.symbols.some((symbol) => alike(symbol, name));
  const all = evidence.references.filter((use) =>
    use.kind === "subtype" && !["doc", "config"].includes(roleOf(use.path)) &&
    // What a file takes in at its top is an import.
    (use.within !== "" || !/^use\s/.test(use.text))
  );
  const direct = all.filter((use) => isAsked(use.name));
  const name = question.symbols.map((symbol) => named(symbol)).join(", ");
  if (direct.length === 0) {
    const isUsed = evidence.references.some((use) => isAsked(use.name));
    return isUsed
      ? { text: `No type is declared to be built on ${name}, as far as names tell.`, sources: [] }
      : undefined;
  }
  const further = all.filter((use) =>
    !isAsked(use.name) && !direct.includes(use) &&
    direct.some((one) => one.within && alike(one.within, use.name))
  );
  const order: readonly Role[] = ["code", "doc", "config", "example", "test"];
  const rank = (use: Reference) => order.indexOf(roleOf(use.path));
  const rows = [...direct.toSorted((one, other) => rank(one) - rank(other)), ...further];
  const by = direct.every((use) => use.resolution === "compiler")
    ? "resolved by the compiler"
    : "found by name";
  const tests = direct.filter((use) => roleOf(use.path) === "test").length;
  const counts = [
    `${direct.length}${tests ? ` (${tests} of them in tests)` : ""}`,
    ...further.length ? [`${further.length} further down`] : [],
  ];
  return {
    text: `Built on ${name} (${by}): ${counts.join(", ")}\n${rowsOf(rows, room, subtypeRow)}`,
    sources: rows.slice(0, room).map(sourceOf),
    holds: true,
  };
}

function subtypeRow(use: Reference): string {
  const row = callerRow(use);
  return use.within ? row.replace("` in `", "` `") : row;
}

/** What an action found for a name or a text. */
export function referencesTo(
  state: MorphState,
  name: string,
  kinds: readonly Reference["kind"][],
): Reference[] {
  return state.retrieved_context.filter((item): item is Reference =>
    item.type === "reference" && item.name === name && kinds.includes(item.kind)
  );
}

function wasLookedFor(state: MorphState, name: string): boolean {
  return state.reasoning_log.some((step) =>
    step.action === "references" && step.arguments.name === name
  );
}

/** A name in whatever way it is written. */
export function nameOf(wanted: string): RegExp {
  const words = settingText(wanted).split(" ").map(RegExp.escape);
  return new RegExp(words.join("[\\s_.-]*"), "i");
}

/** A value in code: a number, a text, a truth, nothing; how a duration is written. */
const LITERAL =
  /^(?:[-+]?\.?\d|["'`]|(?:true|false|nil|null|none|undefined|\[\]|\{\})\b|[\[{]\s*[\]}]|[\w.]+\((?:["']|\d))/i;
/** A constant, a field of one, or what is called a default; nothing that is called or made. */
const CONSTANT =
  /^(?:(?:[A-Za-z_$][\w$]*(?:\.|::))*(?:[A-Z][A-Z\d_]{2,}|[dD]efault\w*)|(?:\w+(?:\.|::))+[A-Z]\w+)(?![\w$]|\s*[(<{.:])/;
/** What stands behind a colon where a type is declared. */
const TYPE =
  /^(?:&?(?:'\w+ )?(?:mut )?)(?:number|string|boolean|bool|u?int\d*|[iuf]\d+|[ui]size|str|char|float|double|long|any|unknown|void|object|never|String|Vec|Option|Box|List|Map|Function|Promise|Callable|Optional|Union|Duration|TimeSpan)\b(?!\s*[(.:])/;

/** How surely a line sets or says the default of a name. */
function statement(line: string, name: RegExp): number {
  const at = name.exec(line);
  if (!at) return 0;
  const says = /default/i.test(line) ? SAYS_DEFAULT : 0;
  const behind = line.slice(at.index + at[0].length);
  // `= value`, `: value`, `: type = value`, `=> value`, `, value`, `{ get; set; } = value`, `(..., default=value)`.
  const assigned =
    /^["'`\])]*\s*(?:\{[^}]*\}\s*)?\??(?::\s*[^=,;()]{1,60}?)?\s*(?:(?<![=!<>])=(?![=>~])|:=|=>)\s*(.+)$/
      .exec(behind)?.[1] ??
      /^["'`\])]*\s*:\s*(.+)$/.exec(behind)?.[1] ??
      /\bdefault(?:_value|Value)?\s*[=:]\s*(.+)$/i.exec(behind)?.[1];
  if (assigned === undefined || name.test(assigned) && !CONSTANT.test(assigned)) return says;
  if (LITERAL.test(assigned)) return says + GIVES_VALUE;
  if (TYPE.test(assigned)) return says;
  return says + (CONSTANT.test(assigned) ? GIVES_NAME + (says ? 0 : 1) : 0);
}

/** The line below the name of a setting in a document, or above it in a comment, that says its default. */
function documented(
  use: Reference,
  role: Role,
  name: RegExp,
  evidence: Evidence,
): { use: Reference; value: number } | undefined {
  if (role !== "doc" || !isHeadword(use.text, name)) return undefined;
  const lines = evidence.lines(use.path);
  for (let line = use.line + 1; line <= use.line + DOCUMENTED_WITHIN; line++) {
    const text = lines.get(line);
    if (text === undefined || /^#{1,6}\s|^[-*+]\s+[`*_]/.test(text)) return undefined;
    if (/\bdefaults?\b/i.test(text)) {
      return { use: { ...use, line, text: text.trim() }, value: SAYS_DEFAULT + GIVES_VALUE };
    }
  }
  return undefined;
}

/** Whether a line of a document names a setting, and the lines below are about it: a heading, an item, or a line of its own. */
export function isHeadword(text: string, name: RegExp): boolean {
  const line = text.trim();
  const plain = line.replace(/<[^>]*>|&#?\w+;|[`*_:~[\]()|]/g, " ").trim();
  const at = name.exec(plain)?.index ?? -1;
  // Before the name at most a sign or "the"; in a line of its own not much behind it.
  if (at < 0 || /\w{4,}/.test(plain.slice(0, at))) return false;
  if (/^(?:#{1,6}\s|\.\. |[-*+]\s+[`*_])/.test(line)) return true;
  return plain.split(/\s+/).length <= MOST_HEADWORDS && !/[.,;]$/.test(plain);
}
