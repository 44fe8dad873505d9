/** Over which questions the metric is taken, what it says, and when it has no number. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { commands } from "../../../kernel/commands.ts";
import {
  type EndedQuestion,
  entropyReport,
  type EntropySources,
  questionsRead,
  windowOf,
} from "../../../kernel/audit/entropy_report.ts";
import { DEFAULT_ENTROPY } from "../../../kernel/audit/entropy_settings.ts";
import { CycleEngine } from "../../../kernel/cycle/cycle_engine.ts";
import type { Image } from "../../../kernel/image/image.ts";
import { openMemoryImage } from "../../../kernel/image/open_image.ts";

const FACETS = ["BRICK decompose", "BABS ground", "ROBIN weave", "ALFRED check"];
const RECORDS = { prototypes: ["cognitive_cycle"], objects: [] };
/** Without structure, so that no image is needed. */
const SETTINGS = { ...DEFAULT_ENTROPY, weight_cog: 0.5, weight_sol: 0.5, weight_struc: 0 };
const NOON = Date.parse("2026-11-20T12:00:00Z");

/** An answer that lies in one of so many directions. */
function direction(at: number): Float32Array {
  const vector = new Float32Array(64);
  vector[at % 64] = 1;
  return vector;
}

function question(number: number, given: Partial<EndedQuestion> = {}): EndedQuestion {
  return {
    cycle: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    ended: NOON + number * 60_000,
    facets: { "BABS ground": 1, "ALFRED check": 1 },
    vector: direction(number),
    tid: 0,
    ...given,
  };
}

const many = (count: number, given: (at: number) => Partial<EndedQuestion> = () => ({})) =>
  Array.from({ length: count }, (_, at) => question(at, given(at)));

function report(questions: readonly EndedQuestion[], given: Partial<EntropySources> = {}) {
  const { settings = SETTINGS } = given;
  const total = given.total ?? questions.length;
  const size = given.size ?? windowOf(total, settings);
  const result = entropyReport({
    questions: questions.slice(-questionsRead(size)),
    facets: FACETS,
    embedder: { id: "static" },
    image: undefined,
    records: RECORDS,
    ...given,
    total,
    size,
    settings,
  });
  return commands.cem.result.parse(result);
}

const valueOf = (result: ReturnType<typeof report>, name: string) =>
  result.parts.find((part) => part.name === name)!.value;

Deno.test("with too few questions there is no number, and it is said how many are missing", () => {
  for (const [count, missing] of [[0, 10], [1, 9], [9, 1]] as const) {
    const result = report(many(count));
    assert.deepEqual([result.value, result.state, result.missing], [null, "unknown", missing]);
    assert.equal(result.window, null);
    assert.match(
      result.said[0]!,
      new RegExp(`No number yet: .*; ${missing} more question${missing === 1 ? "" : "s"} and`),
    );
    assert.equal(commands.cem.exit([result]), 1);
  }
  const result = report(many(10));
  assert.deepEqual([result.window!.cycles, result.window!.before, result.missing], [5, 5, 0]);
  assert.equal(commands.cem.exit([result]), 0);
});

Deno.test("a window is of the latest questions, compared with what came before: half of them as long as they are few", () => {
  assert.equal(windowOf(30, SETTINGS), 15);
  assert.equal(windowOf(1_000_000, SETTINGS), SETTINGS.window);
  const { window, trend } = report(many(400));
  assert.deepEqual([window!.cycles, window!.before], [50, 350]);
  assert.equal(trend.length, 7);
  // Windows follow each other without a gap.
  for (const [at, { until }] of trend.slice(0, -1).entries()) {
    assert.equal(Date.parse(trend[at + 1]!.since) - Date.parse(until), 60_000);
  }
  assert.equal(trend.at(-1)!.until, window!.until);
});

Deno.test("since a time: the questions since then; too few of them, or none before them, are said", () => {
  const since = (count: number, total = 40) =>
    report(many(total), { size: windowOf(total, SETTINGS, count) });
  assert.equal(since(12).window!.cycles, 12);
  assert.match(since(3).said[0]!, /^No number: 3 questions ended in that time; 2 more questions/);
  assert.equal(since(3).missing, 2);
  assert.match(since(40).said[0]!, /hardly anything was asked before that time/);
  assert.equal(windowOf(100_000, SETTINGS, 99_000), 500);
});

Deno.test("the same few questions over and over lie below the band, and the words say why", () => {
  const result = report(many(40, (at) => ({ vector: direction(at % 4) })), {
    settings: { ...SETTINGS, band_low: 0.3 },
  });
  assert.equal(result.state, "below");
  assert.deepEqual([valueOf(result, "cog"), valueOf(result, "sol")], [0.5, 0]);
  assert.deepEqual(result.answers, { compared: 20, repeated: 20, embedder: "static" });
  assert.match(result.said[0]!, /^Below the band: the last 20 questions were answered much as/);
  const one = report(
    many(40, (at) => ({ facets: { "BABS ground": 1 }, vector: direction(at % 4) })),
    { settings: { ...SETTINGS, weight_cog: 0.9, weight_sol: 0.1 } },
  );
  assert.match(one.said[0]!, /used one facet only, BABS ground\./);
  assert.equal(valueOf(one, "cog"), 0);
  assert.match(
    one.parts[0]!.said,
    /^BABS ground 20; never: BRICK decompose, ROBIN weave, ALFRED check$/,
  );
});

