/**
 * How callers say what a slot is to be.
 *
 * Owns the specs: a plain value means a data slot; `method`, `primitive` and `readOnly` make the others. What must hold: what a spec
 * becomes was checked, and shares nothing with the caller that can change.
 */
import { dataSlot, isParentName, methodSlot, requireName, type Slot } from "./object_record.ts";
import { handOut, Ref, takeIn, type Value, type Where } from "./values.ts";

/** A slot that is not plain data. Made by `method`, `primitive`, `readOnly`. */
export class SlotSpec {
  constructor(readonly make: (where: Where) => Slot) {}
}

/** Slots by name. A Map, or pairs, where a name such as `__proto__` may be among them. */
export type SlotSpecs =
  | Readonly<Record<string, unknown>>
  | Iterable<readonly [string, unknown]>;

/** Longest source of a method: more is no method that anybody checks. */
const LONGEST_SOURCE = 1_000_000;

/**
 * A method as source, run by whoever is handed in to run methods (see `send.ts`).
 * @param options `parameters` without the receiver; `language` is `js` by default
 */
export function method(
  source: string,
  { parameters = [], language = "js" }: { parameters?: readonly string[]; language?: string } = {},
): SlotSpec {
  return new SlotSpec((where) => {
    if (typeof source !== "string" || source.length > LONGEST_SOURCE) {
      throw new TypeError(
        `write ${
          inWords(where)
        }: the source of a method is a text of at most ${LONGEST_SOURCE} characters`,
      );
    }
    requireName(language, "language of a method");
    for (const name of parameters) requireName(name, "parameter of a method");
    return methodSlot(source, parameters, language);
  });
}

/** A method that is a function of the kernel, by its name. It need not be known here: it is looked for when it is sent. */
export function primitive(name: string): SlotSpec {
  return new SlotSpec(() => {
    requireName(name, "primitive");
    return Object.freeze({ type: "primitive", name });
  });
}

/** Data that can be read and not assigned. */
export function readOnly(value: unknown): SlotSpec {
  return new SlotSpec((where) => dataSlot(takeIn(value, where), true));
}

/** Data that can be assigned: what a plain value means where a spec may stand. */
export function assignable(value: unknown): SlotSpec {
  return new SlotSpec((where) => dataSlot(takeIn(value, where)));
}

/** A slot as it was, to be written elsewhere. */
export function slotAsIs(slot: Slot): SlotSpec {
  return new SlotSpec(() => slot);
}

/**
 * The slot that a spec or a value means.
 * @throws {TypeError} when it is no data, or names a parent that is none
 */
export function makeSlot(name: string, spec: unknown, where: Where): Slot {
  const slot = (spec instanceof SlotSpec ? spec : assignable(spec)).make(where);
  if (isParentName(name)) requireParent(slot, where);
  return slot;
}

function requireParent(slot: Slot, where: Where): void {
  if (slot.type === "data" && (slot.value === null || slot.value instanceof Ref)) return;
  const found = slot.type === "data"
    ? Array.isArray(slot.value) ? "a list" : `a ${typeof slot.value}`
    : `a ${slot.type}`;
  throw new TypeError(
    `write ${
      inWords(where)
    }: found ${found}; a name that ends in "*" is that of a parent, so it takes a reference to an object, or null`,
  );
}

function inWords(where: Where): string {
  return typeof where === "string" ? where : where();
}

/** The pairs of specs, whichever form they have. */
export function specPairs(specs: SlotSpecs | undefined): Iterable<readonly [string, unknown]> {
  if (specs === undefined) return [];
  return Symbol.iterator in specs
    ? specs as Iterable<readonly [string, unknown]>
    : Object.entries(specs);
}

/** A slot for anybody to have. */
export function slotCopy(slot: Slot): Slot {
  return slot.type === "data" ? { ...slot, value: handOut(slot.value) } : slot;
}

/** The value of a data slot for anybody to have. */
export function slotValue(slot: Slot & { type: "data" }): Value {
  return handOut(slot.value);
}
