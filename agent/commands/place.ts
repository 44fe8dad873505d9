/**
 * Where a command works: the workspace that was meant, its index, its trail, and what gives its questions vectors.
 *
 * Owns how these are found and put together for one command. What must hold: a question asked in the wrong place reads nothing; what is
 * loaded here is light, since every command passes through.
 */
import { existsSync } from "node:fs";
import {
  CommandError,
  findWorkspace,
  type HandlerContext,
  listTrailFiles,
  locateModel,
  ModelError,
  notChosen,
  parseTrailLine,
  wasChosen,
  Workspace,
  WorkspaceLockedError,
} from "../../kernel/mod.ts";
import {
  chooseEmbedder,
  type ChosenEmbedder,
  DEFAULT_EMBEDDER,
  EmbedderError,
  type Memory,
  type QuestionVector,
  stateFolder,
  WorkspaceIndex,
} from "../../rag/mod.ts";
import { kept } from "./kept.ts";

/**
 * The workspace: the folder that was named, else the one around the current folder.
 *
 * Only `ingest` makes a workspace of a folder that is no repository: a question asked in the wrong place must not read a
 * whole home folder. Outside any workspace, the paths to ingest say where it is.
 *
 * @param toIngest paths to ingest; undefined for every other command
 */
export function locate(repo: string | undefined, toIngest?: readonly string[]): Workspace {
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

export function at(root: string): Workspace {
  return new Workspace(root, stateFolder(root));
}

export function note({ progress }: HandlerContext, detail: string): void {
  progress({ phase: "", detail, note: true });
}

/** What gives chunks and questions their vectors: what was named now, else for this workspace, else what ships. */
export function embedderOf(
  workspace: Workspace,
  context: HandlerContext,
  named?: string,
): ChosenEmbedder | undefined {
  const choose = kept.embedders?.choose ?? chooseEmbedder;
  const name = named ?? workspace.embedder ?? DEFAULT_EMBEDDER;
  return choose(name, async (reference, forms) => {
    if (named === undefined && !wasChosen(name, workspace.root)) {
      const remedy = `deno task with-models ingest --rebuild --embedder ${name}`;
      throw new EmbedderError(notChosen(name, workspace.folder, remedy));
    }
    try {
      return await locateModel(reference, { forms, root: workspace.root, context });
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      throw new EmbedderError(error.message, { cause: error });
    }
  });
}

/** The vector of a question; a model that cannot be used now costs the vectors, not the answer. */
export async function vectorOf(
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

/**
 * The index of a workspace, for one command.
 * @param compilers the thread that parses, in a process that lives long
 */
export function indexOf(
  workspace: Workspace,
  command: string,
  context: HandlerContext,
  embedder?: ChosenEmbedder,
  compilers = kept.compilers,
): WorkspaceIndex {
  const { limit } = workspace;
  return new WorkspaceIndex({
    ...placeOf(workspace, command, context),
    embedder,
    memories: kept.memories,
    compilers,
    limit,
  });
}

/** A workspace as those see it who write what is derived from it. */
export function placeOf(workspace: Workspace, command: string, context: HandlerContext) {
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
export function trailPlace(workspace: Workspace, command: string, context: HandlerContext) {
  const list = () => listTrailFiles(workspace.folder);
  return { ...placeOf(workspace, command, context), list, validate: parseTrailLine };
}

/** What takes secrets out of what is noted; it comes with the parsers' room, so it is loaded when it is needed. */
export const redactor = async () => (await import("../../ingest/mod.ts")).redactSecrets;
