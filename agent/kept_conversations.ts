/**
 * The conversations of a workspace, as objects of its image: which there are, what they go on with, how they are forgotten.
 *
 * Owns these objects. What must hold: two conversations never mix; there is a bounded number of them, each with a bounded number of turns;
 * what is forgotten leaves the present of the image, and with the next pack its past.
 *
 *     conversation     turns: []        the one without a name, of command lines without a terminal, and the prototype of the others
 *     conversations    "NAME": object   a slot for each that has a name; the quotes keep names apart from other slots
 *
 * A terminal's conversation has the terminal's name (`kernel/doors/own_terminal.ts`): windows, consoles and clients have names of their own.
 */
import {
  type ConflictResolver,
  type GenesisDefinition,
  type Image,
  isTerminalName,
  LOBBY_OID,
  type Oid,
  Ref,
  retried,
  type UnitOfWork,
  type ValueMap,
} from "../kernel/mod.ts";
import type { Turn } from "./conversation.ts";
import { QUERY_MORPH } from "./morph_object.ts";

/** Name of the object in the lobby, and of the kind of all of them. */
export const CONVERSATION = "conversation";
/** Name of the object that knows the others by their names; of the same kind, so that two can be begun at once. */
const NAMED = "conversations";

/** The objects that conversations begin with. */
export const CONVERSATION_OBJECTS: readonly GenesisDefinition[] = [
  { name: CONVERSATION, kind: CONVERSATION, slots: { turns: [] } },
  { name: NAMED, kind: CONVERSATION },
];

/** Conversations with a name: more than anybody has open; the one that was silent longest makes room. */
export const MOST_CONVERSATIONS = 64;
/** Those of terminals beside them: they come with every window, and are not to push out what a person named. */
export const MOST_TERMINALS = 16;
/** A longer conversation has another subject by now. */
const MOST_TURNS = 8;

/** What a question leaves beside the turn, and the slots in which its words are. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  cognitive_cycle: ["mission_brief"],
  [QUERY_MORPH.name]: ["initial_prompt", "refined_query", "reasoning_log", "retrieved_context"],
};

/** Of two turns that are written at once the later one stays; what was forgotten meanwhile does not come back with it. */
export const mergeConversations: ConflictResolver = (base, ours, theirs, slot) => {
  if (slot !== "turns" || !isEmpty(theirs) || isEmpty(base)) return ours;
  const forgotten = new Set(turnsIn(base).map(({ cycle_id }) => cycle_id));
  return turnsIn(ours).filter(({ cycle_id }) => !forgotten.has(cycle_id)) as unknown as ValueMap[];
};

/** The turns of a conversation, the oldest first; without a name of the one that has none. */
export function conversationIn(image: Image, name?: string): Turn[] {
  using view = image.view();
  const oid = conversationOid(image, view, name);
  return oid === undefined ? [] : turnsOf(view, oid);
}

/** The turns of the conversation that command lines went on with last, at whatever terminal or at none. */
export function lastAtCommandLines(image: Image): Turn[] {
  using view = image.view();
  const [last] = allIn(image, view)
    .filter(({ name, turns }) => turns.length > 0 && (name === "" || isTerminalName(name)))
    .toSorted((one, other) => other.spoke - one.spoke);
  return last?.turns ?? [];
}

/** Puts a turn behind those that it goes on with; a conversation without earlier turns begins anew. */
export function keepTurn(
  unit: UnitOfWork,
  image: Image,
  name: string | undefined,
  earlier: readonly Turn[],
  turn: Turn,
): void {
  const oid = conversationOid(image, unit, name) ?? begin(unit, image, name!);
  unit.set(oid, "turns", [...earlier, turn].slice(-MOST_TURNS));
}

/** A conversation that can be gone on with. */
export interface KeptConversation {
  /** Empty for the one that has none. */
  readonly name: string;
  /** Its questions, the oldest first. */
  readonly questions: readonly string[];
  /** When its last question was answered. */
  readonly time: Date;
}

/** All of them, the latest first. */
export function conversationsIn(image: Image): KeptConversation[] {
  using view = image.view();
  return allIn(image, view).filter(({ turns }) => turns.length > 0)
    .toSorted((one, other) => other.spoke - one.spoke)
    .map(({ name, turns, spoke }) => ({
      name,
      questions: turns.map(({ question }) => question),
      time: new Date(image.transaction(spoke)?.time ?? 0),
    }));
}

/** What was forgotten. */
export interface Forgotten {
  readonly conversations: readonly { readonly name: string; readonly questions: number }[];
  /** The transaction, which can be undone; null where there was nothing to forget. */
  readonly tid: number | null;
  /** The objects that were emptied. */
  readonly oids: readonly Oid[];
}

/**
 * Forgets conversations: their turns, their names, and the words of their questions in the cycles that answered them. What is left of the objects
 * leads nowhere, so that a pack collects it, and the past with it.
 * @param names empty for the one that has none; undefined forgets all
 */
export async function forgetConversations(
  image: Image,
  names: readonly string[] | undefined,
): Promise<Forgotten> {
  image.resolveConflicts(CONVERSATION, mergeConversations);
  return await retried(async () => {
    using unit = image.begin({ user: "command", description: "forget conversations" });
    const leaving = allIn(image, unit).filter(({ name, turns }) =>
      // One that has a name may have lost its turns, and is still there.
      (names === undefined || names.includes(name)) && (name !== "" || turns.length > 0)
    );
    const oids = leaving.flatMap(({ name, oid }) => {
      const emptied = [oid, ...emptyWork(image, unit, oid)];
      unit.set(oid, "turns", []);
      if (name !== "") unit.remove(image.named(NAMED), slotOf(name));
      return emptied;
    });
    const tid = oids.length === 0 ? null : await unit.commit();
    const conversations = leaving.map(({ name, turns }) => ({ name, questions: turns.length }));
    return { conversations, tid, oids };
  });
}

