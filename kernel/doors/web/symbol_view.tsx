/**
 * The symbol graph around one definition: what uses it, what it uses, what a change may break.
 *
 * What must hold: everything that the picture shows can be read and followed without seeing it: the nodes are lists of links, the lines
 * between them are decoration.
 */
/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { useExamples, useResult } from "./load.ts";
import { formatRoute } from "./route.ts";
import { go, kernel, placeAddress, useRoute, useStore } from "./store.ts";

type Refs = Result<"refs">;
type Definition = Refs["definitions"][number];

/** Nodes on each side of the picture; more are in the list below. */
const MAX_NODES = 8;

/** The view. */
export function SymbolView() {
  const { of, query } = useRoute();
  const showsImpact = query.impact === "1";
  if (of === "") return <Finder />;
  return (
    <div class="symbol">
      <div class="tabs" role="group" aria-label="What to show">
        <button
          type="button"
          aria-pressed={!showsImpact}
          onClick={() => go({ query: {}, at: undefined })}
        >
          Connections
        </button>
        <button
          type="button"
          aria-pressed={showsImpact}
          onClick={() => go({ query: { impact: "1" }, at: undefined })}
        >
          What a change may break
        </button>
      </div>
      {showsImpact ? <Impact target={of} /> : <Connections target={of} />}
    </div>
  );
}

/** An address of a symbol. */
function symbolAddress(definition: Definition): string {
  const of = `${definition.path}:${definition.start_line}`;
  return formatRoute({ view: "symbol", of, query: {}, at: undefined });
}

function Finder() {
  const [name, setName] = useState("");
  const { index } = useStore(kernel);
  const names = useExamples(index.kind === "there" && index.status.files > 0).names
    .slice(0, MAX_NODES);
  return (
    <div class="symbol">
      <h1>Connections of a symbol</h1>
      <p class="lead">Who uses it, what it uses, and what a change to it may break.</p>
      <form
        class="finder"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() !== "") go({ of: name.trim() });
        }}
      >
        <label for="symbol">Name, or path:line</label>
        <div class="question-box">
          <input
            id="symbol"
            type="text"
            autoComplete="off"
            spellcheck={false}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <button type="submit" class="primary" disabled={name.trim() === ""}>Show</button>
        </div>
      </form>
      {names.length > 0 && (
        <section>
          <h2>For example</h2>
          <Names names={names} />
        </section>
      )}
    </div>
  );
}

function Names({ names }: { names: readonly string[] }) {
  return (
    <ul class="chips">
      {names.map((name) => (
        <li key={name}>
          <a href={formatRoute({ view: "symbol", of: name, query: {}, at: undefined })}>{name}</a>
        </li>
      ))}
    </ul>
  );
}

function Waiting({ progress }: { progress: { done?: number; total?: number } | undefined }) {
  const count = progress?.total === undefined ? "" : ` (${progress.done} of ${progress.total})`;
  return (
    <p class="thinking" role="status">
      <span class="pulse" aria-hidden="true" />
      Working out who refers to what{count}. The first time this takes some seconds.
    </p>
  );
}

function Missing({ target, suggestions }: { target: string; suggestions: readonly string[] }) {
  return (
    <>
      <h1>{target}</h1>
      <p class="summary">Nothing of that name is known.</p>
      {suggestions.length > 0 && (
        <section>
          <h2>Near names</h2>
          <Names names={suggestions} />
        </section>
      )}
    </>
  );
}

