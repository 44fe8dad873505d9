/**
 * What the Composite Entropy Metric is weighed with, and between which values it is at home.
 *
 * Owns what each setting may be and what all of them together; `entropy_object.ts` owns where they are kept. Pure, and light, since the
 * command table is made of it.
 */
import { z } from "zod";
import { PARTS } from "./entropy.ts";

/** Shortest window: fewer questions say nothing of a habit. */
export const LEAST_WINDOW = 5;
/** Longest window: each answer in it is compared with up to a thousand. */
export const MOST_WINDOW = 500;
/** Weights are decimal fractions, and those have no exact sum in floating point. */
const ROUNDING = 1e-9;

const share = z.number().min(0).max(1);

/** What each slot may hold, and what it holds when nobody changed it. */
export const ENTROPY_FIELDS = {
  // Facets and answers move with every question; structure stands still for weeks in which only questions are asked.
  weight_cog: share.default(0.4),
  weight_sol: share.default(0.4),
  weight_struc: share.default(0.2),
  // Of questions about the sources of batos: four of them over and over came to 0.20, forty different ones to 0.38, with every third in
  // two parts to 0.53. Past the upper end facets, answers and structure are all new at once.
  band_low: share.default(0.25),
  band_high: share.default(0.75),
  // Some days of one person's questions.
  window: z.int().min(LEAST_WINDOW).max(MOST_WINDOW).default(50),
  // One prototype with half a dozen slots and methods.
  growth_half: z.number().min(1).max(100_000).default(10),
} as const;

/** Settings that belong together. */
export const ENTROPY_SETTINGS = z.object(ENTROPY_FIELDS).check(({ value, issues }) => {
  const { weight_cog, weight_sol, weight_struc, band_low, band_high } = value;
  const sum = weight_cog + weight_sol + weight_struc;
  if (Math.abs(sum - 1) > ROUNDING) {
    const weights = PARTS.map((part) => `${part} ${value[`weight_${part}`]}`).join(", ");
    issues.push({
      code: "custom",
      input: value,
      message: `the weights ${weights} add up to ${rounded(sum)}; they have to add up to 1`,
    });
  }
  if (band_low >= band_high) {
    issues.push({
      code: "custom",
      input: value,
      message:
        `the band ${band_low} to ${band_high} is empty; its lower end has to be the lower one`,
    });
  }
});

/** Settings, as they are used. */
export type EntropySettings = z.output<typeof ENTROPY_SETTINGS>;

/** What they are when nobody changed them. */
export const DEFAULT_ENTROPY: EntropySettings = ENTROPY_SETTINGS.parse({});

/** What is wrong with settings, in one line. */
export function problemOf(error: z.ZodError): string {
  const { path, message } = error.issues[0]!;
  return path.length === 0 ? message : `${path.join(".")}: ${message}`;
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
