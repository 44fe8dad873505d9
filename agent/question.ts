/**
 * What a question asks for: its shape, the names in it, its words, its parts.
 *
 * Owns the patterns of questions about code. Pure. What must hold: any text gives a question, and the same text the same one.
 */
import { type AskedFor, askedFor } from "./asked_for.ts";
import { parsePast, type Past } from "./past_question.ts";
import { eachWord, splitIdentifier, stemOf, STOP_WORDS } from "../rag/mod.ts";

/**
 * `where`: where is X defined. `callers`: who calls X. `impact`: what breaks if X changes. `what`: what does X do. `how`: how
 * does X work. `why`, `list`, `history`: when did X change. `topic`: key words.
 */
export type Shape =
  | "where"
  | "callers"
  | "impact"
  | "what"
  | "how"
  | "why"
  | "list"
  | "history"
  | "topic";

export interface Question extends AskedFor {
  readonly text: string;
  /** What is searched for: the text, without the words that only say what is to be done with it. */
  readonly query: string;
  /** What it asks of the audit trail; undefined for a question about the code. */
  readonly past: Past | undefined;
  readonly shape: Shape;
  /** Names of definitions, as their form or their place in the question says. */
  readonly symbols: readonly string[];
  /** Words that may be such names: they begin with a capital. */
  readonly capitals: readonly string[];
  /** Words that look like paths. */
  readonly paths: readonly string[];
  /** Folder, package or module that the question is about as a whole; empty for all of the repository. */
  readonly area: string | undefined;
  /** Stem of what is to be listed: `option` for "which options are there"; empty where the question does not say. */
  readonly listed: string;
  /** Quoted strings, without the quotes. */
  readonly quoted: readonly string[];
  /** Stems of the content words, each once, in order. */
  readonly terms: readonly string[];
  /** A word of the question for each stem. */
  readonly words: ReadonlyMap<string, string>;
  /** Parts that can be searched for on their own; empty when the question is one. */
  readonly parts: readonly string[];
  /** The question asks where something is tested: tests are the answer, not a detour. */
  readonly wantsTests: boolean;
  /** The question asks about tests, documents or examples, so these are no detour. */
  readonly about: ReadonlySet<"test" | "doc" | "example">;
}

/** A longer text is cut here: terms beyond it would only blur the search. */
export const LONGEST_QUESTION = 4000;
/** More parts than this would leave no steps to look into what they find. */
const MOST_PARTS = 3;
const MOST_SYMBOLS = 4;
/** Shorter halves around "and" are one thing with two names ("request and response interceptors"). */
const WORDS_OF_A_HALF = 3;

/** Names of files, not of members. */
const FILE =
  /\.(?:[cm]?[jt]sx?|py|go|rs|java|kt|swift|md|json|[ch]|cc|cpp|hpp|cs|rb|php|toml|ya?ml)$/;
/** What is done to a thing when it changes. */
const CHANGE =
  "(?:chang|modif|remov|delet|renam|edit|refactor|rewrit|touch|break|replac|mov)(?:e|es|ed|ing|ify|ifies|ified|ifying|y)?";
/** Asks what a change breaks; what is behind is what changes. */
const IMPACT: readonly RegExp[] = [
  new RegExp(
    `^(?:what|which \\w+|who|does (?:anything|something)|do any \\w+)\\b[^?]*?\\b(?:if|when|by)\\b (?:(?:i|we|you|one|someone|somebody) )?(?:were to |would )?${CHANGE} `,
    "i",
  ),
  new RegExp(
    `^(?:what|which \\w+)\\b[^?]*?\\b(?:a |the )?(?:change|changes|removal|edit)s? (?:to|of|in) (?=.*\\b(?:breaks?|affects?|impacts?)\\b)`,
    "i",
  ),
  new RegExp(
    `\\b(?:impact|effects?|consequences?|blast radius) of (?:${CHANGE} |(?:a )?changes? (?:to|in|of) )?`,
    "i",
  ),
  new RegExp(`^(?:is it|would it be) (?:safe|ok|okay|dangerous|risky) to ${CHANGE} `, "i"),
  new RegExp(`^can (?:i|we) (?:safely )?(?:remove|delete|rename) `, "i"),
];

