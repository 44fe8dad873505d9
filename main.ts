/**
 * The program: opens the parts and hands the command table its handlers.
 *
 * Owns the wiring: which part serves which command, and the names that the contract has for its results. What must hold: everything heavy is loaded inside the handler that needs it, so that a search
 * starts at once; nothing here opens a connection.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { OpenCycles, OpenModels, PersonaAdapters } from "./agent/mod.ts";
import config from "./deno.json" with { type: "json" };
import {
  anchorModel,
  check,
  checkSurroundings,
  chosenModel,
  CommandError,
  delegateToKernel,
  environment,
  findModel,
  findWorkspace,
  type HandlerContext,
  type Handlers,
  type Image,
  type ImageDesk,
  imageDesk,
  type Input,
  listTrailFiles,
  locateModel,
  type McpParts,
  ModelError,
  modelHandlers,
  openImage,
  openImagePort,
  openPage,
  openTrail,
  parseTrailLine,
  readQueries,
  recordCommands,
  registerAgents,
  type Result,
  runAudit,
  runCommandLine,
  runConsole,
  serve,
  serveMcp,
  sha256,
  TRAIL_PATH,
  trailFileOf,
  watchFolder,
  Workspace,
  WorkspaceLockedError,
  writeProblem,
} from "./kernel/mod.ts";
import {
  type AbsorbReport,
  absorbTrail,
  chooseEmbedder,
  type ChosenEmbedder,
  DEFAULT_EMBEDDER,
  EmbedderError,
  fileLines,
  type Hit,
  loadIndexChecks,
  loadTokenCounter,
  type Memory,
  NO_EMBEDDER,
  OpenEmbedders,
  OpenMemories,
  openMemory,
  openMemoryIfMade,
  type QuestionVector,
  stateFolder,
  type Summary,
  WorkspaceIndex,
  WorkspaceTrail,
} from "./rag/mod.ts";

/** For a person who started what agents start. */
const MCP_AT_TERMINAL =
  'waiting for an agent on standard input; "batos mcp install" tells agents to come, Ctrl-C ends';

/** Memories, embedders, models and images that stay open, while this process serves others. */
let memories: OpenMemories | undefined;
let embedders: OpenEmbedders | undefined;
let models: OpenModels | undefined;
let cycles: OpenCycles | undefined;
let personaAdapters: PersonaAdapters | undefined;

