/**
 * From what was retrieved to the places that answer: definitions and passages, scored, with the lines that matter.
 *
 * Owns the scoring of places and the choice of lines. Pure over a state. What must hold: text comes only from the parts that the
 * governor let into the context, so an answer quotes nothing beyond its budget; the same state gives the same places.
 */
import { type Hit, type OutlineEntry, splitIdentifier } from "../rag/mod.ts";
import { splitLines } from "./actions.ts";
import { placeLabel, type RankedChunk, rankedChunks } from "./context.ts";
import type { MorphState, Reference } from "./driver.ts";
import type { Lines } from "./excerpt.ts";
import {
  CANDIDATES,
  CLASS_LIKE,
  isHeading,
  isPassing,
  isSmall,
  isWrapper,
  linesOf,
  withoutOverloads,
} from "./candidates.ts";
import { alike, innermost, qualified, splitName } from "./references.ts";
import { isChangelog, isCopy, type Role, roleOf } from "./roles.ts";
import { Matcher } from "./matcher.ts";
import { asWritten } from "./text_places.ts";
import type { Question } from "./question.ts";

/** A piece of a file that may answer: a definition where one is known, else a chunk. */
export interface Place {
  readonly path: string;
  readonly language: string;
  readonly startLine: number;
  readonly endLine: number;
  /** Qualified name; empty for a passage that defines nothing. */
  readonly name: string;
  readonly kind: string;
  readonly signature: string;
  readonly doc: string;
  readonly exported: boolean;
  readonly role: Role;
  readonly score: number;
  /** Share of the question's words, by weight, found in name, doc, signature and own lines. */
  readonly coverage: number;
}

/** Weight of a role when the question does not ask for it. Retrieval has put tests and documents lower already; this breaks ties. */
const ROLE_WEIGHT: Record<Role, number> = {
  code: 1,
  doc: 0.9,
  example: 0.8,
  test: 0.7,
  config: 0.8,
};
/** What the question asks for by its kind; retrieval has put documents, tests and examples at a half or a third. */
const ASKED_ROLE = 1.6;
/** Of everything else where tests are the answer: retrieval has put those at a third. */
const TESTED_WEIGHT = 0.5;
/** Bundles and vendored copies repeat what stands elsewhere, changelogs what once was. */
const COPY_WEIGHT = 0.5;
/** Headers of C and C++ beside their sources; libraries of headers alone have none. */
const HEADER_WEIGHT = 0.6;
const C_HEADER = /\.(h|hh|hpp|hxx)$/;
const C_SOURCE = /\.(c|cc|cpp|cxx|m|mm)$/;
/** Share of a summary's relevance that its file gains: enough to reorder neighbours, not to lift a file that no chunk speaks for. */
const SUMMARY_WEIGHT = 0.15;
/** What a definition says of itself counts more than what its body mentions, and a name made of the question's words more still. */
const HEAD_WEIGHT = 0.6;
const BODY_WEIGHT = 0.25;
const NAME_WEIGHT = 0.2;
/** Share of what a definition says of itself that a body holds of which no line is known. */
const UNREAD = 0.7;
/** A body that keeps speaking of the question is about it. */
const DENSITY_WEIGHT = 0.15;
const DENSE_LINES = 8;
/** Words after the first sentence of a doc comment are less what the thing is for. */
const LATER_SHARE = 0.7;
/** A definition comes before all others when the question asks for its name, gains less when it only mentions it. */
const ASKED_BONUS = 1.5;
const NAMED_BONUS = 0.6;
/** What holds a text that the question quotes is what it asks about. */
const TEXT_BONUS = 2;
/** Lines before and behind such a text that are shown where no definition is around it. */
const AROUND_TEXT = 5;
/** A word with a capital may be a name. */
const CAPITAL_BONUS = 0.3;
/** Tests and documents repeat the names of what they are about. */
const NAMED_ROLE: Record<Role, number> = {
  code: 1,
  config: 0.5,
  example: 0.3,
  test: 0.2,
  doc: 0.1,
};
/** Members and locals share names more often than they are meant. */
const MEMBER_SHARE = 0.3;
const INNER_SHARE = 0.6;
/** The name itself before one that differs in case or underscores. */
const ALIKE_SHARE = 0.6;
/** How well a kind of definition answers a shape of question; 1 where nothing is said. */
const KIND_WEIGHT: Partial<Record<Question["shape"], Readonly<Record<string, number>>>> = {
  // How something works is said where it is done, not where it is declared.
  how: { interface: 0.75, type: 0.75, struct: 0.85, class: 0.85, trait: 0.9, enum: 0.75 },
};
/** A variable, constant or alias of a line or two rarely answers by itself. */
const SMALL_WEIGHT = 0.8;
const SETUP_WEIGHT = 0.7;
/** Says that something exists, and does nothing. */
const DECLARES = new Set(["interface", "type", "enum"]);
/** A file that has nothing better to say of how than an accessor or a declaration comes behind others of the same rank. */
const PASSING_SHARE = 0.75;
/** A class of more lines than these does many things. */
const LARGE = 150;
const LARGE_WEIGHT = 0.6;
/** What the rank of its chunk adds to how well a definition fits. */
const CHUNK_WEIGHT = 0.35;
/** How much the fit of a definition counts against the rank of its file. */
const FIT_SHARE = 0.3;
/** A second definition of a file comes behind the first ones of others of the same rank. */
const SECOND_SHARE = 0.7;
/** Definitions of one file that may answer; more is an outline, not an answer. */
const PLACES_A_FILE = 2;
/** Of the file that comes first. */
const PLACES_OF_THE_FIRST = 3;

