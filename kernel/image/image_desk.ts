/**
 * The image as commands see it: objects found by what people type, values and changes in a form that can be shown.
 *
 * Owns what the commands `image …` do; `table/image.ts` owns their contract. What must hold: every command that writes is one
 * transaction and says what it changed; a dry run leaves nothing; what cannot be found is answered with names that are near.
 */
import type { Input, Result } from "../commands.ts";
import { ConflictError, ImageError } from "./errors.ts";
import type { Image } from "./image.ts";
import type { Slot } from "./object_record.ts";
import { LOBBY_OID } from "./primitives.ts";
import type { UnitOfWork } from "./unit_of_work.ts";
import { type Json, valueFromJson, valueToJson } from "./value_json.ts";
import { type Oid, parseOid, Ref, type Value } from "./values.ts";

/** Who commits what a command changes, as the log shows it. */
const USER = "command";
/** Commands that change one object at once are few; more conflicts than this in a row mean something else. */
const RETRIES = 5;
/** Objects looked at in one go while listing. */
const PAGE = 1_000;
/** Near names in a message. */
const MOST_NEAR = 5;
/** Longest description that a command gives a transaction: a line of the log. */
const LONGEST_DESCRIPTION = 200;

/** An object as results name it. */
interface Named {
  readonly oid: string;
  readonly name: string;
}
type Change = Result<"image_new">["changes"][number];
type ShownSlot = Result<"image_get">["slots"][number];

/** Finds an object that is only shown in the image by what people call it: a path, for example. */
export type FindShown = (given: string) => Oid | undefined;

/** See the module text. */
export class ImageDesk {
  readonly #image: Image;
  readonly #findShown: FindShown;

  /** @param findShown asked for names that the lobby does not have */
  constructor(image: Image, findShown: FindShown = () => undefined) {
    this.#image = image;
    this.#findShown = findShown;
  }

