/**
 * The plan of a mission: the questions that it is answered by.
 *
 * Owns the schema of a plan and the one that rules make. Pure. What must hold: a plan has at least one question and no more than the budget
 * has steps for; what a model proposes is data, and becomes a plan only when it fits the schema.
 */
import { z } from "zod";
import { parseQuestion } from "./question.ts";

/** Steps that an answer to one question needs: look at summaries, search, look into a file, answer. */
const STEPS_OF_A_PART = 4;
/** More questions at once are a conversation. */
const MOST_PARTS = 4;
const LONGEST_PART = 300;

const subQuestion = z.strictObject({
  question: z.string().trim().min(3).max(LONGEST_PART),
  facet: z.enum(["ground"]).default("ground").describe(
    "who looks: BABS, in the code and the trail",
  ),
});

/** A plan, as BRICK is asked for it. */
export const PLAN = z.strictObject({
  sub_questions: z.array(subQuestion).min(1).max(MOST_PARTS),
});

/** One question of a plan, and the facet of a persona that does it. */
export type SubQuestion = Readonly<z.output<typeof subQuestion>>;

/** The questions of a mission. */
export interface Plan {
  readonly sub_questions: readonly SubQuestion[];
  /** Who made it: rules, or a model's name. */
  readonly by: string;
}

/** How many questions a budget of steps has room for. */
export function partsWithin(steps: number): number {
  return Math.max(1, Math.min(MOST_PARTS, Math.floor(steps / STEPS_OF_A_PART)));
}

/** The plan that rules make: several questions where several are asked, else the question itself. */
export function planByRules(question: string, steps: number): Plan {
  const asked =
    question.match(/[^?!.]+[?]+/g)?.map((part) => part.trim().replace(/^(and|also)\b[\s,]*/i, ""))
      .filter((part) => parseQuestion(part).terms.length > 0) ?? [];
  const isSeveral = asked.length > 1 && asked.length <= partsWithin(steps) &&
    asked.every((part) => part.length <= LONGEST_PART) &&
    asked.join("").length * 1.2 > question.length;
  return {
    sub_questions: (isSeveral ? asked : [question]).map((one) => ({
      question: one,
      facet: "ground",
    })),
    by: "rules",
  };
}

/** Whether a question may be several in one, so that it is worth a model's thought to take it apart. */
export function mayBeSeveral(question: string): boolean {
  const words = question.split(/\s+/).length;
  return words > 14 &&
    /\b(and|then|versus|compared?|difference|as well as|both)\b|[;?].+\?/i.test(question);
}

/** The plan in what a model wrote; undefined where there is none that can be used. */
export function planOf(written: unknown, by: string, steps: number): Plan | undefined {
  const parsed = PLAN.safeParse(written);
  if (!parsed.success) return undefined;
  const seen = new Set<string>();
  const fresh = parsed.data.sub_questions.filter(({ question }) => {
    const key = parseQuestion(question).terms.join(" ");
    return key !== "" && !seen.has(key) && seen.add(key);
  }).slice(0, partsWithin(steps));
  return fresh.length === 0 ? undefined : { sub_questions: fresh, by };
}
