/**
 * The command line as a door: words in, a command of the table run, text or JSON and an exit code out.
 *
 * Owns how the table looks as flags and arguments, and nothing of what commands do. What must hold:
 * - data on stdout, everything else on stderr; with --json every line of stdout is one JSON value;
 * - an error is one line `batos: …` and exit code 2; a stack trace appears only with BATOS_DEBUG=1;
 * - a closed pipe ends the work without a word; an interrupt ends it cleanly with the code of its signal.
 */
import { resolve } from "node:path";
import { Command, CommanderError, Option } from "commander";
import {
  CommandError,
  type CommandName,
  commands,
  type ExitCode,
  groups,
  type Handlers,
  type Input,
  inputSchema,
  type Result,
  wordsOf,
} from "../commands.ts";
import { findWorkspace } from "../workspace.ts";
import { oneLine } from "./one_line.ts";
import { render } from "./render.ts";
import { each } from "./results.ts";
import {
  colours,
  COLUMNS,
  fileLinks,
  Interruption,
  processStreams,
  ProgressLine,
  type Streams,
} from "./terminal.ts";

/** What `runCommandLine` needs beside words and handlers. */
export interface CommandLineOptions {
  readonly version: string;
  /** The streams of the process by default. */
  readonly streams?: Streams;
  /** Aborts the command; by default Ctrl-C does. */
  readonly signal?: AbortSignal;
}

/**
 * Runs one command line.
 *
 * @param words the arguments behind the program name
 * @returns the exit code: 0 found or done, 1 nothing found, 2 error, 128 + n ended by signal n. Never rejects.
 */
export async function runCommandLine(
  words: readonly string[],
  handlers: Handlers,
  options: CommandLineOptions,
): Promise<number> {
  const streams = options.streams ?? processStreams();
  let text = "";
  let request: Request | undefined;
  const program = buildProgram(
    words,
    options.version,
    (chunk) => text += chunk,
    (found) => request = found,
  );
  try {
    await program.parseAsync(words.length === 0 ? ["--help"] : [...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) {
      return refuse(error, streams, spokenOf(words));
    }
  }
  try {
    if (text !== "") await streams.out(text);
    return request === undefined ? 0 : await run(request, handlers, streams, options.signal);
  } catch (error) {
    return error instanceof Deno.errors.BrokenPipe ? 0 : refuse(error, streams);
  }
}

/** A command line, understood. */
interface Request<N extends CommandName = CommandName> {
  readonly name: N;
  readonly input: Input<N>;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly full: boolean;
}

async function run<N extends CommandName>(
  request: Request<N>,
  handlers: Handlers,
  streams: Streams,
  outerSignal: AbortSignal | undefined,
): Promise<number> {
  const { name, json } = request;
  using interruption = outerSignal === undefined ? new Interruption() : undefined;
  const signal = interruption?.signal ?? outerSignal!;
  const line = new ProgressLine(streams, {
    quiet: request.quiet,
    draft: !json && streams.outIsTerminal,
  });
  const look = {
    colours: colours(streams.outIsTerminal, streams.env),
    columns: streams.outIsTerminal ? streams.columns : undefined,
    full: request.full,
    link: fileLinks(streams.outIsTerminal, streams.env, rootOf(request.input)),
  };
  const results: Result<N>[] = [];
  try {
    const outcome = handlers[name](request.input, {
      progress: (progress) => line.show(progress),
      signal,
      conversation: streams.terminal,
      confirm: streams.ask && ((question) => {
        line.clear();
        return streams.ask!(question, signal);
      }),
    });
    for await (const result of each(outcome)) {
      line.clear();
      const separator = !json && name === "search" && results.length > 0 ? "\n" : "";
      await streams.out(
        json ? `${JSON.stringify(result)}\n` : separator + render(name, result, look),
      );
      results.push(result);
    }
    const exit = commands[name].exit as (results: readonly Result<N>[]) => ExitCode;
    const interrupted = commands[name].untilStopped === true ? undefined : interruption?.exitCode;
    return interrupted ?? exit(results);
  } catch (error) {
    line.clear();
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    if (signal.aborted) {
      if (!request.quiet) streams.err(`batos: ${spoken(name)}: interrupted\n`);
      return interruption?.exitCode ?? 130;
    }
    return refuse(error, streams, spoken(name));
  } finally {
    line.clear();
  }
}

/** What the paths of results are relative to. */
function rootOf({ repo }: { readonly repo?: string }): string {
  return repo === undefined ? findWorkspace(Deno.cwd()).root : resolve(repo);
}

/** Flags of every command that are the door's own and no part of an input. */
interface DoorFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly full?: boolean;
}

