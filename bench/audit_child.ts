/**
 * One measured pass over a trail inside a fresh process, for `audit.ts`: `FOLDER record N | write N | absorb | append-and-absorb |
 * verify | search | entropy`. Prints one line of JSON.
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { readTrailLines, redactSecrets } from "../ingest/mod.ts";
import {
  AuditTrail,
  entropyDesk,
  listTrailFiles,
  type NewEvent,
  parseTrailLine,
  readHead,
  verifyTrail,
} from "../kernel/mod.ts";
import { AnswerVectors, chooseEmbedder, openMemory } from "../rag/mod.ts";
import { quantile } from "./process.ts";

/** Events of one question: a start, eight steps, an answer. */
const EVENTS = 10;
const NOUNS =
  "parser router lock cache token index vector summary graph chunk writer reader schema budget prompt watcher"
    .split(" ");
const VERBS =
  "split match hold evict count build embed fold walk cut append follow parse spend trim wake"
    .split(" ");

const [folder = "", pass = "", count = "0"] = Deno.args;
const trailFolder = join(folder, "trail");
mkdirSync(trailFolder, { recursive: true });
const list = () => listTrailFiles(trailFolder);

/** The event with this number, of the size and form that `ask` leaves. */
function eventOf(number: number): NewEvent {
  const cycle = Math.floor(number / EVENTS);
  const at = number % EVENTS;
  const noun = NOUNS[cycle % NOUNS.length]!;
  const verb = VERBS[Math.floor(cycle / NOUNS.length) % VERBS.length]!;
  const question = `how does the ${noun} ${verb} what ${noun}${cycle} gives it?`;
  const place = (line: number) => `src/${noun}/${verb}_${cycle % 997}.ts:${line}-${line + 30}`;
  const common = {
    cycle_id: `00000000-0000-4000-8000-${String(cycle).padStart(12, "0")}`,
    active_persona: "BABS",
    status: "SUCCESS" as const,
  };
  if (at === 0) {
    const event_data = { kind: "question", question };
    return { ...common, psm_state: "IDLE", event_type: "CYCLE_STARTED", event_data };
  }
  const places = Array.from({ length: 8 }, (_, line) => place(line * 40 + at));
  if (at < EVENTS - 1) {
    const event_data = {
      step: at,
      thought: "Search all chunks for the whole question.",
      action: "search",
      arguments: { query: question, level: "chunks", k: 16 },
      observation: `8 chunks: ${places.join(", ")}`,
      tokens: 812,
      ms: 3.4,
      retrieved_chunk_ids: places.map((_, index) => number + index),
      retrieved: places,
    };
    return { ...common, psm_state: "DELEGATING", event_type: "RETRIEVAL_ACTION", event_data };
  }
  const event_data = {
    answer: places.map((each) =>
      `The ${noun} (${each}) may ${verb} ${noun}${cycle} where it is asked to. `
    )
      .join("\n").repeat(4),
    citations: places.slice(0, 4).map((path) => ({
      path: path.split(":")[0],
      start_line: at,
      end_line: at + 30,
      status: "verified",
    })),
    found: true,
    driver: "extractive",
    tokens: 6_700,
    missing: [],
  };
  return { ...common, psm_state: "COMPLETE", event_type: "ANSWER", event_data };
}

async function record(events: number): Promise<object> {
  const calls = new Float64Array(events);
  const delays: number[] = [];
  let last = performance.now();
  const clock = setInterval(() => {
    const now = performance.now();
    delays.push(now - last - 1);
    last = now;
  }, 1);
  const trail = new AuditTrail(join(folder, "recorded"), { redact: redactSecrets });
  const cpu = process.cpuUsage();
  const begin = performance.now();
  for (let number = 0; number < events; number++) {
    const event = eventOf(number);
    const called = performance.now();
    const room = trail.record(event);
    calls[number] = performance.now() - called;
    await room;
    // A run does something between its events.
    if (number % 100 === 99) await new Promise((done) => setTimeout(done, 0));
  }
  await trail.close();
  const ms = performance.now() - begin;
  const used = process.cpuUsage(cpu);
  clearInterval(clock);
  return {
    events,
    seen_by_caller_us: rounded(calls.reduce((sum, each) => sum + each, 0) / events * 1_000),
    seen_by_caller_p99_us: rounded(quantile([...calls], 0.99) * 1_000),
    written_after_all_us: rounded(ms / events * 1_000),
    cpu_us: rounded((used.user + used.system) / events),
    delay_of_loop_p99_ms: rounded(quantile(delays, 0.99)),
  };
}

