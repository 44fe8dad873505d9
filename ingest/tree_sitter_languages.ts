/**
 * Which rules read the tree of which tree-sitter grammar.
 *
 * Owns the one table of grammars; the rules are in the `definitions_*.ts` files, the walk that applies them in
 * `definitions_walk.ts`. What must hold: a grammar without rules defines nothing, and is still cut along its tree.
 */

import type { Node } from "@vscode/tree-sitter-wasm";
import { cpp } from "./definitions_c.ts";
import { elixir } from "./definitions_elixir.ts";
import { go } from "./definitions_go.ts";
import { haskell } from "./definitions_haskell.ts";
import { csharp, java, kotlin } from "./definitions_java.ts";
import { lua } from "./definitions_lua.ts";
import { python } from "./definitions_python.ts";
import { rust } from "./definitions_rust.ts";
import { scala } from "./definitions_scala.ts";
import { bash, php, ruby } from "./definitions_scripts.ts";
import { swift } from "./definitions_swift.ts";
import { zig } from "./definitions_zig.ts";
import { type Found, type Rules, Walk } from "./definitions_walk.ts";

/** By the names of grammars in `languages.ts`. */
const RULES: Readonly<Record<string, Rules>> = {
  python,
  go,
  rust,
  java,
  cpp,
  "c-sharp": csharp,
  ruby,
  php,
  bash,
  kotlin,
  swift,
  scala,
  lua,
  elixir,
  zig,
  haskell,
};

/** Of a grammar that the table lacks. */
const NONE: Rules = { nodes: {}, exported: () => true };

/** Whether nodes of a grammar reach over the comments behind them. */
export function hasTrailingComments(grammar: string): boolean {
  return RULES[grammar]?.trailing === true;
}

/** Applies the rules of a grammar to a tree. */
export function readDefinitions(
  grammar: string,
  text: string,
  root: Node,
  lines: readonly number[],
): Found {
  const rules = RULES[grammar];
  const walk = new Walk(rules ?? NONE, text, lines);
  walk.open(root);
  return walk;
}
