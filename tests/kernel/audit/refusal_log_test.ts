/** One refusal is one line; a flood of them is few, says how many there were, and holds nothing that a peer sent but its name, made harmless. */
import assert from "node:assert/strict";
import type { NewEvent } from "../../../kernel/audit/event.ts";
import { NEW_EVENT } from "../../../kernel/audit/event.ts";
import { type Refusal, RefusalLog } from "../../../kernel/audit/refusal_log.ts";

const replay: Refusal = {
  door: "endpoint",
  reason: "replayed",
  detail: "this message came before",
  address: "127.0.0.1:50000",
  peer: "mallory",
};

/** A log and all that it wrote. */
function logged(windowMs?: number) {
  const events: NewEvent[] = [];
  const lines: string[] = [];
  const log = new RefusalLog({
    record: (event) => void events.push(event),
    report: (line) => void lines.push(line),
    windowMs,
  });
  const counts = () => events.map(({ event_data }) => event_data.count as number);
  return { log, events, lines, counts };
}

Deno.test("a refusal is an event of the trail's schema and a line, at once", () => {
  const { log, events, lines } = logged();
  using _ = log;
  log.note(replay);
  assert.deepEqual(lines, [
    "endpoint: mallory at 127.0.0.1:50000: replayed: this message came before",
  ]);
  const [event] = events;
  NEW_EVENT.parse(event);
  assert.deepEqual([event!.event_type, event!.status], ["REFUSAL", "FAILURE"]);
  assert.deepEqual(event!.event_data, { ...replay, count: 1 });
});

Deno.test("a reply that found nobody has a type of its own", () => {
  const { log, events } = logged();
  using _ = log;
  log.note({ ...replay, reason: "undelivered", detail: 'the reply to "7" could not be delivered' });
  assert.equal(events[0]!.event_type, "UNDELIVERED");
});

Deno.test("a flood is a few events that say how many there were, from how many addresses, and the last of them", () => {
  const { log, events, lines, counts } = logged();
  for (let n = 1; n <= 100_000; n++) {
    log.note({ ...replay, address: `127.0.0.${n % 250}:${n}`, peer: `mallory-${n}` });
  }
  log[Symbol.dispose]();
  assert.deepEqual(counts(), [1, 1, 1, 1, 99_996]);
  const { event_data } = events.at(-1)!;
  NEW_EVENT.parse(events.at(-1));
  assert.equal(event_data.peers, "250 addresses");
  assert.equal(event_data.peer, "mallory-100000");
  assert.match(String(event_data.since), /^\d{4}-\d\d-\d\dT/);
  assert.match(lines.at(-1)!, /^endpoint: replayed: 99996 more since .*, from 250 addresses; /);
});

Deno.test("a flood of one reason hides no other, and none of another door", () => {
  const { log, events } = logged();
  using _ = log;
  for (let n = 0; n < 1_000; n++) log.note(replay);
  log.note({ ...replay, reason: "bad_time" });
  log.note({ ...replay, door: "http" });
  const last = events.slice(-2).map(({ event_data: { door, reason } }) => [door, reason]);
  assert.deepEqual(last, [["endpoint", "bad_time"], ["http", "replayed"]]);
});

Deno.test("while a flood lasts it is told of less and less often, and not one refusal is lost", async () => {
  const { log, events, counts } = logged(40);
  let noted = 0;
  const begin = performance.now();
  while (performance.now() - begin < 1_000) {
    log.note(replay);
    noted++;
    await new Promise((done) => setTimeout(done, 1));
  }
  // Windows of 40, 80, 160, 320 and 640 milliseconds end in that time at most.
  assert.ok(events.length >= 6 && events.length <= 4 + 5, `${events.length} events`);
  log[Symbol.dispose]();
  assert.equal(counts().reduce((sum, count) => sum + count, 0), noted);
});

Deno.test("after a window without any, a refusal is told of at once again", async () => {
  const { log, events } = logged(20);
  using _ = log;
  for (let n = 0; n < 6; n++) log.note(replay);
  for (let turn = 0; events.length < 5; turn++) {
    assert.ok(turn < 500, "the count was not told");
    await new Promise((done) => setTimeout(done, 10));
  }
  assert.equal(events[4]!.event_data.count, 2);
  // Longer than the window that followed, twice the first.
  await new Promise((done) => setTimeout(done, 100));
  log.note(replay);
  assert.equal(events.length, 6);
  assert.equal(events[5]!.event_data.peers, undefined);
});

Deno.test("what a peer calls itself is shortened and made printable; a log that is closed writes nothing", () => {
  const { log, events, lines } = logged();
  log.note({ ...replay, peer: `\x1b[31m${"x".repeat(500)}`, detail: `no command "a\nb\u202e"` });
  const { peer, detail } = events[0]!.event_data as { peer: string; detail: string };
  assert.match(peer, /^\?\[31mx{60,}…$/);
  assert.equal(detail, 'no command "a?b?"');
  assert.doesNotMatch(lines[0]!, /\p{Cc}/u);
  log[Symbol.dispose]();
  log.note(replay);
  log[Symbol.dispose]();
  assert.equal(events.length, 1);
});
