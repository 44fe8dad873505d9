/**
 * What a grammar does not know yet, put out of its sight: newer syntax in words that it knows, character for character.
 *
 * Owns the words and marks that the published grammars of Swift, Scala and Kotlin stumble over. One of them costs more than its line: it may turn
 * a whole class into an error, and the search for a way out of it takes ten times as long as the file. What must hold: the text keeps its
 * length and its line ends, so every offset of the tree is one of the text as it stands; no name is changed but for a mark in front of it.
 */

import type { Tree } from "@vscode/tree-sitter-wasm";
import { closeMacroGaps } from "./macro_gaps.ts";

type Gap = readonly [what: RegExp, known: (...match: string[]) => string];

const blanks = (text: string): string => text.replace(/[^\r\n]/g, " ");
const quoted = (inside: string): string => inside.replace(/["\\]/g, "_");

/** `()` among arguments and patterns, as in `complete(())` */
const UNIT: Gap = [/(?<=[(,:][ \t]*)\(\)(?=[ \t]*[,)])/g, () => "__"];

/** Effects and ownership say nothing about who calls whom. */
const SWIFT_MARKS =
  /\b(?:try[?!]?|await|unsafe|consume|consuming|borrowing|sending|nonisolated\(\w+\)|@retroactive|@unchecked)[ \t]+(?=[\w.(@$[_"])/g;

const SWIFT: readonly Gap[] = [
  // Raw strings: `#"a "quoted" word"#`.
  [
    /(#+)"""([^]*?)"""\1/g,
    (_, marks, inside) => `${blanks(marks!)}"""${quoted(inside!)}"""${blanks(marks!)}`,
  ],
  [
    /(#+)"(?!"")([^\r\n]*?)"\1/g,
    (_, marks, inside) => `${blanks(marks!)}"${quoted(inside!)}"${blanks(marks!)}`,
  ],
  // Conditional compilation: all branches are read.
  [/^[ \t]*#(?:if|elseif|else|endif|sourceLocation|warning|error)\b.*$/gm, blanks],
  // `if #available(iOS 13, *)`
  [/#((?:un)?available)([ \t]*\([^()\r\n]*\))/g, (_, word, list) => `_${word}${blanks(list!)}`],
  // Macros: `#expect(…)` reads as a call.
  [/#(?=[A-Za-z_])/g, () => "_"],
  // `throws(E)`
  [
    /\b((?:re)?throws\s*)(\([^()\r\n]*\))/g,
    (_, keyword, type) => keyword! + blanks(type!),
  ],
  [SWIFT_MARKS, blanks],
  // A modifier of the same length.
  [/\bpackage(?=[ \t]+[a-z]+[ \t]*[\w(])/g, () => "public "],
  // `String??`
  [/(?<=[\w\]>)])\?\?(?=[,)={>\s])/g, () => "? "],
  UNIT,
];

const SCALA: readonly Gap[] = [
  // `List[A @uncheckedVariance]`
  [/(?<=[\w\])])[ \t]+@\w+(?=\s*[\]),}])/g, blanks],
  // `given a: A with {` reads as a class of that name.
  [
    /^([ \t]*)given\b([^\r\n{=]*?)(:[ \t]+[^\r\n{=:]*)?\bwith(?=[ \t]*\{)/gm,
    (_, indent, head, type) => `${indent}class${head}${blanks(type ?? "")}    `,
  ],
  UNIT,
];

/** Behind annotations the grammar takes these for a row of words, `open class A protected constructor`, and misses the class. */
const KOTLIN: readonly Gap[] = [
  // The visibility of a class's own constructor.
  [
    /(?<=\bclass[ \t]+\w+(?:<[^<>{}\r\n]*>)?\s+)(?:private|protected|internal|public)(?=\s+constructor\b)/g,
    blanks,
  ],
  [/\bannotation(?=[ \t]+class\b)/g, blanks],
];

const GAPS: Readonly<Record<string, readonly Gap[]>> = {
  swift: SWIFT,
  scala: SCALA,
  kotlin: KOTLIN,
};

/** The text as the grammar can read it: of the same length, with the same line ends. */
export function closeGaps(grammar: string, text: string): string {
  let known = text;
  for (const [what, put] of GAPS[grammar] ?? []) known = known.replace(what, put);
  return known;
}

/** The tree of a text as the grammar can read it; what `parse` gives where that is nothing. */
export function parseKnown(
  grammar: string,
  text: string,
  parse: (known: string) => Tree | null,
): Tree | null {
  const tree = parse(closeGaps(grammar, text));
  if (grammar !== "cpp" || !tree?.rootNode.hasError) return tree;
  const known = closeMacroGaps(text);
  if (known === text) return tree;
  tree.delete();
  return parse(known);
}
