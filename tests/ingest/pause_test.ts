/** Long work in slices: between two of them everybody else has a turn. */
import assert from "node:assert/strict";
import { Pause } from "../../ingest/pause.ts";

/** Turns in which whoever waits must have been heard; each is a slice of work. */
const MOST_TURNS = 200;

/** Works in slices until `isHeard`, at most so many turns. */
async function workUntil(isHeard: () => boolean): Promise<void> {
  const pause = new Pause(undefined);
  for (let turn = 0; turn < MOST_TURNS && !isHeard(); turn++) {
    while (!pause.due());
    await pause.take();
  }
}

Deno.test("timers, other threads and the network are heard while long work goes on", async () => {
  const heard = new Set<string>();
  const timer = setInterval(() => heard.add("timer"), 1);
  const worker = new Worker("data:application/javascript,setInterval(() => postMessage(0), 1)", {
    type: "module",
  });
  worker.onmessage = () => heard.add("thread");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept().then((connection) => {
    heard.add("network");
    connection.close();
  });
  const connected = Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  try {
    await workUntil(() => heard.size === 3);
    assert.deepEqual([...heard].sort(), ["network", "thread", "timer"]);
  } finally {
    clearInterval(timer);
    worker.terminate();
    (await connected).close();
    await accepted;
    listener.close();
  }
});

Deno.test("a turn ends with the reason of a signal that was aborted meanwhile", async () => {
  const abort = new AbortController();
  const pause = new Pause(abort.signal);
  const taken = pause.take();
  abort.abort(new Error("enough"));
  await assert.rejects(taken, /enough/);
  await assert.rejects(pause.take(), /enough/);
});
