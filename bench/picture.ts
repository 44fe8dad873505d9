/**
 * A picture of a terminal as SVG: the README's real answer, taken from the program itself.
 *
 * Pure but for `answerPicture`, which runs the program. What must hold: what the picture shows is what the program printed; lines are
 * cut at the width of a terminal and the number of lines left out is said.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const COLUMNS = 96;
const LINES = 44;
const LINE_HEIGHT = 18;
const CHARACTER = 8.1;

/** Draws text as a terminal window. */
export function terminalPicture(command: string, output: string): string {
  const all = output.trimEnd().split("\n").flatMap((line) => wrap(line));
  const shown = all.slice(0, LINES);
  if (all.length > shown.length) shown.push(`… ${all.length - shown.length} more lines`);
  const lines = [`$ ${command}`, "", ...shown];
  const width = Math.ceil(COLUMNS * CHARACTER) + 40;
  const height = lines.length * LINE_HEIGHT + 56;
  let inCode = false;
  const rows = lines.map((line, at) => {
    const fence = line.startsWith("```");
    if (fence) inCode = !inCode;
    const kind = at === 0 ? "prompt" : fence ? "dim" : inCode ? "code" : "text";
    return `<text x="20" y="${50 + at * LINE_HEIGHT}" class="${kind}" xml:space="preserve">${
      escape(line)
    }</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
  <title>${escape(command)}</title>
  <style>
    text { font: 13.4px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
    .prompt { fill: #7ee787; } .text { fill: #e6edf3; } .code { fill: #a5d6ff; } .dim { fill: #6e7681; }
  </style>
  <rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>
  <circle cx="22" cy="18" r="5.5" fill="#ff5f56"/><circle cx="40" cy="18" r="5.5" fill="#ffbd2e"/><circle cx="58" cy="18" r="5.5" fill="#27c93f"/>
  ${rows.join("\n  ")}
</svg>
`;
}

function wrap(line: string): string[] {
  if (line.length <= COLUMNS) return [line];
  const lines: string[] = [];
  let rest = line;
  while (rest.length > COLUMNS) {
    const blank = rest.lastIndexOf(" ", COLUMNS);
    const cut = blank > COLUMNS / 2 ? blank : COLUMNS;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest];
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/**
 * Asks this repository the README's question and keeps a picture of the answer in `results`.
 * @throws {Error} when the program fails
 */
export async function answerPicture(repository: string, results: string): Promise<void> {
  const question = "How does the chunker split a class that is too large?";
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      join(repository, "main.ts"),
      "ask",
      question,
      "--quiet",
      "--repo",
      repository,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`cannot draw the answer: ask ended with "${decoder.decode(stderr).trim()}"`);
  }
  writeFileSync(
    join(results, "answer.svg"),
    terminalPicture(`deno task ask "${question}"`, decoder.decode(stdout)),
  );
}
