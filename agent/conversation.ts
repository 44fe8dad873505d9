/**
 * Follow-ups: what a question means that goes on with earlier ones, and what is remembered of an answer for that.
 *
 * Owns how a follow-up is understood; `kept_conversations.ts` keeps the turns. Pure. What must hold: each turn is bounded; what a follow-up is
 * taken to mean is said in the answer; a question that says itself what it is about is left alone.
 */
import type { OutlineEntry } from "../rag/mod.ts";
import type { Answer } from "./answer.ts";
import { parseQuestion } from "./question.ts";
import { qualified } from "./references.ts";
import { roleOf } from "./roles.ts";

/** One question and its answer, as much as later ones need. */
export interface Turn {
  /** What it was taken to mean. */
  readonly question: string;
  /** The beginning of the answer. */
  readonly answer: string;
  /** Places that were cited, `path:start-end`, the first ones. */
  readonly places: readonly string[];
  readonly cycle_id: string;
}

const MOST_PLACES = 8;
const LONGEST_QUESTION = 500;
const LONGEST_ANSWER = 1_500;
/** Places at the head of an answer among which is what it led with. */
const LED_WITH = 3;
/** Content words of the earlier question that stand for "it". */
const MOST_SUBJECT_WORDS = 4;

/** Words that point back; alone they say nothing to a search. */
const POINTS_BACK =
  /\b(it|its|that|this|these|those|they|them|their|there|same|one|former|latter|he|she)\b/i;
/** What is replaced by the subject. */
const PRONOUN = /\b(it|that|this|they|them)\b/i;
/** Words that only join a question to the last one. */
const JOINS = /^((and|but|so|then|also|or)\b[\s,]*)+/i;
/** A whole sentence, where "and the tests?" is not. */
const WHOLE =
  /^(how|where|what|when|why|which|who)\s+([\w-]+\s+)?(is|are|was|were|do|does|did|can|could|will|has|have|happens)\b/i;
const GOES_ON = /^(and|but|so|then|also|or|what about|how about|elsewhere)\b/i;

/** What is remembered of an answer. */
export function turnOf({ question, meant, answer, citations, cycle_id }: Answer): Turn {
  return {
    question: clip(meant ?? question, LONGEST_QUESTION),
    answer: clip(answer, LONGEST_ANSWER),
    places: citations.filter(({ status }) => status !== "removed").slice(0, MOST_PLACES)
      .map(({ path, start_line, end_line }) => `${path}:${start_line}-${end_line}`),
    cycle_id,
  };
}

/** Gives the definition that an earlier answer cited as `path:start-end`; undefined where the place is something else, or no more. */
export type DefinitionAt = (place: string) => OutlineEntry | undefined;

/**
 * What a question means that goes on with earlier ones: with their subject in place of "it", or behind it.
 * @param at where the subject was asked for in words: who asks who calls it, or where it is, means what the answer led with
 * @returns the question itself where it stands alone
 */
export function meaningOf(
  question: string,
  earlier: readonly Turn[],
  at: DefinitionAt = () => undefined,
): string {
  const last = earlier.at(-1);
  if (last === undefined) return question;
  const joined = question.trim().replace(JOINS, "");
  const asked = parseQuestion(joined);
  // A whole sentence with a word of its own is about that word; words such as "tests" are about something else's.
  const isWhole = WHOLE.test(joined) &&
    asked.terms.some((term) => !(asked.about as ReadonlySet<string>).has(term));
  const isAlone = (asked.symbols.length + asked.paths.length > 0 || isWhole) &&
    !POINTS_BACK.test(question) && !GOES_ON.test(question.trim());
  const saysEnough = asked.terms.length > 3 && !POINTS_BACK.test(question);
  if (isAlone || saysEnough) return question;
  const turn = aboutSomething(earlier);
  if (turn === undefined) return question;
  const { symbols, terms, words } = parseQuestion(turn.question);
  const said = terms.slice(0, MOST_SUBJECT_WORDS).map((term) => words.get(term) ?? term).join(" ");
  const isNameWanted = ["callers", "where", "what", "history"].includes(asked.shape);
  const led = symbols.length === 0 && isNameWanted ? ledWith(turn, at) : undefined;
  const named = symbols.length > 0
    ? symbols.slice(0, 2).map(asName).join(", ")
    : led && asName(qualified(led));
  const subject = named ?? said;
  // Tests seldom name the one thing that an answer led with; its words find them as well.
  const beside = led !== undefined && asked.about.has("test") ? ` (${said})` : "";
  return PRONOUN.test(joined)
    ? joined.replace(PRONOUN, () => subject).replace(/[?\s]*$/, (end) => `${beside}${end}`)
    : `${joined.replace(/[?\s]+$/, "")} (${subject})?`;
}

/** The last turn that says what it is about; where all point back, the last with words at all. */
function aboutSomething(earlier: readonly Turn[]): Turn | undefined {
  const latest = [...earlier].reverse();
  const hasWords = ({ question }: Turn) => parseQuestion(question).terms.length > 0;
  return latest.find((turn) =>
    hasWords(turn) &&
    (parseQuestion(turn.question).symbols.length > 0 || !POINTS_BACK.test(turn.question))
  ) ?? latest.find(hasWords);
}

/** What an answer led with: the first definition of code that it cites. */
function ledWith(turn: Turn, at: DefinitionAt): OutlineEntry | undefined {
  return turn.places.slice(0, LED_WITH)
    .filter((place) => roleOf(place.replace(/:\d+-\d+$/, "")) === "code")
    .map(at).find((entry) => entry !== undefined && entry.kind !== "section");
}

/** A plain word is marked, so that it is read as a name. */
function asName(name: string): string {
  return /^[a-z]+$/.test(name) ? `\`${name}\`` : name;
}

/** The question as a model is told it: what was said before stands behind it, the latest first, so that the oldest is what finds no room. */
export function withEarlier(question: string, earlier: readonly Turn[]): string {
  if (earlier.length === 0) return question;
  const turns = [...earlier].reverse().map(({ question, answer, places }) =>
    `Q: ${question}\nA: ${answer}${
      places.length > 0 ? `\n(read for it: ${places.join(", ")})` : ""
    }`
  );
  return `${question}\n\nEarlier in this conversation, the latest first:\n${turns.join("\n\n")}`;
}

function clip(text: string, longest: number): string {
  return text.length <= longest
    ? text
    : `${text.slice(0, longest)}… ${text.length - longest} more characters`;
}
