/** What comes a second time is refused, whatever comes between; memory is bounded, and full means busy, not forgetful. */
import assert from "node:assert/strict";
import { ReplayGuard, WINDOW_MS } from "../../../kernel/doors/replay_guard.ts";

const signature = () => crypto.getRandomValues(new Uint8Array(32));

Deno.test("a message is admitted once within the window, and never outside of it", () => {
  const guard = new ReplayGuard();
  const begin = 1_700_000_000_000;
  const seen: [Uint8Array, number][] = [];
  for (let now = begin; now < begin + 4 * WINDOW_MS; now += 97) {
    const message: [Uint8Array, number] = [
      signature(),
      now - WINDOW_MS + ((now * 7) % (2 * WINDOW_MS)),
    ];
    assert.equal(guard.admit(message[0], message[1], now), undefined);
    seen.push(message);
    const [old, time] = seen[(now * 31) % seen.length]!;
    assert.ok(["replayed", "bad_time"].includes(guard.admit(old, time, now)!));
  }
  const end = begin + 4 * WINDOW_MS;
  for (const [old, time] of seen) assert.notEqual(guard.admit(old, time, end), undefined);
  assert.equal(guard.admit(signature(), begin - WINDOW_MS - 1, begin), "bad_time");
  assert.equal(guard.admit(signature(), begin + WINDOW_MS + 1, begin), "bad_time");
  assert.equal(guard.admit(signature(), NaN, begin), "bad_time");
  assert.equal(guard.admit(signature(), Infinity, begin), "bad_time");
});

Deno.test("a clock that is set back does not let old messages in again", () => {
  const guard = new ReplayGuard();
  const now = 1_700_000_000_000;
  const message = signature();
  assert.equal(guard.admit(message, now, now), undefined);
  guard.admit(signature(), now - 3_600_000, now - 3_600_000);
  assert.equal(guard.admit(message, now, now), "replayed");
});

Deno.test("what is remembered goes when it would be refused anyway", () => {
  const guard = new ReplayGuard();
  let most = 0;
  for (let now = 1_700_000_000_000, n = 0; n < 60_000; n++, now += 10) {
    guard.admit(signature(), now, now);
    most = Math.max(most, guard.slots);
  }
  // 100 messages a second, remembered for half a minute and a slice: 4,000, in tables half full at most.
  assert.ok(most <= 32_768, String(most));
});

Deno.test("a signature of zeros is remembered like any other", () => {
  const guard = new ReplayGuard();
  assert.equal(guard.admit(new Uint8Array(32), 1e12, 1e12), undefined);
  assert.equal(guard.admit(new Uint8Array(32), 1e12, 1e12), "replayed");
});
