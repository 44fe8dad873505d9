/**
 * What is committed, as the units of work of one process share it.
 *
 * Owns the records that were read, the lookups that were made over them, the OIDs to give out, the mounts, and the moments that
 * units look at. What must hold: every record here is the state of its object at `known`; whatever was committed or dropped, by
 * another process too, is noticed before a unit begins and before one commits; nothing here is ever changed, only replaced.
 */
import { DamagedImageError, ImageError, PackedError } from "./errors.ts";
import type { ImageStore } from "./image_store.ts";
import { LookupCache } from "./lookup.ts";
import { dataSlot, decodeRecord, ObjectRecord, type Slot } from "./object_record.ts";
import { FIRST_MOUNTED_OID, type Oid, Ref, takeIn } from "./values.ts";

/** An object that somebody else keeps, seen as one of the image. It can be read and sent messages, not written. */
export interface MountedObject {
  /** Its prototype, in the image. */
  readonly parent: Oid;
  readonly slots: Readonly<Record<string, unknown>>;
}

/** Objects that are derived from something else, under a range of OIDs of their own. */
export interface Mount {
  /** For messages: whose objects these are. */
  readonly name: string;
  /** First OID, at least `FIRST_MOUNTED_OID`, and the one after the last. */
  readonly range: readonly [Oid, Oid];
  /** What is there now; undefined where there is nothing. */
  get(oid: Oid): MountedObject | undefined;
}

/** Records kept in memory at most; then the older half goes and is read again when needed. Some 200 MB of small objects. */
const MOST_RECORDS = 250_000;
/** OIDs reserved at a time: few enough to leave no large holes, many enough that reserving is rare. */
const OID_BLOCK = 1_024;

/** See the module text. */
export class CommittedState {
  readonly store: ImageStore;
  /** Lookups over what is committed at `known`. */
  readonly lookups: LookupCache = new LookupCache();
  #records = new Map<Oid, ObjectRecord>();
  #known: number;
  #drops: number;
  #nextOid = 0;
  #oidsEnd = 0;
  #mounts: Mount[] = [];
  /** How many units look at each moment. */
  #watched = new Map<number, number>();

  constructor(store: ImageStore) {
    this.store = store;
    this.#known = store.newestTransaction();
    this.#drops = store.drops();
  }

  /** The newest transaction that is known here. */
  get known(): number {
    return this.#known;
  }

  /** How often something had been dropped when what is kept here was last compared with the store. */
  get drops(): number {
    return this.#drops;
  }

  /** Looks for commits and packs, those of other processes included; gives the newest transaction. */
  refresh(): number {
    const newest = this.store.newestTransaction();
    const drops = this.store.drops();
    if (drops !== this.#drops) {
      // An object that was dropped must not be found here by whoever would refer to it.
      this.#forget();
      this.#drops = drops;
    }
    if (newest === this.#known) return newest;
    for (const { oids } of this.store.transactions({ after: this.#known, upTo: newest })) {
      for (const oid of oids) this.#records.delete(oid);
    }
    this.#known = newest;
    this.lookups.forget();
    return newest;
  }

  /** The state of an object after transaction `tid`; undefined where it is not there. */
  record(oid: Oid, tid: number): ObjectRecord | undefined {
    const record = this.#records.get(oid);
    if (record !== undefined && record.tid <= tid) return record;
    return oid < FIRST_MOUNTED_OID ? this.#read(oid, tid, record) : this.#mounted(oid);
  }

  #read(oid: Oid, tid: number, newer: ObjectRecord | undefined): ObjectRecord | undefined {
    if (newer === undefined) {
      const current = this.#loadNewest(oid, tid);
      if (current !== undefined) this.#keep(current);
      if (current !== undefined && current.tid <= tid) return current;
      if (tid >= this.#known) return current;
    }
    const past = this.#load(oid, tid);
    if (past === undefined && tid < this.store.packedTo()) this.#requireUnpacked(oid, tid);
    return past;
  }

  /** The record as of `known`; undefined also where it is damaged and an older one is asked for. */
  #loadNewest(oid: Oid, tid: number): ObjectRecord | undefined {
    try {
      return this.#load(oid, this.#known);
    } catch (error) {
      if (tid >= this.#known || !(error instanceof DamagedImageError)) throw error;
    }
  }

  #load(oid: Oid, tid: number): ObjectRecord | undefined {
    const revision = this.store.load(oid, tid);
    if (revision === undefined || revision.data === null) return undefined;
    return decodeRecord(oid, revision.tid, revision.data);
  }

  /** What is not there may have been packed away: no answer is better than a wrong one. */
  #requireUnpacked(oid: Oid, tid: number): void {
    const ids = this.store.revisionIds(oid);
    if (ids.length > 0 && ids.at(-1)! > tid) {
      throw new PackedError(
        `read object ${oid} as of transaction ${tid}: a pack kept nothing that old; its oldest revision is ${
          ids.at(-1)
        }`,
      );
    }
  }

  #keep(record: ObjectRecord): void {
    if (this.#records.size >= MOST_RECORDS) {
      let left = MOST_RECORDS / 2;
      for (const oid of this.#records.keys()) {
        if (left-- <= 0) break;
        this.#records.delete(oid);
      }
    }
    this.#records.set(record.oid, record);
  }

