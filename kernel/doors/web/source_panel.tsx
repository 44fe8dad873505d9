/**
 * The lines that a link opened, in their file.
 *
 * What must hold: it says whether the file is still what was read; Escape closes it and gives the focus back to where it came from.
 */
/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Code } from "./code.tsx";
import { useResult } from "./load.ts";
import { formatPlace, formatRoute, type Place } from "./route.ts";
import { go } from "./store.ts";

const STATUS = {
  verified: ["good", "as it was read"],
  stale: ["warn", "changed since it was read"],
  unindexed: ["", "not in the index"],
} as const;

/** The link that opened the lines: following it may take the focus away from it. */
let opener: HTMLElement | null = null;
addEventListener("click", ({ target }) => {
  opener = (target as Element).closest<HTMLElement>("a[href*='at=']") ?? opener;
}, { capture: true });

/** The panel. */
export function SourcePanel({ at }: { at: Place }) {
  const { result, problem } = useResult("read", { place: at.path });
  const outline = useResult("outline", { path: at.path }).result;
  const heading = useRef<HTMLHeadingElement>(null);
  const [copied, setCopied] = useState(false);
  const close = () => go({ at: undefined });
  useLayoutEffect(() => {
    heading.current?.focus({ preventScroll: true });
    return () => {
      const from = opener;
      // Once the view beside it can be seen again.
      queueMicrotask(() => from?.isConnected && from.focus({ preventScroll: true }));
    };
  }, []);
  useEffect(() => setCopied(false), [at.path, at.start]);
  const marked = at.start === 0 ? undefined : { start: at.start, end: at.end };
  const around = marked &&
    outline?.definitions.filter(({ start_line, end_line }) =>
      start_line <= marked.end && marked.start <= end_line
    ).toSorted((a, b) => distance(a, marked) - distance(b, marked)).slice(0, 4);
  const name = at.path.slice(at.path.lastIndexOf("/") + 1);
  return (
    <aside class="source" aria-labelledby="source-name">
      <header>
        <div>
          <h2 id="source-name" ref={heading} tabIndex={-1}>{name}</h2>
          <p class="facts">
            <a href={formatRoute({ view: "map", of: at.path, query: {}, at: undefined })}>
              {at.path}
            </a>
            {marked !== undefined && (
              <>
                , {marked.start === marked.end
                  ? `line ${marked.start}`
                  : `lines ${marked.start}–${marked.end}`}
              </>
            )}
            {result !== undefined && (
              <span class={`tag ${STATUS[result.status][0]}`}>{STATUS[result.status][1]}</span>
            )}
          </p>
        </div>
        <div class="source-actions">
          <button
            type="button"
            class="quiet"
            onClick={() =>
              navigator.clipboard.writeText(formatPlace(at)).then(() => setCopied(true), () => {})}
          >
            {copied ? "Copied" : "Copy place"}
          </button>
          <button type="button" class="quiet" onClick={close} aria-keyshortcuts="Escape">
            Close
          </button>
        </div>
      </header>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      {around !== undefined && around.length > 0 && (
        <ul class="chips" aria-label="Definitions in these lines">
          {around.map((definition) => (
            <li key={`${definition.name}${definition.start_line}`}>
              <a
                href={formatRoute({
                  view: "symbol",
                  of: `${at.path}:${definition.start_line}`,
                  query: {},
                  at,
                })}
              >
                Connections of {definition.name}
              </a>
            </li>
          ))}
        </ul>
      )}
      {result !== undefined && (
        <Code
          text={result.text}
          path={at.path}
          from={result.start_line}
          marked={marked}
          follow
          label={`Text of ${at.path}`}
        />
      )}
    </aside>
  );
}

/** How far a definition is from being exactly the marked lines. */
function distance(
  { start_line, end_line }: { start_line: number; end_line: number },
  { start, end }: { start: number; end: number },
): number {
  return Math.abs(start_line - start) + Math.abs(end_line - end);
}
