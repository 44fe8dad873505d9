/**
 * Values of memory as results of commands: under the names that the contract has for them.
 *
 * Pure. What must hold: the names are wire format; they change with a major version only.
 */
import type { Result } from "../../kernel/mod.ts";
import type { AbsorbReport, Hit, Summary } from "../../rag/mod.ts";

export function searchResult(hit: Hit): Result<"search">["results"][number] {
  const { path, startLine, endLine, score, nodeType, nodeName, text } = hit;
  return {
    path,
    start_line: startLine,
    end_line: endLine,
    score,
    node_type: nodeType,
    node_name: nodeName,
    text,
  };
}

export function summaryResult({ path, level, text }: Summary) {
  return { path, level, text };
}

/** Lines under the names that the contract has for them. */
export function definitionResult<D extends { startLine: number; endLine: number }>(
  { startLine, endLine, ...rest }: D,
) {
  return { ...rest, start_line: startLine, end_line: endLine };
}

export function ingestReport(
  { files, chunks, skipped, problems, ms, changed, removed }: AbsorbReport,
): Result<"ingest"> {
  return { files, chunks, skipped, problems, ms, changed, removed };
}
