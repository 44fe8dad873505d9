/**
 * The part of the command table that is about the Composite Entropy Metric.
 *
 * Owns its contract; see `commands.ts` for what must hold. What the numbers mean is said in `audit/entropy.ts`.
 */
import { z } from "zod";
import { PARTS } from "../audit/entropy.ts";
import { ENTROPY_FIELDS, LEAST_WINDOW, MOST_WINDOW } from "../audit/entropy_settings.ts";
import { parseTime, TIME_FORMS } from "../audit/time_range.ts";
import { command, field, foundWhen, repo } from "./entry.ts";
import { committed } from "./image.ts";

const share = z.number().min(0).max(1);
/** A part, or the whole; null where it is not known. */
const value = share.nullable();

const growth = z.object({
  objects: z.int(),
  slots: field(z.int(), "Slots that hold data"),
  methods: z.int(),
  parents: z.int(),
});

const span = {
  cycles: field(z.int().min(0), "Questions in the window"),
  since: field(z.string(), "When the first of them ended, ISO 8601"),
  until: field(z.string(), "When the last of them ended"),
};

const settings = z.object({
  weight_cog: share,
  weight_sol: share,
  weight_struc: share,
  band_low: share,
  band_high: share,
  window: z.int(),
  growth_half: z.number(),
});

const part = field(
  z.object({
    name: z.enum(PARTS),
    value,
    weight: share,
    means: field(z.string(), "What it is"),
    said: field(z.string(), "What it came from, or why it is not known"),
  }),
  "A part of the sum",
);

const point = z.object({ ...span, value, cog: value, sol: value, struc: value });

/** A setting on a command line: as it is kept, but absent where it stays. */
const change = (name: keyof typeof ENTROPY_FIELDS, description: string, placeholder = "SHARE") =>
  field(ENTROPY_FIELDS[name].unwrap().optional(), description, { placeholder });

/** The entries, in the order of `--help`. */
export const entropyCommands = {
  cem: command({
    summary: "Show how varied the latest questions were",
    doc:
      "The Composite Entropy Metric: how evenly the facets of the personas were used (H_cog), how far new answers lie from earlier ones " +
      "(H_sol), how much the image grew (H_struc), weighed and added, from 0 to 1. It is meant to stay within a band: below it questions go " +
      "in circles, above it nothing is built upon. Taken over the latest questions that ended, against those before them.",
    examples: [
      ["cem", "the value, its band, its parts, the windows before"],
      ["cem --since monday", "of what was asked since then"],
      ["cem --json", "the same as JSON"],
      ["cem set --band-low 0.3", "where the band begins"],
    ],
    positionals: [],
    input: z.object({
      repo,
      since: field(
        z.string().refine((text) => parseTime(text, Date.now())?.since !== undefined, {
          error: `no time that is known here; write ${TIME_FORMS}`,
        }).optional(),
        "Of the questions since then, instead of the latest",
        { placeholder: "TIME" },
      ),
    }),
    result: z.object({
      value: field(value, "The metric; null where it is not known"),
      state: field(z.enum(["below", "within", "above", "unknown"]), "Where it lies by the band"),
      parts: z.array(part),
      window: field(
        z.object({
          ...span,
          before: field(z.int(), "Earlier questions that they are compared with"),
        })
          .nullable(),
        "The questions that it is of; null where there are too few",
      ),
      questions: field(z.int().min(0), "Questions of the whole trail that ended"),
      missing: field(z.int().min(0), "Questions that are wanting for a number"),
      facets: field(
        z.array(z.object({ facet: z.string(), uses: z.int().min(0) })),
        "How often each facet was used in the window",
      ),
      answers: field(
        z.object({
          compared: z.int(),
          repeated: field(z.int(), "Those that say the same as an earlier one"),
          embedder: z.string(),
        }).nullable(),
        "The answers of the window",
      ),
      growth: field(growth.nullable(), "What came into the image, less what went"),
      trend: field(z.array(point), "The windows before, oldest first, and this one"),
      said: field(z.array(z.string()), "What it means, in words"),
      settings,
      problems: field(z.array(z.string()), "What could not be used"),
    }),
    exit: foundWhen((result) => result.value !== null),
  }),

  cem_set: command({
    summary: "Change weights and band of the metric",
    doc:
      'What is not named stays. The settings are the object "cem" of the image: "image log cem" shows what they were, "image undo TID" takes ' +
      "a change back. The weights have to add up to 1.",
    examples: [
      ["cem set --weight-cog 0.5 --weight-sol 0.5 --weight-struc 0", "structure does not count"],
      ["cem set --band-low 0.3 --band-high 0.7", "a narrower band"],
      ["cem set --reset", "as they ship"],
    ],
    positionals: [],
    input: z.object({
      repo,
      weight_cog: change("weight_cog", "What the evenness of facets counts"),
      weight_sol: change("weight_sol", "What the novelty of answers counts"),
      weight_struc: change("weight_struc", "What the growth of the image counts"),
      band_low: change("band_low", "Where the band begins"),
      band_high: change("band_high", "Where it ends"),
      window: change("window", `Questions in a window, ${LEAST_WINDOW} to ${MOST_WINDOW}`, "N"),
      growth_half: change(
        "growth_half",
        "Elements that the image has to grow by in a window for H_struc 0.5",
        "N",
      ),
      reset: field(z.boolean().default(false), "Begin with what ships"),
    }).refine(
      ({ repo: _repo, reset, ...changes }) =>
        reset || Object.values(changes).some((value) => value !== undefined),
      {
        error: "nothing to set; name a setting, such as --band-low 0.3, or --reset",
      },
    ),
    result: z.object({ ...committed, settings }),
    exit: () => 0,
  }),
};
