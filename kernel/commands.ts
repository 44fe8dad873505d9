/**
 * The closed command table: every command that any door serves, with its input schema, result schema, documentation
 * and exit rule.
 *
 * Owns the contract with tools outside: the field names of the results are wire format and change only with a major
 * version. The entries stand in `table/`, one file a part of the program. Owns no behaviour: handlers are functions handed in by
 * `main.ts`. What must hold:
 * - a door knows commands only from this table; there is no command that a door adds on its own;
 * - input is validated once, at the door, by `command.input`; handlers get parsed values;
 * - every value that a handler yields satisfies `command.result`;
 * - a name with an underscore is a verb of a group: `model_pull` is `batos model pull` on a command line.
 */
import { z } from "zod";
import { adapterCommands } from "./table/adapters.ts";
import { auditCommands } from "./table/audit.ts";
import { codeCommands } from "./table/code.ts";
import { conversationCommands } from "./table/conversations.ts";
import { entropyCommands } from "./table/entropy.ts";
import { imageCommands } from "./table/image.ts";
import { keyCommands } from "./table/keys.ts";
import { mcpCommands } from "./table/mcp.ts";
import { modelCommands } from "./table/models.ts";
import { serviceCommands } from "./table/service.ts";

export type { ExitCode } from "./table/entry.ts";

/** The table. Order is the order of `--help`. */
export const commands = {
  ...codeCommands,
  ...conversationCommands,
  ...imageCommands,
  ...auditCommands,
  ...entropyCommands,
  ...serviceCommands,
  ...keyCommands,
  ...mcpCommands,
  ...modelCommands,
  ...adapterCommands,
} as const;

/** One line for each group of commands, as the list of commands shows it. */
export const groups: Readonly<Record<string, string>> = {
  conversation: "What questions go on with",
  image: "The living image: objects, messages, transactions",
  key: "Clients elsewhere, and whom the kernel admits",
  model: "Models on this machine",
  adapter: "LoRA adapters for models",
};

/** The words that name a command on a command line: `["model", "pull"]`. */
export function wordsOf(name: string): string[] {
  const at = name.indexOf("_");
  return at < 0 ? [name] : [name.slice(0, at), name.slice(at + 1).replaceAll("_", "-")];
}

/** Names of the table. */
export type CommandName = keyof typeof commands;

/** Parsed input of a command. */
export type Input<N extends CommandName> = z.output<(typeof commands)[N]["input"]>;

/** One result of a command; most yield exactly one. */
export type Result<N extends CommandName> = Immutable<z.output<(typeof commands)[N]["result"]>>;

type Immutable<T> = T extends readonly (infer E)[] ? readonly Immutable<E>[]
  : T extends object ? { readonly [K in keyof T]: Immutable<T[K]> }
  : T;

/** Something to tell whoever waits. It is never data. */
export interface Progress {
  /** What is being done, for example `ingesting`. Empty for a note that stands on its own. */
  readonly phase: string;
  readonly done?: number;
  readonly total?: number;
  /** What it is being done to right now, for example a path. */
  readonly detail?: string;
  /** True for a line that has to stay visible, such as a warning. */
  readonly note?: boolean;
  /** A step that has just ended, for doors that show more than a line. */
  readonly step?: StepProgress;
  /**
   * A piece of the answer while it is written. Its citations were checked; pieces put together are what the answer begins with, and once
   * all have come, its text.
   */
  readonly text?: string;
  /** True with a `text` that begins anew: what came before it is void. */
  readonly restart?: boolean;
  /**
   * True with a `text` of one of the parts that a question was taken into. The answer is made of them when all are there, and its first piece begins
   * anew: who cannot take back what was said leaves them out.
   */
  readonly part?: boolean;
}

/** One step on the way to an answer: what was thought, done, seen. */
export interface StepProgress {
  readonly thought: string;
  readonly action: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly observation: string;
}

/** What a handler gets beside its input. */
export interface HandlerContext {
  readonly progress: (progress: Progress) => void;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** Asks the person who gave the command; absent where nobody can be asked. */
  readonly confirm?: (question: string) => Promise<boolean>;
  /** Folder from which relative paths are meant; the current folder of the process where there is none. */
  readonly folder?: string;
  /** The conversation that this caller's questions belong to where none is named; that of the workspace's command lines without a terminal where there is none. */
  readonly conversation?: string;
}

/** One function for every command. `main.ts` hands them in. */
export type Handlers = {
  readonly [N in CommandName]: (
    input: Input<N>,
    context: HandlerContext,
  ) => Promise<Result<N>> | AsyncIterable<Result<N>>;
};

/** A refusal that is meant to be read: one line, no stack trace. Anything else that a handler throws is treated alike. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** JSON Schema (draft 2020-12) of what a command takes. */
export function inputSchema(name: CommandName): Record<string, unknown> {
  return z.toJSONSchema(commands[name].input, { io: "input" });
}

/** JSON Schema (draft 2020-12) of one result of a command. */
export function resultSchema(name: CommandName): Record<string, unknown> {
  return z.toJSONSchema(commands[name].result);
}