/**
 * Takes the words out of what was done for the questions of a conversation: each was committed together with its turn, so the past of the
 * conversation leads to it.
 * @returns the objects
 */
function emptyWork(image: Image, unit: UnitOfWork, conversation: Oid): Oid[] {
  const kinds = Object.entries(WORDS).filter(([prototype]) => knows(image, prototype))
    .map(([prototype, slots]) => ({ prototype: image.named(prototype), slots }));
  return image.history(conversation).flatMap(({ tid }) => {
    return (image.transaction(tid)?.oids ?? []).filter((oid) => {
      if (!unit.has(oid)) return false;
      const parents = unit.parents(oid);
      const { slots = [] } = kinds.find(({ prototype }) => parents.includes(prototype)) ?? {};
      return slots.filter((slot) => unit.remove(oid, slot)).length > 0;
    });
  });
}

/** A question that a conversation goes on with again, or no longer. */
export interface TurnChange {
  /** Name of the conversation; empty for the one that has none. */
  readonly conversation: string;
  readonly question: string;
  readonly change: "added" | "removed";
}

/** What a transaction did to the turns of conversations: an undo takes some with it that nobody asked about. */
export function turnChanges(image: Image, tid: number): TurnChange[] {
  using before = image.at(tid - 1);
  using after = image.at(tid);
  return (image.transaction(tid)?.oids ?? []).flatMap((oid) => {
    const views = [before, after].filter((view) => view.has(oid));
    if (!views.some((view) => view.kindOf(oid) === CONVERSATION)) return [];
    const conversation = views.map((view) => nameOf(image, view, oid)).find((name) => name) ?? "";
    const [old, now] = [before, after].map((view) => view.has(oid) ? turnsOf(view, oid) : []);
    const missing = (from: readonly Turn[], others: readonly Turn[]) =>
      from.filter(({ cycle_id }) => others.every((other) => other.cycle_id !== cycle_id));
    const told = (turns: readonly Turn[], change: TurnChange["change"]): TurnChange[] =>
      turns.map(({ question }) => ({ conversation, question, change }));
    return [...told(missing(old!, now!), "removed"), ...told(missing(now!, old!), "added")];
  });
}

function nameOf(image: Image, view: UnitOfWork, oid: Oid): string | undefined {
  const names = image.named(NAMED);
  if (!view.has(names)) return undefined;
  for (const [name, slot] of view.slots(names)) {
    const isIt = slot.type === "data" && slot.value instanceof Ref && slot.value.oid === oid;
    if (isIt && name.startsWith('"')) return name.slice(1, -1);
  }
}

function conversationOid(
  image: Image,
  unit: UnitOfWork,
  name: string | undefined,
): Oid | undefined {
  if (name === undefined) return image.named(CONVERSATION);
  const slot = unit.slot(image.named(NAMED), slotOf(name));
  // A person may have written something else there.
  if (slot?.type !== "data" || !(slot.value instanceof Ref)) return undefined;
  return unit.has(slot.value.oid) ? slot.value.oid : undefined;
}

/** Makes a conversation, and forgets those that were silent longest where there are too many. */
function begin(unit: UnitOfWork, image: Image, name: string): Oid {
  const all = image.named(NAMED);
  const ofTerminal = isTerminalName(name);
  const others = namedIn(image, unit).filter(({ name }) => isTerminalName(name) === ofTerminal);
  const most = ofTerminal ? MOST_TERMINALS : MOST_CONVERSATIONS;
  const leaving = others.toSorted((one, other) => one.spoke - other.spoke)
    .slice(0, Math.max(0, others.length + 1 - most));
  for (const { name } of leaving) unit.remove(all, slotOf(name));
  const oid = unit.create({ parent: image.named(CONVERSATION), kind: CONVERSATION });
  unit.set(all, slotOf(name), new Ref(oid));
  return oid;
}

function slotOf(name: string): string {
  return `"${name}"`;
}

/** The slots of those that have names: their objects, and when they were written. */
function namedIn(image: Image, unit: UnitOfWork) {
  return [...unit.slots(image.named(NAMED))].flatMap(([slot, content]) => {
    if (!slot.startsWith('"') || content.type !== "data") return [];
    if (!(content.value instanceof Ref)) return [];
    const { oid } = content.value;
    return [{ name: slot.slice(1, -1), oid, spoke: unit.has(oid) ? unit.revisionOf(oid) : 0 }];
  });
}

/** All conversations that are there. */
function allIn(image: Image, unit: UnitOfWork) {
  if (!knows(image, CONVERSATION)) return [];
  const oid = image.named(CONVERSATION);
  return [{ name: "", oid, spoke: unit.revisionOf(oid) }, ...namedIn(image, unit)]
    .filter(({ oid }) => unit.has(oid))
    .map((each) => ({ ...each, turns: turnsOf(unit, each.oid) }));
}

/** Whether an image has an object of that name: one that no question was asked in lacks ours. */
function knows(image: Image, name: string): boolean {
  using view = image.view();
  return view.slot(LOBBY_OID, name) !== undefined;
}

function turnsOf(unit: UnitOfWork, oid: number): Turn[] {
  return turnsIn(unit.get(oid, "turns"));
}

function isEmpty(turns: unknown): boolean {
  return turnsIn(turns).length === 0;
}

function turnsIn(turns: unknown): Turn[] {
  if (!Array.isArray(turns)) return [];
  // A person may have written something else there.
  return (turns as readonly ValueMap[]).filter((turn) =>
    typeof turn?.question === "string" && typeof turn.answer === "string" &&
    Array.isArray(turn.places)
  ) as unknown as Turn[];
}
