/**
 * Cognitive efficiency: what the latest questions cost and how often they failed, beside those before them.
 *
 * Owns the windows, the measures and the words. Who reads the trail is handed in. What must hold: questions are compared with those that
 * the same driver answered, for one with a model costs what none without can; a sudden change and a slow one are told apart; nothing is
 * called a change that chance brings about.
 */
import type { Result } from "../commands.ts";
import { COURSE_Z, courseZ, median, NOTABLE_Z, rankSumZ, shareZ } from "./drift.ts";

/** A question that came to its end: answered, nothing found, or failed. */
export interface CountedQuestion {
  /** Milliseconds since 1970, for people. */
  readonly ended: number;
  readonly outcome: "done" | "nothing" | "failed";
  /** What thought; empty where the cycle failed before anything did. */
  readonly driver: string;
  readonly tokens: number;
  readonly steps: number;
  /** From the question to the answer; 0 where there is none. */
  readonly ms: number;
}

/** Fewest questions in a window, and before it. */
const LEAST = 5;
/** Windows that are looked at: the present one and its baseline. */
const MOST_WINDOWS = 10;
/** Windows that make a course: with fewer none can be told from chance. */
const LEAST_COURSE = 5;
/** A median has to differ by a fifth before anybody would notice. */
const NOTABLE_RATIO = 1.2;
/** Shares of failures: one question in twenty. */
const NOTABLE_SHARE = 0.05;

type Report = Result<"drift">;
type Measure = Report["measures"][number];

const COSTS = [
  ["tokens", "tokens", ({ tokens }: CountedQuestion) => tokens],
  ["steps", "steps", ({ steps }: CountedQuestion) => steps],
  ["latency_ms", "ms", ({ ms }: CountedQuestion) => ms],
] as const;

/** How many of the latest questions a report reads. */
export function driftReads(window: number): number {
  return window * MOST_WINDOWS;
}

/**
 * The report.
 * @param questions the latest ones, in the order in which they ended: as many as `driftReads` says
 * @param window how many the present window has at most; half of what there is where that is less
 */
export function driftReport(questions: readonly CountedQuestion[], window: number): Report {
  const size = Math.min(window, Math.floor(questions.length / 2));
  if (size < LEAST) {
    const missing = 2 * LEAST - questions.length;
    return {
      window: null,
      baseline: null,
      drivers: [],
      missing,
      measures: [],
      said: [
        `Nothing to compare yet: questions that have ended: ${questions.length}, needed: ${
          2 * LEAST
        } (${LEAST} to look at, ${LEAST} before them).`,
      ],
    };
  }
  const windows: (readonly CountedQuestion[])[] = [];
  for (let end = questions.length; end >= size; end -= size) {
    windows.unshift(questions.slice(end - size, end));
  }
  const present = windows.at(-1)!;
  const before = questions.slice(0, -size);
  const drivers = [...new Set(present.map(({ driver }) => driver))].filter((name) => name !== "");
  const isAlike = ({ driver, outcome }: CountedQuestion) =>
    outcome !== "failed" && drivers.includes(driver);
  const alike = before.filter(isAlike);
  const measures = [
    ...COSTS.map(([name, unit, value]) =>
      costOf(name, unit, present.filter(isAlike).map(value), alike.map(value), {
        course: windows.map((one) => one.filter(isAlike).map(value)),
      })
    ),
    failuresOf(present, before, windows),
  ];
  const times = present.map(({ ended }) => ended);
  return {
    window: {
      cycles: size,
      // The clock may have gone back meanwhile.
      since: new Date(Math.min(...times)).toISOString(),
      until: new Date(Math.max(...times)).toISOString(),
    },
    baseline: { cycles: before.length, alike: alike.length },
    drivers,
    missing: 0,
    measures,
    said: inWords(measures, drivers, alike.length),
  };
}

function costOf(
  name: Measure["name"],
  unit: Measure["unit"],
  now: readonly number[],
  before: readonly number[],
  { course }: { course: readonly (readonly number[])[] },
): Measure {
  const steps = course.filter(({ length }) => length >= LEAST).map(median);
  if (now.length < LEAST || before.length < LEAST) {
    return { name, unit, now: null, before: null, change: "unknown", slow: "none", course: steps };
  }
  const [is, was] = [median(now), median(before)];
  const z = rankSumZ(now, before);
  const isWide = Math.max(is, was) >= NOTABLE_RATIO * Math.min(is, was) && is !== was;
  const change = isWide && Math.abs(z) >= NOTABLE_Z ? (is > was ? "more" : "less") : "same";
  const [first, last] = [steps[0]!, steps.at(-1)!];
  const isLong = steps.length >= LEAST_COURSE &&
    Math.max(first, last) >= NOTABLE_RATIO * Math.min(first, last);
  return { name, unit, now: is, before: was, change, slow: slowOf(steps, isLong), course: steps };
}

function failuresOf(
  now: readonly CountedQuestion[],
  before: readonly CountedQuestion[],
  windows: readonly (readonly CountedQuestion[])[],
): Measure {
  const failed = (some: readonly CountedQuestion[]) =>
    some.filter(({ outcome }) => outcome !== "done").length;
  const share = (some: readonly CountedQuestion[]) => failed(some) / some.length;
  const z = shareZ({ count: failed(now), of: now.length }, {
    count: failed(before),
    of: before.length,
  });
  const difference = share(now) - share(before);
  const isWide = Math.abs(difference) >= NOTABLE_SHARE && Math.abs(z) >= NOTABLE_Z;
  const course = windows.map(share);
  const isLong = course.length >= LEAST_COURSE &&
    Math.abs(course.at(-1)! - course[0]!) >= NOTABLE_SHARE;
  return {
    name: "failures",
    unit: "share",
    now: share(now),
    before: share(before),
    change: isWide ? (difference > 0 ? "more" : "less") : "same",
    slow: slowOf(course, isLong),
    course,
  };
}

/** Whether a course goes one way, all in all far enough. */
function slowOf(course: readonly number[], isLong: boolean): Measure["slow"] {
  const z = courseZ(course);
  return isLong && Math.abs(z) >= COURSE_Z ? (z > 0 ? "rising" : "falling") : "none";
}

const NAMES: Readonly<Record<Measure["name"], string>> = {
  tokens: "Tokens a question",
  steps: "Steps a question",
  latency_ms: "Time to an answer",
  failures: "Questions without an answer",
};

function inWords(
  measures: readonly Measure[],
  drivers: readonly string[],
  alike: number,
): string[] {
  const said = measures.flatMap((measure) => {
    const { name, now, before, change, slow } = measure;
    const numbers = () => `${amount(measure, before!)} before, ${amount(measure, now!)} now`;
    return [
      ...change === "more" || change === "less"
        ? [`${NAMES[name]}: ${change} than before (${numbers()}).`]
        : [],
      ...slow === "none" ? [] : [
        `${NAMES[name]}: a slow drift, ${slow} from window to window (${
          measure.course.map((one) => amount(measure, one)).join(", ")
        }).`,
      ],
    ];
  });
  if (measures.some(({ change }) => change === "unknown")) {
    said.push(
      `Costs are not compared: of the questions before, ${alike} were answered by ${
        drivers.join(" or ") || "anything"
      }.`,
    );
  }
  return said.length > 0
    ? said
    : ["No drift: the latest questions cost and failed as those before."];
}

/** A number with its unit, for people. */
function amount({ unit }: Measure, value: number): string {
  if (unit === "share") return `${Math.round(value * 100)} %`;
  const rounded = Math.round(value * 10) / 10;
  return unit === "ms" ? `${Math.round(value)} ms` : String(rounded);
}