/** The JSON Schema of one input field, with the hints of the table. */
interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly placeholder?: string;
  readonly short?: string;
  readonly words?: boolean;
  readonly off?: string;
}

function buildProgram(
  words: readonly string[],
  version: string,
  print: (text: string) => void,
  found: (request: Request) => void,
): Command {
  const program = new Command("batos");
  const output = {
    writeOut: print,
    writeErr: () => {}, // errors arrive as exceptions
    getOutHelpWidth: () => COLUMNS,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  };
  program
    .description("Ask your own codebase, privately. Answers come with citations that are checked.")
    .version(`batos ${version}`, "-V, --version", "Print the version")
    .helpOption("-h, --help", "Show help")
    .helpCommand("help [command]", "Show help for a command")
    .configureOutput(output)
    .exitOverride()
    .enablePositionalOptions()
    .addHelpText(
      "after",
      '\nRun "batos <command> --help" for flags and examples.\nExit codes: 0 found or done, 1 nothing found, 2 error.',
    );
  addDoorFlags(program, true);
  program.addOption(new Option("--repo <DIR>").hideHelp());
  program.usage("[options] <command>");
  // The help of a command needs its flags, and so does running it; the other commands only have to be known.
  const wanted = new Set(words);
  const known = new Map<string, Command>();
  const add = (parent: Command, word: string, summary: string): Command => {
    const sub = new Command(word).configureOutput(output).exitOverride().summary(summary)
      .helpOption("-h, --help", "Show help").enablePositionalOptions();
    parent.addCommand(sub);
    return sub;
  };
  for (const name of Object.keys(commands) as CommandName[]) {
    const [word = "", verb] = wordsOf(name);
    let sub = known.get(word);
    if (sub === undefined) {
      known.set(word, sub = add(program, word, groups[word] ?? commands[name].summary));
      // A group that is no command of its own lists its verbs.
      if (verb !== undefined) sub.description(groups[word] ?? "").helpCommand(false);
    }
    if (!wanted.has(word)) continue;
    if (verb !== undefined) sub = add(sub, verb, commands[name].summary);
    if (verb === undefined || wanted.has(verb) || wanted.has("help")) {
      buildCommand(sub, name, program, found);
    }
  }
  return program;
}

/** A command as people write it. */
function spoken(name: CommandName): string {
  return wordsOf(name).join(" ");
}

/** The command that these words begin with, as people write it; of a group its name. */
function spokenOf(words: readonly string[]): string | undefined {
  const [first, second] = words.filter((word) => !word.startsWith("-"));
  const names = (Object.keys(commands) as CommandName[]).map(spoken);
  return [`${first} ${second}`, first].find((name) =>
    name !== undefined && names.some((each) => each === name || each.startsWith(`${name} `))
  );
}

function addDoorFlags(command: Command, hidden: boolean): void {
  command.addOption(new Option("--json", "Write one JSON value a line").hideHelp(hidden));
  command.addOption(
    new Option("-q, --quiet", "No progress and no notes on stderr").hideHelp(hidden),
  );
}

