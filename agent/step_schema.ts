/**
 * The table of actions as a model sees it: the schema that its proposals are written under, and the table in words.
 *
 * Owns what differs from the table of `actions.ts`, whose schemas it is made from: texts are shorter, for what a model writes has to be
 * waited for; the thought comes first and is written; an answer has no text here, for it is written afterwards as text and not
 * inside of JSON. What must hold: a proposal under this schema, given its text if it is an answer, is one of the table; a new action of the table is
 * one of the model's without a word here.
 */
import { z } from "zod";
import { STEP } from "./actions.ts";
import type { JsonSchema } from "./models/language_model.ts";

/** Characters of a thought: two sentences. */
const THOUGHT = 300;
/** Characters of any other text: a query, a path, a name. */
const TEXT = 200;
/** Entries of a list. */
const ENTRIES = 8;

/** What is kept of a schema; the rest is for people, or for a parser that fills in what is missing. */
const KEPT = ["type", "const", "enum", "minLength", "minimum", "maximum", "minItems"];

interface ActionSchema {
  readonly properties: Readonly<Record<"action" | "arguments", JsonSchema>>;
}

const { oneOf: TABLE } = z.toJSONSchema(STEP, { io: "input" }) as unknown as {
  readonly oneOf: readonly ActionSchema[];
};

/** JSON Schema of one proposal. */
export const PROPOSAL_SCHEMA: JsonSchema = {
  anyOf: TABLE.map(({ properties }) => ({
    type: "object",
    properties: {
      thought: { type: "string", maxLength: THOUGHT },
      action: { const: properties.action.const },
      arguments: properties.action.const === "answer"
        ? { type: "object", properties: {}, required: [], additionalProperties: false }
        : bounded(properties.arguments),
    },
    required: ["thought", "action", "arguments"],
    additionalProperties: false,
  })),
};

/** The same schema with bounds that a grammar can have. */
function bounded(schema: JsonSchema): JsonSchema {
  const kept: Record<string, unknown> = Object.fromEntries(
    Object.entries(schema).filter(([key]) => KEPT.includes(key)),
  );
  if (schema.type === "string" && !("enum" in schema)) {
    kept.maxLength = Math.min(Number(schema.maxLength ?? TEXT), TEXT);
  }
  if (schema.type === "array") {
    kept.maxItems = Math.min(Number(schema.maxItems ?? ENTRIES), ENTRIES);
    kept.items = bounded(schema.items as JsonSchema);
  }
  if (schema.type === "object") {
    const properties = schema.properties as Record<string, JsonSchema> ?? {};
    kept.properties = Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [key, bounded(value)]),
    );
    kept.required = schema.required ?? [];
    kept.additionalProperties = false;
  }
  return kept;
}

/** The table in words, a line an action: what it does and what it takes. */
export function actionTable(): string {
  return TABLE.map(({ properties: { action, arguments: args } }) => {
    const required = args.required as readonly string[] ?? [];
    const taken = action.const === "answer"
      ? []
      : Object.entries(args.properties as Record<string, JsonSchema>).map(([name, schema]) => {
        const kind = Array.isArray(schema.enum)
          ? schema.enum.map((value) => JSON.stringify(value)).join(" or ")
          : schema.type;
        const about = schema.description === undefined ? "" : `, ${schema.description}`;
        return `${name}${required.includes(name) ? "" : "?"}: ${kind}${about}`;
      });
    return `- ${action.const} {${taken.join("; ")}}: ${args.description}`;
  }).join("\n");
}

/** Whether a value is a proposal to answer. */
export function isAnswer(proposal: unknown): proposal is { thought?: unknown } {
  return typeof proposal === "object" && proposal !== null &&
    (proposal as { action?: unknown }).action === "answer";
}
