/**
 * What becomes of a conflict: three states of one object merged into one, where its kind says how.
 *
 * Owns the merge slot by slot and the kinds that the kernel knows. A slot that only one side changed is taken from that side; one that
 * both changed is given to the resolver of the kind. What must hold: a merge is whole or it is none.
 */
import type { ObjectRecord, Slot } from "./object_record.ts";
import { dataSlot, isParentName, slotToJson } from "./object_record.ts";
import { handOut, takeIn, type Value } from "./values.ts";

/**
 * Merges one data slot that both sides changed, perhaps to the same value. `undefined` stands for a slot that is not there. Returns the value, or nothing where it
 * knows none: that is a conflict, as is a throw.
 */
export type ConflictResolver = (
  base: Value | undefined,
  ours: Value | undefined,
  theirs: Value | undefined,
  slot: string,
) => Value | undefined;

/** Kinds that every image merges. */
export const KNOWN_RESOLVERS: Readonly<Record<string, ConflictResolver>> = {
  /** Numbers in slots are counts: both sides' differences are added. */
  counter: (base, ours, theirs) => {
    const start = base ?? 0;
    if (typeof start === "number" && typeof ours === "number" && typeof theirs === "number") {
      return theirs + (ours - start);
    }
    if (typeof ours === "bigint" && typeof theirs === "bigint") {
      return theirs + (ours - BigInt(typeof start === "bigint" ? start : 0));
    }
  },
  /** Lists in slots are sets: what either side added is in, what either side removed is out. */
  set: (base, ours, theirs) => {
    if (!Array.isArray(ours) || !Array.isArray(theirs)) return undefined;
    const key = (value: Value) => JSON.stringify(slotToJson("", dataSlot(value)));
    const before = new Set((Array.isArray(base) ? base as Value[] : []).map(key));
    const mine = new Map((ours as Value[]).map((value) => [key(value), value]));
    const merged = new Map((theirs as Value[]).map((value) => [key(value), value]));
    for (const gone of before) if (!mine.has(gone)) merged.delete(gone);
    for (const [one, value] of mine) if (!before.has(one)) merged.set(one, value);
    return [...merged.values()];
  },
};

/**
 * The slots that both sides' changes give together; undefined where they cannot be had.
 * @throws what the resolver throws
 */
export function mergeSlots(
  base: ObjectRecord | undefined,
  ours: ObjectRecord,
  theirs: ObjectRecord,
  resolve: ConflictResolver,
): Map<string, Slot> | undefined {
  if (ours.kind !== theirs.kind) return undefined;
  const merged = new Map<string, Slot>();
  for (const name of new Set([...theirs.slots.keys(), ...ours.slots.keys()])) {
    const [was, our, their] = [base, ours, theirs].map((record) => record?.slots.get(name));
    const oursChanged = !isAlike(name, was, our);
    const theirsChanged = !isAlike(name, was, their);
    let slot = oursChanged ? our : their;
    // Both may have come to the same and still both count: two that count from 1 to 2 make 3.
    const bothData = isOptionalData(was) && isOptionalData(our) && isOptionalData(their);
    const isSame = isAlike(name, our, their);
    if (oursChanged && theirsChanged && !(isSame && (!bothData || isParentName(name)))) {
      if (isParentName(name)) return undefined;
      if (!bothData) return undefined;
      const value = resolve(valueOf(was), valueOf(our), valueOf(their), name);
      if (value === undefined) return undefined;
      slot = dataSlot(takeIn(value, `slot "${name}" of a merged object`));
    }
    if (slot !== undefined) merged.set(name, slot);
  }
  return merged;
}

function isOptionalData(slot: Slot | undefined): boolean {
  return slot === undefined || slot.type === "data";
}

function valueOf(slot: Slot | undefined): Value | undefined {
  return slot?.type === "data" ? handOut(slot.value) : undefined;
}

function isAlike(name: string, a: Slot | undefined, b: Slot | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return JSON.stringify(slotToJson(name, a)) === JSON.stringify(slotToJson(name, b));
}
