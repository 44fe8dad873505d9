/**
 * What specifiers and manifests say as text, before any file is looked for.
 *
 * Owns specifiers (schemes, names of packages), the patterns of `exports`, `imports` and `paths`, and the globs of workspaces. Pure.
 *
 * After https://nodejs.org/api/packages.html.
 */
import { asRecord } from "./resolve_paths.ts";

// Conditions of package `exports` that the compiler or Node would take; others are tried only when these give nothing.
const CONDITIONS = new Set([
  "types",
  "import",
  "node",
  "default",
  "module",
  "source",
  "development",
]);

/** Whether a specifier is meant from the folder of the file that holds it. */
export function isRelative(specifier: string): boolean {
  return specifier.startsWith("./") || specifier.startsWith("../") || specifier === "." ||
    specifier === "..";
}

/** `./x.svg?raw` and `./x#y` mean the file. */
export function withoutQuery(specifier: string): string {
  const at = specifier.search(/[?#]/);
  return at > 0 ? specifier.slice(0, at) : specifier;
}

/** The package part of `npm:zod@4/mini` and `jsr:@std/path@1`; undefined for other schemes (`node:`, `https:`). */
export function withoutScheme(specifier: string): string | undefined {
  const match = /^(?:npm|jsr):\/?(.+)$/.exec(specifier);
  if (match) return match[1]!.replace(/^((?:@[^/]+\/)?[^@/]+)@[^/]*/, "$1");
  return /^[a-z][a-z+.-]+:/.test(specifier) ? undefined : specifier;
}

/** `@scope/name/rest` as name and rest. */
export function splitPackage(specifier: string): [name: string, rest: string] {
  const start = specifier.startsWith("@") ? specifier.indexOf("/") + 1 : 0;
  const slash = specifier.indexOf("/", start);
  return slash < 0 ? [specifier, ""] : [specifier.slice(0, slash), specifier.slice(slash + 1)];
}

/** The entry whose pattern fits best: one without a star, else the one with the longest part before its star. */
export function bestPattern<T>(
  entries: readonly (readonly [pattern: string, value: T])[],
  name: string,
): { value: T; star: string } | undefined {
  let best: { value: T; star: string } | undefined;
  let bestLength = -1;
  for (const [pattern, value] of entries) {
    const star = pattern.indexOf("*");
    if (star < 0) {
      if (pattern === name) return { value, star: "" };
      continue;
    }
    const tail = pattern.length - star - 1;
    if (star <= bestLength || name.length < star + tail) continue;
    if (!name.startsWith(pattern.slice(0, star)) || !name.endsWith(pattern.slice(star + 1))) {
      continue;
    }
    best = { value, star: name.slice(star, name.length - tail) };
    bestLength = star;
  }
  return best;
}

/** The targets that `exports` gives a subpath, those under the conditions of the compiler first. */
export function exportTargets(
  exports: unknown,
  subpath: string,
  custom: readonly string[],
): string[] {
  const record = asRecord(exports);
  const bySubpath = record && Object.keys(record).some((key) => key.startsWith("."));
  if (!bySubpath) return subpath === "." ? conditionTargets(exports, custom) : [];
  const match = bestPattern(Object.entries(record), subpath);
  return match
    ? conditionTargets(match.value, custom).map((target) => target.replaceAll("*", match.star))
    : [];
}

/** All targets below a tree of conditions: those a compiler would reach first, then the rest, each in written order. */
export function conditionTargets(value: unknown, custom: readonly string[]): string[] {
  const reached: string[] = [];
  const others: string[] = [];
  const walk = (node: unknown, active: boolean): void => {
    if (typeof node === "string") (active ? reached : others).push(node);
    else if (Array.isArray(node)) { for (const item of node) walk(item, active); }
    else {
      for (const [condition, child] of Object.entries(asRecord(node) ?? {})) {
        walk(child, active && (CONDITIONS.has(condition) || custom.includes(condition)));
      }
    }
  };
  walk(value, true);
  return [...reached, ...others];
}

/** The list under `packages:` of a `pnpm-workspace.yaml`; the few lines of YAML that it takes. */
export function pnpmPackages(text: string): string[] {
  const globs: string[] = [];
  let inList = false;
  for (const line of text.split(/\r?\n/)) {
    const item = /^\s*-\s*(['"]?)(.*?)\1\s*(?:#.*)?$/.exec(line);
    if (/^\S/.test(line) && !line.startsWith("-") && !line.startsWith("#")) {
      inList = /^packages\s*:/.test(line);
    } else if (inList && item) globs.push(item[2]!);
  }
  return globs;
}

/** A workspace glob over folders as an expression. */
export function globExpression(glob: string): RegExp {
  const source = glob.split("/").map((segment) =>
    segment === "**"
      ? "(?:.+)"
      : segment.replace(/[.+^${}()|[\]\\?]/g, "\\$&").replaceAll("*", "[^/]*")
  ).join("/").replaceAll("(?:.+)/", "(?:.+/)?");
  return new RegExp(`^${source}$`);
}
