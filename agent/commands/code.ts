/**
 * The commands that read code and what is known of it: search, refs, impact, outline, tree, read, audit, status, doctor.
 *
 * Owns the names that the contract has for their results. What must hold: everything heavy is loaded inside the handler that needs it, so
 * that a search starts at once.
 */
import {
  check,
  checkSurroundings,
  CommandError,
  type HandlerContext,
  type Handlers,
  imageFile,
  readQueries,
  runAudit,
  sha256,
  TRAIL_PATH,
  trailFileOf,
  Workspace,
} from "../../kernel/mod.ts";
import {
  fileLines,
  type Hit,
  loadIndexChecks,
  openMemory,
  withCorrections,
} from "../../rag/mod.ts";
import { kept } from "./kept.ts";
import { embedderOf, indexOf, locate, note, vectorOf } from "./place.ts";
import { definitionResult, searchResult, summaryResult } from "./results.ts";

/** The handlers. */
export const codeHandlers: Pick<
  Handlers,
  "search" | "refs" | "impact" | "outline" | "tree" | "read" | "audit" | "status" | "doctor"
> = {
  async *search(input, context) {
    const workspace = locate(input.repo);
    const queries = input.query === undefined ? await readQueries(input.queries!) : [input.query];
    await using embedder = embedderOf(workspace, context);
    using memory = await indexOf(workspace, "search", context, embedder).open(input.refresh);
    const { limit, files, path, lang: language, kind, symbol } = input;
    for (const query of queries) {
      context.signal.throwIfAborted();
      const corrections = memory.misspellings(query);
      for (const { from, to } of corrections) note(context, `read "${from}" as "${to}"`);
      const read = withCorrections(query, corrections);
      const vector = await vectorOf(read, memory, embedder, context);
      const hits = memory.search(read, { limit, files, path, language, kind, symbol, vector });
      yield { query, results: hits.map(searchResult) };
      if (input.query !== undefined) await noteStale(workspace, hits, context);
    }
  },

  async refs({ target, transitive, repo }, context) {
    using opened = await indexOf(locate(repo), "refs", context).graph();
    const { definitions, callers, callees, subtypes, ...rest } = await opened.graph.refs(
      target,
      { ...resolving(context), transitive },
    );
    noteSuggestions(rest.suggestions, context);
    const textOf = fileLines(opened.memory);
    const withText = <T extends { path: string; line: number }>(each: T) => ({
      ...each,
      text: textOf(each.path, each.line),
    });
    return {
      ...rest,
      references: rest.references.map(withText),
      possible: rest.possible.map(withText),
      definitions: definitions.map(definitionResult),
      subtypes: subtypes.map((each) => {
        const { relation, of, distance, certainty, clause } = each;
        return { ...definitionResult(each), relation, of, distance, certainty, clause };
      }),
      callers: callers.map(definitionResult),
      callees: callees.map(definitionResult),
    };
  },

  async impact({ targets, repo }, context) {
    using opened = await indexOf(locate(repo), "impact", context).graph();
    const { definitions, affected, ...rest } = await opened.graph.impact(
      targets,
      resolving(context),
    );
    noteSuggestions(rest.suggestions, context);
    return {
      ...rest,
      definitions: definitions.map(definitionResult),
      affected: affected.map((file) => ({ ...file, symbols: file.symbols.map(definitionResult) })),
    };
  },

  async outline({ path: given, repo }, context) {
    const { root, folder } = locate(repo);
    const workspace = new Workspace(root, folder, context.folder);
    using memory = await indexOf(workspace, "outline", context).open(false);
    const path = workspace.path(given, (inner) => memory.file(inner) !== undefined);
    const file = memory.file(path);
    if (file === undefined) {
      throw new CommandError(
        `"${path}": not in the index; "batos ingest --dry-run" says which files are, and why`,
      );
    }
    const { language, lines } = file;
    const summary = memory.summary(path)?.text ?? "";
    return {
      path,
      language,
      lines,
      summary,
      definitions: memory.outline(path).map(definitionResult),
    };
  },

  async tree({ path: given, repo }, context) {
    const workspace = locate(repo);
    using memory = await indexOf(workspace, "tree", context).open(false);
    const path = workspace.path(given, (inner) => memory.summary(inner) !== undefined);
    const found = memory.summary(path);
    if (found === undefined) {
      throw new CommandError(`"${given}": not in the index; "batos tree" shows what is`);
    }
    return { ...summaryResult(found), children: memory.children(path).map(summaryResult) };
  },

  async read({ place, repo }) {
    const workspace = locate(repo);
    const [, given = "", first, last] = /^(.+?)(?::(\d+)(?:-(\d+))?)?$/s.exec(place) ?? [];
    const path = workspace.path(given);
    // Lines of the trail are numbered over all its files; a citation may be of one that was moved aside.
    const part = path === TRAIL_PATH
      ? trailFileOf(workspace.folder, Number(first ?? 1))
      : undefined;
    const before = part === undefined ? 0 : part.first - 1;
    const bytes = workspace.read(part === undefined ? path : `.batos/${part.name}`);
    const lines = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).split(/(?<=\n)/);
    const total = before + lines.length;
    const start_line = Number(first ?? 1);
    const end_line = Math.min(Number(last ?? first ?? total), total);
    if (start_line <= before || start_line > end_line) {
      const has = `the file has lines ${before + 1} to ${total}`;
      throw new CommandError(`"${place}": no such lines; ${has}`);
    }
    using memory = workspace.hasIndex ? openMemory(workspace.root, { readOnly: true }) : undefined;
    const known = memory?.file(path)?.hash;
    const status = known === undefined
      ? "unindexed"
      : known === await sha256(bytes)
      ? "verified"
      : "stale";
    return {
      path,
      start_line,
      end_line,
      status,
      text: lines.slice(start_line - 1 - before, end_line - before).join(""),
    };
  },

  async *audit(input, context) {
    const { readTrailLines } = await import("../../ingest/mod.ts");
    yield* runAudit(locate(input.repo).folder, input, readTrailLines, context);
  },

  async status({ repo }, context) {
    const workspace = locate(repo);
    using memory = openMemory(workspace.root, { readOnly: true });
    const {
      indexBytes: index_bytes,
      sourceBytes: source_bytes,
      vectorsState: vectors_state,
      ...rest
    } = memory.status();
    return {
      ...rest,
      index_bytes,
      source_bytes,
      vectors_state,
      stale: await indexOf(workspace, "status", context).countStale(memory),
      image: (await imageFile(workspace.folder, context)).totals(),
    };
  },

  async doctor({ repo }, context) {
    const workspace = locate(repo);
    const checks = await checkSurroundings(workspace.root, workspace.folder);
    const { checkIndex, checkParsers, checkVectors } = await loadIndexChecks();
    const index = indexOf(workspace, "doctor", context);
    checks.push(await check("parsers", () => checkParsers(kept.compilers?.parse)));
    checks.push(await check("index", () => checkIndex(workspace.root, index)));
    checks.push(await check("vectors", () => checkVectors(workspace.root)));
    const image = await imageFile(workspace.folder, context);
    checks.push(await check("image", () => image.finding()));
    return { checks };
  },
};

