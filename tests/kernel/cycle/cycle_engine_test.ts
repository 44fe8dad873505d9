/** Cognitive cycles over real images: states as objects, one commit or none, reasons that survive, cancelling in every state. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { NewEvent } from "../../../kernel/audit/event.ts";
import {
  type CycleContext,
  CycleEngine,
  type CycleWorks,
  type RunningCycle,
} from "../../../kernel/cycle/cycle_engine.ts";
import type { CycleError } from "../../../kernel/cycle/cycle_error.ts";
import {
  STATE_SLOT,
  STATE_TABLE,
  type StateName,
  stateObject,
  STATES,
} from "../../../kernel/cycle/states.ts";
import type { Image } from "../../../kernel/image/image.ts";
import { openImage, openMemoryImage } from "../../../kernel/image/open_image.ts";
import { Ref } from "../../../kernel/image/values.ts";

const BRIEF = { type: "question", selector: "where is it?" };

/** Works that go the usual way; each runs `also` first. */
function works(also: (state: StateName, cycle: CycleContext) => unknown = () => {}): CycleWorks {
  const step = (state: StateName, next: StateName) => async (cycle: CycleContext) => {
    await also(state, cycle);
    return next;
  };
  return {
    DECOMPOSING: step("DECOMPOSING", "DELEGATING"),
    DELEGATING: step("DELEGATING", "SYNTHESIZING"),
    SYNTHESIZING: step("SYNTHESIZING", "COMPLETE"),
  };
}

/** Texts of a slot of every object that delegates to the prototype of cycles. */
function cyclesIn(image: Image, slot: string): unknown[] {
  using view = image.view();
  const prototype = image.named("cognitive_cycle");
  return view.oids(0, 10_000).filter((oid) => view.has(oid) && oid !== prototype)
    .filter((oid) => view.slot(oid, "cycle_id") !== undefined)
    .map((oid) => view.get(oid, slot));
}

Deno.test("a cycle goes through the states, and each is an object that it delegates to", async () => {
  using image = await openMemoryImage();
  const engine = await CycleEngine.on(image);
  const seen: [StateName, string, unknown][] = [];
  const end = await engine.run(
    BRIEF,
    works((state, { unit, oid }) => {
      assert.deepEqual(unit.get(oid, STATE_SLOT), new Ref(image.named(stateObject(state))));
      // Found by delegation: the cycle has no such slot of its own.
      assert.equal(unit.slot(oid, "persona"), undefined);
      seen.push([state, String(unit.get(oid, "state")), unit.get(oid, "persona")]);
    }),
  );
  assert.deepEqual(seen, [
    ["DECOMPOSING", "DECOMPOSING", "BRICK"],
    ["DELEGATING", "DELEGATING", "BABS"],
    ["SYNTHESIZING", "SYNTHESIZING", "ROBIN"],
  ]);
  assert.deepEqual(end.states.map(({ state }) => state), [
    "IDLE",
    "DECOMPOSING",
    "DELEGATING",
    "SYNTHESIZING",
    "COMPLETE",
  ]);
  using view = image.view();
  assert.equal(view.get(end.oid, "state"), "COMPLETE");
  assert.equal(view.get(end.oid, "cycle_id"), end.id);
});

Deno.test("a cycle is one transaction, and what was temporary is gone with its end", async () => {
  using image = await openMemoryImage();
  const engine = await CycleEngine.on(image);
  const before = image.newest;
  const { oid, tid } = await engine.run(
    BRIEF,
    works((state, cycle) => {
      cycle.temporary("plan", { at: state });
      cycle.unit.set(cycle.oid, "kept", state);
      // Nothing of it is seen outside.
      assert.equal(image.newest, before);
    }),
  );
  assert.equal(tid, before + 1);
  using view = image.view();
  assert.equal(view.get(oid, "plan"), undefined);
  assert.equal(view.get(oid, "kept"), "SYNTHESIZING");
});

for (const failing of ["DECOMPOSING", "DELEGATING", "SYNTHESIZING"] as const) {
  Deno.test(`an error in ${failing} keeps the reason and nothing else`, async () => {
    using image = await openMemoryImage();
    const engine = await CycleEngine.on(image);
    let aborted = 0;
    let made = 0;
    const failure = works((state, { unit }) => {
      made = unit.create({ slots: { left: "behind" } });
      unit.join({ name: "memory", apply: () => assert.fail("applied"), aborted: () => aborted++ });
      if (state === failing) throw new Error("the parser is on strike");
    });
    await assert.rejects(
      engine.run(BRIEF, failure, { id: "11111111-1111-4111-8111-111111111111" }),
      (error: CycleError) => {
        assert.equal(error.state, failing);
        assert.match(error.message, /failed in \w+: the parser is on strike$/);
        return true;
      },
    );
    assert.ok(aborted > 0);
    using view = image.view();
    assert.equal(view.has(made) && view.slot(made, "left") !== undefined, false);
    assert.deepEqual(cyclesIn(image, "state"), ["FAILED"]);
    assert.deepEqual(cyclesIn(image, "reason"), ["the parser is on strike"]);
    assert.deepEqual(cyclesIn(image, "failed_in"), [failing]);
  });

  Deno.test(`a cycle can be cancelled in ${failing}, and its time can end there`, async () => {
    using image = await openMemoryImage();
    const engine = await CycleEngine.on(image);
    const waiting = works((state, { signal }) =>
      state === failing
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        : undefined
    );
    const id = crypto.randomUUID();
    const run = engine.run(BRIEF, waiting, {
      id,
      onState: ({ state }) => {
        if (state === failing) setTimeout(() => engine.cancel(id));
      },
    });
    await assert.rejects(run, { name: "AbortError", message: "cancelled" });
    await assert.rejects(engine.run(BRIEF, waiting, { deadlineMs: 20 }), /its 20 ms are over/);
    const outside = new AbortController();
    const third = engine.run(BRIEF, waiting, {
      signal: outside.signal,
      onState: ({ state }) => {
        if (state === failing) setTimeout(() => outside.abort(new Error("Ctrl-C")));
      },
    });
    await assert.rejects(third, { message: "Ctrl-C" });
    assert.deepEqual(engine.list(), []);
    assert.equal(engine.cancel(id), false);
    assert.deepEqual(cyclesIn(image, "reason"), ["cancelled", "its 20 ms are over", "Ctrl-C"]);
  });
}

