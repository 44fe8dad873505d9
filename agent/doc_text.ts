/**
 * Words of doc comments, fit to be quoted in a sentence.
 *
 * Owns which part of a comment is prose and which markup is dropped. Pure. What must hold: words come in their order and unchanged;
 * what is cut from the end is marked by an ellipsis.
 */
import { uncited, visible } from "./excerpt.ts";

/** Sentences of a doc comment up to its tags and examples, without markup and lists; at least one, perhaps empty. */
export function sentencesOf(doc: string): string[] {
  const directive = /^(eslint|prettier|ts-prune|biome|istanbul|c8|v8|deno-lint)[-\w ].*$/gm;
  const end =
    /\n\s*(?:@\w+|:(?:param|return|rtype|raise|type|arg|key|yield)\w*\b|\.\. \w|Args:|Parameters\n|Returns:|Example|#+ |```)/;
  const prose = `\n${doc.replace(directive, "")}`.split(end)[0]!.replace(
    /::\s*\n\s*\n(\s+.*\n?)+/g,
    ".\n\n",
  );
  const sentences = prose.split(/\n\s*(?:\n|(?=[-*•] ))/).filter((paragraph) =>
    !/^\s*[-*•] |^\*\*/.test(paragraph)
  )
    .flatMap((paragraph) => plain(paragraph).split(/(?<=[.!?])\s+(?=[A-Z`"'([*_])/)).filter(
      Boolean,
    );
  return sentences.length ? sentences : [""];
}

/** Text without the markup of reStructuredText, Markdown, Javadoc and rustdoc. */
function plain(text: string): string {
  return text
    .replace(/:[a-z][a-z:]*:`[~!.]*([^`<]*?)\s*(?:<[^`]*>)?`/g, "`$1`").replace(
      /``([^`]*)``/g,
      "`$1`",
    )
    .replace(/<\/?(p|pre|ul|li|em|code|a|b|i)\b[^>]*>/g, " ").replace(/\{@\w+ ([^}]*)\}/g, "`$1`")
    .replace(/\[(`[^`\]]+`)\](?:\([^)]*\)|\[[^\]]*\])?/g, "$1").replace(/([=~^-])\1{3,}/g, " ")
    .replace(/\s+/g, " ").trim();
}

/** At most `longest` characters, cut at a blank. */
export function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const end = text.lastIndexOf(" ", longest);
  return `${text.slice(0, end > 0 ? end : longest)} …`;
}

/** `: first sentence`, or nothing. */
export function remark(doc: string, longest: number): string {
  const sentence = sentencesOf(doc)[0]!;
  return sentence ? `: ${uncited(visible(shorten(sentence, longest)))}` : "";
}
