/** Paths that people type, and files that must not be reached. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { CommandError } from "../../kernel/commands.ts";
import { sha256, Workspace } from "../../kernel/workspace.ts";

/** A workspace with a file, beside a file that is not in it. */
function temporary(): { workspace: Workspace; outside: string } & Disposable {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  Deno.mkdirSync(join(folder, "root/src"), { recursive: true });
  Deno.writeTextFileSync(join(folder, "root/src/a.ts"), "one\n");
  Deno.writeTextFileSync(join(folder, "secret"), "two\n");
  const root = join(folder, "root");
  return {
    workspace: new Workspace(root, join(root, ".batos")),
    outside: join(folder, "secret"),
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

Deno.test("path() takes paths from the root, absolute ones, and none that lead outside", () => {
  using place = temporary();
  const { workspace, outside } = place;
  assert.equal(workspace.path("src/a.ts"), "src/a.ts");
  assert.equal(workspace.path(join(workspace.root, "src", "a.ts")), "src/a.ts");
  assert.equal(workspace.path("src/../src/./a.ts"), "src/a.ts");
  assert.equal(workspace.path(workspace.root), "");
  for (const path of [outside, "../secret", "src/../../secret"]) {
    assert.throws(() => workspace.path(path), CommandError, path);
  }
});

Deno.test("path() never gives a path that leaves the root", () => {
  using place = temporary();
  const part = fc.constantFrom("..", ".", "src", "a.ts", "", "secret", "/", "~", "%2e%2e", "c:");
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
    let path: string;
    try {
      path = place.workspace.path(parts.join("/"));
    } catch (error) {
      assert.ok(error instanceof CommandError);
      return;
    }
    const whole = join(place.workspace.root, path);
    assert.ok(
      whole === place.workspace.root || whole.startsWith(`${place.workspace.root}/`),
      whole,
    );
  }));
});

Deno.test("read() gives bytes, and follows no link out of the workspace", async () => {
  using place = temporary();
  const { workspace, outside } = place;
  const bytes = workspace.read("src/a.ts");
  assert.equal(new TextDecoder().decode(bytes), "one\n");
  assert.equal(
    await sha256(bytes),
    "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806",
  );
  Deno.symlinkSync(outside, join(workspace.root, "link"));
  Deno.symlinkSync("circle", join(workspace.root, "circle"));
  Deno.symlinkSync("src/a.ts", join(workspace.root, "inner"));
  assert.deepEqual(workspace.read("inner"), bytes);
  for (const path of ["link", "circle", "src", "nothing", "src/a.ts/b"]) {
    assert.throws(() => workspace.read(path), CommandError, path);
  }
});

Deno.test("read() takes a file whose name begins with two dots, and opens no state of a workspace within this one", () => {
  using place = temporary();
  const { workspace } = place;
  Deno.writeTextFileSync(join(workspace.root, "..rc"), "three");
  assert.equal(new TextDecoder().decode(workspace.read("..rc")), "three");
  Deno.mkdirSync(join(workspace.root, "src/.batos"));
  Deno.writeTextFileSync(join(workspace.root, "src/.batos/connection.json"), "a key");
  assert.throws(() => workspace.read("src/.batos/connection.json"), /keeps its own state/);
});

Deno.test("the limit of a workspace is kept, and decides what is within", () => {
  using place = temporary();
  const { workspace } = place;
  assert.equal(workspace.limit, "");
  assert.ok(workspace.isWithinLimit("anything"));
  workspace.limit = workspace.subfolder("src");
  assert.equal(workspace.limit, "src");
  assert.ok(workspace.isWithinLimit("src/a.ts") && workspace.isWithinLimit("src"));
  assert.ok(!workspace.isWithinLimit("src2/a.ts"));
  assert.equal(workspace.subfolder(workspace.root), "");
  assert.throws(() => workspace.subfolder("src/a.ts"), CommandError);
});

Deno.test("requireWritable() says why not", () => {
  using place = temporary();
  place.workspace.requireWritable();
  const blocked = new Workspace(
    place.workspace.root,
    join(place.workspace.root, "src/a.ts/.batos"),
  );
  assert.throws(
    () => blocked.requireWritable(),
    /cannot write ".*a\.ts\/\.batos", where the index lives: /,
  );
});

Deno.test("read() opens nothing of batos's own state but the trail, not even over a link", () => {
  using place = temporary();
  const { workspace } = place;
  Deno.mkdirSync(workspace.folder);
  const names = ["connection.json", "page.json", "image.db", "metacognition.lock"];
  for (const name of names) Deno.writeTextFileSync(join(workspace.folder, name), "key\n");
  Deno.symlinkSync(
    join(workspace.folder, "page.json"),
    join(workspace.root, "innocent.json"),
  );
  for (const path of [...names.map((name) => `.batos/${name}`), "innocent.json"]) {
    assert.throws(() => workspace.read(path), /batos keeps its own state and keys there/, path);
  }
  for (const name of ["metacognition.jsonl", "metacognition-1-900.jsonl"]) {
    Deno.writeTextFileSync(join(workspace.folder, name), "{}\n");
    assert.equal(workspace.read(`.batos/${name}`).length, 3);
  }
});
