/**
 * The Composite Entropy Metric of a workspace: over which questions it is taken, and what it says.
 *
 * Owns the windows, and the words. Who reads the trail and who embeds is handed in. What must hold:
 * - a window is of questions that ended, by the order of their ends in the trail: the clock has no say, but where `--since` names a time;
 * - what a window is compared with came before it; windows of a trend follow each other without a gap;
 * - no number where something that it is made of is not known: what is missing is said instead;
 * - what is read is bounded, however long the trail is.
 */
import { counted } from "../counted.ts";
import type { Result } from "../commands.ts";
import { PackedError } from "../image/errors.ts";
import type { Image } from "../image/image.ts";
import {
  composite,
  facetEntropy,
  growthShare,
  type Novelty,
  novelty,
  type PartName,
  PARTS,
} from "./entropy.ts";
import { type EntropySettings, LEAST_WINDOW, MOST_WINDOW } from "./entropy_settings.ts";
import {
  elementsOf,
  type Growth,
  keepsCycle,
  type RecordObjects,
  structureGrowth,
} from "./structure_growth.ts";

/** A question that was answered, or of which it was said that nothing was found. */
export interface EndedQuestion {
  /** UUID of its cycle. */
  readonly cycle: string;
  /** When it ended, milliseconds since 1970, for people. */
  readonly ended: number;
  /** How often which facet was at work; empty where none was noted. */
  readonly facets: Readonly<Record<string, number>>;
  /** Of its answer; undefined where nothing was found, or nothing embeds. */
  readonly vector: Float32Array | undefined;
  /** The transaction of the image that kept it; 0 where none did. */
  readonly tid: number;
}

/** What a report is made of. */
export interface EntropySources {
  /** The latest questions, in the order in which they ended: as many as `questionsRead` says. */
  readonly questions: readonly EndedQuestion[];
  /** How many there are in the whole trail. */
  readonly total: number;
  /** How many a window has; see `windowOf`. */
  readonly size: number;
  /** Names of the facets that there are. */
  readonly facets: readonly string[];
  /** Name of the embedder, or why there are no vectors. */
  readonly embedder: { readonly id: string } | { readonly problem: string };
  /** Undefined where there is none. */
  readonly image: Image | undefined;
  readonly records: RecordObjects;
  readonly settings: EntropySettings;
  readonly problem?: string | undefined;
}

/** Fewest questions for a number: a window, and as many before it to compare it with. */
export const LEAST_QUESTIONS = 2 * LEAST_WINDOW;
/** Windows before the present one that are shown: what a screen has room for, and a few weeks of questions. */
const MOST_TREND = 6;
/** Earlier questions that a window is compared with: months of one person's, and milliseconds of arithmetic. */
const MOST_PAST = 1_000;
/** Less than this is no change of the metric that anybody would speak of. */
const NOTABLE = 0.03;

/**
 * How many questions the present window has: as many as are asked for, but never more than half of what there is, since they are
 * compared with what came before.
 * @param since how many ended since the time that somebody named; undefined where none was
 */
export function windowOf(total: number, { window }: EntropySettings, since?: number): number {
  return Math.min(
    since ?? window,
    since === undefined ? Math.floor(total / 2) : total,
    MOST_WINDOW,
  );
}

/** How many of the latest questions a report reads. */
export function questionsRead(size: number): number {
  return size * (1 + MOST_TREND) + MOST_PAST;
}

type Report = Result<"cem">;

/** A part of one window: its value, or why there is none. */
type Part<Detail> = { readonly value: number; readonly detail: Detail } | {
  readonly problem: string;
};

/** One window, measured. */
interface Measured {
  readonly cycles: readonly EndedQuestion[];
  readonly before: number;
  readonly uses: Readonly<Record<string, number>>;
  readonly cog: Part<undefined>;
  readonly sol: Part<Novelty>;
  readonly struc: Part<Growth>;
  readonly value: number | undefined;
}