const handlers: Handlers = {
  async ask({ question, repo, refresh, model: named, audit, ...rest }, context) {
    const { steps, tokens, seconds, continue: goesOn } = rest;
    const workspace = locate(repo);
    await using embedder = embedderOf(workspace, context);
    using memory = await indexOf(workspace, "ask", context, embedder).open(refresh);
    const { answerByModel, askInCycle, conversationIn, openCyclePlace, PersonaAdapters } =
      await import("./agent/mod.ts");
    const path = imagePath(workspace, context);
    using place = path !== undefined && cycles
      ? await cycles.take(path)
      : await openCyclePlace(path);
    const earlier = goesOn ? conversationIn(place.image) : [];
    if (goesOn && earlier.length === 0) note(context, "there is no earlier question to go on with");
    // A question does not wait for the compiler; what it found for an earlier `refs` or `impact` is used.
    const graph = await memory.graph();
    await using recorder = audit
      ? await openTrail(workspace.folder, { redactor, progress: context.progress })
      : undefined;
    const { root } = workspace;
    const { progress, signal } = context;
    let written = 0;
    return await answerByModel({
      name: named === undefined ? chosenModel(workspace).name : anchorModel(named, root),
      isNamed: named !== undefined,
      models,
      locate: (reference) => findModel(reference, root),
      env: environment,
      count: await loadTokenCounter(),
      progress,
      signal,
    }, async (model) => {
      // Gone from the model before that goes.
      await using own = personaAdapters ? undefined : new PersonaAdapters(adapterPlace(workspace));
      return await askInCycle(question, memory, place.image, place.cycles, {
        adapters: personaAdapters ?? own,
        root,
        earlier,
        graph: graph.isCurrent() ? graph : undefined,
        trail: new WorkspaceTrail(memory, trailPlace(workspace, "ask", context)),
        recorder,
        vector: (text) => vectorOf(text, memory, embedder, context),
        model,
        budget: { steps, tokens, ms: seconds && seconds * 1000 },
        driving: {
          onText: (piece) =>
            progress({ phase: "writing, characters", done: written += piece.length }),
        },
        signal,
        onStep: ({ step, thought, action, arguments: given, observation }) =>
          progress({
            phase: "thinking, step",
            done: step,
            detail: action,
            step: { thought, action, arguments: given, observation },
          }),
      });
    });
  },

  async *search(input, context) {
    const workspace = locate(input.repo);
    const queries = input.query === undefined ? await readQueries(input.queries!) : [input.query];
    await using embedder = embedderOf(workspace, context);
    using memory = await indexOf(workspace, "search", context, embedder).open(input.refresh);
    const { limit, files, path, lang: language, kind, symbol } = input;
    for (const query of queries) {
      context.signal.throwIfAborted();
      const vector = await vectorOf(query, memory, embedder, context);
      const hits = memory.search(query, { limit, files, path, language, kind, symbol, vector });
      yield { query, results: hits.map(searchResult) };
      if (input.query !== undefined) await noteStale(workspace, hits, context);
    }
  },

  async refs({ target, repo }, context) {
    using opened = await indexOf(locate(repo), "refs", context).graph();
    const { definitions, callers, callees, ...rest } = await opened.graph.refs(
      target,
      resolving(context),
    );
    noteSuggestions(rest.suggestions, context);
    const textOf = fileLines(opened.memory);
    return {
      ...rest,
      references: rest.references.map((each) => ({ ...each, text: textOf(each.path, each.line) })),
      definitions: definitions.map(definitionResult),
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

  async *ingest(input, context) {
    const workspace = locate(input.repo, input.paths);
    const limit = input.root === undefined ? workspace.limit : workspace.subfolder(input.root);
    const paths = input.paths.map((path) => workspace.path(path));
    const outside = paths.find((path) => !workspace.isWithinLimit(path, limit));
    if (outside !== undefined) {
      throw new CommandError(
        `"${outside}": outside "${limit}", which the workspace is limited to; --root . lifts that`,
      );
    }
    const scope = paths.includes("") ? [] : paths;
    if (input.dry_run) return yield* dryRun(workspace, limit, scope, context);
    workspace.requireWritable();
    const named = input.embedder && anchorModel(input.embedder, workspace.root);
    await using embedder = embedderOf(workspace, context, named);
    // A model that cannot be opened is known before anything is thrown away.
    if (named !== undefined || input.rebuild) await embedder?.open();
    // Watching begins before the first pass, so that no change falls between the two.
    const batches = input.watch ? watchFolder(workspace.root, context.signal) : undefined;
    let next = batches?.next();
    {
      using _lock = await workspace.lock("ingest", input.wait * 1000, context);
      if (input.root !== undefined) workspace.limit = limit;
      using memory = openMemory(workspace.root, { rebuild: input.rebuild });
      const index = indexOf(workspace, "ingest", context, embedder);
      index.requireEmbedder(memory);
      if (named !== undefined) workspace.embedder = named;
      if (named === NO_EMBEDDER) memory.forgetVectors();
      const report = await index.absorb(memory, scope);
      await absorbTrail(memory, trailPlace(workspace, "ingest", context));
      yield ingestReport(report);
    }
    for (; next !== undefined; next = batches!.next()) {
      const { value: batch, done } = await next;
      if (done) break;
      const changed = batch.filter((path) => workspace.isWithinLimit(path, limit));
      if (changed.length === 0) continue;
      using _lock = await workspace.lock("ingest --watch", input.wait * 1000, context);
      using memory = openMemory(workspace.root);
      // An ignore file decides about files that did not change themselves.
      const all = changed.some((path) => /(^|\/)\.(git|batos)ignore$/.test(path));
      const index = indexOf(workspace, "ingest --watch", context, embedder);
      const report = await index.absorb(memory, all ? scope : changed);
      if (report.changed + report.removed > 0) yield ingestReport(report);
    }
  },

  async *audit(input, context) {
    const { readTrailLines } = await import("./ingest/mod.ts");
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
    };
  },

  async doctor({ repo }, context) {
    const workspace = locate(repo);
    const checks = await checkSurroundings(workspace.root, workspace.folder);
    const { checkIndex, checkParsers, checkVectors } = await loadIndexChecks();
    const index = indexOf(workspace, "doctor", context);
    checks.push(await check("parsers", checkParsers));
    checks.push(await check("index", () => checkIndex(workspace.root, index)));
    checks.push(await check("vectors", () => checkVectors(workspace.root)));
    return { checks };
  },

  async *serve({ repo, port, page, page_port, watch }, { signal, progress }) {
    const workspace = locate(repo);
    workspace.requireWritable();
    using opened = memories = new OpenMemories();
    await using _embedders = embedders = new OpenEmbedders();
    const { OpenCycles, OpenModels, PersonaAdapters } = await import("./agent/mod.ts");
    await using _models = models = new OpenModels();
    await using _adapters = personaAdapters = new PersonaAdapters(adapterPlace(workspace));
    await using _cycles = cycles = new OpenCycles();
    using place = await cycles.take(join(workspace.folder, "image.db"));
    yield* serve({
      root: workspace.root,
      folder: workspace.folder,
      version: config.version,
      handlers: recorded,
      port,
      image: await openImagePort(place.image, place.cycles),
      startHttp: page
        ? (context) =>
          openPage(context, { folder: workspace.folder, port: page_port, mcp: mcpParts() })
        : undefined,
      watch,
      report: (line) => progress({ phase: "", detail: line, note: true }),
      signal,
    });
    void opened;
  },

  async console({ repo }, { signal }) {
    const { root, folder } = locate(repo);
    return { failed: await runConsole({ root, folder, version: config.version, signal }) };
  },

  // deno-lint-ignore require-yield -- its output is the conversation itself
  async *mcp({ repo }, { signal, progress }) {
    if (Deno.stdin.isTerminal()) progress({ phase: "", detail: MCP_AT_TERMINAL, note: true });
    using opened = memories = new OpenMemories();
    await using _embedders = embedders = new OpenEmbedders();
    await serveMcp({ ...mcpParts(), repo, signal });
    void opened;
  },

  mcp_install: (input, context) => tellAgents("install", input, context),
  mcp_uninstall: (input, context) => tellAgents("uninstall", { ...input, print: false }, context),

  ...modelHandlers({
    locate,
    async parse(name) {
      const choice = (await import("./agent/mod.ts")).parseModelName(name);
      return choice.kind === "llama" ? choice : { name: choice.name };
    },
  }),
  adapter_import: (input, context) =>
    onAdapters(input, "shared", async (image, root) => {
      const { importAndShow } = await import("./agent/mod.ts");
      const folder = context.folder ?? Deno.cwd();
      const isFile = input.model !== undefined && existsSync(resolve(folder, input.model));
      const model = isFile
        ? resolve(folder, input.model!)
        : input.model && await locateModel(input.model, { forms: undefined, root, context });
      const path = resolve(folder, input.path);
      return await importAndShow(image, { ...input, path }, model, context.signal);
    }),
  adapter_list: (input) =>
    onAdapters(input, "read", async (image) => {
      const { listAdapters } = await import("./agent/mod.ts");
      return listAdapters(image);
    }),
  adapter_rm: (input) =>
    onAdapters(input, "shared", async (image) => {
      const { forgetAdapter } = await import("./agent/mod.ts");
      return { name: input.name, removed: await forgetAdapter(image, input.name) };
    }),

  image_ls: (input) => onImage(input, "read", (desk) => desk.ls(input)),
  image_get: (input) => onImage(input, "read", (desk) => desk.get(input)),
  image_log: (input) => onImage(input, "read", (desk) => desk.log(input)),
  image_new: (input) => onImage(input, "shared", (desk) => desk.create(input)),
  image_set: (input) => onImage(input, "shared", (desk) => desk.set(input)),
  image_rm: (input) => onImage(input, "shared", (desk) => desk.remove(input)),
  image_send: (input, { signal }) => onImage(input, "shared", (desk) => desk.send(input, signal)),
  image_undo: (input) => onImage(input, "shared", (desk) => desk.undo(input)),
};

/**
 * The workspace: the folder that was named, else the one around the current folder.
 *
 * Only `ingest` makes a workspace of a folder that is no repository: a question asked in the wrong place must not read a
 * whole home folder. Outside any workspace, the paths to ingest say where it is.
 *
 * @param toIngest paths to ingest; undefined for every other command
 */
function locate(repo: string | undefined, toIngest?: readonly string[]): Workspace {
  if (repo !== undefined) return at(Workspace.resolveRoot(repo));
  const here = findWorkspace(Deno.cwd());
  const workspace = at(Deno.realPathSync(here.root));
  if (here.git || workspace.hasIndex) return workspace;
  const [path] = toIngest ?? [];
  if (path !== undefined && existsSync(path)) {
    return at(Deno.realPathSync(findWorkspace(path).root));
  }
  if (toIngest !== undefined) return workspace;
  throw new CommandError(
    `"${workspace.root}": neither a repository nor ingested; go into one, name a folder with --repo, or run "batos ingest" here`,
  );
}

function at(root: string): Workspace {
  return new Workspace(root, stateFolder(root));
}

/** What servers of MCP work with. */
function mcpParts(): McpParts {
  return {
    version: config.version,
    handlers: recorded,
    locate: (folder) => locate(folder).root,
    async refresh(root, context) {
      const workspace = at(root);
      await using embedder = embedderOf(workspace, context);
      (await indexOf(workspace, "mcp", context, embedder).open(true)).close();
    },
    summaries: (root, context) => indexOf(at(root), "mcp", context).open(false),
  };
}

/** The file of the image; undefined, with a note, where nothing can be written: a question is then kept nowhere. */
function imagePath(workspace: Workspace, context: HandlerContext): string | undefined {
  const problem = writeProblem(workspace.folder, true);
  if (problem === undefined) return join(workspace.folder, "image.db");
  note(context, `"${workspace.folder}" cannot be written (${problem}): the question is not kept`);
}

function note({ progress }: HandlerContext, detail: string): void {
  progress({ phase: "", detail, note: true });
}

/** Opens the image of the workspace for one command. */
async function onImage<R>(
  { repo }: { repo?: string | undefined },
  mode: "read" | "shared",
  work: (desk: ImageDesk) => R | Promise<R>,
): Promise<R> {
  const workspace = locate(repo);
  if (mode !== "read") workspace.requireWritable();
  const path = join(workspace.folder, "image.db");
  if (mode === "read" && !existsSync(path)) {
    throw new CommandError(
      `"${workspace.root}": it has no image yet; "batos image new NAME" or "batos ask" makes one`,
    );
  }
  using image = await openImage(path, { mode, command: "batos image" });
  using memory = openMemoryIfMade(workspace.root);
  if (memory === undefined) return await work(await imageDesk(image));
  const { mountMemory } = await import("./agent/mod.ts");
  using mount = await mountMemory(image, memory);
  return await work(await imageDesk(image, mount.find));
}

/** Tells agents of this program, which they are to start as `deno task mcp` does, or takes that back. */
async function* tellAgents(
  action: "install" | "uninstall",
  { repo, ...input }: Input<"mcp_install">,
  context: HandlerContext,
): AsyncGenerator<Result<"mcp_install">> {
  const main = fileURLToPath(import.meta.resolve("./main.ts"));
  const { root } = locate(repo);
  const checkout = { main, task: config.tasks.mcp.command };
  yield* registerAgents({ ...input, action, root }, checkout, context);
}

/** Where adapters are warm, and where they are cold. */
function adapterPlace({ folder }: Workspace) {
  return { folder: join(folder, "adapters"), blobs: join(folder, "blobs") };
}

/** Opens the image of the workspace for a command about adapters. */
async function onAdapters<R>(
  { repo }: { repo?: string | undefined },
  mode: "read" | "shared",
  work: (image: Image, root: string) => R | Promise<R>,
): Promise<R> {
  const workspace = locate(repo);
  if (mode !== "read") workspace.requireWritable();
  const path = join(workspace.folder, "image.db");
  if (mode === "read" && !existsSync(path)) {
    throw new CommandError(
      `"${workspace.root}": it has no image yet; "batos adapter import PATH" makes one`,
    );
  }
  using image = await openImage(path, { mode, command: "batos adapter" });
  return await work(image, workspace.root);
}

/** What gives chunks and questions their vectors: what was named now, else for this workspace, else what ships. */
function embedderOf(
  workspace: Workspace,
  context: HandlerContext,
  named = workspace.embedder ?? DEFAULT_EMBEDDER,
): ChosenEmbedder | undefined {
  const choose = embedders?.choose ?? chooseEmbedder;
  return choose(named, async (reference, forms) => {
    try {
      return await locateModel(reference, { forms, root: workspace.root, context });
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      throw new EmbedderError(error.message, { cause: error });
    }
  });
}

/** The vector of a question; a model that cannot be used now costs the vectors, not the answer. */
async function vectorOf(
  text: string,
  memory: Memory,
  embedder: ChosenEmbedder | undefined,
  context: HandlerContext,
): Promise<QuestionVector | undefined> {
  if (embedder === undefined || memory.vectorsState() === "none") return undefined;
  try {
    return await memory.embedQuestion(embedder, text, context.signal);
  } catch (error) {
    if (!(error instanceof EmbedderError)) throw error;
    context.progress({
      phase: "",
      detail: `${error.message}; going on without vectors`,
      note: true,
    });
  }
}

/** The index of a workspace, for one command. */
function indexOf(
  workspace: Workspace,
  command: string,
  context: HandlerContext,
  embedder?: ChosenEmbedder,
): WorkspaceIndex {
  const { limit } = workspace;
  return new WorkspaceIndex({
    ...placeOf(workspace, command, context),
    embedder,
    memories,
    limit,
  });
}

/** A workspace as those see it who write what is derived from it. */
function placeOf(workspace: Workspace, command: string, context: HandlerContext) {
  return {
    root: workspace.root,
    lock: (timeoutMs: number) => {
      workspace.requireWritable();
      return workspace.lock(command, timeoutMs, context);
    },
    isRefusal: (error: unknown): error is Error =>
      error instanceof WorkspaceLockedError || error instanceof CommandError,
    progress: context.progress,
    signal: context.signal,
  };
}

/** Where the audit trail is, and how it is taken into memory. */
function trailPlace(workspace: Workspace, command: string, context: HandlerContext) {
  const list = () => listTrailFiles(workspace.folder);
  return { ...placeOf(workspace, command, context), list, validate: parseTrailLine };
}

/** What takes secrets out of what is noted; it comes with the parsers' room, so it is loaded when it is needed. */
const redactor = async () => (await import("./ingest/mod.ts")).redactSecrets;

/** The handlers as every door gets them: what they do is noted. */
const recorded = recordCommands(handlers, (repo) => locate(repo).folder, redactor);

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

function limitScope(limit: string): string[] {
  return limit === "" ? [] : [limit];
}

/** Says so when a file that was shown is no longer what was read. */
async function noteStale(
  workspace: Workspace,
  hits: readonly Hit[],
  context: HandlerContext,
): Promise<void> {
  let stale = 0;
  for (const [path, hash] of new Map(hits.slice(0, 20).map((hit) => [hit.path, hit.hash]))) {
    const now = workspace.has(path) ? await sha256(workspace.read(path)) : undefined;
    if (now !== hash) stale++;
  }
  if (stale === 0) return;
  const files = stale === 1 ? "1 file shown has" : `${stale} files shown have`;
  context.progress({
    phase: "",
    detail: `${files} changed since ingest; "batos ingest" takes that in`,
    note: true,
  });
}

async function* dryRun(
  workspace: Workspace,
  limit: string,
  scope: readonly string[],
  { progress }: HandlerContext,
): AsyncGenerator<Result<"ingest">> {
  const begin = performance.now();
  progress({ phase: "listing files" });
  const { listTree } = await import("./ingest/mod.ts");
  const { files, skipped, problems } = await listTree(workspace.root, {
    scope: scope.length > 0 ? scope : limitScope(limit),
  });
  for (const { path } of files) yield { path };
  for (const { path, reason } of skipped) yield { path, reason };
  const ms = Math.round(performance.now() - begin);
  yield {
    files: files.length,
    chunks: 0,
    skipped: skipped.length,
    problems,
    ms,
    changed: 0,
    removed: 0,
  };
}

function searchResult(hit: Hit): Result<"search">["results"][number] {
  const { path, startLine, endLine, score, nodeType, nodeName, text } = hit;
  return {
    path,
    start_line: startLine,
    end_line: endLine,
    score,
    node_type: nodeType,
    node_name: nodeName,
    text,
  };
}

function summaryResult({ path, level, text }: Summary) {
  return { path, level, text };
}

/** Lines under the names that the contract has for them. */
function definitionResult<D extends { startLine: number; endLine: number }>(
  { startLine, endLine, ...rest }: D,
) {
  return { ...rest, start_line: startLine, end_line: endLine };
}

function ingestReport(
  { files, chunks, skipped, problems, ms, changed, removed }: AbsorbReport,
): Result<"ingest"> {
  return { files, chunks, skipped, problems, ms, changed, removed };
}

if (import.meta.main) {
  const delegated = delegateToKernel(recorded, { locate, version: config.version });
  Deno.exit(await runCommandLine(Deno.args, delegated, { version: config.version }));
}
