/** The Composite Entropy Metric as its users meet it: asked for too early, after questions, with settings of their own. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Repository } from "./harness.ts";

const FILES = Object.fromEntries(
  ["parser", "lock", "router", "cache", "index", "budget", "writer", "graph"].map((name) => [
    `src/${name}.ts`,
    `/** Keeps the ${name} of everybody in order, and says when the ${name} is broken. */\nexport function ${name}Of(text: string): string {\n  return "${name}" + text;\n}\n`,
  ]),
);

/** Asks without a look at the files in between: they do not change. */
async function ask(repository: Repository, questions: readonly string[]): Promise<void> {
  for (const question of questions) {
    const { code, err } = await repository.run(["ask", question, "--no-refresh", "--quiet"]);
    assert.ok(code <= 1, err);
  }
}

Deno.test("cem: too early it says how many questions are missing, then what they were like; settings are objects", async () => {
  using repository = new Repository(FILES);
  const none = await repository.run(["cem", "--json"]);
  assert.equal((await repository.run(["drift"])).code, 1);
  assert.deepEqual([none.code, none.json[0].value, none.json[0].missing], [1, null, 10]);
  // Asked for in a place where nothing was made yet, it makes nothing.
  assert.throws(() => Deno.statSync(repository.at(".batos/image.db")), Deno.errors.NotFound);
  const same = ["what does parserOf do?", "what does lockOf do?"];
  await repository.run(["ask", same[0]!, "--quiet"]);
  await ask(repository, [same[1]!, ...same, ...same, ...same, ...same]);
  const circles = await repository.run(["cem", "--json"]);
  assert.equal(circles.code, 0, circles.err);
  const [one] = circles.json;
  assert.deepEqual([one.questions, one.window.cycles, one.window.before], [10, 5, 5]);
  assert.equal(one.state, "below");
  assert.deepEqual(one.answers, { compared: 5, repeated: 5, embedder: "static" });
  assert.deepEqual(one.growth, { objects: 0, slots: 0, methods: 0, parents: 0 });
  assert.deepEqual(
    one.facets.map(({ facet, uses }: { facet: string; uses: number }) => `${facet} ${uses}`),
    ["BABS ground 5", "ALFRED check 5", "BRICK decompose 0", "ROBIN weave 0"],
  );
  // None of it cost more than what came before.
  const drift = await repository.run(["drift", "--json"]);
  assert.equal(drift.code, 0, drift.err);
  assert.deepEqual(drift.json[0].baseline, { cycles: 5, alike: 5 });
  assert.deepEqual(
    drift.json[0].measures.map(({ name, now }: { name: string; now: number }) => [name, now > 0]),
    [["tokens", true], ["steps", true], ["latency_ms", true], ["failures", false]],
  );
  // Vectors are kept, so that they are not made again.
  const again = await repository.run(["cem"]);
  assert.match(again.out, /^CEM 0\.20 {2}below its band {2}band 0\.25 to 0\.75\n/);
  assert.doesNotMatch(again.err, /embedding/);

  await ask(repository, [
    "Where is cacheOf defined? And what does indexOf do?",
    "Where is budgetOf defined? And what does writerOf do?",
    "Where is graphOf defined? And what does routerOf do?",
    "what is broken in the router?",
    "what is broken in the budget?",
  ]);
  const made = await repository.run(["image", "new", "traits", "colour=red", "--name", "tool"]);
  assert.equal(made.code, 0, made.err);
  const [later] = (await repository.run(["cem", "--json"])).json;
  assert.equal(later.state, "within", JSON.stringify(later));
  assert.ok(later.value > one.value);
  assert.deepEqual(later.facets.filter(({ uses }: { uses: number }) => uses === 0), []);
  // What is derived can be made again: the objects stay, the index goes.
  const database = new DatabaseSync(repository.at(".batos/image.db"));
  database.exec("UPDATE meta SET value = '0' WHERE key = 'content'");
  database.close();
  const anew = await repository.run(["cem", "--json"]);
  assert.deepEqual(anew.json[0], later, anew.err);
  // The object, its slot and its parent, and its name in the lobby.
  assert.deepEqual(later.growth, { objects: 1, slots: 2, methods: 0, parents: 1 });
});

Deno.test("cem set: refusals name what would be right; a change has a history and can be undone", async () => {
  using repository = new Repository(FILES);
  const refused = async (words: readonly string[], message: RegExp) => {
    const { code, err, out } = await repository.run(["cem", ...words]);
    assert.deepEqual([code, out], [2, ""], err);
    assert.match(err, message);
    assert.equal(err.trimEnd().split("\n").length, 1, err);
  };
  await refused(
    ["set"],
    /^batos: cem set: nothing to set; name a setting, such as --band-low 0\.3, or/,
  );
  await refused(["set", "--weight-cog", "2"], /--weight-cog/);
  await refused(["set", "--weight-cog", "much"], /--weight-cog/);
  await refused(
    ["set", "--weight-cog", "0.9"],
    /^batos: cem set: change settings of the metric: the weights .* add up to 1\.5; they have/,
  );
  await refused(["set", "--band-low", "0.8"], /the band 0\.8 to 0\.75 is empty/);
  await refused(["set", "--window", "3"], /--window/);
  await refused(["--since", "someday"], /--since "someday": no time that is known here/);
  const set = await repository.run(["cem", "set", "--band-low", "0.3", "--window", "20", "--json"]);
  assert.equal(set.code, 0, set.err);
  assert.deepEqual(
    set.json[0].changes.map(({ slot }: { slot: string }) => slot),
    ["band_low", "window"],
  );
  const shown = async () => (await repository.run(["cem", "--json"])).json[0].settings.band_low;
  assert.equal(await shown(), 0.3);
  const log = await repository.run(["image", "log", "cem"]);
  assert.match(log.out, /cem set/);
  const undone = await repository.run(["image", "undo", String(set.json[0].tid)]);
  assert.equal(undone.code, 0, undone.err);
  assert.equal(await shown(), 0.25);
});
