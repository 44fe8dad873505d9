/**
 * The command `ingest`: the workspace is read into the index, once or as it changes.
 *
 * Owns the order of what is checked, locked, opened and thrown away. What must hold: a model that cannot be opened is known before anything
 * is thrown away; watching begins before the first pass, so that no change falls between the two.
 */
import {
  anchorModel,
  CommandError,
  type HandlerContext,
  type Handlers,
  imageFile,
  type Result,
  watchFolder,
  type Workspace,
} from "../../kernel/mod.ts";
import { absorbTrail, CompilerThread, NO_EMBEDDER, openMemory } from "../../rag/mod.ts";
import { kept } from "./kept.ts";
import { embedderOf, indexOf, locate, trailPlace } from "./place.ts";
import { ingestReport } from "./results.ts";

/** The handler. */
export const ingestHandlers: Pick<Handlers, "ingest"> = {
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
    // Who watches lives long, and has nothing to parse most of the time.
    using own = input.watch && !kept.compilers ? new CompilerThread() : undefined;
    const compilers = kept.compilers ?? own;
    // Watching begins before the first pass, so that no change falls between the two.
    const ended = new AbortController();
    using watching = new DisposableStack();
    watching.defer(() => ended.abort());
    const until = AbortSignal.any([context.signal, ended.signal]);
    const batches = input.watch ? watchFolder(workspace.root, until) : undefined;
    let next = batches?.next();
    // That a folder cannot be watched is told after the first pass, by whoever waits for it.
    next?.catch(() => {});
    {
      using _lock = await workspace.lock("ingest", input.wait * 1000, context);
      if (input.root !== undefined) workspace.limit = limit;
      if (input.rebuild) await (await imageFile(workspace.folder, context)).rescue();
      using memory = openMemory(workspace.root, { rebuild: input.rebuild });
      const index = indexOf(workspace, "ingest", context, embedder, compilers);
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
      const index = indexOf(workspace, "ingest --watch", context, embedder, compilers);
      const report = await index.absorb(memory, all ? scope : changed);
      if (report.changed + report.removed > 0) yield ingestReport(report);
    }
  },
};

function limitScope(limit: string): string[] {
  return limit === "" ? [] : [limit];
}

async function* dryRun(
  workspace: Workspace,
  limit: string,
  scope: readonly string[],
  { progress }: HandlerContext,
): AsyncGenerator<Result<"ingest">> {
  const begin = performance.now();
  progress({ phase: "listing files" });
  const { listTree } = await import("../../ingest/mod.ts");
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
