/**
 * An object as it is kept: its slots, and the text form that both stores and exported files hold.
 *
 * Owns the record and its format. The text of a record is JSON:
 *
 *     {"k": KIND, "s": [SLOT, …]}                      "k" is left out where the object has no kind
 *     SLOT  = [NAME, "d", VALUE]                       data
 *           | [NAME, "r", VALUE]                       data, read-only
 *           | [NAME, "m", LANGUAGE, PARAMETERS, SOURCE, HASH]   a method: three strings and a list of names
 *           | [NAME, "p", PRIMITIVE]                   a method that is a function of the kernel
 *     VALUE = null | true | false | finite number other than -0 | string (lone surrogates as \uXXXX) | [VALUE, …]
 *           | {"o": OID}                               reference to an object
 *           | {"b": [SHA256, SIZE]}                    reference to a blob
 *           | {"n": "NaN" | "Infinity" | "-Infinity" | "-0"}
 *           | {"i": DIGITS}                            bigint
 *           | {"t": MILLISECONDS | null}               date; null for an invalid one
 *           | {"a": [TYPE, BASE64]}                    typed array, little-endian
 *           | {"m": [[KEY, VALUE], …]}                 map, in its order
 *
 * Slots are a list and maps are pairs, so that `__proto__` and `1` are names like any other and keep their place. The hash of a method
 * is the SHA-256 of the JSON of [LANGUAGE, PARAMETERS, SOURCE]. What must hold: a record that was committed is never changed;
 * what a later version added to this form makes a record unreadable for this one, never wrong; a text reads back to what was written.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { DamagedImageError, ImageError } from "./errors.ts";
import {
  BlobRef,
  emptyMap,
  isOid,
  type Oid,
  Ref,
  seal,
  TYPED_ARRAYS,
  type TypedArray,
  type Value,
  type ValueMap,
  visitReferences,
} from "./values.ts";

/** A slot that holds a value. */
export interface DataSlot {
  readonly type: "data";
  readonly value: Value;
  readonly readOnly: boolean;
}

/** A slot that holds a method as source. */
export interface MethodSlot {
  readonly type: "method";
  /** What runs it: `js`, or a name that whoever runs methods knows. */
  readonly language: string;
  /** Names of the arguments, without the receiver. */
  readonly parameters: readonly string[];
  readonly source: string;
  /** SHA-256 of language, parameters and source: what was checked is what runs. */
  readonly hash: string;
}

/** A slot whose method is a function of the kernel. */
export interface PrimitiveSlot {
  readonly type: "primitive";
  readonly name: string;
}

/** What a name of an object stands for. */
export type Slot = DataSlot | MethodSlot | PrimitiveSlot;

/** Longest name of a slot, primitive, kind: they are looked at, not read from. */
const LONGEST_NAME = 1_000;
/** Longest text of one object, in UTF-16 units. SQLite would take 1 GB; what is larger than this belongs into a blob. */
const LONGEST_RECORD = 64 * 1024 * 1024;

/** See the module text. The image never changes one that was committed; a unit of work changes its own copies. */
export class ObjectRecord {
  #parents: readonly Oid[] | undefined;
  constructor(
    readonly oid: Oid,
    /** Transaction that wrote it; 0 while it is not committed, or for what is mounted. */
    readonly tid: number,
    /** Chooses how conflicts are resolved; empty for none. */
    readonly kind: string,
    readonly slots: Map<string, Slot>,
    /** Which stretch between savepoints made this copy; nothing for a committed record. */
    readonly stretch = 0,
  ) {}

  /** The objects that lookup goes on to, in the order of their slots. */
  get parents(): readonly Oid[] {
    return this.#parents ??= parentsOf(this.slots);
  }

  /** After a change of slots in a working copy. */
  forgetParents(): void {
    this.#parents = undefined;
  }
}

/** Whether a slot of this name names a parent. */
export function isParentName(name: string): boolean {
  return name.charCodeAt(name.length - 1) === 42; // "*"
}

function parentsOf(slots: ReadonlyMap<string, Slot>): readonly Oid[] {
  const parents: Oid[] = [];
  for (const [name, slot] of slots) {
    if (isParentName(name) && slot.type === "data" && slot.value instanceof Ref) {
      parents.push(slot.value.oid);
    }
  }
  return parents;
}

/** Checks a name of a slot, selector, kind or primitive; any text will do, within reason. */
export function requireName(name: unknown, what: string): asserts name is string {
  if (typeof name !== "string" || name.length === 0 || name.length > LONGEST_NAME) {
    const found = typeof name === "string" ? `${name.length} characters` : typeof name;
    throw new TypeError(
      `${what}: found a name of ${found}; a name has 1 to ${LONGEST_NAME} characters`,
    );
  }
}

/** A data slot. */
export function dataSlot(value: Value, readOnly = false): DataSlot {
  return Object.freeze({ type: "data", value, readOnly });
}

/** A method slot; computes its hash. */
export function methodSlot(
  source: string,
  parameters: readonly string[],
  language: string,
): MethodSlot {
  return Object.freeze({
    type: "method",
    language,
    parameters: Object.freeze([...parameters]),
    source,
    hash: methodHash(language, parameters, source),
  });
}

function methodHash(language: string, parameters: readonly string[], source: string): string {
  return createHash("sha256").update(JSON.stringify([language, parameters, source])).digest("hex");
}

/** Calls `see` for each object and blob that a record refers to. */
export function visitRecord(
  record: { readonly slots: ReadonlyMap<string, Slot> },
  see: (reference: Ref | BlobRef) => void,
): void {
  for (const slot of record.slots.values()) {
    if (slot.type === "data") visitReferences(slot.value, see);
  }
}