Deno.test("what is all new lies above the band, what is mixed within it", () => {
  const all = Object.fromEntries(FACETS.map((facet) => [facet, 1]));
  const fresh = report(many(40, (at) => ({ facets: all, vector: direction(at) })));
  assert.deepEqual([fresh.value, fresh.state], [1, "above"]);
  assert.match(fresh.said[0]!, /^Above the band/);
  const mixed = report(many(40, (at) => ({ facets: all, vector: direction(at % 4) })));
  assert.deepEqual([mixed.value, mixed.state], [0.5, "within"]);
});

Deno.test("the order within a window and the clock have no say", () => {
  const made = fc.array(
    fc.record({
      at: fc.nat({ max: 20 }),
      facet: fc.constantFrom(...FACETS),
      clock: fc.integer({ min: -1e9, max: 1e9 }),
    }),
    { minLength: 20, maxLength: 20 },
  );
  fc.assert(fc.property(made, fc.infiniteStream(fc.nat()), (list, chance) => {
    const questions = list.map(({ at, facet, clock }, number) =>
      question(number, {
        vector: direction(at),
        facets: { [facet]: 1 },
        ended: NOON + clock,
      })
    );
    const key = questions.map(() => chance.next().value!);
    const shuffled = questions.slice(10).toSorted((a, b) =>
      key[questions.indexOf(a)]! - key[questions.indexOf(b)]!
    );
    const one = report(questions);
    const other = report([...questions.slice(0, 10), ...shuffled]);
    const still = report(questions.map((each) => ({ ...each, ended: NOON })));
    assert.deepEqual(other.value, one.value);
    assert.deepEqual(still.value, one.value);
    assert.ok(one.value! >= 0 && one.value! <= 1);
  }));
});

Deno.test("a part that is not known costs the number where it has a weight, and the reason is said", () => {
  const without = report(many(20), { embedder: { problem: "the workspace has no embedder" } });
  assert.deepEqual([without.value, without.state, without.answers], [null, "unknown", null]);
  assert.equal(without.parts[1]!.said, "the workspace has no embedder");
  assert.match(without.said[0]!, /^No number: H_sol is not known, and has a weight/);
  const settings = { ...SETTINGS, weight_cog: 1, weight_sol: 0 };
  const enough = report(many(20), { embedder: { problem: "none" }, settings });
  assert.equal(enough.value, 0.5);
  const old = report(many(20, () => ({ facets: {} })));
  assert.match(old.parts[0]!.said, /before facets were noted/);
  assert.match(old.said[0]!, /^No number: H_cog is not known/);
  const nothing = report(many(20, () => ({ vector: undefined })));
  assert.match(nothing.parts[1]!.said, /no answer to compare/);
  assert.match(report(many(20)).parts[2]!.said, /there is no image/);
});

/** Asks as many questions as an image keeps. */
async function asked(image: Image, engine: CycleEngine, count: number): Promise<EndedQuestion[]> {
  const questions: EndedQuestion[] = [];
  for (let at = 0; at < count; at++) {
    const id = crypto.randomUUID();
    const { tid } = await engine.run({ type: "question", selector: `question ${at}` }, {
      DECOMPOSING: () => Promise.resolve("DELEGATING"),
      DELEGATING: () => Promise.resolve("SYNTHESIZING"),
      SYNTHESIZING: () => Promise.resolve("COMPLETE"),
    }, { id });
    questions.push(question(at, { cycle: id, tid }));
  }
  assert.equal(image.newest, questions.at(-1)!.tid);
  return questions;
}

Deno.test("H_struc is what came into the image between questions, by transactions; none of it is the questions' own", async () => {
  using image = await openMemoryImage();
  const engine = await CycleEngine.on(image);
  const first = await asked(image, engine, 5);
  const grow = () =>
    image.transact((unit) => unit.create({ parent: image.named("traits"), slots: { size: 1 } }));
  await grow();
  const second = await asked(image, engine, 5);
  const third = await asked(image, engine, 5);
  await grow();
  await grow();
  const settings = { ...DEFAULT_ENTROPY, window: 5, growth_half: 6 };
  const questions = [...first, ...second, ...third];
  const result = report(questions, { image, settings });
  // What came after the last question belongs to the present window.
  assert.deepEqual(result.growth, { objects: 2, slots: 2, methods: 0, parents: 2 });
  assert.equal(valueOf(result, "struc"), 0.5);
  assert.deepEqual(result.trend.map(({ struc }) => struc), [3 / 9, 0.5]);
  assert.match(result.parts[2]!.said, /^\+2 objects, \+2 slots, \+2 parents$/);
  // A shorter window needs less.
  const longer = report(questions, { image, settings: { ...settings, window: 10 }, size: 5 });
  assert.equal(valueOf(longer, "struc"), 6 / 9);
  await image.pack();
  const packed = report(questions, { image, settings });
  assert.equal(packed.value, null);
  assert.match(packed.parts[2]!.said, /packed/);
  using other = await openMemoryImage();
  const anew = report(questions, { image: other, settings });
  assert.match(anew.parts[2]!.said, /is gone: the image was packed, or made anew/);
  const older = report(questions.map((each) => ({ ...each, tid: 0 })), { image, settings });
  assert.match(older.parts[2]!.said, /before transactions were noted/);
});
