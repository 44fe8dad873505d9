/**
 * The image as commands see it.
 *
 * Owns what the commands `image …` do; `table/image.ts` owns their contract, `object_names.ts` what people call objects, and
 * `shown_objects.ts` how they are shown. What must hold: every command that writes is one transaction and says what it changed; a dry
 * run leaves nothing.
 */
import type { Input, Result } from "../commands.ts";
import { ImageError } from "./errors.ts";
import type { Image } from "./image.ts";
import { type FindShown, type Named, nameOf, ObjectNames } from "./object_names.ts";
import { retried } from "./retried.ts";
import { LOBBY_OID } from "./primitives.ts";
import {
  type Change,
  changesBetween,
  changesOf,
  headOf,
  inheritedSlots,
  shownSlot,
  shownTransaction,
} from "./shown_objects.ts";
import type { UnitOfWork } from "./unit_of_work.ts";
import { valueToJson } from "./value_json.ts";
import { type Oid, parseOid, Ref, type Value } from "./values.ts";

/** Who commits what a command changes, as the log shows it. */
const USER = "command";
/** Objects looked at in one go while listing. */
const PAGE = 1_000;
/** Longest description that a command gives a transaction: a line of the log. */
const LONGEST_DESCRIPTION = 200;

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
    const names = new ObjectNames(unit, this.#findShown);
    return names.of(this.#findIn(names, object, at));
  }

  /** Objects that match, by OID. */
  ls(
    { pattern, prototype, at, limit, after }: Omit<Input<"image_ls">, "repo">,
  ): Result<"image_ls"> {
    using unit = this.#view(at);
    const names = new ObjectNames(unit, this.#findShown);
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
    const names = new ObjectNames(unit, this.#findShown);
    const oid = this.#findIn(names, object, at);
    const slots = [...unit.slots(oid)].map(([name, slot]) => shownSlot(name, slot));
    if (inherited) slots.push(...inheritedSlots(unit, names, oid));
    const tid = unit.revisionOf(oid);
    const transaction = tid === 0 ? undefined : this.#image.transaction(tid);
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
    const names = new ObjectNames(unit, this.#findShown);
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
    const names = new ObjectNames(unit, this.#findShown);
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
    const names = new ObjectNames(unit, this.#findShown);
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
    const names = new ObjectNames(unit, this.#findShown);
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
    const names = new ObjectNames(unit, this.#findShown);
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
  #findIn(names: ObjectNames, object: string, at: number | undefined): Oid {
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
      oid = new ObjectNames(unit, this.#findShown).find(object);
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
    const names = new ObjectNames(unit, this.#findShown);
    using before = this.#image.at(unit.snapshot);
    return changesBetween(before, unit, names, unit.changedOids());
  }

  #changesAt(tid: number): Change[] {
    using before = this.#image.at(tid - 1);
    using after = this.#image.at(tid);
    const names = new ObjectNames(after, this.#findShown);
    return changesBetween(before, after, names, this.#image.transaction(tid)?.oids ?? []);
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
