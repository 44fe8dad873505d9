/**
 * An answer: its text with places that open, what it was made from, how it came about.
 *
 * What must hold: a place is a link only when its citation was checked and holds; one that changed since says so in words, not by colour
 * alone.
 */
/// <reference lib="dom" />
import type { Result, StepProgress } from "../../commands.ts";
import { answerBlocks, type Block, type Inline } from "./answer_blocks.ts";
import { Code } from "./code.tsx";
import { formatPlace } from "./route.ts";
import { placeAddress } from "./store.ts";

type Answer = Result<"ask">;

/** The text of an answer. */
export function AnswerText({ answer }: { answer: Answer }) {
  const cited = new Map(
    answer.citations.filter(({ status }) => status !== "removed").map((citation) => [
      `${citation.path}:${citation.start_line}-${citation.end_line}`,
      citation,
    ]),
  );
  const isCited = (path: string, start: number, end: number) =>
    cited.has(`${path}:${start}-${end}`);
  const isStale = (path: string, start: number, end: number) =>
    cited.get(`${path}:${start}-${end}`)?.status === "stale";
  return (
    <div class="answer">
      {answerBlocks(answer.answer, isCited).map((block, index) => (
        <AnswerBlock key={index} block={block} isStale={isStale} />
      ))}
    </div>
  );
}

/** An answer while it is written. Its places are no links yet: they were checked, but what they will be told of comes with the answer. */
export function DraftText({ text, isOver }: { text: string; isOver: boolean }) {
  return (
    <div class="answer draft" aria-busy={!isOver}>
      {answerBlocks(text, () => false).map((block, index) => (
        <AnswerBlock
          key={index}
          block={block}
          isStale={() => false}
        />
      ))}
    </div>
  );
}

type IsStale = (path: string, start: number, end: number) => boolean;

/** How the driver without a model begins and ends. */
const ASIDE = /^(Extractive answer \(|To attach a model:)/;

function AnswerBlock({ block, isStale }: { block: Block; isStale: IsStale }) {
  switch (block.kind) {
    case "heading":
      return (
        <h3>
          <Text content={block.content} isStale={isStale} />
        </h3>
      );
    case "list":
      return (
        <ul>
          {block.items.map((item, index) => (
            <li key={index}>
              <Text content={item} isStale={isStale} />
            </li>
          ))}
        </ul>
      );
    case "code":
      return (
        <Code
          text={block.text}
          path={block.place?.path ?? `x.${block.language}`}
          from={block.place?.start}
          label={block.place === undefined ? "Quoted code" : `Lines of ${block.place.path}`}
        />
      );
    default:
      // What the program says about its own way of answering is said quietly.
      return (
        <p class={ASIDE.test(plain(block.content)) ? "aside" : undefined}>
          <Text content={block.content} isStale={isStale} />
        </p>
      );
  }
}

function Text({ content, isStale }: { content: readonly Inline[]; isStale: IsStale }) {
  return (
    <>
      {content.map((piece, index) => {
        switch (piece.kind) {
          case "text":
            return piece.text;
          case "code":
            return <code key={index}>{piece.text}</code>;
          case "bold":
            return <strong key={index}>{piece.text}</strong>;
          case "place": {
            const { path, start, end } = piece;
            return (
              <a key={index} class="place" href={placeAddress({ path, start, end })}>
                {formatPlace(piece)}
                {isStale(path, start, end) && <span class="tag warn">changed since</span>}
              </a>
            );
          }
        }
      })}
    </>
  );
}

function plain(content: readonly Inline[]): string {
  return content.map((piece) => piece.kind === "place" ? piece.path : piece.text).join("");
}

/** How well an answer is founded, in one line. */
export function Foundation({ answer }: { answer: Answer }) {
  const count = (wanted: string) =>
    answer.citations.filter(({ status }) => status === wanted).length;
  const [verified, stale, removed] = [count("verified"), count("stale"), count("removed")];
  const parts = [
    verified > 0 && `${verified} ${verified === 1 ? "citation" : "citations"} checked on disk`,
    stale > 0 && `${stale} changed since read`,
    removed > 0 && `${removed} removed: did not hold`,
  ].filter((part) => part !== false);
  if (!answer.found) parts.push("nothing found that answers this");
  return (
    <p class={stale + removed > 0 || !answer.found ? "foundation warn" : "foundation good"}>
      <span aria-hidden="true">{stale + removed > 0 || !answer.found ? "!" : "✓"}</span>
      {parts.join(" · ")}
    </p>
  );
}

/** The steps that led to an answer, as they are known. */
export function Steps(
  { steps, open, summary }: {
    steps: readonly StepProgress[];
    open: boolean;
    summary: string;
  },
) {
  return (
    <details class="steps" open={open}>
      <summary>{summary}</summary>
      <ol>
        {steps.map((step, index) => (
          <li key={index}>
            <span class="action">{step.action}</span>
            <span class="thought">{step.thought}</span>
            <span class="observation">{clip(step.observation)}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** Longest observation that is shown: what was found in full stands in the answer. */
const MAX_OBSERVATION = 180;

function clip(text: string): string {
  return text.length <= MAX_OBSERVATION ? text : `${text.slice(0, MAX_OBSERVATION)}…`;
}
