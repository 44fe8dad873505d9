/** The image through the command line: real processes on one file, two at once, and bad input. */
import assert from "node:assert/strict";
import { assertDone, assertRefused, Repository } from "./harness.ts";

Deno.test("objects live on from process to process, beside the index, and a rebuild of that leaves them alone", async () => {
  using repository = new Repository({ "a.ts": "export const a = 1;\n" });
  assertRefused(await repository.run(["image", "ls"]), /^batos: image ls: .*it has no image yet/);
  assertDone(await repository.run(["image", "new", "list", "--name", "todo", "owner=Ada"]));
  await repository.ingest();
  assertDone(await repository.run(["image", "send", "todo", "add:", "write tests"]));
  await repository.ingest("--rebuild");
  const { json: [size] } = await repository.run(["image", "send", "todo", "size", "--json"]);
  assert.equal(size.value, 1);
  const { json: [{ transactions }] } = await repository.run(["image", "log", "todo", "--json"]);
  assert.equal(transactions.length, 2);
  assert.equal(Deno.readTextFileSync(repository.at(".batos/.gitignore")).trim(), "*");
});

Deno.test("a place in a file is an object too, once the workspace was ingested", async () => {
  using repository = new Repository({ "src/a.ts": "export function quokka() {}\n" });
  await repository.ingest();
  // Any writer makes the image.
  assertDone(await repository.run(["image", "new", "list", "--name", "todo"]));
  const { json: [chunk] } = await repository.run(["image", "get", "src/a.ts:1", "--json"]);
  assert.equal(chunk.tid, 0);
  const sent = await repository.run(["image", "send", `@${chunk.oid}`, "printString"]);
  assert.equal(sent.out, '"src/a.ts:1-1 quokka"\n');
  assertRefused(
    await repository.run(["image", "set", "src/a.ts", "language", "klingon"]),
    /only shown here|read-only/,
  );
});

Deno.test("several processes that change one object at once lose nothing", async () => {
  using repository = new Repository();
  assertDone(await repository.run(["image", "new", "list", "--name", "todo"]));
  const added = ["a", "b", "c", "d"];
  const ended = await Promise.all(
    added.map((item) => repository.run(["image", "send", "todo", "add:", item])),
  );
  // Each either is in the list or said that it conflicted.
  const { json: [todo] } = await repository.run(["image", "get", "todo", "--json"]);
  const items = todo.slots.find(({ name }: { name: string }) => name === "items").value as string[];
  added.forEach((item, index) => {
    const { code, err } = ended[index]!;
    assert.equal(items.includes(item), code === 0, `${item}: ${code} ${err}`);
    if (code !== 0) assert.match(err, /changed meanwhile: read at revision \d+, now at revision/);
  });
});

Deno.test("what the image cannot do is refused in a line", async () => {
  using repository = new Repository();
  assertDone(await repository.run(["image", "new", "--name", "thing", "__proto__=1"]));
  const cases: [words: string[], expected: RegExp][] = [
    [["get", "thin"], /near ones: thing/],
    [["get", "99999"], /find object "99999": there is none/],
    [["set", "thing", "parent*", "1"], /that of a parent/],
    [["set", "thing", "x", '{"$ref": "77777"}'], /there is no object 77777/],
    [["set", "traits", "name", "other"], /it is read-only/],
    [["send", "thing", "frob"], /not understood/],
    [["send", "thing", "_doesNotUnderstand_"], /takes 4 arguments, got 0/],
    [["undo", "77"], /undo transaction 77/],
    [["undo", "x"], /expected the number of a transaction/],
    [["get", "thing", "--at", "77"], /this image has the transactions 1 to/],
  ];
  for (const [words, expected] of cases) {
    assertRefused(await repository.run(["image", ...words]), expected);
  }
  const { json: [thing] } = await repository.run(["image", "get", "thing", "--json"]);
  assert.deepEqual(
    thing.slots.map(({ name, value }: { name: string; value: unknown }) => [name, value]),
    [["parent*", { $ref: "1" }], ["__proto__", 1]],
  );
});
