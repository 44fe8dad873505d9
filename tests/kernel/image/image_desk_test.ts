/** What the commands about the image do, over an image in memory: objects by what people type, changes told, nothing left by a dry run. */
import assert from "node:assert/strict";
import type { Input } from "../../../kernel/commands.ts";
import { commands } from "../../../kernel/commands.ts";
import { ImageDesk } from "../../../kernel/image/image_desk.ts";
import { openMemoryImage } from "../../../kernel/image/open_image.ts";

type ImageCommand = Extract<keyof typeof commands, `image_${string}`>;

/** Input as a door would hand it over: defaults filled in. */
function given<N extends ImageCommand>(name: N, input: Record<string, unknown> = {}): Input<N> {
  return commands[name].input.parse(input) as Input<N>;
}

async function desk(): Promise<ImageDesk> {
  const desk = new ImageDesk(await openMemoryImage());
  await desk.create(given("image_new", { prototype: "list", name: "todo", slots: ["owner=Ada"] }));
  return desk;
}

Deno.test("objects are found by OID, by @OID, and by the name that the lobby has", async () => {
  const image = await desk();
  const todo = image.get(given("image_get", { object: "todo" }));
  for (const object of [todo.oid, `@${todo.oid}`, "@todo"]) {
    assert.deepEqual(image.get(given("image_get", { object })), todo);
  }
  assert.deepEqual(todo.prototype, { oid: "8", name: "list" });
  assert.throws(
    () => image.get(given("image_get", { object: "tod" })),
    /find object "tod": the lobby has no such name; near ones: todo$/,
  );
  assert.throws(
    () => image.get(given("image_get", { object: "4096" })),
    /find object "4096": there is none; "batos image ls" lists them$/,
  );
});

Deno.test("set takes JSON, text and references, and says what it changed", async () => {
  const image = await desk();
  const set = (slot: string, value: string, more = {}) =>
    image.set(given("image_set", { object: "todo", slot, value, ...more }));
  assert.deepEqual((await set("n", "[1, 2]")).changes[0]!.value, [1, 2]);
  assert.deepEqual((await set("n", "[1, 2]", { text: true })).changes[0]!.value, "[1, 2]");
  assert.deepEqual((await set("n", "plain words")).changes[0]!.value, "plain words");
  assert.deepEqual((await set("n", "@todo")).changes[0]!.value, {
    $ref: image.get(given("image_get", { object: "todo" })).oid,
  });
  const { changes, tid } = await set("owner", '{"$bigint": "12"}');
  assert.equal(changes[0]!.change, "changed");
  assert.deepEqual(image.log(given("image_log", { limit: 1 })).transactions[0]!.tid, tid);
  await assert.rejects(set("parent*", "[]"), /a name that ends in "\*" is that of a parent/);
});

Deno.test("set refuses a read-only slot, and --force defines it anew", async () => {
  const image = await desk();
  const input = { object: "list", slot: "name", value: "lists" };
  await assert.rejects(image.set(given("image_set", input)), /it is read-only/);
  const { changes } = await image.set(given("image_set", { ...input, force: true }));
  assert.equal(changes[0]!.change, "changed");
});

Deno.test("a dry run shows the change and leaves nothing", async () => {
  const image = await desk();
  const before = image.log(given("image_log")).transactions.length;
  const sent = await image.send(
    given("image_send", { object: "todo", selector: "add:", args: ["a"], dry_run: true }),
  );
  assert.equal(sent.tid, null);
  assert.deepEqual(sent.changes.map(({ slot, value }) => [slot, value]), [["items", ["a"]]]);
  const removed = await image.remove(
    given("image_rm", { object: "todo", slot: "owner", dry_run: true }),
  );
  assert.deepEqual(removed.changes.map(({ change }) => change), ["removed"]);
  assert.equal(image.log(given("image_log")).transactions.length, before);
  assert.equal(image.get(given("image_get", { object: "todo" })).slots.length, 2);
});

Deno.test("send gives the value, commits what the method changed, and nothing where it changed nothing", async () => {
  const image = await desk();
  const send = (selector: string, ...args: string[]) =>
    image.send(given("image_send", { object: "todo", selector, args }));
  assert.equal((await send("add:", "one")).tid, 3);
  const size = await send("size");
  assert.deepEqual([size.value, size.tid, size.changes], [1, null, []]);
  await assert.rejects(send("frob:", "1"), /not understood/);
  await assert.rejects(send("add:"), /takes 1 argument, got 0/);
});

