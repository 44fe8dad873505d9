/** Work shared by callers: who comes late gets a run of his own, who leaves takes nobody with him. */
import assert from "node:assert/strict";
import type { HandlerContext, Progress } from "../../../../kernel/mod.ts";
import { SingleFlight } from "../../../../kernel/doors/mcp/single_flight.ts";

function context(signal = new AbortController().signal, seen: Progress[] = []): HandlerContext {
  return { signal, progress: (progress) => seen.push(progress) };
}

/** Work that ends when it is told to, and counts its runs. */
function controlled() {
  const runs: { end: PromiseWithResolvers<void>; context: HandlerContext }[] = [];
  let running = 0;
  const flight = new SingleFlight(async (context) => {
    assert.equal(running++, 0, "two runs at the same time");
    const run = { end: Promise.withResolvers<void>(), context };
    context.signal.addEventListener("abort", () => run.end.reject(context.signal.reason));
    runs.push(run);
    await run.end.promise.finally(() => running--);
  });
  return { flight, runs };
}

/** Lets everything that is ready run. */
const settle = () => new Promise((done) => setTimeout(done, 0));

Deno.test("callers that come while it runs share one more run, which begins after the first", async () => {
  const { flight, runs } = controlled();
  const first = flight.run(context());
  await settle();
  const late = [flight.run(context()), flight.run(context())];
  await settle();
  assert.equal(runs.length, 1);
  runs[0]!.end.resolve();
  await first;
  await settle();
  assert.equal(runs.length, 2);
  runs[1]!.end.resolve();
  await Promise.all(late);
  assert.equal(runs.length, 2);
});

Deno.test("a caller who gives up leaves the run to the others; the last one ends it", async () => {
  const { flight, runs } = controlled();
  const one = new AbortController();
  const two = new AbortController();
  const blocked = flight.run(context());
  await settle();
  const waits = [flight.run(context(one.signal)), flight.run(context(two.signal))];
  runs[0]!.end.resolve();
  await blocked;
  await settle();
  one.abort(new Error("first leaves"));
  await assert.rejects(waits[0]!, /first leaves/);
  assert.equal(runs[1]!.context.signal.aborted, false);
  two.abort(new Error("second leaves"));
  await assert.rejects(waits[1]!, /second leaves/);
  assert.equal(runs[1]!.context.signal.aborted, true);
  // The next caller is served.
  await settle();
  const next = flight.run(context());
  await settle();
  runs.at(-1)!.end.resolve();
  await next;
});

Deno.test("a run that its last caller gave up before it began is not given to the next one", async () => {
  const { flight, runs } = controlled();
  const blocked = flight.run(context());
  await settle();
  const leaving = new AbortController();
  const left = flight.run(context(leaving.signal));
  await settle();
  leaving.abort(new Error("leaves"));
  await assert.rejects(left, /leaves/);
  const next = flight.run(context());
  runs[0]!.end.resolve();
  await blocked;
  await settle();
  runs.at(-1)!.end.resolve();
  await next;
  assert.equal(runs.length, 2);
});

Deno.test("everybody who waits sees the progress and the error; the next run begins anew", async () => {
  const { flight, runs } = controlled();
  const blocked = flight.run(context());
  await settle();
  const seen: Progress[][] = [[], []];
  const waits = seen.map((each) => flight.run(context(undefined, each)));
  runs[0]!.end.resolve();
  await blocked;
  await settle();
  runs[1]!.context.progress({ phase: "working" });
  runs[1]!.end.reject(new Error("no space"));
  for (const wait of waits) await assert.rejects(wait, /no space/);
  assert.deepEqual(seen, [[{ phase: "working" }], [{ phase: "working" }]]);
  const next = flight.run(context());
  await settle();
  runs[2]!.end.resolve();
  await next;
});

Deno.test("who comes with an aborted signal starts nothing", async () => {
  const { flight, runs } = controlled();
  await assert.rejects(flight.run(context(AbortSignal.abort(new Error("too late")))), /too late/);
  assert.equal(runs.length, 0);
});
