/**
 * The text of an extractive answer.
 *
 * Owns its layout: what it is, the places that answer (facts, words of the doc comment, lines that matter), what else is
 * relevant, sources. Pure. What must hold: every statement is a quotation or a fact that memory holds; whatever is left out inside a
 * quotation says which lines; the text counts at most `budget.answerTokens`.
 */
import type { MorphState, Reference } from "./driver.ts";
import { CLASS_LIKE } from "./candidates.ts";
import { type Evidence, lastName, type Place } from "./evidence.ts";
import { Absence } from "./answer_absence.ts";
import { areaFile, areaFolder, areaList, fileList, headerOf } from "./answer_area.ts";
import {
  callersList,
  changelogList,
  commitsList,
  impactList,
  type List,
  mergeSources,
  type Source,
  testFilesList,
  testsList,
  wantedList,
} from "./answer_lists.ts";
import { defaultsList, subtypesList, textList } from "./answer_finds.ts";
import { remark, sentencesOf, shorten } from "./doc_text.ts";
import {
  cite,
  codeLines,
  named,
  proseLines,
  quoteCode,
  quoteProse,
  spansOf,
  uncited,
  visible,
} from "./excerpt.ts";
import { alike, isFamiliar, MOST_REFERENCES } from "./references.ts";
import { roleOf } from "./roles.ts";
import type { Question } from "./question.ts";

export const HEADLINE =
  "Extractive answer (no model attached): quoted from the files, nothing is reworded.";

/** How to attach a model. */
export const HOW_TO_ATTACH =
  "To have a model reason about it: `batos model use NAME` (`batos model list` names some).";

/** How much of everything is shown. */
interface Layout {
  /** Lines quoted of each place. */
  readonly lines: readonly number[];
  /** Rows of a list of callers, commits or names. */
  readonly rows: number;
  /** Places named without a quotation. */
  readonly further: number;
}

/** Richest first; the first whose text fits the budget is taken. */
const LAYOUTS: readonly Layout[] = [
  { lines: [26, 16, 12, 10, 8], rows: 14, further: 6 },
  { lines: [22, 14, 10, 8], rows: 12, further: 6 },
  { lines: [18, 10, 8, 6], rows: 10, further: 6 },
  { lines: [20, 12, 8], rows: 10, further: 6 },
  { lines: [16, 10, 6], rows: 8, further: 6 },
  { lines: [16, 8], rows: 8, further: 5 },
  { lines: [12, 6], rows: 6, further: 4 },
  { lines: [12], rows: 5, further: 3 },
  { lines: [8], rows: 4, further: 2 },
  { lines: [4], rows: 3, further: 1 },
  { lines: [0], rows: 2, further: 0 },
];
/** Where a list was asked for and found, it comes before quotations. */
const LIST_LAYOUTS: readonly Layout[] = [
  { lines: [10, 6], rows: 40, further: 2 },
  { lines: [8], rows: 32, further: 0 },
  { lines: [0], rows: 24, further: 0 },
];
/** A place under this share of the best one's score is named, not quoted. */
const WORTH_QUOTING = 0.4;
/** Further places for a question about one name: who asks for it wants little else. */
const BESIDE_A_NAME = 3;
/** A definition that is asked for by its name is cited as a whole up to so many lines. */
const WHOLE = 160;
/** The head of a class is shown when it holds this share of what all of it holds of the question. */
const HEAD_ENOUGH = 0.8;
/** Longest quotation from a doc comment, in characters: three sentences. */
const LONGEST_DOC = 360;
/** Longest remark behind a place that is only named. */
const LONGEST_REMARK = 140;
const ASKS_FOR_A_NAME = new Set(["where", "callers", "impact", "what"]);
/** Who asks for the types built on another one wants them all, where there is room. */
const MOST_SUBTYPES = 20;
const CALLERS_NAMED = 3;
const COPIES_NAMED = 3;
/** A file's own words are quoted when they hold this share of the question. */
const HEADER_SHARE = 0.3;
/** How a summary goes on of a file that says nothing of itself. */
const LISTS_NAMES = /^(Defines|Sections|Passes on): /;
const MEMBERS_NAMED = 16;
/** What is built or implemented rather than called. */
const NOT_CALLED = new Set(["interface", "trait", "struct", "enum", "type", "section", "module"]);

