/**
 * Trees of texts that were parsed lately, with what they say about types.
 *
 * Owns their memory. What must hold: a tree is of the text it is asked for; a tree may go whenever something else is waited for, so whoever
 * has one reads it at once.
 */
import type * as sitter from "@vscode/tree-sitter-wasm";
import { parseKnown } from "./grammar_gaps.ts";
import { loadGrammar } from "./syntax_treesitter.ts";
import { javaTypes } from "./type_rules_java.ts";
import { pythonTypes } from "./type_rules_python.ts";
import type { FileFacts, TypeRules } from "./type_terms.ts";

/** Characters whose trees are kept: a question asks each file for one name after the other, and parsing is most of the work. */
const KEPT_CHARACTERS = 3_000_000;

/** By the names of grammars in `languages.ts`: a reader of types, new for each tree. */
const TYPES: Readonly<Record<string, () => TypeRules>> = { java: javaTypes, python: pythonTypes };

const trees = new Map<string, KeptTree>();
let kept = 0;

/** See the module text. */
export class KeptTree {
  readonly text: string;
  readonly tree: sitter.Tree;
  /** How the types of its language are read. */
  readonly types: TypeRules | undefined;
  #facts: FileFacts | undefined;

  constructor(text: string, tree: sitter.Tree, grammar: string) {
    this.text = text;
    this.tree = tree;
    this.types = TYPES[grammar]?.();
  }

  get root(): sitter.Node {
    return this.tree.rootNode;
  }

  /** What the text says about types; plain values, which outlive the tree. */
  get facts(): FileFacts | undefined {
    return this.#facts ??= this.types?.facts(this.root);
  }
}

/** The tree of a text; of the texts that were parsed lately, the one that was made then. */
export async function keptTree(
  path: string,
  text: string,
  grammar: string,
): Promise<KeptTree | undefined> {
  const { parser } = await loadGrammar(grammar);
  const known = trees.get(path);
  if (known?.text === text) return known;
  drop(path);
  const tree = parseKnown(grammar, text, (known) => parser.parse(known));
  if (!tree) return undefined;
  // The youngest go first: a walk over more files than there is room for comes by the oldest again.
  for (const other of [...trees.keys()].reverse()) {
    if (kept + text.length <= KEPT_CHARACTERS) break;
    drop(other);
  }
  const made = new KeptTree(text, tree, grammar);
  trees.set(path, made);
  kept += text.length;
  return made;
}

function drop(path: string): void {
  const known = trees.get(path);
  if (known === undefined) return;
  known.tree.delete();
  trees.delete(path);
  kept -= known.text.length;
}
