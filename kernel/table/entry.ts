/**
 * What an entry of the command table is made of, and the fields that many entries share.
 *
 * Owns the form of an entry; the entries themselves stand beside this file, one file a part of the program, and `commands.ts` puts
 * them together. Pure. What must hold: every field of an input has a description, since `--help` and other programs read it.
 */
import { z } from "zod";

/** How a run ended, and the exit code of the command line: found or done, nothing found, error. */
export type ExitCode = 0 | 1 | 2;

/** How a field of an input is written on a command line. Doors other than the command line ignore it. */
export interface FieldHint extends Record<string, unknown> {
  /** Placeholder of a positional argument, or of the value of a flag. */
  readonly placeholder?: string;
  /** Single letter for a short flag. */
  readonly short?: string;
  /** True where several words on a command line are one value. */
  readonly words?: boolean;
  /** Documentation of the `--no-…` flag of a field that is true by default. */
  readonly off?: string;
  /** True for what names something of the caller's own process, such as its folders: doors other than the command line do not take it. */
  readonly local?: boolean;
}

/** Attaches documentation and the command-line hint to a field. */
export function field<S extends z.ZodType>(
  schema: S,
  description: string,
  hint: FieldHint = {},
): S {
  return schema.meta({ description, ...hint }) as S;
}

/** Every command takes the repository to work on. */
export const repo = field(
  z.string().min(1).optional(),
  "Repository to work on (default: the workspace around the current folder)",
  { placeholder: "DIR", local: true },
);

/** Longest query or question, in UTF-16 units: far above what a person types, low enough to stay harmless. */
const MAX_QUERY = 1_000_000;

/** Text of a question or a query: something must be in it. */
export const queryText = z.string().max(MAX_QUERY, {
  error: (issue) =>
    `it has ${String(issue.input).length} characters, at most ${MAX_QUERY} are allowed`,
}).refine((text) => text.trim() !== "", "it is empty, give a name or a few words");

/** A line of a file, 1-based. */
export const line = z.int().min(1);

/** Defines one entry and keeps its exact types. */
export function command<I extends z.ZodObject, R extends z.ZodType>(entry: {
  /** One line for the list of commands. */
  readonly summary: string;
  /** A few sentences for `--help` and for tools that read the table. */
  readonly doc: string;
  /** Command lines without the program name, each with what it does. */
  readonly examples: readonly (readonly [line: string, effect: string])[];
  /** Names of the input fields that are positional on a command line, in order. */
  readonly positionals: readonly string[];
  /**
   * True for what only a command line can do: it takes over a terminal, or opens a door itself. Other doors do not serve it.
   */
  readonly local?: boolean;
  /** True for what runs until it is told to end: a signal is no interruption of it, and the exit code is that of its results. */
  readonly untilStopped?: boolean;
  readonly input: I;
  readonly result: R;
  /** Exit code of a run that yielded these results and did not throw. */
  readonly exit: (results: readonly z.output<R>[]) => ExitCode;
}) {
  return entry;
}

/** 0 when any result satisfies the condition, 1 otherwise. */
export function foundWhen<R>(
  condition: (result: R) => boolean,
): (results: readonly R[]) => ExitCode {
  return (results) => results.some(condition) ? 0 : 1;
}
