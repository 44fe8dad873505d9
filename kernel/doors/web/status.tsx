/**
 * What the kernel is doing and what it has read, at the top of every view.
 *
 * What must hold: nobody wonders whether something is going on; everything that goes on can be stopped here.
 */
/// <reference lib="dom" />
import { useEffect, useRef, useState } from "preact/hooks";
import type { RunView } from "../runs.ts";
import { cancelRun } from "./api.ts";
import { kernel, readWorkspace, useStore } from "./store.ts";

/** Runs that the page makes by itself while somebody types are too short to be worth showing. */
const SHOWN_AFTER_MS = 1000;

/** Index and runs. */
export function Status() {
  const { index, runs } = useStore(kernel);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (runs.length === 0) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [runs.length > 0]);
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    // It lies over the page: whoever turns to something else is done with it.
    const close = (event: Event) => {
      const list = details.current;
      if (list === null || !list.open) return;
      const isKey = event instanceof KeyboardEvent;
      if (isKey ? event.key !== "Escape" : list.contains(event.target as Node)) return;
      list.open = false;
      if (isKey) list.querySelector("summary")?.focus();
    };
    addEventListener("pointerdown", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("pointerdown", close);
      removeEventListener("keydown", close);
    };
  }, []);
  const long = runs.filter(({ started }) => now - Date.parse(started) > SHOWN_AFTER_MS);
  return (
    <div class="status">
      {long.length > 0 && (
        <details class="runs" ref={details}>
          <summary>
            <span class="pulse" aria-hidden="true" />
            {long.length} running
          </summary>
          <ul>
            {long.map((run) => <RunLine key={run.id} run={run} now={now} />)}
          </ul>
        </details>
      )}
      <IndexStatus index={index} />
    </div>
  );
}

/** Said in place of a view that has nothing to show. */
export function NothingRead({ name }: { name: string }) {
  return (
    <p class="summary">
      There is nothing in {name} to read yet. Files are read as soon as there are some;{" "}
      <code>batos ingest --dry-run</code> says which are left out, and why.
    </p>
  );
}

function RunLine({ run, now }: { run: RunView; now: number }) {
  const { id, command, subject, started, progress, cancelling } = run;
  const elapsed = Math.max(0, Math.round((now - Date.parse(started)) / 1000));
  const count = progress?.total === undefined ? "" : ` ${progress.done} of ${progress.total}`;
  return (
    <li>
      <div>
        <strong>{command.replaceAll("_", " ")}</strong> {subject}
        <p class="facts">{elapsed} s{progress && ` · ${progress.phase}${count}`}</p>
      </div>
      <button
        type="button"
        class="quiet"
        disabled={cancelling}
        onClick={() => cancelRun(id)}
        aria-label={`Cancel ${command} ${subject}`}
      >
        {cancelling ? "Stopping…" : "Cancel"}
      </button>
    </li>
  );
}

function IndexStatus({ index }: { index: typeof kernel.value.index }) {
  switch (index.kind) {
    case "unknown":
      return null;
    case "reading":
      return (
        <p class="index" role="status">
          <span class="pulse" aria-hidden="true" />
          Reading: {index.detail}
          {index.share !== undefined && (
            <progress value={index.share} max={1} aria-label="Files read" />
          )}
        </p>
      );
    case "failed":
      // Why stands below, where there is room.
      return <p class="index problem">Not read</p>;
    case "there": {
      const { files, stale } = index.status;
      return (
        <p class="index">
          {files.toLocaleString("en")} {files === 1 ? "file" : "files"} read
          {stale > 0 && (
            <button type="button" class="quiet" onClick={readWorkspace}>
              Take in {stale} changed
            </button>
          )}
        </p>
      );
    }
  }
}