  /**
   * The object that somebody means.
   * @throws {ImageError} with near names when there is none
   */
  find(object: string, at?: number): Named {
    using unit = this.#view(at);
    const names = new Names(unit, this.#findShown);
    return names.of(this.#findIn(names, object, at));
  }

  /** Objects that match, by OID. */
  ls(
    { pattern, prototype, at, limit, after }: Omit<Input<"image_ls">, "repo">,
  ): Result<"image_ls"> {
    using unit = this.#view(at);
    const names = new Names(unit, this.#findShown);
    const parent = prototype === undefined ? undefined : names.find(prototype);
    const matches = matcher(pattern);
    const objects: Result<"image_ls">["objects"][number][] = [];
    let from = after === undefined ? 0 : parseOid(after) + 1;
    for (;;) {
      const page = unit.oids(from, PAGE);
      for (const oid of page) {
        if (!unit.has(oid)) continue;
        if (parent !== undefined && !unit.parents(oid).includes(parent)) continue;
        const head = headOf(unit, names, oid);
        const slots = unit.slots(oid);
        const isWanted = matches === undefined || matches(head.oid) || matches(head.name) ||
          (head.prototype !== null && matches(head.prototype.name)) ||
          [...slots].some(([name, slot]) =>
            matches(name) || (slot.type === "data" && typeof slot.value === "string" &&
              matches(slot.value)) ||
            (slot.type === "method" && matches(slot.source))
          );
        if (!isWanted) continue;
        if (objects.length === limit) return { objects, next: objects.at(-1)!.oid };
        objects.push(head);
      }
      if (page.length < PAGE) return { objects };
      from = page.at(-1)! + 1;
    }
  }

  /** One object. */
  get({ object, at, inherited }: Omit<Input<"image_get">, "repo">): Result<"image_get"> {
    using unit = this.#view(at);
    const names = new Names(unit, this.#findShown);
    const oid = this.#findIn(names, object, at);
    const slots: ShownSlot[] = [...unit.slots(oid)].map(([name, slot]) => shownSlot(name, slot));
    if (inherited) {
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
    }
    const tid = unit.revisionOf(oid);
    const transaction = tid === 0 ? undefined : this.#image.log({ before: tid + 1, limit: 1 })[0];
    return {
      ...headOf(unit, names, oid),
      kind: unit.kindOf(oid),
      parents: [...unit.slots(oid)].flatMap(([slot, { type, ...rest }]) =>
        slot.endsWith("*") && type === "data" && "value" in rest && rest.value instanceof Ref
          ? [{ slot, ...names.of(rest.value.oid) }]
          : []
      ),
      slots,
      transaction: transaction === undefined ? null : shownTransaction(transaction),
    };
  }

  /** A new object. */
  create(input: Omit<Input<"image_new">, "repo">): Promise<Result<"image_new">> {
    return retried(() => this.#create(input));
  }

  async #create(
    { prototype: first, slots: rest, name, text }: Omit<Input<"image_new">, "repo">,
  ): Promise<Result<"image_new">> {
    // A prototype may be left out: then the first word is a slot already.
    const isSlot = first.includes("=");
    const prototype = isSlot ? "traits" : first;
    const slots = isSlot ? [first, ...rest] : rest;
    using unit = this.#image.begin({ user: USER, description: `new ${name ?? prototype}` });
    const names = new Names(unit, this.#findShown);
    const parent = names.find(prototype);
    const pairs = slots.map((one): [string, Value] => {
      const equals = one.indexOf("=");
      if (equals < 1) {
        throw new ImageError(`new object: slot "${one}" has no value; write NAME=VALUE`);
      }
      return [one.slice(0, equals), names.value(one.slice(equals + 1), text)];
    });
    if (name !== undefined && unit.slot(LOBBY_OID, name) !== undefined) {
      throw new ImageError(
        `new object "${name}": the lobby has that name already; choose another, or "batos image rm ${name}" first`,
      );
    }
    const oid = refusing(() => unit.create({ parent, slots: pairs }));
    if (name !== undefined) unit.define(LOBBY_OID, name, new Ref(oid));
    const committed = await this.#commit(unit, false);
    return { oid: String(oid), name: name ?? nameOf(unit, oid), ...committed };
  }

  /** Assigns a slot. */
  set(input: Omit<Input<"image_set">, "repo">): Promise<Result<"image_set">> {
    return retried(() => this.#set(input));
  }

  async #set(
    { object, slot, value, text, force, dry_run }: Omit<Input<"image_set">, "repo">,
  ): Promise<Result<"image_set">> {
    using unit = this.#image.begin(describe(`set ${slot} of ${object}`));
    const names = new Names(unit, this.#findShown);
    const oid = names.find(object);
    const meant = names.value(value, text);
    refusing(() => force ? unit.define(oid, slot, meant) : unit.set(oid, slot, meant));
    return { ...names.of(oid), ...await this.#commit(unit, dry_run) };
  }

  /** Removes a slot, or a name of the lobby. */
  remove(input: Omit<Input<"image_rm">, "repo">): Promise<Result<"image_rm">> {
    return retried(() => this.#remove(input));
  }

  async #remove(
    { object, slot, dry_run }: Omit<Input<"image_rm">, "repo">,
  ): Promise<Result<"image_rm">> {
    using unit = this.#image.begin(
      describe(slot === undefined ? `rm ${object}` : `rm ${slot} of ${object}`),
    );
    const names = new Names(unit, this.#findShown);
    const oid = names.find(object);
    if (slot !== undefined) unit.remove(oid, slot);
    else {
      const known = names.globals(oid);
      if (known.length === 0) {
        throw new ImageError(
          `remove object ${oid}: the lobby has no name for it; "batos image pack" removes what nothing refers to`,
        );
      }
      for (const name of known) unit.remove(LOBBY_OID, name);
    }
    return { ...names.of(oid), ...await this.#commit(unit, dry_run) };
  }

  /** Sends a message. */
  send(
    input: Omit<Input<"image_send">, "repo">,
    signal?: AbortSignal,
  ): Promise<Result<"image_send">> {
    return retried(() => this.#send(input, signal));
  }

  async #send(
    { object, selector, args, text, dry_run }: Omit<Input<"image_send">, "repo">,
    signal?: AbortSignal,
  ): Promise<Result<"image_send">> {
    using unit = this.#image.begin(describe(`send ${selector} to ${object}`));
    const names = new Names(unit, this.#findShown);
    const oid = names.find(object);
    const meant = args.map((one) => names.value(one, text));
    const value = await unit.send(oid, selector, meant, { signal }).catch(asRefusal);
    signal?.throwIfAborted();
    const head = names.of(oid);
    return {
      ...head,
      selector,
      value: valueToJson(value),
      ...await this.#commit(unit, dry_run),
    };
  }

  /** Transactions, newest first. */
  log({ object, limit, before }: Omit<Input<"image_log">, "repo">): Result<"image_log"> {
    using unit = this.#image.view();
    const names = new Names(unit, this.#findShown);
    if (object === undefined) {
      return {
        transactions: this.#image.log({ before: before ?? Infinity, limit }).map((one) => ({
          ...shownTransaction(one),
          objects: one.oids.map((oid) => names.of(oid)),
        })),
      };
    }
    const oid = names.find(object, (one) => this.#image.history(one).length > 0);
    const history = this.#image.history(oid);
    const transactions = history.map(({ slots, ...info }, index) => ({
      ...shownTransaction(info),
      objects: [names.of(oid)],
      changes: changesOf(names.of(oid), history[index + 1]?.slots, slots),
    })).filter(({ tid }) => before === undefined || tid < before).slice(0, limit);
    return { object: names.of(oid), transactions };
  }

  /** Takes transactions back; what became of conversations is for others to say. */
  async undo(
    { tids }: Omit<Input<"image_undo">, "repo">,
  ): Promise<Omit<Result<"image_undo">, "turns">> {
    const undone = tids.map(Number);
    const tid = await this.#image.undo(undone, { user: USER });
    return { undone, tid, changes: this.#changesAt(tid) };
  }

  /** @throws {ImageError} that says since when there is what was not there at that time */
  #findIn(names: Names, object: string, at: number | undefined): Oid {
    try {
      return names.find(object);
    } catch (error) {
      if (at === undefined || !(error instanceof ImageError)) throw error;
      const since = this.#since(object);
      if (since === undefined) throw error;
      throw new ImageError(
        `find object "${object}" as of transaction ${at}: ${since}`,
        { cause: error },
      );
    }
  }

  /** Since when there is an object under what somebody calls it; undefined where there is none now either. */
  #since(object: string): string | undefined {
    using unit = this.#image.view();
    let oid: Oid;
    try {
      oid = new Names(unit, this.#findShown).find(object);
    } catch {
      return undefined;
    }
    const name = object.replace(/^@/, "");
    const isNumber = /^\d+$/.test(name);
    const revisions = this.#image.history(isNumber ? oid : LOBBY_OID);
    const first = revisions.findLast(({ slots }) =>
      isNumber ? slots !== undefined : slots?.has(name)
    );
    return first &&
      `${
        isNumber ? "it was made" : "it got that name"
      } in transaction ${first.tid} ("${first.description}")`;
  }

  #view(at: number | undefined): UnitOfWork {
    return at === undefined ? this.#image.view() : refusing(() => this.#image.at(at));
  }

  /** Commits and tells what was written; a dry run tells what would be. */
  async #commit(
    unit: UnitOfWork,
    dry: boolean,
  ): Promise<{ tid: number | null; changes: Change[] }> {
    if (!unit.hasChanges) return { tid: null, changes: [] };
    const changes = this.#pending(unit);
    if (dry) return { tid: null, changes };
    return { tid: await unit.commit(), changes };
  }

  #pending(unit: UnitOfWork): Change[] {
    const names = new Names(unit, this.#findShown);
    using before = this.#image.at(unit.snapshot);
    return unit.changedOids().flatMap((oid) =>
      changesOf(
        names.of(oid),
        before.has(oid) ? before.slots(oid) : undefined,
        unit.has(oid) ? unit.slots(oid) : undefined,
      )
    );
  }

  #changesAt(tid: number): Change[] {
    const [transaction] = this.#image.log({ before: tid + 1, limit: 1 });
    using before = this.#image.at(tid - 1);
    using after = this.#image.at(tid);
    const names = new Names(after, this.#findShown);
    return (transaction?.oids ?? []).flatMap((oid) =>
      changesOf(
        names.of(oid),
        before.has(oid) ? before.slots(oid) : undefined,
        after.has(oid) ? after.slots(oid) : undefined,
      )
    );
  }
}

/** Names of objects in one view: their own, or those that the lobby has for them. */
class Names {
  readonly #unit: UnitOfWork;
  readonly #findShown: FindShown;
  readonly #lobby = new Map<Oid, string[]>();

  constructor(unit: UnitOfWork, findShown: FindShown) {
    this.#unit = unit;
    this.#findShown = findShown;
    for (const [name, slot] of unit.slots(LOBBY_OID)) {
      if (name.endsWith("*") || slot.type !== "data" || !(slot.value instanceof Ref)) continue;
      const known = this.#lobby.get(slot.value.oid);
      if (known === undefined) this.#lobby.set(slot.value.oid, [name]);
      else known.push(name);
    }
  }

  of(oid: Oid): Named {
    return {
      oid: String(oid),
      name: this.globals(oid)[0] ?? (this.#unit.has(oid) ? nameOf(this.#unit, oid) : ""),
    };
  }

  /** Names that the lobby has for an object. */
  globals(oid: Oid): readonly string[] {
    return this.#lobby.get(oid) ?? [];
  }

  /**
   * The object that somebody means.
   * @throws {ImageError} with near names when there is none
   */
  find(given: string, exists: (oid: Oid) => boolean = (oid) => this.#unit.has(oid)): Oid {
    const name = given.replace(/^@/, "");
    if (/^\d+$/.test(name)) {
      const oid = parseOid(name);
      if (exists(oid)) return oid;
      throw new ImageError(`find object "${given}": there is none; "batos image ls" lists them`);
    }
    for (const [oid, names] of this.#lobby) if (names.includes(name)) return oid;
    const shown = this.#findShown(name);
    if (shown !== undefined) return shown;
    const all = [...this.#lobby.values()].flat();
    const near = all.filter((one) => isNear(one, name)).slice(0, MOST_NEAR);
    throw new ImageError(
      `find object "${given}": the lobby has no such name; ${
        near.length > 0 ? `near ones: ${near.join(", ")}` : '"batos image ls" lists the objects'
      }`,
    );
  }

  /** The value that somebody typed. */
  value(given: string, asText: boolean): Value {
    if (asText) return given;
    if (/^@\S+$/.test(given)) return new Ref(this.find(given));
    let json: unknown;
    try {
      json = JSON.parse(given);
    } catch {
      return given;
    }
    return valueFromJson(json);
  }
}

/** Does the work again, on what is there then, when somebody else changed the same meanwhile. */
async function retried<R>(work: () => Promise<R>): Promise<R> {
  for (let attempt = 0;; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConflictError) || attempt >= RETRIES) throw error;
    }
  }
}

/** What the image refuses with a built-in error is what somebody typed, and no defect of the program. */
function refusing<R>(work: () => R): R {
  try {
    return work();
  } catch (error) {
    return asRefusal(error);
  }
}

function asRefusal(error: unknown): never {
  if (error instanceof TypeError || error instanceof RangeError) {
    throw new ImageError(error.message, { cause: error });
  }
  throw error;
}

/** What an object calls itself; empty where it does not. */
function nameOf(unit: UnitOfWork, oid: Oid): string {
  const slot = unit.slot(oid, "name");
  return slot?.type === "data" && typeof slot.value === "string" ? slot.value : "";
}

/** Shares a beginning, or is one insertion, deletion or exchange away: enough for a slip of the finger. */
function isNear(name: string, given: string): boolean {
  const [one, other] = [name.toLowerCase(), given.toLowerCase()];
  if (one.includes(other) || (one.length > 2 && other.includes(one))) return true;
  let head = 0;
  while (head < one.length && one[head] === other[head]) head++;
  let tail = 0;
  while (
    tail < one.length - head && tail < other.length - head &&
    one.at(-1 - tail) === other.at(-1 - tail)
  ) tail++;
  return Math.max(one.length, other.length) - head - tail <= 2 && head + tail > 2;
}

function headOf(
  unit: UnitOfWork,
  names: Names,
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

/** As much of a text as tells one object from another in a list. */
const LONGEST_WORDS = 100;
/** Values that are looked at for it: a list of numbers is none. */
const MOST_LOOKED_AT = 40;

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

function shownSlot(name: string, slot: Slot): ShownSlot {
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

function shownTransaction(
  { tid, time, user, description }: {
    tid: number;
    time: number;
    user: string;
    description: string;
  },
): NonNullable<Result<"image_get">["transaction"]> {
  return { tid, time: new Date(time).toISOString(), user, description };
}

/** What became of the slots of one object; one entry where all of it came or went. */
function changesOf(
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

/** Whether a text matches a pattern: anywhere in it, or as a whole where the pattern has wildcards. */
function matcher(pattern: string | undefined): ((text: string) => boolean) | undefined {
  if (pattern === undefined) return undefined;
  const wanted = pattern.toLowerCase();
  if (!/[*?]/.test(wanted)) return (text) => text.toLowerCase().includes(wanted);
  const expression = new RegExp(
    `^${
      wanted.split(/([*?])/).map((part) =>
        part === "*" ? "[^]*" : part === "?" ? "[^]" : RegExp.escape(part)
      ).join("")
    }$`,
  );
  return (text) => expression.test(text.toLowerCase());
}

function describe(description: string): { user: string; description: string } {
  return {
    user: USER,
    description: description.length > LONGEST_DESCRIPTION
      ? `${description.slice(0, LONGEST_DESCRIPTION)}…`
      : description,
  };
}
