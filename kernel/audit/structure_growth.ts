/**
 * How the structure of the image grew: objects, slots, methods and parents that came, less those that went.
 *
 * Owns what counts as structure. What must hold: what a question leaves of itself (its cycle, its QueryMorphs, the turn of a
 * conversation) and what a version of batos brings are none; a change of a value is none; what came and went again in between is none; growth
 * over two spans is that over the first and that over the second.
 */
import { namedObject } from "../image/genesis.ts";
import type { Image } from "../image/image.ts";
import type { Slot } from "../image/object_record.ts";
import { LOBBY_OID } from "../image/primitives.ts";
import type { UnitOfWork } from "../image/unit_of_work.ts";
import type { Oid } from "../image/values.ts";

/** Elements that came, less those that went; below 0 where more went. */
export interface Growth {
  readonly objects: number;
  /** Slots that hold data. */
  readonly slots: number;
  readonly methods: number;
  readonly parents: number;
}

/** What is no structure, by names of the lobby: records of what was thought. */
export interface RecordObjects {
  /** Whatever delegates to these, at any distance; they themselves may grow. */
  readonly prototypes: readonly string[];
  /** These themselves, and whatever delegates to them. */
  readonly objects: readonly string[];
}

/** Transactions that are read in one go. */
const PAGE = 500;
/** Who brings the objects of a version. */
const KERNEL = "kernel";

/**
 * Growth by the transactions after one and up to another.
 * @throws {PackedError} when a pack kept nothing that old
 */
export function structureGrowth(
  image: Image,
  after: number,
  upTo: number,
  records: RecordObjects,
): Growth {
  const sum = { objects: 0, slots: 0, methods: 0, parents: 0 };
  using now = image.view();
  const named = (names: readonly string[]) =>
    new Set(
      names.flatMap((name) =>
        now.slot(LOBBY_OID, name) === undefined ? [] : namedObject(now, name)
      ),
    );
  const prototypes = named(records.prototypes);
  const objects = named(records.objects);
  const isRecord = (unit: UnitOfWork, oid: Oid) =>
    objects.has(oid) || hasAncestor(unit, oid, (one) => prototypes.has(one) || objects.has(one));
  // Told that it is gone before the newest revision is asked for.
  if (after < upTo) image.at(after)[Symbol.dispose]();
  for (const { tid, oids } of transactionsOf(image, after, upTo)) {
    using late = image.at(tid);
    using early = image.at(tid - 1);
    for (const oid of oids) {
      const [was, is] = [early.has(oid), late.has(oid)];
      if (isRecord(is ? late : early, oid)) continue;
      if (is) add(sum, late.slots(oid), 1);
      if (was) add(sum, early.slots(oid), -1);
    }
  }
  return sum;
}

/** All elements of a growth. */
export function elementsOf({ objects, slots, methods, parents }: Growth): number {
  return objects + slots + methods + parents;
}

/** Whether a transaction of the image is the one that kept a cycle: one may have been packed away, or the image made anew. */
export function keepsCycle(image: Image, tid: number, cycle: string): boolean {
  return image.transaction(tid)?.description.startsWith(`cycle ${cycle}:`) ?? false;
}

/** Transactions of others than the kernel, newest first. */
function* transactionsOf(image: Image, after: number, upTo: number) {
  let before = upTo + 1;
  while (before > after + 1) {
    const page = image.log({ before, limit: PAGE });
    if (page.length === 0) return;
    for (const transaction of page) {
      if (transaction.tid <= after) return;
      if (transaction.user !== KERNEL) yield transaction;
    }
    before = page.at(-1)!.tid;
  }
}

function add(
  sum: { -readonly [K in keyof Growth]: number },
  slots: ReadonlyMap<string, Slot>,
  sign: 1 | -1,
): void {
  sum.objects += sign;
  for (const [name, { type }] of slots) {
    sum[name.endsWith("*") ? "parents" : type === "data" ? "slots" : "methods"] += sign;
  }
}

/** Whether an object delegates to one that is wanted, at any distance; a loop of parents ends. */
function hasAncestor(unit: UnitOfWork, oid: Oid, isWanted: (oid: Oid) => boolean): boolean {
  const seen = new Set<Oid>([oid]);
  for (const one of seen) {
    for (const parent of unit.has(one) ? unit.parents(one) : []) {
      if (isWanted(parent)) return true;
      seen.add(parent);
    }
  }
  return false;
}