export function composeExtractive(
  state: MorphState,
  question: Question,
  evidence: Evidence,
): string {
  const write = (layout: Layout) => new Writer(state, question, evidence, layout);
  const layouts = wantedList(state, question, evidence, 1) ||
      question.area !== undefined &&
        (areaList(state, evidence, 1) ?? fileList(state, evidence, 1))
    ? [...LIST_LAYOUTS, ...LAYOUTS]
    : LAYOUTS;
  let text = "";
  for (const layout of layouts) {
    text = write(layout).text();
    if (state.count(text) <= state.budget.answerTokens) break;
  }
  return text;
}

class Writer {
  readonly #sources: Source[] = [];
  readonly #blocks: string[] = [HEADLINE];
  readonly #quoted: Place[] = [];
  /** What was quoted, by what copies of it share. */
  readonly #originals = new Map<string, Place>();
  readonly #copies = new Map<Place, Place[]>();
  /** File whose definitions were listed. */
  #listed: string | undefined;

  constructor(
    readonly state: MorphState,
    readonly question: Question,
    readonly evidence: Evidence,
    readonly layout: Layout,
  ) {}

  text(): string {
    const { question, evidence } = this;
    this.#noteSpelling();
    const absence = new Absence(this.state, question, evidence);
    const unknown = absence.unknownSymbols();
    const only = (blocks: readonly string[]) => [HEADLINE, ...blocks, HOW_TO_ATTACH].join("\n\n");
    const within = question.area === undefined ? undefined : areaFolder(this.state);
    const file = question.area === undefined ? undefined : areaFile(this.state);
    const places = evidence.places.filter((place) =>
      place.score > 0 && place.coverage > 0 && (!within || place.path.startsWith(`${within}/`)) &&
      (!file || place.path === file)
    );
    const pointless = unknown.length > 0 &&
      ["where", "callers", "impact", "what"].includes(question.shape);
    const { rows } = this.layout;
    const told = question.shape === "history" && changelogList(this.state, evidence, rows) ||
      within !== undefined && areaList(this.state, evidence, rows) ||
      file !== undefined && fileList(this.state, evidence, rows);
    if (!places.length && !told || pointless) return only(absence.nothing(unknown, places));
    if (!told && absence.isElsewhere(places)) return only(absence.elsewhere(places));
    if (!told) this.#blocks.push(...absence.notes(unknown, places));
    if (question.area !== undefined) {
      this.#list(areaList(this.state, evidence, rows) ?? fileList(this.state, evidence, rows));
    }
    if (question.shape === "impact") this.#list(impactList(question, evidence, rows));
    this.#list(textList(this.state, question, rows));
    this.#list(defaultsList(this.state, question, evidence, rows));
    const subtypes = subtypesList(question, evidence, Math.max(rows, MOST_SUBTYPES));
    this.#list(subtypes);
    if (!subtypes?.holds && (question.shape === "callers" || question.shape === "impact")) {
      this.#list(callersList(question, evidence, rows));
    }
    if (question.wantsTests || question.shape === "impact" && question.symbols.length > 0) {
      const tests = testsList(question, evidence, places, rows);
      const files = question.symbols.length === 0 && testFilesList(evidence, places, rows);
      this.#list(files || tests);
    }
    if (question.shape === "history") {
      const notes = changelogList(this.state, evidence, rows);
      const commits = commitsList(this.state, question, evidence, rows);
      this.#list(notes);
      // Why there is none is worth saying where nothing else tells of it.
      if (!notes || commits?.holds) this.#list(commits);
    }
    this.#list(wantedList(this.state, question, evidence, rows));
    // Where a changelog tells of it, or the whole repository is described, single definitions are beside the point.
    if (!told || within || file || question.symbols.length > 0) this.#places(places);
    if (question.shape === "why") this.#list(commitsList(this.state, question, evidence, rows));
    const sources = mergeSources(this.#sources)
      .map(({ path, startLine, endLine }) => `- \`${cite(path, startLine, endLine)}\``).join("\n");
    const further = this.#further(places);
    if (further.length) this.#blocks.push(`Also relevant:\n${further.join("\n")}`);
    this.#blocks.push(`Sources:\n${sources}`, HOW_TO_ATTACH);
    return this.#blocks.join("\n\n");
  }

  #list(list: List | undefined): void {
    if (!list) return;
    this.#blocks.push(list.text);
    this.#sources.push(...list.sources);
    this.#listed ??= list.path;
  }