async function write(events: number): Promise<object> {
  {
    await using trail = new AuditTrail(trailFolder, { redact: redactSecrets });
    for (let number = 0; number < events; number++) await trail.record(eventOf(number));
  }
  const bytes = list().reduce((sum, { path }) => sum + statSync(path).size, 0);
  return {
    events,
    questions: events / EVENTS,
    files: list().length,
    megabytes: Math.round(bytes / 1e6),
  };
}

async function absorb(): Promise<object> {
  using memory = openMemory(folder);
  const begin = performance.now();
  const report = await memory.trail.absorb(list, parseTrailLine);
  const seconds = rounded((performance.now() - begin) / 1_000);
  const index_megabytes = Math.round(memory.status().indexBytes / 1e6);
  return { events: report.events, questions: memory.trail.count(), seconds, index_megabytes };
}

async function appendAndAbsorb(): Promise<object> {
  const events = readHead(trailFolder)!.sequence;
  {
    await using trail = new AuditTrail(trailFolder);
    for (let number = events; number < events + EVENTS; number++) {
      await trail.record(eventOf(number));
    }
  }
  using memory = openMemory(folder);
  const begin = performance.now();
  const report = await memory.trail.absorb(list, parseTrailLine);
  return { events: report.events, ms: rounded(performance.now() - begin) };
}

async function verify(): Promise<object> {
  const begin = performance.now();
  const { whole, verified } = await verifyTrail(
    readTrailLines(list),
    list(),
    readHead(trailFolder),
  );
  if (!whole) throw new Error(`verify "${trailFolder}": a trail that was only written is broken`);
  return { lines: verified, seconds: rounded((performance.now() - begin) / 1_000) };
}

async function search(): Promise<object> {
  using memory = openMemory(folder, { readOnly: true });
  const times: number[] = [];
  const checks: number[] = [];
  for (let number = 0; number < 100; number++) {
    const begin = performance.now();
    const found = memory.trail.search(
      `${NOUNS[number % NOUNS.length]} ${VERBS[number % VERBS.length]}`,
    );
    times.push(performance.now() - begin);
    const { firstLine, lastLine } = found[number % found.length]!;
    const checking = performance.now();
    if (await memory.trail.check(firstLine, lastLine, list) !== "verified") {
      throw new Error(
        `check lines ${firstLine} to ${lastLine}: they were not changed, and are not verified`,
      );
    }
    checks.push(performance.now() - checking);
  }
  return {
    searches: times.length,
    p50_ms: rounded(quantile(times, 0.5)),
    p95_ms: rounded(quantile(times, 0.95)),
    citation_check_p50_ms: rounded(quantile(checks, 0.5)),
  };
}

/** The metric over the whole trail, without its third part: these questions were kept in no image. */
async function entropy(): Promise<object> {
  const { windowOf, questionsRead, entropyReport, readEntropySettings } = await entropyDesk();
  const { settings } = readEntropySettings(undefined);
  await using embedder = chooseEmbedder("static", (name) => Promise.reject(new Error(name)))!;
  const once = async () => {
    using memory = openMemory(folder, { readOnly: true });
    const answers = new AnswerVectors(memory, {
      root: folder,
      lock: () => Promise.resolve({ [Symbol.dispose]: () => {} }),
      isRefusal: (error): error is Error => error instanceof DOMException,
      progress: () => {},
      signal: new AbortController().signal,
    });
    const begin = performance.now();
    const total = memory.trail.countAnswered();
    const size = windowOf(total, settings);
    const fractals = memory.trail.answered(questionsRead(size));
    const vectors = await answers.of(fractals, embedder);
    const { window, parts } = entropyReport({
      questions: fractals.map(({ oid, cycle, until, digest }) => ({
        cycle,
        ended: until,
        facets: digest.facets,
        vector: vectors.get(oid),
        tid: digest.tid,
      })),
      total,
      size,
      facets: [],
      embedder,
      image: undefined,
      records: { prototypes: [], objects: [] },
      settings,
    });
    if (window === null || parts[1]!.value === null) {
      throw new Error(`measure the metric of ${total} questions: it has no H_sol`);
    }
    return { ms: performance.now() - begin, read: fractals.length, total };
  };
  const first = await once();
  const again = await once();
  return {
    questions: first.total,
    read: first.read,
    first_ms: rounded(first.ms),
    again_ms: rounded(again.ms),
  };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

const passes: Record<string, () => Promise<object>> = {
  record: () => record(Number(count)),
  write: () => write(Number(count)),
  absorb,
  "append-and-absorb": appendAndAbsorb,
  verify,
  search,
  entropy,
};
console.log(JSON.stringify(await passes[pass]!()));
