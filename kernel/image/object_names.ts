/**
 * What people call objects: numbers, names that the lobby has, names that objects have themselves, places that are only shown.
 *
 * Owns how a name is understood in one view of the image, and a value that somebody typed. What must hold: what cannot be found is answered
 * with names that are near; nothing is guessed.
 */
import { ImageError } from "./errors.ts";
import { LOBBY_OID } from "./primitives.ts";
import type { UnitOfWork } from "./unit_of_work.ts";
import { valueFromJson } from "./value_json.ts";
import { type Oid, parseOid, Ref, type Value } from "./values.ts";

/** Near names in a message. */
const MOST_NEAR = 5;

/** An object as results name it. */
export interface Named {
  readonly oid: string;
  readonly name: string;
}

/** Finds an object that is only shown in the image by what people call it: a path, for example. */
export type FindShown = (given: string) => Oid | undefined;

/** See the module text. */
export class ObjectNames {
  readonly #unit: UnitOfWork;
  readonly #findShown: FindShown;
  readonly #lobby = new Map<Oid, string[]>();

  /** @param findShown asked for names that the lobby does not have */
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

  /** How results name an object; its name is empty where it has none. */
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

/** What an object calls itself; empty where it does not. */
export function nameOf(unit: UnitOfWork, oid: Oid): string {
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
