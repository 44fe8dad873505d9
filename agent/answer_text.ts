/**
 * The text of an extractive answer.
 *
 * Owns its layout: what it is, the places that answer (facts, words of the doc comment, lines that matter), what else is
 * relevant, sources. Pure. What must hold: every statement is a quotation or a fact that memory holds; whatever is left out inside a
 * quotation says which lines; the text counts at most `budget.answerTokens`.
 */
import { fenceFor } from "./governor.ts";
import type { MorphState, Reference } from "./driver.ts";
import { CLASS_LIKE, type Evidence, lastName, type Place } from "./evidence.ts";
import type { Question } from "./question.ts";

export const HEADLINE =
  "Extractive answer (no model attached): quoted from the files, nothing is reworded.";

/** How to attach a model, as it is true of this version. */
export const HOW_TO_ATTACH =
  "To attach a model: this version ships the extractive driver only; a program can pass a driver of its own to `answerQuestion` (`driver` option, interface `Driver` in agent/driver.ts).";

/** Lines quoted of each place, richest layout first; the first whose text fits the budget is taken. */
const LAYOUTS: readonly (readonly number[])[] = [
  [26, 16, 12, 10, 8],
  [22, 14, 10, 8],
  [20, 12, 8],
  [16, 10, 6],
  [16, 8],
  [12, 6],
  [12],
  [8],
  [4],
  [],
];
/** A place under this share of the best one's score is named, not quoted. */
const WORTH_QUOTING = 0.4;
const MOST_FURTHER = 6;
const MOST_BESIDE_A_NAME = 3;
/** Longest quotation from a doc comment, in characters: three sentences. */
const LONGEST_DOC = 360;
/** Longest line of a quotation; minified lines would fill the answer. */
const LONGEST_LINE = 160;
/** Callers named in a sentence, and lines listed where callers are what was asked for. */
const CALLERS_NAMED = 3;
const CALLERS_LISTED = 12;
/** What is built or implemented rather than called. */
const NOT_CALLED = new Set(["interface", "trait", "struct", "enum", "type", "section", "module"]);
const MEMBERS_NAMED = 16;
const LISTED = 14;
/** A match is called weak when more than this share of the question, by weight, stands in none of the first places. */
const WEAK = 0.4;
const LOOKED_AT = 5;

/** A place as it is cited. */
export function cite(path: string, startLine: number, endLine = startLine): string {
  return `${path}:${startLine}-${endLine}`;
}

/**
 * Text of files with what a terminal would obey or hide made visible: control characters and bidirectional overrides
 * appear as `\u{…}`.
 */
