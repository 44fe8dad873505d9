/**
 * Addresses within the page: what is shown stands behind the `#`, so that going back, a bookmark and a copied link all work.
 *
 *     #/ask    #/search?q=…&lang=…&path=…    #/map/rag    #/symbol/parseQuery    #/object/7    #/trail
 *     …?at=rag/rank.ts:10-20                 beside any of them: the lines that are open
 *
 * Pure. What must hold: `parseRoute(formatRoute(route))` is the route.
 */

/** The views, by the first word of their addresses. */
export const VIEWS = ["ask", "search", "map", "symbol", "objects", "trail"] as const;

/** Name of a view. */
export type View = typeof VIEWS[number];

/** Lines of a file; both 0 for all of it. */
export interface Place {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** What is shown. */
export interface Route {
  readonly view: View;
  /** What of the view: a path, a symbol, an OID; empty for its beginning. */
  readonly of: string;
  /** Query and filters, by name. */
  readonly query: Readonly<Record<string, string>>;
  /** The lines that are open beside the view. */
  readonly at: Place | undefined;
}

/** Where an address leads; the first view when it is none of ours. */
export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = splitOnce(hash.replace(/^#\/?/, ""), "?");
  const [first = "", of = ""] = splitOnce(path, "/");
  const view = VIEWS.find((view) => view === first) ?? "ask";
  const { at, ...query } = Object.fromEntries(new URLSearchParams(search));
  return {
    view,
    of: view === first ? decode(of) : "",
    query,
    at: at === undefined ? undefined : parsePlace(at),
  };
}

/** The address of what is shown. */
export function formatRoute({ view, of, query, at }: Route): string {
  const search = new URLSearchParams({
    ...query,
    ...(at !== undefined && { at: formatPlace(at) }),
  }).toString();
  const path = of === "" ? view : `${view}/${of.split("/").map(encodeURIComponent).join("/")}`;
  return `#/${path}${search === "" ? "" : `?${search}`}`;
}

/** A place as people write it: `path:10-20`. */
export function formatPlace({ path, start, end }: Place): string {
  if (start === 0) return path;
  return end > start ? `${path}:${start}-${end}` : `${path}:${start}`;
}

/** The place that is written so. */
export function parsePlace(text: string): Place {
  const [, path = text, start = "0", end = start] = /^(.+?):(\d+)(?:-(\d+))?$/s.exec(text) ?? [];
  return { path, start: Number(start), end: Number(end) };
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // an address typed by hand
  }
}
