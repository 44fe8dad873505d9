/**
 * The page: the frame around the views, and what holds in all of them.
 *
 * The tour: `store.ts` keeps what the kernel says and where the page is, `api.ts` speaks with the HTTP door, `load.ts` brings results of
 * commands to components; each view is a file (`…_view.tsx`), `source_panel.tsx` shows the lines that a link opens. What must hold:
 * a view is offered only when the command table has what it needs; `/` goes to where one types, Escape closes what is open.
 */
/// <reference lib="dom" />
import { type JSX, render } from "preact";
import { useEffect } from "preact/hooks";
import { AskView } from "./ask_view.tsx";
import { MapView } from "./map_view.tsx";
import { ObjectsView } from "./objects_view.tsx";
import { formatRoute, type View } from "./route.ts";
import { SearchView } from "./search_view.tsx";
import { SourcePanel } from "./source_panel.tsx";
import { Status } from "./status.tsx";
import { go, kernel, place, readWorkspace, startKernel, useRoute, useStore } from "./store.ts";
import { SymbolView } from "./symbol_view.tsx";
import { TrailView } from "./trail_view.tsx";

/** The views in the order of the navigation: name, and the commands that each needs. */
const NAVIGATION: readonly (readonly [view: View, name: string, needs: readonly string[]])[] = [
  ["ask", "Ask", ["ask"]],
  ["search", "Search", ["search"]],
  ["map", "Map", ["tree", "outline"]],
  ["symbol", "Connections", ["refs", "impact"]],
  ["objects", "Objects", ["image_ls", "image_get", "image_new", "image_set"]],
  ["trail", "Trail", ["audit"]],
];

const BODIES: Readonly<Record<View, () => JSX.Element | null>> = {
  ask: AskView,
  search: SearchView,
  map: MapView,
  symbol: SymbolView,
  objects: ObjectsView,
  trail: TrailView,
};

function App() {
  const { view, at } = useRoute();
  const { table, problem, connected, index } = useStore(kernel);
  useEffect(() => {
    const name = NAVIGATION.find(([each]) => each === view)?.[1] ?? "batos";
    document.title = `${name} · ${table?.workspace.name ?? "batos"}`;
  }, [view, table]);
  const offered = NAVIGATION.filter(([, , needs]) =>
    needs.every((command) => table === undefined || command in table.commands)
  );
  // An address may name a view that this kernel does not have.
  const Body = offered.some(([each]) => each === view) ? BODIES[view] : AskView;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to the content</a>
      <div class="frame">
        <header class="top">
          <a class="brand" href="#/ask">
            <svg viewBox="0 0 16 16" aria-hidden="true">
              <path d="M3 2.5v11M3 5h6.5a2.5 2.5 0 0 1 0 5H3" />
              <circle cx="13" cy="12.5" r="1.2" />
            </svg>
            <span>batos</span>
          </a>
          <nav aria-label="Views">
            <ul>
              {offered.map(([each, name]) => (
                <li key={each}>
                  <a
                    href={formatRoute({ view: each, of: "", query: {}, at: undefined })}
                    aria-current={each === view ? "page" : undefined}
                  >
                    {name}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          <Status />
        </header>
        {problem !== undefined && <p class="banner problem" role="alert">{problem}</p>}
        {problem === undefined && !connected && (
          <p class="banner" role="status">
            The kernel does not answer; trying again. What is here stays.
          </p>
        )}
        {problem === undefined && connected && index.kind === "failed" && (
          <div class="banner problem" role="alert">
            <p>The files could not be read: {clip(index.reason)}</p>
            <button type="button" onClick={readWorkspace}>Try again</button>
          </div>
        )}
      </div>
      <div class={at === undefined ? "body" : "body with-source"}>
        <main id="main" tabIndex={-1}>
          <Body key={view} />
        </main>
        {at !== undefined && <SourcePanel at={at} />}
      </div>
    </>
  );
}

/** Longest reason that leaves room for the page. */
const MAX_REASON = 300;

function clip(text: string): string {
  return text.length <= MAX_REASON ? text : `${text.slice(0, MAX_REASON)}…`;
}

/** The target is no address of the page, which would lead to another view. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && place.value.route.at !== undefined) {
    event.preventDefault();
    go({ at: undefined });
  }
  const target = event.target as HTMLElement;
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) {
    const field = document.querySelector<HTMLElement>("main input, main textarea");
    if (field === null) return;
    event.preventDefault();
    field.focus();
  }
});

render(<App />, document.getElementById("app")!);
performance.mark("usable");
void startKernel();
