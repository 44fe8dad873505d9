/**
 * The commands that serve others for as long as they run: serve, console, mcp, and telling agents of it.
 *
 * Owns what stays open meanwhile, and in which order it is closed. What must hold: what was put into `kept` outlives every request and
 * nothing else; adapters go before the models that hold them.
 */
import { join } from "node:path";
import {
  type HandlerContext,
  type Handlers,
  type Input,
  LateTrail,
  type McpParts,
  openImagePort,
  openPage,
  openTrail,
  registerAgents,
  type Result,
  runConsole,
  serve,
  serveMcp,
} from "../../kernel/mod.ts";
import { CompilerThread, OpenEmbedders, OpenMemories } from "../../rag/mod.ts";
import { adapterPlace } from "./ask.ts";
import { kept } from "./kept.ts";
import { at, embedderOf, indexOf, locate, redactor } from "./place.ts";

/** What servers have to know of the program that they are part of. */
export interface Program {
  readonly version: string;
  /** Absolute path of its main file, and the task that starts it for an agent. */
  readonly main: string;
  readonly task: string;
  /** The handlers of the whole table, as every door gets them. */
  readonly handlers: () => Handlers;
}

/** For a person who started what agents start. */
const MCP_AT_TERMINAL =
  'waiting for an agent on standard input; "batos mcp install" tells agents to come, Ctrl-C ends';

/** The handlers. */
export function serveHandlers(
  program: Program,
): Pick<Handlers, "serve" | "console" | "mcp" | "mcp_install" | "mcp_uninstall"> {
  const { version, handlers } = program;
  return {
    async *serve({ repo, port, listen, page, page_port, watch }, { signal, progress }) {
      const workspace = locate(repo);
      workspace.requireWritable();
      const { OpenCycles, OpenModels, PersonaAdapters } = await import("../mod.ts");
      // First, so that it is closed last: whoever has written and does that takes away SQLite's log.
      await using cycles = kept.cycles = new OpenCycles();
      using memories = kept.memories = new OpenMemories();
      using compilers = kept.compilers = new CompilerThread();
      await using _embedders = kept.embedders = new OpenEmbedders();
      await using _models = kept.models = new OpenModels();
      await using _adapters = kept.adapters = new PersonaAdapters(adapterPlace(workspace));
      const report = (detail: string) => progress({ phase: "", detail, note: true });
      await using trail = new LateTrail(
        () => openTrail(workspace.folder, { redactor, progress }),
        report,
      );
      using place = await cycles.take(join(workspace.folder, "image.db"));
      yield* serve({
        root: workspace.root,
        folder: workspace.folder,
        version,
        handlers: handlers(),
        port,
        listen,
        image: await openImagePort(place.image, place.cycles),
        startHttp: page
          ? (context) =>
            openPage(context, { folder: workspace.folder, port: page_port, mcp: mcpParts(program) })
          : undefined,
        watch,
        record: (event) => trail.record(event),
        report,
        signal,
      });
      void memories, compilers;
    },

    async console({ repo, connection, key }, { signal }) {
      const place = connection === undefined ? locate(repo) : { connection, key };
      return { failed: await runConsole({ place, version, signal }) };
    },

    // deno-lint-ignore require-yield -- its output is the conversation itself
    async *mcp({ repo }, { signal, progress }) {
      if (Deno.stdin.isTerminal()) progress({ phase: "", detail: MCP_AT_TERMINAL, note: true });
      using memories = kept.memories = new OpenMemories();
      using compilers = kept.compilers = new CompilerThread();
      await using _embedders = kept.embedders = new OpenEmbedders();
      await serveMcp({ ...mcpParts(program), repo, signal });
      void memories, compilers;
    },

    mcp_install: (input, context) => tellAgents(program, "install", input, context),

    mcp_uninstall: (input, context) =>
      tellAgents(program, "uninstall", { ...input, print: false }, context),
  };
}

/** What servers of MCP work with. */
function mcpParts({ version, handlers }: Program): McpParts {
  return {
    version,
    handlers: handlers(),
    locate: (folder) => locate(folder).root,
    async refresh(root, context) {
      const workspace = at(root);
      await using embedder = embedderOf(workspace, context);
      (await indexOf(workspace, "mcp", context, embedder).open(true)).close();
    },
    summaries: (root, context) => indexOf(at(root), "mcp", context).open(false),
  };
}

/** Tells agents of this program, which they are to start as `deno task mcp` does, or takes that back. */
async function* tellAgents(
  { main, task }: Program,
  action: "install" | "uninstall",
  { repo, ...input }: Input<"mcp_install">,
  context: HandlerContext,
): AsyncGenerator<Result<"mcp_install">> {
  const { root } = locate(repo);
  yield* registerAgents({ ...input, action, root }, { main, task }, context);
}
