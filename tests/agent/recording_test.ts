/** What a question leaves with a recorder: in order, complete, also when it is cancelled or fails; and that it costs no answer. */
import assert from "node:assert/strict";
import { answerQuestion } from "../../agent/mod.ts";
import { EVENT, NEW_EVENT, type NewEvent } from "../../kernel/audit/event.ts";
import { readTree } from "../../ingest/mod.ts";
import { type Memory, openMemory } from "../../rag/mod.ts";

/** A folder with an index. */
async function withMemory(use: (memory: Memory, root: string) => Promise<void>): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "batos_recording_" });
  try {
    Deno.writeTextFileSync(
      `${root}/lock.ts`,
      "/** Keeps others out. */\nexport function lockFile() {}\n",
    );
    using memory = openMemory(root);
    await memory.absorb(readTree(root, memory.known()));
    await use(memory, root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

class Kept {
  readonly events: NewEvent[] = [];
  record(event: NewEvent): undefined {
    this.events.push(NEW_EVENT.parse(event));
  }
  get types(): string[] {
    return this.events.map(({ event_type }) => event_type);
  }
}

Deno.test("start, steps and answer are recorded in order, under one cycle", () =>
  withMemory(async (memory, root) => {
    const recorder = new Kept();
    const answer = await answerQuestion("who locks files?", memory, { root, recorder });
    assert.deepEqual(recorder.types, [
      "CYCLE_STARTED",
      "FACET",
      ...answer.steps.slice(0, -1).map(() => "RETRIEVAL_ACTION"),
      "FACET",
      "ANSWER",
    ]);
    assert.deepEqual(
      new Set(recorder.events.map(({ cycle_id }) => cycle_id)),
      new Set([answer.cycle_id]),
    );
    const last = recorder.events.at(-1)!;
    assert.deepEqual([last.status, last.event_data.answer], ["SUCCESS", answer.answer]);
    // The same fields as in a line of the trail.
    const { event_id, timestamp } = {
      event_id: crypto.randomUUID(),
      timestamp: new Date().toISOString(),
    };
    assert.ok(EVENT.safeParse({ ...last, event_id, timestamp }).success);
  }));

Deno.test("a cancelled run and one that fails say why, and still throw", () =>
  withMemory(async (memory, root) => {
    const cancelled = new Kept();
    const controller = new AbortController();
    await assert.rejects(answerQuestion("who locks files?", memory, {
      root,
      recorder: cancelled,
      signal: controller.signal,
      onStep: () => controller.abort(new Error("enough")),
    }));
    assert.deepEqual(cancelled.types, [
      "CYCLE_STARTED",
      "FACET",
      "RETRIEVAL_ACTION",
      "CYCLE_INTERRUPTED",
    ]);
    assert.equal(cancelled.events.at(-1)!.event_data.reason, "enough");

    const failed = new Kept();
    memory.close();
    await assert.rejects(answerQuestion("who locks files?", memory, { root, recorder: failed }));
    assert.deepEqual(failed.types, ["CYCLE_STARTED", "FACET", "CYCLE_FAILED"]);
    assert.equal(failed.events.at(-1)!.status, "FAILURE");
  }));

Deno.test("facets are noted whoever thinks: who looked and checked, and of a question in parts who took it apart and wove it", () =>
  withMemory(async (memory, root) => {
    const facetsOf = async (question: string) => {
      const recorder = new Kept();
      await answerQuestion(question, memory, { root, recorder });
      return recorder.events.filter(({ event_type }) => event_type === "FACET").map((event) =>
        [event.psm_state, event.active_persona, event.event_data.facet, event.event_data.by].join(
          " ",
        )
      );
    };
    assert.deepEqual(await facetsOf("who locks files?"), [
      "DELEGATING BABS ground extractive",
      "SYNTHESIZING ALFRED check rules",
    ]);
    const parts = await facetsOf("Where is lockFile defined? And what does lockFile keep out?");
    assert.deepEqual(parts.toSorted(), [
      "DECOMPOSING BRICK decompose rules",
      "DELEGATING BABS ground extractive",
      "DELEGATING BABS ground extractive",
      "SYNTHESIZING ALFRED check rules",
      "SYNTHESIZING ROBIN weave rules",
    ]);
    // Nothing found, nothing to check.
    assert.deepEqual(await facetsOf("what of the zebra?"), ["DELEGATING BABS ground extractive"]);
  }));
