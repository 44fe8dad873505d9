/**
 * Which files an import means: one resolver for every language of the workspace.
 *
 * Owns the choice of the rule by language; `resolve_javascript.ts` and `resolve_names.ts` hold the rules. What must hold:
 * the answer is made of the files of the workspace alone (never the disk, never `node_modules`), is the same for the same
 * files, and costs microseconds, since it runs for every import at ingest; no compiler is loaded for it.
 */
import { JavaScriptResolver } from "./resolve_javascript.ts";
import { NameResolver } from "./resolve_names.ts";
import type { FileView } from "./resolve_paths.ts";

export type { FileView } from "./resolve_paths.ts";

/** Finds the files that imports mean. Answers are remembered: make a new one when files come or go. */
export interface Resolver {
  /**
   * The files that `specifier` means in the file `from`, best first; empty for what lies outside the workspace.
   *
   * One file as a rule. Several: a Go package or a Java wildcard (its files), a Python `from package import module`
   * (`names` are the imported names), a declaration file followed by the script that it declares.
   */
  resolve(from: string, specifier: string, language: string, names?: readonly string[]): string[];
}

const JAVASCRIPT = new Set([
  "typescript",
  "tsx",
  "javascript",
  "jsx",
  "vue",
  "svelte",
  "astro",
]);

/** Makes a resolver over the files of a workspace; it reads configuration files when it first needs them. */
export function createResolver(files: FileView): Resolver {
  const javascript = new JavaScriptResolver(files);
  const names = new NameResolver(files);
  return {
    resolve(from, specifier, language, imported = []) {
      if (specifier === "" || specifier.length > MAX_SPECIFIER) return [];
      return JAVASCRIPT.has(language)
        ? javascript.resolve(from, specifier)
        : names.resolve(from, specifier, language, imported);
    },
  };
}

// Longer strings are data URLs or damaged code, never a module of the workspace.
const MAX_SPECIFIER = 1024;