// --- text form ------------------------------------------------------------------------------------------------------

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The text form of a record. */
export function encodeRecord(
  record: { readonly kind: string; readonly slots: ReadonlyMap<string, Slot> },
): string {
  const slots: Json[] = [];
  for (const [name, slot] of record.slots) slots.push(slotToJson(name, slot));
  const text = JSON.stringify(record.kind ? { k: record.kind, s: slots } : { s: slots });
  if (text.length > LONGEST_RECORD) {
    throw new ImageError(
      `write an object: it takes ${text.length} characters, at most ${LONGEST_RECORD} can be kept; put what is large into a blob`,
    );
  }
  return text;
}

/** The text form of one slot, for digests and exported files. */
export function slotToJson(name: string, slot: Slot): Json[] {
  switch (slot.type) {
    case "data":
      return [name, slot.readOnly ? "r" : "d", valueToJson(slot.value)];
    case "method":
      return [name, "m", slot.language, [...slot.parameters], slot.source, slot.hash];
    case "primitive":
      return [name, "p", slot.name];
  }
}

/**
 * Reads the text form.
 * @throws {DamagedImageError} when it is none
 */
export function decodeRecord(oid: Oid, tid: number, text: string): ObjectRecord {
  try {
    const json = JSON.parse(text) as { k?: string; s: Json[] };
    const slots = new Map<string, Slot>();
    for (const one of json.s) {
      const [name, slot] = slotFromJson(one);
      slots.set(name, slot);
    }
    return new ObjectRecord(oid, tid, json.k ?? "", slots);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DamagedImageError(
      `read object ${oid}: its revision ${tid} is no record (${reason}); see "history" for older ones`,
      oid,
      tid,
    );
  }
}

/** A slot from its text form. */
export function slotFromJson(json: Json): [string, Slot] {
  const [name, type, ...rest] = list(json);
  if (typeof name !== "string") throw new TypeError("a slot without a name");
  switch (type) {
    case "d":
    case "r":
      return [name, dataSlot(valueFromJson(rest[0]!), type === "r")];
    case "m": {
      const [language, parameters, source, hash] = rest as [string, string[], string, string];
      return [
        name,
        Object.freeze({
          type: "method",
          language,
          parameters: Object.freeze(list(parameters)) as string[],
          source,
          hash,
        }),
      ];
    }
    case "p":
      return [name, Object.freeze({ type: "primitive", name: String(rest[0]) })];
    default:
      throw new TypeError(`slot ${JSON.stringify(name)} of an unknown type`);
  }
}

/** Whether the hash of a method is that of its text. */
export function isGenuine(slot: MethodSlot): boolean {
  return slot.hash === methodHash(slot.language, slot.parameters, slot.source);
}

/** The text form of a value as JSON data. */
export function valueToJson(value: Value): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { n: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint":
      return { i: String(value) };
  }
  if (value === null) return null;
  if (value instanceof Ref) return { o: value.oid };
  if (Array.isArray(value)) return value.map(valueToJson);
  if (value instanceof BlobRef) return { b: [value.hash, value.size] };
  if (value instanceof Date) return { t: value.getTime() };
  if (ArrayBuffer.isView(value)) {
    const array = value as TypedArray;
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
    return { a: [array.constructor.name, bytes.toString("base64")] };
  }
  const map = value as ValueMap;
  return { m: Object.keys(map).map((key) => [key, valueToJson(map[key]!)]) };
}

/** A value from its text form, frozen. */
export function valueFromJson(json: Json): Value {
  if (typeof json !== "object" || json === null) return scalar(json);
  if (Array.isArray(json)) {
    // Most lists hold nothing but text and numbers: they are kept as the parser made them.
    for (let at = 0; at < json.length; at++) {
      const one = json[at]!;
      if (typeof one === "object") json[at] = valueFromJson(one) as Json;
    }
    return seal(json as Value[]);
  }
  for (const tag in json) return tagged(tag, json[tag]!);
  throw new TypeError("a value without a tag");
}

function scalar(json: unknown): null | boolean | number | string {
  if (json === undefined) throw new TypeError("a value is missing");
  return json as null | boolean | number | string;
}

function tagged(tag: string, json: Json): Value {
  switch (tag) {
    case "o":
      return new Ref(json as number);
    case "b":
      return new BlobRef(String(list(json)[0]), Number(list(json)[1]));
    case "n":
      return Number(json);
    case "i":
      return BigInt(String(json));
    case "t":
      return new Date(json === null ? NaN : Number(json));
    case "a":
      return typedFromText(String(list(json)[0]), String(list(json)[1]));
    case "m": {
      const map = emptyMap();
      for (const pair of list(json)) {
        const [key, value] = list(pair);
        map[String(key)] = valueFromJson(value!);
      }
      return seal(map);
    }
    default:
      throw new TypeError(`a value of an unknown type ${JSON.stringify(tag)}`);
  }
}

function typedFromText(name: string, base64: string): Value {
  if (!Object.hasOwn(TYPED_ARRAYS, name)) throw new TypeError(`an unknown typed array ${name}`);
  const Type = TYPED_ARRAYS[name as keyof typeof TYPED_ARRAYS] as Uint8ArrayConstructor;
  const bytes = Buffer.from(base64, "base64");
  const array = new Type(bytes.length / Type.BYTES_PER_ELEMENT);
  new Uint8Array(array.buffer).set(bytes);
  return array;
}

function list(json: unknown): Json[] {
  if (!Array.isArray(json)) throw new TypeError("a list is missing");
  return json as Json[];
}

/** The OID that a parent slot names; `undefined` for none. */
export function parentOid(slot: Slot | undefined): Oid | undefined {
  return slot?.type === "data" && slot.value instanceof Ref && isOid(slot.value.oid)
    ? slot.value.oid
    : undefined;
}
