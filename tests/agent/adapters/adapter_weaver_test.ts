/** Adapters through three tiers: the budget holds at every moment, and the least recently used goes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { AdapterError } from "../../../agent/adapters/adapter_error.ts";
import type { AdapterRecord } from "../../../agent/adapters/adapter_record.ts";
import { AdapterShelf } from "../../../agent/adapters/adapter_shelf.ts";
import {
  type Activation,
  type ActiveAdapter,
  AdapterWeaver,
  type WeaverOptions,
} from "../../../agent/adapters/adapter_weaver.ts";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { MemoryHost } from "../../support/memory_host.ts";
import { temporaryFolder } from "../../support/models.ts";

/** Bytes of the adapters of most tests, by name: 100, 200, … */
const NAMES = ["a", "b", "c", "d", "e"];

interface Fixture extends Disposable {
  readonly host: MemoryHost;
  readonly shelf: AdapterShelf;
  readonly blobs: BlobFolder;
  readonly records: Readonly<Record<string, AdapterRecord>>;
  readonly activations: Activation[];
  weaver(budgetBytes: number, options?: Partial<WeaverOptions>): AdapterWeaver;
}

async function fixture(): Promise<Fixture> {
  const folder = temporaryFolder();
  const blobs = new BlobFolder(join(folder.path, "blobs"));
  const shelf = new AdapterShelf({ folder: join(folder.path, "adapters"), blobs });
  const host = new MemoryHost();
  const activations: Activation[] = [];
  const records: Record<string, AdapterRecord> = {};
  for (const [at, name] of NAMES.entries()) {
    const pending = await blobs.write(new Uint8Array(100 * (at + 1)).fill(at));
    pending.keep();
    records[name] = { name, scale: 1, gguf: pending.hash };
  }
  return {
    host,
    shelf,
    blobs,
    records,
    activations,
    weaver: (budgetBytes, options = {}) =>
      new AdapterWeaver({
        host,
        shelf,
        budgetBytes,
        onActivation: (activation) => activations.push(activation),
        ...options,
      }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

function hot(weaver: AdapterWeaver): string[] {
  return weaver.status().hot.map(({ adapter }) => adapter);
}

async function use(weaver: AdapterWeaver, record: AdapterRecord | undefined): Promise<void> {
  using _active = await weaver.activate(record!);
}

Deno.test("an adapter goes from cold over warm to hot, and each way is measured", async () => {
  using f = await fixture();
  await using weaver = f.weaver(150);
  const { a, b } = f.records;
  assert.equal(weaver.tierOf(a!), "cold");
  {
    using active = await weaver.activate(a!);
    assert.deepEqual(active.adapter, { name: "a", scale: 1 });
    assert.equal(weaver.tierOf(a!), "hot");
  }
  await use(weaver, a);
  await assert.rejects(use(weaver, b), /takes 200 bytes, expected at most the 150/);
  assert.equal(await weaver.cool(a), 1);
  assert.equal(weaver.tierOf(a!), "warm");
  await use(weaver, a);
  assert.deepEqual(f.activations.map(({ from }) => from), ["cold", "hot", "warm"]);
  for (const { adapter, bytes, ms, warmMs, roomMs, loadMs, from } of f.activations) {
    assert.deepEqual([adapter, bytes], ["a", 100]);
    assert.ok(ms >= warmMs + roomMs + loadMs - 1e-6);
    assert.equal(loadMs > 0, from !== "hot");
  }
  const { activations, hits, hotBytes, budgetBytes } = weaver.status();
  assert.deepEqual([activations, hits, hotBytes, budgetBytes], [3, 1, 100, 150]);
});

Deno.test("the least recently used goes first, and no more than has to", async () => {
  using f = await fixture();
  await using weaver = f.weaver(600);
  const { a, b, c, d } = f.records;
  for (const record of [a, b, c]) await use(weaver, record);
  assert.deepEqual(hot(weaver), ["a", "b", "c"]);
  await use(weaver, a);
  assert.deepEqual(hot(weaver), ["b", "c", "a"]);
  // 400 bytes: b's 200 are too few.
  await use(weaver, d);
  assert.deepEqual(hot(weaver), ["a", "d"]);
  assert.deepEqual(f.activations.at(-1)!.evicted, ["b", "c"]);
  assert.deepEqual(f.host.log, ["+a", "+b", "+c", "-b", "-c", "+d"]);
});

Deno.test("one at a time: what is hot is what a list of the last used says", async () => {
  using f = await fixture();
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 500, max: 1500 }),
      fc.array(fc.constantFrom(...NAMES), { maxLength: 40 }),
      async (budget, uses) => {
        f.host.held.clear();
        f.host.peak = 0;
        const weaver = f.weaver(budget);
        const expected: string[] = [];
        const bytes = () => expected.reduce((sum, name) => sum + bytesOf(name), 0);
        const bytesOf = (name: string) => 100 * (NAMES.indexOf(name) + 1);
        for (const name of uses) {
          const at = expected.indexOf(name);
          if (at >= 0) expected.splice(at, 1);
          else while (bytes() + bytesOf(name) > budget) expected.shift();
          expected.push(name);
          await use(weaver, f.records[name]);
          assert.deepEqual(hot(weaver), expected);
          assert.equal(f.host.bytes(), weaver.status().hotBytes);
        }
        assert.ok(f.host.peak <= budget);
        await weaver[Symbol.asyncDispose]();
        assert.equal(f.host.held.size, 0);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("many at once, some given up, some failing: the budget holds and what is leased is there", async () => {
  using f = await fixture();
  const step = fc.record({
    name: fc.constantFrom(...NAMES),
    /** Turns before it begins, and that it is held for. */
    after: fc.nat(12),
    held: fc.nat(6),
    /** Turns until it is given up. */
    abort: fc.option(fc.nat(10), { nil: undefined }),
  });
  const waitMs = 10_000;
  const turns = async (count: number) => {
    for (; count > 0; count--) await new Promise((done) => setImmediate(done));
  };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 500, max: 900 }),
      fc.array(step, { maxLength: 25 }),
      fc.array(fc.nat(4), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }),
      async (budget, steps, delays, faults) => {
        f.host.held.clear();
        f.host.peak = 0;
        let asked = 0;
        f.host.delay = () => delays[asked++ % delays.length]!;
        f.host.fault = (what, name) =>
          faults[asked++ % faults.length] === 9
            ? new AdapterError(`${what} "${name}": told to fail`, "failed")
            : undefined;
        f.activations.length = 0;
        const weaver = f.weaver(budget, { waitMs });
        const outcomes = await Promise.all(steps.map(async ({ name, after, held, abort }) => {
          await turns(after);
          const controller = new AbortController();
          if (abort !== undefined) void turns(abort).then(() => controller.abort());
          let active: ActiveAdapter;
          try {
            active = await weaver.activate(f.records[name]!, controller);
          } catch (error) {
            const isOurs = controller.signal.aborted && error === controller.signal.reason;
            assert.ok(isOurs || /told to fail/.test(String(error)), String(error));
            return "failed";
          }
          for (let turn = 0; turn <= held; turn++) {
            assert.ok(f.host.held.has(name), `"${name}" is leased and was unloaded`);
            await turns(1);
          }
          active[Symbol.dispose]();
          active[Symbol.dispose]();
          return "done";
        }));
        assert.equal(outcomes.length, steps.length);
        // Leases end within milliseconds: who waited to the end was not told of the room.
        assert.ok(f.activations.every(({ roomMs }) => roomMs < waitMs));
        assert.ok(f.host.peak <= budget, `${f.host.peak} of ${budget}`);
        f.host.fault = undefined;
        // What failed to go is still counted, and goes now.
        await weaver.cool();
        assert.equal(weaver.status().hotBytes, 0);
        assert.equal(f.host.held.size, 0);
        await weaver[Symbol.asyncDispose]();
      },
    ),
    { numRuns: 300 },
  );
  f.host.fault = undefined;
});

