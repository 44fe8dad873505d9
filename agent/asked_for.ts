/**
 * What a question asks for beside its shape: a text word by word, a default, what is built on a type, a comparison.
 *
 * Owns the patterns of these. Pure. What must hold: any text gives an answer, and the same text the same one.
 */

/** See the module text. */
export interface AskedFor {
  /** Texts to find word by word: messages of errors, as a rule. */
  readonly texts: readonly string[];
  /** What the default of is asked for, in words or as a name: `connect timeout`, `maxRedirects`. */
  readonly defaultOf: string | undefined;
  /** Types that are built on the one that the question names are the answer, not whoever else uses it. */
  readonly wantsSubtypes: boolean;
  /** The two things that are compared, in words or as names. */
  readonly compared: readonly string[];
}

/** Longest text that is looked for word by word. */
const LONGEST_TEXT = 200;
/** Longest thing that is compared or has a default, in words: more is a sentence. */
const LONGEST_THING = 5;

/** A message that is not quoted: behind a colon, or before what is asked about it. */
const SAID: readonly RegExp[] = [
  /\b(?:errors?|exceptions?|warnings?|messages?|panics?)(?: messages?)?(?: that says| saying|:)\s+(?!["“`'])(.{8,}?)(?=\s+(?:means?|comes? from|(?:(?:is|gets?) )?(?:thrown|raised|logged|printed))\b|\?|$)/i,
  /\b(?:errors?|exceptions?|warnings?|messages?|panics?)(?: messages?)? (?!["“`']|messages?\b)(\S+(?: \S+){2,}?)\s+(?:means?|comes? from|(?:is|gets?) (?:thrown|raised|logged|printed))\b/i,
];
const ERROR =
  /\b(?:error|exception|warning|message|panic|fail\w*|says?|log(?:s|ged)?|print(?:s|ed)?)\b/i;
const DEFAULTS: readonly RegExp[] = [
  /\bdefault(?: values?| settings?)? (?:of|for) (?:the |an? )?(.+?)(?: (?:option|setting|parameter|flag|field|property|argument|attribute))?(?=[?,.!]|\s+(?:if|when|and|in)\b|$)/i,
  /^what(?:'s| is| are) (.+?)(?:'s)? by default\b/i,
  /^what (?:value )?does (.+?) default to\b/i,
  /^(?:what|where|which)(?:'s| is| are) the (.+?)(?:'s)? default(?: value)?(?: set| defined)?(?=[?,.!]|$)/i,
  /^(?:what|which)(?:'s| is| are) (?:the )?default (.+?)(?=[?,.!]|$)/i,
  /^where(?:'s| is| are) (?:the )?default (.+?) (?:set|defined|configured)(?=[?,.!]|$)/i,
];
const SUBTYPES =
  /^(?:who|what|which|list|show|find|name|enumerate)\b.*?\b(?:implements?|implementing|extends?|extending|implementors?|implementations? of|subclass(?:es|ing)?|subtypes?|inherits?|inheriting|derives?|derived|conforms?|conforming|mix(?:es)? in|includes?|including)\b/i;
const COMPARISONS: readonly RegExp[] = [
  /^compare (.+?) (?:and|with|to|against|vs\.?|versus) (.+?)[?.!]*$/i,
  /\bdifferences? between (.+?) and (.+?)[?.!]*$/i,
  /^(?:how|in what way) (?:does|do|is|are) (.+?) (?:differ|different|compare)(?:s|d)? (?:from|to|with) (.+?)[?.!]*$/i,
  /^(?:when (?:should|do|would) i use |should i use )?(\S+) (?:vs\.?|versus|or|instead of|rather than) (\S+?)[?.!]*$/i,
];

/** @param quoted strings that the question quotes, without the quotes */
export function askedFor(text: string, quoted: readonly string[]): AskedFor {
  const said = SAID.map((pattern) => pattern.exec(text)?.[1]).find((one) => one !== undefined);
  const isError = ERROR.test(text);
  // One word in quotes is a name, unless the question says that something says it; quotes in a message are part of it.
  const texts =
    (said !== undefined
      ? [said]
      : quoted.filter((one) => /\S\s+\S/.test(one) || isError && /[^\w.$:#()\-/]/.test(one))).map((
        one,
      ) => one.trim().slice(0, LONGEST_TEXT));
  const words = (one: string) => one.split(/\s+/).length;
  const bare = (one: string) => one.replace(/^(?:the|an?) /i, "").replace(/["'`“”]/g, "").trim();
  const defaultOf = DEFAULTS.map((pattern) => pattern.exec(text)?.[1]).find((one) => one);
  const compared = COMPARISONS.map((pattern) => pattern.exec(text)).find((one) => one !== null);
  const things = compared ? [bare(compared[1]!), bare(compared[2]!)] : [];
  return {
    texts,
    defaultOf: defaultOf && words(bare(defaultOf)) <= LONGEST_THING ? bare(defaultOf) : undefined,
    wantsSubtypes: SUBTYPES.test(text) && !/\b(?:implement|include)\w*\b.*\bhow\b/i.test(text),
    compared: things.every((one) => one !== "" && words(one) <= LONGEST_THING) ? things : [],
  };
}