/** Asks for a place as a whole, by a word for such places, or for everything. */
const AREA: readonly RegExp[] = [
  /^(?:explain|describe|summari[sz]e|show me|tell me about|overview of|tour of|give me (?:a tour|an overview) of|what(?:'s| is| are| does| do)(?: (?:in|inside|under|the purpose of|the role of|the job of))?|how is|how does)\s+(?:the\s+)?[`"']?([\w@.\-/:]+?)\/?[`"']?\s+(?:module|package|crate|folder|directory|subsystem|workspace|gem|namespace|subpackage|submodule)\b/i,
  /^(?:explain|describe|summari[sz]e|overview of|tour of|give me (?:a tour|an overview) of|what(?:'s| is| are| does| do)(?: (?:in|inside|under|the purpose of|the role of|the job of))?|how is|how does)\s+(?:the\s+)?(?:package|crate|folder|directory)\s+[`"']?([\w@.\-/:]+?)\/?[`"']?(?=[\s?.!]|$)/i,
  /^(?:explain|describe|summari[sz]e|overview of|tour of|give me (?:a tour|an overview) of|what(?:'s| is| are| does| do)(?: (?:in|inside|under|the purpose of|the role of|the job of))?)\s+(?:the\s+)?[`"']?([\w@.\-]+(?:\/[\w@.\-]+)*)\/[`"']?(?:\s+(?:for|do|about|contain))?[\s?.!]*$/i,
];
const WHOLE =
  /^(?:what (?:is|does)|how is|how are|explain|describe|summari[sz]e|give me (?:a tour|an overview) of|overview of|tour of|show me|where do i start(?: reading)?(?: in)?|what(?:'s| is) (?:in|the (?:structure|architecture|layout|organi[sz]ation|purpose) of))\b(?: the| this)?(?: overall| general| high-level)?(?: (?:structure|architecture|layout|organi[sz]ation|purpose) of)?(?: the| this)?(?: whole| entire)? (?:project|repo|repository|code ?base|code|architecture)(?: (?:do|about|for|structured|organi[sz]ed|laid out|built|work|here))*[\s?.!]*$/i;

/** First match wins. */
const SHAPES: readonly [Shape, RegExp][] = [
  [
    "history",
    /^(?:and |so )?(?:since |until )?(?:when|who|(?:in |since )?which (?:commit|version|release)s?|in what (?:version|release)|what (?:commit|version|release))\b.*\b(chang|add|introduc|remov|wrote|written|last touch|drop|deprecat|fix|merg|renam|releas|ship|support|mov)|\bhistory of\b|\brecent(ly)? chang|^(what|anything|list|show)\b.*\b(new|chang\w*|added|removed|fixed|dropped|deprecated)\b.*\b(releases?|versions?|v?\d+\.\d+|lately|recently)\b|^what(?:'s| is) new\b|\bchange ?log\b|\brelease notes\b/i,
  ],
  [
    "callers",
    /^(who|what|which(?: \w+){0,3}) (?:\w+ly )?(calls?|uses?|invokes?|imports?|references?|depends? on|instantiates?|extends?|implements?|includes?|inherits?(?: from)?|derives? from|subclass(?:es)?|conforms? to|mix(?:es)? in)\b/i,
  ],
  [
    "callers",
    /^(where|list|find|show)\b.*\b(used|called|invoked|imported|referenced|instantiated|extended|usages?|callers|call sites)\b/i,
  ],
  [
    "callers",
    /\b(usages?|callers|call sites|references|implementations|implement[eo]rs|subclasses|subtypes) (of|to|for)\b/i,
  ],
  [
    "where",
    /^(where|which (file|module|class|function|package|folder|part)|in which|what file|locate|find)\b/i,
  ],
  ["why", /^(why|what is the reason|for what reason)\b|\breason (for|why|behind)\b/i],
  [
    "list",
    /^(list|enumerate|name (all|the)|show (all|me all)|give me (all|a list)|what (\w+ ){1,3}(are|exist|does it support|is supported|are supported|are there|are available)\b|which (\w+ ){1,3}(are|exist|does|do|can)\b)/i,
  ],
  ["what", /^(what('s| is| are| does| do)|explain|describe|define|purpose of)\b/i],
  [
    "how",
    /^(how|what happens|in what way|can|does|do|is|are|should)\b|\bhow (to|do|does|is|are)\b/i,
  ],
];

/** Asks for the tests of something. */
const WANTS_TESTS =
  /^(where|which|what|who|list|find|show|is|are)\b.*\b(tested|tests? (for|of|that|which|cover\w*|check\w*|exercis\w*)|covered by (a |any )?tests?)\b|^(what|who|which \w+) tests\b/i;

/** Asks whether it can do something. */
const YES_OR_NO =
  /^(?:does|do|can|could|is|are|will|has|have)\b.*\b(?:support|handle|work|run|allow|possible|available|able|compatible|provide|come|use|need|require)s?\b/i;

/** Words of questions that `STOP_WORDS` leaves because they also name code; in a question they only frame it. */
const FRAME = new Set(
  ("where what which who why how when file files defined define definition defines located live lives happen function functions " +
    "method methods class classes does list all called calls call caller callers reference references mean means purpose explain describe " +
    "repo repository project codebase library cover covers covered covering")
    .split(" "),
);

/** @param workspace name of the repository, which is no word to look for unless it is the only one. */
export function parseQuestion(input: string, workspace = ""): Question {
  const text = input.slice(0, LONGEST_QUESTION).trim();
  const changed = IMPACT.map((pattern) => pattern.exec(text)).find((found) => found !== null);
  const asked = changed ? objectOf(text.slice(changed.index + changed[0].length)) || text : text;
  const shape = changed
    ? "impact"
    : SHAPES.find(([, pattern]) => pattern.test(text))?.[0] ?? "topic";
  const quoted = [
    ...text.matchAll(
      /["“]([^"”\n]{2,200})["”]|`([^`\n]{1,200})`|(?<![\w])'([^'\n]{2,200})'(?!\w)/g,
    ),
  ]
    .map((found) => (found[1] ?? found[2] ?? found[3])!);
  const paths = [
    ...text.matchAll(/(?<![\w:/])[\w@.+-]*(?:\/[\w@.+-]+)+\/?|\b[\w-]+\.[A-Za-z]{1,5}\b(?!\()/g),
  ]
    .map((found) => found[0].replace(/[./]+$/, ""))
    .filter((path) => path.includes("/") || /\.(\w{1,5})$/.test(path));
  const name = new Set(termsOf(workspace));
  const wants = askedFor(text, quoted);
  const query = queryOf(wants) ?? asked;
  const words = wordsOf(query);
  const all = [...words.keys()];
  const beside = all.filter((term) => !name.has(term));
  const terms = beside.length ? beside : all;
  return {
    ...wants,
    text,
    query,
    past: parsePast(text),
    shape,
    area: areaOf(text),
    listed: shape === "list" ? listedIn(text) : "",
    symbols: wants.texts.length > 0
      ? []
      : symbolsOf(query, shape, quoted, [...wants.compared, wants.defaultOf ?? ""], paths),
    capitals: capitalsOf(text),
    paths: [...new Set(paths)],
    quoted,
    terms,
    words,
    parts: wants.compared.length > 0 ? wants.compared : partsOf(text),
    wantsTests: WANTS_TESTS.test(text),
    about: aboutOf(text),
  };
}

/** What is searched for where the question asks for something by its words; undefined where all of the question is. */
function queryOf({ texts, defaultOf, compared }: AskedFor): string | undefined {
  if (texts.length > 0) return texts.join(" ");
  if (defaultOf !== undefined) return `${defaultOf} default`;
  return compared.length > 0 ? compared.join(" ") : undefined;
}

/** What a change is made to: `the parser` of "the parser break?". */
function objectOf(text: string): string {
  return text.replace(/\b(?:break|affect|impact)s?\b.*$/i, "").replace(/[\s?.!,]+$/, "")
    .replace(/^(?:the|a|an|this|that|my|our) /i, "");
}

/** The name of the place that is asked about as a whole; empty for all of it. */
function areaOf(text: string): string | undefined {
  if (WHOLE.test(text)) return "";
  for (const pattern of AREA) {
    const name = pattern.exec(text)?.[1];
    if (name && !STOP_WORDS.has(name.toLowerCase()) && !FRAME.has(name.toLowerCase())) return name;
  }
  return undefined;
}

/** Stem of the last word of what is to be listed, before the sentence goes on to say about what. */
function listedIn(text: string): string {
  const phrase =
    /^(?:which|what|list|enumerate|name|show|give)(?: (?:me|all|the|of|a|list|kinds?|types?|sorts?) ?(?=\w))*((?: ?[\w-]+){1,4}?)(?= (?:are|is|exist|exists|does|do|can|could|may|might|must|should|will|control|there|that|which|in|of|for|on|to|by|from|with|supported|available|have|has|and)\b|[\s?.!]*$)/i
      .exec(text)?.[1];
  const head = phrase?.trim().split(/\s+/).at(-1);
  return head ? stemOf(head.toLowerCase()) : "";
}

/** Stems of the content words of a text. */
export function termsOf(text: string): string[] {
  return [...wordsOf(text).keys()];
}

/** Content words by their stems, each as first written; frame words and single letters only if there is nothing else. */
function wordsOf(text: string): Map<string, string> {
  const words = new Map<string, string>();
  const frame = new Map<string, string>();
  eachWord(text, 0, text.length, (word) => {
    const lower = word.toLowerCase();
    if (STOP_WORDS.has(lower)) return;
    const into = FRAME.has(lower) || word.length < 2 ? frame : words;
    for (const part of splitIdentifier(word)) {
      if ((part.length < 2 && word.length > 1) || STOP_WORDS.has(part)) continue;
      if (!into.has(stemOf(part))) into.set(stemOf(part), part);
    }
  });
  return words.size ? words : frame;
}

function symbolsOf(
  query: string,
  shape: Shape,
  quoted: readonly string[],
  things: readonly string[],
  paths: readonly string[],
): string[] {
  const found = new Set<string>();
  const identifier = /^[A-Za-z_$][\w$]*((\.|::|#|->)[A-Za-z_$][\w$]*)*(\(\))?$/;
  for (const one of [...quoted, ...things]) if (identifier.test(one)) found.add(one);
  // What stands in a path is the name of a file.
  const text = paths.filter((path) => path.includes("/") || FILE.test(path))
    .reduce((rest, path) => rest.replaceAll(path, " "), query);
  const words = [...text.matchAll(/[A-Za-z_$][\w$]*(?:(?:\.|::|#|->)[A-Za-z_$][\w$]*)*(?:\(\))?/g)];
  // Joined, humped, called: forms that prose does not have.
  for (const { 0: word } of words) {
    if (/\(\)$|::|#|->|[a-z\d][A-Z]|[A-Za-z]_[A-Za-z]|^_+[a-z]/.test(word)) found.add(word);
    else if (
      /^[A-Za-z_$][\w$]*\.[A-Za-z_$][\w$]*$/.test(word) &&
      !FILE.test(word)
    ) found.add(word);
  }
  // The word that the shape is about: `where is chain defined`, `what does chain do`, `who calls chain`.
  const asked = [
    ...shape === "impact" ? [/^(?:the )?(\w+)(?: (?:function|method|class))?$/i] : [],
    /\bwhere (?:is|are) (?:the )?(\w+)(?: \w+)? (?:defined|declared|implemented|located|used|called|imported)\b/i,
    /\bwhat (?:does|do) (?:the )?(\w+) (?:function |method |class )?do\b/i,
    /\b(?:who|what|which \w+) (?:calls?|uses?|invokes?|imports?|references?|extends?|implements?|includes?|inherits? from|derives? from|subclass(?:es)?|conforms? to|mix(?:es)? in|instantiates) (?:the )?(\w+)/i,
    /\b(?:usages?|callers|references|call sites|implementations|implement[eo]rs|subclasses|subtypes) (?:of|to|for) (?:the )?(\w+)/i,
    /^(?:what(?:'s| is| are)|explain|describe|define) (?:an? |the )?(\w+)\??$/i,
    /\b(?:the )?(?:function|method|class|struct|trait|interface|type|macro) (\w+)\b/i,
    /\b(\w+) (?:function|method|class|struct|trait|interface|macro)\b/i,
  ];
  for (const pattern of asked) {
    const word = pattern.exec(text)?.[1];
    // `who calls Order.total` asks for the whole of it.
    const isBeginning = [...found].some((name) =>
      word && name.startsWith(word) && /^(\.|::|#|->)/.test(name.slice(word.length))
    );
    if (
      word && !isBeginning && !STOP_WORDS.has(word.toLowerCase()) && !FRAME.has(word.toLowerCase())
    ) {
      found.add(word);
    }
  }
  if (words.length === 1 && shape === "topic") found.add(words[0]![0]);
  if (!found.size && ["where", "callers", "what", "impact"].includes(shape)) {
    for (const name of capitalsOf(text)) found.add(name);
  }
  return [...found].slice(0, MOST_SYMBOLS);
}

/** Words with a capital inside a sentence: names, or emphasis. */
function capitalsOf(text: string): string[] {
  return [...text.matchAll(/(?<![.?!]\s*|^)\b[A-Z][A-Za-z\d]{2,}\b/g)].map((found) => found[0])
    // All capitals are an acronym.
    .filter((word) =>
      /[a-z]/.test(word) && !STOP_WORDS.has(word.toLowerCase()) && !FRAME.has(word.toLowerCase())
    );
}

/** Sentences, then clauses that open a question of their own, then halves around "and" that can each stand alone. */
function partsOf(text: string): string[] {
  const sentences = text.split(/[?;\n]+\s*|\.\s+(?=[A-Z])/).filter((part) => termsOf(part).length);
  const clauses = sentences.flatMap((sentence) =>
    sentence.split(
      /,?\s+(?:and|or|but)\s+(?=(?:how|where|what|why|who|when|which)\b)|,?\s+as well as\s+/i,
    )
  );
  const parts = clauses.flatMap((clause) => {
    const halves = clause.split(/,?\s+and\s+/i);
    return halves.length > 1 && halves.every((half) => termsOf(half).length >= WORDS_OF_A_HALF)
      ? halves
      : [clause];
  }).filter((part) => termsOf(part).length);
  return parts.length > 1 ? parts.slice(0, MOST_PARTS) : [];
}

function aboutOf(text: string): Set<"test" | "doc" | "example"> {
  const about = new Set<"test" | "doc" | "example">();
  const howTo = /^how (do|can|should|would|could) (i|we|you|one)\b|^how to\b/i;
  // Who wants to test something of their own is served by documents, not by the tests of this.
  const said = text.replace(
    /^how (?:(?:do|can|should|would|could) (?:i|we|you|one)|to) test\b/i,
    "",
  );
  if (/\btest(s|ed|ing|case)?\b|\bspecs?\b/i.test(said)) about.add("test");
  if (
    /\bdocument(ed|ation|s)?\b|\breadme\b|\bguide\b|\bchangelog\b|\binstall(ation|ed)?\b|\bcontribut/i
      .test(text)
  ) about.add("doc");
  // Who wants to use something is served by documents and examples.
  if (howTo.test(text)) about.add("doc").add("example");
  // Whether it can do something is what documents say.
  if (YES_OR_NO.test(text)) about.add("doc");
  if (/\bexamples?\b|\bsamples?\b|\bdemo\b/i.test(text)) about.add("example");
  return about;
}