Deno.test("callers of one adapter share its load, and one that gives up leaves it to the others", async () => {
  using f = await fixture();
  await using weaver = f.weaver(500);
  f.host.delay = () => 5;
  const controller = new AbortController();
  const all = Array.from({ length: 4 }, () => weaver.activate(f.records.a!));
  const leaving = weaver.activate(f.records.a!, controller);
  controller.abort(new Error("enough"));
  await assert.rejects(leaving, /enough/);
  for (const active of await Promise.all(all)) active[Symbol.dispose]();
  assert.deepEqual(f.host.log, ["+a"]);
  assert.equal(weaver.status().hot[0]!.users, 0);
});

Deno.test("a load that all have given up ends, holds nothing, and can begin anew", async () => {
  using f = await fixture();
  await using weaver = f.weaver(500);
  f.host.delay = () => 50;
  const controller = new AbortController();
  const leaving = weaver.activate(f.records.a!, controller);
  controller.abort(new Error("enough"));
  await assert.rejects(leaving, /enough/);
  f.host.delay = () => 0;
  await use(weaver, f.records.a);
  assert.deepEqual(f.host.log, ["+a"]);
  assert.equal(weaver.status().hotBytes, 100);
});

Deno.test("where all is in use, the next waits until something is given back, or too long", async () => {
  using f = await fixture();
  await using weaver = f.weaver(500, { waitMs: 20 });
  const held = await weaver.activate(f.records.d!);
  await assert.rejects(
    use(weaver, f.records.b),
    /its 200 bytes did not fit beside "d" \(400 bytes\).*within the 500/,
  );
  assert.equal(weaver.status().hotBytes, 400);
  await using patient = f.weaver(500);
  const first = await patient.activate(f.records.d!);
  const waiting = use(patient, f.records.b);
  setTimeout(() => first[Symbol.dispose](), 5);
  await waiting;
  assert.deepEqual(hot(patient), ["b"]);
  held[Symbol.dispose]();
});

