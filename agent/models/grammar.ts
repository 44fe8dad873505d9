/**
 * From a JSON Schema to a grammar in GBNF, which llama.cpp lets a model write nothing outside of.
 *
 * Owns the kinds of schema that are understood: objects, `anyOf`/`oneOf`, `const`, `enum`, strings, integers, booleans, arrays. What
 * must hold: every text of the grammar is JSON that satisfies the schema; every text is of bounded length, so that a model can
 * neither ramble nor run forever; there is no white space and one order of keys, so that no token is spent on form; a schema of
 * another kind, or one without bounds, is refused when the grammar is made.
 *
 * GBNF: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
 */
import type { JsonSchema } from "./language_model.ts";

/** llama.cpp unfolds repetitions into rules, and refuses many more than this. */
const MOST_REPETITIONS = 2000;

/** A range of integers up to this size is written out. */
const MOST_LISTED = 100;

/** A character of a JSON string: control characters have to be escaped, and only short escapes are offered. */
const CHARACTER = String.raw`[^"\\\x00-\x1F\x7F] | "\\" ["\\nt]`;

/** @throws {TypeError} when the schema is of a kind that is not in the module text, or has no bounds. */
export function grammarOf(schema: JsonSchema): string {
  const rules = new Map<string, string>();
  const root = ruleOf(schema, "root", rules);
  return [
    `root ::= ${root}`,
    ...[...rules].map(([name, body]) => `${name} ::= ${body}`),
    `char ::= ${CHARACTER}`,
    "",
  ].join("\n");
}

/** The right side for a schema; what it needs beside itself is put into `rules`. */
function ruleOf(schema: JsonSchema, place: string, rules: Map<string, string>): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) {
    return choices.map((choice, at) => named(choice as JsonSchema, `${place}-${at}`, rules)).join(
      " | ",
    );
  }
  if ("const" in schema) return literal(JSON.stringify(schema.const));
  if (Array.isArray(schema.enum)) {
    return schema.enum.map((value) => literal(JSON.stringify(value))).join(" | ");
  }
  switch (schema.type) {
    case "object":
      return objectRule(schema, place, rules);
    case "array": {
      const most = bound(schema, "maxItems", place);
      const least = Number(schema.minItems ?? 0);
      const item = named(schema.items as JsonSchema, `${place}-item`, rules);
      const further = `("," ${item}){${Math.max(0, least - 1)},${most - 1}}`;
      const filled = most === 1 ? item : `${item} ${further}`;
      if (most === 0) return '"[]"';
      return least > 0 ? `"[" ${filled} "]"` : `"[" (${filled})? "]"`;
    }
    case "string":
      return String.raw`"\"" char{${Number(schema.minLength ?? 0)},${
        bound(schema, "maxLength", place)
      }} "\""`;
    case "integer":
      return integers(schema, place);
    case "boolean":
      return '"true" | "false"';
  }
  throw new TypeError(
    `make a grammar: "${place}" is of the kind ${
      JSON.stringify(schema.type)
    }, expected object, array, string, integer, boolean, const, enum or anyOf`,
  );
}

function named(schema: JsonSchema, place: string, rules: Map<string, string>): string {
  const name = place.replace(/[^A-Za-z0-9-]/g, "-");
  rules.set(name, ruleOf(schema, name, rules));
  return name;
}

/** Keys in the order of the schema; those that are not required may be missing. */
function objectRule(schema: JsonSchema, place: string, rules: Map<string, string>): string {
  const required = new Set(schema.required as string[] | undefined ?? []);
  const entries = Object.entries(schema.properties as Record<string, JsonSchema> ?? {});
  const members = entries.map(([key, value]) => ({
    text: `${literal(`${JSON.stringify(key)}:`)} ${named(value, `${place}-${key}`, rules)}`,
    required: required.has(key),
  }));
  // From the end: what may follow a first member, and what may stand first.
  let following = "";
  let whole = "";
  for (const { text, required } of members.toReversed()) {
    const first = following === "" ? text : `${text} ${following}`;
    whole = required || whole === "" ? first : `(${first}) | (${whole})`;
    if (!required) {
      const isLast = following === "";
      following = isLast ? `("," ${text})?` : `("," ${text})? ${following}`;
    } else following = following === "" ? `"," ${text}` : `"," ${text} ${following}`;
  }
  if (members.length === 0) return '"{}"';
  return required.size > 0 ? `"{" (${whole}) "}"` : `"{" (${whole})? "}"`;
}

/** A range of few numbers is listed; of a larger one those with fewer digits than its maximum are offered. */
function integers(schema: JsonSchema, place: string): string {
  const least = Number(schema.minimum ?? 0);
  const most = bound(schema, "maximum", place);
  if (least >= 0 && most - least < MOST_LISTED) {
    const all = Array.from({ length: most - least + 1 }, (_, at) => `"${least + at}"`);
    return all.join(" | ");
  }
  if (least !== 0 && least !== 1) {
    throw new TypeError(`make a grammar: "${place}" starts at ${least}, expected 0 or 1`);
  }
  const positive = `[1-9] [0-9]{0,${String(most).length - 2}}`;
  return least === 1 ? positive : `"0" | ${positive}`;
}

function bound(
  schema: JsonSchema,
  key: "maxLength" | "maxItems" | "maximum",
  place: string,
): number {
  const value = schema[key];
  const most = key === "maximum" ? Number.MAX_SAFE_INTEGER : MOST_REPETITIONS;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most) {
    return value;
  }
  throw new TypeError(
    `make a grammar: "${place}" has ${key} ${JSON.stringify(value)}, expected 0 to ${most}`,
  );
}

/** A literal of GBNF. */
function literal(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}
