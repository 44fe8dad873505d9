/**
 * The first objects of an image, and how other parts add theirs.
 *
 * Owns the definitions that every image begins with and the way a definition gets in: by name, as often as one likes. What must hold:
 * objects are found by the name of their slot in the lobby; a slot that a person changed or removed stays as they left it, told by
 * the digest of what was shipped last, which the genesis object keeps in `shipped`; whatever did not change is not written.
 */
import { createHash } from "node:crypto";
import { ImageError } from "./errors.ts";
import { type Slot, slotToJson } from "./object_record.ts";
import {
  BLOCK_OID,
  COLLECTION_OID,
  DICTIONARY_OID,
  FALSE_OID,
  GENESIS_OID,
  LIST_OID,
  LOBBY_OID,
  NIL_OID,
  NOTHING,
  TRAITS_OID,
  TRUE_OID,
} from "./primitives.ts";
import { makeSlot, primitive, readOnly, slotAsIs, type SlotSpecs, specPairs } from "./slot_spec.ts";
import type { UnitOfWork } from "./unit_of_work.ts";
import { emptyMap, FIRST_MOUNTED_OID, type Oid, Ref, type Value, type ValueMap } from "./values.ts";

/** An object that is to be there, under a name. */
export interface GenesisDefinition {
  /** Of its slot in the lobby; it gets a read-only slot `name` as well. */
  readonly name: string;
  /** Name of its prototype; `traits` by default, null for none. */
  readonly parent?: string | null;
  readonly kind?: string;
  /** Its slots; a function where they refer to other named objects. */
  readonly slots?: SlotSpecs | ((named: (name: string) => Ref) => SlotSpecs);
}

/** What the kernel itself begins with; others follow with `defineObjects`. */
const FIRST_OBJECTS: readonly (GenesisDefinition & { readonly oid: Oid })[] = [
  {
    name: "traits",
    oid: TRAITS_OID,
    parent: null,
    slots: {
      "clone": primitive("clone"),
      "setSlot:value:": primitive("setSlot"),
      "getSlot:": primitive("getSlot"),
      "hasSlot:": primitive("hasSlot"),
      "removeSlot:": primitive("removeSlot"),
      "slotNames": primitive("slotNames"),
      "value": primitive("self"),
      "==": primitive("isIdentical"),
      "isNil": primitive("no"),
      "printString": primitive("printString"),
      "_doesNotUnderstand_": primitive("notUnderstood"),
    },
  },
  { name: "lobby", oid: LOBBY_OID },
  { name: "genesis", oid: GENESIS_OID },
  {
    name: "nil",
    oid: NIL_OID,
    slots: {
      "value": primitive("nil"),
      "isNil": primitive("yes"),
      "ifTrue:ifFalse:": primitive("chooseSecond"),
    },
  },
  {
    name: "true",
    oid: TRUE_OID,
    slots: {
      "value": primitive("yes"),
      "not": primitive("no"),
      "ifTrue:ifFalse:": primitive("chooseFirst"),
      "ifTrue:": primitive("choose"),
      "ifFalse:": primitive("ignore"),
      "and:": primitive("choose"),
      "or:": primitive("yesWhatever"),
    },
  },
  {
    name: "false",
    oid: FALSE_OID,
    slots: {
      "value": primitive("no"),
      "not": primitive("yes"),
      "ifTrue:ifFalse:": primitive("chooseSecond"),
      "ifTrue:": primitive("ignore"),
      "ifFalse:": primitive("choose"),
      "and:": primitive("noWhatever"),
      "or:": primitive("choose"),
    },
  },
  {
    name: "block",
    oid: BLOCK_OID,
    slots: {
      "value": primitive("nil"),
      "whileTrue:": primitive("whileTrue"),
      "whileFalse:": primitive("whileFalse"),
    },
  },
  { name: "collection", oid: COLLECTION_OID },
  {
    name: "list",
    oid: LIST_OID,
    parent: "collection",
    slots: {
      "items": NOTHING.items,
      "add:": primitive("listAdd"),
      "at:": primitive("listAt"),
      "at:put:": primitive("listAtPut"),
      "removeAt:": primitive("listRemoveAt"),
      "size": primitive("listSize"),
      "asList": primitive("listItems"),
      "do:": primitive("listDo"),
      "collect:": primitive("listCollect"),
    },
  },
  {
    name: "dictionary",
    oid: DICTIONARY_OID,
    parent: "collection",
    slots: {
      "entries": NOTHING.entries,
      "at:": primitive("dictionaryAt"),
      "at:put:": primitive("dictionaryAtPut"),
      "removeKey:": primitive("dictionaryRemoveKey"),
      "includesKey:": primitive("dictionaryIncludes"),
      "keys": primitive("dictionaryKeys"),
      "values": primitive("dictionaryValues"),
      "size": primitive("dictionarySize"),
      "do:": primitive("dictionaryDo"),
    },
  },
];

/** Makes sure that the kernel's own objects are there, as this version has them. */
export function defineFirstObjects(unit: UnitOfWork): void {
  for (const { oid } of FIRST_OBJECTS) {
    // Bare: what they refer to may come after them.
    if (!unit.has(oid)) unit.place(oid, { parent: null });
  }
  for (const { name, oid } of FIRST_OBJECTS) {
    if (unit.slot(LOBBY_OID, name) === undefined) unit.define(LOBBY_OID, name, new Ref(oid));
  }
  defineObjects(unit, FIRST_OBJECTS);
}

