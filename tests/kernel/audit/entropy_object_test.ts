/** Settings of the metric in the image: defaults, changes with history and undo, and what is refused. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  changeEntropySettings,
  readEntropySettings,
} from "../../../kernel/audit/entropy_object.ts";
import { DEFAULT_ENTROPY, ENTROPY_SETTINGS } from "../../../kernel/audit/entropy_settings.ts";
import type { Image } from "../../../kernel/image/image.ts";
import { openMemoryImage } from "../../../kernel/image/open_image.ts";

function read(image: Image) {
  using unit = image.view();
  return readEntropySettings(unit);
}

Deno.test("what ships adds up; an image that has no settings has those", async () => {
  const { weight_cog, weight_sol, weight_struc, band_low, band_high } = DEFAULT_ENTROPY;
  assert.ok(Math.abs(weight_cog + weight_sol + weight_struc - 1) < 1e-9);
  assert.ok(band_low < band_high);
  assert.deepEqual(readEntropySettings(undefined), { settings: DEFAULT_ENTROPY });
  using image = await openMemoryImage();
  assert.deepEqual(read(image), { settings: DEFAULT_ENTROPY });
});

Deno.test("a change is one transaction, tells what it changed, and can be undone; the same again writes nothing", async () => {
  using image = await openMemoryImage();
  const weights = { weight_cog: 0.1, weight_sol: 0.2, weight_struc: 0.7 };
  const { tid, changes, settings } = await changeEntropySettings(image, weights, false);
  assert.equal(tid, image.newest);
  assert.deepEqual(changes.map(({ slot, value }) => [slot, value]), Object.entries(weights));
  assert.deepEqual(settings, { ...DEFAULT_ENTROPY, ...weights });
  assert.deepEqual(read(image), { settings });
  const again = await changeEntropySettings(image, weights, false);
  assert.deepEqual([again.tid, again.changes], [null, []]);
  const { settings: kept } = await changeEntropySettings(image, { band_low: 0.4 }, false);
  assert.deepEqual(kept, { ...settings, band_low: 0.4 });
  await image.undo(image.newest, {});
  assert.deepEqual(read(image), { settings });
  assert.deepEqual(image.history(image.named("cem")).length, 4);
  const { settings: back } = await changeEntropySettings(image, { window: 20 }, true);
  assert.deepEqual(back, { ...DEFAULT_ENTROPY, window: 20 });
});

Deno.test("what would not belong together is refused, and nothing is written", async () => {
  using image = await openMemoryImage();
  await changeEntropySettings(image, { band_low: 0.3 }, false);
  const before = image.newest;
  const refused = (wanted: Parameters<typeof changeEntropySettings>[1], message: RegExp) =>
    assert.rejects(changeEntropySettings(image, wanted, false), message);
  await refused(
    { weight_cog: 0.5 },
    /^CommandError: change settings of the metric: the weights cog 0\.5, sol 0\.4, struc 0\.2 add up to 1\.1; they have to add up to 1$/,
  );
  await refused({ band_high: 0.3 }, /the band 0\.3 to 0\.3 is empty; its lower end has to be/);
  await refused({ window: 4 }, /of the metric: window: /);
  await refused({ window: 5.5 }, /of the metric: window: /);
  await refused({ weight_cog: -0.1, weight_sol: 0.9 }, /of the metric: weight_cog: /);
  assert.equal(image.newest, before);
});

Deno.test("settings that somebody wrote past the command are told of, and those that ship are used", async () => {
  using image = await openMemoryImage();
  await changeEntropySettings(image, { band_low: 0.3 }, false);
  const set = (name: string, value: unknown) =>
    image.transact((unit) => unit.set(image.named("cem"), name, value));
  await set("weight_cog", 0.9);
  assert.deepEqual(read(image).settings, DEFAULT_ENTROPY);
  assert.match(read(image).problem!, /object "cem" cannot be used.*add up to 1\.5/);
  await set("weight_cog", "much");
  assert.match(read(image).problem!, /weight_cog: /);
  await set("weight_cog", 0.4);
  assert.deepEqual(read(image), { settings: { ...DEFAULT_ENTROPY, band_low: 0.3 } });
  // A slot that was taken away is as it ships.
  await image.transact((unit) => unit.remove(image.named("cem"), "band_low"));
  assert.deepEqual(read(image), { settings: DEFAULT_ENTROPY });
  await image.transact((unit) => unit.set(image.named("lobby"), "cem", 7));
  assert.match(read(image).problem!, /cannot be used/);
  await image.transact((unit) => unit.remove(image.named("lobby"), "cem"));
  await assert.rejects(
    changeEntropySettings(image, { window: 20 }, false),
    /the lobby's name "cem" was taken away/,
  );
});

Deno.test("two that change different settings at once both have their way", async () => {
  using image = await openMemoryImage();
  await changeEntropySettings(image, { window: 60 }, false);
  await Promise.all([
    changeEntropySettings(image, { band_low: 0.3 }, false),
    changeEntropySettings(image, { band_high: 0.9 }, false),
    changeEntropySettings(image, { growth_half: 30 }, false),
  ]);
  assert.deepEqual(read(image).settings, {
    ...DEFAULT_ENTROPY,
    window: 60,
    band_low: 0.3,
    band_high: 0.9,
    growth_half: 30,
  });
});

Deno.test("weights are taken if and only if they add up to 1", () => {
  fc.assert(
    fc.property(fc.nat({ max: 100 }), fc.nat({ max: 100 }), fc.nat({ max: 100 }), (a, b, c) => {
      const settings = { weight_cog: a / 100, weight_sol: b / 100, weight_struc: c / 100 };
      return ENTROPY_SETTINGS.safeParse(settings).success === (a + b + c === 100);
    }),
  );
});
