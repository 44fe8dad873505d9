/**
 * What a unit of work sees: one moment of the image, with the unit's own changes over it.
 *
 * Owns reading and lookup. What must hold: it sees the same moment whatever is committed meanwhile; nothing that it hands out can change
 * what it holds.
 */
import { Changes } from "./changes.ts";
import { ImageError, NoSuchObjectError } from "./errors.ts";
import { type Found, lookUpAbove, LookupCache, type RecordSource } from "./lookup.ts";
import { isParentName, type ObjectRecord, parentOid, type Slot } from "./object_record.ts";
import { slotCopy, slotValue } from "./slot_spec.ts";
import type { UnitParts } from "./unit_parts.ts";
import { type Oid, oidOf, type Ref, type Value } from "./values.ts";

/** Whether a unit can be read and written, waits for its commit, can only be aborted, or is over. */
export type UnitStatus = "active" | "committing" | "failed" | "ended";

/** See the module text. */
export abstract class UnitView implements RecordSource {
  protected readonly parts: UnitParts;
  protected changes = new Changes();
  /** The transaction whose state is seen. */
  protected moment = 0;
  readonly #dependsOnReads: boolean;
  readonly #lookups = new LookupCache();

  /** @param dependsOnReads whether every object that is read is a declared dependency */
  constructor(parts: UnitParts, dependsOnReads: boolean) {
    this.parts = parts;
    this.#dependsOnReads = dependsOnReads;
  }

  abstract get status(): UnitStatus;

  /** The transaction whose state this unit sees, beside its own changes. */
  get snapshot(): number {
    return this.moment;
  }

  /** A view of the past can be looked at only. */
  get readOnly(): boolean {
    return this.parts.at !== undefined || this.parts.state.store.readOnly;
  }

  /** The record as seen here. It must not be changed: for those in this folder. */
  record(oid: Oid): ObjectRecord | undefined {
    if (this.changes.records.size > 0) {
      const changed = this.changes.records.get(oid);
      if (changed !== undefined || this.changes.records.has(oid)) return changed;
    }
    if (this.#dependsOnReads) this.changes.depends.add(oid);
    return this.parts.state.record(oid, this.moment);
  }

  /** Whether there is such an object. */
  has(oid: Oid): boolean {
    this.requireReadable();
    return this.record(oid) !== undefined;
  }

  /** The slot that a selector means, found by delegation; it is searched, not run. */
  lookup(target: Oid | Ref, selector: string): Found | undefined {
    this.requireReadable();
    const oid = oidOf(target);
    const { state } = this.parts;
    // A unit that sees just what is committed shares what everybody found.
    const shared = this.changes.records.size === 0 && this.moment === state.known &&
      !this.#dependsOnReads;
    return (shared ? state.lookups : this.#lookups).lookUp(this, oid, selector);
  }

  /**
   * The same among the parents of `holder`: all of them, or the one whose slot is named.
   * @throws {ImageError} when there is no such parent
   */
  lookupAbove(holder: Oid, selector: string, parentSlot?: string): Found | undefined {
    const record = this.require(
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
    const slot = this.own(target, `read slot ${JSON.stringify(name)}`).slots.get(name);
    return slot && slotCopy(slot);
  }

  /** An object's own slots, in their order. */
  slots(target: Oid | Ref): Map<string, Slot> {
    const { slots } = this.own(target, "read slots");
    return new Map([...slots].map(([name, slot]) => [name, slotCopy(slot)]));
  }

  /** The objects that it delegates to. */
  parents(target: Oid | Ref): readonly Oid[] {
    return this.own(target, "read parents").parents;
  }

  /**
   * OIDs in ascending order, from one on, at most so many. Among them are those of objects that are no longer there: `has` tells.
   * What is mounted is not among them.
   */
  oids(from: Oid, limit: number): Oid[] {
    this.requireReadable();
    const stored = this.parts.state.store.oids(this.moment, from, limit);
    const own = this.changedOids().filter((oid) => oid >= from && !stored.includes(oid));
    return own.length === 0 ? stored : [...stored, ...own].sort((a, b) => a - b).slice(0, limit);
  }

  /** Objects that were made, changed or taken away in this unit, in ascending order. */
  changedOids(): Oid[] {
    return [...this.changes.records.keys()].sort((a, b) => a - b);
  }

  /** What it says about the resolution of conflicts; empty for nothing. */
  kindOf(target: Oid | Ref): string {
    return this.own(target, "read the kind").kind;
  }

  /** The transaction that wrote what is seen here; 0 for an object that is changed in this unit. */
  revisionOf(target: Oid | Ref): number {
    return this.own(target, "read the revision").tid;
  }

  /** What this unit has seen of this object must still hold when it commits. */
  dependsOn(target: Oid | Ref): void {
    this.requireReadable();
    this.changes.depends.add(oidOf(target));
  }

  // --- for units ------------------------------------------------------------------------------------------------------

  /** After a change, or where another moment is seen. */
  protected forgetLookups(): void {
    this.#lookups.forget();
  }

  /** The record of an object that is there. */
  protected own(target: Oid | Ref, action: string): ObjectRecord {
    this.requireReadable();
    const oid = oidOf(target);
    return this.require(oid, `${action} of object ${oid}`);
  }

  protected require(oid: Oid, action: string): ObjectRecord {
    const record = this.record(oid);
    if (record === undefined) throw new NoSuchObjectError(oid, action);
    return record;
  }

  protected requireReadable(): void {
    if (this.status === "ended") {
      throw new ImageError("use a unit of work: it has ended; begin a new one");
    }
  }
}
