/**
 * Values of the image as JSON for people and programs, and back.
 *
 * Owns the form that commands take and show (the form on disk is another, see `object_record.ts`). Plain data is itself. What JSON
 * lacks is a map with one key that begins with `$`:
 *
 *     {"$ref": "12"}                       reference to object 12
 *     {"$blob": {"hash": HEX, "size": N}}  reference to a blob
 *     {"$number": "NaN" | "Infinity" | "-Infinity" | "-0"}
 *     {"$bigint": "123"}
 *     {"$date": "2026-01-31T12:00:00.000Z" | null}
 *     {"$array": {"type": "Uint8Array", "base64": TEXT}}     little-endian
 *     {"$map": [[KEY, VALUE], …]}          a map that has a key beginning with `$`
 *
 * What must hold: what was written this way reads back to the same value.
 */
import { Buffer } from "node:buffer";
import { ImageError } from "./errors.ts";
import {
  BlobRef,
  emptyMap,
  parseOid,
  Ref,
  TYPED_ARRAYS,
  type TypedArray,
  type Value,
  type ValueMap,
} from "./values.ts";

/** Data that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | {
  readonly [key: string]: Json;
};

/** A value as JSON; see the module text. */
export function valueToJson(value: Value): Json {
  switch (typeof value) {
    case "bigint":
      return { $bigint: String(value) };
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? "-0" : String(value) };
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (value instanceof Ref) return { $ref: String(value.oid) };
  if (value instanceof BlobRef) return { $blob: { hash: value.hash, size: value.size } };
  if (value instanceof Date) {
    return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  }
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength, constructor } = value as TypedArray;
    const base64 = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("base64");
    return { $array: { type: constructor.name, base64 } };
  }
  if (Array.isArray(value)) return value.map(valueToJson);
  const entries = Object.entries(value as ValueMap);
  if (entries.some(([key]) => key.startsWith("$"))) {
    return { $map: entries.map(([key, one]) => [key, valueToJson(one)]) };
  }
  const map = Object.create(null) as Record<string, Json>;
  for (const [key, one] of entries) map[key] = valueToJson(one);
  return map;
}

/**
 * The value that JSON means; see the module text.
 * @throws {ImageError} for a map with a key beginning with `$` that means nothing
 */
export function valueFromJson(json: unknown): Value {
  if (typeof json !== "object" || json === null) return json as Value;
  if (Array.isArray(json)) return json.map(valueFromJson);
  const entries = Object.entries(json);
  const special = entries.find(([key]) => key.startsWith("$"));
  if (special !== undefined) return specialValue(special[0], special[1], entries.length, json);
  const map = emptyMap();
  for (const [key, one] of entries) map[key] = valueFromJson(one);
  return map;
}

const NUMBERS: Readonly<Record<string, number>> = {
  NaN: NaN,
  Infinity: Infinity,
  "-Infinity": -Infinity,
  "-0": -0,
};

function specialValue(key: string, content: unknown, keys: number, whole: unknown): Value {
  const refuse = (): never => {
    throw new ImageError(
      `read value ${
        clip(JSON.stringify(whole))
      }: "${key}" with this content means nothing; see "batos image set --help", or write {"$map": [[KEY, VALUE], …]}`,
    );
  };
  if (keys !== 1) return refuse();
  const fields = (content ?? {}) as Record<string, unknown>;
  switch (key) {
    case "$ref":
      return typeof content === "string" ? new Ref(parseOid(content)) : refuse();
    case "$blob":
      return typeof fields.hash === "string" && typeof fields.size === "number"
        ? new BlobRef(fields.hash, fields.size)
        : refuse();
    case "$number":
      return typeof content === "string" && Object.hasOwn(NUMBERS, content)
        ? NUMBERS[content]!
        : refuse();
    case "$bigint":
      return typeof content === "string" && /^-?\d+$/.test(content) ? BigInt(content) : refuse();
    case "$date": {
      if (content === null) return new Date(NaN);
      const date = new Date(typeof content === "string" ? content : NaN);
      return Number.isNaN(date.getTime()) ? refuse() : date;
    }
    case "$array": {
      const { type, base64 } = fields;
      if (typeof base64 !== "string" || !Object.hasOwn(TYPED_ARRAYS, String(type))) return refuse();
      const Type = TYPED_ARRAYS[type as keyof typeof TYPED_ARRAYS];
      const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
      if (bytes.length % Type.BYTES_PER_ELEMENT !== 0) return refuse();
      return new Type(bytes.buffer);
    }
    case "$map": {
      if (!Array.isArray(content)) return refuse();
      const map = emptyMap();
      for (const pair of content as unknown[]) {
        if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string") {
          return refuse();
        }
        map[pair[0]] = valueFromJson(pair[1]);
      }
      return map;
    }
    default:
      return refuse();
  }
}

/** As much of a text as a message needs to show which one it is. */
function clip(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
