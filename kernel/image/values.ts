/**
 * The values that slots hold: what is data, what is not, and that nobody changes a stored one from outside.
 *
 * Owns the closed set of values, the check with the path to what is refused, and the copies at the border. What must hold: a value that
 * came in shares nothing with the caller that can change; a value that goes out can be changed without effect. Arrays and maps are
 * frozen all the way down and handed out as they are, unless they hold a date or a typed array, which no freezing stops
 * from changing: those are copied each time.
 */
import { ImageError } from "./errors.ts";

/** Identity of an object: a safe integer, 0 for the root. */
export type Oid = number;

/** From here on up OIDs belong to what is mounted (chunks, summaries, fractals), which the store does not hold. */
export const FIRST_MOUNTED_OID = 2 ** 48;

/** A reference to an object, as it stands in a slot. Two of the same OID are alike, not identical. */
export class Ref {
  constructor(readonly oid: Oid) {
    if (!isOid(oid)) throw new TypeError(`reference to object ${String(oid)}: ${OID_RULE}`);
    Object.freeze(this);
  }
  toString(): string {
    return `@${this.oid}`;
  }
}

/** A reference to a blob: content-addressed bytes outside the database. */
export class BlobRef {
  /**
   * @param hash SHA-256 of the content, 64 lower-case hexadecimal digits
   * @param size bytes
   */
  constructor(readonly hash: string, readonly size: number) {
    if (!/^[0-9a-f]{64}$/.test(hash)) {
      throw new TypeError(
        `reference to a blob ${JSON.stringify(hash)}: expected 64 hexadecimal digits`,
      );
    }
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new TypeError(`reference to blob ${hash}: a size of ${size} bytes`);
    }
    Object.freeze(this);
  }
  toString(): string {
    return `blob:${this.hash}`;
  }
}

/** Typed arrays that a slot may hold, by name. */
export const TYPED_ARRAYS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
} as const;

export type TypedArray = InstanceType<(typeof TYPED_ARRAYS)[keyof typeof TYPED_ARRAYS]>;

/** A plain map; without a prototype when it comes out of the image. */
export interface ValueMap {
  readonly [key: string]: Value;
}

/** Whatever a slot can hold. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | TypedArray
  | Ref
  | BlobRef
  | readonly Value[]
  | ValueMap;

/** Deeper than any data that people write, shallow enough for recursion. */
const DEEPEST_VALUE = 200;
/** Values in one slot. More belongs into a blob or into objects; without a limit, shared parts of a value multiply when copied as a tree. */
const MOST_PARTS = 1_000_000;

const OID_RULE = "an OID is a whole number from 0 to 2^53 - 1";

/** Whether something can be an OID. */
export function isOid(value: unknown): value is Oid {
  // -0 would be another key in text forms.
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

/**
 * The OID that somebody wrote.
 * @throws {ImageError} when it is none
 */
export function parseOid(text: string): Oid {
  const oid = /^@?(0|[1-9]\d{0,15})$/.test(text) ? Number(text.replace("@", "")) : NaN;
  if (!isOid(oid)) throw new ImageError(`object ${JSON.stringify(text)}: ${OID_RULE}`);
  return oid;
}

/** What is being written, for messages: `slot "x" of object 7`; a function where it is put together for an error only. */
export type Where = string | (() => string);

/** The OID of what may be given as an OID or as a reference. */
export function oidOf(target: Oid | Ref): Oid {
  if (isOid(target)) return target;
  return target instanceof Ref ? target.oid : new Ref(target).oid;
}

/** Containers that hold, at any depth, something that stays changeable. */
const changeable = new WeakSet<object>();

/**
 * A copy of a value that came from outside, frozen.
 *
 * @param where what is being written
 * @throws {TypeError} with the path inside the value when something in it is no data
 */
export function takeIn(value: unknown, where: Where): Value {
  if (isScalar(value)) return value;
  return new Intake(where).take(value, "", 0);
}

/** A value that may be given to anybody: what could be changed in it is a copy. */
export function handOut(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return new Date(value.getTime());
  if (ArrayBuffer.isView(value)) return copyTyped(value as TypedArray);
  if (!changeable.has(value)) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(handOut));
  const copy = emptyMap();
  for (const [key, one] of Object.entries(value)) copy[key] = handOut(one);
  return Object.freeze(copy);
}

/** Calls `see` for each reference and blob in a value. */
export function visitReferences(value: Value, see: (reference: Ref | BlobRef) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Ref || value instanceof BlobRef) see(value);
  else if (Array.isArray(value)) { for (const one of value) visitReferences(one, see); }
  else if (!(value instanceof Date) && !ArrayBuffer.isView(value)) {
    const map = value as ValueMap;
    for (const key in map) visitReferences(map[key]!, see);
  }
}

