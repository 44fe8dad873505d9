/**
 * The methods that genesis objects are born with, as functions of the kernel.
 *
 * Owns their behaviour; `genesis.ts` says which object has which under what selector. What must hold: none keeps state outside the
 * image; none acts on anything but through its context, so that what it does belongs to the unit of work.
 */
import { ImageError } from "./errors.ts";
import type { MethodContext, MissionBrief, Primitive, SendKind } from "./send.ts";
import { BlobRef, emptyMap, type Oid, Ref, seal, type Value, type ValueMap } from "./values.ts";

/** OIDs of the first objects, the same in every image. */
export const LOBBY_OID = 0;
export const TRAITS_OID = 1;
export const GENESIS_OID = 2;
export const NIL_OID = 3;
export const TRUE_OID = 4;
export const FALSE_OID = 5;
export const BLOCK_OID = 6;
export const COLLECTION_OID = 7;
export const LIST_OID = 8;
export const DICTIONARY_OID = 9;

/** Rounds of a loop between two looks at the signal and at the rest of the program. */
const ROUNDS_BETWEEN_PAUSES = 256;

/** By the name under which slots hold them. */
export const PRIMITIVES: Readonly<Record<string, Primitive>> = {
  // --- every object ---------------------------------------------------------------------------------------------------
  clone: { arity: 0, run: ({ unit, self }) => new Ref(unit.clone(self)) },
  setSlot: {
    arity: 2,
    run({ unit, self, args: [name, value] }) {
      unit.set(self, requireText(name, "setSlot:value:"), value);
      return new Ref(self);
    },
  },
  getSlot: {
    arity: 1,
    run({ unit, self, args: [name] }) {
      const found = unit.get(self, requireText(name, "getSlot:"));
      if (found === undefined) {
        throw new ImageError(`getSlot: ${JSON.stringify(name)}: object ${self} has no such slot`);
      }
      return found;
    },
  },
  hasSlot: {
    arity: 1,
    run: ({ unit, self, args: [name] }) =>
      unit.lookup(self, requireText(name, "hasSlot:")) !== undefined,
  },
  removeSlot: {
    arity: 1,
    run: ({ unit, self, args: [name] }) => unit.remove(self, requireText(name, "removeSlot:")),
  },
  slotNames: { arity: 0, run: ({ unit, self }) => [...unit.slots(self).keys()] },
  self: { arity: 0, run: ({ self }) => new Ref(self) },
  isIdentical: {
    arity: 1,
    run: ({ self, args: [other] }) => other instanceof Ref && other.oid === self,
  },
  printString: { arity: 0, run: ({ unit, self }) => nameOf(unit.get(self, "name"), self) },
  notUnderstood: {
    arity: 4,
    async run({ self, args: [selector, args, holder, kind], sender, author }) {
      const brief: MissionBrief = {
        target: self,
        selector: requireText(selector, "_doesNotUnderstand_"),
        args: Array.isArray(args) ? args as Value[] : [],
        sender,
        holder: holder instanceof Ref ? holder.oid : null,
        kind: kind as SendKind,
      };
      return await author(brief);
    },
  },

  // --- nil, true, false, blocks ---------------------------------------------------------------------------------------
  yes: { arity: 0, run: () => true },
  no: { arity: 0, run: () => false },
  nil: { arity: 0, run: () => null },
  chooseFirst: { arity: 2, run: (context) => valueOf(context, context.args[0]!) },
  chooseSecond: { arity: 2, run: (context) => valueOf(context, context.args[1]!) },
  choose: { arity: 1, run: (context) => valueOf(context, context.args[0]!) },
  ignore: { arity: 1, run: () => null },
  yesWhatever: { arity: 1, run: () => true },
  noWhatever: { arity: 1, run: () => false },
  whileTrue: { arity: 1, run: (context) => loop(context, true) },
  whileFalse: { arity: 1, run: (context) => loop(context, false) },

  // --- lists and dictionaries -----------------------------------------------------------------------------------------
  listAdd: {
    arity: 1,
    run({ unit, self, args: [value] }) {
      unit.set(self, "items", [...itemsOf({ unit, self }), value!]);
      return value;
    },
  },
  listAt: {
    arity: 1,
    run: (context) => itemsOf(context)[indexIn(context, "at:")],
  },
  listAtPut: {
    arity: 2,
    run(context) {
      const items = [...itemsOf(context)];
      items[indexIn(context, "at:put:")] = context.args[1]!;
      context.unit.set(context.self, "items", items);
      return context.args[1];
    },
  },
  listRemoveAt: {
    arity: 1,
    run(context) {
      const items = [...itemsOf(context)];
      const [removed] = items.splice(indexIn(context, "removeAt:"), 1);
      context.unit.set(context.self, "items", items);
      return removed;
    },
  },
  listSize: { arity: 0, run: (context) => itemsOf(context).length },
  listItems: { arity: 0, run: (context) => itemsOf(context) },
  listDo: {
    arity: 1,
    async run(context) {
      for (const item of itemsOf(context)) await apply(context, "do:", [item]);
      return new Ref(context.self);
    },
  },
  listCollect: {
    arity: 1,
    async run(context) {
      const collected: Value[] = [];
      for (const item of itemsOf(context)) collected.push(await apply(context, "collect:", [item]));
      const list = context.unit.clone(context.self);
      context.unit.set(list, "items", collected);
      return new Ref(list);
    },
  },
  dictionaryAt: {
    arity: 1,
    run(context) {
      const key = requireText(context.args[0], "at:");
      const entries = entriesOf(context);
      if (!Object.hasOwn(entries, key)) {
        throw new ImageError(
          `at: ${JSON.stringify(key)}: dictionary ${context.self} has no such key`,
        );
      }
      return entries[key];
    },
  },
  dictionaryAtPut: {
    arity: 2,
    run(context) {
      const key = requireText(context.args[0], "at:put:");
      const entries = Object.assign(emptyMap(), entriesOf(context));
      entries[key] = context.args[1]!;
      context.unit.set(context.self, "entries", entries);
      return context.args[1];
    },
  },
  dictionaryRemoveKey: {
    arity: 1,
    run(context) {
      const key = requireText(context.args[0], "removeKey:");
      const entries = Object.assign(emptyMap(), entriesOf(context));
      const had = Object.hasOwn(entries, key);
      delete entries[key];
      context.unit.set(context.self, "entries", entries);
      return had;
    },
  },
  dictionaryIncludes: {
    arity: 1,
    run: (context) =>
      Object.hasOwn(entriesOf(context), requireText(context.args[0], "includesKey:")),
  },
  dictionaryKeys: { arity: 0, run: (context) => Object.keys(entriesOf(context)) },
  dictionaryValues: { arity: 0, run: (context) => Object.values(entriesOf(context)) },
  dictionarySize: { arity: 0, run: (context) => Object.keys(entriesOf(context)).length },
  dictionaryDo: {
    arity: 1,
    async run(context) {
      for (const [key, value] of Object.entries(entriesOf(context))) {
        await apply(context, "do:", [key, value]);
      }
      return new Ref(context.self);
    },
  },
};

