/**
 * The audit trail as a timeline: what was asked and done here, and what came of it.
 *
 * What must hold: one entry a question or command, newest first; everything that was recorded of it can be opened; it shows the trail as it
 * is, and says so when the chain does not hold.
 */
/// <reference lib="dom" />
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { run } from "./api.ts";
import { EntropyGauge } from "./entropy_gauge.tsx";
import { capitalise, kernel, problemText, useStore } from "./store.ts";
import { TextField } from "./text_field.tsx";

type Line = Extract<Result<"audit">, { event_id: string }>;
type Verdict = Extract<Result<"audit">, { whole: boolean }>;

/** Events that are asked for: some dozens of questions. */
const LIMIT = 500;

/** What the view itself runs leaves no events. */
const OF_THIS_VIEW = ["audit", "cem"];

/** Spans of time, as the command takes them. */
const SPANS = [["", "all"], ["1h", "last hour"], ["24h", "last day"], ["7d", "last week"]] as const;

/** A question or a command with its events, in order. */
interface Cycle {
  readonly id: string;
  readonly lines: readonly Line[];
}

/** The view. */
export function TrailView() {
  const { runs } = useStore(kernel);
  const [since, setSince] = useState("");
  const [words, setWords] = useState("");
  const [cycles, setCycles] = useState<readonly Cycle[] | undefined>();
  const [isCut, setIsCut] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  useEffect(() => {
    const gone = new AbortController();
    run("audit", { limit: LIMIT, ...(since !== "" && { since }) }, { signal: gone.signal }).then(
      (results) => {
        const lines = results.filter((result) => "event_id" in result);
        setCycles(cyclesOf(lines));
        setIsCut(lines.length >= LIMIT);
        setProblem(undefined);
      },
      (error) => gone.signal.aborted || setProblem(problemText(error)),
    );
    return () => gone.abort();
    // What ran may have left events.
  }, [since, runs.filter(({ command }) => !OF_THIS_VIEW.includes(command)).length]);
  const wanted = words.trim().toLowerCase();
  const found = cycles?.filter((cycle) => {
    const { command, title } = gistOf(cycle);
    return `${command} ${title}`.toLowerCase().includes(wanted);
  });
  return (
    <div class="trail">
      <h1>Trail</h1>
      <p class="lead">
        Every question and command, step by step, in a chain that shows when a line was changed.
      </p>
      <EntropyGauge />
      <div class="filters">
        <TextField
          label="Find"
          value={words}
          placeholder="a word of it"
          type="search"
          onText={setWords}
        />
        <label>
          Time
          <select value={since} onChange={(event) => setSince(event.currentTarget.value)}>
            {SPANS.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </select>
        </label>
        <Verify />
      </div>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      {found?.length === 0 && (
        <p class="summary">
          {words.trim() !== ""
            ? `Nothing with “${words.trim()}” in it.`
            : since === ""
            ? "Nothing has been recorded yet: ask a question, or search."
            : "Nothing has been recorded in this time."}
        </p>
      )}
      {[...Map.groupBy(found ?? [], dayOf)].map(([day, cycles]) => (
        <section key={day}>
          <h2>{day}</h2>
          <ol class="timeline">
            {cycles.map((cycle) => <CycleView key={cycle.id} cycle={cycle} />)}
          </ol>
        </section>
      ))}
      {isCut && (
        <p class="summary">
          These are the latest {LIMIT} events; older ones are in{" "}
          <code>batos audit</code>, and a question about them finds them.
        </p>
      )}
    </div>
  );
}

/** The day on which a cycle began, as people say it. */
function dayOf({ lines }: Cycle): string {
  const day = new Date(lines[0]!.timestamp);
  const daysAgo = Math.round((midnight(new Date()) - midnight(day)) / 86_400_000);
  return daysAgo === 0 ? "Today" : daysAgo === 1 ? "Yesterday" : day.toLocaleDateString(undefined, {
    weekday: "long",
    year: "numeric",
    month: "long",
    day: "numeric",
  });
}

function midnight(time: Date): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

/** Events by cycle; the cycle with the newest event first. */
function cyclesOf(lines: readonly Line[]): Cycle[] {
  return [...Map.groupBy(lines, ({ cycle_id }) => cycle_id)]
    .map(([id, lines]) => ({ id, lines }))
    .toSorted((a, b) => b.lines.at(-1)!.sequence - a.lines.at(-1)!.sequence);
}

/** What a cycle was about, what became of it, when. */
function gistOf({ lines }: Cycle) {
  const first = lines[0]!;
  const last = lines.at(-1)!;
  const { question, command, subject, reason, ms } = first.event_data;
  const failed = lines.some(({ status }) => status === "FAILURE");
  const took = typeof ms === "number"
    ? ms
    : Date.parse(last.timestamp) - Date.parse(first.timestamp);
  return {
    /** The command; empty for a question. */
    command: typeof question === "string"
      ? ""
      : typeof command === "string"
      ? command.replaceAll("_", " ")
      : first.event_type.toLowerCase().replaceAll("_", " "),
    title: [question, subject].find((text) => typeof text === "string") ?? "",
    outcome: last.event_type === "CYCLE_INTERRUPTED" || reason === "interrupted"
      ? "interrupted"
      : failed
      ? "failed"
      : last.status === "IN_PROGRESS"
      ? "not finished"
      : "done",
    time: first.timestamp,
    took,
  };
}

function CycleView({ cycle }: { cycle: Cycle }) {
  const { command, title, outcome, time, took } = gistOf(cycle);
  const { length } = cycle.lines;
  return (
    <li>
      <details>
        <summary>
          <time dateTime={time} title={new Date(time).toLocaleString()}>
            {new Date(time).toLocaleTimeString()}
          </time>
          <span class="subject">
            {command !== "" && <span class="action">{command}</span>}
            <strong>{title}</strong>
          </span>
          <span class={outcome === "done" ? "tag good" : "tag warn"}>{outcome}</span>
          <small>
            {length === 1 ? "" : `${length} events, `}
            {duration(took)}
          </small>
        </summary>
        <ol class="events">
          {cycle.lines.map((line) => <EventView key={line.sequence} line={line} />)}
        </ol>
      </details>
    </li>
  );
}

function duration(ms: number): string {
  return ms < 1000 ? `${Math.max(0, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function EventView({ line }: { line: Line }) {
  const { sequence, psm_state, active_persona, event_type, event_data, status } = line;
  const { thought, observation, error, reason } = event_data;
  const said = [thought, observation, error, reason].filter((text) => typeof text === "string");
  return (
    <li>
      <p>
        <strong>{capitalise(event_type.toLowerCase().replaceAll("_", " "))}</strong>{" "}
        <span class="facts">
          {capitalise(psm_state.toLowerCase())} · {active_persona} · line {sequence}
        </span>
        {status === "FAILURE" && <span class="tag warn">failed</span>}
      </p>
      {said.map((text, index) => <p key={index} class="event-text">{text}</p>)}
      <details>
        <summary>All that was recorded</summary>
        <pre tabIndex={0}>{JSON.stringify(event_data, null, 2)}</pre>
      </details>
    </li>
  );
}

/** Checks the whole chain, when it is asked to. */
function Verify() {
  const [state, setState] = useState<string | undefined>();
  const [good, setGood] = useState(true);
  const verify = useCallback(async () => {
    setState("Checking…");
    try {
      const verdict = (await run("audit", { verify: true })).find((result) => "whole" in result);
      setGood(verdict!.whole);
      setState(say(verdict!));
    } catch (error) {
      setGood(false);
      setState(problemText(error));
    }
  }, []);
  return (
    <>
      <button type="button" class="quiet" onClick={verify}>Check the chain</button>
      <span role="status" class={good ? "good" : "problem"}>{state}</span>
    </>
  );
}

function say({ whole, verified, broken }: Verdict): string {
  const lines = `${verified.toLocaleString("en")} ${verified === 1 ? "line" : "lines"}`;
  return whole || broken === undefined
    ? `Whole: ${lines} proved`
    : `Broken at line ${broken.line} of ${broken.file}: ${broken.reason}`;
}