/**
 * Puts back what a damaged file lost of the objects that the kernel and others define: at their OIDs, so that what refers to them
 * finds them again, bare where whoever defines them fills them when the image is opened next. The lobby forgets other names that lead nowhere.
 *
 * @param hasLobby whether the lobby could be read: otherwise what it lacks was not taken out by a person
 */
export function restoreLostObjects(unit: UnitOfWork, hasLobby: boolean): void {
  for (const { oid } of FIRST_OBJECTS) if (!unit.has(oid)) unit.place(oid, { parent: null });
  const kept = unit.get(GENESIS_OID, "shipped") as ValueMap | undefined;
  const shipped = Object.assign(emptyMap(), hasLobby ? kept : undefined);
  for (const { name, oid } of FIRST_OBJECTS) if (unit.slots(oid).size === 0) delete shipped[name];
  for (const [name, slot] of unit.slots(LOBBY_OID)) {
    if (slot.type !== "data" || !(slot.value instanceof Ref)) continue;
    const { oid } = slot.value;
    if (oid >= FIRST_MOUNTED_OID || unit.has(oid)) continue;
    if (name in shipped) {
      unit.place(oid, { parent: null });
      delete shipped[name];
    } else unit.remove(LOBBY_OID, name);
  }
  unit.define(GENESIS_OID, "shipped", shipped);
  defineFirstObjects(unit);
}

/**
 * Makes sure that these objects are there, with these slots, in one unit of work. What a person changed or removed since the last
 * time stays; a slot that this version has otherwise than the last is replaced.
 *
 * @throws {ImageError} when a parent or a named object is not there, or the name means something else
 */
export function defineObjects(unit: UnitOfWork, definitions: readonly GenesisDefinition[]): void {
  const shipped = Object.assign(
    emptyMap(),
    unit.get(GENESIS_OID, "shipped") as ValueMap | undefined,
  );
  const oids = new Map<string, Oid>();
  for (const { name, kind } of definitions) {
    const slot = unit.slot(LOBBY_OID, name);
    // An object that a person took out of the lobby stays out.
    if (slot === undefined && name in shipped) continue;
    const oid = slot === undefined
      ? unit.create({ parent: null, ...(kind !== undefined && { kind }) })
      : slot.type === "data" && slot.value instanceof Ref
      ? slot.value.oid
      : undefined;
    if (oid === undefined) {
      throw new ImageError(
        `define object "${name}": the lobby's slot of that name holds no object; rename one of them`,
      );
    }
    if (slot === undefined) unit.define(LOBBY_OID, name, new Ref(oid));
    oids.set(name, oid);
  }
  const named = (name: string) => new Ref(oids.get(name) ?? namedObject(unit, name));
  let changed = false;
  for (const definition of definitions) {
    const oid = oids.get(definition.name);
    if (oid === undefined) continue;
    const digests = Object.assign(emptyMap(), shipped[definition.name] as ValueMap | undefined);
    if (!fill(unit, oid, wantedSlots(definition, named), digests)) continue;
    shipped[definition.name] = digests;
    changed = true;
  }
  if (changed) unit.define(GENESIS_OID, "shipped", shipped);
}

/**
 * The object of a name.
 * @throws {ImageError} when there is none
 */
export function namedObject(unit: UnitOfWork, name: string): Oid {
  const slot = unit.slot(LOBBY_OID, name);
  if (slot?.type === "data" && slot.value instanceof Ref) return slot.value.oid;
  throw new ImageError(`find object "${name}": the lobby has no such object; see its slots`);
}

function wantedSlots(
  { name, parent = "traits", slots }: GenesisDefinition,
  named: (name: string) => Ref,
): Map<string, Slot> {
  const wanted = new Map<string, unknown>();
  if (parent !== null) wanted.set("parent*", named(parent));
  wanted.set("name", readOnly(name));
  for (const [slot, spec] of specPairs(typeof slots === "function" ? slots(named) : slots)) {
    wanted.set(slot, spec);
  }
  return new Map(
    [...wanted].map(([slot, spec]) => [slot, makeSlot(slot, spec, `slot "${slot}" of "${name}"`)]),
  );
}

/** Brings the slots of one object up to date and notes what was shipped; gives whether anything was written. */
function fill(
  unit: UnitOfWork,
  oid: Oid,
  wanted: ReadonlyMap<string, Slot>,
  digests: Record<string, Value>,
): boolean {
  const own = unit.slots(oid);
  let changed = false;
  for (const [name, slot] of wanted) {
    const digest = digestOf(name, slot);
    const last = digests[name];
    if (last === digest) continue;
    const present = own.get(name);
    const untouched = last === undefined
      ? present === undefined
      : present !== undefined && digestOf(name, present) === last;
    if (untouched) unit.define(oid, name, slotAsIs(slot));
    // Noted even where a person's slot stays, so that it is compared with this version from now on.
    digests[name] = digest;
    changed = true;
  }
  return changed;
}

/** Enough of a digest to tell two versions of a slot apart. */
function digestOf(name: string, slot: Slot): string {
  const text = JSON.stringify(slotToJson(name, slot));
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
