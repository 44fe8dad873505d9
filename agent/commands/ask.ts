/**
 * The command `ask`: a question becomes a cognitive cycle of the workspace's image.
 *
 * Owns what is opened for it. What must hold: a workspace that cannot be written still answers; the agent is loaded when somebody asks.
 */
import { join } from "node:path";
import {
  anchorModel,
  chosenModel,
  environment,
  findModel,
  type HandlerContext,
  type Handlers,
  type Image,
  isTerminalName,
  openTrail,
  type Workspace,
  writeProblem,
} from "../../kernel/mod.ts";
import { loadTokenCounter, WorkspaceTrail } from "../../rag/mod.ts";
import type { GraphPort, Turn } from "../mod.ts";
import { kept } from "./kept.ts";
import { embedderOf, indexOf, locate, note, redactor, trailPlace, vectorOf } from "./place.ts";

/** The handler. */
export const askHandlers: Pick<Handlers, "ask"> = {
  async ask({ question, repo, refresh, model: named, audit, ...rest }, context) {
    const { steps, tokens, seconds, continue: goesOn } = rest;
    const conversation = rest.conversation ?? context.conversation;
    const workspace = locate(repo);
    await using embedder = embedderOf(workspace, context);
    using opened = new DisposableStack();
    const memory = opened.use(await indexOf(workspace, "ask", context, embedder).open(refresh));
    const { answerByModel, askInCycle, openCyclePlace, PersonaAdapters } = await import(
      "../mod.ts"
    );
    const path = imagePath(workspace, context);
    using place = path !== undefined && kept.cycles
      ? await kept.cycles.take(path)
      : await openCyclePlace(path);
    // Closed before the image, which was written to: whoever does that and closes last takes away SQLite's log.
    using _memory = opened.move();
    const earlier = goesOn || rest.conversation !== undefined
      ? await earlierTurns(place.image, conversation, goesOn, context)
      : [];
    // A question does not wait for the compiler; what it found for an earlier `refs` or `impact` is used.
    const known = await memory.graph();
    const { root } = workspace;
    const withoutBuild = !known.isCurrent();
    const symbols = kept.compilers?.graph({ root, readOnly: true }) ?? known;
    const graph: GraphPort = {
      refs: (target, options) => symbols.refs(target, { ...options, withoutBuild }),
    };
    await using recorder = audit
      ? await openTrail(workspace.folder, { redactor, progress: context.progress })
      : undefined;
    const { progress, signal } = context;
    let written = 0;
    let length = 0;
    const chosen = chosenModel(workspace);
    if (named === undefined && chosen.problem !== undefined) note(context, chosen.problem);
    return await answerByModel({
      name: named === undefined ? chosen.name : anchorModel(named, root),
      isNamed: named !== undefined,
      models: kept.models,
      locate: (reference) => findModel(reference, root),
      env: environment,
      count: await loadTokenCounter(),
      progress,
      signal,
    }, async (model) => {
      // Gone from the model before that goes.
      await using own = kept.adapters ? undefined : new PersonaAdapters(adapterPlace(workspace));
      return await askInCycle(question, memory, place.image, place.cycles, {
        adapters: kept.adapters ?? own,
        root,
        earlier,
        conversation,
        graph,
        trail: new WorkspaceTrail(memory, trailPlace(workspace, "ask", context)),
        recorder,
        vector: (text) => vectorOf(text, memory, embedder, context),
        model,
        budget: { steps, tokens, ms: seconds && seconds * 1000 },
        driving: {
          onText: (piece) =>
            progress({ phase: "writing, characters", done: written += piece.length }),
        },
        onText: ({ text, restart, part }) =>
          progress({
            phase: "writing, characters",
            done: length = (restart ? 0 : length) + text.length,
            text,
            ...(restart && { restart }),
            ...(part && { part }),
          }),
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
};

/**
 * The turns that a question goes on with; where it says that it does, a line says with which. Whoever begins at a terminal where nothing was asked
 * yet means the last question of the workspace's command lines, and has a conversation of their own from there on.
 */
async function earlierTurns(
  image: Image,
  conversation: string | undefined,
  isSaid: boolean,
  context: HandlerContext,
): Promise<readonly Turn[]> {
  const { conversationIn, lastAtCommandLines } = await import("../mod.ts");
  const own = conversationIn(image, conversation);
  if (!isSaid) return own;
  const isCommandLine = conversation === undefined || isTerminalName(conversation);
  const turns = own.length > 0 || !isCommandLine ? own : lastAtCommandLines(image);
  const question = turns.at(-1)?.question;
  const shown = question !== undefined && question.length > LONGEST_SHOWN
    ? `${question.slice(0, LONGEST_SHOWN)}…`
    : question;
  note(
    context,
    shown === undefined
      ? "there is no earlier question to go on with"
      : own.length > 0
      ? `going on with "${shown}"`
      : `nothing was asked here yet: going on with "${shown}", the last question of this workspace`,
  );
  return turns;
}

/** Longest question in a line that says what is gone on with, in characters: it stays a line at 80 columns, mostly. */
const LONGEST_SHOWN = 60;

/** The file of the image; undefined, with a note, where nothing can be written: a question is then kept nowhere. */
function imagePath(workspace: Workspace, context: HandlerContext): string | undefined {
  const problem = writeProblem(workspace.folder, true);
  if (problem === undefined) return join(workspace.folder, "image.db");
  note(context, `"${workspace.folder}" cannot be written (${problem}): the question is not kept`);
}

/** Where adapters are warm, and where they are cold. */
export function adapterPlace({ folder }: Workspace) {
  return { folder: join(folder, "adapters"), blobs: join(folder, "blobs") };
}