  /** Takes over what a unit committed as `tid`; `undefined` marks an object that was taken away. */
  install(tid: number, records: ReadonlyMap<Oid, ObjectRecord | undefined>): void {
    // What other processes committed in between was noticed before this transaction was written.
    this.#known = tid;
    for (const [oid, record] of records) {
      if (record === undefined) this.#records.delete(oid);
      else this.#keep(record);
    }
    this.lookups.forget();
  }

  #forget(): void {
    this.#records.clear();
    this.lookups.forget();
  }

  /** An OID that nobody has or had. */
  allocate(): Oid {
    if (this.#nextOid >= this.#oidsEnd) {
      this.#nextOid = this.store.reserve(OID_BLOCK);
      this.#oidsEnd = this.#nextOid + OID_BLOCK;
      if (this.#oidsEnd > FIRST_MOUNTED_OID) {
        throw new ImageError("create an object: no OID is left");
      }
    }
    return this.#nextOid++;
  }

  // --- moments that are looked at -------------------------------------------------------------------------------------

  /** A unit looks at `tid` until it leaves: a pack keeps what it sees. */
  enter(tid: number): void {
    this.#watched.set(tid, (this.#watched.get(tid) ?? 0) + 1);
  }

  leave(tid: number): void {
    const left = (this.#watched.get(tid) ?? 0) - 1;
    if (left > 0) this.#watched.set(tid, left);
    else this.#watched.delete(tid);
  }

  /** The oldest moment that a unit of this process looks at. */
  oldestWatched(): number {
    return Math.min(this.#known, ...this.#watched.keys());
  }

  // --- mounts ---------------------------------------------------------------------------------------------------------

  /**
   * Shows objects of somebody else under their own OIDs, until it is disposed of.
   * @throws {RangeError} when the range is none, or overlaps another
   */
  mount(mount: Mount): Disposable {
    const [from, to] = mount.range;
    if (!(from >= FIRST_MOUNTED_OID && from < to && to <= Number.MAX_SAFE_INTEGER)) {
      throw new RangeError(
        `mount "${mount.name}" at ${from} to ${to}: expected a range from 2^48 (${FIRST_MOUNTED_OID}) to 2^53 - 1`,
      );
    }
    const other = this.#mounts.find(({ range }) => from < range[1] && range[0] < to);
    if (other !== undefined) {
      throw new RangeError(`mount "${mount.name}" at ${from}: overlaps the mount "${other.name}"`);
    }
    this.#mounts.push(mount);
    return {
      [Symbol.dispose]: () => {
        this.#mounts = this.#mounts.filter((one) => one !== mount);
      },
    };
  }

  /** Whose an OID above the store's is, in words. */
  ownerOf(oid: Oid): string {
    return this.#mountOf(oid)?.name ?? "nobody";
  }

  #mountOf(oid: Oid): Mount | undefined {
    return this.#mounts.find(({ range }) => oid >= range[0] && oid < range[1]);
  }

  #mounted(oid: Oid): ObjectRecord | undefined {
    const object = this.#mountOf(oid)?.get(oid);
    if (object === undefined) return undefined;
    const slots = new Map<string, Slot>([["parent*", dataSlot(new Ref(object.parent), true)]]);
    for (const [name, value] of Object.entries(object.slots)) {
      slots.set(name, dataSlot(takeIn(value, `slot "${name}" of the mounted object ${oid}`), true));
    }
    return new ObjectRecord(oid, 0, "", slots);
  }
}
