/**
 * The Composite Entropy Metric as a gauge beside the timeline: the value, its band, what it is made of.
 *
 * What must hold: everything that the picture says is said in words as well; without a number there is no picture, but what is missing.
 */
/// <reference lib="dom" />
import { useEffect, useRef } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { useImageVersion, useResult } from "./load.ts";
import { kernel, useStore } from "./store.ts";

type Report = Result<"cem">;

/** How the parts are written. */
const SYMBOLS = { cog: "H_cog", sol: "H_sol", struc: "H_struc" } as const;

const STATES = {
  below: "below its band",
  within: "within its band",
  above: "above its band",
  unknown: "not known",
} as const;

/** The gauge; nothing where the kernel is of a version without it. */
export function EntropyGauge() {
  const { table, runs } = useStore(kernel);
  const [version, again] = useImageVersion();
  // A question is in the trail a moment after it is in the image; while one is answered the kernel has better things to do.
  const isAsking = runs.some(({ command }) => command === "ask");
  const looked = useRef(version);
  if (!isAsking) looked.current = version;
  useEffect(() => {
    if (!isAsking && version > 0) again();
  }, [isAsking]);
  const isThere = table !== undefined && "cem" in table.commands;
  const { result, problem } = useResult("cem", isThere ? {} : undefined, {
    again: looked.current,
    keep: true,
  });
  if (!isThere) return null;
  return (
    <section class="gauge" aria-labelledby="gauge-title">
      <h2 id="gauge-title">How varied the latest questions were</h2>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      {result && <Reading report={result} />}
    </section>
  );
}

function Reading({ report }: { report: Report }) {
  const { value, state, window, said, problems, settings } = report;
  const band = `${shown(settings.band_low)} to ${shown(settings.band_high)}`;
  return (
    <>
      {value !== null && (
        <div
          role="meter"
          aria-labelledby="gauge-title"
          aria-valuemin={0}
          aria-valuemax={1}
          aria-valuenow={value}
          aria-valuetext={`${shown(value)}, ${STATES[state]} of ${band}`}
        >
          <Scale value={value} settings={settings} />
          <p aria-hidden="true">
            <strong>CEM {shown(value)}</strong>
            <span class={state === "within" ? "tag good" : "tag warn"}>{STATES[state]}</span>
            <span class="facts">{band}</span>
          </p>
        </div>
      )}
      {said.map((sentence) => <p key={sentence} class="summary">{sentence}</p>)}
      {problems.map((problem) => <p key={problem} class="note">{problem}</p>)}
      {window !== null && <Parts report={report} />}
    </>
  );
}

/** From 0 to 1: the band as a part of the track, the value as a mark that stands out of it. */
function Scale({ value, settings }: { value: number; settings: Report["settings"] }) {
  const { band_low, band_high } = settings;
  return (
    <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" x="0" y="3" width="100" height="4" />
      <rect class="band" x={100 * band_low} y="3" width={100 * (band_high - band_low)} height="4" />
      <rect class="mark" x={Math.min(99, 100 * value)} y="0" width="1" height="10" />
    </svg>
  );
}

function Parts({ report: { parts, window, trend } }: { report: Report }) {
  const { cycles, before, since, until } = window!;
  return (
    <details>
      <summary>What it is made of</summary>
      <dl class="parts">
        {parts.map(({ name, value, weight, means, said }) => (
          <div key={name}>
            <dt>
              <span class="action">{SYMBOLS[name]}</span> {means}
            </dt>
            <dd>
              <strong>{shown(value)}</strong> <span class="facts">× {shown(weight)}</span>
              <p class="summary">{said}</p>
            </dd>
          </div>
        ))}
      </dl>
      <p class="summary">
        The last {cycles} questions, {day(since)} to {day(until)}, beside {before} before them.
        {trend.length > 1 &&
          ` Windows of as many, oldest first: ${
            trend.map(({ value }) => shown(value)).join(", ")
          }.`} Weights and band can be changed: <code>batos cem set --help</code>
      </p>
    </details>
  );
}

/** Two digits, or a dash. */
function shown(value: number | null): string {
  return value === null ? "–" : value.toFixed(2);
}

function day(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
