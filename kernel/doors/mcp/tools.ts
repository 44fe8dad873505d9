/**
 * The tools that coding agents get: commands of the table, with answers made for a reader that pays by the token.
 *
 * Owns names, descriptions, what of a result is told, and the words that lead to the next call. Pure but for the handlers that it
 * calls through `run`. What must hold: input and output schemas come from the command table; every tool only reads; an answer keeps
 * to `max_tokens` and says what it left out; text and structured content say the same.
 */
import { z } from "zod";
import { counted } from "../../counted.ts";
import { TRAIL_LINE } from "../../audit/event.ts";
import { type CommandName, commands, type Input, type Result } from "../../commands.ts";
import { type Look, place } from "../look.ts";
import { excerpt, numbered, render } from "../render.ts";
import { colours } from "../terminal.ts";
import { charactersOf, fitLines, fitLists, type LeftOut } from "../fit.ts";

/** What is told of a result. */
export interface Told {
  /** For people and models: places as `path:start-end`. */
  readonly text: string;
  /** Satisfies the output schema of the tool. */
  readonly structured: Record<string, unknown>;
}

/** A tool, with its command's types erased. */
export interface Tool {
  readonly name: string;
  readonly command: CommandName;
  readonly title: string;
  readonly description: string;
  /** Arguments; unknown ones are ignored and told. */
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  /**
   * Calls it with arguments that its input schema gave.
   * @param run runs the command of the tool and gives its results
   */
  call(
    args: Record<string, unknown>,
    run: (input: Record<string, unknown>) => Promise<unknown[]>,
  ): Promise<Told>;
}

const PLAIN: Look = { colours: colours(false, () => undefined), columns: undefined, full: false };

/** Fewer tokens hold no answer; more than the most flood a context that has other things in it. */
const FEWEST_TOKENS = 200;
const MOST_TOKENS = 20_000;

/** Room for results that are lists of places: a screenful of the best ones. */
const LIST_TOKENS = 4_000;
/** Room for lines that were asked for by name: about 500 lines of code. */
const READ_TOKENS = 8_000;

function maxTokens(usual: number) {
  return z.int().min(FEWEST_TOKENS).max(MOST_TOKENS).default(usual)
    .describe("Most tokens of the answer; what finds no room is counted and named");
}

const leftOut = z.record(z.string(), z.int().min(1)).optional()
  .describe("How many entries of which list found no room");

/** Fields of a command's input or result. */
type Shape = Record<string, z.ZodType>;

/** Defines one tool with the exact types of its command. */
function tool<N extends CommandName, A extends Shape>(entry: {
  readonly name: string;
  readonly command: N;
  readonly title: string;
  readonly description: string;
  readonly input: A;
  readonly output: Shape;
  /** What the command gets beside the arguments that it knows. */
  readonly set?: Partial<Input<N>>;
  /** Given the first result, which most commands have alone, and all of them. */
  readonly tell: (
    result: Result<N>,
    args: z.output<z.ZodObject<A>>,
    results: readonly Result<N>[],
  ) => Told;
}): Tool {
  const { set, tell, ...rest } = entry;
  const known = Object.keys(commands[entry.command].input.shape);
  const output = z.object(entry.output);
  return {
    ...rest,
    input: z.object(entry.input),
    output,
    async call(args, run) {
      const own = Object.fromEntries(
        Object.entries(args).filter(([field]) => known.includes(field)),
      );
      const results = await run({ ...own, ...set }) as Result<N>[];
      const { text, structured } = tell(
        results[0]!,
        args as z.output<z.ZodObject<A>>,
        results,
      );
      // A client checks it against the schema, and takes no field more.
      return { text, structured: output.parse(structured) };
    },
  };
}

const { ask, audit, search, refs, impact, outline, read } = commands;

/** A hit as it is told: where, what, and the lines that matter. */
const hit = search.result.shape.results.element.pick({
  path: true,
  start_line: true,
  end_line: true,
  node_type: true,
  node_name: true,
}).extend({ text: z.string().describe("The lines that say most, with their numbers") });

/** An event of the audit trail as it is told. */
const event = TRAIL_LINE.pick({ timestamp: true, cycle_id: true, event_type: true, status: true })
  .extend({ text: z.string().describe("What happened, in a line") });

