/**
 * The commands about the Composite Entropy Metric, and about drift.
 *
 * Owns what is handed to it: the questions of the trail as memory has them, the vectors of their answers, the image. What must hold: where
 * nothing was asked nothing is made for it; what of the metric cannot be known costs that part and is said.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  CommandError,
  type CountedQuestion,
  type EndedQuestion,
  entropyDesk,
  type EntropySources,
  type HandlerContext,
  type Handlers,
  type Image,
  NoImageError,
  openImage,
  parseTime,
  type Workspace,
} from "../../kernel/mod.ts";
import {
  AnswerVectors,
  EmbedderError,
  type Fractal,
  type Memory,
  openMemoryIfMade,
  WorkspaceTrail,
} from "../../rag/mod.ts";
import { kept } from "./kept.ts";
import { embedderOf, indexOf, locate, trailPlace } from "./place.ts";

/** The first line of an answer without a model: the same in each of them, so it would make all of them alike. */
const SAME_IN_ALL = /^Extractive answer \([^)]*\): .*$/m;

/** The handlers. */
export const entropyHandlers: Pick<Handlers, "cem" | "cem_set" | "drift"> = {
  async cem({ repo, since: named }, context) {
    const workspace = locate(repo);
    const desk = await entropyDesk();
    using image = await openedImage(workspace);
    using view = image?.view();
    const { settings, problem } = desk.readEntropySettings(view);
    const place = trailPlace(workspace, "cem", context);
    using memory = await memoryOf(workspace, place.list().length > 0, context);
    const trail = memory && new WorkspaceTrail(memory, place);
    const { FACETS, facetsIn, QUESTION_RECORDS } = await import("../mod.ts");
    const since = named === undefined ? undefined : parseTime(named, Date.now())?.since;
    const total = await trail?.countAnswered() ?? 0;
    const size = desk.windowOf(
      total,
      settings,
      since === undefined ? undefined : await trail?.countAnswered(since) ?? 0,
    );
    const fractals = await trail?.answered(desk.questionsRead(size)) ?? [];
    const { embedder, vectors } = memory === undefined
      ? { embedder: { problem: "there is no index" }, vectors: new Map<number, Float32Array>() }
      : await vectorsOf(fractals, new AnswerVectors(memory, place), workspace, context);
    return desk.entropyReport({
      questions: fractals.map((fractal) => questionOf(fractal, vectors)),
      total,
      size,
      facets: image && view ? facetsIn(view, image) : FACETS,
      embedder,
      image,
      records: QUESTION_RECORDS,
      settings,
      problem,
    });
  },

  async drift({ repo, window }, context) {
    const workspace = locate(repo);
    const { driftReads, driftReport } = await entropyDesk();
    const place = trailPlace(workspace, "drift", context);
    using memory = await memoryOf(workspace, place.list().length > 0, context);
    const trail = memory && new WorkspaceTrail(memory, place);
    const fractals = await trail?.answered(driftReads(window), true) ?? [];
    return driftReport(fractals.map(countedOf), window);
  },

  async cem_set({ repo, reset, ...wanted }) {
    const workspace = locate(repo);
    workspace.requireWritable();
    const { changeEntropySettings } = await entropyDesk();
    using image = await openImage(pathOf(workspace), { mode: "shared", command: "batos cem set" });
    const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
    return await changeEntropySettings(image, Object.fromEntries(given), reset);
  },
};

function pathOf({ folder }: Workspace): string {
  return join(folder, "image.db");
}

/**
 * Memory, which reads the trail.
 * @param isAsked whether there is a trail: without one nothing is made for it
 */
async function memoryOf(
  workspace: Workspace,
  isAsked: boolean,
  context: HandlerContext,
): Promise<Memory | undefined> {
  const memory = openMemoryIfMade(workspace.root, kept.memories);
  if (memory !== undefined || !isAsked) return memory;
  // The index was deleted, or another version made it.
  await using embedder = embedderOf(workspace, context);
  return await indexOf(workspace, "cem", context, embedder).open(false);
}

/** The image, to be read; undefined where there is none yet. */
async function openedImage(workspace: Workspace): Promise<Image | undefined> {
  const path = pathOf(workspace);
  if (!existsSync(path)) return undefined;
  try {
    return await openImage(path, { mode: "read" });
  } catch (error) {
    // An index was made, and nobody has asked yet.
    if (error instanceof NoImageError) return undefined;
    throw error;
  }
}

/** The vectors of answers; a model that cannot be used now costs that part of the metric. */
async function vectorsOf(
  fractals: readonly Fractal[],
  answers: AnswerVectors,
  workspace: Workspace,
  context: HandlerContext,
): Promise<Pick<EntropySources, "embedder"> & { vectors: Map<number, Float32Array> }> {
  await using embedder = embedderOf(workspace, context);
  const none = (problem: string) => ({ embedder: { problem }, vectors: new Map() });
  if (embedder === undefined) return none("the workspace has no embedder");
  const found = fractals.filter(({ digest }) => digest.outcome === "done");
  try {
    return { embedder: { id: embedder.id }, vectors: await answers.of(found, embedder, textOf) };
  } catch (error) {
    if (!(error instanceof EmbedderError || error instanceof CommandError)) throw error;
    return none(error.message);
  }
}

function textOf({ digest }: Fractal): string {
  return digest.answer.replace(SAME_IN_ALL, "").trim();
}

function countedOf({ until, digest }: Fractal): CountedQuestion {
  const { outcome, driver, tokens, stepCount, ms } = digest;
  return {
    ended: until,
    outcome: outcome === "done" || outcome === "nothing" ? outcome : "failed",
    driver,
    tokens,
    steps: stepCount,
    ms,
  };
}

function questionOf(
  { oid, cycle, until, digest }: Fractal,
  vectors: ReadonlyMap<number, Float32Array>,
): EndedQuestion {
  return {
    cycle,
    ended: until,
    facets: digest.facets,
    vector: vectors.get(oid),
    tid: digest.tid,
  };
}
