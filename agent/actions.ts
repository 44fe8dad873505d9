/**
 * The closed table of actions: what a QueryMorph can do, and nothing else.
 *
 * Owns the schemas (lengths bounded, unknown keys refused) and what each action does. What must hold: nothing here writes;
 * an action never throws for what it was asked (an unknown path is an observation that names the nearest); paths reach memory or
 * `git` only after they were found in the index; text from files is returned, never interpreted.
 */
import { z } from "zod";
import { type Hit, isTestPath, type QuestionVector, withCorrections } from "../rag/mod.ts";
import type { ContextItem } from "./driver.ts";
import { historyOf, historyOfFile } from "./history.ts";
import type { MemoryPort } from "./memory_port.ts";
import { askTrail, type TrailPort } from "./past.ts";
import { type GraphPort, importersOf, referencesByGraph, referencesByName } from "./references.ts";
import { isCopy, roleOf } from "./roles.ts";
import { isText, referencesByText } from "./text_places.ts";

/** Longest query that an action takes; what is longer is no query but a document. */
export const LONGEST_QUERY = 1000;
/** Longest name that references are looked for: what is longer is a sentence or the title of a test. */
export const LONGEST_NAME = 200;
/** Chunks that one descent into a file returns: three descents fill the default context. */
const DESCENT_CHUNKS = 6;
/** Lines that one read returns: more is a file, not an exact place. */
const MOST_LINES = 160;
/** Share of the remaining time that resolving references may take: what comes after must still be done. */
const SHARE_OF_TIME = 0.6;

const path = z.string().max(1024).describe(
  "path relative to the repository, as observations show it",
);
const name = z.string().min(1).max(LONGEST_NAME).describe(
  "exact name of a definition, path of a file, or a text of several words, such as the message of an error",
);
const time = z.string().max(60).describe("2h, yesterday, last week, 2026-11-20").optional();
const line = z.int().min(1).max(10_000_000);

/** Gives a question the vector that memory searches by; undefined where the index has none. */
export type Embed = (question: string) => Promise<QuestionVector | undefined>;

/** What an action works on. */
export interface World {
  readonly memory: MemoryPort;
  /** Absolute path of the repository, for `git`. */
  readonly root: string;
  /** What retrieval looks for now; descent ranks the chunks of a file by it. */
  readonly query: string;
  readonly signal: AbortSignal | undefined;
  /** The symbol graph, where there is one. */
  readonly graph?: GraphPort | undefined;
  /** The vector of a question, where the index has vectors. */
  readonly vector?: Embed | undefined;
  /** The audit trail, where one is kept. */
  readonly trail?: TrailPort | undefined;
  /** The cycle that acts: it does not find itself in the trail. */
  readonly cycle?: string | undefined;
  /** Milliseconds left to the run. */
  readonly ms: number;
}

export interface Observation {
  readonly summary: string;
  readonly items: readonly ContextItem[];
}

const citation = z.strictObject({ path: path.min(1), start_line: line, end_line: line });

/** Arguments of every action. */
const SCHEMAS = {
  search: z.strictObject({
    query: z.string().min(1).max(LONGEST_QUERY),
    level: z.enum(["summaries", "chunks"]).default("chunks"),
    path: path.describe("only below this folder").optional(),
    k: z.int().min(1).max(50).default(10),
  }).describe(
    "Search the index: `summaries` of files and folders (level 1) or `chunks` of code and text",
  ),
  descend: z.strictObject({ path })
    .describe(
      "Go down one level: a folder gives its files and folders, a file its definitions and best chunks",
    ),
  read: z.strictObject({ path: path.min(1), start_line: line, end_line: line })
    .describe(`Read exact lines of a file, at most ${MOST_LINES} at once`),
  references: z.strictObject({
    name,
    resolve: z.boolean().default(false).describe(
      "have the compiler resolve it: exact, but slow the first time",
    ),
  }).describe(
    "Where a name is defined, called, imported, mentioned; which files import a file; where a text stands",
  ),
  history: z.strictObject({
    path: path.describe("the last commits that touched this file").default(""),
    query: z.string().max(LONGEST_QUERY).default("").describe(
      "without a path: words that commits and changelogs speak of; empty for the latest commits",
    ),
  }).describe("What changed when, and who changed it, by git and the changelog"),
  audit: z.strictObject({
    query: z.string().max(LONGEST_QUERY).default("").describe(
      "words of what was asked or done then; empty for the latest",
    ),
    since: time,
    until: time,
    only: z.enum(["all", "questions", "commands", "failed", "refused"]).default("all"),
    k: z.int().min(1).max(50).default(10),
  }).describe("Look into your own past: earlier questions, what they found, what was missing"),
  answer: z.strictObject({
    text: z.string().min(1).max(60_000).describe("the answer, with citations as path:start-end"),
    citations: z.array(citation).max(40).default([]),
  }).describe("Answer the question and end"),
};

