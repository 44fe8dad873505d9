/**
 * The token governor: budgets, and the prompt that never goes over its budget.
 *
 * Owns the limits of a run and the order in which context is dropped. Does no I/O. What must hold: the text of
 * `assemblePrompt_withBudget` counts at most its budget, for any counter that does not shrink when text is added; every part
 * handed in is either whole in the text, or cut with a line that says how much is missing, or listed as left out.
 */
import { counted } from "../kernel/mod.ts";

/** Size of a text in tokens. */
export type TokenCounter = (text: string) => number;

/** Limits of one run. */
export interface Budget {
  /** Context that is put before the model, or quoted from when there is none. */
  readonly tokens: number;
  /** Length of the answer. */
  readonly answerTokens: number;
  /** Rounds of the loop. */
  readonly steps: number;
  /** Wall-clock time in milliseconds. */
  readonly ms: number;
}

/**
 * 6,000 tokens of context and 900 of answer fit an 8k model with room for instructions; twelve steps are two rounds of summaries,
 * search, descent, reading; thirty seconds is as long as one waits without looking away.
 */
export const DEFAULT_BUDGET: Budget = { tokens: 6000, answerTokens: 900, steps: 12, ms: 30_000 };

/** Summaries may take this share while chunks wait: the big picture must not crowd out the evidence. */
const SUMMARY_SHARE = 0.25;
/** A part is cut to fit only if this many of its lines remain; fewer say nothing. */
const FEWEST_LINES = 3;

/** Something to put into a prompt. */
export interface Part {
  /** Says where it comes from, for example `mux.go:10-42`; stands above the text and in the manifest. */
  readonly label: string;
  readonly text: string;
}

export interface ManifestEntry {
  readonly label: string;
  /** Size with its label, as it went in or would have gone in. */
  readonly tokens: number;
  /** Lines cut from its end; absent when it is whole. */
  readonly cut?: number;
}

/** A prompt's context and the account of it. */
export interface Prompt {
  readonly text: string;
  readonly tokens: number;
  readonly included: readonly ManifestEntry[];
  /** What found no room, in the order it was offered. */
  readonly leftOut: readonly ManifestEntry[];
}

/** A fence longer than any run of backticks inside: quoted text cannot end its own quotation. */
export function fenceFor(text: string): string {
  let longest = 0;
  for (const run of text.matchAll(/`+/g)) longest = Math.max(longest, run[0].length);
  return "`".repeat(Math.max(3, longest + 1));
}

function renderPart(part: Part): string {
  const fence = fenceFor(part.text);
  // A name of a file may hold line ends: it must not become a line of its own.
  return `${part.label.replace(/\p{Cc}+/gu, " ")}\n${fence}\n${
    part.text.replace(/\n$/, "")
  }\n${fence}\n`;
}

/** "… 1 more line", "… 34 more lines". */
export function moreLines(lines: number): string {
  return `… ${counted(lines, "more line")}`;
}

/**
 * The longest beginning of `text` in whole lines that `fits`, with a last line that says how many are missing.
 * Undefined when fewer than `fewest` lines would remain.
 */
export function cutLines(
  text: string,
  fits: (text: string) => boolean,
  fewest = 1,
): { text: string; cut: number } | undefined {
  const lines = text.replace(/\n$/, "").split("\n");
  const upTo = (kept: number) =>
    [...lines.slice(0, kept), moreLines(lines.length - kept)].join("\n");
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fits(upTo(middle))) low = middle;
    else high = middle - 1;
  }
  if (low < fewest || !fits(upTo(low))) return undefined;
  return { text: upTo(low), cut: lines.length - low };
}

/**
 * The context of a prompt: summaries first (the big picture), then chunks in the order given, until the budget is full.
 * The first chunk that does not fit is cut at a line when enough of it fits; what follows is left out and listed.
 */
export function assemblePrompt_withBudget(
  summaries: readonly Part[],
  chunks: readonly Part[],
  budget: number,
  count: TokenCounter,
): Prompt {
  const placed: { order: number; text: string; entry: ManifestEntry }[] = [];
  const missing: { order: number; entry: ManifestEntry }[] = [];
  let order = 0;
  let used = 0;
  const offerAll = (offered: readonly Part[], limit: number) => {
    let full = false;
    for (const part of offered) {
      const fits = (text: string) => used + count(renderPart({ ...part, text })) <= limit;
      const isWhole: boolean = !full && fits(part.text);
      const shorter = full || isWhole ? undefined : cutLines(part.text, fits, FEWEST_LINES);
      full ||= !isWhole;
      const text = renderPart(shorter ? { ...part, text: shorter.text } : part);
      const entry: ManifestEntry = {
        label: part.label,
        tokens: count(text),
        ...(shorter && { cut: shorter.cut }),
      };
      if (isWhole || shorter) {
        used += entry.tokens;
        placed.push({ order, text, entry });
      } else missing.push({ order, entry });
      order++;
    }
  };
  offerAll(summaries, chunks.length ? Math.floor(budget * SUMMARY_SHARE) : budget);
  offerAll(chunks, budget);
  // Tokens of a whole can exceed the sum of its parts by a little where they meet; the whole is what must fit.
  const whole = () => placed.map((part) => part.text).join("\n");
  let text = whole();
  while (placed.length && count(text) > budget) {
    missing.push(placed.pop()!);
    text = whole();
  }
  missing.sort((one, other) => one.order - other.order);
  return {
    text,
    tokens: placed.length ? count(text) : 0,
    included: placed.map((part) => part.entry),
    leftOut: missing.map((part) => part.entry),
  };
}

/** Keeps the clock and the step count of one run. */
export class Governor {
  readonly budget: Budget;
  readonly count: TokenCounter;
  #started = performance.now();
  #steps = 0;

  /** Throws RangeError when a limit is not a positive number. */
  constructor(budget: Partial<Budget>, count: TokenCounter) {
    const given = Object.entries(budget).filter(([, value]) => value !== undefined);
    this.budget = { ...DEFAULT_BUDGET, ...Object.fromEntries(given) };
    this.count = count;
    for (const [name, value] of Object.entries(this.budget)) {
      if (!(value > 0)) throw new RangeError(`budget ${name}: "${value}" is not a number above 0`);
    }
  }

  get remaining(): { steps: number; ms: number } {
    return {
      steps: this.budget.steps - this.#steps,
      ms: this.budget.ms - (performance.now() - this.#started),
    };
  }

  /** Which limit is spent, or undefined. */
  spent(): "steps" | "ms" | undefined {
    const { steps, ms } = this.remaining;
    return steps <= 0 ? "steps" : ms <= 0 ? "ms" : undefined;
  }

  step(): void {
    this.#steps++;
  }

  assemble(summaries: readonly Part[], chunks: readonly Part[]): Prompt {
    return assemblePrompt_withBudget(summaries, chunks, this.budget.tokens, this.count);
  }

  /** An answer within its budget; what is cut says so. */
  fitAnswer(text: string): string {
    const fits = (shorter: string) => this.count(shorter) <= this.budget.answerTokens;
    if (fits(text)) return text;
    const shorter = cutLines(text, fits, 1);
    if (shorter) return shorter.text;
    // Not even the first line fits: it is cut at a character.
    const upTo = (kept: number) => `${text.slice(0, kept)}… ${text.length - kept} more characters`;
    let low = 0;
    let high = text.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (fits(upTo(middle))) low = middle;
      else high = middle - 1;
    }
    return upTo(low);
  }
}
