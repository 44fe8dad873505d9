/**
 * An answer: its text with places that open, what it was made from, how it came about.
 *
 * What must hold: a place is a link only when its citation was checked and holds; one that changed since says so in words, not by colour
 * alone.
 */
/// <reference lib="dom" />
import type { Result, StepProgress } from "../../commands.ts";
import { Fragment } from "preact";
import { answerBlocks, type Block, type Inline, plainText } from "./answer_blocks.ts";
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
const ASIDE = /^(Extractive answer \(|To have a model |To attach a model:)/;

function AnswerBlock({ block, isStale }: { block: Block; isStale: IsStale }) {
  const text = (content: readonly Inline[]) => <Text content={content} isStale={isStale} />;
  const inner = (blocks: readonly Block[]) =>
    blocks.map((block, index) => <AnswerBlock key={index} block={block} isStale={isStale} />);
  switch (block.kind) {
    case "heading":
      return <h3>{text(block.content)}</h3>;
    case "list": {
      // An item that is one paragraph is a line, without the space around it.
      const items = block.items.map((item, index) => (
        <li key={index}>
          {item.map((block, at) =>
            block.kind === "paragraph" && at === 0
              ? <Fragment key={at}>{text(block.content)}</Fragment>
              : <AnswerBlock key={at} block={block} isStale={isStale} />
          )}
        </li>
      ));
      return block.from === undefined ? <ul>{items}</ul> : <ol start={block.from}>{items}</ol>;
    }
    case "quote":
      return <blockquote>{inner(block.blocks)}</blockquote>;
    case "rule":
      return <hr />;
    case "table":
      return (
        <div class="table" tabIndex={0} role="region" aria-label="Table">
          <table>
            <thead>
              <tr>
                {block.head.map((cell, index) => <th key={index} scope="col">{text(cell)}</th>)}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index}>{row.map((cell, at) => <td key={at}>{text(cell)}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case "code":
      return (
        <Code
          text={block.text}
          path={block.place?.path ?? `x.${block.language}`}
          from={block.place?.start}
          numbers={block.numbers}
          label={block.place === undefined ? "Quoted code" : `Lines of ${block.place.path}`}
        />
      );
    default:
      // What the program says about its own way of answering is said quietly.
      return (
        <p class={ASIDE.test(plainText(block.content)) ? "aside" : undefined}>
          {text(block.content)}
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
            return (
              <strong key={index}>
                <Text content={piece.content} isStale={isStale} />
              </strong>
            );
          case "italic":
            return (
              <em key={index}>
                <Text content={piece.content} isStale={isStale} />
              </em>
            );
          case "link": {
            // It leads out of this machine: one sees where to before one follows it.
            const name = plainText(piece.content);
            return (
              <Fragment key={index}>
                <a href={piece.address} target="_blank" rel="noopener noreferrer">{name}</a>
                {name !== piece.address && <small class="address">({piece.address})</small>}
              </Fragment>
            );
          }
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