/** Name of an action, `answer` among them. */
export type ActionName = keyof typeof SCHEMAS;
type Arguments<Name extends ActionName> = z.output<typeof SCHEMAS[Name]>;

const thought = z.string().max(2000).default("");
/** One thought and one action; the grammar of a model driver is made from this schema. */
export const STEP = z.discriminatedUnion("action", [
  z.strictObject({ thought, action: z.literal("search"), arguments: SCHEMAS.search }),
  z.strictObject({ thought, action: z.literal("descend"), arguments: SCHEMAS.descend }),
  z.strictObject({ thought, action: z.literal("read"), arguments: SCHEMAS.read }),
  z.strictObject({ thought, action: z.literal("references"), arguments: SCHEMAS.references }),
  z.strictObject({ thought, action: z.literal("history"), arguments: SCHEMAS.history }),
  z.strictObject({ thought, action: z.literal("audit"), arguments: SCHEMAS.audit }),
  z.strictObject({ thought, action: z.literal("answer"), arguments: SCHEMAS.answer }),
]);

/** A valid thought and action. */
export type Step = z.output<typeof STEP>;

/** The step in what a driver proposed, or what is wrong with it. */
export function parseStep(data: unknown): { step: Step } | { problems: string[] } {
  const parsed = STEP.safeParse(data);
  if (parsed.success) return { step: parsed.data };
  return {
    problems: parsed.error.issues.map((issue) =>
      `${issue.path.join(".") || "step"}: ${issue.message}`
    ),
  };
}

/** Equal for equal actions, whatever the thought. */
export function actionKey(step: { action: string; arguments: unknown }): string {
  return JSON.stringify(
    [step.action, step.arguments],
    (_key, value) =>
      value && typeof value === "object" && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  );
}

/** Does what the step says. Throws the signal's reason when the run was cancelled. */
export async function perform(
  step: Exclude<Step, { action: "answer" }>,
  world: World,
): Promise<Observation> {
  world.signal?.throwIfAborted();
  switch (step.action) {
    case "search":
      return await search(step.arguments, world);
    case "descend":
      return await descend(step.arguments, world);
    case "read":
      return read(step.arguments, world);
    case "references":
      return await references(step.arguments, world);
    case "history":
      return await history(step.arguments, world);
    case "audit":
      return await askTrail(step.arguments, world.trail, world.cycle);
  }
}

