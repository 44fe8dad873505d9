/**
 * Which definitions of a file may answer.
 *
 * Owns the kinds that count and what is left out: signatures beside a body, namespaces around what answers. Pure.
 */
import type { OutlineEntry } from "../rag/mod.ts";

/** Files of languages in which one name has several signatures and one body. */
const SIGNED_APART = /\.(pyi?|[cm]?tsx?)$/;

/** A signature, two braces and a statement. */
const PASSING_LINES = 3;

/** Kinds of definitions that hold others. */
export const CLASS_LIKE = new Set(["class", "interface", "trait", "struct", "enum", "module"]);
/** Kinds of definitions that may answer whatever they are called. */
export const CANDIDATES = new Set([
  ...CLASS_LIKE,
  "type",
  "function",
  "method",
  "macro",
  "variable",
  "constant",
  "section",
  "test",
]);

/** Signatures for a type checker stand before the one definition that does something, the longest. */
export function withoutOverloads(
  path: string,
  entries: readonly OutlineEntry[],
): readonly OutlineEntry[] {
  if (!SIGNED_APART.test(path)) return entries;
  const longest = new Map<string, OutlineEntry>();
  for (const entry of entries) {
    if (entry.kind !== "function" && entry.kind !== "method") continue;
    const name = [...entry.container, entry.name].join("\n");
    const known = longest.get(name);
    if (!known || linesOf(entry) >= linesOf(known)) longest.set(name, entry);
  }
  return entries.filter((entry) =>
    (longest.get([...entry.container, entry.name].join("\n")) ?? entry) === entry ||
    (entry.kind !== "function" && entry.kind !== "method")
  );
}

/** A namespace that only holds other things says where they are, not what they do: those inside answer. */
export function isWrapper(entry: OutlineEntry, entries: readonly OutlineEntry[]): boolean {
  if (entry.kind !== "module") return false;
  if (isHeading(entry)) return true;
  const inside = entries.filter((other) => other !== entry && other.container.includes(entry.name));
  return inside.some((other) => CLASS_LIKE.has(other.kind)) ||
    inside.length > 0 && !entry.doc;
}

/** A line that names the namespace of a file. */
export function isHeading(entry: OutlineEntry): boolean {
  return entry.kind === "module" && entry.startLine === entry.endLine;
}

/** Lines of a definition, less one. */
export function linesOf({ startLine, endLine }: OutlineEntry): number {
  return endLine - startLine;
}

/** Whether it is a variable, constant or alias of a line or two. */
export function isSmall(entry: OutlineEntry): boolean {
  return /^(variable|constant|type)$/.test(entry.kind) && entry.endLine - entry.startLine < 3;
}

/** Whether it only hands something on: an accessor, or a few lines that nobody found worth a word. */
export function isPassing(entry: OutlineEntry): boolean {
  if (!/^(?:method|function|property)$/.test(entry.kind) || linesOf(entry) > PASSING_LINES) {
    return false;
  }
  return !entry.doc || /^(?:get|set|is|has)(?=[A-Z_])/.test(entry.name);
}
