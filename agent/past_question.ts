/**
 * Questions about earlier questions: whether one is, and what it asks the audit trail for.
 *
 * Owns the patterns. Pure. What must hold: a question about code that merely speaks of questions, searches or times ("how does the search
 * rank its answers", "what changed last week") is none of these: somebody must have asked, searched or answered in it.
 */
import { findTimes } from "../kernel/mod.ts";
import { eachWord, STOP_WORDS } from "../rag/mod.ts";

/** What to ask the audit trail for. */
export interface Past {
  /** Words of what was asked then; empty for whatever it was. */
  readonly query: string;
  readonly only: "all" | "questions" | "commands" | "failed" | "refused";
  /** The time as the question has it; empty where it names none. */
  readonly time: string;
  /** As the action takes them. The words themselves: they mean the same from step to step. */
  readonly since?: string;
  readonly until?: string;
  /** The last one only. */
  readonly last: boolean;
  /** It is asked how an answer came to be. */
  readonly steps: boolean;
}

const ASKED =
  "ask(?:ed)?|search(?:ed)?|quer(?:y|ied)|look(?:ed)? (?:for|up|into)|answer(?:ed)?|say|said|tell|told|cited?|retrieved?";
const KIND = "questions?|searches|queries|answers?|cycles?";
const ENDED =
  "fail(?:ed|s)?|found nothing|unanswered|were (?:asked|answered|interrupted)|had no answer|missed|(?:was|were) missing|went wrong";

/** Any one of these makes it a question about the past. */
const PATTERNS = [
  new RegExp(
    `\\b(?:did|have|had|what|that|which) (?:i|we|you)(?: ever| already| just| last| recently)? (?:${ASKED})\\b`,
    "i",
  ),
  new RegExp(
    `\\b(?:did|have|had) (?:i|we|you)\\b.{0,40}\\b(?:ask|asked|searched?|answer|answered)\\b`,
    "i",
  ),
  new RegExp(
    `\\b(?:my|your|our) (?:(?:last|latest|previous|earlier|recent|past|first|other|open) )+(?:${KIND})\\b`,
    "i",
  ),
  new RegExp(`\\b(?:my|your) (?:${KIND})\\b`, "i"),
  new RegExp(
    `\\b(?:which|what|how many) (?:of )?(?:my |our |the )?(?:${KIND})\\b.{0,40}\\b(?:${ENDED})\\b`,
    "i",
  ),
  /\bwhat (?:did|does) (?:the )?retrieval miss\b/i,
];

/** Asks for what a door turned away. Code refuses things too: a door, or a time, has to be named. */
const REFUSED =
  /\b(?:what|who|which|how many|anything|anybody|anyone)\b.{0,40}\b(?:was|were|been|did|has|have)\b.{0,40}\b(?:refused?|rejected?|turned away)\b/i;
const DOOR = /\b(?:endpoint|kernel|doors?|mail desk|page|http)\b/i;
/** Words of such a question that stand in no refusal. */
const OF_DOORS = new Set(
  "anything anybody anyone client clients connection connections door doors kernel message messages page peer peers request requests"
    .split(" "),
);

/** Beside a time these say as much. */
const WITH_TIME = new RegExp(
  `\\b(?:questions?|searches) (?:of|from|since|in|on)\\b|^what (?:was|were|is) (?:missing|asked|unanswered)\\b`,
  "i",
);

/** Words that frame such a question and were not in the earlier one. */
const FRAME = new Set(
  ("ask asked asking question questions search searched searches searching query queries queried answer answered answers unanswered " +
    "cycle cycles say said tell told look looked cite cited retrieve retrieved retrieval miss missed missing fail failed fails found " +
    "nothing wrong went last latest previous earlier recent recently past first other ever already just before since then me ago show " +
    "list was were open interrupted many command commands from refused refuse rejected reject denied deny turned away who")
    .split(" "),
);

/** What a question asks of the past; undefined for one about the code. */
export function parsePast(text: string, now = Date.now()): Past | undefined {
  const times = findTimes(text, now);
  const isRefused = REFUSED.test(text) && (times.length > 0 || DOOR.test(text));
  const isPast = isRefused || PATTERNS.some((pattern) => pattern.test(text)) ||
    (times.length > 0 && WITH_TIME.test(text));
  if (!isPast) return undefined;
  const [time] = times;
  const rest = times.reduce((left, { text: said }) => left.replace(said, " "), text);
  const words: string[] = [];
  eachWord(rest, 0, rest.length, (word) => {
    const lower = word.toLowerCase();
    if (STOP_WORDS.has(lower) || FRAME.has(lower)) return;
    if (!isRefused || !OF_DOORS.has(lower)) words.push(word);
  });
  const said = time?.text.replace(/^(?:in|over|during|within|since|for) /i, "");
  const isOpen = time?.range.until === undefined;
  return {
    query: words.join(" ").slice(0, 1_000),
    only: isRefused
      ? "refused"
      : /\b(?:fail(?:ed|s)?|unanswered|found nothing|no answer|went wrong|interrupted)\b/i.test(
          text,
        )
      ? "failed"
      : /\b(?:search(?:ed|es)?|commands?)\b/i.test(text) &&
          !/\b(?:ask(?:ed)?|questions?|answer)/i.test(text)
      ? "commands"
      : "questions",
    time: isOpen && time?.text.startsWith("since ") ? time.text : said ?? "",
    ...said !== undefined && { since: said, ...!isOpen && { until: said } },
    last: /\b(?:last|latest|previous) (?:question|answer|search|query)\b/i.test(text) ||
      (words.length === 0 && /^why\b/i.test(text)),
    steps: /^(?:why|how)\b/i.test(text),
  };
}
