/**
 * Finding the slot that a selector means, by delegation along `parent*` slots.
 *
 * Owns the rules (Self: Agesen et al., "The Self 4.0 Programmer's Reference Manual", lookup with ambiguity) and the memory of what was
 * found. An object's own slot wins and its parents are not searched; else all parents are, each object once; one slot in one object,
 * reached over whatever ways, is one match; two are an ambiguity, also where one way shadows the other. What must hold: what is
 * remembered is forgotten with every change that its view can see (`forget`), so that it is never stale.
 */
import { AmbiguousSelectorError, NoSuchObjectError } from "./errors.ts";
import type { ObjectRecord, Slot } from "./object_record.ts";
import { FIRST_MOUNTED_OID, type Oid } from "./values.ts";

/** A slot, and the object that holds it. */
export interface Found {
  readonly holder: Oid;
  readonly slot: Slot;
}

/** Where records come from: a unit of work, or a moment of the past. */
export interface RecordSource {
  /** The record as this view sees it; undefined where there is none. */
  record(oid: Oid): ObjectRecord | undefined;
}

/** Steps along a chain of single parents before it is suspected to be a circle. */
const LONGEST_CHAIN = 64;
/** Receivers whose lookups are remembered; then all are forgotten, for a table that only grows is a leak. */
const MOST_RECEIVERS = 50_000;

/**
 * Finds the slot; undefined where neither the object nor what it delegates to has it. A parent that does not exist has no slots.
 *
 * @throws {AmbiguousSelectorError} when several parents have one
 * @throws {NoSuchObjectError} when there is no such object
 */
export function lookUp(source: RecordSource, oid: Oid, selector: string): Found | undefined {
  let record = source.record(oid);
  if (record === undefined) {
    throw new NoSuchObjectError(oid, `look up ${JSON.stringify(selector)}`);
  }
  // Almost every object has one parent: no set of visited ones is needed until the chain is long.
  for (let steps = 0; steps < LONGEST_CHAIN; steps++) {
    const slot: Slot | undefined = record.slots.get(selector);
    if (slot !== undefined) return { holder: record.oid, slot };
    const parents: readonly Oid[] = record.parents;
    if (parents.length !== 1) {
      if (parents.length === 0) return undefined;
      break;
    }
    const next = source.record(parents[0]!);
    if (next === undefined) return undefined;
    record = next;
  }
  return one(searchAll(source, [record.oid], selector, new Set()), oid, selector);
}

/**
 * Finds the slot among these parents of an object, as a resend does: its own slots are left out, also where a circle leads back.
 * @throws {AmbiguousSelectorError} when several parents have one
 */
export function lookUpAbove(
  source: RecordSource,
  holder: Oid,
  selector: string,
  parents: readonly Oid[],
): Found | undefined {
  return one(searchAll(source, parents, selector, new Set([holder])), holder, selector);
}

function searchAll(
  source: RecordSource,
  from: readonly Oid[],
  selector: string,
  visited: Set<Oid>,
): Found[] {
  const found: Found[] = [];
  // A stack of our own: chains may be as long as anybody makes them.
  const waiting = [...from].reverse();
  while (waiting.length > 0) {
    const oid = waiting.pop()!;
    if (visited.has(oid)) continue;
    visited.add(oid);
    const record = source.record(oid);
    if (record === undefined) continue;
    const slot = record.slots.get(selector);
    if (slot !== undefined) found.push({ holder: oid, slot });
    else waiting.push(...[...record.parents].reverse());
  }
  return found;
}

function one(found: readonly Found[], oid: Oid, selector: string): Found | undefined {
  if (found.length > 1) {
    throw new AmbiguousSelectorError(oid, selector, found.map(({ holder }) => holder));
  }
  return found[0];
}

/** Remembers what was found in one view, until something in it changes. */
export class LookupCache {
  #receivers = new Map<Oid, Map<string, Found | undefined>>();

  /** As `lookUp`; what is mounted changes unseen, so whatever it has a part in is looked up each time. */
  lookUp(source: RecordSource, oid: Oid, selector: string): Found | undefined {
    const known = this.#receivers.get(oid);
    if (known !== undefined) {
      const found = known.get(selector);
      if (found !== undefined || known.has(selector)) return found;
    }
    let isMounted = false;
    const watched: RecordSource = {
      record(one) {
        isMounted ||= one >= FIRST_MOUNTED_OID;
        return source.record(one);
      },
    };
    const found = lookUp(watched, oid, selector);
    if (isMounted) return found;
    if (known !== undefined) known.set(selector, found);
    else {
      if (this.#receivers.size >= MOST_RECEIVERS) this.#receivers.clear();
      this.#receivers.set(oid, new Map([[selector, found]]));
    }
    return found;
  }

  /** Forgets everything: something that this view sees has changed. */
  forget(): void {
    if (this.#receivers.size > 0) this.#receivers = new Map();
  }
}
