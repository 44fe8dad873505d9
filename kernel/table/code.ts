/**
 * The part of the command table that reads code: ask, search, refs, impact, outline, tree, read, ingest, status, doctor.
 *
 * Owns their contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { command, field, foundWhen, line, queryText, repo } from "./entry.ts";

const problem = z.object({ path: z.string(), line: line.optional(), reason: z.string() });

/** What `ingest` ends with. */
const ingestReport = z.object({
  files: field(z.int().min(0), "Files in the index afterwards"),
  chunks: field(z.int().min(0), "Chunks in the index afterwards"),
  skipped: field(z.int().min(0), "Files that were left out"),
  problems: field(z.array(problem), "What went wrong without losing a file"),
  ms: field(z.number().min(0), "Milliseconds that the run took"),
  changed: field(z.int().min(0), "Files read and stored by this run"),
  removed: field(z.int().min(0), "Files dropped because they vanished or are excluded now"),
});

/** One line of `ingest --dry-run`: a file, and the reason when it is left out. */
const ingestEntry = z.object({ path: z.string(), reason: z.string().optional() });

const searchResult = z.object({
  path: z.string(),
  start_line: line,
  end_line: line,
  score: z.number(),
  node_type: z.string(),
  node_name: z.string(),
  text: z.string(),
});

const citation = z.object({
  path: z.string(),
  start_line: line,
  end_line: line,
  status: field(
    z.enum(["verified", "stale", "removed"]),
    "verified: the lines on disk are those that were read; stale: they have changed since; removed: they do not exist",
  ),
  moved_to: field(
    z.object({ start_line: line, end_line: line }).optional(),
    "Where the cited lines stand now, when they moved",
  ),
});

/** One round of the loop: what was thought, done, seen. */
const step = z.object({
  thought: z.string(),
  action: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  observation: z.string(),
  tokens: z.int().min(0),
  ms: z.number().min(0),
  replaced: field(
    z.string().optional(),
    "Why the deterministic policy acted in place of the model",
  ),
});

/** Something that was offered to the prompt. */
const manifestEntry = z.object({
  label: z.string(),
  tokens: z.int().min(0),
  cut: field(z.int().min(1).optional(), "Lines cut from its end"),
});

const definition = z.object({
  path: z.string(),
  start_line: line,
  end_line: line,
  name: z.string(),
  kind: z.string(),
  container: field(z.array(z.string()), "Names of the enclosing scopes, outermost first"),
});

/** Who found an edge: the compiler, or a comparison of names and scopes. */
const resolution = z.enum(["compiler", "name"]);

const reference = z.object({
  path: z.string(),
  line,
  kind: z.enum(["import", "reexport", "call", "type", "extends", "implements", "read", "write"]),
  resolution,
  likely: field(z.literal(true).optional(), "By name, and nothing else here has that name"),
  text: field(z.string(), "The line, without the blanks around it"),
});

/** A type built on the target, or a member that overrides it. */
const subtype = definition.extend({
  relation: z.enum(["extends", "implements", "overrides"]),
  of: field(z.string(), "What it is directly built on, or overrides"),
  distance: field(z.int().min(1), "Steps from the target"),
  certainty: field(
    z.enum(["certain", "likely"]),
    "Likely: several types share the name, or only the names of methods say so",
  ),
  clause: field(
    z.object({ path: z.string(), line }).optional(),
    "Where a type says so; absent where its shape does",
  ),
});

const suggestions = field(z.array(z.string()), "Near names, where there is no such definition");
const reason = field(z.string().optional(), "Why a place PATH:LINE leads to nothing");

const outlineEntry = definition.extend({
  exported: z.boolean(),
  signature: z.string(),
  doc: z.string(),
});

const recorded = field(z.boolean().default(true), "Note this in the audit trail", {
  off: "Leave no record in the audit trail",
});

const summary = z.object({
  path: field(z.string(), "Empty for the workspace"),
  level: z.enum(["workspace", "folder", "file"]),
  text: field(z.string(), "A few lines: what it is for, what it exports"),
});

/** Names of conversations: short, so that a list of them can be read; no blanks at the ends, which nobody sees. */
const CONVERSATION_NAME = /^(?! )[^\p{C}\p{Zl}\p{Zp}]{1,80}(?<! )$/u;