/** A map as they come out of the image: no prototype, so that every name is an ordinary one. */
export function emptyMap(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}

/** Freezes a container that was made here, and remembers whether anything in it can still be changed. */
export function seal<T extends Value[] | Record<string, Value>>(container: T): T {
  const parts = Array.isArray(container) ? container : Object.values(container);
  if (
    parts.some((part) =>
      typeof part === "object" && part !== null &&
      (part instanceof Date || ArrayBuffer.isView(part) || changeable.has(part))
    )
  ) {
    changeable.add(container);
  }
  return Object.freeze(container) as T;
}

function isScalar(value: unknown): value is null | boolean | number | bigint | string {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
      return true;
    default:
      return value === null;
  }
}

/** A copy that shares no memory, not even with a buffer that several threads have. */
function copyTyped(array: TypedArray): TypedArray {
  const Type = array.constructor as new (length: number) => TypedArray;
  const copy = new Type(array.length);
  (copy as Uint8Array).set(array as Uint8Array);
  return copy;
}

/** One value on its way in. */
class Intake {
  readonly #where: Where;
  readonly #open = new Set<object>();
  #parts = 0;

  constructor(where: Where) {
    this.#where = where;
  }

  take(value: unknown, path: string, depth: number): Value {
    if (++this.#parts > MOST_PARTS) {
      this.#refuse(path, `more than ${MOST_PARTS} values`, "keep it in objects or in a blob");
    }
    if (isScalar(value)) return value;
    if (typeof value !== "object") {
      return this.#refuse(
        path,
        value === undefined ? "undefined" : `a ${typeof value}`,
        "only data can be kept",
      );
    }
    const object = value!;
    const prototype = Object.getPrototypeOf(object);
    if (prototype === Ref.prototype || prototype === BlobRef.prototype) return object as Ref;
    if (prototype === Date.prototype) return new Date(Date.prototype.getTime.call(object));
    if (ArrayBuffer.isView(object)) return this.#typed(object, path);
    const isArray = Array.isArray(object);
    if (
      isArray ? prototype !== Array.prototype : prototype !== null && prototype !== Object.prototype
    ) {
      const name = (prototype as { constructor?: { name?: string } } | null)?.constructor?.name;
      return this.#refuse(
        path,
        `an instance of ${name || "a class"}`,
        "only plain data can be kept",
      );
    }
    if (this.#open.has(object)) {
      this.#refuse(path, "a value that contains itself", "use references between objects");
    }
    if (depth >= DEEPEST_VALUE) {
      this.#refuse(path, `values nested more than ${DEEPEST_VALUE} deep`, "use objects");
    }
    this.#open.add(object);
    const copy = isArray
      ? this.#array(object as unknown[], path, depth)
      : this.#map(object as Record<string, unknown>, path, depth);
    this.#open.delete(object);
    return copy;
  }

  #typed(view: ArrayBufferView, path: string): Value {
    for (const Type of Object.values(TYPED_ARRAYS)) {
      if (Object.getPrototypeOf(view) === Type.prototype) return copyTyped(view as TypedArray);
    }
    return this.#refuse(path, `an instance of ${view.constructor.name}`, "make it a Uint8Array");
  }

  #array(array: readonly unknown[], path: string, depth: number): Value {
    if (Object.keys(array).length !== array.length) {
      this.#refuse(path, "an array with holes or named properties", "fill it, or use a map");
    }
    const copy: Value[] = [];
    for (let at = 0; at < array.length; at++) {
      copy.push(this.take(array[at], `${path}[${at}]`, depth + 1));
    }
    return seal(copy);
  }

  #map(map: Record<string, unknown>, path: string, depth: number): Value {
    const copy = emptyMap();
    for (const key of Reflect.ownKeys(map)) {
      const inner = typeof key === "string" && /^[A-Za-z_$][\w$]*$/.test(key)
        ? `${path}.${key}`
        : `${path}[${typeof key === "symbol" ? String(key) : JSON.stringify(key)}]`;
      if (typeof key === "symbol") {
        return this.#refuse(inner, "a symbol as a key", "name it by a string");
      }
      const property = Object.getOwnPropertyDescriptor(map, key)!;
      if (!("value" in property) || property.enumerable !== true) {
        return this.#refuse(
          inner,
          "an accessor or a hidden property",
          "only plain data can be kept",
        );
      }
      copy[key] = this.take(property.value, inner, depth + 1);
    }
    return seal(copy);
  }

  #refuse(path: string, found: string, remedy: string): never {
    const at = path === "" ? "" : ` at ${path}`;
    const where = typeof this.#where === "string" ? this.#where : this.#where();
    throw new TypeError(`write ${where}${at}: found ${found}; ${remedy}`);
  }
}