/** The report on the present window and those before. */
export function entropyReport(sources: EntropySources): Report {
  const { questions, total, size, settings, facets, problem } = sources;
  const common = {
    questions: total,
    settings,
    problems: problem === undefined ? [] : [problem],
  };
  if (size < LEAST_WINDOW || total - size < LEAST_WINDOW) {
    const missing = size < LEAST_WINDOW && total >= LEAST_QUESTIONS
      ? LEAST_WINDOW - size
      : Math.max(LEAST_QUESTIONS - total, LEAST_WINDOW - (total - size), 1);
    return {
      ...common,
      value: null,
      state: "unknown",
      parts: PARTS.map((name) => ({
        name,
        value: null,
        weight: settings[`weight_${name}`],
        means: MEANINGS[name],
        said: "too few questions",
      })),
      window: null,
      missing,
      facets: facets.map((facet) => ({ facet, uses: 0 })),
      answers: null,
      growth: null,
      trend: [],
      said: [tooFew(total, size, missing)],
    };
  }
  const windows: Measured[] = [];
  for (let end = questions.length; windows.length <= MOST_TREND; end -= size) {
    if (end - size < LEAST_WINDOW) break;
    windows.unshift(measure(sources, end - size, end));
  }
  const present = windows.at(-1)!;
  const { cog, sol, struc, uses, value } = present;
  const { band_low, band_high } = settings;
  const state = value === undefined
    ? "unknown"
    : value < band_low
    ? "below"
    : value > band_high
    ? "above"
    : "within";
  const said = {
    cog: "problem" in cog ? cog.problem : saidOfFacets(uses, facets),
    sol: "problem" in sol ? sol.problem : saidOfAnswers(sol.detail, present.before),
    struc: "problem" in struc ? struc.problem : saidOfGrowth(struc.detail),
  };
  return {
    ...common,
    value: value ?? null,
    state,
    parts: PARTS.map((name) => ({
      name,
      value: valueOf(present[name]),
      weight: settings[`weight_${name}`],
      means: MEANINGS[name],
      said: said[name],
    })),
    window: { ...spanOf(present), before: present.before },
    missing: 0,
    facets: facetsOf(uses, facets),
    answers: "problem" in sol || "problem" in sources.embedder ? null : {
      compared: sol.detail.compared,
      repeated: sol.detail.repeated,
      embedder: sources.embedder.id,
    },
    growth: "problem" in struc ? null : struc.detail,
    trend: windows.map((one) => ({
      ...spanOf(one),
      value: one.value ?? null,
      cog: valueOf(one.cog),
      sol: valueOf(one.sol),
      struc: valueOf(one.struc),
    })),
    said: [verdict(present, state, settings), ...course(windows)],
  };
}

function measure(sources: EntropySources, from: number, to: number): Measured {
  const { questions, facets, settings } = sources;
  const cycles = questions.slice(from, to);
  const past = questions.slice(Math.max(0, from - MOST_PAST), from);
  const uses: Record<string, number> = {};
  for (const question of cycles) {
    for (const [facet, count] of Object.entries(question.facets)) {
      uses[facet] = (uses[facet] ?? 0) + count;
    }
  }
  const entropy = facetEntropy(uses, facets.length);
  const cog: Measured["cog"] = entropy === undefined
    ? { problem: "these questions were asked before facets were noted in the trail" }
    : { value: entropy, detail: undefined };
  const sol = novelOf(sources, cycles, past);
  const struc = grownBy(
    sources,
    questions[from - 1]!,
    to === questions.length ? undefined : cycles,
  );
  const values = {
    cog: entropy,
    sol: "problem" in sol ? undefined : sol.value,
    struc: "problem" in struc ? undefined : struc.value,
  };
  const weights = {
    cog: settings.weight_cog,
    sol: settings.weight_sol,
    struc: settings.weight_struc,
  };
  return { cycles, before: past.length, uses, cog, sol, struc, value: composite(values, weights) };
}

function novelOf(
  { embedder }: EntropySources,
  cycles: readonly EndedQuestion[],
  past: readonly EndedQuestion[],
): Measured["sol"] {
  if ("problem" in embedder) return { problem: embedder.problem };
  const vectors = (some: readonly EndedQuestion[]) => some.flatMap(({ vector }) => vector ?? []);
  const detail = novelty(vectors(cycles), vectors(past));
  return detail === undefined
    ? { problem: "there is no answer to compare, or none before to compare it with" }
    : { value: detail.mean, detail };
}

/**
 * Growth from the commit of one question on.
 * @param upTo up to the last commit of these; undefined for up to now
 */
function grownBy(
  { image, records, settings, size }: EntropySources,
  last: EndedQuestion,
  upTo: readonly EndedQuestion[] | undefined,
): Measured["struc"] {
  if (image === undefined) return { problem: "there is no image" };
  const ends = upTo === undefined ? [last] : [last, upTo.at(-1)!];
  for (const { cycle, tid } of ends) {
    if (tid === 0) {
      return { problem: `question ${cycle.slice(0, 8)} was asked before transactions were noted` };
    }
    if (!keepsCycle(image, tid, cycle)) {
      return {
        problem: `the transaction that kept question ${
          cycle.slice(0, 8)
        } is gone: the image was packed, or made anew`,
      };
    }
  }
  try {
    const detail = structureGrowth(image, last.tid, ends[1]?.tid ?? image.newest, records);
    // A shorter window needs less.
    const half = settings.growth_half * size / settings.window;
    return { value: growthShare(elementsOf(detail), half), detail };
  } catch (error) {
    if (!(error instanceof PackedError)) throw error;
    return { problem: `the image was packed since: ${error.message}` };
  }
}

const MEANINGS: Readonly<Record<PartName, string>> = {
  cog: "how evenly the facets of the personas were used",
  sol: "how far new answers lie from the nearest earlier one",
  struc: "how much the image grew",
};