async function search(args: Arguments<"search">, world: World): Promise<Observation> {
  const { level, k } = args;
  const { memory } = world;
  const corrections = memory.misspellings(args.query);
  const query = withCorrections(args.query, corrections);
  const read = corrections.map(({ from, to }) => `read "${from}" as "${to}"; `).join("");
  const absent = memory.absent(query);
  const nowhere = absent.length ? `; nowhere in the index: ${absent.join(", ")}` : "";
  const words = [
    ...corrections.map((one) => ({ type: "spelling", ...one } as const)),
    ...absent.map((word) => ({ type: "absent", word } as const)),
  ];
  const folder = args.path?.replace(/^\.\//, "").replace(/\/+$/, "");
  if (level === "summaries") {
    const found = memory.summaries(query, folder ? { limit: k, path: folder } : { limit: k });
    return {
      summary: read +
        (found.length
          ? `${found.length} summaries: ${
            found.map((summary) => summary.path || "(workspace)").join(", ")
          }`
          : "no summary matches") +
        nowhere,
      items: [...words, ...found.map((summary) => ({ type: "summary", summary } as const))],
    };
  }
  const found = memory.search(query, {
    limit: k,
    ...(folder && { path: globBelow(folder, memory) }),
    vector: await world.vector?.(query),
  });
  return {
    summary: read +
      (found.length
        ? `${found.length} chunks: ${
          found.map((hit) =>
            `${hit.path}:${hit.startLine}-${hit.endLine}${hit.nodeName && ` ${hit.nodeName}`}`
          )
            .join(", ")
        }`
        : "nothing matches") +
      nowhere,
    items: [
      ...words,
      ...found.map((hit) => ({ type: "chunk", hit, query } as const)),
      ...outlinesOf(found, memory),
    ],
  };
}

/** The definitions that the chunks hold: signatures and doc comments, file by file. */
function outlinesOf(hits: readonly Hit[], memory: MemoryPort): ContextItem[] {
  return [...new Set(hits.map((hit) => hit.path))].flatMap((path) => {
    const inFile = hits.filter((hit) => hit.path === path);
    const entries = memory.outline(path).filter((entry) =>
      inFile.some((hit) => hit.startLine <= entry.endLine && entry.startLine <= hit.endLine)
    );
    return entries.length ? [{ type: "outline", path, entries } as const] : [];
  });
}

/** A folder means everything below it, a file itself; a glob stays one. */
function globBelow(path: string, memory: MemoryPort): string {
  if (memory.file(path)) return literalGlob(path);
  return /[*?{[]/.test(path) ? path : `${literalGlob(path)}/**`;
}

function literalGlob(path: string): string {
  return path.replace(/[\\*?{}[\]()!+@|]/g, "\\$&");
}

async function descend(args: Arguments<"descend">, world: World): Promise<Observation> {
  const { memory, query } = world;
  const asked = args.path.replace(/^\.\//, "").replace(/\/+$/, "");
  const found = resolvePath(asked, memory);
  if (!found) {
    const folder = resolveFolder(asked, memory);
    const module = folder === undefined ? resolveModule(asked, memory) : undefined;
    if (module !== undefined) return await descend({ path: module }, world);
    if (folder === undefined) return unknownPath(asked, memory);
    const children = memory.children(folder);
    const own = memory.summary(folder);
    return {
      summary: `${folder || "(workspace)"} holds ${children.map((child) => child.path).join(", ")}`,
      items: [...own ? [own] : [], ...children].map((summary) => ({ type: "summary", summary })),
    };
  }
  const entries = memory.outline(found);
  const best = query
    ? memory.search(query, {
      path: literalGlob(found),
      limit: DESCENT_CHUNKS,
      vector: await world.vector?.(query),
    })
    : [];
  const all = memory.chunks(found);
  // Chunks without a word of the query follow in the order of the file.
  const held = new Set(best.map((hit) => hit.oid));
  const hits = [
    ...best,
    ...all.filter((hit) => !held.has(hit.oid)).slice(0, DESCENT_CHUNKS - best.length),
  ];
  return {
    summary:
      `${found}: ${entries.length} definitions, ${hits.length} of ${all.length} chunks: lines ${
        hits.map((hit) => `${hit.startLine}-${hit.endLine}`).join(", ")
      }`,
    items: [
      { type: "outline", path: found, entries },
      ...hits.map((hit) => ({ type: "chunk", hit, query, within: found } as const)),
    ],
  };
}

/** The path itself, or the one path that ends with it. */
export function resolvePath(asked: string, memory: MemoryPort): string | undefined {
  if (!asked) return undefined;
  if (memory.file(asked)) return asked;
  const tail = memory.paths().filter((path) => path.endsWith(`/${asked}`));
  return tail.length === 1 ? tail[0] : undefined;
}

/** The folder itself, or the shallowest that ends with it; a package may be written with dots or colons. */
function resolveFolder(asked: string, memory: MemoryPort): string | undefined {
  if (memory.children(asked).length) return asked;
  if (!asked) return undefined;
  const lower = asked.toLowerCase();
  const tails = [lower, lower.replace(/(?<=\w)(?:\.|::|\\)(?=\w)/g, "/")];
  const folders = new Set<string>();
  for (const path of memory.paths()) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const folder = path.slice(0, at);
      const whole = folder.toLowerCase();
      if (tails.some((tail) => whole === tail || whole.endsWith(`/${tail}`))) folders.add(folder);
    }
  }
  const depth = (folder: string) =>
    folder.split("/").length + (isTestPath(`${folder}/x`) ? 100 : 0);
  return [...folders].sort((one, other) => depth(one) - depth(other) || (one < other ? -1 : 1))[0];
}

/** The source file that a module is called by: `lexer` for `src/lexer.rs`, a source before its header, the shallowest of several. */
function resolveModule(asked: string, memory: MemoryPort): string | undefined {
  const name = (/[\w-]+$/.exec(asked.replace(/\.\w{1,4}$/, ""))?.[0] ?? "").toLowerCase();
  if (!name) return undefined;
  const rank = (path: string) =>
    path.split("/").length + (/\.(?:h|hpp|d\.ts|pyi)$/.test(path) ? 0.5 : 0);
  return memory.paths().filter((path) =>
    roleOf(path) === "code" && !isCopy(path) &&
    path.slice(path.lastIndexOf("/") + 1).toLowerCase().replace(/\..*$/, "") === name
  ).sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1))[0];
}