Deno.test("what cannot be unloaded stays counted, and is tried again", async () => {
  using f = await fixture();
  await using weaver = f.weaver(500);
  await use(weaver, f.records.d);
  f.host.fault = (what) =>
    what === "unload" ? new AdapterError("unload: the server is down", "failed") : undefined;
  await assert.rejects(use(weaver, f.records.b), /the server is down/);
  assert.equal(weaver.status().hotBytes, 400);
  f.host.fault = undefined;
  await use(weaver, f.records.b);
  assert.deepEqual(f.host.log, ["+d", "-d", "+b"]);
  assert.equal(weaver.status().hotBytes, 200);
});

Deno.test("what could not be unloaded goes before the same is loaded anew, and never under a lease", async () => {
  using f = await fixture();
  await using weaver = f.weaver(500);
  const { b, d } = f.records;
  await use(weaver, b);
  f.host.fault = (what) =>
    what === "unload" ? new AdapterError("unload: the server is down", "failed") : undefined;
  await assert.rejects(use(weaver, d), /the server is down/);
  await assert.rejects(use(weaver, b), /the server is down/);
  assert.equal(weaver.status().hotBytes, 200);
  f.host.fault = undefined;
  using _leased = await weaver.activate(b!);
  assert.deepEqual(f.host.log, ["+b", "-b", "+b"]);
  assert.equal(await weaver.cool(), 0);
  assert.deepEqual([f.host.bytes(), weaver.status().hotBytes], [200, 200]);
});

Deno.test("two names of one content are one adapter: it is loaded once, and stays while either is leased", async () => {
  using f = await fixture();
  await using weaver = f.weaver(500);
  const { b } = f.records;
  const other = { ...b!, name: "other" };
  const first = await weaver.activate(b!);
  using second = await weaver.activate(other);
  assert.deepEqual(second.adapter, first.adapter);
  assert.equal(second.record, other);
  assert.equal(weaver.tierOf(other), "hot");
  first[Symbol.dispose]();
  assert.equal(await weaver.cool(b), 0);
  assert.deepEqual(f.host.log, ["+b"]);
  // Another scale acts otherwise.
  await use(weaver, { ...b!, scale: 0.5 });
  assert.equal(weaver.status().hotBytes, 400);
});

Deno.test("closing ends what is on the way, unloads everything, and refuses what comes later", async () => {
  using f = await fixture();
  const weaver = f.weaver(500);
  await use(weaver, f.records.a);
  f.host.delay = () => 20;
  const late = assert.rejects(use(weaver, f.records.b), /the model was closed/);
  await weaver[Symbol.asyncDispose]();
  await weaver[Symbol.asyncDispose]();
  await late;
  assert.equal(f.host.held.size, 0);
  await assert.rejects(use(weaver, f.records.a), /the model was closed/);
});

Deno.test("a blob that is missing or damaged is no adapter, and leaves no trace", async () => {
  using f = await fixture();
  await using weaver = f.weaver(500);
  const { a, b } = f.records;
  f.blobs.delete(a!.gguf!);
  await assert.rejects(use(weaver, a), /read blob .*there is none/);
  Deno.truncateSync(f.blobs.path(b!.gguf!), 10);
  await assert.rejects(use(weaver, b), /read blob .*SHA-256/);
  assert.equal(weaver.tierOf(a!), "cold");
  assert.equal(weaver.tierOf(b!), "cold");
  assert.equal(weaver.status().hotBytes, 0);
  assert.throws(() => f.weaver(NaN), /the budget is NaN; expected bytes/);
  assert.throws(() => f.weaver(-1), RangeError);
});