/** A block's value; a value that is no object is its own. */
async function valueOf({ send }: MethodContext, given: Value): Promise<Value> {
  return given instanceof Ref ? await send(given, "value") : given;
}

/** Sends `value:` or `value:value:` to the block in the first argument. */
async function apply(context: MethodContext, selector: string, args: Value[]): Promise<Value> {
  const [block] = context.args;
  if (!(block instanceof Ref)) {
    throw new TypeError(`${selector}: found no block as its argument; give a reference to one`);
  }
  return await context.send(block, "value:".repeat(args.length), args);
}

async function loop(context: MethodContext, goOn: boolean): Promise<Value> {
  for (let round = 1; (await context.send(context.self, "value")) === goOn; round++) {
    await valueOf(context, context.args[0]!);
    if (round % ROUNDS_BETWEEN_PAUSES === 0) await new Promise((done) => setTimeout(done, 0));
    context.signal?.throwIfAborted();
  }
  return null;
}

type ObjectAtHand = Pick<MethodContext, "unit" | "self">;

function itemsOf({ unit, self }: ObjectAtHand): readonly Value[] {
  const items = unit.get(self, "items");
  if (!Array.isArray(items)) {
    throw new ImageError(`use list ${self}: its slot "items" holds no list; set it to one`);
  }
  return items as readonly Value[];
}

function entriesOf({ unit, self }: ObjectAtHand): ValueMap {
  const entries = unit.get(self, "entries");
  if (
    typeof entries !== "object" || entries === null || Array.isArray(entries) ||
    Object.getPrototypeOf(entries) !== null
  ) {
    throw new ImageError(`use dictionary ${self}: its slot "entries" holds no map; set it to one`);
  }
  return entries as ValueMap;
}

/** The 0-based index in the first argument. */
function indexIn(context: MethodContext, selector: string): number {
  const [index] = context.args;
  const { length } = itemsOf(context);
  if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= length) {
    throw new RangeError(
      `${selector} ${String(index)}: list ${context.self} has ${length} items, counted from 0`,
    );
  }
  return index;
}

function requireText(value: Value | undefined, selector: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`${selector} takes a name as its first argument, found ${describe(value)}`);
}

function describe(value: Value | undefined): string {
  if (value === null || value === undefined) return "nothing";
  if (value instanceof Ref || value instanceof BlobRef) return value.toString();
  return `a ${typeof value}`;
}

function nameOf(name: Value | undefined, self: Oid): string {
  return typeof name === "string" ? name : `object ${self}`;
}

/** The first items of new lists and entries of new dictionaries. */
export const NOTHING: { readonly items: readonly Value[]; readonly entries: ValueMap } = {
  items: seal([]),
  entries: seal(emptyMap()),
};