const NAMEABLE = new Set([
  ...CLASS_LIKE,
  "type",
  "function",
  "method",
  "macro",
  "constant",
  "variable",
]);
export class Evidence {
  /** Best first. */
  readonly places: readonly Place[];
  readonly references: readonly Reference[];
  /** Lines that hold a text of the question. */
  readonly #texts: readonly Reference[];
  readonly #question: Question;
  readonly #matcher: Matcher;
  /** By bit of the matcher; they add up to 1. */
  readonly #weights: readonly number[];
  readonly #lines = new Map<string, Map<number, string>>();
  readonly #outlines = new Map<string, readonly OutlineEntry[]>();
  readonly #headers = new Map<string, string>();
  readonly #languages = new Map<string, string>();

  /** @param matcher of the question's terms; handed in because it remembers texts over the steps of a run. */
  constructor(
    state: MorphState,
    question: Question,
    matcher: Matcher = new Matcher(question.terms),
  ) {
    this.#question = question;
    this.#matcher = matcher;
    const items = state.retrieved_context;
    this.references = items.filter((item) => item.type === "reference");
    this.#texts = question.texts.flatMap((text) =>
      asWritten(
        this.references.filter(({ kind, name }) =>
          (kind === "text" || kind === "near") && name === text
        ),
        text,
      )
    );
    for (const item of items) {
      if (item.type === "summary" && item.summary.level === "file") {
        // The first line of a summary is the file itself, the second what it says of itself.
        this.#headers.set(item.summary.path, item.summary.text.split("\n")[1] ?? "");
      }
      if (item.type !== "outline") continue;
      // A search brings the definitions around its chunks, a descent all of a file.
      const known = this.#outlines.get(item.path) ?? [];
      const lines = new Set(item.entries.map((entry) => `${entry.startLine} ${entry.name}`));
      const others = known.filter((entry) => !lines.has(`${entry.startLine} ${entry.name}`));
      this.#outlines.set(item.path, [...item.entries, ...others]);
    }
    const hits = rankedChunks(items);
    this.#weights = this.#weightsFrom(hits.map(({ hit }) => hit));
    this.#keepLines(state);
    this.places = this.#rank(hits, state);
  }

  /** Lines of a file that are in the context. */
  lines(path: string): Lines {
    return this.#lines.get(path) ?? new Map();
  }

  /** What a file says of itself at its top; empty where its summary was not retrieved. */
  header(path: string): string {
    return this.#headers.get(path) ?? "";
  }

  /** How many definitions of code have this name, of those that were retrieved or that a search for the name came upon. */
  namesakes(name: string): number {
    const paths = new Set(
      this.references.filter((use) => use.kind === "definition" && use.name === name)
        .map((use) => use.path),
    );
    let count = 0;
    for (const [path, entries] of this.#outlines) {
      const here = entries.filter((entry) => entry.name === name).length;
      if (here > 0) paths.delete(path);
      if (roleOf(path) === "code") count += here;
    }
    return count + [...paths].filter((path) => roleOf(path) === "code").length;
  }

  /** Files of which definitions are known. */
  files(): string[] {
    return [...this.#outlines.keys()];
  }

  outline(path: string): readonly OutlineEntry[] {
    return this.#outlines.get(path) ?? [];
  }

  /** Sum of the weights of the question's words that `text` holds. */
  score(text: string): number {
    return this.#weigh(this.#matcher.match(text));
  }

  #weigh(mask: number): number {
    let sum = 0;
    for (let bit = 0; mask; mask >>>= 1, bit++) if (mask & 1) sum += this.#weights[bit]!;
    return sum;
  }

  /** The same for a line, which counts most where it holds a text that the question quotes. */
  lineScore(text: string): number {
    const shown = text.trim();
    const holds = shown !== "" && this.#texts.some((use) => use.text === shown);
    return this.score(text) + (holds ? TEXT_BONUS : 0);
  }

  /** Whether a text that the question quotes stands in a place. */
  holdsText(place: Pick<Place, "path" | "startLine" | "endLine">): boolean {
    return this.#texts.some((use) =>
      use.path === place.path && place.startLine <= use.line && use.line <= place.endLine
    );
  }

  /** Words of the question that stand nowhere in the given texts. */
  missing(texts: readonly string[]): string[] {
    const held = texts.reduce((mask, text) => mask | this.#matcher.match(text), 0);
    return this.#matcher.terms.filter((_, bit) => !(held & 1 << bit))
      .map((term) => this.#question.words.get(term) ?? term);
  }

  /** Rare words of the question say more: weight by how few of the retrieved chunks hold them. */
  #weightsFrom(hits: readonly Hit[]): number[] {
    const masks = hits.map((hit) => this.#matcher.match(hit.text));
    const weights = this.#matcher.terms.map((_, bit) => {
      const holding = masks.filter((mask) => mask & 1 << bit).length;
      return Math.log(1 + (hits.length + 1) / (holding + 0.5));
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
    return weights.map((weight) => weight / total);
  }

  #keepLines(state: MorphState): void {
    const included = new Map(state.assembled().included.map((entry) => [entry.label, entry]));
    for (const item of state.retrieved_context) {
      if (item.type !== "lines" && item.type !== "chunk") continue;
      const excerpt = item.type === "chunk" ? item.hit : item;
      this.#languages.set(excerpt.path, excerpt.language);
      const entry = included.get(placeLabel(excerpt.path, excerpt.startLine, excerpt.endLine));
      if (!entry) continue;
      let lines = this.#lines.get(excerpt.path);
      if (!lines) this.#lines.set(excerpt.path, lines = new Map());
      const texts = splitLines(excerpt.text);
      // A chunk may begin or end inside a line; a longer text of the same line is the better one.
      texts.slice(0, texts.length - (entry.cut ?? 0)).forEach((text, index) => {
        const line = excerpt.startLine + index;
        if (text.length > (lines.get(line)?.length ?? -1)) lines.set(line, text);
      });
    }
  }

  #pathWeight(path: string): number {
    const role = roleOf(path);
    const { about, shape, wantsTests } = this.#question;
    const weight = role !== "code" && role !== "config" && about.has(role)
      ? ASKED_ROLE
      : ROLE_WEIGHT[role] * (wantsTests ? TESTED_WEIGHT : 1);
    return weight * (isCopy(path) ? COPY_WEIGHT : 1) *
      (isChangelog(path) && shape !== "history" ? COPY_WEIGHT : 1);
  }

  #rank(hits: readonly RankedChunk[], state: MorphState): Place[] {
    const files = new Map<string, number>();
    for (const { hit, score, searched } of hits) {
      // A descent says nothing about how its file compares with others.
      if (!searched) continue;
      const weighted = score * this.#pathWeight(hit.path);
      files.set(hit.path, Math.max(files.get(hit.path) ?? 0, weighted));
    }
    // What a header of C declares is done in a source file, where there are such and they were found.
    const isDone = [...files.keys()].some((path) => C_SOURCE.test(path) && roleOf(path) === "code");
    for (const [path, score] of files) {
      if (isDone && C_HEADER.test(path)) files.set(path, score * HEADER_WEIGHT);
    }
    const summaries = state.retrieved_context.filter((item) =>
      item.type === "summary" && item.summary.level === "file"
    );
    const best = Math.max(
      0,
      ...summaries.map((item) => item.type === "summary" ? item.summary.score : 0),
    );
    for (const item of summaries) {
      if (item.type !== "summary" || !best || !files.has(item.summary.path)) continue;
      files.set(
        item.summary.path,
        files.get(item.summary.path)! + SUMMARY_WEIGHT * item.summary.score / best,
      );
    }
    const top = Math.max(0, ...files.values());
    const places: Place[] = [];
    for (const path of new Set([...files.keys(), ...this.#outlines.keys()])) {
      const fileScore = files.get(path) ?? 0;
      const entries = this.#outlines.get(path);
      const inFile = hits.filter(({ hit }) => hit.path === path);
      const found = entries?.length
        ? this.#definitions(
          path,
          entries,
          inFile,
          fileScore,
          fileScore === top ? PLACES_OF_THE_FIRST : PLACES_A_FILE,
        )
        : inFile.slice(0, 1).map(({ hit }) => this.#passage(hit, fileScore));
      places.push(
        ...found.length
          ? found
          : inFile.slice(0, 1).map(({ hit }) => this.#passage(hit, fileScore)),
      );
    }
    const bare = this.#texts.filter((use) =>
      !places.some((place) =>
        place.path === use.path && place.startLine <= use.line && use.line <= place.endLine
      )
    );
    places.push(...bare.map((use) => this.#around(use)));
    return places.sort((one, other) => other.score - one.score);
  }

  /** The lines around a text that stands in no definition. */
  #around(use: Reference): Place {
    const lines = this.lines(use.path);
    let startLine = use.line;
    let endLine = use.line;
    while (startLine > use.line - AROUND_TEXT && lines.has(startLine - 1)) startLine--;
    while (endLine < use.line + AROUND_TEXT && lines.has(endLine + 1)) endLine++;
    const role = roleOf(use.path);
    return {
      path: use.path,
      language: this.#languages.get(use.path) ?? "",
      startLine,
      endLine,
      name: "",
      kind: "",
      signature: "",
      doc: "",
      exported: false,
      role,
      score: TEXT_BONUS * NAMED_ROLE[role],
      coverage: 1,
    };
  }

  #definitions(
    path: string,
    entries: readonly OutlineEntry[],
    hits: readonly RankedChunk[],
    fileScore: number,
    most: number,
  ): Place[] {
    const language = this.#languages.get(path) ?? "";
    const role = roleOf(path);
    const candidates = withoutOverloads(path, entries).filter((entry) =>
      CANDIDATES.has(entry.kind) && !isWrapper(entry, entries) ||
      !isHeading(entry) && this.#nameBonus(entry, role) > 0
    );
    const lines = this.#lines.get(path) ?? new Map<number, string>();
    const own = new Map<OutlineEntry, string[]>();
    for (const [line, text] of lines) {
      const owner = innermost(candidates, line);
      if (!owner) continue;
      const held = own.get(owner);
      if (held) held.push(text);
      else own.set(owner, [text]);
    }
    const scored = candidates.map((entry) => {
      const body = (own.get(entry) ?? []).join("\n");
      const head = this.#headScore(entry);
      // What was not read speaks neither for a definition nor against it.
      const bodyScore = body ? this.score(body) : UNREAD * head;
      const chunk = Math.max(
        0,
        ...hits.filter(({ hit }) =>
          hit.startLine <= entry.endLine && entry.startLine <= hit.endLine
        ).map(({ score }) => score),
      );
      const matching = (own.get(entry) ?? []).filter((line) => this.#matcher.match(line)).length;
      const content = HEAD_WEIGHT * head + BODY_WEIGHT * bodyScore +
        NAME_WEIGHT * this.#nameShare(entry) + DENSITY_WEIGHT * Math.min(1, matching / DENSE_LINES);
      const holds = this.#texts.some((use) =>
        use.path === path && innermost(candidates, use.line) === entry
      );
      const bonus = this.#nameBonus(entry, role) + (holds ? TEXT_BONUS * NAMED_ROLE[role] : 0);
      const place: Place = {
        path,
        language,
        startLine: entry.startLine,
        endLine: entry.endLine,
        name: qualified(entry),
        kind: entry.kind,
        signature: entry.signature,
        doc: entry.doc,
        exported: entry.exported,
        role,
        score: this.#kindWeight(entry) * (CHUNK_WEIGHT * chunk + content) + bonus,
        coverage: this.score(`${qualified(entry)} ${entry.doc} ${entry.signature} ${body} ${path}`),
      };
      const isIdle = this.#question.shape === "how" &&
        (isPassing(entry) || DECLARES.has(entry.kind));
      return { place, bonus, share: isIdle ? PASSING_SHARE : 1 };
    });
    scored.sort((one, other) => other.place.score - one.place.score);
    const chosen: Place[] = [];
    for (const { place, bonus, share: worth } of scored) {
      if (chosen.length === most) break;
      // Said already by a place that is around it or inside it.
      if (
        chosen.some((other) => other.startLine <= place.endLine && place.startLine <= other.endLine)
      ) continue;
      // Which file comes first is retrieval's to say; how well a definition fits decides between near ones.
      const share = (1 - FIT_SHARE + FIT_SHARE * Math.min(1, place.score)) * worth *
        (chosen.length ? SECOND_SHARE : 1);
      chosen.push({ ...place, score: fileScore * share + bonus });
    }
    return chosen;
  }

  /** Share of the question said by name, signature and doc comment; the first sentence says what the thing is for. */
  #headScore(entry: OutlineEntry): number {
    const head = `${qualified(entry)} ${entry.signature}`;
    const end = entry.doc.search(/[.!?]\s|\n\s*\n/);
    const sentence = end < 0 ? entry.doc : entry.doc.slice(0, end);
    return Math.max(
      this.score(`${head} ${sentence}`),
      LATER_SHARE * this.score(`${head} ${entry.doc}`),
    );
  }

  /** Share of the name's own words that the question holds. */
  #nameShare(entry: OutlineEntry): number {
    const parts = splitIdentifier(entry.name).filter((part) => part.length > 1);
    return parts.length
      ? parts.filter((part) => this.#matcher.match(part)).length / parts.length
      : 0;
  }

  #kindWeight(entry: OutlineEntry): number {
    // How something works is not said where it is set up.
    const isSetup = /^(__init__|constructor|init)$/.test(entry.name) ||
      entry.name === entry.container.at(-1);
    const setup = this.#question.shape === "how" && isSetup ? SETUP_WEIGHT : 1;
    const small = isSmall(entry) || this.#isDeclaredOnly(entry) ||
        this.#question.shape === "how" && isPassing(entry)
      ? this.#question.shape === "how" ? SETUP_WEIGHT : SMALL_WEIGHT
      : 1;
    // All of a large class is no answer to how something is done.
    const large = this.#question.shape === "how" && CLASS_LIKE.has(entry.kind) &&
        linesOf(entry) > LARGE
      ? LARGE_WEIGHT
      : 1;
    const test =
      [...entry.container, entry.kind === "module" ? entry.name : ""].some((scope) =>
        /^tests?$/.test(scope)
      ) &&
      !this.#question.about.has("test");
    return (KIND_WEIGHT[this.#question.shape]?.[entry.kind] ?? 1) * small * setup * large *
      (test ? NAMED_ROLE.test : 1);
  }

  #passage(hit: Hit, fileScore: number): Place {
    const owner = hit.parentNodes.at(-1);
    return {
      path: hit.path,
      language: hit.language,
      startLine: hit.startLine,
      endLine: hit.endLine,
      name: hit.nodeName && owner && hit.nodeType !== "section"
        ? `${owner}.${hit.nodeName}`
        : hit.nodeName,
      kind: hit.nodeType,
      signature: "",
      doc: "",
      exported: false,
      role: roleOf(hit.path),
      score: fileScore * (1 - FIT_SHARE),
      coverage: this.score(`${hit.nodeName} ${hit.text} ${hit.path}`),
    };
  }

  /** Whether the question names this place for certain. */
  isNamed(place: Place): boolean {
    return this.#question.symbols.some((symbol) => alike(symbol, place.name));
  }

  /** A member of an interface or type says that something exists, not how it works. */
  #isDeclaredOnly(entry: OutlineEntry): boolean {
    const owner = entry.container.at(-1);
    return owner !== undefined && this.#question.shape === "how" &&
      this.outline(entry.path).some((other) =>
        other.name === owner && /^(interface|type)$/.test(other.kind)
      );
  }

  /** What a definition gains by being named in the question. */
  #nameBonus(entry: OutlineEntry, role: Role): number {
    const { symbols, capitals, shape, terms, wantsTests } = this.#question;
    const certain = symbols.some((symbol) =>
      alike(symbol, entry.name) &&
      [undefined, entry.container.at(-1)].includes(ownerName(symbol))
    );
    if (!certain && !(capitals.includes(entry.name) && !entry.container.length)) return 0;
    const asked = ["where", "callers", "impact", "what"].includes(shape) || terms.length === 1 ||
      this.#question.compared.length > 0;
    const exact = symbols.some((symbol) => lastName(symbol) === entry.name) ? 1 : ALIKE_SHARE;
    return (certain ? (asked ? ASKED_BONUS : NAMED_BONUS) * exact : CAPITAL_BONUS) *
      // Tests use the name; what bears it there is a stand-in.
      (wantsTests
        ? NAMED_ROLE.test
        : this.#question.about.has(role as "test")
        ? 1
        : NAMED_ROLE[role]) *
      (NAMEABLE.has(entry.kind) ? 1 : MEMBER_SHARE) * (entry.container.length ? INNER_SHARE : 1) *
      (isSmall(entry) ? SMALL_WEIGHT : 1);
  }
}

export function lastName(symbol: string): string {
  return splitName(symbol).last;
}

function ownerName(symbol: string): string | undefined {
  return splitName(symbol).owner;
}
