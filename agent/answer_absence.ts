/**
 * What an extractive answer says of what is not there.
 *
 * Owns when a question is not answered at all, and the notes on words and names that stand nowhere. Pure. What must hold: nothing is said to be
 * nowhere that stands in the index; what would answer another question is not quoted.
 */
import type { MorphState } from "./driver.ts";
import { type Evidence, lastName, type Place } from "./evidence.ts";
import { textList } from "./answer_finds.ts";
import { remark } from "./doc_text.ts";
import { named, visible } from "./excerpt.ts";
import { nearestNames } from "./nearest.ts";
import { type Question, termsOf } from "./question.ts";
import { alike } from "./references.ts";

/** A match is called weak when this share of the question's words stands in none of the first places. */
const WEAK = 0.5;
/** A word that is nowhere is worth a note when it is this share of the question. */
const NOTED = 0.3;
const LOOKED_AT = 5;
/** What is done to things is often said in other words: "how are secrets detected" is answered by "finds secrets". */
const DONE = /(ed|ing)$/;
/** Words for which near names are looked for, and that are repeated when nothing was found. */
const MOST_WORDS = 12;
/** Places that are named where none is quoted. */
const NEAREST_NAMED = 3;
/** Longest remark behind one. */
const LONGEST_REMARK = 140;

/** See the module text. */
export class Absence {
  constructor(
    readonly state: MorphState,
    readonly question: Question,
    readonly evidence: Evidence,
  ) {}

  /** Names in the question that look like code and stand nowhere. */
  unknownSymbols(): string[] {
    const looked = this.state.reasoning_log.filter((step) => step.action === "references");
    return looked.filter((step) => step.observation.endsWith("is neither defined nor mentioned"))
      .map((step) => String(step.arguments.name))
      // A plain word may be prose; a joined or humped one is a name.
      .filter((name) =>
        /[a-z\d][A-Z]|_|\.|::|#|\(\)$/.test(name) || this.question.quoted.includes(name)
      )
      .filter((name) => !this.evidence.places.some((place) => alike(place.name, name)));
  }

  /** What was not found, and what is near it. */
  nothing(unknown: readonly string[], places: readonly Place[]): string[] {
    const words = unknown.length ? unknown : this.question.terms;
    const near = nearestNames(words.slice(0, MOST_WORDS).map(lastName), this.state);
    const said = unknown.length
      ? `Nothing found: ${
        unknown.map((name) => named(name)).join(", ")
      } is neither defined nor mentioned in the index.`
      : this.question.texts.length
      ? `Nothing found: ${textList(this.state, this.question, 1)?.text ?? "not looked for"}`
      : this.question.terms.length
      ? `Nothing found: no indexed file answers this; words looked for: ${
        [...this.question.words.values()].map(visible).slice(0, MOST_WORDS).join(", ")
      }.`
      : "Nothing found: the question holds no word to look for.";
    const close = [
      ...near.length ? [`Nearest names: ${near.map((name) => named(name)).join(", ")}.`] : [],
      ...!near.length && places.length
        ? [
          `Nearest files: ${
            [...new Set(places.map((place) => place.path))].slice(0, 5).map((path) => `\`${path}\``)
              .join(", ")
          }.`,
        ]
        : [],
    ];
    return [said, ...close];
  }

  /** The words of the question; of how something is done without those that only say that it is. */
  #nouns(): string[] {
    const { terms, words } = this.question;
    return terms.filter((term) => !this.#verb().test(words.get(term) ?? term));
  }

  /** Those of them that stand nowhere in the index, as they are written. */
  #absent(): string[] {
    const stems = this.state.retrieved_context.flatMap((item) =>
      item.type === "absent" ? termsOf(item.word) : []
    );
    return this.#nouns().filter((term) => stems.includes(term))
      .map((term) => this.question.words.get(term) ?? term);
  }

  /** Whether most of what the question speaks of is nowhere here. */
  isElsewhere(places: readonly Place[]): boolean {
    const { texts, defaultOf } = this.question;
    return texts.length === 0 && defaultOf === undefined && !this.evidence.isNamed(places[0]!) &&
      this.#absent().length > WEAK * this.#nouns().length;
  }

  /** What is nowhere here, and what is nearest to the rest, without quoting what would answer another question. */
  elsewhere(places: readonly Place[]): string[] {
    const rows = places.slice(0, NEAREST_NAMED).map((place) =>
      `- ${named(place.path)}${place.name ? ` ${named(place.name)}` : ""}${
        remark(place.doc, LONGEST_REMARK)
      }`
    );
    return [
      `Nothing found: ${nowhere(this.#absent())}`,
      `Nearest to the rest of the question:\n${rows.join("\n")}`,
    ];
  }

  /** What a reader should know of a match that is not sure. */
  notes(unknown: readonly string[], places: readonly Place[]): string[] {
    const notes = unknown.map((name) =>
      `Note: ${named(name)} is neither defined nor mentioned in the index.`
    );
    if (this.evidence.isNamed(places[0]!)) return notes;
    const shown = places.slice(0, LOOKED_AT).map((place) =>
      `${place.path} ${place.name} ${place.doc} ${place.signature} ${this.#known(place)}`
    );
    const { shape, terms } = this.question;
    const missing = this.evidence.missing(shown).filter((word) => !this.#verb().test(word));
    const absent = this.#absent();
    if (missing.length >= WEAK * terms.length) {
      return [...notes, `Weak match: none of these places holds ${quoted(missing)}.`];
    }
    // How something is done is often asked with a verb that no code uses.
    const isTold = shape !== "how" && absent.length > 0 && absent.length >= NOTED * terms.length;
    return isTold ? [...notes, `Note: ${nowhere(absent)}`] : notes;
  }

  #verb(): RegExp {
    return /^(how|where)$/.test(this.question.shape) ? DONE : /$^/;
  }

  #known(place: Place): string {
    const lines: string[] = [];
    const known = this.evidence.lines(place.path);
    for (let line = place.startLine; line <= place.endLine; line++) {
      lines.push(known.get(line) ?? "");
    }
    return lines.join("\n");
  }
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `“${visible(word)}”`).join(", ");
}

function nowhere(words: readonly string[]): string {
  return `${quoted(words)} ${words.length === 1 ? "stands" : "stand"} nowhere in the index.`;
}
