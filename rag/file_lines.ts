/**
 * Lines of files as they were ingested, for places that are only a path and a number.
 *
 * Owns nothing; it only reads. What must hold: a line is that of the index, never of the disk.
 */
import type { Memory } from "./memory.ts";

/** A function from places to the text of their line, without the blanks around it; a file is read once. Empty where there is none. */
export function fileLines(memory: Memory): (path: string, line: number) => string {
  const files = new Map<string, readonly string[]>();
  return (path, line) => {
    let lines = files.get(path);
    if (lines === undefined) {
      lines = (memory.file(path)?.text ?? "").split(/\r?\n/);
      files.set(path, lines);
    }
    return lines[line - 1]?.trim() ?? "";
  };
}
