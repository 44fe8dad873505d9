/** Vectors of answers over a real trail and index: made once, again after a change of answer or model, never mixed. */
import assert from "node:assert/strict";
import { AuditTrail } from "../../kernel/audit/audit_trail.ts";
import { listTrailFiles } from "../../kernel/audit/chain.ts";
import { type NewEvent, parseTrailLine } from "../../kernel/audit/event.ts";
import type { Embedder, VectorModel } from "../../rag/embed/embedder.ts";
import { AnswerVectors, type IndexEmbedder, type Memory, openMemory } from "../../rag/mod.ts";
import { TrailFolder } from "../support/trail.ts";

const cycle = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

function asked(number: number, answer: string, found = true): NewEvent[] {
  const common = {
    cycle_id: cycle(number),
    psm_state: "COMPLETE",
    active_persona: "ROBIN",
    status: "SUCCESS" as const,
  };
  return [
    {
      ...common,
      event_type: "CYCLE_STARTED",
      event_data: { kind: "question", question: `question ${number}` },
    },
    {
      ...common,
      event_type: "FACET",
      active_persona: "BABS",
      event_data: { facet: "ground", by: "extractive" },
    },
    {
      ...common,
      event_type: "ANSWER",
      event_data: { answer, citations: [], found, driver: "extractive", image_tid: number + 100 },
    },
  ];
}

/** An embedder whose vectors are the length of a text; counts what it was asked. */
class Counting implements IndexEmbedder {
  texts: string[] = [];
  opened = 0;
  constructor(readonly id: string, readonly revision: string) {}
  open(): Promise<Embedder> {
    this.opened++;
    const model: VectorModel = {
      id: this.id,
      revision: this.revision,
      dimensions: 2,
      quantisation: "int8",
      pooling: "mean",
      prefixes: { query: "", passage: "" },
    };
    return Promise.resolve({
      model,
      embedQuery: () => Promise.resolve(new Float32Array(2)),
      embedPassages: (passages) => {
        this.texts.push(...passages.map(({ text }) => text));
        return Promise.resolve(passages.map(({ text }) => new Float32Array([text.length, 0.25])));
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }
}

class Place implements Disposable {
  readonly trail = new TrailFolder();
  readonly root = Deno.makeTempDirSync({ prefix: "batos_answers_" });
  memory: Memory = openMemory(this.root);
  locked = false;
  readonly answers = new AnswerVectors(this.memory, {
    root: this.root,
    signal: new AbortController().signal,
    progress: () => {},
    lock: () => {
      if (this.locked) throw new RangeError("somebody writes");
      return Promise.resolve({ [Symbol.dispose]: () => {} });
    },
    isRefusal: (error): error is Error => error instanceof RangeError,
  });

  async record(events: readonly NewEvent[]): Promise<void> {
    await using trail = new AuditTrail(this.trail.path, { durable: false });
    for (const each of events) await trail.record(each);
    await trail.close();
    await this.memory.trail.absorb(() => listTrailFiles(this.trail.path), parseTrailLine);
  }

  async lengths(embedder: IndexEmbedder): Promise<number[]> {
    const fractals = this.memory.trail.answered(100);
    const vectors = await this.answers.of(fractals, embedder);
    return fractals.map(({ oid }) => vectors.get(oid)![0]!);
  }

  [Symbol.dispose](): void {
    this.memory.close();
    this.trail[Symbol.dispose]();
    Deno.removeSync(this.root, { recursive: true });
  }
}

Deno.test("an answer is embedded once; a model is opened only where one is missing", async () => {
  using place = new Place();
  const model = new Counting("one", "a");
  assert.deepEqual(await place.lengths(model), []);
  assert.equal(model.opened, 0);
  await place.record([...asked(1, "a"), ...asked(2, "bb")]);
  assert.deepEqual(await place.lengths(model), [1, 2]);
  assert.deepEqual(await place.lengths(model), [1, 2]);
  assert.deepEqual([model.texts, model.opened], [["a", "bb"], 1]);
  await place.record(asked(3, "ccc"));
  assert.deepEqual(await place.lengths(model), [1, 2, 3]);
  assert.deepEqual(model.texts, ["a", "bb", "ccc"]);
  // An answer that comes again is another.
  await place.record(asked(1, "dddd").slice(2));
  assert.deepEqual(await place.lengths(model), [2, 3, 4]);
  assert.deepEqual(model.texts.slice(3), ["dddd"]);
});

Deno.test("another model, or another version of it, embeds all of them anew: two are never mixed", async () => {
  using place = new Place();
  await place.record([...asked(1, "a"), ...asked(2, "bb")]);
  await place.lengths(new Counting("one", "a"));
  const other = new Counting("two", "a");
  await place.lengths(other);
  assert.deepEqual(other.texts, ["a", "bb"]);
  // A newer version is noticed as soon as something has to be embedded.
  await place.record(asked(3, "ccc"));
  const newer = new Counting("two", "b");
  await place.lengths(newer);
  assert.deepEqual(newer.texts, ["a", "bb", "ccc"]);
});

Deno.test("while somebody else writes, vectors are made and not kept", async () => {
  using place = new Place();
  await place.record(asked(1, "a"));
  const model = new Counting("one", "a");
  place.locked = true;
  assert.deepEqual(await place.lengths(model), [1]);
  assert.deepEqual(await place.lengths(model), [1]);
  assert.deepEqual(model.texts, ["a", "a"]);
});

Deno.test("questions that ended come in the order of their ends, with facets and transaction; what is open or failed is none", async () => {
  using place = new Place();
  const [one, two, three] = [asked(1, "a"), asked(2, "bb", false), asked(3, "c")];
  await place.record([one[0]!, two[0]!, ...three.slice(0, 2), two[1]!, two[2]!, one[1]!, one[2]!]);
  const { trail } = place.memory;
  assert.deepEqual(trail.answered(10).map(({ cycle }) => cycle), [cycle(2), cycle(1)]);
  assert.deepEqual(trail.answered(1).map(({ cycle }) => cycle), [cycle(1)]);
  assert.equal(trail.countAnswered(), 2);
  const [, last] = trail.answered(10);
  assert.deepEqual([last!.digest.facets, last!.digest.tid], [{ "BABS ground": 1 }, 101]);
  assert.equal(trail.countAnswered(last!.until + 1), 0);
  assert.equal(trail.countAnswered(0), 2);
  // With failures, where they are asked for.
  await place.record([
    asked(4, "")[0]!,
    { ...asked(4, "")[2]!, event_type: "CYCLE_FAILED", status: "FAILURE" },
  ]);
  assert.deepEqual(trail.answered(1, true).map(({ cycle }) => cycle), [cycle(4)]);
  assert.equal(trail.answered(10).length, 2);
  await place.record([three[2]!]);
  assert.deepEqual(trail.answered(1).map(({ cycle }) => cycle), [cycle(3)]);
});
