/**
 * A question as a cognitive cycle of the image.
 *
 * Owns what is kept of a question in the image: the cycle, a QueryMorph for each part of its plan, the turn of the conversation. What
 * must hold: all of it is one commit at the end, or none; the answer is the one that `answerQuestion` gives.
 */
import {
  type CycleContext,
  type CycleEngine,
  CycleError,
  cyclesOn,
  type GenesisDefinition,
  type Image,
  type RecordObjects,
  type RunningCycle,
  type StateVisit,
} from "../kernel/mod.ts";
import { type Answer, type AskOptions, recorded } from "./answer.ts";
import { turnOf } from "./conversation.ts";
import { type AdapterOf, type AskFacet, Inquiry, type Part } from "./inquiry.ts";
import {
  CONVERSATION,
  CONVERSATION_OBJECTS,
  keepTurn,
  mergeConversations,
} from "./kept_conversations.ts";
import type { MemoryPort } from "./memory_port.ts";
import { MorphObject, QUERY_MORPH } from "./morph_object.ts";
import { defineFacets, type FacetRequest, giveVoice, PERSONAS, roleOf } from "./personas.ts";
import type { Plan } from "./plan.ts";
import { CycleRecord, type FacetUse } from "./recording.ts";

/** The states in which facets are asked of a model; of others it is DELEGATING. */
const FACET_STATES: Readonly<Record<string, FacetUse["state"]>> = {
  decompose: "DECOMPOSING",
  weave: "SYNTHESIZING",
};

/** What the image has to know for questions. */
export const QUESTION_OBJECTS: readonly GenesisDefinition[] = [
  QUERY_MORPH,
  ...CONVERSATION_OBJECTS,
  ...PERSONAS,
];

/** What questions leave of themselves in the image: records of what was thought, and no structure of its own. */
export const QUESTION_RECORDS: RecordObjects = {
  prototypes: ["cognitive_cycle", QUERY_MORPH.name],
  objects: CONVERSATION_OBJECTS.map(({ name }) => name),
};

/** Runs cycles over an image, which gets the objects that it lacks. One for each image. */
export async function openCycles(image: Image): Promise<CycleEngine> {
  image.resolveConflicts(CONVERSATION, mergeConversations);
  await image.defineObjects(QUESTION_OBJECTS);
  defineFacets(image);
  return await cyclesOn(image);
}

/** An answer, and the cycle that it came from. */
export interface CycleAnswer extends Answer {
  /** The states that it went through, with milliseconds. */
  readonly states: readonly StateVisit[];
  /** The cycle as an object of the image. */
  readonly oid: number;
}

/**
 * Answers a question as a cycle.
 * @throws as `answerQuestion`, and {CycleError} when the image cannot take it
 */
export async function askInCycle(
  question: string,
  memory: MemoryPort,
  image: Image,
  cycles: CycleEngine,
  options: AskOptions & {
    /** Name of the conversation that keeps its turn; undefined is the one without a name. */
    readonly conversation?: string | undefined;
    readonly deadlineMs?: number;
    readonly onState?: (cycle: RunningCycle) => void;
  },
): Promise<CycleAnswer> {
  const cycle = options.cycle ?? crypto.randomUUID();
  let inquiry = new Inquiry(question, memory, { ...options, cycle });
  let states: readonly StateVisit[] = [];
  let oid = 0;
  let tid: number | undefined;
  const answer = await recorded(inquiry, options, async () => {
    let plan: Plan | undefined;
    let parts: Part[] = [];
    let answer: Answer | undefined;
    const end = await unwrapped(cycles.run(
      { type: "question", selector: inquiry.asked },
      {
        async DECOMPOSING(context) {
          // From here on whatever ends the cycle ends what is done for it.
          inquiry = new Inquiry(question, memory, { ...options, cycle, signal: context.signal });
          const speaker = inquiry.speaker(adaptersOf(image, context, options));
          if (speaker !== undefined) {
            giveVoice(context.unit, async (request) => {
              await noteFacet(context, options, request);
              return await speaker(request);
            });
          }
          plan = await inquiry.decompose(facets(image, context));
          context.temporary("plan", plan.sub_questions.map(({ question }) => question));
          return "DELEGATING";
        },
        async DELEGATING(context) {
          const role = roleOf(context.unit, image, "BABS");
          const prototype = image.named(QUERY_MORPH.name);
          parts = await Promise.all(plan!.sub_questions.map(async (part) => {
            const object = new MorphObject(context.unit, prototype, part.question);
            const done = await inquiry.delegate(part, plan!, {
              role,
              adapterOf: adaptersOf(image, context, options),
              onMorph: (morph) => {
                object.update(morph);
                const step = morph.reasoning_log.at(-1);
                if (step !== undefined) context.tell(`${step.action}: ${step.thought}`);
              },
            });
            object.end();
            return done;
          }));
          return "SYNTHESIZING";
        },
        async SYNTHESIZING(context) {
          answer = await inquiry.synthesize(parts, plan!, facets(image, context));
          const { unit } = context;
          unit.set(context.oid, "found", answer.found);
          unit.set(context.oid, "driver", answer.driver);
          keepTurn(unit, image, options.conversation, options.earlier ?? [], turnOf(answer));
          return "COMPLETE";
        },
      },
      {
        id: cycle,
        signal: options.signal,
        recorder: options.recorder,
        ...(options.deadlineMs !== undefined && { deadlineMs: options.deadlineMs }),
        ...(options.onState && { onState: options.onState }),
      },
    ));
    states = end.states;
    oid = end.oid;
    tid = end.tid;
    return answer!;
  }, () => tid);
  return { ...answer, states, oid };
}

/** The adapters that the personas of the image have, for a cycle. */
function adaptersOf(
  image: Image,
  { unit, signal }: CycleContext,
  { adapters }: AskOptions,
): AdapterOf {
  return async (persona, model) => await adapters?.activate(unit, image, persona, model, signal);
}

/** Which words of a persona a model was told: they are a person's to change, so the trail has their hash. */
async function noteFacet(
  { id }: CycleContext,
  { recorder, model }: AskOptions,
  { persona, facet, prompt_hash }: Pick<FacetRequest, "persona" | "facet" | "prompt_hash">,
): Promise<void> {
  await new CycleRecord(recorder, id).facet({
    state: FACET_STATES[facet] ?? "DELEGATING",
    persona,
    facet,
    by: model?.name ?? "",
    prompt_hash,
  });
}

/** Whoever asked wants to know what went wrong, not in which cycle: that is in the trail. */
async function unwrapped<T>(run: Promise<T>): Promise<T> {
  try {
    return await run;
  } catch (error) {
    throw error instanceof CycleError && error.cause instanceof Error ? error.cause : error;
  }
}

/** Sends facets to the personas of the image, on behalf of a cycle. */
function facets(image: Image, { unit, oid, signal }: CycleContext): AskFacet {
  return async (persona, selector, text) => {
    const written = await unit.send(image.named(persona), selector, [text], {
      sender: oid,
      signal,
    });
    return String(written);
  };
}