/** The entries, in the order of `--help`. */
export const codeCommands = {
  ask: command({
    summary: "Answer a question about the code, with checked citations",
    doc:
      "Reads summaries first, then the chunks below them, then exact lines. Ingests the workspace when it has " +
      "no index yet, and takes changed files in first. Every citation is checked against the file on disk. A model " +
      "reasons where one was chosen (`model use`); models run under `deno task with-models ask …`.",
    examples: [
      ['ask "How does the router match a path with parameters?"', "an answer with its sources"],
      ['ask "Where is the retry limit set?" --json', "the answer and every step as JSON"],
      ['ask --continue "and where is that tested?"', "goes on with the last question"],
      [
        'ask --conversation retries "and who calls it?"',
        "goes on with a conversation of that name",
      ],
      [
        'ask "What happens on a timeout?" --model llama:./MODEL.gguf',
        "by a model",
      ],
    ],
    positionals: ["question"],
    input: z.object({
      question: field(queryText, "What to answer", { placeholder: "QUESTION", words: true }),
      repo,
      refresh: field(z.boolean().default(true), "Take in changed files first", {
        off: "Answer from the index as it is",
      }),
      continue: field(z.boolean().default(false), "Go on with the last question"),
      conversation: field(
        z.string().regex(CONVERSATION_NAME, {
          error:
            "expected 1 to 80 characters, none of them a control character, no blanks at the ends",
        }).optional(),
        "Go on with the conversation of this name, or begin it",
        { placeholder: "NAME" },
      ),
      model: field(
        z.string().min(1).max(4096).optional(),
        "What reasons, this time: llama:REFERENCE, openai:URL#MODEL, extractive",
        { placeholder: "NAME" },
      ),
      steps: field(
        z.int().min(1).max(1000).optional(),
        "Most steps before the answer (default: 12)",
        { placeholder: "N" },
      ),
      tokens: field(
        z.int().min(100).max(1_000_000).optional(),
        "Most tokens of context for the answer (default: 6000)",
        { placeholder: "N" },
      ),
      seconds: field(
        z.int().min(1).max(86_400).optional(),
        "Most time for the answer (default: 30, with a model 300)",
        { placeholder: "N" },
      ),
      audit: recorded,
    }),
    result: z.object({
      question: z.string(),
      answer: z.string(),
      citations: z.array(citation),
      driver: field(z.string(), "What reasoned: `extractive` when there was no model"),
      meant: field(
        z.string().optional(),
        "What a question that goes on with another was taken to mean",
      ),
      plan: field(
        z.object({
          sub_questions: z.array(z.object({ question: z.string(), facet: z.string() })),
          by: field(z.string(), "`rules`, or the model's name"),
        }),
        "The questions that it was answered by",
      ),
      states: field(
        z.array(z.object({ state: z.string(), at: z.number(), ms: z.number() })),
        "States of the cycle, in milliseconds",
      ),
      oid: field(z.int().min(0), "The cycle as an object of the image"),
      steps: field(z.array(step), "The trajectory, one entry an action"),
      tokens: field(z.int().min(0), "Tokens of everything that was read for the answer"),
      cycle_id: z.string(),
      found: field(z.boolean(), "Whether anything was found to cite"),
      ended: field(z.string().optional(), "Why the run ended before it had an answer of its own"),
      model: field(
        z.object({
          name: z.string(),
          calls: z.int().min(0),
          tokens_in: field(z.int().min(0), "Of all prompts"),
          tokens_reused: field(z.int().min(0), "Of those, what had not to be read again"),
          tokens_out: z.int().min(0),
        }).optional(),
        "What the calls of the model came to",
      ),
      context: z.object({
        included: field(z.array(manifestEntry), "What the answer was made from"),
        left_out: field(z.array(manifestEntry), "What found no room in the budget, in order"),
      }),
    }),
    exit: foundWhen((result) => result.found),
  }),

  search: command({
    summary: "Find the chunks of code that match a query, best first",
    doc:
      "Takes names, words or a sentence. Reads the index as it is: it ingests first only when there is no index " +
      "yet, and says so when a file that it shows has changed since. Use --refresh to take changes in first.",
    examples: [
      ["search parse query string", "the ten best chunks"],
      ['search "retry with backoff" -k 3 --path "src/**"', "three results below src/"],
      ["search Router --kind class --lang typescript", "classes only"],
      ["search --queries queries.txt --json", "one line of JSON a query"],
    ],
    positionals: ["query"],
    input: z.object({
      query: field(queryText.optional(), "What to look for", { placeholder: "QUERY", words: true }),
      repo,
      limit: field(z.int().min(1).max(1000).default(10), "How many results at most", {
        placeholder: "N",
        short: "k",
      }),
      path: field(z.string().min(1).optional(), "Only paths that match", { placeholder: "GLOB" }),
      lang: field(z.string().min(1).optional(), "Only this language", { placeholder: "LANGUAGE" }),
      kind: field(
        z.string().min(1).optional(),
        "Only this kind of syntax node: class, function, …",
        {
          placeholder: "KIND",
        },
      ),
      symbol: field(z.string().min(1).optional(), "Only chunks that define this name", {
        placeholder: "NAME",
      }),
      files: field(z.boolean().default(false), "One result a file"),
      queries: field(
        z.string().min(1).optional(),
        "Read one query a line from a file, `-` for stdin",
        {
          placeholder: "FILE",
          local: true,
        },
      ),
      refresh: field(z.boolean().default(false), "Take in changed files first"),
      audit: recorded,
    }).refine((input) => (input.query === undefined) !== (input.queries === undefined), {
      error: "give either QUERY or --queries FILE",
    }),
    result: z.object({ query: z.string(), results: z.array(searchResult) }),
    exit: foundWhen((result) => result.results.length > 0),
  }),

  refs: command({
    summary: "Show where a symbol is defined and every place that uses it",
    doc:
      "Takes a name or a place. Edges of TypeScript and JavaScript are resolved as the compiler resolves them; " +
      "those of other languages by name and scope, in Python and Java by what the text says about types as well.",
    examples: [
      ["refs parseQuery", "definitions, importers, callers"],
      ["refs src/router.ts:42", "the symbol at that line"],
      ["refs Shape --transitive", "also what is built on what is built on it"],
    ],
    positionals: ["target"],
    input: z.object({
      target: field(queryText, "A name, or PATH:LINE", { placeholder: "NAME|PATH:LINE" }),
      transitive: field(
        z.boolean().default(false),
        "List subtypes and overrides of subtypes too, not only those one step away",
      ),
      repo,
    }),
    result: z.object({
      target: z.string(),
      definitions: z.array(definition),
      references: field(z.array(reference), "One entry a line of code"),
      possible: field(
        z.array(reference),
        "Lines that may use it: the type of what stands before the name is not known, or is a base type",
      ),
      literals: field(
        z.array(z.object({ path: z.string(), line })),
        "Lines that name it only as a string in an indexed access type: a rename has to change them",
      ),
      subtypes: field(
        z.array(subtype),
        "Types built on it (extends, implements), members that override it, nearest first",
      ),
      callers: field(z.array(definition), "The definitions around the references"),
      callees: field(z.array(definition), "What the definitions use"),
      importers: field(
        z.array(z.object({ path: z.string(), line })),
        "Files that import a file of the definitions",
      ),
      suggestions,
      reason,
    }),
    exit: foundWhen((result) => result.definitions.length + result.references.length > 0),
  }),

  impact: command({
    summary: "Show what a change may break, and the tests that cover it",
    doc: "Follows references backwards from symbols or files.",
    examples: [
      ["impact parseQuery", "what depends on a symbol"],
      ["impact src/router.ts src/route.ts", "what depends on two files"],
    ],
    positionals: ["targets"],
    input: z.object({
      targets: field(z.array(queryText).min(1), "Names or paths", { placeholder: "SYMBOL|FILE" }),
      repo,
    }),
    result: z.object({
      targets: z.array(z.string()),
      definitions: z.array(definition),
      affected: field(
        z.array(z.object({
          path: z.string(),
          distance: field(z.int().min(1), "Steps from the change: 1 uses it directly"),
          lines: field(z.array(line), "Where it uses what is one step nearer"),
          via: field(z.array(z.string()), "Names through which the change arrives"),
          symbols: field(z.array(definition), "Definitions of the file that depend on the change"),
          resolution,
        })),
        "Files that may break, nearest first",
      ),
      tests: field(z.array(z.string()), "Test files among the affected, nearest first"),
      benchmarks: field(z.array(z.string()), "Benchmarks among the affected, which are no tests"),
      suggestions,
      reason,
    }),
    exit: foundWhen((result) => result.definitions.length + result.affected.length > 0),
  }),

  outline: command({
    summary: "List what a file defines",
    doc: "Definitions of an indexed file in order, with their signatures and doc comments.",
    examples: [["outline src/router.ts", "its classes, functions and types"]],
    positionals: ["path"],
    input: z.object({
      path: field(z.string().min(1), "An indexed file", { placeholder: "PATH" }),
      repo,
    }),
    result: z.object({
      path: z.string(),
      language: z.string(),
      lines: z.int().min(0),
      summary: z.string(),
      definitions: z.array(outlineEntry),
    }),
    exit: () => 0,
  }),

  tree: command({
    summary: "Show the summary of a folder or file, and what is below it",
    doc:
      "From the workspace down to single files; made from doc comments, exports and README heads.",
    examples: [
      ["tree", "what the workspace is, and its folders"],
      ["tree src", "one folder"],
    ],
    positionals: ["path"],
    input: z.object({
      path: field(z.string().default(""), "A folder or file (default: the workspace)", {
        placeholder: "PATH",
      }),
      repo,
    }),
    result: summary.extend({
      children: field(z.array(summary), "One level below, in order of their paths"),
    }),
    exit: () => 0,
  }),

  read: command({
    summary: "Show lines of a file of the workspace",
    doc: "Reads the file on disk and says whether it is still the one in the index.",
    examples: [
      ["read src/router.ts:10-40", "lines 10 to 40"],
      ["read src/router.ts:10", "one line"],
      ["read src/router.ts", "the whole file"],
    ],
    positionals: ["place"],
    input: z.object({
      place: field(z.string().min(1), "A file, a line, or lines of it", {
        placeholder: "PATH:START-END",
      }),
      repo,
    }),
    result: z.object({
      path: z.string(),
      start_line: line,
      end_line: line,
      status: field(
        z.enum(["verified", "stale", "unindexed"]),
        "How the file on disk compares with the index",
      ),
      text: z.string(),
    }),
    exit: () => 0,
  }),

  ingest: command({
    summary: "Read the workspace into the index",
    doc:
      "Takes in what git and .batosignore leave: changed files only, unless --rebuild. It can be interrupted " +
      "at any moment and continued. With PATH only those files and folders are looked at.",
    examples: [
      ["ingest", "the workspace around the current folder"],
      ["ingest --dry-run", "which files, and why others are left out"],
      ["ingest src docs/guide.md", "only what is below these"],
      ["ingest --watch", "go on as files change, until Ctrl-C"],
      ["ingest --rebuild --embedder transformers:OWNER/MODEL", "vectors by a model of your own"],
    ],
    positionals: ["paths"],
    input: z.object({
      paths: field(z.array(z.string().min(1)).default([]), "Files or folders to look at", {
        placeholder: "PATH",
      }),
      repo,
      root: field(
        z.string().min(1).optional(),
        "Limit the workspace to a subfolder; paths stay relative to the repository",
        { placeholder: "SUBDIR" },
      ),
      embedder: field(
        z.string().min(1).optional(),
        "What makes vectors, from now on: static (ships), none, transformers:OWNER/MODEL, llama:OWNER/MODEL/FILE.gguf",
        { placeholder: "NAME" },
      ),
      dry_run: field(z.boolean().default(false), "List files with reasons, write nothing"),
      rebuild: field(z.boolean().default(false), "Throw the index away and build it anew"),
      watch: field(z.boolean().default(false), "Go on as files change, until Ctrl-C", {
        local: true,
      }),
      wait: field(z.int().min(0).max(86_400).default(60), "Seconds to wait for another writer", {
        placeholder: "SECONDS",
      }),
    }),
    result: z.union([ingestReport, ingestEntry]),
    exit: () => 0,
  }),

  status: command({
    summary: "Show what the index holds and how fresh it is",
    doc:
      "`stale` counts files that are new, changed or gone since ingest; `fingerprint` is a hash of the derived " +
      "content, so that a rebuild ends with the same.",
    examples: [["status", "figures of the workspace around the current folder"]],
    positionals: [],
    input: z.object({ repo }),
    result: z.object({
      files: z.int().min(0),
      chunks: z.int().min(0),
      edges: z.int().min(0),
      vectors: z.int().min(0),
      summaries: z.int().min(0),
      index_bytes: z.int().min(0),
      source_bytes: z.int().min(0),
      embedder: field(z.string().nullable(), "Whose vectors are stored"),
      vectors_state: field(
        z.enum(["none", "partial", "complete"]),
        "Searches use vectors when they are complete",
      ),
      fingerprint: z.string(),
      stale: z.int().min(0),
      languages: field(z.record(z.string(), z.int().min(0)), "Files of each language"),
      image: field(
        z.object({
          objects: z.int().min(0),
          transactions: z.int().min(0),
          bytes: field(z.int().min(0), "Of all revisions and blobs"),
        }).nullable(),
        "The living image; null where there is none",
      ),
    }),
    exit: () => 0,
  }),

  doctor: command({
    summary: "Check that everything batos needs is there and sound",
    doc:
      "Looks at the runtime, git, the parsers, the workspace, its lock, the index and the image; says what to do about what " +
      "is wrong.",
    examples: [["doctor", "one line a check"]],
    positionals: [],
    input: z.object({ repo }),
    result: z.object({
      checks: z.array(z.object({
        name: z.string(),
        status: z.enum(["ok", "warning", "failure"]),
        detail: z.string(),
        remedy: z.string().optional(),
      })),
    }),
    exit: (results) => results.some((r) => r.checks.some((c) => c.status === "failure")) ? 2 : 0,
  }),
} as const;
