/**
 * A unit of work: one view of the image, and the changes that are made in it, until they are committed together or not at all.
 *
 * Owns writing, and how a unit ends; `unit_view.ts` owns what it sees, `changes.ts` what it would change. What must hold:
 * - changes are in memory until the commit, which is one short transaction of the store: no lock is held while somebody thinks;
 * - after a commit or a savepoint that failed, everything but `abort` is refused, and `abort` leaves nothing.
 */
import type { BlobSource } from "./blobs.ts";
import { Changes, requireBlobs, Savepoint } from "./changes.ts";
import { ImageError, NoSuchObjectError, ReadOnlyError } from "./errors.ts";
import { LONGEST_DESCRIPTION, LONGEST_USER } from "./image_store.ts";
import {
  dataSlot,
  isParentName,
  type ObjectRecord,
  requireName,
  type Slot,
} from "./object_record.ts";
import { TRAITS_OID } from "./primitives.ts";
import type { SendOptions, Target } from "./send.ts";
import { makeSlot, specPairs } from "./slot_spec.ts";
import type { ObjectSpec, Participant, UnitOptions, UnitParts } from "./unit_parts.ts";
import { type UnitStatus, UnitView } from "./unit_view.ts";
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

/** See the module text. */
export class UnitOfWork extends UnitView implements Disposable {
  readonly #options: UnitOptions;
  /** How often something had been dropped when this began: what is found afterwards may go meanwhile. */
  #drops = 0;
  #status: UnitStatus = "ended";
  #failure = "";
  #endsAfterCommit = false;

  /** Made by `Image.begin` and `Image.at`. */
  constructor(parts: UnitParts, options: UnitOptions = {}) {
    const { user = "", description = "" } = options;
    requireText(user, LONGEST_USER, "user");
    requireText(description, LONGEST_DESCRIPTION, "description");
    super(parts, options.dependOnReads ?? false);
    this.#options = options;
    this.#start();
  }

  override get status(): UnitStatus {
    return this.#status;
  }

  /** Whether there is anything to commit. */
  get hasChanges(): boolean {
    return !this.changes.isEmpty;
  }

  // --- writing --------------------------------------------------------------------------------------------------------

  /** Makes an object. */
  create(spec: ObjectSpec = {}): Oid {
    this.#requireWritable("create an object");
    const oid = this.parts.state.allocate();
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
    this.#change(oid, { kind, slots: made }, 0);
  }

  /** A shallow copy: slots of its own, the same values, the same parents. */
  clone(target: Oid | Ref): Oid {
    const { kind, slots } = this.own(target, "clone");
    this.#requireWritable(`clone object ${oidOf(target)}`);
    const oid = this.parts.state.allocate();
    this.#change(oid, { kind, slots: new Map(slots) }, 0);
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
    const record = this.require(oid, action);
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
    if (!this.require(oid, action).slots.has(name)) return false;
    const copy = this.#copy(oid, action);
    copy.slots.delete(name);
    copy.forgetParents();
    this.forgetLookups();
    return true;
  }

  /** Puts an object back to a state it had, or takes it away (undefined): for undo. `base` is the revision that is there now. */
  restore(oid: Oid, past: ObjectRecord | undefined, base: number): void {
    this.#requireWritable(`restore object ${oid}`);
    this.#change(oid, past && { kind: past.kind, slots: new Map(past.slots) }, base);
  }

  /**
   * Writes bytes beside the database, streamed. They are kept when this unit commits, and gone when it aborts.
   * @throws {ImageError} when the image keeps no blobs
   */
  async putBlob(source: BlobSource, options: { signal?: AbortSignal } = {}): Promise<BlobRef> {
    this.#requireWritable("write a blob");
    const changes = this.changes;
    const blob = await requireBlobs(this.parts.blobs, "write a blob").write(source, options);
    if (this.#status !== "active" || this.changes !== changes) {
      blob.discard();
      throw new ImageError("write a blob: its unit of work ended meanwhile; write it again");
    }
    this.changes.pending.push(blob);
    return new BlobRef(blob.hash, blob.size);
  }

  /** The bytes of a blob, also of one that is not committed yet. */
  openBlob(blob: BlobRef): ReadableStream<Uint8Array> {
    this.requireReadable();
    const pending = this.changes.pending.find(({ hash }) => hash === blob.hash);
    return pending !== undefined
      ? pending.open()
      : requireBlobs(this.parts.blobs, `read blob "${blob.hash}"`).open(blob.hash);
  }

  /** Lets somebody write in the same transaction. */
  join(participant: Participant): void {
    this.#requireWritable(`join "${participant.name}"`);
    this.changes.participants.push(participant);
  }