function tooFew(total: number, size: number, missing: number): string {
  const more = missing === 1 ? "1 more question" : `${missing} more questions`;
  return total < LEAST_QUESTIONS
    ? `No number yet: ${
      total === 0
        ? "no question has"
        : `${counted(total, "question")} ${total === 1 ? "has" : "have"}`
    } ended so far; ` +
      `${more} and there is one (${LEAST_WINDOW} to look at, ${LEAST_WINDOW} to compare them with).`
    : size < LEAST_WINDOW
    ? `No number: ${
      counted(size, "question")
    } ended in that time; ${more} and there is one, or name an earlier time.`
    : `No number: hardly anything was asked before that time to compare it with; name a later one.`;
}

/** Where the value lies and, where that is outside the band, what it comes from. */
function verdict(
  { cycles, cog, sol, struc, value, uses }: Measured,
  state: Report["state"],
  settings: EntropySettings,
): string {
  const parts = { cog, sol, struc };
  const latest = `the last ${cycles.length} questions`;
  if (value === undefined) {
    const unknown = PARTS.filter((name) =>
      settings[`weight_${name}`] > 0 && "problem" in parts[name]
    );
    return `No number: ${unknown.map((name) => `H_${name}`).join(" and ")} ${
      unknown.length === 1 ? "is" : "are"
    } not known, and ${
      unknown.length === 1 ? "has" : "have"
    } a weight ("batos cem set" can change that).`;
  }
  if (state === "within") return `Within the band: ${latest} were neither all alike nor all new.`;
  if (state === "above") {
    return `Above the band: hardly anything of ${latest} repeats or builds upon what was there. Going on with a subject brings it down.`;
  }
  const lack = (name: PartName) => settings[`weight_${name}`] * (1 - (valueOf(parts[name]) ?? 1));
  const weakest = PARTS.toSorted((a, b) => lack(b) - lack(a))[0]!;
  const used = Object.keys(uses);
  const reason = {
    cog: used.length === 1
      ? `${latest} used one facet only, ${
        used[0]
      }. Questions with several parts ("…? And …?") put the others to work.`
      : `${latest} used the facets very unevenly. Questions with several parts ("…? And …?") put the others to work.`,
    sol:
      `${latest} were answered much as earlier ones were. Parts of the code that nobody asked about would bring something new.`,
    struc:
      `in ${latest} the image gained little or nothing. New objects, methods and adapters count.`,
  }[weakest];
  return `Below the band: ${reason}`;
}

/** Whether the metric rises or falls. */
function course(windows: readonly Measured[]): string[] {
  const [before, present] = windows.slice(-2).map(({ value }) => value);
  if (windows.length < 2 || before === undefined || present === undefined) return [];
  const change = present - before;
  if (Math.abs(change) < NOTABLE) return ["Much as in the window before."];
  const way = change > 0 ? "higher" : "lower";
  return [`${Math.abs(change).toFixed(2)} ${way} than in the window before.`];
}

function saidOfFacets(uses: Readonly<Record<string, number>>, known: readonly string[]): string {
  const all = facetsOf(uses, known);
  const used = all.filter(({ uses }) => uses > 0);
  const unused = all.filter(({ uses }) => uses === 0).map(({ facet }) => facet);
  const list = used.map(({ facet, uses }) => `${facet} ${uses}`).join(", ");
  return unused.length === 0 ? list : `${list}; never: ${unused.join(", ")}`;
}

function saidOfAnswers({ compared, repeated }: Novelty, before: number): string {
  const same = repeated === 0
    ? "none says the same as one before"
    : `${repeated} ${repeated === 1 ? "says" : "say"} the same as one before`;
  return `${counted(compared, "answer")} beside ${before} earlier questions; ${same}`;
}

function saidOfGrowth(growth: Growth): string {
  const kinds = [
    [growth.objects, "object"],
    [growth.slots, "slot"],
    [growth.methods, "method"],
    [growth.parents, "parent"],
  ] as const;
  const list = kinds.filter(([count]) => count !== 0)
    .map(([count, noun]) => `${count > 0 ? "+" : "−"}${counted(Math.abs(count), noun)}`);
  return list.length === 0 ? "nothing was added to the image" : list.join(", ");
}

/** Every facet with its uses, the most used first. */
function facetsOf(
  uses: Readonly<Record<string, number>>,
  known: readonly string[],
): { facet: string; uses: number }[] {
  return [...new Set([...known, ...Object.keys(uses)])]
    .map((facet) => ({ facet, uses: uses[facet] ?? 0 }))
    .toSorted((a, b) => b.uses - a.uses);
}

function spanOf({ cycles }: Measured) {
  // The clock may have gone back meanwhile.
  const times = cycles.map(({ ended }) => ended);
  return {
    cycles: cycles.length,
    since: new Date(Math.min(...times)).toISOString(),
    until: new Date(Math.max(...times)).toISOString(),
  };
}

function valueOf(part: Part<unknown>): number | null {
  return "problem" in part ? null : part.value;
}
