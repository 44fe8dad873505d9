/**
 * What a unit of work would change, and the one short transaction that makes it so.
 *
 * Owns the changed records with the revisions they started from, declared dependencies, participants, pending blobs and savepoints. What must hold:
 * `write` is synchronous and rests on one state of the store, so nothing comes between what it checks and what it writes; a saved
 * state shares records with nobody who changes them.
 */
import type { BlobFolder, PendingBlob } from "./blobs.ts";
import type { CommittedState } from "./committed_state.ts";
import { ConflictError, ImageError, NoSuchObjectError } from "./errors.ts";
import type { Writing } from "./image_store.ts";
import { mergeSlots } from "./merge.ts";
import { encodeRecord, ObjectRecord, type Slot, visitRecord } from "./object_record.ts";
import type { Participant, UnitParts } from "./unit_parts.ts";
import { FIRST_MOUNTED_OID, type Oid, Ref } from "./values.ts";

/** See the module text. */
export class Changes {
  /** Records as changed here; undefined for an object that is taken away. */
  #records = new Map<Oid, ObjectRecord | undefined>();
  /** The revision that each change started from, 0 for a new object. */
  #bases = new Map<Oid, number>();
  /** Objects whose state must still hold. */
  depends = new Set<Oid>();
  participants: Participant[] = [];
  pending: PendingBlob[] = [];
  /** In the order in which they were made. */
  readonly #savepoints = new Map<Savepoint, SavedChanges>();
  /** Grows with each savepoint and rollback: copies of an earlier stretch belong to a savepoint and are copied before they change. */
  #stretch = 1;

  get records(): ReadonlyMap<Oid, ObjectRecord | undefined> {
    return this.#records;
  }

  /** Whether there is nothing to write. */
  get isEmpty(): boolean {
    return this.#records.size === 0 && this.participants.length === 0 && this.pending.length === 0;
  }

