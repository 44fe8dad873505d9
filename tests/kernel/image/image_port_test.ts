/** The image as the endpoint serves it: state, properties, messages as cycles, and who is told. */
import assert from "node:assert/strict";
import {
  cyclesOn,
  type HandlerContext,
  openImagePort,
  openMemoryImage,
} from "../../../kernel/mod.ts";

const context: HandlerContext = { progress: () => {}, signal: new AbortController().signal };

async function port() {
  const image = await openMemoryImage();
  const cycles = await cyclesOn(image);
  const oid = await image.transact((unit) => unit.create({ parent: image.named("list") }));
  return { image, cycles, oid, port: await openImagePort(image, cycles) };
}

Deno.test("fullState() is the object with its slots, as plain data", async () => {
  const { image, oid, port: served } = await port();
  using _image = image;
  const state = await served.fullState(String(oid)) as { oid: string; slots: { name: string }[] };
  assert.equal(state.oid, String(oid));
  assert.deepEqual(state.slots.map(({ name }) => name), ["parent*"]);
  assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
  await assert.rejects(served.fullState("99999"), /there is none/);
});

Deno.test("updateProperty() sets a slot in a transaction, bytes and references included", async () => {
  const { image, oid, port: served } = await port();
  using _image = image;
  const before = image.newest;
  await served.updateProperty(String(oid), "owner", "Ada");
  assert.equal(image.newest, before + 1);
  await served.updateProperty(String(oid), "bytes", new Uint8Array([1, 2]));
  await served.updateProperty(String(oid), "friend", { $ref: "1" });
  using view = image.view();
  assert.deepEqual(view.get(oid, "bytes"), new Uint8Array([1, 2]));
  assert.equal(String(view.get(oid, "friend")), "@1");
  await assert.rejects(served.updateProperty("1", "name", "x"), /read-only/);
  await assert.rejects(served.updateProperty(String(oid), "f", () => 1), /only data can be kept/);
});

Deno.test("sendMessage() is a cycle: one commit where it was understood, a kept reason where it was not", async () => {
  const { image, oid, cycles, port: served } = await port();
  using _image = image;
  const before = image.newest;
  const sent = await served.sendMessage(String(oid), "add:", ["tea"], {}, context) as {
    value: unknown;
    tid: number;
  };
  assert.equal(sent.value, "tea");
  assert.equal(sent.tid, before + 1);
  await assert.rejects(
    served.sendMessage(String(oid), "brew", [], {}, context),
    /send "brew" to object \d+: not understood/,
  );
  using view = image.view();
  assert.deepEqual(view.get(oid, "items"), ["tea"]);
  const failed = view.oids(0, 10_000).filter((one) =>
    view.has(one) && view.slot(one, "reason") !== undefined
  );
  assert.equal(failed.length, 1);
  assert.match(String(view.get(failed[0]!, "reason")), /not understood/);
  assert.deepEqual(cycles.list(), []);
});

Deno.test("onChange() tells of commits and of the states of cycles, until it is ended", async () => {
  const { image, oid, port: served } = await port();
  using _image = image;
  const seen: Record<string, unknown>[] = [];
  const end = served.onChange((state) => seen.push(state as Record<string, unknown>));
  await served.sendMessage(String(oid), "size", [], {}, context);
  const states = seen.filter(({ type }) => type === "cycle").map(({ state }) => state);
  assert.deepEqual([...new Set(states)], [
    "IDLE",
    "DECOMPOSING",
    "DELEGATING",
    "SYNTHESIZING",
    "COMPLETE",
  ]);
  assert.equal(seen.filter(({ type }) => type === "commit").length, 1);
  end();
  await served.updateProperty(String(oid), "owner", "Ada");
  assert.equal(seen.filter(({ type }) => type === "commit").length, 1);
});
