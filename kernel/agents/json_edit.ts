/**
 * Properties in and out of JSON with comments, as a careful person edits it: no other line is touched.
 *
 * Pure: text in, text out; positions come from `jsonc-parser`. What must hold: a comment stays where it was; commas are right
 * afterwards, trailing ones in the style of the object. The caller checks that nothing else has changed.
 */
import { createScanner, findNodeAtLocation, type Node, parseTree } from "jsonc-parser";

/**
 * The text with a value at these keys; objects on the way are made where they are missing.
 * @param text JSON whose root is an object; what already stands at the keys is replaced
 */
export function setProperty(text: string, keys: readonly string[], value: unknown): string {
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const unit = /\n([\t ]+)"/.exec(text)?.[1] ?? "  ";
  const write = (what: unknown, indent: string) =>
    JSON.stringify(what, null, unit).replaceAll("\n", eol + indent);
  const root = treeOf(text);
  const present = findNodeAtLocation(root, [...keys]);
  if (present !== undefined) {
    const indent = indentAt(text, present.parent!.offset);
    return text.slice(0, present.offset) + write(value, indent) + text.slice(endOf(present));
  }
  let depth = keys.length - 1;
  while (depth > 0 && findNodeAtLocation(root, keys.slice(0, depth)) === undefined) depth--;
  const object = depth === 0 ? root : findNodeAtLocation(root, keys.slice(0, depth))!;
  const inner = keys.slice(depth + 1).reduceRight<unknown>(
    (below, key) => ({ [key]: below }),
    value,
  );
  const property = (indent: string) => `${JSON.stringify(keys[depth])}: ${write(inner, indent)}`;
  return insert(text, object, property, unit, eol);
}

function insert(
  text: string,
  object: Node,
  property: (indent: string) => string,
  unit: string,
  eol: string,
): string {
  const last = object.children?.at(-1);
  const outer = indentAt(text, object.offset);
  if (last === undefined) {
    const indent = outer + unit;
    const close = endOf(object) - 1;
    const open = object.offset + 1;
    // Whatever stands between the braces is space or comment.
    const kept = text.slice(open, close).trimEnd();
    return text.slice(0, open) + kept + eol + indent + property(indent) + eol + outer +
      text.slice(close);
  }
  const end = endOf(last);
  const after = tokenFrom(text, end);
  const hasComma = text[after] === ",";
  const from = hasComma ? after + 1 : end;
  const comma = hasComma ? "" : ",";
  const trailing = hasComma ? "," : "";
  const startsLine = /^\s*$/.test(text.slice(lineStart(text, last.offset), last.offset));
  const indent = startsLine ? indentAt(text, last.offset) : outer + unit;
  const newline = lineEnd(text, from, endOf(object) - 1);
  if (newline === undefined) {
    return text.slice(0, from) + comma + " " + property(outer) + trailing + text.slice(from);
  }
  return text.slice(0, from) + comma + text.slice(from, newline) +
    eol + indent + property(indent) + trailing + text.slice(newline);
}

/** The text without the property at these keys, which is there. */
export function removeProperty(text: string, keys: readonly string[]): string {
  const root = treeOf(text);
  const node = findNodeAtLocation(root, [...keys])!.parent!;
  const siblings = node.parent!.children!;
  const at = siblings.indexOf(node);
  const before = at > 0 ? siblings[at - 1] : undefined;
  const start = text.slice(0, node.offset).trimEnd().length;
  const end = endOf(node);
  const after = tokenFrom(text, end);
  if (text[after] === ",") {
    return text.slice(0, start) + text.slice(end, after) + text.slice(after + 1);
  }
  const rest = siblings.length === 1 ? text.slice(end).trimStart() : text.slice(end);
  if (before === undefined) return text.slice(0, start) + rest;
  const comma = tokenFrom(text, endOf(before));
  return text.slice(0, comma) + text.slice(comma + 1, start) + rest;
}

function treeOf(text: string): Node {
  return parseTree(text, [], { allowTrailingComma: true })!;
}

function endOf(node: Node): number {
  return node.offset + node.length;
}

/** Where the first token at or behind a position begins, spaces and comments passed over. */
function tokenFrom(text: string, position: number): number {
  const scanner = createScanner(text, true);
  scanner.setPosition(position);
  scanner.scan();
  return scanner.getTokenOffset();
}

/** Where the line of a position ends, comments passed over; undefined when the object ends first. */
function lineEnd(text: string, from: number, close: number): number | undefined {
  const scanner = createScanner(text, false);
  scanner.setPosition(from);
  for (scanner.scan(); scanner.getTokenOffset() < close; scanner.scan()) {
    const at = scanner.getTokenOffset();
    if (text[at] === "\n" || text[at] === "\r") return at;
  }
  return undefined;
}

function lineStart(text: string, position: number): number {
  return text.lastIndexOf("\n", position - 1) + 1;
}

/** Indentation of the line that a position is on. */
function indentAt(text: string, position: number): string {
  return /^[\t ]*/.exec(text.slice(lineStart(text, position)))![0];
}
