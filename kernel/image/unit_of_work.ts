/**
 * A unit of work: one view of the image, and the changes that are made in it, until they are committed together or not at all.
 *
 * Owns the changes, savepoints, and the way to a commit. What must hold:
 * - it sees one moment of the image and its own changes, whatever is committed meanwhile;
 * - changes are in memory until the commit, which is one short transaction of the store: no lock is held while somebody thinks;
 * - after a commit or a savepoint that failed, everything but `abort` is refused, and `abort` leaves nothing;
 * - nothing that it hands out can change what it holds.
 */
import type { BlobSource } from "./blobs.ts";
import { Changes, requireBlobs, type SavedChanges, Savepoint } from "./changes.ts";
import { ImageError, NoSuchObjectError, ReadOnlyError } from "./errors.ts";
import { LONGEST_DESCRIPTION, LONGEST_USER } from "./image_store.ts";
import { type Found, lookUpAbove, LookupCache, type RecordSource } from "./lookup.ts";
import {
  dataSlot,
  isParentName,
  ObjectRecord,
  parentOid,
  requireName,
  type Slot,
} from "./object_record.ts";
import { TRAITS_OID } from "./primitives.ts";
import type { SendOptions, Target } from "./send.ts";
import { makeSlot, slotCopy, slotValue, specPairs } from "./slot_spec.ts";
import type { ObjectSpec, Participant, UnitOptions, UnitParts } from "./unit_parts.ts";
import {
  BlobRef,
  FIRST_MOUNTED_OID,
  type Oid,
  oidOf,
  Ref,
  takeIn,
  type Value,
  visitReferences,
} from "./values.ts";

type UnitStatus = "active" | "committing" | "failed" | "ended";

/** See the module text. */
export class UnitOfWork implements RecordSource, Disposable {
  readonly #parts: UnitParts;
  readonly #options: UnitOptions;
  readonly #lookups = new LookupCache();
  #snapshot = 0;
  /** Up to where the image was packed when this began. */
  #packed = 0;
  #status: UnitStatus = "ended";
  #failure = "";
  #endsAfterCommit = false;
  #changes = new Changes();
  #savepoints: Savepoint[] = [];
  /** Grows with each savepoint and rollback: copies of an earlier stretch belong to a savepoint and are copied before they change. */
  #stretch = 1;

  /** Made by `Image.begin` and `Image.at`. */
  constructor(parts: UnitParts, options: UnitOptions = {}) {
    const { user = "", description = "" } = options;
    requireText(user, LONGEST_USER, "user");
    requireText(description, LONGEST_DESCRIPTION, "description");
    this.#parts = parts;
    this.#options = options;
    this.#start();
  }

  /** The transaction whose state this unit sees, beside its own changes. */
  get snapshot(): number {
    return this.#snapshot;
  }

  get status(): UnitStatus {
    return this.#status;
  }

  /** A view of the past can be looked at only. */
  get readOnly(): boolean {
    return this.#parts.at !== undefined || this.#parts.state.store.readOnly;
  }

  /** Whether there is anything to commit. */
  get hasChanges(): boolean {
    return !this.#changes.isEmpty;
  }

  // --- reading --------------------------------------------------------------------------------------------------------