Deno.test("ls matches names, prototypes, slots and texts, and goes on where it stopped", async () => {
  const image = await desk();
  const ls = (input: Record<string, unknown>) =>
    image.ls(given("image_ls", input)).objects.map(({ name }) => name);
  assert.deepEqual(ls({ pattern: "ada" }), ["todo"]);
  assert.deepEqual(ls({ pattern: "whileTrue" }), ["block"]);
  assert.deepEqual(ls({ pattern: "tru?" }), ["lobby", "true"]);
  assert.deepEqual(ls({ prototype: "collection" }), ["list", "dictionary"]);
  assert.deepEqual(ls({ pattern: "no such thing" }), []);
  const first = image.ls(given("image_ls", { limit: 4 }));
  const rest = image.ls(given("image_ls", { after: first.next }));
  const all = image.ls(given("image_ls"));
  assert.deepEqual([...first.objects, ...rest.objects], all.objects);
  assert.equal(all.next, undefined);
});

Deno.test("get shows the past, and what is inherited with its holder", async () => {
  const image = await desk();
  await image.set(given("image_set", { object: "todo", slot: "owner", value: "Grace" }));
  const owner = (input: Record<string, unknown>) =>
    image.get(given("image_get", { object: "todo", ...input })).slots.find(({ name }) =>
      name === "owner"
    )!.value;
  assert.equal(owner({}), "Grace");
  assert.equal(owner({ at: 2 }), "Ada");
  const { slots } = image.get(given("image_get", { object: "todo", inherited: true }));
  assert.deepEqual(slots.find(({ name }) => name === "clone")!.holder, {
    oid: "1",
    name: "traits",
  });
  assert.equal(slots.filter(({ name }) => name === "name")[0]!.holder!.name, "list");
});

Deno.test("log tells what became of the slots of one object, and undo takes it back", async () => {
  const image = await desk();
  await image.set(given("image_set", { object: "todo", slot: "owner", value: "Grace" }));
  const { transactions } = image.log(given("image_log", { object: "todo" }));
  assert.deepEqual(transactions.map(({ tid }) => tid), [3, 2]);
  assert.deepEqual(transactions[0]!.changes!.map(({ slot, change }) => [slot, change]), [
    ["owner", "changed"],
  ]);
  const undone = await image.undo(given("image_undo", { tids: ["3"] }));
  assert.deepEqual(undone.changes.map(({ slot, value }) => [slot, value]), [["owner", "Ada"]]);
  await image.undo(given("image_undo", { tids: ["4", "3", "2"] }));
  assert.throws(() => image.get(given("image_get", { object: "todo" })), /no such name/);
  const history = image.log(given("image_log", { object: transactions[0]!.objects[0]!.oid }));
  assert.equal(history.transactions[0]!.changes![0]!.change, "removed");
});

Deno.test("new refuses a name that is taken and a slot without a value; rm forgets a name", async () => {
  const image = await desk();
  await assert.rejects(
    image.create(given("image_new", { name: "todo" })),
    /the lobby has that name already/,
  );
  await assert.rejects(image.create(given("image_new", { slots: ["x"] })), /write NAME=VALUE/);
  const { oid } = image.get(given("image_get", { object: "todo" }));
  await image.remove(given("image_rm", { object: "todo" }));
  assert.equal(image.get(given("image_get", { object: oid })).oid, oid);
  await assert.rejects(
    image.remove(given("image_rm", { object: oid })),
    /the lobby has no name for it/,
  );
});

Deno.test("every result satisfies the schema of its command", async () => {
  const image = await desk();
  commands.image_ls.result.parse(image.ls(given("image_ls")));
  commands.image_get.result.parse(image.get(given("image_get", { object: "traits" })));
  commands.image_log.result.parse(image.log(given("image_log")));
  commands.image_log.result.parse(image.log(given("image_log", { object: "todo" })));
  commands.image_set.result.parse(
    await image.set(given("image_set", { object: "todo", slot: "a", value: "1" })),
  );
  commands.image_send.result.parse(
    await image.send(given("image_send", { object: "todo", selector: "size" })),
  );
});
