/** Times as people write them, against a fixed Wednesday noon. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { findTimes, parseTime } from "../../../kernel/audit/time_range.ts";

/** Wednesday. */
const NOW = new Date(2026, 10, 25, 12, 0).getTime();
const day = (month: number, date: number) => new Date(2026, month - 1, date).getTime();
const HOUR = 3_600_000;

Deno.test("parseTime() knows spans of the calendar", () => {
  const spans: Record<string, [number, number]> = {
    today: [day(11, 25), day(11, 26)],
    yesterday: [day(11, 24), day(11, 25)],
    "last week": [day(11, 16), day(11, 23)],
    "this week": [day(11, 23), day(11, 30)],
    "last month": [day(10, 1), day(11, 1)],
    "last year": [new Date(2025, 0, 1).getTime(), day(1, 1)],
    monday: [day(11, 23), day(11, 24)],
    wednesday: [day(11, 25), day(11, 26)],
    "last wednesday": [day(11, 18), day(11, 19)],
    "2026-11-20": [day(11, 20), day(11, 21)],
    "2026-02": [day(2, 1), day(3, 1)],
  };
  for (const [text, [since, until]] of Object.entries(spans)) {
    assert.deepEqual(parseTime(text, NOW), { since, until }, text);
  }
});

Deno.test("parseTime() counts back from now", () => {
  const spans: Record<string, number> = {
    "2h": 2 * HOUR,
    "90 minutes": 1.5 * HOUR,
    "3 days ago": 72 * HOUR,
    "the last week": 168 * HOUR,
    "past 2 weeks": 336 * HOUR,
    "an hour ago": HOUR,
    "1.5h": 1.5 * HOUR,
  };
  for (const [text, ago] of Object.entries(spans)) {
    assert.deepEqual(parseTime(text, NOW), { since: NOW - ago }, text);
  }
});

Deno.test("parseTime() counts months by the calendar, to the last day of a shorter one, and back to the beginning of time", () => {
  const at = (month: number, date: number) => new Date(2026, month, date, 12, 0).getTime();
  assert.deepEqual(parseTime("1 month ago", at(2, 31)), { since: at(1, 28) });
  assert.deepEqual(parseTime("2 months", at(11, 31)), { since: at(9, 31) });
  assert.deepEqual(parseTime("a year ago", new Date(2028, 1, 29, 12, 0).getTime()), {
    since: new Date(2027, 1, 28, 12, 0).getTime(),
  });
  const { since } = parseTime("999999 years", NOW)!;
  assert.ok(since! < -1e15, String(since));
});

Deno.test("parseTime() takes exact moments with and without a zone, and refuses what is no time", () => {
  const zoned = Date.parse("2026-11-20T14:30:00Z");
  assert.deepEqual(parseTime("2026-11-20T14:30:00Z", NOW), { since: zoned, until: zoned });
  const local = new Date(2026, 10, 20, 14, 30).getTime();
  assert.deepEqual(parseTime("2026-11-20 14:30", NOW), { since: local, until: local });
  for (
    const text of ["", "week", "soon", "2026-02-30", "2026-13-01", "2026-11-20T25:00", "5", "-2h"]
  ) {
    assert.equal(parseTime(text, NOW), undefined, text);
  }
});

Deno.test("parseTime() never throws, and never gives a span that ends before it begins", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const range = parseTime(text, NOW);
    if (range?.since !== undefined && range.until !== undefined) {
      assert.ok(range.since <= range.until);
    }
  }));
});

Deno.test("findTimes() finds the times in a question and leaves its other words alone", () => {
  const found = (text: string) => findTimes(text, NOW).map((time) => time.text);
  assert.deepEqual(found("what did I ask about the parser last week and what was missing?"), [
    "last week",
  ]);
  assert.deepEqual(found("which questions failed in the past 3 days"), ["in the past 3 days"]);
  assert.deepEqual(found("what did I ask since yesterday"), ["since yesterday"]);
  assert.deepEqual(found("where is the week view of the calendar rendered"), []);
  assert.deepEqual(findTimes("since monday", NOW)[0]!.range, { since: day(11, 23) });
});