/** The compiler takes its time; this shows how far it is. */
function resolving({ signal, progress }: HandlerContext) {
  return {
    signal,
    onProgress: (done: number, total: number) =>
      progress({ phase: "resolving references", done, total }),
  };
}

function noteSuggestions(names: readonly string[], { progress }: HandlerContext): void {
  if (names.length > 0) {
    progress({ phase: "", detail: `no such name; near ones: ${names.join(", ")}`, note: true });
  }
}

/** Undefined for a file that can no longer be read, whatever the reason: what was shown of it is of another time. */
async function hashNow(workspace: Workspace, path: string): Promise<string | undefined> {
  try {
    return await sha256(workspace.read(path));
  } catch {
    return undefined;
  }
}

/** Says so when a file that was shown is no longer what was read. */
async function noteStale(
  workspace: Workspace,
  hits: readonly Hit[],
  context: HandlerContext,
): Promise<void> {
  let stale = 0;
  for (const [path, hash] of new Map(hits.slice(0, 20).map((hit) => [hit.path, hit.hash]))) {
    if (await hashNow(workspace, path) !== hash) stale++;
  }
  if (stale === 0) return;
  const files = stale === 1 ? "1 file shown has" : `${stale} files shown have`;
  context.progress({
    phase: "",
    detail: `${files} changed since ingest; "batos ingest" takes that in`,
    note: true,
  });
}
