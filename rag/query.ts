/**
 * A question as the index sees it: concepts with their weights, identifiers that were named, and hints at what is wanted.
 *
 * Pure. What must hold: `analyseQuery` never throws, whatever the text; a query without a single word gives no concepts.
 */
import { eachWord, splitIdentifier, stemOf, STOP_WORDS, termsOfWord } from "./terms.ts";

/** A thing asked for; all inflected forms of a word are one concept. */
export interface Concept {
  /** The word as it was asked, lower case. */
  readonly term: string;
  /** Its stem; a derived concept's is the term itself. */
  readonly stem: string;
  /** Share of a full word's weight: parts of an identifier and joined neighbours count less. */
  readonly weight: number;
  /** Whether it stands for a word of the question, or is only derived from one (whole identifier, joined pair). */
  readonly derived: boolean;
}

/** See the module text. */
export interface Query {
  readonly text: string;
  readonly concepts: readonly Concept[];
  /** Names that look like code: `safeParse`, `Mux`, `create_app`, in the spelling of the question. */
  readonly identifiers: readonly string[];
  /** The whole query is one name, perhaps qualified: `Mux`, `z.object`, `Foo::bar`. */
  readonly isSymbol: boolean;
  /** Whether it is asked in a sentence, which describes, rather than in words chosen from the code. */
  readonly isSentence: boolean;
  /** The question itself asks for tests, examples, documents, types. */
  readonly wants: ReadonlySet<"tests" | "examples" | "documents" | "types">;
}

/** Longer questions are read up to here; 4,000 characters are some 600 words. */
const LONGEST_QUERY = 4_000;
/** Concepts beyond this add time, not sense: the rarest are kept by the caller's weighting anyway. */
const MOST_CONCEPTS = 48;
/** Weight of the joined form of two neighbours (`safe parse` also asks for `safeParse`). */
const PAIR_WEIGHT = 0.5;

const SYMBOL = /^[\p{L}_$][\p{L}\p{N}_$]*(?:(?:\.|::|#|->|\/)[\p{L}_$][\p{L}\p{N}_$]*)*(?:\(\))?$/u;
/** Humps, snake case, digits inside, or a capitalised word that does not open the sentence: a name, not prose. */
const IDENTIFIER = /[a-z0-9][A-Z]|[A-Z]{2,}[a-z]|_|\$|[A-Za-z]\d/;

/** How sentences begin that ask something. */
const ASKING =
  /^\W*(?:(?:please |can you |could you )*(?:explain|describe|show|tell)\b.*\b)?(?:how|what|where|when|why|which|who|whose|is|are|does|do|did|can|could|should|will)\b|\?\s*$/i;

/** Words whose initials are tried as a name: two letters are too often some other name, and names of six are rare. */
const INITIALS = { fewest: 3, most: 5 };

/** What neighbouring words would be called for short: `mdc` of "mapped diagnostic context". Where the code has no such word it is asked in vain. */
function* initialsOf(words: readonly { word: string; offset: number }[]): Generator<string> {
  for (let start = 0; start < words.length; start++) {
    let initials = "";
    let end = words[start]!.offset - 1;
    for (const { word, offset } of words.slice(start, start + INITIALS.most)) {
      if (offset - end !== 1 || !/^\p{L}{3,}$/u.test(word)) break;
      initials += word[0]!.toLowerCase();
      end = offset + word.length;
      if (initials.length >= INITIALS.fewest) yield initials;
    }
  }
}

export function analyseQuery(text: string): Query {
  const source = text.length > LONGEST_QUERY ? text.slice(0, LONGEST_QUERY) : text;
  const trimmed = source.trim();
  const isName = SYMBOL.test(trimmed);
  // A plain word in lower case may be a name as well as a subject: it keeps its inflections.
  const isSymbol = isName && !/^[a-z]+$/.test(trimmed);
  const words: { word: string; offset: number }[] = [];
  eachWord(source, 0, source.length, (word, offset) => words.push({ word, offset }));

  const identifiers: string[] = [];
  const concepts = new Map<string, Concept>();
  const add = (term: string, stem: string, weight: number, derived: boolean) => {
    if (concepts.size >= MOST_CONCEPTS) return;
    const known = concepts.get(stem);
    if (!known || known.weight < weight) concepts.set(stem, { term, stem, weight, derived });
  };

  const content = words.filter(({ word }) => !STOP_WORDS.has(word.toLowerCase()));
  // A question made of stop words only is still a question about those words.
  const kept = content.length ? content : words;
  let previous: { word: string; end: number } | undefined;
  for (const { word, offset } of kept) {
    const named = isName || IDENTIFIER.test(word) ||
      (/^\p{Lu}/u.test(word) && offset > 0 && !/[.!?]\s*$/.test(source.slice(0, offset))) ||
      /[.`:#]$/.test(source.slice(0, offset)) || /^[`(]/.test(source.slice(offset + word.length));
    if (named && word.length > 1) identifiers.push(word);
    const parts = splitIdentifier(word);
    if (parts.length > 1) {
      for (const part of parts) {
        if (part.length > 1 && !(parts.length > 2 && STOP_WORDS.has(part))) {
          add(part, stemOf(part), 1, false);
        }
      }
      const whole = termsOfWord(word).at(-1)!;
      add(whole, whole, 1, true);
    } else if (parts[0] !== undefined) {
      add(parts[0], stemOf(parts[0]), 1, false);
    }
    // Neighbours in the question are often one identifier in the code.
    if (!isSymbol && parts.length === 1 && parts[0]!.length > 1) {
      const lower = parts[0]!;
      if (previous && offset - previous.end === 1) {
        const joined = previous.word + lower;
        add(joined, joined, PAIR_WEIGHT, true);
      }
      previous = { word: lower, end: offset + word.length };
    } else {
      previous = undefined;
    }
  }

  if (!isSymbol) {
    for (const initials of initialsOf(kept)) add(initials, initials, PAIR_WEIGHT, true);
  }

  const wants = new Set<"tests" | "examples" | "documents" | "types">();
  // Who wants to test something of their own does not look for the tests of this.
  const said = source.replace(
    /^\s*how (?:(?:do|can|should|would|could) (?:i|we|you|one)|to) test\b/i,
    "",
  );
  if (/\b(unit |integration )?tests?\b|\btesting\b|\bspecs?\b/i.test(said)) wants.add("tests");
  if (/\bexamples?\b|\bsamples?\b|\bdemos?\b/i.test(source)) wants.add("examples");
  if (/\b(docs?|documentation|readme|changelog|guide|tutorial)\b/i.test(source)) {
    wants.add("documents");
  }
  if (/\b(type definitions?|typings?|declaration files?|\.d\.ts)\b/i.test(source)) {
    wants.add("types");
  }
  return {
    text,
    concepts: [...concepts.values()],
    identifiers,
    isSymbol,
    isSentence: !isSymbol && ASKING.test(source),
    wants,
  };
}