function buildCommand(
  sub: Command,
  name: CommandName,
  program: Command,
  found: (request: Request) => void,
): void {
  const { doc, examples, positionals, input } = commands[name];
  const schema = inputSchema(name) as {
    properties: Record<string, FieldSchema>;
    required?: string[];
  };
  const spelling = new Map<string, string>(); // field to how it is written, for messages
  const flags: [field: string, option: Option][] = [];
  for (const field of positionals) {
    const { type, placeholder = field.toUpperCase(), words, description = "" } = schema
      .properties[field]!;
    const rest = type === "array" || words === true ? "..." : "";
    const required = schema.required?.includes(field);
    sub.argument(required ? `<${placeholder}${rest}>` : `[${placeholder}${rest}]`, description);
    spelling.set(field, placeholder);
  }
  for (const [field, property] of Object.entries(schema.properties)) {
    if ((positionals as readonly string[]).includes(field)) continue;
    const option = flagOption(field, property);
    flags.push([field, option]);
    spelling.set(field, option.long!);
    sub.addOption(option);
  }
  addDoorFlags(sub, false);
  if (name === "search") sub.option("--full", "Show chunks whole, not an excerpt");
  sub.description(doc);
  sub.addHelpText("after", () => {
    const width = Math.max(...examples.map(([example]) => example.length)) + "batos ".length;
    const lines = examples.map(([example, effect]) => {
      const line = `  ${`batos ${example}`.padEnd(width)}  ${effect}`;
      return line.length <= COLUMNS ? line : `  batos ${example}\n      ${effect}`;
    });
    return `\nExamples:\n${lines.join("\n")}`;
  });
  sub.action(() => {
    const given: Record<string, unknown> = {};
    positionals.forEach((field, index) => {
      const value: unknown = sub.processedArgs[index];
      const joined = schema.properties[field]!.words === true && Array.isArray(value);
      if (joined && value.length === 0) return; // left out
      given[field] = joined ? value.join(" ") : value;
    });
    // A group may be a command itself, with flags of its own before the verb.
    const group = sub.parent === program ? {} : sub.parent?.opts();
    const options = { ...program.opts(), ...group, ...sub.opts() } as
      & Record<string, unknown>
      & DoorFlags;
    for (const [field, option] of flags) {
      const value = options[option.attributeName()];
      if (value !== undefined) {
        given[field] = isNumeric(schema.properties[field]!) ? toNumber(value) : value;
      }
    }
    const parsed = input.safeParse(given);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      const field = String(issue.path[0] ?? "");
      throw new CommandError(explain(issue.message, field, given[field], schema, spelling));
    }
    found({
      name,
      input: parsed.data as Input<CommandName>,
      json: options.json === true,
      quiet: options.quiet === true,
      full: options.full === true,
    });
  });
}

function flagOption(field: string, property: FieldSchema): Option {
  const long = field.replaceAll("_", "-");
  const description = property.description ?? "";
  if (property.type === "boolean") {
    return property.default === true
      ? new Option(`--no-${long}`, property.off ?? `Not: ${description}`)
      : new Option(`--${long}`, description);
  }
  const short = property.short === undefined ? "" : `-${property.short}, `;
  const suffix = property.default === undefined ? "" : ` (default: ${String(property.default)})`;
  return new Option(`${short}--${long} <${property.placeholder ?? "VALUE"}>`, description + suffix);
}

function isNumeric(property: FieldSchema): boolean {
  return property.type === "integer" || property.type === "number";
}

function toNumber(value: unknown): unknown {
  return typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))
    ? Number(value)
    : value;
}

function explain(
  message: string,
  field: string,
  value: unknown,
  schema: { properties: Record<string, FieldSchema> },
  spelling: Map<string, string>,
): string {
  const property = schema.properties[field];
  if (property === undefined) return message;
  const name = spelling.get(field) ?? field;
  if (isNumeric(property)) {
    const { minimum, maximum } = property;
    return `${name} "${
      shorten(String(value))
    }": expected a whole number from ${minimum} to ${maximum}`;
  }
  const shown = typeof value === "string" && value.trim() !== "" ? ` "${shorten(value)}"` : "";
  return `${name}${shown}: ${message.startsWith("Too small") ? "it is empty" : message}`;
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}

/** Reports an error as one line and gives the exit code for it. */
function refuse(error: unknown, streams: Streams, name?: string): 2 {
  const where = name === undefined ? "" : `${name}: `;
  const line = error instanceof CommanderError ? explainUsage(error, name) : oneLine(error);
  streams.err(`batos: ${where}${line}\n`);
  if (streams.env("BATOS_DEBUG") === "1") {
    streams.err(`${error instanceof Error ? error.stack : String(error)}\n`);
  }
  return 2;
}

/** Says commander's refusals in the house form. */
function explainUsage(error: CommanderError, name: string | undefined): string {
  const message = error.message.replace(/^error: /, "").replace(/\. Expected/, ": expected")
    .replace(/\.$/, "");
  const [what = "", hint] = message.split(/\n\(Did you mean (?:one of )?(.*?)\??\)/s);
  return hint === undefined
    ? `${what}; "batos ${name === undefined ? "" : `${name} `}--help" shows what there is`
    : `${what}; did you mean ${hint.replace(/\?$/, "")}?`;
}