/** The tools, in the order in which an agent meets them. */
export const tools: readonly Tool[] = [
  tool({
    name: "search",
    command: "search",
    title: "Search the code",
    description:
      "Find code by meaning or by name, best first, over the whole repository (code and docs). Use it before grep or " +
      "reading files whenever you do not know exactly where something is: a sentence, an identifier, an error " +
      "message all work. Every result is path:start-end with the lines that matter. Use grep only for every occurrence of an exact string.",
    input: {
      query: search.input.shape.query.unwrap().describe(
        "What to look for: a sentence in plain words, a name, a message",
      ),
      limit: search.input.shape.limit,
      path: search.input.shape.path,
      lang: search.input.shape.lang,
      kind: search.input.shape.kind,
      symbol: search.input.shape.symbol,
      max_tokens: maxTokens(LIST_TOKENS),
    },
    output: { query: z.string(), results: z.array(hit), left_out: leftOut },
    tell({ query, results }, { max_tokens, path, lang, kind, symbol }) {
      const told = results.map(({ path, start_line, end_line, node_type, node_name, text }) => ({
        path,
        start_line,
        end_line,
        node_type,
        node_name,
        text: excerpt(text, start_line, query, PLAIN),
      }));
      const cut = fitLists({ query, results: told }, ["results"], charactersOf(max_tokens));
      const blocks = cut.result.results.map((one) =>
        `${place(one)}  ${one.node_type} ${one.node_name}`.trimEnd() + `\n${one.text}`
      );
      const rest = told.slice(blocks.length).map(place);
      if (rest.length > 0) blocks.push(`Also: ${rest.join(", ")}`);
      if (blocks.length === 0) {
        const filtered = path ?? lang ?? kind ?? symbol;
        return {
          text: `Nothing found for "${query}". ` +
            (filtered === undefined ? "Try other words for it." : "Try it without filters."),
          structured: { query, results: [] },
        };
      }
      return { text: blocks.join("\n\n"), structured: account(cut) };
    },
  }),

  tool({
    name: "read",
    command: "read",
    title: "Read lines",
    description:
      "Read lines of a file with their numbers: path:start-end from any result here, or a whole file. Cheaper than " +
      "reading whole files: take the range that search, outline or references named.",
    input: { place: read.input.shape.place, max_tokens: maxTokens(READ_TOKENS) },
    output: {
      ...read.result.shape,
      more: z.string().optional().describe("Place to read next, where not all lines found room"),
    },
    tell(result, { max_tokens }) {
      const shown = fitLines(result.text, charactersOf(max_tokens));
      const end = result.start_line + Math.max(shown.lines, 1) - 1;
      const isCut = shown.text.length < result.text.length;
      const more = isCut && end < result.end_line
        ? `${result.path}:${end + 1}-${result.end_line}`
        : undefined;
      const note = {
        verified: "",
        stale: "  (changed since it was read into the index)",
        unindexed: "  (not in the index)",
      }[result.status];
      const told = { ...result, end_line: isCut ? end : result.end_line, text: shown.text };
      const lines = [
        `${place(told)}${note}`,
        numbered(shown.text, result.start_line, PLAIN),
      ];
      if (isCut && shown.lines === 0) {
        lines.push(`… ${result.text.length - shown.text.length} more characters on and after it`);
      }
      if (more !== undefined) lines.push(`Next: read ${more}`);
      return {
        text: lines.join("\n"),
        structured: more === undefined ? told : { ...told, more },
      };
    },
  }),

  tool({
    name: "outline",
    command: "outline",
    title: "Outline a file",
    description:
      "List what a file defines, in order, with line ranges and signatures, and what the file is for. Use it before " +
      "reading a long file, then read only the range you need.",
    input: { path: outline.input.shape.path, max_tokens: maxTokens(LIST_TOKENS) },
    output: {
      ...outline.result.shape,
      definitions: z.array(outline.result.shape.definitions.element.omit({ doc: true })),
      left_out: leftOut,
    },
    tell(result, { max_tokens }) {
      const definitions = result.definitions.map((each) => ({ ...each, doc: "" }));
      const cut = fitLists({ ...result, definitions }, ["definitions"], charactersOf(max_tokens));
      const structured = {
        ...account(cut),
        definitions: cut.result.definitions.map(({ doc: _, ...each }) => each),
      };
      return { text: render("outline", cut.result, PLAIN).trimEnd() + missing(cut), structured };
    },
  }),

  tool({
    name: "references",
    command: "refs",
    title: "Find definitions and uses",
    description:
      "Show where a symbol is defined, every line that uses it, who calls it, what it uses, which files import it, " +
      "which types extend or implement it, which members override it (certain, or likely by name). " +
      "TypeScript and JavaScript are resolved by the compiler (aliases and re-exports included, same names elsewhere " +
      "excluded), other languages by name and scope, Python and Java by types as well; `possible` are lines that may use it. Use it instead of grep before renaming or changing a function.",
    input: {
      target: refs.input.shape.target,
      transitive: refs.input.shape.transitive,
      max_tokens: maxTokens(LIST_TOKENS),
    },
    output: { ...refs.result.shape, left_out: leftOut },
    tell(result, { max_tokens }) {
      const cut = fitLists(
        result,
        ["references", "subtypes", "callers", "callees", "importers", "possible", "definitions"],
        charactersOf(max_tokens),
      );
      return {
        text: render("refs", cut.result, PLAIN).trimEnd() + nearNames(result) + missing(cut),
        structured: account(cut),
      };
    },
  }),

  tool({
    name: "impact",
    command: "impact",
    title: "What a change may break",
    description:
      "Show which files may break when these symbols or files change, nearest first, and which test files cover " +
      "them. Use it before an edit to know its reach, and after it to know which tests to run.",
    input: { targets: impact.input.shape.targets, max_tokens: maxTokens(LIST_TOKENS) },
    output: { ...impact.result.shape, left_out: leftOut },
    tell(result, { max_tokens }) {
      const cut = fitLists(
        result,
        ["affected", "definitions", "tests", "benchmarks"],
        charactersOf(max_tokens),
      );
      return {
        text: render("impact", cut.result, PLAIN).trimEnd() + nearNames(result) + missing(cut),
        structured: account(cut),
      };
    },
  }),

  tool({
    name: "ask",
    command: "ask",
    title: "Ask about the code",
    description:
      "Answer a question about this codebase in one call, with citations that were checked against the files on " +
      "disk. Use it for how and why questions that span files; use search for one place.",
    input: {
      question: ask.input.shape.question,
      continue: ask.input.shape.continue.describe(
        "Whether it goes on with your last question here",
      ),
    },
    output: {
      answer: ask.result.shape.answer,
      citations: ask.result.shape.citations,
      driver: ask.result.shape.driver,
      found: ask.result.shape.found,
      ended: ask.result.shape.ended,
    },
    set: { refresh: false },
    tell(result) {
      const { answer, citations, driver, found, ended } = result;
      return {
        text: render("ask", result, PLAIN).trimEnd() +
          (ended === undefined ? "" : `\n\n(It ended early: ${ended}.)`),
        structured: { answer, citations, driver, found, ...(ended !== undefined && { ended }) },
      };
    },
  }),

  tool({
    name: "audit",
    command: "audit",
    title: "What was asked here before",
    description:
      "List what was asked and done in this workspace, latest first: questions, searches, answers with their " +
      "citations, failures. Use it to see what an earlier session already found out. In words: ask about it.",
    input: {
      since: audit.input.shape.since,
      until: audit.input.shape.until,
      type: audit.input.shape.type,
      cycle: audit.input.shape.cycle,
      limit: audit.input.shape.limit,
      max_tokens: maxTokens(LIST_TOKENS),
    },
    output: { events: z.array(event), left_out: leftOut },
    tell(_result, { max_tokens }, results) {
      const events = results.flatMap((each) => {
        if (!("event_type" in each)) return [];
        const { timestamp, cycle_id, event_type, status } = each;
        const text = render("audit", each, PLAIN).trim();
        return [{ timestamp, cycle_id, event_type, status, text }];
      }).reverse();
      const cut = fitLists({ events }, ["events"], charactersOf(max_tokens));
      const lines = cut.result.events.map(({ text }) => text);
      return {
        text: lines.length === 0 ? "Nothing of that is recorded." : lines.join("\n") + missing(cut),
        structured: account(cut),
      };
    },
  }),
];

