/**
 * Objects, slots, transactions and changes of the image in the form in which results have them.
 *
 * Owns that form; `table/image.ts` owns its contract. Pure: views in, plain data out. What must hold: what is shown reads back to the value
 * that is there (`value_json.ts`).
 */
import type { Result } from "../commands.ts";
import { ImageError } from "./errors.ts";
import type { Named, ObjectNames } from "./object_names.ts";
import type { Slot } from "./object_record.ts";
import type { UnitOfWork } from "./unit_of_work.ts";
import { type Json, valueToJson } from "./value_json.ts";
import type { Oid } from "./values.ts";

/** As much of a text as tells one object from another in a list. */
const LONGEST_WORDS = 100;
/** Values that are looked at for it: a list of numbers is none. */
const MOST_LOOKED_AT = 40;

/** What became of a slot, or of an object. */
export type Change = Result<"image_new">["changes"][number];
/** A slot as it is shown. */
export type ShownSlot = Result<"image_get">["slots"][number];

/** An object as lists show it. */
export function headOf(
  unit: UnitOfWork,
  names: ObjectNames,
  oid: Oid,
): Result<"image_ls">["objects"][number] {
  const [parent] = unit.parents(oid);
  const slots = unit.slots(oid);
  const text = firstWords([...slots.values()].map((slot) => slot.type === "data" && slot.value));
  return {
    ...names.of(oid),
    prototype: parent === undefined ? null : names.of(parent),
    slots: slots.size,
    tid: unit.revisionOf(oid),
    ...(text !== undefined && { text }),
  };
}

/** The first words in values and in what they hold: a text with a blank, since one without is a name or a key. */
function firstWords(values: readonly unknown[]): string | undefined {
  const waiting = [...values];
  for (let looked = 0; waiting.length > 0 && looked < MOST_LOOKED_AT; looked++) {
    const value = waiting.shift();
    if (typeof value === "string") {
      const text = value.trim();
      if (/\s/.test(text)) return text.slice(0, LONGEST_WORDS);
    } else if (Array.isArray(value)) waiting.unshift(...value.slice(0, MOST_LOOKED_AT));
    else if (isPlainMap(value)) waiting.unshift(...Object.values(value).slice(0, MOST_LOOKED_AT));
  }
}

/** Whether a value is a map, and nothing that stands for something else, such as a reference. */
function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null;
}

/** The slots that an object inherits, nearest first, each with its holder. */
export function inheritedSlots(unit: UnitOfWork, names: ObjectNames, oid: Oid): ShownSlot[] {
  const slots: ShownSlot[] = [];
  for (const name of inheritedNames(unit, oid)) {
    let found;
    try {
      found = unit.lookup(oid, name);
    } catch (error) {
      // Ambiguous: it is shown by its parents, and a send says so.
      if (!(error instanceof ImageError)) throw error;
    }
    if (found === undefined || found.holder === oid) continue;
    slots.push({ ...shownSlot(name, found.slot), holder: names.of(found.holder) });
  }
  return slots;
}

/** Names of the slots of everything that an object delegates to, each once, nearest first. */
function inheritedNames(unit: UnitOfWork, oid: Oid): string[] {
  const seen = new Set<Oid>([oid]);
  const names = new Set<string>();
  for (const one of seen) {
    for (const parent of unit.parents(one)) if (unit.has(parent)) seen.add(parent);
    if (one === oid) continue;
    for (const name of unit.slots(one).keys()) if (!name.endsWith("*")) names.add(name);
  }
  return [...names];
}

/** A slot as it is shown. */
export function shownSlot(name: string, slot: Slot): ShownSlot {
  switch (slot.type) {
    case "data":
      return {
        name,
        type: "data",
        value: valueToJson(slot.value),
        ...(slot.readOnly && { read_only: true }),
      };
    case "method": {
      const { language, parameters, source, hash } = slot;
      return { name, type: "method", language, parameters: [...parameters], source, hash };
    }
    case "primitive":
      return { name, type: "primitive", primitive: slot.name };
  }
}

/** A transaction as it is shown. */
export function shownTransaction(
  { tid, time, user, description }: {
    tid: number;
    time: number;
    user: string;
    description: string;
  },
): NonNullable<Result<"image_get">["transaction"]> {
  return { tid, time: new Date(time).toISOString(), user, description };
}

/** What became of objects from one view to another. */
export function changesBetween(
  before: UnitOfWork,
  after: UnitOfWork,
  names: ObjectNames,
  oids: readonly Oid[],
): Change[] {
  const slots = (view: UnitOfWork, oid: Oid) => view.has(oid) ? view.slots(oid) : undefined;
  return oids.flatMap((oid) => changesOf(names.of(oid), slots(before, oid), slots(after, oid)));
}

/** What became of the slots of one object; one entry where all of it came or went. */
export function changesOf(
  named: Named,
  before: ReadonlyMap<string, Slot> | undefined,
  after: ReadonlyMap<string, Slot> | undefined,
): Change[] {
  if (after === undefined) return before === undefined ? [] : [{ ...named, change: "removed" }];
  const changes: Change[] = [];
  for (const [name, slot] of after) {
    const old = before?.get(name);
    if (old !== undefined && isSame(old, slot)) continue;
    changes.push({
      ...named,
      slot: name,
      change: old === undefined ? "added" : "changed",
      ...(slot.type === "data" && { value: valueToJson(slot.value) }),
    });
  }
  for (const name of before?.keys() ?? []) {
    if (!after.has(name)) changes.push({ ...named, slot: name, change: "removed" });
  }
  // An object may begin without a slot.
  return changes.length === 0 && before === undefined ? [{ ...named, change: "added" }] : changes;
}

function isSame(one: Slot, other: Slot): boolean {
  const form = (slot: Slot): Json => slot.type === "data" ? valueToJson(slot.value) : null;
  return one.type === other.type &&
    (one.type === "data"
      ? one.readOnly === (other as typeof one).readOnly &&
        JSON.stringify(form(one)) === JSON.stringify(form(other))
      : one.type === "method"
      ? one.hash === (other as typeof one).hash
      : one.name === (other as typeof one).name);
}