  #source(path: string, startLine: number, endLine = startLine): string {
    this.#sources.push({ path, startLine, endLine });
    return cite(path, startLine, endLine);
  }

  #noteSpelling(): void {
    const read = new Map(
      this.state.retrieved_context.flatMap((item) =>
        item.type === "spelling" ? [[item.from, item.to] as const] : []
      ),
    );
    if (read.size === 0) return;
    const words = [...read].map(([from, to]) => `“${visible(from)}” as “${visible(to)}”`);
    this.#blocks.push(`Read ${words.join(", ")}.`);
  }

  #places(places: readonly Place[]): void {
    const least = places[0]!.score * WORTH_QUOTING;
    // Copies of one thing (bundles, sync and async twins) are quoted once; the others are named with it.
    const first = this.#originals;
    const worth: Place[] = [];
    for (const place of this.#comparedFirst(places)) {
      if (place.score < least || place.path === this.#listed) continue;
      const original = first.get(sameness(place));
      if (original) {
        this.#copies.set(original, [...this.#copies.get(original) ?? [], place]);
        continue;
      }
      if (worth.length === this.layout.lines.length) break;
      first.set(sameness(place), place);
      worth.push(place);
    }
    // The best first, then code, documents, tests; each by score.
    const order = this.question.wantsTests
      ? ["test", "code", "config", "doc", "example"]
      : ["code", "config", "doc", "example", "test"];
    const ordered = worth.map((place, index) => ({
      place,
      lines: this.layout.lines[index]!,
      rank: index > (this.question.compared.length ? 1 : 0) || this.question.wantsTests
        ? order.indexOf(place.role)
        : -1,
    })).sort((one, other) => one.rank - other.rank);
    for (const { place, lines } of ordered) this.#place(place, lines);
  }

  /** What is compared leads, one of each; namesakes of it say nothing more. */
  #comparedFirst(places: readonly Place[]): readonly Place[] {
    const { compared } = this.question;
    if (compared.length === 0) return places;
    const of = (name: string) =>
      places.find((place) => lastName(place.name) === lastName(name)) ??
        places.find((place) => alike(place.name, name));
    const leads = compared.flatMap((name) => of(name) ?? []);
    return [
      ...leads,
      ...places.filter((place) => !compared.some((name) => alike(place.name, name))),
    ];
  }

  #place(place: Place, room: number): void {
    const lines = this.evidence.lines(place.path);
    const score = (text: string) => this.evidence.lineScore(text);
    if (place.role === "doc") {
      this.#quoted.push(place);
      const passage = proseLines(place, lines, room, score);
      const [from, to] = passage ?? [place.startLine, place.endLine];
      const source = this.#source(place.path, from, to);
      const title = place.name ? `${named(place.name)} (\`${source}\`)` : `\`${source}\``;
      this.#blocks.push(passage ? `${title}:\n${quoteProse(lines, from, to)}` : title);
      return;
    }
    const doc = this.#doc(place.doc);
    const shown = codeLines(place, lines, room, this.#isHeadWanted(place, room) ? () => 0 : score);
    // Nothing to say but the name: it is listed further down.
    if (!doc && !shown.length && room > 0 && !this.evidence.isNamed(place)) return;
    const header = this.#header(place);
    this.#quoted.push(place);
    const head = this.#head(place, shown);
    this.#blocks.push([
      `${head}${doc ? `: “${doc}”` : ""}`,
      ...header,
      ...this.#copiesOf(place),
      ...this.#facts(place),
      ...shown.length ? [quoteCode(place, lines, shown)] : [],
    ].join("\n"));
  }

  /** What a place is called, its kind, and where the lines are that matter. */
  #head(place: Place, shown: readonly number[]): string {
    const { path, startLine, endLine } = place;
    const isWhole = endLine - startLine < WHOLE && this.#isAskedFor(place);
    const spans = isWhole ? [[startLine, endLine] as const] : spansOf(place, shown);
    const sources = spans.map(([from, to]) => `\`${this.#source(path, from, to)}\``).join(", ");
    const isAll = spans[0]![0] === startLine && spans.at(-1)![1] === endLine;
    const within = isAll ? "" : ` of lines ${startLine}-${endLine}`;
    return place.name
      ? `${named(place.name)} (${place.kind}, ${sources}${within})`
      : `${sources}${within && ` (${within.trim()})`}`;
  }

  /** Whether the question is what or where this very thing is. */
  #isAskedFor(place: Place): boolean {
    return this.evidence.isNamed(place) && ASKS_FOR_A_NAME.has(this.question.shape) &&
      this.question.defaultOf === undefined;
  }

  /** Of a class the first lines say most, unless other lines of it hold more of the question and the class is not what is asked about. */
  #isHeadWanted(place: Place, room: number): boolean {
    if (!CLASS_LIKE.has(place.kind)) return false;
    if (this.#isAskedFor(place) || this.question.shape === "impact") return true;
    const lines = this.evidence.lines(place.path);
    const known = (end: number) => {
      const texts: string[] = [];
      for (let line = place.startLine; line <= end; line++) texts.push(lines.get(line) ?? "");
      return this.evidence.lineScore(texts.join("\n"));
    };
    const head = known(Math.min(place.endLine, place.startLine + room - 1));
    return head >= HEAD_ENOUGH * known(place.endLine) &&
      !this.evidence.holdsText(place);
  }

  /** What the file says of itself, with its first place, where that speaks of the question and is not said already. */
  #header(place: Place): string[] {
    if (this.#quoted.some((other) => other.path === place.path)) return [];
    // Of the comment itself the sentences that speak of the question; where its lines are not known, what memory kept of it.
    const comment = headerOf(this.evidence.lines(place.path));
    const isQuoted = comment !== undefined && place.startLine <= comment.lines[1];
    const header = comment?.text ?? this.evidence.header(place.path);
    // A list of its names is what memory says of a file that says nothing of itself.
    if (isQuoted || LISTS_NAMES.test(header)) return [];
    if (this.evidence.score(header) < HEADER_SHARE) return [];
    const said = this.#doc(header);
    const known = this.evidence.outline(place.path).some((entry) =>
      entry.doc && said.startsWith(sentencesOf(entry.doc)[0]!)
    );
    if (!said || known) return [];
    const source = comment && ` (\`${this.#source(place.path, ...comment.lines)}\`)`;
    return [`The file${source ?? ""}: “${said}”`];
  }

  #copiesOf(place: Place): string[] {
    const copies = this.#copies.get(place) ?? [];
    this.#quoted.push(...copies);
    if (!copies.length) return [];
    const shown = copies.slice(0, COPIES_NAMED).map((copy) =>
      `${named(copy.name)} (\`${this.#source(copy.path, copy.startLine, copy.endLine)}\`)`
    );
    const rest = copies.length - shown.length;
    return [`The same is said of ${shown.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}.`];
  }

  /** The first sentence, and those that hold words of the question. */
  #doc(doc: string): string {
    const sentences = sentencesOf(doc);
    const chosen = new Set([0]);
    let length = sentences[0]!.length;
    const ranked = sentences.map((text, index) => ({
      text,
      index,
      score: this.evidence.score(text),
    }))
      .slice(1).filter(({ text, score }) => score > 0 && !text.endsWith(":")).sort((one, other) =>
        other.score - one.score
      );
    for (const { text, index } of ranked) {
      if (chosen.size === 3 || length + text.length > LONGEST_DOC) break;
      chosen.add(index);
      length += text.length;
    }
    let said = "";
    let last = -1;
    for (const index of [...chosen].sort((one, other) => one - other)) {
      said += (last < 0 ? "" : index === last + 1 ? " " : " … ") + sentences[index]!;
      last = index;
    }
    return uncited(visible(shorten(said, LONGEST_DOC)));
  }

  #facts(place: Place): string[] {
    const facts: string[] = [];
    if (CLASS_LIKE.has(place.kind)) {
      const name = lastName(place.name);
      const members = this.evidence.outline(place.path)
        .filter((entry) => entry.container.at(-1) === name && entry.kind !== "key")
        // What it does before what it holds.
        .sort((one, other) => Number(one.kind !== "method") - Number(other.kind !== "method"))
        .map((entry) => entry.name);
      const unique = [...new Set(members)];
      if (unique.length) {
        const rest = unique.length - MEMBERS_NAMED;
        facts.push(
          `Members: ${unique.slice(0, MEMBERS_NAMED).map((member) => named(member)).join(", ")}${
            rest > 0 ? ` and ${rest} more` : ""
          }.`,
        );
      }
    }
    if (this.question.shape !== "callers") facts.push(...this.#calledFrom(place));
    return facts;
  }

  /** Who calls a place, where the compiler says so or its name tells it apart. */
  #calledFrom(place: Place): string[] {
    const name = lastName(place.name);
    if (NOT_CALLED.has(place.kind)) return [];
    const all = this.evidence.references.filter((reference) => reference.name === name);
    const unique = this.evidence.namesakes(name) < 2 && !isFamiliar(name);
    const calls = all.filter((reference) =>
      reference.kind === "call" &&
      (reference.resolution === "compiler" || unique) &&
      !(reference.path === place.path && place.startLine <= reference.line &&
        reference.line <= place.endLine)
    );
    const of = (role: string) => calls.filter((use) => roleOf(use.path) === role);
    const code = of("code");
    // A test is named once, however often it calls.
    const tests = [
      ...new Map(of("test").reverse().map((use) => [`${use.path}\n${use.within || use.line}`, use]))
        .values(),
    ].reverse();
    return [
      ...code.length ? [`Called from ${this.#named(code)}.`] : [],
      ...tests.length ? [`Tested from ${this.#named(tests.slice(0, 2), tests.length)}.`] : [],
    ];
  }

  #named(uses: readonly Reference[], total = uses.length): string {
    const shown = uses.slice(0, CALLERS_NAMED).map((use) => {
      const source = cite(use.path, use.line);
      return use.within ? `${named(use.within)} (\`${source}\`)` : `\`${source}\``;
    });
    const rest = total - shown.length;
    const name = uses[0]?.name;
    const kept = this.evidence.references.filter((use) => use.name === name).length;
    const least = kept >= MOST_REFERENCES ? "at least " : "";
    return shown.join(", ") + (rest > 0 ? ` and ${least}${rest} more` : "");
  }

  /** Places that were not quoted, a line each. */
  #further(places: readonly Place[]): string[] {
    const one = this.#quoted[0] && this.evidence.isNamed(this.#quoted[0]) &&
      (ASKS_FOR_A_NAME.has(this.question.shape) || this.question.terms.length === 1);
    const wanted = Math.min(this.layout.further, one ? BESIDE_A_NAME : Infinity);
    const files = new Set(this.#quoted.map((place) => place.path));
    const rows: string[] = [];
    for (const place of places) {
      if (rows.length === wanted) break;
      // One place of each further file: more of the same file is found by going there.
      if (files.has(place.path) || this.#originals.has(sameness(place))) continue;
      files.add(place.path);
      const source = this.#source(place.path, place.startLine, place.endLine);
      rows.push(
        `- \`${source}\`${place.name ? ` ${named(place.name)}` : ""}${
          remark(place.doc, LONGEST_REMARK)
        }`,
      );
    }
    return rows;
  }
}

/** Equal for copies of one definition; never for different ones without a word about them. */
function sameness(place: Place): string {
  const said = place.doc || place.signature;
  return said && place.name
    ? `${lastName(place.name)}\n${said}`
    : cite(place.path, place.startLine, place.endLine);
}
