/**
 * Times as people write them: `2h`, `yesterday`, `last week`, `monday`, `2026-11-20`, `2026-11-20T14:00`.
 *
 * Owns the words and what span each means, by the clock and time zone of the machine. Pure. What must hold: a span is half open,
 * `[since, until)`, so that spans follow each other without a gap; weeks begin on Monday; days are calendar days, so one of
 * them may have 23 or 25 hours.
 */

/** A span of time in milliseconds since 1970; either end may be open. */
export interface TimeRange {
  readonly since?: number;
  readonly until?: number;
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
/** Words for units, by how they begin; months and years go by the calendar. */
const UNIT =
  "(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|months?|mo|years?|y)";
const NUMBERS: Readonly<Record<string, number>> = {
  a: 1,
  an: 1,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  few: 3,
  couple: 2,
};
const COUNT = `(\\d{1,6}(?:\\.\\d+)?|${Object.keys(NUMBERS).join("|")})`;
const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const DAY = `(${DAYS.map((day) => `${day.slice(0, 3)}(?:${day.slice(3)})?`).join("|")})`;

/** The earliest moment that a date can be. */
const EARLIEST = -8.64e15;

/** How times are written, for messages. */
export const TIME_FORMS =
  "2h, 3 days ago, today, yesterday, last week, monday, 2026-11-20, 2026-11-20T14:00";

/**
 * The span that an expression means: `yesterday` is that day, `2h` everything since two hours ago, an exact time the moment itself.
 * @returns undefined for what is no time
 */
export function parseTime(text: string, now: number): TimeRange | undefined {
  const said = text.trim().toLowerCase().replace(/\s+/g, " ").replace(
    /^(?:in |on |since |during )/,
    "",
  );
  return exactTime(text.trim()) ?? calendar(said, now) ?? elapsed(said, now);
}

function calendar(said: string, now: number): TimeRange | undefined {
  const today = startOfDay(now);
  if (said === "now") return { since: now, until: now };
  if (said === "today") return { since: today, until: addDays(today, 1) };
  if (said === "yesterday") return { since: addDays(today, -1), until: today };
  if (said === "the day before yesterday") {
    return { since: addDays(today, -2), until: addDays(today, -1) };
  }
  if (said === "this morning") return { since: today, until: addHours(today, 12) };
  if (said === "this afternoon") return { since: addHours(today, 12), until: addHours(today, 18) };
  if (said === "tonight" || said === "this evening") {
    return { since: addHours(today, 18), until: addDays(today, 1) };
  }
  const [, which, unit] = /^(this|last|previous) (week|month|year)$/.exec(said) ?? [];
  if (which !== undefined) {
    const back = which === "this" ? 0 : 1;
    return { since: startOf(unit!, now, -back), until: startOf(unit!, now, 1 - back) };
  }
  const [, earlier, day] = new RegExp(`^(last |this )?${DAY}$`).exec(said) ?? [];
  if (day !== undefined) {
    const wanted = DAYS.findIndex((name) => name.startsWith(day.slice(0, 3)));
    const ago = (new Date(now).getDay() - wanted + 7) % 7;
    const since = addDays(today, -(ago === 0 && earlier === "last " ? 7 : ago));
    return { since, until: addDays(since, 1) };
  }
}

/** `2h`, `2 hours ago`, `the last 3 days`, `past week`: since then, with an open end. */
function elapsed(said: string, now: number): TimeRange | undefined {
  const pattern = new RegExp(
    `^(?:the )?(?:last |past )?(?:(?:a )?${COUNT} ?(?:of )?)?${UNIT}(?: ago)?$`,
  );
  const found = pattern.exec(said);
  if (found === null) return undefined;
  const [, count, unit] = found;
  // A unit alone is a time only as `the past week`.
  if (count === undefined && !/^(?:the )?(?:last|past) /.test(said)) return undefined;
  const amount = count === undefined ? 1 : NUMBERS[count] ?? Number(count);
  if (/^(?:mo|y)/.test(unit!)) {
    const months = amount * (unit!.startsWith("y") ? 12 : 1);
    return { since: monthsBefore(now, Math.round(months)) };
  }
  return { since: now - amount * UNITS[unit![0]!]! };
}

/** ISO 8601: a day, a minute, a second; without a zone it is local time. */
function exactTime(text: string): TimeRange | undefined {
  const found =
    /^(\d{4})-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?)?$/i
      .exec(text);
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second, zone] = found;
  const date = new Date(Number(year), Number(month) - 1, Number(day ?? 1));
  // `2026-02-30` is no day.
  if (date.getMonth() !== Number(month) - 1 || date.getDate() !== Number(day ?? 1)) {
    return undefined;
  }
  if (day === undefined) {
    return { since: date.getTime(), until: new Date(Number(year), Number(month), 1).getTime() };
  }
  if (hour === undefined) return { since: date.getTime(), until: addDays(date.getTime(), 1) };
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59) return undefined;
  const moment = zone === undefined
    ? date.setHours(Number(hour), Number(minute), Number(second ?? 0))
    : Date.parse(text.toUpperCase().replace(" ", "T"));
  return Number.isNaN(moment) ? undefined : { since: moment, until: moment };
}

/** How times stand inside a sentence; the longest first. */
const IN_SENTENCE = new RegExp(
  `\\b(?:(?:(?:in|over|during|within|since|for) )?(?:(?:the )?(?:last|past) (?:(?:a )?${COUNT} ?(?:of )?)?${UNIT}|` +
    `(?:a )?${COUNT} ?(?:of )?${UNIT} ago|the day before yesterday|(?:this|last|previous) (?:week|month|year)|` +
    `this (?:morning|afternoon|evening)|tonight|today|yesterday|(?:on |last |this )?${DAY}|` +
    `\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}(?::\\d{2})?Z?)?))\\b`,
  "gi",
);

/** The times that a sentence speaks of, as they are written there, in order. */
export function findTimes(sentence: string, now: number): { text: string; range: TimeRange }[] {
  return [...sentence.matchAll(IN_SENTENCE)].flatMap(({ 0: text }) => {
    const isOpen = /^since /i.test(text);
    const range = parseTime(text.replace(/^(?:in|over|during|within|since|for) /i, ""), now);
    if (range === undefined) return [];
    return [{ text, range: isOpen && range.since !== undefined ? { since: range.since } : range }];
  });
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

/** Midnight so many days later; not so many times 24 hours. */
function addDays(time: number, days: number): number {
  const date = new Date(time);
  date.setDate(date.getDate() + days);
  return date.getTime();
}

function addHours(day: number, hours: number): number {
  return new Date(day).setHours(hours, 0, 0, 0);
}

/** The same day and hour so many months earlier; the last day of a month that is shorter, the earliest time there is where there was none. */
function monthsBefore(time: number, months: number): number {
  const date = new Date(time);
  const day = date.getDate();
  date.setMonth(date.getMonth() - months, 1);
  const lastDay = new Date(date.getFullYear(), date.getMonth() + 1, 0).getDate();
  date.setDate(Math.min(day, lastDay));
  const since = date.getTime();
  return Number.isNaN(since) ? EARLIEST : since;
}

/** Beginning of the week, month or year that lies so many of them away. */
function startOf(unit: string, now: number, away: number): number {
  const date = new Date(startOfDay(now));
  if (unit === "week") date.setDate(date.getDate() - (date.getDay() + 6) % 7 + 7 * away);
  else if (unit === "month") date.setMonth(date.getMonth() + away, 1);
  else date.setFullYear(date.getFullYear() + away, 0, 1);
  return date.getTime();
}