/** What a name that is not there may have meant. */
function nearNames({ suggestions }: { readonly suggestions: readonly string[] }): string {
  return suggestions.length === 0 ? "" : `\nNear names: ${suggestions.join(", ")}`;
}

/** A cut result with the account of what was left out, where something was. */
function account<R extends object>(
  { result, leftOut }: { result: R; leftOut: LeftOut },
): R & { left_out?: LeftOut } {
  return Object.keys(leftOut).length === 0 ? result : { ...result, left_out: leftOut };
}

/** The same as a line of text. */
function missing({ leftOut }: { leftOut: LeftOut }): string {
  const parts = Object.entries(leftOut).map(([list, n]) => `${n} more of ${list}`);
  return parts.length === 0 ? "" : `\n… ${parts.join(", ")}; a higher max_tokens shows them`;
}

/** Hints of the command table that mean nothing outside a command line. */
const HINTS = ["placeholder", "short", "words", "off"];

/**
 * JSON Schema as agents read it: draft 7 without its address, which every validator knows; no hints for command lines, no bounds
 * that only say that integers are finite.
 */
export function schemaOf(schema: z.ZodObject, io: "input" | "output"): { type: "object" } {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    target: "draft-7",
    override({ jsonSchema }) {
      const fields = jsonSchema as Record<string, unknown>;
      for (const hint of HINTS) delete fields[hint];
      if (fields.maximum === Number.MAX_SAFE_INTEGER) delete fields.maximum;
      if (fields.minimum === Number.MIN_SAFE_INTEGER) delete fields.minimum;
    },
  });
  return json as { type: "object" };
}

/** "3 tools" for messages. */
export function toolNames(): string {
  return `${counted(tools.length, "tool")}: ${tools.map(({ name }) => name).join(", ")}`;
}
