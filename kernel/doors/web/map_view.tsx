/**
 * The map: summaries from the workspace down to single files, and what a file defines.
 *
 * What must hold: each level is asked for when it is opened, so that the largest repository opens as fast as the smallest.
 */
/// <reference lib="dom" />
import { useState } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { gist } from "./examples.ts";
import { Prose } from "./code.tsx";
import { useResult } from "./load.ts";
import { formatRoute } from "./route.ts";
import { NothingRead } from "./status.tsx";
import { kernel, placeAddress, useRoute, useStore } from "./store.ts";

type Node = Result<"tree">["children"][number];

/** The view. */
export function MapView() {
  const { of } = useRoute();
  const { index, table } = useStore(kernel);
  const name = table?.workspace.name ?? "";
  if (index.kind !== "there" || index.status.files === 0) {
    return (
      <div class="map-empty">
        <h1>Map</h1>
        {index.kind === "there"
          ? <NothingRead name={name} />
          : <p class="summary">The map is there when the files have been read.</p>}
      </div>
    );
  }
  return (
    <div class="map">
      <nav aria-label="Folders and files">
        <p class="tree-root">
          <a href={addressOf("")} aria-current={of === "" ? "page" : undefined}>{name}</a>
        </p>
        <Branch path="" of={of} />
      </nav>
      <Detail key={of} path={of} name={name} />
    </div>
  );
}

function addressOf(path: string): string {
  return formatRoute({ view: "map", of: path, query: {}, at: undefined });
}

function Branch({ path, of }: { path: string; of: string }) {
  const { result, problem } = useResult("tree", { path });
  if (problem !== undefined) return <p class="problem">{problem}</p>;
  return (
    <ul class="tree">
      {result?.children.toSorted(byKind).map((node) => (
        <Twig
          key={node.path}
          node={node}
          of={of}
        />
      ))}
    </ul>
  );
}

/** Folders first, as people expect it. */
function byKind(a: Node, b: Node): number {
  return a.level === b.level ? (a.path < b.path ? -1 : 1) : a.level === "folder" ? -1 : 1;
}

function Twig({ node: { path, level }, of }: { node: Node; of: string }) {
  const holdsShown = of === path || of.startsWith(`${path}/`);
  const [open, setOpen] = useState<boolean | undefined>(undefined);
  const isOpen = open ?? holdsShown;
  const name = path.slice(path.lastIndexOf("/") + 1);
  return (
    <li>
      {level === "folder"
        ? (
          <button
            type="button"
            class="twist"
            aria-expanded={isOpen}
            aria-label={`${isOpen ? "Close" : "Open"} ${path}`}
            onClick={() => setOpen(!isOpen)}
          />
        )
        : <span class="twist" />}
      <a href={addressOf(path)} aria-current={of === path ? "page" : undefined}>
        {name}
        {level === "folder" ? "/" : ""}
      </a>
      {isOpen && level === "folder" && <Branch path={path} of={of} />}
    </li>
  );
}

function Detail({ path, name }: { path: string; name: string }) {
  const { result, problem } = useResult("tree", { path });
  if (problem !== undefined) return <p class="problem" role="alert">{problem}</p>;
  if (result === undefined) return <div class="detail" aria-busy="true" />;
  const { text, level, children } = result;
  // Lines that list what is below are the list itself.
  const [head = "", ...lines] = text.split("\n").filter((line) => !line.startsWith("- "));
  const steps = path === "" ? [] : path.split("/");
  return (
    <div class="detail">
      <nav aria-label="Way to here" class="crumbs">
        <ol>
          {steps.length > 0 && (
            <li>
              <a href={addressOf("")}>{name}</a>
            </li>
          )}
          {steps.slice(0, -1).map((step, index) => (
            <li key={index}>
              <a href={addressOf(steps.slice(0, index + 1).join("/"))}>{step}</a>
            </li>
          ))}
        </ol>
      </nav>
      <h1>{steps.at(-1) ?? name}</h1>
      <p class="facts">{facts(head, path)}</p>
      {lines.filter((line) => !/^(Defines|Sections): /.test(line)).map((line, index) => (
        <p key={index} class={index === 0 ? "lead" : undefined}>
          <Prose text={line} />
        </p>
      ))}
      {level === "file" ? <Outline path={path} /> : (
        <ul class="rows">
          {children.toSorted(byKind).map((child) => (
            <li key={child.path}>
              <a href={addressOf(child.path)}>
                <span class="row-name">
                  {child.path.slice(child.path.lastIndexOf("/") + 1)}
                  {child.level === "folder" ? "/" : ""}
                </span>
                <span class="row-gist">
                  <Prose text={gist(child.text)} />
                </span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What stands in brackets behind the path: language, size. */
function facts(head: string, path: string): string {
  const [, inner] = /\((.*)\)$/.exec(head) ?? [];
  return inner ?? head.replace(path, "");
}

function Outline({ path }: { path: string }) {
  const { result, problem } = useResult("outline", { path });
  if (problem !== undefined) return <p class="problem">{problem}</p>;
  if (result === undefined) return null;
  const { definitions } = result;
  return (
    <>
      <p class="actions">
        <a class="button" href={placeAddress({ path, start: 0, end: 0 })}>Read the file</a>
        <a
          class="button"
          href={formatRoute({ view: "symbol", of: path, query: { impact: "1" }, at: undefined })}
        >
          What depends on it
        </a>
      </p>
      {definitions.length > 0 && (
        <>
          <h2>Defines</h2>
          <ul class="definitions">
            {definitions.map((definition) => {
              const { start_line, end_line, container, kind, exported, signature, doc } =
                definition;
              return (
                <li
                  key={`${start_line}:${definition.name}`}
                  class={`depth-${Math.min(container.length, 3)}`}
                >
                  <a href={placeAddress({ path, start: start_line, end: end_line })}>
                    {definition.name}
                  </a>
                  <span class="tag">{exported ? `exported ${kind}` : kind}</span>
                  <a
                    class="connect"
                    href={formatRoute({
                      view: "symbol",
                      of: `${path}:${start_line}`,
                      query: {},
                      at: undefined,
                    })}
                    aria-label={`What is connected with ${definition.name}`}
                  >
                    connections
                  </a>
                  {doc !== "" && (
                    <p>
                      <Prose text={doc.split("\n\n")[0]!} />
                    </p>
                  )}
                  {doc === "" && signature !== "" && <p class="signature">{signature}</p>}
                </li>
              );
            })}
          </ul>
        </>
      )}
    </>
  );
}
