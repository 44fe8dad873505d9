/**
 * Whether the parsers, the index and its vectors are sound: what `doctor` asks of memory.
 *
 * Owns these checks and nothing they look at. What must hold: a check only reads; what is wrong comes with what to do about it.
 */
import { type Parse, parse as parseHere } from "../ingest/mod.ts";
import { openMemoryIfMade, type WorkspaceIndex } from "./workspace_index.ts";

/** What a check found. */
export interface Finding {
  readonly status: "ok" | "warning" | "failure";
  readonly detail: string;
  /** What to do, where something is wrong. */
  readonly remedy?: string;
}

/**
 * @param parse who parses; here by default
 * @throws {Error} when a sample that has a definition is parsed without one
 */
export async function checkParsers(parse: Parse = parseHere): Promise<Finding> {
  const samples = { "a.ts": "function f() {}\n", "a.py": "def f():\n    pass\n", "a.md": "# f\n" };
  for (const [path, text] of Object.entries(samples)) {
    const { definitions } = await parse(path, text);
    if (definitions.length === 0) {
      throw new Error(`parse "${path}": no definition found in a sample that has one`);
    }
  }
  return { status: "ok", detail: "the compiler and tree-sitter are there" };
}

/**
 * @param root of the workspace
 * @param index tells how much of it is stale
 */
export async function checkIndex(root: string, index: WorkspaceIndex): Promise<Finding> {
  using memory = openMemoryIfMade(root);
  const remedy = 'run "batos ingest"';
  if (memory === undefined) return { status: "warning", detail: "there is none yet", remedy };
  if (memory.lastIngest() === 0) {
    return { status: "warning", detail: "the first ingest did not come to its end", remedy };
  }
  const verdict = String(Object.values(memory.store.get("PRAGMA quick_check") ?? {})[0]);
  if (verdict !== "ok") {
    return { status: "failure", detail: verdict, remedy: 'run "batos ingest --rebuild"' };
  }
  const stale = await index.countStale(memory);
  const detail = `sound: ${memory.counts().files} files, ${stale} of them stale`;
  return stale === 0 ? { status: "ok", detail } : { status: "warning", detail, remedy };
}

/** @param root of the workspace */
export function checkVectors(root: string): Finding {
  using memory = openMemoryIfMade(root);
  if (memory === undefined) return { status: "ok", detail: "none: there is no index yet" };
  const { embedder, vectors, chunks, vectorsState } = memory.counts();
  if (vectorsState === "partial") {
    return {
      status: "warning",
      detail: `${vectors} of ${chunks} by "${embedder}": not used until they are complete`,
      remedy: 'run "batos ingest"',
    };
  }
  return { status: "ok", detail: vectorsState === "none" ? "none" : `${vectors} by "${embedder}"` };
}
