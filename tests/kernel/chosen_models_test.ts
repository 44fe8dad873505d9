/** What a repository brings along chooses no model: only a person does, on this machine. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { notChosen, noteChosen, wasChosen } from "../../kernel/chosen_models.ts";
import { chosenModel } from "../../kernel/model_commands.ts";
import { Workspace } from "../../kernel/workspace.ts";
import { temporaryFolder } from "../support/models.ts";

/** A cache of one's own, as long as it is held. */
function ownCache(path: string): Disposable {
  const before = Deno.env.get("XDG_CACHE_HOME");
  Deno.env.set("XDG_CACHE_HOME", path);
  return {
    [Symbol.dispose]() {
      if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
      else Deno.env.set("XDG_CACHE_HOME", before);
    },
  };
}

const isLinux = Deno.build.os === "linux";
const SERVER = "openai:https://models.example/v1#small";

Deno.test({
  name: "a model that only the settings name answers nothing until it was chosen here",
  ignore: !isLinux, // Other systems have other places for a cache.
  fn() {
    using folder = temporaryFolder();
    using _cache = ownCache(join(folder.path, "cache"));
    const root = join(folder.path, "cloned");
    const workspace = new Workspace(root, join(root, ".batos"));
    Deno.mkdirSync(workspace.folder, { recursive: true });
    const settings = join(workspace.folder, "settings.json");
    Deno.writeTextFileSync(settings, JSON.stringify({ model: SERVER }));
    const refused = chosenModel(workspace);
    assert.deepEqual([refused.name, refused.by], ["extractive", "default"]);
    assert.equal(
      refused.problem,
      `use "${SERVER}": only "${settings}" names it, which may have come with the repository, and it was never chosen on this machine; expected "batos model use ${SERVER}" once, if you trust it`,
    );
    workspace.model = SERVER;
    assert.deepEqual(chosenModel(workspace), { name: SERVER, by: "settings" });
    // Chosen anywhere is chosen: a workspace may be moved, or be one of several.
    assert.ok(wasChosen(SERVER, "/elsewhere"));
    assert.ok(!wasChosen("openai:https://models.example/v1#other", root));
  },
});

Deno.test({
  name: "a file in a workspace is chosen for that workspace alone",
  ignore: !isLinux,
  fn() {
    using folder = temporaryFolder();
    using _cache = ownCache(folder.path);
    noteChosen("llama:./model.gguf", "/work/mine");
    assert.ok(wasChosen("llama:./model.gguf", "/work/mine"));
    assert.ok(wasChosen("llama:/work/mine/model.gguf", "/elsewhere"));
    assert.ok(!wasChosen("llama:./model.gguf", "/work/cloned"));
    assert.ok(!wasChosen("transformers:./model.gguf", "/work/mine"));
  },
});

Deno.test({
  name: "a record that is cut off, missing or unreadable hides no other choice and makes none",
  ignore: !isLinux,
  fn() {
    using folder = temporaryFolder();
    using _cache = ownCache(folder.path);
    assert.ok(!wasChosen(SERVER, "/"));
    for (const name of ["static", "none", "extractive"]) assert.ok(wasChosen(name, "/"));
    noteChosen("static", "/");
    const record = join(folder.path, "batos", "chosen_models.jsonl");
    assert.throws(() => Deno.statSync(record), Deno.errors.NotFound);
    noteChosen("llama:hf:acme/tiny/tiny.gguf", "/");
    Deno.writeTextFileSync(record, '"openai:htt', { append: true });
    noteChosen(SERVER, "/");
    noteChosen(SERVER, "/");
    assert.ok(wasChosen("llama:hf:acme/tiny/tiny.gguf", "/"));
    assert.ok(wasChosen(SERVER, "/"));
    assert.equal(Deno.readTextFileSync(record).split(SERVER).length, 2, "noted once");
    assert.equal(Deno.statSync(record).mode! & 0o777, 0o600);
    Deno.removeSync(record);
    Deno.mkdirSync(record);
    assert.ok(!wasChosen(SERVER, "/"));
    assert.match(
      notChosen("a:b", "/x/.batos", "do it"),
      /"\/x\/\.batos\/settings\.json".*expected "do it"/,
    );
  },
});