Deno.test("only the states of the table follow each other", async () => {
  using image = await openMemoryImage();
  const engine = await CycleEngine.on(image);
  for (const bad of ["COMPLETE", "IDLE", "nowhere", null]) {
    await assert.rejects(
      engine.run(BRIEF, { ...works(), DECOMPOSING: async () => bad as StateName }),
      String(bad),
    );
  }
  await assert.rejects(
    engine.run(BRIEF, { ...works(), DECOMPOSING: async () => "FAILED" }),
    /the work of DECOMPOSING gave up/,
  );
  for (const state of STATES) {
    for (const next of STATE_TABLE[state].then) assert.ok(STATES.includes(next));
  }
});

Deno.test("what would be installed goes by VALIDATING, and fails where nothing can validate it", async () => {
  using image = await openMemoryImage();
  const engine = await CycleEngine.on(image);
  const installing = { ...works(), SYNTHESIZING: async (): Promise<StateName> => "VALIDATING" };
  await assert.rejects(engine.run(BRIEF, installing), /nothing here can validate/);
  const end = await engine.run(BRIEF, { ...installing, VALIDATING: async () => "COMPLETE" });
  assert.ok(end.states.some(({ state }) => state === "VALIDATING"));
});

Deno.test("several cycles run at once, are listed, and commit side by side", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos_cycle_" });
  try {
    using image = await openImage(join(folder, "image.db"), { mode: "shared" });
    const engine = await CycleEngine.on(image);
    const gate = Promise.withResolvers<void>();
    let most: RunningCycle[] = [];
    using _watch = engine.onState(() => {
      const now = engine.list();
      if (now.length >= most.length) most = now;
    });
    let waiting = 0;
    const runs = Array.from({ length: 5 }, (_, n) =>
      engine.run(
        { ...BRIEF, args: [n] },
        works(async (state, { unit, oid }) => {
          if (state !== "DELEGATING") return;
          unit.set(oid, "n", n);
          if (++waiting === 5) gate.resolve();
          await gate.promise;
        }),
      ));
    const ends = await Promise.all(runs);
    assert.equal(most.length, 5);
    assert.equal(new Set(ends.map(({ tid }) => tid)).size, 5);
    using view = image.view();
    assert.deepEqual(ends.map(({ oid }) => view.get(oid, "n")), [0, 1, 2, 3, 4]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("every transition is noted in the trail, with whose turn it is", async () => {
  using image = await openMemoryImage();
  const events: NewEvent[] = [];
  const engine = await CycleEngine.on(image);
  const recorder = { record: (event: NewEvent) => void events.push(event) };
  await engine.run(BRIEF, works(), { recorder });
  await assert.rejects(engine.run(
    BRIEF,
    works(() => {
      throw new Error("no");
    }),
    { recorder },
  ));
  assert.deepEqual(
    events.map(({ psm_state, active_persona, status }) => [psm_state, active_persona, status]),
    [
      ["DECOMPOSING", "BRICK", "IN_PROGRESS"],
      ["DELEGATING", "BABS", "IN_PROGRESS"],
      ["SYNTHESIZING", "ROBIN", "IN_PROGRESS"],
      ["COMPLETE", "ORCHESTRATOR", "SUCCESS"],
      ["DECOMPOSING", "BRICK", "IN_PROGRESS"],
      ["FAILED", "ORCHESTRATOR", "FAILURE"],
    ],
  );
  assert.equal(events.at(-1)!.event_data.reason, "no");
});

Deno.test("a commit that conflicts fails the cycle, and leaves nothing of it", async () => {
  using image = await openMemoryImage();
  const engine = await CycleEngine.on(image);
  const shared = await image.transact((unit) => unit.create({ slots: { n: 0 } }));
  await assert.rejects(
    engine.run(
      BRIEF,
      works(async (state, { unit }) => {
        if (state !== "SYNTHESIZING") return;
        unit.set(shared, "n", 1);
        await image.transact((other) => other.set(shared, "n", 2));
      }),
    ),
    /changed meanwhile/,
  );
  using view = image.view();
  assert.equal(view.get(shared, "n"), 2);
  assert.deepEqual(cyclesIn(image, "state"), ["FAILED"]);
});