export function visible(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (character) => character === "\r" ? "" : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

export function composeExtractive(
  state: MorphState,
  question: Question,
  evidence: Evidence,
): string {
  const fits = (text: string) => state.count(text) <= state.budget.answerTokens;
  const layouts = LAYOUTS.map((layout) => () =>
    new Writer(state, question, evidence, layout).text()
  );
  for (const layout of layouts) {
    const text = layout();
    if (fits(text)) return text;
  }
  return layouts.at(-1)!();
}

class Writer {
  readonly #sources: string[] = [];
  readonly #blocks: string[] = [HEADLINE];
  readonly #quoted: Place[] = [];

  constructor(
    readonly state: MorphState,
    readonly question: Question,
    readonly evidence: Evidence,
    readonly layout: readonly number[],
  ) {}

  text(): string {
    const { question, evidence } = this;
    const unknown = this.#unknownSymbols();
    const places = evidence.places.filter((place) => place.score > 0 && place.coverage > 0);
    const pointless = unknown.length > 0 && ["where", "callers", "what"].includes(question.shape);
    if (!places.length || pointless) return this.#nothing(unknown, places);
    this.#noteWeakness(unknown, places);
    if (question.shape === "callers") this.#callers();
    if (question.shape === "history") this.#commits();
    if (question.shape === "list") this.#list(places);
    this.#places(places);
    if (question.shape === "why") this.#commits();
    const sources = this.#sources.map((source) => `- \`${source}\``).join("\n");
    const further = this.#further(places);
    if (further.length) this.#blocks.push(`Also relevant:\n${further.join("\n")}`);
    this.#blocks.push(`Sources:\n${sources}`, HOW_TO_ATTACH);
    return this.#blocks.join("\n\n");
  }

  #source(path: string, startLine: number, endLine = startLine): string {
    const source = cite(path, startLine, endLine);
    if (!this.#sources.includes(source)) this.#sources.push(source);
    return source;
  }

  /** Names in the question that look like code and stand nowhere. */
  #unknownSymbols(): string[] {
    const looked = this.state.reasoning_log.filter((step) => step.action === "references");
    return looked.filter((step) => step.observation.endsWith("is neither defined nor mentioned"))
      .map((step) => String(step.arguments.name))
      // A plain word may be prose; a joined or humped one is a name.
      .filter((name) =>
        /[a-z\d][A-Z]|_|\.|::|#|\(\)$/.test(name) || this.question.quoted.includes(name)
      );
  }

  #nothing(unknown: readonly string[], places: readonly Place[]): string {
    const words = unknown.length ? unknown : this.question.terms;
    const near = nearestNames(words.map(lastName), this.state);
    const said = unknown.length
      ? `Nothing found: ${
        unknown.map((name) => `\`${visible(name)}\``).join(", ")
      } is neither defined nor mentioned in the index.`
      : this.question.terms.length
      ? `Nothing found: no indexed file answers this; words looked for: ${
        [...this.question.words.values()].map(visible).slice(0, 12).join(", ")
      }.`
      : "Nothing found: the question holds no word to look for.";
    const close = [
      ...near.length
        ? [`Nearest names: ${near.map((name) => `\`${visible(name)}\``).join(", ")}.`]
        : [],
      ...!near.length && places.length
        ? [
          `Nearest files: ${
            [...new Set(places.map((place) => place.path))].slice(0, 5).map((path) => `\`${path}\``)
              .join(", ")
          }.`,
        ]
        : [],
    ];
    return [HEADLINE, said, ...close, HOW_TO_ATTACH].join("\n\n");
  }

  #noteWeakness(unknown: readonly string[], places: readonly Place[]): void {
    for (const name of unknown) {
      this.#blocks.push(
        `Note: \`${visible(name)}\` is neither defined nor mentioned in the index.`,
      );
    }
    const shown = places.slice(0, LOOKED_AT).map((place) =>
      `${place.path} ${place.name} ${place.doc} ${place.signature} ${this.#known(place)}`
    );
    const { words, share } = this.evidence.missing(shown);
    if (share <= WEAK || this.evidence.isNamed(places[0]!)) return;
    this.#blocks.push(
      `Weak match: none of these places holds ${
        words.map((word) => `“${visible(word)}”`).join(", ")
      }.`,
    );
  }

  #known(place: Place): string {
    const lines: string[] = [];
    for (let line = place.startLine; line <= place.endLine; line++) {
      lines.push(this.evidence.line(place.path, line) ?? "");
    }
    return lines.join("\n");
  }

  #places(places: readonly Place[]): void {
    const best = places[0]!.score;
    const worth = places.filter((place) => place.score >= best * WORTH_QUOTING).slice(
      0,
      this.layout.length,
    );
    // The best first, then code, documents, tests; each by score.
    const order = ["code", "config", "doc", "example", "test"];
    const ordered = worth.map((place, index) => ({
      place,
      lines: this.layout[index]!,
      rank: index ? order.indexOf(place.role) : -1,
    }))
      .sort((one, other) => one.rank - other.rank);
    for (const { place, lines } of ordered) this.#place(place, lines);
  }

  #place(place: Place, lines: number): void {
    this.#quoted.push(place);
    const source = this.#source(place.path, place.startLine, place.endLine);
    const prose = place.role === "doc";
    const doc = this.#doc(place.doc);
    const kind = prose ? "" : `${place.kind}, `;
    const head = place.name ? `\`${visible(place.name)}\` (${kind}\`${source}\`)` : `\`${source}\``;
    const facts = [`${head}${doc ? `: “${doc}”` : ""}`, ...this.#facts(place)];
    const shown = this.evidence.window(place, lines);
    if (shown.length) {
      facts.push(prose ? this.#quoteProse(place, shown) : this.#quoteCode(place, shown));
    }
    this.#blocks.push(facts.join("\n"));
  }

  /** The first sentence, and those that hold words of the question. */
  #doc(doc: string): string {
    const prose = doc.split(/\n\s*(?:@\w+|:param|:return|Args:|Parameters\n|Returns:|#+ )/)[0]!
      .replace(/```[\s\S]*?(```|$)/g, " ").replace(/<\/?(p|pre|ul|li|em|code|a)\b[^>]*>/g, " ")
      .replace(/\s+/g, " ").trim();
    const sentences = prose.split(/(?<=[.!?])\s+(?=[A-Z`"'([])/);
    const chosen = new Set([0]);
    let length = sentences[0]!.length;
    const ranked = sentences.map((text, index) => ({
      text,
      index,
      score: this.evidence.score(text),
    }))
      .slice(1).filter(({ score }) => score > 0).sort((one, other) => other.score - one.score);
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
    const clipped = said.length > LONGEST_DOC
      ? `${said.slice(0, said.lastIndexOf(" ", LONGEST_DOC))} …`
      : said;
    return visible(clipped);
  }

  #facts(place: Place): string[] {
    const facts: string[] = [];
    if (CLASS_LIKE.has(place.kind)) {
      const name = lastName(place.name);
      const members = this.evidence.outline(place.path)
        .filter((entry) => entry.container.at(-1) === name && entry.kind !== "key").map((entry) =>
          entry.name
        );
      const unique = [...new Set(members)];
      if (unique.length) {
        const rest = unique.length - MEMBERS_NAMED;
        facts.push(
          `Members: ${
            unique.slice(0, MEMBERS_NAMED).map((member) => `\`${visible(member)}\``).join(", ")
          }${rest > 0 ? ` and ${rest} more` : ""}.`,
        );
      }
    }
    const called = this.question.shape === "callers" || NOT_CALLED.has(place.kind)
      ? []
      : this.#uses(place, "call");
    if (called.length) {
      const code = called.filter((use) => !isTest(use.path));
      const tests = called.filter((use) => isTest(use.path));
      if (code.length) facts.push(`Called from ${this.#named(code)}.`);
      if (tests.length) facts.push(`Tested from ${this.#named(tests.slice(0, 2), tests.length)}.`);
    }
    return facts;
  }

  /** Calls of a place by its name, when the name tells it apart. */
  #uses(place: Place, kind: Reference["kind"]): Reference[] {
    const name = lastName(place.name);
    const all = this.evidence.references.filter((reference) => reference.name === name);
    const definitions = all.filter((reference) =>
      reference.kind === "definition" && !isTest(reference.path)
    );
    if (definitions.length > 1) return [];
    return all.filter((reference) =>
      reference.kind === kind &&
      !(reference.path === place.path && place.startLine <= reference.line &&
        reference.line <= place.endLine)
    );
  }

  #named(uses: readonly Reference[], total = uses.length): string {
    const shown = uses.slice(0, CALLERS_NAMED).map((use) => {
      const source = cite(use.path, use.line);
      return use.within ? `\`${visible(use.within)}\` (\`${source}\`)` : `\`${source}\``;
    });
    const rest = total - shown.length;
    return shown.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
  }

  #quoteCode(place: Place, shown: readonly number[]): string {
    const texts: string[] = [];
    let next = place.startLine;
    const gap = (from: number, to: number) => {
      if (to < from) return;
      const hidden: number[] = [];
      for (let line = from; line <= to; line++) {
        const text = this.evidence.line(place.path, line);
        if (text === undefined || text.trim()) hidden.push(line);
      }
      if (hidden.length) texts.push(`… lines ${from}-${to}`);
    };
    for (const line of shown) {
      gap(next, line - 1);
      texts.push(clip(visible(this.evidence.line(place.path, line)!)));
      next = line + 1;
    }
    gap(next, place.endLine);
    const body = dedent(texts).join("\n");
    const fence = fenceFor(body);
    return `${fence}${fenceLanguage(place.language)}\n${body}\n${fence}`;
  }

  #quoteProse(place: Place, shown: readonly number[]): string {
    const texts: string[] = [];
    let next = shown[0]!;
    for (const line of shown) {
      if (line > next) texts.push(`… lines ${next}-${line - 1}`);
      texts.push(clip(visible(this.evidence.line(place.path, line)!)));
      next = line + 1;
    }
    if (next <= place.endLine) texts.push(`… lines ${next}-${place.endLine}`);
    return texts.map((text) => `> ${text}`.trimEnd()).join("\n");
  }

  #callers(): void {
    const names = new Set(this.question.symbols.map(lastName));
    const uses = this.evidence.references.filter((reference) =>
      names.has(reference.name) &&
      reference.kind !== "definition" && reference.kind !== "comment"
    );
    if (!uses.length) return;
    const imports = /\bimport/i.test(this.question.text);
    const wanted = uses.filter((use) => imports === (use.kind === "import"));
    const listed = wanted.length ? wanted : uses;
    const code = listed.filter((use) => !isTest(use.path));
    const tests = listed.length - code.length;
    const calls = listed.filter((use) => use.kind === "call").length;
    const verb = calls === listed.length
      ? "is called"
      : wanted.length && imports
      ? "is imported"
      : "is used";
    const name = [...new Set(listed.map((use) => use.name))].map((one) => `\`${one}\``).join(", ");
    const shown = (code.length ? code : listed).slice(0, CALLERS_LISTED);
    const rows = shown.map((use) =>
      `- \`${this.#source(use.path, use.line)}\`${
        use.within ? ` in \`${visible(use.within)}\`` : ""
      }: \`${clip(visible(use.text)).replaceAll("`", "'")}\``
    );
    const rest = (code.length ? code : listed).length - shown.length;
    if (rest > 0) rows.push(`- … ${rest} more`);
    this.#blocks.push(
      `${name} ${verb} on ${code.length} line${code.length === 1 ? "" : "s"} outside tests${
        tests ? ` and ${tests} in tests` : ""
      } (found by name):\n${rows.join("\n")}`,
    );
  }

  #commits(): void {
    const commits = this.state.retrieved_context.filter((item) => item.type === "commit");
    const wanted = this.question.shape === "why"
      ? commits.filter((commit) => this.evidence.score(commit.subject) > 0).slice(0, 3)
      : commits.slice(0, 8);
    if (!wanted.length) {
      if (this.question.shape === "history") {
        const why = this.state.reasoning_log.find((step) => step.action === "history")?.observation;
        this.#blocks.push(`History: ${why ?? "no file to ask about was found"}.`);
      }
      return;
    }
    this.#blocks.push(
      `Commits:\n${
        wanted.map((commit) =>
          `- ${commit.date} ${commit.id} ${visible(commit.subject)} (\`${commit.path}\`)`
        ).join("\n")
      }`,
    );
  }

  /** What was asked to be listed: the members of a type, the files of a folder, or the definitions that fit. */
  #list(places: readonly Place[]): void {
    const rows: string[] = [];
    for (const place of places) {
      if (rows.length === LISTED) break;
      const doc = this.#doc(place.doc).split(/(?<=[.!?])\s/)[0]!;
      rows.push(
        `- \`${visible(place.name || place.path)}\` (\`${
          this.#source(place.path, place.startLine, place.endLine)
        }\`)${doc ? `: ${doc}` : ""}`,
      );
    }
    if (rows.length > 2) this.#blocks.push(`What fits best:\n${rows.join("\n")}`);
  }

  /** Places that were not quoted, a line each. */
  #further(places: readonly Place[]): string[] {
    const quoted = new Set(this.#quoted);
    // Who asks for one name wants little else.
    const named = this.#quoted[0] && this.evidence.isNamed(this.#quoted[0]);
    const wanted = named && this.question.terms.length === 1 ? MOST_BESIDE_A_NAME : MOST_FURTHER;
    const files = new Set(this.#quoted.map((place) => place.path));
    const rows: string[] = [];
    for (const place of places) {
      if (rows.length === wanted) break;
      const source = cite(place.path, place.startLine, place.endLine);
      // One place of each further file: more of the same file is found by going there.
      if (quoted.has(place) || files.has(place.path) || this.#sources.includes(source)) continue;
      files.add(place.path);
      const doc = this.#doc(place.doc).split(/(?<=[.!?])\s/)[0]!;
      rows.push(
        `- \`${source}\`${place.name ? ` \`${visible(place.name)}\`` : ""}${doc ? `: ${doc}` : ""}`,
      );
    }
    return rows;
  }
}

function isTest(path: string): boolean {
  return /(^|\/)(tests?|__tests__|spec|testdata)\/|[._-](test|spec)\.\w+$|_test\.\w+$|(^|\/)test_|Tests?\.\w+$/
    .test(path);
}

function clip(line: string): string {
  return line.length > LONGEST_LINE
    ? `${line.slice(0, LONGEST_LINE)} … ${line.length - LONGEST_LINE} more characters`
    : line;
}

function dedent(lines: readonly string[]): string[] {
  const indents = lines.filter((line) => line.trim() && !line.startsWith("…")).map((line) =>
    /^[ \t]*/.exec(line)![0]
  );
  const shared = indents.reduce(
    (one, other) => other.startsWith(one) ? one : one.startsWith(other) ? other : "",
    indents[0] ?? "",
  );
  return lines.map((line) => line.startsWith(shared) ? line.slice(shared.length) : line);
}

function fenceLanguage(language: string): string {
  return /^[a-z+#-]+$/.test(language) ? language : "";
}

/** Names of the retrieved chunks and files that are spelled most like the words looked for. */
function nearestNames(words: readonly string[], state: MorphState): string[] {
  const names = new Set<string>();
  for (const item of state.retrieved_context) {
    if (item.type === "chunk" && item.hit.nodeName) names.add(item.hit.nodeName);
    if (item.type === "outline") {
      for (const entry of item.entries) if (entry.kind !== "key") names.add(entry.name);
    }
  }
  return [...names]
    .map((name) => ({
      name,
      distance: Math.min(...words.map((word) => likeness(word.toLowerCase(), name.toLowerCase()))),
    }))
    .filter(({ distance }) => distance <= 0.5)
    .sort((one, other) => one.distance - other.distance || (one.name < other.name ? -1 : 1))
    .slice(0, 5).map(({ name }) => name);
}

/** 0 for equal words, 1 for nothing in common: edit distance over the longer length; a part of the other counts as near. */
function likeness(one: string, other: string): number {
  if (one.length > 2 && other.length > 2 && (one.includes(other) || other.includes(one))) {
    return 0.3;
  }
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next.push(
        Math.min(
          next[j - 1]! + 1,
          row[j]! + 1,
          row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1),
        ),
      );
    }
    row = next;
  }
  return row[other.length]! / Math.max(one.length, other.length, 1);
}