  /** The record as seen here. It must not be changed: for those in this folder. */
  record(oid: Oid): ObjectRecord | undefined {
    if (this.#changes.records.size > 0) {
      const changed = this.#changes.records.get(oid);
      if (changed !== undefined || this.#changes.records.has(oid)) return changed;
    }
    if (this.#options.dependOnReads) this.#changes.depends.add(oid);
    return this.#parts.state.record(oid, this.#snapshot);
  }

  /** Whether there is such an object. */
  has(oid: Oid): boolean {
    this.#requireReadable();
    return this.record(oid) !== undefined;
  }

  /** The slot that a selector means, found by delegation; it is searched, not run. */
  lookup(target: Oid | Ref, selector: string): Found | undefined {
    this.#requireReadable();
    const oid = oidOf(target);
    const { state } = this.#parts;
    // A unit that sees just what is committed shares what everybody found.
    const shared = this.#changes.records.size === 0 && this.#snapshot === state.known &&
      !this.#options.dependOnReads;
    return (shared ? state.lookups : this.#lookups).lookUp(this, oid, selector);
  }

  /**
   * The same among the parents of `holder`: all of them, or the one whose slot is named.
   * @throws {ImageError} when there is no such parent
   */
  lookupAbove(holder: Oid, selector: string, parentSlot?: string): Found | undefined {
    const record = this.#require(
      holder,
      `resend ${JSON.stringify(selector)} from object ${holder}`,
    );
    if (parentSlot === undefined) return lookUpAbove(this, holder, selector, record.parents);
    const parent = isParentName(parentSlot) ? parentOid(record.slots.get(parentSlot)) : undefined;
    if (parent === undefined) {
      throw new ImageError(
        `resend ${JSON.stringify(selector)} to ${
          JSON.stringify(parentSlot)
        }: object ${holder} has no such parent; its parent slots are ${
          [...record.slots.keys()].filter(isParentName).join(", ") || "none"
        }`,
      );
    }
    return lookUpAbove(this, holder, selector, [parent]);
  }

  /**
   * The value of a data slot, its own or inherited; undefined where there is no such slot.
   * @throws {ImageError} when the slot is a method
   */
  get(target: Oid | Ref, name: string): Value | undefined {
    const found = this.lookup(target, name);
    if (found === undefined) return undefined;
    if (found.slot.type !== "data") {
      throw new ImageError(
        `read slot ${JSON.stringify(name)} of object ${oidOf(target)}: it is a method; send it`,
      );
    }
    return slotValue(found.slot);
  }

  /** An object's own slot; undefined where it has none of that name. */
  slot(target: Oid | Ref, name: string): Slot | undefined {
    const slot = this.#own(target, `read slot ${JSON.stringify(name)}`).slots.get(name);
    return slot && slotCopy(slot);
  }

  /** An object's own slots, in their order. */
  slots(target: Oid | Ref): Map<string, Slot> {
    const { slots } = this.#own(target, "read slots");
    return new Map([...slots].map(([name, slot]) => [name, slotCopy(slot)]));
  }

  /** The objects that it delegates to. */
  parents(target: Oid | Ref): readonly Oid[] {
    return this.#own(target, "read parents").parents;
  }

  /**
   * OIDs in ascending order, from one on, at most so many. Among them are those of objects that are no longer there: `has` tells.
   * What is mounted is not among them.
   */
  oids(from: Oid, limit: number): Oid[] {
    this.#requireReadable();
    const stored = this.#parts.state.store.oids(this.#snapshot, from, limit);
    const own = this.changedOids().filter((oid) => oid >= from && !stored.includes(oid));
    return own.length === 0 ? stored : [...stored, ...own].sort((a, b) => a - b).slice(0, limit);
  }

  /** Objects that were made, changed or taken away in this unit, in ascending order. */
  changedOids(): Oid[] {
    return [...this.#changes.records.keys()].sort((a, b) => a - b);
  }

  /** What it says about the resolution of conflicts; empty for nothing. */
  kindOf(target: Oid | Ref): string {
    return this.#own(target, "read the kind").kind;
  }

  /** The transaction that wrote what is seen here; 0 for an object that is changed in this unit. */
  revisionOf(target: Oid | Ref): number {
    return this.#own(target, "read the revision").tid;
  }

  /** What this unit has seen of this object must still hold when it commits. */
  dependsOn(target: Oid | Ref): void {
    this.#requireReadable();
    this.#changes.depends.add(oidOf(target));
  }

  // --- writing --------------------------------------------------------------------------------------------------------

  /** Makes an object. */
  create(spec: ObjectSpec = {}): Oid {
    this.#requireWritable("create an object");
    const oid = this.#parts.state.allocate();
    this.#make(oid, spec);
    return oid;
  }

  /** Makes an object under an OID that is known to be free: for genesis and imports. */
  place(oid: Oid, spec: ObjectSpec): void {
    const action = `create object ${oid}`;
    this.#requireWritable(action);
    if (this.record(oid) !== undefined) throw new ImageError(`${action}: there is one already`);
    this.#make(oid, spec);
  }

  #make(oid: Oid, { parent, slots, kind = "" }: ObjectSpec): void {
    if (kind !== "") requireName(kind, `kind of object ${oid}`);
    const made = new Map<string, Slot>();
    const pairs = [...specPairs(slots)];
    if (parent !== null && !pairs.some(([name]) => name === "parent*")) {
      const prototype = parent ?? (this.record(TRAITS_OID) && TRAITS_OID);
      if (prototype !== undefined) pairs.unshift(["parent*", new Ref(oidOf(prototype))]);
    }
    for (const [name, spec] of pairs) {
      requireName(name, "create an object");
      const slot = makeSlot(name, spec, () => slotOf(name, oid));
      made.set(name, this.#checked(slot, name, oid));
    }
    this.#change(oid, new ObjectRecord(oid, 0, kind, made, this.#stretch), 0);
  }

  /** A shallow copy: slots of its own, the same values, the same parents. */
  clone(target: Oid | Ref): Oid {
    const { kind, slots } = this.#own(target, "clone");
    this.#requireWritable(`clone object ${oidOf(target)}`);
    const oid = this.#parts.state.allocate();
    this.#change(oid, new ObjectRecord(oid, 0, kind, new Map(slots), this.#stretch), 0);
    return oid;
  }

  /**
   * Assigns a data slot. Where it was inherited or not there, the object gets one of its own; parents stay as they are.
   * @throws {ReadOnlyError} when the slot, its own or inherited, is read-only, or the object is mounted
   * @throws {ImageError} when its own slot is a method
   * @throws {TypeError} when the value is no data
   */
  set(target: Oid | Ref, name: string, value: unknown): void {
    const oid = oidOf(target);
    const action = `set slot ${JSON.stringify(name)} of object ${oid}`;
    requireName(name, action);
    const record = this.#require(oid, action);
    const slot = record.slots.get(name) ?? this.lookup(oid, name)?.slot;
    if (slot?.type === "data" && slot.readOnly) {
      throw new ReadOnlyError(`${action}: it is read-only; define it anew to change it`);
    }
    if (slot !== undefined && slot.type !== "data" && record.slots.has(name)) {
      throw new ImageError(`${action}: it is a method; define it anew, or remove it first`);
    }
    const made = isParentName(name)
      ? makeSlot(name, value, () => slotOf(name, oid))
      : dataSlot(takeIn(value, () => slotOf(name, oid)));
    this.#put(oid, name, this.#checked(made, name, oid), action);
  }

  /** Makes a slot what the spec says (`method`, `primitive`, `readOnly`, or a value), whatever it was. */
  define(target: Oid | Ref, name: string, spec: unknown): void {
    const oid = oidOf(target);
    const action = `define slot ${JSON.stringify(name)} of object ${oid}`;
    requireName(name, action);
    this.#put(
      oid,
      name,
      this.#checked(makeSlot(name, spec, () => slotOf(name, oid)), name, oid),
      action,
    );
  }

  /** Removes an object's own slot; gives whether there was one. */
  remove(target: Oid | Ref, name: string): boolean {
    const oid = oidOf(target);
    const action = `remove slot ${JSON.stringify(name)} of object ${oid}`;
    if (!this.#require(oid, action).slots.has(name)) return false;
    const copy = this.#copy(oid, action);
    copy.slots.delete(name);
    copy.forgetParents();
    this.#lookups.forget();
    return true;
  }

  /** Puts an object back to a state it had, or takes it away (undefined): for undo. `base` is the revision that is there now. */
  restore(oid: Oid, past: ObjectRecord | undefined, base: number): void {
    this.#requireWritable(`restore object ${oid}`);
    const record = past && new ObjectRecord(oid, 0, past.kind, new Map(past.slots), this.#stretch);
    this.#change(oid, record, base);
  }

  /**
   * Writes bytes beside the database, streamed. They are kept when this unit commits, and gone when it aborts.
   * @throws {ImageError} when the image keeps no blobs
   */
  async putBlob(source: BlobSource, options: { signal?: AbortSignal } = {}): Promise<BlobRef> {
    this.#requireWritable("write a blob");
    const stretch = this.#stretch;
    const snapshot = this.#snapshot;
    const blob = await requireBlobs(this.#parts.blobs, "write a blob").write(source, options);
    if (this.#status !== "active" || this.#stretch < stretch || this.#snapshot !== snapshot) {
      blob.discard();
      throw new ImageError("write a blob: its unit of work ended meanwhile; write it again");
    }
    this.#changes.pending.push(blob);
    return new BlobRef(blob.hash, blob.size);
  }

  /** The bytes of a blob, also of one that is not committed yet. */
  openBlob(blob: BlobRef): ReadableStream<Uint8Array> {
    this.#requireReadable();
    const pending = this.#changes.pending.find(({ hash }) => hash === blob.hash);
    return pending !== undefined
      ? pending.open()
      : requireBlobs(this.#parts.blobs, `read blob "${blob.hash}"`).open(blob.hash);
  }

  /** Lets somebody write in the same transaction. */
  join(participant: Participant): void {
    this.#requireWritable(`join "${participant.name}"`);
    this.#changes.participants.push(participant);
  }

  /** Sends a message; see `send.ts`. */
  send(
    target: Target,
    selector: string,
    args: readonly unknown[] = [],
    options: SendOptions = {},
  ): Promise<Value> {
    this.#requireReadable();
    return this.#parts.messenger.send(this, target, selector, args, options);
  }

  // --- ends -----------------------------------------------------------------------------------------------------------

  /**
   * A point to go back to.
   * @throws what a participant throws; then only `abort` is left
   */
  savepoint(): Savepoint {
    this.#requireWritable("make a savepoint");
    try {
      const saved = this.#changes.save();
      // Copies of the stretch that ends belong to the savepoint from now on.
      this.#stretch++;
      const savepoint = new Savepoint((one) => this.#rollback(one, saved));
      this.#savepoints.push(savepoint);
      return savepoint;
    } catch (error) {
      throw this.#fail(error, "a savepoint failed");
    }
  }

  #rollback(savepoint: Savepoint, saved: SavedChanges): void {
    this.#requireWritable("roll back to a savepoint");
    const at = this.#savepoints.indexOf(savepoint);
    if (at < 0) {
      throw new ImageError(
        "roll back to a savepoint: an earlier rollback or the end of the unit made it invalid; make a new one",
      );
    }
    try {
      this.#changes.restore(saved);
    } catch (error) {
      throw this.#fail(error, "a rollback failed");
    }
    this.#savepoints.length = at + 1;
    this.#stretch++;
    this.#lookups.forget();
  }

  /**
   * Makes all changes durable, together, and goes on from the new state. Without changes it writes nothing.
   *
   * @returns the transaction; that of the snapshot where nothing was written
   * @throws {ConflictError} when somebody else committed a change of the same object, or of what this unit depends on
   * @throws what a participant or the store throws; then nothing was written, and only `abort` is left
   */
  async commit(options: Pick<UnitOptions, "user" | "description"> = {}): Promise<number> {
    this.#requireWritable("commit");
    const user = options.user ?? this.#options.user ?? "";
    const description = options.description ?? this.#options.description ?? "";
    requireText(user, LONGEST_USER, "user");
    requireText(description, LONGEST_DESCRIPTION, "description");
    const about = { user, description };
    if (!this.hasChanges) {
      this.#end();
      this.#start();
      return this.#snapshot;
    }
    this.#status = "committing";
    let tid: number;
    try {
      const seen = { snapshot: this.#snapshot, packed: this.#packed };
      tid = await this.#parts.exclusively(
        "commit",
        () => this.#changes.write(this.#parts, seen, about),
      );
    } catch (error) {
      this.#fail(error, "a commit failed");
      if (this.#endsAfterCommit) this[Symbol.dispose]();
      throw error;
    }
    const { records, participants } = this.#changes;
    // They are kept, and no longer to be discarded with the rest.
    this.#changes.pending = [];
    this.#end();
    // From what was just committed: that was the newest a moment ago, and whoever commits next looks again.
    if (!this.#endsAfterCommit) this.#start(this.#parts.state.known);
    for (const participant of participants) participant.committed?.(tid);
    this.#parts.onCommit({ tid, oids: [...records.keys()], ...about });
    return tid;
  }

  /** Forgets all changes and begins anew, at the newest state. */
  abort(): void {
    if (this.#status === "ended") return;
    if (this.#status === "committing") {
      throw new ImageError("abort: a commit is on its way; wait for its end");
    }
    const participants = this.#changes.participants;
    this.#end();
    this.#start();
    for (const participant of participants) participant.aborted?.();
  }

  /** Ends the unit; what was not committed is gone. A commit that is on its way comes to its end first. */
  [Symbol.dispose](): void {
    if (this.#status === "ended") return;
    if (this.#status === "committing") {
      this.#endsAfterCommit = true;
      return;
    }
    const participants = this.#changes.participants;
    this.#end();
    for (const participant of participants) participant.aborted?.();
  }

  #start(moment = this.#parts.at ?? this.#parts.state.refresh()): void {
    const { state } = this.#parts;
    this.#snapshot = moment;
    this.#packed = state.store.packedTo();
    state.enter(this.#snapshot);
    this.#status = "active";
    this.#failure = "";
  }

  #end(): void {
    this.#parts.state.leave(this.#snapshot);
    this.#status = "ended";
    for (const blob of this.#changes.pending) blob.discard();
    this.#changes = new Changes();
    this.#savepoints = [];
    this.#stretch++;
    this.#lookups.forget();
  }

  #fail(error: unknown, failure: string): unknown {
    this.#status = "failed";
    this.#failure = failure;
    return error;
  }

  // --- changes --------------------------------------------------------------------------------------------------------

  #put(oid: Oid, name: string, slot: Slot, action: string): void {
    const copy = this.#copy(oid, action);
    copy.slots.set(name, slot);
    if (isParentName(name)) copy.forgetParents();
    this.#lookups.forget();
  }

  /** The copy of an object that may be changed: that of this stretch. */
  #copy(oid: Oid, action: string): ObjectRecord {
    this.#requireWritable(action);
    const record = this.#require(oid, action);
    if (oid >= FIRST_MOUNTED_OID) {
      throw new ReadOnlyError(
        `${action}: it belongs to "${
          this.#parts.state.ownerOf(oid)
        }" and is only shown here; make an object that delegates to it`,
      );
    }
    if (record.stretch === this.#stretch && this.#changes.records.get(oid) === record) {
      return record;
    }
    const copy = new ObjectRecord(oid, 0, record.kind, new Map(record.slots), this.#stretch);
    this.#change(oid, copy, record.tid);
    return copy;
  }

  #change(oid: Oid, record: ObjectRecord | undefined, base: number): void {
    this.#changes.records.set(oid, record);
    if (!this.#changes.bases.has(oid)) this.#changes.bases.set(oid, base);
    this.#lookups.forget();
  }

  /** A slot whose references all lead somewhere. */
  #checked(slot: Slot, name: string, oid: Oid): Slot {
    if (slot.type !== "data") return slot;
    visitReferences(slot.value, (reference) => {
      const action = () => `write ${slotOf(name, oid)}`;
      if (reference instanceof Ref) {
        if (reference.oid >= FIRST_MOUNTED_OID || reference.oid === oid) return;
        if (this.record(reference.oid) === undefined) {
          throw new NoSuchObjectError(reference.oid, action(), "refer to one that exists");
        }
      } else if (!this.#hasBlob(reference)) {
        throw new ImageError(`${action()}: there is no blob "${reference.hash}"; put it first`);
      }
    });
    return slot;
  }

  #hasBlob({ hash }: BlobRef): boolean {
    return this.#changes.pending.some((blob) => blob.hash === hash) ||
      this.#parts.blobs?.has(hash) === true;
  }

  #own(target: Oid | Ref, action: string): ObjectRecord {
    this.#requireReadable();
    const oid = oidOf(target);
    return this.#require(oid, `${action} of object ${oid}`);
  }

  #require(oid: Oid, action: string): ObjectRecord {
    const record = this.record(oid);
    if (record === undefined) throw new NoSuchObjectError(oid, action);
    return record;
  }

  #requireReadable(): void {
    if (this.#status === "ended") {
      throw new ImageError("use a unit of work: it has ended; begin a new one");
    }
  }

  #requireWritable(action: string): void {
    this.#requireReadable();
    if (this.#status === "failed") {
      throw new ImageError(`${action}: ${this.#failure} in this unit of work; abort it first`);
    }
    if (this.#status === "committing") {
      throw new ImageError(
        `${action}: a commit is on its way in this unit of work; wait for its end`,
      );
    }
    if (this.#parts.at !== undefined) {
      throw new ReadOnlyError(
        `${action}: this is the image as of transaction ${this.#parts.at}; the past is only read`,
      );
    }
    if (this.#parts.state.store.readOnly) {
      throw new ReadOnlyError(
        `${action}: the image "${this.#parts.state.store.name}" was opened for reading`,
      );
    }
  }
}

function slotOf(name: string, oid: Oid): string {
  return `slot ${JSON.stringify(name)} of object ${oid}`;
}

/** Kept whole or refused; half a character, or one that ends texts in SQLite, could not be. */
function requireText(text: string, longest: number, what: string): void {
  if (text.length > longest) {
    throw new ImageError(
      `commit: the ${what} has ${text.length} characters; at most ${longest} are kept`,
    );
  }
  if (!text.isWellFormed() || text.includes("\0")) {
    throw new ImageError(
      `commit: the ${what} holds half of a surrogate pair or a NUL; give whole characters`,
    );
  }
}