function unknownPath(asked: string, memory: MemoryPort): Observation {
  const last = asked.slice(asked.lastIndexOf("/") + 1).toLowerCase();
  const near = last
    ? memory.paths().filter((path) => path.toLowerCase().includes(last)).slice(0, 5)
    : [];
  return {
    summary: `"${asked}" is not in the index${near.length ? `; nearest: ${near.join(", ")}` : ""}`,
    items: [],
  };
}

function read(args: Arguments<"read">, world: World): Observation {
  const asked = args.path.replace(/^\.\//, "");
  const found = resolvePath(asked, world.memory);
  const file = found === undefined ? undefined : world.memory.file(found);
  if (!file) return unknownPath(asked, world.memory);
  const lines = splitLines(file.text);
  const start = args.start_line;
  const wanted = Math.min(args.end_line, lines.length);
  const end = Math.min(wanted, start + MOST_LINES - 1);
  if (start > wanted) {
    return {
      summary: `${file.path}:${start}-${args.end_line} has no lines; the file has ${lines.length}`,
      items: [],
    };
  }
  const rest = wanted - end;
  return {
    summary: `${file.path}:${start}-${end}${rest ? `, ${rest} more lines follow` : ""}`,
    items: [{
      type: "lines",
      language: file.language,
      path: file.path,
      startLine: start,
      endLine: end,
      text: lines.slice(start - 1, end).join("\n"),
    }],
  };
}

/** Lines as editors count them: the end of the last line opens no further one. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.length > 1 && lines.at(-1) === "") lines.pop();
  return lines;
}

async function references(args: Arguments<"references">, world: World): Promise<Observation> {
  const { memory, graph, signal } = world;
  const file = resolvePath(args.name.replace(/^\.\//, ""), memory);
  if (file !== undefined) return importersOf(file, memory);
  if (isText(args.name)) return referencesByText(args.name, memory, signal);
  if (args.resolve && graph) {
    // The first time the compiler reads everything; what it does not finish in time is answered by name.
    const deadline = AbortSignal.timeout(Math.max(1, world.ms * SHARE_OF_TIME));
    try {
      const found = await referencesByGraph(
        args.name,
        memory,
        graph,
        signal ? AbortSignal.any([signal, deadline]) : deadline,
      );
      if (found) return found;
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.aborted) throw error;
    }
  }
  return referencesByName(args.name, memory, signal);
}

async function history(
  { path, query }: Arguments<"history">,
  { memory, root, signal }: World,
): Promise<Observation> {
  if (!path) return await historyOf(query, { memory, root, signal });
  const found = resolvePath(path.replace(/^\.\//, ""), memory);
  return found ? await historyOfFile(found, { memory, root, signal }) : unknownPath(path, memory);
}
