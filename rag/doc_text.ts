/**
 * What code says in words: signatures, doc comments, the openings of comments.
 *
 * Pure functions of the text of a file and the offsets of a definition. What must hold: nothing is invented; what comes out stands
 * in the text but for markers and white space.
 */
import type { Definition } from "../ingest/mod.ts";

/** Longest opening taken over from a comment or README, in characters: two sentences. */
const LONGEST_DOC = 240;
/** Longest signature in an outline; longer ones end in an ellipsis. */
const LONGEST_SIGNATURE = 240;

/** The declaration up to its body on one line, at most 240 characters. */
export function signatureOf(text: string, definition: Definition): string {
  const end = definition.body > definition.declaration ? definition.body : definition.end;
  const slice = text.slice(definition.declaration, Math.min(end, definition.declaration + 2_000));
  const folded = slice.replace(/\s+/g, " ").replace(/\s*(=>|[{=:])\s*$/, "").trim();
  return folded.length > LONGEST_SIGNATURE ? folded.slice(0, LONGEST_SIGNATURE - 1) + "…" : folded;
}

/** Text of the doc comment of a definition (of the docstring in Python) without its markers. */
export function docOf(text: string, definition: Definition, language: string): string {
  if (language === "python") {
    const body = text.slice(definition.body, Math.min(definition.end, definition.body + 4_000));
    const docstring = /^[:\s]*[rRbBuU]*("""|'''|"|')([\s\S]*?)\1/.exec(body);
    if (docstring) return tidy(docstring[2]!);
  }
  if (language === "elixir") {
    const doc = elixirDoc(text, definition);
    if (doc) return tidy(doc);
  }
  const before = text.slice(definition.start, definition.declaration);
  return before.trim() ? withoutMarkup(commentText(before)) : "";
}

/** A string of Elixir: a sigil or none, three quotes or one. */
const ELIXIR_STRING = /^(?:~[sS])?("""|'''|")([^]*?)(?:\1|$)/;

/** What `@doc`, `@typedoc` say in front of a definition, `@moduledoc` inside of a module. */
function elixirDoc(text: string, definition: Definition): string | undefined {
  const isModule = definition.kind === "module" || definition.kind === "interface";
  const source = isModule
    // What follows the first function is about that.
    ? text.slice(definition.body, Math.min(definition.end, definition.body + 8_000))
      .split(/^\s*(?:@doc\b|defp?\b|defmodule\b|defmacrop?\b)/m, 1)[0]!
    : text.slice(definition.start, definition.declaration);
  const attribute = (isModule ? /@moduledoc\s+/ : /@(?:doc|typedoc)\s+/).exec(source);
  return attribute
    ? ELIXIR_STRING.exec(source.slice(attribute.index + attribute[0].length))?.[2]
    : undefined;
}

/** Elements of documentation comments in XML that describe a part, and the tag that other languages have for it. */
const XML_PARTS: Readonly<Record<string, string>> = {
  param: "param",
  typeparam: "template",
  returns: "return",
  value: "value",
  exception: "throws",
  permission: "permission",
  example: "example",
};
const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
  nbsp: " ",
};

/**
 * A doc comment without the markup of XML (C#) and without remarks that say "as inherited" (Java, PHP, C#); entities are the
 * characters they stand for. Parts become tags, `@param name`, so that every reader of comments knows where the description ends.
 */
export function withoutMarkup(doc: string): string {
  if (!/[<@&]/.test(doc)) return doc;
  let plain = doc.replace(/\{@inheritdoc\}|^@inheritdoc\b.*$|<inheritdoc\b[^>]*>/gim, "");
  if (/<\/?(summary|remarks|returns|param|typeparam|exception|see|seealso|para)\b/.test(plain)) {
    plain = plain
      .replace(
        /<(see|seealso|paramref|typeparamref)\b[^>]*?"(?:[A-Z]:)?([^"]*)"[^>]*?(?:\/>|>([^<]*)<\/\1>)/g,
        (_, _tag, name: string, said?: string) => said || `\`${name}\``,
      )
      .replace(/<c>([^<]*)<\/c>/g, "`$1`")
      .replace(
        /<(param|typeparam|returns|value|exception|permission|example)\b(?:[^>]*?"(?:[A-Z]:)?([^"]*)")?[^>]*>/g,
        (_, part: string, name?: string) => `\n@${XML_PARTS[part]}${name ? ` ${name}` : ""} `,
      )
      .replace(/<\/?(para|remarks|list|item|description|term)\b[^>]*>/g, "\n")
      .replace(
        /<\/?(summary|param|typeparam|returns|value|exception|permission|example|code)\b[^>]*>/g,
        "",
      );
  }
  plain = plain.replace(
    /&(?:(lt|gt|amp|quot|apos|nbsp)|#(\d{1,6})|#x([0-9a-f]{1,5}));/gi,
    (_, name?: string, decimal?: string, hex?: string) =>
      name
        ? ENTITIES[name.toLowerCase()]!
        : characterOf(decimal ? Number(decimal) : parseInt(hex!, 16)),
  );
  return plain === doc ? doc : tidy(plain);
}

/** A character by its number; a blank where that is none, or none to be seen. */
function characterOf(code: number): string {
  return code >= 0x20 && code <= 0x10ffff && !(code >= 0x7f && code < 0xa0) &&
      !(code >= 0xd800 && code < 0xe000)
    ? String.fromCodePoint(code)
    : " ";
}

/** The words of the comments in a piece of source that holds comments, decorators and blanks only. */
export function commentText(source: string): string {
  const lines: string[] = [];
  let inBlock = false;
  for (const line of source.split(/\r?\n/)) {
    let rest = line.trim();
    if (!inBlock) {
      const block = /^(\/\*+!?|<!--|\(\*|\{-\s*[|^]?|--+\[=*\[|=begin)/.exec(rest);
      const single = /^(\/\/[\/!]?|#+!?|--+(?:\s*[|^](?=\s|$))?|;+|%+)\s?/.exec(rest);
      if (block) {
        inBlock = true;
        rest = rest.slice(block[0].length);
      } else if (single && !/^#\[|^#include/.test(rest)) {
        lines.push(rest.slice(single[0].length));
        continue;
      } else {
        continue;
      }
    }
    const close = rest.search(/\*+\/|-->|\*\)|-\}|(?:--\s*)?\]=*\](?:--)?$|^=end/);
    if (close >= 0) {
      inBlock = false;
      rest = rest.slice(0, close);
    }
    lines.push(rest.replace(/^\*+\s?/, ""));
  }
  // Lines of marks alone draw a box.
  return tidy(lines.filter((line) => !/^\s*[-=*_#~]{5,}\s*$/.test(line)).join("\n"));
}

/** Lines trimmed, runs of empty lines made one. */
export function tidy(doc: string): string {
  return doc.split("\n").map((line) => line.trim()).join("\n").replace(/\n{3,}/g, "\n\n").trim();
}

/** The opening of a text: whole sentences up to `longest` characters. */
export function opening(doc: string, longest = LONGEST_DOC): string {
  // What follows the first tag (@param, :param, Args:) describes details.
  const prose = doc.split(/\n\s*(?:@\w+|:param|Args:|Parameters\n|Returns:|Example|```)/)[0]!;
  const flat = prose.replace(/\s+/g, " ").trim();
  if (flat.length <= longest) return flat;
  const cut = flat.slice(0, longest);
  const sentence = Math.max(cut.lastIndexOf(". "), cut.lastIndexOf("! "), cut.lastIndexOf("? "));
  return sentence > longest / 3
    ? cut.slice(0, sentence + 1)
    : cut.slice(0, cut.lastIndexOf(" ")) + " …";
}
