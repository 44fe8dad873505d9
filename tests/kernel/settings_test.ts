/** Settings of a workspace: defaults, round trip, and a file that somebody damaged. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readSettings, writeSettings } from "../../kernel/settings.ts";

Deno.test("settings are the defaults until somebody decides, and then what was decided", () => {
  const folder = join(Deno.makeTempDirSync(), ".batos");
  assert.deepEqual(readSettings(folder), { root: "" });
  writeSettings(folder, { root: "packages/server" });
  assert.deepEqual(readSettings(folder), { root: "packages/server" });
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["settings.json"]);
  Deno.removeSync(join(folder, ".."), { recursive: true });
});

Deno.test("settings that cannot be understood are an error that names the file", () => {
  const folder = Deno.makeTempDirSync();
  const path = join(folder, "settings.json");
  for (
    const text of [
      "",
      "{",
      "[]",
      '{"root": 3}',
      '{"rot": "src"}',
      '{"root": "../x"}',
      '{"root": "/etc"}',
    ]
  ) {
    Deno.writeTextFileSync(path, text);
    assert.throws(
      () => readSettings(folder),
      (error: Error) => error.message.includes(`"${path}"`),
      text,
    );
  }
  Deno.removeSync(folder, { recursive: true });
});
