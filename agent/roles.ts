/**
 * What a file is for, told by its path: code, test, document, example, configuration; built or kept for compatibility.
 *
 * Owns the customs of naming over all languages. Pure.
 */
import { isTestPath } from "../rag/mod.ts";

/** What a file can be for. */
export type Role = "code" | "test" | "doc" | "example" | "config";

/** Documents that go without a suffix. */
const PAPERS =
  /(^|\/)(readme|change(s|log)|news|history|authors|contributors|copying|(un)?licen[cs]e(-\w+)?|notice|install|todo)$/i;

/** What a file is for. */
export function roleOf(path: string): Role {
  if (isTestPath(path)) return "test";
  if (/(^|\/)_?(examples?|samples?|demos?)\//.test(path)) return "example";
  if (/\.(mdx?|mdc|rst|txt|adoc)$/i.test(path) || PAPERS.test(path)) return "doc";
  if (
    /\.(jsonl?|jsonc|ya?ml|toml|ini|xml|lock|neon|properties|cfg|conf|env|plist|csproj|props)$/i
      .test(path)
  ) return "config";
  return "code";
}

/** Whether a path holds what was built or taken from elsewhere: a copy of something better read at its source. */
export function isCopy(path: string): boolean {
  return /(^|\/)(dist|build|out|vendor|third_party|compiled|lib-cov|versioned_docs)\/|[.-]min\.\w+$/
    .test(path);
}

/** Whether a document tells what changed when, not how things are. */
export function isChangelog(path: string): boolean {
  return /(^|\/)(change(s|log)|history|releases?|news|migrat\w*)[^/]*\.(md|mdx|rst|txt|adoc|html)$|(^|\/)(change(s|log)|history|news)$/i
    .test(path);
}

/** Folder of a path; empty at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Last part of a path. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
