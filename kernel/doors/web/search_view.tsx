/**
 * Search as you type.
 *
 * What must hold: the address holds query and filters, so a search can be kept and gone back to; the arrow keys go through the results
 * from the input on.
 */
/// <reference lib="dom" />
import { useEffect, useRef } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { Code, wordsOf } from "./code.tsx";
import { useResult } from "./load.ts";
import { formatPlace } from "./route.ts";
import { go, kernel, placeAddress, useRoute, useStore } from "./store.ts";
import { TextField } from "./text_field.tsx";

type Hit = Result<"search">["results"][number];

/** Time between two keys of somebody who types on; what comes later than this is worth asking for. */
const TYPING_MS = 120;
/** Results that are shown: more than anybody reads before typing another word. */
const LIMIT = 20;
/** Lines of a result that are shown. */
const EXCERPT_LINES = 7;

/** The view. */
export function SearchView() {
  const { query } = useRoute();
  const { index } = useStore(kernel);
  const { q = "", lang = "", path = "" } = query;
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => input.current?.focus(), []);
  const change = (change: Record<string, string>) => {
    const filled = Object.entries({ ...query, ...change }).filter(([, value]) => value !== "");
    go({ query: Object.fromEntries(filled), at: undefined }, true);
  };
  const { result, loading, problem, progress } = useResult(
    "search",
    q.trim() === "" || index.kind === "reading"
      ? undefined
      : { query: q, limit: LIMIT, ...(lang !== "" && { lang }), ...(path !== "" && { path }) },
    { delay: TYPING_MS, keep: q.trim() !== "" },
  );
  const hits = q.trim() === "" ? undefined : result?.results;
  const words = wordsOf(q);
  const languages = index.kind === "there" ? Object.keys(index.status.languages) : [];
  const move = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...list.current?.querySelectorAll<HTMLElement>("a") ?? []];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next >= links.length || (at < 0 && event.key === "ArrowUp")) return;
    event.preventDefault();
    (next < 0 ? input.current : links[next])?.focus();
  };
  return (
    <div class="search" onKeyDown={move}>
      <h1 class="sr-only">Search</h1>
      <form role="search" onSubmit={(event) => event.preventDefault()}>
        <label for="query" class="sr-only">Search the code</label>
        <input
          id="query"
          ref={input}
          type="search"
          autoComplete="off"
          spellcheck={false}
          value={q}
          placeholder="A name, some words, a sentence"
          onInput={(event) => change({ q: event.currentTarget.value })}
        />
        <div class="filters">
          <label>
            Language
            <select value={lang} onChange={(event) => change({ lang: event.currentTarget.value })}>
              <option value="">any</option>
              {languages.map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          </label>
          <TextField
            label="Path"
            value={path}
            placeholder="src/**"
            onText={(text) => change({ path: text })}
          />
        </div>
      </form>
      <p class="summary" role="status">
        {problem ?? (q.trim() === ""
          ? "Names, words or whole sentences: the parts of the code that match best come first."
          : hits === undefined
          ? progress === undefined ? "Searching…" : progress.detail ?? progress.phase
          : hits.length === 0
          ? loading ? "Searching…" : `Nothing matches “${q}”${lang || path ? " here" : ""}.`
          : hits.length === LIMIT
          ? `The best ${LIMIT}`
          : `${hits.length} ${hits.length === 1 ? "result" : "results"}`)}
      </p>
      <ol ref={list} class="hits">
        {hits?.map((hit) => (
          <HitView key={`${hit.path}:${hit.start_line}`} hit={hit} words={words} />
        ))}
      </ol>
    </div>
  );
}

function HitView({ hit, words }: { hit: Hit; words: RegExp | undefined }) {
  const { path, start_line, end_line, node_name, node_type, text } = hit;
  const lines = text.replace(/\n$/, "").split("\n");
  const first = bestLine(lines, words);
  const at = { path, start: start_line, end: end_line };
  return (
    <li class="hit">
      <a href={placeAddress(at)}>
        <span class="place">{formatPlace(at)}</span>
        {node_name !== "" && <span class="name">{node_name}</span>}
        {node_type !== "" && <span class="tag">{node_type}</span>}
      </a>
      <Code
        text={text}
        path={path}
        from={start_line}
        shown={{ first, last: first + EXCERPT_LINES - 1 }}
        words={words}
        excerpt
        label={`Excerpt of ${path}`}
      />
    </li>
  );
}

/** Where an excerpt begins: one line above the window that holds most of the words. */
function bestLine(lines: readonly string[], words: RegExp | undefined): number {
  if (words === undefined || lines.length <= EXCERPT_LINES) return 0;
  const counts = lines.map((line) =>
    new Set(line.match(words)?.map((word) => word.toLowerCase())).size
  );
  let best = 0;
  let most = 0;
  for (let at = 0; at + EXCERPT_LINES <= lines.length; at++) {
    const sum = counts.slice(at, at + EXCERPT_LINES).reduce((sum, count) => sum + count, 0);
    if (sum > most) [best, most] = [at, sum];
  }
  return best;
}