  /** Sends a message; see `send.ts`. */
  send(
    target: Target,
    selector: string,
    args: readonly unknown[] = [],
    options: SendOptions = {},
  ): Promise<Value> {
    this.requireReadable();
    return this.parts.messenger.send(this, target, selector, args, options);
  }

  // --- ends -----------------------------------------------------------------------------------------------------------

  /**
   * A point to go back to.
   * @throws what a participant throws; then only `abort` is left
   */
  savepoint(): Savepoint {
    this.#requireWritable("make a savepoint");
    try {
      const savepoint = new Savepoint((one) => this.#rollback(one));
      this.changes.save(savepoint);
      return savepoint;
    } catch (error) {
      throw this.#fail(error, "a savepoint failed");
    }
  }

  #rollback(savepoint: Savepoint): void {
    this.#requireWritable("roll back to a savepoint");
    if (!this.changes.has(savepoint)) {
      throw new ImageError(
        "roll back to a savepoint: an earlier rollback or the end of the unit made it invalid; make a new one",
      );
    }
    try {
      this.changes.backTo(savepoint);
    } catch (error) {
      throw this.#fail(error, "a rollback failed");
    }
    this.forgetLookups();
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
      return this.moment;
    }
    this.#status = "committing";
    let tid: number;
    try {
      const seen = { snapshot: this.moment, drops: this.#drops };
      tid = await this.parts.exclusively(
        "commit",
        () => this.changes.write(this.parts, seen, about),
      );
    } catch (error) {
      this.#fail(error, "a commit failed");
      if (this.#endsAfterCommit) this[Symbol.dispose]();
      throw error;
    }
    const { records, participants } = this.changes;
    // They are kept, and no longer to be discarded with the rest.
    this.changes.pending = [];
    this.#end();
    // From what was just committed: that was the newest a moment ago, and whoever commits next looks again.
    if (!this.#endsAfterCommit) this.#start(this.parts.state.known);
    for (const participant of participants) participant.committed?.(tid);
    this.parts.onCommit({ tid, oids: [...records.keys()], ...about });
    return tid;
  }

  /** Forgets all changes and begins anew, at the newest state. */
  abort(): void {
    if (this.#status === "ended") return;
    if (this.#status === "committing") {
      throw new ImageError("abort: a commit is on its way; wait for its end");
    }
    // Before the new beginning, which fails where the image was closed meanwhile.
    this[Symbol.dispose]();
    this.#start();
  }

  /** Ends the unit; what was not committed is gone. A commit that is on its way comes to its end first. */
  [Symbol.dispose](): void {
    if (this.#status === "ended") return;
    if (this.#status === "committing") {
      this.#endsAfterCommit = true;
      return;
    }
    const participants = this.changes.participants;
    this.#end();
    for (const participant of participants) participant.aborted?.();
  }

  #start(moment = this.parts.at ?? this.parts.state.refresh()): void {
    const { state } = this.parts;
    this.moment = moment;
    this.#drops = state.drops;
    state.enter(this.moment);
    this.#status = "active";
    this.#failure = "";
  }

  #end(): void {
    this.parts.state.leave(this.moment);
    this.#status = "ended";
    for (const blob of this.changes.pending) blob.discard();
    this.changes = new Changes();
    this.forgetLookups();
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
    this.forgetLookups();
  }

  /** The copy of an object that may be changed: that of this stretch. */
  #copy(oid: Oid, action: string): ObjectRecord {
    this.#requireWritable(action);
    const record = this.require(oid, action);
    if (oid >= FIRST_MOUNTED_OID) {
      throw new ReadOnlyError(
        `${action}: it belongs to "${
          this.parts.state.ownerOf(oid)
        }" and is only shown here; make an object that delegates to it`,
      );
    }
    return this.changes.copyOf(record);
  }

  #change(
    oid: Oid,
    object: { kind: string; slots: Map<string, Slot> } | undefined,
    base: number,
  ): void {
    this.changes.put(oid, object, base);
    this.forgetLookups();
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
    return this.changes.pending.some((blob) => blob.hash === hash) ||
      this.parts.blobs?.has(hash) === true;
  }

  #requireWritable(action: string): void {
    this.requireReadable();
    if (this.#status === "failed") {
      throw new ImageError(`${action}: ${this.#failure} in this unit of work; abort it first`);
    }
    if (this.#status === "committing") {
      throw new ImageError(
        `${action}: a commit is on its way in this unit of work; wait for its end`,
      );
    }
    if (this.parts.at !== undefined) {
      throw new ReadOnlyError(
        `${action}: this is the image as of transaction ${this.parts.at}; the past is only read`,
      );
    }
    if (this.parts.state.store.readOnly) {
      throw new ReadOnlyError(
        `${action}: the image "${this.parts.state.store.name}" was opened for reading`,
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
