/**
 * The past of objects: what they were, and how they become that again.
 *
 * Owns history and undo. What must hold: undo writes a new transaction and never touches an old one; it is refused where a later
 * change rests on what it would take back, so that nobody's later work is lost by it, and where it would leave a reference to nothing.
 */
import { UndoError } from "./errors.ts";
import type { ImageStore, TransactionInfo } from "./image_store.ts";
import { decodeRecord, type ObjectRecord, type Slot, visitRecord } from "./object_record.ts";
import { slotCopy } from "./slot_spec.ts";
import type { UnitOfWork } from "./unit_of_work.ts";
import { FIRST_MOUNTED_OID, type Oid, Ref } from "./values.ts";

/** A state that an object had. */
export interface ObjectRevision extends TransactionInfo {
  /** Undefined where the transaction took the object away. */
  readonly slots: ReadonlyMap<string, Slot> | undefined;
}

/** Revisions of an object, newest first. */
export function objectHistory(store: ImageStore, oid: Oid): ObjectRevision[] {
  return store.revisions(oid).map(({ tid, data }) => {
    const { time, user, description } = store.transaction(tid) ??
      { time: 0, user: "", description: "" };
    const record = data === null ? undefined : decodeRecord(oid, tid, data);
    const slots = record &&
      new Map([...record.slots].map(([name, slot]) => [name, slotCopy(slot)] as const));
    return { tid, time, user, description, slots };
  });
}

/**
 * Puts into a unit what the image would be without these transactions.
 * @param tids newest first
 * @throws {UndoError} when one of them cannot be taken back
 */
export function restorePast(unit: UnitOfWork, store: ImageStore, tids: readonly number[]): void {
  /** What each object goes back to: a revision of it, or 0 for not being there. */
  const targets = new Map<Oid, number>();
  for (const tid of tids) {
    const transaction = store.transaction(tid);
    if (transaction === undefined || transaction.tid !== tid || tid > unit.snapshot) {
      throw new UndoError(tid, "there is no such transaction; see the log");
    }
    if (transaction.oids.length === 0) throw new UndoError(tid, "it changed no object");
    if (tid === 1) throw new UndoError(tid, "the image begins with it");
    if (tid <= store.packedTo()) {
      throw new UndoError(tid, `a pack kept nothing before transaction ${store.packedTo()}`);
    }
    for (const oid of transaction.oids) {
      const ids = store.revisionIds(oid).filter((id) => id <= unit.snapshot);
      const current = targets.get(oid) ?? ids[0]!;
      if (current !== tid && !isSame(store, oid, current, tid)) {
        throw new UndoError(
          tid,
          `object ${oid} was changed by transaction ${current} since; undo that first, or with it`,
        );
      }
      targets.set(oid, ids.find((id) => id < tid) ?? 0);
    }
  }
  const gone = new Set<Oid>();
  const back = new Map<Oid, ObjectRecord>();
  for (const [oid, target] of targets) {
    const data = target === 0 ? null : store.load(oid, target)!.data;
    const record: ObjectRecord | undefined = data === null
      ? undefined
      : decodeRecord(oid, target, data);
    if (record === undefined) gone.add(oid);
    else back.set(oid, record);
    unit.restore(oid, record, store.revisionIds(oid).find((id) => id <= unit.snapshot)!);
  }
  requireWhole(unit, back, tids.at(-1)!);
  if (gone.size > 0) requireUnreferred(unit, store, gone, tids.at(-1)!);
}

/** Whether two revisions say the same: an undo of an undo leads back to the text of an older one. */
function isSame(store: ImageStore, oid: Oid, a: number, b: number): boolean {
  if (a === 0 || b === 0) return a === b;
  return store.load(oid, a)?.data === store.load(oid, b)?.data;
}

/** What comes back may refer to nothing that went meanwhile, as another undo takes away what a transaction made. */
function requireWhole(
  unit: UnitOfWork,
  back: ReadonlyMap<Oid, ObjectRecord>,
  tid: number,
): void {
  for (const [oid, record] of back) {
    visitRecord(record, (reference) => {
      if (!(reference instanceof Ref) || unit.has(reference.oid)) return;
      // What is only shown comes and goes with whoever shows it.
      if (reference.oid >= FIRST_MOUNTED_OID) return;
      throw new UndoError(
        tid,
        `object ${oid} would refer to object ${reference.oid} again, which is gone; undo what took that away first, or with it`,
      );
    });
  }
}

/** Nothing that stays may refer to an object that goes; only what was written since it was made can. */
function requireUnreferred(
  unit: UnitOfWork,
  store: ImageStore,
  gone: ReadonlySet<Oid>,
  since: number,
): void {
  const seen = new Set<Oid>();
  for (const { tid, oids } of store.transactions({ after: since - 1, upTo: unit.snapshot })) {
    for (const oid of oids) {
      if (seen.has(oid) || gone.has(oid)) continue;
      seen.add(oid);
      const record = unit.record(oid);
      if (record === undefined) continue;
      visitRecord(record, (reference) => {
        if (!(reference instanceof Ref) || !gone.has(reference.oid)) return;
        throw new UndoError(
          since,
          `object ${reference.oid}, which it made, is referred to by object ${oid} (transaction ${tid}); undo that first, or with it`,
        );
      });
    }
  }
}
