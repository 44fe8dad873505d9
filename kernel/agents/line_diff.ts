/**
 * The difference of two texts as people read it: one hunk in the form of a unified diff.
 *
 * Pure. What must hold: lines that are equal at both ends are context, everything between them is shown.
 */

/** Lines around a change that show where it is. */
const CONTEXT = 3;

/**
 * A unified diff of one hunk; empty when the texts are equal.
 * @param before undefined for a file that is new; @param after undefined for one that is deleted
 */
export function lineDiff(
  path: string,
  before: string | undefined,
  after: string | undefined,
): string {
  if (before === after) return "";
  const old = linesOf(before);
  const now = linesOf(after);
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (
    tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)
  ) tail++;
  const from = Math.max(0, head - CONTEXT);
  const kept = Math.min(CONTEXT, tail);
  const range = (lines: string[]) => {
    const count = lines.length - tail + kept - from;
    return `${count === 0 ? from : from + 1},${count}`;
  };
  return [
    `--- ${before === undefined ? "/dev/null" : path}`,
    `+++ ${after === undefined ? "/dev/null" : path}`,
    `@@ -${range(old)} +${range(now)} @@`,
    ...old.slice(from, head).map((line) => ` ${line}`),
    ...old.slice(head, old.length - tail).map((line) => `-${line}`),
    ...now.slice(head, now.length - tail).map((line) => `+${line}`),
    ...old.slice(old.length - tail, old.length - tail + kept).map((line) => ` ${line}`),
  ].join("\n");
}

function linesOf(text: string | undefined): string[] {
  if (text === undefined || text === "") return [];
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  if (lines.at(-1) === "") lines.pop();
  else lines.push(`${lines.pop()}\n\\ No newline at end of file`);
  return lines;
}