function Connections({ target }: { target: string }) {
  const { result, problem, progress } = useResult("refs", { target });
  if (problem !== undefined) return <p class="problem" role="alert">{problem}</p>;
  if (result === undefined) return <Waiting progress={progress} />;
  const { definitions, references, callers, callees, importers, suggestions } = result;
  // A name with a declaration beside its code is about the code.
  const [definition, ...others] = definitions.toSorted((a, b) => asideOf(a) - asideOf(b));
  if (definition === undefined) return <Missing target={target} suggestions={suggestions} />;
  return (
    <>
      <h1>{definition.name}</h1>
      <p class="facts">
        {definition.kind} in{" "}
        <a href={placeAddress(lines(definition))}>{definition.path}:{definition.start_line}</a>
      </p>
      <Picture definition={definition} callers={callers} callees={callees} />
      {others.length > 0 && (
        <section>
          <h2>Defined elsewhere as well</h2>
          <ul class="rows">
            {others.map((other, index) => (
              <li key={index}>
                <a href={symbolAddress(other)}>
                  <span class="row-name">{other.name}</span>
                  <span class="row-gist">{other.path}:{other.start_line}</span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h2>{references.length} {references.length === 1 ? "line uses" : "lines use"} it</h2>
        {references.length === 0 && importers.length === 0 && (
          <p class="summary">Nothing in this repository does.</p>
        )}
        <ul class="references">
          {byFile(references).map(([path, uses]) => (
            <li key={path}>
              <span class="path">{path}</span>
              {uses.map(({ line, kind, resolution }) => (
                <a
                  key={`${line}${kind}`}
                  href={placeAddress({ path, start: line, end: line })}
                  title={resolution === "name" ? "found by name" : "found by the compiler"}
                >
                  {line} <small>{kind}</small>
                </a>
              ))}
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

/** How little a definition says: tests less than code, declarations of types alone less than both. */
function asideOf({ path }: Definition): number {
  return /\.d\.[cm]?ts$/.test(path)
    ? 2
    : /(^|\/)tests?\/|\.(test|spec)\.|_test\./.test(path)
    ? 1
    : 0;
}

function byFile(references: Refs["references"]) {
  return [...Map.groupBy(references, ({ path }) => path)];
}

function lines({ path, start_line, end_line }: Definition) {
  return { path, start: start_line, end: end_line };
}

/** Callers on the left, the symbol in the middle, what it uses on the right. */
function Picture(
  { definition, callers, callees }: {
    definition: Definition;
    callers: readonly Definition[];
    callees: readonly Definition[];
  },
) {
  const box = useRef<HTMLDivElement>(null);
  const [paths, setPaths] = useState<readonly string[]>([]);
  useLayoutEffect(() => {
    const holder = box.current;
    if (holder === null) return;
    const draw = () => setPaths(connections(holder));
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(holder);
    return () => observer.disconnect();
  }, [definition, callers, callees]);
  return (
    <div class="picture" ref={box}>
      <svg aria-hidden="true">
        {paths.map((path, index) => <path key={index} d={path} />)}
      </svg>
      <Side title="Used by" nodes={callers} empty="no definition here" name="callers" />
      <div class="node centre" data-node="centre">
        <strong>{definition.name}</strong>
        <span>{definition.kind}</span>
      </div>
      <Side title="Uses" nodes={callees} empty="nothing of this repository" name="callees" />
    </div>
  );
}

function Side(
  { title, nodes, empty, name }: {
    title: string;
    nodes: readonly Definition[];
    empty: string;
    name: string;
  },
) {
  const [all, setAll] = useState(false);
  const shown = all ? nodes : nodes.slice(0, MAX_NODES);
  return (
    <section class={`side ${name}`}>
      <h2>{title}</h2>
      {nodes.length === 0 && <p class="summary">{empty}</p>}
      <ul>
        {shown.map((node, index) => (
          <li key={index} class="node" data-node={name}>
            <a href={symbolAddress(node)}>{[...node.container, node.name].join(".")}</a>
            <a class="where" href={placeAddress(lines(node))}>{node.path}:{node.start_line}</a>
          </li>
        ))}
      </ul>
      {nodes.length > shown.length && (
        <button
          type="button"
          class="quiet"
          onClick={() => setAll(true)}
        >
          {nodes.length - shown.length} more
        </button>
      )}
    </section>
  );
}

/** Curves between the nodes as they are laid out; none where they stand below each other. */
function connections(holder: HTMLElement): string[] {
  const frame = holder.getBoundingClientRect();
  const centre = holder.querySelector("[data-node=centre]")!.getBoundingClientRect();
  const middle = centre.top + centre.height / 2 - frame.top;
  const curve = (x1: number, y1: number, x2: number, y2: number) => {
    const bend = (x2 - x1) / 2;
    return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  };
  const paths: string[] = [];
  for (const node of holder.querySelectorAll<HTMLElement>("li[data-node]")) {
    const rect = node.getBoundingClientRect();
    const y = rect.top + rect.height / 2 - frame.top;
    if (rect.right < centre.left) {
      paths.push(curve(rect.right - frame.left, y, centre.left - frame.left, middle));
    } else if (rect.left > centre.right) {
      paths.push(curve(centre.right - frame.left, middle, rect.left - frame.left, y));
    }
  }
  return paths;
}

function Impact({ target }: { target: string }) {
  const { result, problem, progress } = useResult("impact", { targets: [target] });
  if (problem !== undefined) return <p class="problem" role="alert">{problem}</p>;
  if (result === undefined) return <Waiting progress={progress} />;
  const { affected, tests, definitions, suggestions } = result;
  if (definitions.length === 0 && affected.length === 0 && suggestions.length > 0) {
    return <Missing target={target} suggestions={suggestions} />;
  }
  const rings = [...Map.groupBy(affected, ({ distance }) => distance)];
  return (
    <>
      <h1>If {definitions[0]?.name ?? target} changes</h1>
      <p class="lead">
        {affected.length === 0
          ? "Nothing in this repository depends on it."
          : `${affected.length} ${affected.length === 1 ? "file may" : "files may"} be affected; ${
            tests.length === 0
              ? "no test"
              : tests.length === 1
              ? "one test file"
              : `${tests.length} test files`
          } among them.`}
      </p>
      {tests.length > 0 && (
        <section>
          <h2>Tests to run</h2>
          <ul class="chips">
            {tests.map((path) => (
              <li key={path}>
                <a href={placeAddress({ path, start: 0, end: 0 })}>{path}</a>
              </li>
            ))}
          </ul>
        </section>
      )}
      {rings.map(([distance, files]) => (
        <section key={distance}>
          <h2>{distance === 1 ? "Use it directly" : `${distance} steps away`}</h2>
          <ul class="rows">
            {files.map((file) => (
              <li key={file.path}>
                <a
                  href={placeAddress({
                    path: file.path,
                    start: file.lines[0] ?? 0,
                    end: file.lines[0] ?? 0,
                  })}
                >
                  <span class="row-name">{file.path}</span>
                  <span class="row-gist">
                    {file.symbols.map(({ name }) => name).slice(0, 6).join(", ") ||
                      `through ${file.via.slice(0, 4).join(", ")}`}
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}
