/**
 * Code on the page: lines with numbers, coloured, some of them marked.
 *
 * What must hold: long files scroll smoothly (blocks of lines that are out of sight are not laid out); numbers are not copied with the
 * text.
 */
/// <reference lib="dom" />
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { inlines, plainText } from "./answer_blocks.ts";
import { highlight, type Piece } from "./highlight.ts";

/** Lines that are laid out together. */
const BLOCK = 100;

interface CodeProps {
  readonly text: string;
  /** Name of its file: it says which language it is. */
  readonly path: string;
  /** Number of its first line; undefined where nobody knows it, then lines have none. */
  readonly from: number | undefined;
  /** Numbers of its lines, where some were left out; undefined for a line that says so. */
  readonly numbers?: readonly (number | undefined)[] | undefined;
  /** First and last of the lines that are shown, counted from 0: they are coloured as part of the whole. */
  readonly shown?: { readonly first: number; readonly last: number } | undefined;
  /** Lines to mark. */
  readonly marked?: { readonly start: number; readonly end: number } | undefined;
  /** Words to mark. */
  readonly words?: RegExp | undefined;
  /** Whether the marked lines are to be brought into view. */
  readonly follow?: boolean;
  /** Whether lines are cut at the edge, where a link beside them opens all. */
  readonly excerpt?: boolean;
  /** Read by a screen reader. */
  readonly label: string;
}

/** Lines of code. */
export function Code(
  { text, path, from: begin, numbers, shown, marked, words, follow, excerpt, label }: CodeProps,
) {
  const all = useMemo(() => highlight(text.replace(/\r?\n$/, ""), path), [text, path]);
  const lines = shown === undefined ? all : all.slice(shown.first, shown.last + 1);
  const from = begin === undefined ? undefined : begin + (shown?.first ?? 0);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const holder = box.current;
    if (!follow || holder === null) return;
    const target = holder.querySelector<HTMLElement>(".line.marked");
    if (target === null) holder.scrollTop = 0;
    else {
      target.scrollIntoView({ block: "start" });
      // Some lines above show where one is.
      holder.scrollTop -= 64;
    }
  }, [text, path, marked?.start, marked?.end, follow]);
  const blocks: Piece[][][] = [];
  for (let at = 0; at < lines.length; at += BLOCK) blocks.push(lines.slice(at, at + BLOCK));
  const last = numbers?.findLast((number) => number !== undefined) ?? (from ?? 0) + lines.length;
  const digits = String(last).length;
  return (
    <div
      ref={box}
      class={excerpt ? "code excerpt" : "code"}
      tabIndex={excerpt ? undefined : 0}
      role="region"
      aria-label={label}
      style={{ "--digits": digits, "--lines": BLOCK }}
    >
      {blocks.map((block, index) => (
        <div class="code-block" key={index}>
          {block.map((pieces, at) => {
            const nth = index * BLOCK + at;
            const number = numbers !== undefined
              ? numbers[nth]
              : from === undefined
              ? undefined
              : from + nth;
            const isMarked = number !== undefined && marked !== undefined &&
              marked.start <= number && number <= marked.end;
            const isGap = numbers !== undefined && number === undefined;
            return (
              <div
                class={isMarked ? "line marked" : isGap ? "line gap" : "line"}
                key={nth}
                data-line={isGap ? "" : number}
              >
                <span class="line-text">
                  {pieces.length === 0
                    ? "\u200b"
                    : pieces.map((piece, index) => (
                      <CodePiece key={index} piece={piece} words={words} />
                    ))}
                </span>
              </div>
            );
          })}
        </div>
      ))}
    </div>
  );
}

function CodePiece({ piece: { kind, text }, words }: { piece: Piece; words: RegExp | undefined }) {
  const content = words === undefined ? text : <Marked text={text} words={words} />;
  return kind === "plain" ? <>{content}</> : <span class={`hl-${kind}`}>{content}</span>;
}

/** A text with the words that were looked for marked. */
export function Marked({ text, words }: { text: string; words: RegExp | undefined }) {
  if (words === undefined) return <>{text}</>;
  // Every other part is one that matched: the expression has one group around everything.
  return (
    <>
      {text.split(words).map((part, index) =>
        index % 2 === 1 ? <mark key={index}>{part}</mark> : part
      )}
    </>
  );
}

/** Running text from a summary or a doc comment: `code` in it looks like code. */
export function Prose({ text }: { text: string }) {
  return (
    <>
      {inlines(text, () => false).map((piece, index) =>
        piece.kind === "code" ? <code key={index}>{piece.text}</code> : plainText([piece])
      )}
    </>
  );
}

/** Words of a query as `Marked` wants them; undefined when none is worth marking. */
export function wordsOf(query: string): RegExp | undefined {
  const words = query.match(/[\p{L}\p{N}_$]{3,}/gu) ?? [];
  if (words.length === 0) return undefined;
  const sources = words.map((word) => word.replaceAll("$", "\\$"));
  return new RegExp(`(${sources.join("|")})`, "giu");
}
