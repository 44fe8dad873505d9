/**
 * The part of the command table that is about the audit trail.
 *
 * Owns its contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { TRAIL_LINE } from "../audit/event.ts";
import { parseTime, TIME_FORMS } from "../audit/time_range.ts";
import { command, field, foundWhen, line, repo } from "./entry.ts";

const time = z.string().refine((text) => parseTime(text, Date.now()) !== undefined, {
  error: `no time that is known here; write ${TIME_FORMS}`,
}).optional();

/** What `audit --verify` ends with. */
const verdict = z.object({
  whole: field(z.boolean(), "Whether every line is the one that was written, in its place"),
  verified: field(z.int().min(0), "Lines that were proved to be so"),
  files: field(z.array(z.string()), "Files of the trail, oldest first"),
  broken: field(
    z.object({ file: z.string(), line, reason: z.string() }).optional(),
    "The first line that breaks the chain; lines are numbered over all files",
  ),
});

const measure = z.object({
  name: z.enum(["tokens", "steps", "latency_ms", "failures"]),
  unit: z.enum(["tokens", "steps", "ms", "share"]),
  now: field(
    z.number().nullable(),
    "Median of the window, or the share of it; null where nothing can be compared",
  ),
  before: field(z.number().nullable(), "The same of the baseline"),
  change: field(
    z.enum(["same", "more", "less", "unknown"]),
    "Whether it differs by more than chance, and by enough to notice",
  ),
  slow: field(
    z.enum(["none", "rising", "falling"]),
    "Whether it goes one way from window to window",
  ),
  course: field(z.array(z.number()), "The windows, oldest first, and this one"),
});

/** The entries, in the order of `--help`. */
export const auditCommands = {
  audit: command({
    summary: "Show what was asked and done here, and what came of it",
    doc:
      "Reads the audit trail (.batos/metacognition.jsonl and its earlier parts): the latest events that fit, oldest first. " +
      'To ask about it in words, use ask: "what did I ask about the parser last week?".',
    examples: [
      ["audit", "the latest events"],
      ["audit --since yesterday --type ANSWER", "answers since then"],
      ["audit --cycle 6c2f5f0e", "everything about one question, by the beginning of its id"],
      ["audit --follow", "go on as events come, until Ctrl-C"],
      ["audit --verify", "whether anything was changed, taken out or moved"],
    ],
    positionals: [],
    input: z.object({
      repo,
      follow: field(z.boolean().default(false), "Go on as events come, until Ctrl-C"),
      cycle: field(
        z.string().regex(/^[0-9a-fA-F-]{1,36}$/, { error: "expected a UUID or its beginning" })
          .optional(),
        "Only this question or command",
        { placeholder: "ID" },
      ),
      since: field(time, "Not before: 2h, yesterday, last week, 2026-11-20", {
        placeholder: "TIME",
      }),
      until: field(time, "Not after: as --since", { placeholder: "TIME" }),
      type: field(z.string().min(1).optional(), "Only this type of event, such as ANSWER", {
        placeholder: "TYPE",
      }),
      limit: field(
        z.int().min(1).max(1_000_000).optional(),
        "How many events at most (default: 50, or all of a cycle)",
        { placeholder: "N" },
      ),
      verify: field(z.boolean().default(false), "Check the hash chain of the whole trail instead"),
    }).refine((input) => !(input.follow && input.verify), {
      error: "give either --follow or --verify",
    }),
    result: z.union([TRAIL_LINE, verdict]),
    exit: (results) =>
      results.length === 0
        ? 1
        : results.some((result) => "whole" in result && !result.whole)
        ? 2
        : 0,
  }),

  drift: command({
    summary: "Show whether questions cost or fail more than before",
    doc:
      "Tokens, steps, time and failures of the latest questions that ended, beside those before them that the same driver answered. A change " +
      "is told where chance does not explain it and it is large enough to notice; a slow drift, where window after window goes one way.",
    examples: [
      ["drift", "the last 50 questions beside those before"],
      ["drift --window 20", "the last 20"],
      ["drift --json", "the same as JSON"],
    ],
    positionals: [],
    input: z.object({
      repo,
      window: field(z.int().min(5).max(500).default(50), "Questions in a window", {
        placeholder: "N",
      }),
    }),
    result: z.object({
      window: field(
        z.object({ cycles: z.int(), since: z.string(), until: z.string() }).nullable(),
        "The questions that are looked at; null where there are too few",
      ),
      baseline: field(
        z.object({
          cycles: field(z.int(), "Questions before them"),
          alike: field(z.int(), "Those that the same driver answered"),
        }).nullable(),
        "What they are compared with",
      ),
      drivers: field(z.array(z.string()), "What answered the questions of the window"),
      missing: field(z.int().min(0), "Questions that are wanting"),
      measures: z.array(measure),
      said: field(z.array(z.string()), "What it means, in words"),
    }),
    exit: foundWhen((result) => result.window !== null),
  }),
};
