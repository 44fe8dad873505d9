/**
 * Summaries as MCP resources: of the workspace, of folders, of files, by pages.
 *
 * Owns their addresses: `batos://summary/` is the workspace, `batos://summary/src/a.ts` a file. Pure but for the source that it reads.
 * What must hold: an address names a path of the index and nothing on disk; a list is handed out whole, page by page, once each.
 */
// @ts-types="@modelcontextprotocol/sdk/types"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";

/** A summary as it is shown. */
export interface SummaryText {
  /** Relative to the workspace; empty for the workspace itself. */
  readonly path: string;
  readonly level: "file" | "folder" | "workspace";
  readonly text: string;
}

/** Where summaries come from. */
export interface SummarySource extends Disposable {
  summary(path: string): SummaryText | undefined;
  /** One level below a folder. */
  children(path: string): readonly SummaryText[];
  /** In order of the paths, behind this one; from the first without one. */
  summariesAfter(path: string | undefined, limit: number): readonly SummaryText[];
}

const BASE = "batos://summary/";
const MIME = "text/markdown";

/** Entries of one page: some kilobytes. */
const PAGE = 100;

/** Most completions that the protocol allows. */
const MOST_COMPLETIONS = 100;

/** JSON-RPC code of the protocol for a resource that is not there. */
const RESOURCE_NOT_FOUND = -32002;

/** What `resources/templates/list` says. */
export const RESOURCE_TEMPLATES = [{
  uriTemplate: `${BASE}{+path}`,
  name: "summary",
  title: "Summary of a file or folder",
  description:
    "What a file or a folder is for and what it defines, made from its code; the path is relative to the workspace, empty for the workspace itself",
  mimeType: MIME,
}];

/** One page of all summaries. A cursor is opaque to clients: the last path of the page before. */
export function listSummaries(source: SummarySource, cursor: string | undefined) {
  const after = cursor === undefined ? undefined : pathOfCursor(cursor);
  const found = source.summariesAfter(after, PAGE + 1);
  const page = found.slice(0, PAGE);
  return {
    resources: page.map((summary) => ({
      uri: addressOf(summary.path),
      name: summary.path === "" ? "workspace" : summary.path,
      title: summary.path === "" ? "The workspace" : `${summary.path} (${summary.level})`,
      description: firstLine(summary.text),
      mimeType: MIME,
    })),
    ...(found.length > PAGE && { nextCursor: cursorOf(page.at(-1)!.path) }),
  };
}

/**
 * One summary, with what is one level below it.
 * @throws {McpError} when there is no such summary
 */
export function readSummary(source: SummarySource, uri: string) {
  const path = pathOf(uri);
  const summary = path === undefined ? undefined : source.summary(path);
  if (summary === undefined) {
    throw new McpError(
      RESOURCE_NOT_FOUND,
      `"${uri}": no such summary; ${BASE} is the workspace, ${BASE}PATH a folder or file of its index`,
      { uri },
    );
  }
  const below = summary.level === "file" ? [] : source.children(summary.path);
  const lines = [summary.text];
  if (below.length > 0) lines.push("", "Below it:", ...below.map(({ path }) => addressOf(path)));
  return { contents: [{ uri, mimeType: MIME, text: lines.join("\n") }] };
}

/** Paths that begin as the argument of a template does, one level further. */
export function completePath(source: SummarySource, begun: string) {
  const folder = begun.slice(0, Math.max(0, begun.lastIndexOf("/")));
  const paths = source.children(folder).map(({ path, level }) =>
    level === "folder" ? `${path}/` : path
  ).filter((path) => path.startsWith(begun));
  return {
    completion: {
      values: paths.slice(0, MOST_COMPLETIONS),
      total: paths.length,
      hasMore: paths.length > MOST_COMPLETIONS,
    },
  };
}

function addressOf(path: string): string {
  return BASE + path.split("/").map(encodeURIComponent).join("/");
}

function pathOf(uri: string): string | undefined {
  if (!uri.startsWith(BASE)) return undefined;
  try {
    return decodeURIComponent(uri.slice(BASE.length)).replace(/\/$/, "");
  } catch {
    return undefined; // a stray percent sign: no address of ours
  }
}

function cursorOf(path: string): string {
  return new TextEncoder().encode(path).toBase64({ alphabet: "base64url" });
}

function pathOfCursor(cursor: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.fromBase64(cursor, { alphabet: "base64url" }),
    );
  } catch {
    throw new McpError(
      ErrorCode.InvalidParams,
      `cursor "${cursor.slice(0, 40)}": not one of ours; take nextCursor of the page before`,
    );
  }
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}
