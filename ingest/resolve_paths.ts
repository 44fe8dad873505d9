/**
 * The view of the workspace that the resolvers share, and path arithmetic on it.
 *
 * Owns no state and does no I/O of its own. What must hold: paths are relative to the repository, separated by `/`,
 * without `.` or `..` segments; the repository itself is the empty path.
 */

/** What a resolver may know of the workspace: which files there are, and their texts. */
export interface FileView {
  readonly paths: ReadonlySet<string>;
  /** The text of a file, undefined where it is not part of the workspace. */
  read(path: string): string | undefined;
}

/** Folder of a path; the empty path for a file at the top. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** Last segment of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `relative` as seen from `folder`, normalised; undefined where it climbs out of the repository. */
export function joinPath(folder: string, relative: string): string | undefined {
  const segments = folder === "" ? [] : folder.split("/");
  for (const segment of relative.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") segments.push(segment);
    else if (segments.pop() === undefined) return undefined;
  }
  return segments.join("/");
}

/** `name` inside `folder`, both already normal. */
export function inside(folder: string, name: string): string {
  return folder === "" ? name : name === "" ? folder : `${folder}/${name}`;
}

/** Number of leading segments that two folders share: how near they are. */
export function sharedDepth(a: string, b: string): number {
  const left = a.split("/"), right = b.split("/");
  let depth = 0;
  while (depth < left.length && depth < right.length && left[depth] === right[depth]) depth++;
  return depth;
}

/** The candidate whose folder shares most with `folder`; the shortest, then the first by name, among equals. */
export function nearest(candidates: readonly string[], folder: string): string | undefined {
  let best: string | undefined;
  let bestDepth = -1;
  for (const candidate of candidates) {
    const depth = sharedDepth(folderOf(candidate), folder);
    const better = best === undefined || depth > bestDepth || (depth === bestDepth &&
      (candidate.length < best.length || (candidate.length === best.length && candidate < best)));
    if (better) {
      best = candidate;
      bestDepth = depth;
    }
  }
  return best;
}

/** Parses JSON that may hold comments and trailing commas; undefined where it is not even that. */
export function parseJsonc(text: string): unknown {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  try {
    return JSON.parse(source);
  } catch {
    try {
      return JSON.parse(stripJsonc(source));
    } catch {
      return undefined;
    }
  }
}

/** The text with comments blanked and commas before a closing bracket dropped; strings stay untouched. */
function stripJsonc(text: string): string {
  let out = "";
  let comma = -1; // where the last comma stands in `out`, while only white space follows it
  for (let i = 0; i < text.length;) {
    const char = text[i]!;
    if (char === '"') {
      let end = i + 1;
      while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
      out += text.slice(i, end + 1);
      i = end + 1;
      comma = -1;
    } else if (char === "/" && text[i + 1] === "/") {
      const end = text.indexOf("\n", i);
      i = end < 0 ? text.length : end;
    } else if (char === "/" && text[i + 1] === "*") {
      const end = text.indexOf("*/", i + 2);
      i = end < 0 ? text.length : end + 2;
    } else {
      if ((char === "}" || char === "]") && comma >= 0) {
        out = out.slice(0, comma) + out.slice(comma + 1);
      }
      if (char === ",") comma = out.length;
      else if (char !== " " && char !== "\n" && char !== "\r" && char !== "\t") comma = -1;
      out += char;
      i++;
    }
  }
  return out;
}

/** A plain object, or undefined. */
export function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
}

/** The strings of a value that is a string or a list. */
export function asStrings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