  /** Puts an object under an OID, made of these slots, or takes it away. `base` is the revision that is there now. */
  put(
    oid: Oid,
    object: { kind: string; slots: Map<string, Slot> } | undefined,
    base: number,
  ): void {
    const record = object && new ObjectRecord(oid, 0, object.kind, object.slots, this.#stretch);
    this.#records.set(oid, record);
    if (!this.#bases.has(oid)) this.#bases.set(oid, base);
  }

  /** The copy of a record that may be changed; `record` is what is seen of it here. */
  copyOf(record: ObjectRecord): ObjectRecord {
    const { oid, kind, slots, tid } = record;
    if (record.stretch === this.#stretch && this.#records.get(oid) === record) return record;
    this.put(oid, { kind, slots: new Map(slots) }, tid);
    return this.#records.get(oid)!;
  }

  /**
   * Remembers what is changed by now.
   * @throws what a participant throws
   */
  save(savepoint: Savepoint): void {
    this.#savepoints.set(savepoint, this.#saved());
    // Copies of the stretch that ends belong to the savepoint from now on.
    this.#stretch++;
  }

  /** Whether there is a way back to it: an earlier rollback ends those that were made later. */
  has(savepoint: Savepoint): boolean {
    return this.#savepoints.has(savepoint);
  }

  /**
   * Goes back to a savepoint, which can be gone back to again.
   * @throws {ImageError} when a participant cannot go back, or what it throws
   */
  backTo(savepoint: Savepoint): void {
    this.#restore(this.#savepoints.get(savepoint)!);
    const all = [...this.#savepoints.keys()];
    for (const later of all.slice(all.indexOf(savepoint) + 1)) this.#savepoints.delete(later);
    this.#stretch++;
  }

  #saved(): SavedChanges {
    return {
      records: new Map(this.#records),
      bases: new Map(this.#bases),
      depends: new Set(this.depends),
      participants: this.participants.map((participant) => ({
        participant,
        back: participant.savepoint?.(),
      })),
      pending: this.pending.length,
    };
  }

  #restore(saved: SavedChanges): void {
    for (const { participant, back } of saved.participants) {
      if (back !== undefined) continue;
      throw new ImageError(
        `roll back to a savepoint: "${participant.name}" cannot go back; abort instead`,
      );
    }
    for (const { back } of saved.participants) back!();
    for (const participant of this.participants.splice(saved.participants.length)) {
      participant.aborted?.();
    }
    for (const blob of this.pending.splice(saved.pending)) blob.discard();
    this.#records = new Map(saved.records);
    this.#bases = new Map(saved.bases);
    this.depends = new Set(saved.depends);
  }

  /**
   * Writes everything in one transaction of the store, and lets everybody in this process see it.
   *
   * @param seen the transaction that the unit sees, and how often something had been dropped when it began
   * @returns the new transaction
   * @throws {ConflictError} when somebody else committed a change of the same, or of what this depends on
   */
  write(
    { state, resolvers, blobs }: UnitParts,
    { snapshot, drops }: { snapshot: number; drops: number },
    { user, description }: { user: string; description: string },
  ): number {
    const joins = this.participants.length > 0;
    const locked = joins || this.pending.length > 0;
    const options = { time: Date.now(), user, description, force: joins, locked };
    const { tid, result: installed } = state.store.write(options, (writing) => {
      // What others committed or dropped since this process last looked.
      if (writing.previous !== state.known || writing.drops !== state.drops) state.refresh();
      let records: ReadonlyMap<Oid, ObjectRecord | undefined> = this.#records;
      if (writing.previous !== snapshot) {
        const merged = this.#merge(writing, state, resolvers);
        if (merged.size > 0) records = new Map([...records, ...merged]);
        this.#requireDependencies(writing, state, snapshot);
        this.#requireThere(records, writing, state, snapshot);
      }
      if (writing.drops !== drops) this.#requireReferred(records, writing, blobs);
      // A blob too many is collected by a pack; a reference without its blob would be a loss.
      if (this.pending.length > 0) requireBlobs(blobs, "commit").keep(this.pending);
      const installed = new Map<Oid, ObjectRecord | undefined>();
      for (const [oid, record] of records) {
        writing.put(oid, record === undefined ? null : encodeRecord(record));
        installed.set(
          oid,
          record && new ObjectRecord(oid, writing.tid, record.kind, record.slots),
        );
      }
      for (const participant of this.participants) {
        participant.apply(writing.database, writing.tid);
      }
      return installed;
    });
    state.install(tid, installed);
    return tid;
  }

  /** Records that others changed as well, with both changes in them. */
  #merge(
    writing: Writing,
    state: CommittedState,
    resolvers: UnitParts["resolvers"],
  ): Map<Oid, ObjectRecord> {
    const merged = new Map<Oid, ObjectRecord>();
    for (const [oid, ours] of this.#records) {
      const baseTid = this.#bases.get(oid)!;
      const current = writing.newest(oid);
      if (current === baseTid) continue;
      const resolver = ours && resolvers.get(ours.kind);
      if (resolver === undefined) throw new ConflictError(oid, baseTid, current);
      let slots: Map<string, Slot> | undefined;
      try {
        const base = baseTid === 0 ? undefined : state.record(oid, baseTid);
        const theirs = state.record(oid, state.known);
        slots = theirs && mergeSlots(base, ours!, theirs, resolver);
      } catch (cause) {
        const reason = `changed meanwhile, and the resolver of "${ours!.kind}" failed`;
        throw new ConflictError(oid, baseTid, current, reason, { cause });
      }
      if (slots === undefined) throw new ConflictError(oid, baseTid, current);
      merged.set(oid, new ObjectRecord(oid, 0, ours!.kind, slots));
    }
    return merged;
  }

  #requireDependencies(writing: Writing, state: CommittedState, snapshot: number): void {
    for (const oid of this.depends) {
      if (this.#records.has(oid) || oid >= FIRST_MOUNTED_OID) continue;
      const current = writing.newest(oid);
      if (current <= snapshot) continue;
      const seen = state.record(oid, snapshot)?.tid ?? 0;
      throw new ConflictError(oid, seen, current, "on which this depends, changed meanwhile");
    }
  }

  /** Others may have taken away what is referred to here, and may refer by now to what is taken away here: an undo does that. */
  #requireThere(
    records: ReadonlyMap<Oid, ObjectRecord | undefined>,
    writing: Writing,
    state: CommittedState,
    snapshot: number,
  ): void {
    const since = state.store.transactions({ after: snapshot, upTo: writing.previous });
    // Told by what the others wrote: to ask the store for each reference is a query each, while everybody waits.
    const changed = new Set(since.flatMap(({ oids }) => oids));
    const gone = new Set<Oid>();
    for (const [from, record] of records) {
      if (record === undefined) {
        gone.add(from);
        continue;
      }
      visitRecord(record, (reference) => {
        if (!(reference instanceof Ref)) return;
        const { oid } = reference;
        if (!changed.has(oid) || records.has(oid)) return;
        if (state.record(oid, state.known) !== undefined) return;
        const current = writing.newest(oid);
        const seen = state.record(oid, snapshot)?.tid ?? 0;
        const reason = `was taken away meanwhile, and object ${from} refers to it`;
        throw new ConflictError(oid, seen, current, reason);
      });
    }
    if (gone.size === 0) return;
    for (const from of changed) {
      const record = records.has(from) ? undefined : state.record(from, state.known);
      if (record === undefined) continue;
      visitRecord(record, (reference) => {
        if (!(reference instanceof Ref) || !gone.has(reference.oid)) return;
        const { oid } = reference;
        const reason = `is to be taken away, and object ${from} refers to it by now`;
        throw new ConflictError(oid, this.#bases.get(oid)!, writing.newest(oid), reason);
      });
    }
  }

  /** A pack may have dropped what nothing referred to until now. */
  #requireReferred(
    records: ReadonlyMap<Oid, ObjectRecord | undefined>,
    writing: Writing,
    blobs: BlobFolder | undefined,
  ): void {
    const remedy = "a pack dropped it meanwhile; abort and try again";
    const isPending = (hash: string) => this.pending.some((blob) => blob.hash === hash);
    for (const record of records.values()) {
      if (record === undefined) continue;
      visitRecord(record, (reference) => {
        const action = `commit object ${record.oid}`;
        if (reference instanceof Ref) {
          const { oid } = reference;
          if (oid >= FIRST_MOUNTED_OID || records.has(oid) || writing.newest(oid) > 0) return;
          throw new NoSuchObjectError(oid, action, remedy);
        }
        const { hash } = reference;
        if (isPending(hash) || blobs?.has(hash)) return;
        throw new ImageError(`${action}: there is no blob "${hash}"; ${remedy}`);
      });
    }
  }
}

/** A state of the changes of one unit. */
interface SavedChanges {
  readonly records: ReadonlyMap<Oid, ObjectRecord | undefined>;
  readonly bases: ReadonlyMap<Oid, number>;
  readonly depends: ReadonlySet<Oid>;
  readonly participants: readonly { participant: Participant; back: (() => void) | undefined }[];
  readonly pending: number;
}

/**
 * The folder of blobs.
 * @throws {ImageError} when the image has none
 */
export function requireBlobs(blobs: BlobFolder | undefined, action: string): BlobFolder {
  if (blobs !== undefined) return blobs;
  throw new ImageError(`${action}: this image has no folder for blobs; open it with one`);
}

/** A point in a unit of work that can be gone back to, again and again, until an earlier one was. */
export class Savepoint {
  readonly #back: (savepoint: Savepoint) => void;
  /** Made by `UnitOfWork.savepoint`. */
  constructor(back: (savepoint: Savepoint) => void) {
    this.#back = back;
  }
  /**
   * Forgets what was changed since.
   * @throws {ImageError} when it is no longer valid
   */
  rollback(): void {
    this.#back(this);
  }
}
